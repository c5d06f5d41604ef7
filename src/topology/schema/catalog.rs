//! One server's catalogs, as far as they concern us: questions and plain answers, nothing decided yet.
//!
//! Names resolve in `pg_catalog` alone here, once the server has told what its own `search_path` is, so that
//! what PostgreSQL prints of views and functions has the schemas of all names that are not of `pg_catalog`.

mod functions;
mod user_types;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use functions::{admit, functions};
use user_types::user_types;

use crate::planner::{Column, PUBLIC};
use crate::shardmap::{ShardMap, TableName};
use crate::sql::name_list;
use crate::topology::control::{Control, ControlError};
use crate::types::translation::{FIRST_USER_OID, UserTypes};
use crate::types::{KeyType, Oid};

/// What one shard's primary holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Catalog {
    pub(super) reached: Reached,
    /// All relations that have the name of one that any shard has reached, in whatever schema.
    pub(super) namesakes: BTreeSet<TableName>,
    /// As in [`crate::planner::Schema::grants`].
    pub(super) grants: BTreeSet<(String, String)>,
    /// As in [`crate::planner::Schema::default_paths`].
    pub(super) default_paths: BTreeMap<String, Vec<String>>,
    /// As in [`crate::planner::Schema::default_roles`].
    pub(super) default_roles: BTreeMap<String, String>,
}

/// Listed tables, foreign tables, and what is reached from them; functions.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Reached {
    pub(super) relations: BTreeMap<TableName, Relation>,
    /// Those whose rows are not everybody's.
    pub(super) guarded: BTreeSet<TableName>,
    pub(super) functions: BTreeMap<TableName, Function>,
    /// Of these functions those that take one row, by their names: `m.f` is a call, too.
    pub(super) row_functions: BTreeSet<String>,
    /// The `search_path` of the server's configuration, where it has one and the service user can see it.
    pub(super) configured_path: Option<Vec<String>>,
    /// All types that users have defined, whatever uses them.
    pub(super) types: UserTypes,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Relation {
    /// `pg_class.relkind`.
    pub(super) kind: char,
    /// It has rules other than the one that makes a view.
    pub(super) has_rules: bool,
    pub(super) columns: Vec<Column>,
    /// What it is a partition or child of.
    pub(super) parents: Vec<TableName>,
    /// Of a view.
    pub(super) definition: Option<String>,
}

/// All functions of one name.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Function {
    Sql(SqlText),
    Opaque(String),
}

/// A function in SQL that nothing but its body speaks against.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SqlText {
    pub(super) body: String,
    /// As in [`crate::planner::SqlFunction`].
    pub(super) arguments: Vec<(Option<String>, Option<KeyType>)>,
    pub(super) search_path: Option<Vec<String>>,
    pub(super) atomic: bool,
    /// Functions that it calls look names up as its owner.
    pub(super) definer_calls: bool,
    /// Said to read no tables: only its body can tell that it does.
    pub(super) immutable: bool,
}

/// The first question. Opens a transaction, so that [`namesakes`] sees the same state.
pub(super) async fn reached(control: &Control, map: &ShardMap) -> Result<Reached, ControlError> {
    let client = &control.client;
    let configured_path = configured_path(control).await?;
    client
        .batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        .await?;
    let version = client.query_one(VERSION, &[]).await?.try_get(0)?;
    let domains = domains(control).await?;
    let mut found = Reached {
        configured_path,
        types: user_types(control, version).await?,
        ..Reached::default()
    };
    let mut pending = functions(control, &domains, version).await?;
    let (schemas, names): (Vec<_>, Vec<_>) = map
        .tables
        .keys()
        .map(|table| (table.schema.as_str(), table.name.as_str()))
        .unzip();
    let mut of_note: HashSet<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut oids = Vec::new();
    // Views are reached through functions, and functions through views.
    let rows = loop {
        admit(&mut pending, &mut of_note, &mut oids, &mut found);
        let parameters: [&(dyn ToSql + Sync); 5] = [
            &schemas,
            &names,
            &oids,
            &SQL_RUNNING_BUILTINS,
            &SESSION_BUILTINS,
        ];
        let rows = client.query(RELATIONS, &parameters).await?;
        for row in &rows {
            of_note.insert(table_name(row)?.name);
        }
        if !pending.iter().any(|one| one.matters(&of_note)) {
            break rows;
        }
    };
    found.relations = relations(control, &rows, &domains).await?;
    for row in &rows {
        if row.try_get(7)? {
            found.guarded.insert(table_name(row)?);
        }
    }
    Ok(found)
}

