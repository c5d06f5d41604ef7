//! The connections of one user to one server.
//!
//! ```text
//!            lease: a free slot, then an idle connection or a new one
//!   idle  ◀──────────────────────────────────────────────────────────▶  leased
//!    ▲ │        release: clean, goes back      drop: dirty, is closed      │
//!    │ └── too old, too long idle, broken: closed                          └── closed
//! ```
//!
//! A slot is a permit of a fair semaphore: whoever waits longest is served first, and a wait that is
//! dropped gives its place or its slot back by itself. Idle connections hold no slot, but a lease takes
//! an idle one before it opens another, so there are never more connections than slots.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};
use tokio::time::Instant;

use super::connect::{Target, connect};
use super::connection::Connection;
use crate::config::PoolSettings;
use crate::error::{PgError, SqlState};
use crate::metrics::PoolMetrics;

/// A pool of connections to one target.
pub struct Pool {
    target: Target,
    settings: PoolSettings,
    size: usize,
    metrics: PoolMetrics,
    slots: Arc<Semaphore>,
    /// The most recently used last: the others grow old and are closed.
    idle: Mutex<Idle>,
    last_failure: Mutex<Option<(Instant, PgError)>>,
    /// The server did not take the credential when it was last shown.
    refused: AtomicBool,
    closed: AtomicBool,
    /// How often it was renewed.
    generation: AtomicU64,
    counts: Counts,
}

#[allow(
    clippy::vec_box,
    reason = "connections go from hand to hand with every statement: a pointer is moved, not three hundred bytes"
)]
type Idle = Vec<Box<Connection>>;

#[derive(Default)]
struct Counts {
    idle: AtomicUsize,
    leased: AtomicUsize,
    waiting: AtomicUsize,
    leases: AtomicU64,
    waits: AtomicU64,
    wait_timeouts: AtomicU64,
    connects: AtomicU64,
    connect_failures: AtomicU64,
}

/// A pool at one moment, and its totals since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolStats {
    pub size: usize,
    pub idle: usize,
    pub leased: usize,
    pub waiting: usize,
    pub leases: u64,
    pub waits: u64,
    pub wait_timeouts: u64,
    pub connects: u64,
    pub connect_failures: u64,
}

impl Pool {
    pub fn new(target: Target, settings: PoolSettings, metrics: PoolMetrics) -> Arc<Self> {
        // Zero slots would make every lease wait in vain.
        let size = settings.size.clamp(1, Semaphore::MAX_PERMITS);
        Arc::new(Self {
            target,
            settings,
            size,
            metrics,
            slots: Arc::new(Semaphore::new(size)),
            idle: Mutex::new(Vec::new()),
            last_failure: Mutex::new(None),
            refused: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            generation: AtomicU64::new(0),
            counts: Counts::default(),
        })
    }

    /// A connection to use alone: an idle one, else a new one, waiting at most `pool.wait` for a slot.
    ///
    /// Cancel safe: dropped midway, place and slot are given back.
    pub async fn lease(self: &Arc<Self>) -> Result<Lease, PgError> {
        let slot = self.slot().await?;
        let connection = match self.take_idle() {
            Some(connection) => connection,
            None => self.open().await?,
        };
        Ok(self.leased(slot, connection))
    }

    /// As `lease`, where that takes no waiting at all: a slot is free and an idle connection is fit.
    pub fn lease_now(self: &Arc<Self>) -> Option<Lease> {
        let slot = Arc::clone(&self.slots).try_acquire_owned().ok()?;
        let connection = self.take_idle()?;
        Some(self.leased(slot, connection))
    }

    fn leased(self: &Arc<Self>, slot: OwnedSemaphorePermit, connection: Box<Connection>) -> Lease {
        self.counts.leases.fetch_add(1, Ordering::Relaxed);
        self.metrics.leases.inc();
        Lease::new(Arc::clone(self), slot, connection)
    }

