//! The connections of one user to one server.
//!
//! ```text
//!            lease: a free slot, then an idle connection or a new one
//!   idle  ◀──────────────────────────────────────────────────────────▶  leased ───▶ the next who waits
//!    ▲ │        release: clean, goes back      drop: dirty, is closed      │
//!    │ └── too old, too long idle, broken: closed                          └── closed
//! ```
//!
//! Whoever waits longest is served first: a connection that comes back is handed over, and never seems free to those
//! who come later. A wait that is dropped gives its place, or what it was just given, back by itself. Waiting makes no
//! timer: one task looks after the deadlines of all who wait.

mod slots;

use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::connect::{Target, connect};
use super::connection::Connection;
use crate::config::PoolSettings;
use crate::error::{PgError, SqlState};
use crate::metrics::PoolMetrics;
use crate::net::{Home, READ_BYTES, background, timer};
use slots::{Connections, Served, Slots, Taken};

/// A pool of connections to one target.
pub struct Pool {
    target: Target,
    settings: PoolSettings,
    size: usize,
    metrics: PoolMetrics,
    slots: Mutex<Slots>,
    last_failure: Mutex<Option<(Instant, PgError)>>,
    /// The server did not take the credential when it was last shown.
    refused: AtomicBool,
    /// How often it was renewed.
    generation: AtomicU64,
    counts: Counts,
}

