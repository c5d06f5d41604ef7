//! pgbench as the generator of load: its command line, what it prints, and its log of transactions, from which
//! rates and percentiles come. It writes the log whoever is measured, so that this costs everybody the same.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use integration_tests::Cluster;
use integration_tests::cluster::APP;
use rustix::process::{Pid, Signal, kill_process};

use crate::generator::{Begun, Length, Load};

/// A run of pgbench.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    pub port: u16,
    pub protocol: &'a str,
    pub clients: u32,
    pub length: Length,
    /// With several, each transaction is one of them by chance.
    pub scripts: &'a [String],
}

impl Run<'_> {
    /// Runs to the end, at the latest a minute after it should have ended. Calls `begun` once the clients are
    /// connected and at work; what was before is in no figure.
    pub fn load(&self, cluster: &Cluster, begun: Begun<'_>) -> Result<Load, String> {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let dir = cluster.scratch.path().join(format!("pgbench-{number}"));
        fs::create_dir(&dir).unwrap();
        let outcome = self.load_in(cluster, &dir, number, begun);
        // Where it stays, it goes with the scratch directory.
        let _ = fs::remove_dir_all(&dir);
        outcome
    }

    fn load_in(
        &self,
        cluster: &Cluster,
        dir: &Path,
        seed: u64,
        begun: Begun<'_>,
    ) -> Result<Load, String> {
        let mut process = self.spawn(cluster, dir, seed)?;
        match self.length {
            Length::Seconds(seconds) => {
                let log = dir.join(format!("log.{}", process.child.id()));
                let from_us = process.wait_for_work(&log)?;
                begun();
                process.end_after(Duration::from_secs(seconds))?;
                let text = fs::read_to_string(&log).unwrap_or_default();
                after(from_us, logged(&text)).ok_or("nothing was done in time".to_owned())
            }
            Length::Each(_) => {
                begun();
                process.wait(COUNTED_PATIENCE)?;
                let said = fs::read_to_string(dir.join("out")).unwrap_or_default();
                let count = transactions(&said).ok_or("pgbench's summary is not as expected")?;
                Ok(Load::new(f64::NAN, count, Vec::new()))
            }
        }
    }

    /// Each run has a seed of its own: texts that differ in a random number shall not come again in the next one.
    fn spawn(&self, cluster: &Cluster, dir: &Path, seed: u64) -> Result<Process, String> {
        let errors = dir.join("errors");
        let mut command = Command::new(cluster.host.binaries.path("pgbench"));
        command
            .args(["-n", "-h", "127.0.0.1", "-U", APP, "-d", APP])
            .args(["-j", "1", "--random-seed", &seed.to_string()])
            .args(["--log", "--log-prefix"])
            .arg(dir.join("log"))
            .args(["-p", &self.port.to_string(), "-M", self.protocol])
            .args(["-c", &self.clients.to_string()])
            .env("PGPASSWORD", APP)
            .stdin(Stdio::null())
            .stdout(fs::File::create(dir.join("out")).unwrap())
            .stderr(fs::File::create(&errors).unwrap());
        match self.length {
            Length::Seconds(seconds) => {
                // Its clock runs while its clients log in, one after the other, however long that takes. So
                // it gets more than it needs, and is told when time is up.
                let seconds = seconds + PATIENCE.as_secs();
                command.args(["-T", &seconds.to_string()]);
            }
            Length::Each(transactions) => {
                command.args(["-t", &transactions.to_string()]);
            }
        }
        for (index, script) in self.scripts.iter().enumerate() {
            let path = dir.join(format!("script-{index}.sql"));
            fs::write(&path, script).unwrap();
            command.arg("-f").arg(path);
        }
        let child = command
            .spawn()
            .map_err(|error| format!("pgbench: {error}"))?;
        Ok(Process { child, errors })
    }
}

/// A pgbench that runs, and where its complaints are.
struct Process {
    child: Child,
    errors: PathBuf,
}

impl Process {
    /// Waits for the first words of its log, which are written in blocks: a hundred transactions are done by
    /// then. Returns the moment, in the log's terms.
    fn wait_for_work(&mut self, log: &Path) -> Result<u64, String> {
        let deadline = Instant::now() + PATIENCE;
        let at_work = || fs::metadata(log).is_ok_and(|meta| meta.len() > 0);
        while !at_work() {
            if self.child.try_wait().unwrap().is_some() {
                // One that has failed says more.
                self.wait(PATIENCE)?;
                return Err("nothing was done in time".to_owned());
            }
            if Instant::now() > deadline {
                return Err("pgbench did not begin in time".to_owned());
            }
            std::thread::sleep(POLL);
        }
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Ok(now.unwrap_or_default().as_micros() as u64)
    }

    /// The signal is the one that its own clock sends: transactions end, and the log is written out.
    fn end_after(&mut self, time: Duration) -> Result<(), String> {
        let deadline = Instant::now() + time;
        while Instant::now() < deadline && self.child.try_wait().unwrap().is_none() {
            let left = deadline.saturating_duration_since(Instant::now());
            std::thread::sleep(left.min(END_POLL));
        }
        if self.child.try_wait().unwrap().is_none() {
            kill_process(Pid::from_child(&self.child), Signal::ALARM).unwrap();
        }
        self.wait(PATIENCE)
    }

