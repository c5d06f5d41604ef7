//! One connection to one PostgreSQL server, and the pool of them.
//!
//! Knows sockets, logging in, and when a connection may be used again; knows no SQL but what it is
//! handed, and nothing of sessions, plans or which server is the primary.

mod cancel;
mod connect;
mod connection;
mod message;
mod parameters;
mod pool;
mod prepared;

pub use cancel::{CancelKey, cancel};
#[cfg(test)]
pub use connect::connect;
pub use connect::{DerivedKeys, Target};
pub use connection::{Connection, SettingsMark};
pub use parameters::Parameters;
pub use pool::{Lease, Pool, PoolStats};
pub use prepared::StatementId;
