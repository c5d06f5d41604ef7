//! What clients send after startup. Every length, count and string is checked inside the message's
//! own bounds; nothing is copied.

use bytes::{BufMut, BytesMut};

/// A message's body is not what its type promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid message format: {0}")]
pub struct RequestError(pub &'static str);

/// A cursor that never leaves the body.
struct Body<'a>(&'a [u8]);

impl<'a> Body<'a> {
    fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(count)?;
        self.0 = tail;
        Some(head)
    }

    fn u8(&mut self) -> Option<u8> {
        self.bytes(1).map(|b| b[0])
    }

    fn i16(&mut self) -> Option<i16> {
        self.bytes(2).map(|b| i16::from_be_bytes([b[0], b[1]]))
    }

    fn i32(&mut self) -> Option<i32> {
        self.bytes(4)
            .map(|b| i32::from_be_bytes([b[0], b[1], b[2], b[3]]))
    }

    /// A string ended by NUL, the NUL left out.
    fn cstr(&mut self) -> Option<&'a [u8]> {
        let end = self.0.iter().position(|b| *b == 0)?;
        let text = &self.0[..end];
        self.0 = &self.0[end + 1..];
        Some(text)
    }

    fn end(&self) -> Result<(), RequestError> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(RequestError("bytes after the last field"))
        }
    }
}

/// Query: the text without its NUL.
pub fn query(body: &[u8]) -> Result<&[u8], RequestError> {
    let mut body = Body(body);
    let text = body
        .cstr()
        .ok_or(RequestError("query is not ended by NUL"))?;
    body.end()?;
    Ok(text)
}

/// Statement name, text, declared parameter types.
pub type Parse<'a> = (&'a [u8], &'a [u8], Vec<u32>);

/// Parse.
pub fn parse(body: &[u8]) -> Result<Parse<'_>, RequestError> {
    let mut body = Body(body);
    let name = body
        .cstr()
        .ok_or(RequestError("statement name is not ended by NUL"))?;
    let text = body
        .cstr()
        .ok_or(RequestError("query is not ended by NUL"))?;
    let count = body
        .i16()
        .ok_or(RequestError("parameter type count is missing"))?;
    let count = u16::from_ne_bytes(count.to_ne_bytes());
    let mut types = Vec::with_capacity(usize::from(count).min(body.0.len() / 4));
    for _ in 0..count {
        let oid = body
            .i32()
            .ok_or(RequestError("parameter types are cut short"))?;
        types.push(u32::from_ne_bytes(oid.to_ne_bytes()));
    }
    body.end()?;
    Ok((name, text, types))
}

/// The part of a Bind message the proxy looks into. Values stay where they are.
#[derive(Clone, Copy, Debug)]
pub struct Bind<'a> {
    pub portal: &'a [u8],
    pub statement: &'a [u8],
    formats: &'a [u8],
    values: &'a [u8],
    count: u16,
}

/// Bind. `None` where `body` is only the first part of a larger message (`complete` false) and its
/// names or format codes have not all arrived.
///
/// Of a complete message every length is checked; of an incomplete one only what has arrived.
pub fn bind(body: &[u8], complete: bool) -> Result<Option<Bind<'_>>, RequestError> {
    match bind_head(body) {
        Some(bind) if complete => bind.check().map(|()| Some(bind)),
        Some(bind) => Ok(Some(bind)),
        None if complete => Err(RequestError("bind message is cut short")),
        None => Ok(None),
    }
}

fn bind_head(body: &[u8]) -> Option<Bind<'_>> {
    let mut body = Body(body);
    let portal = body.cstr()?;
    let statement = body.cstr()?;
    let format_count = body.i16()? as u16;
    let formats = body.bytes(usize::from(format_count) * 2)?;
    let count = body.i16()? as u16;
    Some(Bind {
        portal,
        statement,
        formats,
        values: body.0,
        count,
    })
}

impl<'a> Bind<'a> {
    fn check(&self) -> Result<(), RequestError> {
        let formats = self.formats.len() / 2;
        if formats > 1 && formats != usize::from(self.count) {
            return Err(RequestError(
                "parameter format codes do not match the parameters",
            ));
        }
        let mut body = Body(self.values);
        for _ in 0..self.count {
            next_value(&mut body).ok_or(RequestError("a parameter leaves the message"))?;
        }
        let results = body
            .i16()
            .ok_or(RequestError("result formats are missing"))? as u16;
        body.bytes(usize::from(results) * 2)
            .ok_or(RequestError("result formats are cut short"))?;
        body.end()
    }

