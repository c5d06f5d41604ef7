//! Moving bytes between a server, the client and their buffers, without looking at them.

use std::io;
use std::task::{Context, Poll};

use crate::backend::Connection;
use crate::net::{Buffered, OUTPUT_BYTES_MAX, poll_read, poll_write};

/// What a client may send ahead while we wait for a server; beyond it, its socket fills.
const AHEAD_BYTES_MAX: usize = 64 * 1024;

/// On which side moving bytes failed.
pub(super) enum Side {
    Client(io::Error),
    Server(io::Error),
}

/// Ready once bytes have arrived from the server, or (`or_client`) from the client, or its bytes that
/// were waiting can go on.
pub(super) fn poll_transfer(
    server: &mut Connection,
    client: &mut Buffered,
    or_client: bool,
    cx: &mut Context<'_>,
) -> Poll<Result<(), Side>> {
    if !server.output.is_empty() || server.stream.holds_back() {
        match poll_write(&mut server.stream, &mut server.output, cx) {
            // There is room for what the client has already sent, and it may send no more.
            Poll::Ready(Ok(())) if or_client && !client.input.is_empty() => {
                return Poll::Ready(Ok(()));
            }
            Poll::Ready(Err(e)) => return Poll::Ready(Err(Side::Server(e))),
            Poll::Ready(Ok(())) | Poll::Pending => {}
        }
    }
    match poll_read(&mut server.stream, &mut server.input, cx) {
        Poll::Ready(Ok(0)) => {
            return Poll::Ready(Err(Side::Server(io::ErrorKind::UnexpectedEof.into())));
        }
        Poll::Ready(Ok(_)) => return Poll::Ready(Ok(())),
        Poll::Ready(Err(e)) => return Poll::Ready(Err(Side::Server(e))),
        Poll::Pending => {}
    }
    if (!client.output.is_empty() || client.stream.holds_back())
        && let Poll::Ready(Err(e)) = poll_write(&mut client.stream, &mut client.output, cx)
    {
        return Poll::Ready(Err(Side::Client(e)));
    }
    while client.input.len() < AHEAD_BYTES_MAX && server.output.len() < OUTPUT_BYTES_MAX {
        match poll_read(&mut client.stream, &mut client.input, cx) {
            Poll::Ready(Ok(0)) => {
                return Poll::Ready(Err(Side::Client(io::ErrorKind::UnexpectedEof.into())));
            }
            Poll::Ready(Ok(_)) if or_client => return Poll::Ready(Ok(())),
            Poll::Ready(Ok(_)) => {}
            Poll::Ready(Err(e)) => return Poll::Ready(Err(Side::Client(e))),
            Poll::Pending => break,
        }
    }
    Poll::Pending
}
