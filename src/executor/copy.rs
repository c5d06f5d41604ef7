//! The client's side of COPY FROM STDIN.

use std::future::poll_fn;
use std::io;

use bytes::{Buf, BytesMut};

use super::relay::RelayError;
use super::transfer::Side;
use crate::backend::Connection;
use crate::net::{Buffered, OUTPUT_BYTES_MAX, poll_write};
use crate::wire::{frontend, header};

/// How much of the current CopyData is still to come.
#[derive(Debug, Default)]
pub(super) struct CopyIn {
    remaining: usize,
}

impl CopyIn {
    /// Moves CopyData from `input` to `output` as it arrives, whole or in parts, until `output` is
    /// full. True once the client has ended the copy.
    ///
    /// Errors: a message that has no place in a copy; its sender is lost to us, as to PostgreSQL.
    /// Source: "COPY Operations" in <https://www.postgresql.org/docs/current/protocol-flow.html>
    pub(super) fn pass(&mut self, input: &mut BytesMut, output: &mut BytesMut) -> io::Result<bool> {
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
            let Some(head) = header(input).map_err(invalid)? else {
                return Ok(false);
            };
            match head.tag {
                frontend::COPY_DATA => self.remaining = head.len,
                frontend::COPY_DONE | frontend::COPY_FAIL => {
                    if head.len > OUTPUT_BYTES_MAX {
                        return Err(invalid("oversized CopyFail"));
                    }
                    if input.len() < head.len {
                        return Ok(false);
                    }
                    output.extend_from_slice(&input[..head.len]);
                    input.advance(head.len);
                    return Ok(true);
                }
                // PostgreSQL ignores these two, so that a client may send its Sync ahead.
                frontend::FLUSH | frontend::SYNC if head.len == 5 => {
                    if input.len() < head.len {
                        return Ok(false);
                    }
                    input.advance(head.len);
                }
                tag => {
                    return Err(invalid(format!(
                        "message type 0x{tag:02x} during COPY from stdin"
                    )));
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

    /// How much of the current CopyData is here; waits for some.
    async fn more(&self, client: &mut Buffered) -> io::Result<usize> {
        if client.input.is_empty() && client.fill().await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(self.remaining.min(client.input.len()))
    }

    fn took(&mut self, client: &mut Buffered, here: usize) {
        client.input.advance(here);
        self.remaining -= here;
    }
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
