//! What stands above the rows of a SELECT: its list, DISTINCT, GROUP BY, ORDER BY, and which functions are called where.
//!
//! The parser's tree says what each of them is, our own tokens say where it stands in the client's text, so that a
//! piece of it can be changed. Both are made from the same tokens and have to agree in their numbers.

mod calls;
mod clauses;

use std::collections::BTreeSet;
use std::ops::Range;

use sqlparser::ast::{self, Expr, GroupByExpr, SelectItem, SetExpr, Statement};

use super::convert::{figured, is_no_bare_label, ordinal};
use super::lex::Token;
use super::operand::operand;
use super::tree::Operand;

pub use calls::{Call, Level};
pub use clauses::{Clauses, closing};

/// A SELECT with or without WITH, as far as it matters to whoever puts rows of several servers together.
#[derive(Clone, Debug, PartialEq)]
pub struct Outline {
    /// The functions called anywhere in it, once each: by name, with its schema unless that is `pg_catalog`.
    pub functions: BTreeSet<String>,
    pub body: Body,
    /// It has an ORDER BY.
    pub ordered: bool,
    /// Where it stands; `None` of what is not one SELECT without parentheses around it.
    pub clauses: Option<Clauses>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    Select(Box<Select>),
    /// SELECTs combined by UNION ALL.
    UnionAll(Vec<Select>),
    /// Another set operation.
    Set,
    /// A query in parentheses, or VALUES.
    Other,
}

