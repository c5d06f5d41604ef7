//! `databases.<name>`: shards, service user, pool, TLS toward the servers.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::keyspaces;
use super::reader::{Context, MapReader, did_you_mean};
use super::resolved::{
    Address, AuthQuery, Database, GatherLimits, Password, PoolMode, PoolSettings, ServerTls,
    ServerTlsMode, Service, Shard,
};
use super::users::{RawUser, service_password};
use super::yaml::{Key, Node};
use crate::shardmap::{MapVersion, ShardId, ShardMap};

/// The database that Trunkline answers itself.
pub(super) const ADMIN_DATABASE: &str = "trunkline";

pub(super) fn database(
    context: &Context<'_>,
    key: &Key,
    node: &Node,
    users: Option<&[RawUser]>,
) -> Option<Database> {
    context.name(key.at, "database", &key.name);
    if key.name == ADMIN_DATABASE {
        context.error(
            key.at,
            "the database name `trunkline` is reserved for the admin console",
        );
    }
    let mut map = context.map(node, "a database: { shards, keyspaces, … }")?;
    let shards = map
        .required("shards")
        .and_then(|node| shards(context, node, &key.name));
    let names: Option<Vec<String>> = shards
        .as_ref()
        .map(|shards| shards.iter().map(|s| s.name.clone()).collect());
    let default_shard = match map.optional("default_shard") {
        Some(node) => shard_named(context, node, names.as_deref()),
        None => Some(ShardId(0)),
    };
    let tables = keyspaces::read(
        context,
        map.optional("keyspaces"),
        map.optional("reference_tables"),
        names.as_deref(),
    );
    let auth_query = map.optional("auth_query").map_or(Some(None), |node| {
        auth_query(context, node, names.as_deref(), default_shard).map(Some)
    });
    // Users who are looked up are not known yet.
    let users = users.filter(|_| matches!(auth_query, Some(None)));
    let service = service(context, key, map.optional("service"), users);
    if let (Some(Some(_)), None, None) = (&auth_query, &service, map.optional("service")) {
        context.error(
            key.at,
            "`auth_query` asks as the service user: `service` is missing",
        );
    }
    let pool = map
        .optional("pool")
        .map_or_else(|| Some(PoolSettings::default()), |node| pool(context, node));
    let server_tls = map.optional("server_tls").map_or(
        Some(ServerTls {
            mode: ServerTlsMode::Prefer,
            ca: None,
        }),
        |node| server_tls(context, node),
    );
    later_sections(context, &mut map);
    let gather = gather_limits(context, &mut map);
    map.finish();

    let (keyspaces, tables) = tables?;
    let shard_map = ShardMap {
        version: MapVersion(1),
        shards: names?,
        default_shard: default_shard?,
        keyspaces,
        tables,
    };
    Some(Database {
        name: key.name.clone(),
        service: service?,
        shards: shards?,
        map: Arc::new(shard_map),
        pool: pool?,
        server_tls: server_tls?,
        auth_query: auth_query?,
        gather: gather?,
    })
}

/// `default_shard` is asked where no other is named.
fn auth_query(
    context: &Context<'_>,
    node: &Node,
    names: Option<&[String]>,
    default_shard: Option<ShardId>,
) -> Option<AuthQuery> {
    let mut map = context.map(node, "{ shard, query }")?;
    let shard = match map.optional("shard") {
        Some(node) => shard_named(context, node, names),
        None => default_shard,
    };
    let query = map.optional("query").map_or(Some(None), |node| {
        let query = context.text(node, "a query of a user's verifier")?;
        if !query.contains("$1") {
            context.error(node.at, "the query must name the user as $1");
        }
        Some(Some(query.to_owned()))
    });
    map.finish();
    Some(AuthQuery {
        shard: shard?,
        query: query?,
    })
}

fn shards(context: &Context<'_>, node: &Node, database: &str) -> Option<Vec<Shard>> {
    let entries = context.entries(node, "a map of shards: { s1: { servers: [host:port] } }")?;
    if entries.is_empty() || entries.len() > usize::from(u16::MAX) {
        context.error(node.at, "from 1 to 65535 shards are needed");
        return None;
    }
    let mut seen: HashMap<Address, &str> = HashMap::new();
    let mut shards = Vec::new();
    for (key, node) in entries {
        context.name(key.at, "shard", &key.name);
        let Some(mut map) = context.map(node, "a shard: { servers: [host:port], dbname }") else {
            continue;
        };
        let servers = map.required("servers");
        let dbname = map
            .optional("dbname")
            .map_or(Some(database.to_owned()), |node| {
                let name = context.text(node, "the name of the database on the servers")?;
                context.name(node.at, "database", name);
                Some(name.to_owned())
            });
        map.finish();
        let servers = servers.and_then(|node| servers_of(context, node, &key.name, &mut seen));
        if let (Some(servers), Some(dbname)) = (servers, dbname) {
            shards.push(Shard {
                name: key.name.clone(),
                servers,
                dbname,
            });
        }
    }
    (shards.len() == entries.len()).then_some(shards)
}

