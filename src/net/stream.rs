//! One socket, whatever its kind.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf, Ready};
use tokio::net::{TcpStream, UnixStream};

use super::accepted::{Accepted, Encryption};
use super::timer;
use crate::config::Address;

/// A socket to a client or to a server.
pub enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
    /// To a server.
    Tls(Box<tokio_rustls::client::TlsStream<TcpStream>>),
    /// To a client.
    Accepted(Box<Accepted>),
    /// Where a socket was, while it shakes hands and if it failed to: at its end for reading, broken for writing.
    Closed,
}

impl Stream {
    /// Connects, trying each address a host name stands for, all within `timeout`.
    ///
    /// Cancel safe: dropping it closes the socket.
    pub async fn connect(address: &Address, timeout: Duration) -> io::Result<Self> {
        match timer::timeout(timeout, Self::connect_unbounded(address)).await {
            Ok(connected) => connected,
            Err(_) => Err(io::Error::new(
                io::ErrorKind::TimedOut,
                format!("no connection within {}", seconds(timeout)),
            )),
        }
    }

    async fn connect_unbounded(address: &Address) -> io::Result<Self> {
        match address {
            Address::Tcp { host, port } => {
                let stream = TcpStream::connect((host.as_str(), *port)).await?;
                set_tcp_options(&stream, UNACKNOWLEDGED_MAX)?;
                Ok(Self::Tcp(stream))
            }
            Address::Unix(path) => Ok(Self::Unix(UnixStream::connect(path).await?)),
        }
    }

    /// Ready where a read would find something, as far as that can be told without reading: TLS cannot.
    /// Costs no system call.
    pub fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => stream.poll_read_ready(cx),
            Self::Unix(stream) => stream.poll_read_ready(cx),
            _ => Poll::Ready(Ok(())),
        }
    }

    /// True where the far end has closed its side, as far as the runtime has heard, though bytes it sent before
    /// may still wait to be read. Costs no system call.
    pub(super) fn is_closed_by_peer(&self) -> bool {
        match self {
            Self::Tcp(stream) => is_closed(stream.ready(Interest::READABLE)),
            Self::Unix(stream) => is_closed(stream.ready(Interest::READABLE)),
            Self::Tls(stream) => is_closed(stream.get_ref().0.ready(Interest::READABLE)),
            Self::Accepted(accepted) => {
                is_closed(accepted.stream.get_ref().0.ready(Interest::READABLE))
            }
            Self::Closed => true,
        }
    }

    /// True if this idle connection can be used: nothing to read and not closed. A server has nothing
    /// to say to an idle connection but "goodbye" (an ErrorResponse and the end), so bytes that wait
    /// here mean the connection must not be used. Costs one `recv`.
    pub fn idle_check(&self) -> bool {
        match self {
            Self::Tcp(stream) => nothing_to_read(&SockRef::from(stream)),
            Self::Unix(stream) => nothing_to_read(&SockRef::from(stream)),
            Self::Tls(stream) => {
                let (socket, session) = stream.get_ref();
                // `wants_read` is false while decrypted bytes wait, or after close_notify.
                session.wants_read() && nothing_to_read(&SockRef::from(socket))
            }
            Self::Accepted(accepted) => {
                let (socket, session) = accepted.stream.get_ref();
                session.wants_read() && nothing_to_read(&SockRef::from(socket))
            }
            Self::Closed => false,
        }
    }

    /// Makes this thread's runtime the one that hears of the socket. Nothing of it is lost but what the runtime has
    /// heard so far, which the new one hears again.
    ///
    /// Errors: no descriptor, or no place with the runtime; the socket stays where it was.
    pub fn bring_home(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => bring_tcp_home(stream),
            Self::Unix(stream) => {
                let socket =
                    std::os::unix::net::UnixStream::from(stream.as_fd().try_clone_to_owned()?);
                *stream = UnixStream::from_std(socket)?;
                Ok(())
            }
            Self::Tls(stream) => bring_tcp_home(stream.get_mut().0),
            Self::Accepted(accepted) => bring_tcp_home(accepted.stream.get_mut().0),
            Self::Closed => Ok(()),
        }
    }

    /// True if bytes that were written have not all reached the socket: they leave at the next write or flush and
    /// not by themselves. Costs no system call.
    pub fn holds_back(&self) -> bool {
        match self {
            Self::Tcp(_) | Self::Unix(_) | Self::Closed => false,
            Self::Tls(stream) => stream.get_ref().1.wants_write(),
            Self::Accepted(accepted) => accepted.stream.get_ref().1.wants_write(),
        }
    }

    /// What a client's encrypted connection agreed on and showed; `None` for plaintext, and toward servers.
    pub fn encryption(&self) -> Option<&Encryption> {
        match self {
            Self::Accepted(accepted) => Some(&accepted.encryption),
            Self::Tcp(_) | Self::Unix(_) | Self::Tls(_) | Self::Closed => None,
        }
    }

    /// True if this connection has bytes to read or was closed, as far as the runtime has heard: what
    /// arrived before the event that woke the caller. Costs a `recv` only where there is something.
    pub fn has_news(&self) -> bool {
        match self {
            Self::Tcp(stream) => {
                is_news(&stream.try_io(Interest::READABLE, || peek(&SockRef::from(stream))))
            }
            Self::Unix(stream) => {
                is_news(&stream.try_io(Interest::READABLE, || peek(&SockRef::from(stream))))
            }
            Self::Tls(stream) => {
                let (socket, session) = stream.get_ref();
                !session.wants_read()
                    || is_news(&socket.try_io(Interest::READABLE, || peek(&SockRef::from(socket))))
            }
            Self::Accepted(_) | Self::Closed => true,
        }
    }

    #[cfg(test)]
    pub fn is_encrypted(&self) -> bool {
        match self {
            Self::Tls(_) | Self::Accepted(_) => true,
            Self::Tcp(_) | Self::Unix(_) | Self::Closed => false,
        }
    }

    /// Writes what the socket takes at once and forgets the rest: for a farewell that nobody waits for.
    pub(crate) fn try_write_now(&self, bytes: &[u8]) {
        let _ = match self {
            Self::Tcp(stream) => stream.try_write(bytes),
            Self::Unix(stream) => stream.try_write(bytes),
            Self::Tls(_) | Self::Accepted(_) | Self::Closed => Ok(0),
        };
    }
}

