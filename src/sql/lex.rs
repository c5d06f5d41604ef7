//! PostgreSQL's lexical rules over bytes, with `standard_conforming_strings` on.
//!
//! Source: `src/backend/parser/scan.l`, and
//! <https://www.postgresql.org/docs/current/sql-syntax-lexical.html>. This lexer is the only one that
//! reads a client's text: it splits query strings, finds names by token, and feeds the parser, so
//! that nothing is ever understood in two ways.

use std::borrow::Cow;

use super::identifier::{cut, quoted};
use super::unescape;
use crate::error::{PgError, SqlState};

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

/// Where a token stands, before its value is made: [`Lexer::value`] does that.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scanned {
    /// Of a string not yet known to decode: [`Kind::String`].
    pub(super) kind: Kind,
    pub(super) start: usize,
    pub(super) end: usize,
    /// What is between quotes or behind `$`, else the whole.
    pub(super) body: (usize, usize),
    /// Which escapes a string has; `None` for what stands for itself.
    pub(super) form: Option<unescape::Form>,
    /// Made of several parts on several lines, which `body` holds with all that lies between.
    pub(super) continued: bool,
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
///
/// `sql::template` relies on it that a token depends on nothing before it, and on what comes after it only as its
/// head says: another look ahead or behind, or another state, has to be weighed there.
pub struct Lexer<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    /// Up to here there is only `+` and `-`, each an operator of its own.
    signs_until: usize,
    /// A comment passed by has the word [`HINT`] in it.
    hinted: bool,
}

/// What comments that ask something of us begin with.
const HINT: &[u8] = b"trunkline";

impl<'a> Iterator for Lexer<'a> {
    type Item = Result<Token<'a>, PgError>;

    fn next(&mut self) -> Option<Self::Item> {
        let scanned = match self.next_scanned()? {
            Ok(scanned) => scanned,
            Err(error) => return Some(Err(*error)),
        };
        let (kind, value) = self.value(&scanned);
        Some(Ok(Token {
            kind,
            start: scanned.start,
            end: scanned.end,
            value,
        }))
    }
}

impl<'a> Lexer<'a> {
    pub fn new(text: &'a str) -> Self {
        Self {
            text,
            bytes: text.as_bytes(),
            at: 0,
            signs_until: 0,
            hinted: false,
        }
    }

    /// From the beginning of a token, or the quote of a string; nothing is known of what is before.
    pub(super) fn starting_at(text: &'a str, at: usize) -> Self {
        Self {
            at,
            ..Self::new(text)
        }
    }

