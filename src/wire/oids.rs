//! OIDs of types, and values, in messages: visited and rewritten where they lie, an OID in the place of another. What they
//! mean is the visitor's.
//! Source: <https://www.postgresql.org/docs/current/protocol-message-formats.html>

use crate::types::translation::{Rest, Untranslatable};
use crate::types::{Format, Oid};

/// RowDescription, of which `body` is all behind the header: each column's type, and the format it is announced in.
///
/// Errors: [`Untranslatable::Broken`] for what is no such message; those of the visitor.
pub fn each_column(
    body: &mut [u8],
    mut visit: impl FnMut(Oid, Format) -> Result<Oid, Untranslatable>,
) -> Result<(), Untranslatable> {
    let mut rest = Rest::new(body);
    for _ in 0..rest.short()? {
        rest.string()?;
        rest.take(TABLE_AND_ATTRIBUTE_BYTES)?;
        let place = rest.take(4)?;
        rest.take(SIZE_AND_MODIFIER_BYTES)?;
        let format = match rest.short()? {
            1 => Format::Binary,
            _ => Format::Text,
        };
        replace(place, |oid| visit(oid, format))?;
    }
    rest.end()
}

/// ParameterDescription: each parameter's type.
///
/// Errors: as of [`each_column`].
pub fn each_parameter_type(
    body: &mut [u8],
    mut visit: impl FnMut(Oid) -> Result<Oid, Untranslatable>,
) -> Result<(), Untranslatable> {
    let mut rest = Rest::new(body);
    for _ in 0..rest.short()? {
        replace(rest.take(4)?, &mut visit)?;
    }
    rest.end()
}

/// DataRow: each value that is not NULL, with the place of its column.
///
/// Errors: as of [`each_column`].
pub fn each_value(
    body: &mut [u8],
    mut visit: impl FnMut(u16, &mut [u8]) -> Result<(), Untranslatable>,
) -> Result<(), Untranslatable> {
    let mut rest = Rest::new(body);
    for column in 0..rest.short()? {
        if let Some(value) = rest.value()? {
            visit(column, value)?;
        }
    }
    rest.end()
}

/// The part of a Bind that begins with its parameters' formats: each value that is not NULL and in binary form, with the
/// place of its parameter. What comes behind the values is not looked at.
///
/// Errors: as of [`each_column`].
pub fn each_binary_parameter(
    bytes: &mut [u8],
    mut visit: impl FnMut(u16, &mut [u8]) -> Result<(), Untranslatable>,
) -> Result<(), Untranslatable> {
    let mut rest = Rest::new(bytes);
    let count = rest.short()?;
    let formats = rest.take(usize::from(count) * 2)?;
    let (formats, _) = formats.as_chunks::<2>();
    for place in 0..rest.short()? {
        let format = match formats {
            [all] => Some(all),
            each => each.get(usize::from(place)),
        };
        if let Some(value) = rest.value()?
            && format == Some(&[0, 1])
        {
            visit(place, value)?;
        }
    }
    Ok(())
}

fn replace(
    place: &mut [u8],
    visit: impl FnOnce(Oid) -> Result<Oid, Untranslatable>,
) -> Result<(), Untranslatable> {
    let bytes = place.first_chunk_mut().ok_or(Untranslatable::Broken)?;
    *bytes = visit(Oid(u32::from_be_bytes(*bytes)))?.0.to_be_bytes();
    Ok(())
}

/// Ahead of a column's type, and behind it.
const TABLE_AND_ATTRIBUTE_BYTES: usize = 6;
const SIZE_AND_MODIFIER_BYTES: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;

    fn description() -> Vec<u8> {
        let mut body = vec![0, 2];
        for (name, oid, format) in [("a", 20_001u32, 1u16), ("name", 23, 0)] {
            body.extend(name.as_bytes());
            body.extend([0, 0, 0, 64, 1, 0, 2]);
            body.extend(oid.to_be_bytes());
            body.extend([0, 4, 255, 255, 255, 255]);
            body.extend(format.to_be_bytes());
        }
        body
    }

    fn row() -> Vec<u8> {
        [&[0, 3][..], &[0, 0, 0, 2], b"ab", &[255; 4], &[0, 0, 0, 0]].concat()
    }

    /// Formats, values, and what comes behind them.
    fn bind(formats: &[u8]) -> Vec<u8> {
        let count = [0, (formats.len() / 2) as u8];
        let values = [&[0, 2][..], &[0, 0, 0, 1, b'x'], &[0, 0, 0, 1, b'y']].concat();
        [&count[..], formats, &values, b"behind"].concat()
    }

    #[test]
    fn types_are_replaced_where_they_lie() {
        let mut body = description();
        let mut formats = Vec::new();
        let replaced = each_column(&mut body, |oid, format| {
            formats.push(format);
            Ok(Oid(oid.0 + 1))
        });
        assert_eq!(replaced, Ok(()));
        assert_eq!(formats, [Format::Binary, Format::Text]);
        let read = crate::wire::Description::read(&body).expect("a description");
        assert_eq!(read.types().collect::<Vec<_>>(), [Oid(20_002), Oid(24)]);
        let mut types = [0, 2, 0, 0, 0x4e, 0x21, 0, 0, 0, 23];
        assert_eq!(
            each_parameter_type(&mut types, |oid| Ok(Oid(oid.0 + 1))),
            Ok(())
        );
        assert_eq!(types, [0, 2, 0, 0, 0x4e, 0x22, 0, 0, 0, 24]);
    }

    #[test]
    fn values_are_visited_with_their_places() {
        let mut seen = Vec::new();
        let visited = each_value(&mut row(), |at, value| {
            seen.push((at, value.to_vec()));
            Ok(())
        });
        assert_eq!(visited, Ok(()));
        assert_eq!(seen, [(0, b"ab".to_vec()), (2, Vec::new())]);
        for (formats, places) in [
            (&[][..], &[][..]),
            (&[0, 1], &[0, 1]),
            (&[0, 0], &[]),
            (&[0, 0, 0, 1], &[1]),
        ] {
            let mut seen = Vec::new();
            let visited = each_binary_parameter(&mut bind(formats), |at, value| {
                seen.push(at);
                value[0] = b'z';
                Ok(())
            });
            assert_eq!((visited, &seen[..]), (Ok(()), places));
        }
    }

    #[test]
    fn what_is_no_such_message_is_broken() {
        let broken = Err(Untranslatable::Broken);
        let body = description();
        for cut in 0..body.len() {
            let read = each_column(&mut body[..cut].to_vec(), |oid, _| Ok(oid));
            assert_eq!(read, broken, "{cut}");
        }
        let body = row();
        for cut in 0..body.len() {
            let read = each_value(&mut body[..cut].to_vec(), |_, _| Ok(()));
            assert_eq!(read, broken, "{cut}");
        }
        let mut longer = [&body[..], &[0]].concat();
        assert_eq!(each_value(&mut longer, |_, _| Ok(())), broken);
        for types in [&[0, 1, 0][..], &[0], &[0, 0, 0], &[255, 255]] {
            let read = each_parameter_type(&mut types.to_vec(), Ok);
            assert_eq!(read, broken, "{types:?}");
        }
        let mut negative = [0, 1, 255, 255, 255, 254];
        assert_eq!(each_value(&mut negative, |_, _| Ok(())), broken);
        assert_eq!(each_binary_parameter(&mut [0, 2, 0], |_, _| Ok(())), broken);
    }
}