#[derive(Default)]
struct Counts {
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
        let size = settings.size.max(1);
        Arc::new(Self {
            target,
            settings,
            size,
            slots: Mutex::new(Slots::new(size, metrics.clone())),
            metrics,
            last_failure: Mutex::new(None),
            refused: AtomicBool::new(false),
            generation: AtomicU64::new(0),
            counts: Counts::default(),
        })
    }

    /// A connection to use alone: an idle one, else a new one, waiting at most `pool.wait` for a slot.
    ///
    /// Cancel safe: dropped midway, place and slot are given back.
    pub async fn lease(self: &Arc<Self>) -> Result<Lease, PgError> {
        let slot = match self.offer() {
            Offer::Lease(lease) => return Ok(lease),
            Offer::Slot(slot) => slot,
            Offer::Wait(wait) => wait.await?,
            Offer::Closed => return Err(self.closed_error()),
        };
        slot.fill().await
    }

    /// What there is for a lease without waiting.
    pub fn offer(self: &Arc<Self>) -> Offer {
        let here = Home::here();
        let mut slots = self.lock();
        let connection = match slots.take(here) {
            Taken::Slot(connection) => connection,
            Taken::Closed => return Offer::Closed,
            Taken::Busy => return Offer::Wait(self.queue(slots)),
        };
        drop(slots);
        match self.slot(connection).lease_now() {
            Ok(lease) => Offer::Lease(lease),
            Err(slot) => Offer::Slot(slot),
        }
    }

    /// Takes a place among those who wait.
    fn queue(self: &Arc<Self>, mut slots: MutexGuard<'_, Slots>) -> Wait {
        let since = Instant::now();
        let deadline = since + self.settings.wait;
        let served = slots.wait(Home::here(), since, deadline);
        let watched = std::mem::replace(&mut slots.watched, true);
        drop(slots);
        self.counts.waits.fetch_add(1, Ordering::Relaxed);
        self.metrics.waits.inc();
        if !watched {
            background().spawn(watch_deadlines(Arc::downgrade(self), deadline));
        }
        Wait {
            pool: Arc::clone(self),
            since,
            served,
        }
    }

    fn slot(self: &Arc<Self>, connection: Option<Box<Connection>>) -> Slot {
        Slot(Lease {
            connection,
            pool: Arc::clone(self),
            clean: false,
        })
    }

    fn count_lease(&self) {
        self.counts.leases.fetch_add(1, Ordering::Relaxed);
        self.metrics.leases.inc();
    }

    /// No more leases; idle connections are closed now, leased ones when they come back.
    pub fn close(&self) {
        let idle = self.lock().close();
        terminate(idle);
    }

    /// From now on connections begin otherwise on the server: idle ones are closed now, leased ones when they come
    /// back. Who waits goes on waiting.
    pub fn renew(&self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
        let idle = self.lock().take_all();
        terminate(idle);
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
        while self.connections(&self.lock()) < min && self.remembered_failure().is_none() {
            if !self.lock().take_bare() {
                return;
            }
            let mut slot = self.slot(None);
            match self.open().await {
                Ok(connection) => slot.0.connection = Some(connection),
                Err(_) => return,
            }
            slot.0.release();
        }
    }

    pub fn is_closed(&self) -> bool {
        self.lock().is_closed()
    }

    /// The server did not take the credential when it was last shown; connections from before may go on.
    pub fn is_refused(&self) -> bool {
        self.refused.load(Ordering::Relaxed)
    }

    /// Nobody has a connection, waits for one or could be given one at once.
    pub fn is_empty(&self) -> bool {
        let slots = self.lock();
        slots.idle() == 0 && slots.free() == self.size
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
        let slots = self.lock();
        PoolStats {
            size: self.size,
            idle: slots.idle(),
            leased: self.size - slots.free(),
            waiting: slots.waiting(),
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

    /// False where an idle connection is of no more use. One that is comes to this thread's runtime.
    fn is_fit(&self, connection: &mut Connection) -> bool {
        let now = Instant::now();
        if self.is_outdated(connection, now) {
            return false;
        }
        if connection.home != Home::here() {
            return connection.come_home();
        }
        match now - connection.last_used < TRUSTED_IDLE {
            true => !connection.stream.has_news(),
            false => connection.stream.idle_check(),
        }
    }

    fn take_idle(&self) -> Option<Box<Connection>> {
        self.lock().take_idle(Home::here())
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

    /// A slot comes back, with a connection that is clean as far as its user knows.
    fn give_back(&self, connection: Option<Box<Connection>>) {
        let now = Instant::now();
        let mut connection = connection.and_then(|connection| self.looked_over(connection, now));
        let home = connection.as_ref().map_or_else(Home::here, |it| it.home);
        loop {
            let mut slots = self.lock();
            // Looked at under the lock, so that `close` and `renew` either see this connection or are seen here.
            if let Some(outdated) = connection.take_if(|it| slots.is_closed() || self.is_stale(it))
            {
                drop(slots);
                outdated.terminate();
                continue;
            }
            let Some(next) = slots.give_back(home, now) else {
                if let Some(connection) = connection {
                    slots.keep(connection);
                }
                return;
            };
            drop(slots);
            match next.bring(connection) {
                Ok(()) => return,
                Err(unwanted) => connection = unwanted,
            }
        }
    }

    /// A connection that may be used again; any other is closed.
    fn looked_over(
        &self,
        mut connection: Box<Connection>,
        now: Instant,
    ) -> Option<Box<Connection>> {
        connection.last_used = now;
        // Whether more has arrived is asked before the next lease.
        if !connection.is_quiet() {
            return None;
        }
        shrink(&mut connection);
        if self.is_outdated(&connection, now) {
            connection.terminate();
            return None;
        }
        Some(connection)
    }

    fn close_outdated(&self, min: usize) {
        let now = Instant::now();
        let outdated = {
            let mut slots = self.lock();
            let mut surplus = self.connections(&slots).saturating_sub(min);
            slots.sort_out(|connection| {
                let unused = now - connection.last_used > self.settings.idle && surplus > 0;
                let goes =
                    unused || self.is_outdated(connection, now) || !connection.stream.idle_check();
                surplus = surplus.saturating_sub(usize::from(goes));
                goes
            })
        };
        terminate(outdated);
    }

    fn is_outdated(&self, connection: &Connection, now: Instant) -> bool {
        now - connection.created > self.settings.lifetime || self.is_stale(connection)
    }

    fn is_stale(&self, connection: &Connection) -> bool {
        connection.generation != self.generation.load(Ordering::SeqCst)
    }

    fn connections(&self, slots: &Slots) -> usize {
        slots.idle() + self.size - slots.free()
    }

    fn lock(&self) -> MutexGuard<'_, Slots> {
        // Valid at every moment, even if a holder panicked.
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
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

/// What a pool has for a lease at once.
pub enum Offer {
    Lease(Lease),
    /// Room for a connection, and none yet.
    Slot(Slot),
    /// All are taken: a place among those who wait.
    Wait(Wait),
    Closed,
}

/// Room for a connection; from a wait it may carry one, which may not be fit. Dropped, it is given back.
pub struct Slot(Lease);

impl Slot {
    /// What its pool connects to.
    pub fn target(&self) -> &Target {
        &self.0.pool.target
    }

    /// The connection it came with, if that is fit.
    pub fn lease_now(mut self) -> Result<Lease, Self> {
        let Lease {
            connection, pool, ..
        } = &mut self.0;
        if !connection.as_mut().is_some_and(|it| pool.is_fit(it)) {
            *connection = None;
            return Err(self);
        }
        pool.count_lease();
        Ok(self.0)
    }

    /// An idle connection, or a new one.
    ///
    /// Cancel safe: dropped midway, the slot is given back.
    pub async fn fill(mut self) -> Result<Lease, PgError> {
        let pool = Arc::clone(&self.0.pool);
        loop {
            self = match self.lease_now() {
                Ok(lease) => return Ok(lease),
                Err(slot) => slot,
            };
            self.0.connection = pool.take_idle();
            if self.0.connection.is_none() {
                self.0.connection = Some(pool.open().await?);
                pool.count_lease();
                return Ok(self.0);
            }
        }
    }
}

/// A place among those who wait for a slot. Dropped, it is given up, or what it was just given is.
pub struct Wait {
    pool: Arc<Pool>,
    since: Instant,
    served: oneshot::Receiver<Served>,
}

impl Future for Wait {
    type Output = Result<Slot, PgError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let served = ready!(Pin::new(&mut self.served).poll(cx));
        let pool = &self.pool;
        let waited = self.since.elapsed().as_secs_f64();
        pool.metrics.wait_seconds.observe(waited);
        Poll::Ready(match served {
            Ok(Served::Slot(connection)) => Ok(pool.slot(connection)),
            Ok(Served::TimedOut) => {
                pool.counts.wait_timeouts.fetch_add(1, Ordering::Relaxed);
                pool.metrics.wait_timeouts.inc();
                Err(pool.exhausted_error())
            }
            Ok(Served::Closed) | Err(_) => Err(pool.closed_error()),
        })
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        if self.served.is_terminated() {
            return;
        }
        self.served.close();
        match self.served.try_recv() {
            Ok(Served::Slot(connection)) => self.pool.give_back(connection),
            Ok(Served::TimedOut | Served::Closed) => {}
            Err(_) => self.pool.lock().forget_gone(),
        }
    }
}

/// Tells those who wait in vain, until nobody waits.
async fn watch_deadlines(pool: Weak<Pool>, mut next: Instant) {
    loop {
        timer::sleep_until(next).await;
        let Some(pool) = pool.upgrade() else {
            return;
        };
        let mut slots = pool.lock();
        match slots.expire(Instant::now()) {
            Some(deadline) => next = deadline,
            None => {
                slots.watched = false;
                return;
            }
        }
    }
}

/// A connection in use. [`Lease::release`] gives it back clean; dropping it closes it, because whoever
/// drops it may have left anything behind.
pub struct Lease {
    /// `None` in here only while there is none yet.
    connection: Option<Box<Connection>>,
    pool: Arc<Pool>,
    clean: bool,
}

impl Lease {
    /// The pool was renewed since the connection was opened.
    pub fn is_stale(&self) -> bool {
        self.pool.is_stale(self)
    }

    /// Gives the connection back for others to use. The caller has left it outside a transaction, with
    /// nothing to send or to read. Where bytes are left over in its buffers it is closed all the same, and where more have
    /// arrived, when it would be leased again.
    pub fn release(mut self) {
        self.clean = true;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // One that is not clean is closed first: the next in line must not open another beside it.
        let connection = self.connection.take().filter(|_| self.clean);
        self.pool.give_back(connection);
    }
}

impl Deref for Lease {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection
            .as_ref()
            .expect("a lease that was handed out has one")
    }
}

impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut Connection {
        self.connection
            .as_mut()
            .expect("a lease that was handed out has one")
    }
}

fn terminate(connections: Connections) {
    connections
        .into_iter()
        .for_each(|connection| connection.terminate());
}

/// An idle connection must not keep the memory of the largest result it ever carried.
fn shrink(connection: &mut Connection) {
    for buffer in [&mut connection.input, &mut connection.output] {
        if buffer.capacity() > IDLE_BUFFER_MAX {
            *buffer = bytes::BytesMut::new();
        }
    }
    connection.read_bytes = READ_BYTES;
}

/// A connection used a moment ago is not asked whether it is still there, which would cost a system call:
/// what the runtime has heard of it is enough.
const TRUSTED_IDLE: Duration = Duration::from_millis(50);
const FAILURE_MEMORY: Duration = Duration::from_millis(150);
const IDLE_BUFFER_MAX: usize = 64 * 1024;

#[cfg(test)]
mod tests;
