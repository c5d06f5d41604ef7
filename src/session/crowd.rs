//! How many clients there are, in all and from each address, and who is let in.
//!
//! Counted from the moment a connection is accepted, before it has said who it is. Beyond
//! `limits.connections` there are a few places for admins who come to look why the proxy is full: whoever
//! takes one must turn out to be one.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::config::Limits;
use crate::error::{PgError, SqlState};
use crate::net::Peer;

/// Places beyond `limits.connections`, for the admin console only.
pub const ADMIN_PLACES: usize = 3;

/// Connections that are being told that there is no place for them; more are closed without a word.
const TURNED_AWAY_MAX: usize = 64;

/// Everybody who is connected.
#[derive(Debug, Default)]
pub struct Crowd {
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    clients: usize,
    turned_away: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// A client's place, given back when it is dropped.
#[derive(Debug)]
pub struct Place {
    crowd: Arc<Crowd>,
    address: Option<IpAddr>,
    /// Beyond `limits.connections` when it was given.
    beyond: bool,
}

/// A client for whom there is no place, while it is told.
#[derive(Debug)]
pub struct TurnedAway {
    crowd: Arc<Crowd>,
    pub refusal: Refusal,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    Total,
    Address,
    User,
    Descriptors,
}

impl Refusal {
    /// As a label.
    pub fn name(self) -> &'static str {
        match self {
            Self::Total => "total",
            Self::Address => "address",
            Self::User => "user",
            Self::Descriptors => "descriptors",
        }
    }

    /// Source: `src/backend/utils/init/postinit.c` and `src/backend/tcop/backend_startup.c`.
    pub fn error(self) -> PgError {
        let message = match self {
            Self::Total | Self::Descriptors => "sorry, too many clients already",
            Self::Address => "too many connections from this address",
            Self::User => "too many connections for this role",
        };
        PgError::proxy(SqlState::TOO_MANY_CONNECTIONS, message).fatal()
    }
}

/// What becomes of a connection that was accepted.
#[derive(Debug)]
pub enum Admission {
    Place(Place),
    TurnedAway(TurnedAway),
    /// Too many are being turned away: it is closed at once.
    Closed(Refusal),
}

impl Crowd {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a client in or turns it away.
    pub fn admit(self: &Arc<Self>, peer: &Peer, limits: &Limits) -> Admission {
        let address = network(peer);
        let mut counts = self.counts();
        let from_there = address.and_then(|address| counts.by_address.get(&address).copied());
        let refusal = if counts.clients >= limits.connections + ADMIN_PLACES {
            Refusal::Total
        } else if limits
            .connections_per_address
            .is_some_and(|limit| from_there.unwrap_or(0) >= limit)
        {
            Refusal::Address
        } else {
            counts.clients += 1;
            if let Some(address) = address {
                *counts.by_address.entry(address).or_default() += 1;
            }
            return Admission::Place(Place {
                crowd: Arc::clone(self),
                address,
                beyond: counts.clients > limits.connections,
            });
        };
        if counts.turned_away >= TURNED_AWAY_MAX {
            return Admission::Closed(refusal);
        }
        counts.turned_away += 1;
        let crowd = Arc::clone(self);
        Admission::TurnedAway(TurnedAway { crowd, refusal })
    }
}

impl Place {
    /// True where it is a place beyond `limits.connections`, and still is: its client is an admin, or
    /// leaves.
    pub fn is_for_admins(&self, limits: &Limits) -> bool {
        self.beyond && self.crowd.counts().clients > limits.connections
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.crowd.counts();
        counts.clients -= 1;
        if let Some(address) = self.address
            && let Some(count) = counts.by_address.get_mut(&address)
        {
            *count -= 1;
            if *count == 0 {
                counts.by_address.remove(&address);
            }
        }
    }
}

impl Drop for TurnedAway {
    fn drop(&mut self) {
        self.crowd.counts().turned_away -= 1;
    }
}

/// What counts as one address: an IPv4 address, or the /64 an IPv6 host has to itself. Unix sockets are
/// on this machine and have none.
fn network(peer: &Peer) -> Option<IpAddr> {
    let Peer::Tcp(address) = peer else {
        return None;
    };
    Some(match address.ip().to_canonical() {
        IpAddr::V6(address) => {
            let network = u128::from(address) & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from(network))
        }
        v4 => v4,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(address: &str) -> Peer {
        Peer::Tcp(format!("{address}:1").parse().expect("an address"))
    }

    fn limits(connections: usize, per_address: Option<usize>) -> Limits {
        Limits {
            connections,
            connections_per_address: per_address,
            ..Limits::default()
        }
    }

    /// Who comes in turn and stays, and whether there is a place.
    fn check(limits: &Limits, clients: &[(&Peer, Option<Refusal>)]) {
        let crowd = Arc::new(Crowd::default());
        let mut inside = Vec::new();
        for (at, (peer, refusal)) in clients.iter().enumerate() {
            match crowd.admit(peer, limits) {
                Admission::Place(place) => {
                    assert_eq!(*refusal, None, "client {at}");
                    inside.push(place);
                }
                Admission::TurnedAway(away) => {
                    assert_eq!(Some(away.refusal), *refusal, "client {at}")
                }
                Admission::Closed(_) => panic!("nobody is being turned away"),
            }
        }
        drop(inside);
        let counts = crowd.counts();
        assert_eq!((counts.clients, counts.turned_away), (0, 0));
        assert!(counts.by_address.is_empty());
    }

    #[test]
    fn addresses_count_by_host() {
        let (a, b) = (from("10.0.0.1"), from("10.0.0.2"));
        let mapped = from("[::ffff:10.0.0.1]");
        let (c, c2, d) = (
            from("[2001:db8::1]"),
            from("[2001:db8::2]"),
            from("[2001:db8:0:1::1]"),
        );
        let full = Some(Refusal::Address);
        check(
            &limits(100, Some(1)),
            &[
                (&a, None),
                (&a, full),
                (&mapped, full),
                (&b, None),
                (&c, None),
                (&c2, full),
                (&d, None),
            ],
        );
        let local = &Peer::Unix;
        check(&limits(100, Some(1)), &[(local, None), (local, None)]);
        check(&limits(100, Some(2)), &[(&a, None), (&a, None), (&a, full)]);
        check(&limits(100, None), &[(&a, None), (&a, None), (&a, None)]);
    }

    #[test]
    fn the_last_places_are_for_admins() {
        let crowd = Arc::new(Crowd::default());
        let limits = limits(1, None);
        let mut places = Vec::new();
        for at in 0..=ADMIN_PLACES {
            let Admission::Place(place) = crowd.admit(&Peer::Unix, &limits) else {
                panic!("there is a place {at}");
            };
            assert_eq!(place.is_for_admins(&limits), at > 0, "{at}");
            places.push(place);
        }
        let mut away = Vec::new();
        for _ in 0..TURNED_AWAY_MAX {
            let Admission::TurnedAway(turned_away) = crowd.admit(&Peer::Unix, &limits) else {
                panic!("it can be told");
            };
            away.push(turned_away);
        }
        assert!(matches!(
            crowd.admit(&Peer::Unix, &limits),
            Admission::Closed(Refusal::Total)
        ));
        away.clear();
        places.truncate(1);
        assert!(!places[0].is_for_admins(&limits));
        assert!(matches!(
            crowd.admit(&Peer::Unix, &limits),
            Admission::Place(_)
        ));
    }
}
