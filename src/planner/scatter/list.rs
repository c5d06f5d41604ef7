//! The SELECT list and what refers to it, as pieces of the client's text.

use std::ops::Range;

use super::{Otherwise, counted, functions, gather, may_aggregate};
use crate::planner::Context;
use crate::planner::cursor::Cursor;
use crate::planner::scope::Found;
use crate::sql::tree::Operand;
use crate::sql::{
    Clauses, Distinct, Expression, Groups, Item, Kind, Level, Outline, Select, Token,
};

/// A SELECT, its text, and what was found of its columns.
pub(super) struct List<'a> {
    pub(super) at: Cursor<'a>,
    pub(super) select: &'a Select,
    pub(super) found: &'a Found,
    pub(super) context: &'a Context<'a>,
    clauses: Option<&'a Clauses>,
}

/// What ORDER BY or DISTINCT ON compares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Compared {
    /// An item of the list.
    Item(usize),
    /// An expression of columns of FROM.
    Tokens(Range<usize>),
}

impl<'a> List<'a> {
    pub(super) fn new(
        at: Cursor<'a>,
        outline: &'a Outline,
        select: &'a Select,
        found: &'a Found,
        context: &'a Context<'a>,
    ) -> Self {
        Self {
            at,
            select,
            found,
            context,
            clauses: outline.clauses.as_ref(),
        }
    }

