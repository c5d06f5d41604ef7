//! Real PostgreSQL clusters on this machine, from the system's binaries: what `trunkline demo` and
//! the integration tests stand on.
//!
//! Everything is on loopback, each server has a directory of its own, and every process is ended by
//! its id: when it is stopped, when its owner is dropped, and by a [`Watchdog`] when the owner was
//! killed and could do neither. PostgreSQL refuses to run as root, so root's servers run as the
//! account `postgres`.
//!
//! The room knows processes, directories and ports. It knows no protocol and no routing; the one
//! exception is [`sample`], which asks a shard map where a row goes.

#![cfg_attr(
    not(feature = "internals"),
    allow(
        dead_code,
        unused_imports,
        reason = "the demo uses a part, the integration tests the rest"
    )
)]

mod account;
mod binaries;
mod host;
mod ports;
pub mod sample;
mod server;
mod shard;
mod stale;
mod watchdog;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use account::Account;
pub use binaries::Binaries;
pub use host::Host;
pub use ports::Ports;
pub use server::{Durability, SUPERUSER, Server, ServerOptions, Shutdown};
pub use shard::ShardCluster;
pub use stale::stop_stale;
pub use watchdog::Watchdog;

/// Why a cluster could not be made, started or stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "no PostgreSQL server binaries found (looked in {looked}); install the package \
         `postgresql` or set TRUNKLINE_PG_BIN to the directory that holds `initdb`"
    )]
    NoBinaries { looked: String },
    #[error(
        "PostgreSQL does not run as root, and there is no account `{name}` to run it as; install \
         the package `postgresql`, which makes it, or run as another user"
    )]
    NoAccount { name: &'static str },
    #[error(
        "the account `{account}`, which runs the servers for root, cannot enter {}; choose \
         another directory, for example under /var/tmp",
        .dir.display()
    )]
    Unreachable { account: String, dir: PathBuf },
    #[error("{} belongs to another user", .dir.display())]
    ForeignDirectory { dir: PathBuf },
    #[error("{} is in use by another process", .dir.display())]
    Locked { dir: PathBuf },
    #[error("no free port on 127.0.0.1 between {first} and {last}")]
    NoPort { first: u16, last: u16 },
    #[error("cannot {action} {}: {source}", .path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("{program} failed ({status}): {output}")]
    Command {
        program: String,
        status: String,
        output: String,
    },
    #[error("the server in {} is not running", .dir.display())]
    NotRunning { dir: PathBuf },
    #[error("the server in {} ended while starting ({status}); end of its log:\n{log}", .dir.display())]
    Ended {
        dir: PathBuf,
        status: String,
        log: String,
    },
    #[error("the server in {} was not {state} after {waited:?}; end of its log:\n{log}", .dir.display())]
    Timeout {
        dir: PathBuf,
        state: &'static str,
        waited: Duration,
        log: String,
    },
    #[error("{context}: {source}")]
    Sql {
        context: String,
        source: tokio_postgres::Error,
    },
}

/// Adds what was being done, and to which path, to an I/O error.
fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::Io {
        action,
        path: path.to_owned(),
        source,
    }
}
