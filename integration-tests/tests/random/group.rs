//! Groups and aggregates.

use crate::generator::{Expr, Generator, Scope};
use crate::node::{Node, tree};
use crate::query::{Body, Place, Query, Select};
use crate::schema::Type;

/// How the groups are written in GROUP BY.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Written {
    Expressions,
    /// By the places of the outputs, which then begin with them.
    Ordinals,
    Sets,
}

impl Generator {
    pub fn grouped(&mut self, wanted: Option<&[Type]>, place: Place, body: Body) -> Query {
        let from = self.from();
        let filter = self.filter(&from);
        let has_filter = !filter.text().sql.is_empty();
        let rows = self.scope().rows;
        let keys = from.keys();
        let groups = self.groups(body);
        self.used(match body {
            Body::Aggregated => "aggregates of all rows",
            Body::GroupingSets => "grouping sets",
            _ => "group by",
        });
        let aggregates = self.aggregates(wanted, body, keys.as_deref());
        let sets = body == Body::GroupingSets;
        let markers: Vec<Expr> = match sets {
            true => groups.iter().map(grouping).collect(),
            false => Vec::new(),
        };
        let atoms = [&groups[..], &aggregates, &markers].concat();
        *self.scope() = Scope { atoms, rows };
        let written = match (sets, wanted) {
            (true, _) => Written::Sets,
            // Of an arm the outputs may be wrapped.
            (false, None) if place != Place::Arm && self.chance(25) => Written::Ordinals,
            _ => Written::Expressions,
        };
        let mut outputs = self.outputs_of_groups(wanted, place, &groups, &aggregates, written);
        if outputs.is_empty() {
            outputs = self.outputs(wanted, place);
        }
        let having = match !aggregates.is_empty() && self.chance(25) {
            true => {
                self.used("having");
                let depth = self.below(2) as u32;
                tree![" having ", self.boolean(depth)].optional()
            }
            false => Node::nothing(),
        };
        let group_by = self.group_by(&groups, written);
        let outputs = self.named(outputs, place);
        let mut select = Select {
            distinct: Node::nothing(),
            outputs,
            star: None,
            rest: tree![" from ", &from.node, filter, group_by, having],
            windows: Vec::new(),
            // PostgreSQL 15 makes a subquery of min and max that inherits WITH TIES, and fails.
            ties: body == Body::Grouped,
        };
        let mut keys = Some([groups, markers].concat());
        if !sets {
            self.add_windows(&mut select, wanted, place, keys.as_deref(), true);
        } else if from.sources.len() > 1 || has_filter {
            // It takes columns that are equal before the sets are made for equal after that, and does not sort by the second.
            keys = None;
        }
        let rows = match body {
            Body::Aggregated => 1.0,
            _ => from.rows.min(100.0),
        };
        if body == Body::Aggregated {
            return self.ended_single(&select, place);
        }
        self.ended(&select, place, keys, rows, false)
    }

    fn groups(&mut self, body: Body) -> Vec<Expr> {
        if body == Body::Aggregated {
            return Vec::new();
        }
        let count = self.weighted(&[(50, 1), (38, 2), (12, 3)]);
        self.locally(|generator| {
            let group = |_| match body {
                // PostgreSQL 15 confuses an expression that a set leaves out with its value.
                Body::GroupingSets => generator.exact_column(),
                _ => {
                    let depth = generator.below(2) as u32;
                    generator.of_column(depth).made_exact(false)
                }
            };
            (0..count).map(group).collect()
        })
    }

    fn exact_column(&mut self) -> Expr {
        let column = self.atom(|atom| atom.exact && atom.ty != Type::Json);
        column.unwrap_or_else(|| self.of_column(0).made_exact(false))
    }

    /// Of all rows: one for each output, by which PostgreSQL knows that there are no groups.
    fn aggregates(
        &mut self,
        wanted: Option<&[Type]>,
        body: Body,
        keys: Option<&[Expr]>,
    ) -> Vec<Expr> {
        if let (Some(wanted), Body::Aggregated) = (wanted, body) {
            let of = |ty: &Type| self.locally(|generator| generator.aggregate_of(*ty));
            return wanted.iter().map(of).collect();
        }
        let count = self.weighted(&[(50, 1), (35, 2), (15, 3)]);
        (0..count)
            .map(|_| self.locally(|generator| generator.aggregate(keys)))
            .collect()
    }

