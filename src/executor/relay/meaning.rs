//! What one frame of a server means: which answer it belongs to or ends, and what follows from it.
//!
//! A frame that has no place in the answer at the front is a violation, which costs the connection. So
//! are fixed-size messages of another size: forwarded, they would swallow what follows them.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::{Bytes, BytesMut};

use super::Relay;
use crate::backend::Connection;
use crate::error::{PgError, SqlState};
use crate::executor::expect::{Expect, Forward, Stage};
use crate::executor::fault::{Fields, shifted_back, violation};
use crate::wire::{HEADER_BYTES, Header, Replies, TransactionStatus, backend};

/// A state-carrying frame must fit; larger ones are a server out of its mind.
pub(super) const STATE_FRAME_BYTES_MAX: usize = 64 * 1024;

/// What is looked at of an ErrorResponse that is larger, and streams through like a row.
pub(super) const ERROR_HEAD_BYTES: usize = 4 * 1024;

/// ReadyForQuery is not waited for beyond its size: a longer one is none.
const READY_BYTES: usize = HEADER_BYTES + 1;

/// A ParameterDescription of as many parameters as a statement may have.
pub(super) const PARAMETER_DESCRIPTION_BYTES_MAX: usize = HEADER_BYTES + 2 + 4 * 65_535;

/// Notices and notifications that nobody is shown, until a ReadyForQuery.
pub(super) const SWALLOWED_MAX: usize = 10_000;

/// What has been seen since the last ReadyForQuery.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cycle {
    failed: bool,
    began: bool,
    ended: bool,
    swallowed: usize,
}

impl Cycle {
    /// Whether the transaction can have come from one state to the other. A server that lies here would
    /// have its connection given back inside a transaction, and the next client lose its work.
    fn explains(self, before: TransactionStatus, after: TransactionStatus, ends: bool) -> bool {
        use TransactionStatus::{Failed, Idle, InTransaction};
        match (before, after) {
            (Idle, InTransaction | Failed) => self.began,
            (InTransaction | Failed, Idle) => self.ended || (self.failed && ends),
            (InTransaction, Failed) => self.failed,
            // ROLLBACK TO.
            (Failed, InTransaction) => self.ended,
            (Idle, Idle) | (InTransaction, InTransaction) | (Failed, Failed) => true,
        }
    }
}

/// What a frame asks of the step it was found in.
pub(super) enum Seen {
    Pass(Forward),
    /// Our own bytes go first; the frame is looked at again.
    Before(Bytes),
    /// The frame, then our own bytes.
    After(Bytes),
    /// Our own bytes, the frame not at all.
    Instead(Bytes),
    Failed(PgError),
}

/// True of the whole body of an ErrorResponse after which the server says no more.
pub(super) fn is_fatal(body: Option<&[u8]>) -> bool {
    let fields = body.and_then(|body| Fields::read(body, true));
    fields.is_some_and(|fields| fields.fatal)
}

impl Relay {
    /// How much of a frame, of which a part is here, has to be before it is looked at.
    ///
    /// Errors: for one too large to be held.
    pub(super) fn needed(&self, head: Header, server: &Connection) -> Result<usize, PgError> {
        // A long error text streams through like a row; its code is at its start.
        match head.tag {
            tag if !carries_state(tag) => self.needed_to_translate(head, server),
            backend::READY_FOR_QUERY => Ok(READY_BYTES),
            _ if head.len <= STATE_FRAME_BYTES_MAX => Ok(head.len),
            backend::ERROR => Ok(ERROR_HEAD_BYTES),
            _ => Err(violation(server, "oversized message")),
        }
    }

