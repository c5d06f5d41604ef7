//! What a client has defined, until its statements are planned with it: the catalogs are read again once the
//! transaction is over, for until then they do not have it.

use super::{Failure, Session};
use crate::error::PgError;
use crate::net::Buffered;
use crate::plan::{Access, Catalogs, Plan, Route};

/// Definitions that the catalogs were not read with yet. They were sent, whether or not they succeeded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Defined {
    #[default]
    Nothing,
    /// Of nothing that statements are routed by, as far as names tell; or code that may define, as any function may.
    Apart,
    /// Sent where a hint said, whatever they name.
    ByHint,
}

impl Defined {
    fn by(route: &Route) -> Self {
        match (route.catalogs, &route.hint) {
            (Catalogs::Unasked | Catalogs::Read, _) => Self::Nothing,
            (Catalogs::Uncertain, _) | (Catalogs::Changed, None) => Self::Apart,
            (Catalogs::Changed, Some(_)) => Self::ByHint,
        }
    }
}

impl Session {
    /// A statement is about to be sent.
    pub(super) fn note_definition(&mut self, plan: &Plan) {
        if let Plan::Route(route) = plan {
            self.defined = self.defined.max(Defined::by(route));
        }
    }

    /// Statements are planned by catalogs that do not have what their own transaction has defined. Without a hint a
    /// definition reaches nothing they are routed by; under one it may, and then only another hint tells their shard. Not
    /// that of what they store: whether rows belong where the hint says is proved by the catalogs.
    ///
    /// Errors: 0A000 for one of these routes, which run one after another.
    pub fn check_definitions<'a>(
        &self,
        routes: impl IntoIterator<Item = &'a Route>,
    ) -> Result<(), PgError> {
        let mut defined = self.defined;
        for route in routes {
            let by_names = !route.detached && route.catalogs != Catalogs::Unasked;
            let writes = route.access == Access::Write && route.catalogs == Catalogs::Read;
            if defined == Defined::ByHint && !self.is_unsharded() {
                if route.hint.is_none() && by_names {
                    return Err(PgError::refusal(
                        "a statement without a hint, where something was defined under one that has not been read from the catalogs yet, is not supported: what its names mean now is not known",
                        "end the transaction first (try again, where it has ended), or give this statement the hint, too",
                    ));
                }
                if writes {
                    return Err(PgError::refusal(
                        "a write, where something was defined under a hint that has not been read from the catalogs yet, is not supported: whether its rows belong to that shard is not known",
                        "end the transaction first (try again, where it has ended)",
                    ));
                }
            }
            defined = defined.max(Defined::by(route));
        }
        Ok(())
    }

    /// The catalogs have to be read again.
    pub(super) fn has_definitions(&self) -> bool {
        self.defined != Defined::Nothing
    }

    /// The transaction is over: the client's next statement is planned with what was defined in it. Where the catalogs
    /// cannot be read, what a hint has led somewhere stays in the way, until they are.
    pub(super) async fn learn_definitions(&mut self, io: &mut Buffered) -> Result<(), Failure> {
        if !self.has_definitions() {
            return Ok(());
        }
        let reloaded = self.entry().watch(io, self.database.schema_reloaded());
        match reloaded.await? {
            Ok(()) => self.defined = Defined::Nothing,
            Err(error) => {
                tracing::warn!(%error, "the schema could not be loaded after a definition");
                if self.defined == Defined::Apart {
                    self.defined = Defined::Nothing;
                }
            }
        }
        Ok(())
    }

    /// The client leaves, and others are planned with what it may have defined.
    pub(super) fn leave_definitions(&self) {
        if self.has_definitions() {
            self.database.request_schema();
        }
    }
}
