//! Rows that are merged as they are: concatenated or in an order, DISTINCT, limited.
//!
//! What is compared stands in the shards' list once more, at its end: so it can be asked for in binary, and a star's
//! number of columns need not be known.

use super::list::{Compared, List, bytes, spliced};
use super::tail::{Tail, tail};
use super::{Otherwise, gather};
use crate::plan::{Finish, Limit, Merge, OverRows, Query, Rows, Sort};
use crate::sql::{Distinct, Item};

/// The text of a sort column, and how it is sorted.
type Column<'a> = (Compared, &'a str, Sort);

const ASCENDING: Sort = Sort {
    descending: false,
    nulls_first: false,
};

/// The plan of a SELECT whose rows, groups or windows are each of one shard.
pub(super) fn rows(list: &List<'_>) -> Result<Rows, Otherwise> {
    let clauses = list.clauses()?;
    let tokens = list.at.rest;
    let mut columns = ordered(list)?;
    // What the shards' own ORDER BY has to say besides.
    let mut appended = Vec::new();
    let mut distinct = 0;
    match &list.select.distinct {
        Distinct::No => {}
        Distinct::All => {
            appended = distinct_all(list, &mut columns)?;
            if list.distinct_merges() {
                distinct = columns.len();
            }
        }
        Distinct::On(_) if list.distinct_merges() => {
            (distinct, appended) = distinct_on(list, &mut columns)?;
        }
        Distinct::On(_) => {}
    }
    let Tail { limit, instead } = match &clauses.tail {
        Some(range) => tail(&tokens[range.clone()], list.context)?,
        None => Tail {
            limit: Limit::default(),
            instead: None,
        },
    };
    if limit.with_ties && (!appended.is_empty() || columns.is_empty()) {
        return gather("WITH TIES that would compare other columns");
    }
    let mut edits = Vec::new();
    if !columns.is_empty() {
        let Some(last) = clauses.items.last() else {
            return gather("an empty list");
        };
        let end = bytes(tokens, last).end;
        let hidden: Vec<String> = columns
            .iter()
            .map(|(_, text, _)| format!(", ({text})"))
            .collect();
        edits.push((end..end, hidden.concat()));
    }
    if !appended.is_empty() {
        let behind = clauses
            .tail
            .as_ref()
            .map_or(tokens.len(), |tail| tail.start);
        let end = bytes(tokens, &(0..behind)).end;
        let begins = match clauses.order {
            Some(_) => ", ",
            None => " ORDER BY ",
        };
        edits.push((end..end, format!("{begins}{}", appended.join(", "))));
    }
    if let (Some(range), Some(instead)) = (&clauses.tail, instead) {
        edits.push((bytes(tokens, range), instead));
    }
    let text = (!edits.is_empty()).then(|| spliced(list.at.text, &edits));
    Ok(Rows {
        text,
        order: columns.into_iter().map(|(_, _, sort)| sort).collect(),
        distinct,
        limit,
    })
}

/// The same rows, put in order by a server: where the proxy does not know the order.
pub(super) fn finish(list: &List<'_>, rows: &Rows) -> Option<Finish> {
    if rows.order.is_empty() {
        return None;
    }
    let tail = list.clauses().ok()?.tail.clone();
    Some(Finish {
        instead: Some(Merge::Rows(Rows {
            text: rows.text.clone(),
            order: Vec::new(),
            distinct: 0,
            limit: Limit::default(),
        })),
        regrouped: None,
        query: Query::Rows(OverRows {
            order: rows.order.clone().into(),
            distinct: rows.distinct,
            tail: tail.map_or("", |tail| list.text(tail)).into(),
        }),
    })
}

