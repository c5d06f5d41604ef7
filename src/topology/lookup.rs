//! `auth_query`: asks a shard's primary for the verifiers of users who are not configured.
//!
//! The question is asked over a connection of its own, as the service user, which no client's settings
//! ever reach; its `search_path` is fixed by the connection itself, so that neither the role's nor the
//! database's own can change what the query means (CVE-2025-12819 in PgBouncer). The user's name
//! travels as a parameter. Nothing is remembered between logins: a role that was dropped, may no longer
//! log in or is beyond its VALID UNTIL counts as such at its next login (CVE-2025-2291), by the server's
//! clock.
//!
//! Whoever asks is not logged in yet. So errors are the same for all names and say nothing of the
//! servers; what is wrong stands in the log.

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::TryStreamExt;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_postgres::types::{FromSql, ToSql, Type};
use tokio_postgres::{Client, Statement};

use super::control::{Control, ControlError, ROW_ANSWER_MAX};
use super::shard::LiveShard;
use crate::config::{AuthQuery, Password, Service};
use crate::error::{NAME_BYTES_MAX, PgError, Retry, SqlState};
use crate::net::{Tls, timer};

/// One database's way to verifiers.
pub(super) struct Lookup {
    shard: Arc<LiveShard>,
    question: AuthQuery,
    service: Service,
    tls: Arc<Tls>,
    /// For all of one look-up.
    wait: Duration,
    /// Look-ups under way.
    under_way: Semaphore,
    connection: tokio::sync::Mutex<Option<Arc<Connected>>>,
    /// As last logged.
    last_error: Mutex<Option<String>>,
    /// When a row that lets nobody in was last logged.
    last_oddity: Mutex<Option<Instant>>,
}

struct Connected {
    /// Index of the server in its shard.
    server: usize,
    control: Control,
    statement: Statement,
}

impl Connected {
    async fn ask(&self, user: &str) -> Result<Answer, LookupError> {
        let asking = ask(&self.control.client, &self.statement, user);
        self.control.question(asking).await
    }
}

/// Why there is no answer; for the log only.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    #[error(transparent)]
    Control(#[from] ControlError),
    #[error("the query must give two columns, the name and the verifier, both text; it gives {0}")]
    Columns(String),
    #[error("the query must have one parameter, the user's name as text")]
    Parameter,
    #[error("no primary")]
    NoPrimary,
    #[error("no answer within {} s", .0.as_secs_f64())]
    TimedOut(Duration),
}

impl From<tokio_postgres::Error> for LookupError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Control(error.into())
    }
}

impl Lookup {
    pub(super) fn new(
        shard: &Arc<LiveShard>,
        question: AuthQuery,
        service: Service,
        tls: Arc<Tls>,
        wait: Duration,
    ) -> Self {
        Self {
            shard: Arc::clone(shard),
            question,
            service,
            tls,
            wait,
            under_way: Semaphore::new(LOOKUPS_MAX),
            connection: tokio::sync::Mutex::new(None),
            last_error: Mutex::new(None),
            last_oddity: Mutex::new(None),
        }
    }

    /// The verifier of a user who may log in now. Cancel safe.
    pub(super) async fn verifier(
        &self,
        database: &str,
        user: &str,
    ) -> Result<Option<Password>, PgError> {
        let deadline = Instant::now() + self.wait;
        let answer = match timer::timeout_at(deadline, self.ask(user, deadline)).await {
            Ok(answer) => answer,
            Err(_) => {
                self.discard(None);
                Err(LookupError::TimedOut(self.wait))
            }
        };
        match answer {
            Ok(Answer::Nobody) => {
                self.note(database, None);
                Ok(None)
            }
            Ok(Answer::Verifier(password)) => {
                self.note(database, None);
                Ok(Some(password))
            }
            // To who asks this is nobody, like any other name that cannot log in.
            Ok(Answer::Unusable(what)) => {
                self.note(database, None);
                self.note_oddity(database, user, what);
                Ok(None)
            }
            Err(error) => {
                self.note(database, Some(error.to_string()));
                Err(unavailable(database))
            }
        }
    }

