//! Keys of several columns.

use std::collections::HashMap;

use super::super::{Schema, plan};
use super::context;
use crate::error::PgError;
use crate::plan::Values;
use crate::shardmap::{
    HashFunction, KeyColumn, Keyspace, KeyspaceIndex, MapVersion, Placement, ShardId, ShardMap,
    ShardingFunction, ShardingKey, SpreadFunction, TableKind, TableName,
};
use crate::types::KeyType;

/// Shops by region and number: `orders` calls the columns so, `lines` otherwise.
fn map() -> ShardMap {
    let column = |name: &str, key_type| KeyColumn {
        name: name.to_owned(),
        key_type,
    };
    let table = |name: &str, columns: [&str; 2]| {
        let name = TableName {
            schema: "public".to_owned(),
            name: name.to_owned(),
        };
        let columns = columns.map(str::to_owned).to_vec();
        let keyspace = KeyspaceIndex(0);
        (name, TableKind::Sharded { keyspace, columns })
    };
    ShardMap {
        version: MapVersion(1),
        shards: vec!["s1".to_owned(), "s2".to_owned()],
        default_shard: ShardId(0),
        keyspaces: vec![Keyspace {
            name: "shops".to_owned(),
            key: ShardingKey {
                columns: vec![
                    column("region", KeyType::Text),
                    column("shop", KeyType::BigInt),
                ],
            },
            function: ShardingFunction::Hash(HashFunction {
                logical_shards: 256,
            }),
            placement: Placement::even(256, 2),
            require_key: false,
        }],
        tables: HashMap::from([
            table("orders", ["region", "shop"]),
            table("lines", ["r", "s"]),
        ]),
    }
}

/// The route's lines, or the refusal.
fn lines(text: &str) -> Result<Vec<String>, PgError> {
    lines_of(text, &map())
}

fn lines_of(text: &str, map: &ShardMap) -> Result<Vec<String>, PgError> {
    let schema = Schema::default();
    let planned = plan(text, &context(map, &schema))?;
    if let crate::plan::Plan::Route(route) = &planned
        && !route.needs_params()
    {
        route.resolve(map, Values::NONE)?;
    }
    Ok(planned.lines(map, Values::NONE))
}

