//! Rows of several lanes, each in the order of the same keys, become rows in that order.
//!
//! A lane is one shard's answer; its rows stay in the caller's buffers, which may move between calls. Per row
//! nothing is allocated, and keys are compared log2(lanes) times.
//!
//! ```text
//!            next() ──> Wait: some lane needs a row or its end
//!  deliver(lane, row), end(lane) ──> next() ──> Lane: its row is the next one ──> take(lane) ──> the lane needs a row
//!                                      └─────> End: all lanes have ended
//! ```
//!
//! Knows no connection and no client.

use std::cmp::Ordering;

use crate::types::order::{Malformed, SortKey};
use crate::wire::row::{RowError, RowPlaces};

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// A lane must deliver its row or end.
    Wait,
    /// The head row of this lane.
    Lane(usize),
    /// All lanes have ended.
    End,
}

/// A tournament of the lanes' head rows.
pub struct Merge {
    keys: Box<[SortKey]>,
    lanes: Box<[Lane]>,
    /// How many lanes are [`Head::Waiting`].
    waiting: usize,
    /// The winner below each node: the root is at 1, the children of `n` at `2n` and `2n + 1`; lanes would be the
    /// leaves, from `tree.len()` on.
    tree: Box<[Option<u32>]>,
    stale: Stale,
}

struct Lane {
    head: Head,
    places: RowPlaces,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Head {
    Waiting,
    Row,
    Ended,
}

/// What of the tree is to be played again.
#[derive(Clone, Copy)]
enum Stale {
    Nothing,
    Lane(usize),
    All,
}

impl Merge {
    /// For `lanes` lanes of rows of `columns` columns, which have those of all keys, with no row yet. Rows that compare equal come in the order of
    /// their lanes.
    pub fn new(keys: &[SortKey], columns: u16, lanes: usize) -> Self {
        let lane = |_| Lane {
            head: Head::Waiting,
            places: RowPlaces::new(columns),
        };
        Self {
            keys: keys.into(),
            lanes: (0..lanes).map(lane).collect(),
            waiting: lanes,
            tree: vec![None; lanes.next_power_of_two()].into(),
            stale: Stale::All,
        }
    }

    /// True where the lane must deliver a row or end before there is a next one.
    pub fn needs(&self, lane: usize) -> bool {
        self.lanes[lane].head == Head::Waiting
    }

    /// The lane's next row. The lane needs one.
    ///
    /// Errors: the frame is no such row.
    pub fn deliver(&mut self, lane: usize, frame: &[u8]) -> Result<(), RowError> {
        self.lanes[lane].places.read(frame)?;
        self.arrive(lane, Head::Row);
        Ok(())
    }

    /// The lane has no more rows. The lane needs one.
    pub fn end(&mut self, lane: usize) {
        self.arrive(lane, Head::Ended);
    }

    /// What comes next. `frame` gives the frame of a lane's head row, as it was delivered.
    ///
    /// Errors: a key is no value of its type; nothing can be merged any more.
    pub fn next<'a>(&mut self, frame: impl Fn(usize) -> &'a [u8]) -> Result<Next, Malformed> {
        if self.waiting > 0 {
            return Ok(Next::Wait);
        }
        match std::mem::replace(&mut self.stale, Stale::All) {
            Stale::Nothing => {}
            Stale::Lane(lane) => {
                let mut node = (self.tree.len() + lane) / 2;
                while node > 0 {
                    self.play(node, &frame)?;
                    node /= 2;
                }
            }
            Stale::All => {
                for node in (1..self.tree.len()).rev() {
                    self.play(node, &frame)?;
                }
            }
        }
        self.stale = Stale::Nothing;
        Ok(match self.winner(1) {
            Some(lane) => Next::Lane(lane as usize),
            None => Next::End,
        })
    }

    /// Where the values of the lane's head row lie.
    pub fn places(&self, lane: usize) -> &RowPlaces {
        &self.lanes[lane].places
    }

    /// The lane's head row has been used; its frame may go.
    pub fn take(&mut self, lane: usize) {
        self.lanes[lane].head = Head::Waiting;
        self.waiting += 1;
        self.stale = match self.stale {
            Stale::Nothing => Stale::Lane(lane),
            _ => Stale::All,
        };
    }

    fn arrive(&mut self, lane: usize, head: Head) {
        debug_assert!(self.needs(lane), "a lane holds one row at a time");
        self.lanes[lane].head = head;
        self.waiting -= 1;
    }

    fn winner(&self, node: usize) -> Option<u32> {
        match node.checked_sub(self.tree.len()) {
            None => self.tree[node],
            Some(leaf) => {
                let lane = self.lanes.get(leaf)?;
                (lane.head == Head::Row).then_some(leaf as u32)
            }
        }
    }

    fn play<'a>(
        &mut self,
        node: usize,
        frame: &impl Fn(usize) -> &'a [u8],
    ) -> Result<(), Malformed> {
        self.tree[node] = match (self.winner(2 * node), self.winner(2 * node + 1)) {
            (Some(left), Some(right)) => Some(match self.compare(left, right, frame)? {
                Ordering::Less | Ordering::Equal => left,
                Ordering::Greater => right,
            }),
            (left, right) => left.or(right),
        };
        Ok(())
    }

    fn compare<'a>(
        &self,
        left: u32,
        right: u32,
        frame: &impl Fn(usize) -> &'a [u8],
    ) -> Result<Ordering, Malformed> {
        let (left, right) = (left as usize, right as usize);
        let (of_left, of_right) = (frame(left), frame(right));
        for key in &self.keys {
            let ordering = key.compare(
                self.lanes[left].places.value(key.column, of_left),
                self.lanes[right].places.value(key.column, of_right),
            )?;
            if ordering.is_ne() {
                return Ok(ordering);
            }
        }
        Ok(Ordering::Equal)
    }
}

/// The keys of a row that has gone, for DISTINCT, WITH TIES and the end of a group. Keeping another row's allocates
/// only where they are longer than all before.
pub struct Previous {
    keys: Box<[SortKey]>,
    bytes: Vec<u8>,
    /// Where each key's value ends in `bytes`, and whether it is one; empty before the first row.
    ends: Vec<(usize, bool)>,
}

impl Previous {
    /// Of these keys; of no row yet.
    pub fn new(keys: &[SortKey]) -> Self {
        Self {
            keys: keys.into(),
            bytes: Vec::new(),
            ends: Vec::with_capacity(keys.len()),
        }
    }

    /// True where a row's keys equal those kept, by their types' order: NULL equals NULL, 1.0 equals 1.00. False
    /// before the first row, unless there are no keys.
    ///
    /// Errors: a key is no value of its type.
    pub fn is_like(&self, places: &RowPlaces, frame: &[u8]) -> Result<bool, Malformed> {
        if self.ends.len() != self.keys.len() {
            return Ok(false);
        }
        let mut start = 0;
        for (key, (end, is_value)) in self.keys.iter().zip(&self.ends) {
            let kept = is_value.then(|| &self.bytes[start..*end]);
            let ordering = key.compare(kept, places.value(key.column, frame))?;
            if ordering.is_ne() {
                return Ok(false);
            }
            start = *end;
        }
        Ok(true)
    }

    /// Keeps a row's keys instead.
    pub fn keep(&mut self, places: &RowPlaces, frame: &[u8]) {
        self.bytes.clear();
        self.ends.clear();
        for key in &self.keys {
            let value = places.value(key.column, frame);
            self.bytes.extend_from_slice(value.unwrap_or_default());
            self.ends.push((self.bytes.len(), value.is_some()));
        }
    }
}

#[cfg(test)]
mod tests;
