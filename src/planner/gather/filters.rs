//! Which rows of what is gathered cannot matter, because a condition of the statement's own WHERE is about this one table
//! and literals. The shards leave those out.
//!
//! Read from the text when it runs, for plans know no literals; what the table is called there is known from the tree
//! ([`called`]). Conditions are of few forms, whose answer depends on no setting, collation or time, and which cannot fail.

use crate::plan::{Called, Part};
use crate::planner::schema::Column;
use crate::shardmap::{TableName, identifier};
use crate::sql::tree::{Arm, From, Query, Verb};
use crate::sql::{self, Kind, Token};
use crate::types::Oid;

/// What ends a WHERE.
const ENDS: [&str; 9] = [
    "group", "having", "order", "limit", "offset", "fetch", "window", "for", "into",
];
const COMPARISONS: [&str; 7] = ["=", "<>", "!=", "<", "<=", ">", ">="];
const FLOAT4: Oid = Oid(700);
const FLOAT8: Oid = Oid(701);

/// What the table is called in the statement's only block, if it is in its FROM list.
pub(super) fn called(query: &Query, table: &TableName) -> Option<Called> {
    let [Arm::Block(block)] = query.arms.as_slice() else {
        return None;
    };
    if !query.ctes.is_empty() || block.verb != Verb::Select {
        return None;
    }
    fn find<'q>(item: &'q From, name: &str) -> Option<&'q sql::tree::Table> {
        match item {
            From::Table(table) => (table.name.name == name).then_some(table),
            From::Join(join) => find(&join.left, name).or_else(|| find(&join.right, name)),
            From::Derived { .. } | From::Function { .. } => None,
        }
    }
    let found = block.from.iter().find_map(|item| find(item, &table.name))?;
    found.columns.is_empty().then(|| Called {
        name: found
            .alias
            .clone()
            .unwrap_or_else(|| found.name.name.clone()),
        alone: matches!(block.from.as_slice(), [From::Table(_)]),
    })
}

/// The condition for rows of the table to matter, in SQL; `None` where none is found. `columns` are the table's.
pub fn filter(text: &str, part: &Part, columns: &[Column]) -> Option<String> {
    condition(text, &part.table, part.called.as_ref()?, columns, false)
}

/// The same, of a table that is `called` so; `params`: with parameters, too.
pub(super) fn condition(
    text: &str,
    table: &TableName,
    called: &Called,
    columns: &[Column],
    params: bool,
) -> Option<String> {
    let all = sql::tokens(text).ok()?;
    // An EXPLAIN has the rows travel that its statement has.
    let begins = super::explain_prefix(text).map_or(0, |(_, begins)| begins);
    let tokens = &all[all.partition_point(|token| token.start < begins)..];
    let uses = tokens.iter().enumerate().filter(|(at, token)| {
        let qualifies = tokens.get(at + 1).is_some_and(|next| next.is_op("."));
        token.is_name() && token.value == table.name && !qualifies
    });
    // An alias that is called like the table is taken for another use of it.
    let sampled = tokens.iter().any(|token| token.is_word("tablesample"));
    if !tokens.first()?.is_word("select") || uses.count() != 1 || sampled {
        return None;
    }
    let extends = ["left", "right", "full"];
    let condition = Condition {
        text,
        called,
        columns,
        params,
        extended: tokens
            .iter()
            .any(|token| extends.iter().any(|word| token.is_word(word))),
    };
    let conjuncts = conjuncts(tokens)?;
    let known: Vec<String> = conjuncts
        .iter()
        .filter_map(|conjunct| condition.read(conjunct))
        .collect();
    (!known.is_empty()).then(|| known.join(" AND "))
}

