//! Reads from the primaries of all shards what the planner must know of the catalogs.
//!
//! A statement names tables; rows of a sharded table can also be reached through names that are not in
//! the map: a view, a partition, a function. [`catalog`] reads what one server holds, [`shape`] and [`merge`]
//! make one [`Schema`] of all of them.

mod catalog;
mod merge;
mod shape;
mod types;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use self::catalog::{Catalog, Reached};
use self::types::Types;
use super::control::{Control, ControlError, within};
use super::directory::{Directories, DirectoryView};
use super::shard::LiveShard;
use crate::config::{Address, Service};
use crate::error::{PgError, Retry, SqlState};
use crate::metrics::SchemaMetrics;
use crate::net::{Tls, timer};
use crate::planner::Schema;
use crate::shardmap::{MapVersion, ShardId, ShardMap};
use crate::types::translation::Translation;

/// The schema as last loaded, and how to have it loaded again.
pub(super) struct LiveSchema {
    current: ArcSwap<Schema>,
    /// Of `current`, for those who only ask whether it is still theirs. It never is ahead.
    version: AtomicU64,
    types: ArcSwap<Types>,
    /// Of `types`: some shard's are translated.
    translates: AtomicBool,
    /// The configured map, with the directories as last read.
    map: ArcSwap<ShardMap>,
    /// Likewise.
    map_version: AtomicU64,
    directories: ArcSwap<Vec<DirectoryView>>,
    /// Counts requests to load.
    requested: watch::Sender<u64>,
    outcome: watch::Sender<Outcome>,
}

/// How loading went.
#[derive(Clone, Debug, Default)]
struct Outcome {
    /// A load has succeeded at least once.
    loaded: bool,
    /// The last request that a finished load covers.
    covered: u64,
    last_error: Option<String>,
}

impl LiveSchema {
    pub(super) fn new(map: Arc<ShardMap>) -> Arc<Self> {
        Arc::new(Self {
            current: ArcSwap::default(),
            version: AtomicU64::new(0),
            types: ArcSwap::default(),
            translates: AtomicBool::new(false),
            map_version: AtomicU64::new(map.version.0),
            map: ArcSwap::new(map),
            directories: ArcSwap::default(),
            requested: watch::Sender::new(1),
            outcome: watch::Sender::default(),
        })
    }

    pub(super) fn current(&self) -> Arc<Schema> {
        self.current.load_full()
    }

    pub(super) fn map(&self) -> Arc<ShardMap> {
        self.map.load_full()
    }

    pub(super) fn map_version(&self) -> MapVersion {
        MapVersion(self.map_version.load(Ordering::Acquire))
    }

    pub(super) fn directories(&self) -> Arc<Vec<DirectoryView>> {
        self.directories.load_full()
    }

    pub(super) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Some shard has other OIDs of types than the default one.
    pub(super) fn translates(&self) -> bool {
        self.translates.load(Ordering::Acquire)
    }

    /// How those of a shard are told to clients; `None` where they are the default shard's.
    pub(super) fn translation(&self, shard: ShardId) -> Option<Arc<Translation>> {
        self.types.load().of(shard)
    }

    pub(super) fn is_loaded(&self) -> bool {
        self.version() > 0
    }

    /// Asks for a load that starts after this call; the number is for [`Self::covered`].
    pub(super) fn request(&self) -> u64 {
        let mut number = 0;
        self.requested.send_modify(|requested| {
            *requested += 1;
            number = *requested;
        });
        number
    }

    /// Waits for the first load. Cancel safe.
    pub(super) async fn loaded(&self, wait: Duration) -> Result<(), PgError> {
        self.until(wait, |outcome| outcome.loaded).await
    }

    /// Waits for a successful load that started after `request`. Cancel safe.
    pub(super) async fn covered(&self, request: u64, wait: Duration) -> Result<(), PgError> {
        self.until(wait, |outcome| outcome.covered >= request).await
    }

