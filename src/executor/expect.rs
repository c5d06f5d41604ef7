//! What the server still owes us, in order.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use crate::backend::StatementId;
use crate::types::Oid;

/// Whether the client sees an answer, or it was asked for by the proxy itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forward {
    ToClient,
    Swallow,
}

/// How far the answer to a Query or an Execute has come. A message that has no place there is not the
/// statement's: the connection tells something else than it was asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// Nothing has come.
    #[default]
    Start,
    /// RowDescription, or a first row.
    Rows,
    CopyOut,
    CopyIn,
    /// The data of a COPY TO have ended, its CommandComplete is due.
    Copied,
    /// A statement of the string is complete: there may be another.
    Complete,
    /// An ErrorResponse: ReadyForQuery is due and nothing else.
    Failed,
}

/// What a server has said of a statement's types, asked where OIDs are translated.
#[derive(Debug, Default)]
pub struct Signature {
    /// Of its parameters, as the client knows them.
    pub parameters: OnceLock<Box<[Oid]>>,
    /// Values of its columns have OIDs in their binary form.
    pub carries: OnceLock<bool>,
}

/// One answer that is due, or something of our own that goes out when its turn comes.
#[derive(Debug)]
pub enum Expect {
    /// ParseComplete. The connection forgets the statement if Parse fails, and the client its name.
    Parse {
        forward: Forward,
        id: StatementId,
        name: Option<Box<[u8]>>,
    },
    /// ParseComplete of our own: the connection holds what the client calls by this name.
    Known(Box<[u8]>),
    /// CloseComplete of a statement that had to make room. Skipped, it is still there.
    Evict(StatementId),
    /// BindComplete.
    Bind(Forward),
    /// ParameterDescription, then RowDescription or NoData.
    DescribeStatement,
    /// RowDescription or NoData.
    DescribePortal,
    /// As [`Self::DescribeStatement`], asked for by the proxy: it keeps what it hears.
    Signature(Arc<Signature>),
    /// As [`Self::DescribePortal`], ahead of the Execute whose rows it describes.
    Columns(Option<Arc<Signature>>),
    /// Rows, then CommandComplete, EmptyQueryResponse or PortalSuspended; or a COPY. `before` goes
    /// ahead of the first row. `limited`: only so many rows were asked for.
    Execute {
        forward: Forward,
        before: Option<Bytes>,
        limited: bool,
        stage: Stage,
    },
    /// CloseComplete.
    Close(Forward),
    /// ReadyForQuery after Sync.
    Sync,
    /// Our own questions after a COPY whose Sync was sent ahead has failed: ReadyForQuery once or twice,
    /// then CloseComplete. `ready` counts the former.
    Resync { ready: usize },
    /// Everything a simple query brings, its ReadyForQuery too. `before` follows a RowDescription.
    /// `ends`: it holds a COMMIT, which ends the transaction even where it fails.
    Query {
        forward: Forward,
        before: Option<Bytes>,
        ends: bool,
        stage: Stage,
    },
    /// FunctionCallResponse, and its ReadyForQuery.
    Call { stage: Stage },
    /// An error we provoked so that the server's transaction fails as the client's did.
    Poison,
}

impl Expect {
    /// Ends at ReadyForQuery, so an error before it does not take it away.
    pub fn is_ready(&self) -> bool {
        matches!(self, Self::Sync | Self::Query { .. } | Self::Call { .. })
    }

    pub fn forward(&self) -> Forward {
        match self {
            Self::Parse { forward, .. }
            | Self::Bind(forward)
            | Self::Execute { forward, .. }
            | Self::Close(forward)
            | Self::Query { forward, .. } => *forward,
            Self::Poison
            | Self::Evict(_)
            | Self::Resync { .. }
            | Self::Signature(_)
            | Self::Columns(_) => Forward::Swallow,
            Self::DescribeStatement
            | Self::DescribePortal
            | Self::Sync
            | Self::Call { .. }
            | Self::Known(_) => Forward::ToClient,
        }
    }
}
