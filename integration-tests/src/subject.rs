//! What is compared with the oracle: the proxy, or, to test the tests, another plain PostgreSQL.

use std::sync::Arc;

use trunkline::internals::cluster::{Durability, SUPERUSER, Server, ServerOptions};

use crate::cluster::Cluster;
use crate::proxy::{Proxy, ProxyOptions};

/// Set to anything, it puts a copy of the oracle where the proxy would be. Every comparison must
/// then hold, or the test itself is wrong.
pub const SELF_TEST: &str = "TRUNKLINE_TEST_SELF";

#[derive(Debug)]
pub enum Subject {
    Proxy(Box<Proxy>),
    Plain(Box<Server>),
}

impl Subject {
    pub fn start(cluster: &Cluster, options: &ProxyOptions) -> Self {
        if std::env::var_os(SELF_TEST).is_none() {
            return Self::Proxy(Box::new(Proxy::start(cluster, options)));
        }
        let (host, dir) = (
            Arc::clone(&cluster.host),
            cluster.scratch.path().join("subject"),
        );
        let options = ServerOptions {
            durability: Durability::Throwaway,
            password: SUPERUSER.to_owned(),
            settings: Vec::new(),
        };
        let port = host.ports.take().unwrap();
        let mut copy = Server::open(host, &dir, port, options).unwrap();
        copy.init_from_backup(&cluster.oracle).unwrap();
        copy.start(Some(cluster.oracle.port())).unwrap();
        copy.promote().unwrap();
        Self::Plain(Box::new(copy))
    }

    pub fn port(&self) -> u16 {
        match self {
            Self::Proxy(proxy) => proxy.port,
            Self::Plain(server) => server.port(),
        }
    }

    /// The proxy, where there is one.
    pub fn proxy(&self) -> Option<&Proxy> {
        match self {
            Self::Proxy(proxy) => Some(proxy),
            Self::Plain(_) => None,
        }
    }
}
