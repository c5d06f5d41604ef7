//! `keyspaces` and `reference_tables`: what is sharded, by what, and where it lies.

use std::collections::HashMap;

use super::database::shard_id;
use super::error::Position;
use super::reader::{Context, whole_number};
use super::values::{column_name, table_name};
use super::yaml::{Key, Node, Value};
use crate::shardmap::{
    HashFunction, Keyspace, KeyspaceIndex, Placement, PlacementBuilder, PlacementError, ShardId,
    ShardingFunction, ShardingKey, TableKind, TableName, format_ranges,
};
use crate::types::KeyType;

type Tables = HashMap<TableName, TableKind>;

const LOGICAL_SHARDS: u32 = 256;
const LOGICAL_SHARDS_MAX: u32 = 65_536;

/// Reads both keys. `shards` is `None` where the shards could not be read; then what needs their names
/// is not checked.
pub(super) fn read(
    context: &Context<'_>,
    keyspaces: Option<&Node>,
    reference_tables: Option<&Node>,
    shards: Option<&[String]>,
) -> Option<(Vec<Keyspace>, Tables)> {
    let mut listed = Listed {
        context,
        tables: Tables::new(),
        first: HashMap::new(),
    };
    let entries = match keyspaces {
        Some(node) => context.entries(node, "a map of keyspaces: { name: { key, tables, … } }")?,
        None => &[],
    };
    let mut read = Vec::new();
    for (index, (key, node)) in (0u16..).zip(entries) {
        context.name(key.at, "keyspace", &key.name);
        read.push(keyspace(
            &mut listed,
            KeyspaceIndex(index),
            key,
            node,
            shards,
        ));
    }
    if let Some(node) = reference_tables {
        for item in context.list(node, "a list of tables")? {
            if let Some(text) = context.text(item, "the name of a table")
                && let Some(name) = table_name(context, item.at, text)
            {
                listed.add(
                    item.at,
                    name,
                    TableKind::Reference,
                    "as a reference table".to_owned(),
                );
            }
        }
    }
    let read: Option<Vec<Keyspace>> = read.into_iter().collect();
    Some((read?, listed.tables))
}

/// The tables listed so far; a table may be listed once in a database.
struct Listed<'a> {
    context: &'a Context<'a>,
    tables: Tables,
    first: HashMap<TableName, (Position, String)>,
}

impl Listed<'_> {
    fn add(&mut self, at: Position, name: TableName, kind: TableKind, place: String) {
        if let Some((first, other)) = self.first.get(&name) {
            let message = format!(
                "the table `{name}` is listed already: {other}, in line {}",
                first.line
            );
            self.context.error(at, message);
        } else {
            self.first.insert(name.clone(), (at, place));
            self.tables.insert(name, kind);
        }
    }
}

fn keyspace(
    listed: &mut Listed<'_>,
    index: KeyspaceIndex,
    key: &Key,
    node: &Node,
    shards: Option<&[String]>,
) -> Option<Keyspace> {
    let context = listed.context;
    let mut map = context.map(node, "a keyspace: { key: { column, type }, tables: […] }")?;
    let sharding_key = map
        .required("key")
        .and_then(|node| sharding_key(context, node));
    if let Some(node) = map.optional("function") {
        function(context, node);
    }
    let logical_shards = map
        .optional("logical_shards")
        .map_or(Some(LOGICAL_SHARDS), |node| {
            context
                .number(node, 1, LOGICAL_SHARDS_MAX.into())
                .map(|n| n as u32)
        });
    let placement_node = map.optional("placement");
    let placement = match (placement_node, logical_shards) {
        (Some(node), Some(logical_shards)) => placement(context, node, logical_shards, shards),
        (None, Some(logical_shards)) => {
            shards.map(|shards| Placement::even(logical_shards, shards.len() as u16))
        }
        (_, None) => None,
    };
    let column = sharding_key
        .as_ref()
        .map(|key| key.columns[0].name.as_str());
    let require_key = map
        .optional("require_key")
        .map_or(Some(false), |node| context.bool(node));
    if let Some(node) = map.required("tables") {
        tables(listed, index, &key.name, node, column);
    }
    map.finish();
    let function = ShardingFunction::Hash(HashFunction {
        logical_shards: logical_shards?,
    });
    Some(Keyspace {
        name: key.name.clone(),
        key: sharding_key?,
        function,
        placement: placement?,
        require_key: require_key?,
    })
}

fn sharding_key(context: &Context<'_>, node: &Node) -> Option<ShardingKey> {
    let mut map = context.map(node, "{ column, type }")?;
    if map.not_yet("columns", "a sharding key has one column") {
        return None;
    }
    let column = map
        .required("column")
        .and_then(|node| column_name(context, node));
    let key_type = map
        .required("type")
        .and_then(|node| key_type(context, node));
    map.finish();
    Some(ShardingKey::single(column?, key_type?))
}

fn key_type(context: &Context<'_>, node: &Node) -> Option<KeyType> {
    const EXPECTED: &str = "one of smallint, integer, bigint, text, varchar, uuid";
    let text = context.text(node, EXPECTED)?;
    let key_type = KeyType::from_name(text);
    if key_type.is_none() {
        let folded = text.to_ascii_lowercase();
        let base = folded.split('(').next().unwrap_or_default().trim();
        let reason = match base {
            "varchar" | "character varying" => "write varchar without its length",
            "char" | "character" | "bpchar" => {
                "char(n) compares equal whatever its trailing blanks"
            }
            "enum" => "an enum's hash depends on OIDs, which differ between clusters",
            "numeric" | "decimal" => {
                "numeric hashes differently from integers that are equal to it"
            }
            "real" | "float" | "float4" | "float8" | "double precision" => {
                "equal floats may print differently"
            }
            "date" | "timestamp" | "timestamptz" => "literals depend on TimeZone and DateStyle",
            _ => "its values cannot be read exactly as PostgreSQL reads them",
        };
        context.error(
            node.at,
            format!("{text:?} cannot be the type of a sharding key: {reason}; expected {EXPECTED}"),
        );
    }
    key_type
}

