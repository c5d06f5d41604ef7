//! Passwords that come in one message: in clear, or as an MD5 of it and a salt. Without I/O.
//! Source: <https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-START-UP>
//!
//! An empty password gets nobody in, as in PostgreSQL.

use md5::Md5;
use rand::Rng;
use sha2::Digest;

use super::secret::{Md5Hash, Secret, equal, hex};

/// A message that is no password message at all: a protocol violation (08P01).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid password packet size")]
pub struct Malformed;

/// The text of a PasswordMessage: what comes before its one zero byte, at the end.
pub fn password(body: &[u8]) -> Result<&[u8], Malformed> {
    match body.split_last() {
        Some((0, password)) if !password.contains(&0) => Ok(password),
        _ => Err(Malformed),
    }
}

/// Checks a password in clear. Costs as much CPU as a stored SCRAM verifier's iterations, but at least `work`, and
/// the same whether there is such a user, and in whatever form its password is stored. Not for a task that
/// others wait for.
pub fn is_password(secret: &Secret, user: &str, password: &[u8], work: u32) -> bool {
    // Verifiers are made of text; what is none cannot match, and takes as long.
    let text = std::str::from_utf8(password);
    let scram = secret.scram.matches(text.unwrap_or_default(), work);
    let hashed = Md5Hash::from_password(user, password);
    let md5 = equal(&hashed.digits, &secret.md5.digits) & !secret.md5.doomed;
    (scram | md5) & text.is_ok() & !password.is_empty()
}

/// One MD5 exchange: the salt that was sent.
#[derive(Clone, Copy, Debug)]
pub struct Md5Challenge {
    pub salt: [u8; 4],
}

impl Md5Challenge {
    pub fn new() -> Self {
        let mut salt = [0; 4];
        rand::rng().fill_bytes(&mut salt);
        Self { salt }
    }

