//! Hints: comments and settings that say where a statement goes, in front of real servers.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::sync::OnceLock;

use integration_tests::client::{connect_as, texts};
use integration_tests::wire::{Format, Parameters, Reply, Script, Wire};
use integration_tests::{Cluster, Proxy, ProxyOptions, Setup};

const EVERYWHERE: &str = "\
create table notes (organization_id bigint not null, id bigint not null, text text);
create function home() returns int language plpgsql volatile as 'begin return inet_server_port(); end';";

fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        Cluster::start(&Setup {
            everywhere: EVERYWHERE,
            ..Setup::default()
        })
    })
}

fn proxy(require_key: bool) -> Proxy {
    let mut options = ProxyOptions {
        // One connection for each shard: whoever comes next gets the same.
        database: "    pool: { size: 1 }".to_owned(),
        ..ProxyOptions::default()
    };
    let guarded = format!(
        "      guarded:
        key: {{ column: organization_id, type: bigint }}
        require_key: {require_key}
        tables: [ notes ]
"
    );
    options.keyspaces = guarded;
    Proxy::start(cluster(), &options)
}

fn plain() -> &'static Proxy {
    static PROXY: OnceLock<Proxy> = OnceLock::new();
    PROXY.get_or_init(|| proxy(false))
}

fn field(replies: &[Reply], name: u8) -> Option<String> {
    let error = replies.iter().find(|reply| reply.tag == b'E')?;
    error.field(name)
}

fn code(replies: &[Reply]) -> Option<String> {
    field(replies, b'C')
}

/// The first column of each row, as text.
fn column(replies: &[Reply]) -> Vec<String> {
    let rows = replies.iter().filter(|reply| reply.tag == b'D');
    rows.map(|row| {
        let length = i32::from_be_bytes(row.body[2..6].try_into().unwrap());
        let end = 6 + usize::try_from(length).unwrap_or(0);
        String::from_utf8_lossy(&row.body[6..end]).into_owned()
    })
    .collect()
}

fn ask(wire: &mut Wire, sql: &str) -> String {
    let replies = wire.simple(sql).unwrap();
    assert_eq!(code(&replies), None, "{sql}: {replies:?}");
    column(&replies).into_iter().next().unwrap_or_default()
}

/// How many rows all shards have.
fn all_matches() -> String {
    let mut oracle = Wire::connect(cluster().oracle.port()).unwrap();
    ask(&mut oracle, "select count(*) from matches")
}

/// The index of the shard that answers.
fn shard(wire: &mut Wire, from: &str, comment: &str) -> usize {
    let port = ask(
        wire,
        &format!("select distinct inet_server_port() {from} {comment}"),
    );
    let ports = (0..cluster().shards.len()).map(|shard| cluster().primary_port(shard));
    ports
        .into_iter()
        .position(|known| known.to_string() == port)
        .unwrap_or_else(|| panic!("port {port}"))
}

#[test]
fn a_comment_leads_to_its_shard() {
    let mut wire = Wire::connect(plain().port).unwrap();
    for (index, _) in cluster().shards.iter().enumerate() {
        let name = Cluster::shard_name(index);
        let organization = cluster().organization_on(index);
        for comment in [
            format!("/* trunkline: shard={name} */"),
            format!("-- trunkline: shard={name}"),
            format!("/*action='x',trunkline_shard='{name}',traceparent='00-ab-01'*/"),
            format!("/* trunkline: key={organization} */"),
            format!("/*trunkline_key='{organization}'*/;"),
        ] {
            assert_eq!(
                shard(&mut wire, "from matches", &comment),
                index,
                "{comment}"
            );
        }
        let all = ask(
            &mut wire,
            &format!("/* trunkline: shard={name} */ select count(*) from matches"),
        );
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let held = runtime.block_on(async {
            let client =
                connect_as(cluster().primary_port(index), "postgres", "postgres", "app").await;
            texts(&client, "select count(*) from matches").await[0][0].clone()
        });
        assert_eq!(Some(all), held);
        // Functions that nobody can look into, and each copy of a reference table.
        assert_eq!(
            ask(
                &mut wire,
                &format!("select home() /* trunkline: shard={name} */")
            ),
            cluster().primary_port(index).to_string()
        );
        let written = wire
            .simple(&format!(
                "update classes set name = name || '!' where class_id = 1 /* trunkline: shard={name} */"
            ))
            .unwrap();
        assert_eq!(code(&written), None, "{written:?}");
    }
}

