//! PostgreSQL's `numeric`: decimal numbers in digits of base 10,000, with a display scale, NaN and infinities.
//!
//! Results have the digits and the scale that PostgreSQL 14 and later give them; nothing is ever a float.
//! Source: `src/backend/utils/adt/numeric.c`

mod decimal;
mod natural;
mod wire;

pub use decimal::Decimal;
pub use wire::{Special, Wire};

/// Digits are in this base.
const BASE: u16 = 10_000;

/// Decimal digits in a digit of that base.
const DECIMALS: i32 = 4;

/// A number that can be computed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Numeric {
    Special(Special),
    Finite(Decimal),
}

/// A number that PostgreSQL could not store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("value overflows numeric format")]
pub struct Overflow;

impl Numeric {
    pub const NAN: Self = Self::Special(Special::NaN);

    /// Zero without decimal digits.
    pub fn zero() -> Self {
        Self::Finite(Decimal::default())
    }

    /// Becomes [`Self::zero`] and keeps what it has allocated.
    pub fn set_zero(&mut self) {
        match self {
            Self::Finite(decimal) => decimal.set_zero(),
            Self::Special(_) => *self = Self::zero(),
        }
    }

    /// Source: `add_var` and `numeric_add_opt_error` in `src/backend/utils/adt/numeric.c`
    pub fn add(&mut self, other: &Wire<'_>) {
        match (&mut *self, other) {
            (Self::Finite(sum), Wire::Finite(other)) => {
                sum.add_digits(
                    other.is_negative,
                    other.weight,
                    other.scale.into(),
                    other.digits(),
                );
            }
            (Self::Finite(_), Wire::Special(special)) => *self = Self::Special(*special),
            (Self::Special(_), Wire::Finite(_)) => {}
            (Self::Special(special), Wire::Special(other)) => {
                if special != other {
                    *special = Special::NaN;
                }
            }
        }
    }

    /// The quotient by a count, with the scale PostgreSQL's `/` gives it. `count` is above zero.
    /// Source: `numeric_div_opt_error` in `src/backend/utils/adt/numeric.c`
    pub fn divide_by_count(&self, count: i64) -> Self {
        match self {
            Self::Special(_) => self.clone(),
            Self::Finite(sum) => {
                let count = Decimal::from(i128::from(count));
                Self::Finite(sum.divide(&count, sum.quotient_scale(&count)))
            }
        }
    }

    /// Appends the text form.
    /// Source: `numeric_out` in `src/backend/utils/adt/numeric.c`
    ///
    /// Errors: a weight or scale beyond PostgreSQL's.
    pub fn put_text(&self, out: &mut Vec<u8>) -> Result<(), Overflow> {
        match self {
            Self::Special(special) => {
                out.extend_from_slice(special.name().as_bytes());
                Ok(())
            }
            Self::Finite(decimal) => {
                decimal.check()?;
                decimal.put_text(out);
                Ok(())
            }
        }
    }

    /// Appends the binary form.
    /// Source: `numeric_send` in `src/backend/utils/adt/numeric.c`
    ///
    /// Errors: a weight or scale beyond PostgreSQL's.
    pub fn put_binary(&self, out: &mut Vec<u8>) -> Result<(), Overflow> {
        match self {
            Self::Special(special) => wire::put(out, 0, special.sign(), special.scale(), &[]),
            Self::Finite(decimal) => {
                let (weight, scale) = decimal.check()?;
                let sign = match decimal.is_negative() {
                    true => wire::sign::NEGATIVE,
                    false => wire::sign::POSITIVE,
                };
                wire::put(out, weight, sign, scale, decimal.digits());
            }
        }
        Ok(())
    }
}

impl From<i128> for Numeric {
    fn from(value: i128) -> Self {
        Self::Finite(Decimal::from(value))
    }
}

impl From<&Wire<'_>> for Numeric {
    fn from(wire: &Wire<'_>) -> Self {
        let mut number = Self::zero();
        number.add(wire);
        number
    }
}

#[cfg(test)]
mod tests;
