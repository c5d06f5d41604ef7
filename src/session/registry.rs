//! Who is connected, and how a cancel request finds its statement.
//!
//! A cancel key names a client. While the client's statement runs on a server, its entry holds that
//! server's key; a connection does not change hands while a cancel for it is on its way, so a late
//! cancel cannot reach another client's statement.

use std::collections::HashMap;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::{Duration, SystemTime};

use tokio::sync::Notify;

use super::Failure;
use super::crowd::Crowd;
use super::interrupt::{Activity, CoarseClock, Interrupt, Word, unless};
use crate::backend::{self, CancelKey};
use crate::config::Timeouts;
use crate::error::{PgError, SqlState};
use crate::net::{Buffered, Home, timer};

/// How long a cancel may take to be delivered to a server.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(5);

/// Cancel requests of clients dealt with at once; those beyond are as if they had come too late.
const CANCELS_MAX: usize = 100;

/// How long a statement that was canceled at its deadline may go on, before its connection is closed.
const CANCEL_GRACE: Duration = Duration::from_secs(5);

/// How often deadlines are looked at, and by how much a timeout may be late at least.
const SWEEP_INTERVAL: Duration = Duration::from_millis(100);

/// Every how many sweeps idle sessions are looked at, and from when on one keeps no buffers.
const DOZE_SWEEP: u64 = 10;
const DOZE_AFTER: Duration = Duration::from_secs(2);

/// One client, as others see it.
pub struct Entry {
    pub process_id: u32,
    /// Four bytes, or 32 for a client that speaks protocol 3.2.
    secret: Box<[u8]>,
    pub user: String,
    pub database: String,
    pub client: String,
    /// Version of TLS toward the client; empty without.
    pub tls: &'static str,
    pub application: String,
    pub connected: SystemTime,
    pub statements: AtomicU64,
    /// What ends the session's waits.
    pub interrupt: Interrupt,
    running: Mutex<Running>,
    /// A cancel is on its way to the server. There is never more than one.
    canceling: AtomicBool,
    cancel_done: Notify,
}

#[derive(Default)]
struct Running {
    server: Option<Arc<CancelKey>>,
    /// A statement waits for something that is not a server's answer.
    waiting: bool,
}

/// A cancel on its way, however it ends.
struct OnItsWay<'a>(&'a Entry);

impl Drop for OnItsWay<'_> {
    fn drop(&mut self) {
        self.0.canceling.store(false, Ordering::SeqCst);
        self.0.cancel_done.notify_waiters();
    }
}

/// A statement's wait without a server, however it ends.
struct Waiting<'a>(&'a Entry);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.running().waiting = false;
        // A late one must not end the next wait.
        self.0.interrupt.forget_cancel();
    }
}

impl Entry {
    pub fn secret(&self) -> &[u8] {
        &self.secret
    }

    pub fn activity(&self) -> Activity {
        self.interrupt.activity()
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for something that is not an answer of a server to this client's statement. A client that
    /// vanishes, a cancel, a deadline end it.
    ///
    /// Cancel safe if `waited` is.
    pub(super) async fn wait<T>(
        &self,
        io: &mut Buffered,
        waited: impl Future<Output = T>,
    ) -> Result<T, Failure> {
        let mut waiting = None;
        unless(waited, |cx| {
            waiting.get_or_insert_with(|| self.waits());
            if let Some(reason) = self.interrupt.wait_ends() {
                return Some(reason.failure());
            }
            match io.poll_lost(cx) {
                Poll::Ready(error) => Some(Failure::Gone(error)),
                Poll::Pending => None,
            }
        })
        .await
    }

    /// A statement's wait that a cancel can end here, whether or not a server hears of it.
    pub(super) fn waits(&self) -> impl Drop + '_ {
        self.running().waiting = true;
        Waiting(self)
    }

    /// As `wait`, for what follows a statement that has succeeded: nothing can cancel that any more.
    ///
    /// Cancel safe if `waited` is.
    pub(super) async fn watch<T>(
        &self,
        io: &mut Buffered,
        waited: impl Future<Output = T>,
    ) -> Result<T, Failure> {
        unless(waited, |cx| {
            if let Some(reason) = self.interrupt.idle_ends(false) {
                return Some(reason.failure());
            }
            match io.poll_lost(cx) {
                Poll::Ready(error) => Some(Failure::Gone(error)),
                Poll::Pending => None,
            }
        })
        .await
    }

    /// The client's statements now run behind this key.
    pub fn runs_on(&self, server: Arc<CancelKey>) {
        self.running().server = Some(server);
    }

