//! Stopping what a server connection is doing.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::config::Address;
use crate::net::{self, Tls, timer};

/// What it takes to cancel the statement of one server connection.
#[derive(Clone)]
pub struct CancelKey {
    pub address: Address,
    pub tls: Arc<Tls>,
    pub process_id: i32,
    /// Four bytes up to protocol 3.0, up to 256 later.
    pub secret: Arc<[u8]>,
}

/// Asks the server to cancel, and waits until it closes the connection: then the signal has been sent,
/// and a statement that starts on the connection later cannot be hit by it.
///
/// Cancel safe: dropped midway, the request may or may not have been sent.
pub async fn cancel(key: &CancelKey, timeout: Duration) -> io::Result<()> {
    match timer::timeout(timeout, request(key, timeout)).await {
        Ok(done) => done,
        Err(_) => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the server did not take the cancel request in time",
        )),
    }
}

async fn request(key: &CancelKey, timeout: Duration) -> io::Result<()> {
    let mut stream = net::open(&key.address, &key.tls, timeout).await?;
    let length = 12 + key.secret.len() as u32;
    let mut message = Vec::with_capacity(length as usize);
    message.extend(length.to_be_bytes());
    message.extend(CANCEL_REQUEST.to_be_bytes());
    message.extend(key.process_id.to_be_bytes());
    message.extend(&*key.secret);
    stream.write_all(&message).await?;
    stream.flush().await?;
    // The server answers nothing; a reset is as good an end as an orderly one.
    let mut byte = [0; 1];
    match stream.read(&mut byte).await {
        Ok(0) => Ok(()),
        Ok(_) => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "the server answered a cancel request",
        )),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof
            ) =>
        {
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// Source: <https://www.postgresql.org/docs/current/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-CANCELREQUEST>
const CANCEL_REQUEST: u32 = 80_877_102;
