//! Conditions become ties.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::pool::Source;
use super::solve::Classes;
use super::{Exposed, Frame, Node, Tie, Value, Walker};
use crate::error::PgError;
use crate::plan::KeySource;
use crate::planner::operand;
use crate::sql::tree::{Fact, Operand};
use crate::types::KeyType;

/// Where conditions stand, and what becomes of the subqueries beside them.
pub(super) struct Facts<'f> {
    here: &'f Frame,
    subqueries: &'f [usize],
    /// Leaves for the subqueries that were compared with.
    pub(super) compared: Vec<usize>,
    /// Those subqueries, by their places.
    places: BTreeMap<usize, usize>,
    /// Within OR, where a subquery need not be compared at all.
    alternative: bool,
}

impl<'f> Facts<'f> {
    pub(super) fn new(here: &'f Frame, subqueries: &'f [usize]) -> Self {
        Self {
            here,
            subqueries,
            compared: Vec::new(),
            places: BTreeMap::new(),
            alternative: false,
        }
    }

    /// The subqueries that were not compared with.
    pub(super) fn left(&self) -> impl Iterator<Item = usize> {
        let all = self.subqueries.iter().enumerate();
        all.filter(|(place, _)| !self.places.contains_key(place))
            .map(|(_, query)| *query)
    }
}