fn servers_of<'n>(
    context: &Context<'_>,
    node: &Node,
    shard: &'n str,
    seen: &mut HashMap<Address, &'n str>,
) -> Option<Vec<Address>> {
    let items = context.list(node, "a list of servers")?;
    if items.is_empty() {
        context.error(node.at, "at least one server is needed");
    }
    let servers: Vec<Address> = items
        .iter()
        .filter_map(|item| {
            let address = super::values::address(context, item, 5432)?;
            if let Some(other) = seen.insert(address.clone(), shard) {
                context.error(
                    item.at,
                    format!("the server {address} belongs to shard `{other}` already"),
                );
            }
            Some(address)
        })
        .collect();
    (servers.len() == items.len()).then_some(servers)
}

/// A shard's index; an unknown name is an error, unless the names themselves could not be read.
pub(super) fn shard_named(
    context: &Context<'_>,
    node: &Node,
    names: Option<&[String]>,
) -> Option<ShardId> {
    let name = context.text(node, "the name of a shard")?;
    shard_id(context, node.at, name, names)
}

pub(super) fn shard_id(
    context: &Context<'_>,
    at: super::Position,
    name: &str,
    names: Option<&[String]>,
) -> Option<ShardId> {
    let names = names?;
    let index = names
        .iter()
        .position(|known| known == name)
        .and_then(|index| u16::try_from(index).ok());
    if index.is_none() {
        let hint = did_you_mean(name, names.iter().map(String::as_str));
        context.error(at, format!("there is no shard `{name}`{hint}"));
    }
    index.map(ShardId)
}

/// The service user as given, else the database's first user. A database nobody may use is an error.
fn service(
    context: &Context<'_>,
    key: &Key,
    node: Option<&Node>,
    users: Option<&[RawUser]>,
) -> Option<Service> {
    let first = users.map(|users| {
        users
            .iter()
            .map(|raw| &raw.user)
            .find(|user| user.databases.contains(&key.name))
    });
    if matches!(first, Some(None)) {
        context.error(
            key.at,
            format!(
                "no user may connect to the database `{}`: list it for one",
                key.name
            ),
        );
    }
    if let Some(node) = node {
        let mut map = context.map(node, "{ user, password }")?;
        let user = map.required("user").and_then(|node| {
            let name = context.text(node, "the name of a user on the servers")?;
            context.name(node.at, "user", name);
            Some(name.to_owned())
        });
        let password = map
            .required("password")
            .and_then(|node| service_password(context, node));
        map.finish();
        return Some(Service {
            user: user?,
            password: password?,
        });
    }
    let user = first??;
    let password = match &user.password {
        Password::Plain(_) => user.password.clone(),
        Password::Scram {
            server_password: Some(password),
            ..
        }
        | Password::Md5 {
            server_password: Some(password),
            ..
        } => Password::Plain(password.clone()),
        Password::Scram {
            server_password: None,
            ..
        }
        | Password::Md5 {
            server_password: None,
            ..
        } => {
            context.error(
                key.at,
                format!(
                    "`service` is missing: the first user of the database, `{}`, has only a verifier, which \
                     cannot log in to servers",
                    user.name
                ),
            );
            return None;
        }
    };
    Some(Service {
        user: user.name.clone(),
        password,
    })
}

/// Sections whose mechanisms are still to come, or have one choice so far.
fn later_sections(context: &Context<'_>, map: &mut MapReader<'_>) {
    if let Some(node) = map.optional("reads") {
        only_choice(
            context,
            node,
            ("consistency", "primary"),
            &["max_lag"],
            "all reads go to the primary",
        );
    }
    if let Some(node) = map.optional("writes") {
        only_choice(
            context,
            node,
            ("cross_shard", "forbid"),
            &[],
            "a transaction writes on one shard",
        );
    }
}

