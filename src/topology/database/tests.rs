//! Against real PostgreSQL servers, started here on free ports: logging in over TLS, the monitors, the
//! schema, a switchover. Where there are no PostgreSQL binaries these tests do nothing, and say so.

mod directory;
mod schema;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::*;
use crate::config::{
    Address, Database, Password, PoolMode, PoolSettings, ServerTls, ServerTlsMode, Service, Shard,
    User,
};
use crate::shardmap::{MapVersion, ShardMap, TableKind, TableName};
use crate::topology::Role;

/// A PostgreSQL server of this test's own; killed and removed when dropped.
struct Server {
    directory: PathBuf,
    port: u16,
    process: Option<Child>,
}

impl Server {
    fn create(name: &str) -> Self {
        let server = Self::empty(name);
        let password_file = server.directory.join("password");
        std::fs::write(&password_file, PASSWORD).expect("write");
        let data = server.data();
        run(&[
            "initdb",
            "-D",
            &data,
            "-U",
            "trunkline",
            "-A",
            "scram-sha-256",
            "-N",
            "-E",
            "UTF8",
            "--no-locale",
            "--pwfile",
            &text(&password_file),
        ]);
        server
    }

    fn replica_of(primary: &Self, name: &str) -> Self {
        let server = Self::empty(name);
        let source = format!(
            "host=127.0.0.1 port={} user=trunkline password={PASSWORD}",
            primary.port
        );
        run(&[
            "pg_basebackup",
            "-D",
            &server.data(),
            "-R",
            "-N",
            "-c",
            "fast",
            "-d",
            &source,
        ]);
        server
    }

