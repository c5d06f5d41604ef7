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
use hashbrown::DefaultHashBuilder;
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

/// Looked up with every statement: by a hash that is fast, and seeded.
type ByUser = HashMap<String, UserPool, DefaultHashBuilder>;

/// The pools toward one server. Looking one up takes no lock.
#[derive(Default)]
pub(super) struct Pools {
    current: ArcSwap<ByUser>,
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

    pub(super) fn all(&self) -> Arc<ByUser> {
        self.current.load_full()
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        self.closed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::auth::ScramKeys;
    use crate::backend::{DerivedKeys, Target};
    use crate::config::{Address, Password, PoolSettings};
    use crate::metrics::Metrics;
    use crate::net::Tls;

    /// Pools toward a server that refuses everybody.
    struct World {
        pools: Pools,
        metrics: Arc<Metrics>,
        address: Address,
        start: Instant,
    }

    impl World {
        async fn new() -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
            let port = listener.local_addr().expect("address").port();
            tokio::spawn(async move {
                loop {
                    let (mut stream, _) = listener.accept().await.expect("accept");
                    let length = stream.read_u32().await.expect("length");
                    let mut startup = vec![0; length as usize - 4];
                    stream.read_exact(&mut startup).await.expect("startup");
                    let fields = b"SFATAL\0VFATAL\0C28P01\0Mno\0\0";
                    let length = (fields.len() as u32 + 4).to_be_bytes();
                    let answer = [b"E", &length[..], fields].concat();
                    stream.write_all(&answer).await.expect("write");
                }
            });
            Self {
                pools: Pools::default(),
                metrics: Metrics::new(),
                address: Address::Tcp {
                    host: "127.0.0.1".to_owned(),
                    port,
                },
                start: Instant::now(),
            }
        }

        fn claim(&self, credential: &Credential, second: u64) -> Claim {
            Claim {
                credential: credential.clone(),
                since: self.start + Duration::from_secs(second),
            }
        }

        /// The pool a session with this credential gets, and what that pool logs in with.
        fn get(&self, credential: &Credential, second: u64) -> (Arc<Pool>, Credential) {
            let claim = self.claim(credential, second);
            let make = || {
                let target = Target {
                    shard: "s1".into(),
                    address: self.address.clone(),
                    dbname: "app".to_owned(),
                    user: "app".to_owned(),
                    credential: credential.clone(),
                    tls: Tls::disabled(),
                    derived: DerivedKeys::default(),
                };
                let metrics = self.metrics.pool("app", "s1", "address");
                Pool::new(target, PoolSettings::default(), metrics)
            };
            let pool = self
                .pools
                .find_or_make("app", &claim, make)
                .expect("not closed");
            let held = pool.target().credential.clone();
            (pool, held)
        }
    }

    fn keys(byte: u8) -> Credential {
        Credential::Scram(Arc::new(ScramKeys {
            client_key: [byte; 32],
            server_key: [byte; 32],
            salt: vec![1],
            iterations: 4096,
        }))
    }

    fn password(text: &str) -> Credential {
        Credential::Password(text.to_owned())
    }

    #[tokio::test]
    async fn equal_credentials_and_none_share_a_pool() {
        let world = World::new().await;
        let (first, _) = world.get(&keys(1), 1);
        for (other, second) in [(keys(1), 2), (keys(1), 0), (Credential::None, 3)] {
            assert!(Arc::ptr_eq(&first, &world.get(&other, second).0));
        }
        // Another way to prove the same user is no reason to leave one that works.
        assert!(Arc::ptr_eq(&first, &world.get(&password("a"), 4).0));
        assert!(!first.is_closed());
    }

    #[tokio::test]
    async fn a_changed_secret_counts_and_the_old_one_does_not_come_back() {
        let world = World::new().await;
        let (old, _) = world.get(&keys(1), 1);
        let (new, held) = world.get(&keys(2), 2);
        assert!(held == keys(2) && old.is_closed());
        for second in [0, 1, 2] {
            assert!(Arc::ptr_eq(&new, &world.get(&keys(1), second).0));
        }
        assert!(!new.is_closed());
        // Changed back: shown later still.
        assert_eq!(world.get(&keys(1), 3).1, keys(1));
    }

    #[tokio::test]
    async fn a_refused_credential_gives_way_for_good() {
        let world = World::new().await;
        world.get(&keys(2), 2);
        // Verified before the password was changed, logged in after.
        let (wrong, _) = world.get(&keys(1), 4);
        let error = wrong.lease().await.err().expect("refused");
        assert!(wrong.is_refused() && error.code.as_str() == "28P01");
        assert!(
            error
                .hint
                .is_some_and(|hint| hint.contains("same verifier"))
        );
        // Nothing is no better than what was refused.
        assert_eq!(world.get(&Credential::None, 5).1, keys(1));
        let (right, held) = world.get(&keys(2), 2);
        assert_eq!(held, keys(2));
        assert!(Arc::ptr_eq(&right, &world.get(&keys(1), 4).0));
        // Another kind, too, once the server refuses.
        right.lease().await.err().expect("refused");
        assert_eq!(world.get(&password("a"), 1).1, password("a"));
    }

    #[tokio::test]
    async fn forgotten_pools_serve_those_who_have_them() {
        let world = World::new().await;
        let (pool, _) = world.get(&keys(1), 1);
        world.pools.forget(&pool);
        assert!(world.pools.all().is_empty() && !pool.is_closed());
        let (next, _) = world.get(&keys(1), 1);
        assert!(!Arc::ptr_eq(&pool, &next));
        // It is not this one any more.
        world.pools.forget(&pool);
        assert_eq!(world.pools.all().len(), 1);
        world.pools.retain(|user, _| user != "app");
        assert!(next.is_closed() && world.pools.all().is_empty());
        world.pools.close();
        let claim = world.claim(&keys(1), 1);
        assert!(
            world
                .pools
                .find_or_make("app", &claim, || unreachable!("closed"))
                .is_none()
        );
    }

    #[test]
    fn reloads_change_what_is_configured_and_not_what_a_login_left() {
        let user = |password: Password| config::User::new("app", password, &[]);
        let plain = |text: &str| user(Password::Plain(text.to_owned()));
        let verified = |server_password: Option<&str>| {
            user(Password::Scram {
                verifier: "SCRAM-SHA-256$…".to_owned(),
                server_password: server_password.map(str::to_owned),
            })
        };
        for (before, now, held, expected) in [
            (plain("a"), plain("a"), password("a"), password("a")),
            (plain("a"), plain("b"), password("a"), password("b")),
            (plain("a"), verified(None), password("a"), Credential::None),
            (verified(None), verified(None), keys(1), keys(1)),
            (verified(None), verified(Some("a")), keys(1), password("a")),
            (
                verified(Some("a")),
                verified(Some("b")),
                password("a"),
                password("b"),
            ),
        ] {
            let mut claim = Claim::new(held);
            claim.reconfigure(&before, &now);
            assert_eq!(claim.credential, expected, "{before:?} {now:?}");
        }
    }
}
