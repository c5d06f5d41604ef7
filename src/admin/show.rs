//! The views: what other rooms know, as rows.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::View;
use super::command::{COMMANDS, Command, Show, definition};
use crate::config::{
    ClientTls, Config, Database, Password, PoolMode, PoolSettings, ServerTlsMode, TlsVersion,
};
use crate::planner::{Function, Relation, RelationKind, Schema};
use crate::session::Shared;
use crate::shardmap::{ShardId, TableKind, TableName, format_ranges};
use crate::topology::{DirectoryView, LiveDatabase, Role, Snapshot};
use crate::wire::Column;

type Row = Vec<Option<String>>;

pub(super) fn view(show: Show, shared: &Shared) -> View {
    let snapshot = shared.topology.snapshot();
    let rows = match show {
        Show::Shards => databases(&snapshot)
            .flat_map(|(name, live)| shards(name, live))
            .collect(),
        Show::Pools => databases(&snapshot)
            .flat_map(|(name, live)| pools(name, live))
            .collect(),
        Show::Sessions => sessions(shared),
        Show::Map => configured(&snapshot).flat_map(map).collect(),
        Show::Tables => configured(&snapshot).flat_map(tables).collect(),
        Show::Schema => databases(&snapshot)
            .flat_map(|(name, live)| schema(name, &live.schema()))
            .collect(),
        Show::Directories => databases(&snapshot)
            .flat_map(|(name, live)| directories(name, live))
            .collect(),
        Show::Config => config(&snapshot.config),
        Show::Version => vec![vec![some(format_args!(
            "Trunkline {}",
            env!("CARGO_PKG_VERSION")
        ))]],
        Show::Help => COMMANDS
            .iter()
            .map(|c| vec![some(c.words), some(c.summary)])
            .collect(),
    };
    rows_of(Command::Show(show), "SHOW", rows)
}

/// The answer of a command that only says what it has done.
pub(super) fn message(tag: &str, message: String) -> View {
    rows_of(Command::Reload, tag, vec![vec![Some(message)]])
}

fn rows_of(command: Command, tag: &str, rows: Vec<Row>) -> View {
    let fields = definition(command).map_or(&[][..], |definition| definition.columns);
    let columns = fields
        .iter()
        .map(|field| Column {
            name: field.name,
            oid: field.oid,
        })
        .collect();
    View {
        columns: Some(columns),
        rows,
        tag: tag.to_owned(),
    }
}

/// Why the proxy cannot serve all that is configured; empty where it can.
pub fn unready(shared: &Shared) -> Vec<String> {
    let mut reasons = Vec::new();
    if shared.registry.is_stopping() {
        reasons.push("the proxy stops".to_owned());
    }
    for (name, live) in databases(&shared.topology.snapshot()) {
        let has_primary = |role| role == Role::Primary;
        for shard in live.views() {
            if !shard.servers.iter().any(|server| has_primary(server.role)) {
                reasons.push(format!(
                    "database {name}: shard {} has no primary",
                    shard.name
                ));
            }
        }
        if !live.is_schema_loaded() {
            reasons.push(format!(
                "database {name}: the default shard's catalogs are not read yet"
            ));
        }
    }
    reasons
}

/// Live databases, by name.
fn databases(snapshot: &Snapshot) -> impl Iterator<Item = (&str, &Arc<LiveDatabase>)> {
    let sorted: BTreeMap<&str, _> = snapshot
        .databases
        .iter()
        .map(|(name, live)| (name.as_str(), live))
        .collect();
    sorted.into_iter()
}

fn configured(snapshot: &Snapshot) -> impl Iterator<Item = &Database> {
    snapshot
        .config
        .databases
        .values()
        .map(|database| &**database)
}

fn some(value: impl Display) -> Option<String> {
    Some(value.to_string())
}

fn flag(value: bool) -> Option<String> {
    some(if value { "t" } else { "f" })
}

fn shards(database: &str, live: &LiveDatabase) -> Vec<Row> {
    let mut rows = Vec::new();
    for shard in live.views() {
        for server in shard.servers {
            rows.push(vec![
                some(database),
                some(&shard.name),
                some(server.address),
                some(server.role.as_str()),
                flag(server.reachable),
                server.lsn,
                server.lag_seconds.map(|seconds| format!("{seconds:.3}")),
                server.timeline.and_then(some),
                server.version,
                server.last_error,
            ]);
        }
    }
    rows
}

fn pools(database: &str, live: &LiveDatabase) -> Vec<Row> {
    let row = |pool: crate::topology::PoolView| {
        let stats = pool.stats;
        vec![
            some(database),
            some(pool.shard),
            some(pool.server),
            some(pool.user),
            some(stats.size),
            some(stats.idle),
            some(stats.leased),
            some(stats.waiting),
            some(stats.leases),
            some(stats.waits),
            some(stats.wait_timeouts),
            some(stats.connects),
            some(stats.connect_failures),
        ]
    };
    live.pool_views().into_iter().map(row).collect()
}

