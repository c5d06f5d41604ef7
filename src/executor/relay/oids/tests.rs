//! What a server with other OIDs says, right or wrong, in pieces of every size.

use std::sync::Arc;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::super::desk::{Desk, End};
use crate::executor::{Expect, Forward, Signature, Stage};
use crate::types::Oid;
use crate::types::translation::{Form, Translation, TypeName, UserType, UserTypes};

/// An enum, arrays of it and a composite of both: on the shard by so much higher.
fn types(by: u32) -> UserTypes {
    let named = |name: &str, is_array| TypeName {
        schema: "public".to_owned(),
        name: name.to_owned(),
        is_array,
    };
    let all = [
        (named("mood", false), 20_001, Form::Plain),
        (named("mood", true), 20_002, Form::Array),
        (named("pair", false), 20_003, Form::Record),
    ];
    let of = |(name, oid, form)| {
        let oid = Oid(oid + by);
        (name, UserType { oid, form })
    };
    all.into_iter().map(of).collect()
}

fn translation() -> Arc<Translation> {
    Arc::new(Translation::between(&types(0), &types(100)).expect("they differ"))
}

fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    [&[tag][..], &(body.len() as u32 + 4).to_be_bytes(), body].concat()
}

fn row_description(columns: &[(u32, u16)]) -> Vec<u8> {
    let mut body = (columns.len() as u16).to_be_bytes().to_vec();
    for (oid, format) in columns {
        body.extend(b"name\0\0\0\0\0\0\0");
        body.extend(oid.to_be_bytes());
        body.extend([0, 4, 255, 255, 255, 255]);
        body.extend(format.to_be_bytes());
    }
    message(b'T', &body)
}

fn row(values: &[&[u8]]) -> Vec<u8> {
    let mut body = (values.len() as u16).to_be_bytes().to_vec();
    for value in values {
        body.extend((value.len() as u32).to_be_bytes());
        body.extend(*value);
    }
    message(b'D', &body)
}

fn parameters(oids: &[u32]) -> Vec<u8> {
    let mut body = (oids.len() as u16).to_be_bytes().to_vec();
    oids.iter().for_each(|oid| body.extend(oid.to_be_bytes()));
    message(b't', &body)
}

fn moods(by: u32) -> Vec<u8> {
    let words = [1, 0, 20_001 + by, 1, 1, 2].map(u32::to_be_bytes);
    [&words.concat()[..], b"ok"].concat()
}

fn pair(by: u32) -> Vec<u8> {
    let moods = moods(by);
    let head = [2, 20_001 + by, 2].map(u32::to_be_bytes).concat();
    let field = [20_002 + by, moods.len() as u32].map(u32::to_be_bytes);
    [&head[..], b"ok", &field.concat(), &moods].concat()
}

fn complete() -> Vec<u8> {
    [message(b'C', b"SELECT 1\0"), message(b'Z', b"I")].concat()
}

fn query() -> Expect {
    Expect::Query {
        forward: Forward::ToClient,
        before: None,
        ends: false,
        stage: Stage::default(),
    }
}

fn execute(limited: bool) -> Expect {
    Expect::Execute {
        forward: Forward::ToClient,
        before: None,
        limited,
        stage: Stage::default(),
    }
}

fn begin(desk: &mut Desk, expects: Vec<Expect>, translates: bool) {
    desk.begin(Vec::new());
    desk.relay
        .translate(translates.then(translation), ROW_BYTES_MAX);
    expects
        .into_iter()
        .for_each(|expect| desk.relay.push(expect));
}

const ROW_BYTES_MAX: usize = 1_000;

/// The outcome is the same however the bytes arrive.
fn told(expects: impl Fn() -> Vec<Expect>, server: &[u8]) -> (Vec<u8>, End) {
    let mut desk = Desk::new();
    let mut found = None;
    for cut in 0..=server.len() {
        begin(&mut desk, expects(), true);
        match cut == server.len() {
            true => server.chunks(1).for_each(|byte| desk.feed(byte)),
            false => {
                desk.feed(&server[..cut]);
                desk.feed(&server[cut..]);
            }
        }
        desk.check(server.len());
        let outcome = (desk.output.clone(), desk.end.clone());
        match &found {
            None => found = Some(outcome),
            Some(found) => assert_eq!(*found, outcome, "cut at {cut}"),
        }
    }
    found.expect("one cut at least")
}

#[test]
fn descriptions_and_rows_are_told_in_the_clients_oids() {
    let answer = |by: u32| {
        let columns = [
            (20_003 + by, 1),
            (23, 1),
            (20_002 + by, 0),
            (20_002 + by, 1),
        ];
        let values = [&pair(by)[..], b"\0\0\x4e\x85", b"{ok}", &moods(by)];
        let text = row_description(&[(20_003 + by, 0)]);
        [
            row_description(&columns),
            row(&values),
            row(&values),
            message(b'C', b"SELECT 2\0"),
            text,
            // What comes as text is no array, whatever it looks like.
            row(&[&pair(100)]),
            complete(),
        ]
        .concat()
    };
    let (output, end) = told(|| vec![query()], &answer(100));
    assert_eq!(end, End::Done);
    assert_eq!(output, answer(0)[..output.len()]);
    assert_eq!(output.len(), answer(0).len() - 6);
}

