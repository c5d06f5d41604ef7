//! Queries and blocks: from the innermost outwards, so that a scope knows the columns of what it reads.

use std::rc::Rc;

use super::outputs::Out;
use super::place::Place;
use super::{
    Exposed, Frame, Inquiry, Leaf, LeafKind, Member, MemberState, OutColumn, Part, Scope, Tree,
    Value, Walker, too_many,
};
use crate::error::PgError;
use crate::sql::tree::{Arm, Block, Fact, JoinKind, Output, Query, Verb};
use crate::types::KeyType;

/// What building one more level of a nested statement may take of the stack.
const STACK_PER_QUERY: usize = 256 << 10;
const STACK_GROWTH: usize = 2 << 20;
/// PostgreSQL's limit on the columns of a query.
const COLUMNS_MAX: usize = 1664;

impl<'a> Walker<'a, '_> {
    /// `wanted`: the scope around it asks what is known of its columns.
    pub(super) fn build_query(&mut self, query: &'a Query, wanted: bool) -> Result<usize, PgError> {
        stacker::maybe_grow(STACK_PER_QUERY, STACK_GROWTH, || {
            self.build_arms(query, wanted, None)
        })
    }

    /// `member`: the query is that of this member of WITH RECURSIVE.
    fn build_arms(
        &mut self,
        query: &'a Query,
        wanted: bool,
        member: Option<usize>,
    ) -> Result<usize, PgError> {
        let known = self.sight.ctes.len();
        let members = self.members_of(query)?;
        self.queries.push(Inquiry {
            members,
            arms: Vec::new(),
            tail: Vec::new(),
            limited: query.limited,
            place: Place::default(),
            outs: None,
        });
        let this = self.queries.len() - 1;
        let (last, first) = query
            .arms
            .split_last()
            .map_or((None, &[][..]), |(l, f)| (Some(l), f));
        for arm in first {
            let part = self.build_arm(arm, wanted)?;
            self.queries[this].arms.push(part);
        }
        if let Some(last) = last {
            let part = match member {
                Some(member) if !first.is_empty() => self.build_again(last, this, member)?,
                _ => self.build_arm(last, wanted)?,
            };
            self.queries[this].arms.push(part);
        }
        for query in &query.tail {
            let built = self.build_query(query, false)?;
            self.queries[this].tail.push(built);
        }
        self.sight.ctes.truncate(known);
        Ok(this)
    }

    fn build_arm(&mut self, arm: &'a Arm, wanted: bool) -> Result<Part, PgError> {
        Ok(match arm {
            Arm::Nested(query) => Part::Query(self.build_query(query, wanted)?),
            Arm::Block(block) => Part::Block(self.build_block(block, wanted)?),
        })
    }

    /// Makes the members of a WITH list known.
    fn members_of(&mut self, query: &'a Query) -> Result<Vec<usize>, PgError> {
        let (before, frames) = (self.sight.ctes.len(), self.sight.frames.len());
        let mut members = Vec::new();
        for (at, cte) in query.ctes.iter().enumerate() {
            let in_sight = if query.recursive {
                query.ctes.len()
            } else {
                at
            };
            self.members.push(Member {
                cte,
                recursive: query.recursive,
                writes: writes(&cte.query),
                ctes: before + in_sight,
                frames,
                state: MemberState::Pending,
                settled: None,
                recursed: false,
            });
            let member = self.members.len() - 1;
            members.push(member);
            if !query.recursive {
                self.build_member(member)?;
            }
            self.sight.ctes.push(member);
        }
        for &member in &members {
            self.build_member(member)?;
        }
        Ok(members)
    }

    /// Builds a member as it stands in its list, unless that is done or under way.
    pub(super) fn build_member(&mut self, member: usize) -> Result<(), PgError> {
        if !matches!(self.members[member].state, MemberState::Pending) {
            return Ok(());
        }
        self.members[member].state = MemberState::Building(None);
        let recursive = self.members[member].recursive;
        let query = &self.members[member].cte.query;
        let built = self.as_defined(member, |walker| {
            stacker::maybe_grow(STACK_PER_QUERY, STACK_GROWTH, || {
                walker.build_arms(query, true, recursive.then_some(member))
            })
        })?;
        self.queries[built].place = Place::Member(&self.members[member].cte.name);
        self.members[member].state = MemberState::Built(built);
        Ok(())
    }

    /// What was in sight where the member is defined encloses what is in sight at each reference.
    pub(super) fn as_defined<T>(
        &mut self,
        member: usize,
        work: impl FnOnce(&mut Self) -> Result<T, PgError>,
    ) -> Result<T, PgError> {
        let (ctes, frames) = (self.members[member].ctes, self.members[member].frames);
        let later_ctes = self.sight.ctes.split_off(ctes.min(self.sight.ctes.len()));
        let later_frames = self.sight.frames.split_off(frames);
        let done = work(self);
        self.sight.ctes.truncate(ctes);
        self.sight.ctes.extend(later_ctes);
        self.sight.frames.extend(later_frames);
        done
    }

    /// The recursive arm of a member, which reads what the arms before it and itself give. What is known of
    /// the others' columns is taken for granted in it, and dropped for the columns that it does not then give
    /// the same of: by induction over the steps of the recursion it holds for the rest.
    fn build_again(&mut self, arm: &'a Arm, this: usize, member: usize) -> Result<Part, PgError> {
        let mut assumed = (*self.outs(this)?).clone();
        for column in &mut assumed.columns {
            (column.class, column.outer) = (None, Vec::new());
            if !assumed.complete {
                (column.sets, column.nonnull) = (Vec::new(), false);
            }
        }
        let before = self.members[member].recursed;
        loop {
            let taken = Rc::new(assumed.clone());
            self.members[member].state = MemberState::Building(Some(taken));
            self.members[member].recursed = false;
            let part = self.build_arm(arm, true)?;
            // What the whole query gives is asked for again once this arm is in it.
            self.queries[this].outs = None;
            if !self.members[member].recursed {
                self.members[member].recursed = before;
                return Ok(part);
            }
            let given = self.outs_of(part)?;
            let mut dropped = false;
            for (at, column) in assumed.columns.iter_mut().enumerate() {
                let same = given
                    .columns
                    .get(at)
                    .is_some_and(|out| given.complete && self.gives(out, column));
                if !same && (column.nonnull || !column.sets.is_empty()) {
                    (column.sets, column.nonnull) = (Vec::new(), false);
                    dropped = true;
                }
            }
            if !dropped {
                return Ok(part);
            }
        }
    }

    /// All that is assumed of a column is given.
    fn gives(&self, given: &Out<'a>, assumed: &Out<'a>) -> bool {
        let family = |out: &Out<'a>| out.key_type.map(KeyType::family);
        let each = assumed.sets.iter().all(|assumed| {
            let mut given = given.sets.iter();
            given.any(|given| self.pool.within(*given, *assumed))
        });
        each && (given.nonnull || !assumed.nonnull) && family(given) == family(assumed)
    }

    pub(super) fn build_block(&mut self, block: &'a Block, wanted: bool) -> Result<usize, PgError> {
        let mut scope = Scope {
            block,
            frame: Frame::default(),
            trees: Vec::new(),
            leaves: Vec::new(),
            ties: Vec::new(),
            target: None,
            inner: Vec::new(),
            outputs: Vec::new(),
            complete: false,
            kept: Vec::new(),
            stored: None,
        };
        if let Verb::Insert(insert) = &block.verb {
            self.build_insert(insert, &mut scope)?;
        }
        for item in &block.from {
            let tree = self.from(item, &mut scope)?;
            scope.frame.visible.push(tree);
        }
        if let Verb::Merge(merge) = &block.verb
            && merge.inserts.is_empty()
            && let [tree] = scope.frame.visible.as_slice()
            && let Tree::Join(join) = &mut self.trees[*tree]
        {
            // Rows of the source without a match come to nothing.
            join.kind = JoinKind::Inner;
        }
        let compared = compared(&block.facts);
        let frame = scope.frame.clone();
        let subqueries = self.framed(frame, |walker| {
            let build = |(at, query)| walker.build_query(query, compared.contains(&at));
            block
                .subqueries
                .iter()
                .enumerate()
                .map(build)
                .collect::<Result<Vec<_>, _>>()
        })?;
        self.calls(block, &mut scope)?;
        scope.trees = scope.frame.visible.clone();
        scope.leaves.extend(&scope.frame.leaves);
        let here = std::mem::take(&mut scope.frame);
        let mut facts = super::facts::Facts::new(&here, &subqueries);
        scope.ties = self.ties(&block.facts, &mut facts)?;
        for leaf in &facts.compared {
            self.trees.push(Tree::Leaf(*leaf));
            scope.trees.push(self.trees.len() - 1);
            scope.leaves.push(*leaf);
        }
        scope.inner.extend(facts.left());
        // What MERGE returns may be of a row that it has just made.
        if wanted && !matches!(block.verb, Verb::Merge(_)) {
            scope.complete = self.outputs_of(block, &here, &mut scope.outputs);
        }
        self.keep(block, &here, &mut scope);
        if let Verb::Merge(merge) = &block.verb {
            scope.stored = self.merged_rows(merge, scope.target, &here)?;
        }
        if let Verb::Update(sets) = &block.verb {
            self.infer_sets(sets, scope.target, &here);
        }
        scope.frame = here;
        if !matches!(block.verb, Verb::Merge(_)) {
            self.prune(&mut scope)?;
        }
        self.scopes.push(scope);
        Ok(self.scopes.len() - 1)
    }

    /// Bodies of the functions that the scope's expressions call.
    fn calls(&mut self, block: &'a Block, scope: &mut Scope<'a>) -> Result<(), PgError> {
        let enclosed = !self.sight.frames.is_empty() || self.sight.arguments.is_some();
        let mut trees = scope.frame.visible.iter();
        let ambiguous = enclosed && trees.any(|tree| matches!(self.trees[*tree], Tree::Join(_)));
        for call in &block.calls {
            // It may stand in an ON, which sees less than the whole scope: enclosing scopes instead, or the
            // arguments of the function whose body this is.
            if let Some(query) = self.expand(call, &scope.frame, ambiguous)? {
                scope.inner.push(query);
            }
        }
        Ok(())
    }

    /// The columns that come out; false where they are not all.
    fn outputs_of(&mut self, block: &'a Block, here: &Frame, out: &mut Vec<OutColumn<'a>>) -> bool {
        let mut complete = true;
        for output in &block.outputs {
            match output {
                Output::All(None) => {
                    for tree in &here.visible {
                        complete &= self.star(*tree, out);
                    }
                }
                Output::All(Some(relation)) => match self.qualifier(relation, here) {
                    Some(leaf) => complete &= self.star_of(leaf, out),
                    None => complete = false,
                },
                Output::Column { name, values } => {
                    let values = values
                        .iter()
                        .map(|value| self.resolve(value, here))
                        .collect();
                    out.push(OutColumn {
                        name: name.as_deref(),
                        values,
                    });
                }
            }
            if out.len() > COLUMNS_MAX {
                out.clear();
                return false;
            }
        }
        let values: usize = out.iter().map(|column| column.values.len()).sum();
        self.tally.outputs = self.tally.outputs.saturating_add(out.len());
        if self.tally.outputs > super::OUTPUTS_MAX && values <= out.len() {
            out.clear();
            return false;
        }
        if let Verb::Update(sets) = &block.verb {
            // RETURNING gives the new values.
            let changed = |column: &OutColumn<'a>| match column.values.as_slice() {
                [Value::Node(node)] => {
                    let name = self.leaves[node.leaf].columns[node.column].name;
                    sets.iter().any(|set| Some(set.column.as_str()) == name)
                }
                _ => false,
            };
            let changed: Vec<_> = out.iter().map(changed).collect();
            for (column, changed) in out.iter_mut().zip(changed) {
                if changed {
                    column.values = vec![Value::Nothing];
                }
            }
        }
        complete
    }

    /// What a filter must be about to commute with DISTINCT ON and with window functions.
    fn keep(&mut self, block: &'a Block, here: &Frame, scope: &mut Scope<'a>) {
        let lists = block.distinct_on.iter().chain(&block.windows);
        for list in lists {
            let nodes = list
                .iter()
                .filter_map(|operand| match self.resolve(operand, here) {
                    Value::Node(node) => Some(node),
                    _ => None,
                });
            scope.kept.push(nodes.collect());
        }
    }

    /// A relation written as a query: its columns are the query's.
    pub(super) fn query_leaf(
        &mut self,
        exposed: Exposed<'a>,
        query: usize,
        open: bool,
    ) -> Result<Leaf<'a>, PgError> {
        let outs = self.outs(query)?;
        Ok(Leaf {
            exposed,
            kind: LeafKind::Query {
                query,
                member: None,
                open,
            },
            columns: super::from::columns(&outs),
            complete: outs.complete,
            key: Vec::new(),
            facts: Vec::new(),
            extended: false,
        })
    }

    /// Enters a leaf whose columns are those of a query, with what is known of them.
    pub(super) fn push_query_leaf(
        &mut self,
        leaf: Leaf<'a>,
        outs: &super::Outs<'a>,
    ) -> Result<usize, PgError> {
        let at = self.push_leaf(leaf)?;
        self.leaves[at].facts = super::outputs::facts(outs, at, &self.leaves[at].columns);
        Ok(at)
    }

    /// Ties that cannot matter to any key are left out; of those that hardly can, a limited number is kept.
    /// Fewer ties only prove less.
    fn prune(&mut self, scope: &mut Scope<'a>) -> Result<(), PgError> {
        let mut joins = Vec::new();
        let mut pending = scope.trees.clone();
        while let Some(tree) = pending.pop() {
            if let Tree::Join(join) = &self.trees[tree] {
                pending.extend([join.right, join.left]);
                joins.push(tree);
            }
        }
        let mut all = scope.ties.clone();
        for join in &joins {
            if let Tree::Join(join) = &self.trees[*join] {
                all.extend(join.on.iter());
            }
        }
        if all.is_empty() {
            return Ok(());
        }
        all.extend(
            scope
                .leaves
                .iter()
                .flat_map(|leaf| &self.leaves[*leaf].facts),
        );
        let classes = super::solve::Classes::new(&all);
        let weights = self.weights(scope, &classes);
        let mut kept = [0usize; 2];
        let mut keep = |tie: &super::Tie| {
            let node = match tie {
                super::Tie::In { node, .. } | super::Tie::Equal(node, _) => node,
            };
            match classes
                .of(*node)
                .map_or(Weight::None, |class| weights[class])
            {
                Weight::None => false,
                Weight::Some => {
                    kept[0] += 1;
                    kept[0] <= super::TIES_MAX
                }
                Weight::Key => {
                    kept[1] += 1;
                    true
                }
            }
        };
        scope.ties.retain(&mut keep);
        for join in joins {
            if let Tree::Join(join) = &mut self.trees[join] {
                join.on = join.on.iter().filter(|tie| keep(tie)).copied().collect();
            }
        }
        if kept[1] > super::TIES_MAX {
            return Err(too_many(&format!(
                "more than {} conditions on their keys",
                super::TIES_MAX
            )));
        }
        Ok(())
    }

    /// How much each class of equal nodes matters.
    fn weights(&self, scope: &Scope<'a>, classes: &super::solve::Classes) -> Vec<Weight> {
        let mut weights = vec![Weight::None; classes.len()];
        let mut outputs = std::collections::HashSet::new();
        for value in scope.outputs.iter().flat_map(|column| &column.values) {
            if let Value::Node(node) = value {
                outputs.insert(*node);
            }
        }
        let own: std::collections::HashSet<_> = scope.leaves.iter().copied().collect();
        for (node, class) in classes.nodes() {
            let leaf = &self.leaves[node.leaf];
            let weight = match leaf.kind {
                LeafKind::Sharded(_) if leaf.key.contains(&node.column) => Weight::Key,
                LeafKind::Query { .. } => Weight::Some,
                _ if !own.contains(&node.leaf)
                    || outputs.contains(&node)
                    || self.tally.referenced.contains(&node) =>
                {
                    Weight::Some
                }
                _ => Weight::None,
            };
            weights[class] = weights[class].max(weight);
        }
        weights
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    None,
    Some,
    Key,
}

/// The subqueries that conditions compare with, by their places.
pub(super) fn compared(facts: &[Fact]) -> std::collections::HashSet<usize> {
    facts
        .iter()
        .filter_map(|fact| match fact {
            Fact::InQuery { subquery, .. } => Some(*subquery),
            _ => None,
        })
        .collect()
}

fn writes(query: &Query) -> bool {
    let arm = |arm: &Arm| match arm {
        Arm::Nested(query) => writes(query),
        Arm::Block(block) => !matches!(block.verb, Verb::Select | Verb::Values),
    };
    query.arms.iter().any(arm) || query.ctes.iter().any(|cte| writes(&cte.query))
}
