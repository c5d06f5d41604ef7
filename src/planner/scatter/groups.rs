//! Aggregates over rows of several shards: each shard gives parts for its groups, the proxy puts them together.

use std::ops::Range;

use super::functions::is_merged;
use super::list::{Compared, List, bytes};
use super::tail::tail;
use super::{Otherwise, counted, gather};
use crate::plan::{Aggregate, Column, Count, Groups, Limit, Sort};
use crate::sql::tree::Operand;
use crate::sql::{self, Distinct, Expression, Item, Kind, Token};

/// An expression of GROUP BY.
pub(super) struct Key<'a> {
    compared: Compared,
    pub(super) tokens: Range<usize>,
    /// As a column, where it is known to be one.
    column: Option<(usize, usize)>,
    pub(super) text: &'a str,
}

/// The plan of a SELECT each of whose items is a group's expression or one aggregate.
pub(super) fn groups(list: &List<'_>) -> Result<Groups, Otherwise> {
    let select = list.select;
    if select.having || select.distinct != Distinct::No {
        return gather("HAVING or DISTINCT over aggregates of several shards");
    }
    if list.is_unsure() || select.calls.iter().any(|call| call.windowed) {
        return gather(
            "window functions, or queries that may aggregate, over aggregates of several shards",
        );
    }
    let keys = keys(list)?;
    let mut aggregates = Vec::new();
    let mut outputs = Vec::new();
    for item in 0..select.items.len() {
        outputs.push(match key_of(list, &keys, item)? {
            Some(key) => Column::Key(key),
            None => {
                aggregates.push(aggregate(list, item)?);
                Column::Aggregate(aggregates.len() - 1)
            }
        });
    }
    let (places, order) = order(list, &keys)?;
    // The keys in the order of ORDER BY.
    for output in &mut outputs {
        if let Column::Key(key) = output {
            *key = places.iter().position(|place| place == key).unwrap_or(*key);
        }
    }
    let clauses = list.clauses()?;
    let tokens = list.at.rest;
    let (limit, pushed) = limit(list, keys.is_empty())?;
    let list_start = clauses
        .items
        .first()
        .map_or(clauses.from, |item| item.start);
    let before = bytes(tokens, &(0..list_start)).end;
    let end = end_of_where(list);
    Ok(Groups {
        before: list.at.text[..before].into(),
        after: format!(" {}", list.text(clauses.from..end)).into(),
        keys: places.iter().map(|key| keys[*key].text.into()).collect(),
        order,
        aggregates,
        outputs,
        limit,
        pushed,
    })
}

/// Behind FROM and WHERE.
pub(super) fn end_of_where(list: &List<'_>) -> usize {
    let tokens = list.at.rest;
    let Ok(clauses) = list.clauses() else {
        return tokens.len();
    };
    // Two words before the first expression: GROUP BY, ORDER BY.
    let groups = clauses.groups.iter().flatten().next();
    let order = clauses.order.iter().flatten().next();
    let words = [groups, order].into_iter().flatten();
    let starts = words.map(|first| first.start - 2);
    let tail = clauses.tail.as_ref().map(|tail| tail.start);
    starts.chain(tail).min().unwrap_or(tokens.len())
}

pub(super) fn keys<'a>(list: &List<'a>) -> Result<Vec<Key<'a>>, Otherwise> {
    let (sql::Groups::List(groups), Some(places)) = (&list.select.groups, &list.clauses()?.groups)
    else {
        return Ok(Vec::new());
    };
    let mut keys = Vec::new();
    for (at, (expression, tokens)) in groups.iter().zip(places).enumerate() {
        let known = list.found.groups.get(at).copied().flatten();
        let shown = match expression.ordinal {
            Some(place) => counted(list.select, place),
            None => Some(expression),
        };
        let column = known.filter(|_| shown.is_some_and(is_column));
        let compared = match (&expression.operand, expression.ordinal) {
            (_, Some(place)) => match counted(list.select, place) {
                Some(_) => Compared::Item(place),
                None => return gather("a number in GROUP BY behind a star, or beyond the list"),
            },
            (Operand::Column(name), None) if name.relation.is_none() => {
                named(list, &name.name, at, tokens)?
            }
            _ if expression.literal => return gather("a literal in GROUP BY"),
            _ => Compared::Tokens(tokens.clone()),
        };
        let tokens = match &compared {
            Compared::Item(item) => list.expression(*item)?,
            Compared::Tokens(tokens) => tokens.clone(),
        };
        let text = list.repeated(&compared)?;
        keys.push(Key {
            compared,
            tokens,
            column,
            text,
        });
    }
    Ok(keys)
}

