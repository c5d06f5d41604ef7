//! From a route and the values for its slots to one shard.

mod values;

use super::{Gathering, KeySource, KeyTarget, Planned, RelationKey, Route, Targets};
use crate::error::{PgError, SqlState};
use crate::shardmap::{LogicalShardId, ShardId, ShardMap};
use crate::sql::Literals;
use crate::types::{Format, KeyValue, Oid};

use values::{Read, candidates, check_stored, read};

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

/// What fills the slots of a plan.
#[derive(Clone, Copy)]
pub struct Values<'a> {
    /// The literals taken out of the text.
    pub literals: &'a Literals,
    /// The parameter types of Parse, possibly fewer than there are.
    pub declared: &'a [Oid],
    pub params: &'a dyn ParamValues,
}

impl<'a> Values<'a> {
    /// A text without slots, or one whose slots are not to be filled.
    pub const NONE: Self = Self {
        literals: &Literals::NONE,
        declared: &[],
        params: &NoParams,
    };

    pub fn of_literals(literals: &'a Literals) -> Self {
        Self {
            literals,
            ..Self::NONE
        }
    }

    pub fn of_params(declared: &'a [Oid], params: &'a dyn ParamValues) -> Self {
        Self::NONE.with_params(declared, params)
    }

    pub fn with_params(self, declared: &'a [Oid], params: &'a dyn ParamValues) -> Self {
        Self {
            declared,
            params,
            ..self
        }
    }
}

impl Planned {
    /// What of its slots is filled without parameters.
    pub fn values(&self) -> Values<'_> {
        Values::of_literals(&self.literals)
    }
}

/// Where a route leads once its slots are filled.
#[derive(Clone, Debug, PartialEq)]
pub enum Destination {
    Any,
    Shard(ShardId),
    /// Several shards have rows of it, which are brought together first.
    Gather(Box<Gathering>),
    /// These shards answer it, each for its rows: several, in the shard map's order.
    Scatter(Vec<ShardId>),
    /// Several shards, and how is a matter of its literals: it has to be planned by its own text.
    ByText,
}

/// A key or the beginning of one, and a logical shard that may hold its rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Located {
    pub key: Vec<KeyValue>,
    /// Empty where no shard has a row of this key.
    pub places: Vec<(LogicalShardId, ShardId)>,
}

/// Keys looked at for one relation; a statement with more is refused.
const KEYS_MAX: usize = 65_536;

impl Route {
    /// Finds the shard.
    ///
    /// Errors: 0A000 where the key values lead to different shards, or to another than a hint does, or a
    /// value cannot be read exactly as PostgreSQL would; those of [`super::Hinted::shard`].
    pub fn resolve(&self, map: &ShardMap, values: Values<'_>) -> Result<Destination, PgError> {
        let proven = self.proven(map, values)?;
        match &self.hint {
            None => Ok(proven),
            Some(hinted) => hinted.agree(&proven, map),
        }
    }

    /// What the statement's own key values say.
    fn proven(&self, map: &ShardMap, values: Values<'_>) -> Result<Destination, PgError> {
        let is_several = self.by_text || self.gather.is_some() || self.scatter.is_some();
        let target = match &self.targets {
            Targets::Key(target) => target,
            _ if is_several => return self.several(map, values),
            Targets::Any => return Ok(Destination::Any),
            Targets::Default => return Ok(Destination::Shard(map.default_shard)),
        };
        target.check_ready(map)?;
        match target.one_shard(map, values) {
            Ok(Some(found)) => Ok(found),
            Ok(None) if is_several => self.several(map, values),
            // A value that cannot be read says nothing of the shard.
            Err(error) if is_several && error.code == SqlState::FEATURE_NOT_SUPPORTED => {
                self.several(map, values)
            }
            Ok(None) => Err(self.scattered(map, target, values)),
            Err(error) => Err(error),
        }
    }

