//! Random queries, worked out here on all rows and on those of the shard the plan names: the answers are the same.

use super::super::scatter::{Otherwise, scatter};
use super::super::{Schema, plan};
use super::{catalogs, context, map};
use crate::plan::{Destination, Merge, Plan, Values};
use crate::shardmap::{KeyspaceIndex, ShardId, ShardMap};
use crate::types::KeyValue;

/// 5 and 6 are on the one shard, 1 on the other.
const VALUES: [i64; 3] = [5, 6, 1];
const STATEMENTS: usize = 1_500;

/// Both columns of a relation: `organization_id`, which is the key of tables, and `x`.
type Row = [Option<i64>; 2];
/// `matches` and `detections`.
type Data = [Vec<Row>; 2];

struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }

    fn of(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn value(&mut self) -> i64 {
        VALUES[if self.of(60) { 0 } else { self.below(3) }]
    }
}

/// A column of a relation by the number of its alias.
type Column = (usize, usize);

enum Relation {
    Table(usize),
    /// SELECTs combined by UNION ALL.
    Query(Vec<Select>),
}

enum Tree {
    Leaf(usize, Relation),
    Join(&'static str, Box<(Tree, Tree)>, Vec<Condition>),
}

enum Condition {
    Equal(Column, Column),
    Is(Column, Vec<i64>),
    Within(Column, Box<Select>),
    /// EXISTS, or NOT EXISTS where false, of the rows whose first column equals this one.
    Exists(bool, Column, Box<Select>),
    Either(Vec<Condition>, Vec<Condition>),
}

enum Output {
    Column(Column),
    Value(i64),
}

struct Select {
    distinct: bool,
    tree: Tree,
    conditions: Vec<Condition>,
    outputs: [Output; 2],
}

struct Maker {
    random: Random,
    aliases: usize,
}

impl Maker {
    fn select(&mut self, depth: usize) -> Select {
        let mut aliases = Vec::new();
        let joins = self.random.below(3);
        let tree = self.tree(joins, depth, &mut aliases);
        let count = 1 + self.random.below(2);
        let conditions = (0..count).map(|_| self.condition(&aliases, depth));
        let conditions = conditions.collect();
        let mut output = |key| match self.random.below(8) {
            0 => Output::Value(self.random.value()),
            _ => {
                let alias = aliases[self.random.below(aliases.len())];
                let column = if self.random.of(80) { key } else { 1 - key };
                Output::Column((alias, column))
            }
        };
        let outputs = [output(0), output(1)];
        Select {
            distinct: self.random.of(15),
            tree,
            conditions,
            outputs,
        }
    }

    fn tree(&mut self, joins: usize, depth: usize, aliases: &mut Vec<usize>) -> Tree {
        if joins == 0 {
            let relation = if depth > 0 && self.random.of(45) {
                let arms = if self.random.of(20) { 2 } else { 1 };
                Relation::Query((0..arms).map(|_| self.select(depth - 1)).collect())
            } else {
                Relation::Table(self.random.below(2))
            };
            self.aliases += 1;
            aliases.push(self.aliases);
            return Tree::Leaf(self.aliases, relation);
        }
        let mut own = Vec::new();
        let to_left = self.random.below(joins);
        let left = self.tree(to_left, depth, &mut own);
        let middle = own.len();
        let right = self.tree(joins - 1 - to_left, depth, &mut own);
        let kind = ["join", "left join", "right join", "full join"][self.random.below(4)];
        let mut on = Vec::new();
        if self.random.of(85) {
            let (left, right) = own.split_at(middle);
            let one = left[self.random.below(left.len())];
            let other = right[self.random.below(right.len())];
            on.push(Condition::Equal((one, 0), (other, 0)));
        }
        // PostgreSQL wants of a full join that it can be merged or hashed; the plan does not care.
        if self.random.of(40) || on.is_empty() {
            on.push(self.condition(&own, depth));
        }
        aliases.extend(own);
        Tree::Join(kind, Box::new((left, right)), on)
    }

    fn column(&mut self, aliases: &[usize]) -> Column {
        let alias = aliases[self.random.below(aliases.len())];
        (alias, usize::from(self.random.of(25)))
    }

