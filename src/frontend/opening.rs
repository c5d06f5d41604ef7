//! What comes before a login: requests for encryption, cancel requests, the startup packet.

use std::sync::Arc;

use bytes::Buf;

use super::Doors;
use crate::error::{PgError, SqlState};
use crate::net::Buffered;
use crate::session::Failure;
use crate::topology::Snapshot;
use crate::wire::{self, Replies, Startup, StartupPacket};

/// SSLRequest and GSSENCRequest, once each; more is a client that plays.
const NEGOTIATIONS_MAX: usize = 2;

/// Reads packets until the startup packet. With it comes the configuration the client is let in by: where TLS is
/// spoken, the one whose certificates and authorities were used, so that a reload meanwhile does not judge a
/// certificate by rules that belong to another `client_ca`.
pub(super) async fn startup(
    doors: &Doors,
    io: &mut Buffered,
) -> Result<Option<(Startup, Arc<Snapshot>)>, Failure> {
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
            StartupPacket::Startup(startup) => {
                return Ok(Some((startup, doors.shared.topology.snapshot())));
            }
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

/// Answers a newer minor version, or protocol options, by what is spoken here: 3.0 and none.
pub(super) fn negotiate(io: &mut Buffered, startup: &Startup) {
    let options: Vec<String> = startup
        .parameters
        .keys()
        .filter(|name| name.starts_with("_pq_."))
        .cloned()
        .collect();
    if startup.minor > 0 || !options.is_empty() {
        io.output.negotiate_protocol_version(options);
    }
}
