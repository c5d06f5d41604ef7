//! Aggregates over rows of several shards: each shard computes parts, which are merged into the value that one
//! server with all rows would have given.
//!
//! An [`Aggregate`] says what a shard is to compute, as SQL around the argument's own text; a [`state::State`] takes
//! the parts of one group and gives the [`value::Value`]. Parts arrive in binary. What cannot be merged exactly has
//! no [`Aggregate`]: `sum` and `avg` of intervals and `sum` of money, whose text depends on settings, and the variance
//! of floats, where PostgreSQL's own digits depend on a running state that SQL does not show
//! (`float8_combine` in `src/backend/utils/adt/float.c`). Sums of floats depend on the order of rows in PostgreSQL too.
//!
//! Two errors of PostgreSQL differ: its `avg` of floats overflows where their squares do (beyond 1e154), which is not
//! seen here; and a variance of numbers whose square no `numeric` holds (1e65536) is an error here, not there.

use super::order::Order;
use super::{Format, Oid};

/// Parts of one group become its value.
pub mod state;
/// Values as a client gets them.
pub mod value;

/// The aggregates of PostgreSQL that may be merged, with some types of argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    Count,
    Sum,
    Avg,
    Min,
    Max,
    BoolAnd,
    BoolOr,
    Bit(BitOperation),
    Spread(Spread),
}

/// Of `bit_and`, `bit_or` and `bit_xor`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BitOperation {
    And,
    Or,
    Xor,
}

/// Variance or standard deviation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spread {
    /// Of a sample, not of the whole population.
    pub sample: bool,
    /// The standard deviation.
    pub root: bool,
}

impl Function {
    /// By PostgreSQL's name of it, in lower case and without its schema, `pg_catalog`.
    pub fn from_name(name: &str) -> Option<Self> {
        let spread = |sample, root| Self::Spread(Spread { sample, root });
        Some(match name {
            "count" => Self::Count,
            "sum" => Self::Sum,
            "avg" => Self::Avg,
            "min" => Self::Min,
            "max" => Self::Max,
            "bool_and" | "every" => Self::BoolAnd,
            "bool_or" => Self::BoolOr,
            "bit_and" => Self::Bit(BitOperation::And),
            "bit_or" => Self::Bit(BitOperation::Or),
            "bit_xor" => Self::Bit(BitOperation::Xor),
            "variance" | "var_samp" => spread(true, false),
            "var_pop" => spread(false, false),
            "stddev" | "stddev_samp" => spread(true, true),
            "stddev_pop" => spread(false, true),
            _ => return None,
        })
    }
}

/// An aggregate of one type of argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aggregate {
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    CountRows,
    Count,
    /// Of `smallint` and `integer`, as `bigint`.
    SumBigint,
    SumNumeric,
    SumFloat4,
    SumFloat8,
    /// Of `smallint` and `integer`, whose sums are `bigint`.
    AvgBigint,
    AvgNumeric,
    AvgFloat8,
    Extreme {
        order: Order,
        is_max: bool,
        result: Oid,
    },
    Bool {
        is_and: bool,
    },
    /// Of integers of so many bytes.
    BitInteger {
        operation: BitOperation,
        bytes: u8,
    },
    BitString(BitOperation),
    Spread {
        spread: Spread,
        /// Of `smallint` and `integer`, whose squares are `bigint`.
        is_small: bool,
    },
}

/// The most parts that one aggregate has.
pub const PARTS_MAX: usize = 3;

impl Aggregate {
    /// The function of an argument of a type, a domain's base type where it is one; `None` as argument is `*`.
    /// `c_collation` as for [`Order::of`], of the argument. `None` where the parts cannot be merged exactly: also what
    /// PostgreSQL does not know.
    ///
    /// The argument may be written more than once, so it must not be volatile.
    pub fn of(function: Function, argument: Option<Oid>, c_collation: bool) -> Option<Self> {
        let Some(argument) = argument else {
            let kind = Kind::CountRows;
            return (function == Function::Count).then_some(Self { kind });
        };
        let kind = match (function, argument.0) {
            (Function::Count, _) => Kind::Count,
            (Function::Sum, INT2 | INT4) => Kind::SumBigint,
            (Function::Sum, INT8 | NUMERIC) => Kind::SumNumeric,
            (Function::Sum, FLOAT4) => Kind::SumFloat4,
            (Function::Sum, FLOAT8) => Kind::SumFloat8,
            (Function::Avg, INT2 | INT4) => Kind::AvgBigint,
            (Function::Avg, INT8 | NUMERIC) => Kind::AvgNumeric,
            (Function::Avg, FLOAT4 | FLOAT8) => Kind::AvgFloat8,
            (Function::Min | Function::Max, _) => Kind::Extreme {
                order: Order::of(extreme(argument)?, c_collation)?,
                is_max: function == Function::Max,
                result: extreme(argument)?,
            },
            (Function::BoolAnd, BOOL) => Kind::Bool { is_and: true },
            (Function::BoolOr, BOOL) => Kind::Bool { is_and: false },
            (Function::Bit(operation), INT2) => Kind::BitInteger {
                operation,
                bytes: 2,
            },
            (Function::Bit(operation), INT4) => Kind::BitInteger {
                operation,
                bytes: 4,
            },
            (Function::Bit(operation), INT8) => Kind::BitInteger {
                operation,
                bytes: 8,
            },
            (Function::Bit(operation), BIT | VARBIT) => Kind::BitString(operation),
            (Function::Spread(spread), INT2 | INT4) => Kind::Spread {
                spread,
                is_small: true,
            },
            (Function::Spread(spread), INT8 | NUMERIC) => Kind::Spread {
                spread,
                is_small: false,
            },
            _ => return None,
        };
        Some(Self { kind })
    }

