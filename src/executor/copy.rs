//! The client's side of COPY FROM STDIN.

use std::future::poll_fn;
use std::io;
use std::task::Poll;

use bytes::{Buf, BytesMut};

use super::relay::RelayError;
use super::transfer::Side;
use crate::backend::Connection;
use crate::error::{PgError, SqlState};
use crate::net::{Buffered, OUTPUT_BYTES_MAX, poll_write};
use crate::wire::{HEADER_BYTES, Header, LARGE_LENGTH_MAX, SMALL_LENGTH_MAX, frontend, header};

/// How much of the current CopyData is still to come.
#[derive(Debug, Default)]
pub(super) struct CopyIn {
    remaining: usize,
}

impl CopyIn {
    /// Bytes of a CopyData that are still to come before the next message.
    pub(super) fn remaining(&self) -> usize {
        self.remaining
    }

    /// Moves CopyData from `input` to `output` as it arrives, whole or in parts, until `output` is
    /// full. True once the client has ended the copy.
    ///
    /// Errors: a message that has no place in a copy; its sender is lost to us, as to PostgreSQL.
    /// Source: "COPY Operations" in <https://www.postgresql.org/docs/current/protocol-flow.html>, and
    /// `CopyGetData` in `src/backend/commands/copyfromparse.c`.
    pub(super) fn pass(
        &mut self,
        input: &mut BytesMut,
        output: &mut BytesMut,
    ) -> Result<bool, PgError> {
        while output.len() < OUTPUT_BYTES_MAX {
            if self.remaining > 0 {
                let here = self.remaining.min(input.len());
                output.extend_from_slice(&input[..here]);
                input.advance(here);
                self.remaining -= here;
                if self.remaining > 0 {
                    return Ok(false);
                }
            }
            let head = header(input).map_err(|error| violation(error.to_string()))?;
            let Some(head) = head else {
                return Ok(false);
            };
            check(head)?;
            match head.tag {
                frontend::COPY_DATA => self.remaining = head.len,
                frontend::COPY_DONE | frontend::COPY_FAIL => {
                    if input.len() < head.len {
                        return Ok(false);
                    }
                    output.extend_from_slice(&input[..head.len]);
                    input.advance(head.len);
                    return Ok(true);
                }
                // PostgreSQL ignores these two, so that a client may send its Sync ahead.
                _ => {
                    if input.len() < head.len {
                        return Ok(false);
                    }
                    input.advance(head.len);
                }
            }
        }
        Ok(false)
    }

    /// Sends the rest of a CopyData that was passed on in part: the server has given up the copy but
    /// still reads whole messages.
    pub(super) async fn finish(
        &mut self,
        server: &mut Connection,
        client: &mut Buffered,
    ) -> Result<(), Side> {
        while self.remaining > 0 {
            let here = self.more(client).await.map_err(Side::Client)?;
            server.output.extend_from_slice(&client.input[..here]);
            self.took(client, here);
            poll_fn(|cx| poll_write(&mut server.stream, &mut server.output, cx))
                .await
                .map_err(Side::Server)?;
        }
        Ok(())
    }

    /// The server is lost, and with it the rest of a CopyData that was passed on in part: it is read and
    /// dropped, or its bytes would be taken for the client's next messages.
    pub(super) async fn abandon(&mut self, client: &mut Buffered, error: RelayError) -> RelayError {
        while self.remaining > 0 && matches!(error, RelayError::Server(_)) {
            match self.more(client).await {
                Ok(here) => self.took(client, here),
                Err(gone) => return RelayError::Client(gone),
            }
        }
        error
    }

    /// How much of the current CopyData is here; waits for some. Meanwhile the client is told what there is to
    /// be told, but need not read it before it has sent all.
    async fn more(&self, client: &mut Buffered) -> io::Result<usize> {
        if client.input.is_empty() {
            let read = poll_fn(|cx| {
                if (!client.output.is_empty() || client.stream.holds_back())
                    && let Poll::Ready(Err(error)) = client.poll_flush(cx)
                {
                    return Poll::Ready(Err(error));
                }
                client.poll_fill(cx)
            });
            if read.await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(self.remaining.min(client.input.len()))
    }

    fn took(&mut self, client: &mut Buffered, here: usize) {
        client.input.advance(here);
        self.remaining -= here;
    }
}

/// A client's messages during a copy: in pieces they come to the same as in one.
#[cfg(feature = "internals")]
pub fn fuzz(data: &[u8], piece: usize) {
    let run = |piece: usize| {
        let (mut copy, mut input, mut output) =
            (CopyIn::default(), BytesMut::new(), BytesMut::new());
        for chunk in data.chunks(piece.max(1)) {
            input.extend_from_slice(chunk);
            match copy.pass(&mut input, &mut output) {
                Ok(false) => {}
                Ok(true) => return (output, Ok(true)),
                Err(error) => return (output, Err(error.message)),
            }
        }
        (output, Ok(false))
    };
    let whole = run(data.len());
    assert!(whole.0.len() <= data.len());
    assert_eq!(whole, run(piece));
}

/// Errors: another type than those of a copy, before its length is believed; a length PostgreSQL
/// would not take.
fn check(head: Header) -> Result<(), PgError> {
    let length_max = match head.tag {
        frontend::COPY_DATA => LARGE_LENGTH_MAX,
        frontend::COPY_DONE | frontend::COPY_FAIL => SMALL_LENGTH_MAX,
        frontend::FLUSH | frontend::SYNC => HEADER_BYTES - 1,
        tag => {
            let what = format!("unexpected message type 0x{tag:02X} during COPY from stdin");
            return Err(violation(what));
        }
    };
    if head.len - 1 > length_max {
        return Err(violation("invalid message length".to_owned()));
    }
    Ok(())
}

fn violation(message: String) -> PgError {
    PgError::client(SqlState::PROTOCOL_VIOLATION, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pass(bytes: &[u8]) -> Result<bool, String> {
        let (mut input, mut output) = (BytesMut::from(bytes), BytesMut::new());
        CopyIn::default()
            .pass(&mut input, &mut output)
            .map_err(|error| error.message)
    }

    #[test]
    fn only_what_belongs_to_a_copy_is_passed_on() {
        assert_eq!(pass(b"d\0\0\0\x05xc\0\0\0\x04"), Ok(true));
        assert_eq!(pass(b"f\0\0\0\x05\0"), Ok(true));
        assert_eq!(pass(b"S\0\0\0\x04H\0\0\0\x04"), Ok(false));
        let unexpected = "unexpected message type 0x51 during COPY from stdin";
        assert_eq!(pass(b"Q\x7f\xff\xff\xff"), Err(unexpected.to_owned()));
        for length in [b"d\x3f\xff\xff\xff", b"c\0\0\x27\x11", b"S\0\0\0\x05"] {
            assert_eq!(pass(length), Err("invalid message length".to_owned()));
        }
        assert_eq!(pass(b"d\x3f\xff\xff\xfe"), Ok(false));
        assert!(pass(b"d\xff\xff\xff\xff").is_err());
    }
}
