//! Dates and times.

use super::*;

/// Found with PostgreSQL 15: days and microseconds since 2000-01-01, under any `DateStyle`.
#[test]
fn dates_and_times() {
    const DAY: i64 = 86_400_000_000;
    for (text, days, micros) in [
        ("2000-01-01", 0, 0),
        ("2020-02-28", 7363, 0),
        ("2020-2-8", 7343, 0),
        ("0001-01-01", -730_119, 0),
        ("12020-01-02", 3_659_731, 0),
        (" 2000-01-02\n", 1, 0),
        ("2000-01-01 10:20", 0, 37_200_000_000),
        ("2000-01-01T10:20", 0, 37_200_000_000),
        ("2000-01-01t1:2:3", 0, 3_723_000_000),
        ("2000-01-01 10:20:30.5", 0, 37_230_500_000),
        ("2000-01-01 10:20:30.000001", 0, 37_230_000_001),
        ("1999-12-31 24:00:00", -1, DAY),
        ("1999-12-31T24:00", -1, DAY),
        ("1999-12-31 24:00:00.000", -1, DAY),
    ] {
        let value = KeyType::Date.parse_text(text.as_bytes());
        assert_eq!(value, Ok(KeyValue::Date(days)), "{text}");
        let micros = i64::from(days) * DAY + micros;
        let timestamp = |key_type: KeyType, text: &str| key_type.parse_text(text.as_bytes());
        let expected = Ok(KeyValue::Timestamp(micros));
        assert_eq!(timestamp(KeyType::Timestamp, text), expected, "{text}");
        assert_eq!(
            timestamp(KeyType::Timestamptz, text),
            Err(KeyError::Unread {
                expected: "timestamptz"
            }),
            "{text} is a moment in some time zone"
        );
        for (zone, east) in [
            (" +02", 7200),
            (" -02", -7200),
            (" Z", 0),
            (" utc", 0),
            (" +05:30", 19_800),
            (" -0530", -19_800),
            (" -15:59:59", -57_599),
        ] {
            let text = format!("{}{zone}", text.trim());
            assert_eq!(timestamp(KeyType::Timestamp, &text), expected, "{text}");
            assert_eq!(
                timestamp(KeyType::Date, &text),
                Ok(KeyValue::Date(days)),
                "{text}"
            );
            assert_eq!(
                timestamp(KeyType::Timestamptz, &text),
                Ok(KeyValue::Timestamp(micros - east * 1_000_000)),
                "{text}"
            );
        }
    }
    for text in ["2000-01-01 02:00:00+02", "2000-01-01T00:00Z"] {
        assert_eq!(
            KeyType::Timestamptz.parse_text(text.as_bytes()),
            Ok(KeyValue::Timestamp(0))
        );
    }
}

const TIMES: [KeyType; 3] = [KeyType::Date, KeyType::Timestamp, KeyType::Timestamptz];

#[test]
fn infinities() {
    for key_type in TIMES {
        let value = |future| match key_type {
            KeyType::Date if future => KeyValue::Date(i32::MAX),
            KeyType::Date => KeyValue::Date(i32::MIN),
            _ if future => KeyValue::Timestamp(i64::MAX),
            _ => KeyValue::Timestamp(i64::MIN),
        };
        for (text, future) in [
            ("infinity", true),
            (" Infinity ", true),
            ("-INFINITY", false),
        ] {
            assert_eq!(key_type.parse_text(text.as_bytes()), Ok(value(future)));
        }
    }
}

