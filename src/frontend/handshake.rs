//! From the first byte to a known user: startup packet, SCRAM-SHA-256, what the session starts with.
//!
//! ```text
//!   Startup ──SSLRequest, GSSENCRequest: 'N'──> Startup ──CancelRequest──> end
//!      └─────startup packet──> Authenticate ──proof──> let in
//! ```
//!
//! Everything here happens within one deadline and within small buffers.

use std::sync::Arc;
use std::time::Duration;

use bytes::Buf;

use super::Doors;
use crate::auth::{ScramError, ScramServer};
use crate::config::User;
use crate::error::{PgError, SqlState};
use crate::net::{Buffered, Peer};
use crate::session::{Failure, Registered, Settings};
use crate::topology::{LiveDatabase, Snapshot};
use crate::wire::{self, Replies, Startup, StartupPacket, frontend};

/// PostgreSQL's own `authentication_timeout`. Bytes that trickle in do not extend it.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(60);

/// How long the last message to a client may take.
pub(super) const FAREWELL_TIMEOUT: Duration = Duration::from_secs(2);

/// SCRAM messages are far smaller.
const PASSWORD_BYTES_MAX: usize = 10_000;

/// SSLRequest and GSSENCRequest, once each; more is a client that plays.
const NEGOTIATIONS_MAX: usize = 2;

/// The admin console's database.
pub const CONSOLE_DATABASE: &str = "trunkline";

/// Who was let in, and to what.
pub(super) enum Login {
    Console(Registered),
    Session {
        registered: Registered,
        snapshot: Arc<Snapshot>,
        user: Arc<User>,
        database: Arc<LiveDatabase>,
        settings: Settings,
    },
}

/// Runs the handshake; `None` where the connection has served its purpose (a cancel request) or the
/// client left.
pub(super) async fn run(
    doors: &Doors,
    io: &mut Buffered,
    peer: &Peer,
) -> Result<Option<Login>, Failure> {
    match tokio::time::timeout(LOGIN_TIMEOUT, steps(doors, io, peer)).await {
        Ok(outcome) => outcome,
        // PostgreSQL closes without a word too.
        Err(_) => Ok(None),
    }
}

async fn steps(doors: &Doors, io: &mut Buffered, peer: &Peer) -> Result<Option<Login>, Failure> {
    let Some(startup) = startup(doors, io).await? else {
        return Ok(None);
    };
    negotiate(io, &startup);
    let snapshot = doors.shared.topology.snapshot();
    let user = snapshot.config.users.get(&startup.user).cloned();
    if !authenticate(doors, io, &startup.user, user.as_deref()).await? {
        return Ok(None);
    }
    // Only now may the answer depend on whether the user exists.
    let Some(user) = user else {
        return Err(Failure::Fatal(wrong_password(&startup.user)));
    };
    let settings = session_settings(&startup)?;
    let application = startup
        .parameters
        .get("application_name")
        .cloned()
        .unwrap_or_default();
    let registered = doors.shared.registry.register(
        &startup.user,
        &startup.database,
        peer.to_string(),
        application,
        rand::random(),
    );
    if startup.database == CONSOLE_DATABASE {
        if user.admin {
            return Ok(Some(Login::Console(registered)));
        }
        return Err(Failure::Fatal(PgError::client(
            SqlState::INSUFFICIENT_PRIVILEGE,
            format!("user \"{}\" may not use the admin console", user.name),
        )));
    }
    let database = snapshot.databases.get(&startup.database);
    let (Some(database), true) = (database, user.databases.contains(&startup.database)) else {
        // The same for a database that is not there and one that is not this user's.
        return Err(Failure::Fatal(PgError::client(
            SqlState::INVALID_CATALOG_NAME,
            format!("database \"{}\" does not exist", startup.database),
        )));
    };
    let database = Arc::clone(database);
    Ok(Some(Login::Session {
        registered,
        snapshot,
        user,
        database,
        settings,
    }))
}

