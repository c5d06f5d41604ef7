//! All configured databases, alive, and how a new configuration takes their place.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;

use super::LiveDatabase;
use crate::config::{Config, Database};
use crate::metrics::Metrics;
use crate::net::{Acceptor, TlsError};

/// One configuration and what lives by it. Sessions keep theirs until a transaction boundary.
pub struct Snapshot {
    /// Rises with each.
    number: u64,
    pub config: Arc<Config>,
    /// TLS toward clients, its files read; `None` where they are offered none. It is here so that a client's
    /// certificate and the rules it is judged by belong to one configuration.
    pub client_tls: Option<Arc<Acceptor>>,
    pub databases: HashMap<String, Arc<LiveDatabase>>,
}

/// The current snapshot, replaced on reload.
pub struct Topology {
    current: ArcSwap<Snapshot>,
    /// Of `current`, for those who only ask whether it is still theirs. It never is ahead.
    number: AtomicU64,
    metrics: Arc<Metrics>,
}

impl Topology {
    /// Starts monitors and pools of every database; returns at once.
    ///
    /// Errors: TLS files that cannot be used.
    pub fn start(config: Arc<Config>, metrics: Arc<Metrics>) -> Result<Arc<Self>, TlsError> {
        let client_tls = client_tls(&config)?;
        let databases = live(&config, &HashMap::new(), &metrics)?;
        set_users(&config, &databases);
        let current = ArcSwap::from_pointee(Snapshot {
            number: 0,
            config,
            client_tls,
            databases,
        });
        Ok(Arc::new(Self {
            current,
            number: AtomicU64::new(0),
            metrics,
        }))
    }

    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// The current snapshot, unless it is the one at hand. Takes no lock.
    pub fn newer(&self, at_hand: &Arc<Snapshot>) -> Option<Arc<Snapshot>> {
        if self.number.load(Ordering::Acquire) == at_hand.number {
            return None;
        }
        let current = self.current.load();
        (!Arc::ptr_eq(&current, at_hand)).then(|| Arc::clone(&current))
    }

    /// Takes a new configuration. Databases that did not change keep their connections; the others
    /// start anew, and the old ones close as their sessions leave them. Certificate files toward clients are read
    /// again in any case: renewed ones have the same names.
    ///
    /// Errors: TLS files that cannot be used; then nothing has changed.
    pub fn reload(&self, config: &Arc<Config>) -> Result<(), TlsError> {
        let before = self.current.load_full();
        let client_tls = client_tls(config)?;
        let databases = live(config, &before.databases, &self.metrics)?;
        for (name, kept) in &before.databases {
            if databases
                .get(name)
                .is_some_and(|new| Arc::ptr_eq(new, kept))
            {
                kept.request_schema();
            }
        }
        let gone: Vec<_> = before
            .databases
            .iter()
            .filter(|(name, old)| {
                databases
                    .get(*name)
                    .is_none_or(|new| !Arc::ptr_eq(new, old))
            })
            .map(|(_, old)| Arc::clone(old))
            .collect();
        let snapshot = Arc::new(Snapshot {
            number: before.number + 1,
            config: Arc::clone(config),
            client_tls,
            databases,
        });
        self.current.store(Arc::clone(&snapshot));
        self.number.store(snapshot.number, Ordering::Release);
        // Only now: sessions that still had the old passwords would make the old pools again.
        set_users(config, &snapshot.databases);
        for database in gone {
            database.close();
            self.forget_servers(
                &database.config,
                config.databases.get(&database.config.name),
            );
        }
        Ok(())
    }

    /// Servers that are no longer configured lose their metrics.
    fn forget_servers(&self, old: &Database, new: Option<&Arc<Database>>) {
        for shard in &old.shards {
            let shards = new.map_or(&[][..], |new| &new.shards);
            let same = shards.iter().find(|new| new.name == shard.name);
            for server in &shard.servers {
                if !same.is_some_and(|same| same.servers.contains(server)) {
                    self.metrics
                        .remove_server(&old.name, &shard.name, &server.to_string());
                }
            }
        }
    }

    pub fn close(&self) {
        self.current
            .load()
            .databases
            .values()
            .for_each(|database| database.close());
    }
}

fn set_users(config: &Config, databases: &HashMap<String, Arc<LiveDatabase>>) {
    for (name, database) in databases {
        let users = config.users.values();
        database.set_users(users.filter(|user| user.databases.contains(name)));
    }
}

fn client_tls(config: &Config) -> Result<Option<Arc<Acceptor>>, TlsError> {
    config.tls.as_ref().map(Acceptor::load).transpose()
}

fn live(
    config: &Config,
    before: &HashMap<String, Arc<LiveDatabase>>,
    metrics: &Arc<Metrics>,
) -> Result<HashMap<String, Arc<LiveDatabase>>, TlsError> {
    let mut databases = HashMap::new();
    for (name, database) in &config.databases {
        let kept = before.get(name).filter(|old| *old.config == **database);
        let live = match kept {
            Some(old) => Arc::clone(old),
            None => LiveDatabase::start(Arc::clone(database), metrics)?,
        };
        databases.insert(name.clone(), live);
    }
    Ok(databases)
}
