//! A shard: one primary and its streaming replicas, each in a directory of its own.

use std::path::Path;
use std::sync::Arc;

use super::server::{Server, ServerOptions, Shutdown};
use super::{Error, Host};

/// A primary and its replicas. Dropping it stops them.
///
/// Server `n` is in `dir/a`, `dir/b`, …; which of them is the primary may change by promotion.
#[derive(Debug)]
pub struct ShardCluster {
    servers: Vec<Server>,
    primary: usize,
}

impl ShardCluster {
    /// Makes a new shard and starts it. `template` is a stopped server whose data every primary
    /// starts with.
    pub fn create(
        host: &Arc<Host>,
        dir: &Path,
        replicas: usize,
        options: &ServerOptions,
        template: Option<&Server>,
    ) -> Result<Self, Error> {
        let mut shard = Self::open(host, dir, replicas, options)?;
        match template {
            Some(template) => shard.servers[0].init_from_copy(template)?,
            None => shard.servers[0].init()?,
        }
        shard.servers[0].start(None)?;
        for index in 1..=replicas {
            shard.add_replica(index)?;
        }
        Ok(shard)
    }

    /// Starts an existing shard again. The primary is the server that was one last; a server that
    /// cannot follow it, because it was a primary itself before a promotion, is copied anew.
    pub fn reopen(
        host: &Arc<Host>,
        dir: &Path,
        replicas: usize,
        options: &ServerOptions,
    ) -> Result<Self, Error> {
        let mut shard = Self::open(host, dir, replicas, options)?;
        shard.primary = shard.last_primary()?;
        let primary = shard.primary;
        shard.servers[primary].start(None)?;
        for index in (0..=replicas).filter(|index| *index != primary) {
            if shard.servers[index].is_standby() {
                shard.start_replica(index)?;
            } else {
                shard.add_replica(index)?;
            }
        }
        Ok(shard)
    }

    fn open(
        host: &Arc<Host>,
        dir: &Path,
        replicas: usize,
        options: &ServerOptions,
    ) -> Result<Self, Error> {
        host.account.can_enter(dir)?;
        host.account.create_dir(dir)?;
        let servers = (0..=replicas).map(|index| {
            let dir = dir.join(server_name(index));
            Server::open(Arc::clone(host), &dir, host.ports.take()?, options.clone())
        });
        Ok(Self {
            servers: servers.collect::<Result<_, _>>()?,
            primary: 0,
        })
    }

    /// The server without `standby.signal`; of two, the one with the longer history.
    fn last_primary(&self) -> Result<usize, Error> {
        let mut primary = (0, 0);
        for (index, server) in self.servers.iter().enumerate() {
            if !server.is_standby() {
                primary = primary.max((server.timeline()?, index));
            }
        }
        Ok(primary.1)
    }

    /// Copies the primary's data into a server and starts it as a replica.
    pub fn add_replica(&mut self, index: usize) -> Result<(), Error> {
        self.servers[index].stop(Shutdown::Immediate);
        self.servers[index].init_from_backup(&self.servers[self.primary])?;
        self.start_replica(index)
    }

    fn start_replica(&mut self, index: usize) -> Result<(), Error> {
        let port = self.servers[self.primary].port();
        self.servers[index].start(Some(port))
    }

    /// Starts a server that was stopped or killed, in the role it had.
    pub fn start(&mut self, index: usize) -> Result<(), Error> {
        if index == self.primary {
            self.servers[index].start(None)
        } else {
            self.start_replica(index)
        }
    }

    /// Makes a replica the primary. The old primary has to be stopped or killed before; it can come
    /// back with [`ShardCluster::add_replica`].
    pub fn promote(&mut self, index: usize) -> Result<(), Error> {
        self.servers[index].promote()?;
        self.primary = index;
        // The others learn at their next start whom to follow.
        for other in (0..self.servers.len()).filter(|other| *other != index) {
            if self.servers[other].is_running() && self.servers[other].is_standby() {
                self.servers[other].stop(Shutdown::Fast);
                self.start_replica(other)?;
            }
        }
        Ok(())
    }

    pub fn stop(&mut self, how: Shutdown) {
        // The primary first: it waits until its replicas have everything.
        self.servers[self.primary].stop(how);
        for server in &mut self.servers {
            server.stop(how);
        }
    }

    pub fn primary(&self) -> &Server {
        &self.servers[self.primary]
    }

    pub fn primary_index(&self) -> usize {
        self.primary
    }

    pub fn replicas(&self) -> impl Iterator<Item = &Server> {
        self.servers
            .iter()
            .enumerate()
            .filter(|(index, _)| *index != self.primary)
            .map(|(_, s)| s)
    }

    pub fn servers(&self) -> &[Server] {
        &self.servers
    }

    pub fn server_mut(&mut self, index: usize) -> &mut Server {
        &mut self.servers[index]
    }
}

fn server_name(index: usize) -> String {
    match u8::try_from(index) {
        Ok(letter @ 0..26) => char::from(b'a' + letter).to_string(),
        _ => format!("r{index}"),
    }
}
