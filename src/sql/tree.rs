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
    /// LIMIT, OFFSET or FETCH: which rows come out depends on all rows that go in.
    pub limited: bool,
    /// Of a view: every server makes the same of the same rows. Not known of anything else.
    pub settled: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Cte {
    pub name: String,
    /// `WITH c (x, y) AS …`: names for its first columns.
    pub columns: Vec<String>,
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
    /// The FROM list. In UPDATE and DELETE the target comes first; in MERGE it is target and source as one
    /// join, `source LEFT JOIN target ON …`, with the target on its right.
    pub from: Vec<From>,
    /// Conjuncts of WHERE.
    pub facts: Vec<Fact>,
    /// Subqueries anywhere in this scope's expressions, save those in FROM. Facts name them by their place.
    pub subqueries: Vec<Query>,
    /// Calls of functions by the names the caller asked for, anywhere in this scope's expressions.
    pub calls: Vec<Call>,
    /// FOR UPDATE and the like: the relation after OF, or `None` for all.
    pub locks: Vec<Option<String>>,
    /// The columns that come out: the SELECT list, the columns of VALUES, or RETURNING.
    pub outputs: Vec<Output>,
    /// Names in expressions that may be those of relations, whose rows then come out as a whole, or are arguments of a
    /// function that may tell of what type they are.
    pub rows: Vec<String>,
    /// `DISTINCT ON (…)`: of the rows that agree in these one comes out.
    pub distinct_on: Option<Vec<Operand>>,
    /// The PARTITION BY of each window function: its result depends on the rows of a partition.
    pub windows: Vec<Vec<Operand>>,
    /// It may give a row although no row of FROM passes WHERE, as `SELECT count(*)` does: HAVING, or a function
    /// that may be an aggregate, without GROUP BY. Then WHERE says nothing of what comes out.
    pub always: bool,
}

/// An item of a SELECT list.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// `*`, or `t.*` of that relation.
    All(Option<Name>),
    Column {
        /// What it is called outside; `None` where only PostgreSQL knows.
        name: Option<String>,
        /// What it may be: one operand, or for VALUES one of each row.
        values: Vec<Operand>,
    },
}

/// A function call.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    pub name: Name,
    /// Positional arguments; `None` where they are named, or VARIADIC, or the like.
    pub arguments: Option<Vec<Operand>>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Verb {
    Select,
    Values,
    Insert(Box<Insert>),
    Update(Vec<Assignment>),
    Delete,
    Merge(Box<Merge>),
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
    pub alias: Option<String>,
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

/// The WHEN clauses of MERGE.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Merge {
    /// WHEN MATCHED THEN UPDATE SET, all of them.
    pub sets: Vec<Assignment>,
    /// WHEN NOT MATCHED THEN INSERT: columns (perhaps none) and values.
    pub inserts: Vec<(Vec<String>, Vec<Operand>)>,
    /// WHEN NOT MATCHED BY SOURCE: looks at all rows of the target.
    pub by_source: bool,
}

/// An item of a FROM list.
#[derive(Clone, Debug, PartialEq)]
pub enum From {
    Table(Table),
    /// A subquery; `lateral` lets it see what stands to its left.
    Derived {
        lateral: bool,
        alias: Option<String>,
        /// `AS d (x, y)`: names for its first columns.
        columns: Vec<String>,
        query: Query,
    },
    /// A function or another source that reads no table by itself; sees what stands to its left.
    Function {
        alias: Option<String>,
        columns: Vec<String>,
        /// What is called, where it is one function by its plain name.
        call: Option<Call>,
        /// As in [`Block::rows`].
        rows: Vec<String>,
        subqueries: Vec<Query>,
    },
    Join(Box<Join>),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    pub name: Name,
    pub alias: Option<String>,
    /// `t AS a (x, y)`: names for its first columns.
    pub columns: Vec<String>,
    /// What UPDATE, DELETE or MERGE writes: never a CTE.
    pub target: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Join {
    pub left: From,
    pub right: From,
    pub kind: JoinKind,
    /// Conjuncts of ON.
    pub on: Vec<Fact>,
    pub using: Vec<String>,
    pub natural: bool,
    /// Facts of `on` name them by their place.
    pub subqueries: Vec<Query>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinKind {
    Inner,
    Left,
    Right,
    Full,
}

/// A condition that is true only where it ties columns to values.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// `left = right`; row comparisons give one for each pair.
    Equal { left: Operand, right: Operand },
    /// `operand IN (…)`, `operand = ANY (ARRAY[…])`.
    OneOf {
        operand: Operand,
        values: Vec<Operand>,
    },
    /// `operand = ANY (array)`. The array is a parameter or slot with `array` set, its cast that of the
    /// elements; or a constant with the array's text: [`Constant::Unknown`], or [`Constant::Typed`] with the
    /// elements' type, integers too.
    Element { operand: Operand, array: Operand },
    /// `(a, b) IN (SELECT …)`, `a = ANY (SELECT …)`, `a = (SELECT …)`: the operands equal a row of that
    /// subquery, the query's place in the list beside these facts.
    InQuery {
        operands: Vec<Operand>,
        subquery: usize,
        /// `=`: a second row is an error.
        single: bool,
    },
    /// OR: the facts of one of the arms hold.
    Either(Vec<Vec<Fact>>),
}

/// One side of an equality, as far as it can matter.
#[derive(Clone, Debug, PartialEq)]
pub enum Operand {
    Column(Column),
    /// `column::type`. Where the column's own type is of the type's family and no wider, this is the column.
    CastColumn(Column, CastType),
    Constant(Constant),
    Slot(Slot),
    /// `$n`, zero-based, perhaps cast.
    Param {
        index: u16,
        cast: Option<CastType>,
        /// It is an array, and the cast to an array of the type: only in [`Fact::Element`].
        array: bool,
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

/// A literal taken out of the text, so that texts that differ in it share a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Slot {
    /// Its place among the statement's slots.
    pub place: u32,
    /// A string literal without a type; else an integer.
    pub string: bool,
    /// A minus stands before it.
    pub negative: bool,
    pub cast: Option<CastType>,
    /// An array literal, whose elements are meant: only in [`Fact::Element`].
    pub array: bool,
}

/// A constant whose value and type are exactly known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Constant {
    Null,
    /// Of one of the integer types.
    Int(i64),
    /// A string literal without a type: it takes the type of what it is compared with.
    Unknown(String),
    /// Cast to a type other than the integers, in the type's text form as written.
    Typed(CastType, String),
    /// DEFAULT in VALUES or SET.
    Default,
}

/// Types a cast may name without making the constant or parameter unknown to us: those of sharding keys,
/// without a length or precision.
pub type CastType = crate::types::KeyType;
