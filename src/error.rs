//! What every error can answer: its SQLSTATE, whose fault it is, and whether a retry is safe.
//!
//! Rooms define their own `Error` enums; what a client is told is always a [`PgError`], the fields
//! of an ErrorResponse. This room knows no I/O and no protocol bytes.

use std::fmt;

/// A five-character SQLSTATE.
/// Source: <https://www.postgresql.org/docs/current/errcodes-appendix.html>
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SqlState([u8; 5]);

impl SqlState {
    /// Class 42: something is wrong with the text itself, or with what its names mean.
    pub fn is_of_syntax(self) -> bool {
        self.0.starts_with(b"42")
    }

    /// Class 54: more than there may be of something.
    pub fn is_of_limits(self) -> bool {
        self.0.starts_with(b"54")
    }

    /// Class 22: a value is not right for what is done with it.
    pub fn is_of_data(self) -> bool {
        self.0.starts_with(b"22")
    }

    pub const CONNECTION_FAILURE: Self = Self(*b"08006");
    pub const PROTOCOL_VIOLATION: Self = Self(*b"08P01");
    pub const FEATURE_NOT_SUPPORTED: Self = Self(*b"0A000");
    pub const INVALID_BINARY_REPRESENTATION: Self = Self(*b"22P03");
    pub const NUMERIC_VALUE_OUT_OF_RANGE: Self = Self(*b"22003");
    pub const INVALID_LIMIT: Self = Self(*b"2201W");
    pub const INVALID_OFFSET: Self = Self(*b"2201X");
    pub const STRING_DATA_LENGTH_MISMATCH: Self = Self(*b"22026");
    pub const INVALID_PARAMETER_VALUE: Self = Self(*b"22023");
    pub const CHARACTER_NOT_IN_REPERTOIRE: Self = Self(*b"22021");
    pub const NOT_NULL_VIOLATION: Self = Self(*b"23502");
    pub const CHECK_VIOLATION: Self = Self(*b"23514");
    pub const ACTIVE_TRANSACTION: Self = Self(*b"25001");
    pub const READ_ONLY_TRANSACTION: Self = Self(*b"25006");
    pub const NO_ACTIVE_TRANSACTION: Self = Self(*b"25P01");
    pub const IN_FAILED_TRANSACTION: Self = Self(*b"25P02");
    pub const IDLE_IN_TRANSACTION_SESSION_TIMEOUT: Self = Self(*b"25P03");
    pub const INVALID_STATEMENT_NAME: Self = Self(*b"26000");
    pub const INVALID_AUTHORIZATION: Self = Self(*b"28000");
    pub const INVALID_PASSWORD: Self = Self(*b"28P01");
    pub const INVALID_CURSOR_NAME: Self = Self(*b"34000");
    pub const INVALID_CATALOG_NAME: Self = Self(*b"3D000");
    pub const INVALID_SAVEPOINT: Self = Self(*b"3B001");
    pub const SYNTAX_ERROR: Self = Self(*b"42601");
    pub const UNDEFINED_OBJECT: Self = Self(*b"42704");
    pub const INSUFFICIENT_PRIVILEGE: Self = Self(*b"42501");
    pub const DUPLICATE_CURSOR: Self = Self(*b"42P03");
    pub const DUPLICATE_PREPARED_STATEMENT: Self = Self(*b"42P05");
    pub const TOO_MANY_CONNECTIONS: Self = Self(*b"53300");
    pub const PROGRAM_LIMIT_EXCEEDED: Self = Self(*b"54000");
    pub const STATEMENT_TOO_COMPLEX: Self = Self(*b"54001");
    pub const QUERY_CANCELED: Self = Self(*b"57014");
    pub const ADMIN_SHUTDOWN: Self = Self(*b"57P01");
    pub const CANNOT_CONNECT_NOW: Self = Self(*b"57P03");
    pub const IDLE_SESSION_TIMEOUT: Self = Self(*b"57P05");
    pub const CONFIG_FILE_ERROR: Self = Self(*b"F0000");
    pub const INTERNAL_ERROR: Self = Self(*b"XX000");

    /// Takes a SQLSTATE read from a server; `None` unless it is five characters of `[0-9A-Z]`.
    pub fn from_bytes(code: &[u8]) -> Option<Self> {
        let code: [u8; 5] = code.try_into().ok()?;
        code.iter()
            .all(|b| b.is_ascii_digit() || b.is_ascii_uppercase())
            .then_some(Self(code))
    }

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("XX000")
    }
}

