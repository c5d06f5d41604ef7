//! What a change of the shard map would do to rows that stay where they are.

use super::{
    DirectoryFunction, Keyspace, ListFunction, LogicalShardId, RangeFunction, ShardId, ShardMap,
    ShardingFunction, TableKind,
};
use crate::types::{Family, KeyValue};

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
        diff.stranding.extend(
            Comparison {
                before,
                after,
                former,
                keyspace,
            }
            .stranding(),
        );
    }
}

/// One keyspace before and after.
struct Comparison<'a> {
    before: &'a ShardMap,
    after: &'a ShardMap,
    former: &'a Keyspace,
    keyspace: &'a Keyspace,
}

impl Comparison<'_> {
    fn stranding(&self) -> Vec<String> {
        let families = |keyspace: &Keyspace| -> Vec<Family> {
            let columns = keyspace.key.columns.iter();
            columns.map(|column| column.key_type.family()).collect()
        };
        if families(self.former) != families(self.keyspace) {
            return vec![format!(
                "keyspace {} would have a key of {} instead of {}",
                self.keyspace.name,
                types(self.keyspace),
                types(self.former)
            )];
        }
        self.functions(&self.former.function, &self.keyspace.function)
    }

    /// What one function in place of another would do, each with its keyspace's placement.
    fn functions(&self, old: &ShardingFunction, new: &ShardingFunction) -> Vec<String> {
        use ShardingFunction::{Directory, Hash, List, Range, Ring, Spread};
        match (old, new) {
            (Range(old), Range(new)) => self.ranges(old, new),
            (List(old), List(new)) => self.lists(old, new),
            (Directory(old), Directory(new)) => self.directories(old, new),
            // A ring differs in how its placement is made.
            (Hash(_) | Spread(_) | Ring(_), Hash(_) | Spread(_) | Ring(_)) => self.hashes(old, new),
            _ => vec![format!(
                "keyspace {} would be sharded by {} instead of {}",
                self.keyspace.name,
                new.name(),
                old.name()
            )],
        }
    }

    fn hashes(&self, old: &ShardingFunction, new: &ShardingFunction) -> Vec<String> {
        let name = &self.keyspace.name;
        let (many, former) = (new.logical_shards(), old.logical_shards());
        if many != former {
            return vec![format!(
                "keyspace {name} would have {many} logical shards instead of {former}"
            )];
        }
        let (spread, former) = (spread(new), spread(old));
        if spread != former {
            return vec![format!(
                "keyspace {name} would have a spread of {spread} instead of {former}"
            )];
        }
        self.moved(many)
    }

    /// Of so many logical shards those that would be elsewhere.
    fn moved(&self, logical_shards: u32) -> Vec<String> {
        let moved: Vec<LogicalShardId> = (0..logical_shards)
            .map(LogicalShardId)
            .filter(|&logical| self.old_shard(logical) != self.new_shard(logical))
            .collect();
        match moved.as_slice() {
            [] => Vec::new(),
            [first, ..] => vec![format!(
                "{} logical shards of keyspace {}, {} the first, would be on other shards",
                moved.len(),
                self.keyspace.name,
                first.0
            )],
        }
    }

    /// Between two neighbours of all bounds, old and new, everything is on one shard before and on one after.
    fn ranges(&self, old: &RangeFunction, new: &RangeFunction) -> Vec<String> {
        let mut bounds: Vec<&Vec<KeyValue>> = old.bounds().iter().chain(new.bounds()).collect();
        bounds.sort_unstable();
        bounds.dedup();
        let starts = std::iter::once(None).chain(bounds.iter().copied().map(Some));
        let ends = bounds.iter().copied().map(Some).chain([None]);
        let below = |function: &RangeFunction, start: Option<&Vec<KeyValue>>| {
            let at_or_below = |bound: &Vec<KeyValue>| start.is_some_and(|start| bound <= start);
            LogicalShardId(function.bounds().partition_point(at_or_below) as u32)
        };
        let moved = starts.zip(ends).filter_map(|(start, end)| {
            let from = self.old_shard(below(old, start));
            let to = self.new_shard(below(new, start));
            (from != to).then(|| {
                let from_on =
                    start.map_or(String::new(), |key| format!(" from {}", self.print(key)));
                let up_to = end.map_or(String::new(), |key| format!(" below {}", self.print(key)));
                format!("keys{from_on}{up_to} would be looked for on {to} instead of {from}")
            })
        });
        self.some(moved.collect())
    }

    fn lists(&self, old: &ListFunction, new: &ListFunction) -> Vec<String> {
        let mut found = self.listed(
            old.keys().chain(new.keys()).collect(),
            |prefix| self.old_shards(&self.reachable(&self.former.function, prefix)),
            |prefix| self.new_shards(&self.reachable(&self.keyspace.function, prefix)),
        );
        let from = old.default().map(|logical| self.old_shard(logical));
        let to = new.default().map(|logical| self.new_shard(logical));
        if let Some(from) = from
            && Some(from) != to
        {
            let to = to.map_or("nowhere".to_owned(), |to| format!("on {to}"));
            found.push(format!(
                "keys in no list would be looked for {to} instead of on {from}"
            ));
        }
        self.some(found)
    }

    /// Of entries that have not been read nothing is known but that they name logical shards.
    fn directories(&self, old: &DirectoryFunction, new: &DirectoryFunction) -> Vec<String> {
        let mut found = self.functions(old.fallback(), new.fallback());
        if old.is_loaded() && new.is_loaded() {
            found.extend(self.some(self.listed(
                old.keys().chain(new.keys()).collect(),
                |prefix| self.old_shards(&self.reachable(&self.former.function, prefix)),
                |prefix| self.new_shards(&self.reachable(&self.keyspace.function, prefix)),
            )));
            return found;
        }
        let (many, former) = (new.logical_shards, old.logical_shards);
        if many < former {
            found.push(format!(
                "the directory of keyspace {} would have {many} logical shards instead of {former}",
                self.keyspace.name
            ));
        }
        found.extend(self.moved(many.min(former)));
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Keys, and beginnings of keys, whose rows were elsewhere. One that had no place had no rows.
    fn listed(
        &self,
        mut keys: Vec<&[KeyValue]>,
        before: impl Fn(&[KeyValue]) -> Vec<String>,
        after: impl Fn(&[KeyValue]) -> Vec<String>,
    ) -> Vec<String> {
        keys.sort_unstable();
        keys.dedup();
        let print = |shards: &[String]| match shards {
            [] => "nowhere".to_owned(),
            shards => format!("on {}", shards.join(", ")),
        };
        keys.into_iter()
            .filter_map(|key| {
                let (from, to) = (before(key), after(key));
                (!from.is_empty() && from != to).then(|| {
                    format!(
                        "key {} would be looked for {} instead of {}",
                        self.print(key),
                        print(&to),
                        print(&from)
                    )
                })
            })
            .collect()
    }

    /// With the keyspace's name; the first few, and how many there are.
    fn some(&self, found: Vec<String>) -> Vec<String> {
        const SHOWN: usize = 3;
        let name = &self.keyspace.name;
        let more = found.len().saturating_sub(SHOWN);
        let mut lines: Vec<String> = found
            .into_iter()
            .take(SHOWN)
            .map(|one| format!("in keyspace {name} {one}"))
            .collect();
        if more > 0 {
            lines.push(format!("{more} more such changes in keyspace {name}"));
        }
        lines
    }

    /// Of a whole key, where it is.
    fn reachable(&self, function: &ShardingFunction, key: &[KeyValue]) -> Vec<LogicalShardId> {
        if key.len() == self.keyspace.key.columns.len() {
            function.logical_shard(key).into_iter().collect()
        } else {
            function.reachable(key)
        }
    }

    fn old_shard(&self, logical: LogicalShardId) -> &str {
        let shard = self.former.placement.shard(logical);
        self.before.shard_name(shard)
    }

    fn new_shard(&self, logical: LogicalShardId) -> &str {
        let shard = self.keyspace.placement.shard(logical);
        self.after.shard_name(shard)
    }

    fn old_shards(&self, logical: &[LogicalShardId]) -> Vec<String> {
        names(logical.iter().map(|logical| self.old_shard(*logical)))
    }

    fn new_shards(&self, logical: &[LogicalShardId]) -> Vec<String> {
        names(logical.iter().map(|logical| self.new_shard(*logical)))
    }

    fn print(&self, key: &[KeyValue]) -> String {
        let values: Vec<String> = key
            .iter()
            .zip(&self.keyspace.key.columns)
            .map(|(value, column)| column.key_type.print(value))
            .collect();
        values.join(", ")
    }
}

