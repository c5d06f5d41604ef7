//! From an address to a connection that is ready for queries.
//!
//! ```text
//! connect ─▶ TLS ─▶ StartupMessage ─▶ Authentication … Ok ─▶ ParameterStatus, BackendKeyData ─▶ ReadyForQuery
//! ```
//!
//! One deadline covers it all. Until the server has authenticated, and it us, messages must be small.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::BytesMut;
use postgres_protocol::message::frontend;
use tokio::io::AsyncWriteExt;
use tokio::time::Instant;

use super::cancel::CancelKey;
use super::connection::{Connection, SettingsMark};
use super::message::{Frame, error_response, read_frame};
use super::parameters::Parameters;
use super::prepared::Prepared;
use crate::auth::{ClientAuth, ClientAuthError, Credential, Identity, ScramKeys, Step};
use crate::config::{Address, PoolSettings};
use crate::error::{PgError, Retry, SqlState};
use crate::net::{self, Home, READ_BYTES, Stream, Tls, timer};
use crate::wire::TransactionStatus;

/// Where to connect, and as whom. `Debug` is left out on purpose: it holds a secret.
#[derive(Clone)]
pub struct Target {
    pub shard: Arc<str>,
    pub address: Address,
    pub dbname: String,
    pub user: String,
    pub credential: Credential,
    pub tls: Arc<Tls>,
    /// What the password's SCRAM keys were last time.
    pub derived: DerivedKeys,
}

/// SCRAM keys derived from a password, kept so that only the first login to a server pays for them.
#[derive(Clone, Default)]
pub struct DerivedKeys(Arc<Mutex<Option<Arc<ScramKeys>>>>);

