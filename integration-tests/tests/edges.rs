//! Corners of the protocol where what a client was told and what a server did could part: a pipeline
//! interrupted by the proxy's own questions, copies that end before they begin, strings of statements
//! that end a failed transaction.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::sync::OnceLock;

use integration_tests::clients::{Pair, play};
use integration_tests::wire::{Parameters, Script};
use integration_tests::{Cluster, Proxy, ProxyOptions, Setup};

fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        Cluster::start(&Setup {
            everywhere: "create schema other; create table other.organizations (what text);",
            default_shard: "create table notes (note_id int primary key, body text);
                            create view notes_seen as select note_id, body from notes;
                            create table pairs (id int unique deferrable initially deferred);
                            insert into pairs values (1);",
            ..Setup::default()
        })
    })
}

fn proxy() -> Proxy {
    let options = ProxyOptions {
        database: "    pool: { size: 1, wait: 2s, prepared_statements: 2 }".to_owned(),
        ..ProxyOptions::default()
    };
    Proxy::start(cluster(), &options)
}

fn check(lines: &str) {
    let proxy = proxy();
    play(proxy.port, cluster().oracle.port(), lines);
    assert_sane(&proxy);
}

fn pair(proxy: &Proxy) -> Pair {
    Pair::connect(proxy.port, cluster().oracle.port(), &[])
}

fn assert_sane(proxy: &Proxy) {
    assert!(!proxy.log().contains("panicked"), "{}", proxy.log());
}

fn statement(script: &mut Script, sql: &str) {
    script
        .parse("", sql, &[])
        .bind("", "", &Parameters::NONE)
        .execute("", 0);
}

// ---- pipelines ----

#[test]
fn an_empty_statement_does_not_end_a_pipeline_s_transaction() {
    let proxy = proxy();
    let mut a = pair(&proxy);
    let mut script = Script::new();
    statement(&mut script, "insert into notes values (100, 'rolled back')");
    statement(&mut script, "");
    statement(&mut script, "select 1/0");
    script.sync();
    a.run("an empty statement between two", &script);
    a.simple("select count(*) from notes where note_id = 100");
    assert_sane(&proxy);
}

#[test]
fn an_error_takes_back_what_its_pipeline_set() {
    let proxy = proxy();
    let mut a = pair(&proxy);
    a.simple("set timezone to 'Europe/Berlin'");
    for wrong in ["select 1/0", "select * from no_such_table", "selec 1"] {
        let mut script = Script::new();
        statement(&mut script, "set timezone to 'Asia/Tokyo'");
        statement(&mut script, "set datestyle to 'German'");
        statement(&mut script, wrong);
        script.sync();
        a.run(wrong, &script);
        a.simple("show timezone");
        a.simple("show datestyle");
    }
    let mut script = Script::new();
    statement(&mut script, "set timezone to 'Asia/Tokyo'");
    statement(&mut script, "select 1");
    script.sync();
    a.run("a pipeline that succeeds", &script);
    a.simple("show timezone");
    assert_sane(&proxy);
}

#[test]
fn a_syntax_error_rolls_back_what_its_pipeline_did() {
    let proxy = proxy();
    let mut a = pair(&proxy);
    for (number, wrong) in ["select 'no end", "selec 1"].into_iter().enumerate() {
        let id = 110 + number;
        let mut script = Script::new();
        statement(
            &mut script,
            &format!("insert into notes values ({id}, 'x')"),
        );
        statement(&mut script, wrong);
        statement(
            &mut script,
            &format!("insert into notes values ({id}, 'y')"),
        );
        script.sync();
        a.run(wrong, &script);
        a.simple(&format!("select body from notes where note_id = {id}"));
    }
    a.simple("begin");
    let mut script = Script::new();
    statement(&mut script, "insert into notes values (119, 'x')");
    statement(&mut script, "select 'no end");
    script.sync();
    a.run("in a transaction", &script);
    a.simple("commit");
    a.simple("select body from notes where note_id = 119");
    assert_sane(&proxy);
}

#[test]
fn a_failed_transaction_stays_failed() {
    check(
        "a> begin
         a> select 'no end
         a> select 'no end
         a> insert into notes values (120, 'not written')
         a> rollback
         a> select count(*) from notes where note_id = 120",
    );
    let proxy = proxy();
    let mut a = pair(&proxy);
    let mut script = Script::new();
    script
        .parse("s", "insert into notes values (121, 'x')", &[])
        .sync();
    a.run("prepare", &script);
    a.simple("begin");
    a.simple("select 'no end");
    // Describe alone, whose pipeline is closed by a simple query.
    let mut script = Script::new();
    script
        .describe_statement("s")
        .query("insert into notes values (122, 'x')");
    a.run("a pipeline in a failed transaction", &script);
    a.simple("commit");
    a.simple("select count(*) from notes where note_id = 122");
    assert_sane(&proxy);
}

