//! Golden plans: `testdata/*.txt` holds statements and what becomes of them.
//!
//! `UPDATE_EXPECT=1 cargo test --lib planner` rewrites the files in place. Lines `#! name: value` before a
//! statement set its context: `search_path`, `role`, `types` (OIDs declared in Parse), `pooling: session`,
//! `map: unsharded`, `hint` (what the session has set: `shard=s2`, `key=42`), `require_key` (keyspaces); the
//! others describe the catalogs, see [`catalogs`].

mod answers;
mod cases;
mod catalogs;
mod composite;
mod orm;
mod robust;
mod scaling;
mod scatter;

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use super::corpora::{Golden, golden};
use super::{Context, PlanCache, Schema, plan};
use crate::error::PgError;
use crate::plan::{Hint, NoParams, Planned};
use crate::shardmap::{
    HashFunction, Keyspace, KeyspaceIndex, MapVersion, Placement, ShardId, ShardMap,
    ShardingFunction, ShardingKey, TableKind, TableName,
};
use crate::sql::Literals;
use crate::types::{KeyType, Oid};

/// The map all golden files share.
pub(crate) fn map() -> ShardMap {
    let keyspace = |name: &str, column: &str, key_type| Keyspace {
        name: name.to_owned(),
        key: ShardingKey::single(column, key_type),
        function: ShardingFunction::Hash(HashFunction {
            logical_shards: 256,
        }),
        placement: Placement::even(256, 2),
        require_key: false,
    };
    let mut tables = HashMap::new();
    let mut table = |schema: &str, name: &str, kind: TableKind| {
        tables.insert(
            TableName {
                schema: schema.to_owned(),
                name: name.to_owned(),
            },
            kind,
        );
    };
    let sharded = |keyspace, column: &str| TableKind::Sharded {
        keyspace: KeyspaceIndex(keyspace),
        columns: vec![column.to_owned()],
    };
    for name in ["matches", "detections", "Quoted Table"] {
        table("public", name, sharded(0, "organization_id"));
    }
    table("public", "organizations", sharded(0, "id"));
    table("audit", "events", sharded(0, "organization_id"));
    table("public", &"x".repeat(63), sharded(0, "organization_id"));
    table("public", "longest", sharded(0, &"k".repeat(63)));
    table("public", "docs", sharded(1, "tenant"));
    table("public", "pages", sharded(1, "tenant"));
    table("public", "devices", sharded(2, "device_id"));
    table("public", "readings", sharded(2, "device_id"));
    table("public", "tags", sharded(3, "code"));
    table("public", "labels", sharded(3, "code"));
    table("public", "classes", TableKind::Reference);
    ShardMap {
        version: MapVersion(1),
        shards: vec!["s1".to_owned(), "s2".to_owned()],
        default_shard: ShardId(0),
        keyspaces: vec![
            keyspace("tenants", "organization_id", KeyType::BigInt),
            keyspace("texts", "tenant", KeyType::Text),
            keyspace("things", "device_id", KeyType::Uuid),
            keyspace("codes", "code", KeyType::Bpchar),
        ],
        tables,
    }
}

/// Of a client without settings, hints and declared parameters.
pub(crate) fn context<'a>(map: &'a ShardMap, schema: &'a Schema) -> Context<'a> {
    Context {
        map,
        schema,
        search_path: None,
        role: "app",
        hint: None,
        param_types: &[],
        transaction_pooling: true,
        gathers: true,
    }
}

/// The value of the last directive of that name.
fn directive<'c>(case: &'c Golden, name: &str) -> Option<&'c str> {
    let found = case
        .directives
        .iter()
        .rev()
        .find(|(known, _)| known == name);
    found.map(|(_, value)| value.as_str())
}

