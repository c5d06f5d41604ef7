//! `docs/security.md` names a test for each promise. Those tests exist.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::fs;
use std::path::{Path, PathBuf};

/// What stands between backticks and is a test: `suite::test` or `src/room::test`.
fn named(page: &str) -> Vec<(&str, &str)> {
    let quoted = page.split('`').skip(1).step_by(2);
    quoted
        .filter_map(|text| text.rsplit_once("::"))
        .filter(|(_, test)| test.contains('_') || test.chars().all(|c| c.is_ascii_lowercase()))
        .collect()
}

/// The files that may hold the tests of `place`.
fn files(root: &Path, place: &str) -> Vec<PathBuf> {
    let Some(room) = place.strip_prefix("src/") else {
        return vec![root.join(format!("integration-tests/tests/{place}.rs"))];
    };
    let (parent, name) = room.rsplit_once('/').unwrap_or(("", room));
    let room = root.join("src").join(room);
    vec![
        room.with_extension("rs"),
        room.join("mod.rs"),
        room.join("tests.rs"),
        root.join("src")
            .join(parent)
            .join("tests")
            .join(format!("{name}.rs")),
    ]
}

/// Whether a source has this function with the attribute of a test above it, and without one that ignores it.
fn holds(text: &str, test: &str) -> bool {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let declared = [format!("fn {test}() {{"), format!("async fn {test}() {{")];
    let at = lines
        .iter()
        .position(|line| declared.iter().any(|declared| line == declared));
    let Some(at) = at else {
        return false;
    };
    let attributes = lines[..at]
        .iter()
        .rev()
        .take_while(|line| line.starts_with("#[") || line.starts_with("//"));
    let attributes: Vec<_> = attributes.collect();
    attributes
        .iter()
        .any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"))
        && !attributes.iter().any(|line| line.starts_with("#[ignore"))
}

#[test]
fn every_promise_has_its_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/security.md")).unwrap();
    let named = named(&page);
    assert!(named.len() > 80, "only {} tests are named", named.len());
    let is_there = |place: &str, test: &str| {
        let mut texts = files(root, place).into_iter().map(fs::read_to_string);
        texts.any(|text| text.is_ok_and(|text| holds(&text, test)))
    };
    let missing: Vec<String> = named
        .iter()
        .filter(|(place, test)| !is_there(place, test))
        .map(|(place, test)| format!("{place}::{test}"))
        .collect();
    assert!(missing.is_empty(), "docs/security.md names {missing:#?}");
}
