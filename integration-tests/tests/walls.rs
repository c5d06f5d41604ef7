//! What gets out and who gets in: secrets, the admin console, crashes; and clients that do what hardly any
//! client does.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::fs;
use std::io::Read;
use std::net::{Ipv4Addr, TcpStream};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use integration_tests::client::{connect_as, texts};
use integration_tests::proxy::{binary, http_get};
use integration_tests::wire::{Format, Parameters, Reply, Script, Wire};
use integration_tests::{Cluster, Proxy, ProxyOptions, Setup, eventually};

fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        Cluster::start(&Setup {
            shards: 1,
            sample: None,
            default_shard: "create table sink (line text unique);
                create table copied (line text);
                create table parted (line text)",
            ..Setup::default()
        })
    })
}

fn proxy(top: &str, database: &str, users: &str) -> Proxy {
    let options = ProxyOptions {
        top: top.to_owned(),
        database: database.to_owned(),
        users: users.to_owned(),
        ..ProxyOptions::default()
    };
    Proxy::start(cluster(), &options)
}

/// Runs as superuser on the shard; gives the first column.
fn on_shard(sql: &str) -> Vec<String> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let rows = runtime.block_on(async {
        let port = cluster().primary_port(0);
        let superuser = connect_as(port, "postgres", "postgres", "app").await;
        texts(&superuser, sql).await
    });
    rows.into_iter()
        .map(|mut row| row.swap_remove(0).unwrap_or_default())
        .collect()
}

