//! The clusters themselves: what the demo and every other test stand on.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::time::{Duration, Instant};

use integration_tests::client::{connect, texts};
use integration_tests::oracle::{assert_rows_in_place, assert_same_rows};
use integration_tests::{Cluster, Setup};
use trunkline::internals::cluster::sample::SHARDED_TABLES;
use trunkline::internals::cluster::{Shutdown, stop_stale};

const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for a replica, whose rows come when they come.
async fn eventually(port: u16, sql: &str, expected: &str) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found = texts(&connect(port).await, sql).await;
        if found == [[Some(expected.to_owned())]] {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "{sql}: {found:?}, expected {expected}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sample_is_where_postgresql_says_it_belongs() {
    let cluster = Cluster::start(&Setup {
        shards: 4,
        ..Setup::default()
    });
    assert_same_rows(&cluster).await;
    assert_rows_in_place(&cluster, &SHARDED_TABLES).await;
    for shard in 0..4 {
        let rows = texts(
            &connect(cluster.primary_port(shard)).await,
            "select count(*) from matches",
        )
        .await;
        assert_ne!(rows, [[Some("0".to_owned())]], "shard {shard} is empty");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn replica_follows_is_promoted_and_followed() {
    let setup = Setup {
        shards: 1,
        replicas: 1,
        sample: None,
        ..Setup::default()
    };
    let mut cluster = Cluster::start(&setup);
    let shard = &mut cluster.shards[0];
    let replica = shard.servers()[1].port();
    let make = "create table t as select 1 as n";
    connect(shard.primary().port())
        .await
        .batch_execute(make)
        .await
        .unwrap();
    eventually(replica, "select pg_is_in_recovery()", "t").await;
    eventually(
        replica,
        "select count(*) from pg_class where relname = 't'",
        "1",
    )
    .await;

    shard.server_mut(0).kill();
    shard.promote(1).unwrap();
    assert_eq!(shard.primary().port(), replica);
    connect(replica)
        .await
        .batch_execute("insert into t values (2)")
        .await
        .unwrap();

    shard.add_replica(0).unwrap();
    let former = shard.servers()[0].port();
    eventually(former, "select count(*) from t", "2").await;
    eventually(former, "select pg_is_in_recovery()", "t").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_server_comes_back_with_its_rows() {
    let setup = Setup {
        shards: 1,
        sample: None,
        ..Setup::default()
    };
    let mut cluster = Cluster::start(&setup);
    let shard = &mut cluster.shards[0];
    let client = connect(shard.primary().port()).await;
    client
        .batch_execute("create table t as select generate_series(1, 10) as n")
        .await
        .unwrap();
    shard.server_mut(0).kill();
    assert!(!shard.server_mut(0).is_running());
    shard.start(0).unwrap();
    eventually(shard.primary().port(), "select count(*) from t", "10").await;
    shard.stop(Shutdown::Fast);
    shard.stop(Shutdown::Fast);
}

/// As after a run that was killed together with its watchdogs.
#[test]
fn server_left_running_is_found_by_its_lock_file() {
    let mut cluster = Cluster::start(&Setup {
        shards: 1,
        sample: None,
        ..Setup::default()
    });
    let server = cluster.shards[0].server_mut(0);
    assert!(server.is_running());
    stop_stale(&server.data()).unwrap();
    // It has left its directory, and is gone in a moment.
    let deadline = Instant::now() + PATIENCE;
    while server.is_running() {
        assert!(Instant::now() < deadline, "it runs on");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(!server.data().join("postmaster.pid").exists());
    // Nothing there any more: nothing to do.
    stop_stale(&server.data()).unwrap();
}
