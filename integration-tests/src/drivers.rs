//! Drivers of other languages: their packages, and how their scripts are run.
//!
//! Packages are installed from the registries, pinned, into `target/drivers`, and kept there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::cluster::APP;

const INSTALL_PATIENCE: Duration = Duration::from_secs(240);
const RUN_PATIENCE: Duration = Duration::from_secs(180);

fn sources(language: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("drivers")
        .join(language)
}

/// A directory under `target/` for what is installed for a language.
fn cache(language: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let target = test
        .ancestors()
        .find(|dir| dir.join("CACHEDIR.TAG").is_file());
    let cache = target
        .expect("tests are built under target/")
        .join("drivers")
        .join(language);
    fs::create_dir_all(&cache).unwrap();
    cache
}

/// Runs `compare.py` in a virtual environment with psycopg and asyncpg.
pub fn python(proxy: u16, oracle: u16, refusals: bool) {
    let mut script = Command::new(python_environment());
    script.arg(sources("python").join("compare.py"));
    run(sides(&mut script, proxy, oracle, refusals), RUN_PATIENCE);
}

/// Runs `protocol.py`: what libpq says of protocol 3.2.
pub fn protocol(proxy: u16) {
    let mut script = Command::new(python_environment());
    script.arg(sources("python").join("protocol.py"));
    run(sides(&mut script, proxy, proxy, true), RUN_PATIENCE);
}

/// Runs `users_types.py`: users' types with psycopg and asyncpg, of rows of these organizations.
pub fn types(proxy: u16, oracle: u16, organizations: &[i64]) {
    let organizations: Vec<String> = organizations.iter().map(i64::to_string).collect();
    let mut script = Command::new(python_environment());
    script
        .arg(sources("python").join("users_types.py"))
        .env("ORGANIZATIONS", organizations.join(","));
    run(sides(&mut script, proxy, oracle, true), RUN_PATIENCE);
}

/// The interpreter of the environment, which is installed once.
fn python_environment() -> PathBuf {
    static INSTALLING: Mutex<()> = Mutex::new(());
    let _alone = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    let (sources, cache) = (sources("python"), cache("python"));
    let requirements = sources.join("requirements.txt");
    let python = cache.join("bin/python");
    once(&requirements, &cache.join("installed"), || {
        run(
            Command::new("python3")
                .args(["-m", "venv", "--clear"])
                .arg(&cache),
            INSTALL_PATIENCE,
        );
        let mut pip = Command::new(&python);
        pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "-r",
        ]);
        run(pip.arg(&requirements), INSTALL_PATIENCE);
    });
    python
}

/// Runs `compare.js` with node-postgres.
pub fn node(proxy: u16, oracle: u16, refusals: bool) {
    let (sources, cache) = (sources("node"), cache("node"));
    let lock = sources.join("package-lock.json");
    once(&lock, &cache.join("installed"), || {
        for file in ["package.json", "package-lock.json"] {
            fs::copy(sources.join(file), cache.join(file)).unwrap();
        }
        let mut npm = Command::new("npm");
        npm.args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"])
            .current_dir(&cache);
        run(&mut npm, INSTALL_PATIENCE);
    });
    let mut script = Command::new("node");
    script
        .arg(sources.join("compare.js"))
        .env("NODE_MODULES", cache);
    run(sides(&mut script, proxy, oracle, refusals), RUN_PATIENCE);
}

/// Installs unless exactly this list of packages has been installed before.
fn once(wanted: &Path, marker: &Path, install: impl FnOnce()) {
    let wanted = fs::read_to_string(wanted).unwrap();
    if fs::read_to_string(marker).is_ok_and(|installed| installed == wanted) {
        return;
    }
    install();
    fs::write(marker, wanted).unwrap();
}

fn sides(command: &mut Command, proxy: u16, oracle: u16, refusals: bool) -> &mut Command {
    let dsn = |port| format!("postgresql://{APP}:{APP}@127.0.0.1:{port}/{APP}");
    command
        .env("PROXY_DSN", dsn(proxy))
        .env("ORACLE_DSN", dsn(oracle))
        .env("REFUSALS", if refusals { "1" } else { "0" })
}

/// Runs a command to its end, at most as long as given; what it says is part of the test's output.
fn run(command: &mut Command, patience: Duration) {
    println!("{command:?}");
    let mut process = command
        .stdin(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let deadline = Instant::now() + patience;
    let status = loop {
        if let Some(status) = process.try_wait().unwrap() {
            break status;
        }
        if Instant::now() > deadline {
            process.kill().unwrap();
            process.wait().unwrap();
            panic!("{command:?} took longer than {patience:?}");
        }
        thread::sleep(Duration::from_millis(50));
    };
    assert!(status.success(), "{command:?}: {status}");
}
