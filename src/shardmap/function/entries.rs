//! Keys that are listed one by one, or by how they begin: what a list and a directory have in common.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::LogicalShardId;
use crate::types::KeyValue;

/// From keys, and beginnings of keys, to logical shards. The longest that fits counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Entries {
    by_key: HashMap<Arc<[KeyValue]>, LogicalShardId>,
    /// Those of two columns and more, sorted, so that those with a common beginning are together.
    composite: Vec<Arc<[KeyValue]>>,
    /// Columns of the longest.
    columns: usize,
}

/// Why an entry cannot be. `place` is that of the entry, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    #[error("a listed key must not be empty or NULL")]
    Null { place: usize },
    #[error("a key is listed twice")]
    Twice { place: usize },
}

impl Entries {
    pub(super) fn new(
        entries: impl IntoIterator<Item = (Vec<KeyValue>, LogicalShardId)>,
    ) -> Result<Self, EntryError> {
        let mut read = Self::default();
        for (place, (key, logical)) in entries.into_iter().enumerate() {
            if key.is_empty() || key.contains(&KeyValue::Null) {
                return Err(EntryError::Null { place });
            }
            let key: Arc<[KeyValue]> = key.into();
            if key.len() > 1 {
                read.composite.push(Arc::clone(&key));
            }
            read.columns = read.columns.max(key.len());
            if read.by_key.insert(key, logical).is_some() {
                return Err(EntryError::Twice { place });
            }
        }
        read.composite.sort_unstable();
        Ok(read)
    }

    pub(super) fn len(&self) -> usize {
        self.by_key.len()
    }

    /// In no order.
    pub(super) fn keys(&self) -> impl Iterator<Item = &[KeyValue]> {
        self.by_key.keys().map(|key| &**key)
    }

    /// The longest entry the key begins with.
    pub(super) fn longest(&self, key: &[KeyValue]) -> Option<LogicalShardId> {
        (1..=self.columns.min(key.len()))
            .rev()
            .find_map(|columns| self.by_key.get(&key[..columns]).copied())
    }

    /// Where entries lead that begin with all of this and go on.
    pub(super) fn beyond(&self, prefix: &[KeyValue]) -> BTreeSet<LogicalShardId> {
        if prefix.is_empty() {
            return self.by_key.values().copied().collect();
        }
        let start = self.composite.partition_point(|key| &**key <= prefix);
        self.composite[start..]
            .iter()
            .take_while(|key| key.starts_with(prefix))
            .filter_map(|key| self.by_key.get(key).copied())
            .collect()
    }
}
