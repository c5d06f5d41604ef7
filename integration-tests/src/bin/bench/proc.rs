//! What `/proc` says of a process: processor time, context switches, memory, and whether it is being traced.
//! The same for every proxy, whatever language it is written in. It must not know whose process it is.

use std::collections::HashMap;
use std::fs;
use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What a process has used since its start.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Usage {
    cpu_seconds: f64,
    /// Of these, in the process's own code; the rest is the kernel's for it.
    user_seconds: f64,
    /// Context switches of each of its threads.
    switches: HashMap<u32, u64>,
}

/// What a process has used between two looks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spent {
    pub cpu_seconds: f64,
    pub user_seconds: f64,
    pub switches: f64,
}

impl Usage {
    pub fn of(pid: u32) -> io::Result<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let (user, system) = ticks(&stat).ok_or(io::ErrorKind::InvalidData)?;
        let mut switches = HashMap::new();
        for thread in threads(pid)? {
            // A thread may end between the two looks.
            if let Ok(status) = fs::read_to_string(format!("/proc/{pid}/task/{thread}/status")) {
                switches.insert(thread, switched(&status));
            }
        }
        Ok(Self {
            cpu_seconds: (user + system) as f64 / TICKS_PER_SECOND,
            user_seconds: user as f64 / TICKS_PER_SECOND,
            switches,
        })
    }

    /// The switches of a thread that has ended in between are lost; its processor time is not.
    pub fn since(&self, before: &Self) -> Spent {
        let switches = self.switches.iter().map(|(thread, now)| {
            let then = before.switches.get(thread).copied().unwrap_or(0);
            now.saturating_sub(then)
        });
        Spent {
            cpu_seconds: self.cpu_seconds - before.cpu_seconds,
            user_seconds: self.user_seconds - before.user_seconds,
            switches: switches.sum::<u64>() as f64,
        }
    }
}

/// Resident memory, in KiB.
pub fn resident_kb(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    field(&status, "VmRSS")
}

/// The most resident memory since the start, or since it was last forgotten, in KiB.
pub fn peak_kb(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    field(&status, "VmHWM")
}

/// The peak is what is resident now. `None` where this is not permitted.
/// Source: `proc(5)`, `/proc/PID/clear_refs`
pub fn forget_peak(pid: u32) -> Option<()> {
    fs::write(format!("/proc/{pid}/clear_refs"), "5").ok()
}

/// Whether a tracer holds every thread of the process.
pub fn is_traced(pid: u32) -> bool {
    let traced = |thread| {
        let status = fs::read_to_string(format!("/proc/{pid}/task/{thread}/status")).ok()?;
        field(&status, "TracerPid")
    };
    threads(pid).is_ok_and(|threads| {
        threads
            .into_iter()
            .all(|thread| traced(thread).is_some_and(|tracer| tracer != 0))
    })
}

/// A thousand clients are more descriptors than a shell usually allows. The proxies inherit the limit.
pub fn raise_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, raised).unwrap();
}

/// The processor's name and the kernel's release, for whoever compares two reports.
pub fn machine() -> (String, String) {
    let text = |path| fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = text("/proc/cpuinfo");
    let name = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map(|name| name.trim_start_matches([' ', '\t', ':']).to_owned());
    let release = text("/proc/sys/kernel/osrelease").trim().to_owned();
    (name.unwrap_or_default(), release)
}

fn threads(pid: u32) -> io::Result<Vec<u32>> {
    let entries = fs::read_dir(format!("/proc/{pid}/task"))?;
    let numbers = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    Ok(numbers.collect())
}

/// User and system time in `/proc/PID/stat`, all threads together, those that have ended too. The name of the
/// program, in parentheses, may itself hold parentheses and blanks.
/// Source: `proc(5)`, fields 14 and 15.
fn ticks(stat: &str) -> Option<(u64, u64)> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let (user, system) = (fields.next()?, fields.next()?);
    Some((user.parse().ok()?, system.parse().ok()?))
}

/// Both kinds of context switches in a `status` file.
fn switched(status: &str) -> u64 {
    ["voluntary_ctxt_switches", "nonvoluntary_ctxt_switches"]
        .iter()
        .filter_map(|name| field(status, name))
        .sum()
}

/// The first number of a line `Name:   123 kB` in a `status` file.
fn field(status: &str, name: &str) -> Option<u64> {
    let value = status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    value.split_ascii_whitespace().next()?.parse().ok()
}

/// The kernel's unit in `/proc/PID/stat`: 100 per second on every Linux that Debian ships.
const TICKS_PER_SECOND: f64 = 100.0;

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "Name:\ttrunk (x)\nState:\tS (sleeping)\nTracerPid:\t0\nVmHWM:\t   23456 kB\n\
                          VmRSS:\t   12345 kB\nThreads:\t3\nvoluntary_ctxt_switches:\t150\n\
                          nonvoluntary_ctxt_switches:\t7\n";

    #[test]
    fn user_and_system_time_are_found_behind_any_name() {
        let stat = "42 (a ) R 1) S 1 42 42 0 -1 4194560 500 0 0 0 321 79 9 9 20 0 3 0 1000 1 2\n";
        assert_eq!(ticks(stat), Some((321, 79)));
        assert_eq!(ticks("42 (short) S 1"), None);
        assert_eq!(ticks(""), None);
    }

    #[test]
    fn fields_of_a_status_are_found_by_their_whole_name() {
        assert_eq!(field(STATUS, "VmRSS"), Some(12_345));
        assert_eq!(field(STATUS, "TracerPid"), Some(0));
        assert_eq!(field(STATUS, "Vm"), None);
        assert_eq!(switched(STATUS), 157);
        assert_eq!(switched(""), 0);
    }

    #[test]
    fn threads_that_come_and_go_do_not_disturb_the_difference() {
        let usage = |cpu_seconds, switches: &[(u32, u64)]| Usage {
            cpu_seconds,
            user_seconds: cpu_seconds / 2.0,
            switches: switches.iter().copied().collect(),
        };
        let before = usage(1.5, &[(1, 100), (2, 50)]);
        let after = usage(2.0, &[(1, 130), (3, 5)]);
        let spent = after.since(&before);
        assert_eq!(spent.switches, 35.0);
        assert_eq!(spent.cpu_seconds, 0.5);
    }

    #[test]
    fn this_process_is_there_and_not_traced() {
        let pid = std::process::id();
        assert!(Usage::of(pid).is_ok_and(|usage| !usage.switches.is_empty()));
        assert!(resident_kb(pid).is_some_and(|kb| kb > 100));
        // Other tests of this process give memory back and take it, so that the two are not compared.
        assert!(peak_kb(pid).is_some_and(|kb| kb > 100));
        assert!(Usage::of(0).is_err());
    }
}
