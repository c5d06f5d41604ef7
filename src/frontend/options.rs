//! What a startup packet sets for the session.

use crate::error::{PgError, SqlState, named};
use crate::session::{Failure, Settings};
use crate::wire::Startup;

/// What the startup packet sets for the session.
///
/// Errors: parameters whose effect the proxy could not keep true.
pub(super) fn session_settings(startup: &Startup) -> Result<Settings, Failure> {
    let mut settings: Vec<(String, String)> = Vec::new();
    for (name, value) in &startup.parameters {
        match name.to_ascii_lowercase().as_str() {
            "options" => settings.extend(command_line(value)?),
            "replication" if matches!(value.as_str(), "false" | "off" | "no" | "0") => {}
            _ if name.starts_with("_pq_.") => {}
            _ => settings.push((name.clone(), value.clone())),
        }
    }
    for (name, value) in &settings {
        admit_setting(name, value)?;
    }
    settings.retain(|(name, value)| !is_unconverted(name, value));
    Ok(Settings::from_startup(
        settings
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str())),
    ))
}

fn admit_setting(name: &str, value: &str) -> Result<(), Failure> {
    let refuse = |why: &str| {
        Err(Failure::Fatal(PgError::refusal(
            format!(
                "startup parameter \"{}\" = \"{}\": {why}",
                named(name),
                named(value)
            ),
            "Leave the parameter out of the connection string.",
        )))
    };
    match name.to_ascii_lowercase().as_str() {
        "replication" => refuse("replication does not pass through the proxy"),
        "role" | "session_authorization" => refuse("connect as that user instead"),
        "standard_conforming_strings" if !matches!(value, "on" | "true" | "yes" | "1") => {
            refuse("statements are read with standard strings")
        }
        "client_encoding" => match encoding(value).as_str() {
            "utf8" | "unicode" | "sqlascii" => Ok(()),
            _ => refuse("statements are read as UTF-8"),
        },
        _ => Ok(()),
    }
}

/// True of a client that takes bytes as they come, as libpq's do under `LANG=C`. To it a server with a UTF-8
/// database sends the same bytes, and takes the same, as to one that says UTF8, which its connections stay.
fn is_unconverted(name: &str, value: &str) -> bool {
    name.eq_ignore_ascii_case("client_encoding") && encoding(value) == "sqlascii"
}

/// PostgreSQL compares encoding names without punctuation.
fn encoding(name: &str) -> String {
    let plain = name.chars().filter(char::is_ascii_alphanumeric);
    plain.map(|c| c.to_ascii_lowercase()).collect()
}

/// `-c name=value` and `--name=value`, as libpq's `options` brings them; blanks escaped by backslash.
/// Source: <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNECT-OPTIONS>
fn command_line(options: &str) -> Result<Vec<(String, String)>, Failure> {
    let mut words: Vec<String> = vec![String::new()];
    let mut chars = options.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => words.last_mut().expect("never empty").extend(chars.next()),
            c if c.is_ascii_whitespace() => words.push(String::new()),
            c => words.last_mut().expect("never empty").push(c),
        }
    }
    let mut words = words.into_iter().filter(|word| !word.is_empty());
    let mut settings = Vec::new();
    while let Some(word) = words.next() {
        let assignment = if word == "-c" {
            words.next()
        } else {
            word.strip_prefix("--")
                .or_else(|| word.strip_prefix("-c"))
                .map(str::to_owned)
        };
        let Some((name, value)) = assignment.as_deref().and_then(|a| a.split_once('=')) else {
            return Err(Failure::Fatal(PgError::client(
                SqlState::INVALID_PARAMETER_VALUE,
                format!(
                    "startup parameter \"options\": \"{}\" is not understood; use -c name=value",
                    named(&word)
                ),
            )));
        };
        settings.push((name.replace('-', "_"), value.to_owned()));
    }
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoding_without_conversion_sets_nothing() {
        let replayed = |name: &str, value: &str| {
            let startup = Startup {
                parameters: [(name.to_owned(), value.to_owned())].into(),
                minor: 0,
                user: "app".to_owned(),
                database: "app".to_owned(),
            };
            session_settings(&startup)
                .ok()
                .map(|settings| settings.replay())
        };
        for (name, value) in [
            ("client_encoding", "SQL_ASCII"),
            ("Client_Encoding", "sql-ascii"),
            ("options", "-c client_encoding=SQL_ASCII"),
        ] {
            assert_eq!(replayed(name, value).as_deref(), Some(""), "{name}={value}");
        }
        assert_ne!(replayed("client_encoding", "UTF8").as_deref(), Some(""));
        assert_eq!(replayed("client_encoding", "LATIN1"), None);
    }

    #[test]
    fn options_are_read_as_libpq_writes_them() {
        let read = |text| command_line(text).ok();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(read("-c geqo=off"), Some(vec![pair("geqo", "off")]));
        assert_eq!(
            read("-csearch_path=a,b --statement-timeout=5s"),
            Some(vec![
                pair("search_path", "a,b"),
                pair("statement_timeout", "5s")
            ])
        );
        assert_eq!(
            read(r"-c application_name=a\ b"),
            Some(vec![pair("application_name", "a b")])
        );
        assert_eq!(read("-d"), None);
        assert_eq!(read("-c"), None);
        assert_eq!(read(""), Some(vec![]));
    }
}
