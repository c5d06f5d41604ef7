//! Groups of several shards, and what a server has to do with them when they have been merged: all that stands above groups but
//! the aggregates themselves.
//!
//! What is taken out of the client's text begins and ends where only a call does, or is a whole item: so that operators around it
//! bind as they did. A column is left as it is written, for the merged groups have a column of that name. What else a name may
//! mean there is looked for ([`are_certain`]); what means nothing is an error of the server's, which leaves the statement to gather.

use std::ops::Range;

use super::functions::{Kind as Of, is_merged, kind};
use super::groups::{self, Key};
use super::list::{List, bytes};
use super::regroup::{Asked, TakenCall, regroup};
use super::{Otherwise, gather};
use crate::plan::{
    Aggregate, Column, Finish, Groups, Limit, Merge, Name, OverGroups, Query, Sort, merged_column,
};
use crate::sql::{self, Token};

/// The groups that shards are asked for and the query over them.
pub(super) fn finish(list: &List<'_>) -> Result<(Merge, Finish), Otherwise> {
    let clauses = list.clauses()?;
    let tokens = list.at.rest;
    if list.is_unsure() {
        return gather("queries that may aggregate over aggregates of several shards");
    }
    let keys = groups::keys(list)?;
    let (Some(select), Some(first)) = (word(tokens, 0, "select"), clauses.items.first()) else {
        return gather("an empty list");
    };
    let (end, rest) = behind(list)?;
    let names = names(list, &keys)?;
    let pieces = [select..clauses.from, rest..tokens.len()];
    for piece in pieces {
        are_certain(&tokens[piece], &names)?;
    }
    let having = having(list, rest);
    let pushed = match &having {
        Some(having) => before_groups(list, having.clone())?,
        None => Vec::new(),
    };
    let mut taken = Taken {
        list,
        keys: &keys,
        calls: Vec::new(),
    };
    let distinct = taken.text(select + 1..first.start, &[])?;
    let mut items = Vec::with_capacity(clauses.items.len());
    for item in 0..clauses.items.len() {
        items.push(match groups::key_of(list, &keys, item)? {
            Some(key) => merged_column(key).into(),
            None => taken.text(list.expression(item)?, &[])?.trim_start().into(),
        });
    }
    let order = clauses.order.as_deref().unwrap_or_default();
    let (begins, rest) = match having {
        Some(having) => (" WHERE", having.start),
        None => ("", rest),
    };
    let rest = taken.text(rest..tokens.len(), order)?;
    let Asked {
        keys,
        aggregates,
        regrouped,
    } = regroup(list, &keys, taken.calls)?;
    let groups = Groups {
        before: list.at.text[..tokens[select].end].into(),
        after: filtered(list, clauses.from..end, &pushed).into(),
        ..source(keys, aggregates)
    };
    let finish = Finish {
        instead: None,
        regrouped,
        query: Query::Groups(OverGroups {
            head: format!("SELECT{distinct}").trim_end().into(),
            items: items.into(),
            rest: format!("{begins}{rest}").trim_end().into(),
            names: names.into(),
        }),
    };
    Ok((Merge::Groups(groups), finish))
}

/// What is asked of shards behind their list: the keys, in any order, and all aggregates.
fn source(keys: Vec<Box<str>>, mut aggregates: Vec<Aggregate>) -> Groups {
    if keys.is_empty() && aggregates.is_empty() {
        // One row comes of no rows, too.
        aggregates.push(Aggregate {
            name: "count".into(),
            argument: "*".into(),
            filter: None,
        });
    }
    let ascending = Sort {
        descending: false,
        nulls_first: false,
    };
    let outputs = (0..keys.len()).map(Column::Key);
    let outputs = outputs.chain((0..aggregates.len()).map(Column::Aggregate));
    Groups {
        before: Box::default(),
        after: Box::default(),
        order: vec![ascending; keys.len()],
        outputs: outputs.collect(),
        keys,
        aggregates,
        limit: Limit::default(),
        pushed: None,
    }
}

