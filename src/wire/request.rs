//! What clients send after startup. Every length, count and string is checked inside the message's
//! own bounds; nothing is copied.

use std::cell::{Cell, OnceCell};
use std::ffi::CStr;

use bytes::{BufMut, BytesMut};

use super::frame::HEADER_BYTES;
use crate::error::{PgError, SqlState};

/// A message's body is not what its type promises. In PostgreSQL's words.
/// Source: `src/backend/libpq/pqformat.c`
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    #[error("insufficient data left in message")]
    CutShort,
    #[error("invalid string in message")]
    Unended,
    #[error("invalid message format")]
    BytesLeft,
    #[error("bind message has {formats} parameter formats but {parameters} parameters")]
    Formats { formats: usize, parameters: u16 },
    #[error("function call message contains {formats} argument formats but {arguments} arguments")]
    CallFormats { formats: u16, arguments: u16 },
    /// Describe or Close of neither a statement nor a portal.
    #[error("invalid message subtype {0}")]
    Subtype(u8),
}

/// Longer than PostgreSQL takes any message to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a message of {0} bytes is longer than PostgreSQL takes")]
pub struct Oversized(pub usize);

impl From<Oversized> for PgError {
    fn from(error: Oversized) -> Self {
        Self::client(SqlState::PROGRAM_LIMIT_EXCEEDED, error.to_string())
    }
}

/// What a message's length field may say.
/// Source: `PQ_LARGE_MESSAGE_LIMIT` in `src/include/libpq/libpq.h`, `MaxAllocSize` less one.
pub const LARGE_LENGTH_MAX: usize = 0x3fff_ffff - 1;

/// The same for messages that carry a name or nothing: Close, Describe, Execute, Flush, Sync,
/// Terminate, CopyDone, CopyFail.
/// Source: `PQ_SMALL_MESSAGE_LIMIT` in `src/include/libpq/libpq.h`
pub const SMALL_LENGTH_MAX: usize = 10_000;

/// A cursor that never leaves the body.
struct Body<'a>(&'a [u8]);

impl<'a> Body<'a> {
    fn bytes(&mut self, count: usize) -> Result<&'a [u8], RequestError> {
        let (head, tail) = self
            .0
            .split_at_checked(count)
            .ok_or(RequestError::CutShort)?;
        self.0 = tail;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], RequestError> {
        let (head, tail) = self
            .0
            .split_first_chunk::<N>()
            .ok_or(RequestError::CutShort)?;
        self.0 = tail;
        Ok(*head)
    }

    /// Counts are unsigned, as PostgreSQL reads them.
    fn u16(&mut self) -> Result<u16, RequestError> {
        self.array().map(u16::from_be_bytes)
    }

    fn i32(&mut self) -> Result<i32, RequestError> {
        self.array().map(i32::from_be_bytes)
    }

    /// A string ended by NUL, the NUL left out.
    fn cstr(&mut self) -> Result<&'a [u8], RequestError> {
        let text = CStr::from_bytes_until_nul(self.0).map_err(|_| RequestError::Unended)?;
        self.0 = &self.0[text.count_bytes() + 1..];
        Ok(text.to_bytes())
    }

    /// A length and as many bytes; `None` for NULL (length -1).
    fn value(&mut self) -> Result<Option<&'a [u8]>, RequestError> {
        match self.i32()? {
            -1 => Ok(None),
            length => {
                let length = usize::try_from(length).map_err(|_| RequestError::CutShort)?;
                self.bytes(length).map(Some)
            }
        }
    }

    fn end(&self) -> Result<(), RequestError> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(RequestError::BytesLeft)
        }
    }
}

/// Query: the text without its NUL.
pub fn query(body: &[u8]) -> Result<&[u8], RequestError> {
    let mut body = Body(body);
    let text = body.cstr()?;
    body.end()?;
    Ok(text)
}

/// Statement name, text, declared parameter types.
pub type Parse<'a> = (&'a [u8], &'a [u8], Vec<u32>);

