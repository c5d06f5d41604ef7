//! Servers that lie, fall silent or die: it costs their statement and their connection, and never
//! another client's answer.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::fs;
use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use integration_tests::client::{connect_as, texts};
use integration_tests::fault::{Act, Armed, Rule, contains, eventually, message};
use integration_tests::wire::{Parameters, Reply, Script, Wire, cancel};
use integration_tests::{Cluster, Fault, Proxy, ProxyOptions, Setup};

/// Whoever suffers is told within this.
const TOLD_WITHIN: Duration = Duration::from_secs(8);
const GROWTH_MAX_KIB: u64 = 32 * 1024;

fn shared() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        Cluster::start(&Setup {
            shards: 1,
            sample: None,
            everywhere: "create table lies (id int primary key, text text);
                create table later (id int unique deferrable initially deferred)",
            ..Setup::default()
        })
    })
}

/// A proxy behind an in-between, and clients that must not notice what happens to another.
struct World {
    fault: Fault,
    proxy: Proxy,
    quiet: Option<Quiet>,
    numbers: AtomicUsize,
}

struct Quiet {
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<usize>>,
}

impl World {
    fn start(pool: &str) -> Self {
        Self::before(shared().primary_port(0), shared(), pool)
    }

    fn before(server: u16, cluster: &Cluster, pool: &str) -> Self {
        let fault = Fault::start(server);
        let options = ProxyOptions {
            database: format!("    pool: {{ {pool} }}"),
            in_between: vec![fault.port],
            ..ProxyOptions::default()
        };
        Self {
            proxy: Proxy::start(cluster, &options),
            fault,
            quiet: None,
            numbers: AtomicUsize::new(0),
        }
    }

    /// Two clients ask on and on, simple and extended, each question with an answer of its own.
    fn with_quiet_clients(mut self) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let client = |name: &'static str| {
            let (stop, port) = (Arc::clone(&stop), self.proxy.port);
            thread::spawn(move || {
                let mut wire = Wire::connect(port).unwrap();
                let mut asked = 0;
                while !stop.load(Ordering::SeqCst) {
                    let answer = format!("{name}-{asked}");
                    let sql = format!("select '{answer}'");
                    let replies = match asked % 2 {
                        0 => wire.simple(&sql).unwrap(),
                        _ => wire.extended(&sql, &Parameters::NONE).unwrap(),
                    };
                    assert_eq!(rows(&replies), [answer], "{replies:?}");
                    asked += 1;
                    thread::sleep(Duration::from_millis(1));
                }
                asked
            })
        };
        let clients = vec![client("quiet"), client("still")];
        self.quiet = Some(Quiet { stop, clients });
        self
    }

    fn marker(&self) -> String {
        let number = self.numbers.fetch_add(1, Ordering::SeqCst);
        format!("mark{number:04}.")
    }

    /// The connection that was tampered with is closed and was used for nothing else.
    fn poisoned(&self, what: &str, armed: &Armed) {
        assert_eq!(armed.fired(), 1, "{what}: the rule has not acted");
        let conn = armed.connection().unwrap();
        eventually(&format!("{what}: the connection is closed"), || {
            conn.is_over()
        });
        let since = armed.sent_since();
        assert!(
            !contains(&since, b"select 'quiet-") && !contains(&since, b"select 'still-"),
            "{what}: another client's statement was sent on it"
        );
    }

    /// All is as it should be in the end.
    fn end(mut self) {
        self.fault.disarm();
        if let Some(quiet) = self.quiet.take() {
            quiet.stop.store(true, Ordering::SeqCst);
            for client in quiet.clients {
                assert!(client.join().unwrap() > 0);
            }
        }
        let mut wire = Wire::connect(self.proxy.port).unwrap();
        for number in 0..10 {
            let answer = format!("after-{number}");
            let replies = wire.simple(&format!("select '{answer}'")).unwrap();
            assert_eq!(rows(&replies), [answer]);
        }
        let log = self.proxy.log();
        assert!(!log.contains("panicked"), "{log}");
    }
}

fn rows(replies: &[Reply]) -> Vec<String> {
    let rows = replies.iter().filter(|reply| reply.tag == b'D');
    rows.map(|row| String::from_utf8_lossy(row.body.get(6..).unwrap_or_default()).into_owned())
        .collect()
}

fn code(replies: &[Reply]) -> Option<String> {
    let error = replies.iter().find(|reply| reply.tag == b'E')?;
    error.field(b'C')
}

/// How a client may suffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// 08006 in words, then ReadyForQuery: the client goes on.
    Told,
    /// The answer was torn: its connection ends.
    Cut,
    /// Either, depending on what had been passed on.
    Either,
    /// It gets its right answer, and the connection is closed behind it.
    Unharmed,
    /// It waits as it would for PostgreSQL, until it goes.
    Waits,
}

#[derive(Clone, Copy, Debug)]
enum Way {
    Simple,
    Extended,
    /// A statement prepared before, executed twice in a pipeline.
    Pipelined,
}

fn ask(wire: &mut Wire, way: Way, sql: &str) -> std::io::Result<Vec<Reply>> {
    match way {
        Way::Simple => wire.simple(sql),
        Way::Extended => wire.extended(sql, &Parameters::NONE),
        Way::Pipelined => {
            let mut script = Script::new();
            script.parse("p", sql, &[]);
            for _ in 0..2 {
                script
                    .bind("", "p", &Parameters::NONE)
                    .describe_portal("")
                    .execute("", 0);
            }
            wire.run(script.sync())
        }
    }
}

/// One client asks, one rule acts.
fn suffer(world: &World, way: Way, sql: &str, tag: u8, act: Act, fate: Fate) {
    suffer_after(world, way, sql, (tag, 0), act, fate);
}

