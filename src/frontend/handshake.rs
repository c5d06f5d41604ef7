//! From the first byte to a known user: startup packet, rules, proof, what the session starts with.
//!
//! ```text
//!   opening ──startup packet──> rules ──method──> candidate ──secret──> login ──proof──> let in
//!      └──cancel request──> end   └──> 28000                              └──> 28P01
//! ```
//!
//! The rules are asked before anything is known of the user; from there on a stranger takes the same road as a
//! user, up to the answer to its proof. Nothing in the startup packet but the two names has any effect before
//! that.
//!
//! Everything here happens within one deadline and within small buffers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Doors;
use super::login::{Attempt, Terms, not_crowded, wrong_password};
use super::opening::{cancel_key, negotiate, startup};
use super::options::session_settings;
use crate::auth::{Applicant, Channel, Credential, Secret, Source, method};
use crate::config::User;
use crate::error::{NAME_BYTES_MAX, PgError, SqlState, named};
use crate::net::{Buffered, Peer, timer};
use crate::session::{Failure, Registered, Settings};
use crate::topology::{LiveDatabase, Snapshot};
use crate::wire::Startup;

/// How long the last message to a client may take.
pub(super) const FAREWELL_TIMEOUT: Duration = Duration::from_secs(2);

/// The admin console's database.
pub const CONSOLE_DATABASE: &str = "trunkline";

/// How long a user of the configuration waits for what is asked of the shard as if it were a stranger.
const DECOY_TIME_MAX: Duration = Duration::from_secs(1);

/// Who was let in, and to what.
#[allow(
    clippy::large_enum_variant,
    reason = "there is one for each client, and it is moved once"
)]
pub(super) enum Login {
    Console(Registered),
    Session {
        registered: Registered,
        snapshot: Arc<Snapshot>,
        user: Arc<User>,
        /// What logs in to servers as this user.
        credential: Credential,
        database: Arc<LiveDatabase>,
        settings: Settings,
        /// By when the session must have started.
        deadline: Instant,
    },
}

/// Runs the handshake; `None` where the connection has served its purpose (a cancel request) or the
/// client left, or has taken longer than `limits.login_timeout`, whatever it sent meanwhile.
pub(super) async fn run(
    doors: &Doors,
    io: &mut Buffered,
    peer: &Peer,
) -> Result<Option<Login>, Failure> {
    let allowed = doors.shared.topology.snapshot().config.limits.login_timeout;
    let deadline = Instant::now() + allowed;
    match timer::timeout_at(deadline.into(), steps(doors, io, peer, deadline)).await {
        Ok(outcome) => outcome,
        // PostgreSQL closes without a word too.
        Err(_) => {
            tracing::debug!(%peer, "login not done in time");
            Ok(None)
        }
    }
}

async fn steps(
    doors: &Doors,
    io: &mut Buffered,
    peer: &Peer,
    deadline: Instant,
) -> Result<Option<Login>, Failure> {
    let Some((startup, snapshot)) = startup(doors, io).await? else {
        return Ok(None);
    };
    negotiate(io, &startup);
    let address = match peer {
        Peer::Tcp(address) => Some(address.ip()),
        Peer::Unix => None,
    };
    let applicant = Applicant {
        user: &startup.user,
        database: &startup.database,
        address,
        channel: channel(io),
    };
    let admitted = admit(doors, io, &snapshot, &applicant, deadline).await;
    if let Err(Failure::Fatal(_)) = &admitted {
        doors.shared.metrics.clients.login_failures.inc();
    }
    let Some((user, credential)) = admitted? else {
        return Ok(None);
    };
    let settings = session_settings(&startup)?;
    let registered = register(doors, io, peer, &startup);
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
            format!("database \"{}\" does not exist", named(&startup.database)),
        )));
    };
    let database = Arc::clone(database);
    Ok(Some(Login::Session {
        registered,
        snapshot,
        user,
        credential,
        database,
        settings,
        deadline,
    }))
}

fn channel(io: &Buffered) -> Channel {
    match io.stream.encryption() {
        None => Channel::Plain,
        Some(tls) if tls.client_certificate.is_some() => Channel::Certified,
        Some(_) => Channel::Tls,
    }
}

/// By the rules and the client's proof; `None` where the client left.
async fn admit(
    doors: &Doors,
    io: &mut Buffered,
    snapshot: &Snapshot,
    applicant: &Applicant<'_>,
    deadline: Instant,
) -> Result<Option<(Arc<User>, Credential)>, Failure> {
    let terms = Terms {
        source: Source::of(applicant.address),
        failures: snapshot.config.limits.login_failures,
        deadline,
    };
    let method = method(&snapshot.config.rules, applicant).map_err(Failure::Fatal)?;
    not_crowded(doors, terms)?;
    let (user, secret) = candidate(doors, snapshot, applicant).await?;
    let mut attempt = Attempt {
        doors,
        io,
        name: applicant.user,
        user: user.as_deref(),
        secret,
        terms,
    };
    let Some(proof) = attempt.prove(method).await? else {
        return Ok(None);
    };
    // Only now may the answer depend on whether the user exists; nobody can have proven to be nobody.
    let user = user.ok_or_else(|| wrong_password(applicant.user))?;
    let credential = proof.credential(&user.password);
    Ok(Some((user, credential)))
}

/// Who has this name, and what the proof is to be checked against. A user of the configuration comes before one
/// that a shard would have to be asked for; the shard is asked all the same, so that time tells nobody which names are
/// in the configuration.
///
/// Errors: the shard could not be asked, whoever it was to be asked for.
async fn candidate(
    doors: &Doors,
    snapshot: &Snapshot,
    applicant: &Applicant<'_>,
) -> Result<(Option<Arc<User>>, Arc<Secret>), Failure> {
    let name = applicant.user;
    let configured = snapshot.config.users.get(name);
    // PostgreSQL cuts names at this length. Nobody here has a longer one, and a shard is not asked for whomever
    // it would take it for.
    let asked = snapshot
        .databases
        .get(applicant.database)
        .filter(|database| database.config.auth_query.is_some() && name.len() <= NAME_BYTES_MAX);
    let found = match (asked, configured) {
        (None, _) => None,
        (Some(database), None) => database.verifier(name).await.map_err(Failure::Fatal)?,
        (Some(database), Some(_)) => {
            // Neither an answer nor its absence matters.
            let _ = timer::timeout(DECOY_TIME_MAX, database.verifier(name)).await;
            None
        }
    };
    if asked.is_none() || configured.is_some() {
        let secret = doors.secrets.for_user(name, configured.map(Arc::as_ref));
        return Ok((configured.cloned(), secret));
    }
    let secret = doors.secrets.for_found(name, found.as_ref());
    let user = found.map(|password| {
        Arc::new(User {
            name: name.to_owned(),
            password,
            databases: vec![applicant.database.to_owned()],
            admin: false,
            certificate: name.to_owned(),
            connections: None,
            timeouts: snapshot.config.limits.timeouts,
        })
    });
    Ok((user, secret))
}

fn register(doors: &Doors, io: &Buffered, peer: &Peer, startup: &Startup) -> Registered {
    let application = startup.parameters.get("application_name");
    doors.shared.registry.register(
        &startup.user,
        &startup.database,
        (
            peer.to_string(),
            io.stream.encryption().map_or("", |tls| tls.version),
        ),
        application.cloned().unwrap_or_default(),
        cancel_key(startup),
    )
}
