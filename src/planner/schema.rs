//! What the planner must know of the servers' catalogs: which columns relations have, what views and
//! functions read, and behind which names sharded tables hide.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::error::PgError;
use crate::shardmap::TableName;
use crate::sql::tree::Query;
use crate::types::{KeyType, Oid};

/// The catalogs of all shards, as far as they agree. Loaded by `topology`; empty when planning offline.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Schema {
    /// Number of this state of the catalogs, always rising; zero before any was loaded. Plans are cached
    /// under it.
    pub version: u64,
    /// Listed tables and what is reached from them: partitions, children, views. A relation that is not
    /// here and not in the map reads no listed table.
    pub relations: HashMap<TableName, Relation>,
    /// The names without schema of `relations` and of all tables of the map; empty where nobody has collected
    /// them. The planner looks at every word of a statement.
    pub names: HashSet<String>,
    /// User-defined functions and procedures that might read or write tables.
    pub functions: HashMap<TableName, Function>,
    /// Of `functions` the names of those that take one row, so that `m.f` calls them.
    pub row_functions: HashSet<String>,
    /// Relations of the default shard in other schemas that have the name of one in `relations` or in the map:
    /// they may hide it, depending on `search_path`.
    pub homonyms: HashSet<TableName>,
    /// Those of `relations` that are not on every shard.
    pub partial: HashSet<TableName>,
    /// Tables that have partitions or children, on any shard.
    pub parents: HashSet<TableName>,
    /// Tables with row security, on any shard.
    pub guarded: HashSet<TableName>,
    /// Views whose text tells a table from a copy of it ([`super::tells_copies`]).
    pub telling: HashSet<TableName>,
    /// Who surely may look names up in a schema, the same on all shards: schema and role. A role of
    /// [`PUBLIC`] means everybody, an empty schema means all of them (superusers).
    pub grants: HashSet<(String, String)>,
    /// The `search_path` that sessions of a role begin with, by ALTER ROLE and ALTER DATABASE; of the empty name
    /// for all others. `None` where it is not the same on all shards.
    pub default_paths: HashMap<String, Option<Vec<String>>>,
    /// The role that sessions of a role begin in, likewise (ALTER ROLE … SET role).
    pub default_roles: HashMap<String, Option<String>>,
}

/// What SET ROLE calls the role that the session logged in with.
pub const NO_ROLE: &str = "none";

/// The role that stands for all; nobody can have this name.
pub const PUBLIC: &str = "public";

impl Schema {
    /// The `search_path` a session of this user has that has set none; `None` for PostgreSQL's own.
    ///
    /// Errors: 0A000 where shards differ in it.
    pub fn default_path(&self, user: &str) -> Result<Option<&[String]>, PgError> {
        let paths = &self.default_paths;
        match paths.get(user).or_else(|| paths.get("")) {
            None => Ok(None),
            Some(Some(path)) => Ok(Some(path)),
            Some(None) => Err(PgError::refusal(
                format!("the search_path of user \"{user}\" differs between shards"),
                "make ALTER ROLE … SET search_path the same on all shards, or SET search_path",
            )),
        }
    }

    /// The role a session of this user is in that has set none.
    ///
    /// Errors: 0A000 where shards differ in it.
    pub fn default_role<'a>(&'a self, user: &'a str) -> Result<&'a str, PgError> {
        let roles = &self.default_roles;
        match roles.get(user).or_else(|| roles.get("")) {
            None => Ok(user),
            Some(Some(role)) if role == NO_ROLE => Ok(user),
            Some(Some(role)) => Ok(role),
            Some(None) => Err(PgError::refusal(
                format!("the role that user \"{user}\" begins in differs between shards"),
                "make ALTER ROLE … SET role the same on all shards, or SET ROLE",
            )),
        }
    }

    /// True where the role surely has USAGE of the schema.
    pub fn may_use(&self, role: &str, schema: &str) -> bool {
        let granted =
            |schema: &str, role: &str| self.grants.contains(&(schema.to_owned(), role.to_owned()));
        granted(schema, PUBLIC) || granted(schema, role) || granted("", role)
    }
}

/// A table, view or the like.
#[derive(Clone, Debug, PartialEq)]
pub struct Relation {
    pub kind: RelationKind,
    /// In the table's order, dropped ones left out. Empty where they are not known, or not the same on all
    /// shards.
    pub columns: Vec<Column>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum RelationKind {
    /// A table of the shard map.
    Listed,
    /// A partition or an inheritance child of this table of the shard map: its rows are of the same kind.
    PartOf(TableName),
    /// A view whose query could be read.
    View(Arc<Query>),
    /// What stands behind the name is not known, and why (`it is a foreign table`, `it differs between shards s1
    /// and s2`). A table of the map may be that, too.
    Opaque(String),
}

/// A table of the shard map itself.
pub(super) fn is_listed(relation: &Relation) -> bool {
    matches!(relation.kind, RelationKind::Listed)
}

/// A column of a relation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    /// Of a domain, the type beneath; unspecified for a user-defined type, whose OID differs between shards.
    pub type_oid: Oid,
    /// Where values of the column are compared and stored as this type's: no type modifier that changes them,
    /// a deterministic collation.
    pub key_type: Option<KeyType>,
    /// Type with its modifier, and collation, in words; `None` where shards differ in that: their values may not be
    /// brought together.
    pub declared: Option<Box<str>>,
    /// GENERATED ALWAYS AS (…): an UPDATE of other columns changes it.
    pub generated: bool,
    /// That, or a default or identity that gives a value where INSERT gives none.
    pub has_default: bool,
}

impl Relation {
    /// Its columns are declared alike on all shards, in the same order.
    pub fn is_alike(&self) -> bool {
        !self.columns.is_empty() && self.columns.iter().all(|column| column.declared.is_some())
    }
}

/// All functions of one name.
#[derive(Clone, Debug, PartialEq)]
pub enum Function {
    /// One function in SQL, of one query that could be read.
    Sql(Arc<SqlFunction>),
    /// Reads or writes who knows what, and why that is not known, as what is said of it
    /// (`is user-defined`).
    Opaque(String),
}

impl Function {
    /// A function whose body cannot be read, with the reason of [`super::read_query`].
    pub fn unread(reason: &str) -> Self {
        Self::Opaque(format!("is user-defined ({reason})"))
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct SqlFunction {
    /// Arguments by position; a body may also name them. `None` where the type is no key's.
    pub arguments: Vec<(Option<String>, Option<KeyType>)>,
    pub body: Query,
    /// The `search_path` it sets: its names are looked up in it, and those in functions it calls.
    pub search_path: Option<Vec<String>>,
    /// `BEGIN ATOMIC` or `RETURN`: its names were looked up when it was made, and have their schemas.
    pub atomic: bool,
}
