//! The protocol and SQL as input: versions, lengths, messages out of place, function calls, encodings, and
//! statements made to hurt.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use integration_tests::clients::Pair;
use integration_tests::cluster::{APP, SERVICE};
use integration_tests::wire::{Format, Parameters, Reply, Script, Wire};
use integration_tests::{Cluster, Proxy, ProxyOptions, Setup};
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};

const PATIENCE: Duration = Duration::from_secs(30);

fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        Cluster::start(&Setup {
            default_shard: "create table sink (line text); grant all on sink to public",
            ..Setup::default()
        })
    })
}

/// In front of the cluster, with a second database in which nothing is sharded, for the user who
/// monitors the servers.
fn proxy() -> &'static Proxy {
    static PROXY: OnceLock<Proxy> = OnceLock::new();
    PROXY.get_or_init(|| {
        let port = cluster().primary_port(0);
        Proxy::start(
            cluster(),
            &ProxyOptions {
                top: "limits: { message_bytes: 4MiB }".to_owned(),
                users: format!(
                    "  - {{ name: {SERVICE}, password: {SERVICE}, databases: [ plain ] }}"
                ),
                database: format!(
                    "  plain:\n    shards:\n      only: {{ servers: [ \"127.0.0.1:{port}\" ], dbname: {APP} }}"
                ),
                ..ProxyOptions::default()
            },
        )
    })
}

fn pair() -> Pair {
    Pair::connect(proxy().port, cluster().oracle.port(), &[])
}

/// The same server-side database, without and with the proxy in front.
fn unsharded_pair() -> Pair {
    let connect = |port, database| {
        Wire::connect_as(port, SERVICE, SERVICE, &[("database", database)]).unwrap()
    };
    Pair {
        subject: connect(proxy().port, "plain"),
        oracle: connect(cluster().oracle.port(), APP),
    }
}

fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap();
    [&[tag][..], &length.to_be_bytes(), body].concat()
}

/// A connection of bytes, with no opinion of the protocol.
struct Raw {
    stream: TcpStream,
    process_id: Vec<u8>,
    key: Vec<u8>,
}

impl Raw {
    fn open(port: u16) -> Self {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self {
            stream,
            process_id: Vec::new(),
            key: Vec::new(),
        }
    }

    fn startup(port: u16, minor: u16, more: &[u8]) -> Self {
        let mut raw = Self::open(port);
        let body = [
            &[0, 3][..],
            &minor.to_be_bytes(),
            b"user\0app\0database\0app\0",
            more,
            b"\0",
        ]
        .concat();
        let length = u32::try_from(body.len() + 4).unwrap();
        raw.send(&length.to_be_bytes());
        raw.send(&body);
        raw
    }

    fn send(&mut self, bytes: &[u8]) {
        // The other side may have hung up, which the answers show.
        let _ = self.stream.write_all(bytes);
    }

    /// The next message; `None` where the connection has ended.
    fn message(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut head = [0; 5];
        self.stream.read_exact(&mut head).ok()?;
        let length = u32::from_be_bytes(head[1..].try_into().unwrap()) as usize;
        let mut body = vec![0; length - 4];
        self.stream.read_exact(&mut body).ok()?;
        Some((head[0], body))
    }

    /// Proves who it is; whatever comes then is for others to read.
    fn prove(&mut self) {
        let mut scram = ScramSha256::new(APP.as_bytes(), ChannelBinding::unsupported());
        assert_eq!(self.message().unwrap().1[3], 10);
        let first = scram.message();
        let length = u32::try_from(first.len()).unwrap().to_be_bytes();
        let initial = [SCRAM_SHA_256.as_bytes(), b"\0", &length, first].concat();
        self.send(&message(b'p', &initial));
        scram.update(&self.message().unwrap().1[4..]).unwrap();
        self.send(&message(b'p', scram.message()));
    }

    /// Logs in; what came before the demand for a password.
    fn login(port: u16, minor: u16, more: &[u8]) -> (Self, Vec<(u8, Vec<u8>)>) {
        let mut raw = Self::startup(port, minor, more);
        let mut before = Vec::new();
        let mut scram = ScramSha256::new(APP.as_bytes(), ChannelBinding::unsupported());
        loop {
            let (tag, body) = raw.message().unwrap();
            match (tag, body.get(3)) {
                (b'R', Some(10)) => {
                    let first = scram.message();
                    let length = u32::try_from(first.len()).unwrap().to_be_bytes();
                    let initial = [SCRAM_SHA_256.as_bytes(), b"\0", &length, first].concat();
                    raw.send(&message(b'p', &initial));
                }
                (b'R', Some(11)) => {
                    scram.update(&body[4..]).unwrap();
                    raw.send(&message(b'p', scram.message()));
                }
                (b'R', Some(12)) => scram.finish(&body[4..]).unwrap(),
                (b'R' | b'S', _) => {}
                (b'K', _) => {
                    raw.process_id = body[..4].to_vec();
                    raw.key = body[4..].to_vec();
                }
                (b'Z', _) => return (raw, before),
                _ => before.push((tag, body)),
            }
        }
    }

