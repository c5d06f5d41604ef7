//! Expressions of a wanted type. None fails at run time, whatever rows there are: bounds are known, divisors are not zero.

use crate::generator::{Expr, Generator};
use crate::node::{Node, tree};
use crate::schema::Type;

/// Of a hundred expressions that could be larger, those that are not.
const LEAF_PERCENT: u64 = 30;
/// Of a hundred leaves, columns.
const COLUMN_PERCENT: u64 = 85;
/// Of a hundred expressions, those that any type has: CASE, COALESCE, ….
const GENERIC_PERCENT: u64 = 25;

impl Generator {
    pub fn expr(&mut self, ty: Type, depth: u32) -> Expr {
        if depth == 0 || self.chance(LEAF_PERCENT) {
            return self.leaf(ty);
        }
        let made = match self.chance(GENERIC_PERCENT) && ty != Type::Json {
            true => self.generic(ty, depth),
            false => self.typed(ty, depth),
        };
        if made.plain {
            return made;
        }
        let simpler = self.leaf(ty);
        Expr {
            node: made.node.or(vec![simpler.node]),
            ..made
        }
    }

    /// An expression that has a column in it, as far as there is any.
    pub fn of_column(&mut self, depth: u32) -> Expr {
        match self.atom(|atom| atom.ty != Type::Json) {
            Some(atom) if depth == 0 || self.chance(50) => atom,
            Some(atom) => self.around(atom, depth),
            None => self.literal(Type::Text),
        }
    }

    /// Something made of this one.
    fn around(&mut self, atom: Expr, depth: u32) -> Expr {
        let node = atom.node.clone();
        match atom.ty {
            Type::Int2 | Type::Int4 | Type::Int8 if self.chance(60) => {
                let divisor = self.pick(&[2, 3, 5, 10]);
                let bound = f64::from(divisor);
                let node = tree!["(", atom.node, format!(" % {divisor})")];
                Expr::new(node, atom.ty).bound(bound)
            }
            Type::Text if self.chance(60) => match self.below(4) {
                0 => Expr::new(tree!["upper(", node, ")"], Type::Text),
                1 => Expr::new(tree!["length(", node, ")"], Type::Int4).bound(1e6),
                2 => Expr::new(tree!["left(", node, ", 2)"], Type::Text),
                _ => Expr::new(tree!["right(", node, ", 1)"], Type::Text),
            },
            Type::Date | Type::Timestamp | Type::Timestamptz if self.chance(60) => {
                match self.below(3) {
                    0 => {
                        let ty = match atom.ty {
                            Type::Timestamp => Type::Timestamp,
                            _ => Type::Timestamptz,
                        };
                        Expr::new(tree!["date_trunc('month', ", node, ")"], ty)
                    }
                    1 => Expr::new(tree!["extract(isodow from ", node, ")"], Type::Numeric)
                        .exact(true),
                    _ => Expr::new(tree!["to_char(", node, ", 'YYYY-MM')"], Type::Text),
                }
            }
            _ if self.chance(40) => Expr::new(tree!["(", node, " is null)"], Type::Bool),
            ty => {
                let other = self.expr(ty, depth - 1);
                self.coalesce(&atom, &other)
            }
        }
    }

    /// A column or a value.
    pub fn leaf(&mut self, ty: Type) -> Expr {
        if self.chance(COLUMN_PERCENT)
            && let Some(atom) = self.atom(|atom| atom.ty.fits(ty))
        {
            return atom;
        }
        if ty == Type::Json {
            return self.typed(ty, 1);
        }
        self.literal(ty)
    }

    /// What every type has.
    fn generic(&mut self, ty: Type, depth: u32) -> Expr {
        let a = self.expr(ty, depth - 1);
        match self.below(12) {
            0..3 => self.case(a, depth),
            3 => {
                self.used("case with an operand");
                let b = self.expr(ty, depth - 1);
                let of = self.some_type();
                let (subject, value) = (self.expr(of, depth - 1), self.operand(of));
                let node = tree![
                    "case ",
                    subject.node,
                    " when ",
                    value,
                    " then ",
                    &a.node,
                    " else ",
                    &b.node,
                    " end"
                ];
                either(node, &a, &b)
            }
            4..7 => {
                let b = self.expr(ty, depth - 1);
                self.coalesce(&a, &b)
            }
            7 => {
                self.used("nullif");
                let b = self.expr(ty, depth - 1);
                Expr {
                    node: tree!["nullif(", a.node, ", ", b.node, ")"],
                    plain: false,
                    ..a
                }
            }
            8 => {
                self.used("greatest, least");
                let b = self.expr(ty, depth - 1);
                let name = self.pick(&["greatest", "least"]);
                either(tree![name, "(", &a.node, ", ", &b.node, ")"], &a, &b)
            }
            9 => Expr {
                node: tree!["cast(", a.node, format!(" as {})", ty.name())],
                ty,
                plain: false,
                exact: a.exact,
                bound: a.bound,
            },
            _ => self.scalar(ty).unwrap_or(a),
        }
    }

