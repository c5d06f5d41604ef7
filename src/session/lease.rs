//! Entering a shard and leaving it: which connection the session uses, and in what state.

use std::sync::Arc;

use bytes::BytesMut;
use tokio::time::Instant;

use super::gather::Gathered;
use super::interrupt::unless;
use super::{Failure, Session};
use crate::backend::{self, Connection, Lease, Offer, SettingsMark, StatementId};
use crate::error::{PgError, SqlState};
use crate::executor::{Expect, Forward, types_to_server};
use crate::net::Buffered;
use crate::session::Activity;
use crate::shardmap::ShardId;
use crate::txn::{Prelude, Transaction};
use crate::types::Oid;
use crate::wire::{self, Replies};

/// Settings on a connection are not known; the next lease starts from the server's defaults.
pub(super) const UNKNOWN: SettingsMark = SettingsMark(u64::MAX);

/// A portal nobody can have made: running it fails the server's transaction.
const NO_PORTAL: &[u8] = b"trunkline: the statement was refused";

/// Why a connection is entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To learn something of a statement (its parameters, its columns): a transaction no server has heard
    /// of stays that way.
    Describe,
    /// To run a statement that depends on the session's settings only: a transaction no server has heard
    /// of is begun there, and rolled back when it is done.
    Peek,
    /// To run a statement: the transaction begins there.
    Run,
}

/// A leased connection and what this session has done on it.
pub(super) struct Bound {
    pub(super) shard: ShardId,
    pub(super) lease: Lease,
    /// Messages of the extended protocol have been queued since the last Sync.
    pub(super) pipelined: bool,
    /// Among them some that may change data, so that leaving now would tear an implicit transaction.
    pub(super) effects: bool,
    /// A transaction was begun for a look only; the client's own is on no server yet.
    pub(super) peeking: bool,
    /// Temporary tables stand in front of those of the statement that runs.
    pub(super) gathered: Option<Box<Gathered>>,
}

impl Bound {
    /// The pipeline goes on: its Sync did not end it.
    pub(super) fn await_sync(&mut self) {
        self.pipelined = true;
        self.effects = true;
    }
}

impl Session {
    /// Makes a connection to `shard` the one in use, with the session's settings and transaction on it.
    ///
    /// Errors: a transaction that is on another shard (0A000); no connection to be had (08006, 53300).
    pub async fn enter(
        &mut self,
        io: &mut Buffered,
        shard: ShardId,
        purpose: Purpose,
    ) -> Result<(), Failure> {
        // What is waited for here is rarely waited for, and large: on the heap.
        if self.has_gathered() {
            Box::pin(self.end_gather(io)).await?;
        }
        if let Some(server) = &self.server {
            let deferred = matches!(self.txn, Transaction::Deferred(_));
            if server.shard != shard || (server.peeking && purpose == Purpose::Run) {
                self.may_leave(shard)?;
                Box::pin(self.settle(io)).await?;
                Box::pin(self.leave(io)).await;
            } else if !deferred || purpose == Purpose::Describe || server.peeking {
                self.translate(shard);
                return Ok(());
            } else {
                Box::pin(self.settle(io)).await?;
            }
        }
        if self.server.is_none() {
            if let Err(offer) = self.take_now(shard) {
                Box::pin(self.take(io, shard, offer)).await?;
            }
            if !self.has_its_settings() {
                Box::pin(self.sync_settings(io)).await?;
            }
        }
        self.translate(shard);
        if self.begin(purpose)? {
            Box::pin(self.run_own(io)).await?;
            if let Some(server) = &mut self.server {
                server.peeking = purpose == Purpose::Peek;
            }
        }
        Ok(())
    }

