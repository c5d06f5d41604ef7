//! LIMIT, OFFSET and FETCH.
//!
//! No shard skips rows: it gives as many as both together let through, and the proxy skips and counts. Literals are added
//! up here. Parameters are added up by the shards, as `bigint`, which is what PostgreSQL infers for them at these places:
//! NULL makes no limit of the sum, which only brings more rows; what is negative is refused by [`Limit::span`] before a
//! shard is asked.

use super::{Otherwise, gather};
use crate::plan::{Count, Limit, counts};
use crate::planner::Context;
use crate::planner::cursor::Cursor;
use crate::planner::operand::declared;
use crate::sql::{Kind, Token};

/// What the proxy does, and what takes the place of the clauses in the shards' text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Tail {
    pub(super) limit: Limit,
    /// `None`: they stay as they are.
    pub(super) instead: Option<String>,
}

/// Reads all from LIMIT, OFFSET or FETCH to the end.
pub(super) fn tail(tokens: &[Token<'_>], context: &Context<'_>) -> Result<Tail, Otherwise> {
    let limit = read(tokens)?;
    let types = |count: &Count| match count {
        Count::Param(index) => counts(declared(context, *index)),
        Count::Literal(_) => true,
    };
    if ![limit.count, limit.offset].iter().flatten().all(types) {
        return gather("a parameter that limits rows is no bigint");
    }
    let Some(offset) = limit.offset else {
        return Ok(Tail {
            limit,
            instead: None,
        });
    };
    let sum = match (limit.count, offset) {
        (None, Count::Literal(_)) => {
            return Ok(Tail {
                limit,
                instead: Some(String::new()),
            });
        }
        // Every parameter has to stay in the text, or the shards would not know its type.
        (None, Count::Param(_)) => {
            let offset = text(offset);
            format!("nullif({offset}, {offset})")
        }
        (Some(Count::Literal(count)), Count::Literal(offset)) => {
            let sum = count.checked_add(offset);
            match sum.filter(|sum| i64::try_from(*sum).is_ok()) {
                Some(sum) => sum.to_string(),
                None => return gather("LIMIT and OFFSET beyond a bigint"),
            }
        }
        (Some(count), offset) => format!("{} + {}", text(count), text(offset)),
    };
    let literal = sum.bytes().all(|byte| byte.is_ascii_digit());
    let instead = match limit.with_ties {
        true if literal => format!("FETCH FIRST {sum} ROWS WITH TIES"),
        // An expression has to be in parentheses here.
        true => format!("FETCH FIRST ({sum}) ROWS WITH TIES"),
        false => format!("LIMIT {sum}"),
    };
    Ok(Tail {
        limit,
        instead: Some(instead),
    })
}

fn text(count: Count) -> String {
    match count {
        Count::Literal(value) => format!("{value}::bigint"),
        Count::Param(index) => format!("${}::bigint", u32::from(index) + 1),
    }
}

/// The clauses in any order.
fn read(tokens: &[Token<'_>]) -> Result<Limit, Otherwise> {
    let mut limit = Limit::default();
    let (mut counted, mut skipped) = (false, false);
    let mut at = Cursor::new("", tokens);
    while let Some(token) = at.next() {
        let value = &*token.value;
        match value {
            "limit" if !counted => {
                counted = true;
                limit.count = match at.take("all") {
                    true => None,
                    false => count(&mut at)?,
                };
            }
            "fetch" if !counted => {
                counted = true;
                let first = at.take_any(&["first", "next"]);
                limit.count = match at.peek_word() {
                    Some("row" | "rows") => Some(Count::Literal(1)),
                    _ => count(&mut at)?,
                };
                let rows = at.take_any(&["row", "rows"]);
                limit.with_ties = at.take_all(&["with", "ties"]);
                if !first || !rows || !(limit.with_ties || at.take("only")) {
                    return gather("a FETCH of an unknown form");
                }
            }
            "offset" if !skipped => {
                skipped = true;
                limit.offset = count(&mut at)?;
                at.take_any(&["row", "rows"]);
            }
            _ => return gather("LIMIT or OFFSET of an expression"),
        }
    }
    if limit.with_ties && limit.count.is_none() {
        return gather("WITH TIES without a count");
    }
    Ok(limit)
}

/// A literal or parameter; `None` for NULL.
fn count(at: &mut Cursor<'_>) -> Result<Option<Count>, Otherwise> {
    let Some(token) = at.next() else {
        return gather("LIMIT or OFFSET without a value");
    };
    let digits = token.value.bytes().all(|byte| byte.is_ascii_digit());
    let count = match token.kind {
        Kind::Word if token.is_word("null") => return Ok(None),
        Kind::Number if digits => {
            let value = token.value.parse::<u64>().ok();
            let value = value.filter(|value| i64::try_from(*value).is_ok());
            value.map(Count::Literal)
        }
        Kind::Param => {
            let number = token.value.parse::<u16>().ok();
            let index = number.and_then(|number| number.checked_sub(1));
            index.map(Count::Param)
        }
        _ => None,
    };
    match count {
        Some(count) => Ok(Some(count)),
        None => gather("LIMIT or OFFSET of an expression"),
    }
}
