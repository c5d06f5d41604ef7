//! Moving bytes between a server, the client and their buffers, without looking at them.

use std::io;
use std::task::{Context, Poll};

use crate::backend::Connection;
use crate::net::{AHEAD_BYTES_MAX, Buffered, OUTPUT_BYTES_MAX, poll_write};

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
    let asks = !server.output.is_empty();
    if asks || server.stream.holds_back() {
        match poll_write(&mut server.stream, &mut server.output, cx) {
            // There is room for what the client has already sent, and it may send no more.
            Poll::Ready(Ok(())) if or_client && !client.input.is_empty() => {
                return Poll::Ready(Ok(()));
            }
            Poll::Ready(Err(e)) => return Poll::Ready(Err(Side::Server(e))),
            Poll::Ready(Ok(())) | Poll::Pending => {}
        }
    }
    // What has just been asked is not answered yet, and this is the short way to find that out.
    let early = asks && server.stream.poll_readable(cx).is_pending();
    let read = match early {
        true => Poll::Pending,
        false => server.poll_fill(cx),
    };
    match read {
        Poll::Ready(Ok(0)) => {
            return Poll::Ready(Err(Side::Server(io::ErrorKind::UnexpectedEof.into())));
        }
        Poll::Ready(Ok(_)) => return Poll::Ready(Ok(())),
        Poll::Ready(Err(e)) => return Poll::Ready(Err(Side::Server(e))),
        Poll::Pending => {}
    }
    if (!client.output.is_empty() || client.stream.holds_back())
        && let Poll::Ready(Err(e)) = client.poll_flush(cx)
    {
        return Poll::Ready(Err(Side::Client(e)));
    }
    if !or_client {
        return client.poll_lost(cx).map(|e| Err(Side::Client(e)));
    }
    if client.input.len() < AHEAD_BYTES_MAX && server.output.len() < OUTPUT_BYTES_MAX {
        return client.poll_more(cx).map_err(Side::Client);
    }
    // The server takes nothing at the moment; the client may go meanwhile.
    client.poll_lost(cx).map(|e| Err(Side::Client(e)))
}
