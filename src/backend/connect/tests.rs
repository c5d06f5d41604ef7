//! Logging in to scripted servers: those that mean well, refuse, lie, fall silent, or have unsuitable settings.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::config::PoolMode;

pub(in crate::backend) fn settings() -> PoolSettings {
    PoolSettings {
        mode: PoolMode::Transaction,
        size: 2,
        min: 0,
        wait: Duration::from_secs(5),
        lifetime: Duration::from_secs(3600),
        idle: Duration::from_secs(600),
        connect: Duration::from_secs(5),
        prepared_statements: 10,
    }
}

pub(in crate::backend) fn target(port: u16) -> Target {
    Target {
        shard: "s1".into(),
        address: Address::Tcp {
            host: "127.0.0.1".to_owned(),
            port,
        },
        dbname: "app".to_owned(),
        user: "app".to_owned(),
        credential: Credential::Password("secret".to_owned()),
        tls: Tls::disabled(),
        derived: DerivedKeys::default(),
    }
}

pub(in crate::backend) fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    [&[tag][..], &(body.len() as u32 + 4).to_be_bytes(), body].concat()
}

/// What a server says after a login without password.
pub(in crate::backend) fn welcome() -> Vec<u8> {
    [
        message(b'R', &[0, 0, 0, 0]),
        parameter("server_encoding", "UTF8"),
        parameter("client_encoding", "UTF8"),
        parameter("standard_conforming_strings", "on"),
        parameter("integer_datetimes", "on"),
        message(b'K', &[0, 0, 0, 7, 1, 2, 3, 4]),
        message(b'Z', b"I"),
    ]
    .concat()
}

fn parameter(name: &str, value: &str) -> Vec<u8> {
    message(b'S', format!("{name}\0{value}\0").as_bytes())
}

/// Reads the StartupMessage.
pub(in crate::backend) async fn read_startup(stream: &mut TcpStream) -> Vec<u8> {
    let length = stream.read_u32().await.expect("length");
    let mut body = vec![0; length as usize - 4];
    stream.read_exact(&mut body).await.expect("startup message");
    body
}

async fn read_message(stream: &mut TcpStream) -> (u8, Vec<u8>) {
    let tag = stream.read_u8().await.expect("tag");
    (tag, read_startup(stream).await)
}

/// Connects to a server that sends `answer` to the StartupMessage and then closes.
async fn connect_to(answer: &[u8]) -> Result<Connection, PgError> {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let port = listener.local_addr().expect("address").port();
    let server = async {
        let (mut stream, _) = listener.accept().await.expect("accept");
        read_startup(&mut stream).await;
        stream.write_all(answer).await.expect("write");
        stream
    };
    let (target, settings) = (target(port), settings());
    let (connected, _stream) = tokio::join!(connect(&target, &settings), async {
        let mut stream = server.await;
        let _ = stream.shutdown().await;
        stream
    });
    connected
}

#[tokio::test]
async fn logs_in_and_remembers_what_it_was_told() {
    let connection = connect_to(&welcome()).await.expect("logs in");
    assert_eq!(connection.parameters.get("server_encoding"), Some("UTF8"));
    assert_eq!(
        (connection.cancel.process_id, &*connection.cancel.secret),
        (7, &[1, 2, 3, 4][..])
    );
    assert_eq!(connection.settings, SettingsMark(0));
    assert!(connection.is_quiet());
}

#[tokio::test]
async fn says_who_and_what_it_is() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let target = target(listener.local_addr().expect("address").port());
    let settings = settings();
    let (_, startup) = tokio::join!(connect(&target, &settings), async {
        read_startup(&mut listener.accept().await.expect("accept").0).await
    });
    let text = b"\0\x03\0\0user\0app\0database\0app\0client_encoding\0UTF8\0\0";
    assert_eq!(startup, text);
}

#[tokio::test]
async fn a_servers_refusal_keeps_its_sqlstate_and_gains_its_place() {
    let body = b"SFATAL\0VFATAL\0C28P01\0Mpassword authentication failed for user \"app\"\0\0";
    let error = connect_to(&message(b'E', body))
        .await
        .err()
        .expect("refused");
    assert_eq!(
        (error.code, error.retry),
        (SqlState::INVALID_PASSWORD, Retry::Safe)
    );
    assert!(
        error.message.starts_with("shard s1: server 127.0.0.1:"),
        "{}",
        error.message
    );
    assert!(
        error
            .message
            .ends_with("password authentication failed for user \"app\""),
        "{}",
        error.message
    );
}

