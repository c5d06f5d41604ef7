//! Rows that another directory would leave behind: looked for on the shards where they would have been until
//! now.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use tokio_postgres::error::SqlState;

use super::{Control, ControlError, within};
use crate::shardmap::{
    DirectoryFunction, KeyspaceIndex, ShardId, ShardMap, TableKind, TableName, identifier,
};
use crate::topology::schema::{Access, LOAD_TIMEOUT, said};
use crate::topology::shard::LiveShard;
use crate::types::KeyValue;

/// A change of one keyspace's directory.
pub(super) struct Stranded<'a> {
    pub(super) now: &'a ShardMap,
    pub(super) keyspace: KeyspaceIndex,
    pub(super) next: &'a DirectoryFunction,
    pub(super) shards: &'a [Arc<LiveShard>],
    pub(super) access: &'a Access,
}

impl Stranded<'_> {
    /// Of the changed entries those with rows that would be left behind.
    ///
    /// Errors: a shard that cannot be asked.
    pub(super) async fn of(
        &self,
        changes: &[Vec<String>],
    ) -> Result<BTreeSet<Vec<String>>, String> {
        // By shard, and by how many columns of the key they give.
        let mut asked: BTreeMap<(u16, usize), Vec<&Vec<String>>> = BTreeMap::new();
        for key in changes {
            for shard in self.sources(key)? {
                asked.entry((shard.0, key.len())).or_default().push(key);
            }
        }
        let mut found = BTreeSet::new();
        for ((shard, columns), keys) in asked {
            self.ask(ShardId(shard), columns, &keys, &mut found).await?;
        }
        Ok(found)
    }

    /// Where rows of the entry may be now, unless they stay there in any case.
    fn sources(&self, key: &[String]) -> Result<BTreeSet<ShardId>, String> {
        let values = self.read(key)?;
        let placement = &self.now.keyspace(self.keyspace).placement;
        let now = self.now.reachable(self.keyspace, &values);
        let now: BTreeSet<ShardId> = now.into_iter().map(|l| placement.shard(l)).collect();
        let next = self.next.reachable(&values);
        let next: BTreeSet<ShardId> = next.into_iter().map(|l| placement.shard(l)).collect();
        if now.len() == 1 && now == next {
            return Ok(BTreeSet::new());
        }
        Ok(now)
    }

    fn read(&self, texts: &[String]) -> Result<Vec<KeyValue>, String> {
        let columns = &self.now.keyspace(self.keyspace).key.columns;
        let read = |(text, column): (&String, &crate::shardmap::KeyColumn)| {
            let value = column.key_type.parse_text(text.as_bytes());
            value.map_err(|error| format!("a key of ({}): {error}", texts.join(", ")))
        };
        texts.iter().zip(columns).map(read).collect()
    }

    async fn ask(
        &self,
        shard: ShardId,
        columns: usize,
        keys: &[&Vec<String>],
        found: &mut BTreeSet<Vec<String>>,
    ) -> Result<(), String> {
        let live = self
            .shards
            .get(usize::from(shard.0))
            .ok_or("a shard that is not there")?;
        let Some((_, primary)) = live.primary() else {
            return Err(live.no_primary_error().message);
        };
        let address = &primary.address;
        let asking = async {
            let control = self
                .access
                .connect(address, &live.dbname, BYTES_MAX)
                .await?;
            // Rows that a policy hides are there all the same.
            control
                .client
                .batch_execute("SET row_security = off")
                .await?;
            for batch in keys.chunks(BATCH) {
                for (table, names) in self.tables() {
                    let question = self.question(table, names, columns);
                    let rows = rows_of(&control, &question, columns, batch);
                    let rows = control.question(within(LOAD_TIMEOUT, rows)).await?;
                    for (place, texts) in rows {
                        if let Some(key) = batch.get(place)
                            && !self.stays(&texts, shard)
                        {
                            found.insert((*key).clone());
                        }
                    }
                }
            }
            Ok(())
        };
        asking.await.map_err(|error: ControlError| {
            format!("shard {}: {}", live.name, said(address, &error))
        })
    }

    /// The next directory leads to where the row is.
    fn stays(&self, texts: &[String], shard: ShardId) -> bool {
        let Ok(key) = self.read(texts) else {
            return false;
        };
        let placement = &self.now.keyspace(self.keyspace).placement;
        let logical = self.next.logical_shard(&key);
        logical.is_some_and(|logical| placement.shard(logical) == shard)
    }

    fn tables(&self) -> impl Iterator<Item = (&TableName, &[String])> {
        self.now
            .tables
            .iter()
            .filter_map(|(table, kind)| match kind {
                TableKind::Sharded { keyspace, columns } if *keyspace == self.keyspace => {
                    Some((table, columns.as_slice()))
                }
                _ => None,
            })
    }

    /// The keys of rows that begin with one of those in the parameters, one array for each column; with the place
    /// of that one, from 1.
    fn question(&self, table: &TableName, names: &[String], columns: usize) -> String {
        let types = &self.now.keyspace(self.keyspace).key.columns;
        let mut text = "SELECT DISTINCT k.place".to_owned();
        for name in names {
            let _ = write!(text, ", t.{}::pg_catalog.text", identifier(name));
        }
        let _ = write!(
            text,
            " FROM {}.{} AS t JOIN unnest(",
            identifier(&table.schema),
            identifier(&table.name)
        );
        for column in 1..=columns {
            let comma = if column == 1 { "" } else { ", " };
            let _ = write!(text, "{comma}${column}::pg_catalog.text[]");
        }
        text.push_str(") WITH ORDINALITY AS k (");
        for column in 1..=columns {
            let _ = write!(text, "c{column}, ");
        }
        text.push_str("place) ON true");
        for (place, (name, column)) in names.iter().zip(types).take(columns).enumerate() {
            let _ = write!(
                text,
                " AND t.{} = k.c{}::{}",
                identifier(name),
                place + 1,
                column.key_type.name()
            );
        }
        let _ = write!(text, " LIMIT {}", ROWS_MAX + 1);
        text
    }
}

/// Places in the batch, and keys.
async fn rows_of(
    control: &Control,
    question: &str,
    columns: usize,
    batch: &[&Vec<String>],
) -> Result<Vec<(usize, Vec<String>)>, ControlError> {
    let arrays: Vec<Vec<&str>> = (0..columns)
        .map(|column| batch.iter().map(|key| key[column].as_str()).collect())
        .collect();
    let parameters: Vec<&(dyn tokio_postgres::types::ToSql + Sync)> = arrays
        .iter()
        .map(|array| array as &(dyn tokio_postgres::types::ToSql + Sync))
        .collect();
    let rows = match control.client.query(question, &parameters).await {
        // A table that is not there holds nothing.
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => return Ok(Vec::new()),
        answer => answer?,
    };
    if rows.len() > ROWS_MAX {
        return Err(ControlError::Unexpected(
            "the keys of rows that begin alike, of which there are too many,",
        ));
    }
    let row = |row: &tokio_postgres::Row| {
        let place: i64 = row.try_get(0)?;
        let texts = (1..row.len()).map(|column| row.try_get(column));
        let texts = texts.collect::<Result<_, _>>()?;
        Ok((usize::try_from(place - 1).unwrap_or(usize::MAX), texts))
    };
    rows.iter().map(row).collect()
}

/// Entries asked for at once.
const BATCH: usize = 1000;
/// Keys that may be found for them; more than entries where those give the beginnings of keys.
const ROWS_MAX: usize = 100_000;
const BYTES_MAX: usize = 32 * 1024 * 1024;
