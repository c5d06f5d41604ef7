//! A SELECT that several shards answer for their own rows, and how the proxy puts the answers together.

use std::fmt::Write as _;

use super::print::relation_lines;
use super::{Finish, KeySource, KeyTarget, Learned, ParamValues, Values};
use crate::error::{PgError, SqlState};
use crate::shardmap::{ShardId, ShardMap};
use crate::types::{Format, Oid};

/// Each shard runs one text; what comes back is merged.
#[derive(Clone, Debug, PartialEq)]
pub struct Scatter {
    /// The anchors: each row that comes out has a key of one of them. See [`Scatter::shards`].
    pub anchors: KeyTarget,
    pub merge: Merge,
    /// What a server does with the merged rows; or may, where the proxy cannot put them together otherwise.
    pub finish: Option<Box<Finish>>,
    /// Why this is right, in words for EXPLAIN.
    pub reason: String,
    /// It asks for the time of its transaction: shards are told one ([`crate::sql::at_moment`]).
    pub has_moments: bool,
    /// It is the EXPLAIN of such a SELECT, which begins at this byte of its text.
    pub explained: Option<usize>,
    /// What servers have said of it.
    pub learned: Learned,
}

/// What the shards are sent, and what is made of their rows.
#[derive(Clone, Debug, PartialEq)]
pub enum Merge {
    Rows(Rows),
    Groups(Groups),
    Tables(Tables),
}

/// A shard's rows are those of several tables, for a server to run the client's own query over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tables {
    /// Its columns are those of all the tables, one after the other, and the number of the table that a row is of, from zero.
    /// Columns of the other tables are NULL.
    pub text: Box<str>,
}

/// A shard's rows are the client's, but for columns at their end that are the proxy's.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows {
    /// What the shards get; `None` for the client's own text.
    pub text: Option<Box<str>>,
    /// Each is compared in a hidden column of its own: the last columns of a row, in this order. Empty: rows come in
    /// any order. The rows of each shard come in this order.
    pub order: Vec<Sort>,
    /// Of rows that agree in so many of the first sort columns the first one comes out; no row is left out where it is
    /// zero.
    pub distinct: usize,
    pub limit: Limit,
}

/// A shard's rows are the groups' columns and parts of aggregates.
#[derive(Clone, Debug, PartialEq)]
pub struct Groups {
    /// The client's text up to the list, and from behind it to the end of what the shards have to do but for the order.
    pub before: Box<str>,
    pub after: Box<str>,
    /// The expressions of GROUP BY, as the client wrote them, in the order of `order`. They are the first columns of a
    /// shard's rows, and the rows come in this order. Empty: one row comes out, also of no rows.
    pub keys: Vec<Box<str>>,
    pub order: Vec<Sort>,
    pub aggregates: Vec<Aggregate>,
    /// The client's columns.
    pub outputs: Vec<Column>,
    pub limit: Limit,
    /// The shards may stop after as many groups.
    pub pushed: Option<Box<str>>,
}

/// A column of the client's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// One of [`Groups::keys`].
    Key(usize),
    /// One of [`Groups::aggregates`].
    Aggregate(usize),
}

/// One call, in pieces of the client's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aggregate {
    pub name: Box<str>,
    /// What stands in its parentheses: `*`, or expressions.
    pub argument: Box<str>,
    /// The condition of its FILTER.
    pub filter: Option<Box<str>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sort {
    pub descending: bool,
    pub nulls_first: bool,
}

/// Which of the merged rows the client gets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limit {
    /// `None`: all.
    pub count: Option<Count>,
    pub offset: Option<Count>,
    /// Also those that agree with the last one in all sort columns.
    pub with_ties: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    Literal(u64),
    /// `$n`, zero-based; a `bigint` or a smaller integer.
    Param(u16),
}

/// [`Limit`] with the values of its parameters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    pub count: Option<u64>,
    pub offset: u64,
    pub with_ties: bool,
}

impl Scatter {
    /// What is learned takes so much, roughly.
    pub const LEARNED_BYTES: usize = 1_024;