    fn case(&mut self, a: Expr, depth: u32) -> Expr {
        self.used("case");
        let b = self.expr(a.ty, depth - 1);
        let condition = self.boolean(depth - 1);
        let node = tree![
            "case when ",
            condition,
            " then ",
            &a.node,
            tree![" else ", &b.node].optional(),
            " end"
        ];
        let made = either(node, &a, &b);
        Expr {
            node: made.node.or(vec![a.node, b.node]),
            ..made
        }
    }

    fn coalesce(&mut self, a: &Expr, b: &Expr) -> Expr {
        self.used("coalesce");
        let node = tree!["coalesce(", &a.node, ", ", &b.node, ")"];
        either(node, a, b)
    }

    fn typed(&mut self, ty: Type, depth: u32) -> Expr {
        match ty {
            Type::Int2 => self.leaf(ty),
            Type::Int4 | Type::Int8 => self.integer(ty, depth),
            Type::Numeric => self.numeric(depth),
            Type::Real => self.leaf(ty),
            Type::Float => self.float(depth),
            Type::Bool => {
                let condition = self.boolean(depth);
                Expr::new(tree!["(", condition, ")"], Type::Bool).bound(1.0)
            }
            Type::Text => self.text(depth),
            Type::Date => self.date(depth),
            Type::Timestamp => self.timestamp(depth),
            Type::Timestamptz => self.timestamptz(depth),
            Type::Interval => self.interval(depth),
            Type::Uuid => {
                let text = self.expr(Type::Text, depth - 1);
                Expr::new(tree!["md5(", text.node, ")::uuid"], ty)
            }
            Type::Bytea => self.bytea(depth),
            Type::Mood => self.leaf(ty),
            Type::Ints => self.ints(depth),
            Type::Texts => self.texts(depth),
            Type::Jsonb => self.jsonb(depth),
            Type::Json => self.json(depth),
        }
    }

    fn integer(&mut self, ty: Type, depth: u32) -> Expr {
        match self.below(18) {
            0..5 => self.arithmetic(ty, depth),
            5..7 => self.integer_of_text(depth),
            7..10 => self.integer_of_time(depth),
            10..13 => self.integer_of_container(depth),
            13 => match self.gathered() {
                Some(node) => int(node, 1e6),
                None => self.leaf(Type::Int4),
            },
            14 => {
                let condition = self.boolean(depth - 1);
                int(tree!["(", condition, ")::int"], 1.0)
            }
            _ => self.integer_of_number(ty, depth),
        }
    }

    fn integer_of_text(&mut self, depth: u32) -> Expr {
        let text = self.expr(Type::Text, depth - 1).node;
        let (name, more) = self.pick(&[
            ("length", ""),
            ("octet_length", ""),
            ("char_length", ""),
            ("ascii", ""),
            ("strpos", ", 'e'"),
        ]);
        int(tree![name, "(", text, more, ")"], 2e6)
    }

    fn integer_of_time(&mut self, depth: u32) -> Expr {
        if self.chance(30) {
            let a = self.expr(Type::Date, depth - 1);
            let b = self.expr(Type::Date, depth - 1);
            return match a.is_finite() && b.is_finite() {
                true => int(tree!["(", a.node, " - ", b.node, ")"], 1e7),
                false => self.leaf(Type::Int4),
            };
        }
        let ty = self.pick(&[Type::Date, Type::Timestamp, Type::Timestamptz]);
        let time = self.expr(ty, depth - 1);
        if !time.is_finite() {
            return self.leaf(Type::Int4);
        }
        let field = self.pick(&["year", "month", "day", "isodow", "doy", "quarter"]);
        let node = tree![format!("extract({field} from "), time.node, ")::int"];
        int(node, 10_000.0)
    }

    /// Of an array or a document.
    fn integer_of_container(&mut self, depth: u32) -> Expr {
        if self.chance(30) {
            let json = self.expr(Type::Jsonb, 0).node;
            let node = tree![
                "case jsonb_typeof(",
                &json,
                ") when 'array' then jsonb_array_length(",
                &json,
                ") end"
            ];
            return int(node, 100.0);
        }
        let array = self.expr(Type::Ints, depth - 1).node;
        match self.below(3) {
            0 => int(tree!["cardinality(", array, ")"], 100.0),
            1 => int(tree!["array_length(", array, ", 1)"], 100.0),
            _ => int(tree!["(", array, ")[1]"], f64::INFINITY),
        }
    }

