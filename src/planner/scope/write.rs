//! What is written: the rows of INSERT and MERGE carry their key, UPDATE may not change it.

use std::collections::HashSet;

use super::outputs::touched;
use super::place::Place;
use super::pool::SetId;
use super::solve::Classes;
use super::{Exposed, Frame, LeafKind, Node, Part, Scope, Sharded, Tie, Tree, Value, Walker};
use crate::error::{PgError, SqlState};
use crate::plan::KeySource;
use crate::planner::names::{Relation, view_write};
use crate::shardmap::{TableKind, TableName};
use crate::sql::tree::{Assignment, Constant, Insert, InsertSource, Merge, Operand, Output, Verb};
use crate::types::{KeyType, KeyValue};

/// Rows that a statement stores.
#[derive(Clone)]
pub(super) struct Stored<'a> {
    pub(super) sharded: Sharded<'a>,
    /// For each column of the key what is stored in it; one row may stand for many.
    pub(super) rows: Vec<Vec<StoredKey>>,
    /// The query that gives them.
    pub(super) source: Option<usize>,
}

#[derive(Clone)]
pub(super) enum StoredKey {
    /// In each of these sets.
    In(Vec<SetId>),
    /// The value of this column of MERGE's source.
    Node(Node),
}

/// Writing one copy would make the copies differ.
pub(in crate::planner) fn reference_write(table: &TableName) -> PgError {
    PgError::refusal(
        format!(
            "writing to reference table {table} is not supported yet: it is whole on every shard"
        ),
        "write to each shard's copy in turn: under /* trunkline: shard=… */, or on the shard directly",
    )
}

