//! The order of two values in binary form, as PostgreSQL's default btree operator class of their type has it.
//!
//! Values come from servers, which may lie: what is no value of its type is an error, never a panic and never
//! an order. Nothing is allocated.

use std::cmp::Ordering;

use super::numeric::Wire;
use super::{Oid, array};
use crate::error::{PgError, SqlState};

/// A server sent bytes that are no value of the type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("incorrect binary data format for type {expected}")]
pub struct Malformed {
    pub expected: &'static str,
}

impl From<Malformed> for PgError {
    fn from(error: Malformed) -> Self {
        Self::shard(SqlState::PROTOCOL_VIOLATION, error.to_string())
    }
}

/// How values of one type are ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    kind: Kind,
    /// Of arrays of the type.
    array: bool,
}

/// Types with one way of comparing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Bool,
    /// Two's complement of so many bytes; infinities of dates and times are the extremes.
    Signed(Fixed),
    Unsigned(Fixed),
    Float4,
    Float8,
    Numeric,
    /// By bytes, a prefix first.
    Bytes,
    /// The same without trailing blanks.
    Bpchar,
    Timetz,
    Interval,
    Bits,
    Network,
}

/// A length in bytes, and whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Fixed {
    bytes: usize,
    name: &'static str,
}

const fn signed(bytes: usize, name: &'static str) -> Kind {
    Kind::Signed(Fixed { bytes, name })
}

const fn unsigned(bytes: usize, name: &'static str) -> Kind {
    Kind::Unsigned(Fixed { bytes, name })
}

impl Order {
    /// The order of a type; `None` where it is not known exactly, as of enums, whose order is in the catalogs.
    ///
    /// `c_collation` says that the column's collation is `C` or `POSIX`, and that its texts arrive in the encoding
    /// they are stored in: other collations have no order here. Of `name` the collation is `C` where no COLLATE says
    /// otherwise; `"char"` has none.
    pub fn of(oid: Oid, c_collation: bool) -> Option<Self> {
        let (element, array) = match element(oid) {
            Some(element) => (element, true),
            None => (oid, false),
        };
        let kind = match element.0 {
            16 => Kind::Bool,
            17 => Kind::Bytes,
            18 => unsigned(1, "\"char\""),
            19 | 25 | 1043 if c_collation => Kind::Bytes,
            1042 if c_collation => Kind::Bpchar,
            20 => signed(8, "bigint"),
            21 => signed(2, "smallint"),
            23 => signed(4, "integer"),
            26 => unsigned(4, "oid"),
            650 | 869 => Kind::Network,
            700 => Kind::Float4,
            701 => Kind::Float8,
            774 => unsigned(8, "macaddr8"),
            790 => signed(8, "money"),
            829 => unsigned(6, "macaddr"),
            1082 => signed(4, "date"),
            1083 => signed(8, "time"),
            1114 => signed(8, "timestamp"),
            1184 => signed(8, "timestamptz"),
            1186 => Kind::Interval,
            1266 => Kind::Timetz,
            1560 | 1562 => Kind::Bits,
            1700 => Kind::Numeric,
            2950 => unsigned(16, "uuid"),
            3220 => unsigned(8, "pg_lsn"),
            5069 => unsigned(8, "xid8"),
            _ => return None,
        };
        Some(Self { kind, array })
    }

    /// Compares two values, neither of them NULL.
    ///
    /// Errors: one of them is no value of the type, as far as that had to be seen.
    #[inline]
    pub fn compare(self, a: &[u8], b: &[u8]) -> Result<Ordering, Malformed> {
        if self.array {
            return arrays(self.kind, a, b);
        }
        self.kind.compare(a, b)
    }
}

/// The type of the elements of an array type.
fn element(array: Oid) -> Option<Oid> {
    array.element().or_else(|| {
        Some(Oid(match array.0 {
            271 => 5069,
            651 => 650,
            775 => 774,
            791 => 790,
            1000 => 16,
            1002 => 18,
            1003 => 19,
            1021 => 700,
            1022 => 701,
            1028 => 26,
            1040 => 829,
            1041 => 869,
            1183 => 1083,
            1187 => 1186,
            1231 => 1700,
            1270 => 1266,
            1561 => 1560,
            1563 => 1562,
            3221 => 3220,
            _ => return None,
        }))
    })
}

