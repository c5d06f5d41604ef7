//! Who gets in: rules, methods, what is said to those who do not, and what guessing costs.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use integration_tests::client::{connect_as, texts};
use integration_tests::wire::Reply;
use integration_tests::{Cluster, Proxy, ProxyOptions, Setup};
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};
use postgres_protocol::message::frontend;

const HOME: Ipv4Addr = Ipv4Addr::LOCALHOST;
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// One shard that lets everybody in, so that it is the proxy that decides.
struct World {
    cluster: Cluster,
    /// What a server keeps of the password of `verified`.
    verifier: String,
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let cluster = Cluster::start(&Setup {
            shards: 1,
            sample: None,
            ..Setup::default()
        });
        let server = &cluster.shards[0].servers()[0];
        let hba = server.data().join("pg_hba.conf");
        let before = fs::read_to_string(&hba).unwrap();
        fs::write(
            &hba,
            "host all all 127.0.0.1/32 trust\n".to_owned() + &before,
        )
        .unwrap();
        let port = server.port();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let verifier = runtime.block_on(async {
            let superuser = connect_as(port, "postgres", "postgres", "app").await;
            for sql in [
                "create role plain login",
                "create role hashed login",
                "set password_encryption to 'scram-sha-256'",
                "create role verified login password 'verified'",
                // So that it may read verifiers.
                "alter role trunkline superuser",
                "select pg_reload_conf()",
            ] {
                superuser.batch_execute(sql).await.unwrap();
            }
            let sql = "select rolpassword from pg_authid where rolname = 'verified'";
            texts(&superuser, sql).await[0][0].clone().unwrap()
        });
        World { cluster, verifier }
    })
}

