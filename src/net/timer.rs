//! Timers. Workers' runtimes have none of their own, which would cost every wait of every session a look at the clock
//! and at a wheel that is nearly always empty: these run in the shared runtime, whose thread wakes the task.
//!
//! `clippy.toml` keeps the rest of the code from using tokio's directly.

#![allow(clippy::disallowed_methods, reason = "this is the way to them")]

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, Sleep, Timeout};

use super::workers::background;

/// As [`tokio::time::timeout`].
pub fn timeout<F: Future>(limit: Duration, future: F) -> Timeout<F> {
    let shared = background();
    let _entered = shared.enter();
    tokio::time::timeout(limit, future)
}

/// As [`tokio::time::timeout_at`].
pub fn timeout_at<F: Future>(deadline: Instant, future: F) -> Timeout<F> {
    let shared = background();
    let _entered = shared.enter();
    tokio::time::timeout_at(deadline, future)
}

/// As [`tokio::time::sleep`].
pub fn sleep(time: Duration) -> Sleep {
    let shared = background();
    let _entered = shared.enter();
    tokio::time::sleep(time)
}

/// As [`tokio::time::sleep_until`].
pub fn sleep_until(deadline: Instant) -> Sleep {
    let shared = background();
    let _entered = shared.enter();
    tokio::time::sleep_until(deadline)
}
