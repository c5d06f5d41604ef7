//! Which shard holds a logical shard.

use super::ShardId;
use super::function::LogicalShardId;

/// One entry for each logical shard of a keyspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    by_logical: Vec<ShardId>,
}

impl Placement {
    /// `by_logical[n]` is the shard of logical shard `n`.
    pub fn new(by_logical: Vec<ShardId>) -> Self {
        Self { by_logical }
    }

    pub fn shard(&self, logical: LogicalShardId) -> ShardId {
        self.by_logical[logical.0 as usize]
    }

    /// Logical shards of one shard as inclusive ranges, in order: `0-127, 140`.
    pub fn ranges(&self, shard: ShardId) -> Vec<(u32, u32)> {
        let mut ranges: Vec<(u32, u32)> = Vec::new();
        for (logical, _) in self
            .by_logical
            .iter()
            .enumerate()
            .filter(|(_, s)| **s == shard)
        {
            let logical = logical as u32;
            match ranges.last_mut() {
                Some((_, last)) if *last + 1 == logical => *last = logical,
                _ => ranges.push((logical, logical)),
            }
        }
        ranges
    }
}
