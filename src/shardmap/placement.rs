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

    /// Contiguous ranges over shards `0..shards` in order, as even as they can be: the first shards get
    /// one logical shard more where the division leaves a rest. `shards` must not be zero.
    pub fn even(logical_shards: u32, shards: u16) -> Self {
        let (each, rest) = (
            logical_shards / u32::from(shards),
            logical_shards % u32::from(shards),
        );
        let by_logical = (0..shards)
            .flat_map(|shard| {
                let count = each + u32::from(u32::from(shard) < rest);
                std::iter::repeat_n(ShardId(shard), count as usize)
            })
            .collect();
        Self { by_logical }
    }

    pub fn shard(&self, logical: LogicalShardId) -> ShardId {
        self.by_logical[logical.0 as usize]
    }

    /// Logical shards of one shard as inclusive ranges, in order: `0-127, 140`.
    pub fn ranges(&self, shard: ShardId) -> Vec<(u32, u32)> {
        ranges_where(&self.by_logical, |s| *s == shard)
    }
}

/// Prints inclusive ranges as the configuration writes them: `0-127, 140`.
pub fn format_ranges(ranges: &[(u32, u32)]) -> String {
    let one = |(first, last): &(u32, u32)| {
        if first == last {
            first.to_string()
        } else {
            format!("{first}-{last}")
        }
    };
    ranges.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// A placement in the making: every logical shard is assigned exactly once, or there is no placement.
#[derive(Debug)]
pub struct PlacementBuilder {
    by_logical: Vec<Option<ShardId>>,
}

/// Why a range cannot be assigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlacementError {
    #[error("logical shard {logical} does not exist: they are numbered 0 to {}", logical_shards - 1)]
    Unknown { logical: u32, logical_shards: u32 },
    /// `first` is the lowest number of the range that is taken already.
    #[error("logical shard {first} is placed twice")]
    Overlap { first: u32, holder: ShardId },
}

impl PlacementBuilder {
    pub fn new(logical_shards: u32) -> Self {
        Self {
            by_logical: vec![None; logical_shards as usize],
        }
    }

    /// Places logical shards `first..=last` on a shard; on an error nothing of the range is placed.
    pub fn assign(&mut self, shard: ShardId, first: u32, last: u32) -> Result<(), PlacementError> {
        let logical_shards = self.by_logical.len() as u32;
        let Some(range) = self.by_logical.get_mut(first as usize..=last as usize) else {
            return Err(PlacementError::Unknown {
                logical: last.max(first),
                logical_shards,
            });
        };
        for (logical, holder) in (first..).zip(range.iter()) {
            if let Some(holder) = *holder {
                return Err(PlacementError::Overlap {
                    first: logical,
                    holder,
                });
            }
        }
        range.fill(Some(shard));
        Ok(())
    }

    /// The placement, or the ranges that are placed nowhere.
    pub fn finish(self) -> Result<Placement, Vec<(u32, u32)>> {
        let missing = ranges_where(&self.by_logical, Option::is_none);
        if missing.is_empty() {
            Ok(Placement::new(
                self.by_logical.into_iter().flatten().collect(),
            ))
        } else {
            Err(missing)
        }
    }
}

fn ranges_where<T>(entries: &[T], holds: impl Fn(&T) -> bool) -> Vec<(u32, u32)> {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for (logical, _) in (0u32..).zip(entries).filter(|(_, entry)| holds(entry)) {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == logical => *last = logical,
            _ => ranges.push((logical, logical)),
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: ShardId = ShardId(0);
    const B: ShardId = ShardId(1);
    const C: ShardId = ShardId(2);

    #[test]
    fn even_placement_gives_the_rest_to_the_first() {
        let placement = Placement::even(7, 3);
        assert_eq!(placement.ranges(A), [(0, 2)]);
        assert_eq!(placement.ranges(B), [(3, 4)]);
        assert_eq!(placement.ranges(C), [(5, 6)]);
        assert_eq!(placement.shard(LogicalShardId(6)), C);
    }

    #[test]
    fn even_placement_with_more_shards_than_logical_shards() {
        let placement = Placement::even(2, 3);
        assert_eq!(placement.ranges(B), [(1, 1)]);
        assert_eq!(placement.ranges(C), []);
    }

    #[test]
    fn builder_accepts_scattered_ranges() {
        let mut builder = PlacementBuilder::new(10);
        builder.assign(A, 0, 3).expect("free");
        builder.assign(B, 4, 8).expect("free");
        builder.assign(A, 9, 9).expect("free");
        let placement = builder.finish().expect("complete");
        assert_eq!(format_ranges(&placement.ranges(A)), "0-3, 9");
        assert_eq!(format_ranges(&placement.ranges(B)), "4-8");
        assert_eq!(format_ranges(&placement.ranges(C)), "");
    }

    #[test]
    fn builder_refuses_overlaps_and_numbers_beyond_the_last() {
        let mut builder = PlacementBuilder::new(10);
        builder.assign(A, 0, 3).expect("free");
        assert_eq!(
            builder.assign(B, 2, 5),
            Err(PlacementError::Overlap {
                first: 2,
                holder: A
            })
        );
        let beyond = PlacementError::Unknown {
            logical: 10,
            logical_shards: 10,
        };
        assert_eq!(builder.assign(B, 8, 10), Err(beyond));
        assert_eq!(builder.assign(B, 10, 10), Err(beyond));
        // A refused range leaves no trace.
        assert_eq!(builder.finish(), Err(vec![(4, 9)]));
    }

    #[test]
    fn builder_names_what_is_missing() {
        let mut builder = PlacementBuilder::new(6);
        builder.assign(A, 1, 1).expect("free");
        builder.assign(A, 3, 4).expect("free");
        assert_eq!(builder.finish(), Err(vec![(0, 0), (2, 2), (5, 5)]));
    }
}