#[test]
fn statements_are_described_and_their_rows_looked_into() {
    let signature = Arc::new(Signature::default());
    let expects = || {
        vec![
            Expect::DescribeStatement,
            Expect::Signature(Arc::clone(&signature)),
            Expect::Columns(None),
            execute(true),
            execute(false),
            Expect::Sync,
        ]
    };
    let shown = |by: u32| {
        let columns = row_description(&[(20_003 + by, 0)]);
        [parameters(&[20_002 + by, 20]), columns].concat()
    };
    let suspended = message(b's', b"");
    let server = [
        shown(100),
        shown(100),
        row_description(&[(20_003 + 100, 1)]),
        row(&[&pair(100)]),
        suspended.clone(),
        // Not described: known to hold nothing.
        row(&[&pair(100)]),
        complete(),
    ];
    let client = [
        shown(0),
        row(&[&pair(0)]),
        suspended,
        row(&[&pair(100)]),
        message(b'C', b"SELECT 1\0"),
    ];
    let (output, end) = told(expects, &server.concat());
    assert_eq!((output, end), (client.concat(), End::Done));
    let known = signature.parameters.get().expect("they were told");
    assert_eq!(**known, [Oid(20_002), Oid(20)]);
    assert_eq!(signature.carries.get(), Some(&true));
}

#[test]
fn what_makes_no_sense_or_cannot_be_told_costs_the_connection() {
    let columns = row_description(&[(20_103, 1)]);
    let whole = pair(100);
    let short = &whole[..whole.len() - 1];
    let long = row(&[&[0; ROW_BYTES_MAX]]);
    for (server, words) in [
        (message(b'T', b"\0\x01name\0\0"), "makes no sense"),
        ([&columns[..], &row(&[short])].concat(), "makes no sense"),
        (
            [&columns[..], b"D\0\0\0\x06\0\x01"].concat(),
            "makes no sense",
        ),
        ([&columns[..], &long[..5]].concat(), "1011 bytes"),
        ([b"T", &[0, 0x10, 0, 0][..]].concat(), "oversized"),
        // The default shard means another type by it.
        (
            row_description(&[(20_001, 0)]),
            "not the same on all shards",
        ),
        (
            row_description(&[(40_000, 1)]),
            "not the same on all shards",
        ),
        (message(b'H', b"\x01\0\0"), "COPY in binary form"),
        (message(b'G', b"\x01\0\0"), "COPY in binary form"),
    ] {
        let mut desk = Desk::new();
        begin(&mut desk, vec![query()], true);
        desk.feed(&server);
        match &desk.end {
            End::Failed(said) => assert!(said.contains(words), "{said}"),
            end => panic!("{words}: {end:?}"),
        }
    }
    let (output, end) = told(|| vec![query()], &row_description(&[(40_000, 0)]));
    assert_eq!((output, end), (row_description(&[(40_000, 0)]), End::Wants));
}

#[test]
fn nothing_is_looked_at_where_oids_are_the_same() {
    let mut desk = Desk::new();
    begin(&mut desk, vec![query()], false);
    let nonsense = [
        message(b'T', b"\0\x05nonsense"),
        row(&[b"\0\0\0\x01"]),
        message(b'D', b"nonsense"),
    ];
    desk.feed(&nonsense.concat());
    assert_eq!((&desk.output, &desk.end), (&nonsense.concat(), &End::Wants));
}

#[test]
fn any_bytes_may_come() {
    let mut random = StdRng::seed_from_u64(11);
    let signature = || Arc::new(Signature::default());
    let columns = row_description(&[(20_103, 1), (20_102, 1)]);
    let rows = row(&[&pair(100), &moods(100)]);
    let whole = [
        parameters(&[20_102]),
        columns.clone(),
        columns,
        rows.clone(),
        rows,
        complete(),
    ]
    .concat();
    let mut desk = Desk::new();
    for _ in 0..5_000 {
        let expects = vec![
            Expect::Signature(signature()),
            Expect::Columns(Some(signature())),
            execute(false),
            Expect::Sync,
        ];
        begin(&mut desk, expects, true);
        let mut bytes = whole.clone();
        for _ in 0..random.random_range(0..4) {
            let at = random.random_range(0..bytes.len());
            bytes[at] = [0, 1, 2, 4, 0xff, random.random()][random.random_range(0..6)];
        }
        let chunk = random.random_range(1..40);
        for bytes in bytes.chunks(chunk) {
            desk.feed(bytes);
            desk.check(whole.len());
        }
    }
}
