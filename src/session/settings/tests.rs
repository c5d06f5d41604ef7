//! Settings count and are taken back as in PostgreSQL: by transaction, savepoint and pipeline.

use super::*;

fn started(parameters: &[(&str, &str)]) -> Settings {
    Settings::from_startup(parameters.iter().copied()).expect("admitted")
}

fn setting(name: &str, value: &str) -> Setting {
    Setting {
        name: name.to_owned(),
        values: Some(vec![value.to_owned()]),
    }
}

#[test]
fn a_transaction_s_settings_count_when_it_commits() {
    let mut settings = Settings::default();
    let before = settings.mark();
    settings.set(&setting("timezone", "UTC"), false, "SET timezone TO 'UTC'");
    assert_eq!(settings.mark(), before, "not before the commit");
    assert!(!settings.rollback());
    assert_eq!(settings.replay(), "");
    settings.set(&setting("timezone", "UTC"), false, "SET timezone TO 'UTC'");
    settings.commit();
    assert_ne!(settings.mark(), before);
    assert_eq!(settings.replay(), "SET timezone TO 'UTC'");
}

#[test]
fn a_failed_pipeline_takes_its_settings_back() {
    let mut settings = Settings::default();
    settings.set(&setting("a", "1"), false, "SET a TO 1");
    settings.commit_in_pipeline();
    settings.commit();
    let kept = settings.mark();
    settings.set(&setting("a", "2"), false, "SET a TO 2");
    settings.commit_in_pipeline();
    settings.set(&setting("b", "2"), false, "SET b TO 2");
    settings.commit_in_pipeline();
    assert!(settings.rollback());
    assert_eq!(settings.mark(), kept);
    assert_eq!(settings.replay(), "SET a TO 1");
}

#[test]
fn savepoints_take_settings_with_them() {
    let mut settings = Settings::default();
    settings.set(&setting("a", "1"), false, "SET a TO 1");
    settings.savepoint("s");
    settings.set(&setting("b", "1"), false, "SET b TO 1");
    settings.savepoint("t");
    settings.set(&setting("c", "1"), false, "SET c TO 1");
    settings.rollback_to("s");
    settings.set(&setting("d", "1"), false, "SET d TO 1");
    settings.commit();
    assert_eq!(settings.replay(), "SET a TO 1;\nSET d TO 1");
}

#[test]
fn reset_returns_to_the_startup_packet() {
    let mut settings = started(&[("search_path", "sales, \"Odd\"")]);
    assert_eq!(
        settings.search_path(),
        Some(&["sales".to_owned(), "Odd".to_owned()][..])
    );
    settings.set(
        &setting("search_path", "other"),
        false,
        "SET search_path TO other",
    );
    settings.commit();
    assert_eq!(settings.search_path(), Some(&["other".to_owned()][..]));
    settings.reset(Some("search_path"));
    assert_eq!(settings.search_path().map(<[_]>::len), Some(2));
    settings.commit();
    assert_eq!(settings.replay(), "SET \"search_path\" TO 'sales', 'Odd'");
}

/// TO DEFAULT is RESET, LOCAL for the transaction.
#[test]
fn default_is_what_the_startup_packet_said() {
    let mut settings = started(&[("search_path", "sales"), (KEYSPACE, "orders")]);
    let default = |name: &str| Setting {
        name: name.to_owned(),
        values: None,
    };
    let path = |settings: &Settings| settings.search_path().map(|path| path.join("+"));
    let text = "SET search_path TO other";
    settings.set(&setting("search_path", "other"), false, text);
    settings.set(&setting(KEYSPACE, "other"), false, "");
    settings.commit();
    let replayed = settings.replay();
    settings.set(&default("search_path"), true, "SET LOCAL …");
    settings.set(&default(KEYSPACE), true, "SET LOCAL …");
    assert_eq!(path(&settings).as_deref(), Some("sales"));
    assert_eq!(settings.own(KEYSPACE), "orders");
    settings.commit();
    assert_eq!(path(&settings).as_deref(), Some("other"), "it was local");
    assert_eq!(settings.own(KEYSPACE), "other");
    assert_eq!(settings.replay(), replayed);
    settings.set(&default("search_path"), false, "SET search_path TO DEFAULT");
    assert_eq!(path(&settings).as_deref(), Some("sales"));
    settings.commit();
    assert_eq!(path(&settings).as_deref(), Some("sales"));
    assert_eq!(settings.replay(), "SET \"search_path\" TO 'sales'");
    assert_eq!(
        settings
            .replay_startup(Some("search_path"), true)
            .as_deref(),
        Some("SET LOCAL \"search_path\" TO 'sales'")
    );
}

#[test]
fn lists_of_the_startup_packet_are_split_outside_quotes() {
    let settings = started(&[("search_path", "\"A,b\", Public")]);
    assert_eq!(settings.search_path().map(<[_]>::len), Some(2));
    assert_eq!(settings.replay(), "SET \"search_path\" TO 'A,b', 'public'");
    let settings = started(&[("search_path", "")]);
    assert_eq!(settings.search_path(), Some(&[][..]));
    assert_eq!(settings.replay(), "SET \"search_path\" TO ''");
}

