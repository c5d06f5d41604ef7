//! Types that users define have other OIDs on each shard; a client sees those of the default shard, in descriptions and
//! within values, and its own are understood everywhere. Compared with one PostgreSQL that has the default shard's.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

#[path = "types/raw.rs"]
mod raw;
#[path = "types/world.rs"]
mod world;

use std::time::{Duration, Instant};

use integration_tests::client::{connect, connect_as, texts};
use integration_tests::cluster::APP;
use integration_tests::wire::{Format, Parameters, Reply, Script, Wire};
use integration_tests::{Cluster, drivers};
use raw::Raw;
use tokio_postgres::types::Kind;
use world::{SHARDS, World};

fn same(sides: &mut [Wire; 2], what: &str, ask: impl Fn(&mut Wire) -> Vec<Reply>) -> Vec<Reply> {
    let [found, expected] = sides.each_mut().map(&ask);
    assert_eq!(found, expected, "{what}");
    found
}

fn tags(replies: &[Reply]) -> String {
    replies.iter().map(|reply| char::from(reply.tag)).collect()
}

/// The values of a DataRow.
fn values(reply: &Reply) -> Vec<Option<Vec<u8>>> {
    assert_eq!(reply.tag, b'D');
    let mut rest = &reply.body[2..];
    let mut values = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = i32::from_be_bytes(*length);
        let (value, after) = after.split_at(usize::try_from(length).unwrap_or(0));
        values.push((length >= 0).then(|| value.to_vec()));
        rest = after;
    }
    values
}

const FORMATS: [Format; 2] = [Format::Text, Format::Binary];
const COLUMNS: &str = "id, m, ms, p, ps, n, a, aa, d, s, x";

