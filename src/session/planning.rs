//! From a client's text to a plan, and from a plan to a shard: what both depend on is the session's.

use std::sync::{Arc, OnceLock};

use super::statement::{Epoch, Prepared};
use super::{Failure, Session, aside, in_failed_transaction};
use crate::error::{PgError, SqlState};
use crate::net::Buffered;
use crate::plan::{
    Destination, Gathering, Plan, Planned, Route, Span, Values, explain_gathering, explain_lines,
};
use crate::planner::{Asker, Lookup, Schema};
use crate::shardmap::ShardId;
use crate::sql;
use crate::types::Oid;
use crate::wire::TransactionStatus;

/// Where a statement runs, and what several shards do for it.
#[derive(Debug)]
pub struct Way {
    pub shard: ShardId,
    pub several: Option<Several>,
}

/// What several shards do for a statement.
#[derive(Debug)]
pub enum Several {
    /// They give rows, ahead of it.
    Gather(Box<Gathering>),
    /// These answer it, with so much of their answers for the client.
    Scatter(Vec<ShardId>, Span),
    /// That is known once the statement is planned by its own text.
    ByText,
}

impl Way {
    fn to(shard: ShardId) -> Self {
        Self {
            shard,
            several: None,
        }
    }
}

impl Session {
    /// What planning needs is there.
    pub fn has_catalogs(&self) -> bool {
        self.database.is_schema_loaded()
    }

    /// Waits for what planning needs, watching the client: to be called before `plan`, which waits too.
    pub async fn catalogs_read(&mut self, io: &mut Buffered) -> Result<(), Failure> {
        if self.has_catalogs() {
            return Ok(());
        }
        self.entry()
            .wait(io, self.database.schema_loaded())
            .await??;
        self.refresh_map();
        Ok(())
    }

    /// Text to plan, from the cache where it was seen before.
    ///
    /// Errors: refusals; 08006 where the default shard's catalogs could not be read yet, because
    /// planning without them could be fooled by a view.
    pub async fn plan(&self, text: &str, param_types: &[Oid]) -> Result<Planned, PgError> {
        self.database.schema_loaded().await?;
        let schema = self.database.schema();
        let context = match self.asker(param_types).context(self.map(), &schema) {
            Ok(context) => context,
            Err(error) => return self.plan_control(text, &schema).ok_or(error),
        };
        let (planned, lookup) = aside(text.len(), || self.database.plans.plan(text, &context))?;
        if let Plan::Route(_) = &*planned {
            self.begins_as_planned()?;
        }
        self.count_lookup(lookup);
        Ok(planned)
    }

    /// The plan of all that the client sent, where it is one statement whose like was planned before and which may
    /// run now: the common case, without splitting the text. Where it is `None`, `plan_first` tells why.
    pub fn known(&self, text: &str, param_types: &[Oid]) -> Option<Planned> {
        if !self.has_catalogs() || self.txn.status() == TransactionStatus::Failed {
            return None;
        }
        let schema = self.database.schema();
        let context = self.asker(param_types).context(self.map(), &schema).ok()?;
        let (planned, lookup) = aside(text.len(), || self.database.plans.known(text, &context))?;
        if let Plan::Route(_) = &*planned {
            self.begins_as_planned().ok()?;
        }
        self.count_lookup(lookup);
        Some(planned)
    }

    fn asker<'a>(&'a self, param_types: &'a [Oid]) -> Asker<'a> {
        Asker {
            user: &self.user.name,
            search_path: self.settings.search_path(),
            role: self.settings.role(),
            hint: self.settings.hint(),
            param_types,
            transaction_pooling: !self.session_pooled(),
            gathers: self.database.config.gather.is_on(),
        }
    }

    fn plan_control(&self, text: &str, schema: &Schema) -> Option<Planned> {
        let plan = self.asker(&[]).control(text, self.map(), schema)?;
        Some(Planned {
            plan: Arc::new(plan),
            literals: sql::Literals::NONE,
        })
    }

    fn count_lookup(&self, lookup: Lookup) {
        match lookup {
            Lookup::Exact => self.metrics.plan_cache_exact.inc(),
            Lookup::Shape => self.metrics.plan_cache_shape.inc(),
            Lookup::Miss => self.metrics.plan_cache_misses.inc(),
        }
    }

    /// Where the session has SET neither, its statements are planned for the `search_path` and the role that sessions
    /// begin with now: the connection in use has to be one of those.
    fn begins_as_planned(&self) -> Result<(), PgError> {
        let stale = self
            .server
            .as_ref()
            .is_some_and(|bound| bound.lease.is_stale());
        let settings = &self.settings;
        if !stale || (settings.search_path().is_some() && settings.role().is_some()) {
            return Ok(());
        }
        Err(PgError::refusal(
            format!(
                "the search_path or the role that user \"{}\" begins with was changed, and the server connection in use is from before",
                self.user.name
            ),
            "end the transaction; where connections are kept for a session, connect again",
        ))
    }

