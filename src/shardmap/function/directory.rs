//! A directory says for single keys, or for all that begin alike, where they are; a fallback says it for the
//! others. The entries are rows on the default shard; whoever has read them makes a function that knows them.

use std::sync::Arc;

use super::entries::{Entries, EntryError};
use super::{LogicalShardId, ShardingFunction};
use crate::shardmap::ShardingKey;
use crate::types::{KeyError, KeyValue};

/// A key goes where its longest entry says, else where the fallback says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryFunction {
    /// Those of the fallback, and perhaps more that only entries lead to.
    pub logical_shards: u32,
    fallback: Box<ShardingFunction>,
    /// `None` until they have been read.
    entries: Option<Arc<Entries>>,
}

/// Why rows make no directory. `place` is that of the row, from 0.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DirectoryError {
    #[error("the entry in row {place} has {found} values for a key of {columns} columns")]
    Columns {
        place: usize,
        found: usize,
        columns: usize,
    },
    #[error("the entry in row {place} cannot be read: column {column}: {error}")]
    Unreadable {
        place: usize,
        column: String,
        error: KeyError,
    },
    #[error(
        "the entry in row {place} leads to logical shard {logical}, but they are numbered 0 to {}",
        logical_shards - 1
    )]
    UnknownLogicalShard {
        place: usize,
        logical: i64,
        logical_shards: u32,
    },
    /// After reading: `1` and `01` are one key.
    #[error("the key in row {place} has an entry already")]
    Twice { place: usize },
}

impl DirectoryFunction {
    /// Without its entries, and so not ready. `logical_shards` must not be fewer than the fallback's.
    pub fn new(logical_shards: u32, fallback: ShardingFunction) -> Self {
        Self {
            logical_shards,
            fallback: Box::new(fallback),
            entries: None,
        }
    }

    /// The function with these entries in place of those it had: values of the key's first columns (or of all)
    /// in their text form, and a logical shard.
    pub fn with_entries(
        &self,
        key: &ShardingKey,
        rows: impl IntoIterator<Item = (Vec<String>, i64)>,
    ) -> Result<Self, DirectoryError> {
        let mut entries = Vec::new();
        for (place, (values, logical)) in rows.into_iter().enumerate() {
            let values = read_key(key, place, &values)?;
            let number = u32::try_from(logical)
                .ok()
                .filter(|number| *number < self.logical_shards);
            let Some(number) = number else {
                return Err(DirectoryError::UnknownLogicalShard {
                    place,
                    logical,
                    logical_shards: self.logical_shards,
                });
            };
            entries.push((values, LogicalShardId(number)));
        }
        let entries = Entries::new(entries).map_err(|error| match error {
            EntryError::Twice { place } => DirectoryError::Twice { place },
            EntryError::Null { place } => DirectoryError::Columns {
                place,
                found: 0,
                columns: key.columns.len(),
            },
        })?;
        Ok(Self {
            entries: Some(Arc::new(entries)),
            ..self.clone()
        })
    }

    pub fn is_loaded(&self) -> bool {
        self.entries.is_some()
    }

    /// Entries that are loaded.
    pub fn entries(&self) -> usize {
        self.entries.as_ref().map_or(0, |entries| entries.len())
    }

    pub fn fallback(&self) -> &ShardingFunction {
        &self.fallback
    }

    /// In no order; none before they are loaded.
    pub fn keys(&self) -> impl Iterator<Item = &[KeyValue]> {
        self.entries.iter().flat_map(|entries| entries.keys())
    }

    pub fn logical_shard(&self, key: &[KeyValue]) -> Option<LogicalShardId> {
        let entries = self.entries.as_ref();
        entries
            .and_then(|entries| entries.longest(key))
            .or_else(|| self.fallback.logical_shard(key))
    }

    pub fn reachable(&self, prefix: &[KeyValue]) -> Vec<LogicalShardId> {
        let Some(entries) = &self.entries else {
            return self.fallback.reachable(prefix);
        };
        let mut found = entries.beyond(prefix);
        match entries.longest(prefix) {
            Some(logical) => {
                found.insert(logical);
            }
            None => found.extend(self.fallback.reachable(prefix)),
        }
        found.into_iter().collect()
    }
}

