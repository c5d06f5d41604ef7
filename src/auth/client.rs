//! Logging in to a server, without I/O: each Authentication message in, what to do next out.
//! Source: <https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-START-UP>
//!
//! ```text
//! Start ──AuthenticationOk──────────────────────────────────────────▶ Done
//!   ├─────ClearText, MD5 ──▶ Sent ──Ok──────────────────────────────▶ Done
//!   └─────SASL ──▶ SaslFirst ──Continue──▶ SaslFinal ──Final──▶ Sent ──Ok──▶ Done
//!                      └──Continue, keys not known──▶ SaslKeys ──keys──▶ SaslFinal
//! ```
//!
//! AuthenticationOk within a SASL exchange is an error: whoever sends it has not proven to know the
//! password. No error contains a password or anything derived from it. A clear-text password is sent
//! to whoever asks, as libpq does; `server_tls: require` or better is what keeps it from listeners.
//! A SCRAM login is made from keys, whether they come from a client's own login or are derived from a
//! password; deriving takes milliseconds on purpose, so it is left to whoever drives this.

use std::fmt;
use std::sync::Arc;

use bytes::BytesMut;
use md5::{Digest, Md5};
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{SCRAM_SHA_256, SCRAM_SHA_256_PLUS};
use postgres_protocol::message::frontend;

use super::credential::{Credential, ScramKeys};

mod scram;

use scram::{Challenge, Exchange, Flag, Signature};

/// Why a login cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientAuthError {
    #[error("the server asks for a password and none is configured")]
    NoPassword,
    /// Something else would do.
    #[error("the server asks for {asked}, which {held} cannot answer")]
    Insufficient {
        asked: &'static str,
        held: &'static str,
    },
    #[error(
        "the server's SCRAM verifier is not the one the user logged in with: salt or iterations differ"
    )]
    OtherVerifier,
    #[error("the server asks for authentication method {0}, which is not supported")]
    Unsupported(&'static str),
    #[error("the server's authentication message is malformed")]
    Malformed,
    #[error("the server's authentication messages are out of order")]
    OutOfOrder,
    #[error("the server's SCRAM answer is wrong: {0}")]
    Scram(&'static str),
}

/// What the connection does after an Authentication message.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Send what was put into the output and wait for the next Authentication message.
    Send,
    /// Run the derivation, where it may take milliseconds of CPU, and give its keys to
    /// [`ClientAuth::derived`].
    Derive(Derivation),
    /// Nothing to send; wait for the next Authentication message.
    Wait,
    /// Logged in.
    Done,
}

/// Keys to be derived from a password.
#[derive(PartialEq, Eq)]
pub struct Derivation {
    password: String,
    salt: Vec<u8>,
    iterations: u32,
}

impl fmt::Debug for Derivation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Derivation(…)")
    }
}

impl Derivation {
    /// Milliseconds of CPU, and many where the server asks for many iterations.
    pub fn run(self) -> ScramKeys {
        ScramKeys::derive(&self.password, self.salt, self.iterations)
    }
}

/// Whom we log in as, and what the channel is.
#[derive(Clone, Copy)]
pub struct Identity<'a> {
    pub user: &'a str,
    pub credential: &'a Credential,
    /// Keys derived from the credential's password at an earlier login.
    pub derived: Option<&'a Arc<ScramKeys>>,
    /// `tls-server-end-point` of the channel, if it has one.
    pub channel_binding: Option<&'a [u8]>,
}

/// One login.
pub struct ClientAuth<'a> {
    identity: Identity<'a>,
    state: State,
}

enum State {
    Start,
    /// A password or the whole SASL exchange went well as far as we can tell; AuthenticationOk is due.
    Sent,
    SaslFirst(Exchange),
    SaslKeys(Challenge),
    SaslFinal(Signature),
    Done,
}

impl<'a> ClientAuth<'a> {
    pub fn new(identity: Identity<'a>) -> Self {
        Self {
            identity,
            state: State::Start,
        }
    }

