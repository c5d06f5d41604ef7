//! One scope after another: which relations a statement reads, and what ties each sharded one to a value
//! of its key.
//!
//! A relation is tied where rows with another key can change nothing in the result. What may be used
//! for that:
//!
//! - conjuncts of WHERE, for every relation of the scope. Equality is strict: a row whose column is NULL
//!   because an outer join found no partner is dropped too, so such a conjunct makes the join an inner one;
//! - conjuncts of an inner join's ON, likewise;
//! - conjuncts of an outer join's ON for the side that may find no partner, together with what is
//!   known of the other side; never for the preserved side;
//! - a relation of an enclosing scope that is itself tied.
//!
//! Nothing else counts: not HAVING, OR, NOT, CASE, functions, the SELECT list, or another scope.

mod build;
mod insert;
mod lookup;
mod tie;

pub(super) use insert::reference_write;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Range;

use super::Context;
use super::names::{Names, Relation, view_write};
use crate::error::{PgError, SqlState};
use crate::plan::{ColumnKey, KeySource, RelationKey};
use crate::shardmap::{KeyspaceIndex, TableName};
use crate::sql::tree::{Arm, Block, Name, Query, Verb};
use crate::types::KeyType;

/// What a statement touches.
#[derive(Debug, Default)]
pub(super) struct Footprint<'a> {
    /// Sharded tables with the columns they are tied by, sorted.
    pub(super) sharded: BTreeSet<(&'a TableName, &'a str)>,
    pub(super) keyspace: Option<KeyspaceIndex>,
    pub(super) relations: Vec<RelationKey>,
    pub(super) reference: BTreeSet<&'a TableName>,
    /// Tables and catalogs of the default shard, as written.
    pub(super) default: BTreeSet<String>,
    /// Why the first sharded table that nothing ties is not tied; only where the walk goes on without.
    pub(super) untied: Option<PgError>,
    /// For each parameter, how often it stands without a cast where only the key's type can be inferred.
    pub(super) explained: HashMap<u16, usize>,
}

/// A relation of a scope.
struct Leaf<'a> {
    /// The name columns are qualified with.
    exposed: Option<Exposed>,
    sharded: Option<Sharded<'a>>,
    reference: bool,
    /// Filled once the scope is solved; never empty then for a sharded table.
    sources: Vec<Source>,
}

/// A place in `Walker::values`.
type Source = usize;

struct Exposed {
    /// Only where there is no alias.
    schema: Option<String>,
    name: String,
}

#[derive(Clone, Copy)]
struct Sharded<'a> {
    table: &'a TableName,
    keyspace: KeyspaceIndex,
    key_type: KeyType,
    column: &'a str,
    /// `AS t (x, y)`: which name the key has here is not known.
    renamed: bool,
}

/// A scope as seen from within: its relations, and those in sight from where the inner scope stands.
#[derive(Clone)]
struct Frame {
    leaves: Range<usize>,
    visible: Range<usize>,
}

/// Statements of more table references that name a listed table are refused.
const RELATIONS_MAX: usize = 256;
/// And those of more equalities between keys and values in one scope.
const TIES_MAX: usize = 1024;

fn too_many(what: &str) -> PgError {
    PgError::client(
        SqlState::STATEMENT_TOO_COMPLEX,
        format!("a statement over sharded tables with {what}"),
    )
    .with_hint("split the statement")
}

pub(super) struct Walker<'a> {
    names: &'a Names<'a>,
    context: &'a Context<'a>,
    leaves: Vec<Leaf<'a>>,
    /// Names of the WITH members in sight.
    ctes: Vec<String>,
    frames: Vec<Frame>,
    /// FOR UPDATE without OF, or of something other than a table, which reaches into subqueries.
    locks_all: bool,
    /// The relations of `found`.
    seen: HashSet<RelationKey>,
    /// Every value a key is compared with, once: texts may be long, and are told apart here only.
    values: Vec<KeySource>,
    places: HashMap<KeySource, Source>,
    /// Ties of the scope at hand.
    ties: usize,
    /// A table that nothing ties is noted and passed over: a hint stands for it.
    lenient: bool,
    found: Footprint<'a>,
}

/// Walks a statement's scopes.
///
/// Errors: a table that is not tied (noted only, where `lenient`), and what cannot be done to listed tables.
pub(super) fn footprint<'a>(
    query: &Query,
    names: &'a Names<'a>,
    context: &'a Context<'a>,
    lenient: bool,
) -> Result<Footprint<'a>, PgError> {
    let mut walker = Walker {
        names,
        context,
        leaves: Vec::new(),
        ctes: Vec::new(),
        frames: Vec::new(),
        locks_all: false,
        seen: HashSet::new(),
        values: Vec::new(),
        places: HashMap::new(),
        ties: 0,
        lenient,
        found: Footprint::default(),
    };
    walker.query(query)?;
    if walker.locks_all
        && let Some(table) = walker.found.reference.first()
    {
        return Err(locked_reference(&table.to_string()));
    }
    Ok(walker.found)
}

fn locked_reference(table: &str) -> PgError {
    PgError::refusal(
        format!(
            "FOR UPDATE or FOR SHARE of reference table {table} is not supported: it would lock the copy of one shard"
        ),
        "lock a row of a sharded table instead (FOR UPDATE OF …)",
    )
}