    fn condition(&mut self, aliases: &[usize], depth: usize) -> Condition {
        let column = self.column(aliases);
        match self.random.below(10) {
            0..=4 => Condition::Is(column, vec![self.random.value()]),
            5 => Condition::Is(column, vec![self.random.value(), self.random.value()]),
            6 | 7 => Condition::Equal(column, self.column(aliases)),
            8 if depth > 0 && self.random.of(50) => {
                let exists = self.random.of(50);
                Condition::Exists(exists, column, Box::new(self.select(depth - 1)))
            }
            8 if depth > 0 => Condition::Within(column, Box::new(self.select(depth - 1))),
            _ => {
                let mut arm = || {
                    let mut arm = vec![Condition::Is(column, vec![self.random.value()])];
                    if self.random.of(50) {
                        arm.push(self.condition(aliases, 0));
                    }
                    arm
                };
                Condition::Either(arm(), arm())
            }
        }
    }
}

fn named((alias, column): Column) -> String {
    format!("t{alias}.{}", ["organization_id", "x"][column])
}

fn all(conditions: &[Condition]) -> String {
    let texts: Vec<_> = conditions.iter().map(Condition::text).collect();
    texts.join(" and ")
}

impl Condition {
    fn text(&self) -> String {
        match self {
            Self::Equal(one, other) => format!("{} = {}", named(*one), named(*other)),
            Self::Is(column, values) => {
                let values: Vec<_> = values.iter().map(ToString::to_string).collect();
                format!("{} in ({})", named(*column), values.join(", "))
            }
            Self::Within(column, select) => {
                format!(
                    "{} in (select organization_id from ({}) s)",
                    named(*column),
                    select.text()
                )
            }
            Self::Exists(exists, column, select) => {
                format!(
                    "{}exists (select from ({}) s where s.organization_id = {})",
                    if *exists { "" } else { "not " },
                    select.text(),
                    named(*column)
                )
            }
            Self::Either(one, other) => format!("({} or {})", all(one), all(other)),
        }
    }

    fn holds(&self, row: &Joined, data: &Data) -> bool {
        match self {
            Self::Equal(one, other) => {
                let (one, other) = (value(row, *one), value(row, *other));
                one.is_some() && one == other
            }
            Self::Is(column, values) => value(row, *column).is_some_and(|v| values.contains(&v)),
            Self::Within(column, select) => {
                let found = value(row, *column);
                found.is_some() && select.rows(data).iter().any(|row| row[0] == found)
            }
            Self::Exists(exists, column, select) => {
                let wanted = value(row, *column);
                let same = |row: &Row| wanted.is_some() && row[0] == wanted;
                select.rows(data).iter().any(same) == *exists
            }
            Self::Either(one, other) => {
                let all = |arm: &[Self]| arm.iter().all(|condition| condition.holds(row, data));
                all(one) || all(other)
            }
        }
    }
}

/// The rows of several relations side by side, by their aliases.
type Joined = Vec<(usize, Row)>;

fn value(row: &Joined, (alias, column): Column) -> Option<i64> {
    let found = row.iter().find(|(known, _)| *known == alias);
    found.expect("an alias in sight").1[column]
}

impl Tree {
    fn text(&self) -> String {
        match self {
            Self::Leaf(alias, Relation::Table(table)) => {
                format!("{} t{alias}", ["matches", "detections"][*table])
            }
            Self::Leaf(alias, Relation::Query(arms)) => {
                let arms: Vec<_> = arms.iter().map(Select::text).collect();
                format!("({}) t{alias}", arms.join(" union all "))
            }
            Self::Join(kind, sides, on) => {
                format!(
                    "({} {kind} {} on {})",
                    sides.0.text(),
                    sides.1.text(),
                    all(on)
                )
            }
        }
    }

    fn aliases(&self) -> Vec<usize> {
        match self {
            Self::Leaf(alias, _) => vec![*alias],
            Self::Join(_, sides, _) => [sides.0.aliases(), sides.1.aliases()].concat(),
        }
    }

    fn rows(&self, data: &Data) -> Vec<Joined> {
        match self {
            Self::Leaf(alias, relation) => {
                let rows = match relation {
                    Relation::Table(table) => data[*table].clone(),
                    Relation::Query(arms) => arms.iter().flat_map(|arm| arm.rows(data)).collect(),
                };
                rows.into_iter().map(|row| vec![(*alias, row)]).collect()
            }
            Self::Join(kind, sides, on) => {
                let (lefts, rights) = (sides.0.rows(data), sides.1.rows(data));
                let nulls = |tree: &Self| -> Joined {
                    let aliases = tree.aliases().into_iter();
                    aliases.map(|alias| (alias, [None, None])).collect()
                };
                let mut rows = Vec::new();
                let mut met = vec![false; rights.len()];
                for left in &lefts {
                    let before = rows.len();
                    for (at, right) in rights.iter().enumerate() {
                        let row = [left.clone(), right.clone()].concat();
                        if on.iter().all(|condition| condition.holds(&row, data)) {
                            met[at] = true;
                            rows.push(row);
                        }
                    }
                    if rows.len() == before && matches!(*kind, "left join" | "full join") {
                        rows.push([left.clone(), nulls(&sides.1)].concat());
                    }
                }
                if matches!(*kind, "right join" | "full join") {
                    let alone = rights.iter().zip(&met).filter(|(_, met)| !**met);
                    rows.extend(alone.map(|(right, _)| [nulls(&sides.0), right.clone()].concat()));
                }
                rows
            }
        }
    }
}

impl Select {
    fn text(&self) -> String {
        let output = |output: &Output, name: &str| match output {
            Output::Column(column) => format!("{} as {name}", named(*column)),
            Output::Value(value) => format!("{value}::bigint as {name}"),
        };
        format!(
            "select {}{}, {} from {} where {}",
            if self.distinct { "distinct " } else { "" },
            output(&self.outputs[0], "organization_id"),
            output(&self.outputs[1], "x"),
            self.tree.text(),
            all(&self.conditions)
        )
    }

