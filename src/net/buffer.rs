//! A stream with a buffer for each direction.
//!
//! The poll functions here never block and may be dropped at any point: bytes are either still in a
//! buffer or have gone. A buffer is taken when there is something to put into it, so that a peer that
//! says nothing costs none.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWrite};
use tokio::time::{Instant, Sleep};

use super::timer;
use super::{Home, Stream};
use crate::metrics::Traffic;

/// Room offered to one read. Bounds what is held for a peer that sends without end.
pub const READ_BYTES: usize = 16 * 1024;

/// The same for a client that has not yet filled a read: most send little at a time.
const FIRST_READ_BYTES: usize = 2 * 1024;

/// Output beyond this is written before more is produced.
pub const OUTPUT_BYTES_MAX: usize = 64 * 1024;

/// What a client may send ahead while it waits for something else; beyond it, its socket fills.
pub const AHEAD_BYTES_MAX: usize = 64 * 1024;

/// The same for one that has closed its side: what its socket still holds, unless that holds more.
const LAST_WORDS_BYTES_MAX: usize = 16 * 1024 * 1024;

/// How often a client that may send no more is looked at while something else is waited for.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// What an idle connection's buffers keep each.
const KEPT_BYTES_MAX: usize = 2 * READ_BYTES;

/// A client's connection and the bytes on their way in and out of it.
pub struct Buffered {
    pub stream: Stream,
    /// Received and not yet consumed.
    pub input: BytesMut,
    /// To be sent at the next flush.
    pub output: BytesMut,
    /// Whose runtime hears of the socket.
    home: Home,
    /// Room for the next read.
    read_bytes: usize,
    /// Tells whether unread input ends with a goodbye; the room above knows what one looks like.
    goodbye: fn(&[u8]) -> bool,
    /// Of a message that is passed on in parts, so many bytes come before the next one.
    mid_message: usize,
    /// When a client that has sent all it may send ahead is looked at again: nothing tells of its end.
    look_again: Option<Pin<Box<Sleep>>>,
    /// The client has said goodbye and gone: what it asked for before is still done, and what cannot be
    /// sent to it any more is dropped.
    gone_in_order: bool,
    /// Counts its bytes, as they are without TLS.
    traffic: Option<Traffic>,
}

impl Buffered {
    pub fn new(stream: Stream) -> Self {
        Self {
            stream,
            input: BytesMut::new(),
            output: BytesMut::new(),
            home: Home::here(),
            read_bytes: FIRST_READ_BYTES,
            goodbye: |_| false,
            mid_message: 0,
            look_again: None,
            gone_in_order: false,
            traffic: None,
        }
    }

    /// As [`Self::new`], with its bytes counted.
    pub fn counted(stream: Stream, traffic: Traffic) -> Self {
        Self {
            traffic: Some(traffic),
            ..Self::new(stream)
        }
    }

    /// From here on a client that goes after a goodbye is not lost. `goodbye` looks at unread input, which
    /// must begin where a message does.
    pub fn heed_goodbye(&mut self, goodbye: fn(&[u8]) -> bool) {
        self.goodbye = goodbye;
        self.mid_message = 0;
    }

    /// Unread input begins in the middle of a message, of which so many bytes are still to come.
    pub fn mid_message(&mut self, bytes: usize) {
        self.mid_message = bytes;
    }

    /// Makes this thread's runtime the one that hears of the socket. Where that cannot be had, the former one goes on.
    pub fn come_home(&mut self) {
        let here = Home::here();
        if self.home != here && self.stream.bring_home().is_ok() {
            self.home = here;
        }
    }

    /// Reads once; zero bytes mean the peer has closed its side. Cancel safe.
    pub async fn fill(&mut self) -> io::Result<usize> {
        poll_fn(|cx| self.poll_fill(cx)).await
    }

