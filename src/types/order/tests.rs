//! Orders as PostgreSQL 15 has them, and lies.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::*;

/// Values in binary as PostgreSQL sent them, in its order: blanks stand for `<`, `-` for a value of no bytes.
const VECTORS: &[(u32, &str)] = &[
    // bool: f < t
    (16, "00 01"),
    // int2: -32768 < -1 < 0 < 1 < 32767
    (21, "8000 ffff 0000 0001 7fff"),
    // int4: -2147483648 < -1 < 0 < 1 < 2147483647
    (23, "80000000 ffffffff 00000000 00000001 7fffffff"),
    // int8: -9223372036854775808 < -1 < 0 < 1 < 9223372036854775807
    (
        20,
        "8000000000000000 ffffffffffffffff 0000000000000000 0000000000000001 7fffffffffffffff",
    ),
    // oid: 0 < 1 < 2147483648 < 4294967295
    (26, "00000000 00000001 80000000 ffffffff"),
    // float4: -Infinity < -1.5 < -0 = 0 < 1e-30 < 1 < Infinity < NaN
    (
        700,
        "ff800000 bfc00000 80000000=00000000 0da24260 3f800000 7f800000 7fc00000",
    ),
    // float8: -Infinity < -1.5 < -0 = 0 < 1e-300 < 1 < Infinity < NaN
    (
        701,
        "fff0000000000000 bff8000000000000 8000000000000000=0000000000000000 01a56e1fc2f8f359 \
     3ff0000000000000 7ff0000000000000 7ff8000000000000",
    ),
    // numeric: -Infinity < -10000 < -9999.9999 < -1.00 = -1 < -0.0001 < 0 = 0.00 < 0.00001 < 0.0001 < 1 < 1.0001 <
    // 9999 < 10000 < 100000000 < 100000000.5 < 1e100 < Infinity < NaN
    (
        1700,
        "00000000f0000020 00010001400000000001 0002000040000004270f270f \
     00010000400000020001=00010000400000000001 0001ffff400000040001 0000000000000000=0000000000000002 \
     0001fffe0000000503e8 0001ffff000000040001 00010000000000000001 000200000000000400010001 \
     0001000000000000270f 00010001000000000001 00010002000000000001 00040002000000010001000000001388 \
     00010019000000000001 00000000d0000020 00000000c0000000",
    ),
    // date: -infinity < 0001-01-01 < 1999-12-31 < 2000-01-01 < infinity
    (1082, "80000000 fff4dbf9 ffffffff 00000000 7fffffff"),
    // timestamp: -infinity < 0001-01-01 00:00:00 < 1999-12-31 23:59:59.999999 < 2000-01-01 00:00:00 < infinity
    (
        1114,
        "8000000000000000 ff1fe2ffc59c6000 ffffffffffffffff 0000000000000000 7fffffffffffffff",
    ),
    // timestamptz: -infinity < 1999-12-31 23:59:59+00 < 2000-01-01 00:00:00+00 = 2000-01-01 00:00:00+00 < infinity
    (
        1184,
        "8000000000000000 fffffffffff0bdc0 0000000000000000=0000000000000000 7fffffffffffffff",
    ),
    // time: 00:00:00 < 00:00:00.000001 < 12:00:00 < 24:00:00
    (
        1083,
        "0000000000000000 0000000000000001 0000000a0eebb000 000000141dd76000",
    ),
    // timetz: 00:00:00+15 < 12:00:00+02 < 10:00:00+00 < 08:00:00-02 < 10:00:00.000001+00 < 24:00:00-15
    (
        1266,
        "0000000000000000ffff2d10 0000000a0eebb000ffffe3e0 0000000861c4680000000000 00000006b49d200000001c20 \
     0000000861c4680100000000 000000141dd760000000d2f0",
    ),
    // interval: -178000000 years < -1 mons = -30 days < -29 days < 00:00:00 < 24:00:00 = 1 day < 30 days = 720:00:00
    // = 1 mon < 1 mon 00:00:00.000001 < 178000000 years
    (
        1186,
        "00000000000000000000000080af3a00 000000000000000000000000ffffffff=0000000000000000ffffffe200000000 \
     0000000000000000ffffffe300000000 00000000000000000000000000000000 \
     000000141dd760000000000000000000=00000000000000000000000100000000 \
     00000000000000000000001e00000000=0000025b7f3d40000000000000000000=00000000000000000000000000000001 \
     00000000000000010000000000000001 0000000000000000000000007f50c600",
    ),
    // uuid: 00000000-0000-0000-0000-000000000000 < 00000000-0000-0000-0000-000000000001 <
    // 80000000-0000-0000-0000-000000000000 < ffffffff-ffff-ffff-ffff-ffffffffffff
    (
        2950,
        "00000000000000000000000000000000 00000000000000000000000000000001 80000000000000000000000000000000 \
     ffffffffffffffffffffffffffffffff",
    ),
    // bytea: \x < \x00 < \x0000 < \x01 < \x7f < \xff
    (17, "- 00 0000 01 7f ff"),
    // text: '' < A < B < a < a  < ab < é < 東
    (25, "- 41 42 61 6120 6162 c3a9 e69db1"),
    // bpchar: '' < A < a = a   < a b < ab < é
    (1042, "- 41 61=612020 612062 6162 c3a9"),
    // "char": '' < A < a < \200 < \377
    (18, "00 41 61 80 ff"),
    // inet: 0.0.0.0/0 < 1.0.0.0/8 < 1.2.0.0/16 < 1.2.3.4/24 < 1.2.3.5/24 < 1.2.3.4/25 < 1.2.3.4 < 10.0.0.1 <
    // 255.255.255.255 < ::/0 < ::1 < fe80::1/64 < fe80::1
    (
        869,
        "0200000400000000 0208000401000000 0210000401020000 0218000401020304 0218000401020305 \
     0219000401020304 0220000401020304 022000040a000001 02200004ffffffff \
     0300001000000000000000000000000000000000 0380001000000000000000000000000000000001 \
     03400010fe800000000000000000000000000001 03800010fe800000000000000000000000000001",
    ),
    // macaddr: 00:00:00:00:00:00 < 00:00:01:00:00:00 < 80:00:00:00:00:00
    (829, "000000000000 000001000000 800000000000"),
    // macaddr8: 00:00:00:00:00:00:00:00 < 00:00:00:00:01:00:00:00 < ff:00:00:00:00:00:00:00
    (774, "0000000000000000 0000000001000000 ff00000000000000"),
    // pg_lsn: 0/0 < 0/FFFFFFFF < 1/0 < FFFFFFFF/0
    (
        3220,
        "0000000000000000 00000000ffffffff 0000000100000000 ffffffff00000000",
    ),
    // varbit: '' < 0 < 00 < 01 < 1 < 10 < 100000000 < 11
    (
        1562,
        "00000000 0000000100 0000000200 0000000240 0000000180 0000000280 000000098000 00000002c0",
    ),
    // int4[]: {} < [0:0]={1} < {1} < {{1}} < [0:1]={1,2} < {1,2} < {{1,2}} < {{1},{2}} < {1,2,3} < {1,NULL} < {2} <
    // {NULL}
    (
        1007,
        "000000000000000000000017 00000001000000000000001700000001000000000000000400000001 \
     00000001000000000000001700000001000000010000000400000001 \
     000000020000000000000017000000010000000100000001000000010000000400000001 \
     000000010000000000000017000000020000000000000004000000010000000400000002 \
     000000010000000000000017000000020000000100000004000000010000000400000002 \
     0000000200000000000000170000000100000001000000020000000100000004000000010000000400000002 \
     0000000200000000000000170000000200000001000000010000000100000004000000010000000400000002 \
     0000000100000000000000170000000300000001000000040000000100000004000000020000000400000003 \
     00000001000000010000001700000002000000010000000400000001ffffffff \
     00000001000000000000001700000001000000010000000400000002 \
     0000000100000001000000170000000100000001ffffffff",
    ),
    // numeric[]: {1.0} = {1} < {1,2} < {NaN}
    (
        1231,
        "0000000100000000000006a400000001000000010000000a00010000000000010001=0000000100000000000006a400000001000000010000000a00010000000000000001 \
     0000000100000000000006a400000002000000010000000a000100000000000000010000000a00010000000000000002 \
     0000000100000000000006a400000001000000010000000800000000c0000000",
    ),
];

