//! What is merged of several shards' answers, with PostgreSQL as the oracle: thousands of values of each type in its
//! order, and aggregates of random groups from the parts that shards would compute.
//!
//! `TRUNKLINE_SEED` repeats a run, from 0 to 1; `TRUNKLINE_MERGED=100000` is how many values of each type.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::cmp::Ordering;
use std::error::Error;
use std::sync::OnceLock;

use integration_tests::client::connect;
use integration_tests::{Cluster, Setup};
use tokio_postgres::Client;
use tokio_postgres::types::{FromSql, Type};
use trunkline::internals::merging::{Merged, Parts, compare};

/// Types, and expressions that give another value for each `i`.
const KINDS: &[(&str, &str)] = &[
    ("boolean", "random() < 0.5"),
    ("smallint", "(random() * 65535 - 32768)::int::smallint"),
    (
        "integer",
        "((random() - 0.5) * 10 ^ (random() * 9)::int)::int",
    ),
    (
        "bigint",
        "((random() - 0.5) * 10 ^ (random() * 18.9)::int)::bigint",
    ),
    ("oid", "(random() * 4294967295)::bigint::oid"),
    (
        "real",
        "case (random() * 20)::int when 0 then 'NaN' when 1 then '-0' when 2 then 'Infinity' when 3 then '-Infinity' \
         else ((random() - 0.5) * 10 ^ (random() * 60 - 30)::int) end::real",
    ),
    (
        "double precision",
        "case (random() * 20)::int when 0 then 'NaN' when 1 then '-0' when 2 then 'Infinity' when 3 then '-Infinity' \
         else ((random() - 0.5) * 10 ^ (random() * 200 - 100)::int) end::double precision",
    ),
    (
        "numeric",
        "case (random() * 40)::int when 0 then 'NaN' when 1 then 'Infinity' when 2 then '-Infinity' when 3 then 0.00 \
         when 4 then (random() * 5)::int * 10000 ^ ((random() * 6)::int - 3)::numeric \
         else round((random() - 0.5)::numeric * 10 ^ ((random() * 60)::int - 30)::numeric, (random() * 35)::int) end",
    ),
    (
        "numeric",
        "((array['', '-'])[1 + round(random())::int] \
          || repeat(translate(md5(random()::text), 'abcdef', '909501'), (random() * 15)::int) || '0.' \
          || repeat('0', (random() * 300)::int) || translate(md5(random()::text), 'abcdef', '909501'))::numeric",
    ),
    ("money", "((random() - 0.5) * 100000)::numeric::money"),
    (
        "date",
        "case (random() * 30)::int when 0 then 'infinity' when 1 then '-infinity' \
         else date '2000-01-01' + ((random() - 0.5) * 10 ^ (random() * 6)::int)::int end",
    ),
    ("time", "time '00:00' + random() * interval '24 hours'"),
    (
        "timetz",
        "(round(random() * 23) || ':00:00' || to_char((random() * 28)::int - 14, 'SG00'))::timetz",
    ),
    (
        "timestamp",
        "case (random() * 30)::int when 0 then 'infinity' when 1 then '-infinity' \
         else timestamp '2000-01-01' + (random() - 0.5) * interval '4000 years' end",
    ),
    (
        "timestamptz",
        "case (random() * 30)::int when 0 then 'infinity' when 1 then '-infinity' \
         else timestamptz '2000-01-01' + (random() - 0.5) * interval '40 years' end",
    ),
    (
        "interval",
        "make_interval(months => (random() * 6)::int - 3, days => ((random() - 0.5) * 200)::int, \
         hours => ((random() - 0.5) * 3000)::int)",
    ),
    ("uuid", "md5(random()::text)::uuid"),
    (
        "bytea",
        "decode(substr(md5(random()::text), 1, 2 * (random() * 3)::int), 'hex')",
    ),
    ("text", LETTERS),
    ("varchar", LETTERS),
    ("bpchar", LETTERS),
    ("name", LETTERS),
    ("\"char\"", "chr((random() * 126)::int + 1)::\"char\""),
    (
        "inet",
        "case when random() < 0.5 then set_masklen('0.0.0.0'::inet + (random() * 4294967295)::bigint, (random() * 32)::int) \
         else set_masklen('::'::inet + (random() * 1e17)::bigint, (random() * 128)::int) end",
    ),
    (
        "cidr",
        "network(set_masklen('0.0.0.0'::inet + (random() * 4294967295)::bigint, (random() * 9)::int))",
    ),
    ("macaddr", "substr(md5(random()::text), 1, 12)::macaddr"),
    ("macaddr8", "substr(md5(random()::text), 1, 16)::macaddr8"),
    (
        "varbit",
        "substring((random() * 2147483647)::int::bit(32) for (random() * 12)::int)::varbit",
    ),
    ("bit(32)", "(random() * 2147483647)::int::bit(32)"),
    ("pg_lsn", "'0/0'::pg_lsn + (random() * 1e15)::bigint"),
    ("xid8", "(random() * 1e15)::bigint::text::xid8"),
    (
        "integer[]",
        "case (random() * 6)::int when 0 then '{}' when 1 then '{{1,2},{3,4}}' when 2 then '[0:1]={1,2}' \
         when 3 then '{{1,2,3,4}}' \
         else array_remove(array[(random() * 2)::int, nullif((random() * 4)::int, 4), (random() * 5)::int], 5) end",
    ),
    (
        "text[]",
        "array[chr(97 + (random() * 2)::int), nullif(repeat('a', (random() * 3)::int), 'aaa')]",
    ),
    (
        "numeric[]",
        "array[round(random()::numeric, (random() * 3)::int), (random() * 2)::int]",
    ),
];

