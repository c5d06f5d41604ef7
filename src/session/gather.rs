//! A statement over rows of several shards: those are brought together on the shard where it runs, ahead of it, and what
//! was brought is gone when it is over.
//!
//! Outside of a transaction that is a transaction of our own, which is rolled back; so it is in one that no server has
//! heard of. In one that a server holds it is a savepoint. There the temporary tables may have to last longer than the
//! statement, for a cursor or a portal that is read in parts: then they get other names, and end with the transaction.

mod aside;
mod explain;
mod pieces;
mod rounds;
mod text;

use std::fmt::Write;
use std::sync::Arc;

use tokio::time::Instant;

use super::lease::Bound;
use super::{Failure, Purpose, Session};
use crate::backend::Lease;
use crate::error::PgError;
use crate::executor::{self, Given, Lane, Pieces};
use crate::net::Buffered;
use crate::plan::{Gathering, Part};
use crate::planner::{retold, shifts};
use crate::shardmap::{ShardId, TableName};
use crate::txn::Transaction;
use explain::Explained;
use text::copy_of;

/// What of a gathering is on the connection in use.
pub(super) struct Gathered {
    tables: Vec<String>,
    views: Vec<String>,
    /// It is read after its statement has ended.
    lasting: bool,
    /// The client's transaction, where this is not a part of it.
    aside: Option<Box<Bound>>,
}

/// A statement that may depend on when its transaction began, by one of these, runs in the client's own.
const TIMES: [&[u8]; 10] = [
    b"now",
    b"today",
    b"tomorrow",
    b"yesterday",
    b"current",
    b"localtime",
    b"timestamp(",
    b"age",
    b"txid",
    b"backend_pid",
];

impl Session {
    pub(super) fn has_gathered(&self) -> bool {
        self.server
            .as_ref()
            .is_some_and(|server| server.gathered.is_some())
    }

    /// What was gathered is read on after the statement.
    ///
    /// Errors: 0A000 where that is not a part of the client's transaction.
    pub fn keep_gathered(&mut self) -> Result<(), PgError> {
        if self.is_aside() {
            return Err(PgError::refusal(
                "a statement over rows of several shards, read in parts in a READ ONLY transaction or one on another shard,",
                "Read all of it at once, or let it be the first of its transaction.",
            ));
        }
        if let Some(server) = &mut self.server
            && let Some(gathered) = &mut server.gathered
        {
            gathered.lasting = true;
        }
        Ok(())
    }

    /// Brings together what a statement reads, on the connection in use from now on, where it is to be run next as
    /// [`crate::planner::retold`] tells it. `text` and `values` are the statement and the message that has its parameters. For an EXPLAIN
    /// (`explains`) the lines that tell what was brought, and how.
    ///
    /// Errors: 0A000 within a pipeline that has run statements on a shard, in a transaction that is not READ COMMITTED, in
    /// one on another shard than has to be read or READ ONLY that cannot stand aside ([`aside`]), and where row security may
    /// show other rows; 54000 beyond the limits of the database; those of the shards.
    pub async fn gather(
        &mut self,
        io: &mut Buffered,
        gathering: &Gathering,
        text: &str,
        values: &[u8],
        explains: bool,
    ) -> Result<Vec<String>, Failure> {
        // A Sync of ours in between would commit those, where no transaction has been begun.
        if self.has_effects() && !self.txn.is_on_server() {
            return Err(Failure::Statement(PgError::refusal(
                "a statement over rows of several shards in a pipeline that has run others",
                "Send Sync before it.",
            )));
        }
        self.settle(io).await?;
        self.end_gather(io).await?;
        self.check_row_security(gathering)?;
        if gathering.lasting && self.txn == Transaction::Idle {
            // PostgreSQL says what is wrong with that.
            let shard = gathering.at.unwrap_or_else(|| self.default_shard());
            self.enter(io, shard, Purpose::Run).await?;
            return Ok(Vec::new());
        }
        // What a view says is not looked into.
        let tells =
            !gathering.views.is_empty() || tells_time(text.as_bytes()) || tells_time(values);
        self.begin_first(io, gathering, tells).await?;
        let joins = self.txn.is_on_server();
        if !joins {
            self.leave(io).await;
        }
        let shard = gathering.at.unwrap_or_else(|| self.any_shard());
        let settings = match joins {
            true => {
                let may = !gathering.lasting && !tells;
                self.join(io, shard, may).await?
            }
            false => None,
        };
        let Some(settings) = settings else {
            let begin = match (&self.txn, joins) {
                (_, true) => String::new(),
                (Transaction::Deferred(_), false) => {
                    format!("BEGIN READ WRITE;\n{}{CHECK}", self.settings.pending())
                }
                (_, false) => self.begin_own(),
            };
            let to = (shard, begin);
            return self.bring(io, gathering, to, text, explains).await;
        };
        let begin = self.begin_own() + &aside::check_settings(&settings);
        let aside = self.stand_aside().await;
        let to = (shard, begin);
        let brought = self.bring(io, gathering, to, text, explains).await;
        match (brought, aside) {
            (Ok(lines), aside) => {
                if let Some(server) = &mut self.server
                    && let Some(gathered) = &mut server.gathered
                {
                    gathered.aside = aside;
                }
                Ok(lines)
            }
            (Err(failure), Some(aside)) => {
                self.resume(io, aside).await?;
                Err(failure)
            }
            (Err(failure), None) => Err(failure),
        }
    }

