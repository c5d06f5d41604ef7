//! Crowds and ends: connection limits, descriptors, timeouts, clients that vanish, cancels.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use integration_tests::client::{connect_as, texts};
use integration_tests::wire::{Parameters, Reply, Script, Wire};
use integration_tests::{
    Cluster, PATIENCE, Proxy, ProxyOptions, Setup, eventually, eventually_within,
};

/// Within this a statement of a client that has gone must have ended.
const AT_ONCE: Duration = Duration::from_secs(3);

fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        let cluster = Cluster::start(&Setup {
            default_shard: "create table sink (line text);
                create table picky (line text);
                create function refuse() returns trigger language plpgsql as
                    $$ begin raise exception '%', repeat('no ', 20000); end $$;
                create trigger picky before insert on picky for each row execute function refuse();",
            ..Setup::default()
        });
        for (shard, role) in [(0, "few"), (1, "few"), (0, "idler"), (1, "idler")] {
            on(
                &cluster,
                shard,
                &format!("create role {role} login password '{role}'"),
            );
        }
        cluster
    })
}

fn proxy(top: &str, database: &str, users: &str) -> Proxy {
    let options = ProxyOptions {
        top: top.to_owned(),
        database: database.to_owned(),
        users: users.to_owned(),
        ..ProxyOptions::default()
    };
    Proxy::start(cluster(), &options)
}

fn code(replies: &[Reply]) -> Option<String> {
    field(replies, b'C')
}

fn field(replies: &[Reply], name: u8) -> Option<String> {
    let error = replies.iter().find(|reply| reply.tag == b'E');
    error.and_then(|error| error.field(name))
}

fn first_value(replies: &[Reply]) -> String {
    let row = replies.iter().find(|reply| reply.tag == b'D').unwrap();
    String::from_utf8_lossy(&row.body[6..]).into_owned()
}

fn start(wire: &mut Wire, sql: &str) {
    let mut script = Script::new();
    script.query(sql);
    wire.send_script(&script).unwrap();
}

fn console(port: u16) -> Wire {
    Wire::connect_as(port, "app", "app", &[("database", "trunkline")]).unwrap()
}

/// The error that a connection is met with which sends its startup packet.
fn refusal(port: u16) -> Option<Reply> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let parameters = b"user\0app\0database\0app\0\0";
    let mut packet = (parameters.len() as u32 + 8).to_be_bytes().to_vec();
    packet.extend([0, 3, 0, 0]);
    packet.extend(parameters);
    // And something nobody will read.
    packet.extend([0; 5_000]);
    stream.write_all(&packet).unwrap();
    let mut answer = Vec::new();
    let end = stream.read_to_end(&mut answer);
    let (tag, rest) = answer.split_first()?;
    if *tag != b'E' {
        return None;
    }
    assert!(end.is_ok(), "the end is an orderly one: {end:?}");
    let body = rest[4..].to_vec();
    Some(Reply { tag: b'E', body })
}

fn refused_with(port: u16) -> (String, String) {
    let error = refusal(port).expect("an error");
    (error.field(b'C').unwrap(), error.field(b'M').unwrap())
}

fn cancel_request(key: (i32, i32)) -> Vec<u8> {
    let mut message = vec![0, 0, 0, 16, 4, 0xd2, 0x16, 0x2e];
    message.extend(key.0.to_be_bytes());
    message.extend(key.1.to_be_bytes());
    message
}

fn cancel(port: u16, key: (i32, i32)) {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(&cancel_request(key)).unwrap();
    // Closed once the request has been dealt with, and nothing said.
    assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0);
}

/// Runs as superuser on a server; gives the first value, if there is one.
fn on(cluster: &Cluster, shard: usize, sql: &str) -> String {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let rows = runtime.block_on(async {
        let client = connect_as(cluster.primary_port(shard), "postgres", "postgres", "app").await;
        texts(&client, sql).await
    });
    let value = rows.first().and_then(|row| row[0].clone());
    value.unwrap_or_default()
}

/// Asks a server directly.
fn ask(shard: usize, sql: &str) -> String {
    on(cluster(), shard, sql)
}

/// Logs in as a role whose password is its name.
fn login(proxy: &Proxy, role: &str) -> std::io::Result<Wire> {
    Wire::connect_as(proxy.port, role, role, &[("database", "app")])
}

/// What runs on a server whose text contains this.
fn running(mark: &str) -> String {
    ask(
        0,
        &format!(
            "select count(*) from pg_stat_activity where usename = 'app' and state <> 'idle' \
             and query like '%{mark}%'"
        ),
    )
}

fn lines(mark: &str) -> String {
    ask(
        0,
        &format!("select count(*) from sink where line = '{mark}'"),
    )
}

fn leased(proxy: &Proxy) -> f64 {
    let metrics = proxy.metrics();
    let lines = metrics.lines().filter(|line| {
        line.starts_with("trunkline_pool_connections") && line.contains("state=\"leased\"")
    });
    lines
        .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
        .sum()
}

