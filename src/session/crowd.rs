//! How many clients there are, in all and from each address, and who is let in.
//!
//! Counted from the moment a connection is accepted, before it has said who it is. Beyond
//! `limits.connections` there are a few places for admins who come to look why the proxy is full: whoever
//! takes one must turn out to be one.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::config::Limits;
use crate::error::{PgError, SqlState};
use crate::net::Peer;

/// Places beyond `limits.connections`, for the admin console only.
pub const ADMIN_PLACES: usize = 3;

/// Of these, for one address: whoever fills the proxy cannot have them all.
const ADMIN_PLACES_OF_ADDRESS: usize = 1;

/// Connections that are being told that there is no place for them; more are closed without a word.
const TURNED_AWAY_MAX: usize = 64;

/// Of these, for one address: its crowd leaves room for the cancel requests of others.
const TURNED_AWAY_OF_ADDRESS_MAX: usize = 4;

/// Everybody who is connected.
#[derive(Debug, Default)]
pub struct Crowd {
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    clients: usize,
    turned_away: usize,
    by_address: HashMap<Origin, OfAddress>,
}

/// What comes from one address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct OfAddress {
    clients: usize,
    /// Those among them who have a place beyond `limits.connections`.
    beyond: usize,
    turned_away: usize,
}

/// What counts as one address: an IPv4 address, the /64 an IPv6 host has to itself, or all Unix sockets, which
/// are on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Origin {
    Local,
    Network(IpAddr),
}

/// A client's place, given back when it is dropped.
#[derive(Debug)]
pub struct Place {
    crowd: Arc<Crowd>,
    origin: Origin,
    /// Beyond `limits.connections` when it was given.
    beyond: bool,
}

/// A client for whom there is no place, while it is told.
#[derive(Debug)]
pub struct TurnedAway {
    crowd: Arc<Crowd>,
    origin: Origin,
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
        let (crowd, origin) = (Arc::clone(self), origin(peer));
        let mut counts = self.counts();
        let Some(refusal) = counts.refusal(origin, limits) else {
            let beyond = counts.clients >= limits.connections;
            counts.clients += 1;
            let there = counts.by_address.entry(origin).or_default();
            there.clients += 1;
            there.beyond += usize::from(beyond);
            return Admission::Place(Place {
                crowd,
                origin,
                beyond,
            });
        };
        let turned_away = counts.of(origin).turned_away;
        if counts.turned_away >= TURNED_AWAY_MAX || turned_away >= TURNED_AWAY_OF_ADDRESS_MAX {
            return Admission::Closed(refusal);
        }
        counts.turned_away += 1;
        counts.by_address.entry(origin).or_default().turned_away += 1;
        Admission::TurnedAway(TurnedAway {
            crowd,
            origin,
            refusal,
        })
    }
}

impl Counts {
    fn of(&self, origin: Origin) -> OfAddress {
        self.by_address.get(&origin).copied().unwrap_or_default()
    }

    /// Why there is no place for one more, if there is none.
    fn refusal(&self, origin: Origin, limits: &Limits) -> Option<Refusal> {
        let there = self.of(origin);
        let full = match self.clients.checked_sub(limits.connections) {
            Some(beyond) => beyond >= ADMIN_PLACES || there.beyond >= ADMIN_PLACES_OF_ADDRESS,
            None => false,
        };
        if full {
            return Some(Refusal::Total);
        }
        let limit = limits.connections_per_address?;
        let crowded = matches!(origin, Origin::Network(_)) && there.clients >= limit;
        crowded.then_some(Refusal::Address)
    }

    /// Forgets something of an address, and the address with the last of it.
    fn leave(&mut self, origin: Origin, change: impl FnOnce(&mut OfAddress)) {
        if let Entry::Occupied(mut there) = self.by_address.entry(origin) {
            change(there.get_mut());
            if *there.get() == OfAddress::default() {
                there.remove();
            }
        }
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
        counts.leave(self.origin, |there| {
            there.clients -= 1;
            there.beyond -= usize::from(self.beyond);
        });
    }
}

impl Drop for TurnedAway {
    fn drop(&mut self) {
        let mut counts = self.crowd.counts();
        counts.turned_away -= 1;
        counts.leave(self.origin, |there| there.turned_away -= 1);
    }
}

fn origin(peer: &Peer) -> Origin {
    let Peer::Tcp(address) = peer else {
        return Origin::Local;
    };
    Origin::Network(match address.ip().to_canonical() {
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
    fn the_last_places_are_for_admins_one_for_each_address() {
        let crowd = Arc::new(Crowd::default());
        let limits = limits(1, None);
        let (a, b, c) = (from("10.0.0.1"), from("10.0.0.2"), from("[2001:db8::1]"));
        let mut places = Vec::new();
        for peer in [&a, &a, &Peer::Unix, &b] {
            let Admission::Place(place) = crowd.admit(peer, &limits) else {
                panic!("there is a place for {peer:?}");
            };
            assert_eq!(place.is_for_admins(&limits), !places.is_empty());
            places.push(place);
            if places.len() > 1 {
                let again = crowd.admit(peer, &limits);
                assert!(matches!(again, Admission::TurnedAway(_)), "{again:?}");
            }
        }
        assert!(matches!(crowd.admit(&c, &limits), Admission::TurnedAway(_)));
        places.truncate(1);
        assert!(!places[0].is_for_admins(&limits));
        assert!(matches!(crowd.admit(&b, &limits), Admission::Place(_)));
    }

    #[test]
    fn an_address_leaves_others_room_to_be_told() {
        let crowd = Arc::new(Crowd::default());
        let limits = limits(0, None);
        crowd.counts().clients = ADMIN_PLACES;
        let is_told = |peer: &Peer| match crowd.admit(peer, &limits) {
            Admission::TurnedAway(away) => Some(away),
            Admission::Closed(Refusal::Total) => None,
            other => panic!("{other:?}"),
        };
        let mut away = Vec::new();
        for host in 0.. {
            let peer = match host {
                0 => Peer::Unix,
                host => from(&format!("[2001:db8:0:{host:x}::1]")),
            };
            let told: Vec<_> = (0..=TURNED_AWAY_OF_ADDRESS_MAX)
                .map_while(|_| is_told(&peer))
                .collect();
            if told.is_empty() {
                break;
            }
            assert_eq!(told.len(), TURNED_AWAY_OF_ADDRESS_MAX);
            away.extend(told);
        }
        assert_eq!(away.len(), TURNED_AWAY_MAX);
        away.clear();
        assert!(crowd.counts().by_address.is_empty());
        assert!(is_told(&Peer::Unix).is_some());
    }
}
