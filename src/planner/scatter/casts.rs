//! Casts that may read a text while a statement runs, and find the time of the transaction in it (`'no' || 'w'`, a column with
//! that word): each shard would find its own. What strings say that stand in the text is looked at elsewhere.
//!
//! So the operand of a cast to a type with a date or a time in it has to be known as no text: a string of the text, a
//! parameter (whose value is looked at), a column that is a date or a time wherever the catalogs know one of its name, a function
//! that gives one, and what is one of these, with something added to it or told in another time zone. So has that of a type that
//! users define.
//! Source: <https://www.postgresql.org/docs/current/datatype-datetime.html#DATATYPE-DATETIME-SPECIAL-VALUES>

use crate::planner::Schema;
use crate::sql::{self, Kind, Token};
use crate::types::Oid;

const TIMES: [&str; 5] = ["date", "time", "timestamp", "timestamptz", "timetz"];
const TIME_OIDS: [Oid; 5] = [
    Oid::DATE,
    Oid::TIMESTAMP,
    Oid::TIMESTAMPTZ,
    Oid(1083),
    Oid(1266),
];

/// Functions that give one, whatever their arguments are.
const GIVE_TIMES: [&str; 9] = [
    "date_bin",
    "date_trunc",
    "make_date",
    "make_time",
    "make_timestamp",
    "make_timestamptz",
    "timezone",
    "to_date",
    "to_timestamp",
];

/// Types that read no date and no time.
const OTHERS: [&str; 42] = [
    "bigint",
    "bit",
    "bool",
    "boolean",
    "bpchar",
    "bytea",
    "char",
    "character",
    "cidr",
    "dec",
    "decimal",
    "double",
    "float",
    "float4",
    "float8",
    "inet",
    "int",
    "int2",
    "int4",
    "int4range",
    "int8",
    "int8range",
    "integer",
    "interval",
    "json",
    "jsonb",
    "jsonpath",
    "macaddr",
    "money",
    "name",
    "numeric",
    "numrange",
    "oid",
    "point",
    "real",
    "smallint",
    "text",
    "tsquery",
    "tsvector",
    "uuid",
    "varbit",
    "varchar",
];

/// A cast of which that is not known.
pub(super) fn may_read_moment(tokens: &[Token<'_>], schema: &Schema) -> bool {
    let queries = tokens.iter().filter(|token| super::begins_query(token));
    let is_named = |name: &str| { tokens.iter() }.any(|it| it.is_name() && it.value == name);
    let mut relations = schema.relations.iter();
    let is_unknown =
        relations.any(|(it, relation)| relation.columns.is_empty() && is_named(&it.name));
    let casts = Casts {
        tokens,
        schema,
        knows_columns: queries.count() == 1 && !is_unknown,
    };
    (0..tokens.len()).any(|at| casts.may_read_moment(at))
}

struct Casts<'t> {
    tokens: &'t [Token<'t>],
    schema: &'t Schema,
    /// No name is a column of a query within, or of a relation whose columns are not known.
    knows_columns: bool,
}