fn assert_sane(proxy: &Proxy) {
    assert!(!proxy.log().contains("panicked"), "{}", proxy.log());
}

#[test]
fn a_full_proxy_refuses_and_still_takes_cancels_and_admins() {
    let proxy = proxy("limits: { connections: 2 }", "", "");
    let mut first = Wire::connect(proxy.port).unwrap();
    let second = Wire::connect(proxy.port).unwrap();
    assert_eq!(first.simple("select 1").unwrap().len(), 4);
    // Places for admins are of no use to others.
    assert!(Wire::connect(proxy.port).is_err());
    // The first admin of an address gets in, once nobody else holds its place, and holds it.
    let mut admin = None;
    let log_in = || Wire::connect_as(proxy.port, "app", "app", &[("database", "trunkline")]);
    eventually("the admin gets in", || {
        admin = log_in().ok();
        admin.is_some()
    });
    let mut admin = admin.unwrap();
    assert_eq!(code(&admin.simple("show sessions").unwrap()), None);
    let refused = refused_with(proxy.port);
    assert_eq!(
        refused,
        (
            "53300".to_owned(),
            "sorry, too many clients already".to_owned()
        )
    );
    start(&mut first, "select pg_sleep(20)");
    eventually("it runs", || running("pg_sleep(20)") == "1");
    cancel(proxy.port, first.key);
    assert_eq!(code(&first.replies().unwrap()).as_deref(), Some("57014"));
    let refused = proxy.metric("trunkline_client_connections_refused_total{reason=\"total\"}");
    assert!(refused.unwrap() >= 2.0);
    // Each place that becomes free is one.
    drop(admin);
    second.close().unwrap();
    eventually("there is room", || Wire::connect(proxy.port).is_ok());
    assert_sane(&proxy);
}

#[test]
fn an_address_and_a_user_have_their_share() {
    let users = "  - { name: few, password: few, databases: [ app ], limits: { connections: 1 } }";
    let proxy = proxy(
        "limits: { connections_per_address: 8, connections_per_user: 2 }",
        "",
        users,
    );
    let mut inside: Vec<_> = (0..2).map(|_| Wire::connect(proxy.port).unwrap()).collect();
    assert!(Wire::connect(proxy.port).is_err(), "the user has its two");
    // Only whoever can log in hears of it.
    assert!(Wire::connect_as(proxy.port, "app", "wrong", &[("database", "app")]).is_err());
    assert!(proxy.metrics().contains("refused_total{reason=\"user\"} 1"));
    // One user's own limit goes before the general one.
    let one = login(&proxy, "few").unwrap();
    let told = login(&proxy, "few").err().unwrap().to_string();
    assert!(
        told.contains("53300: too many connections for role \"few\""),
        "{told}"
    );
    assert!(proxy.metrics().contains("refused_total{reason=\"user\"} 2"));
    one.close().unwrap();
    let mut few = None;
    eventually("it has its place again", || {
        few = login(&proxy, "few").ok();
        few.is_some()
    });
    let mut idle = Vec::new();
    eventually("eight connections of one address", || {
        // Those that were refused may take a moment to leave.
        idle.clear();
        idle.extend((0..5).map(|_| TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port)).unwrap()));
        thread::sleep(Duration::from_millis(50));
        proxy.metric("trunkline_client_connections") == Some(8.0)
    });
    let (code, message) = refused_with(proxy.port);
    assert_eq!(
        (code.as_str(), message.as_str()),
        ("53300", "too many connections from this address")
    );
    // Who has not logged in counts as well, and counts no more once it has left.
    drop(idle);
    inside.pop();
    eventually("there is room again", || {
        Wire::connect(proxy.port).is_ok_and(|wire| {
            inside.push(wire);
            true
        })
    });
    assert_sane(&proxy);
}

#[test]
fn without_descriptors_clients_are_told_and_others_go_on() {
    let proxy = proxy("", "", "");
    let mut before = Wire::connect(proxy.port).unwrap();
    assert_eq!(code(&before.simple("select 1").unwrap()), None);
    let open = std::fs::read_dir(format!("/proc/{}/fd", proxy.pid()))
        .unwrap()
        .count();
    let limit = format!("--nofile={0}:{0}", open + 20);
    let lowered = Command::new("prlimit")
        .args(["--pid", &proxy.pid().to_string(), &limit])
        .status()
        .unwrap();
    assert!(lowered.success());
    let mut told = 0;
    let mut silent: Vec<_> = (0..150)
        .map(|_| TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port)).unwrap())
        .collect();
    for stream in &mut silent {
        stream
            .set_read_timeout(Some(Duration::from_millis(1)))
            .unwrap();
    }
    eventually("most are told", || {
        told += silent
            .iter_mut()
            .filter(|stream| {
                let mut answer = [0; 200];
                let read = (&**stream).read(&mut answer).unwrap_or(0);
                String::from_utf8_lossy(&answer[..read]).contains("53300")
            })
            .count();
        told > 100
    });
    assert_eq!(
        code(&before.simple("select 1").unwrap()),
        None,
        "those inside go on"
    );
    drop(silent);
    eventually("it recovers by itself", || {
        Wire::connect(proxy.port).is_ok()
    });
    let refused =
        proxy.metric("trunkline_client_connections_refused_total{reason=\"descriptors\"}");
    assert!(refused.unwrap() > 100.0, "{refused:?}");
    assert_sane(&proxy);
}