    /// Takes the body of one Authentication message (type byte `R` and length removed).
    pub fn step(&mut self, body: &[u8], output: &mut BytesMut) -> Result<Step, ClientAuthError> {
        let (code, data) = body
            .split_first_chunk::<4>()
            .ok_or(ClientAuthError::Malformed)?;
        let state = std::mem::replace(&mut self.state, State::Done);
        let (state, step) = match (i32::from_be_bytes(*code), state) {
            (OK, State::Start | State::Sent) if data.is_empty() => (State::Done, Step::Done),
            (CLEAR_TEXT, State::Start) => (self.clear_text(output)?, Step::Send),
            (MD5, State::Start) => (self.md5(data, output)?, Step::Send),
            (SASL, State::Start) => (self.sasl(data, output)?, Step::Send),
            (SASL_CONTINUE, State::SaslFirst(exchange)) => {
                self.sasl_continue(exchange.challenge(data)?, output)?
            }
            (SASL_FINAL, State::SaslFinal(signature)) => {
                signature.check(data)?;
                (State::Sent, Step::Wait)
            }
            (OK | CLEAR_TEXT | MD5 | SASL | SASL_CONTINUE | SASL_FINAL, _) => {
                return Err(ClientAuthError::OutOfOrder);
            }
            (KERBEROS, _) => return Err(ClientAuthError::Unsupported("Kerberos V5")),
            (GSS | GSS_CONTINUE, _) => return Err(ClientAuthError::Unsupported("GSSAPI")),
            (SSPI, _) => return Err(ClientAuthError::Unsupported("SSPI")),
            _ => return Err(ClientAuthError::Malformed),
        };
        self.state = state;
        Ok(step)
    }

    /// Goes on after [`Step::Derive`]: there is something to send then.
    pub fn derived(
        &mut self,
        keys: &ScramKeys,
        output: &mut BytesMut,
    ) -> Result<(), ClientAuthError> {
        match std::mem::replace(&mut self.state, State::Done) {
            State::SaslKeys(challenge) => {
                self.state = answer(&challenge, keys, output)?;
                Ok(())
            }
            _ => Err(ClientAuthError::OutOfOrder),
        }
    }

    fn clear_text(&self, output: &mut BytesMut) -> Result<State, ClientAuthError> {
        match self.identity.credential {
            Credential::Password(password) => send_password(password.as_bytes(), output),
            other => Err(insufficient("a password in clear text", other)),
        }
    }

    fn md5(&self, salt: &[u8], output: &mut BytesMut) -> Result<State, ClientAuthError> {
        let salt: [u8; 4] = salt.try_into().map_err(|_| ClientAuthError::Malformed)?;
        let answer = match self.identity.credential {
            Credential::Password(password) => {
                md5_hash(self.identity.user.as_bytes(), password.as_bytes(), salt)
            }
            Credential::Md5(hash) => salted_md5(hash, salt),
            other => return Err(insufficient("an MD5 password", other)),
        };
        send_password(answer.as_bytes(), output)
    }

    fn sasl(&self, mechanisms: &[u8], output: &mut BytesMut) -> Result<State, ClientAuthError> {
        let credential = self.identity.credential;
        if !matches!(credential, Credential::Password(_) | Credential::Scram(_)) {
            return Err(insufficient("SCRAM-SHA-256", credential));
        }
        let offered = mechanism_list(mechanisms)?;
        let plus = offered.contains(&SCRAM_SHA_256_PLUS.as_bytes());
        let (mechanism, binding, flag) = match self.identity.channel_binding {
            Some(binding) if plus => (SCRAM_SHA_256_PLUS, Some(binding), Flag::Unable),
            _ if !offered.contains(&SCRAM_SHA_256.as_bytes()) => {
                return Err(ClientAuthError::Unsupported("SASL"));
            }
            Some(_) => (SCRAM_SHA_256, None, Flag::NotOffered),
            None => (SCRAM_SHA_256, None, Flag::Unable),
        };
        let (exchange, first) = Exchange::begin(binding, flag);
        frontend::sasl_initial_response(mechanism, first.as_bytes(), output)
            .map_err(|_| ClientAuthError::Malformed)?;
        Ok(State::SaslFirst(exchange))
    }

