//! PostgreSQL's parser and Trunkline's reading name the same relations in every statement of the corpora.

use trunkline::internals::relations::{self as ours};
use trunkline_oracle::{self as postgresql, Reading, Statement};

/// Statements there are at least, of which both read the relations.
const COMPARED_MIN: usize = 1_500;
/// PostgreSQL reads so many that Trunkline does not: it refuses them.
const UNREAD_MAX: usize = 45;
/// Trunkline reads so many that PostgreSQL calls wrong: a server will say so.
const WRONG_MAX: usize = 10;

/// Of a hundred made up statements both read so many: PostgreSQL alone reads OVERRIDING USER VALUE, and refuses
/// some chains of comparisons that Trunkline reads.
const MADE_UP_COMPARED_PERCENT_MIN: usize = 98;

#[test]
fn the_relations_are_the_same() {
    let found = compare(&trunkline_oracle::corpora());
    let (unread, wrong) = (found.unread.len(), found.wrong.len());
    assert!(
        found.compared >= COMPARED_MIN,
        "only {} were compared",
        found.compared
    );
    assert!(unread <= UNREAD_MAX, "{unread} cannot be read here");
    assert!(wrong <= WRONG_MAX, "{wrong} should not be read here");
}

/// The file is what `integration-tests/tests/generated.rs` has written under the same name; texts end in NUL.
#[test]
fn the_relations_of_made_up_statements_are_the_same() {
    let Ok(path) = std::env::var("TRUNKLINE_ORACLE_STATEMENTS") else {
        println!("TRUNKLINE_ORACLE_STATEMENTS names no file: nothing is compared");
        return;
    };
    let text = std::fs::read_to_string(path).expect("a readable file");
    let made = text.split('\0').enumerate();
    let statements: Vec<Statement> = made
        .map(|(number, sql)| Statement {
            place: format!("made up {number}"),
            sql: sql.to_owned(),
        })
        .collect();
    let found = compare(&statements);
    assert!(
        found.compared * 100 >= statements.len() * MADE_UP_COMPARED_PERCENT_MIN,
        "only {} of {} were compared",
        found.compared,
        statements.len()
    );
}

struct Compared {
    compared: usize,
    /// By Trunkline.
    unread: Vec<String>,
    /// By PostgreSQL's rules.
    wrong: Vec<String>,
}

/// Panics where a statement is read differently.
fn compare(statements: &[Statement]) -> Compared {
    let (mut compared, mut different) = (0, Vec::new());
    let (mut unread, mut wrong) = (Vec::new(), Vec::new());
    for Statement { place, sql } in statements {
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
    Compared {
        compared,
        unread,
        wrong,
    }
}

fn cut(line: &str) -> String {
    let words: Vec<&str> = line.split_whitespace().collect();
    words.join(" ").chars().take(300).collect()
}