/// A name in GROUP BY is a column's before it is an output's. Where neither is certain, only an item that is that very
/// name is both.
fn named(
    list: &List<'_>,
    name: &str,
    at: usize,
    tokens: &Range<usize>,
) -> Result<Compared, Otherwise> {
    let absent = list.found.absent.get(at).copied().unwrap_or(false);
    let item = List::named(list.select, name);
    match item {
        Some(item) if absent => Ok(Compared::Item(item)),
        Some(item) if list.same(&list.expression(item)?, tokens) => Ok(Compared::Item(item)),
        _ if !absent && list.found.groups.get(at).is_some_and(Option::is_some) => {
            Ok(Compared::Tokens(tokens.clone()))
        }
        None if !absent => Ok(Compared::Tokens(tokens.clone())),
        _ => gather("a name in GROUP BY that may be a column or an output"),
    }
}

/// Whether it is shown as the column is. A cast that changes no value may be another type, and another form.
fn is_column(expression: &Expression) -> bool {
    matches!(expression.operand, Operand::Column(_))
}

/// The key that an item of the list is.
pub(super) fn key_of(
    list: &List<'_>,
    keys: &[Key<'_>],
    item: usize,
) -> Result<Option<usize>, Otherwise> {
    if keys.is_empty() || matches!(list.select.items[item], Item::All { .. }) {
        return Ok(None);
    }
    let tokens = list.expression(item)?;
    let known = list.found.items.get(item).copied().flatten();
    let column = known.filter(|_| match &list.select.items[item] {
        Item::Column { expression, .. } => is_column(expression),
        Item::All { .. } => false,
    });
    Ok(keys.iter().position(|key| {
        key.compared == Compared::Item(item)
            || list.same(&key.tokens, &tokens)
            || column.is_some() && key.column == column
    }))
}

fn aggregate(list: &List<'_>, item: usize) -> Result<Aggregate, Otherwise> {
    match &list.select.items[item] {
        Item::Column {
            call: Some(name), ..
        } => aggregate_at(list, name, list.expression(item)?),
        _ => not_one(),
    }
}

fn not_one<T>() -> Result<T, Otherwise> {
    gather("an item that is neither a group's expression nor one aggregate")
}

/// The call that these tokens are, perhaps with its FILTER.
pub(super) fn aggregate_at(
    list: &List<'_>,
    name: &str,
    place: Range<usize>,
) -> Result<Aggregate, Otherwise> {
    if !is_merged(name) {
        return gather(format!("{name}() over rows of several shards"));
    }
    let tokens = list.at.rest;
    let open = place.start + 1;
    let Some(close) = sql::closing(tokens, open).filter(|close| *close < place.end) else {
        return not_one();
    };
    if !tokens[place.start].is_name() || *tokens[place.start].value != *name {
        return not_one();
    }
    let argument = open + 1..close;
    // `(t.*)` is several columns where its type is asked for.
    let columns = tokens[argument.clone()].windows(2);
    if { columns }.any(|pair| pair[0].is_op(".") && pair[1].is_op("*")) {
        return not_one();
    }
    if !is_plain(&tokens[argument.clone()]) {
        return not_one();
    }
    // The type of a parameter that stands alone is inferred from the function that is called.
    if argument.is_empty() || argument.len() == 1 && tokens[open + 1].kind == Kind::Param {
        return not_one();
    }
    let filter = match &tokens[close + 1..place.end] {
        [] => None,
        [filter, paren, condition, .., _]
            if filter.is_word("filter") && paren.is_op("(") && condition.is_word("where") =>
        {
            let open = close + 2;
            match sql::closing(tokens, open) {
                Some(close) if close + 1 == place.end && close > open + 2 => {
                    Some(list.text(open + 2..close).into())
                }
                _ => return not_one(),
            }
        }
        _ => return not_one(),
    };
    Ok(Aggregate {
        name: name.into(),
        argument: list.text(argument).into(),
        filter,
    })
}

/// Whether these tokens are one expression: no DISTINCT, no ORDER BY, no second argument.
pub(super) fn is_plain(argument: &[Token<'_>]) -> bool {
    let mut depth = 0usize;
    let begins = |word| argument.first().is_some_and(|first| first.is_word(word));
    !["distinct", "all", "variadic"].into_iter().any(begins)
        && argument.iter().all(|token| {
            if token.is_op("(") || token.is_op("[") {
                depth += 1;
            } else if token.is_op(")") || token.is_op("]") {
                depth = depth.saturating_sub(1);
            }
            depth > 0 || !(token.is_op(",") || token.is_word("order") || token.is_op("=>"))
        })
}

/// The keys in the order in which they are compared: those of ORDER BY first.
fn order(list: &List<'_>, keys: &[Key<'_>]) -> Result<(Vec<usize>, Vec<Sort>), Otherwise> {
    let (mut places, mut order) = (Vec::new(), Vec::new());
    if !list.select.order.is_empty() {
        let Some(tokens) = &list.clauses()?.order else {
            return gather("an ORDER BY that is not where it is expected");
        };
        for (at, (sort, tokens)) in list.select.order.iter().zip(tokens).enumerate() {
            if sort.using {
                return gather("ORDER BY … USING");
            }
            let column = list.found.order.get(at).copied().flatten();
            let compared = list.compared(&sort.expression, tokens.clone(), column.is_some())?;
            let key = match &compared {
                Compared::Item(item) => key_of(list, keys, *item)?,
                Compared::Tokens(tokens) => keys.iter().position(|key| {
                    list.same(&key.tokens, tokens) || column.is_some() && key.column == column
                }),
            };
            let Some(key) = key else {
                return gather("an order by aggregates of several shards");
            };
            if !places.contains(&key) {
                places.push(key);
                order.push(Sort {
                    descending: sort.descending,
                    nulls_first: sort.nulls_first,
                });
            }
        }
    }
    for key in 0..keys.len() {
        if !places.contains(&key) {
            places.push(key);
            order.push(Sort {
                descending: false,
                nulls_first: false,
            });
        }
    }
    Ok((places, order))
}

/// Groups come in the order of all keys, so that the first ones of all are among the first ones of each shard.
fn limit(list: &List<'_>, single: bool) -> Result<(Limit, Option<Box<str>>), Otherwise> {
    let Some(range) = &list.clauses()?.tail else {
        return Ok((Limit::default(), None));
    };
    let tail = tail(&list.at.rest[range.clone()], list.context)?;
    if tail.limit.with_ties {
        return gather("WITH TIES over aggregates of several shards");
    }
    if single {
        // The one row of each shard is needed whatever the client takes.
        return match tail.limit.params().next() {
            None => Ok((tail.limit, None)),
            Some(_) => gather("LIMIT of a parameter over one row"),
        };
    }
    let pushed = match tail.instead {
        Some(instead) => instead,
        None => list.text(range.clone()).to_owned(),
    };
    let nothing = |count: Option<Count>| count.is_none();
    if nothing(tail.limit.count) && nothing(tail.limit.offset) || pushed.is_empty() {
        return Ok((tail.limit, None));
    }
    Ok((tail.limit, Some(format!(" {pushed}").into())))
}
