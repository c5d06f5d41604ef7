//! Plans by exact text, so that a statement seen before is not read again.
//!
//! Asked at Parse and for simple queries. Bounded by bytes; spread over several locks, because every
//! session asks. Refusals are not kept: they are rare, and cheap to find again.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hash};
use std::sync::{Arc, Mutex, PoisonError};

use lru::LruCache;

use super::{Context, plan};
use crate::error::PgError;
use crate::plan::{ColumnKey, Hint, KeySource, Plan, RelationKey, Route, Targets};
use crate::types::{KeyValue, Oid};

/// Locks the cache is spread over.
const SEGMENTS: usize = 16;
/// Longer texts are planned anew each time: one of them would push out many.
const TEXT_BYTES_MAX: usize = 64 << 10;
/// What an entry takes besides what its key and plan point to, roughly: both of them, the list and the
/// table, and what the allocator adds.
const ENTRY_BYTES: usize = size_of::<Key>() + size_of::<Plan>() + 160;

/// Everything a plan depends on. `schema` numbers the [`super::Schema`], as the map's version numbers the
/// map: whoever replaces either gives it another number.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    text: Box<str>,
    search_path: Option<Box<[String]>>,
    role: Box<str>,
    hint: Option<Hint>,
    param_types: Box<[Oid]>,
    map: u64,
    schema: u64,
    transaction_pooling: bool,
}

/// A cache of plans for one database.
pub struct PlanCache {
    segments: Vec<Mutex<Segment>>,
    bytes_max: usize,
    hasher: RandomState,
}

struct Segment {
    plans: LruCache<Key, (Arc<Plan>, usize)>,
    bytes: usize,
}

impl PlanCache {
    /// Keeps plans of about this many bytes, texts included.
    pub fn new(bytes_max: usize) -> Self {
        let segment = || {
            Mutex::new(Segment {
                plans: LruCache::unbounded(),
                bytes: 0,
            })
        };
        Self {
            segments: (0..SEGMENTS).map(|_| segment()).collect(),
            bytes_max: bytes_max / SEGMENTS,
            hasher: RandomState::new(),
        }
    }

    /// The plan of this text, and whether it was in the cache.
    pub fn plan(&self, text: &str, context: &Context<'_>) -> Result<(Arc<Plan>, bool), PgError> {
        if text.len() > TEXT_BYTES_MAX {
            return Ok((Arc::new(plan(text, context)?), false));
        }
        let key = Key {
            text: text.into(),
            search_path: context.search_path.map(Into::into),
            role: context.role.into(),
            hint: context.hint.cloned(),
            param_types: context.param_types.into(),
            map: context.map.version.0,
            schema: context.schema.version,
            transaction_pooling: context.transaction_pooling,
        };
        let segment = &self.segments[self.segment_of(&key)];
        // A panic while the lock was held cannot have left the map half changed in a way that matters.
        let found = |segment: &Mutex<Segment>| {
            let mut segment = segment.lock().unwrap_or_else(PoisonError::into_inner);
            segment.plans.get(&key).map(|(plan, _)| Arc::clone(plan))
        };
        if let Some(plan) = found(segment) {
            return Ok((plan, true));
        }
        let planned = Arc::new(plan(text, context)?);
        let bytes = size(&key, &planned);
        segment
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key, Arc::clone(&planned), bytes, self.bytes_max);
        Ok((planned, false))
    }

    /// Bytes kept now, roughly.
    #[cfg(test)]
    fn bytes(&self) -> usize {
        self.segments
            .iter()
            .map(|segment| segment.lock().unwrap_or_else(PoisonError::into_inner).bytes)
            .sum()
    }

    fn segment_of(&self, key: &Key) -> usize {
        (self.hasher.hash_one(&key.text) % SEGMENTS as u64) as usize
    }
}

impl Segment {
    fn insert(&mut self, key: Key, plan: Arc<Plan>, bytes: usize, bytes_max: usize) {
        if bytes > bytes_max {
            return;
        }
        if let Some((_, (_, old))) = self.plans.push(key, (plan, bytes)) {
            self.bytes -= old;
        }
        self.bytes += bytes;
        while self.bytes > bytes_max {
            let Some((_, (_, old))) = self.plans.pop_lru() else {
                break;
            };
            self.bytes -= old;
        }
    }
}