    /// The shards to ask, each once, in the shard map's order. Where no shard can have a row one is asked all the same,
    /// for what an answer has besides rows. What cannot be read of a key rules nothing out.
    ///
    /// Errors: 57P03 while a directory has not been read.
    pub fn shards(&self, map: &ShardMap, values: Values<'_>) -> Result<Vec<ShardId>, PgError> {
        let mut shards = Vec::new();
        for anchor in &self.anchors.relations {
            let located = match self.anchors.locate(anchor, map, values) {
                Ok(located) => located,
                Err(error) if error.code == SqlState::CANNOT_CONNECT_NOW => return Err(error),
                Err(_) => {
                    let keyspace = self.anchors.keyspace;
                    let placement = &map.keyspace(keyspace).placement;
                    let all = map.reachable(keyspace, &[]).into_iter();
                    shards.extend(all.map(|logical| placement.shard(logical)));
                    continue;
                }
            };
            let places = located.iter().flat_map(|located| &located.places);
            shards.extend(places.map(|(_, shard)| *shard));
        }
        if shards.is_empty() {
            shards.push(map.default_shard);
        }
        shards.sort_unstable();
        shards.dedup();
        Ok(shards)
    }

    /// The parameters that have to be read to run it, zero-based: those that say which shards are asked, and those that
    /// limit rows.
    pub fn params(&self) -> impl Iterator<Item = u16> {
        let columns = self
            .anchors
            .relations
            .iter()
            .flat_map(|anchor| &anchor.columns);
        let sources = columns.flat_map(|column| column.conditions.iter().flatten());
        let keys = sources.filter_map(|source| match source {
            KeySource::Param { index, .. } => Some(*index),
            _ => None,
        });
        keys.chain(self.limit().params())
    }

    /// What it takes besides itself and its anchors, roughly; with what will be learned.
    pub fn bytes(&self) -> usize {
        let finish = self.finish.as_ref().map_or(0, |finish| finish.bytes());
        size_of::<Self>() + self.merge.bytes() + finish + Self::LEARNED_BYTES
    }

    /// What the shards are sent: where a server finishes it, or not.
    pub fn source(&self, finished: bool) -> &Merge {
        let finish = self.finish.as_ref().filter(|_| finished);
        let instead = finish.and_then(|finish| finish.instead.as_ref());
        instead.unwrap_or(&self.merge)
    }

    /// Whether it cannot be answered without a server that finishes it.
    pub fn is_finished(&self) -> bool {
        let finish = self.finish.as_ref();
        finish.is_some_and(|finish| finish.instead.is_none())
    }

    pub fn limit(&self) -> &Limit {
        match &self.merge {
            Merge::Rows(rows) => &rows.limit,
            Merge::Groups(groups) => &groups.limit,
            Merge::Tables(_) => &Limit::NONE,
        }
    }

    /// The plan in lines, as [`super::explain_lines`].
    pub fn lines(&self, map: &ShardMap, values: Values<'_>) -> Vec<String> {
        let mut lines = vec!["Scatter, read".to_owned()];
        for anchor in &self.anchors.relations {
            let places = relation_lines(&self.anchors, anchor, map, values);
            lines.extend(places.into_iter().map(|line| format!("  {line}")));
        }
        match &self.merge {
            Merge::Rows(rows) => rows.print(&mut lines),
            Merge::Groups(groups) => groups.print(&mut lines),
            Merge::Tables(tables) => lines.push(format!("  shards: {}", tables.text)),
        }
        lines.extend(self.limit().line());
        lines.extend(self.finish.as_ref().map(|finish| finish.line()));
        if self.has_moments {
            lines.push("  the time of the transaction is one shard's".to_owned());
        }
        if !self.reason.is_empty() {
            lines.push(format!("  {}", self.reason));
        }
        lines
    }
}

impl Merge {
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Rows(rows) => rows.text.as_deref().map_or(0, str::len),
            Self::Tables(tables) => tables.text.len(),
            Self::Groups(groups) => {
                let keys: usize = groups.keys.iter().map(|key| key.len()).sum();
                let aggregate = |aggregate: &Aggregate| {
                    let filter = aggregate.filter.as_deref().map_or(0, str::len);
                    size_of::<Aggregate>() + aggregate.argument.len() + filter
                };
                let aggregates: usize = groups.aggregates.iter().map(aggregate).sum();
                groups.before.len() + groups.after.len() + keys + aggregates
            }
        }
    }
}