    /// Tells the server of a transaction it has not heard of; true where that has to be waited for. A plain BEGIN
    /// travels with the statement; more does not, because the statement must not run without it.
    fn begin(&mut self, purpose: Purpose) -> Result<bool, PgError> {
        let Transaction::Deferred(prelude) = &self.txn else {
            return Ok(false);
        };
        if purpose == Purpose::Describe {
            return Ok(false);
        }
        let (text, plain) = (prelude.text(), prelude.is_plain());
        self.queue_query(&text, Forward::Swallow, None)?;
        if purpose == Purpose::Run {
            self.txn = Transaction::Open;
        }
        Ok(!plain || purpose == Purpose::Peek)
    }

    pub(super) fn may_leave(&self, to: ShardId) -> Result<(), PgError> {
        let Some(server) = &self.server else {
            return Ok(());
        };
        let (from, to) = (
            self.map().shard_name(server.shard),
            self.map().shard_name(to),
        );
        if self.txn.is_on_server() {
            return Err(PgError::refusal(
                format!(
                    "this transaction runs on shard \"{from}\", the statement belongs to shard \"{to}\""
                ),
                "A transaction stays on one shard for now: end it first, or use rows of one sharding key.",
            ));
        }
        if self.has_effects() {
            return Err(PgError::refusal(
                format!(
                    "this pipeline runs on shard \"{from}\", the statement belongs to shard \"{to}\""
                ),
                "What is sent without Sync in between is one transaction, and stays on one shard for now: send Sync between statements for different shards.",
            ));
        }
        Ok(())
    }

    /// Leases a connection to be the one in use, with the session's settings.
    pub(super) async fn occupy(
        &mut self,
        io: &mut Buffered,
        shard: ShardId,
    ) -> Result<(), Failure> {
        if let Err(offer) = self.take_now(shard) {
            self.take(io, shard, offer).await?;
        }
        self.translate(shard);
        self.sync_settings(io).await
    }

    /// Leases a connection that is free, or takes one that was kept. Otherwise what there is instead.
    fn take_now(&mut self, shard: ShardId) -> Result<(), Option<Offer>> {
        let database = &self.database;
        if !self.kept.is_empty() {
            self.kept.retain(|bound| {
                database.may_be_primary(bound.shard, &bound.lease.server) && !bound.lease.is_stale()
            });
            if let Some(at) = self.kept.iter().position(|bound| bound.shard == shard) {
                let mut bound = self.kept.swap_remove(at);
                // Where something waits to be read it stays away, and `poll_ask` finds that.
                let _ = bound.lease.come_home();
                self.entry().runs_on(bound.lease.cancel.clone());
                self.server = Some(bound);
                return Ok(());
            }
        }
        match database.offer(shard, &self.user.name, &self.claim) {
            Some(Offer::Lease(lease)) => {
                self.bind(shard, lease);
                Ok(())
            }
            offer => Err(offer),
        }
    }

    /// Leases a connection where there was none at once; a cancel request, a deadline and the client's end also end
    /// the wait.
    async fn take(
        &mut self,
        io: &mut Buffered,
        shard: ShardId,
        offer: Option<Offer>,
    ) -> Result<(), Failure> {
        let slot = match offer {
            Some(Offer::Wait(wait)) => match self.entry().wait(io, wait).await??.lease_now() {
                Ok(lease) => {
                    self.bind(shard, lease);
                    return Ok(());
                }
                Err(slot) => Some(slot),
            },
            Some(Offer::Slot(slot)) => Some(slot),
            Some(Offer::Lease(_) | Offer::Closed) | None => None,
        };
        let (user, claim) = (&self.user.name, &self.claim);
        let waited = Box::pin(self.database.lease(shard, user, claim, slot));
        let lease = self.entry().wait(io, waited).await??;
        self.bind(shard, lease);
        Ok(())
    }

    fn bind(&mut self, shard: ShardId, lease: Lease) {
        self.entry().runs_on(lease.cancel.clone());
        self.server = Some(Bound {
            shard,
            lease,
            pipelined: false,
            peeking: false,
            effects: false,
            gathered: None,
        });
    }

    /// The connection in use has the session's settings, or there is none.
    fn has_its_settings(&self) -> bool {
        let wanted = self.settings.mark();
        let has = |server: &Bound| server.lease.settings == wanted;
        self.server.as_ref().is_none_or(has)
    }

