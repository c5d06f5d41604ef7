//! The loop over a client's messages: a session's, or the admin console's.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Buf;

use super::Client;
use super::simple::not_utf8;
use crate::admin::Console;
use crate::error::{PgError, Severity, SqlState};
use crate::net::{Buffered, Home};
use crate::session::{ASIDE_BYTES, Entry, Failure, Reason};
use crate::wire::{
    self, HEADER_BYTES, Header, LARGE_LENGTH_MAX, Replies, SMALL_LENGTH_MAX, TransactionStatus,
    frontend,
};

/// The console's commands are short.
const CONSOLE_MESSAGE_BYTES_MAX: usize = 16 * 1024;

/// What a client's scratch buffer keeps between messages.
const SCRATCH_BYTES_MAX: usize = 16 * 1024;

/// What a session does next.
enum Turn {
    /// The client has sent something.
    Work,
    /// The client has sent nothing for long.
    Doze,
    /// The session has to be run elsewhere. The client may have sent something.
    Move(Home),
    Leave,
}

/// What becomes of a session that is not served here any longer.
pub(super) enum Parting {
    /// Its client has left in order.
    Left,
    /// It is to be served in that runtime from here on.
    Moves(Home),
}

/// Serves a session until its client leaves, or it has to be served in another runtime.
pub(super) async fn session(client: &mut Client) -> Result<Parting, Failure> {
    let entry = client.session.entry().clone();
    entry.interrupt.attach().await;
    let mut turn = match client.io.input.is_empty() {
        true => client.rest(&entry).await?,
        // It has moved here with what its client had sent.
        false => Turn::Work,
    };
    loop {
        turn = match turn {
            // On the heap, and not while the client is idle: all that dealing with a message may take is many times
            // as large as what waiting for one does. Busy clients stay in here.
            Turn::Work => Box::pin(client.work(&entry)).await?,
            Turn::Doze => client.wait(&entry, true).await?,
            Turn::Move(home) => return Ok(Parting::Moves(home)),
            Turn::Leave => return Ok(Parting::Left),
        }
    }
}

/// Sends what is to be said before waiting. A client that does not read it is as idle as one that does
/// not write.
pub(super) async fn answer(
    io: &mut Buffered,
    entry: &Entry,
    may_stop: bool,
) -> Result<(), Failure> {
    poll_fn(|cx| poll_answer(io, entry, may_stop, cx)).await
}

fn poll_answer(
    io: &mut Buffered,
    entry: &Entry,
    may_stop: bool,
    cx: &mut Context<'_>,
) -> Poll<Result<(), Failure>> {
    match io.poll_flush_watching(cx) {
        Poll::Ready(flushed) => Poll::Ready(flushed.map_err(Failure::Gone)),
        Poll::Pending => match entry.interrupt.idle_ends(may_stop) {
            Some(reason) => Poll::Ready(Err(reason.failure())),
            None => Poll::Pending,
        },
    }
}

/// Ready with the client's next bytes or its end, or with a reason not to wait for them any longer.
fn poll_client(
    io: &mut Buffered,
    entry: &Entry,
    may_stop: bool,
    cx: &mut Context<'_>,
) -> Poll<Result<Turn, Failure>> {
    if let Poll::Ready(read) = io.poll_fill(cx) {
        return Poll::Ready(match read.map_err(Failure::Gone)? {
            0 => Ok(Turn::Leave),
            _ => Ok(Turn::Work),
        });
    }
    match entry.interrupt.idle_ends(may_stop) {
        Some(reason) => Poll::Ready(Err(reason.failure())),
        None => Poll::Pending,
    }
}

