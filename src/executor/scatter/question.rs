//! What every lane is asked, and how the answers are put together: a plan with what servers have said of it.

use std::borrow::Cow;

use bytes::{BufMut, Bytes, BytesMut};

use super::lane::Columns;
use super::merging::{Grouped, Layout, Merging, Ordered, Sections, Window};
use super::probe;
use super::request::Request;
use crate::backend::StatementId;
use crate::error::{PgError, SqlState};
use crate::plan::{self, Column, Facts, Groups, Merge, Merged, Scatter, Span};
use crate::sql;
use crate::types::aggregate::Aggregate;
use crate::types::{Format, Oid};
use crate::wire::{self, Described as Target, Description, Oversized, frontend};

/// The parameters of a statement, as a Bind has them.
#[derive(Clone, Copy, Debug)]
pub struct Parameters<'a> {
    /// As declared in Parse.
    pub types: &'a [Oid],
    /// The part of a Bind from its parameters' formats to their values.
    pub values: &'a [u8],
}

impl<'a> Parameters<'a> {
    /// No formats, no values.
    pub const NONE: Self = Self {
        types: &[],
        values: &[0; 4],
    };

    /// With the types that all of them have, where that is known.
    pub fn typed(self, facts: &'a Facts) -> Self {
        match &facts.finish {
            Some(finish) => Self {
                types: &finish.params,
                ..self
            },
            None => self,
        }
    }

    pub fn is_none(&self) -> bool {
        *self.values == *Self::NONE.values
    }
}

/// The same for one lane whose shard has other OIDs of types than the client knows.
#[derive(Debug)]
pub struct Translated<'a> {
    /// Its place among the lanes.
    pub lane: usize,
    pub types: Cow<'a, [Oid]>,
    pub values: Cow<'a, [u8]>,
}

impl Translated<'_> {
    pub fn parameters(&self) -> Parameters<'_> {
        Parameters {
            types: &self.types,
            values: &self.values,
        }
    }
}

/// What every lane is asked, and how the answers are put together.
pub struct Question {
    pub(super) request: Request,
    /// Of lanes that are asked with parameters of their own.
    pub(super) own: Vec<(usize, Request)>,
    pub(super) columns: Columns,
    pub(super) merging: Merging,
    pub(super) window: Window,
    pub(super) told: Told,
    pub(super) row_bytes_max: usize,
}

/// What the client is told of its columns.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub(super) description: Description,
    pub(super) formats: Vec<Format>,
    /// Where its columns are among a lane's, for those that are there.
    pub(super) places: Vec<Option<usize>>,
}

impl Told {
    /// A server tells of a portal what it has planned: that may have fewer expressions than were written, and so other type
    /// modifiers.
    /// Source: `eval_const_expressions` in `src/backend/optimizer/util/clauses.c`
    pub(super) fn heed(&mut self, described: &Description) {
        let planned = |place: &Option<usize>| place.and_then(|place| described.modifier(place));
        let known = self.description.modifiers().zip(&self.places);
        let differs = |(known, place): (i32, &_)| planned(place).is_some_and(|it| it != known);
        if { known }.any(differs) {
            let planned: Vec<Option<i32>> = self.places.iter().map(planned).collect();
            self.description = self.description.with_modifiers(&planned);
        }
    }
}

/// A statement's text, parameters and result formats (none for text, one for all columns, or one for each).
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    pub text: &'a str,
    pub parameters: Parameters<'a>,
    /// Those of some lanes, for which they are others.
    pub translated: &'a [Translated<'a>],
    pub formats: &'a [Format],
    /// How many lanes there are.
    pub lanes: usize,
    /// What a row may have, in bytes.
    pub row_bytes_max: usize,
    /// The time of the transaction, where the shards are told one ([`sql::at_moment`]).
    pub now: Option<&'a str>,
}

