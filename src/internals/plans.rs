//! Planning alone, for benchmarks.

use crate::plan::{Destination, ParamValues, Plan, Values};
use crate::planner::{
    self, Column, Context, Lookup, PUBLIC, PlanCache, Relation, RelationKind, Schema,
};
use crate::shardmap::{
    HashFunction, Keyspace, KeyspaceIndex, MapVersion, Placement, ShardId, ShardMap,
    ShardingFunction, ShardingKey, TableKind, TableName,
};
use crate::sql;
use crate::types::{Format, KeyType};

/// How a cached plan was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    Exact,
    Shape,
    Miss,
}

/// A database of two shards with a plan cache: `matches` and `detections` are sharded by a bigint
/// `organization_id`, `docs` by a text `tenant`, and there are a hundred more tables. The catalogs have been read.
pub struct Plans {
    map: ShardMap,
    schema: Schema,
    cache: PlanCache,
}

impl Default for Plans {
    fn default() -> Self {
        let keyspace = |name: &str, column: &str, key_type| Keyspace {
            key: ShardingKey::single(column, key_type),
            name: name.to_owned(),
            function: ShardingFunction::Hash(HashFunction {
                logical_shards: 256,
            }),
            placement: Placement::even(256, 2),
            require_key: false,
        };
        let table = |name: String, keyspace, column: &str| {
            let kind = TableKind::Sharded {
                keyspace: KeyspaceIndex(keyspace),
                columns: vec![column.to_owned()],
            };
            let schema = "public".to_owned();
            (TableName { schema, name }, kind)
        };
        let named = |name: &str| table(name.to_owned(), 0, "organization_id");
        let more = (0..100).map(|number| table(format!("table_{number}"), 0, "organization_id"));
        let map = ShardMap {
            version: MapVersion(1),
            shards: vec!["s1".to_owned(), "s2".to_owned()],
            default_shard: ShardId(0),
            keyspaces: vec![
                keyspace("tenants", "organization_id", KeyType::BigInt),
                keyspace("texts", "tenant", KeyType::Text),
            ],
            tables: [named("matches"), named("detections")]
                .into_iter()
                .chain([table("docs".to_owned(), 1, "tenant")])
                .chain(more)
                .collect(),
        };
        Self {
            schema: schema(&map),
            map,
            cache: PlanCache::new(64 << 20),
        }
    }
}

/// What a server would say of these tables: the key first, then columns that statements may use.
fn schema(map: &ShardMap) -> Schema {
    let column = |(name, key_type): (&str, KeyType)| Column {
        name: name.to_owned(),
        type_oid: key_type.oid(),
        key_type: Some(key_type),
        declared: Some("".into()),
        has_default: false,
        generated: false,
    };
    let more = [
        ("id", KeyType::BigInt),
        ("match_id", KeyType::BigInt),
        ("name", KeyType::Text),
        ("country", KeyType::Text),
        ("kind", KeyType::Text),
        ("created_at", KeyType::Timestamptz),
    ];
    let relation = |table: &TableName| {
        let key = match table.name.as_str() {
            "docs" => ("tenant", KeyType::Text),
            _ => ("organization_id", KeyType::BigInt),
        };
        let relation = Relation {
            kind: RelationKind::Listed,
            columns: [key].into_iter().chain(more).map(column).collect(),
        };
        (table.clone(), relation)
    };
    Schema {
        version: 1,
        relations: map.tables.keys().map(relation).collect(),
        names: map.tables.keys().map(|table| table.name.clone()).collect(),
        grants: [("public".to_owned(), PUBLIC.to_owned())].into(),
        ..Schema::default()
    }
}

/// Every parameter is a five in text form.
struct Five;

impl ParamValues for Five {
    fn param(&self, _index: u16) -> Option<(Format, Option<&[u8]>)> {
        Some((Format::Text, Some(b"5")))
    }
}

impl Plans {
    fn context(&self) -> Context<'_> {
        Context {
            map: &self.map,
            schema: &self.schema,
            search_path: None,
            role: "app",
            hint: None,
            param_types: &[],
            transaction_pooling: true,
            gathers: true,
        }
    }

    /// As a session does with a simple query: the text split, its plan from the cache, its shard (zero where any
    /// would do). `None` for a refusal.
    pub fn route(&self, text: &str) -> Option<(u16, Found)> {
        let statement = sql::only_statement(text).ok()?;
        self.cached(statement)
    }

    /// The same without the splitting.
    pub fn cached(&self, statement: &str) -> Option<(u16, Found)> {
        let (planned, lookup) = self.cache.plan(statement, &self.context()).ok()?;
        let Plan::Route(route) = &*planned else {
            return None;
        };
        let values = Values {
            params: &Five,
            ..planned.values()
        };
        let shard = match route.resolve(&self.map, values).ok()? {
            Destination::Any => 0,
            Destination::Shard(shard) => shard.0,
            Destination::Gather(_) | Destination::Scatter(_) | Destination::ByText => return None,
        };
        let found = match lookup {
            Lookup::Exact => Found::Exact,
            Lookup::Shape => Found::Shape,
            Lookup::Miss => Found::Miss,
        };
        Some((shard, found))
    }

    /// A plan made as if the text had never been seen.
    pub fn first(&self, statement: &str) -> bool {
        planner::plan(statement, &self.context()).is_ok()
    }
}
