//! What a client's proof is checked against.
//!
//! Deriving the keys from a password takes thousands of hash iterations on purpose; done at each login
//! it would let anyone who can connect burn our CPU. So each user's keys are derived once. A user who
//! does not exist gets keys too, made from a process-wide random seed: the exchange then looks the same
//! from outside, always with the same salt for the same name, and cannot succeed. So do users whose
//! password is stored in a form the method cannot use.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use rand::Rng;
use sha2::{Digest, Sha256};

use crate::config::{Method, Password, User};

/// What a name's proof is checked against, by whatever method. `Debug` never shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    pub(super) scram: Verifier,
    pub(super) md5: Md5Hash,
}

/// A SCRAM verifier: it can check a client's proof, and does not contain the password.
#[derive(Clone, PartialEq, Eq)]
pub struct Verifier {
    pub(super) salt: Vec<u8>,
    pub(super) iterations: u32,
    pub(super) stored_key: [u8; 32],
    pub(super) server_key: [u8; 32],
    /// The user does not exist, or has no such verifier: whatever the proof, the login fails.
    pub(super) doomed: bool,
}

/// The MD5 of password and name, as `pg_authid.rolpassword` has it behind `md5`: hexadecimal digits.
#[derive(Clone, PartialEq, Eq)]
pub struct Md5Hash {
    pub(super) digits: [u8; 32],
    pub(super) doomed: bool,
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Secret {
    /// Derives everything, with a random salt.
    pub fn from_password(user: &str, password: &str) -> Self {
        Self {
            scram: Verifier::from_password(password),
            md5: Md5Hash::from_password(user, password.as_bytes()),
        }
    }

    /// Whether the method has something to check a proof against.
    pub fn fits(&self, method: Method) -> bool {
        match method {
            Method::Scram => !self.scram.doomed,
            Method::Md5 => !self.md5.doomed,
            Method::Password => {
                !self.md5.doomed || (!self.scram.doomed && self.scram.is_bearable())
            }
            Method::Certificate | Method::Reject => true,
        }
    }

    fn doomed(seed: &[u8; 32], user: &str, iterations: u32) -> Self {
        let digits = hex(&hmac(seed, &[b"md5", user.as_bytes()])[..16]);
        Self {
            scram: Verifier {
                salt: hmac(seed, &[b"salt", user.as_bytes()])[..SALT_LENGTH].to_vec(),
                iterations,
                stored_key: hmac(seed, &[b"stored", user.as_bytes()]),
                server_key: hmac(seed, &[b"server", user.as_bytes()]),
                doomed: true,
            },
            md5: Md5Hash {
                digits,
                doomed: true,
            },
        }
    }

    /// As stored. What the stored form does not give stays as it is in `doomed`.
    fn from_stored(user: &str, stored: &Password, doomed: Self) -> Self {
        match stored {
            Password::Plain(password) if password.is_empty() => doomed,
            Password::Plain(password) => Self::from_password(user, password),
            Password::Scram { verifier, .. } => Self {
                scram: Verifier::from_text(verifier).unwrap_or(doomed.scram),
                md5: doomed.md5,
            },
            Password::Md5 { hash, .. } => Self {
                scram: doomed.scram,
                md5: Md5Hash::from_text(hash)
                    .filter(|hash| *hash != Md5Hash::from_password(user, b""))
                    .unwrap_or(doomed.md5),
            },
        }
    }
}

impl Verifier {
    fn from_password(password: &str) -> Self {
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
    fn from_text(verifier: &str) -> Option<Self> {
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

    /// Whether the password could be tried at a bearable cost.
    pub(super) fn is_bearable(&self) -> bool {
        self.iterations <= ITERATIONS_MAX
    }

    /// Derives the keys anew and compares: costs milliseconds of CPU, and the same for whatever is wrong. Runs
    /// through at least `work` iterations, so that verifiers of more and of fewer take the same time.
    pub(super) fn matches(&self, password: &str, work: u32) -> bool {
        let iterations = match self.is_bearable() {
            true => self.iterations,
            false => ITERATIONS,
        };
        let derived = Self::derive(password, self.salt.clone(), iterations);
        if let Some(rest) = work.checked_sub(iterations).filter(|rest| *rest > 0) {
            std::hint::black_box(salted_password(b"", &self.salt, rest));
        }
        let same = equal(&derived.stored_key, &self.stored_key)
            & equal(&derived.server_key, &self.server_key);
        same & self.is_bearable() & !self.doomed
    }
}

impl Md5Hash {
    pub(super) fn from_password(user: &str, password: &[u8]) -> Self {
        let hash = Md5::new()
            .chain_update(password)
            .chain_update(user.as_bytes());
        Self {
            digits: hex(&hash.finalize()),
            doomed: false,
        }
    }

    /// Reads PostgreSQL's form, `md5` and the digits.
    fn from_text(hash: &str) -> Option<Self> {
        let digits = hash.strip_prefix("md5")?.as_bytes();
        Some(Self {
            digits: digits.try_into().ok()?,
            doomed: false,
        })
    }
}

/// The secrets of all users: derived once each, and again after a password changed.
pub struct Secrets {
    seed: [u8; 32],
    /// What strangers are told, so that they look like users.
    iterations: AtomicU32,
    /// What a password in clear costs, whoever's it is.
    work: AtomicU32,
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
            iterations: AtomicU32::new(ITERATIONS),
            work: AtomicU32::new(ITERATIONS),
            derived: Mutex::new(HashMap::new()),
        })
    }