    /// Brings the connection's settings to the session's, and the client's parameters to those.
    pub(super) async fn sync_settings(&mut self, io: &mut Buffered) -> Result<(), Failure> {
        if self.has_its_settings() {
            return Ok(());
        }
        let Some(server) = &self.server else {
            return Ok(());
        };
        let wanted = self.settings.mark();
        let has = server.lease.settings;
        let text = self.settings.replay_onto(has);
        let Some(server) = &mut self.server else {
            return Ok(());
        };
        let deadline = Instant::now() + self.database.config.pool.connect;
        server.lease.settings = UNKNOWN;
        let entry = &self.registered.entry;
        let synced = Box::pin(server.lease.simple(&text, deadline));
        let synced = entry.wait(io, synced).await;
        if let Err(failure) = synced.and_then(|synced| Ok(synced?)) {
            self.lose_server();
            return Err(failure);
        }
        server.lease.settings = wanted;
        report(&mut self.reported, &server.lease, &mut io.output);
        Ok(())
    }

    /// As `run`, where only statements of our own are under way: a cancel, too, ends it, at the price of the
    /// connection.
    async fn run_own(&mut self, io: &mut Buffered) -> Result<(), Failure> {
        let entry = Arc::clone(self.entry());
        let _waits = entry.waits();
        match unless(self.run(io), |_| entry.interrupt.wait_ends()).await {
            Ok(outcome) => outcome,
            Err(reason) => {
                self.lose_server();
                Err(reason.failure())
            }
        }
    }

    /// Checks statements on the default shard without leaving anything there: a transaction that no
    /// server has heard of wants to know whether its SET is valid.
    pub(super) async fn probe(
        &mut self,
        io: &mut Buffered,
        prelude: &Prelude,
    ) -> Result<(), Failure> {
        self.settle(io).await?;
        self.leave(io).await;
        if let Err(offer) = self.take_now(self.default_shard()) {
            self.take(io, self.default_shard(), offer).await?;
        }
        self.sync_settings(io).await?;
        let Some(server) = &mut self.server else {
            return Ok(());
        };
        let deadline = Instant::now() + self.database.config.pool.connect;
        let entry = &self.registered.entry;
        let text = prelude.text();
        let outcome = Box::pin(server.lease.simple(&text, deadline));
        let outcome = match entry.wait(io, outcome).await {
            Ok(outcome) => outcome,
            Err(failure) => {
                self.drop_server();
                return Err(failure);
            }
        };
        report(&mut self.reported, &server.lease, &mut io.output);
        let ended = Box::pin(server.lease.simple("ROLLBACK", deadline));
        if !matches!(entry.wait(io, ended).await, Ok(Ok(()))) {
            self.drop_server();
        }
        self.leave(io).await;
        Ok(outcome?)
    }

    /// Tells the client of parameters that have changed without a statement of its own on a server.
    pub(super) async fn report_parameters(&mut self, io: &mut Buffered) -> Result<(), Failure> {
        self.enter(io, self.default_shard(), Purpose::Describe)
            .await?;
        if let Some(server) = &self.server {
            report(&mut self.reported, &server.lease, &mut io.output);
        }
        self.leave(io).await;
        Ok(())
    }

    pub fn in_use(&self) -> bool {
        self.server.is_some()
    }

    /// Ends a look: the transaction begun for it is not the client's.
    pub(super) async fn end_peek(&mut self, io: &mut Buffered) {
        if self.server.as_ref().is_some_and(|server| server.peeking) {
            self.leave(io).await;
        }
    }

    pub(super) fn has_effects(&self) -> bool {
        let effects = |server: &Bound| server.effects && !server.peeking;
        self.server.as_ref().is_some_and(effects)
    }

    /// Messages of the extended protocol wait for their Sync.
    pub fn is_pipelined(&self) -> bool {
        self.server.as_ref().is_some_and(|server| server.pipelined)
    }