#[test]
fn settings_stay_true_when_a_described_statement_held_the_connection() {
    let proxy = proxy();
    let (mut a, mut b) = (pair(&proxy), pair(&proxy));
    let mut script = Script::new();
    script.parse("s", "select count(*) from notes", &[]).sync();
    a.run("prepare", &script);
    a.simple("begin");
    a.simple("set timezone to 'Asia/Tokyo'");
    let mut script = Script::new();
    script.describe_statement("s");
    statement(&mut script, "commit");
    script.sync();
    a.run("describe, then commit", &script);
    a.simple("select current_setting('timezone'), count(*) from notes where false");
    a.simple("show timezone");
    b.simple("show timezone");
    assert_sane(&proxy);
}

#[test]
fn a_wrong_unnamed_statement_replaces_the_one_before() {
    let proxy = proxy();
    let mut a = pair(&proxy);
    for sql in ["select 1", "select 'no end"] {
        let mut script = Script::new();
        script.parse("", sql, &[]).sync();
        a.run(sql, &script);
    }
    let mut script = Script::new();
    script.bind("", "", &Parameters::NONE).execute("", 0).sync();
    a.run("bind what is not there", &script);
    assert_sane(&proxy);
}

/// What was prepared a moment ago is taken again only where all it depends on is as it was.
#[test]
fn the_same_unnamed_statement_again() {
    let proxy = proxy();
    let mut a = pair(&proxy);
    let named = [
        ("german", "set datestyle to german"),
        ("path", "set search_path to pg_catalog"),
        ("begin", "begin"),
        ("wrong", "select 1/0"),
        ("rollback", "rollback"),
        ("reset", "discard all"),
    ];
    for (name, sql) in named {
        let mut script = Script::new();
        script.parse(name, sql, &[]).sync();
        a.run(name, &script);
    }
    let sql = "select '1.2.2020'::date::text, current_schema()::text, $1 + 1";
    let value = Parameters {
        values: &[Some(b"1")],
        ..Parameters::NONE
    };
    for between in [
        "", "", "german", "", "path", "", "begin", "wrong", "", "rollback", "", "reset",
    ] {
        if !between.is_empty() {
            let mut script = Script::new();
            script
                .bind("", between, &Parameters::NONE)
                .execute("", 0)
                .sync();
            a.run(between, &script);
        }
        // The same types, then others, then these again.
        for types in [&[23][..], &[23], &[701], &[23]] {
            let mut script = Script::new();
            script
                .parse("", sql, types)
                .bind("", "", &value)
                .describe_portal("")
                .execute("", 0)
                .sync();
            a.run(&format!("after {between:?}, with {types:?}"), &script);
        }
    }
    assert_sane(&proxy);
}

/// What a server finds out when it parses may be something else the next time.
#[test]
fn the_same_unnamed_statement_is_parsed_again() {
    let proxy = proxy();
    let (mut a, mut b) = (pair(&proxy), pair(&proxy));
    b.simple("create table widening (id int)");
    for change in ["", "", "add more int", "add even_more int", "drop more"] {
        if !change.is_empty() {
            b.simple(&format!("alter table widening {change}"));
        }
        for _ in 0..2 {
            let mut script = Script::new();
            script
                .parse("", "select * from widening", &[])
                .bind("", "", &Parameters::NONE)
                .describe_portal("")
                .execute("", 0)
                .sync();
            a.run(&format!("after {change:?}"), &script);
        }
    }
    b.simple("drop table widening");
    let mut now = || {
        let mut script = Script::new();
        script
            .parse("", "select 'now'::timestamptz::text", &[])
            .bind("", "", &Parameters::NONE)
            .execute("", 0)
            .sync();
        format!("{:?}", a.subject.run(&script).unwrap())
    };
    assert_ne!(now(), now());
    assert_sane(&proxy);
}

/// Without a Sync, and without a Bind that would make it leave.
#[test]
fn a_long_pipeline_of_descriptions_is_answered_early() {
    let proxy = proxy();
    let mut a = pair(&proxy);
    let mut script = Script::new();
    script.parse("", "select count(*) from notes", &[]);
    for _ in 0..20_000 {
        script.describe_statement("");
    }
    a.subject.send_script(&script).unwrap();
    // Nobody has asked for a Flush, so these came because the pipeline had grown long.
    for _ in 0..10_000 {
        a.subject.reply().unwrap();
    }
    assert_sane(&proxy);
}

