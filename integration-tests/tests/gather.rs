//! Gathering where it can go wrong: a shard that is slow, silent or dies in the middle of its COPY, the shard that takes the
//! rows in, cancels and timeouts there, tables that differ between shards. The statement ends with its error; nothing else
//! suffers, nothing stays on a server, no connection leaks, and the session goes on.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use integration_tests::cluster::APP;
use integration_tests::fault::{Act, Rule};
use integration_tests::wire::{Parameters, Reply, Script, Wire, cancel, done, values};
use integration_tests::{Cluster, Fault, PATIENCE, Proxy, ProxyOptions, Setup, eventually};
use trunkline::internals::cluster::SUPERUSER;

const SHARDS: usize = 3;
/// Organizations with rows, two on each shard.
const ORGANIZATIONS: usize = 2;
const ROWS: usize = 4_000;
/// Whoever suffers is told within this; a cancel is, and a timeout's grace.
const TOLD_WITHIN: Duration = Duration::from_secs(8);

/// It runs on the first shard, where the table that is not sharded is; the others are lanes.
const GATHERED: &str = "select count(*), count(distinct organization_id), max(length(filler)) \
                        from wide where exists (select from anchor)";

/// Three shards with an in-between before each, a proxy, and clients that must not notice what happens to another.
struct World {
    faults: Vec<Fault>,
    // The proxy goes before its cluster.
    proxy: Proxy,
    cluster: Cluster,
    others: Vec<JoinHandle<usize>>,
    stop: Arc<AtomicBool>,
}

impl World {
    fn start(top: &str) -> Self {
        let cluster = Cluster::start(&Setup {
            shards: SHARDS,
            sample: None,
            everywhere: "create table wide (organization_id bigint, id int, filler text, primary key (organization_id, id));
                create table odd (organization_id bigint primary key)",
            default_shard: "create table anchor (id int); insert into anchor values (1)",
            ..Setup::default()
        });
        for shard in 0..SHARDS {
            for organization in cluster.organizations_on(shard).take(ORGANIZATIONS) {
                let insert = format!(
                    "insert into wide select {organization}, n, repeat(md5(n::text), 30) from generate_series(1, {ROWS}) n"
                );
                done(&direct(&cluster, shard, &insert));
            }
        }
        let ports = (0..SHARDS).map(|shard| cluster.primary_port(shard));
        let faults: Vec<_> = ports.map(Fault::start).collect();
        let options = ProxyOptions {
            top: top.to_owned(),
            database: "    limits: { gather_rows: 1_000_000 }
    pool: { size: 5, connect: 2s, wait: 4s }"
                .to_owned(),
            tables: vec!["wide".to_owned(), "odd".to_owned()],
            in_between: faults.iter().map(|fault| fault.port).collect(),
            ..ProxyOptions::default()
        };
        Self {
            proxy: Proxy::start(&cluster, &options),
            cluster,
            faults,
            others: Vec::new(),
            stop: Arc::new(AtomicBool::new(false)),
        }
    }

    /// One on each shard that asks on and on for rows of its own.
    fn with_others(mut self) -> Self {
        for shard in 0..SHARDS {
            let organization = self.cluster.organization_on(shard);
            let (stop, port) = (Arc::clone(&self.stop), self.proxy.port);
            self.others.push(thread::spawn(move || {
                let mut wire = Wire::connect(port).unwrap();
                let sql =
                    format!("select count(*) from wide where organization_id = {organization}");
                let mut asked = 0;
                while !stop.load(Ordering::SeqCst) {
                    let replies = match asked % 2 {
                        0 => wire.simple(&sql).unwrap(),
                        _ => wire.extended(&sql, &Parameters::NONE).unwrap(),
                    };
                    assert_eq!(values(&replies), [ROWS.to_string()], "{replies:?}");
                    asked += 1;
                    thread::sleep(Duration::from_millis(20));
                }
                asked
            }));
        }
        self
    }

    fn connect(&self) -> Wire {
        Wire::connect(self.proxy.port).unwrap()
    }

    /// The session goes on as if nothing had been.
    fn works(&self, wire: &mut Wire) {
        let all = (SHARDS * ORGANIZATIONS * ROWS).to_string();
        for replies in [
            wire.simple(GATHERED).unwrap(),
            wire.extended(GATHERED, &Parameters::NONE).unwrap(),
        ] {
            assert_eq!(values(&replies)[0], all, "{replies:?}");
            assert_eq!(replies.last().unwrap().body, b"I", "{replies:?}");
        }
    }

    /// A shard's connection ends in the midst of a statement, which is told so.
    fn ends(&self, wire: &mut Wire, shard: usize, rule: Rule, text: &str) {
        let what = format!("{rule:?}");
        let armed = self.faults[shard].arm(rule);
        let started = Instant::now();
        let replies = wire.simple(text).unwrap();
        assert_eq!(armed.fired(), 1, "{what}: {:?}", replies.first());
        let (code, said) = error(&replies);
        assert_eq!(code, "08006", "{what}: {said}");
        assert!(said.contains(&Cluster::shard_name(shard)), "{said}");
        assert_eq!(replies.last().unwrap().body, b"I");
        assert!(started.elapsed() < TOLD_WITHIN);
        self.faults[shard].disarm();
    }

