//! Sharding key types and values.

use super::Oid;

/// Format code of a parameter or result column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Text,
    Binary,
}

/// The types a sharding key column may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyType {
    SmallInt,
    Integer,
    BigInt,
    Text,
    Varchar,
    Uuid,
}

/// One value of a sharding key. Integer widths compare and hash equal, so one variant holds all
/// three; text and varchar likewise.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum KeyValue {
    Null,
    Int(i64),
    Text(String),
    Uuid([u8; 16]),
}

/// Why bytes are not a value of the sharding key's type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("invalid input syntax for type {expected}")]
    Syntax { expected: &'static str },
    #[error("value is out of range for type {expected}")]
    OutOfRange { expected: &'static str },
    #[error("incorrect binary data format for type {expected}")]
    Binary { expected: &'static str },
    #[error("a parameter of type oid {oid} cannot be compared with a sharding key of type {expected} by the proxy", oid = .oid.0)]
    Incomparable { oid: Oid, expected: &'static str },
    #[error("the key's text is not valid UTF-8")]
    Encoding,
}

impl KeyType {
    /// PostgreSQL's name of the type, as in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::SmallInt => "smallint",
            Self::Integer => "integer",
            Self::BigInt => "bigint",
            Self::Text => "text",
            Self::Varchar => "varchar",
            Self::Uuid => "uuid",
        }
    }
}

impl KeyType {
    /// Reads PostgreSQL's text form, as in a quoted literal or a text parameter.
    pub fn parse_text(self, text: &[u8]) -> Result<KeyValue, KeyError> {
        let _ = text;
        Err(KeyError::Encoding)
    }

    /// Reads a parameter. `oid` is the parameter's type where a cast or Parse gave one, else
    /// unspecified: then it has the key's own type, as PostgreSQL infers for `key = $1`.
    pub fn parse_param(self, oid: Oid, format: Format, bytes: &[u8]) -> Result<KeyValue, KeyError> {
        let _ = (oid, format, bytes);
        Err(KeyError::Encoding)
    }
}
