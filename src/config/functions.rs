//! The sharding function of a keyspace: its name and the settings that belong to it.

use super::database::shard_id;
use super::error::Position;
use super::keyspaces::{LOGICAL_SHARDS, LOGICAL_SHARDS_MAX};
use super::reader::{Context, MapReader, did_you_mean, whole_number};
use super::yaml::{Node, Value};
use crate::shardmap::{
    BoundsError, DirectoryFunction, EntryError, HashFunction, ListFunction, LogicalShardId,
    Placement, RangeFunction, RingFunction, ShardingFunction, ShardingKey, SpreadFunction,
    VIRTUAL_NODES_MAX, ring_placement,
};
use crate::types::KeyValue;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Hash,
    Range,
    List,
    Ring,
    Directory,
}

const KINDS: [(&str, Kind); 5] = [
    ("hash", Kind::Hash),
    ("range", Kind::Range),
    ("list", Kind::List),
    ("ring", Kind::Ring),
    ("directory", Kind::Directory),
];

/// Settings and the functions they belong to.
const SETTINGS: [(&str, &[Kind]); 8] = [
    ("logical_shards", &[Kind::Hash, Kind::Ring, Kind::Directory]),
    ("spread", &[Kind::Hash, Kind::Ring]),
    ("bounds", &[Kind::Range]),
    ("values", &[Kind::List]),
    ("default", &[Kind::List]),
    ("weights", &[Kind::Ring]),
    ("virtual_nodes", &[Kind::Ring]),
    ("fallback", &[Kind::Directory]),
];

/// What is known before a function is read. `None`: it could not be read, which has been said.
#[derive(Clone, Copy)]
pub(super) struct Given<'a> {
    pub(super) key: Option<&'a ShardingKey>,
    pub(super) shards: Option<&'a [String]>,
}

/// Reads a keyspace's function, and its placement where the function makes it.
pub(super) fn read(
    context: &Context<'_>,
    map: &mut MapReader<'_>,
    given: Given<'_>,
) -> Option<(ShardingFunction, Option<Placement>)> {
    match kind(context, map, &KINDS)? {
        Kind::Ring => ring(context, map, given),
        Kind::Directory => directory(context, map, given).map(|function| (function, None)),
        kind => simple(context, map, kind, given, LOGICAL_SHARDS).map(|function| (function, None)),
    }
}

/// The function's name, after a look at the settings that are there.
fn kind(context: &Context<'_>, map: &mut MapReader<'_>, choices: &[(&str, Kind)]) -> Option<Kind> {
    let named = map
        .optional("function")
        .map_or(Some(Kind::Hash), |node| context.choice(node, choices));
    for (setting, kinds) in SETTINGS {
        let name = |kind: &Kind| KINDS.iter().find(|(_, known)| known == kind).map(|k| k.0);
        if let Some(node) = map.optional(setting)
            && let Some(kind) = named
            && !kinds.contains(&kind)
        {
            let owners: Vec<&str> = kinds.iter().filter_map(name).collect();
            context.error(
                node.at,
                format!(
                    "`{setting}` belongs to function {}, not to {}",
                    owners.join(", "),
                    name(&kind).unwrap_or_default()
                ),
            );
        }
    }
    named
}

/// One that needs no other function and no shards.
fn simple(
    context: &Context<'_>,
    map: &mut MapReader<'_>,
    kind: Kind,
    given: Given<'_>,
    logical_shards: u32,
) -> Option<ShardingFunction> {
    match kind {
        Kind::Range => range(context, map, given.key).map(ShardingFunction::Range),
        Kind::List => list(context, map, given.key).map(ShardingFunction::List),
        _ => {
            let logical_shards = logical_shards_of(context, map, logical_shards);
            let spread = spread(context, map, given.key, logical_shards)?;
            let logical_shards = logical_shards?;
            Some(match spread {
                Some(spread) => ShardingFunction::Spread(SpreadFunction {
                    logical_shards,
                    spread,
                }),
                None => ShardingFunction::Hash(HashFunction { logical_shards }),
            })
        }
    }
}

fn logical_shards_of(context: &Context<'_>, map: &mut MapReader<'_>, default: u32) -> Option<u32> {
    map.optional("logical_shards")
        .map_or(Some(default), |node| {
            context
                .number(node, 1, LOGICAL_SHARDS_MAX.into())
                .map(|n| n as u32)
        })
}

