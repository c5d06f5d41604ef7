//! PostgreSQL's own hash partitioning: the row hash modulo the number of logical shards, so that
//! `satisfies_hash_partition` on any shard agrees.

use super::{LogicalShardId, all};
use crate::types::{KeyValue, partition_hash};

/// Hash modulo `logical_shards` (1 to 65,536).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HashFunction {
    pub logical_shards: u32,
}

impl HashFunction {
    pub fn logical_shard(&self, key: &[KeyValue]) -> Option<LogicalShardId> {
        remainder(key, self.logical_shards).map(LogicalShardId)
    }
}

/// For a key of several columns. The first chooses a group of `spread` neighbouring logical shards, the others
/// one of the group:
///
/// ```text
/// logical = (hash(first) mod (logical_shards / spread)) · spread + hash(others) mod spread
/// ```
///
/// Both hashes are PostgreSQL's row hashes, of a row of the first column and of a row of the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpreadFunction {
    pub logical_shards: u32,
    /// Divides `logical_shards`; 2 or more.
    pub spread: u32,
}

impl SpreadFunction {
    pub fn logical_shard(&self, key: &[KeyValue]) -> Option<LogicalShardId> {
        let (first, others) = key.split_first()?;
        let start = self.group(first)?;
        Some(LogicalShardId(start + remainder(others, self.spread)?))
    }

    pub fn reachable(&self, prefix: &[KeyValue]) -> Vec<LogicalShardId> {
        match prefix.first().and_then(|first| self.group(first)) {
            Some(start) => (start..start + self.spread).map(LogicalShardId).collect(),
            None => all(self.logical_shards),
        }
    }

    /// The first logical shard of the group.
    fn group(&self, first: &KeyValue) -> Option<u32> {
        let groups = self.logical_shards / self.spread;
        Some(remainder(std::slice::from_ref(first), groups)? * self.spread)
    }
}

/// `None` where a value is NULL.
fn remainder(key: &[KeyValue], modulus: u32) -> Option<u32> {
    let hash = partition_hash(key)?;
    // The modulus is unsigned: the remainder fits 32 bits because the divisor does.
    Some((hash % u64::from(modulus)) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPREAD: SpreadFunction = SpreadFunction {
        logical_shards: 64,
        spread: 4,
    };

    fn key(first: i64, second: &str) -> [KeyValue; 2] {
        [KeyValue::Int(first), KeyValue::Text(second.to_owned())]
    }

    /// The remainders are those `satisfies_hash_partition` of PostgreSQL 15 gives modulo 16 and 4: 36792 and
    /// 20318 are the row hashes of 1 and `a` modulo 65,536.
    #[test]
    fn the_first_column_chooses_the_group() {
        assert_eq!(
            SPREAD.logical_shard(&key(1, "a")),
            Some(LogicalShardId(36_792 % 16 * 4 + 20_318 % 4))
        );
        assert_eq!(
            SPREAD.logical_shard(&key(42, "tenant")),
            Some(LogicalShardId(23_138 % 16 * 4 + 20_519 % 4))
        );
    }

    #[test]
    fn a_group_is_what_its_first_column_can_reach() {
        for first in 0..100 {
            let group = SPREAD.reachable(&[KeyValue::Int(first)]);
            assert_eq!(group.len(), 4);
            assert_eq!(group[0].0 % 4, 0);
            let mut met = std::collections::BTreeSet::new();
            for second in 0..100 {
                let found = SPREAD.logical_shard(&key(first, &second.to_string()));
                met.extend(found);
            }
            // All of the group, and nothing else.
            assert!(met.into_iter().eq(group));
        }
        assert_eq!(SPREAD.reachable(&[]).len(), 64);
    }

    #[test]
    fn null_has_no_place() {
        assert_eq!(
            SPREAD.logical_shard(&[KeyValue::Int(1), KeyValue::Null]),
            None
        );
        assert_eq!(
            SPREAD.logical_shard(&[KeyValue::Null, KeyValue::Int(1)]),
            None
        );
    }
}