/// A user for each form a password can have, each with its own name for a password.
fn proxy(top: &str, more: &str) -> Proxy {
    let world = world();
    // md5('hashed' || 'hashed')
    let users = format!(
        "  - {{ name: plain, password: plain, databases: [ app ] }}
  - {{ name: hashed, password: {{ md5: \"md5{HASHED}\" }}, databases: [ app ] }}
  - {{ name: verified, password: {{ scram: \"{}\" }}, databases: [ app ] }}
{more}",
        world.verifier
    );
    let options = ProxyOptions {
        top: top.to_owned(),
        users,
        ..ProxyOptions::default()
    };
    Proxy::start(&world.cluster, &options)
}

const HASHED: &str = "35aaddc96f58b0ac6d9b3dbd56ee01c1";

/// A client that does as it is told, and shows what it was told.
struct Raw {
    stream: TcpStream,
}

/// How a login went: the methods asked for, and the error if it failed.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    asked: Vec<i32>,
    error: Option<Reply>,
}

impl Outcome {
    fn code(&self) -> String {
        self.error
            .as_ref()
            .map_or("in".to_owned(), |error| error.field(b'C').unwrap())
    }

    fn message(&self) -> String {
        self.error
            .as_ref()
            .map_or("in".to_owned(), |error| error.field(b'M').unwrap())
    }
}

const CLEAR_TEXT: i32 = 3;
const MD5: i32 = 5;
const SASL: i32 = 10;

impl Raw {
    fn connect(port: u16) -> Self {
        Self::connect_from(HOME, port)
    }

    fn connect_from(source: Ipv4Addr, port: u16) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .unwrap();
        let stream = runtime.block_on(async {
            let socket = tokio::net::TcpSocket::new_v4().unwrap();
            socket.bind(SocketAddr::from((source, 0))).unwrap();
            let stream = socket.connect(SocketAddr::from((HOME, port))).await;
            stream.unwrap().into_std().unwrap()
        });
        stream.set_nonblocking(false).unwrap();
        stream.set_nodelay(true).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        Self { stream }
    }

    fn send(&mut self, bytes: &[u8]) {
        // The other side may have closed already, which reading tells.
        let _ = self.stream.write_all(bytes);
    }

    fn startup(&mut self, parameters: &[(&str, &str)]) {
        let mut out = BytesMut::new();
        frontend::startup_message(parameters.iter().copied(), &mut out).unwrap();
        self.send(&out);
    }

    fn message(&mut self) -> io::Result<Reply> {
        let mut head = [0; 5];
        self.stream.read_exact(&mut head)?;
        let length = u32::from_be_bytes(head[1..].try_into().unwrap()) as usize;
        let mut body = vec![0; length - 4];
        self.stream.read_exact(&mut body)?;
        Ok(Reply { tag: head[0], body })
    }

    /// Sends the startup packet and takes the first request.
    fn begin(&mut self, user: &str) -> Reply {
        self.startup(&[("user", user), ("database", "app")]);
        self.message().unwrap()
    }

    /// Expects an error and then the end.
    fn error(&mut self) -> Reply {
        let error = self.message().unwrap();
        assert_eq!(error.tag, b'E', "{error:?}");
        assert_eq!(self.stream.read(&mut [0; 1]).unwrap_or(0), 0, "closed");
        error
    }

    fn log_in(&mut self, user: &str, password: &str) -> Outcome {
        let mut asked = Vec::new();
        let mut scram = ScramSha256::new(password.as_bytes(), ChannelBinding::unsupported());
        loop {
            let reply = self.message().unwrap();
            let mut out = BytesMut::new();
            match reply.tag {
                b'R' => {
                    let (code, data) = reply.body.split_first_chunk::<4>().unwrap();
                    let code = i32::from_be_bytes(*code);
                    match code {
                        CLEAR_TEXT => {
                            frontend::password_message(password.as_bytes(), &mut out).unwrap();
                        }
                        MD5 => {
                            let salt = data.try_into().unwrap();
                            let hash = md5_hash(user.as_bytes(), password.as_bytes(), salt);
                            frontend::password_message(hash.as_bytes(), &mut out).unwrap();
                        }
                        SASL => {
                            assert_eq!(data, b"SCRAM-SHA-256\0\0", "no PLUS without TLS");
                            let message = scram.message();
                            frontend::sasl_initial_response("SCRAM-SHA-256", message, &mut out)
                                .unwrap();
                        }
                        11 => {
                            scram.update(data).unwrap();
                            frontend::sasl_response(scram.message(), &mut out).unwrap();
                        }
                        12 => scram.finish(data).unwrap(),
                        0 => {}
                        other => panic!("authentication {other}"),
                    }
                    if matches!(code, CLEAR_TEXT | MD5 | SASL) {
                        asked.push(code);
                    }
                }
                b'E' => {
                    let error = Some(reply);
                    return Outcome { asked, error };
                }
                b'Z' => return Outcome { asked, error: None },
                _ => {}
            }
            self.send(&out);
        }
    }
}

fn log_in_from(source: Ipv4Addr, port: u16, user: &str, database: &str, password: &str) -> Outcome {
    let mut raw = Raw::connect_from(source, port);
    raw.startup(&[("user", user), ("database", database)]);
    raw.log_in(user, password)
}

fn log_in(port: u16, user: &str, password: &str) -> Outcome {
    log_in_from(HOME, port, user, "app", password)
}

fn psql(uri: &str) -> Result<String, String> {
    let output = Command::new("psql")
        .args(["-X", "-A", "-t", "-d", uri, "-c", "select current_user"])
        .env("PGCONNECT_TIMEOUT", "20")
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    match output.status.success() {
        true => Ok(text(&output.stdout)),
        false => Err(text(&output.stderr)),
    }
}

#[test]
fn the_first_rule_that_fits_decides() {
    let world = world();
    let directory = world.cluster.scratch.path();
    let options = ProxyOptions {
        top: "rules:
  - { users: [ mallory, plain ], databases: trunkline, method: reject }
  - { users: mallory, method: reject }
  - { users: plain, from: 127.0.0.2, method: password }
  - { users: [ plain, nobody ], from: 127.0.0.0/8, tls: none, method: md5 }
  - { users: app, from: local, method: password }
  - { users: app, databases: [ app, trunkline ], from: 127.0.0.1, method: scram }"
            .to_owned(),
        users: "  - { name: plain, password: plain, databases: [ app ] }".to_owned(),
        listen: Some(directory.join(".s.PGSQL.7778").display().to_string()),
        ..ProxyOptions::default()
    };
    let proxy = Proxy::start(&world.cluster, &options);
    let try_in = |source, user, database| {
        let outcome = log_in_from(source, proxy.port, user, database, user);
        (outcome.asked.clone(), outcome.code())
    };
    let none = |code: &str| (vec![], code.to_owned());
    let asked = |method, code: &str| (vec![method], code.to_owned());
    assert_eq!(try_in(HOME, "plain", "app"), asked(MD5, "in"));
    assert_eq!(try_in(ELSEWHERE, "plain", "app"), asked(CLEAR_TEXT, "in"));
    assert_eq!(try_in(HOME, "plain", "nowhere"), asked(MD5, "3D000"));
    assert_eq!(try_in(HOME, "plain", "trunkline"), none("28000"));
    assert_eq!(try_in(HOME, "app", "app"), asked(SASL, "in"));
    assert_eq!(try_in(HOME, "app", "trunkline"), asked(SASL, "in"));
    assert_eq!(try_in(ELSEWHERE, "app", "app"), none("28000"));
    assert_eq!(try_in(HOME, "app", "other"), none("28000"));
    // Nobody has these names, and the rules do not care.
    assert_eq!(try_in(HOME, "nobody", "app"), asked(MD5, "28P01"));
    assert_eq!(try_in(HOME, "mallory", "app"), none("28000"));
    assert_eq!(try_in(HOME, "stranger", "app"), none("28000"));

    let told = |user| log_in(proxy.port, user, "x").message();
    assert_eq!(
        told("stranger"),
        "no rule for host \"127.0.0.1\", user \"stranger\", database \"app\", no encryption"
    );
    assert_eq!(
        told("mallory"),
        "a rule rejects the connection for host \"127.0.0.1\", user \"mallory\", database \"app\", no encryption"
    );
    let socket = |user, password| {
        let host = directory.display();
        psql(&format!(
            "postgresql://{user}:{password}@/app?host={host}&port=7778"
        ))
    };
    assert_eq!(socket("app", "app").as_deref(), Ok("app"));
    assert!(
        socket("app", "wrong")
            .unwrap_err()
            .contains("password authentication failed")
    );
    let refused = socket("plain", "plain").unwrap_err();
    assert!(
        refused.contains("no rule for host \"[local]\""),
        "{refused}"
    );
}

#[test]
fn every_method_and_every_stored_form() {
    for (method, asked, fitting) in [
        ("scram", SASL, &["plain", "verified"][..]),
        ("md5", MD5, &["plain", "hashed"]),
        ("password", CLEAR_TEXT, &["plain", "hashed", "verified"]),
    ] {
        let proxy = proxy(
            &format!("rules: [ {{ method: {method} }} ]\nlimits: {{ login_failures: 1000 }}"),
            "",
        );
        let mut errors = Vec::new();
        for user in ["plain", "hashed", "verified", "nobody"] {
            let right = log_in(proxy.port, user, user);
            let expected = if fitting.contains(&user) {
                "in"
            } else {
                "28P01"
            };
            assert_eq!(right.code(), expected, "{method} {user}");
            for wrong in ["wrong", "", &"long".repeat(200), HASHED] {
                let outcome = log_in(proxy.port, user, wrong);
                assert_eq!(outcome.asked, [asked], "{method} {user}");
                errors.push((user, outcome));
            }
            if expected != "in" {
                errors.push((user, right));
            }
        }
        // The same bytes for everybody, but for the name.
        for (user, outcome) in errors {
            let told = String::from_utf8(outcome.error.unwrap().body).unwrap();
            let expected = format!(
                "SFATAL\0VFATAL\0C28P01\0Mpassword authentication failed for user \"{user}\"\0\0"
            );
            assert_eq!(told, expected, "{method}");
        }
        let log = proxy.log();
        for secret in [HASHED, &world().verifier, "wrong", "panicked"] {
            assert!(!log.contains(secret), "{secret} is in the log:\n{log}");
        }
        assert!(
            proxy
                .metric("trunkline_client_login_failures_total")
                .unwrap()
                >= 17.0
        );
    }
}

/// Before a client is known, nothing it sends is more than ten kilobytes, of another type, or half understood.
#[test]
fn malformed_logins() {
    let proxy = proxy(
        "rules: [ { users: plain, method: md5 }, { users: hashed, method: password }, { method: scram } ]",
        "",
    );
    let frame = |tag: u8, body: &[u8]| {
        let mut frame = vec![tag];
        frame.extend((body.len() as u32 + 4).to_be_bytes());
        frame.extend_from_slice(body);
        frame
    };
    let initial = |mechanism: &str, data: &str| {
        let mut body = mechanism.as_bytes().to_vec();
        body.push(0);
        body.extend((data.len() as u32).to_be_bytes());
        body.extend_from_slice(data.as_bytes());
        frame(b'p', &body)
    };
    let mut first = vec![
        // Not a password message, told at its first byte.
        b"Q".to_vec(),
        b"X".to_vec(),
        frame(b'Q', b"select 1\0"),
        // Lengths that lie: told at the header.
        b"p\xff\xff\xff\xff".to_vec(),
        b"p\0\0\0\x03".to_vec(),
        b"p\x7f\xff\xff\xff".to_vec(),
        b"p\0\0\x27\x10".to_vec(),
    ];
    for user in ["plain", "hashed"] {
        let mut sent = first.clone();
        sent.extend([frame(b'p', b""), frame(b'p', b"x"), frame(b'p', b"a\0b\0")]);
        for bytes in sent {
            let mut raw = Raw::connect(proxy.port);
            raw.begin(user);
            raw.send(&bytes);
            assert_eq!(
                raw.error().field(b'C').unwrap(),
                "08P01",
                "{user} {bytes:?}"
            );
        }
    }
    first.extend([
        frame(b'p', b"SCRAM-SHA-256"),
        frame(b'p', b"SCRAM-SHA-256\0\0\0\0\x0an,,n=,r=a"),
        initial("SCRAM-SHA-256-PLUS", "p=tls-server-end-point,,n=,r=abc"),
        initial("SCRAM-SHA-1", "n,,n=,r=abc"),
        initial("SCRAM-SHA-256", ""),
        initial("SCRAM-SHA-256", "n"),
        initial("SCRAM-SHA-256", "n,,n="),
        initial("SCRAM-SHA-256", "n,,n=,r="),
        initial("SCRAM-SHA-256", "p=tls-server-end-point,,n=,r=abc"),
        initial("SCRAM-SHA-256", &format!("n,,n=,r={}", "a".repeat(5_000))),
    ]);
    for user in ["app", "verified", "nobody"] {
        for bytes in &first {
            let mut raw = Raw::connect(proxy.port);
            raw.begin(user);
            raw.send(bytes);
            let error = raw.error();
            assert_eq!(
                error.field(b'C').unwrap(),
                "08P01",
                "{user} {bytes:?}: {error:?}"
            );
        }
        for (gs2, last) in [
            ("n", "c=biws,r=NONCE"),
            ("n", "c=biws,r=abc,p=PROOF"),
            ("n", "c=biws,r=NONCEx,p=PROOF"),
            ("n", "c=biws,r=,p=PROOF"),
            ("n", "c=eSws,r=NONCE,p=PROOF"),
            ("y", "c=biws,r=NONCE,p=PROOF"),
            ("n", "c=biws,r=NONCE,p=AAAA"),
            ("n", "c=biws,r=NONCE,p="),
            ("n", "c=biws,r=NONCE,p=\u{1}"),
            ("n", ""),
        ] {
            let mut raw = Raw::connect(proxy.port);
            raw.begin(user);
            raw.send(&initial("SCRAM-SHA-256", &format!("{gs2},,n=,r=abc")));
            let challenge = raw.message().unwrap();
            let challenge = String::from_utf8_lossy(&challenge.body[4..]).into_owned();
            let nonce = challenge
                .split(',')
                .next()
                .unwrap()
                .strip_prefix("r=")
                .unwrap();
            let proof = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
            let last = last.replace("NONCE", nonce).replace("PROOF", proof);
            raw.send(&frame(b'p', last.as_bytes()));
            let error = raw.error();
            assert_eq!(
                error.field(b'C').unwrap(),
                "08P01",
                "{user} {last}: {error:?}"
            );
        }
    }
    // The first message may come after an empty challenge.
    let mut raw = Raw::connect(proxy.port);
    raw.begin("app");
    raw.send(&frame(b'p', b"SCRAM-SHA-256\0\xff\xff\xff\xff"));
    assert_eq!(raw.message().unwrap().body, b"\0\0\0\x0b");
    raw.send(&frame(b'p', b"n,,n=,r=abc"));
    assert!(raw.message().unwrap().body.starts_with(b"\0\0\0\x0br=abc"));
    assert_eq!(log_in(proxy.port, "app", "app").code(), "in");
    assert!(!proxy.log().contains("panicked"));
}

/// A login has its time, however a client fills it.
#[test]
fn trickled_bytes_do_not_extend_the_deadline() {
    let proxy = proxy("limits: { login_timeout: 2s }", "");
    let mut startup = BytesMut::new();
    frontend::startup_message([("user", "app"), ("database", "app")], &mut startup).unwrap();
    let mut initial = BytesMut::new();
    let message = b"n,,n=,r=abcdefghijklmnopqrstuvwxyz";
    frontend::sasl_initial_response("SCRAM-SHA-256", message, &mut initial).unwrap();
    let phases: [(_, Vec<&[u8]>, &[u8]); 4] = [
        ("nothing", vec![], b""),
        ("startup", vec![], &startup),
        ("initial", vec![&startup], &initial),
        (
            "response",
            vec![&startup, &initial],
            b"p\0\0\x10\0c=biws,r=aaaaaaaaaaaaaaaaaaaaaaaaa",
        ),
    ];
    thread::scope(|scope| {
        for (phase, before, trickled) in phases {
            let port = proxy.port;
            scope.spawn(move || {
                let start = Instant::now();
                let mut raw = Raw::connect(port);
                for bytes in before {
                    raw.send(bytes);
                    raw.message().unwrap();
                }
                let mut stream = raw.stream.try_clone().unwrap();
                let trickled = trickled.to_vec();
                let (done, stop) = std::sync::mpsc::channel::<()>();
                let trickling = thread::spawn(move || {
                    for byte in trickled {
                        if stop.recv_timeout(Duration::from_millis(100)).is_ok()
                            || stream.write_all(&[byte]).is_err()
                        {
                            return;
                        }
                    }
                });
                let mut end = [0; 64];
                let read = raw.stream.read(&mut end).unwrap_or(0);
                let took = start.elapsed();
                let _ = done.send(());
                trickling.join().unwrap();
                assert_eq!(read, 0, "{phase}: closed without a word");
                let expected = Duration::from_millis(1_900)..Duration::from_secs(4);
                assert!(expected.contains(&took), "{phase} {took:?}");
            });
        }
    });
    assert_eq!(log_in(proxy.port, "app", "app").code(), "in");
}

#[test]
fn guessing_slows_its_own_address_only() {
    // One more failure every two seconds.
    let proxy = proxy(
        "rules: [ { method: md5 } ]\nlimits: { login_failures: 30 }",
        "",
    );
    let throttled = || {
        proxy
            .metric("trunkline_client_logins_throttled_total")
            .unwrap()
    };
    // Right passwords are free, however many.
    for _ in 0..40 {
        assert_eq!(log_in(proxy.port, "plain", "plain").code(), "in");
    }
    let start = Instant::now();
    for attempt in 0..30 {
        let user = if attempt % 2 == 0 { "plain" } else { "nobody" };
        assert_eq!(log_in(proxy.port, user, "wrong").code(), "28P01");
    }
    // More than the half of it has to be quick for the rest to mean something.
    assert!(
        start.elapsed() < Duration::from_secs(20),
        "{:?}",
        start.elapsed()
    );
    while throttled() == 0.0 {
        assert_eq!(log_in(proxy.port, "nobody", "wrong").code(), "28P01");
    }
    let (port, start) = (proxy.port, Instant::now());
    thread::scope(|scope| {
        // At once, and answered one after the other.
        let guesses: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(move || {
                    assert_eq!(log_in(port, "plain", "wrong").code(), "28P01");
                    start.elapsed()
                })
            })
            .collect();
        let right = scope.spawn(|| log_in(proxy.port, "plain", "plain").code());
        let other = Instant::now();
        for _ in 0..10 {
            let outcome = log_in_from(ELSEWHERE, proxy.port, "plain", "app", "plain");
            assert_eq!(outcome.code(), "in");
        }
        let other = other.elapsed();
        let mut times: Vec<_> = guesses
            .into_iter()
            .map(|guess| guess.join().unwrap())
            .collect();
        times.sort();
        assert_eq!(right.join().unwrap(), "in");
        // The right one took one of the four turns. A machine that stands still may bring two answers together, never one early.
        assert!(times[2] > Duration::from_secs(4), "{times:?}");
        assert!(times[1] > Duration::from_millis(1_900), "{times:?}");
        assert!(other < times[2], "{other:?} {times:?}");
    });
    assert!(throttled() >= 4.0);
}

/// With one failure a minute, nobody waits for a turn that comes after its deadline.
#[test]
fn who_cannot_live_to_see_its_turn_is_turned_away() {
    let proxy = proxy(
        "rules: [ { method: md5 } ]\nlimits: { login_failures: 1, login_timeout: 5s }",
        "",
    );
    assert_eq!(log_in(proxy.port, "plain", "wrong").code(), "28P01");
    let start = Instant::now();
    for password in ["wrong", "plain"] {
        assert_eq!(log_in(proxy.port, "plain", password).code(), "53300");
    }
    assert_eq!(log_in(proxy.port, "nobody", "wrong").code(), "53300");
    assert!(start.elapsed() < Duration::from_secs(5));
    let elsewhere = log_in_from(ELSEWHERE, proxy.port, "plain", "app", "plain");
    assert_eq!(elsewhere.code(), "in");
}

#[test]
fn long_and_strange_names() {
    let longest = "u".repeat(63);
    let proxy = proxy(
        "rules: [ { method: md5 } ]\nlimits: { login_failures: 1000 }",
        &format!("  - {{ name: {longest}, password: x, databases: [ app ] }}"),
    );
    // A longer name is somebody else's, and nobody's.
    for name in ["u".repeat(64), "u".repeat(9_000), "ä".repeat(40)] {
        let outcome = log_in(proxy.port, &name, "x");
        assert_eq!(
            (outcome.asked.as_slice(), &*outcome.code()),
            (&[MD5][..], "28P01")
        );
        assert!(outcome.message().len() < 150, "{}", outcome.message());
        let outcome = log_in_from(HOME, proxy.port, "plain", &name, "plain");
        assert_eq!(outcome.code(), "3D000");
        assert!(outcome.message().len() < 150, "{}", outcome.message());
    }
    // The server does not know that role, which is where the proxy has sent it.
    let outcome = log_in(proxy.port, &longest, "x");
    assert!(
        outcome.message().contains(&longest),
        "{}",
        outcome.message()
    );
    assert_ne!(outcome.code(), "28P01");
    for name in [
        "a\nb",
        "\u{1b}[31m",
        "\u{202e}",
        "' or 1=1 --",
        "\"",
        "%s%n",
        "\\",
    ] {
        assert_eq!(log_in(proxy.port, name, "x").code(), "28P01", "{name:?}");
        let told = log_in(proxy.port, name, "x").message();
        assert!(!told.contains(|c: char| c.is_control()), "{told:?}");
    }
    let mut raw = Raw::connect(proxy.port);
    raw.startup(&[("user", "plain"), ("x", &"y".repeat(10_000))]);
    assert_eq!(raw.error().field(b'C').unwrap(), "08P01");
    assert!(!proxy.log().contains("panicked"));
}

/// What a startup packet asks for has no effect before the client is known, and none on the proxy's own queries.
#[test]
fn startup_parameters_wait_for_the_proof() {
    let proxy = proxy("", "");
    let try_with = |parameter: (&str, &str), password| {
        let mut raw = Raw::connect(proxy.port);
        raw.startup(&[("user", "app"), ("database", "app"), parameter]);
        raw.log_in("app", password)
    };
    for parameter in [
        ("role", "postgres"),
        ("session_authorization", "postgres"),
        ("options", "-crole=postgres"),
        ("replication", "database"),
    ] {
        assert_eq!(
            try_with(parameter, "wrong").code(),
            "28P01",
            "{parameter:?}"
        );
        assert_eq!(try_with(parameter, "app").code(), "0A000", "{parameter:?}");
    }
    for parameter in [
        ("search_path", "evil, pg_catalog"),
        ("options", "-csearch_path=evil,pg_catalog"),
    ] {
        assert_eq!(
            try_with(parameter, "wrong").code(),
            "28P01",
            "{parameter:?}"
        );
        assert_eq!(try_with(parameter, "app").code(), "in", "{parameter:?}");
    }
    let wrong = try_with(("options", "--nonsense"), "wrong");
    assert_eq!(wrong.code(), "28P01");
    assert_eq!(try_with(("options", "--nonsense"), "app").code(), "22023");
}

#[test]
fn the_console_is_for_administrators() {
    let proxy = proxy("", "");
    let console =
        |user, password| log_in_from(HOME, proxy.port, user, "trunkline", password).code();
    assert_eq!(console("app", "app"), "in");
    assert_eq!(console("plain", "plain"), "42501");
    assert_eq!(console("plain", "wrong"), "28P01");
    assert_eq!(console("nobody", "nobody"), "28P01");
}

/// Users who are looked up on a shard get in by their own password and no other way, and nobody else does.
#[test]
fn strangers_stay_out_where_users_are_looked_up() {
    for (method, verified) in [("scram", "in"), ("password", "in"), ("md5", "28P01")] {
        let options = ProxyOptions {
            top: format!("rules: [ {{ method: {method} }} ]\nlimits: {{ login_failures: 1000 }}"),
            database: "    auth_query: {}".to_owned(),
            ..ProxyOptions::default()
        };
        let proxy = Proxy::start(&world().cluster, &options);
        assert_eq!(log_in(proxy.port, "verified", "verified").code(), verified);
        assert_eq!(log_in(proxy.port, "app", "app").code(), "in");
        let long = "verified".repeat(10);
        // The role `plain` has no password.
        for user in [
            "ghost",
            "plain",
            "verified\u{1}",
            "' or true --",
            "trunkline ",
            &long,
        ] {
            for password in ["", "verified", "app", user] {
                let outcome = log_in(proxy.port, user, password);
                assert_eq!(outcome.code(), "28P01", "{method} {user:?} {password:?}");
            }
        }
        let ghost = log_in(proxy.port, "ghost", "verified");
        let wrong = log_in(proxy.port, "verified", "ghost");
        assert_eq!(ghost.asked, wrong.asked);
        assert_eq!(
            ghost.message().replace("ghost", "verified"),
            wrong.message()
        );
        // Whoever was looked up was so for one database, and the console is none.
        let console = log_in_from(HOME, proxy.port, "verified", "trunkline", "verified");
        assert_eq!(console.code(), "28P01");
    }
}

fn openssl(directory: &Path, arguments: &str) {
    let output = Command::new("openssl")
        .current_dir(directory)
        .args(arguments.split(' '))
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments}: {output:?}");
}

#[test]
fn channel_binding_and_certificates() {
    let world = world();
    let directory = world.cluster.scratch.path().join("tls");
    fs::create_dir(&directory).unwrap();
    openssl(
        &directory,
        "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout server.key -out server.crt",
    );
    openssl(
        &directory,
        "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority -keyout ca.key -out ca.crt",
    );
    fs::write(directory.join("v3.cnf"), "basicConstraints=CA:FALSE\n").unwrap();
    for (file, name) in [("plain", "plain"), ("other", "somebody")] {
        openssl(
            &directory,
            &format!(
                "req -new -newkey rsa:2048 -nodes -subj /CN={name} -keyout {file}.key -out {file}.csr"
            ),
        );
        openssl(
            &directory,
            &format!(
                "x509 -req -in {file}.csr -CA ca.crt -CAkey ca.key -CAcreateserial -extfile v3.cnf -days 2 -out {file}.crt"
            ),
        );
    }
    let path = |file: &str| directory.join(file).display().to_string();
    let proxy = proxy(
        &format!(
            "tls: {{ certificate: {}, key: {}, client_ca: {} }}
limits: {{ login_failures: 1000 }}
rules:
  - {{ users: [ plain, nobody ], tls: required, method: certificate }}
  - {{ users: verified, tls: certificate, method: scram }}
  - {{ users: hashed, tls: none, method: reject }}
  - {{ method: scram }}",
            path("server.crt"),
            path("server.key"),
            path("ca.crt")
        ),
        "  - { name: robot, password: robot, databases: [ app ], certificate: somebody }",
    );
    let uri = |user: &str, more: &str| {
        let port = proxy.port;
        psql(&format!(
            "postgresql://{user}:{user}@127.0.0.1:{port}/app?{more}"
        ))
    };
    let tls = "sslmode=require&channel_binding";
    for binding in ["require", "prefer", "disable"] {
        let logged_in = uri("app", &format!("{tls}={binding}"));
        assert_eq!(logged_in.as_deref(), Ok("app"), "{binding}");
    }
    let wrong = format!(
        "postgresql://app:wrong@127.0.0.1:{}/app?{tls}=require",
        proxy.port
    );
    assert!(
        psql(&wrong)
            .unwrap_err()
            .contains("password authentication failed")
    );
    assert!(uri("app", "sslmode=disable&channel_binding=require").is_err());
    assert_eq!(uri("app", "sslmode=disable").as_deref(), Ok("app"));
    // By certificate, with no password asked for.
    let showing = |file: &str| {
        format!(
            "sslmode=require&sslcert={}&sslkey={}",
            path(&format!("{file}.crt")),
            path(&format!("{file}.key"))
        )
    };
    assert_eq!(uri("plain", &showing("plain")).as_deref(), Ok("plain"));
    let failed = |user: &str, file: &str| uri(user, &showing(file)).unwrap_err();
    for (user, file) in [("plain", "other"), ("nobody", "plain"), ("nobody", "other")] {
        let told = failed(user, file);
        let expected = format!("certificate authentication failed for user \"{user}\"");
        assert!(told.contains(&expected), "{told}");
    }
    let told = uri("plain", "sslmode=require&sslcert=/none&sslkey=/none").unwrap_err();
    assert!(
        told.contains("connection requires a valid client certificate"),
        "{told}"
    );
    // Besides a password: a certificate of whatever name.
    assert_eq!(
        uri("verified", &showing("other")).as_deref(),
        Ok("verified")
    );
    let told = uri("verified", "sslmode=require&sslcert=/none&sslkey=/none").unwrap_err();
    assert!(
        told.contains("connection requires a valid client certificate"),
        "{told}"
    );
    // Without TLS the rule does not fit, and the next one does.
    assert_eq!(
        uri("verified", "sslmode=disable").as_deref(),
        Ok("verified")
    );
    assert!(
        uri("hashed", "sslmode=disable")
            .unwrap_err()
            .contains("a rule rejects")
    );
}
