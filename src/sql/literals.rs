//! The literals taken out of a statement's text, by their places.

use std::sync::Arc;

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

/// A literal's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Literal<'a> {
    /// Digits that fit 64 bits, without a sign.
    Int(i64),
    /// A string of unknown type, decoded.
    Text(&'a str),
}

/// Those of one text that a plan asks for. Where rows or list elements share a place, that place has
/// several. Cloned without copying texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Literals(Kept);

/// One literal, the usual number, takes no list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Kept {
    #[default]
    None,
    One(u32, Value),
    /// In rising order of places.
    Many(Arc<[(u32, Value)]>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Int(i64),
    Text(Arc<str>),
}

impl Literals {
    /// A text from which nothing was taken out.
    pub const NONE: Self = Self(Kept::None);

    /// From places and values in any order.
    pub(super) fn new(mut found: impl Iterator<Item = (u32, Value)>) -> Self {
        let Some((place, value)) = found.next() else {
            return Self::NONE;
        };
        let Some(second) = found.next() else {
            return Self(Kept::One(place, value));
        };
        let mut all = vec![(place, value), second];
        all.extend(found);
        all.sort_by_key(|(place, _)| *place);
        all.dedup();
        Self(Kept::Many(all.into()))
    }

    /// The values at a place; none where the text has no such place.
    pub fn at(&self, place: u32) -> impl Iterator<Item = Literal<'_>> {
        let (one, many) = match &self.0 {
            Kept::None => (None, &[][..]),
            Kept::One(only, value) => ((*only == place).then_some(value), &[][..]),
            Kept::Many(all) => {
                let from = all.partition_point(|(other, _)| *other < place);
                let to = all.partition_point(|(other, _)| *other <= place);
                (None, &all[from..to])
            }
        };
        let values = one.into_iter().chain(many.iter().map(|(_, value)| value));
        values.map(|value| match value {
            Value::Int(value) => Literal::Int(*value),
            Value::Text(text) => Literal::Text(text),
        })
    }

    /// What they take besides themselves, roughly.
    pub fn bytes(&self) -> usize {
        let text = |value: &Value| match value {
            Value::Int(_) => 0,
            Value::Text(text) => text.len() + 32,
        };
        match &self.0 {
            Kept::None => 0,
            Kept::One(_, value) => text(value),
            Kept::Many(all) => all
                .iter()
                .map(|(_, value)| size_of::<(u32, Value)>() + text(value))
                .sum(),
        }
    }
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

    #[test]
    fn a_place_may_have_several_values() {
        let of = |values: &[(u32, i64)]| {
            let values = values
                .iter()
                .map(|(place, value)| (*place, Value::Int(*value)));
            Literals::new(values.collect::<Vec<_>>().into_iter())
        };
        let at = |literals: &Literals, place| {
            literals
                .at(place)
                .map(|literal| match literal {
                    Literal::Int(value) => value,
                    Literal::Text(_) => panic!("no text here"),
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(of(&[]), Literals::NONE);
        assert_eq!(at(&of(&[(3, 5)]), 3), [5]);
        assert!(at(&of(&[(3, 5)]), 2).is_empty());
        let many = of(&[(1, 5), (0, 6), (1, 7)]);
        assert_eq!(at(&many, 0), [6]);
        assert_eq!(at(&many, 1), [5, 7]);
        assert!(at(&many, 2).is_empty());
    }
}
