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
    /// The logical shard of a key value; `None` for NULL, which no sharded row may have.
    pub fn logical_shard(&self, value: &KeyValue) -> Option<LogicalShardId> {
        match self {
            Self::Hash(function) => function.logical_shard(value),
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
