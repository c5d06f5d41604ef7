//! SCRAM-SHA-256 as client, from keys.
//! Source: <https://www.rfc-editor.org/rfc/rfc5802>, <https://www.rfc-editor.org/rfc/rfc7677>
//!
//! ```text
//! Exchange                                                     server
//! begin      <gs2 header>n=,r=<nonce>                    ───▶
//! challenge  r=<both nonces>,s=<salt>,i=<iterations>     ◀───
//! answer     c=<gs2 header, binding>,r=<both>,p=<proof>  ───▶
//! signed     v=<server signature>                        ◀───
//! ```
//!
//! A server is believed nothing: its nonce must extend ours, without which it could replay an exchange;
//! the work it asks for must be real and bearable; and it must show that it knows the verifier.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rand::Rng;
use sha2::{Digest, Sha256};

use super::ClientAuthError;
use crate::auth::credential::{ScramKeys, equal};
use crate::auth::secret::hmac;

/// A login that has sent its first message.
pub(super) struct Exchange {
    /// What `c=` repeats: the gs2 header, and the channel's data where it is bound.
    channel: Vec<u8>,
    nonce: String,
}

/// What the server asks for.
#[derive(Clone, PartialEq, Eq)]
pub struct Challenge {
    pub(super) salt: Vec<u8>,
    pub(super) iterations: u32,
    /// `client-first-message-bare,server-first-message,client-final-message-without-proof`
    transcript: String,
    without_proof: String,
}

/// The signature a server must show that knows the verifier.
pub(super) struct Signature([u8; 32]);

impl Exchange {
    /// With a fresh nonce; also the first message. `binding` is the channel's `tls-server-end-point`, to be
    /// given only for a mechanism with binding; `flag` says why there is none.
    pub(super) fn begin(binding: Option<&[u8]>, flag: Flag) -> (Self, String) {
        let mut random = [0; NONCE_LENGTH];
        rand::rng().fill_bytes(&mut random);
        Self::with_nonce(binding, flag, STANDARD.encode(random))
    }

    fn with_nonce(binding: Option<&[u8]>, flag: Flag, nonce: String) -> (Self, String) {
        let gs2_header = match (binding, flag) {
            (Some(_), _) => "p=tls-server-end-point,,",
            (None, Flag::NotOffered) => "y,,",
            (None, Flag::Unable) => "n,,",
        };
        let first = format!("{gs2_header}n=,r={nonce}");
        let channel = [gs2_header.as_bytes(), binding.unwrap_or_default()].concat();
        (Self { channel, nonce }, first)
    }

    /// Reads the server's first message. Nothing may follow the iterations: extensions are not known to
    /// PostgreSQL, and a mandatory one would have to be refused.
    pub(super) fn challenge(&self, server_first: &[u8]) -> Result<Challenge, ClientAuthError> {
        let malformed = || ClientAuthError::Scram("its challenge is malformed");
        let server_first = std::str::from_utf8(server_first).map_err(|_| malformed())?;
        let mut attributes = server_first.split(',');
        let mut next = |prefix| attributes.next().and_then(|text| text.strip_prefix(prefix));
        let nonce = next("r=").unwrap_or_default();
        let added = nonce.strip_prefix(&self.nonce).unwrap_or_default();
        if added.is_empty() || !added.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ClientAuthError::Scram("its nonce does not extend ours"));
        }
        let salt = next("s=").ok_or_else(malformed)?;
        let salt = STANDARD.decode(salt).map_err(|_| malformed())?;
        let count = next("i=").ok_or_else(malformed)?;
        let digits = !count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit());
        if !digits || salt.is_empty() || attributes.next().is_some() {
            return Err(malformed());
        }
        // What does not fit is far too many.
        let iterations = count.parse().unwrap_or(u32::MAX);
        match iterations {
            0 => return Err(malformed()),
            1..=ITERATIONS_MAX => {}
            _ => return Err(ClientAuthError::Scram("it asks for too many iterations")),
        }
        let without_proof = format!("c={},r={nonce}", STANDARD.encode(&self.channel));
        Ok(Challenge {
            salt,
            iterations,
            transcript: format!("n=,r={},{server_first},{without_proof}", self.nonce),
            without_proof,
        })
    }
}