#[test]
fn a_hint_that_the_statement_contradicts_is_refused() {
    let mut wire = Wire::connect(plain().port).unwrap();
    let here = cluster().organization_on(0);
    let other = wire
        .simple(&format!(
            "select * from matches where organization_id = {here} /* trunkline: shard=s2 */"
        ))
        .unwrap();
    assert_eq!(code(&other).as_deref(), Some("0A000"), "{other:?}");
    let message = field(&other, b'M').unwrap();
    assert!(
        message.contains("\"s1\"") && message.contains("\"s2\""),
        "{message}"
    );
    // A parameter is known at Bind.
    let value = here.to_string();
    let parameters = Parameters {
        types: &[20],
        values: &[Some(value.as_bytes())],
        ..Parameters::NONE
    };
    let select = "select count(*) from matches where organization_id = $1";
    let other = wire
        .extended(&format!("{select} /* trunkline: shard=s2 */"), &parameters)
        .unwrap();
    assert_eq!(code(&other).as_deref(), Some("0A000"), "{other:?}");
    let same = wire
        .extended(&format!("{select} /* trunkline: shard=s1 */"), &parameters)
        .unwrap();
    assert_eq!(code(&same), None, "{same:?}");
    for sql in [
        format!("insert into notes values ({here}, 1, 'x') /* trunkline: shard=s2 */"),
        "insert into notes (id) values (1) /* trunkline: shard=s2 */".to_owned(),
        "update notes set organization_id = 3 /* trunkline: shard=s2 */".to_owned(),
        "copy notes from stdin /* trunkline: shard=s2 */".to_owned(),
    ] {
        let refused = wire.simple(&sql).unwrap();
        assert_eq!(
            code(&refused).as_deref(),
            Some("0A000"),
            "{sql}: {refused:?}"
        );
    }
    for sql in [
        "select * from matches /* trunkline: shrad=s2 */",
        "select * from matches /* trunkline: shard=s9 */",
        "select * from matches /* trunkline: shard=s1 */ /* trunkline: shard=s2 */",
        "select * from matches; /* trunkline: shard=s1 */",
    ] {
        let refused = wire.simple(sql).unwrap();
        assert_eq!(
            code(&refused).as_deref(),
            Some("22023"),
            "{sql}: {refused:?}"
        );
        assert!(field(&refused, b'P').is_some(), "{sql}");
    }
}

#[test]
fn settings_hold_for_the_session_and_roll_back() {
    let mut wire = Wire::connect(plain().port).unwrap();
    let on = |index: usize| cluster().organization_on(index);
    assert_eq!(ask(&mut wire, "show trunkline.shard"), "");
    ask(&mut wire, "set trunkline.shard = 's2'");
    assert_eq!(ask(&mut wire, "show trunkline.shard"), "s2");
    assert_eq!(shard(&mut wire, "from matches", ""), 1);
    // A comment comes first.
    assert_eq!(
        shard(&mut wire, "from matches", "/* trunkline: shard=s1 */"),
        0
    );
    // The key takes the shard's place.
    ask(&mut wire, &format!("set trunkline.key = '{}'", on(0)));
    assert_eq!(ask(&mut wire, "show trunkline.shard"), "");
    assert_eq!(ask(&mut wire, "show trunkline.key"), on(0).to_string());
    assert_eq!(shard(&mut wire, "from matches", ""), 0);
    ask(&mut wire, "begin");
    ask(&mut wire, &format!("set local trunkline.key = '{}'", on(1)));
    ask(&mut wire, "savepoint s");
    ask(&mut wire, "set trunkline.shard = 's1'");
    assert_eq!(ask(&mut wire, "show trunkline.shard"), "s1");
    ask(&mut wire, "rollback to s");
    assert_eq!(shard(&mut wire, "from matches", ""), 1);
    ask(&mut wire, "set trunkline.shard = 's2'");
    assert_eq!(ask(&mut wire, "show trunkline.shard"), "s2");
    ask(&mut wire, "rollback");
    assert_eq!(ask(&mut wire, "show trunkline.key"), on(0).to_string());
    assert_eq!(shard(&mut wire, "from matches", ""), 0);
    ask(&mut wire, "begin");
    ask(&mut wire, "set trunkline.shard = 's2'");
    ask(&mut wire, "commit");
    assert_eq!(shard(&mut wire, "from matches", ""), 1);
    for reset in [
        "reset trunkline.shard",
        "reset all",
        "discard all",
        "set trunkline.shard to default",
        "reset \"TRUNKLINE\".\"Shard\"",
    ] {
        ask(&mut wire, "set \"Trunkline\".\"SHARD\" = 's2'");
        assert_eq!(ask(&mut wire, "show \"TRUNKLINE\".shard"), "s2");
        assert_eq!(shard(&mut wire, "from matches", ""), 1);
        ask(&mut wire, reset);
        assert_eq!(ask(&mut wire, "show trunkline.shard"), "", "{reset}");
        let count = ask(&mut wire, "select count(*) from matches");
        assert_eq!(count, all_matches(), "{reset}");
    }
    for (sql, expected) in [
        ("set trunkline.shard = 's9'", "22023"),
        ("set trunkline.key = 'abc'", "22023"),
        ("set trunkline.colour = 'red'", "42704"),
        (
            "set trunkline.shard = 's2'; select count(*) from matches",
            "0A000",
        ),
        ("select set_config('trunkline.shard', 's2', true)", "0A000"),
    ] {
        let refused = wire.simple(sql).unwrap();
        assert_eq!(
            code(&refused).as_deref(),
            Some(expected),
            "{sql}: {refused:?}"
        );
    }
    assert_eq!(ask(&mut wire, "show trunkline.shard"), "");
}