/// Serves the admin console: simple queries only. A pipeline of the extended protocol is told so once.
pub(super) async fn console(
    io: &mut Buffered,
    console: &Console,
    entry: &Arc<Entry>,
) -> Result<(), Failure> {
    entry.interrupt.attach().await;
    let mut skips_to_sync = false;
    loop {
        while let Some(head) = next(io)? {
            if head.len > CONSOLE_MESSAGE_BYTES_MAX {
                return Err(Failure::Fatal(too_long(head, CONSOLE_MESSAGE_BYTES_MAX)));
            }
            if io.input.len() < head.len {
                break;
            }
            let frame = io.input.split_to(head.len);
            match head.tag {
                frontend::TERMINATE => return Ok(()),
                frontend::SYNC => {
                    skips_to_sync = false;
                    io.output.ready_for_query(TransactionStatus::Idle);
                }
                // Outside a copy these mean nothing to PostgreSQL either.
                frontend::FLUSH
                | frontend::COPY_DATA
                | frontend::COPY_DONE
                | frontend::COPY_FAIL => {}
                _ if skips_to_sync => {}
                frontend::QUERY => {
                    let text = wire::query(&frame[HEADER_BYTES..]).map_err(malformed)?;
                    let outcome = match std::str::from_utf8(text) {
                        Ok(text) => console.run(text).await,
                        Err(_) => Err(not_utf8()),
                    };
                    match outcome {
                        Ok(view) => {
                            if let Some(columns) = &view.columns {
                                io.output.row_description(columns);
                                view.rows.iter().for_each(|row| io.output.data_row(row));
                            }
                            if view.tag.is_empty() {
                                io.output.empty_query();
                            } else {
                                io.output.command_complete(&view.tag);
                            }
                        }
                        Err(error) if error.severity == Severity::Fatal => {
                            return Err(Failure::Fatal(error));
                        }
                        Err(error) => io.output.error(&error),
                    }
                    io.output.ready_for_query(TransactionStatus::Idle);
                }
                tag => {
                    io.output.error(&PgError::refusal(
                        "the admin console speaks the simple protocol only",
                        "Use psql, or the driver's simple query mode.",
                    ));
                    match tag {
                        // It is its own Sync.
                        frontend::FUNCTION_CALL => {
                            io.output.ready_for_query(TransactionStatus::Idle);
                        }
                        _ => skips_to_sync = true,
                    }
                }
            }
        }
        if !io.output.is_empty() {
            answer(io, entry, true).await?;
        }
        if let Turn::Leave = poll_fn(|cx| poll_client(io, entry, true, cx)).await? {
            return Ok(());
        }
    }
}

/// The next message's header, if its five bytes have arrived.
///
/// Errors: a type no client sends here, before its length is believed; a length that PostgreSQL would not
/// take. Source: `SocketBackend` in `src/backend/tcop/postgres.c`.
fn next(io: &Buffered) -> Result<Option<Header>, Failure> {
    let head = wire::header(&io.input).map_err(|e| violation(e.to_string()))?;
    let Some(head) = head else {
        return Ok(None);
    };
    let length_max = match head.tag {
        frontend::QUERY
        | frontend::PARSE
        | frontend::BIND
        | frontend::FUNCTION_CALL
        | frontend::COPY_DATA => LARGE_LENGTH_MAX,
        frontend::CLOSE
        | frontend::DESCRIBE
        | frontend::EXECUTE
        | frontend::FLUSH
        | frontend::SYNC
        | frontend::TERMINATE
        | frontend::COPY_DONE
        | frontend::COPY_FAIL => SMALL_LENGTH_MAX,
        tag => return Err(violation(format!("invalid frontend message type {tag}"))),
    };
    if head.len - 1 > length_max {
        return Err(violation("invalid message length".to_owned()));
    }
    Ok(Some(head))
}

/// Lexing and planning so long a text would keep the other clients of a worker waiting: the shared runtime has other
/// threads for them.
fn takes_long(head: Header) -> bool {
    head.len > ASIDE_BYTES && matches!(head.tag, frontend::QUERY | frontend::PARSE)
}

fn violation(message: String) -> Failure {
    Failure::Fatal(PgError::client(SqlState::PROTOCOL_VIOLATION, message))
}

/// The message has been read as a whole, so that the client can be told and go on, as PostgreSQL's.
pub(super) fn malformed(error: wire::RequestError) -> PgError {
    PgError::client(SqlState::PROTOCOL_VIOLATION, error.to_string())
}

impl Client {
    /// Deals with messages until there are none for long.
    async fn work(&mut self, entry: &Entry) -> Result<Turn, Failure> {
        loop {
            // Whoever comes here has waited for the client, and refreshed.
            let mut waited = true;
            while let Some(head) = next(&self.io)? {
                if head.tag == frontend::TERMINATE {
                    return Ok(Turn::Leave);
                }
                let whole = self.io.input.len() >= head.len;
                let takes_long = whole && takes_long(head);
                if !waited && self.nothing_is_open() {
                    // Its next statement is always here already: it would never come to a wait.
                    if entry.interrupt.is_stopping() {
                        return Err(Reason::Stopping.failure());
                    }
                    self.session.refresh()?;
                    let home = entry.interrupt.home();
                    if home != Home::here() && !takes_long {
                        return Ok(Turn::Move(home));
                    }
                }
                waited = false;
                if takes_long && Home::here() != Home::SHARED {
                    return Ok(Turn::Move(Home::SHARED));
                }
                if !self.message(head).await? {
                    break;
                }
            }
            match self.rest(entry).await? {
                Turn::Work => {}
                turn => return Ok(turn),
            }
        }
    }

