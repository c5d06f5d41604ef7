//! The nodes of a plan.

use crate::shardmap::KeyspaceIndex;
use crate::types::{KeyValue, Oid};

/// What is done with one statement.
#[derive(Clone, Debug, PartialEq)]
pub enum Plan {
    /// The client's own text, to one shard.
    Route(Route),
    /// Steers the session or its transaction; `session` decides which servers hear of it.
    Control(Control),
}

/// A statement that one shard answers alone.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    pub targets: Targets,
    pub access: Access,
    /// The statement is an EXPLAIN of what the route describes: `session` adds the route's own lines.
    pub explain: Option<ExplainFormat>,
    /// Its answer depends on the session's settings only (SHOW, `SELECT 1`): a transaction whose shard is
    /// not known yet need not be bound to one for it.
    pub detached: bool,
    /// It changes a setting of the connection that the session does not keep: the connection has to be
    /// set back before another client gets it.
    pub unsettles: bool,
    /// Why this is the right place, in words for EXPLAIN: tables, columns, what the key is tied to.
    pub reason: String,
}

/// The output format of an EXPLAIN; lines can be added to text only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExplainFormat {
    Text,
    Structured,
}

/// Which shard, perhaps depending on parameters.
#[derive(Clone, Debug, PartialEq)]
pub enum Targets {
    /// Any shard gives the same answer (reference tables, no tables): the bound one, else the default.
    Any,
    /// Only the default shard holds it (tables not in the map, system catalogs).
    Default,
    /// The shard of these key values; all must lead to one shard.
    Key(KeyTarget),
}

/// Values of one keyspace's sharding key.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyTarget {
    pub keyspace: KeyspaceIndex,
    /// Never empty. More than one where several tables are tied to values separately.
    pub sources: Vec<KeySource>,
    /// The values are stored by an INSERT: NULL is an error. Elsewhere a NULL matches no row.
    pub stores: bool,
}

/// Where a key value comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum KeySource {
    Literal(KeyValue),
    /// A literal that is no value of the key's type: every server says so, and in its own words.
    Invalid,
    /// `$n`, zero-based. `oid` is the type a cast in the statement gives it, else unspecified: then the
    /// type declared in Parse decides, then the key column's own.
    Param {
        index: u16,
        oid: Oid,
    },
}

/// What a statement does to the shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Read,
    Write,
}

/// Statements about the session or the transaction.
#[derive(Clone, Debug, PartialEq)]
pub enum Control {
    /// Nothing between semicolons.
    Empty,
    /// BEGIN or START TRANSACTION; `text` is printed by the planner from the options it understood,
    /// so that sending it later cannot fail.
    Begin {
        text: String,
    },
    Commit {
        chain: bool,
    },
    Rollback {
        chain: bool,
    },
    Savepoint {
        name: String,
    },
    Release {
        name: String,
    },
    RollbackTo {
        name: String,
    },
    /// SET TRANSACTION …: belongs to the current transaction only.
    SetTransaction,
    /// SET [SESSION|LOCAL] name, names folded to lower case.
    Set {
        setting: Setting,
        local: bool,
    },
    /// RESET name, or RESET ALL.
    Reset {
        name: Option<String>,
    },
    DiscardAll,
    /// SQL-level DEALLOCATE of one (protocol-level) prepared statement, or all of them.
    Deallocate {
        name: Option<String>,
    },
}

/// One SET: the setting's folded name, and its new value where the proxy must know it.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    pub name: String,
    /// The values listed (`SET search_path TO a, b` gives two); `None` for DEFAULT or FROM CURRENT.
    pub values: Option<Vec<String>>,
}
