//! Three shards, an oracle, and tables sharded by every type of key.

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use integration_tests::client::{connect, texts};
use integration_tests::cluster::LOGICAL_SHARDS;
use integration_tests::wire::Wire;
use integration_tests::{Cluster, ProxyOptions, Setup, Subject};
use trunkline::internals::{even_placement, place_evenly};

pub struct World {
    pub cluster: Cluster,
    pub subject: Subject,
    writing: Mutex<()>,
}

/// Two tables of one keyspace, `<name>_a` and `<name>_b`, and values of its key as SQL literals.
pub struct Family {
    pub name: &'static str,
    pub key_type: &'static str,
    pub keys: &'static [&'static str],
}

pub const FAMILIES: &[Family] = &[
    Family {
        name: "big",
        key_type: "bigint",
        keys: &[
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
            "-9223372036854775807",
            "4294967296",
            "2147483648",
        ],
    },
    Family {
        name: "int",
        key_type: "integer",
        keys: &[
            "1",
            "2",
            "3",
            "4",
            "5",
            "6",
            "0",
            "-1",
            "2147483647",
            "-2147483648",
            "65536",
        ],
    },
    Family {
        name: "small",
        key_type: "smallint",
        keys: &["1", "2", "3", "4", "5", "0", "-1", "32767", "-32768"],
    },
    Family {
        name: "txt",
        key_type: "text",
        keys: &[
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
        ],
    },
    Family {
        name: "vc",
        key_type: "varchar",
        keys: &["a", "A", "b", "c", "", "é", "5", "x y", "--"],
    },
    Family {
        name: "uid",
        key_type: "uuid",
        keys: &[
            "00000000-0000-0000-0000-000000000000",
            "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
            "ffffffff-ffff-ffff-ffff-ffffffffffff",
            "12345678-9abc-def0-1234-56789abcdef0",
            "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12",
        ],
    },
];

const EVERYWHERE: &str = r#"
    create table accounts (organization_id bigint primary key, balance int not null check (balance >= 0), note text);
    create table big_a (k bigint, n int, v text, primary key (k, n));
    create table big_b (k bigint, n int, v text, primary key (k, n));
    create table int_a (k int, n int, v text, primary key (k, n));
    create table int_b (k int, n int, v text, primary key (k, n));
    create table small_a (k smallint, n int, v text, primary key (k, n));
    create table small_b (k smallint, n int, v text, primary key (k, n));
    create table txt_a (k text, n int, v text, primary key (k, n));
    create table txt_b (k text, n int, v text, primary key (k, n));
    create table vc_a (k varchar(20), n int, v text, primary key (k, n));
    create table vc_b (k varchar, n int, v text, primary key (k, n));
    create table uid_a (k uuid, n int, v text, primary key (k, n));
    create table uid_b (k uuid, n int, v text, primary key (k, n));
    create table "Mixed Case" ("Key" bigint, "N" int, v text default 'none', primary key ("Key", "N"));
    create table refs (n int primary key, v text);
    insert into refs select n, 'ref ' || n from generate_series(0, 5) n;
    create type mood as enum ('sad', 'happy');
    create domain key_domain as bigint;
"#;

const DEFAULT_SHARD: &str = "
    create table plain (k bigint, n int, v text);
    insert into plain select n, n % 4, 'plain ' || n from generate_series(0, 12) n;
    create table counted (id serial primary key, v text);
    create view big_view as select * from big_a;
    create function sneaky(bigint) returns bigint language sql stable as 'select count(*) from big_a where k = $1';
    create function twice(bigint) returns bigint language sql immutable as 'select $1 * 2';
    create schema other;
    create table other.big_a (k bigint, n int, v text);
    insert into other.big_a values (1, 1, 'other schema');
";

static WORLD: OnceLock<World> = OnceLock::new();

pub fn world() -> &'static World {
    WORLD.get_or_init(start)
}

/// Tests that write, or that others' writes would disturb, run one after the other.
pub fn writing() -> MutexGuard<'static, ()> {
    world()
        .writing
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
}

fn start() -> World {
    let setup = Setup {
        shards: 3,
        everywhere: EVERYWHERE,
        default_shard: DEFAULT_SHARD,
        ..Setup::default()
    };
    let cluster = Cluster::start(&setup);
    let options = ProxyOptions {
        tables: vec!["accounts".to_owned()],
        reference_tables: vec!["refs".to_owned()],
        keyspaces: keyspaces(cluster.shards.len()),
        ..ProxyOptions::default()
    };
    let subject = Subject::start(&cluster, &options);
    let world = World {
        cluster,
        subject,
        writing: Mutex::new(()),
    };
    fill(&world);
    world
}

