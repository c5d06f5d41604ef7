//! Tables that are brought in two rounds: first those of which a condition leaves few rows, then, of others, the rows that
//! have values of theirs.
//!
//! Each shard gives both in one transaction that keeps its snapshot, and so does the scratch read its own rows. Where that is
//! the client's transaction, which does not keep one, all comes in one round.

use tokio::time::Instant;

use super::super::{Failure, Session};
use super::{BEGIN_OWN, copy_of};
use crate::executor;
use crate::net::Buffered;
use crate::plan::{Gathering, Joined, Part};
use crate::shardmap::identifier;

/// More values than this are not told to the shards.
const VALUES_MAX: usize = 10_000;

/// A table, and the end of what it is read by.
pub(super) type Read<'a> = (&'a Part, &'a String);

/// For each table what it waits for, if anything.
pub(super) fn waits<'a>(
    gathering: &'a Gathering,
    filters: &[String],
    begin: &str,
) -> Vec<Option<&'a Joined>> {
    let tables = || gathering.pieces.iter().zip(filters);
    let is_few = |joined: &&Joined| {
        tables().any(|(part, filter)| part.table == joined.table && !filter.is_empty())
    };
    let keeps_snapshot = begin.starts_with(BEGIN_OWN);
    let waits = |(part, filter): (&'a Part, &String)| {
        let may = keeps_snapshot && filter.is_empty();
        part.joined.iter().filter(|_| may).find(is_few)
    };
    tables().map(waits).collect()
}

impl Session {
    /// The condition that a table's column has one of the values that have been brought; empty where these are too many.
    pub(super) async fn narrowed(
        &mut self,
        io: &mut Buffered,
        joined: &Joined,
    ) -> Result<String, Failure> {
        let Some(server) = &mut self.server else {
            return Ok(String::new());
        };
        let (other, from) = (identifier(&joined.other), copy_of(&joined.table.name));
        let text = format!(
            "SELECT CASE WHEN pg_catalog.count(*) <= {VALUES_MAX} THEN \
             COALESCE(pg_catalog.quote_literal(pg_catalog.array_agg(value)::text), '''{{}}''') END \
             FROM (SELECT DISTINCT {other} AS value FROM {from} WHERE {other} IS NOT NULL LIMIT {}) AS found",
            VALUES_MAX + 1
        );
        let deadline = Instant::now() + self.database.config.pool.connect;
        let asked = Box::pin(executor::lines(&mut server.lease, &text, deadline));
        let answer = self.registered.entry.wait(io, asked).await;
        if !matches!(answer, Ok(Ok(_))) {
            self.lose_server();
        }
        Ok(match answer??.first() {
            Some(values) => {
                let (column, array) = (identifier(&joined.column), joined.array);
                format!(" WHERE {column} = ANY ({values}::{array})")
            }
            None => String::new(),
        })
    }
}
