//! Comments that speak to Trunkline. All others mean nothing, here as in PostgreSQL.

use super::lex::Token;

/// What such a comment begins with, in any case.
const WORD: &str = "trunkline";

/// A comment that may hold a hint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Comment<'a> {
    /// Where it begins and ends in the text, in bytes.
    pub start: usize,
    pub end: usize,
    /// What stands between its marks; comments nested in it are part of it.
    pub body: &'a str,
}

/// False where a text cannot hold a hint; the usual case, and the cheap one. Texts for which it is true
/// differ in meaning by their comments too.
pub fn may_have_hint(text: &str) -> bool {
    // A letter that SQL seldom has, with the rest of the word around it.
    const AT: usize = 4;
    let bytes = text.as_bytes();
    let is_here = |at: usize| {
        let word = at
            .checked_sub(AT)
            .and_then(|start| bytes.get(start..start + WORD.len()));
        word.is_some_and(|word| word.eq_ignore_ascii_case(WORD.as_bytes()))
    };
    bytes
        .iter()
        .enumerate()
        .any(|(at, byte)| matches!(byte, b'k' | b'K') && is_here(at))
}

/// The comments of a statement that begin with the word `trunkline`, or have a pair of sqlcommenter's whose
/// name does. `tokens` are all of the text's: what lies between them is blanks and comments.
pub fn hint_comments<'a>(text: &'a str, tokens: &[Token<'_>]) -> Vec<Comment<'a>> {
    if !may_have_hint(text) {
        return Vec::new();
    }
    let starts = tokens.iter().map(|token| token.start);
    let ends = tokens.iter().map(|token| token.end);
    let gaps = std::iter::once(0)
        .chain(ends)
        .zip(starts.chain(std::iter::once(text.len())));
    gaps.flat_map(|(from, to)| hints_between(text, from, to))
        .collect()
}

/// The same of a stretch of text that holds nothing but blanks and comments.
pub(super) fn hints_between(text: &str, from: usize, to: usize) -> Vec<Comment<'_>> {
    if to - from <= WORD.len() {
        return Vec::new();
    }
    let mut found = comments(text, from, to);
    found.retain(|comment| is_hint(comment.body));
    found
}

fn comments(text: &str, from: usize, to: usize) -> Vec<Comment<'_>> {
    let bytes = &text.as_bytes()[..to];
    let mut found = Vec::new();
    let mut at = from;
    while at < to {
        let (body, end, next) = match bytes.get(at..at + 2) {
            Some(b"--") => {
                let line = bytes[at..].iter().position(|b| matches!(b, b'\n' | b'\r'));
                let end = line.map_or(to, |length| at + length);
                (at + 2, end, end)
            }
            Some(b"/*") => {
                let next = block_end(bytes, at);
                (at + 2, next.saturating_sub(2).max(at + 2), next)
            }
            _ => {
                at += 1;
                continue;
            }
        };
        if let Some(body) = text.get(body..end) {
            found.push(Comment {
                start: at,
                end: next,
                body,
            });
        }
        at = next;
    }
    found
}

/// Behind the end of the block comment that begins here.
fn block_end(bytes: &[u8], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0usize);
    while at < bytes.len() {
        match bytes.get(at..at + 2) {
            Some(b"/*") => {
                depth += 1;
                at += 2;
            }
            Some(b"*/") => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    at
}

fn is_hint(body: &str) -> bool {
    begins_with_word(body) || body.split(',').skip(1).any(begins_with_pair)
}

/// `trunkline: …`, `trunkline_shard='…'`, and what is meant to be one of them; not `trunklines`.
fn begins_with_word(body: &str) -> bool {
    after_word(body).is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric()))
}

fn begins_with_pair(pair: &str) -> bool {
    after_word(pair).is_some_and(|rest| rest.starts_with('_'))
}

fn after_word(text: &str) -> Option<&str> {
    let text = text.trim_start();
    let word = text.get(..WORD.len())?;
    word.eq_ignore_ascii_case(WORD).then(|| &text[WORD.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::tokens;

    fn bodies(text: &str) -> Vec<(usize, &str)> {
        hint_comments(text, &tokens(text).expect("lexes"))
            .into_iter()
            .map(|comment| (comment.start, comment.body))
            .collect()
    }

    #[test]
    fn comments_that_begin_with_the_word_are_found_anywhere() {
        assert_eq!(
            bodies("/* trunkline: shard=s2 */ select 1"),
            [(0, " trunkline: shard=s2 ")]
        );
        assert_eq!(
            bodies("select 1 -- trunkline: a\n, 2 /*TRUNKLINE b*/"),
            [(9, " trunkline: a"), (29, "TRUNKLINE b")]
        );
        assert_eq!(
            bodies("select 1 /*a='1',trunkline_shard='s2'*/"),
            [(9, "a='1',trunkline_shard='s2'")]
        );
        assert_eq!(
            bodies("select 1 /* x *//* trunkline */"),
            [(16, " trunkline ")]
        );
    }

    #[test]
    fn what_is_no_comment_or_begins_otherwise_is_left_alone() {
        for text in [
            "select '/* trunkline: shard=s2 */'",
            "select $$/* trunkline: shard=s2 */$$",
            "select \"/* trunkline: shard=s2 */\"",
            "select 1 /* a /* trunkline: shard=s2 */ */",
            "select 1 /* see trunkline: shard=s2 */",
            "select 1 /* trunklines: shard=s2 */",
            "select 1 /* a, trunkline: shard=s2 */",
            "select 1 -- x trunkline: shard=s2",
            "select trunkline from trunkline",
            "select 1",
            "",
        ] {
            assert_eq!(bodies(text), [], "{text}");
        }
    }

    #[test]
    fn a_nested_comment_belongs_to_the_outer_one() {
        assert_eq!(
            bodies("select 1 /* trunkline: a /* b */ c */ + 1"),
            [(9, " trunkline: a /* b */ c ")]
        );
    }

    #[test]
    fn the_word_is_seen_wherever_it_stands() {
        for text in ["trunkline", "/*Trunkline*/", "kk trunkline k", "TRUNKLINEK"] {
            assert!(may_have_hint(text), "{text}");
        }
        for text in [
            "",
            "k",
            "kline",
            "trunk line",
            "trunklin",
            "runkline",
            "ätrunklIné",
        ] {
            assert!(!may_have_hint(text), "{text}");
        }
    }
}
