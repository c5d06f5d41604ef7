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

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::{Buf, Bytes, BytesMut};

use super::copy::CopyIn;
use super::expect::{Expect, Forward};
use super::fault::{Fields, lost, violation};
use super::transfer::{Side, poll_transfer};
use crate::backend::Connection;
use crate::error::{PgError, SqlState};
use crate::net::{Buffered, OUTPUT_BYTES_MAX, poll_write};
use crate::wire::{
    Described, HEADER_BYTES, Header, Replies, TransactionStatus, backend, frontend, header,
    put_close, put_flush, put_sync, says_goodbye,
};

/// A state-carrying frame must fit; larger ones are a server out of its mind.
const STATE_FRAME_BYTES_MAX: usize = 64 * 1024;

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
struct Step {
    /// Bytes at the head of the input for the client.
    forward: usize,
    /// Bytes behind them that nobody needs.
    skip: usize,
    then: Then,
}

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
    /// A statement has changed the catalogs, in a transaction that may not have committed yet.
    pub schema_changed: bool,
    /// The server has reported a parameter, and the client been told, since this was last cleared.
    pub parameters_changed: bool,
    /// A run of frames is on its way to the client, part of it perhaps in its socket.
    sending: bool,
    /// Somebody has asked the server to cancel because of a deadline: its error is told in those words.
    pub timed_out: Arc<AtomicBool>,
}

impl Default for Relay {
    fn default() -> Self {
        Self {
            expects: VecDeque::new(),
            partial: None,
            copying_in: false,
            status: TransactionStatus::Idle,
            error: None,
            completed: 0,
            answered: 0,
            unparsed: Vec::new(),
            sync_ignored: false,
            schema_changed: false,
            parameters_changed: false,
            sending: false,
            timed_out: Arc::default(),
        }
    }
}

impl Relay {
    pub fn push(&mut self, expect: Expect) {
        self.expects.push_back(expect);
    }

