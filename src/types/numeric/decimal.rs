//! Finite numbers.

#[cfg(test)]
use std::cmp::Ordering;

use super::{BASE, DECIMALS, Overflow, natural};

/// A finite number: the sum of each digit times 10,000 to the power of its weight.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decimal {
    is_negative: bool,
    /// Of the first digit; each next one's is one less.
    weight: i32,
    /// Decimal digits after the point that are shown. No digit lies beyond it.
    scale: u32,
    /// In base 10,000, most significant first; the first and the last one are not zero. Zero has none, and is not negative.
    digits: Vec<u16>,
}

impl Decimal {
    pub fn is_negative(&self) -> bool {
        self.is_negative
    }

    pub fn is_zero(&self) -> bool {
        self.digits.is_empty()
    }

    pub fn scale(&self) -> u32 {
        self.scale
    }

    pub fn digits(&self) -> &[u16] {
        &self.digits
    }

    /// Decimal digits, from the first one that is shown or from the point to the last.
    pub fn length(&self) -> usize {
        let whole = (self.weight.max(0) + 1) * DECIMALS;
        whole as usize + self.scale as usize
    }

    /// Weight and scale as PostgreSQL stores them.
    /// Source: `make_result_opt_error` in `src/backend/utils/adt/numeric.c`
    ///
    /// Errors: they cannot be stored.
    pub fn check(&self) -> Result<(i16, u16), Overflow> {
        if self.scale > SCALE_MAX {
            return Err(Overflow);
        }
        let weight = self.weight.try_into().map_err(|_| Overflow)?;
        Ok((weight, self.scale as u16))
    }

    pub fn set_zero(&mut self) {
        self.scale = 0;
        self.digits.clear();
        self.normalize();
    }

    pub fn subtract(&mut self, other: &Self) {
        let digits = other.digits.iter().copied();
        self.add_digits(!other.is_negative, other.weight, other.scale, digits);
    }

    /// Adds a number given by its parts, in place: allocates only where the sum needs more digits than any before.
    /// The scale is the greater one.
    pub fn add_digits(
        &mut self,
        is_negative: bool,
        weight: i32,
        scale: u32,
        digits: impl ExactSizeIterator<Item = u16> + DoubleEndedIterator,
    ) {
        self.scale = self.scale.max(scale);
        if digits.len() == 0 {
            return;
        }
        if self.digits.is_empty() {
            self.is_negative = is_negative;
            self.weight = weight;
            self.digits.extend(digits);
            return;
        }
        self.cover(weight, digits.len());
        let first = (self.weight - weight) as usize;
        let last = first + digits.len();
        if self.is_negative == is_negative {
            self.add_absolute(last, digits.rev());
        } else {
            self.subtract_absolute(last, digits.rev());
        }
        self.normalize();
    }

    /// The product, rounded to a scale.
    pub fn multiply(&self, other: &Self, scale: u32) -> Self {
        let mut product = Self {
            is_negative: self.is_negative != other.is_negative,
            weight: self.weight + other.weight + 1,
            scale,
            digits: natural::multiply(&self.digits, &other.digits),
        };
        product.round(scale);
        product
    }

    /// The scale that PostgreSQL's `/` gives a quotient: at least 16 significant digits.
    /// Source: `select_div_scale` in `src/backend/utils/adt/numeric.c`
    pub fn quotient_scale(&self, divisor: &Self) -> u32 {
        const SIGNIFICANT_MIN: i32 = 16;
        const DISPLAY_SCALE_MAX: u32 = 1000;
        let first = |number: &Self| number.digits.first().copied().unwrap_or(0);
        // Equal first digits decide nothing: the quotient is taken to be below one.
        let is_less = first(self) <= first(divisor);
        let weight = self.weight - divisor.weight - i32::from(is_less);
        let scale = SIGNIFICANT_MIN - weight * DECIMALS;
        let scale = u32::try_from(scale).unwrap_or(0);
        scale
            .max(self.scale)
            .max(divisor.scale)
            .min(DISPLAY_SCALE_MAX)
    }

