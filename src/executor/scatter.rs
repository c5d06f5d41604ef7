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
mod question;
mod request;

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};

pub use finishing::Arrays;
pub use lane::LaneError;
use lane::{Columns, Lane, Next};
use merging::{Merging, Step, Window};
pub use probe::{agrees, check, is_of_text, learn, moment};
use question::Told;
pub use question::{Asked, Parameters, Question, Translated, changed};

use crate::backend::{CancelKey, Lease};
use crate::net::{Buffered, timer};
use crate::wire::Description;

/// What a lane still has to say when nobody wants more is read up to so many bytes; one with more is closed.
const UNWANTED_BYTES_MAX: usize = 8 << 20;
/// And for so long.
const UNWANTED_WAIT: Duration = Duration::from_millis(100);

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
        let described = |lane: &mut Lane, columns: &Columns| lane.is_described(columns);
        let lane = ready!(self.poll_some(described, client, cx))?;
        if let Some(described) = self.lanes[lane].described.take() {
            self.told.heed(&described);
        }
        Poll::Ready(Ok(()))
    }

    /// Ready when some lane has a row, or has none.
    pub fn poll_begun(
        &mut self,
        client: &mut Buffered,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), ScatterError>> {
        let begun = |lane: &mut Lane, columns: &Columns| Ok(lane.next(columns)? != Next::Wait);
        self.poll_some(begun, client, cx).map_ok(|_| ())
    }

    /// The first lane of which this is true.
    fn poll_some(
        &mut self,
        is: impl Fn(&mut Lane, &Columns) -> Result<bool, LaneError>,
        client: &mut Buffered,
        cx: &mut Context<'_>,
    ) -> Poll<Result<usize, ScatterError>> {
        loop {
            for (place, lane) in self.lanes.iter_mut().enumerate() {
                if is(lane, &self.columns)? {
                    return Poll::Ready(Ok(place));
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
