//! Cases are data: `testdata/*.txt` holds YAML and what becomes of it, errors or a summary.
//! `UPDATE_EXPECT=1` rewrites the expectations in place.

use std::fmt::Write;
use std::fs;

use super::*;
use crate::config::resolved::GatherLimits;
use crate::shardmap::{ShardId, ShardingFunction, TableKind, format_ranges};

const CASE: &str = "==== ";
const EXPECTED: &str = "---- expected";

#[test]
fn cases() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/config/testdata");
    let files = std::fs::read_dir(directory).expect("the directory of cases exists");
    let mut paths: Vec<PathBuf> = files
        .map(|file| file.expect("a readable entry").path())
        .collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    assert!(!paths.is_empty());
    let mut failures = String::new();
    for path in paths {
        let text = std::fs::read_to_string(&path).expect("a readable case file");
        let actual: String = text.split(CASE).skip(1).map(run).collect();
        if actual != text {
            if std::env::var_os("UPDATE_EXPECT").is_some() {
                std::fs::write(&path, &actual).expect("a writable case file");
            } else {
                let (line, (expected, found)) = text
                    .lines()
                    .zip(actual.lines())
                    .enumerate()
                    .find(|(_, (expected, found))| expected != found)
                    .unwrap_or((0, ("(length)", "(length)")));
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                let _ = writeln!(
                    failures,
                    "{name}:{}:\n  expected {expected}\n  found    {found}",
                    line + 1
                );
            }
        }
    }
    assert!(
        failures.is_empty(),
        "{failures}(UPDATE_EXPECT=1 rewrites the cases)"
    );
}

/// One case without its leading mark, run and printed again.
fn run(case: &str) -> String {
    let (title, rest) = case.split_once('\n').expect("a title line");
    let (yaml, _) = rest.split_once(EXPECTED).expect("an expectation");
    let result = match parse(yaml, Path::new("src/config/testdata/trunkline.yaml"), &env) {
        Ok(config) => summary(&config),
        Err(errors) => errors.0.iter().fold(String::new(), |mut out, error| {
            let at = error
                .position
                .map_or(String::new(), |at| format!("{}:{}: ", at.line, at.column));
            let _ = writeln!(out, "{at}{}", error.message);
            out
        }),
    };
    format!("{CASE}{title}\n{yaml}{EXPECTED}\n{result}\n")
}

fn env(name: &str) -> Option<String> {
    match name {
        "APP_PASSWORD" => Some("app secret".into()),
        "TRUNKLINE_PASSWORD" => Some("service secret".into()),
        "EMPTY" => Some(String::new()),
        _ => None,
    }
}

