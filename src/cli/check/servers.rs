//! Servers, logins and settings: facts in, findings out.

use super::Finding;
use super::facts::{DatabaseFacts, LoginError, ServerFacts, ServerState, SessionState, ShardFacts};
use crate::config::Database;

/// Oldest major version we know to work with.
const MAJOR_MIN: i32 = 13;

pub(super) fn findings(database: &Database, facts: &DatabaseFacts) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(reason) = &facts.unusable_tls {
        findings.push(Finding::error(
            None,
            "server_tls",
            format!("{reason}, so no server was asked"),
            "correct `server_tls.ca`",
        ));
    }
    let uses_public = database
        .map
        .tables
        .keys()
        .any(|table| table.schema == "public");
    for shard in &facts.shards {
        for server in &shard.servers {
            match &server.service {
                Ok(state) => server_findings(&mut findings, shard, server, state),
                Err(error) => {
                    findings.push(login_finding(shard, server, &database.service.user, error))
                }
            }
            for (user, login) in &server.users {
                match login {
                    Ok(session) => {
                        session_findings(&mut findings, shard, server, user, session, uses_public)
                    }
                    Err(error) => findings.push(login_finding(shard, server, user, error)),
                }
            }
            verifier_findings(&mut findings, shard, server);
        }
        primary_findings(&mut findings, shard);
    }
    version_findings(&mut findings, facts);
    findings
}

fn login_finding(
    shard: &ShardFacts,
    server: &ServerFacts,
    user: &str,
    error: &LoginError,
) -> Finding {
    let object = format!("server {}", server.address);
    match error {
        LoginError::Unreachable(reason) => Finding::error(
            Some(&shard.name),
            object,
            format!("cannot be talked to: {reason}"),
            "start the server, or correct its address under `servers`, `server_tls` or the password",
        ),
        LoginError::Refused(reason) => Finding::error(
            Some(&shard.name),
            object,
            format!("refuses user `{user}`: {reason}"),
            "this server needs the database, the user with the configured password, and a line for them in pg_hba.conf",
        ),
    }
}

fn verifier_findings(findings: &mut Vec<Finding>, shard: &ShardFacts, server: &ServerFacts) {
    for user in &server.other_verifiers {
        findings.push(Finding::warning(
            Some(&shard.name),
            format!("user {user} on server {}", server.address),
            "the role has another verifier than the configured one, or there is none, so the user's own login does not \
             open this server",
            "give the role the configured verifier with ALTER ROLE … PASSWORD, or configure `server_password`",
        ));
    }
    if let Some(error) = &server.lookup_error {
        findings.push(Finding::error(
            Some(&shard.name),
            format!("server {}", server.address),
            format!("`auth_query` does not work: {error}"),
            "ask through a SECURITY DEFINER function that the service user may call, see auth_query in docs/configuration.md",
        ));
    }
}

fn server_findings(
    findings: &mut Vec<Finding>,
    shard: &ShardFacts,
    server: &ServerFacts,
    state: &ServerState,
) {
    let object = || format!("server {}", server.address);
    let shard = Some(shard.name.as_str());
    if state.version / 10_000 < MAJOR_MIN {
        findings.push(Finding::error(
            shard,
            object(),
            format!(
                "runs PostgreSQL {}, older than {MAJOR_MIN}",
                state.version / 10_000
            ),
            format!("upgrade it to PostgreSQL {MAJOR_MIN} or later"),
        ));
    }
    if state.encoding != "UTF8" {
        findings.push(Finding::error(
            shard,
            object(),
            format!(
                "the database's encoding is {}, so its texts hash differently",
                state.encoding
            ),
            "create the database with encoding UTF8",
        ));
    }
    let available =
        usize::try_from(state.max_connections - state.reserved_connections).unwrap_or(0);
    if server.connections_max > available {
        findings.push(Finding::warning(
            shard,
            object(),
            format!(
                "the pools may open {} connections, the server takes {available} (max_connections {} without {} \
                 reserved ones)",
                server.connections_max, state.max_connections, state.reserved_connections
            ),
            "raise max_connections or lower `pool.size`, of which each user of each database has its own",
        ));
    }
}

fn session_findings(
    findings: &mut Vec<Finding>,
    shard: &ShardFacts,
    server: &ServerFacts,
    user: &str,
    session: &SessionState,
    uses_public: bool,
) {
    let object = || format!("user {user} on server {}", server.address);
    let shard = Some(shard.name.as_str());
    if !session.standard_conforming_strings {
        findings.push(Finding::error(
            shard,
            object(),
            "standard_conforming_strings is off, so literals mean something else than Trunkline reads",
            "set it to on, for the server, the database or the role",
        ));
    }
    if !uses_public {
        return;
    }
    match session.schemas.iter().position(|schema| schema == "public") {
        Some(0) => {}
        Some(before) => findings.push(Finding::warning(
            shard,
            object(),
            format!(
                "search_path finds tables in {} before those in public",
                session.schemas[..before].join(", ")
            ),
            "see that no table there has the name of a listed one",
        )),
        None => findings.push(Finding::error(
            shard,
            object(),
            "search_path does not lead to the schema public, where listed tables are",
            "set the role's search_path to \"$user\", public, and grant it USAGE on the schema",
        )),
    }
}

fn primary_findings(findings: &mut Vec<Finding>, shard: &ShardFacts) {
    let reached: Vec<(&str, bool)> = shard
        .servers
        .iter()
        .filter_map(|server| {
            Some((
                server.address.as_str(),
                server.service.as_ref().ok()?.in_recovery,
            ))
        })
        .collect();
    let primaries: Vec<&str> = reached
        .iter()
        .filter(|(_, replica)| !replica)
        .map(|(address, _)| *address)
        .collect();
    match primaries.as_slice() {
        // With nothing reached, that is the finding.
        [_] => {}
        [] if reached.is_empty() => {}
        [] => findings.push(Finding::error(
            Some(&shard.name),
            "servers",
            "none of the servers that answer is a primary",
            "promote one, or list the primary under `servers`",
        )),
        several => findings.push(Finding::error(
            Some(&shard.name),
            "servers",
            format!("several servers are primaries: {}", several.join(", ")),
            "a shard is one cluster: stop the wrong one, or make it a shard of its own",
        )),
    }
}

fn version_findings(findings: &mut Vec<Finding>, facts: &DatabaseFacts) {
    let mut majors: Vec<(i32, &str)> = facts
        .shards
        .iter()
        .flat_map(|shard| {
            shard
                .servers
                .iter()
                .map(move |server| (server, shard.name.as_str()))
        })
        .filter_map(|(server, shard)| Some((server.service.as_ref().ok()?.version / 10_000, shard)))
        .collect();
    majors.sort_unstable();
    majors.dedup();
    if majors.first().map(|(major, _)| major) != majors.last().map(|(major, _)| major) {
        let list: Vec<String> = majors
            .iter()
            .map(|(major, shard)| format!("{major} on {shard}"))
            .collect();
        findings.push(Finding::warning(
            None,
            "servers",
            format!("PostgreSQL's major version differs: {}", list.join(", ")),
            "upgrade the older ones: what one version accepts another may refuse",
        ));
    }
}
