//! FROM clauses: sources beside and joined to each other, with an eye on how many rows that makes.

use crate::generator::{Expr, Generator, Scope};
use crate::node::{Node, tree};
use crate::schema::Type;
use crate::source::{Draft, Restrict, Source};

/// A FROM clause.
pub struct From {
    pub node: Node,
    pub sources: Vec<Source>,
    /// Conditions that WHERE must have.
    pub required: Vec<Node>,
    pub rows: f64,
    /// Names that USING made one column of.
    merged: Vec<String>,
}

impl From {
    /// What tells its rows apart, as [`Source::key`].
    pub fn keys(&self) -> Option<Vec<Expr>> {
        let mut keys = Vec::new();
        for source in &self.sources {
            for column in source.key.as_ref()? {
                keys.push(source.expr(&source.columns[*column]));
            }
        }
        Some(keys)
    }

    pub fn is_unique(&self) -> bool {
        self.sources.iter().all(|source| source.unique)
    }

    /// Everything in sight.
    fn atoms(&self) -> Vec<Expr> {
        let mut atoms = atoms(&self.sources);
        for name in &self.merged {
            if let Some(column) = self.sources.iter().find_map(|source| source.column(name)) {
                atoms.push(Expr {
                    node: Node::Text(name.clone()),
                    ..column
                });
            }
        }
        atoms
    }
}

fn atoms(sources: &[Source]) -> Vec<Expr> {
    let columns = |source: &Source| -> Vec<Expr> {
        let columns = source.columns.iter();
        columns.map(|column| source.expr(column)).collect()
    };
    sources.iter().flat_map(columns).collect()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Join {
    Inner,
    Left,
    Right,
    Full,
    Cross,
}

const JOINS: [(u64, Join); 5] = [
    (48, Join::Inner),
    (25, Join::Left),
    (9, Join::Right),
    (9, Join::Full),
    (9, Join::Cross),
];

/// How two sides are tied.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tie {
    Key,
    KeyAndMatch,
    OtherColumns,
    Anything,
    Nothing,
}

const KEY: &str = "organization_id";
const MATCH: &str = "match_id";

impl Generator {
    /// Leaves a scope with everything that it reads.
    pub fn from(&mut self) -> From {
        self.scopes.push(Scope::default());
        let mut from = From {
            node: Node::nothing(),
            sources: Vec::new(),
            required: Vec::new(),
            rows: 1.0,
            merged: Vec::new(),
        };
        let items = match self.depth {
            0 | 1 => self.weighted(&[(82, 1), (15, 2), (3, 3)]),
            _ => 1,
        };
        let mut pieces = Vec::new();
        for _ in 0..items {
            if let Some(item) = self.item(&mut from) {
                pieces.push(item);
            }
        }
        from.node = Node::list(pieces, ", ");
        from
    }

    fn show(&mut self, from: &From) {
        let (atoms, rows) = (from.atoms(), from.rows);
        *self.scope() = Scope { atoms, rows };
    }

    /// One piece between commas.
    fn item(&mut self, from: &mut From) -> Option<Node> {
        let start = from.sources.len();
        let mut draft = self.source(start > 0);
        let mut tie = Tie::Nothing;
        if start > 0 {
            tie = self.tie(&from.sources, &draft.source, false);
            if !self.fits(from, &mut draft, tie) {
                return None;
            }
            self.used("comma in from");
        }
        let rows_max = self.rows_max(from, tie);
        let (mut node, condition) = self.finish(&mut draft, rows_max, Restrict::Beside);
        from.required.extend(condition);
        if tie != Tie::Nothing {
            let condition = self.condition(&from.sources, &draft.source, tie);
            from.required.push(condition);
        }
        self.add(from, draft, tie, None);
        let joins = match self.depth {
            0 => self.weighted(&[(40, 0), (38, 1), (16, 2), (6, 3)]),
            _ => self.weighted(&[(62, 0), (30, 1), (8, 2)]),
        };
        for _ in 0..joins {
            node = self.join(from, start, node);
        }
        Some(node)
    }

