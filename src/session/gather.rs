//! A statement over rows of several shards: those are brought together on the shard where it runs, ahead of it, and what
//! was brought is gone when it is over.
//!
//! Outside of a transaction that is a transaction of our own, which is rolled back; so it is in one that no server has
//! heard of. In one that a server holds it is a savepoint. There the temporary tables may have to last longer than the
//! statement, for a cursor or a portal that is read in parts: then they get other names, and end with the transaction.

use std::fmt::Write;
use std::sync::Arc;

use tokio::time::Instant;

use super::lease::UNKNOWN;
use super::{Failure, Purpose, Session};
use crate::backend::{self, Lease, Offer};
use crate::error::PgError;
use crate::executor::{self, Lane, Load, Moved, Pieces};
use crate::net::{Buffered, background};
use crate::plan::Gathering;
use crate::planner::retold;
use crate::shardmap::{ShardId, TableName, identifier};
use crate::txn::Transaction;
use crate::types::Oid;

/// What of a gathering is on the connection in use.
#[derive(Debug)]
pub(super) struct Gathered {
    tables: Vec<String>,
    views: Vec<String>,
    /// It is read after its statement has ended.
    lasting: bool,
}

/// A statement that may depend on when its transaction began, by one of these, runs in the client's own.
const TIMES: [&[u8]; 9] = [
    b"now",
    b"today",
    b"tomorrow",
    b"yesterday",
    b"current",
    b"localtime",
    b"timestamp(",
    b"age",
    b"txid",
];

/// Rows that travel as text are written so that they are read alike under whatever settings the scratch has.
/// Source: the notes of <https://www.postgresql.org/docs/current/sql-copy.html>, and
/// <https://www.postgresql.org/docs/current/datatype-datetime.html#DATATYPE-INTERVAL-OUTPUT>
const AS_TEXT: &str = "SET LOCAL extra_float_digits = 3;\n\
    SET LOCAL datestyle = 'ISO';\nSET LOCAL intervalstyle = 'iso_8601';\n";

/// A list of settings, and what they have to be where rows that travel as text, or definitions of views, are read as they
/// were written.
/// Source: `array_nulls` in <https://www.postgresql.org/docs/current/runtime-config-compatible.html>, `xmloption` in
/// <https://www.postgresql.org/docs/current/runtime-config-client.html>
const AS_WRITTEN: &str = "(VALUES ('datestyle', 'ISO'), ('intervalstyle', 'iso_8601'), \
    ('extra_float_digits', '3'), ('array_nulls', 'on'), ('xmloption', 'content')) AS s (name, value)";

/// PostgreSQL knows nothing of temporary tables' contents unless it is told to look; with fewer rows its guess will do.
const ANALYZED_ROWS: u64 = 10_000;

impl Session {
    pub(super) fn has_gathered(&self) -> bool {
        self.server
            .as_ref()
            .is_some_and(|server| server.gathered.is_some())
    }

    /// What was gathered is read on after the statement.
    pub fn keep_gathered(&mut self) {
        if let Some(server) = &mut self.server
            && let Some(gathered) = &mut server.gathered
        {
            gathered.lasting = true;
        }
    }

