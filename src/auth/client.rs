//! Logging in to a server, without I/O: each Authentication message in, what to do next out.
//! Source: <https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-START-UP>
//!
//! ```text
//! Start ──AuthenticationOk──────────────────────────────────────────▶ Done
//!   ├─────ClearText, MD5 ──▶ Sent ──Ok──────────────────────────────▶ Done
//!   └─────SASL ──▶ SaslFirst ──Continue──▶ SaslFinal ──Final──▶ Sent ──Ok──▶ Done
//! ```
//!
//! AuthenticationOk within a SASL exchange is an error: whoever sends it has not proven to know the
//! password. No error contains a password or anything derived from it. A clear-text password is sent
//! to whoever asks, as libpq does; `server_tls: require` or better is what keeps it from listeners.

use bytes::BytesMut;
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{
    ChannelBinding, SCRAM_SHA_256, SCRAM_SHA_256_PLUS, ScramSha256,
};
use postgres_protocol::message::frontend;

/// Why a login cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientAuthError {
    #[error("the server asks for a password and none is configured")]
    NoPassword,
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
    /// Nothing to send; wait for the next Authentication message.
    Wait,
    /// Logged in.
    Done,
}

/// Whom we log in as, and what the channel is.
#[derive(Clone, Copy)]
pub struct Identity<'a> {
    pub user: &'a str,
    pub password: Option<&'a str>,
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
    SaslFirst(Box<ScramSha256>),
    SaslFinal(Box<ScramSha256>),
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
            (SASL_CONTINUE, State::SaslFirst(scram)) => {
                (sasl_continue(scram, data, output)?, Step::Send)
            }
            (SASL_FINAL, State::SaslFinal(mut scram)) => {
                scram
                    .finish(data)
                    .map_err(|_| ClientAuthError::Scram("its signature does not match"))?;
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

    fn password(&self) -> Result<&'a str, ClientAuthError> {
        self.identity.password.ok_or(ClientAuthError::NoPassword)
    }

    fn clear_text(&self, output: &mut BytesMut) -> Result<State, ClientAuthError> {
        self.send_password(self.password()?.as_bytes(), output)
    }

    fn md5(&self, salt: &[u8], output: &mut BytesMut) -> Result<State, ClientAuthError> {
        let salt: [u8; 4] = salt.try_into().map_err(|_| ClientAuthError::Malformed)?;
        let hash = md5_hash(
            self.identity.user.as_bytes(),
            self.password()?.as_bytes(),
            salt,
        );
        self.send_password(hash.as_bytes(), output)
    }

    fn send_password(
        &self,
        password: &[u8],
        output: &mut BytesMut,
    ) -> Result<State, ClientAuthError> {
        // Fails on a zero byte, which no password on a server can contain.
        frontend::password_message(password, output).map_err(|_| ClientAuthError::NoPassword)?;
        Ok(State::Sent)
    }

    fn sasl(&self, mechanisms: &[u8], output: &mut BytesMut) -> Result<State, ClientAuthError> {
        let password = self.password()?;
        let offered = mechanism_list(mechanisms)?;
        let plus = offered.contains(&SCRAM_SHA_256_PLUS.as_bytes());
        let (mechanism, binding) = match self.identity.channel_binding {
            Some(binding) if plus => (
                SCRAM_SHA_256_PLUS,
                ChannelBinding::tls_server_end_point(binding.to_vec()),
            ),
            _ if !offered.contains(&SCRAM_SHA_256.as_bytes()) => {
                return Err(ClientAuthError::Unsupported("SASL"));
            }
            // "I could have, and you did not offer it": a server that did offer it then knows that
            // somebody between us took the offer away.
            Some(_) => (SCRAM_SHA_256, ChannelBinding::unrequested()),
            None => (SCRAM_SHA_256, ChannelBinding::unsupported()),
        };
        let scram = ScramSha256::new(password.as_bytes(), binding);
        frontend::sasl_initial_response(mechanism, scram.message(), output)
            .map_err(|_| ClientAuthError::Malformed)?;
        Ok(State::SaslFirst(Box::new(scram)))
    }
}

fn sasl_continue(
    mut scram: Box<ScramSha256>,
    data: &[u8],
    output: &mut BytesMut,
) -> Result<State, ClientAuthError> {
    check_challenge(scram.message(), data)?;
    scram
        .update(data)
        .map_err(|_| ClientAuthError::Scram("its challenge is malformed"))?;
    frontend::sasl_response(scram.message(), output).map_err(|_| ClientAuthError::Malformed)?;
    Ok(State::SaslFinal(scram))
}

/// What `ScramSha256` does not check: that the server added something to our nonce, without which it
/// could replay an exchange, and that the work it asks for is real and bearable.
fn check_challenge(client_first: &[u8], challenge: &[u8]) -> Result<(), ClientAuthError> {
    let text = |bytes| {
        std::str::from_utf8(bytes).map_err(|_| ClientAuthError::Scram("its challenge is malformed"))
    };
    let (_, client_nonce) = text(client_first)?
        .rsplit_once(",r=")
        .ok_or(ClientAuthError::Malformed)?;
    let mut attributes = text(challenge)?.split(',');
    let mut next = |prefix| attributes.next().unwrap_or_default().strip_prefix(prefix);
    let nonce = next("r=").and_then(|nonce| nonce.strip_prefix(client_nonce));
    if nonce.is_none_or(str::is_empty) {
        return Err(ClientAuthError::Scram("its nonce does not extend ours"));
    }
    let salt = next("s=");
    let iterations = next("i=").and_then(|count| count.parse::<u32>().ok());
    match (salt, iterations) {
        (Some(salt), Some(1..=ITERATIONS_MAX)) if !salt.is_empty() => Ok(()),
        (_, Some(count)) if count > ITERATIONS_MAX => {
            Err(ClientAuthError::Scram("it asks for too many iterations"))
        }
        _ => Err(ClientAuthError::Scram("its challenge is malformed")),
    }
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

/// Where `postgres_protocol` draws the line too; PostgreSQL's default is 4096.
const ITERATIONS_MAX: u32 = 100_000;

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
