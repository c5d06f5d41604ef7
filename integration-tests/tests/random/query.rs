//! SELECTs: which rows, which columns, in what order, how many.

use integration_tests::pair::Rows;

use crate::generator::{Expr, Generator};
use crate::join::From;
use crate::node::{Node, tree};
use crate::schema::{Column, Type};

/// A query, and what is known of its rows.
pub struct Query {
    pub node: Node,
    pub columns: Vec<Column>,
    pub rows: f64,
    /// No row is there twice.
    pub unique: bool,
}

/// Where a query stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// What the client sends.
    Top,
    /// In FROM or WITH: its columns need names.
    Derived,
    /// Of a UNION or the like that looks for equal rows.
    Arm,
    /// Of UNION ALL, or compared with something.
    Values,
    /// Gives one row at most.
    Single,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Body {
    Plain,
    Distinct,
    DistinctOn,
    Grouped,
    GroupingSets,
    Aggregated,
    Sets,
    With,
    Recursive,
    Table,
}

const BODIES: [(u64, Body); 10] = [
    (40, Body::Plain),
    (8, Body::Distinct),
    (6, Body::DistinctOn),
    (17, Body::Grouped),
    (5, Body::GroupingSets),
    (8, Body::Aggregated),
    (11, Body::Sets),
    (11, Body::With),
    (3, Body::Recursive),
    (1, Body::Table),
];
const INNER_BODIES: [(u64, Body); 7] = [
    (55, Body::Plain),
    (9, Body::Distinct),
    (5, Body::DistinctOn),
    (13, Body::Grouped),
    (8, Body::Aggregated),
    (8, Body::Sets),
    (2, Body::GroupingSets),
];
const ARM_BODIES: [(u64, Body); 4] = [
    (70, Body::Plain),
    (10, Body::Distinct),
    (12, Body::Grouped),
    (8, Body::Aggregated),
];

/// An output column.
pub struct Output {
    pub expr: Expr,
    pub alias: Option<String>,
}

/// A SELECT without ORDER BY and LIMIT.
pub struct Select {
    pub distinct: Node,
    pub outputs: Vec<Output>,
    /// `*` instead of the outputs.
    pub star: Option<Node>,
    /// FROM, WHERE, GROUP BY, HAVING.
    pub rest: Node,
    pub windows: Vec<Node>,
    /// Whether rows that compare equal may be taken together.
    pub ties: bool,
}

impl Select {
    pub fn node(&self) -> Node {
        let outputs = self.outputs.iter().map(|output| match &output.alias {
            Some(alias) => tree![&output.expr.node, format!(" as {alias}")],
            None => output.expr.node.clone(),
        });
        let list = match &self.star {
            Some(star) => star.clone(),
            None => Node::list(outputs.collect(), ", "),
        };
        let windows = match self.windows.is_empty() {
            true => Node::nothing(),
            false => tree![" window ", Node::joined(self.windows.clone(), ", ")],
        };
        tree!["select ", &self.distinct, list, &self.rest, windows]
    }
}

impl Generator {
    /// `wanted`: the types of its columns.
    pub fn query(&mut self, wanted: Option<&[Type]>, place: Place) -> Query {
        let body = match place {
            Place::Top if self.depth == 0 => self.weighted(&BODIES),
            Place::Arm | Place::Values | Place::Single => self.weighted(&ARM_BODIES),
            _ => self.weighted(&INNER_BODIES),
        };
        match body {
            Body::Plain => self.plain(wanted, place),
            Body::Distinct => self.distinct(wanted, place),
            Body::DistinctOn => self.distinct_on(wanted, place),
            Body::Grouped | Body::GroupingSets | Body::Aggregated => {
                self.grouped(wanted, place, body)
            }
            Body::Sets => self.sets(wanted, place),
            Body::With => self.with(wanted, place),
            Body::Recursive => self.recursive(place),
            Body::Table => self.whole_table(place),
        }
    }

