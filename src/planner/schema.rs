//! What the planner must know of the servers' catalogs so as not to be fooled.

use std::collections::HashSet;

use crate::shardmap::TableName;

/// Names behind which sharded tables may hide. Loaded by `topology`; empty when planning offline.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schema {
    /// Views, materialized views and foreign tables over listed tables.
    pub opaque_relations: HashSet<TableName>,
    /// User-defined functions and procedures, which might read or write any table: schema and name.
    pub opaque_functions: HashSet<TableName>,
}