impl Kind {
    #[inline]
    fn compare(self, a: &[u8], b: &[u8]) -> Result<Ordering, Malformed> {
        Ok(match self {
            Self::Bytes => a.cmp(b),
            Self::Signed(Fixed { bytes: 8, name }) => {
                let read = |value| Ok(i64::from_be_bytes(fixed(value, name)?));
                read(a)?.cmp(&read(b)?)
            }
            Self::Signed(Fixed { bytes: 4, name }) => {
                let read = |value| Ok(i32::from_be_bytes(fixed(value, name)?));
                read(a)?.cmp(&read(b)?)
            }
            Self::Signed(Fixed { name, .. }) => {
                let read = |value| Ok(i16::from_be_bytes(fixed(value, name)?));
                read(a)?.cmp(&read(b)?)
            }
            Self::Unsigned(Fixed { bytes, name }) => {
                if a.len() != bytes || b.len() != bytes {
                    return Err(Malformed { expected: name });
                }
                a.cmp(b)
            }
            Self::Bool => {
                let read = |value| Ok(fixed::<1>(value, "boolean")?[0] != 0);
                read(a)?.cmp(&read(b)?)
            }
            Self::Float4 => {
                let read = |value| Ok(f32::from_be_bytes(fixed(value, "real")?));
                floats(read(a)?.into(), read(b)?.into())
            }
            Self::Float8 => {
                let read = |value| Ok(f64::from_be_bytes(fixed(value, "double precision")?));
                floats(read(a)?, read(b)?)
            }
            Self::Numeric => Wire::read(a)?.compare(&Wire::read(b)?),
            Self::Bpchar => without_blanks(a).cmp(without_blanks(b)),
            Self::Timetz => timetz(a)?.cmp(&timetz(b)?),
            Self::Interval => interval_span(a)?.cmp(&interval_span(b)?),
            Self::Bits => bits(a)?.cmp(&bits(b)?),
            Self::Network => Network::read(a)?.compare(&Network::read(b)?),
        })
    }
}

#[inline]
fn fixed<const N: usize>(value: &[u8], expected: &'static str) -> Result<[u8; N], Malformed> {
    value.try_into().map_err(|_| Malformed { expected })
}

/// NaN is equal to itself and above all else, the two zeros are equal.
/// Source: `float8_cmp_internal` in `src/backend/utils/adt/float.c`
fn floats(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b)
        .unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

/// Source: `bcTruelen` in `src/backend/utils/adt/varchar.c`
fn without_blanks(text: &[u8]) -> &[u8] {
    let end = text.iter().rposition(|byte| *byte != b' ');
    &text[..end.map_or(0, |last| last + 1)]
}

/// Microseconds of the instant in UTC, then seconds west of it.
/// Source: `timetz_cmp_internal` in `src/backend/utils/adt/date.c`
fn timetz(value: &[u8]) -> Result<(i64, i32), Malformed> {
    let [time @ .., a, b, c, d] = fixed::<12>(value, "timetz")?;
    let zone = i32::from_be_bytes([a, b, c, d]);
    let instant = i64::from_be_bytes(time).saturating_add(i64::from(zone) * 1_000_000);
    Ok((instant, zone))
}

/// Microseconds, where a month has 30 days and a day 24 hours; the infinities of PostgreSQL 17 are the extremes.
/// Source: `interval_cmp_value` in `src/backend/utils/adt/timestamp.c`
fn interval_span(value: &[u8]) -> Result<i128, Malformed> {
    const DAY: i128 = 86_400_000_000;
    let value = fixed::<16>(value, "interval")?;
    let [time @ .., a, b, c, d, e, f, g, h] = value;
    let days = i32::from_be_bytes([a, b, c, d]);
    let months = i32::from_be_bytes([e, f, g, h]);
    let days = i128::from(months) * 30 + i128::from(days);
    Ok(i128::from(i64::from_be_bytes(time)) + days * DAY)
}

/// The bits in bytes, padded with zeros, then how many there are.
/// Source: `bit_cmp` in `src/backend/utils/adt/varbit.c`
pub(super) fn bits(value: &[u8]) -> Result<(&[u8], i32), Malformed> {
    let expected = "bit varying";
    let (count, bytes) = value.split_first_chunk().ok_or(Malformed { expected })?;
    let count = i32::from_be_bytes(*count);
    let wanted = usize::try_from(count).map(|count| count.div_ceil(8));
    if wanted != Ok(bytes.len()) {
        return Err(Malformed { expected });
    }
    Ok((bytes, count))
}

