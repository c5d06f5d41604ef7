//! Keyspaces of every type of key and every sharding function, each with the same tables and views over them,
//! and where PostgreSQL's own functions say that rows belong.

use std::fmt::Write as _;

/// Logical shards of the functions that hash.
pub const LOGICAL_SHARDS: u32 = 64;
/// Logical shards that hold the rows of one first column, of a composite key.
const SPREAD: u32 = 8;
pub const SHARDS: usize = 3;

/// A keyspace: its tables are `<name>_a`, `_b`, `_p` (partitioned) and `_i` (with a child).
#[derive(Debug)]
pub struct Family {
    pub name: &'static str,
    /// The type of the column `k`.
    pub key_type: &'static str,
    /// The same, of a domain what is beneath.
    pub base: &'static str,
    pub kind: Kind,
    /// Its OID in Parse.
    pub oid: u32,
    /// Values in their text form, the first ones small or plain.
    pub keys: &'static [&'static str],
    pub function: Function,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Integer,
    Text,
    Bpchar,
    Uuid,
    Date,
    Timestamp,
    Timestamptz,
    Bytea,
}

#[derive(Debug)]
pub enum Function {
    Hash,
    /// The key is `k, n`.
    Composite,
    Ring,
    /// Upper bounds, exclusive; three logical shards for two.
    Range(&'static [&'static str]),
    /// The values of logical shards 0, 1, …; all others are in the last.
    List(&'static [&'static [&'static str]]),
    /// Entries; all other keys are hashed.
    Directory(&'static [(&'static str, u32)]),
}

const INTEGERS: &[&str] = &[
    "1",
    "2",
    "3",
    "4",
    "5",
    "6",
    "0",
    "-1",
    "-77",
    "42",
    "65536",
    "2147483647",
];
const BIGINTS: &[&str] = &[
    "1",
    "2",
    "3",
    "4",
    "5",
    "6",
    "7",
    "0",
    "-1",
    "-77",
    "42",
    "9223372036854775807",
    "-9223372036854775808",
    "4294967296",
    "2147483648",
];
const TEXTS: &[&str] = &[
    "a",
    "A",
    "b",
    "",
    " ",
    "a ",
    "ä",
    "it's",
    "5",
    "05",
    "back\\slash",
    "$1",
    "null",
    "a rather longer key, of more than twelve bytes",
];
const DATES: &[&str] = &[
    "2026-02-03",
    "2026-02-04",
    "2000-01-01",
    "1999-12-31",
    "2024-02-29",
    "1970-01-01",
    "infinity",
    "0001-01-01",
    "-infinity",
    "9999-12-31",
];
const TIMES: &[&str] = &[
    "2026-02-03 00:00:00",
    "2026-02-03 04:05:06",
    "2026-02-03 04:05:06.789",
    "2000-01-01 00:00:00",
    "1999-12-31 23:59:59.999999",
    "infinity",
    "-infinity",
    "2024-02-29 12:00:00",
];
const ZONED: &[&str] = &[
    "2026-02-03 00:00:00+00",
    "2026-02-03 04:05:06+00",
    "2026-02-03 04:05:06.789+00",
    "2000-01-01 00:00:00+00",
    "1999-12-31 23:59:59.999999+00",
    "infinity",
    "-infinity",
    "2024-02-29 12:00:00+00",
];

const fn family(
    name: &'static str,
    base: &'static str,
    kind: Kind,
    oid: u32,
    keys: &'static [&'static str],
    function: Function,
) -> Family {
    Family {
        name,
        key_type: base,
        base,
        kind,
        oid,
        keys,
        function,
    }
}

