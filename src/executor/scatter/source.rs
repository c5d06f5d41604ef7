//! Where the rows of a shard come from: a lane, or what a lane has said that was read to its end ahead of the others.

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf, BytesMut};

use super::lane::{Columns, Lane, LaneError, Next};
use crate::error::PgError;
use crate::wire::{Description, header};

pub(super) enum Source {
    Lane(Lane),
    Held(Box<Held>),
}

/// All rows that a lane has had.
#[derive(Default)]
pub(super) struct Held {
    shard: Arc<str>,
    /// Its columns, until somebody has looked at them.
    pub(super) described: Option<Description>,
    rows: BytesMut,
    /// The row at the head, in bytes; 0 where there is none.
    row: usize,
}

impl Held {
    pub(super) fn of(shard: &Arc<str>) -> Self {
        Self {
            shard: Arc::clone(shard),
            ..Self::default()
        }
    }

    /// One more, as it came.
    pub(super) fn push(&mut self, row: &[u8]) {
        self.rows.extend_from_slice(row);
    }

    pub(super) fn bytes(&self) -> usize {
        self.rows.len()
    }

    fn next(&mut self) -> Next {
        // They were rows when they came.
        self.row = match header(&self.rows) {
            Ok(Some(head)) => head.len,
            _ => 0,
        };
        match self.row {
            0 => Next::End,
            _ => Next::Row,
        }
    }
}

impl Source {
    pub(super) fn shard(&self) -> &str {
        match self {
            Self::Lane(lane) => &lane.lease.shard,
            Self::Held(held) => &held.shard,
        }
    }

    /// As [`Lane::next`].
    #[inline]
    pub(super) fn next(&mut self, columns: &Columns) -> Result<Next, LaneError> {
        match self {
            Self::Lane(lane) => lane.next(columns),
            Self::Held(held) => Ok(held.next()),
        }
    }

    /// The row that was found last.
    #[inline]
    pub(super) fn row(&self) -> &[u8] {
        match self {
            Self::Lane(lane) => lane.row(),
            Self::Held(held) => &held.rows[..held.row],
        }
    }

    /// That row has been used.
    #[inline]
    pub(super) fn take(&mut self) {
        match self {
            Self::Lane(lane) => lane.take(),
            Self::Held(held) => {
                held.rows.advance(held.row);
                held.row = 0;
            }
        }
    }

    /// As [`Lane::is_described`].
    pub(super) fn is_described(&mut self, columns: &Columns) -> Result<bool, LaneError> {
        match self {
            Self::Lane(lane) => lane.is_described(columns),
            Self::Held(_) => Ok(true),
        }
    }

    /// Its columns, until somebody has looked at them.
    pub(super) fn take_description(&mut self) -> Option<Description> {
        match self {
            Self::Lane(lane) => lane.described.take(),
            Self::Held(held) => held.described.take(),
        }
    }

    /// Its socket has to be heard.
    pub(super) fn awaits(&self) -> bool {
        match self {
            Self::Lane(lane) => lane.awaits(),
            Self::Held(_) => false,
        }
    }

    /// As [`Lane::poll_fill`].
    pub(super) fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), PgError>> {
        match self {
            Self::Lane(lane) => lane.poll_fill(cx),
            Self::Held(_) => Poll::Ready(Ok(())),
        }
    }

    /// The lane, where it is one.
    pub(super) fn into_lane(self) -> Option<Lane> {
        match self {
            Self::Lane(lane) => Some(lane),
            Self::Held(_) => None,
        }
    }
}
