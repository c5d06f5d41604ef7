//! What servers say of a scattered statement: its columns, and how what is compared and merged is to be read. Asked
//! once for all plans that differ in the values of literals only, which are made anew where the catalogs have changed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use arc_swap::ArcSwapOption;

use super::FinishedType;
use crate::shardmap::ShardId;
use crate::types::aggregate::Aggregate;
use crate::types::order::SortKey;
use crate::types::translation::FIRST_USER_OID;
use crate::types::{Format, Oid};
use crate::wire::Description;

/// What is known so far; its clones are told the same. Not part of the plan as data: plans are equal whatever was learned.
#[derive(Clone, Debug, Default)]
pub struct Learned(Arc<ArcSwapOption<Known>>);

/// The answer to the question whether and how the shards' answers can be merged.
#[derive(Debug)]
pub enum Known {
    Mergeable(Arc<Facts>),
    /// Not exactly: for this reason.
    Unmergeable(String),
}

/// The columns of a scattered statement.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The client's.
    pub description: Description,
    /// Types of the parameters, as the client knows them.
    pub parameters: Box<[Oid]>,
    /// Types of a shard's columns; of groups those of their expressions, the rest is a matter of formats.
    pub types: Box<[Oid]>,
    pub merged: Merged,
    /// Columns of texts among what is compared.
    pub texts: Box<[usize]>,
    /// These shards have said that those come in the order of their bytes where that matters.
    pub asked: Vec<ShardId>,
    /// Of what a server finishes.
    pub finish: Option<Finishing>,
}

/// The query over merged rows, but for its text, which has a statement's literals.
#[derive(Clone, Debug)]
pub struct Finishing {
    /// Of the merged columns, in words.
    pub types: Box<[FinishedType]>,
    /// What the client's columns are called.
    pub labels: Box<[String]>,
    /// Types of the client's parameters.
    pub params: Box<[Oid]>,
    /// Types of the merged columns, each of which is a parameter behind those, as an array.
    pub columns: Box<[Oid]>,
    /// Keys that shards have to give in the order of their bytes, because they would use a language's.
    pub by_bytes: Box<[usize]>,
    /// By which rules the texts of [`Facts::texts`] are ordered, where each shard orders and limits rows by them.
    pub rules: Option<Box<[String]>>,
    pub pause: Pause,
}

/// Where there was too much to finish there may be too much the next time, too: then it is not asked for, for a while.
#[derive(Clone, Debug, Default)]
pub struct Pause(Arc<AtomicU32>);

impl Pause {
    /// So many statements are answered otherwise.
    const STATEMENTS: u32 = 63;

    pub fn begin(&self) {
        self.0.store(Self::STATEMENTS, Ordering::Relaxed);
    }

    /// One statement more; true where it is no pause any longer.
    pub fn is_over(&self) -> bool {
        let less = |left: u32| left.checked_sub(1);
        let before = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        before.is_err()
    }
}

/// What is compared and merged.
#[derive(Clone, Debug)]
pub enum Merged {
    /// Columns of [`super::Rows::order`].
    Rows(Box<[SortKey]>),
    /// Of [`super::Groups::keys`] and [`super::Groups::aggregates`].
    Groups {
        keys: Box<[SortKey]>,
        aggregates: Box<[Aggregate]>,
    },
    /// Nothing: rows of tables come as they are.
    Tables,
}

impl Facts {
    /// Arrays and composites of what users define have OIDs in their binary form, and each server its own.
    pub fn has_user_types_in_binary(&self, formats: &[Format]) -> bool {
        let binary = |at: usize| match formats {
            [all] => *all == Format::Binary,
            each => each.get(at) == Some(&Format::Binary),
        };
        let mut types = self.description.types().enumerate();
        let is_own =
            |oid: Oid| oid.0 >= FIRST_USER_OID || RECORDS.contains(&oid) || oid.is_of_one_server();
        types.any(|(at, oid)| is_own(oid) && binary(at))
    }

    /// Floats that no server prints are among the client's columns.
    pub fn shows_floats(&self) -> bool {
        let is_float = |aggregate: &Aggregate| [FLOAT4, FLOAT8].contains(&aggregate.result());
        match &self.merged {
            _ if self.finish.is_some() => false,
            Merged::Rows(_) | Merged::Tables => false,
            Merged::Groups { aggregates, .. } => aggregates.iter().any(is_float),
        }
    }
}

/// Of no named type, whose columns may have one of a user's.
const RECORDS: [Oid; 2] = [Oid(2249), Oid(2287)];

const FLOAT4: Oid = Oid(700);
const FLOAT8: Oid = Oid(701);

impl Learned {
    pub fn get(&self) -> Option<Arc<Known>> {
        self.0.load_full()
    }

    pub fn set(&self, known: Known) {
        self.0.store(Some(Arc::new(known)));
    }

    /// It was not so.
    pub fn forget(&self) {
        self.0.store(None);
    }
}

impl PartialEq for Learned {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_ends() {
        let pause = Pause::default();
        assert!(pause.is_over() && pause.is_over());
        pause.begin();
        let paused = (0..Pause::STATEMENTS).filter(|_| !pause.is_over()).count();
        assert_eq!(paused as u32, Pause::STATEMENTS);
        assert!(pause.is_over());
    }
}
