//! Does the sharded cluster hold the rows the oracle holds, each on the shard it belongs to?

use crate::client::{connect, texts};
use crate::cluster::{Cluster, LOGICAL_SHARDS};
use trunkline::internals::cluster::sample::{REFERENCE_TABLES, SHARDED_TABLES};

/// Compares every table: sharded rows together, reference rows on each shard.
pub async fn assert_same_rows(cluster: &Cluster) {
    assert_same_rows_of(cluster, &SHARDED_TABLES, &REFERENCE_TABLES).await;
}

pub async fn assert_same_rows_of(cluster: &Cluster, sharded: &[&str], reference: &[&str]) {
    let oracle = connect(cluster.oracle.port()).await;
    for table in sharded {
        let query = format!("select t.* from {table} t");
        let mut expected = texts(&oracle, &query).await;
        let mut found = Vec::new();
        for shard in 0..cluster.shards.len() {
            found.extend(texts(&connect(cluster.primary_port(shard)).await, &query).await);
        }
        expected.sort();
        found.sort();
        assert!(
            expected == found,
            "{}",
            first_difference(table, &expected, &found)
        );
    }
    for table in reference {
        let query = format!("select t.* from {table} t");
        let mut expected = texts(&oracle, &query).await;
        expected.sort();
        for shard in 0..cluster.shards.len() {
            let mut found = texts(&connect(cluster.primary_port(shard)).await, &query).await;
            found.sort();
            let at = format!("{table} on {}", Cluster::shard_name(shard));
            assert!(
                expected == found,
                "{}",
                first_difference(&at, &expected, &found)
            );
        }
    }
}

/// Asks PostgreSQL itself, on each shard, whether its rows belong there: `satisfies_hash_partition`
/// says for every logical shard of this shard whether the key is in it.
pub async fn assert_rows_in_place(cluster: &Cluster, sharded: &[&str]) {
    for shard in 0..cluster.shards.len() {
        let client = connect(cluster.primary_port(shard)).await;
        client
            .batch_execute(
                "create temp table hashed (organization_id bigint) partition by hash (organization_id)",
            )
            .await
            .unwrap();
        let logical: Vec<String> = (0..LOGICAL_SHARDS)
            .filter(|logical| cluster.placement.shard(*logical, cluster.shards.len()) == shard)
            .map(|logical| logical.to_string())
            .collect();
        for table in sharded {
            let lost = texts(
                &client,
                &format!(
                    "select distinct organization_id from {table} where not exists (
                        select from unnest('{{{}}}'::int[]) as logical (shard)
                        where satisfies_hash_partition(
                            'hashed'::regclass, {LOGICAL_SHARDS}, logical.shard, organization_id))",
                    logical.join(",")
                ),
            )
            .await;
            let name = Cluster::shard_name(shard);
            assert!(
                lost.is_empty(),
                "{table} on {name} has rows of another shard: {lost:?}"
            );
        }
    }
}

fn first_difference<R: std::fmt::Debug + PartialEq>(
    table: &str,
    expected: &[R],
    found: &[R],
) -> String {
    let missing = expected.iter().find(|row| !found.contains(row));
    let extra = found.iter().find(|row| !expected.contains(row));
    format!(
        "{table}: {} rows expected, {} found; missing {missing:?}, too many {extra:?}",
        expected.len(),
        found.len()
    )
}
