//! One client from its first byte to its last.

use std::sync::Arc;

use super::handshake::{self, Login};
use super::login::Gate;
use super::{Client, service};
use crate::admin::{Console, ReloadHandle};
use crate::auth::Secrets;
use crate::error::{PgError, SqlState};
use crate::metrics::ClientMetrics;
use crate::net::{Buffered, Peer, Stream};
use crate::session::{Failure, Session, Shared};
use crate::wire::{Replies, TransactionStatus};

/// What every client's task needs.
pub struct Doors {
    pub shared: Arc<Shared>,
    pub secrets: Arc<Secrets>,
    pub gate: Gate,
    /// For the console's RELOAD.
    pub reload: ReloadHandle,
}

/// Serves one client until it leaves.
pub async fn serve_client(doors: Arc<Doors>, stream: Stream, peer: Peer) {
    let clients = &doors.shared.metrics.clients;
    clients.accepted.inc();
    let _connected = Connected::new(clients);
    let mut io = Buffered::new(stream.counted(clients.traffic.clone()));
    match handshake::run(&doors, &mut io, &peer).await {
        Ok(Some(login)) => logged_in(&doors, io, login).await,
        Ok(None) => {}
        Err(failure) => {
            tracing::debug!(%peer, failure = ?failure, "login failed");
            farewell(&doors, &mut io, failure).await;
        }
    }
}

/// Counts a client among the connected ones, though its task be aborted.
struct Connected<'a>(&'a ClientMetrics);

impl<'a> Connected<'a> {
    fn new(clients: &'a ClientMetrics) -> Self {
        clients.connections.inc();
        Self(clients)
    }
}

impl Drop for Connected<'_> {
    fn drop(&mut self) {
        self.0.connections.dec();
    }
}

async fn logged_in(doors: &Arc<Doors>, mut io: Buffered, login: Login) {
    match login {
        Login::Console(registered) => {
            let user = &registered.entry.user;
            let console = Console::new(doors.shared.clone(), user, doors.reload.clone());
            welcome(
                &mut io,
                &registered.entry,
                Console::PARAMETERS.iter().copied(),
            );
            let outcome = service::console(&mut io, &console, &registered.entry).await;
            end(doors, &mut io, outcome).await;
        }
        Login::Session {
            registered,
            snapshot,
            user,
            credential,
            database,
            settings,
        } => {
            let mut session = Session::new(
                doors.shared.clone(),
                registered,
                snapshot,
                (user, credential),
                database,
            );
            if let Err(failure) = session.start(&mut io, settings).await {
                farewell(doors, &mut io, failure).await;
                return;
            }
            let entry = session.entry().clone();
            let parameters = session.reported().clone();
            welcome(&mut io, &entry, parameters.iter());
            let mut client = Client {
                io,
                session,
                pipeline: Default::default(),
                scratch: Vec::new(),
            };
            let outcome = service::session(&mut client).await;
            let Client {
                mut io, session, ..
            } = client;
            session.end().await;
            end(doors, &mut io, outcome).await;
        }
    }
}

/// What a client is told after it is let in.
fn welcome<'a>(
    io: &mut Buffered,
    entry: &crate::session::Entry,
    parameters: impl Iterator<Item = (&'a str, &'a str)>,
) {
    io.output.authentication_ok();
    for (name, value) in parameters {
        io.output.parameter_status(name, value);
    }
    io.output.backend_key_data(entry.process_id, entry.secret());
    io.output.ready_for_query(TransactionStatus::Idle);
}

async fn end(doors: &Doors, io: &mut Buffered, outcome: Result<(), Failure>) {
    match outcome {
        Ok(()) => {}
        Err(failure) => farewell(doors, io, failure).await,
    }
}

/// The last message, if one can still be said.
async fn farewell(doors: &Doors, io: &mut Buffered, failure: Failure) {
    let error = match failure {
        Failure::Statement(error) | Failure::Fatal(error) => error.fatal(),
        Failure::Told => PgError::proxy(SqlState::INTERNAL_ERROR, "the session ended").fatal(),
        Failure::Gone(error) => {
            tracing::debug!(%error, "the client is gone");
            return;
        }
    };
    doors.shared.metrics.error(error.code);
    io.output.error(&error);
    // A client that does not read its farewell does not get to keep the socket.
    let _ = tokio::time::timeout(handshake::FAREWELL_TIMEOUT, io.shutdown()).await;
}
