//! Catalogs of several shards become one schema: what they differ in is not used.

use super::super::catalog::{Reached, Relation as Raw};
use super::*;
use crate::planner::tests::map;
use crate::types::{KeyType, Oid};

fn name(text: &str) -> TableName {
    let (schema, name) = text.split_once('.').unwrap_or(("public", text));
    TableName {
        schema: schema.to_owned(),
        name: name.to_owned(),
    }
}

fn column(name: &str, key_type: Option<KeyType>) -> Column {
    Column {
        name: name.to_owned(),
        type_oid: key_type.map_or(Oid::NUMERIC, KeyType::oid),
        key_type,
        declared: Some("".into()),
        has_default: false,
        generated: false,
    }
}

/// A table as [`map`] wants its sharded ones.
fn raw(kind: char, parents: &[&str]) -> Raw {
    Raw {
        kind,
        has_rules: false,
        columns: vec![
            column("id", Some(KeyType::BigInt)),
            column("organization_id", Some(KeyType::BigInt)),
        ],
        parents: parents.iter().map(|parent| name(parent)).collect(),
        definition: None,
    }
}

fn view(text: &str) -> Raw {
    Raw {
        definition: Some(text.to_owned()),
        ..raw('v', &[])
    }
}

fn catalog(relations: &[(&str, Raw)]) -> Catalog {
    let relations: BTreeMap<_, _> = relations
        .iter()
        .map(|(table, raw)| (name(table), raw.clone()))
        .collect();
    Catalog {
        namesakes: relations.keys().cloned().collect(),
        reached: Reached {
            relations,
            ..Reached::default()
        },
        ..Catalog::default()
    }
}

/// The schema of shards `s1`, the default, `s2` and so on.
fn merged(catalogs: &[Catalog]) -> Schema {
    let names = ["s1", "s2", "s3"];
    let shards: Vec<_> = names.into_iter().zip(catalogs).collect();
    merge(&map(), &shards)
}

