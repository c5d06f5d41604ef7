//! The simple protocol: one string, one or more statements, one ReadyForQuery.
//!
//! PostgreSQL runs a string of several statements as one transaction, so such a string goes to one
//! shard as it is, or is refused.
//! Source: <https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-MULTI-STATEMENT>

use bytes::{Bytes, BytesMut};

use super::Client;
use super::service::malformed;
use crate::error::{PgError, SqlState};
use crate::executor::Forward;
use crate::plan::{Control, ExplainFormat, Gathering, Plan, Planned, Route, Values};
use crate::planner::{KEY, SHARD, is_own_setting, own_column};
use crate::session::{Failure, Purpose, Way, aside};
use crate::shardmap::ShardId;
use crate::sql::{self, Piece};
use crate::txn::Transaction;
use crate::types::Oid;
use crate::wire::{self, Column, Replies, TransactionStatus};

/// Statements planned before other clients have their turn, and their bytes.
const TURN_STATEMENTS: usize = 64;
const TURN_BYTES: usize = 64 << 10;

/// How a statement uses its connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    pub(super) purpose: Purpose,
    pub(super) unsettles: bool,
    /// It ends its transaction, also where it fails.
    pub(super) ends: bool,
}

impl Manner {
    pub(super) fn of(route: &Route) -> Self {
        let purpose = if route.detached {
            Purpose::Peek
        } else {
            Purpose::Run
        };
        Self {
            purpose,
            unsettles: route.unsettles,
            ends: false,
        }
    }
}

impl Client {
    /// Runs a Query message to its ReadyForQuery.
    pub(super) async fn simple(&mut self, body: &[u8]) -> Result<(), Failure> {
        if self.pipeline.is_open() && !Box::pin(self.close_pipeline()).await? {
            return Ok(());
        }
        self.session.arrived();
        self.session.statements.forget_unnamed();
        if self.pipeline.has_portals() {
            Box::pin(self.end_portal(b"")).await;
        }
        let outcome = match text(body) {
            Ok(text) => self.query(text).await,
            Err(error) => Err(Failure::Statement(error)),
        };
        self.ready(outcome).await
    }

    /// Ends what is its own Sync: its error, if there was one, then ReadyForQuery.
    pub(super) async fn ready(&mut self, outcome: Result<(), Failure>) -> Result<(), Failure> {
        match outcome {
            Ok(()) | Err(Failure::Told) => {}
            Err(Failure::Statement(error)) => Box::pin(self.refuse(&error)).await?,
            Err(other) => return Err(other),
        }
        self.session.finish(&mut self.io).await?;
        if self.pipeline.has_portals() && self.session.is_between_transactions() {
            Box::pin(self.end_portals()).await;
        }
        self.io.output.ready_for_query(self.session.txn.status());
        Ok(())
    }

    async fn query(&mut self, text: &str) -> Result<(), Failure> {
        if !self.session.has_catalogs() {
            Box::pin(self.session.catalogs_read(&mut self.io)).await?;
        }
        let Some(plan) = self.session.known(text, &[]) else {
            return Box::pin(self.query_anew(text)).await;
        };
        self.session.admit();
        match &*plan {
            // Large, as all that a statement of the ordinary kind does not do: on the heap.
            Plan::Control(control) => Box::pin(self.control(control, text)).await,
            Plan::Route(route) => {
                let (way, lines) = self.routed(&plan, route)?;
                match way.several {
                    None => self.send(text, way.shard, lines, Manner::of(route)).await,
                    Some(several) => Box::pin(self.over_several(text, &plan, several)).await,
                }
            }
        }
    }