/// Short texts that are often prefixes of others, with blanks at their ends.
const LETTERS: &str =
    "translate(substr(md5(random()::text), 1, (random() * 5)::int), '01234567', '  aAzé東🦀')";

fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        Cluster::start(&Setup {
            shards: 1,
            sample: None,
            ..Setup::default()
        })
    })
}

async fn client() -> Client {
    let given = std::env::var("TRUNKLINE_SEED").ok();
    let seed = given.and_then(|seed| seed.parse().ok()).unwrap_or_else(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        f64::from(now.unwrap().subsec_nanos()) / 1e9
    });
    eprintln!("TRUNKLINE_SEED={seed}");
    let client = connect(cluster().oracle.port()).await;
    let settings = format!("set timezone to utc; select setseed({seed})");
    client.batch_execute(&settings).await.unwrap();
    client
}

fn values() -> usize {
    let given = std::env::var("TRUNKLINE_MERGED").ok();
    given.and_then(|count| count.parse().ok()).unwrap_or(2000)
}

/// A value's bytes as they came.
struct Raw(Vec<u8>);

impl<'a> FromSql<'a> for Raw {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(raw.to_vec()))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn values_are_in_postgresqls_order() {
    let client = client().await;
    for (name, value) in KINDS {
        let collation = match name.trim_end_matches("[]") {
            "text" | "varchar" | "bpchar" | "name" => "collate \"C\"",
            _ => "",
        };
        let sql = format!(
            "select v, dense_rank() over (order by v {collation}), v::text as shown
             from (select ({value})::{name} as v from generate_series(1, {}) i) t order by v {collation}",
            values()
        );
        let rows = client.query(&sql, &[]).await.unwrap();
        let oid = rows[0].columns()[0].type_().oid();
        let rows: Vec<(Vec<u8>, i64, String)> = rows
            .iter()
            .map(|row| (row.get::<_, Raw>(0).0, row.get(1), row.get(2)))
            .collect();
        let check = |a: &(Vec<u8>, i64, String), b: &(Vec<u8>, i64, String)| -> Ordering {
            let found = compare(oid, &a.0, &b.0).unwrap();
            let expected = Ok(a.1.cmp(&b.1));
            assert_eq!(found, expected, "{name}: {:?} and {:?}", a.2, b.2);
            a.1.cmp(&b.1)
        };
        for pair in rows.windows(2) {
            check(&pair[0], &pair[1]);
            check(&pair[1], &pair[0]);
        }
        // Pairs that are far from each other, in both directions.
        let mut sorted: Vec<_> = rows
            .iter()
            .rev()
            .step_by(7)
            .chain(rows.iter().step_by(3))
            .collect();
        sorted.sort_by(|a, b| check(a, b));
    }
}

