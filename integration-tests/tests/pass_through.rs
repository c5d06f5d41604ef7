//! Users of whom no password is stored: verifiers in the configuration, and those a shard is asked for.
//!
//! The service user's `search_path` leads through a schema of somebody who means no good, in every test here:
//! whatever passes passes in spite of it.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::fs;
use std::process::Command;
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use integration_tests::client::{connect_as, texts};
use integration_tests::proxy::binary;
use integration_tests::wire::Wire;
use integration_tests::{Cluster, Proxy, ProxyOptions, Setup};

const PATIENCE: Duration = Duration::from_secs(30);

/// Stands before everything in the service user's path. With the names it shadows, an unqualified query would
/// find the role `ghost`, nobody expired, and every name equal.
const EVIL: &str = "
    create schema evil;
    create table evil.pg_authid as
      select 'ghost'::name as rolname, rolpassword, true as rolcanlogin, null::timestamptz as rolvaliduntil
        from pg_catalog.pg_authid where rolname = 'looked';
    create function evil.clock_timestamp() returns timestamptz language sql as $$ select '-infinity'::timestamptz $$;
    create function evil.now() returns timestamptz language sql as $$ select '-infinity'::timestamptz $$;
    create function evil.yes(text, text) returns bool language sql as 'select true';
    create operator evil.= (leftarg = text, rightarg = text, function = evil.yes);
    create function evil.pg_is_in_recovery() returns bool language sql as 'select true';
    create function evil.current_setting(text) returns text language sql as $$ select 'evil' $$;
    create function evil.current_schemas(bool) returns name[] language sql as $$ select array['evil'::name] $$;
    grant usage on schema evil to public;
    grant select on evil.pg_authid to public;
    alter role trunkline in database app set search_path = evil, pg_catalog;";

/// Two shards, and the verifier of `passed`.
struct World {
    cluster: Cluster,
    passed: String,
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let cluster = Cluster::start(&Setup::default());
        for shard in 0..2 {
            let hba = cluster.shards[shard].servers()[0]
                .data()
                .join("pg_hba.conf");
            let before = fs::read_to_string(&hba).unwrap();
            fs::write(&hba, format!("host all hashed 127.0.0.1/32 md5\n{before}")).unwrap();
            on(&cluster, shard, "select pg_reload_conf()");
            on(&cluster, shard, "alter role trunkline superuser");
            on(
                &cluster,
                shard,
                "grant select on all tables in schema public to public",
            );
            on(
                &cluster,
                shard,
                "set password_encryption to md5; create role hashed login password 'hashed'",
            );
        }
        let world = World {
            passed: everywhere(&cluster, "passed", "passed", ""),
            cluster,
        };
        everywhere(&world.cluster, "looked", "looked", "");
        for shard in 0..2 {
            on(&world.cluster, shard, EVIL);
        }
        world
    })
}

/// Runs as superuser on a shard; gives the first column.
fn on(cluster: &Cluster, shard: usize, sql: &str) -> Vec<String> {
    let port = cluster.primary_port(shard);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let rows = runtime.block_on(async {
        let superuser = connect_as(port, "postgres", "postgres", "app").await;
        texts(&superuser, sql).await
    });
    rows.into_iter()
        .map(|mut row| row.swap_remove(0).unwrap_or_default())
        .collect()
}

/// A role with one verifier on both shards, which is given back.
fn everywhere(cluster: &Cluster, role: &str, password: &str, options: &str) -> String {
    on(
        cluster,
        0,
        &format!("create role {role} login password '{password}' {options}"),
    );
    let verifier = verifier_of(cluster, role);
    on(
        cluster,
        1,
        &format!("create role {role} login password '{verifier}'"),
    );
    verifier
}

fn verifier_of(cluster: &Cluster, role: &str) -> String {
    let sql = format!("select rolpassword from pg_authid where rolname = '{role}'");
    on(cluster, 0, &sql).remove(0)
}

fn change_password(cluster: &Cluster, role: &str, password: &str) {
    on(
        cluster,
        0,
        &format!("alter role {role} password '{password}'"),
    );
    let verifier = verifier_of(cluster, role);
    on(
        cluster,
        1,
        &format!("alter role {role} password '{verifier}'"),
    );
}

