//! One client's state, and the road of its statements: plan, resolve, enter a shard, run, finish.
//!
//! ```text
//!   frontend::simple ──┐                         ┌─ settings synced, transaction begun
//!                      ├─> plan ─> resolve ─> enter(shard) ─> relay ─> finish
//!   frontend::extended ┘   (planner)           (topology)     (executor)  └─ connection given back
//! ```
//!
//! The session owns the leased connection while it uses it. Statements about the session itself
//! (`control`) end here. It knows no protocol form beyond what it queues for the server.

mod control;
mod crowd;
mod definitions;
mod gather;
mod interrupt;
mod lanes;
mod lease;
mod oids;
mod planning;
mod queue;
mod registry;
mod scatter;
mod settings;
mod statement;
mod tally;

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;

pub use crowd::{Admission, Place, Refusal, TurnedAway};
pub use interrupt::{Activity, Reason};
pub use lease::Purpose;
pub use oids::Given;
pub use planning::{Several, Way};
pub use registry::{Entry, Registered, Registry};
pub use scatter::{Answer, Scattered};
pub use settings::Settings;
pub use statement::{Globals, Prepared, Statements};
pub use tally::route_of;

use definitions::Defined;
use interrupt::unless;

use crate::auth::Credential;
use crate::backend::{Connection, Parameters};
use crate::config::{PoolMode, User};
use crate::error::{PgError, SqlState};
use crate::executor::{Paused, Relay, RelayError};
use crate::metrics::{Metrics, StatementMetrics};
use crate::net::Buffered;
use crate::plan::{Control, Plan};
use crate::shardmap::{ShardId, ShardMap};
use crate::topology::{Claim, LiveDatabase, Snapshot, Topology};
use crate::txn::Transaction;
use crate::wire::{Replies, TransactionStatus};
use lease::Bound;
use tally::Tally;

/// What all sessions of a proxy share.
pub struct Shared {
    pub topology: Arc<Topology>,
    pub registry: Arc<Registry>,
    pub globals: Globals,
    pub metrics: Arc<Metrics>,
}

/// Why a statement, or the whole session, cannot go on.
#[derive(Debug)]
pub enum Failure {
    /// The client is told and goes on.
    Statement(PgError),
    /// The server has told the client already.
    Told,
    /// The client is told and leaves.
    Fatal(PgError),
    /// The client is gone, or nothing more can be said to it.
    Gone(io::Error),
}

impl Failure {
    /// What a log may say of it: an error's words may repeat what the client sent.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Statement(_) => "statement",
            Self::Told => "told",
            Self::Fatal(_) => "fatal",
            Self::Gone(_) => "gone",
        }
    }

    pub fn code(&self) -> Option<SqlState> {
        match self {
            Self::Statement(error) | Self::Fatal(error) => Some(error.code),
            Self::Told | Self::Gone(_) => None,
        }
    }
}

impl From<PgError> for Failure {
    fn from(error: PgError) -> Self {
        Self::Statement(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Gone(error)
    }
}

/// Everything that lives as long as a client's connection.
pub struct Session {
    shared: Arc<Shared>,
    registered: Registered,
    user: Arc<User>,
    /// Who it is toward the servers.
    claim: Claim,
    snapshot: Arc<Snapshot>,
    database: Arc<LiveDatabase>,
    /// Of the database, as it was when the transaction began.
    map: Arc<ShardMap>,
    /// How often `database` has been another one.
    databases_seen: u64,
    metrics: StatementMetrics,
    tally: Tally,
    pub settings: Settings,
    pub statements: Statements,
    pub txn: Transaction,
    /// What it has defined and its statements are not planned with yet.
    defined: Defined,
    /// Answers due from the connection in use.
    pub relay: Relay,
    /// The connection in use.
    server: Option<Bound>,
    /// Session pooling: connections to other shards, kept until the client leaves.
    kept: Vec<Bound>,
    /// How much of what was gathered has got other names.
    put_aside: u64,
    /// Parameters as the client was last told.
    reported: Arc<Parameters>,
}

/// Longer texts are lexed and planned where that keeps no other client waiting.
pub const ASIDE_BYTES: usize = 64 << 10;

/// Does what may take long for a text of so many bytes: other clients of this thread are served by another one
/// meanwhile. That is so in the shared runtime, where sessions move for such texts.
pub fn aside<T>(bytes: usize, work: impl FnOnce() -> T) -> T {
    use tokio::runtime::{Handle, RuntimeFlavor};
    let can_hand_over = || {
        Handle::try_current()
            .is_ok_and(|runtime| runtime.runtime_flavor() == RuntimeFlavor::MultiThread)
    };
    if bytes > ASIDE_BYTES && can_hand_over() {
        tokio::task::block_in_place(work)
    } else {
        work()
    }
}

impl Session {
    /// A session of `user` on the database it asked for, both of `snapshot`; its login has just left `credential`.
    pub fn new(
        shared: Arc<Shared>,
        registered: Registered,
        snapshot: Arc<Snapshot>,
        user: (Arc<User>, Credential),
        database: Arc<LiveDatabase>,
    ) -> Self {
        let (user, credential) = user;
        let metrics = shared.metrics.statements(&database.config.name);
        registered.allow(&user.timeouts);
        let mut relay = Relay::default();
        relay.timed_out = Arc::clone(&registered.entry.interrupt.timed_out);
        Self {
            shared,
            registered,
            claim: Claim::new(credential),
            user,
            snapshot,
            map: database.map(),
            database,
            databases_seen: 0,
            metrics,
            tally: Tally::default(),
            settings: Settings::default(),
            statements: Statements::default(),
            txn: Transaction::default(),
            defined: Defined::default(),
            relay,
            server: None,
            kept: Vec::new(),
            put_aside: 0,
            reported: Arc::default(),
        }
    }

