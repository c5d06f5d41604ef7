//! The catalogs that golden cases are planned with: [`COLUMNS`], and what directives add.
//!
//! - `#! schema: none`: none were loaded, as in `trunkline explain` without servers;
//! - `#! columns: table = a bigint, b text`: in place of the table's own; with nothing after `=` they are not
//!   known. A relation that is not in the map gets them too, once another directive has made it;
//! - `#! part: name of table`: a partition or inheritance child;
//! - `#! view: name = SELECT …`: as `pg_get_viewdef` prints it, names with their schemas;
//! - `#! function: name(a bigint, text) [a, public] = SELECT …`: in SQL; the path may be left out, and is `[atomic]` of
//!   one whose names have their schemas;
//! - `#! opaque: name, …` and `#! functions: name, …`: not known what they read;
//! - `#! row_functions: name, …`: those of them that take one row;
//! - `#! homonyms: schema.name, …`: tables of the default shard that are not in the map;
//! - `#! partial: name, …`: not on every shard;
//! - `#! grants: schema to role, …`: beside that of `public` to everybody;
//!   `*` are all schemas, and a role of `public` is everybody.
//!
//! Names without a schema are of `public`. Names with blanks cannot be written.

use std::collections::HashSet;
use std::sync::Arc;

use super::super::{
    Column, Function, PUBLIC, Relation, RelationKind, Schema, SqlFunction, read_query, tells_copies,
};
use crate::shardmap::{ShardMap, TableName};
use crate::types::{KeyType, Oid};

/// A line for each table of [`super::map`].
const COLUMNS: &str = "\
public.matches = id bigint default, organization_id bigint, user_id bigint, class_id bigint, name text, \
  status text, score numeric, note text, created_at timestamptz default, x bigint, y bigint, a bigint, b bigint, c bigint
public.detections = id bigint default, organization_id bigint, match_id bigint, class_id bigint, name text, \
  score numeric, created_at timestamptz default, x bigint, y bigint
public.Quoted Table = id bigint default, organization_id bigint, name text
public.organizations = id bigint, name text, status text, created_at timestamptz default
audit.events = id bigint default, organization_id bigint, user_id bigint, payload jsonb, created_at timestamptz default
public.docs = tenant text, id bigint default, title text, body text
public.pages = tenant text, id bigint default, doc_id bigint, body text
public.devices = device_id uuid, name text, created_at timestamptz default
public.readings = id bigint default, device_id uuid, at timestamptz, value numeric
public.tags = code char, id bigint default, note text
public.labels = code char, id bigint default, note text
public.classes = id bigint, name text";

/// The catalogs of a case.
pub(super) fn schema(map: &ShardMap, directives: &[(String, String)]) -> Schema {
    let mut schema = Schema::default();
    if values(directives, "schema").any(|value| value == "none") {
        return schema;
    }
    schema.version = 1;
    schema
        .grants
        .insert(("public".to_owned(), PUBLIC.to_owned()));
    for line in COLUMNS.lines() {
        set_columns(&mut schema, map, line);
    }
    let (table, column) = ("x".repeat(63), "k".repeat(63));
    for longest in [
        format!("{table} = id bigint default, organization_id bigint"),
        format!("longest = id bigint default, {column} bigint, name text"),
    ] {
        set_columns(&mut schema, map, &longest);
    }
    for (name, value) in directives {
        apply(&mut schema, map, name, value);
    }
    // Those that make a relation come first.
    for value in values(directives, "columns") {
        set_columns(&mut schema, map, value);
    }
    read_bodies(&mut schema, map, directives);
    schema
}

fn values<'d>(directives: &'d [(String, String)], name: &str) -> impl Iterator<Item = &'d str> {
    let of_name = move |(known, _): &&(String, String)| known == name;
    directives.iter().filter(of_name).map(|(_, value)| &**value)
}

/// All but those with a body.
fn apply(schema: &mut Schema, map: &ShardMap, name: &str, value: &str) {
    let opaque = |reason: &str| Relation {
        kind: RelationKind::Opaque(reason.to_owned()),
        columns: Vec::new(),
    };
    match name {
        "opaque" => {
            let made = value
                .split(", ")
                .map(|name| (table(name), opaque("it is a view")));
            schema.relations.extend(made);
        }
        "view" => {
            let (name, text) = value.split_once(" = ").expect("name = query");
            schema.relations.insert(table(name), opaque("not read yet"));
            if tells_copies(text) {
                schema.telling.insert(table(name));
            }
        }
        "part" => {
            let (part, whole) = value.split_once(" of ").expect("part of table");
            let whole = table(whole);
            assert!(map.tables.contains_key(&whole), "{whole} is not in the map");
            let columns = schema.relations[&whole].columns.clone();
            schema.parents.insert(whole.clone());
            let kind = RelationKind::PartOf(whole);
            schema
                .relations
                .insert(table(part), Relation { kind, columns });
        }
        "functions" => schema.functions.extend(
            value
                .split(", ")
                .map(|name| (table(name), Function::Opaque("is user-defined".to_owned()))),
        ),
        "row_functions" => schema
            .row_functions
            .extend(value.split(", ").map(str::to_owned)),
        "homonyms" => schema.homonyms.extend(value.split(", ").map(table)),
        "partial" => schema.partial.extend(value.split(", ").map(table)),
        "grants" => schema.grants.extend(value.split(", ").map(|grant| {
            let (schema, role) = grant.split_once(" to ").expect("schema to role");
            (schema.trim_matches('*').to_owned(), role.to_owned())
        })),
        _ => {}
    }
}

