//! Which connections of a pool are idle, how many more may be leased, and who waits for one.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::backend::connection::Connection;
use crate::metrics::PoolMetrics;
use crate::net::Home;

#[allow(
    clippy::vec_box,
    reason = "connections go from hand to hand with every statement: a pointer is moved, not three hundred bytes"
)]
pub(super) type Connections = Vec<Box<Connection>>;

/// What a pool's lock protects.
pub(super) struct Slots {
    /// How many more leases there may be. Idle connections are among them: a lease takes one of those before it opens
    /// another, so there are never more connections than slots.
    free: usize,
    /// The most recently used last: the others grow old and are closed.
    idle: Vec<Idle>,
    /// Who has waited longest first. Empty while a slot is free.
    waiting: VecDeque<Waiter>,
    /// Somebody looks after the deadlines of those who wait.
    pub(super) watched: bool,
    closed: bool,
    metrics: PoolMetrics,
}

struct Idle {
    /// Of its socket: beside the pointer, because it is searched for.
    home: Home,
    connection: Box<Connection>,
}

struct Waiter {
    home: Home,
    since: Instant,
    deadline: Instant,
    served: oneshot::Sender<Served>,
}

/// What a wait came to.
pub(super) enum Served {
    /// A slot, and the connection that was given back with it, if it is good.
    Slot(Option<Box<Connection>>),
    TimedOut,
    Closed,
}

/// What there is for a lease.
pub(super) enum Taken {
    /// A slot, and an idle connection if there is one.
    Slot(Option<Box<Connection>>),
    Busy,
    Closed,
}

/// A slot on its way to one who waits.
pub(super) struct Handover {
    served: oneshot::Sender<Served>,
}

impl Handover {
    /// Not while the pool is locked: it may wake another thread. What is brought comes back where nobody waits
    /// any longer.
    pub(super) fn bring(
        self,
        connection: Option<Box<Connection>>,
    ) -> Result<(), Option<Box<Connection>>> {
        match self.served.send(Served::Slot(connection)) {
            Ok(()) => Ok(()),
            Err(Served::Slot(connection)) => Err(connection),
            Err(_) => Err(None),
        }
    }
}

impl Slots {
    pub(super) fn new(size: usize, metrics: PoolMetrics) -> Self {
        Self {
            free: size,
            idle: Vec::new(),
            waiting: VecDeque::new(),
            watched: false,
            closed: false,
            metrics,
        }
    }

    pub(super) fn take(&mut self, here: Home) -> Taken {
        if self.closed {
            return Taken::Closed;
        }
        if self.free == 0 {
            return Taken::Busy;
        }
        self.use_slot();
        Taken::Slot(self.take_idle(here))
    }

    /// A slot for one more connection, whatever is idle.
    pub(super) fn take_bare(&mut self) -> bool {
        let more = !self.closed && self.free > self.idle.len();
        if more {
            self.use_slot();
        }
        more
    }

    fn use_slot(&mut self) {
        self.free -= 1;
        self.metrics.leased.inc();
    }

    /// The most recently used one, of this home if there is one.
    pub(super) fn take_idle(&mut self, here: Home) -> Option<Box<Connection>> {
        let own = self.idle.iter().rposition(|idle| idle.home == here);
        let at = own.or_else(|| self.idle.len().checked_sub(1))?;
        self.metrics.idle.dec();
        Some(self.idle.remove(at).connection)
    }

    /// A slot comes back: `Some` where it goes on to one who waits, of this home if there is one and nobody has waited
    /// for long.
    pub(super) fn give_back(&mut self, home: Home, now: Instant) -> Option<Handover> {
        let Some(first) = self.waiting.front() else {
            self.free += 1;
            self.metrics.leased.dec();
            return None;
        };
        let in_turn = first.home == home || now - first.since > OUT_OF_TURN_MAX;
        let own = |waiter: &Waiter| waiter.home == home;
        let at = match in_turn {
            true => 0,
            false => self
                .waiting
                .iter()
                .take(LOOKED_AT)
                .position(own)
                .unwrap_or(0),
        };
        let waiter = self.waiting.remove(at)?;
        self.metrics.waiting.dec();
        Some(Handover {
            served: waiter.served,
        })
    }

    /// Keeps a connection whose slot has come back and is free.
    pub(super) fn keep(&mut self, connection: Box<Connection>) {
        let home = connection.home;
        self.metrics.idle.inc();
        self.idle.push(Idle { home, connection });
    }

    pub(super) fn wait(
        &mut self,
        home: Home,
        since: Instant,
        deadline: Instant,
    ) -> oneshot::Receiver<Served> {
        let (served, receiver) = oneshot::channel();
        self.metrics.waiting.inc();
        self.waiting.push_back(Waiter {
            home,
            since,
            deadline,
            served,
        });
        receiver
    }

    /// Forgets those who no longer wait.
    pub(super) fn forget_gone(&mut self) {
        let before = self.waiting.len() as i64;
        self.waiting.retain(|waiter| !waiter.served.is_closed());
        self.metrics.waiting.sub(before - self.waiting.len() as i64);
    }

    /// Tells those whose time is up; when that of the next one is.
    pub(super) fn expire(&mut self, now: Instant) -> Option<Instant> {
        while let Some(waiter) = self.waiting.pop_front_if(|waiter| waiter.deadline <= now) {
            self.metrics.waiting.dec();
            // Nobody waits for it any longer: as good.
            let _ = waiter.served.send(Served::TimedOut);
        }
        Some(self.waiting.front()?.deadline)
    }

    /// No more leases. Gives the idle connections.
    pub(super) fn close(&mut self) -> Connections {
        self.closed = true;
        self.metrics.waiting.sub(self.waiting.len() as i64);
        for waiter in self.waiting.drain(..) {
            let _ = waiter.served.send(Served::Closed);
        }
        self.take_all()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    pub(super) fn take_all(&mut self) -> Connections {
        let idle = std::mem::take(&mut self.idle);
        self.metrics.idle.sub(idle.len() as i64);
        idle.into_iter().map(|idle| idle.connection).collect()
    }

    /// Takes out the idle connections that `goes` says of, asked of the least recently used first.
    pub(super) fn sort_out(&mut self, mut goes: impl FnMut(&Connection) -> bool) -> Connections {
        let gone = self.idle.extract_if(.., |idle| goes(&idle.connection));
        let gone: Vec<_> = gone.map(|idle| idle.connection).collect();
        self.metrics.idle.sub(gone.len() as i64);
        gone
    }

    pub(super) fn idle(&self) -> usize {
        self.idle.len()
    }

    pub(super) fn free(&self) -> usize {
        self.free
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }
}

/// Whoever has waited for longer is served before all others, whatever their home.
const OUT_OF_TURN_MAX: Duration = Duration::from_millis(5);

/// Among so many the one of the right home is looked for.
const LOOKED_AT: usize = 32;
