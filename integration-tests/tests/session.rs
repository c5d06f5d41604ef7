//! What a session did stays true for it on whichever server connection comes next, and is invisible to
//! every other session.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::sync::OnceLock;

use integration_tests::clients::{Pair, play};
use integration_tests::wire::{Parameters, Reply, Script, Wire};
use integration_tests::{Cluster, Proxy, ProxyOptions, Setup};

/// One connection for each shard, which remembers two statements: nobody can hide behind a second.
const TIGHT: &str = "    pool: { size: 1, wait: 2s, prepared_statements: 2 }";

fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        Cluster::start(&Setup {
            everywhere:
                "create table accounts (organization_id bigint primary key, balance int not null
                                                check (balance >= 0), note text);
                         create schema other; create table other.here (what text);
                         create schema \"A,b\"; create table \"A,b\".comma (what text);",
            default_shard: "create table notes (note_id int primary key, body text);
                            insert into notes select n, 'note ' || n from generate_series(1, 50) n;
                            create table changing (id int);",
            ..Setup::default()
        })
    })
}

fn proxy(database: &str) -> Proxy {
    let options = ProxyOptions {
        tables: vec!["accounts".to_owned()],
        database: database.to_owned(),
        ..ProxyOptions::default()
    };
    Proxy::start(cluster(), &options)
}

/// Plays lines against a proxy with one connection, and against the oracle.
fn check(lines: &str) {
    let proxy = proxy(TIGHT);
    play(proxy.port, cluster().oracle.port(), lines);
    assert_sane(&proxy);
}

fn assert_sane(proxy: &Proxy) {
    assert!(!proxy.log().contains("panicked"), "{}", proxy.log());
}

fn pair(proxy: &Proxy) -> Pair {
    Pair::connect(proxy.port, cluster().oracle.port(), &[])
}

fn key(value: &'static [u8]) -> Parameters<'static> {
    // Leaked on purpose: a handful of bytes in a test.
    let values: &'static [Option<&'static [u8]>] = Box::leak(Box::new([Some(value)]));
    Parameters {
        types: &[20],
        values,
        ..Parameters::NONE
    }
}

fn code(replies: &[Reply]) -> Option<String> {
    replies
        .iter()
        .find(|reply| reply.tag == b'E')
        .and_then(|error| error.field(b'C'))
}

fn tags(replies: &[Reply]) -> String {
    replies.iter().map(|reply| char::from(reply.tag)).collect()
}

/// The first column of the rows, as text.
fn column(replies: &[Reply]) -> Vec<String> {
    let rows = replies.iter().filter(|reply| reply.tag == b'D');
    rows.map(|row| String::from_utf8_lossy(&row.body[6..]).into_owned())
        .collect()
}

/// Organizations on the first and on the second shard.
fn keys() -> (i64, i64) {
    (cluster().organization_on(0), cluster().organization_on(1))
}

// ---- settings ----

/// The server forgets its unnamed statement over the proxy's own queries, and so must the proxy.
#[test]
fn an_unnamed_statement_does_not_outlive_a_look() {
    let proxy = proxy(TIGHT);
    let connect = || Wire::connect(proxy.port).unwrap();
    let (mut first, mut second) = (connect(), connect());
    for _ in 0..3 {
        for wire in [&mut first, &mut second] {
            wire.simple("begin").unwrap();
            let replies = wire
                .extended("show transaction_isolation", &Parameters::NONE)
                .unwrap();
            assert!(replies.iter().all(|reply| reply.tag != b'E'), "{replies:?}");
            wire.simple("rollback").unwrap();
            let replies = wire
                .extended("show transaction_isolation", &Parameters::NONE)
                .unwrap();
            assert!(replies.iter().all(|reply| reply.tag != b'E'), "{replies:?}");
        }
    }
}

#[test]
fn settings_follow_their_session_and_no_other() {
    let (one, two) = keys();
    check(&format!(
        "a> set timezone to 'Asia/Tokyo'
         b> show timezone
         a> show timezone
         b> set timezone to 'America/New_York'
         b> set datestyle to 'German'
         a> select current_setting('timezone') from organizations where organization_id = {one}
         a> select current_setting('timezone'), detected_at from detections where organization_id = {two} order by 2 limit 1
         b> select current_setting('timezone'), detected_at from detections where organization_id = {two} order by 2 limit 1
         c> show timezone
         c> show datestyle
         a> reset timezone
         a> show timezone
         b> select current_setting('timezone') from organizations where organization_id = {one}
         b> set timezone to default
         b> show timezone
         b> show datestyle
         b> reset all
         b> show datestyle
         a> set statement_timeout = '7s'
         a!
         d> show statement_timeout
         d> set work_mem = 'nonsense'
         d> show work_mem
         d> set no.such = 'custom'
         d> show no.such
         d> set time zone 'UTC'
         d> set session time zone -7
         d> show time zone
         d> set names 'UTF8'
         d> set schema 'other'
         d> select what from here
         c> select what from here
         d> show search_path
         c> show search_path
         e> set \"SEARCH_PATH\" = other
         c> show search_path
         e> select what from here
         e> begin
         e> set local \"Search_Path\" to public
         e> select what from here
         e> rollback
         e> reset \"Search_PATH\"
         e> select what from here
         e> set \"TimeZone\" to 'Asia/Tokyo'
         e> reset timezone
         c> show timezone
         e> show \"TimeZone\""
    ));
}

#[test]
fn roles_do_not_leak() {
    let cluster = cluster();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        for port in [cluster.primary_port(0), cluster.primary_port(1), cluster.oracle.port()] {
            let superuser = integration_tests::client::connect_as(port, "postgres", "postgres", "app").await;
            superuser
                .batch_execute("do $$ begin create role visitor; exception when duplicate_object then null; end $$; grant visitor to app")
                .await
                .unwrap();
        }
    });
    check(
        "a> set role visitor
         a> select current_user, session_user
         b> select current_user, session_user
         b> select count(*) from notes where note_id < 50
         a> select count(*) from notes where note_id < 50
         a> begin
         a> reset role
         a> select current_user
         a> rollback
         a> select current_user
         b> select current_user
         a> set role none
         a> select current_user
         a> set role visitor
         a!
         c> select current_user
         c> begin
         c> set local role visitor
         c> select current_user
         c> commit
         c> select current_user
         d> select current_user
         c> set \"ROLE\" = visitor
         c> reset all
         c> select current_user
         d> select current_user
         c> discard all
         c> select current_user",
    );
}