    /// Brings together what a statement reads, on the connection in use from now on, where it is to be run next as
    /// [`crate::planner::retold`] tells it. `text` and `values` are the statement and the message that has its parameters.
    ///
    /// Errors: 0A000 within a pipeline that has run statements on a shard, in a transaction on another shard than has to
    /// be read, in one that is not READ COMMITTED, or READ ONLY and on a server; 54000 beyond the limits of the database;
    /// those of the shards.
    pub async fn gather(
        &mut self,
        io: &mut Buffered,
        gathering: &Gathering,
        text: &str,
        values: &[u8],
    ) -> Result<(), Failure> {
        self.gathers();
        if self.has_effects() {
            return Err(Failure::Statement(PgError::refusal(
                "a statement over rows of several shards in a pipeline that has run others",
                "Send Sync before it.",
            )));
        }
        self.settle(io).await?;
        self.end_gather(io).await?;
        if gathering.lasting && self.txn == Transaction::Idle {
            // PostgreSQL says what is wrong with that.
            let shard = gathering.at.unwrap_or_else(|| self.default_shard());
            return self.enter(io, shard, Purpose::Run).await;
        }
        if let Transaction::Deferred(prelude) = &self.txn {
            if is_snapshot_kept(&prelude.text()) {
                return Err(Failure::Statement(kept_snapshot()));
            }
            // What a view says is not looked into.
            let may_tell =
                !gathering.views.is_empty() || tells_time(text.as_bytes()) || tells_time(values);
            if gathering.lasting || may_tell {
                let shard = gathering.at.unwrap_or_else(|| self.default_shard());
                self.enter(io, shard, Purpose::Run).await?;
                self.settle(io).await?;
            }
        }
        let joins = self.txn.is_on_server();
        if !joins {
            self.leave(io).await;
        }
        let shard = gathering.at.unwrap_or_else(|| self.any_shard());
        if joins {
            self.may_join(shard)?;
        }
        let mut lanes = self.lanes(io, gathering, shard, joins).await?;
        let told = retold(text, gathering)?;
        let pieces = self.pieces(gathering, shard, &lanes, joins, &told);
        let texts: Vec<String> = lanes
            .iter()
            .map(|(lane, _)| self.lane_text(gathering, *lane))
            .collect();
        self.load(io, &mut lanes, &texts, pieces, joins).await?;
        if let Some(server) = &mut self.server {
            let names = |tables: &mut dyn Iterator<Item = &TableName>| {
                tables.map(|table| table.name.clone()).collect::<Vec<_>>()
            };
            server.gathered = Some(Box::new(Gathered {
                tables: names(&mut gathering.pieces.iter().map(|(table, _)| table)),
                views: names(&mut gathering.views.iter()),
                lasting: gathering.lasting,
            }));
        }
        for (_, lease) in lanes {
            lease.release();
        }
        Ok(())
    }

    /// Errors: the transaction is on another shard.
    fn may_join(&self, shard: ShardId) -> Result<(), PgError> {
        match &self.server {
            Some(server) if server.shard != shard => self.may_leave(shard),
            _ => Ok(()),
        }
    }

    /// Connections to the shards to be read, and the one to run on, leased in the shard map's order: who waits for one
    /// holds none that comes after it.
    async fn lanes(
        &mut self,
        io: &mut Buffered,
        gathering: &Gathering,
        shard: ShardId,
        joins: bool,
    ) -> Result<Vec<(ShardId, Lease)>, Failure> {
        let mut lanes = Vec::new();
        let mut shards = gathering.shards();
        shards.insert(shard);
        for lane in shards {
            if lane != shard {
                let mut lease = self.lease(io, lane).await?;
                self.settle_lane(io, &mut lease).await?;
                lanes.push((lane, lease));
            } else if !joins {
                self.occupy(io, shard).await?;
            }
        }
        Ok(lanes)
    }

    async fn lease(&self, io: &mut Buffered, shard: ShardId) -> Result<Lease, Failure> {
        let (user, claim) = (&self.user.name, &self.claim);
        let slot = match self.database.offer(shard, user, claim) {
            Some(Offer::Lease(lease)) => return Ok(lease),
            Some(Offer::Wait(wait)) => match self.entry().wait(io, wait).await??.lease_now() {
                Ok(lease) => return Ok(lease),
                Err(slot) => Some(slot),
            },
            Some(Offer::Slot(slot)) => Some(slot),
            Some(Offer::Closed) | None => None,
        };
        let waited = Box::pin(self.database.lease(shard, user, claim, slot));
        Ok(self.entry().wait(io, waited).await??)
    }

    /// Brings a lane's settings to the session's.
    async fn settle_lane(&self, io: &mut Buffered, lease: &mut Lease) -> Result<(), Failure> {
        let wanted = self.settings.mark();
        if lease.settings == wanted {
            return Ok(());
        }
        let text = self.settings.replay_onto(lease.settings);
        let deadline = Instant::now() + self.database.config.pool.connect;
        lease.settings = UNKNOWN;
        let synced = Box::pin(lease.simple(&text, deadline));
        self.entry().wait(io, synced).await??;
        lease.settings = wanted;
        Ok(())
    }

