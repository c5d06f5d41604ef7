//! The state while a statement is made: random numbers, what is in sight, what was used, what may still be spent.

use std::collections::BTreeSet;

use integration_tests::Random;
use integration_tests::pair::Form;

use crate::node::{Node, tree};
use crate::query::Place;
use crate::schema::{Column, Table, Type, tables};

/// A statement that was made up.
pub struct Made {
    pub tree: Node,
    pub form: Form,
    pub features: BTreeSet<&'static str>,
    /// Whether it was meant to fail.
    pub failing: bool,
}

/// An expression, and what is known of its values.
#[derive(Clone, Debug)]
pub struct Expr {
    pub node: Node,
    pub ty: Type,
    /// As [`Column::bound`].
    pub bound: f64,
    /// As [`Column::exact`].
    pub exact: bool,
    /// A column and nothing else.
    pub plain: bool,
}

impl Expr {
    pub fn new(node: Node, ty: Type) -> Self {
        Self {
            node,
            ty,
            bound: f64::INFINITY,
            exact: !matches!(
                ty,
                Type::Numeric | Type::Real | Type::Float | Type::Interval | Type::Json
            ),
            plain: false,
        }
    }

    pub fn bound(mut self, bound: f64) -> Self {
        self.bound = bound;
        self
    }

    pub fn exact(mut self, exact: bool) -> Self {
        self.exact = exact;
        self
    }

    /// A column with its table's name, which means the same within a subquery.
    fn is_qualified(&self) -> bool {
        self.plain && matches!(&self.node, Node::Text(name) if name.contains('.'))
    }

    /// A column that USING made of two.
    pub fn is_merged(&self) -> bool {
        self.plain && !self.is_qualified()
    }

    /// Whether it has neither infinities nor NaN.
    pub fn is_finite(&self) -> bool {
        self.bound.is_finite()
    }

    /// The same value in a form in which what is equal looks the same, so that it does not matter which of equal values
    /// DISTINCT, a group or `max` shows. `uniform`: beside values of other expressions, as in UNION.
    pub fn made_exact(self, uniform: bool) -> Self {
        let is_number = self.ty == Type::Numeric;
        if self.exact && !(uniform && is_number) {
            return self;
        }
        let (node, ty) = match self.ty {
            Type::Numeric => (tree!["trim_scale(", self.node, ")"], Type::Numeric),
            // Zero and its negative become one.
            Type::Real | Type::Float => (tree!["(", self.node, " + 0::float8)"], Type::Float),
            _ => (tree!["(", self.node, ")::text"], Type::Text),
        };
        Self {
            node,
            ty,
            bound: self.bound,
            exact: true,
            plain: false,
        }
    }
}

/// What expressions of one query level are made of.
#[derive(Clone, Default)]
pub struct Scope {
    pub atoms: Vec<Expr>,
    /// How many rows they are evaluated for, about.
    pub rows: f64,
}

/// A common table expression in sight.
#[derive(Clone)]
pub struct Cte {
    pub name: String,
    pub columns: Vec<Column>,
    pub rows: f64,
}

/// Subqueries of one statement.
const SUBQUERIES_MAX: u32 = 4;
/// Rows of one join.
const PRODUCTS: [f64; 4] = [300.0, 1_000.0, 3_000.0, 10_000.0];

pub struct Generator {
    pub random: Random,
    pub tables: Vec<(u64, Table)>,
    pub form: Form,
    /// How often of a hundred a literal is sent as a parameter.
    pub parameters: u64,
    pub features: BTreeSet<&'static str>,
    /// The innermost level is the last.
    pub scopes: Vec<Scope>,
    pub ctes: Vec<Cte>,
    /// Whether columns of outer levels may be used.
    pub sees_outer: bool,
    /// Levels of queries around this one.
    pub depth: u32,
    pub subqueries_left: u32,
    /// Rows that a join may make.
    pub product_max: f64,
    /// Rows of a table that may be scanned: few where it is done for each row of another.
    pub scan_max: f64,
    names: usize,
    pub numbers: usize,
}

