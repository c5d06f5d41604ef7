//! Where the user wants a statement to go, and how that is checked against what the statement itself says.

use std::fmt;

use super::Destination;
use crate::error::{PgError, SqlState};
use crate::shardmap::{KeyspaceIndex, ShardId, ShardMap};
use crate::types::KeyValue;

/// What a comment or a setting asks for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Hint {
    Shard(String),
    Key {
        /// Needed where the database has several and the statement names no table of one.
        keyspace: Option<String>,
        /// Values of the key's first columns in their text form.
        values: Vec<String>,
    },
}

impl fmt::Display for Hint {
    /// As a comment writes it: `shard=s2`, `key=42`, `key=('a', '7') keyspace=orders`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shard(name) => write!(f, "shard={}", Word(name)),
            Self::Key { keyspace, values } => {
                match values.as_slice() {
                    [value] => write!(f, "key={}", Word(value))?,
                    values => {
                        let words: Vec<String> =
                            values.iter().map(|value| Word(value).to_string()).collect();
                        write!(f, "key=({})", words.join(", "))?;
                    }
                }
                match keyspace {
                    Some(keyspace) => write!(f, " keyspace={}", Word(keyspace)),
                    None => Ok(()),
                }
            }
        }
    }
}

/// A value of a hint, in quotes where it needs them.
struct Word<'a>(&'a str);

impl fmt::Display for Word<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if !self.0.is_empty() && self.0.chars().all(plain) {
            return f.write_str(self.0);
        }
        f.write_str("'")?;
        for c in self.0.chars() {
            match c {
                '\'' => f.write_str("''")?,
                c if c.is_control() => write!(f, "{}", c.escape_default())?,
                c => write!(f, "{c}")?,
            }
        }
        f.write_str("'")
    }
}

/// Values of a key as a hint writes them: one as it stands, one in quotes (`'it''s'`), or several in
/// parentheses (`(42, 'it''s')`).
///
/// Errors: what is wrong with it, in words.
pub fn key_values(text: &str) -> Result<Vec<String>, String> {
    let trimmed = text.trim();
    match trimmed.as_bytes().first() {
        None => Err("there is no value".to_owned()),
        Some(b'(') => {
            let (values, rest) = key_list(&trimmed[1..])?;
            nothing_behind(rest)?;
            Ok(values)
        }
        Some(b'\'') => {
            let (value, rest) = quoted(&trimmed[1..])?;
            nothing_behind(rest)?;
            Ok(vec![value])
        }
        Some(_) => Ok(vec![text.to_owned()]),
    }
}

fn nothing_behind(rest: &str) -> Result<(), String> {
    if rest.is_empty() {
        Ok(())
    } else {
        Err("something follows its end".to_owned())
    }
}

/// The values up to the closing parenthesis, and what comes after it.
pub fn key_list(text: &str) -> Result<(Vec<String>, &str), String> {
    let mut values = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        let (value, after) = match rest.strip_prefix('\'') {
            Some(inner) => quoted(inner)?,
            None => {
                let end = rest
                    .find([',', ')', '(', '\''])
                    .ok_or("a parenthesis is not closed")?;
                (rest[..end].trim_end().to_owned(), &rest[end..])
            }
        };
        if value.is_empty() && !rest.starts_with('\'') {
            return Err("a value is missing".to_owned());
        }
        values.push(value);
        if values.len() > COLUMNS_MAX {
            return Err(format!("it has more than {COLUMNS_MAX} values"));
        }
        let after = after.trim_start();
        if let Some(behind) = after.strip_prefix(')') {
            return Ok((values, behind));
        }
        rest = after
            .strip_prefix(',')
            .ok_or("between its values there has to be a comma")?;
    }
}

/// More values than any sharding key has columns.
const COLUMNS_MAX: usize = 32;

/// A string after its opening quote, and what comes after its closing one.
pub fn quoted(text: &str) -> Result<(String, &str), String> {
    let mut value = String::new();
    let mut rest = text;
    loop {
        let end = rest.find('\'').ok_or("a quote is not closed")?;
        value.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('\'') {
            Some(more) => {
                value.push('\'');
                rest = more;
            }
            None => return Ok((value, rest)),
        }
    }
}

/// A hint, and where it leads in the map of its plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Hinted {
    pub hint: Hint,
    pub to: HintedTo,
}