/// Needed for a key of several columns, senseless for others.
fn spread(
    context: &Context<'_>,
    map: &mut MapReader<'_>,
    key: Option<&ShardingKey>,
    logical_shards: Option<u32>,
) -> Option<Option<u32>> {
    let node = map.optional("spread");
    let composite = key?.columns.len() > 1;
    let node = match (node, composite) {
        (None, false) => return Some(None),
        (Some(node), false) => {
            context.error(node.at, "`spread` is for a sharding key of several columns");
            return None;
        }
        (None, true) => {
            context.error(
                map.at(),
                "the key `spread` is missing: over how many logical shards the rows with one value of the key's \
                 first column may lie",
            );
            return None;
        }
        (Some(node), true) => node,
    };
    let logical_shards = logical_shards?;
    let spread = context.number(node, 2, LOGICAL_SHARDS_MAX.into())? as u32;
    if logical_shards % spread != 0 {
        context.error(
            node.at,
            format!("`spread` must divide the number of logical shards, which is {logical_shards}"),
        );
        return None;
    }
    Some(Some(spread))
}

fn range(
    context: &Context<'_>,
    map: &mut MapReader<'_>,
    key: Option<&ShardingKey>,
) -> Option<RangeFunction> {
    let node = map.required("bounds")?;
    let items = context.list(node, "a list of bounds: [1000, 2000]")?;
    if items.is_empty() || items.len() >= LOGICAL_SHARDS_MAX as usize {
        context.error(
            node.at,
            format!("from 1 to {} bounds are needed", LOGICAL_SHARDS_MAX - 1),
        );
        return None;
    }
    let key = key?;
    let bounds: Vec<Option<Vec<KeyValue>>> = items
        .iter()
        .map(|item| key_of(context, item, key))
        .collect();
    let bounds: Vec<Vec<KeyValue>> = bounds.into_iter().collect::<Option<_>>()?;
    match RangeFunction::new(bounds) {
        Ok(function) => Some(function),
        Err(error) => {
            let (BoundsError::NotRising { place } | BoundsError::Null { place }) = error;
            context.error(items[place].at, error.to_string());
            None
        }
    }
}

fn list(
    context: &Context<'_>,
    map: &mut MapReader<'_>,
    key: Option<&ShardingKey>,
) -> Option<ListFunction> {
    let default = map.optional("default").map_or(Some(None), |node| {
        context
            .number(node, 0, u64::from(LOGICAL_SHARDS_MAX) - 1)
            .map(|n| Some(LogicalShardId(n as u32)))
    });
    let node = map.required("values")?;
    let entries = context.entries(
        node,
        "a map from logical shards to lists of keys: { 0: [DE, AT], 1: [US] }",
    )?;
    if entries.is_empty() {
        context.error(node.at, "at least one logical shard is needed");
        return None;
    }
    let key = key?;
    let mut sound = true;
    let mut listed: Vec<(Vec<KeyValue>, LogicalShardId)> = Vec::new();
    let mut places: Vec<Position> = Vec::new();
    for (name, node) in entries {
        let logical = whole_number(&name.name).filter(|n| *n < LOGICAL_SHARDS_MAX.into());
        if logical.is_none() {
            context.error(
                name.at,
                format!(
                    "expected the number of a logical shard, from 0 to {}, found {:?}",
                    LOGICAL_SHARDS_MAX - 1,
                    name.name
                ),
            );
        }
        let Some(items) = context.list(node, "a list of keys") else {
            sound = false;
            continue;
        };
        for item in items {
            match (key_of(context, item, key), logical) {
                (Some(values), Some(logical)) => {
                    listed.push((values, LogicalShardId(logical as u32)));
                    places.push(item.at);
                }
                _ => sound = false,
            }
        }
    }
    if !sound {
        return None;
    }
    match ListFunction::new(listed, default?) {
        Ok(function) => Some(function),
        Err(error) => {
            let (EntryError::Twice { place } | EntryError::Null { place }) = error;
            context.error(places[place], error.to_string());
            None
        }
    }
}

