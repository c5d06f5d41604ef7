//! Large results, large parameters, large copies and broken frames: memory stays bounded, nobody hangs.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use integration_tests::wire::{Parameters, Reply, Script, Wire};
use integration_tests::{Cluster, Proxy, ProxyOptions, Setup};

/// What any of these may add to the proxy's resident memory.
const GROWTH_MAX_KIB: u64 = 20 * 1024;

fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        Cluster::start(&Setup {
            default_shard: "create table notes (note_id int primary key, body text);
                create table sink (line text);
                create function slow() returns trigger language plpgsql as
                    $$ begin perform pg_sleep(0.004); return null; end $$;
                create trigger slow before insert on sink for each row execute function slow();",
            ..Setup::default()
        })
    })
}

/// Two cores: measured one after the other.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn proxy() -> Proxy {
    let proxy = Proxy::start(cluster(), &ProxyOptions::default());
    // What is loaded once, by the first statement of all.
    Wire::connect(proxy.port)
        .unwrap()
        .simple("select 1")
        .unwrap();
    proxy
}

fn status_kib(proxy: &Proxy, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", proxy.pid())).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .unwrap();
    line.trim_matches(|c: char| !c.is_ascii_digit())
        .parse()
        .unwrap()
}

/// Runs something and checks how far the proxy's memory has grown at its highest.
fn bounded(what: &str, proxy: &Proxy, limit: Duration, run: impl FnOnce()) {
    let before = status_kib(proxy, "VmRSS:");
    let started = Instant::now();
    run();
    let took = started.elapsed();
    let growth = status_kib(proxy, "VmHWM:").saturating_sub(before);
    println!("{what}: grew by {growth} KiB from {before} KiB, took {took:?}");
    assert!(growth < GROWTH_MAX_KIB, "{what}: grew by {growth} KiB");
    assert!(took < limit, "{what} took {took:?}");
    assert_sane(proxy);
}

fn assert_sane(proxy: &Proxy) {
    assert!(!proxy.log().contains("panicked"), "{}", proxy.log());
}

fn code(replies: &[Reply]) -> Option<String> {
    replies
        .iter()
        .find(|reply| reply.tag == b'E')
        .and_then(|error| error.field(b'C'))
}

/// Reads in bursts up to ReadyForQuery, pausing after each; gives the number of bytes.
fn read_slowly(stream: &mut TcpStream, burst: usize, pause: Duration) -> usize {
    let (mut total, mut since) = (0, 0);
    let mut buffer = vec![0; 256 * 1024];
    let mut tail = Vec::new();
    loop {
        let read = stream.read(&mut buffer).unwrap();
        assert!(read > 0, "closed after {total} bytes");
        total += read;
        since += read;
        tail.extend_from_slice(&buffer[read.saturating_sub(6)..read]);
        tail.drain(..tail.len().saturating_sub(6));
        if tail.starts_with(b"Z\0\0\0\x05") {
            return total;
        }
        if since > burst {
            since = 0;
            thread::sleep(pause);
        }
    }
}

#[test]
fn a_gigabyte_for_a_slow_client() {
    let _alone = alone();
    let proxy = proxy();
    let id = cluster().organization_on(1);
    let sqls = [
        "select repeat('x', 10000) from generate_series(1, 100000)".to_owned(),
        format!(
            "select repeat('x', 10000) from organizations, generate_series(1, 5000) where organization_id = {id}"
        ),
    ];
    let mut wire = Wire::connect(proxy.port).unwrap();
    bounded("1 GB and 50 MB", &proxy, Duration::from_secs(40), || {
        for (sql, expected) in sqls.iter().zip([1_000_000_000, 50_000_000]) {
            let mut script = Script::new();
            script.query(sql);
            wire.send_script(&script).unwrap();
            let read = read_slowly(&mut wire.stream, 32 << 20, Duration::from_millis(30));
            assert!(read > expected, "{read}");
        }
    });
    assert_eq!(wire.simple("select 1").unwrap().len(), 4);
}

#[test]
fn a_row_of_a_hundred_megabytes() {
    let _alone = alone();
    let proxy = proxy();
    let mut wire = Wire::connect(proxy.port).unwrap();
    bounded("one row of 100 MB", &proxy, Duration::from_secs(20), || {
        let mut script = Script::new();
        script
            .parse("", "select repeat('x', 100000000)", &[])
            .bind("", "", &Parameters::NONE)
            .execute("", 0)
            .sync();
        wire.send_script(&script).unwrap();
        assert!(read_slowly(&mut wire.stream, 16 << 20, Duration::from_millis(20)) > 100_000_000);
    });
}