    /// What one frame means; pops what it answers.
    pub(super) fn frame(&mut self, head: Header, at: usize, server: &mut Connection) -> Seen {
        let Some(front) = self.expects.front_mut() else {
            return Seen::Failed(violation(server, "message nobody asked for"));
        };
        let forward = front.forward();
        match head.tag {
            backend::DATA_ROW => match front {
                Expect::Query {
                    stage: Stage::Rows, ..
                } => self.row(head, at, server).unwrap_or(Seen::Pass(forward)),
                Expect::Execute {
                    before,
                    stage: stage @ (Stage::Start | Stage::Rows),
                    ..
                } => {
                    *stage = Stage::Rows;
                    match before.take() {
                        Some(bytes) => Seen::Before(bytes),
                        None => self.row(head, at, server).unwrap_or(Seen::Pass(forward)),
                    }
                }
                _ => unexpected(server, head.tag),
            },
            backend::COPY_DATA | backend::COPY_DONE => match front {
                Expect::Execute {
                    stage: stage @ Stage::CopyOut,
                    ..
                }
                | Expect::Query {
                    stage: stage @ Stage::CopyOut,
                    ..
                } => {
                    if head.tag == backend::COPY_DONE {
                        if head.len != HEADER_BYTES {
                            return malformed(server, "CopyDone");
                        }
                        *stage = Stage::Copied;
                    }
                    Seen::Pass(forward)
                }
                _ => unexpected(server, head.tag),
            },
            backend::COPY_IN_RESPONSE | backend::COPY_OUT_RESPONSE => {
                self.copy_begins(head, at, server, forward)
            }
            backend::NOTICE => self.unasked(server, forward),
            // LISTEN is refused, so no notification can be meant for this client.
            backend::NOTIFICATION => self.unasked(server, Forward::Swallow),
            backend::PARAMETER_STATUS => {
                let body = &server.input[at + HEADER_BYTES..at + head.len];
                if let Err(error) = Arc::make_mut(&mut server.parameters).take_in(body) {
                    return Seen::Failed(violation(server, &error.to_string()));
                }
                self.parameters_changed = true;
                Seen::Pass(Forward::ToClient)
            }
            backend::ERROR => self.error_response(head, at, server),
            backend::READY_FOR_QUERY => self.ready(head, at, server),
            _ => self.answer(head, at, server, forward),
        }
    }

    /// What may come at any time. Swallowed without end it would keep us from looking at the client.
    fn unasked(&mut self, server: &Connection, forward: Forward) -> Seen {
        if forward == Forward::Swallow {
            self.cycle.swallowed += 1;
            if self.cycle.swallowed > SWALLOWED_MAX {
                return Seen::Failed(violation(server, "notices or notifications without end"));
            }
        }
        Seen::Pass(forward)
    }

    fn copy_begins(
        &mut self,
        head: Header,
        at: usize,
        server: &Connection,
        forward: Forward,
    ) -> Seen {
        if let Some(refused) = self.copies(head, at, server) {
            return refused;
        }
        let (
            Some(
                Expect::Execute {
                    stage: stage @ Stage::Start,
                    ..
                }
                | Expect::Query {
                    stage: stage @ (Stage::Start | Stage::Complete),
                    ..
                },
            ),
            Forward::ToClient,
        ) = (self.expects.front_mut(), forward)
        else {
            return unexpected(server, head.tag);
        };
        // One format for each column.
        if head.len > STATE_FRAME_BYTES_MAX {
            return malformed(server, "CopyResponse");
        }
        if head.tag == backend::COPY_OUT_RESPONSE {
            *stage = Stage::CopyOut;
            return Seen::Pass(forward);
        }
        *stage = Stage::CopyIn;
        self.copying_in = true;
        // A Sync sent ahead of the data is ignored by the server.
        if let Some(sync) = self.expects.iter().position(|e| matches!(e, Expect::Sync)) {
            self.expects.remove(sync);
            self.sync_ignored = true;
        }
        Seen::Pass(forward)
    }

