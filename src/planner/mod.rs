//! A statement and the shard map become a [`Plan`], or a precise refusal. Pure: no I/O, no clock, no
//! globals; `trunkline explain`, the golden tests and the server run the very same code.
//!
//! The order of things: our own tokens first. Control statements, utility statements and statements
//! that name no listed table are decided by token, without a parse. Only a query that names a listed table
//! is parsed, walked scope by scope ([`scope`]), and routed where every sharded table in it is tied to a
//! key. What cannot be read or proved is refused.

mod body;
mod cache;
mod control;
#[cfg(any(test, feature = "internals"))]
pub mod corpora;
mod cursor;
mod functions;
mod gather;
mod hint;
mod hinted;
mod names;
mod operand;
mod params;
mod scatter;
mod schema;
mod scope;
mod several;
mod utility;

pub use body::{names_in, read_query};
pub use cache::{Lookup, PlanCache};
pub use control::check_setting;
pub use gather::{explain_prefix, filter, retold, shifts, tells_copies};
pub use hint::{KEY, KEYSPACE, SHARD, check_own_setting, is_own_setting, of_settings, own_column};
pub use schema::{Column, Function, PUBLIC, Relation, RelationKind, Schema, SqlFunction};

use crate::error::{PgError, SqlState};
use crate::plan::{Access, Catalogs, Control, Hint, KeyTarget, Plan, Route, Targets};
use crate::shardmap::ShardMap;
use crate::sql::tree::Query;
use crate::sql::{self, Kind, Token, Unread};
use crate::types::Oid;

use cursor::Cursor;
use names::Names;
use schema::NO_ROLE;
use scope::{Footprint, Untied};

/// What a plan depends on besides the statement's text.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    pub map: &'a ShardMap,
    pub schema: &'a Schema,
    /// The schemas the session set as `search_path`; `None` for the default (`"$user", public`).
    pub search_path: Option<&'a [String]>,
    /// The current role, which `"$user"` in a search_path stands for.
    pub role: &'a str,
    /// What `SET trunkline.shard` and `SET trunkline.key` ask for; a comment in the text comes before it.
    pub hint: Option<&'a Hint>,
    /// Parameter types declared in Parse; zero or missing where left to the server.
    pub param_types: &'a [Oid],
    /// Server connections change hands between transactions (transaction pooling): statements that
    /// leave state on a connection are refused.
    pub transaction_pooling: bool,
    /// What needs rows of several shards may have them gathered; else it is refused.
    pub gathers: bool,
}

/// Who asks, and what the session has set itself. Both a session and `trunkline explain` make their [`Context`]
/// of it.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// As it logged in.
    pub user: &'a str,
    /// `None` where it has set none.
    pub search_path: Option<&'a [String]>,
    pub role: Option<&'a str>,
    pub hint: Option<&'a Hint>,
    pub param_types: &'a [Oid],
    pub transaction_pooling: bool,
    /// What needs rows of several shards may have them gathered; else it is refused.
    pub gathers: bool,
}

impl<'a> Asker<'a> {
    /// With what its sessions begin with for what it has not set.
    ///
    /// Errors: 0A000 where shards differ in that.
    pub fn context(self, map: &'a ShardMap, schema: &'a Schema) -> Result<Context<'a>, PgError> {
        Ok(Context {
            map,
            schema,
            search_path: match self.search_path {
                Some(path) => Some(path),
                None => schema.default_path(self.user)?,
            },
            role: match self.role {
                None => schema.default_role(self.user)?,
                Some(NO_ROLE) => self.user,
                Some(role) => role,
            },
            hint: self.hint,
            param_types: self.param_types,
            transaction_pooling: self.transaction_pooling,
            gathers: self.gathers,
        })
    }

    /// What is about the session itself depends on no names, and may be the SET that says what they mean: where there
    /// is no context this is planned all the same.
    pub fn control(self, text: &str, map: &ShardMap, schema: &Schema) -> Option<Plan> {
        let context = Context {
            map,
            schema,
            search_path: None,
            role: self.user,
            hint: None,
            param_types: &[],
            transaction_pooling: self.transaction_pooling,
            gathers: self.gathers,
        };
        let planned = plan(text, &context).ok();
        planned.filter(|plan| matches!(plan, Plan::Control(_)))
    }
}

