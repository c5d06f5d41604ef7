//! What object-relational mappers and drivers send: `testdata/orm/*.sql` hold statements that are one-shard by
//! their meaning, over the tables of `schema.sql`. How many of them are recognised is printed; the others are
//! listed in `docs/routing.md`, which `UPDATE_EXPECT=1` writes anew.
//!
//! PostgreSQL reads them all, says a test of `integration-tests`.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use crate::plan::{Destination, KeySource, ParamValues, Plan, Targets, Values};
use crate::planner::corpora::{Sent, sent};
use crate::planner::schema::Column;
use crate::planner::tests::context;
use crate::planner::{Context, PUBLIC, Relation, RelationKind, Schema, plan, read_query};
use crate::shardmap::{
    HashFunction, Keyspace, KeyspaceIndex, Placement, ShardMap, ShardingFunction, ShardingKey,
    TableKind, TableName,
};
use crate::types::{Format, KeyType, Oid};

/// Statements there are at least.
const STATEMENTS_MIN: usize = 400;
/// Of a thousand, so many must be recognised.
const RECOGNISED_PER_MILLE_MIN: usize = 980;

const LIST_BEGIN: &str = "<!-- written by the test planner::tests::orm: begin -->";
const LIST_END: &str = "<!-- written by the test planner::tests::orm: end -->";

#[test]
fn statements_of_mappers_are_recognised() {
    let (map, schema) = (map(), schema());
    let statements = statements();
    let mut shares: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    let mut missed = Vec::new();
    for statement in &statements {
        let share = shares.entry(&statement.orm).or_default();
        share.1 += 1;
        match one_shard(statement, &map, &schema) {
            Ok(()) => share.0 += 1,
            Err(reason) => missed.push((statement, reason)),
        }
    }
    for (orm, (recognised, all)) in &shares {
        println!("{orm}: {recognised} of {all}");
    }
    let recognised = statements.len() - missed.len();
    println!(
        "recognised as one-shard: {recognised} of {}",
        statements.len()
    );
    for (statement, reason) in &missed {
        println!("{}: {}\n  {reason}", statement.orm, statement.sql);
    }
    assert!(
        statements.len() >= STATEMENTS_MIN,
        "{} statements",
        statements.len()
    );
    assert!(
        recognised * 1000 >= statements.len() * RECOGNISED_PER_MILLE_MIN,
        "only {recognised} of {} are recognised",
        statements.len()
    );
    check_list(&missed);
}

/// The page for users lists what is not recognised, and why.
fn check_list(missed: &[(&Sent, String)]) {
    let mut list = String::new();
    for (statement, reason) in missed {
        let words: Vec<_> = statement.sql.split_whitespace().collect();
        let _ = writeln!(list, "- {}: `{}`: {reason}", statement.orm, words.join(" "));
    }
    if missed.is_empty() {
        list.push_str("None: all of them are recognised.\n");
    }
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/routing.md");
    let page = fs::read_to_string(&path).expect("readable page");
    let begin = page.find(LIST_BEGIN).expect("the list begins") + LIST_BEGIN.len();
    let end = page.find(LIST_END).expect("the list ends");
    let wanted = format!("\n\n{list}\n");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        let page = format!("{}{wanted}{}", &page[..begin], &page[end..]);
        fs::write(&path, page).expect("writable page");
    } else {
        assert!(
            page[begin..end] == wanted,
            "docs/routing.md lists other statements as not recognised: UPDATE_EXPECT=1 writes it"
        );
    }
}

