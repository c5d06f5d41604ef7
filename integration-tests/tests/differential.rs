//! Statements written down: each is answered by the proxy exactly as by one PostgreSQL with all the rows, or
//! refused with 0A000. Nothing in between. `cases/*.txt` hold them; those that are made up are in
//! `generated.rs`.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

#[path = "differential/world.rs"]
mod world;

use integration_tests::case::{self, Expect, Tally};
use integration_tests::pair::{Form, Outcome, Pair};
use world::{check_rows, world, writing};

fn connect() -> Pair {
    let world = world();
    Pair::connect(&world.subject, world.cluster.oracle.port())
}

/// Runs every case of a file in every form that fits it.
fn run(name: &str, text: &str, writes: bool) {
    let (mut pair, mut tally) = (connect(), Tally::default());
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

/// In a transaction and outside of one.
#[test]
fn written_reads_of_several_shards() {
    let _alone = writing();
    run("gathered.txt", include_str!("../cases/gathered.txt"), true);
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