#[test]
fn a_parameter_of_a_hundred_megabytes() {
    let _alone = alone();
    let proxy = proxy();
    let id = cluster().organization_on(1).to_string();
    let large = vec![b'x'; 100_000_000];
    let mut wire = Wire::connect(proxy.port).unwrap();
    for sql in [
        "select length($2), $1::bigint",
        "select length($2) from organizations where organization_id = $1",
    ] {
        bounded(sql, &proxy, Duration::from_secs(25), || {
            let values = [Some(id.as_bytes()), Some(&large[..])];
            let parameters = Parameters {
                types: &[20, 25],
                values: &values,
                ..Parameters::NONE
            };
            let mut script = Script::new();
            script
                .parse("", sql, parameters.types)
                .bind("", "", &parameters)
                .execute("", 0)
                .sync();
            let replies = wire.run(&script).unwrap();
            assert_eq!(code(&replies), None);
            let row = replies.iter().find(|reply| reply.tag == b'D').unwrap();
            assert!(row.body.windows(9).any(|part| part == b"100000000"));
        });
    }
}

/// A Bind too large to be held, behind a result that nobody has read yet.
#[test]
fn a_large_bind_behind_a_large_result() {
    let _alone = alone();
    let proxy = proxy();
    let large = vec![b'x'; 10_000_000];
    let mut wire = Wire::connect(proxy.port).unwrap();
    let mut reader = wire.stream.try_clone().unwrap();
    let values = [Some(&large[..])];
    let parameters = Parameters {
        types: &[25],
        values: &values,
        ..Parameters::NONE
    };
    let mut script = Script::new();
    script
        .parse(
            "",
            "select repeat('x', 10000) from generate_series(1, 2000)",
            &[],
        )
        .bind("", "", &Parameters::NONE)
        .execute("", 0);
    script
        .parse("", "select length($1)", &[25])
        .bind("", "", &parameters)
        .execute("", 0)
        .sync();
    bounded(
        "a large Bind behind a large result",
        &proxy,
        Duration::from_secs(20),
        || {
            let reading = thread::spawn(move || read_slowly(&mut reader, 1 << 30, Duration::ZERO));
            wire.send_script(&script).unwrap();
            assert!(reading.join().unwrap() > 20_000_000);
        },
    );
}

#[test]
fn what_is_too_large_is_said_so() {
    let proxy = proxy();
    let id = cluster().organization_on(1).to_string();
    // The key comes after 20 MB.
    let large = vec![b'x'; 20_000_000];
    let values = [Some(&large[..]), Some(id.as_bytes())];
    let parameters = Parameters {
        types: &[25, 20],
        values: &values,
        ..Parameters::NONE
    };
    let mut script = Script::new();
    script.parse(
        "",
        "select length($1) from organizations where organization_id = $2",
        parameters.types,
    );
    script.bind("", "", &parameters).execute("", 0).sync();
    assert_eq!(
        refused(&proxy, |wire| wire.send_script(&script)).as_deref(),
        Some("54000")
    );
    // A text of 17 MB, whole and only begun.
    let mut text = Script::new();
    text.query(&format!("select '{}'", "x".repeat(17 << 20)));
    assert_eq!(
        refused(&proxy, |wire| wire.send_script(&text)).as_deref(),
        Some("54000")
    );
    assert_eq!(
        refused(&proxy, |wire| wire.send(b"Q\x02\0\0\0selec")).as_deref(),
        Some("54000")
    );
    assert_eq!(
        refused(&proxy, |wire| wire.send(b"P\x02\0\0\0\0selec")).as_deref(),
        Some("54000")
    );
    // 15 MB are fine.
    let mut wire = Wire::connect(proxy.port).unwrap();
    let replies = wire
        .simple(&format!("select length('{}')", "x".repeat(15 << 20)))
        .unwrap();
    assert_eq!(code(&replies), None);
    assert_sane(&proxy);
}

/// SQLSTATE of what a new connection is told before it is closed. What is sent may not all go out.
fn refused(proxy: &Proxy, send: impl Fn(&mut Wire) -> std::io::Result<()>) -> Option<String> {
    let mut wire = Wire::connect(proxy.port).unwrap();
    let _ = send(&mut wire);
    let reply = wire.reply().ok()?;
    if reply.tag == b'E' {
        reply.field(b'C')
    } else {
        Some(format!("{reply:?}"))
    }
}