/// Whether the statement goes to the shard of its keys, given values for its parameters; else why not.
fn one_shard(statement: &Sent, map: &ShardMap, schema: &Schema) -> Result<(), String> {
    let types: Vec<Oid> = statement.types.iter().copied().map(Oid).collect();
    let context = Context {
        param_types: &types,
        ..context(map, schema)
    };
    let plan = plan(&statement.sql, &context).map_err(|error| error.message)?;
    let Plan::Route(route) = plan else {
        return Err("not routed".to_owned());
    };
    let Targets::Key(target) = &route.targets else {
        return Err("not by a key".to_owned());
    };
    let key = &map.keyspace(target.keyspace).key;
    let mut params = Plausible::default();
    for relation in &target.relations {
        for (column, known) in key.columns.iter().zip(&relation.columns) {
            for source in known.conditions.iter().flatten() {
                if let KeySource::Param { index, array, .. } = source {
                    let value = plausible(column.key_type);
                    let value = if *array {
                        format!("{{{value}}}")
                    } else {
                        value.to_owned()
                    };
                    params.values.insert(*index, value);
                }
            }
        }
    }
    match route.resolve(map, Values::of_params(&types, &params)) {
        Ok(Destination::Shard(_)) => Ok(()),
        Ok(Destination::Any) => Err("no value".to_owned()),
        Ok(Destination::Gather(_) | Destination::Scatter(_) | Destination::ByText) => {
            Err("gathered".to_owned())
        }
        Err(error) => Err(error.message),
    }
}

#[derive(Default)]
struct Plausible {
    values: HashMap<u16, String>,
}

impl ParamValues for Plausible {
    fn param(&self, index: u16) -> Option<(Format, Option<&[u8]>)> {
        let value = self.values.get(&index).map_or("1", String::as_str);
        Some((Format::Text, Some(value.as_bytes())))
    }
}

fn plausible(key_type: KeyType) -> &'static str {
    match key_type {
        KeyType::SmallInt | KeyType::Integer | KeyType::BigInt => "42",
        KeyType::Text | KeyType::Varchar | KeyType::Bpchar => "acme",
        KeyType::Uuid => "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        KeyType::Date => "2026-02-03",
        KeyType::Timestamp => "2026-02-03 04:05:06",
        KeyType::Timestamptz => "2026-02-03 04:05:06+00",
        KeyType::Bytea => "\\xdeadbeef",
    }
}

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/planner/testdata/orm")
}

fn statements() -> Vec<Sent> {
    let mut paths: Vec<_> = fs::read_dir(directory())
        .expect("the directory exists")
        .map(|entry| entry.expect("readable entry").path())
        .filter(|path| !path.ends_with("schema.sql"))
        .collect();
    paths.sort();
    let read = |path| sent(&fs::read_to_string(path).expect("readable file")).expect("OIDs");
    paths.into_iter().flat_map(read).collect()
}

/// Six keyspaces over the tables of `schema.sql`.
fn map() -> ShardMap {
    let keys = [
        ("tenants", vec![("organization_id", KeyType::BigInt)]),
        ("texts", vec![("tenant", KeyType::Text)]),
        ("things", vec![("device_id", KeyType::Uuid)]),
        (
            "shop",
            vec![
                ("organization_id", KeyType::BigInt),
                ("order_id", KeyType::BigInt),
            ],
        ),
        ("days", vec![("day", KeyType::Date)]),
        ("contents", vec![("digest", KeyType::Bytea)]),
    ];
    let tables: [&[&str]; 6] = [
        &[
            "organizations",
            "users",
            "projects",
            "tasks",
            "comments",
            "tags",
            "task_tags",
            "matches",
            "detections",
            "events",
        ],
        &["docs", "pages"],
        &["devices", "readings"],
        &["orders", "order_lines"],
        &["bookings"],
        &["blobs"],
    ];
    let mut map = super::map();
    map.tables.clear();
    map.keyspaces.clear();
    for (index, ((name, columns), tables)) in keys.into_iter().zip(tables).enumerate() {
        let columns: Vec<_> = columns
            .into_iter()
            .flat_map(|(name, key_type)| ShardingKey::single(name, key_type).columns)
            .collect();
        let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
        for table in tables {
            let columns = if *table == "organizations" {
                vec!["id".to_owned()]
            } else {
                names.clone()
            };
            let keyspace = KeyspaceIndex(index as u16);
            map.tables
                .insert(public(table), TableKind::Sharded { keyspace, columns });
        }
        map.keyspaces.push(Keyspace {
            name: name.to_owned(),
            key: ShardingKey { columns },
            function: ShardingFunction::Hash(HashFunction {
                logical_shards: 256,
            }),
            placement: Placement::even(256, 2),
            require_key: false,
        });
    }
    map.tables.insert(public("classes"), TableKind::Reference);
    map
}

