//! Functions by name: those that read tables behind our back, keep state on a connection, or answer for
//! one server only. Found by token: a name before a parenthesis.

use std::cell::OnceCell;
use std::collections::HashMap;

use super::names::Names;
use super::{Context, Function};
use crate::error::PgError;
use crate::plan::Setting;
use crate::shardmap::TableName;
use crate::sql::tree::Name;
use crate::sql::{Kind, Token};

/// Arguments are read up to this many tokens.
const ARGUMENT_TOKENS_MAX: usize = 256;
/// A longer string is no name of a table: PostgreSQL cuts each part at 63 bytes.
const REGCLASS_BYTES_MAX: usize = 1024;

/// What the functions of a statement ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Calls {
    /// A function whose state or answer belongs to the default shard.
    pub(super) on_default: Option<String>,
    /// A function that only asks a catalog, which is read on the default shard.
    pub(super) asks_catalog: Option<String>,
    /// `set_config`, whose setting stays with the transaction.
    pub(super) sets: bool,
    /// The first function in SQL whose body is known.
    pub(super) in_sql: Option<String>,
    /// How many calls there are of such functions; by the names [`Names::is_sql_function`] knows.
    pub(super) in_sql_count: usize,
}

/// Looks at every call in a sharded database.
pub(super) fn check(
    tokens: &[Token<'_>],
    names: &Names<'_>,
    context: &Context<'_>,
) -> Result<Calls, PgError> {
    let mut calls = Calls::default();
    let user_defined = UserDefined::new(context);
    for call in calls_of(tokens) {
        if runs_sql(&call.name) {
            return Err(PgError::refusal(
                format!(
                    "function {} runs SQL or reads tables named in a string, which Trunkline cannot route",
                    call.name
                ),
                "run that SQL as a statement of its own",
            ));
        }
        match user_defined.find(&call) {
            Some(Function::Opaque(reason)) => {
                return Err(PgError::refusal(
                    format!(
                        "function {} {reason} and might read or write any table",
                        call.name
                    ),
                    "write its statements out, or call it on the shard directly",
                ));
            }
            Some(Function::Sql(_)) => {
                calls.in_sql_count += 1;
                calls.in_sql.get_or_insert_with(|| call.name.clone());
            }
            None => {}
        }
        if measures(&call.name) {
            if call
                .arguments()
                .is_none_or(|arguments| arguments.iter().any(|token| names_listed(token, names)))
            {
                return Err(PgError::refusal(
                    format!(
                        "function {} would answer for one shard's part of the table",
                        call.name
                    ),
                    "ask each shard directly",
                ));
            }
            calls.on_default = Some(call.name.clone());
        }
        calls.sets |= call.name == "set_config";
        if on_default(&call.name) {
            calls.on_default = Some(call.name.clone());
        } else if asks_catalog(&call.name) {
            calls.asks_catalog.get_or_insert_with(|| call.name.clone());
        }
    }
    match row_call(tokens, context) {
        None => Ok(calls),
        Some(name) => Err(PgError::refusal(
            format!("{name} may be a call of the user-defined function of that name"),
            "write the column without its relation, or rename one of the two",
        )),
    }
}

/// `m.f` calls `f(m)` where the relation has no such column.
fn row_call<'t>(tokens: &'t [Token<'_>], context: &Context<'_>) -> Option<&'t str> {
    let names = &context.schema.row_functions;
    if names.is_empty() {
        return None;
    }
    let called = |(at, pair): (usize, &'t [Token<'_>])| {
        let calls = pair[0].is_op(".")
            && pair[1].is_name()
            && names.contains(&*pair[1].value)
            && !tokens.get(at + 2).is_some_and(|next| next.is_op("("));
        calls.then_some(&*pair[1].value)
    };
    tokens.windows(2).enumerate().find_map(called)
}

/// Calls that leave state on a server connection; looked at in every database. True where one leaves a
/// setting behind that changes no answer.
pub(super) fn check_session_state(tokens: &[Token<'_>], pooled: bool) -> Result<bool, PgError> {
    let mut unsettles = false;
    for call in calls_of(tokens) {
        if pooled && locks_session(&call.name) {
            return Err(PgError::refusal(
                format!(
                    "{} is not supported in transaction pooling: the lock would stay on a shared connection",
                    call.name
                ),
                "use pg_advisory_xact_lock within a transaction, or a pool in session mode",
            ));
        }
        // What another client's nextval left on the connection would be the answer.
        if pooled && matches!(&*call.name, "currval" | "lastval") {
            return Err(PgError::refusal(
                format!(
                    "{} is not supported in transaction pooling: sequences remember their last value by connection",
                    call.name
                ),
                "use INSERT … RETURNING or the result of nextval, or a pool in session mode",
            ));
        }
        if call.name == "set_config" {
            unsettles |= check_set_config(call.arguments().unwrap_or_default())?;
        }
    }
    Ok(unsettles)
}

/// True where a built-in function is called that answers for one server, or does more than answer.
pub(super) fn look_around(tokens: &[Token<'_>]) -> bool {
    calls_of(tokens).any(|call| {
        let name = &*call.name;
        name == "set_config"
            || runs_sql(name)
            || measures(name)
            || on_default(name)
            || asks_catalog(name)
            || locks_session(name)
    })
}

struct Call<'t> {
    schema: Option<String>,
    name: String,
    /// What comes after the opening parenthesis.
    rest: &'t [Token<'t>],
}

