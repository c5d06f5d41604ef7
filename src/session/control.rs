//! Statements about the session and its transaction: BEGIN, COMMIT, savepoints, SET and their like.
//!
//! BEGIN reaches no server. What follows it before any shard is known is kept as the transaction's
//! prelude, checked on the default shard where it could be wrong, and told to the shard that the
//! first statement belongs to.

use super::{Failure, Purpose, Session};
use crate::error::{PgError, SqlState};
use crate::executor::Forward;
use crate::net::Buffered;
use crate::plan::{Control, Setting};
use crate::planner::is_own_setting;
use crate::txn::{Prelude, Transaction};
use crate::wire::Replies;

impl Session {
    /// Runs the statement and tells the client its CommandComplete or the server's error.
    /// `text` is the client's own.
    pub async fn control(
        &mut self,
        io: &mut Buffered,
        control: &Control,
        text: &str,
    ) -> Result<(), Failure> {
        if self.has_effects() && self.txn == Transaction::Idle && *control != Control::Empty {
            return Err(Failure::Statement(PgError::refusal(
                format!(
                    "{} inside a pipeline that has already run statements",
                    name(control)
                ),
                "Send Sync before it, so that what ran before is complete.",
            )));
        }
        if *control == Control::Empty {
            // No Sync of ours: it would commit what the pipeline has done so far.
            self.flush(io).await?;
            io.output.empty_query();
            return Ok(());
        }
        self.settle(io).await?;
        if self.is_aside() {
            Box::pin(self.end_gather(io)).await?;
        }
        self.end_peek(io).await;
        self.count_all();
        self.control_pending();
        self.steer(io, control, text).await?;
        self.count_all();
        Ok(())
    }

    async fn steer(
        &mut self,
        io: &mut Buffered,
        control: &Control,
        text: &str,
    ) -> Result<(), Failure> {
        match control {
            Control::Empty => {}
            Control::Show { name } => self.show(io, name),
            Control::Set { setting, local } if is_own_setting(&setting.name) => {
                self.set_own(io, setting, *local, text)?;
            }
            Control::Reset { name: Some(name) } if is_own_setting(name) => {
                self.reset_own(io, name);
            }
            Control::Begin { text: begin } => self.begin_block(io, begin, text).await?,
            Control::Commit { chain } => self.end_block(io, text, *chain, true).await?,
            Control::Rollback { chain } => self.end_block(io, text, *chain, false).await?,
            Control::Savepoint { name } => self.savepoint(io, name, text).await?,
            Control::Release { name } => self.release(io, name, text).await?,
            Control::RollbackTo { name } => self.rollback_to(io, name, text).await?,
            Control::SetTransaction => self.set_transaction(io, text).await?,
            Control::Set { setting, local } if setting.values.is_none() => {
                self.set_default(io, setting, *local, text).await?;
            }
            Control::Set { setting, local } => self.set(io, setting, *local, text).await?,
            Control::Reset { name } => self.reset(io, name.as_deref(), text).await?,
            Control::DiscardAll => self.discard_all(io).await?,
            Control::Deallocate { name } => {
                self.statements.deallocate(name.as_deref())?;
                io.output.command_complete(if name.is_some() {
                    "DEALLOCATE"
                } else {
                    "DEALLOCATE ALL"
                });
            }
        }
        Ok(())
    }

    /// Sends the client's text to the connection in use and relays the answer.
    async fn pass(&mut self, io: &mut Buffered, text: &str) -> Result<(), Failure> {
        self.queue_query(text, Forward::ToClient, None)?;
        self.passed(io).await
    }

    async fn passed(&mut self, io: &mut Buffered) -> Result<(), Failure> {
        self.run(io).await?;
        self.observe();
        if self.relay.error.is_some() {
            Err(Failure::Told)
        } else {
            Ok(())
        }
    }