#[test]
fn rollback_undoes_settings() {
    let (one, _) = keys();
    check(&format!(
        "a> begin
         a> set datestyle to 'German'
         a> show datestyle
         a> rollback
         a> show datestyle
         a> begin
         a> set datestyle to 'SQL'
         a> savepoint s
         a> set datestyle to 'German'
         a> select current_setting('datestyle') from organizations where organization_id = {one}
         a> rollback to s
         a> show datestyle
         a> commit
         b> show datestyle
         a> show datestyle
         a> begin
         a> set local datestyle to 'German'
         a> set local timezone to 'Asia/Tokyo'
         a> show datestyle
         a> select current_setting('timezone') from organizations where organization_id = {one}
         a> commit
         a> show datestyle
         b> show timezone
         a> begin
         a> set timezone to 'Asia/Tokyo'
         a> set local timezone to 'UTC'
         a> show timezone
         a> commit
         a> show timezone
         b> show timezone
         a> show timezone
         a> begin
         a> select 1
         a> set timezone to 'America/New_York'
         a> select 1/0
         a> show timezone
         a> rollback
         a> show timezone
         a> begin
         a> set timezone to 'America/New_York'
         a> selec
         a> commit
         a> show timezone
         a> begin
         a> reset timezone
         a> show timezone
         a> rollback
         a> show timezone
         a> begin
         a> reset all
         a> show timezone
         a> commit
         a> show timezone
         b> show timezone
         a> begin
         a> savepoint s
         a> set timezone to 'Asia/Tokyo'
         a> release s
         a> commit
         a> show timezone
         a> begin
         a> set timezone to 'UTC'
         a> savepoint s
         a> savepoint s
         a> set timezone to 'America/New_York'
         a> rollback to s
         a> show timezone
         a> release s
         a> rollback to s
         a> commit
         b> show timezone
         a> show timezone
         a> set local timezone to 'UTC'
         a> show timezone"
    ));
}

#[test]
fn strings_of_statements_set_as_postgres_does() {
    check(
        "a> set timezone to 'Asia/Tokyo'; select 1
         a> show timezone
         b> show timezone
         a> set timezone to 'UTC'; select 1/0
         a> show timezone
         a> begin; set timezone to 'UTC'; commit; set timezone to 'America/New_York'; select 1/0
         a> show timezone
         b> show timezone
         a> begin; set timezone to 'Asia/Tokyo'; rollback
         a> show timezone
         a> begin; set timezone to 'Asia/Tokyo'; savepoint s; set timezone to 'UTC'; rollback to s; commit
         a> show timezone
         b> show timezone
         a> reset all; show timezone
         a> show timezone
         a> set local timezone to 'Asia/Tokyo'; show timezone
         a> show timezone
         a> begin; select 1
         a> set timezone to 'Asia/Tokyo'; commit; show timezone
         a> show timezone
         b> show timezone
         a> begin; begin; select 1; commit; commit
         a> select 1; begin; select 2
         a> commit
         a> select 1; rollback; select 2
         a> set timezone to 'Asia/Tokyo'; rollback; show timezone
         a> show timezone
         a> select 1; savepoint s
         a> savepoint s
         a> rollback to s
         a> release s",
    );
}

#[test]
fn startup_parameters_are_the_session_s_own() {
    let proxy = proxy(TIGHT);
    let oracle = cluster().oracle.port();
    let started: &[&[(&str, &str)]] = &[
        &[("application_name", "first"), ("DateStyle", "German")],
        &[
            ("options", "-c search_path=other,\\ public --work_mem=5MB"),
            ("TimeZone", "Asia/Tokyo"),
        ],
        &[
            ("extra_float_digits", "2"),
            ("search_path", "\"$user\", other"),
            ("application_name", "x'y\\z"),
        ],
        &[("client_encoding", "UTF8"), ("statement_timeout", "9000")],
        &[
            ("search_path", "\"A,b\", public"),
            (
                "options",
                "-c timezone=UTC -c search_path=other -c work_mem=6MB",
            ),
            ("TimeZone", "Asia/Tokyo"),
        ],
        &[],
    ];
    let mut pairs: Vec<_> = started
        .iter()
        .map(|parameters| Pair::connect(proxy.port, oracle, parameters))
        .collect();
    let questions = [
        "show datestyle",
        "show search_path",
        "show work_mem",
        "show timezone",
        "show extra_float_digits",
        "show statement_timeout",
        "select count(*) from comma",
    ];
    for _ in 0..2 {
        for (pair, parameters) in pairs.iter_mut().zip(started) {
            for question in questions {
                pair.simple(question);
            }
            if parameters
                .iter()
                .any(|(name, _)| *name == "application_name")
            {
                pair.simple("show application_name");
            }
            pair.simple("set datestyle to 'SQL, DMY'");
            pair.simple("set search_path to public");
            pair.simple("show datestyle");
            pair.simple("reset datestyle");
            pair.simple("reset search_path");
            pair.simple("begin");
            pair.simple("reset all");
            pair.simple("show search_path");
            pair.simple("set search_path to other");
            pair.simple("reset all");
            pair.simple("show search_path");
            pair.simple("commit");
            for sql in [
                "set search_path to other",
                "set timezone to 'UTC'",
                "set search_path to default",
                "set time zone default",
                "show search_path",
                "show timezone",
                "select count(*) from comma",
                "set search_path to public",
                "set time zone 'UTC'",
                // Before the first shard, and on it.
                "begin",
                "set local search_path to default",
                "set local time zone local",
                "show search_path",
                "select count(*) from comma",
                "rollback",
                "begin",
                "select count(*) from notes",
                "savepoint s",
                "set local search_path to default",
                "set local time zone default",
                "set work_mem to default",
                "show search_path",
                "show timezone",
                "rollback to s",
                "show search_path",
                "set local search_path to default",
                "select count(*) from here",
                "commit",
                "show search_path",
                "show timezone",
                "begin",
                "set search_path to default",
                "set timezone to default",
                "commit",
                "show search_path",
                "show timezone",
                "set local search_path to default",
                "set names default",
            ] {
                pair.simple(sql);
            }
            // A string is sent as it is: RESET in it would go back to the connection's start.
            let string = "set datestyle to default; select 1";
            let set = parameters.iter().any(|(name, _)| *name == "DateStyle");
            let refused = code(&pair.subject.simple(string).unwrap());
            assert_eq!(refused.as_deref(), set.then_some("0A000"));
            pair.oracle.simple(string).unwrap();
        }
    }
    for (pair, _) in pairs.iter_mut().zip(started) {
        pair.simple("set work_mem to '7MB'");
        pair.simple("discard all");
        questions
            .iter()
            .for_each(|question| drop(pair.simple(question)));
        let value = |wire: &Wire, name: &str| {
            wire.parameters
                .iter()
                .find(|(known, _)| known == name)
                .map(|(_, value)| value.clone())
        };
        for name in [
            "DateStyle",
            "TimeZone",
            "client_encoding",
            "server_version",
            "integer_datetimes",
        ] {
            assert_eq!(
                value(&pair.subject, name),
                value(&pair.oracle, name),
                "{name}"
            );
        }
    }
    let refused = |port: u16, (name, value): (&str, &str)| {
        Wire::connect_as(port, "app", "app", &[("database", "app"), (name, value)]).is_err()
    };
    for wrong in [
        ("work_mem", "nonsense"),
        ("search_path", "public,"),
        ("search_path", "\"A,b"),
    ] {
        assert!(refused(oracle, wrong), "{wrong:?}");
        assert!(refused(proxy.port, wrong), "{wrong:?}");
    }
    for kept_out in [
        ("search_path", "\"$user\", pg_temp, public"),
        ("options", "-c search_path=pg_temp,public"),
        ("transform_null_equals", "on"),
        ("options", "-c Transform_Null_Equals=on"),
    ] {
        assert!(refused(proxy.port, kept_out), "{kept_out:?}");
    }
    assert_sane(&proxy);
}

