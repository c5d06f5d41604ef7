//! What stands for the time at which a transaction began, so that a value may stand there instead.
//! Source: <https://www.postgresql.org/docs/current/functions-datetime.html#FUNCTIONS-DATETIME-CURRENT>

use std::ops::Range;

use super::{Kind, Token, tokens};

/// Words of SQL, with the types of their values.
const WORDS: [(&str, &str); 5] = [
    ("current_date", "date"),
    ("current_time", "timetz"),
    ("current_timestamp", "timestamptz"),
    ("localtime", "time"),
    ("localtimestamp", "timestamp"),
];

/// Functions without arguments. That of the statement is the same where it is its transaction's only one.
const CALLS: [&str; 3] = ["now", "statement_timestamp", "transaction_timestamp"];

/// What an operand may begin behind: elsewhere such a word may be a label.
const BEFORE: [&str; 17] = [
    "all", "and", "between", "by", "case", "distinct", "else", "having", "in", "not", "on", "or",
    "select", "then", "using", "when", "where",
];

/// A time of the transaction in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// In bytes.
    place: Range<usize>,
    /// What the transaction's beginning is cast to, perhaps with a precision.
    cast: String,
}

/// A word that an operand begins behind.
pub fn is_before_operand(token: &Token<'_>) -> bool {
    BEFORE.iter().any(|word| token.is_word(word))
}

/// It is the name of one.
pub fn is_moment(name: &str) -> bool {
    CALLS.contains(&name) || WORDS.iter().any(|(word, _)| *word == name)
}

/// Those of a text, in the order of their places; `None` where it is not certain that one is meant.
pub fn moments(tokens: &[Token<'_>]) -> Option<Vec<Moment>> {
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let word =
            { WORDS.iter() }.find(|(word, _)| token.kind == Kind::Word && token.value == *word);
        if let Some((_, cast)) = word {
            found.push(of_word(tokens, at, cast)?);
        } else if token.is_name()
            && CALLS.contains(&&*token.value)
            && tokens.get(at + 1).is_some_and(|next| next.is_op("("))
        {
            found.push(of_call(tokens, at)?);
        }
    }
    Some(found)
}

/// The text with a value, `2025-03-01 10:00:00.123456+00`, where these are; `None` where it is not certain where that is.
pub fn at_moment(text: &str, value: &str) -> Option<String> {
    let found = moments(&tokens(text).ok()?)?;
    let (mut told, mut copied) = (String::with_capacity(text.len()), 0);
    for Moment { place, cast } in found {
        told.push_str(&text[copied..place.start]);
        told.push_str(&format!(
            "('{value}'::pg_catalog.timestamptz::pg_catalog.{cast})"
        ));
        copied = place.end;
    }
    told.push_str(&text[copied..]);
    Some(told)
}

fn of_word(tokens: &[Token<'_>], at: usize, cast: &str) -> Option<Moment> {
    let begins = match at.checked_sub(1).map(|before| &tokens[before]) {
        Some(before) if before.kind == Kind::Operator => {
            ![")", "]", "."].iter().any(|end| before.is_op(end))
        }
        Some(before) => is_before_operand(before),
        None => false,
    };
    if !begins {
        return None;
    }
    let start = tokens[at].start;
    match &tokens[at + 1..] {
        [open, precision, close, ..] if open.is_op("(") => {
            let certain = precision.kind == Kind::Number && close.is_op(")");
            certain.then(|| Moment {
                place: start..close.end,
                cast: format!("{cast}({})", precision.value),
            })
        }
        [open, ..] if open.is_op("(") => None,
        _ => Some(Moment {
            place: start..tokens[at].end,
            cast: cast.to_owned(),
        }),
    }
}

fn of_call(tokens: &[Token<'_>], at: usize) -> Option<Moment> {
    let close = tokens.get(at + 2).filter(|close| close.is_op(")"))?;
    let first = match &tokens[..at] {
        [.., schema, dot] if dot.is_op(".") => (schema.value == "pg_catalog").then_some(at - 2)?,
        _ => at,
    };
    Some(Moment {
        place: tokens[first].start..close.end,
        cast: "timestamptz".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_stands_where_the_time_stood() {
        let now = |cast: &str| format!("('1'::pg_catalog.timestamptz::pg_catalog.{cast})");
        for (text, expected) in [
            (
                "select now() - a",
                format!("select {} - a", now("timestamptz")),
            ),
            (
                "select NOW ( ), pg_catalog.now()",
                format!("select {}, {}", now("timestamptz"), now("timestamptz")),
            ),
            (
                "where a < current_date-7 and b > localtimestamp (3)",
                format!(
                    "where a < {}-7 and b > {}",
                    now("date"),
                    now("timestamp(3)")
                ),
            ),
            ("select now, \"current_date\", m.now from m", String::new()),
            ("select 'now()', 'current_date' -- now()", String::new()),
        ] {
            let expected = match expected.is_empty() {
                true => text,
                false => &*expected,
            };
            assert_eq!(at_moment(text, "1").as_deref(), Some(expected));
        }
    }

    #[test]
    fn what_may_be_something_else_is_not_certain() {
        for text in [
            "select a current_date",
            "select a as current_date",
            "select 1 localtime",
            "select f(a) localtime",
            "select other.now()",
            "select now(1)",
            "select current_timestamp(a)",
            "select m.current_date from m",
        ] {
            let tokens = tokens(text).expect("tokens");
            assert_eq!(moments(&tokens), None, "{text}");
            assert_eq!(at_moment(text, "1"), None, "{text}");
        }
    }
}
