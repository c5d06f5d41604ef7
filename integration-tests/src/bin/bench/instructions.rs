//! Instructions per statement of Trunkline's own code, counted by callgrind: unlike times they come out nearly
//! the same on every run, so a change that costs more is seen. The kernel's work is not in them.
//!
//! One proxy with one worker runs under callgrind. For each form there are runs of few statements and of
//! many, by one client each: the difference has no login and no end in it. What the proxy does by the clock (it
//! watches its servers, and reads their catalogs anew, each with a login that derives keys) would outweigh all
//! statements of a run; so runs are repeated and the smallest count of each length is taken, because what is done
//! besides only adds. What callgrind wrote of the last long run stays beside the report, for
//! `callgrind_annotate`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use integration_tests::{Proxy, ProxyOptions};

use crate::generator::Length;
use crate::pgbench::Run;
use crate::proxies::{installed, trunkline_options};
use crate::workloads::{EXTENDED, POINT_PARAMETER, POINT_SHAPE, POINT_SQL, PREPARED, SIMPLE};
use crate::world::World;

/// What one form of statement costs.
pub struct Counted {
    pub form: &'static str,
    /// Or why there are none.
    pub runs: Result<Runs, String>,
}

/// Statements and instructions of a short run and of a long one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Runs(pub [(u64, u64); 2]);

impl Runs {
    pub fn per_statement(self) -> f64 {
        let [(few, short), (many, long)] = self.0;
        (long as f64 - short as f64) / (many - few) as f64
    }
}

/// All forms. What callgrind writes is kept in a directory.
pub fn count(world: &World, keep: &Path) -> Vec<Counted> {
    let all_without = |reason: &str| {
        let without = |form: &(&'static str, _, _)| Counted {
            form: form.0,
            runs: Err(reason.to_owned()),
        };
        FORMS.iter().map(without).collect()
    };
    let mut counter = match Counter::start(world) {
        Ok(counter) => counter,
        Err(reason) => return all_without(&reason),
    };
    let forms = FORMS.iter().map(|(form, protocol, script)| {
        eprintln!("instructions: {form}");
        let script = world.with_key(script);
        let file = keep.join(format!("callgrind.{form}.out"));
        let runs = counter.form(world, protocol, &script, &file);
        Counted { form, runs }
    });
    let counted = forms.collect();
    counter.end();
    counted
}

/// A proxy under callgrind, and the way to callgrind itself.
struct Counter {
    proxy: Proxy,
    vgdb: PathBuf,
    file: PathBuf,
    /// How many files it has written; each has what was counted since the one before.
    dumps: u32,
}

impl Counter {
    fn start(world: &World) -> Result<Self, String> {
        let missing = "valgrind is not installed";
        let valgrind = installed("valgrind").ok_or(missing)?;
        let vgdb = installed("vgdb").ok_or(missing)?;
        let file = world.cluster.scratch.path().join("callgrind");
        let wrapper = [
            valgrind.display().to_string(),
            "--tool=callgrind".to_owned(),
            // The start would take half a minute, and does not count.
            "--instr-atstart=no".to_owned(),
            format!("--callgrind-out-file={}", file.display()),
        ];
        let options = ProxyOptions {
            wrapper: wrapper.into(),
            environment: vec![("TRUNKLINE_WORKERS".to_owned(), "1".to_owned())],
            ..trunkline_options()
        };
        let counter = Self {
            proxy: Proxy::start(&world.cluster, &options),
            vgdb,
            file,
            dumps: 0,
        };
        counter.tell("instrumentation on")?;
        Ok(counter)
    }