    /// What several shards have to do for it, if not one is enough after all.
    fn several(&self, map: &ShardMap, values: Values<'_>) -> Result<Destination, PgError> {
        if self.by_text {
            return Ok(Destination::ByText);
        }
        if let Some(scatter) = &self.scatter {
            return Ok(match scatter.shards(map, values)?.as_slice() {
                [shard] => Destination::Shard(*shard),
                shards => Destination::Scatter(shards.to_vec()),
            });
        }
        self.gathering(map, values)
    }

    /// As [`Self::resolve`], of what is to be gathered whether or not it could be scattered.
    ///
    /// Errors: 0A000 where it cannot be.
    pub fn gathering(&self, map: &ShardMap, values: Values<'_>) -> Result<Destination, PgError> {
        let at = match self.targets {
            Targets::Default => Some(map.default_shard),
            Targets::Any | Targets::Key(_) => None,
        };
        match &self.gather {
            Some(gather) => gather.destination(at, map, values),
            None => Err(PgError::refusal(
                "a statement whose answers by several shards cannot be merged is not supported here",
                "tie its tables to one sharding key, or let its rows be gathered (gather_rows)",
            )),
        }
    }

    /// True where the shard is known only once parameters are.
    #[cfg(test)]
    pub fn needs_params(&self) -> bool {
        self.params().next().is_some()
    }

    /// The parameters that decide where and how it runs, zero-based.
    pub fn params(&self) -> impl Iterator<Item = u16> {
        let keys = self.sources().filter_map(|source| match source {
            KeySource::Param { index, .. } => Some(*index),
            _ => None,
        });
        let scatter = self.scatter.iter();
        keys.chain(scatter.flat_map(|scatter| scatter.params()))
    }

    /// The places of the literals that decide the shard, in rising order.
    pub fn slots(&self) -> Box<[u32]> {
        let places = self.sources().filter_map(|source| match source {
            KeySource::Slot(slot) => Some(slot.place),
            _ => None,
        });
        let mut places: Vec<u32> = places.collect();
        places.sort_unstable();
        places.dedup();
        places.into()
    }

    fn sources(&self) -> impl Iterator<Item = &KeySource> {
        let relations = match &self.targets {
            Targets::Key(target) => target.relations.as_slice(),
            _ => &[],
        };
        let gather = self.gather.iter();
        let pieces = gather.flat_map(|gather| &gather.pieces);
        let gathered = pieces.flat_map(|piece| &piece.keys.relations);
        relations
            .iter()
            .chain(gathered)
            .flat_map(|relation| &relation.columns)
            .flat_map(|column| column.conditions.iter().flatten())
    }

    fn scattered(&self, map: &ShardMap, target: &KeyTarget, values: Values<'_>) -> PgError {
        let located = |relation| target.locate(relation, map, values).unwrap_or_default();
        let places = target
            .relations
            .iter()
            .flat_map(located)
            .flat_map(|located| located.places);
        let column = &map.keyspace(target.keyspace).key;
        let (what, hint) = if target.relations.iter().any(|relation| relation.stores) {
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
                map.shard_names(places.map(|(_, shard)| shard))
            ),
            hint,
        )
    }
}

impl KeyTarget {
    /// The shard of all keys; `None` where there are several.
    fn one_shard(
        &self,
        map: &ShardMap,
        values: Values<'_>,
    ) -> Result<Option<Destination>, PgError> {
        let mut found: Option<ShardId> = None;
        let mut several = false;
        let mut meet = |shard: ShardId| match found {
            None => found = Some(shard),
            Some(other) => several |= other != shard,
        };
        for relation in &self.relations {
            if self.meet_one_condition(relation, map, values, &mut meet)? {
                continue;
            }
            let located = self.locate(relation, map, values)?;
            let places = located.iter().flat_map(|located| &located.places);
            places.for_each(|(_, shard)| meet(*shard));
        }
        Ok((!several).then(|| found.map_or(Destination::Any, Destination::Shard)))
    }