pub static FAMILIES: &[Family] = &[
    family("big", "bigint", Kind::Integer, 20, BIGINTS, Function::Hash),
    family(
        "int",
        "integer",
        Kind::Integer,
        23,
        INTEGERS,
        Function::Hash,
    ),
    family(
        "small",
        "smallint",
        Kind::Integer,
        21,
        &["1", "2", "3", "4", "5", "0", "-1", "32767", "-32768"],
        Function::Hash,
    ),
    family("txt", "text", Kind::Text, 25, TEXTS, Function::Hash),
    family("vc", "varchar", Kind::Text, 1043, TEXTS, Function::Hash),
    family(
        "uid",
        "uuid",
        Kind::Uuid,
        2950,
        &[
            "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
            "00000000-0000-0000-0000-000000000000",
            "ffffffff-ffff-ffff-ffff-ffffffffffff",
            "12345678-9abc-def0-1234-56789abcdef0",
            "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12",
        ],
        Function::Hash,
    ),
    family(
        "bp",
        "char(6)",
        Kind::Bpchar,
        1042,
        &["a", "A", "b", "ab", "", "5", "05", "ä", "x y", "$1"],
        Function::Hash,
    ),
    family("day", "date", Kind::Date, 1082, DATES, Function::Hash),
    family(
        "ts",
        "timestamp",
        Kind::Timestamp,
        1114,
        TIMES,
        Function::Hash,
    ),
    family(
        "tz",
        "timestamptz",
        Kind::Timestamptz,
        1184,
        ZONED,
        Function::Hash,
    ),
    family(
        "byt",
        "bytea",
        Kind::Bytea,
        17,
        &[
            "\\x00",
            "\\x",
            "\\xdeadbeef",
            "\\x61",
            "\\x6162",
            "\\x00ff",
            "\\x5c",
            "\\x27",
        ],
        Function::Hash,
    ),
    Family {
        key_type: "key_domain",
        ..family("dom", "bigint", Kind::Integer, 20, INTEGERS, Function::Hash)
    },
    family(
        "pair",
        "bigint",
        Kind::Integer,
        20,
        INTEGERS,
        Function::Composite,
    ),
    family(
        "ring",
        "bigint",
        Kind::Integer,
        20,
        INTEGERS,
        Function::Ring,
    ),
    family(
        "rng",
        "bigint",
        Kind::Integer,
        20,
        BIGINTS,
        Function::Range(&["2", "5"]),
    ),
    family(
        "rngd",
        "date",
        Kind::Date,
        1082,
        DATES,
        Function::Range(&["2000-01-01", "2026-02-04"]),
    ),
    family(
        "rngt",
        "text",
        Kind::Text,
        25,
        TEXTS,
        Function::Range(&["A", "b"]),
    ),
    family(
        "lst",
        "text",
        Kind::Text,
        25,
        TEXTS,
        Function::List(&[&["a", "ä", "5"], &["A", "", "it's"]]),
    ),
    family(
        "lsti",
        "integer",
        Kind::Integer,
        23,
        INTEGERS,
        Function::List(&[&["1", "5", "-1"], &["2", "42"]]),
    ),
    family(
        "dir",
        "bigint",
        Kind::Integer,
        20,
        INTEGERS,
        Function::Directory(&[("1", 0), ("2", 30), ("3", 63), ("-77", 30)]),
    ),
];

/// What is tested. The environment may name fewer: `TRUNKLINE_TEST_FAMILIES=big,txt`.
pub fn families() -> Vec<&'static Family> {
    let named = std::env::var("TRUNKLINE_TEST_FAMILIES").ok();
    let wanted = |family: &&Family| {
        named
            .as_ref()
            .is_none_or(|names| names.split(',').any(|name| name == family.name))
    };
    FAMILIES.iter().filter(wanted).collect()
}

/// The tables that hold rows themselves, a child or a partitioned one's partitions among them.
pub const STORED: [&str; 5] = ["a", "b", "p", "i", "i1"];
/// Views, from those that only rename to those whose rows depend on rows of other keys.
pub const VIEWS: [&str; 7] = ["v", "vj", "vg", "vu", "vl", "vw", "vd"];

pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

impl Family {
    pub fn composite(&self) -> bool {
        matches!(self.function, Function::Composite)
    }

    /// Tables, views and functions; `kept.<name>` has all rows that there are at first.
    pub fn ddl(&self) -> String {
        let (f, key, base) = (self.name, self.key_type, self.base);
        let columns = format!("k {key}, n int, v text, o {base}");
        format!(
            "create table {f}_a ({columns}, primary key (k, n));
            create table {f}_b ({columns}, primary key (k, n));
            create table {f}_p ({columns}, primary key (k, n)) partition by range (n);
            create table {f}_p0 partition of {f}_p for values from (minvalue) to (2);
            create table {f}_p1 partition of {f}_p for values from (2) to (maxvalue);
            create table {f}_i ({columns});
            create table {f}_i1 () inherits ({f}_i);
            create view {f}_v as select k, n, v, o from {f}_a;
            create view {f}_vj as select a.k, b.n, a.v, b.o from {f}_a a join {f}_b b on b.k = a.k and b.n = a.n;
            create view {f}_vg as select k, count(*)::int as n, max(v) as v, null::{base} as o from {f}_a group by k;
            create view {f}_vu as select k, n, v, o from {f}_a where n < 2 union all select k, n, v, o from {f}_b;
            create view {f}_vl as select k, n, v, o from {f}_a order by k, n limit 5;
            create view {f}_vw as select k, (row_number() over (partition by n order by k))::int as n, v, o from {f}_a;
            create view {f}_vd as select distinct on (n) k, n, v, o from {f}_a order by n, k;
            create function {f}_f({base}) returns table (k {base}, n int, v text, o {base}) language sql stable
                as 'select k, n, v, o from {f}_a where k = $1{one}';
            create function {f}_c(key {base}) returns bigint language sql stable
                as 'select count(*) from {f}_b x where x.k = key{one}';
            create table kept.{f} (stored text, k {key}, n int, v text, o {base});
            insert into kept.{f} values {rows};
            {placing}",
            one = if self.composite() { " and n = 1" } else { "" },
            rows = self.rows(),
            placing = self.placing(),
        )
    }

