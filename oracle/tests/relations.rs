//! PostgreSQL's parser and Trunkline's reading name the same relations in every statement of the corpora.

use trunkline::internals::relations::{self as ours};
use trunkline_oracle::{self as postgresql, Reading, Statement};

/// Statements there are at least, of which both read the relations.
const COMPARED_MIN: usize = 1_500;
/// PostgreSQL reads so many that Trunkline does not: it refuses them.
const UNREAD_MAX: usize = 45;
/// Trunkline reads so many that PostgreSQL calls wrong: a server will say so.
const WRONG_MAX: usize = 10;

#[test]
fn the_relations_are_the_same() {
    let (mut compared, mut different) = (0, Vec::new());
    let (mut unread, mut wrong) = (Vec::new(), Vec::new());
    for statement in corpora() {
        let Statement { place, sql } = &statement;
        match (postgresql::relations(sql), ours::relations(sql)) {
            (Reading::Relations(theirs), ours::Reading::Relations(found)) => {
                compared += 1;
                if theirs != found {
                    different.push(format!("{place}: {theirs:?}, and here {found:?}\n{sql}"));
                }
            }
            (Reading::Relations(_), ours::Reading::Unread(reason)) => {
                unread.push(format!("{place}: {reason}\n{sql}"));
            }
            (Reading::Error(error), ours::Reading::Relations(_)) => {
                wrong.push(format!("{place}: {error}\n{sql}"));
            }
            (Reading::Relations(_), ours::Reading::Other)
            | (Reading::Other, ours::Reading::Relations(_)) => {
                different.push(format!("{place}: a query to one of both only\n{sql}"));
            }
            _ => {}
        }
    }
    let show = |what: &str, list: &[String]| {
        println!("{} {what}", list.len());
        list.iter().for_each(|line| println!("  {}", cut(line)));
    };
    println!("{compared} statements compared");
    show("read by PostgreSQL only", &unread);
    show("read by Trunkline only", &wrong);
    show("read differently", &different);
    assert!(different.is_empty(), "{}", different.join("\n\n"));
    assert!(compared >= COMPARED_MIN, "only {compared} were compared");
    assert!(
        unread.len() <= UNREAD_MAX,
        "{} cannot be read here",
        unread.len()
    );
    assert!(
        wrong.len() <= WRONG_MAX,
        "{} should not be read here",
        wrong.len()
    );
}

/// The corpora, and what a file holds that the generator has written (`TRUNKLINE_ORACLE_STATEMENTS`; statements
/// end in NUL).
fn corpora() -> Vec<Statement> {
    let mut statements = trunkline_oracle::corpora();
    if let Ok(path) = std::env::var("TRUNKLINE_ORACLE_STATEMENTS") {
        let text = std::fs::read_to_string(&path).expect("a readable file");
        let made = text.split('\0').enumerate();
        statements.extend(made.map(|(number, sql)| Statement {
            place: format!("{path} {number}"),
            sql: sql.to_owned(),
        }));
    }
    statements
}

fn cut(line: &str) -> String {
    let words: Vec<&str> = line.split_whitespace().collect();
    words.join(" ").chars().take(300).collect()
}