impl fmt::Display for SqlState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for SqlState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whose fault an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The client sent something wrong or unsupported.
    Client,
    /// Trunkline itself: a limit reached, a bug.
    Proxy,
    /// A shard's server failed or could not be reached.
    Shard,
}

/// Whether sending the same statement again can do harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Nothing had reached a server: a retry does no harm.
    Safe,
    /// The outcome of the statement is not known.
    OutcomeUnknown,
    /// A retry would fail in the same way.
    Useless,
}

/// The severity field of an ErrorResponse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    Error,
    /// The connection ends after this message.
    Fatal,
}

impl Severity {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "ERROR",
            Self::Fatal => "FATAL",
        }
    }
}

/// The fields of an ErrorResponse, and what we know about the error besides.
/// Source: <https://www.postgresql.org/docs/current/protocol-error-fields.html>
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PgError {
    pub severity: Severity,
    pub code: SqlState,
    pub message: String,
    pub detail: Option<String>,
    pub hint: Option<String>,
    /// One-based position in characters in the statement's text.
    pub position: Option<u32>,
    /// Where a server was when it found the error.
    pub context: Option<Box<str>>,
    pub origin: Origin,
    pub retry: Retry,
}

impl PgError {
    /// An error the client caused; a retry of the same would fail again.
    pub fn client(code: SqlState, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code,
            message: message.into(),
            detail: None,
            hint: None,
            position: None,
            context: None,
            origin: Origin::Client,
            retry: Retry::Useless,
        }
    }

    /// An error of Trunkline's own, raised before anything reached a server.
    pub fn proxy(code: SqlState, message: impl Into<String>) -> Self {
        Self {
            origin: Origin::Proxy,
            retry: Retry::Safe,
            ..Self::client(code, message)
        }
    }

    /// A shard's server failed while it ran a statement.
    pub fn shard(code: SqlState, message: impl Into<String>) -> Self {
        Self {
            origin: Origin::Shard,
            retry: Retry::OutcomeUnknown,
            ..Self::client(code, message)
        }
    }

    /// The precise "this cannot be done across shards": 0A000 with construct, reason and way out.
    pub fn refusal(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::client(SqlState::FEATURE_NOT_SUPPORTED, message).with_hint(hint)
    }

    pub fn fatal(self) -> Self {
        Self {
            severity: Severity::Fatal,
            ..self
        }
    }

    pub fn with_detail(self, detail: impl Into<String>) -> Self {
        Self {
            detail: Some(detail.into()),
            ..self
        }
    }

    pub fn with_hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }

    pub fn with_position(self, position: u32) -> Self {
        Self {
            position: Some(position),
            ..self
        }
    }
}

/// What a client calls something, as a message may repeat it: cut at [`NAME_BYTES_MAX`], and characters that
/// could change how a line of a log looks are written as escapes.
pub fn named(text: &str) -> String {
    let cut = text.floor_char_boundary(NAME_BYTES_MAX);
    let escaped = |c: char| {
        let escaped = (c.is_control() || is_format(c)).then(|| c.escape_unicode());
        let plain = escaped.is_none().then_some(c);
        escaped.into_iter().flatten().chain(plain)
    };
    let mut shown: String = text[..cut].chars().flat_map(escaped).collect();
    if cut < text.len() {
        shown.push('…');
    }
    shown
}

/// Line and paragraph separators, and what turns the direction of text.
fn is_format(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// The longest name PostgreSQL knows.
/// Source: `NAMEDATALEN` in `src/include/pg_config_manual.h`.
pub const NAME_BYTES_MAX: usize = 63;

impl fmt::Display for PgError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {}: {}",
            self.severity.as_str(),
            self.code,
            self.message
        )
    }
}

impl std::error::Error for PgError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_and_harmless() {
        assert_eq!(named("app"), "app");
        assert_eq!(named("Ä \u{1f600}"), "Ä \u{1f600}");
        assert_eq!(named("a\nFATAL\u{1b}[2J"), "a\\u{a}FATAL\\u{1b}[2J");
        assert_eq!(named("\u{202e}x\u{2028}"), "\\u{202e}x\\u{2028}");
        assert_eq!(named(&"a".repeat(63)), "a".repeat(63));
        assert_eq!(named(&"a".repeat(9_000)), "a".repeat(63) + "…");
        assert_eq!(named(&"ä".repeat(40)), "ä".repeat(31) + "…");
    }
}