/// What the client believes of the reported parameters is what is true on the server it gets.
#[test]
fn parameter_status_is_reported() {
    let proxy = proxy(TIGHT);
    let oracle = cluster().oracle.port();
    let mut clients: Vec<Pair> = (0..2)
        .map(|_| Pair::connect(proxy.port, oracle, &[("application_name", "start")]))
        .collect();
    let believed = |wire: &mut Wire, sql: &str| {
        wire.simple_noting(sql).unwrap();
        let mut known: Vec<_> = wire
            .parameters
            .iter()
            .filter(|(name, _)| {
                matches!(
                    name.as_str(),
                    "TimeZone"
                        | "DateStyle"
                        | "application_name"
                        | "IntervalStyle"
                        | "standard_conforming_strings"
                )
            })
            .cloned()
            .collect();
        known.sort();
        known
    };
    for (client, sql) in [
        // Before its first shard a transaction's settings are not reported; from then on they are.
        (0, "set timezone to 'Asia/Tokyo'"),
        (1, "select 1"),
        (1, "set datestyle to german"),
        (0, "select 1"),
        (0, "begin"),
        (0, "set timezone to 'UTC'; select 1"),
        (0, "select 1"),
        (0, "rollback"),
        (0, "select 1"),
        (1, "set application_name to 'changed'"),
        (0, "select 1"),
        (1, "reset application_name"),
        (1, "begin"),
        (1, "set local timezone to 'America/New_York'; select 1"),
        (1, "select 1"),
        (1, "commit"),
        (1, "select 1"),
        (0, "begin; set intervalstyle to iso_8601; commit"),
        (1, "select 1"),
        (0, "reset all"),
        (0, "discard all"),
        (1, "discard all"),
        (0, "select 1"),
        (1, "select 1"),
    ] {
        let pair = &mut clients[client];
        let (expected, found) = (
            believed(&mut pair.oracle, sql),
            believed(&mut pair.subject, sql),
        );
        assert_eq!(expected, found, "client {client} after {sql}");
    }
}

/// DISCARD ALL behind a Describe: the connection it was described on still has the settings.
#[test]
fn discard_all_in_a_pipeline_leaves_nothing() {
    let proxy = proxy(TIGHT);
    let (mut a, mut b) = (pair(&proxy), pair(&proxy));
    a.simple("set timezone to 'Asia/Tokyo'");
    let mut script = Script::new();
    script
        .parse("s", "select 1", &[])
        .describe_statement("s")
        .flush();
    script
        .parse("", "discard all", &[])
        .bind("", "", &Parameters::NONE)
        .execute("", 0)
        .sync();
    a.run("described, then discarded", &script);
    b.simple("show timezone");
    a.simple("show timezone");
    assert_sane(&proxy);
}

// ---- nothing of one client is visible to the next ----

#[test]
fn what_would_stay_on_a_connection_is_refused() {
    let proxy = proxy(TIGHT);
    let mut wire = Wire::connect(proxy.port).unwrap();
    for sql in [
        "create temp table t (a int)",
        "create temporary table t (a int)",
        "create local temp table t (a int)",
        "create table pg_temp.t (a int)",
        "create temp view v as select 1",
        "create temp sequence s",
        "select 1 as a into temp t",
        "select 1 as a into temporary table t",
        "create temp table t as select 1",
        "select pg_advisory_lock(1)",
        "select pg_try_advisory_lock(1)",
        "select pg_catalog.pg_advisory_lock(1)",
        "select \"pg_advisory_lock\"(1)",
        "select pg_advisory_lock_shared(1, 2)",
        "listen x",
        "declare c cursor with hold for select 1",
        "declare c scroll cursor with hold for select 1",
        "prepare p as select 1",
        "execute p",
        "select set_config('timezone', 'Asia/Tokyo', false)",
        "select set_config('search_path', 'other', true)",
        "set session authorization app",
        "set \"SESSION_AUTHORIZATION\" = app",
        "set \"Transform_Null_Equals\" = on",
        "load 'auto_explain'",
        "set search_path = \"$user\", pg_temp, public",
        "set local search_path = public, pg_temp",
        "discard temp",
    ] {
        for replies in [
            wire.simple(sql).unwrap(),
            wire.extended(sql, &Parameters::NONE).unwrap(),
        ] {
            assert_eq!(
                code(&replies).as_deref(),
                Some("0A000"),
                "{sql}: {replies:?}"
            );
        }
    }
    let mut next = Wire::connect(proxy.port).unwrap();
    let rows = next
        .simple("select count(*) from pg_locks where locktype = 'advisory'")
        .unwrap();
    assert_eq!(column(&rows), ["0"]);
}

