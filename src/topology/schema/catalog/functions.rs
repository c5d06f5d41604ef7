//! User-defined functions, and which of them matter.

use std::collections::HashSet;
use std::collections::btree_map::Entry;

use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::{
    DEFINER, Domains, Function, OVERLOADED, Reached, SQL_RUNNING_BUILTINS, SqlText, Type,
    table_name,
};
use crate::planner::names_in;
use crate::shardmap::TableName;
use crate::sql::name_list;
use crate::topology::control::{Control, ControlError};

/// A function of which it is not yet known whether it matters.
pub(super) struct Pending {
    name: TableName,
    oid: u32,
    function: Function,
    takes_row: bool,
    /// The names in the body of one that is said to read no tables, where they decide.
    names: Option<HashSet<String>>,
}

impl Pending {
    pub(super) fn matters(&self, of_note: &HashSet<String>) -> bool {
        let names = self.names.as_ref();
        names.is_none_or(|names| names.iter().any(|name| of_note.contains(name)))
    }
}

pub(super) async fn functions(
    control: &Control,
    domains: &Domains,
    version: i32,
) -> Result<Vec<Pending>, ControlError> {
    let query = if version >= SQL_BODIES_SINCE {
        FUNCTIONS.replace("{body}", "CASE WHEN p.prosqlbody IS NULL THEN p.prosrc ELSE pg_catalog.pg_get_function_sqlbody(p.oid) END, p.prosqlbody IS NOT NULL")
    } else {
        FUNCTIONS.replace("{body}", "p.prosrc, false")
    };
    let parameters: [&(dyn ToSql + Sync); 2] = [&SQL_RUNNING_EXTENSIONS, &SQL_RUNNING_BUILTINS];
    let rows = control.client.query(&query, &parameters).await?;
    let pending = |row: &Row| {
        let function = function(row, domains)?;
        let names = match &function {
            Function::Sql(text) if text.immutable => names_in(&text.body),
            _ => None,
        };
        Ok(Pending {
            name: table_name(row)?,
            oid: row.try_get(2)?,
            function,
            takes_row: row.try_get(11)?,
            names,
        })
    };
    rows.iter().map(pending).collect()
}

/// Enters those that matter, whose own names are of note then.
pub(super) fn admit(
    pending: &mut Vec<Pending>,
    of_note: &mut HashSet<String>,
    oids: &mut Vec<u32>,
    found: &mut Reached,
) {
    loop {
        let mut others = Vec::new();
        let before = pending.len();
        for one in pending.drain(..) {
            if !one.matters(of_note) {
                others.push(one);
                continue;
            }
            oids.push(one.oid);
            of_note.insert(one.name.name.clone());
            if one.takes_row {
                found.row_functions.insert(one.name.name.clone());
            }
            match found.functions.entry(one.name) {
                Entry::Vacant(entry) => {
                    entry.insert(one.function);
                }
                Entry::Occupied(mut entry) => {
                    entry.insert(Function::Opaque(OVERLOADED.to_owned()));
                }
            }
        }
        *pending = others;
        if pending.len() == before {
            return;
        }
    }
}

fn function(row: &Row, domains: &Domains) -> Result<Function, ControlError> {
    if let Some(reason) = row.try_get::<_, Option<String>>(3)? {
        return Ok(Function::Opaque(reason));
    }
    let (body, atomic): (String, bool) = (row.try_get(4)?, row.try_get(5)?);
    let settings: Vec<String> = row.try_get(6)?;
    let (types, names): (Vec<u32>, Vec<String>) = (row.try_get(7)?, row.try_get(8)?);
    let body = if atomic { atomic_query(&body) } else { body };
    // `pg_get_function_sqlbody` takes the names of arguments from a list that has OUT arguments too, by places among
    // those that have none.
    if atomic && row.try_get::<_, bool>(12)? {
        return Ok(Function::Opaque(
            "has OUT arguments before others".to_owned(),
        ));
    }
    let mut search_path = None;
    for setting in &settings {
        let path = setting.strip_prefix("search_path=").and_then(name_list);
        let Some(path) = path else {
            return Ok(Function::Opaque("has settings of its own".to_owned()));
        };
        search_path = Some(path);
    }
    let definer: bool = row.try_get(9)?;
    let fixed = |path: &Vec<String>| path.iter().all(|schema| schema != "$user");
    if definer && !search_path.as_ref().map_or(atomic, fixed) {
        return Ok(Function::Opaque(DEFINER.to_owned()));
    }
    let argument = |(place, oid): (usize, &u32)| {
        let argument = Type {
            oid: *oid,
            modifier: -1,
            deterministic: true,
        };
        let name = names.get(place).filter(|name| !name.is_empty()).cloned();
        (name, argument.beneath(domains).0.key_type())
    };
    Ok(Function::Sql(SqlText {
        body,
        arguments: types.iter().enumerate().map(argument).collect(),
        definer_calls: definer && search_path.is_none(),
        search_path,
        atomic,
        immutable: row.try_get(10)?,
    }))
}

