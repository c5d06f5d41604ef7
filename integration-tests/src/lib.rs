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

pub mod client;
pub mod clients;
pub mod cluster;
pub mod drivers;
pub mod fault;
pub mod oracle;
pub mod pair;
pub mod proxy;
pub mod subject;
pub mod wire;

pub use cluster::{Cluster, Setup};
pub use fault::Fault;
pub use proxy::{Proxy, ProxyOptions};
pub use subject::Subject;
