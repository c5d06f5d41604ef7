//! No text makes planning panic, run away, or lose a sharded table.

use super::super::{Schema, plan};
use super::{context, map};
use crate::error::SqlState;

/// A small generator, so that failures can be repeated from the printed seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }
}

pub(super) fn check(text: &str) -> Result<crate::plan::Plan, crate::error::PgError> {
    check_with(text, &Schema::default())
}

fn check_with(text: &str, schema: &Schema) -> Result<crate::plan::Plan, crate::error::PgError> {
    let map = map();
    let planned = plan(text, &context(&map, schema));
    let _ = crate::sql::split(text);
    if let Ok(planned) = &planned {
        let _ = planned.lines(&map, crate::plan::Values::NONE);
    }
    planned
}

/// As [`check`], with the catalogs of the golden cases.
pub(super) fn check_known(text: &str) -> Result<crate::plan::Plan, crate::error::PgError> {
    static SCHEMA: std::sync::LazyLock<Schema> =
        std::sync::LazyLock::new(|| super::catalogs::schema(&map(), &[]));
    check_with(text, &SCHEMA)
}

/// Statements of all golden files, cut, spliced and scrambled.
#[test]
fn arbitrary_text_does_not_panic() {
    let corpus: Vec<&str> = include_str!("../testdata/select.txt")
        .lines()
        .chain(include_str!("../testdata/join.txt").lines())
        .chain(include_str!("../testdata/utility.txt").lines())
        .filter(|line| !line.is_empty())
        .collect();
    let seed = std::env::var("TRUNKLINE_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(0x5eed_1234_u64);
    println!("TRUNKLINE_SEED={seed}");
    let mut random = Random(seed);
    let bits = [
        "'",
        "\"",
        "$$",
        "$a$",
        "/*",
        "*/",
        "--",
        ";",
        "(",
        ")",
        "[",
        "::",
        "E'\\",
        "U&\"",
        "é",
        "\0",
        "$1",
        "\u{1f600}",
        "=",
    ];
    for _ in 0..4000 {
        let mut text = corpus[random.below(corpus.len())].to_owned();
        for _ in 0..=random.below(3) {
            let other = corpus[random.below(corpus.len())];
            let boundary = |text: &str, at: usize| {
                (0..=at)
                    .rev()
                    .find(|at| text.is_char_boundary(*at))
                    .unwrap_or(0)
            };
            let at = boundary(&text, random.below(text.len() + 1));
            match random.below(4) {
                0 => text.truncate(at),
                1 => text.insert_str(at, bits[random.below(bits.len())]),
                2 => text.insert_str(at, &other[boundary(other, random.below(other.len() + 1))..]),
                _ => {
                    let end = boundary(&text, (at + random.below(9)).min(text.len()));
                    text.replace_range(at.min(end)..end.max(at), "");
                }
            }
        }
        let _ = check(&text);
        let _ = check_known(&text);
    }
}

#[test]
fn deep_and_long_statements_are_bounded() {
    let too_deep = [
        format!(
            "select * from matches where {}1{}",
            "(".repeat(50_000),
            ")".repeat(50_000)
        ),
        format!("select 1{} from matches", "::int".repeat(200_000)),
        format!("select {}true from matches", "not ".repeat(100_000)),
        format!("select {}1 from matches", "- ".repeat(100_000)),
        format!(
            "select {}1{} from matches",
            "case when true then ".repeat(30_000),
            " end".repeat(30_000)
        ),
        format!(
            "select * from matches where {}",
            vec!["id = 1"; 50_000].join(" or ")
        ),
        format!("{} from matches", vec!["select 1"; 50_000].join(" union ")),
        format!(
            "select * from matches{}",
            " join matches m on true".repeat(50_000)
        ),
        format!("select {} 1 from matches", "interval ".repeat(50_000)),
        format!("{}select * from matches", "explain ".repeat(5_000)),
    ];
    for text in too_deep {
        let error = check(&text).expect_err("too deep");
        assert!(
            matches!(
                error.code,
                SqlState::STATEMENT_TOO_COMPLEX | SqlState::SYNTAX_ERROR
            ),
            "{}: {error}",
            &text[..40]
        );
    }
}

/// Just below the limits everything is walked, and dropped, on an ordinary thread's stack.
#[test]
fn statements_below_the_limits_are_read() {
    let fine = [
        format!(
            "select 1{} from matches where organization_id = 5",
            "::int".repeat(9_000)
        ),
        format!(
            "select * from matches where organization_id = 5 and ({})",
            vec!["id = 1"; 5_000].join(" or ")
        ),
        format!(
            "select * from matches where organization_id = 5 and {}",
            vec!["id = 1"; 5_000].join(" and ")
        ),
        format!(
            "select * from matches where organization_id = 5 and id in ({})",
            vec!["1"; 50_000].join(", ")
        ),
        format!(
            "select 1{} from matches where organization_id = 5",
            " + 1".repeat(9_000)
        ),
        vec!["select 1 from matches where organization_id = 5"; 250].join(" union all "),
        format!(
            "insert into matches (organization_id, id) values {}",
            vec!["(5, 1)"; 20_000].join(", ")
        ),
        format!(
            "select {}1{} from matches where organization_id = 5",
            "(select ".repeat(20),
            ")".repeat(20)
        ),
    ];
    for text in fine {
        for checked in [check(&text), check_known(&text)] {
            if let Err(error) = checked {
                panic!("{}: {error}", &text[..60]);
            }
        }
    }
}

/// At the limits nothing takes long: the parser goes back and tries again in some places.
#[test]
fn nesting_at_the_limit_is_no_burden() {
    let nested = |open: &str, close: &str, inner: &str| {
        let depth = 110;
        format!("{}{inner}{}", open.repeat(depth), close.repeat(depth))
    };
    let texts = [
        format!("select * from {}", nested("(", ")", "matches")),
        format!(
            "select * from {} where true",
            nested("(", ")", "select 1 from matches")
        ),
        format!(
            "select * from {}",
            nested("(select * from ", ") x", "matches")
        ),
        format!(
            "select * from matches where {}",
            nested("(", ")", "organization_id = 5")
        ),
        format!("select {} from matches", nested("(select ", ")", "1")),
        format!("select {} from matches", nested("f(", ")", "1")),
        format!("select {} from matches", nested("cast(", " as int)", "1")),
        format!("select {} from matches", nested("array[", "]", "1")),
        format!(
            "select {} from matches",
            nested("case when (", ") then 1 end", "true")
        ),
        format!(
            "select * from matches {}",
            nested("join (matches ", ") on true", "m")
        ),
        format!(
            "select * from matches where {}",
            nested("exists (select 1 from matches where ", ")", "true")
        ),
        format!("select * from matches where {}", nested("(1, (", "))", "2")),
        format!(
            "with {} select 1 from matches",
            nested("a as (with ", " select 1)", "b as (select 1)")
        ),
        format!(
            "select 1{} from matches where organization_id = 5",
            "::int".repeat(19_900)
        ),
        format!(
            "select 1{} from matches where organization_id = 5",
            " + 1".repeat(19_900)
        ),
        format!(
            "select a{} from matches where organization_id = 5",
            "[1]".repeat(9_000)
        ),
        format!(
            "select a{} from matches where organization_id = 5",
            " is null".repeat(9_000)
        ),
        format!(
            "insert into matches (organization_id, id) values {}",
            vec!["($1, $2)"; 30_000].join(", ")
        ),
        format!("select {} from matches", "set_config(".repeat(100_000)),
        format!("select {} from users", "pg_relation_size(".repeat(100_000)),
    ];
    for text in texts {
        let started = std::time::Instant::now();
        let _ = check(&text);
        let _ = check_known(&text);
        let took = started.elapsed();
        assert!(took.as_secs() < 20, "{} took {took:?}", &text[..60]);
        println!("{took:?} {}", &text[..60]);
    }
}

/// Each join is a level of the tree that is walked outside the parser's own stack.
#[test]
fn chains_of_joins_are_bounded() {
    let chain = " join matches using (organization_id)";
    for text in [
        format!("select * from matches{}", chain.repeat(5_000)),
        format!(
            "select * from {}matches{}",
            "(select * from ".repeat(20),
            format!("{}) x", chain.repeat(400)).repeat(20)
        ),
    ] {
        assert!(check(&text).is_err());
    }
}
