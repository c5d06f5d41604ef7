//! One PostgreSQL server: its directory, its port, its process.
//!
//! ```text
//! dir/data          the data directory
//! dir/server.log    what the server wrote to its standard error, all runs
//! ```
//!
//! Our settings are in `data/trunkline.conf`, written anew at every start, because ports may have
//! been taken between two runs.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::stale::{signal, stop_stale};
use super::watchdog::Watchdog;
use super::{Error, Host, io_error};

/// The superuser `initdb` makes, whatever account runs the server.
pub const SUPERUSER: &str = "postgres";

/// Crash recovery included.
const START_PATIENCE: Duration = Duration::from_secs(60);
const STOP_PATIENCE: Duration = Duration::from_secs(20);
const PROMOTE_PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(10);

/// A Unix socket's path may be 107 bytes long on Linux; its name and the separator take up to 20.
const SOCKET_DIRECTORY_BYTES_MAX: usize = 107 - 20;

/// Whether a server's data must survive a crash of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// As PostgreSQL does it.
    Durable,
    /// Nothing is ever flushed: for tests, whose data nobody wants afterwards.
    Throwaway,
}

/// What a new server is like.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    pub durability: Durability,
    /// Of [`SUPERUSER`]. Every connection authenticates with SCRAM-SHA-256.
    pub password: String,
    /// Lines of `postgresql.conf` besides ours, which they override.
    pub settings: Vec<(String, String)>,
}

/// How a server is asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// Aborts transactions and writes a checkpoint.
    Fast,
    /// Aborts everything; the next start recovers.
    Immediate,
}

/// One PostgreSQL server. Dropping it stops it.
#[derive(Debug)]
pub struct Server {
    host: Arc<Host>,
    dir: PathBuf,
    port: u16,
    options: ServerOptions,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    process: Child,
    watchdog: Watchdog,
}

impl Server {
    /// Takes over an existing directory, or one that [`Server::init`] will fill. A server that an
    /// earlier, killed run left running there is stopped.
    pub fn open(
        host: Arc<Host>,
        dir: &Path,
        port: u16,
        options: ServerOptions,
    ) -> Result<Self, Error> {
        let dir = std::path::absolute(dir).map_err(io_error("resolve", dir))?;
        host.account.can_enter(&dir)?;
        stop_stale(&dir.join("data"))?;
        Ok(Self {
            host,
            dir,
            port,
            options,
            running: None,
        })
    }

    /// Makes a new, empty database cluster, in the C locale so that texts sort alike everywhere.
    pub fn init(&self) -> Result<(), Error> {
        self.clear()?;
        let password = self.dir.join("password");
        self.write(&password, &self.options.password)?;
        let mut initdb = self.host.binaries.command("initdb", &self.host.account);
        initdb
            .arg("-D")
            .arg(self.data())
            .args([
                "-U",
                SUPERUSER,
                "-A",
                "scram-sha-256",
                "-E",
                "UTF8",
                "--locale=C",
                "--no-sync",
            ])
            .arg("--pwfile")
            .arg(&password)
            .current_dir(&self.dir);
        let made = run(initdb);
        // The password is of no use after that, and should not lie about.
        fs::remove_file(&password).map_err(io_error("remove", &password))?;
        made?;
        self.include_settings()
    }

    /// Copies the data directory of a stopped server, which takes a fraction of `initdb`'s time.
    pub fn init_from_copy(&self, template: &Self) -> Result<(), Error> {
        self.clear()?;
        let mut copy = Command::new("cp");
        copy.arg("-R")
            .arg("-p")
            .arg(template.data())
            .arg(self.data());
        run(copy)
    }

