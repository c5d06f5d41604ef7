//! What a lane is sent: Parse, Bind, Describe, Execute and Sync. Where the statement has a name, a connection that has it is
//! not sent the Parse.

use bytes::{BufMut, Bytes, BytesMut};

use crate::backend::{Connection, StatementId};
use crate::wire::{self, Described, HEADER_BYTES, frontend, header};

/// In both forms.
pub(super) struct Request {
    /// Without a name.
    whole: Bytes,
    named: Option<Named>,
}

struct Named {
    id: StatementId,
    parse: Bytes,
    /// From Bind on.
    rest: Bytes,
}

impl Named {
    /// `None` where it would be too long with its name.
    fn of(whole: &Bytes, id: StatementId) -> Option<Self> {
        let name = id.name();
        let parse = whole.slice(..header(whole).ok()??.len);
        let bind = whole.slice(parse.len()..);
        let bind = bind.slice(..header(&bind).ok()??.len);
        // Behind the portal's name, which is empty.
        let mut rest = BytesMut::from(&*named(&bind, HEADER_BYTES + 1, &name)?);
        rest.extend_from_slice(&whole[parse.len() + bind.len()..]);
        Some(Self {
            id,
            parse: named(&parse, HEADER_BYTES, &name)?,
            rest: rest.freeze(),
        })
    }
}

/// What a connection knows of the statement.
#[derive(Debug)]
pub(super) enum Statement {
    Unnamed,
    /// Its Parse is on its way, and perhaps the Close of another that has made room.
    Parsed(StatementId, Option<StatementId>),
    /// It was parsed before. With what is asked where that turns out to be of no use any more.
    Reused(StatementId, Bytes),
}

impl From<Bytes> for Request {
    /// `whole`: from Parse to Sync, of an unnamed statement and portal.
    fn from(whole: Bytes) -> Self {
        Self { whole, named: None }
    }
}

impl Request {
    /// From now on it is a statement that connections know by its number.
    pub(super) fn name(&mut self, id: StatementId) {
        self.named = Named::of(&self.whole, id);
    }

    /// Queues it for a connection.
    pub(super) fn put(&self, connection: &mut Connection) -> Statement {
        let Some(named) = &self.named else {
            connection.prepared.unnamed = None;
            connection.output.extend_from_slice(&self.whole);
            return Statement::Unnamed;
        };
        if connection.prepared.contains_and_touch(named.id) {
            connection.output.extend_from_slice(&named.rest);
            return Statement::Reused(named.id, self.whole.clone());
        }
        let evicted = connection.prepared.insert(named.id);
        if let Some(evicted) = evicted {
            put_close(&mut connection.output, evicted);
        }
        connection.output.extend_from_slice(&named.parse);
        connection.output.extend_from_slice(&named.rest);
        Statement::Parsed(named.id, evicted)
    }
}

impl Statement {
    /// Asks once more, without a name: what the connection had by this one is no more. The answer begins with that to a
    /// Close. False where it had none.
    pub(super) fn put_again(&mut self, connection: &mut Connection) -> bool {
        let Self::Reused(id, whole) = self else {
            return false;
        };
        // A server that does not know it does not mind.
        put_close(&mut connection.output, *id);
        connection.output.extend_from_slice(whole);
        connection.prepared.remove(*id);
        connection.prepared.unnamed = None;
        *self = Self::Unnamed;
        true
    }

    /// Its Parse has failed.
    pub(super) fn failed(&self, connection: &mut Connection) {
        if let Self::Parsed(id, _) = self {
            connection.prepared.remove(*id);
        }
    }

    /// Nothing of it was sent.
    pub(super) fn unsent(&self, connection: &mut Connection) {
        self.failed(connection);
        if let Self::Parsed(_, Some(evicted)) = self {
            connection.prepared.insert(*evicted);
        }
    }
}

fn put_close(out: &mut BytesMut, id: StatementId) {
    let put = wire::put_close(out, frontend::CLOSE, Described::Statement(&id.name()));
    debug_assert!(put.is_ok(), "the name is short");
}

/// The message with a name at this place, where it has an empty one; `None` where it would be too long.
fn named(message: &[u8], at: usize, name: &[u8]) -> Option<Bytes> {
    let length = i32::try_from(message.len() - 1 + name.len()).ok()?;
    let mut out = BytesMut::with_capacity(message.len() + name.len());
    out.put_u8(message[0]);
    out.put_i32(length);
    out.put_slice(&message[HEADER_BYTES..at]);
    out.put_slice(name);
    out.put_slice(&message[at..]);
    Some(out.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executor::scatter::question::{Parameters, request};
    use crate::types::{Format, Oid};

    #[test]
    fn a_name_is_put_where_it_belongs() {
        let parameters = Parameters {
            types: &[Oid::INT4],
            values: &[0, 0, 0, 1, 0, 0, 0, 1, b'7'],
        };
        let whole = request("select $1", parameters, &[Format::Binary]).expect("it is short");
        let mut request = Request::from(whole.clone());
        request.name(StatementId(12));
        let named = request.named.expect("it is short");
        let mut expected = BytesMut::new();
        wire::put_parse(
            &mut expected,
            b"trunkline_12",
            b"select $1",
            [23].into_iter(),
        )
        .expect("it is short");
        assert_eq!(named.parse, expected);
        expected.clear();
        let rest = parameters.values.len() + 4;
        wire::put_bind_head(&mut expected, b"", b"trunkline_12", rest).expect("it is short");
        expected.put_slice(parameters.values);
        expected.put_slice(&[0, 1, 0, 1]);
        assert!(named.rest.starts_with(&expected));
        assert!(whole.ends_with(&named.rest[expected.len()..]));
        assert_eq!(named.rest.len() - expected.len(), 7 + 10 + 5);
    }

    #[tokio::test]
    async fn connections_keep_what_they_have() {
        let (near, _far) = tokio::net::UnixStream::pair().expect("a pair of sockets");
        let mut connection = Connection::detached(crate::net::Stream::Unix(near));
        let request = |id| {
            let whole = request("select 1", Parameters::NONE, &[]).expect("it is short");
            let mut request = Request::from(whole);
            request.name(StatementId(id));
            request
        };
        let mut put = |id| {
            connection.output.clear();
            let statement = request(id).put(&mut connection);
            (statement, connection.output.first().copied())
        };
        // There is room for ten.
        for id in 0..10 {
            let (statement, first) = put(id);
            assert!(matches!(statement, Statement::Parsed(_, None)) && first == Some(b'P'));
        }
        let (statement, first) = put(0);
        assert!(matches!(statement, Statement::Reused(..)) && first == Some(b'B'));
        let (statement, first) = put(10);
        let evicted = matches!(statement, Statement::Parsed(_, Some(StatementId(1))));
        assert!(evicted && first == Some(b'C'), "{statement:?}");
        statement.unsent(&mut connection);
        assert!(!connection.prepared.contains_and_touch(StatementId(10)));
        assert!(connection.prepared.contains_and_touch(StatementId(1)));
        let mut reused = request(2).put(&mut connection);
        connection.output.clear();
        assert!(reused.put_again(&mut connection) && !reused.put_again(&mut connection));
        assert_eq!(connection.output[0], b'C');
        assert!(!connection.prepared.contains_and_touch(StatementId(2)));
        let failed = request(3).put(&mut connection);
        failed.failed(&mut connection);
        assert!(
            connection.prepared.contains_and_touch(StatementId(3)),
            "it is not parsed"
        );
    }
}
