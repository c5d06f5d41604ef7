//! Parts of groups and their values, as PostgreSQL 15 has them for all rows.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::state::{Error, State};
use super::value::Value;
use super::*;
use crate::error::{PgError, SqlState};
use crate::types::numeric::Numeric;

fn aggregate(name: &str, oid: u32) -> Aggregate {
    let function = Function::from_name(name).expect("an aggregate");
    Aggregate::of(function, Some(Oid(oid)), true).expect("one that can be merged")
}

/// Merges rows of parts; the value as text, `None` for NULL.
fn value(aggregate: Aggregate, rows: &[&[Option<Vec<u8>>]]) -> Result<Option<String>, Error> {
    let mut state = State::new(aggregate);
    for row in rows {
        let row: Vec<Option<&[u8]>> = row.iter().map(Option::as_deref).collect();
        state.merge(&row)?;
    }
    let mut out = Vec::new();
    let has_value = state.value()?.put(Format::Text, &mut out)?;
    Ok(has_value.then(|| String::from_utf8(out).expect("UTF-8")))
}

fn int8(value: i64) -> Option<Vec<u8>> {
    Some(value.to_be_bytes().to_vec())
}

fn numeric(text: &str) -> Option<Vec<u8>> {
    Some(Numeric::wire(text))
}

fn some(text: &str) -> Result<Option<String>, Error> {
    Ok(Some(text.to_owned()))
}

#[test]
fn calls_keep_the_argument_and_the_filter() {
    let expressions =
        |name, oid, client| aggregate(name, oid).expressions(client, "a + b", Some("c > 0"));
    assert_eq!(
        expressions("avg", INT4, Format::Text),
        [
            "pg_catalog.sum(a + b) FILTER (WHERE c > 0)",
            "pg_catalog.count(a + b) FILTER (WHERE c > 0)"
        ]
    );
    assert_eq!(
        expressions("max", INT4, Format::Text),
        ["pg_catalog.max(a + b) FILTER (WHERE c > 0)"; 2]
    );
    assert_eq!(
        aggregate("max", INT4).formats(Format::Text),
        [Format::Binary, Format::Text]
    );
    assert_eq!(expressions("max", INT4, Format::Binary).len(), 1);
    let count = Aggregate::of(Function::Count, None, false).expect("count(*)");
    assert_eq!(
        count.expressions(Format::Text, "*", None),
        ["pg_catalog.count(*)"]
    );
    assert_eq!(
        aggregate("stddev", INT4).expressions(Format::Text, "x", None)[2],
        "pg_catalog.sum((x)::pg_catalog.int8 OPERATOR(pg_catalog.*) (x)::pg_catalog.int8)"
    );
}

#[test]
fn what_is_not_exact_is_none() {
    for (name, oid, collation) in [
        ("sum", 1186, true),
        ("sum", 790, true),
        ("avg", 1186, true),
        ("variance", FLOAT8, true),
        ("stddev", FLOAT4, true),
        ("min", Oid::TEXT.0, false),
        ("max", 18, true),
        ("max", 16_400, true),
        ("bit_and", NUMERIC, true),
        ("bool_and", INT4, true),
    ] {
        let function = Function::from_name(name).expect("an aggregate");
        let found = Aggregate::of(function, Some(Oid(oid)), collation);
        assert_eq!(found, None, "{name} {oid}");
    }
    assert_eq!(Aggregate::of(Function::Sum, None, true), None);
    assert_eq!(Function::from_name("string_agg"), None);
}

