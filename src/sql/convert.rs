//! `sqlparser`'s tree into [`super::tree`]. What is not known here is named and given back as an error:
//! the planner refuses it, because a construct that is not understood may read any table.

use std::ops::ControlFlow;

use sqlparser::ast::{self, Expr, SetExpr, Statement, TableFactor, Visit, Visitor};

use super::operand::{column_name, facts, ident, name, operand};
use super::tree::{
    Arm, Assignment, Block, Cte, From, Insert, InsertSource, Join, JoinKind, Operand, Query, Table,
    Verb,
};

type Result<T> = std::result::Result<T, String>;

/// The statement's scopes, and how many table references were met on the way.
pub(super) fn statement(statement: &Statement) -> Result<(Query, usize)> {
    let mut converter = Converter {
        relations: 0,
        joins: 0,
        using: 0,
    };
    let query = match statement {
        Statement::Query(query) => converter.query(query)?,
        Statement::Insert(_) | Statement::Update(_) | Statement::Delete(_) => Query {
            arms: vec![Arm::Block(converter.writing(statement)?)],
            ..Query::default()
        },
        Statement::Merge(_) => return Err("MERGE".to_owned()),
        _ => return Err("this statement".to_owned()),
    };
    Ok((query, converter.relations))
}

/// Joins on one way down the tree: each is a level for whoever walks or drops it, on an ordinary stack.
const JOINS_MAX: usize = 512;
/// Columns of all USING lists: each is looked at for each column of a condition. PostgreSQL's tables have fewer.
const USING_MAX: usize = 1600;

struct Converter {
    relations: usize,
    /// Joins above where we are.
    joins: usize,
    using: usize,
}

impl Converter {
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
            for cte in &with.cte_tables {
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
        let mut tail = Vec::new();
        self.subqueries(&query.order_by, &mut tail)?;
        self.subqueries(&query.limit_clause, &mut tail)?;
        self.subqueries(&query.fetch, &mut tail)?;
        let locks = query.locks.iter().map(|lock| match &lock.of {
            None => Ok(None),
            Some(of) => name(of).map(|name| Some(name.name)),
        });
        let locks: Vec<_> = locks.collect::<Result<_>>()?;
        match out.arms.as_mut_slice() {
            [Arm::Block(block)] => {
                block.subqueries.append(&mut tail);
                block.locks = locks;
            }
            _ if locks.is_empty() => out.tail = tail,
            _ => return Err("FOR UPDATE or FOR SHARE of a nested query".to_owned()),
        }
        Ok(out)
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
                SetExpr::Select(select) => Arm::Block(self.select(select)?),
                SetExpr::Values(values) => Arm::Block(self.values(values)?),
                SetExpr::Insert(statement)
                | SetExpr::Update(statement)
                | SetExpr::Delete(statement) => Arm::Block(self.writing(statement)?),
                SetExpr::Merge(_) => return Err("MERGE".to_owned()),
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
        block.from = self.relations(&select.from)?;
        self.condition(select.selection.as_ref(), &mut block)?;
        self.subqueries(&select.distinct, &mut block.subqueries)?;
        self.subqueries(&select.projection, &mut block.subqueries)?;
        self.subqueries(&select.group_by, &mut block.subqueries)?;
        self.subqueries(&select.having, &mut block.subqueries)?;
        self.subqueries(&select.named_window, &mut block.subqueries)?;
        Ok(block)
    }

    fn values(&mut self, values: &ast::Values) -> Result<Block> {
        let mut block = Block::new(Verb::Values);
        self.subqueries(values, &mut block.subqueries)?;
        Ok(block)
    }

    fn condition(&mut self, condition: Option<&Expr>, block: &mut Block) -> Result<()> {
        if let Some(condition) = condition {
            block.facts.extend(facts(condition)?);
            self.subqueries(condition, &mut block.subqueries)?;
        }
        Ok(())
    }

    fn writing(&mut self, statement: &Statement) -> Result<Block> {
        match statement {
            Statement::Insert(insert) => self.insert(insert),
            Statement::Update(update) => self.update(update),
            Statement::Delete(delete) => self.delete(delete),
            _ => Err("this statement in WITH".to_owned()),
        }
    }

