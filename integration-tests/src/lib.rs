//! The harness of the integration tests: real PostgreSQL clusters, the real binary, and one
//! PostgreSQL with all the rows as the oracle.
//!
//! Every test binary starts what it needs in a temporary directory on free ports, once, and shares
//! it among its tests through a `static`. Nothing has to be cleaned up by hand: servers, proxies and
//! directories are watched over, and go away with the process however it ends.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set up its world should stop there"
)]

use std::thread;
use std::time::{Duration, Instant};

pub mod case;
pub mod client;
pub mod clients;
pub mod cluster;
pub mod drivers;
pub mod fault;
pub mod oracle;
pub mod pair;
pub mod proxy;
pub mod random;
pub mod subject;
pub mod wire;
pub mod world;

pub use cluster::{Cluster, Placement, Setup};
pub use fault::Fault;
pub use proxy::{Proxy, ProxyOptions};
pub use random::Random;
pub use subject::Subject;
pub use world::{Kind, World};

/// How long a test waits for what is bound to come.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until something holds; fails after [`PATIENCE`].
pub fn eventually(what: &str, holds: impl FnMut() -> bool) {
    eventually_within(PATIENCE, what, holds);
}

/// As [`eventually`], with another patience.
pub fn eventually_within(patience: Duration, what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + patience;
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        thread::sleep(Duration::from_millis(30));
    }
}
