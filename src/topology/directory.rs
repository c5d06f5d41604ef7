//! Directories: rows on the default shard that say where keys are, read with the catalogs and published as
//! another shard map.
//!
//! An entry takes effect only if no row would be left behind: where rows of its keys lie on a shard that the
//! new entries do not lead to, the entries in force stay. A directory with a row that cannot be read stays as
//! it is, and is not used at all before all its rows could be read once.

mod rows;
mod stranded;

use std::collections::BTreeMap;
use std::sync::Arc;

use self::rows::Rows;
use self::stranded::Stranded;
use super::control::{Control, ControlError, within};
use super::schema::{Access, LOAD_TIMEOUT, said};
use super::shard::LiveShard;
use crate::shardmap::{DirectoryFunction, KeyspaceIndex, MapVersion, ShardMap, ShardingFunction};

/// A directory as it is now, for the console.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DirectoryView {
    pub keyspace: String,
    /// Entries in force; `None` before the directory has been read.
    pub entries: Option<usize>,
    /// Rows that differ from what is in force.
    pub waiting: usize,
    /// Why the rows are not in force, or could not be read.
    pub last_error: Option<String>,
}

/// What the loader remembers of the directories of one database.
#[derive(Default)]
pub(super) struct Directories {
    /// Of the rows that are in force in full.
    digest: Option<String>,
    by_keyspace: BTreeMap<u16, State>,
}

#[derive(Default)]
struct State {
    in_force: Option<Rows>,
    waiting: usize,
    last_error: Option<String>,
}

impl Directories {
    /// Reads the rows anew and gives the map they make, where it is another one.
    pub(super) async fn load(
        &mut self,
        map: &Arc<ShardMap>,
        shards: &[Arc<LiveShard>],
        access: &Access,
    ) -> Option<ShardMap> {
        let keyspaces: Vec<KeyspaceIndex> = directories(map).map(|(index, _)| index).collect();
        if keyspaces.is_empty() {
            return None;
        }
        let default = shards.get(usize::from(map.default_shard.0))?;
        let read = self.read(map, default, access).await;
        let (digest, mut rows) = match read {
            Ok(None) => {
                let states = self.by_keyspace.values_mut();
                states.for_each(|state| state.last_error = None);
                return None;
            }
            Ok(Some(read)) => read,
            Err(error) => {
                for index in keyspaces {
                    self.fail(map, index, error.clone());
                }
                return None;
            }
        };
        let mut next = (**map).clone();
        let (mut changed, mut complete) = (false, true);
        for index in keyspaces {
            let wanted = rows.remove(&map.keyspace(index).name).unwrap_or_default();
            match self.take(&mut next, index, wanted, shards, access).await {
                Ok(adopted) => {
                    changed |= adopted;
                    complete &= self.by_keyspace[&index.0].waiting == 0;
                }
                Err(error) => {
                    complete = false;
                    self.fail(map, index, error);
                }
            }
        }
        self.digest = complete.then_some(digest);
        next.version = MapVersion(map.version.0 + 1);
        changed.then_some(next)
    }

    pub(super) fn views(&self, map: &ShardMap) -> Vec<DirectoryView> {
        let view = |(index, function): (KeyspaceIndex, &DirectoryFunction)| {
            let state = self.by_keyspace.get(&index.0);
            DirectoryView {
                keyspace: map.keyspace(index).name.clone(),
                entries: function.is_loaded().then(|| function.entries()),
                waiting: state.map_or(0, |state| state.waiting),
                last_error: state.and_then(|state| state.last_error.clone()),
            }
        };
        directories(map).map(view).collect()
    }

    /// All rows, by keyspace; `None` where they are those in force.
    async fn read(
        &self,
        map: &ShardMap,
        default: &LiveShard,
        access: &Access,
    ) -> Result<Option<(String, BTreeMap<String, Rows>)>, String> {
        let Some((_, primary)) = default.primary() else {
            return Err(default.no_primary_error().message);
        };
        let address = &primary.address;
        let control = access
            .connect(address, &default.dbname, rows::BYTES_MAX)
            .await
            .map_err(|error| said(address, &error))?;
        let names: Vec<&str> = directories(map)
            .map(|(index, _)| map.keyspace(index).name.as_str())
            .collect();
        let reading = async {
            let digest = within(LOAD_TIMEOUT, rows::digest(&control)).await?;
            if self.digest.as_ref() == Some(&digest) {
                return Ok(None);
            }
            let rows = within(LOAD_TIMEOUT, rows::read(&control, &names)).await?;
            Ok(Some((digest, rows)))
        };
        control
            .question(reading)
            .await
            .map_err(|error: ControlError| said(address, &error))
    }

