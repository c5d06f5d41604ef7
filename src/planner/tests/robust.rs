//! No text makes planning panic, run away, or lose a sharded table.

use super::super::{Context, Schema, plan};
use super::map;
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

fn check(text: &str) -> Result<crate::plan::Plan, crate::error::PgError> {
    let (map, schema) = (map(), Schema::default());
    let context = Context {
        map: &map,
        schema: &schema,
        search_path: None,
        param_types: &[],
        transaction_pooling: true,
    };
    let planned = plan(text, &context);
    let _ = crate::sql::split(text);
    if let Ok(planned) = &planned {
        let _ = planned.lines(&map, &[], &crate::plan::NoParams);
    }
    planned
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
        if let Err(error) = check(&text) {
            panic!("{}: {error}", &text[..60]);
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
        let took = started.elapsed();
        assert!(took.as_secs() < 20, "{} took {took:?}", &text[..60]);
        println!("{took:?} {}", &text[..60]);
    }
}

/// A statement of `size` repetitions of something.
type Shape = (&'static str, fn(usize) -> String);

/// What a statement may be made of in great number.
const SHAPES: &[Shape] = &[
    ("parentheses", |n| {
        format!("select {}1{} from matches", "(".repeat(n), ")".repeat(n))
    }),
    ("open parentheses", |n| {
        format!("select {} from matches", "(".repeat(n))
    }),
    ("brackets", |n| {
        format!("select {} from matches", "array[".repeat(n))
    }),
    ("case", |n| {
        format!("select {}1 from matches", "case when true then ".repeat(n))
    }),
    ("casts", |n| {
        format!("select 1{} from matches", "::int".repeat(n))
    }),
    ("or", |n| {
        format!("select * from matches where a{}", " or a".repeat(n))
    }),
    ("and", |n| {
        format!(
            "select * from matches where organization_id = 5{}",
            " and a = 1".repeat(n)
        )
    }),
    ("keys", |n| {
        format!(
            "select * from matches where organization_id = 5{}",
            " and organization_id = 5".repeat(n)
        )
    }),
    ("not", |n| {
        format!("select {}true from matches", "not ".repeat(n))
    }),
    ("minus", |n| {
        format!("select {}1 from matches", "- ".repeat(n))
    }),
    ("signs", |n| {
        format!("select {}1 from matches", "+".repeat(n))
    }),
    ("mixed signs", |n| {
        format!("select 1 {}1 from matches", "*+-+".repeat(n))
    }),
    ("in list", |n| {
        format!(
            "select * from matches where organization_id in (5{})",
            ",5".repeat(n)
        )
    }),
    ("values", |n| {
        format!(
            "insert into matches (organization_id, id) values (5,1){}",
            ",(5,1)".repeat(n)
        )
    }),
    ("parameters", |n| {
        format!(
            "insert into matches (organization_id, id) values ($1,$2){}",
            ",($1,$2)".repeat(n)
        )
    }),
    ("columns", |n| {
        format!("select a{} from matches", ",a".repeat(n))
    }),
    ("subqueries", |n| {
        format!("select {}1 from matches", "(select ".repeat(n))
    }),
    ("ctes", |n| {
        format!(
            "with a as (select 1){} select * from matches",
            ",a as (select 1)".repeat(n)
        )
    }),
    ("joins", |n| {
        format!(
            "select * from matches{}",
            " join matches using (organization_id)".repeat(n)
        )
    }),
    ("tables", |n| {
        format!("select * from matches{}", ", matches".repeat(n))
    }),
    ("unions", |n| {
        format!(
            "select 1 from matches{}",
            " union all select 1 from matches".repeat(n)
        )
    }),
    ("arrays", |n| {
        format!("select array[1{}] from matches", ",1".repeat(n))
    }),
    ("subscripts", |n| {
        format!("select a{} from matches", "[1]".repeat(n))
    }),
    ("paths", |n| {
        format!("select a{} from matches", "->'b'".repeat(n))
    }),
    ("dots", |n| {
        format!("select a{} from matches", ".a".repeat(n))
    }),
    ("windows", |n| {
        format!(
            "select 1{} from matches",
            ",sum(a) over (partition by a)".repeat(n)
        )
    }),
    ("calls", |n| {
        format!("select {} from matches", "f(".repeat(n))
    }),
    ("settings", |n| {
        format!("select {} from matches", "set_config(".repeat(n))
    }),
    ("intervals", |n| {
        format!("select {} 1 from matches", "interval ".repeat(n))
    }),
    ("weaker locks", |n| {
        format!("select 1 from matches{}", " for key share".repeat(n))
    }),
    ("names", |n| "matches ".repeat(n)),
    ("copies", |n| {
        format!("copy matches {}", "from stdin ".repeat(n))
    }),
    ("explains", |n| {
        format!("{}select 1 from matches", "explain ".repeat(n))
    }),
    ("comments", |n| {
        format!("select 1 {} from matches", "/*".repeat(n))
    }),
    ("closed comments", |n| {
        format!("select 1 {}{} from matches", "/*".repeat(n), "*/".repeat(n))
    }),
    ("line comments", |n| {
        format!("select 'a' {} from matches", "--x\n".repeat(n))
    }),
    ("continuations", |n| {
        format!("select 'a' {} from matches", "\n'a'".repeat(n))
    }),
    ("strings", |n| {
        format!("select 'a' {} from matches", "-- b\n ,'a'".repeat(n))
    }),
    ("dollars", |n| {
        format!("select {} from matches", "$a".repeat(n))
    }),
    ("dollar quotes", |n| {
        format!("select {} from matches", "$a$ $b$".repeat(n))
    }),
    ("tags", |n| {
        format!("select ${} from matches", "a".repeat(n))
    }),
    ("quotes", |n| {
        format!("select {} from matches", "''".repeat(n))
    }),
    ("escapes", |n| {
        format!("select U&'{}' from matches", "\\0061".repeat(n))
    }),
    ("surrogates", |n| {
        format!("select U&'{}' from matches", "\\D83D\\DE00".repeat(n))
    }),
    ("c escapes", |n| {
        format!("select E'{}' from matches", "\\x41".repeat(n))
    }),
    ("quoted names", |n| {
        format!("select U&\"{}\" from matches", "\\0061".repeat(n))
    }),
    ("long name", |n| {
        format!("select {} from matches", "é".repeat(n))
    }),
    ("digits", |n| {
        format!("select {} from matches", "1".repeat(n))
    }),
    ("unended string", |n| {
        format!("select '{} from matches", "a".repeat(n))
    }),
    ("semicolons", |n| ";".repeat(n)),
    ("statements", |n| "select 1;".repeat(n)),
    ("begin atomic", |n| {
        format!("create function f() begin atomic {}", "case ".repeat(n))
    }),
    ("controls", |n| {
        format!("set search_path to a{}", ",a".repeat(n))
    }),
    ("deallocate", |n| format!("deallocate {}", "a ".repeat(n))),
];

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

/// Four times the text takes about four times as long, whatever it is made of, and none takes long.
#[test]
fn time_grows_with_the_text() {
    let seconds = |shape: fn(usize) -> String, size| {
        let text = shape(size);
        let started = std::time::Instant::now();
        let _ = check(&text);
        started.elapsed().as_secs_f64()
    };
    for (name, shape) in SHAPES {
        for size in [100, 2_000, 8_000] {
            let (small, large) = (seconds(*shape, size), seconds(*shape, size * 4));
            println!("{name} x {size}: {small:.3} s, four times: {large:.3} s");
            // What is quadratic grows sixteenfold; below some seconds, without optimisation, that is harmless.
            assert!(
                large < (small * 12.0).max(4.0),
                "{name}: {small} s, then {large} s"
            );
            assert!(large < 30.0, "{name}: {large} s");
        }
    }
}
