//! Tables with rows on several shards, the oracle and the proxy: the worlds of the written statements over several shards,
//! and of the random ones. The demo's tables, and those of the `world.sql` of directories of cases.

use std::fs;
use std::path::{Path, PathBuf};

use trunkline::internals::cluster::SUPERUSER;
use trunkline::internals::logical_shard;

use crate::cluster::{APP, LOGICAL_SHARDS};
use crate::pair::Pair;
use crate::wire::Wire;
use crate::{Cluster, Placement, ProxyOptions, Setup, Subject};

pub const SHARDS: usize = 3;

/// What a world is made of.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// How much there is of the demo's rows; `None` for no tables of the demo.
    pub sample: Option<f64>,
    /// Directories of cases whose `world.sql` is in it.
    pub scripts: &'static [&'static str],
    /// What the databases sort by, a locale of ICU; `None` for bytes.
    pub icu_locale: Option<&'static str>,
    pub placement: Placement,
}

impl Kind {
    /// The demo's, sorted by bytes, on shards that have equally many logical shards.
    pub fn demo(sample: f64) -> Self {
        Self {
            sample: Some(sample),
            scripts: &["several"],
            icu_locale: None,
            placement: Placement::Even,
        }
    }

    /// The demo's in databases that do not sort by bytes.
    pub fn with_locale(sample: f64) -> Self {
        Self {
            icu_locale: Some("en-US"),
            ..Self::demo(sample)
        }
    }

    /// The demo's on shards of which the first, the default one, has no logical shard, the last has one.
    pub fn uneven(sample: f64) -> Self {
        let one = logical_shard(LARGEST, LOGICAL_SHARDS);
        let ranges: [&[_]; SHARDS] = [
            &[],
            &[(0, one - 1), (one + 1, LOGICAL_SHARDS - 1)],
            &[(one, one)],
        ];
        let ranges = ranges.map(|ranges| &*ranges.to_vec().leak());
        Self {
            placement: Placement::Ranges(ranges.to_vec().leak()),
            ..Self::demo(sample)
        }
    }
}

/// The organization with the most rows.
const LARGEST: i64 = 7;

/// A cluster, a proxy in front of it, and what is compared.
#[derive(Debug)]
pub struct World {
    // The proxy goes first.
    pub subject: Subject,
    pub cluster: Cluster,
}

impl World {
    pub fn new(kind: &Kind) -> Self {
        let scripts: Vec<Script> = kind.scripts.iter().map(|name| Script::read(name)).collect();
        let parts = |names: &[&str]| {
            let parts = names
                .iter()
                .flat_map(|name| scripts.iter().map(|script| script.part(name)));
            script(&parts.collect::<Vec<_>>().concat())
        };
        let cluster = Cluster::start(&Setup {
            shards: SHARDS,
            sample: kind.sample,
            everywhere: parts(&["everywhere", "views"]),
            default_shard: parts(&["default shard"]),
            icu_locale: kind.icu_locale,
            placement: kind.placement,
            ..Setup::default()
        });
        let listed = |title| {
            let lists = scripts.iter().map(|script| script.tables(title));
            lists.collect::<Vec<_>>().concat()
        };
        let subject = Subject::start(
            &cluster,
            &ProxyOptions {
                tables: listed("Sharded by organization_id"),
                reference_tables: listed("Reference tables"),
                ..ProxyOptions::default()
            },
        );
        let world = Self { subject, cluster };
        let ports = [world.cluster.oracle.port(), world.subject.port()];
        let mut sides = ports.map(|port| Wire::connect(port).unwrap());
        for statement in statements(parts(&["sharded rows"])) {
            for side in &mut sides {
                let replies = side.simple(&statement).unwrap();
                assert!(
                    replies.iter().all(|reply| reply.tag != b'E'),
                    "{statement}: {replies:?}"
                );
            }
        }
        if world.subject.proxy().is_none() {
            shuffle(world.subject.port());
        }
        world
    }