/// Reads packets until the startup packet.
async fn startup(doors: &Doors, io: &mut Buffered) -> Result<Option<Startup>, Failure> {
    let mut negotiations = 0;
    loop {
        let packet = wire::startup_packet(&io.input).map_err(|e| {
            Failure::Fatal(PgError::client(SqlState::PROTOCOL_VIOLATION, e.to_string()))
        })?;
        let Some((packet, length)) = packet else {
            if io.fill().await? == 0 {
                return Ok(None);
            }
            continue;
        };
        io.input.advance(length);
        match packet {
            StartupPacket::Startup(startup) => return Ok(Some(startup)),
            StartupPacket::Cancel(request) => {
                let registry = doors.shared.registry.clone();
                // A task of its own: a client that hangs up must not leave a cancel halfway.
                let cancel = tokio::spawn(async move {
                    registry.cancel(request.process_id, &request.secret).await;
                });
                let _ = cancel.await;
                return Ok(None);
            }
            StartupPacket::Ssl | StartupPacket::GssEnc => {
                negotiations += 1;
                // Bytes behind the request were sent before our answer: whoever did that is not
                // the client (CVE-2021-23214).
                if !io.input.is_empty() || negotiations > NEGOTIATIONS_MAX {
                    return Err(Failure::Fatal(PgError::client(
                        SqlState::PROTOCOL_VIOLATION,
                        "received unencrypted data after SSL or GSSAPI encryption request",
                    )));
                }
                io.output.extend_from_slice(b"N");
                io.flush().await?;
            }
        }
    }
}

/// Answers a newer minor version, or protocol options, by what is spoken here: 3.0 and none.
fn negotiate(io: &mut Buffered, startup: &Startup) {
    let options: Vec<String> = startup
        .parameters
        .keys()
        .filter(|name| name.starts_with("_pq_."))
        .cloned()
        .collect();
    if startup.minor > 0 || !options.is_empty() {
        io.output.negotiate_protocol_version(options);
    }
}

/// SCRAM-SHA-256. An unknown user goes through the same motions. False where the client left.
async fn authenticate(
    doors: &Doors,
    io: &mut Buffered,
    name: &str,
    user: Option<&User>,
) -> Result<bool, Failure> {
    let secret = doors.secrets.for_user(name, user);
    let mut scram = ScramServer::new(secret);
    io.output.authentication_sasl(&[ScramServer::MECHANISM]);
    io.flush().await?;
    let Some(initial) = password_message(io).await? else {
        return Ok(false);
    };
    let first = initial_response(&initial)?;
    let challenge = scram.first(first).map_err(|e| refused(doors, name, &e))?;
    io.output.authentication_sasl_continue(challenge);
    io.flush().await?;
    let Some(response) = password_message(io).await? else {
        return Ok(false);
    };
    let last = scram
        .finish(&response)
        .map_err(|e| refused(doors, name, &e))?;
    io.output.authentication_sasl_final(last);
    Ok(true)
}

/// Body of the next message, which must be a password message.
async fn password_message(io: &mut Buffered) -> Result<Option<Vec<u8>>, Failure> {
    loop {
        let head = wire::header(&io.input).map_err(|e| violation(e.to_string()))?;
        if let Some(head) = head {
            if head.tag != frontend::PASSWORD || head.len > PASSWORD_BYTES_MAX {
                return Err(violation(format!(
                    "expected SASL response, got message type 0x{:02x}",
                    head.tag
                )));
            }
            if io.input.len() >= head.len {
                let frame = io.input.split_to(head.len);
                return Ok(Some(frame[wire::HEADER_BYTES..].to_vec()));
            }
        }
        if io.fill().await? == 0 {
            return Ok(None);
        }
    }
}

/// SASLInitialResponse: the mechanism's name, then the counted first message.
fn initial_response(body: &[u8]) -> Result<&[u8], Failure> {
    let malformed = || violation("malformed SASLInitialResponse".to_owned());
    let end = body.iter().position(|b| *b == 0).ok_or_else(malformed)?;
    let (mechanism, rest) = (&body[..end], &body[end + 1..]);
    if mechanism != ScramServer::MECHANISM.as_bytes() {
        return Err(violation(
            "client selected an invalid SASL authentication mechanism".to_owned(),
        ));
    }
    let (length, data) = rest.split_first_chunk::<4>().ok_or_else(malformed)?;
    if usize::try_from(i32::from_be_bytes(*length)) != Ok(data.len()) {
        return Err(malformed());
    }
    Ok(data)
}

fn violation(message: String) -> Failure {
    Failure::Fatal(PgError::client(SqlState::PROTOCOL_VIOLATION, message))
}

fn refused(doors: &Doors, name: &str, error: &ScramError) -> Failure {
    doors.shared.metrics.clients.login_failures.inc();
    match error {
        ScramError::WrongProof => Failure::Fatal(wrong_password(name)),
        ScramError::Malformed(_) => violation(error.to_string()),
        ScramError::Unsupported(_) => Failure::Fatal(PgError::client(
            SqlState::FEATURE_NOT_SUPPORTED,
            error.to_string(),
        )),
    }
}

