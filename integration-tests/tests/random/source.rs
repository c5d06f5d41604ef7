//! What a FROM clause reads: tables, views, subqueries, common table expressions, VALUES, functions that give rows.

use crate::generator::{Expr, Generator};
use crate::node::{Node, tree};
use crate::query::Place;
use crate::schema::{Column, Type};
use crate::value::quoted;

/// Something in a FROM clause.
#[derive(Clone)]
pub struct Source {
    pub alias: String,
    pub columns: Vec<Column>,
    /// Columns by which rows are told apart, or at least those that do not look the same.
    pub key: Option<Vec<usize>>,
    /// Whether they are a key, or else equal rows may be there twice.
    pub unique: bool,
    pub rows: f64,
}

impl Source {
    pub fn expr(&self, column: &Column) -> Expr {
        Expr {
            node: tree_of_name(&self.alias, &column.name),
            ty: column.ty,
            bound: column.bound,
            exact: column.exact,
            plain: true,
        }
    }

    pub fn column(&self, name: &str) -> Option<Expr> {
        let column = self.columns.iter().find(|column| column.name == name)?;
        Some(self.expr(column))
    }

    /// Of a subquery or the like: rows that are equal look the same if every column does.
    pub fn of_columns(alias: String, columns: Vec<Column>, rows: f64, unique: bool) -> Self {
        let comparable = columns
            .iter()
            .all(|column| column.exact && column.ty != Type::Json);
        Self {
            alias,
            key: comparable.then(|| (0..columns.len()).collect()),
            columns,
            unique,
            rows,
        }
    }
}

fn tree_of_name(alias: &str, column: &str) -> Node {
    Node::Text(format!("{alias}.{column}"))
}

/// A source before it is known how many of its rows are too many.
pub struct Draft {
    pub source: Source,
    /// Its number among the tables.
    table: Option<usize>,
    node: Node,
    /// Whether its columns have other names here.
    renamed: bool,
    /// It reads columns of those before it.
    pub is_lateral: bool,
}

/// Where a condition goes that leaves few rows of a table.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Restrict {
    /// Into WHERE, or ON of an inner join.
    Beside,
    /// Into a subquery around the table, for an outer join keeps or makes up rows.
    Within,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Table,
    Derived,
    Cte,
    Values,
    Series,
    Unnest,
    LateralQuery,
    LateralFunction,
}

const KINDS: [(u64, Kind); 8] = [
    (72, Kind::Table),
    (9, Kind::Derived),
    (12, Kind::Cte),
    (4, Kind::Values),
    (3, Kind::Series),
    (2, Kind::Unnest),
    (5, Kind::LateralQuery),
    (3, Kind::LateralFunction),
];
/// Queries within queries.
const DEPTH_MAX: u32 = 2;

impl Generator {
    /// `lateral`: it may read the columns in sight, for it is joined to what gives them.
    pub fn source(&mut self, lateral: bool) -> Draft {
        let kind = self.weighted(&KINDS);
        match kind {
            Kind::Derived if self.depth < DEPTH_MAX => self.derived(false),
            Kind::LateralQuery if lateral && self.depth < DEPTH_MAX => self.derived(true),
            Kind::LateralFunction if lateral => match self.lateral_function() {
                Some(draft) => draft,
                None => self.table(),
            },
            Kind::Cte if !self.ctes.is_empty() => self.cte(),
            Kind::Values => self.values(),
            Kind::Series => self.series(),
            Kind::Unnest => self.unnest(),
            _ => self.table(),
        }
    }

    fn table(&mut self) -> Draft {
        let scan_max = self.scan_max.max(10.0);
        let known: Vec<_> = (0..self.tables.len())
            .filter(|number| self.tables[*number].1.rows <= scan_max)
            .map(|number| (self.tables[number].0, number))
            .collect();
        let number = self.weighted(&known);
        let alias = self.name("t");
        let table = &self.tables[number].1;
        let (name, unique) = (table.name, table.name != "tags");
        let mut source = Source {
            alias,
            columns: table.columns.clone(),
            key: Some((0..table.key).collect()),
            unique,
            rows: table.rows,
        };
        let renamed = source.columns.len() <= 8 && self.chance(4);
        if renamed {
            self.used("column aliases");
            for (number, column) in source.columns.iter_mut().enumerate() {
                column.name = format!("a{}", number + 1);
            }
        }
        self.used(name);
        Draft {
            source,
            table: Some(number),
            node: Node::nothing(),
            renamed,
            is_lateral: false,
        }
    }

