//! Sharding functions: sharding key → logical shard. One file each.

mod hash;

pub use hash::HashFunction;

use crate::types::KeyValue;

/// A logical shard's number within its keyspace, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogicalShardId(pub u32);

/// The sharding function of a keyspace. Pure and cheap; needs no I/O.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShardingFunction {
    Hash(HashFunction),
}

impl ShardingFunction {
    /// The logical shard of a whole key; `None` where a value is NULL, which no sharded row may have, and
    /// where the function has no place for it.
    pub fn logical_shard(&self, key: &[KeyValue]) -> Option<LogicalShardId> {
        match self {
            Self::Hash(function) => function.logical_shard(key),
        }
    }

    /// The logical shards that may hold rows whose key begins with these values (perhaps none of them),
    /// in rising order.
    pub fn reachable(&self, prefix: &[KeyValue]) -> Vec<LogicalShardId> {
        if prefix.contains(&KeyValue::Null) {
            return Vec::new();
        }
        match self {
            Self::Hash(function) => (0..function.logical_shards).map(LogicalShardId).collect(),
        }
    }

    pub fn logical_shards(&self) -> u32 {
        match self {
            Self::Hash(function) => function.logical_shards,
        }
    }

    pub fn name(&self) -> &'static str {
        match self {
            Self::Hash(_) => "hash",
        }
    }
}
