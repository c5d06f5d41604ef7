//! Server connections: how many, for how long, and what happens when they break.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use integration_tests::client::{connect_as, texts};
use integration_tests::wire::{Reply, Script, Wire, cancel};
use integration_tests::{Cluster, Proxy, ProxyOptions, Setup, eventually};
use trunkline::internals::cluster::Shutdown;

fn shared() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| Cluster::start(&Setup::default()))
}

fn with_pool(cluster: &Cluster, pool: &str) -> Proxy {
    let options = ProxyOptions {
        database: format!("    pool: {{ {pool} }}"),
        ..ProxyOptions::default()
    };
    Proxy::start(cluster, &options)
}

fn code(replies: &[Reply]) -> Option<String> {
    error(replies).and_then(|error| error.field(b'C'))
}

fn error(replies: &[Reply]) -> Option<&Reply> {
    replies.iter().find(|reply| reply.tag == b'E')
}

fn column(replies: &[Reply]) -> Vec<String> {
    let rows = replies.iter().filter(|reply| reply.tag == b'D');
    rows.map(|row| String::from_utf8_lossy(&row.body[6..]).into_owned())
        .collect()
}

fn start(wire: &mut Wire, sql: &str) {
    let mut script = Script::new();
    script.query(sql);
    wire.send_script(&script).unwrap();
}

/// Asks a server directly.
fn ask(port: u16, sql: &str) -> String {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let client = connect_as(port, "postgres", "postgres", "app").await;
        texts(&client, sql).await[0][0].clone().unwrap_or_default()
    })
}

const SLEEPING: &str =
    "select count(*) from pg_stat_activity where state = 'active' and query ~ '^select pg_sleep'";

fn assert_sane(proxy: &Proxy) {
    assert!(!proxy.log().contains("panicked"), "{}", proxy.log());
}

#[test]
fn who_waits_too_long_is_told() {
    let proxy = with_pool(shared(), "size: 1, wait: 300ms");
    let mut holder = Wire::connect(proxy.port).unwrap();
    let mut other = Wire::connect(proxy.port).unwrap();
    holder.simple("begin; select 1").unwrap();
    let started = Instant::now();
    let replies = other.simple("select 1").unwrap();
    assert_eq!(code(&replies).as_deref(), Some("53300"), "{replies:?}");
    assert!(
        (300..3000).contains(&started.elapsed().as_millis()),
        "{:?}",
        started.elapsed()
    );
    // BEGIN alone holds nothing, and a wait that ends in time ends well.
    holder.simple("commit").unwrap();
    holder.simple("begin").unwrap();
    assert_eq!(code(&other.simple("select 1").unwrap()), None);
    let mut third = Wire::connect(proxy.port).unwrap();
    holder.simple("select 1").unwrap();
    start(&mut third, "select 1");
    thread::sleep(Duration::from_millis(80));
    holder.simple("commit").unwrap();
    assert_eq!(code(&third.replies().unwrap()), None);
    assert_eq!(
        ask(
            shared().primary_port(0),
            "select count(*) from pg_stat_activity where usename = 'nobody'"
        ),
        "0"
    );
    assert_sane(&proxy);
}

/// Connections of a role of its own, so that other tests do not count.
#[test]
fn connections_are_kept_and_replaced() {
    let cluster = Cluster::start(&Setup {
        shards: 1,
        sample: None,
        ..Setup::default()
    });
    let port = cluster.primary_port(0);
    let proxy = with_pool(&cluster, "size: 3, min: 2, lifetime: 5s, idle: 1s");
    let count = || {
        ask(
            port,
            "select count(*) from pg_stat_activity where usename = 'app'",
        )
    };
    eventually("the minimum is there before any client", || count() == "2");
    let pids = || {
        ask(
            port,
            "select string_agg(pid::text, ' ' order by pid) from pg_stat_activity where usename = 'app'",
        )
    };
    let first = pids();
    let mut clients: Vec<_> = (0..6).map(|_| Wire::connect(proxy.port).unwrap()).collect();
    clients
        .iter_mut()
        .for_each(|client| start(client, "select pg_sleep(0.2)"));
    eventually("never more than the size", || count() == "3");
    clients
        .iter_mut()
        .for_each(|client| assert_eq!(code(&client.replies().unwrap()), None));
    assert_eq!(count(), "3");
    eventually("idle ones are closed down to the minimum", || {
        count() == "2"
    });
    eventually("old ones are replaced", || {
        count() == "2" && first.split(' ').all(|pid| !pids().contains(pid))
    });
    assert_sane(&proxy);
}

