//! One client from its first byte to its last.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BytesMut};

use super::Client;
use super::handshake::{self, Login};
use super::login::Gate;
use super::service::{self, Parting};
use crate::admin::{Console, ReloadHandle};
use crate::auth::Secrets;
use crate::error::{PgError, SqlState};
use crate::net::{Buffered, Peer, Seat, Stream, Workers, timer};
use crate::session::{Admission, Failure, Place, Refusal, Session, Shared, TurnedAway};
use crate::wire::{self, CancelRequest, Replies, StartupPacket, TransactionStatus};

/// How long a login may take that only an admin can complete.
const ADMIN_LOGIN_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a client that is turned away may take to say what it wants.
const TURN_AWAY_TIMEOUT: Duration = Duration::from_secs(1);

/// Requests for two kinds of encryption, then what it wants.
const TURNED_AWAY_PACKETS_MAX: usize = 3;

/// What a client may still send after its last message, so that it gets to read it.
const FAREWELL_BYTES_MAX: usize = 256 * 1024;

/// What every client's task needs.
pub struct Doors {
    pub shared: Arc<Shared>,
    pub secrets: Arc<Secrets>,
    pub gate: Gate,
    /// For the console's RELOAD.
    pub reload: ReloadHandle,
    pub workers: Arc<Workers>,
}

/// Lets a client in, or turns it away: in a task of its own, which this returns without waiting for.
pub fn receive(doors: &Arc<Doors>, stream: Stream, peer: Peer) {
    let clients = &doors.shared.metrics.clients;
    clients.accepted.inc();
    let limits = &doors.shared.topology.snapshot().config.limits;
    match doors.shared.registry.crowd.admit(&peer, limits) {
        Admission::Place(place) => {
            let opening = Box::pin(open(doors.clone(), stream, peer, place));
            tokio::spawn(let_in(doors.clone(), opening));
        }
        Admission::TurnedAway(away) => {
            tokio::spawn(turn_away(doors.clone(), stream, away));
        }
        Admission::Closed(refusal) => {
            clients.refused(refusal.name()).inc();
            // What the socket takes at once, and no more: others are being turned away with care.
            stream.try_write_now(&last_words(refusal));
        }
    }
}

/// What a client is told for whom there is no place, as bytes.
pub fn last_words(refusal: Refusal) -> BytesMut {
    let mut words = BytesMut::new();
    words.error(&refusal.error());
    words
}

/// Lets one client in and hands it over to where its session is served.
///
/// There may be thousands of clients, most of them idle: what a login takes, and what work takes, is on the heap
/// while it lasts, and their tasks are small.
async fn let_in(doors: Arc<Doors>, opening: Pin<Box<impl Future<Output = Option<Opened>>>>) {
    let connected = Connected::new(doors);
    let Some(Opened { client, place }) = opening.await else {
        return;
    };
    let workers = &connected.0.workers;
    let seat = workers.seat(workers.next_home());
    client.session.entry().interrupt.move_to(seat.home());
    let served = Served {
        client,
        seat,
        place,
        connected,
    };
    served.settle();
}

/// A client and its session, which may move from one runtime to another.
struct Served {
    client: Box<Client>,
    seat: Seat,
    /// Given back when all is over.
    place: Place,
    connected: Connected,
}

impl Served {
    /// Goes on in the runtime where the session has its seat, in a task of its own there.
    fn settle(self) {
        let runtime = self.seat.runtime().clone();
        runtime.spawn(self.run());
    }

    /// Serves the client until it leaves or its session moves.
    async fn run(mut self) {
        self.client.io.come_home();
        let outcome = match service::session(&mut self.client).await {
            Ok(Parting::Moves(home)) => {
                self.seat = self.connected.0.workers.seat(home);
                return self.settle();
            }
            Ok(Parting::Left) => Ok(()),
            Err(failure) => Err(failure),
        };
        Box::pin(leave(&self.connected.0, *self.client, outcome)).await;
        drop(self.place);
    }
}

/// A client that has been let in and told so, but for its output.
struct Opened {
    client: Box<Client>,
    place: Place,
}

/// From the first byte to a session; `None` where there is none, and all has been said. The console is
/// served here.
async fn open(doors: Arc<Doors>, stream: Stream, peer: Peer, place: Place) -> Option<Opened> {
    let traffic = doors.shared.metrics.clients.traffic.clone();
    let mut io = Buffered::counted(stream, traffic);
    match Box::pin(log_in(&doors, &mut io, &peer, &place)).await {
        Ok(Some(login)) => {
            let client = Box::pin(logged_in(&doors, io, login)).await?;
            Some(Opened { client, place })
        }
        Ok(None) => None,
        Err(failure) => {
            let (kind, code) = (failure.kind(), failure.code().map(tracing::field::display));
            tracing::debug!(%peer, kind, code, "login failed");
            farewell(&doors, &mut io, failure).await;
            None
        }
    }
}

