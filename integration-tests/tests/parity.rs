//! Every statement form, in every form of the protocol, answered as one PostgreSQL answers it.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use integration_tests::oracle::{assert_rows_in_place, assert_same_rows_of};
use integration_tests::wire::{Format, Parameters, Reply, Script, Wire};
use integration_tests::{Cluster, Proxy, ProxyOptions, Setup, Subject};

struct World {
    cluster: Cluster,
    subject: Subject,
    /// Tests that write run one after the other, so that both sides see the same order.
    writing: Mutex<()>,
}

static WORLD: OnceLock<World> = OnceLock::new();

fn world() -> &'static World {
    WORLD.get_or_init(|| {
        let setup = Setup {
            shards: 3,
            everywhere: "create table accounts (organization_id bigint primary key, balance int not null
                                                check (balance >= 0), note text)",
            default_shard: "create table notes (note_id int primary key, body text, at timestamptz);
                            insert into notes select n, 'note ' || n, '2025-01-01' from generate_series(1, 50) n",
            ..Setup::default()
        };
        let cluster = Cluster::start(&setup);
        let options = ProxyOptions { tables: vec!["accounts".to_owned()], ..ProxyOptions::default() };
        let subject = Subject::start(&cluster, &options);
        World { cluster, subject, writing: Mutex::new(()) }
    })
}

/// Both sides of a comparison.
struct Pair {
    subject: Wire,
    oracle: Wire,
}

impl Pair {
    fn connect() -> Self {
        let world = world();
        Self {
            subject: Wire::connect(world.subject.port()).unwrap(),
            oracle: Wire::connect(world.cluster.oracle.port()).unwrap(),
        }
    }

    /// Does the same on both sides, compares every message, and returns them.
    fn same(
        &mut self,
        what: &str,
        act: impl Fn(&mut Wire) -> std::io::Result<Vec<Reply>>,
    ) -> Vec<Reply> {
        let expected =
            act(&mut self.oracle).unwrap_or_else(|error| panic!("oracle, {what}: {error}"));
        let found = act(&mut self.subject).unwrap_or_else(|error| panic!("{what}: {error}"));
        if expected != found {
            let at = (0..)
                .find(|n| expected.get(*n) != found.get(*n))
                .unwrap_or_default();
            panic!(
                "{what}\nmessage {at}: expected {:?}\n           found    {:?}",
                expected.get(at),
                found.get(at)
            );
        }
        found
    }

    fn simple(&mut self, sql: &str) -> Vec<Reply> {
        self.same(sql, |wire| wire.simple(sql))
    }

    fn extended(&mut self, sql: &str, parameters: &Parameters<'_>) -> Vec<Reply> {
        self.same(sql, |wire| wire.extended(sql, parameters))
    }

    /// One statement in every form of the protocol.
    fn every_form(&mut self, case: &Case) {
        if case.values.is_empty() {
            self.simple(case.sql);
        }
        for typed in [true, false] {
            for given in [Format::Text, Format::Binary] {
                for wanted in [Format::Text, Format::Binary] {
                    case.with(typed, given, wanted, |parameters| {
                        self.extended(case.sql, parameters);
                        self.prepared_twice(case.sql, parameters);
                        self.in_pieces(case.sql, parameters);
                    });
                }
            }
        }
    }

    fn prepared_twice(&mut self, sql: &str, parameters: &Parameters<'_>) {
        let mut prepare = Script::new();
        prepare
            .parse("kept", sql, parameters.types)
            .describe_statement("kept")
            .sync();
        self.same(sql, |wire| wire.run(&prepare));
        let mut execute = Script::new();
        execute.bind("", "kept", parameters).execute("", 0).sync();
        self.same(sql, |wire| wire.run(&execute));
        self.same(sql, |wire| wire.run(&execute));
        let mut close = Script::new();
        close.close_statement("kept").sync();
        self.same(sql, |wire| wire.run(&close));
    }

    /// A named portal, three rows at a time, then the rest.
    fn in_pieces(&mut self, sql: &str, parameters: &Parameters<'_>) {
        let mut script = Script::new();
        script
            .parse("", sql, parameters.types)
            .bind("part", "", parameters)
            .describe_portal("part");
        script
            .execute("part", 3)
            .execute("part", 3)
            .execute("part", 0)
            .close_portal("part")
            .sync();
        self.same(sql, |wire| wire.run(&script));
    }

