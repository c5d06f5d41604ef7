//! What stands while measurements are made: four shards, the ways through that are open, and the key.

use integration_tests::{Cluster, Setup};

use crate::options::Options;
use crate::proxies::{RECIPES, Target};

/// Everything that is running.
pub struct World {
    // Dropped in this order: the proxies, then what they stand before.
    pub targets: Vec<Target>,
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
            settings: vec![("max_connections".to_owned(), CONNECTIONS_MAX.to_string())],
            ..Setup::default()
        });
        let wanted = RECIPES
            .iter()
            .filter(|recipe| recipe.is_offered() && options.wants_proxy(recipe.name));
        let opened = wanted.filter_map(|recipe| {
            Target::start(recipe, &cluster)
                .inspect_err(|error| eprintln!("{} is left out: {error}", recipe.name))
                .ok()
        });
        Self {
            targets: opened.collect(),
            keys: cluster.organizations_on(0).take(KEYS).collect(),
            cluster,
        }
    }

    /// The way through of this name.
    pub fn target(&self, name: &str) -> &Target {
        let mut targets = self.targets.iter();
        let found = targets.find(|target| target.name == name);
        found.expect("rows are made from the targets")
    }

    /// A text with the key of a row on the first shard in it, and with a list of several such.
    pub fn with_key(&self, text: &str) -> String {
        let keys: Vec<String> = self.keys.iter().map(i64::to_string).collect();
        text.replace("{key}", &keys[0])
            .replace("{keys}", &keys.join(", "))
    }
}

const SHARDS: usize = 4;
/// Keys of a list.
const KEYS: usize = 10;
/// A hundred thousand rows. The smallest organization has more matches than the transactions have clients.
const SAMPLE: f64 = 0.1;
/// A thousand idle clients without a pooler are as many connections of the server, and the last crowd's may
/// still be leaving.
const CONNECTIONS_MAX: u32 = 2_500;
