//! One shard's answer to its part of a scattered statement: Parse, Bind, Describe and Execute of one text, and Sync.
//!
//! ```text
//!   Close ──> Parse ──> Bind ──> Describe ──> Rows ──> Ended ──> Ready
//!     ^                  │ what the connection had by this name is no more
//!     └───── Again <─────┘
//! ```

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Buf;

use super::request::{Request, Statement};
use crate::backend::{Connection, Lease, error_response};
use crate::error::{PgError, SqlState};
use crate::net::poll_write;
use crate::types::Oid;
use crate::types::translation::FIRST_USER_OID;
use crate::wire::{Description, HEADER_BYTES, TransactionStatus, backend, header};

/// Messages that are no rows are short.
const FRAME_BYTES_MAX: usize = 1 << 20;

/// A leased connection, and how far its answer has come.
pub struct Lane {
    pub(super) lease: Lease,
    stage: Stage,
    /// Its columns, until somebody has looked at them.
    pub(super) described: Option<Description>,
    statement: Statement,
    /// The row at the head of its input, in bytes; 0 where there is none.
    row: usize,
    /// What has arrived was looked through, and more is needed.
    hungry: bool,
    /// Bytes that were read when nobody wanted them any more.
    thrown: usize,
    /// How long the question is, while it may be that nothing of it was sent.
    asked: Option<usize>,
    /// What a row may have, in bytes.
    row_bytes_max: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// CloseComplete is due: of a statement that has made room, or is of no use any more.
    Close,
    Parse,
    Bind,
    /// What was known by the statement's name is of no use, ReadyForQuery has not come: then it is asked once more.
    Again,
    Describe,
    Rows,
    /// All rows have come, ReadyForQuery has not.
    Ended,
    Ready,
    /// An error has come, ReadyForQuery has not.
    Failed,
}

impl Stage {
    /// It is not certain yet that the statement is right.
    fn is_before_rows(self) -> bool {
        use Stage::*;
        matches!(self, Close | Parse | Bind | Again | Describe)
    }
}

/// What a lane has to say next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// More has to arrive.
    Wait,
    /// A row, at the head of the input until it is taken.
    Row,
    End,
}

/// Why a lane is of no more use.
#[derive(Debug)]
pub enum LaneError {
    Failed(PgError),
    /// Its columns are not those that the servers told of before.
    Changed,
    /// They have other type modifiers.
    Remodified,
}

impl From<PgError> for LaneError {
    fn from(error: PgError) -> Self {
        Self::Failed(error)
    }
}

impl Lane {
    pub fn new(mut lease: Lease, request: &Request, row_bytes_max: usize) -> Self {
        let statement = request.put(&mut lease);
        let stage = match statement {
            Statement::Parsed(_, Some(_)) => Stage::Close,
            Statement::Unnamed | Statement::Parsed(_, None) => Stage::Parse,
            Statement::Reused(..) => Stage::Bind,
        };
        Self {
            asked: Some(lease.output.len()),
            lease,
            described: None,
            stage,
            statement,
            row: 0,
            hungry: true,
            thrown: 0,
            row_bytes_max,
        }
    }

    pub(super) fn is_ready(&self) -> bool {
        self.stage == Stage::Ready
    }

    /// Its socket has to be heard.
    pub(super) fn awaits(&self) -> bool {
        self.hungry || !self.lease.output.is_empty() || self.lease.stream.holds_back()
    }

