//! Where the sharding functions put keys, with PostgreSQL's own partitioning as the oracle: thousands of values
//! of each type, as literals, casts, text and binary parameters.
//!
//! `TRUNKLINE_SEED` repeats a run.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::fmt::Write;
use std::sync::OnceLock;

use integration_tests::client::connect;
use integration_tests::{Cluster, Setup};
use tokio_postgres::Client;
use trunkline::internals::keys::{Given, Map, Met};

/// Texts of each type; every fourth is any text at all.
const VALUES: usize = 2000;
const LOGICAL: u32 = 61;
const SHARDS: usize = 16;

/// A key type, its OID, bounds and a list for it, in the order of PostgreSQL.
struct Kind {
    name: &'static str,
    oid: u32,
    collation: &'static str,
    send: &'static str,
    points: [&'static str; 4],
}

const fn kind(name: &'static str, oid: u32, send: &'static str, points: [&'static str; 4]) -> Kind {
    Kind {
        name,
        oid,
        collation: "",
        send,
        points,
    }
}

const fn text_kind(name: &'static str, oid: u32, send: &'static str) -> Kind {
    Kind {
        collation: "collate \"C\"",
        ..kind(name, oid, send, ["", "M", "m", "é"])
    }
}

const KINDS: [Kind; 11] = [
    kind("smallint", 21, "int2send", ["-5", "0", "1000", "32767"]),
    kind(
        "integer",
        23,
        "int4send",
        ["-70000", "0", "1000", "2147483647"],
    ),
    kind(
        "bigint",
        20,
        "int8send",
        ["-5000000000", "0", "1000", "5000000000"],
    ),
    text_kind("text", 25, "textsend"),
    text_kind("varchar", 1043, "varcharsend"),
    text_kind("bpchar", 1042, "bpcharsend"),
    kind(
        "uuid",
        2950,
        "uuid_send",
        [
            "00000000-0000-0000-0000-000000000001",
            "40000000-0000-0000-0000-000000000000",
            "80000000-0000-0000-0000-000000000000",
            "f0000000-0000-0000-0000-000000000000",
        ],
    ),
    kind(
        "date",
        1082,
        "date_send",
        ["1900-01-01", "2000-01-01", "2020-02-29", "infinity"],
    ),
    kind(
        "timestamp",
        1114,
        "timestamp_send",
        [
            "1900-01-01",
            "2000-01-01 12:00",
            "2020-02-29 01:02:03.5",
            "infinity",
        ],
    ),
    kind(
        "timestamptz",
        1184,
        "timestamptz_send",
        [
            "1900-01-01 00:00Z",
            "2000-01-01 12:00+05",
            "2020-02-29 01:02:03.5-08",
            "infinity",
        ],
    ),
    kind("bytea", 17, "byteasend", ["", "\\x00", "\\x80ff", "\\xff"]),
];

/// Keyspaces `hash_…`, `range_…` and `list_…` of each type, over tables of these names.
fn configuration() -> String {
    let mut yaml = String::from(
        "users: [{ name: app, password: x, databases: [app] }]\ndatabases:\n  app:\n    shards:\n",
    );
    for shard in 0..SHARDS {
        writeln!(yaml, "      s{shard}: {{ servers: ['h:{}'] }}", shard + 1).unwrap();
    }
    yaml.push_str("    keyspaces:\n");
    for Kind { name, points, .. } in &KINDS {
        let key = format!("key: {{ column: k, type: {name} }}");
        let points: Vec<String> = points.iter().map(|point| format!("'{point}'")).collect();
        writeln!(
            yaml,
            "      hash_{name}: {{ {key}, logical_shards: {LOGICAL}, tables: [hash_{name}] }}\n      \
             range_{name}: {{ {key}, function: range, bounds: [{}], tables: [range_{name}] }}\n      \
             list_{name}: {{ {key}, function: list, values: {{ 0: [{}, {}], 1: [{}], 3: [{}] }}, default: 2, \
             tables: [list_{name}] }}",
            points.join(", "),
            points[0],
            points[1],
            points[2],
            points[3],
        )
        .unwrap();
    }
    yaml.push_str(
        "      spread:
        key: { columns: [{ name: a, type: bigint }, { name: b, type: text }] }
        logical_shards: 64
        spread: 4
        tables: [spread]
      ranges:
        key: { columns: [{ name: a, type: bigint }, { name: b, type: text }] }
        function: range
        bounds: [[0], [0, m], [5, a], [5, z], 7]
        tables: [ranges]
",
    );
    yaml
}

fn map() -> Map {
    Map::of_config(&configuration()).unwrap_or_else(|errors| panic!("{errors}"))
}

/// Partitioned tables as the keyspaces have it, and a function for each type that reads a text, or gives NULL.
fn schema() -> String {
    let mut sql = String::new();
    for Kind {
        name,
        collation,
        points,
        ..
    } in &KINDS
    {
        let [a, b, c, d] = points.map(|point| format!("'{point}'"));
        write!(
            sql,
            "create function read_{name}(value text) returns {name} language plpgsql as $$
             begin return value::{name}; exception when others then return null; end $$;
             create table hash_{name} (k {name}) partition by hash (k);
             create table range_{name} (i int, k {name} {collation}) partition by range (k);
             create table range_{name}_0 partition of range_{name} for values from (minvalue) to ({a});
             create table range_{name}_1 partition of range_{name} for values from ({a}) to ({b});
             create table range_{name}_2 partition of range_{name} for values from ({b}) to ({c});
             create table range_{name}_3 partition of range_{name} for values from ({c}) to ({d});
             create table range_{name}_4 partition of range_{name} for values from ({d}) to (maxvalue);
             create table list_{name} (i int, k {name} {collation}) partition by list (k);
             create table list_{name}_0 partition of list_{name} for values in ({a}, {b});
             create table list_{name}_1 partition of list_{name} for values in ({c});
             create table list_{name}_3 partition of list_{name} for values in ({d});
             create table list_{name}_2 partition of list_{name} default;"
        )
        .unwrap();
    }
    sql.push_str(
        "create table first (a bigint) partition by hash (a);
         create table second (b text) partition by hash (b);
         create table ranges (i int, a bigint, b text collate \"C\") partition by range (a, b);
         create table ranges_0 partition of ranges for values from (minvalue, minvalue) to (0, minvalue);
         create table ranges_1 partition of ranges for values from (0, minvalue) to (0, 'm');
         create table ranges_2 partition of ranges for values from (0, 'm') to (5, 'a');
         create table ranges_3 partition of ranges for values from (5, 'a') to (5, 'z');
         create table ranges_4 partition of ranges for values from (5, 'z') to (7, minvalue);
         create table ranges_5 partition of ranges for values from (7, minvalue) to (maxvalue, maxvalue);",
    );
    sql
}

fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    static SCHEMA: OnceLock<String> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        Cluster::start(&Setup {
            shards: 1,
            sample: None,
            default_shard: SCHEMA.get_or_init(schema),
            ..Setup::default()
        })
    })
}