fn function(context: &Context<'_>, node: &Node) {
    match context.text(node, "hash") {
        None | Some("hash") => {}
        Some(later @ ("range" | "list" | "ring" | "directory")) => {
            context.error(
                node.at,
                format!("`function: {later}` is not yet supported: the only function is hash"),
            );
        }
        Some(other) => context.error(
            node.at,
            format!("unknown sharding function {other:?}, expected hash"),
        ),
    }
}

fn placement(
    context: &Context<'_>,
    node: &Node,
    logical_shards: u32,
    shards: Option<&[String]>,
) -> Option<Placement> {
    let entries = context.entries(
        node,
        "a map from shards to ranges: { s1: 0-127, s2: 128-255 }",
    )?;
    let mut builder = PlacementBuilder::new(logical_shards);
    let mut sound = true;
    for (key, node) in entries {
        let shard = shard_id(context, key.at, &key.name, shards);
        let items = match &node.value {
            Value::List(items) => items.as_slice(),
            _ => std::slice::from_ref(node),
        };
        for item in items {
            let range = range(context, item);
            let (Some(shard), Some((first, last))) = (shard, range) else {
                sound = false;
                continue;
            };
            if let Err(error) = builder.assign(shard, first, last) {
                sound = false;
                context.error(item.at, assign_message(error, shard, shards));
            }
        }
    }
    match builder.finish() {
        Ok(placement) => Some(placement),
        Err(missing) => {
            // A range with an error of its own is missing too; saying so again would not help.
            if sound {
                context.error(
                    node.at,
                    format!(
                        "logical shards {} are placed nowhere",
                        format_ranges(&missing)
                    ),
                );
            }
            None
        }
    }
}

fn assign_message(error: PlacementError, shard: ShardId, shards: Option<&[String]>) -> String {
    match error {
        PlacementError::Overlap { first, holder } if holder != shard => {
            let name = shards
                .and_then(|shards| shards.get(usize::from(holder.0)))
                .map_or("?", String::as_str);
            format!("logical shard {first} is placed on shard `{name}` already")
        }
        error => error.to_string(),
    }
}

/// `5` or `0-127`, both ends included.
fn range(context: &Context<'_>, node: &Node) -> Option<(u32, u32)> {
    const EXPECTED: &str = "a logical shard's number or a range such as 0-127";
    let (Value::Number(text) | Value::Text(text)) = &node.value else {
        return context.unexpected(node, EXPECTED);
    };
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let number = |text: &str| whole_number(text.trim()).and_then(|n| u32::try_from(n).ok());
    match (number(first), number(last)) {
        (Some(first), Some(last)) if first <= last => Some((first, last)),
        (Some(_), Some(_)) => {
            context.error(node.at, format!("the range {text} ends before it begins"));
            None
        }
        _ => {
            context.error(node.at, format!("expected {EXPECTED}, found {text:?}"));
            None
        }
    }
}

/// A list of names and `{ name: { key: column } }`, or one map of the latter.
fn tables(
    listed: &mut Listed<'_>,
    index: KeyspaceIndex,
    keyspace: &str,
    node: &Node,
    column: Option<&str>,
) {
    const EXPECTED: &str = "a list of tables, or a map { table: { key: column } }";
    match &node.value {
        Value::Map(entries) => entries
            .iter()
            .for_each(|(key, node)| table(listed, index, keyspace, key, Some(node), column)),
        Value::List(items) => {
            for item in items {
                match &item.value {
                    Value::Map(entries) => {
                        entries.iter().for_each(|(key, node)| {
                            table(listed, index, keyspace, key, Some(node), column)
                        });
                    }
                    _ => {
                        if let Some(name) = listed
                            .context
                            .text(item, "a table's name or { table: { key: column } }")
                        {
                            let key = Key {
                                at: item.at,
                                name: name.to_owned(),
                            };
                            table(listed, index, keyspace, &key, None, column);
                        }
                    }
                }
            }
        }
        _ => {
            listed.context.unexpected::<()>(node, EXPECTED);
        }
    }
}

fn table(
    listed: &mut Listed<'_>,
    keyspace: KeyspaceIndex,
    keyspace_name: &str,
    key: &Key,
    settings: Option<&Node>,
    column: Option<&str>,
) {
    let context = listed.context;
    let own_column = settings
        .filter(|node| node.value != Value::Null)
        .and_then(|node| {
            let mut map = context.map(node, "{ key: column }")?;
            let column = map
                .optional("key")
                .and_then(|node| column_name(context, node));
            map.finish();
            column
        });
    // Without a column there has been an error already; the table still counts as listed.
    let column = own_column.or(column.map(str::to_owned)).unwrap_or_default();
    if let Some(name) = table_name(context, key.at, &key.name) {
        let place = format!("in the keyspace `{keyspace_name}`");
        listed.add(
            key.at,
            name,
            TableKind::Sharded {
                keyspace,
                columns: vec![column],
            },
            place,
        );
    }
}
