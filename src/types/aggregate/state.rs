//! The merge of one group's parts: running sums, extremes and bits, and the errors they end with.

use std::borrow::Cow;

use super::value::Value;
use super::{Aggregate, BitOperation, Kind, Spread};
use crate::error::{PgError, SqlState};
use crate::types::numeric::{Decimal, Numeric, Overflow, Wire};
use crate::types::order::{Malformed, bits};

/// Why there is no value. In PostgreSQL's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error(transparent)]
    Numeric(#[from] Overflow),
    #[error("bigint out of range")]
    Bigint,
    #[error("value out of range: overflow")]
    Float,
    #[error("cannot {operation} bit strings of different sizes")]
    BitSizes { operation: &'static str },
    /// Not PostgreSQL's: squares of such numbers would keep the proxy too long.
    #[error(
        "a variance of numbers of more than {DIGITS_MAX} digits is not computed over several shards"
    )]
    TooLong,
}

impl From<Error> for PgError {
    fn from(error: Error) -> Self {
        let code = match error {
            Error::Malformed(malformed) => return malformed.into(),
            Error::Numeric(_) | Error::Bigint | Error::Float => {
                SqlState::NUMERIC_VALUE_OUT_OF_RANGE
            }
            Error::BitSizes { .. } => SqlState::STRING_DATA_LENGTH_MISMATCH,
            Error::TooLong => SqlState::PROGRAM_LIMIT_EXCEEDED,
        };
        Self::client(code, error.to_string())
    }
}

/// What has been merged of one group. [`State::reset`] keeps what it has allocated for the next one.
#[derive(Clone, Debug)]
pub struct State {
    kind: Kind,
    /// Values that are not NULL have been counted or merged so far.
    count: i64,
    sum: Sum,
    /// Bytes of a part, as they came.
    kept: Vec<u8>,
    /// The same in the client's format.
    shown: Vec<u8>,
}

/// Running sums; which one is used is a matter of the kind.
#[derive(Clone, Debug)]
enum Sum {
    /// Also truth, and bits of integers.
    Integer(i128),
    Float4(f32),
    Float8(f64),
    Numeric(Numeric),
    /// Of values and of their squares.
    Squares(Numeric, Numeric),
    Bytes,
}

impl State {
    /// Of no rows.
    pub fn new(aggregate: Aggregate) -> Self {
        let sum = match aggregate.kind {
            Kind::CountRows
            | Kind::Count
            | Kind::SumBigint
            | Kind::AvgBigint
            | Kind::Bool { .. }
            | Kind::BitInteger { .. } => Sum::Integer(0),
            Kind::SumNumeric | Kind::AvgNumeric => Sum::Numeric(Numeric::zero()),
            // Zero that changes nothing: PostgreSQL begins with the first value, which may be -0; avg begins with 0.
            Kind::SumFloat4 => Sum::Float4(-0.0),
            Kind::SumFloat8 => Sum::Float8(-0.0),
            Kind::AvgFloat8 => Sum::Float8(0.0),
            Kind::Extreme { .. } | Kind::BitString(_) => Sum::Bytes,
            Kind::Spread { .. } => Sum::Squares(Numeric::zero(), Numeric::zero()),
        };
        Self {
            kind: aggregate.kind,
            count: 0,
            sum,
            kept: Vec::new(),
            shown: Vec::new(),
        }
    }

    /// Begins another group.
    pub fn reset(&mut self) {
        self.count = 0;
        match &mut self.sum {
            Sum::Integer(sum) => *sum = 0,
            Sum::Float4(sum) => *sum = -0.0,
            Sum::Float8(sum) if self.kind == Kind::AvgFloat8 => *sum = 0.0,
            Sum::Float8(sum) => *sum = -0.0,
            Sum::Numeric(sum) => sum.set_zero(),
            Sum::Squares(sum, squares) => {
                sum.set_zero();
                squares.set_zero();
            }
            Sum::Bytes => {}
        }
    }

    /// Merges the parts a shard has computed, in the order and the formats of [`Aggregate::formats`]. True where they
    /// are a `min` or `max` that is now the value: of equal ones it is the first.
    ///
    /// Errors: a part is no value of its type, too few parts, bit strings of different sizes, a float too great.
    pub fn merge(&mut self, parts: &[Option<&[u8]>]) -> Result<bool, Error> {
        let part = |index: usize| parts.get(index).copied().flatten();
        let (first, second) = (part(0), part(1));
        match (self.kind, &mut self.sum) {
            (Kind::CountRows | Kind::Count, Sum::Integer(sum)) => *sum += i128::from(count(first)?),
            (Kind::Extreme { .. }, _) => {
                return self.merge_extreme(first, parts.last().copied().flatten());
            }
            (Kind::BitString(operation), _) => self.merge_bits(operation, first)?,
            (_, sum) => {
                let Some(value) = first else { return Ok(false) };
                let more = match self.kind {
                    Kind::AvgBigint | Kind::AvgNumeric | Kind::AvgFloat8 => count(second)?,
                    Kind::Spread { .. } => count(first)?,
                    _ => 1,
                };
                self.count = self.count.checked_add(more).ok_or(Error::Bigint)?;
                match self.kind {
                    Kind::Spread { .. } => merge_squares(sum, second, part(2))?,
                    Kind::Bool { is_and } => merge_truth(sum, self.count == 1, is_and, value)?,
                    Kind::BitInteger { operation, bytes } => {
                        merge_integer(sum, self.count == 1, operation, bytes, value)?;
                    }
                    _ => add(sum, value)?,
                }
            }
        }
        Ok(false)
    }