    /// Frames that end what they answer, except ReadyForQuery.
    fn answer(
        &mut self,
        head: Header,
        at: usize,
        server: &mut Connection,
        forward: Forward,
    ) -> Seen {
        if head.tag == backend::COMMAND_COMPLETE {
            return self.complete(head, at, server, forward);
        }
        let empty = head.len == HEADER_BYTES;
        let Some(front) = self.expects.front_mut() else {
            return unexpected(server, head.tag);
        };
        match (head.tag, front) {
            (backend::PARSE_COMPLETE, Expect::Parse { .. })
            | (backend::BIND_COMPLETE, Expect::Bind(_))
            | (backend::CLOSE_COMPLETE, Expect::Close(_) | Expect::Evict(_))
            | (backend::NO_DATA, Expect::DescribePortal | Expect::Columns(_))
                if empty =>
            {
                self.expects.pop_front();
                Seen::Pass(forward)
            }
            (backend::ROW_DESCRIPTION, Expect::DescribePortal) => {
                self.expects.pop_front();
                let failed = self.columns(head, at, server, false);
                failed.unwrap_or(Seen::Pass(forward))
            }
            (backend::ROW_DESCRIPTION, Expect::Columns(signature)) => {
                let signature = signature.take();
                self.expects.pop_front();
                let failed = self.own_columns(head, at, server, signature.as_deref());
                failed.unwrap_or(Seen::Pass(forward))
            }
            (backend::CLOSE_COMPLETE, Expect::Resync { ready }) if empty => {
                self.sync_ignored = *ready < 2;
                self.expects.pop_front();
                Seen::Pass(forward)
            }
            (
                backend::PORTAL_SUSPENDED,
                Expect::Execute {
                    limited: true,
                    stage: Stage::Start | Stage::Rows,
                    ..
                },
            )
            | (
                backend::EMPTY_QUERY,
                Expect::Execute {
                    stage: Stage::Start,
                    ..
                },
            ) if empty => {
                self.expects.pop_front();
                self.answered += 1;
                self.rows_are_over();
                Seen::Pass(forward)
            }
            (
                backend::EMPTY_QUERY,
                Expect::Query {
                    stage: stage @ Stage::Start,
                    ..
                },
            ) if empty => {
                *stage = Stage::Complete;
                Seen::Pass(forward)
            }
            (
                backend::ROW_DESCRIPTION,
                Expect::Query {
                    before,
                    stage: stage @ (Stage::Start | Stage::Rows | Stage::Complete),
                    ..
                },
            ) => {
                *stage = Stage::Rows;
                let before = before.take();
                match (self.columns(head, at, server, true), before) {
                    (Some(failed), _) => failed,
                    (None, Some(bytes)) => Seen::After(bytes),
                    (None, None) => Seen::Pass(forward),
                }
            }
            (
                backend::FUNCTION_CALL_RESPONSE,
                Expect::Call {
                    stage: stage @ Stage::Start,
                },
            ) => {
                *stage = Stage::Complete;
                self.answered += 1;
                Seen::Pass(forward)
            }
            // What it returns comes next.
            (backend::PARAMETER_DESCRIPTION, front @ Expect::DescribeStatement)
                if head.len <= PARAMETER_DESCRIPTION_BYTES_MAX =>
            {
                *front = Expect::DescribePortal;
                let failed = self.parameters(head, at, server, None);
                failed.unwrap_or(Seen::Pass(forward))
            }
            (backend::PARAMETER_DESCRIPTION, front @ Expect::Signature(_))
                if head.len <= PARAMETER_DESCRIPTION_BYTES_MAX =>
            {
                let Expect::Signature(signature) = &*front else {
                    return unexpected(server, head.tag);
                };
                let signature = Arc::clone(signature);
                *front = Expect::Columns(Some(Arc::clone(&signature)));
                let failed = self.parameters(head, at, server, Some(&signature));
                failed.unwrap_or(Seen::Pass(forward))
            }
            (tag, _) => unexpected(server, tag),
        }
    }

