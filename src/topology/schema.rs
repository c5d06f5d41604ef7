//! Reads from the default shard's primary what the planner must know of the catalogs.
//!
//! A statement names tables; rows of a sharded table can also be reached through names that are not in
//! the map: a view, a partition, a function. Those names are collected here, so that the planner refuses
//! them instead of sending them to the default shard, where only some of the rows are.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::watch;
use tokio::time::Instant;

use super::control::{Control, ControlError, within};
use super::shard::LiveShard;
use crate::config::Service;
use crate::error::{PgError, Retry, SqlState};
use crate::net::Tls;
use crate::planner::{Function, Relation, RelationKind, Schema};
use crate::shardmap::{ShardMap, TableName};

/// The schema as last loaded, and how to have it loaded again.
pub(super) struct LiveSchema {
    current: ArcSwap<Schema>,
    /// Counts requests to load.
    requested: watch::Sender<u64>,
    outcome: watch::Sender<Outcome>,
}

/// How loading went.
#[derive(Clone, Debug, Default)]
struct Outcome {
    /// A load has succeeded at least once.
    loaded: bool,
    /// The last request that a finished load covers.
    covered: u64,
    last_error: Option<String>,
}

impl LiveSchema {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            current: ArcSwap::default(),
            requested: watch::Sender::new(1),
            outcome: watch::Sender::default(),
        })
    }

    pub(super) fn current(&self) -> Arc<Schema> {
        self.current.load_full()
    }

    pub(super) fn version(&self) -> u64 {
        self.current.load().version
    }

    pub(super) fn is_loaded(&self) -> bool {
        self.current.load().version > 0
    }

    /// Asks for a load that starts after this call; the number is for [`Self::covered`].
    pub(super) fn request(&self) -> u64 {
        let mut number = 0;
        self.requested.send_modify(|requested| {
            *requested += 1;
            number = *requested;
        });
        number
    }

    /// Waits for the first load. Cancel safe.
    pub(super) async fn loaded(&self, wait: Duration) -> Result<(), PgError> {
        self.until(wait, |outcome| outcome.loaded).await
    }

    /// Waits for a successful load that started after `request`. Cancel safe.
    pub(super) async fn covered(&self, request: u64, wait: Duration) -> Result<(), PgError> {
        self.until(wait, |outcome| outcome.covered >= request).await
    }

    async fn until(&self, wait: Duration, done: impl Fn(&Outcome) -> bool) -> Result<(), PgError> {
        let mut outcome = self.outcome.subscribe();
        if matches!(
            tokio::time::timeout(wait, outcome.wait_for(|outcome| done(outcome))).await,
            Ok(Ok(_))
        ) {
            return Ok(());
        }
        let reason = self.outcome.borrow().last_error.clone();
        let error = PgError::shard(
            SqlState::CANNOT_CONNECT_NOW,
            "the servers' catalogs have not been read yet",
        )
        .with_detail(reason.unwrap_or_else(|| "The default shard has not answered.".to_owned()))
        .with_hint("Without them no statement can be routed safely.");
        Err(PgError {
            retry: Retry::Safe,
            ..error
        })
    }
}

/// The task that loads.
pub(super) struct Loader {
    pub(super) schema: Arc<LiveSchema>,
    pub(super) map: Arc<ShardMap>,
    pub(super) default_shard: Arc<LiveShard>,
    pub(super) service: Service,
    pub(super) tls: Arc<Tls>,
}

impl Loader {
    /// Loads at once, when asked, and every [`RELOAD_INTERVAL`], until it is dropped.
    pub(super) async fn run(self) {
        let mut requested = self.schema.requested.subscribe();
        loop {
            let request = *requested.borrow_and_update();
            let started = Instant::now();
            let pause = match self.load().await {
                Ok(mut schema) => {
                    let before = self.schema.current();
                    schema.version = before.version.max(1);
                    if *before != schema {
                        schema.version = before.version + 1;
                        self.schema.current.store(Arc::new(schema));
                    }
                    let outcome = Outcome {
                        loaded: true,
                        covered: request,
                        last_error: None,
                    };
                    self.schema.outcome.send_replace(outcome);
                    RELOAD_INTERVAL
                }
                Err(error) => {
                    self.note_failure(error);
                    RETRY_INTERVAL
                }
            };
            tokio::select! {
                () = tokio::time::sleep_until(started + pause) => {}
                // The sender lives in `self`, so this ends with a change only.
                _ = requested.changed() => tokio::time::sleep_until(started + SPACING).await,
            }
        }
    }

