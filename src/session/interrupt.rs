//! What ends a wait of a session from outside: a cancel, a deadline, the end of the drain.
//!
//! A session runs in one task at a time, whose waker is kept here. Whoever wants something of it stores that and
//! wakes the task; each wait of the session looks at a few atomics when it is polled. So a wait costs
//! nothing until somebody wants something, and no statement makes a timer.
//!
//! ```text
//!   word = since when (coarse clock) + what the session does
//!
//!   session: stores a new word when it begins and ends a statement     (one store)
//!   sweeper: word too old? ─> expired = word, wake                      (compared with the session's own
//!            still the same after the grace? ─> cut = word, wake         word: a late one means nothing)
//! ```

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::Failure;
use crate::config::Timeouts;
use crate::error::{PgError, SqlState};
use crate::net::Home;

/// What a session is doing, for `SHOW sessions`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    Idle,
    Active,
    /// In a transaction, or in a pipeline, and it is the client's turn.
    InTransaction,
}

impl Activity {
    pub fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Active => "active",
            Self::InTransaction => "idle in transaction",
        }
    }
}

/// Milliseconds since the proxy began, as of the last sweep: reading it costs no look at a clock.
#[derive(Debug)]
pub struct CoarseClock {
    began: Instant,
    now_ms: AtomicU64,
}

impl Default for CoarseClock {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            // Never 0, which is no word.
            now_ms: AtomicU64::new(1),
        }
    }
}

impl CoarseClock {
    fn now_ms(&self) -> u64 {
        self.now_ms.load(Ordering::Relaxed)
    }

    /// Looks at the real clock.
    pub(super) fn advance(&self) -> u64 {
        let now = self.began.elapsed().as_millis() as u64 + 1;
        self.now_ms.store(now, Ordering::Relaxed);
        now
    }
}

/// Since when a session does what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word(u64);

impl Word {
    const NONE: u64 = 0;

    fn new(since_ms: u64, activity: Activity) -> Self {
        Self(since_ms << 2 | activity as u64)
    }

    pub(super) fn since_ms(self) -> u64 {
        self.0 >> 2
    }

    pub(super) fn activity(self) -> Activity {
        match self.0 & 3 {
            1 => Activity::Active,
            2 => Activity::InTransaction,
            _ => Activity::Idle,
        }
    }
}

/// How long a session may do each thing, in milliseconds; 0 for as long as it likes. A reload changes them.
#[derive(Debug, Default)]
struct Allowed {
    statement: AtomicU32,
    idle_in_transaction: AtomicU32,
    idle_session: AtomicU32,
}

/// The word that the sweeper saw last, and when it did so first.
#[derive(Debug, Default)]
struct Noticed {
    word: AtomicU64,
    at_ms: AtomicU64,
}

/// A session's waits, as others reach them.
#[derive(Debug)]
pub struct Interrupt {
    clock: Arc<CoarseClock>,
    word: AtomicU64,
    noticed: Noticed,
    /// The word that has lasted too long.
    expired: AtomicU64,
    /// The statement that did not end after it had expired.
    cut: AtomicU64,
    allowed: Allowed,
    waker: Mutex<Option<Waker>>,
    /// Where the session is to live.
    home: AtomicU16,
    /// A cancel has come to a wait without a server.
    canceled: AtomicBool,
    stopping: AtomicBool,
    /// The drain's time is up.
    cut_off: AtomicBool,
    /// An idle session has been told to give its buffers back.
    dozing: AtomicU64,
    /// The server has been asked to cancel because of the deadline: its error is worded accordingly.
    pub timed_out: Arc<AtomicBool>,
}

/// Why a wait ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    Canceled,
    StatementTimeout,
    IdleInTransaction,
    IdleSession,
    Stopping,
    CutOff,
}

impl Reason {
    /// In PostgreSQL's words.
    /// Source: `ProcessInterrupts` in `src/backend/tcop/postgres.c`.
    pub fn error(self) -> PgError {
        let (code, message) = match self {
            Self::Canceled => (
                SqlState::QUERY_CANCELED,
                "canceling statement due to user request",
            ),
            Self::StatementTimeout => (
                SqlState::QUERY_CANCELED,
                "canceling statement due to statement timeout",
            ),
            Self::IdleInTransaction => (
                SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
                "terminating connection due to idle-in-transaction timeout",
            ),
            Self::IdleSession => (
                SqlState::IDLE_SESSION_TIMEOUT,
                "terminating connection due to idle-session timeout",
            ),
            Self::Stopping | Self::CutOff => (
                SqlState::ADMIN_SHUTDOWN,
                "terminating connection due to administrator command",
            ),
        };
        PgError::proxy(code, message)
    }

    pub fn failure(self) -> Failure {
        match self {
            Self::Canceled | Self::StatementTimeout => Failure::Statement(self.error()),
            _ => Failure::Fatal(self.error().fatal()),
        }
    }
}

