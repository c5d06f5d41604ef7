//! Sharding key types and values.
//!
//! A value is read here exactly as PostgreSQL would read it, or not at all: what these functions refuse
//! has no known shard.

use super::Oid;

mod bytea;
mod datetime;

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
    /// `char(n)`: trailing blanks mean nothing.
    Bpchar,
    Uuid,
    Date,
    Timestamp,
    Timestamptz,
    Bytea,
}

/// Types among which `=` compares the values themselves, so that equal values are on one shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    Integer,
    Text,
    Bpchar,
    Uuid,
    Date,
    Timestamp,
    Timestamptz,
    Bytea,
}

/// One value of a sharding key column. Integer widths compare and hash equal, so one variant holds all
/// three; text and varchar likewise.
///
/// Values of one type are in PostgreSQL's order of them, texts as under collation `C`; NULL is before all.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyValue {
    Null,
    Int(i64),
    /// Of a `char(n)` without its trailing blanks.
    Text(String),
    Uuid([u8; 16]),
    /// Days since 2000-01-01; the extremes are the infinities.
    Date(i32),
    /// Microseconds since 2000-01-01 (UTC for timestamptz); the extremes are the infinities.
    Timestamp(i64),
    Bytea(Vec<u8>),
}

/// Why bytes are not a value of the sharding key's type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("invalid input syntax for type {expected}")]
    Syntax { expected: &'static str },
    #[error("value is out of range for type {expected}")]
    OutOfRange { expected: &'static str },
    /// PostgreSQL reads it by its settings, or in a form that is not read here.
    #[error("this form of a {expected} is not read by the proxy")]
    Unread { expected: &'static str },
    #[error("incorrect binary data format for type {expected}")]
    Binary { expected: &'static str },
    #[error("a parameter of type oid {oid} cannot be compared with a sharding key of type {expected} by the proxy", oid = .oid.0)]
    Incomparable { oid: Oid, expected: &'static str },
    #[error("the key's text is not valid UTF-8 or contains a zero byte")]
    Encoding,
}

impl KeyType {
    /// Each once.
    #[cfg(any(test, feature = "internals"))]
    pub const ALL: [Self; 11] = [
        Self::SmallInt,
        Self::Integer,
        Self::BigInt,
        Self::Text,
        Self::Varchar,
        Self::Bpchar,
        Self::Uuid,
        Self::Date,
        Self::Timestamp,
        Self::Timestamptz,
        Self::Bytea,
    ];

    /// The type behind one of PostgreSQL's names for it. `None` for types that cannot be sharding keys,
    /// among them enums, which hash by OID.
    pub fn from_name(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "smallint" | "int2" => Some(Self::SmallInt),
            "integer" | "int" | "int4" => Some(Self::Integer),
            "bigint" | "int8" => Some(Self::BigInt),
            "text" => Some(Self::Text),
            "varchar" | "character varying" => Some(Self::Varchar),
            "char" | "character" | "bpchar" => Some(Self::Bpchar),
            "uuid" => Some(Self::Uuid),
            "date" => Some(Self::Date),
            "timestamp" | "timestamp without time zone" => Some(Self::Timestamp),
            "timestamptz" | "timestamp with time zone" => Some(Self::Timestamptz),
            "bytea" => Some(Self::Bytea),
            _ => None,
        }
    }

    /// Why a type that [`Self::from_name`] does not know cannot be a sharding key's.
    pub fn why_not(name: &str) -> &'static str {
        let folded = name.to_ascii_lowercase();
        match folded.split('(').next().unwrap_or_default().trim() {
            "varchar" | "character varying" => "write varchar without its length",
            "char" | "character" | "bpchar" => "write char without its length",
            "timestamp" | "timestamptz" => "a precision would change the values that are stored",
            "enum" => "an enum's hash depends on OIDs, which differ between clusters",
            "numeric" | "decimal" => {
                "numeric hashes differently from integers that are equal to it"
            }
            "real" | "float" | "float4" | "float8" | "double precision" => {
                "equal floats may print differently"
            }
            "citext" => "different texts are equal",
            "domain" => "write the type beneath it",
            _ => "its values cannot be read exactly as PostgreSQL reads them",
        }
    }

    /// PostgreSQL's name of the type, as in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::SmallInt => "smallint",
            Self::Integer => "integer",
            Self::BigInt => "bigint",
            Self::Text => "text",
            Self::Varchar => "varchar",
            Self::Bpchar => "bpchar",
            Self::Uuid => "uuid",
            Self::Date => "date",
            Self::Timestamp => "timestamp",
            Self::Timestamptz => "timestamptz",
            Self::Bytea => "bytea",
        }
    }

    /// True where a cast to `to` keeps every value as it is and cannot fail.
    pub fn widens_to(self, to: Self) -> bool {
        self == to
            || matches!(
                (self, to),
                (Self::SmallInt, Self::Integer | Self::BigInt)
                    | (Self::Integer, Self::BigInt)
                    | (Self::Text | Self::Varchar, Self::Text | Self::Varchar)
            )
    }

    /// True where a column of this type may hold a sharding key of type `key`: its values are some of that type's, and are
    /// read, stored, compared and hashed as those. Of a wider type not all are, and a `varchar(n)` cuts blanks that a
    /// `text` keeps.
    pub fn may_hold(self, key: Self) -> bool {
        self.widens_to(key) && (self, key) != (Self::Varchar, Self::Text)
    }

    /// True where a column with this type modifier (`atttypmod`) stores every timestamp as it is given: a lower precision
    /// rounds.
    pub fn keeps_precision(self, modifier: i32) -> bool {
        match self {
            Self::Timestamp | Self::Timestamptz => matches!(modifier, -1 | 6),
            _ => true,
        }
    }

    pub fn family(self) -> Family {
        match self {
            Self::SmallInt | Self::Integer | Self::BigInt => Family::Integer,
            Self::Text | Self::Varchar => Family::Text,
            Self::Bpchar => Family::Bpchar,
            Self::Uuid => Family::Uuid,
            Self::Date => Family::Date,
            Self::Timestamp => Family::Timestamp,
            Self::Timestamptz => Family::Timestamptz,
            Self::Bytea => Family::Bytea,
        }
    }

    pub fn oid(self) -> Oid {
        match self {
            Self::SmallInt => Oid::INT2,
            Self::Integer => Oid::INT4,
            Self::BigInt => Oid::INT8,
            Self::Text => Oid::TEXT,
            Self::Varchar => Oid::VARCHAR,
            Self::Bpchar => Oid::BPCHAR,
            Self::Uuid => Oid::UUID,
            Self::Date => Oid::DATE,
            Self::Timestamp => Oid::TIMESTAMP,
            Self::Timestamptz => Oid::TIMESTAMPTZ,
            Self::Bytea => Oid::BYTEA,
        }
    }

    pub fn from_oid(oid: Oid) -> Option<Self> {
        [
            Self::SmallInt,
            Self::Integer,
            Self::BigInt,
            Self::Text,
            Self::Varchar,
            Self::Bpchar,
            Self::Uuid,
            Self::Date,
            Self::Timestamp,
            Self::Timestamptz,
            Self::Bytea,
        ]
        .into_iter()
        .find(|key_type| key_type.oid() == oid)
    }

    /// Reads PostgreSQL's text form, as in a quoted literal or a text parameter.
    ///
    /// Errors: [`KeyError::Unread`] for dates and times in other forms than ISO's, and for a timestamptz
    /// without its offset from UTC.
    pub fn parse_text(self, text: &[u8]) -> Result<KeyValue, KeyError> {
        let expected = self.name();
        match self {
            Self::SmallInt | Self::Integer | Self::BigInt => {
                self.parse_int(text).map(KeyValue::Int)
            }
            Self::Text | Self::Varchar => parse_string(text),
            Self::Bpchar => parse_string(without_trailing_blanks(text)),
            Self::Uuid => parse_uuid(text)
                .map(KeyValue::Uuid)
                .ok_or(KeyError::Syntax { expected }),
            Self::Date => datetime::parse_date(text, expected).map(KeyValue::Date),
            Self::Timestamp => datetime::parse_timestamp(text, expected).map(KeyValue::Timestamp),
            Self::Timestamptz => {
                datetime::parse_timestamptz(text, expected).map(KeyValue::Timestamp)
            }
            Self::Bytea if is_text(text) => bytea::parse(text)
                .map(KeyValue::Bytea)
                .ok_or(KeyError::Syntax { expected }),
            Self::Bytea => Err(KeyError::Encoding),
        }
    }

    /// True for text that no version of PostgreSQL reads as a value of this type under any setting, though
    /// [`Self::parse_text`] does not either: digits too many, or no number from its first character on, or a
    /// day that is in no calendar. `0x10` and `1_000` mean something since PostgreSQL 16.
    pub fn is_certainly_invalid(self, text: &[u8]) -> bool {
        match self {
            Self::SmallInt | Self::Integer | Self::BigInt => {
                let text = trim(text);
                let digits = text
                    .strip_prefix(b"-")
                    .or_else(|| text.strip_prefix(b"+"))
                    .unwrap_or(text);
                (digits.iter().all(u8::is_ascii_digit)
                    || !digits.first().is_some_and(u8::is_ascii_digit))
                    && self.parse_text(text).is_err()
            }
            Self::Uuid | Self::Bytea => self.parse_text(text).is_err(),
            Self::Date | Self::Timestamp | Self::Timestamptz => {
                self.parse_text(text).is_err() && datetime::is_certainly_invalid(text)
            }
            Self::Text | Self::Varchar | Self::Bpchar => false,
        }
    }

    /// Reads a parameter. `oid` is the parameter's type where a cast or Parse gave one, else
    /// unspecified: then it has the key's own type, as PostgreSQL infers for `key = $1`.
    ///
    /// A parameter of another integer width is read in its own width: comparing an `integer` key with a
    /// `bigint` beyond its range is legal and matches no row.
    ///
    /// Errors: [`KeyError::Incomparable`] where PostgreSQL would compare values of two types by other means
    /// than their own equality, as a date with a timestamp.
    pub fn parse_param(self, oid: Oid, format: Format, bytes: &[u8]) -> Result<KeyValue, KeyError> {
        let incomparable = KeyError::Incomparable {
            oid,
            expected: self.name(),
        };
        let read_as = match oid {
            Oid::UNSPECIFIED | Oid::UNKNOWN => None,
            oid => Some(Self::from_oid(oid).ok_or(incomparable.clone())?),
        };
        let declared = match (self.family(), read_as) {
            (_, None) => None,
            // `char(n) = varchar` compares as char(n).
            (Family::Bpchar, Some(Self::Varchar)) => Some(Self::Bpchar),
            // `char(n) = text` compares as text, after the blanks of the char(n) are gone: a text that ends in
            // one equals no char(n), but is stored in one without it.
            (Family::Bpchar, Some(Self::Text)) if !bytes.ends_with(b" ") => Some(Self::Text),
            (family, Some(other)) if other.family() == family => Some(other),
            _ => return Err(incomparable),
        };
        match (format, declared) {
            (Format::Text, declared) => declared.unwrap_or(self).parse_text(bytes),
            (Format::Binary, Some(declared)) => declared.parse_binary(bytes),
            (Format::Binary, None) => self.of_width(bytes.len()).parse_binary(bytes),
        }
    }

    /// A value as PostgreSQL prints it under `DateStyle` ISO and `TimeZone` UTC, without quotes; NULL is
    /// `NULL`.
    pub fn print(self, value: &KeyValue) -> String {
        let hex = |bytes: &[u8]| -> String { bytes.iter().map(|b| format!("{b:02x}")).collect() };
        match value {
            KeyValue::Null => "NULL".to_owned(),
            KeyValue::Int(value) => value.to_string(),
            KeyValue::Text(text) => text.clone(),
            KeyValue::Uuid(bytes) => {
                let hex = hex(bytes);
                let groups = [
                    &hex[..8],
                    &hex[8..12],
                    &hex[12..16],
                    &hex[16..20],
                    &hex[20..],
                ];
                groups.join("-")
            }
            KeyValue::Date(days) => datetime::print_date(*days),
            KeyValue::Timestamp(micros) => {
                let zone = if self == Self::Timestamptz { "+00" } else { "" };
                datetime::print_timestamp(*micros, zone)
            }
            KeyValue::Bytea(bytes) => format!("\\x{}", hex(bytes)),
        }
    }

    /// For integers the type as wide as this many bytes, where there is one: a value of another width
    /// than the server inferred fails there, on whichever shard.
    fn of_width(self, bytes: usize) -> Self {
        match (self, bytes) {
            (Self::SmallInt | Self::Integer | Self::BigInt, 2) => Self::SmallInt,
            (Self::SmallInt | Self::Integer | Self::BigInt, 4) => Self::Integer,
            (Self::SmallInt | Self::Integer | Self::BigInt, 8) => Self::BigInt,
            _ => self,
        }
    }

    fn parse_binary(self, bytes: &[u8]) -> Result<KeyValue, KeyError> {
        let no_value = KeyError::Binary {
            expected: self.name(),
        };
        let wrong_length = |_| no_value.clone();
        Ok(match self {
            Self::SmallInt => {
                KeyValue::Int(i16::from_be_bytes(bytes.try_into().map_err(wrong_length)?).into())
            }
            Self::Integer => {
                KeyValue::Int(i32::from_be_bytes(bytes.try_into().map_err(wrong_length)?).into())
            }
            Self::BigInt => {
                KeyValue::Int(i64::from_be_bytes(bytes.try_into().map_err(wrong_length)?))
            }
            Self::Text | Self::Varchar => return parse_string(bytes),
            Self::Bpchar => return parse_string(without_trailing_blanks(bytes)),
            Self::Uuid => KeyValue::Uuid(bytes.try_into().map_err(wrong_length)?),
            Self::Date => KeyValue::Date(
                Some(i32::from_be_bytes(bytes.try_into().map_err(wrong_length)?))
                    .filter(|days| datetime::is_date(*days))
                    .ok_or(no_value)?,
            ),
            Self::Timestamp | Self::Timestamptz => KeyValue::Timestamp(
                Some(i64::from_be_bytes(bytes.try_into().map_err(wrong_length)?))
                    .filter(|micros| datetime::is_timestamp(*micros))
                    .ok_or(no_value)?,
            ),
            Self::Bytea => KeyValue::Bytea(bytes.to_vec()),
        })
    }

    /// Decimal digits with an optional sign between optional blanks. Hexadecimal, octal and binary forms
    /// and underscores mean something since PostgreSQL 16 and nothing before: they are not read.
    /// Source: `pg_strtoint64` in `src/backend/utils/adt/numutils.c`.
    fn parse_int(self, text: &[u8]) -> Result<i64, KeyError> {
        let syntax = KeyError::Syntax {
            expected: self.name(),
        };
        let (negative, digits) = match trim(text) {
            [b'-', digits @ ..] => (true, digits),
            [b'+', digits @ ..] => (false, digits),
            digits => (false, digits),
        };
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return Err(syntax);
        }
        // Counted downwards, because the most negative value has no positive counterpart.
        let value = digits
            .iter()
            .try_fold(0i64, |value, digit| {
                value.checked_mul(10)?.checked_sub(i64::from(digit - b'0'))
            })
            .and_then(|value| {
                if negative {
                    Some(value)
                } else {
                    value.checked_neg()
                }
            });
        let fits = |value: &i64| match self {
            Self::SmallInt => i16::try_from(*value).is_ok(),
            Self::Integer => i32::try_from(*value).is_ok(),
            _ => true,
        };
        value.filter(fits).ok_or(KeyError::OutOfRange {
            expected: self.name(),
        })
    }
}

