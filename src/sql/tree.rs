//! What the planner needs of a statement: its scopes, the relations in them, and the equalities that
//! hold on every row. Made by `convert` from the parser's tree, of which nothing else is kept.

use std::fmt;

/// A relation's name as PostgreSQL stores it: folded, cut, without quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    pub schema: Option<String>,
    pub name: String,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(schema) = &self.schema {
            write!(f, "{schema}.")?;
        }
        f.write_str(&self.name)
    }
}

/// WITH, the arms of its set operations, ORDER BY and LIMIT.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    /// WITH RECURSIVE: every name of the list is known in every member.
    pub recursive: bool,
    pub ctes: Vec<Cte>,
    /// One arm, or several combined by UNION, INTERSECT or EXCEPT.
    pub arms: Vec<Arm>,
    /// Subqueries of the ORDER BY and LIMIT of a set operation, which see no arm's relations.
    pub tail: Vec<Query>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Cte {
    pub name: String,
    pub query: Query,
}

/// One arm of a query.
#[derive(Clone, Debug, PartialEq)]
pub enum Arm {
    /// In parentheses, with its own WITH, ORDER BY and LIMIT.
    Nested(Query),
    Block(Block),
}

/// One scope: SELECT, VALUES, or a statement that writes.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    pub verb: Verb,
    /// The FROM list. In UPDATE and DELETE the target comes first.
    pub from: Vec<From>,
    /// Equalities that are conjuncts of WHERE.
    pub facts: Vec<Fact>,
    /// Subqueries anywhere in this scope's expressions, save those in FROM.
    pub subqueries: Vec<Query>,
    /// FOR UPDATE and the like: the relation after OF, or `None` for all.
    pub locks: Vec<Option<String>>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Verb {
    Select,
    Values,
    Insert(Box<Insert>),
    Update(Vec<Assignment>),
    Delete,
}

/// `column = value` in SET.
#[derive(Clone, Debug, PartialEq)]
pub struct Assignment {
    pub column: String,
    pub value: Operand,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Insert {
    pub target: Name,
    /// Empty where the statement lists none.
    pub columns: Vec<String>,
    pub source: InsertSource,
    /// ON CONFLICT DO UPDATE SET.
    pub conflict_sets: Vec<Assignment>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum InsertSource {
    DefaultValues,
    Values(Vec<Vec<Operand>>),
    Query(Query),
}

/// An item of a FROM list.
#[derive(Clone, Debug, PartialEq)]
pub enum From {
    Table(Table),
    /// A subquery; `lateral` lets it see what stands to its left.
    Derived {
        lateral: bool,
        alias: Option<String>,
        query: Query,
    },
    /// A function or another source that reads no table by itself; sees what stands to its left.
    Function {
        alias: Option<String>,
        subqueries: Vec<Query>,
    },
    Join(Box<Join>),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    pub name: Name,
    pub alias: Option<String>,
    /// `t AS a (x, y)`: columns have other names here.
    pub renamed: bool,
    /// What UPDATE or DELETE writes: never a CTE.
    pub target: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Join {
    pub left: From,
    pub right: From,
    pub kind: JoinKind,
    /// Equalities that are conjuncts of ON.
    pub on: Vec<Fact>,
    pub using: Vec<String>,
    pub natural: bool,
    pub subqueries: Vec<Query>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinKind {
    Inner,
    Left,
    Right,
    Full,
}

/// `left = right`.
#[derive(Clone, Debug, PartialEq)]
pub struct Fact {
    pub left: Operand,
    pub right: Operand,
}

/// One side of an equality, as far as it can matter.
#[derive(Clone, Debug, PartialEq)]
pub enum Operand {
    Column(Column),
    Constant(Constant),
    /// `$n`, zero-based, perhaps cast.
    Param {
        index: u16,
        cast: Option<CastType>,
    },
    /// Anything else: says nothing.
    Other,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// The relation it is qualified with.
    pub relation: Option<Name>,
    pub name: String,
}

/// A constant whose value and type are exactly known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Constant {
    Null,
    /// Of one of the integer types.
    Int(i64),
    /// A string literal without a type: it takes the type of what it is compared with.
    Unknown(String),
    /// Cast to text, or to varchar without a length.
    Text(String),
    /// Cast to uuid.
    Uuid(String),
    /// DEFAULT in VALUES or SET.
    Default,
}

/// Types a cast may name without making the constant or parameter unknown to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CastType {
    SmallInt,
    Integer,
    BigInt,
    Text,
    Varchar,
    Uuid,
}
