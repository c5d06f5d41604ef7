//! The I/O of `check`: connects and reads catalogs, all servers at once, each step with a time limit.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_postgres::config::SslMode;
use tokio_postgres::{Client, NoTls, Row};

use super::facts::{
    Catalog, Column, DatabaseFacts, ForeignKey, LoginError, ServerFacts, ServerState, SessionState,
    ShardFacts, Table, UniqueKey,
};
use crate::config::{Address, Config, Database, Password};
use crate::net::{self, Tls, timer};
use crate::shardmap::TableName;
use crate::topology::{FIXED_SEARCH_PATH, try_lookup};

/// For all catalog queries on one server.
const CATALOG_TIMEOUT: Duration = Duration::from_secs(30);

pub(super) async fn database(config: &Config, database: &Arc<Database>) -> DatabaseFacts {
    let tls = match Tls::load(&database.server_tls) {
        Ok(tls) => tls,
        Err(error) => {
            return DatabaseFacts {
                unusable_tls: Some(error.to_string()),
                ..DatabaseFacts::default()
            };
        }
    };
    let mut tasks = JoinSet::new();
    for (shard_index, shard) in database.shards.iter().enumerate() {
        for (server_index, address) in shard.servers.iter().enumerate() {
            let target = Target {
                database: Arc::clone(database),
                tls: Arc::clone(&tls),
                address: address.clone(),
                dbname: shard.dbname.clone(),
                users: users_of(config, &database.name),
                looks_up: database
                    .auth_query
                    .as_ref()
                    .is_some_and(|question| usize::from(question.shard.0) == shard_index),
                connections_max: connections_max(config, address),
            };
            tasks.spawn(async move { ((shard_index, server_index), server(&target).await) });
        }
    }
    let mut servers = BTreeMap::new();
    while let Some(task) = tasks.join_next().await {
        // A task ends early only by a panic, which has been reported where it happened.
        if let Ok((place, result)) = task {
            servers.insert(place, result);
        }
    }
    let mut facts = DatabaseFacts::default();
    for shard in &database.shards {
        facts.shards.push(ShardFacts {
            name: shard.name.clone(),
            ..ShardFacts::default()
        });
    }
    for ((shard, _), (server, catalog)) in servers {
        let shard = &mut facts.shards[shard];
        let is_primary = server
            .service
            .as_ref()
            .is_ok_and(|state| !state.in_recovery);
        if catalog.is_some() && (is_primary || shard.catalog.is_none()) {
            shard.catalog = catalog;
        }
        shard.servers.push(server);
    }
    facts
}

/// Everything the visit to one server needs.
struct Target {
    database: Arc<Database>,
    tls: Arc<Tls>,
    address: Address,
    dbname: String,
    users: Vec<(String, Password)>,
    /// It is of the shard that is asked for the verifiers of users.
    looks_up: bool,
    connections_max: usize,
}

/// The users of a database and what is known of their passwords.
fn users_of(config: &Config, database: &str) -> Vec<(String, Password)> {
    let users = config
        .users
        .values()
        .filter(|user| user.databases.iter().any(|name| name == database));
    users
        .map(|user| (user.name.clone(), user.password.clone()))
        .collect()
}

/// Each user's pool, and one connection of the monitor for each database and shard on the server.
fn connections_max(config: &Config, address: &Address) -> usize {
    let pools_of = |database: &Database| {
        let times = database
            .shards
            .iter()
            .filter(|shard| shard.servers.contains(address))
            .count();
        times * (users_of(config, &database.name).len() * database.pool.size + 1)
    };
    config
        .databases
        .values()
        .map(|database| pools_of(database))
        .sum()
}

async fn server(target: &Target) -> (ServerFacts, Option<Result<Catalog, String>>) {
    let service = &target.database.service;
    let (mut catalog, mut other_verifiers, mut lookup) = (None, Vec::new(), None);
    let password = service.password.for_servers();
    let state = match connect(target, &service.user, password, FIXED_SEARCH_PATH).await {
        Ok(client) => {
            let state = limited(server_state(&client)).await;
            if state.is_ok() {
                catalog = Some(limited(read_catalog(&client, &target.database)).await);
                other_verifiers = passed_through_in_vain(&client, target).await;
                lookup = lookup_error(&client, target).await;
            }
            state.map_err(LoginError::Refused)
        }
        Err(error) => Err(error),
    };
    let mut users = Vec::new();
    // Where one login got no answer in time, the others would only wait as long again.
    let reached = !matches!(state, Err(LoginError::Unreachable(_)));
    for (user, password) in target.users.iter().filter(|_| reached) {
        // Of a verifier only the user itself can make a login.
        let Some(password) = password.for_servers() else {
            continue;
        };
        // With its own settings: those are what is looked at.
        let session = match connect(target, user, Some(password), "").await {
            Ok(client) => limited(session_state(&client))
                .await
                .map_err(LoginError::Refused),
            Err(error) => Err(error),
        };
        users.push((user.clone(), session));
    }
    let address = target.address.to_string();
    (
        ServerFacts {
            address,
            service: state,
            users,
            other_verifiers,
            lookup_error: lookup,
            connections_max: target.connections_max,
        },
        catalog,
    )
}

