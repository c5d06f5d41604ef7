//! Whether an operand gives a sharding key's value, exactly as PostgreSQL would compare it.

use super::Context;
use crate::error::PgError;
use crate::plan::KeySource;
use crate::sql::tree::{CastType, Constant, Operand, Slot};
use crate::types::{Family, KeyType, KeyValue, Oid};

/// The key's source, or `None` where the operand says nothing certain.
pub(super) fn source(
    operand: &Operand,
    key: KeyType,
    context: &Context<'_>,
) -> Result<Option<KeySource>, PgError> {
    Ok(match operand {
        Operand::Constant(constant) => constant_source(constant, key),
        Operand::Slot(slot) => {
            let fits = match slot.cast {
                Some(cast) => cast.family() == key.family(),
                None => slot.string || key.family() == Family::Integer,
            };
            (fits && !slot.array).then_some(KeySource::Slot(*slot))
        }
        Operand::Param {
            index,
            cast,
            array: false,
        } => param(*index, *cast, key.family(), context),
        Operand::Param { array: true, .. } | Operand::Column(_) | Operand::Other => None,
    })
}

fn constant_source(constant: &Constant, key: KeyType) -> Option<KeySource> {
    let value = match (constant, key.family()) {
        (Constant::Null, _) => KeyValue::Null,
        (Constant::Int(value), Family::Integer) => KeyValue::Int(*value),
        // A literal of unknown type takes the type of the column it is compared with.
        (Constant::Unknown(text), _) => return read_text(text, key),
        (Constant::Typed(from, text), family) if from.family() == family => {
            return read_text(text, *from);
        }
        // `char(n) = varchar` compares as char(n), `char(n) = text` as text once the blanks of the char(n) are
        // gone.
        (Constant::Typed(KeyType::Varchar, text), Family::Bpchar) => return read_text(text, key),
        (Constant::Typed(KeyType::Text, text), Family::Bpchar) if !text.ends_with(' ') => {
            return read_text(text, key);
        }
        _ => return None,
    };
    Some(KeySource::Literal(value))
}

fn read_text(text: &str, of: KeyType) -> Option<KeySource> {
    match of.parse_text(text.as_bytes()) {
        Ok(value) => Some(KeySource::Literal(value)),
        Err(_) if of.is_certainly_invalid(text.as_bytes()) => Some(KeySource::Invalid),
        // Some version of PostgreSQL may read it, or by some setting.
        Err(_) => None,
    }
}

/// What `= ANY (array)` compares with: the elements of a literal, a slot or a parameter.
pub(super) fn elements(
    array: &Operand,
    key: KeyType,
    context: &Context<'_>,
) -> Option<Vec<KeySource>> {
    let same = |cast: Option<KeyType>| cast.is_none_or(|cast| cast.family() == key.family());
    match array {
        Operand::Param {
            index,
            cast,
            array: true,
        } if same(*cast) => {
            let declared = match declared(context, *index) {
                Oid::UNSPECIFIED => None,
                oid => Some(element_of(oid)?),
            };
            let oid = declared.or(*cast).map_or(Oid::UNSPECIFIED, KeyType::oid);
            same(declared).then_some(vec![KeySource::Param {
                index: *index,
                oid,
                array: true,
            }])
        }
        Operand::Slot(slot @ Slot { array: true, .. }) if same(slot.cast) => {
            Some(vec![KeySource::Slot(*slot)])
        }
        Operand::Constant(Constant::Unknown(text)) => written(text, key),
        Operand::Constant(Constant::Typed(of, text)) if same(Some(*of)) => written(text, *of),
        _ => None,
    }
}

/// The elements of a plain array literal, as `{1,2}`; `None` for one with quotes, dimensions and the like.
/// Source: <https://www.postgresql.org/docs/current/arrays.html#ARRAYS-INPUT>
fn written(text: &str, of: KeyType) -> Option<Vec<KeySource>> {
    let inner = text.strip_prefix('{')?.strip_suffix('}')?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, ',' | '-' | '_' | '.' | ':');
    if !inner.chars().all(plain) {
        return None;
    }
    if inner.is_empty() {
        return Some(Vec::new());
    }
    inner
        .split(',')
        .map(|element| match element {
            "" => None,
            null if null.eq_ignore_ascii_case("null") => Some(KeySource::Literal(KeyValue::Null)),
            element => read_text(element, of),
        })
        .collect()
}

/// A parameter's own type is what Parse declared, else what a cast says; the cast then converts within
/// the family, which changes no value.
fn param(
    index: u16,
    cast: Option<CastType>,
    family: Family,
    context: &Context<'_>,
) -> Option<KeySource> {
    let cast = cast.map_or(Oid::UNSPECIFIED, KeyType::oid);
    let declared = declared(context, index);
    let fits = |oid: Oid| oid == Oid::UNSPECIFIED || family_of(oid) == Some(family);
    if !fits(cast) || !fits(declared) {
        return None;
    }
    let oid = if declared == Oid::UNSPECIFIED {
        cast
    } else {
        declared
    };
    Some(KeySource::Param {
        index,
        oid,
        array: false,
    })
}

/// The type Parse declared; PostgreSQL takes `unknown` for none.
pub(super) fn declared(context: &Context<'_>, index: u16) -> Oid {
    match context.param_types.get(usize::from(index)) {
        None | Some(&Oid::UNKNOWN) => Oid::UNSPECIFIED,
        Some(oid) => *oid,
    }
}

fn family_of(oid: Oid) -> Option<Family> {
    KeyType::from_oid(oid).map(KeyType::family)
}

/// The type of an array type's elements.
/// Source: `src/include/catalog/pg_type.dat` (`array_type_oid`).
fn element_of(array: Oid) -> Option<KeyType> {
    Some(match array.0 {
        1001 => KeyType::Bytea,
        1005 => KeyType::SmallInt,
        1007 => KeyType::Integer,
        1009 => KeyType::Text,
        1014 => KeyType::Bpchar,
        1015 => KeyType::Varchar,
        1016 => KeyType::BigInt,
        1115 => KeyType::Timestamp,
        1182 => KeyType::Date,
        1185 => KeyType::Timestamptz,
        2951 => KeyType::Uuid,
        _ => return None,
    })
}