    fn integer_of_number(&mut self, ty: Type, depth: u32) -> Expr {
        if self.chance(25) {
            let wide = self.expr(Type::Numeric, depth - 1);
            return match wide.bound < Type::Int4.limit() {
                true => int(tree!["round(", wide.node, ")::int"], wide.bound + 1.0),
                false => self.leaf(ty),
            };
        }
        let a = self.expr(ty, depth - 1);
        let bound = a.bound + 8.0;
        if bound > a.ty.limit() {
            return a;
        }
        let of = |node: Node, ty: Type| Expr::new(node, ty).bound(bound);
        match self.below(4) {
            0 => {
                let operator = self.pick(&[" & 6", " | 3", " # 5"]);
                of(tree!["(", a.node, operator, ")"], a.ty)
            }
            1 => {
                let name = self.pick(&["abs(", "-("]);
                of(tree![name, a.node, ")"], a.ty)
            }
            2 => int(tree!["sign(", a.node, ")::int"], 1.0),
            _ if ty == Type::Int8 => of(tree!["(", a.node, ")::bigint"], ty),
            _ => a,
        }
    }

    /// Numbers with an operator between them.
    fn arithmetic(&mut self, ty: Type, depth: u32) -> Expr {
        let (a, b) = (self.expr(ty, depth - 1), self.expr(ty, depth - 1));
        let result = a.ty.max(b.ty);
        let operator = self.pick(&["+", "-", "*", "/", "%"]);
        let bound = match operator {
            "+" | "-" => a.bound + b.bound,
            "*" => a.bound * b.bound,
            "%" => a.bound,
            _ if result == Type::Numeric => f64::INFINITY,
            _ => a.bound,
        };
        if bound > result.limit() || bound.is_nan() {
            return a;
        }
        self.used("arithmetic");
        let simpler = vec![a.node.clone(), b.node.clone()];
        let right = match operator {
            "/" | "%" => tree!["nullif(", b.node, ", 0)"],
            _ => b.node,
        };
        let node = tree!["(", a.node, format!(" {operator} "), right, ")"];
        Expr::new(node.or(simpler), result).bound(bound)
    }

    fn numeric(&mut self, depth: u32) -> Expr {
        let numeric = |node: Node| Expr::new(node, Type::Numeric);
        match self.below(9) {
            0..3 => self.arithmetic(Type::Numeric, depth),
            3..5 => {
                let ty = self.pick(&[Type::Int4, Type::Int8]);
                let a = self.expr(ty, depth - 1);
                numeric(tree!["(", a.node, ")::numeric"])
                    .bound(a.bound)
                    .exact(true)
            }
            5 => {
                let a = self.expr(Type::Numeric, depth - 1);
                let name = self.pick(&["abs", "ceil", "floor", "trim_scale", "sign"]);
                numeric(tree![name, "(", a.node, ")"]).bound(a.bound + 1.0)
            }
            6 => {
                let a = self.expr(Type::Numeric, depth - 1);
                let digits = self.below(4);
                let name = self.pick(&["round", "trunc"]);
                numeric(tree![name, "(", a.node, format!(", {digits})")])
                    .bound(a.bound + 1.0)
                    .exact(true)
            }
            7 => {
                let a = self.expr(Type::Numeric, depth - 1);
                if a.bound > 1e9 {
                    return a;
                }
                numeric(tree!["(", a.node, ")::numeric(20,4)"])
                    .bound(a.bound)
                    .exact(true)
            }
            _ => {
                let ty = self.pick(&[Type::Date, Type::Timestamp, Type::Timestamptz]);
                let time = self.expr(ty, depth - 1);
                let field = self.pick(&["year", "month", "day", "dow"]);
                numeric(tree![format!("extract({field} from "), time.node, ")"]).exact(true)
            }
        }
    }

    fn float(&mut self, depth: u32) -> Expr {
        let ty = self.pick(&[Type::Real, Type::Int4, Type::Float]);
        let a = self.expr(ty, depth - 1);
        Expr::new(tree!["(", a.node, ")::float8"], Type::Float)
    }
}

fn int(node: Node, bound: f64) -> Expr {
    Expr::new(node, Type::Int4).bound(bound)
}

/// One of two values of the same kind.
pub fn either(node: Node, a: &Expr, b: &Expr) -> Expr {
    Expr {
        node,
        ty: a.ty.max(b.ty),
        bound: a.bound.max(b.bound),
        // Two numerics with scales of their own are equal and look different.
        exact: a.exact && b.exact && a.ty != Type::Numeric && b.ty != Type::Numeric,
        plain: false,
    }
}
