//! Files and environment become one validated, immutable [`Config`]: raw form in, resolved form
//! out, once. No `Option` here means "default"; every error names file, line and column.
//!
//! Knows the shard map (it builds one per database) and nothing of sockets.

mod resolved;

pub use resolved::{
    Address, Config, Database, Password, PoolMode, PoolSettings, ServerTls, ServerTlsMode, Service,
    Shard, User,
};