    fn empty(name: &str) -> Self {
        let directory =
            std::env::temp_dir().join(format!("trunkline-topology-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("create directory");
        run_as_root(&["chown", "postgres", &text(&directory)]);
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("bind");
        let port = free.local_addr().expect("address").port();
        Self {
            directory,
            port,
            process: None,
        }
    }

    fn data(&self) -> String {
        text(&self.directory.join("data"))
    }

    fn start(mut self, options: &[&str]) -> Self {
        let port = self.port.to_string();
        let data = self.data();
        let sockets = format!("unix_socket_directories={}", text(&self.directory));
        let mut arguments = vec![
            "postgres",
            "-D",
            &data,
            "-p",
            &port,
            "-c",
            "fsync=off",
            "-c",
            &sockets,
        ];
        arguments.extend(options.iter().flat_map(|option| ["-c", option]));
        self.process = Some(command(&arguments).spawn().expect("start postgres"));
        self
    }

    fn kill(&mut self) {
        let Some(mut process) = self.process.take() else {
            return;
        };
        // setpriv execs, so the child is the postmaster itself; SIGQUIT is its immediate shutdown.
        let _ = Command::new("kill")
            .args(["-QUIT", &process.id().to_string()])
            .status();
        let _ = process.wait();
    }

    fn address(&self) -> Address {
        Address::Tcp {
            host: "127.0.0.1".to_owned(),
            port: self.port,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// PostgreSQL refuses to run as root.
fn command(arguments: &[&str]) -> Command {
    let program = format!("{BINARIES}/{}", arguments[0]);
    let mut command = if is_root() {
        let mut command = Command::new("setpriv");
        command.args([
            "--reuid=postgres",
            "--regid=postgres",
            "--clear-groups",
            &program,
        ]);
        command
    } else {
        Command::new(program)
    };
    command
        .args(&arguments[1..])
        .env("LC_ALL", "C")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

fn run(arguments: &[&str]) {
    assert!(
        command(arguments).status().expect("runs").success(),
        "{arguments:?}"
    );
}

fn run_as_root(arguments: &[&str]) {
    if is_root() {
        assert!(
            Command::new(arguments[0])
                .args(&arguments[1..])
                .status()
                .expect("runs")
                .success()
        );
    }
}

fn skipped() -> bool {
    let missing = !Path::new(BINARIES).exists();
    if missing {
        eprintln!("skipped: no PostgreSQL in {BINARIES}");
    }
    missing
}

fn database(servers: &[&Server], tables: &[&str], server_tls: ServerTls) -> Arc<Database> {
    let table = |name: &&str| TableName {
        schema: "public".to_owned(),
        name: (*name).to_owned(),
    };
    let tables: HashMap<_, _> = tables
        .iter()
        .map(|name| (table(name), TableKind::Reference))
        .collect();
    Arc::new(Database {
        name: "app".to_owned(),
        service: Service {
            user: "trunkline".to_owned(),
            password: Password::Plain(PASSWORD.to_owned()),
        },
        shards: vec![Shard {
            name: "s1".to_owned(),
            servers: servers.iter().map(|server| server.address()).collect(),
            dbname: "postgres".to_owned(),
        }],
        map: Arc::new(ShardMap {
            version: MapVersion(1),
            shards: vec!["s1".to_owned()],
            default_shard: ShardId(0),
            keyspaces: Vec::new(),
            tables,
        }),
        pool: PoolSettings {
            mode: PoolMode::Transaction,
            size: 5,
            min: 0,
            wait: Duration::from_secs(20),
            lifetime: Duration::from_secs(3600),
            idle: Duration::from_secs(600),
            connect: Duration::from_secs(10),
            prepared_statements: 10,
        },
        server_tls,
        auth_query: None,
        gather: Default::default(),
    })
}

fn user() -> User {
    User::new("trunkline", Password::Plain(PASSWORD.to_owned()), &["app"])
}

fn plaintext() -> ServerTls {
    ServerTls {
        mode: ServerTlsMode::Disable,
        ca: None,
    }
}

async fn lease(database: &LiveDatabase, shard: ShardId) -> Result<Lease, PgError> {
    let user = user();
    database
        .lease(shard, &user.name, &Claim::configured(&user), None)
        .await
}

/// Every slot of the pool toward the primary, without a connection.
fn slots(database: &LiveDatabase) -> impl Iterator<Item = Slot> {
    let user = user();
    let claim = Claim::configured(&user);
    let mut idle = Vec::new();
    std::iter::from_fn(move || {
        loop {
            match database.offer(ShardId(0), &user.name, &claim)? {
                Offer::Slot(slot) => return Some(slot),
                // Closed when all have been taken.
                Offer::Lease(lease) => idle.push(lease),
                Offer::Wait(_) | Offer::Closed => return None,
            }
        }
    })
}

async fn simple(database: &LiveDatabase, sql: &str) {
    let mut lease = lease(database, ShardId(0)).await.expect("lease");
    lease
        .simple(sql, Instant::now() + Duration::from_secs(10))
        .await
        .expect("runs");
    lease.release();
}

#[tokio::test]
async fn a_replica_takes_over_and_the_old_primary_is_not_trusted_again() {
    if skipped() {
        return;
    }
    let mut first = Server::create("first").start(&[]);
    let alone = LiveDatabase::start(database(&[&first], &[], plaintext()), &Metrics::new())
        .expect("starts");
    simple(&alone, "CREATE TABLE t (id bigint)").await;
    drop(alone);
    let second = Server::replica_of(&first, "second").start(&[]);

    let live = LiveDatabase::start(
        database(&[&first, &second], &[], plaintext()),
        &Metrics::new(),
    )
    .expect("starts");
    simple(&live, "INSERT INTO t VALUES (1)").await;
    let roles = || {
        live.views()[0]
            .servers
            .iter()
            .map(|server| server.role)
            .collect::<Vec<_>>()
    };
    until(|| roles() == [Role::Primary, Role::Replica]).await;
    let views = live.views();
    assert!(
        views[0]
            .servers
            .iter()
            .all(|server| server.reachable && server.lsn.is_some()),
        "{views:?}"
    );
    assert_eq!(views[0].servers[0].timeline, Some(1));

    // All slots of the first server's pool are held by those who wait: nobody waits for another of them.
    let slots: Vec<_> = slots(&live).collect();
    assert!(!slots.is_empty());
    first.kill();
    until(|| roles()[0] == Role::Unknown).await;
    let leased = tokio::spawn({
        let live = Arc::clone(&live);
        async move { simple(&live, "INSERT INTO t VALUES (2)").await }
    });
    let with_slots = slots.into_iter().map(|slot| {
        let live = Arc::clone(&live);
        tokio::spawn(async move {
            let user = user();
            let claim = Claim::configured(&user);
            let lease = live.lease(ShardId(0), &user.name, &claim, Some(slot));
            lease.await.map(|lease| lease.server.to_string())
        })
    });
    let with_slots: Vec<_> = with_slots.collect();
    tokio::time::sleep(Duration::from_millis(300)).await;
    for pool in live.pool_views() {
        assert_eq!(pool.stats.leased, 0, "{pool:?}");
    }
    run(&["pg_ctl", "promote", "-D", &second.data()]);
    leased.await.expect("waits for the new primary");
    assert_eq!(roles(), [Role::Unknown, Role::Primary]);
    for leased in with_slots {
        let server = leased.await.expect("no panic").expect("lease");
        assert_eq!(server, format!("127.0.0.1:{}", second.port));
    }

    let first = first.start(&[]);
    until(|| roles() == [Role::Stale, Role::Primary]).await;
    drop(second);
    until(|| roles() == [Role::Stale, Role::Unknown]).await;
    assert!(!live.ready());
    let views = live.views();
    assert!(views[0].servers[1].last_error.is_some(), "{views:?}");
    drop(first);
}

#[tokio::test]
async fn server_tls_means_what_it_says() {
    if skipped() {
        return;
    }
    let server = Server::create("tls");
    let (key, certificate) = (
        server.directory.join("server.key"),
        server.directory.join("server.crt"),
    );
    let made = Command::new("openssl")
        .args([
            "req",
            "-new",
            "-x509",
            "-days",
            "2",
            "-nodes",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
        ])
        .args([
            "-subj",
            "/CN=trunkline",
            "-addext",
            "subjectAltName=DNS:localhost",
        ])
        .args(["-keyout", &text(&key), "-out", &text(&certificate)])
        .stderr(Stdio::null())
        .status();
    if !made.is_ok_and(|status| status.success()) {
        eprintln!("skipped: no openssl");
        return;
    }
    run_as_root(&["chown", "postgres", &text(&key)]);
    let other_ca = server.directory.join("other.crt");
    std::fs::copy("/etc/ssl/certs/ca-certificates.crt", &other_ca).ok();
    let (key, crt) = (
        format!("ssl_key_file={}", text(&key)),
        format!("ssl_cert_file={}", text(&certificate)),
    );
    let server = server.start(&["ssl=on", &key, &crt]);
    let wait_for_start =
        LiveDatabase::start(database(&[&server], &[], plaintext()), &Metrics::new())
            .expect("starts");
    simple(&wait_for_start, "SELECT 1").await;

    let trusted = Some(certificate.clone());
    for (mode, ca, host, encrypted) in [
        (ServerTlsMode::Disable, None, "127.0.0.1", Some(false)),
        (ServerTlsMode::Prefer, None, "127.0.0.1", Some(true)),
        (ServerTlsMode::Require, None, "127.0.0.1", Some(true)),
        (
            ServerTlsMode::Require,
            trusted.clone(),
            "127.0.0.1",
            Some(true),
        ),
        (
            ServerTlsMode::Require,
            Some(other_ca.clone()),
            "127.0.0.1",
            None,
        ),
        (
            ServerTlsMode::VerifyCa,
            trusted.clone(),
            "127.0.0.1",
            Some(true),
        ),
        (ServerTlsMode::VerifyCa, Some(other_ca), "127.0.0.1", None),
        (
            ServerTlsMode::VerifyFull,
            trusted.clone(),
            "localhost",
            Some(true),
        ),
        (ServerTlsMode::VerifyFull, trusted, "127.0.0.1", None),
    ] {
        if ca.as_ref().is_some_and(|ca| !ca.exists()) {
            continue;
        }
        let config = database(&[&server], &[], ServerTls { mode, ca });
        let target = Target {
            shard: "s1".into(),
            address: Address::Tcp {
                host: host.to_owned(),
                port: server.port,
            },
            dbname: "postgres".to_owned(),
            user: "trunkline".to_owned(),
            credential: Credential::Password(PASSWORD.to_owned()),
            tls: Tls::load(&config.server_tls).expect("loads"),
            derived: Default::default(),
        };
        match crate::backend::connect(&target, &config.pool).await {
            Ok(connection) => {
                assert_eq!(
                    Some(connection.stream.is_encrypted()),
                    encrypted,
                    "{mode:?} {host}"
                );
                assert_eq!(
                    connection.stream.channel_binding().is_some(),
                    connection.stream.is_encrypted()
                );
                assert!(connection.stream.idle_check());
                crate::backend::cancel(&connection.cancel, Duration::from_secs(5))
                    .await
                    .expect("cancels");
            }
            Err(error) => assert_eq!(encrypted, None, "{mode:?} {host}: {error}"),
        }
    }
    assert!(
        Tls::load(&ServerTls {
            mode: ServerTlsMode::VerifyCa,
            ca: None
        })
        .is_err()
    );
}

#[tokio::test]
async fn a_service_user_who_is_refused_shows_in_the_views() {
    if skipped() {
        return;
    }
    let server = Server::create("refused").start(&[]);
    let mut config = (*database(&[&server], &[], plaintext())).clone();
    config.service.password = Password::Plain("wrong".to_owned());
    config.pool.wait = Duration::from_secs(1);
    let live = LiveDatabase::start(Arc::new(config), &Metrics::new()).expect("starts");
    until(|| live.views()[0].servers[0].reachable).await;
    let error = lease(&live, ShardId(0))
        .await
        .err()
        .expect("no role is known");
    assert_eq!(error.code, SqlState::CONNECTION_FAILURE);
    let detail = error.detail.expect("says why");
    assert!(
        detail.contains("password authentication failed") && !detail.contains("wrong"),
        "{detail}"
    );
    assert!(live.schema_loaded().await.is_err());
    live.close();
    assert_eq!(
        lease(&live, ShardId(0)).await.err().map(|error| error.code),
        Some(SqlState::CONNECTION_FAILURE)
    );
}

#[tokio::test]
async fn the_minimum_is_opened_before_any_statement() {
    if skipped() {
        return;
    }
    let server = Server::create("minimum").start(&[]);
    let mut config = (*database(&[&server], &[], plaintext())).clone();
    config.pool.min = 2;
    let live = LiveDatabase::start(Arc::new(config), &Metrics::new()).expect("starts");
    live.set_users([&Arc::new(user())].into_iter());
    until(|| live.pool_views().iter().any(|pool| pool.stats.idle == 2)).await;
    // A user who comes with a reload.
    simple(&live, "CREATE ROLE other LOGIN PASSWORD 'pass-word'").await;
    let other = Arc::new(User {
        name: "other".to_owned(),
        ..user()
    });
    live.set_users([&Arc::new(user()), &other].into_iter());
    until(|| {
        let idle = live.pool_views();
        idle.len() == 2 && idle.iter().all(|pool| pool.stats.idle == 2)
    })
    .await;
    // Without a minimum nothing is opened early.
    let lazy = LiveDatabase::start(database(&[&server], &[], plaintext()), &Metrics::new())
        .expect("starts");
    lazy.set_users([&Arc::new(user())].into_iter());
    until(|| lazy.ready()).await;
    assert!(lazy.pool_views().is_empty());
    live.close();
}

async fn until(condition: impl Fn() -> bool) {
    let waited = tokio::time::timeout(Duration::from_secs(20), async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    waited.await.expect("comes true");
}

const BINARIES: &str = "/usr/lib/postgresql/15/bin";
const PASSWORD: &str = "pass-word";
