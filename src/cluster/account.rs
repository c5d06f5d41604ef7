//! The operating-system account that runs the servers.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use super::{Error, io_error};

/// The account distributions make for PostgreSQL.
const SERVICE_ACCOUNT: &str = "postgres";

/// Who runs the servers and owns their directories.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Account {
    /// The user who runs Trunkline.
    Own,
    /// Trunkline runs as root, which PostgreSQL refuses: the servers run as this account.
    Service { name: String, uid: u32, gid: u32 },
}

impl Account {
    /// The user who runs this process, or `postgres` where that is root. Makes no account.
    pub fn detect() -> Result<Self, Error> {
        if numeric_id(&["-u"]) != Some(0) {
            return Ok(Self::Own);
        }
        let missing = || Error::NoAccount {
            name: SERVICE_ACCOUNT,
        };
        Ok(Self::Service {
            name: SERVICE_ACCOUNT.to_owned(),
            uid: numeric_id(&["-u", SERVICE_ACCOUNT]).ok_or_else(missing)?,
            gid: numeric_id(&["-g", SERVICE_ACCOUNT]).ok_or_else(missing)?,
        })
    }

    /// Lets a command run as this account. The standard library drops root's supplementary groups
    /// when it changes the user.
    pub fn apply(&self, command: &mut Command) {
        if let Self::Service { uid, gid, .. } = self {
            command.uid(*uid).gid(*gid);
        }
    }

    /// Makes a directory (and its parents) that this account owns.
    pub fn create_dir(&self, dir: &Path) -> Result<(), Error> {
        fs::create_dir_all(dir).map_err(io_error("create", dir))?;
        self.own(dir)
    }

    /// Hands a file or directory (not what is inside) over to this account.
    pub fn own(&self, path: &Path) -> Result<(), Error> {
        match self {
            Self::Own => Ok(()),
            Self::Service { uid, gid, .. } => {
                chown(path, Some(*uid), Some(*gid)).map_err(io_error("change the owner of", path))
            }
        }
    }

    /// Fails unless this account can pass through every existing directory above and at `dir`.
    pub fn can_enter(&self, dir: &Path) -> Result<(), Error> {
        let Self::Service { name, uid, gid } = self else {
            return Ok(());
        };
        let dir = std::path::absolute(dir).map_err(io_error("resolve", dir))?;
        for ancestor in dir.ancestors() {
            let meta = match fs::metadata(ancestor) {
                Ok(meta) => meta,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(io_error("look at", ancestor)(error)),
            };
            let bit = if meta.uid() == *uid {
                0o100
            } else if meta.gid() == *gid {
                0o010
            } else {
                0o001
            };
            if meta.mode() & bit == 0 {
                return Err(Error::Unreachable {
                    account: name.clone(),
                    dir: ancestor.to_owned(),
                });
            }
        }
        Ok(())
    }
}

/// `id` asks the system's name service, which may know more than `/etc/passwd`.
fn numeric_id(arguments: &[&str]) -> Option<u32> {
    let output = Command::new("id").args(arguments).output().ok()?;
    if !output.status.success() {
        return None;
    }
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_account_enters_anything() {
        assert!(Account::Own.can_enter(Path::new("/no/such/place")).is_ok());
    }

    #[test]
    fn closed_directory_is_named() {
        use std::os::unix::fs::PermissionsExt;
        let closed = std::env::temp_dir().join(format!("trunkline-closed-{}", std::process::id()));
        fs::create_dir_all(&closed).unwrap();
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
        // An id no directory on the way belongs to.
        let other = Account::Service {
            name: "other".into(),
            uid: 4_000_000,
            gid: 4_000_000,
        };
        let refused = other.can_enter(&closed.join("inside"));
        fs::remove_dir_all(&closed).unwrap();
        assert!(matches!(refused, Err(Error::Unreachable { dir, .. }) if dir == closed));
    }
}
