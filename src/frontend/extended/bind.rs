//! Bind: what it binds, which shard its parameters lead to, and how it gets there.

use std::sync::Arc;

use bytes::{Buf, Bytes};

use super::{Parsed, Portal, State};
use crate::error::{PgError, SqlState};
use crate::executor::{Expect, Forward};
use crate::frontend::Client;
use crate::frontend::service::{malformed, too_long};
use crate::frontend::several::{BindMessage, followed, route_of};
use crate::frontend::simple::{Manner, rows};
use crate::metrics;
use crate::plan::{ExplainFormat, ParamValues, Plan, Route};
use crate::session::{Failure, Given, Prepared, Purpose, Several, Way};
use crate::shardmap::ShardId;
use crate::txn::Transaction;
use crate::types::Format;
use crate::wire::{self, Bind, HEADER_BYTES, Header, Replies};

/// A Bind up to this size is waited for; of a larger one only what decides its shard.
const BIND_WHOLE_BYTES: usize = 64 * 1024;

/// The parameters of a Bind, read where they lie.
struct BindParams<'a>(Bind<'a>);

impl ParamValues for BindParams<'_> {
    fn param(&self, index: u16) -> Option<(Format, Option<&[u8]>)> {
        let (format, value) = self.0.param(index)?;
        let format = if format == 0 {
            Format::Text
        } else {
            Format::Binary
        };
        Some((format, value))
    }
}

/// What a Bind turned out to be, found before anything is queued.
struct Bound {
    prepared: Arc<Prepared>,
    unnamed: bool,
    portal_len: usize,
    statement_len: usize,
    /// `None` for a statement about the session.
    target: Option<(Way, Manner)>,
    explain: Option<Bytes>,
}

/// What reading a Bind came to.
enum Read {
    Bound(Bound),
    /// The statement of this name has to be planned again first.
    Stale(Vec<u8>),
    /// The same, by its own text.
    ByText(Vec<u8>),
    /// A server has to tell the types of its parameters first: one of this shard.
    Untold(Vec<u8>, ShardId, Purpose),
}

impl Client {
    /// Deals with a Bind; false where more of it has to arrive first.
    pub(in crate::frontend) async fn bind(&mut self, head: Header) -> Result<bool, Failure> {
        if self.pipeline.state == State::SkipToSync {
            return Box::pin(self.drop_message(head)).await;
        }
        let here = self.io.input.len();
        let complete = here >= head.len;
        let limit = self.session.message_bytes_max();
        if !complete && here < self.pipeline.bind_bytes.max(BIND_WHOLE_BYTES).min(limit) {
            return Ok(false);
        }
        self.pipeline.bind_bytes = 0;
        self.pipeline.state = State::Open;
        self.session.arrived();
        if !complete && !self.session.relay.is_idle() {
            // While its rest is passed on nobody reads what the server has to say of earlier messages.
            let outcome = Box::pin(self.session.flush(&mut self.io)).await;
            self.outcome(outcome).await?;
            if self.pipeline.state == State::SkipToSync {
                return Box::pin(self.drop_message(head)).await;
            }
        }
        let bound = loop {
            let failure = match self.read_bind(head, complete) {
                Ok(Some(Read::Bound(bound))) => break bound,
                Ok(Some(Read::Stale(name))) => match Box::pin(self.plan_again(&name)).await {
                    Ok(()) => continue,
                    Err(failure) => failure,
                },
                Ok(Some(Read::ByText(name))) => match self.session.plan_again_by_text(&name) {
                    Ok(()) => continue,
                    Err(error) => error.into(),
                },
                Ok(Some(Read::Untold(name, shard, purpose))) => {
                    match Box::pin(self.sign(&name, shard, purpose)).await {
                        Ok(()) => continue,
                        Err(failure) => failure,
                    }
                }
                Ok(None) if self.io.input.len() >= limit => {
                    return Err(Failure::Fatal(too_long(head, limit)));
                }
                Ok(None) => {
                    // Whatever a client sends, and however slowly, no byte is looked at often.
                    self.pipeline.bind_bytes = self.io.input.len().saturating_mul(2);
                    return Ok(false);
                }
                Err(failure) => failure,
            };
            self.outcome(Err(failure)).await?;
            return Box::pin(self.drop_message(head)).await;
        };
        match self.queue_bind(head, bound).await {
            Err(failure @ (Failure::Statement(_) | Failure::Told)) => {
                self.outcome(Err(failure)).await?;
                Box::pin(self.drop_message(head)).await
            }
            Err(failure) => Err(failure),
            Ok(rest) => {
                let passed = match rest {
                    0 => {
                        self.io.mid_message(0);
                        true
                    }
                    rest => Box::pin(self.pass_rest(rest)).await?,
                };
                if passed && self.is_long() {
                    Box::pin(self.leave_early()).await?;
                }
                Ok(true)
            }
        }
    }

