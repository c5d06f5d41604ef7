//! A statement that several shards answer, each for its rows: their connections are leased for it alone, beside the one
//! in use, and given back when its answer has gone out.
//!
//! Each shard runs its part in a transaction of its own. So this is for statements outside of a transaction; others are
//! gathered.

mod finish;
mod places;

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use tokio::time::Instant;

use finish::pause;
use places::Places;

use super::gather::tells_time;
use super::interrupt::unless;
use super::{Failure, Prepared, Session};
use crate::backend::{Lease, StatementId};
use crate::error::{PgError, SqlState};
use crate::executor::scatter::{
    self, Asked, LaneError, Parameters, Progress, Question, ScatterError, Scattering, Translated,
};
use crate::net::Buffered;
use crate::plan::{Facts, Known, Learned, Merge, Scatter, Span};
use crate::shardmap::ShardId;
use crate::txn::Transaction;
use crate::types::Format;
use crate::wire::row::RowWriter;
use crate::wire::{Replies, says_goodbye};

/// A scattered statement of a client: its text, what fills its slots, and the shards that answer it.
#[derive(Clone, Debug)]
pub struct Scattered<'a> {
    pub plan: &'a Scatter,
    pub shards: &'a [ShardId],
    pub span: Span,
    pub text: &'a str,
    pub parameters: Parameters<'a>,
    /// Of the client's columns: none for text, one for all, or one for each.
    pub formats: &'a [Format],
    /// Its client has given it a name.
    pub is_named: bool,
    /// Of an EXPLAIN: rows that go ahead of the shards' own.
    pub ahead: Bytes,
}

/// Its answer as it comes.
#[derive(Debug)]
pub struct Answer {
    /// `None` where all of it has come.
    running: Option<Box<Scattering>>,
    description: Bytes,
    facts: Arc<Facts>,
    shards: Vec<ShardId>,
    explains: bool,
    /// Its rows are the client's: no server has to finish it.
    is_merged: bool,
    places: Places,
    /// What its plan knows of it.
    learned: Learned,
    /// The time that its shards were told.
    now: Option<String>,
}

impl Session {
    /// Has the shards begin; `None` where the rows have to be gathered instead. When this is done the statement is
    /// known to be right, or its error is the client's.
    ///
    /// Errors: those of the shards; 08006 and 53300 where no connection is to be had.
    pub async fn scatter(
        &mut self,
        io: &mut Buffered,
        scattered: Scattered<'_>,
    ) -> Result<Option<Answer>, Failure> {
        // In a transaction it would depend on what that has done and set, and on its isolation.
        let alone = self.txn == Transaction::Idle && !self.has_effects();
        if !alone || tells_time(scattered.parameters.values) {
            return Ok(None);
        }
        self.settle(io).await?;
        self.end_gather(io).await?;
        self.leave(io).await;
        let of_tables = matches!(scattered.plan.merge, Merge::Tables(_));
        // What servers said of it may have changed since; not while it runs.
        for is_last in [false, true] {
            let Some(mut answer) = self.begin_scatter(io, &scattered).await? else {
                return Ok(None);
            };
            let is_finished = !answer.is_merged;
            let described = self.described(io, &mut answer).await;
            let finished = match described {
                Ok(()) if answer.is_merged => Ok(Some(answer)),
                Ok(()) => self.finished(io, &scattered, answer).await?,
                Err(stopped) => Err(stopped),
            };
            match finished {
                Err(Stopped::Changed | Stopped::Remodified) if !is_last => {
                    scattered.plan.learned.forget();
                }
                // Tables that differ are told of where they are copied.
                Err(Stopped::Changed) if of_tables => {
                    scattered.plan.learned.forget();
                    return Ok(None);
                }
                Err(Stopped::Remodified) => {
                    // They are planned otherwise than they are told.
                    let reason = "its type modifiers are not certain".to_owned();
                    scattered.plan.learned.set(Known::Unmergeable(reason));
                    return Ok(None);
                }
                // PostgreSQL may never come to that value: LIMIT, or what HAVING leaves out.
                Err(Stopped::Failed(Failure::Statement(error)) | Stopped::Misplaced(error))
                    if is_finished && error.code.is_of_data()
                        || of_tables && scatter::is_of_text(&error) =>
                {
                    // It may fail again.
                    pause(scattered.plan);
                    return Ok(None);
                }
                Err(Stopped::Misplaced(error)) => {
                    return Err(self.own_error(io, &scattered, error).await);
                }
                Err(stopped) => return Err(stopped.failure(&scattered.plan.learned)),
                Ok(answer) => return Ok(answer),
            }
        }
        Ok(None)
    }

