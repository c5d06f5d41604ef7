//! Runs one text on several servers at once and merges their answers into one, as they come.
//!
//! ```text
//!   lane s1 ── rows ──> input ─┐  head rows   ┌─> hidden columns cut off, or groups put together ──> client
//!   lane s3 ── rows ──> input ─┼────────────> merge
//!   lane s4 ── rows ──> input ─┘
//! ```
//!
//! A lane reads when its head row is wanted and has not arrived, once at a time: what it has to say beyond that waits in
//! its socket, and a client that does not read stops all of them. So the memory is that of the buffers and of one row a
//! lane. Nothing is decoded but what is compared or added up.
//!
//! Toward the servers it is the extended protocol whatever the client speaks: each column has the format it is needed in.

mod finishing;
mod lane;
mod merging;
mod probe;
mod request;

use std::borrow::Cow;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};

pub use finishing::Arrays;
pub use lane::LaneError;
use lane::{Columns, Lane, Next};
pub use probe::{agrees, check, learn};

use crate::backend::{CancelKey, Lease, StatementId};
use crate::error::{PgError, SqlState};
use crate::net::{Buffered, timer};
use crate::plan::{self, Column, Facts, Groups, Merge, Merged, Scatter, Span};
use crate::types::aggregate::Aggregate;
use crate::types::{Format, Oid};
use crate::wire::{self, Described as Target, Description, Oversized, frontend};
use merging::{Grouped, Layout, Merging, Ordered, Sections, Step, Window};
use request::Request;

/// What a lane still has to say when nobody wants more is read up to so many bytes; one with more is closed.
const UNWANTED_BYTES_MAX: usize = 8 << 20;
/// And for so long.
const UNWANTED_WAIT: Duration = Duration::from_millis(100);

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
    request: Request,
    /// Of lanes that are asked with parameters of their own.
    own: Vec<(usize, Request)>,
    columns: Columns,
    merging: Merging,
    window: Window,
    told: Told,
    row_bytes_max: usize,
}

/// What the client is told of its columns.
#[derive(Clone, Debug)]
struct Told {
    description: Description,
    formats: Vec<Format>,
    /// Where its columns are among a lane's, for those that are there.
    places: Vec<Option<usize>>,
}