fn names<'n>(shards: impl Iterator<Item = &'n str>) -> Vec<String> {
    let mut names: Vec<String> = shards.map(str::to_owned).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// 1 where rows are not spread.
fn spread(function: &ShardingFunction) -> u32 {
    match function {
        ShardingFunction::Spread(function) => function.spread,
        ShardingFunction::Ring(function) => function.spread.unwrap_or(1),
        _ => 1,
    }
}

fn types(keyspace: &Keyspace) -> String {
    let columns = keyspace.key.columns.iter();
    let names: Vec<&str> = columns.map(|column| column.key_type.name()).collect();
    names.join(", ")
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
        HashFunction, KeyspaceIndex, MapVersion, Placement, RingFunction, ShardingKey, TableName,
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
            ["keyspace k would have 8 logical shards instead of 4"]
        );
    }

    fn with(function: ShardingFunction, placement: &[u16]) -> ShardMap {
        let mut map = map(placement.to_vec());
        map.keyspaces[0].function = function;
        map
    }

    fn int(value: i64) -> Vec<KeyValue> {
        vec![KeyValue::Int(value)]
    }

    fn range(bounds: &[i64]) -> ShardingFunction {
        let bounds = bounds.iter().copied().map(int).collect();
        ShardingFunction::Range(RangeFunction::new(bounds).expect("rising"))
    }

    fn list(entries: &[(i64, u32)], default: Option<u32>) -> ShardingFunction {
        let entries = entries
            .iter()
            .map(|(key, logical)| (int(*key), LogicalShardId(*logical)));
        let function = ListFunction::new(entries, default.map(LogicalShardId));
        ShardingFunction::List(function.expect("valid"))
    }

    fn stranding(before: &ShardMap, after: &ShardMap) -> Vec<String> {
        diff(before, after).stranding
    }

    #[test]
    fn another_function_or_key_strands() {
        let before = map(vec![0, 0, 1, 1]);
        assert_eq!(
            stranding(&before, &with(range(&[1, 2, 3]), &[0, 0, 1, 1])),
            ["keyspace k would be sharded by range instead of hash"]
        );
        let mut texts = before.clone();
        texts.keyspaces[0].key = ShardingKey::single("id", KeyType::Text);
        assert_eq!(
            stranding(&before, &texts),
            ["keyspace k would have a key of text instead of bigint"]
        );
        // Integers of all widths have the same hash.
        texts.keyspaces[0].key = ShardingKey::single("other", KeyType::Integer);
        assert_eq!(stranding(&before, &texts), [""; 0]);
    }

    #[test]
    fn a_ring_is_a_hash_with_a_placement() {
        let before = map(vec![0, 0, 1, 1]);
        let ring = |spread| {
            ShardingFunction::Ring(RingFunction {
                logical_shards: 4,
                spread,
            })
        };
        assert_eq!(
            stranding(&before, &with(ring(None), &[0, 0, 1, 1])),
            [""; 0]
        );
        assert_eq!(
            stranding(&before, &with(ring(None), &[0, 1, 0, 1])),
            ["2 logical shards of keyspace k, 1 the first, would be on other shards"]
        );
        assert_eq!(
            stranding(
                &with(ring(Some(2)), &[0, 0, 1, 1]),
                &with(ring(Some(4)), &[0, 0, 1, 1])
            ),
            ["keyspace k would have a spread of 4 instead of 2"]
        );
    }

    #[test]
    fn ranges_are_compared_by_where_their_keys_are() {
        let before = with(range(&[10, 20]), &[0, 1, 1]);
        // A bound more or less changes nothing where both sides are on one shard.
        assert_eq!(
            stranding(&before, &with(range(&[10, 15, 20]), &[0, 1, 1, 1])),
            [""; 0]
        );
        assert_eq!(stranding(&before, &with(range(&[10]), &[0, 1])), [""; 0]);
        assert_eq!(
            stranding(&before, &with(range(&[12, 20]), &[0, 1, 0])),
            [
                "in keyspace k keys from 10 below 12 would be looked for on s1 instead of s2",
                "in keyspace k keys from 20 would be looked for on s1 instead of s2",
            ]
        );
        assert_eq!(
            stranding(&before, &with(range(&[5, 20]), &[0, 1, 1])),
            ["in keyspace k keys from 5 below 10 would be looked for on s2 instead of s1"]
        );
        let many = with(range(&[10, 20, 30, 40, 50]), &[1, 0, 1, 0, 1, 0]);
        assert_eq!(stranding(&before, &many).len(), 4);
        assert_eq!(
            stranding(&before, &many)[3],
            "1 more such changes in keyspace k"
        );
    }

    #[test]
    fn lists_are_compared_key_by_key() {
        let before = with(list(&[(1, 0), (2, 1)], Some(2)), &[0, 1, 1]);
        let renumbered = with(list(&[(1, 1), (2, 0)], Some(0)), &[1, 0]);
        assert_eq!(stranding(&before, &renumbered), [""; 0]);
        // 3 was at the default until now, as 2 would be; 4 stays on the default's shard.
        let after = with(list(&[(1, 0), (3, 0), (4, 1)], Some(2)), &[0, 1, 1]);
        assert_eq!(
            stranding(&before, &after),
            ["in keyspace k key 3 would be looked for on s1 instead of on s2"]
        );
        assert_eq!(
            stranding(&before, &with(list(&[(1, 0)], None), &[0])),
            [
                "in keyspace k key 2 would be looked for nowhere instead of on s2",
                "in keyspace k keys in no list would be looked for nowhere instead of on s2",
            ]
        );
        // What had no place had no rows.
        let bare = with(list(&[(1, 0)], None), &[0]);
        assert_eq!(
            stranding(&bare, &with(list(&[(1, 0), (2, 1)], Some(1)), &[0, 1])),
            [""; 0]
        );
    }

    #[test]
    fn directories_are_compared_as_far_as_they_are_read() {
        let bare = DirectoryFunction::new(4, map(vec![0; 4]).keyspaces[0].function.clone());
        let key = ShardingKey::single("id", KeyType::BigInt);
        let loaded = |rows: &[(&str, i64)]| {
            let rows = rows
                .iter()
                .map(|(key, logical)| (vec![(*key).to_owned()], *logical));
            let function = bare.with_entries(&key, rows).expect("valid");
            with(ShardingFunction::Directory(function), &[0, 0, 1, 1])
        };
        // By the fallback 1 is on logical shard 0 and 42 on 2.
        let before = loaded(&[("1", 3)]);
        let unread = |placement| with(ShardingFunction::Directory(bare.clone()), placement);
        assert_eq!(stranding(&before, &unread(&[0, 0, 1, 1])), [""; 0]);
        assert_eq!(
            stranding(&before, &unread(&[0, 0, 1, 0])),
            ["1 logical shards of keyspace k, 3 the first, would be on other shards"]
        );
        assert_eq!(
            stranding(&before, &loaded(&[("42", 1)])),
            [
                "in keyspace k key 1 would be looked for on s1 instead of on s2",
                "in keyspace k key 42 would be looked for on s1 instead of on s2",
            ]
        );
        assert_eq!(stranding(&before, &loaded(&[("1", 2)])), [""; 0]);
        let other = DirectoryFunction::new(4, range(&[7]));
        assert_eq!(
            stranding(
                &before,
                &with(ShardingFunction::Directory(other), &[0, 0, 1, 1])
            ),
            ["keyspace k would be sharded by range instead of hash"]
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
