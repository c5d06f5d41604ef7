//! One scope after another: which relations a statement reads, and what ties each sharded one to values
//! of its key.
//!
//! A relation is tied where rows with another key can change nothing in the result. The argument is about
//! nodes, which are columns of relations, and ties, which are equalities between two nodes or between a
//! node and some values.
//!
//! - [`build`] and [`from`] make scopes of the statement's blocks, of the views, functions and WITH members
//!   it uses, and resolve names ([`lookup`]) and conditions ([`mod@facts`]);
//! - [`solve`] says which ties hold for which relation of a scope, across its joins;
//! - [`outputs`] says what is known of the columns a query gives to the scope around it;
//! - [`down`] walks the scopes from the outermost inwards: what is known of a query's columns there goes
//!   into it where filtering its rows earlier changes nothing, and each sharded relation must be tied;
//! - [`mod@write`] looks at what is stored.
//!
//! `docs/design/0006-routing.md` has the proofs.

mod build;
mod down;
mod facts;
mod from;
mod lookup;
mod outputs;
mod place;
mod pool;
mod separable;
mod solve;
mod write;

pub(super) use separable::{Asked, Found, Proven, Whole, prove};
pub(super) use write::reference_write;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Range;
use std::rc::Rc;

use super::Context;
use super::names::Names;
use super::params::Inferred;
use crate::error::{PgError, SqlState};
use crate::plan::RelationKey;
use crate::shardmap::{KeyspaceIndex, TableName};
use crate::sql::tree::{Block, Cte, JoinKind, Operand, Query};
use crate::types::KeyType;

use outputs::Outs;
use place::Place;
use pool::{Pool, SetId};

/// What a statement touches.
#[derive(Debug, Default)]
pub(super) struct Footprint<'a> {
    pub(super) sharded: BTreeSet<&'a TableName>,
    pub(super) keyspace: Option<KeyspaceIndex>,
    pub(super) relations: Vec<RelationKey>,
    pub(super) reference: BTreeSet<&'a TableName>,
    /// Views that were looked through, each behind those it reads.
    pub(super) views: Vec<&'a TableName>,
    /// Tables and catalogs of the default shard, as written.
    pub(super) default: BTreeSet<String>,
    /// The first catalog among those.
    pub(super) catalog: Option<String>,
    /// A function in SQL was looked through.
    pub(super) functions: bool,
    /// What each sharded table's uses are tied to.
    pub(super) uses: BTreeMap<&'a TableName, Uses>,
    /// Why the first sharded table that nothing ties is not tied; only where the walk goes on without.
    pub(super) untied: Option<PgError>,
    /// For each parameter, what its uses without a cast make of it.
    pub(super) inferred: Inferred,
    /// A view of which it is not known that every server makes the same of the same rows.
    pub(super) unsettled: Option<&'a TableName>,
}

/// How a sharded table is used.
#[derive(Debug)]
pub(super) struct Uses {
    pub(super) keyspace: KeyspaceIndex,
    /// Places in [`Footprint::relations`].
    pub(super) relations: BTreeSet<usize>,
    /// Nothing ties one of them.
    pub(super) untied: bool,
}

/// What becomes of a sharded table that nothing ties.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Untied {
    #[default]
    Refused,
    /// A hint stands for it.
    Noted,
    /// Its rows are gathered, and so are those of tables of other keyspaces.
    Gathered,
}

/// A column of a leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Node {
    leaf: usize,
    column: usize,
}

/// An equality that holds on every row that matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Tie {
    /// The node is one of these values, or, where not `strict`, perhaps NULL.
    In {
        node: Node,
        set: SetId,
        strict: bool,
    },
    /// Both are the same value, and not NULL. The smaller node comes first.
    Equal(Node, Node),
}

impl Tie {
    fn equal(one: Node, other: Node) -> Self {
        Self::Equal(one.min(other), one.max(other))
    }
}

/// A relation of a scope.
struct Leaf<'a> {
    exposed: Exposed<'a>,
    kind: LeafKind<'a>,
    columns: Vec<LeafColumn<'a>>,
    /// All its columns are listed, in order.
    complete: bool,
    /// Of a sharded table, where the columns of its key are, in the key's order.
    key: Vec<usize>,
    /// What holds of each of its rows.
    facts: Vec<Tie>,
    /// An outer join may make up a row of it that is all NULL. Set when its scope is solved.
    extended: bool,
}

/// How the columns of a leaf are found.
enum Exposed<'a> {
    /// By this name; the schema is there only where the relation has no alias.
    Named {
        schema: Option<&'a str>,
        name: &'a str,
    },
    /// By this name, never without it: `excluded`.
    Qualified(&'a str),
    /// Under a name that is not known here.
    Unknown,
    /// By their own names only.
    Unnamed,
    /// Not at all: a subquery that a condition compares with.
    Hidden,
}

