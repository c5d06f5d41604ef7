//! The shard map as a value: keyspaces, tables, sharding functions, logical shards and where they
//! are placed. Immutable, versioned, shared as `Arc<ShardMap>`; changing the map is publishing
//! another one.
//!
//! No I/O, no SQL syntax: `config` builds it from YAML, `planner` and `session` ask it.

mod diff;
mod function;
mod map;
mod placement;

pub use diff::diff;
pub use function::{
    BoundsError, DirectoryFunction, EntryError, HashFunction, ListFunction, LogicalShardId,
    RangeFunction, RingFunction, ShardingFunction, SpreadFunction, VIRTUAL_NODES_MAX,
    ring_placement,
};
pub use map::{
    KeyColumn, Keyspace, KeyspaceIndex, MapVersion, ShardId, ShardMap, ShardingKey, TableKind,
    TableName, identifier,
};
pub use placement::{Placement, PlacementBuilder, PlacementError, format_ranges};
