//! The catalogs of real servers, read and merged.

use std::collections::BTreeSet;

use super::*;
use crate::planner::{Function, RelationKind, Schema};
use crate::shardmap::{
    HashFunction, Keyspace, KeyspaceIndex, Placement, ShardingFunction, ShardingKey,
};
use crate::types::{KeyType, Oid};

pub(super) fn name(text: &str) -> TableName {
    let (schema, name) = text.split_once('.').unwrap_or(("public", text));
    TableName {
        schema: schema.to_owned(),
        name: name.to_owned(),
    }
}

/// Tables sharded by `org`, one shard for each server, the first one being the default.
pub(super) fn sharded(servers: &[&Server], tables: &[&str]) -> Arc<Database> {
    let mut config = (*database(servers, &[], plaintext())).clone();
    let names: Vec<String> = (1..=servers.len()).map(|n| format!("s{n}")).collect();
    let shard = |(name, server): (&String, &&Server)| Shard {
        name: name.clone(),
        servers: vec![server.address()],
        dbname: "postgres".to_owned(),
    };
    config.shards = names.iter().zip(servers).map(shard).collect();
    let kind = TableKind::Sharded {
        keyspace: KeyspaceIndex(0),
        columns: vec!["org".to_owned()],
    };
    config.map = Arc::new(ShardMap {
        shards: names,
        keyspaces: vec![Keyspace {
            name: "orgs".to_owned(),
            key: ShardingKey::single("org", KeyType::BigInt),
            function: ShardingFunction::Hash(HashFunction { logical_shards: 16 }),
            placement: Placement::even(16, servers.len() as u16),
            require_key: false,
        }],
        tables: tables
            .iter()
            .map(|table| (name(table), kind.clone()))
            .collect(),
        ..(*config.map).clone()
    });
    Arc::new(config)
}

pub(super) async fn on(live: &LiveDatabase, shard: u16, sql: &str) {
    let mut lease = lease(live, ShardId(shard)).await.expect("lease");
    lease
        .simple(sql, Instant::now() + Duration::from_secs(10))
        .await
        .expect("runs");
    lease.release();
}

async fn reloaded(live: &LiveDatabase) -> Arc<Schema> {
    live.schema_loaded().await.expect("loads");
    live.schema_reloaded().await.expect("loads again");
    live.schema()
}

/// `name kind` of all relations of user schemas.
fn kinds(schema: &Schema) -> BTreeSet<String> {
    let kind = |(name, relation): (&TableName, &crate::planner::Relation)| {
        let kind = match &relation.kind {
            RelationKind::Listed => "listed".to_owned(),
            RelationKind::PartOf(whole) => format!("part of {whole}"),
            RelationKind::View(_) => "view".to_owned(),
            RelationKind::Opaque(_) => "opaque".to_owned(),
        };
        format!("{name} {kind}")
    };
    schema.relations.iter().map(kind).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test]
async fn schema_finds_every_other_name_for_listed_rows() {
    if skipped() {
        return;
    }
    let server = Server::create("schema").start(&[]);
    let live = LiveDatabase::start(
        sharded(&[&server], &["m", "part", "parent"]),
        &Metrics::new(),
    )
    .expect("starts");
    on(&live, 0, SCHEMA).await;
    let schema = reloaded(&live).await;
    assert_eq!(
        kinds(&schema),
        set(&[
            "m listed",
            "part listed",
            "parent listed",
            "part_1 part of part",
            "part_2 part of part",
            "part_2_1 part of part",
            "child part of parent",
            "grandchild part of parent",
            "two_parents opaque",
            "stranger opaque",
            "v view",
            "v2 view",
            "recursive_view view",
            "barrier view",
            "fv view",
            "mv opaque",
            "other.v3 view",
            "ft opaque",
            "ruled opaque",
            "volatile_view opaque",
            "sets opaque",
            "of_setter opaque",
        ])
    );
    let known: BTreeSet<String> = schema
        .functions
        .iter()
        .filter(|(name, _)| name.schema != "pg_catalog")
        .map(|(name, function)| match function {
            Function::Sql(_) => format!("{name} known"),
            Function::Opaque(_) => format!("{name} opaque"),
        })
        .collect();
    assert_eq!(
        known,
        set(&[
            "vol known",
            "other.sta known",
            "counted known",
            "atomic known",
            "returns known",
            "lying known",
            "in_table known",
            "proc opaque",
            "agg opaque",
            "plpg opaque",
            "writes opaque",
            "overloaded opaque",
            "defaults opaque",
            "many opaque",
            "poly opaque",
            "definer opaque",
            "own_settings opaque",
            "of_row known",
            "named known",
            "out_first opaque",
            "definer_atomic known",
            "definer_calls opaque",
            "setter opaque",
            "setter_2 opaque",
            "lying_view known",
        ])
    );
    let built_in = ["pg_catalog.query_to_xml", "pg_catalog.ts_stat"];
    assert!(
        built_in
            .iter()
            .all(|f| schema.functions.contains_key(&name(f)))
    );
    assert_eq!(schema.row_functions, ["of_row".to_owned()].into());
    let function = |f: &str| match &schema.functions[&name(f)] {
        Function::Sql(function) => Arc::clone(function),
        Function::Opaque(reason) => panic!("{reason}"),
    };
    let counted = function("counted");
    let (org, key) = (Some("o".to_owned()), Some(KeyType::BigInt));
    assert_eq!(counted.arguments, [(org, key), (None, None)]);
    let path = Some(vec!["$user".to_owned(), "public".to_owned()]);
    assert_eq!(counted.search_path, path);
    assert!(function("atomic").atomic && function("returns").atomic && !counted.atomic);
    assert_eq!(function("vol").search_path, None);
    assert!(live.ready());
}

