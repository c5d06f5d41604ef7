//! The built `trunkline` binary, serving a configuration made for a cluster.

use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use trunkline::internals::cluster::Watchdog;
use trunkline::internals::cluster::sample::{REFERENCE_TABLES, SHARDED_TABLES};

use crate::cluster::{APP, Cluster, LOGICAL_SHARDS, SERVICE};

const START_PATIENCE: Duration = Duration::from_secs(20);
/// Under a program that interprets the binary everything takes fifty times as long.
const START_PATIENCE_WRAPPED: Duration = Duration::from_secs(180);
const STOP_PATIENCE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(10);

/// What differs from the plain configuration of a cluster.
#[derive(Clone, Debug, Default)]
pub struct ProxyOptions {
    /// Whole lines at the top level: `drain_timeout: 1s`.
    pub top: String,
    /// Whole lines of the database, indented by four: `    pool: { size: 1 }`.
    pub database: String,
    /// Sharded tables besides the sample's.
    pub tables: Vec<String>,
    /// Reference tables besides the sample's.
    pub reference_tables: Vec<String>,
    /// Keyspaces besides the sample's, indented by six.
    pub keyspaces: String,
    pub environment: Vec<(String, String)>,
    /// Whole lines: users besides the tests' own.
    pub users: String,
    /// Where to listen besides the TCP port.
    pub listen: Option<String>,
    /// For each shard in turn, where its server is to be found instead: the port of something in between.
    pub in_between: Vec<u16>,
    /// A program and its arguments that run the binary, such as valgrind; nothing: it runs by itself.
    pub wrapper: Vec<String>,
    /// Another build of the proxy.
    pub binary: Option<PathBuf>,
}

/// A running proxy. Dropping it stops it, and shows its log where the test has failed.
#[derive(Debug)]
pub struct Proxy {
    process: Child,
    watchdog: Option<Watchdog>,
    pub port: u16,
    pub http_port: u16,
    pub config: PathBuf,
    log: PathBuf,
}

impl Proxy {
    /// Starts a proxy in front of a cluster and waits until it is ready.
    pub fn start(cluster: &Cluster, options: &ProxyOptions) -> Self {
        let port = cluster.host.ports.take().unwrap();
        let http_port = cluster.host.ports.take().unwrap();
        let base = cluster.scratch.path().join(format!("proxy-{port}"));
        fs::create_dir(&base).unwrap();
        let config = base.join("trunkline.yaml");
        fs::write(&config, config_text(cluster, options, port, http_port)).unwrap();
        let log = base.join("log");
        let process = spawn(&config, &log, options);
        let watchdog = Watchdog::end_process(process.id(), "KILL").ok();
        let mut proxy = Self {
            process,
            watchdog,
            port,
            http_port,
            config,
            log,
        };
        let wrapped = !options.wrapper.is_empty();
        proxy.wait_ready(if wrapped {
            START_PATIENCE_WRAPPED
        } else {
            START_PATIENCE
        });
        proxy
    }