/// The handshake, and what only those may hear who have passed it: is there a place for this user?
async fn log_in(
    doors: &Doors,
    io: &mut Buffered,
    peer: &Peer,
    place: &Place,
) -> Result<Option<Login>, Failure> {
    let limits = || doors.shared.topology.snapshot().config.limits.clone();
    let handshake = handshake::run(doors, io, peer);
    let mut login = if place.is_for_admins(&limits()) {
        // Whoever is here is an admin, or in the way of one.
        match timer::timeout(ADMIN_LOGIN_TIMEOUT, handshake).await {
            Ok(login) => login?,
            Err(_) => return Ok(None),
        }
    } else {
        handshake.await?
    };
    if let Some(Login::Session {
        registered, user, ..
    }) = &mut login
    {
        if place.is_for_admins(&limits()) {
            return Err(refused(doors, Refusal::Total, Refusal::Total.error()));
        }
        let limit = user.connections.or(limits().connections_per_user);
        registered
            .count_user(limit)
            .map_err(|error| refused(doors, Refusal::User, error))?;
    }
    Ok(login)
}

fn refused(doors: &Doors, refusal: Refusal, error: PgError) -> Failure {
    doors.shared.metrics.clients.refused(refusal.name()).inc();
    Failure::Fatal(error)
}

/// Tells a client that there is no place for it, once it has said what it wants: a cancel request is
/// served all the same. Nothing here may take long or much.
async fn turn_away(doors: Arc<Doors>, stream: Stream, away: TurnedAway) {
    let mut io = Buffered::counted(stream, doors.shared.metrics.clients.traffic.clone());
    let wanted = timer::timeout(TURN_AWAY_TIMEOUT, wanted(&doors, &mut io)).await;
    if let Ok(Some(cancel)) = wanted {
        doors
            .shared
            .registry
            .cancel(cancel.process_id, &cancel.secret)
            .await;
        return;
    }
    let failure = refused(&doors, away.refusal, away.refusal.error());
    farewell(&doors, &mut io, failure).await;
}

/// Reads until it is known whether this is a cancel request.
async fn wanted(doors: &Doors, io: &mut Buffered) -> Option<CancelRequest> {
    let has_tls = doors.shared.topology.snapshot().config.tls.is_some();
    for _ in 0..TURNED_AWAY_PACKETS_MAX {
        let (packet, length) = loop {
            match wire::startup_packet(&io.input).ok()? {
                Some(found) => break found,
                None if io.fill().await.ok()? == 0 => return None,
                None => {}
            }
        };
        io.input.advance(length);
        match packet {
            StartupPacket::Cancel(request) => return Some(request),
            StartupPacket::Startup(_) => return None,
            // Encrypting a refusal would cost more than it is worth: the error is the answer, as PostgreSQL's
            // is when it cannot start a process.
            StartupPacket::Ssl if has_tls => return None,
            StartupPacket::Ssl | StartupPacket::GssEnc => {
                io.output.extend_from_slice(b"N");
                io.flush().await.ok()?;
            }
        }
    }
    None
}

/// Counts a client among the connected ones, though its task be aborted.
struct Connected(Arc<Doors>);

impl Connected {
    fn new(doors: Arc<Doors>) -> Self {
        doors.shared.metrics.clients.connections.inc();
        Self(doors)
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.shared.metrics.clients.connections.dec();
    }
}

/// Begins a session, or serves the console.
async fn logged_in(doors: &Arc<Doors>, mut io: Buffered, login: Login) -> Option<Box<Client>> {
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
            if let Err(failure) = outcome {
                farewell(doors, &mut io, failure).await;
            }
            None
        }
        Login::Session {
            registered,
            snapshot,
            user,
            credential,
            database,
            settings,
            deadline,
        } => {
            let session = Session::new(
                doors.shared.clone(),
                registered,
                snapshot,
                (user, credential),
                database,
            );
            io.heed_goodbye(wire::says_goodbye);
            let mut client = Box::new(Client {
                io,
                session,
                pipeline: Default::default(),
                scratch: Vec::new(),
            });
            let Client { io, session, .. } = &mut *client;
            let start = session.start(io, settings);
            let started = timer::timeout_at(deadline.into(), start).await;
            if let Err(failure) = started.unwrap_or_else(|_| Err(too_slow())) {
                let Client {
                    mut io, session, ..
                } = *client;
                // What it asked of a server has no answer yet: the connection is closed.
                drop(session);
                farewell(doors, &mut io, failure).await;
                return None;
            }
            welcome(io, session.entry(), session.reported().iter());
            Some(client)
        }
    }
}

/// In PostgreSQL's words, which it keeps to its log: this client has proven who it is.
fn too_slow() -> Failure {
    Failure::Fatal(PgError::proxy(
        SqlState::QUERY_CANCELED,
        "canceling authentication due to timeout",
    ))
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

/// The session ends: what it has open is rolled back while the client hears why.
async fn leave(doors: &Doors, client: Client, outcome: Result<(), Failure>) {
    let Client {
        mut io, session, ..
    } = client;
    let farewell = async {
        if let Err(failure) = outcome {
            farewell(doors, &mut io, failure).await;
        }
    };
    tokio::join!(session.end(), farewell);
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
    let said = async {
        if io.shutdown().await.is_ok() {
            io.drain(FAREWELL_BYTES_MAX).await;
        }
    };
    // A client that does not read its farewell does not get to keep the socket.
    let _ = timer::timeout(handshake::FAREWELL_TIMEOUT, said).await;
}
