//! Written cases: statements between blank lines. `#` begins a comment; `#! params: int8 5, text a, int4 null`
//! gives values for `$1`, `$2`, …; `#! refused` expects 0A000, `#! either` takes what comes.

use integration_tests::pair::Parameter;

pub struct Case {
    /// File and line.
    pub place: String,
    pub sql: String,
    pub parameters: Vec<Parameter>,
    pub expect: Expect,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// What the oracle answers, be it an error.
    Answer,
    Refusal,
    Either,
}

pub fn parse(name: &str, text: &str) -> Vec<Case> {
    let mut cases = Vec::new();
    let mut expect_all = Expect::Answer;
    let (mut lines, mut parameters, mut expect, mut first) =
        (Vec::new(), Vec::new(), expect_all, 0);
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
                });
            }
            expect = expect_all;
        } else if !line.starts_with("# ") {
            if lines.is_empty() {
                first = number + 1;
            }
            lines.push(line);
        }
    }
    cases
}
