//! Identifiers: what quoted ones name, lists of them, and their length.

use std::borrow::Cow;

use super::lex::Kind;
use super::unescape;

/// PostgreSQL cuts longer identifiers (`NAMEDATALEN` - 1).
const IDENTIFIER_BYTES_MAX: usize = 63;

/// What a quoted identifier names, from between its quotes.
pub(super) fn quoted(raw: &str, kind: Kind) -> Cow<'_, str> {
    let undoubled = if raw.contains("\"\"") {
        Cow::Owned(raw.replace("\"\"", "\""))
    } else {
        Cow::Borrowed(raw)
    };
    let value = match kind {
        Kind::UnicodeQuoted => Cow::Owned(unescape::unicode(&undoubled).unwrap_or_default()),
        _ => undoubled,
    };
    match value {
        Cow::Borrowed(value) => Cow::Borrowed(cut(value)),
        Cow::Owned(value) => Cow::Owned(cut(&value).to_owned()),
    }
}

/// The names in the value of a setting such as `search_path`; `None` where PostgreSQL calls the syntax of the list
/// invalid. A name without quotes is whatever stands up to a blank or comma.
/// Source: `SplitIdentifierString` in `src/backend/utils/adt/varlena.c`.
pub fn name_list(value: &str) -> Option<Vec<String>> {
    let blank = [' ', '\t', '\n', '\r', '\x0c'];
    let mut names = Vec::new();
    let mut rest = value.trim_start_matches(blank);
    if rest.is_empty() {
        return Some(names);
    }
    loop {
        let name = if let Some(inner) = rest.strip_prefix('"') {
            let mut name = String::new();
            rest = inner;
            loop {
                let (part, after) = rest.split_once('"')?;
                name.push_str(part);
                rest = after;
                match rest.strip_prefix('"') {
                    None => break,
                    Some(after) => rest = after,
                }
                name.push('"');
            }
            name
        } else {
            let end = rest.find(|c: char| c == ',' || blank.contains(&c));
            let (name, after) = rest.split_at(end.unwrap_or(rest.len()));
            if name.is_empty() {
                return None;
            }
            rest = after;
            name.to_ascii_lowercase()
        };
        names.push(cut(&name).to_owned());
        rest = rest.trim_start_matches(blank);
        if rest.is_empty() {
            return Some(names);
        }
        rest = rest.strip_prefix(',')?.trim_start_matches(blank);
    }
}

/// Cuts an identifier as PostgreSQL does, at a character boundary.
pub(super) fn cut(name: &str) -> &str {
    let mut end = name.len().min(IDENTIFIER_BYTES_MAX);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    &name[..end]
}