    /// The secret to check `name` against; `user` is the configured user of that name, if there is one.
    /// Costs some milliseconds of CPU the first time for a user with a plain password. Grows with the
    /// configured users only, never with the names that strangers try.
    pub fn for_user(&self, name: &str, user: Option<&User>) -> Arc<Secret> {
        // Made for everybody, so that time does not tell who needs it.
        let doomed = self.doomed(name);
        let Some(user) = user else {
            return Arc::new(doomed);
        };
        if let Some(derived) = self.lock().get(&user.name)
            && derived.password == user.password
        {
            return Arc::clone(&derived.secret);
        }
        // Derived outside the lock: two logins at once may both do it, and either result is right.
        let mut secret = Secret::from_stored(name, &user.password, doomed);
        let stored_scram = matches!(user.password, Password::Scram { .. });
        if stored_scram && secret.scram.matches("", 0) {
            tracing::warn!(user = %user.name, "the verifier is of an empty password, with which nobody logs in");
            secret.scram.doomed = true;
        }
        let secret = Arc::new(secret);
        let derived = Derived {
            password: user.password.clone(),
            secret: Arc::clone(&secret),
        };
        self.lock().insert(user.name.clone(), derived);
        secret
    }

    /// The secret of somebody a shard was asked for, or of nobody. A shard stores no plain passwords: one that
    /// comes out of a query lets nobody in, because deriving its keys would take time that tells it is there.
    pub fn for_found(&self, name: &str, password: Option<&Password>) -> Arc<Secret> {
        let doomed = self.doomed(name);
        Arc::new(match password {
            Some(password @ (Password::Scram { .. } | Password::Md5 { .. })) => {
                Secret::from_stored(name, password, doomed)
            }
            Some(Password::Plain(_)) | None => doomed,
        })
    }

    /// Derives the secrets of all users, at start and after a reload, and forgets those of others. The
    /// first login of a user then takes no longer than that of a stranger. Blocks for some milliseconds
    /// for each user.
    pub fn prepare(&self, users: &BTreeMap<String, Arc<User>>) {
        let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
        for (name, user) in users {
            let secret = self.for_user(name, Some(user));
            if !secret.scram.doomed {
                *counts.entry(secret.scram.iterations).or_default() += 1;
            }
        }
        let bearable = counts.keys().filter(|count| **count <= ITERATIONS_MAX);
        let work = bearable.max().copied().unwrap_or(ITERATIONS);
        self.work.store(work, Ordering::Relaxed);
        let usual = counts.into_iter().max_by_key(|(_, users)| *users);
        let iterations = usual.map_or(ITERATIONS, |(iterations, _)| iterations);
        self.iterations.store(iterations, Ordering::Relaxed);
        self.lock().retain(|name, _| users.contains_key(name));
    }

    /// Iterations that a password in clear costs, whoever's it is.
    pub fn work(&self) -> u32 {
        self.work.load(Ordering::Relaxed)
    }

    fn doomed(&self, name: &str) -> Secret {
        Secret::doomed(&self.seed, name, self.iterations.load(Ordering::Relaxed))
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

pub(super) fn hex(bytes: &[u8]) -> [u8; 32] {
    let mut digits = [b'0'; 32];
    for (pair, byte) in digits.chunks_exact_mut(2).zip(bytes) {
        pair.copy_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
    }
    digits
}

/// Takes the same time wherever the two differ.
pub(super) fn equal(a: &[u8; 32], b: &[u8; 32]) -> bool {
    let difference = a
        .iter()
        .zip(b)
        .fold(0, |difference, (a, b)| difference | (a ^ b));
    std::hint::black_box(difference) == 0
}

const HEX: &[u8; 16] = b"0123456789abcdef";
/// A verifier with more iterations is of no use to method `password`, where it is us who run through them: half
/// a second of CPU for each try.
const ITERATIONS_MAX: u32 = 1_000_000;
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
        assert_eq!(first, again);
        let other = secrets.for_user("no one", None);
        assert_ne!(first.scram.salt, other.scram.salt);
        assert_ne!(first.md5.digits, other.md5.digits);
        assert_eq!(
            (first.scram.salt.len(), first.scram.iterations),
            (SALT_LENGTH, ITERATIONS)
        );
        assert!(first.scram.doomed && first.md5.doomed && secrets.lock().is_empty());
        assert_eq!(secrets.for_found("nobody", None), first);
    }