impl<'t> Call<'t> {
    /// The tokens between the parentheses, unless there are very many: that keeps looking at nested calls
    /// from costing the square of the statement's length.
    fn arguments(&self) -> Option<&'t [Token<'t>]> {
        let mut depth = 0usize;
        for (at, token) in self.rest.iter().enumerate().take(ARGUMENT_TOKENS_MAX) {
            if token.is_op("(") {
                depth += 1;
            } else if token.is_op(")") {
                if depth == 0 {
                    return Some(&self.rest[..at]);
                }
                depth -= 1;
            }
        }
        None
    }
}

fn calls_of<'t>(tokens: &'t [Token<'t>]) -> impl Iterator<Item = Call<'t>> {
    tokens.iter().enumerate().filter_map(move |(at, token)| {
        if !token.is_name() || !tokens.get(at + 1).is_some_and(|next| next.is_op("(")) {
            return None;
        }
        let qualified = at >= 2 && tokens[at - 1].is_op(".") && tokens[at - 2].is_name();
        // `INSERT INTO t (…)`: columns, or a query.
        let before = if qualified {
            at.checked_sub(3)
        } else {
            at.checked_sub(1)
        };
        if before.is_some_and(|before| tokens[before].is_word("into")) {
            return None;
        }
        let schema = qualified.then(|| tokens[at - 2].value.clone().into_owned());
        Some(Call {
            schema,
            name: token.value.clone().into_owned(),
            rest: &tokens[at + 2..],
        })
    })
}

/// The functions of the catalogs that may read or write tables.
struct UserDefined<'a> {
    functions: &'a HashMap<TableName, Function>,
    /// By their names without schema, made at the first call that has none; of several the one that is not
    /// known.
    by_name: OnceCell<HashMap<&'a str, &'a Function>>,
}

impl<'a> UserDefined<'a> {
    fn new(context: &Context<'a>) -> Self {
        Self {
            functions: &context.schema.functions,
            by_name: OnceCell::new(),
        }
    }