    fn aggregate_of(&mut self, ty: Type) -> Expr {
        match ty {
            Type::Int8 if self.chance(50) => {
                self.used("count(*)");
                Expr::new(tree!["count(*)"], ty).bound(1e6)
            }
            Type::Numeric if self.chance(60) => match self.chance(50) {
                true => self.sum_of(Type::Int8),
                false => self.average(),
            },
            ty if ty.has_extremes() => {
                self.used("min, max");
                let of = self.expr(ty, 1).made_exact(false);
                let name = self.pick(&["min", "max"]);
                Expr {
                    node: tree![name, "(", of.node, ")"],
                    plain: false,
                    ..of
                }
            }
            Type::Bool => {
                self.used("bool_and, bool_or");
                Expr::new(tree!["bool_or(", self.boolean(1), ")"], ty)
            }
            ty => {
                let of = self.expr(ty, 1);
                let node = tree!["(array_agg(", &of.node, " order by ", &of.node, ")"];
                Expr::new(tree![node, ")[1]"], ty)
                    .bound(of.bound)
                    .exact(of.exact)
            }
        }
    }

    fn ended_single(&mut self, select: &Select, place: Place) -> Query {
        match place {
            Place::Single => {
                self.scopes.pop();
                Query {
                    node: select.node(),
                    columns: crate::query::columns(&select.outputs),
                    rows: 1.0,
                    unique: true,
                }
            }
            _ => self.ended(select, place, Some(Vec::new()), 1.0, true),
        }
    }

    /// Empty: made like those of other queries.
    fn outputs_of_groups(
        &mut self,
        wanted: Option<&[Type]>,
        place: Place,
        groups: &[Expr],
        aggregates: &[Expr],
        written: Written,
    ) -> Vec<Expr> {
        if wanted.is_some() {
            return match groups.is_empty() && place == Place::Arm {
                true => {
                    let aggregates = aggregates.iter().cloned();
                    aggregates.map(|of| of.made_exact(true)).collect()
                }
                false if groups.is_empty() => aggregates.to_vec(),
                false => Vec::new(),
            };
        }
        let mut outputs: Vec<Expr> = match written {
            Written::Ordinals => groups.to_vec(),
            _ => groups
                .iter()
                .filter(|_| self.random.chance(75))
                .cloned()
                .collect(),
        };
        for (number, aggregate) in aggregates.iter().enumerate() {
            // Without one and without groups it would be another query.
            let kept = number == 0 && groups.is_empty();
            match kept || self.chance(75) {
                true => outputs.push(aggregate.clone()),
                false => {
                    let depth = 1 + self.below(2) as u32;
                    let ty = self.some_type();
                    outputs.push(self.expr(ty, depth));
                }
            }
        }
        if place == Place::Derived {
            // A column that nothing can be done with is of no use there.
            let outputs = outputs.iter_mut();
            outputs
                .filter(|output| output.ty == Type::Json)
                .for_each(|output| {
                    *output = output.clone().made_exact(false);
                });
        }
        outputs
    }

    fn group_by(&mut self, groups: &[Expr], written: Written) -> Node {
        if groups.is_empty() {
            return Node::nothing();
        }
        let nodes: Vec<Node> = match written {
            Written::Ordinals => {
                self.used("group by an ordinal");
                (1..=groups.len()).map(|n| tree![n.to_string()]).collect()
            }
            _ => groups
                .iter()
                .map(|group| tree!["(", &group.node, ")"])
                .collect(),
        };
        let list = |nodes: &[Node]| Node::joined(nodes.to_vec(), ", ");
        if written != Written::Sets {
            return tree![" group by ", list(&nodes)];
        }
        let sets = match self.below(5) {
            0 => tree!["rollup (", list(&nodes), ")"],
            1 => tree!["cube (", list(&nodes), ")"],
            2 if nodes.len() > 1 => {
                let (first, rest) = nodes.split_at(1);
                tree![list(first), ", rollup (", list(rest), ")"]
            }
            3 => tree![
                "grouping sets ((",
                list(&nodes),
                "), (",
                &nodes[0],
                "), ())"
            ],
            _ => {
                let each: Vec<_> = nodes.iter().map(|node| tree!["(", node, ")"]).collect();
                tree!["grouping sets (", list(&each), ", ())"]
            }
        };
        tree![" group by ", sets]
    }

