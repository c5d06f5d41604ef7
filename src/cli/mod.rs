//! The command line: `serve`, `check`, `explain`, `lint`, `demo`; one file each.
//!
//! Exit status: 0 when all is well, 1 when something went wrong while running, `check` found an error, or `explain`
//! or `lint` met a refusal, 2 when the arguments or the configuration are wrong.

mod check;
mod demo;
mod explain;
mod lint;
mod serve;
mod subject;

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{self, Config};
use crate::server::{self, ServeError};
use subject::NoSubject;

/// A SQL-aware sharding proxy in front of stock PostgreSQL
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the databases of a configuration file
    Serve(serve::ServeArgs),
    /// Say whether a configuration is valid and fits its servers
    Check {
        /// The configuration file
        #[arg(short, long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Say where a statement would go, and why
    Explain(explain::ExplainArgs),
    /// Say of each statement in files where it would go, and how many stay on one shard
    Lint(lint::LintArgs),
    /// Start a sharded cluster with sample data on this machine, and serve it
    Demo(demo::DemoArgs),
}

const WRONG_INPUT: u8 = 2;

pub fn run() -> ExitCode {
    match Arguments::parse().command {
        Command::Serve(arguments) => match serve::run(arguments) {
            Ok(()) => ExitCode::SUCCESS,
            Err(ServeError::Config(errors)) => wrong_input(&errors),
            Err(error) => failure(&error),
        },
        Command::Check { config } => with_config(&config, check::run),
        Command::Explain(arguments) => with_config(arguments.config(), |config| {
            explain::run(&arguments, config)
        }),
        Command::Lint(arguments) => {
            with_config(arguments.config(), |config| lint::run(&arguments, config))
        }
        Command::Demo(arguments) => {
            serve::log(arguments.log());
            match demo::run(&arguments, async |config, stop| {
                server::serve(config, serve::processors(), stop)
                    .await
                    .map_err(|error| error.to_string())
            }) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => failure(&error),
            }
        }
    }
}

fn with_config(path: &Path, run: impl FnOnce(&Config) -> ExitCode) -> ExitCode {
    match config::load(path, &|name| std::env::var(name).ok()) {
        Ok(config) => run(&config),
        Err(errors) => wrong_input(&errors),
    }
}

fn without_subject(reason: &NoSubject) -> ExitCode {
    match reason {
        NoSubject::WrongInput(message) => wrong_input(message),
        NoSubject::Failure(message) => failure(message),
    }
}

fn wrong_input(errors: &impl Display) -> ExitCode {
    eprintln!("{errors}");
    ExitCode::from(WRONG_INPUT)
}

fn failure(error: &impl Display) -> ExitCode {
    eprintln!("trunkline: {error}");
    ExitCode::FAILURE
}
