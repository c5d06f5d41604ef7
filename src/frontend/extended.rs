//! The extended protocol: Parse, Bind, Describe, Execute, Close, Flush, Sync.
//!
//! Messages are queued for the shard's connection and leave together at Sync or Flush. Parse waits
//! for the next message: if that is a Bind, its parameters tell where the statement goes; if not, the
//! statement is prepared on a shard that can tell what is wrong with it.
//!
//! ```text
//!   Ready ──Parse, Bind, Describe, Execute, Close──> Open ──Sync──> Ready
//!                                                     │ error
//!                                                     v
//!                                                 SkipToSync ──Sync──> Ready
//! ```
//! Source: <https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-EXT-QUERY>

mod bind;

use std::sync::Arc;

use bytes::{Buf, Bytes};

use super::Client;
use super::service::{answer, malformed};
use super::simple::{not_utf8, shown};
use crate::error::{PgError, SqlState};
use crate::executor::{Expect, Forward, Stage};
use crate::plan::{Control, Plan};
use crate::session::{Answer, Failure, Prepared, Purpose, aside};
use crate::sql;
use crate::types::Oid;
use crate::wire::{self, Described, HEADER_BYTES, Header, Replies, frontend};

/// Queued for the server beyond this, a pipeline begins to leave before its Sync.
const AHEAD_BYTES: usize = 64 * 1024;

/// The same of answers due: a statement that is known already adds one and no bytes.
const AHEAD_ANSWERS: usize = 4_096;

/// Portals the proxy knows by name; more are a client that leaks them.
const PORTALS_MAX: usize = 1_000;

/// What they hold together: their names, statements' texts and lines of EXPLAIN.
const PORTAL_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Where a client is in its pipeline.
#[derive(Debug, Default)]
pub(super) struct Pipeline {
    state: State,
    /// A Parse that no server has seen and the client has no answer to.
    parsed: Option<Parsed>,
    /// Portals that are more to the proxy than to the server.
    portals: Vec<(Box<[u8]>, Portal)>,
    /// How much of a Bind is to be there before it is looked at again; 0 where it has not been looked at.
    bind_bytes: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Ready,
    Open,
    SkipToSync,
}

#[derive(Debug)]
struct Parsed {
    prepared: Arc<Prepared>,
    name: Box<[u8]>,
}

#[derive(Debug)]
pub(super) enum Portal {
    /// A statement about the session: runs here.
    Control(Arc<Prepared>),
    /// EXPLAIN: its rows go ahead of the server's. Taken by the first Execute.
    Explain(Bytes),
    /// Several shards answer it, on connections of its own.
    Scattered(Box<Answer>),
}

impl Portal {
    fn bytes(&self) -> usize {
        match self {
            Self::Control(prepared) => prepared.global.text.len(),
            Self::Explain(lines) => lines.len(),
            Self::Scattered(_) => size_of::<Answer>(),
        }
    }
}

impl Pipeline {
    pub(super) fn is_open(&self) -> bool {
        self.state != State::Ready
    }

    /// Some of its portals are known here.
    pub(super) fn has_portals(&self) -> bool {
        !self.portals.is_empty()
    }

    pub(super) fn take_portals(&mut self) -> impl Iterator<Item = Portal> + use<> {
        let portals = std::mem::take(&mut self.portals);
        portals.into_iter().map(|(_, portal)| portal)
    }

    pub(super) fn portal(&self, name: &[u8]) -> Option<&Portal> {
        self.portals
            .iter()
            .find(|(known, _)| **known == *name)
            .map(|(_, portal)| portal)
    }

