//! What a SELECT over rows of several shards needs gathered, and what cannot be answered from gathered rows.
//!
//! The rows of each sharded table are copied into a temporary table of its name, in front of which no schema of the
//! session's search_path stands; the statement's own text then means that. So whatever tells a copy from its original is
//! refused: system columns, catalogs, the bodies of functions.

mod arrays;
mod columns;
mod filters;
mod joined;
mod rows;

use std::borrow::Cow;
use std::ops::Range;

use super::cursor::Cursor;
use super::functions::Calls;
use super::scope::{self, Footprint, Untied};
use super::{Planner, RelationKind, only, params};
use crate::error::PgError;
use crate::plan::{
    Access, Columns, Gather, Gathering, KeySource, KeyTarget, Piece, Plan, RelationKey, Route,
    Targets,
};
use crate::shardmap::TableName;
use crate::sql::tree::Query;
use crate::sql::{self, Token};
use columns::Read;
pub use filters::filter;

/// Columns every table has, which say where a row lies.
/// Source: <https://www.postgresql.org/docs/current/ddl-system-columns.html>
const SYSTEM_COLUMNS: [&str; 6] = ["tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"];

/// Functions that are no catalog's, and tell a copy from its original, or another text from the client's: how a value is stored
/// is its column's own.
const TELL_OF_COPIES: [&str; 4] = [
    "current_query",
    "current_schemas",
    "pg_column_size",
    "pg_column_compression",
];

