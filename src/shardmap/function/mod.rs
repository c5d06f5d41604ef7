//! Sharding functions: sharding key → logical shard. One file each.

mod directory;
mod entries;
mod hash;
mod list;
mod range;
mod ring;

pub use directory::DirectoryFunction;
pub use entries::EntryError;
pub use hash::{HashFunction, SpreadFunction};
pub use list::ListFunction;
pub use range::{BoundsError, RangeFunction};
pub use ring::{RingFunction, VIRTUAL_NODES_MAX, ring_placement};

use crate::types::KeyValue;

/// A logical shard's number within its keyspace, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogicalShardId(pub u32);

/// The sharding function of a keyspace. Pure and cheap; needs no I/O.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShardingFunction {
    Hash(HashFunction),
    /// Hash over several columns, the first of which decides a group.
    Spread(SpreadFunction),
    Range(RangeFunction),
    List(ListFunction),
    Ring(RingFunction),
    Directory(DirectoryFunction),
}

impl ShardingFunction {
    /// The logical shard of a whole key; `None` where a value is NULL, which no sharded row may have, and
    /// where the function has no place for it.
    pub fn logical_shard(&self, key: &[KeyValue]) -> Option<LogicalShardId> {
        if key.contains(&KeyValue::Null) {
            return None;
        }
        match self {
            Self::Hash(function) => function.logical_shard(key),
            Self::Spread(function) => function.logical_shard(key),
            Self::Range(function) => Some(function.logical_shard(key)),
            Self::List(function) => function.logical_shard(key),
            Self::Ring(function) => function.logical_shard(key),
            Self::Directory(function) => function.logical_shard(key),
        }
    }

    /// The logical shards that may hold rows whose key begins with these values (perhaps none of them),
    /// in rising order.
    pub fn reachable(&self, prefix: &[KeyValue]) -> Vec<LogicalShardId> {
        if prefix.contains(&KeyValue::Null) {
            return Vec::new();
        }
        match self {
            Self::Hash(function) => all(function.logical_shards),
            Self::Spread(function) => function.reachable(prefix),
            Self::Range(function) => function.reachable(prefix),
            Self::List(function) => function.reachable(prefix),
            Self::Ring(function) => function.reachable(prefix),
            Self::Directory(function) => function.reachable(prefix),
        }
    }

    pub fn logical_shards(&self) -> u32 {
        match self {
            Self::Hash(function) => function.logical_shards,
            Self::Spread(function) => function.logical_shards,
            Self::Range(function) => function.logical_shards(),
            Self::List(function) => function.logical_shards,
            Self::Ring(function) => function.logical_shards,
            Self::Directory(function) => function.logical_shards,
        }
    }

    /// How many of the key's `columns` first ones decide the logical shard: rows that agree in them are
    /// together. At least 1.
    pub fn deciding_columns(&self, columns: usize) -> usize {
        let longest = match self {
            Self::Range(function) => function.bounds().iter().map(Vec::len).max(),
            Self::List(function) => function.keys().map(<[KeyValue]>::len).max(),
            // Tomorrow's entries may give all of them.
            Self::Hash(_) | Self::Spread(_) | Self::Ring(_) | Self::Directory(_) => Some(columns),
        };
        longest.unwrap_or(1).clamp(1, columns.max(1))
    }

    pub fn name(&self) -> &'static str {
        match self {
            Self::Hash(_) | Self::Spread(_) => "hash",
            Self::Range(_) => "range",
            Self::List(_) => "list",
            Self::Ring(_) => "ring",
            Self::Directory(_) => "directory",
        }
    }

    /// False for a directory whose entries have not been loaded: its answers would be those of the fallback.
    pub fn is_ready(&self) -> bool {
        match self {
            Self::Directory(function) => function.is_loaded(),
            _ => true,
        }
    }
}

fn all(logical_shards: u32) -> Vec<LogicalShardId> {
    (0..logical_shards).map(LogicalShardId).collect()
}