    /// Errors: 54000 where one more portal of so many bytes would be too many, or too much.
    pub(super) fn check_room(&self, name: &[u8], bytes: usize) -> Result<(), PgError> {
        let held = |(name, portal): &(Box<[u8]>, Portal)| name.len() + portal.bytes();
        let bytes = self.portals.iter().map(held).sum::<usize>() + name.len() + bytes;
        if self.portals.len() >= PORTALS_MAX || bytes > PORTAL_BYTES_MAX {
            return Err(PgError::proxy(
                SqlState::PROGRAM_LIMIT_EXCEEDED,
                format!(
                    "a session may hold {PORTALS_MAX} portals of this kind, of {PORTAL_BYTES_MAX} bytes together"
                ),
            ));
        }
        Ok(())
    }

    /// Errors: as of [`Self::check_room`].
    pub(super) fn keep_portal(&mut self, name: Box<[u8]>, portal: Portal) -> Result<(), PgError> {
        self.check_room(&name, portal.bytes())?;
        self.portals.push((name, portal));
        Ok(())
    }

    pub(super) fn forget_portal(&mut self, name: &[u8]) -> Option<Portal> {
        let at = self
            .portals
            .iter()
            .position(|(known, _)| **known == *name)?;
        Some(self.portals.swap_remove(at).1)
    }
}

impl Client {
    /// Parse, Describe, Close.
    pub(super) async fn extended(&mut self, tag: u8, body: &[u8]) -> Result<(), Failure> {
        if self.pipeline.state == State::SkipToSync {
            return Ok(());
        }
        self.pipeline.state = State::Open;
        self.session.arrived();
        let outcome = match tag {
            frontend::PARSE => self.parse(body).await,
            frontend::DESCRIBE => self.describe(body).await,
            _ => self.close(body).await,
        };
        if outcome.is_err() {
            Box::pin(self.outcome(outcome)).await?;
        }
        if self.is_long() {
            Box::pin(self.leave_early()).await?;
        }
        Ok(())
    }

    /// An error voids the pipeline up to its Sync.
    async fn outcome(&mut self, outcome: Result<(), Failure>) -> Result<(), Failure> {
        match outcome {
            Ok(()) => {}
            Err(Failure::Told) => self.pipeline.state = State::SkipToSync,
            Err(Failure::Statement(error)) => {
                // Its ParseComplete has not gone out, so to the client the Parse has failed.
                if let Some(parsed) = self.pipeline.parsed.take() {
                    self.session.statements.close(&parsed.name);
                }
                self.pipeline.state = State::SkipToSync;
                Box::pin(self.refuse(&error)).await?;
            }
            Err(other) => return Err(other),
        }
        Ok(())
    }

    async fn parse(&mut self, body: &[u8]) -> Result<(), Failure> {
        self.answer_parse().await?;
        let (name, text, types) = wire::parse(body).map_err(malformed)?;
        let before = match name.is_empty() {
            // Gone also where the new one turns out to be wrong.
            true => self.session.statements.take_unnamed(),
            false => None,
        };
        let text = std::str::from_utf8(text).map_err(|_| not_utf8())?;
        let types: Vec<Oid> = types.into_iter().map(Oid).collect();
        let prepared = match before {
            Some(before) if self.session.is_again(&before, text, &types) => before,
            _ => self.prepare(text, &types).await?,
        };
        self.session.statements.insert(name, prepared.clone())?;
        self.pipeline.parsed = Some(Parsed {
            prepared,
            name: name.into(),
        });
        Ok(())
    }

    async fn prepare(&mut self, text: &str, types: &[Oid]) -> Result<Arc<Prepared>, Failure> {
        if !self.session.has_catalogs() {
            Box::pin(self.session.catalogs_read(&mut self.io)).await?;
        }
        let epoch = self.session.epoch();
        let plan = match self.session.known(text, types) {
            Some(plan) => Ok(plan),
            None => match aside(text.len(), || sql::only_statement(text)) {
                Ok(statement) => Box::pin(self.session.plan_first(statement, types)).await,
                Err(error) => Err(error),
            },
        };
        match plan {
            Ok(plan) => Ok(self.session.prepare(text, types, plan, epoch)),
            Err(error) => {
                let (session, io) = (&mut self.session, &mut self.io);
                Err(Box::pin(session.second_opinion(io, text, types, error)).await)
            }
        }
    }

