//! PostgreSQL's lexical rules over bytes, with `standard_conforming_strings` on.
//!
//! Source: `src/backend/parser/scan.l`, and
//! <https://www.postgresql.org/docs/current/sql-syntax-lexical.html>. This lexer is the only one that
//! reads a client's text: it splits query strings, finds names by token, and feeds the parser, so
//! that nothing is ever understood in two ways.

use std::borrow::Cow;

use super::unescape;
use crate::error::{PgError, SqlState};

/// PostgreSQL cuts longer identifiers (`NAMEDATALEN` - 1).
pub const IDENTIFIER_BYTES_MAX: usize = 63;

/// A statement of more tokens is not looked at any further: each takes some 50 bytes here, and with the
/// parser's tree up to 1.5 KiB. The largest a driver sends, an INSERT of 65,535 parameters, has 262,000 at most
/// (one column, no casts).
pub const TOKENS_MAX: usize = 300_000;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An unquoted identifier or keyword; the value is folded and cut.
    Word,
    /// `"…"`; the value has its quotes undone and is cut.
    Quoted,
    /// `U&"…"`; the value is decoded with the default escape.
    UnicodeQuoted,
    /// A literal that PostgreSQL reads as one of unknown type (`'…'`, `E'…'`, `U&'…'`, `$$…$$`), decoded.
    String,
    /// The same, but its escapes make no text: PostgreSQL will refuse it.
    BadString,
    /// `B'…'`, `X'…'` or `N'…'`: literals with a type of their own.
    TypedString,
    Number,
    /// In place of a [`Kind::String`]; the value is a [`super::literals::marker`]. The lexer makes none of
    /// these: `sql::shape` puts them in, so that a plan cannot depend on the literal's value.
    StringSlot,
    /// In place of a [`Kind::Number`] of digits that fit 64 bits; the value is a marker.
    IntegerSlot,
    /// In place of any other [`Kind::Number`]; the value is [`super::literals::NO_PLACE`].
    NumberSlot,
    /// `$n`; the value is the digits.
    Param,
    /// Operators, `::`, `:=`, `..`, and the single characters `( ) [ ] , ; . :`.
    Operator,
    /// A character no rule takes.
    Other,
}

/// One token and where it stands in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token<'a> {
    pub kind: Kind,
    pub start: usize,
    pub end: usize,
    pub value: Cow<'a, str>,
}

impl Token<'_> {
    /// True for this unquoted word, given in lower case.
    pub fn is_word(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.value == word
    }

    pub fn is_op(&self, op: &str) -> bool {
        self.kind == Kind::Operator && self.value == op
    }

    /// An identifier or an unquoted keyword.
    pub fn is_name(&self) -> bool {
        matches!(self.kind, Kind::Word | Kind::Quoted | Kind::UnicodeQuoted)
    }
}

/// All tokens of a text.
///
/// Errors: 42601 where a quote or comment does not end; 54001 beyond [`TOKENS_MAX`].
pub fn tokens(text: &str) -> Result<Vec<Token<'_>>, PgError> {
    let tokens: Vec<_> = Lexer::new(text)
        .take(TOKENS_MAX + 1)
        .collect::<Result<_, _>>()?;
    if tokens.len() > TOKENS_MAX {
        return Err(PgError::client(
            SqlState::STATEMENT_TOO_COMPLEX,
            format!("statement has more than {TOKENS_MAX} tokens"),
        )
        .with_hint("split the statement, or use COPY"));
    }
    Ok(tokens)
}

/// Yields tokens; comments and blanks are left out. Ends after the first error.
pub struct Lexer<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    /// Up to here there is only `+` and `-`, each an operator of its own.
    signs_until: usize,
}

impl<'a> Iterator for Lexer<'a> {
    type Item = Result<Token<'a>, PgError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Err(error) = self.skip_blanks() {
            self.at = self.bytes.len();
            return Some(Err(error));
        }
        if self.at >= self.bytes.len() {
            return None;
        }
        let token = self.token();
        if token.is_err() {
            self.at = self.bytes.len();
        }
        Some(token)
    }
}

