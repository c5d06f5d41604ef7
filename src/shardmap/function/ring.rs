//! A ring of virtual nodes decides which shard holds which logical shard, so that a shard more or less moves
//! few of them. Keys go to logical shards by hash.
//!
//! Shard `name` of weight `w` has `w · virtual_nodes` points on the ring of 64-bit numbers, the partition hashes
//! of the texts `name:0`, `name:1`, …; logical shard `n` is at the partition hash of the integer `n` and
//! belongs to the first point at or after it, round the end to the lowest. All of this can be computed in SQL.

use super::hash::{HashFunction, SpreadFunction};
use super::{LogicalShardId, all};
use crate::shardmap::{Placement, ShardId};
use crate::types::{KeyValue, partition_hash};

/// As a hash over as many logical shards; the ring is in the placement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RingFunction {
    pub logical_shards: u32,
    /// Of a key of several columns; see [`SpreadFunction`].
    pub spread: Option<u32>,
}

impl RingFunction {
    pub fn logical_shard(&self, key: &[KeyValue]) -> Option<LogicalShardId> {
        match self.spread() {
            Some(function) => function.logical_shard(key),
            None => HashFunction {
                logical_shards: self.logical_shards,
            }
            .logical_shard(key),
        }
    }

    pub fn reachable(&self, prefix: &[KeyValue]) -> Vec<LogicalShardId> {
        match self.spread() {
            Some(function) => function.reachable(prefix),
            None => all(self.logical_shards),
        }
    }

    fn spread(&self) -> Option<SpreadFunction> {
        self.spread.map(|spread| SpreadFunction {
            logical_shards: self.logical_shards,
            spread,
        })
    }
}

/// Points on one ring: what a configuration may ask for.
pub const VIRTUAL_NODES_MAX: u64 = 1_000_000;

/// `shards` are names and weights in the order of their ids; one at least must have a weight that is not zero,
/// and `virtual_nodes` must not be zero.
pub fn ring_placement<'n>(
    logical_shards: u32,
    virtual_nodes: u32,
    shards: impl IntoIterator<Item = (&'n str, u32)>,
) -> Placement {
    let mut points: Vec<(u64, &str, ShardId)> = Vec::new();
    for (shard, (name, weight)) in (0..).zip(shards) {
        for number in 0..u64::from(weight) * u64::from(virtual_nodes) {
            let at = position(KeyValue::Text(format!("{name}:{number}")));
            points.push((at, name, ShardId(shard)));
        }
    }
    // Of two points at one place that of the lower name comes first, whatever the order of the shards.
    points.sort_unstable();
    let owner = |logical: u32| {
        let at = position(KeyValue::Int(logical.into()));
        let next = points.partition_point(|(point, ..)| *point < at);
        let point = points.get(next).or(points.first());
        point.map_or(ShardId(0), |(_, _, shard)| *shard)
    };
    Placement::new((0..logical_shards).map(owner).collect())
}

fn position(value: KeyValue) -> u64 {
    // Only NULL has no hash.
    partition_hash(&[value]).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGICAL: u32 = 65_536;

    fn owners(shards: &[(&str, u32)]) -> Vec<String> {
        let placement = ring_placement(LOGICAL, 1000, shards.iter().copied());
        (0..LOGICAL)
            .map(|logical| {
                let shard = placement.shard(LogicalShardId(logical));
                shards[usize::from(shard.0)].0.to_owned()
            })
            .collect()
    }

    fn shares(owners: &[String]) -> std::collections::BTreeMap<&str, f64> {
        let mut shares = std::collections::BTreeMap::new();
        for owner in owners {
            *shares.entry(owner.as_str()).or_default() += 1.0 / f64::from(LOGICAL);
        }
        shares
    }

    /// Computed by PostgreSQL 15 with `hashtextextended` and `hashint8extended`, as docs/configuration.md shows.
    #[test]
    fn the_ring_is_the_same_everywhere() {
        let placement = ring_placement(16, 4, [("a", 1), ("b", 1), ("c", 2)]);
        let owners: String = (0..16)
            .map(|logical| ["a", "b", "c"][usize::from(placement.shard(LogicalShardId(logical)).0)])
            .collect();
        assert_eq!(owners, "cbaacbaaacabccbc");
    }

    /// Nothing moves between the shards that stay, and the new one gets its share and no more.
    #[test]
    fn a_shard_more_takes_its_share_from_all_others() {
        let names = ["s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8"];
        for count in 1..names.len() {
            let shards = |count: usize| names[..count].iter().map(|name| (*name, 1)).collect();
            let before: Vec<(&str, u32)> = shards(count);
            let after: Vec<(&str, u32)> = shards(count + 1);
            let (before, after) = (owners(&before), owners(&after));
            let moved: Vec<&String> = before
                .iter()
                .zip(&after)
                .filter(|(old, new)| old != new)
                .map(|(_, new)| new)
                .collect();
            assert!(moved.iter().all(|new| *new == names[count]));
            let (share, fair) = (
                moved.len() as f64 / f64::from(LOGICAL),
                1.0 / (count as f64 + 1.0),
            );
            assert!(
                (share / fair - 1.0).abs() < 0.12,
                "{share} of {count} shards moved"
            );
        }
    }

    #[test]
    fn weights_are_shares() {
        let owners = owners(&[("a", 1), ("b", 2), ("c", 0), ("d", 5)]);
        let shares = shares(&owners);
        assert!(!shares.contains_key("c"));
        for (name, weight) in [("a", 1.0), ("b", 2.0), ("d", 5.0)] {
            let fair = weight / 8.0;
            assert!(
                (shares[name] / fair - 1.0).abs() < 0.08,
                "{name} has {} instead of {fair}",
                shares[name]
            );
        }
    }

    #[test]
    fn the_order_of_the_shards_does_not_matter() {
        assert_eq!(
            owners(&[("a", 1), ("b", 2), ("c", 3)]),
            owners(&[("c", 3), ("a", 1), ("b", 2)])
        );
    }
}
