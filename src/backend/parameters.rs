//! What a server last reported of its settings.

/// Setting names and values as ParameterStatus reported them, in the order of first mention. Servers
/// report about fifteen, so a list is searched faster than a map.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameters {
    entries: Vec<(String, String)>,
}

impl Parameters {
    pub fn get(&self, name: &str) -> Option<&str> {
        // PostgreSQL reports `TimeZone` and `DateStyle`; names compare without case, as in SET.
        let found = self
            .entries
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// Remembers a value; a server that invents ever new names is not followed beyond a limit.
    pub fn set(&mut self, name: &str, value: &str) {
        let has_room = self.entries.len() < PARAMETERS_MAX;
        match self
            .entries
            .iter_mut()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
        {
            Some((_, known)) if known == value => {}
            Some((_, known)) => value.clone_into(known),
            None if has_room => self.entries.push((name.to_owned(), value.to_owned())),
            None => {}
        }
    }

    /// Takes the body of a ParameterStatus message; `None` if it is malformed.
    pub fn update(&mut self, body: &[u8]) -> Option<()> {
        let (name, rest) = cstr(body)?;
        let (value, rest) = cstr(rest)?;
        rest.is_empty().then(|| self.set(name, value))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remembers_the_last_value_within_its_limit() {
        let mut parameters = Parameters::default();
        assert_eq!(parameters.update(b"TimeZone\0UTC\0"), Some(()));
        assert_eq!(parameters.update(b"TimeZone\0CET\0"), Some(()));
        assert_eq!(parameters.get("timezone"), Some("CET"));
        assert_eq!(parameters.iter().count(), 1);
        for broken in [&b""[..], b"a", b"a\0", b"a\0b", b"a\0b\0c", b"\xff\0b\0"] {
            assert_eq!(parameters.update(broken), None);
        }
        for number in 0..1000 {
            parameters.set(&format!("x{number}"), "");
        }
        assert_eq!(parameters.iter().count(), PARAMETERS_MAX);
    }
}