    async fn until(&self, wait: Duration, done: impl Fn(&Outcome) -> bool) -> Result<(), PgError> {
        let mut outcome = self.outcome.subscribe();
        if matches!(
            timer::timeout(wait, outcome.wait_for(|outcome| done(outcome))).await,
            Ok(Ok(_))
        ) {
            return Ok(());
        }
        let reason = self.outcome.borrow().last_error.clone();
        let error = PgError::shard(
            SqlState::CANNOT_CONNECT_NOW,
            "the servers' catalogs have not been read yet",
        )
        .with_detail(reason.unwrap_or_else(|| "The default shard has not answered.".to_owned()))
        .with_hint("Without them no statement can be routed safely.");
        Err(PgError {
            retry: Retry::Safe,
            ..error
        })
    }
}

/// The task that loads.
pub(super) struct Loader {
    pub(super) schema: Arc<LiveSchema>,
    pub(super) map: Arc<ShardMap>,
    /// By `ShardId`.
    pub(super) shards: Vec<Arc<LiveShard>>,
    pub(super) access: Access,
    pub(super) metrics: SchemaMetrics,
}

/// As whom the control plane reads catalogs.
#[derive(Clone)]
pub(super) struct Access {
    pub(super) service: Service,
    pub(super) tls: Arc<Tls>,
}

impl Access {
    /// For the questions of [`catalog`].
    async fn connect_as_given(
        &self,
        address: &Address,
        dbname: &str,
    ) -> Result<Control, ControlError> {
        let Self { service, tls } = self;
        let answer_max = CATALOGS_BYTES_MAX;
        Control::connect_as_given(address, dbname, service, tls, LOAD_TIMEOUT, answer_max).await
    }

    /// A connection whose answers may each be of `answer_max` bytes.
    pub(super) async fn connect(
        &self,
        address: &Address,
        dbname: &str,
        answer_max: usize,
    ) -> Result<Control, ControlError> {
        let Self { service, tls } = self;
        Control::connect(address, dbname, service, tls, LOAD_TIMEOUT, answer_max).await
    }
}

impl Loader {
    /// Loads at once, when asked, and every [`RELOAD_INTERVAL`], until it is dropped.
    pub(super) async fn run(self) {
        let mut requested = self.schema.requested.subscribe();
        let mut read = vec![Last::default(); self.shards.len()];
        let mut directories = Directories::default();
        loop {
            let request = *requested.borrow_and_update();
            let started = Instant::now();
            let pause = match self.load(&mut read).await {
                Ok(()) => {
                    self.load_directories(&mut directories).await;
                    self.note_loaded(&read);
                    let missed = self.missed(&read);
                    self.schema.outcome.send_modify(|outcome| {
                        outcome.loaded = true;
                        if missed.is_none() {
                            outcome.covered = request;
                        }
                        outcome.last_error = missed.clone();
                    });
                    let complete = read.iter().all(|last| last.catalog.is_some());
                    if complete && missed.is_none() {
                        RELOAD_INTERVAL
                    } else {
                        RETRY_INTERVAL
                    }
                }
                Err(error) => {
                    self.metrics.load_failures.inc();
                    self.schema
                        .outcome
                        .send_modify(|outcome| outcome.last_error = Some(error));
                    RETRY_INTERVAL
                }
            };
            tokio::select! {
                () = timer::sleep_until(started + pause) => {}
                // The sender lives in `self`, so this ends with a change only.
                _ = requested.changed() => timer::sleep_until(started + SPACING).await,
            }
        }
    }

    /// Why a shard was not read now that may have been defined on a moment ago: one that has a primary.
    fn missed(&self, read: &[Last]) -> Option<String> {
        let mut shards = self.shards.iter().zip(read);
        shards.find_map(|(shard, last)| shard.primary().and(last.error.clone()))
    }

