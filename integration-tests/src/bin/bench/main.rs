//! `make bench`: what Trunkline costs beside direct connections, PgBouncer and a proxy that only copies bytes.
//! Nothing here decides a test. `docs/performance.md` says how to read it.
//!
//! ```text
//! options ─> world (shards, ways through) ─> idle clients' memory ─┐
//!                                            instruction counts    ├─> report: tables, target/bench.json
//!                                            rounds of workloads   │
//!                                            system calls         ─┘
//! ```
//!
//! Rounds are interleaved: each case goes through everybody before the next one does, in another order in each
//! round, and medians over the rounds are shown. So what disturbs the machine for a while disturbs everybody.

#![allow(
    clippy::unwrap_used,
    reason = "a benchmark that cannot run should say where it stopped"
)]

mod generator;
mod instructions;
mod json;
mod measure;
mod memory;
mod options;
mod pgbench;
mod proc;
mod proxies;
mod readings;
mod report;
mod syscalls;
mod workloads;
mod world;

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use generator::Length;
use json::Json;
use measure::{Cell, Sample, order};
use options::{Options, Wanted, Words};
use proxies::{RECIPES, TRUNKLINE};
use report::{Report, Row};
use workloads::{WORKLOADS, Workload};
use world::World;

const IDLE_MEMORY: &str = "idle-memory";
const INSTRUCTIONS: &str = "instructions";
/// The case whose system calls are counted, where there are several numbers of clients.
const SYSCALL_CLIENTS: u32 = 8;

fn main() -> ExitCode {
    let parts = WORKLOADS.iter().map(|workload| workload.name);
    let named_only = WORKLOADS.iter().filter(|workload| workload.named_only);
    let words = Words {
        parts: parts.chain([IDLE_MEMORY, INSTRUCTIONS]).collect(),
        named_only: named_only.map(|workload| workload.name).collect(),
        proxies: RECIPES.iter().map(|recipe| recipe.name).collect(),
    };
    let options = match Options::parse(std::env::args().skip(1), &words) {
        Ok(Wanted::Run(options)) => options,
        Ok(Wanted::Help) => {
            print!("{}", options::usage(&words));
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprint!("{error}\n\n{}", options::usage(&words));
            return ExitCode::from(2);
        }
    };
    proc::raise_descriptors();
    let world = World::start(&options);
    match options.soak {
        Some(seconds) => soak(&world, &options, seconds),
        None => measure(&world, &options),
    }
}

fn soak(world: &World, options: &Options, seconds: u64) -> ExitCode {
    let named = |name| options.names_proxies() || name == TRUNKLINE;
    for target in world.targets.iter().filter(|target| named(target.name)) {
        if let Err(error) = memory::soak(world, target, seconds) {
            eprintln!("{}: {error}", target.name);
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn measure(world: &World, options: &Options) -> ExitCode {
    let begun = Instant::now();
    let idle = if options.wants(IDLE_MEMORY) {
        memory::idle(world)
    } else {
        Vec::new()
    };
    // Early: where the proxy does not start under callgrind, no long measurement is lost.
    let keep = options.json.parent().unwrap_or(Path::new(""));
    fs::create_dir_all(keep).unwrap();
    let instructions = if options.wants(INSTRUCTIONS) {
        instructions::count(world, keep)
    } else {
        Vec::new()
    };
    let mut rows = rows(world, options);
    rounds(world, options, &mut rows, begun);
    if options.wants_syscalls() {
        count_syscalls(world, &mut rows);
    }
    let report = Report {
        about: about(world, options),
        rows,
        idle,
        instructions,
    };
    println!("{}", report.tables());
    fs::write(&options.json, format!("{}\n", report.json())).unwrap();
    let seconds = begun.elapsed().as_secs();
    println!("written to {} after {seconds} s", options.json.display());
    ExitCode::SUCCESS
}

/// A row for each case and way through, in the order of the tables.
fn rows(world: &World, options: &Options) -> Vec<Row> {
    let wanted = WORKLOADS
        .iter()
        .filter(|workload| workload.is_wanted(options));
    let of_workload = |workload: &'static Workload| {
        let cases = workload.cases.iter();
        cases.flat_map(move |case| {
            let targets = workload.targets(world).into_iter();
            targets.map(move |target| Row {
                workload,
                case,
                through: target.name,
                cell: Cell {
                    fault: workload.refusal(case, target).map(str::to_owned),
                    ..Cell::default()
                },
            })
        })
    };
    wanted.flat_map(of_workload).collect()
}

fn rounds(world: &World, options: &Options, rows: &mut [Row], begun: Instant) {
    if rows.is_empty() {
        return;
    }
    for round in 0..options.rounds {
        let mut rest = &mut *rows;
        while !rest.is_empty() {
            let case = rest[0].case;
            let same = rest.iter().take_while(|row| std::ptr::eq(row.case, case));
            let count = same.count();
            let (group, after) = rest.split_at_mut(count);
            for turn in order(count, round) {
                take(world, &mut group[turn], options.seconds);
            }
            rest = after;
        }
        let seconds = begun.elapsed().as_secs();
        eprintln!(
            "round {} of {} after {seconds} s",
            round + 1,
            options.rounds
        );
    }
}

fn take(world: &World, row: &mut Row, seconds: u64) {
    if row.cell.fault.is_some() {
        return;
    }
    let length = Length::Seconds(seconds);
    let target = world.target(row.workload, row.through);
    row.cell
        .add(Sample::take(world, row.workload, row.case, target, length));
    if let Some(fault) = &row.cell.fault {
        let (workload, case) = (row.workload.name, row.case.label);
        eprintln!("{workload}, {case}, through {}: {fault}", row.through);
    }
}

fn count_syscalls(world: &World, rows: &mut [Row]) {
    for row in rows {
        let target = world.target(row.workload, row.through);
        let several = row
            .workload
            .cases
            .iter()
            .any(|case| case.clients != row.case.clients);
        let other = several && row.case.clients != SYSCALL_CLIENTS;
        let large = row.workload.named_only;
        if row.cell.fault.is_none() && target.pid.is_some() && !other && !large {
            row.cell.syscalls = Some(syscalls::count(world, row.workload, row.case, target));
        }
    }
}

/// Under what the figures were measured.
fn about(world: &World, options: &Options) -> Vec<(&'static str, Json)> {
    let (processor, kernel) = proc::machine();
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let versions = world.targets.iter().map(|target| {
        Json::Object(vec![
            ("name", Json::text(target.name)),
            ("version", Json::text(&target.version)),
        ])
    });
    vec![
        ("processor", Json::text(processor)),
        ("cores", Json::Number(cores as f64)),
        ("kernel", Json::text(kernel)),
        ("seconds", Json::Number(options.seconds as f64)),
        ("rounds", Json::Number(options.rounds as f64)),
        ("proxies", Json::List(versions.collect())),
    ]
}
