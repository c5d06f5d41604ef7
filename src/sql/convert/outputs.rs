//! The columns that come out of a scope, and what PostgreSQL calls them.

use std::collections::HashMap;

use sqlparser::ast::{self, Expr, GroupByExpr, SelectItem, Value};

use super::Result;
use super::gather::last_part;
use crate::sql::operand::{cast_type, is_star, name, operand};
use crate::sql::reserved::is_reserved;
use crate::sql::tree::{CastType, From, Operand, Output};

/// Casts and the like around what gives a column its name.
const NAMINGS_MAX: usize = 8;
/// PostgreSQL's name for a column that nothing gives a name to.
const UNNAMED: &str = "?column?";

/// A SELECT list, or RETURNING.
pub(super) fn outputs(items: &[SelectItem]) -> Result<Vec<Output>> {
    items.iter().map(output).collect()
}

fn output(item: &SelectItem) -> Result<Output> {
    Ok(match item {
        SelectItem::UnnamedExpr(expr) if is_star(expr) => {
            return Err("* at this place".to_owned());
        }
        SelectItem::UnnamedExpr(expr) => Output::Column {
            name: figured(expr),
            values: vec![operand(expr)],
        },
        // Without AS these are no label: `k ISNULL` is read as `k AS isnull`.
        SelectItem::ExprWithAlias { alias, .. } if is_no_bare_label(alias) => Output::Column {
            name: None,
            values: vec![Operand::Other],
        },
        SelectItem::ExprWithAlias { expr, alias } => Output::Column {
            name: Some(alias.value.clone()),
            values: vec![operand(expr)],
        },
        SelectItem::Wildcard(options) => {
            plain(options)?;
            Output::All(None)
        }
        SelectItem::QualifiedWildcard(
            ast::SelectItemQualifiedWildcardKind::ObjectName(relation),
            options,
        ) => {
            plain(options)?;
            Output::All(Some(name(relation)?))
        }
        SelectItem::QualifiedWildcard(..) => return Err("(…).*".to_owned()),
        SelectItem::ExprWithAliases { .. } => {
            return Err("a clause PostgreSQL does not have".to_owned());
        }
    })
}

fn plain(options: &ast::WildcardAdditionalOptions) -> Result<()> {
    let more = options.opt_ilike.is_some()
        || options.opt_exclude.is_some()
        || options.opt_except.is_some()
        || options.opt_replace.is_some()
        || options.opt_rename.is_some()
        || options.opt_alias.is_some();
    if more {
        return Err("a form of * PostgreSQL does not have".to_owned());
    }
    Ok(())
}

/// Source: <https://www.postgresql.org/docs/current/sql-keywords-appendix.html> ("requires AS").
pub(in crate::sql) fn is_no_bare_label(alias: &ast::Ident) -> bool {
    const WORDS: &[&str] = &[
        "array",
        "as",
        "char",
        "character",
        "create",
        "day",
        "except",
        "fetch",
        "filter",
        "for",
        "from",
        "grant",
        "group",
        "having",
        "hour",
        "intersect",
        "into",
        "isnull",
        "limit",
        "minute",
        "month",
        "notnull",
        "offset",
        "on",
        "order",
        "over",
        "overlaps",
        "precision",
        "returning",
        "second",
        "to",
        "union",
        "varying",
        "where",
        "window",
        "with",
        "within",
        "without",
        "year",
    ];
    alias.quote_style.is_none() && WORDS.contains(&alias.value.as_str())
}

/// The columns of VALUES.
pub(super) fn values(rows: &[ast::Parens<Vec<Expr>>]) -> Result<Vec<Output>> {
    no_stars(rows)?;
    let width = rows.first().map_or(0, |row| row.content.len());
    let column = |at: usize| Output::Column {
        name: Some(format!("column{}", at + 1)),
        values: rows
            .iter()
            .map(|row| row.content.get(at).map_or(Operand::Other, operand))
            .collect(),
    };
    Ok((0..width).map(column).collect())
}

/// Behind a `r.*` nobody could say which column of VALUES an expression is.
pub(super) fn no_stars(rows: &[ast::Parens<Vec<Expr>>]) -> Result<()> {
    match rows.iter().flat_map(|row| &row.content).any(is_star) {
        true => Err("* in VALUES".to_owned()),
        false => Ok(()),
    }
}

/// With grouping sets a column comes out as NULL in the rows of sets it is not in.
pub(super) fn forget_grouped(group_by: &GroupByExpr, outputs: &mut [Output]) -> Result<()> {
    let is_set = |expr: &Expr| match expr {
        Expr::GroupingSets(_) | Expr::Cube(_) | Expr::Rollup(_) => true,
        Expr::Function(function) => {
            matches!(last_part(&function.name), Some("rollup" | "cube" | "sets"))
        }
        _ => false,
    };
    match group_by {
        GroupByExpr::Expressions(list, more) if more.is_empty() && !list.iter().any(is_set) => {
            return Ok(());
        }
        GroupByExpr::All(_) | GroupByExpr::Expressions(..) => {}
    }
    for output in outputs {
        match output {
            Output::All(_) => return Err("* with GROUPING SETS".to_owned()),
            Output::Column { values, .. } => *values = vec![Operand::Other],
        }
    }
    Ok(())
}

