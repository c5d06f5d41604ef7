//! What console, command line and HTTP show of the topology.

use std::sync::Arc;

use crate::backend::PoolStats;

/// One shard and its servers, in the order of the configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct ShardView {
    pub name: String,
    pub servers: Vec<ServerView>,
}

/// One server as its monitor last saw it.
#[derive(Clone, Debug, PartialEq)]
pub struct ServerView {
    pub address: String,
    pub role: Role,
    /// The last poll got an answer, if only an error.
    pub reachable: bool,
    /// Current position of a primary, replayed position of a replica, as PostgreSQL prints it.
    pub lsn: Option<String>,
    /// Age of the last transaction a replica has replayed.
    pub lag_seconds: Option<f64>,
    pub timeline: Option<u32>,
    pub version: Option<String>,
    pub last_error: Option<String>,
}

/// What a server is to its shard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// Not heard of yet, or not now.
    #[default]
    Unknown,
    /// Statements go here.
    Primary,
    /// In recovery.
    Replica,
    /// Out of recovery, and not the shard's primary: one that was replaced and does not know it.
    Stale,
}

impl Role {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Primary => "primary",
            Self::Replica => "replica",
            Self::Stale => "stale",
        }
    }
}

/// One pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolView {
    pub shard: Arc<str>,
    pub server: String,
    pub user: String,
    pub stats: PoolStats,
}
