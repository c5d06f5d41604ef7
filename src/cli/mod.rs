//! The command line: `serve`, `check`, `explain`, `demo`; one file each.

mod check;
mod demo;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A SQL-aware sharding proxy in front of stock PostgreSQL
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::DemoArgs),
}

pub fn run() -> ExitCode {
    let outcome = match Arguments::parse().command {
        // Until `serve` is there, the demo runs its shards and waits for the signal.
        Command::Demo(arguments) => demo::run(&arguments, async |_config, stop| {
            stop.await;
            Ok(())
        }),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("trunkline: {error}");
            ExitCode::FAILURE
        }
    }
}
