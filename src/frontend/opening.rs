//! What comes before a login: requests for encryption, cancel requests, the startup packet.

use bytes::Buf;
use rand::Rng;

use super::Doors;
use crate::error::{PgError, SqlState};
use crate::net::Buffered;
use crate::session::Failure;
use crate::wire::{self, Replies, Startup, StartupPacket};

/// SSLRequest and GSSENCRequest, once each; more is a client that plays.
const NEGOTIATIONS_MAX: usize = 2;

/// Reads packets until the startup packet.
pub(super) async fn startup(doors: &Doors, io: &mut Buffered) -> Result<Option<Startup>, Failure> {
    let mut negotiations = 0;
    loop {
        let packet = wire::startup_packet(&io.input).map_err(|e| {
            Failure::Fatal(PgError::client(SqlState::PROTOCOL_VIOLATION, e.to_string()))
        })?;
        let Some((packet, length)) = packet else {
            if io.fill().await? == 0 {
                return Ok(None);
            }
            continue;
        };
        io.input.advance(length);
        match packet {
            StartupPacket::Startup(startup) => return Ok(Some(startup)),
            StartupPacket::Cancel(request) => {
                let registry = doors.shared.registry.clone();
                // A task of its own: a client that hangs up must not leave a cancel halfway.
                let cancel = tokio::spawn(async move {
                    registry.cancel(request.process_id, &request.secret).await;
                });
                let _ = cancel.await;
                return Ok(None);
            }
            StartupPacket::Ssl | StartupPacket::GssEnc => {
                negotiations += 1;
                // Bytes behind the request were sent before our answer: whoever did that is not
                // the client (CVE-2021-23214).
                if !io.input.is_empty() || negotiations > NEGOTIATIONS_MAX {
                    return Err(Failure::Fatal(PgError::client(
                        SqlState::PROTOCOL_VIOLATION,
                        "received unencrypted data after SSL or GSSAPI encryption request",
                    )));
                }
                io.output.extend_from_slice(b"N");
                io.flush().await?;
            }
        }
    }
}

/// The newest minor version of protocol 3 that is spoken here.
const MINOR_MAX: u16 = 2;

/// Cancel keys have this length from protocol 3.2 on, as PostgreSQL's, and four bytes before.
const LONG_KEY_BYTES: usize = 32;

/// Answers a version newer than those spoken here, or protocol options, by the version to use and the
/// options that are not known: all of them.
/// Source: `ProcessStartupPacket` in `src/backend/tcop/backend_startup.c`
pub(super) fn negotiate(io: &mut Buffered, startup: &Startup) {
    let options: Vec<String> = startup
        .parameters
        .keys()
        .filter(|name| name.starts_with("_pq_."))
        .cloned()
        .collect();
    if startup.minor > MINOR_MAX || !options.is_empty() {
        let version = 3 << 16 | u32::from(startup.minor.min(MINOR_MAX));
        io.output.negotiate_protocol_version(version, options);
    }
}

/// A new cancel key, of the length the client's version of the protocol asks for.
pub(super) fn cancel_key(startup: &Startup) -> Box<[u8]> {
    let length = match startup.minor {
        0 | 1 => 4,
        _ => LONG_KEY_BYTES,
    };
    let mut key = vec![0; length];
    rand::rng().fill_bytes(&mut key);
    key.into()
}
