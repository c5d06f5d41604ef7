//! Sessions move from a worker that has too much to do to one that has time.
//!
//! A few hundred sessions that do little are best served by one thread: it finds work for several of them each time
//! it wakes up, and wakes nobody else. So sessions begin with the first worker that has time ([`Workers::next_home`]),
//! and spread when it has none left.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::metrics::Metrics;
use crate::net::{Home, Workers, timer};
use crate::session::Registry;

/// Looks after the workers until it is dropped.
pub async fn run(workers: Arc<Workers>, registry: Arc<Registry>, metrics: Arc<Metrics>) {
    let mut last = Look::now(&workers);
    let mut settling = 0;
    loop {
        timer::sleep(LOOK_INTERVAL).await;
        let look = Look::now(&workers);
        let busy = look.busy_since(&last);
        for (worker, busy) in workers.homes().zip(&busy) {
            workers.set_busy(worker, *busy);
        }
        look.publish(&last, &workers, &metrics);
        last = look;
        settling = u32::saturating_sub(settling, 1);
        if settling == 0
            && let Some(shift) = shift(&busy)
        {
            let (from, to) = (Home::of_worker(shift.from), Home::of_worker(shift.to));
            let moved = registry.move_some(from, to, shift.thousandths);
            if moved > 0 {
                settling = SETTLING_LOOKS;
                tracing::debug!(?from, ?to, moved, ?busy, "sessions move between workers");
            }
        }
    }
}

/// For how long each worker had been busy at one moment.
struct Look {
    at: Instant,
    busy_for: Vec<Duration>,
}

impl Look {
    fn now(workers: &Workers) -> Self {
        Self {
            at: Instant::now(),
            busy_for: workers.busy_for(),
        }
    }

    fn publish(&self, before: &Self, workers: &Workers, metrics: &Metrics) {
        let times = self.busy_for.iter().zip(&before.busy_for);
        for (worker, (now, before)) in workers.homes().zip(times) {
            let metrics = metrics.worker(worker.number());
            let busy = now.saturating_sub(*before);
            metrics.busy_seconds.inc_by(busy.as_secs_f64());
            metrics.sessions.set(workers.sessions(worker) as i64);
        }
    }

    /// Thousandths of the time since an earlier look.
    fn busy_since(&self, before: &Self) -> Vec<u32> {
        let whole = (self.at - before.at).as_secs_f64();
        let thousandths = |(now, before): (&Duration, &Duration)| {
            let busy = now.saturating_sub(*before).as_secs_f64();
            ((busy / whole * 1000.0) as u32).min(1000)
        };
        self.busy_for
            .iter()
            .zip(&before.busy_for)
            .map(thousandths)
            .collect()
    }
}

/// From which worker to which sessions move, and how many of its busy ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shift {
    from: usize,
    to: usize,
    thousandths: u32,
}

/// `busy`: thousandths, by worker.
fn shift(busy: &[u32]) -> Option<Shift> {
    let (from, most) = busy.iter().enumerate().max_by_key(|(_, busy)| **busy)?;
    let (to, least) = busy.iter().enumerate().min_by_key(|(_, busy)| **busy)?;
    (*most >= TOO_BUSY && most - least >= WORTH_MOVING).then(|| Shift {
        from,
        to,
        // Half the difference makes them equal.
        thousandths: (most - least) * 1000 / (2 * most),
    })
}

const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// After a move this many looks are waited for: it takes a while until it shows.
const SETTLING_LOOKS: u32 = 5;

/// A worker that is busy for this many thousandths of its time makes its clients wait.
const TOO_BUSY: u32 = 800;

/// Smaller differences are left alone.
const WORTH_MOVING: u32 = 300;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_much_more_work_than_elsewhere_is_shared() {
        let moves = |from, to, thousandths| {
            Some(Shift {
                from,
                to,
                thousandths,
            })
        };
        for (busy, expected) in [
            (&[][..], None),
            (&[1000], None),
            (&[0, 0], None),
            (&[700, 0], None),
            (&[1000, 0], moves(0, 1, 500)),
            (&[500, 1000, 400], moves(1, 2, 300)),
            (&[1000, 800], None),
            (&[900, 600], moves(0, 1, 166)),
        ] {
            assert_eq!(shift(busy), expected, "{busy:?}");
        }
    }
}