    /// A text that is not known, or not one statement.
    async fn query_anew(&mut self, text: &str) -> Result<(), Failure> {
        let pieces = match aside(text.len(), || sql::split(text)) {
            Ok(pieces) => pieces,
            Err(error) => return Err(self.second_opinion(text, error).await),
        };
        match pieces.as_slice() {
            [] => {
                self.io.output.empty_query();
                Ok(())
            }
            [piece] => {
                self.session.admit();
                let statement = &text[piece.range.clone()];
                let plan = match self.session.plan_first(statement, &[]).await {
                    Ok(plan) => plan,
                    Err(error) => return Err(self.second_opinion(text, error).await),
                };
                self.single(text, statement, &plan).await
            }
            pieces => {
                let mut statements = Vec::with_capacity(pieces.len());
                let (mut turn, mut bytes) = (0, 0);
                for piece in pieces {
                    let statement = &text[piece.range.clone()];
                    turn += 1;
                    bytes += statement.len();
                    if turn > TURN_STATEMENTS || bytes > TURN_BYTES {
                        tokio::task::yield_now().await;
                        (turn, bytes) = (1, statement.len());
                    }
                    let plan = match statements.is_empty() {
                        true => self.session.plan_first(statement, &[]).await?,
                        false => self.session.plan(statement, &[]).await?,
                    };
                    statements.push((statement, plan));
                }
                aside(text.len(), || self.foresee(&statements))?;
                if matches!(self.session.txn, Transaction::DeferredFailed(_)) {
                    return self.several_after_failure(text, pieces, &statements).await;
                }
                self.several(text, &statements).await
            }
        }
    }

    /// Runs the only statement of a text.
    async fn single(&mut self, text: &str, statement: &str, plan: &Planned) -> Result<(), Failure> {
        match &**plan {
            Plan::Control(control) => self.control(control, statement).await,
            Plan::Route(route) => {
                let (way, lines) = self.routed(plan, route)?;
                match way.several {
                    None => self.send(text, way.shard, lines, Manner::of(route)).await,
                    Some(several) => Box::pin(self.over_several(text, plan, several)).await,
                }
            }
        }
    }

    /// Where the only statement of a text goes, and what comes ahead of its rows.
    fn routed(&mut self, plan: &Planned, route: &Route) -> Result<(Way, Option<Bytes>), PgError> {
        self.session.routed(plan);
        let values = plan.values();
        let way = self.session.resolve(route, values)?;
        Ok((way, self.explained(route, values)))
    }

    /// All statements of a string are planned before any of it runs, so none may change what the names
    /// in a later one mean or where the session wants it to go, or leave more settings than a session may
    /// have.
    fn foresee(&self, statements: &[(&str, Planned)]) -> Result<(), PgError> {
        let sharded = !self.session.is_unsharded();
        let mut settings = self.session.settings.clone();
        let planned_under = (settings.names_version(), settings.hint_version());
        let mut failed = self.session.txn.status() == TransactionStatus::Failed;
        for (statement, plan) in statements {
            match &**plan {
                Plan::Control(control) => {
                    if let Control::Set { .. } = control {
                        settings.check_room(statement)?;
                    }
                    settings.take_effect(control, statement, failed);
                }
                Plan::Route(_) if sharded && settings.names_version() != planned_under.0 => {
                    return Err(PgError::refusal(
                        "a change of search_path or role in a string of several statements",
                        "Send it alone, ahead of the statements that rely on it.",
                    ));
                }
                // COMMIT ends a SET LOCAL, ROLLBACK takes a SET back, RESET ALL takes back all.
                Plan::Route(_) if settings.hint_version() != planned_under.1 => {
                    return Err(PgError::refusal(
                        format!("the end of a {SHARD} or {KEY} in a string of several statements"),
                        "Send the statements after it in a string of their own.",
                    ));
                }
                Plan::Route(_) => {}
            }
            failed = false;
        }
        Ok(())
    }

    /// A statement about the session, and the description of its rows ahead of them.
    async fn control(&mut self, control: &Control, statement: &str) -> Result<(), Failure> {
        if let Control::Show { name } = control {
            self.io.output.row_description(&shown(name));
        }
        self.session.control(&mut self.io, control, statement).await
    }

    async fn second_opinion(&mut self, text: &str, error: PgError) -> Failure {
        let io = &mut self.io;
        self.session.second_opinion(io, text, &[], error).await
    }

