//! Texts known by one that was read before: the same bytes but for the values of their literals.
//!
//! That such a text has the other's shape needs no reading of it. The lexer goes from left to right. Where a text
//! begins with the same bytes it has made the same tokens, up to the first literal; there the lexer itself takes the
//! next token, which has to be a literal of the same class; and so on to the end. A token before a literal may have
//! looked at the bytes that begin it: those of a string (its prefix and its quote, or its dollar quote) are compared
//! with what is before, and of a number it matters only whether it begins with a digit. What else the lexer keeps in
//! mind is of no weight there: the run of signs it has walked ends before a literal, and of comments, which are
//! compared, the template's had no hint.

use super::lex::is_word_part;
use super::parse::ANALYSED_BYTES_MAX;
use super::shape::{Class, Shape, Taken};

/// Longer texts make no template: they take much room, and few are like one before.
const TEMPLATE_BYTES_MAX: usize = 16 << 10;
/// More literals make none, either.
const LITERALS_MAX: usize = 1_000;

/// A text and where its literals are.
pub struct Template {
    text: Box<str>,
    literals: Box<[KnownLiteral]>,
}

/// A literal of the text, in few bytes: all of them are read for each text that is compared.
struct KnownLiteral {
    place: u16,
    start: u16,
    /// Where its value begins: behind the quote of a string, the prefix and the dollar quote included.
    head: u16,
    end: u16,
    class: Class,
}

impl KnownLiteral {
    /// `None` beyond [`TEMPLATE_BYTES_MAX`] or [`LITERALS_MAX`].
    fn new(taken: &Taken) -> Option<Self> {
        Some(Self {
            place: taken.place.try_into().ok()?,
            start: taken.start.try_into().ok()?,
            head: taken.from.try_into().ok()?,
            end: taken.end.try_into().ok()?,
            class: taken.class,
        })
    }

    fn head_at(&self) -> usize {
        self.head.into()
    }

    fn is_number(&self) -> bool {
        !matches!(self.class, Class::String(_))
    }
}

impl Template {
    /// Whether the text that the shape was read from makes one: it has literals, not too many, and is not too long.
    pub fn fits(text: &str, shape: &Shape) -> bool {
        !shape.is_whole() && text.len() <= TEMPLATE_BYTES_MAX && shape.taken.len() <= LITERALS_MAX
    }

    /// `None` where it does not fit.
    pub fn new(text: &str, shape: &Shape) -> Option<Self> {
        Self::fits(text, shape).then_some(())?;
        Some(Self {
            text: text.into(),
            literals: shape
                .taken
                .iter()
                .map(KnownLiteral::new)
                .collect::<Option<_>>()?,
        })
    }

    /// What texts like this one begin with, so that they can be looked for by it: all before the first quote, or
    /// the first digit that is not within a word. `None` where there can be no template.
    pub fn beginning(text: &str) -> Option<&str> {
        if text.len() > TEMPLATE_BYTES_MAX {
            return None;
        }
        let bytes = text.as_bytes();
        let begins = |at: usize| {
            let within = at > 0 && is_word_part(bytes[at - 1]);
            bytes[at] == b'\'' || !within
        };
        let mut from = 0;
        loop {
            from += quote_or_digit(&bytes[from..])?;
            if begins(from) {
                return text.get(..from);
            }
            from += 1;
        }
    }

    /// What it takes.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.text.len() + size_of_val(&*self.literals)
    }
}

/// The place of the first quote or digit, by sixteen bytes at a time, which compilers make one comparison of.
fn quote_or_digit(bytes: &[u8]) -> Option<usize> {
    let is = |byte: &u8| byte.is_ascii_digit() | (*byte == b'\'');
    let has = |chunk: &[u8; 16]| chunk.iter().fold(false, |any, byte| any | is(byte));
    let (chunks, _) = bytes.as_chunks();
    let passed = chunks.iter().take_while(|chunk| !has(chunk)).count() * 16;
    Some(passed + bytes[passed..].iter().position(is)?)
}

