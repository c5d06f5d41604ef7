//! What a column name means.

use std::rc::Rc;

use super::{Exposed, Frame, Joined, Leaf, Node, OutColumn, Tree, Value, Walker};
use crate::sql::tree::{Column, JoinKind, Name, Operand};

/// What a level has under an unqualified name.
#[derive(Clone, Copy)]
enum Provider<'a> {
    /// This column. Where another relation, whose columns are not known, has it too, PostgreSQL calls the
    /// name ambiguous.
    Found(Value<'a>),
    /// Perhaps a column, of a relation whose columns are not known, or one that says nothing.
    Unknown,
    Absent,
}

/// Every table has them, and they are no keys.
/// Source: <https://www.postgresql.org/docs/current/ddl-system-columns.html>
const SYSTEM_COLUMNS: [&str; 6] = ["tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"];

impl<'a> Walker<'a, '_> {
    /// `here` is the level the operand stands at.
    pub(super) fn resolve(&mut self, operand: &'a Operand, here: &Frame) -> Value<'a> {
        match operand {
            Operand::Column(column) => self.column_of(column, here),
            Operand::CastColumn(column, to) => {
                let value = self.column_of(column, here);
                let own = match value {
                    Value::Node(node) => self.key_type(node),
                    Value::Argument(_, declared) => Some(declared),
                    Value::Operand(_) | Value::Nothing => None,
                };
                match own {
                    // It changes no value and cannot fail.
                    Some(own) if own.widens_to(*to) => value,
                    _ => Value::Nothing,
                }
            }
            Operand::Param { index, cast, array } => match self.sight.arguments.clone() {
                None => Value::Operand(operand),
                Some(_) if *array => Value::Nothing,
                Some(arguments) => {
                    let value = arguments
                        .get(usize::from(*index))
                        .map_or(Value::Nothing, |argument| argument.value);
                    let same = |family| cast.is_none_or(|cast| cast.family() == family);
                    match value {
                        Value::Argument(_, declared) if same(declared.family()) => value,
                        Value::Node(node)
                            if self.key_type(node).is_some_and(|of| same(of.family())) =>
                        {
                            value
                        }
                        _ => Value::Nothing,
                    }
                }
            },
            Operand::Constant(_) | Operand::Slot(_) => Value::Operand(operand),
            Operand::Other => Value::Nothing,
        }
    }

    fn column_of(&mut self, column: &'a Column, here: &Frame) -> Value<'a> {
        let value = self.column(column, here);
        if let Value::Node(node) = value
            && !here.leaves.contains(&node.leaf)
        {
            self.tally.referenced.insert(node);
        }
        value
    }

    fn column(&self, column: &'a Column, here: &Frame) -> Value<'a> {
        if let Some(relation) = &column.relation {
            return self.qualified(relation, &column.name, here);
        }
        let outer = self.sight.frames.iter().rev().map(Rc::as_ref);
        for level in std::iter::once(here).chain(outer) {
            match self.provide_all(&level.visible, &column.name) {
                Provider::Found(value) => return value,
                Provider::Unknown => return Value::Nothing,
                Provider::Absent => {}
            }
        }
        self.argument_named(&column.name).unwrap_or(Value::Nothing)
    }

    /// No relation in sight has a column of that name: all their columns are known.
    pub(super) fn is_no_column(&self, name: &str, here: &Frame) -> bool {
        matches!(self.provide_all(&here.visible, name), Provider::Absent)
    }

    fn argument_named(&self, name: &str) -> Option<Value<'a>> {
        let mut arguments = self.sight.arguments.iter().flat_map(|list| list.iter());
        let argument = arguments.find(|argument| argument.name == Some(name))?;
        Some(argument.value)
    }

    /// Looks for the qualifier from the innermost level outwards. PostgreSQL would look past a relation that
    /// is not in sight; a name that occurs out of sight gives nothing, so that we never look further than it.
    ///
    /// `f.x` may be the argument `x` of the function `f` whose body this is. In a body as it was written a column
    /// comes first; one that `pg_get_function_sqlbody` has printed does not say which of the two it is.
    /// Source: <https://www.postgresql.org/docs/current/xfunc-sql.html#XFUNC-SQL-FUNCTION-ARGUMENTS>
    fn qualified(&self, relation: &Name, column: &str, here: &Frame) -> Value<'a> {
        if relation.schema.is_none()
            && self.sight.function == Some(relation.name.as_str())
            && let Some(argument) = self.argument_named(column)
        {
            let outer = self.sight.frames.iter().map(Rc::as_ref);
            let mut leaves = std::iter::once(here)
                .chain(outer)
                .flat_map(|level| &level.leaves)
                .map(|leaf| &self.leaves[*leaf]);
            let hides = |leaf: &Leaf<'_>| {
                matches!(leaf.exposed, Exposed::Unknown) || exposes(leaf, relation)
            };
            if !leaves.any(hides) {
                return argument;
            }
            if self.sight.atomic {
                return Value::Nothing;
            }
        }
        let Some(leaf) = self.qualifier(relation, here) else {
            return Value::Nothing;
        };
        match self.of_leaf(leaf, column) {
            Provider::Found(value) => value,
            _ => Value::Nothing,
        }
    }

    /// The leaf a qualifier means.
    pub(super) fn qualifier(&self, relation: &Name, here: &Frame) -> Option<usize> {
        let outer = self.sight.frames.iter().rev().map(Rc::as_ref);
        for level in std::iter::once(here).chain(outer) {
            let mut found = level
                .leaves
                .iter()
                .copied()
                .filter(|leaf| exposes(&self.leaves[*leaf], relation));
            if let Some(leaf) = found.next() {
                let visible = || level.visible.iter().any(|tree| self.holds(*tree, leaf));
                return (found.next().is_none() && visible()).then_some(leaf);
            }
            let unknown = |leaf: &usize| matches!(self.leaves[*leaf].exposed, Exposed::Unknown);
            if level.leaves.iter().any(unknown) {
                return None;
            }
        }
        None
    }

    fn holds(&self, tree: usize, leaf: usize) -> bool {
        match &self.trees[tree] {
            Tree::Leaf(own) => *own == leaf,
            Tree::Join(join) => join.leaves.contains(&leaf),
        }
    }

    /// A column by its name, of one leaf.
    fn of_leaf(&self, leaf: usize, column: &str) -> Provider<'a> {
        let this = &self.leaves[leaf];
        let mut found = this
            .columns
            .iter()
            .enumerate()
            .filter(|(_, known)| known.name == Some(column));
        let all_named = || this.columns.iter().all(|known| known.name.is_some());
        match (found.next(), found.next()) {
            (Some((column, _)), None) => Provider::Found(Value::Node(Node { leaf, column })),
            (None, _) if this.complete && all_named() && !SYSTEM_COLUMNS.contains(&column) => {
                Provider::Absent
            }
            _ => Provider::Unknown,
        }
    }

    fn provide_all(&self, trees: &[usize], column: &str) -> Provider<'a> {
        let mut all = Provider::Absent;
        for tree in trees {
            all = combine(all, self.provide(*tree, column));
        }
        all
    }

    fn provide(&self, tree: usize, column: &str) -> Provider<'a> {
        let join = match &self.trees[tree] {
            Tree::Leaf(leaf) => {
                return match self.leaves[*leaf].exposed {
                    Exposed::Hidden | Exposed::Qualified(_) => Provider::Absent,
                    _ => self.of_leaf(*leaf, column),
                };
            }
            Tree::Join(join) => join,
        };
        if join.natural_unknown {
            return Provider::Unknown;
        }
        if join.merged.contains(&column) {
            return Provider::Found(self.merged(join, column));
        }
        combine(
            self.provide(join.left, column),
            self.provide(join.right, column),
        )
    }

    /// The merged column is that of the preserved side, if both are of one family of types: otherwise it is
    /// converted to the type they have in common, and what it is compared with is read as that.
    fn merged(&self, join: &Joined<'a>, column: &str) -> Value<'a> {
        let Some((left, right)) = self.using(join.left, join.right, column) else {
            return Value::Nothing;
        };
        match join.kind {
            _ if !self.comparable(left, right) => Value::Nothing,
            JoinKind::Inner | JoinKind::Left => Value::Node(left),
            JoinKind::Right => Value::Node(right),
            JoinKind::Full => Value::Nothing,
        }
    }

    /// The two columns that `USING (column)` compares.
    pub(super) fn using(&self, left: usize, right: usize, column: &str) -> Option<(Node, Node)> {
        match (self.provide(left, column), self.provide(right, column)) {
            (Provider::Found(Value::Node(left)), Provider::Found(Value::Node(right))) => {
                Some((left, right))
            }
            _ => None,
        }
    }

    /// What `*` over a tree gives, in order; false where it gives more.
    pub(super) fn star(&self, tree: usize, out: &mut Vec<OutColumn<'a>>) -> bool {
        let join = match &self.trees[tree] {
            Tree::Leaf(leaf) => {
                return match self.leaves[*leaf].exposed {
                    Exposed::Hidden | Exposed::Qualified(_) => true,
                    _ => self.star_of(*leaf, out),
                };
            }
            Tree::Join(join) => join,
        };
        if join.natural_unknown {
            return false;
        }
        for column in &join.merged {
            out.push(OutColumn {
                name: Some(column),
                values: vec![self.merged(join, column)],
            });
        }
        let mut sides = Vec::new();
        let mut complete = self.star(join.left, &mut sides) & self.star(join.right, &mut sides);
        // A column whose name is not known may be one of the merged.
        complete &= join.merged.is_empty() || sides.iter().all(|column| column.name.is_some());
        sides.retain(|column| column.name.is_none_or(|name| !join.merged.contains(&name)));
        out.append(&mut sides);
        complete
    }

    /// What `t.*` gives.
    pub(super) fn star_of(&self, leaf: usize, out: &mut Vec<OutColumn<'a>>) -> bool {
        let this = &self.leaves[leaf];
        out.extend(
            this.columns
                .iter()
                .enumerate()
                .map(|(column, known)| OutColumn {
                    name: known.name,
                    values: vec![Value::Node(Node { leaf, column })],
                }),
        );
        this.complete
    }
}

/// Two columns of one name make it ambiguous.
fn combine<'a>(one: Provider<'a>, other: Provider<'a>) -> Provider<'a> {
    match (one, other) {
        (Provider::Found(_), Provider::Found(_)) => Provider::Unknown,
        (found @ Provider::Found(_), _) | (_, found @ Provider::Found(_)) => found,
        (Provider::Unknown, _) | (_, Provider::Unknown) => Provider::Unknown,
        (Provider::Absent, Provider::Absent) => Provider::Absent,
    }
}

fn exposes(leaf: &Leaf<'_>, relation: &Name) -> bool {
    match &leaf.exposed {
        Exposed::Named { schema, name } => {
            *name == relation.name
                && (relation.schema.is_none() || relation.schema.as_deref() == *schema)
        }
        Exposed::Qualified(name) => *name == relation.name && relation.schema.is_none(),
        Exposed::Unknown | Exposed::Unnamed | Exposed::Hidden => false,
    }
}
