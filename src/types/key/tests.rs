//! Values are read as PostgreSQL reads them, in text and in binary, or not at all.

use super::*;

mod times;

const INTS: [KeyType; 3] = [KeyType::SmallInt, KeyType::Integer, KeyType::BigInt];

fn syntax(key_type: KeyType) -> Result<KeyValue, KeyError> {
    Err(KeyError::Syntax {
        expected: key_type.name(),
    })
}

fn out_of_range(key_type: KeyType) -> Result<KeyValue, KeyError> {
    Err(KeyError::OutOfRange {
        expected: key_type.name(),
    })
}

#[test]
fn integers_as_postgresql_reads_them() {
    for (text, expected) in [
        ("0", 0),
        ("-0", 0),
        ("42", 42),
        ("+7", 7),
        ("-7", -7),
        ("007", 7),
        (" 42 ", 42),
        ("\t\n\x0b\x0c\r1\r\n", 1),
    ] {
        for key_type in INTS {
            assert_eq!(
                key_type.parse_text(text.as_bytes()),
                Ok(KeyValue::Int(expected)),
                "{text:?}"
            );
        }
    }
}

#[test]
fn integers_postgresql_or_we_refuse() {
    for text in [
        "", " ", "-", "+", "--1", "+-1", "- 1", "4 2", "1.0", "1e3", "0x1F", "1_000", "0b1", "abc",
        "42\0", "\u{a0}42", "٤٢",
    ] {
        for key_type in INTS {
            assert_eq!(
                key_type.parse_text(text.as_bytes()),
                syntax(key_type),
                "{text:?}"
            );
        }
    }
}

#[test]
fn integer_ranges() {
    for (key_type, min, max, below, above) in [
        (KeyType::SmallInt, "-32768", "32767", "-32769", "32768"),
        (
            KeyType::Integer,
            "-2147483648",
            "2147483647",
            "-2147483649",
            "2147483648",
        ),
        (
            KeyType::BigInt,
            "-9223372036854775808",
            "9223372036854775807",
            "-9223372036854775809",
            "9223372036854775808",
        ),
    ] {
        for text in [min, max] {
            assert_eq!(
                key_type.parse_text(text.as_bytes()),
                Ok(KeyValue::Int(text.parse().expect("an i64")))
            );
        }
        for text in [below, above, "99999999999999999999999999"] {
            assert_eq!(
                key_type.parse_text(text.as_bytes()),
                out_of_range(key_type),
                "{text}"
            );
        }
    }
}

#[test]
fn texts() {
    for text in ["", " a ", "grüße", "'", "1"] {
        assert_eq!(
            KeyType::Text.parse_text(text.as_bytes()),
            Ok(KeyValue::Text(text.to_owned()))
        );
        assert_eq!(
            KeyType::Varchar.parse_text(text.as_bytes()),
            Ok(KeyValue::Text(text.to_owned()))
        );
    }
    for bytes in [&b"a\0b"[..], b"\xff", b"\xc3"] {
        assert_eq!(KeyType::Text.parse_text(bytes), Err(KeyError::Encoding));
    }
}

const UUID: [u8; 16] = [
    0xa0, 0xee, 0xbc, 0x99, 0x9c, 0x0b, 0x4e, 0xf8, 0xbb, 0x6d, 0x6b, 0xb9, 0xbd, 0x38, 0x0a, 0x11,
];

#[test]
fn uuid_forms() {
    for text in [
        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
        "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}",
        "a0eebc999c0b4ef8bb6d6bb9bd380a11",
        "a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11",
        "{a0eebc99-9c0b4ef8-bb6d6bb9-bd380a11}",
    ] {
        assert_eq!(
            KeyType::Uuid.parse_text(text.as_bytes()),
            Ok(KeyValue::Uuid(UUID)),
            "{text}"
        );
    }
    for text in [
        "",
        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1",
        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11f",
        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11-",
        "a0eebc99--9c0b-4ef8-bb6d-6bb9bd380a11",
        "a0-eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}",
        " a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        "g0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
    ] {
        assert_eq!(
            KeyType::Uuid.parse_text(text.as_bytes()),
            syntax(KeyType::Uuid),
            "{text}"
        );
    }
}