    fn form(
        &mut self,
        world: &World,
        protocol: &str,
        script: &str,
        keep: &Path,
    ) -> Result<Runs, String> {
        let mut smallest = STATEMENTS.map(|statements| (statements, u64::MAX));
        // What is done once, such as planning and translating the proxy's code for callgrind.
        self.run(world, protocol, script, WARM_UP)?;
        self.dump()?;
        for _ in 0..REPEATS {
            for (statements, fewest) in &mut smallest {
                self.run(world, protocol, script, *statements)?;
                let text = self.dump()?;
                let counted = total(&text).ok_or("callgrind's file has no summary")?;
                *fewest = counted.min(*fewest);
                std::fs::write(keep, text).map_err(|error| error.to_string())?;
            }
        }
        Ok(Runs(smallest))
    }

    fn run(
        &self,
        world: &World,
        protocol: &str,
        script: &str,
        statements: u64,
    ) -> Result<(), String> {
        let run = Run {
            port: self.proxy.port,
            protocol,
            clients: 1,
            length: Length::Each(statements),
            scripts: &[script.to_owned()],
        };
        run.load(&world.cluster, &|| {}).map(drop)
    }

    /// What was counted since the last time, as callgrind writes it.
    fn dump(&mut self) -> Result<String, String> {
        self.tell("dump")?;
        self.dumps += 1;
        let file = self.file.with_extension(self.dumps.to_string());
        let text = std::fs::read_to_string(&file).map_err(|error| format!("no dump: {error}"))?;
        // Where it stays, it goes with the scratch directory.
        let _ = std::fs::remove_file(&file);
        Ok(text)
    }

    /// Gives callgrind one of its monitor commands, and waits until it is done.
    /// Source: <https://valgrind.org/docs/manual/cl-manual.html>, "Callgrind Monitor Commands".
    fn tell(&self, command: &str) -> Result<(), String> {
        let output = Command::new("timeout")
            .arg(VGDB_SECONDS)
            .arg(&self.vgdb)
            .arg(format!("--pid={}", self.proxy.pid()))
            .args(command.split(' '))
            .output()
            .map_err(|error| format!("vgdb: {error}"))?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(format!("vgdb: {}", said.lines().last().unwrap_or("failed")))
    }

    /// Dropping the proxy kills it, should it not end by itself.
    fn end(mut self) {
        self.proxy.signal("TERM");
        let _ = self.proxy.wait(STOP_PATIENCE);
    }
}

/// The number of all instructions: a line `summary: 12345` or, after the costs, `totals: 12345`.
/// Source: <https://valgrind.org/docs/manual/cl-format.html>
fn total(file: &str) -> Option<u64> {
    let line = |name| file.lines().find_map(|line| line.strip_prefix(name));
    let value = line("totals:").or_else(|| line("summary:"))?;
    value.split_ascii_whitespace().next()?.parse().ok()
}

const FORMS: [(&str, &str, &str); 4] = [
    ("simple", SIMPLE, POINT_SQL),
    ("extended", EXTENDED, POINT_PARAMETER),
    ("prepared", PREPARED, POINT_PARAMETER),
    ("shape", SIMPLE, POINT_SHAPE),
];
const WARM_UP: u64 = 300;
const STATEMENTS: [u64; 2] = [100, 1_100];
const REPEATS: usize = 5;
const VGDB_SECONDS: &str = "60";
const STOP_PATIENCE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_found_among_the_costs() {
        let file = "# callgrind format\nversion: 1\ncreator: callgrind-3.19.0\npid: 42\ncmd: trunkline\npart: 1\n\n\
                    desc: Trigger: Program termination\n\npositions: line\nevents: Ir\nsummary: 123456789\n\n\
                    fn=(1) main\n16 400\n\ntotals: 123456790\n";
        assert_eq!(total(file), Some(123_456_790));
        assert_eq!(total(&file.replace("totals: ", "")), Some(123_456_789));
        assert_eq!(total("version: 1\nfn=(1) summary\n"), None);
    }

    #[test]
    fn logins_do_not_count() {
        let login = 1_000_000;
        let runs = Runs([(100, login + 100 * 300), (1_100, login + 1_100 * 300)]);
        assert_eq!(runs.per_statement(), 300.0);
    }
}
