//! Counting statements and transactions: once for each, by handles, with one look at the clock when
//! a statement arrives and one when its answer is complete.

use std::collections::VecDeque;
use std::time::Instant;

use super::{Activity, Session};
use crate::error::{PgError, SqlState};
use crate::metrics::{Route, StatementMetrics};
use crate::plan::{Plan, Targets};
use crate::txn::Transaction;

/// Statements on their way beyond which those that have their answer are counted at once.
const PENDING_KEPT: usize = 1_024;

/// What has arrived and not been counted yet.
pub(super) struct Tally {
    since: Option<Instant>,
    /// Where the statements went, in their order.
    pending: VecDeque<Route>,
    /// Where the last Bind went. (Portals executed out of their order count for it too.)
    bound: Route,
    /// The client has been told an error, and skips to the end.
    failed: bool,
    /// The end of a transaction has been counted where it was asked for.
    ended: bool,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            since: None,
            pending: VecDeque::new(),
            bound: Route::None,
            failed: false,
            ended: false,
        }
    }
}

impl Tally {
    fn arrived(&mut self) {
        self.since.get_or_insert_with(Instant::now);
    }

    fn elapsed(&self) -> Option<f64> {
        self.since.map(|since| since.elapsed().as_secs_f64())
    }

    /// Counts the first `answered` statements as answered well.
    fn count(&mut self, answered: usize, metrics: &StatementMetrics) {
        let answered = answered.min(self.pending.len());
        if answered == 0 {
            return;
        }
        let seconds = self.elapsed();
        for route in self.pending.drain(..answered) {
            let metrics = metrics.route(route);
            metrics.succeeded.inc();
            seconds.iter().for_each(|s| metrics.seconds.observe(*s));
        }
    }

    /// All answers are out: what was answered is counted, then what failed; what was skipped is not.
    fn finish(&mut self, answered: usize, metrics: &StatementMetrics) {
        if self.failed {
            self.count(answered, metrics);
            let metrics = metrics.route(self.pending.front().copied().unwrap_or(Route::None));
            metrics.failed.inc();
            self.elapsed()
                .iter()
                .for_each(|s| metrics.seconds.observe(*s));
            self.pending.clear();
        } else {
            self.count(self.pending.len(), metrics);
        }
        self.pending.shrink_to(PENDING_KEPT);
        self.since = None;
        self.failed = false;
        self.ended = false;
    }
}

impl Session {
    /// A statement is here: what the client waits for begins.
    pub fn arrived(&mut self) {
        self.tally.arrived();
        if self.entry().activity() != Activity::Active {
            self.entry().interrupt.set_activity(Activity::Active);
        }
    }

    /// It is known where the statement goes, and that it will be tried.
    pub fn routed(&mut self, plan: &Plan) {
        self.note_definition(plan);
        self.pend(route_of(plan));
    }

    /// A Bind went where its plan says, or by way of several shards; its Executes will.
    pub fn bound(&mut self, plan: &Plan, several: Option<Route>) {
        self.note_definition(plan);
        self.tally.bound = several.unwrap_or_else(|| route_of(plan));
    }

    /// As `routed`, of the last Bind.
    pub fn routed_as_bound(&mut self) {
        self.pend(self.tally.bound);
    }

    /// What was last said to be routed goes so.
    pub fn goes(&mut self, route: Route) {
        if let Some(last) = self.tally.pending.back_mut() {
            *last = route;
        }
    }

    /// As `routed`, of a statement that steers the session.
    pub(super) fn control_pending(&mut self) {
        self.pend(Route::Control);
    }

    fn pend(&mut self, route: Route) {
        if self.tally.pending.len() >= PENDING_KEPT {
            let answered = std::mem::take(&mut self.relay.answered);
            self.tally.count(answered, &self.metrics);
        }
        self.tally.pending.push_back(route);
    }

    /// Everything so far has been answered without error.
    pub(super) fn count_all(&mut self) {
        self.relay.answered = 0;
        self.tally.count(self.tally.pending.len(), &self.metrics);
    }