    /// Ends the pipeline so far with a Sync of our own and waits for its answers. An error among them
    /// has been told to the client, and the rest of its pipeline is void.
    pub async fn settle(&mut self, io: &mut Buffered) -> Result<(), Failure> {
        if self.is_pipelined() {
            self.queue_sync();
        }
        if self.relay.is_idle() {
            return Ok(());
        }
        self.run(io).await?;
        let peeking = self.server.as_ref().is_some_and(|server| server.peeking);
        let unheard_of = self.txn.is_unheard_of();
        if !unheard_of && !peeking {
            self.txn.observe(self.relay.status);
        }
        match self.take_error() {
            Some(_) => {
                if unheard_of || self.is_aside() {
                    self.txn.fail();
                }
                Err(Failure::Told)
            }
            None => Ok(()),
        }
    }

    /// Has a server parse a text and throws the result away; its error goes to the client (`Told`). A
    /// pipeline that has run statements goes on: a Sync of ours would commit them.
    pub(super) async fn ask_to_parse(
        &mut self,
        io: &mut Buffered,
        text: &str,
        param_types: &[Oid],
    ) -> Result<(), Failure> {
        self.flush(io).await?;
        self.enter(io, self.any_shard(), Purpose::Describe).await?;
        if let Some(server) = &mut self.server {
            server.lease.prepared.unnamed = None;
        }
        let types = types_to_server(self.relay.translation(), param_types)?.into_owned();
        let expect = Expect::Parse {
            forward: Forward::Swallow,
            id: StatementId(0),
            name: None,
        };
        self.queue(expect, false, |out| {
            let types = types.iter().map(|oid| oid.0);
            wire::put_parse(out, b"", text.as_bytes(), types)
        })?;
        if self.has_effects() {
            self.flush(io).await
        } else {
            self.settle(io).await
        }
    }

    /// Makes the server's transaction fail, the implicit one of a pipeline too.
    pub(super) fn poison(&mut self) -> Result<(), PgError> {
        self.queue(Expect::Poison, false, |out| {
            wire::put_execute(out, NO_PORTAL, 0)
        })?;
        self.queue_sync();
        Ok(())
    }

    /// Takes over the server's word on the transaction, and the parameters it reported.
    pub(super) fn observe(&mut self) {
        if let Some(server) = &self.server
            && !server.peeking
            && !self.txn.is_unheard_of()
        {
            self.txn.observe(self.relay.status);
            if self.relay.parameters_changed {
                self.reported = Arc::clone(&server.lease.parameters);
            }
        }
        self.relay.parameters_changed = false;
    }

    /// A statement, or a pipeline with its Sync, is over: settings of a transaction that ended take
    /// effect or vanish, and the connection goes back.
    ///
    /// Errors: the client has vanished meanwhile.
    pub async fn finish(&mut self, io: &mut Buffered) -> Result<(), Failure> {
        let leaves = self.conclude();
        if !leaves && self.has_gathered() {
            Box::pin(self.end_gather(io)).await?;
        }
        if leaves && !self.leave_now() {
            // Rare, and large: on the heap.
            Box::pin(self.leave(io)).await;
        }
        if self.txn == Transaction::Idle && self.has_definitions() {
            Box::pin(self.learn_definitions(io)).await?;
        }
        let interrupt = &self.entry().interrupt;
        let activity = match self.txn {
            Transaction::Idle => Activity::Idle,
            _ => Activity::InTransaction,
        };
        interrupt.forget_statement();
        match self.server {
            Some(_) => self.entry().rests(activity).await,
            None => interrupt.set_activity(activity),
        }
        Ok(())
    }