    /// Sends a whole query string to one shard and relays its answers.
    pub(super) async fn send(
        &mut self,
        text: &str,
        shard: ShardId,
        before: Option<Bytes>,
        manner: Manner,
    ) -> Result<(), Failure> {
        self.session
            .enter(&mut self.io, shard, manner.purpose)
            .await?;
        if manner.unsettles {
            self.session.forget_settings();
        }
        let session = &mut self.session;
        session.queue_string(text, Forward::ToClient, before, manner.ends)?;
        self.session.run(&mut self.io).await
    }

    /// The first statement ends a transaction that no server knows of; the rest is a string of its own.
    async fn several_after_failure(
        &mut self,
        text: &str,
        pieces: &[Piece],
        statements: &[(&str, Planned)],
    ) -> Result<(), Failure> {
        let ([(first, plan), rest @ ..], [_, next, ..]) = (statements, pieces) else {
            return Ok(());
        };
        self.session.admit();
        if let Plan::Control(control) = &**plan {
            self.control(control, first).await?;
        }
        // Blanks in place of what has been dealt with keep the positions in errors.
        let (done, left) = text.split_at(next.range.start);
        let left = " ".repeat(done.chars().count()) + left;
        self.several(&left, rest).await
    }

    async fn several(&mut self, text: &str, statements: &[(&str, Planned)]) -> Result<(), Failure> {
        let routes = || statements.iter().filter_map(|(_, plan)| route(plan));
        if routes().any(|route| route.explain == Some(ExplainFormat::Text)) {
            return Err(Failure::Statement(PgError::refusal(
                "EXPLAIN in a string of several statements",
                "Send it alone.",
            )));
        }
        if routes().next().is_none() && statements.iter().all(|(_, plan)| is_deferrable(plan)) {
            for (statement, plan) in statements {
                self.session.admit();
                if let Plan::Control(control) = &**plan {
                    self.control(control, statement).await?;
                }
            }
            return Ok(());
        }
        self.check_alone(statements)?;
        self.session.check_definitions(routes())?;
        let mut shard = None;
        for (_, plan) in statements {
            let Some(route) = route(plan) else {
                continue;
            };
            let here = self.session.route_target(route, plan.values())?;
            match (shard, here) {
                (Some(known), Some(here)) if known != here => {
                    return Err(Failure::Statement(PgError::refusal(
                        "statements of one query string belong to different shards",
                        "PostgreSQL runs the string as one transaction: send the statements one at a time.",
                    )));
                }
                (known, here) => shard = known.or(here),
            }
        }
        let shard = shard.unwrap_or_else(|| self.session.any_shard());
        for (_, plan) in statements {
            self.session.admit();
            self.session.routed(plan);
        }
        let manner = Manner {
            purpose: Purpose::Run,
            unsettles: routes().any(|route| route.unsettles),
            ends: statements.iter().any(|(_, plan)| is_commit(plan)),
        };
        let failed = self.session.txn.status() == TransactionStatus::Failed;
        self.send(text, shard, None, manner).await?;
        self.take_effects(statements, failed);
        Ok(())
    }

    /// What cannot stand in a string of several statements.
    fn check_alone(&self, statements: &[(&str, Planned)]) -> Result<(), PgError> {
        for (_, plan) in statements {
            // The string is sent as it is, and no server knows these.
            if let Plan::Control(control) = &**plan
                && let Some(name) = own_setting(control)
            {
                return Err(PgError::refusal(
                    format!("SET, RESET or SHOW of {name} in a string of several statements"),
                    "Send it alone.",
                ));
            }
            if let Plan::Control(Control::DiscardAll | Control::Deallocate { .. }) = &**plan {
                return Err(PgError::refusal(
                    "DISCARD or DEALLOCATE in a string of several statements",
                    "Send it alone.",
                ));
            }
            // The server connection would go back to its own start, not to this client's.
            if let Plan::Control(control) = &**plan
                && let Some(name) = returns_to_start(control)
                && self.session.settings.replay_startup(name, false).is_some()
            {
                return Err(PgError::refusal(
                    "RESET or TO DEFAULT of a startup parameter in a string of several statements",
                    "Send it alone.",
                ));
            }
        }
        Ok(())
    }

