//! SCRAM-SHA-256 as server, without I/O.
//! Source: <https://www.rfc-editor.org/rfc/rfc5802>, <https://www.rfc-editor.org/rfc/rfc7677>,
//! <https://www.postgresql.org/docs/current/sasl-authentication.html>
//!
//! ```text
//! client                                   ScramServer
//! n,,n=,r=<client nonce>            ───▶   first   ───▶  r=<both nonces>,s=<salt>,i=<iterations>
//! c=<gs2 header>,r=<both>,p=<proof> ───▶   finish  ───▶  v=<server signature>
//! ```
//!
//! The user name in the first message is ignored, as PostgreSQL ignores it: the startup message's
//! counts.
//!
//! Channel binding is offered where the connection has an end point, over TLS. The client says in its first
//! message what it does about it, and its proof covers that:
//!
//! ```text
//! flag                      SCRAM-SHA-256                            SCRAM-SHA-256-PLUS
//! n   cannot bind           goes on                                  malformed
//! y   was offered none      goes on; offered: somebody hid the offer malformed
//! p=  binds                 malformed                                goes on, and has to know our certificate
//! ```
//!
//! A client that cannot bind gets in over TLS too, as in PostgreSQL.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rand::Rng;
use sha2::{Digest, Sha256};

use super::credential::ScramKeys;
use super::secret::{Secret, equal, hmac};

/// Why an exchange ended. To the client a wrong proof and an unknown user are the same.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScramError {
    /// Not what the RFC allows at this point: a protocol violation (08P01).
    #[error("malformed SCRAM message: {0}")]
    Malformed(&'static str),
    /// Well-formed, but nothing we do.
    #[error("{0}")]
    Unsupported(&'static str),
    /// The client and we do not see the same channel: there is somebody between (28000).
    #[error("{0}")]
    Channel(&'static str),
    /// The proof does not fit (28P01).
    #[error("the password does not match")]
    WrongProof,
}

/// One exchange with one client.
pub struct ScramServer {
    secret: Arc<Secret>,
    /// `tls-server-end-point` of the connection.
    end_point: Option<Arc<[u8]>>,
    state: State,
}

/// How a client asks to log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    Scram,
    /// With channel binding.
    ScramPlus,
}

/// A client that has proven to know the password.
pub struct Proven {
    /// For AuthenticationSASLFinal: that we know its keys too.
    pub answer: Vec<u8>,
    pub keys: ScramKeys,
}

enum State {
    First,
    Final(Challenge),
    Done,
}

/// What the second message is checked against.
struct Challenge {
    /// What `c=` has to say: the first message's header, and with channel binding our end point.
    binding: Vec<u8>,
    mechanism: Mechanism,
    /// The client's nonce and ours.
    nonce: String,
    /// `client-first-message-bare,server-first-message`
    transcript: String,
}

impl Mechanism {
    pub fn name(self) -> &'static str {
        match self {
            Self::Scram => "SCRAM-SHA-256",
            Self::ScramPlus => "SCRAM-SHA-256-PLUS",
        }
    }
}

impl ScramServer {
    /// `end_point`: `tls-server-end-point` of the connection, where it has one.
    pub fn new(secret: Arc<Secret>, end_point: Option<Arc<[u8]>>) -> Self {
        Self {
            secret,
            end_point,
            state: State::First,
        }
    }