fn read_bodies(schema: &mut Schema, map: &ShardMap, directives: &[(String, String)]) {
    for value in values(directives, "function") {
        let (head, body) = value.split_once(" = ").expect("name(arguments) = query");
        let (name, function) = function(head, body, map, schema);
        schema.functions.insert(name, function);
    }
    for value in values(directives, "view") {
        let (name, text) = value.split_once(" = ").expect("name = query");
        let kind = match read_query(text, map, schema) {
            Ok(query) => RelationKind::View(Arc::new(query)),
            Err(reason) => {
                RelationKind::Opaque(format!("it is a view that cannot be read: {reason}"))
            }
        };
        let relation = schema.relations.get_mut(&table(name));
        relation.expect("made above").kind = kind;
    }
}

fn function(head: &str, body: &str, map: &ShardMap, schema: &Schema) -> (TableName, Function) {
    let (name, rest) = head.split_once('(').expect("name(arguments)");
    let (arguments, path) = rest.split_once(')').expect("name(arguments)");
    let argument = |text: &str| match text.split_once(' ') {
        Some((name, type_name)) => (Some(name.to_owned()), KeyType::from_name(type_name)),
        None => (None, KeyType::from_name(text)),
    };
    let arguments = arguments.split(", ").filter(|text| !text.is_empty());
    let path = path.trim();
    let atomic = path == "[atomic]";
    let search_path = (!path.is_empty() && !atomic).then(|| {
        let path = path.trim_matches(['[', ']']);
        path.split(", ")
            .filter(|schema| !schema.is_empty())
            .map(str::to_owned)
            .collect()
    });
    let function = match read_query(body, map, schema) {
        Ok(query) => Function::Sql(Arc::new(SqlFunction {
            arguments: arguments.map(argument).collect(),
            body: query,
            search_path,
            atomic,
        })),
        Err(reason) => Function::unread(&reason),
    };
    (table(name), function)
}

/// `name = a bigint, b text default`; listed where the map has it.
fn set_columns(schema: &mut Schema, map: &ShardMap, line: &str) {
    let (name, columns) = line.split_once(" =").expect("name = columns");
    let columns = columns.split(',').map(str::trim);
    let columns = columns.filter(|text| !text.is_empty()).map(column);
    let name = table(name);
    match schema.relations.get_mut(&name) {
        Some(relation) => relation.columns = columns.collect(),
        None if map.tables.contains_key(&name) => {
            let (kind, columns) = (RelationKind::Listed, columns.collect());
            schema.relations.insert(name, Relation { kind, columns });
        }
        None => {}
    }
}

fn column(text: &str) -> Column {
    let words: Vec<&str> = text.split_whitespace().collect();
    let (name, type_name) = (words[0].to_owned(), words[1]);
    let key_type = KeyType::from_name(type_name);
    let other = match type_name {
        "numeric" => Oid::NUMERIC,
        "bool" => Oid::BOOL,
        // jsonb
        _ => Oid(3802),
    };
    Column {
        name,
        type_oid: key_type.map_or(other, KeyType::oid),
        key_type,
        declared: Some("".into()),
        has_default: words.contains(&"default"),
        generated: false,
    }
}

fn table(name: &str) -> TableName {
    let (schema, name) = name.split_once('.').unwrap_or(("public", name));
    TableName {
        schema: schema.to_owned(),
        name: name.to_owned(),
    }
}

#[test]
fn every_table_of_the_map_has_its_key_columns() {
    let map = super::map();
    let schema = schema(&map, &[]);
    let listed: HashSet<_> = schema.relations.keys().collect();
    assert_eq!(listed, map.tables.keys().collect());
    for (name, kind) in &map.tables {
        let crate::shardmap::TableKind::Sharded { keyspace, columns } = kind else {
            continue;
        };
        for (key, part) in columns.iter().zip(&map.keyspace(*keyspace).key.columns) {
            let relation = &schema.relations[name];
            let column = relation.columns.iter().find(|column| column.name == *key);
            let key_type = column.and_then(|column| column.key_type);
            assert_eq!(key_type, Some(part.key_type), "{name}.{key}");
        }
    }
}
