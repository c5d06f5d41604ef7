//! How much a server may send as the answer to one of the control plane's questions.
//!
//! `tokio_postgres` makes room for as much as a message claims, up to 2 GiB, and keeps all rows until the last
//! one is there. So the headers of a server's messages are read on their way to it, and a message that goes
//! beyond what is allowed ends the connection before anybody makes room for it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes a server may still send.
#[derive(Debug)]
pub(super) struct Allowance {
    pub(super) max: usize,
    left: AtomicUsize,
    exceeded: AtomicBool,
}

impl Allowance {
    pub(super) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self {
            max,
            left: AtomicUsize::new(max),
            exceeded: AtomicBool::new(false),
        })
    }

    /// For the next question.
    pub(super) fn renew(&self) {
        self.left.store(self.max, Ordering::Relaxed);
    }

    pub(super) fn is_exceeded(&self) -> bool {
        self.exceeded.load(Ordering::Acquire)
    }

    fn take(&self, bytes: usize) -> io::Result<()> {
        let taken = |left: usize| left.checked_sub(bytes);
        match self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, taken)
        {
            Ok(_) => Ok(()),
            Err(_) => Err(self.exceed()),
        }
    }

    fn exceed(&self) -> io::Error {
        self.exceeded.store(true, Ordering::Release);
        io::Error::new(io::ErrorKind::InvalidData, "the server sends too much")
    }
}

/// A connection to a server whose messages count against an allowance, each by the length it claims.
#[derive(Debug)]
pub(super) struct Limited<S> {
    stream: S,
    allowance: Arc<Allowance>,
    /// What has arrived of the next message's tag and length.
    header: [u8; HEADER_BYTES],
    header_bytes: usize,
    /// What is still to come of the message under way.
    body: usize,
    /// For parameters a server reports: they are kept as long as the connection, so this is never renewed.
    parameters_left: usize,
}

impl<S> Limited<S> {
    pub(super) fn new(stream: S, allowance: Arc<Allowance>) -> Self {
        Self {
            stream,
            parameters_left: allowance.max,
            allowance,
            header: [0; HEADER_BYTES],
            header_bytes: 0,
            body: 0,
        }
    }

    fn account(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let of_body = self.body.min(bytes.len());
            self.body -= of_body;
            bytes = &bytes[of_body..];
            let of_header = (HEADER_BYTES - self.header_bytes).min(bytes.len());
            self.header[self.header_bytes..][..of_header].copy_from_slice(&bytes[..of_header]);
            self.header_bytes += of_header;
            bytes = &bytes[of_header..];
            if self.header_bytes == HEADER_BYTES {
                self.begin()?;
            }
        }
        Ok(())
    }

    /// A header is complete.
    fn begin(&mut self) -> io::Result<()> {
        let [tag, length @ ..] = self.header;
        // One below 4 is no length, which is for the reader to say.
        let body = (u32::from_be_bytes(length) as usize).saturating_sub(4);
        let bytes = body + HEADER_BYTES;
        self.allowance.take(bytes)?;
        if tag == PARAMETER_STATUS {
            self.parameters_left = match self.parameters_left.checked_sub(bytes) {
                Some(left) => left,
                None => return Err(self.allowance.exceed()),
            };
        }
        self.header_bytes = 0;
        self.body = body;
        Ok(())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Limited<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        std::task::ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        Poll::Ready(self.account(&buffer.filled()[before..]))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Limited<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Tag and length.
/// Source: <https://www.postgresql.org/docs/current/protocol-overview.html#PROTOCOL-MESSAGE-CONCEPTS>
const HEADER_BYTES: usize = 5;
const PARAMETER_STATUS: u8 = b'S';

#[cfg(test)]
mod tests {
    use super::*;

    fn message(tag: u8, body: usize) -> Vec<u8> {
        let mut message = vec![tag];
        message.extend((body as u32 + 4).to_be_bytes());
        message.resize(HEADER_BYTES + body, b'x');
        message
    }

    /// What is left of 100 bytes after each message, sent in pieces of any size; `None` where it ends.
    fn check(messages: &[Vec<u8>], left: Option<usize>) {
        let bytes = messages.concat();
        for size in 1..=bytes.len() {
            let allowance = Allowance::new(100);
            let mut limited = Limited::new((), Arc::clone(&allowance));
            let accounted = bytes
                .chunks(size)
                .try_for_each(|piece| limited.account(piece));
            let found = accounted
                .ok()
                .map(|()| allowance.left.load(Ordering::Relaxed));
            assert_eq!(found, left, "pieces of {size}");
            assert_eq!(allowance.is_exceeded(), left.is_none());
        }
    }

    #[test]
    fn messages_count_by_what_they_claim() {
        check(&[message(b'D', 95)], Some(0));
        check(&[message(b'D', 96)], None);
        check(&[message(b'Z', 0), message(b'D', 90)], Some(0));
        check(&[message(b'Z', 0), message(b'D', 91)], None);
        check(&[message(b'D', 5)[..7].to_vec()], Some(90));
        check(&[b"D\x7f\xff\xff\xff".to_vec()], None);
        check(&[b"D\xff\xff\xff\xff".to_vec()], None);
        check(&[vec![0; 100]], Some(0));
    }

    #[test]
    fn parameters_count_as_long_as_the_connection() {
        let allowance = Allowance::new(100);
        let mut limited = Limited::new((), Arc::clone(&allowance));
        for tag in [b'D', PARAMETER_STATUS, b'D'] {
            allowance.renew();
            limited.account(&message(tag, 60)).expect("it is allowed");
        }
        allowance.renew();
        assert!(limited.account(&message(PARAMETER_STATUS, 60)).is_err());
    }
}
