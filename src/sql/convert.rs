//! `sqlparser`'s tree into [`super::tree`]. What is not known here is named and given back as an error:
//! the planner refuses it, because a construct that is not understood may read any table.

mod facts;
mod gather;
mod outputs;
mod rows;
mod write;

use std::collections::HashMap;

use sqlparser::ast::{self, Expr, SetExpr, Statement, TableFactor};

use super::operand::{column_name, ident, name};
use super::rewrite::NO_CTE;
use super::tree::{Arm, Block, Cte, From, Join, JoinKind, Output, Query, Table, Verb};
use facts::facts;
use gather::Gathered;
pub(super) use gather::last_part;
pub(super) use outputs::{figured, is_no_bare_label, ordinal};

type Result<T> = std::result::Result<T, String>;

/// A statement's scopes, and what was met on the way to them.
pub(super) struct Converted {
    pub(super) query: Query,
    /// Table references.
    pub(super) relations: usize,
    /// Calls of the functions asked for.
    pub(super) calls: usize,
}

/// Converts a statement. `is_call` says which functions' calls are wanted.
///
/// Errors: the construct that is not understood.
pub(super) fn statement(
    statement: &Statement,
    is_call: &dyn Fn(&str) -> bool,
) -> Result<Converted> {
    let mut converter = Converter {
        is_call,
        relations: 0,
        calls: 0,
        joins: 0,
        using: 0,
        places: HashMap::new(),
        scope: Gathered::default(),
    };
    let query = match statement {
        Statement::Query(query) => converter.query(query)?,
        Statement::Insert(_)
        | Statement::Update(_)
        | Statement::Delete(_)
        | Statement::Merge(_) => Query {
            arms: vec![Arm::Block(converter.writing(statement)?)],
            ..Query::default()
        },
        _ => return Err("this statement".to_owned()),
    };
    Ok(Converted {
        query,
        relations: converter.relations,
        calls: converter.calls,
    })
}

/// Joins on one way down the tree: each is a level for whoever walks or drops it, on an ordinary stack.
const JOINS_MAX: usize = 512;
/// Columns of all USING lists: each is looked at for each column of a condition. PostgreSQL's tables have fewer.
const USING_MAX: usize = 1600;

struct Converter<'a> {
    is_call: &'a dyn Fn(&str) -> bool,
    relations: usize,
    calls: usize,
    /// Joins above where we are.
    joins: usize,
    using: usize,
    /// Of each query found in an expression, by the address of its node: where it stands in its list.
    places: HashMap<usize, usize>,
    /// What the scope at hand holds.
    scope: Gathered,
}

