//! What stands while measurements are made: four shards and a server with the rows of all, the ways through that are open,
//! and the keys.

use integration_tests::{Cluster, Setup};

use crate::options::Options;
use crate::proxies::{BYTE_COPY, RECIPES, Recipe, SHARD, Target};
use crate::readings::{self, Readings};
use crate::workloads::{Through, WORKLOADS, Workload};

/// Everything that is running.
pub struct World {
    // Dropped in this order: the proxies, then what they stand before.
    pub targets: Vec<Target>,
    /// Those that do not route, before the server that has all rows; and the shard that has the most.
    pub whole: Vec<Target>,
    pub cluster: Cluster,
    /// Of rows on the first shard.
    keys: Vec<i64>,
}

impl World {
    /// A way through that cannot be opened is left out, and said.
    pub fn start(options: &Options) -> Self {
        let cluster = Cluster::start(&Setup {
            shards: SHARDS,
            sample: Some(SAMPLE),
            everywhere: readings::TABLES,
            settings: vec![("max_connections".to_owned(), CONNECTIONS_MAX.to_string())],
            ..Setup::default()
        });
        let workloads = WORKLOADS
            .iter()
            .filter(|workload| options.soak.is_none() && workload.is_wanted(options));
        let workloads: Vec<&Workload> = workloads.collect();
        let tables: Vec<&Readings> = workloads
            .iter()
            .filter_map(|workload| workload.readings)
            .collect();
        readings::fill(&cluster, &tables);
        let open = |recipe: &Recipe, server: u16| {
            Target::start(recipe, &cluster, server)
                .inspect_err(|error| eprintln!("{} is left out: {error}", recipe.name))
                .ok()
        };
        let recipes = RECIPES
            .iter()
            .filter(|recipe| recipe.is_offered() && options.wants_proxy(recipe.name));
        let at_key = recipes.clone().filter(|recipe| recipe.name != SHARD);
        let reads_all = |workload: &&Workload| matches!(workload.through, Through::AllRows(_));
        let at_all = recipes.filter(|recipe| {
            workloads.iter().any(reads_all) && !recipe.routes() && recipe.name != BYTE_COPY
        });
        let largest = cluster.primary_port(cluster.shard_of(LARGEST));
        let server = |recipe: &Recipe| match recipe.name {
            SHARD => largest,
            _ => cluster.oracle.port(),
        };
        Self {
            targets: at_key
                .filter_map(|recipe| open(recipe, cluster.primary_port(0)))
                .collect(),
            whole: at_all
                .filter_map(|recipe| open(recipe, server(recipe)))
                .collect(),
            keys: cluster.organizations_on(0).take(KEYS).collect(),
            cluster,
        }
    }

    /// The way through of this name.
    pub fn target(&self, workload: &Workload, name: &str) -> &Target {
        let mut targets = workload.targets(self).into_iter();
        let found = targets.find(|target| target.name == name);
        found.expect("rows are made from the targets")
    }

    /// A text with the key of a row on the first shard in it, with a list of several such, and with a key of each shard.
    pub fn with_key(&self, text: &str) -> String {
        let keys: Vec<String> = self.keys.iter().map(i64::to_string).collect();
        let text = text
            .replace("{key}", &keys[0])
            .replace("{keys}", &keys.join(", "));
        (0..SHARDS).fold(text, |text, shard| {
            let key = self.cluster.organization_on(shard);
            text.replace(&format!("{{on_{}}}", shard + 1), &key.to_string())
        })
    }
}

const SHARDS: usize = 4;
/// Keys of a list.
const KEYS: usize = 10;
/// A hundred thousand rows. The smallest organization has more matches than the transactions have clients.
const SAMPLE: f64 = 0.1;
/// The organization with the most rows of the sample.
const LARGEST: i64 = 7;
/// A thousand idle clients without a pooler are as many connections of the server, and the last crowd's may
/// still be leaving.
const CONNECTIONS_MAX: u32 = 2_500;
