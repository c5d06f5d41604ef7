//! Statements that read rows of several shards, written down: each is answered as by one PostgreSQL with all the rows, or
//! refused with 0A000. How many of a file are refused is written beside it (`cases/refused.txt`) and may only fall.
//!
//! The demo's tables with rows of every kind (`cases/several`): sorted by bytes, by a locale, and placed unevenly. Tables of
//! values that are hard to compare, to add up or to move (`cases/values`). Texts in databases that sort by a locale
//! (`cases/collation`). And a schema like TPC-H's (`cases/tpch`), with its small tables once as reference tables and once as
//! unsharded ones.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::collections::BTreeMap;
use std::{env, fs};

use integration_tests::case::{self, Case, Tally};
use integration_tests::cluster::LOGICAL_SHARDS;
use integration_tests::pair::{Form, Outcome, Pair, Rows, is_ordered};
use integration_tests::wire::{Format, Wire};
use integration_tests::world::{SHARDS, cases, script, statements, writes};
use integration_tests::{Cluster, Kind, ProxyOptions, Setup, Subject, World};
use trunkline::internals::even_placement;

/// How much of the demo's rows the written statements expect.
const SAMPLE: f64 = 0.01;

/// How the cases of a world are sent; the argument: there are no parameters.
type Forms = fn(bool) -> Vec<Form>;

/// Of cases that another world has in every form.
fn few_forms(simple: bool) -> Vec<Form> {
    let binary = Form::Unnamed {
        typed: true,
        given: Format::Binary,
        wanted: Format::Binary,
    };
    vec![Form::plain(simple), binary]
}

/// Runs every case of a directory. Gives for each file how many statements were refused.
fn run(world: &World, directory: &str, forms: Forms) -> BTreeMap<String, usize> {
    files(directory)
        .into_iter()
        .map(|(name, text)| {
            let refused = run_file(world, &name, &text, forms);
            (name, refused)
        })
        .collect()
}

/// Names and texts of a directory's files of cases.
fn files(directory: &str) -> BTreeMap<String, String> {
    let entries = fs::read_dir(cases(directory)).unwrap();
    let files: BTreeMap<_, _> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .map(|path| {
            let file = path.file_name().unwrap().to_string_lossy();
            (
                format!("{directory}/{file}"),
                fs::read_to_string(&path).unwrap(),
            )
        })
        .collect();
    assert!(!files.is_empty());
    files
}

fn run_file(world: &World, name: &str, text: &str, forms: Forms) -> usize {
    let mut pair = world.pair();
    let (mut tally, mut refused) = (Tally::default(), 0);
    let cases = case::parse(name, text);
    for case in &cases {
        let mut is_refused = false;
        for form in forms(case.parameters.is_empty()) {
            let outcome = compare(&mut pair, case, form);
            if let Outcome::Refused(why) = &outcome {
                if !is_refused {
                    println!("refused {}: {}: {why:?}", case.place, case.sql);
                }
                is_refused = true;
            }
            tally.count(outcome);
        }
        refused += usize::from(is_refused);
    }
    println!("{name}: {} statements, {refused} refused", cases.len());
    tally.finish(name);
    refused
}

fn compare(pair: &mut Pair, case: &Case, form: Form) -> Outcome {
    let ordered = is_ordered(&case.sql) && !case.partly_ordered;
    let rows = if ordered {
        Rows::Ordered
    } else {
        Rows::Unordered
    };
    let answer = pair.compare_defined(&case.sql, &case.parameters, form, rows);
    match answer.outcome {
        Outcome::Different(what) => Outcome::Different(format!("{}: {form:?}: {what}", case.place)),
        outcome => outcome,
    }
}

/// What a transaction has done when a statement of it comes: nothing, or written rows of an organization on the default
/// shard, or on another one. Each case is tried in one of these.
const DONE: [Option<usize>; 3] = [None, Some(0), Some(1)];