#[test]
fn a_statement_has_its_time_and_a_transaction_fails_with_it() {
    let proxy = proxy(
        "limits: { statement_timeout: 400ms }",
        "    pool: { size: 1 }",
        "  - { name: few, password: few, databases: [ app ], limits: { statement_timeout: 1500ms } }",
    );
    let mut wire = Wire::connect(proxy.port).unwrap();
    let started = Instant::now();
    let replies = wire.simple("select pg_sleep(20)").unwrap();
    assert_eq!(code(&replies).as_deref(), Some("57014"), "{replies:?}");
    assert_eq!(
        field(&replies, b'M').unwrap(),
        "canceling statement due to statement timeout"
    );
    assert!(
        (400..3_000).contains(&started.elapsed().as_millis()),
        "{:?}",
        started.elapsed()
    );
    assert_eq!(code(&wire.simple("select 1").unwrap()), None);
    // A statement below it never ends early, however many come one after the other.
    for _ in 0..5 {
        assert_eq!(code(&wire.simple("select pg_sleep(0.2)").unwrap()), None);
    }
    wire.simple("begin; insert into sink values ('late')")
        .unwrap();
    let replies = wire
        .extended("select pg_sleep(20)", &Parameters::NONE)
        .unwrap();
    assert_eq!(code(&replies).as_deref(), Some("57014"));
    assert_eq!(
        code(&wire.simple("select 1").unwrap()).as_deref(),
        Some("25P02")
    );
    // Time between statements is the client's own.
    thread::sleep(Duration::from_millis(800));
    assert_eq!(wire.simple("commit").unwrap()[0].body, b"ROLLBACK\0");
    assert_eq!(lines("late"), "0");
    // Waiting for a connection counts.
    let mut other = Wire::connect(proxy.port).unwrap();
    wire.simple("begin; select 1 from sink").unwrap();
    let started = Instant::now();
    let replies = other.simple("select 1 from sink").unwrap();
    assert_eq!(
        field(&replies, b'M').unwrap(),
        "canceling statement due to statement timeout"
    );
    assert!(started.elapsed() < AT_ONCE, "{:?}", started.elapsed());
    wire.simple("commit").unwrap();
    assert_eq!(code(&other.simple("select 1").unwrap()), None);
    // A user may have more, and ends by that.
    let mut few = login(&proxy, "few").unwrap();
    assert_eq!(code(&few.simple("select pg_sleep(0.8)").unwrap()), None);
    let started = Instant::now();
    let replies = few.simple("select pg_sleep(20)").unwrap();
    assert_eq!(code(&replies).as_deref(), Some("57014"), "{replies:?}");
    assert!(
        (1_500..5_000).contains(&started.elapsed().as_millis()),
        "{:?}",
        started.elapsed()
    );
    assert_sane(&proxy);
}

/// A server process that is stopped takes neither cancel nor statement.
#[test]
fn a_silent_server_costs_its_connection() {
    let proxy = proxy("limits: { statement_timeout: 300ms }", "", "");
    let mut wire = Wire::connect(proxy.port).unwrap();
    wire.simple("begin").unwrap();
    let pid = first_value(
        &wire
            .simple("select pg_backend_pid() from sink right join (select 1) x on true")
            .unwrap(),
    );
    let signal = |name: &str| {
        let sent = Command::new("kill")
            .args(["-s", name, &pid])
            .status()
            .unwrap();
        assert!(sent.success());
    };
    signal("STOP");
    let started = Instant::now();
    let replies = wire.simple("select 2 from sink");
    signal("CONT");
    let replies = replies.unwrap();
    assert_eq!(
        field(&replies, b'M').unwrap(),
        "canceling statement due to statement timeout"
    );
    assert!(
        started.elapsed() < Duration::from_secs(12),
        "{:?}",
        started.elapsed()
    );
    assert_eq!(wire.simple("rollback").unwrap()[0].body, b"ROLLBACK\0");
    assert_eq!(code(&wire.simple("select 1").unwrap()), None);
    eventually("nothing is held", || leased(&proxy) == 0.0);
    assert_sane(&proxy);
}

