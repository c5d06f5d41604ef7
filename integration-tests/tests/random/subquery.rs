//! Queries within expressions and beside tables, and what they may see and cost.

use crate::generator::Expr;
use crate::generator::Generator;
use crate::node::{Node, tree};
use crate::query::{Place, Query};
use crate::schema::Type;

/// Of a hundred subqueries, those that may read columns of the query around them.
const CORRELATED_PERCENT: u64 = 55;
/// Rows that are scanned, or joined, for all rows of the query around together.
const SCANNED_MAX: f64 = 300_000.0;
const JOINED_MAX: f64 = 30_000.0;

impl Generator {
    /// A subquery of a condition, if there may be more of them.
    pub fn subquery(&mut self, wanted: &[Type]) -> Option<Query> {
        self.nested(|generator| generator.query(Some(wanted), Place::Values))
    }

    /// A subquery that is a value.
    pub fn scalar(&mut self, ty: Type) -> Option<Expr> {
        let query = self.nested(|generator| generator.query(Some(&[ty]), Place::Single))?;
        self.used("scalar subquery");
        let column = &query.columns[0];
        if !column.ty.fits(ty) {
            // It was made exact, which made it another type.
            let node = tree!["(", query.node, format!(")::{}", ty.name())];
            return Some(Expr::new(node, ty).exact(false));
        }
        Some(Expr {
            node: tree!["(", query.node, ")"],
            ty: column.ty,
            bound: column.bound,
            exact: column.exact,
            plain: false,
        })
    }

    fn nested(&mut self, make: impl FnOnce(&mut Self) -> Query) -> Option<Query> {
        if self.depth >= 3 || self.subqueries_left == 0 || !self.chance(85) {
            return None;
        }
        self.subqueries_left -= 1;
        let correlated = !self.scopes.is_empty() && self.chance(CORRELATED_PERCENT);
        let rows = self.scopes.last().map_or(1.0, |scope| scope.rows).max(1.0);
        let (scan_max, product_max) = match correlated {
            true => (SCANNED_MAX / rows, (JOINED_MAX / rows).clamp(1.0, 1_000.0)),
            false => (self.scan_max, self.product_max.min(1_000.0)),
        };
        Some(self.deeper(correlated, scan_max, product_max, make))
    }

    /// A subquery that is evaluated for each row of what stands before it in FROM.
    pub fn lateral_query(&mut self) -> Query {
        let rows = self.scope().rows.max(1.0);
        self.deeper(
            true,
            SCANNED_MAX / rows,
            (JOINED_MAX / rows).clamp(1.0, 1_000.0),
            |generator| generator.query(None, Place::Derived),
        )
    }

    /// A subquery that does not see what stands beside it.
    pub fn apart(&mut self, make: impl FnOnce(&mut Self) -> Query) -> Query {
        let beside = self.scopes.pop();
        let (sees_outer, scan_max, product_max) =
            (self.sees_outer, self.scan_max, self.product_max);
        let made = self.deeper(sees_outer, scan_max, product_max, make);
        self.scopes.extend(beside);
        made
    }

    fn deeper(
        &mut self,
        sees_outer: bool,
        scan_max: f64,
        product_max: f64,
        make: impl FnOnce(&mut Self) -> Query,
    ) -> Query {
        let before = (self.sees_outer, self.scan_max, self.product_max);
        self.sees_outer = sees_outer;
        self.scan_max = scan_max.min(self.scan_max);
        self.product_max = product_max;
        self.depth += 1;
        let made = make(self);
        self.depth -= 1;
        (self.sees_outer, self.scan_max, self.product_max) = before;
        made
    }

    /// An array of what a subquery gives.
    pub fn gathered(&mut self) -> Option<Node> {
        let query = self.nested(|generator| generator.query(Some(&[Type::Int4]), Place::Values))?;
        self.used("array subquery");
        // The order of its rows is not known.
        Some(tree!["cardinality(array(", query.node, "))"])
    }
}
