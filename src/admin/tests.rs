//! Commands against a proxy whose one database has servers nobody listens on.

use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use super::command::{COMMANDS, Definition, Show};
use super::testing::{YAML, config, shared};
use super::*;

fn console(shared: &Arc<Shared>, user: &str) -> Console {
    let (reload, requests) = ReloadHandle::new();
    drop(requests);
    Console::new(shared.clone(), user, reload)
}

fn printed(view: &View) -> Vec<String> {
    let cell = |cell: &Option<String>| cell.clone().unwrap_or_else(|| "∅".to_owned());
    view.rows
        .iter()
        .map(|row| row.iter().map(cell).collect::<Vec<_>>().join(" | "))
        .collect()
}

#[test]
fn commands_are_read() {
    for (text, expected) in [
        ("show pools", Command::Show(Show::Pools)),
        (
            " SHOW /* which */ Shards ; -- please",
            Command::Show(Show::Shards),
        ),
        ("reload", Command::Reload),
        ("", Command::Ignored("")),
        (" ; -- nothing", Command::Ignored("")),
        ("SET extra_float_digits = 3", Command::Ignored("SET")),
        ("set datestyle to 'ISO'", Command::Ignored("SET")),
        ("BEGIN", Command::Ignored("BEGIN")),
        ("rollback;", Command::Ignored("ROLLBACK")),
    ] {
        assert_eq!(parse(text), Ok(expected), "{text}");
    }
    for definition in COMMANDS {
        assert_eq!(parse(definition.words), Ok(definition.command));
    }
}

#[test]
fn what_is_no_command_is_refused_with_the_list() {
    for (text, code) in [
        ("show", "42601"),
        ("show pools now", "42601"),
        ("show \"POOLS\"", "42601"),
        ("set", "42601"),
        ("pause", "42601"),
        ("show 'pools", "42601"),
        ("SELECT 1", "0A000"),
        ("show pools; show shards", "0A000"),
    ] {
        let error = parse(text).expect_err(text);
        assert_eq!(error.code.as_str(), code, "{text}");
    }
    let hint = parse("pause")
        .expect_err("no command")
        .hint
        .unwrap_or_default();
    assert!(
        COMMANDS
            .iter()
            .all(|definition| hint.contains(definition.words)),
        "{hint}"
    );
}

#[tokio::test]
async fn every_view_has_its_columns() {
    let shared = shared();
    let console = console(&shared, "root");
    for Definition { words, columns, .. } in COMMANDS.iter().filter(|c| c.words != "RELOAD") {
        let view = console.run(words).await.expect(words);
        assert_eq!(
            view.columns.map(|columns| columns.len()),
            Some(columns.len()),
            "{words}"
        );
        assert!(
            view.rows.iter().all(|row| row.len() == columns.len()),
            "{words}"
        );
        assert_eq!(view.tag, "SHOW", "{words}");
    }
}

#[tokio::test]
async fn views() {
    let shared = shared();
    let console = console(&shared, "root");
    let client = "127.0.0.1:9".to_owned();
    let _session =
        shared
            .registry
            .register("app", "app", (client, "TLSv1.3"), "psql".to_owned(), [1; 4]);
    for (command, expected) in [
        (
            "SHOW MAP",
            &[
                "app | sharded | tenants | org_id bigint | hash | 0-127 | s1 | matches, sales.orders",
                "app | sharded | tenants | org_id bigint | hash | 128-255 | s2 | matches, sales.orders",
                "app | reference | ∅ | ∅ | ∅ | ∅ | ∅ | classes",
                "app | default | ∅ | ∅ | ∅ | ∅ | s1 | (all others)",
            ][..],
        ),
        (
            "SHOW TABLES",
            &[
                "app | classes | reference | ∅ | ∅",
                "app | matches | sharded | tenants | org_id",
                "app | sales.orders | sharded | tenants | id",
            ],
        ),
    ] {
        assert_eq!(
            printed(&console.run(command).await.expect(command)),
            expected,
            "{command}"
        );
    }
    let sessions = printed(&console.run("SHOW SESSIONS").await.expect("sessions"));
    assert!(
        sessions[0].starts_with("1 | app | app | 127.0.0.1:9 | TLSv1.3 | psql | idle | 0 | 20"),
        "{sessions:?}"
    );
    let shards = printed(&console.run("SHOW SHARDS").await.expect("shards"));
    assert!(
        shards[1].starts_with("app | s2 | 127.0.0.1:2 | unknown | f |"),
        "{shards:?}"
    );
}