/// One SELECT, with the ORDER BY of the query where that is this SELECT.
#[derive(Clone, Debug, PartialEq)]
pub struct Select {
    pub distinct: Distinct,
    pub items: Vec<Item>,
    pub groups: Groups,
    pub having: bool,
    pub order: Vec<Sort>,
    /// Functions called in the list, DISTINCT ON, HAVING and ORDER BY, with queries within them.
    pub calls: Vec<Call>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Distinct {
    No,
    All,
    On(Vec<Expression>),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Groups {
    No,
    List(Vec<Expression>),
    /// Grouping sets, `GROUP BY ()`, `GROUP BY ALL`.
    Other,
}

/// An item of the SELECT list.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// `*`, or that of one relation.
    All { qualified: bool },
    Column {
        /// What it is called outside; `None` where only PostgreSQL knows.
        name: Option<String>,
        expression: Expression,
        /// It has a label, with or without AS; `None` where what looks like one may be something else.
        labelled: Option<bool>,
        /// It is one plain call: of a function or aggregate with a list of expressions, perhaps a FILTER.
        call: Option<String>,
    },
}

/// An expression of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Expression {
    pub operand: Operand,
    /// A number that stands for an output column, from zero.
    pub ordinal: Option<usize>,
    /// A literal by itself, which ORDER BY and GROUP BY do not take for one.
    pub literal: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Sort {
    pub expression: Expression,
    pub descending: bool,
    pub nulls_first: bool,
    /// USING an operator.
    pub using: bool,
}

/// Outlines a SELECT that was read of these tokens. `None`: it is another statement, or has what is not known here.
pub(super) fn outline(statement: &Statement, tokens: &[Token<'_>]) -> Option<Outline> {
    let Statement::Query(query) = statement else {
        return None;
    };
    let functions = calls::functions(query)?;
    let body = match &*query.body {
        SetExpr::Select(select) => Body::Select(Box::new(self::select(select, query))),
        SetExpr::SetOperation { .. } => arms(&query.body).map_or(Body::Set, Body::UnionAll),
        _ => Body::Other,
    };
    let clauses = clauses::clauses(tokens).filter(|clauses| agrees(clauses, &body, query));
    let mut body = body;
    match &mut body {
        Body::Select(select) => label(select, tokens, clauses.as_ref()),
        Body::UnionAll(arms) => arms.iter_mut().for_each(|arm| label(arm, tokens, None)),
        Body::Set | Body::Other => {}
    }
    Some(Outline {
        functions,
        body,
        ordered: query.order_by.is_some(),
        clauses,
    })
}

/// The arms of UNION ALL, without parentheses and so without clauses of their own.
fn arms(body: &SetExpr) -> Option<Vec<Select>> {
    let mut arms = Vec::new();
    let mut pending = vec![body];
    while let Some(body) = pending.pop() {
        match body {
            SetExpr::SetOperation {
                op: ast::SetOperator::Union,
                set_quantifier: ast::SetQuantifier::All,
                left,
                right,
            } => pending.extend([&**right, &**left]),
            SetExpr::Select(select) => arms.push(self::select(select, &empty())),
            _ => return None,
        }
    }
    Some(arms)
}

/// A query without clauses.
fn empty() -> ast::Query {
    ast::Query {
        with: None,
        body: Box::new(SetExpr::Values(ast::Values {
            explicit_row: false,
            value_keyword: false,
            rows: Vec::new(),
        })),
        order_by: None,
        limit_clause: None,
        fetch: None,
        locks: Vec::new(),
        for_clause: None,
        settings: None,
        format_clause: None,
        pipe_operators: Vec::new(),
    }
}

fn select(select: &ast::Select, query: &ast::Query) -> Select {
    Select {
        distinct: match &select.distinct {
            None | Some(ast::Distinct::All) => Distinct::No,
            Some(ast::Distinct::Distinct) => Distinct::All,
            Some(ast::Distinct::On(list)) => Distinct::On(list.iter().map(expression).collect()),
        },
        items: select.projection.iter().map(item).collect(),
        groups: groups(&select.group_by),
        having: select.having.is_some(),
        order: order(query),
        calls: calls::own(select, query),
    }
}

fn groups(group_by: &GroupByExpr) -> Groups {
    let is_plain = |expr: &Expr| match expr {
        Expr::GroupingSets(_) | Expr::Cube(_) | Expr::Rollup(_) | Expr::Tuple(_) => false,
        Expr::Function(function) => {
            let name = super::convert::last_part(&function.name);
            !matches!(name, Some("rollup" | "cube" | "sets"))
        }
        _ => true,
    };
    match group_by {
        GroupByExpr::Expressions(list, more) if list.is_empty() && more.is_empty() => Groups::No,
        GroupByExpr::Expressions(list, more) if more.is_empty() && list.iter().all(is_plain) => {
            Groups::List(list.iter().map(expression).collect())
        }
        GroupByExpr::Expressions(..) | GroupByExpr::All(_) => Groups::Other,
    }
}

fn order(query: &ast::Query) -> Vec<Sort> {
    let Some(ast::OrderBy {
        kind: ast::OrderByKind::Expressions(list),
        ..
    }) = &query.order_by
    else {
        return Vec::new();
    };
    let sort = |item: &ast::OrderByExpr| {
        let descending = matches!(item.options.sort, Some(ast::OrderBySort::Desc));
        Sort {
            expression: expression(&item.expr),
            descending,
            // PostgreSQL takes NULL for larger than any value.
            nulls_first: item.options.nulls_first.unwrap_or(descending),
            using: matches!(item.options.sort, Some(ast::OrderBySort::Using(_)))
                || item.with_fill.is_some(),
        }
    };
    list.iter().map(sort).collect()
}

fn item(item: &SelectItem) -> Item {
    let column = |expr: &Expr, name: Option<String>, labelled: Option<bool>| Item::Column {
        name,
        expression: expression(expr),
        labelled,
        call: calls::plain(expr),
    };
    match item {
        SelectItem::UnnamedExpr(expr) => column(expr, figured(expr), Some(false)),
        SelectItem::ExprWithAlias { expr, alias } => {
            let certain = (!is_no_bare_label(alias)).then_some(true);
            column(expr, Some(alias.value.clone()), certain)
        }
        SelectItem::QualifiedWildcard(..) => Item::All { qualified: true },
        SelectItem::Wildcard(_) | SelectItem::ExprWithAliases { .. } => {
            Item::All { qualified: false }
        }
    }
}

/// `k ISNULL` is read as `k AS isnull`: only where AS stands before such a word it is a label.
fn label(select: &mut Select, tokens: &[Token<'_>], clauses: Option<&Clauses>) {
    for (place, item) in select.items.iter_mut().enumerate() {
        let Item::Column {
            name,
            expression,
            labelled: labelled @ None,
            call,
        } = item
        else {
            continue;
        };
        let range = clauses.map(|clauses| clauses.items[place].clone());
        if range.is_some_and(|range| range.len() > 2 && tokens[range.end - 2].is_word("as")) {
            *labelled = Some(true);
        } else {
            (*name, *call, expression.operand) = (None, None, Operand::Other);
            (expression.ordinal, expression.literal) = (None, false);
        }
    }
}

fn expression(expr: &Expr) -> Expression {
    let mut inner = expr;
    while let Expr::Nested(nested) = inner {
        inner = nested;
    }
    Expression {
        operand: operand(expr),
        ordinal: ordinal(expr),
        literal: matches!(inner, Expr::Value(value) if !matches!(value.value, ast::Value::Placeholder(_))),
    }
}

/// Tree and tokens have the same lists.
fn agrees(clauses: &Clauses, body: &Body, query: &ast::Query) -> bool {
    let Body::Select(select) = body else {
        return false;
    };
    let group = match &select.groups {
        Groups::No => clauses.groups.is_none(),
        Groups::List(list) => clauses.groups.as_ref().map(Vec::len) == Some(list.len()),
        Groups::Other => clauses.groups.is_some(),
    };
    let order = match &query.order_by {
        None => clauses.order.is_none(),
        Some(_) => clauses.order.as_ref().map(Vec::len) == Some(select.order.len()),
    };
    let on = match &select.distinct {
        Distinct::On(list) => clauses.distinct_on.as_ref().map(Vec::len) == Some(list.len()),
        _ => clauses.distinct_on.is_none(),
    };
    let limits = query.limit_clause.is_some() || query.fetch.is_some();
    group
        && order
        && on
        && clauses.items.len() == select.items.len()
        && clauses.having == select.having
        && clauses.tail.is_some() == limits
}

/// The tokens of an item's expression, without its label.
pub(super) fn unlabelled(tokens: &[Token<'_>], item: Range<usize>) -> Range<usize> {
    let end = item.end - 1;
    let before = end.checked_sub(1).filter(|before| *before > item.start);
    let with_as = before.is_some_and(|before| tokens[before].is_word("as"));
    item.start..end - usize::from(with_as)
}