    /// Applies the startup packet's settings on a server, which so checks them, and learns the
    /// parameters the client is to be told.
    pub async fn start(&mut self, io: &mut Buffered, settings: Settings) -> Result<(), Failure> {
        settings
            .check_startup(self.map())
            .map_err(|error| Failure::Fatal(error.fatal()))?;
        self.settings = settings;
        // Still idle: no timeout of statements counts here, as in PostgreSQL.
        self.entry().interrupt.attach().await;
        self.enter(io, self.default_shard(), Purpose::Describe)
            .await?;
        if let Some(server) = &self.server {
            self.reported = Arc::clone(&server.lease.parameters);
        }
        self.leave(io).await;
        self.entry().interrupt.set_activity(Activity::Idle);
        Ok(())
    }

    pub fn entry(&self) -> &Arc<Entry> {
        &self.registered.entry
    }

    pub fn reported(&self) -> &Parameters {
        &self.reported
    }

    fn map(&self) -> &Arc<ShardMap> {
        &self.map
    }

    /// Every table is on the default shard: it does not matter which one a name means.
    pub fn is_unsharded(&self) -> bool {
        self.map().is_unsharded()
    }

    /// What a message that is held as a whole may have, in bytes.
    pub fn message_bytes_max(&self) -> usize {
        self.snapshot.config.limits.message_bytes
    }

    pub fn default_shard(&self) -> ShardId {
        self.map().default_shard
    }

    pub fn session_pooled(&self) -> bool {
        self.database.config.pool.mode == PoolMode::Session
    }

    /// Takes the current configuration; between transactions only. A database that is no longer
    /// configured, or a user who is no longer let in, ends the session.
    pub fn refresh(&mut self) -> Result<(), Failure> {
        self.refresh_map();
        let Some(current) = self.shared.topology.newer(&self.snapshot) else {
            return Ok(());
        };
        let name = &self.database.config.name;
        let database = current.databases.get(name);
        let user = database.and_then(|database| self.user_in(&current, database));
        let (Some(user), Some(database)) = (user, database) else {
            let gone = format!(
                "user \"{}\" may no longer use database \"{name}\"",
                self.user.name
            );
            let gone = PgError::proxy(SqlState::ADMIN_SHUTDOWN, gone);
            return Err(Failure::Fatal(gone.fatal()));
        };
        let database = Arc::clone(database);
        if !Arc::ptr_eq(&database, &self.database) {
            self.kept.clear();
            self.database = database;
            self.databases_seen += 1;
            self.map = self.database.map();
        }
        self.claim.reconfigure(&self.user, &user);
        if user.timeouts != self.user.timeouts {
            self.registered.allow(&user.timeouts);
        }
        self.user = user;
        self.snapshot = current;
        Ok(())
    }

    fn refresh_map(&mut self) {
        if self.database.map_version() != self.map.version {
            self.map = self.database.map();
        }
    }