#[test]
fn copy_in_of_half_a_gigabyte() {
    let _alone = alone();
    let proxy = proxy();
    let mut wire = Wire::connect(proxy.port).unwrap();
    // 500 rows of a megabyte, for each of which the server takes its time.
    let mut line = vec![b'y'; 1_000_000];
    line.push(b'\n');
    let mut frame = vec![b'd'];
    frame.extend(u32::try_from(line.len() + 4).unwrap().to_be_bytes());
    frame.extend(&line);
    bounded("COPY IN of 500 MB", &proxy, Duration::from_secs(40), || {
        assert_eq!(wire.simple("copy sink from stdin").unwrap()[0].tag, b'G');
        for _ in 0..500 {
            wire.send(&frame).unwrap();
        }
        let replies = wire.copy_in(b"").unwrap();
        assert_eq!(code(&replies), None, "{replies:?}");
    });
    // One frame of 100 MB, of many rows.
    let rows = b"a line of a hundred bytes, more or less, so that there are many rows in a single frame of CopyData\n";
    let data: Vec<u8> = rows
        .iter()
        .copied()
        .cycle()
        .take(rows.len() * 2000)
        .collect();
    bounded("one frame", &proxy, Duration::from_secs(20), || {
        wire.simple("copy notes (body) from stdin").unwrap();
        // note_id is missing: an error midway, and what is still to come is read and forgotten.
        assert_eq!(
            code(&wire.copy_in(&data).unwrap()).as_deref(),
            Some("23502")
        );
    });
}

#[test]
fn copies_that_go_wrong() {
    let proxy = proxy();
    let mut wire = Wire::connect(proxy.port).unwrap();
    let mut oracle = Wire::connect(cluster().oracle.port()).unwrap();
    let wrong = [
        b"1\tx\n2\ty\nnonsense\tz\n".to_vec(),
        b"1\tx\nnonsense\tz\n"
            .iter()
            .copied()
            .chain(vec![b'z'; 3_000_000])
            .collect(),
    ];
    for data in &wrong {
        for begin in [false, true] {
            for one in [&mut wire, &mut oracle] {
                if begin {
                    one.simple("begin").unwrap();
                }
                one.simple("copy notes from stdin").unwrap();
                let replies = one.copy_in(data).unwrap();
                assert_eq!(code(&replies).as_deref(), Some("22P02"), "{replies:?}");
                assert_eq!(
                    replies.last().unwrap().body,
                    if begin { b"E" } else { b"I" }
                );
                one.simple("copy notes from stdin").unwrap();
                if begin {
                    one.simple("rollback").unwrap();
                } else {
                    assert_eq!(
                        code(&one.copy_fail("never mind").unwrap()).as_deref(),
                        Some("57014")
                    );
                }
                assert_eq!(code(&one.simple("select 1").unwrap()), None);
            }
        }
    }
    // COPY OUT, and an error in the middle of one.
    for sql in [
        "copy (select repeat('x', 1000) from generate_series(1, 20000)) to stdout",
        "copy (select 1 / (5000 - n), repeat('x', 1000) from generate_series(1, 9000) n) to stdout",
        "copy (select n from generate_series(1, 100000) n) to stdout (format binary)",
        "select 1 / (5000 - n), repeat('x', 1000) from generate_series(1, 9000) n",
    ] {
        assert!(
            wire.simple(sql).unwrap() == oracle.simple(sql).unwrap(),
            "{sql}"
        );
    }
    // A message that has no place in a COPY ends the client, and only it.
    wire.simple("copy notes from stdin").unwrap();
    let mut script = Script::new();
    script.query("select 1");
    wire.send_script(&script).unwrap();
    let told = wire.reply();
    println!("a query in a copy: {told:?}");
    // Leaving in the middle.
    for _ in 0..3 {
        let mut leaving = Wire::connect(proxy.port).unwrap();
        leaving.simple("copy notes from stdin").unwrap();
        leaving.send(b"d\0\0\0\x0812\tx").unwrap();
        drop(leaving);
    }
    let mut leaving = Wire::connect(proxy.port).unwrap();
    let mut script = Script::new();
    script.query("copy (select repeat('x', 1000) from generate_series(1, 100000)) to stdout");
    leaving.send_script(&script).unwrap();
    leaving.reply().unwrap();
    drop(leaving);
    let mut wire = Wire::connect(proxy.port).unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    let busy = "select count(*) from pg_stat_activity where usename = 'app' and query ~ '^copy' and state = 'active'";
    loop {
        let rows = wire.simple(busy).unwrap();
        if rows[1].body.ends_with(b"0") {
            break;
        }
        assert!(Instant::now() < deadline, "copies are still running");
        thread::sleep(Duration::from_millis(50));
    }
    let rows = wire.simple("select count(*) from notes").unwrap();
    assert!(rows[1].body.ends_with(b"\x010"), "{rows:?}");
    assert_sane(&proxy);
}

