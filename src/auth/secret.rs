//! What a client's proof is checked against.
//!
//! Deriving the keys from a password takes thousands of hash iterations on purpose; done at each login
//! it would let anyone who can connect burn our CPU. So each user's keys are derived once. A user who
//! does not exist gets keys too, made from a process-wide random seed: the exchange then looks the same
//! from outside, always with the same salt for the same name, and cannot succeed.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use rand::Rng;
use sha2::{Digest, Sha256};

use crate::config::{Password, User};

/// A SCRAM verifier: it can check a client's proof, and does not contain the password.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    pub(super) salt: Vec<u8>,
    pub(super) iterations: u32,
    pub(super) stored_key: [u8; 32],
    pub(super) server_key: [u8; 32],
    /// The user does not exist, or the verifier is unusable: whatever the proof, the login fails.
    pub(super) doomed: bool,
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Secret {
    /// Derives the keys, with a random salt.
    pub fn from_password(password: &str) -> Self {
        let mut salt = vec![0; SALT_LENGTH];
        rand::rng().fill_bytes(&mut salt);
        Self::derive(password, salt, ITERATIONS)
    }

    pub(super) fn derive(password: &str, salt: Vec<u8>, iterations: u32) -> Self {
        let salted = salted_password(&normalize(password), &salt, iterations);
        let client_key = hmac(&salted, &[b"Client Key"]);
        Self {
            salt,
            iterations,
            stored_key: Sha256::digest(client_key).into(),
            server_key: hmac(&salted, &[b"Server Key"]),
            doomed: false,
        }
    }

    /// Reads PostgreSQL's form, `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`.
    pub fn from_verifier(verifier: &str) -> Option<Self> {
        let (parameters, keys) = verifier.strip_prefix("SCRAM-SHA-256$")?.split_once('$')?;
        let (iterations, salt) = parameters.split_once(':')?;
        let (stored_key, server_key) = keys.split_once(':')?;
        let iterations: u32 = iterations.parse().ok().filter(|count| *count > 0)?;
        let key = |text: &str| <[u8; 32]>::try_from(STANDARD.decode(text).ok()?).ok();
        Some(Self {
            salt: STANDARD.decode(salt).ok()?,
            iterations,
            stored_key: key(stored_key)?,
            server_key: key(server_key)?,
            doomed: false,
        })
    }

    fn doomed(seed: &[u8; 32], user: &str) -> Self {
        Self {
            salt: hmac(seed, &[b"salt", user.as_bytes()])[..SALT_LENGTH].to_vec(),
            iterations: ITERATIONS,
            stored_key: hmac(seed, &[b"stored", user.as_bytes()]),
            server_key: hmac(seed, &[b"server", user.as_bytes()]),
            doomed: true,
        }
    }
}

/// The secrets of all users: derived once each, and again after a password changed.
pub struct Secrets {
    seed: [u8; 32],
    derived: Mutex<HashMap<String, Derived>>,
}

struct Derived {
    password: Password,
    secret: Arc<Secret>,
}

impl Secrets {
    pub fn new() -> Arc<Self> {
        let mut seed = [0; 32];
        rand::rng().fill_bytes(&mut seed);
        Arc::new(Self {
            seed,
            derived: Mutex::new(HashMap::new()),
        })
    }

    /// The secret to check `name` against; `user` is the configured user of that name, if there is one.
    /// Costs some milliseconds of CPU the first time for a user with a plain password. Grows with the
    /// configured users only, never with the names that strangers try.
    pub fn for_user(&self, name: &str, user: Option<&User>) -> Arc<Secret> {
        let Some(user) = user else {
            return Arc::new(Secret::doomed(&self.seed, name));
        };
        if let Some(derived) = self.lock().get(&user.name)
            && derived.password == user.password
        {
            return Arc::clone(&derived.secret);
        }
        // Derived outside the lock: two logins at once may both do it, and either result is right.
        let secret = Arc::new(match &user.password {
            Password::Plain(password) => Secret::from_password(password),
            Password::Scram { verifier, .. } => {
                Secret::from_verifier(verifier).unwrap_or_else(|| Secret::doomed(&self.seed, name))
            }
            Password::Md5 { .. } => Secret::doomed(&self.seed, name),
        });
        let derived = Derived {
            password: user.password.clone(),
            secret: Arc::clone(&secret),
        };
        self.lock().insert(user.name.clone(), derived);
        secret
    }