    /// Reads all shards and publishes what they make together. A shard that does not answer keeps what it had
    /// before; one that never answered is taken to be like the default shard.
    ///
    /// Errors: the default shard's, which must answer.
    async fn load(&self, read: &mut [Last]) -> Result<(), String> {
        let default = usize::from(self.map.default_shard.0);
        let first = self.read_reached(read).await;
        let names = first
            .iter()
            .filter_map(|reading| reading.as_ref().ok())
            .map(|reading| &reading.reached)
            .chain(
                read.iter()
                    .filter_map(|last| Some(&last.catalog.as_ref()?.reached)),
            )
            .flat_map(|reached| reached.relations.keys())
            .chain(self.map.tables.keys())
            .map(|table| table.name.as_str());
        let names: BTreeSet<&str> = names.collect();
        let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
        let mut changed = false;
        let mut failed = None;
        for (place, reading) in self
            .read_namesakes(first, names)
            .await
            .into_iter()
            .enumerate()
        {
            let last = &mut read[place];
            match reading {
                Ok(catalog) => {
                    changed |= last.catalog.as_deref() != Some(&catalog);
                    *last = Last {
                        catalog: Some(Arc::new(catalog)),
                        error: None,
                    };
                }
                Err(error) => {
                    let error = format!("shard {}: {error}", self.shards[place].name);
                    if last.error.as_ref() != Some(&error) {
                        let shard = &*self.shards[place].name;
                        tracing::warn!(shard, error, "schema not loaded");
                        last.error = Some(error.clone());
                    }
                    if place == default {
                        failed = Some(error);
                    }
                }
            }
        }
        if changed || !self.schema.is_loaded() {
            self.publish(read);
        }
        failed.map_or(Ok(()), Err)
    }

    fn note_loaded(&self, read: &[Last]) {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
        let seconds = since_epoch.map_or(0.0, |since| since.as_secs_f64());
        self.metrics.loaded.set(seconds);
        self.metrics
            .version
            .set(i64::try_from(self.schema.version()).unwrap_or(i64::MAX));
        if read.iter().all(|last| last.error.is_none()) {
            self.metrics.loads.inc();
        } else {
            self.metrics.load_failures.inc();
        }
    }

    async fn load_directories(&self, directories: &mut Directories) {
        let map = self.schema.map();
        let next = directories.load(&map, &self.shards, &self.access).await;
        if let Some(next) = next {
            let version = next.version.0;
            self.schema.map.store(Arc::new(next));
            self.schema.map_version.store(version, Ordering::Release);
        }
        let views = directories.views(&self.schema.map());
        if *self.schema.directories() != views {
            self.schema.directories.store(Arc::new(views));
        }
    }

    /// Takes effect for statements planned from now on. Nothing without the default shard's catalog.
    fn publish(&self, read: &[Last]) {
        let default = usize::from(self.map.default_shard.0);
        if read.get(default).is_none_or(|last| last.catalog.is_none()) {
            return;
        }
        let others = (0..read.len()).filter(|place| *place != default);
        let shards: Vec<_> = std::iter::once(default)
            .chain(others)
            .filter_map(|place| {
                let catalog = read[place].catalog.as_deref()?;
                Some((&*self.shards[place].name, catalog))
            })
            .collect();
        let mut schema = merge::merge(&self.map, &shards);
        let redefines = self.publish_types(read, default);
        let before = self.schema.current();
        schema.version = before.version;
        if before.version == 0 || *before != schema || redefines {
            schema.version = before.version + 1;
            let begin_otherwise = before.version > 0
                && (before.default_paths != schema.default_paths
                    || before.default_roles != schema.default_roles);
            if begin_otherwise {
                // First: who plans by the new state must not find a connection from before it taken for a new one.
                self.renew_connections();
            }
            let version = schema.version;
            self.schema.current.store(Arc::new(schema));
            self.schema.version.store(version, Ordering::Release);
        }
    }

    /// True where a name means another type than before.
    fn publish_types(&self, read: &[Last], default: usize) -> bool {
        let before = self.schema.types.load();
        let types = Types::read(read, default, &before);
        let (translates, redefines) = (types.translate(), types.redefine(&before));
        self.schema.types.store(Arc::new(types));
        self.schema.translates.store(translates, Ordering::Release);
        redefines
    }

    /// Those that are open keep the `search_path` and the role they began with, which statements are not planned for
    /// any more.
    fn renew_connections(&self) {
        for server in self.shards.iter().flat_map(|shard| &shard.servers) {
            let pools = server.pools.all();
            pools.values().for_each(|found| found.pool.renew());
        }
    }

