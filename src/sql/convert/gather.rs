//! What is found in expressions wherever it stands: queries, calls, and the windows of window functions.

use std::collections::HashMap;
use std::ops::ControlFlow;

use sqlparser::ast::{self, Expr, FunctionArguments, Visit, Visitor, WindowType};

use super::{Converter, Result, rows};
use crate::sql::operand::operand;
use crate::sql::tree::{Call, Name, Operand, Query};

/// What the expressions of one scope hold.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) calls: Vec<Call>,
    pub(super) windows: Vec<Vec<Operand>>,
    pub(super) rows: Vec<String>,
    /// There is a GROUP BY.
    pub(super) grouped: bool,
    /// A function is called, perhaps in a query within: an aggregate there may be one of this scope.
    functions: bool,
    /// The windows of WINDOW by name, each with the place of its PARTITION BY, which it may have from another.
    named: HashMap<String, usize>,
    /// `None` once it is among `windows`: there may be many functions over one window.
    partitions: Vec<Option<Vec<Operand>>>,
}

impl Gathered {
    /// Any function may be an aggregate. Over no rows, and without groups, it gives one row.
    pub(super) fn may_aggregate_all(&self) -> bool {
        self.functions && !self.grouped
    }
}

impl Converter<'_> {
    /// The outermost queries within a node, found by the parser's visitor, whatever kind of node it is. Their
    /// places are remembered for [`super::facts()`]; calls and windows go to the scope at hand.
    pub(super) fn subqueries<N: Visit>(&mut self, node: &N, out: &mut Vec<Query>) -> Result<()> {
        self.find(node, false, out)
    }

    /// The same of a node whose expressions come out of the scope.
    pub(super) fn given<N: Visit>(&mut self, node: &N, out: &mut Vec<Query>) -> Result<()> {
        self.find(node, true, out)
    }

    fn find<N: Visit>(&mut self, node: &N, given: bool, out: &mut Vec<Query>) -> Result<()> {
        let mut finder = Finder {
            converter: self,
            depth: 0,
            rows: rows::Finder::new(given),
            out,
        };
        match node.visit(&mut finder) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(construct) => Err(construct),
        }
    }

    /// A window may be built on one that stands before it in the list.
    pub(super) fn name_windows(&mut self, list: &[ast::NamedWindowDefinition]) {
        for ast::NamedWindowDefinition(name, definition) in list {
            let base = match definition {
                ast::NamedWindowExpr::NamedWindow(base) => Some(base),
                ast::NamedWindowExpr::WindowSpec(spec) => spec.window_name.as_ref(),
            };
            let place = match (base, definition) {
                (None, ast::NamedWindowExpr::WindowSpec(spec)) => {
                    let partition = spec.partition_by.iter().map(operand).collect();
                    self.scope.partitions.push(Some(partition));
                    Some(self.scope.partitions.len() - 1)
                }
                (Some(base), _) => self.scope.named.get(&base.value).copied(),
                (None, _) => None,
            };
            if let Some(place) = place {
                self.scope.named.entry(name.value.clone()).or_insert(place);
            }
        }
    }

    /// A window that is not known is as if it had all rows: no partition.
    fn window(&mut self, over: &WindowType) {
        let base = match over {
            WindowType::NamedWindow(name) => Some(name),
            WindowType::WindowSpec(spec) => spec.window_name.as_ref(),
        };
        let partition = match (base, over) {
            (None, WindowType::WindowSpec(spec)) => spec.partition_by.iter().map(operand).collect(),
            (Some(base), _) => match self.scope.named.get(&base.value) {
                None => Vec::new(),
                Some(place) => match self.scope.partitions[*place].take() {
                    None => return,
                    Some(partition) => partition,
                },
            },
            (None, _) => Vec::new(),
        };
        self.scope.windows.push(partition);
    }

    fn function(&mut self, function: &ast::Function) -> Result<()> {
        if let Some(over) = &function.over {
            self.window(over);
        }
        if !self.is_call(&function.name) {
            return Ok(());
        }
        let unusual = function.over.is_some()
            || function.filter.is_some()
            || !function.within_group.is_empty()
            || !matches!(function.parameters, FunctionArguments::None);
        let arguments = match &function.args {
            FunctionArguments::List(list)
                if !unusual && list.duplicate_treatment.is_none() && list.clauses.is_empty() =>
            {
                positional(&list.args)
            }
            _ => None,
        };
        let call = self.call(&function.name, arguments)?;
        self.scope.calls.push(call);
        Ok(())
    }

    pub(super) fn is_call(&self, name: &ast::ObjectName) -> bool {
        last_part(name).is_some_and(|name| (self.is_call)(name))
    }

    pub(super) fn call(
        &mut self,
        name: &ast::ObjectName,
        arguments: Option<Vec<Operand>>,
    ) -> Result<Call> {
        self.calls += 1;
        let part = |part: &ast::ObjectNamePart| part.as_ident().map(|ident| ident.value.clone());
        let name = match name.0.as_slice() {
            [name] => part(name).map(|name| Name { schema: None, name }),
            [schema, name] => part(schema).zip(part(name)).map(|(schema, name)| Name {
                schema: Some(schema),
                name,
            }),
            _ => None,
        };
        let name = name.ok_or("a function name of more than two parts")?;
        Ok(Call { name, arguments })
    }
}

/// A function's name without its schema.
pub(in crate::sql) fn last_part(name: &ast::ObjectName) -> Option<&str> {
    let last = name.0.last()?.as_ident()?;
    Some(&last.value)
}

/// `None` where an argument is not an expression at its position.
pub(super) fn positional(arguments: &[ast::FunctionArg]) -> Option<Vec<Operand>> {
    let value = |argument: &ast::FunctionArg| match argument {
        ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(expr)) => Some(operand(expr)),
        _ => None,
    };
    arguments.iter().map(value).collect()
}

struct Finder<'c, 'a> {
    converter: &'c mut Converter<'a>,
    depth: usize,
    rows: rows::Finder,
    out: &'c mut Vec<Query>,
}

impl Visitor for Finder<'_, '_> {
    type Break = String;

    fn pre_visit_query(&mut self, query: &ast::Query) -> ControlFlow<String> {
        if self.depth == 0 {
            match self.converter.query(query) {
                Ok(converted) => {
                    let place = self.out.len();
                    self.converter.places.insert(address(query), place);
                    self.out.push(converted);
                }
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

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<String> {
        if let Expr::Function(function) = expr {
            self.converter.scope.functions = true;
            if self.depth == 0
                && let Err(construct) = self.converter.function(function)
            {
                return ControlFlow::Break(construct);
            }
        }
        if self.depth == 0 {
            self.rows.enter(expr, &mut self.converter.scope.rows);
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &Expr) -> ControlFlow<String> {
        if self.depth == 0 {
            self.rows.leave(expr);
        }
        ControlFlow::Continue(())
    }
}

/// What tells one query of the parser's tree from another while the tree is there.
pub(super) fn address(query: &ast::Query) -> usize {
    std::ptr::from_ref(query).addr()
}
