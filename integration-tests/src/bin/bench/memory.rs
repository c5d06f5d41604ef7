//! Resident memory: of idle clients, and over a long time of mixed load.

use std::thread;
use std::time::{Duration, Instant};

use crate::generator::{Crowd, Length, connects};
use crate::pgbench::Run;
use crate::proc::resident_kb;
use crate::proxies::Target;
use crate::workloads::{MIXED, POINT_PARAMETER, POINT_SQL, PREPARED, SIMPLE};
use crate::world::World;

/// Memory of one process before and with a crowd.
pub struct IdleMemory {
    pub through: &'static str,
    pub before_kb: u64,
    pub after_kb: u64,
}

impl IdleMemory {
    pub fn kb_per_client(&self) -> f64 {
        (self.after_kb as f64 - self.before_kb as f64) / IDLE as f64
    }
}

/// Each proxy that is a process, before anything else has run through it but what fills its pool.
pub fn idle(world: &World) -> Vec<IdleMemory> {
    let one = |target: &Target| {
        let measured = idle_one(world, target).transpose()?;
        measured
            .inspect_err(|error| eprintln!("idle clients through {}: {error}", target.name))
            .ok()
    };
    world.targets.iter().filter_map(one).collect()
}

fn idle_one(world: &World, target: &Target) -> Result<Option<IdleMemory>, String> {
    let Some(pid) = target.pid else {
        return Ok(None);
    };
    let sql = world.with_key(POINT_SQL);
    connects(target.port, POOL_FILLERS, Length::Each(2), &sql, &|| {})?;
    thread::sleep(SETTLE);
    let resident = || resident_kb(pid).ok_or("the process is gone");
    let before_kb = resident()?;
    let crowd = Crowd::open(target.port, IDLE, &sql)?;
    thread::sleep(SETTLE);
    let after_kb = resident()?;
    crowd.leave(world.cluster.primary_port(0))?;
    Ok(Some(IdleMemory {
        through: target.name,
        before_kb,
        after_kb,
    }))
}

/// Mixed load, and a line of memory at each interval.
pub fn soak(world: &World, target: &Target, seconds: u64) -> Result<(), String> {
    let pid = target.pid.ok_or("not one process")?;
    println!("{}: mixed load for {seconds} s", target.name);
    println!("{:>10} {:>14}", "seconds", "resident kB");
    let begun = Instant::now();
    let interval = Duration::from_secs((seconds / SOAK_LINES).max(1));
    let total = thread::scope(|scope| {
        let loads = [
            scope.spawn(|| mixed(world, target, seconds)),
            scope.spawn(|| prepared(world, target, seconds)),
            scope.spawn(|| {
                let sql = world.with_key(POINT_SQL);
                Ok(connects(target.port, 2, Length::Seconds(seconds), &sql, &|| {})?.transactions)
            }),
        ];
        loop {
            let resident = resident_kb(pid).ok_or("the process is gone")?;
            println!("{:>10.0} {resident:>14}", begun.elapsed().as_secs_f64());
            if loads.iter().all(|load| load.is_finished()) {
                break;
            }
            thread::sleep(interval);
        }
        let counts = loads.map(|load| load.join().unwrap());
        counts.into_iter().sum::<Result<u64, String>>()
    })?;
    println!("{total} transactions and connections");
    Ok(())
}

fn mixed(world: &World, target: &Target, seconds: u64) -> Result<u64, String> {
    let scripts: Vec<String> = MIXED.iter().map(|script| world.with_key(script)).collect();
    let run = Run {
        port: target.port,
        protocol: SIMPLE,
        clients: 8,
        length: Length::Seconds(seconds),
        scripts: &scripts,
    };
    Ok(run.load(&world.cluster, &|| {})?.transactions)
}

fn prepared(world: &World, target: &Target, seconds: u64) -> Result<u64, String> {
    if !target.prepares {
        return Ok(0);
    }
    let run = Run {
        port: target.port,
        protocol: PREPARED,
        clients: 4,
        length: Length::Seconds(seconds),
        scripts: &[world.with_key(POINT_PARAMETER)],
    };
    Ok(run.load(&world.cluster, &|| {})?.transactions)
}

pub const IDLE: usize = 1_000;
/// More clients at once than a pool has connections.
const POOL_FILLERS: u32 = 24;
/// What is freed with a delay is gone by then: Trunkline gives back what a client does not need once it has done
/// nothing for two seconds.
const SETTLE: Duration = Duration::from_secs(4);
const SOAK_LINES: u64 = 60;