    /// A shard says nothing more behind some rows of an answer to what has the marker. The client waits until it cancels, or
    /// leaves.
    fn falls_silent(&self, shard: usize, marker: &str, text: &str, leaves: bool) {
        let mut wire = self.connect();
        let (port, key) = (self.proxy.port, wire.key);
        let armed = self.faults[shard].arm(Rule::on(marker, b'D', Act::Hold).after(100));
        let mut script = Script::new();
        script.query(text);
        wire.send_script(&script).unwrap();
        eventually("rows come", || armed.fired() == 1);
        thread::sleep(Duration::from_millis(300));
        let conn = armed.connection().unwrap();
        assert!(!conn.is_over(), "it waits");
        if leaves {
            drop(wire);
        } else {
            let started = Instant::now();
            cancel(port, key);
            let (code, said) = error(&wire.replies().unwrap());
            assert_eq!(code, "57014", "{said}");
            assert!(started.elapsed() < TOLD_WITHIN);
            self.works(&mut wire);
        }
        eventually("the lane is closed", || conn.is_over());
        self.faults[shard].disarm();
    }

    /// Nothing temporary and no transaction is on a server, and no connection is in use by nobody.
    fn is_tidy(&self) {
        for shard in 0..SHARDS {
            let port = self.cluster.primary_port(shard);
            let database = [("database", APP)];
            let mut wire = Wire::connect_as(port, SUPERUSER, SUPERUSER, &database).unwrap();
            let mut left = Vec::new();
            let deadline = Instant::now() + PATIENCE;
            while Instant::now() < deadline {
                let replies = wire.simple(
                    "select 'table ' || relname from pg_class where relpersistence = 't'
                     union all
                     select concat_ws(' ', 'client', pid, state, wait_event, left(query, 200)) from pg_stat_activity
                     where usename = 'app' and state <> 'idle'",
                );
                left = values(&replies.unwrap());
                if left.is_empty() {
                    break;
                }
                thread::sleep(Duration::from_millis(30));
            }
            let shard = Cluster::shard_name(shard);
            assert!(left.is_empty(), "left on {shard}: {left:?}");
        }
        eventually("no connection is leased", || {
            let page = self.proxy.metrics();
            let leased = page.lines().filter(|line| {
                line.starts_with("trunkline_pool_connections{") && line.contains("state=\"leased\"")
            });
            leased.fold(0.0, |sum, line| {
                let (_, value) = line.rsplit_once(' ').unwrap();
                sum + value.parse::<f64>().unwrap()
            }) == 0.0
        });
    }

    /// The others have been answered throughout.
    fn end(self) {
        self.stop.store(true, Ordering::SeqCst);
        for other in self.others {
            assert!(other.join().expect("it was answered") > 0);
        }
    }

    /// A server process that gives its rows for the statement that runs.
    fn lane_process(&self, shard: usize) -> String {
        let port = self.cluster.primary_port(shard);
        let mut wire = Wire::connect_as(port, SUPERUSER, SUPERUSER, &[("database", APP)]).unwrap();
        let mut found = Vec::new();
        eventually("the shard is asked for its rows", || {
            let replies = wire.simple(
                "select pid from pg_stat_activity where usename = 'app' and query like '%TO STDOUT%' and state = 'active'",
            );
            found = values(&replies.unwrap());
            !found.is_empty()
        });
        found.remove(0)
    }
}

fn direct(cluster: &Cluster, shard: usize, sql: &str) -> Vec<Reply> {
    let mut wire = Wire::connect(cluster.primary_port(shard)).unwrap();
    wire.simple(sql).unwrap()
}