/// What is created where `pg_temp` comes first of the schemas that exist stays on the connection.
#[test]
fn a_path_with_pg_temp_that_a_role_begins_with_is_refused() {
    let cluster = Cluster::start(&Setup {
        sample: Some(0.001),
        ..Setup::default()
    });
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        for shard in 0..2 {
            integration_tests::client::connect_as(cluster.primary_port(shard), "app", "app", "app")
                .await
                .batch_execute("alter role app set search_path = \"$user\", pg_temp, public")
                .await
                .unwrap();
        }
    });
    let options = ProxyOptions {
        database: TIGHT.to_owned(),
        ..ProxyOptions::default()
    };
    let proxy = Proxy::start(&cluster, &options);
    let (mut a, mut b) = (
        Wire::connect(proxy.port).unwrap(),
        Wire::connect(proxy.port).unwrap(),
    );
    for sql in ["create table plain (a int)", "select 1"] {
        assert_eq!(code(&a.simple(sql).unwrap()).as_deref(), Some("0A000"));
    }
    for wire in [&mut a, &mut b] {
        let set = wire.simple("set search_path = public").unwrap();
        assert_eq!(code(&set), None, "{set:?}");
    }
    assert_eq!(code(&a.simple("create table plain (a int)").unwrap()), None);
    let kept = b.simple("select relpersistence from pg_class where relname = 'plain'");
    assert_eq!(column(&kept.unwrap()), ["p"]);
    assert_sane(&proxy);
    drop((a, b, proxy));

    // Another one on one of the shards: what it is nobody can say, but SET can.
    runtime.block_on(async {
        integration_tests::client::connect_as(cluster.primary_port(1), "app", "app", "app")
            .await
            .batch_execute("alter role app set search_path = public")
            .await
            .unwrap();
    });
    let proxy = Proxy::start(&cluster, &options);
    let mut a = Wire::connect(proxy.port).unwrap();
    let refused = a.simple("select 1").unwrap();
    assert_eq!(code(&refused).as_deref(), Some("0A000"), "{refused:?}");
    let set = a.simple("set search_path = public").unwrap();
    assert_eq!(code(&set), None, "{set:?}");
    assert_eq!(column(&a.simple("select 1").unwrap()), ["1"]);
    assert_sane(&proxy);
}

#[test]
fn cursors_and_failures_stay_with_their_client() {
    check(
        "a> begin
         a> declare c cursor for select note_id from notes order by 1
         a> fetch 2 from c
         a> commit
         b> fetch 1 from c
         b> begin
         b> fetch 1 from c
         b> rollback
         a> begin
         a> select 1/0
         a> rollback
         b> select 1
         a> begin
         a> insert into notes values (900, 'left open')
         a!
         b> select count(*) from notes where note_id = 900
         b> select pg_advisory_xact_lock(3)
         b> select count(*) from pg_locks where locktype = 'advisory'
         c> begin
         c> selec
         c!
         b> select 1
         c> begin
         c> select pg_advisory_xact_lock(5)
         c> rollback
         b> select count(*) from pg_locks where locktype = 'advisory'",
    );
}

/// A client that vanishes without a word, in the middle of everything.
#[test]
fn a_vanished_client_leaves_nothing() {
    let proxy = proxy(TIGHT);
    let mut next = pair(&proxy);
    for left in [
        "begin; insert into notes values (901, 'x'); set timezone to 'Asia/Tokyo'",
        "begin; lock table notes",
        "begin; select 1/0",
    ] {
        let mut wire = Wire::connect(proxy.port).unwrap();
        wire.simple(left).unwrap();
        drop(wire);
        next.simple("select count(*) from notes where note_id = 901");
        next.simple("show timezone");
    }
    // Frames without Sync.
    let mut wire = Wire::connect(proxy.port).unwrap();
    let mut script = Script::new();
    script
        .parse("", "insert into notes values (901, 'x')", &[])
        .bind("", "", &Parameters::NONE);
    script
        .execute("", 0)
        .parse("left", "select 'left'", &[])
        .flush();
    wire.send_script(&script).unwrap();
    for tag in *b"12C1" {
        assert_eq!(wire.reply().unwrap().tag, tag);
    }
    drop(wire);
    next.simple("select count(*) from notes where note_id = 901");
    let mut script = Script::new();
    script
        .bind("", "left", &Parameters::NONE)
        .execute("", 0)
        .sync();
    next.run("a named statement of another", &script);
    let mut script = Script::new();
    script.bind("", "", &Parameters::NONE).execute("", 0).sync();
    next.run("the unnamed statement of another", &script);
    let mut script = Script::new();
    script.execute("", 0).sync();
    next.run("the unnamed portal of another", &script);
    let mut script = Script::new();
    script.describe_portal("p").sync();
    next.run("a portal of another", &script);
    for sql in [
        "select count(*) from pg_prepared_statements where name !~ 'trunkline'",
        "select count(*) from pg_cursors",
    ] {
        next.simple(sql);
    }
    assert_sane(&proxy);
}

// ---- prepared statements ----

#[test]
fn statements_of_many_clients_on_one_connection() {
    let proxy = proxy(TIGHT);
    let (one, two) = keys();
    let mut clients: Vec<_> = (0..4).map(|_| pair(&proxy)).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        let mut script = Script::new();
        for name in 0..4 {
            // The same names with other texts in each client, and one text they share.
            let sql = if name == 3 {
                "select 'shared', $1::bigint".to_owned()
            } else {
                format!("select 'client {number} statement {name}', $1::bigint")
            };
            script.parse(&format!("s{name}"), &sql, &[20]);
        }
        script
            .parse(
                "key",
                &format!("select name, {number} from organizations where organization_id = $1"),
                &[20],
            )
            .sync();
        client.run("prepare", &script);
    }
    let values = [one.to_string(), two.to_string()];
    for round in 0..3 {
        for client in &mut clients {
            for name in ["s0", "s1", "s2", "s3", "key"] {
                for value in &values {
                    let values = [Some(value.as_bytes())];
                    let parameters = Parameters {
                        types: &[],
                        values: &values,
                        ..Parameters::NONE
                    };
                    let mut script = Script::new();
                    script
                        .bind("", name, &parameters)
                        .describe_portal("")
                        .execute("", 0)
                        .sync();
                    client.run(&format!("round {round} {name}"), &script);
                }
            }
        }
    }
    // More in one pipeline than the connection remembers.
    for client in &mut clients {
        let mut script = Script::new();
        for name in ["s0", "s1", "s2", "s3", "s0", "s1"] {
            script
                .bind("", name, &key(b"5"))
                .describe_portal("")
                .execute("", 0);
        }
        script.sync();
        client.run("one pipeline", &script);
        let mut script = Script::new();
        script
            .close_statement("s0")
            .parse("s0", "select 'again', $1::int", &[])
            .bind(
                "",
                "s0",
                &Parameters {
                    types: &[],
                    ..key(b"6")
                },
            );
        script.execute("", 0).close_statement("never").sync();
        client.run("closed and parsed again", &script);
        client.simple("deallocate s1");
        client.simple("deallocate s1");
        let mut script = Script::new();
        script.bind("", "s1", &key(b"5")).execute("", 0).sync();
        client.run("deallocated", &script);
        client.simple("deallocate all");
        let mut script = Script::new();
        script.bind("", "s2", &key(b"5")).execute("", 0).sync();
        client.run("all deallocated", &script);
        let mut script = Script::new();
        script
            .parse("s2", "select 2", &[])
            .bind("", "s2", &Parameters::NONE)
            .execute("", 0)
            .sync();
        client.run("prepared again", &script);
        client.simple("discard all");
        let mut script = Script::new();
        script
            .bind("", "s2", &Parameters::NONE)
            .execute("", 0)
            .sync();
        client.run("discarded", &script);
    }
    assert_sane(&proxy);
}

