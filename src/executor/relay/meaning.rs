//! What one frame of a server means: which answer it belongs to or ends, and what follows from it.

use bytes::Bytes;

use super::Relay;
use crate::backend::Connection;
use crate::error::PgError;
use crate::executor::expect::{Expect, Forward};
use crate::executor::fault::{Fields, violation};
use crate::wire::{HEADER_BYTES, Header, TransactionStatus, backend};

impl Relay {
    /// What one frame means; pops what it answers.
    pub(super) fn frame(&mut self, head: Header, at: usize, server: &mut Connection) -> Seen {
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
        Seen::Pass(forward)
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
pub(super) enum Seen {
    Pass(Forward),
    /// Our own bytes go first; the frame is looked at again.
    Before(Bytes),
    /// The frame, then our own bytes.
    After(Bytes),
    Failed(PgError),
}

/// Types whose body is looked into, so that all of it must have arrived.
pub(super) fn carries_state(tag: u8) -> bool {
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

fn unexpected(server: &Connection, tag: u8) -> Seen {
    Seen::Failed(violation(
        server,
        &format!("unexpected message of type 0x{tag:02x}"),
    ))
}
