//! A transaction that a server holds and that cannot take in what is gathered, because it is READ ONLY or on another
//! shard: it stands aside, as it is, while the statement runs in a transaction of our own on another connection.
//!
//! That gives the same answer where the transaction has written nothing that the statement could see (it has no
//! transaction ID), takes a new snapshot for each statement, and has the settings that the other connection has; and
//! where the statement does not tell the time of its transaction and is over with its Sync. Everything else is asked of
//! the server that holds it, by one block that says so with an error, within a savepoint.

use std::fmt::Write;

use tokio::time::Instant;

use super::text::literal;
use super::{Bound, CHECK, SAVEPOINT, Session};
use crate::error::{PgError, SqlState};
use crate::net::Buffered;
use crate::session::Failure;
use crate::shardmap::ShardId;
use crate::txn::Transaction;

/// What the block says where the transaction may stand aside, and where it is on the wrong shard and must not.
const ASIDE: &str = "TL001";
const WRITTEN: &str = "TL002";

/// The settings of the connection that statements have changed; what transactions are is told apart from them.
const SETTINGS: &str = "(SELECT coalesce(pg_catalog.md5(pg_catalog.string_agg(name || '=' || setting, ',' ORDER BY name)), '') \
     FROM pg_catalog.pg_settings WHERE source = 'session' AND name NOT LIKE 'transaction\\_%')";

impl Session {
    /// Readies the transaction in use for what is gathered, or finds that it has to stand aside: then these are its
    /// settings. `may`: nothing about the statement is against that.
    ///
    /// Errors: 0A000 where neither can be.
    pub(super) async fn join(
        &mut self,
        io: &mut Buffered,
        shard: ShardId,
        may: bool,
    ) -> Result<Option<String>, Failure> {
        let wrong = self.server.as_ref().is_some_and(|s| s.shard != shard);
        let may = may && !self.session_pooled();
        if wrong && !may {
            self.may_leave(shard)?;
        }
        let text = format!("SAVEPOINT {SAVEPOINT};\n{}", question(wrong, may));
        let Err(error) = self.ask_server(io, &text).await? else {
            return Ok(None);
        };
        if error.code.as_str() == WRITTEN {
            self.may_leave(shard)?;
        }
        if error.code.as_str() != ASIDE {
            return Err(Failure::Statement(error));
        }
        let undo = format!("ROLLBACK TO SAVEPOINT {SAVEPOINT}; RELEASE SAVEPOINT {SAVEPOINT}");
        self.ask_server(io, &undo).await??;
        Ok(Some(error.message))
    }

    /// Runs statements of our own on the connection in use. What it says is the inner result.
    async fn ask_server(
        &mut self,
        io: &mut Buffered,
        text: &str,
    ) -> Result<Result<(), PgError>, Failure> {
        let Some(server) = &mut self.server else {
            return Ok(Ok(()));
        };
        let deadline = Instant::now() + self.database.config.pool.connect;
        let asked = Box::pin(server.lease.simple(text, deadline));
        let entry = &self.registered.entry;
        match entry.wait(io, asked).await {
            Ok(Err(error)) if error.code == SqlState::CONNECTION_FAILURE => {
                self.lose_server();
                Err(Failure::Statement(error))
            }
            Ok(answer) => Ok(answer),
            Err(failure) => {
                self.lose_server();
                Err(failure)
            }
        }
    }

    /// The connection in use, with the client's transaction, is not in use any longer.
    pub(super) async fn stand_aside(&mut self) -> Option<Box<Bound>> {
        self.entry().runs_nowhere().await;
        self.server.take().map(Box::new)
    }

    /// The connection with the client's transaction is in use again. What has failed meanwhile has failed there, too.
    pub(super) async fn resume(
        &mut self,
        io: &mut Buffered,
        aside: Box<Bound>,
    ) -> Result<(), Failure> {
        self.leave(io).await;
        if !self.txn.is_on_server() {
            return Ok(());
        }
        self.entry().runs_on(aside.lease.cancel.clone());
        let shard = aside.shard;
        self.server = Some(*aside);
        self.translate(shard);
        if self.txn == Transaction::Failed {
            self.poison()?;
            self.run(io).await?;
            self.take_error();
            self.observe();
        }
        Ok(())
    }

    /// The client's transaction stands aside; what is in use is a transaction of our own.
    pub(in crate::session) fn is_aside(&self) -> bool {
        let gathered = self.server.as_ref().and_then(|s| s.gathered.as_deref());
        gathered.is_some_and(|gathered| gathered.aside.is_some())
    }
}

fn question(wrong: bool, may: bool) -> String {
    if !wrong && !may {
        return CHECK.to_owned();
    }
    let mut text = "DO $trunkline$ BEGIN \
        IF current_setting('transaction_isolation') IN ('read committed', 'read uncommitted')"
        .to_owned();
    if !wrong {
        text.push_str(" AND current_setting('transaction_read_only') = 'on'");
    }
    let _ = write!(
        text,
        " AND pg_catalog.txid_current_if_assigned() IS NULL THEN \
            RAISE EXCEPTION USING ERRCODE = '{ASIDE}', MESSAGE = {SETTINGS}; \
        END IF; END $trunkline$; "
    );
    text.push_str(CHECK);
    if wrong {
        let _ = write!(
            text,
            "DO $trunkline$ BEGIN RAISE EXCEPTION USING ERRCODE = '{WRITTEN}'; END $trunkline$"
        );
    }
    text
}

/// Ends with an error where the connection's settings are others.
pub(super) fn check_settings(settings: &str) -> String {
    format!(
        "DO $trunkline$ BEGIN IF {SETTINGS} <> {} THEN \
            RAISE EXCEPTION USING ERRCODE = '0A000', \
                MESSAGE = 'a statement over rows of several shards in a READ ONLY transaction that has changed settings by a function', \
                HINT = 'Use SET LOCAL, or let it be the first of its transaction.'; \
        END IF; END $trunkline$;\n",
        literal(settings)
    )
}