/// What a failed pipeline skipped has not happened on the server: neither its Parses nor its Closes.
#[test]
fn a_failed_pipeline_leaves_no_wrong_belief() {
    let proxy = proxy(TIGHT);
    let mut a = pair(&proxy);
    let none = &Parameters::NONE;
    let mut script = Script::new();
    for n in 0..4 {
        script.parse(&format!("s{n}"), &format!("select 'statement {n}'"), &[]);
    }
    script.parse("bad", "select 1/0", &[]).sync();
    a.run("prepare", &script);
    for round in 0..3 {
        // An error first; what follows is skipped, evictions and all.
        let mut script = Script::new();
        script.bind("", "bad", none).execute("", 0);
        for n in 0..4 {
            script.bind("", &format!("s{n}"), none).execute("", 0);
        }
        script.sync();
        a.run(&format!("round {round}"), &script);
        for n in (0..4).rev() {
            let mut script = Script::new();
            script
                .bind("", &format!("s{n}"), none)
                .execute("", 0)
                .sync();
            a.run(&format!("after the error, round {round}, s{n}"), &script);
        }
    }
    // The unnamed statement after a skipped Parse.
    let mut script = Script::new();
    script
        .parse("", "select 1/0", &[])
        .bind("", "", none)
        .execute("", 0);
    script
        .parse("", "select 'second'", &[])
        .bind("", "", none)
        .execute("", 0)
        .sync();
    a.run("skipped unnamed", &script);
    let mut script = Script::new();
    script
        .parse("", "select 'second'", &[])
        .bind("", "", none)
        .execute("", 0)
        .sync();
    a.run("parsed at last", &script);
    let mut script = Script::new();
    script.parse("", "select no_such_column", &[]).sync();
    a.run("wrong", &script);
    a.run("wrong again", &script);
    let mut script = Script::new();
    script
        .parse("", "select no_such_column", &[])
        .bind("", "", none)
        .execute("", 0)
        .sync();
    a.run("wrong, bound", &script);
    a.run("wrong, bound again", &script);
    assert_sane(&proxy);
}

#[test]
fn parse_tells_errors_where_postgres_does() {
    let proxy = proxy(TIGHT);
    let mut a = pair(&proxy);
    for sql in [
        "selec 1",
        "select nothing from organizations where organization_id = $1",
        "select * from no_such_table",
        "select $1 + ",
        "select 1; select 2",
        "insert into accounts (organization_id, balance) values ($1, 'x'::int)",
        "select $0",
        "select ü.x from organizations where organization_id = $1",
        "",
        "select $1::no_such_type",
    ] {
        let mut script = Script::new();
        script.parse("", sql, &[]).describe_statement("").sync();
        a.run(sql, &script);
        let mut script = Script::new();
        script.parse("named", sql, &[]).sync();
        a.run(sql, &script);
        let mut script = Script::new();
        script
            .bind("", "named", &Parameters::NONE)
            .execute("", 0)
            .sync();
        a.run(&format!("bound after: {sql}"), &script);
        let mut script = Script::new();
        script.close_statement("named").sync();
        a.run(sql, &script);
    }
    assert_sane(&proxy);
}

/// Parse, Describe, Flush; then a Bind whose key lives on the other shard.
#[test]
fn described_here_and_bound_there() {
    let proxy = proxy(TIGHT);
    let (one, two) = keys();
    let mut a = pair(&proxy);
    for (name, sync) in [("", false), ("n", false), ("", true), ("m", true)] {
        for (id, in_transaction) in [(one, false), (two, false), (two, true)] {
            if in_transaction {
                a.simple("begin");
            }
            let mut script = Script::new();
            script
                .parse(
                    name,
                    "select name, $2::text from organizations where organization_id = $1",
                    &[],
                )
                .describe_statement(name);
            if sync {
                script.sync();
                a.run("described", &script);
            } else {
                script.flush();
                a.same("described", |wire| {
                    wire.send_script(&script)?;
                    (0..3).map(|_| wire.reply()).collect()
                });
            }
            let id = id.to_string();
            let values = [Some(id.as_bytes()), Some(b"x" as &[u8])];
            let parameters = Parameters {
                types: &[],
                values: &values,
                ..Parameters::NONE
            };
            let mut script = Script::new();
            script
                .bind("", name, &parameters)
                .describe_portal("")
                .execute("", 0)
                .sync();
            a.run("bound", &script);
            a.run("bound again", &script);
            let mut script = Script::new();
            script.close_statement(name).sync();
            a.run("closed", &script);
            if in_transaction {
                a.simple("commit");
            }
        }
    }
    assert_sane(&proxy);
}

#[test]
fn a_statement_whose_result_changes() {
    let proxy = proxy(TIGHT);
    let (mut a, mut b) = (pair(&proxy), pair(&proxy));
    let mut script = Script::new();
    script
        .parse("s", "select * from changing", &[])
        .describe_statement("s")
        .bind("", "s", &Parameters::NONE)
        .execute("", 0)
        .sync();
    a.run("prepared", &script);
    b.simple("alter table changing add column more text");
    let mut again = Script::new();
    again.bind("", "s", &Parameters::NONE).execute("", 0).sync();
    a.run("changed", &again);
    let mut script = Script::new();
    script
        .close_statement("s")
        .parse("s", "select * from changing", &[])
        .describe_statement("s")
        .sync();
    a.run("closed and prepared again", &script);
    a.run("again", &again);
    // Another client, which never saw the old shape.
    let mut script = Script::new();
    script
        .parse("t", "select * from changing", &[])
        .describe_statement("t")
        .bind("", "t", &Parameters::NONE)
        .execute("", 0)
        .sync();
    b.run("a fresh client", &script);
    b.simple("alter table changing drop column more");
    assert_sane(&proxy);
}

// ---- pipelines, portals, transactions ----

