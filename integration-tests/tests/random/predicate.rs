//! Conditions.

use crate::generator::{Expr, Generator};
use crate::node::{Node, tree};
use crate::schema::Type;
use crate::value::KEYS;

#[derive(Clone, Copy)]
enum Kind {
    Comparison,
    Key,
    In,
    AnyArray,
    Between,
    Like,
    Null,
    Distinct,
    Column,
    Row,
    Array,
    Document,
    Constant,
    Moment,
    Exists,
    InSubquery,
    Quantified,
    ScalarSubquery,
}

const KINDS: [(u64, Kind); 18] = [
    (30, Kind::Comparison),
    (12, Kind::Key),
    (10, Kind::In),
    (6, Kind::AnyArray),
    (7, Kind::Between),
    (8, Kind::Like),
    (7, Kind::Null),
    (4, Kind::Distinct),
    (4, Kind::Column),
    (4, Kind::Row),
    (3, Kind::Array),
    (3, Kind::Document),
    (2, Kind::Constant),
    (3, Kind::Moment),
    (6, Kind::Exists),
    (7, Kind::InSubquery),
    (3, Kind::Quantified),
    (3, Kind::ScalarSubquery),
];

/// Most of them let many rows through.
const COMPARISONS: [&str; 9] = ["=", "=", "<>", "<>", "<", "<=", ">", ">=", ">="];

impl Generator {
    /// A condition of conditions.
    pub fn boolean(&mut self, depth: u32) -> Node {
        if depth == 0 {
            return self.predicate(0);
        }
        match self.below(10) {
            0..2 => self.connected(" and ", depth),
            2..4 => {
                self.used("or");
                self.connected(" or ", depth)
            }
            4 => {
                self.used("not");
                let of = self.boolean(depth - 1);
                tree!["not (", &of, ")"].or(vec![of])
            }
            _ => self.predicate(depth - 1),
        }
    }

    /// No column is as near to the present as the two answers are to each other.
    fn moment(&mut self) -> Option<Node> {
        let times = [Type::Date, Type::Timestamp, Type::Timestamptz];
        let atom = self.atom(|atom| times.contains(&atom.ty))?;
        self.used("time of the transaction");
        let now = self.pick(&[
            "now()",
            "current_date",
            "localtimestamp(0)",
            "pg_catalog.now()",
            "(current_timestamp - interval '1 year')",
        ]);
        let operator = self.pick(&[" < ", " >= ", " <> "]);
        Some(tree![atom.node, operator, now])
    }

    fn connected(&mut self, word: &str, depth: u32) -> Node {
        let (a, b) = (self.boolean(depth - 1), self.boolean(depth - 1));
        tree!["(", &a, word, &b, ")"].or(vec![a, b])
    }

    fn predicate(&mut self, depth: u32) -> Node {
        let kind = self.weighted(&KINDS);
        let made = match kind {
            Kind::Comparison => None,
            Kind::Key => self.key_condition(),
            Kind::In => self.in_list(depth),
            Kind::AnyArray => self.any_array(depth),
            Kind::Between => self.between(depth),
            Kind::Like => Some(self.like(depth)),
            Kind::Null => Some(self.null_test(depth)),
            Kind::Distinct => Some(self.distinct_from(depth)),
            Kind::Column => self.atom(|atom| atom.ty == Type::Bool).map(|atom| {
                let test = self.pick(&["", " is true", " is not false", " is unknown"]);
                tree![atom.node, test]
            }),
            Kind::Row => self.row(depth),
            Kind::Array => self.array_test(depth),
            Kind::Document => self.document_test(),
            Kind::Constant => Some(tree![self.pick(&[
                "true",
                "false",
                "null::boolean",
                "1 = 1"
            ])]),
            Kind::Moment => self.moment(),
            Kind::Exists => self.exists(),
            Kind::InSubquery => self.in_subquery(depth),
            Kind::Quantified => self.quantified(depth),
            Kind::ScalarSubquery => self.scalar_comparison(depth),
        };
        // What has no fitting column is a comparison.
        made.unwrap_or_else(|| self.comparison(depth))
    }

    fn comparison(&mut self, depth: u32) -> Node {
        let ty = self.some_type();
        let left = self.expr(ty, depth);
        let operator = self.pick(&COMPARISONS);
        let right = match self.chance(60) {
            true => self.operand(ty),
            false => self.expr(ty, depth).node,
        };
        if left.ty == Type::Text && self.chance(10) {
            self.used("collate");
            return tree![
                "(",
                left.node,
                format!(") collate \"C\" {operator} "),
                right
            ];
        }
        if left.plain && self.chance(10) {
            self.used("value before the column");
            return tree!["(", right, format!(") {operator} "), left.node];
        }
        tree!["(", left.node, format!(") {operator} "), right]
    }