impl Converter<'_> {
    fn query(&mut self, query: &ast::Query) -> Result<Query> {
        if query.for_clause.is_some() || query.settings.is_some() || query.format_clause.is_some() {
            return Err("a clause PostgreSQL does not have".to_owned());
        }
        if !query.pipe_operators.is_empty() {
            return Err("the |> operator".to_owned());
        }
        let mut out = Query::default();
        if let Some(with) = &query.with {
            out.recursive = with.recursive;
            let named = |cte: &&ast::Cte| cte.alias.name.value != NO_CTE;
            for cte in with.cte_tables.iter().filter(named) {
                if cte.from.is_some() {
                    return Err("a WITH member with FROM".to_owned());
                }
                out.ctes.push(Cte {
                    name: ident(&cte.alias.name)?,
                    columns: cte
                        .alias
                        .columns
                        .iter()
                        .map(|column| column.name.value.clone())
                        .collect(),
                    query: self.query(&cte.query)?,
                });
            }
        }
        self.arms(&query.body, &mut out.arms)?;
        out.limited = query.limit_clause.is_some() || query.fetch.is_some();
        let (mut subqueries, mut gathered) = self.tail(query)?;
        let locks = query.locks.iter().map(|lock| match &lock.of {
            None => Ok(None),
            Some(of) => name(of).map(|name| Some(name.name)),
        });
        let locks: Vec<_> = locks.collect::<Result<_>>()?;
        if let [Arm::Block(block)] = out.arms.as_mut_slice() {
            block.subqueries.append(&mut subqueries);
            block.calls.append(&mut gathered.calls);
            block.windows.append(&mut gathered.windows);
            block.rows.append(&mut gathered.rows);
            block.always |= gathered.may_aggregate_all();
            block.locks = locks;
            return Ok(out);
        }
        if !locks.is_empty() {
            return Err("FOR UPDATE or FOR SHARE of a nested query".to_owned());
        }
        if !gathered.calls.is_empty() || !gathered.windows.is_empty() {
            return Err("a function call in ORDER BY or LIMIT of a nested query".to_owned());
        }
        out.tail = subqueries;
        Ok(out)
    }

    /// What ORDER BY and LIMIT hold. They see the windows of the SELECT they follow.
    fn tail(&mut self, query: &ast::Query) -> Result<(Vec<Query>, Gathered)> {
        let outer = std::mem::take(&mut self.scope);
        if let SetExpr::Select(select) = &*query.body {
            self.name_windows(&select.named_window);
            self.scope.grouped = outputs::is_grouped(&select.group_by);
        }
        let mut subqueries = Vec::new();
        self.subqueries(&query.order_by, &mut subqueries)?;
        self.subqueries(&query.limit_clause, &mut subqueries)?;
        self.subqueries(&query.fetch, &mut subqueries)?;
        Ok((subqueries, std::mem::replace(&mut self.scope, outer)))
    }

    /// Converts a scope, which gets the calls and windows found meanwhile.
    fn scope(&mut self, convert: impl FnOnce(&mut Self) -> Result<Block>) -> Result<Block> {
        let outer = std::mem::take(&mut self.scope);
        let mut block = convert(self)?;
        let mut gathered = std::mem::replace(&mut self.scope, outer);
        block.calls.append(&mut gathered.calls);
        block.windows.append(&mut gathered.windows);
        block.rows.append(&mut gathered.rows);
        block.always |= gathered.may_aggregate_all();
        Ok(block)
    }

    /// Set operations are left-deep and may be long: a stack of our own, not recursion.
    fn arms(&mut self, body: &SetExpr, out: &mut Vec<Arm>) -> Result<()> {
        let mut pending = vec![body];
        while let Some(body) = pending.pop() {
            let arm = match body {
                SetExpr::SetOperation { left, right, .. } => {
                    pending.push(right);
                    pending.push(left);
                    continue;
                }
                SetExpr::Query(query) => Arm::Nested(self.query(query)?),
                SetExpr::Select(select) => Arm::Block(self.scope(|this| this.select(select))?),
                SetExpr::Values(values) => Arm::Block(self.scope(|this| this.values(values))?),
                SetExpr::Insert(statement)
                | SetExpr::Update(statement)
                | SetExpr::Delete(statement)
                | SetExpr::Merge(statement) => Arm::Block(self.writing(statement)?),
                SetExpr::Table(_) => return Err("TABLE".to_owned()),
            };
            out.push(arm);
        }
        Ok(())
    }

    fn select(&mut self, select: &ast::Select) -> Result<Block> {
        if select.into.is_some() {
            return Err("SELECT INTO".to_owned());
        }
        let foreign = select.top.is_some()
            || select.exclude.is_some()
            || select.prewhere.is_some()
            || select.qualify.is_some()
            || select.value_table_mode.is_some()
            || select.select_modifiers.is_some()
            || !select.lateral_views.is_empty()
            || !select.connect_by.is_empty()
            || !select.cluster_by.is_empty()
            || !select.distribute_by.is_empty()
            || !select.sort_by.is_empty()
            || select.flavor != ast::SelectFlavor::Standard;
        if foreign {
            return Err("a clause PostgreSQL does not have".to_owned());
        }
        let mut block = Block::new(Verb::Select);
        self.name_windows(&select.named_window);
        block.from = self.relations(&select.from)?;
        self.condition(select.selection.as_ref(), &mut block)?;
        self.subqueries(&select.distinct, &mut block.subqueries)?;
        self.given(&select.projection, &mut block.subqueries)?;
        self.subqueries(&select.group_by, &mut block.subqueries)?;
        self.subqueries(&select.having, &mut block.subqueries)?;
        self.subqueries(&select.named_window, &mut block.subqueries)?;
        block.outputs = outputs::outputs(&select.projection)?;
        outputs::forget_grouped(&select.group_by, &mut block.outputs)?;
        self.scope.grouped = outputs::is_grouped(&select.group_by);
        block.always = !self.scope.grouped
            && (select.having.is_some() || outputs::is_grouped_as_one(&select.group_by));
        if let Some(ast::Distinct::On(list)) = &select.distinct {
            block.distinct_on = Some(outputs::distinct_on(list, &block.outputs, &block.from));
        }
        Ok(block)
    }

    fn values(&mut self, values: &ast::Values) -> Result<Block> {
        let mut block = Block::new(Verb::Values);
        self.given(values, &mut block.subqueries)?;
        block.outputs = outputs::values(&values.rows)?;
        Ok(block)
    }

    fn condition(&mut self, condition: Option<&Expr>, block: &mut Block) -> Result<()> {
        if let Some(condition) = condition {
            // The queries first: facts name their places.
            self.subqueries(condition, &mut block.subqueries)?;
            block.facts.extend(facts(condition, &self.places));
        }
        Ok(())
    }

    fn relations(&mut self, from: &[ast::TableWithJoins]) -> Result<Vec<From>> {
        from.iter().map(|item| self.joins(item)).collect()
    }

    fn joins(&mut self, item: &ast::TableWithJoins) -> Result<From> {
        // The first relation is the deepest: all joins of the chain are above it.
        self.joins += item.joins.len();
        if self.joins > JOINS_MAX {
            return Err(format!("more than {JOINS_MAX} joins"));
        }
        let mut left = self.factor(&item.relation)?;
        for join in &item.joins {
            if join.global {
                return Err("GLOBAL JOIN".to_owned());
            }
            let right = self.factor(&join.relation)?;
            left = self.join(left, right, &join.join_operator)?;
        }
        self.joins -= item.joins.len();
        Ok(left)
    }

    fn join(&mut self, left: From, right: From, operator: &ast::JoinOperator) -> Result<From> {
        use ast::JoinOperator as Op;
        let (kind, constraint) = match operator {
            Op::Join(constraint) | Op::Inner(constraint) => (JoinKind::Inner, constraint),
            Op::Left(constraint) | Op::LeftOuter(constraint) => (JoinKind::Left, constraint),
            Op::Right(constraint) | Op::RightOuter(constraint) => (JoinKind::Right, constraint),
            Op::FullOuter(constraint) => (JoinKind::Full, constraint),
            Op::CrossJoin(constraint @ ast::JoinConstraint::None) => (JoinKind::Inner, constraint),
            _ => return Err("a join PostgreSQL does not have".to_owned()),
        };
        let mut join = Join::new(left, right, kind);
        match constraint {
            ast::JoinConstraint::On(condition) => {
                self.subqueries(condition, &mut join.subqueries)?;
                join.on = facts(condition, &self.places);
            }
            ast::JoinConstraint::Using(columns) => {
                self.using += columns.len();
                if self.using > USING_MAX {
                    return Err(format!("more than {USING_MAX} columns of USING"));
                }
                join.using = columns.iter().map(column_name).collect::<Result<_>>()?;
            }
            ast::JoinConstraint::Natural => join.natural = true,
            ast::JoinConstraint::None if matches!(operator, Op::CrossJoin(_)) => {}
            ast::JoinConstraint::None => return Err("a join without ON or USING".to_owned()),
        }
        Ok(From::Join(Box::new(join)))
    }

    fn factor(&mut self, factor: &TableFactor) -> Result<From> {
        match factor {
            TableFactor::Table {
                args: Some(_),
                alias,
                ..
            } => {
                self.relations += 1;
                self.source(factor, alias)
            }
            TableFactor::Table {
                name: table,
                alias,
                with_hints,
                version,
                partitions,
                json_path,
                sample,
                index_hints,
                ..
            } => {
                self.relations += 1;
                if sample.is_some() {
                    return Err("TABLESAMPLE".to_owned());
                }
                let hints =
                    !with_hints.is_empty() || !index_hints.is_empty() || !partitions.is_empty();
                if hints || version.is_some() || json_path.is_some() {
                    return Err("a table reference PostgreSQL does not have".to_owned());
                }
                Ok(From::Table(Table {
                    name: name(table)?,
                    alias: alias_of(alias)?,
                    columns: columns_of(alias),
                    target: false,
                }))
            }
            TableFactor::Derived {
                lateral,
                subquery,
                alias,
                sample: None,
            } => Ok(From::Derived {
                lateral: *lateral,
                alias: alias_of(alias)?,
                columns: columns_of(alias),
                query: self.query(subquery)?,
            }),
            TableFactor::Function { alias, .. }
            | TableFactor::UNNEST { alias, .. }
            | TableFactor::TableFunction { alias, .. }
            | TableFactor::XmlTable { alias, .. }
            | TableFactor::JsonTable { alias, .. } => self.source(factor, alias),
            TableFactor::NestedJoin {
                table_with_joins,
                alias: None,
            } => self.joins(table_with_joins),
            TableFactor::NestedJoin {
                table_with_joins,
                alias,
            } => self.named_join(table_with_joins, alias),
            _ => Err("a table reference PostgreSQL does not have".to_owned()),
        }
    }

    /// `(a JOIN b …) AS j` hides `a` and `b` as `(SELECT * FROM a JOIN b …) AS j` does. What stands beside the join can be
    /// seen by its LATERAL items alone: those are refused, and functions, which are LATERAL without the word.
    fn named_join(
        &mut self,
        join: &ast::TableWithJoins,
        alias: &Option<ast::TableAlias>,
    ) -> Result<From> {
        let block = self.scope(|this| {
            let item = this.joins(join)?;
            if looks_around(&item) {
                return Err("an alias for a join with LATERAL".to_owned());
            }
            let mut block = Block::new(Verb::Select);
            block.from.push(item);
            block.outputs.push(Output::All(None));
            Ok(block)
        })?;
        Ok(From::Derived {
            lateral: false,
            alias: alias_of(alias)?,
            columns: columns_of(alias),
            query: Query {
                arms: vec![Arm::Block(block)],
                ..Query::default()
            },
        })
    }

    fn source(&mut self, factor: &TableFactor, alias: &Option<ast::TableAlias>) -> Result<From> {
        let mut subqueries = Vec::new();
        let others = self.scope.rows.len();
        self.given(factor, &mut subqueries)?;
        let rows = self.scope.rows.split_off(others);
        let called = match factor {
            TableFactor::Table {
                name,
                args: Some(args),
                ..
            } => Some((name, &args.args)),
            TableFactor::Function { name, args, .. } => Some((name, args)),
            _ => None,
        };
        let call = match called {
            Some((name, arguments)) if self.is_call(name) => {
                Some(self.call(name, gather::positional(arguments))?)
            }
            _ => None,
        };
        Ok(From::Function {
            alias: alias_of(alias)?,
            columns: columns_of(alias),
            call,
            rows,
            subqueries,
        })
    }
}