    async fn plan_again(&mut self, name: &[u8]) -> Result<(), Failure> {
        self.session.catalogs_read(&mut self.io).await?;
        Ok(self.session.plan_again(name).await?)
    }

    /// Has a server tell the types of a statement's parameters. Its Parse, where that is not answered, goes there ahead.
    async fn sign(&mut self, name: &[u8], shard: ShardId, purpose: Purpose) -> Result<(), Failure> {
        let prepared = Arc::clone(self.session.statements.find(name)?);
        let parsed = self.own_parsed(&prepared);
        if parsed.is_none() {
            self.answer_parse().await?;
        }
        // What is due is told as it was asked.
        self.in_turn().await?;
        let (session, io) = (&mut self.session, &mut self.io);
        let unnamed = name.is_empty();
        let signed = session.sign(io, (shard, purpose), &prepared, unnamed, parsed.as_deref());
        let signed = signed.await;
        if let (Err(Failure::Statement(_)), Some(name)) = (&signed, &parsed) {
            // Its ParseComplete has not gone out.
            self.session.statements.close(name);
        }
        signed
    }

    /// The client's name for a statement whose Parse is not answered.
    #[inline]
    fn own_parsed(&mut self, prepared: &Prepared) -> Option<Box<[u8]>> {
        let own = |parsed: &mut Parsed| Arc::ptr_eq(&parsed.prepared.global, &prepared.global);
        self.pipeline.parsed.take_if(own).map(|parsed| parsed.name)
    }

    /// Looks a Bind through as far as it has arrived; `None` where that does not decide its shard.
    fn read_bind(&self, head: Header, complete: bool) -> Result<Option<Read>, Failure> {
        let body = &self.io.input[HEADER_BYTES..head.len.min(self.io.input.len())];
        let Some(bind) = wire::bind(body, complete).map_err(malformed)? else {
            return Ok(None);
        };
        let prepared = Arc::clone(self.session.statements.find(bind.statement)?);
        if !self.session.is_current(&prepared) {
            return Ok(Some(Read::Stale(bind.statement.to_vec())));
        }
        self.session.heard(&prepared.plan)?;
        let mut bound = Bound {
            unnamed: bind.statement.is_empty(),
            portal_len: bind.portal.len(),
            statement_len: bind.statement.len(),
            target: None,
            explain: None,
            prepared,
        };
        let Plan::Route(route) = &*bound.prepared.plan else {
            return Ok(complete.then_some(Read::Bound(bound)));
        };
        let params = BindParams(bind);
        let bind = &params.0;
        if !complete
            && route
                .params()
                .any(|index| index < bind.params() && bind.param(index).is_none())
        {
            return Ok(None);
        }
        check_formats(route, bind)?;
        let declared = &bound.prepared.global.param_types;
        let values = bound.prepared.plan.values().with_params(declared, &params);
        let way = self.session.resolve(route, values)?;
        match &way.several {
            // What it holds is looked through, and held meanwhile.
            Some(_) if !complete => return Ok(None),
            Some(Several::ByText) => return Ok(Some(Read::ByText(bind.statement.to_vec()))),
            Some(_) => {}
            None => match self.session.given(way.shard, &bound.prepared, bind) {
                Given::Plain => {}
                // It is rewritten.
                Given::Carrying if !complete => return Ok(None),
                Given::Carrying => {}
                Given::Unknown => {
                    let (name, purpose) = (bind.statement.to_vec(), Manner::of(route).purpose);
                    return Ok(Some(Read::Untold(name, way.shard, purpose)));
                }
            },
        }
        bound.target = Some((way, Manner::of(route)));
        if route.explain == Some(ExplainFormat::Text) {
            bound.explain = Some(rows(&self.session.explain_lines(route, values)));
        }
        Ok(Some(Read::Bound(bound)))
    }