    async fn begin_block(
        &mut self,
        io: &mut Buffered,
        begin: &str,
        text: &str,
    ) -> Result<(), Failure> {
        match self.txn {
            Transaction::Idle => self.txn = Transaction::Deferred(Prelude::new(begin.to_owned())),
            Transaction::Deferred(_) => io.output.warning(&PgError::client(
                SqlState::ACTIVE_TRANSACTION,
                "there is already a transaction in progress",
            )),
            _ => return self.pass(io, text).await,
        }
        let start = text
            .get(..5)
            .is_some_and(|word| word.eq_ignore_ascii_case("start"));
        io.output
            .command_complete(if start { "START TRANSACTION" } else { "BEGIN" });
        Ok(())
    }

    /// COMMIT (`commit`) or ROLLBACK.
    async fn end_block(
        &mut self,
        io: &mut Buffered,
        text: &str,
        chain: bool,
        commit: bool,
    ) -> Result<(), Failure> {
        let word = if commit { "COMMIT" } else { "ROLLBACK" };
        match std::mem::take(&mut self.txn) {
            Transaction::Idle if chain => {
                return Err(Failure::Statement(outside_block(&format!(
                    "{word} AND CHAIN"
                ))));
            }
            Transaction::Idle => {
                io.output.warning(&PgError::client(
                    SqlState::NO_ACTIVE_TRANSACTION,
                    "there is no transaction in progress",
                ));
                io.output.command_complete(word);
            }
            Transaction::Deferred(prelude) => {
                self.end_deferred(io, Some(prelude), chain, commit).await?;
            }
            Transaction::DeferredFailed(prelude) => {
                self.end_deferred(io, prelude, chain, false).await?;
            }
            on_server => {
                let commits = commit && on_server == Transaction::Open;
                self.txn = on_server;
                self.queue_string(text, Forward::ToClient, None, true)?;
                self.passed(io).await?;
                self.count_end(commits);
                if commits {
                    self.settings.commit()
                } else {
                    self.roll_back_settings()
                }
                if self.has_definitions() {
                    Box::pin(self.learn_definitions(io)).await?;
                }
            }
        }
        Ok(())
    }

    /// Ends a transaction that no server has heard of.
    async fn end_deferred(
        &mut self,
        io: &mut Buffered,
        prelude: Option<Prelude>,
        chain: bool,
        commits: bool,
    ) -> Result<(), Failure> {
        // A connection that was only asked to describe does not have the transaction's settings.
        self.leave(io).await;
        let changed = self.settings.has_changes();
        if commits {
            self.settings.commit();
        } else {
            self.roll_back_settings();
        }
        if changed {
            self.report_parameters(io).await?;
        }
        if chain {
            let prelude = prelude.unwrap_or_else(|| Prelude::new("BEGIN".to_owned()));
            self.txn = Transaction::Deferred(prelude.chained());
        }
        io.output
            .command_complete(if commits { "COMMIT" } else { "ROLLBACK" });
        Ok(())
    }

    async fn savepoint(
        &mut self,
        io: &mut Buffered,
        name: &str,
        text: &str,
    ) -> Result<(), Failure> {
        match &mut self.txn {
            Transaction::Idle => return Err(Failure::Statement(outside_block("SAVEPOINT"))),
            Transaction::Deferred(prelude) => {
                keep(prelude, text)?;
                io.output.command_complete("SAVEPOINT");
            }
            _ => self.pass(io, text).await?,
        }
        self.settings.savepoint(name);
        Ok(())
    }

    async fn release(&mut self, io: &mut Buffered, name: &str, text: &str) -> Result<(), Failure> {
        match &mut self.txn {
            Transaction::Idle => {
                return Err(Failure::Statement(outside_block("RELEASE SAVEPOINT")));
            }
            Transaction::Deferred(prelude) => {
                if !self.settings.has_savepoint(name) {
                    return Err(Failure::Statement(no_savepoint(name)));
                }
                keep(prelude, text)?;
                io.output.command_complete("RELEASE");
            }
            _ => self.pass(io, text).await?,
        }
        self.settings.release(name);
        Ok(())
    }

