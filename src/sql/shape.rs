//! What texts that differ only in their literals have in common.
//!
//! A shape is the text's tokens, folded, a blank after each, with a mark of its class in place of each
//! literal, without comments. Two texts of one shape are the same tokens but for the values of literals of
//! the same classes, and a plan is made from tokens in which these values are hidden ([`Shape::slotted`]):
//! so it holds for both.
//!
//! Of a list (`IN (…)`) or of the rows of VALUES the first two stay, and of the others those of another
//! form; each of the rest is represented by one of the same form that stays. Two stay, so that nothing
//! that looks at them can take them for a single value.

use std::borrow::Cow;

use super::lex::{Kind, Lexer, Scanned, TOKENS_MAX, Token};
use super::literals::{Literals, NO_PLACE, Value, marker};
use super::parse::ANALYSED_BYTES_MAX;
use super::unescape::{self, Form};

/// Longer shapes are not made.
pub const SHAPE_BYTES_MAX: usize = 64 << 10;
/// Rows or elements of a list that may represent others.
const FORMS_MAX: usize = 8;
/// A scratch that has grown beyond so many literals, or so many bytes, is made small again.
const SCRATCH_MAX: usize = 4 << 10;

/// Marks of the classes: bytes that no UTF-8 text has.
const INTEGER: u8 = 0xff;
const NUMBER: u8 = 0xfe;
const STRING: u8 = 0xfd;

/// A text's shape and where its literals are. Used again for the next text, so that none is allocated for.
#[derive(Default)]
pub struct Shape {
    bytes: Vec<u8>,
    pub(super) taken: Vec<Taken>,
    /// Tokens left out because others stand for them: the first one's number and the one after the last.
    dropped: Vec<(u32, u32)>,
    places: u32,
    list: List,
}

/// A literal of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) place: u32,
    pub(super) start: u32,
    pub(super) end: u32,
    /// What is between its quotes, or all its digits.
    pub(super) from: u32,
    to: u32,
    pub(super) class: Class,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Integer,
    Number,
    String(Option<Form>),
}

impl Taken {
    /// None for what is no literal, or one of which no shape can be made.
    pub(super) fn new(lexer: &Lexer<'_>, token: &Scanned, text: &str, place: u32) -> Option<Self> {
        let (from, to) = token.body;
        let class = match token.kind {
            Kind::Number if is_integer(&text.as_bytes()[from..to]) => Class::Integer,
            Kind::Number => Class::Number,
            // One with a comment in it, perhaps.
            Kind::String if token.continued => return None,
            Kind::String => {
                let escaped = matches!(token.form, Some(Form::Escape | Form::Unicode));
                if escaped && lexer.value(token).0 == Kind::BadString {
                    return None;
                }
                Class::String(token.form)
            }
            _ => return None,
        };
        Some(Self {
            place,
            start: token.start as u32,
            end: token.end as u32,
            from: from as u32,
            to: to as u32,
            class,
        })
    }

    /// Reads the token that begins here.
    pub(super) fn at(text: &str, start: usize, place: u32) -> Option<Self> {
        let mut lexer = Lexer::starting_at(text, start);
        let token = lexer.token().ok()?;
        Self::new(&lexer, &token, text, place)
    }

    /// What stands for the literals of its class.
    fn mark(&self) -> u8 {
        match self.class {
            Class::Integer => INTEGER,
            Class::Number => NUMBER,
            Class::String(_) => STRING,
        }
    }
}

/// The list or the rows being read.
#[derive(Default)]
struct List {
    kind: ListKind,
    /// Open parentheses around an element.
    depth: u32,
    /// Elements that stay, so far.
    kept: usize,
    /// Those of them that may represent others.
    forms: Vec<Element>,
    current: Element,
    /// The number of its first token, the comma before it included.
    token: u32,
    /// Where it begins in the shape, the comma before it included.
    from: usize,
    /// It may be represented by another.
    plain: bool,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum ListKind {
    #[default]
    None,
    /// `IN (…)`
    Elements,
    /// `VALUES (…), (…)`, within a row.
    Row,
    /// After a row.
    RowEnd,
    /// After the comma that comes after a row.
    RowComma,
}

/// Where an element stands in the shape and among the literals.
#[derive(Clone, Copy, Default)]
struct Element {
    from: usize,
    to: usize,
    literal: usize,
    literals: usize,
    place: u32,
}

/// What the token before this one was, as far as it matters.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    In,
    Values,
    /// After it any word is a name: `s.in(1, 2)` is a call.
    Dot,
    Other,
}