    /// Format code and bytes of parameter `index`; the bytes are `None` for NULL. The outer `None` where
    /// the message has no such parameter, or has not brought it yet.
    pub fn param(&self, index: u16) -> Option<(i16, Option<&'a [u8]>)> {
        if index >= self.count {
            return None;
        }
        let mut body = Body(self.values);
        for _ in 0..index {
            next_value(&mut body)?;
        }
        let value = next_value(&mut body)?;
        let format = match self.formats.len() / 2 {
            0 => 0,
            1 => code(self.formats, 0),
            _ => code(self.formats, usize::from(index)),
        };
        Some((format, value))
    }

    pub fn params(&self) -> u16 {
        self.count
    }
}

fn code(formats: &[u8], index: usize) -> i16 {
    formats
        .get(index * 2..index * 2 + 2)
        .map_or(0, |b| i16::from_be_bytes([b[0], b[1]]))
}

/// The next parameter; `None` where it has not all arrived, `Some(None)` for NULL (length -1).
#[allow(clippy::option_option)]
fn next_value<'a>(body: &mut Body<'a>) -> Option<Option<&'a [u8]>> {
    match body.i32()? {
        -1 => Some(None),
        length => body.bytes(usize::try_from(length).ok()?).map(Some),
    }
}

/// What Describe and Close name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Described<'a> {
    Statement(&'a [u8]),
    Portal(&'a [u8]),
}

pub fn describe(body: &[u8]) -> Result<Described<'_>, RequestError> {
    let mut body = Body(body);
    let kind = body.u8().ok_or(RequestError("the kind is missing"))?;
    let name = body
        .cstr()
        .ok_or(RequestError("the name is not ended by NUL"))?;
    body.end()?;
    match kind {
        b'S' => Ok(Described::Statement(name)),
        b'P' => Ok(Described::Portal(name)),
        _ => Err(RequestError("the kind is neither statement nor portal")),
    }
}

/// Close has Describe's form.
pub fn close(body: &[u8]) -> Result<Described<'_>, RequestError> {
    describe(body)
}

/// Execute: portal name and row limit (zero for none).
pub fn execute(body: &[u8]) -> Result<(&[u8], i32), RequestError> {
    let mut body = Body(body);
    let portal = body
        .cstr()
        .ok_or(RequestError("portal name is not ended by NUL"))?;
    let rows = body.i32().ok_or(RequestError("row limit is missing"))?;
    body.end()?;
    Ok((portal, rows))
}

