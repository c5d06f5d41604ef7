//! One logged-in server connection: a socket, its buffers, and what we know of the server's side.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use postgres_protocol::message::frontend;
use tokio::io::AsyncWriteExt;
use tokio::time::Instant;

use super::cancel::CancelKey;
use super::message::{error_response, read_frame};
use super::parameters::Parameters;
use super::prepared::Prepared;
use crate::error::{PgError, SqlState};
use crate::net::{Home, READ_BYTES, Stream, poll_read, timer};
use crate::wire::TransactionStatus;

/// What the session that last used a connection had SET, as a number the session gives and compares;
/// 0 is the state after connecting. `backend` does not look into it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SettingsMark(pub u64);

/// A connection to a server. Dropping it closes the socket at once.
pub struct Connection {
    pub stream: Stream,
    /// Bytes received and not yet consumed.
    pub input: BytesMut,
    /// Room for the next read.
    pub(super) read_bytes: usize,
    /// Bytes to send at the next flush.
    pub output: BytesMut,
    /// Where and how to cancel what runs on it.
    pub cancel: Arc<CancelKey>,
    /// As the server last reported them; sessions that have told their clients the same share them.
    pub parameters: Arc<Parameters>,
    /// Which statements of the global store it holds.
    pub prepared: Prepared,
    pub settings: SettingsMark,
    /// From the last ReadyForQuery.
    pub status: TransactionStatus,
    pub shard: Arc<str>,
    /// The server's address, for messages.
    pub server: Arc<str>,
    pub created: Instant,
    pub last_used: Instant,
    /// Whose runtime hears of the socket.
    pub home: Home,
    /// How often its pool had been renewed when it was opened.
    pub generation: u64,
}

impl Connection {
    /// A connection that nobody logged in, for tests of what is done with its bytes.
    #[cfg(any(test, feature = "internals"))]
    pub fn detached(stream: Stream) -> Self {
        let mut parameters = Parameters::default();
        for (name, value) in [
            ("server_encoding", "UTF8"),
            ("client_encoding", "UTF8"),
            ("standard_conforming_strings", "on"),
            ("integer_datetimes", "on"),
        ] {
            let body = format!("{name}\0{value}\0");
            parameters.update(body.as_bytes()).expect("few and short");
        }
        let now = Instant::now();
        Self {
            stream,
            input: BytesMut::new(),
            read_bytes: READ_BYTES,
            output: BytesMut::new(),
            cancel: Arc::new(CancelKey {
                address: crate::config::Address::Unix("/nowhere".into()),
                tls: crate::net::Tls::disabled(),
                process_id: 1,
                secret: Arc::from(&b"key!"[..]),
            }),
            parameters: Arc::new(parameters),
            prepared: Prepared::new(10),
            settings: SettingsMark::default(),
            status: TransactionStatus::Idle,
            shard: "s1".into(),
            server: "nowhere".into(),
            created: now,
            last_used: now,
            home: Home::here(),
            generation: 0,
        }
    }

    /// Sends what is in `output`.
    ///
    /// Not cancel safe: dropped midway, part of a message is sent and the connection must be closed.
    pub async fn flush(&mut self) -> io::Result<()> {
        self.stream.write_all_buf(&mut self.output).await?;
        self.stream.flush().await
    }

