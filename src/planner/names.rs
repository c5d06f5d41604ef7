//! Which table a name means: schemas, `search_path`, and the names behind which sharded tables hide.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::schema::{Column, Function, SqlFunction};
use super::{Context, RelationKind};
use crate::error::PgError;
use crate::shardmap::{ShardMap, TableKind, TableName};
use crate::sql::Token;
use crate::sql::tree::{Name, Query};

/// What a relation name stands for.
#[derive(Clone, Debug)]
pub(super) enum Relation<'a> {
    /// A table of the map; or a partition or inheritance child of one, under its own name and of its
    /// ancestor's kind.
    Listed {
        table: &'a TableName,
        kind: &'a TableKind,
    },
    /// A view. Names in its query have their schemas; those without one are of `pg_catalog`
    /// ([`Names::resolve_in`] with an empty path).
    View {
        view: &'a TableName,
        query: &'a Arc<Query>,
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
    /// Names, without schema, that listed tables and relations of the schema have; `None` where the schema has
    /// collected them.
    known: Option<HashSet<&'a str>>,
    /// Functions in SQL by their names without schema, once they are asked for.
    functions: OnceCell<HashMap<&'a str, (&'a TableName, &'a SqlFunction)>>,
}

impl<'a> Names<'a> {
    pub(super) fn new(context: &'a Context<'a>) -> Self {
        let known = context.schema.names.is_empty().then(|| {
            let listed = context.map.tables.keys();
            let all = listed.chain(context.schema.relations.keys());
            all.map(|table| table.name.as_str()).collect()
        });
        Self {
            map: context.map,
            context,
            known,
            functions: OnceCell::new(),
        }
    }

    /// True where a listed table, or a relation that may reach one, has this name in some schema.
    pub(super) fn is_known(&self, name: &str) -> bool {
        self.known_as(name).is_some()
    }