/// Parse.
pub fn parse(body: &[u8]) -> Result<Parse<'_>, RequestError> {
    let mut body = Body(body);
    let name = body.cstr()?;
    let text = body.cstr()?;
    let count = usize::from(body.u16()?);
    // All of them are there before room for them is made.
    let types = body.bytes(count * 4)?;
    body.end()?;
    let (types, _) = types.as_chunks::<4>();
    let types = types.iter().map(|oid| u32::from_be_bytes(*oid)).collect();
    Ok((name, text, types))
}

/// The part of a Bind message the proxy looks into. Values stay where they are.
#[derive(Clone, Debug)]
pub struct Bind<'a> {
    pub portal: &'a [u8],
    pub statement: &'a [u8],
    formats: &'a [u8],
    values: &'a [u8],
    count: u16,
    walk: Cell<Walk>,
    /// Where each value begins that has arrived: made for who asks for many in a wild order.
    starts: OnceCell<Vec<u32>>,
}

/// How far the values of a Bind have been walked: who asks for one after the other walks once.
#[derive(Clone, Copy, Debug, Default)]
struct Walk {
    /// The parameter that begins `at` bytes into the values.
    index: u16,
    at: usize,
    /// Values passed in all.
    steps: usize,
}

/// A Bind's values are walked so often before it is written down where they begin.
const WALKS_MAX: usize = 4;

/// Bind. `None` where `body` is only the first part of a larger message (`complete` false) and its
/// names or format codes have not all arrived.
///
/// Of a complete message every length is checked; of an incomplete one only what has arrived.
pub fn bind(body: &[u8], complete: bool) -> Result<Option<Bind<'_>>, RequestError> {
    match bind_head(body) {
        Ok(bind) if complete => bind.check().map(|()| Some(bind)),
        Ok(bind) => Ok(Some(bind)),
        Err(error) if complete => Err(error),
        Err(_) => Ok(None),
    }
}

fn bind_head(body: &[u8]) -> Result<Bind<'_>, RequestError> {
    let mut body = Body(body);
    let portal = body.cstr()?;
    let statement = body.cstr()?;
    let format_count = body.u16()?;
    let formats = body.bytes(usize::from(format_count) * 2)?;
    let count = body.u16()?;
    Ok(Bind {
        portal,
        statement,
        formats,
        values: body.0,
        count,
        walk: Cell::default(),
        starts: OnceCell::new(),
    })
}

impl<'a> Bind<'a> {
    fn check(&self) -> Result<(), RequestError> {
        let formats = self.formats.len() / 2;
        if formats > 1 && formats != usize::from(self.count) {
            return Err(RequestError::Formats {
                formats,
                parameters: self.count,
            });
        }
        let mut body = Body(self.values);
        for _ in 0..self.count {
            body.value()?;
        }
        let results = body.u16()?;
        body.bytes(usize::from(results) * 2)?;
        body.end()
    }

    /// Format code and bytes of parameter `index`; the bytes are `None` for NULL. The outer `None` where
    /// the message has no such parameter, or has not brought it yet.
    ///
    /// Cheap for indices that ascend; in any order all parameters together take time in proportion to their
    /// number.
    pub fn param(&self, index: u16) -> Option<(i16, Option<&'a [u8]>)> {
        if index >= self.count {
            return None;
        }
        let start = self.start(index)?;
        let value = Body(self.values.get(start..)?).value().ok()?;
        Some((self.format(index), value))
    }

    /// Where the value of a parameter begins, if those before it are there.
    fn start(&self, index: u16) -> Option<usize> {
        let mut walk = self.walk.get();
        if walk.steps > WALKS_MAX * usize::from(self.count) {
            let starts = self.starts.get_or_init(|| self.all_starts());
            return starts.get(usize::from(index)).map(|start| *start as usize);
        }
        if index < walk.index {
            (walk.index, walk.at) = (0, 0);
        }
        let mut body = Body(&self.values[walk.at..]);
        while walk.index < index && body.value().is_ok() {
            walk.index += 1;
            walk.at = self.values.len() - body.0.len();
            walk.steps += 1;
        }
        self.walk.set(walk);
        (walk.index == index).then_some(walk.at)
    }

