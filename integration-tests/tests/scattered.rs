//! What scattered statements ask of the servers besides their rows: texts that are like one before ask nothing, and one that
//! comes again is not parsed again. The servers' logs tell. Answers are one PostgreSQL's throughout.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::path::PathBuf;

use integration_tests::cluster::APP;
use integration_tests::wire::{Parameters, Reply, Script, Wire, done, values};
use integration_tests::{Cluster, Proxy, ProxyOptions, Setup, eventually};

const SHARDS: usize = 3;

struct World {
    // The proxy goes before its cluster.
    proxy: Proxy,
    cluster: Cluster,
}

impl World {
    /// Each shard has one connection, so that it is known which one runs what.
    fn start() -> Self {
        let cluster = Cluster::start(&Setup {
            shards: SHARDS,
            sample: None,
            everywhere:
                "create table odd (organization_id bigint primary key, n int, t text collate \"C\");
                create function forget() returns trigger language plpgsql as
                    $$ begin execute 'deallocate all'; return new; end $$;
                create trigger forgets before update on odd for each row execute function forget()",
            settings: vec![("log_min_duration_statement".to_owned(), "0".to_owned())],
            ..Setup::default()
        });
        for organization in 1..=30 {
            let insert = format!(
                "insert into odd values ({organization}, {organization} % 7, chr(97 + {organization} % 5))"
            );
            let shard = cluster.shard_of(organization);
            for port in [cluster.primary_port(shard), cluster.oracle.port()] {
                done(&Wire::connect(port).unwrap().simple(&insert).unwrap());
            }
        }
        let options = ProxyOptions {
            database: "    pool: { size: 1, connect: 2s, wait: 4s }".to_owned(),
            tables: vec!["odd".to_owned()],
            ..ProxyOptions::default()
        };
        let proxy = Proxy::start(&cluster, &options);
        Self { proxy, cluster }
    }

    fn connect(&self) -> Wire {
        Wire::connect(self.proxy.port).unwrap()
    }

    fn oracle(&self) -> Wire {
        Wire::connect(self.cluster.oracle.port()).unwrap()
    }

    /// On every shard and the oracle.
    fn everywhere(&self, sql: &str) {
        let shards = (0..SHARDS).map(|shard| self.cluster.primary_port(shard));
        for port in shards.chain([self.cluster.oracle.port()]) {
            done(&Wire::connect(port).unwrap().simple(sql).unwrap());
        }
    }

    fn log(&self, shard: usize) -> PathBuf {
        let data = self.cluster.shards[shard].primary().data();
        data.parent().unwrap().join("server.log")
    }

    /// What the shards were asked meanwhile: how often something was parsed, how often a named statement was, and how often
    /// one was run.
    fn asked(&self, run: impl FnOnce()) -> Vec<Asked> {
        let read = |shard| std::fs::read_to_string(self.log(shard)).unwrap();
        let before: Vec<_> = (0..SHARDS).map(|shard| read(shard).len()).collect();
        run();
        let counted = |(shard, before): (usize, usize)| {
            let log = read(shard).split_off(before);
            let count = |what: &str| log.lines().filter(|line| line.contains(what)).count();
            Asked {
                parsed: count("ms  parse <unnamed>: "),
                named: count("ms  parse trunkline_"),
                run: count("ms  execute "),
                collations: count("pg_collation_for"),
            }
        };
        before.into_iter().enumerate().map(counted).collect()
    }

