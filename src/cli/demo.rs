//! `trunkline demo`: shards with replicas, a sample database and the proxy, on this machine alone.
//!
//! ```text
//! DIR/state             what is in DIR: loading, or loaded with how many shards and which scale
//! DIR/lock              held while a demo runs
//! DIR/trunkline.yaml    the configuration, written anew at every start
//! DIR/shards/s1/a, b    the primary and the replica of the first shard
//! ```
//!
//! Until the sample is loaded, Ctrl-C simply ends the process: the servers' watchdogs stop them,
//! and the next run starts over. From then on it stops everything in order.

mod layout;
mod text;

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::signal::unix::{SignalKind, signal};
use tokio_postgres::{Client, NoTls};

use crate::cluster::sample::{self, Sample};
use crate::cluster::{
    Durability, Error as ClusterError, Host, Ports, SUPERUSER, ServerOptions, ShardCluster,
    Shutdown,
};
use crate::shardmap::{HashFunction, Placement, ShardId};
use crate::types::KeyValue;
use layout::{Layout, State};

/// One streaming replica follows each primary.
const REPLICAS: usize = 1;
const LOGICAL_SHARDS: u32 = 256;
/// The demo is on loopback and its passwords are printed: they keep nothing secret.
const APP: &str = "app";
const SERVICE: &str = "trunkline";

/// Starts a sharded cluster with sample data on this machine, and serves it.
#[derive(Args, Clone, Debug)]
pub struct DemoArgs {
    /// Where the data is kept [default: .demo, or /var/tmp/trunkline-demo for a root whose
    /// current directory the account `postgres` cannot enter]
    #[arg(long)]
    dir: Option<PathBuf>,
    /// The port clients connect to
    #[arg(long, default_value_t = 6432)]
    port: u16,
    /// The port of metrics and probes
    #[arg(long, default_value_t = 9632)]
    http_port: u16,
    /// How many shards to start
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=16))]
    shards: u16,
    /// How much sample data: 1 is about a million rows
    #[arg(long, default_value_t = 1.0, value_parser = scale)]
    scale: f64,
    /// Load the data, then stop
    #[arg(long)]
    no_serve: bool,
    #[command(flatten)]
    log: super::serve::LogArgs,
}

impl DemoArgs {
    pub fn log(&self) -> &super::serve::LogArgs {
        &self.log
    }
}

/// Ends when the demo should stop.
pub type ShutdownSignal = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Why the demo could not run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error("port {port} of 127.0.0.1 is in use; choose another with {option}")]
    PortInUse { port: u16, option: &'static str },
    #[error("{} has something in it that no demo made; choose another directory with --dir", .dir.display())]
    NotOurs { dir: PathBuf },
    #[error("a demo is already running in {}", .dir.display())]
    Running { dir: PathBuf },
    #[error("cannot {action} {}: {source}", .path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("cannot start the asynchronous runtime: {0}")]
    Runtime(std::io::Error),
    #[error("{0}")]
    Serve(String),
}

/// Runs the demo. `serve` takes the path of a configuration file and serves it until the signal;
/// it is a parameter so that this file knows nothing of the server.
pub fn run<S, F>(arguments: &DemoArgs, serve: S) -> Result<(), Error>
where
    S: FnOnce(PathBuf, ShutdownSignal) -> F,
    F: Future<Output = Result<(), String>>,
{
    if !arguments.no_serve {
        for (port, option) in [
            (arguments.port, "--port"),
            (arguments.http_port, "--http-port"),
        ] {
            if !Ports::is_free(port) {
                return Err(Error::PortInUse { port, option });
            }
        }
    }
    let runtime = tokio::runtime::Runtime::new().map_err(Error::Runtime)?;
    let host = Host::detect()?;
    let layout = Layout::claim(arguments.dir.as_deref(), &host)?;
    let wanted = State::Loaded {
        shards: arguments.shards,
        scale: arguments.scale,
    };
    let started = Instant::now();
    let mut shards = if layout.state()? == wanted {
        println!(
            "starting {} shards with the data in {}",
            arguments.shards,
            layout.dir().display()
        );
        start_shards(&host, &layout, arguments.shards, ShardCluster::reopen)?
    } else {
        let shards = create(arguments, &host, &layout, &runtime)?;
        layout.set_state(wanted)?;
        shards
    };
    println!("ready after {:.1} s", started.elapsed().as_secs_f64());
    let served = match arguments.no_serve {
        true => Ok(()),
        false => runtime.block_on(serve_until_signal(arguments, &layout, &shards, serve)),
    };
    println!(
        "stopping {} servers",
        shards
            .iter()
            .map(|shard| shard.servers().len())
            .sum::<usize>()
    );
    thread::scope(|scope| {
        for shard in &mut shards {
            scope.spawn(|| shard.stop(Shutdown::Fast));
        }
    });
    served
}

/// Makes the shards and loads the sample, after throwing away what an earlier run left.
fn create(
    arguments: &DemoArgs,
    host: &Arc<Host>,
    layout: &Layout,
    runtime: &tokio::runtime::Runtime,
) -> Result<Vec<ShardCluster>, Error> {
    layout.set_state(State::Loading)?;
    layout.clear()?;
    let dir = layout.dir().display();
    println!(
        "making {} shards, each with a replica, in {dir}",
        arguments.shards
    );
    let shards = start_shards(
        host,
        layout,
        arguments.shards,
        |host, dir, replicas, options| ShardCluster::create(host, dir, replicas, options, None),
    )?;
    runtime.block_on(load(&shards, Sample::new(arguments.scale)))?;
    Ok(shards)
}

