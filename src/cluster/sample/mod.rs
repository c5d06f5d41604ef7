//! The sample database of the demo and of the tests: organizations that record matches and what was
//! detected in them, the same rows every time.
//!
//! `organizations`, `matches` and `detections` are sharded by `organization_id`; `classes` is a
//! reference table. One organization is far larger than the others, as there always is one.

mod generate;

use std::pin::Pin;

use bytes::{Bytes, BytesMut};
use futures_util::SinkExt;
use tokio_postgres::Client;

use super::Error;
pub use generate::Sample;
use generate::Table;

/// The tables of the sample that are sharded by `organization_id`.
pub const SHARDED_TABLES: [&str; 3] = ["organizations", "matches", "detections"];
/// The tables that are whole on every shard.
pub const REFERENCE_TABLES: [&str; 1] = ["classes"];

/// The tables with their primary keys.
pub const TABLES_SQL: &str = "
create table classes (
    class_id int primary key,
    name text not null
);
create table organizations (
    organization_id bigint primary key,
    name text not null,
    country char(2) not null,
    created_at timestamptz not null
);
create table matches (
    organization_id bigint not null,
    match_id bigint not null,
    home text not null,
    away text not null,
    played_on date not null,
    spectators int,
    primary key (organization_id, match_id)
);
create table detections (
    organization_id bigint not null,
    match_id bigint not null,
    detection_id bigint not null,
    class_id int not null,
    score numeric(5,4) not null,
    detected_at timestamptz not null,
    label text,
    payload jsonb not null,
    primary key (organization_id, detection_id)
);
";

/// What is cheaper to make after the rows are there. Foreign keys hold within a shard, because
/// the rows of one organization are together.
pub const CONSTRAINTS_SQL: &str = "
create index on detections (organization_id, match_id);
alter table matches add foreign key (organization_id) references organizations;
alter table detections
    add foreign key (organization_id, match_id) references matches,
    add foreign key (class_id) references classes;
analyze;
";

/// Large enough that a write to the socket costs little beside the rows in it.
const CHUNK_BYTES: usize = 64 * 1024;

/// Makes the tables in an empty database and fills them with the rows of every organization that
/// `belongs` here. Calls `progress` with the number of rows written since it was called last.
pub async fn load(
    client: &Client,
    sample: &Sample,
    belongs: impl Fn(i64) -> bool,
    progress: impl Fn(u64),
) -> Result<(), Error> {
    let sql = |context: &'static str| {
        move |source| Error::Sql {
            context: context.to_owned(),
            source,
        }
    };
    client
        .batch_execute(TABLES_SQL)
        .await
        .map_err(sql("cannot make the sample's tables"))?;
    for table in Table::ALL {
        let copy = format!("copy {} from stdin", table.name());
        let failed = || sql("cannot load the sample");
        let sink = client.copy_in::<_, Bytes>(&copy).await.map_err(failed())?;
        let mut sink = Box::pin(sink);
        let mut buffer = BytesMut::with_capacity(2 * CHUNK_BYTES);
        let mut rows = 0;
        for organization in sample
            .organizations_of(table)
            .filter(|id| id.is_none_or(&belongs))
        {
            for row in 0..sample.groups(table, organization) {
                rows += sample.write(table, organization, row, &mut buffer);
                if buffer.len() >= CHUNK_BYTES {
                    sink.send(buffer.split().freeze()).await.map_err(failed())?;
                    progress(std::mem::take(&mut rows));
                }
            }
        }
        sink.send(buffer.freeze()).await.map_err(failed())?;
        Pin::as_mut(&mut sink).finish().await.map_err(failed())?;
        progress(rows);
    }
    client
        .batch_execute(CONSTRAINTS_SQL)
        .await
        .map_err(sql("cannot make the sample's constraints"))
}
