//! What a server does with the rows of several shards when they have been merged.

use std::sync::Arc;

use bytes::Bytes;

use super::places::Places;
use super::{Answer, Scattered, Stopped};
use crate::executor::scatter::{Arrays, Asked, Question, Scattering};
use crate::net::Buffered;
use crate::plan::{Finishing, Known, Query, Scatter};
use crate::session::{Failure, Session};
use crate::sql;

/// Where more is to be finished than this, its parsing is nothing beside it.
const NAMED_BYTES_MAX: usize = 64 << 10;

impl Session {
    /// Has a server do with the merged rows what is left of the statement; `None` where they are too many for that.
    pub(super) async fn finished(
        &mut self,
        io: &mut Buffered,
        scattered: &Scattered<'_>,
        mut answer: Answer,
    ) -> Result<Result<Option<Answer>, Stopped>, Failure> {
        let facts = Arc::clone(&answer.facts);
        let (Some(finishing), Some(finish)) = (&facts.finish, &scattered.plan.finish) else {
            return Ok(Ok(Some(answer)));
        };
        let described = answer.running.as_ref().map(|running| running.described());
        let described = described.unwrap_or_else(|| facts.description.clone());
        let collected = self.collected(io, finishing, &finish.query, &mut answer);
        let arrays = match collected.await {
            Ok(Some(arrays)) => arrays,
            Ok(None) => {
                finishing.pause.begin();
                return Ok(Ok(None));
            }
            Err(stopped) => return Ok(Err(stopped)),
        };
        let text = finish.text(&finishing.types, finishing.params.len(), &finishing.labels);
        let text = match &answer.now {
            Some(now) => sql::at_moment(&text, now),
            None => Some(text),
        };
        let Some(text) = text else {
            return Ok(Ok(None));
        };
        let shard = self.default_shard();
        let lane = self.lane(io, shard).await?;
        let asked = Asked {
            text: &text,
            parameters: scattered.parameters,
            translated: &[],
            formats: scattered.formats,
            lanes: 1,
            row_bytes_max: self.message_bytes_max(),
            now: None,
        };
        let question = Question::finish(&facts, finishing, &arrays, described, asked);
        let mut question = match question {
            Ok(question) => question,
            // Where tables are copied it is PostgreSQL's to say what is wrong with parameters.
            Err(_) if matches!(finish.query, Query::Tables(_)) => {
                lane.release();
                return Ok(Ok(None));
            }
            Err(error) => {
                lane.release();
                return Err(error.into());
            }
        };
        // How rows of tables are joined best depends on how many there are.
        if arrays.bytes() <= NAMED_BYTES_MAX
            && !matches!(finish.query, Query::Tables(_))
            && let Some(id) = self.name(scattered, &facts, &text)
        {
            question.name(id);
        }
        drop(arrays);
        let mut answer = Answer {
            description: Bytes::new(),
            running: Some(Box::new(Scattering::new(question, vec![lane]))),
            shards: vec![shard],
            explains: false,
            is_merged: true,
            places: Places::of(&text, scattered.text),
            facts: Arc::clone(&facts),
            learned: scattered.plan.learned.clone(),
            now: None,
        };
        let described = self.described(io, &mut answer).await;
        let begun = match described {
            Ok(()) => self.drive(io, &mut answer, Scattering::poll_begun).await,
            Err(stopped) => Err(stopped),
        };
        Ok(begun.map(|()| Some(answer)))
    }

    /// All merged rows; `None` where they are too many to be finished.
    async fn collected(
        &mut self,
        io: &mut Buffered,
        finishing: &Finishing,
        query: &Query,
        answer: &mut Answer,
    ) -> Result<Option<Arrays>, Stopped> {
        let mut arrays = match query {
            Query::Tables(query) => {
                Arrays::of_tables(query.tables.iter().map(|table| table.columns.len()))
            }
            Query::Groups(_) | Query::Rows(_) => Arrays::of_rows(finishing.columns.len()),
        };
        let collected = self
            .drive(io, answer, |running, io, cx| {
                running.poll_collect(&mut arrays, io, cx)
            })
            .await;
        self.end_answer(answer).await;
        let are_few = collected? && self.may_carry(query, &arrays);
        Ok(are_few.then_some(arrays))
    }

    /// Counts rows of tables as gathered ones; false where they are more than may be.
    fn may_carry(&self, query: &Query, arrays: &Arrays) -> bool {
        let Query::Tables(_) = query else {
            return true;
        };
        let limits = self.database.config.gather;
        let (rows, bytes) = (arrays.rows(), arrays.bytes() as u64);
        if rows > limits.rows || bytes > limits.bytes {
            return false;
        }
        self.metrics.gathered_rows.inc_by(rows);
        self.metrics.gathered_bytes.inc_by(bytes);
        true
    }
}

/// Statements like it are answered otherwise, for a while.
pub(super) fn pause(plan: &Scatter) {
    if let Some(known) = plan.learned.get()
        && let Known::Mergeable(facts) = &*known
        && let Some(finishing) = &facts.finish
    {
        finishing.pause.begin();
    }
}
