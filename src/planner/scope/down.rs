//! From the outermost scope inwards: ties go into the queries a scope is made of, and every sharded relation
//! must be tied.
//!
//! A condition on a query's column may be applied to the rows the query is made of, before it chooses among them,
//! if for each value of the column the query's answer depends only on rows with that value: a column taken
//! over from a relation, which grouping, DISTINCT and set operations compare as a whole. Not so where LIMIT
//! counts rows of all values, DISTINCT ON or a window compares without that column, rows are locked, or
//! the query writes.

use std::collections::BTreeSet;

use super::outputs::touched;
use super::place::Place;
use super::pool::SetId;
use super::write::StoredKey;
use super::{
    Exposed, LeafKind, MemberState, Node, Part, Sharded, Tie, Untied, Uses, Value, Walker, too_many,
};
use crate::error::PgError;
use crate::plan::{ColumnKey, RelationKey};
use crate::sql::tree::Verb;

/// What the keys of a plan may take.
const RECORDED_BYTES_MAX: usize = 48 << 20;
/// What walking one more level of a nested statement may take of the stack.
const STACK_PER_QUERY: usize = 256 << 10;
const STACK_GROWTH: usize = 2 << 20;

pub(super) fn locked_reference(table: &str) -> PgError {
    PgError::refusal(
        format!(
            "FOR UPDATE or FOR SHARE of reference table {table} is not supported: it would lock the copy of one shard"
        ),
        "lock a row of a sharded table instead (FOR UPDATE OF …)",
    )
}

