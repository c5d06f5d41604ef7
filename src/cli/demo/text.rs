//! What the demo writes: its configuration file and its greeting.

use std::path::Path;

use super::{APP, DemoArgs, LOGICAL_SHARDS, SERVICE, shard_name};
use crate::cluster::sample::{REFERENCE_TABLES, SHARDED_TABLES};
use crate::cluster::{Server, ShardCluster};
use crate::shardmap::{Placement, ShardId, format_ranges};

/// `trunkline.yaml` for shards that run on these ports.
pub(super) fn config(arguments: &DemoArgs, shards: &[ShardCluster]) -> String {
    let placement = Placement::even(LOGICAL_SHARDS, shards.len() as u16);
    let mut servers = String::new();
    let mut ranges = String::new();
    for (index, shard) in shards.iter().enumerate() {
        let name = shard_name(index as u16);
        let addresses: Vec<_> = shard
            .servers()
            .iter()
            .map(|server| format!("\"127.0.0.1:{}\"", server.port()))
            .collect();
        servers += &format!(
            "      {name}: {{ servers: [ {} ], dbname: {APP} }}\n",
            addresses.join(", ")
        );
        let logical = format_ranges(&placement.ranges(ShardId(index as u16)));
        ranges += &format!("          {name}: {logical}\n");
    }
    format!(
        "# Written by `trunkline demo` at every start; changes are lost.
listen: 127.0.0.1:{port}
http: 127.0.0.1:{http_port}

users:
  - name: {APP}
    password: {APP}
    databases: [ {APP} ]
    admin: true

databases:
  {APP}:
    service: {{ user: {SERVICE}, password: {SERVICE} }}
    shards:
{servers}    default_shard: {default}
    keyspaces:
      tenants:
        key: {{ column: organization_id, type: bigint }}
        function: hash
        logical_shards: {LOGICAL_SHARDS}
        placement:
{ranges}        tables: [ {sharded} ]
    reference_tables: [ {reference} ]
",
        port = arguments.port,
        http_port = arguments.http_port,
        default = shard_name(0),
        sharded = SHARDED_TABLES.join(", "),
        reference = REFERENCE_TABLES.join(", "),
    )
}

/// How to connect, and what to try.
pub(super) fn greeting(arguments: &DemoArgs, config: &Path, shards: &[ShardCluster]) -> String {
    let mut list = String::new();
    for (index, shard) in shards.iter().enumerate() {
        let replicas: Vec<_> = shard
            .replicas()
            .map(|server| server.port().to_string())
            .collect();
        list += &format!(
            "  {}  primary on port {}, replica on port {}\n",
            shard_name(index as u16),
            shard.primary().port(),
            replicas.join(", ")
        );
    }
    format!(
        "
{list}  configuration in {config}

Connect:

  psql 'postgresql://{APP}:{APP}@127.0.0.1:{port}/{APP}'

Try:

  select name, country from organizations where organization_id = 42;
  explain select * from matches where organization_id = 42 and match_id = 1;
  select c.name, count(*), round(avg(d.score), 3) from detections d join classes c using (class_id)
    where d.organization_id = 7 group by 1 order by 2 desc;
  select m.match_id, m.home, m.away, count(*) from matches m
    join detections d using (organization_id, match_id)
    where m.organization_id = 42 group by 1, 2, 3 order by 4 desc limit 5;

The largest organization is 7. A shard without the proxy: {direct}
Metrics: http://127.0.0.1:{http_port}/metrics

Ctrl-C stops everything; the data stays for the next run.
",
        config = config.display(),
        port = arguments.port,
        http_port = arguments.http_port,
        direct = shards
            .first()
            .map(|shard| direct(shard.primary()))
            .unwrap_or_default(),
    )
}

fn direct(server: &Server) -> String {
    format!(
        "psql 'postgresql://{APP}:{APP}@127.0.0.1:{}/{APP}'",
        server.port()
    )
}
