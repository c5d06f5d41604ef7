//! The nodes of a plan.

use std::sync::Arc;

use super::{Gather, Hinted, Scatter};
use crate::shardmap::KeyspaceIndex;
use crate::sql::Literals;
use crate::sql::tree::Slot;
use crate::types::{KeyValue, Oid};

/// What is done with one statement.
#[derive(Clone, Debug, PartialEq)]
pub enum Plan {
    /// The client's own text, to one shard.
    Route(Route),
    /// Steers the session or its transaction; `session` decides which servers hear of it.
    Control(Control),
}

/// A plan and the literals of the text it was asked for: with the parameters, all that decides the shard.
#[derive(Clone, Debug)]
pub struct Planned {
    pub plan: Arc<Plan>,
    pub literals: Literals,
}

impl std::ops::Deref for Planned {
    type Target = Plan;

    fn deref(&self) -> &Plan {
        &self.plan
    }
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
    pub catalogs: Catalogs,
    /// Where the user wants it: what `targets` leads to has to be the same shard. `Any` is all that could be
    /// proved where the hint alone decides.
    pub hint: Option<Box<Hinted>>,
    /// A SELECT that may need rows of several shards, and how it gets them: always where `targets` is no key, else where
    /// the key leads to several.
    pub gather: Option<Box<Gather>>,
    /// A SELECT whose answers by several shards can be merged: where it needs several, they are not gathered.
    pub scatter: Option<Box<Scatter>>,
    /// It is of all texts that differ in their literals only. Where those lead to several shards, each is planned for
    /// itself.
    pub by_text: bool,
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

/// What ties a statement's sharded relations to values of one keyspace's sharding key.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyTarget {
    pub keyspace: KeyspaceIndex,
    /// One for each relation; those of which the same is known are given once. Never empty.
    pub relations: Vec<RelationKey>,
}

/// What is known of one relation's sharding key: rows with another key can change nothing in the result.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RelationKey {
    /// The table, and its alias where it has one: `matches as m`.
    pub relation: String,
    /// The key's columns in its order. Of the first something is known.
    pub columns: Vec<ColumnKey>,
    /// The values are stored by an INSERT: NULL is an error. Elsewhere a NULL matches no row.
    pub stores: bool,
}

/// What is known of one column of a sharding key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ColumnKey {
    /// The column's name in this table.
    pub name: String,
    /// Conditions that all hold, each that the column equals one of its sources. Empty: nothing is known.
    pub conditions: Vec<Vec<KeySource>>,
}

/// Where a key value comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum KeySource {
    Literal(KeyValue),
    /// A literal that is no value of the key's type: every server says so, and in its own words.
    Invalid,
    /// A literal taken out of the statement's text; see [`crate::sql::Literals`].
    Slot(Slot),
    /// `$n`, zero-based.
    Param {
        index: u16,
        /// The type a cast in the statement gives it, else unspecified: then the type declared in Parse
        /// decides, then the key column's own. Of an array, its elements' type.
        oid: Oid,
        /// Its elements are the values (`= ANY ($1)`).
        array: bool,
    },
}

/// What a statement does to the shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Read,
    Write,
}

/// What a statement has to do with the servers' catalogs, which say what names mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Catalogs {
    /// It looks no name up: cursors, SHOW.
    Unasked,
    Read,
    /// It runs code that may do anything.
    Uncertain,
    /// It may change what names mean to the statements after it.
    Changed,
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
    /// SHOW of a setting of Trunkline's own (`trunkline.shard`), which no server knows.
    Show {
        name: String,
    },
}

/// One SET: the setting's folded name, and its new value where the proxy must know it.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    pub name: String,
    /// The values listed (`SET search_path TO a, b` gives two); `None` for DEFAULT or FROM CURRENT.
    pub values: Option<Vec<String>>,
}