    async fn rollback_to(
        &mut self,
        io: &mut Buffered,
        name: &str,
        text: &str,
    ) -> Result<(), Failure> {
        match std::mem::take(&mut self.txn) {
            Transaction::Idle => {
                return Err(Failure::Statement(outside_block("ROLLBACK TO SAVEPOINT")));
            }
            Transaction::Deferred(mut prelude) | Transaction::DeferredFailed(Some(mut prelude)) => {
                if !self.settings.has_savepoint(name) {
                    self.txn = Transaction::DeferredFailed(Some(prelude));
                    return Err(Failure::Statement(no_savepoint(name)));
                }
                let kept = keep(&mut prelude, text);
                self.txn = Transaction::Deferred(prelude);
                kept?;
                io.output.command_complete("ROLLBACK");
            }
            Transaction::DeferredFailed(None) => {
                self.txn = Transaction::DeferredFailed(None);
                return Err(Failure::Statement(no_savepoint(name)));
            }
            on_server => {
                self.txn = on_server;
                self.pass(io, text).await?;
            }
        }
        self.settings.rollback_to(name);
        Ok(())
    }

    async fn set_transaction(&mut self, io: &mut Buffered, text: &str) -> Result<(), Failure> {
        match &self.txn {
            Transaction::Idle => {
                io.output.warning(&outside_block("SET TRANSACTION"));
                io.output.command_complete("SET");
                Ok(())
            }
            Transaction::Deferred(_) => self.defer(io, text, "SET").await,
            _ => self.pass(io, text).await,
        }
    }

    async fn set(
        &mut self,
        io: &mut Buffered,
        setting: &Setting,
        local: bool,
        text: &str,
    ) -> Result<(), Failure> {
        self.settings.check_room(text)?;
        match &self.txn {
            Transaction::Idle if local => {
                io.output.warning(&outside_block("SET LOCAL"));
                io.output.command_complete("SET");
                return Ok(());
            }
            Transaction::Idle => {
                self.enter(io, self.default_shard(), Purpose::Run).await?;
                self.pass(io, text).await?;
                self.settings.set(setting, false, text);
                self.settings.commit_in_pipeline();
                return Ok(());
            }
            Transaction::Deferred(_) => self.defer(io, text, "SET").await?,
            _ => self.pass(io, text).await?,
        }
        self.settings.set(setting, local, text);
        Ok(())
    }

    /// SET of what no server knows.
    fn set_own(
        &mut self,
        io: &mut Buffered,
        setting: &Setting,
        local: bool,
        text: &str,
    ) -> Result<(), PgError> {
        self.settings.check_room(text)?;
        let idle = self.txn == Transaction::Idle;
        if idle && local {
            io.output.warning(&outside_block("SET LOCAL"));
        } else {
            self.settings.set(setting, local, text);
            if idle {
                self.settings.commit_in_pipeline();
            }
        }
        io.output.command_complete("SET");
        Ok(())
    }

    fn reset_own(&mut self, io: &mut Buffered, name: &str) {
        self.settings.reset(Some(name));
        if self.txn == Transaction::Idle {
            self.settings.commit_in_pipeline();
        }
        io.output.command_complete("RESET");
    }

    /// SHOW's row; its description is the caller's.
    fn show(&mut self, io: &mut Buffered, name: &str) {
        let value = self.settings.own(name).to_owned();
        io.output.data_row(&[Some(value)]);
        io.output.command_complete("SHOW");
    }

    /// SET TO DEFAULT: what RESET does, for the transaction alone where it is LOCAL.
    async fn set_default(
        &mut self,
        io: &mut Buffered,
        setting: &Setting,
        local: bool,
        text: &str,
    ) -> Result<(), Failure> {
        if !local {
            return self.reset_as(io, Some(&setting.name), text, "SET").await;
        }
        if self.txn == Transaction::Idle {
            return self.set(io, setting, local, text).await;
        }
        self.settings.check_room(text)?;
        let restore = self.settings.replay_startup(Some(&setting.name), true);
        self.reset_in_transaction(io, restore, text, "SET").await?;
        self.settings.set(setting, local, text);
        Ok(())
    }

    async fn reset(
        &mut self,
        io: &mut Buffered,
        name: Option<&str>,
        text: &str,
    ) -> Result<(), Failure> {
        self.reset_as(io, name, text, "RESET").await
    }

