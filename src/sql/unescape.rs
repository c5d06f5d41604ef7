//! The inside of string literals, decoded exactly as PostgreSQL would, or not at all.

use std::borrow::Cow;

/// Which escapes a literal knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Only doubled quotes.
    Plain,
    /// `E'…'`: C escapes.
    Escape,
    /// `U&'…'`: code points after a backslash.
    Unicode,
}

/// `None` where PostgreSQL would raise an error.
pub fn string(raw: Cow<'_, str>, form: Form) -> Option<Cow<'_, str>> {
    match form {
        Form::Plain if !raw.contains('\'') => Some(raw),
        Form::Plain => Some(Cow::Owned(raw.replace("''", "'"))),
        Form::Escape => escaped(&raw).map(Cow::Owned),
        Form::Unicode => unicode(&raw.replace("''", "'")).map(Cow::Owned),
    }
}

/// `\XXXX`, `\+XXXXXX` and `\\`.
pub fn unicode(text: &str) -> Option<String> {
    let mut units = Units::default();
    let mut chars = text.chars();
    while let Some(next) = chars.next() {
        if next != '\\' {
            units.push_char(next)?;
            continue;
        }
        let rest = chars.as_str();
        let (skip, digits) = match rest.chars().next()? {
            '\\' => {
                units.push_char('\\')?;
                chars.next();
                continue;
            }
            '+' => (1, 6),
            _ => (0, 4),
        };
        let code = rest.get(skip..skip + digits)?;
        units.push_code(hex(code)?)?;
        chars = rest[skip + digits..].chars();
    }
    units.finish()
}

fn escaped(raw: &str) -> Option<String> {
    let bytes = raw.as_bytes();
    let mut units = Units::default();
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        if byte == b'\'' {
            units.push_byte(b'\'')?;
            at += 2;
            continue;
        }
        if byte != b'\\' {
            units.push_byte(byte)?;
            at += 1;
            continue;
        }
        let escape = *bytes.get(at + 1)?;
        at += 2;
        let simple = match escape {
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'v' => 0x0b,
            b'0'..=b'7' => {
                let end = (at - 1..at + 2)
                    .take_while(|i| bytes.get(*i).is_some_and(|b| matches!(b, b'0'..=b'7')));
                let digits = end.count();
                let value = bytes[at - 1..at - 1 + digits]
                    .iter()
                    .fold(0u32, |v, b| v * 8 + u32::from(b - b'0'));
                at += digits - 1;
                // PostgreSQL keeps the low byte.
                (value & 0xff) as u8
            }
            b'x' => {
                let digits = (at..at + 2)
                    .take_while(|i| bytes.get(*i).is_some_and(u8::is_ascii_hexdigit))
                    .count();
                let value = raw.get(at..at + digits).and_then(hex);
                at += digits;
                // Without digits it is the letter.
                if digits == 0 { b'x' } else { value? as u8 }
            }
            b'u' | b'U' => {
                let digits = if escape == b'u' { 4 } else { 8 };
                units.push_code(hex(raw.get(at..at + digits)?)?)?;
                at += digits;
                continue;
            }
            other => other,
        };
        units.push_byte(simple)?;
    }
    units.finish()
}

fn hex(digits: &str) -> Option<u32> {
    // `from_str_radix` would take a sign.
    digits
        .bytes()
        .all(|b| b.is_ascii_hexdigit())
        .then(|| u32::from_str_radix(digits, 16).ok())?
}

/// Collects bytes and code points; a high surrogate must be followed by a low one.
#[derive(Default)]
struct Units {
    bytes: Vec<u8>,
    high: Option<u32>,
}

impl Units {
    fn push_byte(&mut self, byte: u8) -> Option<()> {
        if self.high.is_some() || byte == 0 {
            return None;
        }
        self.bytes.push(byte);
        Some(())
    }

    fn push_char(&mut self, next: char) -> Option<()> {
        next.encode_utf8(&mut [0; 4])
            .bytes()
            .try_for_each(|b| self.push_byte(b))
    }

    fn push_code(&mut self, code: u32) -> Option<()> {
        match (self.high.take(), code) {
            (None, 0xD800..=0xDBFF) => {
                self.high = Some(code);
                Some(())
            }
            (Some(high), 0xDC00..=0xDFFF) => self.push_char(char::from_u32(
                0x10000 + ((high - 0xD800) << 10) + (code - 0xDC00),
            )?),
            (None, _) => self.push_char(char::from_u32(code)?),
            (Some(_), _) => None,
        }
    }

    fn finish(self) -> Option<String> {
        if self.high.is_some() {
            return None;
        }
        String::from_utf8(self.bytes).ok()
    }
}
