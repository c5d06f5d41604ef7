//! Statements made up: shapes × predicates × scopes × forms of literals and parameters × types of keys × sharding
//! functions. Each is answered by the proxy exactly as by one PostgreSQL with all the rows, or refused; and after
//! writes every row is on the shard where PostgreSQL's own functions put it.
//!
//! A run is a seed and batches numbered from zero. Each batch follows from its own seed alone: which keyspace it
//! is about, its statements, their forms. It begins with the tables as they were at first. A failure prints the
//! batch's seed; `TRUNKLINE_TEST_BATCH=<seed>` runs that batch alone, `TRUNKLINE_TEST_SEED` repeats a run,
//! `TRUNKLINE_TEST_STATEMENTS=1000000` makes it longer, `TRUNKLINE_TEST_FAMILIES=big,txt` narrower.
//! `TRUNKLINE_ORACLE_STATEMENTS` names a file for the texts, which PostgreSQL's parser reads later (`oracle/`).
//! `docs/design/0015-oracles.md` has the figures, and what the test has been shown to catch.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

#[path = "generated/family.rs"]
mod family;
#[path = "generated/generator.rs"]
mod generator;
#[path = "generated/predicate.rs"]
mod predicate;
#[path = "generated/read.rs"]
mod read;
#[path = "generated/value.rs"]
mod value;
#[path = "generated/world.rs"]
mod world;
#[path = "generated/write.rs"]
mod write;

use std::collections::{BTreeMap, HashSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use family::{Family, families};
pub use generator::{Generator, Made, Relation};
use integration_tests::Random;
use integration_tests::pair::{Form, Outcome, Pair};
use world::{Servers, World};

/// Statements of a run, unless the environment says otherwise.
const STATEMENTS: u64 = 50_000;
const STATEMENTS_PER_BATCH: u64 = 50;
/// Of the statements at least this many of a hundred must be answered, or the run shows little.
const ANSWERED_PERCENT_MIN: u64 = 50;
/// Of a hundred batches, those that write.
const WRITING_PERCENT: u64 = 40;
/// Workers; each has keyspaces of its own, so that none sees what another writes.
const WORKERS: usize = 6;
/// Texts that are written down.
const TEXTS_MAX: usize = 5_000;
/// Failures shown before a run ends.
const SHOWN_MAX: usize = 12;

#[derive(Default)]
struct Tally {
    answered: u64,
    refused: u64,
    /// The same error on both sides.
    failed: u64,
    /// Refusals and errors without the names and numbers in them.
    reasons: BTreeMap<String, u64>,
    /// For each family, statements answered and all.
    families: BTreeMap<&'static str, (u64, u64)>,
    /// The first of them, each once.
    texts: HashSet<String>,
    wrong: Vec<String>,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.answered += other.answered;
        self.refused += other.refused;
        self.failed += other.failed;
        for (reason, count) in other.reasons {
            *self.reasons.entry(reason).or_default() += count;
        }
        for (family, (answered, all)) in other.families {
            let sum = self.families.entry(family).or_default();
            *sum = (sum.0 + answered, sum.1 + all);
        }
        let room = TEXTS_MAX.saturating_sub(self.texts.len());
        self.texts.extend(other.texts.into_iter().take(room));
        self.wrong.extend(other.wrong);
    }

    fn count(&mut self, family: &Family, outcome: Outcome, place: &str) {
        let sum = self.families.entry(family.name).or_default();
        sum.1 += 1;
        match outcome {
            Outcome::Same => {
                sum.0 += 1;
                self.answered += 1;
            }
            Outcome::Failed(error) => {
                self.failed += 1;
                *self.reasons.entry(abstracted(&error)).or_default() += 1;
            }
            Outcome::Refused(reason) => {
                self.refused += 1;
                *self.reasons.entry(abstracted(&reason)).or_default() += 1;
            }
            Outcome::Different(difference) => self.wrong.push(format!("{place}: {difference}")),
        }
    }
}

/// A refusal's first words, for counting.
fn abstracted(reason: &str) -> String {
    let names = |word: &&str| !word.contains(['_', '"', '$', '(', ')', '=', '.']);
    let words: Vec<_> = reason.split_whitespace().filter(names).take(8).collect();
    words.join(" ")
}