/// The second question, given the names that any shard has reached.
pub(super) async fn namesakes(
    control: &Control,
    reached: Reached,
    names: &[String],
) -> Result<Catalog, ControlError> {
    let client = &control.client;
    let rows = client.query(NAMESAKES, &[&names]).await?;
    let namesakes: BTreeSet<TableName> = rows.iter().map(table_name).collect::<Result<_, _>>()?;
    let schemas: BTreeSet<&str> = namesakes.iter().map(|name| &*name.schema).collect();
    let schemas: Vec<&str> = schemas.into_iter().collect();
    let rows = client.query(GRANTS, &[&schemas, &PUBLIC]).await?;
    let grant = |row: &Row| Ok((row.try_get(0)?, row.try_get(1)?));
    let grants = rows
        .iter()
        .map(grant)
        .collect::<Result<_, ControlError>>()?;
    let mut default_paths = BTreeMap::new();
    for (role, value) in defaults(control, "search_path").await? {
        let path =
            name_list(&value).ok_or(ControlError::Unexpected("the search_path of a role"))?;
        default_paths.insert(role, path);
    }
    let default_roles = defaults(control, "role").await?;
    client.batch_execute("COMMIT").await?;
    if let Some(path) = &reached.configured_path {
        default_paths
            .entry(String::new())
            .or_insert_with(|| path.clone());
    }
    Ok(Catalog {
        reached,
        namesakes,
        grants,
        default_paths,
        default_roles,
    })
}

/// What a setting is for the sessions of each role that has one; of the empty name for all others.
async fn defaults(
    control: &Control,
    setting: &str,
) -> Result<BTreeMap<String, String>, ControlError> {
    let rows = control.client.query(DEFAULTS, &[&setting]).await?;
    // Those that count more come later.
    let default = |row: &Row| Ok((row.try_get(0)?, row.try_get(1)?));
    rows.iter().map(default).collect()
}

/// Asks for the path, and puts a fixed one in its place. What the service user or the database has by ALTER is not
/// the configuration's.
async fn configured_path(control: &Control) -> Result<Option<Vec<String>>, ControlError> {
    let client = &control.client;
    let row = client.query_one(CONFIGURED_PATH, &[]).await?;
    client.batch_execute(FIX_PATH).await?;
    let value: Option<String> = row.try_get(0)?;
    let unexpected = ControlError::Unexpected("the search_path of its configuration");
    value
        .map(|value| name_list(&value).ok_or(unexpected))
        .transpose()
}

fn table_name(row: &Row) -> Result<TableName, ControlError> {
    Ok(TableName {
        schema: row.try_get(0)?,
        name: row.try_get(1)?,
    })
}

/// A domain by its OID: what is beneath.
type Domains = HashMap<u32, Domain>;

struct Domain {
    beneath: u32,
    modifier: i32,
    has_default: bool,
}

async fn domains(control: &Control) -> Result<Domains, ControlError> {
    let rows = control.client.query(DOMAINS, &[]).await?;
    let domain = |row: &Row| {
        let domain = Domain {
            beneath: row.try_get(1)?,
            modifier: row.try_get(2)?,
            has_default: row.try_get(3)?,
        };
        Ok((row.try_get(0)?, domain))
    };
    rows.iter().map(domain).collect()
}

