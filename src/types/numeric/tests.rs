//! Results of PostgreSQL 15, and arithmetic against itself.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::*;

impl Numeric {
    /// The binary form of a number's text, as PostgreSQL would read it.
    pub fn wire(text: &str) -> Vec<u8> {
        let mut out = Vec::new();
        let special = [Special::NaN, Special::Infinity, Special::NegativeInfinity];
        if let Some(special) = special.into_iter().find(|special| special.name() == text) {
            let number = Self::Special(special);
            number.put_binary(&mut out).expect("in range");
            return out;
        }
        let (number, exponent) = text.split_once('e').unwrap_or((text, "0"));
        let exponent: i32 = exponent.parse().expect("an exponent");
        let absolute = number.trim_start_matches('-');
        let (whole, fraction) = absolute.split_once('.').unwrap_or((absolute, ""));
        let mut decimals = format!("{whole}{fraction}");
        let mut scale = fraction.len() as i32 - exponent;
        if scale < 0 {
            decimals.push_str(&"0".repeat(scale.unsigned_abs() as usize));
            scale = 0;
        }
        let shown = scale as u16;
        while scale % DECIMALS != 0 {
            decimals.push('0');
            scale += 1;
        }
        while decimals.len() % DECIMALS as usize != 0 {
            decimals.insert(0, '0');
        }
        let digits: Vec<u16> = decimals
            .as_bytes()
            .chunks(DECIMALS as usize)
            .map(|four| std::str::from_utf8(four).expect("ASCII"))
            .map(|four| four.parse().expect("digits"))
            .collect();
        let weight = digits.len() as i32 - scale / DECIMALS - 1;
        let sign = match number.starts_with('-') {
            true => wire::sign::NEGATIVE,
            false => wire::sign::POSITIVE,
        };
        wire::put(&mut out, weight as i16, sign, shown, &digits);
        out
    }

    pub fn parse(text: &str) -> Self {
        Self::from(&Wire::read(&Self::wire(text)).expect("a number"))
    }

    fn text(&self) -> String {
        let mut out = Vec::new();
        self.put_text(&mut out).expect("in range");
        String::from_utf8(out).expect("ASCII")
    }
}

fn decimal(number: &Numeric) -> &Decimal {
    match number {
        Numeric::Finite(decimal) => decimal,
        Numeric::Special(special) => panic!("{special:?}"),
    }
}

#[test]
fn numbers_are_read_and_written() {
    for (hex, text) in [
        ("00000000d0000020", "Infinity"),
        ("00000000f0000020", "-Infinity"),
        ("00000000c0000000", "NaN"),
        ("0000000000000000", "0"),
        ("0000000000000003", "0.000"),
        ("0003000100000004000109291a85", "12345.6789"),
        ("0001ffff400000040001", "-0.0001"),
        ("00010002000000000001", "100000000"),
        ("0002000040000004270f270f", "-9999.9999"),
        ("00010000400000020001", "-1.00"),
        ("0001fffe0000000503e8", "0.00001"),
    ] {
        let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal digits");
        let bytes: Vec<u8> = (0..hex.len()).step_by(2).map(byte).collect();
        let number = Numeric::from(&Wire::read(&bytes).expect("a number"));
        assert_eq!(number.text(), text);
        let mut back = Vec::new();
        number.put_binary(&mut back).expect("in range");
        assert_eq!(back, bytes, "{text}");
        assert_eq!(Numeric::parse(text), number, "{text}");
    }
}

#[test]
fn needless_zeros_change_nothing() {
    let mut bytes = Vec::new();
    wire::put(&mut bytes, 2, wire::sign::POSITIVE, 4, &[0, 1, 2, 30, 0, 0]);
    let number = Numeric::from(&Wire::read(&bytes).expect("a number"));
    assert_eq!(number.text(), "10002.0030");
    assert_eq!(number, Numeric::parse("10002.0030"));
    let mut zero = Vec::new();
    wire::put(&mut zero, 9, wire::sign::NEGATIVE, 0, &[0, 0]);
    let zero = Wire::read(&zero).expect("a number");
    assert!(
        zero.compare(&Wire::read(&Numeric::wire("0.0")).expect("a number"))
            .is_eq()
    );
}