    fn find(&self, call: &Call<'_>) -> Option<&'a Function> {
        if let Some(schema) = &call.schema {
            return self.functions.get(&TableName {
                schema: schema.clone(),
                name: call.name.clone(),
            });
        }
        let by_name = self.by_name.get_or_init(|| {
            let mut by_name: HashMap<&str, &Function> = HashMap::new();
            for (name, function) in self.functions {
                let found = by_name.entry(&name.name).or_insert(function);
                if matches!(function, Function::Opaque(_)) {
                    *found = function;
                }
            }
            by_name
        });
        by_name.get(&*call.name).copied()
    }
}

fn runs_sql(name: &str) -> bool {
    const EXACT: &[&str] = &[
        "connectby",
        "cursor_to_xml",
        "cursor_to_xmlschema",
        "query_to_xml",
        "query_to_xml_and_xmlschema",
        "query_to_xmlschema",
        "table_to_xml",
        "table_to_xml_and_xmlschema",
        "table_to_xmlschema",
        "ts_rewrite",
        "ts_stat",
        "xpath_table",
    ];
    EXACT.contains(&name)
        || name.starts_with("crosstab")
        || name.starts_with("schema_to_xml")
        || name.starts_with("database_to_xml")
}

fn measures(name: &str) -> bool {
    matches!(
        name,
        "pg_relation_size"
            | "pg_total_relation_size"
            | "pg_table_size"
            | "pg_indexes_size"
            | "pg_relation_filepath"
            | "pg_relation_filenode"
            | "pgstattuple"
            | "pgstattuple_approx"
            | "pg_prewarm"
            | "pg_buffercache_evict_relation"
    )
}

/// `matches`, `public.matches` or `"Matches"` in a string, as `regclass` reads it.
fn names_listed(token: &Token<'_>, names: &Names<'_>) -> bool {
    if token.kind != Kind::String {
        // What a slot says is not known here.
        return matches!(token.kind, Kind::BadString | Kind::StringSlot);
    }
    // Nested calls would have it read once for each of them.
    if token.value.len() > REGCLASS_BYTES_MAX {
        return true;
    }
    // Unreadable text names nothing: `regclass` refuses it too.
    let Ok(inner) = crate::sql::tokens(&token.value) else {
        return false;
    };
    let name = match inner.as_slice() {
        [name] if name.is_name() => Name {
            schema: None,
            name: name.value.clone().into_owned(),
        },
        [schema, dot, name] if schema.is_name() && dot.is_op(".") && name.is_name() => Name {
            schema: Some(schema.value.clone().into_owned()),
            name: name.value.clone().into_owned(),
        },
        _ => return false,
    };
    names.is_known(&name.name)
}

fn on_default(name: &str) -> bool {
    const EXACT: &[&str] = &[
        "currval",
        "lastval",
        "nextval",
        "setval",
        "pg_notify",
        "pg_cancel_backend",
        "pg_terminate_backend",
        "pg_database_size",
        "pg_tablespace_size",
        "pg_export_snapshot",
        "pg_reload_conf",
        "pg_listening_channels",
    ];
    const PREFIXES: &[&str] = &[
        "lo_",
        "dblink",
        "pg_advisory_",
        "pg_try_advisory_",
        "pg_stat_",
        "pg_ls_",
        "pg_read_",
        "pg_logical_",
        "pg_replication_",
        "pg_create_",
        "pg_drop_",
        "pg_current_wal_",
        "pg_switch_wal",
        "pg_backup_",
        "pg_walfile_",
    ];
    name != "pg_advisory_unlock_all"
        && (EXACT.contains(&name)
            || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
            || matches!(name, "loread" | "lowrite"))
}

/// Names in a statement without tables whose answer is about one server's catalog.
pub(super) fn asks_server(tokens: &[Token<'_>]) -> bool {
    let asks = |name: &str| asks_catalog(name) || name.starts_with("reg");
    tokens
        .iter()
        .any(|token| token.is_name() && asks(&token.value))
}

/// Functions whose answer is about one server's catalog, where they are not known to compute, or to be about the
/// session, the transaction or a row's own.
fn asks_catalog(name: &str) -> bool {
    const NEUTRAL: &[&str] = &[
        "pg_advisory_unlock_all",
        "pg_backend_pid",
        "pg_catalog",
        "pg_char_to_encoding",
        "pg_client_encoding",
        "pg_collation_for",
        "pg_column_compression",
        "pg_column_size",
        "pg_current_snapshot",
        "pg_current_xact_id",
        "pg_current_xact_id_if_assigned",
        "pg_encoding_max_length",
        "pg_encoding_to_char",
        "pg_input_error_info",
        "pg_input_is_valid",
        "pg_is_in_recovery",
        "pg_lsn",
        "pg_size_bytes",
        "pg_size_pretty",
        "pg_sleep",
        "pg_sleep_for",
        "pg_sleep_until",
        "pg_snapshot_xip",
        "pg_snapshot_xmax",
        "pg_snapshot_xmin",
        "pg_trigger_depth",
        "pg_typeof",
        "pg_visible_in_snapshot",
        "pg_wal_lsn_diff",
        "pg_xact_commit_timestamp",
        "pg_xact_status",
    ];
    (name.starts_with("pg_") && !NEUTRAL.contains(&name))
        || name.starts_with("to_reg")
        || (name.starts_with("has_") && name.ends_with("_privilege"))
        || matches!(
            name,
            "obj_description" | "col_description" | "shobj_description"
        )
}

/// `pg_advisory_unlock_all` only lets go.
fn locks_session(name: &str) -> bool {
    matches!(
        name,
        "pg_advisory_lock"
            | "pg_advisory_lock_shared"
            | "pg_try_advisory_lock"
            | "pg_try_advisory_lock_shared"
            | "pg_advisory_unlock"
            | "pg_advisory_unlock_shared"
    )
}

/// Only for the transaction, and only settings the proxy need not know. True for `jit`, which changes
/// how long an answer takes and not the answer: asyncpg switches it off around its look at the types.
fn check_set_config(arguments: &[Token<'_>]) -> Result<bool, PgError> {
    let refused = |message: &str| PgError::refusal(message, "use SET or SET LOCAL");
    let [name, comma, .., local_comma, local] = arguments else {
        return Err(refused(
            "set_config with unusual arguments is not supported",
        ));
    };
    if name.kind == Kind::String && name.value.eq_ignore_ascii_case("jit") && comma.is_op(",") {
        return Ok(true);
    }
    let local_on = local.is_word("true")
        || (local.kind == Kind::String && matches!(&*local.value, "t" | "true" | "on"));
    if !local_comma.is_op(",") || !local_on {
        return Err(refused(
            "set_config for the session is not supported: the server connection is shared",
        ));
    }
    let plain = name.kind == Kind::String && comma.is_op(",");
    let name = name.value.to_ascii_lowercase();
    let watched = matches!(
        &*name,
        "search_path"
            | "role"
            | "session_authorization"
            | "client_encoding"
            | "standard_conforming_strings"
            | "transform_null_equals"
    );
    if !plain || watched || super::is_own_setting(&name) {
        return Err(refused(
            "set_config of a setting that Trunkline must know is not supported",
        ));
    }
    super::control::check_setting(&Setting {
        name,
        values: Some(Vec::new()),
    })?;
    Ok(false)
}
