//! Logging in, at the proxy and at the servers: every method, TLS, Unix sockets.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use integration_tests::client::{connect_as, texts};
use integration_tests::proxy::binary;
use integration_tests::wire::{Reply, Wire};
use integration_tests::{Cluster, Proxy, ProxyOptions, Setup};

/// One shard whose server takes every method of login, and TLS.
struct World {
    cluster: Cluster,
    /// What the server keeps of the password of `verified`.
    verifier: String,
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let cluster = Cluster::start(&Setup { shards: 1, sample: None, ..Setup::default() });
        for name in ["server", "other"] {
            make_certificate(&cluster, name);
        }
        let server = &cluster.shards[0].servers()[0];
        let hba = server.data().join("pg_hba.conf");
        let before = fs::read_to_string(&hba).unwrap();
        let methods = "host all hashed 127.0.0.1/32 md5\nhost all plain 127.0.0.1/32 password\nhost all verified 127.0.0.1/32 scram-sha-256\nlocal all all scram-sha-256\n";
        fs::write(&hba, methods.to_owned() + &before).unwrap();
        let (port, dir) = (server.port(), cluster.scratch.path().display().to_string());
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let verifier = runtime.block_on(async {
            let superuser = connect_as(port, "postgres", "postgres", "app").await;
            for sql in [
                "set password_encryption to md5", "create role hashed login password 'hashed'",
                "set password_encryption to 'scram-sha-256'", "create role plain login password 'plain'",
                "create role verified login password 'verified'",
                &format!("alter system set ssl_cert_file = '{dir}/server.crt'"),
                &format!("alter system set ssl_key_file = '{dir}/server.key'"),
                "alter system set ssl = on", "select pg_reload_conf()",
            ] {
                superuser.batch_execute(sql).await.unwrap();
            }
            let rows = texts(&superuser, "select rolpassword from pg_authid where rolname = 'verified'").await;
            rows[0][0].clone().unwrap()
        });
        World { cluster, verifier }
    })
}