#[tokio::test(flavor = "multi_thread")]
async fn results_have_the_default_shards_oids() {
    let world = World::start("").await;
    let mut sides = world.both();
    for organization in &world.organizations {
        let sql = format!(
            "select {COLUMNS} from feelings where organization_id = {organization} order by id"
        );
        let simple = same(&mut sides, &sql, |wire| wire.simple(&sql).unwrap());
        assert_eq!(tags(&simple), "TDDCZ");
        for others in [
            "m, row(m, ms), array[row(p)], array[n]",
            "feelings",
            "array_agg(p) over (order by id)",
            "coalesce(s, null)",
            "1",
        ] {
            let sql =
                format!("select {others} from feelings where organization_id = {organization}");
            same(&mut sides, &sql, |wire| wire.simple(&sql).unwrap());
            for wanted in FORMATS {
                let parameters = Parameters {
                    wanted,
                    ..Parameters::NONE
                };
                let found = same(&mut sides, &sql, |wire| {
                    wire.extended(&sql, &parameters).unwrap()
                });
                assert!(tags(&found).ends_with("DDCZ"), "{}", tags(&found));
            }
        }
        let sql = format!(
            "select {COLUMNS} from feelings where organization_id = $1 and id < 9 order by id"
        );
        let key = organization.to_be_bytes();
        for wanted in FORMATS {
            for (types, given, value) in [
                (&[20][..], Format::Binary, &key[..]),
                (&[], Format::Binary, &key),
                (&[], Format::Text, organization.to_string().as_bytes()),
            ] {
                let parameters = Parameters {
                    types,
                    values: &[Some(value)],
                    given,
                    wanted,
                };
                let found = same(&mut sides, &sql, |wire| {
                    wire.extended(&sql, &parameters).unwrap()
                });
                assert_eq!(tags(&found), "1tT2TDDCZ");
            }
        }
        // A cursor in binary form, the only such rows of the simple protocol.
        let sql = format!(
            "select {COLUMNS} from feelings where organization_id = {organization} order by id"
        );
        for sql in [
            "begin",
            &format!("declare c binary cursor for {sql}"),
            "fetch 1 from c",
            "fetch all from c",
            "commit",
        ] {
            same(&mut sides, sql, |wire| wire.simple(sql).unwrap());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_are_understood_by_every_shard() {
    let world = World::start("").await;
    let mut sides = world.both();
    let first = world.organizations[0];
    let names = COLUMNS.replace("id, ", "");
    let sql = format!("select {names} from feelings where organization_id = {first} and id = 1");
    let oids = names.split(", ").map(async |name| {
        let of = [
            "mood",
            "mood[]",
            "pair",
            "pair[]",
            "nest",
            "amount",
            "amount[]",
            "moods",
            "span",
            "pairs_span",
        ];
        let place = names.split(", ").position(|known| known == name).unwrap();
        world.oid(of[place]).await
    });
    let mut types = Vec::new();
    for oid in oids {
        types.push(oid.await);
    }
    let insert = format!(
        "insert into feelings (organization_id, id, {names}) values (ORG, ID, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10) returning {COLUMNS}"
    );
    let mut id = 10;
    for organization in &world.organizations {
        for given in FORMATS {
            let asked = Parameters {
                wanted: given,
                ..Parameters::NONE
            };
            let row = sides[1].extended(&sql, &asked).unwrap();
            let row = values(row.iter().find(|reply| reply.tag == b'D').unwrap());
            let row: Vec<Option<&[u8]>> = row.iter().map(Option::as_deref).collect();
            for declared in [&types[..], &[], &types[..1]] {
                id += 1;
                let insert = insert
                    .replace("ORG", &organization.to_string())
                    .replace("ID", &id.to_string());
                let parameters = Parameters {
                    types: declared,
                    values: &row,
                    given,
                    wanted: given,
                };
                let found = same(&mut sides, &insert, |wire| {
                    wire.extended(&insert, &parameters).unwrap()
                });
                assert_eq!(tags(&found), "1tT2TDCZ");
                // By one part of a value.
                for (at, column) in names.split(", ").enumerate() {
                    let sql = format!(
                        "select id, {column} from feelings where organization_id = {organization} and {column} = $1 order by id"
                    );
                    let parameters = Parameters {
                        types: &types[at..=at],
                        values: &row[at..=at],
                        given,
                        wanted: given,
                    };
                    same(&mut sides, &sql, |wire| {
                        wire.extended(&sql, &parameters).unwrap()
                    });
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_named_statement_is_the_same_on_all_shards() {
    let world = World::start("").await;
    let mut sides = world.both();
    let nest = world.oid("nest").await;
    let moods = world.oid("mood[]").await;
    let mut script = Script::new();
    script.parse("s", "select n, ps, m from feelings where organization_id = $1 and ms = $2 and (n = $3 or true) order by id", &[20, moods, nest]);
    script.describe_statement("s");
    script.parse(
        "t",
        "select n, ms from feelings where organization_id = $1 and (ms = $2 or $2 is null)",
        &[],
    );
    script.describe_statement("t").sync();
    same(&mut sides, "prepared", |wire| wire.run(&script).unwrap());
    let sql = "select ms, n from feelings where organization_id = $1 and id = 1";
    for _ in 0..2 {
        for organization in &world.organizations {
            let key = organization.to_be_bytes();
            let asked = Parameters {
                types: &[20],
                values: &[Some(&key)],
                given: Format::Binary,
                wanted: Format::Binary,
            };
            let row = sides[1].extended(sql, &asked).unwrap();
            let row = values(row.iter().find(|reply| reply.tag == b'D').unwrap());
            let all = [Some(&key[..]), row[0].as_deref(), row[1].as_deref()];
            for wanted in FORMATS {
                let parameters = |values| Parameters {
                    types: &[],
                    values,
                    given: Format::Binary,
                    wanted,
                };
                let mut script = Script::new();
                script
                    .bind("", "s", &parameters(&all))
                    .describe_portal("")
                    .execute("", 0);
                script
                    .bind("p", "t", &parameters(&all[..2]))
                    .execute("p", 1)
                    .execute("p", 1);
                script
                    .bind("", "t", &parameters(&all[..2]))
                    .execute("", 0)
                    .sync();
                let found = same(&mut sides, "bound", |wire| wire.run(&script).unwrap());
                assert!(!tags(&found).contains('E'), "{found:?}");
            }
        }
    }
    // Errors come where they belong, and void what is behind them.
    let key = world.organizations[1].to_be_bytes();
    for bad in [
        &b"\0\0\0\x01"[..],
        b"\0\0\0\x01\0\0\0\0\0\0\0\x19\0\0\0\0\0\0\0\0",
        b"",
    ] {
        let bound = [Some(&key[..]), Some(bad)];
        let parameters = Parameters {
            types: &[],
            values: &bound,
            given: Format::Binary,
            wanted: Format::Binary,
        };
        let mut script = Script::new();
        script
            .bind("", "t", &parameters)
            .execute("", 0)
            .execute("", 0)
            .sync();
        same(&mut sides, "a broken array", |wire| {
            wire.run(&script).unwrap()
        });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_shards_take_the_clients_types() {
    let world = World::start("").await;
    let mut sides = world.both();
    let types = [world.oid("mood[]").await, world.oid("pair[]").await];
    let sql = "select ms, ps from feelings where organization_id = $1 and id = 1";
    let key = world.organizations[0].to_be_bytes();
    for given in FORMATS {
        let text = world.organizations[0].to_string();
        let key = match given {
            Format::Text => text.as_bytes(),
            Format::Binary => &key[..],
        };
        let asked = Parameters {
            types: &[20],
            values: &[Some(key)],
            given,
            wanted: given,
        };
        let row = sides[1].extended(sql, &asked).unwrap();
        let row = values(row.iter().find(|reply| reply.tag == b'D').unwrap());
        let row = [row[0].as_deref(), row[1].as_deref()];
        for columns in ["organization_id, id", "organization_id, ms, p, n, m"] {
            for declared in [&types[..], &[]] {
                for wanted in FORMATS {
                    let sql = format!(
                        "select {columns} from feelings where ms = $1 and ps = $2 order by organization_id, id"
                    );
                    let parameters = Parameters {
                        types: declared,
                        values: &row,
                        given,
                        wanted,
                    };
                    let mut script = Script::new();
                    script
                        .parse("", &sql, declared)
                        .bind("", "", &parameters)
                        .describe_portal("")
                        .execute("", 0)
                        .sync();
                    let found = same(&mut sides, &sql, |wire| wire.run(&script).unwrap());
                    assert_eq!(tags(&found), "12TDDDCZ");
                }
            }
        }
        // On the shard of the transaction, which is not the default one, or beside it.
        for shard in 0..SHARDS {
            let organization = world.organizations[shard];
            let sql = "select m, ms, n, row(p), count(*) over () from feelings where ms = $1 and (ps = $2 or true) order by organization_id, id";
            let begin =
                format!("begin; select from feelings where organization_id = {organization}");
            for wire in &mut sides {
                wire.simple(&begin).unwrap();
            }
            let parameters = Parameters {
                types: &[],
                values: &row,
                given,
                wanted: Format::Binary,
            };
            let found = same(&mut sides, sql, |wire| {
                wire.extended(sql, &parameters).unwrap()
            });
            assert!(!tags(&found).contains('E'), "{found:?}");
            for wire in &mut sides {
                wire.simple("rollback").unwrap();
            }
        }
    }
}

/// tokio-postgres asks `pg_type` for each OID it has not heard of, and keeps what it has learned.
#[tokio::test(flavor = "multi_thread")]
async fn a_driver_finds_the_types_it_is_told() {
    let world = World::start("").await;
    let proxy = connect(world.proxy.port).await;
    let oracle = connect(world.cluster.oracle.port()).await;
    for organization in &world.organizations {
        // Prepared anew, with the key in the text: described by its own shard.
        let sql = format!(
            "select {COLUMNS} from feelings where organization_id = {organization} and id = $1"
        );
        let statement = proxy.prepare(&sql).await.unwrap();
        let names: Vec<&str> = statement
            .columns()
            .iter()
            .map(|column| column.type_().name())
            .collect();
        assert_eq!(
            names,
            [
                "int4",
                "mood",
                "_mood",
                "pair",
                "_pair",
                "nest",
                "numeric",
                "_amount",
                "_mood",
                "span",
                "pairs_span"
            ]
        );
        let Kind::Composite(fields) = statement.columns()[3].type_().kind() else {
            panic!("{:?}", statement.columns());
        };
        assert_eq!(fields[0].type_().name(), "mood");
        for id in [1i32, 2] {
            let (found, expected) = (
                proxy.query_one(&statement, &[&id]).await.unwrap(),
                oracle.query_one(&sql, &[&id]).await.unwrap(),
            );
            for at in 1..found.len() {
                let value = |row: &tokio_postgres::Row| row.get::<_, Option<Raw>>(at);
                assert_eq!(value(&found), value(&expected), "{organization} {id} {at}");
            }
        }
        let sql = "insert into feelings (organization_id, id, ms, n, x, d) values ($1, 99, $2, $3, $4, $5)";
        let read = "select ms, n, x, d from feelings where organization_id = $1 and id = $2";
        let row = oracle
            .query_one(read, &[organization, &1i32])
            .await
            .unwrap();
        let [ms, n, x, d] = [0, 1, 2, 3].map(|at| row.get::<_, Raw>(at));
        let inserted = proxy.execute(sql, &[organization, &ms, &n, &x, &d]).await;
        assert_eq!(inserted.unwrap(), 1);
        let row = proxy
            .query_one(read, &[organization, &99i32])
            .await
            .unwrap();
        assert_eq!([0, 1, 2, 3].map(|at| row.get::<_, Raw>(at)), [ms, n, x, d]);
    }
}

/// psycopg and asyncpg do the same, each in its way.
#[tokio::test(flavor = "multi_thread")]
async fn drivers_of_python_find_them_too() {
    let world = World::start("").await;
    let (proxy, oracle) = (world.proxy.port, world.cluster.oracle.port());
    drivers::types(proxy, oracle, &world.organizations);
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_in_binary_form_are_refused_where_types_differ() {
    let world = World::start("create table places (name text, m mood[])").await;
    let mut sides = world.both();
    for (shard, organization) in world.organizations.iter().enumerate() {
        let sql = format!(
            "copy (select n, ms from feelings where organization_id = {organization} order by id) to stdout"
        );
        let found = same(&mut sides, &sql, |wire| wire.simple(&sql).unwrap());
        assert_eq!(tags(&found), "HddcCZ");
        let sql = format!("{sql} (format binary)");
        if shard == 0 {
            same(&mut sides, &sql, |wire| wire.simple(&sql).unwrap());
            continue;
        }
        for extended in [false, true] {
            let found = match extended {
                true => sides[0]
                    .run(
                        Script::new()
                            .parse("", &sql, &[])
                            .bind("", "", &Parameters::NONE)
                            .execute("", 0)
                            .sync(),
                    )
                    .unwrap(),
                false => sides[0].simple(&sql).unwrap(),
            };
            let error = found.iter().find(|reply| reply.tag == b'E').unwrap();
            assert_eq!(error.field(b'C').unwrap(), "0A000");
            assert!(
                error.field(b'M').unwrap().contains("COPY in binary form"),
                "{error:?}"
            );
            assert!(!tags(&found).contains('d'));
        }
        let mut wire = Wire::connect(world.proxy.port).unwrap();
        wire.simple(&format!(
            "set trunkline.shard = '{}'",
            Cluster::shard_name(shard)
        ))
        .unwrap();
        let found = wire
            .simple("copy places from stdin (format binary)")
            .unwrap();
        assert_eq!(tags(&found), "EZ");
        assert_eq!(found[0].field(b'C').unwrap(), "0A000");
        assert_eq!(tags(&wire.simple("copy places from stdin").unwrap()), "G");
        let found = wire.copy_in(b"x\t{ok}\n").unwrap();
        assert_eq!(tags(&found), "CZ");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn types_made_later_are_told_alike() {
    let world = World::start("").await;
    let mut sides = world.both();
    // Through the proxy: known when the client hears that they are made.
    let sql = "create type later as (a int, m mood); alter table feelings add column l later[]";
    let mut admin = Wire::connect(world.proxy.port).unwrap();
    for shard in 0..SHARDS {
        admin
            .simple(&format!(
                "set trunkline.shard = '{}'",
                Cluster::shard_name(shard)
            ))
            .unwrap();
        for sql in sql.split(';') {
            let found = admin.simple(sql).unwrap();
            assert_eq!(tags(&found), "CZ", "{found:?}");
        }
    }
    for sql in sql.split(';') {
        sides[1].simple(sql).unwrap();
    }
    let binary = Parameters {
        wanted: Format::Binary,
        ..Parameters::NONE
    };
    for organization in &world.organizations {
        let sql = format!(
            "update feelings set l = array[row(1, 'ok')::later] where organization_id = {organization} returning l, m"
        );
        let found = same(&mut sides, &sql, |wire| {
            wire.extended(&sql, &binary).unwrap()
        });
        assert!(tags(&found).ends_with("DDCZ"));
    }
    // Past it: told as they are, or refused, until the catalogs are read again, which an unknown one brings about.
    for shard in 0..SHARDS {
        let client = connect(world.cluster.primary_port(shard)).await;
        client
            .batch_execute("create type novel as (a int, m mood)")
            .await
            .unwrap();
    }
    sides[1]
        .simple("create type novel as (a int, m mood)")
        .unwrap();
    let organization = world.organizations[2];
    let sql = format!(
        "select row(1, m)::novel from feelings where organization_id = {organization} order by id"
    );
    let expected = sides[1].extended(&sql, &binary).unwrap();
    let give_up = Instant::now() + Duration::from_secs(5);
    loop {
        let found = sides[0].extended(&sql, &binary).unwrap();
        if found == expected {
            break;
        }
        let error = found.iter().find(|reply| reply.tag == b'E');
        let error = error.unwrap_or_else(|| panic!("{found:?}"));
        assert_eq!(error.field(b'C').unwrap(), "0A000");
        assert!(Instant::now() < give_up, "{error:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Another one under an old name is another type to clients, too.
    let admin = connect_as(world.proxy.port, APP, APP, "trunkline").await;
    for port in (0..SHARDS)
        .map(|shard| world.cluster.primary_port(shard))
        .chain([world.cluster.oracle.port()])
    {
        let client = connect(port).await;
        client
            .batch_execute("drop type novel; create type novel as (a int, m mood)")
            .await
            .unwrap();
    }
    admin.simple_query("RELOAD").await.unwrap();
    let expected = sides[1].extended(&sql, &binary).unwrap();
    let give_up = Instant::now() + Duration::from_secs(15);
    while sides[0].extended(&sql, &binary).unwrap() != expected {
        assert!(Instant::now() < give_up);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// An OID that has a type on one side only, and another one on the other.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_other_side_means_otherwise_is_refused() {
    let world = World::start("").await;
    let shard = SHARDS - 1;
    let default = connect(world.cluster.primary_port(0)).await;
    let other = connect(world.cluster.primary_port(shard)).await;
    other
        .batch_execute("create type alone as enum ('x')")
        .await
        .unwrap();
    let oid = async |client, name: &str| {
        let oid = texts(client, &format!("select '{name}'::regtype::oid")).await;
        oid[0][0].clone().unwrap().parse::<u32>().unwrap()
    };
    let alone = oid(&other, "alone").await;
    let mut taken = None;
    for number in 0.. {
        let name = format!("only_{number}");
        let sql = format!("create type {name} as enum ()");
        default.batch_execute(&sql).await.unwrap();
        let own = oid(&default, &name).await;
        let sql = format!("select from pg_type where oid = {own}");
        if taken.is_none() && !texts(&other, &sql).await.is_empty() {
            taken = Some(own);
        }
        if own > alone {
            break;
        }
    }
    let organization = world.organizations[shard];
    let mut wire = Wire::connect(world.proxy.port).unwrap();
    let refused = |found: &[Reply]| {
        let error = found.iter().find(|reply| reply.tag == b'E');
        error.is_some_and(|error| {
            assert_eq!(error.field(b'C').unwrap(), "0A000", "{error:?}");
            true
        })
    };
    let sql = format!(
        "select m from feelings where organization_id = {organization} and $1 is null order by id"
    );
    let declared = |oid| {
        let mut script = Script::new();
        let parameters = Parameters {
            values: &[None],
            ..Parameters::NONE
        };
        script
            .parse("s", &sql, &[oid])
            .bind("", "s", &parameters)
            .execute("", 0)
            .sync();
        script
    };
    assert!(refused(&wire.run(&declared(taken.unwrap())).unwrap()));
    // The client has heard that its Parse failed: the name is free.
    assert_eq!(tags(&wire.run(&declared(25)).unwrap()), "12DDCZ");
    // Until the catalogs are read again, which it brings about, it is a stranger that nobody is known to mean otherwise.
    let sql = format!("select 'x'::alone from feelings where organization_id = {organization}");
    let give_up = Instant::now() + Duration::from_secs(9);
    while !refused(&wire.simple(&sql).unwrap()) {
        assert!(Instant::now() < give_up);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(tags(&wire.simple("select 1").unwrap()), "TDCZ");
}
