//! OIDs of users' types between a client, who is told the default shard's, and a shard that has others. Parse, Bind and
//! their answers are translated where they are written to a server and read from it; a prepared statement itself knows
//! the client's only.
//!
//! Values in binary form hold OIDs, too. Whether a parameter does is told by its type: as declared in Parse, else as a
//! server says, which is asked for it once for each prepared statement.

use std::borrow::Cow;
use std::sync::Arc;

use super::{Failure, Prepared, Purpose, Scattered, Session};
use crate::error::{PgError, SqlState};
use crate::executor::scatter::{Parameters, Translated};
use crate::executor::{Expect, is_looked_at, parameters_to_server, types_to_server};
use crate::net::Buffered;
use crate::plan::Facts;
use crate::shardmap::ShardId;
use crate::types::Oid;
use crate::types::translation::Translation;
use crate::wire::{self, Bind, Described, frontend};

/// What the parameters of a Bind are to a shard with a translation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given {
    /// Passed on as they are.
    Plain,
    /// Some may hold OIDs.
    Carrying,
    /// Some in binary form are of types that only a server can tell.
    Unknown,
}

impl Session {
    /// The connection in use is one to `shard`: its answers are told in the client's OIDs.
    #[inline]
    pub(super) fn translate(&mut self, shard: ShardId) {
        if self.database.translates() || self.relay.translates() {
            let translation = self.database.translation(shard);
            self.relay.translate(translation, self.message_bytes_max());
        }
    }

    /// The connection in use has other OIDs than the client knows.
    pub fn translates(&self) -> bool {
        self.relay.translates()
    }

    /// As they are looked at before a connection is in use.
    #[inline]
    pub fn given(&self, shard: ShardId, prepared: &Prepared, bind: &Bind<'_>) -> Given {
        if !self.database.translates() {
            return Given::Plain;
        }
        match self.database.translation(shard) {
            Some(translation) => given(&translation, prepared, bind),
            None => Given::Plain,
        }
    }

    /// Has a server tell the types of a statement's parameters. `parsed`: the client's name for it, where its Parse is not
    /// answered.
    ///
    /// Errors: those of [`Session::enter`]; what is wrong with the statement (`Told`).
    pub async fn sign(
        &mut self,
        io: &mut Buffered,
        (shard, purpose): (ShardId, Purpose),
        prepared: &Prepared,
        unnamed: bool,
        parsed: Option<&[u8]>,
    ) -> Result<(), Failure> {
        self.enter(io, shard, purpose).await?;
        self.queue_parse(prepared, unnamed, parsed)?;
        let name: &[u8] = if unnamed { b"" } else { &prepared.global.name };
        self.ask_signature(io, prepared, name).await
    }

    /// As [`Self::sign`], of what has been parsed under this name on the connection in use.
    pub async fn ask_signature(
        &mut self,
        io: &mut Buffered,
        prepared: &Prepared,
        name: &[u8],
    ) -> Result<(), Failure> {
        let signature = prepared.signature();
        if !self.translates() || signature.parameters.get().is_some() {
            return Ok(());
        }
        let expect = Expect::Signature(Arc::clone(signature));
        self.queue(expect, false, |out| {
            wire::put_close(out, frontend::DESCRIBE, Described::Statement(name))
        })?;
        self.flush(io).await?;
        if signature.parameters.get().is_none() {
            return Err(Failure::Statement(PgError::proxy(
                SqlState::INTERNAL_ERROR,
                "the types of the statement's parameters have not been told",
            )));
        }
        Ok(())
    }