/// An `inet` or `cidr`.
struct Network<'a> {
    is_v6: bool,
    bits: usize,
    address: &'a [u8],
}

impl<'a> Network<'a> {
    /// Source: `network_send` in `src/backend/utils/adt/network.c`
    fn read(value: &'a [u8]) -> Result<Self, Malformed> {
        const INET: u8 = 2;
        const INET6: u8 = 3;
        let malformed = Malformed { expected: "inet" };
        let [family, bits, _is_cidr, length, address @ ..] = value else {
            return Err(malformed);
        };
        let is_v6 = match (*family, *length) {
            (INET, 4) => false,
            (INET6, 16) => true,
            _ => return Err(malformed),
        };
        let bits = usize::from(*bits);
        if address.len() != usize::from(*length) || bits > address.len() * 8 {
            return Err(malformed);
        }
        Ok(Self {
            is_v6,
            bits,
            address,
        })
    }

    /// Networks before their parts, and those before other networks.
    /// Source: `network_cmp_internal` in `src/backend/utils/adt/network.c`
    fn compare(&self, other: &Self) -> Ordering {
        self.is_v6.cmp(&other.is_v6).then_with(|| {
            let common = self.bits.min(other.bits);
            prefixes(self.address, other.address, common)
                .then(self.bits.cmp(&other.bits))
                .then_with(|| self.address.cmp(other.address))
        })
    }
}

/// Compares the first bits of addresses of one length.
fn prefixes(a: &[u8], b: &[u8], bits: usize) -> Ordering {
    let whole = bits / 8;
    let masked = |address: &[u8]| {
        let mask = !(0xffu8 >> (bits % 8));
        address.get(whole).map_or(0, |byte| byte & mask)
    };
    a[..whole]
        .cmp(&b[..whole])
        .then_with(|| masked(a).cmp(&masked(b)))
}

/// By elements, NULL after all else; then by how many there are, how many dimensions, and their shape.
/// Source: `array_cmp` in `src/backend/utils/adt/arrayfuncs.c`
fn arrays(kind: Kind, a: &[u8], b: &[u8]) -> Result<Ordering, Malformed> {
    let malformed = Malformed { expected: "array" };
    let read = |value| array::Binary::read(value).ok_or(malformed);
    let (a, b) = (read(a)?, read(b)?);
    let (mut of_a, mut of_b) = (a.elements(), b.elements());
    for _ in 0..a.count.min(b.count) {
        let ordering = match (of_a.next().ok_or(malformed)?, of_b.next().ok_or(malformed)?) {
            (Some(a), Some(b)) => kind.compare(a, b)?,
            (a, b) => a.is_none().cmp(&b.is_none()),
        };
        if ordering.is_ne() {
            return Ok(ordering);
        }
    }
    Ok(a.count
        .cmp(&b.count)
        .then(a.dimensions().cmp(&b.dimensions()))
        .then_with(|| a.lengths().cmp(b.lengths()))
        .then_with(|| a.lower_bounds().cmp(b.lower_bounds())))
}

/// One column of an ORDER BY.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SortKey {
    /// Zero-based index in the row; the column is in binary form.
    pub column: u16,
    pub order: Order,
    pub descending: bool,
    /// Whatever the direction: without a word PostgreSQL has them last, of DESC first.
    pub nulls_first: bool,
}

impl SortKey {
    /// Compares two rows' values of the column, NULL as `None`. Two NULLs are equal.
    ///
    /// Errors: a value is none of its type.
    #[inline]
    pub fn compare(&self, a: Option<&[u8]>, b: Option<&[u8]>) -> Result<Ordering, Malformed> {
        let nulls = match (a, b) {
            (Some(a), Some(b)) => {
                let ordering = self.order.compare(a, b)?;
                return Ok(if self.descending {
                    ordering.reverse()
                } else {
                    ordering
                });
            }
            (a, b) => a.is_none().cmp(&b.is_none()),
        };
        Ok(if self.nulls_first {
            nulls.reverse()
        } else {
            nulls
        })
    }
}

#[cfg(test)]
mod tests;