/// What psql prints, errors too.
fn psql(port: u16, user: &str, password: &str, parameters: &str, sql: &[&str]) -> String {
    let conninfo = format!("host=127.0.0.1 port={port} user={user} {parameters}");
    let mut command = Command::new("psql");
    command.args(["-X", "-A", "-t", "-d", &conninfo]);
    for sql in sql {
        command.args(["-c", sql]);
    }
    let output = command
        .env("PGPASSWORD", password)
        .env("PGCONNECT_TIMEOUT", "20")
        .env("HOME", "/nonexistent")
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn console(port: u16) -> Wire {
    Wire::connect_as(port, "app", "app", &[("database", "trunkline")]).unwrap()
}

fn shown(replies: &[Reply]) -> String {
    let bodies = replies
        .iter()
        .map(|reply| String::from_utf8_lossy(&reply.body));
    bodies.collect::<Vec<_>>().join("\n")
}

fn code(replies: &[Reply]) -> Option<String> {
    let error = replies.iter().find(|reply| reply.tag == b'E')?;
    error.field(b'C')
}

/// The first cells of a view.
fn commands(console: &mut Wire) -> Vec<String> {
    let rows = console.simple("show help").unwrap();
    rows.iter()
        .filter(|reply| reply.tag == b'D')
        .map(|row| {
            let length = u32::from_be_bytes(row.body[2..6].try_into().unwrap()) as usize;
            String::from_utf8_lossy(&row.body[6..6 + length]).into_owned()
        })
        .collect()
}

/// Runs `check` or `explain`; what it prints.
fn run(arguments: &[&str]) -> String {
    let output = Command::new(binary())
        .args(arguments)
        .env("WALL_SECRET", "secret-of-env-e1")
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn assert_without(what: &str, text: &str, words: &[String]) {
    for word in words {
        if let Some(at) = text.find(word.as_str()) {
            let from = text[..at].rfind('\n').map_or(0, |at| at + 1);
            let line: String = text[from..].chars().take(400).collect();
            panic!("{what} tells {word}: {line}");
        }
    }
}

/// Every form a password can have, each with a secret of its own. Gives the users' lines and all that nobody
/// may be told.
fn users_with_secrets() -> (String, Vec<String>) {
    let file = cluster().scratch.path().join("password");
    fs::write(&file, "secret-of-file-f1\n").unwrap();
    let mut secrets = Vec::new();
    for (role, password) in [
        ("plain", "secret-of-plain-p1"),
        ("enved", "secret-of-env-e1"),
        ("filed", "secret-of-file-f1"),
        ("clear", "secret-of-clear-c1"),
        ("verified", "secret-of-verified-v1"),
        ("hashed", "secret-of-hashed-h1"),
        ("looked", "secret-of-looked-l1"),
    ] {
        on_shard(&format!("create role {role} login password '{password}'"));
        secrets.push(password.to_owned());
    }
    let verifier = |role: &str| {
        on_shard(&format!(
            "select rolpassword from pg_authid where rolname = '{role}'"
        ))
        .remove(0)
    };
    let (verified, looked) = (verifier("verified"), verifier("looked"));
    let hash = on_shard("select 'md5' || md5('secret-of-hashed-h1' || 'hashed')").remove(0);
    for (role, password) in [
        ("verified", "secret-for-servers-v2"),
        ("hashed", "secret-for-servers-h2"),
    ] {
        on_shard(&format!("alter role {role} password '{password}'"));
        secrets.push(password.to_owned());
    }
    for verifier in [&verified, &looked] {
        let keys = verifier.split('$').next_back().unwrap();
        secrets.extend(keys.split(':').map(str::to_owned));
    }
    secrets.push(hash[3..].to_owned());
    let users = format!(
        "  - {{ name: plain, password: secret-of-plain-p1, databases: [ app ] }}
  - {{ name: enved, password: {{ env: WALL_SECRET }}, databases: [ app ] }}
  - {{ name: filed, password: {{ file: {} }}, databases: [ app ] }}
  - {{ name: clear, password: secret-of-clear-c1, databases: [ app ] }}
  - {{ name: verified, password: {{ scram: \"{verified}\", server_password: secret-for-servers-v2 }}, databases: [ app ] }}
  - {{ name: hashed, password: {{ md5: \"{hash}\", server_password: secret-for-servers-h2 }}, databases: [ app ] }}",
        file.display()
    );
    (users, secrets)
}

/// A key and its certificate; gives the key's lines.
fn key_and_certificate() -> Vec<String> {
    let made = Command::new("openssl")
        .args("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=wall -keyout wall.key -out wall.crt".split(' '))
        .current_dir(cluster().scratch.path())
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let key = fs::read_to_string(cluster().scratch.path().join("wall.key")).unwrap();
    let lines = key.lines().filter(|line| !line.starts_with('-'));
    lines.map(str::to_owned).collect()
}

const SQL_WORDS: [&str; 6] = [
    "literal-w1",
    "param-w2",
    "syntax-w3",
    "copied-w4",
    "prepared_w5",
    "11223344556",
];

/// Statements that succeed and fail with words in them, in each protocol.
fn speak(wire: &mut Wire) -> String {
    let mut told = String::new();
    for sql in [
        "select 'literal-w1'",
        "select 'literal-w1'::int",
        "selec syntax-w3",
        "select 'syntax-w3",
        "select 11223344556 / 0",
        "insert into sink values ('literal-w1')",
        "insert into sink values ('literal-w1')",
        "begin; select 'literal-w1'; rollback",
        "begin isolation level serializable",
        "set local application_name to 'literal-w1'",
        "select 'literal-w1' from sink",
        "rollback",
        "prepare prepared_w5 as select 1",
        "execute prepared_w5",
        "select * from matches where organization_id = 'literal-w1'",
        "select * from organizations where id in (11223344556, 2)",
    ] {
        told += &shown(&wire.simple(sql).unwrap());
    }
    for sql in [
        "select $1",
        "select $1::int",
        "insert into sink values ($1)",
        "insert into sink values ($1)",
        "select syntax-w3 from",
    ] {
        let parameters = Parameters {
            types: &[25],
            values: &[Some(b"param-w2")],
            given: Format::Text,
            wanted: Format::Text,
        };
        told += &shown(&wire.extended(sql, &parameters).unwrap());
    }
    wire.simple("copy sink from stdin").unwrap();
    told += &shown(&wire.copy_in(b"copied-w4\ncopied-w4\n").unwrap());
    told
}

#[test]
fn secrets_are_told_to_nobody() {
    let (users, mut secrets) = users_with_secrets();
    secrets.extend(key_and_certificate());
    let scratch = cluster().scratch.path();
    on_shard("create role service superuser login password 'secret-of-service-s1'");
    on_shard("grant all on sink to public");
    let options = ProxyOptions {
        top: format!(
            "tls: {{ certificate: {0}/wall.crt, key: {0}/wall.key }}
rules:
  - {{ users: clear, method: password }}
  - {{ users: hashed, method: md5 }}
  - {{ method: scram }}",
            scratch.display()
        ),
        database: "    auth_query: {}\n    pool: { size: 3 }".to_owned(),
        users,
        environment: [
            ("WALL_SECRET", "secret-of-env-e1"),
            ("TRUNKLINE_LOG", "trace"),
            ("RUST_LOG", "trace"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec(),
        ..ProxyOptions::default()
    };
    let proxy = Proxy::start(cluster(), &options);
    let mut to_clients = String::new();

    // The service user's own.
    secrets.push("secret-of-service-s1".to_owned());
    let good = fs::read_to_string(&proxy.config).unwrap().replace(
        "user: trunkline, password: trunkline }",
        "user: service, password: secret-of-service-s1 }",
    );
    fs::write(&proxy.config, &good).unwrap();
    let mut admin = console(proxy.port);
    let replies = admin.simple("reload").unwrap();
    assert_eq!(code(&replies), None, "{replies:?}");

    for (user, password) in [
        ("plain", "secret-of-plain-p1"),
        ("enved", "secret-of-env-e1"),
        ("filed", "secret-of-file-f1"),
        ("clear", "secret-of-clear-c1"),
        ("verified", "secret-of-verified-v1"),
        ("hashed", "secret-of-hashed-h1"),
        ("looked", "secret-of-looked-l1"),
    ] {
        for tls in ["sslmode=require", "sslmode=disable"] {
            let parameters = format!("dbname=app {tls}");
            let told = psql(
                proxy.port,
                user,
                password,
                &parameters,
                &["select 1 + 1, current_user", "select 'literal-w1'::int"],
            );
            assert!(told.starts_with(&format!("2|{user}\n")), "{user}: {told}");
            to_clients += &told;
            let told = psql(
                proxy.port,
                user,
                "secret-guess-g1",
                &parameters,
                &["select 1"],
            );
            assert!(told.contains("password authentication failed"), "{told}");
            to_clients += &told;
        }
    }
    to_clients += &psql(proxy.port, "app", "app", "dbname=nowhere", &["select 1"]);
    to_clients += &psql(
        proxy.port,
        "plain",
        "secret-of-plain-p1",
        "dbname=trunkline",
        &["show config"],
    );
    secrets.push("secret-guess-g1".to_owned());

    let mut wire = Wire::connect(proxy.port).unwrap();
    to_clients += &speak(&mut wire);
    for key in [wire.key, admin.key] {
        secrets.extend([
            key.1.to_string(),
            (key.1 as u32).to_string(),
            format!("{:08x}", key.1),
            format!("{:08X}", key.1),
        ]);
    }

    // Files with mistakes where a secret is.
    let mut to_admins = String::new();
    for (right, wrong) in [
        (
            "password: secret-of-plain-p1",
            "password: [ secret-of-plain-p1 ]",
        ),
        (
            "password: secret-of-plain-p1",
            "password: { scram: secret-of-plain-p1 }",
        ),
        (
            "password: secret-of-plain-p1",
            "password: { md5: secret-of-plain-p1 }",
        ),
        (
            "password: secret-of-plain-p1",
            "passwort: secret-of-plain-p1",
        ),
        (
            "password: secret-of-plain-p1",
            "password: secret-of-plain-p1: x",
        ),
        (
            "password: secret-of-plain-p1",
            "password: 'secret-of-plain-p1",
        ),
        (
            "password: secret-of-plain-p1",
            "password: *secret-of-plain-p1",
        ),
        (
            "password: secret-of-plain-p1",
            "password: secret-of-plain-p1, password: secret-of-plain-p1",
        ),
        (
            "password: secret-of-service-s1",
            "password: { scram: secret-of-service-s1 }",
        ),
        (
            "server_password: secret-for-servers-v2",
            "server_password: [ secret-for-servers-v2 ]",
        ),
        ("{ scram: \"SCRAM", "{ scram: \"scram"),
        ("{ md5: \"md5", "{ md5: \"md4"),
        ("wall.key }", "wall.crt }"),
        ("wall.crt,", "wall.key,"),
    ] {
        let broken = good.replacen(right, wrong, 1);
        assert_ne!(broken, good, "{right}");
        fs::write(&proxy.config, &broken).unwrap();
        let replies = admin.simple("reload").unwrap();
        assert!(code(&replies).is_some(), "{wrong}: {replies:?}");
        to_admins += &shown(&replies);
        to_admins += &run(&["check", "-c", proxy.config.to_str().unwrap()]);
    }
    proxy.signal("HUP");
    fs::write(&proxy.config, &good).unwrap();

    let config = proxy.config.to_str().unwrap();
    to_admins += &run(&["check", "-c", config]);
    to_admins += &run(&["explain", "-c", config, "select 1"]);
    for command in commands(&mut admin) {
        to_admins += &shown(&admin.simple(&command).unwrap());
    }
    for command in [
        "show",
        "show users",
        "select 1",
        "pause",
        "show all",
        "show pools;;",
    ] {
        to_admins += &shown(&admin.simple(command).unwrap());
    }
    let mut pages = String::new();
    for page in ["/metrics", "/readyz", "/healthz", "/", "/config"] {
        pages += &http_get(proxy.http_port, page).unwrap().1;
    }
    assert!(to_admins.contains("plain") && pages.contains("trunkline_"));

    let log = proxy.log();
    assert!(log.contains("TRACE") || log.contains("DEBUG"), "{log}");
    for (what, text) in [
        ("the log", &log),
        ("the console or a command", &to_admins),
        ("a page", &pages),
        ("an error", &to_clients),
    ] {
        assert_without(what, text, &secrets);
    }
    let words = SQL_WORDS.map(str::to_owned);
    for (what, text) in [
        ("the log", &log),
        ("the console or a command", &to_admins),
        ("a page", &pages),
    ] {
        assert_without(what, text, &words);
    }
    assert!(!log.contains("panicked"), "{log}");
}

#[test]
fn the_console_is_for_admins_under_any_name() {
    let users = "  - { name: mere, password: mere, databases: [ app ] }
  - { name: trunkline, password: trunkline, databases: [ app ] }
  - { name: TRUNKLINE, password: trunkline, databases: [ app ] }";
    let proxy = proxy("", "", users);
    on_shard("create role mere login password 'mere'");
    let refused = |user: &str, parameters: &str, sql: &[&str]| {
        let password = user.to_lowercase();
        let told = psql(proxy.port, user, &password, parameters, sql);
        assert!(
            !told.contains("logical_shards") && !told.contains("127.0.0.1|") && !told.contains("|"),
            "{user} {parameters} {sql:?}: {told}"
        );
        told
    };
    for database in [
        "trunkline",
        "TRUNKLINE",
        "Trunkline",
        "'\"trunkline\"'",
        "' trunkline'",
        "'trunkline '",
        "'trunkline;app'",
    ] {
        let told = refused("mere", &format!("dbname={database}"), &["show help"]);
        assert!(
            told.contains("may not use the admin console") || told.contains("does not exist"),
            "{database}: {told}"
        );
    }
    // The database that is meant where none is named.
    for user in ["trunkline", "TRUNKLINE"] {
        let told = refused(user, "", &["show help"]);
        assert!(
            told.contains("may not use the admin console") || told.contains("does not exist"),
            "{user}: {told}"
        );
    }
    let options = "options='-c database=trunkline -c role=app'";
    refused(
        "mere",
        &format!("dbname=trunkline {options}"),
        &["show help"],
    );
    // Within a session of another database its commands are PostgreSQL's, or nobody's.
    for command in [
        "show sessions",
        "show help",
        "show pools",
        "SHOW CONFIG",
        "reload",
        "set database = trunkline; show help",
        "set session authorization app; show help",
        "/* trunkline */ show shards",
    ] {
        let told = refused("mere", "dbname=app", &[command]);
        assert!(told.contains("ERROR"), "{command}: {told}");
    }
    assert!(!proxy.log().contains("panicked"));
}

/// One connection for each command, opened by an admin who is none any more when it is sent.
#[test]
fn each_command_needs_the_right_when_it_is_given() {
    let proxy = proxy(
        "",
        "",
        "  - { name: was, password: was, databases: [ app ], admin: true }",
    );
    let connect = || Wire::connect_as(proxy.port, "was", "was", &[("database", "trunkline")]);
    let mut all = commands(&mut connect().unwrap());
    assert!(all.iter().any(|command| command == "RELOAD") && all.len() > 5);
    all.extend(
        [
            "",
            "set a = 1",
            "begin",
            "select 1",
            "nonsense",
            "show help; reload",
        ]
        .map(str::to_owned),
    );
    let mut consoles: Vec<_> = all
        .iter()
        .map(|command| (command, connect().unwrap()))
        .collect();
    let text = fs::read_to_string(&proxy.config).unwrap();
    let without = text.replace("databases: [ app ], admin: true }", "databases: [ app ] }");
    assert_ne!(text, without);
    fs::write(&proxy.config, without).unwrap();
    assert_eq!(code(&console(proxy.port).simple("reload").unwrap()), None);
    for (command, console) in &mut consoles {
        let mut script = Script::new();
        script.query(command);
        console.send_script(&script).unwrap();
        let reply = console.reply().unwrap();
        assert_eq!(reply.tag, b'E', "{command}: {reply:?}");
        assert_eq!(reply.field(b'C').as_deref(), Some("42501"), "{command}");
        assert_eq!(reply.field(b'V').as_deref(), Some("FATAL"), "{command}");
        assert!(console.reply().is_err(), "{command}: it goes on");
    }
    assert!(connect().is_err());
    assert!(!proxy.log().contains("panicked"));
}

#[test]
fn a_crash_writes_no_memory_to_a_disk() {
    let proxy = proxy("", "", "");
    let limits = fs::read_to_string(format!("/proc/{}/limits", proxy.pid())).unwrap();
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max core file size"))
        .unwrap();
    assert_eq!(line.split_whitespace().next(), Some("0"), "{line}");
}

/// It provokes its end and neither reads of it nor goes.
#[test]
fn a_farewell_nobody_reads_has_its_time() {
    let proxy = proxy("", "", "");
    let clients = || proxy.metric("trunkline_client_connections").unwrap();
    eventually("nobody is there", || clients() == 0.0);
    let mut deaf: Vec<_> = (0..5).map(|_| Wire::connect(proxy.port).unwrap()).collect();
    let mut silent: Vec<_> = (0..5)
        .map(|_| TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port)).unwrap())
        .collect();
    eventually("all are there", || clients() == 10.0);
    let provoked = Instant::now();
    for wire in &mut deaf {
        wire.send(b"!\0\0\0\x04").unwrap();
    }
    for stream in &mut silent {
        std::io::Write::write_all(stream, b"\0\0\0\x09\0\x03\0\0!").unwrap();
    }
    eventually("all are gone", || clients() == 0.0);
    assert!(
        provoked.elapsed() < Duration::from_secs(6),
        "{:?}",
        provoked.elapsed()
    );
    for wire in &mut deaf {
        assert_eq!(wire.reply().unwrap().field(b'C').as_deref(), Some("08P01"));
    }
    for stream in &mut silent {
        let mut told = Vec::new();
        let _ = stream.read_to_end(&mut told);
        assert_eq!(told.first(), Some(&b'E'));
    }
    assert!(!proxy.log().contains("panicked"));
}

fn limit_descriptors(proxy: &Proxy, limit: usize) {
    let limited = Command::new("prlimit")
        .args(["--pid", &proxy.pid().to_string()])
        .arg(format!("--nofile={limit}:"))
        .status()
        .unwrap();
    assert!(limited.success());
}

/// Clients are let in, but no connection to a server can be made.
#[test]
fn without_descriptors_for_servers_statements_fail_and_others_go_on() {
    let proxy = proxy("", "    pool: { size: 4, wait: 2s }", "");
    let mut holder = Wire::connect(proxy.port).unwrap();
    let mut other = Wire::connect(proxy.port).unwrap();
    holder.simple("begin; select 1 from sink").unwrap();
    let descriptors = fs::read_dir(format!("/proc/{}/fd", proxy.pid())).unwrap();
    let numbers = descriptors.map(|entry| entry.unwrap().file_name().to_string_lossy().parse());
    let lowest_free = {
        let mut numbers: Vec<usize> = numbers.map(Result::unwrap).collect();
        numbers.sort_unstable();
        (0..).find(|number| numbers.binary_search(number).is_err())
    };
    limit_descriptors(&proxy, lowest_free.unwrap());
    let started = Instant::now();
    let replies = other.simple("select 1 from sink").unwrap();
    assert!(started.elapsed() < Duration::from_secs(6));
    assert_eq!(code(&replies).as_deref(), Some("08006"), "{replies:?}");
    assert!(
        shown(&replies).contains("open files"),
        "the reason is told: {replies:?}"
    );
    assert_eq!(code(&holder.simple("select 1 from sink").unwrap()), None);
    limit_descriptors(&proxy, 4096);
    eventually("it recovers by itself", || {
        code(&other.simple("select 1 from sink").unwrap()).is_none()
    });
    assert_eq!(code(&holder.simple("commit").unwrap()), None);
    assert!(!proxy.log().contains("panicked"));
}

/// All replies up to the last ReadyForQuery, or what the end of the connection left.
fn all_replies(wire: &mut Wire, ready: usize) -> Vec<Reply> {
    let mut replies = Vec::new();
    let mut seen = 0;
    while seen < ready {
        match wire.reply() {
            Ok(reply) if reply.tag == b'S' => {}
            Ok(reply) => {
                seen += usize::from(reply.tag == b'Z');
                replies.push(reply);
            }
            Err(_) => break,
        }
    }
    replies
}

/// A statement about the session behind a COPY in one pipeline, with its data and without.
#[test]
fn a_copy_and_a_control_statement_in_one_pipeline() {
    let proxy = proxy("", "", "");
    for data in [true, false] {
        for (number, (control, in_block)) in [
            ("savepoint s", true),
            ("set local application_name to 'x'", true),
            ("commit", true),
            ("rollback", true),
            ("set application_name to 'x'", true),
            ("begin", true),
            ("begin", false),
            ("savepoint s", false),
            ("set application_name to 'x'", false),
            ("commit", false),
        ]
        .into_iter()
        .enumerate()
        {
            let what = format!("{control}, data {data}, in a block {in_block}");
            let mut answers = Vec::new();
            for port in [cluster().oracle.port(), proxy.port] {
                let mut wire = Wire::connect(port).unwrap();
                wire.simple("delete from copied").unwrap();
                if in_block {
                    wire.simple("begin").unwrap();
                }
                let mut script = Script::new();
                script.parse("", "copy copied from stdin", &[]);
                script.bind("", "", &Parameters::NONE).execute("", 0);
                wire.send_script(&script).unwrap();
                if data {
                    wire.send_copy(format!("line {number}\n").as_bytes())
                        .unwrap();
                }
                let mut script = Script::new();
                script.parse("", control, &[]);
                script.bind("", "", &Parameters::NONE).execute("", 0).sync();
                wire.send_script(&script).unwrap();
                let mut answer = all_replies(&mut wire, 1);
                let lives = wire.simple("rollback").is_ok();
                if lives {
                    let count = wire.simple("select count(*) from copied").unwrap();
                    answer.push(count[1].clone());
                }
                answers.push((answer, lives));
            }
            let (proxys, oracles) = (answers.pop().unwrap(), answers.pop().unwrap());
            let refused = code(&proxys.0).as_deref() == Some("0A000");
            if !data {
                // The type of the message it stumbles over may be another one.
                assert_eq!(code(&proxys.0), code(&oracles.0), "{what}");
                assert_eq!(proxys.1, oracles.1, "{what}");
            } else if refused && !in_block {
                assert!(proxys.1, "{what}: the client goes on");
                let count = &proxys.0.last().unwrap().body;
                assert!(count.ends_with(b"0"), "{what}: nothing is left of it");
            } else {
                assert_eq!(proxys, oracles, "{what}");
            }
        }
    }
    assert!(!proxy.log().contains("panicked"));
}

/// A statement, then Terminate at once, in one write: it is run to its end.
#[test]
fn a_statement_before_a_goodbye_is_run() {
    let proxy = proxy("", "", "");
    let mut counts = Vec::new();
    for port in [cluster().oracle.port(), proxy.port] {
        for way in ["simple", "extended", "copy"] {
            let mut wire = Wire::connect(port).unwrap();
            let line = format!("goodbye {way}");
            let sql = format!("insert into parted select '{line}' from pg_sleep(0.3)");
            let mut script = Script::new();
            match way {
                "simple" => {
                    script.query(&sql);
                    wire.send_script(&script).unwrap();
                }
                "extended" => {
                    script.parse("", &sql, &[]);
                    script.bind("", "", &Parameters::NONE).execute("", 0).sync();
                    wire.send_script(&script).unwrap();
                }
                _ => {
                    script.query("copy parted from stdin");
                    wire.send_script(&script).unwrap();
                    wire.send_copy(format!("{line}\n").as_bytes()).unwrap();
                }
            }
            wire.close().unwrap();
        }
        let count = || {
            let mut wire = Wire::connect(port).unwrap();
            let sql = "select count(*) from parted where line like 'goodbye%'";
            shown(&wire.simple(sql).unwrap()[1..2])
        };
        eventually("all are run", || count().ends_with('3'));
        counts.push(count());
    }
    assert_eq!(counts[0], counts[1]);
}