fn keyspaces(shards: usize) -> String {
    let ranges = even_placement(LOGICAL_SHARDS, shards);
    let placement: Vec<_> = ranges
        .iter()
        .enumerate()
        .map(|(shard, range)| format!("{}: {range}", Cluster::shard_name(shard)))
        .collect();
    let placement = placement.join(", ");
    let mut text = String::new();
    for family in FAMILIES {
        let name = family.name;
        text += &format!(
            "      {name}:
        key: {{ column: k, type: {} }}
        function: hash
        logical_shards: {LOGICAL_SHARDS}
        placement: {{ {placement} }}
        tables: [ {name}_a, {name}_b ]\n",
            family.key_type
        );
    }
    text + &format!(
        "      mixed:
        key: {{ column: '\"Key\"', type: bigint }}
        function: hash
        logical_shards: {LOGICAL_SHARDS}
        placement: {{ {placement} }}
        tables: [ '\"Mixed Case\"' ]\n"
    )
}

/// The same INSERTs for both sides: the proxy has to place the rows.
fn fill(world: &World) {
    let mut sides = vec![Wire::connect(world.cluster.oracle.port()).unwrap()];
    if world.subject.proxy().is_some() {
        sides.push(Wire::connect(world.subject.port()).unwrap());
    } else {
        return;
    }
    let mut statements = Vec::new();
    for family in FAMILIES {
        for (index, key) in family.keys.iter().enumerate() {
            let key = key.replace('\'', "''");
            for table in ["a", "b"] {
                let rows: Vec<_> = (0..3 + index % 3)
                    .map(|n| {
                        let v = if (n + index) % 4 == 0 {
                            "null".to_owned()
                        } else {
                            format!("'v{}'", (n + index) % 5)
                        };
                        format!("('{key}', {n}, {v})")
                    })
                    .collect();
                statements.push(format!(
                    "insert into {}_{table} (k, n, v) values {}",
                    family.name,
                    rows.join(", ")
                ));
            }
        }
    }
    for key in [1, 2, 3, 42] {
        statements.push(format!("insert into \"Mixed Case\" (\"Key\", \"N\", v) values ({key}, 1, 'x'), ({key}, 2, null)"));
    }
    for organization in 1..=60 {
        statements.push(format!("insert into accounts (organization_id, balance, note) values ({organization}, {}, 'at first')", organization * 3));
    }
    for statement in &statements {
        for side in &mut sides {
            let replies = side.simple(statement).unwrap();
            assert!(
                replies.iter().all(|reply| reply.tag != b'E'),
                "{statement}: {replies:?}"
            );
        }
    }
}

/// Looks behind the proxy: all shards together hold what the oracle holds, each row on the shard
/// where PostgreSQL's own hash puts it.
pub fn check_rows() {
    let world = world();
    if world.subject.proxy().is_none() {
        return;
    }
    let mut tables: Vec<(String, &str, &str)> = Vec::new();
    for family in FAMILIES {
        for table in ["a", "b"] {
            tables.push((format!("{}_{table}", family.name), "k", family.key_type));
        }
    }
    tables.push(("\"Mixed Case\"".to_owned(), "\"Key\"", "bigint"));
    tables.push(("accounts".to_owned(), "organization_id", "bigint"));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let oracle = connect(world.cluster.oracle.port()).await;
        let shards = world.cluster.shards.len();
        let mut found: Vec<Vec<Vec<Option<String>>>> = vec![Vec::new(); tables.len()];
        for shard in 0..shards {
            let client = connect(world.cluster.primary_port(shard)).await;
            let logical: Vec<String> = (0..LOGICAL_SHARDS)
                .filter(|logical| place_evenly(*logical, LOGICAL_SHARDS, shards) == shard)
                .map(|logical| logical.to_string())
                .collect();
            for (index, (table, column, key_type)) in tables.iter().enumerate() {
                found[index].extend(texts(&client, &format!("select t.* from {table} t")).await);
                let hashed = format!("hashed_{}", key_type.replace(' ', "_"));
                let setup = format!("create temp table if not exists {hashed} (k {key_type}) partition by hash (k)");
                client.batch_execute(&setup).await.unwrap();
                let query = format!(
                    "select distinct {column} from {table} where not exists (
                        select from unnest('{{{}}}'::int[]) as logical (shard)
                        where satisfies_hash_partition('{hashed}'::regclass, {LOGICAL_SHARDS}, logical.shard, {column}::{key_type}))",
                    logical.join(",")
                );
                let lost = texts(&client, &query).await;
                assert!(lost.is_empty(), "{table} on {} has rows of another shard: {lost:?}", Cluster::shard_name(shard));
            }
        }
        for ((table, ..), mut found) in tables.iter().zip(found) {
            let mut expected = texts(&oracle, &format!("select t.* from {table} t")).await;
            expected.sort();
            found.sort();
            let missing: Vec<_> = expected.iter().filter(|row| !found.contains(row)).take(3).collect();
            let extra: Vec<_> = found.iter().filter(|row| !expected.contains(row)).take(3).collect();
            assert!(expected == found, "{table}: {} rows expected, {} found; missing {missing:?}, too many {extra:?}", expected.len(), found.len());
        }
    });
}
