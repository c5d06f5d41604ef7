//! Every metric family, named and documented in one place; the only room that knows `prometheus`.
//!
//! A label look-up costs more than some statements' planning, so other rooms hold *handles*: they are
//! resolved when a database, pool or server comes to life, and counting is then one atomic addition.
//! No label ever carries a user name or SQL text: their number is not ours to bound.

mod families;
mod family;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use prometheus::{
    Counter, Encoder, Gauge, Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    Registry, TextEncoder,
};

use families::{PoolFamilies, SchemaFamilies, ServerFamilies, WorkerFamilies};
use family::Family;

use crate::error::SqlState;

/// The registry and the families that need no labels, or few and fixed ones.
pub struct Metrics {
    registry: Registry,
    pub clients: ClientMetrics,
    pub sessions: SessionGauges,
    errors: Errors,
    statements: IntCounterVec,
    statement_seconds: HistogramVec,
    transactions: IntCounterVec,
    refusals: IntCounterVec,
    gathered_rows: IntCounterVec,
    gathered_bytes: IntCounterVec,
    plan_cache: IntCounterVec,
    pools: PoolFamilies,
    servers: ServerFamilies,
    schemas: SchemaFamilies,
    workers: WorkerFamilies,
}

/// Handles of one worker; set when somebody looks.
#[derive(Clone, Debug)]
pub struct WorkerMetrics {
    pub busy_seconds: Counter,
    pub sessions: IntGauge,
}

/// Handles for the clients' side.
#[derive(Clone, Debug)]
pub struct ClientMetrics {
    pub connections: IntGauge,
    pub accepted: IntCounter,
    pub accept_errors: IntCounter,
    pub login_failures: IntCounter,
    pub logins_throttled: IntCounter,
    refused: IntCounterVec,
    pub traffic: Traffic,
}

impl ClientMetrics {
    /// Clients for whom there was no place, by what was full.
    pub fn refused(&self, reason: &str) -> IntCounter {
        self.refused.with_label_values(&[reason])
    }
}

/// Handles for bytes on clients' sockets.
#[derive(Clone, Debug)]
pub struct Traffic {
    pub received: IntCounter,
    pub sent: IntCounter,
}

/// Sessions by what they do; set when somebody looks.
#[derive(Clone, Debug)]
pub struct SessionGauges {
    pub idle: IntGauge,
    pub active: IntGauge,
    pub in_transaction: IntGauge,
}

/// Handles of one database's statements.
#[derive(Clone, Debug)]
pub struct StatementMetrics {
    by_route: [RouteMetrics; Route::ALL.len()],
    pub transactions_committed: IntCounter,
    pub transactions_rolled_back: IntCounter,
    pub refusals: IntCounter,
    pub gathered_rows: IntCounter,
    pub gathered_bytes: IntCounter,
    pub plan_cache_exact: IntCounter,
    pub plan_cache_shape: IntCounter,
    pub plan_cache_misses: IntCounter,
}

/// Handles of one route of one database.
#[derive(Clone, Debug)]
pub struct RouteMetrics {
    pub succeeded: IntCounter,
    pub failed: IntCounter,
    pub seconds: Histogram,
}

/// How a statement was answered, as a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// One shard, by sharding key.
    Key,
    /// Any shard would do.
    Any,
    /// The default shard.
    Default,
    /// Several shards, each for its rows; the answers are merged.
    Scatter,
    /// Rows of several shards, gathered on one.
    Gather,
    /// Transaction and session control.
    Control,
    /// Refused, or failed before a route was known.
    None,
}

impl Route {
    pub const ALL: [Self; 7] = [
        Self::Key,
        Self::Any,
        Self::Default,
        Self::Scatter,
        Self::Gather,
        Self::Control,
        Self::None,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Any => "any",
            Self::Default => "default",
            Self::Scatter => "scatter",
            Self::Gather => "gather",
            Self::Control => "control",
            Self::None => "none",
        }
    }
}

impl StatementMetrics {
    pub fn route(&self, route: Route) -> &RouteMetrics {
        &self.by_route[route as usize]
    }
}

/// Handles of the pools of one server; all users of the server count together.
#[derive(Clone, Debug)]
pub struct PoolMetrics {
    pub idle: IntGauge,
    pub leased: IntGauge,
    pub waiting: IntGauge,
    pub leases: IntCounter,
    /// Leases that found no connection free.
    pub waits: IntCounter,
    pub wait_timeouts: IntCounter,
    pub wait_seconds: Histogram,
    pub connects: IntCounter,
    pub connect_failures: IntCounter,
    pub connect_seconds: Histogram,
}

