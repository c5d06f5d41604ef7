//! Types that users define have an OID of their own on each server. A client sees those of one of them, the default
//! shard's; what another shard says of its types is translated, and so is what it is told.
//!
//! ```text
//!   client: the default shard's OIDs ── to_server ──> a shard's OIDs
//!                                    <── to_client ──
//! ```
//!
//! OIDs stand in messages that describe columns and parameters, and within values in binary form: an array names the
//! type of its elements, a composite that of each field. Both are rewritten where they lie, an OID taking the place of
//! another. Source: `array_send`, `record_send`, `range_send` and `multirange_send` in `src/backend/utils/adt`

mod rest;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};

use super::Oid;
pub use rest::Rest;

/// OIDs of what users define; each server has its own.
/// Source: `FirstNormalObjectId` in `src/include/access/transam.h`
pub const FIRST_USER_OID: u32 = 16_384;

/// Values within one another deeper than this are not looked into.
const DEPTH_MAX: usize = 64;

/// What a type is called on every server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TypeName {
    pub schema: String,
    /// Of an array its elements' name: its own is made up so that it is no other's.
    pub name: String,
    pub is_array: bool,
}

/// A type on one server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserType {
    pub oid: Oid,
    pub form: Form,
}

/// What its binary form holds of other types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// No OIDs.
    Plain,
    Array,
    Record,
    /// Two values of this type.
    Range(Oid),
    /// Any number of ranges of it.
    Multirange(Oid),
}

/// All types that users have defined on one server.
pub type UserTypes = BTreeMap<TypeName, UserType>;

/// Between a client, who knows the default shard's OIDs, and a shard that has others.
#[derive(Debug)]
pub struct Translation {
    pub to_client: Direction,
    pub to_server: Direction,
    /// The catalogs were to be read again because of it.
    asked: AtomicBool,
}

/// One way of a translation.
#[derive(Debug)]
pub struct Direction {
    oids: HashMap<Oid, Target>,
    /// Of the types whose values come in: what is not plain.
    forms: HashMap<Oid, Form>,
    /// An OID has come that the catalogs did not have.
    met_strangers: AtomicBool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Is(Oid),
    /// The other side means another type by this OID, and has none of the name.
    Nothing,
}

/// Why a message or a value has no translation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Untranslatable {
    /// The other side means another type by it.
    #[error("the type with OID {} is another one there", .0.0)]
    Type(Oid),
    /// The catalogs did not have it when they were read: whether its values hold others nobody knows.
    #[error("the type with OID {} is not known yet", .0.0)]
    Unknown(Oid),
    #[error("values within one another deeper than {DEPTH_MAX}")]
    Depth,
    /// Its bytes are not what its type promises.
    #[error("a value in a broken binary form")]
    Broken,
}

impl Translation {
    /// `None` where both sides mean the same by every OID.
    pub fn between(default: &UserTypes, shard: &UserTypes) -> Option<Self> {
        let default_oids: HashSet<Oid> = default.values().map(|known| known.oid).collect();
        let differs = shard.iter().any(|(name, ours)| match default.get(name) {
            Some(theirs) => theirs.oid != ours.oid,
            None => default_oids.contains(&ours.oid),
        });
        differs.then(|| Self {
            to_client: Direction::from(shard, default),
            to_server: Direction::from(default, shard),
            asked: AtomicBool::new(false),
        })
    }

    /// Both translate alike.
    pub fn is_like(&self, other: &Self) -> bool {
        self.to_client.is_like(&other.to_client) && self.to_server.is_like(&other.to_server)
    }

    /// A type has come that the catalogs did not have when they were read: they should be read again. Said once.
    pub fn asks_for_catalogs(&self) -> bool {
        let met = |direction: &Direction| direction.met_strangers.load(Ordering::Relaxed);
        (met(&self.to_client) || met(&self.to_server)) && !self.asked.swap(true, Ordering::Relaxed)
    }
}

impl Direction {
    fn from(here: &UserTypes, there: &UserTypes) -> Self {
        let known: HashSet<Oid> = there.values().map(|known| known.oid).collect();
        // What is not known here, but means something there.
        let mut oids: HashMap<Oid, Target> =
            known.iter().map(|oid| (*oid, Target::Nothing)).collect();
        for (name, ours) in here {
            let target = match there.get(name) {
                Some(theirs) => Target::Is(theirs.oid),
                None if known.contains(&ours.oid) => Target::Nothing,
                None => Target::Is(ours.oid),
            };
            oids.insert(ours.oid, target);
        }
        let forms = here
            .values()
            .filter(|known| known.form != Form::Plain)
            .map(|known| (known.oid, known.form))
            .collect();
        Self {
            oids,
            forms,
            met_strangers: AtomicBool::new(false),
        }
    }

    fn is_like(&self, other: &Self) -> bool {
        self.oids == other.oids && self.forms == other.forms
    }

    /// What the other side calls a type: its own OID where neither side's catalogs have it.
    ///
    /// Errors: [`Untranslatable::Type`] where the other side means another one by it.
    pub fn oid(&self, oid: Oid) -> Result<Oid, Untranslatable> {
        if oid.0 < FIRST_USER_OID {
            return Ok(oid);
        }
        match self.oids.get(&oid) {
            Some(Target::Is(there)) => Ok(*there),
            Some(Target::Nothing) => {
                self.met_strangers.store(true, Ordering::Relaxed);
                Err(Untranslatable::Type(oid))
            }
            None => {
                self.met_strangers.store(true, Ordering::Relaxed);
                Ok(oid)
            }
        }
    }

