//! A query string into statements.

use std::ops::Range;

use super::comments::{hints_between, may_have_hint};
use super::lex::{Kind, Lexer, Scanned, position};
use crate::error::{PgError, SqlState};

/// Statements in one query string; each is planned before the first is run.
pub const STATEMENTS_MAX: usize = 20_000;

/// One statement of a query string: its byte range without the semicolon; comments and blanks at
/// the ends left out, save comments that hold hints. Empty statements are left out, as PostgreSQL does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    pub range: Range<usize>,
}

/// The text of the one statement Parse may bring, blanks and semicolons taken off; empty where there
/// is none.
///
/// Errors: 42601 for several, in PostgreSQL's words.
pub fn only_statement(text: &str) -> Result<&str, PgError> {
    match split(text)?.as_slice() {
        [] => Ok(""),
        [piece] => Ok(&text[piece.range.clone()]),
        _ => Err(PgError::client(
            SqlState::SYNTAX_ERROR,
            "cannot insert multiple commands into a prepared statement",
        )),
    }
}

/// Splits as PostgreSQL's lexer would with `standard_conforming_strings` on.
///
/// A semicolon within parentheses (`CREATE RULE … DO (a; b)`) or within the `BEGIN ATOMIC … END` body of
/// a function ends nothing; `psql` counts in the same way.
///
/// Errors: 42601 where a quote or comment does not end; 54001 beyond [`STATEMENTS_MAX`]; 22023 for a hint
/// behind the last semicolon, which belongs to no statement.
pub fn split(text: &str) -> Result<Vec<Piece>, PgError> {
    let mut pieces = Vec::new();
    let mut open: Option<Open> = None;
    let hints = may_have_hint(text);
    // Where the token before ended.
    let mut before = 0;
    let mut lexer = Lexer::new(text);
    while let Some(scanned) = lexer.next_scanned() {
        let token = Raw::new(text, &scanned.map_err(|error| *error)?);
        let gap = std::mem::replace(&mut before, token.end)..token.start;
        let ends = token.is_op(";")
            && open
                .as_ref()
                .is_none_or(|open| open.parens == 0 && open.blocks == 0);
        if !ends {
            let start = || match hints {
                true => hints_start(text, gap),
                false => token.start,
            };
            open.get_or_insert_with(|| Open::new(start())).push(&token);
        } else if let Some(done) = open.take() {
            if pieces.len() == STATEMENTS_MAX {
                return Err(too_many());
            }
            pieces.push(done.piece(text, hints, token.start));
        }
    }
    match open {
        Some(open) => pieces.push(open.piece(text, hints, text.len())),
        None if hints && !pieces.is_empty() => check_no_hint(text, before)?,
        None => {}
    }
    Ok(pieces)
}

/// Where a statement begins: with the first hint in front of it, if there is one.
fn hints_start(text: &str, gap: Range<usize>) -> usize {
    let end = gap.end;
    hints_between(text, gap.start, end)
        .first()
        .map_or(end, |comment| comment.start)
}

fn check_no_hint(text: &str, from: usize) -> Result<(), PgError> {
    let Some(comment) = hints_between(text, from, text.len()).into_iter().next() else {
        return Ok(());
    };
    Err(PgError::client(
        SqlState::INVALID_PARAMETER_VALUE,
        "a hint behind the last semicolon belongs to no statement",
    )
    .with_hint("write it ahead of the semicolon")
    .with_position(position(text, comment.start)))
}

fn too_many() -> PgError {
    PgError::client(
        SqlState::STATEMENT_TOO_COMPLEX,
        format!("a query string has more than {STATEMENTS_MAX} statements"),
    )
    .with_hint("send them in several strings")
}

/// A token as it is written: what is asked of it here needs no value, which might have to be made.
struct Raw<'a> {
    kind: Kind,
    start: usize,
    end: usize,
    text: &'a str,
}

impl<'a> Raw<'a> {
    fn new(text: &'a str, scanned: &Scanned) -> Self {
        Self {
            kind: scanned.kind,
            start: scanned.start,
            end: scanned.end,
            text: &text[scanned.start..scanned.end],
        }
    }

    fn is_op(&self, op: &str) -> bool {
        self.kind == Kind::Operator && self.text == op
    }

    fn is_word(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(word)
    }
}

/// The statement being read.
struct Open {
    start: usize,
    end: usize,
    parens: usize,
    /// Open `BEGIN ATOMIC` and the `CASE`s within it, each closed by an `END`.
    blocks: usize,
    header: Header,
    after_begin: bool,
}