#[track_caller]
fn assert_opaque(schema: &Schema, table: &str, reason: &str) {
    match &schema.relations[&name(table)].kind {
        RelationKind::Opaque(found) => assert!(found.contains(reason), "{found}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn shards_alike_are_one() {
    let one = catalog(&[
        ("matches", raw('p', &[])),
        ("matches_1", raw('r', &["matches"])),
        ("matches_1_1", raw('r', &["matches_1"])),
        ("active", view(" SELECT matches.id FROM public.matches;")),
    ]);
    let schema = merged(&[one.clone(), one]);
    let kind = |table: &str| &schema.relations[&name(table)].kind;
    assert_eq!(kind("matches"), &RelationKind::Listed);
    assert_eq!(kind("matches_1"), &RelationKind::PartOf(name("matches")));
    assert_eq!(kind("matches_1_1"), &RelationKind::PartOf(name("matches")));
    assert!(matches!(kind("active"), RelationKind::View(_)));
    assert_eq!(schema.relations[&name("matches")].columns.len(), 2);
    assert!(schema.partial.is_empty() && schema.homonyms.is_empty());
}

#[test]
fn tables_of_several_kinds_are_opaque() {
    let schema = merged(&[catalog(&[
        ("matches", raw('p', &["base"])),
        ("base", raw('r', &[])),
        ("both", raw('r', &["matches", "detections"])),
        ("aside", raw('r', &["matches", "other"])),
        ("other", raw('r', &[])),
        ("detections", raw('r', &[])),
        ("audit.events", raw('p', &[])),
        ("remote", raw('f', &["audit.events"])),
        ("organizations", raw('r', &["classes"])),
        ("classes", raw('r', &[])),
        ("stored", raw('m', &[])),
        (
            "docs",
            Raw {
                has_rules: true,
                ..raw('r', &[])
            },
        ),
        (
            "ruled",
            Raw {
                has_rules: true,
                ..view("SELECT 1")
            },
        ),
        ("pages", view("SELECT 1")),
    ])]);
    for (table, reason) in [
        ("base", "inherits"),
        ("both", "several tables"),
        ("aside", "several tables"),
        ("other", "inherits"),
        ("audit.events", "remote is a foreign table"),
        ("remote", "a foreign table"),
        ("organizations", "parent classes is listed as another"),
        ("classes", "child organizations is listed as another"),
        ("stored", "materialized"),
        ("docs", "rewrite rules"),
        ("ruled", "rewrite rules"),
        ("pages", "a view, not a table"),
    ] {
        assert_opaque(&schema, table, reason);
    }
    for table in ["matches", "detections"] {
        assert_eq!(schema.relations[&name(table)].kind, RelationKind::Listed);
    }
}

#[test]
fn what_differs_between_shards_is_not_used() {
    let of = |definition: &str, extra: Option<&str>, key: KeyType| {
        let mut table = raw('r', &[]);
        table.columns[1].key_type = Some(key);
        table
            .columns
            .extend(extra.map(|name| column(name, Some(KeyType::Text))));
        catalog(&[("matches", table), ("active", view(definition))])
    };
    let text = "SELECT matches.id FROM public.matches";
    let base = of(text, None, KeyType::BigInt);
    // The views: one has another condition.
    let schema = merged(&[base.clone(), of("SELECT 1 AS id", None, KeyType::BigInt)]);
    assert_opaque(&schema, "active", "differs between shards s1 and s2");
    assert_eq!(schema.relations[&name("matches")].columns.len(), 2);
    // The columns, while ALTER TABLE goes from shard to shard.
    let wider = of(text, Some("note"), KeyType::BigInt);
    let schema = merged(&[base.clone(), wider.clone(), wider]);
    let table = &schema.relations[&name("matches")];
    assert_eq!(
        (&table.kind, table.columns.len()),
        (&RelationKind::Listed, 0)
    );
    assert!(matches!(
        schema.relations[&name("active")].kind,
        RelationKind::View(_)
    ));
    // The key.
    let schema = merged(&[base.clone(), of(text, None, KeyType::Text)]);
    assert_opaque(&schema, "matches", "organization_id on shard s2");
    // An integer is compared and hashed like a bigint.
    let schema = merged(&[base, of(text, None, KeyType::Integer)]);
    assert_eq!(
        schema.relations[&name("matches")].kind,
        RelationKind::Listed
    );
}

#[test]
fn keys_that_are_not_there_or_not_comparable() {
    let mut nameless = raw('r', &[]);
    nameless.columns.pop();
    let schema = merged(&[catalog(&[("matches", nameless)])]);
    assert_opaque(&schema, "matches", "no key column organization_id");
    let mut fuzzy = raw('r', &[]);
    fuzzy.columns[1].key_type = None;
    let schema = merged(&[catalog(&[("matches", fuzzy)])]);
    assert_opaque(&schema, "matches", "not stored and compared as the bigint");
}

#[test]
fn keys_that_the_server_computes() {
    let mut computed = raw('r', &[]);
    computed.columns[1].generated = true;
    let schema = merged(&[
        catalog(&[("matches", raw('r', &[]))]),
        catalog(&[("matches", computed)]),
    ]);
    assert_opaque(
        &schema,
        "matches",
        "organization_id on shard s2 is GENERATED",
    );
    let mut beside = raw('r', &[]);
    beside.columns[0].generated = true;
    let schema = merged(&[catalog(&[("matches", beside)])]);
    let kind = &schema.relations[&name("matches")].kind;
    assert_eq!(*kind, RelationKind::Listed);
}

#[test]
fn keys_wider_than_their_keyspace() {
    for (wanted, found, fits) in [
        (KeyType::BigInt, KeyType::Integer, true),
        (KeyType::Integer, KeyType::BigInt, false),
        (KeyType::Varchar, KeyType::Text, true),
        (KeyType::Text, KeyType::Varchar, false),
        (KeyType::Text, KeyType::Bpchar, false),
    ] {
        let mut map = map();
        map.keyspaces[0].key.columns[0].key_type = wanted;
        let mut table = raw('r', &[]);
        table.columns[1] = column("organization_id", Some(found));
        let catalog = catalog(&[("matches", table)]);
        let schema = merge(&map, &[("s1", &catalog)]);
        let kind = &schema.relations[&name("matches")].kind;
        assert_eq!(*kind == RelationKind::Listed, fits, "{wanted:?} {found:?}");
    }
}

#[test]
fn a_default_anywhere_is_one() {
    let mut filled = raw('r', &[]);
    filled.columns[0].has_default = true;
    let schema = merged(&[
        catalog(&[("matches", raw('r', &[]))]),
        catalog(&[("matches", filled)]),
    ]);
    assert!(schema.relations[&name("matches")].columns[0].has_default);
}

#[test]
fn what_is_missing_somewhere_is_partial() {
    let with = catalog(&[
        ("matches", raw('r', &[])),
        ("active", view("SELECT matches.id FROM public.matches")),
    ]);
    let without = catalog(&[]);
    let schema = merged(&[without, with.clone()]);
    assert_eq!(
        schema.relations[&name("matches")].kind,
        RelationKind::Listed
    );
    assert_opaque(&schema, "active", "a view that shard s1 lacks");
    let partial: BTreeSet<_> = schema.partial.iter().map(|name| &*name.name).collect();
    assert_eq!(partial, ["active", "matches"].into());
    // An ordinary table has the view's name there.
    let mut namesake = catalog(&[("matches", raw('r', &[]))]);
    namesake.namesakes.insert(name("active"));
    for shards in [[namesake.clone(), with.clone()], [with, namesake]] {
        assert_opaque(&merged(&shards), "active", "differs between shards");
    }
}

#[test]
fn namesakes() {
    let mut default = catalog(&[("matches", raw('r', &[]))]);
    let mut other = default.clone();
    default.namesakes.insert(name("old.matches"));
    other.namesakes.insert(name("old.matches"));
    other.namesakes.insert(name("stray.matches"));
    let schema = merged(&[default, other]);
    assert_eq!(schema.homonyms, [name("old.matches")].into());
    assert_opaque(&schema, "stray.matches", "on shard s2 only");
}

#[test]
fn grants_must_be_given_everywhere() {
    let grant = |schema: &str, role: &str| (schema.to_owned(), role.to_owned());
    let with = |grants: &[(String, String)], schemas: &[&str]| Catalog {
        grants: grants.iter().cloned().collect(),
        namesakes: schemas.iter().map(|s| name(&format!("{s}.any"))).collect(),
        ..Catalog::default()
    };
    let schema = merged(&[
        with(
            &[
                grant("public", "public"),
                grant("a", "app"),
                grant("only_here", "app"),
                grant("revoked_there", "app"),
                grant("", "postgres"),
                grant("", "app"),
            ],
            &["public", "a", "only_here", "revoked_there"],
        ),
        with(
            &[
                grant("public", "public"),
                grant("a", "other"),
                grant("", "postgres"),
            ],
            &["public", "a", "revoked_there"],
        ),
    ]);
    let may = |role: &str, of: &str| schema.may_use(role, of);
    assert!(may("anybody", "public") && may("app", "only_here"));
    assert!(may("postgres", "a"));
    assert!(!may("app", "a") && !may("other", "a") && !may("app", "b"));
    // Where nobody may use a schema it is not as if it were not there.
    assert!(!may("app", "revoked_there"));
}

fn sql(body: &str, search_path: Option<&[&str]>) -> catalog::Function {
    catalog::Function::Sql(SqlText {
        body: body.to_owned(),
        arguments: vec![(Some("org".to_owned()), Some(KeyType::BigInt))],
        search_path: search_path.map(|path| path.iter().map(|s| (*s).to_owned()).collect()),
        atomic: false,
        definer_calls: false,
        immutable: false,
    })
}

fn with_functions(functions: &[(&str, catalog::Function)]) -> Catalog {
    let functions = functions
        .iter()
        .map(|(function, text)| (name(function), text.clone()));
    let mut catalog = catalog(&[("matches", raw('r', &[]))]);
    catalog.reached.functions = functions.collect();
    catalog
}

#[test]
fn functions_in_sql_are_read_if_they_are_alike() {
    let body = "SELECT count(*) FROM matches WHERE organization_id = org";
    let opaque = catalog::Function::Opaque("is user-defined".to_owned());
    let one = with_functions(&[
        ("counted", sql(body, Some(&["public"]))),
        ("twice", sql("SELECT 2 * counted(org)", None)),
        ("writes", sql("DELETE FROM matches", None)),
        ("two", sql("SELECT 1; SELECT 2", None)),
        ("itself", sql("SELECT itself(org - 1)", None)),
        ("calls", sql("SELECT hidden(org)", None)),
        ("hidden", opaque.clone()),
        ("a.same", sql("SELECT 1", None)),
        ("b.same", sql("SELECT 1", None)),
        ("other", sql("SELECT 1", None)),
        ("half", sql("SELECT 1", None)),
    ]);
    let mut two = one.clone();
    let functions = &mut two.reached.functions;
    functions.insert(name("other"), sql("SELECT 2", None));
    functions.insert(name("half"), opaque);
    let schema = merged(&[one, two]);
    for (function, known) in [
        ("counted", true),
        ("twice", true),
        ("writes", false),
        ("two", false),
        ("itself", false),
        ("calls", false),
        ("hidden", false),
        ("a.same", false),
        ("b.same", false),
        ("other", false),
        ("half", false),
    ] {
        let found = &schema.functions[&name(function)];
        assert_eq!(
            matches!(found, Function::Sql(_)),
            known,
            "{function}: {found:?}"
        );
    }
    let Function::Sql(counted) = &schema.functions[&name("counted")] else {
        panic!("known");
    };
    assert_eq!(
        counted.search_path.as_deref(),
        Some(&["public".to_owned()][..])
    );
}

#[test]
fn views_are_read_with_the_functions_at_hand() {
    let mut one = with_functions(&[("f", sql("SELECT 1", None))]);
    let opaque = catalog::Function::Opaque("is user-defined".to_owned());
    one.reached.functions.insert(name("g"), opaque);
    for (table, text) in [
        ("of_f", "SELECT public.f(1) AS f"),
        ("of_g", "SELECT public.g(1) AS g"),
        ("of_n", "SELECT nextval('s'::regclass) AS n FROM matches"),
        ("broken", "SELECT FROM WHERE"),
    ] {
        one.reached.relations.insert(name(table), view(text));
    }
    let schema = merged(&[one]);
    let kind = |table: &str| &schema.relations[&name(table)].kind;
    assert!(matches!(kind("of_f"), RelationKind::View(_)));
    assert_opaque(&schema, "of_g", "function g is user-defined");
    assert_opaque(&schema, "of_n", "may write");
    assert_opaque(&schema, "broken", "cannot be read");
}

#[test]
fn default_paths_must_be_the_same() {
    let with = |paths: &[(&str, &str)]| {
        let path = |path: &str| path.split(", ").map(str::to_owned).collect();
        let paths = paths.iter().map(|(role, p)| ((*role).to_owned(), path(p)));
        Catalog {
            default_paths: paths.collect(),
            ..Catalog::default()
        }
    };
    let schema = merged(&[
        with(&[("", "x"), ("app", "a, b"), ("other", "x"), ("third", "y")]),
        with(&[("", "x"), ("app", "a, b"), ("third", "z")]),
    ]);
    let path = |user: &str| {
        schema
            .default_path(user)
            .map(|path| path.map(|p| p.join("+")))
    };
    assert_eq!(path("app"), Ok(Some("a+b".to_owned())));
    assert_eq!(path("other"), Ok(Some("x".to_owned())));
    assert_eq!(path("anybody"), Ok(Some("x".to_owned())));
    assert!(path("third").is_err());
    assert_eq!(merged(&[with(&[])]).default_path("app"), Ok(None));
    // Only one of two says something.
    let schema = merged(&[with(&[("app", "a")]), with(&[])]);
    assert!(schema.default_path("app").is_err());
}

#[test]
fn default_roles_must_be_the_same() {
    let with = |roles: &[(&str, &str)]| {
        let roles = roles
            .iter()
            .map(|(role, other)| ((*role).to_owned(), (*other).to_owned()));
        Catalog {
            default_roles: roles.collect(),
            ..Catalog::default()
        }
    };
    let schema = merged(&[
        with(&[("app", "tenant"), ("plain", "none"), ("third", "a")]),
        with(&[("app", "tenant"), ("plain", "none"), ("third", "b")]),
    ]);
    assert_eq!(schema.default_role("app"), Ok("tenant"));
    assert_eq!(schema.default_role("plain"), Ok("plain"));
    assert_eq!(schema.default_role("anybody"), Ok("anybody"));
    assert!(schema.default_role("third").is_err());
}
