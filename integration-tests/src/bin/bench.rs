//! `make bench`: point SELECTs by key through Trunkline, through PgBouncer and directly, in interleaved
//! rounds on one machine. Prints a table and writes `target/bench.json`. Then statements of three forms through
//! Trunkline, each of one text and with a literal that changes each time: the second may cost no more. Nothing
//! here decides a test.
//!
//! `bench [SECONDS [ROUNDS [CLIENTS]]]`

#![allow(
    clippy::unwrap_used,
    reason = "a benchmark that cannot run should say where it stopped"
)]

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use integration_tests::cluster::APP;
use integration_tests::{Cluster, Proxy, ProxyOptions, Setup, Subject};
use trunkline::internals::cluster::{Account, Watchdog};

/// Statements by simple query; `{key}` is a key and `{n}` a literal that changes each time, or does not.
const FORMS: [(&str, &str); 3] = [
    (
        "select",
        "select name, country from organizations where organization_id = {key} and {n} > 0",
    ),
    (
        "insert",
        "insert into organizations (organization_id, name, country) values ({key}, {n}::text, 'de') on conflict do nothing",
    ),
    (
        "update",
        "update organizations set country = 'de' where organization_id = {key} and {n} > 0",
    ),
];

const PROTOCOLS: [&str; 3] = ["simple", "extended", "prepared"];
/// The kernel's unit in `/proc/PID/stat`: 100 per second on every Linux that Debian ships.
const TICKS_PER_SECOND: f64 = 100.0;

struct Target {
    name: &'static str,
    port: u16,
    pid: Option<u32>,
}

#[derive(Clone, Default)]
struct Sum {
    statements: f64,
    seconds: f64,
    latency_ms: f64,
    cpu_seconds: f64,
    rounds: f64,
}

fn main() {
    let mut arguments = std::env::args()
        .skip(1)
        .map(|argument| argument.parse::<u64>().unwrap());
    let seconds = arguments.next().unwrap_or(5);
    let rounds = arguments.next().unwrap_or(5);
    let clients = arguments.next().unwrap_or(8);
    let cluster = Cluster::start(&Setup {
        shards: 2,
        sample: Some(0.1),
        ..Setup::default()
    });
    let proxy = Subject::start(&cluster, &ProxyOptions::default());
    let (bouncer, bouncer_port, _watchdog) = pgbouncer(&cluster);
    let targets = [
        Target {
            name: "direct",
            port: cluster.primary_port(0),
            pid: None,
        },
        Target {
            name: "pgbouncer",
            port: bouncer_port,
            pid: Some(bouncer.id()),
        },
        Target {
            name: "trunkline",
            port: proxy.port(),
            pid: proxy.proxy().map(Proxy::pid),
        },
    ];
    // The same key for all: it lives on the shard that the first two reach.
    let script = cluster.scratch.path().join("select.sql");
    let key = cluster.organization_on(0);
    fs::write(
        &script,
        format!("select name, country from organizations where organization_id = {key};\n"),
    )
    .unwrap();
    let with_variable = cluster.scratch.path().join("select-variable.sql");
    fs::write(
        &with_variable,
        format!(
            "\\set id {key}\nselect name, country from organizations where organization_id = :id;\n"
        ),
    )
    .unwrap();

    let mut sums = vec![Sum::default(); targets.len() * PROTOCOLS.len()];
    for round in 0..rounds {
        for (column, protocol) in PROTOCOLS.iter().enumerate() {
            for turn in 0..targets.len() {
                // Another order in each round, so that nobody always runs first.
                let row = (turn + round as usize) % targets.len();
                let target = &targets[row];
                if target.name == "pgbouncer" && *protocol == "prepared" && !keeps_prepared() {
                    continue;
                }
                let script = if *protocol == "simple" {
                    &script
                } else {
                    &with_variable
                };
                let sum = &mut sums[column * targets.len() + row];
                measure(&cluster, target, protocol, script, seconds, clients, sum);
            }
        }
        eprintln!("round {} of {rounds}", round + 1);
    }
    report(&targets, &sums);
    forms(&cluster, &targets[2], key, (seconds, rounds, clients));
    drop(proxy);
    end(bouncer);
}

