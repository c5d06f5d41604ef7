//! One server that gives its rows: what it sends while its string of copies runs.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf, BufMut, BytesMut};

use super::{BINARY_HEADER, BINARY_TRAILER, Moved, lie};
use crate::backend::{Connection, error_response};
use crate::error::PgError;
use crate::wire::{self, HEADER_BYTES, TransactionStatus, backend, frontend, header};

/// A row up to this size is passed on as a whole; of a larger one what there is.
const WHOLE_BYTES: usize = 64 << 10;
/// Other messages are short.
pub(super) const FRAME_BYTES_MAX: usize = 1 << 20;

/// A server connection and how far it is.
pub struct Lane<'a> {
    connection: &'a mut Connection,
    /// `BEGIN; COPY (…) TO STDOUT; …; ROLLBACK`, or a part of that.
    sql: &'a str,
    /// After which it is within its transaction, or not.
    ends: TransactionStatus,
    stage: Stage,
    /// Of a large row: bytes that are still to be passed on.
    remaining: usize,
    /// Of this table.
    given: Moved,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Ahead of a table's CopyOutResponse.
    Before,
    /// Its first data are still to come.
    First,
    Copying,
    /// CopyDone has come, CommandComplete has not.
    Copied,
    /// All of the table was given.
    Done,
}

impl<'a> Lane<'a> {
    pub fn new(connection: &'a mut Connection, sql: &'a str, ends: TransactionStatus) -> Self {
        Self {
            connection,
            sql,
            ends,
            stage: Stage::Before,
            remaining: 0,
            given: Moved::default(),
        }
    }

    /// Has the server begin.
    pub(super) async fn begin(&mut self) -> Result<(), PgError> {
        let connection = &mut *self.connection;
        connection.prepared.unnamed = None;
        wire::put_query(&mut connection.output, self.sql)?;
        let sent = connection.flush().await;
        sent.map_err(|error| connection.lost(&error))
    }

    pub(super) fn is_done(&self) -> bool {
        self.stage == Stage::Done
    }

    pub(super) fn is_within_frame(&self) -> bool {
        self.remaining > 0
    }

    /// What it gave of the table that has ended.
    pub(super) fn next_table(&mut self) -> Moved {
        self.stage = Stage::Before;
        std::mem::take(&mut self.given)
    }

    /// Moves the rows that are here to `output`.
    ///
    /// Errors: the server's, with its shard; 08006 for messages that have no place here.
    pub(super) fn pass(
        &mut self,
        binary: bool,
        output: &mut BytesMut,
        moved: &mut Moved,
    ) -> Result<(), PgError> {
        while self.stage != Stage::Done && output.len() < crate::net::OUTPUT_BYTES_MAX {
            if self.remaining > 0 {
                let here = self.remaining.min(self.connection.input.len());
                output.put_slice(&self.connection.input[..here]);
                self.connection.input.advance(here);
                self.remaining -= here;
                if self.remaining > 0 {
                    return Ok(());
                }
            }
            let Some((tag, len)) = self.head()? else {
                return Ok(());
            };
            let here = self.connection.input.len();
            if tag == backend::COPY_DATA && matches!(self.stage, Stage::First | Stage::Copying) {
                if here < len.min(WHOLE_BYTES) {
                    return Ok(());
                }
                self.pass_row(len, binary, output, moved)?;
                continue;
            }
            if len > FRAME_BYTES_MAX {
                return Err(self.lied("a message too long"));
            }
            if here < len {
                return Ok(());
            }
            let frame = self.connection.input.split_to(len);
            self.take(tag, &frame[HEADER_BYTES..])?;
        }
        Ok(())
    }