    /// The text of a draft, and a condition on it that has to hold. Few rows: at most this many, if there is a way.
    pub fn finish(
        &mut self,
        draft: &mut Draft,
        rows_max: f64,
        restrict: Restrict,
    ) -> (Node, Option<Node>) {
        let Some(number) = draft.table else {
            return (draft.node.clone(), None);
        };
        let table = &self.tables[number].1;
        let (name, restrictions) = (table.name, table.restrictions);
        let restricted = table.rows > rows_max || self.chance(8);
        let mut alias = draft.source.alias.clone();
        if draft.renamed {
            let columns = draft.source.columns.iter();
            let names: Vec<_> = columns.map(|column| column.name.as_str()).collect();
            alias += &format!(" ({})", names.join(", "));
        }
        let written = match self.below(12) {
            0 => format!("public.{name}"),
            1 => format!("\"{name}\""),
            2 => name.to_uppercase(),
            _ => name.to_owned(),
        };
        let word = self.pick(&[" ", " ", " as "]);
        if !restricted || restrictions.is_empty() {
            return (tree![format!("{written}{word}{alias}")], None);
        }
        let fitting: Vec<_> = restrictions
            .iter()
            .filter(|(_, rows)| *rows <= rows_max)
            .copied()
            .collect();
        let fewest = restrictions
            .iter()
            .min_by(|a, b| a.1.total_cmp(&b.1))
            .expect("there are some");
        let (condition, rows) = match fitting.is_empty() {
            true => *fewest,
            false => self.pick(&fitting),
        };
        draft.source.rows = rows;
        if restrict == Restrict::Beside && !draft.renamed && self.chance(70) {
            let condition = condition.replace('@', &alias);
            return (
                tree![format!("{written}{word}{alias}")],
                Some(tree![condition]),
            );
        }
        self.used("subquery of a table");
        let condition = condition.replace("@.", "");
        let node = format!("(select * from {written} where {condition}){word}{alias}");
        (tree![node], None)
    }

    fn derived(&mut self, lateral: bool) -> Draft {
        let query = match lateral {
            true => self.lateral_query(),
            false => self.apart(|generator| generator.query(None, Place::Derived)),
        };
        self.used(if lateral {
            "lateral"
        } else {
            "subquery in from"
        });
        let alias = self.name("d");
        let word = if lateral { "lateral (" } else { "(" };
        let node = tree![word, query.node, format!(") {alias}")];
        Draft {
            source: Source::of_columns(alias, query.columns, query.rows, query.unique),
            table: None,
            renamed: false,
            node,
            is_lateral: lateral,
        }
    }

    fn cte(&mut self) -> Draft {
        let number = self.below(self.ctes.len() as u64) as usize;
        let cte = self.ctes[number].clone();
        self.used("common table expression read");
        let alias = self.name("e");
        let node = tree![format!("{} {alias}", cte.name)];
        Draft {
            source: Source::of_columns(alias, cte.columns, cte.rows, false),
            table: None,
            renamed: false,
            node,
            is_lateral: false,
        }
    }

    fn values(&mut self) -> Draft {
        self.used("values in from");
        let alias = self.name("v");
        let types: Vec<Type> = (0..1 + self.below(3))
            .map(|number| match number {
                0 => self.pick(&[Type::Int8, Type::Int4, Type::Text]),
                _ => self.pick(&[
                    Type::Int4,
                    Type::Text,
                    Type::Date,
                    Type::Numeric,
                    Type::Bool,
                ]),
            })
            .collect();
        let count = 1 + self.below(4);
        let rows: Vec<Node> = (0..count)
            .map(|_| {
                let row = types.iter().map(|ty| self.typed_literal(*ty)).collect();
                tree!["(", Node::joined(row, ", "), ")"]
            })
            .collect();
        let columns: Vec<_> = types
            .iter()
            .enumerate()
            .map(|(number, ty)| Column {
                name: format!("x{}", number + 1),
                ty: *ty,
                bound: 1e4,
                exact: *ty != Type::Numeric,
            })
            .collect();
        let names: Vec<_> = columns.iter().map(|column| column.name.clone()).collect();
        let node = tree![
            "(values ",
            Node::list(rows, ", "),
            format!(") {alias} ({})", names.join(", "))
        ];
        Draft {
            source: Source::of_columns(alias, columns, count as f64, false),
            table: None,
            renamed: false,
            node,
            is_lateral: false,
        }
    }