impl Question {
    /// Of a scattered statement, whose servers have said these facts. With the text that the shards are sent.
    ///
    /// Errors: 08P01 where there are other formats than columns; a text too long.
    pub fn new(
        scatter: &Scatter,
        facts: &Facts,
        span: Span,
        asked: Asked<'_>,
    ) -> Result<(Self, String), PgError> {
        let columns = facts.description.len();
        let finish = facts.finish.as_ref();
        let source = scatter.source(finish.is_some());
        let formats = match (source, finish) {
            (Merge::Groups(groups), Some(_)) => vec![Format::Binary; groups.outputs.len()],
            (Merge::Rows(_) | Merge::Tables(_), Some(_)) => {
                vec![Format::Binary; facts.types.len()]
            }
            _ => each(asked.formats, columns)?,
        };
        let (text, lane_formats, merging);
        match (source, &facts.merged) {
            (Merge::Groups(groups), Merged::Groups { keys, aggregates }) => {
                let layout = Layout::new(&groups.outputs, aggregates, keys.len(), &formats);
                text = grouped_text(groups, aggregates, &formats, facts);
                lane_formats = layout.formats().to_vec();
                let lanes = asked.lanes;
                let of = (&keys[..], &aggregates[..]);
                let grouped = Grouped::new(of, &groups.outputs, layout, &formats, lanes);
                merging = Merging::Groups(Box::new(grouped));
            }
            (Merge::Rows(rows), Merged::Rows(keys)) => {
                text = rows.text.as_deref().unwrap_or(asked.text).to_owned();
                let hidden = vec![Format::Binary; keys.len()];
                lane_formats = [&formats[..], &hidden].concat();
                merging = match keys.is_empty() {
                    true => Merging::Concatenation(0),
                    false => Merging::Ordered(Box::new(Ordered::new(
                        keys,
                        columns as u16,
                        rows.distinct,
                        asked.lanes,
                        span.with_ties,
                    ))),
                };
            }
            (Merge::Tables(tables), Merged::Tables) => {
                text = tables.text.to_string();
                lane_formats = formats.clone();
                merging = Merging::Concatenation(0);
            }
            _ => return Err(changed()),
        }
        let text = match asked.now {
            Some(now) => sql::at_moment(&text, now).ok_or_else(changed)?,
            None => text,
        };
        let mut types = facts.types.to_vec();
        if let (Merge::Groups(groups), Merged::Groups { aggregates, .. }) = (source, &facts.merged)
        {
            types.extend(behind_keys(groups, aggregates, &formats, &facts.types));
        }
        let question = Self {
            request: request(&text, asked.parameters.typed(facts), &lane_formats)?.into(),
            own: own_requests(&text, asked.translated, facts, &lane_formats)?,
            columns: Columns {
                types: types.into(),
                client: matches!(facts.merged, Merged::Rows(_)).then(|| facts.description.clone()),
                modifiers: finish.map_or([].into(), |finish| {
                    let known = finish.types.iter().zip(&facts.types);
                    known.map(|(of, _)| of.modifier).collect()
                }),
            },
            merging,
            window: Window::new(match finish {
                None => span,
                Some(_) => Span::default(),
            }),
            told: Told {
                description: facts.description.clone(),
                formats,
                places: shown_places(source, columns),
            },
            row_bytes_max: asked.row_bytes_max,
        };
        Ok((question, text))
    }

    /// Of an EXPLAIN: each lane's lines, one after the other, behind the rows `ahead`. With the text that the shards are sent.
    ///
    /// Errors: a text too long.
    pub fn explain(
        scatter: &Scatter,
        facts: &Facts,
        ahead: Bytes,
        asked: Asked<'_>,
    ) -> Result<(Self, String), PgError> {
        let source = scatter.source(facts.finish.is_some());
        let text = match (source, &facts.merged) {
            (Merge::Groups(groups), Merged::Groups { aggregates, .. }) => grouped_text(
                groups,
                aggregates,
                &vec![Format::Text; groups.outputs.len()],
                facts,
            ),
            (Merge::Rows(rows), _) => rows.text.as_deref().unwrap_or(asked.text).to_owned(),
            _ => return Err(changed()),
        };
        let formats = each(asked.formats, 1)?;
        let question = Self {
            request: request(&text, asked.parameters.typed(facts), &formats)?.into(),
            own: own_requests(&text, asked.translated, facts, &formats)?,
            columns: Columns {
                types: [Oid::TEXT].into(),
                client: None,
                modifiers: [].into(),
            },
            merging: Merging::Sections(Sections::new(ahead, asked.lanes)),
            window: Window::new(Span::default()),
            told: Told {
                description: probe::query_plan().ok_or_else(changed)?,
                formats,
                places: Vec::new(),
            },
            row_bytes_max: asked.row_bytes_max,
        };
        Ok((question, text))
    }

    /// It is a statement that connections know by its number, or will.
    pub fn name(&mut self, id: StatementId) {
        self.request.name(id);
    }
}