    /// The quotient, rounded to a scale. `divisor` is not zero.
    /// Source: `div_var` in `src/backend/utils/adt/numeric.c`
    pub fn divide(&self, divisor: &Self, scale: u32) -> Self {
        // One digit more than is shown decides how to round; what is cut off behind it cannot.
        let fraction = scale.div_ceil(DECIMALS as u32) as i32 + 1;
        let shift = self.lowest() - divisor.lowest() + fraction;
        let quotient = natural::divide(&shifted(&self.digits, shift), &divisor.digits);
        let mut quotient = Self {
            is_negative: self.is_negative != divisor.is_negative,
            weight: quotient.len() as i32 - 1 - fraction,
            scale,
            digits: quotient,
        };
        quotient.round(scale);
        quotient
    }

    /// The square root, rounded to a scale. The number is not negative.
    /// Source: `sqrt_var` in `src/backend/utils/adt/numeric.c`
    pub fn square_root(&self, scale: u32) -> Self {
        let fraction = scale.div_ceil(DECIMALS as u32) as i32 + 1;
        let square = shifted(&self.digits, self.lowest() + 2 * fraction);
        let root = natural::square_root(&square);
        let mut root = Self {
            is_negative: false,
            weight: root.len() as i32 - 1 - fraction,
            scale,
            digits: root,
        };
        root.round(scale);
        root
    }

    #[cfg(test)]
    pub fn compare(&self, other: &Self) -> Ordering {
        let signum = |number: &Self| match (number.is_zero(), number.is_negative) {
            (true, _) => 0,
            (false, false) => 1,
            (false, true) => -1,
        };
        let absolute = |a: &Self, b: &Self| {
            let weights = a.weight.cmp(&b.weight);
            weights.then_with(|| a.digits.cmp(&b.digits))
        };
        match (signum(self), signum(other)) {
            (1, 1) => absolute(self, other),
            (-1, -1) => absolute(other, self),
            (a, b) => a.cmp(&b),
        }
    }

    /// Source: `get_str_from_var` in `src/backend/utils/adt/numeric.c`
    pub fn put_text(&self, out: &mut Vec<u8>) {
        let digit = |weight: i32| {
            let index = usize::try_from(self.weight - weight).ok();
            let digit = index.and_then(|index| self.digits.get(index));
            let digit = digit.copied().unwrap_or(0);
            [1000, 100, 10, 1].map(|power| b'0' + (digit / power % 10) as u8)
        };
        if self.is_negative {
            out.push(b'-');
        }
        let start = out.len();
        for weight in (0..=self.weight.max(0)).rev() {
            out.extend_from_slice(&digit(weight));
        }
        let zeros = out[start..].iter().take_while(|byte| **byte == b'0');
        let zeros = zeros.count().min(out.len() - start - 1);
        out.drain(start..start + zeros);
        if self.scale > 0 {
            out.push(b'.');
            let end = out.len() + self.scale as usize;
            let count = self.scale.div_ceil(DECIMALS as u32) as i32;
            for place in 1..=count {
                out.extend_from_slice(&digit(-place));
            }
            out.truncate(end);
        }
    }

    /// Weight of the last digit.
    fn lowest(&self) -> i32 {
        self.weight + 1 - self.digits.len() as i32
    }

    /// Makes room with zeros for a number's digits. There are digits.
    fn cover(&mut self, weight: i32, digits: usize) {
        if let Ok(more @ 1..) = usize::try_from(weight - self.weight) {
            self.digits.splice(0..0, std::iter::repeat_n(0, more));
            self.weight = weight;
        }
        let lowest = weight + 1 - digits as i32;
        if let Ok(more @ 1..) = usize::try_from(self.lowest() - lowest) {
            self.digits.resize(self.digits.len() + more, 0);
        }
    }