    /// The type of the value.
    pub fn result(&self) -> Oid {
        match self.kind {
            Kind::CountRows | Kind::Count | Kind::SumBigint => Oid::INT8,
            Kind::SumNumeric | Kind::AvgBigint | Kind::AvgNumeric | Kind::Spread { .. } => {
                Oid::NUMERIC
            }
            Kind::SumFloat4 => Oid(FLOAT4),
            Kind::SumFloat8 | Kind::AvgFloat8 => Oid(FLOAT8),
            Kind::Extreme { result, .. } => result,
            Kind::Bool { .. } => Oid::BOOL,
            Kind::BitInteger { bytes: 2, .. } => Oid::INT2,
            Kind::BitInteger { bytes: 4, .. } => Oid::INT4,
            Kind::BitInteger { .. } => Oid::INT8,
            Kind::BitString(_) => Oid(BIT),
        }
    }

    /// The formats in which the parts are to be asked for, one for each. `client` is the format the value is wanted in:
    /// the extreme of a type that is not printed here comes in both.
    pub fn formats(&self, client: Format) -> &'static [Format] {
        match (self.parts().len(), self.kind, client) {
            (_, Kind::Extreme { .. }, Format::Text) => &[Format::Binary, Format::Text],
            (1, ..) => &[Format::Binary],
            (2, ..) => &[Format::Binary; 2],
            _ => &[Format::Binary; PARTS_MAX],
        }
    }

    /// The types of the parts, one for each of [`Self::formats`].
    pub fn part_types(&self, client: Format) -> Vec<Oid> {
        let first = match self.kind {
            Kind::AvgBigint | Kind::Spread { .. } => Oid::INT8,
            Kind::AvgFloat8 => Oid(FLOAT8),
            _ => self.result(),
        };
        let rest = match self.kind {
            Kind::Extreme { result, .. } => result,
            Kind::Spread { .. } => Oid::NUMERIC,
            _ => Oid::INT8,
        };
        let mut types = vec![rest; self.formats(client).len()];
        types[0] = first;
        types
    }

    /// What a shard is to compute, one expression for each of [`Self::formats`]. `argument` and `filter` are the
    /// client's own texts: the argument's without DISTINCT and ORDER BY, and the condition in FILTER (WHERE …). Names
    /// are those of `pg_catalog` whatever the search path.
    pub fn expressions(&self, client: Format, argument: &str, filter: Option<&str>) -> Vec<String> {
        let parts = self.parts().iter().cycle();
        let wanted = self.formats(client).len();
        let expression = |part: &&'static str| {
            let call = part.replace("{}", argument);
            match filter {
                None => format!("pg_catalog.{call}"),
                Some(filter) => format!("pg_catalog.{call} FILTER (WHERE {filter})"),
            }
        };
        // Of an extreme in two formats both are the same.
        parts.take(wanted).map(expression).collect()
    }

    /// Calls with `{}` for the argument.
    fn parts(&self) -> &'static [&'static str] {
        match self.kind {
            Kind::CountRows => &["count(*)"],
            Kind::Count => &["count({})"],
            Kind::SumBigint | Kind::SumNumeric | Kind::SumFloat4 | Kind::SumFloat8 => &["sum({})"],
            Kind::AvgBigint | Kind::AvgNumeric => &["sum({})", "count({})"],
            // PostgreSQL adds them up as double precision.
            Kind::AvgFloat8 => &["sum(({})::pg_catalog.float8)", "count({})"],
            Kind::Extreme { is_max: false, .. } => &["min({})"],
            Kind::Extreme { is_max: true, .. } => &["max({})"],
            Kind::Bool { is_and: true } => &["bool_and({})"],
            Kind::Bool { is_and: false } => &["bool_or({})"],
            Kind::BitInteger { operation, .. } | Kind::BitString(operation) => match operation {
                BitOperation::And => &["bit_and({})"],
                BitOperation::Or => &["bit_or({})"],
                BitOperation::Xor => &["bit_xor({})"],
            },
            Kind::Spread { is_small: true, .. } => &[
                "count({})",
                "sum(({})::pg_catalog.int8)",
                "sum(({})::pg_catalog.int8 OPERATOR(pg_catalog.*) ({})::pg_catalog.int8)",
            ],
            Kind::Spread { .. } => &[
                "count({})",
                "sum(({})::pg_catalog.numeric)",
                "sum(({})::pg_catalog.numeric OPERATOR(pg_catalog.*) ({})::pg_catalog.numeric)",
            ],
        }
    }
}

/// The type of `min` and `max` of a type; `None` where it is compared as another type with another collation.
fn extreme(argument: Oid) -> Option<Oid> {
    Some(match argument.0 {
        // "char" becomes a text of the database's collation.
        18 => return None,
        NAME | VARCHAR => Oid::TEXT,
        CIDR => Oid(INET),
        _ => argument,
    })
}

const BOOL: u32 = Oid::BOOL.0;
const INT2: u32 = Oid::INT2.0;
const INT4: u32 = Oid::INT4.0;
const INT8: u32 = Oid::INT8.0;
const NUMERIC: u32 = Oid::NUMERIC.0;
const VARCHAR: u32 = Oid::VARCHAR.0;
const NAME: u32 = 19;
const CIDR: u32 = 650;
const FLOAT4: u32 = 700;
const FLOAT8: u32 = 701;
const INET: u32 = 869;
const BIT: u32 = 1560;
const VARBIT: u32 = 1562;

#[cfg(test)]
mod tests;
