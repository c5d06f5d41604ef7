//! Ends a process, or removes a directory, when the process that made it is gone.
//!
//! A destructor does not run when a test is killed or when a value lives in a `static`. So a small
//! shell holds the reading end of a pipe whose writing end only we hold: end of file means that we
//! are gone, however that happened. A word on the pipe means that there is nothing left to do.
//!
//! ```text
//! we ── pipe ──> sh: read … "done" → exit
//!                    end of file  → signal the process, or remove the directory
//! ```

use std::fs;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Signals only if the process is still the same one: a process is known by its id and its start
/// time, the 22nd field of `/proc/PID/stat` (the 20th after the name in parentheses, which may
/// itself contain spaces).
const END_PROCESS: &str = r#"
while read -r word; do [ "$word" = done ] && exit 0; done
stat=$(cat "/proc/$1/stat" 2>/dev/null) || exit 0
pid=$1 started=$2 signal=$3
set -- ${stat##*) }
[ "${20}" = "$started" ] && kill -s "$signal" "$pid"
"#;

/// Servers may need a moment to let go of the directory.
const REMOVE_DIRECTORY: &str = r#"
while read -r word; do [ "$word" = done ] && exit 0; done
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  sleep 0.3
  rm -rf -- "$1" 2>/dev/null
  [ -e "$1" ] || exit 0
done
"#;

/// Acts when this value, or the whole process, goes away without [`Watchdog::dismiss`].
#[derive(Debug)]
pub struct Watchdog {
    shell: Child,
}

impl Watchdog {
    /// Sends `signal` (a name such as `QUIT`) to a running process.
    pub fn end_process(pid: u32, signal: &str) -> io::Result<Self> {
        let started = start_time(pid)
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the process has ended"))?;
        Self::spawn(END_PROCESS, &[&pid.to_string(), &started, signal])
    }

    /// Removes a directory and everything in it.
    pub fn remove_directory(dir: &Path) -> io::Result<Self> {
        let dir = dir.to_str().ok_or(io::ErrorKind::InvalidInput)?;
        Self::spawn(REMOVE_DIRECTORY, &[dir])
    }

    fn spawn(script: &str, arguments: &[&str]) -> io::Result<Self> {
        let shell = Command::new("/bin/sh")
            .args(["-c", script, "watchdog"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Out of the terminal's reach: Ctrl-C is for us, and we end the servers in order.
            .process_group(0)
            .spawn()?;
        Ok(Self { shell })
    }

    /// There is nothing left to do.
    pub fn dismiss(mut self) {
        if let Some(pipe) = &mut self.shell.stdin {
            // It fails where the shell is gone, and then there is nobody to dismiss.
            let _ = pipe.write_all(b"done\n");
        }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        // Closing the pipe tells the shell to act, unless it was dismissed before.
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}

/// The start time of a process, in clock ticks since boot, as the kernel prints it.
fn start_time(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    fields.split(' ').nth(19).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper() -> Child {
        Command::new("sleep").arg("60").spawn().unwrap()
    }

    #[test]
    fn ends_the_process_when_dropped() {
        let mut child = sleeper();
        drop(Watchdog::end_process(child.id(), "KILL").unwrap());
        assert!(!child.wait().unwrap().success());
    }

    #[test]
    fn leaves_the_process_when_dismissed() {
        let mut child = sleeper();
        Watchdog::end_process(child.id(), "KILL").unwrap().dismiss();
        assert!(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn removes_the_directory_when_dropped() {
        let dir = std::env::temp_dir().join(format!("trunkline watchdog {}", std::process::id()));
        fs::create_dir_all(dir.join("inside")).unwrap();
        drop(Watchdog::remove_directory(&dir).unwrap());
        assert!(!dir.exists());
    }
}
