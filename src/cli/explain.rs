//! `trunkline explain -c FILE 'SQL'`: where each statement would go and why. The same planner and the same
//! lines as a running proxy's. Without `--connect` no server is asked: then columns, views and functions are
//! not known.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;

use crate::config::{Config, Database, PoolMode};
use crate::error::PgError;
use crate::metrics::Metrics;
use crate::plan::{ParamValues, Plan, Values};
use crate::planner::{Asker, Schema, plan};
use crate::shardmap::ShardMap;
use crate::sql;
use crate::topology::LiveDatabase;
use crate::types::Format;

#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The configuration file
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
    /// The database, where the file has several
    #[arg(short, long)]
    database: Option<String>,
    /// Whose statements they are: a session of this user that has set nothing. Else the first by name of those that the
    /// file lets into the database
    #[arg(short, long, value_name = "NAME")]
    user: Option<String>,
    /// Read the catalogs from the servers first, as a running proxy does
    #[arg(long)]
    connect: bool,
    /// The value of a parameter, as text; may be given for each
    #[arg(long = "param", value_name = "N=VALUE", value_parser = parameter)]
    params: Vec<(u16, String)>,
    /// One or more statements
    sql: String,
}

/// `1=42` for `$1`.
fn parameter(text: &str) -> Result<(u16, String), String> {
    let (number, value) = text
        .split_once('=')
        .ok_or("write it as number=value, 1=42 for $1")?;
    match number.trim_start_matches('$').parse::<u16>() {
        Ok(number @ 1..) => Ok((number - 1, value.to_owned())),
        _ => Err(format!("\"{number}\" is not the number of a parameter")),
    }
}

/// Values given on the command line, zero-based.
#[derive(Debug, Default)]
struct Given(BTreeMap<u16, String>);

impl ParamValues for Given {
    fn param(&self, index: u16) -> Option<(Format, Option<&[u8]>)> {
        let value = self.0.get(&index)?;
        Some((Format::Text, Some(value.as_bytes())))
    }
}

impl ExplainArgs {
    pub fn config(&self) -> &Path {
        &self.config
    }
}

/// Prints where each statement would go; fails where one is refused.
pub fn run(arguments: &ExplainArgs, config: &Config) -> ExitCode {
    let database = match database(config, arguments.database.as_deref()) {
        Ok(database) => database,
        Err(message) => return super::wrong_input(&message),
    };
    let user = match user(config, database, arguments.user.as_deref()) {
        Ok(user) => user,
        Err(message) => return super::wrong_input(&message),
    };
    let schema = match arguments.connect {
        false => Arc::default(),
        true => match schema_of(database) {
            Ok(schema) => schema,
            Err(error) => return super::failure(&error),
        },
    };
    let subject = Subject {
        map: &database.map,
        schema: &schema,
        user,
        transaction_pooling: database.pool.mode == PoolMode::Transaction,
        params: Given(arguments.params.iter().cloned().collect()),
    };
    if let Some(message) = not_mentioned(&subject.params, &arguments.sql) {
        return super::wrong_input(&message);
    }
    let (answer, all_planned) = explain(&subject, &arguments.sql);
    print!("{answer}");
    if all_planned {
        ExitCode::SUCCESS
    } else {
        if !arguments.connect {
            eprintln!("columns, views and functions were not known: --connect reads them first");
        }
        ExitCode::FAILURE
    }
}

/// A parameter that is given and stands in no statement.
fn not_mentioned(params: &Given, text: &str) -> Option<String> {
    let tokens = sql::tokens(text).ok()?;
    let stands = |index: u16| {
        let number = (u32::from(index) + 1).to_string();
        tokens
            .iter()
            .any(|token| token.kind == sql::Kind::Param && token.value == number)
    };
    let index = params.0.keys().find(|index| !stands(**index))?;
    Some(format!("there is no parameter ${}", u32::from(*index) + 1))
}

/// The catalogs as a proxy would know them now.
fn schema_of(database: &Arc<Database>) -> Result<Arc<Schema>, String> {
    let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let metrics = Metrics::new();
        let live = LiveDatabase::start(Arc::clone(database), &metrics)
            .map_err(|error| error.to_string())?;
        let loaded = live.schema_loaded().await;
        loaded.map_err(|error| match error.detail {
            Some(detail) => format!("{}: {detail}", error.message),
            None => error.message,
        })?;
        Ok(live.schema())
    })
}

fn database<'a>(config: &'a Config, name: Option<&str>) -> Result<&'a Arc<Database>, String> {
    let names = || {
        config
            .databases
            .keys()
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(", ")
    };
    match name {
        Some(name) => match config.databases.get(name) {
            Some(database) => Ok(database),
            None => Err(format!(
                "there is no database \"{name}\"; there are: {}",
                names()
            )),
        },
        None => match config.databases.values().next() {
            Some(database) if config.databases.len() == 1 => Ok(database),
            _ => Err(format!("choose a database with --database: {}", names())),
        },
    }
}

/// The user asked for, or the first one.
fn user<'a>(
    config: &'a Config,
    database: &'a Database,
    name: Option<&'a str>,
) -> Result<&'a str, String> {
    let may = |name: &str| {
        let user = config.users.get(name);
        user.is_some_and(|user| user.databases.contains(&database.name))
    };
    let mut users = config.users.keys().map(String::as_str);
    match name {
        // Those that are not in the file may be known to the servers.
        Some(name) if may(name) => Ok(name),
        Some(name) if database.auth_query.is_some() && !config.users.contains_key(name) => Ok(name),
        Some(name) => Err(format!(
            "user \"{name}\" may not use database \"{}\"",
            database.name
        )),
        None => users.find(|name| may(name)).ok_or_else(|| {
            format!(
                "choose a user with --user: the file has none for database \"{}\"",
                database.name
            )
        }),
    }
}

