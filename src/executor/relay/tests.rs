//! What a server answers, scripted or at random, in pieces of every size: the client gets whole messages, or the
//! connection is given up.

use std::io::Read;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::desk::{Desk, End, SCRIPTS, fuzz, script};
use super::meaning::{ERROR_HEAD_BYTES, STATE_FRAME_BYTES_MAX, SWALLOWED_MAX};
use super::*;

fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    [&[tag][..], &(body.len() as u32 + 4).to_be_bytes(), body].concat()
}

/// Messages by their letters, with bodies that will do.
fn messages(letters: &str) -> Vec<Vec<u8>> {
    letters
        .bytes()
        .map(|letter| match letter {
            b'T' => message(
                b'T',
                b"\0\x01a\0\0\0\0\0\0\0\0\0\0\x17\0\x04\xff\xff\xff\xff\0\0",
            ),
            b't' => message(b't', b"\0\0"),
            b'D' => message(b'D', b"\0\x01\0\0\0\x01x"),
            b'C' => message(b'C', b"SELECT 1\0"),
            b'b' => message(b'C', b"BEGIN\0"),
            b'r' => message(b'C', b"ROLLBACK\0"),
            b'E' => message(b'E', b"SERROR\0VERROR\0C22012\0Mdivision by zero\0\0"),
            b'F' => message(b'E', b"SFATAL\0VFATAL\0C57P01\0Mgoodbye\0\0"),
            b'N' => message(b'N', b"SNOTICE\0VNOTICE\0C00000\0Mhear\0\0"),
            b'A' => message(b'A', b"\0\0\0\x01channel\0\0"),
            b'S' => message(b'S', b"TimeZone\0UTC\0"),
            b'Z' => message(b'Z', b"I"),
            b'z' => message(b'Z', b"T"),
            b'e' => message(b'Z', b"E"),
            b'H' | b'G' => message(letter, b"\0\0\0"),
            b'd' => message(b'd', b"1\n"),
            b'K' => message(b'K', b"\0\0\0\x01\0\0\0\x02"),
            b'R' => message(b'R', b"\0\0\0\0"),
            letter => message(letter, b""),
        })
        .collect()
}

/// Feeds bytes in two pieces cut at every place, and one by one: the outcome must be the same.
fn outcome(desk: &mut Desk, number: usize, bytes: &[u8]) -> (String, End, usize) {
    let mut found = None;
    for cut in 0..=bytes.len() {
        desk.begin(script(number));
        if cut == bytes.len() {
            bytes.chunks(1).for_each(|byte| desk.feed(byte));
        } else {
            desk.feed(&bytes[..cut]);
            desk.feed(&bytes[cut..]);
        }
        desk.check(bytes.len());
        let outcome = (desk.output.clone(), desk.end.clone(), desk.relay.due());
        match &found {
            None => found = Some(outcome),
            Some(found) => assert_eq!(*found, outcome, "cut at {cut}"),
        }
    }
    let (_, end, due) = found.expect("one cut at least");
    (desk.client_tags(), end, due)
}

