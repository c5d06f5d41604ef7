//! Many clients, one after the other and at once: nothing leaks.
//!
//! `SOAK_CONNECTS` and `SOAK_IDLE` set the numbers; the defaults are for every run, 10,000 and 2,000 are
//! what the proxy is meant for.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use integration_tests::client::{connect_as, texts};
use integration_tests::wire::Wire;
use integration_tests::{Cluster, Proxy, ProxyOptions, Setup};

const PATIENCE: Duration = Duration::from_secs(30);

/// At once, connecting or at work.
const BUSY: usize = 16;

/// What a debug build may take for each idle client, in KiB.
const IDLE_KIB_MAX: f64 = 24.0;

/// What resident memory may grow by while thousands come and go, in KiB.
const CHURN_KIB_MAX: u64 = 8 * 1024;

fn number(name: &str, default: usize) -> usize {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
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

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        thread::sleep(Duration::from_millis(50));
    }
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
    let connects = number("SOAK_CONNECTS", 200);
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

#[test]
fn hundreds_idle_while_some_work() {
    let _alone = alone();
    let proxy = proxy();
    let idle = number("SOAK_IDLE", 150);
    churn(&proxy, 100);
    eventually("they have left", || {
        proxy.metric("trunkline_client_connections") == Some(0.0)
    });
    let (memory, open) = (resident_kib(&proxy), descriptors(&proxy));
    let clients: Vec<_> = (0..idle)
        .map(|_| Wire::connect(proxy.port).unwrap())
        .collect();
    // Long enough for buffers to be given back.
    thread::sleep(Duration::from_secs(4));
    let each = resident_kib(&proxy).saturating_sub(memory) as f64 / idle as f64;
    let stop = AtomicBool::new(false);
    let statements = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..BUSY {
            scope.spawn(|| {
                let mut wire = Wire::connect(proxy.port).unwrap();
                while !stop.load(Ordering::Relaxed) {
                    assert_eq!(wire.simple("select 1").unwrap().len(), 4);
                    statements.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let enough = || statements.load(Ordering::Relaxed) > 1_000;
        let deadline = Instant::now() + PATIENCE;
        while !enough() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(20));
        }
        stop.store(true, Ordering::Relaxed);
    });
    let statements = statements.into_inner();
    println!("{idle} idle clients: {each:.1} KiB each; beside them {statements} statements");
    assert!(statements > 1_000, "the busy ones work");
    assert!(server_connections() <= 8);
    assert!(each < IDLE_KIB_MAX, "{each} KiB for each idle client");
    drop(clients);
    eventually("they have left", || {
        proxy.metric("trunkline_client_connections") == Some(0.0)
    });
    eventually("their descriptors are closed", || {
        descriptors(&proxy) <= open + 8
    });
    assert!(!proxy.log().contains("panicked"), "{}", proxy.log());
}
