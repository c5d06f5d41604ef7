//! Password mechanisms, as server (SCRAM-SHA-256) and as client (SCRAM-SHA-256 with and without
//! channel binding, MD5, clear text). Pure state machines: bytes in, bytes out; who reads and writes
//! sockets is `frontend` and `backend`.

mod client;
mod scram;
mod secret;

pub use client::{ClientAuth, ClientAuthError, Identity, Step};
pub use scram::{ScramError, ScramServer};
#[cfg(any(test, feature = "internals"))]
pub use secret::Secret;
pub use secret::Secrets;
