//! Queries of queries: UNION and its kin, WITH, WITH RECURSIVE.

use crate::generator::{Cte, Expr, Generator};
use crate::node::{Node, tree};
use crate::query::{Output, Place, Query, Select};
use crate::schema::{Column, Type};

/// What the columns of a UNION are.
const SET_TYPES: [Type; 9] = [
    Type::Int8,
    Type::Int8,
    Type::Int4,
    Type::Text,
    Type::Text,
    Type::Date,
    Type::Numeric,
    Type::Bool,
    Type::Timestamptz,
];

impl Generator {
    pub fn sets(&mut self, wanted: Option<&[Type]>, place: Place) -> Query {
        let types: Vec<Type> = match wanted {
            Some(wanted) => wanted.to_vec(),
            None => (0..1 + self.below(3))
                .map(|_| self.pick(&SET_TYPES))
                .collect(),
        };
        let (word, feature) = self.pick(&[
            (" union ", "union"),
            (" union ", "union"),
            (" union all ", "union all"),
            (" union all ", "union all"),
            (" intersect ", "intersect"),
            (" intersect all ", "intersect all"),
            (" except ", "except"),
            (" except all ", "except all"),
        ]);
        self.used(feature);
        let arms_place = match word {
            " union all " if place != Place::Arm => Place::Values,
            _ => Place::Arm,
        };
        let arms = self.weighted(&[(80, 2), (20, 3)]);
        let mut node = Node::nothing();
        let mut columns: Vec<Column> = Vec::new();
        for number in 0..arms {
            let query = match number > 0 && self.chance(8) {
                true => self.values_arm(&types),
                false => self.deeper_arm(&types, arms_place),
            };
            let bracketed = number > 0 && self.chance(30);
            let arm = match bracketed {
                true => tree!["(", query.node, ")"],
                false => query.node,
            };
            if number == 0 {
                (node, columns) = (arm, query.columns);
                continue;
            }
            for (column, other) in columns.iter_mut().zip(&query.columns) {
                // Numerics of two arms have scales of their own.
                column.exact &=
                    other.exact && (arms_place == Place::Arm || column.ty != Type::Numeric);
                column.ty = column.ty.max(other.ty);
                column.bound = column.bound.max(other.bound);
            }
            node = tree![&node, word, &arm].or(vec![node, arm]);
        }
        let unique = !word.contains("all") && arms == 2;
        self.composed(node, columns, place, unique)
    }

    fn deeper_arm(&mut self, types: &[Type], place: Place) -> Query {
        self.depth += 1;
        let query = self.query(Some(types), place);
        self.depth -= 1;
        query
    }

    fn values_arm(&mut self, types: &[Type]) -> Query {
        self.used("values as an arm");
        let count = 1 + self.below(3);
        let rows: Vec<Node> = (0..count)
            .map(|_| {
                let row = types.iter().map(|ty| {
                    let value = self.typed_literal(*ty);
                    match ty {
                        Type::Numeric => tree!["trim_scale(", value, ")"],
                        Type::Float => tree!["(", value, " + 0::float8)"],
                        _ => value,
                    }
                });
                let row: Vec<Node> = row.collect();
                tree!["(", Node::joined(row, ", "), ")"]
            })
            .collect();
        let columns = types.iter().map(|ty| Column {
            name: String::new(),
            ty: *ty,
            bound: 1e10,
            exact: true,
        });
        Query {
            node: tree!["values ", Node::list(rows, ", ")],
            columns: columns.collect(),
            rows: count as f64,
            unique: false,
        }
    }

    /// ORDER BY and LIMIT around arms.
    fn composed(&mut self, node: Node, columns: Vec<Column>, place: Place, unique: bool) -> Query {
        let outputs = columns.iter().map(|column| Output {
            expr: Expr::new(Node::nothing(), column.ty).exact(column.exact),
            alias: (!column.name.is_empty()).then(|| column.name.clone()),
        });
        let select = Select {
            distinct: Node::nothing(),
            outputs: outputs.collect(),
            star: None,
            rest: Node::nothing(),
            windows: Vec::new(),
            ties: true,
        };
        let tail = match place {
            Place::Arm | Place::Values => Node::nothing(),
            _ => self.tail(&select, place, None, false),
        };
        Query {
            node: tree![node, tail],
            columns,
            rows: 200.0,
            unique,
        }
    }

    pub fn with(&mut self, wanted: Option<&[Type]>, place: Place) -> Query {
        self.used("with");
        let count = self.weighted(&[(65, 1), (35, 2)]);
        let known = self.ctes.len();
        let mut pieces = Vec::new();
        for _ in 0..count {
            let name = self.name("w");
            let query = self.apart(|generator| generator.query(None, Place::Derived));
            let word = self.weighted(&[
                (60, " as ("),
                (20, " as materialized ("),
                (20, " as not materialized ("),
            ]);
            if word.contains("materialized") {
                self.used("materialized");
            }
            pieces.push(tree![&name, word, query.node, ")"]);
            self.ctes.push(Cte {
                name,
                columns: query.columns,
                rows: query.rows,
            });
        }
        self.depth += 1;
        let query = self.query(wanted, place);
        self.depth -= 1;
        self.ctes.truncate(known);
        Query {
            node: tree!["with ", Node::joined(pieces, ", "), " ", query.node],
            ..query
        }
    }

    /// One of a few that are known to end, and a query over it.
    pub fn recursive(&mut self, place: Place) -> Query {
        self.used("with recursive");
        let name = self.name("r");
        let key = self.key();
        let (names, first, next, types) = match self.below(4) {
            0 => (
                "n, o",
                tree!["select 1, organization_id from organizations where organization_id < 9"],
                tree![format!("select n + 1, o from {name} where n < 4")],
                [Type::Int4, Type::Int8],
            ),
            1 => (
                "n, o",
                tree![
                    "select 0, organization_id from readings where organization_id = ",
                    key
                ],
                tree![format!(
                    "select r.n + 1, t.organization_id from {name} r join tags t on t.match_id = r.n + 1 where r.n < 3"
                )],
                [Type::Int4, Type::Int8],
            ),
            2 => (
                "o, n",
                tree!["select organization_id, 1 from organizations where country = 'DE'"],
                tree![format!(
                    "select o.organization_id, r.n + 1 from {name} r join organizations o on o.organization_id = r.o + 1 where r.n < 5"
                )],
                [Type::Int8, Type::Int4],
            ),
            _ => (
                "o, m",
                tree!["select organization_id, match_id from matches where match_id = 1"],
                tree![format!(
                    "select m.organization_id, m.match_id from {name} r join matches m on m.organization_id = r.o and m.match_id = r.m + 1"
                )],
                [Type::Int8, Type::Int8],
            ),
        };
        let piece = tree![
            format!("{name} ({names}) as ("),
            first,
            " union ",
            next,
            ")"
        ];
        let columns = names.split(", ").zip(types).map(|(name, ty)| Column {
            name: name.to_owned(),
            ty,
            bound: 1e4,
            exact: true,
        });
        self.ctes.push(Cte {
            name,
            columns: columns.collect(),
            rows: 200.0,
        });
        self.depth += 1;
        let query = self.query(None, place);
        self.depth -= 1;
        self.ctes.pop();
        Query {
            node: tree!["with recursive ", piece, " ", query.node],
            ..query
        }
    }
}