    /// Until its columns are known, and the statement to be right.
    async fn described(&mut self, io: &mut Buffered, answer: &mut Answer) -> Result<(), Stopped> {
        self.drive(io, answer, Scattering::poll_described).await?;
        if let Some(running) = &answer.running {
            answer.description = running.description();
        }
        Ok(())
    }

    /// What was asked of servers of another text, which differs in its literals, was not asked of this one, and one of its
    /// own may be wrong: the default shard says where.
    async fn own_error(
        &mut self,
        io: &mut Buffered,
        scattered: &Scattered<'_>,
        error: PgError,
    ) -> Failure {
        let mut lease = match self.lane(io, self.default_shard()).await {
            Ok(lease) => lease,
            Err(failure) => return failure,
        };
        let deadline = Instant::now() + self.database.config.pool.connect;
        let (text, parameters) = (scattered.text, scattered.parameters);
        let checked = scatter::check(&mut lease, scattered.plan, text, parameters, deadline);
        let checked = match self.entry().wait(io, Box::pin(checked)).await {
            Ok(checked) => checked,
            Err(failure) => return failure,
        };
        give_back(lease, &checked);
        match checked {
            Err(own) if own.code == error.code => own.into(),
            _ => error.into(),
        }
    }

    async fn begin_scatter(
        &mut self,
        io: &mut Buffered,
        scattered: &Scattered<'_>,
    ) -> Result<Option<Answer>, Failure> {
        let Some(facts) = self.facts(io, scattered).await? else {
            return Ok(None);
        };
        if facts.has_user_types_in_binary(scattered.formats) {
            return Ok(None);
        }
        if { facts.finish.as_ref() }.is_some_and(|finish| !finish.pause.is_over()) {
            return Ok(None);
        }
        // How a server would print them depends on settings that are not known here.
        if facts.shows_floats() && scattered.formats != [Format::Binary] {
            return Ok(None);
        }
        let mut lanes = Vec::with_capacity(scattered.shards.len());
        for shard in scattered.shards {
            match self.lane(io, *shard).await {
                Ok(lane) => lanes.push(lane),
                Err(failure) => {
                    lanes.into_iter().for_each(Lease::release);
                    return Err(failure);
                }
            }
        }
        let translated = match self.translated_lanes(scattered, &facts) {
            Ok(translated) => translated,
            Err(error) => {
                lanes.into_iter().for_each(Lease::release);
                return Err(error.into());
            }
        };
        let agreed = self.agreed(io, scattered, &translated, facts, lanes);
        let Some((facts, lanes)) = agreed.await? else {
            return Ok(None);
        };
        let plan = scattered.plan;
        let explains = plan.explained.is_some();
        let mut lanes = lanes;
        let now = match lanes.first_mut() {
            Some(first) if plan.has_moments && !explains => match self.moment(io, first).await {
                Ok(now) => Some(now),
                Err(failure) => {
                    // The first may be in the midst of an answer.
                    lanes.drain(1..).for_each(Lease::release);
                    return Err(failure);
                }
            },
            _ => None,
        };
        let asked = Asked {
            text: scattered.text,
            parameters: scattered.parameters,
            translated: &translated,
            formats: scattered.formats,
            lanes: lanes.len(),
            row_bytes_max: self.message_bytes_max(),
            now: now.as_deref(),
        };
        let question = match explains {
            false => Question::new(plan, &facts, scattered.span, asked),
            true => Question::explain(plan, &facts, ahead(scattered, &facts), asked),
        };
        let (mut question, sent) = match question {
            Ok(question) => question,
            Err(error) => {
                lanes.into_iter().for_each(Lease::release);
                return Err(error.into());
            }
        };
        if let Some(id) = self.name(scattered, &facts, &sent) {
            question.name(id);
        }
        Ok(Some(Answer {
            description: Bytes::new(),
            running: Some(Box::new(Scattering::new(question, lanes))),
            is_merged: explains || facts.finish.is_none(),
            facts,
            shards: scattered.shards.to_vec(),
            explains,
            places: Places::of(&sent, scattered.text),
            learned: plan.learned.clone(),
            now,
        }))
    }

    /// The time that the shards are told.
    async fn moment(&mut self, io: &mut Buffered, lane: &mut Lease) -> Result<String, Failure> {
        let deadline = Instant::now() + self.database.config.pool.connect;
        let moment = Box::pin(scatter::moment(lane, deadline));
        Ok(self.entry().wait(io, moment).await??)
    }