impl Interrupt {
    pub(super) fn new(clock: Arc<CoarseClock>) -> Self {
        let word = Word::new(clock.now_ms(), Activity::Idle);
        Self {
            clock,
            word: AtomicU64::new(word.0),
            noticed: Noticed::default(),
            expired: AtomicU64::new(Word::NONE),
            cut: AtomicU64::new(Word::NONE),
            allowed: Allowed::default(),
            waker: Mutex::default(),
            home: AtomicU16::new(Home::SHARED.number()),
            canceled: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            cut_off: AtomicBool::new(false),
            dozing: AtomicU64::new(Word::NONE),
            timed_out: Arc::default(),
        }
    }

    // The session's side.

    /// Whom to wake: to be called first in each task that runs the session.
    pub async fn attach(&self) {
        poll_fn(|cx| {
            *self.lock_waker() = Some(cx.waker().clone());
            Poll::Ready(())
        })
        .await;
    }

    /// Where the session is to live. It looks before each message while nothing is open.
    pub fn home(&self) -> Home {
        Home::of_number(self.home.load(Ordering::Relaxed))
    }

    fn lock_waker(&self) -> MutexGuard<'_, Option<Waker>> {
        self.waker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The session begins to do something else. Ordered before a look at what is on its way to it.
    pub(super) fn set_activity(&self, activity: Activity) {
        let word = Word::new(self.clock.now_ms(), activity);
        self.word.store(word.0, Ordering::SeqCst);
    }

    pub(super) fn allow(&self, timeouts: &Timeouts) {
        let millis = |timeout: Option<Duration>| {
            timeout.map_or(0, |timeout| {
                u32::try_from(timeout.as_millis())
                    .unwrap_or(u32::MAX)
                    .max(1)
            })
        };
        let allowed = &self.allowed;
        allowed
            .statement
            .store(millis(timeouts.statement), Ordering::Relaxed);
        allowed
            .idle_in_transaction
            .store(millis(timeouts.idle_in_transaction), Ordering::Relaxed);
        allowed
            .idle_session
            .store(millis(timeouts.idle_session), Ordering::Relaxed);
    }

    /// Why a statement's wait without a server must end.
    pub(super) fn wait_ends(&self) -> Option<Reason> {
        if self.cut_off.load(Ordering::Acquire) {
            return Some(Reason::CutOff);
        }
        if self.canceled.load(Ordering::Acquire) {
            return Some(Reason::Canceled);
        }
        let expired = self.expired.load(Ordering::Acquire);
        (expired == self.word.load(Ordering::Relaxed) && self.activity() == Activity::Active)
            .then_some(Reason::StatementTimeout)
    }

    /// Why waiting for a server must end although it owes an answer.
    pub(super) fn answer_cut(&self) -> Option<Reason> {
        if self.cut_off.load(Ordering::Acquire) {
            return Some(Reason::CutOff);
        }
        (self.cut.load(Ordering::Acquire) == self.word.load(Ordering::Relaxed))
            .then_some(Reason::StatementTimeout)
    }

    /// Why waiting for the client must end. `may_stop`: nothing is open.
    pub fn idle_ends(&self, may_stop: bool) -> Option<Reason> {
        if self.cut_off.load(Ordering::Acquire) {
            return Some(Reason::CutOff);
        }
        if may_stop && self.is_stopping() {
            return Some(Reason::Stopping);
        }
        let word = self.word.load(Ordering::Relaxed);
        if self.expired.load(Ordering::Acquire) != word {
            return None;
        }
        match Word(word).activity() {
            Activity::Idle => Some(Reason::IdleSession),
            Activity::InTransaction => Some(Reason::IdleInTransaction),
            Activity::Active => None,
        }
    }

    /// True once for each long idle time.
    pub fn dozes_off(&self) -> bool {
        let word = self.word.load(Ordering::Relaxed);
        word == self.dozing.load(Ordering::Relaxed)
    }

    pub fn activity(&self) -> Activity {
        Word(self.word.load(Ordering::Relaxed)).activity()
    }

    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// A statement is over: what was wanted of it is void.
    pub(super) fn forget_statement(&self) {
        if self.timed_out.load(Ordering::Relaxed) {
            self.timed_out.store(false, Ordering::Relaxed);
        }
    }

    pub(super) fn forget_cancel(&self) {
        self.canceled.store(false, Ordering::Release);
    }

    // The others' side.

    pub fn move_to(&self, home: Home) {
        self.home.store(home.number(), Ordering::Relaxed);
    }

    fn wake(&self) {
        if let Some(waker) = &*self.lock_waker() {
            waker.wake_by_ref();
        }
    }

    pub(super) fn word(&self) -> Word {
        Word(self.word.load(Ordering::SeqCst))
    }

    pub(super) fn cancel(&self) {
        self.canceled.store(true, Ordering::Release);
        self.wake();
    }