    /// What says on which shards the rows may be.
    pub fn key_condition(&mut self) -> Option<Node> {
        let key = self.atom(is_key)?.node;
        let node = match self.below(24) {
            0..3 => {
                self.used("key = value");
                tree![key, " = ", self.key()]
            }
            3..10 => {
                self.used("key in values");
                let keys: Vec<_> = (0..2 + self.below(5)).map(|_| self.key()).collect();
                tree![key, " in (", Node::list(keys, ", "), ")"]
            }
            10..14 => {
                self.used("key = any array");
                let count = self.below(8);
                tree![key, " = any (", self.keys(count), ")"]
            }
            14..17 => {
                self.used("key between");
                let (low, high) =
                    self.pick(&[("2", "64"), ("-5", "13"), ("42", "200"), ("7", "999")]);
                let low = self.literal_of(Type::Int8, low).node;
                let high = self.literal_of(Type::Int8, high).node;
                tree![key, " between ", low, " and ", high]
            }
            17 => {
                self.used("contradictory keys");
                let (a, b) = (self.key(), self.key());
                tree!["(", &key, " = ", a, " and ", &key, " = ", b, ")"]
            }
            18 => {
                self.used("key = null");
                tree![key, " = null"]
            }
            19..22 => {
                self.used("key or key");
                let (a, b) = (self.key(), self.key());
                tree!["(", &key, " = ", a, " or ", &key, " = ", b, ")"]
            }
            22 => {
                self.used("key is null");
                tree![key, " is null"]
            }
            _ => {
                self.used("key as a row");
                let (a, b) = (self.pick(&KEYS), self.pick(&KEYS));
                tree!["row(", key, format!(") in (row({a}), row({b}))")]
            }
        };
        Some(node)
    }

    fn in_list(&mut self, depth: u32) -> Option<Node> {
        let ty = self.some_type();
        self.used("in list");
        let left = self.expr(ty, depth).node;
        let count = 1 + self.below(4);
        let mut values: Vec<_> = (0..count).map(|_| self.operand(ty)).collect();
        if self.chance(5) {
            values.push(tree!["null"]);
        }
        let word = self.pick(&[" in (", " in (", " not in ("]);
        Some(tree!["(", left, ")", word, Node::list(values, ", "), ")"])
    }

    fn any_array(&mut self, depth: u32) -> Option<Node> {
        let ty = self.some_type();
        let array = self.array(ty)?;
        self.used("any array");
        let left = self.expr(ty, depth).node;
        let test = self.pick(&[" = any (", " <> all (", " = any (", " > any ("]);
        Some(tree!["(", left, ")", test, array, ")"])
    }

    fn between(&mut self, depth: u32) -> Option<Node> {
        let ty = self.some_type();
        self.used("between");
        let left = self.expr(ty, depth).node;
        let (low, high) = (self.operand(ty), self.operand(ty));
        let word = self.weighted(&[
            (60, " between "),
            (30, " not between "),
            (3, " between symmetric "),
        ]);
        Some(tree!["(", left, ")", word, low, " and ", high])
    }

    fn like(&mut self, depth: u32) -> Node {
        self.used("pattern");
        let left = self.expr(Type::Text, depth).node;
        let pattern = self.pick(&[
            " like 'Team 1%'",
            " like '%a%'",
            " not like '%e_'",
            " ilike 'F%'",
            " like '50!%%' escape '!'",
            " ~ '^[A-Z]'",
            " !~* 'team'",
            " similar to '(a|b)%'",
            " like ''",
            " ^@ 'Te'",
        ]);
        tree!["(", left, ")", pattern]
    }

    fn null_test(&mut self, depth: u32) -> Node {
        self.used("is null");
        let ty = self.some_type();
        let left = self.expr(ty, depth).node;
        let test = self.pick(&[" is null", " is not null"]);
        tree!["(", left, ")", test]
    }

    fn distinct_from(&mut self, depth: u32) -> Node {
        self.used("is distinct from");
        let ty = self.some_type();
        let (left, right) = (self.expr(ty, depth).node, self.expr(ty, depth).node);
        let test = self.pick(&[" is distinct from ", " is not distinct from "]);
        tree!["(", left, ")", test, "(", right, ")"]
    }

