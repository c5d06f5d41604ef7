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
                self.coalesce(atom, other)
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
            0..3 => {
                self.used("case");
                let b = self.expr(ty, depth - 1);
                let condition = self.boolean(depth - 1);
                let (simple_a, simple_b) = (a.node.clone(), b.node.clone());
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
                    node: made.node.or(vec![simple_a, simple_b]),
                    ..made
                }
            }
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
                self.coalesce(a, b)
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

    fn coalesce(&mut self, a: Expr, b: Expr) -> Expr {
        self.used("coalesce");
        let node = tree!["coalesce(", &a.node, ", ", &b.node, ")"];
        either(node, &a, &b)
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
        let int = |node: Node, bound: f64| Expr::new(node, Type::Int4).bound(bound);
        match self.below(18) {
            0..5 => self.arithmetic(ty, depth),
            5 => {
                let text = self.expr(Type::Text, depth - 1);
                let name = self.pick(&["length", "octet_length", "char_length", "ascii"]);
                int(tree![name, "(", text.node, ")"], 2e6)
            }
            6 => {
                let text = self.expr(Type::Text, depth - 1);
                int(tree!["strpos(", text.node, ", 'e')"], 1e6)
            }
            7..9 => {
                let ty = self.pick(&[Type::Date, Type::Timestamp, Type::Timestamptz]);
                let time = self.expr(ty, depth - 1);
                if !time.is_finite() {
                    return self.leaf(Type::Int4);
                }
                let field = self.pick(&["year", "month", "day", "isodow", "doy", "quarter"]);
                let node = tree![format!("extract({field} from "), time.node, ")::int"];
                int(node, 10_000.0)
            }
            9 => {
                let (a, b) = (
                    self.expr(Type::Date, depth - 1),
                    self.expr(Type::Date, depth - 1),
                );
                if !(a.is_finite() && b.is_finite()) {
                    return self.leaf(Type::Int4);
                }
                int(tree!["(", a.node, " - ", b.node, ")"], 1e7)
            }
            10 => {
                let wide = self.expr(Type::Numeric, depth - 1);
                if wide.bound > Type::Int4.limit() {
                    return self.leaf(ty);
                }
                int(tree!["round(", wide.node, ")::int"], wide.bound + 1.0)
            }
            11 => int(tree!["(", self.boolean(depth - 1), ")::int"], 1.0),
            12 => {
                let array = self.expr(Type::Ints, depth - 1);
                match self.below(3) {
                    0 => int(tree!["cardinality(", array.node, ")"], 100.0),
                    1 => int(tree!["array_length(", array.node, ", 1)"], 100.0),
                    _ => int(tree!["(", array.node, ")[1]"], f64::INFINITY),
                }
            }
            13 => {
                let json = self.expr(Type::Jsonb, 0).node;
                let node = tree![
                    "case jsonb_typeof(",
                    &json,
                    ") when 'array' then jsonb_array_length(",
                    &json,
                    ") end"
                ];
                int(node, 100.0)
            }
            14 => {
                let a = self.expr(ty, depth - 1);
                if a.bound > a.ty.limit() {
                    return a;
                }
                let name = self.pick(&["abs(", "-(", "sign("]);
                let ty = if name == "sign(" { Type::Float } else { a.ty };
                if ty == Type::Float {
                    return int(tree!["sign(", a.node, ")::int"], 1.0);
                }
                Expr::new(tree![name, a.node, ")"], ty).bound(a.bound)
            }
            15 => match self.gathered() {
                Some(node) => int(node, 1e6),
                None => self.leaf(Type::Int4),
            },
            16 => {
                let a = self.expr(ty, depth - 1);
                let operator = self.pick(&[" & 6", " | 3", " # 5"]);
                let bound = a.bound + 8.0;
                if bound > a.ty.limit() {
                    return a;
                }
                Expr::new(tree!["(", a.node, operator, ")"], a.ty).bound(bound)
            }
            _ => {
                let a = self.expr(ty, depth - 1);
                let (node, bound) = (tree!["(", a.node, ")::bigint"], a.bound);
                match ty {
                    Type::Int8 => Expr::new(node, ty).bound(bound),
                    _ => self.leaf(ty),
                }
            }
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
