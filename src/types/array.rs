//! Arrays of one dimension, as far as their elements can be told apart with certainty.

use std::borrow::Cow;

use super::Oid;

/// Arrays of more elements are not read.
pub const ELEMENTS_MAX: usize = 65_536;

/// The elements of an array's text form, NULL as `None`; the whole is `None` where it is not plain: several
/// dimensions, bounds, escapes outside quotes, or no array at all.
///
/// Source: `array_in` in `src/backend/utils/adt/arrayfuncs.c`, of which this reads what no version reads
/// otherwise.
pub fn text_elements(text: &[u8]) -> Option<Vec<Element<'_>>> {
    let mut rest = after_blanks(text).strip_prefix(b"{")?;
    let mut elements = Vec::new();
    rest = after_blanks(rest);
    if let Some(end) = rest.strip_prefix(b"}") {
        return after_blanks(end).is_empty().then_some(elements);
    }
    loop {
        let (element, after) = text_element(after_blanks(rest))?;
        if elements.len() == ELEMENTS_MAX {
            return None;
        }
        elements.push(element);
        rest = after_blanks(after);
        match rest.split_first()? {
            (b',', after) => rest = after,
            (b'}', end) => return after_blanks(end).is_empty().then_some(elements),
            _ => return None,
        }
    }
}

/// An element's text; `None` for NULL.
type Element<'a> = Option<Cow<'a, [u8]>>;

/// One element, and what comes after it.
fn text_element(text: &[u8]) -> Option<(Element<'_>, &[u8])> {
    if let Some(quoted) = text.strip_prefix(b"\"") {
        let end = quoted
            .iter()
            .position(|byte| matches!(byte, b'"' | b'\\'))?;
        if quoted[end] == b'"' {
            return Some((Some(Cow::Borrowed(&quoted[..end])), &quoted[end + 1..]));
        }
        let mut element = quoted[..end].to_vec();
        let mut bytes = quoted[end..].iter().enumerate();
        while let Some((at, byte)) = bytes.next() {
            match byte {
                b'"' => return Some((Some(Cow::Owned(element)), &quoted[end + at + 1..])),
                b'\\' => element.push(*bytes.next()?.1),
                _ => element.push(*byte),
            }
        }
        return None;
    }
    let end = text
        .iter()
        .position(|byte| matches!(byte, b',' | b'{' | b'}' | b'"' | b'\\'))?;
    let length = text[..end].iter().rposition(|byte| !is_blank(*byte))? + 1;
    let element = &text[..length];
    if element.eq_ignore_ascii_case(b"null") {
        return Some((None, &text[end..]));
    }
    Some((Some(Cow::Borrowed(element)), &text[end..]))
}

fn after_blanks(text: &[u8]) -> &[u8] {
    let from = text.iter().position(|byte| !is_blank(*byte));
    &text[from.unwrap_or(text.len())..]
}

/// Source: `array_isspace` in `src/backend/utils/adt/arrayfuncs.c`
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

/// The type of the elements of an array's binary form and the elements, NULL as `None`; the whole is `None`
/// where the array has several dimensions or the form is not kept.
///
/// Source: `array_recv` in `src/backend/utils/adt/arrayfuncs.c`
pub fn binary_elements(bytes: &[u8]) -> Option<(Oid, Vec<Option<&[u8]>>)> {
    let mut rest = bytes;
    let mut word = || {
        let (word, after) = rest.split_first_chunk::<4>()?;
        rest = after;
        Some(*word)
    };
    let dimensions = i32::from_be_bytes(word()?);
    let _has_nulls = word()?;
    let element = Oid(u32::from_be_bytes(word()?));
    match dimensions {
        0 => return rest.is_empty().then_some((element, Vec::new())),
        1 => {}
        _ => return None,
    }
    let count = i32::from_be_bytes(word()?);
    let _lower_bound = word()?;
    let mut elements = Vec::new();
    let count = usize::try_from(count).ok()?;
    if count > ELEMENTS_MAX {
        return None;
    }
    for _ in 0..count {
        let (length, after) = rest.split_first_chunk::<4>()?;
        let length = i32::from_be_bytes(*length);
        if length == -1 {
            rest = after;
            elements.push(None);
            continue;
        }
        let (value, after) = after.split_at_checked(usize::try_from(length).ok()?)?;
        rest = after;
        elements.push(Some(value));
    }
    rest.is_empty().then_some((element, elements))
}

/// An array's binary form, of any number of dimensions, read where it lies.
///
/// Source: `array_recv` in `src/backend/utils/adt/arrayfuncs.c`
pub struct Binary<'a> {
    /// Of all elements.
    pub count: usize,
    /// Length and lower bound of each dimension.
    shape: &'a [[u8; 8]],
    elements: &'a [u8],
}

