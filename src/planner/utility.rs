//! Everything that is no query: DDL, COPY, cursors, notifications, and what concerns a whole server. Read
//! by token.

use super::cursor::Cursor;
use super::{Planner, route};
use crate::error::PgError;
use crate::plan::{Access, Catalogs, ExplainFormat, Plan, Route, Targets};
use crate::sql::Token;
use crate::sql::tree::Name;

use super::names::{Relation, is_temporary};
use crate::shardmap::TableKind;

/// What leaves state on a server connection is refused where connections are shared; looked at in every
/// database, sharded or not.
pub(super) fn check_session_state(mut at: Cursor<'_>, pooled: bool) -> Result<(), PgError> {
    let mut words = at;
    if words.next().is_some_and(|token| token.is_word("listen")) {
        return Err(PgError::refusal(
            "LISTEN is not supported: notifications are not passed on",
            "listen on a connection of its own, straight to the server",
        ));
    }
    if !pooled {
        return Ok(());
    }
    let refused = |what: &str, hint: &str| {
        Err(PgError::refusal(
            format!("{what} is not supported in transaction pooling"),
            hint,
        ))
    };
    let all = at.rest;
    if sets_behind_our_back(all) {
        return refused("UPDATE of pg_settings", "use SET");
    }
    match at.next().map(|token| &*token.value).unwrap_or_default() {
        "prepare" | "execute" => refused(
            "SQL-level PREPARE and EXECUTE",
            "use the driver's prepared statements (protocol level), which work in every pool mode",
        ),
        "declare"
            if all
                .windows(2)
                .any(|pair| pair[0].is_word("with") && pair[1].is_word("hold")) =>
        {
            refused(
                "DECLARE … WITH HOLD",
                "declare the cursor within a transaction, without WITH HOLD",
            )
        }
        "create"
            if {
                let _ = at.take_all(&["or", "replace"]);
                at.take_any(&["temp", "temporary"])
            } || (at.take_any(&["local", "global"]) && at.take_any(&["temp", "temporary"])) =>
        {
            refused(
                "CREATE TEMPORARY",
                "use an ordinary (perhaps unlogged) table, or a pool in session mode",
            )
        }
        "load" => refused("LOAD", "use session_preload_libraries on the server"),
        _ if into_temporary(all) => {
            refused("SELECT INTO a temporary table", "use an ordinary table")
        }
        _ if all.iter().any(is_in_temporary) => refused(
            "pg_temp, the schema of what is temporary,",
            "what is in it belongs to one server connection: use an ordinary (perhaps unlogged) table, or a pool in session mode",
        ),
        _ => Ok(()),
    }
}

/// Types of `pg_temp` come before those of `pg_catalog`: `'1'::int8` would mean another one on the connection that has
/// an `int8` there, and a relation is a type, too. Only session pooling has temporary things at all.
/// Source: <https://www.postgresql.org/docs/current/runtime-config-client.html#GUC-SEARCH-PATH>
pub(super) fn check_temporary_types(at: Cursor<'_>) -> Result<(), PgError> {
    const BEFORE: [&str; 5] = ["create", "replace", "local", "global", "into"];
    let tokens = at.rest;
    let (mut words, mut other) = (at, at);
    let made = words.take("create") && words.take_any(&["type", "domain"]);
    let renames = other.take("alter");
    let hides = |(place, token): (usize, &Token<'_>)| {
        let after = &tokens[place + 1..];
        let begins = || {
            let before = place.checked_sub(1).map(|at| &tokens[at]);
            before.is_some_and(|before| BEFORE.iter().any(|word| before.is_word(word)))
        };
        let name = if is_in_temporary(token) {
            after.first().filter(|dot| dot.is_op(".")).and(after.get(1))
        } else if let Some(name) = temporary_name(tokens, place) {
            begins().then_some(name)
        } else if renames && token.is_word("rename") {
            after
                .first()
                .filter(|to| to.is_word("to"))
                .and(after.get(1))
        } else {
            None
        };
        name.is_some_and(|name| name.is_name() && crate::sql::is_cast_type(&name.value))
    };
    if made && tokens.iter().any(is_in_temporary) || tokens.iter().enumerate().any(hides) {
        return Err(PgError::refusal(
            "a type in pg_temp, or a temporary relation of a type's name, is not supported in a sharded database: on its connection it would hide the type that casts name",
            "choose another name, or a schema other than pg_temp",
        ));
    }
    Ok(())
}

