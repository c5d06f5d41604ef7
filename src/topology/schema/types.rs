//! What the shards' users have defined, and how its OIDs are told to clients, who see those of the default shard.

use std::sync::Arc;

use super::Last;
use crate::shardmap::ShardId;
use crate::types::translation::{Translation, UserTypes};

/// Of all shards as last read.
#[derive(Default)]
pub(super) struct Types {
    /// The default shard's.
    default: UserTypes,
    /// By `ShardId`; `None` where a shard means the same by every OID, or has never been read.
    translations: Vec<Option<Arc<Translation>>>,
}

impl Types {
    /// Translations that are as before are those from before. `default`: the place of the default shard, which was read.
    pub(super) fn read(read: &[Last], default: usize, before: &Self) -> Self {
        let of = |last: &Last| Some(last.catalog.as_ref()?.reached.types.clone());
        let own = read.get(default).and_then(of).unwrap_or_default();
        let translation = |(place, last): (usize, &Last)| {
            let types = &last.catalog.as_ref()?.reached.types;
            let now = (place != default).then(|| Translation::between(&own, types))??;
            let kept = before.translation(place).filter(|kept| kept.is_like(&now));
            Some(kept.unwrap_or_else(|| Arc::new(now)))
        };
        Self {
            translations: read.iter().enumerate().map(translation).collect(),
            default: own,
        }
    }

    /// Some shard has other OIDs than the default one.
    pub(super) fn translate(&self) -> bool {
        self.translations.iter().any(Option::is_some)
    }

    pub(super) fn of(&self, shard: ShardId) -> Option<Arc<Translation>> {
        self.translation(usize::from(shard.0))
    }

    fn translation(&self, place: usize) -> Option<Arc<Translation>> {
        self.translations.get(place).cloned().flatten()
    }

    /// A name means another type to clients than before: what servers have said of columns is not true any more.
    pub(super) fn redefine(&self, before: &Self) -> bool {
        let another =
            |(name, known): (_, &_)| self.default.get(name).is_some_and(|now| now != known);
        before.default.iter().any(another)
    }
}