fn suffer_after(world: &World, way: Way, sql: &str, on: (u8, usize), act: Act, fate: Fate) {
    let marker = world.marker();
    let shown = format!("{act:?}").chars().take(80).collect::<String>();
    let what = format!("{way:?} {sql} on {}: {shown}", char::from(on.0));
    let armed = world.fault.arm(Rule::on(&marker, on.0, act).after(on.1));
    let mut wire = Wire::connect(world.proxy.port).unwrap();
    if fate == Fate::Waits {
        wire.stream
            .set_read_timeout(Some(Duration::from_millis(1500)))
            .unwrap();
    }
    let started = Instant::now();
    let text = match sql.contains("MARK") {
        true => sql.replace("MARK", &marker),
        false => format!("{sql} /* {marker} */"),
    };
    let mut outcome = ask(&mut wire, way, &text);
    if let Ok(replies) = &mut outcome
        && replies.last().is_some_and(|reply| reply.tag == b'G')
    {
        // It was said to copy, and is then told.
        outcome = wire.replies();
    }
    let took = started.elapsed();
    assert!(took < TOLD_WITHIN, "{what}: took {took:?}");
    let told = |replies: &[Reply]| {
        let mut errors = replies.iter().rev().filter(|reply| reply.tag == b'E');
        errors.next().is_some_and(|error| {
            let text = error.field(b'M').unwrap_or_default();
            error.field(b'C').as_deref() == Some("08006") && text.contains("s1")
        })
    };
    match (&outcome, fate) {
        (Ok(replies), Fate::Told | Fate::Either) => {
            assert!(told(replies), "{what}: {replies:?}");
            assert_eq!(replies.last().unwrap().tag, b'Z', "{what}");
            let again = wire.simple("select 'again'");
            assert_eq!(rows(&again.unwrap()), ["again"], "{what}");
        }
        (Ok(replies), Fate::Unharmed) => {
            assert_eq!(code(replies), None, "{what}: {replies:?}");
            let again = wire.simple("select 'again'").unwrap();
            assert_eq!(rows(&again), ["again"], "{what}");
        }
        (Err(error), Fate::Cut | Fate::Either) => {
            assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock, "{what}");
        }
        (Err(error), Fate::Waits) => {
            assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock, "{what}");
        }
        _ => panic!("{what}: {outcome:?}"),
    }
    drop(wire);
    world.poisoned(&what, &armed);
    world.fault.disarm();
}

const WAYS: [Way; 3] = [Way::Simple, Way::Extended, Way::Pipelined];

#[test]
fn wrong_kinds_of_messages() {
    let world = World::start("size: 4").with_quiet_clients();
    let row = message(b'D', b"\0\x01\0\0\0\x06stolen");
    let done = message(b'C', b"SELECT 1\0");
    let ready = message(b'Z', b"I");
    for way in WAYS {
        let sql = "select 'mine'";
        for (tag, act) in [
            (b'T', Act::Drop),
            (b'C', Act::Drop),
            (b'D', Act::Before(ready.clone())),
            (b'T', Act::Before(row.clone())),
            (b'C', Act::Replace(message(b's', b""))),
            (b'C', Act::Replace(message(b'1', b""))),
            (b'T', Act::Replace(message(b'G', b"\0\0\0"))),
            (b'T', Act::Before(message(b'd', b"x"))),
            (b'D', Act::Before(message(b'R', b"\0\0\0\0"))),
            (b'D', Act::Before(message(b'K', b"\0\0\0\x01\0\0\0\x02"))),
            (b'D', Act::Before(message(b'V', b"\0\0\0\0"))),
            (b'D', Act::Before(message(b'W', b"\0\0\0"))),
            (b'Z', Act::Replace(message(b'Z', b"?"))),
            (b'Z', Act::Replace(message(b'Z', b""))),
            (b'Z', Act::Replace(message(b'Z', b"T"))),
            (b'Z', Act::Replace(message(b'Z', b"E"))),
            (b'Z', Act::Replace(message(b'Z', b"II"))),
        ] {
            suffer(&world, way, sql, tag, act, Fate::Told);
        }
        for more in [
            &row,
            &done,
            &ready,
            &[row.clone(), done.clone(), ready.clone()].concat(),
        ] {
            suffer(
                &world,
                way,
                sql,
                b'Z',
                Act::After(more.clone()),
                Fate::Unharmed,
            );
        }
    }
    for way in [Way::Extended, Way::Pipelined] {
        for (tag, act) in [
            (b'1', Act::Replace(row.clone())),
            (b'1', Act::Drop),
            (b'2', Act::Drop),
            (b'2', Act::Double),
            (b'1', Act::Double),
        ] {
            suffer(&world, way, "select 'mine'", tag, act, Fate::Told);
        }
    }
    world.end();
}

#[test]
fn lengths() {
    let world = World::start("size: 4").with_quiet_clients();
    let before = status_kib(&world.proxy, "VmRSS:");
    let all: [(Way, &str, &[u8]); 6] = [
        (
            Way::Simple,
            "select 'mine' from generate_series(1, 3)",
            b"TDCZ",
        ),
        (
            Way::Simple,
            "select 1 / (n - 2) from generate_series(1, 3) n",
            b"EZ",
        ),
        (Way::Simple, "copy (select 'mine') to stdout", b"HdcC"),
        (Way::Simple, "set /* MARK */ timezone to 'CET'", b"S"),
        (Way::Extended, "select 'mine'", b"12TDCZ"),
        (Way::Pipelined, "select 'mine'", b"12TDCZ"),
    ];
    for (way, sql, tags) in all {
        for tag in tags {
            for length in [0, 3, -1, i32::MIN] {
                suffer(&world, way, sql, *tag, Act::Length(length), Fate::Told);
            }
            let streams = matches!(tag, b'T' | b'D' | b'd' | b'E');
            if !streams {
                suffer(&world, way, sql, *tag, Act::Length(i32::MAX), Fate::Told);
            }
        }
    }
    // A length of gigabytes and then silence: the client waits, and nothing is held for it.
    for (way, sql, tag) in [
        (Way::Simple, "select 'mine'", b'D'),
        (Way::Extended, "select 'mine'", b'D'),
        (Way::Simple, "select 'mine'", b'T'),
        (Way::Simple, "copy (select 'mine') to stdout", b'd'),
        (Way::Simple, "select 1 / 0", b'E'),
        (
            Way::Simple,
            "create table if not exists lies (id int)",
            b'N',
        ),
    ] {
        suffer(&world, way, sql, tag, Act::Length(i32::MAX), Fate::Waits);
    }
    // What follows is swallowed or read at the wrong place.
    for (way, sql, tag, off) in [
        (
            Way::Simple,
            "select 'mine' from generate_series(1, 9)",
            b'D',
            4,
        ),
        (
            Way::Simple,
            "select 'mine' from generate_series(1, 9)",
            b'D',
            -4,
        ),
        (
            Way::Extended,
            "select 'mine' from generate_series(1, 9)",
            b'T',
            7,
        ),
        (Way::Simple, "select 'mine'", b'C', -3),
        (Way::Simple, "select 'mine'", b'C', 2),
        (Way::Simple, "select 'mine'", b'Z', 1),
        (Way::Simple, "select 1 / 0", b'E', -2),
        (Way::Simple, "select 1 / 0", b'E', 3),
    ] {
        suffer(&world, way, sql, tag, Act::LengthOff(off), Fate::Either);
    }
    let growth = status_kib(&world.proxy, "VmHWM:").saturating_sub(before);
    assert!(growth < GROWTH_MAX_KIB, "grew by {growth} KiB");
    world.end();
}