    /// Code and severity of each error up to the end of the connection.
    fn farewell(&mut self) -> Vec<(String, String)> {
        let mut errors = Vec::new();
        while let Some((tag, body)) = self.message() {
            if tag == b'E' {
                let reply = Reply { tag, body };
                let field = |name| reply.field(name).unwrap_or_default();
                errors.push((field(b'V'), field(b'C')));
            }
        }
        errors
    }
}

fn cancel(port: u16, process_id: &[u8], key: &[u8]) {
    let mut raw = Raw::open(port);
    let length = u32::try_from(12 + key.len()).unwrap();
    let code = 80_877_102u32.to_be_bytes();
    raw.send(&[&length.to_be_bytes()[..], &code, process_id, key].concat());
    assert!(raw.farewell().len() <= 1, "a cancel request has no answer");
}

fn code(replies: &[Reply]) -> Option<String> {
    let error = replies.iter().find(|reply| reply.tag == b'E')?;
    error.field(b'C')
}

fn fatal(code: &str) -> Vec<(String, String)> {
    vec![("FATAL".to_owned(), code.to_owned())]
}

#[test]
fn versions_are_negotiated() {
    let port = proxy().port;
    for minor in [0, 1, 2] {
        let (raw, before) = Raw::login(port, minor, b"");
        assert_eq!(before, [], "3.{minor} is spoken as it is");
        assert_eq!(raw.key.len(), if minor == 2 { 32 } else { 4 });
    }
    let options = b"_pq_.b\0x\0_pq_.a\0\0";
    let said = |version: u32, options: &[&str]| {
        let mut body = version.to_be_bytes().to_vec();
        body.extend(u32::try_from(options.len()).unwrap().to_be_bytes());
        for option in options {
            body.extend(option.as_bytes());
            body.push(0);
        }
        vec![(b'v', body)]
    };
    for minor in [3, 9_999] {
        let (raw, before) = Raw::login(port, minor, b"");
        assert_eq!(before, said(196_610, &[]), "3.{minor}");
        assert_eq!(raw.key.len(), 32);
    }
    let (_, before) = Raw::login(port, 0, options);
    assert_eq!(before, said(196_608, &["_pq_.a", "_pq_.b"]));
    let (_, before) = Raw::login(port, 2, options);
    assert_eq!(before, said(196_610, &["_pq_.a", "_pq_.b"]));
    let (mut other, body) = (Raw::open(port), [0, 0, 0, 8, 0, 4, 0, 0]);
    other.send(&body);
    assert_eq!(other.farewell(), fatal("08P01"));
}

/// A cancel key of 32 bytes stops its client's statement; every other key is ignored.
#[test]
fn long_cancel_keys() {
    let port = proxy().port;
    for minor in [0, 2] {
        let (mut raw, _) = Raw::login(port, minor, b"");
        let (id, key) = (raw.process_id.clone(), raw.key.clone());
        raw.send(&message(b'Q', b"select pg_sleep(60)\0"));
        let mut other = key.clone();
        *other.last_mut().unwrap() ^= 1;
        let longer = [&key[..], &[0]].concat();
        let longest = [&key[..], &vec![7; 256 - key.len()]].concat();
        for wrong in [&other, &key[..3].to_vec(), &longer, &longest, &vec![0; 257]] {
            cancel(port, &id, wrong);
        }
        raw.stream
            .set_read_timeout(Some(Duration::from_millis(300)))
            .unwrap();
        assert!(raw.message().is_none(), "nothing has stopped it");
        raw.stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let started = Instant::now();
        let told = loop {
            // The statement may not have reached its server when the first request comes.
            cancel(port, &id, &key);
            raw.stream
                .set_read_timeout(Some(Duration::from_secs(2)))
                .unwrap();
            match raw.message() {
                Some((b'E', body)) => break Reply { tag: b'E', body }.field(b'C'),
                Some(_) => {}
                None => assert!(started.elapsed() < PATIENCE),
            }
        };
        assert_eq!(told.as_deref(), Some("57014"));
    }
}

/// libpq 18 speaks 3.2 where it is asked to.
#[test]
fn libpq_speaks_3_2() {
    integration_tests::drivers::protocol(proxy().port);
}