/// Every statement of a directory in a transaction that has writes of its own, which it sees.
fn run_within(world: &World, directory: &str) {
    let (mut tally, mut written) = (Tally::default(), 0);
    let mut pair = world.pair();
    for (name, text) in files(directory) {
        for case in case::parse(&name, &text) {
            let done = DONE[written % DONE.len()];
            written += 1;
            for form in few_forms(case.parameters.is_empty()) {
                pair.both("begin");
                if let Some(shard) = done {
                    let organization = world.cluster.organization_on(shard);
                    { writes(organization) }.for_each(|write| pair.both(&write));
                }
                let outcome = compare(&mut pair, &case, form);
                pair.both("rollback");
                if let Outcome::Refused(why) = &outcome {
                    println!("refused {}: {done:?}: {}: {why:?}", case.place, case.sql);
                }
                tally.count(outcome);
            }
        }
    }
    tally.finish("within transactions");
}

#[test]
fn statements_within_transactions() {
    let world = World::new(&Kind::demo(SAMPLE));
    run_within(&world, "several");
    let world = World::new(&Kind::with_locale(SAMPLE));
    run_within(&world, "several");
}

/// Compares with what is written down; `UPDATE_EXPECT=1` writes what was found.
fn check_refused(world: &str, found: BTreeMap<String, usize>) {
    let file = cases("refused.txt");
    let text = fs::read_to_string(&file).unwrap_or_default();
    let mut known: BTreeMap<String, usize> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let (name, count) = line.rsplit_once(' ').unwrap();
            (name.to_owned(), count.parse().unwrap())
        })
        .collect();
    let found: BTreeMap<_, _> = found
        .into_iter()
        .map(|(name, count)| (format!("{world} {name}"), count))
        .collect();
    if env::var_os("UPDATE_EXPECT").is_some() {
        known.extend(found);
        let lines = known
            .iter()
            .map(|(name, count)| format!("{name} {count}\n"));
        let text = lines.collect::<String>();
        fs::write(
            file,
            format!("# World, file and how many of its statements are refused.\n{text}"),
        )
        .unwrap();
        return;
    }
    if env::var_os(integration_tests::subject::SELF_TEST).is_some() {
        return;
    }
    for (name, count) in found {
        assert_eq!(
            known.get(&name),
            Some(&count),
            "{name}: UPDATE_EXPECT=1 writes what was found"
        );
    }
}

/// `create table t (…)` and the like are about this relation.
fn relation(statement: &str) -> &str {
    let mut words = statement.split(|c: char| c.is_whitespace() || c == '(');
    let is_name = |word: &&str| {
        ![
            "create", "insert", "into", "table", "view", "or", "replace", "type", "index", "on", "",
        ]
        .contains(word)
    };
    words.find(is_name).unwrap_or_default()
}

/// Settings that say how values are written or read.
const SETTINGS: [&str; 11] = [
    "intervalstyle = 'sql_standard'; datestyle = 'Postgres, DMY'",
    "intervalstyle = 'postgres_verbose'; datestyle = 'SQL, MDY'; timezone = 'Asia/Kolkata'",
    "datestyle = 'German'; extra_float_digits = -5",
    "timezone = 'Europe/Amsterdam'; intervalstyle = 'iso_8601'; datestyle = 'SQL, DMY'",
    "timezone = 'America/St_Johns'; extra_float_digits = -15",
    "array_nulls = off",
    "bytea_output = 'escape'",
    "xmloption = 'document'",
    "quote_all_identifiers = on; default_toast_compression = 'pglz'",
    "default_transaction_isolation = 'serializable'; default_transaction_read_only = on",
    "backslash_quote = 'off'; transform_null_equals = off; enable_seqscan = off",
];

