//! TLS toward clients: we are the server.
//!
//! Every handshake is a full one: there are no tickets and no session cache, as in PostgreSQL, so that a
//! certificate is verified by the authorities of today each time it is shown. There is no early data and no
//! renegotiation. The cryptography is ring's, named here and not taken from a process-wide default.
//! Source: <https://www.postgresql.org/docs/current/ssl-tcp.html>

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{
    InconsistentKeys, RootCertStore, ServerConfig, ServerConnection, SupportedProtocolVersion,
};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::accepted::{Accepted, ClientCertificate, Encryption};
use super::certificate::{common_name, end_point_binding, is_version_3, not_after};
use super::stream::Stream;
use super::timer;
use super::tls::{TlsError, read_certificates};
use crate::config::{ClientTls, TlsVersion};

/// How a client asked for TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// By an SSLRequest. It may leave ALPN out; a name that is not ours fails the handshake.
    Negotiated,
    /// By beginning with the handshake. It must name `postgresql` by ALPN, so that nobody is tricked into sending
    /// another protocol here.
    /// Source: <https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-SSL>
    Direct,
}

/// [`ClientTls`] with its files read: what handshakes go by. A connection keeps what it was accepted with.
pub struct Acceptor {
    config: TlsAcceptor,
    end_point_binding: Option<Arc<[u8]>>,
    not_after: Option<SystemTime>,
}

impl Acceptor {
    /// Reads the files, and refuses any that handshakes would fail with. Blocks on them.
    pub fn load(settings: &ClientTls) -> Result<Arc<Self>, TlsError> {
        let chain = read_certificates(&settings.certificate)?;
        let key = read_key(&settings.key)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions(settings.min_version))
            .map_err(TlsError::Setup)?;
        let builder = match &settings.client_ca {
            Some(path) => {
                let roots = Arc::new(client_authorities(path)?);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider)
                    .allow_unauthenticated()
                    .build();
                builder.with_client_cert_verifier(verifier.map_err(|error| {
                    TlsError::UnusableAuthorities {
                        path: text(path),
                        error,
                    }
                })?)
            }
            None => builder.with_no_client_auth(),
        };
        let Some(own) = chain.first() else {
            return Err(TlsError::Empty {
                path: text(&settings.certificate),
            });
        };
        if !is_version_3(own) {
            return Err(TlsError::OldCertificate {
                path: text(&settings.certificate),
            });
        }
        let (binding, not_after) = (end_point_binding(own), not_after(own));
        let mut config = builder
            .with_single_cert(chain, key)
            .map_err(|error| unusable_pair(settings, error))?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Arc::new(Self {
            config: TlsAcceptor::from(Arc::new(config)),
            end_point_binding: binding.map(Arc::from),
            not_after,
        }))
    }

    /// Until when our own certificate is valid, where it says so in a form we read.
    pub fn not_after(&self) -> Option<SystemTime> {
        self.not_after
    }

    async fn accept(&self, socket: TcpStream, asked: Asked) -> io::Result<Accepted> {
        let accept = self.config.accept(socket).into_fallible();
        let mut stream = match accept.await {
            Ok(stream) => stream,
            Err((error, socket)) => {
                linger(socket).await;
                return Err(io::Error::new(
                    error.kind(),
                    format!("TLS handshake failed: {error}"),
                ));
            }
        };
        match self.judge(stream.get_ref().1, asked) {
            Ok(encryption) => Ok(Accepted { stream, encryption }),
            Err(error) => {
                // The handshake is over, so there is no alert for this; the reason is in our log.
                let _ = stream.shutdown().await;
                linger(stream.into_inner().0).await;
                Err(error)
            }
        }
    }

    fn judge(&self, session: &ServerConnection, asked: Asked) -> io::Result<Encryption> {
        if asked == Asked::Direct && session.alpn_protocol() != Some(ALPN) {
            return Err(invalid(
                "direct TLS without the ALPN protocol \"postgresql\"",
            ));
        }
        let client_certificate = match session.peer_certificates().and_then(<[_]>::first) {
            Some(certificate) => {
                let common_name = common_name(certificate)
                    .map_err(|reason| invalid(format!("the client's certificate {reason}")))?;
                Some(ClientCertificate { common_name })
            }
            None => None,
        };
        Ok(Encryption {
            version: match session.protocol_version() {
                Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2",
                Some(rustls::ProtocolVersion::TLSv1_3) => "TLSv1.3",
                _ => return Err(invalid("no version of TLS was agreed on")),
            },
            cipher: session
                .negotiated_cipher_suite()
                .and_then(|cipher| cipher.suite().as_str())
                .unwrap_or("unknown"),
            end_point_binding: self.end_point_binding.clone(),
            client_certificate,
        })
    }
}

impl Stream {
    /// The first byte a client has sent, which stays unread; `None` at the end, and for sockets on which no TLS can
    /// begin. Waits for it. Cancel safe.
    pub async fn peek(&self) -> io::Result<Option<u8>> {
        match self {
            Self::Tcp(socket) => {
                let mut byte = [0];
                let length = socket.peek(&mut byte).await?;
                Ok((length > 0).then_some(byte[0]))
            }
            Self::Unix(_) | Self::Tls(_) | Self::Accepted(_) | Self::Closed => Ok(None),
        }
    }