impl Rows {
    /// How many columns at the end of each row are not the client's.
    pub fn hidden(&self) -> usize {
        self.order.len()
    }

    fn print(&self, lines: &mut Vec<String>) {
        let what = match (self.order.is_empty(), self.distinct) {
            (true, _) => "rows as they come".to_owned(),
            (false, 0) => "merged in order".to_owned(),
            (false, distinct) => format!("merged in order, distinct by {distinct}"),
        };
        lines.push(format!("  {what}{}", sorts(&self.order)));
        if let Some(text) = &self.text {
            lines.push(format!("  shards: {text}"));
        }
    }
}

impl Groups {
    /// The shards' text, with an aggregate's parts where its call would stand, and some of the keys once more at the
    /// end. What `parts` gives of one aggregate are the expressions of its columns, each without a FILTER: that is put
    /// behind it. Keys that are texts come `by_bytes` where these say so, whatever their collation.
    pub fn text(
        &self,
        parts: impl Fn(usize, &Aggregate) -> Vec<String>,
        repeated: &[usize],
        by_bytes: &[usize],
    ) -> String {
        let key = |key: &str| format!("({key})");
        let mut columns: Vec<String> = self.keys.iter().map(|it| key(it)).collect();
        for (at, aggregate) in self.aggregates.iter().enumerate() {
            for part in parts(at, aggregate) {
                columns.push(match &aggregate.filter {
                    None => part,
                    Some(filter) => format!("{part} FILTER (WHERE {filter})"),
                });
            }
        }
        columns.extend(repeated.iter().map(|at| key(&self.keys[*at])));
        let mut text = format!("{} {}{}", self.before, columns.join(", "), self.after);
        if !self.keys.is_empty() {
            let numbers: Vec<String> = (1..=self.keys.len()).map(|n| n.to_string()).collect();
            let ordered = numbers.iter().zip(&self.order).enumerate();
            let ordered = ordered.map(|(at, (number, sort))| match by_bytes.contains(&at) {
                true => format!("({}) COLLATE \"C\"{}", self.keys[at], sort.text()),
                false => format!("{number}{}", sort.text()),
            });
            let ordered: Vec<String> = ordered.collect();
            let _ = write!(
                text,
                " GROUP BY {} ORDER BY {}",
                numbers.join(", "),
                ordered.join(", ")
            );
        }
        text + self.pushed.as_deref().unwrap_or_default()
    }

    /// A text whose columns are the keys and what the aggregates are of, to learn their types; those of all rows are
    /// left out, and conditions of FILTER come last. `from`: where the query begins in the client's text.
    pub fn arguments(&self, from: usize) -> String {
        let keys = self.keys.iter();
        let arguments = self.aggregates.iter().map(|aggregate| &aggregate.argument);
        let arguments = arguments.filter(|argument| &***argument != "*");
        let filters = self.aggregates.iter().filter_map(|it| it.filter.as_ref());
        let columns = keys.chain(arguments).chain(filters);
        let columns: Vec<String> = columns.map(|it| format!("({it})")).collect();
        let before = self.before.get(from..).unwrap_or_default();
        // Every parameter has to be somewhere.
        let limit = self.pushed.as_deref().unwrap_or_default();
        format!("{before} {}{}{limit}", columns.join(", "), self.after)
    }

    fn print(&self, lines: &mut Vec<String>) {
        let outputs = self.outputs.iter().map(|column| match column {
            Column::Key(key) => self.keys[*key].to_string(),
            Column::Aggregate(at) => {
                let Aggregate {
                    name,
                    argument,
                    filter,
                    ..
                } = &self.aggregates[*at];
                match filter {
                    None => format!("{name}({argument})"),
                    Some(filter) => format!("{name}({argument}) where {filter}"),
                }
            }
        });
        let outputs: Vec<String> = outputs.collect();
        lines.push(format!(
            "  groups merged: {}{}",
            outputs.join(", "),
            sorts(&self.order)
        ));
        lines.push(format!("  shards: {}", self.calls()));
    }

    /// Whether numbers are added up that may turn out to be floats.
    pub fn adds(&self) -> bool {
        let mut aggregates = self.aggregates.iter();
        aggregates.any(|aggregate| ["sum", "avg"].contains(&&*aggregate.name))
    }