    async fn queue_bind(&mut self, head: Header, bound: Bound) -> Result<usize, Failure> {
        // The Parse this Bind belongs to is answered by the shard the Bind goes to.
        let parsed = self.own_parsed(&bound.prepared);
        if parsed.is_none() && self.pipeline.parsed.is_some() {
            self.answer_parse().await?;
        }
        let portal_at = HEADER_BYTES..HEADER_BYTES + bound.portal_len;
        let portal: &[u8] = &self.io.input[portal_at.clone()];
        if self.pipeline.has_portals() {
            let portal = portal.to_vec();
            Box::pin(self.free_portal(&portal)).await?;
        }
        let portal: &[u8] = &self.io.input[portal_at.clone()];
        let Some((way, manner)) = &bound.target else {
            let portal = portal.into();
            self.in_turn().await?;
            if parsed.is_some() {
                self.io.output.parse_complete();
            }
            self.pipeline
                .keep_portal(portal, Portal::Control(bound.prepared))?;
            self.io.output.bind_complete();
            self.io.input.advance(head.len);
            return Ok(0);
        };
        let mut gathers = false;
        let readied = match &way.several {
            Some(several) => {
                let lines = bound.explain.clone();
                let to_several =
                    self.bind_several(head, &bound.prepared, several, lines, parsed.as_deref());
                match Box::pin(to_several).await {
                    Ok(true) => return Ok(0),
                    readied => {
                        gathers = true;
                        readied.map(|_| ())
                    }
                }
            }
            None => {
                let session = &mut self.session;
                match session.enter(&mut self.io, way.shard, manner.purpose).await {
                    Ok(()) => self.tell_statement(&bound, *manner, parsed.as_deref()),
                    failed => failed,
                }
            }
        };
        if readied.is_err()
            && let Some(name) = &parsed
        {
            // Its ParseComplete has not gone out.
            self.session.statements.close(name);
        }
        readied?;
        if gathers && self.session.translates() {
            let (session, io) = (&mut self.session, &mut self.io);
            Box::pin(session.ask_signature(io, &bound.prepared, b"")).await?;
        }
        Ok(self.put_bind(head, &bound, gathers)?)
    }

    /// Has the shard in use know the statement of a Bind, which comes next. An EXPLAIN has lines of the proxy's own, which
    /// go ahead of the server's.
    #[inline]
    fn tell_statement(
        &mut self,
        bound: &Bound,
        manner: Manner,
        parsed: Option<&[u8]>,
    ) -> Result<(), Failure> {
        if let Some(lines) = &bound.explain {
            let portal = &self.io.input[HEADER_BYTES..HEADER_BYTES + bound.portal_len];
            let lines = Portal::Explain(lines.clone());
            self.pipeline.keep_portal(portal.into(), lines)?;
        }
        if manner.unsettles {
            self.session.forget_settings();
        }
        let session = &mut self.session;
        Ok(session.queue_parse(&bound.prepared, bound.unnamed, parsed)?)
    }

    /// Queues what is here of a Bind, whose statement the connection in use knows; how much is still to come.
    ///
    /// Errors: 0A000 for values that the shard cannot be told.
    #[inline]
    fn put_bind(&mut self, head: Header, bound: &Bound, gathers: bool) -> Result<usize, PgError> {
        let prepared = &bound.prepared;
        let input = &self.io.input[..head.len.min(self.io.input.len())];
        let portal_end = HEADER_BYTES + bound.portal_len;
        let portal = &input[HEADER_BYTES..portal_end];
        let rest_at = portal_end + 1 + bound.statement_len + 1;
        let rest = self.session.translated(prepared, &input[rest_at..])?;
        let name: &[u8] = if bound.unnamed || gathers {
            b""
        } else {
            &prepared.global.name
        };
        self.session
            .queue(Expect::Bind(Forward::ToClient), true, |out| {
                wire::put_bind_head(out, portal, name, head.len - rest_at)?;
                out.extend_from_slice(&rest);
                Ok(())
            })?;
        if self.session.translates() {
            self.session.portal_bound(portal, prepared, results(input));
        }
        let gathered = gathers.then_some(metrics::Route::Gather);
        self.session.bound(&prepared.plan, gathered);
        let here = input.len();
        self.io.input.advance(here);
        Ok(head.len - here)
    }

    /// A portal of this name makes room for another.
    ///
    /// Errors: 42P03 where PostgreSQL would not.
    async fn free_portal(&mut self, name: &[u8]) -> Result<(), PgError> {
        if !name.is_empty() && matches!(self.pipeline.portal(name), Some(Portal::Scattered(_))) {
            return Err(PgError::client(
                SqlState::DUPLICATE_CURSOR,
                format!(
                    "cursor \"{}\" already exists",
                    String::from_utf8_lossy(name)
                ),
            ));
        }
        self.end_portal(name).await;
        Ok(())
    }

