//! Lanes of random rows, which deliver in any order, against a sort of all of them.

use bytes::BytesMut;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::*;
use crate::types::Oid;
use crate::types::order::Order;
use crate::wire::row::RowWriter;

fn key(column: u16, oid: Oid) -> SortKey {
    SortKey {
        column,
        order: Order::of(oid, true).expect("an order"),
        descending: false,
        nulls_first: false,
    }
}

/// A number, a text, and a number of its own by which the row is known.
type Values = (Option<i32>, &'static str, i32);

fn row((number, text, id): Values) -> Vec<u8> {
    let mut out = BytesMut::new();
    let mut writer = RowWriter::new(3, &mut out);
    writer.put(Some(text.as_bytes()));
    writer.put(Some(&id.to_be_bytes()));
    writer.put(number.map(i32::to_be_bytes).as_ref().map(|b| &b[..]));
    writer.finish();
    out.to_vec()
}

fn id(merge: &Merge, lane: usize, frame: &[u8]) -> i32 {
    let bytes = merge.places(lane).value(1, frame).expect("a value");
    i32::from_be_bytes(bytes.try_into().expect("four bytes"))
}

fn compare(keys: &[SortKey], a: &[u8], b: &[u8]) -> Ordering {
    let (mut of_a, mut of_b) = (RowPlaces::new(3), RowPlaces::new(3));
    of_a.read(a).expect("a row");
    of_b.read(b).expect("a row");
    keys.iter().fold(Ordering::Equal, |ordering, key| {
        ordering.then_with(|| {
            key.compare(of_a.value(key.column, a), of_b.value(key.column, b))
                .expect("values")
        })
    })
}

#[test]
fn rows_come_in_the_order_of_the_keys() {
    let mut random = StdRng::seed_from_u64(7);
    for round in 0..400 {
        let lanes = random.random_range(0..9);
        let mut keys = vec![key(2, Oid::INT4), key(0, Oid::TEXT)];
        for key in &mut keys {
            key.descending = random.random();
            key.nulls_first = random.random();
        }
        let mut rows: Vec<Vec<Vec<u8>>> = Vec::new();
        for lane in 0..lanes {
            let count = random.random_range(0..30);
            let mut of_lane: Vec<Vec<u8>> = (0..count)
                .map(|at| {
                    let number = random.random_range(-3..5);
                    let text = ["", "a", "ab", "b"][random.random_range(0..4)];
                    row(((number < 4).then_some(number), text, lane * 100 + at))
                })
                .collect();
            of_lane.sort_by(|a, b| compare(&keys, a, b));
            rows.push(of_lane);
        }
        let mut expected: Vec<Vec<u8>> = rows.iter().flatten().cloned().collect();
        expected.sort_by(|a, b| compare(&keys, a, b));
        assert_eq!(merged(&keys, &rows, &mut random), expected, "{round}");
    }
}

/// All rows, lanes delivering in any order.
fn merged(keys: &[SortKey], rows: &[Vec<Vec<u8>>], random: &mut StdRng) -> Vec<Vec<u8>> {
    let mut merge = Merge::new(keys, 3, rows.len());
    let mut at = vec![0; rows.len()];
    let mut out = Vec::new();
    loop {
        let next = merge.next(|lane| rows[lane][at[lane]].as_slice());
        match next.expect("keys of their types") {
            Next::End => return out,
            Next::Lane(lane) => {
                let frame = &rows[lane][at[lane]];
                assert_eq!(id(&merge, lane, frame) / 100, lane as i32);
                out.push(frame.clone());
                merge.take(lane);
                at[lane] += 1;
            }
            Next::Wait => {
                let needy: Vec<usize> = (0..rows.len()).filter(|l| merge.needs(*l)).collect();
                let lane = needy[random.random_range(0..needy.len())];
                match rows[lane].get(at[lane]) {
                    Some(row) => merge.deliver(lane, row).expect("a row"),
                    None => merge.end(lane),
                }
            }
        }
    }
}

#[test]
fn a_lie_is_an_error() {
    let keys = [key(2, Oid::INT4)];
    let mut merge = Merge::new(&keys, 3, 2);
    let good = row((Some(1), "", 0));
    let mut bad = BytesMut::new();
    let mut writer = RowWriter::new(3, &mut bad);
    for value in [&b""[..], b"", b"abc"] {
        writer.put(Some(value));
    }
    writer.finish();
    assert_eq!(merge.deliver(0, &good[..9]), Err(RowError::CutShort));
    merge.deliver(0, &good).expect("a row");
    merge.deliver(1, &bad).expect("a row");
    let frames = [&good[..], &bad[..]];
    let next = merge.next(|lane| frames[lane]);
    assert_eq!(
        next,
        Err(Malformed {
            expected: "integer"
        })
    );
}

#[test]
fn what_went_before_is_remembered() {
    let keys = [key(2, Oid::INT4), key(0, Oid::BPCHAR)];
    let mut previous = Previous::new(&keys);
    let mut places = RowPlaces::new(3);
    let mut seen = Vec::new();
    for (values, like) in [
        ((Some(1), "a", 0), false),
        ((Some(1), "a ", 1), true),
        ((Some(1), "ab", 2), false),
        ((None, "ab", 3), false),
        ((None, "ab", 4), true),
        ((None, "", 5), false),
        ((Some(0), "", 6), false),
    ] {
        let frame = row(values);
        places.read(&frame).expect("a row");
        seen.push((previous.is_like(&places, &frame), Ok(like)));
        previous.keep(&places, &frame);
    }
    for (found, expected) in seen {
        assert_eq!(found, expected);
    }
    // All rows are one group.
    let frame = row((None, "", 0));
    places.read(&frame).expect("a row");
    assert_eq!(Previous::new(&[]).is_like(&places, &frame), Ok(true));
}

#[test]
fn a_row_costs_no_allocation() {
    let keys = [key(2, Oid::INT4), key(0, Oid::TEXT)];
    let rows: Vec<Vec<u8>> = (0..100).map(|at| row((Some(at), "text", at))).collect();
    let mut merge = Merge::new(&keys, 3, 4);
    let mut previous = Previous::new(&keys);
    let mut out = BytesMut::with_capacity(1 << 16);
    let mut at = [0; 4];
    let mut given = 0;
    let mut run = |until: usize| {
        while given < until {
            match merge.next(|lane| rows[at[lane]].as_slice()) {
                Ok(Next::Wait) => {
                    for (lane, at) in at.iter().enumerate() {
                        if merge.needs(lane) {
                            merge.deliver(lane, &rows[*at]).expect("a row");
                        }
                    }
                }
                Ok(Next::Lane(lane)) => {
                    let frame = &rows[at[lane]];
                    let places = merge.places(lane);
                    if !previous.is_like(places, frame).expect("keys") {
                        places.put_first(2, frame, &mut out);
                    }
                    previous.keep(places, frame);
                    merge.take(lane);
                    at[lane] += 1;
                    given += 1;
                }
                other => panic!("{other:?}"),
            }
        }
    };
    run(8);
    let counted = allocation_counter::measure(|| run(300));
    assert_eq!(counted.count_total, 0);
}
