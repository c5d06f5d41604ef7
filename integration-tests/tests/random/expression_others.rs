//! Expressions of texts, times, arrays and documents.

use crate::generator::{Expr, Generator};
use crate::node::{Node, tree};
use crate::schema::Type;

impl Generator {
    pub fn text(&mut self, depth: u32) -> Expr {
        let text = |node: Node| Expr::new(node, Type::Text);
        let a = self.expr(Type::Text, depth - 1).node;
        match self.below(22) {
            0..4 => {
                self.used("||");
                let b = self.expr(Type::Text, depth - 1).node;
                text(tree!["(", &a, " || ", &b, ")"].or(vec![a, b]))
            }
            4 => {
                let ty = self.pick(&[Type::Int4, Type::Int8]);
                let b = self.expr(ty, depth - 1).node;
                text(tree!["((", a, ")::text || ", b, ")"])
            }
            5 => {
                let name = self.pick(&["upper", "lower", "initcap", "reverse", "md5", "btrim"]);
                text(tree![name, "(", a, ")"])
            }
            6 => text(tree!["substr(", a, format!(", {}, 3)", self.below(4))]),
            7 => {
                let name = self.pick(&["left", "right"]);
                text(tree![name, "(", a, format!(", {})", self.below(5))])
            }
            8 => text(tree!["replace(", a, ", 'a', 'oo')"]),
            9 => text(tree!["lpad(", a, format!(", {}, '*')", self.below(9))]),
            10 => text(tree!["split_part(", a, ", ' ', 2)"]),
            11 => text(tree!["regexp_replace(", a, ", '[aeiou]', '', 'g')"]),
            12 => text(tree!["translate(", a, ", 'abc', 'xyz')"]),
            13..15 => {
                let (x, y) = (self.some_type(), self.some_type());
                let (x, y) = (self.expr(x, depth - 1).node, self.expr(y, depth - 1).node);
                match self.below(3) {
                    0 => text(tree!["concat(", x, ", ", y, ")"]),
                    1 => text(tree!["concat_ws('|', ", x, ", ", a, ", ", y, ")"]),
                    _ => text(tree!["format('%s-%s', ", x, ", ", y, ")"]),
                }
            }
            15..18 => {
                let ty = self.some_type();
                self.used("cast to text");
                let x = self.expr(ty, depth - 1).node;
                text(tree!["(", x, ")::text"])
            }
            18 => {
                let ty = self.pick(&[Type::Date, Type::Timestamp]);
                let x = self.expr(ty, depth - 1).node;
                text(tree!["to_char(", x, ", 'YYYY-MM-DD')"])
            }
            19 => {
                let json = self.expr(Type::Jsonb, depth - 1).node;
                let accessor = self.pick(&[" ->> 'a'", " #>> '{a,b}'", " ->> 0"]);
                text(tree!["(", json, accessor, ")"])
            }
            20 => {
                let json = self.expr(Type::Jsonb, depth - 1).node;
                text(tree!["jsonb_typeof(", json, ")"])
            }
            _ => {
                let array = self.expr(Type::Texts, depth - 1).node;
                text(tree!["array_to_string(", array, ", ',', '*')"])
            }
        }
    }

    pub fn date(&mut self, depth: u32) -> Expr {
        match self.below(3) {
            0 => {
                let date = self.expr(Type::Date, depth - 1);
                let days = self.expr(Type::Int4, depth - 1);
                if days.bound > 20_000.0 {
                    return date;
                }
                let operator = self.pick(&[" + ", " - "]);
                Expr::new(tree!["(", date.node, operator, days.node, ")"], Type::Date)
                    .bound(date.bound)
            }
            1 => {
                let ty = self.pick(&[Type::Timestamp, Type::Timestamptz]);
                let time = self.expr(ty, depth - 1);
                Expr::new(tree!["(", time.node, ")::date"], Type::Date).bound(time.bound)
            }
            _ => self.leaf(Type::Date),
        }
    }

    pub fn timestamp(&mut self, depth: u32) -> Expr {
        let made = |node: Node, of: &Expr| Expr::new(node, Type::Timestamp).bound(of.bound);
        match self.below(4) {
            0 => {
                let time = self.expr(Type::Timestamp, depth - 1);
                let unit = self.pick(&["hour", "day", "month", "year"]);
                made(
                    tree![format!("date_trunc('{unit}', "), &time.node, ")"],
                    &time,
                )
            }
            1 => {
                let date = self.expr(Type::Date, depth - 1);
                made(tree!["(", &date.node, ")::timestamp"], &date)
            }
            2 => {
                let time = self.expr(Type::Timestamptz, depth - 1);
                let zone = self.pick(&["UTC", "Europe/Berlin", "America/New_York"]);
                made(
                    tree!["(", &time.node, format!(" at time zone '{zone}')")],
                    &time,
                )
            }
            _ => {
                let time = self.expr(Type::Timestamp, depth - 1);
                made(tree!["(", &time.node, " + interval '36 hours')"], &time)
            }
        }
    }