#[tokio::test]
async fn lying_servers() {
    let ok = message(b'R', &[0, 0, 0, 0]);
    let sasl = message(b'R', b"\0\0\0\x0aSCRAM-SHA-256\0\0");
    let without = |part: &[u8]| {
        let welcome = welcome();
        let start = welcome
            .windows(part.len())
            .position(|window| window == part)
            .expect("part of it");
        [&welcome[..start], &welcome[start + part.len()..]].concat()
    };
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("nothing", Vec::new()),
        ("length 0", b"R\0\0\0\0".to_vec()),
        ("length 3", b"R\0\0\0\x03".to_vec()),
        ("2 GiB", b"R\x7f\xff\xff\xff".to_vec()),
        ("negative length", b"R\xff\xff\xff\xff".to_vec()),
        ("9 KiB before authentication", message(b'R', &[0; 9000])),
        ("ends within a message", welcome()[..30].to_vec()),
        ("authentication code cut", message(b'R', &[0, 0])),
        ("unknown authentication", message(b'R', &[0, 0, 0, 99])),
        ("Kerberos", message(b'R', &[0, 0, 0, 2])),
        ("MD5 without salt", message(b'R', &[0, 0, 0, 5])),
        ("ready before authentication", message(b'Z', b"I")),
        ("key before authentication", message(b'K', &[0; 8])),
        (
            "OK in the middle of SASL",
            [sasl.clone(), welcome()].concat(),
        ),
        (
            "SASL final before continue",
            [sasl.clone(), message(b'R', b"\0\0\0\x0cv=AAAA")].concat(),
        ),
        ("SASL twice", [sasl.clone(), sasl.clone()].concat()),
        ("SASL without mechanisms", message(b'R', b"\0\0\0\x0a\0")),
        (
            "no BackendKeyData",
            without(&message(b'K', &[0, 0, 0, 7, 1, 2, 3, 4])),
        ),
        (
            "short BackendKeyData",
            [ok.clone(), message(b'K', &[0; 7])].concat(),
        ),
        (
            "long BackendKeyData",
            [ok.clone(), message(b'K', &[0; 300])].concat(),
        ),
        (
            "malformed ParameterStatus",
            [ok.clone(), message(b'S', b"name\0value")].concat(),
        ),
        (
            "no server_encoding",
            without(&parameter("server_encoding", "UTF8")),
        ),
        (
            "rows before ready",
            [ok.clone(), message(b'D', &[0, 0])].concat(),
        ),
        (
            "in a transaction",
            [&welcome()[..welcome().len() - 1], b"T"].concat(),
        ),
        (
            "bytes after ready",
            [welcome(), message(b'S', b"a\0b\0")].concat(),
        ),
        (
            "no standard_conforming_strings",
            without(&parameter("standard_conforming_strings", "on")),
        ),
        ("endless notices", message(b'N', b"\0").repeat(1000)),
        (
            "endless parameters",
            [ok.clone(), parameter("a", "b").repeat(1000)].concat(),
        ),
    ];
    for (what, answer) in cases {
        let error = connect_to(&answer)
            .await
            .err()
            .unwrap_or_else(|| panic!("{what} was accepted"));
        assert_eq!(error.code, SqlState::CONNECTION_FAILURE, "{what}: {error}");
        assert_eq!(error.retry, Retry::Safe, "{what}");
        assert!(!error.message.contains("secret"), "{what}: {error}");
    }
}

#[tokio::test]
async fn unsuitable_settings_are_refused() {
    for (name, value) in [
        ("server_encoding", "LATIN1"),
        ("standard_conforming_strings", "off"),
        ("client_encoding", "SQL_ASCII"),
    ] {
        let good = welcome();
        let ready = good.len() - 6;
        let answer = [&good[..ready], &parameter(name, value), &good[ready..]].concat();
        let error = connect_to(&answer).await.err().expect("unsuitable");
        assert!(
            error.message.contains(&format!("{name} is {value}")),
            "{error}"
        );
    }
}

