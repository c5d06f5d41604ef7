//! Statements about the session or the transaction, read by token: cheap, and exact.

use super::cursor::Cursor;
use super::hint;
use super::names::is_temporary;
use crate::error::{PgError, SqlState};
use crate::plan::{Control, Setting};
use crate::sql::Kind;

/// `None` where the statement is not about session or transaction.
pub(super) fn control(mut at: Cursor<'_>, pooled: bool) -> Result<Option<Control>, PgError> {
    let Some(first) = at.rest.first() else {
        return Ok(Some(Control::Empty));
    };
    if first.kind != Kind::Word {
        return Ok(None);
    }
    at.rest = &at.rest[1..];
    let control = match &*first.value {
        "begin" => {
            let _ = at.take_any(&["work", "transaction"]);
            begin(&mut at)?
        }
        "start" => {
            at.expect("transaction")?;
            begin(&mut at)?
        }
        "commit" | "end" => {
            refuse_prepared(&mut at, "COMMIT PREPARED")?;
            let _ = at.take_any(&["work", "transaction"]);
            Control::Commit {
                chain: chain(&mut at)?,
            }
        }
        "rollback" | "abort" => rollback(&mut at)?,
        "prepare" if at.take("transaction") => return Err(prepared("PREPARE TRANSACTION")),
        "savepoint" => Control::Savepoint { name: at.name()? },
        "release" => {
            let _ = at.rest.len() > 1 && at.take("savepoint");
            Control::Release { name: at.name()? }
        }
        "set" => return set(at),
        "show" => return show(at),
        "reset" => reset(&mut at)?,
        "discard" => match discard(&mut at, pooled)? {
            Some(control) => control,
            None => return Ok(None),
        },
        "deallocate" => {
            let _ = at.rest.len() > 1 && at.take("prepare");
            Control::Deallocate {
                name: if at.take("all") {
                    None
                } else {
                    Some(at.name()?)
                },
            }
        }
        _ => return Ok(None),
    };
    at.end()?;
    Ok(Some(control))
}

fn prepared(what: &str) -> PgError {
    PgError::refusal(
        format!("{what} is not supported: Trunkline prepares transactions itself"),
        "let COMMIT decide, or connect to the shard directly",
    )
}

fn refuse_prepared(at: &mut Cursor<'_>, what: &str) -> Result<(), PgError> {
    if at.take("prepared") {
        Err(prepared(what))
    } else {
        Ok(())
    }
}

fn rollback(at: &mut Cursor<'_>) -> Result<Control, PgError> {
    refuse_prepared(at, "ROLLBACK PREPARED")?;
    let _ = at.take_any(&["work", "transaction"]);
    if at.take("to") {
        let _ = at.rest.len() > 1 && at.take("savepoint");
        return Ok(Control::RollbackTo { name: at.name()? });
    }
    Ok(Control::Rollback { chain: chain(at)? })
}

fn chain(at: &mut Cursor<'_>) -> Result<bool, PgError> {
    if at.take_all(&["and", "no", "chain"]) {
        return Ok(false);
    }
    Ok(at.take_all(&["and", "chain"]))
}

/// Modes are printed from what was understood, so that a BEGIN sent later cannot fail.
fn begin(at: &mut Cursor<'_>) -> Result<Control, PgError> {
    let modes = modes(at)?;
    let text = if modes.is_empty() {
        "BEGIN".to_owned()
    } else {
        format!("BEGIN {}", modes.join(", "))
    };
    Ok(Control::Begin { text })
}

