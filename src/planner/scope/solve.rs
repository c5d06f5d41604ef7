//! Which ties hold for which relation of a scope.
//!
//! A tie in WHERE holds on every row that matters. It is strict: a row whose column is NULL because an outer
//! join found no partner is dropped, so that it makes the join an inner one. A tie in the ON of an inner join
//! holds likewise; in the ON of an outer join it holds for the side that may find no partner, never for
//! the preserved side. What holds of each row of a relation by itself holds beyond it where no outer join
//! may make its rows up.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Range;
use std::rc::Rc;

use super::outputs::touched;
use super::pool::SetId;
use super::{Joined, Node, Tie, Tree, Walker};
use crate::sql::tree::JoinKind;

/// What is known of a node.
pub(super) struct Known {
    sets: Rc<[SetId]>,
    /// It is not NULL either.
    firm: bool,
}

/// Ties that hold together, each once.
#[derive(Clone, Default)]
pub(super) struct Ties {
    list: Vec<Tie>,
    seen: HashSet<Tie>,
    /// Leaves of which a row of NULLs is dropped.
    strict: BTreeSet<usize>,
}

impl Ties {
    fn add(&mut self, ties: &[Tie]) {
        for tie in ties {
            if !self.seen.insert(*tie) {
                continue;
            }
            self.list.push(*tie);
            match tie {
                Tie::In {
                    node, strict: true, ..
                } => {
                    self.strict.insert(node.leaf);
                }
                Tie::In { .. } => {}
                Tie::Equal(one, other) => self.strict.extend([one.leaf, other.leaf]),
            }
        }
    }

    fn is_strict(&self, leaves: Range<usize>) -> bool {
        self.strict.range(leaves).next().is_some()
    }
}

/// Nodes that are equal to one another.
#[derive(Default)]
pub(super) struct Classes {
    of: HashMap<Node, usize>,
    /// Nodes in the order of the ties.
    order: Vec<Node>,
    sets: Vec<Vec<SetId>>,
}

impl Classes {
    pub(super) fn new(ties: &[Tie]) -> Self {
        let mut places: HashMap<Node, usize> = HashMap::new();
        let mut order = Vec::new();
        let mut parents: Vec<usize> = Vec::new();
        let mut place = |node: Node, parents: &mut Vec<usize>| {
            *places.entry(node).or_insert_with(|| {
                order.push(node);
                parents.push(parents.len());
                parents.len() - 1
            })
        };
        for tie in ties {
            match tie {
                Tie::In { node, .. } => {
                    place(*node, &mut parents);
                }
                Tie::Equal(one, other) => {
                    let (one, other) = (place(*one, &mut parents), place(*other, &mut parents));
                    let (one, other) = (root(&mut parents, one), root(&mut parents, other));
                    let (low, high) = (one.min(other), one.max(other));
                    parents[high] = low;
                }
            }
        }
        let mut classes = Self::default();
        let mut numbers: HashMap<usize, usize> = HashMap::new();
        for (at, node) in order.iter().enumerate() {
            let root = root(&mut parents, at);
            let next = numbers.len();
            let class = *numbers.entry(root).or_insert(next);
            classes.of.insert(*node, class);
        }
        classes.order = order;
        classes.sets = vec![Vec::new(); numbers.len()];
        for tie in ties {
            if let Tie::In { node, set, .. } = tie
                && let Some(class) = classes.of(*node)
            {
                classes.sets[class].push(*set);
            }
        }
        for sets in &mut classes.sets {
            let mut seen = HashSet::new();
            sets.retain(|set| seen.insert(*set));
        }
        classes
    }

    pub(super) fn len(&self) -> usize {
        self.sets.len()
    }

    pub(super) fn of(&self, node: Node) -> Option<usize> {
        self.of.get(&node).copied()
    }

    /// What all nodes of a class are known to be in.
    pub(super) fn sets(&self, class: usize) -> &[SetId] {
        &self.sets[class]
    }

    /// Each node with its class.
    pub(super) fn nodes(&self) -> impl Iterator<Item = (Node, usize)> {
        self.order.iter().map(|node| (*node, self.of[node]))
    }
}

fn root(parents: &mut [usize], mut at: usize) -> usize {
    while parents[at] != at {
        parents[at] = parents[parents[at]];
        at = parents[at];
    }
    at
}

