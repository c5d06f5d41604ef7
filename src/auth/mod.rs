//! Who a client is, and who we are to servers. As server: rules, SCRAM-SHA-256 with and without channel
//! binding, MD5, clear text, and the throttle of those who guess. As client: the same mechanisms. Pure state
//! machines: bytes in, bytes out; who reads and writes sockets is `frontend` and `backend`.

mod client;
mod credential;
mod password;
mod proof;
mod rules;
mod scram;
mod secret;
mod throttle;

pub use client::{ClientAuth, ClientAuthError, Identity, Step};
pub use credential::{Credential, ScramKeys};
pub use password::{Md5Challenge, is_password, password};
pub use proof::Proof;
pub use rules::{Applicant, Channel, method};
pub use scram::{Mechanism, ScramError, ScramServer};
pub use secret::{Secret, Secrets};
pub use throttle::{Pass, Source, Throttle, TurnedAway};
