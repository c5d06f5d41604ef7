//! A client's encrypted connection, and what logging in must know of it.

use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// The server's side of TLS over one socket.
pub struct Accepted {
    pub(super) stream: TlsStream<TcpStream>,
    pub(super) encryption: Encryption,
}

/// What the handshake with a client agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encryption {
    /// `TLSv1.2` or `TLSv1.3`, as in `pg_stat_ssl`.
    pub version: &'static str,
    /// By its IANA name: `TLS_AES_256_GCM_SHA384` in `pg_stat_ssl`, `TLS13_AES_256_GCM_SHA384` here.
    pub cipher: &'static str,
    /// The hash of our own certificate that `tls-server-end-point` binds SCRAM to; `None` where the certificate's
    /// signature has no hash of its own, so that SCRAM-SHA-256-PLUS cannot be offered.
    pub end_point_binding: Option<Arc<[u8]>>,
    /// The client's certificate, if it has shown one. It was verified then: by an authority in `tls.client_ca`,
    /// valid now, and the client has its key.
    pub client_certificate: Option<ClientCertificate>,
}

/// A verified certificate of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The subject's first common name, without NUL bytes; `None` where it has none that is text, and then the
    /// certificate stands for no user.
    pub common_name: Option<String>,
}