#[derive(Clone, Copy)]
enum LeafKind<'a> {
    Sharded(Sharded<'a>),
    Reference,
    /// A derived table, a view, or a WITH member as if it were written here; the columns are the query's.
    Query {
        query: usize,
        member: Option<usize>,
        /// The scope's conditions may go into the query.
        open: bool,
    },
    /// A WITH member that is tied by itself, a function, or a table of another shard.
    Other,
}

#[derive(Clone, Copy)]
struct LeafColumn<'a> {
    name: Option<&'a str>,
    /// `None`: no tie says anything of it.
    key_type: Option<KeyType>,
}

#[derive(Clone, Copy)]
struct Sharded<'a> {
    table: &'a TableName,
    keyspace: KeyspaceIndex,
    /// Names of the key's columns.
    columns: &'a [String],
}

/// What an operand comes to.
#[derive(Clone, Copy, Debug)]
enum Value<'a> {
    Node(Node),
    Operand(&'a Operand),
    /// An argument of a function, of the type it is declared with.
    Argument(&'a Operand, KeyType),
    Nothing,
}

/// A join tree: a leaf, or two trees.
enum Tree<'a> {
    Leaf(usize),
    Join(Joined<'a>),
}

struct Joined<'a> {
    left: usize,
    right: usize,
    kind: JoinKind,
    leaves: Range<usize>,
    /// Where the right side's leaves begin.
    middle: usize,
    /// The columns both sides have in common: of USING, or of NATURAL.
    merged: Vec<&'a str>,
    /// NATURAL, and the common columns are not known.
    natural_unknown: bool,
    on: Rc<[Tie]>,
}

/// What names may refer to at one level: join trees in sight, and all leaves of the level so far.
#[derive(Clone, Default)]
struct Frame {
    visible: Vec<usize>,
    leaves: Vec<usize>,
}

/// What names mean at the place that is built.
#[derive(Clone, Default)]
struct Sight<'a> {
    /// WITH members, places in `Walker::members`.
    ctes: Vec<usize>,
    /// Enclosing scopes, the innermost last.
    frames: Vec<Rc<Frame>>,
    /// The function whose body this is.
    function: Option<&'a str>,
    /// As in [`super::SqlFunction`].
    atomic: bool,
    /// Those of that function.
    arguments: Option<Rc<[Argument<'a>]>>,
    path: Option<&'a [String]>,
    /// That in force where functions are called: views have none of their own for them.
    callers_path: Option<&'a [String]>,
    /// The views and functions within which this stands.
    within: Vec<&'a Query>,
    /// How many WITH members have been written out around this.
    copies: usize,
}

struct Argument<'a> {
    name: Option<&'a str>,
    value: Value<'a>,
}

/// A query once names are resolved.
struct Inquiry<'a> {
    members: Vec<usize>,
    arms: Vec<Part>,
    tail: Vec<usize>,
    limited: bool,
    /// What it is called in refusals.
    place: Place<'a>,
    outs: Option<Rc<Outs<'a>>>,
}

#[derive(Clone, Copy)]
enum Part {
    Block(usize),
    Query(usize),
}

/// A block once names are resolved.
struct Scope<'a> {
    block: &'a Block,
    frame: Frame,
    /// The FROM list and the subqueries that WHERE compares with.
    trees: Vec<usize>,
    /// Its leaves, those that no name finds among them.
    leaves: Vec<usize>,
    /// What WHERE says.
    ties: Vec<Tie>,
    /// What UPDATE, DELETE or MERGE writes.
    target: Option<usize>,
    /// Queries that are walked with nothing known of their columns.
    inner: Vec<usize>,
    outputs: Vec<OutColumn<'a>>,
    /// `outputs` are all columns, in order.
    complete: bool,
    /// Filters on other columns than these may not be applied earlier: DISTINCT ON and PARTITION BY.
    kept: Vec<Vec<Node>>,
    stored: Option<write::Stored<'a>>,
}

#[derive(Clone)]
struct OutColumn<'a> {
    name: Option<&'a str>,
    /// One, or for VALUES one of each row.
    values: Vec<Value<'a>>,
}

/// A WITH member.
struct Member<'a> {
    cte: &'a Cte,
    recursive: bool,
    writes: bool,
    /// How much of the sight it was defined in.
    ctes: usize,
    frames: usize,
    state: MemberState<'a>,
    /// It is tied without what references add; `None`: not looked at yet.
    settled: Option<bool>,
    /// A reference within itself was met.
    recursed: bool,
}

#[derive(Clone)]
enum MemberState<'a> {
    Pending,
    /// With what is taken for granted of references within itself.
    Building(Option<Rc<Outs<'a>>>),
    Built(usize),
}

/// Statements of more table references that name a listed table are refused.
const RELATIONS_MAX: usize = 256;
/// And of more with what views, functions and WITH members stand for.
const LEAVES_MAX: usize = 1024;
/// And those of more equalities between keys and values in one scope.
const TIES_MAX: usize = 1024;
/// Views and functions within one another.
const WITHIN_MAX: usize = 32;
/// Output columns of all queries whose columns are looked at; those of more are taken for unknown.
const OUTPUTS_MAX: usize = 65_536;