/// A server reads a literal when it parses: another connection would read it anew, under what is SET by then.
#[test]
fn literals_are_read_under_the_settings_of_parse() {
    let proxy = proxy(TIGHT);
    let (one, two) = keys();
    let mut wire = Wire::connect(proxy.port).unwrap();
    let mut script = Script::new();
    for (name, value) in [
        ("strings", "'2024-01-01 10:00'::timestamptz"),
        ("none", "now()"),
    ] {
        let text = format!(
            "select {value} at time zone 'UTC' from organizations where organization_id = $1"
        );
        script.parse(name, text.replace("'UTC'", "$2").as_str(), &[20, 25]);
    }
    wire.run(script.sync()).unwrap();
    let run = |wire: &mut Wire, name: &str, id: i64| {
        let id = id.to_string();
        let values = [Some(id.as_bytes()), Some(b"UTC" as &[u8])];
        let parameters = Parameters {
            values: &values,
            ..Parameters::NONE
        };
        let mut script = Script::new();
        script.bind("", name, &parameters).execute("", 0).sync();
        wire.run(&script).unwrap()
    };
    let ten = ["2024-01-01 10:00:00"];
    assert_eq!(column(&run(&mut wire, "strings", one)), ten);
    for set in [
        "set timezone to 'Asia/Tokyo'",
        "begin; set local timezone to 'Asia/Tokyo'",
    ] {
        wire.simple(set).unwrap();
        assert_eq!(column(&run(&mut wire, "none", two)).len(), 1);
        let refused = run(&mut wire, "strings", two);
        assert_eq!(code(&refused).as_deref(), Some("0A000"), "{set}");
        wire.simple(if set.starts_with("set") {
            "reset timezone"
        } else {
            "rollback"
        })
        .unwrap();
        for id in [one, two] {
            assert_eq!(column(&run(&mut wire, "strings", id)), ten, "{set}");
        }
    }
    assert_sane(&proxy);
}

#[test]
fn pipelines_are_transactions() {
    let proxy = proxy(TIGHT);
    let mut a = pair(&proxy);
    let none = &Parameters::NONE;
    let mut script = Script::new();
    script
        .parse("", "insert into notes values (910, 'rolled back')", &[])
        .bind("", "", none)
        .execute("", 0);
    script
        .parse("", "select 1/0", &[])
        .bind("", "", none)
        .execute("", 0);
    script
        .parse("", "insert into notes values (911, 'skipped')", &[])
        .bind("", "", none)
        .execute("", 0)
        .sync();
    a.run("an error takes what went before with it", &script);
    a.simple("select count(*) from notes where note_id in (910, 911)");

    let mut script = Script::new();
    script
        .parse("", "insert into notes values (912, 'kept')", &[])
        .bind("", "", none)
        .execute("", 0)
        .sync();
    script
        .parse("", "select 1/0", &[])
        .bind("", "", none)
        .execute("", 0)
        .sync();
    a.same("two transactions in one write", |wire| {
        wire.send_script(&script)?;
        let mut replies = wire.replies()?;
        replies.extend(wire.replies()?);
        Ok(replies)
    });
    a.simple("delete from notes where note_id in (910, 911, 912)");

    // Errors at every kind of message; everything up to Sync is skipped.
    let bad: &[fn(&mut Script)] = &[
        |s| {
            s.bind("", "missing", &Parameters::NONE);
        },
        |s| {
            s.describe_portal("missing");
        },
        |s| {
            s.describe_statement("missing");
        },
        |s| {
            s.execute("missing", 0);
        },
        |s| {
            s.parse("", "selec", &[]);
        },
        |s| {
            s.parse("twice", "select 1", &[])
                .parse("twice", "select 1", &[]);
        },
    ];
    for (number, break_it) in bad.iter().enumerate() {
        for begin in [false, true] {
            if begin {
                a.simple("begin");
            }
            let mut script = Script::new();
            script
                .parse("", "insert into notes values (913, 'x')", &[])
                .bind("", "", none)
                .execute("", 0);
            break_it(&mut script);
            script
                .parse("", "select 'skipped'", &[])
                .bind("", "", none)
                .execute("", 0)
                .query("select 'skipped too'");
            script
                .describe_statement("")
                .close_portal("")
                .flush()
                .sync();
            a.run(&format!("error {number}, begin {begin}"), &script);
            a.simple("select count(*) from notes where note_id = 913");
            if begin {
                a.simple("rollback");
            }
            a.simple("deallocate all");
        }
    }
    assert_sane(&proxy);
}

#[test]
fn a_refusal_in_a_pipeline_rolls_back_what_went_before() {
    let proxy = proxy(TIGHT);
    let (one, two) = keys();
    let mut wire = Wire::connect(proxy.port).unwrap();
    let none = &Parameters::NONE;
    for refused in [
        "select * from organizations for update".to_owned(),
        // It would be answered, were it alone in its pipeline.
        "select * from organizations".to_owned(),
        format!("insert into accounts (organization_id, balance) values ({two}, 1)"),
    ] {
        let mut script = Script::new();
        script
            .parse(
                "",
                &format!("insert into accounts (organization_id, balance) values ({one}, 1)"),
                &[],
            )
            .bind("", "", none)
            .execute("", 0);
        script
            .parse("", &refused, &[])
            .bind("", "", none)
            .execute("", 0);
        script
            .parse("", "select 'skipped'", &[])
            .bind("", "", none)
            .execute("", 0)
            .sync();
        let replies = wire.run(&script).unwrap();
        assert_eq!(
            code(&replies).as_deref(),
            Some("0A000"),
            "{refused} {replies:?}"
        );
        assert_eq!(tags(&replies), "12CEZ", "{replies:?}");
        for id in [one, two] {
            let rows = wire
                .simple(&format!(
                    "select count(*) from accounts where organization_id = {id}"
                ))
                .unwrap();
            assert_eq!(column(&rows), ["0"], "after {refused}");
        }
    }
    // In a transaction block the block fails.
    wire.simple("begin").unwrap();
    wire.simple(&format!(
        "insert into accounts (organization_id, balance) values ({one}, 1)"
    ))
    .unwrap();
    let mut script = Script::new();
    script
        .parse("", "select * from organizations for update", &[])
        .bind("", "", none)
        .execute("", 0)
        .sync();
    let replies = wire.run(&script).unwrap();
    assert_eq!(replies.last().unwrap().body, b"E");
    assert_eq!(
        code(&wire.simple("select 1").unwrap()).as_deref(),
        Some("25P02")
    );
    assert_eq!(
        code(&wire.extended("select 1", none).unwrap()).as_deref(),
        Some("25P02")
    );
    // A server reads the text before it minds the transaction.
    for wrong in [
        "selec 1",
        "select 1 is distinct from 2 is null",
        "select 'open",
    ] {
        for replies in [wire.simple(wrong), wire.extended(wrong, none)] {
            assert_eq!(code(&replies.unwrap()).as_deref(), Some("42601"), "{wrong}");
        }
    }
    let replies = wire.simple("commit").unwrap();
    assert_eq!(replies[0].body, b"ROLLBACK\0");
    let rows = wire
        .simple(&format!(
            "select count(*) from accounts where organization_id = {one}"
        ))
        .unwrap();
    assert_eq!(column(&rows), ["0"]);
    assert_sane(&proxy);
}

