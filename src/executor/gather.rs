//! Copies rows of several servers into temporary tables of one of them, the scratch, without decoding any.
//!
//! ```text
//!   lane s1: COPY (SELECT …) TO STDOUT ──┐
//!   lane s3: COPY (SELECT …) TO STDOUT ──┼─ frames, one after another ──> scratch: COPY t FROM STDIN
//!   lane s4: …                         ──┘
//! ```
//!
//! Every lane runs all its copies by one query string, in one snapshot; the scratch takes in one table after the other.
//! What a lane has to say beyond its turn waits in its socket. So the memory is that of the buffers, however large the
//! tables are.
//!
//! Source: <https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-COPY>, and "Binary Format" in
//! <https://www.postgresql.org/docs/current/sql-copy.html>

mod lane;

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll};

use bytes::BufMut;

pub use lane::Lane;

use crate::backend::{Connection, error_response};
use crate::error::{PgError, SqlState};
use crate::net::{OUTPUT_BYTES_MAX, poll_write};
use crate::wire::{TransactionStatus, backend, frontend, header};

/// What is brought together for one statement.
#[derive(Debug)]
pub struct Pieces {
    /// What the scratch runs first: the tables are made, its own rows of them are in.
    pub prepare: String,
    /// In the order of the copies in every lane's string.
    pub loads: Vec<Load>,
    /// What the scratch runs when all rows are there; empty for nothing.
    pub complete: String,
    /// And if there are more than so many.
    pub analyze: (u64, String),
    /// What may be moved.
    pub rows_max: u64,
    pub bytes_max: u64,
    /// What was moved before.
    pub moved: Moved,
    /// What lanes are in when their strings have ended.
    pub ends: TransactionStatus,
}

/// One table of the scratch, and whose rows go into it.
#[derive(Debug)]
pub struct Load {
    /// As it is written in SQL.
    pub table: String,
    /// Places in the list of lanes.
    pub lanes: Vec<usize>,
    pub binary: bool,
}

/// Rows that went from server to server, and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    pub rows: u64,
    pub bytes: u64,
}

/// All that was moved, now and before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Given {
    pub total: Moved,
    /// For each of [`Pieces::loads`] what each of its lanes gave.
    pub by_lane: Vec<Vec<Moved>>,
}

/// What a copy in binary form begins and ends with: the signature, no flags, no extension; a field count of -1.
const BINARY_HEADER: [u8; 19] = *b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const BINARY_TRAILER: [u8; 2] = [0xff, 0xff];

/// Why a gathering came to nothing.
#[derive(Debug)]
pub struct GatherError {
    pub error: PgError,
    /// The scratch is somewhere in the middle of something.
    pub scratch_lost: bool,
}

