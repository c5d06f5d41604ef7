//! A client that shows the protocol as it is: scripts of messages go in, the answer's messages come
//! out, to be compared between the proxy and the oracle.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use postgres_protocol::IsNull;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};
use postgres_protocol::message::backend::Message;
use postgres_protocol::message::frontend;

use crate::cluster::APP;

/// No answer takes longer than this.
const PATIENCE: Duration = Duration::from_secs(30);

/// One message of a server: its type and body, fields that differ between servers left out.
#[derive(Clone, PartialEq, Eq)]
pub struct Reply {
    pub tag: u8,
    pub body: Vec<u8>,
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}({})", char::from(self.tag), self.body.escape_ascii())
    }
}

impl Reply {
    /// A field of an ErrorResponse or NoticeResponse: `C` the SQLSTATE, `M` the message, `P` the
    /// position.
    pub fn field(&self, name: u8) -> Option<String> {
        let mut fields = self.body.split(|byte| *byte == 0);
        fields.find_map(|field| match field.split_first() {
            Some((first, value)) if *first == name => {
                Some(String::from_utf8_lossy(value).into_owned())
            }
            _ => None,
        })
    }
}

/// A connection without any comfort.
#[derive(Debug)]
pub struct Wire {
    pub stream: TcpStream,
    received: BytesMut,
    pub parameters: Vec<(String, String)>,
    pub key: (i32, i32),
}

/// How a value is given and asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Text,
    Binary,
}

impl Wire {
    pub fn connect(port: u16) -> io::Result<Self> {
        Self::connect_as(port, APP, APP, &[("database", APP)])
    }

