//! From the server's socket to the client's, frame headers read, frames not.
//!
//! ```text
//!   server ──> input ──step──> runs of frames ──> client        (no channel, no second task)
//!                       │
//!                       └─ expects: what each frame answers; state-carrying frames are looked into
//! ```
//!
//! Memory is bounded: one read's worth of input, one output buffer; a frame larger than both streams
//! through. A slow client stops the reading, and so the server.

#[cfg(any(test, feature = "internals"))]
mod desk;
mod meaning;
mod oids;
#[cfg(test)]
mod tests;

#[cfg(feature = "internals")]
pub use desk::fuzz;

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};

use super::copy::CopyIn;
use super::expect::{Expect, Forward};
use super::fault::{lost, violation};
use super::transfer::{Side, poll_transfer};
use crate::backend::Connection;
use crate::error::{PgError, SqlState};
use crate::net::{Buffered, OUTPUT_BYTES_MAX, poll_write};
use crate::wire::{
    Described, HEADER_BYTES, PARSE_COMPLETE, TransactionStatus, backend, frontend, header,
    put_close, put_flush, put_sync, says_goodbye,
};
use meaning::{Cycle, Seen, is_fatal};
use oids::Oids;

/// Runs at least this long are written from the input buffer, shorter ones are copied to the output.
const DIRECT_BYTES: usize = 8 * 1024;

/// Why the relay stopped without error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paused {
    /// The server owes nothing.
    Done,
    /// The server waits for CopyData.
    CopyIn,
}

/// Why the relay cannot go on.
#[derive(Debug)]
pub enum RelayError {
    /// The client has closed its connection, or broken it.
    Client(io::Error),
    /// The client has sent what has no place in a COPY. It can be told, but not be followed further.
    Misplaced(PgError),
    /// The server connection is of no more use. The client can still be told.
    Server(PgError),
    /// The same in the middle of a frame: nothing more can be said to the client.
    Torn(PgError),
}

/// The rest of a frame whose header has been dealt with.
#[derive(Clone, Copy, Debug)]
struct Partial {
    remaining: usize,
    forward: Forward,
}

/// What one look at the input buffer decided.
#[derive(Debug)]
struct Step {
    /// Bytes at the head of the input for the client.
    forward: usize,
    /// Bytes behind them that nobody needs.
    skip: usize,
    then: Then,
}

impl Step {
    /// With nothing to skip.
    fn of(forward: usize, then: Then) -> Self {
        Self {
            forward,
            skip: 0,
            then,
        }
    }
}

#[derive(Debug)]
enum Then {
    /// All that has arrived is dealt with.
    Read,
    Again,
    Local(Bytes),
    Paused(Paused),
    Failed(PgError),
}

/// The answers due from one server connection.
#[derive(Debug)]
pub struct Relay {
    expects: VecDeque<Expect>,
    partial: Option<Partial>,
    copying_in: bool,
    /// A copy's data is being taken from the client, part of a message of it perhaps, also where the server
    /// no longer wants it.
    taking_copy: bool,
    cycle: Cycle,
    /// Something has been asked since the server last owed nothing.
    asked: bool,
    /// From the last ReadyForQuery.
    pub status: TransactionStatus,
    /// SQLSTATE of an ErrorResponse the client was sent, until somebody takes it.
    pub error: Option<SqlState>,
    /// CommandCompletes of the statements in the last simple query.
    pub completed: usize,
    /// Statements of the client a server has answered without error, until somebody takes it.
    pub answered: usize,
    /// Names of the client's whose Parse failed or was skipped, until somebody takes them.
    pub unparsed: Vec<Box<[u8]>>,
    /// The server took a Sync for part of a COPY: the client will send another.
    pub sync_ignored: bool,
    /// The server has reported a parameter, and the client been told, since this was last cleared.
    pub parameters_changed: bool,
    /// A run of frames is on its way to the client, part of it perhaps in its socket.
    sending: bool,
    /// The step of that run, or of one that waits for the output ahead of it to leave.
    halfway: Option<Step>,
    /// Somebody has asked the server to cancel because of a deadline: its error is told in those words.
    pub timed_out: Arc<AtomicBool>,
    /// The statement that runs was told in other words than the client's: from which character on, and by how many, its
    /// positions are further. Until the next ReadyForQuery.
    pub shifts: Vec<(usize, isize)>,
    /// How the shard's OIDs of types are told, where that is not by themselves.
    oids: Option<Box<Oids>>,
}

impl Default for Relay {
    fn default() -> Self {
        Self {
            expects: VecDeque::new(),
            partial: None,
            copying_in: false,
            taking_copy: false,
            cycle: Cycle::default(),
            asked: false,
            status: TransactionStatus::Idle,
            error: None,
            completed: 0,
            answered: 0,
            unparsed: Vec::new(),
            sync_ignored: false,
            parameters_changed: false,
            sending: false,
            halfway: None,
            timed_out: Arc::default(),
            shifts: Vec::new(),
            oids: None,
        }
    }
}

