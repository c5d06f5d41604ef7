//! TLS toward the servers, with libpq's meaning of `sslmode`.
//! Source: <https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-PROTECTION>
//!
//! ```text
//!            SSLRequest      answer   then
//! disable    not sent
//! prefer     sent            S        handshake, nothing verified; if it fails, again without TLS
//!                            N        plaintext
//! require    sent            S        handshake, nothing verified (with a `ca`: the chain, as libpq does)
//! verify-ca  sent            S        handshake, chain verified
//! verify-full sent           S        handshake, chain and host name verified
//! ```
//!
//! Unix sockets never carry TLS. Bytes that arrive together with the one-byte answer were sent by
//! somebody before the handshake; they are an error and are never fed to the session (CVE-2021-23222).
//! The cryptography is ring's, named here and not taken from a process-wide default.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;

use super::certificate::end_point_binding;
use super::stream::Stream;
use super::timer;
use crate::config::{Address, ServerTls, ServerTlsMode};

/// Why the TLS settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("cannot read certificates from {path}: {error}")]
    Read {
        path: String,
        error: rustls_pki_types::pem::Error,
    },
    #[error("{path} holds no certificate")]
    Empty { path: String },
    #[error("{path} holds an unusable certificate: {error}")]
    Unusable { path: String, error: rustls::Error },
    #[error(
        "{path} holds a certificate that is not of X.509 version 3, as others are not taken: \
         sign it with extensions (openssl x509 -req -extfile)"
    )]
    OldCertificate { path: String },
    #[error("cannot read the private key {path}: {error}")]
    Key { path: String, error: io::Error },
    #[error("the private key {path} {reason}")]
    BadKey { path: String, reason: &'static str },
    #[error("the private key {key} is not that of the first certificate in {certificate}")]
    KeyMismatch { certificate: String, key: String },
    #[error("{path} cannot verify certificates of clients: {error}")]
    UnusableAuthorities {
        path: String,
        error: rustls::server::VerifierBuilderError,
    },
    #[error("server_tls mode {mode:?} needs a ca")]
    NoCa { mode: ServerTlsMode },
    #[error("TLS cannot be set up: {0}")]
    Setup(rustls::Error),
}

/// How connections to the servers of one database are encrypted: [`ServerTls`], with its files read.
#[derive(Debug)]
pub struct Tls {
    mode: ServerTlsMode,
    config: Arc<ClientConfig>,
}

impl Tls {
    /// Reads the trusted authorities. Blocks on the file.
    pub fn load(settings: &ServerTls) -> Result<Arc<Self>, TlsError> {
        let mode = settings.mode;
        let authorities = match &settings.ca {
            Some(path) => Some(Authorities::load(path)?),
            None => None,
        };
        let check = match (mode, authorities) {
            (ServerTlsMode::Disable | ServerTlsMode::Prefer, _)
            | (ServerTlsMode::Require, None) => Check::Nothing,
            (ServerTlsMode::Require | ServerTlsMode::VerifyCa, Some(authorities)) => {
                Check::Chain(authorities)
            }
            (ServerTlsMode::VerifyFull, Some(authorities)) => Check::ChainAndName(authorities),
            (ServerTlsMode::VerifyCa | ServerTlsMode::VerifyFull, None) => {
                return Err(TlsError::NoCa { mode });
            }
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Setup)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Verifier { check, provider }))
            .with_no_client_auth();
        Ok(Arc::new(Self {
            mode,
            config: Arc::new(config),
        }))
    }

    /// Plaintext only.
    #[cfg(any(test, feature = "internals"))]
    pub fn disabled() -> Arc<Self> {
        Self::load(&ServerTls {
            mode: ServerTlsMode::Disable,
            ca: None,
        })
        .expect("reads no file, and ring supports the default protocol versions")
    }

    /// Asks for TLS and shakes hands.
    async fn negotiate(&self, mut stream: Stream, address: &Address) -> io::Result<Stream> {
        let (Address::Tcp { host, .. }, false) = (address, self.mode == ServerTlsMode::Disable)
        else {
            return Ok(stream);
        };
        stream.write_all(&SSL_REQUEST).await?;
        // Room for more than the answer, so that what came too early is seen.
        let mut answer = [0; 16];
        let length = stream.read(&mut answer).await?;
        match &answer[..length] {
            b"S" => self.handshake(stream, host).await,
            b"N" if self.mode == ServerTlsMode::Prefer => Ok(stream),
            b"N" => Err(io::Error::new(
                io::ErrorKind::ConnectionRefused,
                "the server does not offer TLS",
            )),
            [] => Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the server closed the connection",
            )),
            [b'S' | b'N', ..] => Err(invalid("the server sent bytes before the TLS handshake")),
            // Also an ErrorResponse ends here: its text came unauthenticated and is not repeated
            // (CVE-2024-10977).
            _ => Err(invalid(
                "the server does not answer an SSLRequest as PostgreSQL does",
            )),
        }
    }

    async fn handshake(&self, stream: Stream, host: &str) -> io::Result<Stream> {
        let Stream::Tcp(stream) = stream else {
            return Err(io::Error::other("TLS runs over TCP only"));
        };
        let connector = TlsConnector::from(Arc::clone(&self.config));
        let stream = connector.connect(server_name(host), stream).await?;
        Ok(Stream::Tls(Box::new(stream)))
    }
}