    /// Joins something to what there is since `start`.
    fn join(&mut self, from: &mut From, start: usize, left: Node) -> Node {
        let mut draft = self.source(true);
        let mut join = self.weighted(&JOINS);
        if draft.is_lateral && matches!(join, Join::Right | Join::Full) {
            join = Join::Left;
        }
        let here = from.sources[start..].to_vec();
        let mut tie = match join {
            Join::Cross => Tie::Nothing,
            _ => self.tie(&here, &draft.source, join == Join::Full),
        };
        if draft.is_lateral && self.chance(60) {
            tie = Tie::Nothing;
        }
        if join == Join::Full && !matches!(tie, Tie::Key | Tie::KeyAndMatch | Tie::OtherColumns) {
            join = Join::Left;
        }
        if !self.fits(from, &mut draft, tie) {
            return left;
        }
        let restrict = match join {
            Join::Inner | Join::Cross => Restrict::Beside,
            _ => Restrict::Within,
        };
        let rows_max = self.rows_max(from, tie);
        let (right, condition) = self.finish(&mut draft, rows_max, restrict);
        from.required.extend(condition);
        self.used(match join {
            Join::Inner => "inner join",
            Join::Left => "left join",
            Join::Right => "right join",
            Join::Full => "full join",
            Join::Cross => "cross join",
        });
        let word = match join {
            Join::Inner => self.pick(&[" join ", " inner join "]),
            Join::Left => self.pick(&[" left join ", " left outer join "]),
            Join::Right => " right join ",
            Join::Full => " full join ",
            Join::Cross => " cross join ",
        };
        if join == Join::Cross {
            self.add(from, draft, tie, None);
            return tree![&left, word, right].or(vec![left]);
        }
        if let Some(names) = self.common(from, start, &draft.source, tie) {
            return self.using(from, draft, (left, word, right), tie, names);
        }
        let condition = self.on(&here, &draft.source, tie, join);
        let second = match draft.is_lateral || !self.chance(10) {
            true => None,
            false => self.bracketed(from, &draft.source, tie),
        };
        self.add(from, draft, tie, None);
        let right = match second {
            Some((second, tie, node)) => {
                self.add(from, second, tie, None);
                tree!["(", right, node, ")"]
            }
            None => right,
        };
        tree![&left, word, right, " on ", condition].or(vec![left])
    }

    /// Something joined to the right side before that is joined to the left one.
    fn bracketed(&mut self, from: &From, first: &Source, tie: Tie) -> Option<(Draft, Tie, Node)> {
        let mut draft = self.source(false);
        let beside = std::slice::from_ref(first);
        let second_tie = self.tie(beside, &draft.source, false);
        let rows = estimate(from.rows, first.rows, tie);
        let fewest = self.fewest(&draft);
        if estimate(rows, fewest, second_tie) > self.product_max * 2.0 {
            return None;
        }
        self.used("join in brackets");
        let (node, _) = self.finish(&mut draft, fewest, Restrict::Within);
        let word = self.pick(&[" join ", " left join "]);
        let condition = self.condition(beside, &draft.source, second_tie);
        let node = tree![word, node, " on ", condition];
        Some((draft, second_tie, node))
    }

