//! The equalities of a scope, and what they tie.

use std::collections::HashSet;
use std::ops::Range;

use super::build::{Joined, Scope, Tree};
use super::{Source, TIES_MAX, Walker, too_many};
use crate::error::PgError;
use crate::planner::operand;
use crate::sql::tree::{Block, Fact, JoinKind, Operand};

/// A sharding key equals something, on every row that matters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Tie {
    leaf: usize,
    to: To,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum To {
    Value(Source),
    Key(usize),
}

impl<'a> Walker<'a> {
    /// Resolves the scope's conditions, ties its sharded tables and records them.
    pub(super) fn tie_scope(
        &mut self,
        scope: &mut Scope<'_>,
        block: &Block,
        all: Range<usize>,
    ) -> Result<(), PgError> {
        let mut ties = Vec::new();
        self.ties = 0;
        for fact in &block.facts {
            ties.extend(self.tie(fact, scope, None, &all)?);
        }
        let mut trees = std::mem::take(&mut scope.trees);
        for tree in &mut trees {
            self.resolve_on(tree, scope, &all)?;
        }
        // Each inner join's ON may make further joins inner ones.
        loop {
            let before = ties.len();
            trees.iter_mut().for_each(|tree| hoist(tree, &mut ties));
            if ties.len() == before {
                break;
            }
        }
        for tree in &mut trees {
            self.tie_tree(tree, &ties)?;
        }
        scope.trees = trees;
        Ok(())
    }

    fn resolve_on(
        &mut self,
        tree: &mut Tree<'_>,
        scope: &Scope<'_>,
        all: &Range<usize>,
    ) -> Result<(), PgError> {
        let Tree::Join(join) = tree else {
            return Ok(());
        };
        self.resolve_on(&mut join.left, scope, all)?;
        self.resolve_on(&mut join.right, scope, all)?;
        let mut on = Vec::new();
        for column in &join.source.using {
            if let Some((left, right)) = self.using(&join.left, &join.right, column) {
                self.count_tie()?;
                on.extend(self.equal_keys(left, right));
            }
        }
        for fact in &join.source.on {
            on.extend(self.tie(fact, scope, Some(tree), all)?);
        }
        if let Tree::Join(join) = tree {
            join.on = on;
        }
        Ok(())
    }

    fn tie(
        &mut self,
        fact: &Fact,
        scope: &Scope<'_>,
        part: Option<&Tree<'_>>,
        all: &Range<usize>,
    ) -> Result<Option<Tie>, PgError> {
        let Fact::Equal { left, right } = fact else {
            return Ok(None);
        };
        let key = |operand: &Operand| match operand {
            Operand::Column(column) => self.key_column(column, scope, part, all),
            _ => None,
        };
        let (leaf, other) = match (key(left), key(right)) {
            (Some(left), Some(right)) => {
                self.count_tie()?;
                return Ok(self.equal_keys(left, right));
            }
            (Some(leaf), None) => (leaf, right),
            (None, Some(leaf)) => (leaf, left),
            (None, None) => return Ok(None),
        };
        let Some(sharded) = self.leaves[leaf].sharded else {
            return Ok(None);
        };
        let source = operand::source(other, sharded.key_type, self.context)?;
        if let Operand::Param {
            index, cast: None, ..
        } = other
        {
            *self.found.explained.entry(*index).or_default() += 1;
        }
        let Some(source) = source else {
            return Ok(None);
        };
        self.count_tie()?;
        Ok(Some(Tie {
            leaf,
            to: To::Value(self.source(source)),
        }))
    }

    /// Ties are compared with one another, for each join again.
    fn count_tie(&mut self) -> Result<(), PgError> {
        self.ties += 1;
        if self.ties <= TIES_MAX {
            return Ok(());
        }
        Err(too_many(&format!(
            "more than {TIES_MAX} conditions on their keys"
        )))
    }

    /// Keys of one keyspace have one type, so that equality is transitive and equal keys are on one shard.
    fn equal_keys(&self, left: usize, right: usize) -> Option<Tie> {
        let keyspace = |leaf: usize| self.leaves[leaf].sharded.map(|sharded| sharded.keyspace);
        (left != right && keyspace(left).is_some() && keyspace(left) == keyspace(right)).then_some(
            Tie {
                leaf: left,
                to: To::Key(right),
            },
        )
    }

