//! The PostgreSQL protocol as bytes: frames, requests from clients, replies to them. No I/O, no
//! statements, no upper-layer errors beyond the fields of an ErrorResponse; rows stay undecoded.
//!
//! What arrives from a peer is read by our own bounds-checked decoders; what we say ourselves is
//! encoded by `pgwire`, which is imported nowhere else.
//! Source: <https://www.postgresql.org/docs/current/protocol-message-formats.html>

mod description;
mod frame;
pub mod oids;
mod reply;
mod request;
pub mod row;
mod startup;

pub use description::Description;
pub use frame::{HEADER_BYTES, Header, backend, frontend, header, says_goodbye};
pub use reply::{Column, PARSE_COMPLETE, Replies, TransactionStatus};
pub use request::{Bind, Described, RequestError, bind, close, describe, execute, parse, query};
pub use request::{LARGE_LENGTH_MAX, Oversized, SMALL_LENGTH_MAX, function_call};
pub use request::{
    put_bind_head, put_close, put_execute, put_flush, put_function_call, put_parse, put_query,
    put_sync,
};
pub use startup::{CancelRequest, Startup, StartupPacket, startup_packet};
