//! Who is connected, and how a cancel request finds its statement.
//!
//! A cancel key names a client. While the client's statement runs on a server, its entry holds that
//! server's key; a connection does not change hands while a cancel for it is on its way, so a late
//! cancel cannot reach another client's statement.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::Notify;

use crate::backend::{self, CancelKey};

/// How long a cancel may take to be delivered to a server.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(5);

/// What a session is doing, for `SHOW sessions`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    Idle,
    Active,
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

    fn from_u8(value: u8) -> Self {
        match value {
            1 => Self::Active,
            2 => Self::InTransaction,
            _ => Self::Idle,
        }
    }
}

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
    activity: AtomicU8,
    running: Mutex<Running>,
    /// Told when a cancel arrives while no server is known, so that a wait for a connection ends.
    pub canceled: Notify,
    canceling: Notify,
    /// Told when the proxy drains: an idle session ends.
    pub stop: Notify,
    stopping: AtomicBool,
}

#[derive(Default)]
struct Running {
    server: Option<Arc<CancelKey>>,
    cancels_on_their_way: usize,
}

impl Entry {
    pub fn secret(&self) -> &[u8] {
        &self.secret
    }

    pub fn activity(&self) -> Activity {
        Activity::from_u8(self.activity.load(Ordering::Relaxed))
    }

    pub fn set_activity(&self, activity: Activity) {
        self.activity.store(activity as u8, Ordering::Relaxed);
    }

    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Ends the session at its next idle moment.
    pub fn request_stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.stop.notify_one();
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
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
        while self.running().cancels_on_their_way > 0 {
            self.canceling.notified().await;
        }
    }

    /// The server connection is closed: a cancel on its way there can hit nobody else.
    pub fn lost_its_server(&self) {
        self.running().server = None;
    }

    async fn cancel(&self) {
        let server = {
            let mut running = self.running();
            if running.server.is_some() {
                running.cancels_on_their_way += 1;
            }
            running.server.clone()
        };
        let Some(key) = server else {
            // Heard only by a wait that is under way: no permit is stored for a later one.
            self.canceled.notify_waiters();
            return;
        };
        if let Err(error) = backend::cancel(&key, CANCEL_TIMEOUT).await {
            tracing::warn!(%error, "cancel request could not be delivered");
        }
        self.running().cancels_on_their_way -= 1;
        self.canceling.notify_one();
    }
}

/// All sessions of this proxy.
#[derive(Default)]
pub struct Registry {
    next: AtomicU32,
    stopping: AtomicBool,
    entries: Mutex<HashMap<u32, Arc<Entry>>>,
}

/// A session's place in the registry, given back when it ends.
pub struct Registered {
    registry: Arc<Registry>,
    pub entry: Arc<Entry>,
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.registry.entries().remove(&self.entry.process_id);
    }
}

impl Registry {
    fn entries(&self) -> MutexGuard<'_, HashMap<u32, Arc<Entry>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
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
            if !entries.contains_key(&id) {
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
            activity: AtomicU8::new(0),
            running: Mutex::default(),
            canceled: Notify::new(),
            canceling: Notify::new(),
            stop: Notify::new(),
            stopping: AtomicBool::new(false),
        });
        entries.insert(process_id, entry.clone());
        Registered {
            registry: self.clone(),
            entry,
        }
    }

    /// Stops the statement of the client this key belongs to. Wrong keys are ignored in silence.
    pub async fn cancel(&self, process_id: u32, secret: &[u8]) {
        let entry = self.entries().get(&process_id).cloned();
        if let Some(entry) = entry.filter(|entry| same(&entry.secret, secret)) {
            entry.cancel().await;
        }
    }

    /// All sessions, by process id.
    pub fn sessions(&self) -> Vec<Arc<Entry>> {
        let mut sessions: Vec<_> = self.entries().values().cloned().collect();
        sessions.sort_by_key(|entry| entry.process_id);
        sessions
    }

    pub fn len(&self) -> usize {
        self.entries().len()
    }

    /// Sessions have been asked to end: readiness says so before the listeners are gone.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Asks every session to end when it is idle.
    pub fn stop_all(&self) {
        self.stopping.store(true, Ordering::Release);
        for entry in self.sessions() {
            entry.request_stop();
        }
    }
}

/// Compares without telling by time where two keys differ; a key of another length is another key.
fn same(a: &[u8], b: &[u8]) -> bool {
    b.len() == a.len() && a.iter().zip(b).fold(0, |acc, (x, y)| acc | (x ^ y)) == 0
}

#[cfg(test)]
mod key_tests {
    use super::same;

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
