//! Starting, reloading, draining, dying.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::fs;
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use integration_tests::client::{connect, texts};
use integration_tests::proxy::binary;
use integration_tests::wire::{Reply, Script, Wire};
use integration_tests::{Cluster, Proxy, ProxyOptions, Setup};

const PATIENCE: Duration = Duration::from_secs(15);

fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        Cluster::start(&Setup {
            everywhere: "create table accounts (organization_id bigint primary key, balance int);
                         create table wrong (organization_id text primary key);
                         create table uneven (organization_id bigint primary key, balance int);
                         create index \"Even\" on uneven (balance);
                         create type mood as enum ('sad', 'glad');
                         create table moods (organization_id mood primary key);
                         create table amounts (organization_id numeric(10) primary key);
                         create collation any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
                         create table folks (name text collate any_case primary key)",
            default_shard: "create index \"Odd one\" on uneven (balance) where balance > 7;
                            alter table uneven add check (balance > 0),
                                add foreign key (organization_id) references uneven,
                                add exclude using btree (balance with =)",
            ..Setup::default()
        })
    })
}

fn start(top: &str) -> Proxy {
    let options = ProxyOptions {
        top: top.to_owned(),
        database: "    pool: { size: 1, wait: 1500ms }".to_owned(),
        tables: vec!["accounts".to_owned()],
        ..ProxyOptions::default()
    };
    Proxy::start(cluster(), &options)
}

fn code(replies: &[Reply]) -> Option<String> {
    replies
        .iter()
        .find(|reply| reply.tag == b'E')
        .and_then(|error| error.field(b'C'))
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        thread::sleep(Duration::from_millis(30));
    }
}

fn send(wire: &mut Wire, sql: &str) {
    let mut script = Script::new();
    script.query(sql);
    wire.send_script(&script).unwrap();
}

#[test]
fn a_good_file_takes_effect_and_a_bad_one_does_not() {
    let proxy = start("");
    let good = fs::read_to_string(&proxy.config).unwrap();
    let mut holder = Wire::connect(proxy.port).unwrap();
    let mut client = Wire::connect(proxy.port).unwrap();
    holder.simple("begin; select 1").unwrap();
    assert_eq!(
        code(&client.simple("select 1").unwrap()).as_deref(),
        Some("53300")
    );
    let database = "databases: [ app ]\n    admin: true";
    // Valid, but rows would be looked for where they are not.
    let stranding = good
        .replace("0-127", "first half")
        .replace("128-255", "0-127")
        .replace("first half", "128-255");
    assert_ne!(stranding, good);
    for bad in [
        stranding,
        good.replace("size: 1", "size: none"),
        good.replace("size: 1", "sise: 2"),
        good.replace("placement:", "placement: ["),
        good.replace("0-127", "0-130"),
        String::new(),
    ] {
        let refused = proxy.log().matches("the old one stays").count();
        fs::write(&proxy.config, bad).unwrap();
        proxy.signal("HUP");
        eventually("the bad file is refused", || {
            proxy.log().matches("the old one stays").count() > refused
        });
        assert_eq!(
            code(&client.simple("select 1").unwrap()).as_deref(),
            Some("53300")
        );
    }
    fs::remove_file(&proxy.config).unwrap();
    proxy.signal("HUP");
    eventually("no file", || {
        proxy.log().matches("the old one stays").count() == 7
    });
    assert!(Wire::connect_as(proxy.port, "second", "secret", &[("database", "app")]).is_err());
    let second =
        format!("{database}\n  - name: second\n    password: secret\n    databases: [ app ]");
    fs::write(
        &proxy.config,
        good.replace("size: 1", "size: 2")
            .replace(database, &second),
    )
    .unwrap();
    proxy.signal("HUP");
    eventually("the good file is taken", || {
        proxy.log().contains("configuration reloaded")
    });
    let replies = client.simple("select 1").unwrap();
    assert_eq!(code(&replies), None, "{replies:?}");
    // The transaction that was open goes on.
    assert_eq!(code(&holder.simple("select 1").unwrap()), None);
    assert_eq!(holder.simple("commit").unwrap()[0].body, b"COMMIT\0");
    assert_eq!(code(&holder.simple("select 1").unwrap()), None);
    // The user is let in; the servers do not know it.
    let told = Wire::connect_as(proxy.port, "second", "secret", &[("database", "app")]);
    println!("a user the servers do not know: {told:?}");
    // A user taken away ends its sessions at the next idle moment.
    fs::write(
        &proxy.config,
        good.replace("name: app", "name: apt")
            .replace("size: 1", "size: 3"),
    )
    .unwrap();
    proxy.signal("HUP");
    eventually("the third file is taken", || {
        proxy.log().matches("configuration reloaded").count() == 2
    });
    assert!(Wire::connect(proxy.port).is_err());
    let outcome = client
        .simple("select 1")
        .and_then(|_| client.simple("select 1"));
    println!("a session of a user taken away: {outcome:?}");
    assert!(!matches!(outcome, Ok(replies) if code(&replies).is_none()));
    assert!(!proxy.log().contains("panicked"));
}

