//! The catalogs of all shards become one [`Schema`]: what they agree on, and reasons where they do not. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::catalog::{self, Catalog, SqlText};
use super::shape::{Shape, shapes};
use crate::planner::{
    Column, Function, Relation, RelationKind, Schema, SqlFunction, names_in, read_query,
    tells_copies,
};
use crate::shardmap::{ShardMap, TableKind, TableName};

/// A shard's name and its catalog.
pub(super) type Shard<'a> = (&'a str, &'a Catalog);

/// Merges the catalogs; the default shard's comes first. The version is left at zero.
pub(super) fn merge(map: &ShardMap, shards: &[Shard<'_>]) -> Schema {
    let mut schema = Schema {
        grants: grants(shards),
        row_functions: shards
            .iter()
            .flat_map(|(_, catalog)| catalog.reached.row_functions.iter().cloned())
            .collect(),
        parents: shards
            .iter()
            .flat_map(|(_, catalog)| catalog.reached.relations.values())
            .flat_map(|relation| relation.parents.iter().cloned())
            .collect(),
        guarded: shards
            .iter()
            .flat_map(|(_, catalog)| catalog.reached.guarded.iter().cloned())
            .collect(),
        default_paths: defaults(shards, |catalog| &catalog.default_paths),
        default_roles: defaults(shards, |catalog| &catalog.default_roles),
        ..Schema::default()
    };
    let shapes: Vec<_> = shards.iter().map(|(_, c)| shapes(map, c)).collect();
    let names: BTreeSet<&TableName> = shapes.iter().flat_map(BTreeMap::keys).copied().collect();
    let mut views = Vec::new();
    for name in names {
        let has_it = |(_, catalog): &Shard<'_>| catalog.reached.relations.contains_key(name);
        if !shards.iter().all(has_it) {
            schema.partial.insert(name.clone());
        }
        let kind = match common_shape(map, shards, &shapes, name) {
            Shape::Listed => RelationKind::Listed,
            Shape::PartOf(whole) => RelationKind::PartOf(whole.clone()),
            Shape::View(text) => {
                views.push((name, text));
                RelationKind::Opaque("it is a view that has not been read".to_owned())
            }
            Shape::Opaque(reason) => RelationKind::Opaque(reason),
        };
        let columns = common_columns(shards, name);
        schema
            .relations
            .insert(name.clone(), Relation { kind, columns });
    }
    add_namesakes(&mut schema, map, shards);
    let known = map.tables.keys().chain(schema.relations.keys());
    schema.names = known.map(|table| table.name.clone()).collect();
    let texts = add_functions(&mut schema, shards);
    read_functions(&mut schema, map, texts);
    for (name, text) in views {
        if tells_copies(text) {
            schema.telling.insert(name.clone());
        }
        let kind = match read_query(text, map, &schema) {
            Ok(query) => RelationKind::View(Arc::new(query)),
            Err(reason) => {
                RelationKind::Opaque(format!("it is a view that cannot be read: {reason}"))
            }
        };
        if let Some(relation) = schema.relations.get_mut(name) {
            relation.kind = kind;
        }
    }
    schema
}

/// What every shard grants that has the schema, and in it something that a statement may mean.
fn grants(shards: &[Shard<'_>]) -> HashSet<(String, String)> {
    let schemas: Vec<BTreeSet<&str>> = shards
        .iter()
        .map(|(_, catalog)| catalog.namesakes.iter().map(|name| &*name.schema).collect())
        .collect();
    let everywhere = |grant: &&(String, String)| {
        let (schema, _) = grant;
        // Of no schema in particular: a superuser.
        let has_it = |schemas: &BTreeSet<&str>| schema.is_empty() || schemas.contains(&**schema);
        let mut shards = shards.iter().zip(&schemas);
        shards.all(|((_, c), schemas)| c.grants.contains(*grant) || !has_it(schemas))
    };
    let all = shards.iter().flat_map(|(_, catalog)| &catalog.grants);
    all.filter(everywhere).cloned().collect()
}

/// What sessions of a role begin with; `None` where shards differ in it.
fn defaults<T: Clone + PartialEq>(
    shards: &[Shard<'_>],
    by_role: impl Fn(&Catalog) -> &BTreeMap<String, T>,
) -> HashMap<String, Option<T>> {
    let roles: BTreeSet<&String> = shards
        .iter()
        .flat_map(|(_, catalog)| by_role(catalog).keys())
        .collect();
    let common = |role: &String| {
        // A role without one of its own has that of all.
        let of = |(_, catalog): &Shard<'_>| {
            let values = by_role(catalog);
            values.get(role).or_else(|| values.get("")).cloned()
        };
        let first = shards.first().and_then(of);
        first.filter(|first| shards.iter().all(|shard| of(shard).as_ref() == Some(first)))
    };
    roles
        .into_iter()
        .map(|role| (role.clone(), common(role)))
        .collect()
}

/// What a relation is on all shards that have it.
fn common_shape<'a>(
    map: &ShardMap,
    shards: &[Shard<'a>],
    shapes: &[BTreeMap<&'a TableName, Shape<'a>>],
    name: &TableName,
) -> Shape<'a> {
    // `None` stands for something of that name that reads no listed table.
    let mut found: Option<(&str, Option<&Shape<'a>>)> = None;
    for ((shard, catalog), shapes) in shards.iter().zip(shapes) {
        let shape = shapes.get(name);
        if shape.is_none() && !catalog.namesakes.contains(name) {
            continue;
        }
        match found {
            Some((other, before)) if before != shape => {
                return Shape::Opaque(format!("it differs between shards {other} and {shard}"));
            }
            _ => found = Some((shard, shape)),
        }
    }
    match found {
        Some((_, Some(Shape::Listed))) => match key_problem(map, shards, name) {
            Some(reason) => Shape::Opaque(reason),
            None => Shape::Listed,
        },
        Some((_, Some(shape @ Shape::View(_)))) => match lacking(shards, name) {
            Some(shard) => Shape::Opaque(format!("it is a view that shard {shard} lacks")),
            None => shape.clone(),
        },
        Some((_, Some(shape))) => shape.clone(),
        _ => Shape::Opaque("it was not found".to_owned()),
    }
}

/// The first shard without the relation.
fn lacking<'a>(shards: &[Shard<'a>], name: &TableName) -> Option<&'a str> {
    let without = |(_, catalog): &&Shard<'_>| !catalog.reached.relations.contains_key(name);
    shards.iter().find(without).map(|(shard, _)| *shard)
}

