//! Runs a plan: the relay passes frames of one leased server connection to the client, undecoded, by the session's own
//! task; [`gather()`] passes rows of several servers to one of them before that; [`scatter`] merges the answers of several.
//!
//! Knows no SQL and no session; what to expect of the server is pushed by `session` and `frontend`.

mod answer;
mod copy;
mod expect;
mod fault;
mod gather;
pub mod merge;
mod oids;
mod relay;
pub mod scatter;
mod transfer;

pub use answer::lines;
#[cfg(feature = "internals")]
pub use copy::fuzz as fuzz_copy;
pub use expect::{Expect, Forward, Signature, Stage};
pub use gather::{GatherError, Given, Lane, Load, Moved, Pieces, gather};
pub use oids::{is_looked_at, parameters_to_server, types_to_server};
#[cfg(feature = "internals")]
pub use relay::fuzz as fuzz_relay;
pub use relay::{Paused, Relay, RelayError};

/// The body of an ErrorResponse, as the relay looks into it.
#[cfg(feature = "internals")]
pub fn fuzz_error(body: &[u8]) {
    let _ = fault::Fields::read(body, true);
    let _ = fault::Fields::read(body, false);
}
