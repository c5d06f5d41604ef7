use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::*;

fn types(list: &[(&str, u32, Form)]) -> UserTypes {
    let one = |(name, oid, form): &(&str, u32, Form)| {
        let element = name.strip_suffix("[]");
        let name = TypeName {
            schema: "public".to_owned(),
            name: element.unwrap_or(name).to_owned(),
            is_array: element.is_some(),
        };
        let known = UserType {
            oid: Oid(*oid),
            form: *form,
        };
        (name, known)
    };
    list.iter().map(one).collect()
}

/// The types of a default shard, or of one where `by` others were made before.
fn world(by: u32) -> UserTypes {
    types(&[
        ("mood", 20_001 + by, Form::Plain),
        ("mood[]", 20_002 + by, Form::Array),
        ("pair", 20_003 + by, Form::Record),
        ("pair[]", 20_004 + by, Form::Array),
        ("span", 20_005 + by, Form::Range(Oid(20_003 + by))),
        ("spans", 20_006 + by, Form::Multirange(Oid(20_003 + by))),
        ("days", 20_007 + by, Form::Range(Oid(1082))),
    ])
}

fn translation() -> Translation {
    Translation::between(&world(0), &world(100)).expect("they differ")
}

fn value(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as i32).to_be_bytes()[..], bytes].concat()
}

fn array(element: u32, elements: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    for word in [1, 0, element, elements.len() as u32, 1] {
        out.extend(word.to_be_bytes());
    }
    elements.iter().for_each(|bytes| out.extend(value(bytes)));
    out.extend((-1i32).to_be_bytes());
    out
}

fn record(fields: &[(u32, &[u8])]) -> Vec<u8> {
    let mut out = (fields.len() as u32).to_be_bytes().to_vec();
    for (oid, bytes) in fields {
        out.extend(oid.to_be_bytes());
        out.extend(value(bytes));
    }
    out
}

/// A composite of an enum, an array of enums and an array of composites of an enum, as one with types by so much higher.
fn nested(by: u32) -> Vec<u8> {
    let moods = array(20_001 + by, &[b"sad", b"ok"]);
    let inner = record(&[(20_001 + by, b"ok"), (23, &[0, 0, 0x4e, 0x21])]);
    let pairs = array(20_003 + by, &[&inner, &inner]);
    record(&[
        (20_001 + by, b"ok"),
        (20_002 + by, &moods),
        (20_004 + by, &pairs),
        (25, b"text"),
    ])
}

#[test]
fn only_what_differs_makes_a_translation() {
    assert!(Translation::between(&world(0), &world(0)).is_none());
    let mut more = world(0);
    more.extend(types(&[("table", 30_000, Form::Record)]));
    // What one of them has alone is no difference while the other means nothing by it.
    assert!(Translation::between(&world(0), &more).is_none());
    assert!(Translation::between(&more, &world(0)).is_none());
    let mut other = world(0);
    other.extend(types(&[("other", 30_000, Form::Record)]));
    assert!(Translation::between(&more, &other).is_some());
    assert!(translation().is_like(&translation()));
    let another = Translation::between(&world(0), &world(99)).expect("they differ");
    assert!(!translation().is_like(&another));
}

#[test]
fn oids_are_translated_both_ways_or_refused() {
    let translation = translation();
    let (to_client, to_server) = (&translation.to_client, &translation.to_server);
    assert_eq!(to_client.oid(Oid(20_101)), Ok(Oid(20_001)));
    assert_eq!(to_server.oid(Oid(20_001)), Ok(Oid(20_101)));
    assert_eq!(to_client.oid(Oid(23)), Ok(Oid(23)));
    assert!(!translation.asks_for_catalogs());
    // Nobody knows it.
    assert_eq!(to_client.oid(Oid(40_000)), Ok(Oid(40_000)));
    assert!(translation.asks_for_catalogs() && !translation.asks_for_catalogs());
    // Not the shard's, and the default shard means something else by it.
    let refused = Err(Untranslatable::Type(Oid(20_001)));
    assert_eq!(to_client.oid(Oid(20_001)), refused);
    assert_eq!(
        to_server.oid(Oid(20_101)),
        Err(Untranslatable::Type(Oid(20_101)))
    );
}

