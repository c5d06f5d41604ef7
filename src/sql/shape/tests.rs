//! Texts of one shape differ in literals only, and every literal is found; random texts too.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::*;
use crate::sql::lex::tokens;
use crate::sql::literals::{Literal, slot_of};

fn shape(text: &str) -> Option<Shape> {
    let mut shape = Shape::default();
    shape.read(text).then_some(shape)
}

/// The shape with readable marks.
fn readable(text: &str) -> String {
    let shape = shape(text).unwrap_or_else(|| panic!("no shape: {text}"));
    let mut readable = Vec::new();
    for byte in shape.bytes() {
        match *byte {
            INTEGER => readable.extend(b"?int"),
            NUMBER => readable.extend(b"?num"),
            STRING => readable.extend(b"?str"),
            byte => readable.push(byte),
        }
    }
    String::from_utf8(readable).expect("no other marks")
}

/// What the parser's tokens look like in a shape.
fn rendered(text: &str, tokens: &[Token<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for token in tokens {
        match token.kind {
            Kind::IntegerSlot => bytes.push(INTEGER),
            Kind::NumberSlot => bytes.push(NUMBER),
            Kind::StringSlot => bytes.push(STRING),
            Kind::Word => bytes.extend(text[token.start..token.end].to_ascii_lowercase().bytes()),
            _ => bytes.extend(text[token.start..token.end].bytes()),
        }
        bytes.push(b' ');
    }
    bytes
}

/// The values at a place, as text.
fn values(shape: &Shape, text: &str, place: u32) -> Vec<String> {
    let literals = shape.literals(text, &[place]);
    let value = |literal| match literal {
        Literal::Int(value) => value.to_string(),
        Literal::Text(text) => format!("'{text}'"),
    };
    literals.at(place).map(value).collect()
}

/// What holds of every text and its shape: the tokens the planner gets are those of the shape, and every
/// literal is found at a place.
fn check(text: &str) -> bool {
    let Some(shape) = shape(text) else {
        return false;
    };
    let whole = tokens(text).expect("a text with a shape is lexed");
    let slotted = shape.slotted(whole.clone()).expect("its own tokens");
    if !shape.is_whole() || shape.dropped.is_empty() {
        assert_eq!(rendered(text, &slotted), shape.bytes(), "{text}");
    }
    let mut found = Vec::new();
    for token in &slotted {
        if let Some(place) = slot_of(&token.value) {
            found.extend(values(&shape, text, place));
        }
    }
    let mut written: Vec<String> = whole
        .iter()
        .filter_map(|token| match token.kind {
            Kind::String => Some(format!("'{}'", token.value)),
            Kind::Number if is_integer(token.value.as_bytes()) => token
                .value
                .parse::<i64>()
                .ok()
                .map(|value| value.to_string()),
            _ => None,
        })
        .collect();
    found.sort();
    written.sort();
    // Of the same value at the same place one is kept.
    found.dedup();
    written.dedup();
    assert_eq!(found, written, "{text}");
    true
}

#[test]
fn literals_leave_their_class() {
    for (text, expected) in [
        ("SELECT  1 /* c */, 'a' -- d\n", "select ?int , ?str "),
        (
            "select 1.5, 99999999999999999999, 0x1F",
            "select ?num , ?num , ?num ",
        ),
        (
            "select E'a\\n', U&'\\0061', $$b$$, x'1f'",
            "select ?str , ?str , ?str , x'1f' ",
        ),
        (
            "select \"A\" , a=-5 from T",
            "select \"A\" , a = - ?int from t ",
        ),
        ("(select $1)", "( select $1 ) "),
        (
            "select 1 union select 'in'",
            "select ?int union select ?str ",
        ),
    ] {
        assert_eq!(readable(text), expected);
        assert!(check(text));
    }
}

#[test]
fn lists_and_rows_are_represented_by_two() {
    for (text, expected) in [
        ("select a in (1)", "select a in ( ?int ) "),
        ("select a in (1, 2)", "select a in ( ?int , ?int ) "),
        (
            "select a in (1, 2, 3, 4) and b",
            "select a in ( ?int , ?int ) and b ",
        ),
        (
            "select a in (1, 'x', 3, 'y')",
            "select a in ( ?int , ?str ) ",
        ),
        (
            "select a in (1, -2, 3, -4, 5)",
            "select a in ( ?int , - ?int ) ",
        ),
        (
            "select (a, b) in ((1, 'x'), (2, 'y'), (3, 'z'))",
            "select ( a , b ) in ( ( ?int , ?str ) , ( ?int , ?str ) ) ",
        ),
        ("select a in ($1, $2, $3)", "select a in ( $1 , $2 , $3 ) "),
        (
            "select a in (select 1, 2, 3)",
            "select a in ( select ?int , ?int , ?int ) ",
        ),
        (
            "insert into t values (1, 'x'), (2, 'y'), (3, 'z') returning 1, 2, 3",
            "insert into t values ( ?int , ?str ) , ( ?int , ?str ) returning ?int , ?int , ?int ",
        ),
        (
            "insert into t values (1, now()), (2, null), (3, now()), (4, $1), (4, $1)",
            "insert into t values ( ?int , now ( ) ) , ( ?int , null ) , ( ?int , $1 ) , ( ?int , $1 ) ",
        ),
        (
            "insert into t values (1), ((select 1)), (3), (4)",
            "insert into t values ( ?int ) , ( ( select ?int ) ) , ( ?int ) , ( ?int ) ",
        ),
        (
            "select * from (values (1), (2), (3)) v (a), (select 1) w",
            "select * from ( values ( ?int ) , ( ?int ) ) v ( a ) , ( select ?int ) w ",
        ),
        ("values (1), (2), (3)", "values ( ?int ) , ( ?int ) "),
        (
            "values (1 in (1, 2, 3)), (2 in (1, 2, 3)), (3 in (1, 2, 3))",
            "values ( ?int in ( ?int , ?int , ?int ) ) , ( ?int in ( ?int , ?int , ?int ) ) ",
        ),
    ] {
        assert_eq!(readable(text), expected);
        assert!(check(text));
    }
}

#[test]
fn a_place_holds_all_it_represents() {
    let text = "insert into t values (1, 'a'), (2, 'b'), (3, 'c'), (null, 'd'), (4, E'\\x65')";
    let shape = shape(text).expect("a shape");
    let at = |place| values(&shape, text, place);
    assert_eq!(at(0), ["1"]);
    assert_eq!(at(1), ["'a'"]);
    assert_eq!(at(2), ["2", "3", "4"]);
    assert_eq!(at(3), ["'b'", "'c'", "'e'"]);
    assert_eq!(at(4), ["'d'"]);
    assert!(at(5).is_empty());
    assert_eq!(shape.literals(text, &[]), Literals::NONE);
    assert_eq!(shape.literals(text, &[0, 2]).at(2).count(), 3);
}

#[test]
fn what_has_no_shape_goes_by_its_words() {
    for text in [
        "",
        "begin",
        "explain select 1",
        "set a = 1",
        "select 'a",
        "select E'\\xff'",
        "select U&'!0061' uescape '!'",
        "select 1 /* trunkline: shard=s1 */",
        "select 1 -- Trunkline: shard=s1",
        "select 'a'\n -- trunkline: shard=s1\n'b'",
        "/*trunkline_shard='s1'*/ select 1",
    ] {
        assert!(shape(text).is_none(), "{text}");
    }
    assert!(shape("select 'trunkline' /* sqlcommenter: a='b' */").is_some());
}

#[test]
fn a_long_insert_has_a_short_shape() {
    let rows = vec!["(1, 'some text', 2.5, now())"; 20_000].join(", ");
    let text = format!("insert into t (a, b, c, d) values {rows}");
    let started = std::time::Instant::now();
    let shape = shape(&text).expect("a shape");
    assert!(shape.bytes().len() < 200);
    assert_eq!(shape.dropped.len(), 1);
    assert_eq!(values(&shape, &text, 4), ["'some text'"]);
    let places = |place| {
        shape
            .taken
            .iter()
            .filter(|taken| taken.place == place)
            .count()
    };
    assert_eq!((places(0), places(3)), (1, 19_999));
    assert!(started.elapsed().as_secs() < 10);
    let rows: Vec<String> = (0..20_000).map(|row| format!("(a{row})")).collect();
    let long = format!("insert into t values {}", rows.join(","));
    assert!(
        super::tests::shape(&long).is_none(),
        "longer than a shape may be"
    );
}

/// Words put together at random: every text that has a shape has the right one.
#[test]
fn random_texts_agree_with_the_lexer() {
    const WORDS: &[&str] = &[
        "select",
        "SELECT",
        "insert into t",
        "values",
        "Values",
        "in",
        "IN",
        "(",
        "(",
        ")",
        ")",
        ",",
        ",",
        "1",
        "2",
        "-3",
        "1.5",
        "'a'",
        "'b''c'",
        "E'\\n'",
        "U&'\\0041'",
        "$$d$$",
        "$1",
        "$2",
        "null",
        "now()",
        "a",
        "\"In\"",
        "=",
        "::int",
        "x'1f'",
        "/* c */",
        "-- d\n",
        "'e'\n'f'",
        "with",
        "table",
        "uescape",
        "99999999999999999999",
        "(1, 'x')",
        ", (2, 'y')",
        "(1), (2), (3)",
        "in (1, 2, 3)",
        "in ('a', 'b', 'c', 'd')",
        ";",
        "[",
        "]",
        "\u{e9}",
        "\0",
        "+",
        "/* trunkline */",
        "returning",
        "not",
        "$a$",
        "'",
        "\"",
    ];
    let seed = 0x5eed_0005;
    let mut random = StdRng::seed_from_u64(seed);
    let mut shapes = 0;
    for _ in 0..20_000 {
        let words = random.random_range(1..25);
        let mut text =
            String::from(["select ", "insert into t values ", ""][random.random_range(0..3)]);
        for _ in 0..words {
            text.push_str(WORDS[random.random_range(0..WORDS.len())]);
            text.push_str(["", " ", "\n"][random.random_range(0..3)]);
        }
        shapes += u32::from(check(&text));
    }
    assert!(shapes > 2_000, "only {shapes} shapes, seed {seed}");
}

/// Texts that differ in their literals only have one shape; any other difference makes another.
#[test]
fn only_literals_may_differ() {
    let one = readable("select * from t where a = 5 and b = 'x'");
    for same in [
        "SELECT *\nFROM t WHERE a=77 AND b=$$y'$$",
        "select * /* c */ from t where a = 0 and b = E'' -- d",
        "select * from t where a = 5 and b = 'x'; ;",
    ] {
        assert_eq!(readable(same), one);
    }
    for other in [
        "select * from t where a = '5' and b = 'x'",
        "select * from t where a = 5.0 and b = 'x'",
        "select * from t where a = -5 and b = 'x'",
        "select * from t where a = $1 and b = 'x'",
        "select * from t where \"a\" = 5 and b = 'x'",
        "select * from t where a = 5 and b = x'0'",
        "select * from t where a == 5 and b = 'x'",
        "select * from t where a = 5 and b is null",
    ] {
        assert_ne!(readable(other), one, "{other}");
    }
}

#[test]
fn behind_a_dot_a_word_begins_no_list() {
    for text in [
        "select s.in(1, 2, 3, 4)",
        "insert into t select s.values(1), (2), (3), (4)",
        "select s . values (1), (2), (3)",
    ] {
        assert!(shape(text).expect("a shape").dropped.is_empty(), "{text}");
        check(text);
    }
    assert!(
        !shape("select s.a in (1, 2, 3)")
            .expect("a shape")
            .dropped
            .is_empty()
    );
}