    /// Adds digits, least significant first, whose last lies before `end`.
    fn add_absolute(&mut self, end: usize, digits: impl Iterator<Item = u16>) {
        let mut added = digits;
        let mut carry = 0;
        for digit in self.digits[..end].iter_mut().rev() {
            let more = added.next();
            if more.is_none() && carry == 0 {
                return;
            }
            let sum = *digit + more.unwrap_or(0) + carry;
            carry = u16::from(sum >= BASE);
            *digit = sum - carry * BASE;
        }
        if carry > 0 {
            self.digits.insert(0, carry);
            self.weight += 1;
        }
    }

    /// The same for the difference, which may have the other sign.
    fn subtract_absolute(&mut self, end: usize, digits: impl Iterator<Item = u16>) {
        let mut subtracted = digits;
        let mut borrow = 0;
        for digit in self.digits[..end].iter_mut().rev() {
            let less = subtracted.next().unwrap_or(0) + borrow;
            borrow = u16::from(*digit < less);
            *digit = *digit + borrow * BASE - less;
        }
        if borrow > 0 {
            // It is too great by a power of the base that is not there: what is missing to that is the difference.
            self.is_negative = !self.is_negative;
            let mut borrow = 0;
            for digit in self.digits.iter_mut().rev() {
                let less = *digit + borrow;
                borrow = u16::from(less > 0);
                *digit = borrow * BASE - less;
            }
        }
    }

    /// Rounds to a scale, half away from zero.
    /// Source: `round_var` in `src/backend/utils/adt/numeric.c`
    fn round(&mut self, scale: u32) {
        self.scale = scale;
        let kept = (self.weight + 1) * DECIMALS + scale as i32;
        match usize::try_from(kept) {
            Err(_) => self.digits.clear(),
            Ok(kept) => self.keep(kept),
        }
        self.normalize();
    }

    /// Rounds to so many decimal digits from the first digit's first on.
    fn keep(&mut self, decimals: usize) {
        let whole = decimals / DECIMALS as usize;
        if whole >= self.digits.len() {
            return;
        }
        let part = decimals % DECIMALS as usize;
        let unit = [BASE, 1000, 100, 10][part];
        let rest = self.digits[whole] % unit;
        let mut carry = if rest >= unit / 2 { unit } else { 0 };
        self.digits[whole] -= rest;
        self.digits.truncate(whole + 1);
        for digit in self.digits.iter_mut().rev() {
            let sum = *digit + carry;
            carry = u16::from(sum >= BASE);
            *digit = sum - carry * BASE;
        }
        if carry > 0 {
            self.digits.insert(0, carry);
            self.weight += 1;
        }
    }

    fn normalize(&mut self) {
        let end = self.digits.iter().rposition(|digit| *digit != 0);
        self.digits.truncate(end.map_or(0, |last| last + 1));
        let zeros = self.digits.iter().take_while(|digit| **digit == 0).count();
        if zeros > 0 {
            self.digits.drain(..zeros);
            self.weight -= zeros as i32;
        }
        if self.digits.is_empty() {
            self.weight = 0;
            self.is_negative = false;
        }
    }
}

/// The natural number of these digits times 10,000 to a power, rounded down.
fn shifted(digits: &[u16], power: i32) -> Vec<u16> {
    match usize::try_from(power) {
        Ok(_) if digits.is_empty() => Vec::new(),
        Ok(more) => {
            let zeros = std::iter::repeat_n(0, more);
            digits.iter().copied().chain(zeros).collect()
        }
        Err(_) => {
            let fewer = power.unsigned_abs() as usize;
            digits[..digits.len().saturating_sub(fewer)].to_vec()
        }
    }
}

impl From<i128> for Decimal {
    fn from(value: i128) -> Self {
        let mut rest = value.unsigned_abs();
        let mut digits = Vec::new();
        while rest > 0 {
            digits.push((rest % u128::from(BASE)) as u16);
            rest /= u128::from(BASE);
        }
        digits.reverse();
        let mut decimal = Self {
            is_negative: value < 0,
            weight: digits.len() as i32 - 1,
            scale: 0,
            digits,
        };
        decimal.normalize();
        decimal
    }
}

/// Source: `NUMERIC_DSCALE_MAX` in `src/backend/utils/adt/numeric.c`
const SCALE_MAX: u32 = 0x3fff;
