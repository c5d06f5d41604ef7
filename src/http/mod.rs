//! Metrics endpoint and probes.

use std::future::Future;
use std::io;
use std::sync::Arc;

use tokio::net::TcpListener;

use crate::session::Shared;

pub async fn serve(
    _: TcpListener,
    _: Arc<Shared>,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    stop.await;
    Ok(())
}
