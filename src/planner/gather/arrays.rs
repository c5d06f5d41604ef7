//! A gathered statement whose tables have few rows: these travel as arrays, and the client's own text runs behind WITH queries
//! of them, called as the tables are. Nothing is made on a server for that.
//!
//! ```text
//!   select … from a join b on …
//!     shards:   SELECT t.x, (NULL::b).y, 0 FROM a AS t UNION ALL SELECT (NULL::a).x, t.y, 1 FROM b AS t
//!     answered: WITH "a" AS (… unnest($1) …), "b" AS (… unnest($2) …) select … from a join b on …
//! ```
//!
//! Whatever hides the name of a table (another WITH query, an alias) hides that of such a WITH query, too; not where the name
//! has its schema. Whether the statement has the columns that it has over the tables themselves a server is asked before
//! ([`crate::plan::Facts`]); if not, rows are copied.

use std::iter;

use super::columns::are_renamed;
use super::filters::condition;
use super::schemas;
use crate::plan::{
    Finish, Gather, KeyTarget, Learned, Merge, OverTables, Piece, Query, Scatter, Tables, WithQuery,
};
use crate::planner::Planner;
use crate::planner::cursor::Cursor;
use crate::shardmap::{TableName, identifier};
use crate::sql::{self, Token};

/// A list has no more.
/// Source: `MaxTupleAttributeNumber` in `src/include/access/htup_details.h`
const COLUMNS_MAX: usize = 1_664;

impl Planner<'_> {
    /// How it is answered while its tables' rows are few; `None` where they have to be copied. `at`: the statement.
    pub(in crate::planner) fn in_arrays(
        &self,
        gather: &Gather,
        query: &sql::tree::Query,
        at: Cursor<'_>,
    ) -> Option<Scatter> {
        let first = gather.pieces.first()?;
        // A row as a whole has the table's own names otherwise.
        if !gather.views.is_empty() || !self.scatters || are_renamed(query) {
            return None;
        }
        let text = at.text.get(at.rest.first()?.start..at.rest.last()?.end)?;
        // What names the schema means the table, whatever is called like it.
        let named = schemas(text, &gather.pieces.iter().map(|it| &it.table));
        if !named.is_ok_and(|named| named.is_empty()) {
            return None;
        }
        let tables: Option<Vec<Table>> = { gather.pieces.iter() }
            .map(|piece| self.table(piece, text))
            .collect();
        let tables = tables?;
        if tables.iter().map(|table| table.used.len()).sum::<usize>() >= COLUMNS_MAX {
            return None;
        }
        let (head, rest) = behind_with(at, text)?;
        let columns = tables.iter().map(|table| {
            let columns = table.used.iter().map(|name| (*name).into());
            WithQuery {
                name: table.table.name.as_str().into(),
                columns: columns.collect(),
            }
        });
        Some(Scatter {
            // The pieces say which shards there are.
            anchors: KeyTarget {
                keyspace: first.keys.keyspace,
                relations: Vec::new(),
            },
            merge: Merge::Tables(Tables {
                text: asked(&tables).into(),
            }),
            finish: Some(Box::new(Finish {
                instead: None,
                regrouped: None,
                query: Query::Tables(OverTables {
                    head: head.into(),
                    tables: columns.collect(),
                    rest: rest.into(),
                }),
            })),
            reason: String::new(),
            has_moments: false,
            explained: None,
            learned: Learned::default(),
        })
    }

    fn table<'p>(&'p self, piece: &'p Piece, text: &str) -> Option<Table<'p>> {
        let relation = self.context.schema.relations.get(&piece.table)?;
        let (used, others) = match piece.columns.others.is_empty() {
            true => (
                relation.columns.iter().map(|it| &*it.name).collect(),
                &[][..],
            ),
            false => {
                let used = piece.columns.used.iter().map(String::as_str);
                (used.collect(), &*piece.columns.others)
            }
        };
        let called = piece.called.as_ref();
        Some(Table {
            table: &piece.table,
            used,
            others,
            condition: called
                .and_then(|called| condition(text, &piece.table, called, &relation.columns, true)),
        })
    }
}

struct Table<'p> {
    table: &'p TableName,
    /// Columns that travel.
    used: Vec<&'p str>,
    others: &'p [String],
    /// For its rows to matter.
    condition: Option<String>,
}