    /// USING or NATURAL.
    fn using(
        &mut self,
        from: &mut From,
        draft: Draft,
        (left, word, right): (Node, &'static str, Node),
        tie: Tie,
        (names, all): (Vec<String>, bool),
    ) -> Node {
        let natural = all && self.chance(30);
        self.used(if natural { "natural join" } else { "using" });
        let node = match natural {
            true => tree![&left, " natural", word, right],
            false => tree![&left, word, right, format!(" using ({})", names.join(", "))],
        };
        self.add(from, draft, tie, Some(&names));
        node.or(vec![left])
    }

    fn add(&mut self, from: &mut From, draft: Draft, tie: Tie, using: Option<&[String]>) {
        let source = draft.source;
        from.rows = estimate(from.rows, source.rows, tie);
        let has = |name: &String| source.columns.iter().any(|column| column.name == *name);
        from.merged
            .retain(|name| !has(name) || using.is_some_and(|names| names.contains(name)));
        from.sources.push(source);
        for name in using.unwrap_or_default() {
            if !from.merged.contains(name) {
                from.merged.push(name.clone());
            }
        }
        self.show(from);
    }

    /// How many rows of the next source are not too many.
    fn rows_max(&self, from: &From, tie: Tie) -> f64 {
        let room = self.product_max / from.rows.max(1.0);
        match tie {
            Tie::Key => room * 40.0,
            Tie::KeyAndMatch => f64::INFINITY,
            Tie::OtherColumns => room * 4.0,
            Tie::Anything | Tie::Nothing if from.sources.is_empty() => f64::INFINITY,
            Tie::Anything | Tie::Nothing => room,
        }
    }

    /// Whether there is a way to join it that does not make too many rows.
    fn fits(&mut self, from: &From, draft: &mut Draft, tie: Tie) -> bool {
        let rows_max = self.rows_max(from, tie) * 2.0;
        draft.source.rows <= rows_max || self.fewest(draft) <= rows_max
    }

    fn tie(&mut self, left: &[Source], right: &Source, full: bool) -> Tie {
        let both = |name| {
            right.column(name).is_some() && left.iter().any(|source| source.column(name).is_some())
        };
        let keyed = both(KEY);
        let tie = self.weighted(&[
            (if keyed { 40 } else { 0 }, Tie::Key),
            (if keyed && both(MATCH) { 80 } else { 0 }, Tie::KeyAndMatch),
            (30, Tie::OtherColumns),
            (if full { 0 } else { 12 }, Tie::Anything),
            (if full { 0 } else { 6 }, Tie::Nothing),
        ]);
        match tie {
            Tie::OtherColumns if same_types(left, right).is_empty() => Tie::Anything,
            tie => tie,
        }
    }

    /// Names for USING, and whether they are all that both sides have.
    fn common(
        &mut self,
        from: &From,
        start: usize,
        right: &Source,
        tie: Tie,
    ) -> Option<(Vec<String>, bool)> {
        let names = match tie {
            Tie::Key => vec![KEY.to_owned()],
            Tie::KeyAndMatch => vec![KEY.to_owned(), MATCH.to_owned()],
            _ => return None,
        };
        if start > 0 || !self.chance(35) {
            return None;
        }
        let count = |name: &str| {
            let sources = from.sources.iter();
            let known = sources.filter(|source| source.column(name).is_some());
            known.count()
        };
        let single = |name: &String| from.merged.contains(name) || count(name) == 1;
        let mut shared: Vec<_> = right.columns.iter().map(|column| &column.name).collect();
        shared.retain(|name| count(name) > 0);
        let all = shared.len() == names.len();
        names.iter().all(single).then_some((names, all))
    }

    fn on(&mut self, left: &[Source], right: &Source, tie: Tie, join: Join) -> Node {
        let condition = self.condition(left, right, tie);
        if join == Join::Full || !self.chance(22) {
            return condition;
        }
        // ON sees what it joins, and nothing else of this level.
        let sources = [left, std::slice::from_ref(right)].concat();
        let rows = self.scope().rows;
        let shown = Scope {
            atoms: atoms(&sources),
            rows,
        };
        let whole = std::mem::replace(self.scope(), shown);
        self.used("more in on");
        let more = self.boolean(1);
        *self.scope() = whole;
        tree![&condition, " and ", more].or(vec![condition])
    }

    fn condition(&mut self, left: &[Source], right: &Source, tie: Tie) -> Node {
        let equal = |name: &str| {
            let ours = right.column(name).expect("both have it");
            let theirs = left.iter().rev().find_map(|source| source.column(name));
            tree![theirs.expect("both have it").node, " = ", ours.node]
        };
        match tie {
            Tie::Key => {
                self.used("join on the key");
                equal(KEY)
            }
            Tie::KeyAndMatch => {
                self.used("join on the key and more");
                tree![equal(KEY), " and ", equal(MATCH)]
            }
            Tie::OtherColumns => {
                self.used("join on other columns");
                let pairs = same_types(left, right);
                let (a, b) = pairs[self.below(pairs.len() as u64) as usize].clone();
                tree![a, " = ", b]
            }
            Tie::Anything => {
                let pairs = same_types(left, right);
                if pairs.is_empty() {
                    return tree!["true"];
                }
                self.used("join on an inequality");
                let (a, b) = pairs[self.below(pairs.len() as u64) as usize].clone();
                let operator = self.pick(&[" < ", " <> ", " >= ", " is distinct from "]);
                tree![a, operator, b]
            }
            Tie::Nothing => tree![self.pick(&["true", "1 = 1"])],
        }
    }
}

/// Columns of both sides that can be compared.
fn same_types(left: &[Source], right: &Source) -> Vec<(Node, Node)> {
    let mut pairs = Vec::new();
    for a in left.iter().flat_map(|source| {
        let columns = source.columns.iter();
        columns.map(|column| source.expr(column))
    }) {
        for column in &right.columns {
            let alike = a.ty == column.ty || a.ty.is_integer() && column.ty.is_integer();
            if alike && a.ty != Type::Json {
                pairs.push((a.node.clone(), right.expr(column).node));
            }
        }
    }
    pairs
}

fn estimate(left: f64, right: f64, tie: Tie) -> f64 {
    match tie {
        Tie::Key => (left * right / 40.0).max(left).max(right),
        Tie::KeyAndMatch => left.max(right) * 2.0,
        Tie::OtherColumns => (left * right / 4.0).max(left).max(right),
        Tie::Anything | Tie::Nothing => left * right,
    }
}