impl<'a> Lexer<'a> {
    pub fn new(text: &'a str) -> Self {
        Self {
            text,
            bytes: text.as_bytes(),
            at: 0,
            signs_until: 0,
        }
    }

    fn peek(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn skip_blanks(&mut self) -> Result<(), PgError> {
        loop {
            match self.peek(0) {
                byte if is_space(byte) => self.at += 1,
                b'-' if self.peek(1) == b'-' => self.skip_line(),
                b'/' if self.peek(1) == b'*' => self.skip_block_comment()?,
                _ => return Ok(()),
            }
        }
    }

    fn skip_line(&mut self) {
        while self.at < self.bytes.len() && !matches!(self.bytes[self.at], b'\n' | b'\r') {
            self.at += 1;
        }
    }

    fn skip_block_comment(&mut self) -> Result<(), PgError> {
        let start = self.at;
        let mut depth = 0usize;
        while self.at < self.bytes.len() {
            match (self.peek(0), self.peek(1)) {
                (b'/', b'*') => {
                    depth += 1;
                    self.at += 2;
                }
                (b'*', b'/') => {
                    depth -= 1;
                    self.at += 2;
                    if depth == 0 {
                        return Ok(());
                    }
                }
                _ => self.at += 1,
            }
        }
        Err(unterminated("/* comment", self.text, start))
    }

    fn token(&mut self) -> Result<Token<'a>, PgError> {
        let start = self.at;
        let first = self.peek(0);
        match (first, self.peek(1), self.peek(2)) {
            (b'\'', ..) => self.quoted_string(start, 0, unescape::Form::Plain),
            (b'e' | b'E', b'\'', _) => self.quoted_string(start, 1, unescape::Form::Escape),
            (b'u' | b'U', b'&', b'\'') => self.quoted_string(start, 2, unescape::Form::Unicode),
            (b'b' | b'B' | b'x' | b'X' | b'n' | b'N', b'\'', _) => {
                let token = self.quoted_string(start, 1, unescape::Form::Plain)?;
                Ok(Token {
                    kind: Kind::TypedString,
                    ..token
                })
            }
            (b'u' | b'U', b'&', b'"') => self.quoted_identifier(start, 2, Kind::UnicodeQuoted),
            (b'"', ..) => self.quoted_identifier(start, 0, Kind::Quoted),
            (b'$', b'0'..=b'9', _) => Ok(self.param(start)),
            (b'$', ..) => self.dollar_string(start),
            (b'.', b'0'..=b'9', _) | (b'0'..=b'9', ..) => Ok(self.number(start)),
            _ if is_identifier_start(first) => Ok(self.word(start)),
            _ => Ok(self.operator(start)),
        }
    }

    fn make(&self, kind: Kind, start: usize, value: Cow<'a, str>) -> Token<'a> {
        Token {
            kind,
            start,
            end: self.at,
            value,
        }
    }

    fn word(&mut self, start: usize) -> Token<'a> {
        while is_identifier_part(self.peek(0)) {
            self.at += 1;
        }
        let raw = cut(&self.text[start..self.at]);
        // PostgreSQL folds ASCII only; other bytes only in single-byte encodings.
        let value = if raw.bytes().any(|b| b.is_ascii_uppercase()) {
            Cow::Owned(raw.to_ascii_lowercase())
        } else {
            Cow::Borrowed(raw)
        };
        self.make(Kind::Word, start, value)
    }