fn public(name: &str) -> TableName {
    TableName {
        schema: "public".to_owned(),
        name: name.to_owned(),
    }
}

/// What `topology` would have read from servers with `schema.sql`.
fn schema() -> Schema {
    let text = fs::read_to_string(directory().join("schema.sql")).expect("readable schema");
    let mut relations: HashMap<TableName, Relation> = HashMap::new();
    for statement in text.split(";\n") {
        let words: Vec<&str> = statement
            .lines()
            .filter(|line| !line.starts_with("--"))
            .flat_map(str::split_whitespace)
            .collect();
        let relation = match words.as_slice() {
            ["create", "view", _, "as", ..] => {
                let (_, query) = statement.split_once(" as\n").expect("a query");
                Relation {
                    kind: view(query, &relations),
                    columns: view_columns(query),
                }
            }
            ["create", "table", _, "partition", "of", parent, ..] => Relation {
                kind: RelationKind::PartOf(public(parent)),
                columns: relations[&public(parent)].columns.clone(),
            },
            ["create", "table", ..] => Relation {
                kind: RelationKind::Listed,
                columns: statement.lines().filter_map(column).collect(),
            },
            _ => continue,
        };
        relations.insert(public(words[2]), relation);
    }
    known(relations)
}

/// Catalogs with these relations, whose schema everybody may use.
fn known(relations: HashMap<TableName, Relation>) -> Schema {
    let mut schema = Schema {
        version: 1,
        relations,
        ..Schema::default()
    };
    let granted = ("public".to_owned(), PUBLIC.to_owned());
    schema.grants.insert(granted);
    schema
}

fn view(query: &str, relations: &HashMap<TableName, Relation>) -> RelationKind {
    let query = read_query(query, &map(), &known(relations.clone()));
    RelationKind::View(Arc::new(query.expect("a readable view")))
}

/// A view's columns as far as keys are concerned: what follows the last word of each item.
fn view_columns(query: &str) -> Vec<Column> {
    let (list, _) = query.split_once(" from ").unwrap_or((query, ""));
    let list = list.split_once("\nfrom ").map_or(list, |(list, _)| list);
    let items = list.trim_start_matches("select ").split(',');
    items
        .filter_map(|item| item.rsplit([' ', '.', '\n']).next())
        .map(|name| {
            let bigint = name == "id" || name.ends_with("_id");
            typed(name, if bigint { "bigint" } else { "numeric" })
        })
        .collect()
}

fn column(line: &str) -> Option<Column> {
    let line = line.strip_prefix("    ")?.trim_end_matches(',');
    let (name, type_name) = line.split_once(' ')?;
    let type_name = type_name.trim_end_matches(" primary key");
    let constraint = matches!(name, "primary" | "unique");
    (!constraint).then(|| typed(name, type_name))
}

fn typed(name: &str, type_name: &str) -> Column {
    let key_type = KeyType::from_name(type_name);
    let other = match type_name {
        "boolean" => 16,
        "real" => 700,
        "double precision" => 701,
        "text[]" => 1009,
        "numeric" => 1700,
        "tsvector" => 3614,
        "jsonb" => 3802,
        _ => 0,
    };
    let type_oid = key_type.map_or(Oid(other), KeyType::oid);
    assert!(type_oid.0 != 0, "{name} {type_name}");
    Column {
        name: name.to_owned(),
        type_oid,
        key_type,
        declared: Some("".into()),
        has_default: false,
        generated: false,
    }
}