#[test]
fn idle_sessions_and_transactions_end() {
    let users = "  - { name: idler, password: idler, databases: [ app ], \
                 limits: { idle_session_timeout: 500ms, idle_in_transaction_session_timeout: 0 } }";
    let proxy = proxy(
        "limits: { idle_in_transaction_session_timeout: 500ms }",
        "",
        users,
    );
    let mut patient = Wire::connect(proxy.port).unwrap();
    let mut wire = Wire::connect(proxy.port).unwrap();
    wire.simple("begin; insert into sink values ('idle')")
        .unwrap();
    let error = wire.reply().unwrap();
    assert_eq!(error.field(b'C').as_deref(), Some("25P03"), "{error:?}");
    assert_eq!(error.field(b'V').as_deref(), Some("FATAL"));
    assert_eq!(
        error.field(b'M').unwrap(),
        "terminating connection due to idle-in-transaction timeout"
    );
    assert!(wire.reply().is_err(), "and that is the end");
    eventually_within(AT_ONCE, "it is rolled back", || {
        ask(
            0,
            "select count(*) from pg_stat_activity where state = 'idle in transaction' \
             and query like '%(''idle'')'",
        ) == "0"
    });
    assert_eq!(lines("idle"), "0");
    // A transaction no server knows of is one, too; half a message does not help.
    let mut wire = Wire::connect(proxy.port).unwrap();
    wire.simple("begin").unwrap();
    wire.send(b"Q\0\0").unwrap();
    assert_eq!(wire.reply().unwrap().field(b'C').as_deref(), Some("25P03"));
    // A user's own limits go before the general ones: here they are the other way round.
    let mut idler = login(&proxy, "idler").unwrap();
    idler.simple("begin").unwrap();
    thread::sleep(Duration::from_millis(1_500));
    assert_eq!(idler.simple("commit").unwrap()[0].body, b"COMMIT\0");
    idler.send(b"Q\0\0").unwrap();
    let error = idler.reply().unwrap();
    assert_eq!(error.field(b'C').as_deref(), Some("57P05"), "{error:?}");
    assert_eq!(
        error.field(b'M').unwrap(),
        "terminating connection due to idle-session timeout"
    );
    assert_eq!(
        code(&patient.simple("select 1").unwrap()),
        None,
        "without a limit of its own it stays"
    );
    // From a reload on there is one.
    let text = std::fs::read_to_string(&proxy.config).unwrap();
    let changed = text.replace(
        "limits: { idle_in_transaction_session_timeout: 500ms }",
        "limits: { idle_session_timeout: 600ms }",
    );
    std::fs::write(&proxy.config, changed).unwrap();
    proxy.signal("HUP");
    eventually("reloaded", || {
        proxy.log().contains("configuration reloaded")
    });
    assert_eq!(code(&patient.simple("select 1").unwrap()), None);
    assert_eq!(
        patient.reply().unwrap().field(b'C').as_deref(),
        Some("57P05")
    );
    assert_sane(&proxy);
}

/// How a client goes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Going {
    /// FIN, and RST for what still comes.
    Closes,
    /// FIN, but reads on.
    HalfCloses,
}

fn go(wire: Wire, going: Going) -> Option<Wire> {
    match going {
        Going::HalfCloses => {
            wire.stream.shutdown(Shutdown::Write).unwrap();
            return Some(wire);
        }
        Going::Closes => drop(wire),
    }
    None
}

#[test]
fn a_client_that_vanishes_leaves_nothing_running() {
    for mode in ["transaction", "session"] {
        let proxy = proxy(
            "",
            &format!("    pool: {{ size: 4, wait: 60s, mode: {mode} }}"),
            "",
        );
        for going in [Going::Closes, Going::HalfCloses] {
            let mark = format!("vanish_{mode}_{going:?}");
            let doing = format!("/* {mark} */ insert into sink select '{mark}' from pg_sleep(60)");
            let mut kept = Vec::new();
            // Under a simple query; in a transaction; in a pipeline; in COPY IN; in COPY OUT.
            for what in [
                "simple",
                "transaction",
                "pipeline",
                "copy in",
                "slow reader",
            ] {
                let mut wire = Wire::connect(proxy.port).unwrap();
                match what {
                    "simple" => start(&mut wire, &doing),
                    "transaction" => {
                        wire.simple(&format!("begin; insert into sink values ('{mark}')"))
                            .unwrap();
                        start(&mut wire, &doing);
                    }
                    "pipeline" => {
                        let mut script = Script::new();
                        script
                            .parse("", &doing, &[])
                            .bind("", "", &Parameters::NONE);
                        script.execute("", 0).sync();
                        wire.send_script(&script).unwrap();
                    }
                    "copy in" => {
                        wire.simple(&format!("copy /* {mark} */ sink from stdin"))
                            .unwrap();
                        wire.send(b"d\0\0\0\x0avanish").unwrap();
                    }
                    _ => start(
                        &mut wire,
                        &format!(
                            "copy /* {mark} */ (select repeat('x', 10000) from generate_series(1, 1000000)) to stdout"
                        ),
                    ),
                }
                eventually(what, || running(&mark) == "1");
                kept.extend(go(wire, going));
                eventually_within(AT_ONCE, &format!("{mark} {what} has ended"), || {
                    running(&mark) == "0"
                });
            }
            assert_eq!(lines(&mark), "0", "{mark}");
            eventually("no connection is held", || leased(&proxy) == 0.0);
        }
        assert_sane(&proxy);
    }
}