impl DerivedKeys {
    fn last(&self) -> Option<Arc<ScramKeys>> {
        // A finished value or none is valid at every moment, even if a holder panicked.
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn keep(&self, keys: Arc<ScramKeys>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(keys);
    }
}

/// Connects and logs in, within `settings.connect`. Every error is safe to retry: no statement was sent.
///
/// Cancel safe: dropping it closes the socket.
pub async fn connect(target: &Target, settings: &PoolSettings) -> Result<Connection, PgError> {
    let deadline = Instant::now() + settings.connect;
    let login = async {
        let stream = net::open(&target.address, &target.tls, settings.connect).await?;
        login(stream, target, settings.prepared_statements).await
    };
    let failure = match timer::timeout_at(deadline, login).await {
        Ok(Ok(connection)) => return Ok(connection),
        Ok(Err(failure)) => failure,
        Err(_) => Failure::Io(io::Error::new(
            io::ErrorKind::TimedOut,
            "login took too long",
        )),
    };
    Err(failure.into_error(target))
}

/// Why there is no connection.
#[derive(Debug)]
enum Failure {
    Io(io::Error),
    Auth(ClientAuthError),
    /// The server said so itself.
    Server(PgError),
    Protocol(&'static str),
    Unusable(String),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Failure {
    /// Names shard and server. The client did not choose the server's password, so a server that refuses
    /// it is not the client's 28P01 to see: the SQLSTATE stays, the message says between whom it was.
    /// What cannot log in whatever the server's state is 28000.
    fn into_error(self, target: &Target) -> PgError {
        let place = format!("shard {}: server {}", target.shard, target.address);
        let scram = matches!(target.credential, Credential::Scram(_));
        let error = match self {
            Self::Server(error) => {
                let refused = error.code == SqlState::INVALID_PASSWORD && scram;
                let error = PgError {
                    message: format!("{place}: {}", error.message),
                    position: None,
                    ..error
                };
                match refused {
                    true => error.with_hint(SAME_VERIFIER),
                    false => error,
                }
            }
            Self::Auth(error @ ClientAuthError::OtherVerifier) => PgError::shard(
                SqlState::INVALID_AUTHORIZATION,
                format!("{place}: login as {} failed: {error}", target.user),
            )
            .with_hint(SAME_VERIFIER),
            Self::Auth(
                error @ (ClientAuthError::NoPassword | ClientAuthError::Insufficient { .. }),
            ) => PgError::shard(
                SqlState::INVALID_AUTHORIZATION,
                format!("{place}: login as {} failed: {error}", target.user),
            )
            .with_hint(NO_PASSWORD),
            Self::Io(error) => PgError::shard(
                SqlState::CONNECTION_FAILURE,
                format!("{place} cannot be reached: {error}"),
            ),
            Self::Auth(error) => PgError::shard(
                SqlState::CONNECTION_FAILURE,
                format!("{place}: login as {} failed: {error}", target.user),
            ),
            Self::Protocol(what) => PgError::shard(
                SqlState::CONNECTION_FAILURE,
                format!("{place} breaks the protocol: {what}"),
            ),
            Self::Unusable(reason) => PgError::shard(
                SqlState::CONNECTION_FAILURE,
                format!("{place} cannot be used: {reason}"),
            ),
        };
        PgError {
            retry: Retry::Safe,
            ..error
        }
    }
}

async fn login(
    stream: Stream,
    target: &Target,
    prepared_limit: usize,
) -> Result<Connection, Failure> {
    let mut login = Login {
        stream,
        input: BytesMut::with_capacity(BUFFER),
        output: BytesMut::with_capacity(BUFFER),
    };
    let startup = [
        ("user", target.user.as_str()),
        ("database", target.dbname.as_str()),
        ("client_encoding", "UTF8"),
    ];
    frontend::startup_message(startup, &mut login.output)?;
    login.flush().await?;
    login.authenticate(target).await?;
    let session = login.await_ready().await?;
    session.parameters.check().map_err(Failure::Unusable)?;
    let now = Instant::now();
    Ok(Connection {
        stream: login.stream,
        input: login.input,
        read_bytes: READ_BYTES,
        output: login.output,
        cancel: Arc::new(CancelKey {
            address: target.address.clone(),
            tls: Arc::clone(&target.tls),
            process_id: session.process_id,
            secret: session.secret,
        }),
        parameters: Arc::new(session.parameters),
        prepared: Prepared::new(prepared_limit),
        settings: SettingsMark::default(),
        status: TransactionStatus::Idle,
        shard: Arc::clone(&target.shard),
        server: target.address.to_string().into(),
        created: now,
        last_used: now,
        home: Home::here(),
        generation: 0,
    })
}

struct Login {
    stream: Stream,
    input: BytesMut,
    output: BytesMut,
}

/// What the server told between AuthenticationOk and ReadyForQuery.
struct Session {
    parameters: Parameters,
    process_id: i32,
    secret: Arc<[u8]>,
}

impl Login {
    async fn flush(&mut self) -> io::Result<()> {
        self.stream.write_all_buf(&mut self.output).await?;
        self.stream.flush().await
    }

    async fn authenticate(&mut self, target: &Target) -> Result<(), Failure> {
        let binding = self.stream.channel_binding();
        let derived = target.derived.last();
        let mut auth = ClientAuth::new(Identity {
            user: &target.user,
            credential: &target.credential,
            derived: derived.as_ref(),
            channel_binding: binding.as_deref(),
        });
        for _ in 0..AUTHENTICATION_FRAMES_MAX {
            let frame = self.frame(AUTHENTICATION_BODY_MAX).await?;
            match frame.tag {
                b'R' => match auth
                    .step(&frame.body, &mut self.output)
                    .map_err(Failure::Auth)?
                {
                    Step::Send => self.flush().await?,
                    Step::Derive(derivation) => {
                        // Not on a thread that moves other clients' bytes.
                        let keys = tokio::task::spawn_blocking(|| Arc::new(derivation.run()))
                            .await
                            .map_err(io::Error::other)?;
                        auth.derived(&keys, &mut self.output)
                            .map_err(Failure::Auth)?;
                        target.derived.keep(keys);
                        self.flush().await?;
                    }
                    Step::Wait => {}
                    Step::Done => return Ok(()),
                },
                b'N' => {}
                // NegotiateProtocolVersion answers what we did not ask: 3.0 has nothing to negotiate.
                _ => return Err(Failure::Protocol("not an authentication message")),
            }
        }
        Err(Failure::Protocol("authentication does not end"))
    }

    async fn await_ready(&mut self) -> Result<Session, Failure> {
        let mut parameters = Parameters::default();
        let mut key = None;
        for _ in 0..STARTUP_FRAMES_MAX {
            let frame = self.frame(STARTUP_BODY_MAX).await?;
            match frame.tag {
                b'S' => parameters
                    .update(&frame.body)
                    .map_err(|_| Failure::Protocol("malformed ParameterStatus"))?,
                b'K' => {
                    key = Some(
                        backend_key(&frame.body)
                            .ok_or(Failure::Protocol("malformed BackendKeyData"))?,
                    )
                }
                b'N' => {}
                b'Z' if *frame.body == *b"I" => {
                    if !self.input.is_empty() {
                        return Err(Failure::Protocol("bytes after ReadyForQuery"));
                    }
                    let (process_id, secret) = key.ok_or(Failure::Protocol("no BackendKeyData"))?;
                    return Ok(Session {
                        parameters,
                        process_id,
                        secret,
                    });
                }
                _ => return Err(Failure::Protocol("unexpected message before ReadyForQuery")),
            }
        }
        Err(Failure::Protocol("startup does not end"))
    }

    /// The next message; a server's ErrorResponse becomes the failure it reports.
    async fn frame(&mut self, body_max: usize) -> Result<Frame, Failure> {
        let frame = read_frame(&mut self.stream, &mut self.input, body_max).await?;
        match frame.tag {
            b'E' => Err(Failure::Server(error_response(&frame.body))),
            _ => Ok(frame),
        }
    }
}

/// Process id and secret; 3.0 secrets have four bytes, and nothing longer was asked for.
pub(super) fn backend_key(body: &[u8]) -> Option<(i32, Arc<[u8]>)> {
    let (process_id, secret) = body.split_first_chunk::<4>()?;
    (secret.len() == 4).then(|| (i32::from_be_bytes(*process_id), Arc::from(secret)))
}

const SAME_VERIFIER: &str = "The user logs in to servers with the keys of its own login, so every server needs the \
     same verifier: copy pg_authid.rolpassword, or configure server_password. After a change of password, connect again.";
const NO_PASSWORD: &str = "Configure server_password for the user, or have it log in with SCRAM-SHA-256 where servers \
     ask for that.";

const BUFFER: usize = 8 * 1024;
/// The largest of them is a list of SASL mechanisms.
const AUTHENTICATION_BODY_MAX: usize = 8 * 1024;
const AUTHENTICATION_FRAMES_MAX: usize = 16;
/// `search_path` is reported by later versions and may be long.
const STARTUP_BODY_MAX: usize = 64 * 1024;
const STARTUP_FRAMES_MAX: usize = 256;

#[cfg(test)]
pub(super) mod tests;
