//! Nanoseconds and allocations of planning: from the cache by the very text, by its shape, and for the first time.
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
];

fn main() {
    let only = std::env::args().nth(1).filter(|arg| !arg.starts_with("--"));
    let wanted = |name: &str| only.as_deref().is_none_or(|only| name.starts_with(only));
    println!(
        "{:<26} {:<8} {:>10} {:>12}",
        "form", "plan", "ns", "allocations"
    );
    for (name, form) in FORMS.iter().filter(|(name, _)| wanted(name)) {
        let plans = Plans::default();
        let texts: Vec<String> = (0..64)
            .map(|key| form.replace("{}", &key.to_string()))
            .collect();
        cached(name, &plans, &texts);
        let one = &texts[5];
        row(name, "first", || plans.first(black_box(one)));
    }
    if only.is_some() {
        return;
    }
    let rows: Vec<&str> = vec!["(5, 17, 'a name', 'de', 1.5)"; 50];
    lists(
        "insert of 50 rows",
        &format!(
            "insert into matches (organization_id, id, name, country, kind) values {}",
            rows.join(", ")
        ),
    );
    let rows: Vec<String> = (0..100).map(|id| id.to_string()).collect();
    lists(
        "list of 100",
        &format!(
            "select * from matches where organization_id = 5 and id in ({})",
            rows.join(", ")
        ),
    );
}

fn cached(name: &str, plans: &Plans, texts: &[String]) {
    let same = &texts[0];
    while plans
        .cached(same)
        .is_some_and(|(_, found)| found != Found::Exact)
    {}
    row(name, "exact", || plans.cached(black_box(same)).is_some());
    // Each text once, so that none is kept whole; then again from an empty cache.
    let mut next = 1;
    let mut fresh = Plans::default();
    fresh.cached(same);
    let mut best = f64::MAX;
    let mut allocations = 0;
    for _ in 0..ROUNDS * 40 {
        if next + 1 >= texts.len() {
            fresh = Plans::default();
            fresh.cached(same);
            next = 1;
        }
        let texts = &texts[next..];
        next += texts.len();
        let started = Instant::now();
        for text in texts {
            black_box(fresh.cached(black_box(text)));
        }
        best = best.min(started.elapsed().as_nanos() as f64 / texts.len() as f64);
        let again = Plans::default();
        again.cached(same);
        allocations = allocation_counter::measure(|| {
            black_box(again.cached(black_box(&texts[0])));
        })
        .count_total;
    }
    print(name, "shape", best, allocations);
}

fn lists(name: &str, text: &str) {
    let plans = Plans::default();
    plans.cached(text).unwrap();
    let long = text.len() > 4 << 10;
    if long {
        row(name, "shape", || plans.cached(black_box(text)).is_some());
    } else {
        cached(name, &plans, &vec![text.to_owned(); 3]);
    }
    row(name, "first", || plans.first(black_box(text)));
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