    /// The part of a Bind behind its names, for the connection in use.
    ///
    /// Errors: 0A000 for values that cannot be told in its OIDs, or that nobody knows the type of.
    #[inline]
    pub fn translated<'a>(
        &self,
        prepared: &Prepared,
        rest: &'a [u8],
    ) -> Result<Cow<'a, [u8]>, PgError> {
        match self.relay.translation() {
            Some(translation) => {
                let types = parameter_types(prepared);
                parameters_to_server(Some(translation), &types, rest)
            }
            None => Ok(Cow::Borrowed(rest)),
        }
    }

    /// A portal was bound on the connection in use, with these format codes of results.
    pub fn portal_bound(&mut self, portal: &[u8], prepared: &Prepared, results: Option<Vec<i16>>) {
        if self.translates() {
            let is_text = results.is_some_and(|codes| codes.iter().all(|code| *code == 0));
            self.relay
                .portal_bound(portal, prepared.signature(), is_text);
        }
    }

    /// Asks for a portal's columns ahead of its rows, where those have to be looked into.
    ///
    /// Errors: a name too long.
    #[inline]
    pub fn queue_columns(&mut self, portal: &[u8]) -> Result<(), PgError> {
        if !self.translates() {
            return Ok(());
        }
        let Some(signature) = self.relay.asks_for_columns(portal) else {
            return Ok(());
        };
        self.queue(Expect::Columns(signature), false, |out| {
            wire::put_close(out, frontend::DESCRIBE, Described::Portal(portal))
        })
    }

    /// Parameters of a scattered statement for those of its lanes that have other OIDs than the client knows.
    ///
    /// Errors: 0A000 for types and values that cannot be told in a shard's OIDs.
    pub(super) fn translated_lanes<'a>(
        &self,
        scattered: &Scattered<'a>,
        facts: &Facts,
    ) -> Result<Vec<Translated<'a>>, PgError> {
        let mut translated = Vec::new();
        if !self.database.translates() {
            return Ok(translated);
        }
        let Parameters { types, values } = scattered.parameters;
        for (lane, shard) in scattered.shards.iter().enumerate() {
            if let Some(translation) = self.database.translation(*shard) {
                let known = known_types(types, Some(&facts.parameters));
                translated.push(Translated {
                    lane,
                    types: types_to_server(Some(&translation), types)?,
                    values: parameters_to_server(Some(&translation), &known, values)?,
                });
            }
        }
        Ok(translated)
    }

    /// Types have come that the catalogs did not have when they were read.
    pub(super) fn heed_strangers(&self) {
        if let Some(translation) = self.relay.translation()
            && translation.asks_for_catalogs()
        {
            self.database.request_schema();
        }
    }
}

fn parameter_types(prepared: &Prepared) -> Cow<'_, [Oid]> {
    let told = prepared.signature().parameters.get();
    known_types(&prepared.global.param_types, told.map(|told| &**told))
}

/// As the client knows them: declared, or else as a server has said; unspecified where neither is known.
fn known_types<'a>(declared: &'a [Oid], told: Option<&[Oid]>) -> Cow<'a, [Oid]> {
    let Some(told) = told else {
        return Cow::Borrowed(declared);
    };
    let mut types = told.to_vec();
    for (place, oid) in declared.iter().enumerate() {
        match types.get_mut(place) {
            Some(known) if *oid != Oid::UNSPECIFIED => *known = *oid,
            Some(_) => {}
            None => types.push(*oid),
        }
    }
    Cow::Owned(types)
}

fn given(translation: &Translation, prepared: &Prepared, bind: &Bind<'_>) -> Given {
    if !bind.has_binary() {
        return Given::Plain;
    }
    let types = parameter_types(prepared);
    let is_told = prepared.signature().parameters.get().is_some();
    let mut carries = false;
    for place in (0..bind.params()).filter(|place| bind.format(*place) != 0) {
        let oid = types.get(usize::from(place)).copied().unwrap_or_default();
        if oid == Oid::UNSPECIFIED && !is_told {
            return Given::Unknown;
        }
        carries |= is_looked_at(&translation.to_server, oid);
    }
    match carries {
        true => Given::Carrying,
        false => Given::Plain,
    }
}
