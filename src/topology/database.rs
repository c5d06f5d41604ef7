//! One configured database, alive: monitors, pools, schema.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::directory::DirectoryView;
use super::lookup::Lookup;
use super::monitor::Monitor;
use super::pools::Claim;
use super::schema::{Access, LiveSchema, Loader};
use super::shard::{LiveServer, LiveShard};
use super::view::{PoolView, ShardView};
use crate::auth::Credential;
use crate::backend::{DerivedKeys, Lease, Offer, Pool, Slot, Target};
use crate::config;
use crate::error::{Origin, PgError, Retry, SqlState};
use crate::metrics::Metrics;
use crate::net::{Tls, TlsError, background, timer};
use crate::planner::{PlanCache, Schema};
use crate::shardmap::{MapVersion, ShardId, ShardMap};
use crate::types::translation::Translation;

/// What the plans of one database may take.
const PLAN_CACHE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A database whose servers are watched, with the pools toward them. Dropping it closes it.
pub struct LiveDatabase {
    pub config: Arc<config::Database>,
    tls: Arc<Tls>,
    metrics: Arc<Metrics>,
    /// By `ShardId`.
    shards: Vec<Arc<LiveShard>>,
    schema: Arc<LiveSchema>,
    /// Plans live as long as the shard map they were made for.
    pub plans: PlanCache,
    /// By name: who is configured for this database, and what the configuration can prove of them. Their
    /// pools are made before their first statement where `pool.min` is above 0.
    users: Arc<ArcSwap<HashMap<String, Claim>>>,
    /// Where verifiers of others come from.
    lookup: Option<Lookup>,
    upkeep: Mutex<Upkeep>,
}

/// What only making pools and closing touch.
#[derive(Default)]
struct Upkeep {
    closed: bool,
    /// The monitors, the loader and those that make pools early.
    tasks: Vec<AbortHandle>,
}

impl LiveDatabase {
    /// Starts monitors and schema loader and returns at once. Must be called within a runtime. Fails only
    /// if the files of the TLS settings cannot be used.
    pub fn start(
        config: Arc<config::Database>,
        metrics: &Arc<Metrics>,
    ) -> Result<Arc<Self>, TlsError> {
        let tls = Tls::load(&config.server_tls)?;
        let shards: Vec<_> = config
            .shards
            .iter()
            .map(|shard| LiveShard::new(&config.name, shard, metrics))
            .collect();
        let database = Self {
            lookup: lookup(&config, &shards, &tls),
            tls,
            metrics: Arc::clone(metrics),
            shards,
            schema: LiveSchema::new(Arc::clone(&config.map)),
            plans: PlanCache::new(PLAN_CACHE_BYTES_MAX),
            users: Arc::default(),
            upkeep: Mutex::default(),
            config,
        };
        let mut tasks = database.spawn();
        let database = Arc::new(database);
        if database.config.pool.min > 0 {
            tasks.extend(database.shards.iter().map(|shard| {
                let early = make_pools_early(Arc::downgrade(&database), Arc::clone(shard));
                tokio::spawn(early).abort_handle()
            }));
        }
        database.lock_upkeep().tasks = tasks;
        Ok(database)
    }

