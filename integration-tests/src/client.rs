//! Connections over `tokio-postgres`, for setting up and looking behind the proxy. What the proxy
//! answers is compared message by message with [`crate::wire`].

use std::time::{Duration, Instant};

use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, NoTls};

use crate::cluster::APP;

/// How long a server may take from its start until it answers.
const STARTING: Duration = Duration::from_secs(20);

/// Connects as the tests' role to the tests' database.
pub async fn connect(port: u16) -> Client {
    connect_as(port, APP, APP, APP).await
}

pub async fn connect_as(port: u16, user: &str, password: &str, dbname: &str) -> Client {
    let mut config = tokio_postgres::Config::new();
    config
        .host("127.0.0.1")
        .port(port)
        .user(user)
        .password(password)
        .dbname(dbname);
    let deadline = Instant::now() + STARTING;
    let (client, connection) = loop {
        match config.connect(NoTls).await {
            Ok(connected) => break connected,
            // It is starting, or a replica has not come to where the role and the database are made.
            Err(error) if is_early(&error) && Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Err(error) => panic!("port {port}: {error:?}"),
        }
    };
    // It ends with its client; what went wrong, the client tells.
    tokio::spawn(connection);
    client
}

fn is_early(error: &tokio_postgres::Error) -> bool {
    [
        SqlState::CANNOT_CONNECT_NOW,
        // Said of a role that is not there, too.
        SqlState::INVALID_PASSWORD,
        SqlState::INVALID_CATALOG_NAME,
    ]
    .iter()
    .any(|code| error.code() == Some(code))
}

/// The rows of a query as texts, NULL as `None`.
pub async fn texts(client: &Client, sql: &str) -> Vec<Vec<Option<String>>> {
    let messages = client.simple_query(sql).await;
    let messages = messages.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    let row = |message: &tokio_postgres::SimpleQueryMessage| match message {
        tokio_postgres::SimpleQueryMessage::Row(row) => Some(
            (0..row.len())
                .map(|column| row.get(column).map(str::to_owned))
                .collect(),
        ),
        _ => None,
    };
    messages.iter().filter_map(row).collect()
}