    /// Checks `md5` and the hexadecimal MD5 of stored hash and salt.
    pub fn accepts(self, secret: &Secret, response: &[u8]) -> bool {
        let expected = Md5::new()
            .chain_update(secret.md5.digits)
            .chain_update(self.salt);
        let expected = hex(&expected.finalize());
        let digits = response.strip_prefix(b"md5").unwrap_or_default();
        // What has another length is compared too, with nothing it could equal.
        let digits = <&[u8; 32]>::try_from(digits).unwrap_or(&[0; 32]);
        equal(digits, &expected) & !secret.md5.doomed
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use postgres_protocol::authentication::md5_hash;

    use super::*;
    use crate::auth::scram::tests::log_in;
    use crate::auth::{ScramError, Secrets};
    use crate::config::{Password, User};

    fn stored(password: Password) -> Arc<Secret> {
        Secrets::new().for_user("app", Some(&User::new("app", password, &[])))
    }

    fn plain(password: &str) -> Arc<Secret> {
        stored(Password::Plain(password.to_owned()))
    }

    fn md5(digits: &str) -> Arc<Secret> {
        stored(Password::Md5 {
            hash: format!("md5{digits}"),
            server_password: None,
        })
    }

    /// md5('pencil' || 'app')
    const PENCIL: &str = "06d701b4dd9f7cbb00816251a451b978";

    #[test]
    fn password_messages_end_with_their_one_zero() {
        assert_eq!(password(b"pencil\0"), Ok(&b"pencil"[..]));
        assert_eq!(password(b"\0"), Ok(&b""[..]));
        for body in [
            &b""[..],
            b"pencil",
            b"pencil\0\0",
            b"pen\0cil\0",
            b"\0pencil",
        ] {
            assert_eq!(password(body), Err(Malformed), "{body:?}");
        }
    }

    #[test]
    fn passwords_in_clear() {
        for (secret, what) in [(plain("pencil"), "plain"), (md5(PENCIL), "md5")] {
            assert!(is_password(&secret, "app", b"pencil", 1), "{what}");
            for wrong in [&b""[..], b"Pencil", b"pencil ", b"\xff", PENCIL.as_bytes()] {
                assert!(!is_password(&secret, "app", wrong, 1), "{what} {wrong:?}");
            }
        }
        assert!(!is_password(&md5(PENCIL), "other", b"pencil", 1));
        // Prepared as PostgreSQL does, or taken as it is where that is not possible.
        assert!(is_password(&plain("\u{2168}"), "app", b"IX", 1));
        assert!(is_password(&plain("a\u{7}"), "app", b"a\x07", 1));
        let nobody = Secrets::new().for_user("app", None);
        assert!(!is_password(&nobody, "app", b"", 1));
        assert!(!is_password(&nobody, "app", b"pencil", 1));
        assert!(!is_password(&plain(""), "app", b"", 1));
    }

    #[test]
    fn md5_exchanges() {
        let challenge = Md5Challenge { salt: [1, 2, 3, 4] };
        let response = md5_hash(b"app", b"pencil", challenge.salt);
        assert!(challenge.accepts(&plain("pencil"), response.as_bytes()));
        assert!(challenge.accepts(&md5(PENCIL), response.as_bytes()));
        let other = Md5Challenge { salt: [1, 2, 3, 5] };
        assert!(
            !other.accepts(&md5(PENCIL), response.as_bytes()),
            "another salt"
        );
        let nobody = Secrets::new().for_user("app", None);
        let wrong = md5_hash(b"app", b"Pencil", challenge.salt);
        for secret in [plain("pencil"), md5(PENCIL), nobody, plain("")] {
            for wrong in [
                wrong.as_bytes(),
                b"",
                b"md5",
                b"pencil",
                PENCIL.as_bytes(),
                &response.as_bytes()[..34],
                &[b"md5", &[0; 32][..]].concat(),
                response.to_uppercase().as_bytes(),
            ] {
                assert!(!challenge.accepts(&secret, wrong), "{wrong:?}");
            }
        }
        assert_ne!(Md5Challenge::new().salt, Md5Challenge::new().salt);
    }

    /// What the proofs of one kind of login take: medians of a stranger's and of a user's with a wrong password.
    fn medians(tries: usize, mut attempt: impl FnMut(Option<&User>)) -> (Duration, Duration) {
        let password = Password::Plain("pencil".to_owned());
        let user = User::new("app", password, &[]);
        let (mut unknown, mut wrong) = (Vec::new(), Vec::new());
        let mut time = |user: Option<&User>, times: &mut Vec<Duration>| {
            let start = Instant::now();
            attempt(user);
            times.push(start.elapsed());
        };
        // Interleaved, so that what else the machine does meets both.
        for _ in 0..tries {
            time(None, &mut unknown);
            time(Some(&user), &mut wrong);
        }
        let median = |mut times: Vec<Duration>| {
            times.sort();
            times[times.len() / 2]
        };
        (median(unknown), median(wrong))
    }

    #[test]
    fn strangers_take_as_long_as_users() {
        let secrets = Secrets::new();
        let check = |what: &str, (unknown, wrong): (Duration, Duration)| {
            println!("{what}: unknown {unknown:?}, wrong {wrong:?}");
            let (less, more) = (unknown.min(wrong), unknown.max(wrong));
            assert!(
                more < less.mul_f64(1.5),
                "{what}: unknown {unknown:?}, wrong {wrong:?}"
            );
        };
        let scram = |user: Option<&User>| {
            let secret = secrets.for_user("app", user);
            assert_eq!(log_in(secret, "Pencil").err(), Some(ScramError::WrongProof));
        };
        scram(Some(&User::new(
            "app",
            Password::Plain("pencil".to_owned()),
            &[],
        )));
        check(
            "md5",
            medians(400, |user| {
                let secret = secrets.for_user("app", user);
                assert!(
                    !Md5Challenge::new().accepts(&secret, b"md5d41d8cd98f00b204e9800998ecf8427e")
                );
            }),
        );
        check(
            "password",
            medians(15, |user| {
                let secret = secrets.for_user("app", user);
                assert!(!is_password(&secret, "app", b"Pencil", secrets.work()));
            }),
        );
        // What the client computes itself is no part of it.
        let mut client = Vec::new();
        check(
            "scram",
            medians(400, |user| {
                let secret = secrets.for_user("app", user);
                client = crate::auth::scram::tests::wrong_attempt(secret);
            }),
        );
    }
}
