//! Names in expressions that may be those of relations, whose rows are meant as a whole: `select m from matches m`,
//! `array_agg(m)`, `f(m.*)`. Left out are those of which only JSON, text or a comparison comes out, and so nothing of
//! their type.

use sqlparser::ast::{self, BinaryOperator, Expr, FunctionArg, FunctionArgExpr};

use super::last_part;

/// What makes text, JSON or a number of any row, and looks at its type for its columns' names only.
const TYPELESS: [&str; 21] = [
    "array_length",
    "array_to_json",
    "array_to_string",
    "cardinality",
    "concat",
    "concat_ws",
    "count",
    "format",
    "json_agg",
    "json_build_array",
    "json_build_object",
    "json_object_agg",
    "jsonb_agg",
    "jsonb_build_array",
    "jsonb_build_object",
    "jsonb_object_agg",
    "num_nonnulls",
    "num_nulls",
    "row_to_json",
    "to_json",
    "to_jsonb",
];

/// Follows the parser's visitor through the expressions of one scope.
pub(super) struct Finder {
    /// Of the expressions around that decide it, whether the type of what stands within may matter.
    around: Vec<bool>,
    given: bool,
}

impl Finder {
    /// `given`: the expressions come out of their scope.
    pub(super) fn new(given: bool) -> Self {
        Self {
            around: Vec::new(),
            given,
        }
    }

    pub(super) fn enter(&mut self, expr: &Expr, rows: &mut Vec<String>) {
        if let Some(matters) = matters_within(expr) {
            self.around.push(matters);
            if let (Expr::Function(function), true) = (expr, matters) {
                rows.extend(starred(function));
            }
        }
        if let Expr::Identifier(name) = expr
            && *self.around.last().unwrap_or(&self.given)
        {
            rows.push(name.value.clone());
        }
    }

    pub(super) fn leave(&mut self, expr: &Expr) {
        if matters_within(expr).is_some() {
            self.around.pop();
        }
    }
}

/// `None` where it is as in what stands around it.
fn matters_within(expr: &Expr) -> Option<bool> {
    match expr {
        Expr::Function(function) => {
            let name = last_part(&function.name);
            Some(!name.is_some_and(|name| TYPELESS.contains(&name)))
        }
        Expr::IsNull(_) | Expr::IsNotNull(_) => Some(false),
        Expr::IsDistinctFrom(..) | Expr::IsNotDistinctFrom(..) => Some(false),
        Expr::BinaryOp { op, .. } => {
            let compares = matches!(
                op,
                BinaryOperator::Eq
                    | BinaryOperator::NotEq
                    | BinaryOperator::Lt
                    | BinaryOperator::LtEq
                    | BinaryOperator::Gt
                    | BinaryOperator::GtEq
            );
            compares.then_some(false)
        }
        Expr::Cast {
            data_type: ast::DataType::Text | ast::DataType::Varchar(None),
            ..
        } => Some(false),
        // `(m).home`: a column.
        Expr::CompoundFieldAccess { .. } => Some(false),
        _ => None,
    }
}

/// `f(m.*)` is `f(m)`, but `row(m.*)` has its columns.
fn starred(function: &ast::Function) -> impl Iterator<Item = String> {
    let arguments = match &function.args {
        ast::FunctionArguments::List(list) if last_part(&function.name) != Some("row") => {
            &list.args[..]
        }
        _ => &[],
    };
    arguments.iter().filter_map(|argument| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::QualifiedWildcard(name)) => {
            last_part(name).map(str::to_owned)
        }
        _ => None,
    })
}