    /// An aggregate of the rows in sight.
    pub fn aggregate(&mut self, keys: Option<&[Expr]>) -> Expr {
        let made = match self.below(21) {
            0..3 => {
                let made = Expr::new(tree!["count(*)"], Type::Int8).bound(1e6);
                self.used("count(*)");
                made
            }
            3 => match self.float_sum() {
                Some(sum) => return sum,
                None => self.average(),
            },
            4 => {
                self.used("count");
                let distinct = self.pick(&["", "distinct "]);
                let of = self.argument(1);
                Expr::new(tree!["count(", distinct, of.node, ")"], Type::Int8).bound(1e6)
            }
            5..7 => self.sum(),
            7 => self.average(),
            8..11 => self.extreme(),
            11 => {
                self.used("bool_and, bool_or");
                let name = self.pick(&["bool_and", "bool_or", "every"]);
                Expr::new(tree![name, "(", self.boolean(1), ")"], Type::Bool)
            }
            12 => {
                self.used("bit_and, bit_or, bit_xor");
                let name = self.pick(&["bit_and", "bit_or", "bit_xor"]);
                let of = self.expr(Type::Int4, 1);
                let bound = if of.bound < 1e5 { 2e5 } else { f64::INFINITY };
                Expr::new(tree![name, "(", of.node, ")"], of.ty).bound(bound)
            }
            13..16 => self.list(keys),
            16 => {
                self.used("variance");
                let name = self.pick(&["stddev", "variance", "var_pop", "stddev_pop"]);
                let ty = self.pick(&[Type::Int4, Type::Int8]);
                let of = self.expr(ty, 1);
                Expr::new(tree![name, "(", of.node, ")"], Type::Numeric)
            }
            17 => self.ordered_set(),
            18..20 => return self.hypothetical(),
            _ => {
                self.used("regr_count");
                let (a, b) = (self.expr(Type::Int4, 1), self.expr(Type::Int4, 1));
                let node = tree!["regr_count(", a.node, ", ", b.node, ")"];
                Expr::new(node, Type::Int8).bound(1e6)
            }
        };
        if !self.chance(18) {
            return made;
        }
        self.used("filter");
        let condition = self.boolean(1);
        Expr {
            node: tree![
                made.node,
                tree![" filter (where ", condition, ")"].optional()
            ],
            ..made
        }
    }

    /// Something to aggregate, of a type that is sorted.
    fn argument(&mut self, depth: u32) -> Expr {
        let ty = self.some_type();
        self.expr(ty, depth)
    }

    fn sum(&mut self) -> Expr {
        let ty = self.pick(&[Type::Int4, Type::Int8, Type::Numeric]);
        self.sum_of(ty)
    }

    fn sum_of(&mut self, ty: Type) -> Expr {
        self.used("sum");
        let of = self.expr(ty, 1);
        let distinct = match self.chance(10) && of.ty != Type::Numeric {
            true => "distinct ",
            false => "",
        };
        let node = tree!["sum(", distinct, of.node, ")"];
        match of.ty {
            Type::Int2 | Type::Int4 => Expr::new(node, Type::Int8).bound(of.bound * 1e6),
            Type::Int8 => Expr::new(node, Type::Numeric)
                .bound(of.bound * 1e6)
                .exact(true),
            _ => Expr::new(node, Type::Numeric).bound(of.bound * 1e6),
        }
    }

    /// Of the floats whose sum is the same in any order: see `world.sql`.
    fn float_sum(&mut self) -> Option<Expr> {
        let atom = self.atom(|atom| atom.plain && atom.node.text().sql.ends_with(".double_n"))?;
        self.used("sum of floats");
        let sql = atom.node.text().sql;
        let alias = sql.trim_end_matches(".double_n");
        let name = self.pick(&["sum", "avg"]);
        // The sign of the NaN that opposite infinities make depends on the order, and is seen in binary.
        let node =
            format!("{name}({sql}) filter (where {alias}.reading_id < 900 and abs({sql}) < 1e9)");
        Some(Expr::new(tree![node], Type::Float))
    }