    fn insert(&mut self, insert: &ast::Insert) -> Result<Block> {
        let foreign = insert.or.is_some()
            || insert.ignore
            || !insert.into
            || insert.overwrite
            || !insert.assignments.is_empty()
            || insert.partitioned.is_some()
            || !insert.after_columns.is_empty()
            || insert.has_table_keyword
            || insert.output.is_some()
            || insert.replace_into
            || insert.priority.is_some()
            || insert.insert_alias.is_some()
            || insert.settings.is_some()
            || insert.format_clause.is_some()
            || insert.multi_table_insert_type.is_some();
        if foreign {
            return Err("a form of INSERT PostgreSQL does not have".to_owned());
        }
        let ast::TableObject::TableName(target) = &insert.table else {
            return Err("INSERT into something that is no table".to_owned());
        };
        self.relations += 1;
        let mut subqueries = Vec::new();
        let source = match insert.source.as_deref() {
            None => InsertSource::DefaultValues,
            Some(query) => self.insert_source(query, &mut subqueries)?,
        };
        let mut conflict_sets = Vec::new();
        match &insert.on {
            None => {}
            Some(ast::OnInsert::OnConflict(conflict)) => {
                self.subqueries(conflict, &mut subqueries)?;
                if let ast::OnConflictAction::DoUpdate(update) = &conflict.action {
                    conflict_sets = assignments(&update.assignments)?;
                }
            }
            Some(_) => return Err("ON DUPLICATE KEY".to_owned()),
        }
        self.subqueries(&insert.returning, &mut subqueries)?;
        let target = name(target)?;
        let columns = insert
            .columns
            .iter()
            .map(column_name)
            .collect::<Result<_>>()?;
        let mut block = Block::new(Verb::Insert(Box::new(Insert {
            target,
            alias: None,
            columns,
            source,
            conflict_sets,
        })));
        block.subqueries = subqueries;
        Ok(block)
    }

    fn insert_source(
        &mut self,
        query: &ast::Query,
        subqueries: &mut Vec<Query>,
    ) -> Result<InsertSource> {
        let plain = query.with.is_none()
            && query.order_by.is_none()
            && query.limit_clause.is_none()
            && query.fetch.is_none()
            && query.locks.is_empty();
        match &*query.body {
            SetExpr::Values(values) if plain => {
                self.subqueries(values, subqueries)?;
                let row = |row: &ast::Parens<Vec<Expr>>| {
                    row.content.iter().map(operand).collect::<Result<_>>()
                };
                Ok(InsertSource::Values(
                    values.rows.iter().map(row).collect::<Result<_>>()?,
                ))
            }
            _ => Ok(InsertSource::Query(self.query(query)?)),
        }
    }

    fn update(&mut self, update: &ast::Update) -> Result<Block> {
        if update.output.is_some()
            || update.or.is_some()
            || update.limit.is_some()
            || !update.order_by.is_empty()
        {
            return Err("a form of UPDATE PostgreSQL does not have".to_owned());
        }
        let mut block = Block::new(Verb::Update(assignments(&update.assignments)?));
        block.from.push(self.target(&update.table)?);
        match &update.from {
            None => {}
            Some(ast::UpdateTableFromKind::AfterSet(from)) => {
                block.from.extend(self.relations(from)?)
            }
            Some(_) => return Err("a form of UPDATE PostgreSQL does not have".to_owned()),
        }
        self.condition(update.selection.as_ref(), &mut block)?;
        self.subqueries(&update.assignments, &mut block.subqueries)?;
        self.subqueries(&update.returning, &mut block.subqueries)?;
        Ok(block)
    }

