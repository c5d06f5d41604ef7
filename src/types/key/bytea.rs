//! The two text forms of bytea.
//! Source: `byteain` in `src/backend/utils/adt/varlena.c`, `hex_decode_safe` in `encode.c`.

/// `\x` and pairs of hexadecimal digits with blanks between the pairs, or else the escape form: `\\` for a
/// backslash, `\ooo` for a byte in octal, other bytes as they are. `None` for what no version of PostgreSQL
/// reads.
pub(super) fn parse(text: &[u8]) -> Option<Vec<u8>> {
    match text {
        [b'\\', b'x', digits @ ..] => hex(digits),
        _ => escape(text),
    }
}

fn hex(digits: &[u8]) -> Option<Vec<u8>> {
    let digit = |b: u8| char::from(b).to_digit(16).map(|d| d as u8);
    let mut bytes = Vec::with_capacity(digits.len() / 2);
    let mut rest = digits;
    loop {
        rest = match rest {
            [] => return Some(bytes),
            [b' ' | b'\t' | b'\n' | b'\r', rest @ ..] => rest,
            [high, low, rest @ ..] => {
                bytes.push(digit(*high)? << 4 | digit(*low)?);
                rest
            }
            [_] => return None,
        };
    }
}

fn escape(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    loop {
        rest = match rest {
            [] => return Some(bytes),
            [b'\\', b'\\', rest @ ..] => {
                bytes.push(b'\\');
                rest
            }
            [
                b'\\',
                high @ b'0'..=b'3',
                middle @ b'0'..=b'7',
                low @ b'0'..=b'7',
                rest @ ..,
            ] => {
                bytes.push((high - b'0') << 6 | (middle - b'0') << 3 | (low - b'0'));
                rest
            }
            [b'\\', ..] => return None,
            [byte, rest @ ..] => {
                bytes.push(*byte);
                rest
            }
        };
    }
}
