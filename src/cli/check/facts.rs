//! What was seen on the servers, as plain data.

use std::collections::BTreeMap;

use crate::shardmap::TableName;

/// One database of the configuration, on all its shards.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct DatabaseFacts {
    /// Why no server could be asked at all: files of `server_tls`.
    pub(super) unusable_tls: Option<String>,
    /// In the order of the configuration.
    pub(super) shards: Vec<ShardFacts>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ShardFacts {
    pub(super) name: String,
    pub(super) servers: Vec<ServerFacts>,
    /// From the primary, else from any server that answers; `None` where none does.
    pub(super) catalog: Option<Result<Catalog, String>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ServerFacts {
    pub(super) address: String,
    /// As the service user.
    pub(super) service: Result<ServerState, LoginError>,
    /// As each user of the database whose password is known; none where the service user got no answer.
    pub(super) users: Vec<(String, Result<SessionState, LoginError>)>,
    /// Users whose configured verifier is not that of their role here.
    pub(super) other_verifiers: Vec<String>,
    /// Why `auth_query` does not work here; `None` also where it is not asked.
    pub(super) lookup_error: Option<String>,
    /// Connections that all pools of all databases may open to this address, and our monitors.
    pub(super) connections_max: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum LoginError {
    /// No conversation: name, route, port, timeout, TLS, a password we do not have.
    Unreachable(String),
    /// The server answered no.
    Refused(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ServerState {
    /// `server_version_num`, as in 150018.
    pub(super) version: i32,
    pub(super) in_recovery: bool,
    pub(super) max_connections: i32,
    /// Kept for superusers, and since PostgreSQL 16 for a role of their choice.
    pub(super) reserved_connections: i32,
    pub(super) encoding: String,
}

/// What a user's session starts with; roles and databases may have settings of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SessionState {
    pub(super) standard_conforming_strings: bool,
    /// `current_schemas(false)`: those of `search_path` that exist.
    pub(super) schemas: Vec<String>,
}

/// The listed tables of one shard, and the foreign keys from or to them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Catalog {
    pub(super) tables: BTreeMap<TableName, Table>,
    pub(super) foreign_keys: Vec<ForeignKey>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Table {
    /// `pg_class.relkind`.
    pub(super) kind: char,
    /// In the table's order.
    pub(super) columns: Vec<Column>,
    /// Primary keys, unique constraints and unique indexes.
    pub(super) unique: Vec<UniqueKey>,
    /// `pg_get_constraintdef` of keys, foreign keys, CHECK and exclusion constraints: has no names.
    pub(super) constraints: Vec<String>,
    /// `pg_get_indexdef` of indexes that are no constraints, without the name.
    pub(super) indexes: Vec<String>,
    /// Triggers and rules of users.
    pub(super) triggers: Vec<String>,
    /// Those of them that may change a row before it is stored.
    pub(super) rewriters: Vec<String>,
    /// Partitions and inheriting tables, one level below.
    pub(super) children: Vec<TableName>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    /// `format_type` with the modifier, as in `character varying(36)`.
    pub(super) full_type: String,
    /// Beneath all domains and without the modifier, as in `character varying`.
    pub(super) base_type: String,
    /// The modifier beneath all domains (`atttypmod`).
    pub(super) modifier: i32,
    pub(super) is_enum: bool,
    pub(super) not_null: bool,
    pub(super) default: Option<String>,
    pub(super) identity: bool,
    pub(super) generated: bool,
    /// The name of a collation under which different texts are equal.
    pub(super) nondeterministic: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct UniqueKey {
    pub(super) primary: bool,
    /// Sorted; expressions in parentheses.
    pub(super) columns: Vec<String>,
    /// Of a partial index.
    pub(super) predicate: Option<String>,
    pub(super) name: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ForeignKey {
    pub(super) name: String,
    pub(super) from: TableName,
    pub(super) from_columns: Vec<String>,
    pub(super) to: TableName,
    pub(super) to_columns: Vec<String>,
}