    /// As `plan`, for a statement that comes first in what the client sent: in a failed transaction it is
    /// heard only if it ends it.
    pub async fn plan_first(&self, text: &str, param_types: &[Oid]) -> Result<Planned, PgError> {
        let planned = self.plan(text, param_types).await;
        if self.txn.status() == TransactionStatus::Failed {
            match &planned {
                Ok(plan) => self.heard(plan)?,
                Err(_) => return Err(in_failed_transaction()),
            }
        }
        planned
    }

    /// From a route to the shard it is run on now. `None` from the route means any: the one in use,
    /// else the default.
    ///
    /// Errors: those of [`Session::check_definitions`] and of [`Route::resolve`].
    pub fn resolve(&self, route: &Route, values: Values<'_>) -> Result<Way, PgError> {
        self.check_definitions([route])?;
        let destination = route.resolve(self.map(), values)?;
        let span = match (&destination, &route.scatter) {
            (Destination::Scatter(_), Some(scatter)) if route.explain.is_none() => {
                match scatter.limit().span(values.params) {
                    // It is PostgreSQL's to make something of such a limit.
                    Err(error) if error.code == SqlState::FEATURE_NOT_SUPPORTED => {
                        return self.resolve_gathering(route, values);
                    }
                    span => span?,
                }
            }
            _ => Span::default(),
        };
        Ok(self.way(destination, span))
    }

    /// As `resolve`, of what is to be gathered although it could be scattered.
    pub fn resolve_gathering(&self, route: &Route, values: Values<'_>) -> Result<Way, PgError> {
        let destination = route.gathering(self.map(), values)?;
        Ok(self.way(destination, Span::default()))
    }

    fn way(&self, destination: Destination, span: Span) -> Way {
        match destination {
            Destination::Shard(shard) => Way::to(shard),
            Destination::Any => Way::to(self.any_shard()),
            Destination::Gather(gathering) => Way {
                shard: gathering.at.unwrap_or_else(|| self.any_shard()),
                several: Some(Several::Gather(gathering)),
            },
            Destination::Scatter(shards) => Way {
                shard: self.any_shard(),
                several: Some(Several::Scatter(shards, span)),
            },
            Destination::ByText => Way {
                shard: self.any_shard(),
                several: Some(Several::ByText),
            },
        }
    }

    /// The plan of one text, whatever others are like it.
    ///
    /// Errors: refusals.
    pub fn plan_by_text(&self, text: &str, param_types: &[Oid]) -> Result<Planned, PgError> {
        let schema = self.database.schema();
        let context = self.asker(param_types).context(self.map(), &schema)?;
        aside(text.len(), || {
            self.database.plans.plan_by_text(text, &context)
        })
    }

    /// As `resolve`, of one of several that are looked at together before; `None` where any shard would do.
    pub fn route_target(
        &self,
        route: &Route,
        values: Values<'_>,
    ) -> Result<Option<ShardId>, PgError> {
        match route.resolve(self.map(), values)? {
            Destination::Shard(shard) => Ok(Some(shard)),
            Destination::Any => Ok(None),
            Destination::Gather(_) | Destination::Scatter(_) | Destination::ByText => {
                Err(PgError::refusal(
                    "a statement over rows of several shards in a string of several statements",
                    "Send it alone.",
                ))
            }
        }
    }

    /// A statement as this session prepares it now. `epoch`: from before it was planned, because what changes while
    /// planning makes the plan stale at once.
    pub fn prepare(
        &self,
        text: &str,
        param_types: &[Oid],
        plan: Planned,
        epoch: Epoch,
    ) -> Arc<Prepared> {
        let global = self
            .shared
            .globals
            .intern(text, param_types, self.settings.mark());
        Arc::new(Prepared {
            global,
            plan,
            epoch,
            told: OnceLock::new(),
            signature: OnceLock::new(),
        })
    }

    /// True where a Parse of this text is a statement from before once more: many clients send the same one again and
    /// again, without a name. Where it is false, planning tells why.
    pub fn is_again(&self, before: &Prepared, text: &str, param_types: &[Oid]) -> bool {
        let again = before.is_again(text, param_types, self.settings.mark(), self.epoch())
            && self.txn.status() != TransactionStatus::Failed
            && (matches!(*before.plan, Plan::Control(_)) || self.begins_as_planned().is_ok());
        if again {
            self.count_lookup(Lookup::Exact);
        }
        again
    }

