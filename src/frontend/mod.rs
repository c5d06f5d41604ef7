//! The client's side of the wire: accepting, logging in, the two protocols, cancelling.
//!
//! ```text
//!   accept ─> handshake ─> Ready ──Query──> simple ──────────────┐
//!                            ^  └─Parse, Bind …─> InPipeline ──Sync──┤
//!                            │                     │ error           │
//!                            │                     v                 │
//!                            │                 SkipToSync ──Sync─────┤
//!                            └───────────────────────────────────────┘
//! ```
//!
//! The only room in which the simple and the extended protocol differ. Decides nothing about shards.

mod accept;
mod call;
mod extended;
mod handshake;
mod login;
mod opening;
mod options;
mod service;
mod several;
mod simple;

pub use accept::{Doors, last_words, receive};
pub use login::Gate;
#[cfg(feature = "internals")]
pub use login::fuzz_initial_response;

use crate::net::Buffered;
use crate::session::Session;

/// A client that is logged in: its connection, its session, and where it is in a pipeline.
pub(crate) struct Client {
    io: Buffered,
    session: Session,
    pipeline: extended::Pipeline,
    /// A message's body while it is dealt with: one buffer, used again and again.
    scratch: Vec<u8>,
}

/// What a startup packet sets.
#[cfg(feature = "internals")]
pub fn fuzz_startup(startup: &crate::wire::Startup) {
    let _ = options::session_settings(startup);
}
