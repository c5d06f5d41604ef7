//! Merged rows go to a server as arrays, a column each, and it answers the client's query over them.

use std::ops::Range;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::lane::Columns;
use super::merging::{Merging, Window};
use super::question::{Asked, Question, Told, each, end_of_request};
use crate::error::{PgError, SqlState};
use crate::plan::{Facts, Finishing, Merged, Span};
use crate::types::{Format, Oid};
use crate::wire::row::{RowError, RowPlaces};
use crate::wire::{self, Description, header};

/// Merged rows that a server is to have at once are at most so many bytes; more of them are gathered instead.
const FINISHED_BYTES_MAX: usize = 16 << 20;
/// Rows of tables: COPY brings more of them in less time.
const TABLES_BYTES_MAX: usize = 1 << 20;

/// The merged rows' columns, in the binary form of arrays.
/// Source: `array_send` in `src/backend/utils/adt/arrayfuncs.c`
#[derive(Debug)]
pub struct Arrays {
    /// Rows that have just been merged, as messages.
    pub(super) merged: BytesMut,
    places: RowPlaces,
    columns: Vec<Column>,
    /// The columns of each table, where a row is one's; its last column says whose.
    tables: Vec<Range<usize>>,
    rows: u64,
    bytes: usize,
    bytes_max: usize,
}

#[derive(Clone, Debug, Default)]
struct Column {
    count: u32,
    /// Elements, one after the other.
    elements: BytesMut,
}

impl Arrays {
    /// Of rows that have all so many columns.
    pub fn of_rows(columns: usize) -> Self {
        Self::new(columns, columns, Vec::new(), FINISHED_BYTES_MAX)
    }

    /// Of tables with so many columns each.
    pub fn of_tables(columns: impl Iterator<Item = usize>) -> Self {
        let mut end = 0;
        let tables = columns.map(|count| {
            end += count;
            end - count..end
        });
        let tables: Vec<_> = tables.collect();
        Self::new(end, end + 1, tables, TABLES_BYTES_MAX)
    }

    fn new(columns: usize, merged: usize, tables: Vec<Range<usize>>, bytes_max: usize) -> Self {
        Self {
            merged: BytesMut::new(),
            places: RowPlaces::new(merged as u16),
            columns: vec![Column::default(); columns],
            tables,
            rows: 0,
            bytes: 0,
            bytes_max,
        }
    }

    /// Takes what has been merged; false where it is too much.
    pub(super) fn take(&mut self) -> Result<bool, RowError> {
        while let Ok(Some(head)) = header(&self.merged) {
            let Some(row) = self.merged.get(..head.len) else {
                break;
            };
            self.places.read(row)?;
            let own = match self.tables.is_empty() {
                true => 0..self.columns.len(),
                false => self.table(row).ok_or(RowError::CutShort)?,
            };
            for place in own {
                let value = self.places.value(place as u16, row);
                self.columns[place].put(value);
            }
            self.rows += 1;
            self.bytes += head.len;
            self.merged.advance(head.len);
        }
        Ok(self.bytes <= self.bytes_max)
    }

    /// What the rows took as messages.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The columns of the table that the row is of.
    fn table(&self, row: &[u8]) -> Option<Range<usize>> {
        let number = self.places.value(self.columns.len() as u16, row)?;
        let number = u32::from_be_bytes(number.try_into().ok()?);
        self.tables.get(number as usize).cloned()
    }

    pub fn rows(&self) -> u64 {
        self.rows
    }
}

impl Column {
    fn put(&mut self, value: Option<&[u8]>) {
        self.count += 1;
        match value {
            None => self.elements.put_i32(-1),
            Some(value) => {
                self.elements.put_i32(value.len() as i32);
                self.elements.put_slice(value);
            }
        }
    }

