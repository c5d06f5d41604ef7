//! What is written: INSERT's rows carry their key themselves, UPDATE may not change it.

use std::collections::HashSet;

use super::{Exposed, Frame, Leaf, Sharded, Source, Walker};
use crate::error::{PgError, SqlState};
use crate::plan::KeySource;
use crate::planner::names::Relation;
use crate::planner::operand;
use crate::shardmap::{TableKind, TableName};
use crate::sql::tree::{Assignment, Block, Constant, Insert, InsertSource, Operand};
use crate::types::KeyValue;

/// Writing one copy would make the copies differ.
pub(in crate::planner) fn reference_write(table: &TableName) -> PgError {
    PgError::refusal(
        format!(
            "writing to reference table {table} is not supported yet: it is whole on every shard"
        ),
        "write to it on each shard directly",
    )
}

impl<'a> Walker<'a> {
    pub(super) fn insert(&mut self, insert: &Insert, block: &Block) -> Result<(), PgError> {
        let relation = self.relation(&insert.target, true)?;
        let start = self.leaves.len();
        let mut leaf = Leaf {
            exposed: Some(Exposed {
                schema: insert.target.schema.clone(),
                name: insert.target.name.clone(),
            }),
            sharded: None,
            reference: false,
            sources: Vec::new(),
        };
        match relation {
            Some(Relation::Listed {
                table,
                kind: TableKind::Reference,
            }) => return Err(reference_write(table)),
            Some(Relation::Listed {
                table,
                kind: TableKind::Sharded { keyspace, columns },
            }) => {
                let key_type = self.names.map.keyspace(*keyspace).key.columns[0].key_type;
                let sharded = Sharded {
                    table,
                    keyspace: *keyspace,
                    key_type,
                    column: &columns[0],
                    renamed: false,
                };
                leaf.sources = self.insert_keys(insert, sharded)?;
                leaf.sharded = Some(sharded);
                self.record(sharded, &leaf.sources, true)?;
            }
            _ => {
                if let InsertSource::Query(query) = &insert.source {
                    self.query(query)?;
                }
            }
        }
        self.push_leaf(leaf)?;
        let all = start..self.leaves.len();
        for query in &block.subqueries {
            self.within(
                Frame {
                    leaves: all.clone(),
                    visible: all.clone(),
                },
                query,
            )?;
        }
        Ok(())
    }

    /// The key of each row.
    fn insert_keys(
        &mut self,
        insert: &Insert,
        sharded: Sharded<'a>,
    ) -> Result<Vec<Source>, PgError> {
        let (table, column) = (sharded.table, sharded.column);
        let rows = match &insert.source {
            InsertSource::Values(rows) => rows,
            InsertSource::DefaultValues => return Err(without_key(table, column)),
            InsertSource::Query(_) => {
                return Err(PgError::refusal(
                    format!("INSERT … SELECT into sharded table {table} is not supported yet"),
                    "select the rows first and insert them with VALUES",
                ));
            }
        };
        if insert.columns.is_empty() {
            return Err(PgError::refusal(
                format!(
                    "INSERT into sharded table {table} without a column list: which value is {column} is not known"
                ),
                format!("list the columns: INSERT INTO {table} ({column}, …) VALUES …"),
            ));
        }
        let Some(place) = insert.columns.iter().position(|name| name == column) else {
            return Err(without_key(table, column));
        };
        if insert.conflict_sets.iter().any(|set| set.column == column) {
            return Err(changes_key(table, column));
        }
        let mut sources = Vec::new();
        let mut seen = HashSet::new();
        for row in rows {
            let Some(value) = row.get(place) else {
                return Err(without_key(table, column));
            };
            let source = self.insert_key(value, sharded)?;
            let source = self.source(source);
            if seen.insert(source) {
                sources.push(source);
            }
        }
        Ok(sources)
    }

    fn insert_key(&mut self, value: &Operand, sharded: Sharded<'a>) -> Result<KeySource, PgError> {
        let (table, column) = (sharded.table, sharded.column);
        if matches!(value, Operand::Constant(Constant::Default)) {
            return Err(without_key(table, column));
        }
        if let Operand::Param {
            index, cast: None, ..
        } = value
        {
            *self.found.explained.entry(*index).or_default() += 1;
        }
        match operand::source(value, sharded.key_type, self.context)? {
            Some(KeySource::Literal(KeyValue::Null)) => Err(PgError::client(
                SqlState::NOT_NULL_VIOLATION,
                format!("null value in sharding key column \"{column}\" of table {table}"),
            )
            .with_hint("a row without a sharding key lives on no shard")),
            Some(source) => Ok(source),
            None => Err(PgError::refusal(
                format!(
                    "INSERT into sharded table {table}: the value of {column} is not a literal or parameter of its type"
                ),
                format!(
                    "give {column} as a literal or parameter, cast only to {} ",
                    sharded.key_type.name()
                )
                .trim_end(),
            )),
        }
    }

    /// UPDATE's target is its scope's first leaf.
    pub(super) fn check_sets(&mut self, sets: &[Assignment], target: usize) -> Result<(), PgError> {
        let Some(sharded) = self.leaves.get(target).and_then(|leaf| leaf.sharded) else {
            return Ok(());
        };
        for set in sets.iter().filter(|set| set.column == sharded.column) {
            let source = operand::source(&set.value, sharded.key_type, self.context)?;
            // Only the value the row is known to have already.
            let same = matches!((&source, self.leaves[target].sources.as_slice()), (Some(new), [old]) if *new == self.values[*old]);
            if !same || matches!(source, Some(KeySource::Literal(KeyValue::Null))) {
                return Err(changes_key(sharded.table, sharded.column));
            }
            if let Operand::Param {
                index, cast: None, ..
            } = &set.value
            {
                *self.found.explained.entry(*index).or_default() += 1;
            }
        }
        Ok(())
    }
}

fn without_key(table: &TableName, column: &str) -> PgError {
    PgError::refusal(
        format!("INSERT into sharded table {table} without a value for its sharding key {column}"),
        format!("list {column} and give its value as a literal or parameter"),
    )
}

fn changes_key(table: &TableName, column: &str) -> PgError {
    PgError::refusal(
        format!(
            "changing the sharding key {column} of {table} is not supported: the row would belong to another shard"
        ),
        "insert the row under its new key and delete the old one",
    )
}
