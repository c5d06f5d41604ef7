//! The corpus of what mappers and drivers send is SQL that PostgreSQL accepts over `schema.sql`: every statement
//! is parsed and described by a server.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::fs;
use std::path::Path;

use integration_tests::wire::{Script, Wire};
use integration_tests::{Cluster, Setup};
use trunkline::internals::corpora::{Sent, sent};

const SCHEMA: &str = include_str!("../../src/planner/testdata/orm/schema.sql");

#[test]
fn postgresql_reads_the_corpus() {
    let cluster = Cluster::start(&Setup {
        shards: 1,
        sample: None,
        everywhere: SCHEMA,
        ..Setup::default()
    });
    let mut server = Wire::connect(cluster.oracle.port()).unwrap();
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../src/planner/testdata/orm");
    let mut statements = 0;
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.ends_with("schema.sql") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for Sent { sql, types, .. } in sent(&text).unwrap() {
            statements += 1;
            let mut script = Script::new();
            script.parse("", &sql, &types).describe_statement("").sync();
            let replies = server.run(&script).unwrap();
            let error = replies.iter().find(|reply| reply.tag == b'E');
            assert!(error.is_none(), "{}: {sql}\n{error:?}", path.display());
        }
    }
    assert!(statements >= 400, "{statements} statements");
}