    pub fn connect_as(
        port: u16,
        user: &str,
        password: &str,
        parameters: &[(&str, &str)],
    ) -> io::Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        let mut wire = Self {
            stream,
            received: BytesMut::new(),
            parameters: Vec::new(),
            key: (0, 0),
        };
        let mut out = BytesMut::new();
        let all = [("user", user)]
            .into_iter()
            .chain(parameters.iter().copied());
        frontend::startup_message(all, &mut out)?;
        wire.send(&out)?;
        wire.log_in(password)?;
        Ok(wire)
    }

    fn log_in(&mut self, password: &str) -> io::Result<()> {
        let mut scram = ScramSha256::new(password.as_bytes(), ChannelBinding::unsupported());
        loop {
            while self.received.is_empty() {
                self.receive()?;
            }
            if self.received[0] == b'E' {
                let error = self.reply()?;
                let [code, message] =
                    [b'C', b'M'].map(|name| error.field(name).unwrap_or_default());
                return Err(io::Error::other(format!(
                    "the login was refused: {code}: {message}"
                )));
            }
            let mut out = BytesMut::new();
            match self.parsed()? {
                Message::AuthenticationSasl(_) => {
                    frontend::sasl_initial_response(SCRAM_SHA_256, scram.message(), &mut out)?;
                }
                Message::AuthenticationSaslContinue(body) => {
                    scram.update(body.data())?;
                    frontend::sasl_response(scram.message(), &mut out)?;
                }
                Message::AuthenticationSaslFinal(body) => scram.finish(body.data())?,
                Message::AuthenticationOk | Message::NoticeResponse(_) => {}
                Message::ParameterStatus(body) => {
                    self.parameters
                        .push((body.name()?.to_owned(), body.value()?.to_owned()));
                }
                Message::BackendKeyData(body) => self.key = (body.process_id(), body.secret_key()),
                Message::ReadyForQuery(_) => return Ok(()),
                _ => return Err(io::Error::other("unexpected message during the login")),
            }
            self.send(&out)?;
        }
    }

    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    fn parsed(&mut self) -> io::Result<Message> {
        loop {
            if let Some(message) = Message::parse(&mut self.received)? {
                return Ok(message);
            }
            self.receive()?;
        }
    }

    fn receive(&mut self) -> io::Result<()> {
        let mut buffer = [0; 16 * 1024];
        let read = loop {
            match self.stream.read(&mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.received.extend_from_slice(&buffer[..read]);
        Ok(())
    }

    /// The next message, comparable between servers.
    pub fn reply(&mut self) -> io::Result<Reply> {
        loop {
            if let Some(length) = self.received.get(1..5) {
                let length = u32::from_be_bytes(length.try_into().unwrap_or_default()) as usize;
                if self.received.len() > length {
                    let mut message = self.received.split_to(1 + length);
                    let tag = message.get_u8();
                    message.advance(4);
                    return Ok(Reply {
                        tag,
                        body: comparable(tag, &message),
                    });
                }
            }
            self.receive()?;
        }
    }

    /// All messages up to ReadyForQuery, or up to a message the client has to answer (CopyIn).
    pub fn replies(&mut self) -> io::Result<Vec<Reply>> {
        let mut replies = Vec::new();
        loop {
            let reply = self.reply()?;
            let last = matches!(reply.tag, b'Z' | b'G');
            // When settings are reported is up to the server; what they are is checked elsewhere.
            if reply.tag != b'S' {
                replies.push(reply);
            }
            if last {
                return Ok(replies);
            }
        }
    }

    pub fn simple(&mut self, sql: &str) -> io::Result<Vec<Reply>> {
        let mut out = BytesMut::new();
        frontend::query(sql, &mut out)?;
        self.send(&out)?;
        self.replies()
    }

    /// Parse, Describe, Bind, Describe, Execute, Sync in one write.
    pub fn extended(&mut self, sql: &str, parameters: &Parameters<'_>) -> io::Result<Vec<Reply>> {
        let mut script = Script::new();
        script
            .parse("", sql, parameters.types)
            .describe_statement("");
        script
            .bind("", "", parameters)
            .describe_portal("")
            .execute("", 0)
            .sync();
        self.run(&script)
    }

    /// As `simple`, but takes ParameterStatus messages into `parameters`.
    pub fn simple_noting(&mut self, sql: &str) -> io::Result<Vec<Reply>> {
        let mut out = BytesMut::new();
        frontend::query(sql, &mut out)?;
        self.send(&out)?;
        let mut replies = Vec::new();
        loop {
            let reply = self.reply()?;
            if reply.tag == b'S' {
                let mut fields = reply
                    .body
                    .split(|byte| *byte == 0)
                    .map(|field| String::from_utf8_lossy(field).into_owned());
                let (name, value) = (
                    fields.next().unwrap_or_default(),
                    fields.next().unwrap_or_default(),
                );
                self.parameters.retain(|(known, _)| *known != name);
                self.parameters.push((name, value));
                continue;
            }
            let last = reply.tag == b'Z';
            replies.push(reply);
            if last {
                return Ok(replies);
            }
        }
    }

    /// Sends messages without waiting for an answer.
    pub fn send_script(&mut self, script: &Script) -> io::Result<()> {
        self.send(&script.bytes)
    }

    /// The data of a COPY and its end, in one write.
    pub fn send_copy(&mut self, data: &[u8]) -> io::Result<()> {
        let mut out = BytesMut::new();
        frontend::CopyData::new(data)
            .map_err(io::Error::other)?
            .write(&mut out);
        frontend::copy_done(&mut out);
        self.send(&out)
    }

    pub fn run(&mut self, script: &Script) -> io::Result<Vec<Reply>> {
        self.send(&script.bytes)?;
        self.replies()
    }

    /// Sends the rows of a COPY and ends it.
    pub fn copy_in(&mut self, data: &[u8]) -> io::Result<Vec<Reply>> {
        self.send_copy(data)?;
        self.replies()
    }

    pub fn copy_fail(&mut self, reason: &str) -> io::Result<Vec<Reply>> {
        let mut out = BytesMut::new();
        frontend::copy_fail(reason, &mut out)?;
        self.send(&out)?;
        self.replies()
    }

    pub fn close(mut self) -> io::Result<()> {
        let mut out = BytesMut::new();
        frontend::terminate(&mut out);
        self.send(&out)
    }
}

/// Asks for a client's statement to be canceled; returns once the request has been dealt with.
pub fn cancel(port: u16, (process_id, secret): (i32, i32)) {
    let mut out = BytesMut::new();
    frontend::cancel_request(process_id, secret, &mut out);
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.write_all(&out).unwrap();
    // Closed then.
    let _ = stream.read(&mut [0]);
}

/// Values for `$1`, `$2`, …
#[derive(Clone, Copy, Debug)]
pub struct Parameters<'a> {
    pub types: &'a [u32],
    pub values: &'a [Option<&'a [u8]>],
    pub given: Format,
    pub wanted: Format,
}

impl Parameters<'_> {
    pub const NONE: Parameters<'static> = Parameters {
        types: &[],
        values: &[],
        given: Format::Text,
        wanted: Format::Text,
    };
}