fn gather_limits(context: &Context<'_>, map: &mut MapReader<'_>) -> Option<GatherLimits> {
    let mut limits = GatherLimits::default();
    let Some(node) = map.optional("limits") else {
        return Some(limits);
    };
    let mut map = context.map(node, "limits: { gather_rows, gather_bytes }")?;
    let rows = map
        .optional("gather_rows")
        .map_or(Some(limits.rows), |node| {
            context.number(node, 0, i64::MAX as u64)
        });
    let bytes = map
        .optional("gather_bytes")
        .map_or(Some(limits.bytes), |node| {
            context.bytes(node, 0, i64::MAX as u64)
        });
    map.finish();
    limits.rows = rows?;
    limits.bytes = bytes?;
    Some(limits)
}

/// A section of which only one choice exists so far.
fn only_choice(
    context: &Context<'_>,
    node: &Node,
    (key, choice): (&'static str, &str),
    later: &[&'static str],
    meanwhile: &str,
) {
    let Some(mut map) = context.map(node, &format!("{{ {key}: {choice} }}")) else {
        return;
    };
    if let Some(node) = map.optional(key)
        && let Some(found) = context.text(node, choice)
        && found != choice
    {
        context.error(
            node.at,
            format!("`{key}: {found}` is not yet supported: {meanwhile} ({choice})"),
        );
    }
    for key in later {
        map.not_yet(key, meanwhile);
    }
    map.finish();
}

impl Default for PoolSettings {
    fn default() -> Self {
        Self {
            mode: PoolMode::Transaction,
            size: 20,
            min: 0,
            wait: Duration::from_secs(5),
            lifetime: Duration::from_secs(3600),
            idle: Duration::from_secs(600),
            connect: Duration::from_secs(5),
            prepared_statements: 500,
        }
    }
}

/// Most connections a pool may hold, and most statements a connection.
const POOL_MAX: u64 = 10_000;

fn pool(context: &Context<'_>, node: &Node) -> Option<PoolSettings> {
    let mut map = context.map(node, "pool settings: { mode, size, wait, … }")?;
    let defaults = PoolSettings::default();
    let mode = map.optional("mode").map_or(Some(defaults.mode), |node| {
        context.choice(
            node,
            &[
                ("transaction", PoolMode::Transaction),
                ("session", PoolMode::Session),
            ],
        )
    });
    let mut count = |key, min, default| {
        map.optional(key).map_or(Some(default), |node| {
            context.number(node, min, POOL_MAX).map(|n| n as usize)
        })
    };
    let size = count("size", 1, defaults.size);
    let min = count("min", 0, defaults.min);
    let prepared_statements = count("prepared_statements", 1, defaults.prepared_statements);
    let mut time = |key, default| {
        map.optional(key).map_or(Some(default), |node| {
            let duration = context.duration(node)?;
            if duration.is_zero() {
                context.error(node.at, format!("`{key}` must be longer than 0"));
            }
            Some(duration)
        })
    };
    let wait = time("wait", defaults.wait);
    let lifetime = time("lifetime", defaults.lifetime);
    let idle = time("idle", defaults.idle);
    let connect = time("connect", defaults.connect);
    if let (Some(node), Some(size), Some(min)) = (map.optional("min"), size, min)
        && min > size
    {
        context.error(
            node.at,
            format!("`min` is {min}, more than `size`, which is {size}"),
        );
    }
    map.finish();
    Some(PoolSettings {
        mode: mode?,
        size: size?,
        min: min?,
        wait: wait?,
        lifetime: lifetime?,
        idle: idle?,
        connect: connect?,
        prepared_statements: prepared_statements?,
    })
}

fn server_tls(context: &Context<'_>, node: &Node) -> Option<ServerTls> {
    use ServerTlsMode::{Disable, Prefer, Require, VerifyCa, VerifyFull};
    let mut map = context.map(node, "{ mode, ca }")?;
    let mode = map.optional("mode").map_or(Some(Prefer), |node| {
        context.choice(
            node,
            &[
                ("disable", Disable),
                ("prefer", Prefer),
                ("require", Require),
                ("verify-ca", VerifyCa),
                ("verify-full", VerifyFull),
            ],
        )
    });
    let ca = map.optional("ca").map(|node| {
        let path: Option<PathBuf> = context
            .text(node, "the path of a PEM file")
            .map(|path| super::resolve_path(context, path));
        if let Some(path) = path.as_ref().filter(|path| !path.is_file()) {
            context.error(node.at, format!("there is no file {}", path.display()));
        }
        path
    });
    if matches!(mode, Some(VerifyCa | VerifyFull)) && ca.is_none() {
        context.error(
            node.at,
            "verify-ca and verify-full need `ca`, the file of trusted authorities",
        );
    }
    map.finish();
    Some(ServerTls {
        mode: mode?,
        ca: ca.flatten(),
    })
}