    /// What a shard is asked for: all its rows of the tables, in one snapshot.
    fn lane_text(&self, gathering: &Gathering, lane: ShardId) -> String {
        let mut text = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;\n".to_owned();
        text.push_str(&self.settings.pending());
        text.push_str(AS_TEXT);
        for (table, shards) in &gathering.pieces {
            if shards.contains(&lane) {
                let format = match self.is_plain(table) {
                    true => " (FORMAT binary)",
                    false => "",
                };
                let _ = writeln!(
                    text,
                    "COPY (SELECT * FROM {}) TO STDOUT{format};",
                    table.sql()
                );
            }
        }
        text.push_str("ROLLBACK");
        text
    }

    /// All its columns have types that are the same on every server, so that their binary forms are, and are read alike
    /// whatever the settings.
    fn is_plain(&self, table: &TableName) -> bool {
        let schema = self.database.schema();
        let columns = schema
            .relations
            .get(table)
            .map(|relation| &relation.columns);
        columns.is_some_and(|columns| {
            let mut types = columns.iter().map(|column| column.type_oid);
            !columns.is_empty() && types.all(|oid| oid != Oid::UNSPECIFIED && oid != XML)
        })
    }

    fn pieces(
        &self,
        gathering: &Gathering,
        shard: ShardId,
        lanes: &[(ShardId, Lease)],
        joins: bool,
        text: &str,
    ) -> Pieces {
        let pending = self.settings.pending();
        let begin = match (&self.txn, joins) {
            (_, true) => format!("SAVEPOINT {SAVEPOINT};\n{CHECK}"),
            (Transaction::Deferred(_), false) => format!("BEGIN READ WRITE;\n{pending}{CHECK}"),
            (_, false) => {
                format!("BEGIN ISOLATION LEVEL REPEATABLE READ READ WRITE;\n{pending}")
            }
        };
        let load = |(table, shards): &(TableName, Vec<ShardId>)| Load {
            table: copy_of(&table.name),
            lanes: (0..lanes.len())
                .filter(|lane| shards.contains(&lanes[*lane].0))
                .collect(),
            binary: self.is_plain(table),
        };
        let loads: Vec<Load> = gathering.pieces.iter().map(load).collect();
        let reads = !gathering.views.is_empty() || loads.iter().any(|load| !load.binary);
        let (as_written, as_set) = match reads {
            true => (read_as_written(), read_as_set()),
            false => (String::new(), String::new()),
        };
        let groups = text.to_ascii_lowercase().contains("group");
        let tables = || gathering.pieces.iter().map(|(table, _)| table);
        let analyze: Vec<_> = tables().map(|table| copy_of(&table.name)).collect();
        let limits = self.database.config.gather;
        Pieces {
            prepare: [begin, as_written, make(gathering), fill(gathering, shard)].concat(),
            loads,
            complete: match groups {
                true => {
                    let keys = tables().map(|table| primary_key(table, text));
                    as_set + &keys.collect::<String>()
                }
                false => as_set,
            },
            analyze: (ANALYZED_ROWS, format!("ANALYZE {}", analyze.join(", "))),
            rows_max: limits.rows,
            bytes_max: limits.bytes,
        }
    }

    async fn load(
        &mut self,
        io: &mut Buffered,
        lanes: &mut [(ShardId, Lease)],
        texts: &[String],
        pieces: Pieces,
        joins: bool,
    ) -> Result<(), Failure> {
        let Some(server) = &mut self.server else {
            return Ok(());
        };
        server.peeking = !joins;
        let keys: Vec<_> = lanes
            .iter()
            .map(|(_, lease)| lease.cancel.clone())
            .collect();
        let entry = Arc::clone(&self.registered.entry);
        let loaded = {
            let mut running: Vec<Lane<'_>> = lanes
                .iter_mut()
                .zip(texts)
                .map(|((_, lease), text)| Lane::new(lease, text))
                .collect();
            let work = Box::pin(executor::gather(&mut server.lease, &mut running, &pieces));
            entry.wait(io, work).await
        };
        let failure = match loaded {
            Ok(Ok(Moved { rows, bytes })) => {
                self.metrics.gathered_rows.inc_by(rows);
                self.metrics.gathered_bytes.inc_by(bytes);
                return Ok(());
            }
            Ok(Err(executor::GatherError {
                error,
                scratch_lost,
            })) => {
                if scratch_lost {
                    self.lose_server();
                }
                Failure::Statement(error)
            }
            Err(failure) => {
                let key = server.lease.cancel.clone();
                self.stop(key);
                self.lose_server();
                failure
            }
        };
        keys.into_iter().for_each(|key| self.stop(key));
        Err(failure)
    }

