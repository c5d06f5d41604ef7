//! What is measured, as data: each workload has cases, each case a load. The statements are the same for every
//! way through, and so is the key: it lives on the shard that those reach which do not route. Where rows of several
//! shards are read, those reach a server that has all of them.
//!
//! Most load is pgbench's. New connections and streams of rows are made by `generator`, as its head explains.

use crate::generator::{Begun, Crowd, Length, Load, connects, streams};
use crate::options::Options;
use crate::pgbench::Run;
use crate::proxies::{DIRECT, OTHER, POOLER, SHARD, TRUNKLINE, Target};
use crate::readings::{READINGS, Readings};
use crate::world::World;

/// A table of the report.
#[derive(Debug)]
pub struct Workload {
    pub name: &'static str,
    pub title: &'static str,
    /// What costs are divided by: so many of these in each transaction.
    pub unit: &'static str,
    pub units: u32,
    /// Clients that are logged in and do nothing meanwhile.
    pub idle: usize,
    pub through: Through,
    /// The table that has to be filled for it.
    pub readings: Option<&'static Readings>,
    /// Too large to be measured unless it is asked for.
    pub named_only: bool,
    pub cases: &'static [Case],
}

/// Who is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Through {
    Everybody,
    /// Only whoever looks at statements.
    Trunkline,
    /// These: whoever looks at statements, and before the server that has the rows of all shards whoever does not.
    AllRows(&'static [&'static str]),
}

/// A group of rows in the table.
#[derive(Debug)]
pub struct Case {
    pub label: &'static str,
    pub clients: u32,
    pub source: Source,
}

/// Who makes the load, and of what; `{key}` stands for the key, `{keys}` for ten keys of the same shard, `{on_1}` for a key
/// of the first shard, and so on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    Pgbench {
        protocol: &'static str,
        script: &'static str,
    },
    Connects(&'static str),
    Streams(&'static str),
}

impl Workload {
    /// Why this way through cannot do this.
    pub fn refusal(&self, case: &Case, target: &Target) -> Option<&'static str> {
        let prepared =
            matches!(case.source, Source::Pgbench { protocol, .. } if protocol == PREPARED);
        (prepared && !target.prepares).then_some("unsupported")
    }

    pub fn is_wanted(&self, options: &Options) -> bool {
        options.wants(self.name) && (!self.named_only || options.names(self.name))
    }

    /// Whom this is measured through.
    pub fn targets<'a>(&self, world: &'a World) -> Vec<&'a Target> {
        let routing = |target: &&Target| [TRUNKLINE, OTHER].contains(&target.name);
        let all = world.targets.iter();
        match self.through {
            Through::Everybody => all.collect(),
            Through::Trunkline => all.filter(routing).collect(),
            Through::AllRows(names) => {
                let whole = world.whole.iter().chain(all.filter(routing));
                whole
                    .filter(|target| names.contains(&target.name))
                    .collect()
            }
        }
    }

    /// The crowd that is there while a case is measured.
    pub fn crowd(&self, world: &World, target: &Target) -> Result<Option<Crowd>, String> {
        let open = || Crowd::open(target.port, self.idle, &world.with_key(POINT_SQL));
        (self.idle > 0).then(open).transpose()
    }
}

impl Case {
    pub fn load(
        &self,
        world: &World,
        target: &Target,
        length: Length,
        begun: Begun<'_>,
    ) -> Result<Load, String> {
        let (port, clients) = (target.port, self.clients);
        match self.source {
            Source::Pgbench { protocol, script } => {
                let scripts = [world.with_key(script)];
                let run = Run {
                    port,
                    protocol,
                    clients,
                    length,
                    scripts: &scripts,
                };
                run.load(&world.cluster, begun)
            }
            Source::Connects(sql) => connects(port, clients, length, &world.with_key(sql), begun),
            Source::Streams(sql) => streams(port, clients, length, &world.with_key(sql), begun),
        }
    }
}

pub const SIMPLE: &str = "simple";
pub const EXTENDED: &str = "extended";
pub const PREPARED: &str = "prepared";

/// A point SELECT by key.
pub const POINT_SQL: &str =
    "select name, country from organizations where organization_id = {key};\n";
