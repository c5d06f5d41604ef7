//! Typed reading of the tree: every wrong value is recorded and reading goes on, so that one run shows
//! all of a file's errors.

use std::cell::RefCell;
use std::path::Path;
use std::time::Duration;

use super::error::{ConfigError, Errors, Position};
use super::yaml::{Key, Node, Value};

/// What reading one file needs besides its tree.
pub(super) struct Context<'a> {
    pub(super) path: &'a Path,
    pub(super) env: &'a dyn Fn(&str) -> Option<String>,
    errors: RefCell<Vec<ConfigError>>,
}

/// Longest identifier PostgreSQL keeps (`NAMEDATALEN` - 1).
pub(super) const NAME_BYTES_MAX: usize = 63;

impl<'a> Context<'a> {
    pub(super) fn new(path: &'a Path, env: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self {
            path,
            env,
            errors: RefCell::default(),
        }
    }

    pub(super) fn error(&self, at: Position, message: impl Into<String>) {
        let error = ConfigError {
            file: self.path.to_owned(),
            position: Some(at),
            message: message.into(),
        };
        self.errors.borrow_mut().push(error);
    }

    /// Records a value of the wrong kind. Always `None`, to end a reader with.
    pub(super) fn unexpected<T>(&self, node: &Node, expected: &str) -> Option<T> {
        self.error(
            node.at,
            format!("expected {expected}, found {}", node.value.kind()),
        );
        None
    }

    /// What was read, unless something was wrong. `value` is `None` only after an error.
    pub(super) fn finish<T>(self, value: Option<T>) -> Result<T, Errors> {
        let mut errors = self.errors.into_inner();
        match value {
            Some(value) if errors.is_empty() => Ok(value),
            _ => {
                errors.sort_by_key(|error| error.position);
                errors.dedup();
                Err(Errors(errors))
            }
        }
    }

    /// Any scalar but null, as it is spelled: a name `1`, a password `0123`.
    pub(super) fn text<'n>(&self, node: &'n Node, expected: &str) -> Option<&'n str> {
        match &node.value {
            Value::Text(text) => Some(text),
            Value::Number(spelling) | Value::Bool { spelling, .. } => Some(spelling),
            _ => self.unexpected(node, expected),
        }
    }

    pub(super) fn bool(&self, node: &Node) -> Option<bool> {
        match &node.value {
            Value::Bool { value, .. } => Some(*value),
            _ => self.unexpected(node, "true or false"),
        }
    }

    pub(super) fn list<'n>(&self, node: &'n Node, expected: &str) -> Option<&'n [Node]> {
        match &node.value {
            Value::List(items) => Some(items),
            _ => self.unexpected(node, expected),
        }
    }

    /// A whole number within limits; `1_000` may be written for 1000.
    pub(super) fn number(&self, node: &Node, min: u64, max: u64) -> Option<u64> {
        let expected = format!("a whole number from {min} to {max}");
        let Value::Number(spelling) = &node.value else {
            return self.unexpected(node, &expected);
        };
        match whole_number(&spelling.replace('_', "")) {
            Some(value) if (min..=max).contains(&value) => Some(value),
            _ => {
                self.error(node.at, format!("expected {expected}, found {spelling}"));
                None
            }
        }
    }

    /// `100ms`, `5s`, `10m`, `1h`, `2d`, or a bare 0.
    pub(super) fn duration(&self, node: &Node) -> Option<Duration> {
        const EXPECTED: &str = "a duration such as 100ms, 5s, 10m, 1h or 2d";
        let spelling = match &node.value {
            Value::Number(spelling) | Value::Text(spelling) => spelling,
            _ => return self.unexpected(node, EXPECTED),
        };
        let parsed = parse_duration(spelling);
        if parsed.is_none() {
            let unit = if whole_number(spelling).is_some() {
                " (the unit is missing)"
            } else {
                ""
            };
            self.error(
                node.at,
                format!("expected {EXPECTED}, found {spelling:?}{unit}"),
            );
        }
        parsed
    }

    /// A number of bytes within limits: `65536`, `64KiB`, `16MiB` or `1GiB`.
    pub(super) fn bytes(&self, node: &Node, min: u64, max: u64) -> Option<u64> {
        let expected = format!("a size from {min} to {max} bytes such as 64KiB or 16MiB");
        let spelling = match &node.value {
            Value::Number(spelling) | Value::Text(spelling) => spelling,
            _ => return self.unexpected(node, &expected),
        };
        match parse_bytes(spelling) {
            Some(value) if (min..=max).contains(&value) => Some(value),
            _ => {
                self.error(node.at, format!("expected {expected}, found {spelling:?}"));
                None
            }
        }
    }

    /// One of several words.
    pub(super) fn choice<T: Copy>(&self, node: &Node, choices: &[(&str, T)]) -> Option<T> {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        let expected = format!("one of {}", names.join(", "));
        let text = self.text(node, &expected)?;
        let found = choices
            .iter()
            .find(|(name, _)| *name == text)
            .map(|(_, value)| *value);
        if found.is_none() {
            self.error(
                node.at,
                format!(
                    "expected {expected}, found {text:?}{}",
                    did_you_mean(text, names)
                ),
            );
        }
        found
    }

    /// The name of a user, database, shard or keyspace, taken as it is.
    pub(super) fn name(&self, at: Position, what: &str, name: &str) {
        if name.is_empty() {
            self.error(at, format!("the name of a {what} must not be empty"));
        } else if name.len() > NAME_BYTES_MAX {
            self.error(
                at,
                format!("the name of a {what} must not be longer than {NAME_BYTES_MAX} bytes"),
            );
        } else if name.chars().any(char::is_control) {
            self.error(
                at,
                format!("the name of a {what} must not contain control characters"),
            );
        }
    }

    /// A map with arbitrary keys, such as names of shards.
    pub(super) fn entries<'n>(&self, node: &'n Node, expected: &str) -> Option<&'n [(Key, Node)]> {
        match &node.value {
            Value::Map(entries) => Some(entries),
            _ => self.unexpected(node, expected),
        }
    }

    /// A map with known keys.
    pub(super) fn map<'n>(&'n self, node: &'n Node, what: &str) -> Option<MapReader<'n>> {
        let entries = self.entries(node, what)?;
        Some(MapReader {
            context: self,
            at: node.at,
            entries,
            known: Vec::new(),
            later: Vec::new(),
        })
    }
}

