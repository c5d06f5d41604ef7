//! Several clients, each connected to the subject and to the oracle, doing the same on both.

use std::collections::BTreeMap;
use std::io;

use crate::cluster::APP;
use crate::wire::{Reply, Script, Wire};

/// One client on both sides of a comparison.
#[derive(Debug)]
pub struct Pair {
    pub subject: Wire,
    pub oracle: Wire,
}

impl Pair {
    pub fn connect(subject: u16, oracle: u16, parameters: &[(&str, &str)]) -> Self {
        let parameters: Vec<_> = [("database", APP)]
            .into_iter()
            .chain(parameters.iter().copied())
            .collect();
        Self {
            subject: Wire::connect_as(subject, APP, APP, &parameters).unwrap(),
            oracle: Wire::connect_as(oracle, APP, APP, &parameters).unwrap(),
        }
    }

    /// Does the same on both sides, compares every message, and returns the subject's.
    pub fn same(
        &mut self,
        what: &str,
        act: impl Fn(&mut Wire) -> io::Result<Vec<Reply>>,
    ) -> Vec<Reply> {
        let expected =
            act(&mut self.oracle).unwrap_or_else(|error| panic!("oracle, {what}: {error}"));
        let found = act(&mut self.subject).unwrap_or_else(|error| panic!("{what}: {error}"));
        if expected != found {
            let at = (0..)
                .find(|n| expected.get(*n) != found.get(*n))
                .unwrap_or_default();
            panic!(
                "{what}\nmessage {at}: expected {:?}\n           found    {:?}\nall expected {expected:?}\nall found    {found:?}",
                expected.get(at),
                found.get(at)
            );
        }
        found
    }

    pub fn simple(&mut self, sql: &str) -> Vec<Reply> {
        self.same(sql, |wire| wire.simple(sql))
    }

    pub fn run(&mut self, what: &str, script: &Script) -> Vec<Reply> {
        self.same(what, |wire| wire.run(script))
    }
}

/// Plays lines like `a> select 1`: each name is a client, connected when it first speaks. `a!` leaves.
pub fn play(subject: u16, oracle: u16, lines: &str) {
    let mut clients = BTreeMap::new();
    for (number, line) in lines
        .lines()
        .map(str::trim)
        .enumerate()
        .filter(|(_, line)| !line.is_empty())
    {
        let (name, rest) = line.split_at(1);
        if rest == "!" {
            clients.remove(name);
            continue;
        }
        let sql = rest
            .strip_prefix('>')
            .unwrap_or_else(|| panic!("line {number} has no client: {line}"))
            .trim();
        let pair = clients
            .entry(name.to_owned())
            .or_insert_with(|| Pair::connect(subject, oracle, &[]));
        let what = format!("line {number}: {line}");
        pair.same(&what, |wire| wire.simple(sql));
    }
}
