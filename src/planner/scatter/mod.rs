//! A SELECT over several shards that each of them can answer for its own rows: the proof, and what the proxy has to do
//! with the answers. Right or not at all: whatever is not known to be right is somebody else's (gather).

mod casts;
mod finish;
mod functions;
mod groups;
mod kinds;
mod list;
mod regroup;
mod rows;
mod tail;

use super::cursor::Cursor;
#[cfg(test)]
use super::names::Names;
use super::scope::{Asked, Proven, Whole, prove};
use super::{Context, Planner, Schema, hinted, params};
use crate::error::PgError;
use crate::plan::{
    ColumnKey, Finish, KeyTarget, Learned, Limit, Merge, RelationKey, Rows, Scatter,
};
use crate::sql::tree::Operand;
use crate::sql::{
    self, Analysis, Body, Expression, Groups, Item, Kind, Level, Outline, Select, Token,
};

use crate::types::Oid;
use functions::kind;
pub(super) use kinds::kinds;
use list::List;

/// Why a statement is no scatter.
#[derive(Clone, Debug)]
pub enum Otherwise {
    /// Its literals have been taken out: what is made of its text has to see them.
    Text,
    /// Shards cannot answer it for themselves, or not in a way that is known here.
    Gather(String),
    /// It cannot be read, or not be run at all.
    Refused(PgError),
}

/// Plans a statement as a scatter, whatever else it may be.
#[cfg(test)]
pub fn scatter(text: &str, context: &Context<'_>) -> Result<Scatter, Otherwise> {
    let tokens = crate::sql::tokens(text).map_err(Otherwise::Refused)?;
    if context.map.is_unsharded() {
        return gather("no table of this database is sharded");
    }
    let planner = Planner {
        names: &Names::new(context),
        context,
        lenient: false,
        gathers: false,
        scatters: false,
    };
    of_tokens(Cursor::new(text, &tokens), &planner)
}

/// The same, of a statement's tokens.
#[cfg(test)]
pub(super) fn of_tokens(at: Cursor<'_>, planner: &Planner<'_>) -> Result<Scatter, Otherwise> {
    may_be(at, planner)?;
    let calls = super::functions::check(at.rest, planner.names, planner.context)
        .map_err(Otherwise::Refused)?;
    let listed = planner.names.mentioned(at.rest).unwrap_or_default();
    let analysis = planner.analyse(at, listed, calls.in_sql_count, true);
    of_analysis(at, &analysis.map_err(Otherwise::Refused)?, planner)
}

/// Whether a statement of these tokens may be one at all.
fn may_be(at: Cursor<'_>, planner: &Planner<'_>) -> Result<(), Otherwise> {
    let tokens = at.rest;
    if hinted::has_slots(tokens) {
        return Err(Otherwise::Text);
    }
    if !is_query(tokens) {
        return gather("it is no SELECT");
    }
    if let Some(reason) = hindrance(tokens, planner.context.schema) {
        return gather(reason);
    }
    if planner.names.mentioned(tokens).is_none() {
        return gather("it names no table of the shard map");
    }
    Ok(())
}