#[test]
fn parameters_without_a_type_have_the_keys() {
    for oid in [Oid::UNSPECIFIED, Oid::UNKNOWN] {
        assert_eq!(
            KeyType::Integer.parse_param(oid, Format::Text, b"5"),
            Ok(KeyValue::Int(5))
        );
        assert_eq!(
            KeyType::SmallInt.parse_param(oid, Format::Text, b"70000"),
            out_of_range(KeyType::SmallInt)
        );
        assert_eq!(
            KeyType::Text.parse_param(oid, Format::Binary, b"5"),
            Ok(KeyValue::Text("5".into()))
        );
        assert_eq!(
            KeyType::Uuid.parse_param(oid, Format::Binary, &UUID),
            Ok(KeyValue::Uuid(UUID))
        );
        for bytes in [
            &(-5i16).to_be_bytes()[..],
            &(-5i32).to_be_bytes(),
            &(-5i64).to_be_bytes(),
        ] {
            assert_eq!(
                KeyType::Integer.parse_param(oid, Format::Binary, bytes),
                Ok(KeyValue::Int(-5))
            );
        }
        for bytes in [&[][..], &[0], &[0; 3], &[0; 16]] {
            assert_eq!(
                KeyType::Integer.parse_param(oid, Format::Binary, bytes),
                Err(KeyError::Binary {
                    expected: "integer"
                })
            );
        }
    }
}

#[test]
fn parameters_of_a_declared_type() {
    let big = 5_000_000_000_i64;
    for key_type in INTS {
        assert_eq!(
            key_type.parse_param(Oid::INT8, Format::Binary, &big.to_be_bytes()),
            Ok(KeyValue::Int(big))
        );
        assert_eq!(
            key_type.parse_param(Oid::INT8, Format::Text, b"5000000000"),
            Ok(KeyValue::Int(big))
        );
        assert_eq!(
            key_type.parse_param(Oid::INT2, Format::Text, b"40000"),
            out_of_range(KeyType::SmallInt)
        );
        assert_eq!(
            key_type.parse_param(Oid::INT4, Format::Binary, &[0; 8]),
            Err(KeyError::Binary {
                expected: "integer"
            })
        );
    }
    assert_eq!(
        KeyType::Text.parse_param(Oid::VARCHAR, Format::Binary, b"x"),
        Ok(KeyValue::Text("x".into()))
    );
    assert_eq!(
        KeyType::Varchar.parse_param(Oid::TEXT, Format::Text, b"x"),
        Ok(KeyValue::Text("x".into()))
    );
    assert_eq!(
        KeyType::Uuid.parse_param(Oid::UUID, Format::Binary, &[0; 15]),
        Err(KeyError::Binary { expected: "uuid" })
    );
}

#[test]
fn parameters_of_types_that_compare_differently() {
    for (key_type, oid) in [
        (KeyType::BigInt, Oid::NUMERIC),
        (KeyType::BigInt, Oid::TEXT),
        (KeyType::BigInt, Oid::BOOL),
        (KeyType::Text, Oid::BPCHAR),
        (KeyType::Varchar, Oid::BPCHAR),
        (KeyType::Text, Oid::INT4),
        (KeyType::Uuid, Oid::TEXT),
        (KeyType::Uuid, Oid(12345)),
        (KeyType::Bpchar, Oid::BYTEA),
        (KeyType::Date, Oid::TIMESTAMP),
        (KeyType::Date, Oid::TIMESTAMPTZ),
        (KeyType::Timestamp, Oid::DATE),
        (KeyType::Timestamp, Oid::TIMESTAMPTZ),
        (KeyType::Timestamptz, Oid::TIMESTAMP),
        (KeyType::Timestamptz, Oid::DATE),
        (KeyType::Date, Oid::TEXT),
        (KeyType::Bytea, Oid::TEXT),
    ] {
        assert_eq!(
            key_type.parse_param(oid, Format::Text, b"5"),
            Err(KeyError::Incomparable {
                oid,
                expected: key_type.name()
            })
        );
    }
}

#[test]
fn names_and_oids() {
    for key_type in KeyType::ALL {
        assert_eq!(KeyType::from_name(key_type.name()), Some(key_type));
        assert_eq!(KeyType::from_oid(key_type.oid()), Some(key_type));
    }
    for (name, key_type) in [
        ("INT8", KeyType::BigInt),
        ("character varying", KeyType::Varchar),
        ("character", KeyType::Bpchar),
        ("timestamp with time zone", KeyType::Timestamptz),
        ("timestamp without time zone", KeyType::Timestamp),
    ] {
        assert_eq!(KeyType::from_name(name), Some(key_type));
    }
    for refused in ["char(10)", "numeric", "varchar(10)", "timestamp(3)", ""] {
        assert_eq!(KeyType::from_name(refused), None);
    }
}

