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
//! counts. Channel binding needs TLS toward clients and is not offered; a client that claims to have
//! been offered nothing though it supports it (`y`) is right.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rand::Rng;
use sha2::{Digest, Sha256};

use super::secret::{Secret, hmac};

/// Why an exchange ended. To the client a wrong proof and an unknown user are the same.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScramError {
    /// Not what the RFC allows at this point: a protocol violation (08P01).
    #[error("malformed SCRAM message: {0}")]
    Malformed(&'static str),
    /// Well-formed, but nothing we do.
    #[error("{0}")]
    Unsupported(&'static str),
    /// The proof does not fit (28P01).
    #[error("the password does not match")]
    WrongProof,
}

/// One exchange with one client.
pub struct ScramServer {
    secret: Arc<Secret>,
    state: State,
}

enum State {
    First,
    Final(Challenge),
    Done,
}

/// What the second message is checked against.
struct Challenge {
    gs2_header: Vec<u8>,
    /// The client's nonce and ours.
    nonce: String,
    /// `client-first-message-bare,server-first-message`
    transcript: String,
}

impl ScramServer {
    pub const MECHANISM: &'static str = "SCRAM-SHA-256";

    pub fn new(secret: Arc<Secret>) -> Self {
        Self {
            secret,
            state: State::First,
        }
    }

    /// Takes the client's first message (from SASLInitialResponse) and gives the answer for
    /// AuthenticationSASLContinue.
    pub fn first(&mut self, client_first: &[u8]) -> Result<Vec<u8>, ScramError> {
        let mut nonce = [0; SERVER_NONCE_LENGTH];
        rand::rng().fill_bytes(&mut nonce);
        self.first_with_nonce(client_first, &STANDARD.encode(nonce))
    }

    fn first_with_nonce(
        &mut self,
        client_first: &[u8],
        server_nonce: &str,
    ) -> Result<Vec<u8>, ScramError> {
        let State::First = std::mem::replace(&mut self.state, State::Done) else {
            return Err(ScramError::Malformed("out of order"));
        };
        let first = ClientFirst::parse(text(client_first)?)?;
        let nonce = format!("{}{server_nonce}", first.nonce);
        let answer = format!(
            "r={nonce},s={},i={}",
            STANDARD.encode(&self.secret.salt),
            self.secret.iterations
        );
        self.state = State::Final(Challenge {
            gs2_header: first.gs2_header.as_bytes().to_vec(),
            nonce,
            transcript: format!("{},{answer}", first.bare),
        });
        Ok(answer.into_bytes())
    }

    /// Takes the client's second message (from SASLResponse); success gives the answer for
    /// AuthenticationSASLFinal, after which the client is authenticated.
    pub fn finish(&mut self, client_final: &[u8]) -> Result<Vec<u8>, ScramError> {
        let State::Final(challenge) = std::mem::replace(&mut self.state, State::Done) else {
            return Err(ScramError::Malformed("out of order"));
        };
        let message = ClientFinal::parse(text(client_final)?)?;
        if message.gs2_header != challenge.gs2_header {
            return Err(ScramError::Malformed(
                "channel binding differs from the first message",
            ));
        }
        if message.nonce != challenge.nonce {
            return Err(ScramError::Malformed("nonce differs from the challenge"));
        }
        let transcript = [
            challenge.transcript.as_bytes(),
            b",",
            message.without_proof.as_bytes(),
        ];
        let signature = hmac(&self.secret.stored_key, &transcript);
        let mut client_key = message.proof;
        client_key
            .iter_mut()
            .zip(signature)
            .for_each(|(byte, signature)| *byte ^= signature);
        // Both are computed before either decides, so that a stranger's name takes as long as a user's.
        let proven = equal(&Sha256::digest(client_key).into(), &self.secret.stored_key);
        if !proven | self.secret.doomed {
            return Err(ScramError::WrongProof);
        }
        let verifier = STANDARD.encode(hmac(&self.secret.server_key, &transcript));
        Ok(format!("v={verifier}").into_bytes())
    }
}

struct ClientFirst<'a> {
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
        match flag {
            "n" | "y" => {}
            _ if flag.starts_with("p=") => {
                return Err(ScramError::Unsupported(
                    "SCRAM channel binding was not offered on this connection",
                ));
            }
            _ => return Err(ScramError::Malformed("unknown channel binding flag")),
        }
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
            gs2_header: &message[..message.len() - bare.len()],
            bare,
            nonce,
        })
    }
}

struct ClientFinal<'a> {
    gs2_header: Vec<u8>,
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
        let gs2_header = next()
            .strip_prefix("c=")
            .ok_or(ScramError::Malformed("no channel binding"))?;
        let gs2_header = STANDARD
            .decode(gs2_header)
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
            gs2_header,
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

/// Takes the same time wherever the two differ.
fn equal(a: &[u8; 32], b: &[u8; 32]) -> bool {
    let difference = a
        .iter()
        .zip(b)
        .fold(0, |difference, (a, b)| difference | (a ^ b));
    std::hint::black_box(difference) == 0
}

/// PostgreSQL's own clients stay below 200 bytes.
const MESSAGE_LENGTH_MAX: usize = 2048;
const CLIENT_NONCE_LENGTH_MAX: usize = 512;
/// Bytes of randomness, as PostgreSQL uses.
const SERVER_NONCE_LENGTH: usize = 18;

#[cfg(test)]
mod tests;