#[test]
fn a_client_that_vanishes_while_it_waits_gives_up_its_place() {
    let proxy = proxy("", "    pool: { size: 1, wait: 60s }", "");
    let mut clients: Vec<_> = (0..4).map(|_| Wire::connect(proxy.port).unwrap()).collect();
    let mut holder = clients.remove(0);
    holder.simple("begin; select 1 from sink").unwrap();
    for wire in &mut clients {
        start(wire, "insert into sink values ('waited')");
    }
    let waiting = |expected: f64| {
        let page = proxy.metrics();
        let mut lines = page
            .lines()
            .filter(|line| line.starts_with("trunkline_pool_waiting{"));
        lines.any(|line| line.ends_with(&format!(" {expected}")))
    };
    eventually("all wait", || waiting(3.0));
    // One vanishes, one cancels.
    let key = clients[1].key;
    drop(clients.remove(0));
    eventually_within(AT_ONCE, "one place less", || waiting(2.0));
    cancel(proxy.port, key);
    let replies = clients[0].replies().unwrap();
    assert_eq!(code(&replies).as_deref(), Some("57014"));
    assert_eq!(
        field(&replies, b'M').unwrap(),
        "canceling statement due to user request"
    );
    holder.simple("commit").unwrap();
    assert_eq!(code(&clients[1].replies().unwrap()), None);
    assert_eq!(lines("waited"), "1");
    assert_eq!(
        code(&clients[0].simple("select 1").unwrap()),
        None,
        "only the wait was canceled"
    );
    assert_sane(&proxy);
}

/// As PostgreSQL: what was sent before Terminate is done.
#[test]
fn a_client_that_says_goodbye_has_its_statements_run() {
    let proxy = proxy("", "", "");
    let goodbye = b"X\0\0\0\x04";
    for (mark, half) in [("goodbye", false), ("half", true)] {
        let mut wire = Wire::connect(proxy.port).unwrap();
        let mut script = Script::new();
        script.query(&format!(
            "insert into sink select '{mark}' from pg_sleep(0.7)"
        ));
        script.query(
            "select repeat('x', 10000) from sink right join generate_series(1, 5000) on true",
        );
        script.query(&format!("insert into sink values ('{mark}')"));
        wire.send_script(&script).unwrap();
        wire.send(goodbye).unwrap();
        let kept = if half {
            wire.stream.shutdown(Shutdown::Write).unwrap();
            // Its answers still come.
            let mut read = 0;
            let mut buffer = vec![0; 1 << 16];
            loop {
                match wire.stream.read(&mut buffer).unwrap() {
                    0 => break,
                    more => read += more,
                }
            }
            assert!(read > 50_000_000, "{read}");
            Some(wire)
        } else {
            drop(wire);
            None
        };
        eventually("both were run", || lines(mark) == "2");
        drop(kept);
    }
    // Not in a transaction that was left open.
    let mut wire = Wire::connect(proxy.port).unwrap();
    wire.simple("begin").unwrap();
    start(&mut wire, "insert into sink values ('open')");
    wire.send(goodbye).unwrap();
    drop(wire);
    eventually("nothing is held", || leased(&proxy) == 0.0);
    assert_eq!(lines("open"), "0");
    assert_sane(&proxy);
}

#[test]
fn a_flood_of_cancels_stops_one_statement_and_no_other() {
    let proxy = proxy("", "", "");
    let mut wire = Wire::connect(proxy.port).unwrap();
    let mut bystander = Wire::connect(proxy.port).unwrap();
    start(&mut bystander, "select pg_sleep(2) /* bystander */");
    start(&mut wire, "select pg_sleep(20) /* flooded */");
    eventually("they run", || {
        running("flooded") == "1" && running("bystander") == "1"
    });
    let (id, secret) = wire.key;
    // Wrong keys first: the client's number, somebody else's secret, nobody's number.
    for wrong in [(id, !secret), (id, bystander.key.1), (id + 1_000, secret)] {
        cancel(proxy.port, wrong);
    }
    assert_eq!(running("flooded"), "1");
    thread::scope(|scope| {
        for _ in 0..40 {
            scope.spawn(|| cancel(proxy.port, (id, secret)));
        }
        assert_eq!(code(&wire.replies().unwrap()).as_deref(), Some("57014"));
    });
    // In between, and in a transaction that keeps its connection.
    wire.simple("begin; select 1 from sink").unwrap();
    for _ in 0..20 {
        cancel(proxy.port, (id, secret));
        assert_eq!(code(&wire.simple("select 1 from sink").unwrap()), None);
    }
    wire.simple("commit").unwrap();
    assert_eq!(code(&bystander.replies().unwrap()), None);
    // No key, and no trace of one.
    let secrets = [
        secret.to_string(),
        (secret as u32).to_string(),
        format!("{secret:x}"),
    ];
    let mut admin = console(proxy.port);
    let mut shown = proxy.log();
    for view in ["sessions", "config", "pools"] {
        for reply in admin.simple(&format!("show {view}")).unwrap() {
            shown.push_str(&String::from_utf8_lossy(&reply.body));
        }
    }
    assert!(
        secrets.iter().all(|secret| !shown.contains(secret)),
        "{shown}"
    );
    assert_sane(&proxy);
}

