//! Aggregates with DISTINCT over groups of several shards.
//!
//! ```text
//!   select g, count(distinct x), sum(n) from t group by g
//!     shards:     select (g), (x), sum(n) from t group by 1, 2 order by 1, 2
//!     merged:     g, x, sum(n): each pair once
//!     regrouped:  select g, count(distinct x), sum(sum) from merged group by g
//! ```
//!
//! What DISTINCT leaves of a group's values is what the merged groups have of them, and what the other aggregates are of a
//! group is what they are of parts of it, for those that [`again`] knows.

use std::ops::Range;

use super::groups::{Key, is_plain};
use super::list::{Compared, List};
use super::{Otherwise, gather};
use crate::plan::{Aggregate, Call, Regrouped};
use crate::sql;

/// A call that is taken out of the client's text.
#[derive(Debug)]
pub(super) enum TakenCall {
    Plain(Aggregate),
    /// The tokens of its argument.
    Distinct(Box<str>, Range<usize>),
}

impl TakenCall {
    /// The call of an aggregate that these tokens are, which has DISTINCT.
    pub(super) fn distinct(list: &List<'_>, place: Range<usize>) -> Result<Self, Otherwise> {
        let tokens = list.at.rest;
        let name = &*tokens[place.start].value;
        let close = sql::closing(tokens, place.start + 1);
        let Some(close) = close.filter(|close| close + 1 == place.end) else {
            return gather(format!("{name}() with DISTINCT and FILTER"));
        };
        // Behind the name, its parenthesis and DISTINCT.
        let argument = place.start + 3..close;
        if argument.is_empty() || !is_plain(&tokens[argument.clone()]) {
            return gather(format!(
                "{name}() of more than one plain expression with DISTINCT"
            ));
        }
        list.repeated(&Compared::Tokens(argument.clone()))?;
        Ok(Self::Distinct(name.into(), argument))
    }

    /// It has the same value in every group.
    pub(super) fn is_like(&self, other: &Self, list: &List<'_>) -> bool {
        match (self, other) {
            (Self::Plain(own), Self::Plain(other)) => own == other,
            (Self::Distinct(name, own), Self::Distinct(other_name, other)) => {
                name == other_name && list.same(own, other)
            }
            _ => false,
        }
    }
}

/// What shards are asked for.
pub(super) struct Asked {
    pub(super) keys: Vec<Box<str>>,
    pub(super) aggregates: Vec<Aggregate>,
    /// What is made of the merged groups of one group of the client's, if they are more than its own.
    pub(super) regrouped: Option<Regrouped>,
}

/// Takes keys and calls apart into what shards give and what is made of it.
pub(super) fn regroup(
    list: &List<'_>,
    keys: &[Key<'_>],
    taken: Vec<TakenCall>,
) -> Result<Asked, Otherwise> {
    let mut texts: Vec<Box<str>> = keys.iter().map(|key| key.text.into()).collect();
    let mut tokens: Vec<Range<usize>> = keys.iter().map(|key| key.tokens.clone()).collect();
    let mut places = Vec::new();
    for call in &taken {
        if let TakenCall::Distinct(_, argument) = call {
            let known = tokens.iter().position(|known| list.same(known, argument));
            places.push(known.unwrap_or_else(|| {
                tokens.push(argument.clone());
                texts.push(list.text(argument.clone()).into());
                texts.len() - 1
            }));
        }
    }
    let has_distinct = !places.is_empty();
    let mut places = places.into_iter();
    let (mut aggregates, mut calls) = (Vec::new(), Vec::new());
    for call in taken {
        match call {
            TakenCall::Distinct(name, _) => calls.push(Call {
                name,
                place: places.next().unwrap_or_default(),
                distinct: true,
            }),
            TakenCall::Plain(aggregate) => {
                if has_distinct {
                    calls.push(Call {
                        name: again(&aggregate.name)?.into(),
                        place: texts.len() + aggregates.len(),
                        distinct: false,
                    });
                }
                aggregates.push(aggregate);
            }
        }
    }
    let regrouped = has_distinct.then(|| Regrouped {
        keys: keys.len(),
        calls: calls.into(),
    });
    Ok(Asked {
        keys: texts,
        aggregates,
        regrouped,
    })
}

/// The aggregate that makes of an aggregate's values for parts of a group that for the whole of it; `count` stands for the
/// sum of counts.
fn again(name: &str) -> Result<&str, Otherwise> {
    match name {
        "every" => Ok("bool_and"),
        "count" | "sum" | "min" | "max" | "bool_and" | "bool_or" | "bit_and" | "bit_or"
        | "bit_xor" => Ok(name),
        _ => gather(format!("{name}() beside aggregates with DISTINCT")),
    }
}