/// Appends a frame whose body `fill` writes. Bodies here are made of a client's own message and
/// short names, so their length fits.
fn put_frame(out: &mut BytesMut, tag: u8, fill: impl FnOnce(&mut BytesMut)) {
    out.put_u8(tag);
    let start = out.len();
    out.put_i32(0);
    fill(out);
    let length = (out.len() - start) as i32;
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

fn put_cstr(out: &mut BytesMut, text: &[u8]) {
    out.put_slice(text);
    out.put_u8(0);
}

pub fn put_query(out: &mut BytesMut, text: &str) {
    put_frame(out, b'Q', |out| put_cstr(out, text.as_bytes()));
}

pub fn put_parse(out: &mut BytesMut, name: &[u8], text: &[u8], types: &[u32]) {
    put_frame(out, b'P', |out| {
        put_cstr(out, name);
        put_cstr(out, text);
        out.put_u16(types.len() as u16);
        types.iter().for_each(|oid| out.put_u32(*oid));
    });
}

/// Header and names of a Bind whose remaining `rest_len` bytes the caller sends after it.
pub fn put_bind_head(out: &mut BytesMut, portal: &[u8], statement: &[u8], rest_len: usize) {
    out.put_u8(b'B');
    out.put_u32((4 + portal.len() + 1 + statement.len() + 1 + rest_len) as u32);
    put_cstr(out, portal);
    put_cstr(out, statement);
}

/// Describe of a statement has tag `D`, Close `C`: the same form.
pub fn put_close(out: &mut BytesMut, tag: u8, target: Described<'_>) {
    put_frame(out, tag, |out| {
        let (kind, name) = match target {
            Described::Statement(name) => (b'S', name),
            Described::Portal(name) => (b'P', name),
        };
        out.put_u8(kind);
        put_cstr(out, name);
    });
}

pub fn put_execute(out: &mut BytesMut, portal: &[u8], rows: i32) {
    put_frame(out, b'E', |out| {
        put_cstr(out, portal);
        out.put_i32(rows);
    });
}

pub fn put_sync(out: &mut BytesMut) {
    out.put_slice(b"S\0\0\0\x04");
}

pub fn put_flush(out: &mut BytesMut) {
    out.put_slice(b"H\0\0\0\x04");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bind_body(formats: &[i16], values: &[Option<&[u8]>]) -> Vec<u8> {
        let mut body = b"portal\0stmt\0".to_vec();
        body.extend((formats.len() as u16).to_be_bytes());
        formats.iter().for_each(|f| body.extend(f.to_be_bytes()));
        body.extend((values.len() as u16).to_be_bytes());
        for value in values {
            match value {
                None => body.extend((-1i32).to_be_bytes()),
                Some(bytes) => {
                    body.extend((bytes.len() as i32).to_be_bytes());
                    body.extend_from_slice(bytes);
                }
            }
        }
        body.extend(0u16.to_be_bytes());
        body
    }

    #[test]
    fn bind_finds_its_parameters() {
        let body = bind_body(&[1, 0], &[Some(b"ab"), None]);
        let bind = bind(&body, true).expect("well formed").expect("complete");
        assert_eq!(
            (bind.portal, bind.statement),
            (&b"portal"[..], &b"stmt"[..])
        );
        assert_eq!(bind.param(0), Some((1, Some(&b"ab"[..]))));
        assert_eq!(bind.param(1), Some((0, None)));
        assert_eq!(bind.param(2), None);
        let one = bind_body(&[1], &[Some(b"a"), Some(b"b")]);
        let one = super::bind(&one, true)
            .expect("well formed")
            .expect("complete");
        assert_eq!(
            one.param(1),
            Some((1, Some(&b"b"[..]))),
            "one code serves all parameters"
        );
    }

    #[test]
    fn every_cut_of_a_bind_is_an_error_and_none_panics() {
        let body = bind_body(&[1, 0], &[Some(b"abcdef"), Some(b"x")]);
        for end in 0..body.len() {
            assert!(bind(&body[..end], true).is_err(), "cut at {end}");
            if let Ok(Some(partial)) = bind(&body[..end], false) {
                let _ = (partial.param(0), partial.param(1));
            }
        }
        let mut longer = body;
        longer.push(0);
        assert!(bind(&longer, true).is_err());
    }

    #[test]
    fn a_parameter_length_cannot_leave_the_message() {
        let mut body = b"\0\0\0\0\0\x01".to_vec();
        body.extend(i32::MAX.to_be_bytes());
        body.extend(0u16.to_be_bytes());
        assert!(bind(&body, true).is_err());
        let mut body = b"\0\0\0\0\0\x01".to_vec();
        body.extend((-2i32).to_be_bytes());
        body.extend(0u16.to_be_bytes());
        assert!(bind(&body, true).is_err());
    }

    #[test]
    fn parse_checks_counts_and_ends() {
        assert_eq!(
            parse(b"s\0select 1\0\0\x01\0\0\0\x17"),
            Ok((&b"s"[..], &b"select 1"[..], vec![23]))
        );
        for body in [
            &b""[..],
            b"s",
            b"s\0q",
            b"s\0q\0",
            b"s\0q\0\0\x01",
            b"s\0q\0\0\0\0",
            b"s\0q\0\xff\xff\0\0\0\0",
        ] {
            assert!(parse(body).is_err(), "{body:?}");
        }
    }

    #[test]
    fn short_messages_are_checked() {
        assert!(query(b"select 1").is_err());
        assert!(query(b"a\0b\0").is_err());
        assert_eq!(query(b"a\0"), Ok(&b"a"[..]));
        assert_eq!(describe(b"Sx\0"), Ok(Described::Statement(b"x")));
        assert_eq!(describe(b"P\0"), Ok(Described::Portal(b"")));
        assert!(describe(b"Xx\0").is_err());
        assert!(describe(b"").is_err());
        assert_eq!(execute(b"\0\0\0\0\x05"), Ok((&b""[..], 5)));
        assert!(execute(b"\0\0\0\0").is_err());
    }

    #[test]
    fn what_is_put_can_be_read() {
        let mut out = BytesMut::new();
        put_bind_head(&mut out, b"p", b"t1", 6);
        out.put_slice(&[0, 0, 0, 0, 0, 0]);
        let header = crate::wire::header(&out).expect("valid").expect("complete");
        assert_eq!(header.len, out.len());
        let read = bind(&out[5..], true).expect("valid").expect("complete");
        assert_eq!((read.portal, read.statement), (&b"p"[..], &b"t1"[..]));
    }
}
