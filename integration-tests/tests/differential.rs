//! Statements written down and statements made up: each is answered by the proxy exactly as by one
//! PostgreSQL with all the rows, or refused with 0A000. Nothing in between.
//!
//! `cases/*.txt` hold the written ones; [`generate`] makes the others from a seed that is printed.
//! `TRUNKLINE_TEST_SEED` repeats a run, `TRUNKLINE_TEST_STATEMENTS` makes it longer.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

#[path = "differential/case.rs"]
mod case;
#[path = "differential/generate.rs"]
mod generate;
#[path = "differential/pair.rs"]
mod pair;
#[path = "differential/world.rs"]
mod world;

use case::Expect;
use generate::Generator;
use pair::{Form, Outcome, Pair};
use world::{check_rows, writing};

/// Generated statements of a run, unless the environment says otherwise.
const STATEMENTS: usize = 3_000;
/// Of the generated statements at least this many of a hundred must be routed, or the run shows little.
const ROUTED_PERCENT_MIN: usize = 25;
/// Differences shown before the rest is only counted.
const SHOWN_MAX: usize = 25;

#[derive(Default)]
struct Tally {
    compared: usize,
    routed: usize,
    refused: usize,
    wrong: Vec<String>,
}

impl Tally {
    fn count(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Same => self.routed += 1,
            Outcome::Refused(_) => self.refused += 1,
            Outcome::Different(difference) => self.wrong.push(difference),
        }
        self.compared += 1;
    }

    fn finish(&self, what: &str) {
        println!(
            "{what}: {} compared, {} answered alike, {} refused, {} wrong",
            self.compared,
            self.routed,
            self.refused,
            self.wrong.len()
        );
        // Of a case that is wrong in every form, one.
        let mut shown = self.wrong.clone();
        shown.dedup_by_key(|difference| difference.split(": ").next().map(str::to_owned));
        let shown: Vec<_> = shown.iter().take(SHOWN_MAX).map(String::as_str).collect();
        assert!(
            self.wrong.is_empty(),
            "{what}: {} wrong, among them\n\n{}",
            self.wrong.len(),
            shown.join("\n\n")
        );
    }
}

/// Runs every case of a file in every form that fits it.
fn run(name: &str, text: &str, writes: bool) {
    let (mut pair, mut tally) = (Pair::connect(), Tally::default());
    let cases = case::parse(name, text);
    for case in &cases {
        if case.expect == Expect::Refusal {
            // Not for the oracle, which would do it.
            for form in Form::all(case.parameters.is_empty()) {
                tally.count(pair.refused(&case.sql, &case.parameters, form.once()));
            }
            continue;
        }
        for form in Form::all(case.parameters.is_empty()) {
            if writes {
                pair.both("begin");
            }
            let outcome = pair.compare(&case.sql, &case.parameters, form);
            if writes {
                pair.both("rollback");
            }
            tally.count(match (outcome, case.expect) {
                (Outcome::Refused(reason), Expect::Answer) => {
                    Outcome::Different(format!("{}: refused: {reason}\n{}", case.place, case.sql))
                }
                (Outcome::Different(what), _) => {
                    Outcome::Different(format!("{}: {form:?}: {what}", case.place))
                }
                (outcome, _) => outcome,
            });
        }
        if writes {
            // Once more, for good.
            tally.count(
                match pair.compare(
                    &case.sql,
                    &case.parameters,
                    Form::plain(case.parameters.is_empty()),
                ) {
                    Outcome::Different(what) => {
                        Outcome::Different(format!("{}: {what}", case.place))
                    }
                    outcome => outcome,
                },
            );
        }
    }
    println!("{name}: {} cases", cases.len());
    tally.finish(name);
}

#[test]
fn written_reads() {
    let _alone = writing();
    run("reads.txt", include_str!("../cases/reads.txt"), false);
}

#[test]
fn written_errors_and_refusals() {
    let _alone = writing();
    run("errors.txt", include_str!("../cases/errors.txt"), true);
    run("refusals.txt", include_str!("../cases/refusals.txt"), true);
    check_rows();
}

#[test]
fn written_writes() {
    let _alone = writing();
    run("writes.txt", include_str!("../cases/writes.txt"), true);
    check_rows();
}

fn count() -> usize {
    std::env::var("TRUNKLINE_TEST_STATEMENTS")
        .ok()
        .and_then(|count| count.parse().ok())
        .unwrap_or(STATEMENTS)
}

fn seed() -> u64 {
    let given = std::env::var("TRUNKLINE_TEST_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let now = || {
        std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .as_nanos() as u64
    };
    let seed = given.unwrap_or_else(now);
    println!("TRUNKLINE_TEST_SEED={seed}");
    seed
}

#[test]
fn generated_reads() {
    let _alone = writing();
    let (mut pair, mut tally) = (Pair::connect(), Tally::default());
    let mut generator = Generator::new(seed());
    for _ in 0..count() * 4 / 5 {
        let made = generator.read();
        let form = generator.form(made.parameters.is_empty());
        tally.count(pair.compare(&made.sql, &made.parameters, form));
        if tally.wrong.len() >= SHOWN_MAX {
            break;
        }
    }
    finish_generated(&tally, "generated reads", pair.has_proxy());
}

#[test]
fn generated_writes() {
    let _alone = writing();
    let (mut pair, mut tally) = (Pair::connect(), Tally::default());
    let mut generator = Generator::new(seed());
    for number in 0..count() / 5 {
        let made = generator.write();
        let form = generator.form(made.parameters.is_empty());
        // What a statement that differs has changed would make everything after it differ.
        pair.both("begin");
        let outcome = pair.compare(&made.sql, &made.parameters, form.once());
        let end = if matches!(outcome, Outcome::Same) {
            "commit"
        } else {
            "rollback"
        };
        pair.both(end);
        tally.count(outcome);
        if number % 100 == 99 && tally.wrong.is_empty() {
            check_rows();
        }
        if tally.wrong.len() >= SHOWN_MAX {
            break;
        }
    }
    finish_generated(&tally, "generated writes", pair.has_proxy());
    check_rows();
}

fn finish_generated(tally: &Tally, what: &str, has_proxy: bool) {
    tally.finish(what);
    if has_proxy {
        let enough = tally.compared * ROUTED_PERCENT_MIN / 100;
        assert!(
            tally.routed >= enough,
            "{what}: only {} of {} were answered",
            tally.routed,
            tally.compared
        );
    }
}