    fn same(&self, wire: &mut Wire, sql: &str) {
        let (ours, expected) = (
            wire.simple(sql).unwrap(),
            self.oracle().simple(sql).unwrap(),
        );
        assert_eq!(values(&ours), values(&expected), "{sql}: {ours:?}");
        let described = |replies: &[Reply]| {
            let description = replies.iter().find(|reply| reply.tag == b'T');
            description.map(|reply| reply.body.clone())
        };
        assert_eq!(described(&ours), described(&expected), "{sql}");
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Asked {
    parsed: usize,
    named: usize,
    run: usize,
    collations: usize,
}

/// So many statements that were parsed without a name, and nothing else.
fn only(runs: usize) -> Vec<Asked> {
    vec![
        Asked {
            parsed: runs,
            named: 0,
            run: runs,
            collations: 0
        };
        SHARDS
    ]
}

/// A literal's value is of no weight, its kind is.
#[test]
fn texts_like_one_before_ask_nothing() {
    let world = World::start();
    let mut wire = world.connect();
    for (like, literals) in [
        (
            "select n, t from odd where n > ? order by t, organization_id limit 5",
            ["1", "2", "3"],
        ),
        (
            "select t, sum(n * ?), count(*) from odd group by t order by t",
            ["1", "2", "3"],
        ),
        (
            "select count(*) from odd where t in ('a', ?)",
            ["'b'", "'c'", "'d', 'e'"],
        ),
        (
            "select sum(n * ?) from odd",
            ["2147483649", "3000000000", "9223372036"],
        ),
        ("select sum(n * ?) from odd", ["1.5", "0.25", "1e1"]),
        (
            "select distinct t from odd where n <> ? order by t",
            ["1", "2", "3"],
        ),
        (
            "select n::numeric(9, 2), t from odd where n < ? order by n, 2, organization_id",
            ["3", "4", "5"],
        ),
        (
            "select n from odd order by n, organization_id limit ? offset 1",
            ["1", "2", "3"],
        ),
    ] {
        let texts = literals.map(|literal| like.replace('?', literal));
        world.same(&mut wire, &texts[0]);
        let asked = world.asked(|| {
            for text in &texts[1..] {
                done(&wire.simple(text).unwrap());
            }
        });
        assert_eq!(asked, only(2), "{like}");
        texts[1..]
            .iter()
            .for_each(|text| world.same(&mut wire, text));
    }
    // A wrong one has its own error, at its own place.
    for (right, wrong) in [("1", "x"), ("1", "99999999999")] {
        for like in [
            "select n, t from odd where n > '?' order by t, n limit 5 offset 1",
            "select t, sum(n) from odd where n > '?' group by t order by t",
            "select t, sum(n - '?') from odd group by t order by t",
        ] {
            world.same(&mut wire, &like.replace('?', right));
            let text = like.replace('?', wrong);
            let error = |wire: &mut Wire| {
                let replies = wire.simple(&text).unwrap();
                let error = replies.into_iter().find(|reply| reply.tag == b'E');
                [b'C', b'M', b'P'].map(|name| error.as_ref().unwrap().field(name))
            };
            assert_eq!(error(&mut wire), error(&mut world.oracle()), "{text}");
        }
    }
    // With blanks, a comment, a semicolon.
    let asked = world.asked(|| {
        let text = "select  distinct t -- again\n from odd where n <> 4 order by t ;";
        done(&wire.simple(text).unwrap());
    });
    assert_eq!(asked, only(1));
    // What only looks alike is asked about, and has its own answer.
    for others in [
        [
            "select n, t from odd order by 1, 2, organization_id",
            "select n, t from odd order by 2, 1, organization_id",
        ],
        [
            "select n::numeric(9, 2) from odd order by n",
            "select n::numeric(9, 3) from odd order by n",
        ],
        ["select sum(n + 1) from odd", "select sum(n + 1.0) from odd"],
        [
            "select sum(n + 2147483647) from odd",
            "select sum(n + 2147483648) from odd",
        ],
        [
            "select max(t) from odd where n > 1",
            "select min(t) from odd where n > 1",
        ],
    ] {
        others.iter().for_each(|text| world.same(&mut wire, text));
    }
}

/// Facts are those of a shape's texts together: they are forgotten together.
#[test]
fn types_that_change_are_heard_of() {
    let world = World::start();
    let mut wire = world.connect();
    let like = |literal: usize| {
        [
            format!("select sum(n * {literal}) from odd"),
            format!("select n, count(*) from odd where n > {literal} group by n order by n"),
            format!("select n, t from odd where n > {literal} order by n, organization_id"),
            format!("select n from odd where n > {literal}"),
        ]
    };
    let mut literal = 0;
    for changed in ["int", "bigint", "numeric", "int"] {
        world.everywhere(&format!("alter table odd alter n type {changed}"));
        for _ in 0..3 {
            literal += 1;
            for text in &like(literal)[..3] {
                world.same(&mut wire, text);
            }
            // This one is known by name.
            for text in &like(0)[..3] {
                world.same(&mut wire, text);
            }
        }
    }
    done(&wire.simple(&like(0)[3]).unwrap());
}

/// From its second run on a text has a name on the servers' connections.
#[test]
fn a_text_that_comes_again_is_parsed_once() {
    let mut world = World::start();
    let mut wire = world.connect();
    let text = "select t, sum(n) from odd where n > 1 group by t order by t";
    world.same(&mut wire, text);
    let asked = |parsed, named, run| {
        vec![
            Asked {
                parsed,
                named,
                run,
                collations: 0
            };
            SHARDS
        ]
    };
    let again = |world: &World, wire: &mut Wire, times: usize| {
        world.asked(|| (0..times).for_each(|_| world.same(wire, text)))
    };
    assert_eq!(again(&world, &mut wire, 4), asked(0, 1, 4));
    // What the session forgets is the session's.
    for all in ["deallocate all", "discard all"] {
        done(&wire.simple(all).unwrap());
        assert_eq!(again(&world, &mut wire, 2), asked(0, 0, 2), "{all}");
    }
    let mut other = world.connect();
    assert_eq!(again(&world, &mut other, 2), asked(0, 0, 2));
    // Other settings are another statement.
    done(&other.simple("set extra_float_digits to 2").unwrap());
    assert_eq!(again(&world, &mut other, 3), asked(1, 1, 3));
    drop(other);
    // A connection has forgotten what it knew: it is told again.
    let organization = world.cluster.organization_on(1);
    let forget = format!("update odd set n = n where organization_id = {organization}");
    done(&wire.simple(&forget).unwrap());
    let told = again(&world, &mut wire, 3);
    assert_eq!((told[0], told[2]), (asked(0, 0, 3)[0], asked(0, 0, 3)[0]));
    assert_eq!((told[1].parsed, told[1].named), (1, 1), "{told:?}");
    // A server that has come back knows nothing.
    world.cluster.shards[2].server_mut(0).kill();
    world.cluster.shards[2].start(0).unwrap();
    eventually("it works again", || {
        let replies = wire.simple("select count(*) from odd").unwrap();
        replies.iter().all(|reply| reply.tag != b'E')
    });
    let told = again(&world, &mut wire, 3);
    assert_eq!((told[0], told[1]), (asked(0, 0, 3)[0], asked(0, 0, 3)[0]));
    assert_eq!((told[2].parsed, told[2].named), (0, 1), "{told:?}");
}

/// Whether a statement with parameters is planned for their values is the client's to say.
#[test]
fn a_clients_statement_keeps_its_name() {
    let world = World::start();
    let mut wire = world.connect();
    let text = "select t, sum(n) from odd where n > $1 group by t order by t";
    let run = |wire: &mut Wire, name: &str, value: &[u8]| {
        let mut script = Script::new();
        if name.is_empty() {
            script.parse("", text, &[23]);
        }
        let parameters = Parameters {
            values: &[Some(value)],
            ..Parameters::NONE
        };
        script.bind("", name, &parameters).execute("", 0).sync();
        let replies = wire.run(&script).unwrap();
        done(&replies);
        values(&replies)
    };
    let expected: Vec<_> = ["1", "2", "3", "1", "2"]
        .iter()
        .map(|value| {
            let literal = text.replace("$1", value);
            values(&world.oracle().simple(&literal).unwrap())
        })
        .collect();
    let given: [&[u8]; 5] = [b"1", b"2", b"3", b"1", b"2"];
    let mut script = Script::new();
    script.parse("s", text, &[23]).sync();
    done(&wire.run(&script).unwrap());
    for (name, parsed) in [("", 5), ("s", 1)] {
        assert_eq!(run(&mut wire, name, b"5"), run(&mut wire, "", b"5"));
        let asked = world.asked(|| {
            for (value, expected) in given.iter().zip(&expected) {
                assert_eq!(run(&mut wire, name, value), *expected);
            }
        });
        for asked in asked {
            assert_eq!(asked.run, 5);
            assert!(asked.parsed + asked.named <= parsed, "{name}: {asked:?}");
            assert!(name.is_empty() == (asked.named == 0), "{name}: {asked:?}");
        }
    }
    let mut admin =
        Wire::connect_as(world.proxy.port, APP, APP, &[("database", "trunkline")]).unwrap();
    done(&admin.simple("SHOW POOLS").unwrap());
}