impl Shape {
    /// Reads a text; false where it is to be planned by its exact words: it is no query, asks for something by
    /// a comment, is too long, or has literals of which no shape can be made. So is a string of several statements;
    /// semicolons at the end of one are left out.
    ///
    /// [`super::Template`] relies on it that nothing here depends on a literal's bytes but by its class.
    pub fn read(&mut self, text: &str) -> bool {
        self.clear();
        if text.len() > ANALYSED_BYTES_MAX {
            return false;
        }
        self.bytes.reserve(SCRATCH_MAX.min(2 * text.len()));
        let mut lexer = Lexer::new(text);
        let mut before = Before::Other;
        let mut started = false;
        let mut ended = false;
        let mut number = 0u32;
        while let Some(scanned) = lexer.next_scanned() {
            let Ok(token) = scanned else {
                return false;
            };
            if number as usize >= TOKENS_MAX
                || self.bytes.len() + (token.end - token.start) > SHAPE_BYTES_MAX
                    && !matches!(token.kind, Kind::String | Kind::Number)
            {
                return false;
            }
            if text.as_bytes()[token.start] == b';' {
                ended = true;
                continue;
            }
            if ended {
                return false;
            }
            if !started {
                match &text.as_bytes()[token.start..token.end] {
                    b"(" => {}
                    word if is_query(word) => started = true,
                    _ => return false,
                }
            }
            let read = match token.kind {
                Kind::String | Kind::Number => self.literal(&lexer, &token, text),
                Kind::Operator => {
                    self.operator(&text.as_bytes()[token.start..token.end], number, before)
                }
                _ => self.other(&text.as_bytes()[token.start..token.end], token.kind, before),
            };
            let Some(this) = read else {
                return false;
            };
            before = this;
            number += 1;
        }
        started && !lexer.has_hint() && self.bytes.len() <= SHAPE_BYTES_MAX
    }

    pub(super) fn clear(&mut self) {
        if self.taken.capacity() > SCRATCH_MAX || self.bytes.capacity() > 2 * SCRATCH_MAX {
            *self = Self::default();
        }
        self.bytes.clear();
        self.taken.clear();
        self.dropped.clear();
        self.places = 0;
        self.list.kind = ListKind::None;
    }

    /// The shape itself.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// No literal was taken out.
    pub fn is_whole(&self) -> bool {
        self.taken.is_empty()
    }

    /// The values of these places, which are in rising order; `text` is the one that was read.
    pub fn literals(&self, text: &str, places: &[u32]) -> Literals {
        let wanted = |taken: &&Taken| match places {
            [] => false,
            [only] => *only == taken.place,
            _ => places.binary_search(&taken.place).is_ok(),
        };
        let value = |taken: &Taken| {
            let body = text.get(taken.from as usize..taken.to as usize)?;
            let value = match taken.class {
                Class::Integer => Value::Int(body.parse().ok()?),
                Class::Number => return None,
                Class::String(None) => Value::Text(body.into()),
                Class::String(Some(form)) => {
                    Value::Text((&*unescape::string(Cow::Borrowed(body), form)?).into())
                }
            };
            Some((taken.place, value))
        };
        if places.is_empty() {
            return Literals::NONE;
        }
        Literals::new(self.taken.iter().filter(wanted).filter_map(value))
    }

