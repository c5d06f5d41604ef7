//! Golden trees: `testdata/*.txt` holds statements and the scopes they become. `UPDATE_EXPECT=1 cargo test
//! --lib sql::tests` rewrites the files in place; lines that begin with `#` are comments.
//!
//! Functions whose names begin with `f_` are those whose calls are asked for.

mod print;

use std::fs;
use std::path::PathBuf;

use super::{Unread, analyse, tokens};

#[test]
fn golden_trees() {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/sql/testdata");
    let (mut cases, mut wrong) = (0, Vec::new());
    for entry in fs::read_dir(directory).expect("testdata exists") {
        let path = entry.expect("readable entry").path();
        let before = fs::read_to_string(&path).expect("readable file");
        let mut after = String::new();
        for (head, sql) in parse(&before) {
            cases += 1;
            after.push_str(&format!("{head}----\n{}\n", answer(&sql)));
        }
        if before.trim_end() == after.trim_end() {
            continue;
        }
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            fs::write(&path, after.trim_end().to_owned() + "\n").expect("writable file");
            continue;
        }
        let differs = before.lines().zip(after.lines()).position(|(b, a)| b != a);
        let line = differs.unwrap_or_else(|| before.lines().count());
        let context: Vec<_> = after.lines().skip(line.saturating_sub(4)).take(9).collect();
        wrong.push(format!(
            "{}:{}\n{}",
            path.display(),
            line + 1,
            context.join("\n")
        ));
    }
    assert!(
        wrong.is_empty(),
        "golden files differ (UPDATE_EXPECT=1 rewrites them), for example\n{}",
        wrong.join("\n\n")
    );
    assert!(cases >= 100, "only {cases} golden trees");
}

/// Comments with the statement, and the statement alone.
fn parse(file: &str) -> Vec<(String, String)> {
    let (mut cases, mut head, mut in_answer) = (Vec::new(), String::new(), false);
    for line in file.lines() {
        if in_answer {
            in_answer = !line.is_empty();
        } else if line == "----" {
            let lines = head.lines().filter(|line| !line.starts_with('#'));
            let sql = lines.collect::<Vec<_>>().join("\n");
            cases.push((std::mem::take(&mut head), sql));
            in_answer = true;
        } else {
            head.push_str(line);
            head.push('\n');
        }
    }
    cases
}

fn answer(sql: &str) -> String {
    let tokens = tokens(sql).expect("lexes");
    match analyse(&tokens, sql, &|_| false, &|name| name.starts_with("f_")) {
        Ok(analysis) => print::query(&analysis.query),
        Err(Unread::Limit(error)) => format!("limit: {}\n", error.message),
        Err(Unread::Syntax { message }) => format!("syntax: {message}\n"),
        Err(Unread::Construct(construct)) => format!("construct: {construct}\n"),
    }
}