/// What the word at this place, TEMP or TEMPORARY, is said of: `create temp table if not exists t`.
pub(super) fn temporary_name<'t, 'a>(
    tokens: &'t [Token<'a>],
    place: usize,
) -> Option<&'t Token<'a>> {
    const BETWEEN: [&str; 7] = [
        "recursive",
        "table",
        "view",
        "sequence",
        "if",
        "not",
        "exists",
    ];
    let word = tokens.get(place)?;
    if !(word.is_word("temp") || word.is_word("temporary")) {
        return None;
    }
    let between = |token: &Token<'_>| BETWEEN.iter().any(|word| token.is_word(word));
    tokens[place + 1..].iter().find(|token| !between(token))
}

/// Writing to this view is another spelling of SET.
pub(super) fn sets_behind_our_back(tokens: &[Token<'_>]) -> bool {
    tokens
        .iter()
        .any(|token| token.is_name() && token.value == "pg_settings")
        && tokens.iter().any(|token| token.is_word("update"))
}

fn into_temporary(tokens: &[Token<'_>]) -> bool {
    let temporary = |token: &Token<'_>| token.is_word("temp") || token.is_word("temporary");
    tokens
        .windows(2)
        .any(|pair| pair[0].is_word("into") && temporary(&pair[1]))
        || tokens.windows(3).any(|three| {
            three[0].is_word("into") && three[1].is_word("local") && temporary(&three[2])
        })
}

fn is_in_temporary(token: &Token<'_>) -> bool {
    token.is_name() && is_temporary(&token.value)
}

/// What a statement may do to the meaning of names. The command tag of its answer would not tell: that of CREATE TABLE …
/// AS is `SELECT 1`, and none comes where the connection is lost. What is not known here to change nothing may change
/// something.
pub(super) fn catalogs(tokens: &[Token<'_>]) -> Catalogs {
    let first = tokens.iter().find(|token| !token.is_op("("));
    match first.map(|token| &*token.value).unwrap_or_default() {
        "fetch" | "move" | "close" | "show" | "set" | "discard" | "listen" | "unlisten"
        | "notify" => Catalogs::Unasked,
        "select" | "with" if !makes_table(tokens) => Catalogs::Read,
        // ANALYZE runs CREATE TABLE … AS.
        "explain" if !makes_table(tokens) && !tokens.iter().any(|t| t.is_word("create")) => {
            Catalogs::Read
        }
        "values" | "table" | "insert" | "update" | "delete" | "merge" | "copy" | "declare"
        | "prepare" | "execute" | "analyze" | "analyse" | "vacuum" | "cluster" | "reindex"
        | "refresh" | "truncate" | "lock" | "comment" | "checkpoint" | "load" => Catalogs::Read,
        "do" | "call" => Catalogs::Uncertain,
        _ => Catalogs::Changed,
    }
}

/// SELECT INTO: the one INTO that stands behind a SELECT of the same parentheses.
fn makes_table(tokens: &[Token<'_>]) -> bool {
    let (mut outer, mut selects) = (Vec::new(), false);
    for token in tokens {
        if token.is_op("(") {
            outer.push(std::mem::take(&mut selects));
        } else if token.is_op(")") {
            selects = outer.pop().unwrap_or_default();
        } else if token.is_word("select") {
            selects = true;
        } else if selects && token.is_word("into") {
            return true;
        }
    }
    false
}

impl Planner<'_> {
    /// `EXPLAIN [ANALYZE] [VERBOSE] statement`, or with options in parentheses.
    pub(super) fn explain(&self, mut at: Cursor<'_>) -> Result<Plan, PgError> {
        let (mut analyze, mut format) = (false, ExplainFormat::Text);
        if at.rest.first().is_some_and(|token| token.is_op("(")) && !starts_query(&at.rest[1..]) {
            let before = at.rest;
            at.skip_group();
            let options = &before[1..before.len() - at.rest.len()];
            for option in options.split(|token| token.is_op(",")) {
                let Some((name, value)) = option.split_first() else {
                    continue;
                };
                let value = value
                    .first()
                    .map(|value| value.value.to_ascii_lowercase())
                    .unwrap_or_default();
                if name.is_word("analyze") || name.is_word("analyse") {
                    analyze = !matches!(&*value, "off" | "false" | "0");
                } else if name.is_word("format") && value != "text" {
                    format = ExplainFormat::Structured;
                }
            }
        } else {
            analyze = at.take_any(&["analyze", "analyse"]);
            let _ = at.take("verbose");
        }
        let planned = match at.peek_word() {
            Some("declare" | "create" | "refresh" | "execute") => self.statement(at)?,
            _ => self.inner_query(at)?,
        };
        let Plan::Route(inner) = planned else {
            return Err(at.syntax_error());
        };
        let access = if analyze { inner.access } else { Access::Read };
        let begins = at.rest.first().map(|token| token.start);
        let mut inner = match format {
            ExplainFormat::Text => inner,
            ExplainFormat::Structured => without_scatter(inner)?,
        };
        if let Some(scatter) = &mut inner.scatter {
            scatter.explained = begins;
        }
        Ok(Plan::Route(Route {
            access,
            explain: Some(format),
            ..inner
        }))
    }

    /// `DECLARE name … CURSOR … FOR query`.
    pub(super) fn declare(&self, at: Cursor<'_>) -> Result<Plan, PgError> {
        let Some(place) = at.rest.iter().position(|token| token.is_word("for")) else {
            return Err(Cursor { rest: &[], ..at }.syntax_error());
        };
        let mut plan = self.inner_query(Cursor {
            rest: &at.rest[place + 1..],
            ..at
        })?;
        if let Plan::Route(route) = plan {
            let mut route = without_scatter(route)?;
            if let Some(gather) = &mut route.gather {
                gather.lasting = true;
            }
            plan = Plan::Route(route);
        }
        let holds = at.rest[..place]
            .windows(2)
            .any(|pair| pair[0].is_word("with") && pair[1].is_word("hold"));
        // FETCH names no table: after the transaction it goes to the shard in use, which may have a cursor of that
        // name, too.
        if holds && self.names.map.shards.len() > 1 {
            return Err(PgError::refusal(
                "DECLARE … WITH HOLD is not supported with several shards: a later FETCH does not say its shard",
                "declare the cursor within a transaction, without WITH HOLD",
            ));
        }
        Ok(plan)
    }

    fn inner_query(&self, at: Cursor<'_>) -> Result<Plan, PgError> {
        match at.peek_word() {
            Some(
                "select" | "values" | "with" | "table" | "insert" | "update" | "delete" | "merge",
            ) => self.query(at),
            None if at.rest.first().is_some_and(|token| token.is_op("(")) => self.query(at),
            _ => Err(at.syntax_error()),
        }
    }

    pub(super) fn copy(&self, mut at: Cursor<'_>) -> Result<Plan, PgError> {
        if at.rest.first().is_some_and(|token| token.is_op("(")) {
            let before = at.rest;
            at.skip_group();
            let inner = &before[1..(before.len() - at.rest.len()).saturating_sub(1).max(1)];
            let plan = self.inner_query(Cursor { rest: inner, ..at })?;
            return match plan {
                Plan::Route(route) => Ok(Plan::Route(without_scatter(route)?)),
                plan => Ok(plan),
            };
        }
        let _ = at.take("binary");
        let first = at.name()?;
        let name = if at.take_op(".") {
            Name {
                schema: Some(first),
                name: at.name()?,
            }
        } else {
            Name {
                schema: None,
                name: first,
            }
        };
        if at.rest.first().is_some_and(|token| token.is_op("(")) {
            at.skip_group();
        }
        let reads = at.take("to");
        let after_where = at.rest;
        match self.names.resolve(&name)? {
            Relation::Listed {
                table,
                kind: TableKind::Reference,
            } if reads => Ok(route(
                Targets::Any,
                Access::Read,
                format!("reference table {table} is whole on every shard"),
            )),
            Relation::Listed {
                table,
                kind: TableKind::Reference,
            } => Err(super::scope::reference_write(table)),
            Relation::Listed {
                table,
                kind: TableKind::Sharded { columns, .. },
            } => Err(PgError::refusal(
                format!(
                    "COPY of sharded table {table} is not supported yet: its rows live on several shards"
                ),
                if reads {
                    format!(
                        "COPY (SELECT * FROM {table} WHERE {} = …) TO STDOUT",
                        columns[0]
                    )
                } else {
                    "use INSERT, or COPY on each shard directly".to_owned()
                },
            )),
            Relation::View { view, .. } => Err(self.names_listed("COPY", &view.to_string())),
            Relation::Catalog | Relation::Unlisted => {
                // COPY … FROM … WHERE may hold subqueries only in error.
                if let Some(listed) = self.names.mentioned(after_where) {
                    return Err(self.names_listed("COPY", listed));
                }
                let access = if reads { Access::Read } else { Access::Write };
                Ok(route(
                    Targets::Default,
                    access,
                    format!("{name} is not in the shard map"),
                ))
            }
        }
    }

    /// DDL and all else, by the names in it.
    pub(super) fn by_names(&self, at: Cursor<'_>) -> Result<Plan, PgError> {
        let mut words = at;
        let first = words.next().map(|token| &*token.value).unwrap_or_default();
        let verb = first.to_ascii_uppercase();
        if concerns_server(first, words) && self.names.map.shards.len() > 1 {
            return Err(PgError::refusal(
                format!(
                    "{verb} of something that belongs to a whole server would change one shard's server only"
                ),
                "run it on each server directly",
            ));
        }
        if self.names.map.shards.len() > 1 {
            check_reach(first, words)?;
        }
        match first {
            "do" | "call" => {
                return Err(PgError::refusal(
                    format!("{verb} runs code that might read or write any table"),
                    "write its statements out, or run it on the shard directly",
                ));
            }
            "prepare" | "execute" => {
                return Err(PgError::refusal(
                    "SQL-level PREPARE and EXECUTE are not supported in a sharded database",
                    "use the driver's prepared statements (protocol level)",
                ));
            }
            "reassign" => {
                return Err(PgError::refusal(
                    "REASSIGN OWNED would change one shard only",
                    "run it on each shard directly",
                ));
            }
            _ => {}
        }
        if let Some(listed) = self
            .names
            .mentioned(at.rest)
            .or_else(|| self.mentioned_in_bodies(at.rest))
        {
            return Err(self.names_listed(&verb, listed));
        }
        Ok(route(
            Targets::Default,
            Access::Write,
            format!("{verb} names no table of the shard map"),
        ))
    }

    /// Function bodies and DO blocks are strings: their words count as names too.
    fn mentioned_in_bodies(&self, tokens: &[Token<'_>]) -> Option<&str> {
        let creates = tokens
            .first()
            .is_some_and(|token| token.is_word("create") || token.is_word("alter"));
        if !creates {
            return None;
        }
        let strings = tokens
            .iter()
            .filter(|token| token.kind == crate::sql::Kind::String);
        strings
            .into_iter()
            .find_map(|token| self.names.known_within(&token.value))
    }

    pub(super) fn names_listed(&self, verb: &str, listed: &str) -> PgError {
        PgError::refusal(
            format!(
                "{verb} names \"{listed}\", which is in the shard map (or a view over it): it would reach one shard only"
            ),
            "run it on each shard directly",
        )
    }
}

pub(super) fn starts_query(tokens: &[Token<'_>]) -> bool {
    tokens.first().is_some_and(|token| {
        token.is_op("(")
            || ["select", "with", "values", "table"]
                .iter()
                .any(|word| token.is_word(word))
    })
}

/// Roles, databases, tablespaces and server settings.
fn concerns_server(first: &str, mut at: Cursor<'_>) -> bool {
    match first {
        "create" | "alter" | "drop" => {
            at.take_any(&[
                "database",
                "role",
                "user",
                "group",
                "tablespace",
                "system",
                "subscription",
            ]) && !at.take("mapping")
        }
        "checkpoint" => true,
        _ => false,
    }
}

/// Refuses what may reach sharded tables without naming one.
fn check_reach(first: &str, mut at: Cursor<'_>) -> Result<(), PgError> {
    let verb = first.to_ascii_uppercase();
    let has = |word: &str| at.rest.iter().any(|token| token.is_word(word));
    let (what, hint) = match first {
        "drop" | "truncate" if has("cascade") => (
            "CASCADE",
            "leave CASCADE out, or run it on each shard directly",
        ),
        "drop"
            if ["owned", "schema", "extension"]
                .iter()
                .any(|word| at.take(word)) =>
        {
            ("what tables may depend on", "run it on each shard directly")
        }
        "drop" | "alter" | "reindex"
            if at.rest.iter().take(4).any(|token| token.is_word("index")) =>
        {
            (
                "an index, which may be a sharded table's",
                "run it on each shard directly",
            )
        }
        "alter" if at.take_any(&["schema", "default", "extension"]) => {
            ("a schema", "run it on each shard directly")
        }
        "grant" | "revoke" if has("schema") || has("database") || !has("on") => (
            "more than single tables",
            "run it on each shard directly, or name the tables",
        ),
        "vacuum" | "analyze" | "analyse" | "cluster" | "reindex" if concerns_database(at) => (
            "a whole database or schema",
            "run it on each shard directly, or name a table",
        ),
        _ => return Ok(()),
    };
    Err(PgError::refusal(
        format!("{verb} ({what}) would reach one shard only"),
        hint,
    ))
}

/// VACUUM and its like without a table.
fn concerns_database(mut at: Cursor<'_>) -> bool {
    if at.rest.first().is_some_and(|token| token.is_op("(")) {
        at.skip_group();
    }
    while at.take_any(&[
        "full",
        "freeze",
        "verbose",
        "analyze",
        "analyse",
        "concurrently",
    ]) {}
    at.rest.is_empty() || at.take_any(&["database", "system", "schema"])
}

/// What is made of a query's rows needs them in one place.
fn without_scatter(mut route: Route) -> Result<Route, PgError> {
    let only = route.scatter.take().is_some() && route.gather.is_none();
    if let Some(gather) = &mut route.gather {
        gather.arrays = None;
    }
    match route.targets {
        Targets::Any | Targets::Default if only => Err(PgError::refusal(
            "EXPLAIN (FORMAT …), DECLARE and COPY of a statement over rows of several shards",
            "let its rows be gathered (gather_rows)",
        )),
        _ => Ok(route),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_are_known_by_their_text() {
        use Catalogs::{Changed, Read, Unasked, Uncertain};
        let cases = [
            ("create table t (a int)", Changed),
            ("create table t as select 1", Changed),
            ("Create Materialized View v As Select 1", Changed),
            ("drop owned by someone", Changed),
            ("alter role app set search_path = sales", Changed),
            ("import foreign schema s from server f into app", Changed),
            ("grant usage on schema sales to app", Changed),
            ("revoke usage on schema sales from app", Changed),
            ("reassign owned by a to b", Changed),
            ("do $$ begin end $$", Uncertain),
            ("call f()", Uncertain),
            ("a word of a later PostgreSQL", Changed),
            ("select * into t from u", Changed),
            ("select 1 insert into t", Changed),
            ("select (1) insert into t", Changed),
            ("((select 1 into t))", Changed),
            ("with x as (select 1) select * into t from x", Changed),
            ("with x as (select 1) (select * into t from x)", Changed),
            (
                "with x as (insert into u values (1) returning 1) select * into t from x",
                Changed,
            ),
            ("explain analyze create table t as select 1", Changed),
            ("explain (analyze, costs off) select 1 into t", Changed),
            ("select 1", Read),
            ("select \"into\", 'into' from t", Read),
            ("values (1)", Read),
            ("insert into t select * from u", Read),
            ("with x as (select 1) insert into t select * from x", Read),
            (
                "with x as (with y as (select 1) insert into t select 1 returning 1) select * from x",
                Read,
            ),
            (
                "with x as (select 1) merge into t using x on true when not matched then insert values (1)",
                Read,
            ),
            ("explain analyze insert into t select 1", Read),
            ("declare c cursor for select 1", Read),
            (
                "copy (insert into t values (1) returning 1) to stdout",
                Read,
            ),
            ("refresh materialized view v", Read),
            ("comment on table t is 'x'", Read),
            ("fetch c", Unasked),
            ("show all", Unasked),
        ];
        for (text, expected) in cases {
            let tokens = crate::sql::tokens(text).expect("it lexes");
            assert_eq!(catalogs(&tokens), expected, "{text}");
        }
    }
}