#[test]
fn who_is_cut_off_at_the_end_is_told() {
    let mut proxy = proxy("drain_timeout: 1s", "", "");
    let mut running_client = Wire::connect(proxy.port).unwrap();
    let mut open = Wire::connect(proxy.port).unwrap();
    let mut deaf = Wire::connect(proxy.port).unwrap();
    open.simple("begin; insert into sink values ('cut')")
        .unwrap();
    start(&mut running_client, "select pg_sleep(60) /* cut off */");
    start(
        &mut deaf,
        "select repeat('x', 10000) from sink right join generate_series(1, 100000) on true",
    );
    eventually("it runs", || running("cut off") == "1");
    let started = Instant::now();
    proxy.signal("TERM");
    for wire in [&mut running_client, &mut open] {
        let error = wire.reply();
        let error = error.unwrap();
        assert_eq!(error.field(b'C').as_deref(), Some("57P01"), "{error:?}");
    }
    assert!(proxy.wait(PATIENCE).unwrap().success());
    assert!(
        started.elapsed() < Duration::from_secs(4),
        "{:?}",
        started.elapsed()
    );
    eventually_within(AT_ONCE, "it is canceled", || running("cut off") == "0");
    assert_eq!(lines("cut"), "0");
    assert_sane(&proxy);
}

/// A client that sends a large message byte by byte holds itself up and nobody else.
#[test]
fn a_trickle_holds_nobody_else() {
    let proxy = proxy("", "    pool: { size: 1, wait: 10s }", "");
    let mut slow = Wire::connect(proxy.port).unwrap();
    let mut other = Wire::connect(proxy.port).unwrap();
    // 40 kB: held whole, so no connection is leased before it is there.
    let value = vec![b'x'; 40_000];
    let mut script = Script::new();
    script.parse("", "select length($1), 1 from sink limit 0", &[25]);
    slow.send_script(&script).unwrap();
    slow.send(&bind_head(value.len() as u32)).unwrap();
    for chunk in value.chunks(8_000) {
        slow.send(chunk).unwrap();
        assert_eq!(code(&other.simple("select 1 from sink").unwrap()), None);
    }
    slow.send(&[0, 0]).unwrap();
    let mut rest = Script::new();
    rest.execute("", 0).sync();
    assert_eq!(code(&slow.run(&rest).unwrap()), None);
    assert_sane(&proxy);
}

/// How a pipeline is brought to its answers.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Brought {
    Sync,
    Flush,
    Query,
}

fn idle_in_transaction(proxy: &Proxy) -> bool {
    let shown = console(proxy.port).simple("show sessions").unwrap();
    let shown: Vec<_> = shown.into_iter().flat_map(|reply| reply.body).collect();
    String::from_utf8_lossy(&shown).contains("idle in transaction")
}

/// A statement is sent, and what makes it run only once the proxy has dealt with that.
fn start_apart(proxy: &Proxy, wire: &mut Wire, sql: &str, brought: Brought) {
    let mut script = Script::new();
    script.parse("", sql, &[]).bind("", "", &Parameters::NONE);
    wire.send_script(script.execute("", 0)).unwrap();
    eventually("it is the client's turn", || idle_in_transaction(proxy));
    let mut rest = Script::new();
    match brought {
        Brought::Sync => rest.sync(),
        Brought::Flush => rest.flush(),
        Brought::Query => rest.query("select 1"),
    };
    wire.send_script(&rest).unwrap();
}

fn until(wire: &mut Wire, tag: u8) -> Vec<Reply> {
    let mut replies = Vec::new();
    while replies.last().is_none_or(|reply: &Reply| reply.tag != tag) {
        replies.push(wire.reply().unwrap());
    }
    replies
}