    /// Rows of several keys for every table and shard, with keys in other columns too.
    fn rows(&self) -> String {
        let mut rows = Vec::new();
        for (index, key) in self.keys.iter().enumerate() {
            for (number, stored) in STORED.iter().enumerate() {
                for n in 0..2 + (index + number) % 3 {
                    let v = match (n + index) % 4 {
                        0 => "null".to_owned(),
                        v => format!("'v{v}'"),
                    };
                    let other = self.keys[(index + n + number) % self.keys.len()];
                    let o = if (index + n) % 5 == 4 {
                        "null".to_owned()
                    } else {
                        quoted(other)
                    };
                    rows.push(format!("('{stored}', {}, {n}, {v}, {o})", quoted(key)));
                }
            }
        }
        rows.join(", ")
    }

    /// `placed.<name>(k, n)`: the logical shard, by PostgreSQL's own functions.
    fn placing(&self) -> String {
        let (f, base) = (self.name, self.base);
        let hashed = |table: &str, modulus: u32, key: &str| {
            format!(
                "(select l from generate_series(0, {}) l where satisfies_hash_partition('placed.{table}'::regclass, {modulus}, l, {key}))",
                modulus - 1
            )
        };
        let parent = |table: &str, column: &str, column_type: &str| {
            format!(
                "create table placed.{table} ({column} {column_type}) partition by hash ({column});\n"
            )
        };
        let by_hash = || hashed(&format!("{f}_k"), LOGICAL_SHARDS, "$1");
        let mut ddl = parent(&format!("{f}_k"), "k", base);
        let logical = match &self.function {
            Function::Hash | Function::Ring => by_hash(),
            Function::Composite => {
                ddl += &parent(&format!("{f}_n"), "n", "int");
                format!(
                    "{} * {SPREAD} + {}",
                    hashed(&format!("{f}_k"), LOGICAL_SHARDS / SPREAD, "$1"),
                    hashed(&format!("{f}_n"), SPREAD, "$2")
                )
            }
            Function::Range(bounds) => {
                let collate = if self.kind == Kind::Text {
                    " collate \"C\""
                } else {
                    ""
                };
                let below: Vec<String> = bounds
                    .iter()
                    .map(|bound| format!("($1 >= {}::{base}{collate})::int", quoted(bound)))
                    .collect();
                below.join(" + ")
            }
            Function::List(values) => {
                let mut text = "case ".to_owned();
                for (logical, values) in values.iter().enumerate() {
                    let values: Vec<_> = values.iter().map(|value| quoted(value)).collect();
                    let _ = write!(text, "when $1 in ({}) then {logical} ", values.join(", "));
                }
                format!("{text} else {} end", values.len())
            }
            Function::Directory(entries) => {
                let mut text = "case ".to_owned();
                for (key, logical) in *entries {
                    let _ = write!(text, "when $1 = {} then {logical} ", quoted(key));
                }
                format!("{text} else {} end", by_hash())
            }
        };
        format!(
            "{ddl}create function placed.{f}({base}, int) returns int language sql immutable as $$ select {logical} $$;"
        )
    }

    fn logical_shards(&self) -> u32 {
        match &self.function {
            Function::Range(bounds) => bounds.len() as u32 + 1,
            Function::List(values) => values.len() as u32 + 1,
            _ => LOGICAL_SHARDS,
        }
    }

