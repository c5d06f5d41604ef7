//! Load that pgbench cannot make: new connections whose whole time counts (pgbench's log leaves the login out),
//! streams of rows that are read and dropped (libpq would build a result of them, and be what is measured), and
//! clients that are logged in and idle. One thread for each client, blocking sockets.

use std::io::{self, Read};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use integration_tests::wire::{Reply, Wire};
use postgres_protocol::message::frontend;

/// How long load lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    Seconds(u64),
    /// So many transactions of each client.
    Each(u64),
}

/// Called once all clients are there and at work: what is measured begins then, without their logins.
pub type Begun<'a> = &'a (dyn Fn() + Sync);

/// What a generator of load has seen. A transaction is whatever the workload repeats.
#[derive(Clone, Debug, PartialEq)]
pub struct Load {
    pub transactions: u64,
    pub per_second: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
}

impl Load {
    pub fn new(per_second: f64, transactions: u64, mut latencies_us: Vec<u32>) -> Self {
        latencies_us.sort_unstable();
        let ms = |share| percentile(&latencies_us, share).map_or(f64::NAN, |us| us / 1e3);
        Self {
            transactions,
            per_second,
            p50_ms: ms(0.5),
            p99_ms: ms(0.99),
        }
    }
}

/// The smallest value that at least this share of the values does not exceed.
fn percentile(sorted: &[u32], share: f64) -> Option<f64> {
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(rank.max(1) - 1).map(|value| f64::from(*value))
}

/// Connections that log in, run one statement and leave, one after the other.
pub fn connects(
    port: u16,
    clients: u32,
    length: Length,
    sql: &str,
    begun: Begun<'_>,
) -> Result<Load, String> {
    let turn = |(): &mut ()| {
        let mut wire = Wire::connect(port)?;
        succeeded(&wire.simple(sql)?)?;
        wire.close()
    };
    repeat(clients, length, begun, || Ok(()), turn)
}

/// Queries whose rows are read and dropped.
pub fn streams(
    port: u16,
    clients: u32,
    length: Length,
    sql: &str,
    begun: Begun<'_>,
) -> Result<Load, String> {
    let mut query = BytesMut::new();
    frontend::query(sql, &mut query).map_err(|error| error.to_string())?;
    let turn = |(wire, buffer): &mut (Wire, Vec<u8>)| {
        wire.send(&query)?;
        let mut answer = Answer::default();
        while !answer.complete {
            match wire.stream.read(buffer)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => answer.feed(&buffer[..read])?,
            }
        }
        Ok(())
    };
    let start = || Ok((Wire::connect(port)?, vec![0; READ_BYTES]));
    repeat(clients, length, begun, start, turn)
}

/// Every client starts, all wait for one another, and then each takes its turns.
fn repeat<C>(
    clients: u32,
    length: Length,
    begun: Begun<'_>,
    start: impl Fn() -> io::Result<C> + Sync,
    turn: impl Fn(&mut C) -> io::Result<()> + Sync,
) -> Result<Load, String> {
    let barrier = Barrier::new(clients as usize);
    let one = || -> io::Result<(Vec<u32>, Duration)> {
        let started = start();
        if barrier.wait().is_leader() {
            begun();
        }
        barrier.wait();
        let mut client = started?;
        let (begun, mut latencies) = (Instant::now(), Vec::new());
        let goes_on = |done: usize| match length {
            Length::Seconds(seconds) => begun.elapsed() < Duration::from_secs(seconds),
            Length::Each(turns) => (done as u64) < turns,
        };
        while goes_on(latencies.len()) {
            let before = Instant::now();
            turn(&mut client)?;
            latencies.push(u32::try_from(before.elapsed().as_micros()).unwrap_or(u32::MAX));
        }
        Ok((latencies, begun.elapsed()))
    };
    let outcomes: Vec<_> = thread::scope(|scope| {
        let running: Vec<_> = (0..clients).map(|_| scope.spawn(one)).collect();
        let joined = running.into_iter().map(|thread| thread.join().unwrap());
        joined.collect()
    });
    let (mut latencies, mut longest) = (Vec::new(), Duration::ZERO);
    for outcome in outcomes {
        let (more, took) = outcome.map_err(|error| error.to_string())?;
        latencies.extend(more);
        longest = longest.max(took);
    }
    let transactions = latencies.len() as u64;
    let per_second = transactions as f64 / longest.as_secs_f64();
    Ok(Load::new(per_second, transactions, latencies))
}

/// Clients that are logged in, have run one statement, and wait. Dropping it ends them.
pub struct Crowd {
    clients: Vec<Wire>,
}

impl Crowd {
    pub fn open(port: u16, count: usize, sql: &str) -> Result<Self, String> {
        let some = |count: usize| -> io::Result<Vec<Wire>> {
            let one = |_| {
                let mut wire = Wire::connect(port)?;
                succeeded(&wire.simple(sql)?)?;
                Ok(wire)
            };
            (0..count).map(one).collect()
        };
        let groups: Vec<_> = thread::scope(|scope| {
            let share = |group| count * (group + 1) / GROUPS - count * group / GROUPS;
            let opening: Vec<_> = (0..GROUPS)
                .map(|group| scope.spawn(move || some(share(group))))
                .collect();
            let joined = opening.into_iter().map(|thread| thread.join().unwrap());
            joined.collect()
        });
        let mut clients = Vec::with_capacity(count);
        for group in groups {
            clients.extend(group.map_err(|error| format!("an idle client: {error}"))?);
        }
        Ok(Self { clients })
    }

