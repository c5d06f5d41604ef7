//! System calls of a process, counted by strace. It makes a process many times slower, so this is a pass of its
//! own. Two runs, a short and a longer one: what the difference costs has no start, no logins and no end in it.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::generator::Length;
use crate::proc;
use crate::proxies::{Target, installed};
use crate::workloads::{Case, Source, Workload};
use crate::world::World;

/// System calls per unit of the workload; the error says why there is no number.
pub fn count(
    world: &World,
    workload: &Workload,
    case: &Case,
    target: &Target,
) -> Result<f64, String> {
    let pid = target.pid.ok_or("not one process")?;
    let strace = installed("strace").ok_or("strace is not installed")?;
    let dir = world.cluster.scratch.path();
    let crowd = workload.crowd(world, target)?;
    let runs = turns(case).map(|each| {
        let attached = Strace::attach(&strace, pid, &dir.join("strace"))?;
        let load = case.load(world, target, Length::Each(each), &|| {});
        let calls = attached.detach()?;
        Ok((calls as f64, load?.transactions as f64))
    });
    if let Some(crowd) = crowd {
        crowd.leave(world.cluster.primary_port(0))?;
    }
    let [short, long]: [Result<(f64, f64), String>; 2] = runs;
    let (short, long) = (short?, long?);
    Ok((long.0 - short.0) / (long.1 - short.1) / f64::from(workload.units))
}

/// Transactions of each client in the two runs.
fn turns(case: &Case) -> [u64; 2] {
    let statements = match case.source {
        Source::Pgbench { .. } => STATEMENTS,
        Source::Connects(_) => CONNECTIONS,
        Source::Streams(_) => STREAMS,
    };
    statements.map(|all| (all / u64::from(case.clients)).max(1))
}

/// A strace that watches a process.
struct Strace {
    child: Child,
    summary: std::path::PathBuf,
}

impl Strace {
    /// Returns once all threads are watched.
    fn attach(program: &Path, pid: u32, summary: &Path) -> Result<Self, String> {
        let errors = summary.with_extension("errors");
        let child = Command::new(program)
            .args(["-f", "-c", "-o"])
            .arg(summary)
            .args(["-p", &pid.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(&errors).unwrap())
            .spawn()
            .map_err(|error| format!("strace: {error}"))?;
        let mut strace = Self {
            child,
            summary: summary.to_owned(),
        };
        let deadline = Instant::now() + PATIENCE;
        while !proc::is_traced(pid) {
            if strace.child.try_wait().unwrap().is_some() || Instant::now() > deadline {
                let said = fs::read_to_string(&errors).unwrap_or_default();
                return Err(said.lines().next().unwrap_or("strace failed").to_owned());
            }
            std::thread::sleep(POLL);
        }
        Ok(strace)
    }

    /// Lets the process go and says how many calls there were.
    fn detach(mut self) -> Result<u64, String> {
        kill_process(Pid::from_child(&self.child), Signal::INT).unwrap();
        let deadline = Instant::now() + PATIENCE;
        while self.child.try_wait().unwrap().is_none() {
            if Instant::now() > deadline {
                return Err("strace does not end".to_owned());
            }
            std::thread::sleep(POLL);
        }
        let text = fs::read_to_string(&self.summary).map_err(|error| error.to_string())?;
        calls(&text).ok_or("strace's summary is not as expected".to_owned())
    }
}

impl Drop for Strace {
    fn drop(&mut self) {
        // Both fail only where it is gone; the traced process goes on without it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The sum of the fourth column between the two lines of dashes. The line of totals is not read: whether it has
/// an entry in the third column depends on strace's version.
///
/// ```text
/// % time     seconds  usecs/call     calls    errors syscall
/// ------ ----------- ----------- --------- --------- ----------------
///  61.17    0.001162           5       200         3 recvfrom
/// ------ ----------- ----------- --------- --------- ----------------
/// 100.00    0.001900           6       300         3 total
/// ```
fn calls(summary: &str) -> Option<u64> {
    let mut lines = summary.lines().skip_while(|line| !line.starts_with("---"));
    lines.next()?;
    let rows = lines.take_while(|line| !line.starts_with("---"));
    rows.map(|row| row.split_ascii_whitespace().nth(3)?.parse::<u64>().ok())
        .sum()
}

/// Transactions of all clients together, in the short run and in the long one.
const STATEMENTS: [u64; 2] = [160, 1_120];
const CONNECTIONS: [u64; 2] = [24, 120];
const STREAMS: [u64; 2] = [8, 24];
const PATIENCE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use super::*;

    const SUMMARY: &str = "\
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 61.17    0.001162           5       200         3 recvfrom
 38.83    0.000738           7       100           sendto
------ ----------- ----------- --------- --------- ----------------
100.00    0.001900           6       300         3 total
";

    #[test]
    fn calls_are_summed_with_and_without_errors() {
        assert_eq!(calls(SUMMARY), Some(300));
    }

    #[test]
    fn what_is_no_summary_is_no_number() {
        assert_eq!(calls(""), None);
        assert_eq!(calls("strace: attach: Operation not permitted\n"), None);
        let broken = SUMMARY.replace("       200", "       two");
        assert_eq!(calls(&broken), None);
    }

    #[test]
    fn the_long_run_is_longer_for_any_number_of_clients() {
        for workload in crate::workloads::WORKLOADS {
            for case in workload.cases {
                let [short, long] = turns(case);
                assert!(short < long, "{}", workload.name);
            }
        }
    }
}
