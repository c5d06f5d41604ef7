//! The values that conditions on a key allow: from literals, slots and parameters, read as PostgreSQL reads them.

use super::super::constant::{Compared, compared, compared_elements, compared_text};
use super::super::{ColumnKey, KeySource, RelationKey};
use super::Values;
use crate::error::{PgError, SqlState};
use crate::sql::tree::Slot;
use crate::sql::{Literal, Literals, slot_constant};
use crate::types::array::binary_elements;
use crate::types::{Format, KeyError, KeyType, KeyValue, Oid};

/// What a source comes to.
pub(super) enum Read {
    One(KeyValue),
    /// The elements of an array; no value at all is one that any server refuses.
    Many(Vec<KeyValue>),
    /// A value that is compared in another way than by the key's type: it says nothing.
    Nothing(PgError),
}

/// The values all conditions on a column allow, each once; `None` where it has none.
///
/// Errors: none of its conditions can be read.
pub(super) fn candidates(
    column: &ColumnKey,
    key_type: KeyType,
    values: Values<'_>,
) -> Result<Option<Vec<KeyValue>>, PgError> {
    let mut allowed: Option<Vec<KeyValue>> = None;
    let mut unread = None;
    for sources in &column.conditions {
        let mut these = Vec::new();
        let mut readable = true;
        for source in sources {
            match read(source, key_type, values)? {
                Read::One(value) => these.push(value),
                Read::Many(many) => these.extend(many),
                Read::Nothing(error) => {
                    readable = false;
                    unread = Some(error);
                }
            }
        }
        if !readable {
            continue;
        }
        allowed = Some(match allowed {
            None => {
                let mut seen = std::collections::HashSet::new();
                these.retain(|value| seen.insert(value.clone()));
                these
            }
            Some(allowed) => {
                let these: std::collections::HashSet<KeyValue> = these.into_iter().collect();
                allowed
                    .into_iter()
                    .filter(|value| these.contains(value))
                    .collect()
            }
        });
    }
    match (allowed, unread) {
        (None, Some(error)) => Err(error),
        (allowed, _) => Ok(allowed),
    }
}

/// What an INSERT stores has to be found again under the same key.
pub(super) fn check_stored(
    relation: &RelationKey,
    column: &ColumnKey,
    key_type: KeyType,
    value: &KeyValue,
) -> Result<(), PgError> {
    if !relation.stores {
        return Ok(());
    }
    if *value == KeyValue::Null {
        return Err(PgError::client(
            SqlState::NOT_NULL_VIOLATION,
            format!("null value in sharding key column \"{}\"", column.name),
        )
        .with_hint("a row without a sharding key lives on no shard"));
    }
    let blank_end = matches!(value, KeyValue::Text(text) if text.ends_with(' '));
    if blank_end && key_type == KeyType::Varchar {
        // varchar(n) silently drops blanks beyond n: the stored key could be another.
        return Err(PgError::refusal(
            format!(
                "a value for sharding key \"{}\" of type varchar that ends in a blank is not supported",
                column.name
            ),
            "leave the trailing blanks out",
        ));
    }
    Ok(())
}

pub(super) fn read(
    source: &KeySource,
    key_type: KeyType,
    values: Values<'_>,
) -> Result<Read, PgError> {
    match source {
        KeySource::Literal(value) => Ok(Read::One(value.clone())),
        KeySource::Invalid => Ok(Read::Many(Vec::new())),
        KeySource::Slot(slot) => Ok(read_slot(slot, key_type, values.literals)),
        KeySource::Param { index, oid, array } => {
            read_param(*index, *oid, *array, key_type, values)
        }
    }
}

/// What a literal taken out of the text means: exactly what it would have meant left in.
fn read_slot(slot: &Slot, key_type: KeyType, literals: &Literals) -> Read {
    let one = |literal: Literal<'_>| match (slot.cast, literal) {
        // Of the two ways this is the shorter one.
        (None, Literal::Text(text)) if !slot.negative => Some(compared_text(text, key_type)),
        _ => Some(compared(&slot_constant(slot, literal)?, key_type)),
    };
    let mut found = literals.at(slot.place);
    let Some(first) = found.next() else {
        return Read::Nothing(unread_literal());
    };
    let second = found.next();
    if second.is_none() && !slot.array {
        return match one(first) {
            Some(Compared::Value(value)) => Read::One(value),
            Some(Compared::Invalid) => Read::Many(Vec::new()),
            Some(Compared::Unknown) | None => Read::Nothing(unread_literal()),
        };
    }
    let mut all = Vec::new();
    for literal in [first].into_iter().chain(second).chain(found) {
        let these = match (slot.array, literal) {
            (false, literal) => one(literal).map(|one| vec![one]),
            (true, Literal::Text(text)) => compared_elements(text, slot.cast, key_type),
            (true, Literal::Int(_)) => None,
        };
        let Some(these) = these else {
            return Read::Nothing(unread_literal());
        };
        for one in these {
            match one {
                Compared::Value(value) => all.push(value),
                Compared::Invalid => {}
                Compared::Unknown => return Read::Nothing(unread_literal()),
            }
        }
    }
    Read::Many(all)
}