    #[test]
    fn verifiers_are_read_or_refused() {
        let verifier = Verifier::derive("pencil", b"0123456789abcdef".to_vec(), 4096);
        assert!(Verifier::from_text(&text(&verifier)) == Some(verifier));
        for broken in [
            "",
            "md5d41d8cd98f00b204e9800998ecf8427e",
            "SCRAM-SHA-256$",
            "SCRAM-SHA-256$0:AAAA$AAAA:AAAA",
            "SCRAM-SHA-256$4096:AAAA$AAAA:AAAA",
            "SCRAM-SHA-256$4096:!$!:!",
        ] {
            assert!(Verifier::from_text(broken).is_none(), "{broken}");
        }
        let secrets = Secrets::new();
        let broken = Password::Scram {
            verifier: "SCRAM-SHA-256$".to_owned(),
            server_password: None,
        };
        assert!(secrets.for_user("app", Some(&user(broken))).scram.doomed);
    }

    #[test]
    fn a_stored_form_fits_its_own_methods() {
        let secrets = Secrets::new();
        let verifier = Verifier::derive("pencil", vec![1; 16], 2);
        let md5 = |hash: &str| Password::Md5 {
            hash: hash.to_owned(),
            server_password: None,
        };
        // md5('' || 'app')
        let of_empty = md5("md5d2a57dc1d883fd21fb9951699df71cc7");
        for (password, scram, md5) in [
            (Password::Plain("pencil".to_owned()), true, true),
            (Password::Plain(String::new()), false, false),
            (scram(&verifier), true, false),
            (scram(&Verifier::derive("", vec![1; 16], 2)), false, false),
            (md5("md5d41d8cd98f00b204e9800998ecf8427e"), false, true),
            (of_empty, false, false),
            (md5("md5"), false, false),
        ] {
            let secret = secrets.for_user("app", Some(&user(password.clone())));
            let fits = (!secret.scram.doomed, !secret.md5.doomed);
            assert_eq!(fits, (scram, md5), "{password:?}");
        }
        let plain = Password::Plain("pencil".to_owned());
        let found = secrets.for_found("app", Some(&plain));
        assert!(found.scram.doomed && found.md5.doomed);
        let found = secrets.for_found("app", Some(&scram(&verifier)));
        assert!(found.scram == verifier && found.md5.doomed);
    }

    #[test]
    fn strangers_are_told_as_many_iterations_as_most_users() {
        let secrets = Secrets::new();
        let users: BTreeMap<_, _> = [("a", 4096), ("b", 20), ("c", 20)]
            .map(|(name, iterations)| {
                let password = scram(&Verifier::derive("x", vec![1; 16], iterations));
                (name.to_owned(), Arc::new(User::new(name, password, &[])))
            })
            .into();
        secrets.prepare(&users);
        assert_eq!(secrets.for_user("nobody", None).scram.iterations, 20);
        secrets.prepare(&BTreeMap::new());
        assert_eq!(
            secrets.for_user("nobody", None).scram.iterations,
            ITERATIONS
        );
    }

    #[test]
    fn absurd_iterations_cost_nothing() {
        let mut verifier = Verifier::derive("pencil", vec![1; 16], ITERATIONS);
        assert!(verifier.matches("pencil", 0) && !verifier.matches("Pencil", 0));
        // Would take minutes, and would match if it were cut short.
        verifier.iterations = u32::MAX;
        assert!(!verifier.matches("pencil", 0));
    }

    fn text(verifier: &Verifier) -> String {
        format!(
            "SCRAM-SHA-256${}:{}${}:{}",
            verifier.iterations,
            STANDARD.encode(&verifier.salt),
            STANDARD.encode(verifier.stored_key),
            STANDARD.encode(verifier.server_key)
        )
    }

    fn scram(verifier: &Verifier) -> Password {
        Password::Scram {
            verifier: text(verifier),
            server_password: None,
        }
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
