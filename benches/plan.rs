//! Nanoseconds and allocations of planning: from the cache by the very text, by its shape, and for the first time.
//! Where a comment changes with the text, the shape has to be read; else a text like it is enough.
//!
//! `cargo bench --bench plan --features internals [-- FORM]`. Nothing here decides a test; `tests/allocations.rs` does.

#![allow(
    clippy::unwrap_used,
    reason = "a benchmark that cannot run should say where it stopped"
)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use trunkline::internals::plans::{Found, Plans};

/// Each figure is the best of so many rounds: the others were disturbed.
const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_millis(60);

const FORMS: &[(&str, &str)] = &[
    (
        "point select",
        "select name, country from matches where organization_id = {} and id = 17",
    ),
    (
        "point select, text key",
        "select * from docs where tenant = 'tenant {}' limit 1",
    ),
    (
        "join",
        "SELECT m.id, d.kind FROM matches m JOIN detections d ON d.organization_id = m.organization_id AND d.match_id = m.id WHERE m.organization_id = {} ORDER BY m.id LIMIT 20",
    ),
    (
        "insert",
        "INSERT INTO matches (organization_id, id, name, country) VALUES ({}, 1, 'a name', 'de') RETURNING id",
    ),
    (
        "update",
        "UPDATE matches SET name = 'another', country = 'fr' WHERE organization_id = {} AND id = 17",
    ),
    (
        "subquery",
        "SELECT * FROM matches WHERE organization_id = {} AND id IN (SELECT match_id FROM detections WHERE organization_id = {} AND kind = 'x')",
    ),
    (
        "parameter",
        "select name, country from matches where organization_id = $1 and id = {}",
    ),
    (
        "point select, comment",
        "select name, country from matches where organization_id = {} and id = 17 -- {}",
    ),
];

fn main() {
    let only = std::env::args().nth(1).filter(|arg| !arg.starts_with("--"));
    println!(
        "{:<26} {:<8} {:>10} {:>12}",
        "form", "plan", "ns", "allocations"
    );
    let rows: Vec<&str> = vec!["({}, 17, 'a name', 'de', 1.5)"; 10];
    let rows = format!(
        "insert into matches (organization_id, id, name, country, kind) values {}",
        rows.join(", ")
    );
    let ids: Vec<String> = (100..200).map(|id| id.to_string()).collect();
    let ids = format!(
        "select * from matches where organization_id = {{}} and id in ({})",
        ids.join(", ")
    );
    let long = [
        ("insert of ten rows", rows.as_str()),
        ("list of 100", ids.as_str()),
    ];
    for (name, form) in FORMS.iter().chain(&long) {
        if only.as_deref().is_none_or(|only| name.starts_with(only)) {
            measure(name, form);
        }
    }
}

fn measure(name: &str, form: &str) {
    let plans = Plans::default();
    let mut text = Changing::new(form);
    while plans
        .cached(text.same())
        .is_some_and(|(_, found)| found != Found::Exact)
    {}
    row(name, "exact", || {
        plans.cached(black_box(text.same())).is_some()
    });
    row(name, "shape", || {
        plans
            .cached(black_box(text.next()))
            .is_some_and(|(_, found)| found == Found::Shape)
    });
    row(name, "first", || plans.first(black_box(text.same())));
}

/// A text whose literals can be other ones each time. To count them up where they stand takes some ten nanoseconds.
struct Changing {
    text: Vec<u8>,
    /// Where a number of [`NUMBER`]'s length begins.
    numbers: Vec<usize>,
}

const NUMBER: &str = "100000000";

impl Changing {
    fn new(form: &str) -> Self {
        let holes = form.match_indices("{}").enumerate();
        let numbers = holes.map(|(index, (at, _))| at + index * (NUMBER.len() - 2));
        Self {
            numbers: numbers.collect(),
            text: form.replace("{}", NUMBER).into_bytes(),
        }
    }

    fn same(&self) -> &str {
        std::str::from_utf8(&self.text).unwrap()
    }

    fn next(&mut self) -> &str {
        for number in &self.numbers {
            let digits = self.text[*number..*number + NUMBER.len()].iter_mut();
            for digit in digits.rev() {
                *digit += 1;
                if *digit <= b'9' {
                    break;
                }
                *digit = b'0';
            }
        }
        self.same()
    }
}

fn row(name: &str, plan: &str, mut work: impl FnMut() -> bool) {
    assert!(work(), "{name} is refused");
    let mut best = f64::MAX;
    for _ in 0..ROUNDS {
        let (started, mut times) = (Instant::now(), 0u32);
        while started.elapsed() < ROUND {
            for _ in 0..32 {
                black_box(work());
            }
            times += 32;
        }
        best = best.min(started.elapsed().as_nanos() as f64 / f64::from(times));
    }
    let allocations = allocation_counter::measure(|| {
        black_box(work());
    });
    print(name, plan, best, allocations.count_total);
}

fn print(name: &str, plan: &str, nanoseconds: f64, allocations: u64) {
    println!("{name:<26} {plan:<8} {nanoseconds:>10.0} {allocations:>12}");
}
