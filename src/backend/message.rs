//! Just enough of the protocol for logging in and for the few queries of our own: frames whose length
//! is checked before a byte is stored, and ErrorResponse as a [`PgError`].
//! Source: <https://www.postgresql.org/docs/current/protocol-message-formats.html>

use std::io;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::error::{PgError, SqlState};

/// One whole message from a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) tag: u8,
    /// Without type byte and length.
    pub(super) body: Bytes,
}

/// Reads one message of at most `body_max` bytes besides its header.
///
/// Cancel safe: what was read stays in `input`.
pub(super) async fn read_frame<S>(
    stream: &mut S,
    input: &mut BytesMut,
    body_max: usize,
) -> io::Result<Frame>
where
    S: AsyncRead + Unpin,
{
    loop {
        if let Some(frame) = take_frame(input, body_max)? {
            return Ok(frame);
        }
        if stream.read_buf(input).await? == 0 {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the server closed the connection",
            ));
        }
    }
}

/// Takes a message off `input` if it is there as a whole.
pub(super) fn take_frame(input: &mut BytesMut, body_max: usize) -> io::Result<Option<Frame>> {
    let Some((&[tag, l0, l1, l2, l3], _)) = input.split_first_chunk::<HEADER>() else {
        return Ok(None);
    };
    let length = u32::from_be_bytes([l0, l1, l2, l3]) as usize;
    let body = match length.checked_sub(4) {
        Some(body) if body <= body_max => body,
        _ => {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the server sent a message of impossible length",
            ));
        }
    };
    if input.len() < HEADER + body {
        // Room for what comes next, not for all that is claimed to come.
        input.reserve((HEADER + body - input.len()).min(RESERVED_MAX));
        return Ok(None);
    }
    let mut frame = input.split_to(HEADER + body);
    let body = frame.split_off(HEADER).freeze();
    Ok(Some(Frame { tag, body }))
}

/// The fields of an ErrorResponse body. What is missing or malformed is left out or becomes XX000:
/// an error must not be lost because of its looks.
pub fn error_response(body: &[u8]) -> PgError {
    let mut error = PgError::shard(
        SqlState::INTERNAL_ERROR,
        "the server reported an error without a message",
    );
    let mut rest = body;
    while let Some((&field, after)) = rest.split_first() {
        let Some(end) = after.iter().position(|byte| *byte == 0) else {
            break;
        };
        // Before login a server may speak another encoding than ours.
        let value = String::from_utf8_lossy(&after[..end]);
        match field {
            0 => break,
            b'C' => {
                error.code =
                    SqlState::from_bytes(value.as_bytes()).unwrap_or(SqlState::INTERNAL_ERROR)
            }
            b'M' => error.message = value.into_owned(),
            b'D' => error.detail = Some(value.into_owned()),
            b'H' => error.hint = Some(value.into_owned()),
            b'P' => error.position = value.parse().ok(),
            b'W' => error.context = Some(value.into()),
            b'V' if value != "ERROR" => error = error.fatal(),
            _ => {}
        }
        rest = &after[end + 1..];
    }
    error
}

const HEADER: usize = 5;
const RESERVED_MAX: usize = 8 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Severity;

    #[test]
    fn frames_are_checked_before_they_are_stored() {
        let take = |bytes: &[u8], body_max| take_frame(&mut BytesMut::from(bytes), body_max);
        assert_eq!(take(b"", 10).ok(), Some(None));
        assert_eq!(take(b"Z\0\0\0", 10).ok(), Some(None));
        assert_eq!(take(b"Z\0\0\0\x05", 10).ok(), Some(None));
        let frame = Frame {
            tag: b'Z',
            body: Bytes::from_static(b"I"),
        };
        assert_eq!(take(b"Z\0\0\0\x05Irest", 10).ok(), Some(Some(frame)));
        for length in [0_u32, 3, 15, u32::MAX, 1 << 31] {
            let bytes = [&b"Z"[..], &length.to_be_bytes()].concat();
            assert!(take(&bytes, 10).is_err(), "{length}");
        }
    }

    #[test]
    fn error_fields_survive_whatever_else_is_there() {
        let error =
            error_response(b"SFATAL\0VFATAL\0C28P01\0Mno\0Ddetail\0Hhint\0P7\0Rroutine\0\0");
        assert_eq!(
            (error.code, error.severity),
            (SqlState::INVALID_PASSWORD, Severity::Fatal)
        );
        assert_eq!((error.message.as_str(), error.position), ("no", Some(7)));
        assert_eq!(
            (error.detail.as_deref(), error.hint.as_deref()),
            (Some("detail"), Some("hint"))
        );
        assert_eq!(
            error_response(b"Mpr\xe9nom\0C28000\0\0").message,
            "pr\u{fffd}nom"
        );
        for broken in [
            &b""[..],
            b"\0",
            b"C",
            b"C123\0",
            b"M\xff\0\0",
            b"Punlikely\0\0",
        ] {
            assert_eq!(error_response(broken).code, SqlState::INTERNAL_ERROR);
        }
    }
}