/// What statements are explained for.
struct Subject<'a> {
    map: &'a ShardMap,
    schema: &'a Schema,
    user: &'a str,
    transaction_pooling: bool,
    params: Given,
}

/// Each statement, its plan or refusal, and whether all of them have a plan.
fn explain(subject: &Subject<'_>, text: &str) -> (String, bool) {
    let map = subject.map;
    let values = Values::of_params(&[], &subject.params);
    let pieces = match sql::split(text) {
        Ok(pieces) => pieces,
        Err(error) => return (refusal(&error), false),
    };
    let asker = Asker {
        user: subject.user,
        search_path: None,
        role: None,
        hint: None,
        param_types: &[],
        transaction_pooling: subject.transaction_pooling,
    };
    let mut answers = Vec::new();
    let mut all = true;
    for piece in pieces {
        let statement = &text[piece.range];
        let planned = match asker.context(map, subject.schema) {
            Ok(context) => plan(statement, &context),
            Err(error) => asker.control(statement, map, subject.schema).ok_or(error),
        };
        let answer = planned.and_then(|planned| {
            // Literal keys on several shards are found only by following them.
            if let Plan::Route(route) = &planned
                && route
                    .params()
                    .all(|index| subject.params.param(index).is_some())
            {
                route.resolve(map, values)?;
            }
            Ok(planned.lines(map, values).join("\n") + "\n")
        });
        all &= answer.is_ok();
        answers.push(format!(
            "{statement}\n{}",
            indent(&answer.unwrap_or_else(|error| refusal(&error)))
        ));
    }
    (answers.join("\n"), all)
}

fn refusal(error: &PgError) -> String {
    let mut text = format!("Refused {}: {}\n", error.code, error.message);
    for (name, value) in [("detail", &error.detail), ("hint", &error.hint)] {
        if let Some(value) = value {
            text.push_str(&format!("  {name}: {value}\n"));
        }
    }
    text
}

fn indent(lines: &str) -> String {
    lines.lines().map(|line| format!("  {line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::planner::tests::map;
    use crate::shardmap::KeyspaceIndex;
    use crate::types::KeyValue;

    fn explained(params: &[(u16, &str)], sql: &str) -> (String, bool) {
        let params = params.iter().map(|(index, v)| (*index, (*v).to_owned()));
        let subject = Subject {
            map: &map(),
            schema: &Schema::default(),
            user: "app",
            transaction_pooling: true,
            params: Given(params.collect()),
        };
        explain(&subject, sql)
    }

    #[test]
    fn parameters_are_given_by_number() {
        assert_eq!(parameter("1=42"), Ok((0, "42".to_owned())));
        assert_eq!(parameter("$3=a=b"), Ok((2, "a=b".to_owned())));
        for text in ["", "1", "0=1", "x=1", "-1=1", "65537=1"] {
            assert!(parameter(text).is_err(), "{text}");
        }
        let sql = "select * from matches where organization_id = $1";
        let (text, all) = explained(&[(0, "5")], sql);
        assert!(all, "{text}");
        assert!(
            text.contains("organization_id = 5 -> logical 29 of tenants (hash) -> s1"),
            "{text}"
        );
        let (text, _) = explained(&[], sql);
        assert!(
            text.contains("organization_id = $1 -> tenants (hash)"),
            "{text}"
        );
        let given = |index| not_mentioned(&Given([(index, "5".to_owned())].into()), sql);
        assert_eq!(given(0), None);
        assert_eq!(given(1).as_deref(), Some("there is no parameter $2"));
        let (text, all) = explained(&[(0, "5")], &format!("{sql} /* trunkline: shard=s2 */"));
        assert!(!all && text.contains("the hint shard=s2"), "{text}");
    }

    #[test]
    fn many_values_are_summed_up() {
        let rows: Vec<String> = (0..40).map(|id| format!("(5, {id})")).collect();
        let sql = format!(
            "insert into matches (organization_id, id) values {}",
            rows.join(", ")
        );
        let (text, all) = explained(&[], &sql);
        assert!(all, "{text}");
        assert_eq!(text.matches("logical 29").count(), 1, "{text}");
        let keys: Vec<String> = (0..20_000i64)
            .filter(|key| {
                let place = map().locate(KeyspaceIndex(0), &[KeyValue::Int(*key)]);
                place.is_some_and(|(_, shard)| shard.0 == 0)
            })
            .take(30)
            .map(|key| format!("({key}, 1)"))
            .collect();
        let sql = format!(
            "insert into matches (organization_id, id) values {}",
            keys.join(", ")
        );
        let (text, all) = explained(&[], &sql);
        assert!(all, "{text}");
        assert!(text.contains("(30 values) -> "), "{text}");
        assert!(text.lines().count() < 6, "{text}");
    }

    #[test]
    fn each_statement_is_explained() {
        let (text, all) = explained(
            &[],
            "begin; select * from matches where organization_id = 5; select * from matches",
        );
        assert!(!all);
        assert!(text.contains("Control Begin: BEGIN"), "{text}");
        assert!(
            text.contains("matches: organization_id = 5 -> logical 29 of tenants (hash) -> s1"),
            "{text}"
        );
        assert!(
            text.contains("Refused 0A000: matches is sharded by organization_id"),
            "{text}"
        );
        assert!(text.contains("hint: add organization_id"), "{text}");
        let (_, all) = explained(&[], "select * from matches where organization_id = $1");
        assert!(all);
    }
}
