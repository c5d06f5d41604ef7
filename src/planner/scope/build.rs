//! A FROM list becomes leaves and join trees.

use std::ops::Range;

use super::{Exposed, Leaf, Sharded, Walker};
use crate::error::PgError;
use crate::planner::names::Relation;
use crate::shardmap::TableKind;
use crate::sql::tree::{self, From, JoinKind, Query};

/// One scope's FROM list.
pub(super) struct Scope<'q> {
    pub(super) first: usize,
    pub(super) trees: Vec<Tree<'q>>,
    /// Queries within the FROM list, and what they see.
    pub(super) inner: Vec<(&'q Query, Sight)>,
}

/// What a query within a FROM list sees of the list.
pub(super) enum Sight {
    Outer,
    Leaves(Range<usize>),
}

pub(super) enum Tree<'q> {
    Leaf(usize),
    Join(Box<Joined<'q>>),
}

pub(super) struct Joined<'q> {
    pub(super) left: Tree<'q>,
    pub(super) right: Tree<'q>,
    pub(super) kind: JoinKind,
    pub(super) source: &'q tree::Join,
    pub(super) leaves: Range<usize>,
    /// What ON and USING say, once names are resolved.
    pub(super) on: Vec<super::tie::Tie>,
}

impl Tree<'_> {
    pub(super) fn leaves(&self) -> Range<usize> {
        match self {
            Self::Leaf(leaf) => *leaf..leaf + 1,
            Self::Join(join) => join.leaves.clone(),
        }
    }
}

impl<'a> Walker<'a> {
    pub(super) fn build<'q>(
        &mut self,
        from: &'q From,
        scope: &mut Scope<'q>,
    ) -> Result<Tree<'q>, PgError> {
        let start = self.leaves.len();
        let alias = match from {
            From::Table(table) => {
                let leaf = self.table_leaf(table)?;
                self.push_leaf(leaf)?;
                return Ok(Tree::Leaf(start));
            }
            From::Derived {
                lateral,
                alias,
                query,
                ..
            } => {
                scope.inner.push((
                    query,
                    if *lateral {
                        Sight::Leaves(scope.first..start)
                    } else {
                        Sight::Outer
                    },
                ));
                alias
            }
            From::Function {
                call: Some(call), ..
            } => return Err(super::called(&call.name)),
            From::Function {
                alias, subqueries, ..
            } => {
                scope.inner.extend(
                    subqueries
                        .iter()
                        .map(|query| (query, Sight::Leaves(scope.first..start))),
                );
                alias
            }
            From::Join(join) => {
                let left = self.build(&join.left, scope)?;
                let right = self.build(&join.right, scope)?;
                let leaves = start..self.leaves.len();
                scope.inner.extend(
                    join.subqueries
                        .iter()
                        .map(|query| (query, Sight::Leaves(leaves.clone()))),
                );
                let kind = join.kind;
                return Ok(Tree::Join(Box::new(Joined {
                    left,
                    right,
                    kind,
                    source: join,
                    leaves,
                    on: Vec::new(),
                })));
            }
        };
        let exposed = alias.clone().map(|name| Exposed { schema: None, name });
        self.push_leaf(Leaf {
            exposed,
            sharded: None,
            reference: false,
            sources: Vec::new(),
        })?;
        Ok(Tree::Leaf(start))
    }

    fn table_leaf(&mut self, table: &tree::Table) -> Result<Leaf<'a>, PgError> {
        let relation = self.relation(&table.name, table.target)?;
        let schema = match &relation {
            Some(Relation::Listed { table, .. }) => Some(table.schema.clone()),
            _ => table.name.schema.clone(),
        };
        let exposed = match &table.alias {
            Some(alias) => Exposed {
                schema: None,
                name: alias.clone(),
            },
            None => Exposed {
                schema,
                name: table.name.name.clone(),
            },
        };
        let mut leaf = Leaf {
            exposed: Some(exposed),
            sharded: None,
            reference: false,
            sources: Vec::new(),
        };
        match relation {
            Some(Relation::Listed {
                table: name,
                kind: TableKind::Sharded { keyspace, columns },
            }) => {
                let key_type = self.names.map.keyspace(*keyspace).key.columns[0].key_type;
                leaf.sharded = Some(Sharded {
                    table: name,
                    keyspace: *keyspace,
                    key_type,
                    column: &columns[0],
                    renamed: !table.columns.is_empty(),
                });
            }
            Some(Relation::Listed {
                table: name,
                kind: TableKind::Reference,
            }) => {
                if table.target {
                    return Err(super::insert::reference_write(name));
                }
                leaf.reference = true;
                self.found.reference.insert(name);
            }
            _ => {}
        }
        Ok(leaf)
    }
}