impl Shape {
    /// Finds the literals at these places, which are in rising order, of a text that is like the template's; false where
    /// it is not. Nothing but [`Shape::literals`] of these places may be asked afterwards.
    pub fn read_like(&mut self, text: &str, template: &Template, places: &[u32]) -> bool {
        self.clear();
        if text.len() > ANALYSED_BYTES_MAX {
            return false;
        }
        let (bytes, known) = (text.as_bytes(), template.text.as_bytes());
        // First, because it is cheap: many texts differ in a comment at their end.
        let last = template.literals.last();
        let tail = last.map_or(known, |last| &known[usize::from(last.end)..]);
        if !bytes.ends_with(tail) {
            return false;
        }
        let (mut at, mut known_at) = (0, 0);
        for literal in &template.literals {
            let between = &known[known_at..literal.head_at()];
            if !bytes[at..].starts_with(between) {
                return false;
            }
            at += between.len();
            let begins_alike = !literal.is_number()
                || bytes.get(at).is_some_and(u8::is_ascii_digit)
                    == known[literal.head_at()].is_ascii_digit();
            let start = at - usize::from(literal.head - literal.start);
            let place = u32::from(literal.place);
            match Taken::at(text, start, place) {
                Some(taken) if begins_alike && taken.class == literal.class => {
                    at = taken.end as usize;
                    if places.binary_search(&place).is_ok() {
                        self.taken.push(taken);
                    }
                }
                _ => return false,
            }
            known_at = literal.end.into();
        }
        bytes[at..] == known[known_at..]
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    fn template(text: &str) -> Option<(Shape, Template)> {
        let mut shape = Shape::default();
        let template = shape.read(text).then(|| Template::new(text, &shape))?;
        Some((shape, template?))
    }

    /// Whether a text is like another. If it is, reading it whole finds the same shape and literals.
    fn is_like(text: &str, other: &str) -> bool {
        let Some((known, template)) = template(other) else {
            return false;
        };
        let mut alike = Shape::default();
        let all: Vec<u32> = (0..known.taken.len() as u32).collect();
        if !alike.read_like(text, &template, &all) {
            return false;
        }
        let mut read = Shape::default();
        assert!(read.read(text), "{text:?} like {other:?}");
        assert_eq!(read.bytes(), known.bytes(), "{text:?} like {other:?}");
        assert_eq!(read.taken, alike.taken, "{text:?} like {other:?}");
        assert!(alike.read_like(text, &template, &all[..1]));
        assert!(alike.taken.iter().all(|taken| taken.place == 0));
        // What is between dollars has no quotes or digits to be stopped at: such texts are found by their shape.
        let found = Template::beginning(text) == Template::beginning(other);
        assert!(found || text.contains('$'), "{text:?} like {other:?}");
        true
    }

    #[test]
    fn only_values_may_differ() {
        let text =
            "select * from t1 where a = 5 and b = 'x' and c in (1, 2, 3, 4) and d = 1.5 -- c";
        for (from, to) in [
            ("= 5", "= 123"),
            ("= 5", "= 0"),
            ("'x'", "''"),
            ("'x'", "'it''s'"),
            ("'x'", "' 5 -- '"),
            ("'x'", "'\u{e9}'"),
            ("3", "9223372036854775807"),
            ("1.5", "2e7"),
            ("1.5", "99999999999999999999"),
        ] {
            assert!(is_like(&text.replace(from, to), text), "{to}");
        }
        for (from, to) in [
            ("= 5", "= 5.0"),
            ("= 5", "= -5"),
            ("= 5", "= $5"),
            ("= 5", "= 5a"),
            ("= 5", "= '5'"),
            ("= 5", "= 0x5"),
            ("= 5", "= 99999999999999999999"),
            ("= 5", "=  5"),
            ("'x'", "e'x'"),
            ("'x'", "x'x'"),
            ("'x'", "'x'\n'y'"),
            ("'x'", "'x' 'y'"),
            ("'x'", "'x"),
            ("3,", "3, 3,"),
            ("t1", "t2"),
            ("1.5", ".5"),
            ("1.5", "5"),
            ("-- c", "-- d"),
            (" -- c", ""),
            ("-- c", "-- c\n and e"),
        ] {
            let other = text.replace(from, to);
            assert_ne!(other, text);
            assert!(!is_like(&other, text), "{to}");
        }
    }

    #[test]
    fn what_is_beside_a_literal_decides_what_it_is() {
        for (text, other) in [
            ("select x1.5", "select x.5"),
            ("select 0x10", "select 1x10"),
            ("select 1e10", "select 1e5 + 1"),
            ("select a 1.5", "select a .5"),
            ("select a\n5.5", "select a\n.5"),
            ("select $15", "select $1.5"),
            ("select E'a\\'", "select E'a'"),
            ("select E'\\xff'", "select E'a'"),
            ("select 'a'\n'b'", "select 'a'\n"),
            ("select $a$ $$ $a$", "select $$ $a$ $$"),
            ("select U&'\\zzzz'", "select U&'a'"),
        ] {
            assert!(!is_like(text, other), "{text} like {other}");
        }
        for (text, other) in [
            ("select 7..8", "select 5..10"),
            ("select E'\\x41'", "select E'a'"),
            ("select $a$ 5 $a$", "select $a$$a$"),
            ("select \"a'b\"'c'", "select \"a'b\"'d'"),
            ("select 7x", "select 1x"),
        ] {
            assert!(is_like(text, other), "{text} like {other}");
        }
    }

    #[test]
    fn few_texts_make_templates() {
        assert!(template("select * from t where a = $1").is_none());
        let long = "x".repeat(TEMPLATE_BYTES_MAX);
        assert!(template(&format!("select '{long}'")).is_none());
        assert_eq!(Template::beginning(&format!("select '{long}'")), None);
        let many = |count| format!("select {}", vec!["1"; count].join(","));
        assert!(template(&many(LITERALS_MAX)).is_some());
        assert!(template(&many(LITERALS_MAX + 1)).is_none());
        assert_eq!(Template::beginning("select a1, $1 from t"), None);
        assert_eq!(Template::beginning("select a1, 5"), Some("select a1, "));
    }

    /// Texts put together at random and changed at random: none is taken for another's like that is not.
    #[test]
    fn random_texts_are_like_those_of_their_shape_only() {
        const WORDS: &[&str] = &[
            "a",
            "x",
            "e",
            "u&",
            "$",
            ".",
            "..",
            "1",
            "22",
            "0",
            "0x1",
            "1.5",
            ".5",
            "1e5",
            "'a'",
            "'b''c'",
            "''",
            "E'\\n'",
            "e'\\'",
            "U&'\\0041'",
            "$$d$$",
            "$a$b$a$",
            "$1",
            "(",
            ")",
            ",",
            "in (",
            "values (",
            "=",
            "-",
            "--c\n",
            "/* c */",
            "\n",
            " ",
            " ",
            " ",
            "'",
            "\"",
            "\"q\"",
            "x'1f'",
            "99999999999999999999",
            "_",
            "\u{e9}",
            ";",
        ];
        let seed = 0x5eed_0019;
        let mut random = StdRng::seed_from_u64(seed);
        let mut alike = 0;
        for _ in 0..30_000 {
            let count = random.random_range(1..12);
            let mut words: Vec<&str> = (0..count)
                .map(|_| WORDS[random.random_range(0..WORDS.len())])
                .collect();
            let text = format!("select {}", words.concat());
            for _ in 0..8 {
                let at = random.random_range(0..words.len());
                let before = words[at];
                words[at] = WORDS[random.random_range(0..WORDS.len())];
                let other = format!("select {}", words.concat());
                alike += u32::from(other != text && is_like(&other, &text));
                words[at] = before;
            }
        }
        assert!(alike > 2_000, "only {alike} alike, seed {seed}");
    }
}
