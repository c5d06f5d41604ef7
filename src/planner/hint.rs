//! Hints: read from comments and settings, and found in the shard map.
//!
//! ```sql
//! select … /* trunkline: shard=s2 */
//! select … -- trunkline: key=(42, 'a') keyspace=orders
//! select … /*traceparent='…',trunkline_key='42'*/
//! SET trunkline.key = '42'
//! ```
//! The third form is sqlcommenter's, whose values are percent-encoded and have their quotes escaped.
//! Source: <https://google.github.io/sqlcommenter/spec/>

use std::collections::HashSet;

use super::Context;
use crate::error::{PgError, SqlState, named};
use crate::plan::{Hint, Hinted, HintedTo, Setting, key_list, key_values, quoted};
use crate::shardmap::{KeyspaceIndex, ShardMap, TableKind};
use crate::sql::{self, Comment, Token};
use crate::types::{KeyType, KeyValue};

const PREFIX: &str = "trunkline.";
pub const SHARD: &str = "trunkline.shard";
pub const KEY: &str = "trunkline.key";
pub const KEYSPACE: &str = "trunkline.keyspace";

/// Hints are part of plans and of what they are cached under.
const VALUE_BYTES_MAX: usize = 1024;

/// True for the names of settings that no server knows.
pub fn is_own_setting(name: &str) -> bool {
    name.starts_with(PREFIX)
}

/// What SHOW calls its column.
pub fn own_column(name: &str) -> &'static str {
    match name {
        SHARD => SHARD,
        KEY => KEY,
        _ => KEYSPACE,
    }
}

/// Errors: 42704 for a name under `trunkline.` that is no setting.
pub fn check_own_name(name: &str) -> Result<(), PgError> {
    if !is_own_setting(name) || matches!(name, SHARD | KEY | KEYSPACE) {
        return Ok(());
    }
    Err(PgError::client(
        SqlState::UNDEFINED_OBJECT,
        format!("unrecognized configuration parameter \"{}\"", named(name)),
    )
    .with_hint(format!("Trunkline's own are {SHARD}, {KEY} and {KEYSPACE}")))
}

/// Checks what a SET, or the startup packet, gives one of our own settings.
///
/// Errors: 22023 for a value that means nothing in this map; 42704 for an unknown name.
pub fn check_own_setting(setting: &Setting, map: &ShardMap) -> Result<(), PgError> {
    let name = setting.name.as_str();
    check_own_name(name)?;
    let long = |value: &String| value.len() > VALUE_BYTES_MAX;
    if setting.values.iter().flatten().any(long) {
        return Err(invalid(format!(
            "the value of {name} is longer than {VALUE_BYTES_MAX} bytes"
        )));
    }
    let value = match setting.values.as_deref() {
        // DEFAULT, and none.
        None => return Ok(()),
        Some([value]) if value.is_empty() => return Ok(()),
        Some([value]) => value.as_str(),
        Some(_) => {
            return Err(invalid(format!("{name} takes one value")).with_hint(
                "write a key of several columns as one string: SET trunkline.key = '(42, 7)'",
            ));
        }
    };
    let checked = match name {
        SHARD => shard_named(map, value).map(|_| ()),
        KEYSPACE => keyspace_named(map, value).map(|_| ()),
        _ => key_values(value).and_then(|values| {
            let spaces = (0..map.keyspaces.len()).map(|index| KeyspaceIndex(index as u16));
            let mut reasons = spaces.map(|index| typed(map, index, &values).map(|_| ()));
            let first = reasons
                .next()
                .unwrap_or_else(|| Err("the database has no keyspace".to_owned()));
            first.or_else(|reason| {
                if reasons.any(|read| read.is_ok()) {
                    Ok(())
                } else {
                    Err(reason)
                }
            })
        }),
    };
    checked.map_err(|reason| {
        invalid(format!(
            "invalid value for parameter \"{name}\": \"{}\": {reason}",
            named(value)
        ))
    })
}