/// A column's or an argument's type.
struct Type {
    oid: u32,
    modifier: i32,
    deterministic: bool,
}

impl Type {
    /// The type beneath domains; true where one of those has a default.
    fn beneath(mut self, domains: &Domains) -> (Self, bool) {
        let mut has_default = false;
        // Domains cannot be made of each other in a circle; this ends even if a server says so.
        for _ in 0..DOMAIN_DEPTH_MAX {
            let Some(domain) = domains.get(&self.oid) else {
                break;
            };
            has_default |= domain.has_default;
            (self.oid, self.modifier) = (domain.beneath, domain.modifier);
        }
        (self, has_default)
    }

    /// Where values are stored and compared as the type's own.
    fn key_type(&self) -> Option<KeyType> {
        let key_type = KeyType::from_oid(Oid(self.oid))?;
        let own = key_type.keeps_precision(self.modifier) && self.deterministic;
        own.then_some(key_type)
    }

    /// OIDs of other types differ between servers.
    fn fixed_oid(&self) -> Oid {
        if self.oid < FIRST_USER_OID {
            Oid(self.oid)
        } else {
            Oid::UNSPECIFIED
        }
    }
}

async fn relations(
    control: &Control,
    rows: &[Row],
    domains: &Domains,
) -> Result<BTreeMap<TableName, Relation>, ControlError> {
    let mut names: HashMap<u32, TableName> = HashMap::new();
    for row in rows {
        names.insert(row.try_get(2)?, table_name(row)?);
    }
    let oids: Vec<u32> = names.keys().copied().collect();
    let mut columns: HashMap<u32, Vec<Column>> = HashMap::new();
    for row in control.client.query(COLUMNS, &[&oids]).await? {
        let found = Type {
            oid: row.try_get(2)?,
            modifier: row.try_get(3)?,
            deterministic: row.try_get(4)?,
        };
        let (found, domain_default) = found.beneath(domains);
        let column = Column {
            name: row.try_get(1)?,
            type_oid: found.fixed_oid(),
            key_type: found.key_type(),
            declared: Some(row.try_get::<_, String>(7)?.into()),
            has_default: row.try_get::<_, bool>(5)? || domain_default,
            generated: row.try_get(6)?,
        };
        columns.entry(row.try_get(0)?).or_default().push(column);
    }
    let mut relations = BTreeMap::new();
    for row in rows {
        let oid: u32 = row.try_get(2)?;
        let kind: String = row.try_get(3)?;
        let parents: Vec<u32> = row.try_get(6)?;
        // A parent that is not there is a temporary table's.
        let parents = parents.iter().filter_map(|oid| names.get(oid).cloned());
        let relation = Relation {
            kind: kind.chars().next().unwrap_or(' '),
            has_rules: row.try_get(4)?,
            columns: columns.remove(&oid).unwrap_or_default(),
            parents: parents.collect(),
            definition: row.try_get(5)?,
        };
        relations.insert(table_name(row)?, relation);
    }
    Ok(relations)
}

/// Asked before names are safe: each has its schema, the operators too.
const CONFIGURED_PATH: &str = "\
SELECT CASE WHEN s.source OPERATOR(pg_catalog.=) ANY
              ('{configuration file,command line,environment variable}'::pg_catalog.text[]) THEN s.setting END
  FROM pg_catalog.pg_settings AS s
 WHERE s.name OPERATOR(pg_catalog.=) 'search_path'::pg_catalog.text";

const FIX_PATH: &str = "SET search_path = pg_catalog, pg_temp";

const VERSION: &str = "SELECT pg_catalog.current_setting('server_version_num')::pg_catalog.int4";

const DOMAIN_DEPTH_MAX: usize = 64;
pub(super) const DEFINER: &str = "looks names up as its owner (SECURITY DEFINER)";
pub(super) const OVERLOADED: &str = "has several functions behind its name";