/// Takes known keys out of a map; the rest are errors.
pub(super) struct MapReader<'n> {
    context: &'n Context<'n>,
    at: Position,
    entries: &'n [(Key, Node)],
    known: Vec<&'static str>,
    later: Vec<&'static str>,
}

impl<'n> MapReader<'n> {
    /// Where the map stands.
    pub(super) fn at(&self) -> Position {
        self.at
    }

    pub(super) fn optional(&mut self, key: &'static str) -> Option<&'n Node> {
        if !self.known.contains(&key) {
            self.known.push(key);
        }
        self.entries
            .iter()
            .find(|(found, _)| found.name == key)
            .map(|(_, node)| node)
    }

    pub(super) fn required(&mut self, key: &'static str) -> Option<&'n Node> {
        let node = self.optional(key);
        if node.is_none() {
            self.context
                .error(self.at, format!("the key `{key}` is missing"));
        }
        node
    }

    /// A key of a mechanism that is still to come: refused, never ignored. True where it is there.
    pub(super) fn not_yet(&mut self, key: &'static str, meanwhile: &str) -> bool {
        let entry = self.entries.iter().find(|(found, _)| found.name == key);
        self.later.push(key);
        if let Some((found, _)) = entry {
            self.context.error(
                found.at,
                format!("`{key}` is not yet supported: {meanwhile}"),
            );
        }
        entry.is_some()
    }

    /// Refuses the keys nobody asked for.
    pub(super) fn finish(self) {
        let is_known = |name: &str| self.known.contains(&name) || self.later.contains(&name);
        for (key, _) in self.entries.iter().filter(|(key, _)| !is_known(&key.name)) {
            let hint = match did_you_mean(&key.name, self.known.iter().copied()) {
                hint if hint.is_empty() => format!(", expected one of {}", self.known.join(", ")),
                hint => hint,
            };
            self.context
                .error(key.at, format!("unknown key `{}`{hint}", key.name));
        }
    }
}

/// Digits only: `str::parse` would take a leading `+`.
pub(super) fn whole_number(text: &str) -> Option<u64> {
    text.bytes()
        .all(|b| b.is_ascii_digit())
        .then(|| text.parse().ok())
        .flatten()
}

fn parse_duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let unit_at = text.find(|c: char| !c.is_ascii_digit())?;
    let (count, unit) = text.split_at(unit_at);
    let millis_each = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60 * 1000,
        "h" => 3600 * 1000,
        "d" => 24 * 3600 * 1000,
        _ => return None,
    };
    let millis = whole_number(count)?.checked_mul(millis_each)?;
    // Clocks must be able to add it: no more than about a century.
    (millis <= 36_500 * 24 * 3600 * 1000).then(|| Duration::from_millis(millis))
}

fn parse_bytes(text: &str) -> Option<u64> {
    let text = text.replace('_', "");
    let unit_at = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (count, unit) = text.split_at(unit_at);
    let each = match unit {
        "" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    whole_number(count)?.checked_mul(each)
}

/// `, did you mean …?` where one of the candidates is near, else nothing.
pub(super) fn did_you_mean<'c>(
    word: &str,
    candidates: impl IntoIterator<Item = &'c str>,
) -> String {
    candidates
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.chars().count() / 2).clamp(1, 2))
        .min_by_key(|(distance, _)| *distance)
        .map_or_else(String::new, |(_, candidate)| {
            format!(", did you mean `{candidate}`?")
        })
}

/// Levenshtein's edit distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, millis) in [
            ("0", 0),
            ("0s", 0),
            ("100ms", 100),
            ("5s", 5000),
            ("10m", 600_000),
            ("1h", 3_600_000),
            ("2d", 172_800_000),
        ] {
            assert_eq!(
                parse_duration(text),
                Some(Duration::from_millis(millis)),
                "{text}"
            );
        }
        for text in [
            "",
            "5",
            "s",
            "-5s",
            "5 s",
            "1.5s",
            "1h30m",
            "5S",
            "99999999999999999999s",
            "18446744073709551615d",
        ] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("0", 0),
            ("65_536", 65_536),
            ("64KiB", 65_536),
            ("16MiB", 16 << 20),
            ("1GiB", 1 << 30),
        ] {
            assert_eq!(parse_bytes(text), Some(bytes), "{text}");
        }
        for text in [
            "",
            "MiB",
            "-1",
            "1.5MiB",
            "1 MiB",
            "1MB",
            "1kib",
            "99999999999GiB",
        ] {
            assert_eq!(parse_bytes(text), None, "{text}");
        }
    }

    #[test]
    fn suggestions() {
        assert_eq!(
            did_you_mean("shrads", ["shards", "pool"]),
            ", did you mean `shards`?"
        );
        assert_eq!(
            did_you_mean("sizes", ["size", "min"]),
            ", did you mean `size`?"
        );
        assert_eq!(did_you_mean("frobnicate", ["size", "min"]), "");
    }
}
