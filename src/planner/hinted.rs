//! What a hint changes: statements that are refused because nothing proves their shard run where the user
//! says. What would store a row where nobody looks for it stays refused, and what a proof contradicts.

use super::cursor::Cursor;
use super::functions;
use super::hint::{InForce, Source};
use super::names::{Names, Relation, is_temporary};
use super::{Context, access, explained, utility};
use crate::error::{PgError, SqlState};
use crate::plan::{Hint, Hinted, Plan, Route, Targets};
use crate::shardmap::{Keyspace, TableKind};
use crate::sql::tree::Name;
use crate::sql::{Kind, Token};

/// The plan under a hint, from the plan or refusal without it.
pub(super) fn plan(
    planned: Result<Plan, PgError>,
    hint: InForce,
    at: Cursor<'_>,
    context: &Context<'_>,
) -> Result<Plan, PgError> {
    let planned = match planned {
        Ok(Plan::Route(route)) if !concerns(hint.from, &route, at) => {
            return Ok(Plan::Route(route));
        }
        Ok(Plan::Route(route)) => Ok(route),
        Ok(control) => return Ok(control),
        Err(error) => Err(error),
    };
    let hinted = hint.hinted?;
    let route = match planned {
        Ok(route) => route,
        Err(error) => overruled(error, &hinted, hint.from, at, context)?,
    };
    let targets = match route.targets {
        Targets::Default | Targets::Any => Targets::Any,
        key @ Targets::Key(_) => key,
    };
    Ok(Plan::Route(Route {
        targets,
        hint: Some(Box::new(hinted)),
        ..route
    }))
}

/// A comment is about its statement. The session's shard is about all statements but those about the session
/// itself, its key about tables that have keys.
fn concerns(from: Source, route: &Route, at: Cursor<'_>) -> bool {
    match from {
        Source::Comment => true,
        Source::ShardSetting => !route.detached && !is_session_s(at),
        Source::KeySetting => matches!(route.targets, Targets::Key(_)),
    }
}

/// True for the tokens of a shape: its literals have no values.
pub(super) fn has_slots(tokens: &[Token<'_>]) -> bool {
    tokens.iter().any(|token| {
        matches!(
            token.kind,
            Kind::StringSlot | Kind::IntegerSlot | Kind::NumberSlot
        )
    })
}

/// Cursors, settings and notifications.
fn is_session_s(at: Cursor<'_>) -> bool {
    matches!(
        at.peek_word(),
        Some(
            "fetch"
                | "move"
                | "close"
                | "show"
                | "set"
                | "discard"
                | "unlisten"
                | "listen"
                | "notify"
        )
    )
}

/// The route of a statement that is refused without the hint.
///
/// Errors: the refusal, where the hint does not make the statement safe.
fn overruled(
    error: PgError,
    hinted: &Hinted,
    from: Source,
    at: Cursor<'_>,
    context: &Context<'_>,
) -> Result<Route, PgError> {
    // With slots for literals less can be proved, which no hint may stand for: the text itself is planned then.
    if has_slots(at.rest) {
        return Err(error);
    }
    // NULL for a key, and limits, are not about where the statement goes.
    let is_about_place = [SqlState::FEATURE_NOT_SUPPORTED, SqlState::SYNTAX_ERROR];
    if !is_about_place.contains(&error.code) {
        return Err(error);
    }
    let names = Names::new(context);
    let writes = Writes {
        names: &names,
        hinted,
    };
    let core = core(at);
    // A session that works for one tenant may yet want to define something, which no key places.
    if from == Source::KeySetting && !is_query(core) && !is_copy(core) {
        return Err(error.with_detail(
            "The setting trunkline.key is about rows: it does not place this statement.",
        ));
    }
    if hides_known(at.rest, &names) {
        return Err(error.with_detail(
            "A temporary relation would hide the table of that name on one connection only.",
        ));
    }
    if let Some(keyspace) = guard(core, at, &names, context) {
        return Err(guarded(error, keyspace));
    }
    if !writes.are_safe(core) {
        return Err(unproven(error, hinted));
    }
    let reason = format!("not proved: {}", error.message);
    Ok(Route {
        explain: explained(at),
        ..super::only(Targets::Any, access(at.rest), reason)
    })
}

/// Something temporary of a name that statements are routed by; only session pooling has such things at all.
fn hides_known(tokens: &[Token<'_>], names: &Names<'_>) -> bool {
    let in_temporary = |token: &Token<'_>| token.is_name() && is_temporary(&token.value);
    let hides = |place| {
        utility::temporary_name(tokens, place)
            .is_some_and(|name| name.is_name() && names.is_known(&name.value))
    };
    tokens.iter().any(in_temporary) || (0..tokens.len()).any(hides)
}

fn guarded(error: PgError, keyspace: &Keyspace) -> PgError {
    let reason = format!(
        "Keyspace \"{}\" has require_key: a hint does not stand for the key.",
        keyspace.name
    );
    let hint = format!(
        "give {} in the statement itself; {}",
        keyspace.key,
        error.hint.as_deref().unwrap_or_default()
    );
    let hint = hint.trim_end_matches("; ").to_owned();
    error.with_detail(reason).with_hint(hint)
}

fn unproven(error: PgError, hinted: &Hinted) -> PgError {
    if error.code != SqlState::FEATURE_NOT_SUPPORTED {
        return error;
    }
    let reason = format!(
        "The hint {} does not help: what is stored has to be known to belong to its shard.",
        hinted.hint
    );
    error.with_detail(reason)
}

/// The statement within EXPLAIN and DECLARE, and the query within COPY.
fn core<'a>(at: Cursor<'a>) -> &'a [Token<'a>] {
    let mut rest = at;
    if rest.take("explain") {
        if rest.rest.first().is_some_and(|token| token.is_op("("))
            && !super::utility::starts_query(&rest.rest[1..])
        {
            rest.skip_group();
        }
        while rest.take_any(&["analyze", "analyse", "verbose"]) {}
    }
    let mut copied = rest;
    if copied.take("copy") && copied.rest.first().is_some_and(|token| token.is_op("(")) {
        return copied.rest;
    }
    if rest.peek_word() == Some("declare") {
        let query = rest.rest.iter().position(|token| token.is_word("for"));
        let declared = query.map_or(&[][..], |place| &rest.rest[place + 1..]);
        let holds = rest
            .rest
            .windows(2)
            .any(|pair| pair[0].is_word("with") && pair[1].is_word("hold"));
        // Its FETCH comes without a hint: the word stands for what cannot run.
        return if holds { &rest.rest[..1] } else { declared };
    }
    rest.rest
}