#[test]
fn sums_as_postgresql_has_them() {
    for (a, b, sum) in [
        ("0", "0.00", "0.00"),
        ("1", "-1.0", "0.0"),
        ("9999", "1", "10000"),
        ("9999.9999", "0.0001", "10000.0000"),
        ("-9999.99995", "0.00005", "-9999.99990"),
        ("10000", "-0.0001", "9999.9999"),
        ("99999999", "1", "100000000"),
        ("-100000000", "99999999.5", "-0.5"),
        ("123456789.123", "-0.00000000123", "123456789.12299999877"),
        ("1e30", "-1", "999999999999999999999999999999"),
        ("-1e30", "1", "-999999999999999999999999999999"),
        (
            "1e20",
            "1e-20",
            "100000000000000000000.00000000000000000001",
        ),
        ("0.00001", "-0.000009", "0.000001"),
        ("5000", "5000", "10000"),
        ("-5000", "-5000", "-10000"),
        ("Infinity", "1", "Infinity"),
        ("Infinity", "-Infinity", "NaN"),
        ("NaN", "Infinity", "NaN"),
        ("-Infinity", "-Infinity", "-Infinity"),
        ("12345678", "-12340000", "5678"),
        ("-12345678", "12345678.000", "0.000"),
    ] {
        for (a, b) in [(a, b), (b, a)] {
            let mut total = Numeric::parse(a);
            total.add(&Wire::read(&Numeric::wire(b)).expect("a number"));
            assert_eq!(total.text(), sum, "{a} + {b}");
        }
    }
}

#[test]
fn quotients_as_postgresql_has_them() {
    for (sum, count, quotient) in [
        ("0", "7", "0.00000000000000000000"),
        ("0.000", "3", "0.00000000000000000000"),
        ("1", "3", "0.33333333333333333333"),
        ("2", "3", "0.66666666666666666667"),
        ("-1", "3", "-0.33333333333333333333"),
        ("10", "4", "2.5000000000000000"),
        ("9999", "10000", "0.99990000000000000000"),
        ("10000", "9999", "1.0001000100010001"),
        ("1e15", "7", "142857142857142.8571"),
        ("1e16", "7", "1428571428571428.5714"),
        ("1e20", "7", "14285714285714285714"),
        ("12345.6789", "5", "2469.1357800000000000"),
        ("0.00000001", "3", "0.0000000033333333333333333333"),
        (
            "1e-30",
            "3",
            "0.000000000000000000000000000000333333333333333333",
        ),
        (
            "7",
            "9223372036854775807",
            "0.000000000000000000758941520739853104",
        ),
        ("99999999999999999999", "99999999", "1000000010000.00009999"),
        ("5", "5", "1.00000000000000000000"),
        ("4999", "5000", "0.99980000000000000000"),
        ("5000", "4999", "1.0002000400080016"),
        ("0.5", "8", "0.06250000000000000000"),
        ("100000000", "10001", "9999.0000999900009999"),
        (
            "3.00000000000000000000000005",
            "2",
            "1.50000000000000000000000003",
        ),
        (
            "-0.00000000000000005",
            "1",
            "-0.000000000000000050000000000000000000",
        ),
        ("1", "65536", "0.000015258789062500000000"),
        (
            "98765432109876543210987654321.5",
            "12345678901234567.25",
            "8000000072900.0011",
        ),
        (
            "1",
            "340282366920938463463374607431768211456",
            "0.00000000000000000000000000000000000000293873587705571877",
        ),
        (
            "99999999999999999999999999999999999999",
            "9999000000000000000000000001",
            "10001000100.01000100",
        ),
        (
            "1e60",
            "10000000000000000000000000000000000000000000001",
            "100000000000000.0000",
        ),
    ] {
        let (above, below) = (Numeric::parse(sum), Numeric::parse(count));
        let (above, below) = (decimal(&above), decimal(&below));
        let found = above.divide(below, above.quotient_scale(below));
        assert_eq!(Numeric::Finite(found).text(), quotient, "{sum} / {count}");
    }
    // The most digits behind the point that a quotient shows.
    let tiny = Numeric::parse("1e-1100").divide_by_count(3).text();
    assert_eq!(tiny, format!("0.{}", "0".repeat(1000)));
}