    /// What the completed statements of a string mean for the session. `failed`: the transaction they
    /// came to had, so that COMMIT was a ROLLBACK.
    fn take_effects(&mut self, statements: &[(&str, Planned)], mut failed: bool) {
        let settings = &mut self.session.settings;
        let mut resets = false;
        for (statement, plan) in &statements[..self.session.relay.completed.min(statements.len())] {
            let Plan::Control(control) = &**plan else {
                continue;
            };
            resets |= returns_to_start(control).is_some();
            resets |= settings.take_effect(control, statement, failed);
            // Only what ends or mends a failed transaction is heard in it.
            failed = false;
        }
        if resets {
            self.session.forget_settings();
        }
    }

    /// The lines EXPLAIN adds, as rows.
    pub(super) fn explained(&self, route: &Route, values: Values<'_>) -> Option<Bytes> {
        (route.explain == Some(ExplainFormat::Text))
            .then(|| rows(&self.session.explain_lines(route, values)))
    }

    /// As `explained`, where what could be scattered is gathered.
    pub(super) fn explained_gathering(&self, route: &Route, to: &Gathering) -> Option<Bytes> {
        (route.explain == Some(ExplainFormat::Text))
            .then(|| rows(&self.session.explain_gathering(route, to)))
    }

    /// Tells the client of an error found here, and fails its transaction everywhere.
    pub(super) async fn refuse(&mut self, error: &PgError) -> Result<(), Failure> {
        match self.session.fail(&mut self.io).await {
            Ok(()) => {}
            // The connection was lost over it, or an earlier answer was an error: that one is told.
            Err(Failure::Told) => return Ok(()),
            Err(Failure::Statement(_)) => {}
            Err(other) => return Err(other),
        }
        self.session.count_error(error);
        self.io.output.error(error);
        Ok(())
    }
}

pub(super) fn rows(lines: &[String]) -> Bytes {
    let mut out = BytesMut::new();
    lines
        .iter()
        .for_each(|line| out.data_row(&[Some(line.clone())]));
    out.freeze()
}

fn text(body: &[u8]) -> Result<&str, PgError> {
    let text = wire::query(body).map_err(malformed)?;
    std::str::from_utf8(text).map_err(|_| not_utf8())
}

pub(super) fn not_utf8() -> PgError {
    PgError::client(
        SqlState::CHARACTER_NOT_IN_REPERTOIRE,
        "the statement is not valid UTF-8, the encoding Trunkline reads statements in",
    )
}

/// The one column of a SHOW that the proxy answers.
pub(super) fn shown(name: &str) -> [Column; 1] {
    [Column {
        name: own_column(name),
        oid: Oid::TEXT,
    }]
}

/// The setting of our own that a statement is about.
fn own_setting(control: &Control) -> Option<&str> {
    let name = match control {
        Control::Set { setting, .. } => &setting.name,
        Control::Reset { name: Some(name) } | Control::Show { name } => name,
        _ => return None,
    };
    is_own_setting(name).then_some(name)
}

/// The setting that a RESET or a SET TO DEFAULT returns to the session's start; within, `None` for all of them.
fn returns_to_start(control: &Control) -> Option<Option<&str>> {
    match control {
        Control::Reset { name } => Some(name.as_deref()),
        Control::Set { setting, .. } if setting.values.is_none() => Some(Some(&setting.name)),
        _ => None,
    }
}

fn route(plan: &Plan) -> Option<&Route> {
    match plan {
        Plan::Route(route) => Some(route),
        Plan::Control(_) => None,
    }
}

fn is_commit(plan: &Plan) -> bool {
    matches!(plan, Plan::Control(Control::Commit { .. }))
}

/// Statements that need no shard to be known, so that a string of them can be run one by one.
fn is_deferrable(plan: &Plan) -> bool {
    match plan {
        Plan::Route(_) => false,
        Plan::Control(control) => !matches!(
            control,
            Control::Set { local: false, .. } | Control::Reset { .. } | Control::DiscardAll
        ),
    }
}
