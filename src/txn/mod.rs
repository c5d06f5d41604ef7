//! A client's transaction, and how much of it a server knows.
//!
//! ```text
//!            BEGIN                first statement that needs a shard
//!   Idle ───────────> Deferred ──────────────────────────────────────> Open <──┐
//!    ^                  │ error                              error │            │ ROLLBACK TO
//!    │                  v                                          v            │
//!    └──────────── DeferredFailed <──── server lost ──────────── Failed ────────┘
//!         COMMIT, ROLLBACK (all states)
//! ```
//!
//! In `Open` and `Failed` the server's ReadyForQuery decides. This room does no I/O so far: with one
//! shard per transaction the session's relay does what there is to do.

use crate::wire::TransactionStatus;

/// What a server must be told before the first statement of a transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prelude {
    begin: String,
    /// An earlier transaction ended AND CHAIN, which must be repeated: a chained transaction that
    /// fails keeps its characteristics in the next link, one that was begun with them does not.
    chained: bool,
    /// SET LOCAL, SET TRANSACTION, SAVEPOINT and their like, in order.
    then: Vec<String>,
}

/// A transaction that no server has heard of may hold this much.
const PRELUDE_STATEMENTS_MAX: usize = 1_000;
const PRELUDE_BYTES_MAX: usize = 256 * 1024;

impl Prelude {
    pub fn new(begin: String) -> Self {
        Self {
            begin,
            chained: false,
            then: Vec::new(),
        }
    }

    /// Keeps one more statement; false where there are too many, or too long ones.
    pub fn push(&mut self, text: &str) -> bool {
        let bytes: usize = self.then.iter().map(String::len).sum();
        let room =
            self.then.len() < PRELUDE_STATEMENTS_MAX && bytes + text.len() <= PRELUDE_BYTES_MAX;
        if room {
            self.then.push(text.to_owned());
        }
        room
    }

    /// Only a BEGIN whose text the planner made: it cannot fail, so nobody has to wait for it.
    pub fn is_plain(&self) -> bool {
        self.then.is_empty()
    }

    /// What AND CHAIN begins: the same characteristics, nothing done yet.
    pub fn chained(self) -> Self {
        Self {
            chained: true,
            ..Self::new(self.begin)
        }
    }

    pub fn text(&self) -> String {
        let mut text = self.begin.clone();
        if self.chained {
            text.push_str("; COMMIT AND CHAIN");
        }
        for statement in &self.then {
            // On a line of its own, should the statement end in a comment.
            text.push_str("\n;");
            text.push_str(statement);
        }
        text
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Transaction {
    #[default]
    Idle,
    /// BEGIN was answered, no server has heard of it.
    Deferred(Prelude),
    /// Failed before any server heard of it: ROLLBACK TO can mend it. Without a prelude its server was
    /// lost, and nothing can.
    DeferredFailed(Option<Prelude>),
    Open,
    Failed,
}

impl Transaction {
    pub fn status(&self) -> TransactionStatus {
        match self {
            Self::Idle => TransactionStatus::Idle,
            Self::Deferred(_) | Self::Open => TransactionStatus::InTransaction,
            Self::DeferredFailed(_) | Self::Failed => TransactionStatus::Failed,
        }
    }

    /// A statement failed before it reached a server.
    pub fn fail(&mut self) {
        *self = match std::mem::take(self) {
            Self::Deferred(prelude) => Self::DeferredFailed(Some(prelude)),
            failed @ Self::DeferredFailed(_) => failed,
            Self::Open | Self::Failed => Self::Failed,
            Self::Idle => Self::Idle,
        };
    }

    /// The server connection is gone, and what was open on it.
    pub fn lose(&mut self) {
        *self = match self {
            Self::Idle => Self::Idle,
            _ => Self::DeferredFailed(None),
        };
    }

    /// A server has spoken.
    pub fn observe(&mut self, status: TransactionStatus) {
        *self = match status {
            TransactionStatus::Idle => Self::Idle,
            TransactionStatus::InTransaction => Self::Open,
            TransactionStatus::Failed => Self::Failed,
        };
    }

    /// The client has begun a transaction that no server holds: a server's word is not about it.
    pub fn is_unheard_of(&self) -> bool {
        matches!(self, Self::Deferred(_) | Self::DeferredFailed(_))
    }

    /// A server holds this transaction.
    pub fn is_on_server(&self) -> bool {
        matches!(self, Self::Open | Self::Failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_stay_where_they_happened() {
        let mut deferred = Transaction::Deferred(Prelude::new("BEGIN".to_owned()));
        deferred.fail();
        assert!(matches!(deferred, Transaction::DeferredFailed(Some(_))));
        let mut open = Transaction::Open;
        open.fail();
        assert_eq!(open, Transaction::Failed);
        open.lose();
        assert_eq!(open, Transaction::DeferredFailed(None));
        let mut idle = Transaction::Idle;
        idle.fail();
        idle.lose();
        assert_eq!(idle, Transaction::Idle);
    }

    #[test]
    fn a_prelude_is_bounded() {
        let mut prelude = Prelude::new("BEGIN".to_owned());
        assert!(!prelude.push(&" ".repeat(PRELUDE_BYTES_MAX + 1)));
        assert!((0..PRELUDE_STATEMENTS_MAX).all(|_| prelude.push("SAVEPOINT s")));
        assert!(!prelude.push("SAVEPOINT s"));
    }

    #[test]
    fn a_prelude_keeps_comments_apart() {
        let mut prelude = Prelude::new("BEGIN".to_owned());
        assert!(prelude.is_plain());
        assert!(prelude.push("SET LOCAL a TO 1 -- why"));
        assert!(prelude.push("SAVEPOINT s"));
        assert_eq!(
            prelude.text(),
            "BEGIN\n;SET LOCAL a TO 1 -- why\n;SAVEPOINT s"
        );
    }
}
