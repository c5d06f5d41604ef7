//! The order of the rooms: a module imports only modules listed above it in `src/lib.rs`, and some
//! crates have one door into the package.
//!
//! The check reads the sources as text, without comments, strings and test modules.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

#[path = "layering/checker.rs"]
mod checker;

use std::fs;
use std::path::{Path, PathBuf};

use checker::{Rooms, Source};

/// Crates that only these rooms may name.
const DOORS: &[(&str, &[&str])] = &[
    ("sqlparser", &["sql"]),
    ("pgwire", &["wire"]),
    ("rustls", &["net"]),
    ("tokio_rustls", &["net"]),
    ("prometheus", &["metrics"]),
    ("serde_saphyr", &["config"]),
    ("axum", &["http"]),
    ("indicatif", &["cli", "cluster"]),
];

#[test]
fn modules_import_only_what_is_listed_above_them() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let rooms = Rooms::read(&fs::read_to_string(root.join("lib.rs")).unwrap());
    let mut files = Vec::new();
    collect(&root, &mut files);
    assert!(files.len() > 20, "the sources are not where they should be");
    let mut faults = Vec::new();
    for file in files {
        let path = file
            .strip_prefix(&root)
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        let text = fs::read_to_string(&file).unwrap();
        faults.extend(rooms.faults(
            &Source {
                path: &path,
                text: &text,
            },
            DOORS,
        ));
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// Who looks for a suite finds it there.
#[test]
fn the_architecture_names_every_suite() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    for dir in ["tests", "integration-tests/tests"] {
        for entry in fs::read_dir(root.join(dir)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let named = page.contains(&format!("{name}`")) || page.contains(&format!("`{name}"));
            assert!(named || !name.ends_with(".rs"), "{dir}/{name}");
        }
    }
}

fn collect(dir: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
    into.sort();
}
