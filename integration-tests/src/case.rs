//! Written cases: statements between blank lines. `#` begins a comment; `#! params: int8 5, text a, int4 null`
//! gives values for `$1`, `$2`, …; `#! refused` expects 0A000, `#! either` takes what comes; `# order: partial`: rows that
//! its ORDER BY does not tell apart come in any order.

use crate::pair::{Outcome, Parameter};

/// A statement and what is expected of it.
pub struct Case {
    /// File and line.
    pub place: String,
    pub sql: String,
    pub parameters: Vec<Parameter>,
    pub expect: Expect,
    /// Rows that its ORDER BY does not tell apart come in any order.
    pub partly_ordered: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// What the oracle answers, be it an error.
    Answer,
    Refusal,
    Either,
}

/// The cases of a file of this name.
pub fn parse(name: &str, text: &str) -> Vec<Case> {
    let mut cases = Vec::new();
    let mut expect_all = Expect::Answer;
    let (mut lines, mut parameters, mut expect, mut first) =
        (Vec::new(), Vec::new(), expect_all, 0);
    let mut partly_ordered = false;
    for (number, line) in text.lines().chain([""]).enumerate() {
        if let Some(directive) = line.strip_prefix("#! ") {
            match directive.trim() {
                "refused" => expect = Expect::Refusal,
                "either" => expect = Expect::Either,
                "all refused" => (expect_all, expect) = (Expect::Refusal, Expect::Refusal),
                other => {
                    parameters = other
                        .strip_prefix("params: ")
                        .unwrap()
                        .split(", ")
                        .map(Parameter::parse)
                        .collect()
                }
            }
        } else if line.is_empty() {
            if !lines.is_empty() {
                cases.push(Case {
                    place: format!("{name}:{first}"),
                    sql: std::mem::take(&mut lines).join("\n"),
                    parameters: std::mem::take(&mut parameters),
                    expect,
                    partly_ordered,
                });
            }
            (expect, partly_ordered) = (expect_all, false);
        } else if let Some(comment) = line.strip_prefix("# ") {
            partly_ordered |= comment.trim() == "order: partial";
        } else {
            if lines.is_empty() {
                first = number + 1;
            }
            lines.push(line);
        }
    }
    cases
}

/// Differences shown before the rest is only counted.
const SHOWN_MAX: usize = 25;

/// What came of many comparisons.
#[derive(Default)]
pub struct Tally {
    compared: usize,
    routed: usize,
    pub refused: usize,
    wrong: Vec<String>,
}

impl Tally {
    pub fn count(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Same | Outcome::Failed(_) => self.routed += 1,
            Outcome::Refused(_) => self.refused += 1,
            Outcome::Different(difference) => self.wrong.push(difference),
        }
        self.compared += 1;
    }

    /// Fails where anything was wrong.
    pub fn finish(&self, what: &str) {
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
