//! Where the clauses of a SELECT stand among the tokens.
//!
//! Outside of parentheses the words that begin a clause are reserved: no name, but where a label or a part of a qualified
//! name stands.

use std::ops::Range;

use super::unlabelled;
use crate::sql::lex::{Kind, Token};

/// The clauses of one SELECT that no parentheses are around, by places among the tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clauses {
    /// The expressions of `DISTINCT ON (…)`.
    pub distinct_on: Option<Vec<Range<usize>>>,
    /// The items of the list, labels included.
    pub items: Vec<Range<usize>>,
    /// The word FROM.
    pub from: usize,
    /// The expressions of GROUP BY.
    pub groups: Option<Vec<Range<usize>>>,
    pub having: bool,
    /// The items of ORDER BY, without ASC, DESC and NULLS.
    pub order: Option<Vec<Range<usize>>>,
    /// From LIMIT, OFFSET or FETCH to the end.
    pub tail: Option<Range<usize>>,
}

impl Clauses {
    /// The tokens of an item's expression.
    pub fn expression(&self, tokens: &[Token<'_>], item: usize, labelled: bool) -> Range<usize> {
        let whole = self.items[item].clone();
        match labelled {
            true => unlabelled(tokens, whole),
            false => whole,
        }
    }
}

/// `None` for what is not one SELECT … FROM, or has tokens where none are expected.
pub(super) fn clauses(tokens: &[Token<'_>]) -> Option<Clauses> {
    let places = top_level(tokens)?;
    let word = |place: usize| match tokens.get(place) {
        Some(token) if token.kind == Kind::Word && !is_label(tokens, place) => &*token.value,
        _ => "",
    };
    let mut begins = places
        .iter()
        .copied()
        .filter(|place| is_clause(tokens, *place, word(*place)))
        .peekable();
    let select = begins.next_if(|place| word(*place) == "select")?;
    let from = begins.next_if(|place| word(*place) == "from")?;
    let (list, distinct_on) = list_start(tokens, select + 1)?;
    let mut found = Clauses {
        distinct_on,
        items: split(tokens, list..from)?,
        from,
        groups: None,
        having: false,
        order: None,
        tail: None,
    };
    // In the order of PostgreSQL's grammar.
    let mut rank = 0;
    while let Some(place) = begins.next() {
        let end = begins.peek().copied().unwrap_or(tokens.len());
        let this = match word(place) {
            "where" => 1,
            "group" => {
                found.groups = Some(split(tokens, place + 2..end)?);
                2
            }
            "having" => {
                found.having = true;
                3
            }
            "window" => 4,
            "order" => {
                let items = split(tokens, place + 2..end)?;
                let bare = items.into_iter().map(|item| unordered(tokens, item));
                found.order = Some(bare.collect::<Option<_>>()?);
                5
            }
            "limit" | "offset" | "fetch" => {
                found.tail = Some(place..tokens.len());
                return (rank < 6).then_some(found);
            }
            _ => return None,
        };
        if this <= rank {
            return None;
        }
        rank = this;
    }
    Some(found)
}

/// Places outside of all parentheses and brackets; `None` where those do not fit.
fn top_level(tokens: &[Token<'_>]) -> Option<Vec<usize>> {
    let mut depth = 0usize;
    let mut places = Vec::new();
    for (place, token) in tokens.iter().enumerate() {
        if token.is_op("(") || token.is_op("[") {
            depth += 1;
        } else if token.is_op(")") || token.is_op("]") {
            depth = depth.checked_sub(1)?;
        } else if depth == 0 {
            places.push(place);
        }
        if token.is_op(";") {
            return None;
        }
    }
    (depth == 0).then_some(places)
}

/// Behind AS or a dot any word is a name.
fn is_label(tokens: &[Token<'_>], place: usize) -> bool {
    let before = place.checked_sub(1).map(|before| &tokens[before]);
    before.is_some_and(|before| before.is_word("as") || before.is_op("."))
}

fn is_clause(tokens: &[Token<'_>], place: usize, word: &str) -> bool {
    let follows = |word: &str| tokens.get(place + 1).is_some_and(|next| next.is_word(word));
    let after = |word: &str| place > 0 && tokens[place - 1].is_word(word);
    match word {
        // `IS DISTINCT FROM`, `ROWS FROM (…)`.
        "from" => !after("distinct") && !after("rows"),
        // `WITHIN GROUP (…)`.
        "group" | "order" => follows("by"),
        "select" | "where" | "having" | "window" | "limit" | "offset" | "fetch" | "for"
        | "union" | "intersect" | "except" | "into" | "values" | "returning" => true,
        _ => false,
    }
}

/// Where the list begins, behind ALL or DISTINCT.
fn list_start(tokens: &[Token<'_>], place: usize) -> Option<(usize, Option<Vec<Range<usize>>>)> {
    if tokens.get(place)?.is_word("all") {
        return Some((place + 1, None));
    }
    if !tokens.get(place)?.is_word("distinct") {
        return Some((place, None));
    }
    if !tokens.get(place + 1)?.is_word("on") {
        return Some((place + 1, None));
    }
    let open = place + 2;
    let close = closing(tokens, open)?;
    Some((close + 1, Some(split(tokens, open + 1..close)?)))
}

/// Where the parenthesis that opens here closes.
pub fn closing(tokens: &[Token<'_>], open: usize) -> Option<usize> {
    if !tokens.get(open)?.is_op("(") {
        return None;
    }
    let mut depth = 0usize;
    for (place, token) in tokens.iter().enumerate().skip(open) {
        if token.is_op("(") || token.is_op("[") {
            depth += 1;
        } else if token.is_op(")") || token.is_op("]") {
            depth -= 1;
        }
        if depth == 0 {
            return Some(place);
        }
    }
    None
}

/// A list at its commas; `None` where an element is empty.
fn split(tokens: &[Token<'_>], list: Range<usize>) -> Option<Vec<Range<usize>>> {
    let mut depth = 0usize;
    let mut start = list.start;
    let mut parts = Vec::new();
    for place in list.clone() {
        let token = tokens.get(place)?;
        if token.is_op("(") || token.is_op("[") {
            depth += 1;
        } else if token.is_op(")") || token.is_op("]") {
            depth = depth.checked_sub(1)?;
        } else if depth == 0 && token.is_op(",") {
            parts.push(start..place);
            start = place + 1;
        }
    }
    parts.push(start..list.end);
    parts.iter().all(|part| !part.is_empty()).then_some(parts)
}

/// Without ASC, DESC and NULLS FIRST or LAST. `None` for USING.
fn unordered(tokens: &[Token<'_>], item: Range<usize>) -> Option<Range<usize>> {
    let mut end = item.end;
    let is = |place: usize, words: [&str; 2]| {
        place >= item.start && words.iter().any(|word| tokens[place].is_word(word))
    };
    if end >= item.start + 3 && is(end - 1, ["first", "last"]) && is(end - 2, ["nulls", "nulls"]) {
        end -= 2;
    }
    if end >= item.start + 2 && is(end - 1, ["asc", "desc"]) {
        end -= 1;
    }
    let using = |place: usize| tokens[place].is_word("using");
    (!(item.start..end).any(using)).then_some(item.start..end)
}
