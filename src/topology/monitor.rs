//! Asks one server, again and again, what it is.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_postgres::SimpleQueryMessage;

use super::control::{Control, ControlError, ROW_ANSWER_MAX, within};
use super::shard::{LiveShard, Seen};
use crate::config::Service;
use crate::net::{Tls, timer};

/// One server's monitor.
pub(super) struct Monitor {
    pub(super) shard: Arc<LiveShard>,
    /// Index in the shard.
    pub(super) server: usize,
    pub(super) service: Service,
    pub(super) tls: Arc<Tls>,
}

impl Monitor {
    /// Polls until it is dropped: about once a second, more often while the shard has no primary, and at
    /// once when asked.
    pub(super) async fn run(self) {
        let mut control = None;
        loop {
            let started = Instant::now();
            let polled = self.poll(&mut control).await;
            self.publish(polled);
            let interval = match self.shard.primary() {
                Some(_) => POLL_INTERVAL,
                None => POLL_INTERVAL_VACANT,
            };
            tokio::select! {
                () = timer::sleep_until(started + interval) => {}
                () = self.shard.servers[self.server].poll.notified() => {
                    // Whoever asks often gets one answer for many questions.
                    timer::sleep_until(started + POLL_SPACING).await;
                }
            }
        }
    }

    /// One question. A connection that broke is replaced once before the server counts as unreachable:
    /// somebody may have ended the session, not the server.
    async fn poll(&self, control: &mut Option<Control>) -> Result<Seen, ControlError> {
        if let Some(connected) = control.take()
            && let Ok(seen) = within(POLL_TIMEOUT, connected.question(ask(&connected))).await
        {
            *control = Some(connected);
            return Ok(seen);
        }
        let address = &self.shard.servers[self.server].address;
        let connected = Control::connect(
            address,
            &self.shard.dbname,
            &self.service,
            &self.tls,
            POLL_TIMEOUT,
            ROW_ANSWER_MAX,
        )
        .await?;
        let seen = within(POLL_TIMEOUT, connected.question(ask(&connected))).await?;
        *control = Some(connected);
        Ok(seen)
    }

    fn publish(&self, polled: Result<Seen, ControlError>) {
        let server = &self.shard.servers[self.server];
        let before = server.seen.load_full();
        let seen = match polled {
            Ok(seen) => {
                server.metrics.polls.inc();
                seen
            }
            Err(error) => {
                server.metrics.poll_failures.inc();
                after_failure(&before, &error)
            }
        };
        if seen.last_error != before.last_error {
            self.log(&seen);
        }
        self.shard.publish(self.server, seen);
    }

    fn log(&self, seen: &Seen) {
        let (shard, server) = (&*self.shard.name, &self.shard.servers[self.server].address);
        match &seen.last_error {
            Some(error) => tracing::warn!(shard, %server, error, "server not monitored"),
            None => tracing::info!(shard, %server, "server monitored again"),
        }
    }
}

/// A server that answers and only refuses the monitor (too many connections, say) is still what it was.
fn after_failure(before: &Seen, error: &ControlError) -> Seen {
    let reachable = error.is_refusal();
    Seen {
        reachable,
        in_recovery: before.in_recovery.filter(|_| reachable),
        last_error: Some(error.to_string()),
        ..before.clone()
    }
}

async fn ask(control: &Control) -> Result<Seen, ControlError> {
    let messages = control.client.simple_query(QUESTION).await?;
    let row = messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    let row = row.ok_or(ControlError::Unexpected("the monitor's question"))?;
    let in_recovery = match row.get("in_recovery") {
        Some("t") => true,
        Some("f") => false,
        _ => return Err(ControlError::Unexpected("pg_is_in_recovery")),
    };
    let timeline = row
        .get("timeline")
        .and_then(|digits| u32::from_str_radix(digits, 16).ok());
    if !in_recovery && timeline.is_none() {
        return Err(ControlError::Unexpected("pg_walfile_name"));
    }
    Ok(Seen {
        reachable: true,
        in_recovery: Some(in_recovery),
        timeline,
        lsn: row.get("lsn").map(str::to_owned),
        lag_seconds: row.get("lag").and_then(|lag| lag.parse().ok()),
        version: row.get("version").map(str::to_owned),
        last_error: None,
    })
}

/// A primary's timeline is read off its current WAL file's name: `pg_control_checkpoint()` shows the old
/// one after a promotion until the next checkpoint. None of these functions needs rights. Lag is zero on
/// a replica that has replayed all it received, however long ago the last transaction was.
const QUESTION: &str = "\
SELECT r AS in_recovery,
       CASE WHEN r THEN pg_catalog.pg_last_wal_replay_lsn() ELSE pg_catalog.pg_current_wal_lsn() END AS lsn,
       CASE WHEN NOT r THEN pg_catalog.substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 1, 8) END
           AS timeline,
       CASE WHEN NOT r OR pg_catalog.pg_last_wal_receive_lsn() = pg_catalog.pg_last_wal_replay_lsn() THEN 0
            ELSE pg_catalog.date_part('epoch',
                     pg_catalog.clock_timestamp() - pg_catalog.pg_last_xact_replay_timestamp())
       END AS lag,
       pg_catalog.current_setting('server_version') AS version
  FROM (SELECT pg_catalog.pg_is_in_recovery() AS r OFFSET 0) AS s";

const POLL_INTERVAL: Duration = Duration::from_secs(1);
const POLL_INTERVAL_VACANT: Duration = Duration::from_millis(250);
const POLL_SPACING: Duration = Duration::from_millis(20);
const POLL_TIMEOUT: Duration = Duration::from_secs(3);