impl<'a> Walker<'a> {
    fn query(&mut self, query: &Query) -> Result<(), PgError> {
        let known = self.ctes.len();
        if query.recursive {
            self.ctes
                .extend(query.ctes.iter().map(|cte| cte.name.clone()));
        }
        for cte in &query.ctes {
            self.query(&cte.query)?;
            if !query.recursive {
                self.ctes.push(cte.name.clone());
            }
        }
        for arm in &query.arms {
            match arm {
                Arm::Nested(query) => self.query(query)?,
                Arm::Block(block) => self.block(block)?,
            }
        }
        for query in &query.tail {
            self.query(query)?;
        }
        self.ctes.truncate(known);
        Ok(())
    }

    fn block(&mut self, block: &Block) -> Result<(), PgError> {
        if let Verb::Insert(insert) = &block.verb {
            return self.insert(insert, block);
        }
        if let Verb::Merge(_) = &block.verb {
            return Err(PgError::refusal(
                "MERGE is not supported in a statement that names tables of the shard map",
                "use INSERT … ON CONFLICT or UPDATE",
            ));
        }
        let start = self.leaves.len();
        let mut scope = build::Scope {
            first: start,
            trees: Vec::new(),
            inner: Vec::new(),
        };
        for item in &block.from {
            let tree = self.build(item, &mut scope)?;
            scope.trees.push(tree);
        }
        let all = start..self.leaves.len();
        self.tie_scope(&mut scope, block, all.clone())?;
        self.check_locks(block, all.clone())?;
        if let Verb::Update(sets) = &block.verb {
            self.check_sets(sets, start)?;
        }
        for (query, sight) in scope.inner {
            match sight {
                build::Sight::Outer => self.query(query)?,
                build::Sight::Leaves(visible) => self.within(
                    Frame {
                        leaves: all.clone(),
                        visible,
                    },
                    query,
                )?,
            }
        }
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

    /// A relation more.
    fn push_leaf(&mut self, leaf: Leaf<'a>) -> Result<(), PgError> {
        if self.leaves.len() == RELATIONS_MAX {
            return Err(too_many(&format!(
                "more than {RELATIONS_MAX} table references"
            )));
        }
        self.leaves.push(leaf);
        Ok(())
    }

    fn source(&mut self, source: KeySource) -> Source {
        let next = self.values.len();
        let place = *self.places.entry(source.clone()).or_insert(next);
        if place == next {
            self.values.push(source);
        }
        place
    }

    fn within(&mut self, frame: Frame, query: &Query) -> Result<(), PgError> {
        self.frames.push(frame);
        let walked = self.query(query);
        self.frames.pop();
        walked
    }

    /// A relation's name in a FROM list, unless a WITH member hides it.
    fn relation(&mut self, name: &Name, target: bool) -> Result<Option<Relation<'a>>, PgError> {
        if !target && name.schema.is_none() && self.ctes.contains(&name.name) {
            return Ok(None);
        }
        let relation = self.names.resolve(name)?;
        match &relation {
            Relation::Listed { .. } => {}
            Relation::View { view, .. } if target => return Err(view_write(view)),
            Relation::View { view, .. } => {
                return Err(PgError::refusal(
                    format!("{view} is a view over tables of the shard map"),
                    "query the tables themselves",
                ));
            }
            Relation::Catalog | Relation::Unlisted => {
                self.found.default.insert(name.to_string());
            }
        }
        Ok(Some(relation))
    }

    /// Enters a tied table into the footprint.
    fn record(
        &mut self,
        sharded: Sharded<'a>,
        sources: &[Source],
        stores: bool,
    ) -> Result<(), PgError> {
        if self
            .found
            .keyspace
            .is_some_and(|keyspace| keyspace != sharded.keyspace)
        {
            let other = self
                .found
                .sharded
                .first()
                .map(|(table, _)| table.to_string())
                .unwrap_or_default();
            return Err(PgError::refusal(
                format!("{} and {other} are in different keyspaces", sharded.table),
                "use tables of one keyspace in one statement",
            ));
        }
        self.found.keyspace = Some(sharded.keyspace);
        self.found.sharded.insert((sharded.table, sharded.column));
        let values = || {
            sources
                .iter()
                .map(|source| self.values[*source].clone())
                .collect::<Vec<_>>()
        };
        let relation = RelationKey {
            relation: sharded.table.to_string(),
            columns: vec![ColumnKey {
                name: sharded.column.to_owned(),
                conditions: if stores {
                    vec![values()]
                } else {
                    values().into_iter().map(|source| vec![source]).collect()
                },
            }],
            stores,
        };
        if self.seen.insert(relation.clone()) {
            self.found.relations.push(relation);
        }
        Ok(())
    }

    fn check_locks(&mut self, block: &Block, all: Range<usize>) -> Result<(), PgError> {
        for lock in &block.locks {
            let Some(name) = lock else {
                self.locks_all = true;
                continue;
            };
            let named = |leaf: &&Leaf<'_>| {
                leaf.exposed
                    .as_ref()
                    .is_some_and(|exposed| exposed.name == *name)
            };
            match self.leaves[all.clone()].iter().find(named) {
                Some(leaf) if leaf.reference => return Err(locked_reference(name)),
                Some(leaf) if leaf.sharded.is_some() => {}
                _ => self.locks_all = true,
            }
        }
        Ok(())
    }
}
