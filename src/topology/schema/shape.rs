//! What each relation of one shard's catalog is to the planner: a table of the map, a part of one, a view, or
//! something that is not looked into. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::catalog::{Catalog, Relation};
use crate::shardmap::{ShardMap, TableName};

/// What a relation is on one shard, before its query is read.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Shape<'a> {
    Listed,
    /// A partition or child of this listed table alone.
    PartOf(&'a TableName),
    /// With its text.
    View(&'a str),
    /// With the reason.
    Opaque(String),
}

pub(super) fn shapes<'a>(
    map: &ShardMap,
    catalog: &'a Catalog,
) -> BTreeMap<&'a TableName, Shape<'a>> {
    let mut tree = Tree {
        map,
        relations: &catalog.reached.relations,
        wholes: BTreeMap::new(),
    };
    let mixed = tree.mixed();
    let shape = |(name, relation): (&'a TableName, &'a Relation)| {
        let shape = match mixed.get(name) {
            Some(reason) => Shape::Opaque(reason.clone()),
            None => tree.shape(name, relation),
        };
        (name, shape)
    };
    catalog.reached.relations.iter().map(shape).collect()
}

struct Tree<'m, 'a> {
    map: &'m ShardMap,
    relations: &'a BTreeMap<TableName, Relation>,
    /// What [`Self::whole`] has found.
    wholes: BTreeMap<&'a TableName, Option<&'a TableName>>,
}

impl<'a> Tree<'_, 'a> {
    fn shape(&mut self, name: &'a TableName, relation: &'a Relation) -> Shape<'a> {
        let opaque = |reason: &str| Shape::Opaque(reason.to_owned());
        let listed = self.map.tables.contains_key(name);
        match relation.kind {
            'r' | 'p' if relation.has_rules => opaque("it has rewrite rules"),
            'r' | 'p' if listed => Shape::Listed,
            'r' | 'p' => match self.whole(name, 0) {
                Some(whole) => Shape::PartOf(whole),
                None => {
                    opaque("a table of the shard map inherits from it, or it from several tables")
                }
            },
            'm' => opaque("it is a materialized view"),
            'f' => opaque("it is a foreign table"),
            _ if listed => opaque("it is a view, not a table"),
            _ if relation.has_rules => opaque("it is a view with rewrite rules"),
            _ => match &relation.definition {
                Some(text) => Shape::View(text),
                None => opaque("it is a view whose query the server does not show"),
            },
        }
    }

    /// The listed table that all of a child's rows are part of.
    fn whole(&mut self, name: &'a TableName, depth: usize) -> Option<&'a TableName> {
        if let Some(found) = self.wholes.get(name) {
            return *found;
        }
        let parents = self.relations.get(name).map(|relation| &relation.parents);
        let mut found = None;
        for parent in parents.into_iter().flatten() {
            let whole = if self.map.tables.contains_key(parent) {
                Some(parent)
            } else if depth < INHERITANCE_DEPTH_MAX {
                self.whole(parent, depth + 1)
            } else {
                None
            };
            if whole.is_none() || found.is_some_and(|found| Some(found) != whole) {
                found = None;
                break;
            }
            found = whole;
        }
        self.wholes.insert(name, found);
        found
    }

    /// Listed tables that hold what is not theirs: a partition that is a foreign table, or that is itself listed
    /// as something else.
    fn mixed(&self) -> BTreeMap<&'a TableName, String> {
        let mut mixed = BTreeMap::new();
        for (name, relation) in self.relations {
            let own = self.map.tables.get(name);
            if relation.kind != 'f' && own.is_none() {
                continue;
            }
            for ancestor in self.ancestors(relation) {
                let Some(kind) = self.map.tables.get(ancestor) else {
                    continue;
                };
                if relation.kind == 'f' {
                    mixed.insert(ancestor, format!("its child {name} is a foreign table"));
                } else if own != Some(kind) {
                    mixed.insert(
                        ancestor,
                        format!("its child {name} is listed as another kind of table"),
                    );
                    mixed.insert(
                        name,
                        format!("its parent {ancestor} is listed as another kind of table"),
                    );
                }
            }
        }
        mixed
    }

    fn ancestors(&self, relation: &'a Relation) -> BTreeSet<&'a TableName> {
        let mut seen = BTreeSet::new();
        let mut next: Vec<&TableName> = relation.parents.iter().collect();
        while let Some(name) = next.pop() {
            if seen.insert(name) {
                let relation = self.relations.get(name);
                next.extend(relation.into_iter().flat_map(|relation| &relation.parents));
            }
        }
        seen
    }
}

/// Deeper children are not looked into.
const INHERITANCE_DEPTH_MAX: usize = 64;
