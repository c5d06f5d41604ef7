//! Connections beside the one in use, for what several shards do for one statement.

use std::sync::Arc;

use tokio::time::Instant;

use super::lease::UNKNOWN;
use super::{Failure, Session};
use crate::backend::{self, Lease, Offer};
use crate::net::{Buffered, background};
use crate::shardmap::ShardId;

impl Session {
    /// A connection to a shard, with the session's settings. Several are leased in the shard map's order: who waits for one
    /// holds none that comes after it.
    ///
    /// Errors: 08006 and 53300 where none is to be had.
    pub(super) async fn lane(&self, io: &mut Buffered, shard: ShardId) -> Result<Lease, Failure> {
        let mut lease = self.lease(io, shard).await?;
        self.settle_lane(io, &mut lease).await?;
        Ok(lease)
    }

    async fn lease(&self, io: &mut Buffered, shard: ShardId) -> Result<Lease, Failure> {
        let (user, claim) = (&self.user.name, &self.claim);
        let slot = match self.database.offer(shard, user, claim) {
            Some(Offer::Lease(lease)) => return Ok(lease),
            Some(Offer::Wait(wait)) => match self.entry().wait(io, wait).await??.lease_now() {
                Ok(lease) => return Ok(lease),
                Err(slot) => Some(slot),
            },
            Some(Offer::Slot(slot)) => Some(slot),
            Some(Offer::Closed) | None => None,
        };
        let waited = Box::pin(self.database.lease(shard, user, claim, slot));
        Ok(self.entry().wait(io, waited).await??)
    }

    /// Brings a lane's settings to the session's.
    async fn settle_lane(&self, io: &mut Buffered, lease: &mut Lease) -> Result<(), Failure> {
        let wanted = self.settings.mark();
        if lease.settings == wanted {
            return Ok(());
        }
        let text = self.settings.replay_onto(lease.settings);
        let deadline = Instant::now() + self.database.config.pool.connect;
        lease.settings = UNKNOWN;
        let synced = Box::pin(lease.simple(&text, deadline));
        self.entry().wait(io, synced).await??;
        lease.settings = wanted;
        Ok(())
    }

    /// A server may be long in what nobody waits for. Its connection is closed, so that this can hit nobody else.
    pub(super) fn stop(&self, key: Arc<backend::CancelKey>) {
        let timeout = self.database.config.pool.connect;
        background().spawn(async move {
            let _ = backend::cancel(&key, timeout).await;
        });
    }
}