/// Forms that depend on settings, on the time, or on the version, and some that nobody writes.
#[test]
fn dates_and_times_that_are_not_read() {
    for text in [
        "2020/01/02",
        "01-02-2020",
        "99-01-02",
        "999-01-02",
        "20200102",
        "2020-001",
        "Jan 2, 2020",
        "2020-01-02 BC",
        "2020-01-02 AD",
        "now",
        "today",
        "epoch",
        "+infinity",
        "inf",
        "- infinity",
        "2020-01-02T",
        "2020-01-02Z",
        "2020-01-02+02",
        "2020-01-02  10:20",
        "2020-01-02 10",
        "2020-01-02 1020",
        "2020-01-02 10:20 PM",
        "2020-01-02 10:20:30.",
        "2020-01-02 10:20:30,5",
        "2020-01-02 10:20:30.1234567",
        "2020-01-02 23:59:60",
        "2020-01-02 10:20:30+2",
        "2020-01-02 10:20:30+023015",
        "2020-01-02 10:20:30 CET",
        "2020-01-02 10:20:30Z+02",
        "2020-01-02 10:20:30  Z",
        "2020-01-02 foo",
        "foo",
    ] {
        for key_type in TIMES {
            assert_eq!(
                key_type.parse_text(text.as_bytes()),
                Err(KeyError::Unread {
                    expected: key_type.name()
                }),
                "{text}"
            );
            assert!(!key_type.is_certainly_invalid(text.as_bytes()), "{text}");
        }
    }
}

#[test]
fn dates_and_times_beyond_the_calendar() {
    for text in [
        "0000-01-01",
        "2019-02-29",
        "1900-02-29",
        "2020-13-01",
        "2020-00-01",
        "2020-04-31",
        "2020-01-00",
        "2020-01-02 25:00",
        "2020-01-02 24:01",
        "2020-01-02 24:00:00.000001",
        "2020-01-02 10:60",
        "2020-01-02 10:20:61",
        "2020-01-02 10:20:30+16",
        "2020-01-02 10:20:30+02:60",
    ] {
        for key_type in TIMES {
            assert_eq!(
                key_type.parse_text(text.as_bytes()),
                out_of_range(key_type),
                "{text}"
            );
            assert!(key_type.is_certainly_invalid(text.as_bytes()), "{text}");
        }
    }
    for (key_type, last, beyond) in [
        (KeyType::Date, "5874897-12-31", "5874898-01-01"),
        (
            KeyType::Timestamp,
            "294276-12-31 23:59:59.999999",
            "294276-12-31 24:00:00",
        ),
        (
            KeyType::Timestamptz,
            "294277-01-01 01:59:59.999999+02",
            "294276-12-31 22:00:00-02",
        ),
    ] {
        assert!(key_type.parse_text(last.as_bytes()).is_ok(), "{last}");
        assert_eq!(
            key_type.parse_text(beyond.as_bytes()),
            out_of_range(key_type)
        );
    }
    for empty in ["", "  "] {
        assert!(KeyType::Date.is_certainly_invalid(empty.as_bytes()));
    }
}

#[test]
fn binary_dates_and_times() {
    let date = |days: i32| {
        KeyType::Date.parse_param(Oid::UNSPECIFIED, Format::Binary, &days.to_be_bytes())
    };
    for days in [0, -2_451_545, 2_145_031_948, i32::MIN, i32::MAX] {
        assert_eq!(date(days), Ok(KeyValue::Date(days)));
    }
    for days in [-2_451_546, 2_145_031_949] {
        assert_eq!(date(days), Err(KeyError::Binary { expected: "date" }));
    }
    for key_type in [KeyType::Timestamp, KeyType::Timestamptz] {
        let read = |micros: i64| {
            key_type.parse_param(key_type.oid(), Format::Binary, &micros.to_be_bytes())
        };
        for micros in [
            0,
            -211_813_488_000_000_000,
            9_223_371_331_199_999_999,
            i64::MIN,
            i64::MAX,
        ] {
            assert_eq!(read(micros), Ok(KeyValue::Timestamp(micros)));
        }
        for micros in [-211_813_488_000_000_001, 9_223_371_331_200_000_000] {
            assert_eq!(
                read(micros),
                Err(KeyError::Binary {
                    expected: key_type.name()
                })
            );
        }
        assert!(
            key_type
                .parse_param(Oid::UNSPECIFIED, Format::Binary, &[0; 4])
                .is_err()
        );
    }
}