/// As for servers, with more patience: a client may look at its rows for a while before it reads on.
pub(super) fn set_client_tcp_options(stream: &TcpStream) -> io::Result<()> {
    set_tcp_options(stream, CLIENT_UNACKNOWLEDGED_MAX)
}

/// Small messages leave at once, and a dead far end is noticed though nothing is sent.
fn set_tcp_options(stream: &TcpStream, unacknowledged_max: Duration) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_IDLE)
        .with_interval(KEEPALIVE_INTERVAL)
        .with_retries(KEEPALIVE_RETRIES);
    let socket = SockRef::from(stream);
    socket.set_tcp_keepalive(&keepalive)?;
    // Keepalive says nothing while bytes wait to be acknowledged; this does.
    socket.set_tcp_user_timeout(Some(unacknowledged_max))
}

/// A second descriptor of the same socket, because the runtime gives the first one up by value only.
fn bring_tcp_home(stream: &mut TcpStream) -> io::Result<()> {
    let socket = std::net::TcpStream::from(stream.as_fd().try_clone_to_owned()?);
    *stream = TcpStream::from_std(socket)?;
    Ok(())
}

/// Asks once; nobody is to be woken.
fn is_closed(ready: impl Future<Output = io::Result<Ready>>) -> bool {
    match pin!(ready).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(ready)) => ready.is_read_closed(),
        Poll::Ready(Err(_)) => true,
        Poll::Pending => false,
    }
}

fn nothing_to_read(socket: &SockRef<'_>) -> bool {
    !is_news(&peek(socket))
}

fn peek(socket: &SockRef<'_>) -> io::Result<usize> {
    let mut byte = [MaybeUninit::<u8>::uninit(); 1];
    socket.peek(&mut byte)
}

