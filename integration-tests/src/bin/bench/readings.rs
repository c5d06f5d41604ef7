//! Tables whose rows lie on all shards, and all of them on the server that has the rows of everybody. PostgreSQL makes the
//! rows itself, on each server those of its keys, so that millions of them take seconds.

use integration_tests::Cluster;
use integration_tests::client;

/// A table of readings.
#[derive(Debug)]
pub struct Readings {
    pub name: &'static str,
    pub rows: u32,
}

pub const READINGS: [Readings; 3] = [
    Readings {
        name: "readings",
        rows: 100_000,
    },
    Readings {
        name: "readings_2m",
        rows: 2_000_000,
    },
    Readings {
        name: "readings_10m",
        rows: 10_000_000,
    },
];

/// All of them, for every server, whether they are going to be filled or not: the proxy's configuration lists them.
pub const TABLES: &str = "
create table readings (
    organization_id bigint not null,
    reading_id bigint not null,
    kind int not null,
    amount int not null,
    payload text not null
);
create table readings_2m (like readings);
create table readings_10m (like readings);
";

/// Fills these on all servers at once.
pub fn fill(cluster: &Cluster, tables: &[&Readings]) {
    let shards = (0..cluster.shards.len()).map(|shard| {
        let keys = cluster.organizations_on(shard).collect();
        (cluster.primary_port(shard), keys)
    });
    let all = (cluster.oracle.port(), (1..=ORGANIZATIONS).collect());
    let servers: Vec<(u16, Vec<i64>)> = shards.chain([all]).collect();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for (port, keys) in servers {
            let statements: Vec<String> = tables
                .iter()
                .flat_map(|table| statements(table, &keys))
                .collect();
            tasks.spawn(async move {
                let client = client::connect(port).await;
                for statement in statements {
                    client.batch_execute(&statement).await.unwrap();
                }
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
    });
}

/// The rows of these keys. Their order is that of the index, so that reading them by it is reading them in turn; each has as many
/// bytes as any other.
fn statements(table: &Readings, keys: &[i64]) -> [String; 3] {
    let (name, rows) = (table.name, table.rows);
    let keys: Vec<String> = keys.iter().map(i64::to_string).collect();
    let keys = keys.join(",");
    [
        format!(
            "insert into {name} select k, {FIRST_ID} + g, g % 7, g % 1000, lpad(g::text, 32, 'x') \
             from (select g, 1 + g % {ORGANIZATIONS} as k from generate_series(1, {rows}) g) as made \
             where k = any ('{{{keys}}}')"
        ),
        format!("create index on {name} (reading_id)"),
        format!("vacuum analyze {name}"),
    ]
}

const ORGANIZATIONS: i64 = 200;
const FIRST_ID: i64 = 100_000_000;
