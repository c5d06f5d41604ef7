//! What is out there now: which server of each shard is the primary, the pools toward it, and what the
//! planner must know of the servers' catalogs.
//!
//! A monitor per server polls it as the service user, over its own connection (`tokio-postgres`; the
//! statements of clients never pass here), and publishes what it saw. Leasing reads what was published
//! and takes no lock while there is a primary.

mod control;
mod database;
mod monitor;
mod schema;
mod snapshot;
mod shard;
mod view;

pub use database::LiveDatabase;
pub use snapshot::{Snapshot, Topology};
pub use view::{PoolView, Role};