#[test]
fn lengths_are_refused_before_the_message_is_there() {
    let port = proxy().port;
    let head = |tag: u8, length: u32| [&[tag][..], &length.to_be_bytes()].concat();
    let beyond = 4 * 1024 * 1024;
    for (tag, length, expected) in [
        (b'Q', beyond, "54000"),
        (b'P', beyond, "54000"),
        (b'F', beyond, "54000"),
        (b'Q', 0x3fff_ffff, "08P01"),
        (b'B', 0x3fff_ffff, "08P01"),
        (b'd', 0x3fff_ffff, "08P01"),
        (b'Q', 0x8000_0000, "08P01"),
        (b'Q', 3, "08P01"),
        (b'E', 10_001, "08P01"),
        (b'D', 10_001, "08P01"),
        (b'C', 10_001, "08P01"),
        (b'S', 5, "08P01"),
        (b'c', 10_001, "08P01"),
        (b'X', 10_001, "08P01"),
    ] {
        let (mut raw, _) = Raw::login(port, 0, b"");
        raw.send(&head(tag, length));
        let told = raw.farewell();
        assert_eq!(told, fatal(expected), "{} of {length}", char::from(tag));
    }
    // At the limit a message is taken.
    let mut wire = Wire::connect(port).unwrap();
    let text = format!("select 1 --{}", "x".repeat(beyond as usize - 20));
    assert_eq!(code(&wire.simple(&text).unwrap()), None);
    // The console's are short.
    let mut console = Wire::connect_as(port, APP, APP, &[("database", "trunkline")]).unwrap();
    console.send(&head(b'Q', 20_000)).unwrap();
    assert_eq!(
        console.reply().unwrap().field(b'C').as_deref(),
        Some("54000")
    );
}

/// In KiB: what is resident, and what was asked for and may become so.
fn memory_kib(proxy: &Proxy) -> [u64; 2] {
    let status = std::fs::read_to_string(format!("/proc/{}/status", proxy.pid())).unwrap();
    ["VmRSS:", "VmData:"].map(|name| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let digits = line.unwrap().trim_end_matches("kB").trim();
        digits.parse().unwrap()
    })
}

#[test]
fn what_a_length_claims_is_not_memory_yet() {
    const CLIENTS: usize = 200;
    const GROWTH_KIB: u64 = 10 * 1024;
    let options = ProxyOptions {
        top: "limits: { message_bytes: 4MiB }".to_owned(),
        ..ProxyOptions::default()
    };
    let proxy = Proxy::start(cluster(), &options);
    for (tag, body) in [
        (b'Q', b"selec"),
        (b'P', b"\0sele"),
        // Of the unnamed statement, with one value whose length is to come.
        (b'B', b"\0\0\0\0\0"),
    ] {
        let mut clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                let mut wire = Wire::connect(proxy.port).unwrap();
                let mut script = Script::new();
                wire.run(script.parse("", "select $1::text", &[25]).sync())
                    .unwrap();
                wire
            })
            .collect();
        let before = memory_kib(&proxy);
        let head = [&[tag][..], &(4 * 1024 * 1024 - 1_u32).to_be_bytes(), body].concat();
        for wire in &mut clients {
            wire.send(&head).unwrap();
        }
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(1) {
            let now = memory_kib(&proxy);
            let growth = [0, 1].map(|at| now[at].saturating_sub(before[at]));
            assert!(
                growth.iter().all(|growth| *growth < GROWTH_KIB),
                "{CLIENTS} of {}: {growth:?} KiB",
                char::from(tag)
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        // All of them are still waited for.
        for wire in &mut clients {
            wire.stream.set_nonblocking(true).unwrap();
            let nothing = wire.stream.read(&mut [0]).unwrap_err();
            assert_eq!(nothing.kind(), std::io::ErrorKind::WouldBlock);
        }
    }
}

#[test]
fn messages_out_of_place() {
    let port = proxy().port;
    // Unknown types, and a password nobody has asked for, are told from the header on.
    for tag in [b'p', b'y', b'z', 0, 255, b'R', b'Z'] {
        let (mut raw, _) = Raw::login(port, 0, b"");
        raw.send(&[tag, 0x3f, 0, 0, 0]);
        assert_eq!(raw.farewell(), fatal("08P01"), "{tag}");
    }
    for tag in *b"QPBEDCSHFXdcf" {
        let mut raw = Raw::startup(port, 0, b"");
        raw.send(&message(tag, b""));
        assert_eq!(raw.farewell(), fatal("08P01"), "{tag} before the login");
    }
    // What is left over of a COPY is ignored, as by PostgreSQL.
    let mut pair = pair();
    let stray = [
        message(b'd', b"1\n"),
        message(b'c', b""),
        message(b'f', b"no\0"),
        message(b'Q', b"select 1\0"),
    ];
    pair.same("stray COPY messages", |wire| {
        wire.send(&stray.concat())?;
        wire.replies()
    });
}

