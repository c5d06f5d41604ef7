//! Random SELECTs that read rows of several shards: trees over the tables of the demo and of `cases/several/world.sql`, made by
//! a generator that knows types, so that PostgreSQL accepts nearly all of them. Each is answered as by one PostgreSQL with all
//! the rows, or refused with 0A000. Most are tried where databases sort by bytes and shards are filled evenly, some where not.
//!
//! Half of the statements follow from a seed that is always the same, half from one of the day, which is printed. A difference
//! prints its statement's own seed: `TRUNKLINE_RANDOM_STATEMENT=<seed>` runs that one alone, in every form and world.
//! `TRUNKLINE_RANDOM_STATEMENTS=100000` makes a run longer, `TRUNKLINE_RANDOM_SEED` takes all from one seed.
//! With `TRUNKLINE_TEST_SELF=1` there must be no difference, or a statement is made whose answer PostgreSQL does not define.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

#[path = "random/compose.rs"]
mod compose;
#[path = "random/expression.rs"]
mod expression;
#[path = "random/expression_others.rs"]
mod expression_others;
#[path = "random/failing.rs"]
mod failing;
#[path = "random/generator.rs"]
mod generator;
#[path = "random/group.rs"]
mod group;
#[path = "random/join.rs"]
mod join;
#[path = "random/node.rs"]
mod node;
#[path = "random/predicate.rs"]
mod predicate;
#[path = "random/query.rs"]
mod query;
#[path = "random/schema.rs"]
mod schema;
#[path = "random/source.rs"]
mod source;
#[path = "random/subquery.rs"]
mod subquery;
#[path = "random/tail.rs"]
mod tail;
#[path = "random/tally.rs"]
mod tally;
#[path = "random/value.rs"]
mod value;
#[path = "random/window.rs"]
mod window;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use generator::{Generator, Made};
use integration_tests::pair::{Answer, Form, Outcome, Pair};
use integration_tests::world::{SHARDS, writes};
use integration_tests::{Kind, Random, World};
use node::Node;
use tally::Tally;

/// Statements of a run in all worlds together, unless the environment says otherwise.
const STATEMENTS: u64 = 20_000;
/// Of a hundred of them, those in the plain world, and in each of the others.
const PLAIN_PERCENT: u64 = 60;
const OTHER_PERCENT: u64 = 20;
/// The seed of half of them.
const FIXED_SEED: u64 = 18;
/// How much of the demo's rows there are: an organization has one match or two, the largest more than a hundred.
const SAMPLE: f64 = 0.005;
/// Connections to each side.
const WORKERS: usize = 3;
/// Differences after which a run ends.
const WRONG_MAX: usize = 20;
/// Of a hundred statements, those that are meant to fail.
const FAILING_PERCENT: u64 = 2;
/// Of so many statements one is within a transaction, and of two of those one behind writes of its own.
const WITHIN_ONE_OF: u64 = 6;
/// Smaller statements that are tried for one that is answered wrongly.
const TRIES_MAX: usize = 200;
/// The oracle gives up after this time.
const ORACLE_LIMIT: Duration = Duration::from_secs(4);

#[test]
fn random_statements() {
    run(&Kind::demo(SAMPLE), PLAIN_PERCENT, 0);
}

#[test]
fn random_statements_in_databases_with_a_locale() {
    run(&Kind::with_locale(SAMPLE), OTHER_PERCENT, 1);
}

#[test]
fn random_statements_over_shards_that_are_filled_unevenly() {
    run(&Kind::uneven(SAMPLE), OTHER_PERCENT, 2);
}

/// A share of the statements in a world; those of another `series` are others.
fn run(kind: &Kind, percent: u64, series: u64) {
    let world = World::new(kind);
    if let Some(seed) = number("TRUNKLINE_RANDOM_STATEMENT") {
        return one(&world, seed);
    }
    let statements = number("TRUNKLINE_RANDOM_STATEMENTS").unwrap_or(STATEMENTS) * percent / 100;
    let seeds = match number("TRUNKLINE_RANDOM_SEED") {
        Some(seed) => [seed; 2],
        None => [FIXED_SEED, day()],
    };
    println!(
        "{statements} statements from TRUNKLINE_RANDOM_SEED={} and {}",
        seeds[0], seeds[1]
    );
    let (tally, started, next) = (
        Mutex::new(Tally::default()),
        Instant::now(),
        AtomicU64::new(0),
    );
    std::thread::scope(|scope| {
        for worker in 0..WORKERS {
            let (world, tally, next) = (&world, &tally, &next);
            scope.spawn(move || {
                let mut worker = Worker::connect(world, worker);
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= statements || tally.lock().unwrap().wrong.len() >= WRONG_MAX {
                        return;
                    }
                    let seed = seeds[(number * 2 / statements) as usize];
                    worker.run(statement_seed(seed, series << 32 | number), tally);
                    if (number + 1).is_multiple_of(5_000) {
                        let (seconds, tally) = (started.elapsed().as_secs(), tally.lock().unwrap());
                        println!(
                            "{} statements in {seconds} s: {}",
                            number + 1,
                            tally.summary()
                        );
                    }
                }
            });
        }
    });
    println!("{:.0?}", started.elapsed());
    tally.into_inner().unwrap().finish();
}

