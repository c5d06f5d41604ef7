//! What shards are asked for of what is gathered, and what the scratch is told ahead of it, and behind.

use std::fmt::Write;

use super::super::Session;
use super::rounds::Read;
use super::text::{self, copy_of, fill, make, primary_key};
use crate::backend::Lease;
use crate::executor::{Load, Moved, Pieces};
use crate::plan::{Gathering, Part};
use crate::planner::filter;
use crate::shardmap::ShardId;
use crate::types::Oid;
use crate::wire::TransactionStatus;

/// Rows that travel as text are written so that they are read alike under whatever settings the scratch has.
/// Source: the notes of <https://www.postgresql.org/docs/current/sql-copy.html>, and
/// <https://www.postgresql.org/docs/current/datatype-datetime.html#DATATYPE-INTERVAL-OUTPUT>
const AS_TEXT: &str = "SET LOCAL extra_float_digits = 3;\n\
    SET LOCAL datestyle = 'ISO';\nSET LOCAL intervalstyle = 'iso_8601';\n";

/// A list of settings, and what they have to be where rows that travel as text, or definitions of views, are read as they
/// were written.
/// Source: `array_nulls` in <https://www.postgresql.org/docs/current/runtime-config-compatible.html>, `xmloption` in
/// <https://www.postgresql.org/docs/current/runtime-config-client.html>
const AS_WRITTEN: &str = "(VALUES ('datestyle', 'ISO'), ('intervalstyle', 'iso_8601'), \
    ('extra_float_digits', '3'), ('array_nulls', 'on'), ('xmloption', 'content')) AS s (name, value)";

/// PostgreSQL knows nothing of temporary tables' contents unless it is told to look; with fewer rows its guess will do.
const ANALYZED_ROWS: u64 = 10_000;

impl Session {
    /// For each table the end of what it is read by: the condition for its rows to matter, where one is known.
    pub(super) fn filters(&self, gathering: &Gathering, text: &str) -> Vec<String> {
        let schema = self.database.schema();
        let of = |part: &Part| {
            let relation = schema.relations.get(&part.table)?;
            filter(text, part, &relation.columns)
        };
        let end = |part: &Part| of(part).map_or(String::new(), |filter| format!(" WHERE {filter}"));
        gathering.pieces.iter().map(end).collect()
    }

    /// What a shard is asked for: its rows of the tables, in one snapshot.
    pub(super) fn lane_text(
        &self,
        parts: &[Read<'_>],
        lane: ShardId,
        (begins, ends): (bool, bool),
    ) -> String {
        let mut text = String::new();
        if begins {
            text.push_str("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;\n");
            text.push_str(&self.settings.pending());
            text.push_str(AS_TEXT);
        }
        for (part, filter) in parts {
            if part.shards.contains(&lane) {
                let format = match self.is_plain(part) {
                    true => " (FORMAT binary)",
                    false => "",
                };
                let columns = text::names(&part.columns).unwrap_or_else(|| "*".to_owned());
                let table = part.table.sql();
                let _ = writeln!(
                    text,
                    "COPY (SELECT {columns} FROM {table}{filter}) TO STDOUT{format};"
                );
            }
        }
        if ends {
            text.push_str("ROLLBACK");
        }
        text
    }

    /// All the columns that travel have types that are the same on every server, so that their binary forms are, and are
    /// read alike whatever the settings.
    pub(super) fn is_plain(&self, part: &Part) -> bool {
        let schema = self.database.schema();
        let relation = schema.relations.get(&part.table);
        relation.is_some_and(|relation| {
            let stays = |name: &String| part.columns.others.contains(name);
            let columns = relation.columns.iter();
            let mut travel = columns.filter(|column| !stays(&column.name));
            !relation.columns.is_empty()
                && travel.all(|column| {
                    let oid = column.type_oid;
                    oid != Oid::UNSPECIFIED && oid.travels_in_binary()
                })
        })
    }

    /// What the scratch takes in of some of the tables. It begins what it says, unless it has begun; it `ends` with the
    /// text that runs next. `moved`: by rounds before this one.
    pub(super) fn pieces(
        &self,
        gathering: &Gathering,
        (parts, moved): (&[Read<'_>], Moved),
        lanes: &[(ShardId, Lease)],
        shard: ShardId,
        (begins, ends): (Option<&str>, Option<&str>),
    ) -> Pieces {
        let load = |(part, _): &Read<'_>| Load {
            table: match text::names(&part.columns) {
                Some(names) => format!("{} ({names})", copy_of(&part.table.name)),
                None => copy_of(&part.table.name),
            },
            lanes: (0..lanes.len())
                .filter(|lane| part.shards.contains(&lanes[*lane].0))
                .collect(),
            binary: self.is_plain(part),
        };
        let mut all = gathering.pieces.iter();
        let reads = !gathering.views.is_empty() || all.any(|part| !self.is_plain(part));
        let (as_written, as_set) = match reads {
            true => (read_as_written(), read_as_set()),
            false => (String::new(), String::new()),
        };
        let mut prepare = match begins {
            Some(begin) => [begin, &as_written, &make(gathering)].concat(),
            None => String::new(),
        };
        prepare += &fill(parts, shard);
        let groups = ends.filter(|text| text.to_ascii_lowercase().contains("group"));
        let tables = || gathering.pieces.iter().map(|part| &part.table);
        let analyze: Vec<_> = tables().map(|table| copy_of(&table.name)).collect();
        let limits = self.database.config.gather;
        Pieces {
            prepare,
            loads: parts.iter().map(load).collect(),
            complete: match (ends, groups) {
                (None, _) => String::new(),
                (Some(_), None) => as_set,
                (Some(_), Some(text)) => {
                    let keys = tables().map(|table| primary_key(table, text));
                    as_set + &keys.collect::<String>()
                }
            },
            ends: match ends {
                Some(_) => TransactionStatus::Idle,
                None => TransactionStatus::InTransaction,
            },
            analyze: (ANALYZED_ROWS, format!("ANALYZE {}", analyze.join(", "))),
            rows_max: limits.rows,
            bytes_max: limits.bytes,
            moved,
        }
    }
}

fn read_as_written() -> String {
    format!(
        "SELECT pg_catalog.set_config('trunkline_gather.' || name, pg_catalog.current_setting(name), true), \
         pg_catalog.set_config(name, value, true) FROM {AS_WRITTEN};\n"
    )
}

/// The settings are the session's again.
fn read_as_set() -> String {
    format!(
        "SELECT pg_catalog.set_config(name, pg_catalog.current_setting('trunkline_gather.' || name), true) \
         FROM {AS_WRITTEN};\n"
    )
}