    /// This session's user in another configuration. One who was looked up stays for as long as the database
    /// looks users up; one who was configured must stay configured.
    fn user_in(&self, current: &Snapshot, database: &LiveDatabase) -> Option<Arc<User>> {
        let (name, database) = (&self.user.name, &database.config);
        if let Some(user) = current.config.users.get(name) {
            return user
                .databases
                .contains(&database.name)
                .then(|| Arc::clone(user));
        }
        let looked_up = !self.snapshot.config.users.contains_key(name);
        (looked_up && database.auth_query.is_some()).then(|| {
            Arc::new(User {
                timeouts: current.config.limits.timeouts,
                ..(*self.user).clone()
            })
        })
    }

    /// No transaction is open, here or on a server, and no answer is due.
    pub fn is_between_transactions(&self) -> bool {
        self.txn == Transaction::Idle && self.server.is_none()
    }

    /// Where a statement goes that every shard answers alike.
    pub fn any_shard(&self) -> ShardId {
        match &self.server {
            Some(server) => server.shard,
            None => self.default_shard(),
        }
    }

    /// A statement is about to be dealt with.
    pub fn admit(&mut self) {
        self.arrived();
        self.entry().statements.fetch_add(1, Ordering::Relaxed);
    }

    /// Waits until more of a message has come that is dealt with in parts. Meanwhile it is the client's turn.
    pub async fn more(&self, io: &mut Buffered) -> Result<(), Failure> {
        if !io.input.is_empty() {
            return Ok(());
        }
        self.awaits_client().await;
        let interrupt = &self.entry().interrupt;
        let may_stop = interrupt.activity() == Activity::Idle;
        filled(unless(io.fill(), |_| interrupt.idle_ends(may_stop)).await)
    }

    /// As `more`, of a message that a server has the beginning of. A client that trickles holds its connection: where
    /// statements have their time, this wait is part of it.
    pub async fn more_of_statement(&mut self, io: &mut Buffered) -> Result<(), Failure> {
        if self.user.timeouts.statement.is_none() {
            self.more(io).await?;
            self.arrived();
            return Ok(());
        }
        if !io.input.is_empty() {
            return Ok(());
        }
        let interrupt = &self.entry().interrupt;
        filled(unless(io.fill(), |_| interrupt.wait_ends()).await)
    }

    /// It is the client's turn, in the middle of a pipeline or of a message.
    pub async fn awaits_client(&self) {
        if self.entry().activity() == Activity::Active {
            self.entry().rests(Activity::InTransaction).await;
        }
    }

    /// In a failed transaction nothing is heard but its end.
    pub fn heard(&self, plan: &Plan) -> Result<(), PgError> {
        let ends = matches!(
            plan,
            Plan::Control(
                Control::Commit { .. }
                    | Control::Rollback { .. }
                    | Control::RollbackTo { .. }
                    | Control::Empty
            )
        );
        match self.txn.status() {
            TransactionStatus::Failed if !ends => Err(in_failed_transaction()),
            _ => Ok(()),
        }
    }

    /// As `heard`, for what cannot end a transaction.
    pub fn heard_nothing_else(&self) -> Result<(), PgError> {
        match self.txn.status() {
            TransactionStatus::Failed => Err(in_failed_transaction()),
            _ => Ok(()),
        }
    }

