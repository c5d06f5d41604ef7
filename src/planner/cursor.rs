//! Tokens read one after another: how control and utility statements are understood, without a tree.

use crate::error::{PgError, SqlState};
use crate::sql::{Kind, Token, position};

/// A place in a statement's tokens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    pub(super) text: &'a str,
    pub(super) rest: &'a [Token<'a>],
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str, tokens: &'a [Token<'a>]) -> Self {
        Self { text, rest: tokens }
    }

    pub(super) fn next(&mut self) -> Option<&'a Token<'a>> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    pub(super) fn peek_word(&self) -> Option<&'a str> {
        self.rest
            .first()
            .filter(|token| token.kind == Kind::Word)
            .map(|token| &*token.value)
    }

    /// Takes this word if it comes next.
    pub(super) fn take(&mut self, word: &str) -> bool {
        let found = self.rest.first().is_some_and(|token| token.is_word(word));
        if found {
            self.rest = &self.rest[1..];
        }
        found
    }

    /// Takes these words if all of them come next.
    pub(super) fn take_all(&mut self, words: &[&str]) -> bool {
        let mut ahead = *self;
        let found = words.iter().all(|word| ahead.take(word));
        if found {
            *self = ahead;
        }
        found
    }

    pub(super) fn take_any(&mut self, words: &[&str]) -> bool {
        words.iter().any(|word| self.take(word))
    }

    pub(super) fn take_op(&mut self, op: &str) -> bool {
        let found = self.rest.first().is_some_and(|token| token.is_op(op));
        if found {
            self.rest = &self.rest[1..];
        }
        found
    }

    pub(super) fn expect(&mut self, word: &str) -> Result<(), PgError> {
        if self.take(word) {
            Ok(())
        } else {
            Err(self.syntax_error())
        }
    }

    /// An identifier, folded.
    pub(super) fn name(&mut self) -> Result<String, PgError> {
        match self.rest.first() {
            Some(token) if token.is_name() => {
                self.rest = &self.rest[1..];
                Ok(token.value.clone().into_owned())
            }
            _ => Err(self.syntax_error()),
        }
    }

    /// The name of a setting, `a.b.c`. PostgreSQL compares such names without regard to ASCII case, quoted or not
    /// (`guc_name_compare`), so all of it is folded.
    pub(super) fn setting_name(&mut self) -> Result<String, PgError> {
        let mut name = self.name()?;
        while self.take_op(".") {
            name.push('.');
            name.push_str(&self.name()?);
        }
        name.make_ascii_lowercase();
        Ok(name)
    }

    /// Skips a group in parentheses that opens here.
    pub(super) fn skip_group(&mut self) {
        let mut depth = 0usize;
        while let Some(token) = self.next() {
            if token.is_op("(") {
                depth += 1;
            } else if token.is_op(")") {
                depth = depth.saturating_sub(1);
            }
            if depth == 0 {
                return;
            }
        }
    }

    pub(super) fn end(&self) -> Result<(), PgError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(self.syntax_error())
        }
    }

    /// PostgreSQL's own words for text that cannot be.
    pub(super) fn syntax_error(&self) -> PgError {
        let (message, at) = match self.rest.first() {
            Some(token) => (
                format!(
                    "syntax error at or near \"{}\"",
                    &self.text[token.start..token.end]
                ),
                token.start,
            ),
            None => ("syntax error at end of input".to_owned(), self.text.len()),
        };
        PgError::client(SqlState::SYNTAX_ERROR, message).with_position(position(self.text, at))
    }
}