    /// A message is far shorter than 4 GiB.
    fn all_starts(&self) -> Vec<u32> {
        let mut body = Body(self.values);
        let mut starts = Vec::with_capacity(usize::from(self.count));
        for _ in 0..self.count {
            starts.push((self.values.len() - body.0.len()) as u32);
            if body.value().is_err() {
                break;
            }
        }
        starts
    }

    /// Some parameter may have another format than text.
    pub fn has_binary(&self) -> bool {
        let (codes, _) = self.formats.as_chunks::<2>();
        codes.iter().any(|code| *code != [0, 0])
    }

    /// Format code of a parameter that the message has.
    pub fn format(&self, index: u16) -> i16 {
        match self.formats.len() / 2 {
            0 => 0,
            1 => code(self.formats, 0),
            _ => code(self.formats, usize::from(index)),
        }
    }

    /// How many bytes behind the names are of parameters, and the format codes of result columns behind those; of a
    /// complete message.
    pub fn results(&self) -> Option<(usize, Vec<i16>)> {
        let mut body = Body(self.values);
        for _ in 0..self.count {
            body.value().ok()?;
        }
        let parameters = 2 + self.formats.len() + 2 + (self.values.len() - body.0.len());
        let count = body.u16().ok()?;
        let codes = body.bytes(usize::from(count) * 2).ok()?;
        Some((
            parameters,
            (0..usize::from(count)).map(|at| code(codes, at)).collect(),
        ))
    }

    pub fn params(&self) -> u16 {
        self.count
    }

    /// True where all format codes are of formats there are.
    pub fn has_known_formats(&self) -> bool {
        let (codes, _) = self.formats.as_chunks::<2>();
        codes.iter().all(|code| matches!(code, [0, 0 | 1]))
    }
}

fn code(formats: &[u8], index: usize) -> i16 {
    formats
        .get(index * 2..index * 2 + 2)
        .map_or(0, |b| i16::from_be_bytes([b[0], b[1]]))
}

/// What Describe and Close name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Described<'a> {
    Statement(&'a [u8]),
    Portal(&'a [u8]),
}

pub fn describe(body: &[u8]) -> Result<Described<'_>, RequestError> {
    let mut body = Body(body);
    let [kind] = body.array()?;
    let name = body.cstr()?;
    body.end()?;
    match kind {
        b'S' => Ok(Described::Statement(name)),
        b'P' => Ok(Described::Portal(name)),
        _ => Err(RequestError::Subtype(kind)),
    }
}

/// Close has Describe's form.
pub fn close(body: &[u8]) -> Result<Described<'_>, RequestError> {
    describe(body)
}

/// Execute: portal name and row limit (zero for none).
pub fn execute(body: &[u8]) -> Result<(&[u8], i32), RequestError> {
    let mut body = Body(body);
    let portal = body.cstr()?;
    let rows = body.i32()?;
    body.end()?;
    Ok((portal, rows))
}

/// FunctionCall: the OID of the function. Its arguments and format codes are checked to be there.
pub fn function_call(body: &[u8]) -> Result<u32, RequestError> {
    let mut body = Body(body);
    let function = body.array().map(u32::from_be_bytes)?;
    let formats = body.u16()?;
    body.bytes(usize::from(formats) * 2)?;
    let arguments = body.u16()?;
    if formats > 1 && formats != arguments {
        return Err(RequestError::CallFormats { formats, arguments });
    }
    for _ in 0..arguments {
        body.value()?;
    }
    body.u16()?;
    body.end()?;
    Ok(function)
}

/// What the length field of a message says: itself and the body.
///
/// Errors: more than PostgreSQL takes, long before the field would wrap around.
fn length_field(body: usize) -> Result<u32, Oversized> {
    match body.checked_add(4) {
        Some(length) if length <= LARGE_LENGTH_MAX => Ok(length as u32),
        _ => Err(Oversized(body)),
    }
}

/// Appends the header of a frame whose body has so many bytes, and makes room for that.
fn put_header(out: &mut BytesMut, tag: u8, body: usize) -> Result<(), Oversized> {
    let [a, b, c, d] = length_field(body)?.to_be_bytes();
    out.reserve(HEADER_BYTES + body);
    out.put_slice(&[tag, a, b, c, d]);
    Ok(())
}