    fn known_as(&self, name: &str) -> Option<&'a str> {
        match &self.known {
            Some(known) => known.get(name).copied(),
            None => self.context.schema.names.get(name).map(String::as_str),
        }
    }

    /// The first such name among the identifiers.
    pub(super) fn mentioned<'t>(&self, tokens: &'t [Token<'_>]) -> Option<&'t str> {
        tokens
            .iter()
            .find(|token| token.is_name() && self.is_known(&token.value))
            .map(|token| &*token.value)
    }

    /// Such a name among the words of a string, whatever language it is in.
    pub(super) fn known_within(&self, text: &str) -> Option<&'a str> {
        let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '$' || !c.is_ascii();
        let mut words = text
            .split(|c: char| !is_part(c))
            .filter(|word| !word.is_empty());
        words.find_map(|word| {
            let folded = word.to_ascii_lowercase();
            self.known_as(&folded).or_else(|| self.known_as(word))
        })
    }

    /// What a name means to the session.
    ///
    /// Errors: what stands behind it is not known, or which of several relations it is.
    pub(super) fn resolve(&self, name: &Name) -> Result<Relation<'a>, PgError> {
        self.resolve_in(name, None)
    }

    /// What a name means where `search_path` is this one; `None` for the session's. In the query of a view
    /// it is empty, in the body of a function it is the function's.
    pub(super) fn resolve_in(
        &self,
        name: &Name,
        path: Option<&[String]>,
    ) -> Result<Relation<'a>, PgError> {
        if let Some(schema) = &name.schema {
            return self.qualified(schema, &name.name);
        }
        let name = &name.name;
        if !self.is_known(name) {
            return Ok(if name.starts_with("pg_") {
                Relation::Catalog
            } else {
                Relation::Unlisted
            });
        }
        let default = ["$user".to_owned(), "public".to_owned()];
        let path = path.or(self.context.search_path).unwrap_or(&default);
        if self.context.schema.version == 0 {
            self.guessed(name, path)
        } else {
            self.found(name, path)
        }
    }

    /// The columns of a table or view, in order. `None` where they are not known, or not the same on all
    /// shards.
    pub(super) fn columns(&self, table: &TableName) -> Option<&'a [Column]> {
        let relation = self.context.schema.relations.get(table)?;
        (!relation.columns.is_empty()).then_some(&*relation.columns)
    }

    /// True where calls of this name may be calls of a function in SQL whose body is known.
    pub(super) fn is_sql_function(&self, name: &str) -> bool {
        self.function_of(name).is_some()
    }

    /// The function in SQL that a call means: no other function has its name.
    pub(super) fn sql_function(&self, name: &Name) -> Option<&'a SqlFunction> {
        let (known, function) = self.function_of(&name.name)?;
        let fits = name.schema.as_ref().is_none_or(|s| *s == known.schema);
        fits.then_some(function)
    }

    fn function_of(&self, name: &str) -> Option<(&'a TableName, &'a SqlFunction)> {
        let functions = self.context.schema.functions.iter();
        let by_name = self.functions.get_or_init(|| {
            let in_sql = functions.filter_map(|(name, function)| match function {
                Function::Sql(function) => Some((&*name.name, (name, &**function))),
                Function::Opaque(_) => None,
            });
            in_sql.collect()
        });
        by_name.get(name).copied()
    }

    fn qualified(&self, schema: &str, name: &str) -> Result<Relation<'a>, PgError> {
        if matches!(schema, "pg_catalog" | "information_schema") {
            return Ok(Relation::Catalog);
        }
        if is_temporary(schema) {
            return Err(temporary(name));
        }
        let wanted = TableName {
            schema: schema.to_owned(),
            name: name.to_owned(),
        };
        let relations = &self.context.schema.relations;
        if let Some((known, relation)) = relations.get_key_value(&wanted) {
            match &relation.kind {
                RelationKind::Listed => {}
                RelationKind::PartOf(whole) => {
                    return match self.map.tables.get(whole) {
                        Some(kind) => Ok(Relation::Listed { table: known, kind }),
                        None => Err(opaque(known, "a part of a table")),
                    };
                }
                RelationKind::View(query) => return Ok(Relation::View { view: known, query }),
                RelationKind::Opaque(reason) => return Err(opaque(known, reason)),
            }
        }
        Ok(match self.map.tables.get_key_value(&wanted) {
            Some((table, kind)) => Relation::Listed { table, kind },
            None => Relation::Unlisted,
        })
    }

    /// The catalogs are known: the first schema of the path that has the name decides. PostgreSQL passes over
    /// schemas that the role has no USAGE of, and not every grant is known here: where that would matter,
    /// nobody knows which one it is. `pg_catalog` comes first where the path does not name it.
    /// Source: <https://www.postgresql.org/docs/current/ddl-schemas.html#DDL-SCHEMAS-PATH>
    fn found(&self, name: &str, path: &[String]) -> Result<Relation<'a>, PgError> {
        let catalog = (!path.iter().any(|schema| schema == "pg_catalog")).then_some("pg_catalog");
        let named = path.iter().map(|schema| match schema.as_str() {
            "$user" => self.context.role,
            schema => schema,
        });
        let mut unsure: Option<&str> = None;
        for schema in catalog.into_iter().chain(named) {
            if is_temporary(schema) {
                return Err(temporary(name));
            }
            if !self.holds(schema, name) {
                continue;
            }
            if let Some(before) = unsure {
                if before == schema {
                    continue;
                }
                return Err(ambiguous(name, before, schema));
            }
            if self.is_sure(schema, name) {
                return self.qualified(schema, name);
            }
            unsure = Some(schema);
        }
        match unsure {
            Some(schema) => self.qualified(schema, name),
            None => Ok(Relation::Unlisted),
        }
    }

    fn holds(&self, schema: &str, name: &str) -> bool {
        let table = TableName {
            schema: schema.to_owned(),
            name: name.to_owned(),
        };
        self.map.tables.contains_key(&table)
            || self.context.schema.relations.contains_key(&table)
            || self.context.schema.homonyms.contains(&table)
    }

    /// True where the relation is on every shard and the role may use its schema.
    fn is_sure(&self, schema: &str, name: &str) -> bool {
        let table = TableName {
            schema: schema.to_owned(),
            name: name.to_owned(),
        };
        let known = &self.context.schema;
        let exists = known.homonyms.contains(&table)
            || (known.relations.contains_key(&table) && !known.partial.contains(&table));
        exists && (schema == "pg_catalog" || known.may_use(self.context.role, schema))
    }

    /// The catalogs are not known: only the map knows what is listed, nobody knows what else a schema
    /// holds. One before the schema of a listed table might hide it.
    fn guessed(&self, name: &str, path: &[String]) -> Result<Relation<'a>, PgError> {
        let mut earlier: Option<&str> = None;
        for schema in path
            .iter()
            .filter(|schema| !matches!(schema.as_str(), "$user" | "pg_catalog"))
        {
            let found = self.qualified(schema, name)?;
            if matches!(found, Relation::Listed { .. }) {
                return match earlier {
                    None => Ok(found),
                    Some(earlier) => Err(ambiguous(name, earlier, schema)),
                };
            }
            earlier = earlier.or(Some(schema));
        }
        Ok(Relation::Unlisted)
    }

    /// Operators and types of `pg_catalog` mean what they say only where no schema comes before it.
    pub(super) fn check_path(&self) -> Result<(), PgError> {
        Self::check_path_of(self.context.search_path.unwrap_or_default())
    }

    /// The same of the `search_path` that a function sets.
    pub(super) fn check_path_of(path: &[String]) -> Result<(), PgError> {
        match path.iter().position(|schema| schema == "pg_catalog") {
            None | Some(0) => Ok(()),
            Some(_) => Err(PgError::refusal(
                "a search_path with a schema before pg_catalog is not supported: it may redefine =",
                "leave pg_catalog out of search_path",
            )),
        }
    }
}

/// Writing through a view: where its rows go is not looked into.
pub(super) fn view_write(view: &TableName) -> PgError {
    PgError::refusal(
        format!("writing to view {view} is not supported"),
        "write to its tables themselves",
    )
}

/// `pg_temp`, or by its true name `pg_temp_3`.
pub(super) fn is_temporary(schema: &str) -> bool {
    schema.starts_with("pg_temp")
}

fn temporary(name: &str) -> PgError {
    PgError::refusal(
        format!("temporary table \"{name}\" is not supported"),
        "a temporary table belongs to one server connection; use an ordinary table",
    )
}

fn ambiguous(name: &str, earlier: &str, schema: &str) -> PgError {
    PgError::refusal(
        format!("\"{name}\" may mean {earlier}.{name} or {schema}.{name}"),
        format!("write {schema}.{name} or {earlier}.{name}"),
    )
}

fn opaque(table: &TableName, reason: &str) -> PgError {
    PgError::refusal(
        format!("{table} cannot be routed: {reason}"),
        "query the tables themselves",
    )
}
