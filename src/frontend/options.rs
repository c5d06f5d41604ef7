//! What a startup packet sets for the session.

use crate::error::{PgError, SqlState, named};
use crate::session::{Failure, Settings};
use crate::wire::Startup;

/// What the startup packet sets for the session.
///
/// Errors: parameters whose effect the proxy could not keep true.
pub(super) fn session_settings(startup: &Startup) -> Result<Settings, Failure> {
    let mut own: Vec<(String, String)> = Vec::new();
    let mut settings: Vec<(String, String)> = Vec::new();
    for (name, value) in &startup.parameters {
        match name.to_ascii_lowercase().as_str() {
            "options" => settings.extend(command_line(value)?),
            "replication" if matches!(value.as_str(), "false" | "off" | "no" | "0") => {}
            _ if name.starts_with("_pq_.") => {}
            // Which one came last is not known any more.
            lower
                if own
                    .iter()
                    .any(|(other, _)| other.eq_ignore_ascii_case(lower)) =>
            {
                return Err(refused(name, value, "it is given in two spellings"));
            }
            _ => own.push((name.clone(), value.clone())),
        }
    }
    // A parameter of its own overrides one in `options`.
    // Source: `process_startup_options` in `src/backend/utils/init/postinit.c`.
    settings.append(&mut own);
    for (name, value) in &settings {
        admit_setting(name, value)?;
    }
    settings.retain(|(name, value)| !is_unconverted(name, value));
    let parameters = settings.iter();
    Settings::from_startup(parameters.map(|(name, value)| (name.as_str(), value.as_str())))
        .map_err(|error| Failure::Fatal(error.fatal()))
}

/// What SET may and the startup packet may not; what both may not is the planner's
/// ([`crate::planner::check_setting`]).
fn admit_setting(name: &str, value: &str) -> Result<(), Failure> {
    match name.to_ascii_lowercase().as_str() {
        "replication" => Err(refused(
            name,
            value,
            "replication does not pass through the proxy",
        )),
        "role" | "session_authorization" => {
            Err(refused(name, value, "connect as that user instead"))
        }
        _ => Ok(()),
    }
}

fn refused(name: &str, value: &str, why: &str) -> Failure {
    Failure::Fatal(PgError::refusal(
        format!(
            "startup parameter \"{}\" = \"{}\": {why}",
            named(name),
            named(value)
        ),
        "Leave the parameter out of the connection string.",
    ))
}

/// True of a client that takes bytes as they come, as libpq's do under `LANG=C`. To it a server with a UTF-8
/// database sends the same bytes, and takes the same, as to one that says UTF8, which its connections stay.
fn is_unconverted(name: &str, value: &str) -> bool {
    // PostgreSQL compares encoding names without punctuation.
    let plain: String = value.chars().filter(char::is_ascii_alphanumeric).collect();
    name.eq_ignore_ascii_case("client_encoding") && plain.eq_ignore_ascii_case("sqlascii")
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
    fn what_set_is_refused_for_is_refused_at_the_start() {
        let started = |parameters: &[(&str, &str)]| {
            let parameters = parameters.iter();
            session_settings(&Startup {
                parameters: parameters
                    .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                    .collect(),
                minor: 0,
                user: "app".to_owned(),
                database: "app".to_owned(),
            })
        };
        let code = |parameters: &[(&str, &str)]| match started(parameters) {
            Err(Failure::Fatal(error)) => error.code,
            other => panic!("{parameters:?}: {other:?}"),
        };
        for (name, value) in [
            ("options", "-c transform_null_equals=on"),
            ("Transform_Null_Equals", "1"),
            ("search_path", "pg_temp, public"),
            ("options", "-c Search_Path=public,\"pg_temp_3\""),
            ("standard_conforming_strings", "off"),
            ("options", "--session-authorization=other"),
            ("role", "other"),
        ] {
            assert_eq!(
                code(&[(name, value)]),
                SqlState::FEATURE_NOT_SUPPORTED,
                "{name}={value}"
            );
        }
        assert_eq!(
            code(&[("TimeZone", "UTC"), ("timezone", "Asia/Tokyo")]),
            SqlState::FEATURE_NOT_SUPPORTED
        );
        for path in ["public,", "a b", "\"a", ",", "\"a\"b"] {
            assert_eq!(
                code(&[("search_path", path)]),
                SqlState::INVALID_PARAMETER_VALUE,
                "{path}"
            );
        }
        let path = |parameters: &[(&str, &str)]| {
            let settings = started(parameters).expect("admitted");
            settings.search_path().map(|path| path.join("+"))
        };
        assert_eq!(
            path(&[("search_path", "\"A,b\", Public")]).as_deref(),
            Some("A,b+public")
        );
        // The names come in this order, and the parameter of its own counts all the same.
        assert_eq!(
            path(&[("Search_Path", "own"), ("options", "-c search_path=a")]).as_deref(),
            Some("own")
        );
        assert_eq!(
            path(&[("search_path", "own"), ("options", "-c search_path=a")]).as_deref(),
            Some("own")
        );
        started(&[("transform_null_equals", "off")]).expect("admitted");
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