#[test]
fn sigterm_lets_transactions_finish() {
    let mut proxy = start("drain_timeout: 10s");
    let id = cluster().organization_on(1);
    let mut idle = Wire::connect(proxy.port).unwrap();
    let mut busy = Wire::connect(proxy.port).unwrap();
    let mut running = Wire::connect(proxy.port).unwrap();
    busy.simple("begin").unwrap();
    busy.simple(&format!(
        "insert into accounts (organization_id, balance) values ({id}, 1)"
    ))
    .unwrap();
    send(&mut running, "select pg_sleep(0.7), 'finished'");
    thread::sleep(Duration::from_millis(200));
    let started = Instant::now();
    proxy.signal("TERM");
    assert_eq!(idle.reply().unwrap().field(b'C').as_deref(), Some("57P01"));
    assert!(idle.reply().is_err());
    assert!(Wire::connect(proxy.port).is_err());
    assert_eq!(code(&running.replies().unwrap()), None);
    assert_eq!(
        running.reply().unwrap().field(b'C').as_deref(),
        Some("57P01")
    );
    assert_eq!(code(&busy.simple("select 1").unwrap()), None);
    assert_eq!(busy.simple("commit").unwrap()[0].body, b"COMMIT\0");
    assert_eq!(busy.reply().unwrap().field(b'C').as_deref(), Some("57P01"));
    let status = proxy.wait(PATIENCE).expect("it ends");
    assert_eq!(status.code(), Some(0), "{}", proxy.log());
    assert!(
        started.elapsed() < Duration::from_secs(5),
        "{:?}",
        started.elapsed()
    );
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let rows = runtime.block_on(async {
        let shard = connect(cluster().primary_port(1)).await;
        let rows = texts(
            &shard,
            &format!("select balance from accounts where organization_id = {id}"),
        )
        .await;
        shard
            .batch_execute(&format!(
                "delete from accounts where organization_id = {id}"
            ))
            .await
            .unwrap();
        rows
    });
    assert_eq!(rows.len(), 1);
}

#[test]
fn the_drain_limit_cuts_off() {
    let mut proxy = start("drain_timeout: 700ms");
    let mut busy = Wire::connect(proxy.port).unwrap();
    let mut open = Wire::connect(proxy.port).unwrap();
    open.simple("begin").unwrap();
    send(&mut busy, "select pg_sleep(60)");
    thread::sleep(Duration::from_millis(200));
    let started = Instant::now();
    proxy.signal("TERM");
    let status = proxy.wait(PATIENCE).expect("it ends");
    assert_eq!(status.code(), Some(0), "{}", proxy.log());
    assert!(
        (600..6000).contains(&started.elapsed().as_millis()),
        "{:?}",
        started.elapsed()
    );
    assert!(busy.reply().is_err() || busy.reply().is_err());
}

fn trunkline(arguments: &[&str]) -> Output {
    Command::new(binary()).args(arguments).output().unwrap()
}

