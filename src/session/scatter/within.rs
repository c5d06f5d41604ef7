//! A scattered statement in a transaction of the client's.
//!
//! Where a server holds that, the part of its shard is read within it, ahead of the other shards', and held here until the
//! merge has it: so the transaction's connection is free again before the client has all of the answer. A savepoint keeps
//! what is tried in vain from failing the transaction.
//!
//! That is what PostgreSQL would answer where each statement sees what others have committed meanwhile (READ COMMITTED),
//! and where the transaction has not changed settings that the other shards' connections lack.

use tokio::time::Instant;

use super::{Answer, Stopped};
use crate::backend::{self, Lease};
use crate::executor::scatter::{Circumstances, Own, SAVEPOINT, Scattering, circumstances};
use crate::net::Buffered;
use crate::session::gather::is_snapshot_kept;
use crate::session::{Failure, Session};
use crate::shardmap::ShardId;
use crate::txn::Transaction;

/// The rows of the transaction's shard are held up to so many bytes.
const OWN_BYTES_MAX: usize = 16 << 20;

impl Session {
    /// Readies the session for a scattered statement; false where its transaction is against that, or
    /// its pipeline.
    pub(super) async fn may_scatter(&mut self, io: &mut Buffered) -> Result<bool, Failure> {
        let may = match &self.txn {
            Transaction::Idle => !self.has_effects(),
            Transaction::Deferred(prelude) => {
                !is_snapshot_kept(&prelude.text()) && self.settings.pending().is_empty()
            }
            Transaction::Open => {
                let mark = self.settings.mark();
                let server = self.server.as_ref();
                let as_set = server.is_some_and(|server| server.lease.settings == mark);
                as_set && self.settings.pending().is_empty() && !self.has_definitions()
            }
            Transaction::DeferredFailed(_) | Transaction::Failed => false,
        };
        if !may {
            return Ok(false);
        }
        self.settle(io).await?;
        self.end_gather(io).await?;
        if self.txn == Transaction::Open {
            return self.may_join(io).await;
        }
        self.leave(io).await;
        match self.txn {
            Transaction::Idle => Ok(true),
            // As its shards begin transactions.
            _ => Ok(self.usual(io).await?.reads_committed),
        }
    }

    /// Whether the transaction that a server holds is like those of other connections.
    async fn may_join(&mut self, io: &mut Buffered) -> Result<bool, Failure> {
        let Some(server) = &mut self.server else {
            return Ok(false);
        };
        let deadline = Instant::now() + self.database.config.pool.connect;
        let asked = Box::pin(circumstances(&mut server.lease, deadline));
        let here = match self.registered.entry.wait(io, asked).await {
            Ok(answer) => answer?,
            Err(failure) => {
                self.lose_server();
                return Err(failure);
            }
        };
        Ok(here.reads_committed && self.are_usual(io, &here).await?)
    }

    /// Whether settings are as on other connections.
    async fn are_usual(
        &mut self,
        io: &mut Buffered,
        here: &Circumstances,
    ) -> Result<bool, Failure> {
        let mark = self.settings.mark();
        let known = self.usual_settings.as_ref();
        if known.is_some_and(|(of, settings)| *of == mark && *settings == here.settings) {
            return Ok(true);
        }
        let usual = self.usual(io).await?;
        let are = usual.settings == here.settings;
        self.usual_settings = Some((mark, usual.settings));
        Ok(are)
    }

    /// What is so on a connection with the session's settings.
    async fn usual(&self, io: &mut Buffered) -> Result<Circumstances, Failure> {
        let mut lane = self.lane(io, self.default_shard()).await?;
        let deadline = Instant::now() + self.database.config.pool.connect;
        let asked = Box::pin(circumstances(&mut lane, deadline));
        let usual = self.entry().wait(io, asked).await?;
        super::give_back(lane, &usual);
        Ok(usual?)
    }

    /// Of these shards the one that holds the client's transaction.
    pub(super) fn own_shard(&self, shards: &[ShardId]) -> Option<ShardId> {
        let server = self.server.as_ref().filter(|_| self.txn.is_on_server());
        server
            .map(|server| server.shard)
            .filter(|shard| shards.contains(shard))
    }

    /// The connection with the client's transaction, if it is wanted: a lane until [`Self::own_part`] has it back.
    pub(super) async fn lend(&mut self, own: Option<ShardId>) -> Option<Lease> {
        own?;
        self.entry().runs_nowhere().await;
        self.server.take().map(|server| server.lease)
    }

    /// Reads what the client's transaction has of the answer; false where that is too much, and the statement has to be
    /// gathered.
    pub(super) async fn own_part(
        &mut self,
        io: &mut Buffered,
        answer: &mut Answer,
    ) -> Result<Result<bool, Stopped>, Failure> {
        if answer.lent.is_none() {
            return Ok(Ok(true));
        }
        let read = self.drive(io, answer, |running, io, cx| {
            running.poll_own(OWN_BYTES_MAX, io, cx)
        });
        match read.await {
            Ok(Own::None) => Ok(Ok(true)),
            Ok(Own::Held(lease)) => {
                self.regain(answer, Some(lease));
                let released = format!("RELEASE SAVEPOINT {SAVEPOINT}");
                self.ask_server(io, &released).await??;
                Ok(Ok(true))
            }
            Ok(Own::TooMuch(key)) => {
                let timeout = self.database.config.pool.connect;
                // What it hits has to be this statement, and no later one.
                let stopped = Box::pin(backend::cancel(&key, timeout));
                let _ = self.entry().wait(io, stopped).await;
                let unwanted = self.drive(io, answer, Scattering::poll_own_unwanted).await;
                self.end_answer(answer).await;
                if let Err(stopped) = unwanted {
                    return Ok(Err(stopped));
                }
                self.undo(io).await?;
                Ok(Ok(false))
            }
            Err(stopped) => match self.undo(io).await {
                // It was stopped before there was a savepoint.
                Ok(()) | Err(Failure::Statement(_)) => Ok(Err(stopped)),
                Err(failure) => Err(failure),
            },
        }
    }

    /// The connection with the client's transaction is in use again, or is lost.
    pub(super) fn regain(&mut self, answer: &mut Answer, lease: Option<Lease>) {
        let Some(shard) = answer.lent.take() else {
            return;
        };
        match lease {
            Some(lease) => self.bind(shard, lease),
            None => {
                self.database.poll_now(shard);
                self.lose_server();
            }
        }
    }

    /// The transaction is as it was before the statement.
    async fn undo(&mut self, io: &mut Buffered) -> Result<(), Failure> {
        let undone = format!("ROLLBACK TO SAVEPOINT {SAVEPOINT}; RELEASE SAVEPOINT {SAVEPOINT}");
        Ok(self.ask_server(io, &undone).await??)
    }
}