/// Connects to a server and encrypts the connection as `tls` says, all within `timeout`.
///
/// Cancel safe: dropping it closes the socket.
pub async fn open(address: &Address, tls: &Tls, timeout: Duration) -> io::Result<Stream> {
    let attempt = async {
        let stream = Stream::connect(address, timeout).await?;
        match tls.negotiate(stream, address).await {
            Err(_) if tls.mode == ServerTlsMode::Prefer => Stream::connect(address, timeout).await,
            negotiated => negotiated,
        }
    };
    match timer::timeout(timeout, attempt).await {
        Ok(opened) => opened,
        Err(_) => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the server did not answer in time",
        )),
    }
}

impl Stream {
    /// What binds a SCRAM exchange with a server to this channel, if it is encrypted and its certificate has one.
    pub fn channel_binding(&self) -> Option<Vec<u8>> {
        match self {
            Self::Tls(stream) => session_binding(stream.get_ref().1),
            Self::Tcp(_) | Self::Unix(_) | Self::Accepted(_) | Self::Closed => None,
        }
    }
}

fn session_binding(session: &rustls::ClientConnection) -> Option<Vec<u8>> {
    end_point_binding(session.peer_certificates()?.first()?)
}

/// A host name that TLS cannot express (one with a hyphen at its end, say) can still be connected to in the
/// modes that do not look at it; verify-full then fails, since no certificate names this address.
fn server_name(host: &str) -> ServerName<'static> {
    let no_name = || ServerName::from(std::net::IpAddr::from([0, 0, 0, 0]));
    ServerName::try_from(host.to_owned()).unwrap_or_else(|_| no_name())
}

fn invalid(message: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

/// What of the server's certificate is checked. That the server owns the certificate's key is proven by
/// the handshake's signature, always.
#[derive(Debug)]
enum Check {
    Nothing,
    Chain(Authorities),
    ChainAndName(Authorities),
}

#[derive(Debug)]
struct Authorities {
    roots: RootCertStore,
    /// The same certificates, as they stand in the file.
    listed: Vec<CertificateDer<'static>>,
}

impl Authorities {
    fn load(path: &Path) -> Result<Self, TlsError> {
        let listed = read_certificates(path)?;
        let mut roots = RootCertStore::empty();
        for certificate in &listed {
            roots
                .add(certificate.clone())
                .map_err(|error| TlsError::Unusable {
                    path: path.display().to_string(),
                    error,
                })?;
        }
        Ok(Self { roots, listed })
    }

    fn check_chain(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
        provider: &CryptoProvider,
    ) -> Result<(), rustls::Error> {
        // A self-signed server certificate that is itself listed is trusted as such, as with libpq;
        // webpki alone would refuse it because it calls itself an authority.
        if self
            .listed
            .iter()
            .any(|listed| listed.as_ref() == end_entity.as_ref())
        {
            return Ok(());
        }
        let parsed = ParsedCertificate::try_from(end_entity)?;
        let algorithms = provider.signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(
            &parsed,
            &self.roots,
            intermediates,
            now,
            algorithms,
        )
    }
}

/// All certificates of a PEM file, at least one. Blocks on it.
pub(super) fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = || path.display().to_string();
    let listed: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| TlsError::Read {
            path: text(),
            error,
        })?;
    if listed.is_empty() {
        return Err(TlsError::Empty { path: text() });
    }
    Ok(listed)
}

#[derive(Debug)]
struct Verifier {
    check: Check,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match &self.check {
            Check::Nothing => {}
            Check::Chain(authorities) => {
                authorities.check_chain(end_entity, intermediates, now, &self.provider)?;
            }
            Check::ChainAndName(authorities) => {
                authorities.check_chain(end_entity, intermediates, now, &self.provider)?;
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
            }
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            cert,
            dss,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            cert,
            dss,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// Length 8 and the code 80877103.
/// Source: <https://www.postgresql.org/docs/current/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-SSLREQUEST>
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

#[cfg(test)]
mod tests;