    /// It is the client's turn.
    async fn rest(&mut self, entry: &Entry) -> Result<Turn, Failure> {
        if !self.nothing_is_open() {
            self.session.awaits_client().await;
        }
        self.wait(entry, false).await
    }

    /// Sends what is to be said and waits for the client's next bytes. One that is idle for long keeps no buffers.
    async fn wait(&mut self, entry: &Entry, dozes: bool) -> Result<Turn, Failure> {
        let may_stop = self.nothing_is_open();
        let mut says = !self.io.output.is_empty();
        if !says {
            self.io.shrink();
        }
        let turn = poll_fn(|cx| {
            if says {
                ready!(poll_answer(&mut self.io, entry, may_stop, cx))?;
                self.io.shrink();
                says = false;
            }
            if let Poll::Ready(turn) = poll_client(&mut self.io, entry, may_stop, cx) {
                return Poll::Ready(turn);
            }
            if !dozes && entry.interrupt.dozes_off() {
                self.io.release();
                self.scratch = Vec::new();
                return Poll::Ready(Ok(Turn::Doze));
            }
            Poll::Pending
        })
        .await?;
        if may_stop && matches!(turn, Turn::Work) {
            // After the wait, which may have outlasted a reload.
            self.session.refresh()?;
            let home = entry.interrupt.home();
            if home != Home::here() {
                return Ok(Turn::Move(home));
            }
        }
        Ok(turn)
    }

    /// Deals with one message; false where more of it has to arrive first.
    async fn message(&mut self, head: Header) -> Result<bool, Failure> {
        let here = self.io.input.len() >= head.len;
        match head.tag {
            frontend::COPY_DATA | frontend::COPY_DONE | frontend::COPY_FAIL => {
                if Box::pin(self.flush_to_copy()).await? {
                    return Ok(true);
                }
                // Left over from a COPY the server has given up.
                return Box::pin(self.drop_message(head)).await;
            }
            frontend::BIND => {}
            frontend::SYNC | frontend::FLUSH if head.len > HEADER_BYTES => {
                return Err(violation("invalid message format".to_owned()));
            }
            _ if head.len > self.session.message_bytes_max() => {
                let limit = self.session.message_bytes_max();
                return Err(Failure::Fatal(too_long(head, limit)));
            }
            _ if !here => return Ok(false),
            _ => {}
        }
        match head.tag {
            frontend::BIND => return self.bind(head).await,
            frontend::EXECUTE => self.execute(head).await?,
            frontend::SYNC => {
                self.io.input.advance(head.len);
                self.sync().await?;
            }
            frontend::FLUSH => {
                self.io.input.advance(head.len);
                Box::pin(self.flush()).await?;
            }
            frontend::QUERY
            | frontend::PARSE
            | frontend::DESCRIBE
            | frontend::CLOSE
            | frontend::FUNCTION_CALL => {
                // Copied out, because the input buffer goes on filling while the message is dealt with.
                let mut body = std::mem::take(&mut self.scratch);
                body.clear();
                body.extend_from_slice(&self.io.input[HEADER_BYTES..head.len]);
                self.io.input.advance(head.len);
                let outcome = match head.tag {
                    frontend::QUERY => self.simple(&body).await,
                    frontend::FUNCTION_CALL => Box::pin(self.call(&body)).await,
                    tag => self.extended(tag, &body).await,
                };
                body.shrink_to(SCRATCH_BYTES_MAX);
                self.scratch = body;
                outcome?;
            }
            tag => return Err(violation(format!("invalid frontend message type {tag}"))),
        }
        Ok(true)
    }

    /// Reads a message and forgets it, whatever its size.
    pub(super) async fn drop_message(&mut self, head: Header) -> Result<bool, Failure> {
        self.drop_bytes(head.len).await
    }

    /// The same for what is left of one.
    pub(super) async fn drop_bytes(&mut self, mut remaining: usize) -> Result<bool, Failure> {
        loop {
            self.io.mid_message(remaining);
            let here = remaining.min(self.io.input.len());
            self.io.input.advance(here);
            remaining -= here;
            if remaining == 0 {
                self.io.mid_message(0);
                return Ok(true);
            }
            self.session.more(&mut self.io).await?;
        }
    }
}

pub(super) fn too_long(head: Header, limit: usize) -> PgError {
    PgError::proxy(
        SqlState::PROGRAM_LIMIT_EXCEEDED,
        format!(
            "a message of {} bytes is longer than the {limit} allowed",
            head.len
        ),
    )
    .with_hint("Send large values as parameters behind the sharding key's, or by COPY.")
}