fn unread_literal() -> PgError {
    PgError::refusal(
        "a literal that is compared with the sharding key is written in a way that is not read the same by all versions of PostgreSQL",
        "write it in the form PostgreSQL prints it in",
    )
}

fn read_param(
    index: u16,
    oid: Oid,
    array: bool,
    key_type: KeyType,
    values: Values<'_>,
) -> Result<Read, PgError> {
    let Some((format, bytes)) = values.params.param(index) else {
        return Err(PgError::client(
            SqlState::PROTOCOL_VIOLATION,
            format!(
                "there is no value for parameter ${}, which holds the sharding key",
                u32::from(index) + 1
            ),
        ));
    };
    let declared = || {
        let declared = values.declared.get(usize::from(index)).copied();
        declared.unwrap_or(Oid::UNSPECIFIED)
    };
    let oid = match (oid, array) {
        (Oid::UNSPECIFIED, false) => declared(),
        (Oid::UNSPECIFIED, true) => match declared() {
            Oid::UNSPECIFIED | Oid::UNKNOWN => Oid::UNSPECIFIED,
            other => match other.element() {
                Some(element) => element,
                None => return Ok(Read::Nothing(unread_array(index))),
            },
        },
        (oid, _) => oid,
    };
    match bytes {
        // `key = NULL` and `key = ANY (NULL)` are true of no row.
        None => Ok(Read::One(KeyValue::Null)),
        Some(bytes) if array => Ok(read_array(index, oid, format, bytes, key_type)),
        Some(bytes) => match key_type.parse_param(oid, format, bytes) {
            Ok(value) => Ok(Read::One(value)),
            Err(KeyError::Syntax { .. } | KeyError::OutOfRange { .. })
                if key_type.is_certainly_invalid(bytes) =>
            {
                Ok(Read::Many(Vec::new()))
            }
            Err(error) => Err(unreadable(&error, index)),
        },
    }
}

/// The elements of an array parameter; `oid` is their type, where it is known. NULL among them equals
/// nothing.
fn read_array(index: u16, oid: Oid, format: Format, bytes: &[u8], key_type: KeyType) -> Read {
    let read_as = match KeyType::from_oid(oid) {
        _ if oid == Oid::UNSPECIFIED => key_type,
        Some(element) if element.family() == key_type.family() => element,
        _ => return Read::Nothing(unread_array(index)),
    };
    let elements = match format {
        Format::Text => std::str::from_utf8(bytes)
            .ok()
            .and_then(|text| compared_elements(text, None, read_as)),
        Format::Binary => binary_array(oid, bytes, key_type),
    };
    let Some(elements) = elements else {
        return Read::Nothing(unread_array(index));
    };
    let mut all = Vec::new();
    for element in elements {
        match element {
            Compared::Value(value) => all.push(value),
            Compared::Invalid => return Read::Many(Vec::new()),
            Compared::Unknown => return Read::Nothing(unread_array(index)),
        }
    }
    Read::Many(all)
}

/// An array says what its elements are; a server refuses any but those it expects.
fn binary_array(oid: Oid, bytes: &[u8], key_type: KeyType) -> Option<Vec<Compared>> {
    let (element, elements) = binary_elements(bytes)?;
    if oid != Oid::UNSPECIFIED && element != oid {
        return None;
    }
    let value = |bytes: &[u8]| match key_type.parse_param(element, Format::Binary, bytes) {
        Ok(value) => Compared::Value(value),
        Err(_) => Compared::Unknown,
    };
    Some(elements.into_iter().flatten().map(value).collect())
}

fn unread_array(index: u16) -> PgError {
    PgError::refusal(
        format!(
            "the array in parameter ${}, which is compared with the sharding key, is not a plain one of its type",
            u32::from(index) + 1
        ),
        "give an array of one dimension, of the type of the key, without bounds",
    )
}

fn unreadable(error: &KeyError, index: u16) -> PgError {
    let code = match error {
        // What some version of PostgreSQL may read: `0x10`, `1_000`.
        KeyError::Syntax { .. } | KeyError::Unread { .. } => SqlState::FEATURE_NOT_SUPPORTED,
        KeyError::OutOfRange { .. } => SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
        KeyError::Binary { .. } => SqlState::INVALID_BINARY_REPRESENTATION,
        KeyError::Encoding => SqlState::CHARACTER_NOT_IN_REPERTOIRE,
        KeyError::Incomparable { .. } => SqlState::FEATURE_NOT_SUPPORTED,
    };
    PgError::client(code, error.to_string()).with_detail(format!(
        "Parameter ${} holds the sharding key.",
        u32::from(index) + 1
    ))
}