    /// Ends the session at its next idle moment.
    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.wake();
    }

    /// Ends the session now.
    pub(super) fn cut_off(&self) {
        self.cut_off.store(true, Ordering::Release);
        self.wake();
    }

    /// For how long this word has lasted at least: since the sweeper saw it first. By its own time it may seem
    /// older, because the clock stands still between sweeps, for long under load. For the sweeper alone.
    pub(super) fn lasting_ms(&self, word: Word, now_ms: u64) -> u64 {
        if self.noticed.word.swap(word.0, Ordering::Relaxed) != word.0 {
            self.noticed.at_ms.store(now_ms, Ordering::Relaxed);
        }
        now_ms.saturating_sub(self.noticed.at_ms.load(Ordering::Relaxed))
    }

    /// True where a word that has lasted for so long has done so for longer than allowed, and `grace_ms`.
    pub(super) fn is_overdue(&self, word: Word, lasting_ms: u64, grace_ms: u64) -> bool {
        let allowed = match word.activity() {
            Activity::Active => &self.allowed.statement,
            Activity::InTransaction => &self.allowed.idle_in_transaction,
            Activity::Idle => &self.allowed.idle_session,
        };
        let allowed = u64::from(allowed.load(Ordering::Relaxed));
        allowed > 0 && lasting_ms >= allowed + grace_ms
    }

    pub(super) fn has_expired(&self, word: Word) -> bool {
        self.expired.load(Ordering::Relaxed) == word.0
    }

    pub(super) fn expire(&self, word: Word) {
        self.expired.store(word.0, Ordering::Release);
        self.wake();
    }

    pub(super) fn cut(&self, word: Word) {
        self.cut.store(word.0, Ordering::Release);
        self.wake();
    }

    pub(super) fn doze(&self, word: Word) {
        if self.dozing.swap(word.0, Ordering::Relaxed) != word.0 {
            self.wake();
        }
    }
}

/// Polls `waited` until it is done or `ends` says why it need not be.
pub(super) async fn unless<T, E>(
    waited: impl Future<Output = T>,
    mut ends: impl FnMut(&mut Context<'_>) -> Option<E>,
) -> Result<T, E> {
    let mut waited = pin!(waited);
    poll_fn(|cx| match waited.as_mut().poll(cx) {
        Poll::Ready(done) => Poll::Ready(Ok(done)),
        Poll::Pending => match ends(cx) {
            Some(reason) => Poll::Ready(Err(reason)),
            None => Poll::Pending,
        },
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interrupt(statement_ms: u64) -> Interrupt {
        let interrupt = Interrupt::new(Arc::default());
        interrupt.allow(&Timeouts {
            statement: Some(Duration::from_millis(statement_ms)),
            ..Timeouts::default()
        });
        interrupt
    }

    #[test]
    fn a_deadline_is_never_early_and_hits_only_the_statement_it_was_for() {
        let it = interrupt(100);
        it.set_activity(Activity::Active);
        let word = it.word();
        // The sweep that sees it first is late.
        for (now, grace, overdue) in [
            (900, 0, false),
            (999, 0, false),
            (1000, 0, true),
            (1000, 50, false),
            (1050, 50, true),
        ] {
            let lasting = it.lasting_ms(word, now);
            assert_eq!(
                it.is_overdue(word, lasting, grace),
                overdue,
                "{now} {grace}"
            );
        }
        it.expire(word);
        assert_eq!(it.wait_ends(), Some(Reason::StatementTimeout));
        assert_eq!(it.answer_cut(), None);
        it.cut(word);
        assert_eq!(it.answer_cut(), Some(Reason::StatementTimeout));
        it.clock.now_ms.store(200, Ordering::Relaxed);
        it.set_activity(Activity::Active);
        assert_eq!((it.wait_ends(), it.answer_cut()), (None, None));
        assert_eq!(it.lasting_ms(it.word(), 2000), 0);
    }

    #[test]
    fn what_has_no_limit_never_expires() {
        let it = interrupt(0);
        it.allow(&Timeouts::default());
        for activity in [Activity::Idle, Activity::Active, Activity::InTransaction] {
            it.set_activity(activity);
            assert!(!it.is_overdue(it.word(), u64::MAX >> 2, 0));
            assert_eq!(it.activity(), activity);
        }
    }

    #[test]
    fn an_idle_session_ends_for_one_reason_at_a_time() {
        let it = interrupt(1);
        assert_eq!(it.idle_ends(true), None);
        it.set_activity(Activity::InTransaction);
        it.expire(it.word());
        assert_eq!(it.idle_ends(false), Some(Reason::IdleInTransaction));
        it.set_activity(Activity::Idle);
        assert_eq!(it.idle_ends(false), None);
        it.stop();
        assert_eq!(
            (it.idle_ends(false), it.idle_ends(true)),
            (None, Some(Reason::Stopping))
        );
        it.cut_off();
        assert_eq!(it.idle_ends(false), Some(Reason::CutOff));
    }
}
