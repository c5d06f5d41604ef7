//! Listeners, sockets, TLS in both directions. Bytes only: no room but this one imports `rustls`, and
//! this one knows no message beyond the SSLRequest that comes before the first.

mod accepted;
mod buffer;
mod certificate;
mod client_tls;
mod listener;
mod stream;
pub mod timer;
mod tls;
mod workers;

pub use buffer::{AHEAD_BYTES_MAX, Buffered, OUTPUT_BYTES_MAX, READ_BYTES, poll_read, poll_write};
pub use client_tls::{Acceptor, Asked};
pub use listener::{Listener, Peer, Spare, is_exhausted};
pub use stream::Stream;
pub use tls::{Tls, TlsError, open};
pub use workers::{Home, Seat, Workers, background};

/// A certificate, as far as it is read here.
#[cfg(feature = "internals")]
pub fn fuzz_certificate(der: &[u8]) {
    let named = certificate::common_name(der);
    assert!(!named.is_ok_and(|name| name.is_some_and(|name| name.contains('\0'))));
    let _ = certificate::end_point_binding(der);
    let _ = certificate::not_after(der);
    let _ = certificate::is_version_3(der);
}
