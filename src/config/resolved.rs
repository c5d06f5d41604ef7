//! The resolved configuration: complete, checked, immutable.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use crate::shardmap::{ShardId, ShardMap};

/// Everything `serve` needs.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file it was read from, for messages.
    pub path: PathBuf,
    /// Where clients connect, at least one.
    pub listen: Vec<Address>,
    /// Metrics and probes; `None` switches them off.
    pub http: Option<SocketAddr>,
    /// `None` where clients are offered no TLS.
    pub tls: Option<ClientTls>,
    pub users: BTreeMap<String, Arc<User>>,
    /// Who may log in how: the first that matches decides, and where none does nobody gets in.
    pub rules: Vec<Rule>,
    pub limits: Limits,
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
    /// Common name of the client certificate that stands for the user.
    pub certificate: String,
    /// Clients that may be connected as this user; `None` for any number.
    pub connections: Option<usize>,
    pub timeouts: Timeouts,
}

impl User {
    /// With this password and no more rights than any user has.
    #[cfg(test)]
    pub fn new(name: &str, password: Password, databases: &[&str]) -> Self {
        Self {
            name: name.to_owned(),
            password,
            databases: databases.iter().map(|name| (*name).to_owned()).collect(),
            admin: false,
            certificate: name.to_owned(),
            connections: None,
            timeouts: Timeouts::default(),
        }
    }
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
    /// `md5` and 32 hexadecimal digits, as in `pg_authid.rolpassword`. It logs in to servers that ask for
    /// MD5; for others there is `server_password`.
    Md5 {
        hash: String,
        server_password: Option<String>,
    },
}

impl Password {
    /// What logs in to servers in clear, where it is known.
    pub fn for_servers(&self) -> Option<&str> {
        match self {
            Self::Plain(password) => Some(password),
            Self::Scram {
                server_password, ..
            }
            | Self::Md5 {
                server_password, ..
            } => server_password.as_deref(),
        }
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(_) => f.write_str("Plain(…)"),
            Self::Scram { .. } => f.write_str("Scram(…)"),
            Self::Md5 { .. } => f.write_str("Md5(…)"),
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
    /// Where verifiers of users come from that are not configured; `None`: there are no others.
    pub auth_query: Option<AuthQuery>,
    pub gather: GatherLimits,
}

/// What one statement may have moved from shard to shard. Nothing is gathered where it may not move a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GatherLimits {
    pub rows: u64,
    pub bytes: u64,
}

impl Default for GatherLimits {
    fn default() -> Self {
        Self {
            rows: 5_000_000,
            bytes: 1 << 30,
        }
    }
}

impl GatherLimits {
    pub fn is_on(&self) -> bool {
        self.rows > 0
    }
}

/// A shard that is asked, as the service user, for the verifiers of users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthQuery {
    pub shard: ShardId,
    /// A query whose `$1` is the user's name and whose one row is that name and the verifier; `None` for
    /// one on `pg_catalog.pg_authid`, which needs a superuser.
    pub query: Option<String>,
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

/// TLS toward clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientTls {
    /// PEM file: the certificate, then those between it and its authority.
    pub certificate: PathBuf,
    /// PEM file of its key.
    pub key: PathBuf,
    /// PEM file of the authorities whose certificates clients may show.
    pub client_ca: Option<PathBuf>,
    /// Clients on TCP without TLS are refused.
    pub required: bool,
    pub min_version: TlsVersion,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsVersion {
    Tls12,
    Tls13,
}

/// One line of who may log in how.
/// Source: <https://www.postgresql.org/docs/current/auth-pg-hba-conf.html>
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub users: Names,
    pub databases: Names,
    pub from: Origins,
    pub tls: RuleTls,
    pub method: Method,
}

/// Names a rule is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Names {
    All,
    Listed(Vec<String>),
}

/// Where a rule's clients come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origins {
    All,
    Listed {
        networks: Vec<IpNet>,
        /// Unix sockets.
        local: bool,
    },
}

/// What a rule says of encryption. A Unix socket has none and needs none: only `Any` and `None` fit it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleTls {
    Any,
    /// Connections without it.
    None,
    Required,
    /// TLS, and a certificate of an authority in `tls.client_ca`, of whatever name, besides the method's own proof.
    Certificate,
}

/// How a client proves who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// SCRAM-SHA-256, over TLS also SCRAM-SHA-256-PLUS.
    Scram,
    Md5,
    /// The password in clear text.
    Password,
    /// The common name of a certificate of an authority in `tls.client_ca`.
    Certificate,
    Reject,
}

/// Limits of the whole proxy on what clients may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Clients connected at once, logged in or not.
    pub connections: usize,
    /// The same of one user, unless the user has a limit of its own; `None` for any number.
    pub connections_per_user: Option<usize>,
    /// The same of one address (IPv4), or one /64 network (IPv6); `None` for any number.
    pub connections_per_address: Option<usize>,
    /// How long logging in may take in all.
    pub login_timeout: Duration,
    /// Failed logins a minute and address; further ones are made to wait.
    pub login_failures: u32,
    /// A message that has to be held as a whole, such as the text of a statement.
    pub message_bytes: usize,
    pub timeouts: Timeouts,
}

/// How long a session may take over things. `None` for as long as it likes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timeouts {
    pub statement: Option<Duration>,
    pub idle_in_transaction: Option<Duration>,
    pub idle_session: Option<Duration>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            connections_per_user: None,
            connections_per_address: None,
            login_timeout: Duration::from_secs(60),
            login_failures: 10,
            message_bytes: 16 << 20,
            timeouts: Timeouts::default(),
        }
    }
}