const DOMAINS: &str = "\
SELECT oid, typbasetype, typtypmod, typdefault IS NOT NULL FROM pg_catalog.pg_type
 WHERE typtype = 'd' AND typbasetype <> 0";

/// A relation's columns, in order.
const COLUMNS: &str = "\
SELECT a.attrelid, a.attname::text, a.atttypid, a.atttypmod, coalesce(c.collisdeterministic, true),
       a.atthasdef OR a.attidentity <> '' OR a.attgenerated <> '', a.attgenerated <> '',
       concat_ws(' ', pg_catalog.format_type(a.atttypid, a.atttypmod), c.collname, c.collcollate)
  FROM pg_catalog.pg_attribute a
  LEFT JOIN pg_catalog.pg_collation c ON c.oid = a.attcollation
 WHERE a.attrelid = ANY ($1::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
 ORDER BY a.attrelid, a.attnum";

/// From listed tables and foreign tables (which can be any table anywhere) along inheritance in both
/// directions and along rewrite rules, which is what views are made of; and views that call one of the
/// functions above, or a built-in one of those below: PostgreSQL records no dependency on these, so they are looked for
/// in the rule's tree. Temporary relations are another session's.
const RELATIONS: &str = "\
WITH RECURSIVE listed AS (
  SELECT c.oid
    FROM unnest($1::text[], $2::text[]) AS l (nspname, relname)
    JOIN pg_catalog.pg_namespace n ON n.nspname::text = l.nspname
    JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname::text = l.relname
), rules AS (
  SELECT DISTINCT r.ev_class, d.refclassid, d.refobjid
    FROM pg_catalog.pg_rewrite r
    JOIN pg_catalog.pg_depend d
      ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = r.oid
   WHERE d.refclassid IN ('pg_catalog.pg_class'::pg_catalog.regclass, 'pg_catalog.pg_proc'::pg_catalog.regclass)
     AND r.oid >= 16384
), edges AS (
  SELECT inhparent AS from_oid, inhrelid AS to_oid FROM pg_catalog.pg_inherits
  UNION ALL SELECT inhrelid, inhparent FROM pg_catalog.pg_inherits
  UNION ALL SELECT refobjid, ev_class FROM rules
             WHERE refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
), built_in (calls) AS (
  SELECT ':funcid (' || string_agg(p.oid::text, '|') || ') '
    FROM pg_catalog.pg_proc p
   WHERE p.pronamespace = 'pg_catalog'::pg_catalog.regnamespace AND p.proname::text = ANY ($4::text[] || $5::text[])
), reached AS (
  SELECT oid FROM listed
  UNION SELECT oid FROM pg_catalog.pg_class WHERE relkind = 'f'
  UNION SELECT ev_class FROM pg_catalog.pg_rewrite
         WHERE oid >= 16384 AND ev_type = '1' AND ev_action::text ~ (SELECT calls FROM built_in)
  UNION SELECT ev_class FROM rules
         WHERE refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND refobjid = ANY ($3::oid[])
  UNION SELECT edges.to_oid FROM reached JOIN edges ON edges.from_oid = reached.oid
)
SELECT n.nspname::text, c.relname::text, c.oid, c.relkind::text,
       EXISTS (SELECT FROM pg_catalog.pg_rewrite r WHERE r.ev_class = c.oid AND r.ev_type <> '1'),
       CASE WHEN c.relkind = 'v' THEN pg_catalog.pg_get_viewdef(c.oid) END,
       ARRAY(SELECT i.inhparent FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid ORDER BY i.inhseqno),
       c.relrowsecurity
  FROM reached
  JOIN pg_catalog.pg_class c ON c.oid = reached.oid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relpersistence <> 't'";

/// What a name in a FROM list may find.
const NAMESAKES: &str = "\
SELECT n.nspname::text, c.relname::text
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relname::text = ANY ($1::text[]) AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND c.relpersistence <> 't'";

