//! The pools toward one server, by user, and which credential they log in with.
//!
//! Sessions of one user may hold different credentials: one logged in before the password was changed,
//! another showed a certificate and holds none. They share one pool all the same, and must not take it from
//! each other back and forth. So a pool gives way to another credential only
//!
//! - if the server has refused its own, or
//! - if the other is of the same kind and was shown later, which means that the secret was changed.
//!
//! A session from before the change goes on with the newer pool, as a session of PostgreSQL's own goes on
//! after its role's password was changed: it is the same user, who was right when it logged in.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use tokio::time::Instant;

use crate::auth::Credential;
use crate::backend::Pool;
use crate::config;

/// Who a session is toward the servers: what proves it, and since when that is known.
#[derive(Clone, Debug)]
pub struct Claim {
    pub(super) credential: Credential,
    since: Instant,
}

impl Claim {
    /// Made where a login has just shown the credential, or the configuration just brought it.
    pub fn new(credential: Credential) -> Self {
        Self {
            credential,
            since: Instant::now(),
        }
    }

    /// What the configuration knows of the user.
    pub fn configured(user: &config::User) -> Self {
        Self::new(Credential::configured(&user.password))
    }

    /// After a reload. A password toward servers that was changed counts from now on; what a login has left
    /// stays.
    pub fn reconfigure(&mut self, before: &config::User, now: &config::User) {
        if before.password != now.password {
            let configured = Self::configured(now);
            if !configured.credential.is_none() || before.password.for_servers().is_some() {
                *self = configured;
            }
        }
    }
}

/// A user's pool and when its credential was shown. After a credential that the server refused, the time
/// of that one: it must not come back by being the later.
#[derive(Clone)]
pub(super) struct UserPool {
    pub(super) pool: Arc<Pool>,
    since: Instant,
}

impl UserPool {
    fn serves(&self, claim: &Claim) -> bool {
        let (held, shown) = (&self.pool.target().credential, &claim.credential);
        if held == shown || shown.is_none() {
            return true;
        }
        let changed = held.is_kind_of(shown) && claim.since > self.since;
        !changed && !self.pool.is_refused()
    }
}

/// The pools toward one server. Looking one up takes no lock.
#[derive(Default)]
pub(super) struct Pools {
    current: ArcSwap<HashMap<String, UserPool>>,
    /// Held while `current` is replaced. True once closed for good.
    closed: Mutex<bool>,
}

impl Pools {
    pub(super) fn find(&self, user: &str, claim: &Claim) -> Option<Arc<Pool>> {
        let pools = self.current.load();
        let found = pools.get(user).filter(|found| found.serves(claim))?;
        Some(Arc::clone(&found.pool))
    }

    /// As `find`, with a pool made where there is none; the one it replaces is closed. `None` once closed.
    pub(super) fn find_or_make(
        &self,
        user: &str,
        claim: &Claim,
        make: impl FnOnce() -> Arc<Pool>,
    ) -> Option<Arc<Pool>> {
        let closed = self.lock();
        if *closed {
            return None;
        }
        if let Some(pool) = self.find(user, claim) {
            return Some(pool);
        }
        let mut pools = (**self.current.load()).clone();
        let outdated = pools.remove(user);
        let since = outdated
            .as_ref()
            .map_or(claim.since, |outdated| outdated.since.max(claim.since));
        let pool = make();
        let made = UserPool {
            pool: Arc::clone(&pool),
            since,
        };
        pools.insert(user.to_owned(), made);
        self.current.store(Arc::new(pools));
        if let Some(outdated) = outdated {
            outdated.pool.close();
        }
        Some(pool)
    }

    /// Lets go of a pool that is not used. It is not closed: somebody may just have found it. It closes when
    /// the last of them is done.
    pub(super) fn forget(&self, pool: &Arc<Pool>) {
        let _changing = self.lock();
        let user = &pool.target().user;
        let mut pools = (**self.current.load()).clone();
        if pools
            .get(user)
            .is_some_and(|found| Arc::ptr_eq(&found.pool, pool))
        {
            pools.remove(user);
            self.current.store(Arc::new(pools));
        }
    }

    /// Closes the pools that do not stay.
    pub(super) fn retain(&self, stays: impl Fn(&str, &Pool) -> bool) {
        let _changing = self.lock();
        let mut pools = (**self.current.load()).clone();
        let gone: Vec<_> = pools
            .extract_if(|user, found| !stays(user, &found.pool))
            .collect();
        if !gone.is_empty() {
            self.current.store(Arc::new(pools));
            gone.iter().for_each(|(_, found)| found.pool.close());
        }
    }

    /// No more pools; those there are closed.
    pub(super) fn close(&self) {
        let mut closed = self.lock();
        *closed = true;
        self.all().iter().for_each(|(_, found)| found.pool.close());
    }

    pub(super) fn all(&self) -> Arc<HashMap<String, UserPool>> {
        self.current.load_full()
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        self.closed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