/// The console tells a pipeline once that it does not take it, and goes on after its Sync.
#[test]
fn the_console_speaks_the_simple_protocol() {
    let port = proxy().port;
    let connect = || Wire::connect_as(port, APP, APP, &[("database", "trunkline")]).unwrap();
    let tags = |replies: &[Reply]| -> String {
        replies.iter().map(|reply| char::from(reply.tag)).collect()
    };
    let mut console = connect();
    let mut pipeline = Script::new();
    pipeline
        .parse("", "show version", &[])
        .bind("", "", &Parameters::NONE)
        .describe_portal("")
        .execute("", 0)
        .query("show version")
        .sync();
    let replies = console.run(&pipeline).unwrap();
    assert_eq!(tags(&replies), "EZ");
    assert_eq!(code(&replies).as_deref(), Some("0A000"));
    assert_eq!(code(&console.simple("show version").unwrap()), None);
    console.send(&call(957, &[], &[], 0)).unwrap();
    assert_eq!(tags(&console.replies().unwrap()), "EZ");
    let stray = [
        message(b'd', b"1\n"),
        message(b'c', b""),
        message(b'f', b"no\0"),
        message(b'H', b""),
        message(b'S', b""),
    ];
    console.send(&stray.concat()).unwrap();
    assert_eq!(tags(&console.replies().unwrap()), "Z");
    for tag in [b'p', b'y', b'Z'] {
        let mut console = connect();
        console.send(&message(tag, b"")).unwrap();
        let told = console.reply().unwrap();
        let field = |name| told.field(name).unwrap_or_default();
        assert_eq!((field(b'V'), field(b'C')), ("FATAL".into(), "08P01".into()));
    }
}

/// What a login waits for a server counts too, and nothing the client sent is repeated in the log.
#[test]
fn logins_that_fail_late() {
    let proxy = Proxy::start(
        cluster(),
        &ProxyOptions {
            top: "limits: { login_timeout: 1s }".to_owned(),
            database: "    pool: { size: 1, wait: 60s }".to_owned(),
            environment: vec![("TRUNKLINE_LOG".to_owned(), "debug".to_owned())],
            ..ProxyOptions::default()
        },
    );
    let login = |parameters: &[&str]| {
        let mut raw = Raw::startup(proxy.port, 0, parameters.concat().as_bytes());
        raw.prove();
        raw.farewell()
    };
    let told = login(&["client_encoding\0swordfish\0"]);
    assert_eq!(told, fatal("0A000"));
    let mut holder = Wire::connect(proxy.port).unwrap();
    holder.simple("begin").unwrap();
    holder.simple("select * from sink").unwrap();
    assert_eq!(login(&[]), fatal("57014"));
    holder.simple("commit").unwrap();
    Wire::connect(proxy.port).unwrap();
    let log = proxy.log();
    assert!(
        log.contains("login failed") && log.contains("0A000"),
        "{log}"
    );
    assert!(!log.contains("swordfish"), "{log}");
}

/// PostgreSQL gives an error, and then has lost its place in the stream.
#[test]
fn a_statement_within_a_copy() {
    let told = |port: u16| {
        let (mut raw, _) = Raw::login(port, 0, b"");
        raw.send(&message(b'Q', b"copy sink from stdin\0"));
        while raw.message().unwrap().0 != b'G' {}
        raw.send(&message(b'd', b"lost\n"));
        raw.send(&message(b'Q', b"select 1\0"));
        raw.farewell()
    };
    let expected = told(cluster().oracle.port());
    assert_eq!(expected.first().map(|(_, code)| &**code), Some("08P01"));
    assert_eq!(told(proxy().port), expected);
    let mut wire = Wire::connect(proxy().port).unwrap();
    let replies = wire
        .simple("select count(*) from sink where line = 'lost'")
        .unwrap();
    let row = replies.iter().find(|reply| reply.tag == b'D').unwrap();
    assert_eq!(&row.body[6..], b"0");
}

/// An error, and the session goes on, where PostgreSQL's does.
#[test]
fn malformed_bodies() {
    let mut pair = pair();
    let mut check = |what: &str, tag: u8, body: &[u8]| {
        let simple = matches!(tag, b'Q' | b'F');
        let mut bytes = message(tag, body);
        if !simple {
            bytes.extend(message(b'S', b""));
        }
        for wire in [&mut pair.subject, &mut pair.oracle] {
            wire.send(&bytes).unwrap();
        }
        let expected = code(&pair.oracle.replies().unwrap());
        let found = code(&pair.subject.replies().unwrap());
        assert_eq!(found, expected, "{what}");
        pair.simple("select 1");
    };
    check("no NUL", b'Q', b"select 1");
    check("a NUL within", b'Q', b"select 1\0 + 1\0");
    check("nothing", b'Q', b"");
    check("parse without types", b'P', b"\0select 1\0");
    check(
        "parse with too many types",
        b'P',
        b"\0select 1\0\xff\xff\0\0\0\x17",
    );
    check("parse with more", b'P', b"\0select 1\0\0\0x");
    check("describe of what", b'D', b"Xa\0");
    check("describe of nothing", b'D', b"");
    check("close of what", b'C', b"Xa\0");
    check("execute without rows", b'E', b"\0\0\0");
    check("bind of nothing", b'B', b"");
    check("call of nothing", b'F', b"");
}