    /// Answers a Parse that no Bind has followed: a server says whether the statement is right.
    async fn answer_parse(&mut self) -> Result<(), Failure> {
        match self.pipeline.parsed.take() {
            // Large, and not part of what is done again and again: on the heap.
            Some(parsed) => {
                let answered = Box::pin(self.answer_parsed(&parsed)).await;
                if answered.is_err() {
                    // As for its client.
                    self.session.statements.close(&parsed.name);
                }
                answered
            }
            None => Ok(()),
        }
    }

    async fn answer_parsed(&mut self, parsed: &Parsed) -> Result<(), Failure> {
        match &*parsed.prepared.plan {
            Plan::Control(_) => {
                self.in_turn().await?;
                self.io.output.parse_complete();
                Ok(())
            }
            Plan::Route(route) => {
                let shard = self
                    .session
                    .describing_shard(route, parsed.prepared.plan.values());
                self.session
                    .enter(&mut self.io, shard, Purpose::Describe)
                    .await?;
                self.session.queue_parse(
                    &parsed.prepared,
                    parsed.name.is_empty(),
                    Some(&parsed.name),
                )?;
                Ok(())
            }
        }
    }

    /// Waits for answers that are due, so that ours comes in its turn.
    pub(super) async fn in_turn(&mut self) -> Result<(), Failure> {
        if self.session.relay.is_idle() {
            return Ok(());
        }
        self.session.flush(&mut self.io).await
    }

    fn is_long(&self) -> bool {
        self.session.queued_bytes() >= AHEAD_BYTES || self.session.relay.due() >= AHEAD_ANSWERS
    }

    /// A long pipeline begins to run before its Sync, so that neither side's buffers grow with it.
    async fn leave_early(&mut self) -> Result<(), Failure> {
        let outcome = self.session.flush(&mut self.io).await;
        self.outcome(outcome).await
    }

    async fn describe(&mut self, body: &[u8]) -> Result<(), Failure> {
        let target = wire::describe(body).map_err(malformed)?;
        match target {
            Described::Statement(name) => {
                let prepared = Arc::clone(self.session.statements.find(name)?);
                self.answer_parse().await?;
                let Plan::Route(route) = &*prepared.plan else {
                    self.in_turn().await?;
                    self.io.output.parameter_description(&[]);
                    self.describe_control(&prepared);
                    return Ok(());
                };
                let shard = self.session.describing_shard(route, prepared.plan.values());
                self.session
                    .enter(&mut self.io, shard, Purpose::Describe)
                    .await?;
                self.session.queue_parse(&prepared, name.is_empty(), None)?;
                let server_name: &[u8] = if name.is_empty() {
                    b""
                } else {
                    &prepared.global.name
                };
                self.session
                    .queue(Expect::DescribeStatement, false, |out| {
                        wire::put_close(out, frontend::DESCRIBE, Described::Statement(server_name))
                    })?;
            }
            Described::Portal(name) => {
                self.answer_parse().await?;
                match self.pipeline.portal(name) {
                    Some(Portal::Control(prepared)) => {
                        let prepared = Arc::clone(prepared);
                        self.in_turn().await?;
                        self.describe_control(&prepared);
                        return Ok(());
                    }
                    Some(Portal::Scattered(_)) => {
                        self.in_turn().await?;
                        self.describe_scattered(name);
                        return Ok(());
                    }
                    Some(Portal::Explain(_)) | None => {}
                }
                self.portal_exists(name)?;
                self.session.queue(Expect::DescribePortal, false, |out| {
                    wire::put_close(out, frontend::DESCRIBE, target)
                })?;
            }
        }
        Ok(())
    }

