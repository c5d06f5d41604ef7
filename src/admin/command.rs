//! The table of commands, and the parser that reads it.

use crate::error::{PgError, SqlState};
use crate::sql::{self, Kind, Token};
use crate::types::Oid;

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    Show(Show),
    Reload,
    /// What drivers send of their own accord; answered by this tag and nothing else.
    Ignored(&'static str),
}

/// A view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Show {
    Shards,
    Pools,
    Sessions,
    Map,
    Tables,
    Schema,
    Directories,
    Config,
    Version,
    Help,
}

/// One row of the table: how a command is written, what it does, what it shows.
pub(super) struct Definition {
    /// Upper case, one blank between words.
    pub(super) words: &'static str,
    pub(super) command: Command,
    pub(super) summary: &'static str,
    /// Empty for a command without rows.
    pub(super) columns: &'static [Field],
}

/// One column of a view.
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) oid: Oid,
    #[cfg_attr(not(test), expect(dead_code, reason = "docs/admin.md is made of it"))]
    pub(super) meaning: &'static str,
}

/// The definition of a view.
pub(super) fn definition(command: Command) -> Option<&'static Definition> {
    COMMANDS
        .iter()
        .find(|definition| definition.command == command)
}

/// Reads one command: case, comments, blanks and a semicolon at the end do not matter.
pub(super) fn parse(text: &str) -> Result<Command, PgError> {
    let pieces = sql::split(text)?;
    let statement = match pieces.as_slice() {
        [] => return Ok(Command::Ignored("")),
        [piece] => &text[piece.range.clone()],
        _ => {
            return Err(PgError::refusal(
                "several admin commands in one string",
                "Send them one at a time.",
            ));
        }
    };
    let tokens = sql::tokens(statement)?;
    let known = COMMANDS
        .iter()
        .find(|definition| is_written(&tokens, definition.words));
    if let Some(definition) = known {
        return Ok(definition.command);
    }
    match ignored(&tokens) {
        Some(tag) => Ok(Command::Ignored(tag)),
        None => Err(unknown(statement, &tokens)),
    }
}

fn is_written(tokens: &[Token<'_>], words: &str) -> bool {
    let mut expected = words.split(' ');
    let same = |token: &Token<'_>| {
        let word = expected.next();
        token.kind == Kind::Word && word.is_some_and(|word| token.value.eq_ignore_ascii_case(word))
    };
    tokens.iter().all(same) && expected.next().is_none()
}

