//! Text to statements: our own lexer splits, finds literals and identifiers; `sqlparser` gives the
//! tree, for analysis only. No shard map, no I/O. Text is never printed back from a tree.

mod comments;
mod convert;
mod identifier;
mod lex;
mod literals;
mod moments;
mod operand;
mod outline;
mod parse;
mod reserved;
mod rewrite;
mod shape;
mod split;
mod template;
/// The scopes of an analysed statement.
pub mod tree;
mod unescape;

pub use comments::{Comment, hint_comments};
pub use identifier::name_list;
#[cfg(test)]
pub use lex::TOKENS_MAX;
pub use lex::{Kind, Token, position, tokens};
pub use literals::{Literal, Literals};
pub use moments::{at_moment, is_before_operand, is_moment, moments};
pub use operand::{cast_constant, is_cast_type, slot_constant};
pub use outline::{
    Body, Call, Clauses, Distinct, Expression, Groups, Item, Level, Outline, Select, closing,
};
pub use parse::{Analysis, Unread, analyse};
pub use shape::Shape;
pub use split::{Piece, only_statement, split};
pub use template::Template;

#[cfg(test)]
mod tests;
