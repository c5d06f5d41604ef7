//! Statements that several shards answer: in the simple protocol, and as portals of the extended one.

use std::ops::Range;
use std::sync::Arc;

use bytes::{Buf, Bytes};

use super::Client;
use super::extended::Portal;
use super::service::malformed;
use super::simple::{Manner, rows};
use crate::error::{PgError, SqlState};
use crate::executor::Forward;
use crate::executor::scatter::Parameters;
use crate::metrics;
use crate::plan::{Gathering, Plan, Planned, Route, Scatter, Span};
use crate::planner::retold;
use crate::session::{Answer, Failure, Prepared, Scattered, Several};
use crate::shardmap::ShardId;
use crate::sql;
use crate::types::Format;
use crate::wire::{self, HEADER_BYTES, Header, RequestError};

/// A Bind that is held.
pub(super) struct BindMessage {
    pub(super) bytes: Vec<u8>,
    pub(super) portal: Box<[u8]>,
    /// Of a statement with a name.
    is_named: bool,
    /// From the parameters' formats to their values.
    parameters: Range<usize>,
    /// Of result columns.
    formats: Vec<Format>,
}

impl BindMessage {
    /// `bytes`: the message, whole and well formed.
    ///
    /// Errors: 22023 for formats that nobody knows.
    pub(super) fn read(bytes: Vec<u8>) -> Result<Self, PgError> {
        let bind = wire::bind(&bytes[HEADER_BYTES..], true).map_err(malformed)?;
        let Some((bind, (parameters, codes))) = bind.and_then(|bind| {
            let results = bind.results()?;
            Some((bind, results))
        }) else {
            return Err(malformed(RequestError::CutShort));
        };
        let start = HEADER_BYTES + bind.portal.len() + 1 + bind.statement.len() + 1;
        let formats: Result<_, _> = codes.into_iter().map(format).collect();
        Ok(Self {
            portal: bind.portal.into(),
            is_named: !bind.statement.is_empty(),
            parameters: start..start + parameters,
            formats: formats?,
            bytes,
        })
    }

    fn parameters(&self) -> &[u8] {
        &self.bytes[self.parameters.clone()]
    }
}

impl Client {
    /// Runs the only statement of a query string. Planned for all texts like it, it may turn out to be for fewer shards,
    /// or for less work, when its own literals are looked at.
    pub(super) async fn over_several(
        &mut self,
        text: &str,
        plan: &Planned,
        several: Several,
    ) -> Result<(), Failure> {
        let Several::ByText = several else {
            return self.run_several(text, plan, several).await;
        };
        let plan = &self.session.plan_by_text(sql::only_statement(text)?, &[])?;
        let Plan::Route(route) = &**plan else {
            return Ok(());
        };
        let way = self.session.resolve(route, plan.values())?;
        match way.several {
            None => {
                let lines = self.explained(route, plan.values());
                self.send(text, way.shard, lines, Manner::of(route)).await
            }
            Some(several) => self.run_several(text, plan, several).await,
        }
    }

    async fn run_several(
        &mut self,
        text: &str,
        planned: &Planned,
        several: Several,
    ) -> Result<(), Failure> {
        let Plan::Route(route) = &**planned else {
            return Ok(());
        };
        let lines = self.explained(route, planned.values());
        if let Some((plan, shards, span)) = asked(route, &several) {
            self.session.goes(route_of(&several));
            let scattered = Scattered {
                plan,
                shards,
                span,
                text: match plan.explained {
                    Some(_) => sql::only_statement(text)?,
                    None => text,
                },
                parameters: Parameters::NONE,
                formats: &[],
                is_named: false,
                ahead: lines.clone().unwrap_or_default(),
            };
            if let Some(mut answer) = self.session.scatter(&mut self.io, scattered).await? {
                let out = &mut self.io.output;
                out.extend_from_slice(answer.description());
                return self.session.fetch(&mut self.io, &mut answer, 0).await;
            }
        }
        if let Several::Gather(gathering) = several {
            return self.gather(text, &gathering, lines).await;
        }
        let way = self.session.resolve_gathering(route, planned.values())?;
        match way.several {
            Some(Several::Gather(gathering)) => {
                let lines = self.explained_gathering(route, &gathering);
                self.gather(text, &gathering, lines).await
            }
            _ => self.send(text, way.shard, lines, Manner::of(route)).await,
        }
    }

    /// Runs a statement where its rows have been brought together.
    async fn gather(
        &mut self,
        text: &str,
        gathering: &Gathering,
        before: Option<Bytes>,
    ) -> Result<(), Failure> {
        let session = &mut self.session;
        session.goes(metrics::Route::Gather);
        let gathered = session.gather(&mut self.io, gathering, text, &[], before.is_some());
        let lines = gathered.await?;
        let before = before.map(|before| followed(before, &lines));
        let told = retold(text, gathering)?;
        session.queue_string(&told, Forward::ToClient, before, false)?;
        session.run(&mut self.io).await
    }