#[tokio::test]
async fn no_view_shows_a_secret() {
    let shared = shared();
    let console = console(&shared, "root");
    assert!(YAML.contains("top-secret"));
    for definition in COMMANDS.iter().filter(|c| c.words != "RELOAD") {
        let lines = printed(&console.run(definition.words).await.expect("a view"));
        assert!(
            !lines.iter().any(|line| line.contains("secret")),
            "{lines:?}"
        );
    }
    let config = printed(&console.run("SHOW CONFIG").await.expect("settings"));
    assert!(
        config.contains(&"databases.app.pool.wait | 1500ms".to_owned()),
        "{config:?}"
    );
    assert!(config.contains(&"tls.mode | off".to_owned()), "{config:?}");
    assert!(
        config.contains(&"users.app.password | (plain)".to_owned()),
        "{config:?}"
    );
}

#[tokio::test]
async fn rights_are_those_of_the_configuration_in_use() {
    let shared = shared();
    let refused = |outcome: Result<View, PgError>| outcome.expect_err("no right").code.to_string();
    assert_eq!(
        refused(console(&shared, "app").run("SHOW VERSION").await),
        "42501"
    );
    let console = console(&shared, "root");
    assert!(console.run("SHOW VERSION").await.is_ok());
    let without = YAML.replace("admin: true", "databases: [app]");
    shared
        .topology
        .reload(&Arc::new(config(&without)))
        .expect("no files are needed");
    let others = ["", "begin", "set a = 1", "select 1", "nonsense", "show 'a"];
    for command in COMMANDS.iter().map(|known| known.words).chain(others) {
        let error = console.run(command).await.expect_err(command);
        assert_eq!(error.code.as_str(), "42501", "{command}");
        assert_eq!(error.severity, Severity::Fatal, "{command}");
    }
}

#[tokio::test]
async fn reload_asks_and_tells() {
    let shared = shared();
    let (reload, mut requests) = ReloadHandle::new();
    let console = Console::new(shared, "root", reload);
    let server = tokio::spawn(async move {
        for answer in [
            Ok(String::new()),
            Ok("listen later".into()),
            Err("line 3: bad".into()),
        ] {
            let _ = requests.recv().await.expect("a request").send(answer);
        }
    });
    let view = console.run("reload").await.expect("reloaded");
    assert_eq!((view.tag.as_str(), view.rows.len()), ("RELOAD", 1));
    assert!(
        printed(&console.run("RELOAD;").await.expect("reloaded"))[0].ends_with("; listen later")
    );
    let error = console.run("RELOAD").await.expect_err("a bad file");
    assert_eq!(
        (error.code.as_str(), error.detail.as_deref()),
        ("F0000", Some("line 3: bad"))
    );
    server.await.expect("the server's side");
    assert_eq!(
        console
            .run("RELOAD")
            .await
            .expect_err("nobody there")
            .code
            .as_str(),
        "57P01"
    );
}

#[test]
fn times_are_printed_in_utc() {
    for (seconds, expected) in [
        (0, "1970-01-01 00:00:00+00"),
        (951_827_696, "2000-02-29 12:34:56+00"),
        (1_798_761_599, "2026-12-31 23:59:59+00"),
        (4_107_542_400, "2100-03-01 00:00:00+00"),
    ] {
        assert_eq!(
            show::timestamp(UNIX_EPOCH + Duration::from_secs(seconds)),
            expected
        );
    }
}

/// `docs/admin.md` between its marks is the table, printed. `UPDATE_EXPECT=1` rewrites it.
#[test]
fn the_page_is_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/admin.md");
    let page = std::fs::read_to_string(&path).expect("the page exists");
    let (before, rest) = page.split_once(BEGIN).expect("the mark before the table");
    let (_, after) = rest.split_once(END).expect("the mark behind the table");
    let expected = format!("{before}{BEGIN}{}{END}{after}", commands_page());
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&path, &expected).expect("a writable page");
    } else {
        assert!(
            page == expected,
            "docs/admin.md is out of date: UPDATE_EXPECT=1 rewrites it"
        );
    }
}

const BEGIN: &str = "<!-- commands: written by a test of src/admin, UPDATE_EXPECT=1 -->\n";
const END: &str = "<!-- end of commands -->\n";

fn commands_page() -> String {
    let mut page = String::from("\n| command | what it does |\n|---|---|\n");
    for Definition { words, summary, .. } in COMMANDS {
        page.push_str(&format!("| `{words}` | {summary} |\n"));
    }
    for Definition { words, columns, .. } in COMMANDS {
        page.push_str(&format!(
            "\n### `{words}`\n\n| column | meaning |\n|---|---|\n"
        ));
        for field in *columns {
            page.push_str(&format!("| `{}` | {} |\n", field.name, field.meaning));
        }
    }
    page.push('\n');
    page
}