    /// The hot path, without a list for each key: meets the shards of a key of one column under one condition (it
    /// equals a value, or one of several). False where it is not so simple; what was met till then is met again by
    /// [`Self::locate`], or that refuses.
    fn meet_one_condition(
        &self,
        relation: &RelationKey,
        map: &ShardMap,
        values: Values<'_>,
        meet: &mut impl FnMut(ShardId),
    ) -> Result<bool, PgError> {
        let [column] = relation.columns.as_slice() else {
            return Ok(false);
        };
        let [sources] = column.conditions.as_slice() else {
            return Ok(false);
        };
        let key_type = map.keyspace(self.keyspace).key.columns[0].key_type;
        let mut keys = 0;
        for source in sources {
            let read = read(source, key_type, values)?;
            let found = match &read {
                Read::One(value) => std::slice::from_ref(value),
                Read::Many(many) => many.as_slice(),
                Read::Nothing(_) => return Ok(false),
            };
            keys += found.len();
            if keys > KEYS_MAX {
                return Ok(false);
            }
            for value in found {
                check_stored(relation, column, key_type, value)?;
                match map.locate(self.keyspace, std::slice::from_ref(value)) {
                    Some((_, shard)) => meet(shard),
                    None if relation.stores => return Err(self.no_place(relation, map)),
                    None => {}
                }
            }
        }
        Ok(true)
    }

    /// A directory that has not been read would answer with its fallback.
    pub(super) fn check_ready(&self, map: &ShardMap) -> Result<(), PgError> {
        let keyspace = map.keyspace(self.keyspace);
        if keyspace.function.is_ready() {
            return Ok(());
        }
        Err(PgError::client(
            SqlState::CANNOT_CONNECT_NOW,
            format!(
                "the directory of keyspace \"{}\" has not been read yet",
                keyspace.name
            ),
        )
        .with_hint("try again once the default shard answers"))
    }

    /// For an INSERT of a key that no logical shard holds.
    fn no_place(&self, relation: &RelationKey, map: &ShardMap) -> PgError {
        let columns: Vec<&str> = relation.columns.iter().map(|c| c.name.as_str()).collect();
        PgError::client(
            SqlState::CHECK_VIOLATION,
            format!(
                "keyspace \"{}\" has no logical shard for this value of the sharding key ({})",
                map.keyspace(self.keyspace).name,
                columns.join(", ")
            ),
        )
        .with_hint("add it to the keyspace's `values`, or give the keyspace a `default`")
    }

    /// The keys the relation's rows may have, and where each of them is.
    pub fn locate(
        &self,
        relation: &RelationKey,
        map: &ShardMap,
        values: Values<'_>,
    ) -> Result<Vec<Located>, PgError> {
        self.check_ready(map)?;
        let key = &map.keyspace(self.keyspace).key;
        let mut keys: Vec<Vec<KeyValue>> = vec![Vec::new()];
        for (column, declared) in relation.columns.iter().zip(&key.columns) {
            let Some(found) = candidates(column, declared.key_type, values)? else {
                break;
            };
            for value in &found {
                check_stored(relation, column, declared.key_type, value)?;
            }
            if keys.len().saturating_mul(found.len()) > KEYS_MAX {
                return Err(PgError::client(
                    SqlState::STATEMENT_TOO_COMPLEX,
                    format!("{} may have more than {KEYS_MAX} keys", relation.relation),
                )
                .with_hint("split the statement"));
            }
            keys = keys
                .iter()
                .flat_map(|key| {
                    found
                        .iter()
                        .map(|value| [key.as_slice(), std::slice::from_ref(value)].concat())
                })
                .collect();
        }
        let place = |values: Vec<KeyValue>| {
            let places: Vec<_> = if values.len() == key.columns.len() {
                map.locate(self.keyspace, &values).into_iter().collect()
            } else {
                let placement = &map.keyspace(self.keyspace).placement;
                let logical = map.reachable(self.keyspace, &values).into_iter();
                logical
                    .map(|logical| (logical, placement.shard(logical)))
                    .collect()
            };
            if places.is_empty() && relation.stores {
                return Err(self.no_place(relation, map));
            }
            Ok(Located {
                key: values,
                places,
            })
        };
        keys.into_iter().map(place).collect()
    }
}

#[cfg(test)]
mod tests;
