//! The binary form of a `numeric`, read where it lies.

use std::cmp::Ordering;

use super::BASE;
use crate::types::order::Malformed;

/// What is no number, in PostgreSQL's order but for the numbers between the infinities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Special {
    NegativeInfinity,
    Infinity,
    NaN,
}

impl Special {
    pub fn compare_to_finite(self) -> Ordering {
        match self {
            Self::NegativeInfinity => Ordering::Less,
            Self::Infinity | Self::NaN => Ordering::Greater,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::NegativeInfinity => "-Infinity",
            Self::Infinity => "Infinity",
            Self::NaN => "NaN",
        }
    }

    /// On the wire.
    pub fn sign(self) -> u16 {
        match self {
            Self::NegativeInfinity => sign::NEGATIVE_INFINITY,
            Self::Infinity => sign::INFINITY,
            Self::NaN => sign::NAN,
        }
    }

    /// On the wire: means nothing, but PostgreSQL sends bits of the sign there.
    pub fn scale(self) -> u16 {
        match self {
            Self::NegativeInfinity | Self::Infinity => 32,
            Self::NaN => 0,
        }
    }
}

/// Appends the binary form.
pub fn put(out: &mut Vec<u8>, weight: i16, sign: u16, scale: u16, digits: &[u16]) {
    for word in [digits.len() as u16, weight.cast_unsigned(), sign, scale] {
        out.extend_from_slice(&word.to_be_bytes());
    }
    for digit in digits {
        out.extend_from_slice(&digit.to_be_bytes());
    }
}

/// A `numeric` in the form PostgreSQL sends: count of digits, weight of the first, sign and display scale, each of
/// two bytes, then the digits of two bytes each.
///
/// Source: `numeric_send` in `src/backend/utils/adt/numeric.c`
#[derive(Clone, Copy, Debug)]
pub enum Wire<'a> {
    Special(Special),
    Finite(Finite<'a>),
}

/// The value is the sum of each digit times 10,000 to the power of its weight, which is one less for each next digit.
#[derive(Clone, Copy, Debug)]
pub struct Finite<'a> {
    pub is_negative: bool,
    /// Of the first digit.
    pub weight: i32,
    /// Decimal digits after the point that are shown.
    pub scale: u16,
    /// The first and the last one are not zero; zero has none.
    digits: &'a [[u8; 2]],
}

/// Signs on the wire.
pub mod sign {
    pub const POSITIVE: u16 = 0x0000;
    pub const NEGATIVE: u16 = 0x4000;
    pub const NAN: u16 = 0xc000;
    pub const INFINITY: u16 = 0xd000;
    pub const NEGATIVE_INFINITY: u16 = 0xf000;
}

impl<'a> Wire<'a> {
    /// Errors: an unknown sign, a digit of 10,000 or more, a wrong count.
    pub fn read(value: &'a [u8]) -> Result<Self, Malformed> {
        let malformed = Malformed {
            expected: "numeric",
        };
        let ([count, weight, sign, scale], digits) = head(value).ok_or(malformed)?;
        if digits.len() != usize::from(count) {
            return Err(malformed);
        }
        let is_negative = match sign {
            sign::POSITIVE => false,
            sign::NEGATIVE => true,
            sign::NAN => return Ok(Self::Special(Special::NaN)),
            sign::INFINITY => return Ok(Self::Special(Special::Infinity)),
            sign::NEGATIVE_INFINITY => return Ok(Self::Special(Special::NegativeInfinity)),
            _ => return Err(malformed),
        };
        if digits
            .iter()
            .any(|digit| u16::from_be_bytes(*digit) >= BASE)
        {
            return Err(malformed);
        }
        // A server strips zeros; who compares relies on it.
        let leading = digits.iter().take_while(|digit| **digit == [0, 0]).count();
        let digits = &digits[leading..];
        let trailing = digits.iter().rev().take_while(|digit| **digit == [0, 0]);
        let digits = &digits[..digits.len() - trailing.count()];
        let is_zero = digits.is_empty();
        Ok(Self::Finite(Finite {
            is_negative: is_negative && !is_zero,
            weight: if is_zero {
                0
            } else {
                i32::from(weight.cast_signed()) - leading as i32
            },
            scale,
            digits,
        }))
    }

    /// NaN is equal to itself and above all else.
    /// Source: `cmp_numerics` in `src/backend/utils/adt/numeric.c`
    pub fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Finite(a), Self::Finite(b)) => a.compare(b),
            (Self::Special(a), Self::Special(b)) => a.cmp(b),
            (Self::Special(special), Self::Finite(_)) => special.compare_to_finite(),
            (Self::Finite(_), Self::Special(special)) => special.compare_to_finite().reverse(),
        }
    }
}

type Head<'a> = ([u16; 4], &'a [[u8; 2]]);

fn head(value: &[u8]) -> Option<Head<'_>> {
    let (words, odd) = value.as_chunks::<2>();
    let (head, digits) = words.split_first_chunk::<4>()?;
    odd.is_empty()
        .then_some((head.map(u16::from_be_bytes), digits))
}

impl Finite<'_> {
    /// Most significant first.
    pub fn digits(&self) -> impl ExactSizeIterator<Item = u16> + DoubleEndedIterator + '_ {
        self.digits.iter().map(|digit| u16::from_be_bytes(*digit))
    }

    fn compare(&self, other: &Self) -> Ordering {
        match (self.signum(), other.signum()) {
            (1, 1) => self.compare_absolute(other),
            (-1, -1) => other.compare_absolute(self),
            (a, b) => a.cmp(&b),
        }
    }

    /// Digits in this order are in the order of their bytes, and a prefix is less because the rest is not zero.
    fn compare_absolute(&self, other: &Self) -> Ordering {
        self.weight
            .cmp(&other.weight)
            .then_with(|| self.digits.cmp(other.digits))
    }

    fn signum(&self) -> i8 {
        match (self.digits.is_empty(), self.is_negative) {
            (true, _) => 0,
            (false, false) => 1,
            (false, true) => -1,
        }
    }
}