    /// A named portal of a transaction, which goes on behind each Sync while other statements run.
    fn after_syncs(&mut self, case: &Case) {
        let mut script = Script::new();
        script.parse("", case.sql, &[]);
        script.bind("lasting", "", &Parameters::NONE).sync();
        self.same(case.sql, |wire| wire.run(&script));
        for rows in [2, 1, 0] {
            let mut script = Script::new();
            script.execute("lasting", rows).sync();
            self.same(case.sql, |wire| wire.run(&script));
            self.simple("select 'between'");
            self.simple(case.sql);
        }
    }
}

#[derive(Clone, Copy)]
enum Value {
    Big(i64),
    Int(i32),
    Text(&'static str),
    Null,
}

struct Case {
    sql: &'static str,
    values: &'static [Value],
}

const fn case(sql: &'static str, values: &'static [Value]) -> Case {
    Case { sql, values }
}

impl Case {
    fn with(&self, typed: bool, given: Format, wanted: Format, then: impl FnOnce(&Parameters<'_>)) {
        let types: Vec<u32> = self
            .values
            .iter()
            .map(|value| if typed { value.oid() } else { 0 })
            .collect();
        let bytes: Vec<_> = self.values.iter().map(|value| value.bytes(given)).collect();
        let values: Vec<_> = bytes.iter().map(Option::as_deref).collect();
        then(&Parameters {
            types: &types,
            values: &values,
            given,
            wanted,
        });
    }
}

impl Value {
    fn oid(self) -> u32 {
        match self {
            Self::Big(_) | Self::Null => 20,
            Self::Int(_) => 23,
            Self::Text(_) => 25,
        }
    }