/// The same, of a statement whose functions may be called and whose analysis has its outline.
pub(super) fn of_analysis(
    at: Cursor<'_>,
    analysis: &Analysis,
    planner: &Planner<'_>,
) -> Result<Scatter, Otherwise> {
    may_be(at, planner)?;
    let (names, context) = (planner.names, planner.context);
    let tokens = at.rest;
    let Some(moments) = sql::moments(tokens) else {
        return gather("a name that may be the time of the transaction");
    };
    // A value has another label than the function has, and inner queries may ask for columns by their labels. Those of
    // the outermost one are compared.
    if !moments.is_empty() && tokens.iter().filter(|token| begins_query(token)).count() > 1 {
        return gather("the time of the transaction beside a query within");
    }
    let Some(outline) = &analysis.outline else {
        return gather("it has a part that is not known here");
    };
    if let Some(name) = unsettled(outline, context.schema) {
        return gather(format!("{name}() may not be the same on every shard"));
    }
    let (whole, asked) = asked(outline);
    if whole == Whole::Query && (analysis.query.limited || outline.ordered) {
        return gather("ORDER BY or LIMIT of a set operation");
    }
    if matches!(outline.body, Body::Other) {
        return gather("a query in parentheses");
    }
    let query = &analysis.query;
    let prove = |asked: &[Asked]| match prove(query, whole, asked, names, context) {
        Ok(proof) => proof.map_err(Otherwise::Gather),
        Err(error) => Err(Otherwise::Refused(error)),
    };
    let mut proven = prove(&asked)?;
    if let Some(asked) = aliased(outline, &asked, &proven) {
        let names = std::mem::take(&mut proven.found);
        proven = prove(&asked)?;
        for (found, before) in proven.found.iter_mut().zip(names) {
            found.absent = before.absent;
        }
    }
    let ordered = |name: &String| kind(name, context.schema) == Some(functions::Kind::Ordered);
    if proven.reads_reference && outline.functions.iter().any(ordered) {
        return gather("an aggregate may depend on the order of a reference table's rows");
    }
    let (merge, finish) = merge(at, outline, &proven, query.limited, context)?;
    if let Some(reason) = uncertain_count(&merge, tokens, context) {
        return gather(reason);
    }
    Ok(Scatter {
        anchors: anchors(tokens, &proven, context),
        merge,
        finish: finish.map(Box::new),
        reason: proven.reasons.join(", "),
        has_moments: !moments.is_empty(),
        explained: None,
        learned: Learned::default(),
    })
}

/// A parameter that limits rows has the type that another place gives it, where that is not declared.
fn uncertain_count(
    merge: &Merge,
    tokens: &[Token<'_>],
    context: &Context<'_>,
) -> Option<&'static str> {
    let limit = match merge {
        Merge::Rows(rows) => &rows.limit,
        Merge::Groups(groups) => &groups.limit,
        Merge::Tables(_) => return None,
    };
    let is_uncertain = |index: u16| {
        let name = (u32::from(index) + 1).to_string();
        let named = |token: &&Token<'_>| token.kind == Kind::Param && *token.value == *name;
        let declared = super::operand::declared(context, index);
        declared == Oid::UNSPECIFIED && tokens.iter().filter(named).count() > 1
    };
    { limit.params() }
        .any(is_uncertain)
        .then_some("a parameter that limits rows stands elsewhere, too")
}

pub(super) fn gather<T>(reason: impl Into<String>) -> Result<T, Otherwise> {
    Err(Otherwise::Gather(reason.into()))
}

/// Whether every server makes the same of the same rows: of a view, of which the text is not kept.
pub(super) fn is_settled(tokens: &[Token<'_>], outline: Option<&Outline>, schema: &Schema) -> bool {
    hindrance(tokens, schema).is_none()
        && sql::moments(tokens).is_some_and(|moments| moments.is_empty())
        && outline.is_some_and(|outline| unsettled(outline, schema).is_none())
}

/// A function of which that is not known.
fn unsettled<'o>(outline: &'o Outline, schema: &Schema) -> Option<&'o String> {
    let mut functions = outline.functions.iter();
    functions.find(|name| kind(name, schema).is_none())
}

fn begins_query(token: &Token<'_>) -> bool {
    let words = ["select", "values", "table", "with"];
    words.iter().any(|word| token.is_word(word))
}