fn put_cstr(out: &mut BytesMut, text: &[u8]) {
    out.put_slice(text);
    out.put_u8(0);
}

pub fn put_query(out: &mut BytesMut, text: &str) -> Result<(), Oversized> {
    put_header(out, b'Q', text.len() + 1)?;
    put_cstr(out, text.as_bytes());
    Ok(())
}

/// Errors: more parameter types than their count can say, too.
pub fn put_parse(
    out: &mut BytesMut,
    name: &[u8],
    text: &[u8],
    types: impl ExactSizeIterator<Item = u32>,
) -> Result<(), Oversized> {
    let count = u16::try_from(types.len()).map_err(|_| Oversized(types.len() * 4))?;
    let body = name.len() + 1 + text.len() + 1 + 2 + 4 * types.len();
    put_header(out, b'P', body)?;
    put_cstr(out, name);
    put_cstr(out, text);
    out.put_u16(count);
    types.for_each(|oid| out.put_u32(oid));
    Ok(())
}

/// Header and names of a Bind whose remaining `rest_len` bytes the caller sends after it.
pub fn put_bind_head(
    out: &mut BytesMut,
    portal: &[u8],
    statement: &[u8],
    rest_len: usize,
) -> Result<(), Oversized> {
    let names = portal.len() + 1 + statement.len() + 1;
    let [a, b, c, d] = length_field(names.saturating_add(rest_len))?.to_be_bytes();
    out.put_slice(&[b'B', a, b, c, d]);
    put_cstr(out, portal);
    put_cstr(out, statement);
    Ok(())
}

/// Describe of a statement has tag `D`, Close `C`: the same form.
pub fn put_close(out: &mut BytesMut, tag: u8, target: Described<'_>) -> Result<(), Oversized> {
    let (kind, name) = match target {
        Described::Statement(name) => (b'S', name),
        Described::Portal(name) => (b'P', name),
    };
    put_header(out, tag, 1 + name.len() + 1)?;
    out.put_u8(kind);
    put_cstr(out, name);
    Ok(())
}

pub fn put_execute(out: &mut BytesMut, portal: &[u8], rows: i32) -> Result<(), Oversized> {
    put_header(out, b'E', portal.len() + 1 + 4)?;
    let [a, b, c, d] = rows.to_be_bytes();
    out.put_slice(portal);
    out.put_slice(&[0, a, b, c, d]);
    Ok(())
}