#[test]
fn no_rows_are_zero_or_null() {
    let nothing: &[Option<Vec<u8>>] = &[int8(0), None, None];
    let count = aggregate("count", INT4);
    assert_eq!(value(count, &[]), some("0"));
    assert_eq!(value(count, &[nothing, nothing]), some("0"));
    for (name, oid) in [("stddev", INT4), ("var_pop", NUMERIC)] {
        assert_eq!(value(aggregate(name, oid), &[nothing]), Ok(None));
    }
    let nothing: &[Option<Vec<u8>>] = &[None, int8(0)];
    for (name, oid) in [
        ("sum", INT4),
        ("sum", NUMERIC),
        ("sum", FLOAT4),
        ("avg", INT8),
        ("avg", FLOAT8),
    ] {
        assert_eq!(value(aggregate(name, oid), &[nothing; 2]), Ok(None));
        assert_eq!(value(aggregate(name, oid), &[]), Ok(None));
    }
    for (name, oid) in [
        ("min", INT4),
        ("every", BOOL),
        ("bit_or", BIT),
        ("bit_xor", INT8),
    ] {
        assert_eq!(value(aggregate(name, oid), &[&[None, None]]), Ok(None));
    }
}

#[test]
fn sums_and_averages() {
    let max = [int8(i64::MAX)];
    assert_eq!(
        value(aggregate("sum", INT4), &[&max, &[int8(1)], &[int8(-1)]]),
        some("9223372036854775807")
    );
    assert_eq!(
        value(aggregate("sum", INT4), &[&max, &[int8(1)]]),
        Err(Error::Bigint)
    );
    assert_eq!(
        value(aggregate("count", INT4), &[&max, &[int8(1)]]),
        Err(Error::Bigint)
    );
    assert_eq!(
        value(
            aggregate("avg", INT4),
            &[&[int8(1), int8(2)], &[int8(1), int8(1)]]
        ),
        some("0.66666666666666666667")
    );
    assert_eq!(
        value(
            aggregate("avg", NUMERIC),
            &[&[numeric("1.50"), int8(1)], &[numeric("NaN"), int8(3)]]
        ),
        some("NaN")
    );
    let float = |value: f64| Some(value.to_be_bytes().to_vec());
    assert_eq!(
        value(
            aggregate("avg", FLOAT4),
            &[&[float(1.0), int8(1)], &[float(0.0), int8(2)]]
        ),
        some("0.3333333333333333")
    );
    for (name, zero) in [("sum", "-0"), ("avg", "0")] {
        let parts = [float(-0.0), int8(2)];
        assert_eq!(value(aggregate(name, FLOAT8), &[&parts[..]; 2]), some(zero));
    }
    assert_eq!(
        value(
            aggregate("sum", FLOAT8),
            &[&[float(f64::MAX)], &[float(f64::MAX)]]
        ),
        Err(Error::Float)
    );
    assert_eq!(
        value(
            aggregate("sum", FLOAT8),
            &[&[float(f64::INFINITY)], &[float(f64::MAX)]]
        ),
        some("Infinity")
    );
}

/// Variances and deviations of numbers, each number on a shard of its own.
#[test]
fn spreads() {
    let names = ["variance", "var_pop", "stddev", "stddev_pop"];
    for (numbers, expected) in [
        (
            &["1", "2", "4"][..],
            [
                "2.3333333333333333",
                "1.5555555555555556",
                "1.5275252316519467",
                "1.2472191289246471",
            ],
        ),
        (
            &["1.5", "-2.25", "1e10"],
            [
                "33333333335833333336.8958",
                "22222222223888888891.2639",
                "5773502692.1128",
                "4714045208.0871",
            ],
        ),
        (
            &["0.0000000001", "0.0000000002"],
            [
                "0.0000000000000000000050000000000000000000",
                "0.0000000000000000000025000000000000000000",
                "0.0000000000707106781186547524400844362105",
                "0.0000000000500000000000000000000000000000",
            ],
        ),
        (
            &["10000", "30000", "1e20"],
            [
                "3333333333333332000000000000000233333333",
                "2222222222222221333333333333333488888889",
                "57735026918962564904",
                "47140452079103158865",
            ],
        ),
        (&["3", "3", "3"], ["0"; 4]),
        (&["1", "NaN"], ["NaN"; 4]),
        (&["1", "Infinity"], ["NaN"; 4]),
    ] {
        let rows: Vec<[Option<Vec<u8>>; 3]> = numbers.iter().map(|text| part(text)).collect();
        let rows: Vec<&[Option<Vec<u8>>]> = rows.iter().map(|row| &row[..]).collect();
        for (name, expected) in names.iter().zip(expected) {
            assert_eq!(
                value(aggregate(name, NUMERIC), &rows),
                some(expected),
                "{numbers:?}"
            );
        }
    }
    let one = part("NaN");
    assert_eq!(value(aggregate("variance", NUMERIC), &[&one]), Ok(None));
    assert_eq!(value(aggregate("var_pop", NUMERIC), &[&one]), some("NaN"));
    assert_eq!(
        value(aggregate("stddev_pop", NUMERIC), &[&part("7")]),
        some("0")
    );
    for long in ["1e5000", "1e-5000"] {
        let fault = value(aggregate("stddev", NUMERIC), &[&part(long), &part("1")]);
        assert_eq!(fault, Err(Error::TooLong));
    }
    let long = part(&format!("1{}1", "0".repeat(5000)));
    let fault = value(aggregate("stddev", NUMERIC), &[&long, &part("1")]);
    assert_eq!(fault, Err(Error::TooLong));
}

