//! `docs/routing-cases.md`: the golden cases as a page for users.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use super::{Golden, answer, golden_files};

/// Every golden file: its sections, in this order.
const THEMES: [(&str, &[&str]); 13] = [
    ("SELECT", &["select"]),
    ("Joins", &["join"]),
    ("Subqueries, CTEs and set operations", &["scope"]),
    ("INSERT, UPDATE, DELETE", &["write"]),
    ("Parameters", &["params"]),
    ("Hints", &["hint"]),
    ("Transactions and settings", &["control"]),
    ("DDL, COPY, cursors, functions", &["utility"]),
    ("Names, views and functions", &["names"]),
    ("Rows of several shards", &["gather"]),
    ("Traps", &["trap", "adversary"]),
    ("Ways round the rules", &["attack"]),
    ("As mappers and tools send them", &["captured"]),
];

const HEAD: &str = "# Routing, case by case

Written by a test of `src/planner` from its golden files; `UPDATE_EXPECT=1 cargo test --lib planner`
writes it anew. [routing.md](routing.md) explains the rules.

All cases are planned with one map: two shards, `s1` (the default shard) and `s2`; the keyspace `tenants`
by a `bigint` with the tables `organizations` (its key column is `id`), `matches`, `detections` and
`audit.events` (`organization_id`); `texts` by a `text` with `docs` and `pages` (`tenant`); `things` by a
`uuid` with `devices` and `readings` (`device_id`); `codes` by a `char` with `tags` and `labels` (`code`); the
reference table `classes`. Other tables are not listed. What stands in parentheses before a statement is the
setting it is planned under. A line in bold is about those below it.
";

const STATEMENT_CHARS_MAX: usize = 240;

#[test]
fn the_page_of_cases_shows_the_golden_files() {
    let mut files = golden_files();
    let mut page = HEAD.to_owned();
    for (title, names) in THEMES {
        let _ = write!(page, "\n## {title}\n\n| statement | answer |\n|---|---|\n");
        for name in names {
            let cases = files.remove(*name).expect("a golden file");
            let mut last = None;
            for case in &cases {
                if let Some(caption) = caption(case)
                    && last.as_ref() != Some(&caption)
                {
                    let _ = writeln!(page, "| **{}** | |", text(&caption));
                    last = Some(caption);
                }
                let _ = writeln!(page, "| {} | {} |", statement(case), outcome(case));
            }
        }
    }
    assert!(
        files.is_empty(),
        "files without a theme: {:?}",
        files.keys()
    );
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/routing-cases.md");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&path, &page).expect("writable page");
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == page,
        "docs/routing-cases.md is not what the golden files say: UPDATE_EXPECT=1 writes it"
    );
}

/// What the comment before a case says of it, and of those that follow.
fn caption(case: &Golden) -> Option<String> {
    let comments = case.head.lines().filter_map(|line| line.strip_prefix("# "));
    let words: Vec<&str> = comments.collect();
    (!words.is_empty()).then(|| words.join(" "))
}

fn statement(case: &Golden) -> String {
    let mut directives: Vec<_> = case.directives.iter().collect();
    directives.sort();
    let settings: String = directives
        .iter()
        .map(|(name, value)| format!("({name}: {value}) "))
        .collect();
    let words: Vec<_> = case.sql.split_whitespace().collect();
    let mut sql = words.join(" ");
    if sql.chars().count() > STATEMENT_CHARS_MAX {
        sql = sql.chars().take(STATEMENT_CHARS_MAX).collect();
        sql.push('…');
    }
    format!("{}{}", text(&settings), code(&sql))
}

/// The plan in one line, or the refusal with its hint.
fn outcome(case: &Golden) -> String {
    let answer = answer(case);
    let lines: Vec<_> = answer
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with("position: "))
        .collect();
    match lines.split_first() {
        Some((refusal, more)) if refusal.starts_with("refused") => {
            let hint: String = more.iter().map(|line| format!("; {line}")).collect();
            text(&format!("{refusal}{hint}"))
        }
        // The last line of a route is its reason, which the statement shows better.
        Some((route, more)) if route.starts_with("Route one shard") => {
            let is_key = |line: &&&str| line.contains(" -> ");
            let keys: Vec<_> = more.iter().filter(is_key).map(|line| code(line)).collect();
            format!("{}: {}", text(route), keys.join(", "))
        }
        Some((line, _)) => text(line),
        None => String::new(),
    }
}

/// A table's cell ends at a bar, in code too; a backquote in code wants two around it.
fn code(sql: &str) -> String {
    let sql = sql.replace('|', "\\|");
    if sql.is_empty() {
        String::new()
    } else if sql.contains('`') {
        format!("`` {sql} ``")
    } else {
        format!("`{sql}`")
    }
}

/// What Markdown would take for its own is escaped.
fn text(plain: &str) -> String {
    let mut escaped = String::with_capacity(plain.len());
    for c in plain.chars() {
        if matches!(c, '|' | '*' | '<' | '>' | '[' | ']' | '`' | '\\') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}