/// What PostgreSQL makes of a text.
struct Known {
    text: String,
    /// As it prints it, and in binary.
    printed: String,
    binary: Vec<u8>,
    hash: u32,
    range: u32,
    list: u32,
}

/// The same in the order of the texts; `None` where it reads none.
async fn ask(client: &Client, kind: &Kind, texts: &[String]) -> Vec<Option<Known>> {
    let Kind { name, send, .. } = kind;
    let sql = format!(
        "with given as (select i, v, read_{name}(v) as k from unnest($1::text[]) with ordinality as u(v, i))
         select i::int, k::text, {send}(k),
                (select r from generate_series(0, {LOGICAL} - 1) r
                 where satisfies_hash_partition('hash_{name}'::regclass, {LOGICAL}, r, k))
         from given where k is not null"
    );
    let rows = client.query(&sql, &[&texts]).await.unwrap();
    let mut known: Vec<Option<Known>> = texts.iter().map(|_| None).collect();
    for row in rows {
        let place = usize::try_from(row.get::<_, i32>(0)).unwrap() - 1;
        known[place] = Some(Known {
            text: texts[place].clone(),
            printed: row.get(1),
            binary: row.get(2),
            hash: row.get::<_, i32>(3).try_into().unwrap(),
            range: 0,
            list: 0,
        });
    }
    for table in ["range", "list"] {
        let table = format!("{table}_{name}");
        client
            .execute(
                &format!(
                    "with given as (select i, read_{name}(v) as k from unnest($1::text[]) with ordinality as u(v, i))
                     insert into {table} select i, k from given where k is not null"
                ),
                &[&texts],
            )
            .await
            .unwrap();
        let sql = format!("select i, right(tableoid::regclass::text, 1)::int from {table}");
        for row in client.query(&sql, &[]).await.unwrap() {
            let place = usize::try_from(row.get::<_, i32>(0)).unwrap() - 1;
            let partition = row.get::<_, i32>(1).try_into().unwrap();
            let known = known[place].as_mut().unwrap();
            match table.starts_with("range") {
                true => known.range = partition,
                false => known.list = partition,
            }
        }
        client
            .batch_execute(&format!("truncate {table}"))
            .await
            .unwrap();
    }
    known
}