    /// Reads once; zero bytes mean that the server has closed. Cancel safe. A server that fills a read has more to say,
    /// and the next ones are larger, until the connection is given back.
    pub fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let room = self.read_bytes;
        let read = ready!(poll_read(&mut self.stream, &mut self.input, room, cx))?;
        if read >= room {
            self.read_bytes = STREAM_READ_BYTES;
        }
        Poll::Ready(Ok(read))
    }

    /// Runs a simple query of our own, swallows its results and takes in what the server reports of
    /// its settings. A server's error is returned after the connection is ready again; on I/O failure
    /// or a broken protocol the connection is dirty and must be dropped, which the error's 08 class says.
    ///
    /// Not cancel safe: dropped midway, the connection must be closed.
    pub async fn simple(&mut self, sql: &str, deadline: Instant) -> Result<(), PgError> {
        match timer::timeout_at(deadline, self.simple_unbounded(sql)).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(error)) => Err(self.lost(&error)),
            Err(_) => Err(self.lost(&io::Error::new(
                io::ErrorKind::TimedOut,
                "no answer in time",
            ))),
        }
    }

    /// Sends what is in `output`, a question of our own that ends with Sync, and returns the messages of its answer. Few
    /// and short ones are expected.
    ///
    /// Errors, and what a future that is dropped leaves: as of [`Self::simple`].
    pub async fn exchange(&mut self, deadline: Instant) -> Result<Vec<(u8, Bytes)>, PgError> {
        self.prepared.unnamed = None;
        match timer::timeout_at(deadline, self.exchange_unbounded()).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(error)) => Err(self.lost(&error)),
            Err(_) => Err(self.lost(&io::Error::new(
                io::ErrorKind::TimedOut,
                "no answer in time",
            ))),
        }
    }

    async fn exchange_unbounded(&mut self) -> io::Result<Result<Vec<(u8, Bytes)>, PgError>> {
        self.flush().await?;
        let mut outcome = Ok(Vec::new());
        loop {
            let frame = read_frame(&mut self.stream, &mut self.input, SIMPLE_BODY_MAX).await?;
            match (frame.tag, &mut outcome) {
                (b'Z', _) => {
                    let status = frame.body.first().copied();
                    let status = status.and_then(TransactionStatus::from_byte);
                    self.status = status.ok_or_else(|| malformed("ReadyForQuery"))?;
                    return Ok(outcome);
                }
                (b'E', _) => outcome = Err(error_response(&frame.body)),
                (b'S', _) => Arc::make_mut(&mut self.parameters)
                    .take_in(&frame.body)
                    .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?,
                (b'N' | b'A', _) => {}
                (tag, Ok(answer)) if answer.len() < EXCHANGE_MESSAGES_MAX => {
                    answer.push((tag, frame.body));
                }
                _ => return Err(malformed("message")),
            }
        }
    }

    /// As [`Self::simple`], for as long as it takes.
    pub async fn run(&mut self, sql: &str) -> Result<(), PgError> {
        match self.simple_unbounded(sql).await {
            Ok(outcome) => outcome,
            Err(error) => Err(self.lost(&error)),
        }
    }

    async fn simple_unbounded(&mut self, sql: &str) -> io::Result<Result<(), PgError>> {
        self.ask(sql).await?;
        self.answered().await
    }

    /// Runs a COPY FROM STDIN of our own to where the server waits for data. It ends with [`Self::copied_in`].
    ///
    /// Not cancel safe, as [`Self::simple`].
    pub async fn copy_in(&mut self, sql: &str) -> Result<(), PgError> {
        let begun = async {
            self.ask(sql).await?;
            loop {
                let frame = read_frame(&mut self.stream, &mut self.input, SIMPLE_BODY_MAX).await?;
                match frame.tag {
                    b'G' => return Ok(Ok(())),
                    b'E' => {
                        self.answered_after(true).await?.ok();
                        return Ok(Err(error_response(&frame.body)));
                    }
                    b'N' | b'A' => {}
                    _ => return Err(malformed("message")),
                }
            }
        };
        match begun.await {
            Ok(outcome) => outcome,
            Err(error) => Err(self.lost(&error)),
        }
    }

    /// What became of a COPY FROM STDIN whose CopyDone has been sent.
    ///
    /// Not cancel safe, as [`Self::simple`].
    pub async fn copied_in(&mut self) -> Result<(), PgError> {
        match self.answered().await {
            Ok(outcome) => outcome,
            Err(error) => Err(self.lost(&error)),
        }
    }

    async fn ask(&mut self, sql: &str) -> io::Result<()> {
        if !self.input.is_empty() || self.has_news() {
            return Err(malformed("bytes ahead of the answer"));
        }
        // A simple query makes the server forget its unnamed statement.
        self.prepared.unnamed = None;
        frontend::query(sql, &mut self.output)?;
        self.flush().await
    }

    async fn answered(&mut self) -> io::Result<Result<(), PgError>> {
        self.answered_after(false).await
    }

    /// Reads to ReadyForQuery. `complete`: what may come before it has.
    async fn answered_after(&mut self, mut complete: bool) -> io::Result<Result<(), PgError>> {
        let mut outcome = Ok(());
        loop {
            let frame = read_frame(&mut self.stream, &mut self.input, SIMPLE_BODY_MAX).await?;
            match frame.tag {
                b'Z' => {
                    self.status = match *frame.body {
                        [status] if complete => TransactionStatus::from_byte(status),
                        _ => None,
                    }
                    .ok_or_else(|| malformed("ReadyForQuery"))?;
                    return Ok(outcome);
                }
                b'E' if outcome.is_ok() => {
                    outcome = Err(error_response(&frame.body));
                    complete = true;
                }
                b'C' | b'I' if outcome.is_ok() => complete = true,
                b'S' => Arc::make_mut(&mut self.parameters)
                    .take_in(&frame.body)
                    .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?,
                b'T' | b'D' if outcome.is_ok() => {}
                b'N' | b'A' => {}
                // A COPY among them: the server would wait for data that will never come.
                _ => return Err(malformed("message")),
            }
        }
    }

    /// True if bytes wait to be read or the server has closed. Costs a system call only where there is something, or
    /// where another runtime than this thread's hears of the socket.
    pub fn has_news(&self) -> bool {
        match self.home == Home::here() {
            true => self.stream.has_news(),
            false => !self.stream.idle_check(),
        }
    }

    /// Makes this thread's runtime the one that hears of the socket, if that can be had and nothing waits to be heard.
    /// False where something does.
    pub fn come_home(&mut self) -> bool {
        let here = Home::here();
        if self.home == here {
            return true;
        }
        let quiet = self.stream.idle_check();
        if quiet && self.stream.bring_home().is_ok() {
            self.home = here;
        }
        quiet
    }

    /// The error to give when this connection failed underneath a statement.
    pub fn lost(&self, error: &io::Error) -> PgError {
        PgError::shard(
            SqlState::CONNECTION_FAILURE,
            format!(
                "shard {}: connection to {} was lost: {error}",
                self.shard, self.server
            ),
        )
    }

    /// Nothing is under way and nothing was left over, no transaction either.
    pub(super) fn is_quiet(&self) -> bool {
        self.input.is_empty() && self.output.is_empty() && self.status == TransactionStatus::Idle
    }

    /// Says goodbye as far as that takes no waiting, and closes.
    pub(super) fn terminate(self) {
        self.stream.try_write_now(&TERMINATE);
    }
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("unexpected {what}"))
}

/// Our own queries set things; their answers are short.
const SIMPLE_BODY_MAX: usize = 1024 * 1024;
/// Messages of an answer that is kept as a whole.
const EXCHANGE_MESSAGES_MAX: usize = 1_024;
/// Room for one read in the midst of a long result. Measured: docs/design/0016.
const STREAM_READ_BYTES: usize = 4 * READ_BYTES;
const TERMINATE: [u8; 5] = [b'X', 0, 0, 0, 4];