#[test]
fn errors_that_are_none() {
    let world = World::start("size: 4").with_quiet_clients();
    for way in WAYS {
        for body in [
            &b""[..],
            b"\0",
            b"SERROR\0VERROR\0Mno code\0\0",
            b"SERROR\0VERROR\0C22012\0\0",
            b"C22012\0Mno severity\0\0",
            b"SERROR\0VERROR\0C22012\0Mnot terminated\0",
            b"SERROR\0VERROR\0C22012\0Mnot terminated",
            b"SERROR\0VERROR\0C22012\0C22012\0C22012\0Mrepeated\0\0",
        ] {
            let act = Act::Replace(message(b'E', body));
            suffer(&world, way, "select 1 / 0", b'E', act, Fate::Told);
        }
        suffer(&world, way, "select 1 / 0", b'E', Act::Double, Fate::Told);
    }
    // A megabyte of it is the client's to read, and costs no connection.
    let marker = world.marker();
    let long = [
        b"SERROR\0VERROR\0C22012\0M",
        &vec![b'x'; 1 << 20][..],
        b"\0\0",
    ]
    .concat();
    let armed = world
        .fault
        .arm(Rule::on(&marker, b'E', Act::Replace(message(b'E', &long))));
    let mut wire = Wire::connect(world.proxy.port).unwrap();
    let replies = wire
        .simple(&format!("select 1 / 0 /* {marker} */"))
        .unwrap();
    assert_eq!(code(&replies).as_deref(), Some("22012"));
    assert_eq!(replies[0].field(b'M').unwrap().len(), 1 << 20);
    assert_eq!(armed.fired(), 1);
    world.end();
}

#[test]
fn parameters_and_notices_nobody_asked_for() {
    let world = World::start("size: 4").with_quiet_clients();
    let before = status_kib(&world.proxy, "VmRSS:");
    let parameter =
        |name: &str, value: &str| message(b'S', format!("{name}\0{value}\0").as_bytes());
    let notice = message(b'N', b"SNOTICE\0VNOTICE\0C00000\0Mnot for you\0\0");
    for way in WAYS {
        for bytes in [
            parameter("client_encoding", "LATIN1"),
            parameter("standard_conforming_strings", "off"),
            message(b'S', b""),
            message(b'S', b"TimeZone"),
            message(b'S', b"TimeZone\0UTC"),
            message(b'S', b"TimeZone\0UTC\0more\0"),
            (0..200)
                .flat_map(|n| parameter(&format!("new{n}"), "x"))
                .collect(),
            (0..50)
                .flat_map(|n| parameter(&format!("new{n}"), &"x".repeat(50_000)))
                .collect(),
        ] {
            suffer(
                &world,
                way,
                "select 'mine'",
                b'C',
                Act::Before(bytes),
                Fate::Told,
            );
        }
        // On an idle connection: closed, and the next client hears nothing of it. (The quiet clients
        // compare rows; that nothing else reaches them is seen below, on a pool of one.)
        let own = parameter("TimeZone", "Mars");
        for bytes in [own, notice.clone(), message(b'A', b"\0\0\0\x01c\0\0")] {
            suffer(
                &world,
                way,
                "select 'mine'",
                b'Z',
                Act::After(bytes),
                Fate::Unharmed,
            );
        }
    }
    // A million of them flow through; a million notifications end the connection.
    let flood = parameter("TimeZone", "Mars").repeat(1_000_000);
    let marker = world.marker();
    let armed = world.fault.arm(Rule::on(&marker, b'C', Act::Before(flood)));
    let mut wire = Wire::connect(world.proxy.port).unwrap();
    let replies = wire
        .simple(&format!("select 'mine' /* {marker} */"))
        .unwrap();
    assert_eq!(
        (rows(&replies), armed.fired()),
        (vec!["mine".to_owned()], 1)
    );
    let flood = message(b'A', b"\0\0\0\x01channel\0\0").repeat(1_000_000);
    suffer(
        &world,
        Way::Simple,
        "select 'mine'",
        b'C',
        Act::Before(flood),
        Fate::Told,
    );
    let growth = status_kib(&world.proxy, "VmHWM:").saturating_sub(before);
    assert!(growth < GROWTH_MAX_KIB, "grew by {growth} KiB");
    world.end();
}

