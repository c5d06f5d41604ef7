//! The literals taken out of a statement's text, by their places.

/// Begins the text of a token that stands for a literal. No client's text has it: the protocol ends texts
/// with it.
const MARK: char = '\0';

/// What stands in the parser's tree for the literal at this place.
pub fn marker(place: u32) -> String {
    format!("{MARK}{place}")
}

/// What stands there for a literal that is never a key's value and so has no place. No [`slot_of`].
pub const NO_PLACE: &str = "\0.";

/// The place behind a [`marker`]; `None` for any other text.
pub fn slot_of(text: &str) -> Option<u32> {
    text.strip_prefix(MARK)?.parse().ok()
}

/// Those of one text, in the order of the text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Literals {}

impl Literals {
    /// A text from which nothing was taken out.
    pub const NONE: Self = Self {};
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_marker_is_a_slot() {
        assert_eq!(slot_of(&marker(0)), Some(0));
        assert_eq!(slot_of(&marker(u32::MAX)), Some(u32::MAX));
        for text in ["", "0", "\0", NO_PLACE, "\0x", "\0-1", "0\0"] {
            assert_eq!(slot_of(text), None, "{text:?}");
        }
    }
}
