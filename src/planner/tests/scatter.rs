//! Golden scatters: `testdata/scatter/*.txt` holds statements and how several shards answer them, or why they do not.

use std::fs;
use std::path::PathBuf;

use super::super::Schema;
use super::super::scatter::{Otherwise, scatter};
use super::{Context, NoParams, golden, in_context};
use crate::plan::{Merge, Values};
use crate::shardmap::{KeyspaceIndex, ShardMap, TableKind, TableName};
use crate::sql;

fn answer(text: &str, context: &Context<'_>) -> String {
    match scatter(text, context) {
        Ok(scatter) => {
            let values = Values::of_params(context.param_types, &NoParams);
            let lines = scatter.lines(context.map, values);
            lines.join("\n") + "\n"
        }
        Err(Otherwise::Gather(reason)) => format!("gather: {reason}\n"),
        Err(Otherwise::Text) => "text\n".to_owned(),
        Err(Otherwise::Refused(error)) => super::refused(&error),
    }
}

#[test]
fn golden_scatters() {
    let update = std::env::var_os("UPDATE_EXPECT").is_some();
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/planner/testdata/scatter");
    let (mut cases, mut wrong) = (0, Vec::new());
    for entry in fs::read_dir(directory).expect("testdata exists") {
        let path = entry.expect("readable entry").path();
        let before = fs::read_to_string(&path).expect("readable file");
        let mut after = String::new();
        for case in golden(&before) {
            cases += 1;
            let answer = in_context(&case, answer);
            after.push_str(&format!("{}----\n{answer}\n", case.head));
        }
        if before.trim_end() == after.trim_end() {
            continue;
        }
        if update {
            fs::write(&path, after.trim_end().to_owned() + "\n").expect("writable file");
            continue;
        }
        let lines = before.lines().zip(after.lines());
        let differs = lines
            .enumerate()
            .find(|(_, (before, after))| before != after);
        wrong.push(format!("{}: {differs:?}", path.display()));
    }
    assert!(
        wrong.is_empty(),
        "UPDATE_EXPECT=1 rewrites them:\n{}",
        wrong.join("\n")
    );
    assert!(cases >= 150, "only {cases} golden cases");
}

/// The shards' text of every golden statement can be read, and has so many items more as are hidden.
#[test]
fn texts_for_shards_are_the_clients_with_a_piece_more() {
    let items = |text: &str| {
        let tokens = sql::tokens(text).expect("tokens");
        let analysis = sql::analyse(&tokens, text, &|_| false, &|_| false, true);
        match analysis.expect("readable").outline.expect("a SELECT").body {
            sql::Body::Select(select) => select.items.len(),
            _ => 0,
        }
    };
    let own = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/planner/testdata/scatter");
    let mut files: Vec<_> = super::golden_files().into_values().collect();
    for entry in fs::read_dir(own).expect("testdata exists") {
        let path = entry.expect("readable entry").path();
        files.push(golden(&fs::read_to_string(path).expect("readable file")));
    }
    let mut changed = 0;
    for case in files.iter().flatten() {
        in_context(case, |text, context| {
            let Ok(scatter) = scatter(text, context) else {
                return String::new();
            };
            let (sent, expected) = match &scatter.merge {
                Merge::Rows(rows) => match &rows.text {
                    None => return String::new(),
                    Some(sent) => (sent.to_string(), items(text) + rows.hidden()),
                },
                Merge::Tables(_) => return String::new(),
                Merge::Groups(groups) => {
                    (groups.calls(), groups.keys.len() + groups.aggregates.len())
                }
            };
            // Our parser does not know this one.
            if sent.contains("FETCH FIRST (") {
                return String::new();
            }
            assert_eq!(items(&sent), expected, "{text}\n{sent}");
            changed += 1;
            String::new()
        });
    }
    assert!(changed > 100, "only {changed} texts are changed");
}

/// Statements whose literals have been taken out are not known well enough.
#[test]
fn a_shape_is_no_scatter() {
    let (map, schema) = (super::map(), Schema::default());
    let context = super::context(&map, &schema);
    let text = "select id from matches where name = 'a' limit 5";
    let mut tokens = sql::tokens(text).expect("tokens");
    for token in &mut tokens {
        if token.kind == sql::Kind::String {
            token.kind = sql::Kind::StringSlot;
        }
    }
    let planner = super::super::Planner {
        names: &super::super::Names::new(&context),
        context: &context,
        lenient: false,
        gathers: false,
        scatters: true,
    };
    let at = super::super::Cursor::new(text, &tokens);
    let found = super::super::scatter::of_tokens(at, &planner);
    assert!(matches!(found, Err(Otherwise::Text)), "{found:?}");
}

/// What no key leads to is asked of one shard; what cannot be read of a key, of all.
#[test]
fn shards_to_ask() {
    let (map, schema) = (super::map(), Schema::default());
    let context = super::context(&map, &schema);
    let shards = |text: &str, values: Values<'_>| {
        let scatter = scatter(text, &context).expect("a scatter");
        let shards = scatter.shards(&map, values).expect("shards");
        shards.iter().map(|shard| shard.0).collect::<Vec<_>>()
    };
    let all = |text: &str| shards(text, Values::NONE);
    assert_eq!(all("select * from matches"), [0, 1]);
    assert_eq!(
        all("select * from matches where organization_id in (5, 6)"),
        [0]
    );
    assert_eq!(
        all("select * from matches where organization_id in (5, 1)"),
        [0, 1]
    );
    assert_eq!(
        all("select * from matches where organization_id = null"),
        [0]
    );
    // There is no value for it.
    assert_eq!(
        all("select * from matches where organization_id = $1"),
        [0, 1]
    );
    let union = "select * from matches where organization_id = 1 union all select * from matches where organization_id = 1";
    assert_eq!(all(union), [1]);
    let union = "select * from matches where organization_id = 1 union all select * from matches where organization_id = 5";
    assert_eq!(all(union), [0, 1]);
}

