//! From the first byte to a known user: startup packet, SCRAM-SHA-256, what the session starts with.
//!
//! ```text
//!   Startup ──SSLRequest, GSSENCRequest: 'N'──> Startup ──CancelRequest──> end
//!      └─────startup packet──> Authenticate ──proof──> let in
//! ```
//!
//! Everything here happens within one deadline and within small buffers.

use std::sync::Arc;
use std::time::Duration;

use super::Doors;
use super::login::{authenticate, wrong_password};
use super::opening::{cancel_key, negotiate, startup};
use super::options::session_settings;
use crate::config::User;
use crate::error::{PgError, SqlState};
use crate::net::{Buffered, Peer};
use crate::session::{Failure, Registered, Settings};
use crate::topology::{LiveDatabase, Snapshot};

/// PostgreSQL's own `authentication_timeout`. Bytes that trickle in do not extend it.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(60);

/// How long the last message to a client may take.
pub(super) const FAREWELL_TIMEOUT: Duration = Duration::from_secs(2);

/// The admin console's database.
pub const CONSOLE_DATABASE: &str = "trunkline";

/// Who was let in, and to what.
pub(super) enum Login {
    Console(Registered),
    Session {
        registered: Registered,
        snapshot: Arc<Snapshot>,
        user: Arc<User>,
        database: Arc<LiveDatabase>,
        settings: Settings,
    },
}

/// Runs the handshake; `None` where the connection has served its purpose (a cancel request) or the
/// client left.
pub(super) async fn run(
    doors: &Doors,
    io: &mut Buffered,
    peer: &Peer,
) -> Result<Option<Login>, Failure> {
    match tokio::time::timeout(LOGIN_TIMEOUT, steps(doors, io, peer)).await {
        Ok(outcome) => outcome,
        // PostgreSQL closes without a word too.
        Err(_) => Ok(None),
    }
}

async fn steps(doors: &Doors, io: &mut Buffered, peer: &Peer) -> Result<Option<Login>, Failure> {
    let Some(startup) = startup(doors, io).await? else {
        return Ok(None);
    };
    negotiate(io, &startup);
    let snapshot = doors.shared.topology.snapshot();
    let user = snapshot.config.users.get(&startup.user).cloned();
    if !authenticate(doors, io, &startup.user, user.as_deref()).await? {
        return Ok(None);
    }
    // Only now may the answer depend on whether the user exists.
    let Some(user) = user else {
        return Err(Failure::Fatal(wrong_password(&startup.user)));
    };
    let settings = session_settings(&startup)?;
    let application = startup
        .parameters
        .get("application_name")
        .cloned()
        .unwrap_or_default();
    let registered = doors.shared.registry.register(
        &startup.user,
        &startup.database,
        peer.to_string(),
        application,
        cancel_key(&startup),
    );
    if startup.database == CONSOLE_DATABASE {
        if user.admin {
            return Ok(Some(Login::Console(registered)));
        }
        return Err(Failure::Fatal(PgError::client(
            SqlState::INSUFFICIENT_PRIVILEGE,
            format!("user \"{}\" may not use the admin console", user.name),
        )));
    }
    let database = snapshot.databases.get(&startup.database);
    let (Some(database), true) = (database, user.databases.contains(&startup.database)) else {
        // The same for a database that is not there and one that is not this user's.
        return Err(Failure::Fatal(PgError::client(
            SqlState::INVALID_CATALOG_NAME,
            format!("database \"{}\" does not exist", startup.database),
        )));
    };
    let database = Arc::clone(database);
    Ok(Some(Login::Session {
        registered,
        snapshot,
        user,
        database,
        settings,
    }))
}
