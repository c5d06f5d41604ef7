//! How a plan prints: one line for each fact, the same in golden files, EXPLAIN and `trunkline explain`.

use super::{ParamValues, Route};
use crate::shardmap::ShardMap;
use crate::types::Oid;

pub fn explain_lines(_: &Route, _: &ShardMap, _: &[Oid], _: &dyn ParamValues) -> Vec<String> {
    Vec::new()
}