/// On a pool of one connection, what a server says after its answer reaches nobody: not at once, not a
/// little later, not in pieces.
#[test]
fn late_bytes_reach_nobody() {
    let world = World::start("size: 1");
    let row = message(b'D', b"\0\x01\0\0\0\x06stolen");
    let columns = message(
        b'T',
        b"\0\x01a\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0",
    );
    let done = message(b'C', b"SELECT 1\0");
    let ready = message(b'Z', b"I");
    let notice = message(b'N', b"SNOTICE\0VNOTICE\0C00000\0Mnot for you\0\0");
    let error = message(b'E', b"SERROR\0VERROR\0C22012\0Mnot for you\0\0");
    let answer = [&columns[..], &row, &done, &ready].concat();
    for late in [&row, &done, &ready, &notice, &error, &answer] {
        for (way, delay) in WAYS
            .into_iter()
            .flat_map(|way| [0, 10, 30].map(|delay| (way, delay)))
        {
            let marker = world.marker();
            let act = match delay {
                0 => Act::After(late.clone()),
                _ => Act::Later(Duration::from_millis(delay), late.clone()),
            };
            let armed = world.fault.arm(Rule::on(&marker, b'Z', act));
            let mut first = Wire::connect(world.proxy.port).unwrap();
            let mut second = Wire::connect(world.proxy.port).unwrap();
            let replies = ask(&mut first, way, &format!("select 'mine' /* {marker} */")).unwrap();
            assert!(
                rows(&replies).iter().all(|row| row == "mine"),
                "{replies:?}"
            );
            // Within the time a connection used a moment ago is trusted.
            eventually("it is late", || delay == 0 || armed.was_late());
            let asked = format!("second {marker}");
            let replies = ask(&mut second, way, &format!("select '{asked}'")).unwrap();
            assert!(!rows(&replies).is_empty(), "{replies:?}");
            assert!(
                rows(&replies).iter().all(|row| *row == asked),
                "{replies:?}"
            );
            assert!(replies.iter().all(|reply| reply.tag != b'N'), "{replies:?}");
            world.poisoned("late", &armed);
            world.fault.disarm();
        }
    }
    // In a transaction the connection stays with its client, who is told.
    for late in [&row, &done, &ready, &error, &answer] {
        let marker = world.marker();
        let act = Act::After(late.clone());
        let mut wire = Wire::connect(world.proxy.port).unwrap();
        wire.simple("begin").unwrap();
        wire.simple("select count(*) from lies").unwrap();
        let armed = world.fault.arm(Rule::on(&marker, b'Z', act));
        let replies = wire
            .simple(&format!("select 'mine' /* {marker} */"))
            .unwrap();
        assert_eq!(rows(&replies), ["mine"]);
        let replies = wire.simple("select 'next'").unwrap();
        assert_eq!(code(&replies).as_deref(), Some("08006"), "{replies:?}");
        assert_eq!(wire.simple("rollback").unwrap()[0].body, b"ROLLBACK\0");
        world.poisoned("late in a transaction", &armed);
        world.fault.disarm();
    }
    world.end();
}

/// A server that says a transaction is over while it is not would have it joined by the next client.
#[test]
fn transactions_that_are_said_to_be_over() {
    let world = World::start("size: 1");
    for (sql, tag) in [("select 'mine'", b'Z'), ("select 1 / 0", b'Z')] {
        let marker = world.marker();
        let mut wire = Wire::connect(world.proxy.port).unwrap();
        wire.simple("begin; insert into lies values (71, 'lost')")
            .unwrap();
        let lie = Act::Replace(message(b'Z', b"I"));
        let armed = world.fault.arm(Rule::on(&marker, tag, lie));
        let replies = wire.simple(&format!("{sql} /* {marker} */")).unwrap();
        let last = replies.iter().rfind(|reply| reply.tag == b'E').unwrap();
        assert_eq!(last.field(b'C').as_deref(), Some("08006"), "{replies:?}");
        world.poisoned("said to be over", &armed);
        world.fault.disarm();
        let mut other = Wire::connect(world.proxy.port).unwrap();
        assert_eq!(
            rows(
                &other
                    .simple("select count(*) from lies where id = 71")
                    .unwrap()
            ),
            ["0"]
        );
    }
    // A COMMIT that fails ends its transaction by right, and costs nothing.
    let mut wire = Wire::connect(world.proxy.port).unwrap();
    let pid = |wire: &mut Wire| rows(&wire.simple("select pg_backend_pid()").unwrap());
    let before = pid(&mut wire);
    wire.simple("begin; insert into later values (1), (1)")
        .unwrap();
    let replies = wire.simple("commit").unwrap();
    assert_eq!(code(&replies).as_deref(), Some("23505"), "{replies:?}");
    assert_eq!(replies.last().unwrap().body, b"I");
    let replies = wire
        .simple("begin; insert into later values (1), (1); commit")
        .unwrap();
    assert_eq!(code(&replies).as_deref(), Some("23505"), "{replies:?}");
    wire.simple("begin; insert into later values (1), (1)")
        .unwrap();
    let replies = wire.simple("select 1; commit").unwrap();
    assert_eq!(code(&replies).as_deref(), Some("23505"), "{replies:?}");
    let replies = wire
        .simple("begin; select 1; savepoint s; select 1/0")
        .unwrap();
    assert_eq!(code(&replies).as_deref(), Some("22012"), "{replies:?}");
    assert_eq!(code(&wire.simple("rollback to s").unwrap()), None);
    assert_eq!(code(&wire.simple("commit and chain").unwrap()), None);
    assert_eq!(code(&wire.simple("select 1; rollback").unwrap()), None);
    assert_eq!(pid(&mut wire), before, "the connection was kept throughout");
    world.end();
}

#[test]
fn silence() {
    let world = World::start("size: 4, connect: 3s, wait: 10s").with_quiet_clients();
    // After a query: the client waits as it would for PostgreSQL, and leaves; its slot is free again.
    for way in WAYS {
        suffer(&world, way, "select 'mine'", b'T', Act::Hold, Fate::Waits);
        suffer(&world, way, "select 'mine'", b'Z', Act::Hold, Fate::Waits);
    }
    let marker = world.marker();
    let armed = world.fault.arm(Rule::at_request(&marker, Act::Hold));
    let mut wire = Wire::connect(world.proxy.port).unwrap();
    let mut script = Script::new();
    script.query(&format!("select 'mine' /* {marker} */"));
    wire.send_script(&script).unwrap();
    eventually("it is asked", || armed.fired() == 1);
    // A cancel is delivered, and the server still says nothing.
    let started = Instant::now();
    cancel(world.proxy.port, wire.key);
    assert!(started.elapsed() < TOLD_WITHIN);
    drop(wire);
    world.poisoned("no answer at all", &armed);
    world.fault.disarm();
    // Settings to be brought to a connection.
    let marker = world.marker();
    let armed = world.fault.arm(Rule::on(&marker, b'C', Act::Hold));
    let started = Instant::now();
    let name = format!("app {marker}");
    let parameters = [("database", "app"), ("application_name", name.as_str())];
    assert!(Wire::connect_as(world.proxy.port, "app", "app", &parameters).is_err());
    assert!(started.elapsed() < TOLD_WITHIN);
    world.poisoned("settings", &armed);
    world.fault.disarm();
    // Our own BEGIN, and a SET that is tried out and rolled back.
    let marker = world.marker();
    let mut wire = Wire::connect(world.proxy.port).unwrap();
    wire.simple("begin").unwrap();
    let armed = world.fault.arm(Rule::on(&marker, b'C', Act::Hold).after(1));
    let started = Instant::now();
    let replies = wire
        .simple(&format!("set local application_name to '{marker}'"))
        .unwrap();
    assert_eq!(code(&replies).as_deref(), Some("08006"), "{replies:?}");
    assert!(started.elapsed() < TOLD_WITHIN);
    world.poisoned("a SET on trial", &armed);
    world.end();
}

