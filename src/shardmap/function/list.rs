//! Keys listed in the configuration, as in `PARTITION BY LIST`.

use super::LogicalShardId;
use super::entries::{Entries, EntryError};
use crate::types::KeyValue;

/// A key goes where its longest entry says, else to the default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListFunction {
    /// One more than the highest number.
    pub logical_shards: u32,
    entries: Entries,
    /// Where keys go that are in no list; `None`: they have no place.
    default: Option<LogicalShardId>,
}

impl ListFunction {
    /// Entries give values of the key's first columns, or of all.
    pub fn new(
        entries: impl IntoIterator<Item = (Vec<KeyValue>, LogicalShardId)>,
        default: Option<LogicalShardId>,
    ) -> Result<Self, EntryError> {
        let mut highest = default.map_or(0, |default| default.0);
        let counted = entries
            .into_iter()
            .inspect(|(_, logical)| highest = highest.max(logical.0));
        let entries = Entries::new(counted)?;
        Ok(Self {
            logical_shards: highest.saturating_add(1),
            entries,
            default,
        })
    }

    pub fn logical_shard(&self, key: &[KeyValue]) -> Option<LogicalShardId> {
        self.entries.longest(key).or(self.default)
    }

    pub fn reachable(&self, prefix: &[KeyValue]) -> Vec<LogicalShardId> {
        let mut found = self.entries.beyond(prefix);
        found.extend(self.logical_shard(prefix));
        found.into_iter().collect()
    }

    pub fn default(&self) -> Option<LogicalShardId> {
        self.default
    }

    /// In no order.
    pub fn keys(&self) -> impl Iterator<Item = &[KeyValue]> {
        self.entries.keys()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(values: &[&str]) -> Vec<KeyValue> {
        values
            .iter()
            .map(|value| KeyValue::Text((*value).to_owned()))
            .collect()
    }

    fn function(entries: &[(&[&str], u32)], default: Option<u32>) -> ListFunction {
        let entries = entries
            .iter()
            .map(|(key, logical)| (texts(key), LogicalShardId(*logical)));
        ListFunction::new(entries, default.map(LogicalShardId)).expect("valid")
    }

    fn logical(function: &ListFunction, key: &[&str]) -> Option<u32> {
        function.logical_shard(&texts(key)).map(|found| found.0)
    }

    fn reachable(function: &ListFunction, prefix: &[&str]) -> Vec<u32> {
        let found = function.reachable(&texts(prefix));
        found.into_iter().map(|logical| logical.0).collect()
    }

    #[test]
    fn values_lead_where_they_are_listed() {
        let function = function(&[(&["DE"], 0), (&["AT"], 0), (&["US"], 1)], None);
        assert_eq!(function.logical_shards, 2);
        assert_eq!(logical(&function, &["AT"]), Some(0));
        assert_eq!(logical(&function, &["US"]), Some(1));
        assert_eq!(logical(&function, &["us"]), None);
        assert_eq!(reachable(&function, &["us"]), [0; 0]);
        assert_eq!(reachable(&function, &[]), [0, 1]);
    }

    #[test]
    fn what_is_in_no_list_goes_to_the_default() {
        let function = function(&[(&["DE"], 0)], Some(2));
        assert_eq!(function.logical_shards, 3);
        assert_eq!(logical(&function, &["US"]), Some(2));
        assert_eq!(reachable(&function, &[]), [0, 2]);
    }

    #[test]
    fn the_longest_entry_counts() {
        let entries: [(&[&str], u32); 5] = [
            (&["DE"], 0),
            (&["DE", "Berlin"], 1),
            (&["DE", "Bonn"], 2),
            (&["DE "], 3),
            (&["US", "Berlin"], 4),
        ];
        let function = function(&entries, None);
        assert_eq!(logical(&function, &["DE", "Berlin"]), Some(1));
        assert_eq!(logical(&function, &["DE", "Ulm"]), Some(0));
        assert_eq!(logical(&function, &["US", "Berlin"]), Some(4));
        assert_eq!(logical(&function, &["US", "Boston"]), None);
        assert_eq!(reachable(&function, &["DE"]), [0, 1, 2]);
        assert_eq!(reachable(&function, &["DE "]), [3]);
        assert_eq!(reachable(&function, &["US"]), [4]);
        assert_eq!(reachable(&function, &["FR"]), [0; 0]);
        assert_eq!(reachable(&function, &["DE", "Bonn"]), [2]);
    }

    #[test]
    fn entries_must_be_distinct_keys() {
        let new = |keys: &[Vec<KeyValue>]| {
            let entries = keys.iter().cloned().map(|key| (key, LogicalShardId(0)));
            ListFunction::new(entries, None).map(|_| ())
        };
        let twice = [texts(&["a"]), texts(&["b"]), texts(&["a"])];
        assert_eq!(new(&twice), Err(EntryError::Twice { place: 2 }));
        assert_eq!(
            new(&[vec![KeyValue::Null]]),
            Err(EntryError::Null { place: 0 })
        );
        assert_eq!(new(&[vec![]]), Err(EntryError::Null { place: 0 }));
    }
}