/// The conjuncts of the outermost WHERE. `None` where it is not certain what they are.
fn conjuncts<'t, 'a>(tokens: &'t [Token<'a>]) -> Option<Vec<&'t [Token<'a>]>> {
    let (mut depth, mut begin, mut between) = (0usize, None, false);
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        match (&token.kind, &*token.value) {
            (Kind::Operator, "(" | "[") => depth += 1,
            (Kind::Operator, ")" | "]") => depth = depth.checked_sub(1)?,
            _ => {}
        }
        if depth > 0 {
            continue;
        }
        let is = |words: &[&str]| words.iter().any(|word| token.is_word(word));
        if is(&["union", "intersect", "except"]) {
            return None;
        }
        let Some(from) = begin else {
            if token.is_word("where") {
                begin = Some(at + 1);
            }
            continue;
        };
        if from == usize::MAX {
            continue;
        }
        if is(&["or", "case", "where"]) {
            return None;
        }
        if token.is_word("between") {
            if between {
                return None;
            }
            between = true;
        } else if token.is_word("and") && between {
            between = false;
        } else if token.is_word("and") {
            found.push(&tokens[from..at]);
            begin = Some(at + 1);
        } else if is(&ENDS) || token.is_op(";") {
            found.push(&tokens[from..at]);
            begin = Some(usize::MAX);
        }
    }
    match begin {
        None => None,
        Some(usize::MAX) => Some(found),
        Some(from) => {
            found.push(&tokens[from..]);
            Some(found)
        }
    }
}

/// What is known of the table while its conditions are read.
struct Condition<'c> {
    text: &'c str,
    called: &'c Called,
    columns: &'c [Column],
    /// Shards are told the parameters, too.
    params: bool,
    /// An outer join may make up rows of it, for which a condition that NULL passes says nothing of its own rows.
    extended: bool,
}

impl Condition<'_> {
    fn read(&self, tokens: &[Token<'_>]) -> Option<String> {
        let (column, rest) = self.column(tokens)?;
        let name = identifier(&column.name);
        let ordered = column.type_oid != Oid::TEXT && column.type_oid != Oid::VARCHAR;
        let value = |token: &[Token<'_>]| self.literal(column, token);
        let words = |words: &[&str]| {
            words.len() == rest.len()
                && rest
                    .iter()
                    .zip(words)
                    .all(|(token, word)| token.is_word(word))
        };
        if words(&["is", "not", "null"]) {
            return Some(format!("{name} IS NOT NULL"));
        }
        if words(&["is", "null"]) {
            return (!self.extended).then(|| format!("{name} IS NULL"));
        }
        let (negated, rest) = match rest.split_first() {
            Some((first, rest)) if first.is_word("not") => ("NOT ", rest),
            _ => ("", rest),
        };
        match rest {
            [first, open, list @ .., close]
                if first.is_word("in") && open.is_op("(") && close.is_op(")") =>
            {
                let values: Option<Vec<_>> =
                    list.split(|token| token.is_op(",")).map(value).collect();
                Some(format!("{name} {negated}IN ({})", values?.join(", ")))
            }
            [first, bounds @ ..] if first.is_word("between") && ordered => {
                let and = bounds.iter().position(|token| token.is_word("and"))?;
                let (low, high) = (value(&bounds[..and])?, value(&bounds[and + 1..])?);
                Some(format!("{name} {negated}BETWEEN {low} AND {high}"))
            }
            [equals, any, open, param, close]
                if equals.is_op("=")
                    && any.is_word("any")
                    && open.is_op("(")
                    && close.is_op(")") =>
            {
                Some(format!("{name} = ANY ({})", self.param(column, param)?))
            }
            [operator, literal @ ..] if negated.is_empty() && operator.kind == Kind::Operator => {
                let sign = &*operator.value;
                let compares =
                    COMPARISONS.contains(&sign) && (ordered || ["=", "<>", "!="].contains(&sign));
                let value = compares.then(|| value(literal)).flatten()?;
                Some(format!("{name} {sign} {value}"))
            }
            _ => None,
        }
    }

    /// The column a condition begins with, and what follows.
    fn column<'t, 'a>(&self, tokens: &'t [Token<'a>]) -> Option<(&Column, &'t [Token<'a>])> {
        let (name, rest) = match tokens {
            [relation, dot, name, rest @ ..]
                if relation.is_name() && dot.is_op(".") && relation.value == self.called.name =>
            {
                (name, rest)
            }
            [name, rest @ ..] if self.called.alone => (name, rest),
            _ => return None,
        };
        let mut columns = self.columns.iter();
        let column = columns.find(|column| name.is_name() && column.name == name.value)?;
        Some((column, rest))
    }

    /// A parameter, which has the same type and value everywhere.
    fn param(&self, column: &Column, token: &Token<'_>) -> Option<String> {
        let of = &column.type_oid;
        let is_compared = NUMBERS.contains(of) || OTHERS.contains(of) || is_plain_text(column);
        let is_param = self.params && token.kind == Kind::Param;
        (is_param && is_compared)
            .then(|| self.written(token))
            .flatten()
    }

    fn written(&self, token: &Token<'_>) -> Option<String> {
        self.text.get(token.start..token.end).map(str::to_owned)
    }

    /// A literal that is read alike on every server and has a value of the column's type, as it is written.
    fn literal(&self, column: &Column, tokens: &[Token<'_>]) -> Option<String> {
        let of = column.type_oid;
        match tokens {
            [param] if param.kind == Kind::Param => self.param(column, param),
            [number] if number.kind == Kind::Number && NUMBERS.contains(&of) => {
                self.written(number)
            }
            [minus, number]
                if minus.is_op("-") && number.kind == Kind::Number && NUMBERS.contains(&of) =>
            {
                Some(format!("-{}", self.written(number)?))
            }
            [string] if string.kind == Kind::String => {
                let day = (of == Oid::DATE || of == Oid::TIMESTAMP) && is_day(&string.value);
                (day || is_plain_text(column))
                    .then(|| self.written(string))
                    .flatten()
            }
            [word, string] if word.is_word("date") && string.kind == Kind::String => {
                let day = (of == Oid::DATE || of == Oid::TIMESTAMP) && is_day(&string.value);
                day.then(|| Some(format!("date {}", self.written(string)?)))
                    .flatten()
            }
            _ => None,
        }
    }
}

