//! What a constant of a statement is to a sharding key it is compared with: the same for one that the
//! planner sees and for one that fills a slot.

use crate::sql::cast_constant;
use crate::sql::tree::{CastType, Constant};
use crate::types::array::text_elements;
use crate::types::{Family, KeyType, KeyValue};

/// A constant beside a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compared {
    Value(KeyValue),
    /// No value of the key's type: every server says so, and in its own words.
    Invalid,
    /// Compared in another way than by the key's type, or read by some versions of PostgreSQL only.
    Unknown,
}

/// A constant compared with a key of this type, or stored in it.
pub fn compared(constant: &Constant, key: KeyType) -> Compared {
    match (constant, key.family()) {
        (Constant::Null, _) => Compared::Value(KeyValue::Null),
        (Constant::Int(value), Family::Integer) => Compared::Value(KeyValue::Int(*value)),
        // A literal of unknown type takes the type of the column it is compared with.
        (Constant::Unknown(text), _) => compared_text(text, key),
        (Constant::Typed(from, text), family) if from.family() == family => {
            compared_text(text, *from)
        }
        _ => Compared::Unknown,
    }
}

/// As `compared`, of a string that is read as this type.
pub fn compared_text(text: &str, key: KeyType) -> Compared {
    match key.parse_text(text.as_bytes()) {
        Ok(value) => Compared::Value(value),
        Err(_) if key.is_certainly_invalid(text.as_bytes()) => Compared::Invalid,
        // Some version of PostgreSQL may read it.
        Err(_) => Compared::Unknown,
    }
}

/// The elements of an array literal (`key = ANY ('{1,2}')`), which perhaps is cast to an array of a type; NULL,
/// which equals nothing, left out.
pub fn compared_elements(
    text: &str,
    cast: Option<CastType>,
    key: KeyType,
) -> Option<Vec<Compared>> {
    let element = |bytes: &[u8]| {
        let text = Constant::Unknown(std::str::from_utf8(bytes).ok()?.to_owned());
        let constant = match cast {
            Some(to) => cast_constant(text, to)?,
            None => text,
        };
        Some(compared(&constant, key))
    };
    let mut elements = Vec::new();
    for found in text_elements(text.as_bytes())? {
        match found {
            Some(bytes) => elements.push(element(&bytes)?),
            // With array_nulls off it is a string of four letters.
            None if matches!(key.family(), Family::Text | Family::Bpchar | Family::Bytea) => {
                return None;
            }
            None => {}
        }
    }
    Some(elements)
}