#[test]
fn what_is_wrong_with_the_file_is_told_with_its_place() {
    let proxy = start("");
    let good = fs::read_to_string(&proxy.config).unwrap();
    let path = proxy.config.with_file_name("other.yaml");
    let file = path.to_str().unwrap();
    let place = |text: &str, what: &str| {
        let at = text.find(what).unwrap();
        let line = text[..at].matches('\n').count() + 1;
        format!("{file}:{line}:")
    };
    for (from, to, mark) in [
        ("size: 1", "size: -1", "size: -1"),
        ("size: 1", "sizes: 1", "sizes"),
        ("function: hash", "function: hush", "hush"),
        ("default_shard: s1", "default_shard: s9", "s9"),
        ("size: 1", "size: 1, size: 2", "size: 2"),
        ("logical_shards: 256", "logical_shards: \"many", "\"many"),
    ] {
        let bad = good.replacen(from, to, 1);
        fs::write(&path, &bad).unwrap();
        for command in ["serve", "check"] {
            let output = trunkline(&[command, "-c", file]);
            let told = String::from_utf8_lossy(&output.stderr).into_owned()
                + &String::from_utf8_lossy(&output.stdout);
            assert_eq!(output.status.code(), Some(2), "{command} {to}: {told}");
            assert!(
                told.contains(&place(&bad, mark))
                    || to.contains('"') && told.contains(&format!("{file}:")),
                "{command} {to}: {told}"
            );
        }
    }
    let output = trunkline(&["serve", "-c", "/nowhere/trunkline.yaml"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    // What the servers say.
    fs::write(&path, &good).unwrap();
    let output = trunkline(&["check", "-c", file]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    fs::write(&path, good.replacen("accounts ]", "accounts, uneven ]", 1)).unwrap();
    let output = trunkline(&["check", "-c", file]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let told = String::from_utf8_lossy(&output.stdout);
    for difference in [
        "constraint CHECK ((balance > 0)),",
        "constraint EXCLUDE USING btree (balance WITH =),",
        "constraint FOREIGN KEY (organization_id) REFERENCES public.uneven(organization_id),",
        "index CREATE INDEX ON public.uneven USING btree (balance) WHERE (balance > 7),",
    ] {
        assert!(told.contains(difference), "{difference} is not in {told}");
    }
    assert!(told.contains(": 3 errors, 1 warnings"), "{told}");
    let people = "accounts ]
      people:
        key: { column: name, type: text }
        tables: [ folks ]";
    for (from, to, mark) in [
        (
            "accounts ]",
            "accounts, moods ]",
            "an enum's hash depends on OIDs",
        ),
        (
            "accounts ]",
            "accounts, amounts ]",
            "numeric hashes differently",
        ),
        ("accounts ]", people, "collation any_case, under which"),
        ("accounts ]", "accounts, nowhere ]", "nowhere"),
        ("accounts ]", "accounts, wrong ]", "wrong"),
        ("dbname: app", "dbname: apt", "apt"),
    ] {
        fs::write(&path, good.replacen(from, to, 1)).unwrap();
        let output = trunkline(&["check", "-c", file]);
        let told = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(1), "{to}: {output:?}");
        assert!(
            told.lines()
                .any(|line| line.starts_with("error:") && line.contains(mark)),
            "{to}: {told}"
        );
    }
}

#[test]
fn a_killed_proxy_loses_no_acknowledged_write() {
    let mut proxy = start("");
    let port = proxy.port;
    static WRITTEN: AtomicUsize = AtomicUsize::new(0);
    let ids: Vec<i64> = (100_000..1_000_000).collect();
    let writing = thread::spawn(move || {
        let mut wire = Wire::connect(port).unwrap();
        let mut acknowledged = Vec::new();
        for id in ids {
            let sql = if id % 2 == 0 {
                format!("insert into accounts (organization_id, balance) values ({id}, 1)")
            } else {
                format!(
                    "begin; insert into accounts (organization_id, balance) values ({id}, 1); commit"
                )
            };
            match wire.simple(&sql) {
                Ok(replies) if code(&replies).is_none() => {
                    acknowledged.push(id);
                    WRITTEN.fetch_add(1, Ordering::SeqCst);
                }
                Ok(replies) => panic!("{replies:?}"),
                Err(_) => break,
            }
        }
        acknowledged
    });
    eventually("some writes are acknowledged", || {
        WRITTEN.load(Ordering::SeqCst) > 100
    });
    proxy.signal("KILL");
    let acknowledged = writing.join().unwrap();
    assert!(proxy.wait(PATIENCE).is_some());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let found = runtime.block_on(async {
        let mut found = Vec::new();
        for shard in 0..2 {
            let shard = connect(cluster().primary_port(shard)).await;
            found.extend(
                texts(
                    &shard,
                    "select organization_id from accounts where organization_id >= 100000",
                )
                .await,
            );
            let prepared = texts(&shard, "select count(*) from pg_prepared_xacts").await;
            assert_eq!(prepared, [[Some("0".to_owned())]]);
        }
        found
            .into_iter()
            .map(|row| row[0].clone().unwrap().parse::<i64>().unwrap())
            .collect::<Vec<_>>()
    });
    for id in &acknowledged {
        assert!(found.contains(id), "{id} was acknowledged and is lost");
    }
    println!("{} acknowledged, {} found", acknowledged.len(), found.len());
    assert!(found.len() - acknowledged.len() <= 1);
}