    /// The catalogs had the type, or it is everybody's.
    pub fn knows(&self, oid: Oid) -> bool {
        oid.0 < FIRST_USER_OID || matches!(self.oids.get(&oid), Some(Target::Is(_)))
    }

    /// Values of the type may have OIDs of users' types in their binary form.
    pub fn carries(&self, oid: Oid) -> bool {
        match self.form(oid) {
            Form::Plain => false,
            Form::Array | Form::Record => true,
            // Ranges of ranges there are none.
            Form::Range(of) | Form::Multirange(of) => {
                matches!(self.form(of), Form::Array | Form::Record)
            }
        }
    }

    fn form(&self, oid: Oid) -> Form {
        match oid {
            RECORD => Form::Record,
            RECORDS | ANY_ARRAY => Form::Array,
            _ => self.forms.get(&oid).copied().unwrap_or(Form::Plain),
        }
    }

    /// Translates a value of this type, in its binary form, in place. Where there is no translation a part of it may be
    /// translated already.
    ///
    /// Errors: as of [`Self::oid`]; types that are not known, this one or within it; values that are not of this form, or
    /// too deep.
    pub fn value(&self, oid: Oid, value: &mut [u8]) -> Result<(), Untranslatable> {
        self.known(oid)?;
        self.value_within(oid, value, 0)
    }

    /// Errors: [`Untranslatable::Unknown`] where the catalogs did not have the type.
    pub fn known(&self, oid: Oid) -> Result<(), Untranslatable> {
        match self.knows(oid) {
            true => Ok(()),
            false => {
                self.met_strangers.store(true, Ordering::Relaxed);
                Err(Untranslatable::Unknown(oid))
            }
        }
    }

    fn value_within(&self, oid: Oid, value: &mut [u8], depth: usize) -> Result<(), Untranslatable> {
        if !self.carries(oid) {
            return Ok(());
        }
        if depth > DEPTH_MAX {
            return Err(Untranslatable::Depth);
        }
        let mut rest = Rest::new(value);
        match self.form(oid) {
            Form::Plain => Ok(()),
            Form::Array => self.array(rest, depth),
            Form::Record => self.record(rest, depth),
            Form::Range(of) => self.range(of, rest, depth),
            Form::Multirange(of) => {
                for _ in 0..rest.count()? {
                    if let Some(range) = rest.value()? {
                        self.range(of, Rest::new(range), depth + 1)?;
                    }
                }
                rest.end()
            }
        }
    }

    fn array(&self, mut rest: Rest<'_>, depth: usize) -> Result<(), Untranslatable> {
        let dimensions = rest.count()?;
        rest.take(FLAGS_BYTES)?;
        let element = self.translate(rest.take(OID_BYTES)?)?;
        if !self.carries(element) {
            return Ok(());
        }
        let shape = dimensions.checked_mul(DIMENSION_BYTES);
        rest.take(shape.ok_or(Untranslatable::Broken)?)?;
        while !rest.is_empty() {
            if let Some(value) = rest.value()? {
                self.value_within(element, value, depth + 1)?;
            }
        }
        Ok(())
    }

    fn record(&self, mut rest: Rest<'_>, depth: usize) -> Result<(), Untranslatable> {
        for _ in 0..rest.count()? {
            let field = self.translate(rest.take(OID_BYTES)?)?;
            if let Some(value) = rest.value()? {
                self.value_within(field, value, depth + 1)?;
            }
        }
        rest.end()
    }

    fn range(&self, of: Oid, mut rest: Rest<'_>, depth: usize) -> Result<(), Untranslatable> {
        let [flags] = *rest.take(1)? else {
            return Err(Untranslatable::Broken);
        };
        let bounds = match flags & EMPTY {
            0 => [LOWER_INFINITE, UPPER_INFINITE],
            _ => return rest.end(),
        };
        for infinite in bounds {
            if flags & infinite == 0
                && let Some(value) = rest.value()?
            {
                self.value_within(of, value, depth + 1)?;
            }
        }
        rest.end()
    }

    /// Puts the other side's OID in the place of ours, which is returned.
    fn translate(&self, place: &mut [u8]) -> Result<Oid, Untranslatable> {
        let bytes = place.first_chunk_mut().ok_or(Untranslatable::Broken)?;
        let oid = Oid(u32::from_be_bytes(*bytes));
        let there = self.oid(oid)?;
        self.known(oid)?;
        *bytes = there.0.to_be_bytes();
        Ok(oid)
    }
}

const OID_BYTES: usize = 4;
const FLAGS_BYTES: usize = 4;
/// Of each dimension of an array: its length and its lower bound.
const DIMENSION_BYTES: usize = 8;

/// Of a range.
/// Source: `src/include/utils/rangetypes.h`
const EMPTY: u8 = 0x01;
const LOWER_INFINITE: u8 = 0x08;
const UPPER_INFINITE: u8 = 0x10;

/// Built-in types that hold values of any.
const RECORD: Oid = Oid(2249);
const RECORDS: Oid = Oid(2287);
const ANY_ARRAY: Oid = Oid(2277);

#[cfg(test)]
mod tests;
