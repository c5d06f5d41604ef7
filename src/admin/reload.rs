//! How the console asks the server for a reload, which only the server can do.

use tokio::sync::{mpsc, oneshot};

use crate::error::{PgError, SqlState};

/// Requests that may wait while the server is busy with one.
const WAITING_MAX: usize = 4;

/// One request: the server answers what it has done, or why the configuration cannot be taken.
pub type ReloadRequest = oneshot::Sender<Result<String, String>>;

/// The asking end. The other one belongs to whoever reloads on SIGHUP.
#[derive(Clone, Debug)]
pub struct ReloadHandle(mpsc::Sender<ReloadRequest>);

impl ReloadHandle {
    pub fn new() -> (Self, mpsc::Receiver<ReloadRequest>) {
        let (ask, requests) = mpsc::channel(WAITING_MAX);
        (Self(ask), requests)
    }

    /// Has the configuration read again and taken.
    ///
    /// Cancel safe: a request that was sent is carried out all the same.
    pub async fn reload(&self) -> Result<String, PgError> {
        let (answer, answered) = oneshot::channel();
        self.0.send(answer).await.map_err(|_| stopping())?;
        match answered.await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(reason)) => Err(PgError::proxy(
                SqlState::CONFIG_FILE_ERROR,
                "the configuration cannot be taken; the one in use stays",
            )
            .with_detail(reason)),
            Err(_) => Err(stopping()),
        }
    }
}

fn stopping() -> PgError {
    PgError::proxy(
        SqlState::ADMIN_SHUTDOWN,
        "the proxy stops and reloads nothing",
    )
}