    /// Derives the secrets of all users, at start and after a reload, and forgets those of others. The
    /// first login of a user then takes no longer than that of a stranger. Blocks for some milliseconds
    /// for each user with a plain password.
    pub fn prepare(&self, users: &BTreeMap<String, Arc<User>>) {
        users
            .iter()
            .for_each(|(name, user)| drop(self.for_user(name, Some(user))));
        self.lock().retain(|name, _| users.contains_key(name));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Derived>> {
        // A map of finished values is valid at every moment, even if a holder panicked.
        self.derived.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// SASLprep where it applies, the password's own bytes where it does not, as PostgreSQL does.
/// Source: <https://github.com/postgres/postgres/blob/master/src/common/scram-common.c>
pub(super) fn normalize(password: &str) -> Vec<u8> {
    stringprep::saslprep(password).map_or_else(
        |_| password.as_bytes().to_vec(),
        |prepared| prepared.as_bytes().to_vec(),
    )
}

/// PBKDF2 with HMAC-SHA-256 and one block of output (`Hi` in RFC 5802).
pub(super) fn salted_password(password: &[u8], salt: &[u8], iterations: u32) -> [u8; 32] {
    let keyed = keyed(password);
    let mut last: [u8; 32] = {
        let mut first = keyed.clone();
        first.update(salt);
        first.update(&1_u32.to_be_bytes());
        first.finalize().into_bytes().into()
    };
    let mut sum = last;
    for _ in 1..iterations {
        let mut next = keyed.clone();
        next.update(&last);
        last = next.finalize().into_bytes().into();
        sum.iter_mut()
            .zip(last)
            .for_each(|(sum, byte)| *sum ^= byte);
    }
    sum
}

pub(super) fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut hmac = keyed(key);
    parts.iter().for_each(|part| hmac.update(part));
    hmac.finalize().into_bytes().into()
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length")
}

/// As PostgreSQL's own defaults.
const ITERATIONS: u32 = 4096;
const SALT_LENGTH: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn user(password: Password) -> User {
        User::new("app", password, &[])
    }

    #[test]
    fn derives_once_until_the_password_changes() {
        let secrets = Secrets::new();
        let first = secrets.for_user("app", Some(&user(Password::Plain("a".to_owned()))));
        let again = secrets.for_user("app", Some(&user(Password::Plain("a".to_owned()))));
        assert!(Arc::ptr_eq(&first, &again));
        let changed = secrets.for_user("app", Some(&user(Password::Plain("b".to_owned()))));
        assert_ne!(first, changed);
    }

    #[test]
    fn preparing_forgets_users_who_are_gone() {
        let secrets = Secrets::new();
        let users = |names: &[&str]| -> BTreeMap<String, Arc<User>> {
            let user = |name: &str| User {
                name: name.to_owned(),
                ..user(Password::Plain("a".to_owned()))
            };
            names
                .iter()
                .map(|name| ((*name).to_owned(), Arc::new(user(name))))
                .collect()
        };
        secrets.prepare(&users(&["app", "gone"]));
        let before = secrets.for_user("app", Some(&users(&["app"])["app"]));
        secrets.prepare(&users(&["app"]));
        assert_eq!(secrets.lock().len(), 1);
        assert!(Arc::ptr_eq(
            &before,
            &secrets.for_user("app", Some(&users(&["app"])["app"]))
        ));
    }

    #[test]
    fn strangers_get_a_steady_salt_and_leave_nothing_behind() {
        let secrets = Secrets::new();
        let (first, again) = (
            secrets.for_user("nobody", None),
            secrets.for_user("nobody", None),
        );
        assert_eq!(first.salt, again.salt);
        assert_ne!(first.salt, secrets.for_user("no one", None).salt);
        assert_eq!(
            (first.salt.len(), first.iterations),
            (SALT_LENGTH, ITERATIONS)
        );
        assert!(first.doomed && secrets.lock().is_empty());
    }

    #[test]
    fn verifiers_are_read_or_refused() {
        let secret = Secret::derive("pencil", b"0123456789abcdef".to_vec(), 4096);
        let verifier = format!(
            "SCRAM-SHA-256$4096:{}${}:{}",
            STANDARD.encode(&secret.salt),
            STANDARD.encode(secret.stored_key),
            STANDARD.encode(secret.server_key)
        );
        assert_eq!(Secret::from_verifier(&verifier), Some(secret));
        for broken in [
            "",
            "md5d41d8cd98f00b204e9800998ecf8427e",
            "SCRAM-SHA-256$",
            "SCRAM-SHA-256$0:AAAA$AAAA:AAAA",
            "SCRAM-SHA-256$4096:AAAA$AAAA:AAAA",
            "SCRAM-SHA-256$4096:!$!:!",
        ] {
            assert_eq!(Secret::from_verifier(broken), None, "{broken}");
        }
        let secrets = Secrets::new();
        let broken = Password::Scram {
            verifier: "SCRAM-SHA-256$".to_owned(),
            server_password: None,
        };
        assert!(secrets.for_user("app", Some(&user(broken))).doomed);
    }

    #[test]
    fn passwords_are_prepared_as_postgres_does() {
        assert_eq!(normalize("\u{2168}"), b"IX");
        assert_eq!(
            normalize("a\u{7}b"),
            b"a\x07b",
            "prohibited characters: the bytes as they are"
        );
    }
}