/// No setting may change what the proxy reads.
const SETTINGS: [(&str, &str); 4] = [
    ("ISO, MDY", "UTC"),
    ("SQL, DMY", "Pacific/Kiritimati"),
    ("German, YMD", "America/New_York"),
    ("Postgres, MDY", "Asia/Kolkata"),
];

#[tokio::test(flavor = "multi_thread")]
async fn values_are_read_and_placed_as_postgresql_does() {
    let client = connect(cluster().oracle.port()).await;
    let map = map();
    let mut random = Random::new();
    for kind in &KINDS {
        let texts: Vec<String> = (0..VALUES)
            .map(|n| match n % 4 {
                0 => random.any(),
                _ => random.text(kind.name),
            })
            .chain(kind.points.map(str::to_owned))
            .collect();
        let depends = ["date", "timestamp", "timestamptz"].contains(&kind.name);
        let mut read = 0;
        for (style, zone) in SETTINGS.iter().take(if depends { 4 } else { 1 }) {
            let set = format!("set datestyle to {style}; set timezone to '{zone}'");
            client.batch_execute(&set).await.unwrap();
            for (text, known) in texts.iter().zip(ask(&client, kind, &texts).await) {
                read += usize::from(check(
                    &map,
                    kind,
                    text,
                    known.as_ref(),
                    *style == "ISO, MDY",
                ));
            }
        }
        client
            .batch_execute("reset datestyle; reset timezone")
            .await
            .unwrap();
        assert!(read > VALUES / 4, "of {} only {read} are read", kind.name);
    }
}

/// True where the proxy reads the text.
fn check(map: &Map, kind: &Kind, text: &str, known: Option<&Known>, prints: bool) -> bool {
    let name = kind.name;
    let met = map.locate(&format!("hash_{name}"), &[Given::Literal(text)]);
    let Some(known) = known else {
        assert!(!matches!(met, Met::Value(_)), "{name} {text:?} is read");
        return false;
    };
    assert_ne!(met, Met::Invalid, "{name} {text:?} is read by PostgreSQL");
    let mut forms = vec![
        Given::Literal(text),
        Given::Text {
            oid: 0,
            bytes: text.as_bytes(),
        },
        Given::Text {
            oid: kind.oid,
            bytes: text.as_bytes(),
        },
        Given::Binary {
            oid: 0,
            bytes: &known.binary,
        },
        Given::Binary {
            oid: kind.oid,
            bytes: &known.binary,
        },
    ];
    let canonical = Given::Literal(&known.printed);
    // What it prints of other eras is not read.
    let is_canonical = prints && !known.printed.ends_with("BC");
    if is_canonical {
        forms.push(canonical);
    }
    for (at, form) in forms.iter().enumerate() {
        let must = at > 2;
        for (function, expected) in [
            ("hash", known.hash),
            ("range", known.range),
            ("list", known.list),
        ] {
            match map.locate(&format!("{function}_{name}"), &[*form]) {
                Met::Value(found) => {
                    assert_eq!(found, Some(expected), "{function} {name} {form:?}")
                }
                other => assert!(!must, "{name} {form:?} is {other:?}"),
            }
        }
    }
    if prints {
        let binary = Given::Binary {
            oid: 0,
            bytes: &known.binary,
        };
        let printed = map.print(&format!("hash_{name}"), binary);
        // A char(n) without a length prints with the blanks it was given.
        let expected = match name {
            "bpchar" => known.printed.trim_end_matches(' '),
            _ => &known.printed,
        };
        assert_eq!(printed, Met::Value(expected.to_owned()), "{name}");
    }
    matches!(met, Met::Value(_))
}