/// It has an item that may see what stands to its left.
fn looks_around(item: &From) -> bool {
    match item {
        From::Table(_) => false,
        From::Derived { lateral, .. } => *lateral,
        From::Function { .. } => true,
        From::Join(join) => looks_around(&join.left) || looks_around(&join.right),
    }
}

fn alias_of(alias: &Option<ast::TableAlias>) -> Result<Option<String>> {
    match alias {
        None => Ok(None),
        Some(alias) if alias.at.is_some() => Err("an alias with AT".to_owned()),
        Some(alias) => ident(&alias.name).map(Some),
    }
}

fn columns_of(alias: &Option<ast::TableAlias>) -> Vec<String> {
    let columns = alias.iter().flat_map(|alias| &alias.columns);
    columns.map(|column| column.name.value.clone()).collect()
}

impl Join {
    fn new(left: From, right: From, kind: JoinKind) -> Self {
        Self {
            left,
            right,
            kind,
            on: Vec::new(),
            using: Vec::new(),
            natural: false,
            subqueries: Vec::new(),
        }
    }
}

impl Block {
    fn new(verb: Verb) -> Self {
        Self {
            verb,
            from: Vec::new(),
            facts: Vec::new(),
            subqueries: Vec::new(),
            calls: Vec::new(),
            locks: Vec::new(),
            outputs: Vec::new(),
            distinct_on: None,
            windows: Vec::new(),
            rows: Vec::new(),
            always: false,
        }
    }
}