/// The same with a parameter.
pub const POINT_PARAMETER: &str = "\\set id {key}
select name, country from organizations where organization_id = :id;
";
/// With a literal that is another each time: known by its shape, not by its text.
pub const POINT_SHAPE: &str = "\\set n random(100000000, 999999999)
select name, country from organizations where organization_id = {key} and :n > 0;
";
/// The row is there already: nothing grows while it is measured.
const INSERT: &str = "insert into organizations (organization_id, name, country, created_at) \
    values ({key}, 'somebody', 'DE', '2025-01-01') on conflict do nothing;\n";
/// Each client has a row of its own, so that nobody waits for a lock.
const TRANSACTION: &str = "\\set m :client_id + 1
begin;
select home, away, spectators from matches where organization_id = {key} and match_id = :m;
update matches set spectators = 12345 where organization_id = {key} and match_id = :m;
insert into matches (organization_id, match_id, home, away, played_on) \
    values ({key}, :m, 'Team 1', 'Team 2', '2025-01-01') on conflict do nothing;
select spectators from matches where organization_id = {key} and match_id = :m;
commit;
";
/// 79 bytes a row on the wire.
const STREAM: &str = "select g, repeat('x', 58) from organizations, generate_series(1, 100000) as g \
    where organization_id = {key}";

const fn pgbench(
    label: &'static str,
    clients: u32,
    protocol: &'static str,
    script: &'static str,
) -> Case {
    Case {
        label,
        clients,
        source: Source::Pgbench { protocol, script },
    }
}

const fn plain(name: &'static str, title: &'static str, cases: &'static [Case]) -> Workload {
    Workload {
        name,
        title,
        unit: "statement",
        units: 1,
        idle: 0,
        through: Through::Everybody,
        readings: None,
        named_only: false,
        cases,
    }
}

const fn stream(label: &'static str, clients: u32, sql: &'static str) -> Case {
    Case {
        label,
        clients,
        source: Source::Streams(sql),
    }
}

/// Whom rows of several shards are read through; with the shard that has the most of them, where each shard answers the
/// same statement.
const ALL_ROWS: Through = Through::AllRows(&[DIRECT, POOLER, TRUNKLINE, OTHER]);
const ALL_ROWS_AND_SHARD: Through = Through::AllRows(&[DIRECT, POOLER, SHARD, TRUNKLINE, OTHER]);

const LIMIT: &str = "select reading_id, payload from readings order by reading_id limit 50;\n";
const FEW_GROUPS: &str = "select country, count(*) from organizations \
    where organization_id in ({on_1}, {on_2}, {on_3}, {on_4}) group by country;\n";
const FEW_GROUPS_SHAPE: &str = "\\set n random(100000000, 999999999)
select country, count(*) from organizations \
    where organization_id in ({on_1}, {on_2}, {on_3}, {on_4}) and :n > 0 group by country;
";
const FEW_GROUPS_PARAMETERS: &str = "\\set a {on_1}
\\set b {on_2}
\\set c {on_3}
\\set d {on_4}
select country, count(*) from organizations where organization_id in (:a, :b, :c, :d) group by country;
";
/// A number that happens to be some organization's: rows of both tables travel, one column of each.
const JOIN: &str =
    "select count(*) from matches m join organizations o on o.organization_id = m.match_id";
const GROUPS: &str = "select kind, count(*), sum(amount) from readings_2m group by kind";
/// Each of its rows has [`ORDERED_ROW_BYTES`] on the wire.
const ORDERED: &str = "select reading_id, payload from readings_10m order by reading_id";
/// The message's head, two lengths, nine digits and 32 letters.
const ORDERED_ROW_BYTES: u32 = 7 + 2 * 4 + 9 + 32;

