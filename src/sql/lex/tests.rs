//! Tokens begin, end and mean what they do in PostgreSQL's lexer.

use super::*;

fn lex(text: &str) -> Vec<(Kind, String)> {
    tokens(text)
        .expect("lexes")
        .into_iter()
        .map(|t| (t.kind, t.value.into_owned()))
        .collect()
}

fn values(text: &str) -> Vec<String> {
    lex(text).into_iter().map(|(_, value)| value).collect()
}

#[test]
fn operators_end_where_postgresql_ends_them() {
    assert_eq!(values("a=-5"), ["a", "=", "-", "5"]);
    assert_eq!(values("a>=-5"), ["a", ">=", "-", "5"]);
    assert_eq!(values("a@-5"), ["a", "@-", "5"]);
    assert_eq!(values("a*/*c*/b"), ["a", "*", "b"]);
    assert_eq!(values("a+--c\nb"), ["a", "+", "b"]);
    assert_eq!(values("a::int"), ["a", "::", "int"]);
    assert_eq!(values("a--5"), ["a"]);
    assert_eq!(values("a<>-$1"), ["a", "<>", "-", "1"]);
}

#[test]
fn strings_of_every_form_are_decoded() {
    assert_eq!(lex("'it''s'"), [(Kind::String, "it's".into())]);
    assert_eq!(lex(r"'a\'"), [(Kind::String, r"a\".into())]);
    assert_eq!(
        lex(r"E'a\'b\n\x41\u00e9\101'"),
        [(Kind::String, "a'b\nAéA".into())]
    );
    assert_eq!(lex(r"U&'d\0061t\+000061'"), [(Kind::String, "data".into())]);
    assert_eq!(lex("$$a'b$$"), [(Kind::String, "a'b".into())]);
    assert_eq!(lex("$x$a$$b$x$"), [(Kind::String, "a$$b".into())]);
    assert_eq!(lex("'a' -- c\n 'b'"), [(Kind::String, "ab".into())]);
    assert_eq!(lex("'a' 'b'").len(), 2);
    assert_eq!(lex("x'1F'"), [(Kind::TypedString, "1F".into())]);
    assert_eq!(lex(r"E'\xff'")[0].0, Kind::BadString);
    assert_eq!(lex(r"E'\000'")[0].0, Kind::BadString);
}

#[test]
fn identifiers_are_folded_and_cut() {
    assert_eq!(lex("ÄB$1"), [(Kind::Word, "Äb$1".into())]);
    assert_eq!(lex("\"A\"\"b\""), [(Kind::Quoted, "A\"b".into())]);
    assert_eq!(lex(r#"U&"d\0061t""#), [(Kind::UnicodeQuoted, "dat".into())]);
    let long = "a".repeat(62) + "é";
    assert_eq!(values(&long), ["a".repeat(62)]);
    assert_eq!(values(&"b".repeat(80)), ["b".repeat(63)]);
}

#[test]
fn numbers_and_parameters() {
    assert_eq!(values("1..2"), ["1", "..", "2"]);
    assert_eq!(
        values("1.5e-3 .5 5. 0x1F 1_000"),
        ["1.5e-3", ".5", "5.", "0x1F", "1_000"]
    );
    assert_eq!(lex("$12"), [(Kind::Param, "12".into())]);
    assert_eq!(values("5e"), ["5", "e"]);
}

#[test]
fn runs_of_signs_are_walked_once() {
    assert_eq!(values("+-+"), ["+", "-", "+"]);
    assert_eq!(values("*+-+1"), ["*", "+", "-", "+", "1"]);
    assert_eq!(values("+*+"), ["+*", "+"]);
    assert_eq!(values("@+-+"), ["@+-+"]);
    let started = std::time::Instant::now();
    assert_eq!(values(&"+".repeat(TOKENS_MAX)).len(), TOKENS_MAX);
    assert_eq!(values(&"+*".repeat(200_000)).len(), 1);
    assert!(started.elapsed().as_secs() < 20);
}

#[test]
fn tokens_are_bounded() {
    assert!(tokens(&"(".repeat(TOKENS_MAX)).is_ok());
    let error = tokens(&"(".repeat(TOKENS_MAX + 1)).expect_err("too many");
    assert_eq!(error.code, SqlState::STATEMENT_TOO_COMPLEX);
}

#[test]
fn what_does_not_end_is_an_error() {
    for text in ["'a", "\"a", "/* /* */", "$$a", "E'a\\'", "$a$ $$", "E'\\"] {
        let error = tokens(text).expect_err(text);
        assert_eq!(error.code, SqlState::SYNTAX_ERROR, "{text}");
        assert!(error.position.is_some(), "{text}");
    }
    assert_eq!(tokens("é 'a").expect_err("open").position, Some(3));
}
