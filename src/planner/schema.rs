//! What the planner must know of the servers' catalogs so as not to be fooled.

use std::collections::HashSet;

use crate::shardmap::TableName;

/// Names behind which sharded tables may hide. Loaded by `topology`; empty when planning offline.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schema {
    /// Number of this state of the catalogs, always rising; zero before any was loaded. Plans are cached
    /// under it.
    pub version: u64,
    /// Views, materialized views and foreign tables over listed tables.
    pub opaque_relations: HashSet<TableName>,
    /// User-defined functions and procedures, which might read or write any table: schema and name.
    pub opaque_functions: HashSet<TableName>,
}
