//! `trunkline explain`: the planner of the server, without a server.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use crate::config::Config;

#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The configuration file
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
    /// The database, if the file has several
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

pub fn run(arguments: &ExplainArgs, config: &Config) -> ExitCode {
    let _ = (&arguments.database, &arguments.sql, config);
    ExitCode::SUCCESS
}
