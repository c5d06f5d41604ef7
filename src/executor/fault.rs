//! What goes wrong with a server connection, in words for the client.

use std::io;

use crate::backend::Connection;
use crate::error::{PgError, SqlState};

pub(super) fn violation(server: &Connection, what: &str) -> PgError {
    PgError::shard(
        SqlState::CONNECTION_FAILURE,
        format!(
            "shard \"{}\" ({}) broke the protocol: {what}",
            server.shard, server.server
        ),
    )
}

pub(super) fn lost(server: &Connection, error: &io::Error) -> PgError {
    let reason = match error.kind() {
        io::ErrorKind::UnexpectedEof => "the server closed it".to_owned(),
        _ => error.to_string(),
    };
    PgError::shard(
        SqlState::CONNECTION_FAILURE,
        format!("connection to shard \"{}\" ({}) was lost: {reason}", server.shard, server.server),
    )
    .with_hint("The outcome of the statement is not known; its transaction, if not committed, was rolled back.")
}

/// The few fields of an ErrorResponse the proxy acts on.
pub(super) struct Fields {
    pub(super) fatal: bool,
    pub(super) code: SqlState,
    message: String,
}

impl Fields {
    /// Reads what is there; missing fields are a lying server's and get harmless values.
    pub(super) fn read(mut body: &[u8]) -> Self {
        let mut fields = Self {
            fatal: false,
            code: SqlState::INTERNAL_ERROR,
            message: String::new(),
        };
        while let Some((kind, rest)) = body.split_first().filter(|(kind, _)| **kind != 0) {
            let end = rest.iter().position(|b| *b == 0).unwrap_or(rest.len());
            let value = &rest[..end];
            match kind {
                b'V' => fields.fatal = matches!(value, b"FATAL" | b"PANIC"),
                b'C' => {
                    fields.code = SqlState::from_bytes(value).unwrap_or(SqlState::INTERNAL_ERROR)
                }
                b'M' => fields.message = String::from_utf8_lossy(value).into_owned(),
                _ => {}
            }
            body = rest.get(end + 1..).unwrap_or_default();
        }
        fields
    }

    pub(super) fn into_error(self, server: &Connection) -> PgError {
        let message = format!(
            "shard \"{}\" ({}) ended the connection: {} ({})",
            server.shard, server.server, self.message, self.code
        );
        PgError::shard(SqlState::CONNECTION_FAILURE, message)
    }
}
