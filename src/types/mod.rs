//! PostgreSQL data types as far as routing and merging need them: OIDs, the values of sharding keys, how they
//! are read from SQL literals and from text and binary parameters, PostgreSQL's partition hash, the order of
//! values, decimal numbers, aggregates of which servers have parts, and users' types, whose OIDs differ between servers.
//!
//! No I/O, no SQL syntax, no shard map.

/// Arrays, in which `= ANY` looks for a key.
pub mod array;
mod oid;
mod key;
mod hash;
/// The order of values as ORDER BY and DISTINCT have it.
pub mod order;
/// PostgreSQL's decimal numbers.
pub mod numeric;
mod float;
// Parts of aggregates, computed by several servers, become values.
pub mod aggregate;
/// OIDs of what users define, which each server has its own of.
pub mod translation;

pub use hash::partition_hash;
pub use key::{Family, Format, KeyError, KeyType, KeyValue};
pub use oid::Oid;
