//! JSON, written only: the one thing needed of it is not worth a dependency.

use std::fmt::{self, Display, Formatter, Write};

/// A value that prints as JSON, an entry of an outer list or object a line.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    Null,
    Number(f64),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(&'static str, Json)>),
}

impl Json {
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// Null where there is none.
    pub fn number(number: Option<f64>) -> Self {
        number.map_or(Self::Null, Self::Number)
    }

    fn write(&self, depth: usize, to: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => to.write_str("null"),
            // JSON has no word for what is not finite.
            Self::Number(number) if !number.is_finite() => to.write_str("null"),
            Self::Number(number) => write!(to, "{}", (number * 10_000.0).round() / 10_000.0),
            Self::Text(text) => quote(text, to),
            Self::List(values) => {
                let values = values.iter().map(|value| (None, value));
                brackets(['[', ']'], values, depth, to)
            }
            Self::Object(entries) => {
                let entries = entries.iter().map(|(name, value)| (Some(*name), value));
                brackets(['{', '}'], entries, depth, to)
            }
        }
    }
}

impl Display for Json {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.write(0, f)
    }
}

fn brackets<'a>(
    [open, close]: [char; 2],
    entries: impl ExactSizeIterator<Item = (Option<&'static str>, &'a Json)>,
    depth: usize,
    to: &mut Formatter<'_>,
) -> fmt::Result {
    let broken = depth < BROKEN_DEPTH && entries.len() > 0;
    to.write_char(open)?;
    for (index, (name, value)) in entries.enumerate() {
        if index > 0 {
            to.write_str(if broken { "," } else { ", " })?;
        }
        if broken {
            write!(to, "\n{:width$}", "", width = 2 * (depth + 1))?;
        }
        if let Some(name) = name {
            quote(name, to)?;
            to.write_str(": ")?;
        }
        value.write(depth + 1, to)?;
    }
    if broken {
        write!(to, "\n{:width$}", "", width = 2 * depth)?;
    }
    to.write_char(close)
}

/// Source: RFC 8259, section 7.
fn quote(text: &str, to: &mut Formatter<'_>) -> fmt::Result {
    to.write_char('"')?;
    for char in text.chars() {
        match char {
            '"' | '\\' => write!(to, "\\{char}")?,
            '\n' => to.write_str("\\n")?,
            control if control < ' ' => write!(to, "\\u{:04x}", u32::from(control))?,
            other => to.write_char(other)?,
        }
    }
    to.write_char('"')
}

/// How many levels of brackets break lines: a measured cell is one line, so that reports can be compared.
const BROKEN_DEPTH: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_print_as_json() {
        let check = |value: Json, expected: &str| assert_eq!(value.to_string(), expected);
        check(Json::number(None), "null");
        check(Json::Number(f64::NAN), "null");
        check(Json::Number(f64::INFINITY), "null");
        check(Json::Number(12_345_678.0), "12345678");
        check(Json::Number(0.123_456), "0.1235");
        check(
            Json::text("a \"b\" \\ \n \u{1} ü"),
            r#""a \"b\" \\ \n \u0001 ü""#,
        );
        check(Json::List(Vec::new()), "[]");
    }

    #[test]
    fn two_levels_break_lines_and_the_third_does_not() {
        let cell = Json::Object(vec![
            ("a", Json::Number(1.0)),
            ("b", Json::List(vec![Json::Null, Json::Null])),
        ]);
        let whole = Json::Object(vec![
            ("cells", Json::List(vec![cell.clone(), cell])),
            ("none", Json::List(Vec::new())),
        ]);
        let expected = "{\n  \"cells\": [\n    {\"a\": 1, \"b\": [null, null]},\n    \
                        {\"a\": 1, \"b\": [null, null]}\n  ],\n  \"none\": []\n}";
        assert_eq!(whole.to_string(), expected);
    }
}