/// Handles of one server's monitor.
#[derive(Clone, Debug)]
pub struct ServerMetrics {
    pub up: IntGauge,
    pub primary: IntGauge,
    pub lag_seconds: Gauge,
    pub polls: IntCounter,
    pub poll_failures: IntCounter,
}

/// The catalogs of one database, as read from its shards.
#[derive(Clone, Debug)]
pub struct SchemaMetrics {
    pub version: IntGauge,
    /// Seconds since the epoch.
    pub loaded: Gauge,
    pub loads: IntCounter,
    pub load_failures: IntCounter,
}

impl Metrics {
    pub fn new() -> Arc<Self> {
        let registry = Registry::new();
        let family = Family {
            registry: &registry,
        };
        process(&family);
        Arc::new(Self {
            clients: ClientMetrics {
                connections: family.gauge("trunkline_client_connections", "Clients connected now."),
                accepted: family.counter(
                    "trunkline_client_connections_accepted_total",
                    "Connections accepted.",
                ),
                accept_errors: family.counter(
                    "trunkline_client_accept_errors_total",
                    "Connections not accepted.",
                ),
                login_failures: family
                    .counter("trunkline_client_login_failures_total", "Logins refused."),
                logins_throttled: family.counter(
                    "trunkline_client_logins_throttled_total",
                    "Logins made to wait, or turned away, because too many of their address had failed.",
                ),
                refused: refused(&family),
                traffic: Traffic {
                    received: family.counter(
                        "trunkline_client_received_bytes_total",
                        "Bytes read from clients.",
                    ),
                    sent: family.counter(
                        "trunkline_client_sent_bytes_total",
                        "Bytes written to clients.",
                    ),
                },
            },
            sessions: SessionGauges::new(&family),
            errors: Errors::new(&family),
            statements: family.counters(
                "trunkline_statements_total",
                "Statements by route and outcome. A statement that was skipped because one before it \
                 failed is not counted.",
                &["database", "route", "outcome"],
            ),
            statement_seconds: family.histograms(
                "trunkline_statement_duration_seconds",
                "What the client waits for: from the statement's arrival to its last answer, the wait \
                 for a server connection included. Statements of one pipeline each count the time to \
                 its Sync.",
                &["database", "route"],
            ),
            transactions: family.counters(
                "trunkline_transactions_total",
                "Client transactions that reached a server, those of single statements included, by \
                 outcome.",
                &["database", "outcome"],
            ),
            refusals: family.counters(
                "trunkline_refusals_total",
                "Statements refused (0A000) because they cannot be answered correctly.",
                &["database"],
            ),
            gathered_rows: family.counters(
                "trunkline_gathered_rows_total",
                "Rows that went from shard to shard for statements that need those of several; as arrays, also those of the shard itself.",
                &["database"],
            ),
            gathered_bytes: family.counters(
                "trunkline_gathered_bytes_total",
                "Bytes of those rows, as COPY or a row of an answer has them.",
                &["database"],
            ),
            plan_cache: family.counters(
                "trunkline_plan_cache_total",
                "Plan cache look-ups: the very text was there, or is the one that the client has prepared before \
                 (`exact`), one that differs in its literals or blanks (`shape`), or none (`miss`).",
                &["database", "result"],
            ),
            pools: PoolFamilies::new(&family),
            servers: ServerFamilies::new(&family),
            schemas: SchemaFamilies::new(&family),
            workers: WorkerFamilies::new(&family),
            registry,
        })
    }

    /// Handles for the catalogs of one database.
    pub fn schema(&self, database: &str) -> SchemaMetrics {
        self.schemas.handles(database)
    }

    /// Handles of one worker, by its number.
    pub fn worker(&self, number: u16) -> WorkerMetrics {
        self.workers.handles(number)
    }