    fn note_failure(&self, error: String) {
        self.schema.outcome.send_modify(|outcome| {
            if outcome.last_error.as_ref() != Some(&error) {
                tracing::warn!(
                    shard = &*self.default_shard.name,
                    error,
                    "schema not loaded"
                );
            }
            outcome.last_error = Some(error);
        });
    }

    async fn load(&self) -> Result<Schema, String> {
        // At start its first answer is a moment away.
        let Some((_, primary)) = self
            .default_shard
            .primary_by(Instant::now() + RETRY_INTERVAL)
            .await
        else {
            let error = self.default_shard.no_primary_error();
            return Err(format!(
                "{}: {}",
                error.message,
                error.detail.unwrap_or_default()
            ));
        };
        let (address, dbname) = (&primary.address, &self.default_shard.dbname);
        let read = async {
            let control = Control::connect(
                address,
                dbname,
                &self.service,
                &self.tls,
                LOAD_TIMEOUT,
                CATALOGS_BYTES_MAX,
            )
            .await?;
            let reading = control.question(read_schema(&control, &self.map));
            within(LOAD_TIMEOUT, reading).await
        };
        read.await.map_err(|error| {
            format!(
                "shard {}: server {address} {error}",
                self.default_shard.name
            )
        })
    }
}

async fn read_schema(control: &Control, map: &ShardMap) -> Result<Schema, ControlError> {
    let (schemas, names): (Vec<_>, Vec<_>) = map
        .tables
        .keys()
        .map(|table| (table.schema.as_str(), table.name.as_str()))
        .unzip();
    // One snapshot for both questions.
    control
        .client
        .batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        .await?;
    let functions = control
        .client
        .query(
            OPAQUE_FUNCTIONS,
            &[&SQL_RUNNING_EXTENSIONS, &SQL_RUNNING_BUILTINS],
        )
        .await?;
    let oids: Vec<u32> = functions
        .iter()
        .map(|row| row.try_get(2))
        .collect::<Result<_, _>>()?;
    let relations = control
        .client
        .query(OPAQUE_RELATIONS, &[&schemas, &names, &oids])
        .await?;
    control.client.batch_execute("COMMIT").await?;
    Ok(Schema {
        version: 0,
        relations: table_names(&relations)?
            .into_iter()
            .map(|name| {
                let kind = RelationKind::Opaque("a view or the like".to_owned());
                (
                    name,
                    Relation {
                        kind,
                        columns: Vec::new(),
                    },
                )
            })
            .collect(),
        functions: table_names(&functions)?
            .into_iter()
            .map(|name| (name, Function::Opaque("user-defined".to_owned())))
            .collect(),
        ..Schema::default()
    })
}

fn table_names(rows: &[tokio_postgres::Row]) -> Result<HashSet<TableName>, ControlError> {
    let name = |row: &tokio_postgres::Row| {
        Ok(TableName {
            schema: row.try_get(0)?,
            name: row.try_get(1)?,
        })
    };
    rows.iter().map(name).collect()
}

