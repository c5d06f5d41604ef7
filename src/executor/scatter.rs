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
mod source;

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
pub use probe::{Circumstances, agrees, check, circumstances, learn};
use question::Told;
pub use question::{Asked, Parameters, Question, Translated, changed};
pub use request::SAVEPOINT;
use source::{Held, Source};

use crate::backend::{CancelKey, Lease};
use crate::net::{Buffered, timer};
use crate::wire::Description;

/// What a lane still has to say when nobody wants more is read up to so many bytes; one with more is closed.
const UNWANTED_BYTES_MAX: usize = 8 << 20;
/// And for so long.
const UNWANTED_WAIT: Duration = Duration::from_millis(100);

/// A question under way.
pub struct Scattering {
    lanes: Vec<Source>,
    columns: Columns,
    merging: Merging,
    window: Window,
    told: Told,
    complete: bool,
    /// Rows that had come out when the client last asked for some.
    before: u64,
    /// What has come of the lane that is within its client's transaction, with its place.
    own: Option<(usize, Box<Held>)>,
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

/// What is left of a question that is over.
#[derive(Default)]
pub struct Ended {
    /// Where to stop what was closed.
    pub left: Vec<Arc<CancelKey>>,
    /// The connection with the client's transaction.
    pub own: Option<Lease>,
}

/// How the part that is within the client's transaction has ended.
pub enum Own {
    /// There is none.
    None,
    /// It is here.
    Held(Lease),
    /// It is more than was to be held, and its server goes on.
    TooMuch(Arc<CancelKey>),
}

/// How far the client's portal has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// With so many rows since the client last asked for some.
    Complete(u64),
    Suspended,
}

impl Scattering {
    /// On these connections, which have the session's settings. One may be within the client's transaction: see
    /// [`Self::poll_own`].
    pub fn new(question: Question, leases: Vec<Lease>) -> Self {
        let lane = |(place, lease)| {
            let mut own = question.own.iter();
            let own = own.find(|(lane, _)| *lane == place);
            let request = own.map_or(&question.request, |(_, request)| request);
            Lane::new(lease, request, question.row_bytes_max)
        };
        let lanes: Vec<Lane> = leases.into_iter().enumerate().map(lane).collect();
        let own = lanes.iter().position(Lane::is_within);
        Self {
            own: own.map(|place| (place, Box::new(Held::of(&lanes[place].lease.shard)))),
            lanes: lanes.into_iter().map(Source::Lane).collect(),
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
        let described = |lane: &mut Source, columns: &Columns| lane.is_described(columns);
        let lane = ready!(self.poll_some(described, client, cx))?;
        if let Some(described) = self.lanes[lane].take_description() {
            self.told.heed(&described);
        }
        Poll::Ready(Ok(()))
    }

    /// Reads the part that is within the client's transaction to its end, up to so many bytes of rows: the transaction goes
    /// on before the answer does. The other lanes are asked meanwhile.
    ///
    /// As [`Self::poll_run`].
    pub fn poll_own(
        &mut self,
        bytes_max: usize,
        client: &mut Buffered,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Own, ScatterError>> {
        loop {
            let Some((place, held)) = &mut self.own else {
                return Poll::Ready(Ok(Own::None));
            };
            let Source::Lane(lane) = &mut self.lanes[*place] else {
                return Poll::Ready(Ok(Own::None));
            };
            match lane.next(&self.columns)? {
                Next::Row if held.bytes() + lane.row().len() > bytes_max => {
                    return Poll::Ready(Ok(Own::TooMuch(Arc::clone(&lane.lease.cancel))));
                }
                Next::Row => {
                    held.push(lane.row());
                    lane.take();
                }
                Next::Wait => ready!(self.poll_fill(client, cx))?,
                Next::End => {
                    if !ready!(lane.poll_end(UNWANTED_BYTES_MAX, cx)) {
                        return Poll::Ready(Err(LaneError::from(lane.lied("another end")).into()));
                    }
                    return Poll::Ready(Ok(self.own_is_held()));
                }
            }
        }
    }

    fn own_is_held(&mut self) -> Own {
        let Some((place, mut held)) = self.own.take() else {
            return Own::None;
        };
        held.described = self.lanes[place].take_description();
        let lane = std::mem::replace(&mut self.lanes[place], Source::Held(held));
        lane.into_lane()
            .map_or(Own::None, |lane| Own::Held(lane.lease))
    }

    /// What is here of a part that was read ahead.
    pub fn held_bytes(&self) -> usize {
        let held = |lane: &Source| match lane {
            Source::Held(held) => held.bytes(),
            Source::Lane(_) => 0,
        };
        self.lanes.iter().map(held).sum()
    }

    /// Throws away what the part within the client's transaction still has to say, however much that is.
    pub fn poll_own_unwanted(
        &mut self,
        client: &mut Buffered,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), ScatterError>> {
        let Some(Source::Lane(lane)) = self
            .own
            .as_ref()
            .map(|(place, _)| *place)
            .map(|place| &mut self.lanes[place])
        else {
            return Poll::Ready(Ok(()));
        };
        if lane.poll_end(usize::MAX, cx).is_ready() {
            return Poll::Ready(Ok(()));
        }
        client
            .poll_lost(cx)
            .map(|error| Err(ScatterError::Client(error)))
    }

    /// Ready when some lane has a row, or has none.
    pub fn poll_begun(
        &mut self,
        client: &mut Buffered,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), ScatterError>> {
        let begun = |lane: &mut Source, columns: &Columns| Ok(lane.next(columns)? != Next::Wait);
        self.poll_some(begun, client, cx).map_ok(|_| ())
    }

    /// The first lane of which this is true.
    fn poll_some(
        &mut self,
        is: impl Fn(&mut Source, &Columns) -> Result<bool, LaneError>,
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

    /// Gives the connections back, but for that with the client's transaction. What they still have to say is thrown away;
    /// those that have too much of it are closed.
    ///
    /// Cancel safe: what is left is closed.
    pub async fn end(self) -> Ended {
        let mut ended = Ended::default();
        let mut lanes: Vec<Lane> = self
            .lanes
            .into_iter()
            .filter_map(Source::into_lane)
            .collect();
        let all = poll_fn(|cx| {
            let mut pending = false;
            lanes.retain_mut(|lane| match lane.poll_end(UNWANTED_BYTES_MAX, cx) {
                Poll::Ready(true) => true,
                Poll::Ready(false) => {
                    ended.left.push(Arc::clone(&lane.lease.cancel));
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
        let _ = timer::timeout(UNWANTED_WAIT, all).await;
        for lane in lanes {
            match (lane.is_ready(), lane.is_within()) {
                (true, false) => lane.lease.release(),
                (true, true) => ended.own = Some(lane.lease),
                (false, _) => ended.left.push(Arc::clone(&lane.lease.cancel)),
            }
        }
        ended
    }

    /// Closes the connections, which nobody waits for any more.
    pub fn give_up(self) -> Ended {
        let lanes = self.lanes.into_iter().filter_map(Source::into_lane);
        Ended {
            left: lanes.map(|lane| Arc::clone(&lane.lease.cancel)).collect(),
            own: None,
        }
    }
}