    /// The group's value.
    ///
    /// Errors: a sum that its type cannot hold, a variance of numbers that are too long.
    pub fn value(&self) -> Result<Value<'_>, Error> {
        if let (Kind::CountRows | Kind::Count, Sum::Integer(sum)) = (self.kind, &self.sum) {
            return bigint(*sum);
        }
        if self.count == 0 {
            return Ok(Value::Null);
        }
        Ok(match (self.kind, &self.sum) {
            (Kind::SumBigint, Sum::Integer(sum)) => bigint(*sum)?,
            (Kind::AvgBigint, Sum::Integer(sum)) => {
                let average = Numeric::from(*sum).divide_by_count(self.count);
                Value::Numeric(Cow::Owned(average))
            }
            (Kind::AvgNumeric, Sum::Numeric(sum)) => {
                Value::Numeric(Cow::Owned(sum.divide_by_count(self.count)))
            }
            (Kind::AvgFloat8, Sum::Float8(sum)) => Value::Float8(sum / self.count as f64),
            (Kind::Bool { .. }, Sum::Integer(sum)) => Value::Bool(*sum != 0),
            (Kind::BitInteger { bytes: 2, .. }, Sum::Integer(sum)) => Value::Int2(*sum as i16),
            (Kind::BitInteger { bytes: 4, .. }, Sum::Integer(sum)) => Value::Int4(*sum as i32),
            (_, Sum::Integer(sum)) => Value::Int8(*sum as i64),
            (_, Sum::Float4(sum)) => Value::Float4(*sum),
            (_, Sum::Float8(sum)) => Value::Float8(*sum),
            (_, Sum::Numeric(sum)) => Value::Numeric(Cow::Borrowed(sum)),
            (kind, Sum::Squares(sum, squares)) => {
                let spread = match kind {
                    Kind::Spread { spread, .. } => spread.of(self.count, sum, squares)?,
                    _ => None,
                };
                spread.map_or(Value::Null, |value| Value::Numeric(Cow::Owned(value)))
            }
            (Kind::BitString(_), Sum::Bytes) => {
                let (bytes, count) = bits(&self.kept)?;
                Value::Bits { bytes, count }
            }
            (_, Sum::Bytes) => Value::Given {
                binary: &self.kept,
                shown: &self.shown,
            },
        })
    }

    fn merge_extreme(
        &mut self,
        binary: Option<&[u8]>,
        shown: Option<&[u8]>,
    ) -> Result<bool, Error> {
        let (Some(binary), Some(shown)) = (binary, shown) else {
            return Ok(false);
        };
        if let (Kind::Extreme { order, is_max, .. }, 1..) = (self.kind, self.count) {
            let ordering = order.compare(binary, &self.kept)?;
            let wins = if is_max {
                ordering.is_gt()
            } else {
                ordering.is_lt()
            };
            if !wins {
                return Ok(false);
            }
        }
        self.count = 1;
        replace(&mut self.kept, binary);
        replace(&mut self.shown, shown);
        Ok(true)
    }

    fn merge_bits(&mut self, operation: BitOperation, part: Option<&[u8]>) -> Result<(), Error> {
        let Some(part) = part else { return Ok(()) };
        let (added, count) = bits(part)?;
        if self.count == 0 {
            self.count = 1;
            replace(&mut self.kept, part);
            return Ok(());
        }
        let (head, kept) = self.kept.split_at_mut(4);
        if head != count.to_be_bytes() {
            return Err(Error::BitSizes {
                operation: operation.name(),
            });
        }
        for (kept, added) in kept.iter_mut().zip(added) {
            *kept = operation.of((*kept).into(), (*added).into()) as u8;
        }
        Ok(())
    }
}

fn replace(kept: &mut Vec<u8>, bytes: &[u8]) {
    kept.clear();
    kept.extend_from_slice(bytes);
}

/// A count is never NULL, nor below zero.
fn count(part: Option<&[u8]>) -> Result<i64, Malformed> {
    let malformed = Malformed { expected: "bigint" };
    let count = i64::from_be_bytes(read(part.ok_or(malformed)?, "bigint")?);
    if count < 0 { Err(malformed) } else { Ok(count) }
}