    /// Makes this server a streaming replica of a running primary.
    pub fn init_from_backup(&self, primary: &Self) -> Result<(), Error> {
        self.clear()?;
        let mut backup = self
            .host
            .binaries
            .command("pg_basebackup", &self.host.account);
        backup
            .arg("-D")
            .arg(self.data())
            .args([
                "-h",
                "127.0.0.1",
                "-p",
                &primary.port.to_string(),
                "-U",
                SUPERUSER,
            ])
            .args(["-X", "stream", "-c", "fast", "--no-sync"])
            .env("PGPASSWORD", &self.options.password)
            .current_dir(&self.dir);
        run(backup)?;
        self.write(&self.data().join("standby.signal"), "")
    }

    /// Starts the server and waits until it takes connections. A replica needs its primary's
    /// port. The server's own port may change if somebody took it meanwhile.
    pub fn start(&mut self, primary: Option<u16>) -> Result<(), Error> {
        if self.is_running() {
            return Ok(());
        }
        let deadline = Instant::now() + START_PATIENCE;
        loop {
            self.write(&self.data().join("trunkline.conf"), &self.settings(primary))?;
            match self.start_once(deadline) {
                // After kill -9 the server's children need a moment to notice and to let go.
                Err(Error::Ended { log, .. })
                    if log.contains("still in use") && Instant::now() < deadline =>
                {
                    thread::sleep(Duration::from_millis(100));
                }
                // Somebody was faster between our look at the port and the server's bind.
                Err(Error::Ended { log, .. })
                    if log.contains("could not bind") && Instant::now() < deadline =>
                {
                    self.port = self.host.ports.take()?;
                }
                outcome => return outcome,
            }
        }
    }

    fn start_once(&mut self, deadline: Instant) -> Result<(), Error> {
        let log_before = fs::metadata(self.log_path()).map_or(0, |meta| meta.len());
        let mut process = self.spawn()?;
        let watchdog = match Watchdog::end_process(process.id(), "QUIT") {
            Ok(watchdog) => watchdog,
            Err(source) => {
                // Unwatched servers could outlive us, so this one does not run at all. Killing
                // fails only where the process is gone.
                let _ = process.kill();
                let _ = process.wait();
                return Err(io_error("watch over", &self.dir)(source));
            }
        };
        let started = Instant::now();
        loop {
            if let Some(status) = process
                .try_wait()
                .map_err(io_error("wait for", &self.dir))?
            {
                watchdog.dismiss();
                return Err(self.ended(status, log_before));
            }
            if self.is_ready(process.id()) {
                self.running = Some(Running { process, watchdog });
                return Ok(());
            }
            if Instant::now() >= deadline {
                self.running = Some(Running { process, watchdog });
                let error = self.timeout("ready", started.elapsed());
                self.kill();
                return Err(error);
            }
            thread::sleep(POLL);
        }
    }

