//! Queries that one shard cannot answer: scattered where that is proved, gathered where it can be, and both where only
//! servers know whether answers can be merged.

use super::cursor::Cursor;
use super::functions::Calls;
use super::scatter::{self, Otherwise};
use super::{Planner, only};
use crate::error::PgError;
use crate::plan::{Access, Plan, Route, Scatter, Targets};
use crate::sql::Analysis;

impl Planner<'_> {
    /// The plan of a query that `refusal` keeps from one shard.
    ///
    /// Errors: that refusal, where several cannot answer it either.
    pub(super) fn over_several(
        &self,
        at: Cursor<'_>,
        analysis: &Analysis,
        calls: &Calls,
        refusal: PgError,
    ) -> Result<Plan, PgError> {
        let guarded = |scatter: &Scatter| {
            let keyspace = scatter.anchors.keyspace;
            self.names.map.keyspace(keyspace).require_key
        };
        let scatter = self
            .scattered(at, analysis)
            .and_then(|scatter| match guarded(&scatter) {
                true => Err("its key is required".to_owned()),
                false => Ok(Box::new(scatter)),
            });
        let reason = format!("not one shard: {}", refusal.message);
        let gathered = match self.gathers {
            true => self.gathered(&analysis.query, at, calls, refusal, scatter.is_err()),
            false => Err(refusal),
        };
        match (gathered, scatter) {
            (Ok(Plan::Route(route)), Ok(scatter)) => Ok(Plan::Route(Route {
                scatter: Some(scatter),
                ..route
            })),
            (Err(_), Ok(scatter)) => Ok(Plan::Route(Route {
                scatter: Some(scatter),
                ..only(Targets::Any, Access::Read, reason)
            })),
            (Ok(Plan::Route(route)), Err(why)) => Ok(Plan::Route(Route {
                reason: format!("{}; not merged: {why}", route.reason),
                ..route
            })),
            (gathered, _) => gathered,
        }
    }

    /// As answers of several shards, or why not.
    pub(super) fn scattered(&self, at: Cursor<'_>, analysis: &Analysis) -> Result<Scatter, String> {
        if !self.scatters {
            return Err("a hint says where it goes".to_owned());
        }
        scatter::of_analysis(at, analysis, self).map_err(|otherwise| match otherwise {
            Otherwise::Text => "its literals have been taken out".to_owned(),
            Otherwise::Gather(reason) => reason,
            Otherwise::Refused(error) => error.message,
        })
    }
}