#[test]
fn a_pipeline_that_is_ended_apart_has_its_time_and_its_cancels() {
    let timed = proxy("limits: { statement_timeout: 400ms }", "", "");
    for brought in [Brought::Sync, Brought::Flush, Brought::Query] {
        let mut wire = Wire::connect(timed.port).unwrap();
        start_apart(&timed, &mut wire, "select pg_sleep(15)", brought);
        let started = Instant::now();
        let error = until(&mut wire, b'E').pop().unwrap();
        assert_eq!(
            error.field(b'M').as_deref(),
            Some("canceling statement due to statement timeout"),
            "{brought:?}"
        );
        assert!(started.elapsed() < AT_ONCE, "{brought:?}");
    }
    assert_sane(&timed);
    let proxy = proxy(
        "limits: { idle_in_transaction_session_timeout: 700ms }",
        "",
        "",
    );
    for brought in [Brought::Sync, Brought::Flush, Brought::Query] {
        let mut wire = Wire::connect(proxy.port).unwrap();
        let mark = format!("apart_{brought:?}");
        let sql = format!("select pg_sleep(15) /* {mark} */");
        start_apart(&proxy, &mut wire, &sql, brought);
        eventually("it runs", || running(&mark) == "1");
        cancel(proxy.port, wire.key);
        let started = Instant::now();
        let error = until(&mut wire, b'E').pop().unwrap();
        assert_eq!(error.field(b'C').as_deref(), Some("57014"), "{brought:?}");
        assert!(started.elapsed() < AT_ONCE, "{brought:?}");
    }
    // The time its statement took is not the client's.
    let mut wire = Wire::connect(proxy.port).unwrap();
    start_apart(&proxy, &mut wire, "select pg_sleep(1.5)", Brought::Flush);
    until(&mut wire, b'C');
    thread::sleep(Duration::from_millis(200));
    let mut rest = Script::new();
    assert_eq!(code(&wire.run(rest.sync()).unwrap()), None);
    assert_sane(&proxy);
}

/// A message that is not kept whole is waited for as long as any other.
#[test]
fn half_a_message_is_an_idle_client() {
    let proxy = proxy(
        "limits: { idle_in_transaction_session_timeout: 500ms, idle_session_timeout: 600ms }",
        "",
        "",
    );
    let copy_data = b"d\x3b\x9a\xca\x00lost";
    let large_bind = [
        &b"B\x3b\x9a\xca\x00\0\0\0\0\0\x01\x3b\x9a\xc9\x00"[..],
        &[b'x'; 200_000],
    ];
    let large_bind = large_bind.concat();
    let mut parsed = Script::new();
    parsed.parse("", "insert into sink values ($1)", &[25]);
    let mut failed = Script::new();
    failed.parse("", "select from where", &[]);
    for (what, script, half, ends) in [
        ("a stray CopyData", None, &copy_data[..], "25P03"),
        ("a Bind", Some(&parsed), &large_bind, "25P03"),
        ("a Bind to be skipped", Some(&failed), &large_bind, "25P03"),
        ("between transactions", None, &copy_data[..], "57P05"),
    ] {
        let mut wire = Wire::connect(proxy.port).unwrap();
        wire.stream
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        if ends == "25P03" {
            wire.simple("begin; insert into sink values ('halfway')")
                .unwrap();
        }
        if let Some(script) = script {
            wire.send_script(script).unwrap();
        }
        wire.send(half).unwrap();
        let fatal = loop {
            let reply = wire.reply();
            let reply = reply.unwrap_or_else(|error| panic!("{what}: {error}"));
            if reply.field(b'V').as_deref() == Some("FATAL") {
                break reply;
            }
        };
        assert_eq!(fatal.field(b'C').as_deref(), Some(ends), "{what}");
    }
    eventually_within(AT_ONCE, "nothing is held", || leased(&proxy) == 0.0);
    assert_eq!(lines("halfway"), "0");
    assert_sane(&proxy);
}

#[test]
fn who_does_not_read_what_a_flush_brings_is_idle() {
    let proxy = proxy(
        "limits: { idle_in_transaction_session_timeout: 500ms }",
        "",
        "",
    );
    let mut wire = Wire::connect(proxy.port).unwrap();
    wire.simple("begin; insert into sink values ('deaf')")
        .unwrap();
    let mut script = Script::new();
    script.parse("s", "select repeat('x', 7000)", &[]);
    // More than sockets hold.
    for _ in 0..2_500 {
        script.bind("", "s", &Parameters::NONE);
        script.execute("", 0).flush();
    }
    wire.send_script(&script).unwrap();
    eventually("it is at work", || running("repeat(") == "1");
    eventually("its connection is free", || leased(&proxy) == 0.0);
    assert_eq!(lines("deaf"), "0");
    assert_sane(&proxy);
}

/// What comes of a copy after its server has given it up is data, never messages.
#[test]
fn the_rest_of_a_copy_is_never_taken_for_messages() {
    let proxy = proxy("limits: { statement_timeout: 300ms }", "", "");
    let mut wire = Wire::connect(proxy.port).unwrap();
    wire.simple("copy picky from stdin").unwrap();
    let mut query = Script::new();
    query.query("insert into sink values ('injected')");
    wire.send(b"d\0\0\0\x09boom\nd\0\0\x10\0x").unwrap();
    let error = until(&mut wire, b'E').pop().unwrap();
    assert_eq!(error.field(b'C').as_deref(), Some("P0001"));
    let error = until(&mut wire, b'E').pop().unwrap();
    assert_eq!(error.field(b'V').as_deref(), Some("FATAL"), "{error:?}");
    // Whether the connection still takes it depends on when it is closed.
    let _ = wire.send_script(&query);
    while wire.reply().is_ok() {}
    assert_eq!(lines("injected"), "0");
    assert_sane(&proxy);
}