    /// Relays answers until the server owes nothing; copies data in where it waits for some.
    pub async fn run(&mut self, io: &mut Buffered) -> Result<(), Failure> {
        let Some(server) = &mut self.server else {
            return Ok(());
        };
        let (relay, interrupt) = (&mut self.relay, &self.registered.entry.interrupt);
        let lease: &mut Connection = &mut server.lease;
        let mut outcome = poll_fn(|cx| match relay.poll_run(lease, io, cx) {
            Poll::Ready(outcome) => Poll::Ready(Ok(outcome)),
            Poll::Pending => match interrupt.answer_cut() {
                Some(reason) => Poll::Ready(Err(reason)),
                None => Poll::Pending,
            },
        })
        .await;
        if let Ok(Ok(paused)) = outcome
            && (paused == Paused::CopyIn || relay.is_out_of_step())
        {
            // Rare, and large: on the heap.
            let copied = Box::pin(copy_in(relay, lease, io, paused));
            outcome = unless(copied, |_| interrupt.answer_cut()).await;
        }
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(reason) => return Err(self.cut(io, reason)),
        };
        let failed = self.relay.error.is_some();
        let sync_ignored = std::mem::take(&mut self.relay.sync_ignored);
        if sync_ignored {
            server.await_sync();
        }
        self.forget_unparsed();
        self.heed_strangers();
        match outcome {
            // The server has had a Sync since, so it is here that the rest is skipped.
            Ok(_) if failed && sync_ignored => Err(Failure::Told),
            Ok(_) => Ok(()),
            Err(RelayError::Server(error)) => {
                self.lose_server();
                Err(Failure::Statement(error))
            }
            Err(RelayError::Torn(error)) => {
                self.lose_server();
                Err(Failure::Gone(io::Error::other(error)))
            }
            Err(RelayError::Client(error)) => Err(Failure::Gone(error)),
            Err(RelayError::Misplaced(error)) => {
                // As PostgreSQL, which has read the message's type and not its body.
                io.output.error(&error);
                let lost = "terminating connection because protocol synchronization was lost";
                Err(Failure::Fatal(
                    PgError::client(SqlState::PROTOCOL_VIOLATION, lost).fatal(),
                ))
            }
        }
    }

    /// The server owed an answer, and nobody waits for it any longer.
    fn cut(&mut self, io: &Buffered, reason: Reason) -> Failure {
        if reason == Reason::CutOff {
            // The session ends, and cancels what is left.
            return match self.relay.is_torn() {
                true => Failure::Gone(io::Error::other("cut off in the middle of an answer")),
                false => reason.failure(),
            };
        }
        // Output that is left over is what the client has not read.
        let unheard = self.relay.is_torn() || !io.output.is_empty();
        let copying = self.relay.is_copying_in();
        self.lose_server();
        if unheard {
            return Failure::Gone(io::Error::other(
                "the client did not read its answer in time",
            ));
        }
        if copying {
            // What the client sends of its copy has nowhere to go.
            return Failure::Fatal(reason.error().fatal());
        }
        reason.failure()
    }

    /// The client's names for statements that were not prepared after all are free again.
    pub(super) fn forget_unparsed(&mut self) {
        for name in self.relay.unparsed.drain(..) {
            self.statements.close(&name);
        }
    }

    /// A statement failed here: its transaction fails as a whole, on the server too, where savepoints
    /// must keep their meaning. Answers still due come first.
    ///
    /// Errors: `Told` where one of those was an error, which then is the client's.
    pub async fn fail(&mut self, io: &mut Buffered) -> Result<(), Failure> {
        if self.is_aside() {
            Box::pin(self.end_gather(io)).await?;
        }
        if self.txn == Transaction::Open || self.has_effects() {
            self.poison()?;
            self.run(io).await?;
            let earlier = self.take_error().is_some();
            self.observe();
            if self.txn == Transaction::Idle {
                self.roll_back_settings();
            }
            return if earlier { Err(Failure::Told) } else { Ok(()) };
        }
        self.settle(io).await?;
        self.txn.fail();
        Ok(())
    }
}

/// Goes on where the server waits for data, and asks what became of a Sync that was sent ahead of them.
///
/// Not cancel safe, as [`Relay::copy_in`].
async fn copy_in(
    relay: &mut Relay,
    server: &mut Connection,
    io: &mut Buffered,
    mut paused: Paused,
) -> Result<Paused, RelayError> {
    // A string of statements may hold several copies.
    while paused == Paused::CopyIn {
        poll_fn(|cx| io.poll_flush_watching(cx))
            .await
            .map_err(RelayError::Client)?;
        paused = relay.copy_in(server, io).await?;
    }
    if relay.is_out_of_step() {
        relay.resync(server);
        paused = poll_fn(|cx| relay.poll_run(server, io, cx)).await?;
    }
    Ok(paused)
}

/// What a wait for the client's next bytes came to.
fn filled(read: Result<io::Result<usize>, Reason>) -> Result<(), Failure> {
    match read {
        Ok(Ok(0)) => Err(Failure::Gone(io::ErrorKind::UnexpectedEof.into())),
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(Failure::Gone(error)),
        Err(reason) => Err(reason.failure()),
    }
}

fn in_failed_transaction() -> PgError {
    PgError::client(
        SqlState::IN_FAILED_TRANSACTION,
        "current transaction is aborted, commands ignored until end of transaction block",
    )
}