/// Users of whom only a verifier is configured, and whose role has another one or is not there. Empty where
/// the service user may not look.
async fn passed_through_in_vain(client: &Client, target: &Target) -> Vec<String> {
    let configured: Vec<(&str, &str)> = target
        .users
        .iter()
        .filter_map(|(user, password)| match password {
            Password::Scram {
                verifier: stored,
                server_password: None,
            }
            | Password::Md5 {
                hash: stored,
                server_password: None,
            } => Some((user.as_str(), stored.as_str())),
            _ => None,
        })
        .collect();
    let names: Vec<&str> = configured.iter().map(|(user, _)| *user).collect();
    let read = limited(async {
        let rows = client.query(STORED_PASSWORDS, &[&names]).await?;
        let row = |row: &Row| Ok((row.try_get(0)?, row.try_get(1)?));
        rows.iter().map(row).collect()
    });
    let Ok(stored): Result<BTreeMap<String, Option<String>>, _> = read.await else {
        return Vec::new();
    };
    configured
        .iter()
        .filter(|(user, verifier)| {
            let stored = stored.get(*user).and_then(|stored| stored.as_deref());
            stored != Some(*verifier)
        })
        .map(|(user, _)| (*user).to_owned())
        .collect()
}

const STORED_PASSWORDS: &str = "SELECT rolname::text, rolpassword::text FROM pg_catalog.pg_authid
    WHERE rolname::text = ANY ($1::text[])";

/// Why `auth_query` would bring nothing, where it is this server that is asked.
async fn lookup_error(client: &Client, target: &Target) -> Option<String> {
    let question = target
        .database
        .auth_query
        .as_ref()
        .filter(|_| target.looks_up)?;
    let lookup = try_lookup(client, question, &target.database.service.user);
    match timer::timeout(CATALOG_TIMEOUT, lookup).await {
        Ok(answer) => answer.err().map(|error| error.to_string()),
        Err(_) => Some(format!("no answer within {CATALOG_TIMEOUT:?}")),
    }
}

/// The one place where `check` opens a connection, within the pool's `connect` limit. The socket is
/// opened as for statements, so that `server_tls` means the same here. `options` are settings that go before
/// those of the role.
async fn connect(
    target: &Target,
    user: &str,
    password: Option<&str>,
    options: &str,
) -> Result<Client, LoginError> {
    let Target {
        database,
        tls,
        address,
        dbname,
        ..
    } = target;
    let mut config = tokio_postgres::Config::new();
    config
        .user(user)
        .dbname(dbname.as_str())
        .application_name("trunkline check")
        .options(options)
        .ssl_mode(SslMode::Disable);
    if let Some(password) = password {
        config.password(password);
    }
    let limit = database.pool.connect;
    let login = async {
        let stream = net::open(address, tls, limit)
            .await
            .map_err(|error| LoginError::Unreachable(error.to_string()))?;
        config
            .connect_raw(stream, NoTls)
            .await
            .map_err(|error| login_error(&error))
    };
    let (client, connection) = timer::timeout(limit, login)
        .await
        .map_err(|_| LoginError::Unreachable(format!("no answer within {limit:?}")))??;
    // Ends when the client is dropped; errors show at the client's next query.
    tokio::spawn(connection);
    Ok(client)
}

fn login_error(error: &tokio_postgres::Error) -> LoginError {
    if let Some(answer) = error.as_db_error() {
        return LoginError::Refused(answer.message().to_owned());
    }
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    LoginError::Unreachable(text)
}

/// Runs queries within the limit; their error as text.
async fn limited<T>(
    queries: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, String> {
    match timer::timeout(CATALOG_TIMEOUT, queries).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(error
            .as_db_error()
            .map_or_else(|| error.to_string(), |answer| answer.message().to_owned())),
        Err(_) => Err(format!("no answer within {CATALOG_TIMEOUT:?}")),
    }
}

async fn server_state(client: &Client) -> Result<ServerState, tokio_postgres::Error> {
    const QUERY: &str = "SELECT current_setting('server_version_num')::int, pg_is_in_recovery(),
        current_setting('max_connections')::int,
        current_setting('superuser_reserved_connections')::int
            + coalesce(current_setting('reserved_connections', true)::int, 0),
        current_setting('server_encoding')";
    let row = client.query_one(QUERY, &[]).await?;
    Ok(ServerState {
        version: row.try_get(0)?,
        in_recovery: row.try_get(1)?,
        max_connections: row.try_get(2)?,
        reserved_connections: row.try_get(3)?,
        encoding: row.try_get(4)?,
    })
}