#[test]
fn settings_reach_no_server_and_no_other_client() {
    let mut wire = Wire::connect(plain().port).unwrap();
    ask(&mut wire, "set trunkline.shard = 's2'");
    ask(&mut wire, "set application_name = 'hinted'");
    assert_eq!(shard(&mut wire, "from matches", ""), 1);
    let known = wire
        .simple("select count(*) from pg_settings where name like 'trunkline%'")
        .unwrap();
    assert_eq!(column(&known), ["0"], "{known:?}");
    drop(wire);
    let mut next = Wire::connect(plain().port).unwrap();
    assert_eq!(ask(&mut next, "show trunkline.shard"), "");
    let count = ask(&mut next, "select count(*) from matches");
    assert_eq!(count, all_matches());
}

#[test]
fn the_startup_packet_may_bring_them() {
    let with = |parameters: &[(&str, &str)]| {
        let mut all = vec![("database", "app")];
        all.extend(parameters);
        Wire::connect_as(plain().port, "app", "app", &all)
    };
    for parameter in [
        ("trunkline.shard", "s2"),
        ("options", "-c trunkline.shard=s2"),
        ("options", "--trunkline.shard=s2"),
    ] {
        let mut wire = with(&[parameter]).unwrap();
        assert_eq!(shard(&mut wire, "from matches", ""), 1, "{parameter:?}");
        ask(&mut wire, "set trunkline.shard = 's1'");
        assert_eq!(shard(&mut wire, "from matches", ""), 0);
        ask(&mut wire, "reset all");
        assert_eq!(shard(&mut wire, "from matches", ""), 1, "as it began");
    }
    for parameter in [
        ("trunkline.shard", "s9"),
        ("trunkline.colour", "red"),
        ("options", "-c trunkline.shard=s1 -c trunkline.key=1"),
    ] {
        assert!(with(&[parameter]).is_err(), "{parameter:?}");
    }
}