    /// WHERE with what has to be in it.
    pub fn filter(&mut self, from: &From) -> Node {
        let mut conditions = from.required.clone();
        let more = match self.depth {
            0 => self.weighted(&[(42, 0), (44, 1), (14, 2)]),
            _ => self.weighted(&[(55, 0), (40, 1), (5, 2)]),
        };
        for _ in 0..more {
            let condition = match self.chance(30) {
                true => self.key_condition(),
                false => None,
            };
            let depth = 1 + self.below(2) as u32;
            let condition = condition.unwrap_or_else(|| self.boolean(depth));
            conditions.push(tree!["(", condition, ")"]);
        }
        if conditions.is_empty() {
            return Node::nothing();
        }
        self.used("where");
        let required = from.required.len();
        let optional: Vec<_> = conditions.split_off(required.max(1));
        let optional: Vec<_> = optional
            .into_iter()
            .map(|condition| tree![" and ", condition].optional())
            .collect();
        let node = tree![
            " where ",
            Node::joined(conditions, " and "),
            Node::All(optional)
        ];
        match required {
            0 => node.optional(),
            _ => node,
        }
    }

    /// Expressions for the output.
    pub fn outputs(&mut self, wanted: Option<&[Type]>, place: Place) -> Vec<Expr> {
        let types: Vec<Type> = match wanted {
            Some(wanted) => wanted.to_vec(),
            None => (0..1 + self.below(4))
                .map(|_| match self.chance(96) {
                    true => self.some_type(),
                    false => self.pick(&Type::ALL),
                })
                .collect(),
        };
        types
            .into_iter()
            .map(|ty| {
                let depth = self.weighted(&[(40, 0), (30, 1), (30, 2)]);
                self.expr_for(ty, depth, place)
            })
            .collect()
    }

    fn expr_for(&mut self, ty: Type, depth: u32, place: Place) -> Expr {
        let expr = self.expr(ty, depth);
        match place {
            Place::Arm => expr.made_exact(true),
            _ => expr,
        }
    }

    /// Names for them.
    pub fn named(&mut self, exprs: Vec<Expr>, place: Place) -> Vec<Output> {
        let always = matches!(place, Place::Derived | Place::Arm | Place::Values);
        // In ORDER BY the name of a merged column would first be that of an output, and CASE takes its name from ELSE.
        let merged = self.scope().atoms.iter().any(Expr::is_merged);
        exprs
            .into_iter()
            .map(|expr| {
                let named = always || merged || self.chance(40);
                let alias = named.then(|| self.name("c"));
                Output { expr, alias }
            })
            .collect()
    }

    fn plain(&mut self, wanted: Option<&[Type]>, place: Place) -> Query {
        let from = self.from();
        let filter = self.filter(&from);
        let mut select = Select {
            distinct: Node::nothing(),
            outputs: Vec::new(),
            star: None,
            rest: tree![" from ", &from.node, filter],
            windows: Vec::new(),
            ties: true,
        };
        if place == Place::Top && self.chance(10) {
            self.used("select *");
            let source = &from.sources[0].alias;
            let star = match self.random.chance(60) {
                true => "*".to_owned(),
                false => format!("{source}.*"),
            };
            select.star = Some(tree![star]);
        } else {
            let exprs = self.outputs(wanted, place);
            select.outputs = self.named(exprs, place);
            if wanted.is_none() && self.chance(4) {
                let output = self.whole_row(&from);
                select.outputs.push(output);
            }
            let keys = from.keys();
            self.add_windows(
                &mut select,
                wanted,
                place,
                keys.as_deref(),
                from.is_unique(),
            );
        }
        self.ended(&select, place, from.keys(), from.rows, false)
    }

    /// A row as a value.
    fn whole_row(&mut self, from: &From) -> Output {
        self.used("whole row");
        let number = self.below(from.sources.len() as u64) as usize;
        let source = &from.sources[number].alias;
        let expr = match self.chance(50) {
            true => Expr::new(tree!["to_json(", source, ")"], Type::Json),
            false => Expr::new(tree!["(", source, ")::text"], Type::Text),
        };
        Output {
            expr,
            alias: Some(self.name("c")),
        }
    }

