//! One configured database, alive: monitors, pools, schema.

use std::sync::Arc;

use super::view::{PoolView, ShardView};
use crate::backend::Lease;
use crate::config;
use crate::error::PgError;
use crate::metrics::Metrics;
use crate::net::TlsError;
use crate::planner::Schema;
use crate::shardmap::ShardId;

/// A database whose servers are watched, with the pools toward them.
pub struct LiveDatabase {
    pub config: Arc<config::Database>,
}

impl LiveDatabase {
    /// Starts the monitors and returns at once. Fails only if the TLS settings' files cannot be used.
    pub fn start(
        config: Arc<config::Database>,
        metrics: &Arc<Metrics>,
    ) -> Result<Arc<Self>, TlsError> {
        let _ = metrics;
        Ok(Arc::new(Self { config }))
    }

    /// A connection to the shard's primary, logged in as `user`.
    ///
    /// Cancel safe.
    pub async fn lease(&self, shard: ShardId, user: &config::User) -> Result<Lease, PgError> {
        let _ = (shard, user);
        todo!()
    }

    /// What the planner must know of the servers' catalogs. Empty until [`Self::schema_loaded`].
    pub fn schema(&self) -> Arc<Schema> {
        todo!()
    }

    /// Waits for the first load of the schema, at most `pool.wait`; planning without it is unsafe.
    pub async fn schema_loaded(&self) -> Result<(), PgError> {
        todo!()
    }

    /// Loads the schema again now, after DDL.
    pub fn reload_schema(&self) {
        todo!()
    }

    pub fn views(&self) -> Vec<ShardView> {
        todo!()
    }

    pub fn pool_views(&self) -> Vec<PoolView> {
        todo!()
    }

    /// Every shard has a primary and the schema is loaded.
    pub fn ready(&self) -> bool {
        todo!()
    }

    /// True if a database started from `other` would watch the same servers in the same way.
    pub fn same_servers(&self, other: &config::Database) -> bool {
        let _ = other;
        todo!()
    }

    /// Stops the monitors and closes the pools; leased connections are closed when they come back.
    pub fn close(&self) {
        todo!()
    }
}