/// Messages of a client, to be sent in one write.
#[derive(Debug, Default)]
pub struct Script {
    bytes: BytesMut,
}

impl Script {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn parse(&mut self, name: &str, sql: &str, types: &[u32]) -> &mut Self {
        frontend::parse(name, sql, types.iter().copied(), &mut self.bytes).unwrap();
        self
    }

    pub fn bind(
        &mut self,
        portal: &str,
        statement: &str,
        parameters: &Parameters<'_>,
    ) -> &mut Self {
        let given = (!parameters.values.is_empty()).then_some(parameters.given as i16);
        let value = |value: &Option<&[u8]>, to: &mut BytesMut| match value {
            Some(bytes) => {
                to.extend_from_slice(bytes);
                Ok(IsNull::No)
            }
            None => Ok(IsNull::Yes),
        };
        let wanted = [parameters.wanted as i16];
        let bound = frontend::bind(
            portal,
            statement,
            given,
            parameters.values,
            value,
            wanted,
            &mut self.bytes,
        );
        assert!(bound.is_ok(), "the values fit into a message");
        self
    }

    pub fn describe_statement(&mut self, name: &str) -> &mut Self {
        frontend::describe(b'S', name, &mut self.bytes).unwrap();
        self
    }

    pub fn describe_portal(&mut self, name: &str) -> &mut Self {
        frontend::describe(b'P', name, &mut self.bytes).unwrap();
        self
    }

    pub fn execute(&mut self, portal: &str, rows_max: i32) -> &mut Self {
        frontend::execute(portal, rows_max, &mut self.bytes).unwrap();
        self
    }

    pub fn close_statement(&mut self, name: &str) -> &mut Self {
        frontend::close(b'S', name, &mut self.bytes).unwrap();
        self
    }

    pub fn close_portal(&mut self, name: &str) -> &mut Self {
        frontend::close(b'P', name, &mut self.bytes).unwrap();
        self
    }

    pub fn query(&mut self, sql: &str) -> &mut Self {
        frontend::query(sql, &mut self.bytes).unwrap();
        self
    }

    pub fn flush(&mut self) -> &mut Self {
        frontend::flush(&mut self.bytes);
        self
    }

    pub fn sync(&mut self) -> &mut Self {
        frontend::sync(&mut self.bytes);
        self
    }
}

/// Leaves out what two servers with the same rows do not agree on: OIDs of tables in a
/// RowDescription, and the source line (`F`, `L`, `R`) of an error.
fn comparable(tag: u8, body: &[u8]) -> Vec<u8> {
    match tag {
        b'T' => without_table_oids(body).unwrap_or_else(|| body.to_vec()),
        b'E' | b'N' => {
            let fields = body
                .split(|byte| *byte == 0)
                .filter(|field| !field.is_empty());
            let kept = fields.filter(|field| !matches!(field[0], b'F' | b'L' | b'R'));
            kept.flat_map(|field| field.iter().copied().chain([0]))
                .collect()
        }
        _ => body.to_vec(),
    }
}

/// Source: <https://www.postgresql.org/docs/current/protocol-message-formats.html>
fn without_table_oids(body: &[u8]) -> Option<Vec<u8>> {
    let (count, mut rest) = body.split_at_checked(2)?;
    let mut kept = count.to_vec();
    while !rest.is_empty() {
        let name = rest.iter().position(|byte| *byte == 0)? + 1;
        let (field, after) = rest.split_at_checked(name + 18)?;
        kept.extend_from_slice(&field[..name]);
        // After the table's OID: column number, type, its size and modifier, format.
        kept.extend_from_slice(&field[name + 4..]);
        rest = after;
    }
    Some(kept)
}

/// The values of all rows, as texts.
pub fn values(replies: &[Reply]) -> Vec<String> {
    let mut values = Vec::new();
    for row in replies.iter().filter(|reply| reply.tag == b'D') {
        let mut rest = &row.body[2..];
        while let Some((length, more)) = rest.split_first_chunk::<4>() {
            let length = i32::from_be_bytes(*length).max(0) as usize;
            values.push(String::from_utf8_lossy(&more[..length]).into_owned());
            rest = &more[length..];
        }
    }
    values
}

/// Nothing has failed.
pub fn done(replies: &[Reply]) {
    assert!(replies.iter().all(|reply| reply.tag != b'E'), "{replies:?}");
}