impl Told {
    /// A server tells of a portal what it has planned: that may have fewer expressions than were written, and so other type
    /// modifiers.
    /// Source: `eval_const_expressions` in `src/backend/optimizer/util/clauses.c`
    fn heed(&mut self, described: &Description) {
        let planned: Vec<i32> = described.modifiers().collect();
        let planned = |place: &Option<usize>| place.and_then(|place| planned.get(place).copied());
        let planned: Vec<Option<i32>> = self.places.iter().map(planned).collect();
        let known = self.description.modifiers().zip(&planned);
        let differs = |(known, planned): (i32, &Option<i32>)| planned.is_some_and(|it| it != known);
        if { known }.any(differs) {
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
            (Merge::Rows(_), Some(_)) => vec![Format::Binary; facts.types.len()],
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
            _ => return Err(changed()),
        }
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
fn each(formats: &[Format], columns: usize) -> Result<Vec<Format>, PgError> {
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

fn request(text: &str, parameters: Parameters<'_>, formats: &[Format]) -> Result<Bytes, Oversized> {
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
fn end_of_request(out: &mut BytesMut) -> Result<(), Oversized> {
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

/// A question under way.
pub struct Scattering {
    lanes: Vec<Lane>,
    columns: Columns,
    merging: Merging,
    window: Window,
    told: Told,
    complete: bool,
    /// Rows that had come out when the client last asked for some.
    before: u64,
}

impl fmt::Debug for Scattering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scattering over {} lanes", self.lanes.len())
    }
}

/// Why it cannot go on.
#[derive(Debug)]
pub enum ScatterError {
    /// The client has closed its connection, or broken it.
    Client(io::Error),
    Lane(LaneError),
}

impl From<LaneError> for ScatterError {
    fn from(error: LaneError) -> Self {
        Self::Lane(error)
    }
}

/// How far the client's portal has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// With so many rows since the client last asked for some.
    Complete(u64),
    Suspended,
}

impl Scattering {
    /// On these connections, which have the session's settings.
    pub fn new(question: Question, leases: Vec<Lease>) -> Self {
        let lane = |(place, lease)| {
            let mut own = question.own.iter();
            let own = own.find(|(lane, _)| *lane == place);
            let request = own.map_or(&question.request, |(_, request)| request);
            Lane::new(lease, request, question.row_bytes_max)
        };
        Self {
            lanes: leases.into_iter().enumerate().map(lane).collect(),
            columns: question.columns,
            merging: question.merging,
            window: question.window,
            told: question.told,
            complete: false,
            before: 0,
        }
    }

    /// Ready when some lane has answered as it should: the statement is right.
    pub fn poll_described(
        &mut self,
        client: &mut Buffered,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), ScatterError>> {
        loop {
            for lane in &mut self.lanes {
                if lane.is_described(&self.columns)? {
                    if let Some(described) = lane.described.take() {
                        self.told.heed(&described);
                    }
                    return Poll::Ready(Ok(()));
                }
            }
            ready!(self.poll_fill(client, cx))?;
        }
    }

    /// Ready when some lane has a row, or has none.
    pub fn poll_begun(
        &mut self,
        client: &mut Buffered,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), ScatterError>> {
        loop {
            for lane in &mut self.lanes {
                if lane.next(&self.columns)? != Next::Wait {
                    return Poll::Ready(Ok(()));
                }
            }
            ready!(self.poll_fill(client, cx))?;
        }
    }

    /// The columns that its lanes have of the client's.
    pub fn described(&self) -> Description {
        self.told.description.clone()
    }

    /// RowDescription for the client, when that is known.
    pub fn description(&self) -> Bytes {
        self.told.description.message(&self.told.formats)
    }

    /// Brings rows until there are no more, or as many as were asked for.
    ///
    /// All its state is here: what is given up can be gone on with.
    pub fn poll_run(
        &mut self,
        client: &mut Buffered,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Progress, ScatterError>> {
        loop {
            let step = match self.complete {
                true => Step::Done,
                false => self.step(&mut client.output)?,
            };
            match step {
                Step::Done => {
                    self.complete = true;
                    return Poll::Ready(Ok(Progress::Complete(self.window.rows - self.before)));
                }
                Step::Suspended => return Poll::Ready(Ok(Progress::Suspended)),
                Step::Full => ready!(client.poll_flush(cx)).map_err(ScatterError::Client)?,
                Step::Wait => ready!(self.poll_fill(client, cx))?,
            }
        }
    }

    /// Puts all rows into arrays: false where they are too many.
    ///
    /// As [`Self::poll_run`].
    pub fn poll_collect(
        &mut self,
        arrays: &mut Arrays,
        client: &mut Buffered,
        cx: &mut Context<'_>,
    ) -> Poll<Result<bool, ScatterError>> {
        loop {
            let step = self.step(&mut arrays.merged)?;
            if !arrays
                .take()
                .map_err(merging::malformed)
                .map_err(LaneError::from)?
            {
                return Poll::Ready(Ok(false));
            }
            match step {
                Step::Done | Step::Suspended => return Poll::Ready(Ok(true)),
                Step::Full => {}
                Step::Wait => ready!(self.poll_fill(client, cx))?,
            }
        }
    }

    /// Asks for so many rows more, or for all (0).
    pub fn limit(&mut self, rows_max: u64) {
        self.before = self.window.rows;
        let until = self.window.rows.saturating_add(rows_max);
        self.window.until = (rows_max > 0).then_some(until);
    }

    fn step(&mut self, out: &mut BytesMut) -> Result<Step, LaneError> {
        let (lanes, columns, window) = (&mut self.lanes, &self.columns, &mut self.window);
        match &mut self.merging {
            Merging::Concatenation(turn) => merging::concatenate(turn, lanes, columns, window, out),
            Merging::Ordered(ordered) => ordered.step(lanes, columns, window, out),
            Merging::Groups(groups) => groups.step(lanes, columns, window, out),
            Merging::Sections(sections) => sections.step(lanes, columns, window, out),
        }
    }

    /// Ready when something has come from a lane that has nothing for us.
    fn poll_fill(
        &mut self,
        client: &mut Buffered,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), ScatterError>> {
        let mut moved = false;
        for lane in &mut self.lanes {
            if lane.awaits() && lane.poll_fill(cx).map_err(LaneError::Failed)?.is_ready() {
                moved = true;
            }
        }
        if moved {
            return Poll::Ready(Ok(()));
        }
        match client.poll_lost(cx) {
            Poll::Ready(error) => Poll::Ready(Err(ScatterError::Client(error))),
            Poll::Pending => Poll::Pending,
        }
    }

    /// Gives the connections back. What they still have to say is thrown away; those that have too much of it are
    /// closed, and where to stop them is returned.
    ///
    /// Cancel safe: what is left is closed.
    pub async fn end(self) -> Vec<Arc<CancelKey>> {
        let mut left = Vec::new();
        let mut lanes = self.lanes;
        let ended = poll_fn(|cx| {
            let mut pending = false;
            lanes.retain_mut(|lane| match lane.poll_end(UNWANTED_BYTES_MAX, cx) {
                Poll::Ready(true) => true,
                Poll::Ready(false) => {
                    left.push(Arc::clone(&lane.lease.cancel));
                    false
                }
                Poll::Pending => {
                    pending = true;
                    true
                }
            });
            match pending {
                true => Poll::Pending,
                false => Poll::Ready(()),
            }
        });
        let _ = timer::timeout(UNWANTED_WAIT, ended).await;
        for lane in lanes {
            match lane.is_ready() {
                true => lane.lease.release(),
                false => left.push(Arc::clone(&lane.lease.cancel)),
            }
        }
        left
    }

    /// Where to stop the lanes, which nobody waits for any more: they are closed.
    pub fn give_up(self) -> Vec<Arc<CancelKey>> {
        let keys = self.lanes.iter().map(|lane| Arc::clone(&lane.lease.cancel));
        keys.collect()
    }
}