/// What a shard computes of one number.
fn part(text: &str) -> [Option<Vec<u8>>; 3] {
    let square = match Numeric::parse(text) {
        Numeric::Finite(number) => {
            let mut out = Vec::new();
            let square = number.multiply(&number, number.scale() * 2);
            Numeric::Finite(square)
                .put_binary(&mut out)
                .expect("in range");
            out
        }
        Numeric::Special(_) => Numeric::wire(text),
    };
    [int8(1), numeric(text), Some(square)]
}

#[test]
fn the_first_of_equal_extremes_is_kept() {
    let mut state = State::new(aggregate("min", NUMERIC));
    let numbers = ["2", "1.0", "1.00", "NaN", "1"].map(Numeric::wire);
    let mut wins = Vec::new();
    for (at, number) in numbers.iter().enumerate() {
        let shown = [b"abcde"[at]];
        wins.push(state.merge(&[Some(number), Some(&shown)]));
    }
    assert_eq!(wins, [Ok(true), Ok(true), Ok(false), Ok(false), Ok(false)]);
    let given = Value::Given {
        binary: &numbers[1],
        shown: b"b",
    };
    assert_eq!(state.value(), Ok(given));
    state.reset();
    assert_eq!(state.value(), Ok(Value::Null));
    // In binary what is compared is what is shown.
    assert_eq!(state.merge(&[Some(&numbers[3])]), Ok(true));
    let mut out = Vec::new();
    let value = state.value().expect("a value");
    assert_eq!(value.put(Format::Binary, &mut out), Ok(true));
    assert_eq!(out, numbers[3]);
}

#[test]
fn truth_and_bits() {
    let truth = |value: u8| Some(vec![value]);
    let rows: &[&[Option<Vec<u8>>]] = &[&[truth(1)], &[None], &[truth(0)]];
    assert_eq!(value(aggregate("every", BOOL), rows), some("f"));
    assert_eq!(value(aggregate("bool_or", BOOL), rows), some("t"));
    let int = |value: i16| Some(value.to_be_bytes().to_vec());
    let rows: &[&[Option<Vec<u8>>]] = &[&[int(-2)], &[int(7)], &[None]];
    for (name, expected) in [("bit_and", "6"), ("bit_or", "-1"), ("bit_xor", "-7")] {
        assert_eq!(value(aggregate(name, INT2), rows), some(expected));
    }
    let bits = |count: u8, bytes: &[u8]| Some([&[0, 0, 0, count], bytes].concat());
    let rows: &[&[Option<Vec<u8>>]] = &[
        &[bits(10, &[0b1100_0000, 0x40])],
        &[bits(10, &[0b1010_0001, 0])],
    ];
    for (name, expected) in [
        ("bit_and", "1000000000"),
        ("bit_or", "1110000101"),
        ("bit_xor", "0110000101"),
    ] {
        assert_eq!(value(aggregate(name, BIT), rows), some(expected));
    }
    let sizes = value(aggregate("bit_or", BIT), &[rows[0], &[bits(9, &[0, 0])]]);
    let error = PgError::from(sizes.expect_err("different sizes"));
    assert_eq!(error.code, SqlState::STRING_DATA_LENGTH_MISMATCH);
    assert_eq!(error.message, "cannot OR bit strings of different sizes");
}