impl<'a> Walker<'a, '_> {
    pub(super) fn build_insert(
        &mut self,
        insert: &'a Insert,
        scope: &mut Scope<'a>,
    ) -> Result<(), PgError> {
        let source = match &insert.source {
            InsertSource::Query(query) => Some(self.build_query(query, true)?),
            InsertSource::Values(_) | InsertSource::DefaultValues => None,
        };
        if let Some(source) = source {
            self.queries[source].place = Place::Source;
        }
        let relation = self.names.resolve_in(&insert.target, self.sight.path)?;
        let own = insert.alias.as_ref().unwrap_or(&insert.target.name);
        let exposed = super::from::named(own);
        let (table, kind) = match relation {
            Relation::Listed {
                table,
                kind: TableKind::Reference,
            } => return Err(reference_write(table)),
            Relation::Listed { table, kind } => (table, kind),
            Relation::View { view, .. } => return Err(view_write(view)),
            Relation::Catalog | Relation::Unlisted => {
                self.found.default.insert(insert.target.to_string());
                scope.inner.extend(source);
                let leaf = self.push_leaf(super::from::unknown(exposed))?;
                self.insert_leaf(leaf, scope);
                return Ok(());
            }
        };
        let mut leaf = self.listed(table, kind, exposed);
        if let (None, Exposed::Named { schema, .. }) = (&insert.alias, &mut leaf.exposed) {
            *schema = Some(&table.schema);
        }
        let LeafKind::Sharded(sharded) = leaf.kind else {
            return Ok(());
        };
        let columns = leaf.columns.clone();
        let leaf = self.push_leaf(leaf)?;
        self.infer_rows(insert, leaf);
        let sets = self.insert_keys(insert, sharded, leaf, source)?;
        // Rows that are there already may have another key of this shard.
        if insert.conflict_sets.is_empty() {
            self.leaves[leaf].facts = self.stored_facts(leaf, leaf, &sets);
        }
        self.insert_leaf(leaf, scope);
        let mut excluded = super::from::unknown(Exposed::Qualified("excluded"));
        excluded.columns = columns;
        excluded.complete = self.leaves[leaf].complete;
        self.tally.relations = self.tally.relations.saturating_sub(1);
        let excluded = self.push_leaf(excluded)?;
        self.leaves[excluded].facts = self.stored_facts(excluded, leaf, &sets);
        self.insert_leaf(excluded, scope);
        scope.stored = Some(Stored {
            sharded,
            rows: vec![sets.into_iter().map(StoredKey::In).collect()],
            source,
        });
        Ok(())
    }

    fn insert_leaf(&mut self, leaf: usize, scope: &mut Scope<'a>) {
        scope.frame.leaves.push(leaf);
        self.trees.push(Tree::Leaf(leaf));
        scope.frame.visible.push(self.trees.len() - 1);
    }

    fn stored_facts(&self, leaf: usize, target: usize, sets: &[Vec<SetId>]) -> Vec<Tie> {
        let key = self.leaves[target].key.iter().zip(sets);
        key.flat_map(|(&column, sets)| {
            sets.iter().map(move |set| Tie::In {
                node: Node { leaf, column },
                set: *set,
                strict: true,
            })
        })
        .collect()
    }

    /// Parameters among the values of VALUES get the types of the columns they are stored in.
    fn infer_rows(&mut self, insert: &'a Insert, leaf: usize) {
        let InsertSource::Values(rows) = &insert.source else {
            return;
        };
        let columns = &self.leaves[leaf].columns;
        let type_of = |name: &String| {
            let column = columns.iter().find(|column| column.name == Some(name));
            column.and_then(|column| column.key_type)
        };
        let types: Vec<_> = if !insert.columns.is_empty() {
            insert.columns.iter().map(type_of).collect()
        } else if self.leaves[leaf].complete {
            columns.iter().map(|column| column.key_type).collect()
        } else {
            return;
        };
        for (value, of) in rows.iter().flat_map(|row| row.iter().zip(&types)) {
            if let (Operand::Param { .. }, Some(of)) = (value, of) {
                self.infer(value, *of, false);
            }
        }
    }

    /// Those in SET likewise.
    pub(super) fn infer_sets(
        &mut self,
        sets: &'a [Assignment],
        target: Option<usize>,
        here: &Frame,
    ) {
        let Some(target) = target else { return };
        for set in sets {
            let columns = &self.leaves[target].columns;
            let column = columns
                .iter()
                .find(|column| column.name == Some(set.column.as_str()));
            if let (Some(of), Operand::Param { .. }) =
                (column.and_then(|column| column.key_type), &set.value)
                && let Value::Operand(operand) = self.resolve(&set.value, here)
            {
                self.infer(operand, of, false);
            }
        }
    }

    /// For each column of the key what is stored in it.
    fn insert_keys(
        &mut self,
        insert: &'a Insert,
        sharded: Sharded<'a>,
        leaf: usize,
        source: Option<usize>,
    ) -> Result<Vec<Vec<SetId>>, PgError> {
        let places = self.key_places(&insert.columns, sharded, leaf)?;
        self.check_conflict(insert, sharded)?;
        let types: Vec<KeyType> = self.key_types(sharded);
        let mut keys = Vec::new();
        for ((place, of), column) in places.into_iter().zip(types).zip(sharded.columns) {
            let sets = match (&insert.source, source) {
                (InsertSource::Values(rows), _) => {
                    let mut sources = Vec::with_capacity(rows.len());
                    for row in rows {
                        let Some(value) = row.get(place) else {
                            return Err(without_key(sharded.table, column));
                        };
                        let value = self.resolve(value, &Frame::default());
                        let source = self.stored_value(value, of, sharded.table, column)?;
                        sources.push(self.pool.source(source));
                    }
                    vec![self.pool.set(sources)]
                }
                (InsertSource::Query(_), Some(source)) => {
                    self.selected(source, place, of, sharded.table, column)?
                }
                _ => return Err(without_key(sharded.table, column)),
            };
            keys.push(sets);
        }
        Ok(keys)
    }

    /// Where the key's columns stand among the values.
    fn key_places(
        &self,
        listed: &[String],
        sharded: Sharded<'a>,
        leaf: usize,
    ) -> Result<Vec<usize>, PgError> {
        let (table, leaf) = (sharded.table, &self.leaves[leaf]);
        if listed.is_empty() && !leaf.complete {
            let column = &sharded.columns[0];
            return Err(PgError::refusal(
                format!(
                    "INSERT into sharded table {table} without a column list: which value is {column} is not known"
                ),
                format!("list the columns: INSERT INTO {table} ({column}, …) VALUES …"),
            ));
        }
        if listed.is_empty() {
            return Ok(leaf.key.clone());
        }
        let place = |column: &String| {
            let found = listed.iter().position(|name| name == column);
            found.ok_or_else(|| without_key(table, column))
        };
        sharded.columns.iter().map(place).collect()
    }

    fn key_types(&self, sharded: Sharded<'a>) -> Vec<KeyType> {
        let key = &self.names.map.keyspace(sharded.keyspace).key;
        key.columns.iter().map(|column| column.key_type).collect()
    }

    /// A value stored in a key's column. `column = excluded.column` stores what an INSERT of the row would.
    fn stored_value(
        &mut self,
        value: Value<'a>,
        of: KeyType,
        table: &TableName,
        column: &str,
    ) -> Result<KeySource, PgError> {
        if let Value::Operand(Operand::Constant(Constant::Default)) = value {
            return Err(without_key(table, column));
        }
        if let Value::Operand(operand) = value {
            self.infer(operand, of, false);
        }
        match self.read(value, of)? {
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
                    of.name()
                )
                .trim_end(),
            )),
        }
    }

    /// What a query gives for a column of the key.
    fn selected(
        &mut self,
        source: usize,
        place: usize,
        of: KeyType,
        table: &TableName,
        column: &str,
    ) -> Result<Vec<SetId>, PgError> {
        if let Some(value) = self.only_value(source, place) {
            // A literal or parameter without a type takes the column's.
            let source = self.stored_value(value, of, table, column)?;
            return Ok(vec![self.pool.one(source)]);
        }
        let outs = self.outs(source)?;
        if outs.complete && place >= outs.columns.len() {
            return Err(without_key(table, column));
        }
        let out = outs.columns.get(place).filter(|out| {
            let same = out.key_type.is_some_and(|own| own.family() == of.family());
            outs.complete && same && out.nonnull && !out.sets.is_empty()
        });
        match out {
            Some(out) => Ok(out.sets.clone()),
            None => Err(unknown_key(table, column)),
        }
    }

    /// The literal or parameter in the SELECT list of a query of one block.
    fn only_value(&self, query: usize, place: usize) -> Option<Value<'a>> {
        let [part] = self.queries[query].arms.as_slice() else {
            return None;
        };
        let scope = match part {
            Part::Query(query) => return self.only_value(*query, place),
            Part::Block(scope) => &self.scopes[*scope],
        };
        // A `*` before it may stand for any number of columns.
        let first = scope.block.outputs.get(..=place)?;
        let counted = first
            .iter()
            .all(|output| matches!(output, Output::Column { .. }));
        if !counted || !matches!(scope.block.verb, Verb::Select | Verb::Values) {
            return None;
        }
        match scope.outputs.get(place)?.values.as_slice() {
            [value @ (Value::Operand(_) | Value::Argument(..))] => Some(*value),
            _ => None,
        }
    }

    /// ON CONFLICT DO UPDATE may set the key to the new row's only: that is a key of this shard. All of it, for
    /// the row that is there may have another key, and a mixture of both belongs anywhere.
    fn check_conflict(&self, insert: &Insert, sharded: Sharded<'a>) -> Result<(), PgError> {
        let is_set = |column: &&String| {
            insert
                .conflict_sets
                .iter()
                .any(|set| set.column == **column)
        };
        let parts = sharded.columns.iter().filter(is_set).count();
        if let Some(column) = sharded.columns.iter().find(is_set)
            && parts < sharded.columns.len()
        {
            return Err(PgError::refusal(
                format!(
                    "ON CONFLICT that sets {column} and not the whole sharding key of {} is not supported",
                    sharded.table
                ),
                "set all columns of the key to those of excluded, or none",
            ));
        }
        for set in &insert.conflict_sets {
            let same = matches!(&set.value, Operand::Column(column)
            if column.name == set.column
                && column.relation.as_ref().is_some_and(|relation| {
                    relation.schema.is_none() && relation.name == "excluded"
                }));
            if sharded.columns.contains(&set.column) && !same {
                return Err(changes_key(sharded.table, &set.column));
            }
        }
        Ok(())
    }

    /// UPDATE, and MERGE's UPDATE, may set the key only to what it is.
    pub(super) fn check_sets(&mut self, scope: usize, ties: &[Tie]) -> Result<(), PgError> {
        let block = self.scopes[scope].block;
        let (sets, hidden): (&'a [Assignment], bool) = match &block.verb {
            Verb::Update(sets) => (sets, false),
            Verb::Merge(merge) => (&merge.sets, merge.by_source),
            _ => return Ok(()),
        };
        let Some(target) = self.scopes[scope].target else {
            return Ok(());
        };
        let LeafKind::Sharded(sharded) = self.leaves[target].kind else {
            return Ok(());
        };
        if hidden {
            return Err(PgError::refusal(
                format!(
                    "WHEN NOT MATCHED BY SOURCE looks at all rows of sharded table {}",
                    sharded.table
                ),
                "write an UPDATE or DELETE of its own for these rows",
            ));
        }
        let here = self.scopes[scope].frame.clone();
        let classes = Classes::new(ties);
        let not_null = touched(ties);
        for set in sets {
            let Some(part) = sharded.columns.iter().position(|name| *name == set.column) else {
                continue;
            };
            let key = Node {
                leaf: target,
                column: self.leaves[target].key[part],
            };
            let same = match self.resolve(&set.value, &here) {
                Value::Node(node) => {
                    let class = classes.of(key).filter(|_| not_null.contains(&key));
                    node == key || (class.is_some() && class == classes.of(node))
                }
                value => match self.source_for(value, key)? {
                    Some(KeySource::Literal(KeyValue::Null)) | None => false,
                    Some(source) => {
                        let set = self.pool.one(source);
                        self.known(key).contains(&set)
                    }
                },
            };
            if !same {
                return Err(changes_key(sharded.table, &set.column));
            }
        }
        Ok(())
    }

    /// The rows MERGE inserts.
    pub(super) fn merged_rows(
        &mut self,
        merge: &'a Merge,
        target: Option<usize>,
        here: &Frame,
    ) -> Result<Option<Stored<'a>>, PgError> {
        let Some(target) = target else {
            return Ok(None);
        };
        let LeafKind::Sharded(sharded) = self.leaves[target].kind else {
            return Ok(None);
        };
        let types = self.key_types(sharded);
        let mut rows = Vec::new();
        let mut seen = HashSet::new();
        for (columns, values) in &merge.inserts {
            let places = self.key_places(columns, sharded, target)?;
            let mut row = Vec::new();
            for ((place, of), column) in places.iter().zip(&types).zip(sharded.columns) {
                let Some(value) = values.get(*place) else {
                    return Err(without_key(sharded.table, column));
                };
                row.push(match self.resolve(value, here) {
                    Value::Node(node) => {
                        let same = self.key_type(node).map(KeyType::family) == Some(of.family());
                        if !same || node.leaf == target {
                            return Err(unknown_key(sharded.table, column));
                        }
                        StoredKey::Node(node)
                    }
                    value => {
                        let source = self.stored_value(value, *of, sharded.table, column)?;
                        StoredKey::In(vec![self.pool.one(source)])
                    }
                });
            }
            let key: Vec<_> = row
                .iter()
                .map(|key| match key {
                    StoredKey::In(sets) => (sets.clone(), None),
                    StoredKey::Node(node) => (Vec::new(), Some(*node)),
                })
                .collect();
            if seen.insert(key) {
                rows.push(row);
            }
        }
        Ok(Some(Stored {
            sharded,
            rows,
            source: None,
        }))
    }
}

fn without_key(table: &TableName, column: &str) -> PgError {
    PgError::refusal(
        format!("INSERT into sharded table {table} without a value for its sharding key {column}"),
        format!("list {column} and give its value as a literal or parameter"),
    )
}

pub(super) fn unknown_key(table: &TableName, column: &str) -> PgError {
    PgError::refusal(
        format!(
            "INSERT into sharded table {table} of rows whose {column} is not tied to one value"
        ),
        format!(
            "tie it where the rows come from ({column} = … with AND in its WHERE), and select it as it is"
        ),
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
