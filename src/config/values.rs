//! Small values with a syntax of their own: addresses, identifiers, table names.

use std::path::PathBuf;

use super::reader::{Context, NAME_BYTES_MAX, whole_number};
use super::resolved::Address;
use super::yaml::Node;
use crate::shardmap::TableName;

/// `host:port`, `[v6]:port`, or a Unix socket: its directory (`/run/postgresql`, `/run/postgresql:6432`)
/// or its full path (`/run/postgresql/.s.PGSQL.5432`).
pub(super) fn address(context: &Context<'_>, node: &Node, default_port: u16) -> Option<Address> {
    const EXPECTED: &str = "host:port, [v6]:port or the path of a Unix socket";
    let text = context.text(node, EXPECTED)?;
    match parse_address(text, default_port) {
        Ok(address) => Some(address),
        Err(problem) => {
            context.error(
                node.at,
                format!("{problem} in {text:?}, expected {EXPECTED}"),
            );
            None
        }
    }
}

fn parse_address(text: &str, default_port: u16) -> Result<Address, &'static str> {
    if text.starts_with('/') {
        return parse_socket(text, default_port);
    }
    let (host, port) = text.rsplit_once(':').ok_or("no port")?;
    let host = match host.strip_prefix('[') {
        Some(v6) => {
            let v6 = v6.strip_suffix(']').ok_or("no closing bracket")?;
            v6.parse::<std::net::Ipv6Addr>()
                .map_err(|_| "no valid IPv6 address between the brackets")?;
            v6
        }
        None if host.contains(':') => return Err("an IPv6 address without brackets"),
        None => host,
    };
    if host.is_empty() {
        return Err("no host");
    }
    if host.chars().any(|c| {
        c.is_whitespace() || c.is_control() || matches!(c, '/' | '@' | ',' | '[' | ']' | '*')
    }) {
        return Err("a character that no host name has");
    }
    Ok(Address::Tcp {
        host: host.to_owned(),
        port: parse_port(port)?,
    })
}

fn parse_socket(text: &str, default_port: u16) -> Result<Address, &'static str> {
    if text.contains('\0') {
        return Err("a zero byte");
    }
    let (directory, port) = match text.rsplit_once(':') {
        Some((directory, port)) => (directory, parse_port(port)?),
        None => (text, default_port),
    };
    let path = PathBuf::from(directory);
    let socket_port = path
        .file_name()
        .and_then(|name| name.to_str()?.strip_prefix(".s.PGSQL."));
    let path = if socket_port.map(parse_port).transpose()?.is_some() {
        path
    } else {
        path.join(format!(".s.PGSQL.{port}"))
    };
    // `sun_path` has 108 bytes on Linux and needs a terminating zero.
    if path.as_os_str().len() > 107 {
        Err("a path too long for a Unix socket")
    } else {
        Ok(Address::Unix(path))
    }
}

fn parse_port(text: &str) -> Result<u16, &'static str> {
    whole_number(text)
        .and_then(|port| u16::try_from(port).ok())
        .filter(|port| *port != 0)
        .ok_or("no port from 1 to 65535")
}

/// A table's name, `table` or `schema.table`, read as PostgreSQL reads it.
pub(super) fn table_name(
    context: &Context<'_>,
    at: super::Position,
    text: &str,
) -> Option<TableName> {
    let parts = identifiers(text);
    let problem = match parts.as_deref() {
        Ok([name]) => {
            return Some(TableName {
                schema: "public".to_owned(),
                name: name.clone(),
            });
        }
        // `pg_` is reserved for the system: pg_catalog, pg_toast, temporary schemas.
        Ok([schema, _]) if schema.starts_with("pg_") || schema == "information_schema" => {
            "system schemas cannot be sharded"
        }
        Ok([schema, name]) => {
            return Some(TableName {
                schema: schema.clone(),
                name: name.clone(),
            });
        }
        Ok(_) => "expected a table's name, optionally with its schema",
        Err(problem) => problem,
    };
    context.error(at, format!("{problem}: {text:?}"));
    None
}