    /// Binds a portal to what several shards answer; false where the rows have to be gathered instead.
    pub(super) async fn bind_scattered(
        &mut self,
        prepared: &Arc<Prepared>,
        message: &BindMessage,
        several: &Several,
        lines: Option<Bytes>,
    ) -> Result<bool, Failure> {
        let Plan::Route(route) = &*prepared.plan else {
            return Ok(false);
        };
        let Some((plan, shards, span)) = asked(route, several) else {
            return Ok(false);
        };
        let scattered = Scattered {
            plan,
            shards,
            span,
            text: match plan.explained {
                Some(_) => sql::only_statement(&prepared.global.text)?,
                None => &prepared.global.text,
            },
            parameters: Parameters {
                types: &prepared.global.param_types,
                values: message.parameters(),
            },
            formats: &message.formats,
            is_named: message.is_named,
            ahead: lines.unwrap_or_default(),
        };
        self.pipeline
            .check_room(&message.portal, size_of::<Answer>())?;
        let Some(mut answer) = self.session.scatter(&mut self.io, scattered).await? else {
            return Ok(false);
        };
        if message.is_named
            && let Err(error) = answer.check_told(prepared)
        {
            self.session.end_answer(&mut answer).await;
            return Err(error.into());
        }
        let portal = Portal::Scattered(Box::new(answer));
        self.pipeline.keep_portal(message.portal.clone(), portal)?;
        Ok(true)
    }

    /// Describes a portal of this kind; false where there is none of this name.
    pub(super) fn describe_scattered(&mut self, name: &[u8]) -> bool {
        let Some(Portal::Scattered(answer)) = self.pipeline.portal(name) else {
            return false;
        };
        self.io.output.extend_from_slice(answer.description());
        true
    }

    /// Brings rows of a portal of this kind: at most so many, or all for 0.
    pub(super) async fn execute_scattered(
        &mut self,
        head: Header,
        name: Box<[u8]>,
        rows_max: i32,
    ) -> Result<(), Failure> {
        self.io.input.advance(head.len);
        let Some(Portal::Scattered(mut answer)) = self.pipeline.forget_portal(&name) else {
            return Ok(());
        };
        let fetched = match self.session.heard_nothing_else() {
            Err(error) => Err(error.into()),
            Ok(()) => self.fetch_scattered(&mut answer, rows_max).await,
        };
        if let Err(failure) = fetched {
            self.session.end_answer(&mut answer).await;
            return Err(failure);
        }
        self.pipeline.keep_portal(name, Portal::Scattered(answer))?;
        Ok(())
    }

    async fn fetch_scattered(&mut self, answer: &mut Answer, rows_max: i32) -> Result<(), Failure> {
        self.in_turn().await?;
        self.session.routed_as_bound();
        let rows_max = u64::try_from(rows_max).unwrap_or(0);
        let (session, io) = (&mut self.session, &mut self.io);
        session.fetch(io, answer, rows_max).await
    }

    /// A portal is no longer wanted; true where it was one that no server has.
    pub(super) async fn end_portal(&mut self, name: &[u8]) -> bool {
        match self.pipeline.forget_portal(name) {
            Some(Portal::Scattered(mut answer)) => {
                self.session.end_answer(&mut answer).await;
                true
            }
            Some(Portal::Control(_)) => true,
            Some(Portal::Explain(_)) | None => false,
        }
    }

    /// None of them is: their transaction is over.
    pub(super) async fn end_portals(&mut self) {
        for portal in self.pipeline.take_portals() {
            if let Portal::Scattered(mut answer) = portal {
                self.session.end_answer(&mut answer).await;
            }
        }
    }
}

/// The rows of an EXPLAIN that go ahead, with more of them.
pub(super) fn followed(before: Bytes, lines: &[String]) -> Bytes {
    match lines.is_empty() {
        true => before,
        false => [before, rows(lines)].concat().into(),
    }
}

/// What shards are asked at once, and which: for their answers, or for the rows of small tables.
fn asked<'a>(route: &'a Route, several: &'a Several) -> Option<(&'a Scatter, &'a [ShardId], Span)> {
    match several {
        Several::Scatter(shards, span) => Some((route.scatter.as_deref()?, shards, *span)),
        Several::Gather(gathering) if route.explain.is_none() => {
            let arrays = route.gather.as_ref()?.arrays.as_deref()?;
            Some((arrays, gathering.common_shards()?, Span::default()))
        }
        Several::Gather(_) | Several::ByText => None,
    }
}

/// How a statement is answered that does not have to be copied for.
pub(super) fn route_of(several: &Several) -> metrics::Route {
    match several {
        Several::Gather(_) => metrics::Route::Gather,
        Several::Scatter(..) | Several::ByText => metrics::Route::Scatter,
    }
}

fn format(code: i16) -> Result<Format, PgError> {
    match code {
        0 => Ok(Format::Text),
        1 => Ok(Format::Binary),
        _ => Err(PgError::client(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("unsupported format code: {code}"),
        )),
    }
}