/// A client whose next statement is here before the answer to the last one is out.
#[test]
fn who_never_pauses_hears_of_changes_and_of_the_end() {
    let mut proxy = proxy("limits: { idle_session_timeout: 1h }", "", "");
    let mut wire = Wire::connect(proxy.port).unwrap();
    let mut round = Script::new();
    round.sync().parse("", "select 1", &[]);
    round.bind("", "", &Parameters::NONE).execute("", 0);
    for _ in 0..3 {
        wire.run(&round).unwrap();
    }
    let text = std::fs::read_to_string(&proxy.config).unwrap();
    let changed = text.replace(
        "limits: { idle_session_timeout: 1h }",
        "limits: { idle_in_transaction_session_timeout: 500ms }",
    );
    std::fs::write(&proxy.config, changed).unwrap();
    proxy.signal("HUP");
    eventually("reloaded", || {
        proxy.log().contains("configuration reloaded")
    });
    for _ in 0..3 {
        wire.run(&round).unwrap();
    }
    wire.stream
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    let error = wire.reply().unwrap();
    assert_eq!(error.field(b'C').as_deref(), Some("25P03"), "{error:?}");
    let mut wire = Wire::connect(proxy.port).unwrap();
    wire.run(&round).unwrap();
    proxy.signal("TERM");
    let started = Instant::now();
    let error = loop {
        assert!(started.elapsed() < AT_ONCE, "it is not told");
        let replies = wire.run(&round);
        match replies {
            Ok(replies) if code(&replies).is_none() => {}
            Ok(replies) => break code(&replies),
            Err(_) => break None,
        }
    };
    // Told in any case; that it is read before a write fails is not for us to say.
    assert!(error.is_none_or(|code| code == "57P01"));
    assert!(proxy.wait(AT_ONCE).unwrap().success());
}

/// The head of a Bind of the unnamed statement with one value of this length.
fn bind_head(length: u32) -> Vec<u8> {
    let mut bind = b"B".to_vec();
    bind.extend((4 + 2 + 4 + 4 + length + 2).to_be_bytes());
    bind.extend([0, 0, 0, 0, 0, 1]);
    bind.extend(length.to_be_bytes());
    bind
}

/// Ends a thread's loop when it goes.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Whoever needs the only server connection gets it in the end; slow ones had it until then.
fn assert_it_comes_free(proxy: &Proxy, slow: &str, other: &mut Wire) {
    eventually(&format!("{slow} holds the connection"), || {
        leased(proxy) == 1.0
    });
    eventually(&format!("{slow} holds it no longer"), || {
        code(&other.simple("select 1 from sink").unwrap()).is_none()
    });
}

#[test]
fn slow_clients_hold_their_server_connection_no_longer_than_a_statement_may_take() {
    let proxy = proxy(
        "limits: { statement_timeout: 1s }",
        "    pool: { size: 1, wait: 1s }",
        "",
    );
    let mut other = Wire::connect(proxy.port).unwrap();
    // 100 kB pass through as they come, with a server at the other end.
    let mut trickling = Wire::connect(proxy.port).unwrap();
    let mut stalled = Wire::connect(proxy.port).unwrap();
    let mut script = Script::new();
    script.parse("", "select length($1), 1 from sink limit 0", &[25]);
    trickling.send_script(&script).unwrap();
    trickling.send(&bind_head(100_000)).unwrap();
    trickling.send(&[b'x'; 70_000]).unwrap();
    let done = AtomicBool::new(false);
    let trickled = thread::scope(|scope| {
        let trickle = scope.spawn(|| {
            let mut trickled = 0;
            while !done.load(Ordering::Relaxed) {
                (&trickling.stream).write_all(b"x").unwrap();
                trickled += 1;
                thread::sleep(Duration::from_millis(20));
            }
            trickled
        });
        // Also where it fails.
        let ended = Done(&done);
        assert_it_comes_free(&proxy, "a trickle", &mut other);
        drop(ended);
        trickle.join().unwrap()
    });
    trickling.send(&vec![b'x'; 30_000 - trickled]).unwrap();
    trickling.send(&[0, 0]).unwrap();
    let mut rest = Script::new();
    let told = trickling.run(rest.execute("", 0).sync()).unwrap();
    assert_eq!(code(&told).as_deref(), Some("57014"), "{told:?}");
    start(
        &mut stalled,
        "select repeat('x', 1000000) from generate_series(1, 200)",
    );
    assert_it_comes_free(&proxy, "a stalled reader", &mut other);
    assert_sane(&proxy);
}