fn make_certificate(cluster: &Cluster, name: &str) {
    let file = |extension: &str| cluster.scratch.path().join(format!("{name}.{extension}"));
    let output = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
        ])
        .args(["-addext", "subjectAltName=IP:127.0.0.1", "-keyout"])
        .arg(file("key"))
        .arg("-out")
        .arg(file("crt"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    for extension in ["key", "crt"] {
        cluster.host.account.own(&file(extension)).unwrap();
    }
}

fn column(replies: &[Reply]) -> Vec<String> {
    let rows = replies.iter().filter(|reply| reply.tag == b'D');
    rows.map(|row| String::from_utf8_lossy(&row.body[6..]).into_owned())
        .collect()
}

fn login(port: u16, user: &str, password: &str) -> std::io::Result<Wire> {
    Wire::connect_as(port, user, password, &[("database", "app")])
}

#[test]
fn every_method_works() {
    let world = world();
    let users = format!(
        "  - {{ name: hashed, password: hashed, databases: [ app ] }}
  - {{ name: plain, password: plain, databases: [ app ] }}
  - {{ name: verified, password: {{ scram: \"{}\", server_password: verified }}, databases: [ app ] }}
  - {{ name: secret, password: {{ env: SECRET }}, databases: [ app ] }}",
        world.verifier
    );
    let environment = vec![("SECRET".to_owned(), "hidden".to_owned())];
    let proxy = Proxy::start(
        &world.cluster,
        &ProxyOptions {
            users,
            environment,
            ..ProxyOptions::default()
        },
    );
    for user in ["app", "hashed", "plain", "verified"] {
        let mut wire =
            login(proxy.port, user, user).unwrap_or_else(|error| panic!("{user}: {error}"));
        assert_eq!(column(&wire.simple("select current_user").unwrap()), [user]);
        assert!(login(proxy.port, user, "wrong").is_err());
        assert!(login(proxy.port, user, "").is_err());
    }
    // A user the server does not know is let in by the proxy and refused by the shard, which is said.
    let told = psql(
        &format!("postgresql://secret:hidden@127.0.0.1:{}/app", proxy.port),
        &[],
    )
    .unwrap_err();
    assert!(told.contains("shard s1"), "{told}");
    // Wrong passwords and unknown users look alike; a user sees only its databases.
    let wrong = psql(
        &format!("postgresql://app:wrong@127.0.0.1:{}/app", proxy.port),
        &[],
    )
    .unwrap_err();
    let unknown = psql(
        &format!("postgresql://nobody:wrong@127.0.0.1:{}/app", proxy.port),
        &[],
    )
    .unwrap_err();
    assert!(
        wrong.contains("password authentication failed for user \"app\""),
        "{wrong}"
    );
    assert_eq!(wrong.replace("\"app\"", "\"nobody\""), unknown);
    let nowhere = psql(
        &format!("postgresql://app:app@127.0.0.1:{}/nowhere", proxy.port),
        &[],
    )
    .unwrap_err();
    assert!(
        nowhere.contains("database \"nowhere\" does not exist"),
        "{nowhere}"
    );
    let log = proxy.log();
    for secret in ["hidden", &world.verifier, "verified\"", "wrong"] {
        assert!(!log.contains(secret), "{secret} is in the log:\n{log}");
    }
    assert!(!log.contains("panicked"));
}

fn psql(uri: &str, arguments: &[&str]) -> Result<String, String> {
    let mut command = Command::new("psql");
    command
        .args(["-X", "-A", "-t", "-d", uri, "-c", "select current_user"])
        .args(arguments);
    let output = command.env("PGCONNECT_TIMEOUT", "20").output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(text(&output.stderr))
    }
}

#[test]
fn unix_sockets() {
    let world = world();
    let directory = world.cluster.scratch.path();
    let listen = Some(directory.join(".s.PGSQL.7777").display().to_string());
    let proxy = Proxy::start(
        &world.cluster,
        &ProxyOptions {
            listen,
            ..ProxyOptions::default()
        },
    );
    let uri = format!(
        "postgresql://app:app@/app?host={}&port=7777",
        directory.display()
    );
    assert_eq!(psql(&uri, &[]).as_deref(), Ok("app"));
    assert!(psql(&uri.replace("app:app", "app:wrong"), &[]).is_err());
    // The same towards the server.
    let server = &world.cluster.shards[0].servers()[0];
    let socket = server.data().parent().unwrap().display().to_string();
    if !Path::new(&format!("{socket}/.s.PGSQL.{}", server.port())).exists() {
        println!("the server's directory is too long for a socket");
        return;
    }
    let before = fs::read_to_string(&proxy.config).unwrap();
    let tcp = format!("127.0.0.1:{}", server.port());
    fs::write(
        &proxy.config,
        before.replace(&tcp, &format!("{socket}:{}", server.port())),
    )
    .unwrap();
    let output = Command::new(binary())
        .args(["check", "-c"])
        .arg(&proxy.config)
        .output()
        .unwrap();
    assert_eq!(
        output.status.code(),
        Some(1),
        "no table is there: {output:?}"
    );
    assert!(
        !String::from_utf8_lossy(&output.stdout).contains("cannot be reached"),
        "{output:?}"
    );
    proxy.signal("HUP");
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    let address = "select coalesce(host(inet_server_addr()), 'socket')";
    let asked = || {
        login(proxy.port, "app", "app")
            .ok()
            .and_then(|mut wire| wire.simple(address).ok())
            .map(|replies| column(&replies))
    };
    while asked() != Some(vec!["socket".to_owned()]) {
        assert!(
            std::time::Instant::now() < deadline,
            "{:?}\n{}",
            asked(),
            proxy.log()
        );
    }
}

#[test]
fn tls_towards_the_servers() {
    let world = world();
    let ca = |name: &str| {
        world
            .cluster
            .scratch
            .path()
            .join(name)
            .display()
            .to_string()
    };
    let (right, wrong) = (ca("server.crt"), ca("other.crt"));
    for (tls, encrypted) in [
        ("mode: disable".to_owned(), "f"),
        ("mode: prefer".to_owned(), "t"),
        ("mode: require".to_owned(), "t"),
        (format!("mode: verify-ca, ca: {right}"), "t"),
        (format!("mode: verify-full, ca: {right}"), "t"),
    ] {
        let database = format!("    server_tls: {{ {tls} }}");
        let proxy = Proxy::start(
            &world.cluster,
            &ProxyOptions {
                database,
                ..ProxyOptions::default()
            },
        );
        let mut wire = login(proxy.port, "app", "app").unwrap();
        let ssl = wire
            .simple("select ssl from pg_stat_ssl where pid = pg_backend_pid()")
            .unwrap();
        assert_eq!(column(&ssl), [encrypted], "{tls}");
        // Large answers, and a cancel, pass through TLS too.
        let rows = wire
            .simple("select repeat('x', 100000) from generate_series(1, 100)")
            .unwrap();
        assert_eq!(column(&rows).len(), 100);
        if encrypted == "t" {
            let config = fs::read_to_string(&proxy.config)
                .unwrap()
                .replace(&tls, &format!("mode: verify-ca, ca: {wrong}"));
            let path = proxy.config.with_file_name("wrong.yaml");
            fs::write(&path, config).unwrap();
            let output = Command::new(binary())
                .args(["check", "-c"])
                .arg(&path)
                .output()
                .unwrap();
            assert_eq!(output.status.code(), Some(1), "{output:?}");
            let told = String::from_utf8_lossy(&output.stdout);
            assert!(told.contains("certificate"), "{told}");
        }
    }
}
