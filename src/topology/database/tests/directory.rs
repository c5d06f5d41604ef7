//! Directories of real servers.

use std::collections::BTreeMap;

use super::schema::{name, on, sharded};
use super::*;
use crate::plan::{Destination, KeyTarget};
use crate::shardmap::{
    DirectoryFunction, HashFunction, KeyColumn, KeyspaceIndex, ShardingFunction, ShardingKey,
    SpreadFunction,
};
use crate::topology::DirectoryView;
use crate::types::{KeyType, KeyValue};

/// Tables `m` and `n` by a directory, whose fallback is a hash.
fn with_directory(servers: &[&Server], columns: &[(&str, KeyType)]) -> Arc<Database> {
    let mut config = (*sharded(servers, &["m", "n"])).clone();
    let mut map = (*config.map).clone();
    let fallback = match columns.len() {
        1 => ShardingFunction::Hash(HashFunction { logical_shards: 16 }),
        _ => ShardingFunction::Spread(SpreadFunction {
            logical_shards: 16,
            spread: 1,
        }),
    };
    let column = |(name, key_type): &(&str, KeyType)| KeyColumn {
        name: (*name).to_owned(),
        key_type: *key_type,
    };
    map.keyspaces[0].key = ShardingKey {
        columns: columns.iter().map(column).collect(),
    };
    map.keyspaces[0].function = ShardingFunction::Directory(DirectoryFunction::new(16, fallback));
    for kind in map.tables.values_mut() {
        *kind = TableKind::Sharded {
            keyspace: KeyspaceIndex(0),
            columns: columns.iter().map(|(name, _)| (*name).to_owned()).collect(),
        };
    }
    config.map = Arc::new(map);
    Arc::new(config)
}

fn shard(live: &LiveDatabase, key: &[KeyValue]) -> u16 {
    let (_, shard) = live.map().locate(KeyspaceIndex(0), key).expect("a place");
    shard.0
}

fn view(live: &LiveDatabase) -> DirectoryView {
    live.directories()[0].clone()
}

async fn reload(live: &LiveDatabase) {
    live.schema_reloaded().await.expect("loads again");
}

/// Numbers whose fallback is that shard.
fn numbers(live: &LiveDatabase, of_shard: u16) -> Vec<i64> {
    let by_fallback = |value: &i64| shard(live, &[KeyValue::Int(*value)]) == of_shard;
    (1..100).filter(by_fallback).collect()
}

/// A logical shard that is there.
fn logical(live: &LiveDatabase, of_shard: u16) -> u32 {
    let map = live.map();
    let placement = &map.keyspaces[0].placement;
    let there = |n: &u32| placement.shard(crate::shardmap::LogicalShardId(*n)).0 == of_shard;
    (0..16).find(there).expect("one of them")
}