    /// The client no longer uses a server connection. Returns once no cancel is on its way there.
    ///
    /// Cancel safe.
    pub async fn runs_nowhere(&self) {
        self.running().server = None;
        self.no_cancel_on_its_way().await;
    }

    /// As [`Self::runs_nowhere`], without waiting; false where that has to be.
    pub(super) fn runs_nowhere_now(&self) -> bool {
        self.running().server = None;
        !self.canceling.load(Ordering::SeqCst)
    }

    /// Returns once no cancel is on its way: a statement is over, and the next one on the same connection
    /// must not be hit. The session's activity must have been set before.
    ///
    /// Cancel safe.
    pub async fn no_cancel_on_its_way(&self) {
        while self.canceling.load(Ordering::SeqCst) {
            let mut done = pin!(self.cancel_done.notified());
            // Before looking again, so that an end in between is not missed.
            done.as_mut().enable();
            if self.canceling.load(Ordering::SeqCst) {
                done.await;
            }
        }
    }

    /// It is the client's turn, in the middle of something that holds a server connection: a cancel that
    /// comes from here on finds nothing to cancel, and none is on its way that could hit what comes next.
    ///
    /// Cancel safe.
    pub(super) async fn rests(&self, activity: Activity) {
        self.interrupt.set_activity(activity);
        self.no_cancel_on_its_way().await;
        self.interrupt.forget_statement();
    }

    /// The server connection is closed: a cancel on its way there can hit nobody else.
    pub fn lost_its_server(&self) {
        self.running().server = None;
    }

    /// Stops what the session's statement is doing. `overdue`: because of this statement's deadline, and no
    /// other is meant.
    async fn cancel(&self, overdue: Option<Word>) {
        let (key, _on_its_way) = {
            let running = self.running();
            if running.waiting && overdue.is_none() {
                // Also where there is a server, which may be silent: its connection is closed then.
                self.interrupt.cancel();
            }
            let Some(key) = running.server.clone() else {
                return;
            };
            // However many ask, the server is asked once at a time.
            if self.canceling.swap(true, Ordering::SeqCst) {
                return;
            }
            (key, OnItsWay(self))
        };
        // Between statements there is nothing to cancel. A session that becomes idle after this look
        // waits until this is over.
        let word = self.interrupt.word();
        if word.activity() != Activity::Active || overdue.is_some_and(|overdue| overdue != word) {
            return;
        }
        if overdue.is_some() {
            self.interrupt.timed_out.store(true, Ordering::Relaxed);
        }
        if let Err(error) = backend::cancel(&key, CANCEL_TIMEOUT).await {
            tracing::warn!(%error, "cancel request could not be delivered");
        }
    }
}

/// All sessions of this proxy.
#[derive(Default)]
pub struct Registry {
    next: AtomicU32,
    stopping: AtomicBool,
    clock: Arc<CoarseClock>,
    entries: Mutex<Entries>,
    /// Sessions of each user; the console's do not count.
    users: Mutex<HashMap<String, usize>>,
    pub crowd: Arc<Crowd>,
    cancels: AtomicUsize,
}

#[derive(Default)]
struct Entries {
    all: HashMap<u32, Arc<Entry>>,
    /// Those with a timeout.
    timed: HashMap<u32, Arc<Entry>>,
}

/// A session's place in the registry, given back when it ends.
pub struct Registered {
    registry: Arc<Registry>,
    pub entry: Arc<Entry>,
    /// Counts for its user's limit.
    counted: bool,
}

impl Drop for Registered {
    fn drop(&mut self) {
        let id = self.entry.process_id;
        let mut entries = self.registry.entries();
        entries.all.remove(&id);
        entries.timed.remove(&id);
        drop(entries);
        if self.counted {
            let mut users = self.registry.users();
            if let Some(count) = users.get_mut(&self.entry.user) {
                *count -= 1;
                if *count == 0 {
                    users.remove(&self.entry.user);
                }
            }
        }
    }
}

impl Registered {
    /// Counts the session among those of its user, of which there may be `limit`. Not before the user is
    /// authenticated: what it says of other sessions is for the user alone.
    ///
    /// Errors: 53300 where there are enough already.
    pub fn count_user(&mut self, limit: Option<usize>) -> Result<(), PgError> {
        let mut users = self.registry.users();
        let count = users.entry(self.entry.user.clone()).or_default();
        if limit.is_some_and(|limit| *count >= limit) {
            return Err(PgError::proxy(
                SqlState::TOO_MANY_CONNECTIONS,
                format!("too many connections for role \"{}\"", self.entry.user),
            ));
        }
        *count += 1;
        self.counted = true;
        Ok(())
    }