    /// Handles for one database.
    pub fn statements(&self, database: &str) -> StatementMetrics {
        let transactions = |outcome| self.transactions.with_label_values(&[database, outcome]);
        let plan_cache = |result| self.plan_cache.with_label_values(&[database, result]);
        StatementMetrics {
            by_route: Route::ALL.map(|route| RouteMetrics {
                succeeded: self
                    .statements
                    .with_label_values(&[database, route.as_str(), "ok"]),
                failed: self
                    .statements
                    .with_label_values(&[database, route.as_str(), "error"]),
                seconds: self
                    .statement_seconds
                    .with_label_values(&[database, route.as_str()]),
            }),
            transactions_committed: transactions("commit"),
            transactions_rolled_back: transactions("rollback"),
            refusals: self.refusals.with_label_values(&[database]),
            gathered_rows: self.gathered_rows.with_label_values(&[database]),
            gathered_bytes: self.gathered_bytes.with_label_values(&[database]),
            plan_cache_exact: plan_cache("exact"),
            plan_cache_shape: plan_cache("shape"),
            plan_cache_misses: plan_cache("miss"),
        }
    }

    /// Handles for the pools toward one server.
    pub fn pool(&self, database: &str, shard: &str, server: &str) -> PoolMetrics {
        self.pools.handles(database, shard, server)
    }

    /// Handles for one server's monitor.
    pub fn server(&self, database: &str, shard: &str, server: &str) -> ServerMetrics {
        self.servers.handles(database, shard, server)
    }

    /// Counts an error sent to a client, whoever found it.
    pub fn error(&self, code: SqlState) {
        self.errors.inc(code);
    }

    /// Forgets a server that left the configuration, so that it is not shown as down for ever.
    pub fn remove_server(&self, database: &str, shard: &str, server: &str) {
        self.servers.remove(database, shard, server);
        self.pools.remove(database, shard, server);
    }

    /// The text exposition format.
    /// Source: <https://prometheus.io/docs/instrumenting/exposition_formats/>
    pub fn render(&self) -> String {
        let mut text = Vec::new();
        match TextEncoder::new().encode(&self.registry.gather(), &mut text) {
            Ok(()) => String::from_utf8_lossy(&text).into_owned(),
            Err(error) => format!("# metrics could not be encoded: {error}\n"),
        }
    }
}

impl SessionGauges {
    fn new(family: &Family<'_>) -> Self {
        let sessions = family.gauges(
            "trunkline_sessions",
            "Sessions by what they are doing, the console's included.",
            &["state"],
        );
        let state = |name| sessions.with_label_values(&[name]);
        Self {
            idle: state("idle"),
            active: state("active"),
            in_transaction: state("idle in transaction"),
        }
    }
}

/// Errors by SQLSTATE, with the handles of those seen so far.
struct Errors {
    family: IntCounterVec,
    seen: RwLock<HashMap<SqlState, IntCounter>>,
    /// Of the codes that came too late to have a label.
    others: IntCounter,
}

impl Errors {
    fn new(family: &Family<'_>) -> Self {
        let family = family.counters(
            "trunkline_errors_total",
            "Errors sent to clients by SQLSTATE, found by a server or by the proxy. Functions can raise \
             any code: beyond the first 300 different ones they count as `other`.",
            &["sqlstate"],
        );
        Self {
            others: family.with_label_values(&["other"]),
            seen: RwLock::default(),
            family,
        }
    }

    fn inc(&self, code: SqlState) {
        if let Some(counter) = self
            .seen
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&code)
        {
            return counter.inc();
        }
        let mut seen = self.seen.write().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= SQLSTATES_MAX {
            return self.others.inc();
        }
        let made = || self.family.with_label_values(&[code.as_str()]);
        seen.entry(code).or_insert_with(made).inc();
    }
}

/// PostgreSQL itself has about 260.
const SQLSTATES_MAX: usize = 300;

/// With each reason at 0 from the start, so that a rate can be taken of the first refusal.
fn refused(family: &Family<'_>) -> IntCounterVec {
    let refused = family.counters(
        "trunkline_client_connections_refused_total",
        "Connections refused (53300), by what was full: `limits.connections` (`total`), the \
         `address`'s or the `user`'s share of it, or the process's file `descriptors`.",
        &["reason"],
    );
    for reason in ["total", "address", "user", "descriptors"] {
        refused.with_label_values(&[reason]);
    }
    refused
}

/// What tells one process from another.
fn process(family: &Family<'_>) {
    let build = family.gauges(
        "trunkline_build_info",
        "1, with the proxy's version.",
        &["version"],
    );
    build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
    let started = family.gauge(
        "trunkline_start_time_seconds",
        "When the proxy started, Unix time.",
    );
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    started.set(now.map_or(0, |now| now.as_secs() as i64));
}

#[cfg(test)]
mod tests;