    /// Connections to both. What is not the proxy, to test the tests, goes other ways than the oracle.
    pub fn pair(&self) -> Pair {
        let mut pair = Pair::connect(&self.subject, self.cluster.oracle.port());
        if !pair.has_proxy() {
            for setting in UNLIKE {
                pair.set_subject(setting);
            }
        }
        pair
    }
}

const UNLIKE: [&str; 5] = [
    "enable_hashagg = off",
    "enable_hashjoin = off",
    "enable_indexscan = off",
    "enable_material = off",
    "enable_memoize = off",
];

/// Its rows are in another order too.
fn shuffle(port: u16) {
    let script = "do $$ declare t regclass; begin
        set local session_replication_role = replica;
        for t in select oid from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace loop
            execute format('create temp table shuffled on commit drop as select * from %s', t);
            execute format('delete from %s', t);
            execute format('insert into %s select * from shuffled s order by md5(s::text)', t);
            drop table shuffled;
        end loop;
    end $$; analyze";
    let mut wire = Wire::connect_as(port, SUPERUSER, SUPERUSER, &[("database", APP)]).unwrap();
    let replies = wire.simple(script).unwrap();
    assert!(replies.iter().all(|reply| reply.tag != b'E'), "{replies:?}");
}

/// The `world.sql` of a directory of cases.
struct Script(String);

impl Script {
    fn read(directory: &str) -> Self {
        Self(fs::read_to_string(cases(directory).join("world.sql")).unwrap())
    }

    /// The statements of a part; none where it has no such part.
    fn part(&self, name: &str) -> Vec<String> {
        let parts = self.0.split("-- part: ").skip(1);
        let mut parts = parts.filter_map(|part| part.split_once('\n'));
        let part = parts.find(|(title, _)| *title == name);
        part.map_or_else(Vec::new, |(_, part)| statements(part))
    }

    /// The tables that a line at its head lists under a title.
    fn tables(&self, title: &str) -> Vec<String> {
        let lines = self.0.lines().take_while(|line| line.starts_with("--"));
        let lists = lines.filter_map(|line| {
            line.strip_prefix("-- ")?
                .strip_prefix(title)?
                .strip_prefix(':')
        });
        lists
            .flat_map(|list| list.split(','))
            .map(|name| name.trim().to_owned())
            .collect()
    }
}

/// A directory of written cases.
pub fn cases(directory: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("cases")
        .join(directory)
}

/// The statements of a script, comments taken off.
pub fn statements(script: &str) -> Vec<String> {
    let lines = script
        .lines()
        .filter(|line| !line.trim_start().starts_with("--"));
    let text = lines.collect::<Vec<_>>().join("\n");
    let statements = text
        .split(";\n")
        .map(|statement| statement.trim().trim_end_matches(';'));
    statements
        .filter(|statement| !statement.is_empty())
        .map(str::to_owned)
        .collect()
}

/// For a [`Setup`], which is made once for a process.
pub fn script(statements: &[String]) -> &'static str {
    statements
        .iter()
        .map(|statement| format!("{statement};\n"))
        .collect::<String>()
        .leak()
}

/// Writes on the shard of an organization, which no other transaction sees.
pub fn writes(organization: i64) -> impl Iterator<Item = String> {
    [
        "update matches set home = 'within', spectators = coalesce(spectators, 0) * 2 + 1 \
         where organization_id = $o and match_id % 2 = 1",
        "insert into tags (organization_id, match_id, tag) \
         values ($o, 1, 'within'), ($o, 2, null), ($o, 7000, 'late')",
        "delete from readings where organization_id = $o and reading_id % 3 = 0",
        "update readings set note = 'within', price = 0.07, valid = null \
         where organization_id = $o and reading_id % 3 = 1",
        "delete from detections where organization_id = $o and match_id = 1",
    ]
    .into_iter()
    .map(move |write| write.replace("$o", &organization.to_string()))
}
