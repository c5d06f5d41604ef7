//! What is queued for the connection in use, with the answers it will bring; and sending it.

use std::future::poll_fn;

use bytes::BytesMut;

use super::{Failure, Session};
use crate::backend::StatementId;
use crate::error::PgError;
use crate::executor::{Expect, Forward, Stage, types_to_server};
use crate::net::Buffered;
use crate::plan::Gathering;
use crate::planner;
use crate::session::Prepared;
use crate::wire::{self, Described, Oversized};

impl Session {
    /// Queues a simple query for the connection in use.
    ///
    /// Errors: a text that is too long for one message.
    pub fn queue_query(
        &mut self,
        text: &str,
        forward: Forward,
        before: Option<bytes::Bytes>,
    ) -> Result<(), PgError> {
        self.queue_string(text, forward, before, false)
    }

    /// As `queue_query`; `ends`: the string holds a COMMIT.
    pub fn queue_string(
        &mut self,
        text: &str,
        forward: Forward,
        before: Option<bytes::Bytes>,
        ends: bool,
    ) -> Result<(), PgError> {
        if let Some(server) = &mut self.server {
            wire::put_query(&mut server.lease.output, text)?;
            server.lease.prepared.unnamed = None;
            self.relay.completed = 0;
            self.relay.push(Expect::Query {
                forward,
                before,
                ends,
                stage: Stage::default(),
            });
        }
        Ok(())
    }

    /// Queues a FunctionCall with the body the client gave it.
    pub fn queue_call(&mut self, body: &[u8]) -> Result<(), PgError> {
        if let Some(server) = &mut self.server {
            wire::put_function_call(&mut server.lease.output, body)?;
            self.relay.push(Expect::Call {
                stage: Stage::default(),
            });
        }
        Ok(())
    }

    /// Queues what makes the statement known to the connection in use, unless it is.
    /// `client`: the client's own name for it, where the Parse is the client's and not ours.
    pub fn queue_parse(
        &mut self,
        prepared: &Prepared,
        unnamed: bool,
        client: Option<&[u8]>,
    ) -> Result<(), PgError> {
        let Some(server) = &mut self.server else {
            return Ok(());
        };
        let global = &prepared.global;
        let lease = &mut server.lease;
        server.pipelined = true;
        let known = match (unnamed, client) {
            // A client that parses it again wants that: literals such as 'today' are read anew, a result type may have
            // changed, and the first plans are made for the values.
            (true, Some(_)) => false,
            (true, None) => lease.prepared.unnamed == Some(global.id),
            (false, _) => lease.prepared.contains_and_touch(global.id),
        };
        if known {
            if let Some(name) = client {
                self.relay.push(Expect::Known(name.into()));
            }
            return Ok(());
        }
        let theirs;
        let types = match self.relay.translation() {
            None => &*global.param_types,
            Some(translation) => {
                theirs = types_to_server(Some(translation), &global.param_types)?;
                &*theirs
            }
        };
        let name: &[u8] = if unnamed { b"" } else { &global.name };
        if unnamed {
            lease.prepared.unnamed = Some(global.id);
        } else if let Some(evicted) = lease.prepared.insert(global.id) {
            wire::put_close(
                &mut lease.output,
                wire::frontend::CLOSE,
                Described::Statement(&evicted.name()),
            )?;
            self.relay.push(Expect::Evict(evicted));
        }
        let types = types.iter().map(|oid| oid.0);
        let text = global.text.as_bytes();
        if let Err(oversized) = wire::put_parse(&mut lease.output, name, text, types) {
            lease.prepared.unnamed = None;
            lease.prepared.remove(global.id);
            return Err(oversized.into());
        }
        self.relay.push(Expect::Parse {
            forward: client.map_or(Forward::Swallow, |_| Forward::ToClient),
            id: global.id,
            name: client.map(Into::into),
        });
        Ok(())
    }

    /// As `queue_parse`, without a name, of a statement over what was gathered for it: what its names mean here they mean
    /// for this once.
    pub fn queue_parse_apart(
        &mut self,
        prepared: &Prepared,
        gathering: &Gathering,
        client: Option<&[u8]>,
    ) -> Result<(), PgError> {
        let Some(server) = &mut self.server else {
            return Ok(());
        };
        let global = &prepared.global;
        let text = planner::retold(&global.text, gathering)?;
        let types = types_to_server(self.relay.translation(), &global.param_types)?;
        let types = types.iter().map(|oid| oid.0);
        server.lease.prepared.unnamed = None;
        wire::put_parse(&mut server.lease.output, b"", text.as_bytes(), types)?;
        server.pipelined = true;
        self.relay.push(Expect::Parse {
            forward: client.map_or(Forward::Swallow, |_| Forward::ToClient),
            id: StatementId(0),
            name: client.map(Into::into),
        });
        Ok(())
    }

    /// Queues a message of the extended protocol, made by `put`, and the answer it will bring.
    /// `effects`: it may run a statement.
    pub fn queue(
        &mut self,
        expect: Expect,
        effects: bool,
        put: impl FnOnce(&mut BytesMut) -> Result<(), Oversized>,
    ) -> Result<(), PgError> {
        if let Some(server) = &mut self.server {
            put(&mut server.lease.output)?;
            server.pipelined = true;
            server.effects |= effects;
            self.relay.push(expect);
        }
        Ok(())
    }

    /// Queues bytes that bring no answer.
    pub fn queue_bytes(&mut self, put: impl FnOnce(&mut BytesMut)) {
        if let Some(server) = &mut self.server {
            put(&mut server.lease.output);
        }
    }

    pub fn queue_sync(&mut self) {
        if let Some(server) = &mut self.server {
            server.pipelined = false;
            server.effects = false;
            wire::put_sync(&mut server.lease.output);
            self.relay.push(Expect::Sync);
        }
    }

    /// Asks the server for all answers so far, without ending the pipeline, and waits for them.
    pub async fn flush(&mut self, io: &mut Buffered) -> Result<(), Failure> {
        if self.relay.is_idle() {
            return Ok(());
        }
        self.queue_bytes(wire::put_flush);
        self.run(io).await?;
        if self.relay.error.is_some() {
            Err(Failure::Told)
        } else {
            Ok(())
        }
    }

    /// Sends what is queued, without reading answers.
    pub async fn push_out(&mut self, io: &mut Buffered) -> Result<(), Failure> {
        let Some(server) = &mut self.server else {
            return Ok(());
        };
        let (relay, lease) = (&mut self.relay, &mut server.lease);
        let push = async {
            poll_fn(|cx| relay.poll_ask(lease, cx)).await?;
            let sent = lease.flush().await;
            sent.map_err(|error| lease.lost(&error))
        };
        let pushed = match self.registered.entry.wait(io, push).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => Failure::Statement(error),
            Err(failure) => failure,
        };
        self.lose_server();
        Err(pushed)
    }

    pub fn queued_bytes(&self) -> usize {
        self.server
            .as_ref()
            .map_or(0, |server| server.lease.output.len())
    }
}