#[test]
fn golden_plans() {
    let update = std::env::var_os("UPDATE_EXPECT").is_some();
    let (mut cases, mut wrong) = (0, Vec::new());
    for path in golden_paths() {
        let before = fs::read_to_string(&path).expect("readable file");
        let mut after = String::new();
        for case in golden(&before) {
            cases += 1;
            after.push_str(&case.head);
            after.push_str("----\n");
            after.push_str(&answer(&case));
            after.push('\n');
        }
        if before.trim_end() != after.trim_end() {
            if update {
                fs::write(&path, after.trim_end().to_owned() + "\n").expect("writable file");
            } else {
                let line = before
                    .lines()
                    .zip(after.lines())
                    .position(|(b, a)| b != a)
                    .map_or(0, |line| line + 1);
                wrong.push(format!(
                    "{}:{line}\n{}",
                    path.display(),
                    after
                        .lines()
                        .skip(line.saturating_sub(3))
                        .take(8)
                        .collect::<Vec<_>>()
                        .join("\n")
                ));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "golden files differ (UPDATE_EXPECT=1 rewrites them), for example\n{}",
        wrong.join("\n\n")
    );
    assert!(cases >= 1500, "only {cases} golden cases");
}

/// A statement that stands in two files is changed in one of them only.
#[test]
fn no_golden_statement_twice() {
    let mut seen: HashMap<(Vec<(String, String)>, String), String> = HashMap::new();
    let mut twice = Vec::new();
    for (file, cases) in golden_files() {
        for case in cases {
            let mut settings = case.directives;
            settings.sort();
            let place = format!("{file}: {}", case.sql);
            if let Some(before) = seen.insert((settings, case.sql), place.clone()) {
                twice.push(format!("{before}{place}"));
            }
        }
    }
    assert!(
        twice.is_empty(),
        "written twice, with the same settings:\n{}",
        twice.join("\n")
    );
}

/// The cases of each golden file, by its name.
fn golden_files() -> BTreeMap<String, Vec<Golden>> {
    golden_paths()
        .into_iter()
        .map(|path| {
            let name = path.file_stem().expect("a file's name").to_string_lossy();
            let text = fs::read_to_string(&path).expect("readable file");
            (name.into_owned(), golden(&text))
        })
        .collect()
}

fn golden_paths() -> Vec<PathBuf> {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/planner/testdata");
    let entries = fs::read_dir(directory).expect("testdata exists");
    entries
        .map(|entry| entry.expect("readable entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect()
}

fn answer(case: &Golden) -> String {
    in_context(case, |text, context| {
        let answer = described(
            plan(text, context).map(|plan| Planned {
                plan: Arc::new(plan),
                literals: Literals::NONE,
            }),
            context,
        );
        by_shape(text, context, &answer);
        answer
    })
}

/// What becomes of a case's statement under its directives.
fn in_context(case: &Golden, answer: impl FnOnce(&str, &Context<'_>) -> String) -> String {
    let list = |name: &str| -> Vec<String> {
        directive(case, name)
            .map(|value| value.split(", ").map(str::to_owned).collect())
            .unwrap_or_default()
    };
    let mut map = map();
    if directive(case, "map").is_some() {
        map.tables.clear();
    }
    for name in list("require_key") {
        let mut keyspaces = map.keyspaces.iter_mut();
        let keyspace = keyspaces.find(|keyspace| keyspace.name == name);
        keyspace.expect("a keyspace").require_key = true;
    }
    let hint = directive(case, "hint").map(session_hint);
    let schema = catalogs::schema(&map, &case.directives);
    let search_path = directive(case, "search_path").map(|_| list("search_path"));
    let types: Vec<Oid> = list("types")
        .iter()
        .map(|oid| Oid(oid.parse().expect("an OID")))
        .collect();
    let context = Context {
        search_path: search_path.as_deref(),
        role: directive(case, "role").unwrap_or("app"),
        hint: hint.as_ref(),
        param_types: &types,
        transaction_pooling: directive(case, "pooling").is_none(),
        gathers: true,
        ..context(&map, &schema)
    };
    answer(case.sql.trim_end(), &context)
}

/// A plan by shape may refuse in other words; where it leads somewhere it leads to the same place.
fn by_shape(text: &str, context: &Context<'_>, exact: &str) {
    let cache = PlanCache::new(1 << 20);
    for _ in 0..4 {
        let found = cache.plan(text, context).map(|(planned, _)| planned);
        // As sessions do, where its literals have to be looked at.
        let found = found.and_then(|planned| match is_by_text(&planned, context) {
            true => cache.plan_by_text(text, context),
            false => Ok(planned),
        });
        let found = described(found, context);
        let both_refuse = found.starts_with("refused") && exact.starts_with("refused");
        // Two relations of one value are given once, those of two slots twice.
        // Beside a parameter without a value a literal is shown as it is written.
        let lines = |plan: &str| {
            plan.lines()
                .filter(|line| !line.contains("not one shard: "))
                .map(|line| line.replace('\'', ""))
                .collect::<std::collections::BTreeSet<_>>()
        };
        assert!(
            lines(&found) == lines(exact) || both_refuse,
            "{text}\n{exact}\nby shape\n{found}"
        );
    }
}

fn is_by_text(planned: &Planned, context: &Context<'_>) -> bool {
    let crate::plan::Plan::Route(route) = &**planned else {
        return false;
    };
    let values = planned.values().with_params(context.param_types, &NoParams);
    let destination = route.resolve(context.map, values);
    destination == Ok(crate::plan::Destination::ByText)
}

fn described(planned: Result<Planned, PgError>, context: &Context<'_>) -> String {
    let resolved = planned.and_then(|planned| {
        // Literal keys on several shards are found only by following them.
        if let crate::plan::Plan::Route(route) = &*planned
            && !route.needs_params()
        {
            route.resolve(
                context.map,
                planned.values().with_params(context.param_types, &NoParams),
            )?;
        }
        Ok(planned)
    });
    match resolved {
        Ok(planned) => {
            planned
                .lines(
                    context.map,
                    planned.values().with_params(context.param_types, &NoParams),
                )
                .join("\n")
                + "\n"
        }
        Err(error) => refused(&error),
    }
}

/// `shard=s2` or `key=42`, as SET gives it.
fn session_hint(text: &str) -> Hint {
    let hint = match text.split_once('=').expect("name=value") {
        ("shard", value) => super::of_settings(Some(value), None, None),
        ("key", value) => super::of_settings(None, Some(value), None),
        _ => None,
    };
    hint.expect("a hint")
}

fn refused(error: &PgError) -> String {
    let mut text = format!("refused {}: {}\n", error.code, error.message);
    if let Some(detail) = &error.detail {
        text.push_str(&format!("  detail: {detail}\n"));
    }
    if let Some(hint) = &error.hint {
        text.push_str(&format!("  hint: {hint}\n"));
    }
    if let Some(position) = error.position {
        text.push_str(&format!("  position: {position}\n"));
    }
    text
}