fn parse_string(bytes: &[u8]) -> Result<KeyValue, KeyError> {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => Ok(KeyValue::Text(text.to_owned())),
        _ => Err(KeyError::Encoding),
    }
}

/// Without the blanks at both ends, as `isspace` knows them.
fn trim(text: &[u8]) -> &[u8] {
    let blank = |b: &u8| matches!(b, b' ' | b'\t' | b'\n' | b'\x0b' | b'\x0c' | b'\r');
    let start = text.iter().position(|b| !blank(b)).unwrap_or(text.len());
    let end = text
        .iter()
        .rposition(|b| !blank(b))
        .map_or(start, |last| last + 1);
    &text[start..end]
}

/// A text form is text, whatever it stands for.
fn is_text(bytes: &[u8]) -> bool {
    !bytes.contains(&0) && std::str::from_utf8(bytes).is_ok()
}

/// Blanks are spaces only: `bpcharlen` in `src/backend/utils/adt/varchar.c`.
fn without_trailing_blanks(bytes: &[u8]) -> &[u8] {
    let end = bytes
        .iter()
        .rposition(|b| *b != b' ')
        .map_or(0, |at| at + 1);
    &bytes[..end]
}

/// Thirty-two hexadecimal digits, a hyphen allowed after each group of four, braces around the whole.
/// Source: `string_to_uuid` in `src/backend/utils/adt/uuid.c`.
fn parse_uuid(text: &[u8]) -> Option<[u8; 16]> {
    let mut rest = match text {
        [b'{', inner @ .., b'}'] => inner,
        other => other,
    };
    let mut uuid = [0; 16];
    for (index, byte) in uuid.iter_mut().enumerate() {
        let [high, low, tail @ ..] = rest else {
            return None;
        };
        let digit = |b: u8| char::from(b).to_digit(16);
        *byte = (digit(*high)? << 4 | digit(*low)?) as u8;
        rest = match tail {
            [b'-', after @ ..] if index % 2 == 1 && index < 15 => after,
            _ => tail,
        };
    }
    rest.is_empty().then_some(uuid)
}

#[cfg(test)]
mod tests;