    /// Asks whether the server has taken the Sync sent ahead of a COPY that failed: it has not if the
    /// error came before the server looked for data. Two Syncs with a Close between them tell, by the
    /// number of ReadyForQuery ahead of CloseComplete; `sync_ignored` is the answer.
    pub fn resync(&mut self, server: &mut Connection) {
        put_sync(&mut server.output);
        put_close(&mut server.output, frontend::CLOSE, Described::Portal(b""));
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
    /// a `run` or `copy_in` that is dropped now leaves nothing to be said.
    pub fn is_torn(&self) -> bool {
        let to_client = |partial: Partial| partial.forward == Forward::ToClient;
        self.sending || self.partial.is_some_and(to_client)
    }

    /// The server waits for the client's data.
    pub fn is_copying_in(&self) -> bool {
        self.copying_in
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

    /// Sends what is queued for the server and relays its answers until it owes nothing or waits for
    /// CopyData. Small answers are left in the client's output buffer.
    ///
    /// Not cancel safe: a run written halfway would be written again.
    pub async fn run(
        &mut self,
        server: &mut Connection,
        client: &mut Buffered,
    ) -> Result<Paused, RelayError> {
        client.heed_goodbye(says_goodbye);
        loop {
            if let Some(paused) = self.drain(server, client).await? {
                // A pipeline of our own (no answers due) still has to leave.
                if !server.output.is_empty() {
                    poll_fn(|cx| poll_write(&mut server.stream, &mut server.output, cx))
                        .await
                        .map_err(|e| self.broken(lost(server, &e)))?;
                }
                return Ok(paused);
            }
            self.transfer(server, client, false).await?;
        }
    }

    /// Passes the client's CopyData on until it ends the copy, or the server does.
    ///
    /// Not cancel safe, as `run`.
    pub async fn copy_in(
        &mut self,
        server: &mut Connection,
        client: &mut Buffered,
    ) -> Result<Paused, RelayError> {
        // Messages of a copy are passed on in parts.
        client.heed_no_goodbye();
        let mut copy = CopyIn::default();
        loop {
            if self.drain(server, client).await? == Some(Paused::Done) {
                copy.finish(server, client)
                    .await
                    .map_err(RelayError::Client)?;
                return Ok(Paused::Done);
            }
            if !self.copying_in {
                copy.finish(server, client)
                    .await
                    .map_err(RelayError::Client)?;
                return self.run(server, client).await;
            }
            match copy.pass(&mut client.input, &mut server.output) {
                Ok(false) => self.transfer(server, client, true).await?,
                Ok(true) => {
                    self.copying_in = false;
                    if matches!(self.expects.front(), Some(Expect::Execute { .. })) {
                        // Without it the server keeps CommandComplete until the client's next Sync.
                        put_flush(&mut server.output);
                    }
                    return self.run(server, client).await;
                }
                Err(e) => return Err(RelayError::Client(e)),
            }
        }
    }

    /// Deals with all that has arrived; `None` where more has to.
    async fn drain(
        &mut self,
        server: &mut Connection,
        client: &mut Buffered,
    ) -> Result<Option<Paused>, RelayError> {
        loop {
            let step = self.step(server);
            if step.forward > 0 {
                if step.forward >= DIRECT_BYTES {
                    poll_fn(|cx| client.poll_flush_watching(cx))
                        .await
                        .map_err(RelayError::Client)?;
                    self.sending = true;
                    let mut run = &server.input[..step.forward];
                    poll_fn(|cx| client.poll_send(&mut run, cx))
                        .await
                        .map_err(RelayError::Client)?;
                    self.sending = false;
                } else {
                    client
                        .output
                        .extend_from_slice(&server.input[..step.forward]);
                }
            }
            server.input.advance(step.forward + step.skip);
            match step.then {
                Then::Again => {}
                Then::Read => {
                    if client.output.len() >= OUTPUT_BYTES_MAX {
                        poll_fn(|cx| client.poll_flush_watching(cx))
                            .await
                            .map_err(RelayError::Client)?;
                    }
                    return Ok(None);
                }
                Then::Local(bytes) => client.output.extend_from_slice(&bytes),
                Then::Paused(paused) => return Ok(Some(paused)),
                Then::Failed(error) => return Err(self.broken(error)),
            }
        }
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

    /// Moves bytes on all sides until something has arrived from the server. The client is watched so
    /// that one that leaves is noticed while its statement runs.
    async fn transfer(
        &mut self,
        server: &mut Connection,
        client: &mut Buffered,
        or_client: bool,
    ) -> Result<(), RelayError> {
        let moved = poll_fn(|cx| poll_transfer(server, client, or_client, cx)).await;
        match moved {
            Ok(()) => Ok(()),
            Err(Side::Client(e)) => Err(RelayError::Client(e)),
            Err(Side::Server(e)) => Err(self.broken(lost(server, &e))),
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
                return Step {
                    forward: at,
                    skip: 0,
                    then: Then::Read,
                };
            }
        }
        loop {
            if let Some(bytes) = self.own_turn() {
                return Step {
                    forward: at,
                    skip: 0,
                    then: Then::Local(bytes),
                };
            }
            if self.expects.is_empty() {
                return Step {
                    forward: at,
                    skip: 0,
                    then: Then::Paused(Paused::Done),
                };
            }
            let rest = &server.input[at..];
            let head = match header(rest) {
                Ok(Some(head)) => head,
                Ok(None) if self.copying_in && rest.is_empty() => {
                    return Step {
                        forward: at,
                        skip: 0,
                        then: Then::Paused(Paused::CopyIn),
                    };
                }
                Ok(None) => {
                    return Step {
                        forward: at,
                        skip: 0,
                        then: Then::Read,
                    };
                }
                Err(e) => return fail(at, violation(server, &e.to_string())),
            };
            let here = head.len.min(rest.len());
            if here < head.len && carries_state(head.tag) {
                // A long error text streams through like a row; its code is at its start.
                if head.len <= STATE_FRAME_BYTES_MAX {
                    return Step {
                        forward: at,
                        skip: 0,
                        then: Then::Read,
                    };
                } else if head.tag != backend::ERROR {
                    return fail(at, violation(server, "oversized message"));
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
                        return Step {
                            forward: at,
                            skip: here,
                            then: Then::Again,
                        };
                    }
                    at += here;
                }
                Seen::Before(bytes) => {
                    return Step {
                        forward: at,
                        skip: 0,
                        then: Then::Local(bytes),
                    };
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

    /// Our own bytes, if it is their turn.
    fn own_turn(&mut self) -> Option<Bytes> {
        self.expects
            .pop_front_if(|expect| matches!(expect, Expect::Known(_)))?;
        let mut reply = BytesMut::with_capacity(HEADER_BYTES);
        reply.parse_complete();
        Some(reply.freeze())
    }

    /// What one frame means; pops what it answers.
    fn frame(&mut self, head: Header, at: usize, server: &mut Connection) -> Seen {
        let Some(front) = self.expects.front_mut() else {
            return Seen::Failed(violation(server, "message nobody asked for"));
        };
        let forward = front.forward();
        match head.tag {
            backend::DATA_ROW => match front {
                Expect::Execute { before, .. } => match before.take() {
                    Some(bytes) => Seen::Before(bytes),
                    None => Seen::Pass(forward),
                },
                Expect::Query { .. } => Seen::Pass(forward),
                _ => unexpected(server, head.tag),
            },
            backend::COPY_DATA | backend::COPY_DONE | backend::COPY_OUT_RESPONSE => match front {
                Expect::Execute { .. } | Expect::Query { .. } => Seen::Pass(forward),
                _ => unexpected(server, head.tag),
            },
            backend::NOTICE => Seen::Pass(forward),
            // LISTEN is refused, so no notification can be meant for this client.
            backend::NOTIFICATION => Seen::Pass(Forward::Swallow),
            backend::PARAMETER_STATUS => {
                let body = &server.input[at + HEADER_BYTES..at + head.len];
                server.parameters.update(body);
                self.parameters_changed = true;
                Seen::Pass(Forward::ToClient)
            }
            backend::ERROR => self.error_response(head, at, server),
            backend::READY_FOR_QUERY => self.ready(head, at, server),
            backend::COPY_IN_RESPONSE => match front {
                Expect::Execute { .. } | Expect::Query { .. } => {
                    self.copying_in = true;
                    // A Sync sent ahead of the data is ignored by the server.
                    if let Some(sync) = self.expects.iter().position(|e| matches!(e, Expect::Sync))
                    {
                        self.expects.remove(sync);
                        self.sync_ignored = true;
                    }
                    Seen::Pass(forward)
                }
                _ => unexpected(server, head.tag),
            },
            _ => self.answer(head, at, server, forward),
        }
    }

    /// Frames that end what they answer, except ReadyForQuery.
    fn answer(&mut self, head: Header, at: usize, server: &Connection, forward: Forward) -> Seen {
        let defines = head.tag == backend::COMMAND_COMPLETE
            && is_definition(&server.input[at + HEADER_BYTES..]);
        let Some(front) = self.expects.front_mut() else {
            return unexpected(server, head.tag);
        };
        match (head.tag, front) {
            (backend::PARSE_COMPLETE, Expect::Parse { .. })
            | (backend::BIND_COMPLETE, Expect::Bind(_))
            | (backend::CLOSE_COMPLETE, Expect::Close(_) | Expect::Evict(_))
            | (
                backend::ROW_DESCRIPTION | backend::NO_DATA,
                Expect::DescribeStatement | Expect::DescribePortal,
            ) => {
                self.expects.pop_front();
                Seen::Pass(forward)
            }
            (backend::CLOSE_COMPLETE, Expect::Resync { ready }) => {
                self.sync_ignored = *ready < 2;
                self.expects.pop_front();
                Seen::Pass(forward)
            }
            (backend::EMPTY_QUERY | backend::PORTAL_SUSPENDED, Expect::Execute { .. }) => {
                self.expects.pop_front();
                self.answered += 1;
                Seen::Pass(forward)
            }
            (backend::COMMAND_COMPLETE, Expect::Execute { before, .. }) => {
                if let Some(bytes) = before.take() {
                    return Seen::Before(bytes);
                }
                self.schema_changed |= defines;
                self.expects.pop_front();
                self.answered += 1;
                Seen::Pass(forward)
            }
            (backend::COMMAND_COMPLETE, Expect::Query { .. }) => {
                // A deferred BEGIN may travel ahead of the client's string.
                let theirs = usize::from(forward == Forward::ToClient);
                self.completed += theirs;
                self.answered += theirs;
                self.schema_changed |= defines;
                Seen::Pass(forward)
            }
            (backend::ROW_DESCRIPTION, Expect::Query { before, .. }) => match before.take() {
                Some(bytes) => Seen::After(bytes),
                None => Seen::Pass(forward),
            },
            (backend::PARAMETER_DESCRIPTION, Expect::DescribeStatement)
            | (backend::EMPTY_QUERY, Expect::Query { .. }) => Seen::Pass(forward),
            (tag, _) => unexpected(server, tag),
        }
    }

    fn error_response(&mut self, head: Header, at: usize, server: &mut Connection) -> Seen {
        let end = (at + head.len).min(server.input.len());
        let fields = Fields::read(&server.input[at + HEADER_BYTES..end]);
        // A FATAL error ends the server's connection, not the client's. And what the proxy asks for
        // on its own account must not fail: the client's statements rest on it.
        if fields.fatal
            || matches!(
                self.expects.front(),
                Some(Expect::Query {
                    forward: Forward::Swallow,
                    ..
                })
            )
        {
            return Seen::Failed(fields.into_error(server));
        }
        self.copying_in = false;
        let forward = match self.expects.front() {
            Some(Expect::Poison) => Forward::Swallow,
            _ => {
                self.error = Some(fields.code);
                Forward::ToClient
            }
        };
        let instead = self.says_timeout(&fields, forward, at + head.len <= server.input.len());
        let end = self.expects.iter().position(Expect::is_ready);
        let skipped = self.expects.drain(..end.unwrap_or(self.expects.len()));
        // The last first: a statement may have been prepared and have made room again since.
        for expect in skipped.rev() {
            match expect {
                Expect::Parse { id, name, .. } => {
                    server.prepared.remove(id);
                    self.unparsed.extend(name);
                }
                Expect::Known(name) => self.unparsed.push(name),
                Expect::Evict(id) => {
                    server.prepared.insert(id);
                }
                _ => {}
            }
        }
        instead.map_or(Seen::Pass(forward), Seen::Instead)
    }

    /// The server knows only that it was asked to cancel; the client shall hear of the deadline.
    fn says_timeout(&self, fields: &Fields, forward: Forward, whole: bool) -> Option<Bytes> {
        let canceled = fields.code == SqlState::QUERY_CANCELED && forward == Forward::ToClient;
        if !canceled || !whole || !self.timed_out.load(Ordering::Relaxed) {
            return None;
        }
        let mut reply = BytesMut::new();
        reply.error(&PgError::shard(
            SqlState::QUERY_CANCELED,
            "canceling statement due to statement timeout",
        ));
        Some(reply.freeze())
    }

    fn ready(&mut self, head: Header, at: usize, server: &Connection) -> Seen {
        let byte = server
            .input
            .get(at + HEADER_BYTES)
            .filter(|_| head.len == HEADER_BYTES + 1);
        let Some(status) = byte.and_then(|b| TransactionStatus::from_byte(*b)) else {
            return Seen::Failed(violation(server, "malformed ReadyForQuery"));
        };
        if let Some(Expect::Resync { ready }) = self.expects.front_mut() {
            *ready += 1;
        } else if self
            .expects
            .pop_front_if(|expect| expect.is_ready())
            .is_none()
        {
            return unexpected(server, head.tag);
        }
        self.status = status;
        self.copying_in = false;
        // The session makes the client's own ReadyForQuery: it knows of transactions no server has
        // heard of yet.
        Seen::Pass(Forward::Swallow)
    }
}

/// What a frame asks of the step it was found in.
enum Seen {
    Pass(Forward),
    /// Our own bytes go first; the frame is looked at again.
    Before(Bytes),
    /// The frame, then our own bytes.
    After(Bytes),
    /// Our own bytes, the frame not at all.
    Instead(Bytes),
    Failed(PgError),
}

/// Types whose body is looked into, so that all of it must have arrived.
fn carries_state(tag: u8) -> bool {
    matches!(
        tag,
        backend::READY_FOR_QUERY
            | backend::PARAMETER_STATUS
            | backend::COMMAND_COMPLETE
            | backend::ERROR
    )
}

/// The command tag is of a statement that may make a view or function the planner must know of. A
/// procedure or DO block may do anything.
fn is_definition(tag: &[u8]) -> bool {
    [
        b"CREATE" as &[u8],
        b"ALTER",
        b"DROP",
        b"DO\0",
        b"CALL",
        b"IMPORT",
    ]
    .iter()
    .any(|word| tag.starts_with(word))
}

fn fail(forward: usize, error: PgError) -> Step {
    Step {
        forward,
        skip: 0,
        then: Then::Failed(error),
    }
}

fn unexpected(server: &Connection, tag: u8) -> Seen {
    Seen::Failed(violation(
        server,
        &format!("unexpected message of type 0x{tag:02x}"),
    ))
}
