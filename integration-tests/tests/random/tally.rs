//! What came of a run, for each feature and altogether, and whether that is enough.

use std::collections::BTreeMap;

use integration_tests::pair::{Answer, Outcome, QUERY_CANCELED};

use crate::generator::Made;

/// Of a hundred statements that are not meant to fail, so many PostgreSQL accepts, or the generator is rotten.
const ACCEPTED_PERCENT_MIN: u64 = 95;
/// Of a hundred, those that give rows: what is empty on both sides shows little.
const WITH_ROWS_PERCENT_MIN: u64 = 55;
/// Of a hundred, those that may take the oracle too long.
const SLOW_PERCENT_MAX: u64 = 1;
/// Features that a run has to have had answered by PostgreSQL, and statements from which on that is asked.
const FEATURES_MIN: usize = 100;
const FEATURES_FROM: u64 = 5_000;
/// Refusals and errors shown.
const REASONS_SHOWN: usize = 25;

#[derive(Default)]
struct Counts {
    same: u64,
    failed: u64,
    refused: u64,
    wrong: u64,
    /// Those that PostgreSQL accepted.
    accepted: u64,
}

impl Counts {
    fn count(&mut self, answer: &Answer) {
        match answer.outcome {
            Outcome::Same => self.same += 1,
            Outcome::Failed(_) => self.failed += 1,
            Outcome::Refused(_) => self.refused += 1,
            Outcome::Different(_) => self.wrong += 1,
        }
        self.accepted += u64::from(answer.oracle_error.is_none());
    }

    fn all(&self) -> u64 {
        self.same + self.failed + self.refused + self.wrong
    }
}

#[derive(Default)]
pub struct Tally {
    all: Counts,
    features: BTreeMap<&'static str, Counts>,
    /// Those that were not meant to fail, and those that took too long.
    meant: u64,
    accepted: u64,
    slow: u64,
    /// Statements that gave rows, and the rows.
    with_rows: u64,
    rows: u64,
    /// With the shortest statement of each.
    refusals: BTreeMap<String, (u64, String)>,
    /// Errors of the oracle that were not meant.
    errors: BTreeMap<String, (u64, String)>,
    pub wrong: Vec<String>,
}

impl Tally {
    pub fn count(&mut self, made: &Made, answer: &Answer) {
        self.all.count(answer);
        for feature in &made.features {
            self.features.entry(feature).or_default().count(answer);
        }
        self.with_rows += u64::from(answer.rows > 0);
        self.rows += answer.rows as u64;
        let error = answer.oracle_error.as_deref().unwrap_or_default();
        let is_slow = error.starts_with(QUERY_CANCELED);
        if !made.failing {
            self.meant += 1;
            self.slow += u64::from(is_slow);
            self.accepted += u64::from(error.is_empty() || is_slow);
            if !error.is_empty() {
                note(&mut self.errors, error, made);
            }
        }
        match &answer.outcome {
            Outcome::Refused(reason) => {
                note(&mut self.refusals, reason, made);
            }
            Outcome::Different(difference) => {
                println!("different: {difference}\n");
                self.wrong.push(difference.clone());
            }
            Outcome::Same | Outcome::Failed(_) => {}
        }
    }

    pub fn summary(&self) -> String {
        let all = &self.all;
        format!(
            "{} answered alike, {} with the same error, {} refused, {} wrong",
            all.same, all.failed, all.refused, all.wrong
        )
    }

    /// Prints everything, and fails where something is not as it has to be.
    pub fn finish(&self) {
        println!("features: answered alike, same error, refused, wrong");
        for (feature, counts) in &self.features {
            println!(
                "  {feature:<32} {:>6} {:>6} {:>6} {:>4}",
                counts.same, counts.failed, counts.refused, counts.wrong
            );
        }
        show("refused", &self.refusals);
        show("the oracle's error", &self.errors);
        let features = self.features.values();
        let features = features.filter(|counts| counts.accepted > 0).count();
        println!(
            "{} statements: {}; PostgreSQL accepted {} of {}, {} took too long; {} gave {} rows; {features} features",
            self.all.all(),
            self.summary(),
            self.accepted,
            self.meant,
            self.slow,
            self.with_rows,
            self.rows
        );
        assert!(
            self.wrong.is_empty(),
            "{} wrong:\n\n{}",
            self.wrong.len(),
            self.wrong.join("\n\n")
        );
        assert!(self.accepted * 100 >= self.meant * ACCEPTED_PERCENT_MIN);
        assert!(self.with_rows * 100 >= self.all.all() * WITH_ROWS_PERCENT_MIN);
        assert!(self.slow * 100 <= self.meant * SLOW_PERCENT_MAX);
        assert!(self.all.all() < FEATURES_FROM || features >= FEATURES_MIN);
    }
}

fn note(reasons: &mut BTreeMap<String, (u64, String)>, reason: &str, made: &Made) {
    let sql = made.tree.text().sql;
    let known = reasons
        .entry(abstracted(reason))
        .or_insert_with(|| (0, sql.clone()));
    known.0 += 1;
    if sql.len() < known.1.len() {
        known.1 = sql;
    }
}

fn show(what: &str, reasons: &BTreeMap<String, (u64, String)>) {
    let mut reasons: Vec<_> = reasons.iter().collect();
    reasons.sort_by_key(|(_, (count, _))| std::cmp::Reverse(*count));
    for (reason, (count, sql)) in reasons.into_iter().take(REASONS_SHOWN) {
        println!("  {count} × {what}: {reason}\n      {sql}");
    }
}

/// An error's first words without names and numbers, for counting.
fn abstracted(reason: &str) -> String {
    let names = |word: &&str| !word.contains(['_', '"', '$', '(', '=', '.']);
    let words: Vec<_> = reason.split_whitespace().filter(names).take(10).collect();
    words.join(" ")
}
