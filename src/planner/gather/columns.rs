//! Which columns of what is gathered a statement can read: those whose names stand in it. The others need not travel.
//!
//! A name need not stand there where all columns are meant: by a star, NATURAL, a row as a whole, a list of new names,
//! which count columns by their places, or a view. With any of those all columns travel.

use std::collections::{HashMap, HashSet};

use crate::plan::Columns;
use crate::planner::schema::Column;
use crate::sql::Token;
use crate::sql::tree::{Arm, Block, From, Output, Query, Verb};

/// The names that a statement's columns can have.
pub(super) struct Read<'t> {
    names: HashSet<&'t str>,
}

impl<'t> Read<'t> {
    /// `None` where a column may be read whose name does not stand there.
    pub(super) fn of(query: &Query, tokens: &'t [Token<'_>]) -> Option<Self> {
        let mut met = Met::default();
        if means_all(query, &mut met) || met.stars != idle_stars(tokens) {
            return None;
        }
        let mut relations = met.relations;
        let mut names = HashSet::new();
        for (at, token) in tokens.iter().enumerate() {
            let next = tokens.get(at + 1);
            // `f(m.*)` is the row.
            let starred = token.is_op(".") && next.is_some_and(|next| next.is_op("*"));
            if starred {
                return None;
            }
            if !token.is_name() {
                continue;
            }
            names.insert(&*token.value);
            let qualifies = next.is_some_and(|next| next.is_op("."));
            if !qualifies && let Some(left) = relations.get_mut(&*token.value) {
                // Where it is introduced, and nowhere else: there it could be a row.
                match *left {
                    0 => return None,
                    _ => *left -= 1,
                }
            }
        }
        Some(Self { names })
    }

    /// `key`: one that is taken where none is read, for there have to be rows.
    pub(super) fn columns(&self, all: &[Column], key: &str) -> Columns {
        let name = |column: &Column| column.name.clone();
        let (mut used, mut others): (Vec<_>, Vec<_>) = all
            .iter()
            .map(name)
            .partition(|name| self.names.contains(&**name));
        if used.is_empty()
            && let Some(at) = others.iter().position(|name| name == key)
        {
            used.push(others.remove(at));
        }
        match used.is_empty() {
            true => Columns::default(),
            false => Columns { used, others },
        }
    }
}

/// What is counted on the way through a query.
#[derive(Default)]
struct Met<'q> {
    /// Words that introduce relations.
    relations: HashMap<&'q str, usize>,
    /// Stars in SELECT lists.
    stars: usize,
}

/// Stars of `EXISTS (SELECT * FROM …)`, which ask for no column; with a set operation about they might.
fn idle_stars(tokens: &[Token<'_>]) -> usize {
    let combines = ["union", "intersect", "except"];
    let combined = |token: &Token<'_>| combines.iter().any(|word| token.is_word(word));
    if tokens.iter().any(combined) {
        return 0;
    }
    let is_idle = |five: &&[Token<'_>]| {
        five[0].is_word("exists")
            && five[1].is_op("(")
            && five[2].is_word("select")
            && five[3].is_op("*")
            && five[4].is_word("from")
    };
    tokens.windows(5).filter(is_idle).count()
}

/// All columns of a relation may be meant, but for stars, which are counted.
fn means_all<'q>(query: &'q Query, met: &mut Met<'q>) -> bool {
    let mut arm = |arm: &'q Arm| match arm {
        Arm::Nested(query) => means_all(query, met),
        Arm::Block(block) => of_block(block, met),
    };
    if query.arms.iter().any(&mut arm) {
        return true;
    }
    for cte in &query.ctes {
        *met.relations.entry(&cte.name).or_default() += 1;
    }
    let mut queries = query.ctes.iter().map(|cte| &cte.query).chain(&query.tail);
    queries.any(|query| means_all(query, met))
}

fn of_block<'q>(block: &'q Block, met: &mut Met<'q>) -> bool {
    let reads = matches!(block.verb, Verb::Select | Verb::Values);
    let stars = block.outputs.iter();
    met.stars += stars
        .filter(|output| matches!(output, Output::All(_)))
        .count();
    !reads
        || block.from.iter().any(|item| of_item(item, met))
        || block.subqueries.iter().any(|query| means_all(query, met))
}

fn of_item<'q>(item: &'q From, met: &mut Met<'q>) -> bool {
    match item {
        From::Table(table) => {
            for name in [Some(&table.name.name), table.alias.as_ref()]
                .into_iter()
                .flatten()
            {
                *met.relations.entry(name).or_default() += 1;
            }
            !table.columns.is_empty()
        }
        From::Derived { query, .. } => means_all(query, met),
        From::Function { subqueries, .. } => subqueries.iter().any(|query| means_all(query, met)),
        From::Join(join) => {
            join.natural
                || of_item(&join.left, met)
                || of_item(&join.right, met)
                || join.subqueries.iter().any(|query| means_all(query, met))
        }
    }
}
