//! TLS for `tokio_postgres`, by the same rules and from the same settings as for statements: for tools
//! such as `trunkline check` that let it open its own sockets. (It reads the one-byte answer to its
//! SSLRequest alone, and hands every later byte to the TLS session.)

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::config::SslMode;
use tokio_rustls::TlsConnector;

use super::tls::{Tls, server_name, session_binding};
use crate::config::{Address, ServerTlsMode};

impl Tls {
    /// What `tokio_postgres::Config::ssl_mode` must be for a server at this address.
    pub fn control_mode(&self, address: &Address) -> SslMode {
        match (address, self.mode) {
            (Address::Unix(_), _) | (_, ServerTlsMode::Disable) => SslMode::Disable,
            (_, ServerTlsMode::Prefer) => SslMode::Prefer,
            _ => SslMode::Require,
        }
    }

    /// The connector for `tokio_postgres::Config::connect`, by the same rules.
    pub fn control(&self) -> ControlTls {
        ControlTls {
            config: Arc::clone(&self.config),
        }
    }
}

/// TLS for the control plane's `tokio_postgres` connections.
#[derive(Clone)]
pub struct ControlTls {
    config: Arc<ClientConfig>,
}

/// One handshake to come: the connector of one host.
pub struct ControlHandshake {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

/// A control-plane connection under TLS.
pub struct ControlTlsStream<S>(Box<tokio_rustls::client::TlsStream<S>>);

impl<S> tokio_postgres::tls::MakeTlsConnect<S> for ControlTls
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = ControlTlsStream<S>;
    type TlsConnect = ControlHandshake;
    type Error = io::Error;

    fn make_tls_connect(&mut self, host: &str) -> io::Result<ControlHandshake> {
        Ok(ControlHandshake {
            config: Arc::clone(&self.config),
            name: server_name(host),
        })
    }
}

impl<S> tokio_postgres::tls::TlsConnect<S> for ControlHandshake
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = ControlTlsStream<S>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<ControlTlsStream<S>>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        Box::pin(async move {
            let connector = TlsConnector::from(self.config);
            let stream = connector.connect(self.name, stream).await?;
            Ok(ControlTlsStream(Box::new(stream)))
        })
    }
}

impl<S> tokio_postgres::tls::TlsStream for ControlTlsStream<S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    fn channel_binding(&self) -> tokio_postgres::tls::ChannelBinding {
        match session_binding(self.0.get_ref().1) {
            Some(binding) => tokio_postgres::tls::ChannelBinding::tls_server_end_point(binding),
            None => tokio_postgres::tls::ChannelBinding::none(),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for ControlTlsStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_read(cx, buf)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for ControlTlsStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_shutdown(cx)
    }
}