/// Of the statements that integration tests send to several shards; `WHY=1` shows what becomes of each.
#[test]
fn most_written_statements_are_scattered() {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("integration-tests/cases");
    let schema = |file: &str| fs::read_to_string(directory.join(file)).expect("a schema");
    let several = world(
        SEVERAL,
        &["levels", "classes"],
        &(DEMO.to_owned() + &schema("several/world.sql")),
    );
    let tpch = world(TPCH, REFERENCES, &schema("tpch/schema.sql"));
    for (part, (map, schema), at_least) in [("several", several, 650), ("tpch", tpch, 95)] {
        let context = super::context(&map, &schema);
        let mut total = [0; 3];
        for entry in fs::read_dir(directory.join(part)).expect("cases exist") {
            let path = entry.expect("readable entry").path();
            if path.extension().is_none_or(|extension| extension != "txt") {
                continue;
            }
            let mut counts = [0; 3];
            for text in statements(&fs::read_to_string(&path).expect("readable file")) {
                let kind = match scatter(&text, &context) {
                    Ok(_) => 0,
                    Err(Otherwise::Gather(_)) => 1,
                    Err(_) => 2,
                };
                counts[kind] += 1;
                total[kind] += 1;
                if std::env::var_os("WHY").is_some() {
                    println!(
                        "{text}\n    {}",
                        answer(&text, &context).replace('\n', "\n    ")
                    );
                }
            }
            println!("{counts:?} {}", path.display());
        }
        println!("{part}: {total:?} are scattered, gathered, refused");
        assert!(total[0] >= at_least, "{part}: {total:?}");
    }
}

/// Statements stand between empty lines; lines that begin with `#` are comments.
fn statements(file: &str) -> Vec<String> {
    let lines = file.lines().filter(|line| !line.starts_with('#'));
    let text: Vec<&str> = lines.collect();
    let text = text.join("\n");
    let statements = text
        .split("\n\n")
        .map(|text| text.trim().trim_end_matches(';'));
    let statements = statements.filter(|text| !text.is_empty());
    statements.map(str::to_owned).collect()
}

const SEVERAL: &[(&str, &str)] = &[
    ("organizations", "organization_id"),
    ("matches", "organization_id"),
    ("detections", "organization_id"),
    ("readings", "organization_id"),
    ("tags", "organization_id"),
    ("empty_rows", "organization_id"),
    ("lonely", "organization_id"),
];
const TPCH: &[(&str, &str)] = &[
    ("customer", "c_custkey"),
    ("orders", "o_orderkey"),
    ("lineitem", "l_orderkey"),
];
const REFERENCES: &[&str] = &["region", "nation", "supplier", "part", "partsupp"];
/// The demo's tables, as in `cluster::sample`.
const DEMO: &str = "\
create table organizations (
    organization_id bigint,
    name text,
    country text,
    created_at timestamptz
);
create table matches (
    organization_id bigint,
    match_id bigint,
    home text,
    away text,
    spectators integer,
    played_on date
);
create table detections (
    organization_id bigint,
    match_id bigint,
    detection_id bigint,
    class_id integer,
    score numeric,
    detected_at timestamptz,
    label text,
    payload jsonb
);
create table classes (
    class_id integer,
    name text
);
";

/// Tables by their keys, with the columns of a script.
fn world(sharded: &[(&str, &str)], reference: &[&str], script: &str) -> (ShardMap, Schema) {
    let mut map = super::map();
    map.tables.clear();
    let name = |name: &str| TableName {
        schema: "public".to_owned(),
        name: name.to_owned(),
    };
    for (table, key) in sharded {
        let kind = TableKind::Sharded {
            keyspace: KeyspaceIndex(0),
            columns: vec![(*key).to_owned()],
        };
        map.tables.insert(name(table), kind);
    }
    for table in reference {
        map.tables.insert(name(table), TableKind::Reference);
    }
    let mut directives = Vec::new();
    for table in script.split("create table ").skip(1) {
        let (name, rest) = table.split_once(" (\n").expect("a table's name");
        let (columns, _) = rest.split_once("\n);").expect("a table's end");
        let column = |line: &str| {
            let mut words = line.trim().trim_end_matches(',').split(' ');
            let (name, of) = (words.next()?, words.next()?);
            let plain = !name.starts_with('"') && !["primary", "unique", "check"].contains(&name);
            plain.then(|| format!("{name} {}", of.split('(').next().unwrap_or_default()))
        };
        let columns: Vec<String> = columns.lines().filter_map(column).collect();
        directives.push((
            "columns".to_owned(),
            format!("{name} = {}", columns.join(", ")),
        ));
    }
    let schema = super::catalogs::schema(&map, &directives);
    (map, schema)
}
