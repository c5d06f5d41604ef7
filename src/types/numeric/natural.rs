//! Natural numbers: digits of base 10,000, most significant first. Leading zeros may come and go.

use super::BASE;

/// The product. Costs the product of the lengths.
pub fn multiply(a: &[u16], b: &[u16]) -> Vec<u16> {
    let mut product = vec![0u16; a.len() + b.len()];
    for (i, x) in a.iter().enumerate().rev() {
        let mut carry = 0;
        for (j, y) in b.iter().enumerate().rev() {
            let digit = &mut product[i + j + 1];
            let sum = u32::from(*x) * u32::from(*y) + u32::from(*digit) + carry;
            *digit = (sum % u32::from(BASE)) as u16;
            carry = sum / u32::from(BASE);
        }
        product[i] = carry as u16;
    }
    product
}

/// The quotient, rounded down. `divisor` has no leading zeros and is not zero. Costs the product of the lengths of
/// quotient and divisor.
pub fn divide(dividend: &[u16], divisor: &[u16]) -> Vec<u16> {
    if divisor.len() <= SHORT_DIGITS_MAX {
        return divide_short(dividend, divisor);
    }
    if dividend.len() < divisor.len() {
        return Vec::new();
    }
    // The first digit of the divisor is made at least half the base: an estimate by two digits is then at most two
    // too high (Knuth, The Art of Computer Programming, 4.3.1, algorithm D).
    let factor = BASE / (divisor[0] + 1);
    let mut rest = scaled(dividend, factor);
    let divisor = &scaled(divisor, factor)[1..];
    let base = u32::from(BASE);
    let (first, second) = (u32::from(divisor[0]), u32::from(divisor[1]));
    let places = dividend.len() - divisor.len();
    let mut quotient = Vec::with_capacity(places + 1);
    for at in 0..=places {
        let window = &mut rest[at..=at + divisor.len()];
        let head = u32::from(window[0]) * base + u32::from(window[1]);
        let (mut guess, mut left) = (head / first, head % first);
        while guess >= base || guess * second > left * base + u32::from(window[2]) {
            guess -= 1;
            left += first;
            if left >= base {
                break;
            }
        }
        if subtract_times(window, divisor, guess) {
            guess -= 1;
            add_back(window, divisor);
        }
        quotient.push(guess as u16);
    }
    quotient
}

/// Digits of a divisor with which a remainder and one more digit fit 64 bits.
const SHORT_DIGITS_MAX: usize = 3;

fn divide_short(dividend: &[u16], divisor: &[u16]) -> Vec<u16> {
    let base = u64::from(BASE);
    let value = |digits: &[u16]| digits.iter().fold(0, |sum, d| sum * base + u64::from(*d));
    let divisor = value(divisor);
    let mut rest = 0;
    let digit = |digit: &u16| {
        let head = rest * base + u64::from(*digit);
        rest = head % divisor;
        (head / divisor) as u16
    };
    dividend.iter().map(digit).collect()
}

/// The number times a digit, with one more digit in front.
fn scaled(digits: &[u16], factor: u16) -> Vec<u16> {
    let mut product = vec![0; digits.len() + 1];
    let mut carry = 0;
    for (digit, scaled) in digits.iter().zip(&mut product[1..]).rev() {
        let sum = u32::from(*digit) * u32::from(factor) + carry;
        *scaled = (sum % u32::from(BASE)) as u16;
        carry = sum / u32::from(BASE);
    }
    product[0] = carry as u16;
    product
}

/// Subtracts `times` the divisor from a window that is one digit longer; true where that went below zero.
fn subtract_times(window: &mut [u16], divisor: &[u16], times: u32) -> bool {
    let base = i64::from(BASE);
    let mut carry = 0i64;
    for (digit, of_divisor) in window[1..].iter_mut().zip(divisor).rev() {
        let difference = i64::from(*digit) - i64::from(*of_divisor) * i64::from(times) + carry;
        *digit = difference.rem_euclid(base) as u16;
        carry = difference.div_euclid(base);
    }
    let difference = i64::from(window[0]) + carry;
    window[0] = difference.rem_euclid(base) as u16;
    difference < 0
}

fn add_back(window: &mut [u16], divisor: &[u16]) {
    let mut carry = 0;
    for (digit, of_divisor) in window[1..].iter_mut().zip(divisor).rev() {
        let sum = *digit + of_divisor + carry;
        carry = u16::from(sum >= BASE);
        *digit = sum - carry * BASE;
    }
    // What went below zero comes back: the carry out of the window is the borrow into it.
    window[0] = (window[0] + carry) % BASE;
}

/// The square root, rounded down, without leading zeros. Costs a few divisions of the whole length.
pub fn square_root(square: &[u16]) -> Vec<u16> {
    let square = without_zeros(square);
    if square.len() <= SHORT_SQUARE_MAX {
        let base = u128::from(BASE);
        let value = square.iter().fold(0, |sum, d| sum * base + u128::from(*d));
        return from_u128(value.isqrt());
    }
    // The root of a head that leaves pairs of digits, one more in its last place, is above the whole's and has half of
    // its digits right. Newton's steps come down from there and stop at the root.
    let pairs = square.len() / 4;
    let mut root = square_root(&square[..square.len() - 2 * pairs]);
    increment(&mut root);
    root.extend(std::iter::repeat_n(0, pairs));
    loop {
        let mut next = divide(square, &root);
        halve_sum(&mut next, &root);
        let next = without_zeros(&next);
        if next.len() > root.len() || (next.len() == root.len() && *next >= *root) {
            return root;
        }
        root = next.to_vec();
    }
}

/// Digits of a number that fits 128 bits.
const SHORT_SQUARE_MAX: usize = 8;

fn without_zeros(digits: &[u16]) -> &[u16] {
    let zeros = digits.iter().take_while(|digit| **digit == 0).count();
    &digits[zeros..]
}

fn increment(number: &mut Vec<u16>) {
    for digit in number.iter_mut().rev() {
        if *digit + 1 < BASE {
            *digit += 1;
            return;
        }
        *digit = 0;
    }
    number.insert(0, 1);
}

fn from_u128(value: u128) -> Vec<u16> {
    let mut rest = value;
    let mut digits = Vec::new();
    while rest > 0 {
        digits.push((rest % u128::from(BASE)) as u16);
        rest /= u128::from(BASE);
    }
    digits.reverse();
    digits
}

/// Half of the sum, rounded down.
fn halve_sum(sum: &mut Vec<u16>, other: &[u16]) {
    let length = sum.len().max(other.len()) + 1;
    sum.splice(0..0, std::iter::repeat_n(0, length - sum.len()));
    let mut carry = 0;
    let mut others = other.iter().rev();
    for digit in sum.iter_mut().rev() {
        let added = *digit + others.next().copied().unwrap_or(0) + carry;
        carry = u16::from(added >= BASE);
        *digit = added - carry * BASE;
    }
    let mut rest = 0;
    for digit in sum.iter_mut() {
        let head = rest * BASE + *digit;
        *digit = head / 2;
        rest = head % 2;
    }
}
