//! What a SELECT over rows of several shards needs gathered, and what cannot be answered from gathered rows.
//!
//! The rows of each sharded table are copied into a temporary table of its name, in front of which no schema of the
//! session's search_path stands; the statement's own text then means that. So whatever tells a copy from its original is
//! refused: system columns, catalogs, the bodies of functions.

use std::borrow::Cow;

use super::functions::Calls;
use super::scope::{self, Footprint, Untied};
use super::{Planner, only, params};
use crate::error::PgError;
use crate::plan::{Access, Gather, Gathering, KeyTarget, Piece, Plan, RelationKey, Route, Targets};
use crate::shardmap::TableName;
use crate::sql::tree::{Arm, From, Operand, Output, Query};
use crate::sql::{self, Token};

/// Columns every table has, which say where a row lies.
/// Source: <https://www.postgresql.org/docs/current/ddl-system-columns.html>
const SYSTEM_COLUMNS: [&str; 6] = ["tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"];

/// Functions that are no catalog's, and tell a copy from its original: how a value is stored is its column's own.
const TELL_OF_COPIES: [&str; 3] = ["current_schemas", "pg_column_size", "pg_column_compression"];

impl Planner<'_> {
    /// The plan of a query that `refusal` keeps from one shard.
    ///
    /// Errors: that refusal, where its rows cannot be gathered either; with the reason, if there is one to tell.
    pub(super) fn gathered(
        &self,
        query: &Query,
        tokens: &[Token<'_>],
        calls: &Calls,
        refusal: PgError,
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
        if gives_whole_rows(query) {
            return Err(refusal.with_detail(
                "A row as a whole has the type of its table, which is another one of what is gathered.",
            ));
        }
        let gather = match self.gather(&found, tokens, calls) {
            Ok(gather) => gather,
            Err(reason) => return Err(refusal.with_detail(reason)),
        };
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

    /// What to gather.
    ///
    /// Errors: why the answer could be another one, as a sentence.
    pub(super) fn gather(
        &self,
        found: &Footprint<'_>,
        tokens: &[Token<'_>],
        calls: &Calls,
    ) -> Result<Gather, String> {
        check_tokens(tokens)?;
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
        let asks = found.catalog.as_ref().or(calls.asks_catalog.as_ref());
        if let Some(asks) = asks {
            return Err(format!("{asks} would tell of what is gathered."));
        }
        self.check_names(found)?;
        self.check_columns(found)?;
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
            Piece {
                table: (*table).clone(),
                keys,
            }
        });
        Ok(Gather {
            pieces: pieces.collect(),
            views: found.views.iter().copied().cloned().collect(),
            lasting: false,
        })
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

    /// Rows are copied by the place of their columns.
    fn check_columns(&self, found: &Footprint<'_>) -> Result<(), String> {
        let relations = &self.context.schema.relations;
        let differs = |table: &&&TableName| {
            let relation = relations.get(**table);
            relation.is_some_and(|relation| relation.columns.is_empty())
        };
        match found.uses.keys().find(differs) {
            Some(table) => Err(format!(
                "The columns of {table} are not the same on all shards, or in another order."
            )),
            None => Ok(()),
        }
    }

    /// In `pg_temp` each name is there once, and comes before all others.
    fn check_names(&self, found: &Footprint<'_>) -> Result<(), String> {
        let gathered = || found.uses.keys().chain(&found.views).copied();
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
    for (at, token) in tokens.iter().enumerate() {
        if token.is_word("tablesample") {
            return Err("TABLESAMPLE chooses by where rows lie.".to_owned());
        }
        // `FETCH FIRST 5 ROWS ONLY` is something else.
        let counts = at > 0
            && ["row", "rows"]
                .iter()
                .any(|word| tokens[at - 1].is_word(word));
        if token.is_word("only") && !counts {
            return Err("ONLY leaves out rows of the table's children.".to_owned());
        }
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

/// The plan, which gathers nothing where the query gives rows as a whole.
pub(super) fn without_whole_rows(mut plan: Plan, query: &Query) -> Plan {
    if let Plan::Route(route) = &mut plan
        && route.gather.is_some()
        && gives_whole_rows(query)
    {
        route.gather = None;
    }
    plan
}

/// A relation of FROM is an item of the SELECT list, as far as names tell.
fn gives_whole_rows(query: &Query) -> bool {
    let arm = |arm: &Arm| match arm {
        Arm::Nested(query) => gives_whole_rows(query),
        Arm::Block(block) => {
            let is_whole = |output: &Output| match output {
                Output::All(_) => false,
                Output::Column { values, .. } => values.iter().any(|value| match value {
                    Operand::Column(column) => {
                        column.relation.is_none()
                            && block.from.iter().any(|from| is_called(from, &column.name))
                    }
                    _ => false,
                }),
            };
            block.outputs.iter().any(is_whole)
                || block.from.iter().any(derives_whole_rows)
                || block.subqueries.iter().any(gives_whole_rows)
        }
    };
    query.ctes.iter().any(|cte| gives_whole_rows(&cte.query)) || query.arms.iter().any(arm)
}

fn derives_whole_rows(from: &From) -> bool {
    match from {
        From::Derived { query, .. } => gives_whole_rows(query),
        From::Join(join) => derives_whole_rows(&join.left) || derives_whole_rows(&join.right),
        From::Table(_) | From::Function { .. } => false,
    }
}

fn is_called(from: &From, name: &str) -> bool {
    match from {
        From::Table(table) => table.alias.as_ref().unwrap_or(&table.name.name) == name,
        From::Join(join) => is_called(&join.left, name) || is_called(&join.right, name),
        // A function's alias may be its column's name, too; a query's rows are records.
        From::Derived { .. } | From::Function { .. } => false,
    }
}

/// The relations may have keys on several shards.
pub(super) fn may_be_several(found: &Footprint<'_>) -> bool {
    let one = |relation: &RelationKey| {
        let single = |sources: &Vec<crate::plan::KeySource>| {
            matches!(
                sources.as_slice(),
                [crate::plan::KeySource::Literal(_)
                    | crate::plan::KeySource::Param { array: false, .. }]
            )
        };
        let mut columns = relation.columns.iter();
        columns.all(|column| column.conditions.iter().any(single))
    };
    !matches!(found.relations.as_slice(), [relation] if one(relation))
}

/// The statement as it is run where its tables are gathered: where it says which schema they are in, it means what is
/// gathered of them.
///
/// Errors: text that cannot be read, which nobody has planned.
pub fn retold<'t>(text: &'t str, gathering: &Gathering) -> Result<Cow<'t, str>, PgError> {
    let tokens = sql::tokens(text)?;
    let tables = || {
        gathering
            .pieces
            .iter()
            .map(|(table, _)| table)
            .chain(&gathering.views)
    };
    let is_gathered = |schema: &Token<'_>, name: &Token<'_>| {
        let is = |table: &TableName| table.schema == schema.value && table.name == name.value;
        schema.is_name() && name.is_name() && tables().any(is)
    };
    let mut told = String::new();
    let mut copied = 0;
    for (at, three) in tokens.windows(3).enumerate() {
        let [schema, dot, name] = three else { continue };
        let qualified = at > 0 && tokens[at - 1].is_op(".");
        if dot.is_op(".") && !qualified && is_gathered(schema, name) {
            told.push_str(&text[copied..schema.start]);
            told.push_str("pg_temp");
            copied = schema.end;
        }
    }
    if copied == 0 {
        return Ok(Cow::Borrowed(text));
    }
    told.push_str(&text[copied..]);
    Ok(Cow::Owned(told))
}
