//! `trunkline lint -c FILE QUERIES.sql`: what becomes of the statements in files, and which share of them stays on one
//! shard. Its exit status tells a build whether any is refused.
//!
//! A file is read as a session would send it, one statement after the other: SET and RESET of `search_path`, the role
//! and hints count for those behind them. Nothing is run.

use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::subject::{Subject, SubjectArgs, refusal};
use crate::config::Config;
use crate::error::PgError;
use crate::metrics::Route;
use crate::plan::{Control, ParamValues, Plan, Values};
use crate::session::{Settings, route_of};
use crate::sql;
use crate::types::Format;

#[derive(Debug, Args)]
pub struct LintArgs {
    #[command(flatten)]
    subject: SubjectArgs,
    /// Only what is refused, and the summary
    #[arg(short, long)]
    quiet: bool,
    /// Files of statements, with semicolons between them; - is standard input
    #[arg(required = true, value_name = "QUERIES.sql")]
    files: Vec<PathBuf>,
}

impl LintArgs {
    pub fn config(&self) -> &Path {
        self.subject.config()
    }
}

/// Prints a line for each statement and a summary; fails where one is refused.
pub fn run(arguments: &LintArgs, config: &Config) -> ExitCode {
    let subject = match arguments.subject.subject(config) {
        Ok(subject) => subject,
        Err(reason) => return super::without_subject(&reason),
    };
    let mut counts = Counts::default();
    for file in &arguments.files {
        let text = match read(file) {
            Ok(text) => text,
            Err(error) => return super::wrong_input(&format!("{}: {error}", file.display())),
        };
        for finding in lint(&subject, &text) {
            counts.add(finding.route);
            if !arguments.quiet || finding.route == Route::None {
                let (line, column) = line_and_column(&text, finding.at);
                print!("{}:{line}:{column}: {}", file.display(), finding.text);
            }
        }
    }
    println!("{counts}");
    if counts.of(Route::None) == 0 {
        ExitCode::SUCCESS
    } else {
        arguments.subject.advise();
        ExitCode::FAILURE
    }
}

fn read(file: &Path) -> io::Result<String> {
    if file == Path::new("-") {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text)?;
        return Ok(text);
    }
    std::fs::read_to_string(file)
}

/// What becomes of statements, in words behind their number.
fn words(route: Route) -> &'static str {
    match route {
        Route::Key => "on the shard of a key or hint",
        Route::Any => "on any shard",
        Route::Default => "on the default shard",
        Route::Control => "about the session",
        Route::Scatter => "answered by several shards, and merged",
        Route::Gather => "gathered from several shards",
        Route::None => "refused",
    }
}

/// One statement.
#[derive(Debug)]
struct Finding {
    /// Offset of the statement, or of what is wrong with it.
    at: usize,
    route: Route,
    /// Lines.
    text: String,
}

/// All statements of a file, or what keeps it from being divided into them.
fn lint(subject: &Subject<'_>, text: &str) -> Vec<Finding> {
    let pieces = match sql::split(text) {
        Ok(pieces) => pieces,
        Err(error) => return vec![refused(text, 0, &error)],
    };
    let mut session = Session::default();
    let mut findings = Vec::with_capacity(pieces.len());
    for piece in pieces {
        let at = piece.range.start;
        let statement = &text[piece.range];
        findings.push(
            match subject.plan(statement, &session.settings, &NoParams) {
                Ok(plan) => {
                    session.follow(&plan, statement);
                    Finding {
                        at,
                        route: route_of(&plan),
                        text: planned(subject, &plan),
                    }
                }
                Err(error) => refused(statement, at, &error),
            },
        );
    }
    findings
}

/// `Route one shard, read: matches: organization_id = 5 -> …`
fn planned(subject: &Subject<'_>, plan: &Plan) -> String {
    let lines = plan.lines(subject.map, Values::of_params(&[], &NoParams));
    let mut lines = lines.iter().map(|line| line.trim());
    let way = lines.next().unwrap_or_default();
    let reasons: Vec<_> = lines.collect();
    match reasons.is_empty() {
        true => format!("{way}\n"),
        false => format!("{way}: {}\n", reasons.join("; ")),
    }
}

/// `at`: where the statement begins in its file.
fn refused(statement: &str, at: usize, error: &PgError) -> Finding {
    let characters = error.position.map_or(0, |position| position as usize - 1);
    let within = statement.char_indices().nth(characters);
    Finding {
        at: at + within.map_or(0, |(offset, _)| offset),
        route: Route::None,
        text: refusal(error),
    }
}

/// One-based, in characters.
fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = &text[..at];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let lines = before.bytes().filter(|byte| *byte == b'\n').count();
    (lines + 1, before[line_start..].chars().count() + 1)
}

/// What the statements before leave for those behind them.
#[derive(Default)]
struct Session {
    settings: Settings,
    in_transaction: bool,
}

