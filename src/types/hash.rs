//! PostgreSQL's hash partitioning, bit for bit.
//!
//! A shard can compute the same number in SQL, so `satisfies_hash_partition` is the oracle and the
//! servers themselves can filter, check and move rows by it.

use super::KeyValue;

/// The row hash PostgreSQL's hash partitioning computes for a key of these columns: each type's extended
/// hash under the partition seed, combined in order. `None` where one is NULL: no such row is sharded.
/// Source: `compute_partition_hash_value` in `src/backend/partitioning/partbounds.c`.
pub fn partition_hash(key: &[KeyValue]) -> Option<u64> {
    key.iter()
        .try_fold(0, |row, value| Some(combine64(row, hash_value(value)?)))
}

fn hash_value(value: &KeyValue) -> Option<u64> {
    Some(match value {
        KeyValue::Null => return None,
        KeyValue::Int(value) => hash_int8_extended(*value, PARTITION_SEED),
        KeyValue::Text(text) => hash_bytes_extended(text.as_bytes(), PARTITION_SEED),
        KeyValue::Uuid(bytes) => hash_bytes_extended(bytes, PARTITION_SEED),
        KeyValue::Date(days) => hash_int8_extended((*days).into(), PARTITION_SEED),
        KeyValue::Timestamp(micros) => hash_int8_extended(*micros, PARTITION_SEED),
        KeyValue::Bytea(bytes) => hash_bytes_extended(bytes, PARTITION_SEED),
    })
}

/// `HASH_PARTITION_SEED`; the same in every PostgreSQL that has hash partitions (11 and later).
const PARTITION_SEED: u64 = 0x7A5B_2236_7996_DCFD;

/// `hashint8extended`: folds the high half into the low one so that a value has the hash it would have
/// as int4 or int2, whose functions sign-extend to 32 bits.
/// Source: `src/backend/access/hash/hashfunc.c`.
fn hash_int8_extended(value: i64, seed: u64) -> u64 {
    let low = value as u32;
    let high = (value >> 32) as u32;
    hash_uint32_extended(low ^ if value >= 0 { high } else { !high }, seed)
}

/// `hash_bytes_uint32_extended` in `src/common/hashfn.c`.
fn hash_uint32_extended(value: u32, seed: u64) -> u64 {
    let mut state = Jenkins::new(4, seed);
    state.a = state.a.wrapping_add(value);
    state.finish()
}

/// `hash_bytes_extended` in `src/common/hashfn.c`, as it behaves on little-endian machines.
fn hash_bytes_extended(bytes: &[u8], seed: u64) -> u64 {
    let mut state = Jenkins::new(bytes.len() as u32, seed);
    let (blocks, tail) = bytes.as_chunks::<12>();
    for block in blocks {
        state.add(block);
        state.mix();
    }
    // The lowest byte of c is reserved for the length: the tail's ninth byte goes to the second.
    let mut last = [0; 12];
    let (head, rest) = tail.split_at(tail.len().min(8));
    last[..head.len()].copy_from_slice(head);
    last[9..9 + rest.len()].copy_from_slice(rest);
    state.add(&last);
    state.finish()
}

/// `hash_combine64` in `src/include/common/hashfn.h`.
fn combine64(a: u64, b: u64) -> u64 {
    a ^ b
        .wrapping_add(0x49a0_f4dd_15e5_a8e3)
        .wrapping_add(a << 54)
        .wrapping_add(a >> 7)
}

/// Bob Jenkins' lookup3, as PostgreSQL uses it.
struct Jenkins {
    a: u32,
    b: u32,
    c: u32,
}

impl Jenkins {
    fn new(len: u32, seed: u64) -> Self {
        let init = 0x9e37_79b9_u32.wrapping_add(len).wrapping_add(3_923_095);
        let mut state = Self {
            a: init,
            b: init,
            c: init,
        };
        if seed != 0 {
            state.a = state.a.wrapping_add((seed >> 32) as u32);
            state.b = state.b.wrapping_add(seed as u32);
            state.mix();
        }
        state
    }

    fn add(&mut self, block: &[u8; 12]) {
        let word = |at: usize| {
            u32::from_le_bytes([block[at], block[at + 1], block[at + 2], block[at + 3]])
        };
        self.a = self.a.wrapping_add(word(0));
        self.b = self.b.wrapping_add(word(4));
        self.c = self.c.wrapping_add(word(8));
    }

