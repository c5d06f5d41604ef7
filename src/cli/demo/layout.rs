//! The demo's directory: whose it is, what is in it.

use std::fs::{self, File, TryLockError};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::Error;
use crate::cluster::{Account, Error as ClusterError, Host};

const DEFAULT: &str = ".demo";
/// Where root's demo goes when `postgres` cannot enter the current directory, as in `/root`.
const FALLBACK: &str = "/var/tmp/trunkline-demo";

/// How far the demo in a directory has come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum State {
    Empty,
    /// A run began to load and did not finish: the data is of no use.
    Loading,
    Loaded {
        shards: u16,
        scale: f64,
    },
}

/// A directory that this process has to itself.
#[derive(Debug)]
pub(super) struct Layout {
    dir: PathBuf,
    /// The kernel gives the lock back when the process ends, however it ends.
    _lock: File,
}

impl Layout {
    pub(super) fn claim(dir: Option<&Path>, host: &Host) -> Result<Self, Error> {
        let dir = match dir {
            Some(dir) => dir.to_owned(),
            None => default_dir(&host.account)?,
        };
        let dir = std::path::absolute(&dir).map_err(io("resolve", &dir))?;
        host.account.can_enter(&dir)?;
        fs::create_dir_all(&dir).map_err(io("create", &dir))?;
        let lock_path = dir.join("lock");
        let lock = File::options()
            .create(true)
            .append(true)
            .open(&lock_path)
            .map_err(io("open", &lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::Running { dir }),
            Err(TryLockError::Error(source)) => return Err(io("lock", &lock_path)(source)),
        }
        Ok(Self { dir, _lock: lock })
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn shards(&self) -> PathBuf {
        self.dir.join("shards")
    }

    pub(super) fn state(&self) -> Result<State, Error> {
        let Ok(text) = fs::read_to_string(self.state_path()) else {
            return match self.shards().exists() {
                true => Err(Error::NotOurs {
                    dir: self.dir.clone(),
                }),
                false => Ok(State::Empty),
            };
        };
        Ok(parse_state(&text))
    }

    pub(super) fn set_state(&self, state: State) -> Result<(), Error> {
        let path = self.state_path();
        fs::write(&path, print_state(state)).map_err(io("write", &path))
    }

    /// Throws the shards away, after stopping servers that a killed run left behind.
    pub(super) fn clear(&self) -> Result<(), Error> {
        let shards = self.shards();
        if !shards.exists() {
            return Ok(());
        }
        for shard in subdirectories(&shards)? {
            for server in subdirectories(&shard)? {
                crate::cluster::stop_stale(&server.join("data"))?;
            }
        }
        fs::remove_dir_all(&shards).map_err(io("remove", &shards))
    }

    pub(super) fn write_config(&self, text: &str) -> Result<PathBuf, Error> {
        let path = self.dir.join("trunkline.yaml");
        fs::write(&path, text).map_err(io("write", &path))?;
        Ok(path)
    }

    fn state_path(&self) -> PathBuf {
        self.dir.join("state")
    }
}

fn default_dir(account: &Account) -> Result<PathBuf, Error> {
    let here = PathBuf::from(DEFAULT);
    match account.can_enter(&here) {
        Err(ClusterError::Unreachable { account, dir }) => {
            println!("{account} cannot enter {}: using {FALLBACK}", dir.display());
            let fallback = PathBuf::from(FALLBACK);
            // Anybody may make this directory; only root's own is safe to use for root.
            match fs::symlink_metadata(&fallback) {
                Ok(meta) if meta.uid() != 0 || !meta.is_dir() => {
                    Err(ClusterError::ForeignDirectory { dir: fallback }.into())
                }
                _ => Ok(fallback),
            }
        }
        Err(error) => Err(error.into()),
        Ok(()) => Ok(here),
    }
}

fn subdirectories(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = fs::read_dir(dir).map_err(io("read", dir))?;
    Ok(entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .collect())
}

/// The first word is the format's version: data of another version is made anew.
fn print_state(state: State) -> String {
    match state {
        State::Empty | State::Loading => "v1 loading\n".to_owned(),
        State::Loaded { shards, scale } => format!("v1 loaded shards={shards} scale={scale}\n"),
    }
}

fn parse_state(text: &str) -> State {
    let loaded = || {
        let mut words = text.strip_prefix("v1 loaded ")?.split_whitespace();
        let shards = words.next()?.strip_prefix("shards=")?.parse().ok()?;
        let scale = words.next()?.strip_prefix("scale=")?.parse().ok()?;
        Some(State::Loaded { shards, scale })
    };
    loaded().unwrap_or(State::Loading)
}

fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    move |source| Error::Io {
        action,
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_survives_the_file() {
        let loaded = State::Loaded {
            shards: 4,
            scale: 0.25,
        };
        assert_eq!(parse_state(&print_state(loaded)), loaded);
        assert_eq!(parse_state(&print_state(State::Loading)), State::Loading);
        assert_eq!(parse_state("v1 loaded shards="), State::Loading);
        assert_eq!(parse_state("v2 loaded shards=4 scale=1"), State::Loading);
    }
}