fn size(key: &Key, plan: &Plan) -> usize {
    let path: usize = key
        .search_path
        .iter()
        .flatten()
        .map(|schema| schema.len() + size_of::<String>())
        .sum();
    let plan = match plan {
        Plan::Route(Route {
            targets, reason, ..
        }) => reason.len() + targets_size(targets),
        Plan::Control(_) => key.text.len(),
    };
    ENTRY_BYTES + key.text.len() + path + size_of_val(&*key.param_types) + plan
}

fn targets_size(targets: &Targets) -> usize {
    let Targets::Key(target) = targets else {
        return 0;
    };
    let source = |source: &KeySource| {
        let text = match source {
            KeySource::Literal(KeyValue::Text(text)) => text.len(),
            _ => 0,
        };
        size_of::<KeySource>() + text
    };
    let column = |column: &ColumnKey| {
        let sources: usize = column.conditions.iter().flatten().map(source).sum();
        size_of::<ColumnKey>() + column.name.len() + column.conditions.len() * 24 + sources
    };
    let relation = |relation: &RelationKey| {
        let columns: usize = relation.columns.iter().map(column).sum();
        size_of::<RelationKey>() + relation.relation.len() + columns
    };
    target.relations.iter().map(relation).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::planner::Schema;
    use crate::planner::tests::map;

    fn context<'a>(map: &'a crate::shardmap::ShardMap, schema: &'a Schema) -> Context<'a> {
        Context {
            map,
            schema,
            search_path: None,
            role: "app",
            hint: None,
            param_types: &[],
            transaction_pooling: true,
        }
    }

    #[test]
    fn the_same_text_is_planned_once() {
        let (map, schema, cache) = (map(), Schema::default(), PlanCache::new(1 << 20));
        let context = context(&map, &schema);
        let text = "select * from matches where organization_id = 5";
        let first = cache.plan(text, &context).expect("plans").0;
        assert!(Arc::ptr_eq(
            &first,
            &cache.plan(text, &context).expect("plans").0
        ));
        let path = ["audit".to_owned()];
        let other = Context {
            search_path: Some(&path),
            ..context
        };
        assert_ne!(first, cache.plan(text, &other).expect("plans").0);
        let changed = Schema {
            version: 2,
            ..Schema::default()
        };
        let later = Context {
            schema: &changed,
            ..context
        };
        assert!(!Arc::ptr_eq(
            &first,
            &cache.plan(text, &later).expect("plans").0
        ));
        let typed = Context {
            param_types: &[Oid::INT4],
            ..context
        };
        assert!(!Arc::ptr_eq(
            &first,
            &cache.plan(text, &typed).expect("plans").0
        ));
    }

    #[test]
    fn old_plans_make_room() {
        let (map, schema, cache) = (map(), Schema::default(), PlanCache::new(64 << 10));
        let context = context(&map, &schema);
        for value in 0..2_000 {
            let text = format!("select * from matches where organization_id = {value}");
            cache.plan(&text, &context).expect("plans");
        }
        assert!(cache.bytes() <= 64 << 10);
        assert!(cache.bytes() > 32 << 10);
        assert!(cache.plan("select * from matches", &context).is_err());
    }

    /// Plans that take much more than their text are counted for what they take.
    #[test]
    fn heavy_plans_make_room_too() {
        let (map, schema, cache) = (map(), Schema::default(), PlanCache::new(1 << 20));
        let context = context(&map, &schema);
        for number in 0..200 {
            let rows = vec!["(5, 1)"; 500].join(",");
            let text =
                format!("insert into matches (organization_id, id) values (5, {number}),{rows}");
            let plan = cache.plan(&text, &context).expect("plans").0;
            let Plan::Route(Route { targets, .. }) = &*plan else {
                panic!("not a route");
            };
            let taken = targets_size(targets);
            let kept: usize = cache
                .segments
                .iter()
                .map(|segment| segment.lock().expect("no panic").plans.len())
                .sum();
            assert!(
                kept * (taken + text.len()) <= 1 << 20,
                "{kept} of {taken} bytes"
            );
            assert!(cache.bytes() <= 1 << 20);
        }
        assert!(cache.bytes() > 64 << 10);
    }
}