const NUMBERS: [Oid; 6] = [
    Oid::INT2,
    Oid::INT4,
    Oid::INT8,
    Oid::NUMERIC,
    FLOAT4,
    FLOAT8,
];

/// Other types whose values any server compares alike with those of any type, and without an error.
const OTHERS: [Oid; 5] = [
    Oid::BOOL,
    Oid::DATE,
    Oid::TIMESTAMP,
    Oid::TIMESTAMPTZ,
    Oid::UUID,
];

/// Collations in which what differs may be equal are others' on other servers.
pub(super) fn is_plain_text(column: &Column) -> bool {
    [Oid::TEXT, Oid::VARCHAR].contains(&column.type_oid) && column.key_type.is_some()
}

/// `2025-03-01`: the same day whatever DateStyle is, and none that may be missing from its month.
fn is_day(text: &str) -> bool {
    let bytes = text.as_bytes();
    let digits = |range: std::ops::Range<usize>| {
        let digits = text.get(range)?;
        let all = digits.bytes().all(|byte| byte.is_ascii_digit());
        all.then(|| digits.parse::<u32>().ok()).flatten()
    };
    bytes.len() == 10
        && (bytes[4], bytes[7]) == (b'-', b'-')
        && digits(0..4).is_some_and(|year| year > 0)
        && digits(5..7).is_some_and(|month| (1..=12).contains(&month))
        && digits(8..10).is_some_and(|day| (1..=28).contains(&day))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Columns;
    use crate::types::KeyType;

    fn column(name: &str, type_oid: Oid, key_type: Option<KeyType>) -> Column {
        Column {
            name: name.to_owned(),
            type_oid,
            key_type,
            declared: Some("".into()),
            generated: false,
            has_default: false,
        }
    }

    fn columns() -> [Column; 7] {
        [
            column("k", Oid::INT8, Some(KeyType::BigInt)),
            column("f", FLOAT8, None),
            column("s", Oid::TEXT, Some(KeyType::Text)),
            column("c", Oid::TEXT, None),
            column("d", Oid::DATE, Some(KeyType::Date)),
            column("z", Oid::TIMESTAMPTZ, None),
            column("Two Words", Oid::INT4, None),
        ]
    }

    /// Of a table `t`, which the statement calls `called`.
    fn of(text: &str, called: &str, alone: bool) -> String {
        let columns = columns();
        let name = called.to_owned();
        let part = Part {
            table: TableName {
                schema: "public".to_owned(),
                name: "t".to_owned(),
            },
            shards: Vec::new(),
            columns: Columns::default(),
            called: Some(Called { name, alone }),
            joined: Vec::new(),
        };
        let found = filter(text, &part, &columns).unwrap_or_default();
        let names = ["k", "f", "s", "d"];
        names.iter().fold(found, |found, name| {
            found.replace(&format!("\"{name}\""), name)
        })
    }

    #[test]
    fn conditions_of_one_table_are_found() {
        let where_ = |condition: &str| {
            of(
                &format!("select 1 from t m, u where {condition}"),
                "m",
                false,
            )
        };
        for (condition, found) in [
            ("m.k = 5 and u.k = 6 and m.f > -0.5", "k = 5 AND f > -0.5"),
            (
                "m.k between 1 and 5 and m.s = 'a''b'",
                "k BETWEEN 1 AND 5 AND s = 'a''b'",
            ),
            (
                "m.k not in (1, 2) and m.s in ('a')",
                "k NOT IN (1, 2) AND s IN ('a')",
            ),
            (
                "m.k is null and m.f is not null",
                "k IS NULL AND f IS NOT NULL",
            ),
            ("m.\"Two Words\" <> 5", "\"Two Words\" <> 5"),
            (
                "m.d >= '2025-03-01' and m.d < date '2025-04-01'",
                "d >= '2025-03-01' AND d < date '2025-04-01'",
            ),
            ("(m.k = 5 or u.k = 6) and m.f < 1 order by 1", "f < 1"),
            (
                "m.f < 1 group by 1 having count(*) > 1 and m.k = 5",
                "f < 1",
            ),
            ("u.k between 1 and 2 and m.k = 3;", "k = 3"),
        ] {
            assert_eq!(where_(condition), found, "{condition}");
        }
        assert_eq!(
            of("select * from t where k = 5 and k = x", "t", true),
            "k = 5"
        );
        assert_eq!(of("select * from t where k = 5", "t", false), "");
    }

    #[test]
    fn conditions_with_parameters_are_for_those_who_are_told_them() {
        let table = TableName {
            schema: "public".to_owned(),
            name: "t".to_owned(),
        };
        let called = Called {
            name: "m".to_owned(),
            alone: false,
        };
        let of = |condition: &str, params: bool| {
            let text = format!("select 1 from t m, u where {condition}");
            super::condition(&text, &table, &called, &columns(), params).unwrap_or_default()
        };
        for (condition, found) in [
            ("m.k = $1 and m.f < $12", "\"k\" = $1 AND \"f\" < $12"),
            (
                "m.k = any($1) and m.s = $2",
                "\"k\" = ANY ($1) AND \"s\" = $2",
            ),
            ("m.k in ($1, 2)", "\"k\" IN ($1, 2)"),
            ("m.z between $1 and $2", "\"z\" BETWEEN $1 AND $2"),
            ("m.s > $1 and m.c = $2", ""),
            (
                "m.k = any(array[$1]) and m.k < any($1) and m.k = $1::int",
                "",
            ),
        ] {
            assert_eq!(of(condition, true), found, "{condition}");
            assert_eq!(of(condition, false), "", "{condition}");
        }
    }

    #[test]
    fn what_is_not_certain_is_left() {
        for condition in [
            "m.k = 5 or m.k = 6",
            "m.k = 5 and u.k = 6 or u.k = 7",
            "not m.k = 5",
            "case when u.k = 1 and m.k = 2 and u.k = 3 then true end",
            "u.k between 1 and m.k = 5",
            "u.k between 1 between 2 and m.k = 5",
            "m.k = 5 + 1",
            "m.k = 5::int",
            "m.k = '5'",
            "m.k = $1",
            "m.k = u.k",
            "m.s > 'a'",
            "m.s between 'a' and 'b'",
            "m.c = 'a'",
            "m.d > 'today'",
            "m.d > '2025-02-30'",
            "m.d > '01.02.2025'",
            "m.z > '2025-02-03'",
            "m.k = 5 is true",
            "m.k < all (1)",
            "m.k in (select 1)",
            "m.k in (1, u.k)",
            "m.nothing = 5",
            "k = 5",
        ] {
            let text = format!("select 1 from t m, u where {condition}");
            assert_eq!(of(&text, "m", false), "", "{condition}");
        }
        for text in [
            "select 1 from t m where m.k = 5 union select 1 from u where true",
            "select 1 from t m, u where m.k = 5 and exists (select 1 from t)",
            "select 1 from u left join t m on true where m.k is null",
            "select 1 from t m",
        ] {
            assert_eq!(of(text, "m", false), "", "{text}");
        }
        for explain in ["explain", "explain analyze verbose", "EXPLAIN (costs off)"] {
            let text = format!("{explain} select 1 from t m where m.k = 5");
            assert_eq!(of(&text, "m", false), "k = 5");
        }
        let joined = "select 1 from u left join t m on true where m.k = 5 and m.f is not null";
        assert_eq!(of(joined, "m", false), "k = 5 AND f IS NOT NULL");
    }
}