impl Casts<'_> {
    /// The cast that begins or stands here.
    fn may_read_moment(&self, at: usize) -> bool {
        let tokens = self.tokens;
        let token = &tokens[at];
        let opens = tokens.get(at + 1).is_some_and(|next| next.is_op("("));
        if token.is_op("::") {
            return reads_times(&tokens[at + 1..]) && !self.is_typed(at);
        }
        if !opens || at > 0 && tokens[at - 1].is_op("::") {
            return false;
        }
        let Some(close) = sql::closing(tokens, at + 1) else {
            return true;
        };
        let within = &tokens[at + 2..close];
        if token.is_word("cast") {
            let to = within.iter().rposition(|token| token.is_word("as"));
            return to
                .is_none_or(|to| reads_times(&within[to + 1..]) && !self.is_time(&within[..to]));
        }
        // A type's name that is called is a cast.
        token.is_name() && TIMES.contains(&&*token.value) && !self.is_time(within)
    }

    /// Whether what stands before `::` is known as no text.
    fn is_typed(&self, at: usize) -> bool {
        let tokens = self.tokens;
        let Some(last) = at.checked_sub(1) else {
            return false;
        };
        let mut start = last;
        if tokens[last].is_op(")") {
            let Some(open) = self.opening(last) else {
                return false;
            };
            let is_called =
                |at: &usize| tokens[*at].is_name() && !sql::is_before_operand(&tokens[*at]);
            let called = open.checked_sub(1).filter(is_called);
            start = called.unwrap_or(open);
        }
        while start >= 2 && tokens[start - 1].is_op(".") && tokens[start - 2].is_name() {
            start -= 2;
        }
        match start.checked_sub(1).map(|before| &tokens[before]) {
            // The one cast is looked at by itself.
            Some(before) if before.is_op("::") => TIMES.contains(&&*tokens[start].value),
            _ => self.is_time(&tokens[start..at]),
        }
    }

    fn opening(&self, close: usize) -> Option<usize> {
        let mut depth = 0usize;
        for place in (0..=close).rev() {
            if self.tokens[place].is_op(")") {
                depth += 1;
            } else if self.tokens[place].is_op("(") {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(place);
                }
            }
        }
        None
    }

    /// It is a date or a time, or a value that is read where the statement is.
    fn is_time(&self, operand: &[Token<'_>]) -> bool {
        match operand {
            [only] if only.kind == Kind::Word && sql::is_moment(&only.value) => true,
            [only] if only.is_name() => self.is_column(&only.value),
            [only] => matches!(only.kind, Kind::String | Kind::Param),
            [relation, dot, name] if dot.is_op(".") => {
                relation.is_name() && name.is_name() && self.is_column(&name.value)
            }
            [name, open, ..] if name.is_name() && open.is_op("(") && closes_with(operand, 1) => {
                GIVE_TIMES.contains(&&*name.value) || sql::is_moment(&name.value)
            }
            [open, within @ .., _] if open.is_op("(") && closes_with(operand, 0) => {
                self.is_time(within)
            }
            _ => self.is_sum(operand),
        }
    }

    /// `a + interval '1 day'`, `a - 1`, `a at time zone 'UTC'`: what is added to a time makes no text of it.
    fn is_sum(&self, operand: &[Token<'_>]) -> bool {
        if let [first @ .., at, time, zone, name] = operand
            && at.is_word("at")
            && time.is_word("time")
            && zone.is_word("zone")
        {
            return name.kind == Kind::String && self.is_time(first);
        }
        let sign = operand
            .iter()
            .rposition(|it| it.is_op("+") || it.is_op("-"));
        let Some((first, [_, added @ ..])) = sign.map(|sign| operand.split_at(sign)) else {
            return false;
        };
        let is_plain = match added {
            [number] => matches!(number.kind, Kind::Number | Kind::Param),
            [interval, text] => interval.is_word("interval") && text.kind == Kind::String,
            _ => false,
        };
        is_plain && self.is_time(first)
    }

    fn is_column(&self, name: &str) -> bool {
        let relations = self.schema.relations.values();
        let columns = relations.flat_map(|relation| &relation.columns);
        let mut columns = columns.filter(|column| column.name == name).peekable();
        self.knows_columns
            && columns.peek().is_some()
            && columns.all(|column| TIME_OIDS.contains(&column.type_oid))
    }
}

/// What opens there closes last.
fn closes_with(tokens: &[Token<'_>], open: usize) -> bool {
    sql::closing(tokens, open) == Some(tokens.len() - 1)
}

/// Whether values of the type that these tokens begin with may be read as a date or a time.
fn reads_times(tokens: &[Token<'_>]) -> bool {
    let name = match tokens {
        [schema, dot, name, ..] if dot.is_op(".") && schema.value == "pg_catalog" => name,
        [_, dot, ..] if dot.is_op(".") => return true,
        [name, ..] => name,
        [] => return true,
    };
    !OTHERS.contains(&&*name.value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::planner::{Column, Relation, RelationKind};
    use crate::shardmap::TableName;

    fn schema() -> Schema {
        let column = |name: &str, type_oid| Column {
            name: name.to_owned(),
            type_oid,
            key_type: None,
            declared: None,
            generated: false,
            has_default: false,
        };
        let relation = |columns: Vec<Column>| Relation {
            kind: RelationKind::Listed,
            columns,
        };
        let name = |name: &str| TableName {
            schema: "public".to_owned(),
            name: name.to_owned(),
        };
        let mut schema = Schema::default();
        let (t, u) = (
            vec![column("at", Oid::TIMESTAMPTZ), column("day", Oid::DATE)],
            vec![column("day", Oid::TEXT), column("note", Oid::TEXT)],
        );
        schema.relations.insert(name("t"), relation(t));
        schema.relations.insert(name("u"), relation(u));
        schema
    }

    #[test]
    fn texts_may_be_read_as_the_time() {
        let may = |expression: &str| {
            let text = format!("select {expression} from t");
            may_read_moment(&sql::tokens(&text).expect("tokens"), &schema())
        };
        for certain in [
            "at::date",
            "t.at::date",
            "(t.at)::pg_catalog.date",
            "at::timestamp(0)::date",
            "cast(at as date)",
            "'2025-01-01'::date",
            "$1::timestamptz",
            "date_trunc('day', note::text)::date",
            "(at at time zone 'UTC')::date",
            "(now() - interval '1 day' + interval '1 h')::date",
            "current_date::timestamp",
            "(at - $1)::date",
            "note::int4::numeric(9, 2)",
            "('a' || note)::text",
            "date '2025-01-01'",
            "date(at)",
        ] {
            assert!(!may(certain), "{certain}");
        }
        for text in [
            "('no' || 'w')::timestamptz",
            "concat('n', 'ow')::date",
            "note::date",
            "day::timestamp",
            "nothing::date",
            "note::text::date",
            "cast(note as date)",
            "cast(note || 'w' as pg_catalog.timestamptz)",
            "(note || at at time zone 'UTC')::date",
            "(at || note)::date",
            "array[note]::date[]",
            "note::public.mine",
            "note::tstzrange",
            "date(note)",
            "timestamptz(lower(note))",
            "coalesce(at, note)::date",
            "(select at)::date",
            "at::date, (select 1)",
        ] {
            assert!(may(text), "{text}");
        }
    }
}