    /// What connections know this part of a statement by. PostgreSQL makes the first plans of a statement without a name for
    /// the values of its parameters, and those of one with a name soon for any values: which it is, is the client's to say.
    fn name(&self, scattered: &Scattered<'_>, facts: &Facts, sent: &str) -> Option<StatementId> {
        let same_plan = scattered.is_named || scattered.parameters.is_none();
        let plan = scattered.plan;
        if !same_plan || plan.has_moments || plan.explained.is_some() {
            return None;
        }
        let types = scattered.parameters.typed(facts).types;
        self.shared.globals.sent(sent, types, self.settings.mark())
    }

    /// How the answers are to be merged, asked of the default shard where it is not known; `None` where they cannot be.
    async fn facts(
        &mut self,
        io: &mut Buffered,
        scattered: &Scattered<'_>,
    ) -> Result<Option<Arc<Facts>>, Failure> {
        let plan = scattered.plan;
        let known = match plan.learned.get() {
            Some(known) => known,
            None => {
                let shard = self.default_shard();
                let mut lease = self.lane(io, shard).await?;
                let deadline = Instant::now() + self.database.config.pool.connect;
                let learned = scatter::learn(
                    (&mut lease, shard),
                    plan,
                    scattered.text,
                    scattered.parameters,
                    deadline,
                );
                let learned = self.entry().wait(io, Box::pin(learned)).await?;
                give_back(lease, &learned);
                plan.learned.set(learned?);
                match plan.learned.get() {
                    Some(known) => known,
                    None => return Ok(None),
                }
            }
        };
        Ok(match &*known {
            Known::Mergeable(facts) => Some(Arc::clone(facts)),
            Known::Unmergeable(_) => None,
        })
    }