    /// A server may be long in what nobody waits for. Its connection is closed, so that this can hit nobody else.
    fn stop(&self, key: Arc<backend::CancelKey>) {
        let timeout = self.database.config.pool.connect;
        background().spawn(async move {
            let _ = backend::cancel(&key, timeout).await;
        });
    }

    /// What was gathered makes room for what the names mean otherwise.
    pub(super) async fn end_gather(&mut self, io: &mut Buffered) -> Result<(), Failure> {
        if !self.has_gathered() {
            return Ok(());
        }
        self.settle(io).await?;
        let Some(server) = &mut self.server else {
            return Ok(());
        };
        let Some(gathered) = server.gathered.take() else {
            return Ok(());
        };
        if server.peeking {
            self.leave(io).await;
            return Ok(());
        }
        if self.txn != Transaction::Open {
            // It went with what has failed.
            return Ok(());
        }
        let text = match gathered.lasting {
            false => format!("ROLLBACK TO SAVEPOINT {SAVEPOINT}; RELEASE SAVEPOINT {SAVEPOINT}"),
            true => self.put_aside(&gathered),
        };
        let Some(server) = &mut self.server else {
            return Ok(());
        };
        let deadline = Instant::now() + self.database.config.pool.connect;
        let ended = Box::pin(server.lease.simple(&text, deadline));
        let ended = self.registered.entry.watch(io, ended).await;
        if let Err(failure) = ended.and_then(|ended| Ok(ended?)) {
            self.lose_server();
            return Err(failure);
        }
        Ok(())
    }

    /// Gives what lasts names that no statement uses.
    fn put_aside(&mut self, gathered: &Gathered) -> String {
        let mut text = format!("RELEASE SAVEPOINT {SAVEPOINT}");
        let views = gathered.views.iter().map(|name| ("VIEW", name));
        let tables = gathered.tables.iter().map(|name| ("TABLE", name));
        for (kind, name) in views.chain(tables) {
            self.put_aside += 1;
            let aside = format!("trunkline_{}", self.put_aside);
            let _ = write!(text, ";\nALTER {kind} {} RENAME TO {aside}", copy_of(name));
        }
        text
    }
}

const SAVEPOINT: &str = "trunkline_gather";

/// Its input is read as one setting says.
const XML: Oid = Oid(142);

fn read_as_written() -> String {
    format!(
        "SELECT pg_catalog.set_config('trunkline_gather.' || name, pg_catalog.current_setting(name), true), \
         pg_catalog.set_config(name, value, true) FROM {AS_WRITTEN};\n"
    )
}

/// The settings are the session's again.
fn read_as_set() -> String {
    format!(
        "SELECT pg_catalog.set_config(name, pg_catalog.current_setting('trunkline_gather.' || name), true) \
         FROM {AS_WRITTEN};\n"
    )
}

/// What a transaction must be for a statement of it to see what others have committed on each shard, and to make
/// temporary tables.
const CHECK: &str = "DO $trunkline$ BEGIN \
    IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN \
        RAISE EXCEPTION USING ERRCODE = '0A000', \
            MESSAGE = 'a statement over rows of several shards in a REPEATABLE READ or SERIALIZABLE transaction is not supported', \
            HINT = 'Use READ COMMITTED, or tie its tables to one sharding key.'; \
    ELSIF current_setting('transaction_read_only') = 'on' THEN \
        RAISE EXCEPTION USING ERRCODE = '0A000', \
            MESSAGE = 'a statement over rows of several shards is not supported in a READ ONLY transaction that has run others', \
            HINT = 'Let it be the first of its transaction, or use READ WRITE.'; \
    END IF; END $trunkline$;\n";

fn kept_snapshot() -> PgError {
    PgError::refusal(
        "a statement over rows of several shards in a REPEATABLE READ or SERIALIZABLE transaction",
        "Use READ COMMITTED, or tie its tables to one sharding key.",
    )
}

fn is_snapshot_kept(prelude: &str) -> bool {
    let prelude = prelude.to_ascii_lowercase();
    prelude.contains("repeatable") || prelude.contains("serializable")
}

