//! Sessions that move from one runtime to another, and server connections that go along.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use integration_tests::wire::{Parameters, Reply, Script, Wire, cancel};
use integration_tests::{Cluster, PATIENCE, Proxy, ProxyOptions, Setup, eventually};

fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| Cluster::start(&Setup::default()))
}

fn with_workers(workers: &str, pool: &str) -> Proxy {
    let options = ProxyOptions {
        database: format!("    pool: {{ {pool} }}"),
        environment: vec![("TRUNKLINE_WORKERS".to_owned(), workers.to_owned())],
        ..ProxyOptions::default()
    };
    Proxy::start(cluster(), &options)
}

/// A statement whose text is so long that it is not planned by a worker.
fn long(select: &str) -> String {
    format!("select /* {} */ {select}", "x".repeat(100_000))
}

fn values(replies: &[Reply]) -> Vec<String> {
    let rows = replies.iter().filter(|reply| reply.tag == b'D');
    rows.map(|row| String::from_utf8_lossy(&row.body[6..]).into_owned())
        .collect()
}

fn code(replies: &[Reply]) -> Option<String> {
    let error = replies.iter().find(|reply| reply.tag == b'E');
    error.and_then(|error| error.field(b'C'))
}

/// What a statement of one column returns, which is to succeed.
fn ask(client: &mut Wire, sql: &str) -> Vec<String> {
    let replies = client.simple(sql).unwrap();
    assert_eq!(code(&replies), None, "{replies:?}");
    values(&replies)
}

fn assert_sane(proxy: &Proxy) {
    assert!(!proxy.log().contains("panicked"), "{}", proxy.log());
}

fn sessions(proxy: &Proxy, worker: u16) -> Option<f64> {
    proxy.metric(&format!("trunkline_worker_sessions{{worker=\"{worker}\"}}"))
}

#[test]
fn a_session_takes_along_what_it_has() {
    for pool in ["size: 2", "size: 2, mode: session"] {
        moves_with_all_it_has(&with_workers("2", pool));
    }
}

fn moves_with_all_it_has(proxy: &Proxy) {
    let mut client = Wire::connect(proxy.port).unwrap();
    ask(&mut client, "set application_name = 'mover'");
    let mut script = Script::new();
    script.parse("named", "select 'prepared'::text", &[]).sync();
    assert_eq!(code(&client.run(&script).unwrap()), None);
    for round in 0..20 {
        let marker = format!("'{round}'::text");
        assert_eq!(ask(&mut client, &long(&marker)), [round.to_string()]);
        assert_eq!(ask(&mut client, "show application_name"), ["mover"]);
        let mut script = Script::new();
        script
            .bind("", "named", &Parameters::NONE)
            .execute("", 0)
            .sync();
        assert_eq!(values(&client.run(&script).unwrap()), ["prepared"]);
        // In the middle of a transaction its server connection stays with it.
        ask(&mut client, "begin");
        let backend = ask(&mut client, "select pg_backend_pid()");
        assert_eq!(ask(&mut client, &long("pg_backend_pid()")), backend);
        assert_eq!(ask(&mut client, "select pg_backend_pid()"), backend);
        ask(&mut client, "commit");
        // What was sent behind a long text comes after it.
        let mut script = Script::new();
        script
            .query(&long("'first'::text"))
            .query("select 'second'::text");
        client.send_script(&script).unwrap();
        assert_eq!(values(&client.replies().unwrap()), ["first"]);
        assert_eq!(values(&client.replies().unwrap()), ["second"]);
        // A long Parse within a pipeline.
        let mut script = Script::new();
        script
            .parse("", "select 'ahead'::text", &[])
            .bind("", "", &Parameters::NONE)
            .execute("", 0)
            .parse("", &long("'behind'::text"), &[])
            .bind("", "", &Parameters::NONE)
            .execute("", 0)
            .sync();
        assert_eq!(values(&client.run(&script).unwrap()), ["ahead", "behind"]);
    }
    assert_sane(proxy);
}

#[test]
fn a_session_that_has_moved_is_still_reached() {
    let proxy = with_workers("2", "size: 2");
    let mut client = Wire::connect(proxy.port).unwrap();
    let key = client.key;
    for sql in [
        "select pg_sleep(60)".to_owned(),
        long("pg_sleep(60)"),
        "select pg_sleep(60)".to_owned(),
    ] {
        let mut script = Script::new();
        script.query(&sql);
        client.send_script(&script).unwrap();
        thread::sleep(Duration::from_millis(200));
        let started = Instant::now();
        cancel(proxy.port, key);
        assert_eq!(code(&client.replies().unwrap()).as_deref(), Some("57014"));
        assert!(started.elapsed() < PATIENCE);
    }
    assert_eq!(ask(&mut client, "select 1"), ["1"]);
    assert_sane(&proxy);
}

/// Much to read for the proxy and next to nothing for a server: the workers, not the servers, are to be busy.
fn work(number: usize) -> String {
    format!("/* {number} {} */", "much to read ".repeat(2_000))
}

/// More clients than server connections, more work than one worker has time for: sessions spread, connections go
/// from hand to hand between the workers, and everybody gets its own answers.
#[test]
fn busy_sessions_spread_and_get_their_own_answers() {
    let proxy = with_workers("3", "size: 5");
    let (done, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for number in 0..24 {
            let (done, answered, port) = (&done, &answered, proxy.port);
            scope.spawn(move || {
                let mut client = Wire::connect(port).unwrap();
                let name = format!("client {number}");
                ask(&mut client, &format!("set application_name = '{name}'"));
                for round in 0.. {
                    if done.load(Ordering::Relaxed) {
                        break;
                    }
                    let marker = format!("{number} {round}");
                    let found = ask(
                        &mut client,
                        &format!("select '{marker}'::text {}", work(number + round)),
                    );
                    assert_eq!(found, [marker.as_str()]);
                    if round % 16 == 0 {
                        ask(&mut client, "begin");
                        assert_eq!(ask(&mut client, "show application_name"), [name.as_str()]);
                        ask(&mut client, "commit");
                    }
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        eventually("sessions are with two workers at least", || {
            let workers = (1..=3).filter(|worker| sessions(&proxy, *worker) > Some(0.0));
            workers.count() >= 2
        });
        let before = answered.load(Ordering::Relaxed);
        eventually("they go on", || {
            answered.load(Ordering::Relaxed) > before + 2_000
        });
        done.store(true, Ordering::Relaxed);
    });
    eventually("nobody is left", || {
        (1..=3).all(|worker| sessions(&proxy, worker) == Some(0.0))
    });
    let busy = proxy.metric("trunkline_worker_busy_seconds_total{worker=\"1\"}");
    assert!(busy > Some(0.0), "{busy:?}");
    assert_sane(&proxy);
}

#[test]
fn without_workers_all_share_one_runtime() {
    let proxy = with_workers("0", "size: 2");
    let mut client = Wire::connect(proxy.port).unwrap();
    assert_eq!(ask(&mut client, &long("1")), ["1"]);
    assert_eq!(ask(&mut client, "select 2"), ["2"]);
    assert_eq!(sessions(&proxy, 1), None);
    assert_sane(&proxy);
}