/// Random numbers of up to so many decimal digits, many of them nines and zeros.
fn random(random: &mut StdRng, digits: usize) -> String {
    let count = random.random_range(1..=digits);
    let plain = random.random_range(0..3);
    let mut text: String = (0..count)
        .map(|_| match random.random_range(0..=plain) {
            0 => ['0', '9', '5'][random.random_range(0..3)],
            _ => char::from(random.random_range(b'0'..=b'9')),
        })
        .collect();
    if random.random() {
        text.insert(random.random_range(1..=count), '.');
    }
    let text = text.trim_end_matches('.');
    let sign = if random.random() { "-" } else { "" };
    format!("{sign}{text}")
}

#[test]
fn what_is_added_can_be_subtracted() {
    let mut source = StdRng::seed_from_u64(1);
    for round in 0..4000 {
        let digits = if round % 50 == 0 { 1500 } else { 40 };
        let [a, b] = [0, 1].map(|_| Numeric::parse(&random(&mut source, digits)));
        let (a, b) = (decimal(&a), decimal(&b));
        let mut there = a.clone();
        there.subtract(b);
        let sign = there.is_negative();
        assert_eq!(a.compare(b).is_lt(), sign);
        let mut back = b.clone();
        back.subtract(a);
        back.subtract(&there);
        back.subtract(&there.multiply(&Decimal::from(-2), there.scale()));
        assert!(back.is_zero(), "{round}");
    }
}

#[test]
fn quotients_and_roots_are_the_nearest() {
    let mut source = StdRng::seed_from_u64(2);
    for round in 0..3000 {
        let digits = if round % 50 == 0 { 1200 } else { 60 };
        let [a, b] = [0, 1].map(|_| Numeric::parse(&random(&mut source, digits)));
        let (a, b) = (decimal(&a), decimal(&b));
        let scale = source.random_range(0..40);
        // Half of the last digit that is shown.
        let half = Numeric::parse(&format!("5e-{}", scale + 1));
        let half = decimal(&half);
        if !b.is_zero() {
            let quotient = a.divide(b, scale);
            let mut rest = quotient.multiply(b, 4000);
            rest.subtract(a);
            assert!(at_most(&rest, &half.multiply(b, 4000)), "{round}");
        }
        let square = if a.is_negative() {
            a.multiply(&Decimal::from(-1), a.scale())
        } else {
            a.clone()
        };
        let root = square.square_root(scale);
        let bound = |sign: i128| {
            let mut bound = root.clone();
            bound.subtract(&half.multiply(&Decimal::from(sign), scale + 1));
            bound.multiply(&bound, 4000)
        };
        assert!(bound(-1).compare(&square).is_gt(), "{round}");
        // Of zero the bound below is a square of a negative number.
        assert!(
            root.is_zero() || bound(1).compare(&square).is_le(),
            "{round}"
        );
    }
}

fn at_most(a: &Decimal, b: &Decimal) -> bool {
    let square = |number: &Decimal| number.multiply(number, 9000);
    square(a).compare(&square(b)).is_le()
}

#[test]
fn limits_are_postgresqls() {
    let wide = |weight: i16, scale: u16| {
        let mut bytes = Vec::new();
        wire::put(&mut bytes, weight, wire::sign::POSITIVE, scale, &[9999]);
        bytes
    };
    let greatest = wide(i16::MAX, 0);
    let greatest = Wire::read(&greatest).expect("a number");
    let mut sum = Numeric::from(&greatest);
    let mut text = Vec::new();
    assert_eq!(sum.put_text(&mut text), Ok(()));
    assert_eq!(text.len(), 131_072);
    sum.add(&greatest);
    assert_eq!(sum.put_text(&mut text), Err(Overflow));
    assert_eq!(sum.put_binary(&mut text), Err(Overflow));
    let finest = wide(-4096, 16_383);
    let finest = Wire::read(&finest).expect("a number");
    let mut sum = Numeric::from(&finest);
    sum.add(&greatest);
    text.clear();
    assert_eq!(sum.put_text(&mut text), Ok(()));
    assert_eq!(text.len(), 131_072 + 1 + 16_383);
    let beyond = wide(0, 16_384);
    let beyond = Numeric::from(&Wire::read(&beyond).expect("a number"));
    assert_eq!(beyond.put_text(&mut text), Err(Overflow));
}
