//! `keyspaces` and `reference_tables`: what is sharded, by what, and where it lies.

use std::collections::HashMap;

use super::database::shard_id;
use super::error::Position;
use super::functions::{self, Given};
use super::reader::{Context, whole_number};
use super::values::{column_name, table_name};
use super::yaml::{Key, Node, Value};
use crate::shardmap::{
    KeyColumn, Keyspace, KeyspaceIndex, Placement, PlacementBuilder, PlacementError, ShardId,
    ShardingKey, TableKind, TableName, format_ranges,
};
use crate::types::KeyType;

type Tables = HashMap<TableName, TableKind>;

pub(super) const LOGICAL_SHARDS: u32 = 256;
pub(super) const LOGICAL_SHARDS_MAX: u32 = 65_536;
/// Columns of a sharding key.
const KEY_COLUMNS_MAX: usize = 8;

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
    let given = Given {
        key: sharding_key.as_ref(),
        shards,
    };
    let function = functions::read(context, &mut map, given);
    let node = map.optional("placement");
    let placement = match &function {
        None => None,
        Some((_, Some(made))) => Some(made.clone()),
        Some((function, None)) => {
            let logical_shards = function.logical_shards();
            match node {
                Some(node) => placement(context, node, logical_shards, shards),
                None => shards.map(|shards| Placement::even(logical_shards, shards.len() as u16)),
            }
        }
    };
    if let Some(node) = map.required("tables") {
        let columns = sharding_key.as_ref().map(|key| key.columns.as_slice());
        tables(listed, index, &key.name, node, columns);
    }
    let require_key = map
        .optional("require_key")
        .map_or(Some(false), |node| context.bool(node));
    map.finish();
    Some(Keyspace {
        name: key.name.clone(),
        key: sharding_key?,
        function: function?.0,
        placement: placement?,
        require_key: require_key?,
    })
}

/// `{ column, type }`, or `{ columns: [{ name, type }, …] }`.
fn sharding_key(context: &Context<'_>, node: &Node) -> Option<ShardingKey> {
    let mut map = context.map(
        node,
        "{ column, type }, or { columns: [{ name, type }, …] }",
    )?;
    let columns = map.optional("columns");
    let key = if let Some(list) = columns {
        for single in ["column", "type"] {
            if let Some(node) = map.optional(single) {
                context.error(
                    node.at,
                    format!("`{single}` and `columns` exclude each other"),
                );
            }
        }
        key_columns(context, list)
    } else {
        let column = map
            .required("column")
            .and_then(|node| column_name(context, node));
        let key_type = map
            .required("type")
            .and_then(|node| key_type(context, node));
        column
            .zip(key_type)
            .map(|(column, key_type)| ShardingKey::single(column, key_type))
    };
    map.finish();
    key
}

fn key_columns(context: &Context<'_>, node: &Node) -> Option<ShardingKey> {
    let items = context.list(node, "a list of columns: [{ name, type }, …]")?;
    if items.is_empty() || items.len() > KEY_COLUMNS_MAX {
        context.error(
            node.at,
            format!("a sharding key has from 1 to {KEY_COLUMNS_MAX} columns"),
        );
        return None;
    }
    let mut columns: Vec<KeyColumn> = Vec::new();
    for item in items {
        let Some(mut map) = context.map(item, "a column: { name, type }") else {
            continue;
        };
        let name = map
            .required("name")
            .and_then(|node| column_name(context, node));
        let key_type = map
            .required("type")
            .and_then(|node| key_type(context, node));
        map.finish();
        if let (Some(name), Some(key_type)) = (name, key_type) {
            if columns.iter().any(|column| column.name == name) {
                context.error(item.at, format!("the column `{name}` is named twice"));
                continue;
            }
            columns.push(KeyColumn { name, key_type });
        }
    }
    (columns.len() == items.len()).then_some(ShardingKey { columns })
}

fn key_type(context: &Context<'_>, node: &Node) -> Option<KeyType> {
    const EXPECTED: &str = "one of smallint, integer, bigint, text, varchar, char, uuid, date, timestamp, \
                            timestamptz, bytea";
    let text = context.text(node, EXPECTED)?;
    let key_type = KeyType::from_name(text);
    if key_type.is_none() {
        let reason = KeyType::why_not(text);
        context.error(
            node.at,
            format!("{text:?} cannot be the type of a sharding key: {reason}; expected {EXPECTED}"),
        );
    }
    key_type
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
    columns: Option<&[KeyColumn]>,
) {
    const EXPECTED: &str = "a list of tables, or a map { table: { key: column } }";
    match &node.value {
        Value::Map(entries) => entries
            .iter()
            .for_each(|(key, node)| table(listed, index, keyspace, key, Some(node), columns)),
        Value::List(items) => {
            for item in items {
                match &item.value {
                    Value::Map(entries) => {
                        entries.iter().for_each(|(key, node)| {
                            table(listed, index, keyspace, key, Some(node), columns)
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
                            table(listed, index, keyspace, &key, None, columns);
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
    columns: Option<&[KeyColumn]>,
) {
    let context = listed.context;
    let own = settings
        .filter(|node| node.value != Value::Null)
        .and_then(|node| {
            let mut map = context.map(node, "{ key: column }")?;
            let own = map
                .optional("key")
                .and_then(|node| table_key(context, node, columns));
            map.finish();
            own
        });
    // Without columns there has been an error already; the table still counts as listed.
    let names = |columns: &[KeyColumn]| columns.iter().map(|column| column.name.clone()).collect();
    let columns = own.or(columns.map(names)).unwrap_or_default();
    if let Some(name) = table_name(context, key.at, &key.name) {
        let place = format!("in the keyspace `{keyspace_name}`");
        listed.add(
            key.at,
            name,
            TableKind::Sharded { keyspace, columns },
            place,
        );
    }
}

/// A column, or a list of as many as the sharding key has.
fn table_key(
    context: &Context<'_>,
    node: &Node,
    columns: Option<&[KeyColumn]>,
) -> Option<Vec<String>> {
    let items = match &node.value {
        Value::List(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    let mut names: Vec<String> = Vec::new();
    for item in items {
        let name = column_name(context, item)?;
        if names.contains(&name) {
            context.error(item.at, format!("the column `{name}` is named twice"));
            return None;
        }
        names.push(name);
    }
    let expected = columns?.len();
    if names.len() != expected {
        context.error(
            node.at,
            format!(
                "{} column{} for a sharding key of {expected}",
                names.len(),
                if names.len() == 1 { "" } else { "s" }
            ),
        );
        return None;
    }
    Some(names)
}