    fn spawn(&self) -> Result<Child, Error> {
        let path = self.log_path();
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(io_error("open", &path))?;
        let mut postgres = self.host.binaries.command("postgres", &self.host.account);
        postgres
            .arg("-D")
            .arg(self.data())
            .current_dir(&self.dir)
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(io_error("open", &path))?)
            .stderr(log)
            // Out of the terminal's reach: Ctrl-C is for us, and we end the servers in order.
            .process_group(0);
        let program = self.host.binaries.path("postgres");
        postgres.spawn().map_err(io_error("run", &program))
    }

    /// Stops the server; harder, if it does not stop within a bounded time.
    pub fn stop(&mut self, how: Shutdown) {
        let Some(mut running) = self.running.take() else {
            return;
        };
        let names: &[&str] = match how {
            Shutdown::Fast => &["INT", "QUIT"],
            Shutdown::Immediate => &["QUIT"],
        };
        for name in names {
            signal(running.process.id(), name);
            if wait_bounded(&mut running.process) {
                running.watchdog.dismiss();
                return;
            }
        }
        self.running = Some(running);
        self.kill();
    }

    /// Ends the server as a crash would, with SIGKILL.
    pub fn kill(&mut self) {
        let Some(mut running) = self.running.take() else {
            return;
        };
        // Both fail only where the process is gone.
        let _ = running.process.kill();
        let _ = running.process.wait();
        running.watchdog.dismiss();
    }

    /// Freezes the server's postmaster (`STOP`) or lets it go on (`CONT`), or any other signal.
    pub fn signal(&self, name: &str) {
        if let Some(pid) = self.pid() {
            signal(pid, name);
        }
    }

    /// Makes a replica a primary and waits until it is one.
    pub fn promote(&self) -> Result<(), Error> {
        let Some(running) = &self.running else {
            return Err(Error::NotRunning {
                dir: self.dir.clone(),
            });
        };
        // The file and the signal are what `pg_ctl promote` sends.
        self.write(&self.data().join("promote"), "")?;
        signal(running.process.id(), "USR1");
        let started = Instant::now();
        while self.is_standby() {
            if started.elapsed() > PROMOTE_PATIENCE {
                return Err(self.timeout("promoted", started.elapsed()));
            }
            thread::sleep(POLL);
        }
        Ok(())
    }

    /// True for a server that follows a primary, or will when it is started. The server itself
    /// removes the file when it is promoted.
    pub fn is_standby(&self) -> bool {
        self.data().join("standby.signal").exists()
    }

    /// The history the data belongs to: it rises with every promotion.
    pub fn timeline(&self) -> Result<u32, Error> {
        let mut control = self
            .host
            .binaries
            .command("pg_controldata", &self.host.account);
        control.arg("-D").arg(self.data()).current_dir(&self.dir);
        let output = output(control)?;
        let line = output
            .lines()
            .find_map(|line| line.strip_prefix("Latest checkpoint's TimeLineID:"));
        Ok(line
            .and_then(|timeline| timeline.trim().parse().ok())
            .unwrap_or(0))
    }

    pub fn is_running(&mut self) -> bool {
        match &mut self.running {
            Some(running) => matches!(running.process.try_wait(), Ok(None)),
            None => false,
        }
    }

    pub fn pid(&self) -> Option<u32> {
        self.running.as_ref().map(|running| running.process.id())
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Takes effect at the next start.
    pub fn set_port(&mut self, port: u16) {
        self.port = port;
    }

    pub fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    pub fn password(&self) -> &str {
        &self.options.password
    }

    /// The last lines of the server's log.
    pub fn log_tail(&self) -> String {
        tail(&fs::read_to_string(self.log_path()).unwrap_or_default())
    }

    fn log_path(&self) -> PathBuf {
        self.dir.join("server.log")
    }

    fn clear(&self) -> Result<(), Error> {
        let data = self.data();
        if data.exists() {
            fs::remove_dir_all(&data).map_err(io_error("remove", &data))?;
        }
        self.host.account.create_dir(&self.dir)
    }

    fn include_settings(&self) -> Result<(), Error> {
        let path = self.data().join("postgresql.conf");
        let append = |path: &Path| {
            let mut file = OpenOptions::new().append(true).open(path)?;
            file.write_all(b"include 'trunkline.conf'\n")
        };
        append(&path).map_err(io_error("write", &path))?;
        self.write(&self.data().join("trunkline.conf"), "")
    }

    fn settings(&self, primary: Option<u16>) -> String {
        let sockets = match self.dir.to_str() {
            Some(dir) if dir.len() <= SOCKET_DIRECTORY_BYTES_MAX && !dir.contains(',') => dir,
            _ => "",
        };
        let mut lines = vec![
            ("listen_addresses", "127.0.0.1".to_owned()),
            ("port", self.port.to_string()),
            ("unix_socket_directories", sockets.to_owned()),
            // Many servers share one machine.
            ("shared_buffers", "32MB".to_owned()),
            ("max_connections", "100".to_owned()),
            // Same as on the primary, or a replica refuses to start.
            ("max_prepared_transactions", "100".to_owned()),
            ("wal_level", "logical".to_owned()),
            ("hot_standby", "on".to_owned()),
            // Instead of replication slots, which outlive their replica and then fill the disk.
            ("wal_keep_size", "512MB".to_owned()),
            ("max_wal_size", "512MB".to_owned()),
            ("log_destination", "stderr".to_owned()),
            ("logging_collector", "off".to_owned()),
            ("password_encryption", "scram-sha-256".to_owned()),
            ("timezone", "UTC".to_owned()),
        ];
        if self.options.durability == Durability::Throwaway {
            // Not `synchronous_commit`: a commit must survive a killed server, if not the machine.
            lines.extend(["fsync", "full_page_writes"].map(|name| (name, "off".to_owned())));
        }
        if let Some(port) = primary {
            let password = escape_conninfo(&self.options.password);
            lines.push((
                "primary_conninfo",
                format!("host=127.0.0.1 port={port} user={SUPERUSER} password='{password}'"),
            ));
            // A test or a demo should see a new row on the replica at once, and its primary back.
            lines.push(("wal_retrieve_retry_interval", "200ms".to_owned()));
        }
        let own = lines.iter().map(|(name, value)| (*name, value.as_str()));
        let extra = self
            .options
            .settings
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        own.chain(extra)
            .map(|(name, value)| format!("{name} = '{}'\n", value.replace('\'', "''")))
            .collect()
    }

    /// Writes a file that only the server's account may read.
    fn write(&self, path: &Path, text: &str) -> Result<(), Error> {
        use std::os::unix::fs::OpenOptionsExt;
        let write = || {
            let mut open = OpenOptions::new();
            let mut file = open
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(path)?;
            file.write_all(text.as_bytes())
        };
        write().map_err(io_error("write", path))?;
        self.host.account.own(path)
    }

    /// The postmaster writes its state into the eighth line of its lock file, as `pg_ctl -w` reads it.
    /// Source: `src/include/utils/pidfile.h`.
    fn is_ready(&self, pid: u32) -> bool {
        let Ok(lock) = fs::read_to_string(self.data().join("postmaster.pid")) else {
            return false;
        };
        let lines: Vec<&str> = lock.lines().map(str::trim).collect();
        lines.first() == Some(&pid.to_string().as_str()) && lines.get(7) == Some(&"ready")
    }

    fn ended(&self, status: ExitStatus, log_before: u64) -> Error {
        let log = fs::read(self.log_path()).unwrap_or_default();
        let fresh = log.get(log_before as usize..).unwrap_or_default();
        let log = tail(&String::from_utf8_lossy(fresh));
        Error::Ended {
            dir: self.dir.clone(),
            status: status.to_string(),
            log,
        }
    }

    fn timeout(&self, state: &'static str, waited: Duration) -> Error {
        Error::Timeout {
            dir: self.dir.clone(),
            state,
            waited,
            log: self.log_tail(),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop(match self.options.durability {
            Durability::Durable => Shutdown::Fast,
            Durability::Throwaway => Shutdown::Immediate,
        });
    }
}

fn wait_bounded(process: &mut Child) -> bool {
    let deadline = Instant::now() + STOP_PATIENCE;
    while Instant::now() < deadline {
        // An error means that there is no such child any more.
        if !matches!(process.try_wait(), Ok(None)) {
            return true;
        }
        thread::sleep(POLL);
    }
    false
}

fn run(command: Command) -> Result<(), Error> {
    output(command).map(drop)
}

fn output(mut command: Command) -> Result<String, Error> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|source| io_error("run", Path::new(&program))(source))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(Error::Command {
        program,
        status: output.status.to_string(),
        output: tail(&said),
    })
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}

/// Inside the quotes of a conninfo value.
/// Source: <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-KEYWORD-VALUE>
fn escape_conninfo(value: &str) -> String {
    value.replace('\\', "\\\\").replace('\'', "\\'")
}