/// The format of the parameter that decides the shard is not guessed.
#[test]
fn unknown_format_codes() {
    let mut pair = pair();
    let organization = cluster().organization_on(1);
    for (what, format) in [("two", 2u16), ("minus one", 0xffff)] {
        let text = b"\0select organization_id from organizations where organization_id = $1\0\0\0";
        let value = organization.to_be_bytes();
        let bind = [
            &b"\0\0\0\x01"[..],
            &format.to_be_bytes(),
            b"\0\x01\0\0\0\x08",
            &value,
            b"\0\0",
        ];
        let bytes = [
            message(b'P', text),
            message(b'B', &bind.concat()),
            message(b'E', b"\0\0\0\0\0"),
            message(b'S', b""),
        ];
        // The Parse before it may be answered or not: it goes where the Bind goes.
        for wire in [&mut pair.subject, &mut pair.oracle] {
            wire.send(&bytes.concat()).unwrap();
            let told = code(&wire.replies().unwrap());
            assert_eq!(told.as_deref(), Some("22023"), "{what}");
        }
    }
}

fn call(function: u32, formats: &[u16], arguments: &[&[u8]], result: u16) -> Vec<u8> {
    let mut body = function.to_be_bytes().to_vec();
    let count = |list: usize| u16::try_from(list).unwrap().to_be_bytes();
    body.extend(count(formats.len()));
    formats.iter().for_each(|f| body.extend(f.to_be_bytes()));
    body.extend(count(arguments.len()));
    for argument in arguments {
        body.extend(u32::try_from(argument.len()).unwrap().to_be_bytes());
        body.extend_from_slice(argument);
    }
    body.extend(result.to_be_bytes());
    message(b'F', &body)
}

fn calls(pair: &mut Pair, what: &str, bytes: &[u8]) -> Vec<Reply> {
    pair.same(what, |wire| {
        wire.send(bytes)?;
        wire.replies()
    })
}

/// libpq's large-object functions, as libpq makes them.
fn large_object(pair: &mut Pair, object: u32) {
    let id = object.to_be_bytes();
    let four = |number: u32| number.to_be_bytes();
    calls(pair, "lo_create", &call(715, &[1], &[&id], 1));
    pair.simple("begin");
    let opened = calls(
        pair,
        "lo_open",
        &call(952, &[1], &[&id, &four(0x6_0000)], 1),
    );
    assert_eq!(opened[0].tag, b'V');
    let fd = &opened[0].body[4..].to_vec();
    let data = vec![b'x'; 100_000];
    calls(pair, "lowrite", &call(955, &[1], &[fd, &data], 1));
    calls(
        pair,
        "lo_lseek",
        &call(956, &[1], &[fd, &four(10), &four(0)], 1),
    );
    let read = calls(pair, "loread", &call(954, &[1], &[fd, &four(200_000)], 1));
    assert_eq!(read[0].body.len(), 4 + 99_990);
    calls(pair, "loread as text", &call(954, &[1], &[fd, &four(9)], 0));
    calls(pair, "lo_close", &call(953, &[1], &[fd], 1));
    pair.simple("commit");
    calls(
        pair,
        "lo_open outside",
        &call(952, &[1], &[&four(1), &four(0x4_0000)], 1),
    );
    calls(pair, "lo_unlink", &call(964, &[1], &[&id], 1));
    pair.simple("begin");
    calls(pair, "lo_unlink again", &call(964, &[1], &[&id], 1));
    calls(pair, "in a failed transaction", &call(964, &[1], &[&id], 1));
    pair.simple("rollback");
}