/// Functions that may read or write tables: all user-defined ones but those declared IMMUTABLE, which
/// PostgreSQL forbids to look at tables; aggregates by their transition function, since they are all
/// marked immutable themselves; of extensions and built-ins only those known to run SQL they are given.
const OPAQUE_FUNCTIONS: &str = "\
SELECT n.nspname::text, p.proname::text, p.oid
  FROM pg_catalog.pg_proc p
  JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
  LEFT JOIN pg_catalog.pg_aggregate a ON a.aggfnoid = p.oid
  LEFT JOIN pg_catalog.pg_proc t ON t.oid = a.aggtransfn
  LEFT JOIN pg_catalog.pg_proc f ON f.oid = a.aggfinalfn
  LEFT JOIN pg_catalog.pg_depend d
    ON d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid AND d.deptype = 'e'
  LEFT JOIN pg_catalog.pg_extension e
    ON d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND e.oid = d.refobjid
 WHERE CASE
         WHEN n.nspname = 'pg_catalog' AND e.oid IS NULL THEN p.proname::text = ANY ($2::text[])
         WHEN n.nspname = 'information_schema' THEN false
         WHEN e.oid IS NOT NULL THEN e.extname::text = ANY ($1::text[])
         WHEN p.prokind = 'a' THEN t.provolatile <> 'i' OR f.provolatile <> 'i'
         ELSE p.provolatile <> 'i'
       END";

/// From listed tables and foreign tables (which can be any table anywhere) along inheritance in both
/// directions and along rewrite rules, which is what views are made of; and views that call one of the
/// functions above.
const OPAQUE_RELATIONS: &str = "\
WITH RECURSIVE listed AS (
  SELECT c.oid
    FROM unnest($1::text[], $2::text[]) AS l (nspname, relname)
    JOIN pg_catalog.pg_namespace n ON n.nspname::text = l.nspname
    JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname::text = l.relname
), rules AS (
  SELECT DISTINCT r.ev_class, d.refclassid, d.refobjid
    FROM pg_catalog.pg_rewrite r
    JOIN pg_catalog.pg_depend d
      ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = r.oid
   WHERE d.refclassid IN ('pg_catalog.pg_class'::pg_catalog.regclass, 'pg_catalog.pg_proc'::pg_catalog.regclass)
     AND r.oid >= 16384
), edges AS (
  SELECT inhparent AS from_oid, inhrelid AS to_oid FROM pg_catalog.pg_inherits
  UNION ALL SELECT inhrelid, inhparent FROM pg_catalog.pg_inherits
  UNION ALL SELECT refobjid, ev_class FROM rules
             WHERE refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
), reached AS (
  SELECT oid FROM listed
  UNION SELECT oid FROM pg_catalog.pg_class WHERE relkind = 'f'
  UNION SELECT ev_class FROM rules
         WHERE refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND refobjid = ANY ($3::oid[])
  UNION SELECT edges.to_oid FROM reached JOIN edges ON edges.from_oid = reached.oid
)
SELECT n.nspname::text, c.relname::text
  FROM reached
  JOIN pg_catalog.pg_class c ON c.oid = reached.oid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
   AND NOT EXISTS (SELECT FROM listed WHERE listed.oid = c.oid)";

/// Extensions with functions that run SQL they are given, here or elsewhere.
const SQL_RUNNING_EXTENSIONS: &[&str] = &[
    "citus",
    "dblink",
    "pg_background",
    "pg_cron",
    "pg_partman",
    "pglogical",
    "plproxy",
    "postgres_fdw",
    "tablefunc",
    "timescaledb",
    "xml2",
];

/// Built-in functions that run SQL they are given, or read a table they are given by name.
const SQL_RUNNING_BUILTINS: &[&str] = &[
    "cursor_to_xml",
    "cursor_to_xmlschema",
    "database_to_xml",
    "database_to_xml_and_xmlschema",
    "database_to_xmlschema",
    "query_to_xml",
    "query_to_xml_and_xmlschema",
    "query_to_xmlschema",
    "schema_to_xml",
    "schema_to_xml_and_xmlschema",
    "schema_to_xmlschema",
    "table_to_xml",
    "table_to_xml_and_xmlschema",
    "table_to_xmlschema",
    "ts_rewrite",
    "ts_stat",
];

/// A view made by other means than through us is known after this.
const RELOAD_INTERVAL: Duration = Duration::from_secs(10);
const RETRY_INTERVAL: Duration = Duration::from_secs(1);
const SPACING: Duration = Duration::from_millis(50);
const LOAD_TIMEOUT: Duration = Duration::from_secs(10);
/// What a server may answer to all questions of a load: half a million functions and relations with the names
/// they usually have.
const CATALOGS_BYTES_MAX: usize = 32 * 1024 * 1024;