/// The forms of statements with and without a literal that changes.
fn forms(cluster: &Cluster, target: &Target, key: i64, length: (u64, u64, u64)) {
    let (seconds, rounds, clients) = length;
    let mut sums = vec![Sum::default(); FORMS.len() * 2];
    for round in 0..rounds as usize {
        for turn in 0..sums.len() {
            // Another order in each round, so that nobody always runs first.
            let row = (turn + round) % sums.len();
            let (name, form) = FORMS[row / 2];
            let form = form.replace("{key}", &key.to_string());
            let text = match row % 2 {
                0 => format!("{};\n", form.replace("{n}", "123456789")),
                _ => format!(
                    "\\set n random(100000000, 999999999)\n{};\n",
                    form.replace("{n}", ":n")
                ),
            };
            let script = cluster
                .scratch
                .path()
                .join(format!("{name}-{}.sql", row % 2));
            fs::write(&script, text).unwrap();
            measure(
                cluster,
                target,
                "simple",
                &script,
                seconds,
                clients,
                &mut sums[row],
            );
        }
    }
    println!(
        "{:<10} {:<16} {:>14} {:>18}",
        "form", "literals", "statements/s", "proxy CPU µs each"
    );
    for (row, sum) in sums.iter().enumerate() {
        let literals = ["always the same", "another each time"][row % 2];
        let rate = sum.statements / sum.seconds;
        let cpu = 1e6 * sum.cpu_seconds / sum.statements;
        println!(
            "{:<10} {literals:<16} {rate:>14.0} {cpu:>18.1}",
            FORMS[row / 2].0
        );
    }
}

fn measure(
    cluster: &Cluster,
    target: &Target,
    protocol: &str,
    script: &Path,
    seconds: u64,
    clients: u64,
    sum: &mut Sum,
) {
    let cpu = target.pid.map(cpu_seconds);
    let started = Instant::now();
    let output = Command::new(cluster.host.binaries.path("pgbench"))
        .args([
            "-n",
            "-h",
            "127.0.0.1",
            "-p",
            &target.port.to_string(),
            "-U",
            APP,
            "-d",
            APP,
        ])
        .args([
            "-M",
            protocol,
            "-c",
            &clients.to_string(),
            "-j",
            "1",
            "-T",
            &seconds.to_string(),
            "-f",
        ])
        .arg(script)
        .env("PGPASSWORD", APP)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{}: {said}{}",
        target.name,
        String::from_utf8_lossy(&output.stderr)
    );
    let number = |prefix: &str| -> f64 {
        let line = said
            .lines()
            .find_map(|line| line.strip_prefix(prefix))
            .unwrap_or_default();
        line.split_whitespace()
            .find_map(|word| word.parse().ok())
            .unwrap_or(f64::NAN)
    };
    sum.statements += number("number of transactions actually processed:");
    sum.latency_ms += number("latency average =");
    sum.seconds += started.elapsed().as_secs_f64().min(seconds as f64);
    sum.rounds += 1.0;
    if let (Some(pid), Some(before)) = (target.pid, cpu) {
        sum.cpu_seconds += cpu_seconds(pid) - before;
    }
}

/// User and system time of a process with all its threads.
fn cpu_seconds(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let ticks = fields
        .split(' ')
        .skip(11)
        .take(2)
        .map(|field| field.parse::<f64>().unwrap());
    ticks.sum::<f64>() / TICKS_PER_SECOND
}