#[test]
fn function_calls() {
    let mut sharded = pair();
    large_object(&mut sharded, 4_242_421);
    // int4pl; a function of the user's would be as dark.
    let sum = call(177, &[0], &[b"40", b"2"], 0);
    sharded.subject.send(&sum).unwrap();
    let refused = sharded.subject.replies().unwrap();
    assert_eq!(code(&refused).as_deref(), Some("0A000"));
    assert_eq!(refused.len(), 2, "an error and ReadyForQuery");

    let mut plain = unsharded_pair();
    large_object(&mut plain, 4_242_422);
    calls(&mut plain, "in text", &sum);
    calls(
        &mut plain,
        "in binary",
        &call(177, &[1], &[&[0, 0, 0, 40], &[0, 0, 0, 2]], 1),
    );
    calls(
        &mut plain,
        "one in each",
        &call(177, &[0, 1], &[b"40", &[0, 0, 0, 2]], 1),
    );
    calls(
        &mut plain,
        "without formats",
        &call(177, &[], &[b"1", b"2"], 0),
    );
    let null = b"\0\0\0\xb1\0\0\0\x02\xff\xff\xff\xff\0\0\0\x01\x31\0\0";
    calls(&mut plain, "NULL", &message(b'F', null));
    calls(
        &mut plain,
        "an argument too few",
        &call(177, &[0], &[b"40"], 0),
    );
    calls(
        &mut plain,
        "not a number",
        &call(177, &[0], &[b"40", b"x"], 0),
    );
    calls(
        &mut plain,
        "no such function",
        &call(4_000_000_000, &[0], &[b"40"], 0),
    );
    calls(
        &mut plain,
        "no such format",
        &call(177, &[7], &[b"40", b"2"], 0),
    );
    // A transaction no server has heard of begins with the call.
    plain.simple("begin");
    calls(&mut plain, "in a transaction", &sum);
    calls(&mut plain, "fails it", &call(177, &[0], &[b"40", b"x"], 0));
    calls(&mut plain, "when it has failed", &sum);
    plain.simple("rollback");
    // It ends a pipeline, and is skipped in one that has failed.
    let mut open = Script::new();
    open.parse("", "select 7", &[])
        .bind("", "", &Parameters::NONE)
        .execute("", 0);
    plain.same("behind a pipeline", |wire| {
        wire.send_script(&open)?;
        wire.send(&sum)?;
        wire.replies()
    });
    let mut failing = Script::new();
    failing
        .parse("", "select 1/0", &[])
        .bind("", "", &Parameters::NONE)
        .execute("", 0);
    plain.same("in a failed pipeline", |wire| {
        wire.send_script(&failing)?;
        wire.send(&[sum.clone(), message(b'S', b"")].concat())?;
        wire.replies()
    });
    // What would stay on a shared connection is refused.
    for (function, arguments) in [
        (2_078, vec![&b"geqo"[..], b"off", b"f"]),
        (2_880, vec![&b"1"[..]]),
        (2_559, vec![]),
    ] {
        let bytes = call(function, &[], &arguments, 0);
        plain.subject.send(&bytes).unwrap();
        assert_eq!(
            code(&plain.subject.replies().unwrap()).as_deref(),
            Some("0A000")
        );
    }
    plain.simple("select 1");
}

/// The numbers in `frontend::call` are those of the catalog.
#[test]
fn functions_are_known_by_their_numbers() {
    let source = include_str!("../../src/frontend/call.rs");
    let mut wire = Wire::connect(proxy().port).unwrap();
    let mut known = 0;
    for entry in source.split('(') {
        let Some((number, rest)) = entry.split_once(", \"") else {
            continue;
        };
        let (Ok(number), Some((name, _))) = (number.parse::<u32>(), rest.split_once('"')) else {
            continue;
        };
        let sql = format!("select proname from pg_proc where oid = {number}");
        let replies = wire.simple(&sql).unwrap();
        let row = replies.iter().find(|reply| reply.tag == b'D').unwrap();
        assert_eq!(String::from_utf8_lossy(&row.body[6..]), name);
        known += 1;
    }
    assert!(known > 25, "{known}");
}

#[test]
fn texts_reach_the_server_as_they_are_or_not_at_all() {
    let mut pair = pair();
    let statement = |text: &[u8]| message(b'Q', &[b"select '", text, b"'\0"].concat());
    let valid: &[&[u8]] = &[
        "é".as_bytes(),
        "\u{feff}bom".as_bytes(),
        "\u{202e}right to left\u{202c}".as_bytes(),
        "\u{10ffff}".as_bytes(),
        "e\u{301}\u{200d}\u{2028}".as_bytes(),
    ];
    for text in valid {
        let replies = calls(&mut pair, "valid text", &statement(text));
        assert_eq!(&replies[1].body[6..], *text);
    }
    let invalid: &[&[u8]] = &[
        b"\xc0\x80", // an overlong NUL
        b"\xc0\xa7", // an overlong quote
        b"\xe0\x80\xa7",
        b"\xed\xa0\x80",     // a surrogate
        b"\xf4\x90\x80\x80", // beyond Unicode
        b"\xff",
        b"\xe9' or 'a",
        b"\xc3",
    ];
    for text in invalid {
        for wire in [&mut pair.subject, &mut pair.oracle] {
            wire.send(&statement(text)).unwrap();
            assert_eq!(
                code(&wire.replies().unwrap()).as_deref(),
                Some("22021"),
                "{text:?}"
            );
            let parse = [b"\0select '", *text, b"'\0\0\0"].concat();
            wire.send(&[message(b'P', &parse), message(b'S', b"")].concat())
                .unwrap();
            assert_eq!(
                code(&wire.replies().unwrap()).as_deref(),
                Some("22021"),
                "{text:?}"
            );
        }
        // As a parameter and as a portal's name it is the server's to refuse.
        let length = u32::try_from(text.len()).unwrap().to_be_bytes();
        let value = [b"\0\0\0\0\0\x01", &length[..], text, b"\0\0"].concat();
        let portal = [*text, b"\0\0\0\0\0\x01\0\0\0\x01a\0\0"].concat();
        for bind in [value, portal] {
            let bytes = [
                message(b'P', b"\0select $1::text\0\0\0"),
                message(b'B', &bind),
                message(b'E', b"\0\0\0\0\0"),
                message(b'S', b""),
            ];
            let replies = calls(&mut pair, "invalid in a Bind", &bytes.concat());
            assert_eq!(code(&replies).as_deref(), Some("22021"), "{text:?}");
        }
    }
    // A byte order mark or a no-break space is part of a name, not a blank.
    for text in ["\u{feff}select 1", "select\u{a0}1", "select 1\u{3000}"] {
        let found = pair.subject.simple(text).unwrap();
        let expected = pair.oracle.simple(text).unwrap();
        assert_eq!(code(&found), code(&expected), "{text:?}");
    }
    // Startup values are refused as a whole.
    for more in [
        &b"application_name\0\xc0\xa7\0"[..],
        b"\xff\0x\0",
        b"options\0-c a=\xff\0",
    ] {
        let mut raw = Raw::startup(proxy().port, 0, more);
        assert_eq!(raw.farewell(), fatal("08P01"));
    }
}