/// Runs it. Where it fails, lanes may be in the middle of something: they have to be stopped, and closed.
///
/// Errors: a server's own, with its shard; 54000 beyond the limits; 08006 for a server that is lost or lies.
///
/// Not cancel safe: dropped midway, all connections have to be closed.
pub async fn gather(
    scratch: &mut Connection,
    lanes: &mut [Lane<'_>],
    pieces: &Pieces,
) -> Result<Given, GatherError> {
    let of_lane = |error| GatherError {
        error,
        scratch_lost: false,
    };
    for lane in &mut *lanes {
        lane.begin().await.map_err(of_lane)?;
    }
    own(scratch.run(&pieces.prepare).await)?;
    let mut given = Given {
        total: pieces.moved,
        by_lane: Vec::new(),
    };
    for load in &pieces.loads {
        if load.lanes.is_empty() {
            given.by_lane.push(Vec::new());
            continue;
        }
        let format = if load.binary { " (FORMAT binary)" } else { "" };
        let copy = format!("COPY {} FROM STDIN{format}", load.table);
        own(scratch.copy_in(&copy).await)?;
        if load.binary {
            copy_data(scratch, &BINARY_HEADER);
        }
        let loaded =
            poll_fn(|cx| poll_load(scratch, lanes, load, pieces, &mut given.total, cx)).await;
        if let Err(error) = loaded {
            let scratch_lost = !give_up(scratch, lanes).await;
            return Err(GatherError {
                error,
                scratch_lost,
            });
        }
        if load.binary {
            copy_data(scratch, &BINARY_TRAILER);
        }
        scratch.output.put_slice(&[frontend::COPY_DONE, 0, 0, 0, 4]);
        let sent = scratch.flush().await;
        own(sent.map_err(|error| scratch.lost(&error)))?;
        own(scratch.copied_in().await)?;
        let end = |lane: &usize| lanes[*lane].next_table();
        given.by_lane.push(load.lanes.iter().map(end).collect());
    }
    for lane in lanes {
        poll_fn(|cx| lane.poll_end(cx)).await.map_err(of_lane)?;
    }
    if !pieces.complete.is_empty() {
        own(scratch.run(&pieces.complete).await)?;
    }
    if given.total.rows > pieces.analyze.0 {
        own(scratch.run(&pieces.analyze.1).await)?;
    }
    Ok(given)
}

/// What the scratch itself said. Where that is that it is lost, it is.
fn own<T>(answer: Result<T, PgError>) -> Result<T, GatherError> {
    answer.map_err(|error| GatherError {
        scratch_lost: error.code == SqlState::CONNECTION_FAILURE,
        error,
    })
}

/// The scratch has taken in what will not be completed. False where it is lost with it: in the middle of a row, or
/// because it does not answer.
async fn give_up(scratch: &mut Connection, lanes: &[Lane<'_>]) -> bool {
    if lanes.iter().any(Lane::is_within_frame) {
        return false;
    }
    scratch
        .output
        .put_slice(&[frontend::COPY_FAIL, 0, 0, 0, 5, 0]);
    let ended = match scratch.flush().await {
        Ok(()) => scratch.copied_in().await,
        Err(_) => return false,
    };
    ended.is_err_and(|error| error.code != SqlState::CONNECTION_FAILURE)
}

fn copy_data(scratch: &mut Connection, data: &[u8]) {
    scratch.output.put_u8(frontend::COPY_DATA);
    scratch.output.put_u32(4 + data.len() as u32);
    scratch.output.put_slice(data);
}

/// Ready once all of the table's lanes have given what they have, and the scratch has taken it.
fn poll_load(
    scratch: &mut Connection,
    lanes: &mut [Lane<'_>],
    load: &Load,
    pieces: &Pieces,
    moved: &mut Moved,
    cx: &mut Context<'_>,
) -> Poll<Result<(), PgError>> {
    loop {
        if (!scratch.output.is_empty() || scratch.stream.holds_back())
            && let Poll::Ready(Err(error)) =
                poll_write(&mut scratch.stream, &mut scratch.output, cx)
        {
            return Poll::Ready(Err(scratch.lost(&error)));
        }
        if scratch.output.len() >= OUTPUT_BYTES_MAX {
            return poll_refusal(scratch, cx);
        }
        let (mut advanced, mut done) = (false, true);
        // A frame that is passed on in parts keeps the others waiting.
        let partial = load
            .lanes
            .iter()
            .find(|lane| lanes[**lane].is_within_frame());
        let turns = match partial {
            Some(lane) => std::slice::from_ref(lane),
            None => &load.lanes,
        };
        for &lane in turns {
            if lanes[lane].is_done() {
                continue;
            }
            done = false;
            let passed = lanes[lane].pass(load.binary, &mut scratch.output, moved);
            if let Err(error) = passed.and_then(|()| within(*moved, pieces)) {
                return Poll::Ready(Err(error));
            }
            if lanes[lane].is_done() || scratch.output.len() >= OUTPUT_BYTES_MAX {
                advanced = true;
                break;
            }
            match lanes[lane].poll_fill(cx) {
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Ready(Ok(())) => advanced = true,
                Poll::Pending => {}
            }
            if lanes[lane].is_within_frame() {
                break;
            }
        }
        if let Some(&lane) = partial {
            done = false;
            advanced |= !lanes[lane].is_within_frame();
        }
        if done && scratch.output.is_empty() && !scratch.stream.holds_back() {
            return Poll::Ready(Ok(()));
        }
        if !advanced {
            return poll_refusal(scratch, cx);
        }
    }
}

fn within(moved: Moved, pieces: &Pieces) -> Result<(), PgError> {
    let (what, limit, name) = if moved.rows > pieces.rows_max {
        ("rows", pieces.rows_max, "gather_rows")
    } else if moved.bytes > pieces.bytes_max {
        ("bytes", pieces.bytes_max, "gather_bytes")
    } else {
        return Ok(());
    };
    Err(PgError::proxy(
        SqlState::PROGRAM_LIMIT_EXCEEDED,
        format!("the statement needs more than {limit} {what} of other shards"),
    )
    .with_hint(format!(
        "Tie its tables to a sharding key, or raise {name} in the limits of the database."
    )))
}

/// The scratch says nothing while it takes data in, but where it gives up. Pending otherwise.
fn poll_refusal(scratch: &mut Connection, cx: &mut Context<'_>) -> Poll<Result<(), PgError>> {
    loop {
        let head = header(&scratch.input).map_err(|error| scratch.lost(&lie(error.to_string())))?;
        if let Some(head) = head
            && (scratch.input.len() >= head.len || head.len > lane::FRAME_BYTES_MAX)
        {
            if head.len > lane::FRAME_BYTES_MAX {
                return Poll::Ready(Err(scratch.lost(&lie("a message too long".to_owned()))));
            }
            let frame = scratch.input.split_to(head.len);
            match head.tag {
                backend::ERROR => {
                    let error = error_response(&frame[crate::wire::HEADER_BYTES..]);
                    return Poll::Ready(Err(error));
                }
                backend::NOTICE | backend::NOTIFICATION => continue,
                _ => {
                    return Poll::Ready(Err(
                        scratch.lost(&lie("a message out of place".to_owned()))
                    ));
                }
            }
        }
        match scratch.poll_fill(cx) {
            Poll::Ready(Ok(0)) => {
                return Poll::Ready(Err(scratch.lost(&io::ErrorKind::UnexpectedEof.into())));
            }
            Poll::Ready(Ok(_)) => {}
            Poll::Ready(Err(error)) => return Poll::Ready(Err(scratch.lost(&error))),
            Poll::Pending => return Poll::Pending,
        }
    }
}

fn lie(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