    /// Looks at what has arrived up to the description of its columns, and not behind: true where that has come.
    ///
    /// Errors: as of [`Self::next`].
    pub(super) fn is_described(&mut self, columns: &Columns) -> Result<bool, LaneError> {
        while self.stage.is_before_rows() {
            if !self.heed_next(columns)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The row that was found last.
    pub(super) fn row(&self) -> &[u8] {
        &self.lease.input[..self.row]
    }

    /// That row has been used.
    pub(super) fn take(&mut self) {
        self.lease.input.advance(self.row);
        self.row = 0;
    }

    /// Looks at what has arrived.
    ///
    /// Errors: the server's own, with its shard; 08006 for one that lies; 54000 for a row too large to be held.
    #[inline]
    pub(super) fn next(&mut self, columns: &Columns) -> Result<Next, LaneError> {
        if self.row > 0 {
            return Ok(Next::Row);
        }
        if self.stage == Stage::Rows
            && let Some((&[backend::DATA_ROW, a, b, c, d], _)) =
                self.lease.input.split_first_chunk()
        {
            let len = u32::from_be_bytes([a, b, c, d]) as usize + 1;
            if len > HEADER_BYTES && len <= self.lease.input.len() && len <= self.row_bytes_max {
                self.row = len;
                return Ok(Next::Row);
            }
        }
        self.next_other(columns)
    }

    fn next_other(&mut self, columns: &Columns) -> Result<Next, LaneError> {
        loop {
            if matches!(self.stage, Stage::Ended | Stage::Ready) {
                return Ok(Next::End);
            }
            let here = self.lease.input.len();
            match self.head()? {
                Some((backend::DATA_ROW, len)) if self.stage == Stage::Rows => {
                    if len > self.row_bytes_max {
                        return Err(self.too_large(len).into());
                    }
                    if len <= here {
                        self.row = len;
                        return Ok(Next::Row);
                    }
                    self.lease.input.reserve((len - here).min(FRAME_BYTES_MAX));
                    self.hungry = true;
                    return Ok(Next::Wait);
                }
                _ if self.heed_next(columns)? => {}
                _ => return Ok(Next::Wait),
            }
        }
    }

    /// Takes the next message, which is no row, if it is there.
    fn heed_next(&mut self, columns: &Columns) -> Result<bool, LaneError> {
        match self.head()? {
            Some((tag, len)) if len <= self.lease.input.len() => {
                let frame = self.lease.input.split_to(len);
                self.heed(tag, &frame[HEADER_BYTES..], columns)?;
                Ok(true)
            }
            _ => {
                self.hungry = true;
                Ok(false)
            }
        }
    }

    /// A message that is no row.
    fn heed(&mut self, tag: u8, body: &[u8], columns: &Columns) -> Result<(), LaneError> {
        self.stage = match (self.stage, tag) {
            (stage, backend::NOTICE | backend::NOTIFICATION) => stage,
            (stage, backend::PARAMETER_STATUS) => {
                self.take_in(body)?;
                stage
            }
            (stage, backend::ERROR) => {
                let error = error_response(body);
                if stage == Stage::Bind && self.is_stale(&error) {
                    self.stage = Stage::Again;
                    return Ok(());
                }
                let error = self.failed(error);
                self.pass(backend::ERROR);
                return Err(error.into());
            }
            (Stage::Again, backend::READY_FOR_QUERY) => {
                self.statement.put_again(&mut self.lease);
                self.asked = None;
                self.hungry = true;
                Stage::Close
            }
            (Stage::Close | Stage::Parse, tag) if self.pass(tag) => self.stage,
            (Stage::Bind, backend::BIND_COMPLETE) => Stage::Describe,
            (Stage::Describe, backend::ROW_DESCRIPTION) => {
                let description = Description::read(body);
                let description = description.ok_or_else(|| self.lied("a broken description"))?;
                if !columns.are(&description) {
                    return Err(LaneError::Changed);
                }
                if !columns.modifiers.is_empty()
                    && !description
                        .modifiers()
                        .take(columns.modifiers.len())
                        .eq(columns.modifiers.iter().copied())
                {
                    return Err(LaneError::Remodified);
                }
                self.described = Some(description);
                Stage::Rows
            }
            (Stage::Describe, backend::NO_DATA) => return Err(LaneError::Changed),
            (Stage::Rows, backend::COMMAND_COMPLETE) => Stage::Ended,
            _ => return Err(self.lied("a message out of place").into()),
        };
        Ok(())
    }

    /// What a message says of the statement, whoever hears it; whether that is all it says.
    fn pass(&mut self, tag: u8) -> bool {
        self.stage = match (self.stage, tag) {
            (Stage::Close, backend::CLOSE_COMPLETE) => Stage::Parse,
            (Stage::Parse, backend::PARSE_COMPLETE) => Stage::Bind,
            (stage, backend::ERROR) => {
                if matches!(stage, Stage::Close | Stage::Parse) {
                    self.statement.failed(&mut self.lease);
                }
                Stage::Failed
            }
            _ => return false,
        };
        true
    }

    /// The connection has had the statement for so long that the server does not know it any more, or knows it with
    /// other columns. A server says so before it runs it.
    /// Source: `RevalidateCachedQuery` in `plancache.c`, `FetchPreparedStatement` in `prepare.c`
    fn is_stale(&self, error: &PgError) -> bool {
        matches!(self.statement, Statement::Reused(..))
            && [
                SqlState::FEATURE_NOT_SUPPORTED,
                SqlState::INVALID_STATEMENT_NAME,
            ]
            .contains(&error.code)
    }

    fn take_in(&mut self, body: &[u8]) -> Result<(), PgError> {
        let parameters = Arc::make_mut(&mut self.lease.parameters);
        match parameters.take_in(body) {
            Ok(()) => Ok(()),
            Err(_) => Err(self.lied("a parameter out of bounds")),
        }
    }

    /// Sends what is left of the question, and reads once.
    pub(super) fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), PgError>> {
        let connection: &mut Connection = &mut self.lease;
        if !connection.output.is_empty() || connection.stream.holds_back() {
            match poll_write(&mut connection.stream, &mut connection.output, cx) {
                Poll::Ready(Err(error)) => return Poll::Ready(Err(connection.lost(&error))),
                Poll::Ready(Ok(_)) | Poll::Pending => {}
            }
        }
        let read = match ready!(connection.poll_fill(cx)) {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => Ok(()),
            Err(error) => Err(error),
        };
        self.hungry = false;
        Poll::Ready(read.map_err(|error| self.lease.lost(&error)))
    }

    /// Ready once the server owes nothing, with what it still had to say thrown away; false where that is more than
    /// so many bytes, or makes no sense. What has not been asked is not.
    pub(super) fn poll_end(&mut self, bytes_max: usize, cx: &mut Context<'_>) -> Poll<bool> {
        self.take();
        if self.asked == Some(self.lease.output.len()) && !self.lease.stream.holds_back() {
            self.lease.output.clear();
            self.statement.unsent(&mut self.lease);
            self.stage = Stage::Ready;
        }
        while self.stage != Stage::Ready {
            let Ok(head) = self.head() else {
                return Poll::Ready(false);
            };
            let here = self.lease.input.len();
            let Some((tag, len)) = head.filter(|(_, len)| *len <= here) else {
                if self.thrown + head.map_or(0, |(_, len)| len) > bytes_max {
                    return Poll::Ready(false);
                }
                match ready!(self.poll_fill(cx)) {
                    Ok(()) => continue,
                    Err(_) => return Poll::Ready(false),
                }
            };
            let frame = self.lease.input.split_to(len);
            self.thrown += len;
            let body = &frame[HEADER_BYTES..];
            if tag == backend::PARAMETER_STATUS && self.take_in(body).is_err() {
                return Poll::Ready(false);
            }
            self.pass(tag);
            if tag == backend::READY_FOR_QUERY {
                if body != [TransactionStatus::Idle.as_byte()] {
                    return Poll::Ready(false);
                }
                self.lease.status = TransactionStatus::Idle;
                self.stage = Stage::Ready;
            }
        }
        Poll::Ready(self.lease.output.is_empty() && !self.lease.stream.holds_back())
    }

    fn head(&self) -> Result<Option<(u8, usize)>, PgError> {
        match header(&self.lease.input) {
            Ok(Some(head)) if head.tag != backend::DATA_ROW && head.len > FRAME_BYTES_MAX => {
                Err(self.lied("a message too long"))
            }
            Ok(head) => Ok(head.map(|head| (head.tag, head.len))),
            Err(_) => Err(self.lied("a message of impossible length")),
        }
    }

    fn too_large(&self, len: usize) -> PgError {
        PgError::proxy(
            SqlState::PROGRAM_LIMIT_EXCEEDED,
            format!(
                "a row of {len} bytes in an answer of several shards is more than {}",
                self.row_bytes_max
            ),
        )
        .with_hint("Raise message_bytes in the limits, or tie the statement to one sharding key.")
    }

    fn lied(&self, what: &str) -> PgError {
        let lie = io::Error::new(
            io::ErrorKind::InvalidData,
            format!("the server sent {what}"),
        );
        self.lease.lost(&lie)
    }

    /// The server's own error; and whose it is, but of what every server would say.
    fn failed(&self, error: PgError) -> PgError {
        if self.stage.is_before_rows() {
            return error;
        }
        let place = format!("On shard {} ({}).", self.lease.shard, self.lease.server);
        let detail = match &error.detail {
            Some(detail) => format!("{detail}\n{place}"),
            None => place,
        };
        error.with_detail(detail)
    }
}

/// What every lane's columns have to be.
pub(super) struct Columns {
    /// Unspecified where that is not known.
    pub(super) types: Box<[Oid]>,
    /// The client's, which are the first ones of a lane's, unless they are made here.
    pub(super) client: Option<Description>,
    /// Type modifiers of the first ones, where values are told to be of these.
    pub(super) modifiers: Box<[i32]>,
}

impl Columns {
    /// What users define has another OID on each server.
    fn are(&self, description: &Description) -> bool {
        let same = |(has, expected): (Oid, &Oid)| {
            let both_users = has.0 >= FIRST_USER_OID && expected.0 >= FIRST_USER_OID;
            *expected == Oid::UNSPECIFIED || has == *expected || both_users
        };
        let client = self.client.as_ref();
        description.len() == self.types.len()
            && description.types().zip(&self.types).all(same)
            && client.is_none_or(|client| description.begins_like(client))
    }
}