    fn describe_control(&mut self, prepared: &Prepared) {
        match &*prepared.plan {
            // In either format a text is the same bytes.
            Plan::Control(Control::Show { name }) => self.io.output.row_description(&shown(name)),
            _ => self.io.output.no_data(),
        }
    }

    /// Portals live on the connection in use; without one there are none.
    fn portal_exists(&self, name: &[u8]) -> Result<(), PgError> {
        if self.session.in_use() {
            return Ok(());
        }
        let name = String::from_utf8_lossy(name);
        Err(PgError::client(
            SqlState::INVALID_CURSOR_NAME,
            format!("portal \"{name}\" does not exist"),
        ))
    }

    pub(super) async fn execute(&mut self, head: Header) -> Result<(), Failure> {
        if self.pipeline.state == State::SkipToSync {
            self.io.input.advance(head.len);
            return Ok(());
        }
        self.pipeline.state = State::Open;
        let outcome = self.queue_execute(head).await;
        if outcome.is_err() {
            Box::pin(self.outcome(outcome)).await?;
        }
        if self.is_long() {
            Box::pin(self.leave_early()).await?;
        }
        Ok(())
    }

    async fn queue_execute(&mut self, head: Header) -> Result<(), Failure> {
        if self.pipeline.parsed.is_some() {
            self.session.arrived();
            self.answer_parse().await?;
        }
        let (name, max_rows) =
            wire::execute(&self.io.input[HEADER_BYTES..head.len]).map_err(malformed)?;
        self.session.admit();
        let mut before = None;
        if !self.pipeline.portals.is_empty() {
            match self.pipeline.portal(name) {
                Some(Portal::Control(prepared)) => {
                    let prepared = Arc::clone(prepared);
                    self.io.input.advance(head.len);
                    return Box::pin(self.run_control(&prepared)).await;
                }
                Some(Portal::Scattered(_)) => {
                    let name = name.into();
                    return Box::pin(self.execute_scattered(head, name, max_rows)).await;
                }
                Some(Portal::Explain(lines)) => {
                    before = Some(lines.clone());
                    self.pipeline.forget_portal(name);
                }
                None => {}
            }
        }
        let mut missing = self.portal_exists(name);
        if max_rows != 0 && missing.is_ok() {
            missing = self.session.keep_gathered();
        }
        if missing.is_ok() {
            self.session.queue_columns(name)?;
            self.session.routed_as_bound();
            let expect = Expect::Execute {
                forward: Forward::ToClient,
                before,
                limited: max_rows != 0,
                stage: Stage::default(),
            };
            self.session
                .queue(expect, true, |out| wire::put_execute(out, name, max_rows))?;
        }
        self.io.input.advance(head.len);
        Ok(missing?)
    }

    async fn run_control(&mut self, prepared: &Prepared) -> Result<(), Failure> {
        if let Plan::Control(control) = &*prepared.plan {
            self.session.heard(&prepared.plan)?;
            let text = &prepared.global.text;
            let text = aside(text.len(), || sql::only_statement(text))?;
            self.session.control(&mut self.io, control, text).await?;
        }
        Ok(())
    }

    async fn close(&mut self, body: &[u8]) -> Result<(), Failure> {
        self.answer_parse().await?;
        let target = wire::close(body).map_err(malformed)?;
        match target {
            Described::Statement(name) => {
                // An earlier error would have skipped this.
                self.in_turn().await?;
                self.session.statements.close(name);
            }
            Described::Portal(name) => {
                let here = Box::pin(self.end_portal(name)).await;
                if !here && self.session.in_use() {
                    self.session
                        .queue(Expect::Close(Forward::ToClient), false, |out| {
                            wire::put_close(out, frontend::CLOSE, target)
                        })?;
                    return Ok(());
                }
            }
        }
        self.in_turn().await?;
        self.io.output.close_complete();
        Ok(())
    }

