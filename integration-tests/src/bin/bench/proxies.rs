//! What stands between a client and PostgreSQL: each way through is a recipe in a table, and starts one process
//! on a free port of 127.0.0.1. Another proxy is another recipe.
//!
//! Equal terms: SCRAM toward both sides, 20 server connections for whoever pools, two threads for whoever has
//! threads, no logging of statements. Those that do not route reach one server: the first shard, or the one that has all
//! rows.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use integration_tests::cluster::APP;
use integration_tests::wire::Wire;
use integration_tests::{Cluster, Proxy, ProxyOptions, proxy};
use trunkline::internals::cluster::{SUPERUSER, Watchdog};

use crate::generator::single_value;
use crate::readings::READINGS;

/// How to start a way through.
pub struct Recipe {
    pub name: &'static str,
    /// With the port of the server that those reach that do not route.
    start: fn(&Cluster, u16) -> Result<Started, String>,
}

pub const DIRECT: &str = "direct";
/// Whom figures are compared with: the pooler most in use, and what only copies bytes.
pub const POOLER: &str = "pgbouncer";
pub const BYTE_COPY: &str = "haproxy";
/// The shard with the most rows, without anything between.
pub const SHARD: &str = "shard";
pub const TRUNKLINE: &str = "trunkline";

/// Another build of it, to be compared within one run.
pub const OTHER: &str = "other";

pub const RECIPES: [Recipe; 6] = [
    Recipe {
        name: DIRECT,
        start: direct,
    },
    Recipe {
        name: POOLER,
        start: pgbouncer,
    },
    Recipe {
        name: BYTE_COPY,
        start: haproxy,
    },
    Recipe {
        name: SHARD,
        start: direct,
    },
    Recipe {
        name: TRUNKLINE,
        start: |cluster, _| trunkline(cluster, proxy::binary(), Vec::new()),
    },
    Recipe {
        name: OTHER,
        start: |cluster, _| other(cluster),
    },
];

/// A way through that is open.
pub struct Target {
    pub name: &'static str,
    pub port: u16,
    /// The process whose costs are measured.
    pub pid: Option<u32>,
    /// Whether prepared statements survive transaction pooling.
    pub prepares: bool,
    pub version: String,
    _process: Process,
}

struct Started {
    port: u16,
    pid: Option<u32>,
    prepares: bool,
    version: String,
    process: Process,
}

/// What ends with the target.
enum Process {
    OfCluster,
    Other { _running: Running },
    Trunkline { _proxy: Box<Proxy> },
}

impl Recipe {
    /// Nobody has another build unless they say so.
    pub fn is_offered(&self) -> bool {
        self.name != OTHER || std::env::var_os(OTHER_VARIABLE).is_some()
    }

    /// Whether it finds rows of any shard.
    pub fn routes(&self) -> bool {
        [TRUNKLINE, OTHER].contains(&self.name)
    }
}

impl Target {
    /// Starts one before a server, which whoever routes does not look at; the error says what is missing.
    pub fn start(recipe: &Recipe, cluster: &Cluster, server: u16) -> Result<Self, String> {
        let started = (recipe.start)(cluster, server)?;
        Ok(Self {
            name: recipe.name,
            port: started.port,
            pid: started.pid,
            prepares: started.prepares,
            version: started.version,
            _process: started.process,
        })
    }
}

/// The settings Trunkline is measured with.
pub fn trunkline_options() -> ProxyOptions {
    ProxyOptions {
        database: format!("    pool: {{ size: {POOL} }}"),
        tables: READINGS.map(|table| table.name.to_owned()).into(),
        ..ProxyOptions::default()
    }
}

fn direct(cluster: &Cluster, server: u16) -> Result<Started, String> {
    Ok(Started {
        port: server,
        pid: None,
        prepares: true,
        version: version(&cluster.host.binaries.path("postgres"), "--version"),
        process: Process::OfCluster,
    })
}

