//! What a scattered text says with the values of its literals left out, as far as servers say the same of all texts that
//! have it in common: the types and collations of what they select, and how it is merged ([`crate::plan::Facts`]).
//!
//! PostgreSQL finds these from the tokens, the catalogs and the types of parameters. A literal comes into it by its type
//! (an integer's is one of three, by its magnitude; a string has none until its place gives it one), as a type's modifier,
//! and as a number that stands for an item of the list. So a mark of its kind stands in the place of each literal, but
//! what may be a modifier stays as it is; and beside the client's text there are those pieces of it that the shards are asked
//! for, in which such a number has become the item. What is not certain stays as it is: texts that say the same are
//! asked about twice, then.
//! Source: `make_const` in `parse_node.c`, `typenameTypeMod` in `parse_type.c`

use crate::plan::{
    Aggregate, Finish, Groups, Merge, OverGroups, OverRows, OverTables, Query, Rows, Scatter,
    Tables,
};
use crate::sql::{self, Kind, Token};

/// Marks of kinds, and what ends a token: bytes that no UTF-8 text has.
const INT4: u8 = 0xff;
/// An `int4` behind a minus, else an `int8`.
const INT4_MIN: u8 = 0xfe;
const INT8: u8 = 0xfd;
/// An `int8` behind a minus, else a `numeric`.
const INT8_MIN: u8 = 0xfc;
const NUMERIC: u8 = 0xfb;
const STRING: u8 = 0xfa;
const END: u8 = 0xf9;
const PIECE: u8 = 0xf8;

/// Bytes that are equal for texts of which servers say the same. `text` is what the plan was made of; `None` where it is
/// no SQL.
pub(in crate::planner) fn kinds(scatter: &Scatter, text: &str) -> Option<Vec<u8>> {
    let mut kinds = Kinds(Vec::with_capacity(4 * text.len()));
    kinds.put(text)?;
    // In full, so that whoever adds to a plan looks here.
    let Scatter {
        anchors: _,
        merge,
        finish,
        reason: _,
        has_moments,
        explained,
        learned: _,
    } = scatter;
    kinds.structure(&(has_moments, explained.is_some()));
    kinds.merge(merge)?;
    kinds.structure(&finish.is_some());
    if let Some(finish) = finish {
        kinds.finish(finish)?;
    }
    Some(kinds.0)
}

struct Kinds(Vec<u8>);

impl Kinds {
    fn merge(&mut self, merge: &Merge) -> Option<()> {
        let kinds = self;
        match merge {
            Merge::Rows(Rows {
                text,
                order,
                distinct,
                limit: _,
            }) => {
                kinds.structure(&("rows", order, distinct));
                kinds.put_some(text.as_deref())?;
            }
            Merge::Groups(Groups {
                before,
                after,
                keys,
                order,
                aggregates,
                outputs,
                limit: _,
                pushed,
            }) => {
                kinds.structure(&("groups", order, outputs, keys.len()));
                kinds.put(before)?;
                kinds.put(after)?;
                keys.iter().try_for_each(|key| kinds.put(key))?;
                for aggregate in aggregates {
                    let Aggregate {
                        name,
                        argument,
                        filter,
                    } = aggregate;
                    kinds.structure(name);
                    kinds.put(argument)?;
                    kinds.put_some(filter.as_deref())?;
                }
                kinds.put_some(pushed.as_deref())?;
            }
            Merge::Tables(Tables { text }) => {
                kinds.structure(&"tables");
                kinds.put(text)?;
            }
        }
        Some(())
    }

    fn finish(&mut self, finish: &Finish) -> Option<()> {
        let Finish {
            instead,
            regrouped,
            query,
        } = finish;
        self.structure(&(instead.is_some(), regrouped));
        if let Some(instead) = instead {
            self.merge(instead)?;
        }
        match query {
            Query::Groups(OverGroups {
                head,
                items,
                rest,
                names,
            }) => {
                self.structure(&("groups", items.len(), names));
                self.put(head)?;
                items.iter().try_for_each(|item| self.put(item))?;
                self.put(rest)
            }
            Query::Rows(OverRows {
                order,
                distinct,
                tail,
            }) => {
                self.structure(&("rows", order, distinct));
                self.put(tail)
            }
            Query::Tables(OverTables { head, tables, rest }) => {
                self.structure(&("tables", head, tables));
                self.put(rest)
            }
        }
    }

    fn put_some(&mut self, text: Option<&str>) -> Option<()> {
        self.structure(&text.is_some());
        text.map_or(Some(()), |text| self.put(text))
    }