    /// No more leases; idle connections are closed now, leased ones when they come back.
    pub fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.slots.close();
        self.close_idle();
    }

    /// From now on connections begin otherwise on the server: idle ones are closed now, leased ones when they come
    /// back. Who waits goes on waiting.
    pub fn renew(&self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
        self.close_idle();
    }

    fn close_idle(&self) {
        let idle = {
            let mut idle = self.lock_idle();
            self.count_idle(0);
            std::mem::take(&mut *idle)
        };
        idle.into_iter()
            .for_each(|connection| connection.terminate());
    }

    /// Closes what has been idle or alive for too long, down to `pool.min`, and opens what is missing to
    /// it; to be called about once a second. A server that gets no statements now (`wanted` is false)
    /// needs no minimum.
    ///
    /// Cancel safe.
    pub async fn maintain(self: &Arc<Self>, wanted: bool) {
        let min = if wanted {
            self.settings.min.min(self.size)
        } else {
            0
        };
        self.close_outdated(min);
        while self.connections() < min && self.remembered_failure().is_none() {
            let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() else {
                return;
            };
            match self.open().await {
                Ok(connection) => Lease::new(Arc::clone(self), slot, connection).release(),
                Err(_) => return,
            }
        }
    }

    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// The server did not take the credential when it was last shown; connections from before may go on.
    pub fn is_refused(&self) -> bool {
        self.refused.load(Ordering::Relaxed)
    }

    /// Nobody has a connection, waits for one or could be given one at once.
    pub fn is_empty(&self) -> bool {
        self.connections() == 0 && self.counts.waiting.load(Ordering::Relaxed) == 0
    }

    /// Rises with whatever is asked of the pool.
    pub fn activity(&self) -> u64 {
        let counts = &self.counts;
        [&counts.leases, &counts.waits, &counts.connect_failures]
            .iter()
            .map(|count| count.load(Ordering::Relaxed))
            .sum()
    }

    pub fn stats(&self) -> PoolStats {
        let counts = &self.counts;
        PoolStats {
            size: self.size,
            idle: counts.idle.load(Ordering::Relaxed),
            leased: counts.leased.load(Ordering::Relaxed),
            waiting: counts.waiting.load(Ordering::Relaxed),
            leases: counts.leases.load(Ordering::Relaxed),
            waits: counts.waits.load(Ordering::Relaxed),
            wait_timeouts: counts.wait_timeouts.load(Ordering::Relaxed),
            connects: counts.connects.load(Ordering::Relaxed),
            connect_failures: counts.connect_failures.load(Ordering::Relaxed),
        }
    }

    pub fn target(&self) -> &Target {
        &self.target
    }

    async fn slot(&self) -> Result<OwnedSemaphorePermit, PgError> {
        match Arc::clone(&self.slots).try_acquire_owned() {
            Ok(slot) => Ok(slot),
            Err(TryAcquireError::Closed) => Err(self.closed_error()),
            Err(TryAcquireError::NoPermits) => self.wait_for_slot().await,
        }
    }

    async fn wait_for_slot(&self) -> Result<OwnedSemaphorePermit, PgError> {
        let _waiting = Waiting::new(self);
        let started = Instant::now();
        let acquired =
            tokio::time::timeout(self.settings.wait, Arc::clone(&self.slots).acquire_owned()).await;
        self.metrics
            .wait_seconds
            .observe(started.elapsed().as_secs_f64());
        match acquired {
            Ok(Ok(slot)) => Ok(slot),
            Ok(Err(_)) => Err(self.closed_error()),
            Err(_) => {
                self.counts.wait_timeouts.fetch_add(1, Ordering::Relaxed);
                self.metrics.wait_timeouts.inc();
                Err(self.exhausted_error())
            }
        }
    }

    /// The most recently used connection that is still good; those that are not are closed on the way.
    fn take_idle(&self) -> Option<Box<Connection>> {
        loop {
            let connection = {
                let mut idle = self.lock_idle();
                let connection = idle.pop();
                self.count_idle(idle.len());
                connection?
            };
            let now = Instant::now();
            if self.is_outdated(&connection, now) {
                connection.terminate();
                continue;
            }
            let fit = match now - connection.last_used < TRUSTED_IDLE {
                true => !connection.stream.has_news(),
                false => connection.stream.idle_check(),
            };
            if fit {
                return Some(connection);
            }
        }
    }

    async fn open(&self) -> Result<Box<Connection>, PgError> {
        if let Some(error) = self.remembered_failure() {
            return Err(error);
        }
        let started = Instant::now();
        let generation = self.generation.load(Ordering::SeqCst);
        let mut opened = connect(&self.target, &self.settings).await.map(Box::new);
        self.metrics
            .connect_seconds
            .observe(started.elapsed().as_secs_f64());
        match &mut opened {
            Ok(connection) => {
                connection.generation = generation;
                self.counts.connects.fetch_add(1, Ordering::Relaxed);
                self.metrics.connects.inc();
                *self.lock_failure() = None;
                self.refused.store(false, Ordering::Relaxed);
            }
            Err(error) => {
                self.counts.connect_failures.fetch_add(1, Ordering::Relaxed);
                self.metrics.connect_failures.inc();
                *self.lock_failure() = Some((Instant::now(), error.clone()));
                // Class 28: invalid authorization.
                let refused = error.code.as_str().starts_with("28");
                self.refused.store(refused, Ordering::Relaxed);
            }
        }
        opened
    }

    /// A server that just refused is not asked again by everybody who waits: they get its answer.
    fn remembered_failure(&self) -> Option<PgError> {
        match &*self.lock_failure() {
            Some((when, error)) if when.elapsed() < FAILURE_MEMORY => Some(error.clone()),
            _ => None,
        }
    }

    fn take_back(&self, mut connection: Box<Connection>) {
        let now = Instant::now();
        connection.last_used = now;
        if !connection.is_quiet() || connection.stream.has_news() {
            return;
        }
        shrink(&mut connection);
        if self.is_outdated(&connection, now) {
            return connection.terminate();
        }
        let mut idle = self.lock_idle();
        // Looked at under the lock, so that `close` and `renew` either see this connection or are seen here.
        if self.closed.load(Ordering::SeqCst) || self.is_stale(&connection) {
            drop(idle);
            return connection.terminate();
        }
        idle.push(connection);
        self.count_idle(idle.len());
    }

    fn close_outdated(&self, min: usize) {
        let now = Instant::now();
        let mut outdated = Vec::new();
        {
            let mut idle = self.lock_idle();
            let mut surplus = self.connections().saturating_sub(min);
            // The least recently used come first.
            for connection in std::mem::take(&mut *idle) {
                let unused = now - connection.last_used > self.settings.idle && surplus > 0;
                if unused || self.is_outdated(&connection, now) || !connection.stream.idle_check() {
                    surplus = surplus.saturating_sub(1);
                    outdated.push(connection);
                } else {
                    idle.push(connection);
                }
            }
            self.count_idle(idle.len());
        }
        outdated
            .into_iter()
            .for_each(|connection| connection.terminate());
    }

    fn is_outdated(&self, connection: &Connection, now: Instant) -> bool {
        now - connection.created > self.settings.lifetime || self.is_stale(connection)
    }

    fn is_stale(&self, connection: &Connection) -> bool {
        connection.generation != self.generation.load(Ordering::SeqCst)
    }

    fn connections(&self) -> usize {
        self.counts.idle.load(Ordering::Relaxed) + self.counts.leased.load(Ordering::Relaxed)
    }

    /// Called with the list's lock held, so that the numbers follow each other in order.
    fn count_idle(&self, now: usize) {
        let before = self.counts.idle.swap(now, Ordering::Relaxed);
        self.metrics.idle.add(now as i64 - before as i64);
    }

    fn lock_idle(&self) -> MutexGuard<'_, Idle> {
        // A list of idle connections is valid at every moment, even if a holder panicked.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_failure(&self) -> MutexGuard<'_, Option<(Instant, PgError)>> {
        self.last_failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn exhausted_error(&self) -> PgError {
        let Target { shard, user, .. } = &self.target;
        PgError::proxy(
            SqlState::TOO_MANY_CONNECTIONS,
            format!(
                "no server connection became free within {}s",
                self.settings.wait.as_secs_f64()
            ),
        )
        .with_detail(format!(
            "All {} connections of the pool of user {user} to shard {shard} are taken.",
            self.size
        ))
        .with_hint("Shorten transactions, or raise pool.size or pool.wait.")
    }

    fn closed_error(&self) -> PgError {
        PgError::proxy(
            SqlState::CANNOT_CONNECT_NOW,
            format!(
                "the pool to shard {} is closed: the configuration changed or the proxy stops",
                self.target.shard
            ),
        )
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.close();
    }
}

