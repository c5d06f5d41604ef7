//! Shards, their replicas and the oracle, in a temporary directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::thread;

use trunkline::internals::cluster::sample::{self, Sample};
use trunkline::internals::cluster::{
    Durability, Host, SUPERUSER, Server, ServerOptions, ShardCluster, Watchdog,
};
use trunkline::internals::{even_placement, logical_shard, place_evenly};

use crate::client;

/// The role the tests connect as, its password, and the database.
pub const APP: &str = "app";
/// The role the proxy monitors the servers with.
pub const SERVICE: &str = "trunkline";
pub const LOGICAL_SHARDS: u32 = 256;

/// What a test binary needs.
#[derive(Clone, Debug)]
pub struct Setup {
    pub shards: usize,
    pub replicas: usize,
    /// How much of the sample database to load; `None` leaves the databases empty.
    pub sample: Option<f64>,
    /// Statements for every shard and the oracle, run as [`APP`] after the sample.
    pub everywhere: &'static str,
    /// Statements for the default shard and the oracle: tables that are not listed.
    pub default_shard: &'static str,
    pub settings: Vec<(String, String)>,
    /// What the databases sort by, a locale of ICU; `None` for bytes.
    pub icu_locale: Option<&'static str>,
    pub placement: Placement,
}

/// Which shard has which logical shards.
#[derive(Clone, Copy, Debug, Default)]
pub enum Placement {
    #[default]
    Even,
    /// Of each shard in turn: the first and the last of each range. A shard may have none.
    Ranges(&'static [&'static [(u32, u32)]]),
}

impl Placement {
    /// The index of the shard of a logical shard.
    pub fn shard(self, logical: u32, shards: usize) -> usize {
        let Self::Ranges(ranges) = self else {
            return place_evenly(logical, LOGICAL_SHARDS, shards);
        };
        let has = |ranges: &&[(u32, u32)]| {
            let mut ranges = ranges.iter();
            ranges.any(|(first, last)| (*first..=*last).contains(&logical))
        };
        let found = ranges.iter().position(has);
        found.expect("every logical shard is placed")
    }

    /// The logical shards of each shard in turn, as the configuration writes them; `None` where it has none.
    pub fn texts(self, shards: usize) -> Vec<Option<String>> {
        let Self::Ranges(ranges) = self else {
            let even = even_placement(LOGICAL_SHARDS, shards);
            return even.into_iter().map(Some).collect();
        };
        let range = |(first, last): &(u32, u32)| format!("{first}-{last}");
        let list = |ranges: &&[(u32, u32)]| ranges.iter().map(range).collect::<Vec<_>>();
        let lists = ranges.iter().map(list);
        lists
            .map(|list| (!list.is_empty()).then(|| format!("[ {} ]", list.join(", "))))
            .collect()
    }
}

impl Default for Setup {
    /// Two shards without replicas and about ten thousand rows.
    fn default() -> Self {
        Self {
            shards: 2,
            replicas: 0,
            sample: Some(0.01),
            everywhere: "",
            default_shard: "",
            settings: Vec::new(),
            icu_locale: None,
            placement: Placement::Even,
        }
    }
}

/// Running shards `s1`, `s2`, … and an oracle that has the rows of all of them.
#[derive(Debug)]
pub struct Cluster {
    // Dropped in this order: servers, then the directory.
    pub shards: Vec<ShardCluster>,
    pub oracle: Server,
    pub host: Arc<Host>,
    pub placement: Placement,
    pub scratch: Scratch,
}