fn read_key(
    key: &ShardingKey,
    place: usize,
    values: &[String],
) -> Result<Vec<KeyValue>, DirectoryError> {
    if values.is_empty() || values.len() > key.columns.len() {
        return Err(DirectoryError::Columns {
            place,
            found: values.len(),
            columns: key.columns.len(),
        });
    }
    values
        .iter()
        .zip(&key.columns)
        .map(|(text, column)| {
            let read = column.key_type.parse_text(text.as_bytes());
            read.map_err(|error| DirectoryError::Unreadable {
                place,
                column: column.name.clone(),
                error,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shardmap::{HashFunction, KeyColumn, SpreadFunction};
    use crate::types::KeyType;

    fn key(types: &[KeyType]) -> ShardingKey {
        let columns = types.iter().map(|key_type| KeyColumn {
            name: key_type.name().to_owned(),
            key_type: *key_type,
        });
        ShardingKey {
            columns: columns.collect(),
        }
    }

    fn row(values: &[&str], logical: i64) -> (Vec<String>, i64) {
        (
            values.iter().map(|value| (*value).to_owned()).collect(),
            logical,
        )
    }

    fn single() -> DirectoryFunction {
        DirectoryFunction::new(
            6,
            ShardingFunction::Hash(HashFunction { logical_shards: 4 }),
        )
    }

    #[test]
    fn entries_come_before_the_fallback() {
        let key = key(&[KeyType::BigInt]);
        let bare = single();
        assert!(!bare.is_loaded());
        let loaded = bare
            .with_entries(&key, [row(&["1"], 5), row(&[" 42 "], 0)])
            .expect("valid");
        assert!(loaded.is_loaded());
        assert_eq!(loaded.entries(), 2);
        let logical = |value| loaded.logical_shard(&[KeyValue::Int(value)]).map(|l| l.0);
        assert_eq!(logical(1), Some(5));
        assert_eq!(logical(42), Some(0));
        let fallback = HashFunction { logical_shards: 4 };
        for value in 2..40 {
            assert_eq!(
                loaded.logical_shard(&[KeyValue::Int(value)]),
                fallback.logical_shard(&[KeyValue::Int(value)])
            );
        }
        let reachable = loaded.reachable(&[]);
        assert_eq!(reachable.len(), 5, "4 by hash and one by an entry");
        // None at all is a directory, too.
        assert!(bare.with_entries(&key, []).expect("valid").is_loaded());
    }

    #[test]
    fn an_entry_for_the_first_column_holds_for_all_that_begin_with_it() {
        let key = key(&[KeyType::BigInt, KeyType::Text]);
        let spread = SpreadFunction {
            logical_shards: 8,
            spread: 2,
        };
        let bare = DirectoryFunction::new(10, ShardingFunction::Spread(spread.clone()));
        let loaded = bare
            .with_entries(
                &key,
                [row(&["1"], 8), row(&["1", "a"], 9), row(&["2", "b"], 9)],
            )
            .expect("valid");
        let find = |first, second: &str| {
            let key = [KeyValue::Int(first), KeyValue::Text(second.to_owned())];
            loaded.logical_shard(&key).map(|logical| logical.0)
        };
        assert_eq!(find(1, "a"), Some(9));
        assert_eq!(find(1, "b"), Some(8));
        assert_eq!(find(2, "b"), Some(9));
        let group = spread.reachable(&[KeyValue::Int(2)]);
        assert!(group.contains(&LogicalShardId(find(2, "c").expect("a place"))));
        assert_eq!(
            loaded.reachable(&[KeyValue::Int(1)]),
            [LogicalShardId(8), LogicalShardId(9)]
        );
        assert_eq!(
            loaded.reachable(&[KeyValue::Int(2)]),
            [group, vec![LogicalShardId(9)]].concat()
        );
    }

    #[test]
    fn rows_that_make_no_directory() {
        let key = key(&[KeyType::BigInt]);
        let error = |rows: Vec<(Vec<String>, i64)>| {
            single().with_entries(&key, rows).map(|_| ()).unwrap_err()
        };
        assert_eq!(
            error(vec![row(&["1"], 0), row(&["01"], 1)]),
            DirectoryError::Twice { place: 1 }
        );
        for logical in [6, -1, i64::MAX] {
            assert_eq!(
                error(vec![row(&["1"], logical)]),
                DirectoryError::UnknownLogicalShard {
                    place: 0,
                    logical,
                    logical_shards: 6
                }
            );
        }
        for (values, found) in [(&[][..], 0), (&["1", "2"], 2)] {
            assert_eq!(
                error(vec![row(&["7"], 0), row(values, 0)]),
                DirectoryError::Columns {
                    place: 1,
                    found,
                    columns: 1
                }
            );
        }
        assert_eq!(
            error(vec![row(&["one"], 0)]),
            DirectoryError::Unreadable {
                place: 0,
                column: "bigint".to_owned(),
                error: KeyError::Syntax { expected: "bigint" }
            }
        );
    }
}