fn modes(at: &mut Cursor<'_>) -> Result<Vec<&'static str>, PgError> {
    const MODES: [(&[&str], &str); 8] = [
        (
            &["isolation", "level", "read", "committed"],
            "ISOLATION LEVEL READ COMMITTED",
        ),
        (
            &["isolation", "level", "read", "uncommitted"],
            "ISOLATION LEVEL READ UNCOMMITTED",
        ),
        (
            &["isolation", "level", "repeatable", "read"],
            "ISOLATION LEVEL REPEATABLE READ",
        ),
        (
            &["isolation", "level", "serializable"],
            "ISOLATION LEVEL SERIALIZABLE",
        ),
        (&["read", "only"], "READ ONLY"),
        (&["read", "write"], "READ WRITE"),
        (&["not", "deferrable"], "NOT DEFERRABLE"),
        (&["deferrable"], "DEFERRABLE"),
    ];
    let mut modes = Vec::new();
    while !at.rest.is_empty() {
        let comma = !modes.is_empty() && at.take_op(",");
        match MODES.iter().find(|(words, _)| at.take_all(words)) {
            // Given twice, the last counts; PostgreSQL calls some such pairs errors, which it may say itself.
            Some((_, text)) => modes.push(*text),
            None => {
                let _ = comma;
                return Err(at.syntax_error());
            }
        }
    }
    Ok(modes)
}

fn set(mut at: Cursor<'_>) -> Result<Option<Control>, PgError> {
    let mut scoped = at;
    let local = match scoped.peek_word() {
        // `SET local TO 1` and `SET session.x = 1` are settings of such names.
        Some("local" | "session") if !names_a_setting(&scoped) => {
            let local = scoped.take("local");
            let _ = scoped.take("session");
            at = scoped;
            local
        }
        _ => false,
    };
    if at.take("transaction") {
        if at.take("snapshot") {
            return Err(PgError::refusal(
                "SET TRANSACTION SNAPSHOT is not supported: a snapshot belongs to one server",
                "connect to the shard directly",
            ));
        }
        if modes(&mut at)?.is_empty() {
            return Err(at.syntax_error());
        }
        return Ok(Some(Control::SetTransaction));
    }
    if at.take_all(&["characteristics", "as", "transaction"]) {
        return Err(PgError::refusal(
            "SET SESSION CHARACTERISTICS is not supported",
            "set default_transaction_isolation, default_transaction_read_only or default_transaction_deferrable",
        ));
    }
    if at.take("authorization") {
        return Err(session_authorization());
    }
    if at.take("constraints") {
        return Ok(None);
    }
    let setting = setting(&mut at)?;
    at.end()?;
    if matches!(
        &*setting.name,
        "transaction_isolation" | "transaction_read_only" | "transaction_deferrable"
    ) {
        return Ok(Some(Control::SetTransaction));
    }
    check_setting(&setting)?;
    Ok(Some(Control::Set { setting, local }))
}

fn names_a_setting(at: &Cursor<'_>) -> bool {
    at.rest
        .get(1)
        .is_some_and(|next| next.is_op("=") || next.is_op(".") || next.is_word("to"))
}

fn setting(at: &mut Cursor<'_>) -> Result<Setting, PgError> {
    let named = |name: &str, value: Option<String>| Setting {
        name: name.to_owned(),
        values: value.map(|v| vec![v]),
    };
    if at.take_all(&["time", "zone"]) {
        if at.take_any(&["local", "default"]) {
            return Ok(named("timezone", None));
        }
        if at.take("interval") {
            return Err(PgError::refusal(
                "SET TIME ZONE INTERVAL is not supported",
                "name the time zone, or give its offset in hours",
            ));
        }
        return Ok(named("timezone", Some(value(at)?)));
    }
    if at.take("names") {
        let values = if at.rest.is_empty() || at.take("default") {
            None
        } else {
            Some(vec![value(at)?])
        };
        return Ok(Setting {
            name: "client_encoding".to_owned(),
            values,
        });
    }
    if at.take("schema") {
        return Ok(named("search_path", Some(value(at)?)));
    }
    if at.take_all(&["xml", "option"]) {
        return Ok(named("xmloption", Some(value(at)?)));
    }
    if at.peek_word() == Some("role") && !names_a_setting(at) {
        let _ = at.take("role");
        return Ok(named("role", Some(value(at)?)));
    }
    let name = at.setting_name()?;
    if !at.take("to") && !at.take_op("=") {
        return Err(at.syntax_error());
    }
    if at.rest.len() == 1 && at.take("default") {
        return Ok(Setting { name, values: None });
    }
    let mut values = vec![value(at)?];
    while at.take_op(",") {
        values.push(value(at)?);
    }
    Ok(Setting {
        name,
        values: Some(values),
    })
}

/// A word, string or number, perhaps negative.
fn value(at: &mut Cursor<'_>) -> Result<String, PgError> {
    let sign = if at.take_op("-") { "-" } else { "" };
    let _ = sign.is_empty() && at.take_op("+");
    let Some(token) = at.rest.first() else {
        return Err(at.syntax_error());
    };
    match token.kind {
        Kind::Number => {}
        Kind::String | Kind::Word | Kind::Quoted if sign.is_empty() => {}
        _ => return Err(at.syntax_error()),
    }
    at.rest = &at.rest[1..];
    Ok(format!("{sign}{}", token.value))
}

/// Settings that would change how text is read, or that the proxy keeps for itself, wherever they come from.
///
/// Errors: 0A000 for those that are refused; 42704 for an unknown name of our own.
pub fn check_setting(setting: &Setting) -> Result<(), PgError> {
    let invalid = |message: &str, hint: &str| Err(PgError::refusal(message, hint));
    let values = setting.values.as_deref().unwrap_or_default();
    let is_on = |value: &String| {
        matches!(
            &*value.to_ascii_lowercase(),
            "on" | "true" | "yes" | "1" | "t" | "y"
        )
    };
    let is_off = |value: &String| {
        matches!(
            &*value.to_ascii_lowercase(),
            "off" | "false" | "no" | "0" | "f" | "n"
        )
    };
    match &*setting.name {
        name if hint::is_own_setting(name) => hint::check_own_name(name),
        "standard_conforming_strings" if !values.iter().all(is_on) => invalid(
            "standard_conforming_strings = off is not supported: Trunkline would read strings otherwise than the server",
            "write escapes as E'…'",
        ),
        "client_encoding" if !values.iter().all(|value| is_utf8(value)) => invalid(
            "only the client encoding UTF8 is supported: sharding keys are hashed by their UTF-8 bytes",
            "SET client_encoding TO 'UTF8'",
        ),
        "transform_null_equals" if !values.iter().all(is_off) => invalid(
            "transform_null_equals is not supported: a key = NULL would mean IS NULL",
            "write IS NULL",
        ),
        "search_path" => check_temporary(values),
        "session_authorization" => Err(session_authorization()),
        _ => Ok(()),
    }
}

/// What is created goes into the first schema of the path that exists and that the role may use, which may be
/// `pg_temp` wherever it stands: such a table would stay on one server connection and hide that of another client,
/// and such a type would come before those of `pg_catalog`.
/// Source: <https://www.postgresql.org/docs/current/runtime-config-client.html#GUC-SEARCH-PATH>
pub(super) fn check_temporary(path: &[String]) -> Result<(), PgError> {
    if !path.iter().any(|schema| is_temporary(schema)) {
        return Ok(());
    }
    Err(PgError::refusal(
        "a search_path with pg_temp is not supported: what is created might be temporary",
        "SET search_path without pg_temp; where a role or a database has it, ALTER ROLE or ALTER DATABASE on the servers",
    ))
}

/// PostgreSQL compares encoding names without punctuation.
fn is_utf8(name: &str) -> bool {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    matches!(&*plain.to_ascii_lowercase(), "utf8" | "unicode")
}

fn session_authorization() -> PgError {
    PgError::client(
        SqlState::FEATURE_NOT_SUPPORTED,
        "SET SESSION AUTHORIZATION is not supported: server connections are shared by user",
    )
    .with_hint("use SET ROLE, or connect as that user")
}

fn reset(at: &mut Cursor<'_>) -> Result<Control, PgError> {
    if at.take("all") {
        return Ok(Control::Reset { name: None });
    }
    if at.take_all(&["time", "zone"]) {
        return Ok(Control::Reset {
            name: Some("timezone".to_owned()),
        });
    }
    if at.take_all(&["transaction", "isolation", "level"]) {
        return Ok(Control::SetTransaction);
    }
    if at.take_all(&["session", "authorization"]) {
        return Err(session_authorization());
    }
    let name = at.setting_name()?;
    hint::check_own_name(&name)?;
    Ok(Control::Reset { name: Some(name) })
}

/// SHOW of what no server knows.
fn show(mut at: Cursor<'_>) -> Result<Option<Control>, PgError> {
    let name = match at.setting_name() {
        Ok(name) if hint::is_own_setting(&name) => name,
        _ => return Ok(None),
    };
    hint::check_own_name(&name)?;
    at.end()?;
    Ok(Some(Control::Show { name }))
}

/// DISCARD of less than all concerns one server connection: `None` where that one is the session's own.
fn discard(at: &mut Cursor<'_>, pooled: bool) -> Result<Option<Control>, PgError> {
    if at.take("all") {
        return Ok(Some(Control::DiscardAll));
    }
    let Some(what @ ("plans" | "sequences" | "temp" | "temporary")) = at.peek_word() else {
        return Err(at.syntax_error());
    };
    if pooled {
        return Err(PgError::refusal(
            format!(
                "DISCARD {} is not supported in transaction pooling",
                what.to_ascii_uppercase()
            ),
            "use DISCARD ALL",
        ));
    }
    Ok(None)
}
