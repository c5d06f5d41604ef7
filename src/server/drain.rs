//! Letting running transactions finish before the process ends.

use std::time::Duration;

use tokio::time::Instant;

use crate::net::timer;
use crate::session::Registry;

/// How long a scrape under way may take after the clients have gone.
pub(super) const HTTP_TIMEOUT: Duration = Duration::from_secs(1);

/// How long sessions that are cut off have for their last words, and their servers for the cancel.
const CUT_OFF_TIMEOUT: Duration = Duration::from_millis(500);

/// How often to look whether all have left.
const LOOK: Duration = Duration::from_millis(20);

/// Ends idle sessions now and the others at the end of their transaction, until `limit`. What is
/// left then is cut off: told (57P01), as far as it listens, canceled and rolled back.
pub(super) async fn sessions(registry: &Registry, limit: Duration) {
    let deadline = Instant::now() + limit;
    tracing::info!(
        sessions = registry.len(),
        limit_seconds = limit.as_secs(),
        "draining"
    );
    registry.stop_all();
    while registry.len() > 0 {
        if Instant::now() >= deadline {
            return cut_off(registry).await;
        }
        timer::sleep(LOOK).await;
        // Again, for those that were logging in.
        registry.stop_all();
    }
    tracing::info!("all sessions have ended");
}

async fn cut_off(registry: &Registry) {
    tracing::warn!(
        sessions = registry.len(),
        "sessions cut off at the drain limit"
    );
    let deadline = Instant::now() + CUT_OFF_TIMEOUT;
    while registry.len() > 0 && Instant::now() < deadline {
        // Again, as above.
        registry.cut_off_all();
        timer::sleep(LOOK).await;
    }
}