    /// Says farewell, and waits until the server has let go of what it held for them: another crowd may be next.
    pub fn leave(self, server: u16) -> Result<(), String> {
        for client in self.clients {
            // It fails where the connection is gone, which is what is wanted.
            let _ = client.close();
        }
        let deadline = Instant::now() + LEAVE_PATIENCE;
        let backends = || {
            let replies = Wire::connect(server)?.simple(BACKENDS)?;
            let count = single_value(&replies).and_then(|count| count.parse::<usize>().ok());
            count.ok_or(io::Error::other("no count of connections"))
        };
        while backends().map_err(|error| error.to_string())? > BACKENDS_LEFT {
            if Instant::now() > deadline {
                return Err("idle clients' connections do not go away".to_owned());
            }
            thread::sleep(POLL);
        }
        Ok(())
    }
}

fn succeeded(replies: &[Reply]) -> io::Result<()> {
    let failed = replies.iter().find(|reply| reply.tag == b'E');
    match failed.and_then(|reply| reply.field(b'M')) {
        Some(message) => Err(io::Error::other(message)),
        None => Ok(()),
    }
}

/// The value of an answer of one row with one column, in text.
pub fn single_value(replies: &[Reply]) -> Option<String> {
    let row = replies.iter().find(|reply| reply.tag == b'D')?;
    // The count of columns and the length of the value go before it.
    let value = row.body.get(6..)?;
    Some(String::from_utf8_lossy(value).into_owned())
}

/// How far an answer has been read, whatever pieces it comes in.
#[derive(Debug, Default)]
struct Answer {
    complete: bool,
    header: [u8; HEADER_BYTES],
    header_bytes: usize,
    body_left: usize,
}

impl Answer {
    fn feed(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            if self.header_bytes < HEADER_BYTES {
                let taken = bytes.len().min(HEADER_BYTES - self.header_bytes);
                let (head, rest) = bytes.split_at(taken);
                self.header[self.header_bytes..][..taken].copy_from_slice(head);
                self.header_bytes += taken;
                bytes = rest;
                if self.header_bytes < HEADER_BYTES {
                    return Ok(());
                }
                let [tag, a, b, c, d] = self.header;
                if tag == b'E' {
                    return Err(io::Error::other("the stream ended with an error"));
                }
                // The length counts itself.
                self.body_left = (u32::from_be_bytes([a, b, c, d]) as usize).saturating_sub(4);
            }
            let skipped = bytes.len().min(self.body_left);
            self.body_left -= skipped;
            bytes = &bytes[skipped..];
            if self.body_left == 0 {
                self.complete = self.header[0] == b'Z';
                self.header_bytes = 0;
            }
        }
        Ok(())
    }
}

const HEADER_BYTES: usize = 5;
const READ_BYTES: usize = 64 * 1024;
/// Threads that open a crowd.
const GROUPS: usize = 8;
const BACKENDS: &str =
    "select count(*) from pg_stat_activity where backend_type = 'client backend'";
/// More than two pools and those who watch.
const BACKENDS_LEFT: usize = 100;
const LEAVE_PATIENCE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_by_rank() {
        let values: Vec<u32> = (1..=200).collect();
        assert_eq!(percentile(&values, 0.5), Some(100.0));
        assert_eq!(percentile(&values, 0.99), Some(198.0));
        assert_eq!(percentile(&[7], 0.5), Some(7.0));
        assert_eq!(percentile(&[], 0.5), None);
    }

    #[test]
    fn latencies_are_sorted_first() {
        let load = Load::new(10.0, 3, vec![3_000, 1_000, 2_000]);
        assert_eq!((load.p50_ms, load.p99_ms), (2.0, 3.0));
    }

    #[test]
    fn an_answer_is_complete_in_any_pieces() {
        let answer = b"D\0\0\0\x09ZZZZZC\0\0\0\x04Z\0\0\0\x05I";
        for size in 1..=answer.len() {
            let mut state = Answer::default();
            let mut pieces = answer.chunks(size).peekable();
            while let Some(piece) = pieces.next() {
                state.feed(piece).unwrap();
                assert_eq!(state.complete, pieces.peek().is_none(), "pieces of {size}");
            }
        }
        assert!(Answer::default().feed(b"E\0\0\0\x05x").is_err());
    }

    #[test]
    fn every_turn_counts_and_an_error_is_told() {
        let load = repeat(3, Length::Each(4), &|| {}, || Ok(()), |()| Ok(())).unwrap();
        assert_eq!(load.transactions, 12);
        let fails = |(): &mut ()| Err(io::Error::other("no"));
        assert!(repeat(2, Length::Each(1), &|| {}, || Ok(()), fails).is_err());
        let closed = || Err::<(), _>(io::Error::other("closed"));
        assert!(repeat(2, Length::Each(1), &|| {}, closed, |()| Ok(())).is_err());
    }
}