fn bigint(sum: i128) -> Result<Value<'static>, Error> {
    sum.try_into().map(Value::Int8).map_err(|_| Error::Bigint)
}

fn read<const N: usize>(part: &[u8], expected: &'static str) -> Result<[u8; N], Malformed> {
    part.try_into().map_err(|_| Malformed { expected })
}

/// Sums of floats overflow as PostgreSQL's do.
/// Source: `float8_pl` and `float4_pl` in `src/include/utils/float.h`
fn add(sum: &mut Sum, part: &[u8]) -> Result<(), Error> {
    match sum {
        Sum::Integer(sum) => *sum += i128::from(i64::from_be_bytes(read(part, "bigint")?)),
        Sum::Numeric(sum) => sum.add(&Wire::read(part)?),
        Sum::Float4(sum) => {
            let added = f32::from_be_bytes(read(part, "real")?);
            let total = *sum + added;
            if total.is_infinite() && !sum.is_infinite() && !added.is_infinite() {
                return Err(Error::Float);
            }
            *sum = total;
        }
        Sum::Float8(sum) => {
            let added = f64::from_be_bytes(read(part, "double precision")?);
            let total = *sum + added;
            if total.is_infinite() && !sum.is_infinite() && !added.is_infinite() {
                return Err(Error::Float);
            }
            *sum = total;
        }
        Sum::Squares(..) | Sum::Bytes => {}
    }
    Ok(())
}

fn merge_truth(sum: &mut Sum, is_first: bool, is_and: bool, part: &[u8]) -> Result<(), Error> {
    let Sum::Integer(sum) = sum else {
        return Ok(());
    };
    let added = i128::from(read::<1>(part, "boolean")?[0] != 0);
    *sum = match (is_first, is_and) {
        (true, _) => added,
        (false, true) => *sum & added,
        (false, false) => *sum | added,
    };
    Ok(())
}

fn merge_integer(
    sum: &mut Sum,
    is_first: bool,
    operation: BitOperation,
    bytes: u8,
    part: &[u8],
) -> Result<(), Error> {
    let Sum::Integer(sum) = sum else {
        return Ok(());
    };
    let added = match bytes {
        2 => i16::from_be_bytes(read(part, "smallint")?).into(),
        4 => i32::from_be_bytes(read(part, "integer")?).into(),
        _ => i64::from_be_bytes(read(part, "bigint")?),
    };
    let added = i128::from(added);
    *sum = if is_first {
        added
    } else {
        operation.of(*sum, added)
    };
    Ok(())
}

/// Both sums are NULL where nothing was counted.
fn merge_squares(
    sum: &mut Sum,
    of_values: Option<&[u8]>,
    of_squares: Option<&[u8]>,
) -> Result<(), Error> {
    if let Sum::Squares(sum, squares) = sum {
        for (sum, part) in [(sum, of_values), (squares, of_squares)] {
            if let Some(part) = part {
                sum.add(&Wire::read(part)?);
            }
        }
    }
    Ok(())
}

impl BitOperation {
    fn of(self, a: i128, b: i128) -> i128 {
        match self {
            Self::And => a & b,
            Self::Or => a | b,
            Self::Xor => a ^ b,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::And => "AND",
            Self::Or => "OR",
            Self::Xor => "XOR",
        }
    }
}

impl Spread {
    /// From the count of values, which is above zero, their sum and that of their squares.
    /// Source: `numeric_stddev_internal` in `src/backend/utils/adt/numeric.c`
    fn of(self, count: i64, sum: &Numeric, squares: &Numeric) -> Result<Option<Numeric>, Error> {
        if self.sample && count == 1 {
            return Ok(None);
        }
        let (Numeric::Finite(sum), Numeric::Finite(squares)) = (sum, squares) else {
            return Ok(Some(Numeric::NAN));
        };
        if sum.length().max(squares.length()) > DIGITS_MAX {
            return Err(Error::TooLong);
        }
        let scale = sum.scale() * 2;
        let number = Decimal::from(i128::from(count));
        let mut above = number.multiply(squares, scale);
        above.subtract(&sum.multiply(sum, scale));
        if above.is_zero() || above.is_negative() {
            return Ok(Some(Numeric::zero()));
        }
        let fewer = Decimal::from(i128::from(count - i64::from(self.sample)));
        let below = number.multiply(&fewer, 0);
        let scale = above.quotient_scale(&below);
        let variance = above.divide(&below, scale);
        Ok(Some(Numeric::Finite(if self.root {
            variance.square_root(scale)
        } else {
            variance
        })))
    }
}

/// Decimal digits of a sum of squares: a millisecond or two.
const DIGITS_MAX: usize = 4096;
