//! YAML text as a tree whose nodes know where they stand.
//!
//! Derived structs would stop at the first wrong type or unknown key and lose the spelling of plain
//! scalars (a password `0123` is not the number 123), so the file is read into this tree first.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, Spanned};

use super::error::Position;

/// A value and where it is used.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub(super) at: Position,
    pub(super) value: Value,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Null,
    /// `true` or `false`, spelled as in the file.
    Bool {
        spelling: String,
        value: bool,
    },
    /// A plain scalar that YAML takes for a number, spelled as in the file.
    Number(String),
    Text(String),
    List(Vec<Node>),
    /// In the order of the file; YAML guarantees distinct keys.
    Map(Vec<(Key, Node)>),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Key {
    pub(super) at: Position,
    pub(super) name: String,
}

impl Value {
    /// What it is, for "expected …, found …". Says nothing of the content, which may be a secret.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool { .. } => "true or false",
            Self::Number(_) => "a number",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        }
    }
}

/// Reads one document. Syntax errors and duplicate keys end the reading.
pub(super) fn parse(text: &str) -> Result<Node, (Option<Position>, String)> {
    let options = serde_saphyr::options! {
        strict_booleans: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    };
    let raw: Spanned<Raw> =
        serde_saphyr::from_str_with_options(text, options).map_err(|error| {
            let error = error.without_snippet();
            let at = error.location().filter(|at| at.line() > 0);
            (at.map(|at| position(&at)), message(&error.to_string()))
        })?;
    Ok(node(raw, text))
}

/// The library ends its messages with the position, which stands in front of ours, or with advice for
/// programmers.
fn message(text: &str) -> String {
    let first = text.lines().next().unwrap_or_default();
    let first = first.split(" at line ").next().unwrap_or(first);
    let advice = [", set DuplicateKeyPolicy", "; use from_str_multiple"];
    let end = advice
        .iter()
        .find_map(|advice| first.find(advice))
        .unwrap_or(first.len());
    first[..end].to_owned()
}

fn position(at: &Location) -> Position {
    Position {
        line: at.line(),
        column: at.column(),
    }
}

fn node(raw: Spanned<Raw>, text: &str) -> Node {
    let value = match raw.value {
        Raw::Null => Value::Null,
        Raw::Bool(value) => Value::Bool {
            spelling: spelling(&raw.defined, text, value),
            value,
        },
        Raw::Number(number) => Value::Number(spelling(&raw.defined, text, number)),
        Raw::Text(string) => Value::Text(string),
        Raw::List(items) => Value::List(items.into_iter().map(|item| node(item, text)).collect()),
        Raw::Map(entries) => Value::Map(
            entries
                .into_iter()
                .map(|(key, value)| {
                    (
                        Key {
                            at: position(&key.referenced),
                            name: key.value,
                        },
                        node(value, text),
                    )
                })
                .collect(),
        ),
    };
    Node {
        at: position(&raw.referenced),
        value,
    }
}

/// The scalar as the file spells it; its printed value where the library cannot say.
fn spelling(at: &Location, text: &str, value: impl fmt::Display) -> String {
    let span = at.span();
    let bytes = span.byte_offset().zip(span.byte_len());
    let range = bytes.and_then(|(start, len)| {
        let start = usize::try_from(start).ok()?;
        text.get(start..start.checked_add(usize::try_from(len).ok()?)?)
    });
    match range {
        Some(spelled) if !spelled.trim().is_empty() => spelled.trim().to_owned(),
        _ => value.to_string(),
    }
}

enum Raw {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a scalar, a list or a map")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E: de::Error>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Number(value.to_string()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Number(value.to_string()))
    }

    fn visit_i128<E: de::Error>(self, value: i128) -> Result<Raw, E> {
        Ok(Raw::Number(value.to_string()))
    }

    fn visit_u128<E: de::Error>(self, value: u128) -> Result<Raw, E> {
        Ok(Raw::Number(value.to_string()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Number(value.to_string()))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_owned()))
    }

    fn visit_string<E: de::Error>(self, value: String) -> Result<Raw, E> {
        Ok(Raw::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Raw::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print(node: &Node) -> String {
        let Position { line, column } = node.at;
        let value = match &node.value {
            Value::Null => "null".to_owned(),
            Value::Bool { spelling, .. } => format!("bool {spelling}"),
            Value::Number(spelling) => format!("number {spelling}"),
            Value::Text(text) => format!("text {text}"),
            Value::List(items) => items.iter().map(print).collect::<Vec<_>>().join("; "),
            Value::Map(entries) => {
                let entry = |(key, value): &(Key, Node)| {
                    format!(
                        "{}@{}:{} = {}",
                        key.name,
                        key.at.line,
                        key.at.column,
                        print(value)
                    )
                };
                entries.iter().map(entry).collect::<Vec<_>>().join("; ")
            }
        };
        format!("{line}:{column} {value}")
    }

    fn check(text: &str, expected: &str) {
        assert_eq!(
            parse(text).map(|node| print(&node)),
            Ok(expected.to_owned())
        );
    }

    #[test]
    fn scalars_keep_their_spelling() {
        check("0123", "1:1 number 0123");
        check("é: 1_000 # comment", "1:1 é@1:1 = 1:4 number 1_000");
        check(
            "[1e3, 0x10, -5, .5, true, False, yes, 0-127, 1h]",
            "1:1 1:2 number 1e3; 1:7 number 0x10; 1:13 number -5; 1:17 number .5; 1:21 bool true; \
             1:27 bool False; 1:34 text yes; 1:39 text 0-127; 1:46 text 1h",
        );
        check(
            "['1', \"true\", ~, null]",
            "1:1 1:2 text 1; 1:7 text true; 1:15 null; 1:18 null",
        );
    }

    #[test]
    fn maps_keep_their_order_and_positions() {
        check(
            "b: 1\na:\n  - x\n",
            "1:1 b@1:1 = 1:4 number 1; a@2:1 = 3:3 3:5 text x",
        );
        check(
            "1: a\ntrue: b\n",
            "1:1 1@1:1 = 1:4 text a; true@2:1 = 2:7 text b",
        );
    }

    #[test]
    fn aliases_and_merges_stand_where_they_are_used() {
        check(
            "a: &x 007\nb: *x\n",
            "1:1 a@1:1 = 1:7 number 007; b@2:1 = 2:4 number 007",
        );
    }

    #[test]
    fn an_empty_file_is_null() {
        check("", "1:1 null");
        assert_eq!(parse("# nothing\n").map(|node| node.value), Ok(Value::Null));
    }

    #[test]
    fn syntax_errors_have_positions() {
        let (at, message) = parse("a: 1\nb: 2\na: 3\n").expect_err("a duplicate key");
        assert_eq!(
            (at, message.as_str()),
            (
                Some(Position { line: 3, column: 1 }),
                "duplicate mapping key: a"
            )
        );
        assert!(parse("a: [1").is_err());
        assert!(parse("a: !secret x").is_err());
        assert!(parse("a: 1\n---\nb: 2").is_err());
        assert!(parse(&"[".repeat(10_000)).is_err());
    }
}