    /// What plans depend on besides their text, as it is now.
    pub fn epoch(&self) -> Epoch {
        Epoch {
            database: self.databases_seen,
            map: self.map.version,
            schema: self.database.schema_version(),
            names: self.settings.names_version(),
            reading: self.settings.reading(),
            hint: self.settings.hint_version(),
        }
    }

    pub fn is_current(&self, prepared: &Prepared) -> bool {
        prepared.epoch == self.epoch()
    }

    /// Plans a prepared statement again, after what its plan depended on has changed.
    ///
    /// Errors: refusals, also of a text with strings that another connection would read under other settings than
    /// those of its Parse.
    pub async fn plan_again(&mut self, name: &[u8]) -> Result<(), PgError> {
        let before = self.statements.find(name)?;
        let (global, told) = (Arc::clone(&before.global), before.told.clone());
        // Taken first: what changes while planning makes the plan stale at once.
        let epoch = self.epoch();
        if before.epoch.reading != epoch.reading && has_strings(&global.text) {
            return Err(PgError::refusal(
                "a prepared statement with string literals, after a change of DateStyle, TimeZone or another setting they are read under",
                "prepare it again, or give the values as parameters",
            ));
        }
        let text = aside(global.text.len(), || sql::only_statement(&global.text))?;
        let plan = self.plan(text, &global.param_types).await?;
        let prepared = Arc::new(Prepared {
            global,
            plan,
            epoch,
            told,
            signature: OnceLock::new(),
        });
        self.statements.replace(name, prepared);
        Ok(())
    }

    /// Plans a prepared statement again, by its text.
    ///
    /// Errors: refusals.
    pub fn plan_again_by_text(&mut self, name: &[u8]) -> Result<(), PgError> {
        let before = Arc::clone(self.statements.find(name)?);
        let global = &before.global;
        let text = aside(global.text.len(), || sql::only_statement(&global.text))?;
        let prepared = Arc::new(Prepared {
            global: Arc::clone(global),
            plan: self.plan_by_text(text, &global.param_types)?,
            epoch: before.epoch,
            told: before.told.clone(),
            signature: before.signature.clone(),
        });
        self.statements.replace(name, prepared);
        Ok(())
    }

    /// Text the planner could not read may be wrong, and then PostgreSQL's own error is the better
    /// one: a server is asked to parse it. Where the server accepts it, the planner's refusal stands. In a
    /// failed transaction, too, a server reads the text before it says that it does not listen.
    pub async fn second_opinion(
        &mut self,
        io: &mut Buffered,
        text: &str,
        param_types: &[Oid],
        error: PgError,
    ) -> Failure {
        let code = match error.code {
            SqlState::SYNTAX_ERROR => SqlState::FEATURE_NOT_SUPPORTED,
            SqlState::IN_FAILED_TRANSACTION if self.txn.is_on_server() => error.code,
            _ => return Failure::Statement(error),
        };
        match self.ask_to_parse(io, text, param_types).await {
            Ok(()) => Failure::Statement(PgError { code, ..error }),
            Err(failure) => failure,
        }
    }

    /// Where a statement is described whose shard its parameters decide: all shards have its tables.
    pub fn describing_shard(&self, route: &Route, values: Values<'_>) -> ShardId {
        match route.resolve(self.map(), values) {
            Ok(Destination::Shard(shard)) => shard,
            Ok(Destination::Any | Destination::Scatter(_) | Destination::ByText) => {
                self.any_shard()
            }
            Ok(Destination::Gather(gathering)) => gathering.at.unwrap_or_else(|| self.any_shard()),
            Err(_) => {
                let hinted = route.hint.as_ref().map(|hinted| hinted.shard(self.map()));
                hinted
                    .and_then(Result::ok)
                    .unwrap_or_else(|| self.any_shard())
            }
        }
    }

    /// As `explain_lines`, where what could be scattered is gathered.
    pub fn explain_gathering(&self, route: &Route, gathering: &Gathering) -> Vec<String> {
        explain_gathering(route, gathering, self.map())
    }

    /// The lines EXPLAIN shows of the route, ahead of the server's own.
    pub fn explain_lines(&self, route: &Route, values: Values<'_>) -> Vec<String> {
        explain_lines(route, self.map(), values)
    }
}

/// A literal whose type PostgreSQL finds out, and whose value it then reads as that type.
fn has_strings(text: &str) -> bool {
    // What does not lex was never prepared.
    sql::tokens(text).is_ok_and(|tokens| tokens.iter().any(|token| token.kind == sql::Kind::String))
}