/// What ORDER BY compares.
fn ordered<'a>(list: &List<'a>) -> Result<Vec<Column<'a>>, Otherwise> {
    if list.select.order.is_empty() {
        return Ok(Vec::new());
    }
    let Some(places) = &list.clauses()?.order else {
        return gather("an ORDER BY that is not where it is expected");
    };
    let mut columns = Vec::new();
    for (at, (sort, tokens)) in list.select.order.iter().zip(places).enumerate() {
        if sort.using {
            return gather("ORDER BY … USING");
        }
        let known = list.found.order.get(at).is_some_and(Option::is_some);
        let compared = list.compared(&sort.expression, tokens.clone(), known)?;
        let text = list.repeated(&compared)?;
        let sort = Sort {
            descending: sort.descending,
            nulls_first: sort.nulls_first,
        };
        columns.push((compared, text, sort));
    }
    Ok(columns)
}

/// With DISTINCT, PostgreSQL orders by items of the list only; with a column more it would no longer say so. Where rows
/// are dropped, they are ordered by all items.
fn distinct_all<'a>(
    list: &List<'a>,
    columns: &mut Vec<Column<'a>>,
) -> Result<Vec<String>, Otherwise> {
    let mut used = Vec::new();
    for (place, (compared, ..)) in columns.iter().enumerate() {
        match item_of(list, compared, place)? {
            Some(item) => used.push(item),
            None => return gather("DISTINCT with an order that is not in its list"),
        }
    }
    let mut appended = Vec::new();
    if !list.distinct_merges() {
        return Ok(appended);
    }
    for item in 0..list.select.items.len() {
        if matches!(list.select.items[item], Item::All { .. }) {
            return gather("DISTINCT of a star");
        }
        if !used.contains(&item) {
            let compared = Compared::Item(item);
            let text = list.repeated(&compared)?;
            columns.push((compared, text, ASCENDING));
            appended.push((item + 1).to_string());
        }
    }
    Ok(appended)
}

/// The item that is the same as what is compared.
fn item_of(list: &List<'_>, compared: &Compared, place: usize) -> Result<Option<usize>, Otherwise> {
    let tokens = match compared {
        Compared::Item(item) => return Ok(Some(*item)),
        Compared::Tokens(tokens) => tokens,
    };
    let column = list.found.order.get(place).copied().flatten();
    for (item, kind) in list.select.items.iter().enumerate() {
        if matches!(kind, Item::All { .. }) {
            continue;
        }
        let same = |found: &Option<_>| found.is_some() && *found == column;
        if list.same(&list.expression(item)?, tokens)
            || list.found.items.get(item).is_some_and(same)
        {
            return Ok(Some(item));
        }
    }
    Ok(None)
}

/// The expressions of DISTINCT ON are the first that ORDER BY compares, in whatever order.
fn distinct_on<'a>(
    list: &List<'a>,
    columns: &mut Vec<Column<'a>>,
) -> Result<(usize, Vec<String>), Otherwise> {
    let (Distinct::On(on), Some(places)) = (&list.select.distinct, &list.clauses()?.distinct_on)
    else {
        return gather("a DISTINCT ON that is not where it is expected");
    };
    let mut compared = Vec::new();
    let mut appended = Vec::new();
    for (expression, tokens) in on.iter().zip(places) {
        let this = list.compared(expression, tokens.clone(), false)?;
        let text = list.repeated(&this)?;
        compared.push((this, text, ASCENDING));
        appended.push(list.text(tokens.clone()).to_owned());
    }
    if columns.is_empty() {
        *columns = compared;
        return Ok((columns.len(), appended));
    }
    let same = |one: &Column<'_>, other: &Column<'_>| {
        one.0 == other.0
            || match (&one.0, &other.0) {
                (Compared::Tokens(one), Compared::Tokens(other)) => list.same(one, other),
                _ => false,
            }
    };
    let first = columns.get(..compared.len()).unwrap_or_default();
    let all = first.len() == compared.len()
        && first
            .iter()
            .all(|one| compared.iter().any(|on| same(one, on)))
        && compared
            .iter()
            .all(|on| first.iter().any(|one| same(one, on)));
    match all {
        true => Ok((first.len(), Vec::new())),
        false => gather("DISTINCT ON with another order"),
    }
}