#[test]
fn portals_and_row_limits() {
    let proxy = proxy(TIGHT);
    let (one, _) = keys();
    let mut a = pair(&proxy);
    let sql = format!("select match_id from matches where organization_id = {one} order by 1");
    let mut script = Script::new();
    script
        .parse("", &sql, &[])
        .bind("", "", &Parameters::NONE)
        .execute("", 2)
        .execute("", 1)
        .execute("", 0)
        .execute("", 1)
        .sync();
    a.run("suspended, then finished, then run again", &script);
    let mut script = Script::new();
    script.execute("", 1).sync();
    a.run("the portal ended with its transaction", &script);
    for begin in ["begin", "begin; select 1"] {
        a.simple(begin);
        let mut script = Script::new();
        script
            .parse("s", &sql, &[])
            .bind("p", "s", &Parameters::NONE)
            .bind("q", "s", &Parameters::NONE)
            .execute("p", 2)
            .sync();
        a.run("two portals", &script);
        let mut script = Script::new();
        script
            .execute("q", 1)
            .describe_portal("p")
            .execute("p", 1)
            .sync();
        a.run("over a Sync", &script);
        a.simple("select name from pg_cursors order by 1");
        a.simple("fetch 1 from p");
        let mut script = Script::new();
        script.bind("p", "s", &Parameters::NONE).sync();
        a.run("a name in use", &script);
        a.simple("rollback");
        let mut script = Script::new();
        script.execute("q", 1).sync();
        a.run("gone with the transaction", &script);
        let mut script = Script::new();
        script.close_portal("p").close_statement("s").sync();
        a.run("closed", &script);
    }
    assert_sane(&proxy);
}

#[test]
fn control_statements_in_the_extended_protocol() {
    let proxy = proxy(TIGHT);
    let mut a = pair(&proxy);
    let none = &Parameters::NONE;
    for sql in [
        "begin",
        "set local timezone to 'Asia/Tokyo'",
        "savepoint s",
        "select 1/0",
        "select 1",
        "rollback to s",
        "show timezone",
        "commit",
        "commit",
        "begin isolation level repeatable read",
        "set datestyle to german",
        "rollback",
        "show datestyle",
        "rollback and chain",
        "begin read only",
        "select 1",
        "commit and chain",
        "show transaction_read_only",
        "insert into notes values (920)",
        "rollback and chain",
        "show transaction_read_only",
        "end",
        "set local timezone to utc",
        "savepoint x",
        "",
        "-- only a comment",
        "set transaction read only",
        "deallocate all",
        "reset all",
        "set no_such_setting to 1",
        "set work_mem to 'x'",
        "discard all",
    ] {
        a.same(sql, |wire| wire.extended(sql, none));
    }
    // Drivers send BEGIN and the first statement as one pipeline.
    let mut script = Script::new();
    script
        .parse("", "begin", &[])
        .bind("", "", none)
        .execute("", 0);
    script
        .parse("", "select 1", &[])
        .bind("", "", none)
        .execute("", 0)
        .sync();
    a.run("begin and a statement", &script);
    let mut script = Script::new();
    script
        .parse("", "select 2", &[])
        .bind("", "", none)
        .execute("", 0);
    script
        .parse("", "commit", &[])
        .bind("", "", none)
        .execute("", 0)
        .sync();
    a.run("a statement and commit", &script);
    let mut script = Script::new();
    script
        .parse("b", "begin", &[])
        .describe_statement("b")
        .parse("c", "commit", &[])
        .describe_statement("c")
        .sync();
    a.run("prepared", &script);
    let mut script = Script::new();
    script
        .bind("", "b", none)
        .describe_portal("")
        .execute("", 0)
        .parse("", "insert into notes values (921, 'x')", &[]);
    script
        .bind("", "", none)
        .execute("", 0)
        .bind("", "c", none)
        .execute("", 0)
        .sync();
    a.run("a whole transaction as one pipeline", &script);
    a.simple("delete from notes where note_id = 921");
    assert_sane(&proxy);
}

/// BEGIN reaches no server before the first statement that needs one.
#[test]
fn transactions_before_their_first_shard() {
    let (one, _) = keys();
    check(&format!(
        "a> begin
         a> savepoint one
         a> set local timezone to 'Asia/Tokyo'
         a> savepoint two
         a> set local timezone to 'UTC'
         a> rollback to two
         a> select current_setting('timezone') from organizations where organization_id = {one}
         a> insert into accounts (organization_id, balance) values ({one}, 5)
         a> rollback to one
         a> select count(*) from accounts where organization_id = {one}
         a> show timezone
         a> release one
         a> release one
         a> select 1
         a> commit
         a> begin
         a> set local work_mem to 'nonsense'
         a> select 1
         a> rollback to nowhere
         a> commit
         a> begin
         a> savepoint s
         a> set local no_such_setting to 1
         a> select 1
         a> savepoint t
         a> rollback to s
         a> select 1
         a> commit
         a> begin
         a> release nowhere
         a> commit
         a> begin
         a> begin
         a> commit and chain
         a> select 1
         a> rollback and chain
         a> rollback
         a> rollback
         a> commit and chain
         a> rollback and chain
         a> begin isolation level repeatable read read only
         a> show transaction_isolation
         a> commit and chain
         a> show transaction_isolation
         a> insert into accounts (organization_id, balance) values ({one}, 5)
         a> commit and chain
         a> show transaction_read_only
         a> commit
         a> begin
         a> set transaction isolation level serializable
         a> show transaction_isolation
         a> set transaction isolation level read committed
         a> commit
         a> set transaction isolation level serializable
         a> begin
         a> selec
         a> begin
         a> savepoint s
         a> commit
         a> start transaction read only, isolation level repeatable read
         a> show transaction_isolation
         a> end
         a> abort
         a> begin
         a> savepoint \"Odd name\"
         a> release \"Odd name\"
         a> rollback to \"Odd name\"
         a> abort
         a> begin -- comment
         a> set local timezone to utc -- comment
         a> show timezone /* comment */
         a> commit -- comment
         a> begin transaction isolation level read uncommitted, not deferrable
         a> show transaction_isolation
         a> commit work
         a> select 1
         b> select current_setting('transaction_isolation')"
    ));
}

