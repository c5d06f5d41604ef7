//! What is out there now: which server of each shard is the primary, the pools toward it, and what the
//! planner must know of the servers' catalogs.
//!
//! A monitor per server polls it as the service user, over its own connection (`tokio-postgres`; the
//! statements of clients never pass here), and publishes what it saw. Leasing reads what was published
//! and takes no lock while there is a primary.

mod allowance;
mod control;
mod database;
mod directory;
mod lookup;
mod monitor;
mod pools;
mod schema;
mod snapshot;
mod shard;
mod view;

pub use control::FIXED_SEARCH_PATH;
pub use database::LiveDatabase;
pub use directory::DirectoryView;
pub use lookup::try_lookup;
pub use pools::Claim;
pub use snapshot::{Snapshot, Topology};
pub use view::{PoolView, Role};
