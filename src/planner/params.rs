//! Whether PostgreSQL will read a parameter's bytes as we do.
//!
//! A parameter without a declared type gets the type of the first place that asks for one, in an order
//! only PostgreSQL's analysis knows. So every place must ask for a type that is read alike.
//! Source: `variable_coerce_param_hook` in `src/backend/parser/parse_param.c`.

use std::collections::HashMap;

use super::Context;
use super::operand::declared;
use crate::error::PgError;
use crate::plan::{KeySource, RelationKey};
use crate::sql::tree::Operand;
use crate::sql::{Kind, Token};
use crate::types::{Family, KeyType, Oid};

/// A type a parameter may get, or an array of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Asked {
    of: KeyType,
    array: bool,
}

/// What PostgreSQL will infer for uses of parameters without a cast, as far as that is known.
#[derive(Debug, Default)]
pub(super) struct Inferred {
    /// For each parameter its uses, by the addresses of their operands: the tree may be walked more than once.
    uses: HashMap<u16, HashMap<usize, Asked>>,
}

impl Inferred {
    /// The operand stands where PostgreSQL takes a value of this type.
    pub(super) fn note(&mut self, operand: &Operand, of: KeyType, array: bool) {
        if let Operand::Param {
            index, cast: None, ..
        } = operand
        {
            let address = std::ptr::from_ref(operand).addr();
            let uses = self.uses.entry(*index).or_default();
            uses.insert(address, Asked { of, array });
        }
    }
}

/// How a parameter occurs in the text.
#[derive(Default)]
struct Uses {
    /// Without a cast.
    bare: usize,
    /// The types it is cast to; `None` for one that is not a key's.
    casts: Vec<Option<Asked>>,
}

/// Checks the parameters that tie `relations`; `key` has the types of the key's columns.
pub(super) fn check(
    tokens: &[Token<'_>],
    relations: &[RelationKey],
    key: &[KeyType],
    inferred: &Inferred,
    context: &Context<'_>,
) -> Result<(), PgError> {
    let sources = || {
        relations
            .iter()
            .flat_map(|relation| relation.columns.iter().zip(key))
            .flat_map(|(column, of)| {
                let sources = column.conditions.iter().flatten();
                sources.map(|source| (source, *of))
            })
            .filter_map(|(source, of)| match source {
                KeySource::Param { index, array, .. } => {
                    Some((*index, Asked { of, array: *array }))
                }
                _ => None,
            })
    };
    if sources().next().is_none() {
        return Ok(());
    }
    let uses = uses(tokens);
    let none = (Uses::default(), HashMap::new());
    let mut checked: HashMap<(u16, Family, bool), ()> = HashMap::new();
    for (index, wanted) in sources() {
        let known = (index, wanted.of.family(), wanted.array);
        if declared(context, index) != Oid::UNSPECIFIED || checked.insert(known, ()).is_some() {
            continue;
        }
        let uses = uses.get(&index).unwrap_or(&none.0);
        let inferred = inferred.uses.get(&index).unwrap_or(&none.1);
        if uses.bare != inferred.len() || !agree(uses, inferred, wanted) {
            let number = u32::from(index) + 1;
            return Err(PgError::refusal(
                format!(
                    "parameter ${number} holds the sharding key and is used elsewhere as perhaps another type"
                ),
                format!(
                    "cast it everywhere (${number}::{}{}), or declare its type when preparing",
                    wanted.of.name(),
                    if wanted.array { "[]" } else { "" }
                ),
            ));
        }
    }
    Ok(())
}

fn agree(uses: &Uses, inferred: &HashMap<usize, Asked>, wanted: Asked) -> bool {
    let fits =
        |asked: &Asked| asked.of.family() == wanted.of.family() && asked.array == wanted.array;
    let casts: Option<Vec<Asked>> = uses.casts.iter().copied().collect();
    let Some(casts) = casts else { return false };
    if !inferred.values().chain(&casts).all(fits) {
        return false;
    }
    // All widths of integers differ in binary format. Without a cast a value is read as wide as it comes.
    let mut widths = inferred.values().chain(&casts).map(|asked| asked.of);
    let first = widths.next();
    let exact = wanted.of.family() == Family::Integer && (wanted.array || !casts.is_empty());
    !exact || widths.all(|of| Some(of) == first)
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
            Some(next) if next.is_op("::") => uses.casts.push(cast_type(&after[1..])),
            Some(next) if in_cast && next.is_word("as") => uses.casts.push(cast_type(&after[1..])),
            _ => uses.bare += 1,
        }
    }
    found
}

/// The type that these tokens begin with.
fn cast_type(tokens: &[Token<'_>]) -> Option<Asked> {
    let (first, mut rest) = tokens.split_first()?;
    if first.kind != Kind::Word {
        return None;
    }
    let mut take = |words: &[&str]| {
        let found = words.len() <= rest.len()
            && words
                .iter()
                .zip(rest)
                .all(|(word, token)| token.is_word(word));
        if found {
            rest = &rest[words.len()..];
        }
        found
    };
    let of = match &*first.value {
        "smallint" | "int2" => KeyType::SmallInt,
        "int" | "integer" | "int4" => KeyType::Integer,
        "bigint" | "int8" => KeyType::BigInt,
        "text" => KeyType::Text,
        "varchar" => KeyType::Varchar,
        "character" if take(&["varying"]) => KeyType::Varchar,
        "bpchar" => KeyType::Bpchar,
        "uuid" => KeyType::Uuid,
        "date" => KeyType::Date,
        "timestamptz" => KeyType::Timestamptz,
        "timestamp" if take(&["with", "time", "zone"]) => KeyType::Timestamptz,
        "timestamp" => {
            take(&["without", "time", "zone"]);
            KeyType::Timestamp
        }
        "bytea" => KeyType::Bytea,
        _ => return None,
    };
    let array = rest.len() >= 2 && rest[0].is_op("[") && rest[1].is_op("]");
    if array {
        rest = &rest[2..];
    }
    // A length, more dimensions, a qualified name: another type.
    let more = rest.first().is_some_and(|next| {
        next.is_op("(") || next.is_op("[") || next.is_op(".") || next.is_word("array")
    });
    (!more).then_some(Asked { of, array })
}