    /// The text's tokens with slots in place of its literals, those left out that others stand for; all of
    /// them where it has no literals. `None` where they are not the tokens of the text that was read.
    pub fn slotted<'t>(&self, mut tokens: Vec<Token<'t>>) -> Option<Vec<Token<'t>>> {
        while tokens.last().is_some_and(|token| token.is_op(";")) {
            tokens.pop();
        }
        if self.is_whole() {
            return Some(tokens);
        }
        let mut taken = self.taken.iter();
        let mut dropped = self.dropped.iter().peekable();
        let mut slotted = Vec::with_capacity(tokens.len().min(SHAPE_BYTES_MAX));
        for (number, mut token) in tokens.into_iter().enumerate() {
            let number = number as u32;
            if matches!(token.kind, Kind::String | Kind::Number) {
                let taken = taken.next()?;
                (token.kind, token.value) = match taken.class {
                    Class::Integer => (Kind::IntegerSlot, marker(taken.place).into()),
                    Class::Number => (Kind::NumberSlot, NO_PLACE.into()),
                    Class::String(_) => (Kind::StringSlot, marker(taken.place).into()),
                };
            }
            while dropped.next_if(|(_, to)| *to <= number).is_some() {}
            if dropped.peek().is_none_or(|(from, _)| number < *from) {
                slotted.push(token);
            }
        }
        taken.next().is_none().then_some(slotted)
    }

    fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.bytes.push(b' ');
    }

    fn literal(&mut self, lexer: &Lexer<'_>, token: &Scanned, text: &str) -> Option<Before> {
        let taken = Taken::new(lexer, token, text, self.places)?;
        self.taken.push(taken);
        self.places += 1;
        self.push(&[taken.mark()]);
        if self.list.kind != ListKind::Row {
            self.after_rows();
        }
        Some(Before::Other)
    }

    fn other(&mut self, raw: &[u8], kind: Kind, last: Before) -> Option<Before> {
        if kind != Kind::Word {
            self.push(raw);
            self.list.plain &= kind != Kind::Param;
            self.after_rows();
            return Some(Before::Other);
        }
        let at = self.bytes.len();
        self.bytes.extend_from_slice(raw);
        self.bytes[at..].make_ascii_lowercase();
        let before = match &self.bytes[at..] {
            _ if last == Before::Dot => Before::Other,
            b"in" => Before::In,
            b"values" => Before::Values,
            // How the literal before it is to be read.
            b"uescape" => return None,
            _ => Before::Other,
        };
        if self.list.kind != ListKind::None {
            // A query within the list: it may be much, and is left alone.
            if before == Before::Values || matches!(&self.bytes[at..], b"select" | b"table") {
                self.list.kind = ListKind::None;
            }
            self.after_rows();
        }
        self.bytes.push(b' ');
        Some(before)
    }

    fn operator(&mut self, raw: &[u8], number: u32, before: Before) -> Option<Before> {
        match raw {
            b"(" => self.opens(number, before),
            b")" => self.closes(number),
            b"," => self.comma(number),
            _ => {
                self.push(raw);
                self.after_rows();
            }
        }
        Some(if raw == b"." {
            Before::Dot
        } else {
            Before::Other
        })
    }

    /// A token that is neither within a row nor a comma between two.
    fn after_rows(&mut self) {
        if matches!(self.list.kind, ListKind::RowEnd | ListKind::RowComma) {
            self.list.kind = ListKind::None;
        }
    }

    fn opens(&mut self, number: u32, before: Before) {
        match (self.list.kind, before) {
            (ListKind::None, Before::In) => {
                self.push(b"(");
                self.list.begins(ListKind::Elements);
                self.element(number + 1);
                return;
            }
            (ListKind::None, Before::Values) => {
                self.list.begins(ListKind::Row);
                self.element(number);
            }
            (ListKind::RowComma, _) => {
                self.list.kind = ListKind::Row;
                self.list.current.from = self.bytes.len();
            }
            _ => self.after_rows(),
        }
        self.push(b"(");
        self.list.depth += 1;
    }

    fn closes(&mut self, number: u32) {
        match (self.list.kind, self.list.depth) {
            (ListKind::Elements, 0) => {
                self.element_ends(number);
                self.list.kind = ListKind::None;
                self.push(b")");
            }
            (ListKind::Row, 1) => {
                self.push(b")");
                self.list.depth = 0;
                self.element_ends(number + 1);
                self.list.kind = ListKind::RowEnd;
            }
            _ => {
                self.push(b")");
                self.list.depth = self.list.depth.saturating_sub(1);
                self.after_rows();
            }
        }
    }

    fn comma(&mut self, number: u32) {
        match (self.list.kind, self.list.depth) {
            (ListKind::Elements, 0) => {
                self.element_ends(number);
                self.element(number);
                self.push(b",");
                self.list.current.from = self.bytes.len();
            }
            (ListKind::RowEnd, _) => {
                self.element(number);
                self.push(b",");
                self.list.kind = ListKind::RowComma;
            }
            _ => {
                self.push(b",");
                self.after_rows();
            }
        }
    }

    /// An element of the list begins with this token.
    fn element(&mut self, token: u32) {
        self.list.token = token;
        self.list.from = self.bytes.len();
        self.list.plain = true;
        self.list.current = Element {
            from: self.bytes.len(),
            to: self.bytes.len(),
            literal: self.taken.len(),
            literals: 0,
            place: self.places,
        };
    }

    /// It ends before this token: it stays, or is left out where another stands for it.
    fn element_ends(&mut self, token: u32) {
        let mut current = self.list.current;
        current.to = self.bytes.len();
        current.literals = self.taken.len() - current.literal;
        let form = &self.bytes[current.from..current.to];
        let represents = |other: &&Element| &self.bytes[other.from..other.to] == form;
        let other = match self.list.plain && self.list.kept >= 2 {
            true => self.list.forms.iter().rev().find(represents).copied(),
            false => None,
        };
        let Some(other) = other else {
            self.list.kept += 1;
            if self.list.plain && self.list.forms.len() < FORMS_MAX {
                self.list.forms.push(current);
            }
            return;
        };
        for literal in 0..current.literals {
            self.taken[current.literal + literal].place = self.taken[other.literal + literal].place;
        }
        self.bytes.truncate(self.list.from);
        self.places = current.place;
        match self.dropped.last_mut() {
            Some((_, to)) if *to == self.list.token => *to = token,
            _ => self.dropped.push((self.list.token, token)),
        }
    }
}

impl List {
    fn begins(&mut self, kind: ListKind) {
        self.kind = kind;
        self.depth = 0;
        self.kept = 0;
        self.forms.clear();
    }
}

fn is_query(word: &[u8]) -> bool {
    [
        "select", "insert", "update", "delete", "merge", "values", "with",
    ]
    .iter()
    .any(|query| word.eq_ignore_ascii_case(query.as_bytes()))
}

/// Digits that PostgreSQL reads as one of its integer types.
fn is_integer(digits: &[u8]) -> bool {
    digits.iter().all(u8::is_ascii_digit)
        && (digits.len() <= 18
            || std::str::from_utf8(digits).is_ok_and(|digits| digits.parse::<i64>().is_ok()))
}

#[cfg(test)]
mod tests;