/// What a careless log line or a panic would show.
#[test]
fn debug_shows_no_secret() {
    let scram = format!(
        "SCRAM-SHA-256$4096:{salt}${key}:{key}",
        salt = "c2FsdHNlY3JldDAwMDAwMA==",
        key = "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0MDA="
    );
    let hash = "md5d41d8cd98f00b204e9800998ecf8427e";
    let yaml = format!(
        "
users:
  - {{ name: plain, password: secret-p, databases: [app] }}
  - {{ name: env, password: {{ env: APP_PASSWORD }}, databases: [app] }}
  - {{ name: scram, password: {{ scram: '{scram}', server_password: secret-s }}, databases: [app] }}
  - {{ name: hashed, password: {{ md5: {hash}, server_password: secret-h }}, databases: [app] }}
databases:
  app:
    shards: {{ s1: {{ servers: ['h:1'] }} }}
    service: {{ user: a, password: secret-service }}
"
    );
    let config = parse(&yaml, Path::new("test.yaml"), &env).expect("a valid configuration");
    let shown = format!("{config:?} {config:#?}");
    assert!(shown.contains("hashed"));
    for secret in ["secret", "c2VjcmV0", "c2FsdHNlY3", "d41d8cd98f"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}

fn summary(config: &Config) -> String {
    let mut out = String::new();
    let listen: Vec<String> = config.listen.iter().map(ToString::to_string).collect();
    let _ = writeln!(
        out,
        "listen {} http {:?} drain {:?}",
        listen.join(" "),
        config.http,
        config.drain_timeout
    );
    for user in config.users.values() {
        let password = match &user.password {
            Password::Plain(password) => format!("plain {password:?}"),
            Password::Scram {
                server_password, ..
            } => format!("scram, to servers {server_password:?}"),
            Password::Md5 {
                hash,
                server_password,
            } => format!("{hash}, to servers {server_password:?}"),
        };
        let _ = writeln!(
            out,
            "user {}: {password} databases {:?} admin {}",
            user.name, user.databases, user.admin
        );
        if user.certificate != user.name
            || user.connections.is_some()
            || user.timeouts != config.limits.timeouts
        {
            let _ = writeln!(
                out,
                "  certificate {} connections {:?} {:?}",
                user.certificate, user.connections, user.timeouts
            );
        }
    }
    front_summary(&mut out, config);
    for database in config.databases.values() {
        database_summary(&mut out, database);
    }
    out
}

/// What differs from the defaults of how clients get in.
fn front_summary(out: &mut String, config: &Config) {
    if let Some(tls) = &config.tls {
        let _ = writeln!(out, "{tls:?}");
    }
    if config.rules != rules::everyone() {
        for rule in &config.rules {
            let _ = writeln!(
                out,
                "rule {:?} {:?} {:?} {:?} {:?}",
                rule.users, rule.databases, rule.from, rule.tls, rule.method
            );
        }
    }
    if config.limits != Limits::default() {
        let _ = writeln!(out, "{:?}", config.limits);
    }
}

fn database_summary(out: &mut String, database: &Database) {
    let Database {
        name,
        service,
        shards,
        map,
        pool,
        server_tls,
        auth_query,
        gather,
    } = database;
    let Password::Plain(password) = &service.password else {
        panic!("a service without a plain password")
    };
    let _ = writeln!(
        out,
        "database {name}: service {} {password:?}",
        service.user
    );
    for shard in shards {
        let servers: Vec<String> = shard.servers.iter().map(ToString::to_string).collect();
        let _ = writeln!(
            out,
            "  shard {}: {} dbname {}",
            shard.name,
            servers.join(" "),
            shard.dbname
        );
    }
    let _ = writeln!(out, "  default shard {}", map.shard_name(map.default_shard));
    for keyspace in &map.keyspaces {
        let columns: Vec<String> = keyspace
            .key
            .columns
            .iter()
            .map(|column| format!("{} {}", column.name, column.key_type.name()))
            .collect();
        let _ = write!(out, "  keyspace {}: {}", keyspace.name, columns.join(", "));
        let _ = match &keyspace.function {
            ShardingFunction::Hash(_) => Ok(()),
            ShardingFunction::List(function) => {
                let mut keys: Vec<String> = function
                    .keys()
                    .map(|key| format!("{key:?} {:?}", function.logical_shard(key)))
                    .collect();
                keys.sort();
                write!(out, " {} default {:?}", keys.join(", "), function.default())
            }
            function => write!(out, " {function:?}"),
        };
        let _ = writeln!(
            out,
            "{}",
            if keyspace.require_key {
                ", key required"
            } else {
                ""
            }
        );
        for (index, shard) in (0..).zip(&map.shards) {
            let _ = writeln!(
                out,
                "    {shard}: {}",
                format_ranges(&keyspace.placement.ranges(ShardId(index)))
            );
        }
    }
    for (table, kind) in map.tables_sorted() {
        let _ = match kind {
            TableKind::Reference => writeln!(out, "  table {table}: reference"),
            TableKind::Sharded { keyspace, columns } => {
                writeln!(
                    out,
                    "  table {table}: {} by {}",
                    map.keyspace(*keyspace).name,
                    columns.join(", ")
                )
            }
        };
    }
    let _ = writeln!(out, "  {pool:?}\n  {server_tls:?}");
    if *gather != GatherLimits::default() {
        let _ = writeln!(out, "  {gather:?}");
    }
    if let Some(auth_query) = auth_query {
        let _ = writeln!(out, "  {auth_query:?}");
    }
}

#[test]
fn the_shipped_example_is_complete_and_valid() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/trunkline.yaml");
    let config = load(&path, &env).unwrap_or_else(|errors| panic!("{errors}"));
    let database = &config.databases["app"];
    assert_eq!(database.shards.len(), 2);
    assert_eq!(
        format_ranges(&database.map.keyspaces[0].placement.ranges(ShardId(1))),
        "128-255"
    );
    assert_eq!(
        database.pool,
        PoolSettings::default(),
        "the example shows the defaults"
    );
    assert_eq!(config.limits, Limits::default(), "here, too");
    assert_eq!(database.gather, GatherLimits::default());
    assert!(database.gather.is_on());
}