const SCHEMA: &str = "
    CREATE SCHEMA other;
    CREATE TABLE m (id bigint, org bigint); CREATE TABLE plain (id bigint); CREATE TABLE ruled (id bigint);
    CREATE FUNCTION vol() RETURNS int LANGUAGE sql AS 'SELECT 1';
    CREATE VIEW v AS SELECT * FROM m; CREATE VIEW v2 AS SELECT * FROM v; CREATE VIEW harmless AS SELECT * FROM plain;
    CREATE MATERIALIZED VIEW mv AS SELECT * FROM v2; CREATE VIEW other.v3 AS SELECT 1 WHERE EXISTS (SELECT FROM mv);
    CREATE RECURSIVE VIEW recursive_view (n) AS SELECT id FROM m UNION ALL SELECT n + 1 FROM recursive_view WHERE n < 9;
    CREATE VIEW barrier WITH (security_barrier) AS SELECT id, org AS o FROM m WHERE id > 0;
    CREATE TABLE part (id bigint, org bigint) PARTITION BY RANGE (id); CREATE TABLE part_1 PARTITION OF part DEFAULT;
    CREATE TABLE part_2 PARTITION OF part FOR VALUES FROM (1) TO (9) PARTITION BY RANGE (org);
    CREATE TABLE part_2_1 PARTITION OF part_2 DEFAULT;
    CREATE TABLE parent (id bigint, org bigint); CREATE TABLE child (x int) INHERITS (parent);
    CREATE TABLE grandchild () INHERITS (child); CREATE TABLE stranger (id bigint);
    CREATE TABLE two_parents () INHERITS (parent, stranger);
    CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w; CREATE FOREIGN TABLE ft (id bigint) SERVER s;
    CREATE RULE r AS ON INSERT TO ruled DO ALSO INSERT INTO m VALUES (1);
    CREATE FUNCTION other.sta() RETURNS int STABLE LANGUAGE sql AS 'SELECT 1';
    CREATE FUNCTION pure(a int, b int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 1';
    CREATE FUNCTION impure(a int, b int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 1';
    ALTER FUNCTION impure VOLATILE; ALTER FUNCTION impure RENAME TO agg;
    CREATE AGGREGATE agg (int) (sfunc = agg, stype = int); CREATE AGGREGATE harmless_agg (int) (sfunc = pure, stype = int);
    CREATE PROCEDURE proc() LANGUAGE sql AS 'SELECT 1';
    CREATE DOMAIN org AS bigint;
    CREATE FUNCTION counted(o org, numeric) RETURNS bigint STABLE LANGUAGE sql SET search_path = \"$user\", public
      AS 'SELECT count(*) FROM m WHERE org = o';
    CREATE FUNCTION atomic(bigint) RETURNS bigint STABLE LANGUAGE sql BEGIN ATOMIC SELECT id FROM m WHERE org = $1; END;
    CREATE FUNCTION returns(bigint) RETURNS bigint LANGUAGE sql RETURN (SELECT id FROM m WHERE org = $1);
    CREATE FUNCTION in_table(o bigint) RETURNS TABLE (a bigint, o2 bigint) LANGUAGE sql AS 'SELECT id, org FROM m WHERE org = o';
    CREATE FUNCTION lying() RETURNS bigint IMMUTABLE LANGUAGE sql AS 'SELECT count(*) FROM M';
    CREATE FUNCTION of_row(m) RETURNS bigint STABLE LANGUAGE sql AS 'SELECT $1.id';
    CREATE FUNCTION plpg() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 1; END';
    CREATE FUNCTION writes() RETURNS void LANGUAGE sql AS 'INSERT INTO m VALUES (1)';
    CREATE FUNCTION overloaded(int) RETURNS int LANGUAGE sql AS 'SELECT 1';
    CREATE FUNCTION overloaded(text) RETURNS int LANGUAGE sql AS 'SELECT 1';
    CREATE FUNCTION defaults(a int DEFAULT 1) RETURNS int LANGUAGE sql AS 'SELECT 1';
    CREATE FUNCTION many(VARIADIC int[]) RETURNS int LANGUAGE sql AS 'SELECT 1';
    CREATE FUNCTION poly(anyelement) RETURNS int LANGUAGE sql AS 'SELECT 1';
    CREATE FUNCTION definer() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1';
    CREATE FUNCTION own_settings() RETURNS int LANGUAGE sql SET work_mem = '64kB' AS 'SELECT 1';
    CREATE FUNCTION named(k bigint) RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT id FROM m WHERE org = k; END;
    CREATE FUNCTION out_first(OUT n bigint, k bigint) LANGUAGE sql BEGIN ATOMIC SELECT id FROM m WHERE org = $1; END;
    CREATE FUNCTION definer_atomic() RETURNS bigint LANGUAGE sql SECURITY DEFINER RETURN (SELECT id FROM m);
    CREATE FUNCTION definer_calls() RETURNS bigint LANGUAGE sql SECURITY DEFINER RETURN vol();
    CREATE FUNCTION setter(t text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT set_config(''search_path'', t, false)';
    CREATE FUNCTION setter_2(t text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT setter(t)';
    CREATE FUNCTION lying_view() RETURNS bigint IMMUTABLE LANGUAGE sql AS 'SELECT count(*) FROM v2';
    CREATE VIEW sets AS SELECT set_config('search_path', 'other', false); CREATE VIEW of_setter AS SELECT setter_2('x');
    CREATE VIEW fv AS SELECT vol(); CREATE VIEW volatile_view AS SELECT plpg();
    CREATE TEMP TABLE temporary_child () INHERITS (parent);";

#[tokio::test]
async fn columns_are_read_with_the_types_beneath() {
    if skipped() {
        return;
    }
    let server = Server::create("columns").start(&[]);
    let live =
        LiveDatabase::start(sharded(&[&server], &["t", "n"]), &Metrics::new()).expect("starts");
    on(
        &live,
        0,
        "CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
         CREATE DOMAIN base AS bigint DEFAULT 5; CREATE DOMAIN d AS base;
         CREATE TYPE mood AS ENUM ('fine');
         CREATE TABLE t (dropped int, org bigint, d d, \"Odd Name\" text DEFAULT 'x', ci text COLLATE ci, e mood,
           ts timestamp, ts3 timestamp(3), tz timestamptz(6), v varchar(9), c char(3), n numeric, u uuid, b bytea,
           gen bigint GENERATED ALWAYS AS (org * 2) STORED, ident bigint GENERATED BY DEFAULT AS IDENTITY);
         ALTER TABLE t DROP COLUMN dropped;
         CREATE TABLE n (org numeric)",
    )
    .await;
    let schema = reloaded(&live).await;
    let columns = &schema.relations[&name("t")].columns;
    let found: Vec<_> = columns
        .iter()
        .map(|column| (&*column.name, column.key_type, column.has_default))
        .collect();
    assert_eq!(
        found,
        [
            ("org", Some(KeyType::BigInt), false),
            ("d", Some(KeyType::BigInt), true),
            ("Odd Name", Some(KeyType::Text), true),
            ("ci", None, false),
            ("e", None, false),
            ("ts", Some(KeyType::Timestamp), false),
            ("ts3", None, false),
            ("tz", Some(KeyType::Timestamptz), false),
            ("v", Some(KeyType::Varchar), false),
            ("c", Some(KeyType::Bpchar), false),
            ("n", None, false),
            ("u", Some(KeyType::Uuid), false),
            ("b", Some(KeyType::Bytea), false),
            ("gen", Some(KeyType::BigInt), true),
            ("ident", Some(KeyType::BigInt), true),
        ]
    );
    assert_eq!(columns[4].type_oid, Oid::UNSPECIFIED);
    assert_eq!(columns[10].type_oid, Oid::NUMERIC);
    let RelationKind::Opaque(reason) = &schema.relations[&name("n")].kind else {
        panic!("its key is numeric");
    };
    assert!(reason.contains("key column org on shard s1"), "{reason}");
}

#[tokio::test]
async fn shards_are_compared_and_versions_rise_with_changes_only() {
    if skipped() {
        return;
    }
    let (one, mut two) = (
        Server::create("one").start(&[]),
        Server::create("two").start(&[]),
    );
    let live =
        LiveDatabase::start(sharded(&[&one, &two], &["m"]), &Metrics::new()).expect("starts");
    for shard in [0, 1] {
        on(
            &live,
            shard,
            "CREATE TABLE m (id bigint, org bigint); CREATE VIEW v AS SELECT * FROM m",
        )
        .await;
    }
    let schema = reloaded(&live).await;
    let before = schema.version;
    assert_eq!(kinds(&schema), set(&["m listed", "v view"]));
    assert!(schema.may_use("anybody", "public") && schema.may_use("trunkline", "other"));
    assert_eq!(reloaded(&live).await.version, before);

    on(
        &live,
        1,
        "CREATE OR REPLACE VIEW v AS SELECT * FROM m WHERE id > 5; ALTER TABLE m ADD x int",
    )
    .await;
    on(&live, 0, "CREATE SCHEMA old; CREATE TABLE old.m (id int)").await;
    on(
        &live,
        1,
        "CREATE SCHEMA stray; CREATE TABLE stray.v (id int)",
    )
    .await;
    let schema = reloaded(&live).await;
    assert!(schema.version > before);
    assert_eq!(
        kinds(&schema),
        set(&["m listed", "v opaque", "stray.v opaque"])
    );
    assert!(schema.relations[&name("m")].columns.is_empty());
    assert_eq!(schema.homonyms, [name("old.m")].into());
    assert!(schema.partial.contains(&name("stray.v")));

    // One that works, and was not read, may have been defined on.
    let allow = |allowed| format!("UPDATE pg_database SET datallowconn = {allowed}");
    on(&live, 1, &allow(false)).await;
    let error = live.schema_reloaded().await.expect_err("was not read");
    assert_eq!(error.code, SqlState::CANNOT_CONNECT_NOW);
    on(&live, 1, &allow(true)).await;
    reloaded(&live).await;

    // A shard that is down keeps what it said.
    two.kill();
    on(&live, 0, "DROP TABLE old.m").await;
    let schema = reloaded(&live).await;
    assert!(schema.homonyms.is_empty());
    assert_eq!(
        kinds(&schema),
        set(&["m listed", "v opaque", "stray.v opaque"])
    );
    // One that never spoke is taken to be like the default shard, until it does.
    drop(live);
    let live =
        LiveDatabase::start(sharded(&[&one, &two], &["m"]), &Metrics::new()).expect("starts");
    let schema = reloaded(&live).await;
    assert_eq!(kinds(&schema), set(&["m listed", "v view"]));
    let two = two.start(&[]);
    until(|| kinds(&live.schema()).contains("v opaque")).await;
    drop(two);
}

#[tokio::test]
async fn the_path_of_the_configuration_is_that_of_users_without_their_own() {
    if skipped() {
        return;
    }
    let server = Server::create("path").start(&["search_path=\"$user\", App, \"Old\""]);
    let live = LiveDatabase::start(sharded(&[&server], &["m"]), &Metrics::new()).expect("starts");
    let path = |schema: &Schema, user: &str| {
        schema
            .default_path(user)
            .map(|path| path.map(|path| path.join("+")))
    };
    let schema = reloaded(&live).await;
    assert_eq!(
        path(&schema, "anybody"),
        Ok(Some("$user+app+Old".to_owned()))
    );
    on(
        &live,
        0,
        "CREATE ROLE own; ALTER ROLE own SET search_path = x; ALTER DATABASE postgres SET search_path = y;
         ALTER ROLE own SET role = trunkline",
    )
    .await;
    let schema = reloaded(&live).await;
    assert_eq!(path(&schema, "own"), Ok(Some("x".to_owned())));
    assert_eq!(path(&schema, "anybody"), Ok(Some("y".to_owned())));
    // The connection that was there began with another path.
    on(
        &live,
        0,
        "DO $$ BEGIN IF current_setting('search_path') <> 'y' THEN RAISE 'it is still used'; END IF; END $$",
    )
    .await;
    assert_eq!(schema.default_role("own"), Ok("trunkline"));
    assert_eq!(schema.default_role("anybody"), Ok("anybody"));
}
