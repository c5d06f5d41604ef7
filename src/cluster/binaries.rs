//! Where the system keeps PostgreSQL's server binaries.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Account, Error};

/// Names the directory directly, before any search.
const OVERRIDE: &str = "TRUNKLINE_PG_BIN";

/// Debian and Ubuntu keep one directory for each major version here, outside `PATH`.
const DEBIAN_ROOT: &str = "/usr/lib/postgresql";

/// The programs without which a directory is of no use.
const NEEDED: [&str; 3] = ["initdb", "postgres", "pg_basebackup"];

/// A directory that holds `initdb`, `postgres` and `pg_basebackup` of one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binaries {
    dir: PathBuf,
}

impl Binaries {
    /// Looks at `TRUNKLINE_PG_BIN`, at `PATH`, then for the newest version Debian installed.
    pub fn find() -> Result<Self, Error> {
        if let Some(dir) = env::var_os(OVERRIDE).map(PathBuf::from) {
            return match is_complete(&dir) {
                true => Ok(Self { dir }),
                false => Err(Error::NoBinaries {
                    looked: format!("{OVERRIDE}={}", dir.display()),
                }),
            };
        }
        let path = env::var_os("PATH").unwrap_or_default();
        let on_path = env::split_paths(&path).find(|dir| is_complete(dir));
        match on_path.or_else(|| newest(Path::new(DEBIAN_ROOT))) {
            Some(dir) => Ok(Self { dir }),
            None => Err(Error::NoBinaries {
                looked: format!("PATH and {DEBIAN_ROOT}/*/bin"),
            }),
        }
    }

    pub fn path(&self, program: &str) -> PathBuf {
        self.dir.join(program)
    }

    /// A command that runs as `account` and is not disturbed by the caller's libpq settings.
    pub(super) fn command(&self, program: &str, account: &Account) -> Command {
        let mut command = Command::new(self.path(program));
        for variable in [
            "PGDATA",
            "PGHOST",
            "PGPORT",
            "PGUSER",
            "PGDATABASE",
            "PGSERVICE",
            "PGOPTIONS",
        ] {
            command.env_remove(variable);
        }
        command.env("LC_ALL", "C");
        account.apply(&mut command);
        command
    }
}

fn is_complete(dir: &Path) -> bool {
    NEEDED.iter().all(|program| dir.join(program).is_file())
}

/// The complete `bin` of the highest version under `root`.
fn newest(root: &Path) -> Option<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = std::fs::read_dir(root)
        .ok()?
        .flatten()
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .filter(|(_, dir)| is_complete(dir))
        .collect();
    versions.sort();
    versions.pop().map(|(_, dir)| dir)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn newest_complete_version_wins() {
        let root = env::temp_dir().join(format!("trunkline-binaries-{}", std::process::id()));
        for version in ["9", "15", "16"] {
            let bin = root.join(version).join("bin");
            fs::create_dir_all(&bin).unwrap();
            for program in NEEDED {
                // Version 16 lacks a server, as where only the client's package is installed.
                if version != "16" || program != "postgres" {
                    fs::write(bin.join(program), "").unwrap();
                }
            }
        }
        let found = newest(&root);
        fs::remove_dir_all(&root).unwrap();
        assert_eq!(found, Some(root.join("15/bin")));
    }
}