/// What the session's settings ask for; each `None` or empty where it is not set.
pub fn of_settings(shard: Option<&str>, key: Option<&str>, keyspace: Option<&str>) -> Option<Hint> {
    let given = |value: Option<&str>| value.filter(|value| !value.is_empty()).map(str::to_owned);
    if let Some(shard) = given(shard) {
        return Some(Hint::Shard(shard));
    }
    Some(Hint::Key {
        // Checked when it was set.
        values: key_values(&given(key)?).ok()?,
        keyspace: given(keyspace),
    })
}

/// The hint that holds for a statement.
#[derive(Debug)]
pub(super) struct InForce {
    /// Found in the map; a setting may name what is not there any more, or lack a keyspace, which matters only
    /// to statements it is about.
    pub(super) hinted: Result<Hinted, PgError>,
    /// Where it comes from.
    pub(super) from: Source,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Comment,
    ShardSetting,
    KeySetting,
}

/// A comment's hint, else the session's.
///
/// Errors: 22023 for comments that cannot be read or disagree, and for what the map does not have.
pub(super) fn in_force(
    text: &str,
    tokens: &[Token<'_>],
    context: &Context<'_>,
) -> Result<Option<InForce>, PgError> {
    let mut found: Option<(Hint, usize)> = None;
    // Between the tokens of a shape lie literals, which must not be taken for comments: a text whose comments
    // have a hint has no shape.
    let comments = match super::hinted::has_slots(tokens) {
        true => Vec::new(),
        false => sql::hint_comments(text, tokens),
    };
    for comment in comments {
        let at = |error: PgError| error.with_position(sql::position(text, comment.start));
        let hint = read(&comment).map_err(at)?;
        match &found {
            Some((other, _)) if *other != hint => {
                return Err(at(invalid(format!(
                    "two hints disagree: {other} and {hint}"
                ))));
            }
            Some(_) => {}
            None => found = Some((hint, comment.start)),
        }
    }
    let nowhere = |hint: &Hint, reason| invalid(format!("the hint {hint} leads nowhere: {reason}"));
    if let Some((hint, start)) = found {
        let to = locate(&hint, tokens, context.map)
            .map_err(|reason| nowhere(&hint, reason).with_position(sql::position(text, start)))?;
        return Ok(Some(InForce {
            hinted: Ok(Hinted { hint, to }),
            from: Source::Comment,
        }));
    }
    let Some(hint) = context.hint else {
        return Ok(None);
    };
    let (from, way_out) = match hint {
        Hint::Shard(_) => (Source::ShardSetting, format!("RESET {SHARD}")),
        Hint::Key { .. } => (
            Source::KeySetting,
            format!("SET {KEYSPACE}, or RESET {KEY}"),
        ),
    };
    let hinted = match locate(hint, tokens, context.map) {
        Ok(to) => Ok(Hinted {
            hint: hint.clone(),
            to,
        }),
        Err(reason) => Err(nowhere(hint, reason).with_hint(way_out)),
    };
    Ok(Some(InForce { hinted, from }))
}

fn locate(hint: &Hint, tokens: &[Token<'_>], map: &ShardMap) -> Result<HintedTo, String> {
    match hint {
        Hint::Shard(name) => shard_named(map, name).map(HintedTo::Shard),
        Hint::Key { keyspace, values } => {
            let keyspace = match keyspace {
                Some(name) => keyspace_named(map, name)?,
                None => keyspace_meant(tokens, map)?,
            };
            let values = typed(map, keyspace, values)?;
            Ok(HintedTo::Key { keyspace, values })
        }
    }
}

fn shard_named(map: &ShardMap, name: &str) -> Result<crate::shardmap::ShardId, String> {
    let place = map.shards.iter().position(|shard| shard == name);
    place
        .map(|place| crate::shardmap::ShardId(place as u16))
        .ok_or_else(|| format!("there is no shard \"{}\"", named(name)))
}

fn keyspace_named(map: &ShardMap, name: &str) -> Result<KeyspaceIndex, String> {
    let place = map.keyspaces.iter().position(|space| space.name == name);
    place
        .map(|place| KeyspaceIndex(place as u16))
        .ok_or_else(|| format!("there is no keyspace \"{}\"", named(name)))
}

/// The keyspace of the sharded tables whose names the statement has, else the only one there is.
fn keyspace_meant(tokens: &[Token<'_>], map: &ShardMap) -> Result<KeyspaceIndex, String> {
    match map.keyspaces.len() {
        0 => return Err("the database has no keyspace".to_owned()),
        1 => return Ok(KeyspaceIndex(0)),
        _ => {}
    }
    let names: HashSet<&str> = tokens
        .iter()
        .filter(|token| token.is_name())
        .map(|token| &*token.value)
        .collect();
    let spaces = map.tables.iter().filter_map(|(table, kind)| match kind {
        TableKind::Sharded { keyspace, .. } if names.contains(table.name.as_str()) => {
            Some(*keyspace)
        }
        _ => None,
    });
    let spaces: HashSet<KeyspaceIndex> = spaces.collect();
    match (spaces.len(), spaces.into_iter().next()) {
        (1, Some(only)) => Ok(only),
        (0, _) => Err("it names no keyspace, and neither does a table in the statement".to_owned()),
        _ => Err("the statement has tables of several keyspaces, and it names none".to_owned()),
    }
}

/// Values of the first columns of a keyspace's key.
fn typed(
    map: &ShardMap,
    keyspace: KeyspaceIndex,
    values: &[String],
) -> Result<Vec<KeyValue>, String> {
    let space = map.keyspace(keyspace);
    let columns = &space.key.columns;
    if values.len() > columns.len() {
        return Err(format!(
            "the key of keyspace {} has {} columns ({})",
            space.name,
            columns.len(),
            space.key
        ));
    }
    let read = |key_type: KeyType, value: &String| {
        key_type
            .parse_text(value.as_bytes())
            .map_err(|error| format!("{error} (keyspace {})", space.name))
    };
    values
        .iter()
        .zip(columns)
        .map(|(value, column)| read(column.key_type, value))
        .collect()
}

fn invalid(message: String) -> PgError {
    PgError::client(SqlState::INVALID_PARAMETER_VALUE, message)
}

/// What the comments of one statement have given so far.
#[derive(Default)]
struct Asked {
    shard: Option<String>,
    key: Option<Vec<String>>,
    keyspace: Option<String>,
}

impl Asked {
    fn give(&mut self, name: &str, value: String) -> Result<(), String> {
        self.give_all(name, vec![value])
    }

    fn give_all(&mut self, name: &str, mut values: Vec<String>) -> Result<(), String> {
        if values.iter().any(|value| value.len() > VALUE_BYTES_MAX) {
            return Err(format!("a value is longer than {VALUE_BYTES_MAX} bytes"));
        }
        let again = match name {
            "key" => self.key.replace(values).is_some(),
            "shard" | "keyspace" => {
                let (Some(value), true) = (values.pop(), values.is_empty()) else {
                    return Err(format!("{name} takes one value"));
                };
                let place = match name {
                    "shard" => &mut self.shard,
                    _ => &mut self.keyspace,
                };
                place.replace(value).is_some()
            }
            _ => {
                return Err(format!(
                    "\"{}\" is not known; there are shard, key and keyspace",
                    named(name)
                ));
            }
        };
        if again {
            return Err(format!("{name} is given twice"));
        }
        Ok(())
    }

    fn hint(self) -> Result<Hint, String> {
        match (self.shard, self.key, self.keyspace) {
            (Some(shard), None, None) => Ok(Hint::Shard(shard)),
            (None, Some(values), keyspace) => Ok(Hint::Key { keyspace, values }),
            (Some(_), ..) => Err("shard stands alone, without key and keyspace".to_owned()),
            (None, None, Some(_)) => Err("keyspace says nothing without key".to_owned()),
            (None, None, None) => Err("it gives neither shard nor key".to_owned()),
        }
    }
}

const FORMS: &str = "write /* trunkline: shard=NAME */ or /* trunkline: key=VALUE */";

fn read(comment: &Comment<'_>) -> Result<Hint, PgError> {
    let body = comment.body.trim();
    // The word's length in bytes, in whatever case it is.
    let word = "trunkline".len();
    let is_word = body
        .get(..word)
        .is_some_and(|start| start.eq_ignore_ascii_case("trunkline"));
    let rest = body.get(word..).unwrap_or_default().trim_start();
    let asked = if is_word && !body[word..].starts_with('_') {
        match rest.strip_prefix(':') {
            Some(pairs) => word_pairs(pairs),
            None => Err("behind the word trunkline there is no colon".to_owned()),
        }
    } else {
        commenter_pairs(body)
    };
    asked.and_then(Asked::hint).map_err(|reason| {
        invalid(format!("the hint in a comment cannot be read: {reason}")).with_hint(FORMS)
    })
}

/// `shard=s2`, or `key=(42, 'a') keyspace=orders`.
fn word_pairs(text: &str) -> Result<Asked, String> {
    let mut asked = Asked::default();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let end = rest
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(rest.len());
        let name = &rest[..end];
        let Some(value) = rest[end..].trim_start().strip_prefix('=') else {
            return Err(format!("\"{}\" is no name=value", named(rest)));
        };
        let value = value.trim_start();
        let after = if let Some(inner) = value.strip_prefix('(') {
            let (values, after) = key_list(inner)?;
            asked.give_all(name, values)?;
            after
        } else if let Some(inner) = value.strip_prefix('\'') {
            let (value, after) = quoted(inner)?;
            asked.give(name, value)?;
            after
        } else {
            let end = value
                .find(|c: char| c.is_whitespace())
                .unwrap_or(value.len());
            let (bare, after) = value.split_at(end);
            if bare.is_empty() || bare.contains(['\'', '(', ')', ',', '*', '=']) {
                return Err(format!("the value of {} needs quotes", named(name)));
            }
            asked.give(name, bare.to_owned())?;
            after
        };
        if !after.is_empty() && !after.starts_with(char::is_whitespace) {
            return Err(format!("\"{}\" follows a value", named(after)));
        }
        rest = after.trim_start();
    }
    Ok(asked)
}

/// `action='x',trunkline_shard='s2'`: what is not ours is passed over.
fn commenter_pairs(body: &str) -> Result<Asked, String> {
    let mut asked = Asked::default();
    let mut rest = body;
    loop {
        rest = rest.trim_start();
        let Some((name, after)) = rest.split_once('=') else {
            return Err("it is not a list of name='value'".to_owned());
        };
        let Some(inner) = after.trim_start().strip_prefix('\'') else {
            return Err("it is not a list of name='value'".to_owned());
        };
        let end = commenter_end(inner).ok_or("a quote is not closed")?;
        let name = name.trim().to_ascii_lowercase();
        if let Some(name) = name.strip_prefix("trunkline_") {
            let value = decoded(&inner[..end])?;
            match name {
                "key" => asked.give_all(name, key_values(&value)?)?,
                _ => asked.give(name, value)?,
            }
        }
        rest = inner[end + 1..].trim_start();
        match rest.strip_prefix(',') {
            Some(more) => rest = more,
            None if rest.is_empty() => return Ok(asked),
            None => return Err("between its pairs there has to be a comma".to_owned()),
        }
    }
}

/// Where the closing quote is: one without a backslash before it.
fn commenter_end(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let ends = byte == b'\'' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })
}