    async fn ask(&self, user: &str, deadline: Instant) -> Result<Answer, LookupError> {
        let _under_way = self.under_way.acquire().await;
        let (connected, kept) = self.connected(deadline).await?;
        match connected.ask(user).await {
            // Somebody may have ended it, or changed what the query calls: that says nothing of now.
            Err(error) if kept && is_stale(&connected, &error) => {}
            answer => return answer,
        }
        self.discard(Some(&connected));
        let (connected, _) = self.connected(deadline).await?;
        connected.ask(user).await
    }

    /// The connection, and whether it was there before. Whoever finds none makes one; the others wait for
    /// that.
    async fn connected(&self, deadline: Instant) -> Result<(Arc<Connected>, bool), LookupError> {
        let mut connection = self.connection.lock().await;
        if let Some(kept) = &*connection
            && self.shard.is_primary(kept.server)
            && !kept.control.client.is_closed()
        {
            return Ok((Arc::clone(kept), true));
        }
        *connection = None;
        let until = self.shard.wait_until(self.wait).min(deadline);
        let (server, primary) = self
            .shard
            .primary_by(until)
            .await
            .ok_or(LookupError::NoPrimary)?;
        let (address, dbname) = (&primary.address, &self.shard.dbname);
        let control = Control::connect(
            address,
            dbname,
            &self.service,
            &self.tls,
            self.wait,
            ROW_ANSWER_MAX,
        )
        .await?;
        let preparing = prepare(&control.client, &self.question);
        let statement = control.question(preparing).await?;
        let connected = Arc::new(Connected {
            server,
            control,
            statement,
        });
        *connection = Some(Arc::clone(&connected));
        Ok((connected, false))
    }

    /// Keeps the connection no longer, if it is still this one. Who holds the lock makes a new one anyway.
    fn discard(&self, connected: Option<&Arc<Connected>>) {
        if let Ok(mut connection) = self.connection.try_lock() {
            let same = |kept: &Arc<Connected>| connected.is_none_or(|one| Arc::ptr_eq(one, kept));
            connection.take_if(|kept| same(kept));
        }
    }

    /// Logs what is wrong when it changes, not at each login.
    fn note(&self, database: &str, problem: Option<String>) {
        let mut last = self
            .last_error
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if *last == problem {
            return;
        }
        let shard = &*self.shard.name;
        match &problem {
            Some(error) => tracing::warn!(database, shard, error, "auth_query has no answer"),
            None => tracing::info!(database, shard, "auth_query answers again"),
        }
        *last = problem;
    }

    /// Logs a row that lets nobody in, seldom: strangers choose the names.
    fn note_oddity(&self, database: &str, user: &str, what: &str) {
        let mut last = self
            .last_oddity
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if last.is_none_or(|last| last.elapsed() > ODDITY_INTERVAL) {
            *last = Some(Instant::now());
            let shard = &*self.shard.name;
            tracing::warn!(
                database,
                shard,
                user,
                what,
                "auth_query gives an unusable row"
            );
        }
    }
}