    /// Brings the answers to everything so far.
    pub(super) async fn flush(&mut self) -> Result<(), Failure> {
        if self.pipeline.state == State::Open {
            self.session.arrived();
            let mut outcome = self.answer_parse().await;
            if outcome.is_ok() {
                outcome = self.session.flush(&mut self.io).await;
            }
            self.outcome(outcome).await?;
        }
        if self.io.output.is_empty() && !self.io.stream.holds_back() {
            return Ok(());
        }
        let may_stop = self.nothing_is_open();
        self.session.awaits_client().await;
        answer(&mut self.io, self.session.entry(), may_stop).await
    }

    /// No transaction and no pipeline: the session may end, or take another configuration.
    pub(super) fn nothing_is_open(&self) -> bool {
        self.session.is_between_transactions() && !self.pipeline.is_open()
    }

    /// Data of a COPY whose Execute has not left yet: the client has not waited for CopyInResponse. False
    /// where no statement can be the one it is for.
    pub(super) async fn flush_to_copy(&mut self) -> Result<bool, Failure> {
        if self.pipeline.state != State::Open || self.session.relay.is_idle() {
            return Ok(false);
        }
        self.flush().await?;
        Ok(true)
    }

    /// A simple query ends a pipeline whose Sync has not come, and its ReadyForQuery stands for both.
    /// False where the pipeline has failed: until its Sync comes even a simple query is skipped.
    pub(super) async fn close_pipeline(&mut self) -> Result<bool, Failure> {
        if self.pipeline.state == State::Open {
            self.session.arrived();
            let mut outcome = self.answer_parse().await;
            if outcome.is_ok() {
                outcome = self.session.settle(&mut self.io).await;
            }
            self.outcome(outcome).await?;
        }
        if self.pipeline.state == State::SkipToSync {
            return Ok(false);
        }
        self.pipeline.state = State::Ready;
        Ok(true)
    }

    /// Ends the pipeline: its answers, then ReadyForQuery.
    pub(super) async fn sync(&mut self) -> Result<(), Failure> {
        if self.pipeline.is_open() {
            // What it ends may have come long before it, and runs only now.
            self.session.arrived();
        }
        if self.pipeline.state == State::Open && self.pipeline.parsed.is_some() {
            let outcome = self.answer_parse().await;
            self.outcome(outcome).await?;
        }
        if self.session.is_pipelined() {
            self.session.queue_sync();
            let outcome = self.session.run(&mut self.io).await;
            if outcome.is_err() {
                Box::pin(self.outcome(outcome)).await?;
            }
            if self.session.is_pipelined() {
                return Ok(());
            }
        }
        self.session.finish(&mut self.io).await?;
        if self.pipeline.has_portals() && self.session.is_between_transactions() {
            Box::pin(self.end_portals()).await;
        }
        self.pipeline.state = State::Ready;
        self.io.output.ready_for_query(self.session.txn.status());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn portals_are_counted_by_what_they_hold() {
        let mut pipeline = Pipeline::default();
        let lines = || Portal::Explain(Bytes::new());
        let name = |number: usize, bytes: usize| {
            let mut name = vec![0; bytes];
            name[..8].copy_from_slice(&number.to_be_bytes());
            name.into_boxed_slice()
        };
        let full = (0..PORTALS_MAX).find(|number| {
            pipeline
                .keep_portal(name(*number, 1 << 20), lines())
                .is_err()
        });
        assert_eq!(full, Some(PORTAL_BYTES_MAX >> 20), "by their names");
        assert!(pipeline.forget_portal(&name(0, 1 << 20)).is_some());
        let text = Portal::Explain(Bytes::from(vec![0; (1 << 20) + 1]));
        assert!(pipeline.keep_portal(name(0, 8), text).is_err());
        pipeline.portals.clear();
        let full = (0..).find(|number| pipeline.keep_portal(name(*number, 8), lines()).is_err());
        assert_eq!(full, Some(PORTALS_MAX));
    }
}