#[test]
fn a_second_shard_in_a_transaction_is_refused() {
    let proxy = proxy(TIGHT);
    let (one, two) = keys();
    let mut wire = Wire::connect(proxy.port).unwrap();
    let count = |wire: &mut Wire, id: i64| {
        column(
            &wire
                .simple(&format!(
                    "select count(*) from accounts where organization_id = {id}"
                ))
                .unwrap(),
        )
    };
    let insert =
        |id: i64| format!("insert into accounts (organization_id, balance) values ({id}, 1)");
    for end in ["commit", "rollback"] {
        wire.simple("begin").unwrap();
        assert_eq!(code(&wire.simple(&insert(one)).unwrap()), None);
        let replies = wire.simple(&insert(two)).unwrap();
        assert_eq!(code(&replies).as_deref(), Some("0A000"), "{replies:?}");
        assert_eq!(replies.last().unwrap().body, b"E");
        assert_eq!(
            code(&wire.simple("select 1").unwrap()).as_deref(),
            Some("25P02")
        );
        assert_eq!(wire.simple(end).unwrap()[0].body, b"ROLLBACK\0");
        assert_eq!(
            (count(&mut wire, one), count(&mut wire, two)),
            (vec!["0".to_owned()], vec!["0".to_owned()])
        );
    }
    // A savepoint mends it, and the first shard's rows are kept.
    for sql in ["begin", &insert(one), "savepoint s"] {
        assert_eq!(code(&wire.simple(sql).unwrap()), None, "{sql}");
    }
    assert_eq!(
        code(&wire.simple(&insert(two)).unwrap()).as_deref(),
        Some("0A000")
    );
    for sql in ["rollback to s", "select 1", "commit"] {
        assert_eq!(code(&wire.simple(sql).unwrap()), None, "{sql}");
    }
    assert_eq!(
        (count(&mut wire, one), count(&mut wire, two)),
        (vec!["1".to_owned()], vec!["0".to_owned()])
    );
    assert_eq!(
        code(
            &wire
                .simple(&format!(
                    "delete from accounts where organization_id = {one}"
                ))
                .unwrap()
        ),
        None
    );
    // A refusal before the first shard.
    for sql in ["begin", "savepoint s"] {
        wire.simple(sql).unwrap();
    }
    assert_eq!(
        code(
            &wire
                .simple("select * from organizations for update")
                .unwrap()
        )
        .as_deref(),
        Some("0A000")
    );
    assert_eq!(
        code(&wire.simple("select 1").unwrap()).as_deref(),
        Some("25P02")
    );
    assert_eq!(
        code(&wire.simple("savepoint t").unwrap()).as_deref(),
        Some("25P02")
    );
    for sql in ["rollback to s", "select 1", "commit"] {
        assert_eq!(code(&wire.simple(sql).unwrap()), None, "{sql}");
    }
    // Two shards in one string, and in one pipeline.
    let replies = wire
        .simple(&format!("{}; {}", insert(one), insert(two)))
        .unwrap();
    assert_eq!(code(&replies).as_deref(), Some("0A000"));
    assert_eq!(
        (count(&mut wire, one), count(&mut wire, two)),
        (vec!["0".to_owned()], vec!["0".to_owned()])
    );
    assert_sane(&proxy);
}

#[test]
fn copy_in_the_extended_protocol() {
    let proxy = proxy(TIGHT);
    let mut a = pair(&proxy);
    let rows = b"930\tcopied\n931\tcopied\n";
    for (number, (data, wrong)) in [
        (&rows[..], false),
        (b"932\tx\nnonsense\tx\n", true),
        (b"", false),
    ]
    .into_iter()
    .enumerate()
    {
        let mut script = Script::new();
        // As libpq sends it: Sync goes ahead, and is ignored while the copy runs.
        script
            .parse("", "copy notes from stdin", &[])
            .bind("", "", &Parameters::NONE)
            .describe_portal("")
            .execute("", 0)
            .sync();
        let mut end = Script::new();
        end.sync();
        a.same(&format!("copy {number} wrong {wrong}"), |wire| {
            let mut replies = wire.run(&script)?;
            wire.send_copy(data)?;
            wire.send_script(&end)?;
            replies.extend(wire.replies()?);
            Ok(replies)
        });
        a.simple("select count(*) from notes where note_id between 930 and 939");
    }
    a.simple("delete from notes where note_id between 930 and 939");
    let mut script = Script::new();
    script
        .parse("", "copy (select 1) to stdout", &[])
        .bind("", "", &Parameters::NONE)
        .execute("", 0)
        .sync();
    a.run("copy out", &script);
    assert_sane(&proxy);
}

// ---- session pooling ----

#[test]
fn session_pooling_keeps_one_connection() {
    let proxy = proxy("    pool: { mode: session, size: 2, wait: 2s }");
    play(
        proxy.port,
        cluster().oracle.port(),
        "a> create temp table mine (a int)
         a> insert into mine values (1), (2)
         a> select count(*) from mine
         b> select count(*) from mine
         a> select count(*) from pg_locks where locktype = 'advisory'
         a> select pg_advisory_lock(7)
         a> select pg_advisory_unlock(7)
         a> begin
         a> declare c cursor for select note_id from notes order by 1
         a> fetch 2 from c
         a> close c
         a> commit
         a> set timezone to 'Asia/Tokyo'
         b> show timezone
         a> show timezone
         a> discard all
         a> select count(*) from mine
         a> show timezone
         a> create temp table mine (a int)
         a!
         c> select count(*) from mine
         c> begin
         c> select 1
         c!
         d> select 1
         b> select 1",
    );
    let mut wire = Wire::connect(proxy.port).unwrap();
    let mut pid = || column(&wire.simple("select pg_backend_pid()").unwrap());
    let first = pid();
    assert!((0..3).all(|_| pid() == first));
    for sql in [
        "declare c cursor with hold for select note_id from notes",
        "create domain pg_temp.text as varchar",
        "create temp table int8 (a int)",
    ] {
        let replies = wire.simple(sql).unwrap();
        assert_eq!(
            code(&replies).as_deref(),
            Some("0A000"),
            "{sql}: {replies:?}"
        );
    }
    assert_sane(&proxy);
}