impl Relay {
    pub fn push(&mut self, expect: Expect) {
        self.expects.push_back(expect);
    }

    /// A COPY whose Sync was sent ahead has failed: whether the server has taken that has to be asked for.
    pub fn is_out_of_step(&self) -> bool {
        self.error.is_some() && self.sync_ignored
    }

    /// Asks whether the server has taken the Sync sent ahead of a COPY that failed: it has not if the
    /// error came before the server looked for data. Two Syncs with a Close between them tell, by the
    /// number of ReadyForQuery ahead of CloseComplete; `sync_ignored` is the answer.
    pub fn resync(&mut self, server: &mut Connection) {
        // The server may have answered the one sent ahead.
        self.asked = true;
        put_sync(&mut server.output);
        put_close(&mut server.output, frontend::CLOSE, Described::Portal(b""))
            .expect("a name of no length fits");
        put_sync(&mut server.output);
        self.push(Expect::Resync { ready: 0 });
        self.push(Expect::Sync);
    }

    /// How many answers the server owes.
    pub fn due(&self) -> usize {
        self.expects.len()
    }

    pub fn is_idle(&self) -> bool {
        self.expects.is_empty()
    }

    /// True where the client has been sent part of a message, or of a copy it may be sending another part:
    /// a `poll_run` or `copy_in` that is given up now leaves nothing to be said.
    pub fn is_torn(&self) -> bool {
        let to_client = |partial: Partial| partial.forward == Forward::ToClient;
        self.sending || self.halfway.is_some() || self.partial.is_some_and(to_client)
    }

    /// What the client sends next is data of a copy: a `copy_in` that is dropped now leaves nobody who knows
    /// where its next message begins.
    pub fn is_copying_in(&self) -> bool {
        self.copying_in || self.taking_copy
    }

    /// Forgets what a lost connection owed. The statements it was to prepare are not.
    pub fn reset(&mut self) {
        let owed = std::mem::take(self);
        self.unparsed = owed.unparsed;
        self.timed_out = owed.timed_out;
        for expect in owed.expects {
            match expect {
                Expect::Parse { name, .. } => self.unparsed.extend(name),
                Expect::Known(name) => self.unparsed.push(name),
                _ => {}
            }
        }
    }

