//! ORDER BY, LIMIT and their kin. A limit is put only where the order is total, or where it is known what else is defined.

use integration_tests::pair::{Parameter, Rows};

use crate::generator::Generator;
use crate::node::{Node, tree};
use crate::query::{Place, Select};
use crate::schema::Type;

/// Of a hundred orders, those that are made total.
const TOTAL_PERCENT: u64 = 88;

impl Generator {
    /// `keys` tell rows apart; without them and `fresh` the output itself does. `fresh`: there may be other expressions than
    /// those of the output.
    pub fn tail(
        &mut self,
        select: &Select,
        place: Place,
        keys: Option<Vec<Node>>,
        fresh: bool,
    ) -> Node {
        let ordered = match place {
            Place::Top => self.chance(62),
            Place::Derived => self.chance(20),
            Place::Single => true,
            Place::Arm | Place::Values => false,
        };
        if !ordered {
            if place == Place::Top && self.chance(4) {
                self.used("limit without an order");
                let rows = 1 + self.below(8);
                return tree![format!(" limit {rows}")].defines(Rows::Counted);
            }
            return Node::nothing();
        }
        self.used("order by");
        let whole = !fresh;
        let output_is_key = whole && select.outputs.iter().all(|output| output.expr.exact);
        let can_be_total = keys.is_some() || output_is_key;
        let ties = select.ties;
        let total = can_be_total && (place == Place::Single || self.chance(TOTAL_PERCENT));
        let mut order = self.leading(select, fresh);
        if total {
            let rest = keys.unwrap_or_else(|| {
                let count = select.outputs.len();
                (1..=count).map(|n| tree![n.to_string()]).collect()
            });
            for key in rest {
                order.push(self.directed(key));
            }
        }
        let order = tree![" order by ", Node::joined(order, ", ")];
        match (place, total) {
            (Place::Single, true) => {
                self.used("limit");
                tree![order, " limit 1"]
            }
            // Whatever row comes first: not to be sent.
            (Place::Single, false) => tree![" limit 0"],
            (Place::Top, true) => {
                let limit = self.limit(place, true, ties);
                tree![order, limit].defines(Rows::Ordered).optional()
            }
            (_, true) => {
                let limit = self.limit(place, true, ties);
                tree![order, limit].optional()
            }
            (Place::Top, false) if self.chance(12) => {
                self.used("limit of a partial order");
                let rows = 1 + self.below(8);
                tree![order, format!(" limit {rows}")]
                    .defines(Rows::Counted)
                    .optional()
            }
            (_, false) => {
                let limit = self.limit(place, false, ties);
                tree![order, limit].optional()
            }
        }
    }

    /// What the order begins with.
    fn leading(&mut self, select: &Select, fresh: bool) -> Vec<Node> {
        let count = match fresh {
            true => self.below(3),
            false => self.below(2),
        };
        let mut order = Vec::new();
        for _ in 0..=count {
            let output = match select.outputs.is_empty() {
                true => None,
                false => Some(self.below(select.outputs.len() as u64) as usize),
            };
            let sortable = output.filter(|number| select.outputs[*number].expr.ty != Type::Json);
            let piece = match (self.below(3), sortable) {
                (0, Some(number)) => {
                    self.used("order by an ordinal");
                    tree![(number + 1).to_string()]
                }
                (1, Some(number)) if select.outputs[number].alias.is_some() => {
                    self.used("order by an alias");
                    let alias = select.outputs[number].alias.clone();
                    tree![alias.expect("it has one")]
                }
                (_, Some(number)) if !fresh => tree![(number + 1).to_string()],
                (_, None) if !fresh => continue,
                _ => {
                    let depth = self.below(3) as u32;
                    let expr = self.of_column(depth);
                    match expr.ty == Type::Text && self.chance(15) {
                        true => tree!["(", expr.node, ") collate \"C\""],
                        false => expr.node,
                    }
                }
            };
            order.push(self.directed(piece));
        }
        if order.is_empty() {
            order.push(tree!["1"]);
        }
        order
    }

    pub fn directed(&mut self, node: Node) -> Node {
        let direction = self.weighted(&[
            (45, ""),
            (8, " asc"),
            (25, " desc"),
            (7, " nulls first"),
            (8, " desc nulls last"),
            (3, " asc nulls last"),
        ]);
        if direction.contains("nulls") {
            self.used("nulls first, last");
        }
        tree![node, direction]
    }

    /// How many rows, if not all. Without a total order only what takes rows that compare equal together.
    pub fn limit(&mut self, place: Place, total: bool, ties: bool) -> Node {
        let likely = if place == Place::Top { 38 } else { 60 };
        if !self.chance(likely) {
            return Node::nothing();
        }
        let count = 1 + self.below(12);
        let node = match self.below(14) {
            _ if !total && !ties => return Node::nothing(),
            _ if !total => {
                self.used("with ties");
                tree![format!(" fetch first {count} rows with ties")]
            }
            0 if ties => {
                self.used("with ties");
                tree![format!(" fetch first {count} rows with ties")]
            }
            1 => {
                self.used("fetch first");
                tree![format!(" fetch first {count} rows only")]
            }
            2..5 => {
                self.used("offset");
                let skipped = self.count(3);
                tree![format!(" limit {count} offset "), skipped]
            }
            5 => {
                self.used("offset");
                tree![" offset 2 limit 3"]
            }
            6 => {
                self.used("offset alone");
                tree![" offset ", self.count(5)]
            }
            7 => {
                self.used("limit of nothing");
                tree![self.pick(&[
                    " limit all",
                    " limit null",
                    " limit 0",
                    " offset 0",
                    " limit 2 + 1"
                ])]
            }
            _ => {
                self.used("limit");
                tree![" limit ", self.count(count)]
            }
        };
        node.optional()
    }

    fn count(&mut self, count: u64) -> Node {
        match self.chance(self.parameters) {
            true => self.parameter(Parameter::new(20, Some(&count.to_string())), "bigint"),
            false => tree![count.to_string()],
        }
    }
}
