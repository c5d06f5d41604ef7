//! Whether PostgreSQL will read a parameter's bytes as we do.
//!
//! A parameter without a declared type gets the type of the first place that asks for one, in an order
//! only PostgreSQL's analysis knows. So every place must ask for the same type.
//! Source: `variable_coerce_param_hook` in `src/backend/parser/parse_param.c`.

use std::collections::HashMap;

use super::Context;
use super::operand::{declared, family_of};
use crate::error::PgError;
use crate::plan::{KeySource, RelationKey};
use crate::sql::{Kind, Token};
use crate::types::{Family, KeyType, Oid};

/// How a parameter occurs in the text.
#[derive(Default)]
struct Uses {
    /// Without a cast.
    bare: usize,
    /// The types it is cast to; `None` for one that is not a key's.
    casts: Vec<Option<Oid>>,
}

/// Checks the parameters that tie `relations`; `explained` counts the uses without cast where the key's type
/// is inferred.
pub(super) fn check(
    tokens: &[Token<'_>],
    relations: &[RelationKey],
    key: KeyType,
    explained: &HashMap<u16, usize>,
    context: &Context<'_>,
) -> Result<(), PgError> {
    let sources = || {
        relations
            .iter()
            .flat_map(|relation| &relation.columns)
            .flat_map(|column| column.conditions.iter().flatten())
    };
    if !sources().any(|source| matches!(source, KeySource::Param { .. })) {
        return Ok(());
    }
    let uses = uses(tokens);
    let none = Uses::default();
    for source in sources() {
        let KeySource::Param { index, .. } = source else {
            continue;
        };
        if declared(context, *index) != Oid::UNSPECIFIED {
            continue;
        }
        let uses = uses.get(index).unwrap_or(&none);
        let explained = explained.get(index).copied().unwrap_or(0);
        if uses.bare != explained || !casts_agree(uses, key) {
            let number = u32::from(*index) + 1;
            return Err(PgError::refusal(
                format!(
                    "parameter ${number} holds the sharding key and is used elsewhere as perhaps another type"
                ),
                format!(
                    "cast it everywhere (${number}::{}), or declare its type when preparing",
                    key.name()
                ),
            ));
        }
    }
    Ok(())
}

fn casts_agree(uses: &Uses, key: KeyType) -> bool {
    match key.family() {
        // All widths differ in binary format.
        Family::Integer => {
            let inferred = if uses.bare > 0 {
                Some(Some(key.oid()))
            } else {
                uses.casts.first().copied()
            };
            uses.casts
                .iter()
                .all(|cast| cast.is_some() && Some(*cast) == inferred)
        }
        wanted => uses
            .casts
            .iter()
            .all(|cast| cast.and_then(family_of) == Some(wanted)),
    }
}

fn uses(tokens: &[Token<'_>]) -> HashMap<u16, Uses> {
    let mut found: HashMap<u16, Uses> = HashMap::new();
    for (at, token) in tokens
        .iter()
        .enumerate()
        .filter(|(_, token)| token.kind == Kind::Param)
    {
        let Some(index) = token
            .value
            .parse::<u16>()
            .ok()
            .and_then(|number| number.checked_sub(1))
        else {
            continue;
        };
        let uses = found.entry(index).or_default();
        let after = &tokens[at + 1..];
        let in_cast = at >= 2 && tokens[at - 1].is_op("(") && tokens[at - 2].is_word("cast");
        match after.first() {
            Some(next) if next.is_op("::") => uses.casts.push(type_oid(&after[1..])),
            Some(next) if in_cast && next.is_word("as") => uses.casts.push(type_oid(&after[1..])),
            _ => uses.bare += 1,
        }
    }
    found
}

fn type_oid(tokens: &[Token<'_>]) -> Option<Oid> {
    let (first, mut rest) = tokens.split_first()?;
    if first.kind != Kind::Word {
        return None;
    }
    let oid = match &*first.value {
        "smallint" | "int2" => Oid::INT2,
        "int" | "integer" | "int4" => Oid::INT4,
        "bigint" | "int8" => Oid::INT8,
        "text" => Oid::TEXT,
        "varchar" => Oid::VARCHAR,
        "character" if rest.first().is_some_and(|next| next.is_word("varying")) => {
            rest = &rest[1..];
            Oid::VARCHAR
        }
        "uuid" => Oid::UUID,
        _ => return None,
    };
    // A length, an array, a qualified name: another type.
    let more = rest.first().is_some_and(|next| {
        next.is_op("(") || next.is_op("[") || next.is_op(".") || next.is_word("array")
    });
    (!more).then_some(oid)
}