/// Counts a waiter for as long as it lives, however its wait ends.
struct Waiting<'a>(&'a Pool);

impl<'a> Waiting<'a> {
    fn new(pool: &'a Pool) -> Self {
        pool.counts.waiting.fetch_add(1, Ordering::Relaxed);
        pool.counts.waits.fetch_add(1, Ordering::Relaxed);
        pool.metrics.waiting.inc();
        pool.metrics.waits.inc();
        Self(pool)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.counts.waiting.fetch_sub(1, Ordering::Relaxed);
        self.0.metrics.waiting.dec();
    }
}

/// A connection in use. [`Lease::release`] gives it back clean; dropping it closes it, because whoever
/// drops it may have left anything behind.
pub struct Lease {
    connection: Option<Box<Connection>>,
    pool: Arc<Pool>,
    /// Freed last: when the next in line gets the slot, the connection is back or closed.
    _slot: OwnedSemaphorePermit,
}

impl Lease {
    fn new(pool: Arc<Pool>, slot: OwnedSemaphorePermit, connection: Box<Connection>) -> Self {
        pool.counts.leased.fetch_add(1, Ordering::Relaxed);
        pool.metrics.leased.inc();
        Self {
            connection: Some(connection),
            pool,
            _slot: slot,
        }
    }

    /// The pool was renewed since the connection was opened.
    pub fn is_stale(&self) -> bool {
        self.pool.is_stale(self)
    }

