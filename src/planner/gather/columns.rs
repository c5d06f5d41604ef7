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
        meet(query, &mut met);
        if met.all || met.renamed || met.stars != idle_stars(tokens) {
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

/// Columns of a table have other names: `t AS a (x, y)`.
pub(super) fn are_renamed(query: &Query) -> bool {
    let mut met = Met::default();
    meet(query, &mut met);
    met.renamed
}

/// What is met on the way through a query.
#[derive(Default)]
struct Met<'q> {
    /// Words that introduce relations, with how often they do.
    relations: HashMap<&'q str, usize>,
    /// Stars in SELECT lists.
    stars: usize,
    /// All columns of a relation may be meant, but for stars.
    all: bool,
    /// A table's columns have other names.
    renamed: bool,
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

/// Goes through a query.
fn meet<'q>(query: &'q Query, met: &mut Met<'q>) {
    for arm in &query.arms {
        match arm {
            Arm::Nested(query) => meet(query, met),
            Arm::Block(block) => meet_block(block, met),
        }
    }
    for cte in &query.ctes {
        *met.relations.entry(&cte.name).or_default() += 1;
    }
    let queries = query.ctes.iter().map(|cte| &cte.query).chain(&query.tail);
    queries.for_each(|query| meet(query, met));
}

fn meet_block<'q>(block: &'q Block, met: &mut Met<'q>) {
    let stars = block.outputs.iter();
    met.stars += stars
        .filter(|output| matches!(output, Output::All(_)))
        .count();
    met.all |= !matches!(block.verb, Verb::Select | Verb::Values);
    block.from.iter().for_each(|item| meet_item(item, met));
    let queries = block.subqueries.iter();
    queries.for_each(|query| meet(query, met));
}

fn meet_item<'q>(item: &'q From, met: &mut Met<'q>) {
    match item {
        From::Table(table) => {
            for name in [Some(&table.name.name), table.alias.as_ref()]
                .into_iter()
                .flatten()
            {
                *met.relations.entry(name).or_default() += 1;
            }
            met.renamed |= !table.columns.is_empty();
        }
        From::Derived { query, .. } => meet(query, met),
        From::Function { subqueries, .. } => {
            subqueries.iter().for_each(|query| meet(query, met));
        }
        From::Join(join) => {
            met.all |= join.natural;
            meet_item(&join.left, met);
            meet_item(&join.right, met);
            let queries = join.subqueries.iter();
            queries.for_each(|query| meet(query, met));
        }
    }
}