    fn rows(&self, data: &Data) -> Vec<Row> {
        let mut rows: Vec<Row> = self
            .tree
            .rows(data)
            .into_iter()
            .filter(|row| {
                self.conditions
                    .iter()
                    .all(|condition| condition.holds(row, data))
            })
            .map(|row| {
                [&self.outputs[0], &self.outputs[1]].map(|output| match output {
                    Output::Column(column) => value(&row, *column),
                    Output::Value(value) => Some(*value),
                })
            })
            .collect();
        rows.sort_unstable();
        if self.distinct {
            rows.dedup();
        }
        rows
    }
}

fn data(random: &mut Random) -> Data {
    let mut table = || {
        let count = random.below(5);
        let row = |_| {
            let key = VALUES[random.below(3)];
            let x = random.below(4);
            [Some(key), VALUES.get(x).copied()]
        };
        (0..count).map(row).collect()
    };
    [table(), table()]
}

/// The rows that a shard has.
fn part(data: &Data, shard: ShardId, map: &ShardMap) -> Data {
    let there = |row: &&Row| {
        let key = KeyValue::Int(row[0].expect("a key"));
        map.locate(KeyspaceIndex(0), &[key]).map(|(_, shard)| shard) == Some(shard)
    };
    [0, 1].map(|table| data[table].iter().filter(there).copied().collect())
}

fn check(schema: &Schema, seed: u64) -> usize {
    let map = map();
    let mut maker = Maker {
        random: Random(seed),
        aliases: 0,
    };
    let mut routed = 0;
    for _ in 0..STATEMENTS {
        maker.aliases = 0;
        let select = maker.select(2);
        let text = select.text();
        let destination = match plan(&text, &context(&map, schema)) {
            Ok(Plan::Route(route)) => route.resolve(&map, Values::NONE),
            Ok(Plan::Control(_)) => panic!("{text}"),
            Err(error) => Err(error),
        };
        let shards = match destination {
            Ok(Destination::Shard(shard)) => vec![shard],
            Ok(Destination::Any) => vec![ShardId(0), ShardId(1)],
            Ok(Destination::Gather(_) | Destination::Scatter(_) | Destination::ByText) | Err(_) => {
                continue;
            }
        };
        routed += 1;
        for _ in 0..12 {
            let data = data(&mut maker.random);
            for shard in &shards {
                let (whole, there) = (select.rows(&data), select.rows(&part(&data, *shard, &map)));
                assert!(
                    whole == there,
                    "seed {seed}: {text}\non {shard:?} of {data:?}: {there:?} and not {whole:?}"
                );
            }
        }
    }
    routed
}

#[test]
fn a_shard_answers_as_all_of_them() {
    let seed = std::env::var("TRUNKLINE_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(0x5eed_4321_u64);
    println!("TRUNKLINE_SEED={seed}");
    let known = check(&catalogs::schema(&map(), &[]), seed);
    let offline = check(&Schema::default(), seed);
    println!("routed {known} of {STATEMENTS}, without catalogs {offline}");
    assert!(
        known > STATEMENTS / 10,
        "only {known} of {STATEMENTS} are routed"
    );
    assert!(
        offline <= known,
        "{offline} are routed without the catalogs, {known} with them"
    );
}

/// Several shards, each of its own rows, give what one server gives of all.
fn check_scatters(schema: &Schema, seed: u64) -> usize {
    let map = map();
    let mut maker = Maker {
        random: Random(seed),
        aliases: 0,
    };
    let mut scattered = 0;
    for _ in 0..STATEMENTS * 2 {
        maker.aliases = 0;
        let select = maker.select(2);
        let text = select.text();
        let scatter = match scatter(&text, &context(&map, schema)) {
            Ok(scatter) => scatter,
            Err(Otherwise::Refused(error)) => panic!("{text}: {error}"),
            Err(_) => continue,
        };
        let Merge::Rows(merge) = &scatter.merge else {
            panic!("{text} has no aggregates");
        };
        assert!(select.distinct || merge.distinct == 0, "{text}");
        scattered += 1;
        let shards = scatter.shards(&map, Values::NONE).expect("no directory");
        for _ in 0..12 {
            let data = data(&mut maker.random);
            let of_shard = |shard: &ShardId| select.rows(&part(&data, *shard, &map));
            let mut merged: Vec<Row> = shards.iter().flat_map(of_shard).collect();
            merged.sort_unstable();
            if merge.distinct > 0 {
                merged.dedup();
            }
            let whole = select.rows(&data);
            assert!(
                whole == merged,
                "seed {seed}: {text}\non {shards:?} of {data:?}: {merged:?} and not {whole:?}"
            );
        }
    }
    scattered
}

#[test]
fn shards_together_answer_as_one() {
    let seed = std::env::var("TRUNKLINE_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(0x5eed_2026_u64);
    println!("TRUNKLINE_SEED={seed}");
    let known = check_scatters(&catalogs::schema(&map(), &[]), seed);
    let offline = check_scatters(&Schema::default(), seed);
    println!(
        "scattered {known}, without catalogs {offline}, of {}",
        STATEMENTS * 2
    );
    assert!(known > STATEMENTS / 10, "only {known} are scattered");
}
