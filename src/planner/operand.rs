//! Whether an operand gives a sharding key's value, exactly as PostgreSQL would compare it.

use super::Context;
use crate::error::PgError;
use crate::plan::{Compared, KeySource, compared, compared_elements};
use crate::sql::tree::{CastType, Constant, Operand, Slot};
use crate::types::{Family, KeyType, Oid};

/// The key's source, or `None` where the operand says nothing certain.
pub(super) fn source(
    operand: &Operand,
    key: KeyType,
    context: &Context<'_>,
) -> Result<Option<KeySource>, PgError> {
    Ok(match operand {
        Operand::Constant(constant) => known(compared(constant, key)),
        Operand::Slot(slot) if fits(slot, key) && !slot.array => Some(KeySource::Slot(*slot)),
        Operand::Param {
            index,
            cast,
            array: false,
        } => param(*index, *cast, key.family(), context),
        _ => None,
    })
}

fn known(compared: Compared) -> Option<KeySource> {
    match compared {
        Compared::Value(value) => Some(KeySource::Literal(value)),
        Compared::Invalid => Some(KeySource::Invalid),
        Compared::Unknown => None,
    }
}

/// Whether any value of the slot's class may be the key's.
fn fits(slot: &Slot, key: KeyType) -> bool {
    match slot.cast {
        Some(cast) => cast.family() == key.family(),
        None => slot.string || key.family() == Family::Integer,
    }
}

/// What `= ANY (array)` compares with: the elements of a literal, a slot or a parameter.
pub(super) fn elements(
    array: &Operand,
    key: KeyType,
    context: &Context<'_>,
) -> Option<Vec<KeySource>> {
    let same = |cast: Option<KeyType>| cast.is_none_or(|cast| cast.family() == key.family());
    let literal = |text: &str, cast| -> Option<Vec<KeySource>> {
        let elements = compared_elements(text, cast, key)?;
        elements.into_iter().map(known).collect()
    };
    match array {
        Operand::Param {
            index,
            cast,
            array: true,
        } if same(*cast) => {
            let declared = match declared(context, *index) {
                Oid::UNSPECIFIED => None,
                oid => Some(KeyType::from_oid(oid.element()?)?),
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
        Operand::Constant(Constant::Unknown(text)) => literal(text, None),
        Operand::Constant(Constant::Typed(of, text)) if same(Some(*of)) => literal(text, Some(*of)),
        _ => None,
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

fn family_of(oid: Oid) -> Option<Family> {
    KeyType::from_oid(oid).map(KeyType::family)
}
