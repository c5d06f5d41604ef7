//! Message headers: one type byte, then a length that counts itself but not the type byte.

/// Type byte and length.
pub const HEADER_BYTES: usize = 5;

/// Type bytes of messages from a client.
pub mod frontend {
    pub const BIND: u8 = b'B';
    pub const CLOSE: u8 = b'C';
    pub const COPY_DATA: u8 = b'd';
    pub const COPY_DONE: u8 = b'c';
    pub const COPY_FAIL: u8 = b'f';
    pub const DESCRIBE: u8 = b'D';
    pub const EXECUTE: u8 = b'E';
    pub const FLUSH: u8 = b'H';
    pub const FUNCTION_CALL: u8 = b'F';
    pub const PARSE: u8 = b'P';
    pub const PASSWORD: u8 = b'p';
    pub const QUERY: u8 = b'Q';
    pub const SYNC: u8 = b'S';
    pub const TERMINATE: u8 = b'X';
}

/// Type bytes of messages from a server.
pub mod backend {
    pub const BIND_COMPLETE: u8 = b'2';
    pub const CLOSE_COMPLETE: u8 = b'3';
    pub const COMMAND_COMPLETE: u8 = b'C';
    pub const COPY_DATA: u8 = b'd';
    pub const COPY_DONE: u8 = b'c';
    pub const COPY_IN_RESPONSE: u8 = b'G';
    pub const COPY_OUT_RESPONSE: u8 = b'H';
    pub const DATA_ROW: u8 = b'D';
    pub const EMPTY_QUERY: u8 = b'I';
    pub const ERROR: u8 = b'E';
    pub const FUNCTION_CALL_RESPONSE: u8 = b'V';
    pub const NO_DATA: u8 = b'n';
    pub const NOTICE: u8 = b'N';
    pub const NOTIFICATION: u8 = b'A';
    pub const PARAMETER_DESCRIPTION: u8 = b't';
    pub const PARAMETER_STATUS: u8 = b'S';
    pub const PARSE_COMPLETE: u8 = b'1';
    pub const PORTAL_SUSPENDED: u8 = b's';
    pub const READY_FOR_QUERY: u8 = b'Z';
    pub const ROW_DESCRIPTION: u8 = b'T';
}

/// A message's type and its whole length in bytes, header included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub tag: u8,
    pub len: usize,
}

/// The peer does not speak the protocol; the stream cannot be followed any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid message length {length} in message of type 0x{tag:02x}")]
pub struct FrameError {
    pub tag: u8,
    pub length: i32,
}

/// Reads the header at the start of `buf`; `None` until its five bytes are there.
///
/// Errors: a length that cannot hold itself, or a negative one (beyond 2 GiB).
#[inline]
pub fn header(buf: &[u8]) -> Result<Option<Header>, FrameError> {
    let Some((&[tag, a, b, c, d], _)) = buf.split_first_chunk::<HEADER_BYTES>() else {
        return Ok(None);
    };
    let length = i32::from_be_bytes([a, b, c, d]);
    if length < 4 {
        return Err(FrameError { tag, length });
    }
    Ok(Some(Header {
        tag,
        len: length as usize + 1,
    }))
}

/// True where a Terminate has arrived as a whole. `unread` begins where a message does.
pub fn says_goodbye(mut unread: &[u8]) -> bool {
    while let Ok(Some(head)) = header(unread) {
        let Some(rest) = unread.get(head.len..) else {
            return false;
        };
        if head.tag == frontend::TERMINATE {
            return true;
        }
        unread = rest;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_for_five_bytes() {
        assert_eq!(header(b""), Ok(None));
        assert_eq!(header(b"Z\0\0\0"), Ok(None));
        assert_eq!(
            header(b"Z\0\0\0\x05I"),
            Ok(Some(Header { tag: b'Z', len: 6 }))
        );
    }

    #[test]
    fn refuses_lengths_that_cannot_be() {
        assert_eq!(
            header(b"Z\0\0\0\x03"),
            Err(FrameError {
                tag: b'Z',
                length: 3
            })
        );
        assert_eq!(
            header(b"Z\xff\xff\xff\xff"),
            Err(FrameError {
                tag: b'Z',
                length: -1
            })
        );
    }

    #[test]
    fn a_goodbye_is_a_whole_message_of_its_own() {
        let query = b"Q\0\0\0\x06X\0";
        let goodbye = b"X\0\0\0\x04";
        for (unread, said) in [
            (&b""[..], false),
            (&query[..], false),
            (&goodbye[..], true),
            (&goodbye[..4], false),
            (&[&query[..], goodbye].concat(), true),
            (&[&query[..6], goodbye].concat(), false),
            (b"Q\xff\0\0\0", false),
        ] {
            assert_eq!(says_goodbye(unread), said, "{unread:?}");
        }
    }
}