    /// As [`Self::fill`].
    pub fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.gone_in_order {
            return Poll::Ready(Ok(0));
        }
        let room = self.read_bytes;
        let read = ready!(poll_read(&mut self.stream, &mut self.input, room, cx))?;
        if let Some(traffic) = &self.traffic {
            traffic.received.inc_by(read as u64);
        }
        if read >= room {
            self.read_bytes = READ_BYTES;
        }
        Poll::Ready(Ok(read))
    }

    /// Keeps what the client sends while something else is waited for. Ready only with the news that the
    /// client is lost; one that went in order is not.
    pub fn poll_lost(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        while !self.gone_in_order && self.has_room_ahead(cx) {
            // Nearly always there is nothing, and this is the short way to find that out.
            if self.stream.poll_readable(cx).is_pending() {
                return Poll::Pending;
            }
            match ready!(self.poll_fill(cx)) {
                Ok(0) => {
                    if let Err(error) = self.gone(io::ErrorKind::UnexpectedEof.into()) {
                        return Poll::Ready(error);
                    }
                }
                Ok(_) => {}
                Err(error) => {
                    if let Err(error) = self.gone(error) {
                        return Poll::Ready(error);
                    }
                }
            }
        }
        Poll::Pending
    }

    /// As [`Self::poll_fill`], for more of what the client is asked for. Pending, too, where it has gone in
    /// order: what it had to say is here.
    pub fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match ready!(self.poll_fill(cx)) {
            Ok(read) if read > 0 => Poll::Ready(Ok(())),
            Ok(_) => match self.gone(io::ErrorKind::UnexpectedEof.into()) {
                Ok(()) => Poll::Pending,
                Err(error) => Poll::Ready(Err(error)),
            },
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    /// True where more of what the client sends ahead may be read. Beyond what everybody may send this is its
    /// last words: how it goes stands at their end.
    fn has_room_ahead(&mut self, cx: &mut Context<'_>) -> bool {
        if self.input.len() < AHEAD_BYTES_MAX {
            return true;
        }
        if self.stream.is_closed_by_peer() {
            return self.input.len() < LAST_WORDS_BYTES_MAX;
        }
        // Unread bytes hide the end from the runtime.
        let look_again = self
            .look_again
            .get_or_insert_with(|| Box::pin(timer::sleep(LOOK_INTERVAL)));
        while look_again.as_mut().poll(cx).is_ready() {
            look_again.as_mut().reset(Instant::now() + LOOK_INTERVAL);
        }
        false
    }

    /// The client sends no more. An error, unless it has said goodbye.
    fn gone(&mut self, error: io::Error) -> io::Result<()> {
        let next = self.input.get(self.mid_message..).unwrap_or_default();
        if self.gone_in_order || (self.goodbye)(next) {
            self.gone_in_order = true;
            return Ok(());
        }
        Err(error)
    }

    /// Writing has failed: the output is dropped. Whether the client had said goodbye stands in what it
    /// sent last, which can still be read; a broken socket always becomes readable.
    fn poll_write_failed(
        &mut self,
        error: io::Error,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while !self.gone_in_order && self.input.len() < AHEAD_BYTES_MAX {
            match ready!(self.poll_fill(cx)) {
                Ok(read) if read > 0 => {}
                _ => break,
            }
        }
        self.gone(error)?;
        self.output.clear();
        Poll::Ready(Ok(()))
    }

    /// Sends all output. Cancel safe: what was not sent stays in the buffer.
    pub async fn flush(&mut self) -> io::Result<()> {
        if self.output.is_empty() && !self.stream.holds_back() {
            return Ok(());
        }
        poll_fn(|cx| self.poll_flush(cx)).await
    }

    /// As [`Self::flush`].
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let before = self.output.len();
        let written = poll_write(&mut self.stream, &mut self.output, cx);
        self.count_sent(before - self.output.len());
        match ready!(written) {
            Ok(()) => Poll::Ready(Ok(())),
            Err(error) => self.poll_write_failed(error, cx),
        }
    }

    fn count_sent(&self, bytes: usize) {
        if let Some(traffic) = self.traffic.as_ref().filter(|_| bytes > 0) {
            traffic.sent.inc_by(bytes as u64);
        }
    }

    /// As [`Self::poll_flush`], and notices meanwhile that the client is lost.
    pub fn poll_flush_watching(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.poll_flush(cx) {
            Poll::Pending => self.poll_lost(cx).map(Err),
            flushed => flushed,
        }
    }

    /// Sends bytes that lie elsewhere, past the output, which must be empty; they are consumed as they go.
    pub fn poll_send(&mut self, bytes: &mut &[u8], cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !bytes.is_empty() {
            match Pin::new(&mut self.stream).poll_write(cx, bytes) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(written)) => {
                    self.count_sent(written);
                    *bytes = &bytes[written..];
                }
                Poll::Ready(Err(error)) => return self.poll_write_failed(error, cx),
                Poll::Pending => return self.poll_lost(cx).map(Err),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Lets go of the room that one large message took, once it is no longer used.
    pub fn shrink(&mut self) {
        for buffer in [&mut self.input, &mut self.output] {
            if buffer.is_empty() && buffer.capacity() > KEPT_BYTES_MAX {
                *buffer = BytesMut::new();
            }
        }
    }

    /// Lets go of all room that is not in use: the client has been idle for a while.
    pub fn release(&mut self) {
        for buffer in [&mut self.input, &mut self.output] {
            if buffer.is_empty() {
                *buffer = BytesMut::new();
            }
        }
        self.look_again = None;
        self.read_bytes = FIRST_READ_BYTES;
    }

    /// Sends all output, then closes the sending side.
    pub async fn shutdown(&mut self) -> io::Result<()> {
        self.flush().await?;
        poll_fn(|cx| Pin::new(&mut self.stream).poll_shutdown(cx)).await
    }

    /// Reads and forgets what still comes, until the client closes or `bytes_max` have come: closing a
    /// socket over unread bytes resets the connection, and the reset may overtake our last message.
    pub async fn drain(&mut self, bytes_max: usize) {
        let mut drained = 0;
        while drained < bytes_max {
            self.input.clear();
            match self.fill().await {
                Ok(read) if read > 0 => drained += read,
                _ => return,
            }
        }
    }
}