impl Session {
    fn follow(&mut self, plan: &Plan, statement: &str) {
        let Plan::Control(control) = plan else {
            return;
        };
        match control {
            Control::Begin { .. } => self.in_transaction = true,
            Control::Commit { chain } | Control::Rollback { chain } => self.in_transaction = *chain,
            Control::DiscardAll => self.settings = Settings::default(),
            _ => {}
        }
        self.settings.take_effect(control, statement, false);
        if !self.in_transaction {
            self.settings.commit();
        }
    }
}

/// Parameters stay `$n`.
struct NoParams;

impl ParamValues for NoParams {
    fn param(&self, _index: u16) -> Option<(Format, Option<&[u8]>)> {
        None
    }
}

/// Statements by what becomes of them.
#[derive(Debug, Default)]
struct Counts([usize; Route::ALL.len()]);

impl Counts {
    fn add(&mut self, route: Route) {
        self.0[route as usize] += 1;
    }

    fn of(&self, route: Route) -> usize {
        self.0[route as usize]
    }
}

/// `7 statements, 6 on one shard (85.7 %): 4 on the shard of a key or hint, 2 on any shard, 1 refused`
impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: usize = self.0.iter().sum();
        let one_shard =
            all - self.of(Route::Scatter) - self.of(Route::Gather) - self.of(Route::None);
        write!(f, "{all} statements, {one_shard} on one shard")?;
        if all > 0 {
            write!(f, " ({:.1} %)", one_shard as f64 * 100.0 / all as f64)?;
        }
        let met = Route::ALL.into_iter().filter(|route| self.of(*route) > 0);
        for (place, route) in met.enumerate() {
            let separator = if place == 0 { ":" } else { "," };
            write!(f, "{separator} {} {}", self.of(route), words(route))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::planner::tests::map;

    /// `line:column: text` of each statement, and the summary.
    fn linted(sql: &str) -> (Vec<String>, String) {
        let subject = Subject {
            map: &map(),
            schema: Arc::default(),
            user: "app",
            transaction_pooling: true,
            gathers: true,
        };
        let mut counts = Counts::default();
        let lines = lint(&subject, sql).into_iter().map(|finding| {
            counts.add(finding.route);
            let (line, column) = line_and_column(sql, finding.at);
            format!("{line}:{column}: {}", finding.text.trim_end())
        });
        let lines = lines.collect();
        (lines, counts.to_string())
    }

    #[test]
    fn each_statement_has_a_line() {
        let sql = "-- a comment\nselect * from matches where organization_id = 5;\n\
                   select 'ä', 1; select * from matches\n  where organization_id = $1;\n\n\
                   begin; select * from users; commit;\n\
                   select ctid\n  from matches;";
        let (lines, summary) = linted(sql);
        let expected = [
            "2:1: Route one shard, read: matches: organization_id = 5 -> logical 29 of tenants (hash) -> s1",
            "3:1: Route any shard, read: it reads no table",
            "3:16: Route one shard, read: matches: organization_id = $1 -> tenants (hash)",
            "6:1: Control Begin: BEGIN",
            "6:8: Route default shard s1, read: it names no table of the shard map",
            "6:29: Control Commit",
            "7:1: Refused 0A000: matches is sharded by organization_id, and nothing in this query block ties organization_id to one value\n  detail: ctid says where a row lies.\n  hint: add organization_id = … (a literal or parameter) with AND to the WHERE of that block",
        ];
        assert_eq!(lines, expected);
        assert_eq!(
            summary,
            "7 statements, 6 on one shard (85.7 %): 2 on the shard of a key or hint, 1 on any shard, \
             1 on the default shard, 2 about the session, 1 refused"
        );
        assert_eq!(linted("").1, "0 statements, 0 on one shard");
    }

    /// Settings count until they are taken back, and those of a transaction that is rolled back do not.
    #[test]
    fn what_a_file_sets_counts_for_what_is_behind_it() {
        let refused = |sql: &str| {
            let (lines, _) = linted(sql);
            let refused = lines.iter().enumerate();
            let refused = refused.filter(|(_, line)| line.contains("Refused"));
            refused.map(|(place, _)| place).collect::<Vec<_>>()
        };
        let query = "select ctid from matches;";
        for (sql, expected) in [
            (
                "Q set trunkline.shard = 's2'; Q reset trunkline.shard; Q",
                vec![0, 4],
            ),
            (
                "begin; set local trunkline.shard = 's2'; Q commit; Q",
                vec![4],
            ),
            ("begin; set trunkline.shard = 's2'; Q rollback; Q", vec![4]),
            (
                "begin; set trunkline.shard = 's2'; commit; Q discard all; Q",
                vec![5],
            ),
            ("set search_path = elsewhere; Q reset all; Q", vec![3]),
        ] {
            assert_eq!(refused(&sql.replace('Q', query)), expected, "{sql}");
        }
    }

    #[test]
    fn what_is_wrong_has_its_place() {
        let (lines, summary) = linted("select 1;\n\nselect 'no end");
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].starts_with("3:8: Refused 42601"), "{lines:?}");
        assert!(summary.ends_with(": 1 refused"));
    }
}