/// The keyspaces that stand there as comments are valid, too.
#[test]
fn every_keyspace_of_the_shipped_example_is_valid() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/trunkline.yaml");
    let text = fs::read_to_string(&path).expect("readable example");
    let lines: Vec<String> = text
        .lines()
        .map(|line| match line.strip_prefix("      # ") {
            Some(rest) if !rest.ends_with("columns:") => format!("      {rest}"),
            _ => line.to_owned(),
        })
        .collect();
    let config = parse(&lines.join("\n"), &path, &env).unwrap_or_else(|errors| panic!("{errors}"));
    let map = &config.databases["app"].map;
    let names: Vec<_> = map
        .keyspaces
        .iter()
        .map(|keyspace| &*keyspace.name)
        .collect();
    let wanted = [
        "tenants", "visits", "orders", "shops", "devices", "accounts",
    ];
    assert_eq!(names, wanted);
}

/// Every key that the page explains stands in the example, if only in a comment.
#[test]
fn the_shipped_example_has_every_key() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path| fs::read_to_string(root.join(path)).expect("a readable file");
    let (page, example) = (read("docs/configuration.md"), read("config/trunkline.yaml"));
    let mut in_table = false;
    let mut keys = Vec::new();
    for line in page.lines() {
        if line.starts_with("| key | type |") {
            in_table = true;
        } else if !line.starts_with('|') {
            in_table = false;
        } else if in_table && !line.starts_with("|---") {
            let cell = line.split('|').nth(1).unwrap_or_default();
            // `key.column`, `key.type`
            let words = cell
                .split(['`', '.', ',', ' '])
                .filter(|word| !word.is_empty());
            keys.extend(words);
        }
    }
    assert!(keys.len() > 50, "{keys:?}");
    keys.retain(|key| !example.contains(&format!("{key}:")));
    assert!(keys.is_empty(), "not in the example: {keys:?}");
}

#[test]
fn errors_name_file_line_and_column() {
    let errors = parse("users: 5\nnope: 1\n", Path::new("dir/trunkline.yaml"), &env)
        .expect_err("it is wrong");
    let printed = errors.to_string();
    assert!(
        printed.starts_with("dir/trunkline.yaml:1:1: the key `databases` is missing\n"),
        "{printed}"
    );
    assert!(
        printed.contains("\ndir/trunkline.yaml:1:8: expected a list of users"),
        "{printed}"
    );
    let missing = load(Path::new("no/such/file.yaml"), &env)
        .expect_err("there is no such file")
        .to_string();
    assert!(
        missing.starts_with("no/such/file.yaml: cannot read the file: "),
        "{missing}"
    );
}

#[test]
fn secrets_stay_out_of_messages_and_debug_output() {
    let yaml = "users:
  - { name: app, password: [hunter2], databases: [a] }
  - { name: b, password: 'SCRAM-SHA-256$hunter2', databases: [a] }
  - { name: c, password: { scram: hunter2 }, databases: [a] }
  - { name: d, password: { env: APP_PASSWORD, file: x }, databases: [a] }
databases: { a: { shards: { s: { servers: ['h:1'] } }, service: { user: x, password: { hunter: hunter2 } } } }
";
    let errors = parse(yaml, Path::new("t.yaml"), &env).expect_err("it is wrong");
    assert_eq!(errors.0.len(), 6, "{errors}");
    assert!(!errors.to_string().contains("hunter2"), "{errors}");
    let password = Password::Scram {
        verifier: "hunter2".into(),
        server_password: Some("hunter2".into()),
    };
    assert!(!format!("{password:?} {:?}", Password::Plain("hunter2".into())).contains("hunter2"));
}