    /// How long the session may take over things from now on.
    pub fn allow(&self, timeouts: &Timeouts) {
        self.entry.interrupt.allow(timeouts);
        let id = self.entry.process_id;
        let mut entries = self.registry.entries();
        if *timeouts == Timeouts::default() {
            entries.timed.remove(&id);
        } else {
            entries.timed.insert(id, Arc::clone(&self.entry));
        }
    }
}

impl Registry {
    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn users(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a session in: `client` is where it comes from and its version of TLS. `secret` comes from a cryptographic source.
    pub fn register(
        self: &Arc<Self>,
        user: &str,
        database: &str,
        (client, tls): (String, &'static str),
        application: String,
        secret: impl Into<Box<[u8]>>,
    ) -> Registered {
        let mut entries = self.entries();
        let process_id = loop {
            // Wraps around after 2^31; a number still in use is passed over.
            let id = self.next.fetch_add(1, Ordering::Relaxed) % (i32::MAX as u32) + 1;
            if !entries.all.contains_key(&id) {
                break id;
            }
        };
        let entry = Arc::new(Entry {
            process_id,
            secret: secret.into(),
            user: user.to_owned(),
            database: database.to_owned(),
            client,
            tls,
            application,
            connected: SystemTime::now(),
            statements: AtomicU64::new(0),
            interrupt: Interrupt::new(Arc::clone(&self.clock)),
            running: Mutex::default(),
            canceling: AtomicBool::new(false),
            cancel_done: Notify::new(),
        });
        entries.all.insert(process_id, entry.clone());
        Registered {
            registry: self.clone(),
            entry,
            counted: false,
        }
    }

    /// Stops the statement of the client this key belongs to. Wrong keys are ignored in silence, and so
    /// are all while [`CANCELS_MAX`] are under way.
    pub async fn cancel(&self, process_id: u32, secret: &[u8]) {
        let _counted = Counted::new(&self.cancels);
        if self.cancels.load(Ordering::Relaxed) > CANCELS_MAX {
            return;
        }
        let entry = self.entries().all.get(&process_id).cloned();
        if let Some(entry) = entry.filter(|entry| same(&entry.secret, secret)) {
            entry.cancel(None).await;
        }
    }

    /// Sends so many thousandths of the sessions that are at work in one runtime to another; how many. At least one
    /// stays.
    pub fn move_some(&self, from: Home, to: Home, thousandths: u32) -> usize {
        let entries = self.entries();
        let at_work = |entry: &&Arc<Entry>| {
            entry.interrupt.home() == from && entry.activity() == Activity::Active
        };
        let at_work: Vec<_> = entries.all.values().filter(at_work).collect();
        let most = at_work.len().saturating_sub(1);
        let moving = (at_work.len() * thousandths as usize)
            .div_ceil(1000)
            .min(most);
        for entry in &at_work[..moving] {
            entry.interrupt.move_to(to);
        }
        moving
    }

    /// Looks after deadlines and idle buffers until it is dropped.
    pub async fn sweep(self: Arc<Self>) {
        let mut ticks: u64 = 0;
        loop {
            timer::sleep(SWEEP_INTERVAL).await;
            let now = self.clock.advance();
            ticks += 1;
            for (entry, overdue) in self.look_at_deadlines(now) {
                // A task for each: a server that does not take one must not keep the others waiting.
                tokio::spawn(async move { entry.cancel(Some(overdue)).await });
            }
            if ticks.is_multiple_of(DOZE_SWEEP) {
                self.look_at_idlers(now);
            }
        }
    }

    /// Tells sessions whose time is up; gives those whose server must be told, each with what is overdue.
    fn look_at_deadlines(&self, now: u64) -> Vec<(Arc<Entry>, Word)> {
        let mut to_cancel = Vec::new();
        for entry in self.entries().timed.values() {
            let interrupt = &entry.interrupt;
            let word = interrupt.word();
            let lasting = interrupt.lasting_ms(word, now);
            if !interrupt.is_overdue(word, lasting, 0) {
                continue;
            }
            if !interrupt.has_expired(word) {
                interrupt.expire(word);
            }
            if word.activity() != Activity::Active {
                continue;
            }
            if !interrupt.timed_out.load(Ordering::Relaxed) {
                to_cancel.push((Arc::clone(entry), word));
            }
            if interrupt.is_overdue(word, lasting, CANCEL_GRACE.as_millis() as u64) {
                interrupt.cut(word);
            }
        }
        to_cancel
    }

    fn look_at_idlers(&self, now: u64) {
        for entry in self.entries().all.values() {
            let word = entry.interrupt.word();
            let idle = now.saturating_sub(word.since_ms()) >= DOZE_AFTER.as_millis() as u64;
            if idle && word.activity() != Activity::Active {
                entry.interrupt.doze(word);
            }
        }
    }

    /// All sessions, by process id.
    pub fn sessions(&self) -> Vec<Arc<Entry>> {
        let mut sessions: Vec<_> = self.entries().all.values().cloned().collect();
        sessions.sort_by_key(|entry| entry.process_id);
        sessions
    }

    pub fn len(&self) -> usize {
        self.entries().all.len()
    }

    /// Sessions have been asked to end: readiness says so before the listeners are gone.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Asks every session to end when it is idle.
    pub fn stop_all(&self) {
        self.stopping.store(true, Ordering::Release);
        for entry in self.sessions() {
            entry.interrupt.stop();
        }
    }

    /// Ends every session now, whatever it does.
    pub fn cut_off_all(&self) {
        for entry in self.sessions() {
            entry.interrupt.cut_off();
        }
    }
}

/// Adds one for as long as it lives.
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Compares without telling by time where two keys differ; a key of another length is another key.
fn same(a: &[u8], b: &[u8]) -> bool {
    b.len() == a.len() && a.iter().zip(b).fold(0, |acc, (x, y)| acc | (x ^ y)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn so_many_cancels_are_heeded_at_once() {
        let registry = Arc::new(Registry::default());
        let registered = registry.register("a", "b", Default::default(), String::new(), [1; 4]);
        let entry = &registered.entry;
        entry.running().waiting = true;
        for (under_way, heeded) in [(CANCELS_MAX, false), (CANCELS_MAX - 1, true)] {
            registry.cancels.store(under_way, Ordering::Relaxed);
            registry.cancel(entry.process_id, &[1; 4]).await;
            assert_eq!(entry.interrupt.wait_ends().is_some(), heeded, "{under_way}");
            assert_eq!(registry.cancels.load(Ordering::Relaxed), under_way);
        }
    }

    #[test]
    fn keys_match_as_a_whole() {
        assert!(same(&[1; 4], &[1; 4]) && same(&[1; 32], &[1; 32]));
        assert!(!same(&[1; 4], &[1, 1, 1, 2]));
        for other in [&[][..], &[1; 3], &[1; 5], &[1; 32], &[1; 256]] {
            assert!(!same(&[1; 4], other));
        }
        assert!(!same(&[1; 32], &[1; 4]));
    }
}

#[cfg(test)]
mod cancel_tests {
    use super::*;
    use crate::backend::Connection;
    use crate::net::Stream;

    /// A session with a statement on a server that no cancel reaches.
    fn on_a_server() -> (Arc<Registry>, Registered) {
        let (near, _far) = tokio::net::UnixStream::pair().expect("a pair of sockets");
        let server = Connection::detached(Stream::Unix(near));
        let registry = Arc::new(Registry::default());
        let from = (String::new(), "");
        let registered = registry.register("app", "app", from, String::new(), [1; 4]);
        registered.entry.runs_on(Arc::clone(&server.cancel));
        registered.entry.interrupt.set_activity(Activity::Active);
        (registry, registered)
    }

    #[tokio::test]
    async fn a_deadline_cancels_its_own_statement_only() {
        let (registry, registered) = on_a_server();
        let interrupt = &registered.entry.interrupt;
        let first = interrupt.word();
        tokio::time::sleep(Duration::from_millis(5)).await;
        registry.clock.advance();
        interrupt.set_activity(Activity::Active);
        registered.entry.cancel(Some(first)).await;
        assert!(!interrupt.timed_out.load(Ordering::Relaxed));
        registered.entry.cancel(Some(interrupt.word())).await;
        assert!(interrupt.timed_out.load(Ordering::Relaxed));
    }

    #[tokio::test]
    async fn no_statement_begins_while_a_cancel_for_the_last_is_on_its_way() {
        let (_registry, registered) = on_a_server();
        let entry = &registered.entry;
        entry.canceling.store(true, Ordering::SeqCst);
        entry.interrupt.timed_out.store(true, Ordering::Relaxed);
        let on_its_way = OnItsWay(entry);
        let mut rests = pin!(entry.rests(Activity::InTransaction));
        let early = tokio::time::timeout(Duration::from_millis(20), rests.as_mut()).await;
        assert!(early.is_err());
        assert_eq!(entry.activity(), Activity::InTransaction);
        drop(on_its_way);
        rests.await;
        assert!(!entry.interrupt.timed_out.load(Ordering::Relaxed));
    }
}
