//! RowDescription: the columns a server announces, and the same for a client.
//! Source: <https://www.postgresql.org/docs/current/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-ROWDESCRIPTION>

use bytes::{BufMut, Bytes, BytesMut};

use super::frame::backend;
use crate::types::{Format, Oid};

/// Behind a column's name: table, attribute, type, its length, type modifier, format.
const FIELD_BYTES: usize = 18;
const OID_AT: usize = 6;
const FORMAT_BYTES: usize = 2;
/// Before the format.
const MODIFIER_FROM_END: usize = 4 + FORMAT_BYTES;

/// The columns of a RowDescription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// One after the other, as they came.
    fields: Bytes,
    columns: Vec<DescribedColumn>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct DescribedColumn {
    oid: Oid,
    /// Where its field ends.
    end: usize,
}

impl Description {
    /// Reads the body of a message; `None` where it is none.
    pub fn read(body: &[u8]) -> Option<Self> {
        let (count, fields) = body.split_first_chunk()?;
        let count = u16::from_be_bytes(*count);
        let mut columns = Vec::with_capacity(usize::from(count));
        let mut at = 0;
        for _ in 0..count {
            let name = fields.get(at..)?.iter().position(|byte| *byte == 0)?;
            at += name + 1;
            let field = fields.get(at..at + FIELD_BYTES)?;
            let oid = field.get(OID_AT..)?.first_chunk()?;
            at += FIELD_BYTES;
            columns.push(DescribedColumn {
                oid: Oid(u32::from_be_bytes(*oid)),
                end: at,
            });
        }
        (at == fields.len()).then(|| Self {
            fields: Bytes::copy_from_slice(fields),
            columns,
        })
    }

    pub fn len(&self) -> usize {
        self.columns.len()
    }

    /// The columns' types.
    pub fn types(&self) -> impl ExactSizeIterator<Item = Oid> {
        self.columns.iter().map(|column| column.oid)
    }

    /// Whether its first columns have the names of all of another one's.
    pub fn begins_like(&self, other: &Self) -> bool {
        self.columns.len() >= other.columns.len()
            && (0..other.columns.len()).all(|at| self.name(at) == other.name(at))
    }

    /// Whether another one tells a client the same of names and types.
    pub fn tells_the_same(&self, other: &Self) -> bool {
        self.types().eq(other.types()) && self.begins_like(other)
    }

    /// Whether another one tells it of type modifiers, too.
    pub fn tells_exactly(&self, other: &Self) -> bool {
        self.tells_the_same(other) && self.modifiers().eq(other.modifiers())
    }

    /// The columns' type modifiers, -1 for none.
    pub fn modifiers(&self) -> impl Iterator<Item = i32> {
        (0..self.columns.len()).filter_map(|at| self.modifier(at))
    }

    /// That of one column; `None` where there is none of this place.
    pub fn modifier(&self, at: usize) -> Option<i32> {
        let end = self.columns.get(at)?.end;
        let modifier = self.fields[end - MODIFIER_FROM_END..].first_chunk()?;
        Some(i32::from_be_bytes(*modifier))
    }

    /// The same with other type modifiers, where there are some.
    pub fn with_modifiers(&self, modifiers: &[Option<i32>]) -> Self {
        let mut fields = self.fields.to_vec();
        for (column, modifier) in self.columns.iter().zip(modifiers) {
            if let Some(modifier) = modifier {
                let at = column.end - MODIFIER_FROM_END;
                fields[at..at + 4].copy_from_slice(&modifier.to_be_bytes());
            }
        }
        Self {
            fields: fields.into(),
            columns: self.columns.clone(),
        }
    }

    /// The columns' names, with what is no UTF-8 replaced.
    pub fn names(&self) -> impl Iterator<Item = String> {
        let name = |at| {
            String::from_utf8_lossy(self.name(at))
                .trim_end_matches('\0')
                .to_owned()
        };
        (0..self.columns.len()).map(name)
    }

    /// With its end.
    fn name(&self, at: usize) -> &[u8] {
        let start = match at.checked_sub(1) {
            Some(before) => self.columns[before].end,
            None => 0,
        };
        &self.fields[start..self.columns[at].end - FIELD_BYTES]
    }

    /// The first columns of it.
    pub fn first(&self, columns: usize) -> Self {
        let columns = self.columns[..columns.min(self.columns.len())].to_vec();
        Self {
            fields: self
                .fields
                .slice(..columns.last().map_or(0, |last| last.end)),
            columns,
        }
    }

    /// The message, with the formats the columns come in.
    pub fn message(&self, formats: &[Format]) -> Bytes {
        let mut out = BytesMut::new();
        out.put_u8(backend::ROW_DESCRIPTION);
        out.put_u32((4 + 2 + self.fields.len()) as u32);
        out.put_u16(self.columns.len() as u16);
        let mut start = 0;
        for (place, column) in self.columns.iter().enumerate() {
            out.put_slice(&self.fields[start..column.end - FORMAT_BYTES]);
            let format = formats.get(place).copied().unwrap_or(Format::Text);
            out.put_u16(u16::from(format == Format::Binary));
            start = column.end;
        }
        out.freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(name: &str, oid: u32, format: u16) -> Vec<u8> {
        let mut field = name.as_bytes().to_vec();
        field.extend([0, 0, 0, 64, 1, 0, 2]);
        field.extend(oid.to_be_bytes());
        field.extend([0, 4, 255, 255, 255, 255]);
        field.extend(format.to_be_bytes());
        field
    }

    #[test]
    fn columns_are_read_cut_and_told_again() {
        let body = [&[0, 2][..], &field("a", 23, 0), &field("", 25, 0)].concat();
        let read = Description::read(&body).expect("a description");
        assert_eq!(read.types().collect::<Vec<_>>(), [Oid::INT4, Oid::TEXT]);
        assert!(read.begins_like(&read.first(1)) && !read.first(1).begins_like(&read));
        assert!(read.tells_the_same(&read) && !read.tells_the_same(&read.first(1)));
        assert!(read.names().eq(["a".to_owned(), String::new()]));
        assert!(read.modifiers().eq([-1, -1]));
        let mut numeric = field("a", 1700, 0);
        numeric[15] = 7;
        let exact = Description::read(&[&[0, 1][..], &numeric].concat()).expect("a description");
        let bare = [&[0, 1][..], &field("a", 1700, 0)].concat();
        let bare = Description::read(&bare).expect("a description");
        assert!(exact.tells_the_same(&bare) && !exact.tells_exactly(&bare));
        assert_eq!(exact.with_modifiers(&[Some(-1)]), bare);
        assert_eq!(exact.with_modifiers(&[None]), exact);
        let other = [&[0, 1][..], &field("b", 23, 0)].concat();
        assert!(!Description::read(&other).is_some_and(|other| read.begins_like(&other)));
        let out = read.first(1).message(&[Format::Binary]);
        let told = [&b"T\0\0\0\x1a\0\x01"[..], &field("a", 23, 1)].concat();
        assert_eq!(out, told);
    }

    #[test]
    fn what_is_no_description_is_none() {
        let body = [&[0, 1][..], &field("name", 23, 0)].concat();
        assert!(Description::read(&body).is_some());
        for cut in 0..body.len() {
            assert_eq!(Description::read(&body[..cut]), None, "{cut}");
        }
        assert_eq!(Description::read(&[&body[..], &[0]].concat()), None);
        assert_eq!(Description::read(&[0, 0]).map(|read| read.len()), Some(0));
    }
}
