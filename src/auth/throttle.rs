//! Slows down whoever guesses passwords, by address.
//!
//! Each address has a bucket of as many failures as are allowed in a minute, which fills up again within
//! that minute. While something is in it, logging in takes no longer than ever. Once it is empty, each attempt
//! of that address, right or wrong, takes the next *turn* before it is judged, and turns are as far apart
//! as the bucket fills: a thousand connections at once guess no faster than one. A right password gives its turn
//! back. Other addresses are not touched.
//!
//! A bucket is one moment, until which its failures are paid for: empty is when that lies a minute ahead.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use lru::LruCache;

/// Who counts as one: an IPv4 address, an IPv6 network of the size one customer gets, this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    V4(Ipv4Addr),
    /// The first 64 bits.
    V6([u8; 8]),
    /// Unix sockets.
    Local,
}

impl Source {
    /// `None` for a Unix socket.
    pub fn of(address: Option<IpAddr>) -> Self {
        match address.map(|address| address.to_canonical()) {
            None => Self::Local,
            Some(IpAddr::V4(address)) => Self::V4(address),
            Some(IpAddr::V6(address)) => {
                let [a, b, c, d, e, f, g, h, ..] = address.octets();
                Self::V6([a, b, c, d, e, f, g, h])
            }
        }
    }
}

/// When an attempt may be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Now,
    /// Taken, until it is given back.
    At(Instant),
    /// Too many wait already, or the client would not live to see it.
    Never,
}

/// The buckets of all addresses that have failed lately.
struct Buckets {
    addresses_max: usize,
    paid_until: LruCache<Source, Instant>,
}

impl Buckets {
    fn new(addresses_max: usize) -> Self {
        Self {
            addresses_max,
            paid_until: LruCache::unbounded(),
        }
    }

    /// `pace`: how far apart failures are allowed for ever. `latest`: when waiting loses its point.
    fn enter(&mut self, source: Source, pace: Duration, now: Instant, latest: Instant) -> Turn {
        let paid_until = self.paid_until(source, now) + pace;
        if paid_until <= now + WINDOW {
            return Turn::Now;
        }
        let turn = paid_until - WINDOW;
        if turn > latest.min(now + pace * WAITING_MAX) {
            return Turn::Never;
        }
        self.set(source, paid_until);
        Turn::At(turn)
    }

    /// Counts a failure that had not taken a turn. The answer is when it may be told, if not now: others may
    /// have emptied the bucket while this one was judged.
    fn fail(&mut self, source: Source, pace: Duration, now: Instant) -> Option<Instant> {
        let paid_until = self.paid_until(source, now) + pace;
        self.set(source, paid_until);
        (paid_until > now + WINDOW).then(|| paid_until - WINDOW)
    }

    /// A turn was taken and nothing was learned by it.
    fn give_back(&mut self, source: Source, pace: Duration, now: Instant) {
        let Some(paid_until) = self.paid_until.peek_mut(&source) else {
            return;
        };
        match paid_until.checked_sub(pace) {
            Some(earlier) if earlier > now => *paid_until = earlier,
            _ => drop(self.paid_until.pop(&source)),
        }
    }

    fn paid_until(&self, source: Source, now: Instant) -> Instant {
        self.paid_until
            .peek(&source)
            .map_or(now, |until| now.max(*until))
    }

    fn set(&mut self, source: Source, paid_until: Instant) {
        self.paid_until.put(source, paid_until);
        if self.paid_until.len() > self.addresses_max {
            self.paid_until.pop_lru();
        }
    }
}

/// The buckets, shared by all connections.
pub struct Throttle {
    buckets: Mutex<Buckets>,
}

/// Why an attempt is not judged at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TurnedAway;

/// Leave to be judged, at its time. Dropped, it gives back the turn it took, if it took one: a client that
/// leaves or was right costs its address nothing.
pub struct Pass<'a> {
    throttle: &'a Throttle,
    source: Source,
    pace: Duration,
    turn: Option<Instant>,
}