/// One value, or a list with values of the key's first columns, in their text form.
fn key_of(context: &Context<'_>, node: &Node, key: &ShardingKey) -> Option<Vec<KeyValue>> {
    let items = match &node.value {
        Value::List(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    if items.is_empty() || items.len() > key.columns.len() {
        let columns = key.columns.len();
        context.error(
            node.at,
            format!(
                "{} values for a sharding key of {columns} column{}",
                items.len(),
                if columns == 1 { "" } else { "s" }
            ),
        );
        return None;
    }
    let values: Vec<Option<KeyValue>> = items
        .iter()
        .zip(&key.columns)
        .map(|(item, column)| {
            let text =
                context.text(item, &format!("a value of type {}", column.key_type.name()))?;
            match column.key_type.parse_text(text.as_bytes()) {
                Ok(value) => Some(value),
                Err(error) => {
                    context.error(item.at, format!("{error}: {text:?}"));
                    None
                }
            }
        })
        .collect();
    values.into_iter().collect()
}

/// Virtual nodes for each unit of weight.
const VIRTUAL_NODES: u32 = 1000;
const WEIGHT_MAX: u64 = 1000;

fn ring(
    context: &Context<'_>,
    map: &mut MapReader<'_>,
    given: Given<'_>,
) -> Option<(ShardingFunction, Option<Placement>)> {
    let logical_shards = logical_shards_of(context, map, LOGICAL_SHARDS);
    let spread = spread(context, map, given.key, logical_shards);
    let virtual_nodes = map
        .optional("virtual_nodes")
        .map_or(Some(VIRTUAL_NODES), |node| {
            context.number(node, 1, 10_000).map(|n| n as u32)
        });
    let weights = weights(context, map, given.shards);
    if let Some(node) = map.optional("placement") {
        context.error(
            node.at,
            "the ring makes the placement: leave `placement` out, or use function hash",
        );
    }
    let (shards, weights) = (given.shards?, weights?);
    let (logical_shards, virtual_nodes) = (logical_shards?, virtual_nodes?);
    let total: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
    if total * u64::from(virtual_nodes) > VIRTUAL_NODES_MAX {
        context.error(
            map.at(),
            format!(
                "the ring would have more than {VIRTUAL_NODES_MAX} virtual nodes: lower `weights` or \
                 `virtual_nodes`"
            ),
        );
        return None;
    }
    let weighted = shards.iter().map(String::as_str).zip(weights);
    let placement = ring_placement(logical_shards, virtual_nodes, weighted);
    let function = RingFunction {
        logical_shards,
        spread: spread?,
    };
    Some((ShardingFunction::Ring(function), Some(placement)))
}

/// One for each shard, 1 where none is given.
fn weights(
    context: &Context<'_>,
    map: &mut MapReader<'_>,
    shards: Option<&[String]>,
) -> Option<Vec<u32>> {
    let mut weights = vec![1; shards.map_or(0, <[String]>::len)];
    let Some(node) = map.optional("weights") else {
        return Some(weights);
    };
    let mut sound = true;
    for (key, node) in context.entries(node, "a map from shards to weights: { s1: 2 }")? {
        let shard = shard_id(context, key.at, &key.name, shards);
        match (shard, context.number(node, 0, WEIGHT_MAX)) {
            (Some(shard), Some(weight)) => weights[usize::from(shard.0)] = weight as u32,
            _ => sound = false,
        }
    }
    if sound && !weights.is_empty() && weights.iter().all(|weight| *weight == 0) {
        context.error(node.at, "at least one weight must be above 0");
        sound = false;
    }
    sound.then_some(weights)
}

/// Without its entries, which are rows on the default shard.
fn directory(
    context: &Context<'_>,
    map: &mut MapReader<'_>,
    given: Given<'_>,
) -> Option<ShardingFunction> {
    let node = map.optional("logical_shards");
    let own = logical_shards_of(context, map, LOGICAL_SHARDS);
    let fallback = fallback(context, map, given, own?)?;
    let least = fallback.logical_shards();
    let logical_shards = match node {
        Some(node) if own? < least => {
            context.error(
                node.at,
                format!("the fallback alone has {least} logical shards"),
            );
            return None;
        }
        Some(_) => own?,
        None => least,
    };
    Some(ShardingFunction::Directory(DirectoryFunction::new(
        logical_shards,
        fallback,
    )))
}

/// What decides for keys that have no entry; a hash over `logical_shards` where nothing is said.
fn fallback(
    context: &Context<'_>,
    map: &mut MapReader<'_>,
    given: Given<'_>,
    logical_shards: u32,
) -> Option<ShardingFunction> {
    const EXPECTED: &str =
        "hash, or a function with its settings: { function: range, bounds: […] }";
    let composite = given.key?.columns.len() > 1;
    match map.optional("fallback") {
        None if !composite => {}
        None => {
            map.required("fallback");
            return None;
        }
        Some(node) => {
            if let Value::Map(_) = &node.value {
                let mut nested = context.map(node, EXPECTED)?;
                let kind = kind(context, &mut nested, &KINDS[..3]);
                let function =
                    kind.and_then(|kind| simple(context, &mut nested, kind, given, logical_shards));
                nested.finish();
                return function;
            }
            let name = context.text(node, EXPECTED)?;
            if name != "hash" {
                let hint = did_you_mean(name, ["hash"]);
                context.error(
                    node.at,
                    format!("expected {EXPECTED}, found {name:?}{hint}"),
                );
                return None;
            }
            if composite {
                context.error(
                    node.at,
                    "a key of several columns needs `spread`: { function: hash, spread: … }",
                );
                return None;
            }
        }
    }
    Some(ShardingFunction::Hash(HashFunction { logical_shards }))
}