    /// One CopyData, of which at least the beginning is here: a row, ahead of the first the header; in the end the trailer.
    fn pass_row(
        &mut self,
        len: usize,
        binary: bool,
        output: &mut BytesMut,
        moved: &mut Moved,
    ) -> Result<(), PgError> {
        let mut body = len - HEADER_BYTES;
        self.connection.input.advance(HEADER_BYTES);
        if std::mem::replace(&mut self.stage, Stage::Copying) == Stage::First && binary {
            if !self.connection.input.starts_with(&BINARY_HEADER) || body < BINARY_HEADER.len() {
                return Err(self.lied("a copy in an unknown form"));
            }
            self.connection.input.advance(BINARY_HEADER.len());
            body -= BINARY_HEADER.len();
        }
        if binary && body == BINARY_TRAILER.len() {
            // No row is so short but the end of all.
            self.connection.input.advance(body);
            return Ok(());
        }
        for moved in [moved, &mut self.given] {
            moved.rows += 1;
            moved.bytes += body as u64;
        }
        output.put_u8(frontend::COPY_DATA);
        output.put_u32((body + 4) as u32);
        let here = body.min(self.connection.input.len());
        output.put_slice(&self.connection.input[..here]);
        self.connection.input.advance(here);
        self.remaining = body - here;
        Ok(())
    }

    /// Any other message.
    fn take(&mut self, tag: u8, body: &[u8]) -> Result<(), PgError> {
        self.stage = match (self.stage, tag) {
            (stage, backend::NOTICE | backend::NOTIFICATION) => stage,
            (stage, backend::PARAMETER_STATUS) => {
                let parameters = Arc::make_mut(&mut self.connection.parameters);
                if parameters.take_in(body).is_err() {
                    return Err(self.lied("a parameter out of bounds"));
                }
                stage
            }
            (_, backend::ERROR) => return Err(self.failed(error_response(body))),
            (Stage::Before, backend::COMMAND_COMPLETE) => Stage::Before,
            (Stage::Before, backend::COPY_OUT_RESPONSE) => Stage::First,
            (Stage::First | Stage::Copying, backend::COPY_DONE) => Stage::Copied,
            (Stage::Copied, backend::COMMAND_COMPLETE) => Stage::Done,
            _ => return Err(self.lied("a message out of place")),
        };
        Ok(())
    }

    /// Reads once.
    pub(super) fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), PgError>> {
        let read = match self.connection.poll_fill(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Ok(0)) => Err(io::ErrorKind::UnexpectedEof.into()),
            Poll::Ready(Ok(_)) => Ok(()),
            Poll::Ready(Err(error)) => Err(error),
        };
        Poll::Ready(read.map_err(|error| self.connection.lost(&error)))
    }

    /// Ready once its string has ended.
    pub(super) fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), PgError>> {
        loop {
            while let Some((tag, len)) = self.head()? {
                if len > FRAME_BYTES_MAX {
                    return Poll::Ready(Err(self.lied("a message too long")));
                }
                if self.connection.input.len() < len {
                    break;
                }
                let frame = self.connection.input.split_to(len);
                if tag != backend::READY_FOR_QUERY {
                    self.take(tag, &frame[HEADER_BYTES..])?;
                    continue;
                }
                let status = frame.last().copied().and_then(TransactionStatus::from_byte);
                return Poll::Ready(match status {
                    Some(status) if status == self.ends => {
                        self.connection.status = status;
                        Ok(())
                    }
                    _ => Err(self.lied("a transaction that does not end")),
                });
            }
            std::task::ready!(self.poll_fill(cx))?;
        }
    }

    fn head(&self) -> Result<Option<(u8, usize)>, PgError> {
        match header(&self.connection.input) {
            Ok(head) => Ok(head.map(|head| (head.tag, head.len))),
            Err(error) => Err(self.connection.lost(&lie(error.to_string()))),
        }
    }

    fn lied(&self, what: &str) -> PgError {
        self.connection
            .lost(&lie(format!("the server sent {what}")))
    }

    /// The server's own error; its position is in a text the client has not seen.
    fn failed(&self, error: PgError) -> PgError {
        let (shard, server) = (&self.connection.shard, &self.connection.server);
        let place = format!("Reading rows of shard {shard} ({server}).");
        let detail = match &error.detail {
            Some(detail) => format!("{detail}\n{place}"),
            None => place,
        };
        PgError {
            position: None,
            ..error.with_detail(detail)
        }
    }
}
