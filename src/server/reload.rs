//! Reading the configuration again while serving.

use std::future::Future;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::admin::ReloadRequest;
use crate::auth::Secrets;
use crate::config::{self, Config, Errors};
use crate::session::Shared;
use crate::shardmap::diff;

/// Reads the file with this process's environment.
pub(super) fn load(path: &Path) -> Result<Config, Errors> {
    config::load(path, &|name| std::env::var(name).ok())
}

/// Reloads at each SIGHUP, and when the console asks, until `stop` ends.
pub(super) async fn until(
    mut stop: Pin<&mut impl Future<Output = ()>>,
    path: &Path,
    shared: &Shared,
    secrets: &Secrets,
    mut requests: mpsc::Receiver<ReloadRequest>,
) -> io::Result<()> {
    let mut hangup = signal(SignalKind::hangup())?;
    loop {
        tokio::select! {
            () = &mut stop => return Ok(()),
            _ = hangup.recv() => {
                let _ = reload_and_log(path, shared, secrets);
            }
            Some(answer) = requests.recv() => {
                // Whoever asked may have left meanwhile.
                let _ = answer.send(reload_and_log(path, shared, secrets));
            }
        }
    }
}

fn reload_and_log(path: &Path, shared: &Shared, secrets: &Secrets) -> Result<String, String> {
    let outcome = reload(path, shared, secrets);
    match &outcome {
        Ok(notes) => tracing::info!(%notes, "configuration reloaded"),
        Err(error) => tracing::error!(%error, "configuration not reloaded, the old one stays"),
    }
    outcome
}

/// Takes the file's configuration. A bad file changes nothing. The answer says what a reload does not
/// do: some settings wait for the next start, and rows stay where they are.
fn reload(path: &Path, shared: &Shared, secrets: &Secrets) -> Result<String, String> {
    let config = load(path).map_err(|errors| errors.to_string())?;
    let before = shared.topology.snapshot();
    let mut notes = compare_maps(&before.config, &config)?;
    if config.listen != before.config.listen {
        notes.push("listen addresses change at the next start".to_owned());
    }
    if config.http != before.config.http {
        notes.push("the http address changes at the next start".to_owned());
    }
    secrets.prepare(&config.users);
    if let Err(error) = shared.topology.reload(&Arc::new(config)) {
        secrets.prepare(&before.config.users);
        return Err(error.to_string());
    }
    Ok(notes.join("; "))
}

/// Refuses a map under which rows would be looked for where they are not: a reload moves none. The
/// answer says what it takes on trust.
fn compare_maps(before: &Config, after: &Config) -> Result<Vec<String>, String> {
    let mut notes = Vec::new();
    for (name, database) in &after.databases {
        let Some(old) = before.databases.get(name) else {
            continue;
        };
        let diff = diff(&old.map, &database.map);
        if !diff.stranding.is_empty() {
            return Err(format!(
                "database {name}: {}; no row would be moved: move the rows while no client is \
                 connected, then start anew with this file",
                diff.stranding.join("; ")
            ));
        }
        let trusted =
            |change| format!("database {name}: {change}, its rows must be in place already");
        notes.extend(diff.assuming.iter().map(trusted));
    }
    Ok(notes)
}
