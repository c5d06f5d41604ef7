//! `trunkline explain -c FILE 'SQL'`: where each statement would go and why, without a server. The same
//! planner and the same lines as a running proxy's.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use crate::config::{Config, Database, PoolMode};
use crate::error::PgError;
use crate::plan::{Plan, Values};
use crate::planner::{Context, Schema, plan};
use crate::shardmap::ShardMap;
use crate::sql;

#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The configuration file
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
    /// The database, where the file has several
    #[arg(short, long)]
    database: Option<String>,
    /// One or more statements
    sql: String,
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
    let pooled = database.pool.mode == PoolMode::Transaction;
    let (answer, all_planned) = explain(&database.map, pooled, &arguments.sql);
    print!("{answer}");
    if all_planned {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn database<'a>(config: &'a Config, name: Option<&str>) -> Result<&'a Database, String> {
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

/// Each statement, its plan or refusal, and whether all of them have a plan.
pub(crate) fn explain(map: &ShardMap, transaction_pooling: bool, text: &str) -> (String, bool) {
    let pieces = match sql::split(text) {
        Ok(pieces) => pieces,
        Err(error) => return (refusal(&error), false),
    };
    let schema = Schema::default();
    let context = Context {
        map,
        schema: &schema,
        search_path: None,
        role: "app",
        hint: None,
        param_types: &[],
        transaction_pooling,
    };
    let mut answers = Vec::new();
    let mut all = true;
    for piece in pieces {
        let statement = &text[piece.range];
        let answer = plan(statement, &context).and_then(|planned| {
            // Literal keys on several shards are found only by following them.
            if let Plan::Route(route) = &planned
                && !route.needs_params()
            {
                route.resolve(map, Values::NONE)?;
            }
            Ok(planned.lines(map, Values::NONE).join("\n") + "\n")
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

    #[test]
    fn each_statement_is_explained() {
        let (text, all) = explain(
            &map(),
            true,
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
        let (_, all) = explain(
            &map(),
            true,
            "select * from matches where organization_id = $1",
        );
        assert!(all);
    }
}
