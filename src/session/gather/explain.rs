//! EXPLAIN of what is gathered: what has travelled, and how each shard finds the rows that it gives.

use std::sync::Arc;

use tokio::time::Instant;

use super::super::{Failure, Session};
use super::text;
use crate::backend::Lease;
use crate::executor::{self, Given};
use crate::net::Buffered;
use crate::plan::Gathering;
use crate::planner::explain_prefix;
use crate::shardmap::ShardId;

/// What is asked of shards for one EXPLAIN.
pub(super) struct Explained<'a> {
    pub(super) gathering: &'a Gathering,
    /// The end of what each of its tables is read by.
    pub(super) filters: &'a [String],
    /// The statement.
    pub(super) text: &'a str,
    pub(super) given: &'a Given,
}

impl Session {
    /// A line for each table of each shard, and the shard's plan for it. `lanes`: in the order of what was given.
    pub(super) async fn explain_lanes(
        &mut self,
        io: &mut Buffered,
        shard: ShardId,
        lanes: &mut [(ShardId, Lease)],
        explained: Explained<'_>,
    ) -> Result<Vec<String>, Failure> {
        let mut lines = Vec::new();
        let Some((prefix, _)) = explain_prefix(explained.text) else {
            return Ok(lines);
        };
        let entry = Arc::clone(&self.registered.entry);
        let tables = explained.gathering.pieces.iter().zip(explained.filters);
        for ((part, filter), given) in tables.zip(&explained.given.by_lane) {
            let columns = text::names(&part.columns).unwrap_or_else(|| "*".to_owned());
            let asked = format!(
                "{prefix} SELECT {columns} FROM {}{filter}",
                part.table.sql()
            );
            let mut given = given.iter();
            for from in &part.shards {
                let deadline = Instant::now() + self.database.config.pool.connect;
                let name = self.map().shard_name(*from).to_owned();
                let lane = lanes.iter_mut().find(|(lane, _)| lane == from);
                let (connection, moved) = match (lane, &mut self.server) {
                    (Some((_, lease)), _) => (&mut **lease, given.next()),
                    (None, Some(server)) if *from == shard => (&mut *server.lease, None),
                    _ => continue,
                };
                lines.push(match moved {
                    Some(moved) => {
                        let (rows, bytes) = (moved.rows, moved.bytes);
                        format!("{} from {name}: {rows} rows, {bytes} bytes", part.table)
                    }
                    None => format!("{} on {name}", part.table),
                });
                let is_scratch = moved.is_none();
                let plan = Box::pin(executor::lines(connection, &asked, deadline));
                let plan = entry.wait(io, plan).await;
                if is_scratch && !matches!(plan, Ok(Ok(_))) {
                    self.lose_server();
                }
                lines.extend(plan??.into_iter().map(|line| format!("  {line}")));
            }
        }
        lines.push(format!(
            "Over what was gathered, on {}:",
            self.map().shard_name(shard)
        ));
        Ok(lines)
    }
}
