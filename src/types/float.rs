//! Floats in PostgreSQL's text form, with `extra_float_digits` above zero as by default: the shortest digits that
//! are read back as the same value.
//!
//! Source: `src/common/d2s.c` and `f2s.c`

use std::io::Write;

/// Appends a `double precision`.
pub fn put_float8(value: f64, out: &mut Vec<u8>) {
    put(value, 15, out);
}

/// Appends a `real`.
pub fn put_float4(value: f32, out: &mut Vec<u8>) {
    put(value, 6, out);
}

/// What both have.
trait Float: Copy + std::str::FromStr + PartialEq + std::fmt::LowerExp {
    /// With this many digits every value is told from its neighbours.
    const DIGITS_MAX: usize;
    fn to_f64(self) -> f64;
}

impl Float for f64 {
    const DIGITS_MAX: usize = 17;
    fn to_f64(self) -> f64 {
        self
    }
}

impl Float for f32 {
    const DIGITS_MAX: usize = 9;
    fn to_f64(self) -> f64 {
        self.into()
    }
}

/// Numbers from 1e-4 up to `10^plain_digits` are written without an exponent.
fn put<F: Float>(value: F, plain_digits: i32, out: &mut Vec<u8>) {
    let wide = value.to_f64();
    if wide.is_nan() {
        return out.extend_from_slice(b"NaN");
    }
    if wide.is_sign_negative() {
        out.push(b'-');
    }
    if wide.is_infinite() {
        return out.extend_from_slice(b"Infinity");
    }
    let shortest = shortest(value);
    let (digits, exponent) = parts(&shortest);
    let digits: Vec<u8> = digits.bytes().filter(u8::is_ascii_digit).collect();
    if (-4..plain_digits).contains(&exponent) {
        put_plain(&digits, exponent, out);
    } else {
        put_scientific(&digits, exponent, out);
    }
}

fn put_plain(digits: &[u8], exponent: i32, out: &mut Vec<u8>) {
    let Ok(exponent) = usize::try_from(exponent) else {
        out.extend_from_slice(b"0.");
        out.extend((1..exponent.unsigned_abs()).map(|_| b'0'));
        return out.extend_from_slice(digits);
    };
    let whole = exponent + 1;
    if whole >= digits.len() {
        out.extend_from_slice(digits);
        out.extend((digits.len()..whole).map(|_| b'0'));
    } else {
        out.extend_from_slice(&digits[..whole]);
        out.push(b'.');
        out.extend_from_slice(&digits[whole..]);
    }
}

fn put_scientific(digits: &[u8], exponent: i32, out: &mut Vec<u8>) {
    out.push(digits[0]);
    if digits.len() > 1 {
        out.push(b'.');
        out.extend_from_slice(&digits[1..]);
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    write!(out, "e{sign}{:02}", exponent.unsigned_abs()).expect("a vector takes all");
}

/// The fewest digits that are nearer to the value than to any other, and of those the nearest to it, with an
/// exponent. What lies exactly between two values does not do: it is read back only by who rounds such ties to even,
/// which PostgreSQL does not rely on.
fn shortest<F: Float>(value: F) -> String {
    // Rust's own shortest digits take such ties, and round others up where PostgreSQL rounds to even.
    let text = format!("{value:e}");
    let digits = parts(&text).0.bytes().filter(u8::is_ascii_digit).count();
    if value.to_f64() == 0.0 {
        return text;
    }
    for precision in digits - 1..F::DIGITS_MAX {
        let nearest = format!("{value:.precision$e}");
        if is_inside(value, &nearest) {
            return nearest;
        }
        // The neighbour of a power of two is nearer on one side.
        if precision == digits - 1 && is_inside(value, &text) {
            return text;
        }
    }
    text
}

/// True where a bit more and a bit less than these digits is still read as the value.
fn is_inside<F: Float>(value: F, text: &str) -> bool {
    let (digits, exponent) = parts(text);
    let point = if digits.contains('.') { "" } else { "." };
    let above = format!("{digits}{point}{TINY}1e{exponent}");
    let (head, last) = digits.split_at(digits.len() - 1);
    // A last zero means that fewer digits say the same, and they have been tried.
    let Some(last) = last.parse::<u8>().ok().and_then(|last| last.checked_sub(1)) else {
        return false;
    };
    let below = format!("{head}{last}{point}{}e{exponent}", "9".repeat(TINY.len()));
    let is_value = |text: String| text.parse().is_ok_and(|read: F| read == value);
    is_value(above) && is_value(below)
}

/// Far behind the last digit that tells two values apart.
const TINY: &str = "0000000000000000000000000";

/// Digits with their sign and point, and the exponent.
fn parts(text: &str) -> (&str, i32) {
    let (digits, exponent) = text.split_once('e').unwrap_or((text, "0"));
    (digits, exponent.parse().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn float8(value: f64) -> String {
        let mut out = Vec::new();
        put_float8(value, &mut out);
        String::from_utf8(out).expect("ASCII")
    }

    fn float4(value: f32) -> String {
        let mut out = Vec::new();
        put_float4(value, &mut out);
        String::from_utf8(out).expect("ASCII")
    }

    /// As PostgreSQL 15 prints them.
    #[test]
    fn float8_as_postgresql_prints_them() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (-1.5, "-1.5"),
            (0.1 + 0.2, "0.30000000000000004"),
            (100_000.0, "100000"),
            (123_456_789_012_345.0, "123456789012345"),
            (1e14, "100000000000000"),
            (1e15, "1e+15"),
            (1.5e15, "1.5e+15"),
            (1e20, "1e+20"),
            // Exactly between two values.
            (1e23, "9.999999999999999e+22"),
            (1e100, "1e+100"),
            (f64::MAX, "1.7976931348623157e+308"),
            (f64::MIN_POSITIVE, "2.2250738585072014e-308"),
            (5e-324, "5e-324"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (0.000_015, "1.5e-05"),
            (0.001_25, "0.00125"),
            (f64::INFINITY, "Infinity"),
            (f64::NEG_INFINITY, "-Infinity"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(float8(value), text);
        }
    }

    #[test]
    fn float4_as_postgresql_prints_them() {
        for (value, text) in [
            (0.1, "0.1"),
            (100_000.0, "100000"),
            (1e6, "1e+06"),
            (1_234_567.0, "1.234567e+06"),
            (16_777_216.0, "1.6777216e+07"),
            (f32::MAX, "3.4028235e+38"),
            (1e-45, "1e-45"),
            (-0.0, "-0"),
            (f32::INFINITY, "Infinity"),
        ] {
            assert_eq!(float4(value), text);
        }
    }
}