#[test]
fn the_role_counts_for_names() {
    let mut settings = Settings::default();
    let before = settings.names_version();
    settings.set(&setting("role", "sales"), false, "SET ROLE sales");
    assert_eq!(settings.role(), Some("sales"));
    assert_ne!(settings.names_version(), before);
    settings.commit();
    settings.reset(None);
    settings.commit();
    assert_eq!(settings.role(), Some("sales"), "RESET ALL leaves it alone");
    settings.set(&setting("role", "none"), true, "SET LOCAL ROLE NONE");
    assert_eq!(settings.role(), Some("none"));
    assert!(!settings.rollback());
    assert_eq!(settings.role(), Some("sales"));
    settings.reset(Some("role"));
    settings.commit();
    assert_eq!(settings.role(), None);
}

#[test]
fn set_local_is_seen_and_not_kept() {
    let mut settings = Settings::default();
    settings.set(
        &setting("search_path", "x"),
        true,
        "SET LOCAL search_path TO x",
    );
    assert!(settings.search_path().is_some());
    settings.commit();
    assert!(settings.search_path().is_none());
    assert_eq!(settings.mark(), SettingsMark(0));
}

fn shard(settings: &Settings) -> Option<String> {
    settings.hint().map(Hint::to_string)
}

#[test]
fn settings_of_our_own_reach_no_server() {
    let mut settings = started(&[("trunkline.shard", "s1")]);
    assert_eq!(shard(&settings).as_deref(), Some("shard=s1"));
    assert_eq!(settings.mark(), SettingsMark(0));
    settings.set(
        &setting(KEY, "(4, 2)"),
        false,
        "SET trunkline.key = '(4, 2)'",
    );
    settings.commit();
    settings.set(&setting("a", "1"), false, "SET a TO 1");
    settings.commit();
    assert_eq!(settings.replay(), "SET a TO 1");
    assert_eq!(settings.replay_startup(None, false), None);
    assert_eq!(shard(&settings).as_deref(), Some("key=(4, 2)"));
    assert_eq!(settings.own(KEY), "(4, 2)");
    assert_eq!(settings.own(SHARD), "");
}

#[test]
fn of_shard_and_key_the_last_one_counts() {
    let mut settings = started(&[("trunkline.shard", "s1")]);
    let version = settings.hint_version();
    settings.set(&setting(KEY, "4"), true, "SET LOCAL trunkline.key = 4");
    assert_eq!(shard(&settings).as_deref(), Some("key=4"));
    assert!(settings.hint_version() > version);
    settings.commit();
    assert_eq!(
        shard(&settings).as_deref(),
        Some("shard=s1"),
        "it was local"
    );
    settings.set(&setting(KEY, "4"), false, "SET trunkline.key = 4");
    settings.set(&setting(SHARD, "s2"), false, "SET trunkline.shard = s2");
    settings.commit();
    assert_eq!(shard(&settings).as_deref(), Some("shard=s2"));
    settings.reset(Some(KEY));
    assert_eq!(shard(&settings).as_deref(), Some("shard=s2"));
    settings.reset(Some(SHARD));
    settings.commit();
    assert_eq!(
        shard(&settings).as_deref(),
        Some("shard=s1"),
        "as at startup"
    );
    settings.set(&setting(SHARD, ""), false, "SET trunkline.shard = ''");
    settings.commit();
    assert_eq!(shard(&settings), None);
    settings.reset(None);
    settings.commit();
    assert_eq!(shard(&settings).as_deref(), Some("shard=s1"));
}

#[test]
fn hints_roll_back_with_their_transaction() {
    let mut settings = Settings::default();
    settings.set(
        &setting(KEYSPACE, "orders"),
        false,
        "SET trunkline.keyspace = orders",
    );
    assert_eq!(shard(&settings), None);
    settings.set(&setting(KEY, "4"), false, "SET trunkline.key = 4");
    settings.commit();
    let before = shard(&settings);
    assert_eq!(before.as_deref(), Some("key=4 keyspace=orders"));
    settings.savepoint("s");
    settings.set(&setting(SHARD, "s2"), false, "SET trunkline.shard = s2");
    settings.rollback_to("s");
    assert_eq!(shard(&settings), before);
    let default = Setting {
        name: KEY.to_owned(),
        values: None,
    };
    settings.set(&default, false, "SET trunkline.key TO DEFAULT");
    assert_eq!(shard(&settings), None);
    assert!(!settings.rollback());
    assert_eq!(shard(&settings), before);
    settings.set(&default, true, "SET LOCAL trunkline.key TO DEFAULT");
    assert_eq!(shard(&settings), None);
    settings.commit();
    assert_eq!(shard(&settings), before);
}

#[test]
fn startup_values_cannot_break_out() {
    let settings = started(&[("application_name", "x'; DROP TABLE t; --")]);
    assert_eq!(
        settings.replay(),
        "SET \"application_name\" TO 'x''; DROP TABLE t; --'"
    );
}