    fn wait(&mut self, patience: Duration) -> Result<(), String> {
        let deadline = Instant::now() + patience;
        loop {
            match self.child.try_wait().unwrap() {
                Some(status) if status.success() => return Ok(()),
                Some(_) => {
                    let said = fs::read_to_string(&self.errors).unwrap_or_default();
                    return Err(complaint(&said).to_owned());
                }
                None if Instant::now() > deadline => {
                    return Err("pgbench did not end in time".to_owned());
                }
                None => std::thread::sleep(POLL),
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only where the process is gone.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A transaction in the log: how long it took, and when it was done, since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Logged {
    took_us: u32,
    at_us: u64,
}

/// What was done after a moment.
fn after(from_us: u64, mut transactions: Vec<Logged>) -> Option<Load> {
    transactions.retain(|transaction| transaction.at_us > from_us);
    let last_us = transactions.iter().map(|done| done.at_us).max()?;
    let count = transactions.len() as u64;
    let per_second = count as f64 / ((last_us - from_us) as f64 / 1e6);
    let latencies = transactions.iter().map(|done| done.took_us).collect();
    Some(Load::new(per_second, count, latencies))
}

/// Columns of the log: client, transaction, microseconds it took, script, the second and the microsecond it was
/// done. A word stands in the third for a transaction that failed.
/// Source: <https://www.postgresql.org/docs/15/pgbench.html>, "Per-Transaction Logging".
fn logged(log: &str) -> Vec<Logged> {
    let one = |line: &str| {
        let mut columns = line.split(' ').skip(2);
        let took_us = columns.next()?.parse().ok()?;
        let second: u64 = columns.nth(1)?.parse().ok()?;
        let microsecond: u64 = columns.next()?.parse().ok()?;
        Some(Logged {
            took_us,
            at_us: second * 1_000_000 + microsecond,
        })
    };
    log.lines().filter_map(one).collect()
}

/// `number of transactions actually processed: 800/800`, or without the second number.
fn transactions(said: &str) -> Option<u64> {
    let prefix = "number of transactions actually processed: ";
    let count = said.lines().find_map(|line| line.strip_prefix(prefix))?;
    count.split(['/', ' ']).next()?.parse().ok()
}

/// The line that says what went wrong.
fn complaint(said: &str) -> &str {
    let mut lines = said.lines();
    let telling = lines.find(|line| line.contains("error:") || line.contains("FATAL"));
    telling.or(said.lines().last()).unwrap_or("pgbench failed")
}

/// A name for each run, because several may run at once.
static NUMBER: AtomicU64 = AtomicU64::new(0);
const PATIENCE: Duration = Duration::from_secs(60);
/// A fixed number of statements is for what is slowed down by a tracer.
const COUNTED_PATIENCE: Duration = Duration::from_secs(300);
const POLL: Duration = Duration::from_millis(5);
const END_POLL: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "0 1 1043 0 1700000000 123456\n3 2 987 0 1700000001 999\n\
                       3 3 failed 0 1700000001 1500\n4 4 skipped 0 1700000001 1\n\n0 5 12";

    #[test]
    fn failed_and_broken_lines_of_the_log_do_not_count() {
        let done = |took_us, at_us| Logged { took_us, at_us };
        let expected = [
            done(1_043, 1_700_000_000_123_456),
            done(987, 1_700_000_001_000_999),
        ];
        assert_eq!(logged(LOG), expected);
    }

    #[test]
    fn only_what_is_done_after_the_beginning_counts() {
        let load = after(1_700_000_000_500_999, logged(LOG)).unwrap();
        assert_eq!((load.transactions, load.per_second), (1, 2.0));
        assert_eq!((load.p50_ms, load.p99_ms), (0.987, 0.987));
        assert_eq!(after(1_800_000_000_000_000, logged(LOG)), None);
    }

    #[test]
    fn summaries_with_and_without_a_goal() {
        let said = "scaling factor: 1\nnumber of transactions per client: 100\n\
                    number of transactions actually processed: 800/800\n\
                    number of failed transactions: 0 (0.000%)\nlatency average = 1.045 ms\n";
        assert_eq!(transactions(said), Some(800));
        assert_eq!(transactions(&said.replace("/800", "")), Some(800));
        assert_eq!(transactions("pgbench: error: connection failed\n"), None);
    }

    #[test]
    fn complaints_are_found_among_the_remarks() {
        let said = "pgbench: setting random seed to 1\npgbench: error: connection to server failed: \
                    FATAL:  too many\npgbench: error: could not create connection for client 0\n";
        assert!(complaint(said).contains("too many"));
        assert_eq!(complaint("first\nlast\n"), "last");
        assert_eq!(complaint(""), "pgbench failed");
    }
}