    pub fn timestamptz(&mut self, depth: u32) -> Expr {
        let made = |node: Node, of: &Expr| Expr::new(node, Type::Timestamptz).bound(of.bound);
        match self.below(3) {
            0 => {
                let time = self.expr(Type::Timestamptz, depth - 1);
                let unit = self.pick(&["minute", "day", "week", "quarter"]);
                made(
                    tree![format!("date_trunc('{unit}', "), &time.node, ")"],
                    &time,
                )
            }
            1 => {
                let time = self.expr(Type::Timestamp, depth - 1);
                made(
                    tree!["(", &time.node, " at time zone 'Asia/Kolkata')"],
                    &time,
                )
            }
            _ => {
                let time = self.expr(Type::Timestamptz, depth - 1);
                made(tree!["(", &time.node, " - interval '1 month')"], &time)
            }
        }
    }

    pub fn interval(&mut self, depth: u32) -> Expr {
        let interval = |node: Node| Expr::new(node, Type::Interval);
        match self.below(3) {
            0 => {
                let ty = self.pick(&[Type::Timestamp, Type::Timestamptz]);
                let (a, b) = (self.expr(ty, depth - 1), self.expr(ty, depth - 1));
                if !(a.is_finite() && b.is_finite()) {
                    return self.leaf(Type::Interval);
                }
                interval(tree!["(", a.node, " - ", b.node, ")"])
            }
            1 => {
                let a = self.expr(Type::Interval, depth - 1);
                let name = self.pick(&["justify_hours", "justify_days", "justify_interval"]);
                interval(tree![name, "(", a.node, ")"])
            }
            _ => {
                let days = self.expr(Type::Int4, depth - 1);
                if days.bound > 1e6 {
                    return self.leaf(Type::Interval);
                }
                interval(tree!["(", days.node, " * interval '1 day')"])
            }
        }
    }

    pub fn bytea(&mut self, depth: u32) -> Expr {
        let text = self.expr(Type::Text, depth - 1).node;
        let node = match self.below(3) {
            0 => tree!["convert_to(", text, ", 'UTF8')"],
            1 => tree!["decode(md5(", text, "), 'hex')"],
            _ => tree!["substr(", self.expr(Type::Bytea, depth - 1).node, ", 2)"],
        };
        Expr::new(node, Type::Bytea)
    }

    pub fn ints(&mut self, depth: u32) -> Expr {
        let (a, b) = (
            self.expr(Type::Int4, depth - 1),
            self.expr(Type::Int4, depth - 1),
        );
        self.used("array constructor");
        let node = tree!["array[(", a.node, ")::int, (", b.node, ")::int]"];
        Expr::new(node, Type::Ints)
    }

    pub fn texts(&mut self, depth: u32) -> Expr {
        let a = self.expr(Type::Text, depth - 1).node;
        let node = match self.below(2) {
            0 => tree!["string_to_array(", a, ", ' ')"],
            _ => {
                let b = self.expr(Type::Text, depth - 1).node;
                tree!["array[(", a, ")::text, (", b, ")::text]"]
            }
        };
        Expr::new(node, Type::Texts)
    }

    pub fn jsonb(&mut self, depth: u32) -> Expr {
        self.used("jsonb");
        let json = |node: Node| Expr::new(node, Type::Jsonb);
        match self.below(4) {
            0 => {
                let a = self.expr(Type::Jsonb, depth - 1).node;
                let accessor = self.pick(&[" -> 'a'", " -> 0", " #> '{a,b}'"]);
                json(tree!["(", a, accessor, ")"])
            }
            1 => {
                let ty = self.some_type();
                let a = self.expr(ty, depth - 1).node;
                json(tree!["jsonb_build_object('k', ", a, ")"]).exact(false)
            }
            2 => {
                let ty = self.some_type();
                let a = self.expr(ty, depth - 1).node;
                json(tree!["to_jsonb(", a, ")"]).exact(false)
            }
            _ => {
                let a = self.expr(Type::Int4, depth - 1).node;
                json(tree!["jsonb_build_array(", a, ", null)"])
            }
        }
    }

    pub fn json(&mut self, depth: u32) -> Expr {
        self.used("json");
        let ty = self.some_type();
        let a = self.expr(ty, depth - 1).node;
        let node = match self.below(3) {
            0 => tree!["to_json(", a, ")"],
            1 => tree!["json_build_object('k', ", a, ")"],
            _ => tree!["json_build_array(", a, ", 1)"],
        };
        Expr::new(node, Type::Json)
    }
}