/// There are groups only where there are rows; `GROUP BY ()` is one group always.
pub(super) fn is_grouped(group_by: &GroupByExpr) -> bool {
    let is_empty = |expr: &Expr| matches!(expr, Expr::Tuple(columns) if columns.is_empty());
    match group_by {
        GroupByExpr::Expressions(list, _) => list.iter().any(|expr| !is_empty(expr)),
        GroupByExpr::All(_) => false,
    }
}

/// `GROUP BY ()`, or that of all columns, of which there may be none.
pub(super) fn is_grouped_as_one(group_by: &GroupByExpr) -> bool {
    match group_by {
        GroupByExpr::Expressions(list, _) => !list.is_empty() && !is_grouped(group_by),
        GroupByExpr::All(_) => true,
    }
}

/// What `DISTINCT ON` compares. As in ORDER BY, a bare name is an output's before it is a column's, and an
/// integer counts outputs (`findTargetlistEntrySQL92` in `parse_clause.c`).
pub(super) fn distinct_on(list: &[Expr], outputs: &[Output], from: &[From]) -> Vec<Operand> {
    let mut named = HashMap::new();
    // A column that no output is known to have the name of may be an output without a known one, or one of `t.*`,
    // which is the same column if there is but one relation.
    let mut is_column = true;
    let one_relation = matches!(from, [From::Table(_) | From::Derived { .. }]);
    for output in outputs {
        match output {
            // PostgreSQL wants that several of one name are the same.
            Output::Column {
                name: Some(name),
                values,
            } => {
                named.entry(name.as_str()).or_insert(values);
            }
            Output::Column { name: None, .. } => is_column = false,
            Output::All(Some(_)) => is_column &= one_relation,
            Output::All(None) => {}
        }
    }
    let stars = outputs.iter().position(|o| matches!(o, Output::All(_)));
    let counted = &outputs[..stars.unwrap_or(outputs.len())];
    let first = |values: &[Operand]| values.first().cloned().unwrap_or(Operand::Other);
    let compared = |expr| match operand(expr) {
        Operand::Constant(_) => match ordinal(expr).and_then(|place| counted.get(place)) {
            Some(Output::Column { values, .. }) => first(values),
            _ => Operand::Other,
        },
        Operand::Column(column) if column.relation.is_none() => {
            match named.get(column.name.as_str()) {
                Some(values) => first(values),
                None if is_column => Operand::Column(column),
                None => Operand::Other,
            }
        }
        Operand::Column(column) => Operand::Column(column),
        _ => Operand::Other,
    };
    list.iter().map(compared).collect()
}

/// The place among the outputs, from zero, that a number stands for: only one written as such does, and neither `+1`
/// nor `1::int`. Source: `findTargetlistEntrySQL92`, which takes an `A_Const`.
pub(in crate::sql) fn ordinal(expr: &Expr) -> Option<usize> {
    fn number(expr: &Expr) -> Option<i64> {
        match expr {
            Expr::Nested(inner) => number(inner),
            Expr::UnaryOp {
                op: ast::UnaryOperator::Minus,
                expr,
            } => number(expr)?.checked_neg(),
            Expr::Value(value) => match &value.value {
                Value::Number(digits, _) => digits.parse().ok(),
                _ => None,
            },
            _ => None,
        }
    }
    usize::try_from(number(expr)?).ok()?.checked_sub(1)
}

/// The name of a column without alias; `None` where we are not sure of it.
/// Source: `FigureColname` in `parse_target.c`.
pub(in crate::sql) fn figured(expr: &Expr) -> Option<String> {
    figure(expr, NAMINGS_MAX).map(|(_, name)| name)
}

/// The name, and whether it is a good one, which a cast around it keeps.
fn figure(expr: &Expr, left: usize) -> Option<(bool, String)> {
    let left = left.checked_sub(1)?;
    let good = |name: &str| Some((true, name.to_owned()));
    match expr {
        Expr::Nested(inner) => figure(inner, left),
        Expr::Collate { expr, .. } => figure(expr, left),
        Expr::Identifier(ident) if ident.quote_style.is_none() && is_reserved(&ident.value) => None,
        Expr::Identifier(ident) => good(&ident.value),
        Expr::CompoundIdentifier(parts) => good(&parts.last()?.value),
        Expr::Function(function) => good(last_part(&function.name)?),
        Expr::Value(value) => match &value.value {
            // What TRUE is called depends on the version.
            Value::Number(..)
            | Value::SingleQuotedString(_)
            | Value::Null
            | Value::Placeholder(_) => Some((false, UNNAMED.to_owned())),
            _ => None,
        },
        Expr::UnaryOp { .. } | Expr::IsNull(_) | Expr::IsNotNull(_) => {
            Some((false, UNNAMED.to_owned()))
        }
        Expr::BinaryOp { op, .. } if *op != ast::BinaryOperator::Overlaps => {
            Some((false, UNNAMED.to_owned()))
        }
        Expr::Cast {
            expr, data_type, ..
        } => match figure(expr, left)? {
            (true, name) => Some((true, name)),
            (false, _) => type_name(data_type),
        },
        Expr::TypedString(typed) => type_name(&typed.data_type),
        Expr::Exists { negated: false, .. } => good("exists"),
        _ => None,
    }
}

/// A type's own name, as opposed to the words of SQL for it.
fn type_name(data_type: &ast::DataType) -> Option<(bool, String)> {
    let name = match cast_type(data_type)? {
        CastType::SmallInt => "int2",
        CastType::Integer => "int4",
        CastType::BigInt => "int8",
        other => other.name(),
    };
    Some((false, name.to_owned()))
}