pub const WORKLOADS: &[Workload] = &[
    plain(
        "point-simple",
        "point SELECT by key, simple protocol",
        &[
            pgbench("1 client", 1, SIMPLE, POINT_SQL),
            pgbench("8 clients", 8, SIMPLE, POINT_SQL),
            pgbench("64 clients", 64, SIMPLE, POINT_SQL),
        ],
    ),
    plain(
        "point-extended",
        "point SELECT by key, extended protocol",
        &[
            pgbench("1 client", 1, EXTENDED, POINT_PARAMETER),
            pgbench("8 clients", 8, EXTENDED, POINT_PARAMETER),
            pgbench("64 clients", 64, EXTENDED, POINT_PARAMETER),
        ],
    ),
    plain(
        "point-prepared",
        "point SELECT by key, prepared statement",
        &[
            pgbench("1 client", 1, PREPARED, POINT_PARAMETER),
            pgbench("8 clients", 8, PREPARED, POINT_PARAMETER),
            pgbench("64 clients", 64, PREPARED, POINT_PARAMETER),
        ],
    ),
    plain(
        "insert",
        "INSERT of one row (on conflict do nothing)",
        &[pgbench("8 clients", 8, SIMPLE, INSERT)],
    ),
    Workload {
        units: 6,
        ..plain(
            "transaction",
            "BEGIN, SELECT, UPDATE, INSERT, SELECT, COMMIT; latencies are of all six",
            &[pgbench("8 clients", 8, SIMPLE, TRANSACTION)],
        )
    },
    Workload {
        unit: "stream",
        ..plain(
            "stream",
            "100,000 rows, 7.9 MB, by key",
            &[stream("8 clients", 8, STREAM)],
        )
    },
    Workload {
        unit: "connection",
        ..plain(
            "connect",
            "new connections: SCRAM, one point SELECT, farewell",
            &[Case {
                label: "8 clients",
                clients: 8,
                source: Source::Connects(POINT_SQL),
            }],
        )
    },
    Workload {
        idle: 1_000,
        ..plain(
            "crowd",
            "point SELECT by key, simple protocol, among 1,000 idle clients",
            &[pgbench("16 clients", 16, SIMPLE, POINT_SQL)],
        )
    },
    Workload {
        through: Through::Trunkline,
        ..plain(
            "forms",
            "literals always the same (by text) and another each time (by shape), simple protocol",
            FORMS,
        )
    },
    Workload {
        through: ALL_ROWS_AND_SHARD,
        readings: Some(&READINGS[0]),
        ..plain(
            "several-limit",
            "ORDER BY an indexed column LIMIT 50 of 100,000 rows on four shards, simple protocol",
            &[
                pgbench("1 client", 1, SIMPLE, LIMIT),
                pgbench("8 clients", 8, SIMPLE, LIMIT),
            ],
        )
    },
    Workload {
        through: ALL_ROWS,
        ..plain(
            "several-small",
            "count by groups of four rows, one on each shard: the same text, another each time, prepared",
            &[
                pgbench("same", 8, SIMPLE, FEW_GROUPS),
                pgbench("other", 8, SIMPLE, FEW_GROUPS_SHAPE),
                pgbench("prepared", 8, PREPARED, FEW_GROUPS_PARAMETERS),
            ],
        )
    },
    Workload {
        through: ALL_ROWS,
        ..plain(
            "several-join",
            "a join that is not on the key: rows of three shards are copied to the fourth",
            &[stream("1 client", 1, JOIN)],
        )
    },
    Workload {
        through: ALL_ROWS_AND_SHARD,
        readings: Some(&READINGS[1]),
        named_only: true,
        ..plain(
            "several-groups",
            "count and sum by seven groups of 2 million rows on four shards",
            &[stream("1 client", 1, GROUPS)],
        )
    },
    Workload {
        unit: "MB",
        units: (READINGS[2].rows as u64 * ORDERED_ROW_BYTES as u64 / 1_000_000) as u32,
        through: ALL_ROWS,
        readings: Some(&READINGS[2]),
        named_only: true,
        ..plain(
            "several-stream",
            "10 million rows of four shards, 560 MB, ORDER BY an indexed column; latencies are of all",
            &[stream("1 client", 1, ORDERED)],
        )
    },
];

