//! Whether the rows of all shards, put together, are those that a statement makes of all rows.
//!
//! One sharded relation of a block is its *anchor*, and its key is supposed to be a value that nobody knows. No outer join
//! may make up a row of the anchor, so each row that comes out has one value of its key; and with the supposition every
//! other sharded relation, in whatever scope, has to be tied to that same value. Then the rows with one value of the
//! anchor's key depend on rows of that value only, and those are on one shard. Tied to another value is not enough:
//! `a.key = 5` beside `b` is a product with rows of two shards.
//!
//! Where the anchor is within a query in FROM, that query has to give its key as a column (a *carrier*).
//! `docs/design/0018-several-shards.md` has the proof.

use std::collections::HashMap;

use super::pool::SetId;
use super::solve::Classes;
use super::{LeafKind, Node, Part, Tie, Untied, Value, Walker};
use crate::error::PgError;
use crate::plan::RelationKey;
use crate::planner::Context;
use crate::planner::names::Names;
use crate::planner::params::Inferred;
use crate::shardmap::KeyspaceIndex;
use crate::sql::tree::{Operand, Output, Query, Verb};

/// What one more level of a nested statement may take of the stack.
const STACK_PER_QUERY: usize = 256 << 10;
const STACK_GROWTH: usize = 2 << 20;

/// How the statement's outermost query is to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::planner) enum Whole {
    /// What stands above its only block is somebody else's matter.
    Block,
    /// A UNION ALL: each arm for itself.
    Arms,
    /// With all that stands in it.
    Query,
}

/// What is asked of a block besides.
#[derive(Clone, Debug, Default)]
pub(in crate::planner) struct Asked {
    pub(in crate::planner) groups: Vec<Operand>,
    pub(in crate::planner) order: Vec<Operand>,
}

/// A column of a relation, to be compared with others only.
pub(in crate::planner) type Place = (usize, usize);

/// What is known of a block.
#[derive(Clone, Debug, Default)]
pub(in crate::planner) struct Found {
    /// What each asked for is; `None` where it is no column, or not known which.
    pub(in crate::planner) groups: Vec<Option<Place>>,
    /// Each that is the name of surely no column.
    pub(in crate::planner) absent: Vec<bool>,
    pub(in crate::planner) order: Vec<Option<Place>>,
    /// The columns that come out, stars written out.
    pub(in crate::planner) items: Vec<Option<Place>>,
    /// Rows that agree in what was asked for as groups are on one shard. True where nothing was.
    pub(in crate::planner) groups_whole: bool,
    /// Likewise of all that comes out, of what DISTINCT ON compares, and of the rows each window function looks at.
    pub(in crate::planner) distinct_whole: bool,
    pub(in crate::planner) distinct_on_whole: bool,
    pub(in crate::planner) windows_whole: bool,
}

/// A proof.
#[derive(Debug)]
pub(in crate::planner) struct Proven {
    pub(in crate::planner) keyspace: KeyspaceIndex,
    /// The shards of their keys, all together, are those to ask.
    pub(in crate::planner) anchors: Vec<RelationKey>,
    pub(in crate::planner) inferred: Inferred,
    /// Of the block, or of each arm. Empty for a whole query.
    pub(in crate::planner) found: Vec<Found>,
    /// Reference tables and views that are read.
    pub(in crate::planner) reasons: Vec<String>,
    /// A reference table is read.
    pub(in crate::planner) reads_reference: bool,
}

/// What every sharded relation has to be tied to.
pub(super) struct Supposed {
    keyspace: KeyspaceIndex,
    /// For each column of the key.
    sets: Vec<SetId>,
}

impl Supposed {
    /// Whether what is known of a relation's key says so.
    pub(super) fn are_of(&self, keyspace: KeyspaceIndex, known: &[Vec<SetId>]) -> bool {
        let mut columns = self.sets.iter().zip(known);
        self.keyspace == keyspace
            && self.sets.len() == known.len()
            && columns.all(|(set, known)| known.contains(set))
    }
}