#[test]
fn a_type_of_one_side_keeps_its_oid_unless_the_other_means_another_by_it() {
    let (mut default, mut shard) = (world(0), world(100));
    shard.extend(types(&[
        ("free", 30_000, Form::Plain),
        ("taken", 30_001, Form::Plain),
    ]));
    default.extend(types(&[("unlike", 30_001, Form::Plain)]));
    let translation = Translation::between(&default, &shard).expect("they differ");
    let to_client = &translation.to_client;
    assert_eq!(to_client.oid(Oid(30_000)), Ok(Oid(30_000)));
    assert!(!translation.asks_for_catalogs());
    let refused = Err(Untranslatable::Type(Oid(30_001)));
    assert_eq!(to_client.oid(Oid(30_001)), refused);
    assert_eq!(translation.to_server.oid(Oid(30_001)), refused);
}

#[test]
fn values_are_translated_to_their_depth() {
    let translation = translation();
    for (oid, shards, clients) in [
        (20_103, nested(100), nested(0)),
        (2249, nested(100), nested(0)),
        (
            20_104,
            array(20_103, &[&nested(100)]),
            array(20_003, &[&nested(0)]),
        ),
        (
            2287,
            array(2249, &[&nested(100)]),
            array(2249, &[&nested(0)]),
        ),
        (20_102, array(20_101, &[b"ok"]), array(20_001, &[b"ok"])),
        // One whose bytes look like something else.
        (20_101, nested(100), nested(100)),
        (20_107, nested(100), nested(100)),
        (23, nested(100), nested(100)),
        (
            20_105,
            [&[2][..], &value(&nested(100)), &value(&nested(100))].concat(),
            [&[2][..], &value(&nested(0)), &value(&nested(0))].concat(),
        ),
        (
            20_105,
            [&[0x10][..], &value(&nested(100))].concat(),
            [&[0x10][..], &value(&nested(0))].concat(),
        ),
        (20_105, vec![1], vec![1]),
        (
            20_106,
            [
                &[0, 0, 0, 1][..],
                &value(&[&[8][..], &value(&nested(100))].concat()),
            ]
            .concat(),
            [
                &[0, 0, 0, 1][..],
                &value(&[&[8][..], &value(&nested(0))].concat()),
            ]
            .concat(),
        ),
        (20_102, vec![0; 12], vec![0; 12]),
    ] {
        let mut there = shards.clone();
        assert_eq!(translation.to_client.value(Oid(oid), &mut there), Ok(()));
        assert_eq!(there, clients, "{oid}");
    }
    let mut back = nested(0);
    assert_eq!(translation.to_server.value(Oid(20_003), &mut back), Ok(()));
    assert_eq!(back, nested(100));
}

#[test]
fn what_is_no_such_value_is_told() {
    let translation = translation();
    let whole = nested(100);
    for cut in 0..whole.len() {
        let read = translation
            .to_client
            .value(Oid(20_103), &mut whole[..cut].to_vec());
        assert_eq!(read, Err(Untranslatable::Broken), "{cut}");
    }
    let mut longer = [&whole[..], &[0]].concat();
    let read = translation.to_client.value(Oid(20_103), &mut longer);
    assert_eq!(read, Err(Untranslatable::Broken));
    let unknown = Err(Untranslatable::Unknown(Oid(40_000)));
    let read = translation.to_client.value(Oid(40_000), &mut [0; 4]);
    assert_eq!(read, unknown);
    let mut within = array(40_000, &[]);
    let read = translation.to_client.value(Oid(2277), &mut within);
    assert_eq!(read, unknown);
    let mut deep = array(20_101, &[]);
    for _ in 0..1_000 {
        deep = record(&[(20_103, &deep)]);
    }
    let read = translation.to_client.value(Oid(20_103), &mut deep);
    assert_eq!(read, Err(Untranslatable::Depth));
}

#[test]
fn any_bytes_may_come() {
    let mut random = StdRng::seed_from_u64(7);
    let translation = translation();
    let whole = array(20_103, &[&nested(100), &nested(100)]);
    for _ in 0..20_000 {
        let mut bytes = whole.clone();
        for _ in 0..random.random_range(0..4) {
            let at = random.random_range(0..bytes.len());
            bytes[at] = [0, 1, 2, 4, 0x7f, 0xff, random.random()][random.random_range(0..7)];
        }
        bytes.truncate(random.random_range(0..=bytes.len()));
        for oid in [20_102, 20_103, 20_104, 20_105, 20_106, 2249, 2277] {
            let _ = translation.to_client.value(Oid(oid), &mut bytes.clone());
        }
    }
}