/// Each twice: with literals that are always the same, and with one that is another each time. The client takes a
/// number for both, so that it works as much for either. No table grows or shrinks.
const FORMS: &[Case] = &[
    form(
        "select, same",
        "\\set n random(100000000, 999999999)\n\
         select name, country from organizations where organization_id = {key} and 123456789 > 0;\n",
    ),
    form(
        "select, other",
        "\\set n random(100000000, 999999999)\n\
         select name, country from organizations where organization_id = {key} and :n > 0;\n",
    ),
    form(
        "join, same",
        "\\set n random(100000000, 999999999)\n\
         select m.home, d.score from matches m join detections d using (organization_id, match_id) \
         where m.organization_id = {key} and m.match_id = 1 and 123456789 > 0;\n",
    ),
    form(
        "join, other",
        "\\set n random(100000000, 999999999)\n\
         select m.home, d.score from matches m join detections d using (organization_id, match_id) \
         where m.organization_id = {key} and m.match_id = 1 and :n > 0;\n",
    ),
    form(
        "list, same",
        "\\set n random(100000000, 999999999)\n\
         select name, country from organizations where organization_id in ({keys}) and 123456789 > 0;\n",
    ),
    form(
        "list, other",
        "\\set n random(100000000, 999999999)\n\
         select name, country from organizations where organization_id in ({keys}) and :n > 0;\n",
    ),
    form(
        "insert, same",
        "\\set n random(100000000, 999999999)\n\
         insert into organizations (organization_id, name, country, created_at) \
         values ({key}, 123456789::text, 'DE', '2025-01-01') on conflict do nothing;\n",
    ),
    form(
        "insert, other",
        "\\set n random(100000000, 999999999)\n\
         insert into organizations (organization_id, name, country, created_at) \
         values ({key}, :n::text, 'DE', '2025-01-01') on conflict do nothing;\n",
    ),
    form(
        "insert of ten, same",
        "\\set n random(100000000, 999999999)\n\
         insert into organizations (organization_id, name, country, created_at) values \
         ({key}, 123456789::text, 'DE', '2025-01-01'), ({key}, 123456789::text, 'DE', '2025-01-01'), \
         ({key}, 123456789::text, 'DE', '2025-01-01'), ({key}, 123456789::text, 'DE', '2025-01-01'), \
         ({key}, 123456789::text, 'DE', '2025-01-01'), ({key}, 123456789::text, 'DE', '2025-01-01'), \
         ({key}, 123456789::text, 'DE', '2025-01-01'), ({key}, 123456789::text, 'DE', '2025-01-01'), \
         ({key}, 123456789::text, 'DE', '2025-01-01'), ({key}, 123456789::text, 'DE', '2025-01-01') \
         on conflict do nothing;\n",
    ),
    form(
        "insert of ten, other",
        "\\set n random(100000000, 999999999)\n\
         insert into organizations (organization_id, name, country, created_at) values \
         ({key}, :n::text, 'DE', '2025-01-01'), ({key}, :n::text, 'DE', '2025-01-01'), \
         ({key}, :n::text, 'DE', '2025-01-01'), ({key}, :n::text, 'DE', '2025-01-01'), \
         ({key}, :n::text, 'DE', '2025-01-01'), ({key}, :n::text, 'DE', '2025-01-01'), \
         ({key}, :n::text, 'DE', '2025-01-01'), ({key}, :n::text, 'DE', '2025-01-01'), \
         ({key}, :n::text, 'DE', '2025-01-01'), ({key}, :n::text, 'DE', '2025-01-01') \
         on conflict do nothing;\n",
    ),
    form(
        "update, same",
        "\\set n random(100000000, 999999999)\n\
         update organizations set country = 'DE' where organization_id = {key} and 123456789 > 0;\n",
    ),
    form(
        "update, other",
        "\\set n random(100000000, 999999999)\n\
         update organizations set country = 'DE' where organization_id = {key} and :n > 0;\n",
    ),
    form(
        "delete, same",
        "\\set n random(100000000, 999999999)\n\
         delete from matches where organization_id = {key} and match_id = 123456789;\n",
    ),
    form(
        "delete, other",
        "\\set n random(100000000, 999999999)\n\
         delete from matches where organization_id = {key} and match_id = :n;\n",
    ),
];

const fn form(label: &'static str, script: &'static str) -> Case {
    pgbench(label, 8, SIMPLE, script)
}

/// For the soak: what applications do, with literals that change.
pub const MIXED: &[&str] = &[POINT_SQL, POINT_SHAPE, INSERT, TRANSACTION];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_differ_and_costs_can_be_divided() {
        for (index, workload) in WORKLOADS.iter().enumerate() {
            let others = &WORKLOADS[index + 1..];
            assert!(others.iter().all(|other| other.name != workload.name));
            assert!(workload.units > 0 && !workload.cases.is_empty());
        }
    }

    #[test]
    fn every_statement_by_key_names_it() {
        let by_key = WORKLOADS
            .iter()
            .filter(|workload| !matches!(workload.through, Through::AllRows(_)));
        for case in by_key.flat_map(|workload| workload.cases) {
            let (Source::Pgbench { script: text, .. }
            | Source::Connects(text)
            | Source::Streams(text)) = case.source;
            assert!(text.contains("{key}") || text.contains("{keys}"), "{text}");
        }
    }

    #[test]
    fn a_transaction_has_as_many_statements_as_it_is_divided_by() {
        let transaction = WORKLOADS
            .iter()
            .find(|workload| workload.name == "transaction")
            .unwrap();
        let statements = TRANSACTION.matches(";\n").count();
        assert_eq!(transaction.units as usize, statements);
    }
}