    /// Row security may ask for settings, which statements and functions of a transaction can have made up on its server
    /// alone (`set_config('app.tenant', …, true)`), and no catalog lists such ones. Through a view it sees another user.
    ///
    /// Errors: 0A000.
    fn check_row_security(&self, gathering: &Gathering) -> Result<(), PgError> {
        let schema = self.database.schema();
        let guarded = |part: &&Part| schema.guarded.contains(&part.table);
        let Some(part) = gathering.pieces.iter().find(guarded) else {
            return Ok(());
        };
        let (place, hint) = match (self.txn.is_on_server(), gathering.views.is_empty()) {
            (true, _) => (
                "in a transaction that has run others",
                "Let it be the first of its transaction, behind SET LOCAL where its policies need settings, or tie the table to one sharding key.",
            ),
            (false, false) => ("through a view", "Read the table itself."),
            (false, true) => return Ok(()),
        };
        Err(PgError::refusal(
            format!(
                "a statement over rows of several shards of {}, which has row security, {place}",
                part.table.name
            ),
            hint,
        ))
    }

    /// A transaction that no server has heard of begins on one, where the statement depends on it (`tells`) or lasts
    /// longer than it.
    ///
    /// Errors: 0A000 where it keeps one snapshot.
    async fn begin_first(
        &mut self,
        io: &mut Buffered,
        gathering: &Gathering,
        tells: bool,
    ) -> Result<(), Failure> {
        let Transaction::Deferred(prelude) = &self.txn else {
            return Ok(());
        };
        if is_snapshot_kept(&prelude.text()) {
            return Err(Failure::Statement(kept_snapshot()));
        }
        if gathering.lasting || tells {
            let shard = gathering.at.unwrap_or_else(|| self.default_shard());
            self.enter(io, shard, Purpose::Run).await?;
            self.settle(io).await?;
        }
        Ok(())
    }

    /// How a transaction of our own begins, in which nothing is seen but one moment.
    fn begin_own(&self) -> String {
        let pending = self.settings.pending();
        format!("{BEGIN_OWN}{pending}")
    }

    /// Brings the rows together on `shard`: in the client's transaction, which is there, where `begin` says nothing.
    async fn bring(
        &mut self,
        io: &mut Buffered,
        gathering: &Gathering,
        (shard, begin): (ShardId, String),
        text: &str,
        explains: bool,
    ) -> Result<Vec<String>, Failure> {
        let mut lanes = self.lanes(io, gathering, shard, begin.is_empty()).await?;
        let told = retold(text, gathering)?;
        let mut filters = self.filters(gathering, text);
        let of = (gathering, &*told, &*begin);
        let given = self
            .load_rounds(io, of, shard, &mut lanes, &mut filters)
            .await?;
        if let Some(server) = &mut self.server {
            let names = |tables: &mut dyn Iterator<Item = &TableName>| {
                tables.map(|table| table.name.clone()).collect::<Vec<_>>()
            };
            server.gathered = Some(Box::new(Gathered {
                tables: names(&mut gathering.pieces.iter().map(|part| &part.table)),
                views: names(&mut gathering.views.iter()),
                lasting: gathering.lasting,
                aside: None,
            }));
        }
        let explained = Explained {
            gathering,
            filters: &filters,
            text,
            given: &given,
        };
        let lines = match explains {
            true => self.explain_lanes(io, shard, &mut lanes, explained).await?,
            false => Vec::new(),
        };
        for (_, lease) in lanes {
            lease.release();
        }
        self.relay.shifts = shifts(text, gathering)?;
        Ok(lines)
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
                lanes.push((lane, self.lane(io, lane).await?));
            } else if !joins {
                self.occupy(io, shard).await?;
            }
        }
        Ok(lanes)
    }

    pub(super) async fn load(
        &mut self,
        io: &mut Buffered,
        lanes: &mut [(ShardId, Lease)],
        texts: &[String],
        pieces: Pieces,
        joins: bool,
    ) -> Result<Given, Failure> {
        let Some(server) = &mut self.server else {
            return Ok(Given::default());
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
                .map(|((_, lease), text)| Lane::new(lease, text, pieces.ends))
                .collect();
            let work = Box::pin(executor::gather(&mut server.lease, &mut running, &pieces));
            entry.wait(io, work).await
        };
        let failure = match loaded {
            Ok(Ok(given)) => {
                let (total, before) = (given.total, pieces.moved);
                self.metrics.gathered_rows.inc_by(total.rows - before.rows);
                self.metrics
                    .gathered_bytes
                    .inc_by(total.bytes - before.bytes);
                return Ok(given);
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

    /// What was gathered makes room for what the names mean otherwise.
    pub(super) async fn end_gather(&mut self, io: &mut Buffered) -> Result<(), Failure> {
        if !self.has_gathered() {
            return Ok(());
        }
        self.settle(io).await?;
        self.relay.shifts.clear();
        let Some(server) = &mut self.server else {
            return Ok(());
        };
        let Some(gathered) = server.gathered.take() else {
            return Ok(());
        };
        if server.peeking {
            return match gathered.aside {
                Some(aside) => self.resume(io, aside).await,
                None => {
                    self.leave(io).await;
                    Ok(())
                }
            };
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

/// A transaction of our own, which keeps its snapshot.
const BEGIN_OWN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ WRITE;\n";

const SAVEPOINT: &str = "trunkline_gather";

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

pub(super) fn tells_time(text: &[u8]) -> bool {
    let tells = |word: &&[u8]| {
        let mut windows = text.windows(word.len());
        windows.any(|window| window.eq_ignore_ascii_case(word))
    };
    TIMES.iter().any(tells)
}