fn sessions(shared: &Shared) -> Vec<Row> {
    let row = |entry: Arc<crate::session::Entry>| {
        vec![
            some(entry.process_id),
            some(&entry.user),
            some(&entry.database),
            some(&entry.client),
            some(entry.tls),
            some(&entry.application),
            some(entry.activity().name()),
            some(entry.statements.load(std::sync::atomic::Ordering::Relaxed)),
            some(timestamp(entry.connected)),
        ]
    };
    shared.registry.sessions().into_iter().map(row).collect()
}

pub(super) fn map(database: &Database) -> Vec<Row> {
    let map = &database.map;
    let mut rows = Vec::new();
    for (index, keyspace) in map.keyspaces.iter().enumerate() {
        let is_here = |kind: &TableKind| matches!(kind, TableKind::Sharded { keyspace, .. } if usize::from(keyspace.0) == index);
        let tables = listed(database, is_here);
        for (shard, name) in (0..).map(ShardId).zip(&map.shards) {
            let ranges = keyspace.placement.ranges(shard);
            if ranges.is_empty() {
                continue;
            }
            rows.push(vec![
                some(&database.name),
                some("sharded"),
                some(&keyspace.name),
                some(join(keyspace.key.columns.iter().map(|column| {
                    format!("{} {}", column.name, column.key_type.name())
                }))),
                some(keyspace.function.name()),
                some(format_ranges(&ranges)),
                some(name),
                some(&tables),
            ]);
        }
    }
    let whole = |kind: &str, shard: Option<&str>, tables: &str| {
        let (shard, tables) = (shard.map(str::to_owned), some(tables));
        vec![
            some(&database.name),
            some(kind),
            None,
            None,
            None,
            None,
            shard,
            tables,
        ]
    };
    let reference = listed(database, |kind| *kind == TableKind::Reference);
    if !reference.is_empty() {
        rows.push(whole("reference", None, &reference));
    }
    rows.push(whole(
        "default",
        Some(map.shard_name(map.default_shard)),
        "(all others)",
    ));
    rows
}

fn listed(database: &Database, wanted: impl Fn(&TableKind) -> bool) -> String {
    let tables = database.map.tables_sorted();
    let names = tables
        .into_iter()
        .filter(|(_, kind)| wanted(kind))
        .map(|(name, _)| name);
    join(names)
}

fn tables(database: &Database) -> Vec<Row> {
    let row = |(table, kind): (&TableName, &TableKind)| {
        let (kind, keyspace, column) = match kind {
            TableKind::Sharded { keyspace, columns } => (
                "sharded",
                some(&database.map.keyspace(*keyspace).name),
                some(columns.join(", ")),
            ),
            TableKind::Reference => ("reference", None, None),
        };
        vec![
            some(&database.name),
            some(table),
            some(kind),
            keyspace,
            column,
        ]
    };
    database.map.tables_sorted().into_iter().map(row).collect()
}

/// Relations, then functions, each by name; built-in functions are left out.
pub(super) fn schema(database: &str, schema: &Schema) -> Vec<Row> {
    let row = |name: &TableName, kind: &str, columns: Option<usize>, detail: Option<String>| {
        vec![
            some(database),
            some(name),
            some(kind),
            columns.and_then(some),
            detail,
        ]
    };
    let relations: BTreeMap<_, _> = schema.relations.iter().collect();
    let relation = |(name, relation): (&TableName, &Relation)| {
        let (kind, detail) = match &relation.kind {
            RelationKind::Listed => ("listed", None),
            RelationKind::PartOf(whole) => ("part", some(whole)),
            RelationKind::View(_) => ("view", None),
            RelationKind::Opaque(reason) => ("opaque", some(reason)),
        };
        row(name, kind, Some(relation.columns.len()), detail)
    };
    let functions: BTreeMap<_, _> = schema
        .functions
        .iter()
        .filter(|(name, _)| name.schema != "pg_catalog")
        .collect();
    let function = |(name, function): (&TableName, &Function)| match function {
        Function::Sql(_) => row(name, "function", None, None),
        Function::Opaque(reason) => row(name, "opaque", None, some(format!("it {reason}"))),
    };
    let mut rows: Vec<Row> = relations.into_iter().map(relation).collect();
    rows.extend(functions.into_iter().map(function));
    rows
}

fn directories(database: &str, live: &LiveDatabase) -> Vec<Row> {
    let row = |view: &DirectoryView| {
        vec![
            some(database),
            some(&view.keyspace),
            view.entries.and_then(some),
            some(view.waiting),
            view.last_error.clone(),
        ]
    };
    live.directories().iter().map(row).collect()
}