    fn sasl_continue(
        &self,
        challenge: Challenge,
        output: &mut BytesMut,
    ) -> Result<(State, Step), ClientAuthError> {
        let keys = match self.identity.credential {
            Credential::Scram(keys) if !challenge.fits(keys) => {
                return Err(ClientAuthError::OtherVerifier);
            }
            Credential::Scram(keys) => Some(keys),
            _ => self.identity.derived.filter(|keys| challenge.fits(keys)),
        };
        match (keys, self.identity.credential) {
            (Some(keys), _) => Ok((answer(&challenge, keys, output)?, Step::Send)),
            (None, Credential::Password(password)) => {
                let derivation = Derivation {
                    password: password.clone(),
                    salt: challenge.salt.clone(),
                    iterations: challenge.iterations,
                };
                Ok((State::SaslKeys(challenge), Step::Derive(derivation)))
            }
            // `sasl` has refused the others.
            (None, _) => Err(ClientAuthError::NoPassword),
        }
    }
}

fn answer(
    challenge: &Challenge,
    keys: &ScramKeys,
    output: &mut BytesMut,
) -> Result<State, ClientAuthError> {
    let (last, signature) = challenge.answer(keys);
    frontend::sasl_response(last.as_bytes(), output).map_err(|_| ClientAuthError::Malformed)?;
    Ok(State::SaslFinal(signature))
}

fn send_password(password: &[u8], output: &mut BytesMut) -> Result<State, ClientAuthError> {
    // Fails on a zero byte, which no password on a server can contain.
    frontend::password_message(password, output).map_err(|_| ClientAuthError::NoPassword)?;
    Ok(State::Sent)
}

/// What the server wants of whoever knows `md5…` as it is stored: the same again, salted.
fn salted_md5(hash: &str, salt: [u8; 4]) -> String {
    let digits = hash.strip_prefix("md5").unwrap_or(hash);
    let digest = Md5::new()
        .chain_update(digits)
        .chain_update(salt)
        .finalize();
    digest
        .iter()
        .fold("md5".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

fn insufficient(asked: &'static str, credential: &Credential) -> ClientAuthError {
    let held = match credential {
        Credential::None => return ClientAuthError::NoPassword,
        Credential::Password(_) => "a password",
        Credential::Scram(_) => "a SCRAM verifier",
        Credential::Md5(_) => "an MD5 hash",
    };
    ClientAuthError::Insufficient { asked, held }
}

/// Names, each ended by a zero byte, and one more zero byte.
fn mechanism_list(data: &[u8]) -> Result<Vec<&[u8]>, ClientAuthError> {
    let list = data
        .strip_suffix(b"\0\0")
        .ok_or(ClientAuthError::Malformed)?;
    let mechanisms: Vec<_> = list.split(|byte| *byte == 0).collect();
    match mechanisms.iter().any(|name| name.is_empty()) {
        true => Err(ClientAuthError::Malformed),
        false => Ok(mechanisms),
    }
}

/// Source: <https://www.postgresql.org/docs/current/protocol-message-formats.html>
const OK: i32 = 0;
const KERBEROS: i32 = 2;
const CLEAR_TEXT: i32 = 3;
const MD5: i32 = 5;
const GSS: i32 = 7;
const GSS_CONTINUE: i32 = 8;
const SSPI: i32 = 9;
const SASL: i32 = 10;
const SASL_CONTINUE: i32 = 11;
const SASL_FINAL: i32 = 12;

#[cfg(test)]
mod tests;