/// What was asked, what the server says, what the client gets, and how it ends: `Done`, or words of the
/// error.
#[test]
fn answers_and_lies() {
    const DONE: &str = "";
    let mut desk = Desk::new();
    for (number, server, client, ends) in [
        // Right answers.
        (0, "TDDCZ", "TDDC", DONE),
        (0, "NTDSCACZ", "NTDSCC", DONE),
        (0, "IZ", "I", DONE),
        (0, "TDEZ", "TDE", DONE),
        (0, "HddcCZ", "HddcC", DONE),
        (0, "TDTDCZ", "TDTDC", DONE),
        (1, "bzTDCz", "TDC", DONE),
        (2, "12TDCZ", "12TDC", DONE),
        (2, "1EZ", "1E", DONE),
        (3, "2DsZ", "12Ds", DONE),
        (4, "tnZ", "tn", DONE),
        (4, "tTZ", "tT", DONE),
        (5, "EZ", "", DONE),
        (6, "312DCZ", "12DDC", DONE),
        (6, "312CZ", "12DC", DONE),
        (7, "ZZ3Z", "", DONE),
        (7, "Z3Z", "", DONE),
        (8, "1T", "1T1", DONE),
        (9, "2DC2C3Z", "2DC2C3", DONE),
        // Wrong kinds, wrong order, something missing.
        (0, "DCZ", "", "0x44"),
        (0, "Z", "", "0x5a"),
        (0, "TDZ", "TD", "0x5a"),
        (0, "TDCDCZ", "TDC", "0x44"),
        (0, "sZ", "", "0x73"),
        (0, "1", "", "0x31"),
        (0, "W", "", "0x57"),
        (0, "Hdd", "Hdd", "wants"),
        (0, "HdC", "Hd", "0x43"),
        (0, "d", "", "0x64"),
        (0, "TEDZ", "TE", "0x44"),
        (0, "EEZ", "E", "0x45"),
        (0, "ECZ", "E", "0x43"),
        (0, "KZ", "", "0x4b"),
        (0, "TDRZ", "TD", "0x52"),
        (0, "GCZ", "G", "0x43"),
        (2, "D", "", "0x44"),
        (2, "122", "12", "0x32"),
        (2, "12DC", "12", "0x44"),
        (2, "12TDsZ", "12TD", "0x73"),
        (2, "12TDZ", "12TD", "0x5a"),
        (2, "12TdZ", "12T", "0x64"),
        (2, "1EDZ", "1E", "0x44"),
        (2, "1EEZ", "1E", "0x45"),
        (4, "TZ", "", "0x54"),
        (4, "ttZ", "t", "0x74"),
        (5, "CZ", "", "0x43"),
        // The end, and what the proxy asked for itself.
        (0, "TDF", "TD", "ended the connection"),
        (2, "12F", "12", "ended the connection"),
        (1, "EZ", "", "ended the connection"),
        // A state that cannot be.
        (0, "TDCz", "TDC", "without a reason"),
        (0, "TDCe", "TDC", "without a reason"),
        (2, "12TDCz", "12TDC", "without a reason"),
        (1, "bzTDCZ", "TDC", "without a reason"),
        (1, "bzTDCe", "TDC", "without a reason"),
        (1, "bzEZ", "E", "without a reason"),
        (1, "bze", "", "0x5a"),
        (1, "bzEe", "E", DONE),
        (1, "bzrZ", "C", DONE),
    ] {
        let bytes = messages(server).concat();
        let (tags, end, _) = outcome(&mut desk, number, &bytes);
        assert_eq!(tags, client, "{number}: {server} -> {end:?}");
        let right = match &end {
            End::Done => ends == DONE,
            End::Failed(error) | End::Torn(error) => ends != DONE && error.contains(ends),
            End::Wants | End::CopyIn => ends == "wants",
        };
        assert!(right, "{number}: {server} -> {end:?}");
    }
}

/// Every message the relay reads or passes on, with lengths that are not its own.
#[test]
fn lengths_that_lie() {
    let mut desk = Desk::new();
    for (number, server) in [
        (0, "TDCZ"),
        (0, "NTASDCZ"),
        (0, "EZ"),
        (0, "IZ"),
        (0, "HdcCZ"),
        (2, "12TDCZ"),
        (3, "2DsZ"),
        (4, "tnZ"),
        (6, "312DCZ"),
        (8, "1T"),
    ] {
        let right = messages(server);
        for (at, wrong) in right.iter().enumerate() {
            for length in [0_i32, 3, -1, i32::MIN, i32::MAX, wrong.len() as i32 + 3, 4] {
                let mut bytes = right.clone();
                bytes[at][1..5].copy_from_slice(&length.to_be_bytes());
                if length == wrong.len() as i32 - 1 {
                    continue;
                }
                let (tags, end, _) = outcome(&mut desk, number, &bytes.concat());
                let what =
                    format!("{number}: {server}, message {at}, length {length}: {tags} {end:?}");
                // What comes behind it is swallowed or misread, so it cannot end well; a body that is
                // too short may have been of use to nobody (a row's is the client's own business).
                if length == 4 {
                    continue;
                }
                assert_ne!(end, End::Done, "{what}");
                if length < 4 {
                    assert!(
                        matches!(&end, End::Failed(e) if e.contains("length")),
                        "{what}"
                    );
                }
            }
        }
    }
}