impl Cluster {
    /// Starts everything, from a thread of its own because tests may be asynchronous.
    pub fn start(setup: &Setup) -> Self {
        thread::scope(|scope| scope.spawn(|| start(setup)).join())
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    pub fn shard_name(index: usize) -> String {
        format!("s{}", index + 1)
    }

    /// The index of the shard where the rows of an organization belong.
    pub fn shard_of(&self, organization: i64) -> usize {
        place(self.placement, organization, self.shards.len())
    }

    /// An organization of the sample that lives on this shard.
    pub fn organization_on(&self, shard: usize) -> i64 {
        let mut here = self.organizations_on(shard);
        here.next().expect("200 organizations meet every shard")
    }

    /// All of them, rising.
    pub fn organizations_on(&self, shard: usize) -> impl Iterator<Item = i64> {
        (1..=200).filter(move |id| self.shard_of(*id) == shard)
    }

    pub fn primary_port(&self, shard: usize) -> u16 {
        self.shards[shard].primary().port()
    }
}

fn start(setup: &Setup) -> Cluster {
    let host = host();
    let scratch = Scratch::new(&host);
    let options = ServerOptions {
        durability: Durability::Throwaway,
        password: SUPERUSER.to_owned(),
        settings: setup.settings.clone(),
    };
    let server = |name: &str| {
        let port = host.ports.take().unwrap();
        Server::open(
            Arc::clone(&host),
            &scratch.path().join(name),
            port,
            options.clone(),
        )
        .unwrap()
    };
    let template = server("template");
    template.init().unwrap_or_else(|error| panic!("{error}"));
    let mut oracle = server("oracle");
    let shards = thread::scope(|scope| {
        let starting: Vec<_> = (0..setup.shards)
            .map(|index| {
                let (host, options, template) = (&host, &options, &template);
                let dir = scratch.path().join(Cluster::shard_name(index));
                scope.spawn(move || {
                    ShardCluster::create(host, &dir, setup.replicas, options, Some(template))
                        .unwrap_or_else(|error| panic!("{error}"))
                })
            })
            .collect();
        oracle
            .init_from_copy(&template)
            .unwrap_or_else(|error| panic!("{error}"));
        oracle.start(None).unwrap_or_else(|error| panic!("{error}"));
        starting
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect::<Vec<_>>()
    });
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(fill(setup, &shards, &oracle));
    Cluster {
        shards,
        oracle,
        host,
        placement: setup.placement,
        scratch,
    }
}

/// One for the whole process, so that two clusters do not take the same port.
fn host() -> Arc<Host> {
    static HOST: OnceLock<Arc<Host>> = OnceLock::new();
    let detect = || Host::detect().unwrap_or_else(|error| panic!("{error}"));
    Arc::clone(HOST.get_or_init(detect))
}

async fn fill(setup: &Setup, shards: &[ShardCluster], oracle: &Server) {
    let mut tasks = tokio::task::JoinSet::new();
    for index in 0..shards.len() {
        let port = shards[index].primary().port();
        let (setup, count) = (setup.clone(), shards.len());
        tasks.spawn(async move {
            let default = if index == 0 { setup.default_shard } else { "" };
            fill_one(port, &setup, default, |id| {
                place(setup.placement, id, count) == index
            })
            .await;
        });
    }
    fill_one(oracle.port(), setup, setup.default_shard, |_| true).await;
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
}

async fn fill_one(port: u16, setup: &Setup, more: &str, belongs: impl Fn(i64) -> bool) {
    let superuser = client::connect_as(port, SUPERUSER, SUPERUSER, "postgres").await;
    for statement in [
        format!("create role {APP} login password '{APP}'"),
        format!("create role {SERVICE} login password '{SERVICE}' in role pg_monitor"),
        create_database(setup.icu_locale),
    ] {
        superuser.batch_execute(&statement).await.unwrap();
    }
    let app = client::connect(port).await;
    if let Some(scale) = setup.sample {
        sample::load(&app, &Sample::new(scale), belongs, |_| {})
            .await
            .unwrap();
    }
    app.batch_execute(setup.everywhere).await.unwrap();
    app.batch_execute(more).await.unwrap();
}

fn create_database(icu_locale: Option<&str>) -> String {
    let locale = icu_locale
        .map(|locale| format!(" locale_provider icu icu_locale '{locale}' template template0"));
    format!(
        "create database {APP} owner {APP}{}",
        locale.unwrap_or_default()
    )
}

fn place(placement: Placement, organization: i64, shards: usize) -> usize {
    placement.shard(logical_shard(organization, LOGICAL_SHARDS), shards)
}

/// A temporary directory that goes away with the process.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    _watchdog: Watchdog,
}

impl Scratch {
    fn new(host: &Host) -> Self {
        let name = format!("trunkline-test-{}", std::process::id());
        let path = (0..)
            .map(|n| std::env::temp_dir().join(format!("{name}-{n}")))
            .find(|path| fs::create_dir(path).is_ok())
            .expect("some name is free");
        host.account.own(&path).unwrap();
        host.account
            .can_enter(&path)
            .unwrap_or_else(|error| panic!("{error}"));
        let watchdog = Watchdog::remove_directory(&path).unwrap();
        Self {
            path,
            _watchdog: watchdog,
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}
