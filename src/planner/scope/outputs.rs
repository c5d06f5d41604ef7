//! What is known of the columns a query gives, on each of its rows.
//!
//! A column that is one of a relation's is what it is there, or NULL where an outer join has made the row up;
//! a literal or parameter is itself, where its type is certain. Grouping, DISTINCT, ORDER BY and LIMIT
//! choose rows and change no such value. Of set operations it is known what each arm gives.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use super::pool::SetId;
use super::solve::Classes;
use super::{LeafColumn, Node, OutColumn, Part, Tie, Value, Walker};
use crate::error::PgError;
use crate::planner::operand;
use crate::sql::tree::{Constant, Operand};
use crate::types::KeyType;

#[derive(Clone, Default)]
pub(super) struct Outs<'a> {
    pub(super) columns: Vec<Out<'a>>,
    /// These are all columns, in order.
    pub(super) complete: bool,
}

/// An output column.
#[derive(Clone)]
pub(super) struct Out<'a> {
    pub(super) name: Option<&'a str>,
    /// `None`: nothing else is known either.
    pub(super) key_type: Option<KeyType>,
    /// It is in each of these, or NULL.
    pub(super) sets: Vec<SetId>,
    pub(super) nonnull: bool,
    /// Columns of one class are equal and not NULL.
    pub(super) class: Option<usize>,
    /// Columns of enclosing scopes that it equals; it is not NULL then.
    pub(super) outer: Vec<Node>,
}

impl<'a> Out<'a> {
    fn unknown(name: Option<&'a str>) -> Self {
        Self {
            name,
            key_type: None,
            sets: Vec::new(),
            nonnull: false,
            class: None,
            outer: Vec::new(),
        }
    }
}

/// The same of the columns of the leaf that the query is in the scope around it.
pub(super) fn facts(outs: &Outs<'_>, leaf: usize, columns: &[LeafColumn<'_>]) -> Vec<Tie> {
    let mut facts = Vec::new();
    let mut classes: HashMap<usize, Node> = HashMap::new();
    for (column, (out, of)) in outs.columns.iter().zip(columns).enumerate() {
        if of.key_type.is_none() {
            continue;
        }
        let node = Node { leaf, column };
        facts.extend(out.sets.iter().map(|set| Tie::In {
            node,
            set: *set,
            strict: out.nonnull,
        }));
        facts.extend(out.outer.iter().map(|outer| Tie::equal(node, *outer)));
        if let Some(class) = out.class {
            let first = *classes.entry(class).or_insert(node);
            if first != node {
                facts.push(Tie::equal(first, node));
            }
        }
    }
    facts
}