fn decoded(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'\\' => bytes.extend(rest.next()),
            b'%' => {
                let mut digit = || rest.next().and_then(|b| char::from(b).to_digit(16));
                match (digit(), digit()) {
                    (Some(high), Some(low)) => bytes.push((high << 4 | low) as u8),
                    _ => return Err("a percent sign is not followed by two digits".to_owned()),
                }
            }
            byte => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).map_err(|_| "a value is not valid UTF-8".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint(body: &str) -> Result<String, String> {
        let comment = Comment {
            start: 0,
            end: body.len(),
            body,
        };
        read(&comment)
            .map(|hint| hint.to_string())
            .map_err(|error| error.message)
    }

    #[test]
    fn both_forms_are_read() {
        for (body, expected) in [
            (" trunkline: shard=s2 ", "shard=s2"),
            ("TRUNKLINE:shard='s 2'", "shard='s 2'"),
            ("trunkline : key = 42", "key=42"),
            (
                "trunkline: key=(42, 'it''s') keyspace=orders",
                "key=(42, 'it''s') keyspace=orders",
            ),
            (
                "trunkline: keyspace=orders key='a b'\n",
                "key='a b' keyspace=orders",
            ),
            ("trunkline: key=-42", "key=-42"),
            ("trunkline: key=2024-01-01", "key=2024-01-01"),
            ("trunkline_shard='s2'", "shard=s2"),
            (
                "action='a%20b',trunkline_shard='s%202',traceparent='00-ab-01'",
                "shard='s 2'",
            ),
            ("a='it\\'s',trunkline_key='42'", "key=42"),
            ("trunkline_key='%2842%2C%207%29'", "key=(42, 7)"),
            ("trunkline_key='\\'it\\'\\'s\\''", "key='it''s'"),
            (
                "trunkline_key='%C3%A4',trunkline_keyspace='t'",
                "key='ä' keyspace=t",
            ),
        ] {
            assert_eq!(hint(body).as_deref(), Ok(expected), "{body}");
        }
    }

    #[test]
    fn values_are_bounded() {
        let long = "a".repeat(VALUE_BYTES_MAX + 1);
        assert!(hint(&format!("trunkline: key={}", &long[1..])).is_ok());
        for body in [
            format!("trunkline: key={long}"),
            format!("trunkline: key=(1, '{long}')"),
            format!("trunkline_shard='{long}'"),
        ] {
            let error = hint(&body).expect_err("too long");
            assert!(error.contains("longer than 1024 bytes"), "{error}");
        }
        let map = crate::planner::tests::map();
        let setting = |value: &str| Setting {
            name: KEY.to_owned(),
            values: Some(vec![value.to_owned()]),
        };
        assert!(check_own_setting(&setting(&long[1..]), &map).is_ok());
        assert!(check_own_setting(&setting(&long), &map).is_err());
    }

    /// Pieces of hints in any order, cut anywhere.
    #[test]
    fn arbitrary_comments_do_not_panic() {
        const PIECES: [&str; 19] = [
            "trunkline",
            ":",
            "_",
            "shard",
            "key",
            "keyspace",
            "=",
            "'",
            "''",
            "(",
            ")",
            ",",
            " ",
            "s2",
            "4",
            "%",
            "%2",
            "\\",
            "ä",
        ];
        let mut state = 1u64;
        let mut next = |below: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below
        };
        for _ in 0..20_000 {
            let count = next(14);
            let mut text = ["trunkline:", "trunkline_", "a='b',trunkline_"][next(3)].to_owned();
            (0..count).for_each(|_| text.push_str(PIECES[next(PIECES.len())]));
            let _ = hint(&text);
            let _ = key_values(&text);
            let statement = format!("select 1 /*{text}*/ from matches --{text}");
            let tokens = sql::tokens(&statement).expect("lexes");
            assert!(sql::hint_comments(&statement, &tokens).len() <= 2);
        }
    }

    #[test]
    fn what_cannot_be_read_is_an_error() {
        for body in [
            "trunkline",
            "trunkline:",
            "trunkline shard=s2",
            "trunkline: shrad=s2",
            "trunkline: shard",
            "trunkline: shard=",
            "trunkline: shard=s2;",
            "trunkline: shard=s2 shard=s2",
            "trunkline: shard=s2,key=4",
            "trunkline: shard=s2 key=4",
            "trunkline: shard=(s2, s3)",
            "trunkline: keyspace=orders",
            "trunkline: key='a'b",
            "trunkline: key=(1, 2",
            "trunkline: shard=s2 /* nested */",
            "trunkline: SHARD=s2",
            "trunkline_shard=s2",
            "trunkline_shard='s2",
            "trunkline_shrad='s2'",
            "trunkline_shard='%zz'",
            "trunkline_shard='%ff'",
            "trunkline_shard='a' b='c'",
            "a='b',trunkline_shard",
        ] {
            let read = hint(body);
            let expected = read.as_ref().is_err_and(|message| {
                message.starts_with("the hint in a comment cannot be read: ")
            });
            let semicolon = body.ends_with(';') && read.as_deref() == Ok("shard='s2;'");
            assert!(expected || semicolon, "{body}: {read:?}");
        }
    }
}
