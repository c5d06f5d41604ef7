//! Whether an operand gives a sharding key's value, exactly as PostgreSQL would compare it.

use super::Context;
use crate::error::PgError;
use crate::plan::KeySource;
use crate::sql::tree::{CastType, Constant, Operand};
use crate::types::{Family, KeyType, KeyValue, Oid};

/// The key's source, or `None` where the operand says nothing certain.
pub(super) fn source(
    operand: &Operand,
    key: KeyType,
    context: &Context<'_>,
) -> Result<Option<KeySource>, PgError> {
    let value = match (operand, key.family()) {
        (Operand::Constant(Constant::Null), _) => KeyValue::Null,
        (Operand::Constant(Constant::Int(value)), Family::Integer) => KeyValue::Int(*value),
        // A literal of unknown type takes the type of the column it is compared with.
        (Operand::Constant(Constant::Unknown(text)), _)
        | (Operand::Constant(Constant::Typed(KeyType::Uuid, text)), Family::Uuid) => {
            match key.parse_text(text.as_bytes()) {
                Ok(value) => value,
                Err(_) if key.is_certainly_invalid(text.as_bytes()) => {
                    return Ok(Some(KeySource::Invalid));
                }
                // Some version of PostgreSQL may read it.
                Err(_) => return Ok(None),
            }
        }
        (Operand::Constant(Constant::Typed(from, text)), Family::Text)
            if from.family() == Family::Text =>
        {
            KeyValue::Text(text.clone())
        }
        (
            Operand::Param {
                index,
                cast,
                array: false,
            },
            family,
        ) => {
            return Ok(param(*index, *cast, family, context));
        }
        _ => return Ok(None),
    };
    Ok(Some(KeySource::Literal(value)))
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

pub(super) fn family_of(oid: Oid) -> Option<Family> {
    KeyType::from_oid(oid).map(KeyType::family)
}
