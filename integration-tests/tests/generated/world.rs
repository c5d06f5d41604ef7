//! Three shards and an oracle with the tables of every family; putting rows back, and looking behind the proxy.

use std::collections::BTreeMap;

use integration_tests::wire::{Reply, Wire};
use integration_tests::{Cluster, ProxyOptions, Setup, Subject};

use super::family::{Family, SHARDS, STORED, families};

pub struct World {
    pub cluster: Cluster,
    pub subject: Subject,
    homes: Homes,
}

/// For each family the shard of each of its logical shards, as PostgreSQL has it.
type Homes = BTreeMap<&'static str, Vec<usize>>;

const CONFIGURATION_PAGE: &str = include_str!("../../../docs/configuration.md");

const BEFORE: &str = "
    create schema kept;
    create schema placed;
    create domain key_domain as bigint;
    create table refs (n int primary key, v text);
    insert into refs select n, 'v' || n from generate_series(0, 5) n;
";

/// Where a directory's entries are, as `migrations/default` has it.
const DIRECTORY: &str = "
    create schema trunkline;
    create table trunkline.directory (keyspace text, key text[], logical_shard int not null, primary key (keyspace, key));
    grant usage on schema trunkline to public;
    grant select on trunkline.directory to public;
";

const UNLISTED: &str = "
    create table plain (k bigint, n int, v text, o bigint);
    insert into plain select n, n % 4, 'v' || n, n from generate_series(0, 12) n;
";

impl World {
    pub fn start() -> Self {
        let families = families();
        let mut everywhere = format!("{BEFORE}{}", ring_function());
        let mut default_shard = format!("{DIRECTORY}{UNLISTED}");
        let mut keyspaces = String::new();
        for family in &families {
            everywhere += &family.ddl();
            keyspaces += &family.keyspace();
            default_shard += &family.entries();
        }
        // The proxy's service user looks for rows that an entry of a directory would leave behind.
        everywhere += "grant select on all tables in schema public to public;";
        let setup = Setup {
            shards: SHARDS,
            sample: Some(0.001),
            // Once for each run, which ends with it.
            everywhere: everywhere.leak(),
            default_shard: default_shard.leak(),
            ..Setup::default()
        };
        let cluster = Cluster::start(&setup);
        let homes = homes(&cluster);
        for family in &families {
            fill(&cluster, family, &homes[family.name]);
        }
        let options = ProxyOptions {
            reference_tables: vec!["refs".to_owned()],
            keyspaces,
            ..ProxyOptions::default()
        };
        let subject = Subject::start(&cluster, &options);
        let world = Self {
            cluster,
            subject,
            homes,
        };
        let mut servers = Servers::connect(&world);
        for family in families {
            servers.keep(family);
            servers.check(family);
        }
        world
    }
}

/// As the page for users has it.
fn ring_function() -> &'static str {
    let begin = CONFIGURATION_PAGE.find("CREATE FUNCTION place(").unwrap();
    let length = CONFIGURATION_PAGE[begin..].find("$$;").unwrap() + "$$;".len();
    &CONFIGURATION_PAGE[begin..begin + length]
}

fn homes(cluster: &Cluster) -> Homes {
    let mut oracle = Wire::connect(cluster.oracle.port()).unwrap();
    let shard = |row: &Vec<Option<String>>| row[0].as_ref().unwrap().parse().unwrap();
    let of = |family: &&'static Family| {
        let homes = rows(&run(&mut oracle, &family.homes()));
        (family.name, homes.iter().map(shard).collect())
    };
    families().iter().map(of).collect()
}

/// Puts rows straight where PostgreSQL's functions say they belong.
fn fill(cluster: &Cluster, family: &Family, homes: &[usize]) {
    let name = family.name;
    let fill = |wire: &mut Wire, condition: &str| {
        for stored in STORED {
            run(
                wire,
                &format!(
                    "insert into {name}_{stored} select k, n, v, o from kept.{name} where stored = '{stored}' and {condition}"
                ),
            );
        }
    };
    fill(&mut Wire::connect(cluster.oracle.port()).unwrap(), "true");
    for shard in 0..SHARDS {
        let mut wire = Wire::connect(cluster.primary_port(shard)).unwrap();
        let here: Vec<String> = (0..homes.len())
            .filter(|logical| homes[*logical] == shard)
            .map(|logical| logical.to_string())
            .collect();
        fill(
            &mut wire,
            &format!("placed.{name}(k, n) = any ('{{{}}}')", here.join(", ")),
        );
    }
}

/// Connections past the proxy: the shards', then the oracle's. Where the subject is no proxy, it is the only shard.
pub struct Servers {
    shards: Vec<Wire>,
    oracle: Wire,
    /// Where rows belong; of no interest where the subject is no proxy.
    homes: Option<Homes>,
}