    fn delete(&mut self, delete: &ast::Delete) -> Result<Block> {
        let ast::FromTable::WithFromKeyword(from) = &delete.from else {
            return Err("DELETE without FROM".to_owned());
        };
        let [target] = from.as_slice() else {
            return Err("DELETE from several tables".to_owned());
        };
        let foreign = delete.output.is_some() || delete.limit.is_some();
        if foreign || !delete.tables.is_empty() || !delete.order_by.is_empty() {
            return Err("a form of DELETE PostgreSQL does not have".to_owned());
        }
        let mut block = Block::new(Verb::Delete);
        block.from.push(self.target(target)?);
        if let Some(using) = &delete.using {
            block.from.extend(self.relations(using)?);
        }
        self.condition(delete.selection.as_ref(), &mut block)?;
        self.subqueries(&delete.returning, &mut block.subqueries)?;
        Ok(block)
    }

    fn target(&mut self, table: &ast::TableWithJoins) -> Result<From> {
        if !table.joins.is_empty() {
            return Err("a join as the target".to_owned());
        }
        match self.factor(&table.relation)? {
            From::Table(table) => Ok(From::Table(Table {
                target: true,
                ..table
            })),
            _ => Err("a target that is no table".to_owned()),
        }
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
        let mut join = Join {
            left,
            right,
            kind,
            on: Vec::new(),
            using: Vec::new(),
            natural: false,
            subqueries: Vec::new(),
        };
        match constraint {
            ast::JoinConstraint::On(condition) => {
                join.on = facts(condition)?;
                self.subqueries(condition, &mut join.subqueries)?;
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
        let alias_of = |alias: &Option<ast::TableAlias>| match alias {
            None => Ok(None),
            Some(alias) if alias.at.is_some() => Err("an alias with AT".to_owned()),
            Some(alias) => ident(&alias.name).map(Some),
        };
        match factor {
            TableFactor::Table {
                args: Some(_),
                alias,
                ..
            } => {
                self.relations += 1;
                self.source(factor, alias_of(alias)?)
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
            | TableFactor::JsonTable { alias, .. } => self.source(factor, alias_of(alias)?),
            TableFactor::NestedJoin {
                table_with_joins,
                alias: None,
            } => self.joins(table_with_joins),
            TableFactor::NestedJoin { .. } => Err("an alias for a join".to_owned()),
            _ => Err("a table reference PostgreSQL does not have".to_owned()),
        }
    }

    fn source(&mut self, factor: &TableFactor, alias: Option<String>) -> Result<From> {
        let mut subqueries = Vec::new();
        self.subqueries(factor, &mut subqueries)?;
        Ok(From::Function {
            alias,
            columns: Vec::new(),
            call: None,
            subqueries,
        })
    }

    /// The outermost queries within a node, found by the parser's visitor, whatever kind of node it is.
    fn subqueries<N: Visit>(&mut self, node: &N, out: &mut Vec<Query>) -> Result<()> {
        let mut finder = Finder {
            converter: self,
            depth: 0,
            out,
        };
        match node.visit(&mut finder) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(construct) => Err(construct),
        }
    }
}

struct Finder<'a> {
    converter: &'a mut Converter,
    depth: usize,
    out: &'a mut Vec<Query>,
}

impl Visitor for Finder<'_> {
    type Break = String;

    fn pre_visit_query(&mut self, query: &ast::Query) -> ControlFlow<String> {
        if self.depth == 0 {
            match self.converter.query(query) {
                Ok(query) => self.out.push(query),
                Err(construct) => return ControlFlow::Break(construct),
            }
        }
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _query: &ast::Query) -> ControlFlow<String> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }
}

fn columns_of(alias: &Option<ast::TableAlias>) -> Vec<String> {
    let columns = alias.iter().flat_map(|alias| &alias.columns);
    columns.map(|column| column.name.value.clone()).collect()
}

fn assignments(list: &[ast::Assignment]) -> Result<Vec<Assignment>> {
    let mut out = Vec::new();
    for assignment in list {
        match &assignment.target {
            ast::AssignmentTarget::ColumnName(column) => {
                out.push(Assignment {
                    column: column_name(column)?,
                    value: operand(&assignment.value)?,
                });
            }
            ast::AssignmentTarget::Tuple(columns) => {
                for column in columns {
                    out.push(Assignment {
                        column: column_name(column)?,
                        value: Operand::Other,
                    });
                }
            }
        }
    }
    Ok(out)
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
        }
    }
}
