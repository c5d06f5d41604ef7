//! Whether an operand gives a sharding key's value, exactly as PostgreSQL would compare it.

use super::Context;
use crate::error::PgError;
use crate::plan::{Compared, KeySource, compared};
use crate::sql::tree::{CastType, Operand, Slot};
use crate::types::{Family, KeyType, Oid};

/// The key's source, or `None` where the operand says nothing certain.
pub(super) fn source(
    operand: &Operand,
    key: KeyType,
    context: &Context<'_>,
) -> Result<Option<KeySource>, PgError> {
    Ok(match operand {
        Operand::Constant(constant) => match compared(constant, key) {
            Compared::Value(value) => Some(KeySource::Literal(value)),
            Compared::Invalid => Some(KeySource::Invalid),
            Compared::Unknown => None,
        },
        Operand::Slot(slot) if fits(slot, key) => Some(KeySource::Slot(*slot)),
        Operand::Param {
            index,
            cast,
            array: false,
        } => param(*index, *cast, key.family(), context),
        _ => None,
    })
}

/// Whether any value of the slot's class may be the key's.
fn fits(slot: &Slot, key: KeyType) -> bool {
    match slot.cast {
        Some(cast) => cast.family() == key.family(),
        None => slot.string || key.family() == Family::Integer,
    }
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
