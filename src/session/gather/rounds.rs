//! Tables that are brought in two rounds: first those of which a condition leaves few rows, then, of others, the rows that
//! have values of theirs.
//!
//! Each shard gives both in one transaction that keeps its snapshot, and so does the scratch read its own rows. Where that is
//! the client's transaction, which does not keep one, all comes in one round.

use tokio::time::Instant;

use super::super::{Failure, Session};
use super::{BEGIN_OWN, copy_of};
use crate::backend::Lease;
use crate::executor::{self, Given};
use crate::net::Buffered;
use crate::plan::{Gathering, Joined, Part};
use crate::shardmap::{ShardId, identifier};

/// More values than this are not told to the shards.
const VALUES_MAX: usize = 10_000;
const VALUES_BYTES_MAX: usize = 1 << 20;

/// A table, and the end of what it is read by.
pub(super) type Read<'a> = (&'a Part, &'a String);

/// For each table what it waits for, if anything.
fn waits<'a>(gathering: &'a Gathering, filters: &[String], begin: &str) -> Vec<Option<&'a Joined>> {
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
    /// Brings all tables: by what ends a statement over them, of those that wait for others with the condition that they
    /// wait for. `told`, `begin`: the text that runs next, and how the scratch begins.
    pub(super) async fn load_rounds(
        &mut self,
        io: &mut Buffered,
        (gathering, told, begin): (&Gathering, &str, &str),
        shard: ShardId,
        lanes: &mut [(ShardId, Lease)],
        filters: &mut [String],
    ) -> Result<Given, Failure> {
        let waits = waits(gathering, filters, begin);
        let last = u8::from(waits.iter().any(Option::is_some));
        let mut given = Given {
            by_lane: vec![Vec::new(); filters.len()],
            ..Given::default()
        };
        for round in 0..=last {
            for (filter, joined) in filters.iter_mut().zip(&waits) {
                if let Some(joined) = joined
                    && round > 0
                {
                    *filter = self.narrowed(io, joined).await?;
                }
            }
            let is_now = |place: &usize| u8::from(waits[*place].is_some()) == round;
            let places: Vec<usize> = (0..filters.len()).filter(is_now).collect();
            let part = |place: &usize| (&gathering.pieces[*place], &filters[*place]);
            let parts: Vec<Read<'_>> = places.iter().map(part).collect();
            let begins = (round == 0).then_some(begin);
            let ends = (round == last).then_some(told);
            let of = (&*parts, given.total);
            let pieces = self.pieces(gathering, of, lanes, shard, (begins, ends));
            let at = (begins.is_some(), ends.is_some());
            let text = |(lane, _): &(ShardId, Lease)| self.lane_text(&parts, *lane, at);
            let texts: Vec<String> = lanes.iter().map(text).collect();
            let loaded = self.load(io, lanes, &texts, pieces, begin.is_empty());
            let loaded = loaded.await?;
            given.total = loaded.total;
            for (place, by_lane) in places.into_iter().zip(loaded.by_lane) {
                given.by_lane[place] = by_lane;
            }
        }
        Ok(given)
    }

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
            "SELECT CASE WHEN pg_catalog.count(*) <= {VALUES_MAX} AND \
             COALESCE(pg_catalog.sum(pg_catalog.octet_length(value::text)), 0) <= {VALUES_BYTES_MAX} THEN \
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
            // A database without an encoding may have bytes that are no text here.
            Some(values) if !values.contains(char::REPLACEMENT_CHARACTER) => {
                let (column, array) = (identifier(&joined.column), joined.array);
                format!(" WHERE {column} = ANY ({values}::{array})")
            }
            Some(_) | None => String::new(),
        })
    }
}