#[test]
fn silence_while_logging_in() {
    for act in [Act::Hold, Act::Fin(0)] {
        let world = World::start("size: 2, connect: 1s, wait: 3s");
        let mut wires: Vec<_> = (0..3)
            .map(|_| Wire::connect(world.proxy.port).unwrap())
            .collect();
        assert_eq!(world.fault.open(), 1, "one connection was enough so far");
        let armed = world.fault.arm(Rule::at_startup(act));
        let started = Instant::now();
        let mut script = Script::new();
        script.query("select pg_sleep(0.3)");
        for wire in &mut wires {
            wire.send_script(&script).unwrap();
        }
        let replies: Vec<_> = wires
            .iter_mut()
            .map(|wire| wire.replies().unwrap())
            .collect();
        assert!(started.elapsed() < TOLD_WITHIN);
        let failed: Vec<_> = replies.iter().filter_map(|replies| code(replies)).collect();
        // Who waits for it in vain is told, or gets the one that works.
        assert!(failed.iter().all(|code| code == "08006"), "{replies:?}");
        world.poisoned("login", &armed);
        world.end();
    }
}

#[test]
fn death() {
    let world = World::start("size: 4").with_quiet_clients();
    let many = "select repeat('x', 1000) from generate_series(1, 100)";
    for way in WAYS {
        for whole in [false, true] {
            let bytes = if whole { 0 } else { 500 };
            let fate = if whole { Fate::Told } else { Fate::Cut };
            suffer_after(&world, way, many, (b'D', 50), Act::Fin(bytes), fate);
            suffer_after(&world, way, many, (b'D', 50), Act::Rst(bytes), fate);
        }
        for act in [Act::Fin(0), Act::Rst(0), Act::Fin(2), Act::Fin(5)] {
            suffer(&world, way, "select 'mine'", b'Z', act.clone(), Fate::Told);
            suffer(&world, way, "select 'mine'", b'C', act, Fate::Told);
        }
    }
    // Between the statements of a pipeline.
    suffer_after(
        &world,
        Way::Pipelined,
        "select 'mine'",
        (b'2', 1),
        Act::Fin(0),
        Fate::Told,
    );
    let copy = "copy (select repeat('x', 1000) from generate_series(1, 100)) to stdout";
    suffer_after(
        &world,
        Way::Simple,
        copy,
        (b'd', 50),
        Act::Fin(0),
        Fate::Told,
    );
    suffer_after(
        &world,
        Way::Simple,
        copy,
        (b'd', 50),
        Act::Rst(700),
        Fate::Cut,
    );
    // Between two statements of a transaction, and while it commits.
    let marker = world.marker();
    let mut wire = Wire::connect(world.proxy.port).unwrap();
    wire.simple("begin; insert into lies values (2, 'lost')")
        .unwrap();
    let armed = world.fault.arm(Rule::on(&marker, b'C', Act::Fin(0)));
    let replies = wire.simple(&format!("commit /* {marker} */ work")).unwrap();
    assert_eq!(code(&replies).as_deref(), Some("08006"), "{replies:?}");
    let hint = replies[0].field(b'H').unwrap();
    assert!(hint.contains("not known"), "{hint}");
    world.poisoned("commit", &armed);
    world.end();
}

/// The server dies while a client is in the middle of a CopyData: the rest of it is data still.
#[test]
fn death_while_copying_in() {
    let world = World::start("size: 2").with_quiet_clients();
    for act in [Act::Fin(0), Act::Rst(0)] {
        let marker = world.marker();
        let mut wire = Wire::connect(world.proxy.port).unwrap();
        let replies = wire.simple("copy lies from stdin").unwrap();
        assert_eq!(replies.last().unwrap().tag, b'G', "{replies:?}");
        // Half a message, which the proxy passes on; the other half looks like messages of its own.
        let hidden = message(b'Q', b"insert into lies values (666, 'smuggled')\0");
        let data = [format!("9\t{marker}").as_bytes(), &[b'x'; 100_000]].concat();
        let length = data.len() + hidden.len();
        let head = [&b"d"[..], &(length as u32 + 4).to_be_bytes()].concat();
        let armed = world.fault.arm(Rule::at_request(&marker, act));
        wire.send(&head).unwrap();
        wire.send(&data).unwrap();
        eventually("the server is gone", || armed.fired() == 1);
        thread::sleep(Duration::from_millis(100));
        wire.send(&hidden).unwrap();
        wire.send(&message(b'c', b"")).unwrap();
        let replies = wire.replies().unwrap();
        assert_eq!(code(&replies).as_deref(), Some("08006"), "{replies:?}");
        let again = wire
            .simple("select count(*) from lies where id = 666")
            .unwrap();
        assert_eq!(rows(&again), ["0"], "data was taken for a statement");
        world.poisoned("copy", &armed);
        world.fault.disarm();
    }
    world.end();
}

/// A client whose login is refused as long as it comes upon the server that was killed: what a login is greeted
/// with comes from a server.
fn admitted(port: u16) -> Wire {
    let mut wire = None;
    eventually("a login is let in", || {
        match Wire::connect(port) {
            Ok(connected) => wire = Some(connected),
            Err(error) => {
                let text = error.to_string();
                let gone = ["refused: 08", "refused: 57P"];
                assert!(gone.iter().any(|code| text.contains(code)), "{text}");
            }
        }
        wire.is_some()
    });
    wire.expect("it was let in")
}

