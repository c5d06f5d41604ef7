//! The map itself and the questions it answers.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use super::function::{LogicalShardId, ShardingFunction};
use super::placement::Placement;
use crate::types::{KeyType, KeyValue};

/// Number of a published shard map, always rising.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MapVersion(pub u64);

/// Index of a shard in [`ShardMap::shards`]; stable within one map version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId(pub u16);

/// Index of a keyspace in [`ShardMap::keyspaces`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyspaceIndex(pub u16);

/// A table's schema and name as PostgreSQL stores them (folded, unquoted, at most 63 bytes).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableName {
    pub schema: String,
    pub name: String,
}

impl TableName {
    /// As SQL writes it, each part in quotes.
    pub fn sql(&self) -> String {
        format!("{}.{}", identifier(&self.schema), identifier(&self.name))
    }
}

/// A name in quotes.
pub fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.schema != "public" {
            write!(f, "{}.", self.schema)?;
        }
        f.write_str(&self.name)
    }
}

/// How the rows of a listed table are spread. Tables that are not listed live on the default shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TableKind {
    /// Rows live on the shard of their sharding key, in the columns named here, one for each of the
    /// keyspace's.
    Sharded {
        keyspace: KeyspaceIndex,
        columns: Vec<String>,
    },
    /// Whole on every shard.
    Reference,
}

/// What decides where a row of the keyspace lives: one column or several, the most significant first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardingKey {
    /// Never empty.
    pub columns: Vec<KeyColumn>,
}

/// A column of a sharding key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyColumn {
    /// What it is called in tables that do not say otherwise.
    pub name: String,
    pub key_type: KeyType,
}

impl ShardingKey {
    /// A key of one column.
    pub fn single(name: impl Into<String>, key_type: KeyType) -> Self {
        Self {
            columns: vec![KeyColumn {
                name: name.into(),
                key_type,
            }],
        }
    }
}

impl fmt::Display for ShardingKey {
    /// `organization_id`, or `organization_id, entity_id`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.columns.iter().map(|c| c.name.as_str()).collect();
        f.write_str(&names.join(", "))
    }
}

/// A set of tables sharded alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keyspace {
    pub name: String,
    pub key: ShardingKey,
    pub function: ShardingFunction,
    pub placement: Placement,
    /// A guard for tenants: statements over its tables have to give the key themselves, whatever hints say.
    pub require_key: bool,
}

/// The versioned whole, for one database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardMap {
    pub version: MapVersion,
    /// Shard names in the order of the configuration.
    pub shards: Vec<String>,
    pub default_shard: ShardId,
    pub keyspaces: Vec<Keyspace>,
    pub tables: HashMap<TableName, TableKind>,
}

impl ShardMap {
    pub fn shard_name(&self, shard: ShardId) -> &str {
        &self.shards[usize::from(shard.0)]
    }

    /// Each once, in the order of the configuration: `s1, s2`.
    pub fn shard_names(&self, shards: impl Iterator<Item = ShardId>) -> String {
        let mut shards: Vec<ShardId> = shards.collect();
        shards.sort_unstable();
        shards.dedup();
        let names = shards.into_iter().map(|shard| self.shard_name(shard));
        names.collect::<Vec<_>>().join(", ")
    }

    pub fn keyspace(&self, index: KeyspaceIndex) -> &Keyspace {
        &self.keyspaces[usize::from(index.0)]
    }

    /// Where rows with this key live, given a value for each of its columns. A key with a NULL in it lives
    /// nowhere, and one the function has no place for: `None`.
    pub fn locate(
        &self,
        keyspace: KeyspaceIndex,
        key: &[KeyValue],
    ) -> Option<(LogicalShardId, ShardId)> {
        let keyspace = self.keyspace(keyspace);
        let logical = keyspace.function.logical_shard(key)?;
        Some((logical, keyspace.placement.shard(logical)))
    }

    /// The logical shards that may hold rows whose key begins with these values, in rising order.
    pub fn reachable(&self, keyspace: KeyspaceIndex, prefix: &[KeyValue]) -> Vec<LogicalShardId> {
        self.keyspace(keyspace).function.reachable(prefix)
    }

    /// True where every table lives on the default shard, so that nothing has to be routed.
    pub fn is_unsharded(&self) -> bool {
        self.tables.is_empty()
    }

    /// Tables by name, sorted, for printing.
    pub fn tables_sorted(&self) -> BTreeMap<&TableName, &TableKind> {
        self.tables.iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shardmap::HashFunction;

    fn map(logical_shards: u32) -> ShardMap {
        let keyspace = Keyspace {
            name: "tenants".into(),
            key: ShardingKey::single("organization_id", KeyType::BigInt),
            function: ShardingFunction::Hash(HashFunction { logical_shards }),
            placement: Placement::even(logical_shards, 2),
            require_key: false,
        };
        ShardMap {
            version: MapVersion(1),
            shards: vec!["s1".into(), "s2".into()],
            default_shard: ShardId(0),
            keyspaces: vec![keyspace],
            tables: HashMap::new(),
        }
    }

    /// The logical shards were found with `satisfies_hash_partition` on PostgreSQL 15; 1,021 is a modulus
    /// that does not divide the hash's range evenly.
    #[test]
    fn locates_keys_where_postgresql_would() {
        let locate = |logical_shards, value: i64| {
            map(logical_shards).locate(KeyspaceIndex(0), &[KeyValue::Int(value)])
        };
        assert_eq!(
            locate(256, 1),
            Some((LogicalShardId(36_792 % 256), ShardId(1)))
        );
        assert_eq!(
            locate(256, 42),
            Some((LogicalShardId(23_138 % 256), ShardId(0)))
        );
        assert_eq!(locate(1021, 42), Some((LogicalShardId(246), ShardId(0))));
        assert_eq!(locate(1021, 1), Some((LogicalShardId(844), ShardId(1))));
        assert_eq!(locate(1, 1), Some((LogicalShardId(0), ShardId(0))));
        assert_eq!(
            locate(65_536, -1),
            Some((LogicalShardId(44_965), ShardId(1)))
        );
    }

    #[test]
    fn null_lives_nowhere() {
        assert_eq!(map(256).locate(KeyspaceIndex(0), &[KeyValue::Null]), None);
    }

    #[test]
    fn names_print_without_the_public_schema() {
        let print = |schema: &str| {
            TableName {
                schema: schema.into(),
                name: "orders".into(),
            }
            .to_string()
        };
        assert_eq!(
            (print("public"), print("sales")),
            ("orders".into(), "sales.orders".into())
        );
    }

    #[test]
    fn a_map_without_tables_is_unsharded() {
        let mut map = map(256);
        assert!(map.is_unsharded());
        map.tables.insert(
            TableName {
                schema: "public".into(),
                name: "t".into(),
            },
            TableKind::Reference,
        );
        assert!(!map.is_unsharded());
    }
}