    /// Who is configured for this database. Where `pool.min` is above 0, their pools toward each shard's
    /// primary begin as soon as there is one; users of whom nothing is known that a server would take are
    /// left out until they log in. Pools of users who are gone are closed, and those that log in with a
    /// password that is no longer configured.
    pub fn set_users<'a>(&self, users: impl Iterator<Item = &'a Arc<config::User>>) {
        let users: HashMap<_, _> = users
            .map(|user| (user.name.clone(), Claim::configured(user)))
            .collect();
        let before = self.users.swap(Arc::new(users));
        let now = self.users.load_full();
        for server in self.shards.iter().flat_map(|shard| &shard.servers) {
            server.pools.retain(|name, pool| match now.get(name) {
                // A password that a client has shown is not the configuration's to withdraw.
                Some(claim) => {
                    let is_password =
                        |credential: &Credential| matches!(credential, Credential::Password(_));
                    let configured = before.get(name);
                    let withdrawn = claim.credential.is_none()
                        && configured.is_some_and(|old| is_password(&old.credential));
                    !(withdrawn && is_password(&pool.target().credential))
                }
                None => self.lookup.is_some() && !before.contains_key(name),
            });
        }
        if self.config.pool.min > 0 {
            self.shards
                .iter()
                .for_each(|shard| self.make_eager_pools(shard));
        }
    }

    /// A connection to the shard's primary, logged in as `user`. Waits for a primary until `pool.wait`
    /// after the last one was lost; a server that cannot be connected to is polled and, if another takes
    /// over, replaced unseen, since nothing had been sent. `slot`: one the caller has already.
    ///
    /// Cancel safe.
    pub async fn lease(
        &self,
        shard: ShardId,
        user: &str,
        claim: &Claim,
        slot: Option<Slot>,
    ) -> Result<Lease, PgError> {
        let shard = self.shard(shard)?;
        let primary = shard.primary();
        // One of another server is of no use, and none may be held while a primary is waited for: at its pool those
        // who hold the slots would wait for each other.
        let slot = slot.filter(|slot| {
            primary.is_some_and(|(_, server)| server.address == slot.target().address)
        });
        let refused = match primary {
            Some((index, server)) => match self.lease_of(shard, index, user, claim, slot).await {
                Err(error) if is_unreachable(&error) => {
                    shard.poll_now();
                    Some(Refused {
                        server: index,
                        polls: server.polls(),
                        error,
                    })
                }
                leased => return leased,
            },
            None => None,
        };
        self.lease_after_poll(shard, user, claim, refused).await
    }

    async fn lease_of(
        &self,
        shard: &Arc<LiveShard>,
        index: usize,
        user: &str,
        claim: &Claim,
        slot: Option<Slot>,
    ) -> Result<Lease, PgError> {
        match slot {
            Some(slot) => slot.fill().await,
            None => self.pool(shard, index, user, claim)?.lease().await,
        }
    }

    /// What there is for a lease without waiting; `None` where there is no primary or no pool yet.
    pub fn offer(&self, shard: ShardId, user: &str, claim: &Claim) -> Option<Offer> {
        let (_, server) = self.shard(shard).ok()?.primary()?;
        Some(server.pools.find(user, claim)?.offer())
    }

    /// The way of a lease that found no primary, or one that could not be connected to.
    async fn lease_after_poll(
        &self,
        shard: &Arc<LiveShard>,
        user: &str,
        claim: &Claim,
        refused: Option<Refused>,
    ) -> Result<Lease, PgError> {
        let wait = self.config.pool.wait;
        let give_up = Instant::now() + wait;
        while !self.is_closed() {
            let polled = shard.polled.notified();
            tokio::pin!(polled);
            polled.as_mut().enable();
            let deadline = match (shard.primary(), &refused) {
                // Its monitor has not been back from it since.
                (Some((index, server)), Some(refused)) if refused.stands(index, server) => give_up,
                (Some((index, _)), _) => {
                    return self.pool(shard, index, user, claim)?.lease().await;
                }
                (None, _) => shard.wait_until(wait).min(give_up),
            };
            if timer::timeout_at(deadline, polled).await.is_err() {
                break;
            }
        }
        Err(match refused {
            Some(refused) if shard.primary().is_some() => refused.error,
            _ => shard.no_primary_error(),
        })
    }

    /// What the database's `auth_query` says of a user, asked anew each time. `None`: nobody of that name may
    /// log in now. Errors do not depend on the name.
    ///
    /// Cancel safe.
    pub async fn verifier(&self, user: &str) -> Result<Option<config::Password>, PgError> {
        match &self.lookup {
            Some(lookup) => lookup.verifier(&self.config.name, user).await,
            None => Ok(None),
        }
    }

    /// False where the server with this address is known not to be the shard's primary.
    pub fn may_be_primary(&self, shard: ShardId, address: &str) -> bool {
        let primary = self.shard(shard).ok().and_then(|shard| shard.primary());
        primary.is_none_or(|(_, server)| server.address.to_string() == address)
    }

    /// Asks a shard's servers for their roles now: after a lost connection, 25006 or 57P0x.
    pub fn poll_now(&self, shard: ShardId) {
        if let Ok(shard) = self.shard(shard) {
            shard.poll_now();
        }
    }

    /// What the planner must know of the servers' catalogs. Empty, and unsafe to plan with, until
    /// [`Self::schema_loaded`].
    pub fn schema(&self) -> Arc<Schema> {
        self.schema.current()
    }

    /// The configured map, with its directories as they were last read.
    pub fn map(&self) -> Arc<ShardMap> {
        self.schema.map()
    }

    /// Rises whenever a directory changes.
    pub fn map_version(&self) -> MapVersion {
        self.schema.map_version()
    }

    /// How the directories are.
    pub fn directories(&self) -> Arc<Vec<DirectoryView>> {
        self.schema.directories()
    }

    pub fn is_schema_loaded(&self) -> bool {
        self.schema.is_loaded()
    }

    /// Rises whenever the schema changes.
    pub fn schema_version(&self) -> u64 {
        self.schema.version()
    }

    /// Some shard has other OIDs of users' types than the default one, which clients are told.
    #[inline]
    pub fn translates(&self) -> bool {
        self.schema.translates()
    }

    /// Between clients and a shard; `None` where both mean the same by every OID.
    pub fn translation(&self, shard: ShardId) -> Option<Arc<Translation>> {
        self.translates()
            .then(|| self.schema.translation(shard))
            .flatten()
    }

    /// Waits for the first load of the schema, at most `pool.wait`.
    ///
    /// Cancel safe.
    pub async fn schema_loaded(&self) -> Result<(), PgError> {
        if self.schema.is_loaded() {
            return Ok(());
        }
        self.schema.loaded(self.config.pool.wait).await
    }

    /// Has the schema loaded again soon.
    pub fn request_schema(&self) {
        self.schema.request();
    }

    /// Loads the schema again and waits for it: after DDL and before the client hears that it is done, so
    /// that its next statement is planned with what it made.
    ///
    /// Cancel safe: the load goes on.
    pub async fn schema_reloaded(&self) -> Result<(), PgError> {
        let request = self.schema.request();
        self.schema.covered(request, self.config.pool.wait).await
    }

    pub fn views(&self) -> Vec<ShardView> {
        self.shards.iter().map(|shard| shard.view()).collect()
    }

    pub fn pool_views(&self) -> Vec<PoolView> {
        let mut views = Vec::new();
        for shard in &self.shards {
            for server in &shard.servers {
                views.extend(server.pools.all().iter().map(|(user, found)| PoolView {
                    shard: Arc::clone(&shard.name),
                    server: server.address.to_string(),
                    user: user.clone(),
                    stats: found.pool.stats(),
                }));
            }
        }
        views.sort_by(|a, b| (&a.shard, &a.server, &a.user).cmp(&(&b.shard, &b.server, &b.user)));
        views
    }

    /// Every shard has a primary and the schema is loaded.
    #[cfg(test)]
    pub fn ready(&self) -> bool {
        self.schema.is_loaded() && self.shards.iter().all(|shard| shard.primary().is_some())
    }

    /// Stops the monitors and closes the pools; leased connections are closed when they come back.
    pub fn close(&self) {
        let mut upkeep = self.lock_upkeep();
        upkeep.closed = true;
        upkeep.tasks.drain(..).for_each(|task| task.abort());
        for server in self.shards.iter().flat_map(|shard| &shard.servers) {
            server.pools.close();
        }
    }

    fn spawn(&self) -> Vec<AbortHandle> {
        let mut tasks = Vec::new();
        for shard in &self.shards {
            for server in 0..shard.servers.len() {
                let monitor = Monitor {
                    shard: Arc::clone(shard),
                    server,
                    service: self.config.service.clone(),
                    tls: Arc::clone(&self.tls),
                };
                tasks.push(tokio::spawn(monitor.run()).abort_handle());
            }
        }
        let loader = Loader {
            schema: Arc::clone(&self.schema),
            map: Arc::clone(&self.config.map),
            shards: self.shards.clone(),
            access: Access {
                service: self.config.service.clone(),
                tls: Arc::clone(&self.tls),
            },
            metrics: self.metrics.schema(&self.config.name),
        };
        tasks.push(tokio::spawn(loader.run()).abort_handle());
        tasks
    }

    fn shard(&self, shard: ShardId) -> Result<&Arc<LiveShard>, PgError> {
        let unknown = || {
            PgError::proxy(
                SqlState::INTERNAL_ERROR,
                format!("there is no shard number {}", shard.0),
            )
        };
        self.shards.get(usize::from(shard.0)).ok_or_else(unknown)
    }

    /// Nothing to do where there is no primary, or no longer a database.
    fn make_eager_pools(&self, shard: &Arc<LiveShard>) {
        if let Some((index, _)) = shard.primary() {
            let users = self.users.load();
            for (user, claim) in users
                .iter()
                .filter(|(_, claim)| !claim.credential.is_none())
            {
                if self.pool(shard, index, user, claim).is_err() {
                    return;
                }
            }
        }
    }

    /// The user's pool toward a server, made when first asked for.
    fn pool(
        &self,
        shard: &Arc<LiveShard>,
        index: usize,
        user: &str,
        claim: &Claim,
    ) -> Result<Arc<Pool>, PgError> {
        let server = &shard.servers[index];
        if let Some(pool) = server.pools.find(user, claim) {
            return Ok(pool);
        }
        let make = || {
            let target = Target {
                shard: Arc::clone(&shard.name),
                address: server.address.clone(),
                dbname: shard.dbname.clone(),
                user: user.to_owned(),
                credential: claim.credential.clone(),
                tls: Arc::clone(&self.tls),
                derived: DerivedKeys::default(),
            };
            let address = server.address.to_string();
            let metrics = self.metrics.pool(&self.config.name, &shard.name, &address);
            let pool = Pool::new(target, self.config.pool.clone(), metrics);
            let upkeep = PoolUpkeep {
                pool: Arc::downgrade(&pool),
                shard: Arc::clone(shard),
                server: index,
                users: Arc::clone(&self.users),
                idle: self.config.pool.idle,
            };
            background().spawn(upkeep.run());
            pool
        };
        let closed = || {
            PgError::proxy(
                SqlState::CANNOT_CONNECT_NOW,
                format!(
                    "database {} is closed: the configuration changed or the proxy stops",
                    self.config.name
                ),
            )
        };
        server
            .pools
            .find_or_make(user, claim, make)
            .ok_or_else(closed)
    }

    fn is_closed(&self) -> bool {
        self.lock_upkeep().closed
    }

    fn lock_upkeep(&self) -> std::sync::MutexGuard<'_, Upkeep> {
        self.upkeep.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for LiveDatabase {
    fn drop(&mut self) {
        self.close();
    }
}