/// kill -9 of the server under load: errors are 08-class, answers are right, and afterwards all works.
#[test]
fn the_server_is_killed_under_load() {
    let mut cluster = Cluster::start(&Setup {
        shards: 1,
        sample: None,
        ..Setup::default()
    });
    let world = World::before(cluster.primary_port(0), &cluster, "size: 3, wait: 2s");
    let stop = Arc::new(AtomicBool::new(false));
    let answered = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..4)
        .map(|client| {
            let (stop, port) = (Arc::clone(&stop), world.proxy.port);
            let answered = Arc::clone(&answered);
            thread::spawn(move || {
                let (mut right, mut failed) = (0, 0);
                let mut wire = Wire::connect(port).unwrap();
                while !stop.load(Ordering::SeqCst) {
                    let answer = format!("{client}-{right}-{failed}");
                    let sql =
                        format!("select '{answer}' from generate_series(1, 20), pg_sleep(0.02)");
                    let replies = match (right + failed) % 2 {
                        0 => wire.simple(&sql),
                        _ => wire.extended(&sql, &Parameters::NONE),
                    };
                    let Ok(replies) = replies else {
                        // Torn within a row.
                        failed += 1;
                        wire = admitted(port);
                        continue;
                    };
                    assert!(
                        rows(&replies).iter().all(|row| *row == answer),
                        "{replies:?}"
                    );
                    match code(&replies) {
                        None => {
                            right += 1;
                            answered.fetch_add(1, Ordering::SeqCst);
                        }
                        Some(code) => {
                            assert!(
                                code.starts_with("08") || code.starts_with("57P"),
                                "{replies:?}"
                            );
                            failed += 1;
                            thread::sleep(Duration::from_millis(20));
                        }
                    }
                }
                (right, failed)
            })
        })
        .collect();
    let more = |number| {
        let before = answered.load(Ordering::SeqCst);
        eventually("clients are answered", || {
            answered.load(Ordering::SeqCst) >= before + number
        });
    };
    more(20);
    cluster.shards[0].server_mut(0).kill();
    cluster.shards[0].start(0).unwrap();
    let mut wire = admitted(world.proxy.port);
    eventually("it works again", || {
        code(&wire.simple("select 1").unwrap()).is_none()
    });
    more(20);
    stop.store(true, Ordering::SeqCst);
    let (mut answers, mut failures) = (0, 0);
    for client in clients {
        let (right, failed) = client.join().unwrap();
        println!("{right} right, {failed} failed");
        answers += right;
        failures += failed;
    }
    assert!(answers > 0 && failures > 0);
    world.end();
}

/// A client's end, or its cancel, within this much of being noticed.
const NOTICED_WITHIN: Duration = Duration::from_secs(2);

/// How a wait ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The client is gone, with a reset: what it had in its socket does not matter any more.
    Vanishes,
    Cancels,
}

impl World {
    /// Clients that are there, but for the console's own.
    fn sessions(&self) -> usize {
        let mut console =
            Wire::connect_as(self.proxy.port, "app", "app", &[("database", "trunkline")]).unwrap();
        let sessions = console.simple("show sessions").unwrap();
        let rows = sessions.iter().filter(|reply| reply.tag == b'D');
        rows.filter(|row| !contains(&row.body, b"trunkline"))
            .count()
    }

    /// Connections to servers that somebody uses.
    fn leased(&self) -> f64 {
        let page = self.proxy.metrics();
        let lines = page.lines().filter(|line| {
            line.starts_with("trunkline_pool_connections") && line.contains("state=\"leased\"")
        });
        lines
            .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
            .sum()
    }

    /// Ends the wait of the one client that is there. `sent`: what it still has to say to be understood.
    fn end_wait(&self, what: &str, mut wire: Wire, end: End, sent: &[u8]) {
        assert_eq!(self.sessions(), 1, "{what}");
        let began = Instant::now();
        match end {
            End::Vanishes => {
                socket2::SockRef::from(&wire.stream)
                    .set_linger(Some(Duration::ZERO))
                    .unwrap();
                drop(wire);
                eventually(&format!("{what}: the session is gone"), || {
                    self.sessions() == 0
                });
            }
            End::Cancels => {
                cancel(self.proxy.port, wire.key);
                wire.send(sent).unwrap();
                let replies = wire.replies().unwrap();
                assert_eq!(
                    code(&replies).as_deref(),
                    Some("57014"),
                    "{what}: {replies:?}"
                );
                let took = began.elapsed();
                assert!(took < NOTICED_WITHIN, "{what}: {took:?}");
                self.fault.disarm();
                wire.simple("rollback").unwrap();
                let again = wire.simple("select 'again'");
                assert_eq!(rows(&again.unwrap()), ["again"], "{what}");
                drop(wire);
            }
        }
        self.fault.disarm();
        eventually(&format!("{what}: no connection is held"), || {
            self.leased() == 0.0
        });
        let took = began.elapsed();
        assert!(
            took < NOTICED_WITHIN + Duration::from_secs(1),
            "{what}: {took:?}"
        );
        eventually("nobody is there", || self.sessions() == 0);
    }
}

fn start(wire: &mut Wire, sql: &str) {
    let mut script = Script::new();
    script.query(sql);
    wire.send_script(&script).unwrap();
}

const ENDS: [End; 2] = [End::Vanishes, End::Cancels];