    /// What is offered to the client, the best first.
    pub fn mechanisms(&self) -> &'static [Mechanism] {
        match self.end_point {
            Some(_) => &[Mechanism::ScramPlus, Mechanism::Scram],
            None => &[Mechanism::Scram],
        }
    }

    /// Takes the client's first message (from SASLInitialResponse) and gives the answer for
    /// AuthenticationSASLContinue.
    pub fn first(
        &mut self,
        mechanism: Mechanism,
        client_first: &[u8],
    ) -> Result<Vec<u8>, ScramError> {
        let mut nonce = [0; SERVER_NONCE_LENGTH];
        rand::rng().fill_bytes(&mut nonce);
        self.first_with_nonce(mechanism, client_first, &STANDARD.encode(nonce))
    }

    fn first_with_nonce(
        &mut self,
        mechanism: Mechanism,
        client_first: &[u8],
        server_nonce: &str,
    ) -> Result<Vec<u8>, ScramError> {
        let State::First = std::mem::replace(&mut self.state, State::Done) else {
            return Err(ScramError::Malformed("out of order"));
        };
        let first = ClientFirst::parse(text(client_first)?)?;
        let binding = self.binding(mechanism, &first)?;
        let nonce = format!("{}{server_nonce}", first.nonce);
        let answer = format!(
            "r={nonce},s={},i={}",
            STANDARD.encode(&self.secret.scram.salt),
            self.secret.scram.iterations
        );
        self.state = State::Final(Challenge {
            binding,
            mechanism,
            nonce,
            transcript: format!("{},{answer}", first.bare),
        });
        Ok(answer.into_bytes())
    }

    /// What the second message has to say of the channel, if the first is right about it.
    fn binding(
        &self,
        mechanism: Mechanism,
        first: &ClientFirst<'_>,
    ) -> Result<Vec<u8>, ScramError> {
        let end_point = match (mechanism, first.flag, &self.end_point) {
            (Mechanism::Scram, Flag::CannotBind, _) => &[],
            (Mechanism::Scram, Flag::WasOfferedNone, None) => &[],
            (Mechanism::Scram, Flag::WasOfferedNone, Some(_)) => {
                return Err(ScramError::Channel(
                    "SCRAM channel binding negotiation error: the client supports SCRAM channel binding \
                     but thinks the server does not",
                ));
            }
            (Mechanism::Scram, Flag::Binds(_), _) => {
                return Err(ScramError::Malformed(
                    "SCRAM-SHA-256 was selected, but the message has channel binding data",
                ));
            }
            (Mechanism::ScramPlus, Flag::Binds("tls-server-end-point"), Some(end_point)) => {
                &**end_point
            }
            (Mechanism::ScramPlus, Flag::Binds(_), Some(_)) => {
                return Err(ScramError::Malformed("unsupported channel binding type"));
            }
            (Mechanism::ScramPlus, _, _) => {
                return Err(ScramError::Malformed(
                    "SCRAM-SHA-256-PLUS was selected, but the message has no channel binding data",
                ));
            }
        };
        Ok([first.gs2_header.as_bytes(), end_point].concat())
    }

    /// Takes the client's second message (from SASLResponse); success gives the answer for
    /// AuthenticationSASLFinal, after which the client is authenticated.
    pub fn finish(&mut self, client_final: &[u8]) -> Result<Proven, ScramError> {
        let State::Final(challenge) = std::mem::replace(&mut self.state, State::Done) else {
            return Err(ScramError::Malformed("out of order"));
        };
        let message = ClientFinal::parse(text(client_final)?)?;
        if message.binding != challenge.binding {
            return Err(match challenge.mechanism {
                Mechanism::Scram => {
                    ScramError::Malformed("channel binding differs from the first message")
                }
                Mechanism::ScramPlus => ScramError::Channel("SCRAM channel binding check failed"),
            });
        }
        if message.nonce != challenge.nonce {
            return Err(ScramError::Malformed("nonce differs from the challenge"));
        }
        let transcript = [
            challenge.transcript.as_bytes(),
            b",",
            message.without_proof.as_bytes(),
        ];
        let verifier = &self.secret.scram;
        let signature = hmac(&verifier.stored_key, &transcript);
        let mut client_key = message.proof;
        client_key
            .iter_mut()
            .zip(signature)
            .for_each(|(byte, signature)| *byte ^= signature);
        // Both are computed before either decides, so that a stranger's name takes as long as a user's.
        let proven = equal(&Sha256::digest(client_key).into(), &verifier.stored_key);
        if !proven | verifier.doomed {
            return Err(ScramError::WrongProof);
        }
        let signature = STANDARD.encode(hmac(&verifier.server_key, &transcript));
        Ok(Proven {
            answer: format!("v={signature}").into_bytes(),
            keys: ScramKeys {
                client_key,
                server_key: verifier.server_key,
                salt: verifier.salt.clone(),
                iterations: verifier.iterations,
            },
        })
    }
}

/// What the client says of channel binding.
#[derive(Clone, Copy)]
enum Flag<'a> {
    CannotBind,
    WasOfferedNone,
    /// With this type of binding.
    Binds(&'a str),
}

struct ClientFirst<'a> {
    flag: Flag<'a>,
    gs2_header: &'a str,
    bare: &'a str,
    nonce: &'a str,
}

