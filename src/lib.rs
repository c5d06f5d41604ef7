//! Trunkline: a SQL-aware sharding proxy in front of stock PostgreSQL.
//!
//! Modules are listed bottom-up. A module may import only modules listed above it;
//! `tests/layering.rs` reads this list and fails on a line in the wrong room.
//! `ARCHITECTURE.md` tells what each room is for and what it must not know.

#![cfg_attr(
    test,
    allow(
        clippy::disallowed_methods,
        reason = "tests run in runtimes that have timers"
    )
)]

// Layer 1, ground.
// What every error can answer: SQLSTATE, whose fault, is a retry safe.
pub(crate) mod error;
// PostgreSQL data types as far as routing needs them.
pub(crate) mod types;
// Protocol messages over byte buffers, without I/O.
pub(crate) mod wire;
// Every metric family, named and documented in one place.
pub(crate) mod metrics;
// The shard map as a value.
pub(crate) mod shardmap;
// Files and environment become one validated, immutable `Config`.
pub(crate) mod config;

// Layer 2, the pure middle.
// Text to analysed statements.
pub(crate) mod sql;
// The plan as data.
pub(crate) mod plan;
// Statement and shard map become a plan, or a precise refusal.
pub(crate) mod planner;

// Layer 3, the outside world.
// Listeners, sockets, TLS, buffered byte streams with limits.
pub(crate) mod net;
// Password mechanisms, as server and as client.
pub(crate) mod auth;
// One connection to one PostgreSQL server, and the pool of them.
pub(crate) mod backend;
// What is out there now: servers, roles, pools.
pub(crate) mod topology;

// Layer 4, work.
// A client transaction and the shard it is bound to.
pub(crate) mod txn;
// Runs a plan.
pub(crate) mod executor;
// One client's state and the road of a statement.
pub(crate) mod session;
// The console and the views that console, command line and HTTP show.
pub(crate) mod admin;

// Layer 5, serving.
// The client's side of the wire.
pub(crate) mod frontend;
// Metrics endpoint and probes.
pub(crate) mod http;

// Layer 6, assembly.
// Builds everything from a `Config`, reloads, drains, stops.
pub(crate) mod server;
// Real PostgreSQL clusters on this machine, from the system's binaries.
pub(crate) mod cluster;
// `serve`, `check`, `explain`, `demo`.
pub mod cli;

/// Reaches into the modules for the integration-test harness. Not an interface: it may change with
/// every commit.
#[cfg(feature = "internals")]
pub mod internals {
    pub mod cluster {
        pub use crate::cluster::*;
    }
    pub mod corpora {
        pub use crate::planner::corpora::*;
    }
    pub mod fuzz;
    pub mod plans;
    pub mod relations;
    pub mod keys;
    pub mod merging;

    use crate::shardmap::{HashFunction, Placement, ShardId, format_ranges};
    use crate::types::KeyValue;

    /// The logical shard of an integer key.
    pub fn logical_shard(key: i64, logical_shards: u32) -> u32 {
        let function = HashFunction { logical_shards };
        function
            .logical_shard(&[KeyValue::Int(key)])
            .map_or(0, |logical| logical.0)
    }

    /// The index of the shard of a logical shard, where all shards have equally many.
    pub fn place_evenly(logical: u32, logical_shards: u32, shards: usize) -> usize {
        let placement = Placement::even(logical_shards, shards as u16);
        usize::from(placement.shard(crate::shardmap::LogicalShardId(logical)).0)
    }

    /// The same placement as the configuration writes it, for each shard.
    pub fn even_placement(logical_shards: u32, shards: usize) -> Vec<String> {
        let placement = Placement::even(logical_shards, shards as u16);
        let ranges = |shard| format_ranges(&placement.ranges(ShardId(shard)));
        (0..shards as u16).map(ranges).collect()
    }
}