/// `BEGIN ATOMIC … END` of one statement, or `RETURN …`, as that statement.
fn atomic_query(body: &str) -> String {
    let body = body.trim();
    if let Some(expression) = body.strip_prefix("RETURN ") {
        return format!("SELECT {expression}");
    }
    let inner = body
        .strip_prefix("BEGIN ATOMIC")
        .and_then(|rest| rest.strip_suffix("END"));
    inner.unwrap_or(body).trim().to_owned()
}

/// `pg_get_function_sqlbody` came with version 14.
const SQL_BODIES_SINCE: i32 = 140_000;

/// Functions that may read or write tables. Opaque, with a reason: all user-defined ones that are not in SQL but
/// those declared IMMUTABLE, which PostgreSQL forbids to look at tables; aggregates by their transition
/// function, since they are all marked immutable themselves; of extensions and built-ins only those known to
/// run SQL they are given. Without a reason: those in SQL whose body may tell.
const FUNCTIONS: &str = "\
SELECT n.nspname::text, p.proname::text, p.oid,
       CASE
         WHEN NOT own.sql THEN 'is user-defined'
         WHEN EXISTS (SELECT FROM pg_catalog.pg_proc q WHERE q.proname = p.proname AND q.oid <> p.oid)
           THEN 'has several functions behind its name'
         WHEN p.provariadic <> 0 OR coalesce(p.proargmodes && '{b,v}'::pg_catalog.\"char\"[], false)
           THEN 'has VARIADIC or INOUT arguments'
         WHEN p.pronargdefaults > 0 THEN 'has defaults for arguments'
         WHEN EXISTS (SELECT FROM pg_catalog.pg_type y
                       WHERE y.oid = ANY (p.proargtypes::pg_catalog.oid[]) AND y.typtype = 'p')
           THEN 'has polymorphic arguments'
       END,
       {body},
       coalesce(p.proconfig, '{}'), p.proargtypes::pg_catalog.oid[],
       ARRAY(SELECT a.name FROM unnest(p.proargnames) WITH ORDINALITY AS a (name, place)
              WHERE coalesce(p.proargmodes[a.place], 'i') = 'i' ORDER BY a.place),
       p.prosecdef, p.provolatile = 'i',
       p.pronargs = 1 AND EXISTS (SELECT FROM pg_catalog.pg_type y WHERE y.oid = p.proargtypes[0] AND y.typtype = 'c'),
       EXISTS (SELECT FROM unnest(p.proargmodes) WITH ORDINALITY AS a (mode, place)
                WHERE a.place <= p.pronargs AND a.mode <> 'i')
  FROM pg_catalog.pg_proc p
  JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
  JOIN pg_catalog.pg_language l ON l.oid = p.prolang
  LEFT JOIN pg_catalog.pg_aggregate a ON a.aggfnoid = p.oid
  LEFT JOIN pg_catalog.pg_proc t ON t.oid = a.aggtransfn
  LEFT JOIN pg_catalog.pg_proc f ON f.oid = a.aggfinalfn
  LEFT JOIN pg_catalog.pg_depend d
    ON d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid AND d.deptype = 'e'
  LEFT JOIN pg_catalog.pg_extension e
    ON d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND e.oid = d.refobjid
 CROSS JOIN LATERAL (SELECT l.lanname = 'sql' AND p.prokind = 'f' AND e.oid IS NULL
                        AND n.nspname NOT IN ('pg_catalog', 'information_schema')) AS own (sql)
 WHERE CASE
         WHEN n.nspname = 'pg_catalog' AND e.oid IS NULL THEN p.proname::text = ANY ($2::text[])
         WHEN n.nspname = 'information_schema' THEN false
         WHEN e.oid IS NOT NULL THEN e.extname::text = ANY ($1::text[])
         WHEN p.prokind = 'a' THEN t.provolatile <> 'i' OR f.provolatile <> 'i'
         ELSE own.sql OR p.provolatile <> 'i'
       END";

/// Extensions with functions that run SQL they are given, here or elsewhere.
const SQL_RUNNING_EXTENSIONS: &[&str] = &[
    "citus",
    "dblink",
    "pg_background",
    "pg_cron",
    "pg_partman",
    "pglogical",
    "plproxy",
    "postgres_fdw",
    "tablefunc",
    "timescaledb",
    "xml2",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_of_the_new_kind_are_queries() {
        assert_eq!(atomic_query("RETURN ($1 + 1)"), "SELECT ($1 + 1)");
        assert_eq!(atomic_query("BEGIN ATOMIC\n SELECT 1;\nEND"), "SELECT 1;");
    }
}