    fn put(&mut self, text: &str) -> Option<()> {
        let tokens = sql::tokens(text).ok()?;
        let mut modifiers = modifiers(&tokens).into_iter().peekable();
        // The kind of the element before, within a list of elements of one type.
        let mut listed = None;
        for (at, token) in tokens.iter().enumerate() {
            while modifiers.next_if(|(_, close)| *close < at).is_some() {}
            let stays = modifiers.peek().is_some_and(|(open, _)| *open < at);
            let mark = mark(token).filter(|_| !stays);
            if mark.is_none() && !token.is_op(",") {
                listed = begins_list(&tokens[..=at]).then_some(END);
            }
            let again = mark.is_some()
                && listed.is_some()
                && std::mem::replace(&mut listed, mark) == mark
                && tokens[at - 1].is_op(",");
            if again {
                // The comma before it.
                self.0.truncate(self.0.len() - 3);
                continue;
            }
            match mark {
                Some(mark) => self.0.push(mark),
                None => {
                    self.0.push(token.kind as u8);
                    self.0.extend_from_slice(token.value.as_bytes());
                }
            }
            self.0.push(END);
        }
        self.0.push(PIECE);
        Some(())
    }

    fn structure(&mut self, of: &impl std::fmt::Debug) {
        self.0.extend_from_slice(format!("{of:?}").as_bytes());
        self.0.push(PIECE);
    }
}

/// `IN (` and `ARRAY[`: how many literals of a kind follow is of no weight, for the type is one for all of them.
fn begins_list(tokens: &[Token<'_>]) -> bool {
    match tokens {
        [.., dot, _, _] if dot.is_op(".") => false,
        [.., word, open] => {
            word.is_word("in") && open.is_op("(") || word.is_word("array") && open.is_op("[")
        }
        _ => false,
    }
}

/// What stands for a literal; `None` for what is none, or one that stays as it is.
fn mark(token: &Token<'_>) -> Option<u8> {
    const INT4_MAX: u64 = i32::MAX.unsigned_abs() as u64;
    const INT8_MAX: u64 = i64::MAX.unsigned_abs();
    let value = &*token.value;
    match token.kind {
        Kind::String => Some(STRING),
        Kind::Number if value.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(match value.parse::<u64>() {
                Ok(..=INT4_MAX) => INT4,
                Ok(value) if value == INT4_MAX + 1 => INT4_MIN,
                Ok(..=INT8_MAX) => INT8,
                Ok(value) if value == INT8_MAX + 1 => INT8_MIN,
                _ => NUMERIC,
            })
        }
        Kind::Number if is_decimal(value) => Some(NUMERIC),
        _ => None,
    }
}

/// Digits with a point or an exponent; not another base, and nothing between the digits.
fn is_decimal(value: &str) -> bool {
    let (digits, exponent) = match value.split_once(['e', 'E']) {
        Some((digits, exponent)) => (digits, exponent.trim_start_matches(['+', '-'])),
        None => (value, ""),
    };
    let digit = |byte: u8| byte.is_ascii_digit();
    digits.bytes().all(|byte| digit(byte) || byte == b'.') && exponent.bytes().all(digit)
}

/// The outermost parentheses that may hold the modifiers of a type, from the opening one to the closing one: behind a name,
/// with nothing in them but literals, names and signs. Calls with such arguments are among them.
fn modifiers(tokens: &[Token<'_>]) -> Vec<(usize, usize)> {
    let mut found: Vec<(usize, usize)> = Vec::new();
    // Where each opens, and whether it may hold modifiers.
    let mut open: Vec<(usize, bool)> = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        if token.is_op("(") {
            open.push((at, true));
        } else if token.is_op(")") {
            let Some((from, plain)) = open.pop() else {
                continue;
            };
            if let Some((_, around)) = open.last_mut() {
                *around &= plain;
            }
            if plain && is_behind_name(tokens, from) {
                while found.pop_if(|(inner, _)| *inner > from).is_some() {}
                found.push((from, at));
            }
        } else if !is_plain(token)
            && let Some((_, plain)) = open.last_mut()
        {
            *plain = false;
        }
    }
    found
}

fn is_plain(token: &Token<'_>) -> bool {
    match token.kind {
        Kind::Number | Kind::String => true,
        Kind::Operator => matches!(&*token.value, "," | "." | "-" | "+"),
        _ => token.is_name(),
    }
}