    /// A literal of exactly this type.
    pub fn typed_literal(&mut self, ty: Type) -> Node {
        let literal = self.literal(ty);
        match literal.ty == ty {
            true => literal.node,
            false => tree!["(", literal.node, format!(")::{}", ty.name())],
        }
    }

    fn series(&mut self) -> Draft {
        self.used("generate_series");
        let alias = self.name("g");
        let (call, ty, rows) = match self.below(4) {
            0 => (
                "generate_series('2025-01-01'::timestamp, '2025-01-08', '1 day')",
                Type::Timestamp,
                8.0,
            ),
            1 => ("generate_series(1::bigint, 12)", Type::Int8, 12.0),
            _ => ("generate_series(0, 8)", Type::Int4, 9.0),
        };
        let columns = vec![Column {
            name: "n".to_owned(),
            ty,
            bound: 100.0,
            exact: true,
        }];
        Draft {
            node: tree![format!("{call} {alias} (n)")],
            source: Source::of_columns(alias, columns, rows, true),
            table: None,
            renamed: false,
            is_lateral: false,
        }
    }

    fn unnest(&mut self) -> Draft {
        self.used("unnest");
        let alias = self.name("u");
        let (elements, ty) = match self.below(2) {
            0 => ("array[1, 2, 5, 5, null]".to_owned(), Type::Int4),
            _ => (
                format!("array[{}, 'final', null]::text[]", quoted("Team 3")),
                Type::Text,
            ),
        };
        self.elements(alias, &tree![elements], ty, false, 5.0)
    }

    /// The elements of an array and their places.
    fn elements(
        &mut self,
        alias: String,
        array: &Node,
        ty: Type,
        lateral: bool,
        rows: f64,
    ) -> Draft {
        let column = |name: &str, ty, bound| Column {
            name: name.to_owned(),
            ty,
            bound,
            exact: true,
        };
        let bound = if lateral { f64::INFINITY } else { 10.0 };
        let columns = vec![
            column("element", ty, bound),
            column("place", Type::Int8, 1e4),
        ];
        let node = tree![
            "unnest(",
            array,
            format!(") with ordinality {alias} (element, place)")
        ];
        Draft {
            source: Source {
                alias,
                columns,
                key: Some(vec![1]),
                unique: true,
                rows,
            },
            table: None,
            renamed: false,
            node,
            is_lateral: lateral,
        }
    }

    fn lateral_function(&mut self) -> Option<Draft> {
        let (alias, word) = (self.name("f"), self.pick(&["", "lateral "]));
        let fits = |atom: &Expr| {
            matches!(atom.ty, Type::Ints | Type::Texts)
                || atom.ty.is_integer() && atom.bound <= 1001.0
        };
        let atom = self.atom(|atom| atom.plain && fits(atom))?;
        self.used("lateral function");
        let mut draft = match atom.ty {
            Type::Ints => self.elements(alias, &atom.node, Type::Int4, true, 3.0),
            Type::Texts => self.elements(alias, &atom.node, Type::Text, true, 3.0),
            _ => {
                let call = tree![
                    "generate_series(1, least(",
                    atom.node,
                    format!(", 3)) {alias} (n)")
                ];
                let columns = vec![Column {
                    name: "n".to_owned(),
                    ty: atom.ty,
                    bound: 10.0,
                    exact: true,
                }];
                Draft {
                    source: Source::of_columns(alias, columns, 3.0, true),
                    table: None,
                    renamed: false,
                    node: call,
                    is_lateral: true,
                }
            }
        };
        draft.node = tree![word, draft.node];
        Some(draft)
    }
}

impl Generator {
    /// The fewest rows to which it can be restricted.
    pub fn fewest(&self, draft: &Draft) -> f64 {
        let Some(number) = draft.table else {
            return draft.source.rows;
        };
        let table = &self.tables[number].1;
        let rows = table.restrictions.iter().map(|(_, rows)| *rows);
        rows.fold(table.rows, f64::min)
    }
}
