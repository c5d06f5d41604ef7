//! Statements that write.

use sqlparser::ast::{self, Expr, SetExpr, Statement};

use super::facts::facts;
use super::outputs::{no_stars, outputs};
use super::{Converter, Result};
use crate::sql::operand::{column_name, ident, name, operand, row};
use crate::sql::tree::{
    Assignment, Block, From, Insert, InsertSource, Join, JoinKind, Merge, Operand, Query, Table,
    Verb,
};

impl Converter<'_> {
    pub(super) fn writing(&mut self, statement: &Statement) -> Result<Block> {
        self.scope(|this| match statement {
            Statement::Insert(insert) => this.insert(insert),
            Statement::Update(update) => this.update(update),
            Statement::Delete(delete) => this.delete(delete),
            Statement::Merge(merge) => this.merge(merge),
            _ => Err("this statement in WITH".to_owned()),
        })
    }

    fn returning(&mut self, list: Option<&Vec<ast::SelectItem>>, block: &mut Block) -> Result<()> {
        if let Some(list) = list {
            self.subqueries(list, &mut block.subqueries)?;
            block.outputs = outputs(list)?;
        }
        Ok(())
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
        let target = name(target)?;
        let columns = insert
            .columns
            .iter()
            .map(column_name)
            .collect::<Result<_>>()?;
        let alias = match &insert.table_alias {
            None => None,
            Some(alias) => Some(ident(&alias.alias)?),
        };
        let mut block = Block::new(Verb::Insert(Box::new(Insert {
            target,
            alias,
            columns,
            source,
            conflict_sets,
        })));
        block.subqueries = subqueries;
        self.returning(insert.returning.as_ref(), &mut block)?;
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
                no_stars(&values.rows)?;
                let row = |row: &ast::Parens<Vec<Expr>>| row.content.iter().map(operand).collect();
                Ok(InsertSource::Values(values.rows.iter().map(row).collect()))
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
        self.returning(update.returning.as_ref(), &mut block)?;
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
        self.returning(delete.returning.as_ref(), &mut block)?;
        Ok(block)
    }

    fn merge(&mut self, statement: &ast::Merge) -> Result<Block> {
        // PostgreSQL wants INTO.
        if !statement.into {
            return Err("MERGE without INTO".to_owned());
        }
        let source = self.factor(&statement.source)?;
        let target = self.target_factor(&statement.table)?;
        let mut join = Join::new(source, target, JoinKind::Left);
        self.subqueries(&statement.on, &mut join.subqueries)?;
        join.on = facts(&statement.on, &self.places);
        let mut block = Block::new(Verb::Select);
        block.from.push(From::Join(Box::new(join)));
        let mut merge = Merge::default();
        for clause in &statement.clauses {
            merge.by_source |= clause.clause_kind == ast::MergeClauseKind::NotMatchedBySource;
            self.subqueries(&clause.predicate, &mut block.subqueries)?;
            self.merge_action(&clause.action, &mut merge, &mut block)?;
        }
        match &statement.output {
            None => {}
            Some(ast::OutputClause::Returning { select_items, .. }) => {
                self.returning(Some(select_items), &mut block)?;
            }
            Some(ast::OutputClause::Output { .. }) => return Err("OUTPUT".to_owned()),
        }
        block.verb = Verb::Merge(Box::new(merge));
        Ok(block)
    }

    fn merge_action(
        &mut self,
        action: &ast::MergeAction,
        merge: &mut Merge,
        block: &mut Block,
    ) -> Result<()> {
        let foreign = || Err("a form of MERGE PostgreSQL does not have".to_owned());
        match action {
            ast::MergeAction::Delete { .. } | ast::MergeAction::DoNothing { .. } => {}
            ast::MergeAction::Update(update) => {
                let ast::MergeUpdateKind::Set(sets) = &update.kind else {
                    return foreign();
                };
                if update.update_predicate.is_some() || update.delete_predicate.is_some() {
                    return foreign();
                }
                self.subqueries(sets, &mut block.subqueries)?;
                merge.sets.extend(assignments(sets)?);
            }
            ast::MergeAction::Insert(insert) => {
                let ast::MergeInsertKind::Values(values) = &insert.kind else {
                    return foreign();
                };
                let [row] = values.rows.as_slice() else {
                    return foreign();
                };
                if insert.insert_predicate.is_some() {
                    return foreign();
                }
                self.subqueries(values, &mut block.subqueries)?;
                no_stars(&values.rows)?;
                let columns = insert.columns.iter().map(column_name);
                merge.inserts.push((
                    columns.collect::<std::result::Result<_, _>>()?,
                    row.content.iter().map(operand).collect(),
                ));
            }
        }
        Ok(())
    }

    fn target(&mut self, table: &ast::TableWithJoins) -> Result<From> {
        if !table.joins.is_empty() {
            return Err("a join as the target".to_owned());
        }
        self.target_factor(&table.relation)
    }

    fn target_factor(&mut self, factor: &ast::TableFactor) -> Result<From> {
        match self.factor(factor)? {
            From::Table(table) => Ok(From::Table(Table {
                target: true,
                ..table
            })),
            _ => Err("a target that is no table".to_owned()),
        }
    }
}

fn assignments(list: &[ast::Assignment]) -> Result<Vec<Assignment>> {
    let mut out = Vec::new();
    for assignment in list {
        match &assignment.target {
            ast::AssignmentTarget::ColumnName(column) => out.push(Assignment {
                column: column_name(column)?,
                value: match column.0.len() {
                    1 => operand(&assignment.value),
                    // A field of the column.
                    _ => Operand::Other,
                },
            }),
            ast::AssignmentTarget::Tuple(columns) => {
                let values = row(&assignment.value).filter(|row| row.len() == columns.len());
                for (at, column) in columns.iter().enumerate() {
                    out.push(Assignment {
                        column: column_name(column)?,
                        value: match &values {
                            Some(values) => operand(values[at]),
                            None => Operand::Other,
                        },
                    });
                }
            }
        }
    }
    Ok(out)
}