    pub(super) fn clauses(&self) -> Result<&'a Clauses, Otherwise> {
        match self.clauses {
            Some(clauses) => Ok(clauses),
            None => gather("its clauses are not where they are expected"),
        }
    }

    /// Whether aggregates put rows of several shards together. Groups that are whole on a shard are rows to us.
    pub(super) fn aggregates(&self) -> Result<bool, Otherwise> {
        if !self.found.windows_whole {
            return gather("a window function looks at rows of several shards");
        }
        match &self.select.groups {
            Groups::Other => gather("grouping sets"),
            Groups::List(_) => Ok(!self.found.groups_whole),
            Groups::No if self.select.having => gather("HAVING without GROUP BY"),
            Groups::No => Ok(may_aggregate(self.select, self.context)),
        }
    }

    /// Whether its rows are groups, or one of all rows.
    pub(super) fn has_groups(&self) -> bool {
        match &self.select.groups {
            Groups::Other => false,
            Groups::List(_) => true,
            Groups::No => self.select.having || may_aggregate(self.select, self.context),
        }
    }

    /// Whether DISTINCT may have to drop a row of one shard because of another's.
    pub(super) fn distinct_merges(&self) -> bool {
        match &self.select.distinct {
            Distinct::No => false,
            Distinct::All => !self.found.distinct_whole,
            Distinct::On(_) => !self.found.distinct_on_whole,
        }
    }

    /// The item of that name, the first of several: PostgreSQL wants them to be the same.
    pub(super) fn named(select: &Select, wanted: &str) -> Option<usize> {
        select.items.iter().position(
            |item| matches!(item, Item::Column { name: Some(name), .. } if name == wanted),
        )
    }

    /// What an expression of ORDER BY or DISTINCT ON stands for. A bare name is an output's before it is a column's, a
    /// number counts outputs, and all else is of columns. `place` is what the name is as a column, if that is known.
    /// Source: `findTargetlistEntrySQL92` in `parse_clause.c`
    pub(super) fn compared(
        &self,
        expression: &Expression,
        tokens: Range<usize>,
        is_known: bool,
    ) -> Result<Compared, Otherwise> {
        if let Some(place) = expression.ordinal {
            return match counted(self.select, place) {
                Some(_) => Ok(Compared::Item(place)),
                None => gather("a number in ORDER BY behind a star, or beyond the list"),
            };
        }
        if expression.literal {
            return gather("a literal in ORDER BY");
        }
        let Operand::Column(column) = &expression.operand else {
            return Ok(Compared::Tokens(tokens));
        };
        if column.relation.is_some() {
            return Ok(Compared::Tokens(tokens));
        }
        if let Some(item) = Self::named(self.select, &column.name) {
            return Ok(Compared::Item(item));
        }
        let nameless = |item: &Item| matches!(item, Item::Column { name: None, .. });
        if self.select.items.iter().any(nameless) {
            return gather("a name in ORDER BY beside a column that may have it");
        }
        // Of `t.*` it may be a column that another relation has, too.
        let qualified = |item: &Item| matches!(item, Item::All { qualified: true });
        if self.select.items.iter().any(qualified) && !is_known {
            return gather("a name in ORDER BY that may be of several relations");
        }
        Ok(Compared::Tokens(tokens))
    }

    /// The text of what is compared, so that it can stand in the list once more.
    pub(super) fn repeated(&self, compared: &Compared) -> Result<&'a str, Otherwise> {
        let range = match compared {
            Compared::Item(item) => self.expression(*item)?,
            Compared::Tokens(range) => range.clone(),
        };
        let tokens = &self.at.rest[range.clone()];
        if tokens.iter().any(|token| token.kind == Kind::Param) {
            return gather("a parameter in what is ordered or grouped by");
        }
        // `(m.*)` is several columns in a list, and one elsewhere.
        let mut ends = tokens.iter().rev().skip_while(|token| token.is_op(")"));
        if ends.next().is_some_and(|end| end.is_op("*"))
            && ends.next().is_some_and(|before| before.is_op("."))
        {
            return gather("all columns of a relation in what is ordered or grouped by");
        }
        let gives_rows = |(place, token): (usize, &Token<'_>)| {
            let call = tokens.get(place + 1).is_some_and(|next| next.is_op("("));
            let kind = || functions::kind(&token.value, self.context.schema);
            token.is_name() && call && kind() == Some(functions::Kind::Set)
        };
        if tokens.iter().enumerate().any(gives_rows) {
            return gather("a function that gives rows in what is ordered or grouped by");
        }
        if matches!(compared, Compared::Item(_)) && tokens.iter().any(|t| t.is_word("select")) {
            return gather("a query in what is ordered or grouped by");
        }
        Ok(self.text(range))
    }

    /// The tokens of an item, without its label.
    pub(super) fn expression(&self, item: usize) -> Result<Range<usize>, Otherwise> {
        match self.select.items.get(item) {
            Some(Item::Column {
                labelled: Some(labelled),
                ..
            }) => Ok(self.clauses()?.expression(self.at.rest, item, *labelled)),
            _ => gather("a column whose label is not certain"),
        }
    }

    /// The client's own text of these tokens.
    pub(super) fn text(&self, tokens: Range<usize>) -> &'a str {
        let bytes = bytes(self.at.rest, &tokens);
        &self.at.text[bytes]
    }

    /// Whether two pieces are the same, but for blanks and comments.
    pub(super) fn same(&self, one: &Range<usize>, other: &Range<usize>) -> bool {
        let (one, other) = (&self.at.rest[one.clone()], &self.at.rest[other.clone()]);
        let pairs = || one.iter().zip(other);
        one.len() == other.len()
            && pairs().all(|(one, other)| one.kind == other.kind && one.value == other.value)
    }

    /// Calls of which it is not certain that they are a query's within.
    pub(super) fn is_unsure(&self) -> bool {
        let unsure = |call: &crate::sql::Call| call.level == Level::Unsure;
        self.select.calls.iter().any(unsure)
    }
}

/// Where tokens stand in the text, from the first to the last.
pub(super) fn bytes(tokens: &[Token<'_>], range: &Range<usize>) -> Range<usize> {
    let (first, last) = (
        tokens.get(range.start),
        tokens.get(range.end.wrapping_sub(1)),
    );
    match (first, last) {
        (Some(first), Some(last)) if !range.is_empty() => first.start..last.end,
        _ => 0..0,
    }
}

/// The text with pieces of it replaced, which are in rising order.
pub(super) fn spliced(text: &str, edits: &[(Range<usize>, String)]) -> Box<str> {
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for (range, piece) in edits {
        out.push_str(&text[from..range.start]);
        out.push_str(piece);
        from = range.end;
    }
    out.push_str(&text[from..]);
    out.into()
}
