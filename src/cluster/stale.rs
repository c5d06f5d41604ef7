//! Servers that an earlier run, killed before it could stop them, left behind.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::{Error, io_error};

/// Each signal is given this long before the next, harder one.
const PATIENCE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(20);

/// Stops the server that still runs in a data directory, if any, and clears its lock file.
///
/// The lock file's process id alone proves nothing, because ids are used again: the process must be
/// a `postgres` whose working directory, which a postmaster never leaves, is this data directory.
pub fn stop_stale(data: &Path) -> Result<(), Error> {
    let lock = data.join("postmaster.pid");
    let Some(pid) = locked_by(&lock) else {
        return Ok(());
    };
    if is_postmaster_of(pid, data) {
        for name in ["INT", "QUIT", "KILL"] {
            signal(pid, name);
            let deadline = Instant::now() + PATIENCE;
            while Instant::now() < deadline && is_postmaster_of(pid, data) {
                thread::sleep(POLL);
            }
            if !is_postmaster_of(pid, data) {
                break;
            }
        }
    }
    match fs::remove_file(&lock) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(io_error("remove", &lock)(error))
        }
        _ => Ok(()),
    }
}

/// Sends a signal by name. The shell's own `kill` needs no package and no unsafe code.
pub(super) fn signal(pid: u32, name: &str) {
    // A process that is gone already is what was wanted.
    let _ = std::process::Command::new("/bin/sh")
        .args([
            "-c",
            r#"kill -s "$1" "$2" 2>/dev/null"#,
            "kill",
            name,
            &pid.to_string(),
        ])
        .status();
}

fn locked_by(lock: &Path) -> Option<u32> {
    fs::read_to_string(lock)
        .ok()?
        .lines()
        .next()?
        .trim()
        .parse()
        .ok()
}

fn is_postmaster_of(pid: u32, data: &Path) -> bool {
    let process = Path::new("/proc").join(pid.to_string());
    let is_postgres = fs::read_link(process.join("exe"))
        .ok()
        .and_then(|exe| Some(exe.file_name()?.to_str()?.starts_with("postgres")))
        .unwrap_or(false);
    let here = fs::read_link(process.join("cwd")).ok();
    is_postgres && here.is_some() && here == fs::canonicalize(data).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_process_with_the_same_id_is_left_alone() {
        let data = std::env::temp_dir().join(format!("trunkline-stale-{}", std::process::id()));
        fs::create_dir_all(&data).unwrap();
        let mut other = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        fs::write(
            data.join("postmaster.pid"),
            format!("{}\n/elsewhere\n", other.id()),
        )
        .unwrap();
        stop_stale(&data).unwrap();
        let cleared = !data.join("postmaster.pid").exists();
        let alive = other.try_wait().unwrap().is_none();
        other.kill().unwrap();
        other.wait().unwrap();
        fs::remove_dir_all(&data).unwrap();
        assert!(cleared && alive);
    }
}