    /// RESET, by its own name or another.
    async fn reset_as(
        &mut self,
        io: &mut Buffered,
        name: Option<&str>,
        text: &str,
        tag: &str,
    ) -> Result<(), Failure> {
        if self.txn == Transaction::Idle {
            self.enter(io, self.default_shard(), Purpose::Run).await?;
            self.pass(io, text).await?;
            self.settings.reset(name);
            self.settings.commit_in_pipeline();
            // RESET went back to the server connection's own start, not to this client's.
            self.forget_settings();
            return self.sync_settings(io).await;
        }
        let restore = self.settings.replay_startup(name, false);
        self.reset_in_transaction(io, restore, text, tag).await?;
        self.settings.reset(name);
        Ok(())
    }

    /// Returns to the server connection's own start, and from there to this client's.
    async fn reset_in_transaction(
        &mut self,
        io: &mut Buffered,
        restore: Option<String>,
        text: &str,
        tag: &str,
    ) -> Result<(), Failure> {
        if let Transaction::Deferred(_) = &self.txn {
            let both =
                restore.map_or_else(|| text.to_owned(), |restore| format!("{text}\n;{restore}"));
            return self.defer(io, &both, tag).await;
        }
        self.pass(io, text).await?;
        if let Some(restore) = restore {
            self.queue_query(&restore, Forward::Swallow, None)?;
            self.run(io).await?;
        }
        Ok(())
    }

    /// Adds a statement to the prelude after a server has found it valid.
    async fn defer(&mut self, io: &mut Buffered, text: &str, tag: &str) -> Result<(), Failure> {
        let Transaction::Deferred(prelude) = &self.txn else {
            return Ok(());
        };
        let mut longer = prelude.clone();
        keep(&mut longer, text)?;
        self.probe(io, &longer).await?;
        self.txn = Transaction::Deferred(longer);
        io.output.command_complete(tag);
        Ok(())
    }

    async fn discard_all(&mut self, io: &mut Buffered) -> Result<(), Failure> {
        if self.txn != Transaction::Idle {
            return Err(Failure::Statement(PgError::client(
                SqlState::ACTIVE_TRANSACTION,
                "DISCARD ALL cannot run inside a transaction block",
            )));
        }
        // Before the settings are forgotten: the connection in use still has them. In session pooling
        // temporary tables and the like go with their connections.
        self.leave(io).await;
        self.kept.clear();
        self.settings.reset(None);
        self.settings.reset(Some("role"));
        self.settings.commit();
        self.statements.deallocate(None)?;
        self.statements.forget_unnamed();
        self.report_parameters(io).await?;
        io.output.command_complete("DISCARD ALL");
        Ok(())
    }
}

fn keep(prelude: &mut Prelude, text: &str) -> Result<(), PgError> {
    if prelude.push(text) {
        return Ok(());
    }
    Err(PgError::proxy(
        SqlState::PROGRAM_LIMIT_EXCEEDED,
        "too many statements in a transaction before one that belongs to a shard",
    ))
}

fn outside_block(what: &str) -> PgError {
    PgError::client(
        SqlState::NO_ACTIVE_TRANSACTION,
        format!("{what} can only be used in transaction blocks"),
    )
}

fn no_savepoint(name: &str) -> PgError {
    PgError::client(
        SqlState::INVALID_SAVEPOINT,
        format!("savepoint \"{name}\" does not exist"),
    )
}

fn name(control: &Control) -> &'static str {
    match control {
        Control::Empty => "an empty statement",
        Control::Begin { .. } => "BEGIN",
        Control::Commit { .. } => "COMMIT",
        Control::Rollback { .. } => "ROLLBACK",
        Control::Savepoint { .. } => "SAVEPOINT",
        Control::Release { .. } => "RELEASE SAVEPOINT",
        Control::RollbackTo { .. } => "ROLLBACK TO SAVEPOINT",
        Control::SetTransaction => "SET TRANSACTION",
        Control::Set { .. } => "SET",
        Control::Reset { .. } => "RESET",
        Control::DiscardAll => "DISCARD ALL",
        Control::Deallocate { .. } => "DEALLOCATE",
        Control::Show { .. } => "SHOW",
    }
}
