//! Ranges between bounds, as in `PARTITION BY RANGE`: texts in the order of collation `C`, the others in their
//! own.

use std::cmp::Ordering;

use super::LogicalShardId;
use crate::types::KeyValue;

/// Logical shard `n` holds the keys from bound `n - 1` on and below bound `n`; the first has no lower end and
/// the last no upper one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RangeFunction {
    bounds: Vec<Vec<KeyValue>>,
}

/// Why bounds make no ranges. `place` is that of the bound, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BoundsError {
    #[error("a bound must not be NULL")]
    Null { place: usize },
    #[error("the bounds must rise: this one is not above the one before")]
    NotRising { place: usize },
}

impl RangeFunction {
    /// Each bound gives values of the key's first columns, perhaps not of all: then it stands below every key
    /// that begins with them.
    pub fn new(bounds: Vec<Vec<KeyValue>>) -> Result<Self, BoundsError> {
        if let Some(place) = bounds
            .iter()
            .position(|bound| bound.contains(&KeyValue::Null))
        {
            return Err(BoundsError::Null { place });
        }
        // A list that another begins with is before it, which is what a bound of fewer columns means.
        if let Some(place) = bounds.windows(2).position(|pair| pair[0] >= pair[1]) {
            return Err(BoundsError::NotRising { place: place + 1 });
        }
        Ok(Self { bounds })
    }

    pub fn bounds(&self) -> &[Vec<KeyValue>] {
        &self.bounds
    }

    pub fn logical_shards(&self) -> u32 {
        self.bounds.len() as u32 + 1
    }

    pub fn logical_shard(&self, key: &[KeyValue]) -> LogicalShardId {
        self.last(key)
    }

    pub fn reachable(&self, prefix: &[KeyValue]) -> Vec<LogicalShardId> {
        (self.first(prefix).0..=self.last(prefix).0)
            .map(LogicalShardId)
            .collect()
    }

    /// That of the lowest key that begins with the prefix.
    fn first(&self, prefix: &[KeyValue]) -> LogicalShardId {
        self.count(|bound| match compare(bound, prefix) {
            Ordering::Equal => bound.len() <= prefix.len(),
            ordering => ordering == Ordering::Less,
        })
    }

    /// That of the highest key that begins with the prefix.
    fn last(&self, prefix: &[KeyValue]) -> LogicalShardId {
        self.count(|bound| compare(bound, prefix) != Ordering::Greater)
    }

    /// How many bounds are at or below something.
    fn count(&self, is_below: impl Fn(&[KeyValue]) -> bool) -> LogicalShardId {
        LogicalShardId(self.bounds.partition_point(|bound| is_below(bound)) as u32)
    }
}

/// By the columns both have.
fn compare(bound: &[KeyValue], key: &[KeyValue]) -> Ordering {
    let columns = bound.len().min(key.len());
    bound[..columns].cmp(&key[..columns])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ints(values: &[i64]) -> Vec<KeyValue> {
        values.iter().copied().map(KeyValue::Int).collect()
    }

    fn function(bounds: &[&[i64]]) -> RangeFunction {
        let bounds = bounds.iter().map(|bound| ints(bound)).collect();
        RangeFunction::new(bounds).expect("rising")
    }

    fn reachable(function: &RangeFunction, prefix: &[i64]) -> Vec<u32> {
        let found = function.reachable(&ints(prefix));
        found.into_iter().map(|logical| logical.0).collect()
    }

    #[test]
    fn upper_bounds_are_exclusive() {
        let function = function(&[&[-5], &[1000], &[2000]]);
        assert_eq!(function.logical_shards(), 4);
        for (key, logical) in [
            (i64::MIN, 0),
            (-6, 0),
            (-5, 1),
            (999, 1),
            (1000, 2),
            (1999, 2),
            (2000, 3),
            (i64::MAX, 3),
        ] {
            assert_eq!(
                function.logical_shard(&ints(&[key])),
                LogicalShardId(logical),
                "{key}"
            );
            assert_eq!(reachable(&function, &[key]), [logical]);
        }
        assert_eq!(reachable(&function, &[]), [0, 1, 2, 3]);
    }

    #[test]
    fn without_bounds_there_is_one_range() {
        assert_eq!(reachable(&function(&[]), &[5]), [0]);
    }

    #[test]
    fn composite_bounds_compare_column_by_column() {
        let function = function(&[&[5], &[5, 10], &[5, 20], &[7, 0]]);
        for (key, logical) in [
            ([4, 99], 0),
            ([5, -99], 1),
            ([5, 9], 1),
            ([5, 10], 2),
            ([5, 20], 3),
            ([6, 0], 3),
            ([7, -1], 3),
            ([7, 0], 4),
        ] {
            assert_eq!(
                function.logical_shard(&ints(&key)),
                LogicalShardId(logical),
                "{key:?}"
            );
        }
        for (first, logical) in [
            (4, &[0][..]),
            (5, &[1, 2, 3]),
            (6, &[3]),
            (7, &[3, 4]),
            (8, &[4]),
        ] {
            assert_eq!(reachable(&function, &[first]), logical, "{first}");
        }
    }

    #[test]
    fn bytes_order_texts() {
        let text = |text: &str| vec![KeyValue::Text(text.to_owned())];
        let function = RangeFunction::new(vec![text("M"), text("m"), text("é")]).expect("rising");
        for (key, logical) in [
            ("", 0),
            ("Z", 1),
            ("lzzz", 1),
            ("z", 2),
            ("é", 3),
            ("東", 3),
        ] {
            assert_eq!(
                function.logical_shard(&text(key)),
                LogicalShardId(logical),
                "{key}"
            );
        }
    }

    #[test]
    fn bounds_must_rise() {
        for bounds in [
            vec![ints(&[1]), ints(&[1])],
            vec![ints(&[2]), ints(&[1])],
            vec![ints(&[5, 1]), ints(&[5])],
        ] {
            assert_eq!(
                RangeFunction::new(bounds),
                Err(BoundsError::NotRising { place: 1 })
            );
        }
        assert_eq!(
            RangeFunction::new(vec![vec![KeyValue::Null]]),
            Err(BoundsError::Null { place: 0 })
        );
    }
}