fn is_query(core: &[Token<'_>]) -> bool {
    core.first().is_some_and(|first| {
        first.is_op("(")
            || [
                "select", "values", "with", "table", "insert", "update", "delete", "merge",
            ]
            .iter()
            .any(|word| first.is_word(word))
    })
}

fn is_copy(core: &[Token<'_>]) -> bool {
    core.first().is_some_and(|token| token.is_word("copy"))
}

/// The keyspace with `require_key` that the statement might reach past its guard.
fn guard<'a>(
    core: &[Token<'_>],
    at: Cursor<'_>,
    names: &Names<'_>,
    context: &Context<'a>,
) -> Option<&'a Keyspace> {
    let guarded = context
        .map
        .keyspaces
        .iter()
        .find(|space| space.require_key)?;
    // DDL and code may reach what they do not name; so may a function in SQL.
    let calls = functions::check(at.rest, names, context);
    let names_all = calls.is_ok_and(|calls| calls.in_sql_count == 0);
    if !is_query(core) && !is_copy(core) || !names_all {
        return Some(guarded);
    }
    let mut mentioned = at
        .rest
        .iter()
        .filter(|token| token.is_name() && names.is_known(&token.value));
    let behind_guard = |name: &str| {
        let listed = context.map.tables.iter().filter(|(t, _)| t.name == name);
        let mut listed = listed.map(|(_, kind)| match kind {
            TableKind::Sharded { keyspace, .. } => context.map.keyspace(*keyspace).require_key,
            TableKind::Reference => false,
        });
        // A view, or a table that only the schema knows: it may read any.
        let other = context
            .schema
            .relations
            .iter()
            .any(|(t, relation)| t.name == name && !super::schema::is_listed(relation));
        other || listed.any(|guarded| guarded)
    };
    mentioned
        .any(|token| behind_guard(&token.value))
        .then_some(guarded)
}

/// Looks for what a statement stores, by token: every INSERT, UPDATE, MERGE and DELETE says so by its
/// keyword, wherever it stands.
struct Writes<'a> {
    names: &'a Names<'a>,
    hinted: &'a Hinted,
}