/// A server that could not be connected to although it is called the primary.
struct Refused {
    server: usize,
    /// How often it had been polled then.
    polls: u64,
    error: PgError,
}

impl Refused {
    fn stands(&self, index: usize, server: &LiveServer) -> bool {
        self.server == index && self.polls == server.polls()
    }
}

/// Makes pools toward whatever server is found to be the primary, until the database is dropped.
async fn make_pools_early(database: Weak<LiveDatabase>, shard: Arc<LiveShard>) {
    loop {
        let polled = shard.polled.notified();
        tokio::pin!(polled);
        // Before looking, so that an election in between is not missed.
        polled.as_mut().enable();
        match database.upgrade() {
            Some(database) => database.make_eager_pools(&shard),
            None => return,
        }
        polled.await;
    }
}

fn lookup(config: &config::Database, shards: &[Arc<LiveShard>], tls: &Arc<Tls>) -> Option<Lookup> {
    let question = config.auth_query.clone()?;
    let shard = shards.get(usize::from(question.shard.0))?;
    let wait = config.pool.wait;
    let service = config.service.clone();
    Some(Lookup::new(shard, question, service, Arc::clone(tls), wait))
}

/// Maintains a pool for as long as it is open and used.
struct PoolUpkeep {
    pool: Weak<Pool>,
    shard: Arc<LiveShard>,
    /// Index in the shard.
    server: usize,
    users: Arc<ArcSwap<HashMap<String, Claim>>>,
    /// After this without a use it goes, if it has no connections left.
    idle: Duration,
}

