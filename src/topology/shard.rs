//! One shard's servers as last seen, and which of them is the primary.
//!
//! The primary is the server out of recovery with the highest timeline. A timeline lower than one seen
//! before belongs to a server that was replaced and does not know it: it is never elected, even while
//! its successor cannot be reached, because writes to it would be lost.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::pools::Pools;
use super::view::{Role, ServerView, ShardView};
use crate::config::{self, Address};
use crate::error::{PgError, Retry, SqlState};
use crate::metrics::{Metrics, ServerMetrics};
use crate::net::timer;

/// A shard whose servers are watched.
pub(super) struct LiveShard {
    pub(super) name: Arc<str>,
    pub(super) dbname: String,
    pub(super) servers: Vec<LiveServer>,
    /// Index of the primary, or [`NO_PRIMARY`]: leasing reads this without a lock.
    primary: AtomicUsize,
    election: Mutex<Election>,
    /// Told at each poll's end.
    pub(super) polled: Notify,
}

/// What elections remember.
struct Election {
    timeline_max: u32,
    /// Since when there is no primary.
    vacant_since: Instant,
}

/// A server, what its monitor last saw, and the pools toward it by user.
pub(super) struct LiveServer {
    pub(super) address: Address,
    pub(super) seen: ArcSwap<Seen>,
    pub(super) pools: Pools,
    polls: AtomicU64,
    /// Wakes the monitor.
    pub(super) poll: Notify,
    pub(super) metrics: ServerMetrics,
}

/// The outcome of the last poll. Facts of earlier polls stay where the last one brought none.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Seen {
    pub(super) reachable: bool,
    /// `None` if not known now.
    pub(super) in_recovery: Option<bool>,
    pub(super) timeline: Option<u32>,
    pub(super) lsn: Option<String>,
    pub(super) lag_seconds: Option<f64>,
    pub(super) version: Option<String>,
    pub(super) last_error: Option<String>,
}

impl LiveShard {
    pub(super) fn new(database: &str, shard: &config::Shard, metrics: &Metrics) -> Arc<Self> {
        let server = |address: &Address| LiveServer {
            address: address.clone(),
            seen: ArcSwap::default(),
            pools: Pools::default(),
            polls: AtomicU64::new(0),
            poll: Notify::new(),
            metrics: metrics.server(database, &shard.name, &address.to_string()),
        };
        Arc::new(Self {
            name: shard.name.as_str().into(),
            dbname: shard.dbname.clone(),
            servers: shard.servers.iter().map(server).collect(),
            primary: AtomicUsize::new(NO_PRIMARY),
            election: Mutex::new(Election {
                timeline_max: 0,
                vacant_since: Instant::now(),
            }),
            polled: Notify::new(),
        })
    }

    /// Index and state of the primary.
    pub(super) fn primary(&self) -> Option<(usize, &LiveServer)> {
        let index = self.primary.load(Ordering::Acquire);
        self.servers.get(index).map(|server| (index, server))
    }

    /// The primary, waiting for one until `deadline`. Cancel safe.
    pub(super) async fn primary_by(&self, deadline: Instant) -> Option<(usize, &LiveServer)> {
        loop {
            let polled = self.polled.notified();
            tokio::pin!(polled);
            // Before looking, so that an election in between is not missed.
            polled.as_mut().enable();
            if let Some(primary) = self.primary() {
                return Some(primary);
            }
            timer::timeout_at(deadline, polled).await.ok()?;
        }
    }

    pub(super) fn is_primary(&self, server: usize) -> bool {
        self.primary.load(Ordering::Acquire) == server
    }

    /// Until when it is worth waiting for a primary: `wait` after the last one was lost, so that a
    /// switchover shows no error and a shard that is down for long fails at once.
    pub(super) fn wait_until(&self, wait: Duration) -> Instant {
        self.election
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .vacant_since
            + wait
    }

    /// Takes in what a monitor saw and elects.
    pub(super) fn publish(&self, server: usize, seen: Seen) {
        let mut election = self.election.lock().unwrap_or_else(PoisonError::into_inner);
        self.servers[server].seen.store(Arc::new(seen));
        let before = self.primary.load(Ordering::Relaxed);
        let seen: Vec<_> = self
            .servers
            .iter()
            .map(|server| server.seen.load_full())
            .collect();
        let elected = elect(&seen, before, &mut election.timeline_max);
        if elected == NO_PRIMARY && before != NO_PRIMARY {
            election.vacant_since = Instant::now();
        }
        self.primary.store(elected, Ordering::Release);
        self.servers[server].polls.fetch_add(1, Ordering::Release);
        drop(election);
        for (index, (server, seen)) in self.servers.iter().zip(&seen).enumerate() {
            server.metrics.up.set(i64::from(seen.reachable));
            server.metrics.primary.set(i64::from(index == elected));
            server
                .metrics
                .lag_seconds
                .set(seen.lag_seconds.unwrap_or(0.0));
        }
        if elected != before {
            log_election(&self.name, self.servers.get(elected));
        }
        self.polled.notify_waiters();
    }