/// Why rows of a listed table are not where its key says, or cannot be known to be.
fn key_problem(map: &ShardMap, shards: &[Shard<'_>], name: &TableName) -> Option<String> {
    let TableKind::Sharded { keyspace, columns } = map.tables.get(name)? else {
        return None;
    };
    let keyspace = map.keyspace(*keyspace);
    for (shard, catalog) in shards {
        let Some(relation) = catalog.reached.relations.get(name) else {
            continue;
        };
        for (key, part) in columns.iter().zip(&keyspace.key.columns) {
            let column = relation.columns.iter().find(|column| column.name == *key);
            let Some(column) = column else {
                return Some(format!("it has no key column {key} on shard {shard}"));
            };
            if column.generated {
                return Some(format!(
                    "its key column {key} on shard {shard} is GENERATED from others, and moves with them"
                ));
            }
            let found = column.key_type;
            if !found.is_some_and(|found| found.may_hold(part.key_type)) {
                return Some(format!(
                    "its key column {key} on shard {shard} is not stored and compared as the {} that keyspace {} has",
                    part.key_type.name(),
                    keyspace.name
                ));
            }
        }
    }
    None
}

/// The columns, if they are the same on all shards that have the relation. What one of them fills in has a
/// default.
fn common_columns(shards: &[Shard<'_>], name: &TableName) -> Vec<Column> {
    let mut having = shards
        .iter()
        .filter_map(|(_, catalog)| catalog.reached.relations.get(name));
    let Some(first) = having.next() else {
        return Vec::new();
    };
    let mut columns = first.columns.clone();
    for other in having {
        if other.columns.len() != columns.len() {
            return Vec::new();
        }
        for (ours, theirs) in columns.iter_mut().zip(&other.columns) {
            let same = ours.name == theirs.name
                && ours.type_oid == theirs.type_oid
                && ours.key_type == theirs.key_type;
            if !same {
                return Vec::new();
            }
            ours.has_default |= theirs.has_default;
            if ours.declared != theirs.declared {
                ours.declared = None;
            }
        }
    }
    columns
}

/// Other relations of known names: an unlisted table of the default shard is one; what is on other shards
/// only, nobody can mean.
fn add_namesakes(schema: &mut Schema, map: &ShardMap, shards: &[Shard<'_>]) {
    for (place, (shard, catalog)) in shards.iter().enumerate() {
        for name in &catalog.namesakes {
            if map.tables.contains_key(name)
                || schema.relations.contains_key(name)
                || schema.homonyms.contains(name)
            {
                continue;
            }
            if place == 0 {
                schema.homonyms.insert(name.clone());
                continue;
            }
            let reason = format!("it is not in the shard map, and on shard {shard} only");
            let relation = Relation {
                kind: RelationKind::Opaque(reason),
                columns: Vec::new(),
            };
            schema.partial.insert(name.clone());
            schema.relations.insert(name.clone(), relation);
        }
    }
}

/// Enters the functions, all of them as not known yet; gives those whose body is to be read.
fn add_functions<'a>(
    schema: &mut Schema,
    shards: &[Shard<'a>],
) -> Vec<(&'a TableName, &'a SqlText)> {
    let mut merged: BTreeMap<&TableName, Result<&SqlText, String>> = BTreeMap::new();
    for (_, catalog) in shards {
        for (name, function) in &catalog.reached.functions {
            let without = |(_, other): &Shard<'_>| !other.reached.functions.contains_key(name);
            let found = match function {
                catalog::Function::Sql(_) if shards.iter().any(without) => {
                    Err("is not on every shard".to_owned())
                }
                catalog::Function::Sql(text) => Ok(text),
                catalog::Function::Opaque(reason) => Err(reason.clone()),
            };
            match merged.get_mut(name) {
                None => {
                    merged.insert(name, found);
                }
                Some(before) if *before == found || before.is_err() => {}
                Some(before) => {
                    *before = found.and(Err("differs between shards".to_owned()));
                }
            }
        }
    }
    let mut of_name: BTreeMap<&str, usize> = BTreeMap::new();
    for name in merged.keys() {
        *of_name.entry(&name.name).or_default() += 1;
    }
    let calls_one = |text: &SqlText| {
        names_in(&text.body)
            .is_none_or(|names| names.iter().any(|name| of_name.contains_key(&**name)))
    };
    let mut texts = Vec::new();
    for (name, found) in merged {
        let reason = match found {
            Ok(_) if of_name[&*name.name] > 1 => catalog::OVERLOADED.to_owned(),
            Ok(text) if text.definer_calls && calls_one(text) => catalog::DEFINER.to_owned(),
            Ok(text) => {
                texts.push((name, text));
                "has a body that has not been read".to_owned()
            }
            Err(reason) => reason,
        };
        let function = Function::Opaque(reason);
        schema.functions.insert(name.clone(), function);
    }
    texts
}

/// A body may call functions that are read after it: so they are gone through again while there is progress.
fn read_functions(schema: &mut Schema, map: &ShardMap, mut texts: Vec<(&TableName, &SqlText)>) {
    for _ in 0..CALL_DEPTH_MAX {
        let before = texts.len();
        let mut unread = Vec::new();
        for (name, text) in texts {
            let function = match read_query(&text.body, map, schema) {
                Ok(body) => Function::Sql(Arc::new(SqlFunction {
                    arguments: text.arguments.clone(),
                    body,
                    search_path: text.search_path.clone(),
                    atomic: text.atomic,
                })),
                Err(reason) => {
                    unread.push((name, text));
                    Function::unread(&reason)
                }
            };
            schema.functions.insert(name.clone(), function);
        }
        if unread.len() == before {
            return;
        }
        texts = unread;
    }
}

/// Functions in SQL that call each other deeper than this are not looked into.
const CALL_DEPTH_MAX: usize = 8;

#[cfg(test)]
mod tests;
