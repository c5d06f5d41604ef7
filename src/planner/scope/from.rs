//! A FROM list becomes leaves and join trees.

use std::rc::Rc;

use super::place::Place;
use super::{
    Argument, Exposed, Frame, Joined, Leaf, LeafColumn, LeafKind, MemberState, Scope, Sharded,
    Sight, Tree, Value, WITHIN_MAX, Walker, too_many,
};
use crate::error::PgError;
use crate::planner::names::{Names, Relation, view_write};
use crate::shardmap::{TableKind, TableName};
use crate::sql::tree::{self, Call, From, JoinKind, Query};
use crate::types::KeyType;

/// What building one more level of a nested join may take of the stack.
const STACK_PER_JOIN: usize = 128 << 10;
const STACK_GROWTH: usize = 2 << 20;

impl<'a> Walker<'a, '_> {
    /// The tree of an item; its leaves enter the scope's frame.
    pub(super) fn from(&mut self, from: &'a From, scope: &mut Scope<'a>) -> Result<usize, PgError> {
        let leaf = match from {
            From::Table(table) => {
                let leaf = self.table(table)?;
                if table.target {
                    scope.target = Some(leaf);
                }
                leaf
            }
            From::Derived {
                lateral,
                alias,
                columns,
                query,
            } => {
                let query = if *lateral {
                    let frame = scope.frame.clone();
                    self.framed(frame, |walker| walker.build_query(query, true))?
                } else {
                    self.build_query(query, true)?
                };
                self.queries[query].place = Place::Derived(alias.as_deref());
                let exposed = alias.as_deref().map_or(Exposed::Unnamed, named);
                let mut leaf = self.query_leaf(exposed, query, true)?;
                rename(&mut leaf, columns);
                let outs = self.outs(query)?;
                self.push_query_leaf(leaf, &outs)?
            }
            From::Function {
                alias,
                columns: _,
                call,
                rows: _,
                subqueries,
            } => {
                for query in subqueries {
                    let frame = scope.frame.clone();
                    let built = self.framed(frame, |walker| walker.build_query(query, false))?;
                    scope.inner.push(built);
                }
                if let Some(call) = call
                    && let Some(query) = self.expand(call, &scope.frame, false)?
                {
                    scope.inner.push(query);
                }
                let exposed = alias.as_deref().map_or(Exposed::Unknown, named);
                self.push_leaf(unknown(exposed))?
            }
            From::Join(join) => {
                return stacker::maybe_grow(STACK_PER_JOIN, STACK_GROWTH, || {
                    self.join(join, scope)
                });
            }
        };
        scope.frame.leaves.push(leaf);
        self.trees.push(Tree::Leaf(leaf));
        Ok(self.trees.len() - 1)
    }

    fn join(&mut self, join: &'a tree::Join, scope: &mut Scope<'a>) -> Result<usize, PgError> {
        let start = self.leaves.len();
        let mut left = self.from(&join.left, scope)?;
        scope.frame.visible.push(left);
        let middle = self.leaves.len();
        let mut right = self.from(&join.right, scope)?;
        scope.frame.visible.pop();
        let merged = self.common(join, left, right);
        let mut on = Vec::new();
        for column in merged.iter().flatten() {
            if let Some((left, right)) = self.using(left, right, column)
                && self.comparable(left, right)
            {
                on.push(super::Tie::equal(left, right));
            }
        }
        // ON sees the two sides and enclosing scopes, not what stands beside the join.
        let here = Frame {
            visible: vec![left, right],
            leaves: scope.frame.leaves.clone(),
        };
        let compared = super::build::compared(&join.on);
        let subqueries = self.framed(here.clone(), |walker| {
            let build = |(at, query)| walker.build_query(query, compared.contains(&at));
            join.subqueries
                .iter()
                .enumerate()
                .map(build)
                .collect::<Result<Vec<_>, _>>()
        })?;
        let mut facts = super::facts::Facts::new(&here, &subqueries);
        on.extend(self.ties(&join.on, &mut facts)?);
        // What ON compares with stands on the side that ON is about.
        for leaf in &facts.compared {
            scope.leaves.push(*leaf);
            let (side, from) = match join.kind {
                JoinKind::Inner | JoinKind::Left => (&mut right, middle),
                JoinKind::Right => (&mut left, start),
                // Here it is about neither.
                JoinKind::Full => continue,
            };
            self.trees.push(Tree::Leaf(*leaf));
            let tree = self.trees.len() - 1;
            self.trees.push(Tree::Join(Joined {
                left: *side,
                right: tree,
                kind: JoinKind::Inner,
                leaves: from..self.leaves.len(),
                middle: *leaf,
                merged: Vec::new(),
                natural_unknown: false,
                on: Rc::new([]),
            }));
            *side = self.trees.len() - 1;
        }
        scope.inner.extend(facts.left());
        self.trees.push(Tree::Join(Joined {
            left,
            right,
            kind: join.kind,
            leaves: start..self.leaves.len(),
            middle,
            natural_unknown: merged.is_none(),
            merged: merged.unwrap_or_default(),
            on: on.into(),
        }));
        Ok(self.trees.len() - 1)
    }

    /// The columns of USING, or those NATURAL finds on both sides; `None` where not all are known.
    fn common(&self, join: &'a tree::Join, left: usize, right: usize) -> Option<Vec<&'a str>> {
        if !join.natural {
            return Some(join.using.iter().map(String::as_str).collect());
        }
        let (mut lefts, mut rights) = (Vec::new(), Vec::new());
        if !self.star(left, &mut lefts) || !self.star(right, &mut rights) {
            return None;
        }
        let rights: Option<std::collections::HashSet<_>> =
            rights.iter().map(|column| column.name).collect();
        let (rights, lefts) = (rights?, lefts.iter().map(|column| column.name));
        let lefts: Vec<_> = lefts.collect::<Option<_>>()?;
        Some(
            lefts
                .into_iter()
                .filter(|name| rights.contains(name))
                .collect(),
        )
    }

    fn table(&mut self, table: &'a tree::Table) -> Result<usize, PgError> {
        let name = &table.name;
        let exposed = match &table.alias {
            Some(alias) => named(alias),
            None => Exposed::Named {
                schema: name.schema.as_deref(),
                name: &name.name,
            },
        };
        if !table.target
            && name.schema.is_none()
            && let Some(member) = self.member(&name.name)
        {
            return self.reference(member, table, exposed);
        }
        let relation = self.names.resolve_in(name, self.sight.path)?;
        let mut leaf = match relation {
            Relation::Listed {
                table: listed,
                kind,
            } => {
                let mut leaf = self.listed(listed, kind, exposed);
                if table.target && matches!(leaf.kind, LeafKind::Reference) {
                    return Err(super::reference_write(listed));
                }
                // Where it has no alias it may be qualified with the schema it was found in.
                if let (None, Exposed::Named { schema, .. }) = (&table.alias, &mut leaf.exposed) {
                    *schema = Some(&listed.schema);
                }
                leaf
            }
            Relation::View { view, .. } if table.target => return Err(view_write(view)),
            Relation::View { view, query } => return self.view(view, query, table, exposed),
            relation @ (Relation::Catalog | Relation::Unlisted) => {
                self.found.default.insert(name.to_string());
                if matches!(relation, Relation::Catalog) {
                    self.found.catalog.get_or_insert_with(|| name.to_string());
                }
                unknown(exposed)
            }
        };
        rename(&mut leaf, &table.columns);
        self.push_leaf(leaf)
    }

    /// A table of the map, or a part of one.
    pub(super) fn listed(
        &mut self,
        table: &'a TableName,
        kind: &'a TableKind,
        exposed: Exposed<'a>,
    ) -> Leaf<'a> {
        let known = self.names.columns(table);
        let mut columns: Vec<LeafColumn<'a>> = known
            .unwrap_or_default()
            .iter()
            .map(|column| LeafColumn {
                name: Some(&column.name),
                key_type: column.key_type,
            })
            .collect();
        let mut complete = known.is_some();
        let mut places = Vec::new();
        let kind = match kind {
            TableKind::Reference => {
                self.found.reference.insert(table);
                LeafKind::Reference
            }
            TableKind::Sharded {
                keyspace,
                columns: key,
            } => {
                let types = &self.names.map.keyspace(*keyspace).key.columns;
                for (name, part) in key.iter().zip(types) {
                    let place = columns
                        .iter()
                        .position(|column| column.name == Some(name.as_str()));
                    let place = place.unwrap_or_else(|| {
                        complete = false;
                        columns.push(LeafColumn {
                            name: Some(name),
                            key_type: None,
                        });
                        columns.len() - 1
                    });
                    // The map decides how keys are read. A column whose values are others is a mistake in it.
                    let own = columns[place].key_type.unwrap_or(part.key_type);
                    columns[place].key_type =
                        (own.family() == part.key_type.family()).then_some(part.key_type);
                    places.push(place);
                }
                LeafKind::Sharded(Sharded {
                    table,
                    keyspace: *keyspace,
                    columns: key,
                })
            }
        };
        Leaf {
            exposed,
            kind,
            columns,
            complete,
            key: places,
            facts: Vec::new(),
            extended: false,
        }
    }

    /// The innermost WITH member of that name in sight.
    fn member(&self, name: &str) -> Option<usize> {
        let mut in_sight = self.sight.ctes.iter().rev();
        in_sight
            .find(|member| self.members[**member].cte.name == name)
            .copied()
    }

    /// A reference to a WITH member. One that is not tied by itself is looked at as if it were written out
    /// here, where the scope may say more of it; not so one that writes, for it runs once.
    fn reference(
        &mut self,
        member: usize,
        table: &'a tree::Table,
        exposed: Exposed<'a>,
    ) -> Result<usize, PgError> {
        self.build_member(member)?;
        let cte = self.members[member].cte;
        let (outs, kind) = match self.members[member].state.clone() {
            MemberState::Built(query) => {
                let outs = self.outs(query)?;
                if self.is_settled(member, query)? {
                    (Some(outs), LeafKind::Other)
                } else {
                    self.sight.copies += 1;
                    let copy =
                        self.as_defined(member, |walker| walker.build_query(&cte.query, true))?;
                    self.sight.copies -= 1;
                    self.queries[copy].place = Place::Member(&cte.name);
                    let kind = LeafKind::Query {
                        query: copy,
                        member: Some(member),
                        open: true,
                    };
                    (Some(self.outs(copy)?), kind)
                }
            }
            MemberState::Building(outs) => {
                self.members[member].recursed = true;
                (outs, LeafKind::Other)
            }
            MemberState::Pending => (None, LeafKind::Other),
        };
        let mut leaf = unknown(exposed);
        leaf.kind = kind;
        let Some(outs) = outs else {
            return self.push_leaf(leaf);
        };
        leaf.complete = outs.complete;
        leaf.columns = columns(&outs);
        rename(&mut leaf, &cte.columns);
        rename(&mut leaf, &table.columns);
        self.push_query_leaf(leaf, &outs)
    }

    /// What a reference adds can tie nothing more.
    fn is_settled(&mut self, member: usize, query: usize) -> Result<bool, PgError> {
        if self.members[member].writes || self.members[member].recursed {
            return Ok(true);
        }
        if let Some(settled) = self.members[member].settled {
            return Ok(settled);
        }
        let settled = self.is_tied(query)?;
        self.members[member].settled = Some(settled);
        Ok(settled)
    }

    fn view(
        &mut self,
        view: &'a TableName,
        query: &'a Query,
        table: &'a tree::Table,
        exposed: Exposed<'a>,
    ) -> Result<usize, PgError> {
        if !query.settled {
            self.found.unsettled.get_or_insert(view);
        }
        let sight = self.within(query, &view.to_string())?;
        let built = self.seeing(
            Sight {
                path: Some(&[]),
                ..sight
            },
            |walker| walker.build_query(query, true),
        )?;
        self.queries[built].place = Place::View(view);
        if !self.found.views.contains(&view) {
            self.found.views.push(view);
        }
        let mut leaf = self.query_leaf(exposed, built, true)?;
        if let Some(known) = self.names.columns(view)
            && known.len() == leaf.columns.len()
            && leaf.complete
        {
            for (column, known) in leaf.columns.iter_mut().zip(known) {
                column.name = Some(&known.name);
                let family = |of: Option<KeyType>| of.map(KeyType::family);
                if family(known.key_type) != family(column.key_type) {
                    column.key_type = None;
                }
            }
        }
        if let (None, Exposed::Named { schema, .. }) = (&table.alias, &mut leaf.exposed) {
            *schema = Some(&view.schema);
        }
        rename(&mut leaf, &table.columns);
        let outs = self.outs(built)?;
        self.push_query_leaf(leaf, &outs)
    }

    /// The sight within a view or function, which sees nothing around it.
    fn within(&self, query: &'a Query, name: &str) -> Result<Sight<'a>, PgError> {
        if self
            .sight
            .within
            .iter()
            .any(|around| std::ptr::eq(*around, query))
        {
            return Err(PgError::refusal(
                format!("{name} calls itself"),
                "write the statement out, or run it on the shard directly",
            ));
        }
        if self.sight.within.len() == WITHIN_MAX {
            return Err(too_many(&format!(
                "more than {WITHIN_MAX} views and functions within one another"
            )));
        }
        let mut within = self.sight.within.clone();
        within.push(query);
        Ok(Sight {
            path: self.sight.path,
            callers_path: self.sight.callers_path,
            within,
            copies: self.sight.copies,
            ..Sight::default()
        })
    }

    /// The body of a function in SQL, with the call's arguments; `None` where it is another function.
    /// `unsure`: which columns the arguments' names mean is not known.
    pub(super) fn expand(
        &mut self,
        call: &'a Call,
        here: &Frame,
        unsure: bool,
    ) -> Result<Option<usize>, PgError> {
        let Some(function) = self.names.sql_function(&call.name) else {
            return Ok(None);
        };
        self.found.functions = true;
        let sight = self.within(&function.body, &format!("function {}", call.name))?;
        let given = call.arguments.as_deref().unwrap_or_default();
        let mut arguments = Vec::new();
        for (at, (name, declared)) in function.arguments.iter().enumerate() {
            let mut value = match (given.get(at), declared) {
                (Some(operand), Some(declared)) => self.argument(operand, *declared, here),
                _ => Value::Nothing,
            };
            if unsure && matches!(value, Value::Node(_)) {
                value = Value::Nothing;
            }
            arguments.push(Argument {
                name: name.as_deref(),
                value,
            });
        }
        Names::check_path_of(function.search_path.as_deref().unwrap_or_default())?;
        // A string is read when it runs, also within a view; and so are the bodies of functions that this one calls.
        let callers_path = function.search_path.as_deref().or(sight.callers_path);
        let sight = Sight {
            function: Some(&call.name.name),
            atomic: function.atomic,
            arguments: Some(arguments.into()),
            path: if function.atomic {
                Some(&[])
            } else {
                callers_path
            },
            callers_path,
            ..sight
        };
        let built = self.seeing(sight, |walker| walker.build_query(&function.body, false))?;
        self.queries[built].place = Place::Function(&call.name);
        Ok(Some(built))
    }

    fn argument(
        &mut self,
        operand: &'a tree::Operand,
        declared: KeyType,
        here: &Frame,
    ) -> Value<'a> {
        match self.resolve(operand, here) {
            Value::Operand(operand) => {
                self.infer(operand, declared, false);
                Value::Argument(operand, declared)
            }
            Value::Node(node) => {
                self.tally.referenced.insert(node);
                let same = self
                    .key_type(node)
                    .is_some_and(|of| of.family() == declared.family());
                if same {
                    Value::Node(node)
                } else {
                    Value::Nothing
                }
            }
            Value::Argument(operand, of) if of.family() == declared.family() => {
                Value::Argument(operand, of)
            }
            Value::Argument(..) | Value::Nothing => Value::Nothing,
        }
    }
}

pub(super) fn named(name: &str) -> Exposed<'_> {
    Exposed::Named { schema: None, name }
}

/// A relation of which nothing is known.
pub(super) fn unknown(exposed: Exposed<'_>) -> Leaf<'_> {
    Leaf {
        exposed,
        kind: LeafKind::Other,
        columns: Vec::new(),
        complete: false,
        key: Vec::new(),
        facts: Vec::new(),
        extended: false,
    }
}

pub(super) fn columns<'a>(outs: &super::Outs<'a>) -> Vec<LeafColumn<'a>> {
    let column = |out: &super::outputs::Out<'a>| LeafColumn {
        name: out.name,
        key_type: out.key_type,
    };
    outs.columns.iter().map(column).collect()
}

/// `AS t (x, y)`: new names for the first columns. Where not all are known, nobody knows which they are.
fn rename<'a>(leaf: &mut Leaf<'a>, names: &'a [String]) {
    if names.is_empty() {
        return;
    }
    if !leaf.complete {
        for column in &mut leaf.columns {
            column.name = None;
        }
        return;
    }
    for (column, name) in leaf.columns.iter_mut().zip(names) {
        column.name = Some(name);
    }
}
