//! One connection to one PostgreSQL server, and the pool of them.
//!
//! Knows sockets, logging in, and when a connection may be used again; knows no SQL but what it is
//! handed, and nothing of sessions, plans or which server is the primary.

mod cancel;
mod connect;
mod connection;
mod message;
mod parameters;
mod pool;
mod prepared;

pub use cancel::{CancelKey, cancel};
#[cfg(test)]
pub use connect::connect;
pub use connect::{DerivedKeys, Target};
pub use connection::{Connection, SettingsMark};
pub use message::error_response;
pub use parameters::Parameters;
pub use pool::{Lease, Offer, Pool, PoolStats, Slot};
pub use prepared::StatementId;

/// Frames of a server that come in pieces.
#[cfg(feature = "internals")]
pub fn fuzz_frames(data: &[u8], piece: usize) {
    let mut input = bytes::BytesMut::new();
    for chunk in data.chunks(piece) {
        input.extend_from_slice(chunk);
        loop {
            match message::take_frame(&mut input, 4_096) {
                Ok(Some(frame)) => assert!(frame.body.len() <= 4_096),
                Ok(None) => break,
                Err(_) => return,
            }
        }
        assert!(input.len() < 4_096 + 5 + piece);
    }
}

/// Bodies of a server's messages before login is done.
#[cfg(feature = "internals")]
pub fn fuzz_bodies(body: &[u8]) {
    let error = message::error_response(body);
    assert!(!error.message.contains('\0'));
    if let Some((_, secret)) = connect::backend_key(body) {
        assert!(secret.len() + 4 == body.len());
    }
    if let [byte] = body {
        let status = crate::wire::TransactionStatus::from_byte(*byte);
        assert!(status.is_none_or(|status| status.as_byte() == *byte));
    }
}