#[tokio::test]
async fn scram_and_md5_logins() {
    for scram in [true, false] {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let target = target(listener.local_addr().expect("address").port());
        let settings = settings();
        let server = async {
            let (mut stream, _) = listener.accept().await.expect("accept");
            read_startup(&mut stream).await;
            if scram {
                serve_scram(&mut stream).await;
            } else {
                stream
                    .write_all(&message(b'R', &[0, 0, 0, 5, 9, 9, 9, 9]))
                    .await
                    .expect("write");
                let (tag, hash) = read_message(&mut stream).await;
                assert_eq!(
                    (tag, hash.starts_with(b"md5"), hash.len()),
                    (b'p', true, 36)
                );
            }
            stream.write_all(&welcome()).await.expect("write");
            stream
        };
        let (connected, _stream) = tokio::join!(connect(&target, &settings), server);
        connected.expect("logs in");
    }
}

async fn serve_scram(stream: &mut TcpStream) {
    use crate::auth::Secret;

    serve_scram_with(stream, &Arc::new(Secret::from_password("app", "secret"))).await;
}

async fn serve_scram_with(stream: &mut TcpStream, secret: &Arc<crate::auth::Secret>) {
    use crate::auth::{Mechanism, ScramServer};

    let mut scram = ScramServer::new(Arc::clone(secret), None);
    stream
        .write_all(&message(
            b'R',
            b"\0\0\0\x0aSCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0",
        ))
        .await
        .expect("write");
    let (_, first) = read_message(stream).await;
    let first = first
        .strip_prefix(b"SCRAM-SHA-256\0")
        .expect("no TLS, so without binding");
    let challenge = scram
        .first(Mechanism::Scram, &first[4..])
        .expect("well-formed");
    stream
        .write_all(&message(b'R', &[&[0, 0, 0, 11], &challenge[..]].concat()))
        .await
        .expect("write");
    let (_, last) = read_message(stream).await;
    let signature = scram.finish(&last).expect("the right password").answer;
    stream
        .write_all(&message(b'R', &[&[0, 0, 0, 12], &signature[..]].concat()))
        .await
        .expect("write");
}

#[tokio::test]
async fn a_silent_server_is_given_up() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bind");
    let target = target(listener.local_addr().expect("address").port());
    let error = connect(
        &target,
        &PoolSettings {
            connect: Duration::from_millis(50),
            ..settings()
        },
    )
    .await
    .err()
    .expect("nobody answers");
    assert_eq!(error.code, SqlState::CONNECTION_FAILURE);
}

/// A second login to the same server derives nothing; one to a server with another salt does.
#[tokio::test]
async fn keys_are_derived_once_for_a_target() {
    use crate::auth::Secret;

    let secrets = [
        Arc::new(Secret::from_password("app", "secret")),
        Arc::new(Secret::from_password("app", "secret")),
    ];
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let target = target(listener.local_addr().expect("address").port());
    let settings = settings();
    let mut derived = Vec::new();
    for secret in [0, 0, 1] {
        let server = async {
            let (mut stream, _) = listener.accept().await.expect("accept");
            read_startup(&mut stream).await;
            serve_scram_with(&mut stream, &secrets[secret]).await;
            stream.write_all(&welcome()).await.expect("write");
            stream
        };
        let (connected, _stream) = tokio::join!(connect(&target, &settings), server);
        connected.expect("logs in");
        derived.push(target.derived.last().expect("kept"));
    }
    assert!(Arc::ptr_eq(&derived[0], &derived[1]));
    assert!(!Arc::ptr_eq(&derived[1], &derived[2]));
}

#[tokio::test]
async fn a_credential_that_cannot_do_it_is_named() {
    let keys = |salt: &[u8]| {
        let keys = ScramKeys::derive("secret", salt.to_vec(), 4096);
        Credential::Scram(Arc::new(keys))
    };
    let clear_text = message(b'R', &[0, 0, 0, 3]);
    for (credential, says) in [
        (
            keys(b"salt"),
            "asks for a password in clear text, which a SCRAM verifier cannot answer",
        ),
        (
            Credential::Md5("md5…".to_owned()),
            "which an MD5 hash cannot answer",
        ),
        (Credential::None, "none is configured"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let target = Target {
            credential,
            ..target(listener.local_addr().expect("address").port())
        };
        let settings = settings();
        let (connected, _stream) = tokio::join!(connect(&target, &settings), async {
            let (mut stream, _) = listener.accept().await.expect("accept");
            read_startup(&mut stream).await;
            stream.write_all(&clear_text).await.expect("write");
            stream
        });
        let error = connected.err().expect("cannot log in");
        assert_eq!(error.code, SqlState::INVALID_AUTHORIZATION);
        assert!(error.message.contains(says), "{error}");
        assert!(
            error
                .hint
                .is_some_and(|hint| hint.contains("server_password"))
        );
    }
}