/// Reads once into `input`, after seeing to it that it has room for `room` bytes; where it has more, more may come.
pub fn poll_read(
    stream: &mut Stream,
    input: &mut BytesMut,
    room: usize,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    if !input.try_reclaim(room) {
        // Costs no system call; only then is there something to take memory for.
        ready!(stream.poll_readable(cx))?;
        input.reserve(room);
    }
    // tokio's own future is the way to read into spare capacity without unsafe code here; it holds
    // no bytes of its own, so making one for each poll loses nothing.
    pin!(stream.read_buf(input)).poll(cx)
}

/// Writes until `output` is empty and the socket has it all. While this is pending `output` may be empty already:
/// then the stream holds bytes back (TLS does) and is to be polled on.
pub fn poll_write(
    stream: &mut Stream,
    output: &mut BytesMut,
    cx: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    while !output.is_empty() {
        let written = ready!(Pin::new(&mut *stream).poll_write(cx, output))?;
        if written == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        output.advance(written);
    }
    output.clear();
    if stream.holds_back() {
        return Pin::new(stream).poll_flush(cx);
    }
    Poll::Ready(Ok(()))
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;
    use tokio::net::UnixStream;

    use super::*;

    fn pair() -> (Buffered, UnixStream) {
        let (near, far) = UnixStream::pair().expect("a pair of sockets");
        let mut near = Buffered::new(Stream::Unix(near));
        near.heed_goodbye(|unread| unread.ends_with(b"X"));
        (near, far)
    }

    #[tokio::test]
    async fn a_silent_peer_costs_no_buffer_and_one_that_is_idle_gives_it_back() {
        let (mut near, mut far) = pair();
        let waited = tokio::time::timeout(std::time::Duration::from_millis(20), near.fill()).await;
        assert!(waited.is_err());
        assert_eq!((near.input.capacity(), near.output.capacity()), (0, 0));
        far.write_all(&[b'a'; 3]).await.expect("write");
        assert_eq!(near.fill().await.expect("read"), 3);
        assert!(near.input.capacity() <= FIRST_READ_BYTES);
        near.release();
        assert_eq!(near.input.len(), 3, "what is in use stays");
        near.input.clear();
        near.release();
        assert_eq!(near.input.capacity(), 0);
        far.write_all(&[b'a'; 5_000]).await.expect("write");
        while near.input.len() < 5_000 {
            near.fill().await.expect("read");
        }
        assert_eq!(
            near.read_bytes, READ_BYTES,
            "a peer that sends much gets room"
        );
    }

    #[tokio::test]
    async fn a_peer_that_goes_is_lost_unless_it_has_said_goodbye() {
        for (last_words, lost) in [(&b"Q"[..], true), (b"QX", false), (b"", true)] {
            let (mut near, mut far) = pair();
            far.write_all(last_words).await.expect("write");
            drop(far);
            let watched = tokio::time::timeout(
                std::time::Duration::from_millis(100),
                poll_fn(|cx| near.poll_lost(cx)),
            )
            .await;
            assert_eq!(watched.is_ok(), lost, "{last_words:?}");
            assert_eq!(near.input, last_words);
            near.output.extend_from_slice(b"an answer");
            assert_eq!(near.flush().await.is_err(), lost, "{last_words:?}");
        }
    }

    /// Though it has sent more than anybody reads ahead.
    #[tokio::test]
    async fn a_peer_that_goes_behind_many_bytes_is_noticed() {
        for (last_words, lost) in [(&b"Q"[..], true), (b"X", false)] {
            let (mut near, mut far) = pair();
            far.write_all(&[b'a'; AHEAD_BYTES_MAX])
                .await
                .expect("write");
            let mut more = Box::pin(async move {
                far.write_all(&[b'a'; 3 * READ_BYTES]).await.expect("write");
                far.write_all(last_words).await.expect("write");
                tokio::time::sleep(LOOK_INTERVAL / 5).await;
            });
            let watched = async {
                poll_fn(|cx| {
                    let _ = more.as_mut().poll(cx);
                    near.poll_lost(cx)
                })
                .await;
            };
            let watched = tokio::time::timeout(LOOK_INTERVAL / 10, watched).await;
            assert!(watched.is_err(), "it is still there");
            assert!(near.input.len() < AHEAD_BYTES_MAX + READ_BYTES);
            more.await;
            let watched = poll_fn(|cx| near.poll_lost(cx));
            let watched = tokio::time::timeout(LOOK_INTERVAL * 3, watched).await;
            assert_eq!(watched.is_ok(), lost, "{last_words:?}");
            assert_eq!(near.input.len(), AHEAD_BYTES_MAX + 3 * READ_BYTES + 1);
        }
    }

    /// Without having been read meanwhile.
    #[tokio::test]
    async fn a_failed_write_asks_for_the_last_words() {
        let (mut near, mut far) = pair();
        far.write_all(b"QX").await.expect("write");
        drop(far);
        near.output.extend_from_slice(b"an answer");
        near.flush().await.expect("dropped");
        assert_eq!(near.input, &b"QX"[..]);
        assert_eq!(near.fill().await.expect("the end"), 0);
    }
}