fn tells_time(text: &[u8]) -> bool {
    let tells = |word: &&[u8]| {
        let mut windows = text.windows(word.len());
        windows.any(|window| window.eq_ignore_ascii_case(word))
    };
    TIMES.iter().any(tells)
}

/// A temporary table's name in SQL.
fn copy_of(name: &str) -> String {
    format!("pg_temp.{}", identifier(name))
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Makes the tables, and the views over them. A view's definition is printed while its tables' names mean those
/// themselves, without their schemas; made again, it means what is gathered.
fn make(gathering: &Gathering) -> String {
    let tables: Vec<String> = gathering
        .pieces
        .iter()
        .map(|(table, _)| {
            format!(
                "CREATE TEMP TABLE {} ON COMMIT DROP AS SELECT * FROM {} WITH NO DATA",
                identifier(&table.name),
                table.sql()
            )
        })
        .collect();
    if gathering.views.is_empty() {
        return tables.join(";\n") + ";\n";
    }
    let all = gathering.pieces.iter().map(|(table, _)| table);
    let mut schemas: Vec<String> = all
        .chain(&gathering.views)
        .map(|table| identifier(&table.schema))
        .collect();
    schemas.sort();
    schemas.dedup();
    let mut text =
        "DECLARE path text := current_setting('search_path'); defs text[]; BEGIN ".to_owned();
    let _ = write!(
        text,
        "PERFORM set_config('search_path', {}, true); ",
        literal(&schemas.join(", "))
    );
    for (at, view) in gathering.views.iter().enumerate() {
        let _ = write!(
            text,
            "defs[{at}] := pg_catalog.pg_get_viewdef({}::regclass); ",
            literal(&view.sql())
        );
    }
    for table in tables {
        let _ = write!(text, "EXECUTE {}; ", literal(&table));
    }
    for (at, view) in gathering.views.iter().enumerate() {
        let create = format!("CREATE TEMP VIEW {} AS ", identifier(&view.name));
        let _ = write!(text, "EXECUTE {} || defs[{at}]; ", literal(&create));
    }
    text.push_str("PERFORM set_config('search_path', path, true); END");
    block(&text)
}

/// Takes in the rows of the shard itself: by one statement, so that all are of one moment.
fn fill(gathering: &Gathering, shard: ShardId) -> String {
    let own = gathering
        .pieces
        .iter()
        .filter(|(_, shards)| shards.contains(&shard));
    let inserts: Vec<String> = own
        .enumerate()
        .map(|(at, (table, _))| {
            let copy = copy_of(&table.name);
            format!(
                "t{at} AS (INSERT INTO {copy} SELECT * FROM {})",
                table.sql()
            )
        })
        .collect();
    match inserts.is_empty() {
        true => String::new(),
        false => format!("WITH {} SELECT", inserts.join(",\n")),
    }
}

/// A block of PL/pgSQL, in quotes that it does not contain itself.
fn block(body: &str) -> String {
    let mut tag = "$trunkline$".to_owned();
    while body.contains(&tag) {
        tag.insert(1, '_');
    }
    format!("DO {tag} {body} {tag};\n")
}

/// Where the statement is right only because a primary key determines the other columns it groups by, the copy gets
/// that key.
fn primary_key(table: &TableName, text: &str) -> String {
    let copy = copy_of(&table.name);
    let body = format!(
        "DECLARE columns text; BEGIN \
         EXECUTE {}; DEALLOCATE trunkline_try; \
         EXCEPTION WHEN grouping_error OR syntax_error THEN \
         SELECT string_agg(pg_catalog.quote_ident(a.attname), ', ') INTO columns \
         FROM pg_catalog.pg_index i JOIN pg_catalog.pg_attribute a \
         ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey) \
         WHERE i.indrelid = {}::regclass AND i.indisprimary; \
         IF columns IS NOT NULL THEN EXECUTE {} || columns || ')'; END IF; \
         WHEN OTHERS THEN NULL; END",
        literal(&format!("PREPARE trunkline_try AS {text}")),
        literal(&table.sql()),
        literal(&format!("ALTER TABLE {copy} ADD PRIMARY KEY (")),
    );
    block(&body)
}