fn wrong_password(name: &str) -> PgError {
    PgError::client(
        SqlState::INVALID_PASSWORD,
        format!("password authentication failed for user \"{name}\""),
    )
}

/// What the startup packet sets for the session.
///
/// Errors: parameters whose effect the proxy could not keep true.
fn session_settings(startup: &Startup) -> Result<Settings, Failure> {
    let mut settings: Vec<(String, String)> = Vec::new();
    for (name, value) in &startup.parameters {
        match name.to_ascii_lowercase().as_str() {
            "options" => settings.extend(command_line(value)?),
            "replication" if matches!(value.as_str(), "false" | "off" | "no" | "0") => {}
            _ if name.starts_with("_pq_.") => {}
            _ => settings.push((name.clone(), value.clone())),
        }
    }
    for (name, value) in &settings {
        admit_setting(name, value)?;
    }
    Ok(Settings::from_startup(
        settings
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str())),
    ))
}

fn admit_setting(name: &str, value: &str) -> Result<(), Failure> {
    let refuse = |why: &str| {
        Err(Failure::Fatal(PgError::refusal(
            format!("startup parameter \"{name}\" = \"{value}\": {why}"),
            "Leave the parameter out of the connection string.",
        )))
    };
    match name.to_ascii_lowercase().as_str() {
        "replication" => refuse("replication does not pass through the proxy"),
        "role" | "session_authorization" => refuse("connect as that user instead"),
        "standard_conforming_strings" if !matches!(value, "on" | "true" | "yes" | "1") => {
            refuse("statements are read with standard strings")
        }
        "client_encoding" => {
            let plain: String = value.chars().filter(char::is_ascii_alphanumeric).collect();
            match plain.to_ascii_lowercase().as_str() {
                "utf8" | "unicode" | "sqlascii" => Ok(()),
                _ => refuse("statements are read as UTF-8"),
            }
        }
        _ => Ok(()),
    }
}

/// `-c name=value` and `--name=value`, as libpq's `options` brings them; blanks escaped by backslash.
/// Source: <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNECT-OPTIONS>
fn command_line(options: &str) -> Result<Vec<(String, String)>, Failure> {
    let mut words: Vec<String> = vec![String::new()];
    let mut chars = options.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => words.last_mut().expect("never empty").extend(chars.next()),
            c if c.is_ascii_whitespace() => words.push(String::new()),
            c => words.last_mut().expect("never empty").push(c),
        }
    }
    let mut words = words.into_iter().filter(|word| !word.is_empty());
    let mut settings = Vec::new();
    while let Some(word) = words.next() {
        let assignment = if word == "-c" {
            words.next()
        } else {
            word.strip_prefix("--")
                .or_else(|| word.strip_prefix("-c"))
                .map(str::to_owned)
        };
        let Some((name, value)) = assignment.as_deref().and_then(|a| a.split_once('=')) else {
            return Err(Failure::Fatal(PgError::client(
                SqlState::INVALID_PARAMETER_VALUE,
                format!(
                    "startup parameter \"options\": \"{word}\" is not understood; use -c name=value"
                ),
            )));
        };
        settings.push((name.replace('-', "_"), value.to_owned()));
    }
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_as_libpq_writes_them() {
        let read = |text| command_line(text).ok();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(read("-c geqo=off"), Some(vec![pair("geqo", "off")]));
        assert_eq!(
            read("-csearch_path=a,b --statement-timeout=5s"),
            Some(vec![
                pair("search_path", "a,b"),
                pair("statement_timeout", "5s")
            ])
        );
        assert_eq!(
            read(r"-c application_name=a\ b"),
            Some(vec![pair("application_name", "a b")])
        );
        assert_eq!(read("-d"), None);
        assert_eq!(read("-c"), None);
        assert_eq!(read(""), Some(vec![]));
    }

    #[test]
    fn an_initial_response_is_checked() {
        assert_eq!(
            initial_response(b"SCRAM-SHA-256\0\0\0\0\x03abc").ok(),
            Some(&b"abc"[..])
        );
        for body in [
            &b"SCRAM-SHA-256"[..],
            b"SCRAM-SHA-256\0",
            b"SCRAM-SHA-256\0\0\0\0\x04abc",
            b"X\0\0\0\0\0",
            b"",
        ] {
            assert!(initial_response(body).is_err(), "{body:?}");
        }
    }
}