    /// True for a TCP socket without TLS.
    pub fn can_encrypt(&self) -> bool {
        match self {
            Self::Tcp(_) => true,
            Self::Unix(_) | Self::Tls(_) | Self::Accepted(_) | Self::Closed => false,
        }
    }

    /// Shakes hands with a client; from then on the same stream is encrypted. Nothing that was read from it before
    /// may be used afterwards, so there must be nothing: the caller looks.
    ///
    /// If it fails, or is dropped midway, the socket is closed.
    pub async fn encrypt(&mut self, acceptor: &Acceptor, asked: Asked) -> io::Result<()> {
        let socket = match std::mem::replace(self, Self::Closed) {
            Self::Tcp(socket) => socket,
            other => {
                *self = other;
                return Err(io::Error::other("TLS runs over plain TCP only"));
            }
        };
        *self = Self::Accepted(Box::new(acceptor.accept(socket, asked).await?));
        Ok(())
    }
}

/// Lets the last word (an alert) arrive: a socket that is closed with unread bytes takes it back.
async fn linger(mut socket: TcpStream) {
    let drain = async {
        socket.shutdown().await?;
        let mut buffer = [0; 1024];
        let mut remaining = LINGER_BYTES_MAX;
        while remaining > 0 {
            let read = socket.read(&mut buffer).await?;
            if read == 0 {
                break;
            }
            remaining = remaining.saturating_sub(read);
        }
        io::Result::Ok(())
    };
    // Whether it arrived nobody asks.
    let _ = timer::timeout(LINGER_TIME_MAX, drain).await;
}

fn versions(min: TlsVersion) -> &'static [&'static SupportedProtocolVersion] {
    match min {
        TlsVersion::Tls12 => rustls::ALL_VERSIONS,
        TlsVersion::Tls13 => TLS13_ONLY,
    }
}

fn client_authorities(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in read_certificates(path)? {
        roots.add(certificate).map_err(|error| TlsError::Unusable {
            path: text(path),
            error,
        })?;
    }
    Ok(roots)
}

/// Reads a private key in any of its PEM forms: PKCS#8, PKCS#1 or SEC1. No error shows anything of the file.
fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let unreadable = |error| TlsError::Key {
        path: text(path),
        error,
    };
    let file = File::open(path).map_err(unreadable)?;
    // Of the open file, so that it is this one that is judged and read.
    let metadata = file.metadata().map_err(unreadable)?;
    let own = std::fs::metadata("/proc/self").map(|own| own.uid()).ok();
    if !metadata.is_file() {
        return Err(bad_key(path, "is not a regular file"));
    }
    if let Some(reason) = exposed(metadata.uid(), metadata.mode(), own) {
        return Err(bad_key(path, reason));
    }
    let mut pem = Vec::new();
    file.take(KEY_BYTES_MAX)
        .read_to_end(&mut pem)
        .map_err(unreadable)?;
    // The parser's own words may quote the file, and so the key.
    PrivateKeyDer::from_pem_slice(&pem).map_err(|error| match error {
        rustls_pki_types::pem::Error::NoItemsFound => bad_key(
            path,
            "holds no private key in PEM form, or one with a passphrase, which is not supported",
        ),
        _ => bad_key(path, "is not a well-formed PEM file"),
    })
}

/// PostgreSQL's rule: 0600 or less if it is ours, 0640 or less if it is root's.
/// Source: <https://www.postgresql.org/docs/current/ssl-tcp.html#SSL-SETUP>
fn exposed(owner: u32, mode: u32, own: Option<u32>) -> Option<&'static str> {
    const ROOT: u32 = 0;
    if owner == ROOT {
        (mode & 0o037 != 0).then_some(
            "is open to others: a key owned by root must have mode 0640 or less (chmod 0640)",
        )
    } else if own == Some(owner) {
        (mode & 0o077 != 0)
            .then_some("is open to others: a key must have mode 0600 or less (chmod 0600)")
    } else {
        Some("must be owned by the user who runs trunkline, or by root")
    }
}

fn bad_key(path: &Path, reason: &'static str) -> TlsError {
    TlsError::BadKey {
        path: text(path),
        reason,
    }
}

fn unusable_pair(settings: &ClientTls, error: rustls::Error) -> TlsError {
    let (certificate, key) = (text(&settings.certificate), text(&settings.key));
    match error {
        rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            TlsError::KeyMismatch { certificate, key }
        }
        rustls::Error::InvalidCertificate(_) => TlsError::Unusable {
            path: certificate,
            error,
        },
        // Of the key rustls says nothing but that no algorithm takes it.
        _ => bad_key(
            &settings.key,
            "holds a key that cannot be used: RSA of 2048 bits or more, ECDSA on P-256 or P-384, and Ed25519 can",
        ),
    }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn invalid(message: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

/// Source: <https://www.iana.org/assignments/tls-extensiontype-values/tls-extensiontype-values.xhtml#alpn-protocol-ids>
const ALPN: &[u8] = b"postgresql";
static TLS13_ONLY: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13];
/// Keys are a few kilobytes.
const KEY_BYTES_MAX: u64 = 1 << 20;
const LINGER_TIME_MAX: Duration = Duration::from_secs(1);
const LINGER_BYTES_MAX: usize = 64 * 1024;

#[cfg(test)]
mod tests;
