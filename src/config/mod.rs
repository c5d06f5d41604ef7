//! Files and environment become one validated, immutable [`Config`]: raw form in, resolved form
//! out, once. No `Option` here means "default"; every error names file, line and column, and one
//! run shows all of them.
//!
//! ```text
//! text → yaml (tree with positions) → reader (typed, records errors) → users, database, keyspaces
//!      → resolved
//! ```
//!
//! Knows the shard map (it builds one per database) and nothing of sockets. Reads secrets from files and
//! environment, and never puts them into a message.

mod database;
mod error;
mod functions;
mod keyspaces;
mod limits;
mod reader;
mod resolved;
mod rules;
mod users;
mod values;
mod yaml;

pub use error::{ConfigError, Errors, Position};
pub use resolved::{
    Address, AuthQuery, ClientTls, Config, Database, Limits, Method, Names, Origins, Password,
    PoolMode, PoolSettings, Rule, RuleTls, ServerTls, ServerTlsMode, Service, Shard, Timeouts,
    TlsVersion, User,
};

use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use reader::{Context, did_you_mean};
use users::RawUser;
use yaml::{Node, Value};

/// Reads a file. `env` answers for environment variables.
pub fn load(path: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Config, Errors> {
    match std::fs::read_to_string(path) {
        Ok(text) => parse(&text, path, env),
        Err(error) => Err(one_error(
            path,
            None,
            format!("cannot read the file: {error}"),
        )),
    }
}

/// Reads the text of the file `path`, which names it in errors and to whose directory paths are relative.
pub fn parse(
    text: &str,
    path: &Path,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Config, Errors> {
    let root = yaml::parse(text).map_err(|(at, message)| one_error(path, at, message))?;
    let context = Context::new(path, env);
    let config = config(&context, &root);
    context.finish(config)
}

fn one_error(path: &Path, position: Option<Position>, message: String) -> Errors {
    Errors(vec![ConfigError {
        file: path.to_owned(),
        position,
        message,
    }])
}

/// Paths in the file are relative to its directory.
fn resolve_path(context: &Context<'_>, path: &str) -> PathBuf {
    context.path.parent().unwrap_or(Path::new("")).join(path)
}

fn config(context: &Context<'_>, root: &Node) -> Option<Config> {
    if root.value == Value::Null {
        context.error(
            Position { line: 1, column: 1 },
            "the file is empty: `users` and `databases` are needed",
        );
        return None;
    }
    let mut map = context.map(root, "a map: { users, databases, … }")?;
    let listen = match map.optional("listen") {
        Some(node) => listen(context, node),
        None => Some(vec![Address::Tcp {
            host: "127.0.0.1".to_owned(),
            port: 6432,
        }]),
    };
    let http = match map.optional("http") {
        Some(node) => http(context, node),
        None => Some(None),
    };
    let drain_timeout = map
        .optional("drain_timeout")
        .map_or(Some(Duration::from_secs(30)), |node| context.duration(node));
    let tls = map
        .optional("tls")
        .map_or(Some(None), |node| rules::client_tls(context, node));
    let limits = map
        .optional("limits")
        .map_or(Some(Limits::default()), |node| {
            limits::limits(context, node)
        });
    let timeouts = limits.as_ref().map(|limits| limits.timeouts);
    let users_node = map.required("users");
    let users =
        users_node.and_then(|node| users::users(context, node, timeouts.unwrap_or_default()));
    let databases = map
        .required("databases")
        .and_then(|node| databases(context, node, users.as_deref()));
    if let (Some(node), Some([]), Some(databases)) = (users_node, users.as_deref(), &databases)
        && databases
            .values()
            .all(|database| database.auth_query.is_none())
    {
        context.error(
            node.at,
            "at least one user is needed, or a database with `auth_query`",
        );
    }
    let rules = map.optional("rules").map_or_else(
        || Some(rules::everyone()),
        |node| {
            let offered = tls.as_ref().map(Option::as_ref);
            rules::rules(context, node, offered)
        },
    );
    map.finish();
    let users = users?
        .into_iter()
        .map(|raw| (raw.user.name.clone(), Arc::new(raw.user)))
        .collect();
    Some(Config {
        path: context.path.to_owned(),
        listen: listen?,
        http: http?,
        tls: tls?,
        users,
        rules: rules?,
        limits: limits?,
        databases: databases?,
        drain_timeout: drain_timeout?,
    })
}

fn listen(context: &Context<'_>, node: &Node) -> Option<Vec<Address>> {
    let items = match &node.value {
        Value::List(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    if items.is_empty() {
        context.error(node.at, "at least one address is needed");
    }
    let mut seen = HashSet::new();
    let addresses: Vec<Option<Address>> = items
        .iter()
        .map(|item| values::address(context, item, 6432))
        .collect();
    for (item, address) in items.iter().zip(&addresses) {
        if let Some(address) = address
            && !seen.insert(address)
        {
            context.error(item.at, format!("the address {address} is listed twice"));
        }
    }
    addresses.into_iter().collect()
}

/// Outside is a failure, inside is "off".
fn http(context: &Context<'_>, node: &Node) -> Option<Option<SocketAddr>> {
    if node.value == Value::Null {
        return Some(None);
    }
    const EXPECTED: &str = "an IP address and port such as 127.0.0.1:9632, or null";
    let text = context.text(node, EXPECTED)?;
    match text.parse::<SocketAddr>() {
        Ok(address) if address.port() != 0 => Some(Some(address)),
        _ => {
            context.error(node.at, format!("expected {EXPECTED}, found {text:?}"));
            None
        }
    }
}

fn databases(
    context: &Context<'_>,
    node: &Node,
    users: Option<&[RawUser]>,
) -> Option<BTreeMap<String, Arc<Database>>> {
    let entries = context.entries(node, "a map of databases: { app: { shards: … } }")?;
    if entries.is_empty() {
        context.error(node.at, "at least one database is needed");
    }
    let names: Vec<&str> = entries.iter().map(|(key, _)| key.name.as_str()).collect();
    for raw in users.unwrap_or_default() {
        for (name, at) in raw.user.databases.iter().zip(&raw.database_positions) {
            if !names.contains(&name.as_str()) {
                let hint = match name.as_str() {
                    database::ADMIN_DATABASE => {
                        ": the admin console is for users with `admin: true`".to_owned()
                    }
                    _ => did_you_mean(name, names.iter().copied()),
                };
                context.error(*at, format!("there is no database `{name}`{hint}"));
            }
        }
    }
    let databases: Vec<Option<Database>> = entries
        .iter()
        .map(|(key, node)| database::database(context, key, node, users))
        .collect();
    databases
        .into_iter()
        .map(|database| database.map(|database| (database.name.clone(), Arc::new(database))))
        .collect()
}

#[cfg(test)]
mod tests;
