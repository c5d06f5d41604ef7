//! What a condition says of the rows for which it is true.

use std::collections::HashMap;

use sqlparser::ast::{self, BinaryOperator, Expr};

use super::gather::{address, last_part};
use crate::sql::operand::{array, operand, row};
use crate::sql::tree::{Constant, Fact, Operand};

/// The facts among the conjuncts of a condition, in the order of the text. `places` has the places of the
/// condition's subqueries in the list that stands beside the facts.
///
/// Conjunctions and chains of OR are left-deep and may be long: stacks of our own. Only parentheses and OR
/// within AND lead to recursion, and their depth is bounded before the parse.
pub(super) fn facts(condition: &Expr, places: &HashMap<usize, usize>) -> Vec<Fact> {
    let mut facts = Vec::new();
    let mut pending = vec![condition];
    while let Some(expr) = pending.pop() {
        match expr {
            // `IS TRUE` is true where the condition is.
            Expr::Nested(inner) | Expr::IsTrue(inner) => pending.push(inner),
            Expr::BinaryOp { left, op, right } => match op {
                BinaryOperator::And => pending.extend([&**right, &**left]),
                BinaryOperator::Or => facts.extend(either(expr, places)),
                BinaryOperator::Eq => equal(left, right, places, &mut facts),
                _ => {}
            },
            Expr::InList {
                expr,
                list,
                negated: false,
            } => in_list(expr, list, places, &mut facts),
            Expr::InSubquery {
                expr,
                subquery,
                negated: false,
            } => facts.extend(in_query(expr, subquery, places, false)),
            Expr::AnyOp {
                left,
                compare_op: BinaryOperator::Eq,
                right,
                is_some: _,
            } => facts.extend(any(left, right, places)),
            // Of a parameter it is not known that it is not NULL.
            Expr::IsNotDistinctFrom(left, right) => {
                let (left, right) = (operand(left), operand(right));
                if is_certainly_not_null(&left) || is_certainly_not_null(&right) {
                    facts.push(Fact::Equal { left, right });
                }
            }
            _ => {}
        }
    }
    facts
}

fn is_certainly_not_null(operand: &Operand) -> bool {
    match operand {
        Operand::Constant(constant) => !matches!(constant, Constant::Null | Constant::Default),
        Operand::Slot(_) => true,
        Operand::Column(_) | Operand::CastColumn(..) | Operand::Param { .. } | Operand::Other => {
            false
        }
    }
}

/// `None` where one of the arms says nothing: then the whole does not.
fn either(condition: &Expr, places: &HashMap<usize, usize>) -> Option<Fact> {
    let mut arms = Vec::new();
    let mut pending = vec![condition];
    while let Some(expr) = pending.pop() {
        if let Expr::BinaryOp {
            left,
            op: BinaryOperator::Or,
            right,
        } = expr
        {
            pending.extend([&**right, &**left]);
            continue;
        }
        let arm = facts(expr, places);
        if arm.is_empty() {
            return None;
        }
        arms.push(arm);
    }
    Some(Fact::Either(arms))
}

fn equal(left: &Expr, right: &Expr, places: &HashMap<usize, usize>, facts: &mut Vec<Fact>) {
    if let Some(query) = subquery(right) {
        facts.extend(in_query(left, query, places, true));
        return;
    }
    if let Some(query) = subquery(left) {
        facts.extend(in_query(right, query, places, true));
        return;
    }
    match (row(left), row(right)) {
        (None, None) => facts.push(Fact::Equal {
            left: operand(left),
            right: operand(right),
        }),
        (Some(left), Some(right)) if left.len() == right.len() => {
            let pairs = left.iter().zip(right);
            facts.extend(pairs.map(|(left, right)| Fact::Equal {
                left: operand(left),
                right: operand(right),
            }));
        }
        _ => {}
    }
}

/// Rows give a list for each of their columns, which lets more rows through than the condition does.
fn in_list(expr: &Expr, list: &[Expr], places: &HashMap<usize, usize>, facts: &mut Vec<Fact>) {
    if let [only] = list {
        return equal(expr, only, places, facts);
    }
    let Some(columns) = row(expr) else {
        facts.push(Fact::OneOf {
            operand: operand(expr),
            values: list.iter().map(operand).collect(),
        });
        return;
    };
    let rows: Option<Vec<_>> = list.iter().map(row).collect();
    let Some(rows) = rows.filter(|rows| rows.iter().all(|row| row.len() == columns.len())) else {
        return;
    };
    facts.extend(columns.iter().enumerate().map(|(at, column)| Fact::OneOf {
        operand: operand(column),
        values: rows.iter().map(|row| operand(row[at])).collect(),
    }));
}

/// `ANY ((SELECT …))` is a subquery too, as in PostgreSQL.
fn any(left: &Expr, right: &Expr, places: &HashMap<usize, usize>) -> Option<Fact> {
    if let Some(query) = subquery(right).or_else(|| array_of_query(right)) {
        return in_query(left, query, places, false);
    }
    if row(left).is_some() {
        return None;
    }
    let operand = operand(left);
    array(right).map(|array| match array {
        Ok(values) => Fact::OneOf { operand, values },
        Err(array) => Fact::Element { operand, array },
    })
}

fn in_query(
    expr: &Expr,
    query: &ast::Query,
    places: &HashMap<usize, usize>,
    single: bool,
) -> Option<Fact> {
    let operands = match row(expr) {
        Some(columns) => columns.into_iter().map(operand).collect(),
        None => vec![operand(expr)],
    };
    places.get(&address(query)).map(|&subquery| Fact::InQuery {
        operands,
        subquery,
        single,
    })
}

/// A query in parentheses.
fn subquery(mut expr: &Expr) -> Option<&ast::Query> {
    while let Expr::Nested(inner) = expr {
        expr = inner;
    }
    match expr {
        Expr::Subquery(query) => Some(query),
        _ => None,
    }
}

/// `ARRAY(SELECT …)`.
fn array_of_query(mut expr: &Expr) -> Option<&ast::Query> {
    while let Expr::Nested(inner) = expr {
        expr = inner;
    }
    match expr {
        Expr::Function(ast::Function {
            name,
            args: ast::FunctionArguments::Subquery(query),
            ..
        }) if name.0.len() == 1 && last_part(name) == Some("array") => Some(query),
        _ => None,
    }
}