impl Writes<'_> {
    /// True where nothing the statement stores could be on the wrong shard.
    fn are_safe(&self, core: &[Token<'_>]) -> bool {
        let Some(first) = core.first() else {
            return false;
        };
        if ["prepare", "execute", "declare"]
            .iter()
            .any(|word| first.is_word(word))
        {
            return false;
        }
        if is_copy(core) {
            return self.copy_is_safe(&core[1..]);
        }
        // What DDL stores, and what code does that is called, is the user's word.
        if !is_query(core) {
            return true;
        }
        core.iter().enumerate().all(|(place, token)| {
            let after = &core[place + 1..];
            if token.is_word("insert") || token.is_word("merge") {
                self.adds_safely(after)
            } else if token.is_word("update") && !is_lock(&core[..place]) {
                self.updates_safely(after)
            } else if token.is_word("delete") {
                self.deletes_safely(after)
            } else {
                true
            }
        })
    }

    fn copy_is_safe(&self, after: &[Token<'_>]) -> bool {
        let mut at = Cursor {
            text: "",
            rest: after,
        };
        let _ = at.take("binary");
        let Some(name) = relation(&mut at) else {
            return false;
        };
        if at.rest.first().is_some_and(|token| token.is_op("(")) {
            at.skip_group();
        }
        at.take("to") || self.takes_rows(&name)
    }

    /// INSERT and MERGE. Those whose keys could be proved were not refused.
    fn adds_safely(&self, after: &[Token<'_>]) -> bool {
        let mut at = Cursor {
            text: "",
            rest: after,
        };
        let _ = at.take("into");
        relation(&mut at).is_some_and(|name| self.takes_rows(&name))
    }

    /// A table whose rows no key places.
    fn takes_rows(&self, name: &Name) -> bool {
        match self.names.resolve(name) {
            Ok(Relation::Listed {
                kind: TableKind::Reference,
                ..
            }) => self.writes_copies(),
            Ok(Relation::Listed { .. } | Relation::View { .. }) | Err(_) => false,
            Ok(Relation::Catalog | Relation::Unlisted) => true,
        }
    }

    /// Each copy of a reference table is written by the name of its shard; a key names none.
    fn writes_copies(&self) -> bool {
        matches!(self.hinted.hint, Hint::Shard(_))
    }

    fn updates_safely(&self, after: &[Token<'_>]) -> bool {
        let mut at = Cursor {
            text: "",
            rest: after,
        };
        let Some(name) = relation(&mut at) else {
            return false;
        };
        match self.names.resolve(&name) {
            Ok(Relation::Listed {
                kind: TableKind::Reference,
                ..
            }) => self.writes_copies(),
            Ok(Relation::Listed {
                kind: TableKind::Sharded { columns, .. },
                ..
            }) => !sets_any(at.rest, columns),
            Ok(Relation::Catalog | Relation::Unlisted) => true,
            // A view may call the key by another name.
            Ok(Relation::View { .. }) | Err(_) => false,
        }
    }

    fn deletes_safely(&self, after: &[Token<'_>]) -> bool {
        let mut at = Cursor {
            text: "",
            rest: after,
        };
        // `WHEN MATCHED THEN DELETE`, `ON DELETE`: no statement of its own.
        if !at.take("from") {
            return true;
        }
        let Some(name) = relation(&mut at) else {
            return false;
        };
        match self.names.resolve(&name) {
            Ok(Relation::Listed {
                kind: TableKind::Reference,
                ..
            })
            | Ok(Relation::View { .. })
            | Err(_) => self.writes_copies(),
            Ok(_) => true,
        }
    }
}

/// `FOR UPDATE`, `FOR NO KEY UPDATE`.
fn is_lock(before: &[Token<'_>]) -> bool {
    before
        .last()
        .is_some_and(|token| token.is_word("for") || token.is_word("key"))
}

/// `[ONLY] [schema.]name`.
fn relation(at: &mut Cursor<'_>) -> Option<Name> {
    let _ = at
        .rest
        .get(1)
        .is_some_and(|next| next.is_name() || next.is_op("("))
        && at.take("only");
    let _ = at.take_op("(");
    let first = at.name().ok()?;
    if !at.take_op(".") {
        return Some(Name {
            schema: None,
            name: first,
        });
    }
    Some(Name {
        schema: Some(first),
        name: at.name().ok()?,
    })
}

/// True where one of these columns may be assigned: it stands between SET and WHERE or RETURNING, before
/// `=`, or in a list of several. FROM ends nothing: it may belong to IS DISTINCT FROM.
fn sets_any(after: &[Token<'_>], columns: &[String]) -> bool {
    let Some(start) = after.iter().position(|token| token.is_word("set")) else {
        return true;
    };
    let list = &after[start + 1..];
    let mut depth = 0usize;
    for (place, token) in list.iter().enumerate() {
        if token.is_op("(") {
            depth += 1;
        } else if token.is_op(")") {
            let Some(outer) = depth.checked_sub(1) else {
                return false;
            };
            depth = outer;
        } else if depth == 0 && (token.is_word("where") || token.is_word("returning")) {
            return false;
        }
        let next = list.get(place + 1);
        let assigned = next.is_some_and(|next| {
            next.is_op("=") || next.is_op(",") || next.is_op(")") || next.is_op("[")
        });
        if token.is_name() && assigned && columns.iter().any(|column| *column == token.value) {
            return true;
        }
    }
    false
}