    /// Binds to what several shards answer: true, and all is done; or brings together what it needs on the connection in
    /// use, where its Bind is to go: false. `parsed`: the client's name for a statement whose Parse is not answered.
    async fn bind_several(
        &mut self,
        head: Header,
        prepared: &Arc<Prepared>,
        several: &Several,
        lines: Option<Bytes>,
        parsed: Option<&[u8]>,
    ) -> Result<bool, Failure> {
        let message = BindMessage::read(self.io.input[..head.len].to_vec())?;
        let scattered = self.bind_scattered(prepared, &message, several, lines.clone());
        if scattered.await? {
            if parsed.is_some() {
                self.io.output.parse_complete();
            }
            self.io.output.bind_complete();
            let way = Some(route_of(several));
            self.session.bound(&prepared.plan, way);
            self.io.input.advance(head.len);
            return Ok(true);
        }
        let fallback = match several {
            Several::Gather(_) | Several::ByText => None,
            Several::Scatter(..) => Some(self.gathering(prepared, &message)?),
        };
        let several = match &fallback {
            Some(way) => way.several.as_ref(),
            None => Some(several),
        };
        let lines = match (several, &fallback, &*prepared.plan) {
            (Some(Several::Gather(gathering)), Some(_), Plan::Route(route)) => {
                self.explained_gathering(route, gathering)
            }
            _ => lines,
        };
        let explains = lines.is_some();
        let mut more = Vec::new();
        let (session, io) = (&mut self.session, &mut self.io);
        match (several, &fallback) {
            (Some(Several::Gather(gathering)), _) => {
                let mut gathering = gathering.clone();
                // A portal with a name may be run after a Sync, as long as its transaction lasts.
                gathering.lasting |= !message.portal.is_empty() && session.txn != Transaction::Idle;
                let text = &prepared.global.text;
                let values = &message.bytes;
                more = session
                    .gather(io, &gathering, text, values, explains)
                    .await?;
                session.queue_parse_apart(prepared, &gathering, parsed)?;
            }
            (_, Some(way)) => {
                session.enter(io, way.shard, Purpose::Run).await?;
                session.queue_parse(prepared, true, parsed)?;
            }
            (_, None) => {}
        }
        if let Some(lines) = lines {
            let lines = Portal::Explain(followed(lines, &more));
            self.pipeline.keep_portal(message.portal, lines)?;
        }
        Ok(false)
    }

    /// Where what could be scattered is gathered.
    fn gathering(&self, prepared: &Prepared, message: &BindMessage) -> Result<Way, Failure> {
        let Plan::Route(route) = &*prepared.plan else {
            return Err(Failure::Told);
        };
        let body = &message.bytes[HEADER_BYTES..];
        let Some(bind) = wire::bind(body, true).map_err(malformed)? else {
            return Err(Failure::Told);
        };
        let params = BindParams(bind);
        let declared = &prepared.global.param_types;
        let values = prepared.plan.values().with_params(declared, &params);
        Ok(self.session.resolve_gathering(route, values)?)
    }

    /// Passes on the rest of a Bind too large to be held. False where that failed: the server, which has half a
    /// message, is lost, the client is told and what is left of its message dropped.
    async fn pass_rest(&mut self, mut remaining: usize) -> Result<bool, Failure> {
        while remaining > 0 {
            let io = &mut self.io;
            io.mid_message(remaining);
            // The server cannot answer half a message, so there is nothing to read from it.
            let mut passed = self.session.push_out(io).await;
            if passed.is_ok() {
                passed = self.session.more_of_statement(io).await;
            }
            if let Err(failure @ Failure::Statement(_)) = passed {
                self.session.give_up_server();
                self.outcome(Err(failure)).await?;
                return self.drop_bytes(remaining).await.map(|_| false);
            }
            passed?;
            let here = remaining.min(self.io.input.len());
            let input = &self.io.input[..here];
            self.session.queue_bytes(|out| out.extend_from_slice(input));
            self.io.input.advance(here);
            remaining -= here;
        }
        self.io.mid_message(0);
        Ok(true)
    }
}

/// Format codes of the columns that a Bind asks for; `None` where not all of it has come.
fn results(message: &[u8]) -> Option<Vec<i16>> {
    let bind = wire::bind(message.get(HEADER_BYTES..)?, true).ok()??;
    Some(bind.results()?.1)
}

/// A value whose format nobody knows must not decide a shard. PostgreSQL says the same of it.
fn check_formats(route: &Route, bind: &Bind<'_>) -> Result<(), PgError> {
    if bind.has_known_formats() {
        return Ok(());
    }
    let formats = route.params().filter_map(|index| bind.param(index));
    for (format, _) in formats {
        if !matches!(format, 0 | 1) {
            return Err(PgError::client(
                SqlState::INVALID_PARAMETER_VALUE,
                format!("unsupported format code: {format}"),
            ));
        }
    }
    Ok(())
}