fn start_shards<S>(
    host: &Arc<Host>,
    layout: &Layout,
    count: u16,
    start: S,
) -> Result<Vec<ShardCluster>, Error>
where
    S: Fn(
            &Arc<Host>,
            &std::path::Path,
            usize,
            &ServerOptions,
        ) -> Result<ShardCluster, ClusterError>
        + Sync,
{
    let options = ServerOptions {
        durability: Durability::Durable,
        password: SUPERUSER.to_owned(),
        settings: Vec::new(),
    };
    host.account.create_dir(&layout.shards())?;
    thread::scope(|scope| {
        let (start, options) = (&start, &options);
        let starting: Vec<_> = (0..count)
            .map(|index| {
                let dir = layout.shards().join(shard_name(index));
                scope.spawn(move || start(host, &dir, REPLICAS, options))
            })
            .collect();
        let join = |thread: thread::ScopedJoinHandle<'_, Result<ShardCluster, ClusterError>>| {
            // A panic goes on where it can be seen.
            thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        starting
            .into_iter()
            .map(join)
            .collect::<Result<_, _>>()
            .map_err(Error::from)
    })
}

/// Loads all shards at the same time, each with the rows the proxy will look for there.
async fn load(shards: &[ShardCluster], sample: Sample) -> Result<(), Error> {
    let function = HashFunction {
        logical_shards: LOGICAL_SHARDS,
    };
    let placement = Arc::new(Placement::even(LOGICAL_SHARDS, shards.len() as u16));
    let rows = sample.rows(|_| true) + sample.reference_rows() * shards.len() as u64;
    let bar = progress_bar(rows);
    let mut tasks = tokio::task::JoinSet::new();
    for (index, shard) in shards.iter().enumerate() {
        let (port, bar) = (shard.primary().port(), bar.clone());
        let (function, placement) = (function.clone(), Arc::clone(&placement));
        tasks.spawn(async move {
            prepare_database(port).await?;
            let belongs = |organization| {
                let logical = function.logical_shard(&[KeyValue::Int(organization)]);
                logical.map(|logical| placement.shard(logical)) == Some(ShardId(index as u16))
            };
            let app = connect(port, APP, APP, APP).await?;
            sample::load(&app, &sample, belongs, |rows| bar.inc(rows)).await
        });
    }
    while let Some(task) = tasks.join_next().await {
        match task {
            Ok(loaded) => loaded?,
            // Nobody cancels these tasks, so it panicked.
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
    bar.finish_and_clear();
    println!("loaded {rows} rows");
    Ok(())
}

/// The roles and the database that every shard has.
async fn prepare_database(port: u16) -> Result<(), ClusterError> {
    let client = connect(port, SUPERUSER, SUPERUSER, "postgres").await?;
    let statements = [
        format!("create role {APP} login password '{APP}'"),
        format!("create role {SERVICE} login password '{SERVICE}' in role pg_monitor"),
        format!("create database {APP} owner {APP}"),
    ];
    for statement in statements {
        let failed = |source| ClusterError::Sql {
            context: format!("cannot {statement}"),
            source,
        };
        client.batch_execute(&statement).await.map_err(failed)?;
    }
    Ok(())
}

async fn connect(
    port: u16,
    user: &str,
    password: &str,
    dbname: &str,
) -> Result<Client, ClusterError> {
    let mut settings = tokio_postgres::Config::new();
    settings
        .host("127.0.0.1")
        .port(port)
        .user(user)
        .password(password)
        .dbname(dbname);
    let failed = |source| ClusterError::Sql {
        context: format!("cannot connect to port {port}"),
        source,
    };
    let (client, connection) = settings.connect(NoTls).await.map_err(failed)?;
    // It ends with its client; what went wrong, the client tells.
    tokio::spawn(connection);
    Ok(client)
}

async fn serve_until_signal<S, F>(
    arguments: &DemoArgs,
    layout: &Layout,
    shards: &[ShardCluster],
    serve: S,
) -> Result<(), Error>
where
    S: FnOnce(PathBuf, ShutdownSignal) -> F,
    F: Future<Output = Result<(), String>>,
{
    // Before anything is announced: from here on, a signal stops everything in order.
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::Runtime)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::Runtime)?;
    let config = layout.write_config(&text::config(arguments, shards))?;
    println!("{}", text::greeting(arguments, &config, shards));
    let stop = async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    serve(config, Box::pin(stop)).await.map_err(Error::Serve)
}

fn shard_name(index: u16) -> String {
    format!("s{}", index + 1)
}

fn progress_bar(rows: u64) -> ProgressBar {
    let template = "loading {bar:40} {human_pos} of {human_len} rows, {eta} left";
    let bar = ProgressBar::new(rows);
    // The template is a constant; were it wrong, the bar would have its own look.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

fn scale(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(scale) if (0.001..=100.0).contains(&scale) => Ok(scale),
        _ => Err("a number from 0.001 to 100 is needed".to_owned()),
    }
}