    /// A query for the shard of each logical shard, in their order, the first shard being 0.
    pub fn homes(&self) -> String {
        let Some(placement) = self.placement() else {
            return ring();
        };
        let values: Vec<String> = placement
            .iter()
            .enumerate()
            .map(|(shard, (first, last))| format!("({shard}, {first}, {last})"))
            .collect();
        format!(
            "select shard from (values {}) v (shard, first, last), generate_series(first, last) l order by l",
            values.join(", ")
        )
    }

    /// First and last logical shard of each shard, as configured; `None` where a ring decides.
    fn placement(&self) -> Option<Vec<(u32, u32)>> {
        if matches!(self.function, Function::Ring) {
            return None;
        }
        let (count, shards) = (self.logical_shards(), SHARDS as u32);
        let start = |shard| count * shard / shards;
        Some((0..shards).map(|s| (start(s), start(s + 1) - 1)).collect())
    }

    /// The keyspace in the configuration.
    pub fn keyspace(&self) -> String {
        let (f, key_type) = (self.name, self.base);
        let key_type = key_type.split('(').next().unwrap_or(key_type);
        let hash = format!("function: hash\n        logical_shards: {LOGICAL_SHARDS}");
        let function = match &self.function {
            Function::Hash => hash,
            Function::Composite => format!("{hash}\n        spread: {SPREAD}"),
            Function::Ring => {
                format!("function: ring\n        logical_shards: {LOGICAL_SHARDS}")
            }
            Function::Range(bounds) => {
                let bounds: Vec<_> = bounds.iter().map(|bound| yaml(bound)).collect();
                format!("function: range\n        bounds: [ {} ]", bounds.join(", "))
            }
            Function::List(values) => {
                let lists: Vec<String> = values
                    .iter()
                    .enumerate()
                    .map(|(logical, values)| {
                        let values: Vec<_> = values.iter().map(|value| yaml(value)).collect();
                        format!("{logical}: [ {} ]", values.join(", "))
                    })
                    .collect();
                format!(
                    "function: list\n        values: {{ {} }}\n        default: {}",
                    lists.join(", "),
                    values.len()
                )
            }
            Function::Directory(_) => format!(
                "function: directory\n        logical_shards: {LOGICAL_SHARDS}\n        fallback: hash"
            ),
        };
        let key = if self.composite() {
            format!(
                "key: {{ columns: [ {{ name: k, type: {key_type} }}, {{ name: n, type: integer }} ] }}"
            )
        } else {
            format!("key: {{ column: k, type: {key_type} }}")
        };
        let placement = self.placement().map_or_else(String::new, |ranges| {
            let ranges: Vec<String> = ranges
                .iter()
                .enumerate()
                .map(|(shard, (first, last))| match first == last {
                    true => format!("s{}: {first}", shard + 1),
                    false => format!("s{}: {first}-{last}", shard + 1),
                })
                .collect();
            format!("        placement: {{ {} }}\n", ranges.join(", "))
        });
        format!(
            "      {f}:\n        {key}\n        {function}\n{placement}        tables: [ {f}_a, {f}_b, {f}_p, {f}_i ]\n"
        )
    }

    /// Rows for the directory's table.
    pub fn entries(&self) -> String {
        let Function::Directory(entries) = &self.function else {
            return String::new();
        };
        let rows: Vec<String> = entries
            .iter()
            .map(|(key, logical)| format!("('{}', array[{}], {logical})", self.name, quoted(key)))
            .collect();
        format!(
            "insert into trunkline.directory (keyspace, key, logical_shard) values {};",
            rows.join(", ")
        )
    }
}

/// Where the ring of `docs/configuration.md` has its logical shards, by the function that stands there: each belongs
/// to the next point at or after it, from the end round to the first.
fn ring() -> String {
    let points = VIRTUAL_NODES - 1;
    let logical = LOGICAL_SHARDS - 1;
    format!(
        "with points as (
            select shard, place(hashtextextended('s' || shard + 1 || ':' || n, {HASH_SEED})) as point
              from generate_series(0, {shards}) shard, generate_series(0, {points}) n)
         select (select shard from points order by point < place(hashint8extended(l, {HASH_SEED})), point limit 1)
           from generate_series(0, {logical}) l order by l",
        shards = SHARDS - 1
    )
}

/// Points of a shard that has no other weight.
const VIRTUAL_NODES: u32 = 1_000;
/// PostgreSQL's for partitions: `HASH_PARTITION_SEED` in `src/backend/partitioning/partbounds.c`.
const HASH_SEED: u64 = 8_816_678_312_871_386_365;

fn yaml(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