/// Grants by name, and superusers, who need none. What a role has through other roles is left out.
const GRANTS: &str = "\
SELECT n.nspname::text, CASE WHEN a.grantee = 0 THEN $2::text ELSE r.rolname::text END
  FROM pg_catalog.pg_namespace n
 CROSS JOIN LATERAL pg_catalog.aclexplode(coalesce(n.nspacl, pg_catalog.acldefault('n', n.nspowner))) AS a
  LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
 WHERE a.privilege_type = 'USAGE' AND n.nspname::text = ANY ($1::text[])
   AND (a.grantee = 0 OR r.rolname IS NOT NULL)
UNION
SELECT '', rolname::text FROM pg_catalog.pg_roles WHERE rolsuper";

/// What ALTER ROLE and ALTER DATABASE say; no role for what holds for all.
/// Source: <https://www.postgresql.org/docs/current/catalog-pg-db-role-setting.html>
const DEFAULTS: &str = "\
SELECT coalesce(r.rolname::text, ''), substr(c.setting, length($1::text) + 2)
  FROM pg_catalog.pg_db_role_setting s
  LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
  LEFT JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
 CROSS JOIN LATERAL unnest(s.setconfig) AS c (setting)
 WHERE starts_with(c.setting, $1::text || '=') AND (s.setdatabase = 0 OR d.datname = pg_catalog.current_database())
   AND (s.setrole = 0 OR r.rolname IS NOT NULL)
 ORDER BY s.setdatabase <> 0";

/// Built-in functions that run SQL they are given, or read a table they are given by name.
const SQL_RUNNING_BUILTINS: &[&str] = &[
    "cursor_to_xml",
    "cursor_to_xmlschema",
    "database_to_xml",
    "database_to_xml_and_xmlschema",
    "database_to_xmlschema",
    "query_to_xml",
    "query_to_xml_and_xmlschema",
    "query_to_xmlschema",
    "schema_to_xml",
    "schema_to_xml_and_xmlschema",
    "schema_to_xmlschema",
    "table_to_xml",
    "table_to_xml_and_xmlschema",
    "table_to_xmlschema",
    "ts_rewrite",
    "ts_stat",
];

/// Built-in functions that leave something on the connection, or answer what was left there.
const SESSION_BUILTINS: &[&str] = &[
    "currval",
    "lastval",
    "pg_advisory_lock",
    "pg_advisory_lock_shared",
    "pg_advisory_unlock",
    "pg_advisory_unlock_shared",
    "pg_try_advisory_lock",
    "pg_try_advisory_lock_shared",
    "set_config",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_stored_as_the_type_s_own() {
        let mut domains = Domains::new();
        let domain = |beneath, modifier| Domain {
            beneath,
            modifier,
            has_default: beneath == 20_000,
        };
        domains.insert(20_000, domain(1114, 3));
        domains.insert(20_001, domain(20_000, -1));
        domains.insert(20_002, domain(20, -1));
        // One that is made of itself.
        domains.insert(20_003, domain(20_003, -1));
        let found = |oid, modifier, deterministic| {
            let found = Type {
                oid,
                modifier,
                deterministic,
            };
            let (found, has_default) = found.beneath(&domains);
            (found.key_type(), has_default)
        };
        assert_eq!(found(20, -1, true), (Some(KeyType::BigInt), false));
        assert_eq!(found(20_002, -1, true), (Some(KeyType::BigInt), false));
        assert_eq!(found(1114, 6, true), (Some(KeyType::Timestamp), false));
        assert_eq!(found(1114, 3, true), (None, false));
        assert_eq!(found(20_001, -1, true), (None, true));
        assert_eq!(found(25, -1, false), (None, false));
        assert_eq!(found(1700, -1, true), (None, false));
        assert_eq!(found(20_003, -1, true), (None, false));
    }
}