    fn bytes(self, format: Format) -> Option<Vec<u8>> {
        Some(match (self, format) {
            (Self::Null, _) => return None,
            (Self::Text(text), _) => text.as_bytes().to_vec(),
            (Self::Big(number), Format::Text) => number.to_string().into_bytes(),
            (Self::Int(number), Format::Text) => number.to_string().into_bytes(),
            (Self::Big(number), Format::Binary) => number.to_be_bytes().to_vec(),
            (Self::Int(number), Format::Binary) => number.to_be_bytes().to_vec(),
        })
    }
}

const READS: &[Case] = &[
    // One shard, by literal, cast literal and parameter.
    case("select * from organizations where organization_id = 42", &[]),
    case("select * from organizations where organization_id = '42'", &[]),
    case("select * from organizations where organization_id = 42::bigint", &[]),
    case("select * from organizations where organization_id = '42'::bigint", &[]),
    case("select * from organizations where organization_id = cast(42 as int)", &[]),
    case("select * from organizations o where 42 = o.organization_id", &[]),
    case("select * from organizations where organization_id = $1", &[Value::Big(7)]),
    case("select * from organizations where organization_id = $1::bigint", &[Value::Big(199)]),
    case("select name from organizations where organization_id = 100000", &[]),
    case("SELECT * FROM public.organizations WHERE \"organization_id\" = 5", &[]),
    case("select match_id, home from matches where organization_id = $1 and match_id <= $2 order by 2, 1",
         &[Value::Big(7), Value::Big(9)]),
    case("select * from matches where organization_id = 7 and spectators is null order by match_id", &[]),
    case("select count(*), avg(score), min(detected_at), max(label) from detections where organization_id = 7", &[]),
    case("select label, count(*) from detections where organization_id = $1 group by label
          having count(*) > 1 order by label nulls first", &[Value::Big(7)]),
    case("select payload, payload->'box'->0, label || $2 from detections
          where organization_id = $1 order by detection_id limit 9", &[Value::Big(12), Value::Text("!")]),
    case("select detection_id, rank() over (partition by match_id order by score desc, detection_id)
          from detections where organization_id = 3 order by 1", &[]),
    case("with best as (select match_id, max(score) s from detections where organization_id = 9 group by 1)
          select m.home, b.s from matches m join best b using (match_id) where m.organization_id = 9 order by 1, 2", &[]),
    // Joins on the key, and with a reference table.
    case("select m.match_id, d.detection_id from matches m join detections d
          on m.organization_id = d.organization_id and m.match_id = d.match_id
          where m.organization_id = $1 order by 1, 2", &[Value::Big(21)]),
    case("select o.name, m.home, c.name from organizations o join matches m using (organization_id)
          join detections d using (organization_id, match_id) join classes c using (class_id)
          where organization_id = 33 order by d.detection_id limit 20", &[]),
    case("select o.name, m.match_id from organizations o left join matches m
          on m.organization_id = o.organization_id and m.match_id < 0 where o.organization_id = 8", &[]),
    case("select c.name, count(d.detection_id) from classes c left join detections d
          on d.class_id = c.class_id and d.organization_id = 17 group by c.name order by 1", &[]),
    // Reference tables and tables that are not listed.
    case("select * from classes order by class_id", &[]),
    case("select name from classes where class_id = $1", &[Value::Int(4)]),
    case("select * from notes where note_id > $1 order by note_id", &[Value::Int(44)]),
    case("select n.body, c.name from notes n join classes c on c.class_id = n.note_id order by 1", &[]),
    // No table at all.
    case("select 1 as one, 'text', null, 1.50::numeric, true, '{1,2}'::int[], '2025-01-01'::date", &[]),
    case("select $1::int + 1, $2::text", &[Value::Int(41), Value::Text("it's")]),
    case("select $1::bigint is null", &[Value::Null]),
    case("values (1, 'a'), (2, 'b')", &[]),
    case("select current_user, current_database()", &[]),
    case("show server_encoding", &[]),
    case("", &[]),
    case("-- nothing but a comment", &[]),
];

const ERRORS: &[&str] = &[
    "selec 1",
    "select * from organizations where",
    "select nothing from organizations where organization_id = 42",
    "select * from no_such_table",
    "select 1 / 0",
    "select * from organizations where organization_id = 42 and 1 / (organization_id - 42) = 1",
    "select 'ü', nothing from matches where organization_id = 42",
    "insert into accounts (organization_id, balance) values (42, -1)",
    "insert into accounts (organization_id) values (42)",
    "insert into matches (organization_id, match_id, home, away, played_on, spectators) values (42, 1, 'a', 'b', '2025-01-01', 1)",
    "update accounts set balance = 'x' where organization_id = 42",
    "select no_such_function(1)",
    "select 'unfinished",
    "fetch 1 from no_such_cursor",
];

#[test]
fn reads_are_the_same_in_every_form() {
    let mut pair = Pair::connect();
    for case in READS {
        pair.every_form(case);
    }
}

#[test]
fn errors_are_the_same_in_every_form() {
    let _writing = writing();
    let mut pair = Pair::connect();
    for sql in ERRORS {
        pair.simple(sql);
        pair.extended(sql, &Parameters::NONE);
        pair.simple("select 'still here'");
    }
}

#[test]
fn writes_are_the_same_and_land_where_they_belong() {
    let _writing = writing();
    let mut pair = Pair::connect();
    for organization in 1..=60 {
        pair.simple(&format!(
            "insert into accounts (organization_id, balance, note) values ({organization}, 10, 'simple')"
        ));
    }
    let insert = case(
        "insert into accounts (note, balance, organization_id) values ($1, $2, $3) returning *",
        &[Value::Text("extended"), Value::Int(5), Value::Big(61)],
    );
    let change = [
        case(
            "update accounts set balance = balance + $2 where organization_id = $1 returning balance",
            &[Value::Big(61), Value::Int(3)],
        ),
        case(
            "update accounts a set note = null where a.organization_id = 12 and balance > 0",
            &[],
        ),
        case(
            "delete from accounts where organization_id = $1",
            &[Value::Big(200_000)],
        ),
        case(
            "insert into accounts (organization_id, balance, note) values (62, 1, 'again') on conflict (organization_id)
              do update set balance = accounts.balance + 1 returning *",
            &[],
        ),
        case(
            "insert into accounts (organization_id, balance) values ('63'::bigint, 1) on conflict do nothing",
            &[],
        ),
        case(
            "update notes set body = upper(body) where note_id = $1 returning *",
            &[Value::Int(3)],
        ),
    ];
    insert.with(true, Format::Binary, Format::Binary, |parameters| {
        pair.extended(insert.sql, parameters);
        // Again: the duplicate is an error, and the same one.
        pair.extended(insert.sql, parameters);
    });
    for case in &change {
        pair.every_form(case);
    }
    pair.simple("delete from accounts where organization_id = 5");
    pair.simple("insert into notes values (1000, 'new', null)");
    pair.simple("delete from notes where note_id = 1000");
    check_rows();
}

#[test]
fn transactions_are_the_same() {
    let _writing = writing();
    let mut pair = Pair::connect();
    for sql in [
        "begin",
        "insert into accounts (organization_id, balance, note) values (1001, 1, 'kept')",
        "savepoint here",
        "update accounts set balance = 99 where organization_id = 1001",
        "rollback to here",
        "release here",
        "select balance from accounts where organization_id = 1001",
        "commit",
        "begin isolation level serializable read only",
        "show transaction_isolation",
        "select note from accounts where organization_id = 1001",
        "update accounts set note = '' where organization_id = 1001",
        "select 'refused, because the transaction has failed'",
        "commit",
        "begin",
        "delete from accounts where organization_id = 1001",
        "rollback",
        "commit",
        "rollback",
        "begin",
        "begin",
        "end",
        "start transaction",
        "select nothing",
        "rollback to savepoint missing",
        "abort",
        "delete from accounts where organization_id = 1001 returning note",
    ] {
        pair.simple(sql);
    }
    check_rows();
}

#[test]
fn statements_in_one_string_are_the_same() {
    let _writing = writing();
    let mut pair = Pair::connect();
    for sql in [
        "select 1; select 2;",
        ";;",
        "select 1; select nothing; select 3",
        "begin; insert into accounts (organization_id, balance) values (2001, 1); commit; select count(*) from accounts where organization_id = 2001",
        "insert into accounts (organization_id, balance) values (2001, 2) on conflict do nothing; select 1 / 0",
        "begin; delete from accounts where organization_id = 2001; rollback",
        "select 'a;b'; select $$c;d$$ /* ; */; -- ;",
        "delete from accounts where organization_id = 2001",
    ] {
        pair.simple(sql);
    }
    check_rows();
}

#[test]
fn pipelines_are_the_same() {
    let mut pair = Pair::connect();
    let key = Parameters {
        types: &[20],
        values: &[Some(b"42")],
        ..Parameters::NONE
    };
    let mut script = Script::new();
    for sql in [
        "select name from organizations where organization_id = $1",
        "select count(*) from matches where organization_id = $1",
    ] {
        script
            .parse("", sql, key.types)
            .bind("", "", &key)
            .describe_portal("")
            .execute("", 0);
    }
    script.sync();
    pair.same("two statements before one Sync", |wire| wire.run(&script));

    let mut script = Script::new();
    script
        .parse("", "select 1", &[])
        .bind("", "", &Parameters::NONE)
        .execute("", 0);
    script
        .parse("", "select 1 / 0", &[])
        .bind("", "", &Parameters::NONE)
        .execute("", 0);
    script
        .parse("", "select 'skipped'", &[])
        .bind("", "", &Parameters::NONE)
        .execute("", 0)
        .sync();
    pair.same("an error skips to Sync", |wire| wire.run(&script));

    let mut script = Script::new();
    script
        .bind("", "no such statement", &Parameters::NONE)
        .execute("", 0)
        .sync();
    pair.same("an unknown statement", |wire| wire.run(&script));

    let mut script = Script::new();
    script
        .parse("twice", "select 1", &[])
        .parse("twice", "select 2", &[])
        .sync();
    pair.same("a name used twice", |wire| wire.run(&script));
}

#[test]
fn cursors_are_the_same() {
    let mut pair = Pair::connect();
    for sql in [
        "begin",
        "declare c cursor for select match_id from matches where organization_id = 7 order by 1",
        "fetch 3 from c",
        "move 2 in c",
        "fetch forward 2 from c",
        "close c",
        "commit",
    ] {
        pair.simple(sql);
    }
}

#[test]
fn copy_is_the_same() {
    let _writing = writing();
    let mut pair = Pair::connect();
    for sql in [
        "copy classes to stdout",
        "copy classes (name) to stdout with (format csv, header)",
        "copy (select * from matches where organization_id = 7 order by match_id) to stdout",
        "copy (select * from detections where organization_id = 7 order by detection_id) to stdout (format binary)",
        "copy notes to stdout",
        "copy no_such_table to stdout",
    ] {
        pair.simple(sql);
    }
    let rows = b"3001\tcopied\t\\N\n3002\tit's\t2025-05-05 00:00:00+00\n";
    pair.simple("copy notes from stdin");
    pair.same("rows of a copy", |wire| wire.copy_in(rows));
    pair.simple("copy notes from stdin");
    pair.same("a duplicate", |wire| wire.copy_in(rows));
    pair.simple("copy notes from stdin");
    pair.same("a copy given up", |wire| wire.copy_fail("never mind"));
    pair.simple("delete from notes where note_id > 3000");
}

#[test]
fn notices_are_the_same() {
    let mut pair = Pair::connect();
    // DO is refused: it might touch any table.
    let replies = pair.simple("drop table if exists no_such_table");
    assert_eq!(
        replies[0].field(b'M').as_deref(),
        Some("table \"no_such_table\" does not exist, skipping")
    );
    pair.extended("rollback", &Parameters::NONE);
}

#[test]
fn settings_are_the_same() {
    let mut pair = Pair::connect();
    for sql in [
        "set application_name = 'parity'",
        "show application_name",
        "set datestyle = 'German'",
        "select played_on from matches where organization_id = 7 and match_id = 1",
        "begin",
        "set local timezone = 'Asia/Tokyo'",
        "select detected_at from detections where organization_id = 7 and detection_id = 1",
        "commit",
        "select detected_at from detections where organization_id = 7 and detection_id = 1",
        "reset datestyle",
        "show datestyle",
        "discard all",
        "show application_name",
    ] {
        pair.simple(sql);
    }
}

const READS_OF_SEVERAL_SHARDS: &[Case] = &[
    case("select * from organizations order by organization_id", &[]),
    case("select count(*) from detections", &[]),
    case("select * from organizations where organization_id in (1, 2, 3, 4, 5, 6) order by 1", &[]),
    case("select * from organizations where organization_id = 1 or organization_id = 2 order by 1", &[]),
    case("select * from organizations where organization_id > $1 order by 1", &[Value::Big(5)]),
    case("select * from organizations where organization_id = (select 40 + 2)", &[]),
    case("select * from organizations a join organizations b on a.organization_id = 1
          order by a.organization_id, b.organization_id", &[]),
    case("select * from organizations where organization_id = 1 union all select * from organizations
          order by organization_id", &[]),
    case("select (select count(*) from matches) from organizations where organization_id = 1", &[]),
    case("with everything as (select * from matches) select * from organizations o, everything e
          where o.organization_id = 1 order by e.organization_id, e.match_id limit 40", &[]),
    case("select * from notes n join organizations o on o.organization_id = n.note_id order by n.note_id", &[]),
    case("select o.country, c.name, count(*), avg(d.score)::numeric(9, 3) from organizations o
          join detections d on d.detection_id = o.organization_id join classes c using (class_id)
          where d.label > $1 group by 1, 2 order by 1, 2", &[Value::Text("a")]),
];

#[test]
fn reads_of_several_shards_are_the_same_in_every_form() {
    let _writing = writing();
    let mut pair = Pair::connect();
    // On the shard that has `notes`.
    let write = format!(
        "insert into accounts (organization_id, balance) values ({}, 1) on conflict do nothing",
        world().cluster.organization_on(0)
    );
    for case in READS_OF_SEVERAL_SHARDS {
        pair.every_form(case);
        // In a transaction that has written, and by a cursor.
        if case.values.is_empty() {
            pair.simple("begin");
            pair.simple(&write);
            pair.every_form(case);
            pair.after_syncs(case);
            pair.simple("rollback");
            pair.simple("begin");
            // The first statement of its transaction.
            pair.after_syncs(case);
            pair.simple("rollback");
            pair.simple("begin");
            pair.simple(&format!("declare c cursor for {}", case.sql));
            for fetch in ["fetch 3 from c", "move 2 in c", "fetch all from c"] {
                pair.simple(fetch);
            }
            pair.simple("rollback");
        }
    }
}

/// A session that keeps its connection has its own temporary tables there, before and after.
#[test]
fn reads_of_several_shards_are_the_same_under_session_pooling() {
    if world().subject.proxy().is_none() {
        return;
    }
    let options = ProxyOptions {
        tables: vec!["accounts".to_owned()],
        database: "    pool: { mode: session }\n".to_owned(),
        ..ProxyOptions::default()
    };
    let proxy = Proxy::start(&world().cluster, &options);
    let mut pair = Pair {
        subject: Wire::connect(proxy.port).unwrap(),
        ..Pair::connect()
    };
    pair.simple("create temp table own (id bigint, note text)");
    pair.simple("insert into own values (3, 'three'), (4, 'four'), (900, 'none')");
    for sql in [
        "select o.note, m.name from own o left join organizations m on m.organization_id = o.id order by o.id",
        "select count(*) from own",
        "begin",
        "insert into own values (5, 'five')",
        "select o.note, m.name from own o left join organizations m on m.organization_id = o.id order by o.id",
        "rollback",
        "select * from own order by id",
        "drop table own",
    ] {
        pair.simple(sql);
    }
    for case in READS_OF_SEVERAL_SHARDS {
        pair.every_form(case);
    }
}

/// What one statement may bring together is bounded, and may be nothing. One that fails of it leaves nothing behind.
#[test]
fn limits_of_what_is_gathered_hold() {
    if world().subject.proxy().is_none() {
        return;
    }
    let (few, many) = (
        "select count(distinct organization_id) filter (where organization_id > 0) from organizations",
        "select count(distinct organization_id) filter (where organization_id > 0) from detections",
    );
    let mut oracle = Wire::connect(world().cluster.oracle.port()).unwrap();
    let expected = oracle.simple(few).unwrap();
    for (limits, hint, answers, code) in [
        ("gather_rows: 200", "raise gather_rows", true, "54000"),
        ("gather_bytes: 40_000", "raise gather_bytes", true, "54000"),
        ("gather_rows: 0", "add organization_id = ", false, "0A000"),
    ] {
        let options = ProxyOptions {
            database: format!("    limits: {{ {limits} }}\n    pool: {{ size: 1 }}\n"),
            ..ProxyOptions::default()
        };
        let proxy = Proxy::start(&world().cluster, &options);
        let mut wire = Wire::connect(proxy.port).unwrap();
        let fails = |replies: &[Reply], code: &str, hint: &str| {
            let error = replies.iter().find(|reply| reply.tag == b'E').unwrap();
            assert_eq!(
                error.field(b'C').as_deref(),
                Some(code),
                "{limits}: {error:?}"
            );
            let found = error.field(b'H').unwrap_or_default();
            assert!(found.contains(hint), "{limits}: {error:?}");
        };
        for _ in 0..3 {
            fails(&wire.simple(many).unwrap(), code, hint);
            fails(&wire.extended(many, &Parameters::NONE).unwrap(), code, hint);
            match answers {
                true => assert_eq!(wire.simple(few).unwrap(), expected, "{limits}"),
                false => fails(&wire.simple(few).unwrap(), code, hint),
            }
            wire.simple("begin").unwrap();
            fails(&wire.simple(many).unwrap(), code, hint);
            fails(&wire.simple("select 1").unwrap(), "25P02", "");
            assert_eq!(wire.simple("rollback").unwrap()[0].body, b"ROLLBACK\0");
            // One shard answers whatever the limits are.
            let one = "select * from organizations where organization_id = 42";
            assert_eq!(wire.simple(one).unwrap(), oracle.simple(one).unwrap());
        }
    }
}

/// What nobody can answer is refused: never done for a part of the rows.
#[test]
fn what_needs_several_shards_and_is_no_query_is_refused() {
    let world = world();
    let Some(proxy) = world.subject.proxy() else {
        return;
    };
    let mut wire = Wire::connect(proxy.port).unwrap();
    for sql in [
        "select * from organizations for update",
        "select organization_id from organizations tablesample bernoulli (100) repeatable (1)",
        "with all_of as (select * from organizations for share) select * from all_of",
        "update organizations set name = ''",
        "delete from accounts",
        "update accounts set organization_id = 2 where organization_id = 1",
        "insert into accounts select organization_id, 1, '' from organizations",
        "insert into accounts (balance) values (1)",
        "insert into classes values (99, 'new')",
        "copy organizations to stdout",
    ] {
        for replies in [
            wire.simple(sql).unwrap(),
            wire.extended(sql, &Parameters::NONE).unwrap(),
        ] {
            let error = replies.iter().find(|reply| reply.tag == b'E');
            let error = error.unwrap_or_else(|| panic!("answered: {sql}\n{replies:?}"));
            assert_eq!(
                error.field(b'C').as_deref(),
                Some("0A000"),
                "{sql}: {error:?}"
            );
            assert!(
                replies.iter().all(|reply| reply.tag != b'D'),
                "{sql} gave rows"
            );
        }
    }
    // The connection is as good as before.
    assert_eq!(wire.simple("select 1").unwrap().len(), 4);
}

fn writing() -> MutexGuard<'static, ()> {
    world()
        .writing
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
}

/// Looks behind the proxy: the shards together hold what the oracle holds.
fn check_rows() {
    let world = world();
    if world.subject.proxy().is_none() {
        return;
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let sharded = ["accounts", "organizations"];
        assert_same_rows_of(&world.cluster, &sharded, &["classes"]).await;
        assert_rows_in_place(&world.cluster, &sharded).await;
    });
}