    /// The array, with its length.
    fn array(&self, element: Oid, out: &mut BytesMut) {
        let dimensions = u32::from(self.count > 0);
        // Dimensions, whether there may be NULLs, the elements' type; length and lower bound of the dimension.
        let head = 12 + 8 * dimensions as usize;
        out.put_u32((head + self.elements.len()) as u32);
        out.put_u32(dimensions);
        out.put_u32(1);
        out.put_u32(element.0);
        if dimensions > 0 {
            out.put_u32(self.count);
            out.put_u32(1);
        }
        out.put_slice(&self.elements);
    }
}

impl Question {
    /// Of the query over merged rows, whose text is asked, for one server. `described`: the columns of the rows' own lanes.
    ///
    /// Errors: 08P01 where there are other formats than columns, or parameters that are none.
    pub fn finish(
        facts: &Facts,
        finishing: &Finishing,
        arrays: &Arrays,
        described: Description,
        asked: Asked<'_>,
    ) -> Result<Self, PgError> {
        // Rows are the shards' own, of groups it is this server that plans what is shown.
        let (description, places) = match &facts.merged {
            Merged::Rows(_) => (described, Vec::new()),
            Merged::Groups { .. } | Merged::Tables => {
                let places = (0..facts.description.len()).map(Some);
                (facts.description.clone(), places.collect())
            }
        };
        let formats = each(asked.formats, facts.description.len())?;
        Ok(Self {
            request: request(finishing, arrays, &asked)?.into(),
            own: Vec::new(),
            columns: Columns {
                types: facts.description.types().collect(),
                client: Some(facts.description.clone()),
                modifiers: [].into(),
            },
            merging: Merging::Concatenation(0),
            window: Window::new(Span::default()),
            told: Told {
                description,
                formats,
                places,
            },
            row_bytes_max: asked.row_bytes_max,
        })
    }
}

fn request(finishing: &Finishing, arrays: &Arrays, asked: &Asked<'_>) -> Result<Bytes, PgError> {
    let mut out = BytesMut::new();
    let types = finishing.params.iter().map(|oid| oid.0);
    wire::put_parse(&mut out, b"", asked.text.as_bytes(), types)?;
    let mut bind = BytesMut::new();
    let values = Values::read(asked.parameters.values, finishing.params.len())?;
    let arrays_count = arrays.columns.len();
    let count = u16::try_from(values.formats.len() + arrays_count);
    let count = count.map_err(|_| malformed("more parameters than a message has"))?;
    bind.put_u16(count);
    values.formats.iter().for_each(|code| bind.put_u16(*code));
    (0..arrays_count).for_each(|_| bind.put_u16(1));
    bind.put_u16(count);
    bind.put_slice(values.values);
    for (column, element) in arrays.columns.iter().zip(&finishing.columns) {
        column.array(*element, &mut bind);
    }
    wire::put_bind_head(&mut out, b"", b"", bind.len() + 2 + 2 * asked.formats.len())?;
    out.unsplit(bind);
    out.put_u16(asked.formats.len() as u16);
    for format in asked.formats {
        out.put_u16(u16::from(*format == Format::Binary));
    }
    end_of_request(&mut out)?;
    Ok(out.freeze())
}

/// The client's parameters, as its Bind has them.
struct Values<'a> {
    /// One for each.
    formats: Vec<u16>,
    /// Each with its length.
    values: &'a [u8],
}

impl<'a> Values<'a> {
    fn read(mut bytes: &'a [u8], expected: usize) -> Result<Self, PgError> {
        let cut = || malformed("insufficient data left in message");
        let mut next = || -> Option<u16> {
            let (number, rest) = bytes.split_first_chunk()?;
            bytes = rest;
            Some(u16::from_be_bytes(*number))
        };
        let codes = next().ok_or_else(cut)?;
        let codes: Option<Vec<u16>> = (0..codes).map(|_| next()).collect();
        let codes = codes.ok_or_else(cut)?;
        let count = usize::from(next().ok_or_else(cut)?);
        let formats = match codes.as_slice() {
            [] => vec![0; count],
            [all] => vec![*all; count],
            each if each.len() == count => codes,
            _ => return Err(malformed("other parameter formats than parameters")),
        };
        if count != expected {
            return Err(malformed(&format!(
                "bind message supplies {count} parameters, but prepared statement \"\" requires {expected}"
            )));
        }
        Ok(Self {
            formats,
            values: bytes,
        })
    }
}

