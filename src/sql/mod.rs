//! Text to statements: our own lexer splits, finds literals and identifiers; `sqlparser` gives the
//! tree, for analysis only. No shard map, no I/O. Text is never printed back from a tree.

mod split;

pub use split::{Piece, split};