    /// Puts the wanted rows in force, as far as that leaves no row of a table behind. True where something
    /// has changed.
    ///
    /// Errors: why not all of them are; what was in force before stays so.
    async fn take(
        &mut self,
        next: &mut ShardMap,
        index: KeyspaceIndex,
        wanted: Rows,
        shards: &[Arc<LiveShard>],
        access: &Access,
    ) -> Result<bool, String> {
        let state = self.by_keyspace.entry(index.0).or_default();
        let changes = rows::changes(state.in_force.as_ref(), &wanted);
        state.waiting = changes.len();
        if changes.is_empty() && state.in_force.is_some() {
            state.last_error = None;
            return Ok(false);
        }
        let target = function_of(next, index, &wanted)?;
        let stranded = Stranded {
            now: next,
            keyspace: index,
            next: &target,
            shards,
            access,
        };
        let left_behind = stranded.of(&changes).await?;
        let (rows, error) = if left_behind.is_empty() {
            (wanted, None)
        } else {
            let some = left_behind.iter().next().map(|key| key.join(", "));
            let error = format!(
                "{} entries are not in force: rows of their keys are on other shards, for example of ({})",
                left_behind.len(),
                some.unwrap_or_default()
            );
            // Entries for beginnings of keys depend on each other: all or none.
            let single = next.keyspace(index).key.columns.len() == 1;
            let kept = state.in_force.clone().unwrap_or_default();
            let rows = if single {
                rows::without(wanted, &kept, &left_behind)
            } else {
                kept
            };
            (rows, Some(error))
        };
        let function = function_of(next, index, &rows)?;
        let adopted = state.in_force.as_ref() != Some(&rows);
        if adopted {
            next.keyspaces[usize::from(index.0)].function = ShardingFunction::Directory(function);
        }
        state.in_force = Some(rows);
        state.waiting = left_behind.len();
        match error {
            None => state.last_error = None,
            Some(error) => note(state, &next.keyspace(index).name, error),
        }
        Ok(adopted)
    }

    fn fail(&mut self, map: &ShardMap, index: KeyspaceIndex, error: String) {
        let state = self.by_keyspace.entry(index.0).or_default();
        note(state, &map.keyspace(index).name, error);
    }
}

/// Says it once.
fn note(state: &mut State, keyspace: &str, error: String) {
    if state.last_error.as_ref() != Some(&error) {
        tracing::warn!(keyspace, error, "directory not in force as it is written");
    }
    state.last_error = Some(error);
}

fn directories(map: &ShardMap) -> impl Iterator<Item = (KeyspaceIndex, &DirectoryFunction)> {
    let directory = |(index, keyspace): (usize, &'_ crate::shardmap::Keyspace)| {
        let index = KeyspaceIndex(u16::try_from(index).ok()?);
        match &keyspace.function {
            ShardingFunction::Directory(_) => Some(index),
            _ => None,
        }
    };
    let indexes: Vec<KeyspaceIndex> = map
        .keyspaces
        .iter()
        .enumerate()
        .filter_map(directory)
        .collect();
    indexes
        .into_iter()
        .filter_map(|index| match &map.keyspace(index).function {
            ShardingFunction::Directory(function) => Some((index, function)),
            _ => None,
        })
}

/// The keyspace's function with these entries.
fn function_of(
    map: &ShardMap,
    index: KeyspaceIndex,
    rows: &Rows,
) -> Result<DirectoryFunction, String> {
    let keyspace = map.keyspace(index);
    let ShardingFunction::Directory(function) = &keyspace.function else {
        return Err("it has no directory".to_owned());
    };
    let entries = rows
        .iter()
        .map(|(key, logical)| (key.clone(), i64::from(*logical)));
    function
        .with_entries(&keyspace.key, entries)
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests;