impl PoolUpkeep {
    /// A pool that nobody uses is forgotten, so that pools do not pile up with the users who are looked up.
    /// Of those only one in use has a minimum.
    async fn run(self) {
        let (mut activity, mut used) = (0, Instant::now());
        loop {
            match self.pool.upgrade() {
                Some(pool) if !pool.is_closed() => {
                    if pool.activity() != activity {
                        (activity, used) = (pool.activity(), Instant::now());
                    }
                    let unused = used.elapsed() > self.idle;
                    let lasting = self.users.load().contains_key(&pool.target().user);
                    let wanted = self.shard.is_primary(self.server) && (lasting || !unused);
                    pool.maintain(wanted).await;
                    if unused && pool.is_empty() {
                        self.shard.servers[self.server].pools.forget(&pool);
                        return;
                    }
                }
                _ => return,
            }
            timer::sleep(MAINTENANCE_INTERVAL).await;
        }
    }
}

/// No connection could be made: the server is gone, starts up or shuts down. Nothing had been sent.
fn is_unreachable(error: &PgError) -> bool {
    let code = error.code.as_str();
    error.origin == Origin::Shard
        && error.retry == Retry::Safe
        && (code.starts_with("08") || code.starts_with("57P"))
}

const MAINTENANCE_INTERVAL: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
