//! What the relations of a statement are, as `sql` reads it: for the comparison with PostgreSQL's own parser
//! in `oracle/`.

use std::collections::BTreeSet;

use crate::sql;
use crate::sql::tree::{Arm, Block, From, InsertSource, Query, Verb};

/// What became of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// The relations it names, with their schemas where it gives them; names of WITH are none.
    Relations(BTreeSet<String>),
    /// No query, but a statement that is decided by its tokens.
    Other,
    /// Not readable, and why.
    Unread(String),
}

/// Reads one statement.
pub fn relations(text: &str) -> Reading {
    let tokens = match sql::tokens(text) {
        Ok(tokens) => tokens,
        Err(error) => return Reading::Unread(error.message),
    };
    let first = tokens.iter().find(|token| !token.is_op("("));
    let query = [
        "select", "values", "table", "with", "insert", "update", "delete", "merge",
    ];
    if !first.is_some_and(|token| query.iter().any(|word| token.is_word(word))) {
        return Reading::Other;
    }
    match sql::analyse(&tokens, text, &|_| true, &|_| true, false) {
        Ok(analysis) => {
            let mut walk = Walk::default();
            walk.query(&analysis.query);
            Reading::Relations(walk.found)
        }
        Err(unread) => Reading::Unread(format!("{unread:?}")),
    }
}

#[derive(Default)]
struct Walk {
    /// Names of WITH that are in sight, the nearest last.
    ctes: Vec<String>,
    found: BTreeSet<String>,
}

impl Walk {
    fn query(&mut self, query: &Query) {
        let before = self.ctes.len();
        let names = query.ctes.iter().map(|cte| cte.name.clone());
        if query.recursive {
            self.ctes.extend(names);
            query.ctes.iter().for_each(|cte| self.query(&cte.query));
        } else {
            for cte in &query.ctes {
                self.query(&cte.query);
                self.ctes.push(cte.name.clone());
            }
        }
        for arm in &query.arms {
            match arm {
                Arm::Nested(query) => self.query(query),
                Arm::Block(block) => self.block(block),
            }
        }
        query.tail.iter().for_each(|query| self.query(query));
        self.ctes.truncate(before);
    }

    fn block(&mut self, block: &Block) {
        if let Verb::Insert(insert) = &block.verb {
            self.found.insert(insert.target.to_string());
            if let InsertSource::Query(query) = &insert.source {
                self.query(query);
            }
        }
        block.from.iter().for_each(|from| self.from(from));
        block.subqueries.iter().for_each(|query| self.query(query));
    }

    fn from(&mut self, from: &From) {
        match from {
            From::Table(table) => {
                let cte = table.name.schema.is_none()
                    && !table.target
                    && self.ctes.contains(&table.name.name);
                if !cte {
                    self.found.insert(table.name.to_string());
                }
            }
            From::Derived { query, .. } => self.query(query),
            From::Function { subqueries, .. } => {
                subqueries.iter().for_each(|query| self.query(query));
            }
            From::Join(join) => {
                self.from(&join.left);
                self.from(&join.right);
                join.subqueries.iter().for_each(|query| self.query(query));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_with_are_no_relations() {
        let named = |text| match relations(text) {
            Reading::Relations(names) => names.into_iter().collect::<Vec<_>>().join(" "),
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(
            named("with a as (select * from a) select * from a, s.a"),
            "a s.a"
        );
        assert_eq!(
            named("with recursive a as (select * from a) select * from a"),
            ""
        );
        assert_eq!(
            named("with a as (select 1) update a set x = (select 1 from b)"),
            "a b"
        );
        assert_eq!(
            named("select (with c as (select 1) select * from c) from c"),
            "c"
        );
        assert_eq!(relations("create table a (b int)"), Reading::Other);
    }
}