fn start(database: &str, users: &str) -> Proxy {
    let options = ProxyOptions {
        database: database.to_owned(),
        users: users.to_owned(),
        ..ProxyOptions::default()
    };
    Proxy::start(&world().cluster, &options)
}

fn psql(proxy: &Proxy, user: &str, password: &str, sql: &str) -> Result<String, String> {
    let uri = format!(
        "postgresql://{user}:{password}@127.0.0.1:{}/app",
        proxy.port
    );
    let mut command = Command::new("psql");
    command.args(["-X", "-A", "-t", "-d", &uri, "-c", sql]);
    let output = command.env("PGCONNECT_TIMEOUT", "20").output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    match output.status.success() {
        true => Ok(text(&output.stdout)),
        false => Err(text(&output.stderr)),
    }
}

/// Who one is on a shard, asked with a row of that shard.
fn whoami(shard: usize) -> String {
    let organization = world().cluster.organization_on(shard);
    format!("select distinct current_user from matches where organization_id = {organization}")
}

fn gets_in(proxy: &Proxy, user: &str, password: &str) {
    for shard in 0..2 {
        assert_eq!(
            psql(proxy, user, password, &whoami(shard)).as_deref(),
            Ok(user)
        );
    }
}

/// As anybody who has no business here is told.
fn stays_out(proxy: &Proxy, user: &str, password: &str) {
    let told = psql(proxy, user, password, "select 1").unwrap_err();
    let stranger = psql(proxy, "nobody", password, "select 1").unwrap_err();
    assert!(
        told.contains("password authentication failed for user"),
        "{told}"
    );
    assert_eq!(told.replace(&user.replace("%20", " "), "nobody"), stranger);
}

fn until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        thread::sleep(Duration::from_millis(50));
    }
}

fn reload(proxy: &Proxy, change: impl Fn(String) -> String) {
    let before = fs::read_to_string(&proxy.config).unwrap();
    fs::write(&proxy.config, change(before)).unwrap();
    proxy.signal("HUP");
}

fn no_secret_is_told(proxy: &Proxy, secrets: &[&str]) {
    let shown: Vec<String> = ["show config", "show pools", "show sessions"]
        .iter()
        .map(|command| console(proxy, command))
        .collect();
    let told = [proxy.log(), proxy.metrics(), shown.join("\n")].join("\n");
    for secret in secrets {
        assert!(!told.contains(secret), "{secret} is told:\n{told}");
    }
    assert!(!told.contains("panicked"), "{told}");
}