impl<'a> Binary<'a> {
    /// `None` where the head of the form is not kept; elements are read one by one.
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let (head, rest) = bytes.split_first_chunk::<12>()?;
        let [a, b, c, d, ..] = *head;
        let dimensions = usize::try_from(i32::from_be_bytes([a, b, c, d])).ok()?;
        if dimensions > DIMENSIONS_MAX {
            return None;
        }
        let (shape, elements) = rest.split_at_checked(dimensions * 8)?;
        let shape = shape.as_chunks::<8>().0;
        let mut count = usize::from(dimensions > 0);
        for length in lengths(shape) {
            count = count.checked_mul(usize::try_from(length).ok()?)?;
        }
        Some(Self {
            count,
            shape,
            elements,
        })
    }

    pub fn dimensions(&self) -> usize {
        self.shape.len()
    }

    pub fn lengths(&self) -> impl Iterator<Item = i32> + 'a {
        lengths(self.shape)
    }

    pub fn lower_bounds(&self) -> impl Iterator<Item = i32> + 'a {
        self.shape
            .iter()
            .map(|[.., a, b, c, d]| i32::from_be_bytes([*a, *b, *c, *d]))
    }

    /// The elements, NULL as `None`. Ends early where the bytes do.
    pub fn elements(&self) -> impl Iterator<Item = Option<&'a [u8]>> + use<'a> {
        let mut rest = self.elements;
        std::iter::from_fn(move || {
            let (length, after) = rest.split_first_chunk::<4>()?;
            let length = i32::from_be_bytes(*length);
            if length == -1 {
                rest = after;
                return Some(None);
            }
            let (value, after) = after.split_at_checked(usize::try_from(length).ok()?)?;
            rest = after;
            Some(Some(value))
        })
    }
}

fn lengths(shape: &[[u8; 8]]) -> impl Iterator<Item = i32> {
    shape
        .iter()
        .map(|[a, b, c, d, ..]| i32::from_be_bytes([*a, *b, *c, *d]))
}

/// Source: `MAXDIM` in `src/include/c.h`
const DIMENSIONS_MAX: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;

    fn text(array: &str) -> Option<Vec<Option<String>>> {
        let owned = |element: Option<Cow<'_, [u8]>>| {
            element.map(|bytes| String::from_utf8(bytes.into_owned()).expect("UTF-8"))
        };
        Some(
            text_elements(array.as_bytes())?
                .into_iter()
                .map(owned)
                .collect(),
        )
    }

    #[test]
    fn text_arrays_are_read_as_postgresql_reads_them() {
        let some = |text: &str| Some(text.to_owned());
        for (array, elements) in [
            ("{}", vec![]),
            (" { } ", vec![]),
            ("{1,2}", vec![some("1"), some("2")]),
            (
                "{ a b , NULL,null, \"NULL\" }",
                vec![some("a b"), None, None, some("NULL")],
            ),
            (
                r#"{"a\"b\\c, {}", " x ", ""}"#,
                vec![some(r#"a"b\c, {}"#), some(" x "), some("")],
            ),
            ("{nullx}", vec![some("nullx")]),
        ] {
            assert_eq!(text(array), Some(elements), "{array}");
        }
        for none in [
            "",
            "1",
            "{",
            "{1",
            "{1,}",
            "{,1}",
            "{1,,2}",
            "{{1}}",
            "[1:1]={1}",
            "{1}x",
            "{a\"b\"}",
            "{\"a\"b}",
            "{a\\b}",
            "{\"a",
            "{\"a\\",
            "}",
            "{1}}",
        ] {
            assert_eq!(text(none), None, "{none}");
        }
    }

    #[test]
    fn binary_arrays_keep_their_bounds() {
        let array = |words: &[i32], rest: &[u8]| {
            let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
            bytes.extend(rest);
            bytes
        };
        let two = array(&[1, 1, 23, 2, 1, 4, 5, -1], &[]);
        let five = 5i32.to_be_bytes();
        assert_eq!(
            binary_elements(&two),
            Some((Oid::INT4, vec![Some(&five[..]), None]))
        );
        assert_eq!(
            binary_elements(&array(&[0, 0, 20], &[])),
            Some((Oid::INT8, vec![]))
        );
        for wrong in [
            array(&[], &[]),
            array(&[2, 0, 23, 1, 1, 1, 1, 4, 5], &[]),
            array(&[-1, 0, 23], &[]),
            array(&[1, 0, 23, -1, 1], &[]),
            array(&[1, 0, 23, i32::MAX, 1], &[]),
            array(&[1, 0, 23, 1, 1, 4], &[0, 0]),
            array(&[1, 0, 23, 1, 1, -2], &[]),
            array(&[1, 0, 23, 1, 1, 4, 5], &[0]),
            array(&[0, 0, 20], &[0]),
        ] {
            assert_eq!(binary_elements(&wrong), None, "{wrong:?}");
        }
    }
}