impl Generator {
    pub fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let simple = random.chance(60);
        let form = Form::random(&mut random, simple);
        let parameters = match simple {
            true => 0,
            false => random.pick(&[10, 40, 80]),
        };
        let product_max = random.pick(&PRODUCTS);
        Self {
            random,
            tables: tables(),
            form,
            parameters,
            features: BTreeSet::new(),
            scopes: Vec::new(),
            ctes: Vec::new(),
            sees_outer: false,
            depth: 0,
            subqueries_left: SUBQUERIES_MAX,
            product_max,
            scan_max: f64::INFINITY,
            names: 0,
            numbers: 0,
        }
    }

    /// A SELECT that PostgreSQL is expected to accept.
    pub fn statement(mut self) -> Made {
        let query = self.query(None, Place::Top);
        Made {
            tree: query.node,
            form: self.form,
            features: self.features,
            failing: false,
        }
    }

    pub fn chance(&mut self, percent: u64) -> bool {
        self.random.chance(percent)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.random.below(end)
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        self.random.pick(from)
    }

    pub fn weighted<T: Copy>(&mut self, from: &[(u64, T)]) -> T {
        let sum = from.iter().map(|(weight, _)| weight).sum();
        let mut left = self.random.below(sum);
        for (weight, value) in from {
            if left < *weight {
                return *value;
            }
            left -= weight;
        }
        unreachable!("a number below the sum of the weights")
    }

    pub fn used(&mut self, feature: &'static str) {
        self.features.insert(feature);
    }

    /// A name that no other alias of the statement has.
    pub fn name(&mut self, prefix: &str) -> String {
        self.names += 1;
        match self.random.below(30) {
            0 => format!("\"{} {}\"", prefix.to_uppercase(), self.names),
            1 => format!("{}{}", prefix.to_uppercase(), self.names),
            _ => format!("{prefix}{}", self.names),
        }
    }

    pub fn scope(&mut self) -> &mut Scope {
        self.scopes.last_mut().expect("within a query")
    }

    /// One of those that fit, of this level, or of one around it.
    pub fn atom(&mut self, fits: impl Fn(&Expr) -> bool) -> Option<Expr> {
        let (inner, outer) = self.scopes.split_last()?;
        let outer: Vec<&Expr> = match self.sees_outer {
            true => outer
                .iter()
                .flat_map(|scope| &scope.atoms)
                .filter(|atom| atom.is_qualified() && fits(atom))
                .collect(),
            false => Vec::new(),
        };
        let inner: Vec<&Expr> = inner.atoms.iter().filter(|atom| fits(atom)).collect();
        let outward =
            !outer.is_empty() && (inner.is_empty() || self.random.chance(OUTWARD_PERCENT));
        let from = if outward { &outer } else { &inner };
        if from.is_empty() {
            return None;
        }
        let atom = from[self.random.below(from.len() as u64) as usize].clone();
        if outward {
            self.features.insert("correlated subquery");
        }
        Some(atom)
    }

    /// A type that something in sight has.
    pub fn some_type(&mut self) -> Type {
        let atom = self.atom(|atom| atom.ty != Type::Json);
        match atom {
            Some(atom) if !self.chance(12) => atom.ty,
            _ => self.pick(&[
                Type::Int4,
                Type::Int8,
                Type::Text,
                Type::Numeric,
                Type::Bool,
            ]),
        }
    }

    /// Without sight of outer levels and without subqueries: what is within an aggregate.
    pub fn locally<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> T {
        let sees_outer = std::mem::replace(&mut self.sees_outer, false);
        let subqueries_left = std::mem::replace(&mut self.subqueries_left, 0);
        let made = make(self);
        (self.sees_outer, self.subqueries_left) = (sees_outer, subqueries_left);
        made
    }
}

const OUTWARD_PERCENT: u64 = 20;
