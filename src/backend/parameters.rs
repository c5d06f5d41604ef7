//! What a server last reported of its settings.

/// Setting names and values as ParameterStatus reported them, in the order of first mention. Servers
/// report about fifteen, so a list is searched faster than a map.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameters {
    entries: Vec<(String, String)>,
    /// Of names and values together.
    bytes: usize,
}

/// Why a server's report of its settings ends the use of its connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParameterError {
    #[error("malformed ParameterStatus")]
    Malformed,
    #[error("settings without end")]
    TooMany,
    #[error("{0}")]
    Unusable(String),
}

const REQUIRED: [(&str, &str, &str); 4] = [
    (
        "server_encoding",
        "UTF8",
        "the database's encoding must be UTF8",
    ),
    ("client_encoding", "UTF8", "it does not speak UTF8"),
    (
        "standard_conforming_strings",
        "on",
        "standard_conforming_strings must be on (a setting of the role, the database or the server)",
    ),
    ("integer_datetimes", "on", "integer_datetimes must be on"),
];

impl Parameters {
    pub fn get(&self, name: &str) -> Option<&str> {
        // PostgreSQL reports `TimeZone` and `DateStyle`; names compare without case, as in SET.
        let found = self
            .entries
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// Takes the body of a ParameterStatus message.
    pub fn update(&mut self, body: &[u8]) -> Result<(), ParameterError> {
        let (name, rest) = cstr(body).ok_or(ParameterError::Malformed)?;
        let (value, rest) = cstr(rest).ok_or(ParameterError::Malformed)?;
        if !rest.is_empty() {
            return Err(ParameterError::Malformed);
        }
        self.set(name, value)
    }

    /// As `update`, of a connection that is in use: it must stay one whose statements we can read.
    pub fn take_in(&mut self, body: &[u8]) -> Result<(), ParameterError> {
        self.update(body)?;
        self.check().map_err(ParameterError::Unusable)
    }

    /// Planning reads statements as UTF-8 with standard strings; a server that reads them otherwise would
    /// see other literals than the planner saw. What a server does not report cannot be relied on.
    ///
    /// Errors: why the connection cannot be used.
    pub fn check(&self) -> Result<(), String> {
        for (name, value, reason) in REQUIRED {
            match self.get(name) {
                Some(reported) if reported == value => {}
                Some(reported) => {
                    let reported: String = reported.chars().take(SHOWN_CHARS_MAX).collect();
                    return Err(format!("{name} is {reported}: {reason}"));
                }
                None => return Err(format!("it does not report {name}: {reason}")),
            }
        }
        Ok(())
    }

    /// Remembers a value; a server that invents ever new names is not followed beyond a limit.
    fn set(&mut self, name: &str, value: &str) -> Result<(), ParameterError> {
        let known = self
            .entries
            .iter()
            .position(|(known, _)| known.eq_ignore_ascii_case(name));
        let freed = known.map_or(0, |at| self.entries[at].1.len() + name.len());
        let bytes = self.bytes - freed + name.len() + value.len();
        if bytes > PARAMETERS_BYTES_MAX || (known.is_none() && self.entries.len() >= PARAMETERS_MAX)
        {
            return Err(ParameterError::TooMany);
        }
        self.bytes = bytes;
        match known {
            Some(at) => value.clone_into(&mut self.entries[at].1),
            None => self.entries.push((name.to_owned(), value.to_owned())),
        }
        Ok(())
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// The zero-ended UTF-8 string at the start of `bytes`, and what follows it.
pub(super) fn cstr(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let end = bytes.iter().position(|byte| *byte == 0)?;
    Some((std::str::from_utf8(&bytes[..end]).ok()?, &bytes[end + 1..]))
}

const PARAMETERS_MAX: usize = 100;
/// PostgreSQL's come to about four hundred bytes; `search_path`, which later versions report, may be long.
const PARAMETERS_BYTES_MAX: usize = 64 * 1024;
/// Of a value in an error.
const SHOWN_CHARS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remembers_the_last_value_within_its_limit() {
        let mut parameters = Parameters::default();
        assert_eq!(parameters.update(b"TimeZone\0UTC\0"), Ok(()));
        assert_eq!(parameters.update(b"TimeZone\0CET\0"), Ok(()));
        assert_eq!(parameters.get("timezone"), Some("CET"));
        assert_eq!(parameters.iter().count(), 1);
        for broken in [&b""[..], b"a", b"a\0", b"a\0b", b"a\0b\0c", b"\xff\0b\0"] {
            assert_eq!(parameters.update(broken), Err(ParameterError::Malformed));
        }
        let refused = (0..1000).find(|number| {
            let body = format!("x{number}\0\0");
            parameters.update(body.as_bytes()) == Err(ParameterError::TooMany)
        });
        assert_eq!(refused, Some(PARAMETERS_MAX - 1));
        for _ in 0..3 {
            let long = format!("x1\0{}\0", "y".repeat(PARAMETERS_BYTES_MAX / 2));
            assert_eq!(
                parameters.update(long.as_bytes()),
                Ok(()),
                "it replaces itself"
            );
        }
        let long = format!("x2\0{}\0", "y".repeat(PARAMETERS_BYTES_MAX / 2));
        assert_eq!(
            parameters.update(long.as_bytes()),
            Err(ParameterError::TooMany)
        );
    }

    #[test]
    fn what_statements_are_read_by_must_stay() {
        let mut parameters = Parameters::default();
        for (name, value, _) in REQUIRED {
            assert!(parameters.check().is_err(), "without {name}");
            parameters.set(name, value).expect("few");
        }
        assert_eq!(parameters.take_in(b"TimeZone\0UTC\0"), Ok(()));
        for body in [
            &b"client_encoding\0LATIN1\0"[..],
            b"standard_conforming_strings\0off\0",
        ] {
            let refused = parameters.clone().take_in(body);
            assert!(
                matches!(refused, Err(ParameterError::Unusable(_))),
                "{refused:?}"
            );
        }
    }
}
