//! What goes wrong with a server connection, in words for the client.

use std::io;

use bytes::{BufMut, Bytes, BytesMut};

use crate::backend::Connection;
use crate::error::{PgError, SqlState};
use crate::wire::{HEADER_BYTES, backend};

const UNKNOWN_OUTCOME: &str = "The outcome of the statement is not known; its transaction, if not committed, was rolled back.";

pub(super) fn violation(server: &Connection, what: &str) -> PgError {
    // Here, because whoever handles the error cannot tell it from a connection that was lost.
    tracing::warn!(shard = %server.shard, server = %server.server, what, "server broke the protocol");
    PgError::shard(
        SqlState::CONNECTION_FAILURE,
        format!(
            "shard \"{}\" ({}) broke the protocol: {what}",
            server.shard, server.server
        ),
    )
    .with_hint(UNKNOWN_OUTCOME)
}

pub(super) fn lost(server: &Connection, error: &io::Error) -> PgError {
    let reason = match error.kind() {
        io::ErrorKind::UnexpectedEof => "the server closed it".to_owned(),
        _ => error.to_string(),
    };
    PgError::shard(
        SqlState::CONNECTION_FAILURE,
        format!(
            "connection to shard \"{}\" ({}) was lost: {reason}",
            server.shard, server.server
        ),
    )
    .with_hint(UNKNOWN_OUTCOME)
}

/// The few fields of an ErrorResponse the proxy acts on.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fields {
    pub(super) fatal: bool,
    pub(super) code: SqlState,
    message: String,
}

impl Fields {
    /// Reads the body of an ErrorResponse, of which the end may be missing if not `whole`. `None` where
    /// it is none: PostgreSQL sends severity, SQLSTATE and message always, once each, and drivers rely
    /// on it. A code that is not made of letters and digits is XX000 to us.
    /// Source: <https://www.postgresql.org/docs/current/protocol-error-fields.html>
    pub(super) fn read(mut body: &[u8], whole: bool) -> Option<Self> {
        let (mut severity, mut localized, mut code, mut message) = (None, None, None, None);
        loop {
            let (&kind, rest) = match body.split_first() {
                Some((0, rest)) if rest.is_empty() || !whole => break,
                Some((0, _)) => return None,
                Some(field) => field,
                None if whole => return None,
                None => break,
            };
            let end = rest.iter().position(|b| *b == 0);
            if end.is_none() && whole {
                return None;
            }
            let value = &rest[..end.unwrap_or(rest.len())];
            let mut other = None;
            let slot = match kind {
                b'S' => &mut localized,
                b'V' => &mut severity,
                b'C' => &mut code,
                b'M' => &mut message,
                _ => &mut other,
            };
            if slot.replace(value).is_some() {
                return None;
            }
            body = end.map_or(&[], |end| &rest[end + 1..]);
        }
        // Servers before 9.6 have the localized severity only.
        let severity = severity.or(localized.filter(|_| whole))?;
        let code = code.filter(|code| code.len() == 5)?;
        let message = message.or((!whole).then_some(b""))?;
        Some(Self {
            fatal: matches!(severity, b"FATAL" | b"PANIC"),
            code: SqlState::from_bytes(code).unwrap_or(SqlState::INTERNAL_ERROR),
            message: String::from_utf8_lossy(message).into_owned(),
        })
    }

    pub(super) fn into_error(self, server: &Connection) -> PgError {
        let message = format!(
            "shard \"{}\" ({}) ended the connection: {} ({})",
            server.shard, server.server, self.message, self.code
        );
        PgError::shard(SqlState::CONNECTION_FAILURE, message)
    }
}

/// A whole ErrorResponse, its position as in the client's own text: see [`super::Relay::shifts`].
pub(super) fn shifted_back(frame: &[u8], shifts: &[(usize, isize)]) -> Bytes {
    let mut body = BytesMut::new();
    let fields = frame[HEADER_BYTES..].split(|byte| *byte == 0);
    for field in fields.take_while(|field| !field.is_empty()) {
        let position = field.strip_prefix(b"P").and_then(|digits| {
            let told: usize = std::str::from_utf8(digits).ok()?.parse().ok()?;
            let before = shifts.iter().filter(|(from, _)| *from <= told);
            let by: isize = before.map(|(_, by)| *by).sum();
            told.checked_add_signed(-by)
        });
        match position {
            Some(position) => body.put_slice(format!("P{position}").as_bytes()),
            None => body.put_slice(field),
        }
        body.put_u8(0);
    }
    body.put_u8(0);
    let mut reply = BytesMut::new();
    reply.put_u8(backend::ERROR);
    reply.put_u32(4 + body.len() as u32);
    reply.extend_from_slice(&body);
    reply.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &[u8]) -> Option<(bool, String, String)> {
        let fields = Fields::read(body, true)?;
        Some((fields.fatal, fields.code.to_string(), fields.message))
    }

    #[test]
    fn an_error_has_its_three_fields_once() {
        let some = |fatal, code: &str, message: &str| Some((fatal, code.into(), message.into()));
        assert_eq!(
            read(b"SERROR\0VERROR\0C42601\0Mno\0P7\0\0"),
            some(false, "42601", "no")
        );
        assert_eq!(
            read(b"SFATAL\0C57P01\0Mend\0\0"),
            some(true, "57P01", "end")
        );
        assert_eq!(
            read(b"SFEHLER\0VPANIC\0Cabc-1\0M\xff\0\0"),
            some(true, "XX000", "\u{fffd}")
        );
        for broken in [
            &b""[..],
            b"\0",
            b"C42601\0Mno\0\0",
            b"SERROR\0VERROR\0Mno\0\0",
            b"SERROR\0VERROR\0C42601\0\0",
            b"SERROR\0VERROR\0C426\0Mno\0\0",
            b"SERROR\0VERROR\0C42601\0Mno\0",
            b"SERROR\0VERROR\0C42601\0Mno",
            b"SERROR\0VERROR\0C42601\0Mno\0\0more",
            b"SERROR\0VERROR\0C42601\0C42601\0Mno\0\0",
            b"SERROR\0VERROR\0VFATAL\0C42601\0Mno\0\0",
        ] {
            assert_eq!(read(broken), None, "{}", broken.escape_ascii());
        }
    }

    #[test]
    fn the_head_of_a_long_error_is_enough() {
        let head = b"SERROR\0VERROR\0C42601\0Mverylong";
        assert!(Fields::read(head, true).is_none());
        let fields = Fields::read(head, false).expect("enough");
        assert_eq!((fields.fatal, fields.message.as_str()), (false, "verylong"));
        assert!(Fields::read(b"Mvery long", false).is_none());
    }

    #[test]
    fn positions_go_back_to_the_client_s_text() {
        let frame = |position: &str| {
            let body = format!("SERROR\0C42703\0Mno\0P{position}\0L7\0\0");
            let mut frame = vec![backend::ERROR];
            frame.extend((4 + body.len() as u32).to_be_bytes());
            frame.extend(body.into_bytes());
            frame
        };
        // `select public.a.x, "long name".b.y`, told with pg_temp.
        let shifts = [(15, 1), (31, -4)];
        for (told, sent) in [
            ("8", "8"),
            ("15", "14"),
            ("30", "29"),
            ("31", "34"),
            ("x", "x"),
        ] {
            assert_eq!(*shifted_back(&frame(told), &shifts), *frame(sent), "{told}");
        }
    }
}