impl Table<'_> {
    /// A column of no row: with the table's type, modifier and collation.
    fn of_null(&self, column: &str) -> String {
        format!("(NULL::{}).{}", self.table.sql(), identifier(column))
    }

    /// The table's number. Servers refuse the text where the table has not just the columns that it is known to have, for a
    /// name in the statement could be another one: a ROW that is cast to a table's type has its count of fields.
    /// Source: `coerce_record_to_complex` in `src/backend/parser/parse_coerce.c`
    fn checked_number(&self, number: usize) -> String {
        let nulls = vec!["NULL"; self.used.len() + self.others.len()].join(", ");
        let row = format!("ROW({nulls})::{}", self.table.sql());
        let others = self.others.iter().map(|column| self.of_null(column));
        let all: Vec<String> = iter::once(row).chain(others).collect();
        format!(
            "CASE WHEN false THEN (ROW({}) IS NULL)::integer ELSE {number} END",
            all.join(", ")
        )
    }
}

/// What shards are asked for ([`Tables::text`]).
fn asked(tables: &[Table<'_>]) -> String {
    let arm = |(number, own): (usize, &Table<'_>)| {
        let columns = tables.iter().enumerate().flat_map(|(at, table)| {
            let column = move |name: &&str| match at == number {
                true => format!("t.{}", identifier(name)),
                false => table.of_null(name),
            };
            table.used.iter().map(column)
        });
        let columns: Vec<String> = columns.chain([own.checked_number(number)]).collect();
        let condition = own.condition.as_ref();
        let condition = condition.map_or(String::new(), |it| format!(" WHERE {it}"));
        format!(
            "SELECT {} FROM {} AS t{condition}",
            columns.join(", "),
            own.table.sql()
        )
    };
    let arms: Vec<String> = tables.iter().enumerate().map(arm).collect();
    arms.join(" UNION ALL ")
}

/// WITH for more queries, and what of the statement comes behind them.
fn behind_with(at: Cursor<'_>, text: &str) -> Option<(&'static str, String)> {
    let start = at.rest.first()?.start;
    let behind = |word: &Token<'_>| text.get(word.end - start..);
    Some(match at.rest {
        [with, recursive, ..] if with.is_word("with") && recursive.is_word("recursive") => {
            ("WITH RECURSIVE", format!(",{}", behind(recursive)?))
        }
        [with, ..] if with.is_word("with") => ("WITH", format!(",{}", behind(with)?)),
        _ => ("WITH", format!(" {text}")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Columns;
    use crate::shardmap::KeyspaceIndex;

    fn piece(name: &str, used: &[&str], others: &[&str]) -> Piece {
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        Piece {
            table: TableName {
                schema: "public".to_owned(),
                name: name.to_owned(),
            },
            keys: KeyTarget {
                keyspace: KeyspaceIndex(0),
                relations: Vec::new(),
            },
            columns: Columns {
                used: names(used),
                others: names(others),
            },
            called: None,
            joined: Vec::new(),
        }
    }

    #[test]
    fn each_table_is_an_arm() {
        let (a, b) = (piece("a", &["x"], &["y"]), piece("B", &[], &[]));
        let tables = [
            Table {
                table: &a.table,
                used: vec!["x"],
                others: &a.columns.others,
                condition: Some("x > 1".to_owned()),
            },
            Table {
                table: &b.table,
                used: vec!["u", "v"],
                others: &[],
                condition: None,
            },
        ];
        assert_eq!(
            asked(&tables),
            "SELECT t.\"x\", (NULL::\"public\".\"B\").\"u\", (NULL::\"public\".\"B\").\"v\", \
             CASE WHEN false THEN (ROW(ROW(NULL, NULL)::\"public\".\"a\", (NULL::\"public\".\"a\").\"y\") IS NULL)::integer \
             ELSE 0 END FROM \"public\".\"a\" AS t WHERE x > 1 UNION ALL \
             SELECT (NULL::\"public\".\"a\").\"x\", t.\"u\", t.\"v\", \
             CASE WHEN false THEN (ROW(ROW(NULL, NULL)::\"public\".\"B\") IS NULL)::integer ELSE 1 END FROM \"public\".\"B\" AS t"
        );
    }

    #[test]
    fn the_statement_stands_behind_with() {
        for (text, told) in [
            ("select a.x from a", "WITH … select a.x from a"),
            ("(table a)", "WITH … (table a)"),
            (
                "/* ? */ With b as (table a) table b",
                "WITH …, b as (table a) table b",
            ),
            (
                "with recursive b as (table a) table b;",
                "WITH RECURSIVE …, b as (table a) table b;",
            ),
        ] {
            let tokens = sql::tokens(text).expect("tokens");
            let own = &text[tokens[0].start..];
            let put = behind_with(Cursor::new(text, &tokens), own);
            let (head, rest) = put.expect("a statement");
            assert_eq!(format!("{head} …{rest}"), told);
        }
    }
}
