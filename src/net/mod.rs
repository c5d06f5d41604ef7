//! Listeners, sockets, TLS in both directions. Bytes only: no room but this one imports `rustls`, and
//! this one knows no message beyond the SSLRequest that comes before the first.

mod accepted;
mod buffer;
mod certificate;
mod client_tls;
mod listener;
mod stream;
mod tls;

pub use buffer::{AHEAD_BYTES_MAX, Buffered, OUTPUT_BYTES_MAX, poll_read, poll_write};
pub use client_tls::{Acceptor, Asked};
pub use listener::{Listener, Peer, Spare, is_exhausted};
pub use stream::Stream;
pub use tls::{Tls, TlsError, open};