    fn distinct(&mut self, wanted: Option<&[Type]>, place: Place) -> Query {
        self.used("distinct");
        let from = self.from();
        let filter = self.filter(&from);
        let exprs = self.outputs(wanted, Place::Values);
        // A column that nothing is done with has no equality.
        let exprs = exprs.into_iter().map(|expr| expr.made_exact(false));
        let exprs = match place {
            Place::Arm => exprs.map(|expr| expr.made_exact(true)).collect(),
            _ => exprs.collect(),
        };
        let select = Select {
            distinct: tree!["distinct "].optional(),
            outputs: self.named(exprs, place),
            star: None,
            rest: tree![" from ", &from.node, filter],
            windows: Vec::new(),
            ties: true,
        };
        let rows = from.rows.min(100.0);
        // ORDER BY has to be of the output, all of which is a key.
        self.scopes.pop();
        self.finished(&select, place, rows)
    }

    fn distinct_on(&mut self, wanted: Option<&[Type]>, place: Place) -> Query {
        let from = self.from();
        let Some(keys) = from.keys() else {
            self.scopes.pop();
            return self.distinct(wanted, place);
        };
        self.used("distinct on");
        let filter = self.filter(&from);
        let count = 1 + self.below(2);
        let on: Vec<Node> = (0..count).map(|_| self.of_column(1).node).collect();
        let exprs = self.outputs(wanted, place);
        let select = Select {
            distinct: tree!["distinct on (", Node::joined(on.clone(), ", "), ") "],
            outputs: self.named(exprs, place),
            star: None,
            rest: tree![" from ", &from.node, filter],
            windows: Vec::new(),
            ties: true,
        };
        self.scopes.pop();
        let mut order = on;
        order.extend(keys.into_iter().map(|key| key.node));
        let order: Vec<Node> = order.into_iter().map(|node| self.directed(node)).collect();
        let limit = self.limit(place, true, true);
        let node = tree![
            select.node(),
            " order by ",
            Node::joined(order, ", "),
            limit
        ];
        let node = match place {
            Place::Top => node.defines(Rows::Ordered),
            Place::Arm | Place::Values => tree!["(", node, ")"],
            _ => node,
        };
        Query {
            node,
            columns: columns(&select.outputs),
            rows: from.rows.min(100.0),
            unique: false,
        }
    }

    /// A SELECT with the scope that it was made in, its order and its limit.
    pub fn ended(
        &mut self,
        select: &Select,
        place: Place,
        keys: Option<Vec<Expr>>,
        rows: f64,
        unique: bool,
    ) -> Query {
        let keys = keys.map(|keys| keys.into_iter().map(|key| key.node).collect());
        let tail = self.tail(select, place, keys, true);
        self.scopes.pop();
        Query {
            node: tree![select.node(), tail],
            columns: columns(&select.outputs),
            rows: if place == Place::Single { 1.0 } else { rows },
            unique,
        }
    }

    /// A SELECT whose output is its key.
    fn finished(&mut self, select: &Select, place: Place, rows: f64) -> Query {
        let tail = self.tail(select, place, None, false);
        Query {
            node: tree![select.node(), tail],
            columns: columns(&select.outputs),
            rows,
            unique: true,
        }
    }

    fn whole_table(&mut self, place: Place) -> Query {
        self.used("table");
        let (name, order) = self.pick(&[
            ("organizations", "organization_id"),
            ("readings", "organization_id desc, reading_id"),
            ("tags", "tag nulls first, match_id, organization_id"),
            ("organization_crowds", "matches, organization_id"),
            ("matches", "3, 1, 2"),
        ]);
        let tail = tree![format!(" order by {order}")].defines(Rows::Ordered);
        debug_assert_eq!(place, Place::Top);
        Query {
            node: tree![format!("table {name}"), tail.optional()],
            columns: Vec::new(),
            rows: 100.0,
            unique: false,
        }
    }
}

/// The outputs as columns of what reads them.
pub fn columns(outputs: &[Output]) -> Vec<Column> {
    outputs
        .iter()
        .map(|output| Column {
            name: output.alias.clone().unwrap_or_default(),
            ty: output.expr.ty,
            bound: output.expr.bound,
            exact: output.expr.exact,
        })
        .collect()
}
