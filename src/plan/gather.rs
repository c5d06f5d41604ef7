//! What a statement over rows of several shards needs brought together before it runs.

use std::collections::BTreeSet;

use super::{Destination, KeyTarget, Scatter, Values};
use crate::error::PgError;
use crate::shardmap::{ShardId, ShardMap, TableName};

/// The tables of a statement that one shard alone cannot answer. Their rows are copied into temporary tables of the
/// same names on the shard where it runs; there the client's own text means those.
#[derive(Clone, Debug, PartialEq)]
pub struct Gather {
    /// Each table once, in the order of their names.
    pub pieces: Vec<Piece>,
    /// Views over them, each behind those it reads.
    pub views: Vec<TableName>,
    /// It declares a cursor: what was gathered is read after the statement has ended.
    pub lasting: bool,
    /// How it is answered while its tables' rows are few: they travel as arrays. Its shards are those of the pieces, which
    /// all have the same ones then.
    pub arrays: Option<Box<Scatter>>,
}

/// The rows of one sharded table that can matter.
#[derive(Clone, Debug, PartialEq)]
pub struct Piece {
    pub table: TableName,
    /// What all its uses in the statement are tied to; without relations nothing is known.
    pub keys: KeyTarget,
    pub columns: Columns,
    /// Conditions of the statement's WHERE may be about its rows.
    pub called: Option<Called>,
    /// Rows that matter have, in these columns, values of other pieces.
    pub joined: Vec<Joined>,
}

/// In each row that passes WHERE a column equals another table's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined {
    pub column: String,
    pub table: TableName,
    pub other: String,
    /// Of an array of the other's values, in SQL.
    pub array: &'static str,
}

/// Of a table's columns those that the statement can read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Columns {
    pub used: Vec<String>,
    /// Those that are not needed; none where all are.
    pub others: Vec<String>,
}

/// A table in the FROM list of a statement of one block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Called {
    /// By its alias or its own name.
    pub name: String,
    /// Nothing else is in that list.
    pub alone: bool,
}

/// A [`Piece`] once its keys are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub table: TableName,
    /// Those that may have rows of it, in the shard map's order.
    pub shards: Vec<ShardId>,
    pub columns: Columns,
    pub called: Option<Called>,
    pub joined: Vec<Joined>,
}

/// A [`Gather`] once its keys are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gathering {
    /// Where the statement has to run; `None` for any shard.
    pub at: Option<ShardId>,
    pub pieces: Vec<Part>,
    pub views: Vec<TableName>,
    pub lasting: bool,
}

impl Gather {
    /// Where the statement runs: the only shard whose rows can matter, or after gathering, `at` this one.
    pub(super) fn destination(
        &self,
        at: Option<ShardId>,
        map: &ShardMap,
        values: Values<'_>,
    ) -> Result<Destination, PgError> {
        let piece = |piece: &Piece| {
            Ok(Part {
                table: piece.table.clone(),
                shards: piece.shards(map, values)?,
                columns: piece.columns.clone(),
                called: piece.called.clone(),
                joined: piece.joined.clone(),
            })
        };
        let pieces: Result<_, PgError> = self.pieces.iter().map(piece).collect();
        let gathering = Gathering {
            at,
            pieces: pieces?,
            views: self.views.clone(),
            lasting: self.lasting,
        };
        Ok(match gathering.only_shard() {
            Some(shard) => Destination::Shard(shard),
            None => Destination::Gather(Box::new(gathering)),
        })
    }
}

impl Piece {
    /// Errors: the keyspace's directory has not been read yet; more keys than are looked at.
    fn shards(&self, map: &ShardMap, values: Values<'_>) -> Result<Vec<ShardId>, PgError> {
        self.keys.check_ready(map)?;
        let placement = &map.keyspace(self.keys.keyspace).placement;
        let all = || {
            let logical = map.reachable(self.keys.keyspace, &[]).into_iter();
            logical.map(|logical| placement.shard(logical)).collect()
        };
        let mut shards: BTreeSet<ShardId> = BTreeSet::new();
        for relation in &self.keys.relations {
            match self.keys.locate(relation, map, values) {
                Ok(located) => {
                    let places = located.iter().flat_map(|located| &located.places);
                    shards.extend(places.map(|(_, shard)| *shard));
                }
                // A value that cannot be read says nothing.
                Err(_) => return Ok(Vec::from_iter::<BTreeSet<ShardId>>(all())),
            }
        }
        if self.keys.relations.is_empty() {
            shards = all();
        }
        Ok(shards.into_iter().collect())
    }
}

impl Gathering {
    /// The only shard whose rows can matter, where it may run there.
    fn only_shard(&self) -> Option<ShardId> {
        let mut shards = self.pieces.iter().flat_map(|part| &part.shards);
        let first = *shards.next()?;
        (shards.all(|shard| *shard == first) && self.at.is_none_or(|at| at == first))
            .then_some(first)
    }

    /// The shards that may have rows of each table, where these are the same ones.
    pub fn common_shards(&self) -> Option<&[ShardId]> {
        let (first, others) = self.pieces.split_first()?;
        let same = |part: &Part| part.shards == first.shards;
        others.iter().all(same).then_some(&first.shards)
    }

    /// Every shard that has something to give, in the shard map's order.
    pub fn shards(&self) -> BTreeSet<ShardId> {
        let shards = self.pieces.iter().flat_map(|part| &part.shards);
        shards.copied().collect()
    }
}
