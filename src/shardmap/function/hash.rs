//! PostgreSQL's own hash partitioning: the row hash modulo the number of logical shards, so that
//! `satisfies_hash_partition` on any shard agrees.

use super::LogicalShardId;
use crate::types::{KeyValue, partition_hash};

/// Hash modulo `logical_shards` (1 to 65,536).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HashFunction {
    pub logical_shards: u32,
}

impl HashFunction {
    pub fn logical_shard(&self, key: &[KeyValue]) -> Option<LogicalShardId> {
        let hash = partition_hash(key)?;
        // The modulus is unsigned: the remainder fits 32 bits because the divisor does.
        Some(LogicalShardId(
            (hash % u64::from(self.logical_shards)) as u32,
        ))
    }
}