    /// The shards' text with the aggregates' own calls.
    pub fn calls(&self) -> String {
        let call = |_: usize, aggregate: &Aggregate| {
            vec![format!("{}({})", aggregate.name, aggregate.argument)]
        };
        self.text(call, &[], &[])
    }
}

impl Sort {
    /// What stands behind its expression.
    pub fn text(self) -> &'static str {
        match (self.descending, self.nulls_first) {
            (false, false) => "",
            (false, true) => " NULLS FIRST",
            (true, true) => " DESC",
            (true, false) => " DESC NULLS LAST",
        }
    }
}

fn sorts(order: &[Sort]) -> String {
    let sort = |sort: &Sort| match sort.text() {
        "" => " asc".to_owned(),
        text => text.to_ascii_lowercase(),
    };
    match order {
        [] => String::new(),
        order => format!(":{}", order.iter().map(sort).collect::<Vec<_>>().join(",")),
    }
}

impl Limit {
    pub const NONE: Self = Self {
        count: None,
        offset: None,
        with_ties: false,
    };

    /// Reads the parameters. NULL is no limit, and no offset.
    ///
    /// Errors: 2201W and 2201X for negative ones, as PostgreSQL says it of the statement; 0A000 for what cannot be read
    /// as an integer, and where both together are beyond `bigint`.
    pub fn span(&self, params: &dyn ParamValues) -> Result<Span, PgError> {
        let read = |count: &Option<Count>| match count {
            None => Ok(None),
            Some(Count::Literal(value)) => Ok(i64::try_from(*value).ok()),
            Some(Count::Param(index)) => integer(*index, params),
        };
        // PostgreSQL looks at OFFSET first.
        // Source: `recompute_limits` in `nodeLimit.c`
        let negative = |code: SqlState, what: &str| {
            Err(PgError::client(
                code,
                format!("{what} must not be negative"),
            ))
        };
        let offset = match read(&self.offset)? {
            Some(..0) => return negative(SqlState::INVALID_OFFSET, "OFFSET"),
            Some(offset) => offset.unsigned_abs(),
            None => 0,
        };
        let count = match read(&self.count)? {
            Some(..0) => return negative(SqlState::INVALID_LIMIT, "LIMIT"),
            Some(count) => Some(count.unsigned_abs()),
            None => None,
        };
        if count.is_some_and(|count| count + offset > i64::MAX.unsigned_abs()) {
            return Err(PgError::refusal(
                "LIMIT and OFFSET of more than a bigint together are not supported over several shards",
                "leave the LIMIT out",
            ));
        }
        Ok(Span {
            count,
            offset,
            with_ties: self.with_ties,
        })
    }

    /// The parameters that have to be read, zero-based.
    pub fn params(&self) -> impl Iterator<Item = u16> + use<> {
        let counts = [self.count, self.offset];
        counts
            .into_iter()
            .flatten()
            .filter_map(|count| match count {
                Count::Param(index) => Some(index),
                Count::Literal(_) => None,
            })
    }

    fn line(&self) -> Option<String> {
        let count = |count: Count| match count {
            Count::Literal(value) => value.to_string(),
            Count::Param(index) => format!("${}", u32::from(index) + 1),
        };
        let mut words = Vec::new();
        if let Some(offset) = self.offset {
            words.push(format!("skips {}", count(offset)));
        }
        if let Some(limit) = self.count {
            let ties = if self.with_ties { " with ties" } else { "" };
            words.push(format!("takes {}{ties}", count(limit)));
        }
        (!words.is_empty()).then(|| format!("  {}", words.join(", ")))
    }
}

/// A parameter as an integer of whichever width.
fn integer(index: u16, params: &dyn ParamValues) -> Result<Option<i64>, PgError> {
    let value = match params.param(index) {
        Some((_, None)) => return Ok(None),
        Some((Format::Text, Some(bytes))) => std::str::from_utf8(bytes)
            .ok()
            .and_then(|text| text.trim_ascii().parse().ok()),
        Some((Format::Binary, Some(bytes))) => match *bytes {
            [a, b] => Some(i16::from_be_bytes([a, b]).into()),
            [a, b, c, d] => Some(i32::from_be_bytes([a, b, c, d]).into()),
            [a, b, c, d, e, f, g, h] => Some(i64::from_be_bytes([a, b, c, d, e, f, g, h])),
            _ => None,
        },
        None => None,
    };
    value.map(Some).ok_or_else(|| {
        PgError::refusal(
            format!(
                "the value of parameter ${}, which limits rows of several shards, is not a plain integer",
                u32::from(index) + 1
            ),
            "give it as a bigint",
        )
    })
}

