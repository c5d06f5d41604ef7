//! Where keys lead, for tests that have PostgreSQL as the oracle.

use std::path::Path;
use std::sync::Arc;

use crate::config;
use crate::plan::{Destination, ParamValues, Plan, Values};
use crate::planner::{self, Context, Schema};
use crate::shardmap::{KeyspaceIndex, ShardMap};
use crate::types::{Format, KeyError, KeyType, KeyValue, Oid};

/// A value of a key column as a client gives it.
#[derive(Clone, Copy, Debug)]
pub enum Given<'a> {
    /// A literal of unknown type, beside the key.
    Literal(&'a str),
    Text {
        oid: u32,
        bytes: &'a [u8],
    },
    Binary {
        oid: u32,
        bytes: &'a [u8],
    },
}

/// What is made of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Met<T> {
    Value(T),
    /// No version of PostgreSQL reads it under any setting.
    Invalid,
    /// Not read: says nothing.
    Unread,
}

/// The first database of a configuration.
pub struct Map(Arc<ShardMap>);

impl Map {
    /// Errors: all that is wrong with the configuration.
    pub fn of_config(yaml: &str) -> Result<Self, String> {
        let none = |_: &str| None;
        let config = config::parse(yaml, Path::new("test.yaml"), &none);
        let config = config.map_err(|errors| errors.to_string())?;
        let database = config.databases.values().next();
        let database = database.ok_or_else(|| "no database".to_owned())?;
        Ok(Self(Arc::clone(&database.map)))
    }

    /// The logical shard of a whole key; `None` where it has no place.
    pub fn locate(&self, keyspace: &str, key: &[Given<'_>]) -> Met<Option<u32>> {
        let read = self.read(keyspace, key);
        read.map(|(index, values)| {
            self.0
                .locate(index, &values)
                .map(|(logical, _shard)| logical.0)
        })
    }

    /// The logical shards of keys that begin so.
    pub fn reachable(&self, keyspace: &str, prefix: &[Given<'_>]) -> Met<Vec<u32>> {
        let read = self.read(keyspace, prefix);
        read.map(|(index, values)| {
            let logical = self.0.reachable(index, &values);
            logical.into_iter().map(|logical| logical.0).collect()
        })
    }

    /// As the proxy prints the key's first value.
    pub fn print(&self, keyspace: &str, value: Given<'_>) -> Met<String> {
        let read = self.read(keyspace, &[value]);
        read.map(|(index, values)| {
            let column = &self.0.keyspace(index).key.columns[0];
            column.key_type.print(&values[0])
        })
    }

    /// The name of the shard of a logical shard.
    pub fn shard(&self, keyspace: &str, logical: u32) -> &str {
        let keyspace = self.0.keyspace(self.index(keyspace));
        let logical = crate::shardmap::LogicalShardId(logical);
        self.0.shard_name(keyspace.placement.shard(logical))
    }

    /// The name of the shard a statement goes to; `None` where any would do. Parameters are types, formats
    /// (binary or not) and values.
    ///
    /// Errors: the refusal.
    pub fn route(
        &self,
        statement: &str,
        params: &[(u32, bool, Vec<u8>)],
    ) -> Result<Option<&str>, String> {
        let declared: Vec<Oid> = params.iter().map(|(oid, ..)| Oid(*oid)).collect();
        let schema = Schema::default();
        let context = Context {
            map: &self.0,
            schema: &schema,
            search_path: None,
            role: "app",
            hint: None,
            param_types: &declared,
            transaction_pooling: true,
            gathers: true,
        };
        let plan = planner::plan(statement, &context).map_err(|error| error.message)?;
        let Plan::Route(route) = &plan else {
            return Err("a control statement".to_owned());
        };
        let params = Params(params);
        let destination = route.resolve(&self.0, Values::of_params(&declared, &params));
        Ok(match destination.map_err(|error| error.message)? {
            Destination::Any => None,
            Destination::Shard(shard) => Some(self.0.shard_name(shard)),
            Destination::Gather(_) | Destination::Scatter(_) | Destination::ByText => {
                return Err("several shards".to_owned());
            }
        })
    }

    fn index(&self, keyspace: &str) -> KeyspaceIndex {
        let place = self.0.keyspaces.iter().position(|k| k.name == keyspace);
        KeyspaceIndex(place.unwrap_or_default() as u16)
    }

    fn read(&self, keyspace: &str, key: &[Given<'_>]) -> Met<(KeyspaceIndex, Vec<KeyValue>)> {
        let index = self.index(keyspace);
        let mut values = Vec::new();
        for (given, column) in key.iter().zip(&self.0.keyspace(index).key.columns) {
            match one(column.key_type, *given) {
                Met::Value(value) => values.push(value),
                Met::Invalid => return Met::Invalid,
                Met::Unread => return Met::Unread,
            }
        }
        Met::Value((index, values))
    }
}

impl<T> Met<T> {
    fn map<U>(self, made: impl FnOnce(T) -> U) -> Met<U> {
        match self {
            Self::Value(value) => Met::Value(made(value)),
            Self::Invalid => Met::Invalid,
            Self::Unread => Met::Unread,
        }
    }
}

fn one(key_type: KeyType, given: Given<'_>) -> Met<KeyValue> {
    let (text, read) = match given {
        Given::Literal(text) => (text.as_bytes(), key_type.parse_text(text.as_bytes())),
        Given::Text { oid, bytes } => (bytes, key_type.parse_param(Oid(oid), Format::Text, bytes)),
        Given::Binary { oid, bytes } => (
            &[][..],
            key_type.parse_param(Oid(oid), Format::Binary, bytes),
        ),
    };
    match read {
        Ok(value) => Met::Value(value),
        Err(KeyError::Syntax { .. } | KeyError::OutOfRange { .. })
            if key_type.is_certainly_invalid(text) =>
        {
            Met::Invalid
        }
        Err(_) => Met::Unread,
    }
}

struct Params<'a>(&'a [(u32, bool, Vec<u8>)]);

impl ParamValues for Params<'_> {
    fn param(&self, index: u16) -> Option<(Format, Option<&[u8]>)> {
        let (_, binary, bytes) = self.0.get(usize::from(index))?;
        let format = if *binary {
            Format::Binary
        } else {
            Format::Text
        };
        Some((format, Some(bytes)))
    }
}