#[test]
fn the_encoding_stays_what_the_planner_reads() {
    let mut wire = Wire::connect(proxy().port).unwrap();
    for sql in [
        "set client_encoding to latin1",
        "set client_encoding = 'SJIS'",
        "set client_encoding to sql_ascii",
        "set names 'big5'",
        "set session client_encoding to sjis",
        "set local client_encoding to sjis",
        "select set_config('client_encoding', 'sjis', false)",
        "select pg_catalog.set_config('CLIENT_ENCODING', 'gbk', true)",
        "select set_config('client' || '_encoding', 'gbk', true)",
        "set standard_conforming_strings to off",
    ] {
        let told = code(&wire.simple(sql).unwrap());
        assert_eq!(told.as_deref(), Some("0A000"), "{sql}");
    }
    assert_eq!(
        code(&wire.simple("set client_encoding to utf8").unwrap()),
        None
    );
}

/// Processor time a proxy has taken, in seconds.
fn processor_seconds(proxy: &Proxy) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", proxy.pid())).unwrap();
    // Behind the name of the program, which may have blanks: `utime` and `stime`, in hundredths.
    let fields: Vec<&str> = stat
        .rsplit_once(')')
        .unwrap()
        .1
        .split_whitespace()
        .collect();
    let ticks = |at: usize| fields[at].parse::<f64>().unwrap();
    (ticks(11) + ticks(12)) / 100.0
}

/// As many keys as a Bind can have, up, down, and trickling in.
#[test]
fn binds_of_very_many_keys() {
    const KEYS: u16 = u16::MAX;
    let proxy = Proxy::start(cluster(), &ProxyOptions::default());
    let mut wire = Wire::connect(proxy.port).unwrap();
    let rows = |numbers: &mut dyn Iterator<Item = u16>| -> String {
        let rows: Vec<String> = numbers.map(|number| format!("(${number})")).collect();
        format!(
            "insert into organizations (organization_id) values {}",
            rows.join(",")
        )
    };
    let up = rows(&mut (1..=KEYS));
    let down = rows(&mut (1..=KEYS).rev());
    for (what, text, pieces) in [("up", &up, 1), ("down", &down, 1), ("trickled", &up, 40)] {
        let mut parse = Script::new();
        parse.parse(what, text, &[]).describe_statement(what).sync();
        assert_eq!(code(&wire.run(&parse).unwrap()), None, "{what}");
        let mut body = [b"\0", what.as_bytes(), b"\0\0\0"].concat();
        body.extend(KEYS.to_be_bytes());
        (0..KEYS).for_each(|_| body.extend(b"\0\0\0\x06424242"));
        body.extend([0, 0]);
        let bind = message(b'B', &body);
        let before = processor_seconds(&proxy);
        for piece in bind.chunks(bind.len().div_ceil(pieces)) {
            wire.send(piece).unwrap();
        }
        let mut rest = Script::new();
        rest.execute("", 0).sync();
        let replies = wire.run(&rest).unwrap();
        let took = processor_seconds(&proxy) - before;
        println!("{what}: {took} s");
        // It has come to the one server all keys lead to, which misses the other columns.
        assert_eq!(code(&replies).as_deref(), Some("23502"), "{what}");
        assert!(took < 5.0, "{what}: {took} s");
    }
}

/// What libpq sends under `LANG=C`: bytes go through as they are.
#[test]
fn clients_without_an_encoding() {
    let port = proxy().port;
    for parameters in [
        [("client_encoding", "SQL_ASCII")],
        [("options", "-c client_encoding=sql_ascii")],
    ] {
        let mut wire = Wire::connect_as(port, APP, APP, &parameters).unwrap();
        let replies = wire.simple("select 'Ä€', octet_length('Ä€')").unwrap();
        let row = "\0\x02\0\0\0\x05Ä€\0\0\0\x015".as_bytes();
        assert!(replies.iter().any(|reply| reply.body == row), "{replies:?}");
        let replies = wire.simple("show client_encoding").unwrap();
        let row = b"\0\x01\0\0\0\x04UTF8";
        assert!(replies.iter().any(|reply| reply.body == row), "{replies:?}");
    }
    let output = std::process::Command::new("psql")
        .args(["--no-psqlrc", "--tuples-only", "--no-align", "--command"])
        .arg("select 'Ä€'")
        .arg(format!(
            "postgresql://{APP}:{APP}@127.0.0.1:{port}/{APP}?connect_timeout=10"
        ))
        .env("PGCLIENTENCODING", "SQL_ASCII")
        .env("LC_ALL", "C")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "Ä€\n", "{told}");
}

