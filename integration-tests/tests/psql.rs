//! `psql` through the proxy prints what it prints on one PostgreSQL.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::io::Write;
use std::process::{Command, Stdio};

use integration_tests::cluster::APP;
use integration_tests::{Cluster, ProxyOptions, Setup, Subject};

/// Standard output and standard error of a session that reads this script.
fn psql(port: u16, script: &str) -> (String, String) {
    let dsn = format!("postgresql://{APP}:{APP}@127.0.0.1:{port}/{APP}?connect_timeout=10");
    let mut process = Command::new("psql")
        .args([
            "--no-psqlrc",
            "--echo-all",
            "--set=VERBOSITY=verbose",
            "--set=SHOW_CONTEXT=always",
            &dsn,
        ])
        .env("LC_ALL", "C.UTF-8")
        .env("PGOPTIONS", "")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    process
        .stdin
        .take()
        .unwrap()
        .write_all(script.as_bytes())
        .unwrap();
    let output = process.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr))
}

/// Scripts whose output must be the same to the letter, except for the place in the server's source
/// that `VERBOSITY=verbose` adds.
const SCRIPTS: &[(&str, &str)] = &[
    (
        "queries, formats and errors",
        r"
select * from organizations where organization_id = 42;
\x
select * from matches where organization_id = 7 and match_id = 1;
\x
\pset null (none)
select label, spectators from matches m join detections d using (organization_id, match_id)
  where organization_id = 7 order by detection_id limit 12;
selec 1;
select nothing from organizations where organization_id = 42;
select 1 / 0;
select 1 as a \; select 2 as b;
select count(*) from detections where organization_id = 7 \gset n_
\echo :n_count
select 'late' \g
select name, country from organizations where organization_id = 3 \gdesc
",
    ),
    (
        "errors in a psql session's transactions",
        r"
deallocate all;
\set AUTOCOMMIT off
select 1;
select nothing;
rollback;
\set ON_ERROR_ROLLBACK on
begin;
select nothing;
select 'still in the transaction';
commit;
",
    ),
    (
        "writes and transactions",
        r"
begin;
insert into accounts (organization_id, balance, note) values (1, 10, 'psql') returning *;
savepoint a;
update accounts set balance = -1 where organization_id = 1;
rollback to a;
select * from accounts where organization_id = 1;
commit;
delete from accounts where organization_id = 1;
",
    ),
    (
        "copy, cursors and notices",
        r"
\copy notes (note_id, body) from stdin
100	a tab\tinside
101	ü
\.
copy notes (note_id, body) from stdin with (format csv);
102,csv
\.
select * from notes where note_id >= 100 order by 1;
\copy (select * from notes where note_id >= 100 order by 1) to stdout with csv header
copy (select match_id, home from matches where organization_id = 42 order by 1) to stdout;
delete from notes where note_id >= 100;
\set FETCH_COUNT 3
select detection_id from detections where organization_id = 7 order by 1 limit 10;
\unset FETCH_COUNT
drop table if exists no_such_table;
",
    ),
    (
        "descriptions",
        r"
\dt
\d organizations
\d+ matches
\di
\dn
\l app
\conninfo
",
    ),
];

#[test]
fn psql_prints_the_same() {
    let cluster = Cluster::start(&Setup {
        everywhere:
            "create table accounts (organization_id bigint primary key, balance int not null
                                            check (balance >= 0), note text)",
        default_shard: "create table notes (note_id int primary key, body text)",
        ..Setup::default()
    });
    let options = ProxyOptions {
        tables: vec!["accounts".to_owned()],
        ..ProxyOptions::default()
    };
    let subject = Subject::start(&cluster, &options);
    for (name, script) in SCRIPTS {
        let expected = psql(cluster.oracle.port(), script);
        let found = psql(subject.port(), script);
        let lines = |text: &str, port: u16| -> Vec<String> {
            let port = port.to_string();
            let comparable = |line: &&str| !line.starts_with("LOCATION:");
            text.lines()
                .filter(comparable)
                .map(|line| line.replace(&port, "PORT"))
                .collect()
        };
        let (oracle, subject) = (cluster.oracle.port(), subject.port());
        for (expected, found) in [(&expected.0, &found.0), (&expected.1, &found.1)] {
            let (expected, found) = (lines(expected, oracle), lines(found, subject));
            let lines_max = expected.len().max(found.len());
            let differs = (0..lines_max).find(|n| expected.get(*n) != found.get(*n));
            assert!(
                expected == found,
                "{name}, line {differs:?}:\nexpected {:?}\nfound    {:?}",
                differs.and_then(|n| expected.get(n)),
                differs.and_then(|n| found.get(n)),
            );
        }
    }
}
