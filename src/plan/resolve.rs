//! From a route and its parameters to one shard.

use super::{KeySource, KeyTarget, Route, Targets};
use crate::error::{PgError, SqlState};
use crate::shardmap::{LogicalShardId, ShardId, ShardMap};
use crate::types::{Format, KeyError, KeyType, KeyValue, Oid};

/// The parameters of one Bind, read where they lie.
pub trait ParamValues {
    /// Format and bytes of parameter `index` (zero-based); `None` inside for NULL, `None` outside where
    /// there is no such parameter.
    fn param(&self, index: u16) -> Option<(Format, Option<&[u8]>)>;
}

/// No parameters: a simple query.
pub struct NoParams;

impl ParamValues for NoParams {
    fn param(&self, _index: u16) -> Option<(Format, Option<&[u8]>)> {
        None
    }
}

/// Where a route leads once its parameters are known.
#[derive(Clone, Debug, PartialEq)]
pub enum Destination {
    Any,
    Shard(ShardId),
}

impl Route {
    /// Finds the shard. `declared` are the parameter types of Parse, possibly fewer than there are.
    ///
    /// Errors: 0A000 where several key values lead to different shards or a value cannot be read
    /// exactly as PostgreSQL would.
    pub fn resolve(
        &self,
        map: &ShardMap,
        declared: &[Oid],
        params: &dyn ParamValues,
    ) -> Result<Destination, PgError> {
        let target = match &self.targets {
            Targets::Any => return Ok(Destination::Any),
            Targets::Default => return Ok(Destination::Shard(map.default_shard)),
            Targets::Key(target) => target,
        };
        // The hot path: one source, no list.
        let mut found: Option<ShardId> = None;
        for source in &target.sources {
            let Some(value) = target.value(source, map, declared, params)? else {
                continue;
            };
            // A comparison with NULL is true on no row, on any shard.
            let Some((_, shard)) = map.locate(target.keyspace, &value) else {
                continue;
            };
            if found.is_some_and(|found| found != shard) {
                return Err(self.scattered(map, target, declared, params));
            }
            found = Some(shard);
        }
        Ok(found.map_or(Destination::Any, Destination::Shard))
    }

    /// True where the shard is known only once parameters are.
    pub fn needs_params(&self) -> bool {
        matches!(&self.targets, Targets::Key(target)
            if target.sources.iter().any(|source| matches!(source, KeySource::Param { .. })))
    }

    /// The key values and where each leads, for EXPLAIN; same errors as `resolve`, except that values on
    /// different shards are all listed.
    pub fn locate(
        &self,
        map: &ShardMap,
        declared: &[Oid],
        params: &dyn ParamValues,
    ) -> Result<Vec<(KeyValue, LogicalShardId, ShardId)>, PgError> {
        let Targets::Key(target) = &self.targets else {
            return Ok(Vec::new());
        };
        let mut located = Vec::new();
        for source in &target.sources {
            let Some(value) = target.value(source, map, declared, params)? else {
                continue;
            };
            if let Some((logical, shard)) = map.locate(target.keyspace, &value) {
                located.push((value, logical, shard));
            }
        }
        Ok(located)
    }

    fn scattered(
        &self,
        map: &ShardMap,
        target: &KeyTarget,
        declared: &[Oid],
        params: &dyn ParamValues,
    ) -> PgError {
        let mut shards: Vec<ShardId> = self
            .locate(map, declared, params)
            .unwrap_or_default()
            .into_iter()
            .map(|(_, _, shard)| shard)
            .collect();
        shards.sort_unstable();
        shards.dedup();
        let names: Vec<&str> = shards
            .into_iter()
            .map(|shard| map.shard_name(shard))
            .collect();
        let column = &map.keyspace(target.keyspace).key.column;
        let (what, hint) = if target.stores {
            (
                "an INSERT of rows",
                format!("insert the rows of one {column} at a time"),
            )
        } else {
            (
                "a statement over rows",
                format!("tie every table to the same {column}"),
            )
        };
        PgError::refusal(
            format!(
                "{what} on several shards ({}) is not supported yet",
                names.join(", ")
            ),
            hint,
        )
    }
}

impl KeyTarget {
    /// `None` for what is no value of the key's type: any server refuses it.
    fn value(
        &self,
        source: &KeySource,
        map: &ShardMap,
        declared: &[Oid],
        params: &dyn ParamValues,
    ) -> Result<Option<KeyValue>, PgError> {
        let key = &map.keyspace(self.keyspace).key;
        let value = match source {
            KeySource::Literal(value) => value.clone(),
            KeySource::Invalid => return Ok(None),
            KeySource::Param { index, oid } => {
                let Some((format, bytes)) = params.param(*index) else {
                    return Err(PgError::client(
                        SqlState::PROTOCOL_VIOLATION,
                        format!(
                            "there is no value for parameter ${}, which holds the sharding key",
                            u32::from(*index) + 1
                        ),
                    ));
                };
                let oid = match *oid {
                    Oid::UNSPECIFIED => declared
                        .get(usize::from(*index))
                        .copied()
                        .unwrap_or(Oid::UNSPECIFIED),
                    oid => oid,
                };
                match bytes {
                    None => KeyValue::Null,
                    Some(bytes) => match key.key_type.parse_param(oid, format, bytes) {
                        Ok(value) => value,
                        Err(KeyError::Syntax { .. } | KeyError::OutOfRange { .. })
                            if key.key_type.is_certainly_invalid(bytes) =>
                        {
                            return Ok(None);
                        }
                        Err(error) => return Err(unreadable(&error, *index)),
                    },
                }
            }
        };
        if self.stores && value == KeyValue::Null {
            return Err(PgError::client(
                SqlState::NOT_NULL_VIOLATION,
                format!("null value in sharding key column \"{}\"", key.column),
            )
            .with_hint("a row without a sharding key lives on no shard"));
        }
        let blank_end = matches!(&value, KeyValue::Text(text) if text.ends_with(' '));
        if self.stores && blank_end && key.key_type == KeyType::Varchar {
            // varchar(n) silently drops blanks beyond n: the stored key could be another.
            return Err(PgError::refusal(
                format!(
                    "a value for sharding key \"{}\" of type varchar that ends in a blank is not supported",
                    key.column
                ),
                "leave the trailing blanks out",
            ));
        }
        Ok(Some(value))
    }
}

fn unreadable(error: &KeyError, index: u16) -> PgError {
    let code = match error {
        // What some version of PostgreSQL may read: `0x10`, `1_000`.
        KeyError::Syntax { .. } => SqlState::FEATURE_NOT_SUPPORTED,
        KeyError::OutOfRange { .. } => SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
        KeyError::Binary { .. } => SqlState::INVALID_BINARY_REPRESENTATION,
        KeyError::Encoding => SqlState::CHARACTER_NOT_IN_REPERTOIRE,
        KeyError::Incomparable { .. } => SqlState::FEATURE_NOT_SUPPORTED,
    };
    PgError::client(code, error.to_string()).with_detail(format!(
        "Parameter ${} holds the sharding key.",
        u32::from(index) + 1
    ))
}
