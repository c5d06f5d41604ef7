//! Rows as a whole: `select m from matches m`, `array_agg(m)`. A temporary table's rows have a type of their own, which
//! RowDescription, arrays in binary and `pg_typeof` tell from the table's. Where such a row is made JSON or text of, is
//! compared or counted, it is the same.

use crate::planner::names::{Names, Relation};
use crate::shardmap::TableKind;
use crate::sql::tree::{Arm, Block, From, Query};

/// What is in sight of a block, the innermost last.
#[derive(Clone, Copy)]
struct Sight<'s> {
    /// Where names of relations are looked up; `None` for the session's path.
    path: Option<&'s [String]>,
    from: &'s [From],
    /// WITH members, whose rows are records.
    ctes: &'s [&'s str],
    outer: Option<&'s Sight<'s>>,
}

/// A row of a table that may be gathered, or of a view over one, comes out of the query or goes where its type matters, as
/// far as names tell.
pub(super) fn are_given(query: &Query, names: &Names<'_>, path: Option<&[String]>) -> bool {
    let sight = Sight {
        path,
        from: &[],
        ctes: &[],
        outer: None,
    };
    of_query(query, names, sight)
}

fn of_query(query: &Query, names: &Names<'_>, outer: Sight<'_>) -> bool {
    let mut ctes: Vec<&str> = Vec::new();
    let all: Vec<&str> = query.ctes.iter().map(|cte| &*cte.name).collect();
    for cte in &query.ctes {
        let known = if query.recursive { &all } else { &ctes };
        let sight = outer.with(&[], known);
        if of_query(&cte.query, names, sight) {
            return true;
        }
        ctes.push(&cte.name);
    }
    let sight = outer.with(&[], &ctes);
    let of_arm = |arm: &Arm| match arm {
        Arm::Nested(query) => of_query(query, names, sight),
        Arm::Block(block) => of_block(block, names, sight),
    };
    query.arms.iter().any(of_arm) || query.tail.iter().any(|query| of_query(query, names, sight))
}

fn of_block(block: &Block, names: &Names<'_>, outer: Sight<'_>) -> bool {
    let sight = outer.with(&block.from, &[]);
    let given = |name: &String| {
        // A column comes before a relation.
        let mut items = block.from.iter();
        !items.any(|item| has_column(item, name, names, sight)) && sight.is_whole(name, names)
    };
    block.rows.iter().any(given)
        || block.from.iter().any(|item| of_item(item, names, sight))
        || block
            .subqueries
            .iter()
            .any(|query| of_query(query, names, sight))
}

fn of_item(item: &From, names: &Names<'_>, sight: Sight<'_>) -> bool {
    match item {
        From::Table(_) => false,
        From::Derived { query, .. } => of_query(query, names, sight),
        // It sees some of the columns only: none hides a relation for sure.
        From::Function {
            rows, subqueries, ..
        } => {
            rows.iter().any(|name| sight.is_whole(name, names))
                || subqueries.iter().any(|query| of_query(query, names, sight))
        }
        From::Join(join) => {
            of_item(&join.left, names, sight)
                || of_item(&join.right, names, sight)
                || join
                    .subqueries
                    .iter()
                    .any(|query| of_query(query, names, sight))
        }
    }
}

/// The item certainly has a column of this name.
fn has_column(item: &From, name: &str, names: &Names<'_>, sight: Sight<'_>) -> bool {
    match item {
        From::Table(table) if table.columns.is_empty() && !sight.is_member(item) => {
            let found = match names.resolve_in(&table.name, sight.path) {
                Ok(Relation::Listed { table, .. }) => table,
                Ok(Relation::View { view, .. }) => view,
                _ => return false,
            };
            let mut columns = names.columns(found).unwrap_or_default().iter();
            columns.any(|column| column.name == name)
        }
        From::Join(join) => {
            has_column(&join.left, name, names, sight)
                || has_column(&join.right, name, names, sight)
        }
        From::Table(_) | From::Derived { .. } | From::Function { .. } => false,
    }
}

impl Sight<'_> {
    fn with<'s>(&'s self, from: &'s [From], ctes: &'s [&'s str]) -> Sight<'s> {
        Sight {
            path: self.path,
            from,
            ctes,
            outer: Some(self),
        }
    }

    /// A relation in sight of this name has rows whose type would be another one.
    fn is_whole(&self, name: &str, names: &Names<'_>) -> bool {
        self.from
            .iter()
            .any(|item| self.is_called(item, name, names))
            || self.outer.is_some_and(|outer| outer.is_whole(name, names))
    }

    fn is_called(&self, item: &From, name: &str, names: &Names<'_>) -> bool {
        match item {
            From::Table(table) => {
                let called = table.alias.as_ref().unwrap_or(&table.name.name) == name;
                let is_another = || match names.resolve_in(&table.name, self.path) {
                    Ok(Relation::Listed { kind, .. }) => matches!(kind, TableKind::Sharded { .. }),
                    Ok(Relation::View { .. }) | Err(_) => true,
                    Ok(Relation::Catalog | Relation::Unlisted) => false,
                };
                called && !self.is_member(item) && is_another()
            }
            From::Join(join) => {
                self.is_called(&join.left, name, names) || self.is_called(&join.right, name, names)
            }
            // A function's alias may be its column's name, too; a query's rows are records.
            From::Derived { .. } | From::Function { .. } => false,
        }
    }

    /// A table reference of this level means a WITH member.
    fn is_member(&self, item: &From) -> bool {
        let From::Table(table) = item else {
            return false;
        };
        let has = |sight: &Sight<'_>| sight.ctes.contains(&&*table.name.name);
        let mut sight = Some(self);
        while let Some(here) = sight {
            if table.name.schema.is_none() && has(here) {
                return true;
            }
            sight = here.outer;
        }
        false
    }
}