    /// Asks all servers for their roles now, because one of them behaved unlike its last answer.
    pub(super) fn poll_now(&self) {
        self.servers
            .iter()
            .for_each(|server| server.poll.notify_one());
    }

    pub(super) fn no_primary_error(&self) -> PgError {
        let reasons: Vec<_> = self
            .servers
            .iter()
            .map(LiveServer::why_not_primary)
            .collect();
        let error = PgError::shard(
            SqlState::CONNECTION_FAILURE,
            format!("shard {} has no primary", self.name),
        );
        PgError {
            retry: Retry::Safe,
            ..error.with_detail(reasons.join("; "))
        }
    }

    pub(super) fn view(&self) -> ShardView {
        let servers = self.servers.iter().enumerate();
        ShardView {
            name: self.name.to_string(),
            servers: servers
                .map(|(index, server)| server.view(self.is_primary(index)))
                .collect(),
        }
    }
}

impl LiveServer {
    /// How many polls have ended.
    pub(super) fn polls(&self) -> u64 {
        self.polls.load(Ordering::Acquire)
    }

    fn why_not_primary(&self) -> String {
        let seen = self.seen.load();
        let reason = match (&seen.last_error, seen.in_recovery) {
            (Some(error), _) => error.as_str(),
            (None, Some(true)) => "is a replica",
            (None, Some(false)) => "was replaced by another primary",
            (None, None) => "has not answered yet",
        };
        format!("{} {reason}", self.address)
    }

    fn view(&self, is_primary: bool) -> ServerView {
        let seen = self.seen.load();
        ServerView {
            address: self.address.to_string(),
            role: match seen.in_recovery {
                _ if is_primary => Role::Primary,
                Some(true) => Role::Replica,
                Some(false) => Role::Stale,
                None => Role::Unknown,
            },
            reachable: seen.reachable,
            lsn: seen.lsn.clone(),
            lag_seconds: seen.lag_seconds,
            timeline: seen.timeline,
            version: seen.version.clone(),
            last_error: seen.last_error.clone(),
        }
    }
}

/// The index of the primary among `seen`. Of two with one timeline, which no replication produces, the
/// one that was it stays it.
fn elect(seen: &[Arc<Seen>], before: usize, timeline_max: &mut u32) -> usize {
    let candidates = || {
        let writable = seen
            .iter()
            .enumerate()
            .filter(|(_, seen)| seen.in_recovery == Some(false));
        writable.map(|(index, seen)| (seen.timeline.unwrap_or(0), index))
    };
    let highest = candidates()
        .map(|(timeline, _)| timeline)
        .max()
        .unwrap_or(0);
    *timeline_max = highest.max(*timeline_max);
    let mut eligible = candidates()
        .filter(|(timeline, _)| timeline == timeline_max)
        .map(|(_, index)| index);
    if eligible.clone().any(|index| index == before) {
        return before;
    }
    eligible.next().unwrap_or(NO_PRIMARY)
}

fn log_election(shard: &str, elected: Option<&LiveServer>) {
    match elected {
        Some(server) => tracing::info!(shard, server = %server.address, "primary elected"),
        None => tracing::warn!(shard, "primary lost"),
    }
}

const NO_PRIMARY: usize = usize::MAX;

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(servers: &[Option<(bool, u32)>]) -> Vec<Arc<Seen>> {
        let seen = |server: &Option<(bool, u32)>| Seen {
            in_recovery: server.map(|(in_recovery, _)| in_recovery),
            timeline: server.map(|(_, timeline)| timeline),
            ..Seen::default()
        };
        servers
            .iter()
            .map(|server| Arc::new(seen(server)))
            .collect()
    }

    #[test]
    fn elections() {
        let replica = |timeline| Some((true, timeline));
        let writable = |timeline| Some((false, timeline));
        for (servers, before, timeline_max, elected) in [
            (vec![None, None], NO_PRIMARY, 0, NO_PRIMARY),
            (vec![writable(1), replica(1)], NO_PRIMARY, 0, 0),
            (vec![None, replica(1)], 0, 1, NO_PRIMARY),
            (vec![None, writable(2)], 0, 1, 1),
            (vec![writable(1), writable(2)], 0, 1, 1),
            (vec![writable(1), None], 1, 2, NO_PRIMARY),
            (vec![writable(1), replica(2)], 1, 2, NO_PRIMARY),
            (vec![writable(3), writable(3)], 1, 3, 1),
            (vec![writable(3), writable(3)], NO_PRIMARY, 3, 0),
        ] {
            let mut highest = timeline_max;
            assert_eq!(
                elect(&seen(&servers), before, &mut highest),
                elected,
                "{servers:?}"
            );
            assert!(highest >= timeline_max);
        }
    }
}