/// Plans one statement (no semicolon-separated strings; see `sql::split`).
///
/// Errors: a refusal (0A000) with construct, reason and hint; 22023 for a hint that cannot be read or leads
/// nowhere; 42601 for text whose quotes or comments
/// do not end, and for text that names a listed table and cannot be read; 54000 and 54001 for text beyond
/// the limits of `sql::analyse`.
pub fn plan(text: &str, context: &Context<'_>) -> Result<Plan, PgError> {
    plan_tokens(text, &sql::tokens(text)?, context)
}

/// As `plan`, of the text's tokens, or of those in which slots stand for literals: then whatever would
/// look at a literal's value must refuse, for the plan is used for every value.
fn plan_tokens(text: &str, tokens: &[Token<'_>], context: &Context<'_>) -> Result<Plan, PgError> {
    let at = Cursor::new(text, tokens);
    if let Some(control) = control::control(at, context.transaction_pooling)? {
        if let Control::Set { setting, .. } = &control
            && is_own_setting(&setting.name)
        {
            check_own_setting(setting, context.map)?;
        }
        return Ok(Plan::Control(control));
    }
    if context.transaction_pooling || !context.map.is_unsharded() {
        // SET has been looked at; this one may be the role's, the database's or the server's.
        control::check_temporary(context.search_path.unwrap_or_default())?;
    }
    utility::check_session_state(at, context.transaction_pooling)?;
    if !context.map.is_unsharded() && !context.transaction_pooling {
        utility::check_temporary_types(at)?;
    }
    let unsettles = functions::check_session_state(tokens, context.transaction_pooling)?;
    let hint = hint::in_force(text, tokens, context)?;
    let mut planned = route_statement(at, tokens, context, hint.is_some());
    if let Some(hint) = hint {
        planned = hinted::plan(planned, hint, at, context);
    }
    Ok(match planned? {
        Plan::Route(route) => Plan::Route(Route {
            unsettles,
            catalogs: utility::catalogs(tokens),
            ..route
        }),
        control => control,
    })
}

fn route_statement(
    at: Cursor<'_>,
    tokens: &[Token<'_>],
    context: &Context<'_>,
    hinted: bool,
) -> Result<Plan, PgError> {
    if context.map.is_unsharded() {
        let reason = "no table of this database is sharded".to_owned();
        return Ok(Plan::Route(Route {
            explain: explained(at),
            ..only(Targets::Default, access(tokens), reason)
        }));
    }
    // What names mean depends on a setting, on whichever connection.
    if utility::sets_behind_our_back(tokens) {
        return Err(PgError::refusal(
            "UPDATE of pg_settings is not supported in a sharded database",
            "use SET",
        ));
    }
    let names = Names::new(context);
    // What a guard asks of the statement, no hint makes up for.
    let guarded = context.map.keyspaces.iter().any(|space| space.require_key);
    Planner {
        names: &names,
        context,
        lenient: hinted && !guarded && !hinted::has_slots(at.rest),
        gathers: context.gathers && !hinted,
        scatters: !hinted,
    }
    .statement(at)
}

struct Planner<'a> {
    names: &'a Names<'a>,
    context: &'a Context<'a>,
    /// Tables that nothing ties do not matter: a hint stands for them.
    lenient: bool,
    /// What needs rows of several shards may have them gathered.
    gathers: bool,
    /// And may be answered by each of them for its rows.
    scatters: bool,
}

impl Planner<'_> {
    fn statement(&self, at: Cursor<'_>) -> Result<Plan, PgError> {
        let mut rest = at;
        let Some(first) = rest.next() else {
            return Err(at.syntax_error());
        };
        if first.is_op("(") {
            return self.query(at);
        }
        if first.kind != Kind::Word {
            return Err(at.syntax_error());
        }
        match &*first.value {
            "select" | "values" | "with" | "table" | "insert" | "update" | "delete" | "merge" => {
                self.query(at)
            }
            "explain" => self.explain(rest),
            "declare" => self.declare(rest),
            "fetch" | "move" | "close" => Ok(route(
                Targets::Any,
                Access::Read,
                "a cursor belongs to the transaction's shard".to_owned(),
            )),
            "copy" => self.copy(rest),
            "show" => Ok(detached("a setting is the same on every shard")),
            "set" | "discard" | "unlisten" => Ok(route(
                Targets::Any,
                Access::Write,
                "it concerns the session's own connection".to_owned(),
            )),
            "listen" | "notify" => Ok(route(
                Targets::Default,
                Access::Write,
                "notifications go through the default shard".to_owned(),
            )),
            _ => self.by_names(at),
        }
    }

    /// SELECT, VALUES, TABLE, INSERT, UPDATE, DELETE, MERGE.
    fn query(&self, at: Cursor<'_>) -> Result<Plan, PgError> {
        let tokens = at.rest;
        let (calls, unproven) = match functions::check(tokens, self.names, self.context) {
            Ok(calls) => (calls, None),
            Err(error) if self.lenient => (functions::Calls::default(), Some(error)),
            Err(error) => return Err(error),
        };
        let access = access(tokens);
        check_escapes(tokens)?;
        let mentioned = self.names.mentioned(tokens).or(calls.in_sql.as_deref());
        let Some(listed) = mentioned else {
            if let Some(error) = unproven {
                return Err(error);
            }
            if let Some(function) = calls.on_default {
                return Ok(route(
                    Targets::Default,
                    Access::Write,
                    format!("{function} belongs to the default shard"),
                ));
            }
            if reads_no_table(tokens) && !functions::asks_server(tokens) {
                if is_constant(tokens) {
                    return Ok(detached("it reads no table"));
                }
                return Ok(route(Targets::Any, access, "it reads no table".to_owned()));
            }
            return Ok(route(
                Targets::Default,
                access,
                "it names no table of the shard map".to_owned(),
            ));
        };
        let outlined = self.scatters && access == Access::Read && !hinted::has_slots(tokens);
        let analysis = self.analyse(at, listed, calls.in_sql_count, outlined)?;
        let untied = match self.lenient {
            true => Untied::Noted,
            false => Untied::Refused,
        };
        let footprint = scope::footprint(&analysis.query, self.names, self.context, untied);
        let planned = footprint.and_then(|mut footprint| {
            footprint.untied = unproven.or(footprint.untied);
            self.route(footprint, &analysis.query, tokens, access, &calls)
        });
        let planned = planned.map(|plan| self.without_whole_rows(plan, &analysis.query));
        if access != Access::Read {
            return planned;
        }
        match planned {
            // With slots for literals less can be proved: the text itself is planned then.
            Err(refusal) if hinted::has_slots(tokens) => Err(refusal),
            Ok(Plan::Route(route)) if hinted::has_slots(tokens) => Ok(Plan::Route(Route {
                by_text: self.scatters && gather::may_be_several(&route.targets),
                gather: None,
                ..route
            })),
            Err(refusal) => self.over_several(at, &analysis, &calls, refusal),
            Ok(Plan::Route(mut route)) => {
                if gather::may_be_several(&route.targets) {
                    route.scatter = self.scattered(at, &analysis).ok().map(Box::new);
                }
                Ok(Plan::Route(route))
            }
            planned => planned,
        }
    }

    /// Into scopes, with the safety net: each name of the map among the tokens, and each of the `calls` of
    /// functions whose bodies are known, is one in the tree. `outlined`: with its outline.
    fn analyse(
        &self,
        at: Cursor<'_>,
        listed: &str,
        calls: usize,
        outlined: bool,
    ) -> Result<sql::Analysis, PgError> {
        let tokens = at.rest;
        self.check_readable(at, listed)?;
        let is_known = |name: &str| self.names.is_known(name);
        let is_call = |name: &str| calls > 0 && self.names.is_sql_function(name);
        let analysis = sql::analyse(tokens, at.text, &is_known, &is_call, outlined)
            .map_err(|unread| self.unread(unread, listed))?;
        let named = tokens
            .iter()
            .filter(|token| token.is_name() && self.names.is_known(&token.value))
            .count();
        if named != analysis.named {
            return Err(unread_construct(
                "a name of the shard map in an unusual place",
                listed,
            ));
        }
        if calls != analysis.calls {
            return Err(unread_construct(
                "a call of a user-defined function in an unusual place",
                listed,
            ));
        }
        Ok(analysis)
    }

    /// Tokens the parser is known to take for something else.
    fn check_readable(&self, at: Cursor<'_>, listed: &str) -> Result<(), PgError> {
        for (place, token) in at.rest.iter().enumerate() {
            let construct = match token.kind {
                Kind::BadString => "a string with an invalid escape",
                Kind::String
                    if at
                        .rest
                        .get(place + 1)
                        .is_some_and(|next| next.is_word("uescape")) =>
                {
                    "UESCAPE"
                }
                _ => continue,
            };
            return Err(unread_construct(construct, listed)
                .with_position(sql::position(at.text, token.start)));
        }
        self.names.check_path()
    }

    fn unread(&self, unread: Unread, listed: &str) -> PgError {
        match unread {
            Unread::Limit(error) => error,
            Unread::Construct(construct) => unread_construct(&construct, listed),
            // The session asks a server for a second opinion: where that can read it, this is a refusal.
            Unread::Syntax { message } => PgError::client(
                SqlState::SYNTAX_ERROR,
                format!("Trunkline could not read this statement, which names \"{listed}\": {message}"),
            )
            .with_hint("if PostgreSQL accepts it, write it in another way, or run it on the shard directly"),
        }
    }

    fn route(
        &self,
        mut found: Footprint<'_>,
        query: &Query,
        tokens: &[Token<'_>],
        access: Access,
        calls: &functions::Calls,
    ) -> Result<Plan, PgError> {
        let on_default = calls.on_default.as_ref().or(calls.asks_catalog.as_ref());
        let default = found
            .default
            .first()
            .cloned()
            .map(|table| format!("{table} (not in the shard map)"))
            .or_else(|| on_default.cloned());
        let Some(keyspace) = found.keyspace else {
            if let Some(error) = found.untied {
                return Err(error);
            }
            return Ok(match (default, found.reference.first()) {
                (Some(what), _) => route(
                    Targets::Default,
                    access,
                    format!("{what} is on the default shard"),
                ),
                (None, Some(table)) => route(
                    Targets::Any,
                    access,
                    format!("reference table {table} is whole on every shard"),
                ),
                (None, None) => route(Targets::Any, access, "it reads no table".to_owned()),
            });
        };
        if let Some(what) = default {
            let table = found
                .sharded
                .first()
                .map(ToString::to_string)
                .unwrap_or_default();
            let error = PgError::refusal(
                format!(
                    "{what} is on the default shard only and cannot be combined with sharded table {table}"
                ),
                "query them separately, or list it in reference_tables or in the keyspace",
            );
            if !self.lenient {
                return Err(error);
            }
            found.untied.get_or_insert(error);
        }
        let key = &self.names.map.keyspace(keyspace).key;
        let types: Vec<_> = key.columns.iter().map(|column| column.key_type).collect();
        params::check(
            tokens,
            &found.relations,
            &types,
            &found.inferred,
            self.context,
        )?;
        let unproven = found.untied.iter();
        let unproven = unproven.map(|error| format!("not proved: {}", error.message));
        let views = found.views.iter().map(|view| format!("view {view}"));
        let whole = found.reference.iter();
        let whole = whole.map(|table| format!("{table} is whole on every shard"));
        let reasons: Vec<String> = unproven.chain(views).chain(whole).collect();
        let targets = Targets::Key(KeyTarget {
            keyspace,
            relations: found.relations.clone(),
        });
        let gather =
            match self.gathers && access == Access::Read && gather::may_be_several(&targets) {
                true => self.gather(&found, query, tokens, calls).ok(),
                false => None,
            };
        Ok(Plan::Route(Route {
            gather: gather.map(Box::new),
            ..only(targets, access, reasons.join(", "))
        }))
    }
}

/// `U&"…" UESCAPE '!'` hides a name from us.
fn check_escapes(tokens: &[Token<'_>]) -> Result<(), PgError> {
    let escaped = tokens
        .windows(2)
        .any(|pair| pair[0].kind == Kind::UnicodeQuoted && pair[1].is_word("uescape"));
    if escaped {
        return Err(PgError::refusal(
            "an identifier with UESCAPE is not supported",
            "write the identifier in quotes",
        ));
    }
    Ok(())
}

fn unread_construct(construct: &str, listed: &str) -> PgError {
    PgError::refusal(
        format!("{construct} is not supported in a statement that names \"{listed}\""),
        "write the statement without it, or run it on the shard directly",
    )
}

fn only(targets: Targets, access: Access, reason: String) -> Route {
    Route {
        targets,
        access,
        explain: None,
        detached: false,
        unsettles: false,
        catalogs: Catalogs::Read,
        hint: None,
        gather: None,
        scatter: None,
        by_text: false,
        reason,
    }
}

fn detached(reason: &str) -> Plan {
    Plan::Route(Route {
        detached: true,
        ..only(Targets::Any, Access::Read, reason.to_owned())
    })
}

/// `SELECT 1 AS one`: literals, operators and labels. A name may be `current_timestamp`, and a cast
/// may be of `'now'`, which belong to a transaction.
fn is_constant(tokens: &[Token<'_>]) -> bool {
    let known = |at: usize, token: &Token<'_>| {
        ["select", "as", "null", "true", "false"]
            .iter()
            .any(|word| token.is_word(word))
            || (at > 0 && tokens[at - 1].is_word("as"))
    };
    tokens
        .iter()
        .enumerate()
        .all(|(at, token)| !token.is_op("::") && (!token.is_name() || known(at, token)))
}

fn route(targets: Targets, access: Access, reason: String) -> Plan {
    Plan::Route(only(targets, access, reason))
}

/// From above: a word that can write makes the statement a write.
fn access(tokens: &[Token<'_>]) -> Access {
    let reads = tokens
        .iter()
        .find(|token| !token.is_op("("))
        .is_some_and(|token| {
            [
                "select", "values", "table", "with", "show", "explain", "fetch", "move", "close",
            ]
            .iter()
            .any(|word| token.is_word(word))
        });
    let writes = |(at, token): (usize, &Token<'_>)| {
        let writes = [
            "insert", "update", "delete", "merge", "into", "nextval", "setval",
        ];
        // FOR SHARE and FOR KEY SHARE; else it is a column.
        let locks = token.is_word("share")
            && (at == 0 || tokens[at - 1].is_word("for") || tokens[at - 1].is_word("key"));
        locks || writes.iter().any(|word| token.is_word(word))
    };
    if reads && !tokens.iter().enumerate().any(writes) {
        Access::Read
    } else {
        Access::Write
    }
}

/// SELECT or VALUES in which nothing can bring a table in.
fn reads_no_table(tokens: &[Token<'_>]) -> bool {
    let first = tokens.iter().find(|token| !token.is_op("("));
    first.is_some_and(|token| token.is_word("select") || token.is_word("values"))
        && !tokens
            .iter()
            .any(|token| token.is_word("from") || token.is_word("table") || token.is_word("into"))
}

/// In a database without shards nothing is routed, but lines of our own may go before a text plan.
fn explained(at: Cursor<'_>) -> Option<crate::plan::ExplainFormat> {
    let structured = |token: &Token<'_>| {
        ["json", "xml", "yaml"]
            .iter()
            .any(|format| token.value.eq_ignore_ascii_case(format))
    };
    let mut rest = at;
    rest.take("explain").then(|| {
        if rest.rest.iter().take(20).any(structured) {
            crate::plan::ExplainFormat::Structured
        } else {
            crate::plan::ExplainFormat::Text
        }
    })
}

#[cfg(test)]
pub(crate) mod tests;