impl<'a> ClientFirst<'a> {
    /// `gs2-cbind-flag "," [authzid] "," [mext ","] "n=" saslname "," "r=" nonce ["," extensions]`
    fn parse(message: &'a str) -> Result<Self, ScramError> {
        let (flag, rest) = message
            .split_once(',')
            .ok_or(ScramError::Malformed("no channel binding flag"))?;
        let flag = match (flag, flag.strip_prefix("p=")) {
            ("n", _) => Flag::CannotBind,
            ("y", _) => Flag::WasOfferedNone,
            (_, Some(binding)) => Flag::Binds(binding),
            _ => return Err(ScramError::Malformed("unknown channel binding flag")),
        };
        let (authzid, bare) = rest
            .split_once(',')
            .ok_or(ScramError::Malformed("no authorization identity"))?;
        if !authzid.is_empty() {
            return Err(ScramError::Unsupported(
                "an authorization identity is not supported",
            ));
        }
        let mut attributes = bare.split(',');
        let mut next = || attributes.next().unwrap_or_default();
        let user = next();
        if user.starts_with("m=") {
            return Err(ScramError::Unsupported(
                "a mandatory SCRAM extension is not supported",
            ));
        }
        if !user.starts_with("n=") {
            return Err(ScramError::Malformed("no user name attribute"));
        }
        let nonce = next()
            .strip_prefix("r=")
            .ok_or(ScramError::Malformed("no nonce"))?;
        if nonce.is_empty() || nonce.len() > CLIENT_NONCE_LENGTH_MAX || !printable(nonce) {
            return Err(ScramError::Malformed("unusable nonce"));
        }
        if !attributes.all(is_extension) {
            return Err(ScramError::Malformed(
                "something other than an extension after the nonce",
            ));
        }
        Ok(Self {
            flag,
            gs2_header: &message[..message.len() - bare.len()],
            bare,
            nonce,
        })
    }
}

struct ClientFinal<'a> {
    binding: Vec<u8>,
    nonce: &'a str,
    proof: [u8; 32],
    without_proof: &'a str,
}

impl<'a> ClientFinal<'a> {
    /// `"c=" base64 "," "r=" nonce ["," extensions] "," "p=" base64`
    fn parse(message: &'a str) -> Result<Self, ScramError> {
        let (without_proof, proof) = message
            .rsplit_once(",p=")
            .ok_or(ScramError::Malformed("no proof"))?;
        let proof = STANDARD
            .decode(proof)
            .map_err(|_| ScramError::Malformed("the proof is not base64"))?;
        let proof = proof
            .try_into()
            .map_err(|_| ScramError::Malformed("the proof's length is wrong"))?;
        let mut attributes = without_proof.split(',');
        let mut next = || attributes.next().unwrap_or_default();
        let binding = next()
            .strip_prefix("c=")
            .ok_or(ScramError::Malformed("no channel binding"))?;
        let binding = STANDARD
            .decode(binding)
            .map_err(|_| ScramError::Malformed("the channel binding is not base64"))?;
        let nonce = next()
            .strip_prefix("r=")
            .ok_or(ScramError::Malformed("no nonce"))?;
        if !attributes.all(is_extension) {
            return Err(ScramError::Malformed(
                "something other than an extension after the nonce",
            ));
        }
        Ok(Self {
            binding,
            nonce,
            proof,
            without_proof,
        })
    }
}

fn text(message: &[u8]) -> Result<&str, ScramError> {
    if message.len() > MESSAGE_LENGTH_MAX {
        return Err(ScramError::Malformed("too long"));
    }
    std::str::from_utf8(message).map_err(|_| ScramError::Malformed("not UTF-8"))
}

fn printable(nonce: &str) -> bool {
    nonce
        .bytes()
        .all(|byte| matches!(byte, 0x21..=0x2b | 0x2d..=0x7e))
}

/// Optional extensions are to be ignored: a letter, `=`, and a value that may be empty.
fn is_extension(attribute: &str) -> bool {
    matches!(attribute.as_bytes(), [letter, b'=', ..] if letter.is_ascii_alphabetic())
}

/// PostgreSQL's own clients stay below 200 bytes.
const MESSAGE_LENGTH_MAX: usize = 2048;
const CLIENT_NONCE_LENGTH_MAX: usize = 512;
/// Bytes of randomness, as PostgreSQL uses.
const SERVER_NONCE_LENGTH: usize = 18;

#[cfg(test)]
pub(super) mod tests;
