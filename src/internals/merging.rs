//! Orders and merged aggregates, for tests that have PostgreSQL as the oracle.

use std::cmp::Ordering;

use crate::error::PgError;
use crate::types::aggregate::state::{Error, State};
use crate::types::aggregate::{Aggregate, Function};
use crate::types::order::Order;
use crate::types::{Format, Oid};

/// Two values of a type in binary, texts as under collation `C`; `None` where the type has no order here.
///
/// Errors: one is no value of the type.
pub fn compare(oid: u32, a: &[u8], b: &[u8]) -> Option<Result<Ordering, String>> {
    let compared = Order::of(Oid(oid), true)?.compare(a, b);
    Some(compared.map_err(|error| error.to_string()))
}

/// An aggregate of one argument, in text or in binary.
pub struct Merged {
    aggregate: Aggregate,
    client: Format,
}

/// What a shard computes of a group, NULL as `None`.
pub type Parts = Vec<Option<Vec<u8>>>;

impl Merged {
    /// `None` where it cannot be merged. `argument` is a type, `None` for `*`.
    pub fn new(name: &str, argument: Option<u32>, is_text: bool) -> Option<Self> {
        let aggregate = Aggregate::of(Function::from_name(name)?, argument.map(Oid), true)?;
        let client = if is_text {
            Format::Text
        } else {
            Format::Binary
        };
        Some(Self { aggregate, client })
    }

    /// What a shard is asked for: expressions, and whether in binary.
    pub fn expressions(&self, argument: &str, filter: Option<&str>) -> Vec<(String, bool)> {
        let expressions = self.aggregate.expressions(self.client, argument, filter);
        let formats = self.aggregate.formats(self.client).iter();
        let is_binary = formats.map(|format| *format == Format::Binary);
        expressions.into_iter().zip(is_binary).collect()
    }

    /// The OID of the value's type.
    pub fn result(&self) -> u32 {
        self.aggregate.result().0
    }

    /// The value of a group that shards have parts of, NULL as `None`.
    ///
    /// Errors: SQLSTATE and message.
    pub fn merge(&self, shards: &[Parts]) -> Result<Option<Vec<u8>>, (String, String)> {
        self.value(shards).map_err(|error| {
            let error = PgError::from(error);
            (error.code.to_string(), error.message)
        })
    }

    fn value(&self, shards: &[Parts]) -> Result<Option<Vec<u8>>, Error> {
        let mut state = State::new(self.aggregate);
        for parts in shards {
            let parts: Vec<Option<&[u8]>> = parts.iter().map(Option::as_deref).collect();
            state.merge(&parts)?;
        }
        let mut out = Vec::new();
        let has_value = state.value()?.put(self.client, &mut out)?;
        Ok(has_value.then_some(out))
    }
}