/// One statement in every form, with what came of each.
fn one(world: &World, seed: u64) {
    let (made, mut worker) = (made(seed), Worker::connect(world, 0));
    worker.begin(seed);
    let text = made.tree.text();
    println!("{}\n{:?}", text.sql, text.parameters);
    let mut wrong = Vec::new();
    for form in Form::all(text.parameters.is_empty()) {
        let answer = worker.compare(&made.tree, form);
        let came = match answer.outcome {
            Outcome::Same => "the same".to_owned(),
            Outcome::Failed(error) => format!("the same error: {error}"),
            Outcome::Refused(reason) => format!("refused: {reason}"),
            Outcome::Different(difference) => {
                wrong.push(difference);
                "different".to_owned()
            }
        };
        println!("{form:?}: {came}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

fn made(seed: u64) -> Made {
    let mut generator = Generator::new(seed);
    match generator.chance(FAILING_PERCENT) {
        true => generator.failing(),
        false => generator.statement(),
    }
}

struct Worker {
    pair: Pair,
    /// Its transactions write rows of this one, and no other's do.
    organization: i64,
    /// What goes ahead of each statement, in its transaction.
    ahead: Vec<String>,
}

impl Worker {
    fn connect(world: &World, number: usize) -> Self {
        let mut pair = world.pair();
        pair.limit_oracle(ORACLE_LIMIT.as_millis() as u64);
        let cluster = &world.cluster;
        let mut organizations = (0..SHARDS).flat_map(|shard| cluster.organizations_on(shard));
        Self {
            pair,
            organization: organizations.nth(number).unwrap(),
            ahead: Vec::new(),
        }
    }

    /// Whether the statement of this seed is in a transaction, and what that does before it.
    fn begin(&mut self, seed: u64) {
        self.ahead.clear();
        if seed.is_multiple_of(WITHIN_ONE_OF) {
            self.ahead.push("begin".to_owned());
            if (seed / WITHIN_ONE_OF).is_multiple_of(2) {
                self.ahead.extend(writes(self.organization));
            }
        }
    }

    fn compare(&mut self, tree: &Node, form: Form) -> Answer {
        let text = tree.text();
        for statement in &self.ahead {
            self.pair.both(statement);
        }
        let compared = self
            .pair
            .compare_defined(&text.sql, &text.parameters, form, text.rows);
        if !self.ahead.is_empty() {
            self.pair.both("rollback");
        }
        compared
    }

    fn run(&mut self, seed: u64, tally: &Mutex<Tally>) {
        let made = made(seed);
        self.begin(seed);
        let mut answer = self.compare(&made.tree, made.form);
        if let Outcome::Different(whole) = &answer.outcome {
            let smaller = self.smaller(&made, whole.clone());
            answer.outcome = Outcome::Different(format!(
                "TRUNKLINE_RANDOM_STATEMENT={seed}\nbehind {:?}\n{}\nin short: {smaller}",
                self.ahead,
                made.tree.text().sql
            ));
        }
        tally.lock().unwrap().count(&made, &answer);
    }

    /// The smallest statement found that is answered wrongly too.
    fn smaller(&mut self, made: &Made, mut difference: String) -> String {
        let (mut tree, mut tries, mut number) = (made.tree.clone(), 0, 0);
        while tries < TRIES_MAX {
            let Some(smaller) = tree.smaller(number) else {
                break;
            };
            tries += 1;
            match self.compare(&smaller, made.form).outcome {
                Outcome::Different(found) => (tree, difference) = (smaller, found),
                _ => number += 1,
            }
        }
        difference
    }
}

/// Of a statement of a run.
fn statement_seed(seed: u64, number: u64) -> u64 {
    Random::new(seed ^ number.wrapping_mul(0x2545_f491_4f6c_dd1d)).draw()
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Days since 1970.
fn day() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    now.as_secs() / 86_400
}