#[test]
fn errors_that_are_none() {
    let mut desk = Desk::new();
    for body in [
        &b""[..],
        b"\0",
        b"SERROR\0VERROR\0Mno code\0\0",
        b"C22012\0Mno severity\0\0",
        b"SERROR\0VERROR\0C22012\0\0",
        b"SERROR\0VERROR\0C22012\0Mnot terminated\0",
        b"SERROR\0VERROR\0C22012\0C22012\0Mtwice\0\0",
    ] {
        let bytes = [message(b'E', body), message(b'Z', b"I")].concat();
        for number in [0, 2, 5] {
            let (tags, end, _) = outcome(&mut desk, number, &bytes);
            assert!(
                matches!(&end, End::Failed(e) if e.contains("malformed ErrorResponse")),
                "{end:?}"
            );
            assert_eq!(tags, "");
        }
    }
}

/// Larger than what is held: it streams, and how it is cut into reads does not matter for what is
/// understood of it.
#[test]
fn an_error_of_a_megabyte() {
    let mut desk = Desk::new();
    let body = |head: &str| [head.as_bytes(), &[b'x'; 1 << 20], b"\0\0"].concat();
    for chunk in [1_000, 4_096, 16_384, 1 << 21] {
        for (head, end, code) in [
            ("SERROR\0VERROR\0C22012\0M", End::Done, Some("22012")),
            ("M", End::Failed(String::new()), None),
            (
                "SFATAL\0VFATAL\0C57P01\0M",
                End::Failed(String::new()),
                None,
            ),
        ] {
            desk.begin(script(0));
            let bytes = [message(b'E', &body(head)), message(b'Z', b"I")].concat();
            bytes.chunks(chunk).for_each(|bytes| {
                desk.feed(bytes);
                desk.check(chunk);
            });
            assert_eq!(
                std::mem::discriminant(&desk.end),
                std::mem::discriminant(&end),
                "{head:?} {:?}",
                desk.end
            );
            assert_eq!(desk.relay.error.map(|e| e.to_string()).as_deref(), code);
        }
    }
    const { assert!(ERROR_HEAD_BYTES < STATE_FRAME_BYTES_MAX) };
}

/// What follows a message that has not arrived whole waits for it, also what is our own.
#[test]
fn nothing_comes_between_the_parts_of_a_message() {
    let mut desk = Desk::new();
    let wide = message(b'T', &[b'x'; 5_000]);
    desk.begin(script(8));
    desk.feed(&message(b'1', b""));
    desk.feed(&wide[..3_000]);
    assert_eq!(
        (desk.end.clone(), desk.client_tags()),
        (End::Wants, "1?".into())
    );
    desk.feed(&wide[3_000..]);
    assert_eq!(
        (desk.end.clone(), desk.client_tags()),
        (End::Done, "1T1".into())
    );
}

#[test]
fn what_nobody_sees_ends_somewhere() {
    let mut desk = Desk::new();
    desk.begin(script(0));
    let flood = messages("A").concat().repeat(SWALLOWED_MAX + 1);
    desk.feed(&flood);
    assert!(matches!(&desk.end, End::Failed(e) if e.contains("without end")));
    assert_eq!(desk.output, b"");
    // What the client is shown flows as it can take it.
    desk.begin(script(0));
    desk.feed(&messages("N").concat().repeat(SWALLOWED_MAX + 1));
    desk.feed(&messages("TDCZ").concat());
    assert_eq!(desk.end, End::Done);
}

