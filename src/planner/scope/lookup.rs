//! What a column name means, without knowing any table's columns but the sharding keys.

use std::ops::Range;

use super::build::{Scope, Tree};
use super::{Leaf, Walker};
use crate::sql::tree::{Column, JoinKind, Name};

/// The relation that provides an unqualified column.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Provider {
    /// This sharded table, whose key has that name. Where another relation has such a column too,
    /// PostgreSQL calls the name ambiguous.
    Key(usize),
    /// Some relation whose columns are not known, or none.
    Unknown,
}

impl Walker<'_> {
    /// The leaf whose sharding key the column is. `part` is the tree the condition belongs to: `None` for
    /// the whole scope.
    pub(super) fn key_column(
        &self,
        column: &Column,
        scope: &Scope<'_>,
        part: Option<&Tree<'_>>,
        all: &Range<usize>,
    ) -> Option<usize> {
        let Some(relation) = &column.relation else {
            let provider = match part {
                Some(tree) => self.provider(tree, &column.name),
                None => self.combine(
                    scope
                        .trees
                        .iter()
                        .map(|tree| self.provider(tree, &column.name)),
                ),
            };
            return match provider {
                Provider::Key(leaf) => Some(leaf),
                Provider::Unknown => None,
            };
        };
        let visible = part.map_or_else(|| all.clone(), Tree::leaves);
        let leaf = self.qualifier(relation, all, &visible)?;
        let sharded = self.leaves[leaf].sharded?;
        (!sharded.renamed && sharded.column == column.name).then_some(leaf)
    }

    /// Looks for the qualifier from the innermost scope outwards. PostgreSQL would look past a relation that
    /// is not in sight; a name that occurs out of sight gives nothing, so that we never look further than it.
    fn qualifier(
        &self,
        relation: &Name,
        all: &Range<usize>,
        visible: &Range<usize>,
    ) -> Option<usize> {
        let here = std::iter::once((all, visible));
        let outer = self
            .frames
            .iter()
            .rev()
            .map(|frame| (&frame.leaves, &frame.visible));
        for (leaves, visible) in here.chain(outer) {
            let mut found = leaves
                .clone()
                .filter(|leaf| exposes(&self.leaves[*leaf], relation));
            if let Some(leaf) = found.next() {
                return (found.next().is_none() && visible.contains(&leaf)).then_some(leaf);
            }
        }
        None
    }

    fn provider(&self, tree: &Tree<'_>, column: &str) -> Provider {
        let join = match tree {
            Tree::Leaf(leaf) => {
                return match self.leaves[*leaf].sharded {
                    Some(sharded) if !sharded.renamed && sharded.column == column => {
                        Provider::Key(*leaf)
                    }
                    _ => Provider::Unknown,
                };
            }
            Tree::Join(join) => join,
        };
        if join.source.natural {
            return Provider::Unknown;
        }
        if !join.source.using.iter().any(|name| name == column) {
            return self.combine(
                [
                    self.provider(&join.left, column),
                    self.provider(&join.right, column),
                ]
                .into_iter(),
            );
        }
        // The merged column is that of the preserved side.
        match join.source.kind {
            JoinKind::Inner | JoinKind::Left => self.provider(&join.left, column),
            JoinKind::Right => self.provider(&join.right, column),
            JoinKind::Full => Provider::Unknown,
        }
    }

    /// Two keys of one name make the column ambiguous.
    fn combine(&self, providers: impl Iterator<Item = Provider>) -> Provider {
        let mut keys = providers.filter(|provider| *provider != Provider::Unknown);
        match (keys.next(), keys.next()) {
            (Some(key), None) => key,
            _ => Provider::Unknown,
        }
    }

    /// The two key columns that `USING (column)` compares.
    pub(super) fn using(
        &self,
        left: &Tree<'_>,
        right: &Tree<'_>,
        column: &str,
    ) -> Option<(usize, usize)> {
        match (self.provider(left, column), self.provider(right, column)) {
            (Provider::Key(left), Provider::Key(right)) => Some((left, right)),
            _ => None,
        }
    }
}

fn exposes(leaf: &Leaf<'_>, relation: &Name) -> bool {
    leaf.exposed.as_ref().is_some_and(|exposed| {
        exposed.name == relation.name
            && (relation.schema.is_none() || relation.schema == exposed.schema)
    })
}
