//! Families with a handle for each pool, server, database and worker.

use prometheus::{CounterVec, GaugeVec, HistogramVec, IntCounterVec, IntGaugeVec};

use super::family::Family;
use super::{PoolMetrics, SchemaMetrics, ServerMetrics, WorkerMetrics};

pub(super) struct PoolFamilies {
    connections: IntGaugeVec,
    waiting: IntGaugeVec,
    leases: IntCounterVec,
    waits: IntCounterVec,
    wait_timeouts: IntCounterVec,
    wait_seconds: HistogramVec,
    connects: IntCounterVec,
    connect_seconds: HistogramVec,
}

impl PoolFamilies {
    pub(super) fn new(family: &Family<'_>) -> Self {
        let labels = ["database", "shard", "server"];
        let counters = |name, help| family.counters(name, help, &labels);
        Self {
            connections: family.gauges(
                "trunkline_pool_connections",
                "Server connections by state.",
                &["database", "shard", "server", "state"],
            ),
            waiting: family.gauges(
                "trunkline_pool_waiting",
                "Sessions waiting for a server connection.",
                &labels,
            ),
            leases: counters(
                "trunkline_pool_leases_total",
                "Server connections handed to sessions.",
            ),
            waits: counters(
                "trunkline_pool_waits_total",
                "Leases that found every connection taken.",
            ),
            wait_timeouts: counters(
                "trunkline_pool_wait_timeouts_total",
                "Leases given up after pool.wait.",
            ),
            wait_seconds: family.histograms(
                "trunkline_pool_wait_seconds",
                "Time of those leases that had to wait.",
                &labels,
            ),
            connects: family.counters(
                "trunkline_pool_connects_total",
                "Server connections opened, by outcome.",
                &["database", "shard", "server", "outcome"],
            ),
            connect_seconds: family.histograms(
                "trunkline_pool_connect_seconds",
                "Time to connect and log in to a server.",
                &labels,
            ),
        }
    }

    pub(super) fn handles(&self, database: &str, shard: &str, server: &str) -> PoolMetrics {
        let labels = [database, shard, server];
        let connections = |state| {
            self.connections
                .with_label_values(&[database, shard, server, state])
        };
        let connects = |outcome| {
            self.connects
                .with_label_values(&[database, shard, server, outcome])
        };
        PoolMetrics {
            idle: connections("idle"),
            leased: connections("leased"),
            waiting: self.waiting.with_label_values(&labels),
            leases: self.leases.with_label_values(&labels),
            waits: self.waits.with_label_values(&labels),
            wait_timeouts: self.wait_timeouts.with_label_values(&labels),
            wait_seconds: self.wait_seconds.with_label_values(&labels),
            connects: connects("ok"),
            connect_failures: connects("error"),
            connect_seconds: self.connect_seconds.with_label_values(&labels),
        }
    }

    pub(super) fn remove(&self, database: &str, shard: &str, server: &str) {
        let labels = [database, shard, server];
        // Absent is as good as removed.
        for state in ["idle", "leased"] {
            let _ = self
                .connections
                .remove_label_values(&[database, shard, server, state]);
        }
        for outcome in ["ok", "error"] {
            let _ = self
                .connects
                .remove_label_values(&[database, shard, server, outcome]);
        }
        let _ = self.waiting.remove_label_values(&labels);
        for counters in [&self.leases, &self.waits, &self.wait_timeouts] {
            let _ = counters.remove_label_values(&labels);
        }
        let _ = self.wait_seconds.remove_label_values(&labels);
        let _ = self.connect_seconds.remove_label_values(&labels);
    }
}

pub(super) struct SchemaFamilies {
    version: IntGaugeVec,
    loaded: GaugeVec,
    loads: IntCounterVec,
}

impl SchemaFamilies {
    pub(super) fn new(family: &Family<'_>) -> Self {
        Self {
            version: family.gauges(
                "trunkline_schema_version",
                "Number of the state of the servers' catalogs that statements are planned with; 0 before \
                 the first.",
                &["database"],
            ),
            loaded: family.float_gauges(
                "trunkline_schema_loaded_timestamp_seconds",
                "When the catalogs were last read from the default shard, in seconds since the epoch; what \
                 has been changed past the proxy since then is not known.",
                &["database"],
            ),
            loads: family.counters(
                "trunkline_schema_loads_total",
                "Looks at the servers' catalogs by outcome; an error is one of any shard.",
                &["database", "outcome"],
            ),
        }
    }

    pub(super) fn handles(&self, database: &str) -> SchemaMetrics {
        let loads = |outcome| self.loads.with_label_values(&[database, outcome]);
        SchemaMetrics {
            version: self.version.with_label_values(&[database]),
            loaded: self.loaded.with_label_values(&[database]),
            loads: loads("ok"),
            load_failures: loads("error"),
        }
    }
}

pub(super) struct WorkerFamilies {
    busy_seconds: CounterVec,
    sessions: IntGaugeVec,
}

impl WorkerFamilies {
    pub(super) fn new(family: &Family<'_>) -> Self {
        Self {
            busy_seconds: family.float_counters(
                "trunkline_worker_busy_seconds_total",
                "Processor time of a worker; where the system does not tell that of a thread, the time in which it \
                 had something to do.",
                &["worker"],
            ),
            sessions: family.gauges(
                "trunkline_worker_sessions",
                "Sessions that a worker serves. There are no workers where all threads share one runtime.",
                &["worker"],
            ),
        }
    }

    pub(super) fn handles(&self, number: u16) -> WorkerMetrics {
        let number = number.to_string();
        WorkerMetrics {
            busy_seconds: self.busy_seconds.with_label_values(&[&number]),
            sessions: self.sessions.with_label_values(&[&number]),
        }
    }
}

pub(super) struct ServerFamilies {
    up: IntGaugeVec,
    primary: IntGaugeVec,
    lag_seconds: GaugeVec,
    polls: IntCounterVec,
}

impl ServerFamilies {
    pub(super) fn new(family: &Family<'_>) -> Self {
        let labels = ["database", "shard", "server"];
        Self {
            up: family.gauges(
                "trunkline_server_up",
                "1 if the last poll reached the server.",
                &labels,
            ),
            primary: family.gauges(
                "trunkline_server_primary",
                "1 if the server is its shard's primary.",
                &labels,
            ),
            lag_seconds: family.float_gauges(
                "trunkline_server_lag_seconds",
                "Age of the last transaction a replica has replayed; 0 on a primary.",
                &labels,
            ),
            polls: family.counters(
                "trunkline_server_polls_total",
                "Monitor polls by outcome.",
                &["database", "shard", "server", "outcome"],
            ),
        }
    }

    pub(super) fn handles(&self, database: &str, shard: &str, server: &str) -> ServerMetrics {
        let labels = [database, shard, server];
        let polls = |outcome| {
            self.polls
                .with_label_values(&[database, shard, server, outcome])
        };
        ServerMetrics {
            up: self.up.with_label_values(&labels),
            primary: self.primary.with_label_values(&labels),
            lag_seconds: self.lag_seconds.with_label_values(&labels),
            polls: polls("ok"),
            poll_failures: polls("error"),
        }
    }

    pub(super) fn remove(&self, database: &str, shard: &str, server: &str) {
        let labels = [database, shard, server];
        // Absent is as good as removed.
        let _ = self.up.remove_label_values(&labels);
        let _ = self.primary.remove_label_values(&labels);
        let _ = self.lag_seconds.remove_label_values(&labels);
        for outcome in ["ok", "error"] {
            let _ = self
                .polls
                .remove_label_values(&[database, shard, server, outcome]);
        }
    }
}
