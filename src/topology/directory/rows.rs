//! The table `trunkline.directory` of the default shard.

use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::error::SqlState;

use crate::topology::control::{Control, ControlError};

/// The rows of one keyspace: values of a key's first columns, and a logical shard.
pub(super) type Rows = BTreeMap<Vec<String>, i32>;

/// A value that changes with the rows. Makes the table where it is not there.
///
/// Errors: it cannot be read, or neither be found nor made.
pub(super) async fn digest(control: &Control) -> Result<String, ControlError> {
    let client = &control.client;
    let missing = |error: &tokio_postgres::Error| {
        let code = error.code();
        code == Some(&SqlState::UNDEFINED_TABLE) || code == Some(&SqlState::INVALID_SCHEMA_NAME)
    };
    let row = match client.query_one(DIGEST, &[]).await {
        Err(error) if missing(&error) => {
            client.batch_execute(MIGRATION).await?;
            client.query_one(DIGEST, &[]).await?
        }
        answer => answer?,
    };
    Ok(row.try_get(0)?)
}

/// The rows of these keyspaces, by keyspace.
pub(super) async fn read(
    control: &Control,
    keyspaces: &[&str],
) -> Result<BTreeMap<String, Rows>, ControlError> {
    let rows = control
        .client
        .query(ROWS, &[&keyspaces, &(ENTRIES_MAX as i64 + 1)])
        .await?;
    if rows.len() > ENTRIES_MAX {
        return Err(ControlError::Unexpected(
            "the rows of trunkline.directory, of which there are too many,",
        ));
    }
    let mut read: BTreeMap<String, Rows> = BTreeMap::new();
    for row in rows {
        // One without a value is a NULL, which no key has.
        let key: Vec<Option<String>> = row.try_get(1)?;
        let key = key.into_iter().map(Option::unwrap_or_default).collect();
        let of_keyspace = read.entry(row.try_get(0)?).or_default();
        of_keyspace.insert(key, row.try_get(2)?);
    }
    Ok(read)
}

/// The keys that two sets of rows do not say the same of.
pub(super) fn changes(before: Option<&Rows>, after: &Rows) -> Vec<Vec<String>> {
    let empty = Rows::new();
    let before = before.unwrap_or(&empty);
    let keys: BTreeSet<&Vec<String>> = before.keys().chain(after.keys()).collect();
    keys.into_iter()
        .filter(|key| before.get(*key) != after.get(*key))
        .cloned()
        .collect()
}

/// The wanted rows, but as before for these keys.
pub(super) fn without(mut wanted: Rows, before: &Rows, keys: &BTreeSet<Vec<String>>) -> Rows {
    for key in keys {
        match before.get(key) {
            Some(logical) => wanted.insert(key.clone(), *logical),
            None => wanted.remove(key),
        };
    }
    wanted
}

const DIGEST: &str = "\
SELECT pg_catalog.count(*)::pg_catalog.text || ' ' ||
       coalesce(pg_catalog.sum(pg_catalog.hashtextextended(d::pg_catalog.text, 0)), 0)::pg_catalog.text
  FROM trunkline.directory AS d";

const ROWS: &str = "\
SELECT keyspace, key, logical_shard FROM trunkline.directory
 WHERE keyspace = ANY ($1::pg_catalog.text[]) LIMIT $2";

const MIGRATION: &str = include_str!("../../../migrations/default/0001_directory.sql");

/// More entries are not read: each is kept in memory three times.
const ENTRIES_MAX: usize = 500_000;
/// What the rows may take on the wire.
pub(super) const BYTES_MAX: usize = 64 * 1024 * 1024;
