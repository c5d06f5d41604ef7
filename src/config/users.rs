//! `users`, and the forms a secret may have.

use std::collections::HashSet;

use super::error::Position;
use super::limits;
use super::reader::Context;
use super::resolved::{Password, Timeouts, User};
use super::yaml::{Node, Value};

/// A user as read, before the databases are known.
pub(super) struct RawUser {
    pub(super) user: User,
    /// Where each of `user.databases` is named.
    pub(super) database_positions: Vec<Position>,
}

const SECRET: &str = "a plain string, { env: NAME } or { file: PATH }";
const PASSWORD: &str = "a plain string, { env: NAME }, { file: PATH }, { scram: \"SCRAM-SHA-256$…\" } or \
                        { md5: \"md5…\" }";

/// In the order of the file.
pub(super) fn users(
    context: &Context<'_>,
    node: &Node,
    timeouts: Timeouts,
) -> Option<Vec<RawUser>> {
    let items = context.list(node, "a list of users, each { name, password, databases }")?;
    let users: Vec<Option<RawUser>> = items
        .iter()
        .map(|item| user(context, item, timeouts))
        .collect();
    let mut seen = HashSet::new();
    for (item, user) in items.iter().zip(&users) {
        if let Some(RawUser { user, .. }) = user
            && !seen.insert(user.name.clone())
        {
            context.error(item.at, format!("the user `{}` is listed twice", user.name));
        }
    }
    users.into_iter().collect()
}

fn user(context: &Context<'_>, node: &Node, timeouts: Timeouts) -> Option<RawUser> {
    let mut map = context.map(node, "a user: { name, password, databases }")?;
    let name = map.required("name").and_then(|node| {
        let name = context.text(node, "the user's name")?;
        context.name(node.at, "user", name);
        Some(name.to_owned())
    });
    let password = map
        .required("password")
        .and_then(|node| password(context, node));
    let admin = map
        .optional("admin")
        .map_or(Some(false), |node| context.bool(node));
    // An administrator may use the console only; anybody else without a database can do nothing.
    let databases = match admin {
        Some(true) => map.optional("databases"),
        _ => map.required("databases"),
    };
    let databases = databases.map_or(Some(Vec::new()), |node| {
        user_databases(context, node, admin == Some(true))
    });
    let certificate = map.optional("certificate").map_or(Some(None), |node| {
        let name = context.text(node, "the common name of the user's client certificate")?;
        if name.is_empty() || name.contains('\0') {
            context.error(node.at, "no certificate has such a name");
        }
        Some(Some(name.to_owned()))
    });
    let limits = map
        .optional("limits")
        .map_or(Some((None, timeouts)), |node| {
            limits::of_user(context, node, timeouts)
        });
    map.finish();
    let (databases, database_positions) = databases?.into_iter().unzip();
    let (name, (connections, timeouts)) = (name?, limits?);
    Some(RawUser {
        user: User {
            certificate: certificate?.unwrap_or_else(|| name.clone()),
            connections,
            timeouts,
            name,
            password: password?,
            databases,
            admin: admin?,
        },
        database_positions,
    })
}

fn user_databases(
    context: &Context<'_>,
    node: &Node,
    admin: bool,
) -> Option<Vec<(String, Position)>> {
    let items = context.list(node, "a list of databases")?;
    if items.is_empty() && !admin {
        context.error(
            node.at,
            "at least one database is needed for a user who is not an administrator",
        );
    }
    let mut databases: Vec<(String, Position)> = Vec::new();
    for item in items {
        let name = context.text(item, "the name of a database")?;
        if databases.iter().any(|(seen, _)| seen == name) {
            context.error(item.at, format!("the database `{name}` is listed twice"));
        } else {
            databases.push((name.to_owned(), item.at));
        }
    }
    Some(databases)
}

/// A password with which we log in to servers, so never only a verifier.
pub(super) fn service_password(context: &Context<'_>, node: &Node) -> Option<Password> {
    if let Value::Map(entries) = &node.value
        && let Some((key, _)) = entries.iter().find(|(key, _)| key.name == "scram")
    {
        context.error(
            key.at,
            format!("a SCRAM verifier cannot log in to servers, expected {SECRET}"),
        );
        return None;
    }
    secret(context, node, SECRET).map(Password::Plain)
}

fn password(context: &Context<'_>, node: &Node) -> Option<Password> {
    let is_verifier = matches!(&node.value, Value::Map(entries)
        if entries.iter().any(|(key, _)| matches!(key.name.as_str(), "scram" | "md5" | "server_password")));
    if !is_verifier {
        let plain = secret(context, node, PASSWORD)?;
        if plain.starts_with("SCRAM-SHA-256$") || is_md5_hash(&plain) {
            context.error(
                node.at,
                "this is not a password but its hash: write { scram: \"SCRAM-SHA-256$…\" } or { md5: \"md5…\" }",
            );
        }
        return Some(Password::Plain(plain));
    }
    let mut map = context.map(node, PASSWORD)?;
    let md5 = map.optional("md5");
    let verifier_node = match md5 {
        Some(node) => Some(node),
        None => map.required("scram"),
    };
    if let (Some(_), Some(node)) = (md5, map.optional("scram")) {
        context.error(node.at, "a password has one verifier: `scram` or `md5`");
    }
    let verifier = verifier_node.and_then(|node| verifier(context, node, md5.is_some()));
    let server_password = match map.optional("server_password") {
        Some(node) => Some(secret(context, node, SECRET)?),
        None => None,
    };
    map.finish();
    Some(match md5 {
        Some(_) => Password::Md5 {
            hash: verifier?,
            server_password,
        },
        None => Password::Scram {
            verifier: verifier?,
            server_password,
        },
    })
}

