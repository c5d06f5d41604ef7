//! The demo's tables and those of `cases/several/world.sql`, with rows on every shard, the oracle and the proxy: the world of
//! the written statements over several shards, and of the random ones.

use std::fs;
use std::path::{Path, PathBuf};

use crate::wire::Wire;
use crate::{Cluster, ProxyOptions, Setup, Subject};

pub const SHARDS: usize = 3;

/// A cluster, a proxy in front of it, and what is compared.
#[derive(Debug)]
pub struct World {
    // The proxy goes first.
    pub subject: Subject,
    pub cluster: Cluster,
}

impl World {
    /// `sample`: how much there is of the demo's rows.
    pub fn demo(sample: f64) -> Self {
        let text = fs::read_to_string(cases("several").join("world.sql")).unwrap();
        let part = |name: &str| {
            let parts = text
                .split("-- part: ")
                .filter_map(|part| part.split_once('\n'));
            let (_, part) = parts.skip(1).find(|(title, _)| *title == name).unwrap();
            statements(part)
        };
        let sharded = ["readings", "tags", "empty_rows", "lonely"];
        let cluster = Cluster::start(&Setup {
            shards: SHARDS,
            sample: Some(sample),
            everywhere: script(&[part("everywhere"), part("views")].concat()),
            default_shard: script(&part("default shard")),
            ..Setup::default()
        });
        let subject = Subject::start(
            &cluster,
            &ProxyOptions {
                tables: sharded.map(str::to_owned).to_vec(),
                reference_tables: vec!["levels".to_owned()],
                ..ProxyOptions::default()
            },
        );
        let world = Self { subject, cluster };
        let ports = [world.cluster.oracle.port(), world.subject.port()];
        let mut sides = ports.map(|port| Wire::connect(port).unwrap());
        for statement in part("sharded rows") {
            for side in &mut sides {
                let replies = side.simple(&statement).unwrap();
                assert!(
                    replies.iter().all(|reply| reply.tag != b'E'),
                    "{statement}: {replies:?}"
                );
            }
        }
        world
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
