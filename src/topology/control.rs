//! Connections of the control plane: as the service user, for our own questions only.
//!
//! The socket is opened by `net`, so that `server_tls` means here exactly what it means for statements;
//! `tokio_postgres` speaks the protocol over it.

use std::error::Error as _;
use std::fmt::Write;
use std::io;
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, NoTls};

use crate::config::{Address, Service};
use crate::net::{self, Tls};

/// Why the control plane got no answer.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    #[error("cannot be reached: {0}")]
    Unreachable(#[from] io::Error),
    #[error("no answer within {} s", .0.as_secs_f64())]
    TimedOut(Duration),
    /// The server answered with an error, or the connection broke.
    #[error("{}", describe(.0))]
    Postgres(#[from] tokio_postgres::Error),
    #[error("answered {0} in an unexpected form")]
    Unexpected(&'static str),
}

impl ControlError {
    /// The server is there and takes statements, though it refused ours: wrong password of the service
    /// user, too many connections. False also while a server starts up or shuts down.
    /// That this process has no descriptor left says nothing of the server either.
    pub fn is_refusal(&self) -> bool {
        let error = match self {
            Self::Postgres(error) => error,
            Self::Unreachable(error) => return net::is_exhausted(error),
            _ => return false,
        };
        match error.code() {
            Some(code) => ![
                SqlState::ADMIN_SHUTDOWN,
                SqlState::CRASH_SHUTDOWN,
                SqlState::CANNOT_CONNECT_NOW,
            ]
            .contains(code),
            None => false,
        }
    }
}

/// `tokio_postgres` keeps the reason in the source.
fn describe(error: &tokio_postgres::Error) -> String {
    if let Some(error) = error.as_db_error() {
        return format!("{} ({})", error.message(), error.code().code());
    }
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            let _ = write!(text, ": {cause_text}");
        }
        source = cause.source();
    }
    text
}

/// A control-plane connection. Dropping it closes it.
pub struct Control {
    pub client: Client,
    driver: AbortHandle,
}

impl Control {
    /// Connects and logs in as the service user, within `timeout`, which then also ends each of its
    /// statements.
    ///
    /// Cancel safe.
    pub async fn connect(
        address: &Address,
        dbname: &str,
        service: &Service,
        tls: &Tls,
        timeout: Duration,
    ) -> Result<Self, ControlError> {
        let mut config = tokio_postgres::Config::new();
        config
            .user(&service.user)
            .dbname(dbname)
            .application_name(APPLICATION_NAME)
            .options(options(timeout))
            .ssl_mode(SslMode::Disable);
        if let Some(password) = service.password.for_servers() {
            config.password(password);
        }
        within(timeout, async {
            let stream = net::open(address, tls, timeout).await?;
            let (client, connection) = config.connect_raw(stream, NoTls).await?;
            let driver = tokio::spawn(async move {
                // Its error reaches whoever asks next through the client, too.
                let _ = connection.await;
            });
            Ok(Self {
                client,
                driver: driver.abort_handle(),
            })
        })
        .await
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Runs a request of the control plane for at most `timeout`.
pub async fn within<T>(
    timeout: Duration,
    request: impl Future<Output = Result<T, ControlError>>,
) -> Result<T, ControlError> {
    match tokio::time::timeout(timeout, request).await {
        Ok(outcome) => outcome,
        Err(_) => Err(ControlError::TimedOut(timeout)),
    }
}

const APPLICATION_NAME: &str = "trunkline monitor";

/// Settings of the role or the database must not change what our questions mean. Asked for at the start of
/// a connection, this goes before both.
/// Source: <https://www.postgresql.org/docs/current/runtime-config-client.html#GUC-SEARCH-PATH>
pub const FIXED_SEARCH_PATH: &str = "-c search_path=pg_catalog,pg_temp";

/// A question that we have given up is given up by the server, too.
fn options(timeout: Duration) -> String {
    let limit = timeout.as_millis().clamp(1, i32::MAX as u128);
    format!("{FIXED_SEARCH_PATH} -c statement_timeout={limit}")
}
