//! Many clients, one after the other and at once: nothing leaks.
//!
//! `SOAK_CONNECTS` sets how many come and go: the default is for every run, 10,000 is what the proxy is meant
//! for. The memory of idle clients is judged by the kind of build: with `TRUNKLINE_BIN=target/release/trunkline`
//! as it is in use.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use integration_tests::client::{connect_as, texts};
use integration_tests::wire::{Format, Parameters, Wire};
use integration_tests::{Cluster, Proxy, ProxyOptions, Setup, eventually};

/// At once, connecting or at work.
const BUSY: usize = 16;

const IDLE: usize = 2_000;

/// What each client that has logged in may take, in KiB.
const IDLE_KIB_MAX: f64 = 8.0;

/// The same of those that have all worked at once before: the allocator keeps room of what is free again.
const RESTING_KIB_MAX: f64 = 24.0;

/// How long the busy ones work: until memory is warm, and while it is watched.
const WARM_UP: Duration = Duration::from_secs(2);
const WATCHED: Duration = Duration::from_secs(4);

/// What resident memory may grow by while they are watched, in KiB: a leak of a hundred bytes for each
/// statement would be more.
const BUSY_KIB_MAX: u64 = 1_024;

/// What resident memory may grow by while thousands come and go, in KiB.
const CHURN_KIB_MAX: u64 = 8 * 1024;

fn number(name: &str, default: usize) -> usize {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

/// This process holds the other end of every connection.
fn raise_descriptors() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, raised).unwrap();
}

fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        Cluster::start(&Setup {
            sample: None,
            ..Setup::default()
        })
    })
}

fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn proxy() -> Proxy {
    let options = ProxyOptions {
        database: "    pool: { size: 8, wait: 60s }".to_owned(),
        ..ProxyOptions::default()
    };
    Proxy::start(cluster(), &options)
}

fn resident_kib(proxy: &Proxy) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", proxy.pid())).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    line.trim_matches(|c: char| !c.is_ascii_digit())
        .parse()
        .unwrap()
}

fn descriptors(proxy: &Proxy) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", proxy.pid()))
        .unwrap()
        .count()
}

fn server_connections() -> usize {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let client = connect_as(cluster().primary_port(0), "postgres", "postgres", "app").await;
        let sql = "select count(*) from pg_stat_activity where usename = 'app'";
        texts(&client, sql).await[0][0]
            .clone()
            .unwrap()
            .parse()
            .unwrap()
    })
}

/// Connects, logs in, runs a statement, leaves; so many times, by several threads.
fn churn(proxy: &Proxy, connects: usize) {
    let left = AtomicU64::new(connects as u64);
    let take = || left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
    thread::scope(|scope| {
        for _ in 0..BUSY {
            scope.spawn(|| {
                while let Ok(at) = take() {
                    let mut wire = Wire::connect(proxy.port).unwrap();
                    assert_eq!(wire.simple("select 1").unwrap().len(), 4);
                    // Some say goodbye, some do not.
                    if at % 2 == 0 {
                        wire.close().unwrap();
                    }
                }
            });
        }
    });
}

#[test]
fn thousands_come_and_go() {
    let _alone = alone();
    let proxy = proxy();
    let connects = number("SOAK_CONNECTS", 1_000);
    churn(&proxy, connects / 5);
    eventually("they have left", || {
        proxy.metric("trunkline_client_connections") == Some(0.0)
    });
    let (memory, open) = (resident_kib(&proxy), descriptors(&proxy));
    let started = Instant::now();
    churn(&proxy, connects);
    let took = started.elapsed();
    eventually("they have left", || {
        proxy.metric("trunkline_client_connections") == Some(0.0)
    });
    eventually("their descriptors are closed", || {
        descriptors(&proxy) <= open + 2
    });
    let growth = resident_kib(&proxy).saturating_sub(memory);
    println!(
        "{connects} connects in {took:?}: grew by {growth} KiB from {memory} KiB, {open} descriptors"
    );
    assert!(growth < CHURN_KIB_MAX, "grew by {growth} KiB");
    assert!(server_connections() <= 8);
    assert!(!proxy.log().contains("panicked"), "{}", proxy.log());
}