/// Whether the statement may have a `BEGIN ATOMIC` body.
#[derive(PartialEq, Eq)]
enum Header {
    Start,
    Create,
    Routine,
    Other,
}

impl Open {
    fn new(start: usize) -> Self {
        Self {
            start,
            end: start,
            parens: 0,
            blocks: 0,
            header: Header::Start,
            after_begin: false,
        }
    }

    /// What was read, with the hints between its last token and `next`, the semicolon or the text's end.
    fn piece(&self, text: &str, hints: bool, next: usize) -> Piece {
        let mut end = self.end;
        if hints && let Some(last) = hints_between(text, end, next).last() {
            end = last.end;
        }
        Piece {
            range: self.start..end,
        }
    }

    fn push(&mut self, token: &Raw<'_>) {
        self.end = token.end;
        if token.is_op("(") {
            self.parens += 1;
        } else if token.is_op(")") {
            self.parens = self.parens.saturating_sub(1);
        }
        self.header = match self.header {
            Header::Start if token.is_word("create") => Header::Create,
            Header::Create if token.is_word("or") || token.is_word("replace") => Header::Create,
            Header::Create if token.is_word("function") || token.is_word("procedure") => {
                Header::Routine
            }
            Header::Routine => Header::Routine,
            _ => Header::Other,
        };
        if self.header == Header::Routine && self.parens == 0 {
            let opens = self.after_begin && token.is_word("atomic")
                || self.blocks > 0 && token.is_word("case");
            if opens {
                self.blocks += 1;
            } else if self.blocks > 0 && token.is_word("end") {
                self.blocks -= 1;
            }
            self.after_begin = token.is_word("begin");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &str) -> Vec<&str> {
        split(text)
            .expect("splits")
            .into_iter()
            .map(|p| &text[p.range])
            .collect()
    }

    #[test]
    fn semicolons_end_statements() {
        assert_eq!(pieces("select 1; select ';'"), ["select 1", "select ';'"]);
        assert_eq!(pieces(" ; -- nothing\n ; /* ; */ "), [""; 0]);
        assert_eq!(
            pieces("/* a */ select 1 -- ;\n ; select 2;"),
            ["select 1", "select 2"]
        );
        assert_eq!(
            pieces("select $$;$$; select \";\""),
            ["select $$;$$", "select \";\""]
        );
        assert_eq!(
            pieces("select 1); delete from t"),
            ["select 1)", "delete from t"]
        );
    }

    #[test]
    fn hints_belong_to_their_statements() {
        assert_eq!(
            pieces(
                "/* a *//* trunkline: shard=s1 */ select 1 ; select 2 /*trunkline_key='4'*/ /* b */;"
            ),
            [
                "/* trunkline: shard=s1 */ select 1",
                "select 2 /*trunkline_key='4'*/"
            ]
        );
        assert_eq!(
            pieces("select 1 -- trunkline: shard=s1\n -- b\n"),
            ["select 1 -- trunkline: shard=s1"]
        );
        let error = split("select 1; -- trunkline: shard=s1").expect_err("no statement");
        assert_eq!(error.code, SqlState::INVALID_PARAMETER_VALUE);
        assert_eq!(error.position, Some(11));
        assert_eq!(pieces("/* trunkline: shard=s1 */"), [""; 0]);
    }

    #[test]
    fn statements_are_bounded_and_empty_ones_cost_nothing() {
        assert_eq!(pieces(&";".repeat(1_000_000)), [""; 0]);
        assert_eq!(pieces(&"a;".repeat(STATEMENTS_MAX)).len(), STATEMENTS_MAX);
        let error = split(&"a;".repeat(STATEMENTS_MAX + 2)).expect_err("too many");
        assert_eq!(error.code, SqlState::STATEMENT_TOO_COMPLEX);
    }

    #[test]
    fn rules_and_atomic_bodies_stay_whole() {
        let rule = "create rule r as on insert to t do (select 1; select 2)";
        assert_eq!(pieces(&format!("{rule}; select 3")), [rule, "select 3"]);
        let function = "create or replace function f() returns int begin atomic select 1; select case when true then 1 end; end";
        assert_eq!(
            pieces(&format!("{function}; select 3")),
            [function, "select 3"]
        );
        assert_eq!(pieces("begin; select 1; end"), ["begin", "select 1", "end"]);
        assert_eq!(
            pieces("create table atomic (a int); end"),
            ["create table atomic (a int)", "end"]
        );
    }
}