/// What `TRUNKLINE_BENCH_OTHER` says: settings of environment variables (`NAME=VALUE`), then a binary, unless it is the
/// same one.
fn other(cluster: &Cluster) -> Result<Started, String> {
    let text = std::env::var(OTHER_VARIABLE).unwrap_or_default();
    let (mut binary, mut environment) = (proxy::binary(), Vec::new());
    for word in text.split_ascii_whitespace() {
        match word.split_once('=') {
            Some((name, value)) => environment.push((name.to_owned(), value.to_owned())),
            None => binary = word.into(),
        }
    }
    trunkline(cluster, binary, environment)
}

/// Cargo's directory says how a binary was built.
fn built(binary: &Path) -> String {
    let directory = binary.parent().and_then(Path::file_name);
    directory.unwrap_or_default().to_string_lossy().into_owned()
}

fn trunkline(
    cluster: &Cluster,
    binary: PathBuf,
    environment: Vec<(String, String)>,
) -> Result<Started, String> {
    let (version, build) = (version(&binary, "--version"), built(&binary));
    let options = ProxyOptions {
        binary: Some(binary),
        environment,
        ..trunkline_options()
    };
    let proxy = Proxy::start(cluster, &options);
    Ok(Started {
        port: proxy.port,
        pid: Some(proxy.pid()),
        prepares: true,
        version: format!("{version} ({build})"),
        process: Process::Trunkline {
            _proxy: Box::new(proxy),
        },
    })
}

/// PgBouncer in transaction pooling. It gets the verifier the server has, not the password, so that a login
/// costs it no derivation of keys; with a verifier it logs in to the server by what a client's login left.
fn pgbouncer(cluster: &Cluster, server: u16) -> Result<Started, String> {
    let binary = std::env::var_os(PGBOUNCER_VARIABLE)
        .map(PathBuf::from)
        .or_else(|| installed("pgbouncer"))
        .ok_or("pgbouncer is not installed: run scripts/setup.sh bench")?;
    let version = version(&binary, "--version");
    let prepares = keeps_prepared(&version);
    let (dir, port) = room(cluster, POOLER);
    let verifier = verifier(server)?;
    let users = dir.join("users");
    fs::write(&users, format!("\"{APP}\" \"{verifier}\"\n")).unwrap();
    let prepared = if prepares {
        "max_prepared_statements = 200\n"
    } else {
        ""
    };
    let config = format!(
        "[databases]
{APP} = host=127.0.0.1 port={server} dbname={APP}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {users}
pool_mode = transaction
default_pool_size = {POOL}
max_client_conn = {CLIENTS_MAX}
log_connections = 0
log_disconnections = 0
ignore_startup_parameters = extra_float_digits
{prepared}",
        users = users.display(),
    );
    let file = dir.join("pgbouncer.ini");
    fs::write(&file, config).unwrap();
    let mut command = Command::new(&binary);
    command.arg("-q").arg(&file);
    let running = Running::start(cluster, command, port, &dir.join("log"))?;
    Ok(Started {
        port,
        pid: Some(running.child.id()),
        prepares,
        version,
        process: Process::Other { _running: running },
    })
}

/// HAProxy knows nothing of PostgreSQL in this mode: what it costs is the cost of passing bytes on.
fn haproxy(cluster: &Cluster, server: u16) -> Result<Started, String> {
    let binary =
        installed("haproxy").ok_or("haproxy is not installed: run scripts/setup.sh bench")?;
    let (dir, port) = room(cluster, BYTE_COPY);
    let config = format!(
        "global
    nbthread 2
    maxconn {CLIENTS_MAX}
defaults
    mode tcp
    timeout connect 5s
    timeout client 1h
    timeout server 1h
listen copy
    bind 127.0.0.1:{port}
    server shard 127.0.0.1:{server}
"
    );
    let file = dir.join("haproxy.cfg");
    fs::write(&file, config).unwrap();
    let mut command = Command::new(&binary);
    // In the foreground: one process, which is the one that works.
    command.args(["-db", "-q", "-f"]).arg(&file);
    let running = Running::start(cluster, command, port, &dir.join("log"))?;
    Ok(Started {
        port,
        pid: Some(running.child.id()),
        prepares: true,
        version: version(&binary, "-v"),
        process: Process::Other { _running: running },
    })
}