/// Clients that log in and do nothing.
fn idlers(proxy: &Proxy) -> Vec<Wire> {
    let each = IDLE / BUSY;
    thread::scope(|scope| {
        let threads: Vec<_> = (0..BUSY)
            .map(|_| {
                scope.spawn(move || {
                    let connect = |_| Wire::connect(proxy.port).unwrap();
                    (0..each).map(connect).collect::<Vec<_>>()
                })
            })
            .collect();
        let joined = threads.into_iter().map(|thread| thread.join().unwrap());
        joined.flatten().collect()
    })
}

/// Runs statements and checks each answer until told to stop.
fn work(proxy: &Proxy, seed: usize, stop: &AtomicBool, statements: &AtomicU64) {
    const INT4: u32 = 23;
    let mut wire = Wire::connect(proxy.port).unwrap();
    let mut number = seed * 1_000_000;
    while !stop.load(Ordering::Relaxed) {
        number += 1;
        let value = number.to_string();
        let parameters = Parameters {
            types: &[INT4],
            values: &[Some(value.as_bytes())],
            given: Format::Text,
            wanted: Format::Text,
        };
        let replies = wire.extended("select $1 + 1", &parameters).unwrap();
        let rows: Vec<_> = replies.iter().filter(|reply| reply.tag == b'D').collect();
        let answer = (number + 1).to_string();
        assert_eq!(rows.len(), 1, "{replies:?}");
        // One column: its number and length, then the value.
        assert_eq!(&rows[0].body[6..], answer.as_bytes());
        statements.fetch_add(1, Ordering::Relaxed);
    }
}

/// Seconds of processor the proxy has used.
fn processor_seconds(proxy: &Proxy) -> f64 {
    // Of `clock_t`, which is a hundredth of a second on every Linux.
    const TICKS: f64 = 100.0;
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", proxy.pid())).unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
    // utime and stime are the 14th and 15th of proc(5); two come before the bracket.
    [11, 12]
        .map(|at: usize| fields[at].parse::<f64>().unwrap())
        .iter()
        .sum::<f64>()
        / TICKS
}

#[test]
fn thousands_idle_while_some_work() {
    let _alone = alone();
    raise_descriptors();
    let proxy = proxy();
    churn(&proxy, 200);
    eventually("they have left", || {
        proxy.metric("trunkline_client_connections") == Some(0.0)
    });
    let (memory, open) = (resident_kib(&proxy), descriptors(&proxy));
    let mut clients = idlers(&proxy);
    let count = clients.len() as f64;
    let taken = || resident_kib(&proxy).saturating_sub(memory) as f64 / count;
    // Long enough for all to doze off: so much is given back then, or never was taken.
    let doze = || thread::sleep(Duration::from_secs(4));
    doze();
    let each = taken();
    for wire in &mut clients {
        assert_eq!(wire.simple("select 1").unwrap().len(), 4);
    }
    doze();
    let rested = taken();
    let used = processor_seconds(&proxy);
    thread::sleep(Duration::from_secs(2));
    let idle_load = (processor_seconds(&proxy) - used) / 2.0;
    let stop = AtomicBool::new(false);
    let statements = AtomicU64::new(0);
    let grown = thread::scope(|scope| {
        for seed in 0..BUSY {
            let (proxy, stop, statements) = (&proxy, &stop, &statements);
            scope.spawn(move || work(proxy, seed, stop, statements));
        }
        thread::sleep(WARM_UP);
        let warm = resident_kib(&proxy);
        thread::sleep(WATCHED);
        let grown = resident_kib(&proxy).saturating_sub(warm);
        stop.store(true, Ordering::Relaxed);
        grown
    });
    let statements = statements.into_inner();
    println!(
        "{count} idle clients: {each:.1} KiB each, {rested:.1} KiB after a statement, {idle_load:.3} of a core; \
         beside them {statements} statements, which took {grown} KiB"
    );
    assert!(statements > 500, "the busy ones work: {statements}");
    assert!(server_connections() <= 8);
    assert!(each <= IDLE_KIB_MAX, "{each} KiB for each idle client");
    assert!(rested <= RESTING_KIB_MAX, "{rested} KiB after a statement");
    assert!(grown <= BUSY_KIB_MAX, "grew by {grown} KiB");
    assert!(idle_load < 0.2, "idle sessions take {idle_load} of a core");
    drop(clients);
    eventually("they have left", || {
        proxy.metric("trunkline_client_connections") == Some(0.0)
    });
    eventually("their descriptors are closed", || {
        descriptors(&proxy) <= open + 8
    });
    assert!(!proxy.log().contains("panicked"), "{}", proxy.log());
}