fn too_many(what: &str) -> PgError {
    PgError::client(
        SqlState::STATEMENT_TOO_COMPLEX,
        format!("a statement over sharded tables with {what}"),
    )
    .with_hint("split the statement")
}

pub(super) struct Walker<'a, 'n> {
    names: &'a Names<'n>,
    context: &'a Context<'a>,
    leaves: Vec<Leaf<'a>>,
    trees: Vec<Tree<'a>>,
    scopes: Vec<Scope<'a>>,
    queries: Vec<Inquiry<'a>>,
    members: Vec<Member<'a>>,
    sight: Sight<'a>,
    pool: Pool,
    /// Conditions that hold for a node on all rows that matter, perhaps besides NULL.
    known: HashMap<Node, solve::Known>,
    tally: Tally<'a>,
    found: Footprint<'a>,
}

/// What is counted and remembered on the way.
#[derive(Default)]
struct Tally<'a> {
    /// Table references of the statement itself.
    relations: usize,
    outputs: usize,
    /// Nodes that inner scopes or functions use.
    referenced: HashSet<Node>,
    /// Members that a reference has walked, so that they need not be by themselves.
    walked: HashSet<usize>,
    /// Nothing is recorded; false once a relation is not tied.
    trial: Option<bool>,
    /// In a trial, what each relation has to be tied to; else anything will do.
    supposed: Option<separable::Supposed>,
    /// FOR UPDATE without OF, or of something other than a table, which reaches into subqueries.
    locks_all: bool,
    /// The relations of `found` by their places, and what they cost.
    seen: HashMap<RelationKey, usize>,
    recorded_bytes: usize,
    untied: Untied,
    /// Where the walk down is.
    place: Place<'a>,
    /// Nodes that are compared with what says nothing: for refusals.
    unread: HashSet<Node>,
}

/// Walks a statement's scopes.
///
/// Errors: a table that is not tied, where `untied` refuses it, and what cannot be done to listed tables.
pub(super) fn footprint<'a>(
    query: &'a Query,
    names: &'a Names<'_>,
    context: &'a Context<'a>,
    untied: Untied,
) -> Result<Footprint<'a>, PgError> {
    let mut walker = Walker::new(names, context, untied);
    let built = walker.build_query(query, false)?;
    walker.queries[built].place = Place::Statement;
    walker.down_query(built, &[])?;
    if walker.tally.locks_all
        && let Some(table) = walker.found.reference.first()
    {
        return Err(down::locked_reference(&table.to_string()));
    }
    Ok(walker.found)
}

impl<'a, 'n> Walker<'a, 'n> {
    fn new(names: &'a Names<'n>, context: &'a Context<'a>, untied: Untied) -> Self {
        Self {
            names,
            context,
            leaves: Vec::new(),
            trees: Vec::new(),
            scopes: Vec::new(),
            queries: Vec::new(),
            members: Vec::new(),
            sight: Sight::default(),
            pool: Pool::default(),
            known: HashMap::new(),
            tally: Tally {
                untied,
                ..Tally::default()
            },
            found: Footprint::default(),
        }
    }

    /// A relation more.
    fn push_leaf(&mut self, leaf: Leaf<'a>) -> Result<usize, PgError> {
        let own = self.sight.within.is_empty() && self.sight.copies == 0;
        if own && !matches!(leaf.exposed, Exposed::Hidden) {
            self.tally.relations += 1;
        }
        if self.tally.relations > RELATIONS_MAX {
            return Err(too_many(&format!(
                "more than {RELATIONS_MAX} table references"
            )));
        }
        if self.leaves.len() == LEAVES_MAX {
            return Err(too_many(&format!(
                "more than {LEAVES_MAX} table references, with those of views, functions and WITH"
            )));
        }
        self.leaves.push(leaf);
        Ok(self.leaves.len() - 1)
    }

    /// The columns of a sharded table's key.
    fn key(&self, leaf: usize) -> Vec<Node> {
        let columns = self.leaves[leaf].key.iter();
        columns.map(|&column| Node { leaf, column }).collect()
    }

    fn key_type(&self, node: Node) -> Option<KeyType> {
        self.leaves[node.leaf].columns[node.column].key_type
    }

    /// Equality of the two is equality of values.
    fn comparable(&self, one: Node, other: Node) -> bool {
        let family = |node| self.key_type(node).map(KeyType::family);
        one != other && family(one).is_some() && family(one) == family(other)
    }

    /// With another sight, and this one again afterwards.
    fn seeing<T>(
        &mut self,
        sight: Sight<'a>,
        work: impl FnOnce(&mut Self) -> Result<T, PgError>,
    ) -> Result<T, PgError> {
        let before = std::mem::replace(&mut self.sight, sight);
        let done = work(self);
        self.sight = before;
        done
    }

    /// From within a scope.
    fn framed<T>(
        &mut self,
        frame: Frame,
        work: impl FnOnce(&mut Self) -> Result<T, PgError>,
    ) -> Result<T, PgError> {
        self.sight.frames.push(Rc::new(frame));
        let done = work(self);
        self.sight.frames.pop();
        done
    }
}