    /// Gives the connection back for others to use. The caller has left it outside a transaction, with
    /// nothing to send or to read; where bytes are left over it is closed all the same.
    pub fn release(mut self) {
        if let Some(connection) = self.connection.take() {
            self.pool.take_back(connection);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.connection = None;
        self.pool.counts.leased.fetch_sub(1, Ordering::Relaxed);
        self.pool.metrics.leased.dec();
    }
}

impl Deref for Lease {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection
            .as_ref()
            .expect("taken only by `release`, which consumes the lease")
    }
}

impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut Connection {
        self.connection
            .as_mut()
            .expect("taken only by `release`, which consumes the lease")
    }
}

/// An idle connection must not keep the memory of the largest result it ever carried.
fn shrink(connection: &mut Connection) {
    for buffer in [&mut connection.input, &mut connection.output] {
        if buffer.capacity() > IDLE_BUFFER_MAX {
            *buffer = bytes::BytesMut::new();
        }
    }
}

/// A connection used a moment ago is not asked whether it is still there, which would cost a system call:
/// what the runtime has heard of it is enough.
const TRUSTED_IDLE: Duration = Duration::from_millis(50);
const FAILURE_MEMORY: Duration = Duration::from_millis(150);
const IDLE_BUFFER_MAX: usize = 64 * 1024;

#[cfg(test)]
mod tests;
