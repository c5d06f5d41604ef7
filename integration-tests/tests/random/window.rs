//! Window functions. Those that depend on which of equal rows comes first get an order that is total.

use crate::generator::{Expr, Generator};
use crate::node::{Node, tree};
use crate::query::{Output, Place, Select};
use crate::schema::Type;

/// Of a hundred lists, those with a window function.
const WINDOW_PERCENT: u64 = 13;

/// Frames that only mean something where the order is total.
const FRAMES: [&str; 7] = [
    "",
    " rows between 2 preceding and current row",
    " rows between unbounded preceding and unbounded following",
    " rows between current row and 1 following",
    " groups between 1 preceding and 1 following",
    " rows between 3 preceding and 1 preceding",
    " rows between unbounded preceding and current row exclude current row",
];

impl Generator {
    /// Puts window functions beside the outputs. `keys`: as of [`Source`](crate::source::Source); `unique`: no two rows have
    /// the same.
    pub fn add_windows(
        &mut self,
        select: &mut Select,
        wanted: Option<&[Type]>,
        place: Place,
        keys: Option<&[Expr]>,
        unique: bool,
    ) {
        if wanted.is_some() || !matches!(place, Place::Top | Place::Derived) {
            return;
        }
        if !self.chance(WINDOW_PERCENT) {
            return;
        }
        self.used("window function");
        let keys = keys.filter(|_| unique);
        for _ in 0..1 + self.below(2) {
            let (expr, named) = self.window(keys);
            select.windows.extend(named);
            let alias = self.name("c");
            select.outputs.push(Output {
                expr,
                alias: Some(alias),
            });
        }
    }

    /// The call, and the window's definition where it has a name.
    fn window(&mut self, keys: Option<&[Expr]>) -> (Expr, Option<Node>) {
        let mut partition = Node::nothing();
        if self.chance(60) {
            let by = self.of_column(1).node;
            partition = tree!["partition by ", by, " "].optional();
        }
        let first = self.of_column(1).node;
        let mut order = vec![self.directed(first)];
        let total = keys.is_some() && self.chance(70);
        if total {
            for key in keys.unwrap_or_default() {
                order.push(self.directed(key.node.clone()));
            }
        }
        let (call, frame) = match total {
            true => self.of_total_order(),
            false => (self.of_peers(), ""),
        };
        let spec = tree![partition, "order by ", Node::joined(order, ", "), frame];
        let call_node = call.node.clone();
        let over = |window: Node| Expr {
            node: tree![call_node, " over ", window],
            ..call.clone()
        };
        if self.chance(20) {
            self.used("named window");
            let name = self.name("w");
            let definition = tree![format!("{name} as ("), spec, ")"];
            return (over(tree![name]), Some(definition));
        }
        (over(tree!["(", spec, ")"]), None)
    }

    /// What is the same for rows that compare equal.
    fn of_peers(&mut self) -> Expr {
        let call = |node: Node, ty: Type| Expr::new(node, ty).bound(1e6);
        match self.below(6) {
            0 => call(tree!["rank()"], Type::Int8),
            1 => call(tree!["dense_rank()"], Type::Int8),
            2 => call(tree!["percent_rank()"], Type::Float),
            3 => call(tree!["cume_dist()"], Type::Float),
            4 => call(tree!["count(*)"], Type::Int8),
            _ => {
                let of = self.expr(Type::Int4, 1);
                let node = tree!["sum(", of.node, ")"];
                Expr::new(node, Type::Int8).bound(of.bound * 1e6)
            }
        }
    }

    fn of_total_order(&mut self) -> (Expr, &'static str) {
        let number = |node: Node| Expr::new(node, Type::Int8).bound(1e6);
        let frame = self.pick(&FRAMES);
        if !frame.is_empty() {
            self.used("window frame");
        }
        match self.below(9) {
            0..2 => (number(tree!["row_number()"]), ""),
            2 => (Expr::new(tree!["ntile(4)"], Type::Int4).bound(4.0), ""),
            3..5 => {
                self.used("lag, lead");
                let ty = self.some_type();
                let of = self.expr(ty, 1);
                let name = self.pick(&["lag", "lead"]);
                let offset = self.pick(&["", ", 1", ", 2"]);
                let call = Expr {
                    node: tree![name, "(", of.node, offset, ")"],
                    plain: false,
                    ..of
                };
                (call, "")
            }
            5 => {
                let ty = self.some_type();
                let of = self.expr(ty, 1);
                let (name, more) = self.pick(&[
                    ("first_value", ""),
                    ("last_value", ""),
                    ("nth_value", ", 2"),
                ]);
                let call = Expr {
                    node: tree![name, "(", of.node, more, ")"],
                    plain: false,
                    ..of
                };
                (call, frame)
            }
            6 => {
                let mut of = self.argument_of_extreme();
                of.node = tree![self.pick(&["min", "max"]), "(", of.node, ")"];
                of.plain = false;
                (of, frame)
            }
            7 => {
                let of = self.expr(Type::Int8, 1);
                let node = tree!["avg(", of.node, ")"];
                (Expr::new(node, Type::Numeric), frame)
            }
            _ => {
                let of = self.expr(Type::Int4, 1);
                let node = tree!["sum(", of.node, ")"];
                (Expr::new(node, Type::Int8).bound(of.bound * 1e6), frame)
            }
        }
    }

    fn argument_of_extreme(&mut self) -> Expr {
        let ty = self.some_type();
        match ty.has_extremes() {
            true => self.expr(ty, 1).made_exact(false),
            false => self.expr(Type::Int4, 1),
        }
    }
}
