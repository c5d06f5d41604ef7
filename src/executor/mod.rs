//! Runs a plan. So far a plan is one statement on one shard, so this room is the relay: frames of
//! one leased server connection to the client, undecoded, by the session's own task.
//!
//! Knows no SQL and no session; what to expect of the server is pushed by `session` and `frontend`.

mod copy;
mod expect;
mod fault;
pub mod merge;
mod relay;
mod transfer;

#[cfg(feature = "internals")]
pub use copy::fuzz as fuzz_copy;
pub use expect::{Expect, Forward, Stage};
#[cfg(feature = "internals")]
pub use relay::fuzz as fuzz_relay;
pub use relay::{Paused, Relay, RelayError};

/// The body of an ErrorResponse, as the relay looks into it.
#[cfg(feature = "internals")]
pub fn fuzz_error(body: &[u8]) {
    let _ = fault::Fields::read(body, true);
    let _ = fault::Fields::read(body, false);
}