/// Settings to be brought to a connection, a BEGIN of ours: the server is asked and says nothing.
#[test]
fn waits_for_a_silent_server_of_which_the_client_has_asked_nothing() {
    let world = World::start("size: 4, connect: 30s, wait: 30s");
    for end in ENDS {
        let marker = world.marker();
        let mut wire = Wire::connect(world.proxy.port).unwrap();
        let mut other = Wire::connect(world.proxy.port).unwrap();
        let set = format!("set application_name to '{marker}'");
        assert_eq!(code(&wire.simple(&set).unwrap()), None);
        // Takes the connection that has the setting.
        other.simple("begin; select 1 from lies").unwrap();
        let armed = world.fault.arm(Rule::at_request(&marker, Act::Hold));
        start(&mut wire, "select 'mine' from lies");
        eventually("settings are sent", || armed.fired() == 1);
        other.simple("rollback").unwrap();
        drop(other);
        eventually("the other is gone", || world.sessions() == 1);
        world.end_wait("settings", wire, end, b"");
        world.poisoned("settings", &armed);
    }
    // A BEGIN that travels with the statement: whoever cancels waits for the server, as with any statement.
    let mut wire = Wire::connect(world.proxy.port).unwrap();
    wire.simple("begin isolation level serializable").unwrap();
    let begin = "BEGIN ISOLATION LEVEL SERIALIZABLE";
    let armed = world.fault.arm(Rule::at_request(begin, Act::Hold));
    start(&mut wire, "select 'mine' from lies");
    eventually("BEGIN is sent", || armed.fired() == 1);
    world.end_wait("begin", wire, End::Vanishes, b"");
    world.poisoned("begin", &armed);
    // One with settings, which the statement must not run without.
    for end in ENDS {
        let marker = world.marker();
        let mut wire = Wire::connect(world.proxy.port).unwrap();
        let set = format!("set local application_name to '{marker}'");
        wire.simple("begin").unwrap();
        assert_eq!(code(&wire.simple(&set).unwrap()), None);
        let armed = world.fault.arm(Rule::at_request(&marker, Act::Hold));
        start(&mut wire, "select 'mine' from lies");
        eventually("BEGIN is sent", || armed.fired() == 1);
        world.end_wait("begin and set", wire, end, b"");
        world.poisoned("begin and set", &armed);
        assert!(!contains(&armed.sent_since(), b"'mine'"));
    }
    // For a look only; the ROLLBACK behind it is awaited before the client is told.
    for end in ENDS {
        let marker = world.marker();
        let mut wire = Wire::connect(world.proxy.port).unwrap();
        wire.simple("begin").unwrap();
        let armed = world.fault.arm(Rule::on(&marker, b'C', Act::Hold).after(1));
        start(&mut wire, &format!("select 'mine' /* {marker} */"));
        eventually("ROLLBACK is sent", || armed.fired() == 1);
        if end == End::Vanishes {
            world.end_wait("rollback", wire, end, b"");
        } else {
            // The statement has succeeded: a cancel ends the wait behind it.
            let began = Instant::now();
            cancel(world.proxy.port, wire.key);
            assert_eq!(rows(&wire.replies().unwrap()), ["mine"]);
            assert!(began.elapsed() < NOTICED_WITHIN);
            assert_eq!(code(&wire.simple("commit").unwrap()), None);
        }
        world.poisoned("rollback", &armed);
        world.fault.disarm();
    }
    world.end();
}

/// Nobody asks for these to end: they end by themselves.
#[test]
fn a_silent_server_at_begin_and_at_rollback() {
    let world = World::start("size: 4, connect: 1s, wait: 10s");
    let marker = world.marker();
    let mut wire = Wire::connect(world.proxy.port).unwrap();
    wire.simple("begin").unwrap();
    let armed = world.fault.arm(Rule::on(&marker, b'C', Act::Hold).after(1));
    let began = Instant::now();
    let replies = wire.simple(&format!("select 'mine' /* {marker} */"));
    assert_eq!(rows(&replies.unwrap()), ["mine"]);
    assert!(began.elapsed() < Duration::from_secs(3));
    world.poisoned("rollback", &armed);
    assert_eq!(code(&wire.simple("commit").unwrap()), None);
    world.fault.disarm();
    world.end();
}

/// The proxy stops while a statement is stuck: at the end of the drain its client is told, and that is that.
#[test]
fn a_stuck_statement_ends_with_the_drain() {
    let fault = Fault::start(shared().primary_port(0));
    let options = ProxyOptions {
        top: "drain_timeout: 1s".to_owned(),
        in_between: vec![fault.port],
        ..ProxyOptions::default()
    };
    let mut proxy = Proxy::start(shared(), &options);
    let mut stuck = Vec::new();
    for (number, way) in [Way::Simple, Way::Extended].into_iter().enumerate() {
        let marker = format!("drained{number}.");
        let armed = fault.arm(Rule::at_request(&marker, Act::Hold));
        let mut wire = Wire::connect(proxy.port).unwrap();
        let sql = format!("select 'mine' /* {marker} */");
        let mut script = Script::new();
        match way {
            Way::Simple => script.query(&sql),
            _ => script
                .parse("", &sql, &[])
                .bind("", "", &Parameters::NONE)
                .execute("", 0)
                .sync(),
        };
        wire.send_script(&script).unwrap();
        eventually("it is asked", || armed.fired() == 1);
        stuck.push(wire);
    }
    let mut begin = Wire::connect(proxy.port).unwrap();
    begin.simple("begin isolation level serializable").unwrap();
    let armed = fault.arm(Rule::at_request(
        "BEGIN ISOLATION LEVEL SERIALIZABLE",
        Act::Hold,
    ));
    start(&mut begin, "select 1 from lies");
    eventually("BEGIN is sent", || armed.fired() == 1);
    stuck.push(begin);
    let began = Instant::now();
    proxy.signal("TERM");
    for wire in &mut stuck {
        let reply = wire.reply().unwrap();
        assert_eq!(reply.field(b'C').as_deref(), Some("57P01"), "{reply:?}");
        assert_eq!(reply.field(b'V').as_deref(), Some("FATAL"));
        assert!(began.elapsed() > Duration::from_millis(900));
    }
    assert!(proxy.wait(TOLD_WITHIN).unwrap().success());
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
    assert!(!proxy.log().contains("panicked"));
}

/// Sends until nothing is taken any more.
fn fill(wire: &mut Wire, mut bytes: &[u8]) -> usize {
    let all = bytes.len();
    wire.stream
        .set_write_timeout(Some(Duration::from_millis(500)))
        .unwrap();
    while !bytes.is_empty() {
        match wire.stream.write(bytes) {
            Ok(sent) => bytes = &bytes[sent..],
            Err(_) => break,
        }
    }
    wire.stream.set_write_timeout(None).unwrap();
    all - bytes.len()
}