fn report(targets: &[Target], sums: &[Sum]) {
    println!(
        "{:<10} {:<10} {:>14} {:>12} {:>18}",
        "protocol", "through", "statements/s", "latency ms", "proxy CPU µs each"
    );
    let mut json = Vec::new();
    for (column, protocol) in PROTOCOLS.iter().enumerate() {
        for (row, target) in targets.iter().enumerate() {
            let sum = &sums[column * targets.len() + row];
            if sum.rounds == 0.0 {
                println!("{protocol:<10} {:<10} {:>14}", target.name, "unsupported");
                continue;
            }
            let rate = sum.statements / sum.seconds;
            let latency = sum.latency_ms / sum.rounds;
            let cpu = target.pid.map(|_| 1e6 * sum.cpu_seconds / sum.statements);
            let shown = cpu.map_or("-".to_owned(), |cpu| format!("{cpu:.1}"));
            println!(
                "{protocol:<10} {:<10} {rate:>14.0} {latency:>12.3} {shown:>18}",
                target.name
            );
            let cpu = cpu.map_or("null".to_owned(), |cpu| format!("{cpu:.3}"));
            json.push(format!(
                "  {{\"protocol\": \"{protocol}\", \"through\": \"{}\", \"statements_per_second\": {rate:.1}, \
                 \"latency_ms\": {latency:.4}, \"cpu_us_per_statement\": {cpu}}}",
                target.name
            ));
        }
    }
    fs::write("target/bench.json", format!("[\n{}\n]\n", json.join(",\n"))).unwrap();
    println!("written to target/bench.json");
}

fn pgbouncer_binary() -> &'static str {
    if Path::new("/usr/sbin/pgbouncer").exists() {
        "/usr/sbin/pgbouncer"
    } else {
        "pgbouncer"
    }
}

/// Prepared statements in transaction pooling came with PgBouncer 1.21.
fn keeps_prepared() -> bool {
    let output = Command::new(pgbouncer_binary())
        .arg("--version")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let version = said
        .lines()
        .next()
        .and_then(|line| line.split_whitespace().last())
        .unwrap_or_default();
    let mut numbers = version
        .split('.')
        .map(|number| number.parse::<u32>().unwrap_or(0));
    (numbers.next(), numbers.next()) >= (Some(1), Some(21))
}

/// PgBouncer in transaction pooling before the first shard, with SCRAM toward both sides.
fn pgbouncer(cluster: &Cluster) -> (Child, u16, Watchdog) {
    let dir = cluster.scratch.path().join("pgbouncer");
    let port = cluster.host.ports.take().unwrap();
    cluster.host.account.create_dir(&dir).unwrap();
    fs::write(dir.join("users"), format!("\"{APP}\" \"{APP}\"\n")).unwrap();
    let prepared = if keeps_prepared() {
        "max_prepared_statements = 200\n"
    } else {
        ""
    };
    let config = format!(
        "[databases]\n{APP} = host=127.0.0.1 port={} dbname={APP}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
         listen_port = {port}\nunix_socket_dir =\nauth_type = scram-sha-256\nauth_file = {}\n\
         pool_mode = transaction\ndefault_pool_size = 20\nlog_connections = 0\nlog_disconnections = 0\n\
         ignore_startup_parameters = extra_float_digits\n{prepared}",
        cluster.primary_port(0),
        dir.join("users").display(),
    );
    fs::write(dir.join("pgbouncer.ini"), config).unwrap();
    let mut command = Command::new(pgbouncer_binary());
    command
        .arg("-q")
        .arg(dir.join("pgbouncer.ini"))
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    // Like PostgreSQL, it refuses to run as root.
    Account::detect().unwrap().apply(&mut command);
    let process = command
        .spawn()
        .expect("pgbouncer is installed: run scripts/setup.sh bench");
    let watchdog = Watchdog::end_process(process.id(), "KILL").unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < deadline, "pgbouncer does not listen");
        std::thread::sleep(Duration::from_millis(20));
    }
    (process, port, watchdog)
}

fn end(mut process: Child) {
    // Both fail only where the process is gone.
    let _ = process.kill();
    let _ = process.wait();
}