fn malformed(what: &str) -> PgError {
    PgError::client(SqlState::PROTOCOL_VIOLATION, what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::row::RowWriter;

    #[test]
    fn rows_become_arrays() {
        let mut arrays = Arrays::of_rows(2);
        for (a, b) in [(Some(&b"ab"[..]), None), (None, Some(&b"c"[..]))] {
            let mut row = RowWriter::new(2, &mut arrays.merged);
            row.put(a);
            row.put(b);
            row.finish();
        }
        assert_eq!(arrays.take(), Ok(true));
        let mut out = BytesMut::new();
        arrays.columns[0].array(Oid::TEXT, &mut out);
        let expected = [
            &[0, 0, 0, 30, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 25][..],
            &[
                0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, b'a', b'b', 255, 255, 255, 255,
            ],
        ];
        assert_eq!(out[..], expected.concat());
        out.clear();
        Column::default().array(Oid::INT4, &mut out);
        assert_eq!(out[..], [0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 23]);
    }

    #[test]
    fn rows_of_tables_become_arrays_of_their_own() {
        let mut arrays = Arrays::of_tables([1, 2].into_iter());
        let put = |arrays: &mut Arrays, values: [Option<&[u8]>; 3], number: &[u8]| {
            arrays.merged.clear();
            let mut row = RowWriter::new(4, &mut arrays.merged);
            values.iter().for_each(|value| row.put(*value));
            row.put(Some(number));
            row.finish();
            arrays.take()
        };
        assert_eq!(
            put(&mut arrays, [None, Some(b"b"), Some(b"c")], &[0, 0, 0, 1]),
            Ok(true)
        );
        assert_eq!(
            put(&mut arrays, [Some(b"a"), None, None], &[0; 4]),
            Ok(true)
        );
        assert_eq!(
            put(&mut arrays, [None, None, Some(b"d")], &[0, 0, 0, 1]),
            Ok(true)
        );
        for lie in [&[0, 0, 0, 2][..], b"", &[0; 5]] {
            assert_eq!(put(&mut arrays, [None; 3], lie), Err(RowError::CutShort));
        }
        let counts: Vec<u32> = arrays.columns.iter().map(|column| column.count).collect();
        assert_eq!(counts, [1, 2, 2]);
        assert_eq!(
            arrays.columns[1].elements[..],
            *b"\0\0\0\x01b\xff\xff\xff\xff"
        );
    }

    #[test]
    fn too_many_bytes_are_too_much() {
        let mut arrays = Arrays::of_rows(1);
        let value = vec![0; FINISHED_BYTES_MAX];
        let mut row = RowWriter::new(1, &mut arrays.merged);
        row.put(Some(&value));
        row.finish();
        assert_eq!(arrays.take(), Ok(false));
    }

    #[test]
    fn parameters_have_a_format_each() {
        let read = |bytes: &'static [u8], count| Values::read(bytes, count).ok();
        let formats = |bytes, count| read(bytes, count).map(|values| values.formats);
        assert_eq!(formats(&[0, 0, 0, 0], 0), Some(vec![]));
        assert_eq!(formats(&[0, 1, 0, 1, 0, 2], 2), Some(vec![1, 1]));
        assert_eq!(formats(&[0, 2, 0, 1, 0, 0, 0, 2], 2), Some(vec![1, 0]));
        assert_eq!(formats(&[0, 2, 0, 1, 0, 0, 0, 1], 1), None);
        assert_eq!(formats(&[0, 0, 0, 1], 2), None);
        assert_eq!(formats(&[0, 1], 0), None);
    }
}