#[test]
fn settings_we_cannot_read_statements_by() {
    let mut desk = Desk::new();
    for (body, words) in [
        (
            &b"client_encoding\0LATIN1\0"[..],
            "client_encoding is LATIN1",
        ),
        (
            b"standard_conforming_strings\0off\0",
            "standard_conforming_strings is off",
        ),
        (b"TimeZone\0UTC", "malformed ParameterStatus"),
        (b"", "malformed ParameterStatus"),
    ] {
        let bytes = [
            &messages("TDC").concat()[..],
            &message(b'S', body),
            &message(b'Z', b"I"),
        ];
        let (tags, end, _) = outcome(&mut desk, 0, &bytes.concat());
        assert_eq!(tags, "TDC");
        assert!(
            matches!(&end, End::Failed(e) if e.contains(words)),
            "{end:?}"
        );
        desk = Desk::new();
    }
}

/// A row's beginning is with the client, its end has arrived and cannot be sent on: nothing can be said between.
#[tokio::test]
async fn a_row_is_torn_until_all_of_it_is_on_its_way() {
    let pair = || tokio::net::UnixStream::pair().expect("two sockets");
    let ((near, _server_end), (client, _client_end)) = (pair(), pair());
    let mut server = Connection::detached(crate::net::Stream::Unix(near));
    client.writable().await.expect("room");
    while client.try_write(&[0; 4096]).is_ok() {}
    let mut client = Buffered::new(crate::net::Stream::Unix(client));
    let mut relay = Relay::default();
    relay.push(Expect::Query {
        forward: Forward::ToClient,
        before: None,
        ends: false,
        stage: super::super::expect::Stage::Rows,
    });
    poll_fn(|cx| relay.poll_ask(&mut server, cx))
        .await
        .expect("asked");
    assert!(!relay.is_torn());
    let row = message(b'D', &[7; 2 * DIRECT_BYTES]);
    // The first is copied to the output, the second would be sent from where it is.
    for part in [&row[..100], &row[100..]] {
        server.input.extend_from_slice(part);
        poll_fn(|cx| {
            assert!(relay.poll_run(&mut server, &mut client, cx).is_pending());
            Poll::Ready(())
        })
        .await;
        assert!(relay.is_torn());
    }
}

/// Each message to the client by itself would wake it.
#[tokio::test]
async fn what_is_our_own_goes_with_what_the_server_says() {
    let pair = || tokio::net::UnixStream::pair().expect("two sockets");
    let ((near, _server_end), (client, client_end)) = (pair(), pair());
    let mut client_end = client_end.into_std().expect("a socket");
    let mut server = Connection::detached(crate::net::Stream::Unix(near));
    let mut client = Buffered::new(crate::net::Stream::Unix(client));
    let mut relay = Relay::default();
    let known = || Expect::Known((*b"s").into());
    let bind = Expect::Bind(Forward::ToClient);
    for expect in [known(), known(), bind, known(), Expect::Sync] {
        relay.push(expect);
    }
    let mut answers = Vec::new();
    for arrived in ["", "2", "Z"] {
        server.input.extend_from_slice(&messages(arrived).concat());
        poll_fn(|cx| {
            match relay.poll_run(&mut server, &mut client, cx) {
                Poll::Ready(done) => assert!(matches!(done, Ok(Paused::Done)), "{done:?}"),
                Poll::Pending => assert_ne!(arrived, "Z"),
            }
            Poll::Ready(())
        })
        .await;
        answers.extend_from_slice(&client.output.split());
        let mut sent = [0; 64];
        let sent = client_end.read(&mut sent).map(|length| &sent[..length]);
        answers.extend_from_slice(sent.unwrap_or_default());
        let expected = match arrived {
            "" => "",
            "2" => "112",
            // ReadyForQuery is made by the session.
            _ => "1121",
        };
        assert_eq!(answers, messages(expected).concat(), "{arrived}");
    }
    relay.push(known());
    relay.push(known());
    let done = poll_fn(|cx| relay.poll_run(&mut server, &mut client, cx)).await;
    assert!(matches!(done, Ok(Paused::Done)));
    assert_eq!(client.output, messages("11").concat());
}

