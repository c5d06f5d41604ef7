//! What we can prove to a server that we are a user.

use std::fmt;
use std::sync::Arc;

use super::secret::{hmac, normalize, salted_password};
use crate::config::Password;

/// The means to log in to servers as one user. `Debug` never shows it.
#[derive(Clone, Default)]
pub enum Credential {
    /// Nothing: the server has to let the user in without a proof (`trust`, `peer`, a certificate).
    #[default]
    None,
    Password(String),
    /// Keys a client's own login has left here: they log in to servers that hold the same verifier.
    Scram(Arc<ScramKeys>),
    /// `md5` and 32 hexadecimal digits, as in `pg_authid.rolpassword`.
    Md5(String),
}

/// Both keys of a SCRAM-SHA-256 verifier, without the password they were derived from. They are worth
/// the password toward servers with this verifier, and nothing elsewhere.
#[derive(Clone)]
pub struct ScramKeys {
    pub client_key: [u8; 32],
    pub server_key: [u8; 32],
    /// Those of the verifier: a server that asks for others has another verifier.
    pub salt: Vec<u8>,
    pub iterations: u32,
}

impl Credential {
    /// What the configuration alone knows; a SCRAM verifier needs a client's login to be of use.
    pub fn configured(password: &Password) -> Self {
        match (password.for_servers(), password) {
            (Some(password), _) => Self::Password(password.to_owned()),
            (None, Password::Md5 { hash, .. }) => Self::Md5(hash.clone()),
            (None, _) => Self::None,
        }
    }

    /// Of one kind: two that are then differ because the secret was changed.
    pub fn is_kind_of(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }

    pub fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }
}

impl ScramKeys {
    /// As a server derives them when the password is set. Takes some milliseconds of CPU, on purpose.
    pub fn derive(password: &str, salt: Vec<u8>, iterations: u32) -> Self {
        let salted = salted_password(&normalize(password), &salt, iterations);
        Self {
            client_key: hmac(&salted, &[b"Client Key"]),
            server_key: hmac(&salted, &[b"Server Key"]),
            salt,
            iterations,
        }
    }
}

/// Takes the same time wherever two secrets of one length differ.
impl PartialEq for Credential {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::None, Self::None) => true,
            (Self::Password(a), Self::Password(b)) | (Self::Md5(a), Self::Md5(b)) => {
                equal(a.as_bytes(), b.as_bytes())
            }
            (Self::Scram(a), Self::Scram(b)) => Arc::ptr_eq(a, b) || a == b,
            _ => false,
        }
    }
}

impl Eq for Credential {}

impl PartialEq for ScramKeys {
    fn eq(&self, other: &Self) -> bool {
        // The salt is no secret: servers tell it to everybody.
        equal(&self.client_key, &other.client_key)
            & equal(&self.server_key, &other.server_key)
            & (self.salt == other.salt && self.iterations == other.iterations)
    }
}

impl Eq for ScramKeys {}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Password(_) => "Password(…)",
            Self::Scram(_) => "Scram(…)",
            Self::Md5(_) => "Md5(…)",
        })
    }
}

impl fmt::Debug for ScramKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ScramKeys(…)")
    }
}

pub(super) fn equal(a: &[u8], b: &[u8]) -> bool {
    let difference = a
        .iter()
        .zip(b)
        .fold(0, |difference, (a, b)| difference | (a ^ b));
    a.len() == b.len() && std::hint::black_box(difference) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(client: u8, salt: u8) -> Credential {
        Credential::Scram(Arc::new(ScramKeys {
            client_key: [client; 32],
            server_key: [2; 32],
            salt: vec![salt],
            iterations: 4096,
        }))
    }

    #[test]
    fn equal_where_the_secrets_are() {
        let password = |text: &str| Credential::Password(text.to_owned());
        let hash = |text: &str| Credential::Md5(text.to_owned());
        let all = [
            Credential::None,
            password("a"),
            password("ab"),
            password("b"),
            hash("a"),
            keys(1, 1),
            keys(2, 1),
            keys(1, 2),
        ];
        for (at, one) in all.iter().enumerate() {
            for (other_at, other) in all.iter().enumerate() {
                assert_eq!(one == other, at == other_at, "{one:?} {other:?}");
            }
        }
        assert_eq!(keys(1, 1), keys(1, 1), "not the same allocation");
    }

    #[test]
    fn nothing_is_shown() {
        let shown = format!(
            "{:?} {:?} {:?}",
            Credential::Password("hunter2".to_owned()),
            Credential::Md5("md5aa".to_owned()),
            keys(7, 9)
        );
        assert_eq!(shown, "Password(…) Md5(…) Scram(…)");
    }
}
