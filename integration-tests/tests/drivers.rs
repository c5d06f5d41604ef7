//! Drivers as people use them, unmodified, see through the proxy what they see on one PostgreSQL.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::sync::{Mutex, MutexGuard, PoisonError};

use integration_tests::{Cluster, ProxyOptions, Setup, Subject, drivers};

/// The drivers write the same rows, so they run one after the other.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn start() -> (MutexGuard<'static, ()>, Subject, Cluster) {
    let alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let cluster = Cluster::start(&Setup {
        everywhere: "create table accounts (organization_id bigint primary key, balance int not null
                                            check (balance >= 0), note text)",
        default_shard: "create table notes (note_id int primary key, body text, at timestamptz);
                        insert into notes select n, 'note ' || n, '2025-01-01' from generate_series(1, 50) n",
        ..Setup::default()
    });
    let options = ProxyOptions {
        tables: vec!["accounts".to_owned()],
        ..ProxyOptions::default()
    };
    (alone, Subject::start(&cluster, &options), cluster)
}

#[test]
fn python() {
    let (_alone, subject, cluster) = start();
    drivers::python(
        subject.port(),
        cluster.oracle.port(),
        subject.proxy().is_some(),
    );
}

#[test]
fn node() {
    let (_alone, subject, cluster) = start();
    drivers::node(
        subject.port(),
        cluster.oracle.port(),
        subject.proxy().is_some(),
    );
}