/// A word outside of all parentheses that is no label.
fn word(tokens: &[Token<'_>], from: usize, wanted: &str) -> Option<usize> {
    let mut depth = 0usize;
    for (place, token) in tokens.iter().enumerate().skip(from) {
        if token.is_op("(") || token.is_op("[") {
            depth += 1;
        } else if token.is_op(")") || token.is_op("]") {
            depth = depth.checked_sub(1)?;
        } else if depth == 0 && token.is_word(wanted) {
            let before = place.checked_sub(1).map(|before| &tokens[before]);
            if !before.is_some_and(|before| before.is_word("as") || before.is_op(".")) {
                return Some(place);
            }
        }
    }
    None
}

/// Where FROM and WHERE end, and where that begins which the groups' rows are for.
fn behind(list: &List<'_>) -> Result<(usize, usize), Otherwise> {
    let (clauses, tokens) = (list.clauses()?, list.at.rest);
    let end = groups::end_of_where(list);
    if let Some(last) = clauses.groups.iter().flatten().last() {
        return Ok((end, last.end));
    }
    if word(tokens, clauses.from, "window").is_some() {
        return gather("a WINDOW clause without GROUP BY");
    }
    if !clauses.having {
        return Ok((end, end));
    }
    match word(tokens, clauses.from, "having") {
        Some(having) => Ok((having, having)),
        None => gather("a HAVING that is not where it is expected"),
    }
}

/// The condition of HAVING, which may begin here.
fn having(list: &List<'_>, at: usize) -> Option<Range<usize>> {
    let (clauses, tokens) = (list.clauses().ok()?, list.at.rest);
    if !tokens.get(at)?.is_word("having") {
        return None;
    }
    let order = clauses.order.iter().flatten().next();
    let starts = [
        word(tokens, at, "window"),
        order.map(|first| first.start - 2),
        clauses.tail.as_ref().map(|tail| tail.start),
    ];
    let end = starts.into_iter().flatten().min();
    Some(at + 1..end.unwrap_or(tokens.len()))
}

/// Conjuncts of HAVING that look at no aggregate: PostgreSQL has them in WHERE, before aggregates see the rows. The
/// others are finished.
/// Source: `subquery_planner` in `src/backend/optimizer/plan/planner.c`
fn before_groups(list: &List<'_>, having: Range<usize>) -> Result<Vec<Range<usize>>, Otherwise> {
    let tokens = list.at.rest;
    let aggregates = |range: &Range<usize>| {
        range.clone().any(|at| {
            let call = tokens.get(at + 1).is_some_and(|next| next.is_op("("));
            let of = kind(&tokens[at].value, list.context.schema);
            call && tokens[at].is_name()
                && !matches!(of, Some(Of::Scalar | Of::Set))
                && !is_operator(&tokens[at])
        })
    };
    if !aggregates(&having) {
        return Ok(vec![having]);
    }
    let (mut depth, mut start) = (0usize, having.start);
    let mut conjuncts = Vec::new();
    for at in having.clone() {
        let token = &tokens[at];
        if token.is_op("(") || token.is_op("[") {
            depth += 1;
        } else if token.is_op(")") || token.is_op("]") {
            depth = depth.saturating_sub(1);
        } else if depth == 0 && token.is_word("and") {
            conjuncts.push(start..at);
            start = at + 1;
        }
    }
    conjuncts.push(start..having.end);
    // What PostgreSQL takes apart, or puts together, is more than this.
    let is_simple = |conjunct: &Range<usize>| {
        !conjunct.is_empty()
            && !tokens[conjunct.clone()]
                .iter()
                .enumerate()
                .any(|(at, token)| {
                    let is_null = at > 0 && tokens[conjunct.start + at - 1].is_word("is");
                    ["and", "or", "case", "between"]
                        .into_iter()
                        .any(|word| token.is_word(word))
                        || token.is_word("not") && !is_null
                })
    };
    let (with, without): (Vec<_>, Vec<_>) = conjuncts.into_iter().partition(aggregates);
    match with.iter().all(is_simple) && without.iter().all(is_simple) {
        true => Ok(without),
        false => gather("a HAVING of more than plain conditions with AND"),
    }
}

/// Words that stand before a parenthesis, and are no calls.
fn is_operator(token: &Token<'_>) -> bool {
    const OPERATORS: &[&str] = &[
        "all", "and", "any", "as", "between", "by", "case", "cast", "distinct", "else", "filter",
        "having", "ilike", "in", "is", "like", "not", "on", "or", "over", "some", "then", "to",
        "when", "where",
    ];
    OPERATORS.iter().any(|word| token.is_word(word))
}

/// FROM and WHERE, with these conditions besides.
fn filtered(list: &List<'_>, range: Range<usize>, conditions: &[Range<usize>]) -> String {
    let text = list.text(range.clone());
    if conditions.is_empty() {
        return format!(" {text}");
    }
    let conditions: Vec<String> = { conditions.iter() }
        .map(|condition| format!("({})", list.text(condition.clone())))
        .collect();
    let conditions = conditions.join(" AND ");
    match word(list.at.rest, range.start, "where").filter(|at| *at < range.end) {
        None => format!(" {text} WHERE {conditions}"),
        Some(at) => {
            let (from, condition) = (list.text(range.start..at), list.text(at + 1..range.end));
            format!(" {from} WHERE ({condition}) AND {conditions}")
        }
    }
}

/// Whether each name in a piece means a key's column, an output, or nothing at all among merged rows. There the relation of a
/// key has its keys only, so as a whole, or before a name that is no key's, it is something else.
fn are_certain(piece: &[Token<'_>], names: &[Name]) -> Result<(), Otherwise> {
    for (at, token) in piece.iter().enumerate() {
        let follows = |by: usize, op: &str| piece.get(at + by).is_some_and(|next| next.is_op(op));
        let before = at.checked_sub(1).map(|before| &piece[before]);
        if !token.is_name() || before.is_some_and(|before| before.is_op(".")) {
            continue;
        }
        if token.value.starts_with("trunkline") {
            return gather("a name that merged rows have here");
        }
        let mut of = names
            .iter()
            .filter(|name| name.relation.as_deref() == Some(&*token.value))
            .peekable();
        if of.peek().is_none() || follows(1, "(") {
            continue;
        }
        let column = piece.get(at + 2).filter(|_| follows(1, "."));
        if !column.is_some_and(|column| of.any(|name| *name.column == *column.value)) {
            return gather(
                "a relation as a whole, or a column of it that is no group's, beside merged groups",
            );
        }
    }
    Ok(())
}

/// A merged column has its collation implicitly, as a table's has: one that is explicit would lose its weight.
fn is_implicit(tokens: &[Token<'_>]) -> Result<(), Otherwise> {
    match tokens.iter().any(|token| token.is_word("collate")) {
        true => gather("a COLLATE in what is merged"),
        false => Ok(()),
    }
}

/// What the groups' columns are called, where they are columns.
fn names(list: &List<'_>, keys: &[Key<'_>]) -> Result<Vec<Name>, Otherwise> {
    let tokens = list.at.rest;
    let mut names: Vec<Name> = Vec::new();
    for (place, key) in keys.iter().enumerate() {
        is_implicit(&tokens[key.tokens.clone()])?;
        let (relation, column) = match &tokens[key.tokens.clone()] {
            [column] if column.is_name() => (None, column),
            [relation, dot, column] if dot.is_op(".") && relation.is_name() && column.is_name() => {
                (Some(relation), column)
            }
            _ => continue,
        };
        // A name that joins make of two columns may be another one's.
        let joins = |token: &Token<'_>| token.is_word("using") || token.is_word("natural");
        if relation.is_some() && tokens.iter().any(joins) {
            return gather("a column in GROUP BY beside one that a join makes of two");
        }
        let name = Name {
            relation: relation.map(|relation| (*relation.value).into()),
            column: (*column.value).into(),
            place,
        };
        let known = |other: &Name| other.relation == name.relation && other.column == name.column;
        if !names.iter().any(known) {
            names.push(name);
        }
    }
    Ok(names)
}

/// Takes aggregates and groups' expressions out of pieces of the client's text.
struct Taken<'a> {
    list: &'a List<'a>,
    keys: &'a [Key<'a>],
    calls: Vec<TakenCall>,
}