/// What a shard says of a user.
#[derive(Debug, PartialEq)]
pub enum Answer {
    /// No such user, none who may log in now, or none with a password.
    Nobody,
    Verifier(Password),
    /// Something nobody can log in with.
    Unusable(&'static str),
}

/// Asks a connected server, for `check`: would the look-up of a user work?
pub async fn try_lookup(
    client: &Client,
    question: &AuthQuery,
    user: &str,
) -> Result<Answer, LookupError> {
    ask(client, &prepare(client, question).await?, user).await
}

async fn prepare(client: &Client, question: &AuthQuery) -> Result<Statement, LookupError> {
    let statement = match &question.query {
        Some(query) => client.prepare(query).await?,
        None => client.prepare_typed(DEFAULT_QUERY, &[Type::TEXT]).await?,
    };
    let name_fits = matches!(statement.params(), [name] if <&str as ToSql>::accepts(name));
    if !name_fits {
        return Err(LookupError::Parameter);
    }
    let columns: Vec<&Type> = statement
        .columns()
        .iter()
        .map(|column| column.type_())
        .collect();
    let texts = columns
        .iter()
        .all(|column| <&str as FromSql>::accepts(column));
    if columns.len() != 2 || !texts {
        let columns: Vec<&str> = columns.iter().map(|column| column.name()).collect();
        return Err(LookupError::Columns(columns.join(", ")));
    }
    Ok(statement)
}

async fn ask(client: &Client, statement: &Statement, user: &str) -> Result<Answer, LookupError> {
    // No role has such a name, and servers would cut it to that of another.
    if user.len() > NAME_BYTES_MAX {
        return Ok(Answer::Nobody);
    }
    // Read row by row: a query that gives the whole table must not end up in memory.
    let mut rows = pin!(client.query_raw(statement, [user]).await?);
    let Some(row) = rows.try_next().await? else {
        return Ok(Answer::Nobody);
    };
    if rows.try_next().await?.is_some() {
        return Ok(Answer::Unusable("the query gives more than one row"));
    }
    Ok(judge(user, row.try_get(0)?, row.try_get(1)?))
}

fn judge(user: &str, name: Option<&str>, verifier: Option<&str>) -> Answer {
    let Some(verifier) = verifier else {
        return Answer::Nobody;
    };
    if name != Some(user) {
        return Answer::Unusable("the query gives another user's row");
    }
    match Password::from_stored(verifier) {
        Some(password) => Answer::Verifier(password),
        None => Answer::Unusable("the query gives neither a SCRAM verifier nor an MD5 hash"),
    }
}

/// The connection is closed, or what was prepared is no longer what would be prepared now.
fn is_stale(connected: &Connected, error: &LookupError) -> bool {
    let LookupError::Control(ControlError::Postgres(error)) = error else {
        return false;
    };
    connected.control.client.is_closed()
        || error.is_closed()
        || error.code().is_some_and(|code| {
            *code == tokio_postgres::error::SqlState::FEATURE_NOT_SUPPORTED
                || code.code().starts_with("57P")
        })
}

/// The same for every name.
fn unavailable(database: &str) -> PgError {
    let error = PgError::shard(
        SqlState::CANNOT_CONNECT_NOW,
        format!("users of database \"{database}\" cannot be looked up now"),
    );
    PgError {
        retry: Retry::Safe,
        ..error
    }
}

/// What the server itself checks at a login, by its own clock. The name is compared as text: as `name` it
/// would be cut to 63 bytes.
/// Source: <https://www.postgresql.org/docs/current/catalog-pg-authid.html>
const DEFAULT_QUERY: &str = "\
SELECT a.rolname::pg_catalog.text, a.rolpassword::pg_catalog.text
  FROM pg_catalog.pg_authid AS a
 WHERE a.rolname::pg_catalog.text OPERATOR(pg_catalog.=) $1
   AND a.rolcanlogin
   AND (a.rolvaliduntil IS NULL OR a.rolvaliduntil OPERATOR(pg_catalog.>) pg_catalog.clock_timestamp())";

/// Look-ups under way for one database; further ones wait. They share a connection.
const LOOKUPS_MAX: usize = 16;
const ODDITY_INTERVAL: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_judged() {
        let md5 = "md5d41d8cd98f00b204e9800998ecf8427e";
        let scram = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";
        assert!(matches!(
            judge("a", Some("a"), Some(scram)),
            Answer::Verifier(Password::Scram { .. })
        ));
        assert!(matches!(
            judge("a", Some("a"), Some(md5)),
            Answer::Verifier(Password::Md5 { .. })
        ));
        assert_eq!(judge("a", Some("a"), None), Answer::Nobody);
        for (name, verifier) in [
            (Some("A"), scram),
            (Some(""), scram),
            (None, scram),
            (Some("a"), "secret"),
            (Some("a"), ""),
            (Some("a"), "md5short"),
            (Some("a"), "SCRAM-SHA-256$"),
        ] {
            assert!(
                matches!(judge("a", name, Some(verifier)), Answer::Unusable(_)),
                "{name:?} {verifier}"
            );
        }
    }
}
