//! A stream with a buffer for each direction.
//!
//! The poll functions here never block and may be dropped at any point: bytes are either still in a
//! buffer or have gone.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWrite};

use super::Stream;

/// Room offered to one read. Bounds what is held for a peer that sends without end.
pub const READ_BYTES: usize = 16 * 1024;

/// Output beyond this is written before more is produced.
pub const OUTPUT_BYTES_MAX: usize = 64 * 1024;

/// What an idle connection's buffers keep each.
const KEPT_BYTES_MAX: usize = 2 * READ_BYTES;

/// A client's connection and the bytes on their way in and out of it.
pub struct Buffered {
    pub stream: Stream,
    /// Received and not yet consumed.
    pub input: BytesMut,
    /// To be sent at the next flush.
    pub output: BytesMut,
}

impl Buffered {
    pub fn new(stream: Stream) -> Self {
        Self {
            stream,
            input: BytesMut::new(),
            output: BytesMut::new(),
        }
    }

    /// Reads once; zero bytes mean the peer has closed its side. Cancel safe.
    pub async fn fill(&mut self) -> io::Result<usize> {
        poll_fn(|cx| poll_read(&mut self.stream, &mut self.input, cx)).await
    }

    /// Sends all output. Cancel safe: what was not sent stays in the buffer.
    pub async fn flush(&mut self) -> io::Result<()> {
        if self.output.is_empty() && !self.stream.holds_back() {
            return Ok(());
        }
        poll_fn(|cx| poll_write(&mut self.stream, &mut self.output, cx)).await
    }

    /// Lets go of the room that one large message took, once it is no longer used.
    pub fn shrink(&mut self) {
        for buffer in [&mut self.input, &mut self.output] {
            if buffer.is_empty() && buffer.capacity() > KEPT_BYTES_MAX {
                *buffer = BytesMut::new();
            }
        }
    }

    /// Sends all output, then closes the sending side.
    pub async fn shutdown(&mut self) -> io::Result<()> {
        self.flush().await?;
        poll_fn(|cx| Pin::new(&mut self.stream).poll_shutdown(cx)).await
    }
}

/// Reads once into `input`.
pub fn poll_read(
    stream: &mut Stream,
    input: &mut BytesMut,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    input.reserve(READ_BYTES);
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