impl Planner<'_> {
    /// The plan of a query that `refusal` keeps from one shard. `only_way`: it is not scattered.
    ///
    /// Errors: that refusal, where its rows cannot be gathered either; with the reason, if there is one to tell.
    pub(super) fn gathered(
        &self,
        query: &Query,
        at: Cursor<'_>,
        calls: &Calls,
        refusal: PgError,
        only_way: bool,
    ) -> Result<Plan, PgError> {
        let Ok(found) = scope::footprint(query, self.names, self.context, Untied::Gathered) else {
            return Err(refusal);
        };
        let guarded = found
            .uses
            .values()
            .any(|uses| uses.untied && self.names.map.keyspace(uses.keyspace).require_key);
        if found.uses.is_empty() || guarded {
            return Err(refusal);
        }
        if rows::are_given(query, self.names, None) {
            return Err(refusal.with_detail(
                "A row as a whole has the type of its table, which is another one of what is gathered.",
            ));
        }
        let mut gather = match self.gather(&found, query, at.rest, calls) {
            Ok(gather) => gather,
            Err(reason) => return Err(refusal.with_detail(reason)),
        };
        // Other tables are read where the statement runs, at another moment.
        if only_way && found.default.is_empty() && found.reference.is_empty() {
            gather.arrays = self.in_arrays(&gather, query, at).map(Box::new);
        }
        let targets = match found.default.is_empty() {
            false => Targets::Default,
            true => Targets::Any,
        };
        let reason = format!("not one shard: {}", refusal.message);
        Ok(Plan::Route(Route {
            gather: Some(Box::new(gather)),
            ..only(targets, Access::Read, reason)
        }))
    }

    /// The plan, which gathers nothing where the query gives rows as a whole.
    pub(super) fn without_whole_rows(&self, mut plan: Plan, query: &Query) -> Plan {
        if let Plan::Route(route) = &mut plan
            && route.gather.is_some()
            && rows::are_given(query, self.names, None)
        {
            route.gather = None;
        }
        plan
    }

    /// What to gather.
    ///
    /// Errors: why the answer could be another one, as a sentence.
    pub(super) fn gather(
        &self,
        found: &Footprint<'_>,
        query: &Query,
        tokens: &[Token<'_>],
        calls: &Calls,
    ) -> Result<Gather, String> {
        self.check_alike(found, tokens, calls)?;
        self.check_names(found)?;
        // What views name is not looked into.
        let named = found.views.is_empty();
        let read = named.then(|| Read::of(query, tokens)).flatten();
        let pieces = found.uses.iter().map(|(table, uses)| {
            let relations = match uses.untied {
                true => Vec::new(),
                false => {
                    let relations = uses.relations.iter();
                    relations
                        .map(|place| found.relations[*place].clone())
                        .collect()
                }
            };
            let mut keys = KeyTarget {
                keyspace: uses.keyspace,
                relations,
            };
            if !self.are_read_alike(&keys, found, tokens) {
                keys.relations.clear();
            }
            let key = &self.names.map.keyspace(uses.keyspace).key.columns[0];
            Piece {
                table: (*table).clone(),
                keys,
                columns: match (&read, self.names.columns(table)) {
                    (Some(read), Some(all)) => read.columns(all, &key.name),
                    _ => Columns::default(),
                },
                called: named.then(|| filters::called(query, table)).flatten(),
                joined: match named {
                    true => joined::joined(query, table, tokens, self.context.schema),
                    false => Vec::new(),
                },
            }
        });
        Ok(Gather {
            pieces: pieces.collect(),
            views: found.views.iter().copied().cloned().collect(),
            lasting: false,
            arrays: None,
        })
    }

    /// Nothing in the statement tells what is gathered from the tables.
    fn check_alike(
        &self,
        found: &Footprint<'_>,
        tokens: &[Token<'_>],
        calls: &Calls,
    ) -> Result<(), String> {
        check_tokens(tokens)?;
        let mut places = 0..tokens.len();
        if places.any(|at| leaves_out(tokens, at)) {
            self.check_childless(found)?;
        }
        if found.functions || calls.in_sql.is_some() {
            return Err(
                "A function in SQL may read the tables themselves, not what is gathered of them."
                    .to_owned(),
            );
        }
        if let Some(function) = &calls.on_default {
            return Err(format!(
                "What {function} does would be undone with what is gathered."
            ));
        }
        if calls.sets {
            return Err("What set_config sets would be undone with what is gathered.".to_owned());
        }
        let asks = found.catalog.as_ref().or(calls.asks_catalog.as_ref());
        if let Some(asks) = asks {
            return Err(format!("{asks} would tell of what is gathered."));
        }
        let mut views = found.views.iter();
        match views.find(|view| self.tells_of_copies(view)) {
            Some(view) => Err(format!(
                "View {view} would tell what is gathered from the tables."
            )),
            None => Ok(()),
        }
    }

    fn tells_of_copies(&self, view: &TableName) -> bool {
        let schema = self.context.schema;
        let query = match schema.relations.get(view).map(|relation| &relation.kind) {
            Some(RelationKind::View(query)) => query,
            _ => return true,
        };
        schema.telling.contains(view) || rows::are_given(query, self.names, Some(&[]))
    }

    /// PostgreSQL takes the parameters in these keys for what we take them for.
    fn are_read_alike(
        &self,
        keys: &KeyTarget,
        found: &Footprint<'_>,
        tokens: &[Token<'_>],
    ) -> bool {
        let key = &self.names.map.keyspace(keys.keyspace).key;
        let types: Vec<_> = key.columns.iter().map(|column| column.key_type).collect();
        params::check(
            tokens,
            &keys.relations,
            &types,
            &found.inferred,
            self.context,
        )
        .is_ok()
    }

    /// With ONLY or without, the tables' rows are the same ones: the catalogs know of no children.
    fn check_childless(&self, found: &Footprint<'_>) -> Result<(), String> {
        let schema = self.context.schema;
        let mut tables = found.uses.keys();
        let childless = |table: &TableName| schema.version > 0 && !schema.parents.contains(table);
        match tables.all(|table| childless(table)) {
            true => Ok(()),
            false => Err("ONLY leaves out rows of the table's children.".to_owned()),
        }
    }

    /// In `pg_temp` each name is there once, and comes before all others. What it has comes by place.
    fn check_names(&self, found: &Footprint<'_>) -> Result<(), String> {
        let gathered = || found.uses.keys().chain(&found.views).copied();
        for table in found.uses.keys().copied() {
            let relation = self.context.schema.relations.get(table);
            if relation.is_some_and(|relation| !relation.is_alike()) {
                return Err(format!(
                    "The columns of {table} are not the same on all shards."
                ));
            }
        }
        for table in gathered() {
            if gathered().any(|other| other.name == table.name && other != table)
                || found.reference.iter().any(|other| other.name == table.name)
            {
                return Err(format!("Two tables are called {}.", table.name));
            }
            let written =
                |name: &String| name == &table.name || name.ends_with(&format!(".{}", table.name));
            if found.default.iter().any(written) {
                return Err(format!("Two tables are called {}.", table.name));
            }
            if sql::is_cast_type(&table.name) {
                return Err(format!("{} is the name of a type, too.", table.name));
            }
        }
        Ok(())
    }
}

fn check_tokens(tokens: &[Token<'_>]) -> Result<(), String> {
    for token in tokens {
        if !token.is_name() {
            continue;
        }
        if SYSTEM_COLUMNS.contains(&&*token.value) {
            return Err(format!("{} says where a row lies.", token.value));
        }
        if TELL_OF_COPIES.contains(&&*token.value) {
            return Err(format!("{} would tell of what is gathered.", token.value));
        }
    }
    Ok(())
}

/// The text of a view tells a table from a copy of it.
pub fn tells_copies(text: &str) -> bool {
    let Ok(tokens) = sql::tokens(text) else {
        return true;
    };
    let mut places = 0..tokens.len();
    check_tokens(&tokens).is_err() || places.any(|at| leaves_out(&tokens, at))
}

/// ONLY of a table stands there; in `FETCH FIRST 5 ROWS ONLY` it is something else.
fn leaves_out(tokens: &[Token<'_>], at: usize) -> bool {
    let counts = |before: &Token<'_>| before.is_word("row") || before.is_word("rows");
    tokens[at].is_word("only") && !(at > 0 && counts(&tokens[at - 1]))
}

/// The relations may have keys on several shards.
pub(super) fn may_be_several(targets: &Targets) -> bool {
    let Targets::Key(target) = targets else {
        return false;
    };
    let one = |relation: &RelationKey| {
        let single = |sources: &Vec<KeySource>| {
            matches!(
                sources.as_slice(),
                [KeySource::Literal(_) | KeySource::Param { array: false, .. }]
            )
        };
        let mut columns = relation.columns.iter();
        columns.all(|column| column.conditions.iter().any(single))
    };
    !matches!(target.relations.as_slice(), [relation] if one(relation))
}

/// The statement as it is run where its tables are gathered: where it says which schema they are in, it means what is
/// gathered of them.
///
/// Errors: text that cannot be read, which nobody has planned.
pub fn retold<'t>(text: &'t str, gathering: &Gathering) -> Result<Cow<'t, str>, PgError> {
    let mut told = String::new();
    let mut copied = 0;
    for schema in schemas(text, &gathered(gathering))? {
        told.push_str(&text[copied..schema.start]);
        told.push_str(PG_TEMP);
        copied = schema.end;
    }
    if copied == 0 {
        return Ok(Cow::Borrowed(text));
    }
    told.push_str(&text[copied..]);
    Ok(Cow::Owned(told))
}

/// From which character on, counted from one, and by how many a position in what is [`retold`] is further than in the
/// text. All that apply add up.
///
/// Errors: as there.
pub fn shifts(text: &str, gathering: &Gathering) -> Result<Vec<(usize, isize)>, PgError> {
    let (mut shifts, mut counted, mut at) = (Vec::new(), 0, 1);
    for schema in schemas(text, &gathered(gathering))? {
        at += text[counted..schema.start].chars().count() + PG_TEMP.len();
        counted = schema.end;
        let by = PG_TEMP.len() as isize - text[schema].chars().count() as isize;
        shifts.push((at, by));
    }
    Ok(shifts)
}

/// EXPLAIN with its options, where the text begins with it; and where the statement itself begins, in bytes.
pub fn explain_prefix(text: &str) -> Option<(&str, usize)> {
    let tokens = sql::tokens(text).ok()?;
    let (explain, rest) = tokens.split_first()?;
    let words = ["analyze", "analyse", "verbose"];
    let is_option = |token: &Token<'_>| words.iter().any(|word| token.is_word(word));
    let behind = match rest.first()? {
        open if open.is_op("(") => match rest.get(1)? {
            // A query in parentheses.
            first
                if ["select", "with", "values", "table"]
                    .iter()
                    .any(|word| first.is_word(word))
                    || first.is_op("(") =>
            {
                0
            }
            _ => sql::closing(rest, 0)? + 1,
        },
        _ => rest.iter().take_while(|token| is_option(token)).count(),
    };
    let begins = rest.get(behind)?.start;
    explain
        .is_word("explain")
        .then(|| (text[explain.start..begins].trim_end(), begins))
}

const PG_TEMP: &str = "pg_temp";

fn gathered(gathering: &Gathering) -> impl Iterator<Item = &TableName> + Clone {
    let tables = gathering.pieces.iter().map(|part| &part.table);
    tables.chain(&gathering.views)
}

/// Where the text names the schema of one of these tables, in bytes.
fn schemas<'a>(
    text: &str,
    tables: &(impl Iterator<Item = &'a TableName> + Clone),
) -> Result<Vec<Range<usize>>, PgError> {
    let tokens = sql::tokens(text)?;
    let is_gathered = |schema: &Token<'_>, name: &Token<'_>| {
        let is = |table: &TableName| table.schema == schema.value && table.name == name.value;
        schema.is_name() && name.is_name() && tables.clone().any(is)
    };
    let mut found = Vec::new();
    for (at, three) in tokens.windows(3).enumerate() {
        let [schema, dot, name] = three else { continue };
        let qualified = at > 0 && tokens[at - 1].is_op(".");
        if dot.is_op(".") && !qualified && is_gathered(schema, name) {
            found.push(schema.start..schema.end);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Part;

    #[test]
    fn positions_are_counted_in_characters() {
        let table = |schema: &str, name: &str| TableName {
            schema: schema.to_owned(),
            name: name.to_owned(),
        };
        let pieces = [table("public", "a"), table("long name", "b")];
        let part = |table| Part {
            table,
            shards: Vec::new(),
            columns: Columns::default(),
            called: None,
            joined: Vec::new(),
        };
        let gathering = Gathering {
            at: None,
            pieces: pieces.map(part).to_vec(),
            views: Vec::new(),
            lasting: false,
        };
        let text =
            "select 'ü', public.a.x, \"long name\" .b.y, public.c, 'public.a' from z.public.a";
        let told = "select 'ü', pg_temp.a.x, pg_temp .b.y, public.c, 'public.a' from z.public.a";
        assert_eq!(retold(text, &gathering).as_deref(), Ok(told));
        assert_eq!(shifts(text, &gathering), Ok(vec![(20, 1), (33, -4)]));
        assert_eq!(shifts("select 1 from a", &gathering), Ok(Vec::new()));
    }
}
