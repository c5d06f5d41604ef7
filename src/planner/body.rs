//! Queries that the catalogs hold: of views, and bodies of functions in SQL. Read once when the catalogs are
//! loaded, by the same rules as a client's statement.

use std::collections::HashSet;

use super::cursor::Cursor;
use super::names::Names;
use super::{Context, Planner, Schema, functions, scatter};
use crate::error::SqlState;
use crate::plan::Access;
use crate::shardmap::ShardMap;
use crate::sql;
use crate::sql::tree::Query;

/// Reads a query as `pg_get_viewdef` prints it, or the body of a function of one query. `schema` must have the
/// names of all relations and the functions whose bodies are not known; what the relations are does not
/// matter.
///
/// Errors: why it cannot be read, a clause of its own.
pub fn read_query(text: &str, map: &ShardMap, schema: &Schema) -> Result<Query, String> {
    let mut tokens = sql::tokens(text).map_err(|error| error.message)?;
    while tokens.last().is_some_and(|token| token.is_op(";")) {
        tokens.pop();
    }
    let reads = |word: &str| {
        let first = tokens.iter().find(|token| !token.is_op("("));
        first.is_some_and(|token| token.is_word(word))
    };
    if !["select", "with", "values"].into_iter().any(reads) {
        return Err("it is not one query".to_owned());
    }
    if super::access(&tokens) != Access::Read {
        return Err("it may write or lock rows".to_owned());
    }
    let context = Context {
        map,
        schema,
        search_path: Some(&[]),
        role: "",
        hint: None,
        param_types: &[],
        transaction_pooling: true,
        gathers: false,
    };
    let names = Names::new(&context);
    let calls = functions::check(&tokens, &names, &context).map_err(|error| error.message)?;
    if let Some(function) = calls.on_default.or(calls.asks_catalog) {
        return Err(format!(
            "it calls {function}, which belongs to the default shard"
        ));
    }
    // What it leaves on a connection, the next client of that connection would find.
    if functions::check_session_state(&tokens, true).map_err(|error| error.message)? {
        return Err("it changes a setting of the session".to_owned());
    }
    super::check_escapes(&tokens).map_err(|error| error.message)?;
    let planner = Planner {
        names: &names,
        context: &context,
        lenient: false,
        gathers: false,
        scatters: false,
    };
    let mentioned = names.mentioned(&tokens).or(calls.in_sql.as_deref());
    let at = Cursor::new(text, &tokens);
    let mut analysis = planner
        .analyse(at, mentioned.unwrap_or_default(), calls.in_sql_count, true)
        .map_err(|error| {
            if error.code == SqlState::SYNTAX_ERROR {
                "Trunkline cannot read it as one query".to_owned()
            } else {
                error.message
            }
        })?;
    analysis.query.settled = scatter::is_settled(&tokens, analysis.outline.as_ref(), schema);
    Ok(analysis.query)
}

/// The names in the body of a function: if none of them is of a relation or function that matters, the body does not
/// either. `None` where it does in any case, or cannot be read: it calls a built-in function that looks further than at
/// its arguments.
pub fn names_in(text: &str) -> Option<HashSet<String>> {
    let tokens = sql::tokens(text).ok()?;
    if super::check_escapes(&tokens).is_err() || functions::look_around(&tokens) {
        return None;
    }
    let names = tokens.iter().filter(|token| token.is_name());
    Some(
        names
            .map(|token| token.value.clone().into_owned())
            .collect(),
    )
}