/// Settings by the names of the configuration file.
pub(super) fn config(config: &Config) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut push = |name: String, value: String| rows.push(vec![Some(name), Some(value)]);
    push("file".to_owned(), config.path.display().to_string());
    push("listen".to_owned(), join(&config.listen));
    push(
        "http".to_owned(),
        config
            .http
            .map_or_else(|| "null".to_owned(), |at| at.to_string()),
    );
    push("drain_timeout".to_owned(), duration(config.drain_timeout));
    for (key, value) in client_tls(config.tls.as_ref()) {
        push(format!("tls.{key}"), value);
    }
    for user in config.users.values() {
        let at = |key: &str| format!("users.{}.{key}", user.name);
        push(at("password"), password_kind(&user.password).to_owned());
        push(at("databases"), user.databases.join(", "));
        push(at("admin"), user.admin.to_string());
    }
    for database in config.databases.values() {
        let at = |key: &str| format!("databases.{}.{key}", database.name);
        push(at("service.user"), database.service.user.clone());
        for shard in &database.shards {
            push(
                at(&format!("shards.{}.servers", shard.name)),
                join(&shard.servers),
            );
            push(
                at(&format!("shards.{}.dbname", shard.name)),
                shard.dbname.clone(),
            );
        }
        push(
            at("default_shard"),
            database
                .map
                .shard_name(database.map.default_shard)
                .to_owned(),
        );
        for (key, value) in pool(&database.pool) {
            push(at(&format!("pool.{key}")), value);
        }
        push(
            at("server_tls.mode"),
            tls_mode(database.server_tls.mode).to_owned(),
        );
        if let Some(ca) = &database.server_tls.ca {
            push(at("server_tls.ca"), ca.display().to_string());
        }
    }
    rows
}

/// The paths of files; what is in them is not looked at.
fn client_tls(tls: Option<&ClientTls>) -> Vec<(&'static str, String)> {
    let Some(tls) = tls else {
        return vec![("mode", "off".to_owned())];
    };
    let path = |path: &PathBuf| path.display().to_string();
    let mut rows = vec![
        (
            "mode",
            if tls.required { "require" } else { "prefer" }.to_owned(),
        ),
        ("certificate", path(&tls.certificate)),
        ("key", path(&tls.key)),
    ];
    rows.extend(tls.client_ca.as_ref().map(|ca| ("client_ca", path(ca))));
    let min_version = match tls.min_version {
        TlsVersion::Tls12 => "1.2",
        TlsVersion::Tls13 => "1.3",
    };
    rows.push(("min_version", min_version.to_owned()));
    rows
}

fn pool(pool: &PoolSettings) -> [(&'static str, String); 8] {
    let mode = match pool.mode {
        PoolMode::Transaction => "transaction",
        PoolMode::Session => "session",
    };
    [
        ("mode", mode.to_owned()),
        ("size", pool.size.to_string()),
        ("min", pool.min.to_string()),
        ("wait", duration(pool.wait)),
        ("lifetime", duration(pool.lifetime)),
        ("idle", duration(pool.idle)),
        ("connect", duration(pool.connect)),
        ("prepared_statements", pool.prepared_statements.to_string()),
    ]
}

/// In the words of the configuration's forms; never the secret.
fn password_kind(password: &Password) -> &'static str {
    match password {
        Password::Plain(_) => "(plain)",
        Password::Scram {
            server_password: Some(_),
            ..
        } => "(scram, with server_password)",
        Password::Scram {
            server_password: None,
            ..
        } => "(scram)",
        Password::Md5 {
            server_password: Some(_),
            ..
        } => "(md5, with server_password)",
        Password::Md5 {
            server_password: None,
            ..
        } => "(md5)",
    }
}

fn tls_mode(mode: ServerTlsMode) -> &'static str {
    match mode {
        ServerTlsMode::Disable => "disable",
        ServerTlsMode::Prefer => "prefer",
        ServerTlsMode::Require => "require",
        ServerTlsMode::VerifyCa => "verify-ca",
        ServerTlsMode::VerifyFull => "verify-full",
    }
}

/// As the configuration writes durations: milliseconds where seconds are not whole.
fn duration(duration: Duration) -> String {
    match duration.subsec_millis() {
        0 => format!("{}s", duration.as_secs()),
        _ => format!("{}ms", duration.as_millis()),
    }
}

fn join<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    items
        .into_iter()
        .map(|item| item.to_string())
        .collect::<Vec<_>>()
        .join(", ")
}

/// `2026-01-31 23:59:59+00`, as PostgreSQL would print it in UTC.
pub(super) fn timestamp(at: SystemTime) -> String {
    let seconds = at
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Civil date from days, with years that begin in March, so that leap days come last.
    // Source: <https://howardhinnant.github.io/date_algorithms.html#civil_from_days>
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}+00")
}