/// What is known of the key, without the places.
fn known(text: &str) -> Vec<String> {
    let lines = lines(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let before_place = |line: &String| {
        line.split(" -> ")
            .next()
            .unwrap_or_default()
            .trim()
            .to_owned()
    };
    lines[1..].iter().map(before_place).collect()
}

fn refused(text: &str) -> String {
    match lines(text) {
        Ok(lines) => panic!("{text} is routed: {lines:?}"),
        Err(error) => error.message,
    }
}

#[test]
fn all_columns_tie_a_relation() {
    assert_eq!(
        known("select * from orders where region = 'eu' and shop = 5"),
        ["orders: region = 'eu', shop = 5"]
    );
    assert_eq!(
        known("select * from orders where (shop, region) = (5, 'eu')"),
        ["orders: region = 'eu', shop = 5"]
    );
    assert_eq!(
        known("select * from orders where region = $1 and shop = $2"),
        ["orders: region = $1, shop = $2"]
    );
}

#[test]
fn each_column_goes_its_own_way() {
    assert_eq!(
        known(
            "select * from orders o join lines l on l.r = o.region and l.s = o.shop where o.region = 'eu' and l.s = 5"
        ),
        [
            "orders as o: region = 'eu', shop = 5",
            "lines as l: r = 'eu', s = 5"
        ]
    );
    assert_eq!(
        known(
            "select * from (select r, s, count(*) from lines group by r, s) l where l.r = 'eu' and l.s = 5"
        ),
        ["lines: r = 'eu', s = 5"]
    );
    assert_eq!(
        known(
            "select * from orders where (region, shop) in (select r, s from lines where r = 'eu' and s = 5)"
        ),
        ["orders: region = 'eu', shop = 5", "lines: r = 'eu', s = 5"]
    );
}

#[test]
fn the_first_column_alone_reaches_all_its_shards() {
    let told = refused("select ctid from orders where region = 'eu'");
    assert!(told.contains("on several shards"), "{told}");
    let told = refused(
        "select ctid from orders o join lines l on l.r = o.region where o.region = 'eu' and o.shop = 5",
    );
    assert!(told.contains("on several shards"), "{told}");
}

#[test]
fn the_first_column_alone_goes_where_its_group_is() {
    let spread = |spread| {
        let function = ShardingFunction::Spread(SpreadFunction {
            logical_shards: 256,
            spread,
        });
        let mut map = map();
        map.keyspaces[0].function = function;
        map
    };
    let group =
        lines_of("select * from orders where region = 'eu'", &spread(8)).expect("one shard");
    let whole = lines_of(
        "select * from orders o join lines l on l.r = o.region and l.s = o.shop where region = 'eu' and shop = 5",
        &spread(8),
    )
    .expect("one shard");
    assert_eq!(
        group[1..],
        ["  orders: region = 'eu' -> logical 160 to 167 of shops (hash) -> s2"]
    );
    assert!(whole[1].ends_with("of shops (hash) -> s2"), "{whole:?}");
    // A row has one place, whatever its group has.
    assert!(
        lines_of(
            "insert into orders (region, id) values ('eu', 1)",
            &spread(8)
        )
        .is_err()
    );
    let told = lines_of("select * from orders where region = 'eu'", &spread(256)).expect("several");
    assert_eq!(
        told[1..],
        [
            "  orders: region = 'eu' -> logical 0 to 127 of shops (hash) -> s1, logical 128 to 255 of shops (hash) -> s2",
            "  rows as they come"
        ]
    );
}

#[test]
fn the_other_columns_alone_tie_nothing() {
    let told = refused("select ctid from orders where shop = 5");
    assert!(told.contains("sharded by (region, shop)"), "{told}");
    assert!(told.contains("ties region"), "{told}");
    refused("select ctid from orders where region = 'eu' or shop = 5");
    // Of rows in a list each column has its own values: more rows than the list's.
    let rows = known("select * from orders where (region, shop) in (('eu', 5), ('us', 6))");
    assert_eq!(rows.len(), 4, "{rows:?}");
}

#[test]
fn what_is_stored_needs_all_columns() {
    assert_eq!(
        known("insert into orders (shop, region, id) values (5, 'eu', 1), (5, 'eu', 2)"),
        ["orders: region = 'eu', shop = 5"]
    );
    let told = refused("insert into orders (region, id) values ('eu', 1)");
    assert!(
        told.contains("without a value for its sharding key shop"),
        "{told}"
    );
    let told = refused("insert into orders (region, shop) values ('eu', default)");
    assert!(told.contains("shop"), "{told}");
    assert_eq!(
        known(
            "insert into lines (r, s) select region, shop from orders where region = 'eu' and shop = 5"
        ),
        ["orders: region = 'eu', shop = 5", "lines: r = 'eu', s = 5"]
    );
    let told = refused("insert into lines (r, s) select region, 5 from orders where shop = 5");
    assert!(told.contains("lines"), "{told}");
    refused("update orders set shop = 6 where region = 'eu' and shop = 5");
    assert_eq!(
        known("update orders set shop = 5, region = 'eu' where region = 'eu' and shop = 5"),
        ["orders: region = 'eu', shop = 5"]
    );
}

/// The row that is there may have another key of this shard; half of it and half of the new one is a third.
#[test]
fn a_conflict_sets_the_whole_key_or_nothing_of_it() {
    let insert =
        "insert into orders (region, shop, id) values ('eu', 5, 1) on conflict (id) do update set";
    let told = refused(&format!("{insert} region = excluded.region"));
    assert!(told.contains("not the whole sharding key"), "{told}");
    refused(&format!("{insert} name = 'x', shop = excluded.shop"));
    refused(&format!("{insert} region = excluded.region, shop = 5"));
    for all in [
        "region = excluded.region, shop = excluded.shop",
        "(shop, region) = (excluded.shop, excluded.region)",
        "name = 'x'",
    ] {
        assert_eq!(
            known(&format!("{insert} {all}")),
            ["orders: region = 'eu', shop = 5"]
        );
    }
}
