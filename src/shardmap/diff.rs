//! What a change of the shard map would do to rows that stay where they are.

use super::{LogicalShardId, ShardId, ShardMap, TableKind};

/// A change of the map, in words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diff {
    /// Rows would be looked for where they are not.
    pub stranding: Vec<String>,
    /// Right only if the rows are already in place, which the map cannot tell.
    pub assuming: Vec<String>,
}

/// Compares two maps of one database. Shards are the same if their names are.
pub fn diff(before: &ShardMap, after: &ShardMap) -> Diff {
    let mut diff = Diff::default();
    let name = |map: &ShardMap, shard: ShardId| map.shard_name(shard).to_owned();
    let (old, new) = (
        name(before, before.default_shard),
        name(after, after.default_shard),
    );
    if old != new {
        diff.stranding
            .push(format!("the default shard would be {new} instead of {old}"));
    }
    keyspaces(before, after, &mut diff);
    tables(before, after, &mut diff);
    diff
}

fn keyspaces(before: &ShardMap, after: &ShardMap, diff: &mut Diff) {
    for keyspace in &after.keyspaces {
        let Some(former) = before.keyspaces.iter().find(|k| k.name == keyspace.name) else {
            continue;
        };
        if former.key != keyspace.key || former.function != keyspace.function {
            diff.stranding.push(format!(
                "keyspace {} would be sharded in another way",
                keyspace.name
            ));
            continue;
        }
        let moved: Vec<u32> = (0..keyspace.function.logical_shards())
            .filter(|&logical| {
                let logical = LogicalShardId(logical);
                before.shard_name(former.placement.shard(logical))
                    != after.shard_name(keyspace.placement.shard(logical))
            })
            .collect();
        if let [first, ..] = moved.as_slice() {
            diff.stranding.push(format!(
                "{} logical shards of keyspace {}, {first} the first, would be on other shards",
                moved.len(),
                keyspace.name
            ));
        }
    }
}

fn tables(before: &ShardMap, after: &ShardMap, diff: &mut Diff) {
    // Keyspaces by name: their numbers belong to one map.
    let described = |map: &ShardMap, kind: &TableKind| match kind {
        TableKind::Reference => "a reference table".to_owned(),
        TableKind::Sharded { keyspace, columns } => format!(
            "sharded by {} in {}",
            columns.join(", "),
            map.keyspace(*keyspace).name
        ),
    };
    for (table, kind) in after.tables_sorted() {
        let now = described(after, kind);
        match before.tables.get(table).map(|kind| described(before, kind)) {
            None => diff.assuming.push(format!("{table} is {now}")),
            Some(former) if former != now => diff
                .stranding
                .push(format!("{table} would be {now} instead of {former}")),
            Some(_) => {}
        }
    }
    for (table, _) in before.tables_sorted() {
        if !after.tables.contains_key(table) {
            diff.assuming
                .push(format!("{table} is on the default shard only"));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::shardmap::{
        HashFunction, Keyspace, KeyspaceIndex, MapVersion, Placement, ShardingFunction,
        ShardingKey, TableName,
    };
    use crate::types::KeyType;

    fn map(placement: Vec<u16>) -> ShardMap {
        let table = |name: &str| TableName {
            schema: "public".to_owned(),
            name: name.to_owned(),
        };
        let sharded = TableKind::Sharded {
            keyspace: KeyspaceIndex(0),
            columns: vec!["id".to_owned()],
        };
        ShardMap {
            version: MapVersion(1),
            shards: vec!["s1".to_owned(), "s2".to_owned()],
            default_shard: ShardId(0),
            keyspaces: vec![Keyspace {
                name: "k".to_owned(),
                key: ShardingKey::single("id", KeyType::BigInt),
                function: ShardingFunction::Hash(HashFunction {
                    logical_shards: placement.len() as u32,
                }),
                placement: Placement::new(placement.into_iter().map(ShardId).collect()),
                require_key: false,
            }],
            tables: HashMap::from([(table("a"), sharded), (table("r"), TableKind::Reference)]),
        }
    }

    #[test]
    fn the_same_map_strands_nothing_even_in_another_order() {
        let before = map(vec![0, 0, 1, 1]);
        let mut after = map(vec![1, 1, 0, 0]);
        after.shards.reverse();
        after.default_shard = ShardId(1);
        assert_eq!(diff(&before, &after), Diff::default());
    }

    #[test]
    fn what_moves_is_named() {
        let before = map(vec![0, 0, 1, 1]);
        let mut after = map(vec![0, 1, 1, 1]);
        after.default_shard = ShardId(1);
        assert_eq!(
            diff(&before, &after).stranding,
            [
                "the default shard would be s2 instead of s1",
                "1 logical shards of keyspace k, 1 the first, would be on other shards",
            ]
        );
        let finer = map(vec![0; 8]);
        assert_eq!(
            diff(&before, &finer).stranding,
            ["keyspace k would be sharded in another way"]
        );
    }

    #[test]
    fn tables_that_change_their_kind_strand_and_new_ones_assume() {
        let before = map(vec![0, 1]);
        let mut after = map(vec![0, 1]);
        let name = |name: &str| TableName {
            schema: "public".to_owned(),
            name: name.to_owned(),
        };
        after.tables.insert(name("a"), TableKind::Reference);
        after.tables.insert(name("new"), TableKind::Reference);
        after.tables.remove(&name("r"));
        let found = diff(&before, &after);
        assert_eq!(
            found.stranding,
            ["a would be a reference table instead of sharded by id in k"]
        );
        assert_eq!(
            found.assuming,
            ["new is a reference table", "r is on the default shard only"]
        );
    }
}
