//! Which rows of what is gathered cannot matter, because the statement wants a column to equal one of another table, and that
//! table has no row with their value.
//!
//! *Proof.* A row that passes WHERE has in it a row of either table, for `=` is true of no NULL; their columns are equal, and
//! the other's row is among those that were gathered of it. Without the rows of the table that have no such value nothing else
//! passes: where an outer join makes up NULLs in their place, `=` drops them. What ON says of inner joins is as good, where
//! there are no outer ones. Of the table that an outer join makes NULLs for no row comes out of it that ON is not true of, with
//! whatever row beside it; and if that is one of the other table that was not gathered, WHERE drops it.

use super::filters::is_plain_text;
use crate::plan::Joined;
use crate::planner::Schema;
use crate::planner::schema::Column;
use crate::shardmap::TableName;
use crate::sql::Token;
use crate::sql::tree::{self, Arm, Block, Fact, From, JoinKind, Operand, Query, Table, Verb};
use crate::types::Oid;

/// What of a table equals what of others, in a statement of one block that reads it once.
pub(super) fn joined(
    query: &Query,
    table: &TableName,
    tokens: &[Token<'_>],
    schema: &Schema,
) -> Vec<Joined> {
    let [Arm::Block(block)] = query.arms.as_slice() else {
        return Vec::new();
    };
    if !query.ctes.is_empty() || block.verb != Verb::Select || !is_read_once(table, tokens) {
        return Vec::new();
    }
    let (tables, facts) = met(block);
    let column = |operand: &Operand| {
        let Operand::Column(tree::Column { relation, name }) = operand else {
            return None;
        };
        let called = relation.as_ref().filter(|name| name.schema.is_none())?;
        let mut called_so = tables.iter().filter(|it| is_called(it, &called.name));
        let (Some(only), None) = (called_so.next(), called_so.next()) else {
            return None;
        };
        // Names of columns may be others.
        let known = only.columns.is_empty().then_some(&only.name.name)?;
        Some((known.clone(), name.clone()))
    };
    let of_table = |name: &str| {
        let mut found = schema.relations.iter().filter(|(it, _)| it.name == name);
        let (Some((table, relation)), None) = (found.next(), found.next()) else {
            return None;
        };
        Some((table, &*relation.columns))
    };
    let mut found = Vec::new();
    for (fact, only) in facts {
        let Fact::Equal { left, right } = fact else {
            continue;
        };
        if only.is_some_and(|only| only.name.name != table.name) {
            continue;
        }
        for (own, other) in [(left, right), (right, left)] {
            let (Some((own, column)), Some((other, with))) = (column(own), column(other)) else {
                continue;
            };
            if own != table.name || other == own {
                continue;
            }
            let (Some((_, columns)), Some((other, others))) = (of_table(&own), of_table(&other))
            else {
                continue;
            };
            if let Some(array) = array(find(columns, &column), find(others, &with)) {
                found.push(Joined {
                    column,
                    table: other.clone(),
                    other: with,
                    array,
                });
            }
        }
    }
    found
}

/// The tables of a block, and what is true of its rows: where a table stands beside that, of it alone.
fn met(block: &Block) -> (Vec<&Table>, Vec<(&Fact, Option<&Table>)>) {
    let mut met = Met::default();
    block.from.iter().for_each(|item| meet(item, &mut met));
    let mut facts: Vec<_> = block.facts.iter().map(|fact| (fact, None)).collect();
    if !met.is_outer {
        facts.extend(met.on.into_iter().map(|fact| (fact, None)));
    }
    let extended = met.extended.into_iter();
    facts.extend(extended.map(|(fact, table)| (fact, Some(table))));
    (met.tables, facts)
}

/// What is met in a FROM list.
#[derive(Default)]
struct Met<'q> {
    tables: Vec<&'q Table>,
    /// Conjuncts of ON of inner joins.
    on: Vec<&'q Fact>,
    /// Of others, with the table that they make NULLs for.
    extended: Vec<(&'q Fact, &'q Table)>,
    is_outer: bool,
}

fn meet<'q>(item: &'q From, met: &mut Met<'q>) {
    match item {
        From::Table(table) => met.tables.push(table),
        From::Join(join) => {
            met.is_outer |= join.kind != JoinKind::Inner;
            let on = join.on.iter();
            match (join.kind, &join.left, &join.right) {
                (JoinKind::Inner, _, _) => met.on.extend(on),
                (JoinKind::Left, _, From::Table(table))
                | (JoinKind::Right, From::Table(table), _) => {
                    met.extended.extend(on.map(|fact| (fact, table)));
                }
                _ => {}
            }
            meet(&join.left, met);
            meet(&join.right, met);
        }
        From::Derived { .. } | From::Function { .. } => {}
    }
}

fn is_called(table: &Table, name: &str) -> bool {
    table.alias.as_ref().unwrap_or(&table.name.name) == name
}

fn is_read_once(table: &TableName, tokens: &[Token<'_>]) -> bool {
    let uses = tokens.iter().enumerate().filter(|(at, token)| {
        let qualifies = tokens.get(at + 1).is_some_and(|next| next.is_op("."));
        token.is_name() && token.value == table.name && !qualifies
    });
    uses.count() == 1
}

fn find<'c>(columns: &'c [Column], name: &str) -> Option<&'c Column> {
    columns.iter().find(|column| column.name == name)
}

/// The type of an array of the other's values, where servers compare these with the own ones alike.
fn array(own: Option<&Column>, other: Option<&Column>) -> Option<&'static str> {
    let (own, other) = (own?, other?);
    let is_integer = |column: &Column| [Oid::INT2, Oid::INT4, Oid::INT8].contains(&column.type_oid);
    if is_integer(own) && is_integer(other) {
        return Some("bigint[]");
    }
    if is_plain_text(own) && is_plain_text(other) {
        return Some("text[]");
    }
    (own.type_oid == Oid::UUID && other.type_oid == Oid::UUID).then_some("uuid[]")
}