#[test]
fn broken_frames_are_told_and_nothing_else_happens() {
    let proxy = proxy();
    let frame = |tag: u8, body: &[u8]| {
        let mut frame = vec![tag];
        frame.extend(u32::try_from(body.len() + 4).unwrap().to_be_bytes());
        frame.extend(body);
        frame
    };
    let cases: Vec<Vec<u8>> = vec![
        b"Q\0\0\0\x03".to_vec(),
        b"Q\0\0\0\0".to_vec(),
        b"Q\xff\xff\xff\xff".to_vec(),
        b"B\x80\0\0\0".to_vec(),
        frame(b'z', b""),
        frame(0, b""),
        frame(b'p', b"x\0"),
        frame(b'Q', b"no end"),
        frame(b'Q', b""),
        frame(b'Q', b"two\0ends\0"),
        frame(b'P', b""),
        frame(b'P', b"\0select 1"),
        frame(b'P', b"\0select 1\0"),
        frame(b'P', b"\0select 1\0\0\x02\0\0"),
        frame(b'P', b"\0select 1\0\xff\xff"),
        frame(b'P', b"\0select 1\0\0\0more"),
        frame(b'D', b""),
        frame(b'D', b"X\0"),
        frame(b'D', b"Sname"),
        frame(b'C', b"X\0"),
        frame(b'C', b"S"),
        frame(b'E', b""),
        frame(b'E', b"\0\0\0"),
        frame(b'E', b"\0\0\0\0\0more"),
        frame(b'S', b"more"),
        frame(b'H', b"more"),
    ];
    for case in &cases {
        let told = refused(&proxy, |wire| wire.send(case));
        assert_eq!(told.as_deref(), Some("08P01"), "{}", case.escape_ascii());
    }
    let prepare = |body: &[u8]| {
        let mut bytes = frame(b'P', b"\0select $1::text, $2::text\0\0\0");
        bytes.extend(frame(b'B', body));
        bytes.extend(frame(b'S', b""));
        bytes
    };
    for body in [
        &b""[..],
        b"\0",
        b"\0\0",
        b"\0\0\0\x01\0",
        b"\0\0\0\0\0\x02\0\0\0\x05abc",
        b"\0\0\0\0\0\x02\0\0\0\x01a\xff\xff\xff\xfe\0\0",
        b"\0\0\0\0\0\x02\0\0\0\x01a\x7f\xff\xff\xff\0\0",
        b"\0\0\0\0\xff\xff",
        b"\0\0\xff\xff",
        b"\0\0\0\0\0\0\0\x05",
        b"\0\0\0\0\0\0\0\0more",
        b"\0\0\0\x03\0\0\0\0\0\0\0\x02\0\0\0\x01a\0\0\0\x01b\0\0",
        b"\0\0\0\0\0\x01\0\0\0\x01a\0\0",
        b"\0\0\0\x01\0\x07\0\x02\0\0\0\x01a\0\0\0\x01b\0\0",
    ] {
        let mut codes = Vec::new();
        for port in [proxy.port, cluster().oracle.port()] {
            let mut wire = Wire::connect(port).unwrap();
            wire.send(&prepare(body)).unwrap();
            let replies: Vec<_> =
                std::iter::from_fn(|| wire.reply().ok().filter(|reply| reply.tag != b'Z'))
                    .collect();
            codes.push(code(&replies));
        }
        assert!(
            codes[0].is_some() && (codes[0] == codes[1] || codes[0].as_deref() == Some("08P01")),
            "{}: {codes:?}",
            body.escape_ascii()
        );
    }
    // Before the login.
    for bytes in [
        &b"\0\0\0\0"[..],
        b"\0\0\0\x07\0\x03\0",
        b"\xff\xff\xff\xff\0\x03\0\0",
        b"\0\0\0\x08\0\x01\0\0",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\0\0\0\x0c\0\x03\0\0user",
        b"\0\0\0\x09\0\x03\0\0\0",
        b"\0\0\0\x10\x04\xd2\x16\x2e\0\0\0\x01\0\0\0\x01",
        b"\0\0\0\x08\x04\xd2\x16\x2f\0\0\0\x08\x04\xd2\x16\x2f",
        b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03",
    ] {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port)).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        stream.write_all(bytes).unwrap();
        let mut answer = Vec::new();
        let outcome = stream.read_to_end(&mut answer);
        assert!(
            !matches!(&outcome, Err(error) if error.kind() == std::io::ErrorKind::WouldBlock),
            "a hang: {}",
            bytes.escape_ascii()
        );
    }
    assert_eq!(
        Wire::connect(proxy.port)
            .unwrap()
            .simple("select 1")
            .unwrap()
            .len(),
        4
    );
    assert_sane(&proxy);
}
