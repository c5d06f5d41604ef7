//! The relay without sockets, for tests and fuzzing: bytes of a server in, bytes for a client out.

use bytes::Buf;
use tokio::net::UnixStream;
use tokio::runtime::Runtime;

use super::meaning::STATE_FRAME_BYTES_MAX;
use super::{Expect, Forward, Paused, Relay, RelayError, Then};
use crate::backend::{Connection, StatementId};
use crate::executor::Stage;
use crate::net::Stream;
use crate::wire::{Replies, header};

/// Where the relay stands after the bytes so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// More has to arrive.
    Wants,
    Done,
    CopyIn,
    /// The server is lost and the client can be told so.
    Failed(String),
    /// The same within a frame.
    Torn(String),
}

pub(super) struct Desk {
    pub(super) relay: Relay,
    pub(super) server: Connection,
    pub(super) output: Vec<u8>,
    pub(super) end: End,
    // A socket belongs to a runtime; nothing is ever read from this one.
    _far: UnixStream,
    _runtime: Runtime,
}

impl Desk {
    pub(super) fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .expect("a runtime without threads");
        let entered = runtime.enter();
        let (near, far) = UnixStream::pair().expect("two sockets");
        let server = Connection::detached(Stream::Unix(near));
        drop(entered);
        Self {
            relay: Relay::default(),
            server,
            output: Vec::new(),
            end: End::Wants,
            _far: far,
            _runtime: runtime,
        }
    }

    /// Begins again with other answers due.
    pub(super) fn begin(&mut self, expects: Vec<Expect>) {
        self.relay = Relay::default();
        expects.into_iter().for_each(|e| self.relay.push(e));
        self.server.input.clear();
        self.server.status = crate::wire::TransactionStatus::Idle;
        self.output.clear();
        self.end = End::Wants;
    }

    /// What `Relay::drain` does, into memory.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        if matches!(self.end, End::Failed(_) | End::Torn(_)) {
            return;
        }
        self.server.input.extend_from_slice(bytes);
        self.end = loop {
            let step = self.relay.step(&mut self.server);
            self.output
                .extend_from_slice(&self.server.input[..step.forward]);
            self.server.input.advance(step.forward + step.skip);
            match step.then {
                Then::Again => {}
                Then::Local(bytes) => self.output.extend_from_slice(&bytes),
                Then::Read => break End::Wants,
                Then::Paused(Paused::Done) => break End::Done,
                Then::Paused(Paused::CopyIn) => break End::CopyIn,
                Then::Failed(error) => {
                    break match self.relay.broken(error) {
                        RelayError::Torn(error) => End::Torn(error.message),
                        RelayError::Server(error) | RelayError::Misplaced(error) => {
                            End::Failed(error.message)
                        }
                        RelayError::Client(error) => End::Failed(error.to_string()),
                    };
                }
            }
        };
    }

    /// The types of the client's messages; `?` at the end where the last is not whole.
    pub(super) fn client_tags(&self) -> String {
        let mut tags = String::new();
        let mut rest = &self.output[..];
        while !rest.is_empty() {
            let head = header(rest).expect("a valid length");
            match head.and_then(|head| Some((head.tag, rest.get(head.len..)?))) {
                Some((tag, after)) => {
                    tags.push(char::from(tag));
                    rest = after;
                }
                None => {
                    tags.push('?');
                    break;
                }
            }
        }
        tags
    }

    /// What must be true whatever the server says.
    pub(super) fn check(&self, chunk_max: usize) {
        let whole = !self.client_tags().ends_with('?');
        let between = matches!(self.end, End::Done | End::CopyIn | End::Failed(_));
        assert!(
            whole || !between,
            "half a message is out, and the relay says {:?}",
            self.end
        );
        assert!(
            self.server.input.len() <= STATE_FRAME_BYTES_MAX + chunk_max,
            "{} bytes held",
            self.server.input.len()
        );
    }
}

/// Some answers that can be due.
pub(super) const SCRIPTS: usize = 10;

pub(super) fn script(number: usize) -> Vec<Expect> {
    let query = |forward| Expect::Query {
        forward,
        before: None,
        ends: false,
        stage: Stage::default(),
    };
    let execute = |limited, before| Expect::Execute {
        forward: Forward::ToClient,
        before,
        limited,
        stage: Stage::default(),
    };
    let parse = || Expect::Parse {
        forward: Forward::ToClient,
        id: StatementId(1),
        name: Some((*b"s").into()),
    };
    let bind = || Expect::Bind(Forward::ToClient);
    let row = || {
        let mut row = bytes::BytesMut::new();
        row.data_row(&[Some("Trunkline: shard s1".to_owned())]);
        Some(row.freeze())
    };
    match number % SCRIPTS {
        0 => vec![query(Forward::ToClient)],
        1 => vec![query(Forward::Swallow), query(Forward::ToClient)],
        2 => vec![
            parse(),
            bind(),
            Expect::DescribePortal,
            execute(false, None),
            Expect::Sync,
        ],
        3 => vec![
            Expect::Known((*b"s").into()),
            bind(),
            execute(true, None),
            Expect::Sync,
        ],
        4 => vec![Expect::DescribeStatement, Expect::Sync],
        5 => vec![Expect::Poison, Expect::Sync],
        6 => vec![
            Expect::Evict(StatementId(2)),
            parse(),
            bind(),
            execute(false, row()),
            Expect::Sync,
        ],
        7 => vec![Expect::Resync { ready: 0 }, Expect::Sync],
        // Up to a Flush: what is described may be long, and something of ours comes behind it.
        8 => vec![
            parse(),
            Expect::DescribePortal,
            Expect::Known((*b"t").into()),
        ],
        _ => vec![
            bind(),
            execute(false, None),
            bind(),
            execute(false, None),
            Expect::Close(Forward::ToClient),
            Expect::Sync,
        ],
    }
}

/// Runs server bytes through the relay: the first byte chooses what was asked, the second how the rest
/// is cut into reads. Panics where something is true that must not be.
pub fn fuzz(data: &[u8]) {
    thread_local! {
        static DESK: std::cell::RefCell<Desk> = std::cell::RefCell::new(Desk::new());
    }
    let [number, cut, bytes @ ..] = data else {
        return;
    };
    DESK.with_borrow_mut(|desk| {
        desk.begin(script(usize::from(*number)));
        let chunk = usize::from(*cut) + 1;
        for bytes in bytes.chunks(chunk) {
            desk.feed(bytes);
            desk.check(chunk);
            if desk.end == End::Done {
                let before = desk.output.len();
                desk.feed(b"C\0\0\0\x0bSET 1\0\0");
                assert_eq!(desk.output.len(), before, "bytes after the answer's end");
                break;
            }
        }
    });
}
