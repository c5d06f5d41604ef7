//! Users' types in what a server says, told in the OIDs that the client knows. Only where the shard has a translation: else
//! no message is looked at for it.
//!
//! Descriptions are rewritten as they come. Rows are looked into where a column of theirs is in binary form and may hold
//! OIDs, which the description just ahead of them tells; for an Execute the proxy asks for one of its own.

use std::sync::Arc;

use super::Relay;
use super::meaning::{PARAMETER_DESCRIPTION_BYTES_MAX, STATE_FRAME_BYTES_MAX, Seen};
use crate::backend::Connection;
use crate::error::{PgError, SqlState};
use crate::executor::expect::Signature;
use crate::executor::fault::violation;
use crate::executor::oids::{is_looked_at, refused};
use crate::types::translation::{Translation, Untranslatable};
use crate::types::{Format, Oid};
use crate::wire::oids::{each_column, each_parameter_type, each_value};
use crate::wire::{HEADER_BYTES, Header, backend};

/// A RowDescription of as many columns as a row may have, with the longest names.
const ROW_DESCRIPTION_BYTES_MAX: usize = 256 * 1024;

/// The translation of the shard whose answers these are.
#[derive(Debug)]
pub(super) struct Oids {
    translation: Arc<Translation>,
    /// Columns of the rows that come, in binary form, that hold OIDs; with their types on the shard.
    carried: Vec<(u16, Oid)>,
    /// What a row may have that is looked into, in bytes.
    row_bytes_max: usize,
    /// The unnamed portal: what is known of its statement.
    unnamed: Unnamed,
}

#[derive(Debug, Default)]
struct Unnamed {
    signature: Option<Arc<Signature>>,
    is_text: bool,
}

impl Relay {
    /// Answers come from a shard with this translation from now on. Those that are due are told as their questions were.
    pub fn translate(&mut self, translation: Option<Arc<Translation>>, row_bytes_max: usize) {
        let same = match (&self.oids, &translation) {
            (None, None) => true,
            (Some(oids), Some(translation)) => Arc::ptr_eq(&oids.translation, translation),
            _ => false,
        };
        if !same && self.is_idle() {
            self.oids = translation.map(|translation| {
                Box::new(Oids {
                    translation,
                    carried: Vec::new(),
                    row_bytes_max,
                    unnamed: Unnamed::default(),
                })
            });
        }
    }

    pub fn translates(&self) -> bool {
        self.oids.is_some()
    }

    pub fn translation(&self) -> Option<&Translation> {
        self.oids.as_ref().map(|oids| &*oids.translation)
    }

    /// A portal has been bound on the shard. `is_text`: all that it gives is in text form.
    pub fn portal_bound(&mut self, name: &[u8], signature: &Arc<Signature>, is_text: bool) {
        if let Some(oids) = self.oids.as_mut().filter(|_| name.is_empty()) {
            oids.unnamed = Unnamed {
                signature: Some(Arc::clone(signature)),
                is_text,
            };
        }
    }

    /// Whether the columns of a portal have to be asked for ahead of its rows; with where its statement's are kept.
    pub fn asks_for_columns(&self, portal: &[u8]) -> Option<Option<Arc<Signature>>> {
        let oids = self.oids.as_ref()?;
        if !portal.is_empty() {
            return Some(None);
        }
        let Unnamed { signature, is_text } = &oids.unnamed;
        let carries = signature.as_ref().and_then(|known| known.carries.get());
        (!is_text && carries != Some(&false)).then(|| signature.clone())
    }

    /// How much of a frame has to be there before it is looked at.
    ///
    /// Errors: why it cannot be.
    pub(super) fn needed_to_translate(
        &self,
        head: Header,
        server: &Connection,
    ) -> Result<usize, PgError> {
        let Some(oids) = &self.oids else {
            return Ok(0);
        };
        let limit = match head.tag {
            backend::ROW_DESCRIPTION => ROW_DESCRIPTION_BYTES_MAX,
            backend::PARAMETER_DESCRIPTION => PARAMETER_DESCRIPTION_BYTES_MAX,
            backend::COPY_IN_RESPONSE | backend::COPY_OUT_RESPONSE => STATE_FRAME_BYTES_MAX,
            backend::DATA_ROW if !oids.carried.is_empty() => oids.row_bytes_max,
            _ => return Ok(0),
        };
        match head.tag {
            _ if head.len <= limit => Ok(head.len),
            backend::DATA_ROW => Err(PgError::proxy(
                SqlState::PROGRAM_LIMIT_EXCEEDED,
                format!(
                    "a row of {} bytes, with arrays or composites of users' types in binary form, is more than {limit}",
                    head.len
                ),
            )
            .with_hint("Raise message_bytes in the limits, or ask for text.")),
            _ => Err(violation(server, "oversized message")),
        }
    }