/// A process that ends with this value, or with the bench, however that ends.
struct Running {
    child: Child,
    watchdog: Option<Watchdog>,
}

impl Running {
    /// Waits until it listens.
    fn start(
        cluster: &Cluster,
        mut command: Command,
        port: u16,
        log: &Path,
    ) -> Result<Self, String> {
        let file = fs::File::create(log).unwrap();
        command
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file);
        // Like PostgreSQL, PgBouncer refuses to run as root.
        cluster.host.account.apply(&mut command);
        let child = command
            .spawn()
            .map_err(|error| format!("{} does not run: {error}", program(&command)))?;
        let watchdog = Watchdog::end_process(child.id(), "KILL").ok();
        let mut running = Self { child, watchdog };
        let deadline = Instant::now() + START_PATIENCE;
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = running.child.try_wait().unwrap().is_some();
            if ended || Instant::now() > deadline {
                let said = fs::read_to_string(log).unwrap_or_default();
                return Err(format!("{} does not listen: {said}", program(&command)));
            }
            std::thread::sleep(POLL);
        }
        Ok(running)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(watchdog) = self.watchdog.take() {
            watchdog.dismiss();
        }
        // Both fail only where the process is gone.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A directory and a port of its own.
fn room(cluster: &Cluster, name: &str) -> (PathBuf, u16) {
    let port = cluster.host.ports.take().unwrap();
    let dir = cluster.scratch.path().join(format!("{name}-{port}"));
    cluster.host.account.create_dir(&dir).unwrap();
    (dir, port)
}

/// What a server keeps of the password.
fn verifier(port: u16) -> Result<String, String> {
    let database = [("database", "postgres")];
    let query = format!("select rolpassword from pg_authid where rolname = '{APP}'");
    let ask = || {
        let mut wire = Wire::connect_as(port, SUPERUSER, SUPERUSER, &database)?;
        wire.simple(&query)
    };
    let replies = ask().map_err(|error| format!("no verifier: {error}"))?;
    single_value(&replies).ok_or("the role has no verifier".to_owned())
}

/// Daemons are often where only root's path leads.
pub fn installed(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from))
        .map(|dir| dir.join(program))
        .find(|file| file.is_file())
}

fn program(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}

/// The first line of what a program says of itself.
fn version(binary: &Path, option: &str) -> String {
    let output = Command::new(binary).arg(option).output();
    let said = output.map_or(Vec::new(), |output| output.stdout);
    let said = String::from_utf8_lossy(&said);
    said.lines().next().unwrap_or("unknown").trim().to_owned()
}

/// Prepared statements in transaction pooling came with PgBouncer 1.21.
fn keeps_prepared(version: &str) -> bool {
    let number = version.split_whitespace().last().unwrap_or_default();
    let mut numbers = number
        .split('.')
        .map(|number| number.parse::<u32>().unwrap_or(0));
    (numbers.next(), numbers.next()) >= (Some(1), Some(21))
}

/// Names the binary to compare with, where it is not the distribution's.
const OTHER_VARIABLE: &str = "TRUNKLINE_BENCH_OTHER";
const PGBOUNCER_VARIABLE: &str = "TRUNKLINE_BENCH_PGBOUNCER";
/// Server connections of each pool.
const POOL: usize = 20;
/// More than any workload has.
const CLIENTS_MAX: usize = 4_000;
const START_PATIENCE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_with_prepared_statements() {
        for (version, expected) in [
            ("PgBouncer 1.18.0", false),
            ("PgBouncer 1.21.0", true),
            ("PgBouncer 1.24.1", true),
            ("PgBouncer 2.0", true),
            ("unknown", false),
            ("", false),
        ] {
            assert_eq!(keeps_prepared(version), expected, "{version}");
        }
    }

    #[test]
    fn names_differ() {
        for (index, recipe) in RECIPES.iter().enumerate() {
            let later = &RECIPES[index + 1..];
            assert!(later.iter().all(|other| other.name != recipe.name));
        }
    }
}