/// The same through the planner: no form of a value leads to another shard, and the usual ones are recognised.
#[tokio::test(flavor = "multi_thread")]
async fn statements_lead_to_the_same_place() {
    let client = connect(cluster().oracle.port()).await;
    client
        .batch_execute("set datestyle to iso; set timezone to utc")
        .await
        .unwrap();
    let map = map();
    let mut random = Random::new();
    for kind in &KINDS {
        let texts: Vec<String> = (0..60)
            .map(|_| random.text(kind.name))
            .chain(kind.points.map(str::to_owned))
            .collect();
        let known = ask(&client, kind, &texts).await;
        for known in known.iter().flatten() {
            if known.printed.ends_with("BC") {
                continue;
            }
            for (function, logical) in [
                ("hash", known.hash),
                ("range", known.range),
                ("list", known.list),
            ] {
                check_statements(
                    &map,
                    kind,
                    known,
                    &format!("{function}_{}", kind.name),
                    logical,
                );
            }
        }
    }
}

fn check_statements(map: &Map, kind: &Kind, known: &Known, table: &str, logical: u32) {
    let shard = map.shard(table, logical);
    let name = kind.name;
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let (literal, canonical) = (quoted(&known.text), quoted(&known.printed));
    let select = |value: &str| format!("select * from {table} where k = {value}");
    let oid = kind.oid;
    // What varchar(n) would cut is refused in an INSERT, and so may be what is not the usual form.
    let must_insert = !(name == "varchar" && known.printed.ends_with(' '));
    let forms = [
        (select(&canonical), vec![], true),
        (select(&literal), vec![], false),
        (select(&format!("{canonical}::{name}")), vec![], true),
        (
            select(&format!("cast({canonical} as {name})")),
            vec![],
            true,
        ),
        // The parser does not know bpchar as the name of a type there.
        (
            select(&format!("{name} {canonical}")),
            vec![],
            name != "bpchar",
        ),
        (select(&format!("{literal}::{name}")), vec![], false),
        (
            select("$1"),
            vec![(0, false, known.printed.clone().into_bytes())],
            true,
        ),
        (
            select("$1"),
            vec![(oid, false, known.printed.clone().into_bytes())],
            true,
        ),
        (select("$1"), vec![(0, true, known.binary.clone())], true),
        (select("$1"), vec![(oid, true, known.binary.clone())], true),
        (
            select(&format!("$1::{name}")),
            vec![(0, true, known.binary.clone())],
            true,
        ),
        (select(&format!("any (array[{canonical}])")), vec![], false),
        (
            select(&format!("any (array[{canonical}]::{name}[])")),
            vec![],
            true,
        ),
        (
            format!("select * from {table} where k in ({canonical}, {canonical})"),
            vec![],
            true,
        ),
        (
            format!("insert into {table} (k) values ({canonical})"),
            vec![],
            must_insert,
        ),
        (
            format!("insert into {table} (k) values ($1)"),
            vec![(oid, true, known.binary.clone())],
            must_insert,
        ),
    ];
    for (statement, params, must) in forms {
        match map.route(&statement, &params) {
            Ok(found) => assert_eq!(found, Some(shard), "{statement} {params:?}"),
            Err(refusal) => assert!(!must, "{statement} {params:?}: {refusal}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_two_columns_are_placed_as_postgresql_does() {
    let client = connect(cluster().oracle.port()).await;
    let map = map();
    let mut random = Random::new();
    let keys: Vec<(i64, String)> = (0..VALUES)
        .map(|_| {
            let first = match random.below(3) {
                0 => random.next() as i64,
                _ => random.below(10) as i64 - 2,
            };
            (first, random.text("text"))
        })
        .collect();
    let firsts: Vec<i64> = keys.iter().map(|key| key.0).collect();
    let seconds: Vec<&str> = keys.iter().map(|key| key.1.as_str()).collect();
    let given = "unnest($1::bigint[], $2::text[]) with ordinality as u(a, b, i)";
    let sql = format!(
        "select (select r from generate_series(0, 15) r where satisfies_hash_partition('first'::regclass, 16, r, a))
              * 4
              + (select r from generate_series(0, 3) r where satisfies_hash_partition('second'::regclass, 4, r, b))
         from {given} order by i"
    );
    let spread = client.query(&sql, &[&firsts, &seconds]).await.unwrap();
    let sql = format!("insert into ranges select i, a, b from {given}");
    client.execute(&sql, &[&firsts, &seconds]).await.unwrap();
    let sql = "select right(tableoid::regclass::text, 1)::int from ranges order by i";
    let ranges = client.query(sql, &[]).await.unwrap();
    for (keyspace, rows) in [("spread", &spread), ("ranges", &ranges)] {
        assert_eq!(rows.len(), keys.len());
        for ((first, second), row) in keys.iter().zip(rows) {
            let expected = row.get::<_, i32>(0) as u32;
            let first = first.to_string();
            let key = [Given::Literal(&first), Given::Literal(second)];
            assert_eq!(
                map.locate(keyspace, &key),
                Met::Value(Some(expected)),
                "{keyspace} {key:?}"
            );
            let Met::Value(reachable) = map.reachable(keyspace, &key[..1]) else {
                panic!("{first} is a key")
            };
            assert!(
                reachable.contains(&expected) && reachable.len() <= 4,
                "{keyspace} {key:?} in {reachable:?}"
            );
        }
    }
}

/// A generator of its own, so that a seed means the same everywhere (xorshift64*).
struct Random(u64);

impl Random {
    fn new() -> Self {
        let given = std::env::var("TRUNKLINE_SEED").ok();
        let seed = given.and_then(|seed| seed.parse().ok()).unwrap_or_else(|| {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            now.unwrap().as_nanos() as u64
        });
        eprintln!("TRUNKLINE_SEED={seed}");
        Self(seed | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 16) % end
    }

    fn pick(&mut self, choices: &[&'static str]) -> &'static str {
        choices[self.below(choices.len() as u64) as usize]
    }

    /// Pieces of everything.
    fn any(&mut self) -> String {
        const PIECES: &[&str] = &[
            "0", "1", "42", "2020", "-", "-", ":", ".", " ", " ", "T", "Z", "+02", "\\", "\\x",
            "ff", "é", "🦀", "'", "infinity", "UTC", "BC", "01", "02", "12", "24", "59", "60", "{",
            "}", "\t", "e", "x", "_", "\n",
        ];
        let count = self.below(9);
        (0..count).map(|_| self.pick(PIECES)).collect()
    }

    /// Most often a value of the type.
    fn text(&mut self, name: &str) -> String {
        match name {
            "smallint" => self.integer(16),
            "integer" => self.integer(32),
            "bigint" => self.integer(64),
            "uuid" => self.uuid(),
            "bytea" => self.bytea(),
            "date" => self.date(),
            "timestamp" => self.timestamp(2),
            "timestamptz" => self.timestamp(8),
            _ => {
                let count = self.below(20);
                let letters = ["a", "m", "M", "z", "é", "東", "🦀", " ", "'", "\\", "0"];
                let mut text: String = (0..count).map(|_| self.pick(&letters)).collect();
                text.push_str(self.pick(&["", "", " ", "  "]));
                text
            }
        }
    }

    fn integer(&mut self, bits: u32) -> String {
        let wide = self.next() as i64;
        let shift = u64::from(64 - bits) + self.below(u64::from(bits));
        let value = match self.below(20) {
            0 => i128::from(i64::MAX >> (64 - bits)) + 1,
            1 => i128::from(i64::MIN >> (64 - bits)) - 1,
            2 => i128::from(i64::MIN >> (64 - bits)),
            _ => i128::from(wide >> shift),
        };
        let before = self.pick(&["", "", "", "", "+", "0", " ", "\t00"]);
        let after = self.pick(&["", "", "", "", " ", "\n"]);
        format!("{}{value}{after}", if value < 0 { "" } else { before })
    }

    fn uuid(&mut self) -> String {
        let hex = format!("{:016x}{:016x}", self.next(), self.next());
        let hyphen = self.below(4);
        let mut text = String::new();
        for (at, digit) in hex.chars().enumerate() {
            let wanted = match hyphen {
                0 => [8, 12, 16, 20].contains(&at),
                1 => false,
                2 => at % 4 == 0 && at > 0,
                _ => at % 4 == 0 && at > 0 && self.below(2) == 0,
            };
            if wanted {
                text.push('-');
            }
            text.push(digit);
        }
        match self.below(8) {
            0 => text.to_uppercase(),
            1 => format!("{{{text}}}"),
            2 => text[1..].to_owned(),
            _ => text,
        }
    }

    fn bytea(&mut self) -> String {
        let count = self.below(20);
        if self.below(2) == 0 {
            let mut text = String::from("\\x");
            for _ in 0..count {
                text.push_str(self.pick(&["", "", "", "", "", " ", "\n"]));
                write!(text, "{:02x}", self.below(256)).unwrap();
            }
            text
        } else {
            let pieces = ["a", "\\\\", "\\000", "\\377", "é", " ", "x", "\\", "\\4"];
            let end = if self.below(10) == 0 { 9 } else { 7 };
            (0..count).map(|_| self.pick(&pieces[..end])).collect()
        }
    }

    fn date(&mut self) -> String {
        if self.below(20) == 0 {
            return self
                .pick(&[
                    "infinity",
                    "-infinity",
                    "-Infinity",
                    " INFINITY ",
                    "+infinity",
                    "epoch",
                    "now",
                    "",
                ])
                .to_owned();
        }
        let year = match self.below(10) {
            0 => self.below(10_000_000),
            1 => self.below(400_000),
            2 => self.below(1000),
            _ => 1800 + self.below(400),
        };
        let (month, day) = (self.below(13), self.below(32));
        let mut text = match self.below(12) {
            0 => format!("{year}-{month}-{day}"),
            1 => format!("{year:04}/{month:02}/{day:02}"),
            2 => format!("{month:02}-{day:02}-{year:04}"),
            3 => format!(" {year:05}-{month:02}-{day:02} "),
            _ => format!("{year:04}-{month:02}-{day:02}"),
        };
        if self.below(6) == 0 {
            text.push_str(&self.time());
        }
        if self.below(8) == 0 {
            text.push_str(self.zone());
        }
        text
    }

    /// With a time in all but one of so many.
    fn timestamp(&mut self, some: u64) -> String {
        let mut text = self.date();
        if self.below(some * 2) > 0 {
            text.push_str(&self.time());
        }
        if self.below(some) > 0 {
            text.push_str(self.zone());
        }
        text
    }

    fn time(&mut self) -> String {
        let (hour, minute, second) = (self.below(25), self.below(60), self.below(61));
        let (minute, second) = match hour {
            24 if self.below(2) == 0 => (0, 0),
            _ => (minute, second),
        };
        let before = self.pick(&[" ", " ", " ", "T", "T", "t", "  ", ""]);
        let clock = match self.below(8) {
            0 => format!("{hour}:{minute}"),
            1 => format!("{hour}:{minute}:{second}"),
            2 => format!("{hour:02}:{minute:02}"),
            3 => format!("{hour:02}{minute:02}{second:02}"),
            _ => format!("{hour:02}:{minute:02}:{second:02}"),
        };
        let fraction = match self.below(4) {
            0 => format!(".{}", self.below(1_000_000)),
            1 => self
                .pick(&[
                    ".", ".0", ".000000", ".123456", ".1234567", ".9999999", ",5",
                ])
                .to_owned(),
            _ => String::new(),
        };
        format!("{before}{clock}{fraction}")
    }

    fn zone(&mut self) -> &'static str {
        self.pick(&[
            "Z",
            "z",
            " Z",
            "UTC",
            " utc",
            "+00",
            "-00",
            "+02",
            "-08",
            "+05:30",
            "-0330",
            "+15:59",
            "-15:59:59",
            "+16",
            "+2",
            "+02:60",
            "+023015",
            " +02",
            " -08:00",
            " CET",
            "Z+02",
            " BC",
            " AD",
            "+02 BC",
            " PM",
            "  +01",
            "+01 ",
        ])
    }
}
