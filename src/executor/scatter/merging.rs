//! Rows of the lanes become the client's rows.

use bytes::{Bytes, BytesMut};

use super::lane::{Columns, Lane, LaneError, Next};
use crate::error::{PgError, SqlState};
use crate::executor::merge::{self, Merge, Previous};
use crate::net::OUTPUT_BYTES_MAX;
use crate::plan::{Column, Span};
use crate::types::Format;
use crate::types::aggregate::Aggregate;
use crate::types::aggregate::state::{self, State};
use crate::types::order::SortKey;
use crate::wire::header;
use crate::wire::row::{RowError, RowWriter};

/// What a look at all lanes came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Some lane has to say more.
    Wait,
    /// There is enough for the client to read.
    Full,
    /// So many rows as were asked for have come out.
    Suspended,
    Done,
}

/// Which rows are still to come out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    skip: u64,
    left: Option<u64>,
    with_ties: bool,
    /// Rows that have come out.
    pub(super) rows: u64,
    /// Come out before the client asks for more.
    pub(super) until: Option<u64>,
}

/// What becomes of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Skipped,
    ComesOut,
    /// It comes out only if it is like the last one that did.
    IfTied,
    Over,
}

impl Window {
    pub(super) fn new(span: Span) -> Self {
        Self {
            skip: span.offset,
            left: span.count,
            with_ties: span.with_ties && span.count != Some(0),
            rows: 0,
            until: None,
        }
    }

    /// Why no more rows are to come out now. PostgreSQL suspends a portal that has given all that was asked for, also
    /// where there is no more.
    fn pause(&self, out: &BytesMut) -> Option<Step> {
        if self.until.is_some_and(|until| self.rows >= until) {
            return Some(Step::Suspended);
        }
        if self.left == Some(0) && !self.with_ties {
            return Some(Step::Done);
        }
        (out.len() >= OUTPUT_BYTES_MAX).then_some(Step::Full)
    }

    fn next(&mut self) -> Fate {
        if self.skip > 0 {
            self.skip -= 1;
            return Fate::Skipped;
        }
        match &mut self.left {
            Some(0) if self.with_ties => return Fate::IfTied,
            Some(0) => return Fate::Over,
            Some(left) => *left -= 1,
            None => {}
        }
        self.rows += 1;
        Fate::ComesOut
    }

    /// The row that just came out is the last one, but for those that are like it.
    fn ends_with_ties(&self) -> bool {
        self.with_ties && self.left == Some(0)
    }
}

/// How rows are put together.
pub(super) enum Merging {
    /// As they come, with the lane whose turn it is.
    Concatenation(usize),
    Ordered(Box<Ordered>),
    Groups(Box<Grouped>),
    Sections(Sections),
}

pub(super) struct Ordered {
    merge: Merge,
    /// The client's.
    columns: u16,
    /// Of rows that agree in these keys one comes out.
    distinct: Option<Previous>,
    ties: Option<Previous>,
}

impl Ordered {
    /// Of rows that have the client's columns, and behind those one for each key.
    pub(super) fn new(
        keys: &[SortKey],
        columns: u16,
        distinct: usize,
        lanes: usize,
        ties: bool,
    ) -> Self {
        Self {
            merge: Merge::new(keys, columns + keys.len() as u16, lanes),
            columns,
            distinct: (distinct > 0).then(|| Previous::new(&keys[..distinct])),
            ties: ties.then(|| Previous::new(keys)),
        }
    }

    pub(super) fn step(
        &mut self,
        lanes: &mut [Lane],
        columns: &Columns,
        window: &mut Window,
        out: &mut BytesMut,
    ) -> Result<Step, LaneError> {
        loop {
            let lane = match advance(&mut self.merge, lanes, columns, window, out)? {
                Head::Step(step) => return Ok(step),
                Head::End => return Ok(Step::Done),
                Head::Lane(lane) => lane,
            };
            let (places, row) = (self.merge.places(lane), lanes[lane].row());
            if let Some(distinct) = &mut self.distinct {
                if distinct.is_like(places, row).map_err(PgError::from)? {
                    self.merge.take(lane);
                    lanes[lane].take();
                    continue;
                }
                distinct.keep(places, row);
            }
            let fate = match window.next() {
                Fate::IfTied => {
                    let ties = self.ties.as_ref();
                    let tied = ties.map(|ties| ties.is_like(places, row));
                    match tied.transpose().map_err(PgError::from)? {
                        Some(true) => {
                            window.rows += 1;
                            Fate::ComesOut
                        }
                        _ => Fate::Over,
                    }
                }
                fate => fate,
            };
            match fate {
                Fate::Over => return Ok(Step::Done),
                Fate::ComesOut => {
                    places.put_first(self.columns, row, out);
                    if window.ends_with_ties()
                        && let Some(ties) = &mut self.ties
                    {
                        ties.keep(places, row);
                    }
                }
                Fate::Skipped | Fate::IfTied => {}
            }
            self.merge.take(lane);
            lanes[lane].take();
        }
    }
}

/// The row that comes next of all lanes.
enum Head {
    Lane(usize),
    /// There is none.
    End,
    /// Not now.
    Step(Step),
}