/// These words are no names of types, nor of functions.
fn is_behind_name(tokens: &[Token<'_>], open: usize) -> bool {
    const RESERVED: &[&str] = &[
        "all", "and", "any", "else", "in", "limit", "not", "offset", "on", "or", "select", "some",
        "then", "values", "when", "where",
    ];
    let Some(before) = open.checked_sub(1) else {
        return false;
    };
    let qualified = before > 0 && tokens[before - 1].is_op(".");
    let word = &tokens[before];
    let reserved = word.kind == Kind::Word && RESERVED.contains(&&*word.value);
    word.is_name() && (qualified || !reserved)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<u8> {
        let mut kinds = Kinds(Vec::new());
        kinds.put(text).expect("it is SQL");
        kinds.0
    }

    #[test]
    fn what_texts_have_in_common() {
        for (one, other) in [
            ("select a + 1", "SELECT  a+2 -- more"),
            ("a = 2147483647", "a = 0"),
            ("a = 0009", "a = 1"),
            ("a = 2147483649", "a = 9223372036854775807"),
            ("a = 1.5", "a = .25"),
            ("a = 1e3", "a = 9223372036854775809"),
            ("a = 'x'", "a = ''"),
            ("a = 'x'", "a = E'\\n'"),
            ("a = 'x'", "a = $tag$x$tag$"),
            ("a in (1, 2)", "a in (3, 4)"),
            ("a in (1, 2)", "a in (3, 4, 5, 6) "),
            ("a in ('x', 'y')", "a in ('z')"),
            ("array[1, 2, 3]", "array[1]"),
            ("a = any ('{1}')", "a = any ('{2}')"),
            ("where (1) = a", "where (2) = a"),
            ("sum(a * 1)", "sum(a * 2)"),
            ("f(a = 1)", "f(a = 2)"),
            ("x (9, (2 * 3)) 5", "x (8, (2 * 3)) 5"),
        ] {
            assert!(of(one) == of(other), "{one}, {other}");
        }
    }

    #[test]
    fn what_texts_do_not() {
        for (one, other) in [
            ("a + 1", "a + 2147483648"),
            ("a + 1", "a + 2147483649"),
            ("a + 2147483648", "a + 2147483649"),
            ("a + 9223372036854775807", "a + 9223372036854775808"),
            ("a + 9223372036854775808", "a + 9223372036854775809"),
            ("a + 1", "a + 1.0"),
            ("a + 1", "a + 1e0"),
            ("a + 1", "a + 0x1"),
            ("a + 0x1", "a + 0x2"),
            ("a + 1", "a + '1'"),
            ("a + 1", "a + $1"),
            ("a = 'x'", "a = N'x'"),
            ("a = B'1'", "a = B'11'"),
            ("a::text", "a::\"char\""),
            ("\"a b\"", "a b"),
            ("a::numeric(9, 2)", "a::numeric(9, 3)"),
            ("a::numeric(9, 2)", "a::numeric(8, 2)"),
            ("a::numeric(9, -2)", "a::numeric(9, -3)"),
            ("a::numeric((9), (2))", "a::numeric((9), (3))"),
            ("a::numeric /* x */ (9)", "a::numeric(8)"),
            ("a::character varying(3)", "a::character varying(4)"),
            ("a::float(24)", "a::float(25)"),
            ("a::\"my type\"('x', 1)", "a::\"my type\"('y', 1)"),
            ("a::s.in(1)", "a::s.in(2)"),
            ("interval '1' second(1)", "interval '1' second(2)"),
            ("time(1) '10:00'", "time(2) '10:00'"),
            ("f(g(a = 1), numeric(3))", "f(g(a = 1), numeric(4))"),
            ("x as t(a numeric(1), b int)", "x as t(a numeric(2), b int)"),
            ("a in (1, 2)", "a in (1, 2.5)"),
            ("a in (1, 2)", "a in (1, $1)"),
            ("a in (1, b)", "a in (1, 1, b, 1, 1)"),
            ("s.in(1, a = 1)", "s.in(1, 1, a = 1)"),
            ("a (1, a = 1)", "a (1, 1, a = 1)"),
        ] {
            assert!(of(one) != of(other), "{one}, {other}");
        }
    }

    #[test]
    fn parentheses_are_looked_at_once() {
        let deep = |last: &str| format!("{}{last}{}", "f(".repeat(20_000), ")".repeat(20_000));
        assert!(of(&deep("1")) != of(&deep("2")));
        assert!(of(&deep("a = 1")) == of(&deep("a = 2")));
    }
}