impl<'a> Walker<'a, '_> {
    pub(super) fn ties(
        &mut self,
        facts: &'a [Fact],
        at: &mut Facts<'_>,
    ) -> Result<Vec<Tie>, PgError> {
        let mut ties = Vec::new();
        for fact in facts {
            self.tie(fact, at, &mut ties)?;
        }
        Ok(ties)
    }

    fn tie(
        &mut self,
        fact: &'a Fact,
        at: &mut Facts<'_>,
        ties: &mut Vec<Tie>,
    ) -> Result<(), PgError> {
        match fact {
            Fact::Equal { left, right } => {
                let values = (self.resolve(left, at.here), self.resolve(right, at.here));
                match values {
                    (Value::Node(left), Value::Node(right)) if self.comparable(left, right) => {
                        ties.push(Tie::equal(left, right));
                    }
                    (Value::Node(left), Value::Node(right)) => {
                        self.tally.unread.extend([left, right]);
                    }
                    (Value::Node(node), other) | (other, Value::Node(node)) => {
                        if let Some(source) = self.source_for(other, node)? {
                            let set = self.pool.one(source);
                            ties.push(strict(node, set));
                        } else {
                            self.tally.unread.insert(node);
                        }
                    }
                    _ => {}
                }
            }
            Fact::OneOf { operand, values } => {
                if let Value::Node(node) = self.resolve(operand, at.here) {
                    match self.one_of(node, values, at.here)? {
                        Some(tie) => ties.push(tie),
                        None => _ = self.tally.unread.insert(node),
                    }
                }
            }
            Fact::Element { operand, array } => {
                if let Value::Node(node) = self.resolve(operand, at.here)
                    && let Value::Operand(array) = self.resolve(array, at.here)
                    && let Some(of) = self.key_type(node)
                {
                    self.infer(array, of, true);
                    if let Some(sources) = operand::elements(array, of, self.context) {
                        let sources = sources.into_iter();
                        let sources = sources.map(|source| self.pool.source(source)).collect();
                        let set = self.pool.set(sources);
                        ties.push(strict(node, set));
                    } else {
                        self.tally.unread.insert(node);
                    }
                }
            }
            Fact::InQuery {
                operands,
                subquery,
                single,
            } => {
                if !at.alternative {
                    self.in_query(operands, *subquery, *single, at, ties)?;
                }
            }
            Fact::Either(arms) => self.either(arms, at, ties)?,
        }
        Ok(())
    }

    /// A list says something only where every one of its values does; and only then it is known which type
    /// PostgreSQL takes for those without one.
    /// Source: <https://www.postgresql.org/docs/current/typeconv-union-case.html>
    fn one_of(
        &mut self,
        node: Node,
        values: &'a [Operand],
        here: &Frame,
    ) -> Result<Option<Tie>, PgError> {
        let Some(of) = self.key_type(node) else {
            return Ok(None);
        };
        let mut sources = Vec::new();
        for value in values {
            let value = self.resolve(value, here);
            let Some(source) = self.read(value, of)? else {
                return Ok(None);
            };
            sources.push(self.pool.source(source));
        }
        for value in values {
            if let Value::Operand(operand) = self.resolve(value, here) {
                self.infer(operand, of, false);
            }
        }
        let set = self.pool.set(sources);
        Ok(Some(strict(node, set)))
    }

    /// The subquery stands beside the relations as one more, whose columns equal the operands.
    fn in_query(
        &mut self,
        operands: &'a [Operand],
        place: usize,
        single: bool,
        at: &mut Facts<'_>,
        ties: &mut Vec<Tie>,
    ) -> Result<(), PgError> {
        let Some(&query) = at.subqueries.get(place) else {
            return Ok(());
        };
        let leaf = match at.places.get(&place) {
            Some(leaf) => *leaf,
            None => {
                // Of a query that may give one row only, all rows matter: a second one is an error.
                let outs = self.outs(query)?;
                let leaf = self.query_leaf(Exposed::Hidden, query, !single)?;
                let leaf = self.push_query_leaf(leaf, &outs)?;
                at.places.insert(place, leaf);
                at.compared.push(leaf);
                leaf
            }
        };
        if !self.leaves[leaf].complete || self.leaves[leaf].columns.len() != operands.len() {
            return Ok(());
        }
        for (column, operand) in operands.iter().enumerate() {
            let output = Node { leaf, column };
            match self.resolve(operand, at.here) {
                Value::Node(node) => {
                    if self.comparable(node, output) {
                        ties.push(Tie::equal(node, output));
                    }
                }
                value => {
                    if let Some(source) = self.source_for(value, output)? {
                        let set = self.pool.one(source);
                        ties.push(strict(output, set));
                    }
                }
            }
        }
        Ok(())
    }

    /// What each arm says of a node, together. An arm in which a node equals another has that one's values.
    fn either(
        &mut self,
        arms: &'a [Vec<Fact>],
        at: &mut Facts<'_>,
        ties: &mut Vec<Tie>,
    ) -> Result<(), PgError> {
        let outer = std::mem::replace(&mut at.alternative, true);
        let mut values: Option<BTreeMap<Node, Vec<Source>>> = None;
        let mut equal: Option<HashSet<Tie>> = None;
        for arm in arms {
            let said = self.ties(arm, at)?;
            let classes = Classes::new(&said);
            let mut of_arm: BTreeMap<Node, Vec<Source>> = BTreeMap::new();
            for (node, class) in classes.nodes() {
                if let Some(set) = self.pool.smallest(classes.sets(class)) {
                    of_arm.insert(node, self.pool.sources(set).to_vec());
                }
            }
            values = Some(match values {
                None => of_arm,
                Some(mut before) => {
                    before.retain(|node, sources| match of_arm.get(node) {
                        Some(more) => {
                            sources.extend(more);
                            true
                        }
                        None => false,
                    });
                    before
                }
            });
            let of_arm = said.into_iter().filter(|tie| matches!(tie, Tie::Equal(..)));
            let of_arm: HashSet<Tie> = of_arm.collect();
            equal = Some(match equal {
                None => of_arm,
                Some(before) => before.intersection(&of_arm).copied().collect(),
            });
        }
        at.alternative = outer;
        for (node, sources) in values.unwrap_or_default() {
            let set = self.pool.set(sources);
            ties.push(strict(node, set));
        }
        let equal: BTreeSet<(Node, Node)> = equal
            .unwrap_or_default()
            .into_iter()
            .filter_map(|tie| match tie {
                Tie::Equal(one, other) => Some((one, other)),
                Tie::In { .. } => None,
            })
            .collect();
        ties.extend(equal.into_iter().map(|(one, other)| Tie::Equal(one, other)));
        Ok(())
    }

    /// A value compared with a node.
    pub(super) fn source_for(
        &mut self,
        value: Value<'a>,
        node: Node,
    ) -> Result<Option<KeySource>, PgError> {
        let Some(of) = self.key_type(node) else {
            return Ok(None);
        };
        if let Value::Operand(operand) = value {
            self.infer(operand, of, false);
        }
        self.read(value, of)
    }

    /// A value as one of a type; `None` where it says nothing certain.
    pub(super) fn read(&self, value: Value<'a>, of: KeyType) -> Result<Option<KeySource>, PgError> {
        match value {
            Value::Operand(operand) => operand::source(operand, of, self.context),
            Value::Argument(operand, declared) if declared.family() == of.family() => {
                operand::source(operand, declared, self.context)
            }
            Value::Argument(..) | Value::Node(_) | Value::Nothing => Ok(None),
        }
    }

    /// Remembers that PostgreSQL will infer this type for a parameter without one, or an array of it.
    pub(super) fn infer(&mut self, operand: &'a Operand, of: KeyType, array: bool) {
        self.found.inferred.note(operand, of, array);
    }
}

fn strict(node: Node, set: super::SetId) -> Tie {
    Tie::In {
        node,
        set,
        strict: true,
    }
}