/// Where the client's columns are among those of shards.
fn shown_places(source: &Merge, columns: usize) -> Vec<Option<usize>> {
    match source {
        Merge::Rows(_) => (0..columns).map(Some).collect(),
        Merge::Tables(_) => Vec::new(),
        Merge::Groups(groups) => {
            let place = |output: &Column| match output {
                Column::Key(key) => Some(*key),
                Column::Aggregate(_) => None,
            };
            groups.outputs.iter().map(place).collect()
        }
    }
}

/// The text that shards are sent for groups. Its columns are those of [`Layout`].
fn grouped_text(
    groups: &Groups,
    aggregates: &[Aggregate],
    formats: &[Format],
    facts: &Facts,
) -> String {
    let mut wanted = vec![Format::Text; aggregates.len()];
    let mut shown = Vec::new();
    for (output, format) in groups.outputs.iter().zip(formats) {
        match output {
            Column::Aggregate(at) => wanted[*at] = *format,
            Column::Key(key) if *format == Format::Text => shown.push(*key),
            Column::Key(_) => {}
        }
    }
    let parts = |at: usize, call: &plan::Aggregate| {
        aggregates[at].expressions(wanted[at], &call.argument, None)
    };
    let finish = facts.finish.as_ref();
    let by_bytes = finish.map_or(&[][..], |finish| &finish.by_bytes);
    groups.text(parts, &shown, by_bytes)
}

/// The types of the columns behind the keys, in the order of [`Layout`].
fn behind_keys(
    groups: &Groups,
    aggregates: &[Aggregate],
    formats: &[Format],
    keys: &[Oid],
) -> Vec<Oid> {
    let (mut parts, mut shown) = (Vec::new(), Vec::new());
    for (output, format) in groups.outputs.iter().zip(formats) {
        match output {
            Column::Aggregate(at) => parts.extend(aggregates[*at].part_types(*format)),
            Column::Key(key) if *format == Format::Text => {
                shown.push(keys.get(*key).copied().unwrap_or_default());
            }
            Column::Key(_) => {}
        }
    }
    parts.extend(shown);
    parts
}

/// A format for each column.
/// Source: `PortalSetResultFormat` in `src/backend/tcop/pquery.c`
pub(super) fn each(formats: &[Format], columns: usize) -> Result<Vec<Format>, PgError> {
    match formats {
        [] => Ok(vec![Format::Text; columns]),
        [all] => Ok(vec![*all; columns]),
        each if each.len() == columns => Ok(each.to_vec()),
        each => Err(PgError::client(
            SqlState::PROTOCOL_VIOLATION,
            format!(
                "bind message has {} result formats but query has {columns} columns",
                each.len()
            ),
        )),
    }
}

pub(super) fn request(
    text: &str,
    parameters: Parameters<'_>,
    formats: &[Format],
) -> Result<Bytes, Oversized> {
    let mut out = BytesMut::new();
    let types = parameters.types.iter().map(|oid| oid.0);
    wire::put_parse(&mut out, b"", text.as_bytes(), types)?;
    let rest = parameters.values.len() + 2 + 2 * formats.len();
    wire::put_bind_head(&mut out, b"", b"", rest)?;
    out.put_slice(parameters.values);
    out.put_u16(formats.len() as u16);
    for format in formats {
        out.put_u16(u16::from(*format == Format::Binary));
    }
    end_of_request(&mut out)?;
    Ok(out.freeze())
}

/// Behind Parse and Bind.
pub(super) fn end_of_request(out: &mut BytesMut) -> Result<(), Oversized> {
    wire::put_close(out, frontend::DESCRIBE, Target::Portal(b""))?;
    wire::put_execute(out, b"", 0)?;
    wire::put_sync(out);
    Ok(())
}

fn own_requests(
    text: &str,
    translated: &[Translated<'_>],
    facts: &Facts,
    formats: &[Format],
) -> Result<Vec<(usize, Request)>, Oversized> {
    let own = translated.iter().map(|own| {
        Ok((
            own.lane,
            request(text, own.parameters().typed(facts), formats)?.into(),
        ))
    });
    own.collect()
}

/// The servers say something else of a statement than before.
/// Source: `RevalidateCachedQuery` in `src/backend/utils/cache/plancache.c`, whose words these are
pub fn changed() -> PgError {
    PgError::shard(
        SqlState::FEATURE_NOT_SUPPORTED,
        "cached plan must not change result type",
    )
}