fn is_query(tokens: &[Token<'_>]) -> bool {
    let first = tokens.iter().find(|token| !token.is_op("("));
    first.is_some_and(|token| token.is_word("select") || token.is_word("with"))
}

/// What is not the same on every server, by token.
fn hindrance(tokens: &[Token<'_>], schema: &Schema) -> Option<&'static str> {
    const SYSTEM: &[&str] = &["tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"];
    // Types whose values are OIDs of one server's catalogs.
    const CATALOG: &[&str] = &[
        "regclass",
        "regcollation",
        "regconfig",
        "regdictionary",
        "regnamespace",
        "regoper",
        "regoperator",
        "regproc",
        "regprocedure",
        "regrole",
        "regtype",
    ];
    const OWN: &[&str] = &[
        "current_catalog",
        "current_role",
        "current_schema",
        "current_user",
        "session_user",
        "system_user",
        "tablesample",
        "user",
    ];
    for token in tokens {
        let value = &*token.value;
        if token.is_name() && SYSTEM.contains(&value) {
            return Some("a system column");
        }
        if token.is_name() && CATALOG.contains(&value) {
            return Some("an OID of one server");
        }
        if token.kind == Kind::Word && OWN.contains(&value) {
            return Some("a value of the transaction, the session or one server");
        }
        if token.kind == Kind::String && says_moment(value) {
            return Some("a string that may be the time of the transaction");
        }
    }
    casts::may_read_moment(tokens, schema)
        .then_some("a text that may be read as the time of the transaction")
}

/// `'now'`, `'today 10:00'`: a date or time that is the transaction's. A text of several words is none.
/// Source: <https://www.postgresql.org/docs/current/datatype-datetime.html#DATATYPE-DATETIME-SPECIAL-VALUES>
fn says_moment(text: &str) -> bool {
    const WORDS_MAX: usize = 8;
    let mut words = text
        .split(|c: char| !c.is_ascii_alphabetic())
        .filter(|word| !word.is_empty());
    let is = |word: &str| {
        ["now", "today", "tomorrow", "yesterday"]
            .iter()
            .any(|moment| word.eq_ignore_ascii_case(moment))
    };
    words.clone().nth(WORDS_MAX).is_none() && words.any(is)
}

/// How the proof goes, and what is asked of each block.
fn asked(outline: &Outline) -> (Whole, Vec<Asked>) {
    match &outline.body {
        Body::Select(select) => (Whole::Block, vec![asked_of(select)]),
        Body::UnionAll(arms) => (Whole::Arms, arms.iter().map(asked_of).collect()),
        Body::Set | Body::Other => (Whole::Query, Vec::new()),
    }
}

fn asked_of(select: &Select) -> Asked {
    let operand = |expression: &Expression| match expression.ordinal {
        Some(place) => counted(select, place).map_or(Operand::Other, |item| item.operand.clone()),
        None => expression.operand.clone(),
    };
    let groups = match &select.groups {
        Groups::List(list) => list.iter().map(operand).collect(),
        Groups::No | Groups::Other => Vec::new(),
    };
    let order = select.order.iter();
    Asked {
        groups,
        order: order.map(|sort| sort.expression.operand.clone()).collect(),
    }
}

/// The item that a number stands for, where stars before it do not make it another.
fn counted(select: &Select, place: usize) -> Option<&Expression> {
    let before = select.items.get(..=place)?;
    let starless = |item: &Item| matches!(item, Item::Column { .. });
    match before.last() {
        Some(Item::Column { expression, .. }) if before.iter().all(starless) => Some(expression),
        _ => None,
    }
}

/// A name in GROUP BY is an output's where no relation has such a column.
/// Source: `findTargetlistEntrySQL92` in `parse_clause.c`
fn aliased(outline: &Outline, asked: &[Asked], proven: &Proven) -> Option<Vec<Asked>> {
    let Body::Select(select) = &outline.body else {
        return None;
    };
    let ([asked], [found]) = (asked, proven.found.as_slice()) else {
        return None;
    };
    let mut changed = asked.clone();
    for (operand, absent) in changed.groups.iter_mut().zip(&found.absent) {
        if let Operand::Column(column) = &*operand
            && *absent
            && let Some(item) = List::named(select, &column.name)
            && let Item::Column { expression, .. } = &select.items[item]
        {
            *operand = expression.operand.clone();
        }
    }
    (changed.groups != asked.groups).then(|| vec![changed])
}

/// What is not certain of a parameter says nothing of the anchor's key.
fn anchors(tokens: &[Token<'_>], proven: &Proven, context: &Context<'_>) -> KeyTarget {
    let key = &context.map.keyspace(proven.keyspace).key;
    let types: Vec<_> = key.columns.iter().map(|column| column.key_type).collect();
    let checked = params::check(tokens, &proven.anchors, &types, &proven.inferred, context);
    let mut relations = proven.anchors.clone();
    if checked.is_err() {
        let bare = |column: &ColumnKey| ColumnKey {
            name: column.name.clone(),
            conditions: Vec::new(),
        };
        for relation in &mut relations {
            *relation = RelationKey {
                columns: relation.columns.iter().map(bare).collect(),
                ..relation.clone()
            };
        }
    }
    KeyTarget {
        keyspace: proven.keyspace,
        relations,
    }
}

/// What stands above the rows, and what of it only a server can do.
fn merge(
    at: Cursor<'_>,
    outline: &Outline,
    proven: &Proven,
    limited: bool,
    context: &Context<'_>,
) -> Result<(Merge, Option<Finish>), Otherwise> {
    let plain = Merge::Rows(Rows {
        text: None,
        order: Vec::new(),
        distinct: 0,
        limit: Limit::default(),
    });
    let plain = (plain, None);
    let select = match &outline.body {
        Body::Select(select) => select,
        Body::UnionAll(arms) => {
            if limited || outline.ordered {
                return gather("ORDER BY or LIMIT of a set operation");
            }
            for (select, found) in arms.iter().zip(&proven.found) {
                let list = List::new(at, outline, select, found, context);
                if list.aggregates()? || list.distinct_merges() {
                    return gather("aggregates or DISTINCT in an arm of a set operation");
                }
            }
            return Ok(plain);
        }
        Body::Set | Body::Other => return Ok(plain),
    };
    let [found] = proven.found.as_slice() else {
        return gather("it has a part that is not known here");
    };
    let list = List::new(at, outline, select, found, context);
    let aggregates = match list.aggregates() {
        Err(Otherwise::Gather(_)) if list.has_groups() => {
            let (merge, finish) = finish::finish(&list)?;
            return Ok((merge, Some(finish)));
        }
        aggregates => aggregates?,
    };
    if !aggregates && select.order.is_empty() && !limited && !list.distinct_merges() {
        return Ok(plain);
    }
    if !aggregates {
        let rows = rows::rows(&list)?;
        let finish = rows::finish(&list, &rows);
        return Ok((Merge::Rows(rows), finish));
    }
    match groups::groups(&list) {
        Ok(groups) if groups.keys.is_empty() && !groups.adds() => Ok((Merge::Groups(groups), None)),
        Ok(groups) => {
            let otherwise = finish::finish(&list).ok();
            let otherwise = otherwise.map(|(merge, finish)| Finish {
                instead: Some(merge),
                ..finish
            });
            Ok((Merge::Groups(groups), otherwise))
        }
        Err(Otherwise::Gather(_)) => {
            let (merge, finish) = finish::finish(&list)?;
            Ok((merge, Some(finish)))
        }
        Err(otherwise) => Err(otherwise),
    }
}

/// An aggregate that may be of the SELECT, and makes one row of several.
fn may_aggregate(select: &Select, context: &Context<'_>) -> bool {
    use functions::Kind as Of;
    // Beside a column that is in no aggregate, an aggregate is an error where there are no groups.
    let column = |item: &Item| match item {
        Item::All { .. } => true,
        Item::Column { expression, .. } => matches!(
            expression.operand,
            Operand::Column(_) | Operand::CastColumn(..)
        ),
    };
    let columns = select.items.iter().any(column);
    select.calls.iter().any(|call| {
        let level = match call.level {
            Level::Own => true,
            Level::Unsure => !columns,
            Level::Inner => false,
        };
        // `rank(…) WITHIN GROUP (…)` is one, too.
        let aggregate = !matches!(kind(&call.name, context.schema), Some(Of::Scalar | Of::Set));
        level && aggregate && !call.windowed
    })
}