    fn quoted_identifier(
        &mut self,
        start: usize,
        prefix: usize,
        kind: Kind,
    ) -> Result<Token<'a>, PgError> {
        self.at += prefix + 1;
        let body = self.at;
        loop {
            match self.bytes.get(self.at) {
                None => return Err(unterminated("quoted identifier", self.text, start)),
                Some(b'"') if self.peek(1) == b'"' => self.at += 2,
                Some(b'"') => break,
                Some(_) => self.at += 1,
            }
        }
        let raw = &self.text[body..self.at];
        self.at += 1;
        let undoubled = if raw.contains("\"\"") {
            Cow::Owned(raw.replace("\"\"", "\""))
        } else {
            Cow::Borrowed(raw)
        };
        let value = match kind {
            Kind::UnicodeQuoted => Cow::Owned(unescape::unicode(&undoubled).unwrap_or_default()),
            _ => undoubled,
        };
        let value = match value {
            Cow::Borrowed(value) => Cow::Borrowed(cut(value)),
            Cow::Owned(value) => Cow::Owned(cut(&value).to_owned()),
        };
        Ok(self.make(kind, start, value))
    }

    /// A string with all its continuations (`'a'` newline `'b'` is one literal).
    fn quoted_string(
        &mut self,
        start: usize,
        prefix: usize,
        form: unescape::Form,
    ) -> Result<Token<'a>, PgError> {
        self.at += prefix;
        let mut raw: Cow<'a, str> = Cow::Borrowed("");
        loop {
            self.at += 1;
            let body = self.at;
            self.string_body(start, form)?;
            let part = &self.text[body..self.at];
            self.at += 1;
            raw = if raw.is_empty() {
                Cow::Borrowed(part)
            } else {
                Cow::Owned(raw.into_owned() + part)
            };
            match self.continuation() {
                Some(quote) => self.at = quote,
                None => break,
            }
        }
        Ok(match unescape::string(raw, form) {
            Some(value) => self.make(Kind::String, start, value),
            None => self.make(Kind::BadString, start, Cow::Borrowed("")),
        })
    }

    /// Moves to the closing quote.
    fn string_body(&mut self, start: usize, form: unescape::Form) -> Result<(), PgError> {
        loop {
            match self.bytes.get(self.at) {
                None => return Err(unterminated("quoted string", self.text, start)),
                Some(b'\'') if self.peek(1) == b'\'' => self.at += 2,
                Some(b'\'') => return Ok(()),
                Some(b'\\') if form == unescape::Form::Escape => {
                    // The escaped character may be several bytes long: the rest of them are never
                    // quotes or backslashes, so stepping over the first is enough.
                    self.at = (self.at + 2).min(self.bytes.len());
                }
                Some(_) => self.at += 1,
            }
        }
    }

    /// Where the string goes on: only blanks with a newline among them may lie between.
    fn continuation(&self) -> Option<usize> {
        let mut at = self.at;
        let mut newline = false;
        loop {
            match self.bytes.get(at)? {
                b'\n' | b'\r' => {
                    newline = true;
                    at += 1;
                }
                byte if is_space(*byte) => at += 1,
                b'-' if self.bytes.get(at + 1) == Some(&b'-') => {
                    while !matches!(self.bytes.get(at)?, b'\n' | b'\r') {
                        at += 1;
                    }
                }
                b'\'' if newline => return Some(at),
                _ => return None,
            }
        }
    }

    fn dollar_string(&mut self, start: usize) -> Result<Token<'a>, PgError> {
        let mut end = start + 1;
        while self
            .bytes
            .get(end)
            .is_some_and(|b| is_identifier_start(*b) || (end > start + 1 && b.is_ascii_digit()))
        {
            end += 1;
        }
        if self.bytes.get(end) != Some(&b'$') {
            self.at += 1;
            return Ok(self.make(Kind::Other, start, Cow::Borrowed("$")));
        }
        let tag = &self.text[start..=end];
        let body = end + 1;
        let Some(length) = self.text[body..].find(tag) else {
            return Err(unterminated("dollar-quoted string", self.text, start));
        };
        self.at = body + length + tag.len();
        Ok(self.make(
            Kind::String,
            start,
            Cow::Borrowed(&self.text[body..body + length]),
        ))
    }

    fn param(&mut self, start: usize) -> Token<'a> {
        self.at += 1;
        while self.peek(0).is_ascii_digit() {
            self.at += 1;
        }
        self.make(
            Kind::Param,
            start,
            Cow::Borrowed(&self.text[start + 1..self.at]),
        )
    }

    fn number(&mut self, start: usize) -> Token<'a> {
        let digits = |lexer: &mut Self, hex: bool| {
            while lexer.peek(0).is_ascii_digit()
                || lexer.peek(0) == b'_'
                || (hex && lexer.peek(0).is_ascii_hexdigit())
            {
                lexer.at += 1;
            }
        };
        if self.peek(0) == b'0' && matches!(self.peek(1), b'x' | b'X' | b'o' | b'O' | b'b' | b'B') {
            let hex = matches!(self.peek(1), b'x' | b'X');
            self.at += 2;
            digits(self, hex);
            return self.make(
                Kind::Number,
                start,
                Cow::Borrowed(&self.text[start..self.at]),
            );
        }
        digits(self, false);
        // `1..10` is a range of two integers in PL/pgSQL, not two decimals.
        if self.peek(0) == b'.' && self.peek(1) != b'.' {
            self.at += 1;
            digits(self, false);
        }
        if matches!(self.peek(0), b'e' | b'E') {
            let sign = usize::from(matches!(self.peek(1), b'+' | b'-'));
            if self.peek(1 + sign).is_ascii_digit() {
                self.at += 1 + sign;
                digits(self, false);
            }
        }
        self.make(
            Kind::Number,
            start,
            Cow::Borrowed(&self.text[start..self.at]),
        )
    }

    fn operator(&mut self, start: usize) -> Token<'a> {
        let length = match (self.peek(0), self.peek(1)) {
            (b':', b':' | b'=') | (b'.', b'.') => 2,
            (b'(' | b')' | b'[' | b']' | b',' | b';' | b'.' | b':', _) => 1,
            (byte, _) if is_operator(byte) => self.operator_length(),
            _ => {
                self.at += 1;
                return self.make(
                    Kind::Other,
                    start,
                    Cow::Borrowed(&self.text[start..self.at]),
                );
            }
        };
        self.at += length;
        self.make(
            Kind::Operator,
            start,
            Cow::Borrowed(&self.text[start..self.at]),
        )
    }

    /// The longest operator, before a comment; a trailing `+` or `-` is another token unless the operator
    /// has a character that SQL's own operators lack.
    ///
    /// A run of operator characters is walked once, however many operators it turns out to be.
    fn operator_length(&mut self) -> usize {
        if self.at < self.signs_until {
            return 1;
        }
        let rest = &self.bytes[self.at..];
        let mut length = rest.iter().take_while(|b| is_operator(**b)).count();
        for at in 1..length {
            if matches!(&rest[at..=at + 1.min(length - at - 1)], b"--" | b"/*") {
                length = at;
                break;
            }
        }
        let run = length;
        let special = |byte: &u8| b"~!@#^&|`?%".contains(byte);
        if !rest[..run].iter().any(special) {
            while length > 1 && matches!(rest[length - 1], b'+' | b'-') {
                length -= 1;
            }
            self.signs_until = self.at + run;
        }
        length
    }
}

