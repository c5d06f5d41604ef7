//! A statement as a tree of pieces of text. Some pieces may be left out, others have simpler ones in their place, so that a
//! statement that is answered wrongly can be made smaller by whoever knows nothing of SQL.

use integration_tests::pair::{Parameter, Rows};

#[derive(Clone, Debug)]
pub enum Node {
    Text(String),
    All(Vec<Node>),
    /// A value that is sent beside the text, and the type it is cast to. The same number is the same parameter.
    Parameter {
        number: usize,
        value: Parameter,
        cast: Option<&'static str>,
    },
    /// May be left out.
    Optional(Box<Node>),
    /// May be one of these instead.
    Or(Box<Node>, Vec<Node>),
    /// While it is there, this much of the rows is defined.
    Defines(Rows, Box<Node>),
}

/// A node of pieces of text and nodes.
macro_rules! tree {
    ($($piece:expr),* $(,)?) => {
        $crate::node::Node::All(vec![$($crate::node::Node::from($piece)),*])
    };
}
pub(crate) use tree;

impl From<&str> for Node {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Node {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&String> for Node {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}

impl From<&Node> for Node {
    fn from(node: &Node) -> Self {
        node.clone()
    }
}

impl Node {
    pub fn nothing() -> Self {
        Self::All(Vec::new())
    }

    pub fn optional(self) -> Self {
        Self::Optional(Box::new(self))
    }

    pub fn or(self, simpler: Vec<Node>) -> Self {
        Self::Or(Box::new(self), simpler)
    }

    pub fn defines(self, rows: Rows) -> Self {
        Self::Defines(rows, Box::new(self))
    }

    /// A list, each piece of which but the first may be left out.
    pub fn list(pieces: Vec<Node>, separator: &str) -> Self {
        let pieces = pieces.into_iter().enumerate();
        Self::All(
            pieces
                .map(|(number, piece)| match number {
                    0 => piece,
                    _ => tree![separator, piece].optional(),
                })
                .collect(),
        )
    }

    /// A list that stays as it is.
    pub fn joined(pieces: Vec<Node>, separator: &str) -> Self {
        let pieces = pieces.into_iter().enumerate();
        Self::All(
            pieces
                .map(|(number, piece)| match number {
                    0 => piece,
                    _ => tree![separator, piece],
                })
                .collect(),
        )
    }

    pub fn text(&self) -> Text {
        let mut text = Text {
            sql: String::new(),
            parameters: Vec::new(),
            numbers: Vec::new(),
            rows: Rows::Unordered,
        };
        text.add(self);
        text
    }

    /// The tree with the change of this number made: something left out, or something simpler. `None`: there are fewer.
    pub fn smaller(&self, number: usize) -> Option<Self> {
        let (mut tree, mut left) = (self.clone(), number);
        tree.shrink(&mut left).then_some(tree)
    }

    /// Whether the change was within.
    fn shrink(&mut self, left: &mut usize) -> bool {
        match self {
            Self::Text(_) | Self::Parameter { .. } => false,
            Self::All(nodes) => nodes.iter_mut().any(|node| node.shrink(left)),
            Self::Defines(_, node) => node.shrink(left),
            Self::Optional(node) => {
                if *left == 0 {
                    *self = Self::nothing();
                    return true;
                }
                *left -= 1;
                node.shrink(left)
            }
            Self::Or(node, simpler) => {
                if *left < simpler.len() {
                    *self = simpler.swap_remove(*left);
                    return true;
                }
                *left -= simpler.len();
                node.shrink(left)
            }
        }
    }
}

/// What is sent, and how much of the answer is defined.
pub struct Text {
    pub sql: String,
    pub parameters: Vec<Parameter>,
    /// The tree's numbers of the parameters.
    numbers: Vec<usize>,
    pub rows: Rows,
}

impl Text {
    fn add(&mut self, node: &Node) {
        match node {
            Node::Text(text) => self.sql += text,
            Node::All(nodes) => nodes.iter().for_each(|node| self.add(node)),
            Node::Optional(node) | Node::Or(node, _) => self.add(node),
            Node::Defines(rows, node) => {
                self.rows = *rows;
                self.add(node);
            }
            Node::Parameter {
                number,
                value,
                cast,
            } => {
                let known = self.numbers.iter().position(|known| known == number);
                let place = known.unwrap_or_else(|| {
                    self.numbers.push(*number);
                    self.parameters.push(value.clone());
                    self.numbers.len() - 1
                });
                self.sql += &format!("${}", place + 1);
                if let Some(cast) = cast {
                    self.sql += &format!("::{cast}");
                }
            }
        }
    }
}

#[test]
fn pieces_are_left_out_one_after_the_other() {
    let tree = tree![
        "select ",
        tree!["(a + b)"].or(vec![tree!["a"], tree!["b"]]),
        tree![" where c", tree![" and d"].optional()].optional(),
    ];
    let all: Vec<_> = (0..)
        .map_while(|number| tree.smaller(number))
        .map(|tree| tree.text().sql)
        .collect();
    assert_eq!(
        all,
        [
            "select a where c and d",
            "select b where c and d",
            "select (a + b)",
            "select (a + b) where c"
        ]
    );
}
