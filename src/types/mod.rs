//! PostgreSQL data types as far as routing needs them: OIDs, the values of sharding keys, how they
//! are read from SQL literals and from text and binary parameters, and PostgreSQL's partition hash.
//!
//! No I/O, no SQL syntax, no shard map.

/// Arrays, in which `= ANY` looks for a key.
pub mod array;
mod oid;
mod key;
mod hash;

pub use hash::partition_hash;
pub use key::{Family, Format, KeyError, KeyType, KeyValue};
pub use oid::Oid;
