//! Which functions are called, and of which query an aggregate among them may be.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use sqlparser::ast::{
    self, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, SetExpr, TableFactor, Visit,
    Visitor,
};

use crate::sql::convert::last_part;

/// A call of a function in the list of a SELECT, its DISTINCT ON, HAVING or ORDER BY.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub name: String,
    /// It has an OVER.
    pub windowed: bool,
    pub level: Level,
}

/// Whose aggregate a call is, if it is one. PostgreSQL takes the innermost query whose columns stand in its arguments,
/// and where there are none, that in which it stands.
/// Source: `check_agg_arguments` in `parse_agg.c`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// The SELECT's own.
    Own,
    /// Surely a query's within it.
    Inner,
    /// A query's within it, or the SELECT's.
    Unsure,
}

/// Every function called, also in FROM. `None` where one has no name.
pub(super) fn functions(query: &ast::Query) -> Option<BTreeSet<String>> {
    let mut all = All::default();
    match query.visit(&mut all) {
        ControlFlow::Continue(()) => Some(all.0),
        ControlFlow::Break(()) => None,
    }
}

#[derive(Default)]
struct All(BTreeSet<String>);

impl All {
    fn add(&mut self, name: &ast::ObjectName) -> ControlFlow<()> {
        let parts: Option<Vec<&str>> = name
            .0
            .iter()
            .map(|part| part.as_ident().map(|ident| ident.value.as_str()))
            .collect();
        match parts.as_deref() {
            Some([name] | ["pg_catalog", name]) => self.0.insert((*name).to_owned()),
            Some(parts) => self.0.insert(parts.join(".")),
            None => return ControlFlow::Break(()),
        };
        ControlFlow::Continue(())
    }
}

impl Visitor for All {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            Expr::Function(function) => self.add(&function.name),
            _ => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        match factor {
            TableFactor::Table {
                name,
                args: Some(_),
                ..
            }
            | TableFactor::Function { name, .. } => self.add(name),
            TableFactor::UNNEST { .. } => {
                self.0.insert("unnest".to_owned());
                ControlFlow::Continue(())
            }
            TableFactor::Table { args: None, .. }
            | TableFactor::Derived { .. }
            | TableFactor::NestedJoin { .. } => ControlFlow::Continue(()),
            _ => ControlFlow::Break(()),
        }
    }
}

/// Those that may be of this SELECT itself: aggregates stand in no other of its clauses.
pub(super) fn own(select: &ast::Select, query: &ast::Query) -> Vec<Call> {
    let mut finder = Finder::default();
    let _ = select.projection.visit(&mut finder);
    let _ = select.distinct.visit(&mut finder);
    let _ = select.having.visit(&mut finder);
    let _ = select.named_window.visit(&mut finder);
    let _ = query.order_by.visit(&mut finder);
    finder.calls
}

#[derive(Default)]
struct Finder {
    /// The names of the relations of each query around the place.
    around: Vec<BTreeSet<String>>,
    calls: Vec<Call>,
}

impl Finder {
    fn level(&self, function: &ast::Function) -> Level {
        let Some(innermost) = self.around.last() else {
            return Level::Own;
        };
        let mut columns = Columns {
            relations: innermost,
            any: false,
            inner: false,
        };
        let _ = function.args.visit(&mut columns);
        let _ = function.filter.visit(&mut columns);
        let _ = function.within_group.visit(&mut columns);
        match columns {
            Columns { inner: true, .. } | Columns { any: false, .. } => Level::Inner,
            _ => Level::Unsure,
        }
    }
}

impl Visitor for Finder {
    type Break = ();

    fn pre_visit_query(&mut self, query: &ast::Query) -> ControlFlow<()> {
        let mut relations = BTreeSet::new();
        // Of a set operation nobody is sure.
        if let SetExpr::Select(select) = &*query.body {
            for item in &select.from {
                let joined = item.joins.iter().map(|join| &join.relation);
                let factors = [&item.relation].into_iter().chain(joined);
                relations.extend(factors.filter_map(exposed));
            }
        }
        self.around.push(relations);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _query: &ast::Query) -> ControlFlow<()> {
        self.around.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if let Expr::Function(function) = expr
            && let Some(name) = last_part(&function.name)
        {
            self.calls.push(Call {
                name: name.to_owned(),
                windowed: function.over.is_some(),
                level: self.level(function),
            });
        }
        ControlFlow::Continue(())
    }
}

/// The name under which a relation's columns are found.
fn exposed(factor: &TableFactor) -> Option<String> {
    match factor {
        TableFactor::Table { name, alias, .. } => match alias {
            Some(alias) => Some(alias.name.value.clone()),
            None => last_part(name).map(str::to_owned),
        },
        TableFactor::Derived {
            alias: Some(alias), ..
        } => Some(alias.name.value.clone()),
        _ => None,
    }
}

/// Columns in the arguments of a call.
struct Columns<'a> {
    relations: &'a BTreeSet<String>,
    any: bool,
    /// One is surely of these relations.
    inner: bool,
}

impl Visitor for Columns<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, _query: &ast::Query) -> ControlFlow<()> {
        // Its columns may be of any level.
        self.any = true;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            Expr::Identifier(_) => self.any = true,
            Expr::CompoundIdentifier(parts) => {
                self.any = true;
                if let [relation, _] = parts.as_slice() {
                    self.inner |= self.relations.contains(&relation.value);
                }
            }
            Expr::CompoundFieldAccess { .. } | Expr::QualifiedWildcard(..) | Expr::Wildcard(_) => {
                self.any = true;
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// The name of the function where the expression is one call and nothing more: `f(…)`, with a FILTER perhaps.
pub(super) fn plain(expr: &Expr) -> Option<String> {
    let Expr::Function(function) = expr else {
        return None;
    };
    let FunctionArguments::List(list) = &function.args else {
        return None;
    };
    let is_plain = |argument: &FunctionArg| {
        matches!(
            argument,
            FunctionArg::Unnamed(FunctionArgExpr::Expr(_) | FunctionArgExpr::Wildcard)
        )
    };
    let plain = function.over.is_none()
        && function.within_group.is_empty()
        && function.null_treatment.is_none()
        && !function.uses_odbc_syntax
        && matches!(function.parameters, FunctionArguments::None)
        && list.duplicate_treatment.is_none()
        && list.clauses.is_empty()
        && list.args.iter().all(is_plain);
    match function.name.0.as_slice() {
        [_] if plain => last_part(&function.name).map(str::to_owned),
        _ => None,
    }
}