/// Cuts an identifier as PostgreSQL does, at a character boundary.
fn cut(name: &str) -> &str {
    let mut end = name.len().min(IDENTIFIER_BYTES_MAX);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    &name[..end]
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0c | 0x0b)
}

fn is_identifier_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

fn is_identifier_part(byte: u8) -> bool {
    is_identifier_start(byte) || byte.is_ascii_digit() || byte == b'$'
}

fn is_operator(byte: u8) -> bool {
    b"~!@#^&|`?+-*/%<>=".contains(&byte)
}

fn unterminated(what: &str, text: &str, start: usize) -> PgError {
    let rest = text.get(start..).unwrap_or_default();
    PgError::client(
        SqlState::SYNTAX_ERROR,
        format!("unterminated {what} at or near \"{rest}\""),
    )
    .with_position(position(text, start))
}

/// PostgreSQL counts positions in characters, from one.
pub fn position(text: &str, offset: usize) -> u32 {
    let before = text
        .get(..offset)
        .map_or(0, |before| before.chars().count());
    u32::try_from(before + 1).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lex(text: &str) -> Vec<(Kind, String)> {
        tokens(text)
            .expect("lexes")
            .into_iter()
            .map(|t| (t.kind, t.value.into_owned()))
            .collect()
    }

    fn values(text: &str) -> Vec<String> {
        lex(text).into_iter().map(|(_, value)| value).collect()
    }

    #[test]
    fn operators_end_where_postgresql_ends_them() {
        assert_eq!(values("a=-5"), ["a", "=", "-", "5"]);
        assert_eq!(values("a>=-5"), ["a", ">=", "-", "5"]);
        assert_eq!(values("a@-5"), ["a", "@-", "5"]);
        assert_eq!(values("a*/*c*/b"), ["a", "*", "b"]);
        assert_eq!(values("a+--c\nb"), ["a", "+", "b"]);
        assert_eq!(values("a::int"), ["a", "::", "int"]);
        assert_eq!(values("a--5"), ["a"]);
        assert_eq!(values("a<>-$1"), ["a", "<>", "-", "1"]);
    }

    #[test]
    fn strings_of_every_form_are_decoded() {
        assert_eq!(lex("'it''s'"), [(Kind::String, "it's".into())]);
        assert_eq!(lex(r"'a\'"), [(Kind::String, r"a\".into())]);
        assert_eq!(
            lex(r"E'a\'b\n\x41\u00e9\101'"),
            [(Kind::String, "a'b\nAéA".into())]
        );
        assert_eq!(lex(r"U&'d\0061t\+000061'"), [(Kind::String, "data".into())]);
        assert_eq!(lex("$$a'b$$"), [(Kind::String, "a'b".into())]);
        assert_eq!(lex("$x$a$$b$x$"), [(Kind::String, "a$$b".into())]);
        assert_eq!(lex("'a' -- c\n 'b'"), [(Kind::String, "ab".into())]);
        assert_eq!(lex("'a' 'b'").len(), 2);
        assert_eq!(lex("x'1F'"), [(Kind::TypedString, "1F".into())]);
        assert_eq!(lex(r"E'\xff'")[0].0, Kind::BadString);
        assert_eq!(lex(r"E'\000'")[0].0, Kind::BadString);
    }

    #[test]
    fn identifiers_are_folded_and_cut() {
        assert_eq!(lex("ÄB$1"), [(Kind::Word, "Äb$1".into())]);
        assert_eq!(lex("\"A\"\"b\""), [(Kind::Quoted, "A\"b".into())]);
        assert_eq!(lex(r#"U&"d\0061t""#), [(Kind::UnicodeQuoted, "dat".into())]);
        let long = "a".repeat(62) + "é";
        assert_eq!(values(&long), ["a".repeat(62)]);
        assert_eq!(values(&"b".repeat(80)), ["b".repeat(63)]);
    }

    #[test]
    fn numbers_and_parameters() {
        assert_eq!(values("1..2"), ["1", "..", "2"]);
        assert_eq!(
            values("1.5e-3 .5 5. 0x1F 1_000"),
            ["1.5e-3", ".5", "5.", "0x1F", "1_000"]
        );
        assert_eq!(lex("$12"), [(Kind::Param, "12".into())]);
        assert_eq!(values("5e"), ["5", "e"]);
    }

    #[test]
    fn runs_of_signs_are_walked_once() {
        assert_eq!(values("+-+"), ["+", "-", "+"]);
        assert_eq!(values("*+-+1"), ["*", "+", "-", "+", "1"]);
        assert_eq!(values("+*+"), ["+*", "+"]);
        assert_eq!(values("@+-+"), ["@+-+"]);
        let started = std::time::Instant::now();
        assert_eq!(values(&"+".repeat(TOKENS_MAX)).len(), TOKENS_MAX);
        assert_eq!(values(&"+*".repeat(200_000)).len(), 1);
        assert!(started.elapsed().as_secs() < 20);
    }

    #[test]
    fn tokens_are_bounded() {
        assert!(tokens(&"(".repeat(TOKENS_MAX)).is_ok());
        let error = tokens(&"(".repeat(TOKENS_MAX + 1)).expect_err("too many");
        assert_eq!(error.code, SqlState::STATEMENT_TOO_COMPLEX);
    }

    #[test]
    fn what_does_not_end_is_an_error() {
        for text in ["'a", "\"a", "/* /* */", "$$a", "E'a\\'", "$a$ $$", "E'\\"] {
            let error = tokens(text).expect_err(text);
            assert_eq!(error.code, SqlState::SYNTAX_ERROR, "{text}");
            assert!(error.position.is_some(), "{text}");
        }
        assert_eq!(tokens("é 'a").expect_err("open").position, Some(3));
    }
}