    /// Before the first bytes of a question leave: what has arrived by then answers nothing, and must not
    /// be taken for the answer. Costs no system call where the runtime has heard nothing of the socket.
    ///
    /// Errors: 08006, where it is more than what a server may say unasked.
    pub fn poll_ask(
        &mut self,
        server: &mut Connection,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), PgError>> {
        if self.asked {
            return Poll::Ready(Ok(()));
        }
        if server.has_news() {
            match server.poll_fill(cx) {
                Poll::Ready(Ok(0)) => {
                    let end = io::ErrorKind::UnexpectedEof.into();
                    return Poll::Ready(Err(lost(server, &end)));
                }
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(e)) => return Poll::Ready(Err(lost(server, &e))),
                // There is something, which another runtime has to tell of.
                Poll::Pending if server.has_news() => return Poll::Pending,
                // It was for TLS alone.
                Poll::Pending => {}
            }
        }
        self.asked = true;
        let mut ahead = &server.input[..];
        while !ahead.is_empty() {
            if !may_come_unasked(ahead) {
                return Poll::Ready(Err(violation(server, "an answer nobody asked for")));
            }
            ahead = match header(ahead) {
                Ok(Some(head)) => ahead.get(head.len..).unwrap_or_default(),
                Ok(None) | Err(_) => &[],
            };
        }
        Poll::Ready(Ok(()))
    }

    /// Sends what is queued for the server and relays its answers until it owes nothing or waits for
    /// CopyData. Small answers are left in the client's output buffer.
    ///
    /// All its state is the relay's: a run that is given up can be gone on with.
    pub fn poll_run(
        &mut self,
        server: &mut Connection,
        client: &mut Buffered,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Paused, RelayError>> {
        client.heed_goodbye(says_goodbye);
        ready!(self.poll_ask(server, cx)).map_err(RelayError::Server)?;
        loop {
            let nothing_new = self.awaits_input(server, client);
            if !nothing_new && let Some(paused) = ready!(self.poll_drain(server, client, cx))? {
                // A pipeline of our own (no answers due) still has to leave.
                if !server.output.is_empty() || server.stream.holds_back() {
                    ready!(poll_write(&mut server.stream, &mut server.output, cx))
                        .map_err(|e| self.broken(lost(server, &e)))?;
                }
                self.asked &= paused != Paused::Done;
                return Poll::Ready(Ok(paused));
            }
            // The client is watched so that one that leaves is noticed while its statement runs.
            let moved = ready!(poll_transfer(server, client, false, cx));
            moved.map_err(|side| self.failed(server, side))?;
        }
    }

    /// As [`Self::poll_run`].
    async fn run(
        &mut self,
        server: &mut Connection,
        client: &mut Buffered,
    ) -> Result<Paused, RelayError> {
        poll_fn(|cx| self.poll_run(server, client, cx)).await
    }

    /// Passes the client's CopyData on until it ends the copy, or the server does.
    ///
    /// Not cancel safe: how far a message of the client's has been passed on is forgotten.
    pub async fn copy_in(
        &mut self,
        server: &mut Connection,
        client: &mut Buffered,
    ) -> Result<Paused, RelayError> {
        self.taking_copy = true;
        let mut copy = CopyIn::default();
        loop {
            let drained = poll_fn(|cx| self.poll_drain(server, client, cx)).await;
            let drained = match drained {
                Ok(drained) => drained,
                Err(error) => return Err(copy.abandon(client, error).await),
            };
            if drained == Some(Paused::Done) || !self.copying_in {
                if let Err(error) = copy.finish(server, client).await {
                    let error = self.failed(server, error);
                    return Err(copy.abandon(client, error).await);
                }
                self.taking_copy = false;
                return self.run(server, client).await;
            }
            match copy.pass(&mut client.input, &mut server.output) {
                Ok(false) => {
                    client.mid_message(copy.remaining());
                    // Until something has arrived on either side.
                    let moved = poll_fn(|cx| poll_transfer(server, client, true, cx)).await;
                    if let Err(side) = moved {
                        let error = self.failed(server, side);
                        return Err(copy.abandon(client, error).await);
                    }
                }
                Ok(true) => {
                    self.copying_in = false;
                    self.taking_copy = false;
                    if matches!(self.expects.front(), Some(Expect::Execute { .. })) {
                        // Without it the server keeps CommandComplete until the client's next Sync.
                        put_flush(&mut server.output);
                    }
                    return self.run(server, client).await;
                }
                Err(error) => return Err(RelayError::Misplaced(error)),
            }
        }
    }

    /// What is our own goes with what the server says next: by itself it would wake the client for nothing. Where
    /// nothing else is due, all of it.
    fn own_alone(&mut self) -> Then {
        let own = |expect: &Expect| matches!(expect, Expect::Known(_));
        if !self.expects.iter().all(own) {
            return Then::Read;
        }
        let count = self.expects.drain(..).count();
        Then::Local(PARSE_COMPLETE.repeat(count).into())
    }

    /// True where [`Self::poll_drain`] would find nothing to do.
    fn awaits_input(&self, server: &Connection, client: &Buffered) -> bool {
        let is_servers_turn = !matches!(self.expects.front(), None | Some(Expect::Known(_)));
        server.input.is_empty()
            && is_servers_turn
            && !self.copying_in
            && self.halfway.is_none()
            && client.output.len() < OUTPUT_BYTES_MAX
    }

    /// Deals with all that has arrived; `None` where more has to.
    fn poll_drain(
        &mut self,
        server: &mut Connection,
        client: &mut Buffered,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Paused>, RelayError>> {
        loop {
            let mut step = match self.halfway.take() {
                Some(step) => step,
                None => self.step(server),
            };
            if self.sending || step.forward >= DIRECT_BYTES {
                let Poll::Ready(sent) = self.poll_send(&mut step, server, client, cx) else {
                    self.halfway = Some(step);
                    return Poll::Pending;
                };
                sent.map_err(RelayError::Client)?;
            } else {
                client
                    .output
                    .extend_from_slice(&server.input[..step.forward]);
            }
            server.input.advance(step.forward + step.skip);
            match step.then {
                Then::Again => {}
                Then::Read => {
                    if client.output.len() >= OUTPUT_BYTES_MAX {
                        ready!(client.poll_flush_watching(cx)).map_err(RelayError::Client)?;
                    }
                    return Poll::Ready(Ok(None));
                }
                Then::Local(bytes) => client.output.extend_from_slice(&bytes),
                Then::Paused(paused) => return Poll::Ready(Ok(Some(paused))),
                Then::Failed(error) => return Poll::Ready(Err(self.broken(error))),
            }
        }
    }

    /// Sends a step's run of frames behind what the client is to be sent first, and takes it out of the input as it goes.
    fn poll_send(
        &mut self,
        step: &mut Step,
        server: &mut Connection,
        client: &mut Buffered,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.sending {
            ready!(client.poll_flush_watching(cx))?;
            self.sending = true;
        }
        let mut run = &server.input[..step.forward];
        let polled = client.poll_send(&mut run, cx);
        let sent = step.forward - run.len();
        server.input.advance(sent);
        step.forward -= sent;
        ready!(polled)?;
        self.sending = false;
        Poll::Ready(Ok(()))
    }

    fn broken(&self, error: PgError) -> RelayError {
        match self.partial {
            Some(Partial {
                forward: Forward::ToClient,
                ..
            }) => RelayError::Torn(error),
            _ => RelayError::Server(error),
        }
    }

    fn failed(&self, server: &Connection, side: Side) -> RelayError {
        match side {
            Side::Client(e) => RelayError::Client(e),
            Side::Server(e) => self.broken(lost(server, &e)),
        }
    }

    /// Looks at the frames in the input buffer up to the first that is not simply passed on.
    fn step(&mut self, server: &mut Connection) -> Step {
        let mut at = 0;
        if let Some(partial) = self.partial.take() {
            let here = partial.remaining.min(server.input.len());
            if here < partial.remaining {
                self.partial = Some(Partial {
                    remaining: partial.remaining - here,
                    ..partial
                });
            }
            if partial.forward == Forward::Swallow {
                let then = if self.partial.is_some() {
                    Then::Read
                } else {
                    Then::Again
                };
                return Step {
                    forward: 0,
                    skip: here,
                    then,
                };
            }
            at = here;
            if self.partial.is_some() {
                return Step::of(at, Then::Read);
            }
        }
        loop {
            if self.partial.is_some() {
                // Nothing may come between its parts, also where it ends what was due.
                return Step::of(at, Then::Read);
            }
            match self.expects.front() {
                None => {
                    return Step::of(at, Then::Paused(Paused::Done));
                }
                Some(Expect::Known(_)) if at == server.input.len() => {
                    return Step::of(at, self.own_alone());
                }
                Some(Expect::Known(_)) => {
                    self.expects.pop_front();
                    return Step::of(at, Then::Local(Bytes::from_static(&PARSE_COMPLETE)));
                }
                Some(_) => {}
            }
            let rest = &server.input[at..];
            let head = match header(rest) {
                Ok(Some(head)) => head,
                Ok(None) if self.copying_in && rest.is_empty() => {
                    return Step::of(at, Then::Paused(Paused::CopyIn));
                }
                Ok(None) => {
                    return Step::of(at, Then::Read);
                }
                Err(e) => return fail(at, violation(server, &e.to_string())),
            };
            let here = head.len.min(rest.len());
            if here < head.len {
                match self.needed(head, server) {
                    Ok(needed) if here < needed => return Step::of(at, Then::Read),
                    Ok(_) => {}
                    Err(error) => return fail(at, error),
                }
            }
            match self.frame(head, at, server) {
                Seen::Pass(forward) => {
                    if here < head.len {
                        self.partial = Some(Partial {
                            remaining: head.len - here,
                            forward,
                        });
                    }
                    if forward == Forward::Swallow {
                        let is_last = self.expects.is_empty() && self.partial.is_none();
                        return Step {
                            forward: at,
                            skip: here,
                            then: match is_last {
                                true => Then::Paused(Paused::Done),
                                false => Then::Again,
                            },
                        };
                    }
                    at += here;
                    let alike = self.partial.is_none() && !self.looks_into_rows();
                    if head.tag == backend::DATA_ROW && alike {
                        // What the first means, the others do.
                        at += whole_rows(&server.input[at..]);
                    }
                }
                Seen::Before(bytes) => {
                    return Step::of(at, Then::Local(bytes));
                }
                Seen::After(bytes) => {
                    return Step {
                        forward: at + here,
                        skip: 0,
                        then: Then::Local(bytes),
                    };
                }
                Seen::Instead(bytes) => {
                    return Step {
                        forward: at,
                        skip: here,
                        then: Then::Local(bytes),
                    };
                }
                Seen::Failed(error) => return fail(at, error),
            }
        }
    }
}

/// How many bytes at the beginning are rows, each of them whole.
fn whole_rows(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Ok(Some(head)) = header(&bytes[at..])
        && head.tag == backend::DATA_ROW
        && head.len <= bytes.len() - at
    {
        at += head.len;
    }
    at
}

/// What a server says of itself, at any time: notices, settings, that it ends the connection. Another error
/// is an answer, and one that has not arrived whole may be.
fn may_come_unasked(bytes: &[u8]) -> bool {
    match bytes.first() {
        Some(&(backend::NOTICE | backend::NOTIFICATION | backend::PARAMETER_STATUS)) => true,
        Some(&backend::ERROR) => matches!(
            header(bytes), Ok(Some(head)) if is_fatal(bytes.get(HEADER_BYTES..head.len))
        ),
        _ => false,
    }
}

fn fail(forward: usize, error: PgError) -> Step {
    Step::of(forward, Then::Failed(error))
}