    /// `ties` hold on every row of the tree that matters.
    fn tie_tree(&mut self, tree: &mut Tree<'_>, ties: &[Tie]) -> Result<(), PgError> {
        let join = match tree {
            Tree::Leaf(leaf) => return self.tie_leaf(*leaf, ties),
            Tree::Join(join) => join,
        };
        let kind = effective(join, ties);
        let with_on = |side: &mut Tree<'_>| {
            let mut ties = [ties, join.on.as_slice()].concat();
            settle(side, &mut ties);
            ties
        };
        let alone = |side: &mut Tree<'_>| {
            let mut ties = ties.to_vec();
            settle(side, &mut ties);
            ties
        };
        let (left, right) = match kind {
            JoinKind::Inner => (with_on(&mut join.left), with_on(&mut join.right)),
            JoinKind::Left => (alone(&mut join.left), with_on(&mut join.right)),
            JoinKind::Right => (with_on(&mut join.left), alone(&mut join.right)),
            JoinKind::Full => (alone(&mut join.left), alone(&mut join.right)),
        };
        self.tie_tree(&mut join.left, &left)?;
        self.tie_tree(&mut join.right, &right)
    }

    fn tie_leaf(&mut self, leaf: usize, ties: &[Tie]) -> Result<(), PgError> {
        let Some(sharded) = self.leaves[leaf].sharded else {
            return Ok(());
        };
        let sources = self.values_of(leaf, ties)?;
        if sources.is_empty() {
            let name = match &self.leaves[leaf].exposed {
                Some(exposed) if exposed.name != sharded.table.name => {
                    format!("{} (as {})", sharded.table, exposed.name)
                }
                _ => sharded.table.to_string(),
            };
            let untied = PgError::refusal(
                format!(
                    "{name} is sharded by {column}, and nothing in this query block ties {column} to one value",
                    column = sharded.column
                ),
                format!(
                    "add {} = … (a literal or parameter) with AND to the WHERE of that block",
                    sharded.column
                ),
            );
            if !self.lenient {
                return Err(untied);
            }
            self.found.untied.get_or_insert(untied);
            return Ok(());
        }
        self.record(sharded, &sources, false)?;
        self.leaves[leaf].sources = sources;
        Ok(())
    }

    /// All values the leaf's key is known to equal, directly or through other keys. Those of an INSERT may be
    /// very many, and each relation tied to it would have them all again.
    fn values_of(&self, leaf: usize, ties: &[Tie]) -> Result<Vec<Source>, PgError> {
        let mut reached = vec![leaf];
        let mut sources = Vec::new();
        let mut seen = HashSet::new();
        let mut next = 0;
        while let Some(&leaf) = reached.get(next) {
            next += 1;
            // A relation of an enclosing scope brings what ties it there.
            for source in &self.leaves[leaf].sources {
                if seen.insert(*source) {
                    sources.push(*source);
                }
                if sources.len() > TIES_MAX {
                    return Err(too_many(&format!(
                        "a relation tied to more than {TIES_MAX} values of a key"
                    )));
                }
            }
            for tie in ties {
                match tie.to {
                    To::Value(source) if tie.leaf == leaf && seen.insert(source) => {
                        sources.push(source);
                    }
                    To::Key(other) if tie.leaf == leaf && !reached.contains(&other) => {
                        reached.push(other);
                    }
                    To::Key(other) if other == leaf && !reached.contains(&tie.leaf) => {
                        reached.push(tie.leaf);
                    }
                    _ => {}
                }
            }
        }
        Ok(sources)
    }
}

/// Adds what the inner joins of this tree say, until nothing new comes.
fn settle(tree: &mut Tree<'_>, ties: &mut Vec<Tie>) {
    loop {
        let before = ties.len();
        hoist(tree, ties);
        if ties.len() == before {
            return;
        }
    }
}

/// Conditions of inner joins hold on every row, as do those of the preserved side's own joins.
fn hoist(tree: &mut Tree<'_>, ties: &mut Vec<Tie>) {
    let Tree::Join(join) = tree else { return };
    let kind = effective(join, ties);
    if kind == JoinKind::Inner {
        for tie in &join.on {
            if !ties.contains(tie) {
                ties.push(*tie);
            }
        }
    }
    if matches!(kind, JoinKind::Inner | JoinKind::Left) {
        hoist(&mut join.left, ties);
    }
    if matches!(kind, JoinKind::Inner | JoinKind::Right) {
        hoist(&mut join.right, ties);
    }
}

/// An equality that mentions the side that may be NULL drops the rows where it is.
fn effective(join: &Joined<'_>, ties: &[Tie]) -> JoinKind {
    let strict = |side: &Tree<'_>| {
        let leaves = side.leaves();
        ties.iter().any(|tie| {
            leaves.contains(&tie.leaf)
                || matches!(&tie.to, To::Key(other) if leaves.contains(other))
        })
    };
    // Facts about the left side drop rows without a left partner, and the other way round.
    let (left, right) = (strict(&join.left), strict(&join.right));
    match join.kind {
        JoinKind::Inner => JoinKind::Inner,
        JoinKind::Left if right => JoinKind::Inner,
        JoinKind::Right if left => JoinKind::Inner,
        JoinKind::Full if left && right => JoinKind::Inner,
        JoinKind::Full if left => JoinKind::Left,
        JoinKind::Full if right => JoinKind::Right,
        kind => kind,
    }
}