#[test]
fn lies_are_errors() {
    let short = Some(vec![1, 2, 3]);
    for (name, oid) in [
        ("count", INT4),
        ("sum", INT4),
        ("sum", NUMERIC),
        ("sum", FLOAT4),
        ("sum", FLOAT8),
        ("avg", INT4),
        ("stddev", INT4),
        ("bool_or", BOOL),
        ("bit_and", INT4),
        ("bit_and", BIT),
    ] {
        let found = value(aggregate(name, oid), &[&[short.clone(), int8(1), None]]);
        assert!(
            matches!(found, Err(Error::Malformed(_))),
            "{name} {oid}: {found:?}"
        );
    }
    let count = aggregate("count", INT4);
    for row in [&[][..], &[None], &[int8(-1)]] {
        assert!(matches!(value(count, &[row]), Err(Error::Malformed(_))));
    }
    let average = value(aggregate("avg", INT4), &[&[int8(1), None]]);
    assert!(matches!(average, Err(Error::Malformed(_))));
}

#[test]
fn any_bytes_may_come() {
    let mut random = StdRng::seed_from_u64(4);
    let types = [
        BOOL,
        INT2,
        INT4,
        INT8,
        NUMERIC,
        FLOAT4,
        FLOAT8,
        BIT,
        Oid::TEXT.0,
    ];
    let names = ["sum", "avg", "max", "bool_or", "bit_xor", "stddev", "count"];
    for _ in 0..20_000 {
        let name = names[random.random_range(0..names.len())];
        let oid = types[random.random_range(0..types.len())];
        let function = Function::from_name(name).expect("an aggregate");
        let Some(aggregate) = Aggregate::of(function, Some(Oid(oid)), true) else {
            continue;
        };
        let mut state = State::new(aggregate);
        for _ in 0..3 {
            let parts: [Option<Vec<u8>>; PARTS_MAX] = [0; PARTS_MAX].map(|_| {
                let mut part = match random.random_range(0..5) {
                    0 => return None,
                    1 => int8(3)?,
                    2 => numeric("-123456.789")?,
                    3 => vec![0, 0, 0, 9, 0xff, 0x80],
                    _ => vec![1; random.random_range(0..9)],
                };
                if random.random() && !part.is_empty() {
                    let at = random.random_range(0..part.len());
                    part[at] = random.random();
                }
                Some(part)
            });
            let parts = parts.each_ref().map(Option::as_deref);
            let _ = state.merge(&parts[..random.random_range(0..=PARTS_MAX)]);
        }
        for format in [Format::Text, Format::Binary] {
            let _ = state
                .value()
                .map(|value| value.put(format, &mut Vec::new()));
        }
    }
}

#[test]
fn another_group_costs_no_allocation() {
    let (sum, one, text) = (numeric("12345678.9012"), int8(1), Some(b"text".to_vec()));
    let parts = [sum.as_deref(), one.as_deref()];
    let mut average = State::new(aggregate("avg", NUMERIC));
    let mut greatest = State::new(aggregate("max", Oid::TEXT.0));
    let mut run = || {
        for state in [&mut average, &mut greatest] {
            state.reset();
        }
        for _ in 0..20 {
            average.merge(&parts).expect("parts");
            greatest
                .merge(&[text.as_deref(), text.as_deref()])
                .expect("parts");
        }
    };
    run();
    let counted = allocation_counter::measure(run);
    assert_eq!(counted.count_total, 0);
}
