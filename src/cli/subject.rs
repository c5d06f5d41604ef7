//! For whose session statements are planned on the command line: one that has just logged in to a database of a
//! configuration file. Without `--connect` no server is asked: then columns, views and functions are not known.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use crate::config::{Config, Database, PoolMode};
use crate::error::PgError;
use crate::metrics::Metrics;
use crate::plan::{ParamValues, Plan, Values};
use crate::planner::{Asker, Schema, plan};
use crate::session::Settings;
use crate::shardmap::ShardMap;
use crate::topology::LiveDatabase;

#[derive(Debug, Args)]
pub(super) struct SubjectArgs {
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
}

/// Why there is no subject.
#[derive(Debug)]
pub(super) enum NoSubject {
    /// The arguments do not fit the configuration.
    WrongInput(String),
    /// The servers do not tell their catalogs.
    Failure(String),
}

/// What statements are planned for.
pub(super) struct Subject<'a> {
    pub(super) map: &'a ShardMap,
    pub(super) schema: Arc<Schema>,
    pub(super) user: &'a str,
    pub(super) transaction_pooling: bool,
    pub(super) gathers: bool,
}

impl SubjectArgs {
    pub(super) fn config(&self) -> &Path {
        &self.config
    }

    /// Reads the catalogs where that was asked for.
    pub(super) fn subject<'a>(&'a self, config: &'a Config) -> Result<Subject<'a>, NoSubject> {
        let database = database(config, self.database.as_deref()).map_err(NoSubject::WrongInput)?;
        let user = user(config, database, self.user.as_deref()).map_err(NoSubject::WrongInput)?;
        Ok(Subject {
            map: &database.map,
            schema: match self.connect {
                false => Arc::default(),
                true => schema_of(database).map_err(NoSubject::Failure)?,
            },
            user,
            transaction_pooling: database.pool.mode == PoolMode::Transaction,
            gathers: database.gather.is_on(),
        })
    }

    /// What to tell where something was refused: perhaps only because too little was known.
    pub(super) fn advise(&self) {
        if !self.connect {
            eprintln!("columns, views and functions were not known: --connect reads them first");
        }
    }
}

impl Subject<'_> {
    /// The plan of one statement of a session with these settings. Where all its parameters are given they are followed
    /// to their shard, and its literals with them.
    ///
    /// Errors: what the session would be told.
    pub(super) fn plan(
        &self,
        statement: &str,
        settings: &Settings,
        params: &dyn ParamValues,
    ) -> Result<Plan, PgError> {
        let asker = Asker {
            user: self.user,
            search_path: settings.search_path(),
            role: settings.role(),
            hint: settings.hint(),
            param_types: &[],
            transaction_pooling: self.transaction_pooling,
            gathers: self.gathers,
        };
        let planned = match asker.context(self.map, &self.schema) {
            Ok(context) => plan(statement, &context),
            Err(error) => asker
                .control(statement, self.map, &self.schema)
                .ok_or(error),
        }?;
        // Literal keys on several shards are found only by following them.
        if let Plan::Route(route) = &planned
            && route.params().all(|index| params.param(index).is_some())
        {
            route.resolve(self.map, Values::of_params(&[], params))?;
        }
        Ok(planned)
    }
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

/// What a session would be told, in lines.
pub(super) fn refusal(error: &PgError) -> String {
    let mut text = format!("Refused {}: {}\n", error.code, error.message);
    for (name, value) in [("detail", &error.detail), ("hint", &error.hint)] {
        if let Some(value) = value {
            text.push_str(&format!("  {name}: {value}\n"));
        }
    }
    text
}