/// Rows that travel from shard to shard come out as the session's settings have it, and are what they were.
fn whatever_the_settings(world: &World, queries: &[&str]) {
    let ports = [world.cluster.oracle.port(), world.subject.port()];
    let mut wrong = Vec::new();
    for settings in SETTINGS {
        let mut sides = ports.map(|port| Wire::connect(port).unwrap());
        for query in queries {
            let answers = sides.each_mut().map(|side| {
                for setting in settings.split("; ") {
                    side.simple(&format!("set {setting}")).unwrap();
                }
                let replies = side.simple(query).unwrap();
                // What a relation's number is differs.
                replies
                    .into_iter()
                    .filter(|reply| reply.tag != b'T')
                    .map(|reply| format!("{reply:?}"))
                    .collect::<Vec<_>>()
            });
            let [expected, found] = &answers;
            let pairs = expected.iter().zip(found);
            if let Some((expected, found)) = { pairs }.find(|(expected, found)| expected != found) {
                wrong.push(format!(
                    "{settings}: {query}\n  expected {expected}\n  found {found}"
                ));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn statements_over_the_demos_tables() {
    let world = World::new(&Kind::demo(SAMPLE));
    let query = "select lasted, day, local_at, seen_at, double_n, real_n, feeling from readings \
                 order by organization_id, reading_id";
    whatever_the_settings(&world, &[query]);
    check_refused("demo", run(&world, "several", Form::all));
}

#[test]
fn statements_over_values_that_are_hard() {
    let world = World::new(&Kind {
        sample: None,
        scripts: &["values"],
        ..Kind::demo(SAMPLE)
    });
    whatever_the_settings(
        &world,
        &[
            "select * from figures_told order by organization_id, id",
            "select * from moments_told order by organization_id, id",
            "select * from things_told where note not like '🙂' order by organization_id, id",
            "select * from made order by organization_id, id",
            "select count(*), count(note), count(distinct note), sum(length(note)) from things",
            "select count(*), count(distinct title), sum(length(note)), max(id) from things_told",
            "select organization_id, id, feelings from made where feelings = '{NULL,meh}' order by 1, 2",
            "select organization_id, id, markup, words, words[1] is null, array_length(words, 1) from papers order by 1, 2",
            "select * from picked order by organization_id, id",
            "select count(*), max(span), max(at), max(f) from picked where words[2] is null",
        ],
    );
    check_refused("values", run(&world, "values", Form::all));
}

/// Rows are put in order here only where all that is compared is compared byte by byte, whichever of several texts it is; else by
/// a server.
fn merged_by_bytes(world: &World) {
    let mut wire = Wire::connect(world.subject.port()).unwrap();
    for (order, is_merged) in [
        ("bytewise", true),
        ("posix", true),
        ("t", false),
        ("german", false),
        ("counting", false),
        ("nocase", false),
        ("bytewise, posix", true),
        ("bytewise, t", false),
        ("t, bytewise", false),
        ("t collate \"C\", german collate \"C\"", true),
        ("many_c", true),
        ("id, organization_id", true),
    ] {
        let told = wire
            .simple(&format!(
                "explain (costs off) select id from words order by {order}"
            ))
            .unwrap();
        let told = format!("{told:?}");
        assert!(told.contains("Scatter, read"), "{order}: {told}");
        let here = told.contains("its order is known here: not finished by a server");
        assert_eq!(here, is_merged, "{order}: {told}");
        let there = told.contains("or not known here: finished by a server");
        assert_eq!(there, !is_merged, "{order}: {told}");
    }
    for (text, is_finished) in [
        ("select t, count(*) from words group by t", true),
        (
            "select t, count(*) from words group by t having count(*) > 1 order by t limit 3",
            true,
        ),
        (
            "select german, count(*) from words group by 1 order by 1 desc",
            true,
        ),
        ("select distinct t from words", true),
        ("select count(distinct t), count(*) from words", true),
        (
            "select german, count(distinct t) from words group by 1 having count(distinct t) > 1",
            true,
        ),
        ("select count(distinct nocase) from words", false),
        // Unlike texts may be one group, whose text is that of any of them.
        ("select nocase, count(*) from words group by nocase", false),
        ("select max(t) from words", false),
    ] {
        let told = wire.simple(&format!("explain (costs off) {text}")).unwrap();
        let told = format!("{told:?}");
        assert_eq!(
            told.contains("Scatter, read"),
            is_finished,
            "{text}: {told}"
        );
    }
}

/// The locale decides the order, not the bytes.
#[test]
fn statements_in_databases_with_a_locale() {
    let world = World::new(&Kind {
        scripts: &["several", "collation"],
        ..Kind::with_locale(SAMPLE)
    });
    merged_by_bytes(&world);
    check_refused("collation", run(&world, "collation", Form::all));
    check_refused("collation", run(&world, "several", few_forms));
}

#[test]
fn statements_over_shards_that_are_filled_unevenly() {
    let world = World::new(&Kind {
        scripts: &["several", "values"],
        ..Kind::uneven(SAMPLE)
    });
    check_refused("uneven", run(&world, "several", few_forms));
    check_refused("uneven", run(&world, "values", few_forms));
}

/// The tables of `cases/tpch` that are sharded, and their keys.
const TPCH_SHARDED: [(&str, &str); 3] = [
    ("customer", "c_custkey"),
    ("orders", "o_orderkey"),
    ("lineitem", "l_orderkey"),
];
const TPCH_SMALL: [&str; 5] = ["region", "nation", "supplier", "part", "partsupp"];
/// Above all keys.
const TPCH_KEYS: i64 = 4_000;

/// `referenced`: the small tables are reference tables, else unsharded ones.
fn tpch(referenced: bool) -> World {
    let directory = cases("tpch");
    let rows = |table: &str| {
        let select = fs::read_to_string(directory.join("rows").join(format!("{table}.sql")));
        statements(&select.unwrap()).remove(0)
    };
    let schema = statements(&fs::read_to_string(directory.join("schema.sql")).unwrap());
    let (small, sharded): (Vec<_>, Vec<_>) = schema
        .into_iter()
        .partition(|statement| TPCH_SMALL.contains(&relation(statement)));
    let insert = |table: &&str| format!("insert into {table} {}", rows(table));
    let small = [small, TPCH_SMALL.iter().map(insert).collect()].concat();
    let cluster = Cluster::start(&Setup {
        shards: SHARDS,
        sample: None,
        everywhere: script(&match referenced {
            true => [&small[..], &sharded].concat(),
            false => sharded,
        }),
        default_shard: script(if referenced { &[] } else { &small }),
        ..Setup::default()
    });
    let all: Vec<i64> = (0..TPCH_KEYS).collect();
    for (table, key) in TPCH_SHARDED {
        let rows = rows(table);
        let fill = |port: u16, keys: &[i64]| {
            let keys: Vec<_> = keys.iter().map(i64::to_string).collect();
            let insert = format!(
                "insert into {table} select * from ({rows}) r where r.{key} = any ('{{{}}}')",
                keys.join(",")
            );
            let replies = Wire::connect(port).unwrap().simple(&insert).unwrap();
            assert!(
                replies.iter().all(|reply| reply.tag != b'E'),
                "{insert}: {replies:?}"
            );
        };
        fill(cluster.oracle.port(), &all);
        for shard in 0..SHARDS {
            let here = all
                .iter()
                .copied()
                .filter(|key| cluster.shard_of(*key) == shard);
            fill(cluster.primary_port(shard), &here.collect::<Vec<_>>());
        }
    }
    let keyspace = |name: &str, key: &str, tables: &str| {
        let ranges = even_placement(LOGICAL_SHARDS, SHARDS);
        let placement = ranges.iter().enumerate();
        let placement =
            placement.map(|(shard, range)| format!("{}: {range}", Cluster::shard_name(shard)));
        format!(
            "      {name}:
        key: {{ column: {key}, type: bigint }}
        logical_shards: {LOGICAL_SHARDS}
        placement: {{ {} }}
        tables: {tables}\n",
            placement.collect::<Vec<_>>().join(", ")
        )
    };
    let options = ProxyOptions {
        reference_tables: match referenced {
            true => TPCH_SMALL.map(str::to_owned).to_vec(),
            false => Vec::new(),
        },
        keyspaces: keyspace("customers", "c_custkey", "[ customer ]")
            + &keyspace(
                "orders",
                "o_orderkey",
                "[ orders, lineitem: { key: l_orderkey } ]",
            ),
        ..ProxyOptions::default()
    };
    World {
        subject: Subject::start(&cluster, &options),
        cluster,
    }
}

#[test]
fn statements_over_tpch_with_reference_tables() {
    check_refused("reference", run(&tpch(true), "tpch", Form::all));
}

#[test]
fn statements_over_tpch_with_unsharded_tables() {
    check_refused("unsharded", run(&tpch(false), "tpch", Form::all));
}
