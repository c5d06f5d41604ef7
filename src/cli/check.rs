//! `trunkline check`: does the configuration fit the servers?
//!
//! ```text
//! gather (I/O: connections, catalogs) → facts (plain data) → servers, tables, keys (pure) → findings
//! ```
//!
//! Changes nothing anywhere. What it cannot see it says: a server that does not answer is a finding, and
//! its tables are compared on the servers that do.

mod certificate;
mod facts;
mod gather;
mod keys;
mod servers;
mod tables;

use std::fmt;
use std::process::ExitCode;
use std::time::SystemTime;

use crate::config::Config;

/// Prints what `check` finds.
pub(crate) fn run(config: &Config) -> ExitCode {
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return super::failure(&error),
    };
    let report = runtime.block_on(check(config));
    println!("{report}");
    if report.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Connects to every server of every database and compares what is there with the configuration.
/// Bounded by the pools' `connect` timeouts and a limit for the catalog queries.
///
/// May be dropped midway: it only reads.
pub(crate) async fn check(config: &Config) -> Report {
    let mut report = Report {
        findings: certificate::findings(config, SystemTime::now()),
        ..Report::default()
    };
    for database in config.databases.values() {
        let facts = gather::database(config, database).await;
        report.servers += facts
            .shards
            .iter()
            .map(|shard| shard.servers.len())
            .sum::<usize>();
        report.tables += database.map.tables.len();
        let mut findings = servers::findings(database, &facts);
        findings.extend(tables::findings(&database.map, &facts));
        for finding in &mut findings {
            finding.database.clone_from(&database.name);
        }
        // Stable: findings of one weight keep the order in which they were made.
        findings.sort_by_key(|finding| finding.severity);
        report.findings.extend(findings);
    }
    report
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Severity {
    /// Statements would fail or answer wrongly.
    Error,
    /// Works, with a catch one should know.
    Warning,
}

/// One thing that does not fit, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) severity: Severity,
    /// Empty where it is about none.
    pub(crate) database: String,
    /// `None` where it is not about one shard.
    pub(crate) shard: Option<String>,
    /// What it is about: a server, a table, a user.
    pub(crate) object: String,
    pub(crate) message: String,
    pub(crate) way_out: String,
}

impl Finding {
    fn error(
        shard: Option<&str>,
        object: impl Into<String>,
        message: impl Into<String>,
        way_out: impl Into<String>,
    ) -> Self {
        Self {
            severity: Severity::Error,
            database: String::new(),
            shard: shard.map(str::to_owned),
            object: object.into(),
            message: message.into(),
            way_out: way_out.into(),
        }
    }

    fn warning(
        shard: Option<&str>,
        object: impl Into<String>,
        message: impl Into<String>,
        way_out: impl Into<String>,
    ) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(shard, object, message, way_out)
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{severity}: ")?;
        if !self.database.is_empty() {
            write!(f, "database {}, ", self.database)?;
        }
        if let Some(shard) = &self.shard {
            write!(f, "shard {shard}, ")?;
        }
        write!(
            f,
            "{}: {}\n  way out: {}",
            self.object, self.message, self.way_out
        )
    }
}

/// Everything found, errors before warnings within a database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) findings: Vec<Finding>,
    /// How many servers were asked.
    pub(crate) servers: usize,
    /// How many listed tables were compared.
    pub(crate) tables: usize,
}

impl Report {
    pub(crate) fn count(&self, severity: Severity) -> usize {
        self.findings
            .iter()
            .filter(|finding| finding.severity == severity)
            .count()
    }

    /// True where nothing stands in the way of `serve`.
    pub(crate) fn is_ok(&self) -> bool {
        self.count(Severity::Error) == 0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            writeln!(f, "{finding}")?;
        }
        let (errors, warnings) = (self.count(Severity::Error), self.count(Severity::Warning));
        write!(
            f,
            "{} servers, {} listed tables: {errors} errors, {warnings} warnings",
            self.servers, self.tables
        )
    }
}

#[cfg(test)]
mod tests;