    fn row(&mut self, depth: u32) -> Option<Node> {
        let (a, b) = (self.some_type(), self.some_type());
        self.used("row comparison");
        let left = [self.expr(a, depth).node, self.expr(b, depth).node];
        let row = |generator: &mut Self| {
            let (x, y) = (generator.literal(a).node, generator.literal(b).node);
            tree!["(", x, ", ", y, ")"]
        };
        let [x, y] = left;
        let left = tree!["(", x, ", ", y, ")"];
        let node = match self.below(3) {
            0 => {
                let rows: Vec<_> = (0..2).map(|_| row(self)).collect();
                tree![left, " in (", Node::list(rows, ", "), ")"]
            }
            _ => {
                let operator = self.pick(&COMPARISONS);
                tree![left, format!(" {operator} "), row(self)]
            }
        };
        Some(node)
    }

    fn array_test(&mut self, depth: u32) -> Option<Node> {
        let atom = self.atom(|atom| matches!(atom.ty, Type::Ints | Type::Texts))?;
        self.used("array operators");
        let (array, element) = (atom.node, atom.ty);
        let element = match element {
            Type::Ints => Type::Int4,
            _ => Type::Text,
        };
        let node = match self.below(3) {
            0 => tree!["(", self.expr(element, depth).node, ") = any (", array, ")"],
            1 => tree![array, " @> ", self.literal(atom.ty).node],
            _ => tree![array, " && ", self.literal(atom.ty).node],
        };
        Some(node)
    }

    fn document_test(&mut self) -> Option<Node> {
        let atom = self.atom(|atom| atom.ty == Type::Jsonb)?.node;
        self.used("jsonb operators");
        let test = self.pick(&[
            " ? 'a'",
            " @> '{\"a\": 1}'",
            " <@ '{\"a\": 1, \"b\": [1, 2, 3]}'",
            " ->> 'a' = '1'",
            " @? '$.a'",
            " ?| array['a', 'b']",
        ]);
        Some(tree![atom, test])
    }

    fn exists(&mut self) -> Option<Node> {
        let word = self.pick(&["exists (", "not exists ("]);
        let query = self.subquery(&[Type::Int4])?;
        self.used("exists");
        Some(tree![word, query.node, ")"])
    }

    fn in_subquery(&mut self, depth: u32) -> Option<Node> {
        let ty = self.set_type();
        if self.chance(12) {
            let (a, b) = (self.set_type(), self.set_type());
            let left = (self.expr(a, depth).node, self.expr(b, depth).node);
            let query = self.subquery(&[a, b])?;
            self.used("row in subquery");
            return Some(tree!["(", left.0, ", ", left.1, ") in (", query.node, ")"]);
        }
        let left = self.expr(ty, depth).node;
        let query = self.subquery(&[ty])?;
        let word = self.pick(&[" in (", " in (", " not in ("]);
        self.used(match word {
            " in (" => "in subquery",
            _ => "not in subquery",
        });
        Some(tree!["(", left, ")", word, query.node, ")"])
    }

    fn quantified(&mut self, depth: u32) -> Option<Node> {
        let ty = self.set_type();
        let left = self.expr(ty, depth).node;
        let query = self.subquery(&[ty])?;
        self.used("any, all of a subquery");
        let operator = self.pick(&COMPARISONS);
        let word = self.pick(&["any", "all", "some"]);
        Some(tree![
            "(",
            left,
            format!(") {operator} {word} ("),
            query.node,
            ")"
        ])
    }

    fn scalar_comparison(&mut self, depth: u32) -> Option<Node> {
        let ty = self.pick(&[Type::Int4, Type::Int8, Type::Text, Type::Date]);
        let right = self.scalar(ty)?.node;
        let left = self.expr(ty, depth).node;
        let operator = self.pick(&COMPARISONS);
        Some(tree!["(", left, format!(") {operator} "), right])
    }

    /// A type that has equality and looks the same where it is equal, or can be made so without becoming another.
    pub fn set_type(&mut self) -> Type {
        let ty = self.some_type();
        match ty {
            Type::Real | Type::Interval | Type::Jsonb | Type::Json => Type::Int8,
            ty => ty,
        }
    }
}

/// A sharding key, or what is called like one.
fn is_key(atom: &Expr) -> bool {
    let Node::Text(name) = &atom.node else {
        return false;
    };
    atom.plain && name.ends_with("organization_id")
}