    fn complete(&mut self, head: Header, at: usize, server: &Connection, forward: Forward) -> Seen {
        let body = &server.input[at + HEADER_BYTES..at + head.len];
        let tag = match body.iter().position(|byte| *byte == 0) {
            Some(end) if end + 1 == body.len() => &body[..end],
            _ => return malformed(server, "CommandComplete"),
        };
        match self.expects.front_mut().filter(|_| !self.copying_in) {
            Some(Expect::Execute { stage, before, .. }) if *stage != Stage::CopyOut => {
                if let Some(bytes) = before.take() {
                    return Seen::Before(bytes);
                }
                self.expects.pop_front();
                self.answered += 1;
            }
            Some(Expect::Query { stage, .. })
                if !matches!(stage, Stage::CopyOut | Stage::Failed) =>
            {
                *stage = Stage::Complete;
                // A deferred BEGIN may travel ahead of the client's string.
                let theirs = usize::from(forward == Forward::ToClient);
                self.completed += theirs;
                self.answered += theirs;
            }
            _ => return unexpected(server, head.tag),
        }
        let (began, ended) = (
            matches!(tag, b"BEGIN" | b"START TRANSACTION"),
            matches!(tag, b"COMMIT" | b"ROLLBACK" | b"PREPARE TRANSACTION"),
        );
        self.cycle.began |= began;
        self.cycle.ended |= ended;
        self.rows_are_over();
        Seen::Pass(forward)
    }

    fn error_response(&mut self, head: Header, at: usize, server: &mut Connection) -> Seen {
        let whole = head.len <= STATE_FRAME_BYTES_MAX;
        let end = at + if whole { head.len } else { ERROR_HEAD_BYTES };
        let Some(fields) = Fields::read(&server.input[at + HEADER_BYTES..end], whole) else {
            return malformed(server, "ErrorResponse");
        };
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
        if std::mem::replace(&mut self.cycle.failed, true) {
            return unexpected(server, head.tag);
        }
        self.copying_in = false;
        self.rows_are_over();
        let forward = match self.expects.front_mut() {
            Some(Expect::Poison) => Forward::Swallow,
            front => {
                if let Some(Expect::Query { stage, .. } | Expect::Call { stage }) = front {
                    *stage = Stage::Failed;
                }
                self.error = Some(fields.code);
                Forward::ToClient
            }
        };
        let instead = self.says_timeout(&fields, forward, whole);
        let instead = instead.or_else(|| {
            let moves = whole && forward == Forward::ToClient && !self.shifts.is_empty();
            moves.then(|| shifted_back(&server.input[at..end], &self.shifts))
        });
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

    fn ready(&mut self, head: Header, at: usize, server: &mut Connection) -> Seen {
        let byte = server
            .input
            .get(at + HEADER_BYTES)
            .filter(|_| head.len == HEADER_BYTES + 1);
        let Some(status) = byte.and_then(|b| TransactionStatus::from_byte(*b)) else {
            return malformed(server, "ReadyForQuery");
        };
        let ends = match self.expects.front_mut() {
            Some(Expect::Resync { ready }) => {
                *ready += 1;
                false
            }
            Some(Expect::Sync) => {
                self.expects.pop_front();
                false
            }
            Some(Expect::Query {
                ends,
                stage: Stage::Complete | Stage::Failed,
                ..
            }) => {
                let ends = *ends;
                self.expects.pop_front();
                ends
            }
            Some(Expect::Call {
                stage: Stage::Complete | Stage::Failed,
            }) => {
                self.expects.pop_front();
                false
            }
            _ => return unexpected(server, head.tag),
        };
        self.shifts.clear();
        let cycle = std::mem::take(&mut self.cycle);
        if !cycle.explains(server.status, status, ends) {
            return Seen::Failed(violation(
                server,
                "the transaction's state changed without a reason",
            ));
        }
        server.status = status;
        self.status = status;
        self.copying_in = false;
        // The session makes the client's own ReadyForQuery: it knows of transactions no server has
        // heard of yet.
        Seen::Pass(Forward::Swallow)
    }
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

fn malformed(server: &Connection, what: &str) -> Seen {
    Seen::Failed(violation(server, &format!("malformed {what}")))
}

fn unexpected(server: &Connection, tag: u8) -> Seen {
    Seen::Failed(violation(
        server,
        &format!("unexpected message of type 0x{tag:02x}"),
    ))
}