/// Gives the merge what it needs, as far as that has arrived.
fn advance(
    merge: &mut Merge,
    lanes: &mut [Lane],
    columns: &Columns,
    window: &Window,
    out: &BytesMut,
) -> Result<Head, LaneError> {
    if let Some(step) = window.pause(out) {
        return Ok(Head::Step(step));
    }
    for (place, lane) in lanes.iter_mut().enumerate() {
        if !merge.needs(place) {
            continue;
        }
        match lane.next(columns)? {
            Next::Wait => {}
            Next::Row => merge.deliver(place, lane.row()).map_err(malformed)?,
            Next::End => merge.end(place),
        }
    }
    let next = merge.next(|lane| lanes[lane].row());
    Ok(match next.map_err(PgError::from)? {
        merge::Next::Lane(lane) => Head::Lane(lane),
        merge::Next::End => Head::End,
        merge::Next::Wait => Head::Step(Step::Wait),
    })
}

pub(super) fn malformed(error: RowError) -> PgError {
    PgError::shard(SqlState::PROTOCOL_VIOLATION, error.to_string())
}

/// Passes rows on as they come.
pub(super) fn concatenate(
    turn: &mut usize,
    lanes: &mut [Lane],
    columns: &Columns,
    window: &mut Window,
    out: &mut BytesMut,
) -> Result<Step, LaneError> {
    let (mut waiting, mut ended) = (0, 0);
    while waiting + ended < lanes.len() {
        let lane = &mut lanes[*turn];
        let next = loop {
            if let Some(step) = window.pause(out) {
                return Ok(step);
            }
            match lane.next(columns)? {
                Next::Row => {
                    if window.next() == Fate::ComesOut {
                        out.extend_from_slice(lane.row());
                    }
                    lane.take();
                }
                next => break next,
            }
        };
        match next {
            Next::End => ended += 1,
            _ => waiting += 1,
        }
        *turn = (*turn + 1) % lanes.len();
    }
    Ok(match waiting {
        0 => Step::Done,
        _ => Step::Wait,
    })
}

/// Rows of one lane after those of another, each with a row ahead that says whose they are.
pub(super) struct Sections {
    /// Rows that go ahead of all.
    ahead: Bytes,
    told: Vec<bool>,
}

impl Sections {
    pub(super) fn new(ahead: Bytes, lanes: usize) -> Self {
        Self {
            ahead,
            told: vec![false; lanes],
        }
    }

    pub(super) fn step(
        &mut self,
        lanes: &mut [Lane],
        columns: &Columns,
        window: &mut Window,
        out: &mut BytesMut,
    ) -> Result<Step, LaneError> {
        while let Ok(Some(head)) = header(&self.ahead) {
            if let Some(step) = window.pause(out) {
                return Ok(step);
            }
            out.extend_from_slice(&self.ahead.split_to(head.len));
            window.rows += 1;
        }
        for (told, lane) in self.told.iter_mut().zip(lanes) {
            loop {
                if let Some(step) = window.pause(out) {
                    return Ok(step);
                }
                match lane.next(columns)? {
                    Next::Wait => return Ok(Step::Wait),
                    Next::Row | Next::End if !std::mem::replace(told, true) => {
                        let mut row = RowWriter::new(1, out);
                        row.put(Some(format!("On {}:", lane.lease.shard).as_bytes()));
                        row.finish();
                        window.rows += 1;
                    }
                    Next::End => break,
                    Next::Row => {
                        out.extend_from_slice(lane.row());
                        lane.take();
                        window.rows += 1;
                    }
                }
            }
        }
        Ok(Step::Done)
    }
}

/// Groups whose parts the lanes have.
pub(super) struct Grouped {
    /// By the groups' expressions, which are the first columns; without any the lanes have one row each.
    merge: Merge,
    keys: usize,
    /// The group that is being put together.
    previous: Previous,
    begun: bool,
    aggregates: Vec<Part>,
    outputs: Vec<Output>,
    /// What outputs that are the groups' expressions show, one after the other, and where each ends.
    shown: Vec<u8>,
    ends: Vec<Option<usize>>,
    value: Vec<u8>,
}

/// An aggregate and its columns.
struct Part {
    state: State,
    columns: std::ops::Range<u16>,
    format: Format,
}

enum Output {
    /// A column that shows a group's expression in the client's format.
    Key(u16),
    Aggregate(usize),
}

/// The columns that shards are asked for, of groups.
pub(super) struct Layout {
    formats: Vec<Format>,
    parts: Vec<std::ops::Range<u16>>,
    shown: Vec<u16>,
}