async fn session_state(client: &Client) -> Result<SessionState, tokio_postgres::Error> {
    // Under the user's own search_path, so every name says where it is from.
    const QUERY: &str =
        "SELECT pg_catalog.current_setting('standard_conforming_strings')::pg_catalog.bool,
        pg_catalog.current_schemas(false)::pg_catalog.text[]";
    let row = client.query_one(QUERY, &[]).await?;
    Ok(SessionState {
        standard_conforming_strings: row.try_get(0)?,
        schemas: row.try_get(1)?,
    })
}

/// The listed tables as `listed(schema, name)`, from the parameters.
const LISTED: &str = "WITH listed AS (
    SELECT c.oid, n.nspname::text AS schema, c.relname::text AS name, c.relkind::text AS kind
    FROM unnest($1::text[], $2::text[]) AS l(schema, name)
    JOIN pg_namespace n ON n.nspname = l.schema
    JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = l.name
) ";

async fn read_catalog(
    client: &Client,
    database: &Database,
) -> Result<Catalog, tokio_postgres::Error> {
    let (schemas, names): (Vec<&str>, Vec<&str>) = database
        .map
        .tables
        .keys()
        .map(|table| (table.schema.as_str(), table.name.as_str()))
        .unzip();
    let query = async |rest: &str| {
        client
            .query(&format!("{LISTED}{rest}"), &[&schemas, &names])
            .await
    };
    // What a definition refers to prints with its schema, since the search_path is fixed.
    let mut catalog = Catalog::default();
    for row in query("SELECT schema, name, kind FROM listed WHERE kind NOT IN ('i', 'I')").await? {
        let kind: String = row.try_get(2)?;
        let table = Table {
            kind: kind.chars().next().unwrap_or(' '),
            ..Table::default()
        };
        catalog.tables.insert(table_name(&row, 0)?, table);
    }
    for row in query(COLUMNS).await? {
        let column = Column {
            name: row.try_get(2)?,
            base_type: row.try_get(3)?,
            full_type: row.try_get(4)?,
            not_null: row.try_get(5)?,
            default: row.try_get(6)?,
            identity: row.try_get(7)?,
            generated: row.try_get(8)?,
            nondeterministic: row.try_get(9)?,
            modifier: row.try_get(10)?,
            is_enum: row.try_get(11)?,
        };
        with_table(&mut catalog, &row, |table| table.columns.push(column))?;
    }
    for row in query(UNIQUE_KEYS).await? {
        let key = UniqueKey {
            name: row.try_get(2)?,
            primary: row.try_get(3)?,
            columns: row.try_get(4)?,
            predicate: row.try_get(5)?,
        };
        with_table(&mut catalog, &row, |table| table.unique.push(key))?;
    }
    for row in query(CONSTRAINTS).await? {
        let definition = row.try_get(2)?;
        with_table(&mut catalog, &row, |table| {
            table.constraints.push(definition);
        })?;
    }
    for row in query(INDEXES).await? {
        let definition = row.try_get(2)?;
        with_table(&mut catalog, &row, |table| table.indexes.push(definition))?;
    }
    for row in query(TRIGGERS).await? {
        let trigger: String = row.try_get(2)?;
        let rewrites: bool = row.try_get(3)?;
        with_table(&mut catalog, &row, |table| {
            if rewrites {
                table.rewriters.push(trigger.clone());
            }
            table.triggers.push(trigger);
        })?;
    }
    for row in query(CHILDREN).await? {
        let child = table_name(&row, 2)?;
        with_table(&mut catalog, &row, |table| table.children.push(child))?;
    }
    for row in query(FOREIGN_KEYS).await? {
        catalog.foreign_keys.push(ForeignKey {
            name: row.try_get(0)?,
            from: table_name(&row, 1)?,
            from_columns: row.try_get(3)?,
            to: table_name(&row, 4)?,
            to_columns: row.try_get(6)?,
        });
    }
    Ok(catalog)
}

/// Schema and name in two columns, from `at` on.
fn table_name(row: &Row, at: usize) -> Result<TableName, tokio_postgres::Error> {
    Ok(TableName {
        schema: row.try_get(at)?,
        name: row.try_get(at + 1)?,
    })
}

/// Applies a row that begins with schema and name to its table.
fn with_table(
    catalog: &mut Catalog,
    row: &Row,
    apply: impl FnOnce(&mut Table),
) -> Result<(), tokio_postgres::Error> {
    if let Some(table) = catalog.tables.get_mut(&table_name(row, 0)?) {
        apply(table);
    }
    Ok(())
}