fn bytes(hex: &str) -> Vec<u8> {
    let hex = hex.trim_matches('-');
    let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal digits");
    (0..hex.len()).step_by(2).map(byte).collect()
}

/// The values of a vector with their ranks.
fn ranked(vector: &str) -> Vec<(usize, Vec<u8>)> {
    let groups = vector.split_ascii_whitespace().enumerate();
    groups
        .flat_map(|(rank, group)| group.split('=').map(move |value| (rank, bytes(value))))
        .collect()
}

#[test]
fn values_are_ordered_as_by_postgresql() {
    for (oid, vector) in VECTORS {
        let order = Order::of(Oid(*oid), true).expect("an order");
        let values = ranked(vector);
        for (rank_a, a) in &values {
            for (rank_b, b) in &values {
                let expected = rank_a.cmp(rank_b);
                assert_eq!(order.compare(a, b), Ok(expected), "{oid}: {a:x?} {b:x?}");
            }
        }
    }
}

#[test]
fn texts_have_an_order_of_their_collation_only() {
    for oid in [19, 25, 1042, 1043, 1009, 1014, 1015, 1003] {
        assert!(Order::of(Oid(oid), true).is_some(), "{oid}");
        assert_eq!(Order::of(Oid(oid), false), None, "{oid}");
    }
    for oid in [16, 17, 18, 1700, 2950, 1231, 1002] {
        assert_eq!(Order::of(Oid(oid), true), Order::of(Oid(oid), false));
        assert!(Order::of(Oid(oid), true).is_some(), "{oid}");
    }
    // json, jsonb, record, unknown, a user's.
    for oid in [114, 3802, 2249, 705, 16_400, 0] {
        assert_eq!(Order::of(Oid(oid), true), None, "{oid}");
    }
}