#[test]
fn bpchars_lose_their_blanks() {
    for (text, expected) in [("", ""), ("  ", ""), ("ab  ", "ab"), (" ab\t ", " ab\t")] {
        let expected = Ok(KeyValue::Text(expected.to_owned()));
        assert_eq!(KeyType::Bpchar.parse_text(text.as_bytes()), expected);
        for oid in [Oid::UNSPECIFIED, Oid::BPCHAR, Oid::VARCHAR] {
            for format in [Format::Text, Format::Binary] {
                assert_eq!(
                    KeyType::Bpchar.parse_param(oid, format, text.as_bytes()),
                    expected,
                    "{text:?} as {oid:?}"
                );
            }
        }
    }
    assert_eq!(
        KeyType::Bpchar.parse_param(Oid::TEXT, Format::Text, b"ab"),
        Ok(KeyValue::Text("ab".into()))
    );
    // Compared, it equals no char(n); stored, it is one without the blank.
    assert_eq!(
        KeyType::Bpchar.parse_param(Oid::TEXT, Format::Text, b"ab "),
        Err(KeyError::Incomparable {
            oid: Oid::TEXT,
            expected: "bpchar"
        })
    );
}

#[test]
fn byteas() {
    for (text, expected) in [
        ("", &b""[..]),
        ("\\x", b""),
        ("\\xDEADbeef", b"\xde\xad\xbe\xef"),
        ("\\x de\tad\r\n01 ", b"\xde\xad\x01"),
        ("abc", b"abc"),
        ("a\\\\b", b"a\\b"),
        ("\\000\\377", b"\x00\xff"),
        ("\\0010", b"\x010"),
        ("\\\\x00", b"\\x00"),
        ("grüße", "grüße".as_bytes()),
    ] {
        assert_eq!(
            KeyType::Bytea.parse_text(text.as_bytes()),
            Ok(KeyValue::Bytea(expected.to_vec())),
            "{text}"
        );
    }
    for text in [
        "\\xd",
        "\\xd e",
        "\\xg0",
        "\\X00",
        "\\x00\x0b00",
        "\\400",
        "\\08",
        "\\1",
        "a\\",
        " \\x00",
    ] {
        assert_eq!(
            KeyType::Bytea.parse_text(text.as_bytes()),
            syntax(KeyType::Bytea),
            "{text}"
        );
        assert!(KeyType::Bytea.is_certainly_invalid(text.as_bytes()));
    }
    for bytes in [&b"a\0"[..], b"\xff"] {
        assert_eq!(KeyType::Bytea.parse_text(bytes), Err(KeyError::Encoding));
        assert_eq!(
            KeyType::Bytea.parse_param(Oid::BYTEA, Format::Binary, bytes),
            Ok(KeyValue::Bytea(bytes.to_vec()))
        );
    }
}

/// What is printed is read again as the same value, as far as this side of year 1 is concerned.
#[test]
fn values_print_as_postgresql_prints_them() {
    for (key_type, text) in [
        (KeyType::BigInt, "-42"),
        (KeyType::Text, "it's"),
        (KeyType::Uuid, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
        (KeyType::Date, "2020-02-29"),
        (KeyType::Date, "0001-01-01"),
        (KeyType::Date, "5874897-12-31"),
        (KeyType::Date, "infinity"),
        (KeyType::Timestamp, "1999-12-31 23:59:59.5"),
        (KeyType::Timestamp, "2020-02-29 01:02:03"),
        (KeyType::Timestamp, "-infinity"),
        (KeyType::Timestamptz, "2020-02-29 01:02:03.000001+00"),
        (KeyType::Bytea, "\\x00ff"),
    ] {
        let value = key_type.parse_text(text.as_bytes()).expect("a valid value");
        assert_eq!(key_type.print(&value), text);
    }
    for (key_type, value, text) in [
        (KeyType::Date, KeyValue::Date(-2_451_545), "4714-11-24 BC"),
        (KeyType::Date, KeyValue::Date(-730_120), "0001-12-31 BC"),
        (
            KeyType::Timestamptz,
            KeyValue::Timestamp(-211_813_488_000_000_000),
            "4714-11-24 00:00:00+00 BC",
        ),
        (KeyType::Date, KeyValue::Null, "NULL"),
    ] {
        assert_eq!(key_type.print(&value), text);
    }
    for days in (-2_451_545..3_000_000)
        .step_by(97)
        .chain(2_145_000_000..2_145_000_500)
    {
        let value = KeyValue::Date(days);
        let text = KeyType::Date.print(&value);
        if !text.ends_with("BC") {
            assert_eq!(KeyType::Date.parse_text(text.as_bytes()), Ok(value));
        }
    }
}

#[test]
fn key_columns_hold_the_key_and_nothing_else() {
    use KeyType::{BigInt, Integer, SmallInt, Text, Varchar};
    let narrower = [
        (SmallInt, Integer),
        (SmallInt, BigInt),
        (Integer, BigInt),
        (Text, Varchar),
    ];
    for column in KeyType::ALL {
        for key in KeyType::ALL {
            let expected = column == key || narrower.contains(&(column, key));
            assert_eq!(column.may_hold(key), expected, "{column:?} for {key:?}");
        }
    }
}
