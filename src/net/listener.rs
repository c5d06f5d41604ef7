//! Where clients arrive.

use std::fmt;
use std::fs::File;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use socket2::{Domain, SockAddr, Socket, Type};
use tokio::net::{TcpListener, TcpSocket, UnixListener};

use super::buffer::Buffered;
use super::stream::{Stream, set_client_tcp_options};
use super::timer;
use crate::config::Address;

/// An open listening socket. A Unix socket's file goes away with it.
pub struct Listener {
    kind: Kind,
}

enum Kind {
    Tcp(TcpListener),
    Unix {
        listener: UnixListener,
        _file: SocketFile,
    },
}

/// Who connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    Tcp(SocketAddr),
    Unix,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix => f.write_str("[local]"),
        }
    }
}

impl Listener {
    /// Binds a TCP address, or a Unix socket at its full path. Looking a host name up blocks: for the
    /// start of the process, within a runtime.
    pub fn bind(address: &Address) -> io::Result<Self> {
        let kind = match address {
            Address::Tcp { host, port } => Kind::Tcp(bind_tcp(host, *port)?),
            Address::Unix(path) => bind_unix(path)?,
        };
        Ok(Self { kind })
    }

    /// Takes one client off the queue although descriptors have run out, by giving up `spare` for the
    /// moment, tells it `last_words` and closes. False where not even that could be done.
    ///
    /// Without it clients would wait in the queue for their own timeouts, not knowing why.
    pub async fn shed(&self, spare: &Spare, last_words: &[u8]) -> bool {
        let Some(given_up) = spare.give_up() else {
            return false;
        };
        drop(given_up);
        let shed = match timer::timeout(SHED_TIMEOUT, self.accept_once()).await {
            Ok(Ok((stream, _))) => {
                let mut client = Buffered::new(stream);
                client.output.extend_from_slice(last_words);
                let farewell = async {
                    if client.shutdown().await.is_ok() {
                        client.drain(SHED_BYTES_MAX).await;
                    }
                };
                let _ = timer::timeout(SHED_TIMEOUT, farewell).await;
                true
            }
            _ => false,
        };
        spare.take_again();
        shed
    }

    /// The next client. An error here is about one connection or about this process's limits, never
    /// the end of the listener, and by the time it is returned it has been paused for: call again. Only
    /// [`is_exhausted`] errors are returned at once.
    ///
    /// Cancel safe: no connection is lost.
    pub async fn accept(&self) -> io::Result<(Stream, Peer)> {
        loop {
            let error = match self.accept_once().await {
                Ok(accepted) => return Ok(accepted),
                Err(error) => error,
            };
            match policy(&error) {
                // The client went away in the queue: nobody's fault, nothing to tell.
                AfterError::Ignore => {}
                // The caller can do something about it at once.
                AfterError::Pause if is_exhausted(&error) => return Err(error),
                // Without memory the client stays in the queue and `accept` fails again at once; a
                // pause lets others close something.
                AfterError::Pause => {
                    timer::sleep(ACCEPT_PAUSE).await;
                    return Err(error);
                }
            }
        }
    }

    async fn accept_once(&self) -> io::Result<(Stream, Peer)> {
        match &self.kind {
            Kind::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                // Fails only on a socket that is already dead, which its first read will tell.
                let _ = set_client_tcp_options(&stream);
                Ok((Stream::Tcp(stream), Peer::Tcp(address)))
            }
            Kind::Unix { listener, .. } => {
                let (stream, _) = listener.accept().await?;
                Ok((Stream::Unix(stream), Peer::Unix))
            }
        }
    }

    /// The bound TCP address, of use where the port was 0; `None` for a Unix socket.
    #[cfg(test)]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        match &self.kind {
            Kind::Tcp(listener) => listener.local_addr().ok(),
            Kind::Unix { .. } => None,
        }
    }
}

/// The process, or the machine, has no descriptor left.
/// Source: `accept(2)`, EMFILE and ENFILE.
pub fn is_exhausted(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(EMFILE | ENFILE))
}

/// A descriptor kept for the moment when there is none left.
pub struct Spare(Mutex<Option<File>>);

impl Spare {
    pub fn new() -> Self {
        let spare = Self(Mutex::default());
        spare.take_again();
        spare
    }

    fn lock(&self) -> MutexGuard<'_, Option<File>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give_up(&self) -> Option<File> {
        let given = self.lock().take();
        if given.is_none() {
            // Somebody was faster last time; perhaps there is one now.
            self.take_again();
        }
        given
    }

    /// Others may be faster: then there is none until the next time.
    fn take_again(&self) {
        let mut spare = self.lock();
        if spare.is_none() {
            *spare = File::open("/dev/null").ok();
        }
    }
}

enum AfterError {
    Ignore,
    Pause,
}

fn policy(error: &io::Error) -> AfterError {
    match error.kind() {
        io::ErrorKind::ConnectionAborted
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::Interrupted => AfterError::Ignore,
        _ => AfterError::Pause,
    }
}

