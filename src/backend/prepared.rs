//! Which prepared statements a server connection holds.

use std::io::Write;
use std::num::NonZeroUsize;

use lru::LruCache;

/// Number of a statement in the proxy's global store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StatementId(pub u64);

const NAME_BYTES_MAX: usize = "trunkline_".len() + 20;

impl StatementId {
    /// What the statement is called on server connections; NUL left out.
    pub fn name(self) -> Vec<u8> {
        // In one piece: a Parse of a new text makes one each time.
        let mut name = Vec::with_capacity(NAME_BYTES_MAX);
        name.extend_from_slice(b"trunkline_");
        // Writing to memory does not fail.
        let _ = write!(name, "{}", self.0);
        name
    }
}

/// The statements prepared on one connection, least recently used first out.
pub struct Prepared {
    /// What the unnamed statement is, if it is one of the global store's.
    pub unnamed: Option<StatementId>,
    named: LruCache<StatementId, ()>,
}

impl Prepared {
    /// Room for `limit` named statements, one at least.
    pub fn new(limit: usize) -> Self {
        let limit = NonZeroUsize::new(limit).unwrap_or(NonZeroUsize::MIN);
        // Unbounded inside, since a bounded `LruCache` allocates its whole room on every connection.
        let mut named = LruCache::unbounded();
        named.resize(limit);
        Self {
            unnamed: None,
            named,
        }
    }

    /// True if the connection holds the statement, which then counts as used.
    pub fn contains_and_touch(&mut self, id: StatementId) -> bool {
        self.named.get(&id).is_some()
    }

    /// Notes a statement as prepared. Gives the one that has to make room: the caller sends its Close.
    pub fn insert(&mut self, id: StatementId) -> Option<StatementId> {
        match self.named.push(id, ()) {
            Some((evicted, ())) if evicted != id => Some(evicted),
            _ => None,
        }
    }

    /// Forgets a statement whose Parse failed or that was closed.
    pub fn remove(&mut self, id: StatementId) {
        self.named.pop(&id);
        if self.unnamed == Some(id) {
            self.unnamed = None;
        }
    }

    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.named.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn least_recently_used_makes_room() {
        let mut prepared = Prepared::new(2);
        assert_eq!(prepared.insert(StatementId(1)), None);
        assert_eq!(prepared.insert(StatementId(2)), None);
        assert_eq!(prepared.insert(StatementId(2)), None);
        assert!(prepared.contains_and_touch(StatementId(1)));
        assert_eq!(prepared.insert(StatementId(3)), Some(StatementId(2)));
        assert!(!prepared.contains_and_touch(StatementId(2)));
        prepared.remove(StatementId(1));
        assert_eq!(prepared.insert(StatementId(4)), None);
        prepared.unnamed = Some(StatementId(9));
        prepared.remove(StatementId(9));
        prepared.remove(StatementId(3));
        prepared.remove(StatementId(4));
        assert!(prepared.is_empty() && prepared.unnamed.is_none());
    }
}