impl<'a> Walker<'a, '_> {
    pub(super) fn down_query(
        &mut self,
        query: usize,
        pushed: &[(usize, SetId)],
    ) -> Result<(), PgError> {
        let around = std::mem::replace(&mut self.tally.place, self.queries[query].place);
        self.down_nested(query, pushed)?;
        self.tally.place = around;
        Ok(())
    }

    fn down_nested(&mut self, query: usize, pushed: &[(usize, SetId)]) -> Result<(), PgError> {
        stacker::maybe_grow(STACK_PER_QUERY, STACK_GROWTH, || {
            self.down_arms(query, pushed)
        })
    }

    fn down_arms(&mut self, query: usize, pushed: &[(usize, SetId)]) -> Result<(), PgError> {
        let pushed = if self.queries[query].limited {
            &[]
        } else {
            pushed
        };
        // In the order of the text, those that references do not walk.
        let members = self.queries[query].members.clone();
        for &member in &members {
            let this = &self.members[member];
            if this.settled == Some(true) || this.writes || this.recursed {
                self.down_member(member)?;
            }
        }
        let arms = self.queries[query].arms.clone();
        let several = arms.len() > 1;
        for (at, part) in arms.into_iter().enumerate() {
            let around = self.tally.place;
            if several {
                self.tally.place = Place::Arm(at + 1);
            }
            match part {
                Part::Block(scope) => self.down_scope(scope, pushed)?,
                Part::Query(query) => self.down_nested(query, pushed)?,
            }
            self.tally.place = around;
        }
        for query in self.queries[query].tail.clone() {
            self.down_query(query, &[])?;
        }
        // Later members may have walked earlier ones; what none has must be tied by itself.
        for member in members.into_iter().rev() {
            self.down_member(member)?;
        }
        Ok(())
    }

    pub(super) fn down_member(&mut self, member: usize) -> Result<(), PgError> {
        match self.members[member].state {
            MemberState::Built(query) if self.tally.walked.insert(member) => {
                self.down_query(query, &[])
            }
            _ => Ok(()),
        }
    }

    /// All in the query is tied, whatever may be known of its columns besides.
    pub(super) fn is_tied(&mut self, query: usize) -> Result<bool, PgError> {
        let walked = std::mem::take(&mut self.tally.walked);
        let before = self.tally.trial.replace(true);
        self.down_query(query, &[])?;
        self.tally.walked = walked;
        let tied = std::mem::replace(&mut self.tally.trial, before);
        Ok(tied.unwrap_or(false))
    }

    fn down_scope(&mut self, scope: usize, pushed: &[(usize, SetId)]) -> Result<(), PgError> {
        let more = self.admitted(scope, pushed);
        self.down_supposing(scope, &more)
    }

    /// As if these held on its rows.
    pub(super) fn down_supposing(&mut self, scope: usize, more: &[Tie]) -> Result<(), PgError> {
        let ties = self.solve(scope, more);
        let leaves = self.scopes[scope].leaves.clone();
        let block = self.scopes[scope].block;
        if !matches!(block.verb, Verb::Insert(_)) {
            for &leaf in &leaves {
                self.tie_leaf(leaf)?;
            }
        }
        self.store(scope, &ties)?;
        self.check_sets(scope, &ties)?;
        if self.tally.trial.is_none() {
            self.check_locks(scope)?;
        }
        for leaf in leaves {
            let LeafKind::Query {
                query,
                member,
                open,
            } = self.leaves[leaf].kind
            else {
                continue;
            };
            let mut pushed = Vec::new();
            if open && block.locks.is_empty() {
                for column in 0..self.leaves[leaf].columns.len() {
                    // A column that may be NULL besides is asked for nothing.
                    let known = self.demanded(Node { leaf, column });
                    pushed.extend(known.iter().map(|set| (column, *set)));
                }
            }
            self.tally.walked.extend(member);
            self.down_query(query, &pushed)?;
        }
        for query in self.scopes[scope].inner.clone() {
            self.down_query(query, &[])?;
        }
        Ok(())
    }

    /// What may be said of a scope's rows because it holds of its columns.
    fn admitted(&self, scope: usize, pushed: &[(usize, SetId)]) -> Vec<Tie> {
        let scope = &self.scopes[scope];
        if !matches!(scope.block.verb, Verb::Select) || !scope.block.locks.is_empty() {
            return Vec::new();
        }
        let tie = |(column, set): &(usize, SetId)| {
            let [Value::Node(node)] = scope.outputs.get(*column)?.values.as_slice() else {
                return None;
            };
            let own = scope.leaves.contains(&node.leaf);
            let kept = scope.kept.iter().all(|list| list.contains(node));
            (own && kept && self.key_type(*node).is_some()).then_some(Tie::In {
                node: *node,
                set: *set,
                strict: true,
            })
        };
        pushed.iter().filter_map(tie).collect()
    }

    fn tie_leaf(&mut self, leaf: usize) -> Result<(), PgError> {
        let LeafKind::Sharded(sharded) = self.leaves[leaf].kind else {
            return Ok(());
        };
        let key = self.key(leaf);
        let sets: Vec<Vec<SetId>> = key.iter().map(|node| self.known(*node).to_vec()).collect();
        if let Some(trial) = &mut self.tally.trial {
            *trial &= match &self.tally.supposed {
                None => sets.iter().all(|sets| !sets.is_empty()),
                Some(supposed) => supposed.are_of(sharded.keyspace, &sets),
            };
            return Ok(());
        }
        if sets.first().is_none_or(Vec::is_empty) {
            let untied = self.untied(leaf, sharded);
            if self.tally.untied == Untied::Refused {
                return Err(untied);
            }
            self.found.untied.get_or_insert(untied);
            self.used(sharded).untied = true;
            return Ok(());
        }
        let relation = self.called(leaf, sharded);
        self.record(sharded, relation, &sets, false)
    }

    /// The table, and its alias where it has one.
    pub(super) fn called(&self, leaf: usize, sharded: Sharded<'a>) -> String {
        match &self.leaves[leaf].exposed {
            Exposed::Named { name, .. } if *name != sharded.table.name => {
                format!("{} as {name}", sharded.table)
            }
            _ => sharded.table.to_string(),
        }
    }

    fn untied(&self, leaf: usize, sharded: Sharded<'a>) -> PgError {
        let name = match &self.leaves[leaf].exposed {
            Exposed::Named { name, .. } if *name != sharded.table.name => {
                format!("{} (as {name})", sharded.table)
            }
            _ => sharded.table.to_string(),
        };
        let key = match sharded.columns {
            [only] => only.clone(),
            several => format!("({})", several.join(", ")),
        };
        let first = &sharded.columns[0];
        let untied = PgError::refusal(
            format!(
                "{name} is sharded by {key}, and nothing in {} ties {first} to one value",
                self.tally.place
            ),
            self.tally.place.way_out(first),
        );
        match self.key(leaf).first() {
            Some(node) if self.tally.unread.contains(node) => untied.with_detail(format!(
                "What {first} is compared with says nothing for certain: it is of another type, a column that \
                 nothing ties, an expression, or a value in a form that depends on settings."
            )),
            _ => untied,
        }
    }

    /// Enters a relation into the footprint: for each column of its key, sets of which it is in each.
    pub(super) fn record(
        &mut self,
        sharded: Sharded<'a>,
        relation: String,
        sets: &[Vec<SetId>],
        stores: bool,
    ) -> Result<(), PgError> {
        let other = self.found.keyspace.filter(|it| *it != sharded.keyspace);
        if other.is_some() && self.tally.untied != Untied::Gathered {
            let other = self
                .found
                .sharded
                .first()
                .map(|table| table.to_string())
                .unwrap_or_default();
            return Err(PgError::refusal(
                format!("{} and {other} are in different keyspaces", sharded.table),
                "use tables of one keyspace in one statement",
            ));
        }
        self.found.keyspace = Some(sharded.keyspace);
        self.found.sharded.insert(sharded.table);
        let bytes: usize = sets.iter().flatten().map(|set| self.pool.bytes(*set)).sum();
        self.tally.recorded_bytes = self.tally.recorded_bytes.saturating_add(bytes);
        if self.tally.recorded_bytes > RECORDED_BYTES_MAX {
            return Err(too_many(&format!(
                "more than {} MiB of keys",
                RECORDED_BYTES_MAX >> 20
            )));
        }
        let relation = RelationKey {
            relation,
            columns: self.column_keys(sharded, sets),
            stores,
        };
        let next = self.found.relations.len();
        let place = *self.tally.seen.entry(relation.clone()).or_insert(next);
        if place == next {
            self.found.relations.push(relation);
        }
        self.used(sharded).relations.insert(place);
        Ok(())
    }

    fn used(&mut self, sharded: Sharded<'a>) -> &mut Uses {
        let uses = self.found.uses.entry(sharded.table);
        uses.or_insert_with(|| Uses {
            keyspace: sharded.keyspace,
            relations: BTreeSet::new(),
            untied: false,
        })
    }

    pub(super) fn column_keys(&self, sharded: Sharded<'a>, sets: &[Vec<SetId>]) -> Vec<ColumnKey> {
        let columns = sharded.columns.iter().zip(sets);
        let column = |(name, sets): (&String, &Vec<SetId>)| ColumnKey {
            name: name.clone(),
            conditions: sets
                .iter()
                .map(|set| self.pool.values(*set).cloned().collect())
                .collect(),
        };
        columns.map(column).collect()
    }

    /// The rows that INSERT and MERGE store.
    fn store(&mut self, scope: usize, ties: &[Tie]) -> Result<(), PgError> {
        let Some(stored) = self.scopes[scope].stored.clone() else {
            return Ok(());
        };
        if let Some(source) = stored.source {
            self.down_query(source, &[])?;
        }
        let touched = touched(ties);
        for row in &stored.rows {
            let mut sets = Vec::new();
            for (key, column) in row.iter().zip(stored.sharded.columns) {
                match key {
                    StoredKey::In(own) => sets.push(own.clone()),
                    StoredKey::Node(node) => {
                        let known = self.known(*node).to_vec();
                        if known.is_empty() || !touched.contains(node) {
                            return Err(super::write::unknown_key(stored.sharded.table, column));
                        }
                        sets.push(known);
                    }
                }
            }
            if self.tally.trial.is_none() {
                let relation = stored.sharded.table.to_string();
                self.record(stored.sharded, relation, &sets, true)?;
            }
        }
        Ok(())
    }

    fn check_locks(&mut self, scope: usize) -> Result<(), PgError> {
        let scope = &self.scopes[scope];
        for lock in &scope.block.locks {
            let Some(wanted) = lock else {
                self.tally.locks_all = true;
                continue;
            };
            let named = |leaf: &&usize| match &self.leaves[**leaf].exposed {
                Exposed::Named { name, .. } => *name == wanted,
                _ => false,
            };
            let found = scope.frame.leaves.iter().find(named);
            match found.map(|leaf| &self.leaves[*leaf].kind) {
                Some(LeafKind::Reference) => return Err(locked_reference(wanted)),
                Some(LeafKind::Sharded(_)) => {}
                _ => self.tally.locks_all = true,
            }
        }
        Ok(())
    }
}