impl Servers {
    pub fn connect(world: &World) -> Self {
        let connect = |port| Wire::connect(port).unwrap();
        let homes = world.subject.proxy().map(|_| world.homes.clone());
        let ports: Vec<u16> = if homes.is_some() {
            (0..SHARDS)
                .map(|shard| world.cluster.primary_port(shard))
                .collect()
        } else {
            vec![world.subject.port()]
        };
        Self {
            shards: ports.into_iter().map(connect).collect(),
            oracle: connect(world.cluster.oracle.port()),
            homes,
        }
    }

    fn all(&mut self) -> impl Iterator<Item = &mut Wire> {
        self.shards.iter_mut().chain([&mut self.oracle])
    }

    /// Keeps the rows as they are now for [`Servers::reset`].
    fn keep(&mut self, family: &Family) {
        let name = family.name;
        let mut keep = format!("truncate kept.{name}");
        for stored in STORED {
            keep += &format!(
                "; insert into kept.{name} select '{stored}', k, n, v, o from only {name}_{stored}"
            );
        }
        // A partitioned table has no rows of its own.
        keep += &format!("; insert into kept.{name} select 'p', k, n, v, o from {name}_p");
        self.all().for_each(|wire| {
            run(wire, &keep);
        });
    }

    /// Puts the first rows back.
    pub fn reset(&mut self, family: &Family) {
        let name = family.name;
        let mut reset = format!("begin; truncate {name}_a, {name}_b, {name}_p, {name}_i");
        for stored in STORED {
            reset += &format!(
                "; insert into {name}_{stored} select k, n, v, o from kept.{name} where stored = '{stored}'"
            );
        }
        reset += "; commit";
        self.all().for_each(|wire| {
            run(wire, &reset);
        });
    }

    /// All shards together hold what the oracle holds, each row on the shard where PostgreSQL's own functions put
    /// it. The first difference in words.
    pub fn compare(&mut self, family: &Family) -> Result<(), String> {
        let name = family.name;
        let tables = ["a", "b", "p", "i"]
            .map(|table| {
                format!(
                    "select tableoid::regclass::text as t, x::text as r, k, n from {name}_{table} x"
                )
            })
            .join(" union all ");
        let all_rows = format!("select t, r from ({tables}) x");
        let mut expected = rows(&run(&mut self.oracle, &all_rows));
        let mut found = Vec::new();
        let homes = self.homes.as_ref().map(|homes| &homes[name]);
        let n = if family.composite() { "n" } else { "0" };
        for (shard, wire) in self.shards.iter_mut().enumerate() {
            found.extend(rows(&run(wire, &all_rows)));
            let places = format!(
                "select distinct placed.{name}(k, n), k from (select distinct k, {n} as n from ({tables}) x) x"
            );
            let Some(homes) = homes else {
                continue;
            };
            for place in rows(&run(wire, &places)) {
                let (logical, key) = (place[0].clone(), place[1].clone());
                let at = || {
                    format!(
                        "{name}: key {key:?} of logical shard {logical:?} is on s{}",
                        shard + 1
                    )
                };
                let number: usize = logical
                    .as_ref()
                    .and_then(|number| number.parse().ok())
                    .ok_or_else(|| format!("{}, and belongs nowhere", at()))?;
                if homes.get(number) != Some(&shard) {
                    return Err(at());
                }
            }
        }
        expected.sort();
        found.sort();
        if expected == found {
            return Ok(());
        }
        let missing: Vec<_> = expected
            .iter()
            .filter(|row| !found.contains(row))
            .take(3)
            .collect();
        let extra: Vec<_> = found
            .iter()
            .filter(|row| !expected.contains(row))
            .take(3)
            .collect();
        Err(format!(
            "{name}: {} rows expected, {} found; missing {missing:?}, too many {extra:?}",
            expected.len(),
            found.len()
        ))
    }

    fn check(&mut self, family: &Family) {
        self.compare(family)
            .unwrap_or_else(|difference| panic!("{difference}"));
    }
}

fn run(wire: &mut Wire, sql: &str) -> Vec<Reply> {
    let replies = wire.simple(sql).unwrap();
    assert!(
        replies.iter().all(|reply| reply.tag != b'E'),
        "{sql}: {replies:?}"
    );
    replies
}

/// The rows of an answer in the text format.
fn rows(replies: &[Reply]) -> Vec<Vec<Option<String>>> {
    let row = |reply: &Reply| {
        let mut rest = &reply.body[2..];
        let mut values = Vec::new();
        while let Some((length, after)) = rest.split_at_checked(4) {
            let length = i32::from_be_bytes(length.try_into().unwrap());
            let (value, after) = after.split_at(length.max(0) as usize);
            values.push((length >= 0).then(|| String::from_utf8_lossy(value).into_owned()));
            rest = after;
        }
        values
    };
    let rows = replies.iter().filter(|reply| reply.tag == b'D');
    rows.map(row).collect()
}
