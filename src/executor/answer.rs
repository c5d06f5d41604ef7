//! Answers to questions of our own, as texts.

use tokio::time::Instant;

use crate::backend::Connection;
use crate::error::{PgError, SqlState};
use crate::wire::row::RowPlaces;
use crate::wire::{self, HEADER_BYTES, backend};

/// The values of a DataRow in text, from its body.
///
/// Errors: 08P01 where it is none.
pub(super) fn texts(body: &[u8]) -> Result<Vec<Option<String>>, PgError> {
    let mut frame = vec![0; HEADER_BYTES];
    frame.extend_from_slice(body);
    let count = body.first_chunk().copied();
    let columns = count.map_or(0, u16::from_be_bytes);
    let mut places = RowPlaces::new(columns);
    let read = places.read(&frame);
    read.map_err(|error| PgError::shard(SqlState::PROTOCOL_VIOLATION, error.to_string()))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok((0..columns)
        .map(|column| places.value(column, &frame).map(text))
        .collect())
}

/// The rows of a simple query that have a column: the lines of an EXPLAIN. NULLs are left out.
///
/// Errors: the server's own; 08006.
///
/// Not cancel safe: dropped midway, the connection has to be closed.
pub async fn lines(
    connection: &mut Connection,
    text: &str,
    deadline: Instant,
) -> Result<Vec<String>, PgError> {
    wire::put_query(&mut connection.output, text)?;
    let answer = connection.exchange(deadline).await?;
    let mut lines = Vec::new();
    for (_, body) in answer.iter().filter(|(tag, _)| *tag == backend::DATA_ROW) {
        lines.extend(texts(body)?.into_iter().flatten());
    }
    Ok(lines)
}
