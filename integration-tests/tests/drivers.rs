//! Drivers as people use them, unmodified, see through the proxy what they see on one PostgreSQL.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::sync::{Mutex, MutexGuard, PoisonError};

use integration_tests::client::{connect, texts};
use integration_tests::{Cluster, ProxyOptions, Setup, Subject, drivers};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error};

/// The drivers write the same rows, so they run one after the other.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn start() -> (MutexGuard<'static, ()>, Subject, Cluster) {
    let alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let cluster = Cluster::start(&Setup {
        everywhere: "create table accounts (organization_id bigint primary key, balance int not null
                                            check (balance >= 0), note text)",
        default_shard: "create table notes (note_id int primary key, body text, at timestamptz);
                        insert into notes select n, 'note ' || n, '2025-01-01' from generate_series(1, 50) n",
        ..Setup::default()
    });
    let options = ProxyOptions {
        tables: vec!["accounts".to_owned()],
        ..ProxyOptions::default()
    };
    (alone, Subject::start(&cluster, &options), cluster)
}

#[test]
fn python() {
    let (_alone, subject, cluster) = start();
    drivers::python(
        subject.port(),
        cluster.oracle.port(),
        subject.proxy().is_some(),
    );
}

#[test]
fn node() {
    let (_alone, subject, cluster) = start();
    drivers::node(
        subject.port(),
        cluster.oracle.port(),
        subject.proxy().is_some(),
    );
}

/// tokio-postgres prepares every statement by name, and sends and reads parameters and rows in binary.
#[test]
fn rust() {
    let (_alone, subject, cluster) = start();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut proxy = connect(subject.port()).await;
        let mut oracle = connect(cluster.oracle.port()).await;
        for organization in [1i64, 7, 42, 200] {
            let seen = reads(&proxy, organization).await.unwrap();
            assert_eq!(seen, reads(&oracle, organization).await.unwrap());
            assert_eq!(seen.len(), 3);
        }
        assert_eq!(
            writes(&mut proxy).await.unwrap(),
            writes(&mut oracle).await.unwrap()
        );
        let (found, expected) = (errors(&proxy).await, errors(&oracle).await);
        assert_eq!(found, expected);
        for client in [&proxy, &oracle] {
            client
                .batch_execute("set timezone to 'Asia/Tokyo'; set datestyle to 'German'")
                .await
                .unwrap();
            let at = "select at from notes where note_id = 1";
            assert_eq!(
                texts(client, at).await,
                [[Some("01.01.2025 09:00:00 JST".to_owned())]]
            );
        }
        assert_eq!(
            of_all(&mut proxy).await.unwrap(),
            of_all(&mut oracle).await.unwrap()
        );
        if subject.proxy().is_some() {
            let refused = proxy.query("select * from accounts for update", &[]).await;
            assert_eq!(
                refused.unwrap_err().code(),
                Some(&SqlState::FEATURE_NOT_SUPPORTED)
            );
        }
    });
}

async fn reads(client: &Client, organization: i64) -> Result<Vec<String>, Error> {
    let organizations =
        "select organization_id, name, country from organizations where organization_id = $1";
    let row = client.query_one(organizations, &[&organization]).await?;
    let mut seen = vec![format!(
        "{} {} {}",
        row.get::<_, i64>(0),
        row.get::<_, String>(1),
        row.get::<_, String>(2)
    )];
    // One statement, prepared once and bound for several keys at the same time.
    let prepared = client
        .prepare(
            "select count(*), sum(d.score)::float8 from matches m
             join detections d using (organization_id, match_id)
             join classes c on c.class_id = d.class_id where m.organization_id = $1",
        )
        .await?;
    let (mine, next) = (organization, organization % 200 + 1);
    let keys: [[&(dyn tokio_postgres::types::ToSql + Sync); 1]; 2] = [[&mine], [&next]];
    let (first, second) = tokio::join!(
        client.query_one(&prepared, &keys[0]),
        client.query_one(&prepared, &keys[1])
    );
    for row in [first?, second?] {
        seen.push(format!(
            "{} {:?}",
            row.get::<_, i64>(0),
            row.get::<_, Option<f64>>(1)
        ));
    }
    Ok(seen)
}

/// Over the rows of all shards: prepared once, read at once and in a transaction in parts.
async fn of_all(client: &mut Client) -> Result<Vec<(i64, String)>, Error> {
    let several = "select o.organization_id, o.name from organizations o
         where exists (select 1 from matches m where m.match_id = o.organization_id and m.spectators > $1)
         order by o.name, o.organization_id";
    let prepared = client.prepare(several).await?;
    let mut seen = Vec::new();
    for least in [0i32, 100] {
        seen.extend(client.query(&prepared, &[&least]).await?);
    }
    let transaction = client.transaction().await?;
    let portal = transaction.bind(&prepared, &[&0i32]).await?;
    for _ in 0..2 {
        seen.extend(transaction.query_portal(&portal, 3).await?);
    }
    transaction.commit().await?;
    Ok(seen.iter().map(|row| (row.get(0), row.get(1))).collect())
}

async fn writes(client: &mut Client) -> Result<Vec<Option<i32>>, Error> {
    let balance = "select balance from accounts where organization_id = $1";
    let (key, start) = (901i64, 10i32);
    let insert = "insert into accounts (organization_id, balance, note) values ($1, $2, $3)";
    client.execute(insert, &[&key, &start, &"rust"]).await?;
    let mut seen = Vec::new();
    for commits in [false, true] {
        let mut transaction = client.transaction().await?;
        let update = "update accounts set balance = balance + $2 where organization_id = $1";
        transaction.execute(update, &[&key, &5i32]).await?;
        let savepoint = transaction.transaction().await?;
        assert!(savepoint.execute(update, &[&key, &-100i32]).await.is_err());
        savepoint.rollback().await?;
        let portal = transaction.bind(balance, &[&key]).await?;
        let rows = transaction.query_portal(&portal, 1).await?;
        seen.push(rows.first().map(|row| row.get(0)));
        if commits {
            transaction.commit().await?;
        } else {
            transaction.rollback().await?;
        }
        let row = client.query_opt(balance, &[&key]).await?;
        seen.push(row.map(|row| row.get(0)));
    }
    let delete = "delete from accounts where organization_id = $1 returning balance";
    let row = client.query_opt(delete, &[&key]).await?;
    seen.push(row.map(|row| row.get(0)));
    Ok(seen)
}

async fn errors(client: &Client) -> Vec<Option<SqlState>> {
    let mut codes = Vec::new();
    for sql in [
        "select nothing from organizations where organization_id = 1",
        "select * from organizations where",
        "select 1 / 0",
        "insert into accounts (organization_id, balance) values (1, -1)",
    ] {
        let error = client.execute(sql, &[]).await.unwrap_err();
        codes.push(error.code().cloned());
    }
    codes
}
