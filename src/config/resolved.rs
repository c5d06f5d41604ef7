//! The resolved configuration: complete, checked, immutable.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::shardmap::ShardMap;

/// Everything `serve` needs.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file it was read from, for messages.
    pub path: PathBuf,
    /// Where clients connect, at least one.
    pub listen: Vec<Address>,
    /// Metrics and probes; `None` switches them off.
    pub http: Option<SocketAddr>,
    pub users: BTreeMap<String, Arc<User>>,
    pub databases: BTreeMap<String, Arc<Database>>,
    /// How long SIGTERM lets running transactions finish.
    pub drain_timeout: Duration,
}

/// A TCP endpoint or a Unix socket's full path (`/run/postgresql/.s.PGSQL.5432`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Address {
    Tcp { host: String, port: u16 },
    Unix(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

/// A user who may connect, and who we are toward the servers on its behalf.
#[derive(Clone, Debug)]
pub struct User {
    pub name: String,
    pub password: Password,
    /// Databases the user may connect to.
    pub databases: Vec<String>,
    /// May use the admin console.
    pub admin: bool,
}

/// A secret. `Debug` never shows it.
#[derive(Clone, PartialEq, Eq)]
pub enum Password {
    Plain(String),
    /// `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`: can check a client, but cannot log
    /// in to a server; without `server_password` the servers must let the user in without a password.
    Scram {
        verifier: String,
        server_password: Option<String>,
    },
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(_) => f.write_str("Plain(…)"),
            Self::Scram { .. } => f.write_str("Scram(…)"),
        }
    }
}

/// One database as clients see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Database {
    pub name: String,
    /// Who monitors the servers and reads their catalogs.
    pub service: Service,
    /// In the order of the file; `ShardId` is the index.
    pub shards: Vec<Shard>,
    pub map: Arc<ShardMap>,
    pub pool: PoolSettings,
    pub server_tls: ServerTls,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    pub user: String,
    /// `Plain` always: it has to log in to servers.
    pub password: Password,
}

/// One PostgreSQL cluster: its servers, whose roles are discovered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shard {
    pub name: String,
    pub servers: Vec<Address>,
    pub dbname: String,
}

/// When a server connection goes back to its pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolMode {
    /// After each transaction.
    Transaction,
    /// When the client leaves.
    Session,
}

/// Limits of each (shard, server, user) pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolSettings {
    pub mode: PoolMode,
    /// Server connections at most.
    pub size: usize,
    /// Server connections kept open even when idle.
    pub min: usize,
    /// How long a statement waits for a connection.
    pub wait: Duration,
    /// A connection older than this is closed when it comes back.
    pub lifetime: Duration,
    /// A connection idle longer than this is closed, down to `min`.
    pub idle: Duration,
    /// How long connecting and logging in to a server may take.
    pub connect: Duration,
    /// Prepared statements kept on each server connection.
    pub prepared_statements: usize,
}

/// TLS toward the servers, with libpq's meaning of the modes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerTls {
    pub mode: ServerTlsMode,
    /// PEM file of trusted authorities; needed by the verifying modes.
    pub ca: Option<PathBuf>,
}

/// Source: <https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-SSLMODE-STATEMENTS>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerTlsMode {
    Disable,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}