fn bind_tcp(host: &str, port: u16) -> io::Result<TcpListener> {
    let mut last = io::Error::new(
        io::ErrorKind::NotFound,
        "the host name stands for no address",
    );
    for address in (host, port).to_socket_addrs()? {
        match listen_tcp(address) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn listen_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv6() {
        TcpSocket::new_v6()
    } else {
        TcpSocket::new_v4()
    }?;
    // A restart must not wait for the old connections' TIME_WAIT.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn bind_unix(path: &Path) -> io::Result<Kind> {
    let listener = match UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            remove_stale(path)?;
            UnixListener::bind(path)?
        }
        bound => bound?,
    };
    let file = SocketFile {
        path: path.to_owned(),
    };
    // As PostgreSQL does by default: who may log in is decided by the password, not by the file.
    // https://www.postgresql.org/docs/current/runtime-config-connection.html#GUC-UNIX-SOCKET-PERMISSIONS
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777))?;
    Ok(Kind::Unix {
        listener,
        _file: file,
    })
}

/// Removes a socket that a killed process left behind, and only such a one: a file of another kind, or
/// a socket somebody answers on (or might, as when its queue is full), stays.
fn remove_stale(path: &Path) -> io::Result<()> {
    let in_use = |reason: &str| {
        io::Error::new(
            io::ErrorKind::AddrInUse,
            format!("{} {reason}", path.display()),
        )
    };
    if !std::fs::symlink_metadata(path)?.file_type().is_socket() {
        return Err(in_use("exists and is not a socket"));
    }
    // Non-blocking, because connecting to a socket whose queue is full would wait for ever.
    let probe = Socket::new(Domain::UNIX, Type::STREAM.nonblocking(), None)?;
    match probe.connect(&SockAddr::unix(path)?) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path)
        }
        _ => Err(in_use("is in use by another process")),
    }
}

struct SocketFile {
    path: PathBuf,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Nothing can be done about a failure here, and the next start removes a stale socket.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Clients that may wait to be accepted; the kernel caps it at `net.core.somaxconn`.
const BACKLOG: u32 = 1024;
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// What a client that is turned away for lack of descriptors may take: the next one waits for it.
const SHED_TIMEOUT: Duration = Duration::from_millis(50);
const SHED_BYTES_MAX: usize = 16 * 1024;
const EMFILE: i32 = 24;
const ENFILE: i32 = 23;

#[cfg(test)]
mod tests {
    use super::*;

    fn socket_path(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!(".s.trunkline-{name}-{}", std::process::id()))
    }

    #[tokio::test]
    async fn unix_socket_lives_as_long_as_its_listener() {
        let path = socket_path("lives");
        let address = Address::Unix(path.clone());
        let listener = Listener::bind(&address).expect("bind");
        let mode = std::fs::metadata(&path)
            .expect("metadata")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o777);
        let error = Listener::bind(&address)
            .err()
            .expect("somebody answers there");
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        let client = Stream::connect(&address, Duration::from_secs(5));
        let (client, accepted) = tokio::join!(client, listener.accept());
        client.expect("connect");
        assert_eq!(accepted.expect("accept").1, Peer::Unix);
        drop(listener);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn stale_unix_socket_is_replaced_and_a_file_is_not() {
        let path = socket_path("stale");
        drop(std::os::unix::net::UnixListener::bind(&path).expect("bind"));
        assert!(path.exists(), "the standard library leaves the file");
        drop(Listener::bind(&Address::Unix(path.clone())).expect("bind over the stale socket"));
        std::fs::write(&path, b"precious").expect("write");
        assert!(Listener::bind(&Address::Unix(path.clone())).is_err());
        assert_eq!(std::fs::read(&path).expect("read"), b"precious");
        std::fs::remove_file(&path).expect("remove");
    }

    #[test]
    fn accept_errors_pause_unless_they_are_one_clients_own() {
        let pauses = |code| {
            matches!(
                policy(&io::Error::from_raw_os_error(code)),
                AfterError::Pause
            )
        };
        let (emfile, enfile, enomem, econnaborted, eintr) = (24, 23, 12, 103, 4);
        assert!(pauses(emfile) && pauses(enfile) && pauses(enomem));
        assert!(!pauses(econnaborted) && !pauses(eintr));
    }

    #[tokio::test]
    async fn tcp_accepts() {
        let address = Address::Tcp {
            host: "127.0.0.1".to_owned(),
            port: 0,
        };
        let listener = Listener::bind(&address).expect("bind");
        let port = listener.local_addr().expect("TCP").port();
        let address = Address::Tcp {
            host: "localhost".to_owned(),
            port,
        };
        let (client, accepted) = tokio::join!(
            Stream::connect(&address, Duration::from_secs(5)),
            listener.accept()
        );
        client.expect("connect");
        assert!(matches!(accepted.expect("accept").1, Peer::Tcp(_)));
    }
}
