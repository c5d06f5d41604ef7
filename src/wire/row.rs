//! DataRow: where its values lie, and rows made of pieces of others. The values themselves are not read.

use bytes::{BufMut, BytesMut};

use super::frame::{HEADER_BYTES, backend};

/// A server's DataRow is not what its type promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    #[error("insufficient data left in message")]
    CutShort,
    #[error("a row of {found} columns where {expected} were described")]
    Columns { expected: u16, found: u16 },
    #[error("invalid message format")]
    BytesLeft,
}

/// Where the values of one row lie in its frame. Reading another row into it allocates nothing.
#[derive(Clone, Debug)]
pub struct RowPlaces {
    places: Box<[Place]>,
}

/// Offset from the frame's start, and length in bytes; negative for NULL.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    start: u32,
    length: i32,
}

/// Before the first value's length: the header and the count of columns.
const VALUES_START: usize = HEADER_BYTES + 2;

impl RowPlaces {
    /// For rows of so many columns.
    pub fn new(columns: u16) -> Self {
        Self {
            places: vec![Place::default(); usize::from(columns)].into(),
        }
    }

    /// Reads where the values of a row lie. `frame` is a whole DataRow with its header.
    ///
    /// Errors: lengths that leave the frame or do not fill it, another count of columns.
    pub fn read(&mut self, frame: &[u8]) -> Result<(), RowError> {
        let count = frame.get(HEADER_BYTES..VALUES_START);
        let count = count.ok_or(RowError::CutShort)?;
        let (expected, found) = (
            self.places.len() as u16,
            u16::from_be_bytes([count[0], count[1]]),
        );
        if expected != found {
            return Err(RowError::Columns { expected, found });
        }
        let mut at = VALUES_START;
        for place in &mut self.places {
            let length = frame.get(at..).and_then(<[u8]>::first_chunk::<4>);
            let length = i32::from_be_bytes(*length.ok_or(RowError::CutShort)?);
            at += 4;
            *place = Place {
                start: at as u32,
                length,
            };
            at += usize::try_from(length).unwrap_or(0);
            if length < -1 || at > frame.len() {
                return Err(RowError::CutShort);
            }
        }
        if at == frame.len() {
            Ok(())
        } else {
            Err(RowError::BytesLeft)
        }
    }

    /// The value of a column that the row has, `None` for NULL. `frame` is the one read last.
    #[inline]
    pub fn value<'a>(&self, column: u16, frame: &'a [u8]) -> Option<&'a [u8]> {
        let place = self.places[usize::from(column)];
        let length = usize::try_from(place.length).ok()?;
        let start = place.start as usize;
        Some(&frame[start..start + length])
    }

    /// Appends the row without its columns from `columns` on. `frame` is the one read last.
    pub fn put_first(&self, columns: u16, frame: &[u8], out: &mut BytesMut) {
        let end = match self.places.get(usize::from(columns)) {
            Some(hidden) => hidden.start as usize - 4,
            None => return out.put_slice(frame),
        };
        out.put_u8(backend::DATA_ROW);
        out.put_i32((end - 1) as i32);
        out.put_u16(columns);
        out.put_slice(&frame[VALUES_START..end]);
    }
}

/// A DataRow that is made value by value at the end of a buffer.
pub struct RowWriter<'a> {
    out: &'a mut BytesMut,
    start: usize,
}

impl<'a> RowWriter<'a> {
    /// Begins a row of so many columns.
    pub fn new(columns: u16, out: &'a mut BytesMut) -> Self {
        let start = out.len();
        out.put_u8(backend::DATA_ROW);
        out.put_i32(0);
        out.put_u16(columns);
        Self { out, start }
    }

    /// The next value, `None` for NULL.
    pub fn put(&mut self, value: Option<&[u8]>) {
        match value {
            None => self.out.put_i32(-1),
            Some(bytes) => {
                self.out.put_i32(bytes.len() as i32);
                self.out.put_slice(bytes);
            }
        }
    }

    /// Ends the row. As many values as were announced have been put.
    pub fn finish(self) {
        let at = self.start + 1;
        let length = (self.out.len() - at) as i32;
        self.out[at..at + 4].copy_from_slice(&length.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    fn row(values: &[Option<&[u8]>]) -> BytesMut {
        let mut out = BytesMut::new();
        let mut writer = RowWriter::new(values.len() as u16, &mut out);
        for value in values {
            writer.put(*value);
        }
        writer.finish();
        out
    }

    #[test]
    fn values_are_found_and_cut_off() {
        let values: [Option<&[u8]>; 4] = [Some(b"ab"), None, Some(b""), Some(b"xyz")];
        let frame = row(&values);
        assert_eq!(
            &frame[..],
            b"D\0\0\0\x1b\0\x04\0\0\0\x02ab\xff\xff\xff\xff\0\0\0\0\0\0\0\x03xyz"
        );
        let mut places = RowPlaces::new(4);
        places.read(&frame).expect("a row");
        for (column, value) in values.iter().enumerate() {
            assert_eq!(places.value(column as u16, &frame), *value);
            let mut cut = BytesMut::new();
            places.put_first(column as u16, &frame, &mut cut);
            assert_eq!(cut, row(&values[..column]));
        }
        let mut whole = BytesMut::new();
        places.put_first(4, &frame, &mut whole);
        assert_eq!(whole, frame);
    }

    #[test]
    fn rows_are_written_behind_what_is_there() {
        let mut out = BytesMut::from(&b"before"[..]);
        let mut writer = RowWriter::new(2, &mut out);
        writer.put(Some(b"abc"));
        writer.put(None);
        writer.finish();
        assert_eq!(out[6..], row(&[Some(b"abc"), None])[..]);
    }

    #[test]
    fn what_is_no_row_is_refused() {
        let frame = row(&[Some(b"ab"), None]);
        let mut places = RowPlaces::new(2);
        for cut in 0..frame.len() {
            assert_eq!(places.read(&frame[..cut]), Err(RowError::CutShort), "{cut}");
        }
        let mut longer = frame.clone();
        longer.put_u8(0);
        assert_eq!(places.read(&longer), Err(RowError::BytesLeft));
        assert_eq!(
            RowPlaces::new(3).read(&frame),
            Err(RowError::Columns {
                expected: 3,
                found: 2
            })
        );
        let mut negative = frame.clone();
        negative[7..11].copy_from_slice(&(-2i32).to_be_bytes());
        assert_eq!(places.read(&negative), Err(RowError::CutShort));
        negative[7..11].copy_from_slice(&i32::MAX.to_be_bytes());
        assert_eq!(places.read(&negative), Err(RowError::CutShort));
    }

    #[test]
    fn any_bytes_may_come() {
        let mut random = StdRng::seed_from_u64(5);
        let frame = row(&[Some(b"ab"), None, Some(b"")]);
        let mut places = RowPlaces::new(3);
        for _ in 0..20_000 {
            let mut frame = frame.clone();
            for _ in 0..random.random_range(0..3) {
                let at = random.random_range(7..frame.len());
                frame[at] = [0, 1, 2, 4, 0xff, random.random()][random.random_range(0..6)];
            }
            if places.read(&frame).is_ok() {
                let values = (0..3).map(|column| places.value(column, &frame));
                let length: usize = values.map(|value| value.map_or(0, <[u8]>::len)).sum();
                assert_eq!(VALUES_START + 12 + length, frame.len());
            }
        }
    }
}