#[test]
fn prepared_statements_are_planned_again() {
    let mut wire = Wire::connect(plain().port).unwrap();
    ask(&mut wire, "set trunkline.shard = 's1'");
    let mut prepare = Script::new();
    let locks = "select inet_server_port() from matches limit 1 for update";
    prepare
        .parse("locks", locks, &[])
        .describe_statement("locks")
        .parse("counts", "select count(*) from matches", &[])
        .describe_statement("counts")
        .sync();
    let prepared = wire.run(&prepare).unwrap();
    assert_eq!(code(&prepared), None, "{prepared:?}");
    let run = |wire: &mut Wire, name: &str| {
        let mut script = Script::new();
        script
            .bind("", name, &Parameters::NONE)
            .execute("", 0)
            .sync();
        wire.run(&script).unwrap()
    };
    for index in [0, 1, 0] {
        ask(
            &mut wire,
            &format!("set trunkline.shard = '{}'", Cluster::shard_name(index)),
        );
        let replies = run(&mut wire, "locks");
        let port = cluster().primary_port(index).to_string();
        assert_eq!(column(&replies), [port], "{replies:?}");
        let here = ask(&mut wire, "select count(*) from matches");
        assert_ne!(here, all_matches());
        assert_eq!(column(&run(&mut wire, "counts")), [here]);
    }
    ask(&mut wire, "reset trunkline.shard");
    assert_eq!(code(&run(&mut wire, "locks")).as_deref(), Some("0A000"));
    assert_eq!(column(&run(&mut wire, "counts")), [all_matches()]);
    // SHOW by protocol, in both formats.
    ask(&mut wire, "set trunkline.shard = 's2'");
    for wanted in [Format::Text, Format::Binary] {
        let shown = wire
            .extended(
                "show trunkline.shard",
                &Parameters {
                    wanted,
                    ..Parameters::NONE
                },
            )
            .unwrap();
        assert_eq!(column(&shown), ["s2"], "{shown:?}");
        assert_eq!(
            shown.iter().filter(|reply| reply.tag == b'T').count(),
            2,
            "{shown:?}"
        );
    }
}

/// A string is planned before any of it runs: what a COMMIT or RESET ends must not lead what comes after it.
#[test]
fn a_setting_that_ends_in_a_string_leads_nothing_after_it() {
    let mut wire = Wire::connect(plain().port).unwrap();
    let count = "select count(*) from matches";
    ask(&mut wire, "begin");
    ask(&mut wire, "set local trunkline.shard = s2");
    ask(&mut wire, count);
    let refused = wire.simple(&format!("commit; {count}")).unwrap();
    assert_eq!(code(&refused).as_deref(), Some("0A000"), "{refused:?}");
    ask(&mut wire, "rollback");
    ask(&mut wire, "set trunkline.shard = s2");
    // Under the setting they are one shard's.
    ask(&mut wire, &format!("{count}; {count}"));
    let refused = wire.simple(&format!("reset all; {count}")).unwrap();
    assert_eq!(code(&refused).as_deref(), Some("0A000"), "{refused:?}");
    ask(&mut wire, "begin");
    ask(&mut wire, "reset trunkline.shard");
    let refused = wire.simple(&format!("rollback; {count}")).unwrap();
    assert_eq!(code(&refused).as_deref(), Some("0A000"), "{refused:?}");
}

#[test]
fn explain_shows_the_hint() {
    let mut wire = Wire::connect(plain().port).unwrap();
    let lines = wire
        .simple("explain select * from matches /* trunkline: shard=s2 */")
        .unwrap();
    let lines = column(&lines);
    assert_eq!(lines[0], "Route one shard by hint, read", "{lines:?}");
    assert_eq!(lines[1], "  hint shard=s2 -> s2", "{lines:?}");
    assert!(
        lines[2].contains("not proved: matches is sharded by"),
        "{lines:?}"
    );
    assert!(
        lines.iter().any(|line| line.contains("Seq Scan")),
        "{lines:?}"
    );
    let refused = wire
        .simple("explain select * from matches for update")
        .unwrap();
    assert_eq!(code(&refused).as_deref(), Some("0A000"));
}

#[test]
fn a_transaction_stays_on_its_shard() {
    let mut wire = Wire::connect(plain().port).unwrap();
    ask(&mut wire, "begin");
    assert_eq!(
        shard(&mut wire, "from matches", "/* trunkline: shard=s1 */"),
        0
    );
    let other = wire
        .simple("select count(*) from matches /* trunkline: shard=s2 */")
        .unwrap();
    assert_eq!(code(&other).as_deref(), Some("0A000"), "{other:?}");
    assert!(
        field(&other, b'M')
            .unwrap()
            .contains("runs on shard \"s1\"")
    );
    ask(&mut wire, "rollback");
    // What concerns the session stays with it, whatever the setting says.
    ask(&mut wire, "set trunkline.shard = 's2'");
    ask(&mut wire, "begin");
    assert_eq!(
        shard(&mut wire, "from matches", "/* trunkline: shard=s1 */"),
        0
    );
    ask(
        &mut wire,
        "declare c cursor for select 1 /* trunkline: shard=s1 */",
    );
    assert_eq!(ask(&mut wire, "fetch 1 from c"), "1");
    ask(&mut wire, "show work_mem");
    ask(&mut wire, "commit");
}

