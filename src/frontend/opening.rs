//! What comes before a login: requests for encryption, cancel requests, the startup packet.
//!
//! ```text
//!   first byte 0x16, TLS on ──> TLS (ALPN needed) ─┬─> startup packet, cancel request
//!   SSLRequest ──'S'──> TLS (ALPN optional) ───────┘
//!       └──'N'──┐
//!   GSSENCRequest ──'N'──> the other request, startup packet, cancel request
//! ```
//!
//! Each request comes once, none comes within TLS, and nothing may come behind one before its answer. Unix sockets
//! have no TLS.

use std::sync::Arc;

use bytes::Buf;
use rand::Rng;

use super::Doors;
use crate::error::{PgError, SqlState};
use crate::net::{Asked, Buffered};
use crate::session::Failure;
use crate::topology::Snapshot;
use crate::wire::{self, CancelRequest, Replies, Startup, StartupPacket};

/// Reads packets until the startup packet. With it comes the configuration the client is let in by: where TLS is
/// spoken, the one whose certificates and authorities were used, so that a reload meanwhile does not judge a
/// certificate by rules that belong to another `client_ca`.
///
/// May be dropped midway; the connection is of no use then.
pub(super) async fn startup(
    doors: &Doors,
    io: &mut Buffered,
) -> Result<Option<(Startup, Arc<Snapshot>)>, Failure> {
    let mut encrypted_by = direct(doors, io).await?;
    let (mut ssl_asked, mut gss_asked) = (false, false);
    while let Some(packet) = packet(io).await? {
        match packet {
            StartupPacket::Startup(startup) => {
                let snapshot = encrypted_by.unwrap_or_else(|| doors.shared.topology.snapshot());
                refuse_plaintext(&snapshot, io)?;
                return Ok(Some((startup, snapshot)));
            }
            // As PostgreSQL does, also where TLS is required: libpq sends it in clear before version 17, and all it
            // can do needs the key.
            StartupPacket::Cancel(request) => {
                cancel(doors, request).await;
                // libpq waits for the end, and within TLS takes one without close_notify for a failure.
                io.shutdown().await?;
                return Ok(None);
            }
            StartupPacket::Ssl => {
                may_ask(io, encrypted_by.is_some() || ssl_asked)?;
                ssl_asked = true;
                encrypted_by = encrypt(doors, io, Asked::Negotiated).await?;
            }
            StartupPacket::GssEnc => {
                may_ask(io, encrypted_by.is_some() || gss_asked)?;
                gss_asked = true;
                io.output.extend_from_slice(b"N");
                io.flush().await?;
            }
        }
    }
    Ok(None)
}

/// The next packet; `None` where the client has left.
async fn packet(io: &mut Buffered) -> Result<Option<StartupPacket>, Failure> {
    loop {
        let packet =
            wire::startup_packet(&io.input).map_err(|error| violation(error.to_string()))?;
        if let Some((packet, length)) = packet {
            io.input.advance(length);
            return Ok(Some(packet));
        }
        if io.fill().await? == 0 {
            return Ok(None);
        }
    }
}

/// Begins TLS at once with a client that does so (`sslnegotiation=direct`): no packet begins with such a byte,
/// since it would be longer than any may be. Where TLS is off, it is judged as the packet it is not.
async fn direct(doors: &Doors, io: &mut Buffered) -> Result<Option<Arc<Snapshot>>, Failure> {
    if io.stream.peek().await? != Some(TLS_HANDSHAKE) {
        return Ok(None);
    }
    encrypt(doors, io, Asked::Direct).await
}

/// Encrypts the connection if TLS is offered to it; an SSLRequest is answered either way.
async fn encrypt(
    doors: &Doors,
    io: &mut Buffered,
    asked: Asked,
) -> Result<Option<Arc<Snapshot>>, Failure> {
    let snapshot = doors.shared.topology.snapshot();
    let acceptor = snapshot
        .client_tls
        .as_ref()
        .filter(|_| io.stream.can_encrypt());
    if asked == Asked::Negotiated {
        let answer = if acceptor.is_some() { b"S" } else { b"N" };
        io.output.extend_from_slice(answer);
        io.flush().await?;
    }
    let Some(acceptor) = acceptor else {
        return Ok(None);
    };
    debug_assert!(
        io.input.is_empty(),
        "nothing from before the handshake is used after it"
    );
    io.stream.encrypt(acceptor, asked).await?;
    Ok(Some(snapshot))
}

/// Whether encryption may be asked for, in the state and with what lies in the input buffer behind the request.
fn may_ask(io: &Buffered, again: bool) -> Result<(), Failure> {
    // Bytes behind the request were sent before our answer: whoever did that is not the client
    // (CVE-2021-23214).
    if !io.input.is_empty() {
        return Err(violation(
            "received unencrypted data after SSL or GSSAPI encryption request",
        ));
    }
    if again {
        return Err(violation(
            "received an SSL or GSSAPI encryption request where none may come any more",
        ));
    }
    Ok(())
}

fn refuse_plaintext(snapshot: &Snapshot, io: &Buffered) -> Result<(), Failure> {
    let required = snapshot.config.tls.as_ref().is_some_and(|tls| tls.required);
    if required && io.stream.can_encrypt() {
        return Err(Failure::Fatal(
            PgError::client(
                SqlState::INVALID_AUTHORIZATION,
                "connections over TCP must be encrypted by TLS",
            )
            .with_hint("Connect with sslmode=require, or better verify-full."),
        ));
    }
    Ok(())
}

async fn cancel(doors: &Doors, request: CancelRequest) {
    let registry = doors.shared.registry.clone();
    // A task of its own: a client that hangs up must not leave a cancel halfway.
    let cancel = tokio::spawn(async move {
        registry.cancel(request.process_id, &request.secret).await;
    });
    let _ = cancel.await;
}

fn violation(message: impl Into<String>) -> Failure {
    Failure::Fatal(PgError::client(SqlState::PROTOCOL_VIOLATION, message))
}

/// The type of the TLS record that a handshake begins with.
const TLS_HANDSHAKE: u8 = 0x16;

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