    /// Rows are looked into one by one.
    #[inline]
    pub(super) fn looks_into_rows(&self) -> bool {
        self.oids
            .as_ref()
            .is_some_and(|oids| !oids.carried.is_empty())
    }

    /// A statement is over, and with it what its description said.
    #[inline]
    pub(super) fn rows_are_over(&mut self) {
        if let Some(oids) = &mut self.oids {
            oids.carried.clear();
        }
    }

    /// A row, which is there as a whole; it passes through here once.
    #[inline]
    pub(super) fn row(&self, head: Header, at: usize, server: &mut Connection) -> Option<Seen> {
        match self.looks_into_rows() {
            true => self.translate_row(head, at, server),
            false => None,
        }
    }

    #[inline(never)]
    fn translate_row(&self, head: Header, at: usize, server: &mut Connection) -> Option<Seen> {
        let oids = self.oids.as_ref()?;
        let to_client = &oids.translation.to_client;
        let mut carried = oids.carried.iter().peekable();
        let body = &mut server.input[at + HEADER_BYTES..at + head.len];
        let translated = each_value(body, |column, value| {
            while carried.next_if(|(known, _)| *known < column).is_some() {}
            match carried.peek() {
                Some((known, oid)) if *known == column => to_client.value(*oid, value),
                _ => Ok(()),
            }
        });
        failed(translated, server, "a column in binary form")
    }

    /// RowDescription. `ahead` of rows: they are looked into as it says.
    #[inline]
    pub(super) fn columns(
        &mut self,
        head: Header,
        at: usize,
        server: &mut Connection,
        ahead: bool,
    ) -> Option<Seen> {
        match self.oids {
            Some(_) => self.translate_columns(head, at, server, ahead),
            None => None,
        }
    }

    #[inline(never)]
    fn translate_columns(
        &mut self,
        head: Header,
        at: usize,
        server: &mut Connection,
        ahead: bool,
    ) -> Option<Seen> {
        let oids = self.oids.as_mut()?;
        let to_client = &oids.translation.to_client;
        oids.carried.clear();
        let carried = &mut oids.carried;
        let mut column = 0;
        let body = &mut server.input[at + HEADER_BYTES..at + head.len];
        let translated = each_column(body, |oid, format| {
            if ahead && format == Format::Binary && is_looked_at(to_client, oid) {
                to_client.known(oid)?;
                carried.push((column, oid));
            }
            column += 1;
            to_client.oid(oid)
        });
        failed(translated, server, "a column")
    }

    /// RowDescription that the client does not see: whether what comes in binary form has to be looked into is kept.
    pub(super) fn own_columns(
        &mut self,
        head: Header,
        at: usize,
        server: &mut Connection,
        signature: Option<&Signature>,
    ) -> Option<Seen> {
        let to_client = &self.oids.as_ref()?.translation.to_client;
        if let Some(signature) = signature {
            let mut carries = false;
            let body = &mut server.input[at + HEADER_BYTES..at + head.len];
            let read = each_column(body, |oid, _| {
                carries |= is_looked_at(to_client, oid);
                Ok(oid)
            });
            if read.is_ok() {
                let _ = signature.carries.set(carries);
            }
        }
        self.columns(head, at, server, true)
    }

    /// ParameterDescription; kept in `signature` where it is our own question.
    pub(super) fn parameters(
        &mut self,
        head: Header,
        at: usize,
        server: &mut Connection,
        signature: Option<&Signature>,
    ) -> Option<Seen> {
        let to_client = &self.oids.as_ref()?.translation.to_client;
        let mut types = Vec::new();
        let body = &mut server.input[at + HEADER_BYTES..at + head.len];
        let translated = each_parameter_type(body, |oid| {
            let theirs = to_client.oid(oid)?;
            if signature.is_some() {
                types.push(theirs);
            }
            Ok(theirs)
        });
        if let (Ok(()), Some(signature)) = (translated, signature) {
            let _ = signature.parameters.set(types.into());
        }
        failed(translated, server, "a parameter")
    }

    /// A copy in binary form has values of types that nobody tells.
    pub(super) fn copies(&self, head: Header, at: usize, server: &Connection) -> Option<Seen> {
        self.oids.as_ref()?;
        let format = server.input[at..at + head.len].get(HEADER_BYTES);
        (format == Some(&BINARY)).then(|| {
            Seen::Failed(PgError::refusal(
                format!(
                    "COPY in binary form on shard \"{}\", whose types have other OIDs than the default shard's, is not supported",
                    server.shard
                ),
                "Copy in text or CSV form, or use the shard directly.",
            ))
        })
    }
}

const BINARY: u8 = 1;

fn failed(outcome: Result<(), Untranslatable>, server: &Connection, what: &str) -> Option<Seen> {
    Some(Seen::Failed(match outcome.err()? {
        Untranslatable::Broken => violation(server, &format!("{what} that makes no sense")),
        error => refused(error, what),
    }))
}

#[cfg(test)]
mod tests;