fn console(proxy: &Proxy, command: &str) -> String {
    let uri = format!("postgresql://app:app@127.0.0.1:{}/trunkline", proxy.port);
    let output = Command::new("psql")
        .args(["-X", "-A", "-t", "-d", &uri, "-c", command])
        .output()
        .unwrap();
    assert!(output.status.success(), "{command}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_verifier_in_the_configuration_is_enough() {
    let world = world();
    let users = format!(
        "  - {{ name: passed, password: {{ scram: \"{}\" }}, databases: [ app ] }}",
        world.passed
    );
    let proxy = start("", &users);
    gets_in(&proxy, "passed", "passed");
    stays_out(&proxy, "passed", "wrong");
    // It was the role itself that the servers saw.
    for shard in 0..2 {
        let sessions = "select count(*) from pg_stat_activity where usename = 'passed'";
        assert_ne!(on(&world.cluster, shard, sessions), ["0"]);
    }
    // Both clients of one verifier share a pool for each shard.
    let pools = console(&proxy, "show pools");
    let of_passed = pools.lines().filter(|line| line.contains("passed")).count();
    assert_eq!(of_passed, 2, "{pools}");
    no_secret_is_told(&proxy, &[&world.passed, &world.passed[30..70], "wrong"]);
}

#[test]
fn users_are_looked_up_at_each_login() {
    let world = world();
    let proxy = start("    auth_query: {}", "");
    gets_in(&proxy, "looked", "looked");
    stays_out(&proxy, "looked", "wrong");
    stays_out(&proxy, "LOOKED", "looked");
    stays_out(&proxy, "looked'%20or%20true--", "looked");
    // Longer than a role's name can be; messages cut it.
    let told = psql(&proxy, &"looked".repeat(20), "looked", "select 1").unwrap_err();
    assert!(
        told.contains("password authentication failed for user"),
        "{told}"
    );
    // Somebody's table says otherwise: see `EVIL`.
    stays_out(&proxy, "ghost", "looked");

    let verifier = everywhere(&world.cluster, "comes_and_goes", "first", "");
    gets_in(&proxy, "comes_and_goes", "first");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let early = runtime.block_on(connect_as(proxy.port, "comes_and_goes", "first", "app"));
    change_password(&world.cluster, "comes_and_goes", "second");
    stays_out(&proxy, "comes_and_goes", "first");
    gets_in(&proxy, "comes_and_goes", "second");
    // A session from before does not lose its servers, nor take them from the others.
    for shard in [0, 1, 0, 1] {
        let rows = runtime.block_on(texts(&early, &whoami(shard)));
        assert_eq!(rows, [[Some("comes_and_goes".to_owned())]]);
        gets_in(&proxy, "comes_and_goes", "second");
    }
    let pools = console(&proxy, "show pools");
    assert_eq!(
        pools
            .lines()
            .filter(|line| line.contains("comes_and_goes"))
            .count(),
        2,
        "{pools}"
    );

    let alter = |sql: &str| {
        on(
            &world.cluster,
            0,
            &format!("alter role comes_and_goes {sql}"),
        )
    };
    for (shut, open) in [
        ("nologin", "login"),
        ("valid until '2000-01-01'", "valid until '2100-01-01'"),
        ("valid until '-infinity'", "valid until 'infinity'"),
        ("password null", "password 'second'"),
    ] {
        alter(shut);
        stays_out(&proxy, "comes_and_goes", "second");
        alter(open);
        // Its verifier may be another now.
        on(
            &world.cluster,
            1,
            &format!(
                "alter role comes_and_goes password '{}'",
                verifier_of(&world.cluster, "comes_and_goes")
            ),
        );
        gets_in(&proxy, "comes_and_goes", "second");
    }
    // What was good at one login is not at the next, and nobody has touched it in between.
    let soon = "do $$ begin execute format('alter role comes_and_goes valid until %L', now() + interval '3 s'); end $$";
    on(&world.cluster, 0, soon);
    assert!(psql(&proxy, "comes_and_goes", "second", "select 1").is_ok());
    until("the role expires", || {
        psql(&proxy, "comes_and_goes", "second", "select 1").is_err()
    });
    stays_out(&proxy, "comes_and_goes", "second");
    alter("valid until 'infinity'");
    gets_in(&proxy, "comes_and_goes", "second");
    on(&world.cluster, 0, "drop role comes_and_goes");
    stays_out(&proxy, "comes_and_goes", "second");
    no_secret_is_told(&proxy, &[&verifier[30..70], "wrong"]);
}

/// What CVE-2025-12819 did: the client's `search_path` was in force where its user was looked up.
#[test]
fn no_search_path_of_a_client_changes_who_is_found() {
    world();
    let proxy = start("    auth_query: {}", "");
    let port = proxy.port;
    let paths = [
        ("options", "-csearch_path=evil"),
        ("options", "-c search_path=evil,pg_catalog"),
        ("search_path", "evil"),
        ("search_path", "evil, pg_catalog"),
    ];
    for path in paths {
        let login = |user, password| {
            let parameters = [("database", "app"), path];
            Wire::connect_as(port, user, password, &parameters)
        };
        // The connection that looks up is made anew by the first login, and kept.
        for _ in 0..2 {
            // `evil` has it, with this password.
            let told = login("ghost", "looked").err().unwrap().to_string();
            assert!(told.contains("28P01"), "{path:?}: {told}");
            let told = login("looked", "wrong").err().unwrap().to_string();
            assert!(told.contains("28P01"), "{path:?}: {told}");
            login("looked", "looked").unwrap_or_else(|error| panic!("{path:?}: {error}"));
        }
    }
    no_secret_is_told(&proxy, &["wrong"]);
}

#[test]
fn an_md5_hash_logs_in_to_servers_that_ask_for_md5() {
    let world = world();
    let options = ProxyOptions {
        top: "rules: [ { users: hashed, method: md5 }, { method: scram } ]".to_owned(),
        database: "    auth_query: {}".to_owned(),
        ..ProxyOptions::default()
    };
    let proxy = Proxy::start(&world.cluster, &options);
    gets_in(&proxy, "hashed", "hashed");
    gets_in(&proxy, "looked", "looked");
    assert!(psql(&proxy, "hashed", "wrong", "select 1").is_err());
    no_secret_is_told(&proxy, &[&verifier_of(&world.cluster, "hashed")[3..]]);
}

#[test]
fn a_server_with_another_verifier_is_named() {
    let world = world();
    for shard in 0..2 {
        on(
            &world.cluster,
            shard,
            "create role differs login password 'differs'",
        );
    }
    let proxy = start("    auth_query: {}", "");
    assert_eq!(
        psql(&proxy, "differs", "differs", &whoami(0)).as_deref(),
        Ok("differs")
    );
    let told = psql(&proxy, "differs", "differs", &whoami(1)).unwrap_err();
    assert!(told.contains("shard s2: server 127.0.0.1:"), "{told}");
    assert!(told.contains("salt or iterations differ"), "{told}");
    assert!(
        told.contains("every server needs the same verifier"),
        "{told}"
    );
    // Once they are the same it works, without a new login anywhere.
    on(
        &world.cluster,
        1,
        &format!(
            "alter role differs password '{}'",
            verifier_of(&world.cluster, "differs")
        ),
    );
    until("the second shard lets it in", || {
        psql(&proxy, "differs", "differs", &whoami(1)).is_ok()
    });
}

/// The function of `docs/configuration.md`, with another service user.
fn documented_function(service: &str) -> String {
    let page = include_str!("../../docs/configuration.md");
    let mut blocks = page.split("```sql\n").skip(1);
    let sql = blocks
        .find_map(|rest| Some(rest.split_once("```")?.0).filter(|sql| sql.contains("auth.lookup")))
        .unwrap();
    sql.replace("TO trunkline", &format!("TO {service}"))
}

#[test]
fn the_documented_function_is_enough_for_a_service_user_without_rights() {
    let world = world();
    for shard in 0..2 {
        on(
            &world.cluster,
            shard,
            "create role lowly login password 'lowly' in role pg_monitor",
        );
    }
    let proxy = start("    auth_query: {}", "");
    reload(&proxy, |text| {
        text.replace(
            "user: trunkline, password: trunkline",
            "user: lowly, password: lowly",
        )
    });
    let unavailable = "users of database \"app\" cannot be looked up now";
    let told = |user| psql(&proxy, user, "looked", "select 1").unwrap_err();
    until("the lowly user asks in vain", || {
        told("looked").contains(unavailable)
    });
    assert_eq!(told("looked"), told("nobody"));
    until("the log says why", || {
        proxy
            .log()
            .contains("permission denied for table pg_authid")
    });
    let check = || {
        let output = Command::new(binary())
            .args(["check", "-c"])
            .arg(&proxy.config)
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert!(
        check().contains("`auth_query` does not work: permission denied"),
        "{}",
        check()
    );

    on(&world.cluster, 0, &documented_function("lowly"));
    reload(&proxy, |text| {
        text.replace(
            "auth_query: {}",
            "auth_query: { query: \"select * from auth.lookup($1)\" }",
        )
    });
    until("the function is asked", || {
        psql(&proxy, "looked", "looked", "select 1").is_ok()
    });
    gets_in(&proxy, "looked", "looked");
    stays_out(&proxy, "ghost", "looked");
    // Superusers are none of its business.
    stays_out(&proxy, "postgres", "postgres");
    on(
        &world.cluster,
        0,
        "create role late login password 'late' valid until '2000-01-01'",
    );
    stays_out(&proxy, "late", "late");
    assert!(!check().contains("auth_query"), "{}", check());
    // Nobody else may call it.
    let called = "set role passed; select * from auth.lookup('looked')";
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let denied = runtime.block_on(async {
        let port = world.cluster.primary_port(0);
        let superuser = connect_as(port, "postgres", "postgres", "app").await;
        superuser
            .batch_execute(called)
            .await
            .unwrap_err()
            .code()
            .cloned()
    });
    assert_eq!(denied.unwrap().code(), "42501");
}

#[test]
fn queries_that_answer_wrongly_let_nobody_in() {
    let world = world();
    let query = |query: &str| format!("    auth_query: {{ query: \"{query}\" }}");
    let verifier = verifier_of(&world.cluster, "looked");
    let proxy = start(&query("select 'looked', $1::text"), "");
    let mut at_hand = query("select 'looked', $1::text");
    for (next, why) in [
        // A text that is no verifier is no password either.
        (
            "select $1::text, 'looked'",
            "neither a SCRAM verifier nor an MD5 hash",
        ),
        (
            "select rolname::text, rolpassword from pg_authid where $1 <> ''",
            "more than one row",
        ),
        (
            "select 'looked'::text, rolpassword from pg_authid where rolname = 'looked' and $1 <> 'looked'",
            "another user's row",
        ),
    ] {
        let next = query(next);
        reload(&proxy, |text| text.replace(&at_hand, &next));
        at_hand = next;
        until(why, || {
            for user in ["looked", "other"] {
                stays_out(&proxy, user, "looked");
            }
            proxy.log().contains(why)
        });
    }
    for (next, why) in [
        ("select $1::text", "two columns"),
        (
            "select rolname::text, 1 from pg_authid where rolname = $1",
            "two columns",
        ),
        ("select $1::int::text, ''", "one parameter"),
        ("select nonsense($1)", "does not exist"),
    ] {
        let next = query(next);
        reload(&proxy, |text| text.replace(&at_hand, &next));
        at_hand = next;
        until(why, || {
            let told = |user| psql(&proxy, user, "looked", "select 1").unwrap_err();
            assert_eq!(
                told("looked").replace("looked\"", "nobody\""),
                told("nobody")
            );
            told("looked").contains("cannot be looked up now") && proxy.log().contains(why)
        });
    }
    no_secret_is_told(&proxy, &[&verifier[30..70]]);
}

#[test]
fn where_nobody_can_be_asked_all_names_are_told_the_same() {
    let world = world();
    let proxy = start("    pool: { wait: 2s }\n    auth_query: { shard: s2 }", "");
    let nowhere = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let second = format!("127.0.0.1:{}", world.cluster.primary_port(1));
    until("the shard answers", || {
        psql(&proxy, "looked", "looked", "select 1").is_ok()
    });
    reload(&proxy, |text| text.replace(&second, &nowhere.to_string()));
    let told = |user| psql(&proxy, user, "looked", "select 1");
    until("the shard is gone", || told("looked").is_err());
    until("it is known to be gone", || {
        told("looked").is_err_and(|told| told.contains("cannot be looked up now"))
    });
    for user in ["nobody", "passed", "postgres"] {
        assert_eq!(told(user), told("looked"));
    }
    // Who is configured is not kept out.
    assert!(psql(&proxy, "app", "app", &whoami(0)).is_ok());
    reload(&proxy, |text| text.replace(&nowhere.to_string(), &second));
    until("the shard is back", || told("looked").is_ok());
}

#[test]
fn pools_do_not_pile_up_and_sessions_follow_reloads() {
    let world = world();
    let proxy = start("    pool: { idle: 1s, min: 1 }\n    auth_query: {}", "");
    for number in 0..8 {
        let role = format!("many_{number}");
        everywhere(&world.cluster, &role, "many", "");
        gets_in(&proxy, &role, "many");
    }
    let of_many = || {
        let pools = console(&proxy, "show pools");
        pools.lines().filter(|line| line.contains("many_")).count()
    };
    assert!(of_many() > 0);
    until("unused pools are forgotten", || of_many() == 0);
    for shard in 0..2 {
        let sql = "select count(*) from pg_stat_activity where usename like 'many%'";
        until("their connections are closed", || {
            on(&world.cluster, shard, sql) == ["0"]
        });
    }
    // One comes again: nothing is lost but the pool.
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let session = runtime.block_on(connect_as(proxy.port, "many_0", "many", "app"));
    let ask = || runtime.block_on(session.simple_query("select 1")).is_ok();
    assert!(ask());
    // The configured user keeps its minimum.
    until("the minimum is kept", || {
        let sql = "select count(*) > 0 from pg_stat_activity where usename = 'app' and application_name = ''";
        on(&world.cluster, 0, sql) == ["t"]
    });
    // A session stays while users are looked up, and ends when they no longer are.
    reload(&proxy, |text| text.replace("idle: 1s", "idle: 2s"));
    assert!(ask());
    reload(&proxy, |text| text.replace("    auth_query: {}", ""));
    until("the session ends", || !ask());
    stays_out(&proxy, "many_0", "many");
}