fn verifier(context: &Context<'_>, node: &Node, md5: bool) -> Option<String> {
    let (expected, problem) = match md5 {
        true => (
            "a hash \"md5…\", { env: NAME } or { file: PATH }",
            "malformed MD5 hash, expected md5 and 32 hexadecimal digits in lower case as in pg_authid.rolpassword",
        ),
        false => (
            "a verifier \"SCRAM-SHA-256$…\", { env: NAME } or { file: PATH }",
            "malformed SCRAM verifier, expected SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey> \
             as in pg_authid.rolpassword",
        ),
    };
    let verifier = secret(context, node, expected)?;
    let valid = match md5 {
        true => is_md5_hash(&verifier),
        false => is_scram_verifier(&verifier),
    };
    if !valid {
        context.error(node.at, problem);
    }
    Some(verifier)
}

fn secret(context: &Context<'_>, node: &Node, expected: &str) -> Option<String> {
    let secret = match &node.value {
        Value::Map(_) => stored_secret(context, node, expected)?,
        _ => context.text(node, expected)?.to_owned(),
    };
    if secret.is_empty() || secret.contains('\0') {
        context.error(
            node.at,
            "the password is empty or contains a zero byte, with which nobody can log in",
        );
        return None;
    }
    Some(secret)
}

/// `{ env: NAME }` or `{ file: PATH }`.
fn stored_secret(context: &Context<'_>, node: &Node, expected: &str) -> Option<String> {
    let mut map = context.map(node, expected)?;
    let (env, file) = (map.optional("env"), map.optional("file"));
    map.finish();
    match (env, file) {
        (Some(node), None) => {
            let name = context.text(node, "the name of an environment variable")?;
            let value = (context.env)(name);
            if value.is_none() {
                context.error(
                    node.at,
                    format!("the environment variable `{name}` is not set"),
                );
            }
            value
        }
        (None, Some(node)) => {
            let path = super::resolve_path(context, context.text(node, "the path of a file")?);
            match std::fs::read_to_string(&path) {
                // Editors and `echo` end a file with a line break; a password has none.
                Ok(text) => Some(
                    text.strip_suffix('\n')
                        .map_or(&*text, |t| t.strip_suffix('\r').unwrap_or(t))
                        .to_owned(),
                ),
                Err(error) => {
                    context.error(
                        node.at,
                        format!("cannot read the secret in {}: {error}", path.display()),
                    );
                    None
                }
            }
        }
        _ => {
            context.error(node.at, format!("expected {expected}"));
            None
        }
    }
}

impl Password {
    /// What `pg_authid.rolpassword` holds of a user. `None` for anything but a verifier: a text that is none
    /// is never taken for a password.
    pub fn from_stored(stored: &str) -> Option<Self> {
        if is_scram_verifier(stored) {
            Some(Self::Scram {
                verifier: stored.to_owned(),
                server_password: None,
            })
        } else if is_md5_hash(stored) {
            Some(Self::Md5 {
                hash: stored.to_owned(),
                server_password: None,
            })
        } else {
            None
        }
    }
}

/// PostgreSQL's other stored form: `md5` and 32 hexadecimal digits.
fn is_md5_hash(text: &str) -> bool {
    text.len() == 35
        && text
            .strip_prefix("md5")
            .is_some_and(|hash| hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
}

/// `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`, the keys 32 bytes in base64.
/// Source: `parse_scram_secret` in `src/backend/libpq/auth-scram.c`.
fn is_scram_verifier(text: &str) -> bool {
    let parse = || {
        let (salted, keys) = text.strip_prefix("SCRAM-SHA-256$")?.split_once('$')?;
        let (iterations, salt) = salted.split_once(':')?;
        let (stored, server) = keys.split_once(':')?;
        let iterations = super::reader::whole_number(iterations)?;
        let valid = (1..=u64::from(i32::MAX.unsigned_abs())).contains(&iterations)
            && base64_len(salt)? > 0
            && base64_len(stored)? == 32
            && base64_len(server)? == 32;
        valid.then_some(())
    };
    parse().is_some()
}

/// How many bytes padded base64 stands for.
fn base64_len(text: &str) -> Option<usize> {
    let digits = text.trim_end_matches('=');
    let padding = text.len() - digits.len();
    let valid = text.len().is_multiple_of(4)
        && padding <= 2
        && digits
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/'));
    valid.then(|| text.len() / 4 * 3 - padding)
}