#[test]
fn a_guarded_keyspace_takes_no_hint_for_the_key() {
    let proxy = proxy(true);
    let mut wire = Wire::connect(proxy.port).unwrap();
    let here = cluster().organization_on(0);
    for sql in [
        "select * from notes",
        "select * from notes /* trunkline: shard=s1 */",
        "delete from notes /* trunkline: key=1 keyspace=guarded */",
        "truncate notes /* trunkline: shard=s1 */",
        "copy notes to stdout /* trunkline: shard=s1 */",
        "select home() /* trunkline: shard=s1 */",
    ] {
        let refused = wire.simple(sql).unwrap();
        assert_eq!(
            code(&refused).as_deref(),
            Some("0A000"),
            "{sql}: {refused:?}"
        );
    }
    ask(&mut wire, &format!("set trunkline.key = '{here}'"));
    let refused = wire.simple("select * from notes").unwrap();
    let detail = field(&refused, b'D').unwrap_or_default();
    assert!(detail.contains("require_key"), "{refused:?}");
    ask(&mut wire, "set trunkline.keyspace = guarded");
    let own = format!("select count(*) from notes where organization_id = {here}");
    assert_eq!(ask(&mut wire, &own), "0");
    // The other keyspace is not guarded.
    ask(&mut wire, "reset all");
    assert_eq!(
        shard(&mut wire, "from matches", "/* trunkline: shard=s2 */"),
        1
    );
}

#[test]
fn explain_on_the_command_line_may_ask_the_servers() {
    let explain = |arguments: &[&str]| plain().explain(arguments);
    // What home() does is known to the servers only.
    let (text, planned) = explain(&["select home()"]);
    assert!(planned, "{text}");
    let (text, planned) = explain(&["--connect", "select home()"]);
    assert!(!planned && text.contains("home"), "{text}");
    let organization = cluster().organization_on(1);
    let parameter = format!("1={organization}");
    let (text, planned) = explain(&[
        "--connect",
        "--param",
        &parameter,
        "select * from matches where organization_id = $1",
    ]);
    assert!(
        planned && text.contains(&format!("organization_id = {organization} -> ")),
        "{text}"
    );
    assert!(text.contains("-> s2"), "{text}");
}

#[test]
fn lint_says_what_becomes_of_files() {
    let organization = cluster().organization_on(1);
    let (right, wrong) = (
        cluster().scratch.path().join("right.sql"),
        cluster().scratch.path().join("wrong.sql"),
    );
    let queries = format!(
        "select * from matches where organization_id = {organization};\n\
         set trunkline.shard = 's2';\nselect count(*) from matches;\n"
    );
    std::fs::write(&right, queries).unwrap();
    std::fs::write(
        &wrong,
        "select home();\n\nselect * from matches for update;\n",
    )
    .unwrap();
    let (right, wrong) = (right.to_str().unwrap(), wrong.to_str().unwrap());
    let (text, status) = plain().command("lint", &[right]);
    assert_eq!(status, Some(0), "{text}");
    let first = format!(
        "{right}:1:1: Route one shard, read: matches: organization_id = {organization} -> "
    );
    assert!(text.starts_with(&first), "{text}");
    assert!(
        text.contains(&format!("{right}:3:1: Route one shard by hint, read: ")),
        "{text}"
    );
    assert!(
        text.ends_with("3 statements, 3 on one shard (100.0 %): 2 on the shard of a key or hint, 1 about the session\n"),
        "{text}"
    );
    let (text, status) = plain().command("lint", &["--quiet", right, wrong]);
    assert_eq!(status, Some(1), "{text}");
    assert!(
        text.starts_with(&format!("{wrong}:3:1: Refused 0A000: ")),
        "{text}"
    );
    assert!(
        text.contains("\n5 statements, 4 on one shard (80.0 %): "),
        "{text}"
    );
    // What home() does is known to the servers only.
    let (text, status) = plain().command("lint", &["--connect", "-q", wrong]);
    assert_eq!(status, Some(1), "{text}");
    assert!(
        text.contains(&format!("{wrong}:1:1: Refused 0A000: ")),
        "{text}"
    );
    assert!(
        text.contains("2 statements, 0 on one shard (0.0 %): 2 refused"),
        "{text}"
    );
    for arguments in [&["no such file"][..], &[], &["--database", "other", right]] {
        let (text, status) = plain().command("lint", arguments);
        assert_eq!(status, Some(2), "{text}");
    }
}
