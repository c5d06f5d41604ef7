//! What is found in expressions wherever it stands: queries, calls, and the windows of window functions.

use std::ops::ControlFlow;

use sqlparser::ast::{self, Expr, FunctionArguments, Visit, Visitor, WindowType};

use super::{Converter, Result};
use crate::sql::operand::operand;
use crate::sql::tree::{Call, Name, Operand, Query};

/// What the expressions of one scope hold.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) calls: Vec<Call>,
    pub(super) windows: Vec<Vec<Operand>>,
    /// The PARTITION BY of the windows of WINDOW.
    named: Vec<(String, Vec<Operand>)>,
}

impl Converter<'_> {
    /// The outermost queries within a node, found by the parser's visitor, whatever kind of node it is. Their
    /// places are remembered for [`super::facts`]; calls and windows go to the scope at hand.
    pub(super) fn subqueries<N: Visit>(&mut self, node: &N, out: &mut Vec<Query>) -> Result<()> {
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

    /// A window may be built on one that stands before it in the list.
    pub(super) fn name_windows(&mut self, list: &[ast::NamedWindowDefinition]) {
        for ast::NamedWindowDefinition(name, definition) in list {
            let partition = match definition {
                ast::NamedWindowExpr::NamedWindow(base) => self.named_window(base),
                ast::NamedWindowExpr::WindowSpec(spec) => self.partition(spec),
            };
            self.scope.named.push((name.value.clone(), partition));
        }
    }

    /// Empty where it is not known, which is as if the window had all rows.
    fn named_window(&self, name: &ast::Ident) -> Vec<Operand> {
        let mut named = self.scope.named.iter();
        named
            .find(|(known, _)| *known == name.value)
            .map(|(_, partition)| partition.clone())
            .unwrap_or_default()
    }

    fn partition(&self, spec: &ast::WindowSpec) -> Vec<Operand> {
        match &spec.window_name {
            Some(base) if spec.partition_by.is_empty() => self.named_window(base),
            Some(_) => Vec::new(),
            None => spec.partition_by.iter().map(operand).collect(),
        }
    }

    fn function(&mut self, function: &ast::Function) -> Result<()> {
        if let Some(over) = &function.over {
            let partition = match over {
                WindowType::NamedWindow(name) => self.named_window(name),
                WindowType::WindowSpec(spec) => self.partition(spec),
            };
            self.scope.windows.push(partition);
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
        if self.depth == 0
            && let Expr::Function(function) = expr
            && let Err(construct) = self.converter.function(function)
        {
            return ControlFlow::Break(construct);
        }
        ControlFlow::Continue(())
    }
}

/// What tells one query of the parser's tree from another while the tree is there.
pub(super) fn address(query: &ast::Query) -> usize {
    std::ptr::from_ref(query).addr()
}