impl Layout {
    /// Keys, then the aggregates' parts, then the keys that the client wants as text.
    pub(super) fn new(
        outputs: &[Column],
        aggregates: &[Aggregate],
        keys: usize,
        wanted: &[Format],
    ) -> Self {
        let mut formats = vec![Format::Binary; keys];
        let mut parts = vec![0..0; aggregates.len()];
        for (output, format) in outputs.iter().zip(wanted) {
            if let Column::Aggregate(at) = output {
                let start = formats.len() as u16;
                formats.extend_from_slice(aggregates[*at].formats(*format));
                parts[*at] = start..formats.len() as u16;
            }
        }
        let mut shown = Vec::new();
        for (output, format) in outputs.iter().zip(wanted) {
            match (output, format) {
                (Column::Key(key), Format::Binary) => shown.push(*key as u16),
                (Column::Key(_), Format::Text) => {
                    shown.push(formats.len() as u16);
                    formats.push(Format::Text);
                }
                (Column::Aggregate(_), _) => {}
            }
        }
        Self {
            formats,
            parts,
            shown,
        }
    }

    pub(super) fn formats(&self) -> &[Format] {
        &self.formats
    }
}

impl Grouped {
    pub(super) fn new(
        (keys, aggregates): (&[SortKey], &[Aggregate]),
        outputs: &[Column],
        layout: Layout,
        wanted: &[Format],
        lanes: usize,
    ) -> Self {
        let mut shown = layout.shown.into_iter();
        let mut formats = vec![Format::Text; aggregates.len()];
        let outputs = outputs
            .iter()
            .zip(wanted)
            .map(|(output, format)| match output {
                Column::Key(_) => Output::Key(shown.next().unwrap_or_default()),
                Column::Aggregate(at) => {
                    formats[*at] = *format;
                    Output::Aggregate(*at)
                }
            });
        let outputs = outputs.collect();
        let parts = aggregates.iter().zip(layout.parts).zip(formats);
        Self {
            merge: Merge::new(keys, layout.formats.len() as u16, lanes),
            keys: keys.len(),
            previous: Previous::new(keys),
            begun: false,
            aggregates: parts
                .map(|((aggregate, columns), format)| Part {
                    state: State::new(*aggregate),
                    columns,
                    format,
                })
                .collect(),
            outputs,
            shown: Vec::new(),
            ends: Vec::new(),
            value: Vec::new(),
        }
    }

    pub(super) fn step(
        &mut self,
        lanes: &mut [Lane],
        columns: &Columns,
        window: &mut Window,
        out: &mut BytesMut,
    ) -> Result<Step, LaneError> {
        loop {
            let lane = match advance(&mut self.merge, lanes, columns, window, out)? {
                Head::Step(step) => return Ok(step),
                Head::End => None,
                Head::Lane(lane) => Some(lane),
            };
            let like = match lane {
                Some(lane) => {
                    let (places, row) = (self.merge.places(lane), lanes[lane].row());
                    self.keys == 0 || self.previous.is_like(places, row).map_err(PgError::from)?
                }
                None => false,
            };
            if self.begun && !like {
                self.begun = false;
                self.put(window, out)?;
                // The row at hand waits, should this one have been the last that is asked for.
                continue;
            }
            let Some(lane) = lane else {
                return Ok(Step::Done);
            };
            self.merge_row(lane, lanes[lane].row())?;
            self.merge.take(lane);
            lanes[lane].take();
        }
    }

    fn merge_row(&mut self, lane: usize, row: &[u8]) -> Result<(), PgError> {
        if !self.begun {
            self.begun = true;
            self.begin(lane, row);
        }
        let places = self.merge.places(lane);
        let mut values = [None; crate::types::aggregate::PARTS_MAX];
        for part in &mut self.aggregates {
            let columns = part.columns.clone();
            let count = columns.len();
            for (value, column) in values.iter_mut().zip(columns) {
                *value = places.value(column, row);
            }
            part.state.merge(&values[..count])?;
        }
        Ok(())
    }

    /// The first row of a group.
    fn begin(&mut self, lane: usize, row: &[u8]) {
        let places = self.merge.places(lane);
        self.previous.keep(places, row);
        self.shown.clear();
        self.ends.clear();
        for output in &self.outputs {
            if let Output::Key(column) = output {
                let value = places.value(*column, row);
                self.shown.extend_from_slice(value.unwrap_or_default());
                self.ends.push(value.map(|_| self.shown.len()));
            }
        }
        for part in &mut self.aggregates {
            part.state.reset();
        }
    }

    /// The group as a row, if it comes out.
    fn put(&mut self, window: &mut Window, out: &mut BytesMut) -> Result<(), PgError> {
        if window.next() != Fate::ComesOut {
            return Ok(());
        }
        let start = out.len();
        let put = self.put_row(out);
        if put.is_err() {
            out.truncate(start);
        }
        Ok(put?)
    }

    fn put_row(&mut self, out: &mut BytesMut) -> Result<(), state::Error> {
        let mut row = RowWriter::new(self.outputs.len() as u16, out);
        let (mut ends, mut start) = (self.ends.iter(), 0);
        for output in &self.outputs {
            match output {
                Output::Key(_) => {
                    let end = ends.next().copied().flatten();
                    row.put(end.map(|end| &self.shown[start..end]));
                    start = end.unwrap_or(start);
                }
                Output::Aggregate(at) => {
                    let part = &self.aggregates[*at];
                    self.value.clear();
                    let is_value = part.state.value()?.put(part.format, &mut self.value)?;
                    row.put(is_value.then_some(&self.value[..]));
                }
            }
        }
        row.finish();
        Ok(())
    }
}