#[test]
fn a_terminated_connection() {
    let proxy = with_pool(shared(), "size: 1");
    let mut client = Wire::connect(proxy.port).unwrap();
    let pid = column(&client.simple("select pg_backend_pid()").unwrap()).remove(0);
    // Idle: replaced, and the client does not notice.
    ask(
        shared().primary_port(0),
        &format!("select pg_terminate_backend({pid}, 5000)"),
    );
    thread::sleep(Duration::from_millis(100));
    let pid = column(&client.simple("select pg_backend_pid()").unwrap()).remove(0);
    // In a transaction, idle.
    client.simple("begin").unwrap();
    let id = shared().organization_on(0);
    client
        .simple(&format!(
            "select name from organizations where organization_id = {id}"
        ))
        .unwrap();
    ask(
        shared().primary_port(0),
        &format!("select pg_terminate_backend({pid}, 5000)"),
    );
    let replies = client.simple("select 1").unwrap();
    assert!(
        error(&replies).unwrap().field(b'M').unwrap().contains("s1"),
        "{replies:?}"
    );
    assert_eq!(code(&replies).as_deref(), Some("08006"), "{replies:?}");
    assert_eq!(replies.last().unwrap().body, b"E");
    assert_eq!(
        code(&client.simple("select 1").unwrap()).as_deref(),
        Some("25P02")
    );
    assert_eq!(client.simple("commit").unwrap()[0].body, b"ROLLBACK\0");
    // While a statement runs.
    let pid = column(&client.simple("select pg_backend_pid()").unwrap()).remove(0);
    start(&mut client, "select pg_sleep(20)");
    thread::sleep(Duration::from_millis(300));
    ask(
        shared().primary_port(0),
        &format!("select pg_terminate_backend({pid}, 5000)"),
    );
    let replies = client.replies().unwrap();
    assert_eq!(code(&replies).as_deref(), Some("08006"), "{replies:?}");
    assert_eq!(replies.last().unwrap().body, b"I");
    assert_eq!(code(&client.simple("select 1").unwrap()), None);
    assert_sane(&proxy);
}

#[test]
fn servers_come_and_go() {
    let mut cluster = Cluster::start(&Setup {
        replicas: 1,
        shards: 2,
        ..Setup::default()
    });
    let id = (cluster.organization_on(0), cluster.organization_on(1));
    let proxy = with_pool(&cluster, "size: 3, wait: 2s, connect: 2s");
    let sql = |id: i64| format!("select name from organizations where organization_id = {id}");
    let mut client = Wire::connect(proxy.port).unwrap();
    let mut other = Wire::connect(proxy.port).unwrap();
    for one in [&mut client, &mut other] {
        one.simple(&sql(id.0)).unwrap();
        one.simple(&sql(id.1)).unwrap();
    }
    // A restart between two statements.
    cluster.shards[1].server_mut(0).stop(Shutdown::Fast);
    cluster.shards[1].start(0).unwrap();
    eventually("the server is back", || {
        code(&other.simple(&sql(id.1)).unwrap()).is_none()
    });
    assert_eq!(code(&client.simple(&sql(id.1)).unwrap()), None);
    // A crash: the shard's statements fail, the others do not.
    client.simple("begin").unwrap();
    client.simple(&sql(id.1)).unwrap();
    cluster.shards[1].server_mut(0).kill();
    // Its backends notice a moment later.
    thread::sleep(Duration::from_millis(300));
    assert_eq!(
        code(&client.simple("select 1").unwrap()).as_deref(),
        Some("08006")
    );
    assert_eq!(
        code(&client.simple(&sql(id.0)).unwrap()).as_deref(),
        Some("25P02")
    );
    assert_eq!(client.simple("rollback").unwrap()[0].body, b"ROLLBACK\0");
    assert_eq!(code(&client.simple(&sql(id.0)).unwrap()), None);
    let replies = other.simple(&sql(id.1)).unwrap();
    let told = error(&replies).unwrap();
    assert!(told.field(b'M').unwrap().contains("s2"), "{told:?}");
    assert_eq!(code(&other.simple(&sql(id.0)).unwrap()), None);
    cluster.shards[1].promote(1).unwrap();
    let promoted = Instant::now();
    eventually("statements work after the promotion", || {
        code(&client.simple(&sql(id.1)).unwrap()).is_none()
    });
    println!("worked {:?} after the promotion", promoted.elapsed());
    assert_eq!(
        code(
            &client
                .simple(&format!(
                    "update organizations set name = 'new' where organization_id = {}",
                    id.1
                ))
                .unwrap()
        ),
        None
    );
    assert_eq!(code(&other.simple(&sql(id.1)).unwrap()), None);
    assert_sane(&proxy);
}