#[test]
fn what_is_no_value_is_an_error() {
    for (oid, vector) in VECTORS {
        let order = Order::of(Oid(*oid), true).expect("an order");
        if matches!(order.kind, Kind::Bytes | Kind::Bpchar) {
            continue;
        }
        for (_, good) in ranked(vector) {
            let mut longer = good.clone();
            longer.push(0);
            // Bytes behind an array's last element decide nothing.
            if !order.array {
                assert!(order.compare(&longer, &good).is_err(), "{oid} {longer:x?}");
            }
            for end in 0..good.len() {
                let cut = order.compare(&good, &good[..end]);
                assert!(cut.is_err(), "{oid} {:x?}", &good[..end]);
            }
        }
    }
}

#[test]
fn any_bytes_may_come() {
    let mut random = StdRng::seed_from_u64(3);
    for (oid, vector) in VECTORS {
        let order = Order::of(Oid(*oid), true).expect("an order");
        let values = ranked(vector);
        for _ in 0..2000 {
            let mut pair = [0, 1].map(|_| values[random.random_range(0..values.len())].1.clone());
            for value in &mut pair {
                for _ in 0..random.random_range(0..4) {
                    if value.is_empty() {
                        continue;
                    }
                    let at = random.random_range(0..value.len());
                    value[at] = [0, 1, 0x7f, 0xff, random.random()][random.random_range(0..5)];
                }
            }
            let [a, b] = &pair;
            if let (Ok(there), Ok(back)) = (order.compare(a, b), order.compare(b, a)) {
                assert_eq!(there, back.reverse(), "{oid}: {a:x?} {b:x?}");
            }
        }
    }
}

#[test]
fn direction_and_nulls_are_two_things() {
    let mut key = SortKey {
        column: 0,
        order: Order::of(Oid::BOOL, false).expect("an order"),
        descending: false,
        nulls_first: false,
    };
    let (no, yes) = (Some(&[0][..]), Some(&[1][..]));
    for (descending, nulls_first, values, nulls) in [
        (false, false, Ordering::Less, Ordering::Greater),
        (true, false, Ordering::Greater, Ordering::Greater),
        (false, true, Ordering::Less, Ordering::Less),
        (true, true, Ordering::Greater, Ordering::Less),
    ] {
        key.descending = descending;
        key.nulls_first = nulls_first;
        assert_eq!(key.compare(no, yes), Ok(values));
        assert_eq!(key.compare(None, yes), Ok(nulls));
        assert_eq!(key.compare(yes, None), Ok(nulls.reverse()));
        assert_eq!(key.compare(None, None), Ok(Ordering::Equal));
    }
}