/// A column's name, read as PostgreSQL reads it.
pub(super) fn column_name(context: &Context<'_>, node: &Node) -> Option<String> {
    let text = context.text(node, "the name of a column")?;
    let problem = match identifiers(text) {
        Ok(mut parts) if parts.len() == 1 => return parts.pop(),
        Ok(_) => "expected the name of a column without its table",
        Err(problem) => problem,
    };
    context.error(node.at, format!("{problem}: {text:?}"));
    None
}

/// Dotted identifiers: folded to lower case unless quoted. PostgreSQL folds ASCII letters only where the
/// encoding has several bytes for a character, which UTF-8 does.
/// Source: <https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-IDENTIFIERS>
fn identifiers(text: &str) -> Result<Vec<String>, &'static str> {
    let mut parts = Vec::new();
    let mut rest = text;
    loop {
        let (part, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_identifier(quoted)?,
            None => plain_identifier(rest)?,
        };
        if part.is_empty() {
            return Err("an empty name");
        }
        if part.contains('\0') {
            return Err("a zero byte in a name");
        }
        if part.len() > NAME_BYTES_MAX {
            return Err("a name of more than 63 bytes, which PostgreSQL would cut");
        }
        parts.push(part);
        match after.strip_prefix('.') {
            Some(next) => rest = next,
            None if after.is_empty() => return Ok(parts),
            None => {
                return Err(
                    "not a valid name (use double quotes inside single quotes: '\"Name\"')",
                );
            }
        }
    }
}

fn quoted_identifier(text: &str) -> Result<(String, &str), &'static str> {
    let mut name = String::new();
    let mut rest = text;
    loop {
        let (before, after) = rest
            .split_once('"')
            .ok_or("a double quote that does not end")?;
        name.push_str(before);
        match after.strip_prefix('"') {
            Some(next) => {
                name.push('"');
                rest = next;
            }
            None => return Ok((name, after)),
        }
    }
}

fn plain_identifier(text: &str) -> Result<(String, &str), &'static str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '$') || !c.is_ascii();
    let end = text.find(|c| !is_part(c)).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    if name.starts_with(|c: char| c.is_ascii_digit() || c == '$') {
        return Err("not a valid name (use double quotes inside single quotes: '\"1st\"')");
    }
    Ok((name.to_ascii_lowercase(), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (text, printed) in [
            ("127.0.0.1:6432", "127.0.0.1:6432"),
            ("db.example:1", "db.example:1"),
            ("[::1]:65535", "[::1]:65535"),
            ("/run/postgresql", "/run/postgresql/.s.PGSQL.5432"),
            ("/run/postgresql/", "/run/postgresql/.s.PGSQL.5432"),
            ("/run/postgresql:7000", "/run/postgresql/.s.PGSQL.7000"),
            ("/tmp/.s.PGSQL.7001", "/tmp/.s.PGSQL.7001"),
        ] {
            assert_eq!(
                parse_address(text, 5432).map(|a| a.to_string()),
                Ok(printed.to_owned()),
                "{text}"
            );
        }
        for text in [
            "",
            "host",
            ":5432",
            "host:",
            "host:0",
            "host:70000",
            "host:+5",
            "::1:5432",
            "[::1]",
            "[::1:5432",
            "[x]:1",
            "a b:1",
            "*:6432",
            "/tmp:0",
            "/tmp:x",
            "/tmp/.s.PGSQL.x",
        ] {
            assert!(parse_address(text, 5432).is_err(), "{text}");
        }
    }

    #[test]
    fn names_fold_as_in_postgresql() {
        for (text, expected) in [
            ("orders", &["orders"][..]),
            ("Orders", &["orders"]),
            ("\"Orders\"", &["Orders"]),
            ("Sales.\"a.b\"", &["sales", "a.b"]),
            ("\"a\"\"b\".c", &["a\"b", "c"]),
            ("_x$1", &["_x$1"]),
            ("GRÜSSE", &["grÜsse"]),
            ("a.b.c", &["a", "b", "c"]),
        ] {
            assert_eq!(
                identifiers(text).as_deref(),
                Ok(&expected.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>()[..])
            );
        }
        for text in [
            "",
            "a.",
            ".a",
            "1a",
            "$a",
            "a b",
            "a-b",
            "\"a",
            "\"\"",
            "a\"b\"",
            &"x".repeat(64),
        ] {
            assert!(identifiers(text).is_err(), "{text}");
        }
    }
}