impl<'a> Walker<'a, '_> {
    pub(super) fn outs(&mut self, query: usize) -> Result<Rc<Outs<'a>>, PgError> {
        if let Some(outs) = &self.queries[query].outs {
            return Ok(outs.clone());
        }
        let parts = self.queries[query].arms.clone();
        let outs = match parts.as_slice() {
            [one] => self.outs_of(*one)?,
            several => {
                let arms = several.iter().map(|part| self.outs_of(*part));
                let arms: Vec<_> = arms.collect::<Result<_, _>>()?;
                Rc::new(self.combined(&arms))
            }
        };
        self.queries[query].outs = Some(outs.clone());
        Ok(outs)
    }

    pub(super) fn outs_of(&mut self, part: Part) -> Result<Rc<Outs<'a>>, PgError> {
        match part {
            Part::Query(query) => self.outs(query),
            Part::Block(scope) => Ok(Rc::new(self.scope_outs(scope)?)),
        }
    }

    fn scope_outs(&mut self, scope: usize) -> Result<Outs<'a>, PgError> {
        let ties = self.solve(scope, &[]);
        let classes = Classes::new(&ties);
        let touched = touched(&ties);
        let own: HashSet<usize> = self.scopes[scope].leaves.iter().copied().collect();
        let mut outer: HashMap<usize, Vec<Node>> = HashMap::new();
        for (node, class) in classes.nodes() {
            if !own.contains(&node.leaf) {
                outer.entry(class).or_default().push(node);
            }
        }
        let columns = self.scopes[scope].outputs.clone();
        let mut outs = Outs {
            columns: Vec::with_capacity(columns.len()),
            complete: self.scopes[scope].complete,
        };
        for column in &columns {
            let [Value::Node(node)] = column.values.as_slice() else {
                outs.columns.push(self.constant(column)?);
                continue;
            };
            let Some(key_type) = self.key_type(*node) else {
                outs.columns.push(Out::unknown(column.name));
                continue;
            };
            // Nothing that WHERE says of it need hold.
            if self.scopes[scope].block.always && !own.contains(&node.leaf) {
                outs.columns.push(Out::unknown(column.name));
                continue;
            }
            let class = classes.of(*node).filter(|_| touched.contains(node));
            let mut equal = class
                .and_then(|class| outer.get(&class))
                .cloned()
                .unwrap_or_default();
            // A column of an enclosing scope as it is: equal to itself, where it is not NULL.
            if !own.contains(&node.leaf) && !equal.contains(node) && touched.contains(node) {
                equal.push(*node);
            }
            outs.columns.push(Out {
                name: column.name,
                key_type: Some(key_type),
                sets: self.known(*node).to_vec(),
                nonnull: touched.contains(node),
                class,
                outer: equal,
            });
        }
        Ok(outs)
    }

    /// A column of literals and parameters, one for each row. Literals of one family are of it together;
    /// those of several may be converted.
    fn constant(&mut self, column: &OutColumn<'a>) -> Result<Out<'a>, PgError> {
        let mut of: Option<KeyType> = None;
        for value in column.values.iter().filter(|value| !is_null(value)) {
            let Some(own) = self.type_of(*value) else {
                return Ok(Out::unknown(column.name));
            };
            if of.is_some_and(|of| of.family() != own.family()) {
                return Ok(Out::unknown(column.name));
            }
            of = of.or(Some(own));
        }
        let Some(of) = of else {
            return Ok(Out::unknown(column.name));
        };
        let mut sources = Vec::new();
        for value in &column.values {
            let Some(source) = self.read(*value, self.type_of(*value).unwrap_or(of))? else {
                return Ok(Out::unknown(column.name));
            };
            sources.push(self.pool.source(source));
        }
        Ok(Out {
            key_type: Some(of),
            sets: vec![self.pool.set(sources)],
            nonnull: !column.values.iter().any(is_null),
            ..Out::unknown(column.name)
        })
    }

    /// The type a value has by itself. A string literal becomes `text`; a parameter would, too, but then
    /// it might have got its type elsewhere.
    fn type_of(&self, value: Value<'a>) -> Option<KeyType> {
        let operand = match value {
            Value::Argument(_, declared) => return Some(declared),
            Value::Operand(operand) => operand,
            Value::Node(_) | Value::Nothing => return None,
        };
        match operand {
            Operand::Constant(Constant::Int(value)) if i32::try_from(*value).is_ok() => {
                Some(KeyType::Integer)
            }
            Operand::Constant(Constant::Int(_)) => Some(KeyType::BigInt),
            Operand::Constant(Constant::Unknown(_)) => Some(KeyType::Text),
            Operand::Constant(Constant::Typed(of, _)) => Some(*of),
            Operand::Slot(slot) => Some(slot.cast.unwrap_or(if slot.string {
                KeyType::Text
            } else {
                KeyType::BigInt
            })),
            Operand::Param { cast: Some(of), .. } => Some(*of),
            Operand::Param { index, .. } => {
                KeyType::from_oid(operand::declared(self.context, *index))
            }
            Operand::Constant(Constant::Null | Constant::Default)
            | Operand::Column(_)
            | Operand::CastColumn(..)
            | Operand::Other => None,
        }
    }

    /// Of set operations: what all arms give. Where the families differ, the values may be converted.
    fn combined(&mut self, arms: &[Rc<Outs<'a>>]) -> Outs<'a> {
        let Some((first, more)) = arms.split_first() else {
            return Outs::default();
        };
        let width = first.columns.len();
        let even = |outs: &Rc<Outs<'a>>| outs.complete && outs.columns.len() == width;
        if !arms.iter().all(even) {
            return Outs::default();
        }
        let family = |of: Option<KeyType>| of.map(KeyType::family);
        let mut columns = Vec::with_capacity(width);
        for (at, column) in first.columns.iter().enumerate() {
            let same =
                |outs: &Rc<Outs<'a>>| family(outs.columns[at].key_type) == family(column.key_type);
            let mut out = Out::unknown(column.name);
            if column.key_type.is_some() && more.iter().all(same) {
                out.key_type = column.key_type;
                out.nonnull = arms.iter().all(|outs| outs.columns[at].nonnull);
                let sets: Option<Vec<SetId>> = arms
                    .iter()
                    .map(|outs| self.pool.smallest(&outs.columns[at].sets))
                    .collect();
                if let Some(sets) = sets {
                    let sources = sets.iter().flat_map(|set| self.pool.sources(*set).to_vec());
                    let sources = sources.collect();
                    out.sets = vec![self.pool.set(sources)];
                }
            }
            columns.push(out);
        }
        Outs {
            columns,
            complete: true,
        }
    }
}

/// The nodes that are not NULL where these ties hold.
pub(super) fn touched(ties: &[Tie]) -> HashSet<Node> {
    let mut nodes = HashSet::new();
    for tie in ties {
        match tie {
            Tie::In {
                node, strict: true, ..
            } => {
                nodes.insert(*node);
            }
            Tie::In { .. } => {}
            Tie::Equal(one, other) => nodes.extend([*one, *other]),
        }
    }
    nodes
}

fn is_null(value: &Value<'_>) -> bool {
    matches!(
        value,
        Value::Operand(Operand::Constant(Constant::Null))
            | Value::Argument(Operand::Constant(Constant::Null), _)
    )
}