    /// The first question to each shard, all at once.
    async fn read_reached(&self, read: &[Last]) -> Vec<Result<Reading, String>> {
        let default = usize::from(self.map.default_shard.0);
        let mut tasks = JoinSet::new();
        for (place, shard) in self.shards.iter().enumerate() {
            let visit = Visit {
                shard: Arc::clone(shard),
                map: Arc::clone(&self.map),
                access: self.access.clone(),
            };
            // At start its first answer is a moment away.
            let patient = place == default || read[place].error.is_none();
            tasks.spawn(async move { (place, visit.read(patient).await) });
        }
        gathered(tasks, self.shards.len()).await
    }

    async fn read_namesakes(
        &self,
        readings: Vec<Result<Reading, String>>,
        names: Vec<String>,
    ) -> Vec<Result<Catalog, String>> {
        let names = Arc::new(names);
        let mut tasks = JoinSet::new();
        for (place, reading) in readings.into_iter().enumerate() {
            let names = Arc::clone(&names);
            tasks.spawn(async move {
                let catalog = match reading {
                    Ok(reading) => reading.finish(&names).await,
                    Err(error) => Err(error),
                };
                (place, catalog)
            });
        }
        gathered(tasks, self.shards.len()).await
    }
}

/// Results by their place.
async fn gathered<T: 'static>(
    mut tasks: JoinSet<(usize, Result<T, String>)>,
    count: usize,
) -> Vec<Result<T, String>> {
    let mut results: Vec<_> = (0..count)
        .map(|_| Err("the task that reads its catalogs ended".to_owned()))
        .collect();
    while let Some(task) = tasks.join_next().await {
        // A task ends early only by a panic, which has been reported where it happened.
        if let Ok((place, result)) = task {
            results[place] = result;
        }
    }
    results
}

/// What a shard last said.
#[derive(Clone, Default)]
struct Last {
    catalog: Option<Arc<Catalog>>,
    /// Since then it has not answered.
    error: Option<String>,
}

/// A look at one shard's catalogs.
struct Visit {
    shard: Arc<LiveShard>,
    map: Arc<ShardMap>,
    access: Access,
}

/// A visit that has the first answer.
struct Reading {
    control: Control,
    address: Address,
    reached: Reached,
}

impl Visit {
    /// Waits a moment for a primary where it is `patient`.
    async fn read(self, patient: bool) -> Result<Reading, String> {
        let wait = if patient {
            RETRY_INTERVAL
        } else {
            Duration::ZERO
        };
        let Some((_, primary)) = self.shard.primary_by(Instant::now() + wait).await else {
            let error = self.shard.no_primary_error();
            return Err(format!(
                "{}: {}",
                error.message,
                error.detail.unwrap_or_default()
            ));
        };
        let (address, dbname) = (&primary.address, &self.shard.dbname);
        let read = async {
            let control = self.access.connect_as_given(address, dbname).await?;
            let reading = control.question(catalog::reached(&control, &self.map));
            let reached = within(LOAD_TIMEOUT, reading).await?;
            Ok((control, reached))
        };
        match read.await {
            Ok((control, reached)) => Ok(Reading {
                control,
                address: address.clone(),
                reached,
            }),
            Err(error) => Err(said(address, &error)),
        }
    }
}

impl Reading {
    async fn finish(self, names: &[String]) -> Result<Catalog, String> {
        let Self {
            control,
            address,
            reached,
        } = self;
        let reading = control.question(catalog::namesakes(&control, reached, names));
        within(LOAD_TIMEOUT, reading)
            .await
            .map_err(|error| said(&address, &error))
    }
}

pub(super) fn said(address: &Address, error: &ControlError) -> String {
    format!("server {address} {error}")
}

/// A view made by other means than through us is known after this.
const RELOAD_INTERVAL: Duration = Duration::from_secs(10);
const RETRY_INTERVAL: Duration = Duration::from_secs(1);
const SPACING: Duration = Duration::from_millis(50);
pub(super) const LOAD_TIMEOUT: Duration = Duration::from_secs(10);
/// What a server may answer to the first and to the second half of the questions of a load: some hundred thousand
/// functions, relations and columns with the names they usually have.
const CATALOGS_BYTES_MAX: usize = 32 * 1024 * 1024;