/// `beneath` is the type below all domains, with the modifier of the lowest.
const COLUMNS: &str = "SELECT l.schema, l.name, a.attname::text, format_type(b.type, NULL),
        format_type(a.atttypid, a.atttypmod), a.attnotnull OR b.not_null, pg_get_expr(d.adbin, d.adrelid),
        a.attidentity <> '', a.attgenerated <> '',
        CASE WHEN NOT o.collisdeterministic THEN o.collname::text END,
        b.modifier, b.is_enum
    FROM listed l
    JOIN pg_attribute a ON a.attrelid = l.oid AND a.attnum > 0 AND NOT a.attisdropped
    CROSS JOIN LATERAL (
        WITH RECURSIVE beneath(type, modifier, not_null) AS (
            SELECT a.atttypid, a.atttypmod, false
            UNION ALL
            SELECT t.typbasetype, t.typtypmod, not_null OR t.typnotnull
            FROM beneath JOIN pg_type t ON t.oid = beneath.type AND t.typtype = 'd')
        SELECT beneath.type, beneath.modifier, beneath.not_null, t.typtype = 'e' AS is_enum
        FROM beneath JOIN pg_type t ON t.oid = beneath.type AND t.typtype <> 'd') b
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    LEFT JOIN pg_collation o ON o.oid = a.attcollation
    ORDER BY a.attrelid, a.attnum";

const UNIQUE_KEYS: &str = "SELECT l.schema, l.name, c.relname::text, i.indisprimary,
        ARRAY(SELECT coalesce(a.attname::text, '(' || pg_get_indexdef(i.indexrelid, k.place::int, false) || ')')
              FROM unnest(i.indkey) WITH ORDINALITY AS k(number, place)
              LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number AND k.number <> 0
              WHERE k.place <= i.indnkeyatts ORDER BY 1),
        pg_get_expr(i.indpred, i.indrelid)
    FROM listed l JOIN pg_index i ON i.indrelid = l.oid AND i.indisunique JOIN pg_class c ON c.oid = i.indexrelid
    ORDER BY 3";

/// Leaves out NOT NULL, which is read with the columns, and what a foreign key adds for each partition of
/// the table it refers to.
const CONSTRAINTS: &str = "SELECT l.schema, l.name, pg_get_constraintdef(k.oid)
    FROM listed l JOIN pg_constraint k ON k.conrelid = l.oid AND k.contype IN ('c', 'f', 'p', 'u', 'x')
    WHERE NOT EXISTS (SELECT FROM pg_constraint p WHERE p.oid = k.conparentid AND p.conrelid = k.conrelid)
    ORDER BY 3";

const INDEXES: &str = "SELECT l.schema, l.name,
        overlay(pg_get_indexdef(c.oid) PLACING '' FROM length('CREATE INDEX ') + 1
                FOR length(quote_ident(c.relname)) + 1)
            || CASE WHEN i.indisvalid THEN '' ELSE ' (invalid)' END
    FROM listed l JOIN pg_index i ON i.indrelid = l.oid AND NOT i.indisunique AND NOT i.indisexclusion
    JOIN pg_class c ON c.oid = i.indexrelid
    ORDER BY 3";

/// Bits of `tgtype`: 1 for each row, 2 before, 4 insert, 16 update.
const TRIGGERS: &str = "SELECT l.schema, l.name, 'trigger ' || t.tgname,
        t.tgtype & 3 = 3 AND t.tgtype & 20 <> 0
    FROM listed l JOIN pg_trigger t ON t.tgrelid = l.oid AND NOT t.tgisinternal
    UNION ALL SELECT l.schema, l.name, 'rule ' || r.rulename, true
    FROM listed l JOIN pg_rewrite r ON r.ev_class = l.oid AND l.kind IN ('r', 'p')
    ORDER BY 3";

const CHILDREN: &str = "SELECT l.schema, l.name, n.nspname::text, c.relname::text
    FROM listed l JOIN pg_inherits i ON i.inhparent = l.oid
    JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    ORDER BY 3, 4";

/// `conparentid` leaves out what partitions inherit from their parents.
const FOREIGN_KEYS: &str = "SELECT k.conname::text, fn.nspname::text, fc.relname::text,
        ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS u(number, place)
              JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.number ORDER BY u.place),
        tn.nspname::text, tc.relname::text,
        ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY AS u(number, place)
              JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.number ORDER BY u.place)
    FROM pg_constraint k
    JOIN pg_class fc ON fc.oid = k.conrelid JOIN pg_namespace fn ON fn.oid = fc.relnamespace
    JOIN pg_class tc ON tc.oid = k.confrelid JOIN pg_namespace tn ON tn.oid = tc.relnamespace
    WHERE k.contype = 'f' AND k.conparentid = 0
      AND (k.conrelid IN (SELECT oid FROM listed) OR k.confrelid IN (SELECT oid FROM listed))
    ORDER BY 2, 3, 1";