    fn average(&mut self) -> Expr {
        self.used("avg");
        let ty = self.pick(&[Type::Int4, Type::Int8, Type::Numeric]);
        let of = self.expr(ty, 1);
        let node = tree!["avg(", of.node, ")"];
        Expr::new(node, Type::Numeric).bound(of.bound)
    }

    fn extreme(&mut self) -> Expr {
        self.used("min, max");
        let mut of = self.argument(1);
        if !of.ty.has_extremes() {
            of = self.expr(Type::Text, 1);
        }
        let of = of.made_exact(false);
        let name = self.pick(&["min", "max"]);
        Expr {
            node: tree![name, "(", of.node, ")"],
            plain: false,
            ..of
        }
    }

    /// What puts values one after the other, in an order that is total.
    fn list(&mut self, keys: Option<&[Expr]>) -> Expr {
        let text = self.chance(60);
        let mut of = match text {
            true => self.expr(Type::Text, 1).made_exact(false),
            false => self.argument(1).made_exact(false),
        };
        if matches!(of.ty, Type::Ints | Type::Texts) {
            // Arrays of several lengths do not make an array.
            of = Expr::new(tree!["(", of.node, ")::text"], Type::Text);
        }
        let distinct = self.chance(15);
        let mut order = Vec::new();
        if !distinct {
            if self.chance(40) {
                order.push(self.of_column(1).node);
            }
            if let Some(keys) = keys
                && self.chance(60)
            {
                order.extend(keys.iter().map(|key| key.node.clone()));
            }
        }
        order.push(of.node.clone());
        let order: Vec<_> = order.into_iter().map(|node| self.directed(node)).collect();
        let order = Node::joined(order, ", ");
        let distinct = if distinct { "distinct " } else { "" };
        let (name, ty, more) = match (of.ty, text, self.below(4)) {
            (Type::Text, true, 0..3) => ("string_agg", Type::Text, ", ','"),
            (_, _, 0) => ("json_agg", Type::Json, ""),
            (_, _, 1) => ("jsonb_agg", Type::Jsonb, ""),
            (Type::Int4, ..) => ("array_agg", Type::Ints, ""),
            (Type::Text, ..) => ("array_agg", Type::Texts, ""),
            _ => ("array_agg", Type::Json, ""),
        };
        if !distinct.is_empty() {
            self.used("distinct in an aggregate");
        }
        self.used(name);
        // A varchar would make another array.
        let (of, order) = match (name, of.ty) {
            ("array_agg" | "string_agg", Type::Text) => (tree!["(", &of.node, ")::text"], order),
            _ => (of.node, order),
        };
        let order = match distinct.is_empty() {
            true => order,
            false => of.clone(),
        };
        let node = tree![name, "(", distinct, of, more, " order by ", order, ")"];
        Expr::new(node, ty).exact(matches!(ty, Type::Text | Type::Ints | Type::Texts))
    }

    fn ordered_set(&mut self) -> Expr {
        self.used("within group");
        let of = self.argument(1).made_exact(false);
        let direction = self.pick(&["", " desc"]);
        match self.below(3) {
            0 => {
                let node = tree!["mode() within group (order by ", of.node, direction, ")"];
                Expr {
                    node,
                    plain: false,
                    ..of
                }
            }
            1 => {
                let node = tree![
                    "percentile_disc(0.5) within group (order by ",
                    of.node,
                    direction,
                    ")"
                ];
                Expr {
                    node,
                    plain: false,
                    ..of
                }
            }
            _ => {
                let of = self.expr(Type::Int4, 1).node;
                let node = tree!["percentile_cont(0.25) within group (order by ", of, ")"];
                Expr::new(node, Type::Float)
            }
        }
    }

    fn hypothetical(&mut self) -> Expr {
        self.used("hypothetical rank");
        let of = self.expr(Type::Int4, 1);
        let value = self.pick(&["5", "100", "-1"]);
        let (name, ty) = self.pick(&[
            ("rank", Type::Int8),
            ("dense_rank", Type::Int8),
            ("percent_rank", Type::Float),
        ]);
        let node = tree![
            format!("{name}({value}) within group (order by "),
            of.node,
            ")"
        ];
        Expr::new(node, ty).bound(1e6)
    }
}

fn grouping(group: &Expr) -> Expr {
    Expr::new(tree!["grouping(", &group.node, ")"], Type::Int4).bound(1.0)
}