/// The socket is non-blocking (tokio made it so): `WouldBlock` is the one quiet answer.
fn is_news(peeked: &io::Result<usize>) -> bool {
    !matches!(peeked, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}

/// What a socket takes without the runtime being asked to wait for it: nearly always all that is short. `None` where it
/// is to be waited for. Of what is long a part may be left over, and tokio's own way then knows that the socket is full.
fn at_once(
    bytes: &[u8],
    try_write: impl FnOnce(&[u8]) -> io::Result<usize>,
) -> Option<io::Result<usize>> {
    if bytes.len() > SHORT_BYTES {
        return None;
    }
    match try_write(bytes) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
        written => Some(written),
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Accepted(accepted) => Pin::new(&mut accepted.stream).poll_read(cx, buf),
            Self::Closed => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => {
                if let Some(written) = at_once(buf, |buf| stream.try_write(buf)) {
                    return Poll::Ready(written);
                }
                Pin::new(stream).poll_write(cx, buf)
            }
            Self::Unix(stream) => {
                if let Some(written) = at_once(buf, |buf| stream.try_write(buf)) {
                    return Poll::Ready(written);
                }
                Pin::new(stream).poll_write(cx, buf)
            }
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Accepted(accepted) => Pin::new(&mut accepted.stream).poll_write(cx, buf),
            Self::Closed => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Self::Unix(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Self::Accepted(accepted) => {
                Pin::new(&mut accepted.stream).poll_write_vectored(cx, bufs)
            }
            Self::Closed => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(stream) => stream.is_write_vectored(),
            Self::Unix(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
            Self::Accepted(accepted) => accepted.stream.is_write_vectored(),
            Self::Closed => false,
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Self::Unix(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
            Self::Accepted(accepted) => Pin::new(&mut accepted.stream).poll_flush(cx),
            Self::Closed => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Accepted(accepted) => Pin::new(&mut accepted.stream).poll_shutdown(cx),
            Self::Closed => Poll::Ready(Ok(())),
        }
    }
}

/// Less than any socket's buffer has room for, unless it is full.
const SHORT_BYTES: usize = 4 * 1024;

const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_RETRIES: u32 = 6;
/// Without it, a write to a host that vanished fails after a quarter of an hour.
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(60);
/// Linux counts the time in which the far end is there but has no room, too: a client that takes nothing
/// of an answer for this long is closed, and its server is free.
const CLIENT_UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(120);

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn idle_check_sees_bytes_and_the_end() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("bind");
        let port = listener.local_addr().expect("address").port();
        let address = Address::Tcp {
            host: "127.0.0.1".to_owned(),
            port,
        };
        let mut stream = Stream::connect(&address, Duration::from_secs(5))
            .await
            .expect("connect");
        let (mut far, _) = listener.accept().await.expect("accept");
        assert!(stream.idle_check());
        far.write_all(b"x").await.expect("write");
        let mut buffer = [0; 1];
        while stream.idle_check() {
            tokio::task::yield_now().await;
        }
        stream.read_exact(&mut buffer).await.expect("read");
        assert!(stream.idle_check());
        drop(far);
        while stream.idle_check() {
            tokio::task::yield_now().await;
        }
    }

    /// A far end that is gone without a word, or takes nothing, is noticed by the kernel.
    #[tokio::test]
    async fn sockets_are_kept_alive_and_have_a_timeout() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("bind");
        let port = listener.local_addr().expect("address").port();
        let address = Address::Tcp {
            host: "127.0.0.1".to_owned(),
            port,
        };
        let (connected, accepted) = tokio::join!(
            Stream::connect(&address, Duration::from_secs(5)),
            listener.accept()
        );
        let Stream::Tcp(server) = connected.expect("connect") else {
            panic!("a TCP stream");
        };
        let (client, _) = accepted.expect("accept");
        set_client_tcp_options(&client).expect("options");
        for (stream, unacknowledged_max) in [
            (&server, UNACKNOWLEDGED_MAX),
            (&client, CLIENT_UNACKNOWLEDGED_MAX),
        ] {
            let socket = SockRef::from(stream);
            assert!(socket.keepalive().expect("option"));
            assert_eq!(socket.tcp_keepalive_time().expect("option"), KEEPALIVE_IDLE);
            assert_eq!(
                socket.tcp_keepalive_interval().expect("option"),
                KEEPALIVE_INTERVAL
            );
            assert_eq!(
                socket.tcp_keepalive_retries().expect("option"),
                KEEPALIVE_RETRIES
            );
            let timeout = socket.tcp_user_timeout().expect("option");
            assert_eq!(timeout, Some(unacknowledged_max));
            assert!(stream.nodelay().expect("option"));
        }
    }

    #[tokio::test]
    async fn refused_connection_is_an_error() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("bind");
        let port = listener.local_addr().expect("address").port();
        drop(listener);
        let address = Address::Tcp {
            host: "127.0.0.1".to_owned(),
            port,
        };
        assert!(
            Stream::connect(&address, Duration::from_secs(5))
                .await
                .is_err()
        );
    }
}