impl Taken<'_> {
    /// The text of these tokens with what was taken out named by its place. `wholes`: expressions by themselves.
    fn text(&mut self, range: Range<usize>, wholes: &[Range<usize>]) -> Result<String, Otherwise> {
        let tokens = self.list.at.rest;
        let Range { start, end: to } = bytes(tokens, &range);
        let mut out = String::from(" ");
        let (mut from, mut at) = (start, range.start);
        while at < range.end {
            let whole = wholes.iter().find(|whole| whole.start == at);
            let taken = match whole.and_then(|whole| Some((self.key(whole)?, whole.end))) {
                Some((key, end)) => Some((merged_column(key), end)),
                None => self.taken(at, range.end)?,
            };
            let Some((instead, end)) = taken else {
                at += 1;
                continue;
            };
            out.push_str(&self.list.at.text[from..tokens[at].start]);
            out.push_str(&instead);
            from = tokens[end - 1].end;
            at = end;
        }
        out.push_str(self.list.at.text.get(from..to).unwrap_or_default());
        Ok(out)
    }

    /// The group's expression that these tokens are. A name alone is left: in ORDER BY it is an output's first.
    fn key(&self, tokens: &Range<usize>) -> Option<usize> {
        let same = |key: &Key<'_>| tokens.len() > 1 && self.list.same(&key.tokens, tokens);
        self.keys.iter().position(same)
    }

    /// What stands for the call that begins here, and where that ends.
    fn taken(&mut self, at: usize, end: usize) -> Result<Option<(String, usize)>, Otherwise> {
        let tokens = self.list.at.rest;
        let token = &tokens[at];
        if ["select", "table", "values"]
            .into_iter()
            .any(|word| token.is_word(word))
        {
            return gather("a query beside aggregates of several shards");
        }
        let next = tokens.get(at + 1);
        if token.is_op(".") && next.is_some_and(|next| next.is_op("*")) {
            return gather("all columns of a relation beside aggregates of several shards");
        }
        let is_call = token.is_name() && next.is_some_and(|next| next.is_op("("));
        let Some(close) = sql::closing(tokens, at + 1).filter(|close| is_call && *close < end)
        else {
            return Ok(None);
        };
        let name = &*token.value;
        let behind = match tokens.get(close + 1) {
            Some(filter) if filter.is_word("filter") && close + 1 < end => {
                sql::closing(tokens, close + 2).map_or(close + 1, |close| close + 1)
            }
            _ => close + 1,
        };
        let follows = |word: &str| tokens.get(behind).is_some_and(|next| next.is_word(word));
        if follows("over") {
            // The window's function; its arguments may be aggregates.
            return Ok(None);
        }
        if at > 0 && tokens[at - 1].is_op(".") {
            return gather("a function with a schema beside aggregates of several shards");
        }
        if follows("within") {
            return gather(format!("{name}() over rows of several shards"));
        }
        let distinct = tokens[at + 2].is_word("distinct");
        // Of values that are distinct the order is known, too.
        if is_merged(name) || distinct && name == "array_agg" {
            is_implicit(&tokens[at..close])?;
            let call = match distinct {
                true => TakenCall::distinct(self.list, at..behind)?,
                false => TakenCall::Plain(groups::aggregate_at(self.list, name, at..behind)?),
            };
            return Ok(Some((merged_column(self.place(call)), behind)));
        }
        match kind(name, self.list.context.schema) {
            Some(Of::Aggregate | Of::Ordered) => {
                gather(format!("{name}() over rows of several shards"))
            }
            // A word before a parenthesis is no call, or one of a function that was looked at before.
            Some(Of::Scalar | Of::Set | Of::Window) | None => {
                let key = self.key(&(at..close + 1));
                Ok(key.map(|key| (merged_column(key), close + 1)))
            }
        }
    }

    /// The column of a call, behind the keys.
    fn place(&mut self, call: TakenCall) -> usize {
        let known = { self.calls.iter() }.position(|it| it.is_like(&call, self.list));
        self.keys.len()
            + known.unwrap_or_else(|| {
                self.calls.push(call);
                self.calls.len() - 1
            })
    }
}