    fn mix(&mut self) {
        let Self {
            mut a,
            mut b,
            mut c,
        } = *self;
        a = a.wrapping_sub(c) ^ c.rotate_left(4);
        c = c.wrapping_add(b);
        b = b.wrapping_sub(a) ^ a.rotate_left(6);
        a = a.wrapping_add(c);
        c = c.wrapping_sub(b) ^ b.rotate_left(8);
        b = b.wrapping_add(a);
        a = a.wrapping_sub(c) ^ c.rotate_left(16);
        c = c.wrapping_add(b);
        b = b.wrapping_sub(a) ^ a.rotate_left(19);
        a = a.wrapping_add(c);
        c = c.wrapping_sub(b) ^ b.rotate_left(4);
        b = b.wrapping_add(a);
        *self = Self { a, b, c };
    }

    fn finish(self) -> u64 {
        let Self {
            mut a,
            mut b,
            mut c,
        } = self;
        c = (c ^ b).wrapping_sub(b.rotate_left(14));
        a = (a ^ c).wrapping_sub(c.rotate_left(11));
        b = (b ^ a).wrapping_sub(a.rotate_left(25));
        c = (c ^ b).wrapping_sub(b.rotate_left(16));
        a = (a ^ c).wrapping_sub(c.rotate_left(4));
        b = (b ^ a).wrapping_sub(a.rotate_left(14));
        c = (c ^ b).wrapping_sub(b.rotate_left(24));
        u64::from(b) << 32 | u64::from(c)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::KeyType;

    /// Found with `satisfies_hash_partition` on a live PostgreSQL 15: the remainder modulo 65,536 and the
    /// one modulo 1,021, which depends on the high half of the hash too.
    fn check(key_type: KeyType, text: &str, expected: (u64, u64)) {
        let value = key_type.parse_text(text.as_bytes()).expect("a valid value");
        let hash = partition_hash(std::slice::from_ref(&value)).expect("not NULL");
        assert_eq!(
            (hash % 65_536, hash % 1_021),
            expected,
            "{} {text:?}",
            key_type.name()
        );
    }

    #[test]
    fn integers_of_all_widths() {
        for (value, expected) in [
            (0, (39344, 1015)),
            (1, (36792, 844)),
            (-1, (44965, 270)),
            (2, (41338, 60)),
            (42, (23138, 246)),
            (1000, (30164, 212)),
            (32767, (24270, 672)),
            (-32768, (33917, 780)),
            (65536, (23172, 798)),
            (2147483647, (41343, 662)),
            (-2147483648, (14966, 519)),
            (2147483648, (14966, 519)),
            (-2147483649, (41343, 662)),
            (4294967296, (36792, 844)),
            (-4294967296, (39344, 1015)),
            (1234567890123456789, (20624, 174)),
            (9223372036854775807, (14966, 519)),
            (i64::MIN, (41343, 662)),
        ] {
            let value: i64 = value;
            check(KeyType::BigInt, &value.to_string(), expected);
            if i32::try_from(value).is_ok() {
                check(KeyType::Integer, &value.to_string(), expected);
            }
            if i16::try_from(value).is_ok() {
                check(KeyType::SmallInt, &value.to_string(), expected);
            }
        }
    }

    #[test]
    fn texts_of_all_tail_lengths() {
        for (value, expected) in [
            ("", (26790, 470)),
            ("a", (20318, 569)),
            ("A", (39851, 197)),
            ("tenant", (20519, 474)),
            ("tenant ", (43203, 109)),
            ("12345678901", (38524, 24)),
            ("123456789012", (50877, 849)),
            ("1234567890123", (62710, 318)),
            ("a longer key of more than two blocks", (17451, 724)),
            ("grüße", (57646, 557)),
            ("東京", (64289, 746)),
            ("🦀", (43308, 475)),
            ("organization:42", (36509, 11)),
        ] {
            check(KeyType::Text, value, expected);
            check(KeyType::Varchar, value, expected);
        }
    }

    #[test]
    fn uuids() {
        for (value, expected) in [
            ("00000000-0000-0000-0000-000000000000", (15269, 151)),
            ("ffffffff-ffff-ffff-ffff-ffffffffffff", (64897, 576)),
            ("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", (26064, 517)),
            ("00010203-0405-0607-0809-0a0b0c0d0e0f", (65455, 379)),
        ] {
            check(KeyType::Uuid, value, expected);
        }
    }

    #[test]
    fn bpchars_without_their_blanks() {
        for (value, expected) in [
            ("", (26790, 470)),
            ("   ", (26790, 470)),
            ("a", (20318, 569)),
            ("ab", (39968, 663)),
            ("ab   ", (39968, 663)),
            ("grüße  ", (57646, 557)),
            (" x ", (14941, 644)),
        ] {
            check(KeyType::Bpchar, value, expected);
        }
    }

    #[test]
    fn dates() {
        for (value, expected) in [
            ("2000-01-01", (39344, 1015)),
            ("1999-12-31", (44965, 270)),
            ("2020-02-29", (28907, 382)),
            ("0001-01-01", (19275, 943)),
            ("5874897-12-31", (19650, 214)),
            ("infinity", (41343, 662)),
            ("-infinity", (14966, 519)),
        ] {
            check(KeyType::Date, value, expected);
        }
    }

    #[test]
    fn timestamps() {
        for (value, expected) in [
            ("2000-01-01", (39344, 1015)),
            ("1999-12-31 23:59:59.999999", (44965, 270)),
            ("2020-02-29 12:34:56.789", (16251, 932)),
            ("0001-01-01", (8601, 377)),
            ("294276-12-31 23:59:59.999999", (63816, 558)),
            ("infinity", (14966, 519)),
            ("-infinity", (41343, 662)),
        ] {
            check(KeyType::Timestamp, value, expected);
        }
        for (value, expected) in [
            ("2000-01-01 00:00Z", (39344, 1015)),
            ("2020-02-29 12:34:56.789+05:30", (3649, 21)),
            ("2020-02-29 12:34:56-08", (51232, 121)),
            ("infinity", (14966, 519)),
            ("-infinity", (41343, 662)),
        ] {
            check(KeyType::Timestamptz, value, expected);
        }
    }

    #[test]
    fn byteas() {
        for (value, expected) in [
            ("", (26790, 470)),
            ("\\x00", (50618, 229)),
            ("\\xdeadbeef", (14147, 614)),
            ("abc", (35493, 794)),
            ("\\377\\000a\\\\", (52520, 951)),
            ("\\x000102030405060708090a0b0c0d0e0f", (65455, 379)),
        ] {
            check(KeyType::Bytea, value, expected);
        }
    }

    /// The same for rows of several columns, in the order of the partition key.
    #[test]
    fn rows() {
        use KeyType::{BigInt, Bytea, Date, Integer, Text, Uuid};
        type Row = &'static [(KeyType, &'static str)];
        let rows: [(Row, (u64, u64)); 7] = [
            (&[(BigInt, "1"), (Text, "a")], (60357, 855)),
            (&[(BigInt, "42"), (Text, "")], (26424, 707)),
            (&[(BigInt, "-7"), (Text, "grüße")], (14621, 764)),
            (
                &[(BigInt, "9223372036854775807"), (Text, "organization:42")],
                (47463, 833),
            ),
            (
                &[(Text, "DE"), (Integer, "1"), (Date, "2020-02-29")],
                (3278, 377),
            ),
            (
                &[(Text, ""), (Integer, "-1"), (Date, "infinity")],
                (25716, 466),
            ),
            (
                &[
                    (Uuid, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
                    (Bytea, "\\xdeadbeef"),
                ],
                (35806, 47),
            ),
        ];
        for (row, expected) in rows {
            let key: Vec<KeyValue> = row
                .iter()
                .map(|(key_type, text)| key_type.parse_text(text.as_bytes()).expect("valid"))
                .collect();
            let hash = partition_hash(&key).expect("not NULL");
            assert_eq!((hash % 65_536, hash % 1_021), expected, "{row:?}");
        }
    }

    #[test]
    fn null_has_no_hash() {
        assert_eq!(partition_hash(&[KeyValue::Null]), None);
        assert_eq!(partition_hash(&[KeyValue::Int(1), KeyValue::Null]), None);
    }
}