/// Types of parameters that [`Limit::span`] reads.
pub fn counts(oid: Oid) -> bool {
    [
        Oid::UNSPECIFIED,
        Oid::UNKNOWN,
        Oid::INT2,
        Oid::INT4,
        Oid::INT8,
    ]
    .contains(&oid)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct One(Format, Option<&'static [u8]>);

    impl ParamValues for One {
        fn param(&self, index: u16) -> Option<(Format, Option<&[u8]>)> {
            (index == 0).then_some((self.0, self.1))
        }
    }

    #[test]
    fn limits_are_read_as_postgresql_reads_them() {
        let limit = |count, offset| Limit {
            count,
            offset,
            with_ties: false,
        };
        let (param, five) = (Some(Count::Param(0)), Some(Count::Literal(5)));
        let span = |limit: Limit, one: One| match limit.span(&one) {
            Ok(span) => format!("{:?} {}", span.count, span.offset),
            Err(error) => error.code.to_string(),
        };
        for (count, offset, one, expected) in [
            (param, None, One(Format::Text, Some(b"7")), "Some(7) 0"),
            (param, None, One(Format::Text, Some(b" 7 ")), "Some(7) 0"),
            (param, None, One(Format::Text, None), "None 0"),
            (param, None, One(Format::Text, Some(b"-1")), "2201W"),
            (param, None, One(Format::Text, Some(b"7.0")), "0A000"),
            (param, None, One(Format::Binary, Some(&[0, 7])), "Some(7) 0"),
            (
                param,
                None,
                One(Format::Binary, Some(&[0, 0, 0, 7])),
                "Some(7) 0",
            ),
            (param, None, One(Format::Binary, Some(&[255; 8])), "2201W"),
            (param, None, One(Format::Binary, Some(&[7])), "0A000"),
            (five, param, One(Format::Text, Some(b"2")), "Some(5) 2"),
            (five, param, One(Format::Text, None), "Some(5) 0"),
            (five, param, One(Format::Text, Some(b"-2")), "2201X"),
            (param, param, One(Format::Text, Some(b"-2")), "2201X"),
            (
                five,
                param,
                One(Format::Text, Some(b"9223372036854775807")),
                "0A000",
            ),
            (
                None,
                param,
                One(Format::Text, Some(b"9223372036854775807")),
                "None 9223372036854775807",
            ),
            (
                Some(Count::Param(1)),
                None,
                One(Format::Text, None),
                "0A000",
            ),
        ] {
            assert_eq!(span(limit(count, offset), one), expected);
        }
    }

    #[test]
    fn parts_take_the_place_of_calls() {
        let groups = Groups {
            before: "select".into(),
            after: " from t where a".into(),
            keys: vec!["b".into(), "c + 1".into()],
            order: vec![
                Sort {
                    descending: true,
                    nulls_first: true,
                },
                Sort {
                    descending: false,
                    nulls_first: false,
                },
            ],
            aggregates: vec![Aggregate {
                name: "avg".into(),
                argument: "x".into(),
                filter: Some("y > 1".into()),
            }],
            outputs: vec![Column::Aggregate(0), Column::Key(1)],
            limit: Limit::default(),
            pushed: Some(" LIMIT 3".into()),
        };
        let parts = |_: usize, call: &Aggregate| {
            let argument = &call.argument;
            vec![format!("count({argument})"), format!("sum({argument})")]
        };
        assert_eq!(
            groups.text(parts, &[1], &[]),
            "select (b), (c + 1), count(x) FILTER (WHERE y > 1), sum(x) FILTER (WHERE y > 1), (c + 1) \
             from t where a GROUP BY 1, 2 ORDER BY 1 DESC, 2 LIMIT 3"
        );
    }
}