// ---- strings of statements ----

#[test]
fn a_commit_of_a_failed_transaction_keeps_no_settings() {
    check(
        "a> begin
         a> insert into notes values (130, 'x')
         a> set timezone to 'Asia/Tokyo'
         a> select 1/0
         a> commit; select 1
         a> show timezone
         a> select count(*), current_setting('timezone') from notes where note_id = 130
         b> show timezone
         a> show timezone",
    );
}

#[test]
fn a_commit_that_fails_keeps_no_settings() {
    check(
        "a> begin
         a> set timezone to 'Asia/Tokyo'; insert into pairs values (1); commit
         a> select 1, current_setting('timezone')
         a> show timezone
         b> show timezone
         a> show timezone
         a> begin
         a> set timezone to 'Asia/Tokyo'; insert into pairs values (2); commit
         a> show timezone
         b> show timezone",
    );
}

#[test]
fn a_search_path_set_in_a_string_does_not_mislead() {
    let proxy = proxy();
    let mut a = pair(&proxy);
    // The table of that name in `other` is on the default shard, the one in `public` is sharded.
    let key = cluster().organization_on(1);
    let sharded = format!("select 1 from organizations where organization_id = {key}");
    for (before, string) in [
        (None, format!("set search_path to other; {sharded}")),
        (
            None,
            format!("begin; set local search_path to other; commit; {sharded}"),
        ),
        (
            Some("begin; set search_path to other"),
            format!("rollback; {sharded}"),
        ),
    ] {
        if let Some(before) = before {
            a.subject.simple(before).unwrap();
        }
        let replies = a.subject.simple(&string).unwrap();
        let error = replies.iter().find(|reply| reply.tag == b'E');
        let code = error.and_then(|error| error.field(b'C'));
        assert_eq!(code.as_deref(), Some("0A000"), "{string}: {replies:?}");
        a.subject.simple("rollback").unwrap();
    }
    a.simple("set datestyle to 'German'; select count(*) from notes where false; reset datestyle");
    assert_sane(&proxy);
}

// ---- copies ----

#[test]
fn two_copies_in_one_string() {
    let proxy = proxy();
    let mut a = pair(&proxy);
    a.same("two copies", |wire| {
        let mut replies = wire.simple("copy notes from stdin; copy notes from stdin; select 7")?;
        replies.extend(wire.copy_in(b"140\tone\n")?);
        replies.extend(wire.copy_in(b"141\ttwo\n")?);
        Ok(replies)
    });
    a.simple("delete from notes where note_id in (140, 141)");
    assert_sane(&proxy);
}

#[test]
fn copy_data_sent_ahead_arrives() {
    let proxy = proxy();
    let mut a = pair(&proxy);
    for rows in (1400..3000).step_by(200) {
        let mut copy = b"Q\0\0\0\x1acopy notes from stdin\0".to_vec();
        for id in 10_000..10_000 + rows {
            let row = format!("{id}\tsent ahead of the server's word\n");
            copy.push(b'd');
            copy.extend((row.len() as u32 + 4).to_be_bytes());
            copy.extend(row.as_bytes());
        }
        copy.extend(b"c\0\0\0\x04");
        a.same("a copy in one write", |wire| {
            wire.send(&copy)?;
            let mut replies = wire.replies()?;
            replies.extend(wire.replies()?);
            Ok(replies)
        });
        a.simple("delete from notes where note_id >= 10000");
    }
    assert_sane(&proxy);
}

#[test]
fn a_copy_refused_before_its_data() {
    let proxy = proxy();
    let (mut a, mut b) = (pair(&proxy), pair(&proxy));
    for transaction in [false, true] {
        if transaction {
            a.simple("begin");
            a.simple("insert into notes values (150, 'x')");
            a.simple("savepoint s");
        }
        // The server says CopyInResponse, then the error, and only then reads the Sync.
        let mut script = Script::new();
        statement(&mut script, "copy notes_seen from stdin");
        script.sync();
        let mut end = Script::new();
        end.sync();
        a.same("a copy into a view", |wire| {
            let mut replies = wire.run(&script)?;
            replies.extend(wire.replies()?);
            wire.send_copy(b"1\tx\n")?;
            wire.send_script(&end)?;
            replies.extend(wire.replies()?);
            Ok(replies)
        });
        if transaction {
            a.simple("rollback to s");
            a.simple("select body from notes where note_id = 150");
            a.simple("rollback");
        }
        b.simple("select 1, count(*) from notes where note_id = 150");
        a.simple("select 2, count(*) from notes where note_id = 150");
    }
    assert_sane(&proxy);
}