#[test]
fn cancel_reaches_its_own_statement_only() {
    let proxy = with_pool(shared(), "size: 1, wait: 10s");
    let mut client = Wire::connect(proxy.port).unwrap();
    let mut other = Wire::connect(proxy.port).unwrap();
    let started = Instant::now();
    // Running.
    start(&mut client, "select pg_sleep(20.1)");
    thread::sleep(Duration::from_millis(200));
    cancel(proxy.port, (client.key.0, client.key.1 ^ 1));
    cancel(proxy.port, (client.key.0 + 1000, client.key.1));
    // Waiting for the connection the first one holds.
    start(&mut other, "select 1");
    thread::sleep(Duration::from_millis(200));
    cancel(proxy.port, other.key);
    assert_eq!(code(&other.replies().unwrap()).as_deref(), Some("57014"));
    cancel(proxy.port, client.key);
    assert_eq!(code(&client.replies().unwrap()).as_deref(), Some("57014"));
    assert!(started.elapsed() < Duration::from_secs(8));
    // Late: the one who uses the connection now is another.
    start(&mut other, "select pg_sleep(0.5)");
    thread::sleep(Duration::from_millis(100));
    for _ in 0..5 {
        cancel(proxy.port, client.key);
    }
    assert_eq!(code(&other.replies().unwrap()), None);
    // And between statements it means nothing for the next.
    cancel(proxy.port, client.key);
    assert_eq!(code(&client.simple("select 1").unwrap()), None);
    assert_sane(&proxy);
}

/// Statements and cancels as fast as they go: whoever is canceled asked for it.
#[test]
fn cancels_under_way_hit_nobody_else() {
    let proxy = with_pool(shared(), "size: 1, wait: 10s");
    let port = proxy.port;
    let mut victim = Wire::connect(port).unwrap();
    let key = victim.key;
    let until = Instant::now() + Duration::from_secs(3);
    let canceling = thread::spawn(move || {
        while Instant::now() < until {
            cancel(port, key);
        }
    });
    let quiet = thread::spawn(move || {
        let mut wire = Wire::connect(port).unwrap();
        let mut ran = 0;
        while Instant::now() < until {
            let replies = wire.simple("select pg_sleep(0.002)").unwrap();
            assert_eq!(code(&replies), None, "{replies:?}");
            ran += 1;
        }
        ran
    });
    let mut hits = 0;
    while Instant::now() < until {
        match code(&victim.simple("select pg_sleep(0.005)").unwrap()).as_deref() {
            None => {}
            Some("57014") => hits += 1,
            Some(other) => panic!("{other}"),
        }
    }
    canceling.join().unwrap();
    println!("{hits} canceled, {} not", quiet.join().unwrap());
    assert!(hits > 0);
    assert_sane(&proxy);
}

#[test]
fn a_client_that_vanishes_has_its_statement_canceled() {
    let proxy = with_pool(shared(), "size: 1, wait: 5s");
    let mut client = Wire::connect(proxy.port).unwrap();
    start(&mut client, "select pg_sleep(31)");
    let sleeping = || {
        ask(
            shared().primary_port(0),
            &SLEEPING.replace("pg_sleep", "pg_sleep.31"),
        )
    };
    eventually("it runs", || sleeping() == "1");
    drop(client);
    eventually("it is canceled", || sleeping() == "0");
    assert_eq!(
        code(
            &Wire::connect(proxy.port)
                .unwrap()
                .simple("select 1")
                .unwrap()
        ),
        None
    );
    assert_sane(&proxy);
}