impl Challenge {
    /// These keys were made for this salt and this number of iterations.
    pub(super) fn fits(&self, keys: &ScramKeys) -> bool {
        keys.salt == self.salt && keys.iterations == self.iterations
    }

    /// Our last message, and what the server has to say to it.
    pub(super) fn answer(&self, keys: &ScramKeys) -> (String, Signature) {
        let transcript = [self.transcript.as_bytes()];
        let stored_key: [u8; 32] = Sha256::digest(keys.client_key).into();
        let mut proof = hmac(&stored_key, &transcript);
        proof
            .iter_mut()
            .zip(keys.client_key)
            .for_each(|(byte, key)| *byte ^= key);
        let message = format!("{},p={}", self.without_proof, STANDARD.encode(proof));
        (message, Signature(hmac(&keys.server_key, &transcript)))
    }
}

impl Signature {
    /// Whether the server's last message proves that it knows the verifier.
    pub(super) fn check(&self, server_final: &[u8]) -> Result<(), ClientAuthError> {
        if server_final.starts_with(b"e=") {
            return Err(ClientAuthError::Scram("it ends the exchange with an error"));
        }
        let signature = server_final
            .strip_prefix(b"v=")
            .and_then(|signature| STANDARD.decode(signature).ok());
        match signature {
            Some(signature) if equal(&signature, &self.0) => Ok(()),
            _ => Err(ClientAuthError::Scram("its signature does not match")),
        }
    }
}

/// Why a channel is not bound.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Flag {
    /// We could, and the server did not offer it: a server that did then knows that somebody between us
    /// took the offer away.
    NotOffered,
    /// There is nothing to bind to.
    Unable,
}

/// PostgreSQL's default is 4096. A server may not make us work for as long as it likes.
const ITERATIONS_MAX: u32 = 100_000;
/// Bytes of randomness, as PostgreSQL uses.
const NONCE_LENGTH: usize = 18;

#[cfg(test)]
mod tests {
    use super::*;

    /// Source: <https://www.rfc-editor.org/rfc/rfc7677#section-3>, whose client names the user in its first
    /// message; ours does not, so the proof differs from the one printed there. The signatures are of
    /// the same salt, keys and nonces.
    #[test]
    fn a_proof_is_one_a_server_accepts() {
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").expect("base64");
        let keys = ScramKeys::derive("pencil", salt, 4096);
        let (exchange, first) =
            Exchange::with_nonce(None, Flag::Unable, "rOprNGfwEbeRWgbNEkqO".to_owned());
        assert_eq!(first, "n,,n=,r=rOprNGfwEbeRWgbNEkqO");
        let server_first = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        let challenge = exchange
            .challenge(server_first.as_bytes())
            .unwrap_or_else(|error| panic!("{error}"));
        assert!(challenge.fits(&keys));
        let (last, signature) = challenge.answer(&keys);
        let (without_proof, proof) = last.split_once(",p=").expect("a proof");
        assert_eq!(
            without_proof,
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
        );
        // As RFC 5802 has a server check it, computed from its side.
        let transcript = format!("n=,r=rOprNGfwEbeRWgbNEkqO,{server_first},{without_proof}");
        let stored_key: [u8; 32] = Sha256::digest(keys.client_key).into();
        let mut client_key = hmac(&stored_key, &[transcript.as_bytes()]);
        let proof = STANDARD.decode(proof).expect("base64");
        client_key
            .iter_mut()
            .zip(proof)
            .for_each(|(byte, proof)| *byte ^= proof);
        assert_eq!(client_key, keys.client_key);
        // Both keys of RFC 7677's example, from its StoredKey and ServerKey.
        assert_eq!(
            STANDARD.encode(stored_key),
            "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="
        );
        assert_eq!(
            STANDARD.encode(keys.server_key),
            "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
        );
        let right = format!(
            "v={}",
            STANDARD.encode(hmac(&keys.server_key, &[transcript.as_bytes()]))
        );
        assert_eq!(signature.check(right.as_bytes()), Ok(()));
        for wrong in [
            "",
            "v=",
            "v=AAAA",
            "e=other-error",
            &right[2..],
            &format!("{right},x=1"),
            &format!("{right}="),
        ] {
            assert!(signature.check(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