    /// The facts that all these shards have: where texts are compared each of them is asked once. `None`, and the lanes given
    /// back, where they differ.
    async fn agreed(
        &mut self,
        io: &mut Buffered,
        scattered: &Scattered<'_>,
        translated: &[Translated<'_>],
        facts: Arc<Facts>,
        lanes: Vec<Lease>,
    ) -> Result<Option<(Arc<Facts>, Vec<Lease>)>, Failure> {
        let plan = scattered.plan;
        let mut asked = facts.asked.clone();
        let mut agreed = Vec::with_capacity(lanes.len());
        let mut others = lanes.into_iter();
        for (place, shard) in scattered.shards.iter().enumerate() {
            let Some(mut lane) = others.next() else {
                break;
            };
            if !facts.texts.is_empty() && !asked.contains(shard) {
                let deadline = Instant::now() + self.database.config.pool.connect;
                let of = (plan, &*facts);
                let own = translated.iter().find(|own| own.lane == place);
                let parameters = own.map_or(scattered.parameters, Translated::parameters);
                let text = scattered.text;
                let agrees = scatter::agrees(&mut lane, of, text, parameters, deadline);
                let agrees = self.entry().wait(io, Box::pin(agrees)).await;
                if !matches!(agrees, Ok(Ok(true))) {
                    agreed.into_iter().chain(others).for_each(Lease::release);
                    // Where nobody waits for its answer any longer it is closed.
                    let agrees = agrees?;
                    give_back(lane, &agrees);
                    agrees?;
                    let reason = "servers do not compare texts alike".to_owned();
                    plan.learned.set(Known::Unmergeable(reason));
                    return Ok(None);
                }
                asked.push(*shard);
            }
            agreed.push(lane);
        }
        if asked.len() == facts.asked.len() {
            return Ok(Some((facts, agreed)));
        }
        let facts = Arc::new(Facts {
            asked,
            ..(*facts).clone()
        });
        plan.learned.set(Known::Mergeable(Arc::clone(&facts)));
        Ok(Some((facts, agreed)))
    }

    /// Brings rows of an answer to the client: all, or at most `rows_max` of them unless that is 0.
    ///
    /// Errors: as of [`Self::scatter`]; the answer is over with one.
    pub async fn fetch(
        &mut self,
        io: &mut Buffered,
        answer: &mut Answer,
        rows_max: u64,
    ) -> Result<(), Failure> {
        let Some(running) = &mut answer.running else {
            // As of a portal of PostgreSQL that has come to its end.
            io.output.command_complete(&answer.tag(0));
            self.relay.answered += 1;
            return Ok(());
        };
        running.limit(rows_max);
        let fetched = self
            .drive(io, answer, |running, io, cx| running.poll_run(io, cx))
            .await;
        match fetched {
            Ok(Progress::Suspended) => io.output.portal_suspended(),
            Ok(Progress::Complete(rows)) => {
                self.end_answer(answer).await;
                io.output.command_complete(&answer.tag(rows));
                if self.txn == Transaction::Idle {
                    self.count_transaction(true);
                }
            }
            Err(stopped) => return Err(stopped.failure(&answer.learned)),
        }
        self.relay.answered += 1;
        Ok(())
    }

    /// Nobody wants the rest of an answer.
    pub async fn end_answer(&mut self, answer: &mut Answer) {
        if let Some(running) = answer.running.take() {
            for key in running.end().await {
                self.stop(key);
            }
        }
    }

    /// Polls an answer until it has what is wanted; a cancel, a deadline and the client's end stop it. Where it does not
    /// get there the answer is over.
    async fn drive<T>(
        &mut self,
        io: &mut Buffered,
        answer: &mut Answer,
        mut poll: impl FnMut(
            &mut Scattering,
            &mut Buffered,
            &mut Context<'_>,
        ) -> Poll<Result<T, ScatterError>>,
    ) -> Result<T, Stopped> {
        let Some(mut running) = answer.running.take() else {
            return Err(Stopped::Changed);
        };
        io.heed_goodbye(says_goodbye);
        let entry = Arc::clone(self.entry());
        let polled = {
            let _waits = entry.waits();
            let polled = poll_fn(|cx| poll(&mut running, io, cx));
            unless(polled, |_| entry.interrupt.wait_ends()).await
        };
        let (stopped, lost) = match polled {
            Ok(Ok(done)) => {
                answer.running = Some(running);
                return Ok(done);
            }
            Ok(Err(ScatterError::Lane(LaneError::Changed))) => (Stopped::Changed, false),
            Ok(Err(ScatterError::Lane(LaneError::Remodified))) => (Stopped::Remodified, false),
            Ok(Err(ScatterError::Lane(LaneError::Failed(mut error)))) => {
                let sent = error.position.take();
                error.position = sent.and_then(|at| answer.places.own(at));
                if error.code == SqlState::CONNECTION_FAILURE {
                    let shards = answer.shards.iter();
                    shards.for_each(|shard| self.database.poll_now(*shard));
                }
                let stopped = match error.position.is_none() && sent.is_some() {
                    true => Stopped::Misplaced(error),
                    false => Stopped::Failed(Failure::Statement(error)),
                };
                (stopped, false)
            }
            Ok(Err(ScatterError::Client(error))) => (Stopped::Failed(Failure::Gone(error)), true),
            Err(reason) => (Stopped::Failed(reason.failure()), true),
        };
        let keys = match lost {
            true => running.give_up(),
            false => running.end().await,
        };
        keys.into_iter().for_each(|key| self.stop(key));
        Err(stopped)
    }
}

/// The rows ahead of an EXPLAIN's, with what servers have decided of the plan.
fn ahead(scattered: &Scattered<'_>, facts: &Facts) -> Bytes {
    let finish = scattered.plan.finish.as_ref();
    if finish.is_none_or(|finish| finish.instead.is_none()) {
        return scattered.ahead.clone();
    }
    let mut ahead = BytesMut::from(&*scattered.ahead);
    let mut row = RowWriter::new(1, &mut ahead);
    row.put(Some(match facts.finish {
        Some(_) => &b"  its order is a language's, or not known here: finished by a server"[..],
        None => b"  its order is known here: not finished by a server",
    }));
    row.finish();
    ahead.freeze()
}

/// Why an answer is over.
enum Stopped {
    Failed(Failure),
    /// With an error at a place that the client's own text has not.
    Misplaced(PgError),
    /// The servers say something else of its columns than before.
    Changed,
    /// Of their type modifiers.
    Remodified,
}

impl Stopped {
    fn failure(self, learned: &Learned) -> Failure {
        match self {
            Self::Failed(failure) => failure,
            Self::Misplaced(error) => Failure::Statement(error),
            Self::Changed | Self::Remodified => {
                learned.forget();
                Failure::Statement(scatter::changed())
            }
        }
    }
}

impl Answer {
    /// RowDescription.
    pub fn description(&self) -> &[u8] {
        &self.description
    }

    /// Whether a client that prepared the statement, and was told of its columns before, is right about them.
    ///
    /// Errors: 0A000, as PostgreSQL has it of a named statement.
    pub fn check_told(&self, prepared: &Prepared) -> Result<(), PgError> {
        let now = &self.facts.description;
        let told = prepared.told.get_or_init(|| now.clone());
        match told.tells_the_same(now) {
            true => Ok(()),
            false => Err(scatter::changed()),
        }
    }

    fn tag(&self, rows: u64) -> String {
        match self.explains {
            true => "EXPLAIN".to_owned(),
            false => format!("SELECT {rows}"),
        }
    }
}

/// Gives a connection back after a question of our own, unless it was lost over it.
fn give_back<T>(lease: Lease, outcome: &Result<T, PgError>) {
    let lost = |error: &PgError| error.code == SqlState::CONNECTION_FAILURE;
    if !outcome.as_ref().is_err_and(lost) {
        lease.release();
    }
}
