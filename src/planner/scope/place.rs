//! What part of a statement a refusal is about, in words.

use std::fmt;

use crate::shardmap::TableName;
use crate::sql::tree::Name;

/// A query, or an arm of one.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Place<'a> {
    /// The statement itself.
    Statement,
    /// Of a set operation, counted from one.
    Arm(usize),
    /// In FROM, with its alias.
    Derived(Option<&'a str>),
    Member(&'a str),
    View(&'a TableName),
    Function(&'a Name),
    /// What an INSERT stores.
    Source,
    /// In an expression.
    #[default]
    Subquery,
}

impl Place<'_> {
    /// What a user may do where nothing ties this column of a key.
    pub(super) fn way_out(self, column: &str) -> String {
        match self {
            Self::View(view) => format!(
                "tie {column} of {view} in the query that reads it, or query the tables themselves"
            ),
            Self::Function(_) => {
                format!("give {column} as an argument that is tied, or write its query out")
            }
            _ => format!(
                "add {column} = … (a literal or parameter) with AND to the WHERE of that block"
            ),
        }
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Statement => f.write_str("this query block"),
            Self::Arm(number) => write!(f, "arm {number} of the set operation"),
            Self::Derived(Some(alias)) => write!(f, "subquery {alias}"),
            Self::Derived(None) => f.write_str("the subquery in FROM"),
            Self::Member(name) => write!(f, "WITH query {name}"),
            Self::View(view) => write!(f, "view {view}"),
            Self::Function(name) => write!(f, "function {name}"),
            Self::Source => f.write_str("the query whose rows are inserted"),
            Self::Subquery => f.write_str("the subquery"),
        }
    }
}