/// A FunctionCall whose body is a client's own.
pub fn put_function_call(out: &mut BytesMut, body: &[u8]) -> Result<(), Oversized> {
    put_header(out, b'F', body.len())?;
    out.put_slice(body);
    Ok(())
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

    /// In whatever order: the same as a walk from the start for each, in far fewer steps.
    #[test]
    fn many_parameters_are_walked_a_few_times() {
        let count = u16::MAX;
        let texts: Vec<String> = (0..count).map(|number| number.to_string()).collect();
        let values: Vec<Option<&[u8]>> = texts.iter().map(|text| Some(text.as_bytes())).collect();
        let body = bind_body(&[], &values);
        let up = 0..count;
        let scattered = up.clone().map(|index| index.wrapping_mul(7919) % count);
        let orders: [Vec<u16>; 4] = [
            up.clone().collect(),
            up.clone().rev().collect(),
            up.flat_map(|index| [index, 0]).collect(),
            scattered.collect(),
        ];
        for cut in [body.len(), body.len() / 2] {
            for order in &orders {
                let bind = bind(&body[..cut], cut == body.len())
                    .expect("well formed")
                    .expect("its head is there");
                // Twice, as they are checked and then resolved.
                for index in order.iter().chain(order) {
                    let found = bind.param(*index);
                    if cut == body.len() {
                        assert_eq!(found, Some((0, values[usize::from(*index)])));
                    }
                }
                let steps = bind.walk.get().steps;
                assert!(steps <= (WALKS_MAX + 1) * usize::from(count), "{steps}");
            }
        }
    }

    #[test]
    fn one_key_takes_one_walk_and_no_list() {
        let values = [Some(&b"1"[..]); 8];
        let body = bind_body(&[], &values);
        for key in 0..8 {
            let bind = bind(&body, true).expect("well formed").expect("whole");
            for _ in 0..2 {
                assert!(bind.param(key).is_some());
            }
            assert_eq!(bind.walk.get().steps, usize::from(key));
            assert!(bind.starts.get().is_none());
        }
    }

    /// A partial message gives what has arrived, also after it was asked for what has not.
    #[test]
    fn a_partial_bind_gives_what_is_there() {
        let body = bind_body(&[], &[Some(b"ab"), None, Some(b"c")]);
        let last = body.len() - 3;
        let partial = bind(&body[..last], false).expect("fine").expect("a head");
        for _ in 0..20 {
            assert_eq!(partial.param(2), None);
            assert_eq!(partial.param(3), None);
            assert_eq!(partial.param(1), Some((0, None)));
            assert_eq!(partial.param(0), Some((0, Some(&b"ab"[..]))));
        }
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
        put_bind_head(&mut out, b"p", b"t1", 6).expect("short");
        out.put_slice(&[0, 0, 0, 0, 0, 0]);
        let header = crate::wire::header(&out).expect("valid").expect("complete");
        assert_eq!(header.len, out.len());
        let read = bind(&out[5..], true).expect("valid").expect("complete");
        assert_eq!((read.portal, read.statement), (&b"p"[..], &b"t1"[..]));
    }

    /// Lengths at the borders, without the bytes (CVE-2024-27304: a length that wraps makes the rest of
    /// a value into messages).
    #[test]
    fn no_length_wraps() {
        assert_eq!(length_field(0), Ok(4));
        assert_eq!(length_field(LARGE_LENGTH_MAX - 4), Ok(0x3fff_fffe));
        for body in [
            LARGE_LENGTH_MAX - 3,
            i32::MAX as usize - 4,
            u32::MAX as usize - 4,
            u32::MAX as usize,
            1 << 32,
            usize::MAX,
        ] {
            assert_eq!(length_field(body), Err(Oversized(body)));
        }
        let mut out = BytesMut::from(&b"kept"[..]);
        // A client's Bind as long as may be, whose statement's name becomes a longer one.
        let rest = LARGE_LENGTH_MAX - 4 - 3;
        assert!(put_bind_head(&mut out, b"", b"s", rest).is_ok());
        out.truncate(4);
        assert!(put_bind_head(&mut out, b"", b"trunkline_1", rest).is_err());
        assert!(put_bind_head(&mut out, b"", b"s", usize::MAX).is_err());
        assert!(put_parse(&mut out, b"", b"select 1", vec![0; 65_536].into_iter()).is_err());
        assert_eq!(&out[..], b"kept", "nothing of a refused message is left");
        assert!(put_parse(&mut out, b"", b"select 1", vec![0; 65_535].into_iter()).is_ok());
        assert_eq!(
            parse(&out[9..]).map(|(_, _, types)| types.len()),
            Ok(65_535)
        );
    }

    #[test]
    fn a_function_call_is_checked() {
        let call = |rest: &[u8]| function_call(&[&[0, 0, 3, 0xbd], rest].concat());
        assert_eq!(call(b"\0\0\0\0\0\0"), Ok(957));
        assert_eq!(
            call(b"\0\x01\0\x01\0\x02\0\0\0\x01a\xff\xff\xff\xff\0\x01"),
            Ok(957)
        );
        for rest in [
            &b""[..],
            b"\0",
            b"\0\x01",
            b"\0\0\0\0",
            b"\0\0\0\0\0",
            b"\0\0\0\0\0\0\0",
            b"\0\x02\0\x01\0\x01\0\x01\0\0\0\0\0\0",
            b"\0\0\xff\xff\0\0\0\0\0\0",
            b"\0\0\0\x01\x7f\xff\xff\xff\0\0",
            b"\0\0\0\x01\xff\xff\xff\xfe\0\0",
        ] {
            assert!(call(rest).is_err(), "{rest:?}");
        }
        assert!(function_call(b"\0\0\0").is_err());
    }
}
