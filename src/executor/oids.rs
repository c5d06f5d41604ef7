//! What a server is told of users' types, in its own OIDs; and errors for what cannot be translated.

use std::borrow::Cow;

use crate::error::PgError;
use crate::types::Oid;
use crate::types::translation::{Direction, Translation, Untranslatable};
use crate::wire::oids::each_binary_parameter;

/// Parameter types for a Parse. Nothing is copied where no translation is.
///
/// Errors: 0A000 for a type that the shard has not, where it means another one by its OID.
pub fn types_to_server<'a>(
    translation: Option<&Translation>,
    types: &'a [Oid],
) -> Result<Cow<'a, [Oid]>, PgError> {
    let Some(translation) = translation.filter(|_| !types.is_empty()) else {
        return Ok(Cow::Borrowed(types));
    };
    let to_server = &translation.to_server;
    let types = types.iter().map(|oid| to_server.oid(*oid));
    let types: Result<Vec<Oid>, Untranslatable> = types.collect();
    types
        .map(Cow::Owned)
        .map_err(|error| refused(error, "a parameter"))
}

/// The part of a Bind that begins with its parameters' formats. `types`: those of the parameters as the client knows them.
///
/// Errors: 0A000 for values of types, or with such values in them, that the shard has not or that are not known; for
/// values too deep.
pub fn parameters_to_server<'a>(
    translation: Option<&Translation>,
    types: &[Oid],
    bytes: &'a [u8],
) -> Result<Cow<'a, [u8]>, PgError> {
    let Some(translation) = translation else {
        return Ok(Cow::Borrowed(bytes));
    };
    let to_server = &translation.to_server;
    if !types.iter().any(|oid| is_looked_at(to_server, *oid)) {
        return Ok(Cow::Borrowed(bytes));
    }
    let mut translated = bytes.to_vec();
    let each = each_binary_parameter(&mut translated, |place, value| {
        match types.get(usize::from(place)) {
            Some(oid) if is_looked_at(to_server, *oid) => match to_server.value(*oid, value) {
                // What is wrong with it, the server says best.
                Err(Untranslatable::Broken) => Ok(()),
                outcome => outcome,
            },
            _ => Ok(()),
        }
    });
    match each {
        Ok(()) | Err(Untranslatable::Broken) => Ok(Cow::Owned(translated)),
        Err(error) => Err(refused(error, "a parameter in binary form")),
    }
}

/// Values of the type, in binary form, are not passed on without a look.
pub fn is_looked_at(direction: &Direction, oid: Oid) -> bool {
    direction.carries(oid) || !direction.knows(oid)
}

/// What cannot be said in another shard's OIDs.
pub(super) fn refused(error: Untranslatable, what: &str) -> PgError {
    PgError::refusal(
        format!("{what} of a type that is not the same on all shards is not supported: {error}"),
        "Define the type alike on all shards; where that was done a moment ago, try again; or give and ask for text.",
    )
}