#[test]
fn generated_statements() {
    let world = World::start();
    if let Some(seed) = number("TRUNKLINE_TEST_BATCH") {
        let mut tally = Tally::default();
        Worker::connect(&world).batch(seed, &mut tally, true);
        finish(&tally, 0);
        return;
    }
    let seed = number("TRUNKLINE_TEST_SEED").unwrap_or_else(now);
    let statements = number("TRUNKLINE_TEST_STATEMENTS").unwrap_or(STATEMENTS);
    println!("TRUNKLINE_TEST_SEED={seed}, {statements} statements");
    let batches = statements.div_ceil(STATEMENTS_PER_BATCH);
    let (tally, started) = (Mutex::new(Tally::default()), Instant::now());
    let done = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for number in 0..WORKERS {
            let (world, tally, done) = (&world, &tally, &done);
            scope.spawn(move || {
                let mut worker = Worker::connect(world);
                for batch in 0..batches {
                    let seed = Random::new(seed ^ batch.wrapping_mul(0x2545_f491_4f6c_dd1d)).draw();
                    if family_of(seed).1 % WORKERS != number {
                        continue;
                    }
                    let mut found = Tally::default();
                    worker.batch(seed, &mut found, false);
                    for wrong in &found.wrong {
                        println!("wrong: {wrong}\n");
                    }
                    let mut tally = tally.lock().unwrap();
                    tally.add(found);
                    if tally.wrong.len() >= SHOWN_MAX {
                        return;
                    }
                    let done = done.fetch_add(1, Ordering::Relaxed) + 1;
                    if done.is_multiple_of(1000) {
                        let (sum, seconds) = (
                            tally.answered + tally.refused + tally.failed,
                            started.elapsed().as_secs(),
                        );
                        println!(
                            "{sum} statements in {seconds} s, {} answered, {} wrong",
                            tally.answered,
                            tally.wrong.len()
                        );
                    }
                }
            });
        }
    });
    let tally = tally.into_inner().unwrap();
    println!("{:.0?}", started.elapsed());
    if let Some(path) = std::env::var_os("TRUNKLINE_ORACLE_STATEMENTS") {
        let texts: Vec<&str> = tally.texts.iter().map(String::as_str).collect();
        std::fs::write(path, texts.join("\0")).unwrap();
    }
    let proxied = world.subject.proxy().is_some();
    finish(&tally, if proxied { ANSWERED_PERCENT_MIN } else { 0 });
}

fn finish(tally: &Tally, answered_percent_min: u64) {
    let all = tally.answered + tally.refused + tally.failed + tally.wrong.len() as u64;
    println!(
        "{all} statements: {} answered alike, {} with the same error, {} refused, {} wrong",
        tally.answered,
        tally.failed,
        tally.refused,
        tally.wrong.len()
    );
    for (family, (answered, all)) in &tally.families {
        println!("  {family}: {answered} of {all} answered");
    }
    let mut reasons: Vec<_> = tally.reasons.iter().collect();
    reasons.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    for (reason, count) in reasons.into_iter().take(30) {
        println!("  {count} × {reason}");
    }
    let shown: Vec<_> = tally
        .wrong
        .iter()
        .take(SHOWN_MAX)
        .map(String::as_str)
        .collect();
    assert!(
        tally.wrong.is_empty(),
        "{} wrong, among them\n\n{}",
        tally.wrong.len(),
        shown.join("\n\n")
    );
    assert!(
        tally.answered * 100 >= all * answered_percent_min,
        "only {} of {all} were answered",
        tally.answered
    );
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn now() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.unwrap().as_nanos() as u64
}

/// The family a batch is about, and its place among them.
fn family_of(seed: u64) -> (&'static Family, usize) {
    let families = families();
    let place = (Random::new(seed).draw() % families.len() as u64) as usize;
    (families[place], place)
}

struct Worker<'a> {
    world: &'a World,
    pair: Pair,
    servers: Servers,
}

impl<'a> Worker<'a> {
    fn connect(world: &'a World) -> Self {
        Self {
            world,
            pair: Pair::connect(&world.subject, world.cluster.oracle.port()),
            servers: Servers::connect(world),
        }
    }

    fn batch(&mut self, seed: u64, tally: &mut Tally, shown: bool) {
        let (family, _) = family_of(seed);
        let mut generator = Generator::new(seed, family);
        let writes = generator.random.chance(WRITING_PERCENT);
        let mut written = Vec::new();
        let mut in_block = false;
        for number in 0..STATEMENTS_PER_BATCH {
            let place = format!("TRUNKLINE_TEST_BATCH={seed}, statement {number}");
            let writing = writes && generator.random.chance(70);
            let made = if writing {
                generator.write()
            } else {
                generator.read()
            };
            let mut form = Form::random(&mut generator.random, made.parameters.is_empty());
            if writing {
                form = form.once();
            }
            if writes && !in_block && generator.random.chance(8) {
                self.pair.both("begin");
                in_block = true;
            }
            let end = generator.random.pick(&["", "", "commit", "rollback"]);
            if shown {
                println!("{number}: {form:?} {:?}\n{}", made.parameters, made.sql);
            }
            let outcome = self.pair.answer(&made.sql, &made.parameters, form);
            tally.texts.insert(made.sql.clone());
            let same = matches!(outcome, Outcome::Same | Outcome::Failed(_));
            if shown && let Outcome::Refused(reason) = &outcome {
                println!("refused: {reason}");
            }
            if same && writing {
                written.push(described(&made, form));
            }
            let wrong = matches!(outcome, Outcome::Different(_));
            tally.count(family, outcome, &place);
            if in_block && (!same || !end.is_empty()) {
                self.pair.both(if same { end } else { "rollback" });
                in_block = false;
            }
            if wrong {
                // What it has changed would make everything after it differ.
                self.start_over();
                self.servers.reset(family);
                return;
            }
        }
        if in_block {
            self.pair.both("commit");
        }
        if written.is_empty() {
            return;
        }
        if let Err(difference) = self.servers.compare(family) {
            tally.wrong.push(format!(
                "TRUNKLINE_TEST_BATCH={seed}, after\n{}\n{difference}",
                written.join("\n")
            ));
        }
        self.servers.reset(family);
    }

    /// New connections, whatever state the old ones are in.
    fn start_over(&mut self) {
        self.pair = Pair::connect(&self.world.subject, self.world.cluster.oracle.port());
    }
}

fn described(made: &Made, form: Form) -> String {
    format!("{} {:?} {form:?}", made.sql, made.parameters)
}