/// A server that has stopped reading in the middle of a COPY or of a large Bind.
#[test]
fn waits_for_a_server_that_has_stopped_reading() {
    let world = World::start("size: 4, connect: 30s, wait: 30s");
    let huge = vec![b'x'; 64 << 20];
    let marker = world.marker();
    let mut wire = Wire::connect(world.proxy.port).unwrap();
    wire.simple("copy lies from stdin").unwrap();
    let armed = world.fault.arm(Rule::at_request(&marker, Act::StopReading));
    let row = message(b'd', format!("1\t{marker}\n").as_bytes());
    wire.send(&row).unwrap();
    eventually("it reads no more", || armed.fired() == 1);
    let rest = message(b'd', &huge);
    assert!(fill(&mut wire, &rest) < rest.len());
    world.end_wait("copy", wire, End::Vanishes, b"");
    for end in ENDS {
        let marker = world.marker();
        let mut wire = Wire::connect(world.proxy.port).unwrap();
        let armed = world.fault.arm(Rule::at_request(&marker, Act::StopReading));
        let mut script = Script::new();
        script.parse("", "select length($1) from lies", &[25]);
        wire.send_script(&script).unwrap();
        let value = [marker.as_bytes(), &huge].concat();
        let body = [
            b"\0\0\0\0\0\x01",
            &(value.len() as u32).to_be_bytes()[..],
            &value,
            b"\0\0",
        ]
        .concat();
        let bind = message(b'B', &body);
        let sent = fill(&mut wire, &bind);
        assert!(sent < bind.len() && armed.fired() == 1, "{sent}");
        // To be understood again its message has to end.
        let mut rest = bind[sent..].to_vec();
        let sync = message(b'S', b"");
        rest.extend(sync);
        world.end_wait("bind", wire, end, &rest);
    }
    world.end();
}

/// Waits for catalogs and for a primary.
#[test]
fn waits_for_catalogs_and_for_a_primary() {
    let mut cluster = Cluster::start(&Setup {
        shards: 1,
        sample: None,
        ..Setup::default()
    });
    let world = World::before(cluster.primary_port(0), &cluster, "size: 4, wait: 40s");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let port = cluster.primary_port(0);
    let superuser = runtime.block_on(connect_as(port, "postgres", "postgres", "app"));
    let lock = "begin; lock table pg_catalog.pg_extension in access exclusive mode";
    // After a definition. The client that stays is told that it succeeded.
    for stays in [false, true] {
        runtime.block_on(superuser.batch_execute(lock)).unwrap();
        let mut wire = Wire::connect(world.proxy.port).unwrap();
        let table = format!("made_{stays}");
        start(&mut wire, &format!("create table {table} (id int)"));
        eventually("it is made", || {
            let sql = format!("select count(*) from pg_class where relname = '{table}'");
            runtime.block_on(texts(&superuser, &sql))[0][0].as_deref() == Some("1")
        });
        if stays {
            cancel(world.proxy.port, wire.key);
            runtime.block_on(superuser.batch_execute("commit")).unwrap();
            assert_eq!(code(&wire.replies().unwrap()), None);
        } else {
            world.end_wait("catalogs after a definition", wire, End::Vanishes, b"");
            runtime.block_on(superuser.batch_execute("commit")).unwrap();
        }
    }
    eventually("nobody is there", || world.sessions() == 0);
    // The first load: a reload that makes the database anew.
    for (number, end) in ENDS.into_iter().enumerate() {
        let mut wire = Wire::connect(world.proxy.port).unwrap();
        runtime.block_on(superuser.batch_execute(lock)).unwrap();
        let text = fs::read_to_string(&world.proxy.config).unwrap();
        let changed = text.replace(
            &format!("size: {},", 4 + number),
            &format!("size: {},", 5 + number),
        );
        assert_ne!(text, changed);
        fs::write(&world.proxy.config, changed).unwrap();
        world.proxy.signal("HUP");
        eventually("it has reloaded", || {
            let log = world.proxy.log();
            log.matches("configuration reloaded").count() > number
        });
        start(&mut wire, "select 'first'");
        let early = wire
            .stream
            .set_read_timeout(Some(Duration::from_millis(300)))
            .and_then(|()| wire.reply().map(|_| ()));
        assert!(early.is_err(), "it waits");
        wire.stream.set_read_timeout(Some(TOLD_WITHIN)).unwrap();
        if end == End::Vanishes {
            world.end_wait("first load", wire, end, b"");
            runtime
                .block_on(superuser.batch_execute("rollback"))
                .unwrap();
        } else {
            let began = Instant::now();
            cancel(world.proxy.port, wire.key);
            let replies = wire.replies().unwrap();
            assert_eq!(code(&replies).as_deref(), Some("57014"), "{replies:?}");
            assert!(began.elapsed() < NOTICED_WITHIN);
            runtime
                .block_on(superuser.batch_execute("rollback"))
                .unwrap();
            assert_eq!(rows(&wire.simple("select 'first'").unwrap()), ["first"]);
            drop(wire);
        }
        eventually("nobody is there", || world.sessions() == 0);
    }
    // A primary.
    let mut wires = ENDS.map(|end| (end, Wire::connect(world.proxy.port).unwrap()));
    drop(superuser);
    cluster.shards[0].server_mut(0).kill();
    eventually("its connections are gone", || world.fault.open() == 0);
    for (_, wire) in &mut wires {
        start(wire, "select 1");
    }
    thread::sleep(Duration::from_millis(300));
    for (end, mut wire) in wires {
        let began = Instant::now();
        if end == End::Cancels {
            cancel(world.proxy.port, wire.key);
            let replies = wire.replies().unwrap();
            assert_eq!(code(&replies).as_deref(), Some("57014"), "{replies:?}");
        }
        drop(wire);
        eventually("one session less", || {
            world.sessions() == usize::from(end == End::Vanishes)
        });
        assert!(began.elapsed() < NOTICED_WITHIN, "{:?}", began.elapsed());
    }
    assert!(!world.proxy.log().contains("panicked"));
}

fn status_kib(proxy: &Proxy, field: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", proxy.pid())).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(field))
        .unwrap();
    line.trim().trim_end_matches(" kB").trim().parse().unwrap()
}