/// The leaves of the anchors, and what was found of each block.
struct Proof {
    anchors: Vec<usize>,
    found: Vec<Found>,
}

/// A relation of a block that may be its anchor.
struct Candidate {
    keyspace: KeyspaceIndex,
    /// Its key.
    nodes: Vec<Node>,
    /// The sharded tables whose keys these are: of a query of several arms one of each.
    anchors: Vec<usize>,
}

/// Columns of a query that are on each of its rows the key of a row of an anchor within.
struct Carrier {
    keyspace: KeyspaceIndex,
    columns: Vec<usize>,
    anchors: Vec<usize>,
}

/// Finds the anchors of a statement; `Err` inside says why it has none. Its literals must not have been taken out.
///
/// Errors: what cannot be done to listed tables, and the limits of the walk.
pub(in crate::planner) fn prove<'a>(
    query: &'a Query,
    whole: Whole,
    asked: &'a [Asked],
    names: &'a Names<'_>,
    context: &'a Context<'a>,
) -> Result<Result<Proven, String>, PgError> {
    let mut walker = Walker::new(names, context, Untied::Refused);
    let built = walker.build_query(query, true)?;
    if let Some(reason) = walker.hindrance(built) {
        return Ok(Err(reason));
    }
    // What is known before anything is supposed says which shards are asked.
    walker.is_tied(built)?;
    let known = walker.known_keys();
    let proof = match whole {
        Whole::Query => walker.prove_query(built)?,
        Whole::Block | Whole::Arms => walker.prove_arms(built, asked)?,
    };
    let Some(Proof { mut anchors, found }) = proof else {
        return Ok(Err(
            "nothing ties every sharded table to the key of one of them".to_owned(),
        ));
    };
    anchors.sort_unstable();
    anchors.dedup();
    let mut keys: Vec<RelationKey> = Vec::new();
    let mut keyspace = None;
    for leaf in anchors {
        let LeafKind::Sharded(sharded) = walker.leaves[leaf].kind else {
            continue;
        };
        if keyspace.is_some_and(|keyspace| keyspace != sharded.keyspace) {
            return Ok(Err("its tables are in different keyspaces".to_owned()));
        }
        keyspace = Some(sharded.keyspace);
        let key = RelationKey {
            relation: walker.called(leaf, sharded),
            columns: walker.column_keys(sharded, &known[&leaf]),
            stores: false,
        };
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    let Some(keyspace) = keyspace else {
        return Ok(Err("it reads no sharded table".to_owned()));
    };
    let views = walker.found.views.iter();
    let views = views.map(|view| format!("view {view}"));
    let references = walker.found.reference.iter();
    let references = references.map(|table| format!("{table} is whole on every shard"));
    Ok(Ok(Proven {
        keyspace,
        anchors: keys,
        found,
        reasons: views.chain(references).collect(),
        reads_reference: !walker.found.reference.is_empty(),
        inferred: walker.found.inferred,
    }))
}

impl<'a> Walker<'a, '_> {
    /// What is in the way, whatever ties the tables.
    fn hindrance(&self, top: usize) -> Option<String> {
        if let Some(table) = self.found.default.first() {
            return Some(format!("{table} is on the default shard only"));
        }
        let relations = &self.context.schema.relations;
        for leaf in &self.leaves {
            if let LeafKind::Sharded(sharded) = leaf.kind
                && let Some(relation) = relations.get(sharded.table)
                && !relation.is_alike()
            {
                let table = sharded.table;
                return Some(format!(
                    "the columns of {table} are not the same on all shards"
                ));
            }
        }
        if let Some(view) = self.found.unsettled {
            return Some(format!(
                "view {view} may not be the same of the same rows everywhere"
            ));
        }
        for scope in &self.scopes {
            if !scope.block.locks.is_empty() {
                return Some("it locks rows".to_owned());
            }
            if !matches!(scope.block.verb, Verb::Select | Verb::Values) {
                return Some("it writes".to_owned());
            }
        }
        // Which rows it chooses of equal ones each copy would decide for itself.
        let chooses = |query: &usize| {
            let kept = |part: &Part| match part {
                Part::Block(scope) => !self.scopes[*scope].kept.is_empty(),
                Part::Query(_) => false,
            };
            self.queries[*query].limited || self.queries[*query].arms.iter().any(kept)
        };
        let mut inner = (0..self.queries.len()).filter(|query| *query != top);
        if !self.found.reference.is_empty()
            && inner.any(|query| chooses(&query) && !self.reads_sharded(query))
        {
            return Some("a query within it chooses among rows of reference tables".to_owned());
        }
        None
    }

    fn reads_sharded(&self, query: usize) -> bool {
        let mut pending = vec![query];
        while let Some(query) = pending.pop() {
            for part in &self.queries[query].arms {
                let scope = match part {
                    Part::Query(query) => {
                        pending.push(*query);
                        continue;
                    }
                    Part::Block(scope) => &self.scopes[*scope],
                };
                for leaf in &scope.leaves {
                    match self.leaves[*leaf].kind {
                        LeafKind::Sharded(_) => return true,
                        LeafKind::Query { query, .. } => pending.push(query),
                        LeafKind::Reference | LeafKind::Other => {}
                    }
                }
                pending.extend(&scope.inner);
            }
            pending.extend(&self.queries[query].tail);
        }
        false
    }

    /// What the keys of sharded tables are known to be.
    fn known_keys(&self) -> HashMap<usize, Vec<Vec<SetId>>> {
        let sharded = |leaf: &usize| matches!(self.leaves[*leaf].kind, LeafKind::Sharded(_));
        let leaves = (0..self.leaves.len()).filter(sharded);
        let known = |leaf| {
            let key = self.key(leaf);
            let sets = key.iter().map(|node| self.known(*node).to_vec());
            (leaf, sets.collect())
        };
        leaves.map(known).collect()
    }

    /// As a query in FROM that gives an anchor's key.
    fn prove_query(&mut self, query: usize) -> Result<Option<Proof>, PgError> {
        for carrier in self.carriers(query) {
            let supposed = self.suppose(carrier.keyspace, carrier.columns.len());
            let columns = carrier.columns.iter().copied();
            let pushed: Vec<_> = columns.zip(supposed.sets.iter().copied()).collect();
            if self.tries(supposed, |walker| walker.down_query(query, &pushed))? {
                return Ok(Some(Proof {
                    anchors: carrier.anchors,
                    found: Vec::new(),
                }));
            }
        }
        Ok(None)
    }

    /// Each block for itself.
    fn prove_arms(&mut self, query: usize, asked: &'a [Asked]) -> Result<Option<Proof>, PgError> {
        let (mut anchors, mut found) = (Vec::new(), Vec::new());
        let mut keyspace = None;
        for (part, asked) in self.queries[query].arms.clone().into_iter().zip(asked) {
            let Part::Block(scope) = part else {
                return Ok(None);
            };
            let Some((candidate, what)) = self.prove_block(scope, asked)? else {
                return Ok(None);
            };
            keyspace = Some((candidate.keyspace, candidate.nodes.len()));
            anchors.extend(candidate.anchors);
            found.push(what);
        }
        let Some((keyspace, width)) = keyspace.filter(|_| {
            // None was left out.
            found.len() == self.queries[query].arms.len()
        }) else {
            return Ok(None);
        };
        // WITH members that no reference has walked, and what stands behind all arms, are tied to none of their values.
        let supposed = self.suppose(keyspace, width);
        let rest = self.tries(supposed, |walker| {
            for query in walker.queries[query].tail.clone() {
                walker.down_query(query, &[])?;
            }
            for member in walker.queries[query].members.clone().into_iter().rev() {
                walker.down_member(member)?;
            }
            Ok(())
        })?;
        Ok(rest.then_some(Proof { anchors, found }))
    }

    fn prove_block(
        &mut self,
        scope: usize,
        asked: &'a Asked,
    ) -> Result<Option<(Candidate, Found)>, PgError> {
        for candidate in self.candidates(scope) {
            let supposed = self.suppose(candidate.keyspace, candidate.nodes.len());
            let tie = |(node, set): (&Node, &SetId)| Tie::In {
                node: *node,
                set: *set,
                strict: true,
            };
            let ties = candidate.nodes.iter().zip(&supposed.sets);
            let ties: Vec<Tie> = ties.map(tie).collect();
            if self.tries(supposed, |walker| walker.down_supposing(scope, &ties))? {
                let found = self.found_of(scope, &candidate, &ties, asked);
                return Ok(Some((candidate, found)));
            }
        }
        Ok(None)
    }

    /// A trial in which every sharded relation that is walked has to be tied to what is supposed.
    fn tries(
        &mut self,
        supposed: Supposed,
        walk: impl FnOnce(&mut Self) -> Result<(), PgError>,
    ) -> Result<bool, PgError> {
        let walked = self.tally.walked.clone();
        let before = self.tally.trial.replace(true);
        self.tally.supposed = Some(supposed);
        walk(self)?;
        self.tally.supposed = None;
        let holds = std::mem::replace(&mut self.tally.trial, before) == Some(true);
        if !holds {
            self.tally.walked = walked;
        }
        Ok(holds)
    }

    fn suppose(&mut self, keyspace: KeyspaceIndex, width: usize) -> Supposed {
        Supposed {
            keyspace,
            sets: (0..width).map(|_| self.pool.nobodys()).collect(),
        }
    }

    /// Relations of FROM that no outer join makes rows up of, before anything is supposed.
    fn candidates(&mut self, scope: usize) -> Vec<Candidate> {
        if !matches!(self.scopes[scope].block.verb, Verb::Select) {
            return Vec::new();
        }
        self.solve(scope, &[]);
        let mut found = Vec::new();
        for leaf in self.scopes[scope].frame.leaves.clone() {
            if self.leaves[leaf].extended {
                continue;
            }
            match self.leaves[leaf].kind {
                LeafKind::Sharded(sharded) => found.push(Candidate {
                    keyspace: sharded.keyspace,
                    nodes: self.key(leaf),
                    anchors: vec![leaf],
                }),
                LeafKind::Query {
                    query, open: true, ..
                } => {
                    let carriers = self.carriers(query);
                    found.extend(carriers.into_iter().map(|carrier| {
                        Candidate {
                            keyspace: carrier.keyspace,
                            nodes: carrier
                                .columns
                                .iter()
                                .map(|&column| Node { leaf, column })
                                .collect(),
                            anchors: carrier.anchors,
                        }
                    }));
                }
                LeafKind::Query { .. } | LeafKind::Reference | LeafKind::Other => {}
            }
        }
        let compared = |node: &Node| self.leaves[node.leaf].columns.len() > node.column;
        found.retain(|candidate| {
            let mut nodes = candidate.nodes.iter();
            nodes.all(|node| compared(node) && self.key_type(*node).is_some())
        });
        found
    }

    fn carriers(&mut self, query: usize) -> Vec<Carrier> {
        stacker::maybe_grow(STACK_PER_QUERY, STACK_GROWTH, || self.carriers_in(query))
    }

    fn carriers_in(&mut self, query: usize) -> Vec<Carrier> {
        if self.queries[query].limited {
            return Vec::new();
        }
        let mut all: Option<Vec<Carrier>> = None;
        for part in self.queries[query].arms.clone() {
            let these = match part {
                Part::Query(query) => self.carriers(query),
                Part::Block(scope) => self.carriers_of(scope),
            };
            all = Some(match all {
                None => these,
                Some(before) => {
                    let both = |mut one: Carrier| {
                        let same = |other: &&Carrier| {
                            other.columns == one.columns && other.keyspace == one.keyspace
                        };
                        let other = these.iter().find(same)?;
                        one.anchors.extend(&other.anchors);
                        Some(one)
                    };
                    before.into_iter().filter_map(both).collect()
                }
            });
        }
        all.unwrap_or_default()
    }

    fn carriers_of(&mut self, scope: usize) -> Vec<Carrier> {
        if !self.scopes[scope].complete {
            return Vec::new();
        }
        let candidates = self.candidates(scope).into_iter();
        let outputs = &self.scopes[scope].outputs;
        let place = |node: &Node| {
            outputs.iter().position(
                |column| matches!(column.values.as_slice(), [Value::Node(own)] if own == node),
            )
        };
        let carrier = |candidate: Candidate| {
            let columns: Option<Vec<usize>> = candidate.nodes.iter().map(place).collect();
            Some(Carrier {
                keyspace: candidate.keyspace,
                columns: columns?,
                anchors: candidate.anchors,
            })
        };
        candidates.filter_map(carrier).collect()
    }

    fn found_of(
        &mut self,
        scope: usize,
        candidate: &Candidate,
        supposed: &[Tie],
        asked: &'a Asked,
    ) -> Found {
        let ties = self.solve(scope, supposed);
        let classes = Classes::new(&ties);
        // These ties hold on every row that comes out: what equals the key there is not NULL.
        let is = |node: &Node, key: &Node| {
            node == key || classes.of(*node).is_some() && classes.of(*node) == classes.of(*key)
        };
        let has_key = |nodes: &[Node]| {
            let mut keys = candidate.nodes.iter();
            keys.all(|key| nodes.iter().any(|node| is(node, key)))
        };
        let here = self.scopes[scope].frame.clone();
        let mut nodes = |operands: &'a [Operand]| -> Vec<Option<Node>> {
            let node = |operand| match self.resolve(operand, &here) {
                Value::Node(node) if here.leaves.contains(&node.leaf) => Some(node),
                _ => None,
            };
            operands.iter().map(node).collect()
        };
        let (groups, order) = (nodes(&asked.groups), nodes(&asked.order));
        let absent = asked.groups.iter().map(|operand| match operand {
            Operand::Column(column) if column.relation.is_none() => {
                self.is_no_column(&column.name, &here)
            }
            _ => false,
        });
        let absent = absent.collect();
        let this = &self.scopes[scope];
        let items: Vec<Option<Node>> = this
            .outputs
            .iter()
            .map(|column| match column.values.as_slice() {
                [Value::Node(node)] => Some(*node),
                _ => None,
            })
            .collect();
        let known = |nodes: &[Option<Node>]| nodes.iter().flatten().copied().collect::<Vec<_>>();
        let on = usize::from(this.block.distinct_on.is_some());
        let (distinct_on, windows) = this.kept.split_at(on.min(this.kept.len()));
        let place = |nodes: &[Option<Node>]| -> Vec<Option<Place>> {
            let place = |node: &Option<Node>| node.map(|node| (node.leaf, node.column));
            nodes.iter().map(place).collect()
        };
        let starless = |output: &Output| matches!(output, Output::Column { .. });
        let plain = this.block.outputs.iter().all(starless);
        Found {
            groups: place(&groups),
            absent,
            order: place(&order),
            items: if plain { place(&items) } else { Vec::new() },
            groups_whole: groups.is_empty() || has_key(&known(&groups)),
            distinct_whole: has_key(&known(&items)),
            distinct_on_whole: distinct_on.iter().all(|list| has_key(list)),
            windows_whole: windows.iter().all(|list| has_key(list)),
        }
    }
}