/// The place a hint names.
#[derive(Clone, Debug, PartialEq)]
pub enum HintedTo {
    Shard(ShardId),
    /// The shard of this key, or of all keys that begin so.
    Key {
        keyspace: KeyspaceIndex,
        values: Vec<KeyValue>,
    },
}

impl Hinted {
    /// Where it leads now.
    ///
    /// Errors: 22023 where no shard has the key, or several may have keys that begin so.
    pub fn shard(&self, map: &ShardMap) -> Result<ShardId, PgError> {
        let (keyspace, values) = match &self.to {
            HintedTo::Shard(shard) => return Ok(*shard),
            HintedTo::Key { keyspace, values } => (*keyspace, values.as_slice()),
        };
        let space = map.keyspace(keyspace);
        let nowhere = || {
            PgError::client(
                SqlState::INVALID_PARAMETER_VALUE,
                format!(
                    "the hint {} leads to no shard of keyspace {}",
                    self.hint, space.name
                ),
            )
        };
        if values.len() == space.key.columns.len() {
            return map
                .locate(keyspace, values)
                .map(|(_, shard)| shard)
                .ok_or_else(nowhere);
        }
        let reachable = map.reachable(keyspace, values);
        let mut shards = reachable
            .into_iter()
            .map(|logical| space.placement.shard(logical));
        let first = shards.next().ok_or_else(nowhere)?;
        if shards.all(|shard| shard == first) {
            return Ok(first);
        }
        Err(PgError::client(
            SqlState::INVALID_PARAMETER_VALUE,
            format!(
                "the hint {} leads to several shards of keyspace {}",
                self.hint, space.name
            ),
        )
        .with_hint(format!("give all of its key: ({})", space.key)))
    }

    /// The hint's shard, which has to be the one that the statement's own keys lead to.
    pub(super) fn agree(
        &self,
        found: &Destination,
        map: &ShardMap,
    ) -> Result<Destination, PgError> {
        let wanted = self.shard(map)?;
        match found {
            Destination::Shard(shard) if *shard != wanted => Err(PgError::refusal(
                format!(
                    "the statement's own key values lead to shard \"{}\", the hint {} to shard \"{}\"",
                    map.shard_name(*shard),
                    self.hint,
                    map.shard_name(wanted)
                ),
                "leave the hint out (RESET trunkline.shard, RESET trunkline.key), or correct it",
            )),
            _ => Ok(Destination::Shard(wanted)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_hints_write_them() {
        let read = |text: &str| key_values(text);
        let one = |value: &str| Ok(vec![value.to_owned()]);
        assert_eq!(read("42"), one("42"));
        assert_eq!(read("-7"), one("-7"));
        assert_eq!(read("a b, c"), one("a b, c"));
        assert_eq!(read("'it''s'"), one("it's"));
        assert_eq!(read("''"), one(""));
        assert_eq!(read("(42)"), one("42"));
        let several = |values: &[&str]| Ok(values.iter().map(|v| (*v).to_owned()).collect());
        assert_eq!(read("(42, 7)"), several(&["42", "7"]));
        assert_eq!(read(" ( 'a, )' ,b c ) "), several(&["a, )", "b c"]));
        assert_eq!(read("('','')"), several(&["", ""]));
    }

    #[test]
    fn what_is_no_key_is_an_error() {
        for text in [
            "", " ", "(", "()", "(,)", "(1", "(1,", "(1,)", "('a", "('a' b)", "(1) 2", "'a",
            "'a' b", "(a'b')", "((1))",
        ] {
            assert!(key_values(text).is_err(), "{text}");
        }
        assert!(key_values(&format!("({}1)", "1,".repeat(100))).is_err());
    }

    #[test]
    fn hints_print_as_comments_write_them() {
        let key = |keyspace: Option<&str>, values: &[&str]| Hint::Key {
            keyspace: keyspace.map(str::to_owned),
            values: values.iter().map(|v| (*v).to_owned()).collect(),
        };
        assert_eq!(Hint::Shard("s2".into()).to_string(), "shard=s2");
        assert_eq!(key(None, &["42"]).to_string(), "key=42");
        assert_eq!(key(None, &["it's\n"]).to_string(), "key='it''s\\n'");
        assert_eq!(
            key(Some("my orders"), &["42", ""]).to_string(),
            "key=(42, '') keyspace='my orders'"
        );
    }
}