    fn peek(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn skip_blanks(&mut self) -> Result<(), Box<PgError>> {
        loop {
            match self.peek(0) {
                byte if is(SPACE, byte) => self.at += 1,
                b'-' if self.peek(1) == b'-' => self.skip_line(),
                b'/' if self.peek(1) == b'*' => self.skip_block_comment()?,
                _ => return Ok(()),
            }
        }
    }

    fn skip_line(&mut self) {
        let start = self.at;
        while self.at < self.bytes.len() && !matches!(self.bytes[self.at], b'\n' | b'\r') {
            self.at += 1;
        }
        self.look_for_hint(start);
    }

    fn look_for_hint(&mut self, start: usize) {
        let mut words = self.bytes[start..self.at].windows(HINT.len());
        self.hinted |= words.any(|word| word.eq_ignore_ascii_case(HINT));
    }

    /// A comment may ask something of us. Comments between the parts of a string are not looked at.
    pub(super) fn has_hint(&self) -> bool {
        self.hinted
    }

    fn skip_block_comment(&mut self) -> Result<(), Box<PgError>> {
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
                        self.look_for_hint(start);
                        return Ok(());
                    }
                }
                _ => self.at += 1,
            }
        }
        Err(unterminated("/* comment", self.text, start))
    }

    /// The next token, without its value. Ends after the first error, as the iterator does.
    pub(super) fn next_scanned(&mut self) -> Option<Result<Scanned, Box<PgError>>> {
        if let Err(error) = self.skip_blanks() {
            self.at = self.bytes.len();
            return Some(Err(error));
        }
        if self.at >= self.bytes.len() {
            return None;
        }
        let scanned = self.token();
        if scanned.is_err() {
            self.at = self.bytes.len();
        }
        Some(scanned)
    }

    /// The token that begins here, where there is neither a blank nor a comment nor the end.
    pub(super) fn token(&mut self) -> Result<Scanned, Box<PgError>> {
        use unescape::Form;
        let start = self.at;
        let first = self.peek(0);
        match first {
            b'\'' => self.quoted_string(start, 0, Form::Plain, Kind::String),
            b'"' => self.quoted_identifier(start, 0, Kind::Quoted),
            b'e' | b'E' if self.peek(1) == b'\'' => {
                self.quoted_string(start, 1, Form::Escape, Kind::String)
            }
            b'u' | b'U' if self.peek(1) == b'&' && self.peek(2) == b'\'' => {
                self.quoted_string(start, 2, Form::Unicode, Kind::String)
            }
            b'u' | b'U' if self.peek(1) == b'&' && self.peek(2) == b'"' => {
                self.quoted_identifier(start, 2, Kind::UnicodeQuoted)
            }
            b'b' | b'B' | b'x' | b'X' | b'n' | b'N' if self.peek(1) == b'\'' => {
                self.quoted_string(start, 1, Form::Plain, Kind::TypedString)
            }
            b'$' if self.peek(1).is_ascii_digit() => Ok(self.param(start)),
            b'$' => self.dollar_string(start),
            b'0'..=b'9' => Ok(self.number(start)),
            b'.' if self.peek(1).is_ascii_digit() => Ok(self.number(start)),
            _ if is(START, first) => Ok(self.word(start)),
            _ => Ok(self.operator(start)),
        }
    }

    /// A token that stands for itself and ends here.
    fn plain(&self, kind: Kind, start: usize) -> Scanned {
        Scanned {
            kind,
            start,
            end: self.at,
            body: (start, self.at),
            form: None,
            continued: false,
        }
    }

    /// A token's kind, now that a string is decoded, and its value.
    pub(super) fn value(&self, scanned: &Scanned) -> (Kind, Cow<'a, str>) {
        let body = &self.text[scanned.body.0..scanned.body.1];
        let value = match scanned.kind {
            Kind::Word => {
                // PostgreSQL folds ASCII only; other bytes only in single-byte encodings.
                let raw = cut(body);
                if raw.bytes().any(|b| b.is_ascii_uppercase()) {
                    Cow::Owned(raw.to_ascii_lowercase())
                } else {
                    Cow::Borrowed(raw)
                }
            }
            Kind::Quoted | Kind::UnicodeQuoted => quoted(body, scanned.kind),
            Kind::String | Kind::TypedString => {
                let Some(form) = scanned.form else {
                    return (scanned.kind, Cow::Borrowed(body));
                };
                let raw = if scanned.continued {
                    Cow::Owned(self.parts(scanned, form))
                } else {
                    Cow::Borrowed(body)
                };
                match unescape::string(raw, form) {
                    Some(value) => value,
                    None => return (Kind::BadString, Cow::Borrowed("")),
                }
            }
            _ => Cow::Borrowed(body),
        };
        (scanned.kind, value)
    }

    fn word(&mut self, start: usize) -> Scanned {
        let rest = self.bytes.get(start..).unwrap_or_default();
        let length = rest.iter().position(|byte| !is(PART, *byte));
        self.at = length.map_or(self.bytes.len(), |length| start + length);
        self.plain(Kind::Word, start)
    }

    fn quoted_identifier(
        &mut self,
        start: usize,
        prefix: usize,
        kind: Kind,
    ) -> Result<Scanned, Box<PgError>> {
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
        let end = self.at;
        self.at += 1;
        Ok(Scanned {
            body: (body, end),
            ..self.plain(kind, start)
        })
    }

    /// A string with all its continuations (`'a'` newline `'b'` is one literal).
    fn quoted_string(
        &mut self,
        start: usize,
        prefix: usize,
        form: unescape::Form,
        kind: Kind,
    ) -> Result<Scanned, Box<PgError>> {
        self.at += prefix;
        let body = self.at + 1;
        let mut continued = false;
        loop {
            self.at += 1;
            self.string_body(start, form)?;
            let end = self.at;
            self.at += 1;
            match self.continuation() {
                Some(quote) => self.at = quote,
                None => {
                    return Ok(Scanned {
                        body: (body, end),
                        form: Some(form),
                        continued,
                        ..self.plain(kind, start)
                    });
                }
            }
            continued = true;
        }
    }

    /// What is between the quotes of a string of several parts.
    fn parts(&self, scanned: &Scanned, form: unescape::Form) -> String {
        let mut lexer = Lexer::starting_at(self.text, scanned.body.0);
        let mut raw = String::new();
        // It has been walked once and ends.
        while lexer.at <= scanned.body.1 {
            let from = lexer.at;
            if lexer.string_body(scanned.start, form).is_err() {
                break;
            }
            raw.push_str(&self.text[from..lexer.at]);
            lexer.at += 1;
            match lexer.continuation() {
                Some(quote) => lexer.at = quote + 1,
                None => break,
            }
        }
        raw
    }

    /// Moves to the closing quote.
    fn string_body(&mut self, start: usize, form: unescape::Form) -> Result<(), Box<PgError>> {
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
                byte if is(SPACE, *byte) => at += 1,
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

    fn dollar_string(&mut self, start: usize) -> Result<Scanned, Box<PgError>> {
        let mut end = start + 1;
        while self
            .bytes
            .get(end)
            .is_some_and(|b| is(START, *b) || (end > start + 1 && b.is_ascii_digit()))
        {
            end += 1;
        }
        if self.bytes.get(end) != Some(&b'$') {
            self.at += 1;
            return Ok(self.plain(Kind::Other, start));
        }
        let tag = &self.text[start..=end];
        let body = end + 1;
        let Some(length) = self.text[body..].find(tag) else {
            return Err(unterminated("dollar-quoted string", self.text, start));
        };
        self.at = body + length + tag.len();
        Ok(Scanned {
            body: (body, body + length),
            ..self.plain(Kind::String, start)
        })
    }

    fn param(&mut self, start: usize) -> Scanned {
        self.at += 1;
        while self.peek(0).is_ascii_digit() {
            self.at += 1;
        }
        Scanned {
            body: (start + 1, self.at),
            ..self.plain(Kind::Param, start)
        }
    }

    fn number(&mut self, start: usize) -> Scanned {
        // Most are digits, and nothing that could be more of a number comes after them.
        let rest = &self.bytes[start..];
        let length = rest.iter().position(|byte| !byte.is_ascii_digit());
        let length = length.unwrap_or(rest.len());
        if length > 0
            && !rest
                .get(length)
                .is_some_and(|byte| is(PART, *byte) || *byte == b'.')
        {
            self.at = start + length;
            return self.plain(Kind::Number, start);
        }
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
            return self.plain(Kind::Number, start);
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
        self.plain(Kind::Number, start)
    }

    fn operator(&mut self, start: usize) -> Scanned {
        let length = match (self.peek(0), self.peek(1)) {
            (b':', b':' | b'=') | (b'.', b'.') => 2,
            (b'(' | b')' | b'[' | b']' | b',' | b';' | b'.' | b':', _) => 1,
            (byte, _) if is(OPERATOR, byte) => self.operator_length(),
            _ => {
                self.at += 1;
                return self.plain(Kind::Other, start);
            }
        };
        self.at += length;
        self.plain(Kind::Operator, start)
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
        let mut length = rest.iter().take_while(|b| is(OPERATOR, **b)).count();
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

/// What a byte may be, as bits, for all 256 of them: every byte of every text is asked.
const CLASSES: [u8; 256] = {
    const OPERATORS: &[u8] = b"~!@#^&|`?+-*/%<>=";
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let is = byte as u8;
        classes[byte] = match is {
            b' ' | b'\t' | b'\n' | b'\r' | 0x0c | 0x0b => SPACE,
            b'0'..=b'9' | b'$' => PART,
            b'_' | 0x80.. => START | PART,
            _ if is.is_ascii_alphabetic() => START | PART,
            _ => 0,
        };
        byte += 1;
    }
    let mut at = 0;
    while at < OPERATORS.len() {
        classes[OPERATORS[at] as usize] |= OPERATOR;
        at += 1;
    }
    classes
};
const SPACE: u8 = 1;
/// An identifier may begin with it.
const START: u8 = 2;
/// An identifier may have it.
const PART: u8 = 4;
/// An operator may have it.
const OPERATOR: u8 = 8;

fn is(class: u8, byte: u8) -> bool {
    CLASSES[usize::from(byte)] & class != 0
}

/// An unquoted word goes on with this byte.
pub(super) fn is_word_part(byte: u8) -> bool {
    is(PART, byte)
}

/// Boxed, because tokens are returned by the million and errors once.
fn unterminated(what: &str, text: &str, start: usize) -> Box<PgError> {
    let rest = text.get(start..).unwrap_or_default();
    let error = PgError::client(
        SqlState::SYNTAX_ERROR,
        format!("unterminated {what} at or near \"{rest}\""),
    );
    Box::new(error.with_position(position(text, start)))
}

/// PostgreSQL counts positions in characters, from one.
pub fn position(text: &str, offset: usize) -> u32 {
    let before = text
        .get(..offset)
        .map_or(0, |before| before.chars().count());
    u32::try_from(before + 1).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
