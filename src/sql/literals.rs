//! The literals taken out of a statement's text, by their places.

/// Those of one text, in the order of the text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Literals {}

impl Literals {
    /// A text from which nothing was taken out.
    pub const NONE: Self = Self {};
}