/// Statements made to hurt get an error or an answer, soon, and nobody else waits for them.
#[test]
fn hostile_statements() {
    let port = proxy().port;
    let mut wire = Wire::connect(port).unwrap();
    let (deep, long) = (Some("54001"), Some("54001"));
    let nested = |open: &str, n: usize| format!("select {}1 from organizations", open.repeat(n));
    let cases: Vec<(&str, String, Option<&str>)> = vec![
        ("parentheses", nested("(", 100_000), deep),
        ("not", nested("not ", 100_000), deep),
        ("minus", nested("- ", 100_000), deep),
        ("subqueries", nested("(select ", 100_000), deep),
        ("arrays", nested("array[", 100_000), deep),
        ("case", nested("case when true then ", 100_000), deep),
        (
            "casts",
            format!("select 1{} from organizations", "::int".repeat(100_000)),
            deep,
        ),
        (
            "tokens",
            format!("select 1{} from organizations", ",1".repeat(500_000)),
            long,
        ),
        ("signs", nested("+", 1_000_000), long),
        ("statements", "select 1;".repeat(100_000), long),
        ("semicolons", ";".repeat(1_000_000), None),
        (
            "comments",
            format!("select 1 {}", "/*".repeat(5_000)),
            Some("42601"),
        ),
        (
            "quotes",
            format!("select '{}", "''".repeat(1_000_000)),
            Some("42601"),
        ),
        (
            "dollars",
            format!("select $a${}", "$a $b$".repeat(500_000)),
            Some("42601"),
        ),
    ];
    let mut other = Wire::connect(port).unwrap();
    other.simple("select 1").unwrap();
    for (what, text, expected) in cases {
        let mut script = Script::new();
        script.query(&text);
        let started = Instant::now();
        wire.send_script(&script).unwrap();
        let asked = Instant::now();
        other.simple("select 1").unwrap();
        let waited = asked.elapsed();
        let told = code(&wire.replies().unwrap());
        let took = started.elapsed();
        println!("{what}: {took:?}, the other waited {waited:?}");
        assert_eq!(told.as_deref(), expected, "{what}");
        assert!(took < Duration::from_secs(20), "{what}: {took:?}");
        assert!(waited < Duration::from_secs(5), "{what}: {waited:?}");
    }
    assert!(!proxy().log().contains("panicked"), "{}", proxy().log());
}

#[test]
fn a_prepared_statement_is_looked_up_once() {
    // Of its own: whatever else is looked up is counted, too.
    let proxy = Proxy::start(cluster(), &ProxyOptions::default());
    let mut wire = Wire::connect(proxy.port).unwrap();
    let counts = || {
        ["exact", "shape", "miss"].map(|result| {
            let name =
                format!("trunkline_plan_cache_total{{database=\"{APP}\",result=\"{result}\"}}");
            proxy.metric(&name).unwrap_or(0.0)
        })
    };
    assert_eq!(counts(), [0.0, 0.0, 0.0]);
    let mut parse = Script::new();
    let sql = "select name from organizations where organization_id = $1";
    parse
        .parse("of", sql, &[20])
        .describe_statement("of")
        .sync();
    wire.run(&parse).unwrap();
    for key in 1..=10i64 {
        let value = key.to_be_bytes();
        let mut script = Script::new();
        let parameters = Parameters {
            types: &[],
            values: &[Some(&value)],
            given: Format::Binary,
            wanted: Format::Text,
        };
        script.bind("", "of", &parameters).execute("", 0).sync();
        let replies = wire.run(&script).unwrap();
        assert!(replies.iter().any(|reply| reply.tag == b'C'), "{replies:?}");
    }
    assert_eq!(counts(), [0.0, 0.0, 1.0]);
    for (key, expected) in [(1, [0.0, 0.0, 2.0]), (2, [0.0, 1.0, 2.0])] {
        wire.simple(&format!(
            "select name, {key} from organizations where organization_id = {key}"
        ))
        .unwrap();
        assert_eq!(counts(), expected);
    }
    // A text that comes again is kept whole at its second time, and known by itself from then on.
    for expected in [[0.0, 2.0, 2.0], [1.0, 2.0, 2.0]] {
        wire.simple("select name, 2 from organizations where organization_id = 2")
            .unwrap();
        assert_eq!(counts(), expected);
    }
}
