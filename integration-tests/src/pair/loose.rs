//! Comparing what PostgreSQL itself defines of an answer, for statements nobody has read: rows that are not ordered come in
//! any order, of an error the SQLSTATE counts, and how far a server got before it does not.

use super::{Form, Outcome, Pair, Parameter, Reply, judge, send};

/// How much of its rows a statement defines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    Ordered,
    Unordered,
    /// A limit without a total order: how many, and of which columns.
    Counted,
}

/// What came of a comparison, and the oracle's error if it had one: SQLSTATE and message.
pub struct Answer {
    pub outcome: Outcome,
    pub oracle_error: Option<String>,
    /// How many rows the oracle gave.
    pub rows: usize,
}

impl Pair {
    /// The oracle gives up a statement after this time, so that one that was made too expensive does not stop the others.
    pub fn limit_oracle(&mut self, milliseconds: u64) {
        let limit = format!("set statement_timeout = {milliseconds}");
        self.oracle.simple(&limit).unwrap();
    }

    /// A setting of the subject alone.
    pub fn set_subject(&mut self, setting: &str) {
        self.subject.simple(&format!("set {setting}")).unwrap();
    }

    /// Asks both, and compares what is defined. What the oracle does not finish in time is not asked of the subject.
    pub fn compare_defined(
        &mut self,
        sql: &str,
        parameters: &[Parameter],
        form: Form,
        rows: Rows,
    ) -> Answer {
        let expected = send(&mut self.oracle, sql, parameters, form)
            .unwrap_or_else(|error| panic!("oracle: {sql}: {error}"));
        let oracle_error = error_of(&expected);
        let rows_given = expected.iter().filter(|reply| reply.tag == b'D').count();
        if let Some(error) = &oracle_error
            && error.starts_with(QUERY_CANCELED)
        {
            return Answer {
                outcome: Outcome::Failed(error.clone()),
                oracle_error,
                rows: rows_given,
            };
        }
        let outcome = match self.ask(sql, parameters, form) {
            Ok(found) => {
                // PostgreSQL says 0A000 of some values, too.
                let refuses = oracle_error
                    .as_ref()
                    .is_none_or(|error| !error.starts_with(NOT_SUPPORTED));
                let expected = defined(&expected, rows, refuses);
                let found = defined(&found, rows, refuses);
                judge(
                    expected,
                    found,
                    sql,
                    parameters,
                    form,
                    rows != Rows::Unordered,
                )
            }
            Err(outcome) => outcome,
        };
        Answer {
            outcome,
            oracle_error,
            rows: rows_given,
        }
    }
}

pub const QUERY_CANCELED: &str = "57014";

fn error_of(replies: &[Reply]) -> Option<String> {
    let error = replies.iter().find(|reply| reply.tag == b'E')?;
    let field = |name| error.field(name).unwrap_or_default();
    Some(format!("{} {}", field(b'C'), field(b'M')))
}

const NOT_SUPPORTED: &str = "0A000";

/// An answer without what is not defined. `refuses`: 0A000 is a refusal, which is kept as a whole. Each part of it ends with ReadyForQuery.
fn defined(replies: &[Reply], rows: Rows, refuses: bool) -> Vec<Reply> {
    let mut kept = Vec::new();
    // What is noted of a text is noted where it is parsed, and a server that knows it need not parse it.
    let replies: Vec<Reply> = replies
        .iter()
        .filter(|reply| reply.tag != b'N')
        .cloned()
        .collect();
    for part in replies.split_inclusive(|reply| reply.tag == b'Z') {
        match part.iter().find(|reply| reply.tag == b'E') {
            Some(error) if refuses && error.field(b'C').as_deref() == Some(NOT_SUPPORTED) => {
                // A refusal, which `judge` looks at as a whole.
                kept.extend_from_slice(part);
            }
            Some(error) => {
                let state = error.field(b'C').unwrap_or_default();
                kept.push(Reply {
                    tag: b'E',
                    body: format!("C{state}\0").into_bytes(),
                });
                kept.extend(part.last().cloned());
            }
            None if rows == Rows::Counted => {
                kept.extend(part.iter().map(|reply| match reply.tag {
                    b'D' => Reply {
                        tag: b'D',
                        body: Vec::new(),
                    },
                    _ => reply.clone(),
                }))
            }
            None => kept.extend_from_slice(part),
        }
    }
    kept
}