fn signal(process: &str, name: &str) {
    let kill = Command::new("/bin/sh")
        .args(["-c", r#"kill -s "$1" "$2""#, "kill", name, process])
        .status();
    assert!(kill.unwrap().success());
}

/// The error: SQLSTATE, and all it says.
fn error(replies: &[Reply]) -> (String, String) {
    let error = replies.iter().find(|reply| reply.tag == b'E');
    let error = error.unwrap_or_else(|| panic!("no error: {replies:?}"));
    let said = [b'M', b'D'].map(|name| error.field(name).unwrap_or_default());
    (error.field(b'C').unwrap(), said.join("; "))
}

/// Columns in another order on one shard: rows would change their columns where they are copied by their places.
#[test]
fn tables_that_differ_between_shards() {
    let world = World::start("");
    for shard in 0..SHARDS {
        let columns = match shard {
            1 => "b text, a text",
            _ => "a text, b text",
        };
        let organization = world.cluster.organization_on(shard);
        let sql = format!(
            "drop table odd; create table odd (organization_id bigint primary key, {columns});
             insert into odd (organization_id, a, b) values ({organization}, 'a', 'b')"
        );
        done(&direct(&world.cluster, shard, &sql));
    }
    let mut admin =
        Wire::connect_as(world.proxy.port, APP, APP, &[("database", "trunkline")]).unwrap();
    done(&admin.simple("RELOAD").unwrap());
    let mut wire = world.connect();
    let refused = |replies: &[Reply]| replies.iter().any(|reply| reply.tag == b'E');
    eventually("the columns are known", || {
        refused(&wire.simple("select o.a, o.b from odd o").unwrap())
    });
    for sql in [
        "select o.a, o.b from odd o",
        "select o.a, o.b from odd o where exists (select from anchor)",
        "select max(o.a), min(o.b) from odd o",
    ] {
        let replies = wire.simple(sql).unwrap();
        let (code, said) = error(&replies);
        assert_eq!(code, "0A000", "{replies:?}");
        assert!(
            said.contains("odd are not the same on all shards"),
            "{said}"
        );
    }
    world.is_tidy();
}

/// What is changed on one shard alone, as in the midst of a migration, and what the catalogs were last read to be: no answer is made
/// of values of two types.
#[test]
fn a_column_that_changes_on_one_shard() {
    let world = World::start("");
    let mut wire = world.connect();
    let direct = |shard, sql: &str| done(&direct(&world.cluster, shard, sql));
    for shard in 0..SHARDS {
        direct(shard, "alter table odd add n int, add t text collate \"C\"");
        let organization = world.cluster.organization_on(shard);
        direct(
            shard,
            &format!("insert into odd values ({organization}, {shard}, 'x')"),
        );
    }
    let mut admin =
        Wire::connect_as(world.proxy.port, APP, APP, &[("database", "trunkline")]).unwrap();
    done(&admin.simple("RELOAD").unwrap());
    let answers = |wire: &mut Wire, sql: &str| values(&wire.simple(sql).unwrap());
    let statements = [
        "select sum(n) from odd",
        "select avg(n) from odd",
        "select max(n) from odd",
        "select n, count(*) from odd group by n",
        "select n from odd order by n",
        "select organization_id from odd order by n",
    ];
    eventually("the columns are known", || {
        answers(&mut wire, "select sum(n) from odd") == ["3"]
    });
    for sql in statements {
        assert!(!answers(&mut wire, sql).is_empty(), "{sql}");
    }
    for other in ["float8", "int8", "numeric"] {
        direct(1, &format!("alter table odd alter n type {other}"));
        for sql in statements {
            let replies = wire.simple(sql).unwrap();
            let (code, said) = error(&replies);
            assert_eq!(code, "0A000", "{other}: {sql}: {said}");
        }
        direct(1, "alter table odd alter n type int");
        eventually("it is as it was", || {
            answers(&mut wire, "select sum(n) from odd") == ["3"]
        });
    }
    // Another collation changes no type: the catalogs tell.
    let by_text = "select t from odd order by t";
    assert_eq!(answers(&mut wire, by_text).len(), SHARDS);
    direct(1, "alter table odd alter t type text collate \"en-x-icu\"");
    done(&admin.simple("RELOAD").unwrap());
    eventually("the collation is known", || {
        wire.simple(by_text)
            .unwrap()
            .iter()
            .any(|reply| reply.tag == b'E')
    });
    let (code, said) = error(&wire.simple(by_text).unwrap());
    assert_eq!(code, "0A000");
    assert!(said.contains("not the same on all shards"), "{said}");
    world.is_tidy();
}

/// A named statement keeps the columns its client knows, as PostgreSQL's do.
#[test]
fn a_prepared_statement_whose_columns_change() {
    let world = World::start("");
    let mut wire = world.connect();
    let select = "select organization_id, n from odd order by 1";
    let all = |sql: &str| {
        (0..SHARDS).for_each(|shard| done(&direct(&world.cluster, shard, sql)));
    };
    all("alter table odd add n int");
    let run = |wire: &mut Wire| {
        let mut script = Script::new();
        script
            .bind("", "s", &Parameters::NONE)
            .execute("", 0)
            .sync();
        wire.run(&script).unwrap()
    };
    let mut script = Script::new();
    script.parse("s", select, &[]).sync();
    eventually("it is prepared", || {
        wire.run(&script)
            .unwrap()
            .iter()
            .all(|reply| reply.tag != b'E')
    });
    done(&run(&mut wire));
    done(&run(&mut wire));
    all("alter table odd alter n type int8");
    for _ in 0..2 {
        let (code, said) = error(&run(&mut wire));
        assert_eq!(
            (&*code, &*said),
            ("0A000", "cached plan must not change result type; ")
        );
    }
    // Prepared anew it is another one.
    let mut script = Script::new();
    script.close_statement("s").parse("s", select, &[]).sync();
    done(&wire.run(&script).unwrap());
    done(&run(&mut wire));
    world.is_tidy();
}

#[test]
fn a_lane_that_ends() {
    let world = World::start("").with_others();
    let mut wire = world.connect();
    for lane in [1, 2] {
        for (tag, skip) in [(b'H', 0), (b'd', 0), (b'd', 5_000), (b'c', 0)] {
            for act in [Act::Fin(0), Act::Rst(0), Act::Fin(3), Act::Fin(300)] {
                let rule = Rule::on("TO STDOUT", tag, act.clone()).after(skip);
                let armed = world.faults[lane].arm(rule);
                let started = Instant::now();
                let replies = wire.simple(GATHERED).unwrap();
                assert_eq!(armed.fired(), 1, "{tag} {skip} {act:?}");
                let (code, said) = error(&replies);
                assert_eq!(code, "08006", "{tag} {skip} {act:?}: {said}");
                assert!(said.contains(&Cluster::shard_name(lane)), "{said}");
                assert!(replies.iter().all(|reply| reply.tag != b'D'));
                assert_eq!(replies.last().unwrap().body, b"I", "{replies:?}");
                assert!(started.elapsed() < TOLD_WITHIN);
                world.faults[lane].disarm();
            }
        }
        world.works(&mut wire);
    }
    world.stop.store(true, Ordering::SeqCst);
    world.is_tidy();
    world.end();
}

/// In a client's transaction it is as any error: what was done is kept until the transaction's end, a savepoint helps.
#[test]
fn a_lane_that_ends_within_a_transaction() {
    let world = World::start("").with_others();
    let organization = world.cluster.organization_on(0);
    let mut wire = world.connect();
    for savepoint in [false, true] {
        done(&wire.simple("begin").unwrap());
        let update = format!(
            "update wide set filler = 'changed' where organization_id = {organization} and id = 1"
        );
        done(&wire.simple(&update).unwrap());
        if savepoint {
            done(&wire.simple("savepoint before").unwrap());
        }
        world.faults[2].arm(Rule::on("TO STDOUT", b'd', Act::Fin(0)).after(1_000));
        let replies = wire.simple(GATHERED).unwrap();
        assert_eq!(error(&replies).0, "08006", "{replies:?}");
        assert_eq!(replies.last().unwrap().body, b"E", "{replies:?}");
        world.faults[2].disarm();
        let replies = wire.simple(GATHERED).unwrap();
        assert_eq!(error(&replies).0, "25P02", "{replies:?}");
        if savepoint {
            done(&wire.simple("rollback to before").unwrap());
            let replies = wire.simple(GATHERED).unwrap();
            let all = (SHARDS * ORGANIZATIONS * ROWS).to_string();
            assert_eq!(values(&replies)[0], all, "{replies:?}");
            let changed = "select count(*) from wide where filler = 'changed' and exists (select from anchor)";
            assert_eq!(values(&wire.simple(changed).unwrap()), ["1"]);
        }
        done(&wire.simple("rollback").unwrap());
        world.works(&mut wire);
    }
    world.stop.store(true, Ordering::SeqCst);
    world.is_tidy();
    world.end();
}

#[test]
fn the_shard_that_takes_the_rows_in_ends() {
    let world = World::start("").with_others();
    let mut wire = world.connect();
    for (marker, act) in [
        ("FROM STDIN (FORMAT binary)", Act::Fin(0)),
        ("FROM STDIN (FORMAT binary)", Act::Rst(0)),
    ] {
        let tag = if marker.starts_with("COPY") {
            b'G'
        } else {
            b'C'
        };
        let armed = world.faults[0].arm(Rule::on(marker, tag, act.clone()).afresh());
        let replies = wire.simple(GATHERED).unwrap();
        assert_eq!(armed.fired(), 1, "{marker} {act:?}");
        let (code, said) = error(&replies);
        assert_eq!(code, "08006", "{marker} {act:?}: {said}");
        assert!(said.contains("s1"), "{said}");
        world.faults[0].disarm();
        world.works(&mut wire);
    }
    world.stop.store(true, Ordering::SeqCst);
    world.is_tidy();
    world.end();
}

/// A lane says nothing more, its process being stopped or the network: the client waits as it would for PostgreSQL, and a
/// cancel ends that.
#[test]
fn a_lane_that_falls_silent_and_a_cancel() {
    let world = World::start("").with_others();
    for way in ["held", "stopped"] {
        let mut wire = world.connect();
        let (port, key) = (world.proxy.port, wire.key);
        let delay = Act::Delay(Duration::from_millis(700));
        let asked = thread::scope(|scope| {
            let act = if way == "held" { Act::Hold } else { delay };
            let armed = world.faults[2].arm(Rule::on("TO STDOUT", b'd', act).after(100));
            let asked = scope.spawn(|| (wire.simple(GATHERED).unwrap(), Instant::now()));
            eventually("rows come", || armed.fired() == 1);
            let process = (way == "stopped").then(|| world.lane_process(2));
            if let Some(process) = &process {
                signal(process, "STOP");
            }
            thread::sleep(Duration::from_secs(1));
            assert!(!asked.is_finished(), "{way}: it waits");
            let started = Instant::now();
            cancel(port, key);
            let (replies, at) = asked.join().unwrap();
            assert!(at - started < TOLD_WITHIN, "{way}");
            if let Some(process) = &process {
                signal(process, "CONT");
            }
            replies
        });
        let (code, said) = error(&asked);
        assert_eq!(code, "57014", "{way}: {said}");
        world.faults[2].disarm();
        world.works(&mut wire);
    }
    world.stop.store(true, Ordering::SeqCst);
    world.is_tidy();
    world.end();
}

/// So does the proxy's own timeout.
#[test]
fn a_lane_that_falls_silent_and_a_timeout() {
    let world = World::start("limits: { statement_timeout: 2s }");
    let mut wire = world.connect();
    for (shard, marker, tag) in [
        (1, "TO STDOUT", b'd'),
        (2, "TO STDOUT", b'Z'),
        (0, "FROM STDIN (FORMAT binary)", b'G'),
    ] {
        let armed = world.faults[shard].arm(Rule::on(marker, tag, Act::Hold));
        let started = Instant::now();
        let replies = wire.simple(GATHERED).unwrap();
        assert_eq!(armed.fired(), 1, "{shard} {marker}");
        let (code, said) = error(&replies);
        assert_eq!(code, "57014", "{shard} {marker}: {said}");
        assert!(started.elapsed() < TOLD_WITHIN);
        world.faults[shard].disarm();
        world.works(&mut wire);
    }
    world.stop.store(true, Ordering::SeqCst);
    world.is_tidy();
    world.end();
}

/// A client that goes away in the middle of it takes it along.
#[test]
fn a_client_that_leaves() {
    let world = World::start("").with_others();
    for _ in 0..6 {
        let armed = world.faults[1].arm(Rule::on("TO STDOUT", b'd', Act::Hold).after(50));
        let mut wire = world.connect();
        let mut script = Script::new();
        script.query(GATHERED);
        wire.send_script(&script).unwrap();
        eventually("rows come", || armed.fired() == 1);
        drop(wire);
        let conn = armed.connection().unwrap();
        eventually("the lane is closed", || conn.is_over());
        world.faults[1].disarm();
    }
    world.works(&mut world.connect());
    world.stop.store(true, Ordering::SeqCst);
    world.is_tidy();
    world.end();
}

/// Every shard answers it for its own rows, in order.
const SCATTERED: &str = "select id, filler from wide order by id, organization_id";

/// Of a scattered statement: its error names the shard, whatever rows have gone out before.
#[test]
fn a_scattered_lane_that_ends() {
    let world = World::start("");
    let mut wire = world.connect();
    for lane in 0..SHARDS {
        for (tag, skip) in [(b'T', 0), (b'D', 0), (b'D', 3_000), (b'C', 0)] {
            for act in [Act::Fin(0), Act::Rst(0), Act::Fin(3)] {
                let rule = Rule::on("order by id", tag, act).after(skip);
                world.ends(&mut wire, lane, rule, SCATTERED);
            }
        }
        let replies = wire.simple(SCATTERED).unwrap();
        let rows = replies.iter().filter(|reply| reply.tag == b'D').count();
        assert_eq!(rows, SHARDS * ORGANIZATIONS * ROWS);
    }
    world.is_tidy();
    world.end();
}

/// One that says nothing more is waited for until the client cancels, or leaves; it is closed then.
#[test]
fn a_scattered_lane_that_falls_silent() {
    let world = World::start("").with_others();
    for leaves in [false, true] {
        world.falls_silent(2, "order by id", SCATTERED, leaves);
    }
    world.works(&mut world.connect());
    world.stop.store(true, Ordering::SeqCst);
    world.is_tidy();
    world.end();
}

/// What the proxy calls is PostgreSQL's, whatever a user has given the same name.
#[test]
fn a_function_of_a_name_that_is_called_here() {
    let world = World::start("");
    let mut wire = world.connect();
    let function = "create function public.unnest(bigint[]) returns setof bigint language sql immutable as 'select -1::bigint'";
    (0..SHARDS).for_each(|shard| done(&direct(&world.cluster, shard, function)));
    let all = SHARDS * ORGANIZATIONS * ROWS;
    let replies = wire.simple("select count(*) + 1 from wide").unwrap();
    assert_eq!(values(&replies), [(all + 1).to_string()]);
    world.is_tidy();
    world.end();
}

/// Rows and bytes of each table and shard, and how each finds them.
#[test]
fn explain_tells_what_has_travelled() {
    let world = World::start("");
    let mut wire = world.connect();
    let text = "explain (analyze, costs off) select max(id) filter (where true) over () from wide where id <= 10";
    for replies in [
        wire.simple(text).unwrap(),
        wire.extended(text, &Parameters::NONE).unwrap(),
    ] {
        done(&replies);
        let rows = replies.iter().filter(|reply| reply.tag == b'D');
        let lines: Vec<_> = rows
            .map(|row| String::from_utf8_lossy(&row.body[6..]).into_owned())
            .collect();
        let rows = ORGANIZATIONS * 10;
        for shard in 1..SHARDS {
            let moved = format!("wide from {}: {rows} rows, ", Cluster::shard_name(shard));
            assert!(
                lines.iter().any(|line| line.starts_with(&moved)),
                "{lines:#?}"
            );
        }
        let first = Cluster::shard_name(0);
        for own in [
            format!("wide on {first}"),
            format!("Over what was gathered, on {first}:"),
        ] {
            assert!(lines.contains(&own), "{lines:#?}");
        }
        // Each shard's plan has the condition, and times; so has that over all of it.
        for (wanted, count) in [("id <= 10", SHARDS + 1), ("Execution Time", SHARDS + 1)] {
            let found = lines.iter().filter(|line| line.contains(wanted)).count();
            assert_eq!(found, count, "{wanted}: {lines:#?}");
        }
    }
    world.works(&mut wire);
    world.is_tidy();
}

/// What equals a column of a table of few rows is looked for on the shards, unless those have too many values.
#[test]
fn rows_that_have_no_value_of_another_table_stay() {
    let world = World::start("");
    let own = world.cluster.organization_on(1);
    let more = format!("insert into wide select {own}, n, '' from generate_series(4001, 14100) n");
    done(&direct(&world.cluster, 1, &more));
    for shard in 0..SHARDS {
        for organization in world.cluster.organizations_on(shard).take(ORGANIZATIONS) {
            let insert = format!("insert into odd values ({organization})");
            done(&direct(&world.cluster, shard, &insert));
        }
    }
    let mut wire = world.connect();
    let one = format!("select count(*) from odd where organization_id = {own}");
    let mut moved = Vec::new();
    for condition in ["o.organization_id > 0", "w.id > 0", "w.id < 3", "w.id < 0"] {
        let text = format!(
            "select count(*), sum(w.organization_id) from wide w join odd o on o.organization_id = w.id, anchor where {condition}"
        );
        let alone = values(&wire.simple(&text).unwrap());
        assert_eq!(alone.len(), 2, "{text}");
        let extended = wire.extended(&text, &Parameters::NONE).unwrap();
        assert_eq!(values(&extended), alone, "{text}");
        // In a transaction all of it comes in one round.
        for before in ["begin", &*one] {
            done(&wire.simple(before).unwrap());
        }
        assert_eq!(values(&wire.simple(&text).unwrap()), alone, "{text}");
        done(&wire.simple("commit").unwrap());
        let explained = wire.simple(&format!("explain {text}")).unwrap();
        done(&explained);
        let lines = explained.iter().filter(|reply| reply.tag == b'D');
        let of = |table: &str| -> u64 {
            let head = format!("{table} from ");
            let lines = lines.clone().filter_map(|line| {
                let line = String::from_utf8_lossy(&line.body[6..]).into_owned();
                let count = line.strip_prefix(&head)?.split(' ').nth(1)?.parse::<u64>();
                count.ok()
            });
            lines.sum()
        };
        moved.push((of("wide"), of("odd")));
    }
    let others = ((SHARDS - 1) * ORGANIZATIONS) as u64;
    let wide = others * ROWS as u64 + 10_100;
    let odd: Vec<i64> = (0..SHARDS)
        .flat_map(|shard| world.cluster.organizations_on(shard).take(ORGANIZATIONS))
        .collect();
    let small = odd
        .iter()
        .filter(|id| **id < 3 && world.cluster.shard_of(**id) > 0);
    // Rows of `wide` by an id that `odd` has; `odd` whole where there are more than 10,000 ids; by two ids; by none.
    assert_eq!(moved[0], (others * odd.len() as u64, others));
    assert_eq!(moved[1], (wide, others));
    assert_eq!(moved[2], (others * 2, small.count() as u64));
    assert_eq!(moved[3], (0, 0));
    done(&direct(
        &world.cluster,
        1,
        "delete from wide where id > 4000",
    ));
    world.works(&mut wire);
    world.is_tidy();
}

/// Tables of few rows need no temporary tables; within limits, and outside of a transaction.
#[test]
fn small_tables_travel_as_arrays() {
    let world = World::start("");
    for shard in 0..SHARDS {
        for organization in world.cluster.organizations_on(shard).take(ORGANIZATIONS) {
            let insert = format!("insert into odd values ({organization})");
            done(&direct(&world.cluster, shard, &insert));
        }
        let revoke = format!("revoke temporary on database {APP} from public, {APP}");
        done(&direct(&world.cluster, shard, &revoke));
    }
    let few = "select count(*), sum(o.organization_id - p.organization_id) from odd o, odd p";
    let all = (SHARDS * ORGANIZATIONS).pow(2).to_string();
    let many = "select count(distinct filler) filter (where true) from wide";
    let mut wire = world.connect();
    for _ in 0..3 {
        let replies = wire.simple(few).unwrap();
        assert_eq!(values(&replies), [&*all, "0"], "{replies:?}");
        let replies = wire.extended(few, &Parameters::NONE).unwrap();
        assert_eq!(values(&replies), [&*all, "0"], "{replies:?}");
        for copied in [many, &format!("explain {few}")] {
            let (code, said) = error(&wire.simple(copied).unwrap());
            assert_eq!(code, "42501", "{said}");
        }
    }
    let own = world.cluster.organization_on(0);
    done(&wire.simple("begin").unwrap());
    let one = format!("select count(*) from odd where organization_id = {own}");
    done(&wire.simple(&one).unwrap());
    assert_eq!(error(&wire.simple(few).unwrap()).0, "42501");
    done(&wire.simple("rollback").unwrap());
    // A column that was added a moment ago is there, or it is told that tables cannot be made.
    let star = "select *, count(*) over () from odd";
    let columns = |wire: &mut Wire| {
        let replies = wire.simple(star).unwrap();
        let row = replies.iter().find(|reply| reply.tag == b'D');
        row.map(|row| u16::from_be_bytes([row.body[0], row.body[1]]))
    };
    assert_eq!(columns(&mut wire), Some(2));
    let outer = "select count(*) from (select organization_id, 5 as n from odd) o
                 where exists (select from odd p where p.organization_id <> o.organization_id and n = 7)";
    assert_eq!(values(&wire.simple(outer).unwrap()), ["0"]);
    for shard in 0..SHARDS {
        let alter = "alter table odd add n int not null default 7";
        done(&direct(&world.cluster, shard, alter));
    }
    let all = (SHARDS * ORGANIZATIONS).to_string();
    eventually("the catalogs have been read", || {
        let found = values(&wire.simple(outer).unwrap());
        assert!(found.is_empty() || found == [&*all], "{found:?}");
        let columns = columns(&mut wire);
        assert!(columns.is_none_or(|columns| columns == 3), "{columns:?}");
        columns.is_some()
    });
    world.is_tidy();
    let limited = ProxyOptions {
        database: "    limits: { gather_rows: 2 }".to_owned(),
        tables: vec!["wide".to_owned(), "odd".to_owned()],
        ..ProxyOptions::default()
    };
    let limited = Proxy::start(&world.cluster, &limited);
    let mut wire = Wire::connect(limited.port).unwrap();
    for shard in 0..SHARDS {
        let grant = format!("grant temporary on database {APP} to {APP}");
        done(&direct(&world.cluster, shard, &grant));
    }
    let (code, said) = error(&wire.simple(few).unwrap());
    assert_eq!(code, "54000", "{said}");
}

/// Policies that ask for a setting see the client's on every shard, or the statement is refused: what functions of its
/// transaction have set is on one server.
#[test]
fn row_security_asks_for_settings() {
    let world = World::start("");
    let policy = "alter table odd enable row level security, force row level security;
        create policy own on odd using (coalesce(current_setting('app.seen', true), '') = 'yes');
        create view seen as select * from odd";
    for shard in 0..SHARDS {
        let organization = world.cluster.organization_on(shard);
        let insert = format!("insert into odd values ({organization})");
        done(&direct(&world.cluster, shard, &insert));
        done(&direct(&world.cluster, shard, policy));
    }
    let mut admin =
        Wire::connect_as(world.proxy.port, APP, APP, &[("database", "trunkline")]).unwrap();
    done(&admin.simple("RELOAD").unwrap());
    let (scattered, gathered) = (
        "select count(*) from odd",
        "select count(distinct organization_id) filter (where true) from odd",
    );
    let through_view = "select count(distinct organization_id) filter (where true) from seen";
    let mut wire = world.connect();
    eventually("the policies are known", || {
        let replies = wire.simple(through_view).unwrap();
        replies.iter().any(|reply| reply.tag == b'E')
    });
    let (code, said) = error(&wire.simple(through_view).unwrap());
    assert_eq!(code, "0A000");
    assert!(said.contains("through a view"), "{said}");
    let all = SHARDS.to_string();
    let own = world.cluster.organization_on(0);
    let one = format!("select count(*) from wide where organization_id = {own}");
    let refused = |wire: &mut Wire, text: &str| {
        done(&wire.simple("savepoint s").unwrap());
        let (code, said) = error(&wire.simple(text).unwrap());
        assert_eq!(code, "0A000", "{text}: {said}");
        assert!(said.contains("row security"), "{said}");
        done(&wire.simple("rollback to s").unwrap());
    };
    for text in [scattered, gathered] {
        let mut answer = |statement: &str| values(&wire.simple(statement).unwrap());
        assert_eq!(answer(text), ["0"]);
        answer("set app.seen = 'yes'");
        assert_eq!(answer(text), [&*all]);
        answer("reset app.seen");
        answer("begin");
        answer("set local app.seen = 'yes'");
        assert_eq!(answer(text), [&*all]);
        answer("commit");
        assert_eq!(answer(text), ["0"]);
        for set in ["select set_config('app.seen', 'yes', true)", &one] {
            done(&wire.simple("begin").unwrap());
            done(&wire.simple(set).unwrap());
            refused(&mut wire, text);
            let tied = format!("select count(*) from odd where organization_id = {own}");
            let seen = values(&wire.simple(&tied).unwrap());
            // Where it was set is any shard, this one or another.
            assert!(seen == ["0"] || seen == ["1"] || seen.is_empty());
            done(&wire.simple("rollback").unwrap());
        }
    }
    world.is_tidy();
}

/// Nothing is cut to the modifiers that a type had before.
#[test]
fn type_modifiers_that_change() {
    let world = World::start("");
    let mut wire = world.connect();
    let all = |sql: &str| {
        (0..SHARDS).for_each(|shard| done(&direct(&world.cluster, shard, sql)));
    };
    all("alter table odd add n numeric(4, 1), add t varchar(3) collate \"und-x-icu\"");
    let insert = |shard: usize, n: &str, t: &str| {
        let organization = world.cluster.organization_on(shard);
        let insert = format!("insert into odd values ({organization}, {n}, '{t}')");
        done(&direct(&world.cluster, shard, &insert));
    };
    insert(0, "1.5", "abc");
    let texts = [
        "select n, count(*) + 0 from odd group by n order by n",
        "select n, t from odd order by t, n limit 5",
        "select t, count(*) from odd group by t having count(*) > 0 order by t",
    ];
    eventually("the columns are known", || {
        let replies = wire.simple(texts[0]).unwrap();
        replies.iter().all(|reply| reply.tag != b'E')
    });
    for text in texts {
        done(&wire.simple(text).unwrap());
    }
    all(
        "alter table odd alter n type numeric(12, 6), alter t type varchar(30) collate \"und-x-icu\"",
    );
    insert(1, "2.123456", "longer");
    for text in texts {
        let replies = wire.simple(text).unwrap();
        done(&replies);
        let found = format!("{replies:?}");
        let expected = if text.contains("n,") {
            "2.123456"
        } else {
            "longer"
        };
        assert!(found.contains(expected), "{text}: {found}");
    }
    world.is_tidy();
}

/// Each shard has groups of it, and the default one finishes what has been merged of them.
struct Finished {
    text: String,
    /// What stands in what the shards are sent, and in what the default one is sent then, and never before.
    groups: String,
    finish: String,
}

impl Finished {
    fn marker(&self, finishes: bool) -> &str {
        match finishes {
            true => &self.finish,
            false => &self.groups,
        }
    }
}

/// Another text each time: servers know one that has come before by its name.
fn finished() -> Finished {
    static NEXT: AtomicUsize = AtomicUsize::new(1_000);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    Finished {
        text: format!(
            "select id, count(*) * {next} from wide where id > -{next} group by id having count(*) > 1 order by count(*), id"
        ),
        groups: format!("id > -{next} GROUP BY"),
        finish: format!("* {next} AS"),
    }
}

/// A shard that ends before there are groups, and the server that finishes them.
#[test]
fn a_finished_statement_whose_servers_end() {
    let world = World::start("");
    let mut wire = world.connect();
    done(&wire.simple(&finished().text).unwrap());
    let places = (0..SHARDS).map(|lane| (lane, false));
    for (lane, finishes) in places.chain([(0, true)]) {
        for (tag, skip) in [(b'T', 0), (b'D', 3_000), (b'C', 0)] {
            for act in [Act::Fin(0), Act::Rst(0)] {
                let finished = finished();
                let rule = Rule::on(finished.marker(finishes), tag, act).after(skip);
                world.ends(&mut wire, lane, rule, &finished.text);
            }
        }
        let replies = wire.simple(&finished().text).unwrap();
        let rows = replies.iter().filter(|reply| reply.tag == b'D').count();
        assert_eq!(rows, ROWS);
    }
    world.is_tidy();
    world.end();
}

/// A cancel and a client that leaves end it, whichever server is silent.
#[test]
fn a_finished_statement_whose_server_falls_silent() {
    let world = World::start("");
    done(&world.connect().simple(&finished().text).unwrap());
    for (lane, finishes) in [(2, false), (0, true)] {
        for leaves in [false, true] {
            let finished = finished();
            world.falls_silent(lane, finished.marker(finishes), &finished.text, leaves);
        }
    }
    world.is_tidy();
    world.end();
}

/// Where there are more groups than are held here, all rows are gathered; so they are told by their size in bytes.
#[test]
fn groups_that_are_too_many_to_be_finished() {
    let world = World::start("");
    let mut wire = world.connect();
    let group = "filler || organization_id";
    let text =
        format!("select length({group}) * 0 + count(*) from wide group by {group} order by 1");
    for _ in 0..2 {
        let replies = wire.simple(&text).unwrap();
        done(&replies);
        let counts = values(&replies);
        assert_eq!(counts.len(), SHARDS * ORGANIZATIONS * ROWS);
        assert!(counts.iter().all(|count| count == "1"));
    }
    let metrics = world.proxy.metrics();
    let gathered = metrics
        .lines()
        .find(|line| line.starts_with("trunkline_gathered_rows_total{"));
    assert!(
        gathered.is_some_and(|line| !line.ends_with(" 0")),
        "{gathered:?}"
    );
    world.works(&mut wire);
    world.is_tidy();
    world.end();
}

/// kill -9 of a whole server in the middle of it, and the server comes back.
#[test]
fn a_lanes_server_is_killed() {
    let mut world = World::start("");
    let mut wire = world.connect();
    world.works(&mut wire);
    // More than fits into what lies between.
    let wider = "update wide set filler = repeat(filler, 8)";
    done(&direct(&world.cluster, 2, wider));
    let armed = world.faults[2]
        .arm(Rule::on("TO STDOUT", b'd', Act::Delay(Duration::from_millis(1_500))).after(2_000));
    let fired = Arc::clone(&armed);
    let server = world.cluster.shards[2].server_mut(0);
    let replies = thread::scope(|scope| {
        let asked = scope.spawn(|| wire.simple(GATHERED).unwrap());
        eventually("rows come", || fired.fired() == 1);
        server.kill();
        asked.join().unwrap()
    });
    let (code, said) = error(&replies);
    assert!(["08006", "57P02"].contains(&code.as_str()), "{code} {said}");
    assert!(said.contains("s3"), "{said}");
    world.faults[2].disarm();
    // What does not need that shard goes on.
    let organization = world.cluster.organization_on(0);
    let own = format!("select count(*) from wide where organization_id = {organization}");
    assert_eq!(values(&wire.simple(&own).unwrap()), [ROWS.to_string()]);
    let replies = wire.simple(GATHERED).unwrap();
    assert!(
        error(&replies).0.starts_with("08") || error(&replies).0 == "57P03",
        "{replies:?}"
    );
    world.cluster.shards[2].start(0).unwrap();
    eventually("it works again", || {
        let replies = wire.simple(GATHERED).unwrap();
        replies.iter().all(|reply| reply.tag != b'E')
    });
    world.works(&mut wire);
    world.is_tidy();
}