    /// What the answers mean for the transaction, its settings and what is counted. True where the connection is of no
    /// more use to it.
    fn conclude(&mut self) -> bool {
        let error = self.take_error();
        let failed = error.is_some();
        if failed && (matches!(self.txn, Transaction::Deferred(_)) || self.is_aside()) {
            // What was only described failed, or has run elsewhere: the transaction has, though no server has heard of it.
            self.txn.fail();
        }
        if let (Some(SqlState::READ_ONLY_TRANSACTION), Some(server)) = (error, &self.server) {
            // The primary may have become a replica.
            self.database.poll_now(server.shard);
        }
        self.observe();
        self.count_answers();
        if self.txn == Transaction::Idle {
            if failed {
                self.roll_back_settings()
            } else {
                self.settings.commit()
            }
            return true;
        }
        if self.txn.is_on_server() {
            return false;
        }
        if failed {
            self.txn.fail();
        }
        true
    }

    /// Settings of a transaction, or of a pipeline, that failed.
    pub(super) fn roll_back_settings(&mut self) {
        if self.settings.rollback() {
            self.forget_settings();
        }
    }

    /// Gives the connection in use back: to its pool, or in session pooling to the session's own store.
    pub(super) async fn leave(&mut self, io: &mut Buffered) {
        let Some(mut server) = self.server.take() else {
            return;
        };
        self.entry().runs_nowhere().await;
        if std::mem::take(&mut server.peeking) {
            let deadline = Instant::now() + self.database.config.pool.connect;
            let ended = Box::pin(server.lease.simple("ROLLBACK", deadline));
            if !matches!(self.entry().wait(io, ended).await, Ok(Ok(()))) {
                return;
            }
        }
        self.give_back(server);
    }

    /// As [`Self::leave`], without waiting; false where that has to be.
    fn leave_now(&mut self) -> bool {
        let Some(server) = self.server.take_if(|server| !server.peeking) else {
            return self.server.is_none();
        };
        if !self.entry().runs_nowhere_now() {
            self.server = Some(server);
            return false;
        }
        self.give_back(server);
        true
    }

    fn give_back(&mut self, mut server: Bound) {
        if server.lease.settings != UNKNOWN {
            server.lease.settings = self.settings.mark();
        }
        server.pipelined = false;
        server.effects = false;
        server.gathered = None;
        if self.session_pooled() {
            self.kept.push(server);
        } else {
            server.lease.release();
        }
    }

    /// Settings on the connection in use can no longer be told.
    pub fn forget_settings(&mut self) {
        if let Some(server) = &mut self.server {
            server.lease.settings = UNKNOWN;
        }
    }

    /// Closes the connection in use; whatever was open on it is rolled back by its server.
    pub(super) fn drop_server(&mut self) {
        self.server = None;
        self.entry().lost_its_server();
        // What it has answered stays answered.
        let answered = self.relay.answered;
        self.relay.reset();
        self.relay.answered = answered;
        self.forget_unparsed();
    }

    /// Loses the connection in use, which is somewhere in the middle of something.
    pub fn give_up_server(&mut self) {
        if self.server.is_some() {
            self.lose_server();
        }
    }

    pub(super) fn lose_server(&mut self) {
        if let Some(server) = &self.server {
            self.database.poll_now(server.shard);
        }
        if self.txn.is_on_server() {
            self.count_transaction(false);
        }
        self.drop_server();
        self.txn.lose();
        self.roll_back_settings();
    }

    /// The client is gone: what it left running is stopped, what it left open is rolled back.
    pub async fn end(mut self) {
        if self.txn.is_on_server() {
            self.count_transaction(false);
        }
        if let Some(server) = self.server.take() {
            if !self.relay.is_idle() {
                let key = server.lease.cancel.clone();
                let _ = backend::cancel(&key, self.database.config.pool.connect).await;
            }
            self.entry().runs_nowhere().await;
        }
        self.leave_definitions();
        for bound in self.kept.drain(..) {
            drop(bound);
        }
    }
}

/// Tells the client of parameters that are not as it was last told.
fn report(reported: &mut Arc<crate::backend::Parameters>, server: &Connection, out: &mut BytesMut) {
    for (name, value) in server.parameters.iter() {
        if reported.get(name).is_some_and(|known| known != value) {
            out.parameter_status(name, value);
        }
    }
    *reported = Arc::clone(&server.parameters);
}