impl Default for Throttle {
    fn default() -> Self {
        Self {
            buckets: Mutex::new(Buckets::new(ADDRESSES_MAX)),
        }
    }
}

impl Throttle {
    /// Asks for leave to judge an attempt. `failures`: how many are allowed in a minute. `latest`: until when
    /// the client can wait.
    pub fn enter(
        &self,
        source: Source,
        failures: u32,
        latest: Instant,
    ) -> Result<Pass<'_>, TurnedAway> {
        let pace = WINDOW / failures.max(1);
        let turn = match self.lock().enter(source, pace, Instant::now(), latest) {
            Turn::Now => None,
            Turn::At(turn) => Some(turn),
            Turn::Never => return Err(TurnedAway),
        };
        Ok(Pass {
            throttle: self,
            source,
            pace,
            turn,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Buckets> {
        // Whole at every moment, even if a holder panicked.
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass<'_> {
    /// When the attempt may be judged, if not now.
    pub fn turn(&self) -> Option<Instant> {
        self.turn
    }

    /// The attempt failed. The answer is when the client may be told, if not now.
    pub fn failed(mut self) -> Option<Instant> {
        // A turn that was taken is the failure's price.
        match self.turn.take() {
            Some(_) => None,
            None => self
                .throttle
                .lock()
                .fail(self.source, self.pace, Instant::now()),
        }
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if self.turn.is_some() {
            self.throttle
                .lock()
                .give_back(self.source, self.pace, Instant::now());
        }
    }
}

/// Limits are failures a minute.
const WINDOW: Duration = Duration::from_secs(60);
/// Attempts of one address that wait for their turn; further ones are turned away.
const WAITING_MAX: u32 = 100;
/// Addresses remembered; those that have not failed for the longest time are forgotten first.
const ADDRESSES_MAX: usize = 16_384;

#[cfg(test)]
mod tests {
    use super::*;

    const ATTACKER: Source = Source::V4(Ipv4Addr::new(10, 0, 0, 1));
    const OTHER: Source = Source::V4(Ipv4Addr::new(10, 0, 0, 2));
    /// Ten a minute.
    const PACE: Duration = Duration::from_secs(6);

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn exhausted(now: Instant) -> Buckets {
        let mut buckets = Buckets::new(4);
        for failure in 0..10 {
            let turn = buckets.enter(ATTACKER, PACE, now, now + secs(60));
            assert_eq!(turn, Turn::Now, "failure {failure}");
            assert_eq!(buckets.fail(ATTACKER, PACE, now), None, "failure {failure}");
        }
        buckets
    }

    #[test]
    fn attempts_take_turns_once_the_failures_are_spent() {
        let now = Instant::now();
        let mut buckets = exhausted(now);
        for place in 1..=10 {
            let turn = buckets.enter(ATTACKER, PACE, now, now + secs(60));
            assert_eq!(turn, Turn::At(now + PACE * place));
        }
        // Nobody waits for a turn after its deadline, and asking for one costs nothing.
        for _ in 0..1000 {
            assert_eq!(
                buckets.enter(ATTACKER, PACE, now, now + secs(60)),
                Turn::Never
            );
        }
        assert_eq!(buckets.enter(OTHER, PACE, now, now + secs(60)), Turn::Now);
        assert_eq!(
            buckets.enter(ATTACKER, PACE, now, now + secs(66)),
            Turn::At(now + secs(66))
        );
    }

    #[test]
    fn waiting_is_bounded_by_number_too() {
        let now = Instant::now();
        let mut buckets = exhausted(now);
        let far = now + secs(1_000_000);
        let waiting = (0..200)
            .filter(|_| buckets.enter(ATTACKER, PACE, now, far) != Turn::Never)
            .count();
        assert_eq!(waiting, 100);
    }

    #[test]
    fn failures_are_forgiven_with_time() {
        let now = Instant::now();
        let mut buckets = exhausted(now);
        let later = now + PACE;
        assert_eq!(buckets.enter(ATTACKER, PACE, later, later), Turn::Now);
        assert_eq!(buckets.fail(ATTACKER, PACE, later), None);
        assert_eq!(buckets.enter(ATTACKER, PACE, later, later), Turn::Never);
        // In the long run one failure each six seconds.
        let later = now + secs(60) + PACE;
        assert_eq!(
            (0..)
                .take_while(|_| buckets.fail(ATTACKER, PACE, later).is_none())
                .count(),
            10
        );
    }

    #[test]
    fn a_turn_given_back_is_nobodys_loss() {
        let now = Instant::now();
        let mut buckets = exhausted(now);
        assert_eq!(
            buckets.enter(ATTACKER, PACE, now, now + secs(60)),
            Turn::At(now + PACE)
        );
        buckets.give_back(ATTACKER, PACE, now);
        assert_eq!(
            buckets.enter(ATTACKER, PACE, now, now + secs(60)),
            Turn::At(now + PACE)
        );
        // The last of them leaves nothing behind.
        let mut buckets = Buckets::new(4);
        assert_eq!(buckets.fail(OTHER, PACE, now), None);
        buckets.give_back(OTHER, PACE, now);
        buckets.give_back(OTHER, PACE, now);
        assert!(buckets.paid_until.is_empty());
    }

    #[test]
    fn a_failure_that_was_overtaken_is_told_later() {
        let now = Instant::now();
        let mut buckets = exhausted(now);
        assert_eq!(buckets.fail(ATTACKER, PACE, now), Some(now + PACE));
        assert_eq!(buckets.fail(ATTACKER, PACE, now), Some(now + PACE * 2));
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_forgotten() {
        let now = Instant::now();
        let mut buckets = exhausted(now);
        for last in 1..100 {
            buckets.fail(Source::V4(Ipv4Addr::new(10, 1, 0, last)), PACE, now);
            assert!(buckets.paid_until.len() <= 4);
        }
        assert_eq!(buckets.enter(ATTACKER, PACE, now, now), Turn::Now);
        // Those who only succeed are not remembered at all.
        let mut buckets = Buckets::new(4);
        assert_eq!(buckets.enter(OTHER, PACE, now, now), Turn::Now);
        assert!(buckets.paid_until.is_empty());
    }

    #[test]
    fn passes_pay_for_failures_only() {
        let throttle = Throttle::default();
        let latest = Instant::now() + secs(3600);
        // Two a minute.
        for _ in 0..2 {
            let pass = throttle.enter(ATTACKER, 2, latest).expect("a pass");
            assert_eq!((pass.turn(), pass.failed()), (None, None));
        }
        let turn = |pass: &Pass<'_>| pass.turn().expect("the bucket is empty");
        let first = throttle.enter(ATTACKER, 2, latest).expect("a pass");
        let second = throttle.enter(ATTACKER, 2, latest).expect("a pass");
        assert!(turn(&second) >= turn(&first) + secs(30));
        let (first_turn, second_turn) = (turn(&first), turn(&second));
        drop(second);
        let third = throttle.enter(ATTACKER, 2, latest).expect("a pass");
        assert_eq!(turn(&third), second_turn, "given back");
        assert_eq!(first.failed(), None, "its turn is paid already");
        drop(third);
        let fourth = throttle.enter(ATTACKER, 2, latest).expect("a pass");
        assert_eq!(turn(&fourth), second_turn);
        assert!(throttle.enter(ATTACKER, 2, first_turn).is_err());
        assert!(
            throttle
                .enter(OTHER, 2, latest)
                .is_ok_and(|pass| pass.turn().is_none())
        );
    }

    #[test]
    fn who_counts_as_one() {
        let of = |text: &str| Source::of(Some(text.parse().expect("an address")));
        assert_eq!(of("10.0.0.1"), ATTACKER);
        assert_eq!(of("::ffff:10.0.0.1"), ATTACKER);
        assert_ne!(of("10.0.0.1"), of("10.0.0.2"));
        assert_eq!(of("fd00:1:2:3::1"), of("fd00:1:2:3:ffff::2"));
        assert_ne!(of("fd00:1:2:3::1"), of("fd00:1:2:4::1"));
        assert_eq!(Source::of(None), Source::Local);
    }
}