#[tokio::test]
async fn entries_are_in_force_where_no_row_is_left_behind() {
    if skipped() {
        return;
    }
    let (one, two) = (
        Server::create("directory-one").start(&[]),
        Server::create("directory-two").start(&[]),
    );
    let config = with_directory(&[&one, &two], &[("org", KeyType::BigInt)]);
    let live = LiveDatabase::start(Arc::clone(&config), &Metrics::new()).expect("starts");
    for shard in [0, 1] {
        on(
            &live,
            shard,
            "CREATE TABLE m (id int, org bigint); CREATE TABLE \"n\" (id int, org int)",
        )
        .await;
    }
    live.schema_loaded().await.expect("loads");
    reload(&live).await;
    // The table was made, and is empty.
    assert_eq!(view(&live).entries, Some(0), "{:?}", view(&live));
    let (ones, twos) = (numbers(&live, 0), numbers(&live, 1));
    let (to_one, to_two) = (logical(&live, 0), logical(&live, 1));
    let version = live.map_version();

    // Of two keys on the first shard one has a row there, of two on the second likewise.
    on(&live, 0, &format!("INSERT INTO n VALUES (1, {})", ones[1])).await;
    on(&live, 1, &format!("INSERT INTO m VALUES (1, {})", twos[1])).await;
    let entry = |key: i64, logical: u32| {
        format!(
            "INSERT INTO trunkline.directory VALUES ('orgs', '{{{key}}}', {logical})
             ON CONFLICT (keyspace, key) DO UPDATE SET logical_shard = excluded.logical_shard"
        )
    };
    for (key, logical) in [
        (ones[0], to_two),
        (ones[1], to_two),
        (twos[0], to_one),
        (twos[1], to_one),
        (ones[2], to_one),
    ] {
        on(&live, 0, &entry(key, logical)).await;
    }
    on(
        &live,
        0,
        "INSERT INTO trunkline.directory VALUES ('unknown', '{1}', 5)",
    )
    .await;
    reload(&live).await;
    assert!(live.map_version() > version);
    let place = |key: i64| shard(&live, &[KeyValue::Int(key)]);
    assert_eq!((place(ones[0]), place(ones[1]), place(ones[2])), (1, 0, 0));
    assert_eq!((place(twos[0]), place(twos[1])), (0, 1));
    let seen = view(&live);
    assert_eq!((seen.entries, seen.waiting), (Some(3), 2));
    assert!(
        seen.last_error
            .expect("says why")
            .contains("2 entries are not in force")
    );

    // The rows are gone: now they may.
    on(&live, 0, "DELETE FROM n").await;
    on(&live, 1, "DELETE FROM m").await;
    reload(&live).await;
    assert_eq!((place(ones[1]), place(twos[1])), (1, 0));
    let seen = view(&live);
    assert_eq!(
        (seen.entries, seen.waiting, seen.last_error),
        (Some(5), 0, None)
    );
    let version = live.map_version();
    reload(&live).await;
    assert_eq!(live.map_version(), version, "nothing has changed");

    // An entry that is taken away or changed, with a row where it leads.
    on(
        &live,
        1,
        &format!("INSERT INTO m VALUES (1, {}), (2, {})", ones[0], ones[1]),
    )
    .await;
    on(&live, 0, &entry(ones[1], to_one)).await;
    on(
        &live,
        0,
        &format!(
            "DELETE FROM trunkline.directory WHERE key = '{{{}}}'",
            ones[0]
        ),
    )
    .await;
    reload(&live).await;
    assert_eq!((place(ones[0]), place(ones[1])), (1, 1));
    assert_eq!(view(&live).waiting, 2);

    // A row that cannot be read holds up the rest.
    on(&live, 0, &entry(ones[3], to_two)).await;
    on(
        &live,
        0,
        "INSERT INTO trunkline.directory VALUES ('orgs', '{x}', 1)",
    )
    .await;
    reload(&live).await;
    assert_eq!(place(ones[3]), 0);
    assert!(
        view(&live)
            .last_error
            .expect("says why")
            .contains("cannot be read")
    );
    // And another proxy does not begin with it.
    let other = LiveDatabase::start(config, &Metrics::new()).expect("starts");
    other.schema_loaded().await.expect("the catalogs are read");
    assert_eq!(view(&other).entries, None);
    let target = KeyTarget {
        keyspace: KeyspaceIndex(0),
        relations: Vec::new(),
    };
    let route = crate::plan::Route {
        targets: crate::plan::Targets::Key(target),
        access: crate::plan::Access::Read,
        explain: None,
        detached: false,
        unsettles: false,
        catalogs: crate::plan::Catalogs::Read,
        hint: None,
        gather: None,
        scatter: None,
        by_text: false,
        reason: String::new(),
    };
    let resolved = route.resolve(&other.map(), crate::plan::Values::NONE);
    assert!(resolved.is_err());
    on(
        &live,
        0,
        "DELETE FROM trunkline.directory WHERE key = '{x}'",
    )
    .await;
    reload(&other).await;
    let resolved = route.resolve(&other.map(), crate::plan::Values::NONE);
    assert_eq!(resolved, Ok(Destination::Any));
}

#[tokio::test]
async fn entries_of_several_columns_and_one_that_begins_them() {
    if skipped() {
        return;
    }
    let (one, two) = (
        Server::create("columns-one").start(&[]),
        Server::create("columns-two").start(&[]),
    );
    let columns = [("org", KeyType::BigInt), ("Name", KeyType::Text)];
    let live = LiveDatabase::start(with_directory(&[&one, &two], &columns), &Metrics::new())
        .expect("starts");
    for shard in [0, 1] {
        on(&live, shard, "CREATE TABLE m (org bigint, \"Name\" text)").await;
    }
    live.schema_loaded().await.expect("loads");
    reload(&live).await;
    let key = |org: i64, name: &str| [KeyValue::Int(org), KeyValue::Text(name.to_owned())];
    let org = (1..)
        .find(|org| shard(&live, &key(*org, "a")) == 0)
        .expect("one");
    let to_two = logical(&live, 1);
    on(
        &live,
        0,
        &format!(
            "INSERT INTO trunkline.directory VALUES ('orgs', '{{{org}}}', {to_two}), ('orgs', '{{{org},b}}', {})",
            logical(&live, 0)
        ),
    )
    .await;
    // A row of a key that has its own entry does not matter to the shorter one.
    on(&live, 0, &format!("INSERT INTO m VALUES ({org}, 'b')")).await;
    reload(&live).await;
    let places = BTreeMap::from(["a", "b", "c"].map(|name| (name, shard(&live, &key(org, name)))));
    assert_eq!(places, BTreeMap::from([("a", 1), ("b", 0), ("c", 1)]));
    assert_eq!(view(&live).waiting, 0, "{:?}", view(&live));
    // Now the entry for it goes: the row would be left behind.
    on(
        &live,
        0,
        "DELETE FROM trunkline.directory WHERE cardinality(key) = 2",
    )
    .await;
    reload(&live).await;
    assert_eq!(shard(&live, &key(org, "b")), 0);
    assert_eq!(view(&live).waiting, 1);
    assert_eq!(live.schema().relations[&name("m")].columns.len(), 2);
}
