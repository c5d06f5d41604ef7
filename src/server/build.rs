//! From a configuration to a running proxy.

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use super::balance;
use super::core_dump;
use super::descriptors;
use super::drain;
use super::reload;
use crate::admin::ReloadHandle;
use crate::auth::Secrets;
use crate::config::{self, Address, Config};
use crate::frontend::{Doors, Gate, last_words, receive};
use crate::http;
use crate::metrics::Metrics;
use crate::net::{Listener, Spare, TlsError, Workers, is_exhausted, timer};
use crate::session::{Globals, Refusal, Registry, Shared};
use crate::topology::Topology;

/// Why serving could not begin.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("{0}")]
    Config(config::Errors),
    #[error("cannot listen on {address}: {error}")]
    Listen { address: String, error: io::Error },
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("cannot start the asynchronous runtime: {0}")]
    Runtime(io::Error),
    #[error("cannot handle signals: {0}")]
    Signal(io::Error),
}

/// Where not even one descriptor can be had: others must close something first.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(50);

/// Serves the configuration in `path` until `stop` ends, then drains: sessions by so many workers, or all in the
/// calling runtime. SIGHUP, and the console's RELOAD, read the file again.
pub async fn serve(
    path: PathBuf,
    workers: u16,
    stop: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    // Before there is a secret in memory.
    core_dump::forbid();
    let config = Arc::new(reload::load(&path).map_err(ServeError::Config)?);
    descriptors::prepare(&config);
    let metrics = Metrics::new();
    let listeners = listen(&config)?;
    let http = listen_http(&config).await?;
    let topology = Topology::start(config.clone(), metrics.clone())?;
    let shared = Arc::new(Shared {
        topology,
        registry: Arc::new(Registry::default()),
        globals: Globals::default(),
        metrics,
    });
    let (reload, reload_requests) = ReloadHandle::new();
    let secrets = Secrets::new();
    // Derived ahead, so that the time of a first login does not tell whether the user exists.
    secrets.prepare(&config.users);
    let doors = Arc::new(Doors {
        shared: shared.clone(),
        secrets: secrets.clone(),
        gate: Gate::default(),
        reload,
        workers: Workers::start(workers).map_err(ServeError::Runtime)?,
    });
    let sweeping = tokio::spawn(shared.registry.clone().sweep());
    let balancing = tokio::spawn(balance::run(
        doors.workers.clone(),
        shared.registry.clone(),
        shared.metrics.clone(),
    ));
    let (closing, closed) = watch::channel(false);
    let spare = Arc::new(Spare::new());
    let accepting: Vec<_> = listeners
        .into_iter()
        .map(|listener| accept(doors.clone(), listener, spare.clone(), closed.clone()))
        .map(tokio::spawn)
        .collect();
    let (http_stop, http_stopped) = oneshot::channel::<()>();
    let http = http.map(|listener| {
        let stopped = async {
            let _ = http_stopped.await;
        };
        tokio::spawn(http::serve(listener, shared.clone(), stopped))
    });
    announce(&config);
    reload::until(pin!(stop), &path, &shared, &secrets, reload_requests)
        .await
        .map_err(ServeError::Signal)?;

    // No new client gets in from here on; those inside finish what they have begun.
    let _ = closing.send(true);
    for task in accepting {
        let _ = task.await;
    }
    drain::sessions(
        &shared.registry,
        shared.topology.snapshot().config.drain_timeout,
    )
    .await;
    sweeping.abort();
    balancing.abort();
    doors.workers.stop().await;
    shared.topology.close();
    let _ = http_stop.send(());
    finish_http(http).await;
    Ok(())
}

fn listen(config: &Config) -> Result<Vec<Listener>, ServeError> {
    let bind = |address: &Address| {
        Listener::bind(address).map_err(|error| ServeError::Listen {
            address: address.to_string(),
            error,
        })
    };
    config.listen.iter().map(bind).collect()
}

async fn listen_http(config: &Config) -> Result<Option<TcpListener>, ServeError> {
    let Some(address) = config.http else {
        return Ok(None);
    };
    match TcpListener::bind(address).await {
        Ok(listener) => Ok(Some(listener)),
        Err(error) => Err(ServeError::Listen {
            address: address.to_string(),
            error,
        }),
    }
}

async fn accept(
    doors: Arc<Doors>,
    listener: Listener,
    spare: Arc<Spare>,
    mut closed: watch::Receiver<bool>,
) {
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => receive(&doors, stream, peer),
                Err(error) => not_accepted(&doors, &listener, &spare, &error).await,
            },
            // An error means that the server is gone, and the listener should go too.
            _ = closed.changed() => return,
        }
    }
}

/// Without descriptors the client at the head of the queue is told so, because it would wait in vain.
async fn not_accepted(doors: &Doors, listener: &Listener, spare: &Spare, error: &io::Error) {
    let clients = &doors.shared.metrics.clients;
    clients.accept_errors.inc();
    tracing::warn!(%error, "a client could not be accepted");
    if is_exhausted(error) {
        if listener
            .shed(spare, &last_words(Refusal::Descriptors))
            .await
        {
            clients.refused(Refusal::Descriptors.name()).inc();
        } else {
            timer::sleep(EXHAUSTED_PAUSE).await;
        }
    }
}

fn announce(config: &Config) {
    for address in &config.listen {
        tracing::info!(%address, "listening for clients");
    }
    if let Some(address) = config.http {
        tracing::info!(%address, "serving metrics and probes");
    }
}

async fn finish_http(http: Option<JoinHandle<io::Result<()>>>) {
    let Some(task) = http else {
        return;
    };
    let abort = task.abort_handle();
    if timer::timeout(drain::HTTP_TIMEOUT, task).await.is_err() {
        abort.abort();
    }
}