/// Tags of the statements drivers send when they connect or begin to work: there is no session state
/// here that they could change.
fn ignored(tokens: &[Token<'_>]) -> Option<&'static str> {
    let first = tokens.first()?;
    let assigns = |token: &Token<'_>| token.is_op("=") || token.is_word("to");
    match &*first.value {
        _ if first.kind != Kind::Word => None,
        "set" if tokens.iter().any(assigns) => Some("SET"),
        "begin" => Some("BEGIN"),
        "start" => Some("START TRANSACTION"),
        "commit" | "end" => Some("COMMIT"),
        "rollback" | "abort" => Some("ROLLBACK"),
        _ => None,
    }
}

fn unknown(statement: &str, tokens: &[Token<'_>]) -> PgError {
    let all: Vec<&str> = COMMANDS.iter().map(|definition| definition.words).collect();
    let hint = format!("The commands are {}.", all.join(", "));
    let is_sql = |word| tokens.first().is_some_and(|token| token.is_word(word));
    if [
        "select", "with", "table", "values", "insert", "update", "delete",
    ]
    .into_iter()
    .any(is_sql)
    {
        return PgError::refusal(
            "the admin console runs no SQL: psql's \\l, \\d and the like do not work here",
            hint,
        );
    }
    let start: String = statement.chars().take(STATEMENT_CHARS_SHOWN).collect();
    PgError::client(
        SqlState::SYNTAX_ERROR,
        format!("unknown admin command \"{start}\""),
    )
    .with_hint(hint)
}

/// Of a command that is none, this much is quoted.
const STATEMENT_CHARS_SHOWN: usize = 60;

const fn text(name: &'static str, meaning: &'static str) -> Field {
    Field {
        name,
        oid: Oid::TEXT,
        meaning,
    }
}

const fn count(name: &'static str, meaning: &'static str) -> Field {
    Field {
        name,
        oid: Oid::INT8,
        meaning,
    }
}

const DATABASE: Field = text("database", "the database, as clients know it");
const SHARD: Field = text("shard", "the shard's name");
const SERVER: Field = text("server", "the server's address");

pub(super) const COMMANDS: &[Definition] = &[
    Definition {
        words: "SHOW SHARDS",
        command: Command::Show(Show::Shards),
        summary: "servers and what the monitors last saw of them",
        columns: &[
            DATABASE,
            SHARD,
            SERVER,
            text(
                "role",
                "`primary`: statements go here; `replica`: in recovery; `stale`: a former primary that does not know it was replaced; `unknown`",
            ),
            Field {
                name: "reachable",
                oid: Oid::BOOL,
                meaning: "the last poll got an answer",
            },
            text(
                "lsn",
                "position of the log: written on a primary, replayed on a replica",
            ),
            Field {
                name: "lag_seconds",
                oid: Oid::NUMERIC,
                meaning: "age of the last transaction a replica has replayed",
            },
            count("timeline", "the server's timeline"),
            text("version", "PostgreSQL's version"),
            text("last_error", "why the last poll failed"),
        ],
    },
    Definition {
        words: "SHOW POOLS",
        command: Command::Show(Show::Pools),
        summary: "server connections, a row for each shard, server and user that has had some",
        columns: &[
            DATABASE,
            SHARD,
            SERVER,
            text("user", "who is logged in to the server"),
            count("size", "connections at most"),
            count("idle", "open and free"),
            count("leased", "in use by sessions, or being opened for one"),
            count("waiting", "sessions waiting for one"),
            count("leases", "handed to sessions so far"),
            count("waits", "leases that found every connection taken"),
            count("wait_timeouts", "leases given up after `pool.wait`"),
            count("connects", "connections opened"),
            count("connect_failures", "connections that could not be opened"),
        ],
    },
    Definition {
        words: "SHOW SESSIONS",
        command: Command::Show(Show::Sessions),
        summary: "clients connected now",
        columns: &[
            count("id", "the process id the client was told"),
            text("user", "the client's user"),
            text("database", "its database; `trunkline` is the console"),
            text("client", "its address"),
            text("tls", "the version of TLS it connected with; empty without"),
            text("application", "its `application_name` when it connected"),
            text("state", "`idle`, `active`, `idle in transaction`"),
            count("statements", "statements so far; their text is never shown"),
            text("connected", "since when, UTC"),
        ],
    },
    Definition {
        words: "SHOW MAP",
        command: Command::Show(Show::Map),
        summary: "which shard holds which logical shards and tables",
        columns: &[
            DATABASE,
            text(
                "kind",
                "`sharded`: by key; `reference`: whole on every shard; `default`: all tables not listed",
            ),
            text("keyspace", "the keyspace, of sharded tables"),
            text("key", "column and type of its sharding key"),
            text("function", "its sharding function"),
            text(
                "logical_shards",
                "numbers of the logical shards on this shard",
            ),
            SHARD,
            text("tables", "the tables"),
        ],
    },
    Definition {
        words: "SHOW TABLES",
        command: Command::Show(Show::Tables),
        summary: "listed tables",
        columns: &[
            DATABASE,
            text("table", "the table, without the schema `public`"),
            text("kind", "`sharded` or `reference`"),
            text("keyspace", "the keyspace of a sharded table"),
            text("key", "the column of its sharding key"),
        ],
    },
    Definition {
        words: "SHOW SCHEMA",
        command: Command::Show(Show::Schema),
        summary: "what the servers' catalogs make of listed tables, and of what is reached from them",
        columns: &[
            DATABASE,
            text("relation", "table, view or function"),
            text(
                "kind",
                "`listed`; `part` of a listed table; `view` or `function` whose query is known; `opaque`: statements \
                 that name it are refused",
            ),
            count(
                "columns",
                "columns that are known to be the same on all shards",
            ),
            text("detail", "the table it is a part of, or why it is opaque"),
        ],
    },
    Definition {
        words: "SHOW DIRECTORIES",
        command: Command::Show(Show::Directories),
        summary: "directories of keyspaces, and whether what is written in them is in force",
        columns: &[
            DATABASE,
            text("keyspace", "the keyspace"),
            count(
                "entries",
                "entries in force; NULL before the directory has been read",
            ),
            count("waiting", "rows that differ from what is in force"),
            text("last_error", "why"),
        ],
    },
    Definition {
        words: "SHOW CONFIG",
        command: Command::Show(Show::Config),
        summary: "the settings in use, defaults included, passwords left out",
        columns: &[text("name", "the setting"), text("value", "its value")],
    },
    Definition {
        words: "SHOW VERSION",
        command: Command::Show(Show::Version),
        summary: "the proxy's version",
        columns: &[text("version", "the version")],
    },
    Definition {
        words: "SHOW HELP",
        command: Command::Show(Show::Help),
        summary: "this list",
        columns: &[
            text("command", "the command"),
            text("meaning", "what it does"),
        ],
    },
    Definition {
        words: "RELOAD",
        command: Command::Reload,
        summary: "reads the configuration again, as SIGHUP does; one with errors changes nothing and its errors are the answer",
        columns: &[text("message", "what was done")],
    },
];
