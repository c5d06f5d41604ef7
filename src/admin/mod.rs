//! The console: commands, and the views (rows) that console, command line and HTTP all show.
//!
//! ```text
//!   text ─> command (the table) ─> show ─> View
//!                               └> reload ─> the server's signal loop
//! ```
//!
//! `command` is the one table that parser, `SHOW HELP` and `docs/admin.md` are made from. The console
//! speaks to no PostgreSQL: all it shows is what other rooms know already.

mod command;
mod reload;
mod show;

pub use reload::{ReloadHandle, ReloadRequest};
pub use show::unready;

use std::sync::Arc;

use crate::error::{PgError, Severity, SqlState};
use crate::session::Shared;
use crate::wire::Column;
use command::{Command, parse};

/// What a command answers with.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// `None` for a command without rows.
    pub columns: Option<Vec<Column>>,
    pub rows: Vec<Vec<Option<String>>>,
    /// CommandComplete's tag; empty where there was nothing between the semicolons.
    pub tag: String,
}

impl View {
    fn done(tag: &str) -> Self {
        Self {
            tag: tag.to_owned(),
            ..Self::default()
        }
    }
}

/// The admin database of one proxy, as one user sees it.
pub struct Console {
    shared: Arc<Shared>,
    user: String,
    reload: ReloadHandle,
}

impl Console {
    /// What drivers expect to be told when they connect.
    pub const PARAMETERS: [(&str, &str); 6] = [
        ("server_version", "15.0 (Trunkline)"),
        ("server_encoding", "UTF8"),
        ("client_encoding", "UTF8"),
        ("DateStyle", "ISO, MDY"),
        ("integer_datetimes", "on"),
        ("standard_conforming_strings", "on"),
    ];

    pub fn new(shared: Arc<Shared>, user: &str, reload: ReloadHandle) -> Self {
        Self {
            shared,
            user: user.to_owned(),
            reload,
        }
    }

    /// Runs one command.
    ///
    /// Errors: 42501 where a reload has taken the user's right away since it connected, 42601 for what
    /// is no command, 0A000 for several at once, F0000 for a configuration that cannot be taken.
    pub async fn run(&self, text: &str) -> Result<View, PgError> {
        let outcome = self.answer(text).await;
        // A fatal one is counted where the connection ends.
        if let Err(error) = &outcome
            && error.severity == Severity::Error
        {
            self.shared.metrics.error(error.code);
        }
        outcome
    }

    async fn answer(&self, text: &str) -> Result<View, PgError> {
        self.admit()?;
        match parse(text)? {
            Command::Show(view) => Ok(show::view(view, &self.shared)),
            Command::Reload => {
                let notes = self.reload.reload().await?;
                let done = "the configuration was read and taken";
                let message = if notes.is_empty() {
                    done.into()
                } else {
                    format!("{done}; {notes}")
                };
                Ok(show::message("RELOAD", message))
            }
            Command::Ignored(tag) => Ok(View::done(tag)),
        }
    }

    fn admit(&self) -> Result<(), PgError> {
        let snapshot = self.shared.topology.snapshot();
        if snapshot
            .config
            .users
            .get(&self.user)
            .is_some_and(|user| user.admin)
        {
            return Ok(());
        }
        let message = format!("user \"{}\" may no longer use the admin console", self.user);
        Err(PgError::client(SqlState::INSUFFICIENT_PRIVILEGE, message).fatal())
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) mod testing;
