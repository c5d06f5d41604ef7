//! Golden trees: `testdata/*.txt` holds statements and the scopes they become. `UPDATE_EXPECT=1 cargo test
//! --lib sql::tests` rewrites the files in place; lines that begin with `#` are comments.
//!
//! Functions whose names begin with `f_` are those whose calls are asked for.

mod print;

use std::fs;
use std::path::PathBuf;

use super::literals::{NO_PLACE, marker};
use super::{Kind, Unread, analyse, name_list, tokens};

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
    match analyse(
        &tokens,
        sql,
        &|_| false,
        &|name| name.starts_with("f_"),
        false,
    ) {
        Ok(analysis) => print::query(&analysis.query),
        Err(Unread::Limit(error)) => format!("limit: {}\n", error.message),
        Err(Unread::Syntax { message }) => format!("syntax: {message}\n"),
        Err(Unread::Construct(construct)) => format!("construct: {construct}\n"),
    }
}

/// What the scopes of a text are when its literals are taken out of it.
fn with_slots(sql: &str) -> String {
    let mut tokens = tokens(sql).expect("lexes");
    let mut place = 0;
    for token in &mut tokens {
        let (kind, value) = match token.kind {
            Kind::String => (Kind::StringSlot, marker(place)),
            Kind::Number if token.value.parse::<i64>().is_ok() => {
                (Kind::IntegerSlot, marker(place))
            }
            Kind::Number => (Kind::NumberSlot, NO_PLACE.to_owned()),
            _ => continue,
        };
        (token.kind, token.value) = (kind, value.into());
        place += 1;
    }
    let analysis = analyse(&tokens, sql, &|_| false, &|_| false, false).expect("reads");
    let printed = print::query(&analysis.query);
    let facts = printed
        .lines()
        .find_map(|line| line.trim().strip_prefix("facts: "));
    facts.unwrap_or_default().to_owned()
}

#[test]
fn slots_stand_where_literals_stood() {
    let facts = |condition: &str| with_slots(&format!("select from t where {condition}"));
    assert_eq!(facts("k = 5"), "k = integer@0");
    assert_eq!(facts("k = 'a' and 1.5 = l"), "k = string@0; ? = l");
    assert_eq!(facts("k=-5"), "k = -integer@0");
    assert_eq!(facts("k = - -(+5)"), "k = integer@0");
    assert_eq!(facts("k = -'5'"), "k = ?");
    assert_eq!(facts("k = 5::bigint"), "k = integer@0::bigint");
    assert_eq!(facts("k = -5::int"), "k = -integer@0::integer");
    assert_eq!(facts("k = '5'::int::int"), "k = string@0::integer");
    assert_eq!(facts("k = '5'::int::bigint"), "k = ?");
    assert_eq!(facts("k = date '2020-01-01'"), "k = string@0::date");
    assert_eq!(facts("k = 'a' collate \"C\""), "k = ?");
    assert_eq!(facts("k in (5, 6)"), "k in (integer@0, integer@1)");
    assert_eq!(facts("k in (5)"), "k = integer@0");
    assert_eq!(
        facts("(k, l) in ((1, 'a'), (2, 'b'))"),
        "k in (integer@0, integer@2); l in (string@1, string@3)"
    );
    assert_eq!(facts("k = any('{1}')"), "k = any string@0[]");
    assert_eq!(
        facts("k = any('{1}'::int[])"),
        "k = any string@0::integer[]"
    );
    assert_eq!(facts("k = any(array[1, 2])"), "k in (integer@0, integer@1)");
    assert_eq!(
        facts("k = any(array['a']::text[])"),
        "k in (string@0::text)"
    );
    // No arrays.
    assert_eq!(facts("k = any(5)"), "");
    assert_eq!(facts("k = '{1}'::int[]"), "k = ?");
    assert_eq!(facts("k is not distinct from 5"), "k = integer@0");
}

#[test]
fn calls_and_names_are_counted() {
    let count = |sql: &str| {
        let tokens = tokens(sql).expect("lexes");
        let analysis = analyse(
            &tokens,
            sql,
            &|name| name == "t",
            &|name| name == "f",
            false,
        );
        analysis.map(|analysis| (analysis.named, analysis.calls))
    };
    assert_eq!(
        count("select f(1), t.f, f from t, f(2) g, s.f(3), lateral f(4) h"),
        Ok((2, 4))
    );
    assert_eq!(count("table t"), Ok((1, 0)));
    assert_eq!(
        count("select 1 from only (t) for no key update of t, t"),
        Ok((3, 0))
    );
    // What is taken out is in no tree.
    assert_eq!(
        count("insert into t values (1) on conflict (f(t)) do nothing"),
        Ok((1, 0))
    );
    assert_eq!(
        count("with c as (select f(f(1))) select f(2) from c"),
        Ok((0, 3))
    );
}

#[test]
fn lists_of_names_are_read_as_settings_hold_them() {
    let names = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
    assert_eq!(name_list("audit, public"), names(&["audit", "public"]));
    assert_eq!(
        name_list(" \"$user\" ,\t\"A, b\",C "),
        names(&["$user", "A, b", "c"])
    );
    assert_eq!(name_list("$user,tenant-1"), names(&["$user", "tenant-1"]));
    assert_eq!(name_list("\"a\"\"b\"\"\""), names(&["a\"b\""]));
    assert_eq!(name_list("'A,b'"), names(&["'a", "b'"]));
    assert_eq!(name_list("\"\""), names(&[""]));
    assert_eq!(name_list(" "), names(&[]));
    assert_eq!(name_list("É"), names(&["É"]));
    let long = "é".repeat(40);
    assert_eq!(name_list(&long), names(&[&long[..62]]));
    for invalid in ["a b", "a,", ",a", "\"a", "\"a\"b", "a,,b", "\"a\"\""] {
        assert_eq!(name_list(invalid), None, "{invalid}");
    }
}
