//! `trunkline serve`.

use std::future::Future;
use std::io::IsTerminal;
use std::num::NonZero;
use std::path::PathBuf;
use std::thread;

use clap::{Args, ValueEnum};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::server::{self, ServeError};

#[derive(Debug, Args)]
pub struct ServeArgs {
    /// The configuration file
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
    /// Threads that serve sessions, each with a runtime of its own; as many as there are processors where it is not
    /// given. With 0 all threads share one runtime
    #[arg(
        long,
        value_name = "NUMBER",
        env = "TRUNKLINE_WORKERS",
        value_parser = clap::value_parser!(u16).range(..=WORKERS_MAX)
    )]
    workers: Option<u16>,
    #[command(flatten)]
    log: LogArgs,
}

#[derive(Args, Clone, Debug)]
pub struct LogArgs {
    /// What to log: error, warn, info, debug, trace, or by module as in RUST_LOG
    #[arg(
        long,
        value_name = "LEVEL",
        default_value = "info",
        env = "TRUNKLINE_LOG"
    )]
    log: String,
    /// How log lines look
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

/// Serves until SIGTERM or SIGINT.
pub fn run(arguments: ServeArgs) -> Result<(), ServeError> {
    log(&arguments.log);
    let runtime = tokio::runtime::Runtime::new().map_err(ServeError::Runtime)?;
    let workers = arguments.workers.unwrap_or_else(processors);
    let outcome =
        runtime.block_on(async { server::serve(arguments.config, workers, stop_signal()?).await });
    // What did not finish in time is cut off, not waited for.
    runtime.shutdown_background();
    outcome
}

/// More threads than anybody has processors.
const WORKERS_MAX: i64 = 1024;

/// How many this process may use.
pub fn processors() -> u16 {
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    processors.min(WORKERS_MAX as usize) as u16
}

/// Ends at the first SIGTERM or SIGINT.
fn stop_signal() -> Result<impl Future<Output = ()>, ServeError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(ServeError::Signal)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(ServeError::Signal)?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Structured lines to standard error. Nothing logged carries a secret or a parameter's value.
pub fn log(arguments: &LogArgs) {
    let filter = EnvFilter::try_new(directives(&arguments.log))
        .unwrap_or_else(|_| EnvFilter::new(LevelFilter::INFO.to_string()));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // A second subscriber in one process is refused; the first one stays.
    let _ = match arguments.log_format {
        LogFormat::Json => lines.json().try_init(),
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).try_init(),
    };
}

/// What was asked for, where a level without a module is meant for this program: beyond `info`, libraries
/// log what passes through them, SQL and passwords too. Who wants theirs names them.
fn directives(asked: &str) -> String {
    let mut all = Vec::new();
    for directive in asked.split(',').map(str::trim) {
        match directive.parse::<LevelFilter>() {
            Ok(level) if level > LevelFilter::INFO => {
                // First, so that more exact ones among the others count.
                all.insert(0, format!("{}={level}", env!("CARGO_CRATE_NAME")));
                all.insert(0, LevelFilter::INFO.to_string());
            }
            _ => all.push(directive.to_owned()),
        }
    }
    all.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_say_no_more_than_info_unless_they_are_named() {
        for (asked, meant) in [
            ("info", "info"),
            ("warn", "warn"),
            ("off", "off"),
            ("trace", "info,trunkline=trace"),
            ("DEBUG", "info,trunkline=debug"),
            ("5", "info,trunkline=trace"),
            (
                "trunkline::session=info, trace",
                "info,trunkline=trace,trunkline::session=info",
            ),
            ("rustls=debug", "rustls=debug"),
            ("debug,rustls=trace", "info,trunkline=debug,rustls=trace"),
        ] {
            assert_eq!(directives(asked), meant, "{asked}");
            assert!(EnvFilter::try_new(directives(asked)).is_ok());
        }
    }
}