impl<'a> Walker<'a, '_> {
    /// Finds what is known of each leaf of a scope, given what else holds on its rows. Gives the ties that hold
    /// on all rows that come out.
    pub(super) fn solve(&mut self, scope: usize, more: &[Tie]) -> Vec<Tie> {
        let mut ties = Ties::default();
        ties.add(&self.scopes[scope].ties);
        ties.add(more);
        let trees = self.scopes[scope].trees.clone();
        // Each inner join's ON may make further joins inner ones.
        loop {
            let before = ties.list.len();
            trees.iter().for_each(|tree| self.hoist(*tree, &mut ties));
            if ties.list.len() == before {
                break;
            }
        }
        for tree in trees {
            self.spread(tree, &ties, false);
        }
        ties.list
    }

    /// `ties` hold on every row of the tree that matters. `extended`: rows of NULLs may stand for it.
    fn spread(&mut self, tree: usize, ties: &Ties, extended: bool) {
        let join = match &self.trees[tree] {
            Tree::Leaf(leaf) => {
                let leaf = *leaf;
                self.leaves[leaf].extended = extended;
                return self.know(leaf, ties);
            }
            Tree::Join(join) => join,
        };
        let (left, right, kind, on) = (
            join.left,
            join.right,
            effective(join, ties),
            join.on.clone(),
        );
        let side = |walker: &Self, side: usize, with_on: bool| {
            let mut ties = ties.clone();
            if with_on {
                ties.add(&on);
            }
            walker.settle(side, &mut ties);
            ties
        };
        let (left_on, right_on) = match kind {
            JoinKind::Inner => (true, true),
            JoinKind::Left => (false, true),
            JoinKind::Right => (true, false),
            JoinKind::Full => (false, false),
        };
        // The preserved side first: the other may be tied to what is known of it.
        let mut sides = [
            (
                left,
                left_on,
                extended || matches!(kind, JoinKind::Right | JoinKind::Full),
            ),
            (
                right,
                right_on,
                extended || matches!(kind, JoinKind::Left | JoinKind::Full),
            ),
        ];
        if kind == JoinKind::Right {
            sides.reverse();
        }
        for (tree, with_on, extended) in sides {
            let ties = side(self, tree, with_on);
            self.spread(tree, &ties, extended);
        }
    }

    /// Adds what the inner joins of this tree say, until nothing new comes.
    fn settle(&self, tree: usize, ties: &mut Ties) {
        loop {
            let before = ties.list.len();
            self.hoist(tree, ties);
            if ties.list.len() == before {
                return;
            }
        }
    }

    /// Conditions of inner joins hold on every row, as do those of the preserved side's own joins.
    fn hoist(&self, tree: usize, ties: &mut Ties) {
        let join = match &self.trees[tree] {
            Tree::Leaf(leaf) => return ties.add(&self.leaves[*leaf].facts),
            Tree::Join(join) => join,
        };
        let kind = effective(join, ties);
        if kind == JoinKind::Inner {
            ties.add(&join.on);
        }
        if matches!(kind, JoinKind::Inner | JoinKind::Left) {
            self.hoist(join.left, ties);
        }
        if matches!(kind, JoinKind::Inner | JoinKind::Right) {
            self.hoist(join.right, ties);
        }
    }

    /// Remembers what is known of the columns of a leaf: directly, through other columns, and through what
    /// is known of those by themselves, for they are equal only where their rows are none of NULLs.
    fn know(&mut self, leaf: usize, ties: &Ties) {
        let classes = Classes::new(&ties.list);
        let mut sets: HashMap<usize, Vec<SetId>> = HashMap::new();
        let own = classes.nodes().filter(|(node, _)| node.leaf == leaf);
        for (_, class) in own {
            sets.entry(class)
                .or_insert_with(|| classes.sets(class).to_vec());
        }
        if sets.is_empty() {
            return;
        }
        for (node, class) in classes.nodes() {
            if node.leaf != leaf
                && let Some(sets) = sets.get_mut(&class)
                && let Some(more) = self.known.get(&node)
            {
                sets.extend(more.sets.iter());
            }
        }
        let sets: HashMap<usize, Rc<[SetId]>> = sets
            .into_iter()
            .map(|(class, mut sets)| {
                let mut seen = HashSet::new();
                sets.retain(|set| seen.insert(*set));
                (class, sets.into())
            })
            .collect();
        let firm = touched(&ties.list);
        for (node, class) in classes.nodes().filter(|(node, _)| node.leaf == leaf) {
            if let Some(sets) = sets.get(&class) {
                let sets = sets.clone();
                let firm = firm.contains(&node);
                self.known.insert(node, Known { sets, firm });
            }
        }
    }

    /// The conditions that hold for a node, where it is not NULL.
    pub(super) fn known(&self, node: Node) -> Rc<[SetId]> {
        let known = self.known.get(&node);
        known.map(|known| known.sets.clone()).unwrap_or_default()
    }

    /// Those that hold because rows of other values, and of NULL, do not matter.
    pub(super) fn demanded(&self, node: Node) -> Rc<[SetId]> {
        let known = self.known.get(&node).filter(|known| known.firm);
        known.map(|known| known.sets.clone()).unwrap_or_default()
    }
}

/// A tie that mentions the side that may be NULL drops the rows where it is.
fn effective(join: &Joined<'_>, ties: &Ties) -> JoinKind {
    // What follows the left side's leaves are the right side's.
    let middle = join.middle;
    let left = || ties.is_strict(join.leaves.start..middle);
    let right = || ties.is_strict(middle..join.leaves.end);
    // Facts about the left side drop rows without a left partner, and the other way round.
    match join.kind {
        JoinKind::Inner => JoinKind::Inner,
        JoinKind::Left if right() => JoinKind::Inner,
        JoinKind::Right if left() => JoinKind::Inner,
        JoinKind::Full => match (left(), right()) {
            (true, true) => JoinKind::Inner,
            (true, false) => JoinKind::Left,
            (false, true) => JoinKind::Right,
            (false, false) => JoinKind::Full,
        },
        kind => kind,
    }
}
