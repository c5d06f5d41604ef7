//! How many file descriptors this process may have, and whether that is enough.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::Config;

/// What is open besides clients and pools: listeners, the log, the runtime, monitors, scrapes, cancels.
const OTHERS: u64 = 128;

/// Takes as many descriptors as the system grants, and warns where the configuration can use up more.
/// Source: `setrlimit(2)`: a process may raise its soft limit up to the hard one.
pub(super) fn prepare(config: &Config) {
    let granted = raise();
    let needed = needed(config);
    if granted.is_some_and(|granted| granted < needed) {
        tracing::warn!(
            granted,
            needed,
            "file descriptors do not suffice for limits.connections and all pools: clients will be turned away"
        );
    }
}

/// The limit after raising it; `None` for no limit.
fn raise() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(error) => {
            tracing::warn!(%error, "the limit on file descriptors could not be raised");
            limit.current
        }
    }
}

/// One for each client and each server connection there may be.
fn needed(config: &Config) -> u64 {
    let pools: usize = config
        .databases
        .values()
        .map(|database| {
            let mut users = config.users.values();
            let users = users
                .by_ref()
                .filter(|user| user.databases.contains(&database.name))
                .count();
            // Only primaries have connections, but for those that were primaries a moment ago.
            database
                .pool
                .size
                .saturating_mul(users)
                .saturating_mul(database.shards.len())
        })
        .fold(0, usize::saturating_add);
    OTHERS
        .saturating_add(config.limits.connections as u64)
        .saturating_add(pools as u64)
}