const AGGREGATES: &[&str] = &[
    "count",
    "sum",
    "avg",
    "min",
    "max",
    "bool_and",
    "every",
    "bool_or",
    "bit_and",
    "bit_or",
    "bit_xor",
    "variance",
    "var_samp",
    "var_pop",
    "stddev",
    "stddev_samp",
    "stddev_pop",
];

/// Values whose aggregates depend on the order of rows as little as merged ones do: floats that are added exactly.
fn aggregated(name: &str, value: &'static str) -> &'static str {
    match name {
        "real" | "double precision" => {
            "case (random() * 60)::int when 0 then 'NaN' when 1 then 'Infinity' when 2 then '-Infinity' \
             else ((random() * 2000)::int - 1000) / 64.0 end::double precision"
        }
        _ => value,
    }
}

/// Of 200 groups of up to 40 rows over four shards, some of which have none of a group; a row in eight is NULL.
#[tokio::test(flavor = "multi_thread")]
async fn merged_aggregates_are_postgresqls() {
    let client = client().await;
    let groups = values().div_ceil(10);
    let mut checked = Vec::new();
    for (name, value) in KINDS {
        let value = aggregated(name, value);
        client
            .batch_execute(&format!(
                "drop table if exists t;
                 create table t as
                 select g, (random() * 3)::int as shard, random() < 0.7 as f,
                        case when random() < 0.875 then ({value})::{name} end as v
                 from generate_series(1, {groups}) g, lateral (select (random() * 40)::int + 0 * g as n offset 0) s,
                      lateral generate_series(0, n) i"
            ))
            .await
            .unwrap();
        let row = client
            .query_one("select v from t limit 1", &[])
            .await
            .unwrap();
        let oid = row.columns()[0].type_().oid();
        for function in AGGREGATES {
            for is_text in [false, true] {
                let Some(merged) = Merged::new(function, Some(oid), is_text) else {
                    continue;
                };
                if check_aggregate(&client, &merged, function, "v", is_text).await {
                    checked.push((*name, *function));
                }
            }
        }
        let rows = Merged::new("count", None, true).unwrap();
        check_aggregate(&client, &rows, "count", "*", true).await;
    }
    checked.dedup();
    eprintln!("{} aggregates: {checked:?}", checked.len());
    assert!(checked.len() > 120);
}

/// False where PostgreSQL has no such aggregate.
async fn check_aggregate(
    client: &Client,
    merged: &Merged,
    function: &str,
    argument: &str,
    is_text: bool,
) -> bool {
    let argument = match (function, argument) {
        ("min" | "max", "v") => "v collate \"C\"",
        (_, argument) => argument,
    };
    let shown = |call: &str| match is_text {
        // A cast of a boolean says more than its text form.
        true if merged.result() == 16 => format!("left({call}::text, 1)"),
        true => format!("{call}::text"),
        false => call.to_owned(),
    };
    let call = format!("{function}({argument}) filter (where f)");
    let whole = format!(
        "select g, {}, {call} from t group by g order by g",
        shown(&call)
    );
    let parts: Vec<String> = merged
        .expressions(argument, Some("f"))
        .into_iter()
        .map(|(part, is_binary)| {
            if is_binary {
                part
            } else {
                format!("({part})::text")
            }
        })
        .collect();
    let parts = format!(
        "select g, {} from t group by g, shard order by g, shard",
        parts.join(", ")
    );
    let whole = query(client, &whole, argument).await;
    let Some(whole) = whole else { return false };
    let parts = query(client, &parts, argument).await.unwrap();
    assert_eq!(
        whole[0].columns()[2].type_().oid(),
        merged.result(),
        "{call}"
    );
    let mut at = 0;
    for row in &whole {
        let group: i32 = row.get(0);
        let mut shards: Vec<Parts> = Vec::new();
        while parts
            .get(at)
            .is_some_and(|part| part.get::<_, i32>(0) == group)
        {
            let part = |column| parts[at].get::<_, Option<Raw>>(column).map(|raw| raw.0);
            shards.push((1..parts[at].len()).map(part).collect());
            at += 1;
        }
        let expected = row.get::<_, Option<Raw>>(1).map(|raw| raw.0);
        let found = merged.merge(&shards);
        let is_right = match (&found, &expected) {
            // Any of those that compare equal, which is looked at in binary.
            (Ok(Some(found)), Some(_)) if is_text && ["min", "max"].contains(&function) => shards
                .iter()
                .any(|parts: &Parts| parts[1].as_ref() == Some(found)),
            _ => same(&found, &expected, function, merged.result()),
        };
        if !is_right {
            let shown = |bytes: &Option<Vec<u8>>| {
                bytes
                    .as_ref()
                    .map(|b| String::from_utf8_lossy(b).into_owned())
            };
            panic!(
                "{call} of {group}: {:?} is {:?}: {found:?}",
                shown(&expected),
                found.as_ref().map(shown)
            );
        }
    }
    assert_eq!(at, parts.len());
    true
}

/// Rows of a query, first as it is and then without a collation: not all types have one. `None` where PostgreSQL has
/// no such aggregate.
async fn query(client: &Client, sql: &str, argument: &str) -> Option<Vec<tokio_postgres::Row>> {
    let plain = sql.replace(argument, argument.trim_end_matches(" collate \"C\""));
    for sql in [sql, &plain] {
        if let Ok(rows) = client.query(sql, &[]).await {
            return Some(rows);
        }
    }
    None
}

/// The same bytes, or in binary an extreme that compares equal, or a NaN, which has many forms.
fn same(
    found: &Result<Option<Vec<u8>>, (String, String)>,
    expected: &Option<Vec<u8>>,
    function: &str,
    oid: u32,
) -> bool {
    match (found, expected) {
        (Ok(Some(found)), Some(expected)) if found != expected => {
            let is_nan = |bytes: &[u8]| match <[u8; 8]>::try_from(bytes) {
                Ok(bytes) => f64::from_be_bytes(bytes).is_nan(),
                Err(_) => <[u8; 4]>::try_from(bytes).is_ok_and(|b| f32::from_be_bytes(b).is_nan()),
            };
            match function {
                "min" | "max" => compare(oid, found, expected) == Some(Ok(Ordering::Equal)),
                _ => matches!(oid, 700 | 701) && is_nan(found) && is_nan(expected),
            }
        }
        (Ok(found), expected) => found == expected,
        (Err(_), _) => false,
    }
}

/// Sums of one value: any bits, and those whose shortest digits are special.
#[tokio::test(flavor = "multi_thread")]
async fn floats_are_printed_as_by_postgresql() {
    let client = client().await;
    let count = values() as i32;
    let bits = client
        .query(
            "select (random() * 4294967295)::bigint << 32 | (random() * 4294967295)::bigint from generate_series(1, $1)",
            &[&count],
        )
        .await
        .unwrap();
    let bits = bits.iter().map(|row| row.get::<_, i64>(0).cast_unsigned());
    let powers = (-1074..1024).map(|power| 2f64.powi(power));
    let tens = (-323..309).map(|power| format!("1e{power}").parse().unwrap());
    let mut doubles: Vec<f64> = powers.chain(tens).collect();
    for value in doubles.clone() {
        doubles.extend([value.next_up(), value.next_down(), value * 3.0, -value]);
    }
    let mut singles: Vec<f32> = doubles.iter().map(|value| *value as f32).collect();
    for bits in bits {
        doubles.push(f64::from_bits(bits));
        doubles.push(f64::from_bits(bits) * 1e-3);
        doubles.push((bits >> 40) as f64 / 1000.0);
        singles.push(f32::from_bits(bits as u32));
        singles.push((bits >> 50) as f32 / 100.0);
    }
    let sql = "select v, v::text from unnest($1::double precision[]) v";
    check_printed(&client.query(sql, &[&doubles]).await.unwrap(), 701);
    let sql = "select v, v::text from unnest($1::real[]) v";
    check_printed(&client.query(sql, &[&singles]).await.unwrap(), 700);
}

fn check_printed(rows: &[tokio_postgres::Row], oid: u32) {
    let sum = Merged::new("sum", Some(oid), true).unwrap();
    for row in rows {
        let bytes = row.get::<_, Raw>(0).0;
        let text = sum.merge(&[vec![Some(bytes)]]).unwrap().unwrap();
        assert_eq!(String::from_utf8(text).unwrap(), row.get::<_, &str>(1));
    }
}
