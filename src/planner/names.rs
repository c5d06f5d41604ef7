//! Which table a name means: schemas, `search_path`, and the names behind which sharded tables hide.

use std::collections::HashSet;

use super::{Context, RelationKind};
use crate::error::PgError;
use crate::shardmap::{ShardMap, TableKind, TableName};
use crate::sql::Token;
use crate::sql::tree::Name;

/// What a relation name stands for.
#[derive(Clone, Debug)]
pub(super) enum Relation<'a> {
    Listed {
        table: &'a TableName,
        kind: &'a TableKind,
    },
    /// `pg_catalog` or `information_schema`.
    Catalog,
    /// Not in the map: on the default shard.
    Unlisted,
}

/// The names of one planning context.
pub(super) struct Names<'a> {
    pub(super) map: &'a ShardMap,
    context: &'a Context<'a>,
    /// Names, without schema, that listed or opaque relations have.
    known: HashSet<&'a str>,
}

impl<'a> Names<'a> {
    pub(super) fn new(context: &'a Context<'a>) -> Self {
        let listed = context.map.tables.keys();
        let known = listed
            .chain(context.schema.relations.keys())
            .map(|table| table.name.as_str())
            .collect();
        Self {
            map: context.map,
            context,
            known,
        }
    }

    /// True where a listed or opaque relation has this name in some schema.
    pub(super) fn is_known(&self, name: &str) -> bool {
        self.known.contains(name)
    }

    /// The first listed or opaque name among the identifiers.
    pub(super) fn mentioned<'t>(&self, tokens: &'t [Token<'_>]) -> Option<&'t str> {
        tokens
            .iter()
            .find(|token| token.is_name() && self.is_known(&token.value))
            .map(|token| &*token.value)
    }

    /// A listed or opaque name among the words of a string, whatever language it is in.
    pub(super) fn known_within(&self, text: &str) -> Option<&'a str> {
        let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '$' || !c.is_ascii();
        let mut words = text
            .split(|c: char| !is_part(c))
            .filter(|word| !word.is_empty());
        words.find_map(|word| {
            let folded = word.to_ascii_lowercase();
            self.known
                .get(folded.as_str())
                .or_else(|| self.known.get(word))
                .copied()
        })
    }

    pub(super) fn resolve(&self, name: &Name) -> Result<Relation<'a>, PgError> {
        match &name.schema {
            Some(schema) => self.qualified(schema, &name.name),
            None => self.unqualified(&name.name),
        }
    }

    fn qualified(&self, schema: &str, name: &str) -> Result<Relation<'a>, PgError> {
        if matches!(schema, "pg_catalog" | "information_schema") {
            return Ok(Relation::Catalog);
        }
        if schema.starts_with("pg_temp") {
            return Err(PgError::refusal(
                format!("temporary table \"{name}\" is not supported"),
                "a temporary table belongs to one server connection; use an ordinary table",
            ));
        }
        let wanted = TableName {
            schema: schema.to_owned(),
            name: name.to_owned(),
        };
        let relation = self.context.schema.relations.get(&wanted);
        if relation.is_some_and(|relation| !matches!(relation.kind, RelationKind::Listed)) {
            return Err(opaque(&wanted));
        }
        Ok(match self.map.tables.get_key_value(&wanted) {
            Some((table, kind)) => Relation::Listed { table, kind },
            None => Relation::Unlisted,
        })
    }

    /// The first schema of the path that has the name decides. Only the map knows what is listed, nobody
    /// here knows what else a schema holds: a schema before the deciding one might hide it.
    fn unqualified(&self, name: &str) -> Result<Relation<'a>, PgError> {
        if !self.is_known(name) {
            return Ok(if name.starts_with("pg_") {
                Relation::Catalog
            } else {
                Relation::Unlisted
            });
        }
        let default = ["public".to_owned()];
        let path = self.context.search_path.unwrap_or(&default);
        let mut earlier: Option<&str> = None;
        for schema in path
            .iter()
            .filter(|schema| !matches!(schema.as_str(), "$user" | "pg_catalog"))
        {
            let found = self.qualified(schema, name)?;
            if matches!(found, Relation::Listed { .. }) {
                return match earlier {
                    None => Ok(found),
                    Some(earlier) => Err(PgError::refusal(
                        format!(
                            "\"{name}\" may mean a table of schema {earlier}, or {schema}.{name}, which is in the shard map"
                        ),
                        format!("write {schema}.{name}"),
                    )),
                };
            }
            earlier = earlier.or(Some(schema));
        }
        Ok(Relation::Unlisted)
    }

    /// Operators and types of `pg_catalog` mean what they say only where no schema comes before it.
    pub(super) fn check_path(&self) -> Result<(), PgError> {
        let path = self.context.search_path.unwrap_or_default();
        match path.iter().position(|schema| schema == "pg_catalog") {
            None | Some(0) => Ok(()),
            Some(_) => Err(PgError::refusal(
                "a search_path with a schema before pg_catalog is not supported: it may redefine =",
                "leave pg_catalog out of search_path",
            )),
        }
    }
}

fn opaque(table: &TableName) -> PgError {
    PgError::refusal(
        format!("{table} is a view, partition or the like over tables of the shard map"),
        "query the tables themselves",
    )
}