/// Bytes that arrived before the question answer something else.
#[tokio::test]
async fn what_comes_before_the_question_is_no_answer() {
    let pair = || tokio::net::UnixStream::pair().expect("two sockets");
    for (ahead, fine) in [
        ("", true),
        ("N", true),
        ("NSA", true),
        ("NF", true),
        ("E", false),
        ("NE", false),
        ("EZ", false),
        ("D", false),
        ("Z", false),
        ("NTDCZ", false),
    ] {
        let (near, _far) = pair();
        let mut server = Connection::detached(crate::net::Stream::Unix(near));
        let mut relay = Relay::default();
        server.input.extend_from_slice(&messages(ahead).concat());
        assert_eq!(ask(&mut relay, &mut server).await.is_ok(), fine, "{ahead}");
        assert!(
            ask(&mut relay, &mut server).await.is_ok(),
            "it is on its way"
        );
    }
    // Who knows whether the rest says that it is fatal?
    let fatal = messages("F").concat();
    for end in 1..fatal.len() {
        let (near, _far) = pair();
        let mut server = Connection::detached(crate::net::Stream::Unix(near));
        server.input.extend_from_slice(&fatal[..end]);
        assert!(
            ask(&mut Relay::default(), &mut server).await.is_err(),
            "{end}"
        );
    }
    let (near, far) = pair();
    // In the socket, not read yet.
    let mut server = Connection::detached(crate::net::Stream::Unix(near));
    let mut relay = Relay::default();
    ask(&mut relay, &mut server).await.expect("nothing there");
    relay.reset();
    far.writable().await.expect("room");
    far.try_write(&messages("TDCZ").concat()).expect("room");
    while !server.stream.has_news() {
        tokio::task::yield_now().await;
    }
    let error = ask(&mut relay, &mut server)
        .await
        .expect_err("an old answer");
    assert!(error.message.contains("nobody asked for"), "{error}");
    assert_eq!(error.code.as_str(), "08006");
    server.input.clear();
    relay.reset();
    drop(far);
    while !server.stream.has_news() {
        tokio::task::yield_now().await;
    }
    let error = ask(&mut relay, &mut server).await.expect_err("the end");
    assert!(error.message.contains("was lost"), "{error}");
}

async fn ask(relay: &mut Relay, server: &mut Connection) -> Result<(), PgError> {
    poll_fn(|cx| relay.poll_ask(server, cx)).await
}

/// Right answers, cut, doubled, thinned out and scribbled over.
#[test]
fn whatever_a_server_says() {
    const ROUNDS: usize = 20_000;
    let seed = rand::random::<u64>();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let answers = [
        "TDDCZ", "bzTDCz", "12TDCZ", "2DsZ", "tTZ", "EZ", "312DCZ", "ZZ3Z", "1T", "2DC2C3Z",
    ];
    assert_eq!(answers.len(), SCRIPTS);
    for _ in 0..ROUNDS {
        let number = random.random_range(0..SCRIPTS);
        let mut server = messages(answers[number]);
        for _ in 0..random.random_range(0..4) {
            mutate(&mut random, &mut server);
        }
        let data = [&[number as u8, random.random()][..], &server.concat()].concat();
        fuzz(&data);
    }
}

fn mutate(random: &mut StdRng, server: &mut Vec<Vec<u8>>) {
    const LETTERS: &[u8] = b"TtDCbrEFNASZzeHGdcKR123nsIWV";
    let at = random.random_range(0..server.len().max(1));
    let letter = char::from(LETTERS[random.random_range(0..LETTERS.len())]);
    let other = messages(&letter.to_string()).remove(0);
    let Some(here) = server.get_mut(at) else {
        server.push(other);
        return;
    };
    match random.random_range(0..8) {
        0 => {
            server.remove(at);
        }
        1 => {
            let again = here.clone();
            server.insert(at, again);
        }
        2 => *here = other,
        3 => server.insert(at, other),
        4 => {
            let byte = random.random_range(0..here.len());
            here[byte] = random.random();
        }
        5 if here.len() >= 5 => {
            let length = [0, 3, 4, 5, 6, 100, 70_000, i32::MAX, -1][random.random_range(0..9)];
            here[1..5].copy_from_slice(&i32::to_be_bytes(length));
        }
        6 => {
            *here = message(
                here[0],
                &vec![random.random(); random.random_range(0..80_000)],
            )
        }
        _ => here.truncate(random.random_range(1..=here.len())),
    }
}