    fn wait_ready(&mut self, patience: Duration) {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                panic!("the proxy ended while starting ({status}):\n{}", self.log());
            }
            if matches!(http_get(self.http_port, "/readyz"), Some((200, _))) {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "the proxy was not ready in time:\n{}",
                self.log()
            );
            thread::sleep(POLL);
        }
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The text of the metrics page.
    pub fn metrics(&self) -> String {
        let (status, body) = http_get(self.http_port, "/metrics").expect("the metrics are served");
        assert_eq!(status, 200);
        body
    }

    /// The value of one metric, labels included in the name as the page has them.
    pub fn metric(&self, name: &str) -> Option<f64> {
        let page = self.metrics();
        let line = page
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|value| value.trim().parse().ok())
    }

    /// What `trunkline explain` says with this proxy's configuration, and whether it has a plan.
    pub fn explain(&self, arguments: &[&str]) -> (String, bool) {
        let (said, status) = self.command("explain", arguments);
        (said, status == Some(0))
    }

    /// What a command of the binary says with this proxy's configuration, and its exit status.
    pub fn command(&self, name: &str, arguments: &[&str]) -> (String, Option<i32>) {
        let run = Command::new(binary())
            .args([name, "-c"])
            .arg(&self.config)
            .args(arguments)
            .output()
            .unwrap();
        let said = [run.stdout, run.stderr].concat();
        (
            String::from_utf8_lossy(&said).into_owned(),
            run.status.code(),
        )
    }

    /// Sends a signal by name: `TERM`, `HUP`, `KILL`.
    pub fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        Command::new("/bin/sh")
            .args(["-c", r#"kill -s "$1" "$2""#, "kill", name, &pid])
            .status()
            .unwrap();
    }

    /// Waits until the process has ended, at most as long as given.
    pub fn wait(&mut self, patience: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            if let Ok(Some(status)) = self.process.try_wait() {
                return Some(status);
            }
            thread::sleep(POLL);
        }
        None
    }

    /// Stops the proxy with SIGTERM, as an operator would.
    pub fn stop(&mut self) -> Option<ExitStatus> {
        self.signal("TERM");
        self.wait(STOP_PATIENCE)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("log of the proxy on port {}:\n{}", self.port, self.log());
        }
        if let Some(watchdog) = self.watchdog.take() {
            watchdog.dismiss();
        }
        // Both fail only where the process is gone.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn spawn(config: &Path, log: &Path, options: &ProxyOptions) -> Child {
    let log = fs::File::create(log).unwrap();
    let binary = options.binary.clone().unwrap_or_else(binary);
    let mut command = match options.wrapper.split_first() {
        Some((program, arguments)) => {
            let mut command = Command::new(program);
            command.args(arguments).arg(binary);
            command
        }
        None => Command::new(binary),
    };
    command
        .args(["serve", "-c"])
        .arg(config)
        .envs(options.environment.iter().cloned())
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap()
}

/// `TRUNKLINE_BIN`, or the binary beside the test's own (`target/debug/deps/…`).
pub fn binary() -> PathBuf {
    if let Some(binary) = std::env::var_os("TRUNKLINE_BIN") {
        return PathBuf::from(binary);
    }
    let test = std::env::current_exe().unwrap();
    let found = test
        .ancestors()
        .skip(1)
        .take(2)
        .map(|dir| dir.join("trunkline"))
        .find(|path| path.is_file());
    found.expect("the trunkline binary is not built: run `cargo build`, or set TRUNKLINE_BIN")
}

/// The configuration of a proxy in front of a cluster, as a user would write it.
pub fn config_text(cluster: &Cluster, options: &ProxyOptions, port: u16, http_port: u16) -> String {
    let (mut servers, mut placement) = (String::new(), String::new());
    let ranges = cluster.placement.texts(cluster.shards.len());
    for (index, shard) in cluster.shards.iter().enumerate() {
        let name = Cluster::shard_name(index);
        let ports = match options.in_between.get(index) {
            Some(port) => vec![*port],
            None => shard.servers().iter().map(|server| server.port()).collect(),
        };
        let list: Vec<_> = ports
            .iter()
            .map(|port| format!("\"127.0.0.1:{port}\""))
            .collect();
        writeln!(
            servers,
            "      {name}: {{ servers: [ {} ], dbname: {APP} }}",
            list.join(", ")
        )
        .unwrap();
        if let Some(ranges) = &ranges[index] {
            writeln!(placement, "          {name}: {ranges}").unwrap();
        }
    }
    let list = |ours: &[&str], more: &[String]| {
        ours.iter()
            .map(|name| (*name).to_owned())
            .chain(more.iter().cloned())
            .collect::<Vec<_>>()
            .join(", ")
    };
    format!(
        "listen: [ 127.0.0.1:{port}{listen} ]
http: 127.0.0.1:{http_port}
{top}
users:
  - name: {APP}
    password: {APP}
    databases: [ {APP} ]
    admin: true
{users}

databases:
  {APP}:
    service: {{ user: {SERVICE}, password: {SERVICE} }}
    shards:
{servers}    default_shard: s1
    keyspaces:
      tenants:
        key: {{ column: organization_id, type: bigint }}
        function: hash
        logical_shards: {LOGICAL_SHARDS}
        placement:
{placement}        tables: [ {tables} ]
{keyspaces}    reference_tables: [ {reference} ]
{database}
",
        top = options.top,
        users = options.users,
        listen = options
            .listen
            .as_ref()
            .map(|address| format!(", \"{address}\""))
            .unwrap_or_default(),
        database = options.database,
        keyspaces = options.keyspaces,
        tables = list(&SHARDED_TABLES, &options.tables),
        reference = list(&REFERENCE_TABLES, &options.reference_tables),
    )
}

/// Status and body of a page; `None` where nothing answers.
pub fn http_get(port: u16, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}
