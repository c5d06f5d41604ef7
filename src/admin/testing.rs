//! A proxy without servers, for the tests here and of the rooms above.

use std::path::Path;
use std::sync::Arc;

use crate::config::{self, Config};
use crate::metrics::Metrics;
use crate::session::{Globals, Registry, Shared};
use crate::topology::Topology;

/// Nobody listens on these ports.
pub const YAML: &str = "
users:
  - { name: root, password: top-secret, admin: true }
  - { name: app, password: top-secret, databases: [app] }
databases:
  app:
    shards:
      s1: { servers: ['127.0.0.1:1'] }
      s2: { servers: ['127.0.0.1:2'] }
    keyspaces:
      tenants:
        key: { column: org_id, type: bigint }
        tables: { matches: {}, sales.orders: { key: id } }
    reference_tables: [classes]
    pool: { wait: 1500ms }
";

pub fn config(yaml: &str) -> Config {
    config::parse(yaml, Path::new("test.yaml"), &|_| None).expect("a valid configuration")
}

/// Must be called within a runtime.
pub fn shared() -> Arc<Shared> {
    let metrics = Metrics::new();
    let topology =
        Topology::start(Arc::new(config(YAML)), metrics.clone()).expect("no files are needed");
    Arc::new(Shared {
        topology,
        registry: Arc::new(Registry::default()),
        globals: Globals::default(),
        metrics,
    })
}