    /// The client is told an error the proxy has found.
    pub fn count_error(&mut self, error: &PgError) {
        if error.code == SqlState::FEATURE_NOT_SUPPORTED {
            self.metrics.refusals.inc();
        }
        self.count_failure(error.code);
    }

    /// Takes note of the error the server has told the client since the last time.
    pub(super) fn take_error(&mut self) -> Option<SqlState> {
        let code = self.relay.error.take()?;
        self.count_failure(code);
        Some(code)
    }

    fn count_failure(&mut self, code: SqlState) {
        self.shared.metrics.error(code);
        self.tally.failed = true;
    }

    /// COMMIT or ROLLBACK was answered by a server.
    pub(super) fn count_end(&mut self, committed: bool) {
        self.tally.ended = true;
        self.count_transaction(committed);
    }

    pub(super) fn count_transaction(&self, committed: bool) {
        if committed {
            self.metrics.transactions_committed.inc();
        } else {
            self.metrics.transactions_rolled_back.inc();
        }
    }

    /// The answers are complete. Must be called while the connection is still in use.
    pub(super) fn count_answers(&mut self) {
        let answered = std::mem::take(&mut self.relay.answered);
        let ran = !self.tally.pending.is_empty() && self.server.is_some();
        if ran && self.txn == Transaction::Idle && !self.tally.ended {
            self.count_transaction(!self.tally.failed);
        }
        self.tally.finish(answered, &self.metrics);
    }
}

/// How a plan's statement is answered, where it is.
pub fn route_of(plan: &Plan) -> Route {
    match plan {
        Plan::Control(_) => Route::Control,
        Plan::Route(route) => match route.targets {
            Targets::Any | Targets::Default if route.scatter.is_some() => Route::Scatter,
            Targets::Any | Targets::Default if route.gather.is_some() => Route::Gather,
            // A hint names one shard as a key does.
            _ if route.hint.is_some() => Route::Key,
            Targets::Key(_) => Route::Key,
            Targets::Any => Route::Any,
            Targets::Default => Route::Default,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    /// Routes that arrive, answers that come, whether the client is told an error; then what of each
    /// route succeeded and failed, in the order key, any, control, none.
    fn check(pending: &[Route], answered: usize, failed: bool, expected: [(u64, u64); 4]) {
        let metrics = Metrics::new().statements("app");
        let mut tally = Tally {
            failed,
            ..Tally::default()
        };
        tally.arrived();
        tally.pending.extend(pending);
        tally.finish(answered, &metrics);
        let found = [Route::Key, Route::Any, Route::Control, Route::None].map(|route| {
            let metrics = metrics.route(route);
            let counted = metrics.succeeded.get() + metrics.failed.get();
            assert_eq!(metrics.seconds.get_sample_count(), counted, "{route:?}");
            (metrics.succeeded.get(), metrics.failed.get())
        });
        assert_eq!(found, expected);
        assert!(tally.pending.is_empty() && tally.since.is_none() && !tally.failed);
    }

    #[test]
    fn each_statement_counts_once() {
        use Route::{Any, Control, Key};
        check(&[], 0, false, [(0, 0), (0, 0), (0, 0), (0, 0)]);
        check(&[Key], 1, false, [(1, 0), (0, 0), (0, 0), (0, 0)]);
        // A portal that answered nothing of its own still did what it should.
        check(&[Key, Any], 1, false, [(1, 0), (1, 0), (0, 0), (0, 0)]);
        check(&[Key], 0, true, [(0, 1), (0, 0), (0, 0), (0, 0)]);
        // The third is skipped.
        check(&[Key, Any, Key], 1, true, [(1, 0), (0, 1), (0, 0), (0, 0)]);
        check(&[Control], 0, true, [(0, 0), (0, 0), (0, 1), (0, 0)]);
        // Refused before a route was known.
        check(&[], 0, true, [(0, 0), (0, 0), (0, 0), (0, 1)]);
        check(&[Key], 1, true, [(1, 0), (0, 0), (0, 0), (0, 1)]);
    }
}
