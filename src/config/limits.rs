//! `limits`, of the whole proxy and of a user.

use std::time::Duration;

use super::reader::{Context, MapReader};
use super::resolved::{Limits, Timeouts};
use super::yaml::Node;

/// Most clients that can be configured; each takes a descriptor.
const CONNECTIONS_MAX: u64 = 1_000_000;
/// PostgreSQL's own limit on a message.
/// Source: `PQ_LARGE_MESSAGE_LIMIT` in `src/include/libpq/libpq.h`.
const MESSAGE_BYTES_MAX: u64 = (1 << 30) - 2;
/// A statement needs some room.
const MESSAGE_BYTES_MIN: u64 = 16 << 10;

pub(super) fn limits(context: &Context<'_>, node: &Node) -> Option<Limits> {
    let mut map = context.map(node, "limits: { connections, message_bytes, … }")?;
    let defaults = Limits::default();
    let connections = count(context, &mut map, "connections");
    let connections_per_user = count(context, &mut map, "connections_per_user");
    let connections_per_address = count(context, &mut map, "connections_per_address");
    let login_timeout =
        map.optional("login_timeout")
            .map_or(Some(defaults.login_timeout), |node| {
                let timeout = context.duration(node)?;
                if timeout.is_zero() {
                    context.error(node.at, "`login_timeout` must be longer than 0");
                }
                Some(timeout)
            });
    let login_failures = map
        .optional("login_failures")
        .map_or(Some(defaults.login_failures), |node| {
            context.number(node, 1, 10_000).map(|n| n as u32)
        });
    let message_bytes =
        map.optional("message_bytes")
            .map_or(Some(defaults.message_bytes), |node| {
                context
                    .bytes(node, MESSAGE_BYTES_MIN, MESSAGE_BYTES_MAX)
                    .map(|n| n as usize)
            });
    let timeouts = timeouts(context, &mut map, defaults.timeouts);
    map.finish();
    Some(Limits {
        connections: connections?.unwrap_or(defaults.connections),
        connections_per_user: connections_per_user?,
        connections_per_address: connections_per_address?,
        login_timeout: login_timeout?,
        login_failures: login_failures?,
        message_bytes: message_bytes?,
        timeouts: timeouts?,
    })
}

/// A user's own: how many clients, and timeouts where they differ from `general`.
pub(super) fn of_user(
    context: &Context<'_>,
    node: &Node,
    general: Timeouts,
) -> Option<(Option<usize>, Timeouts)> {
    let mut map = context.map(
        node,
        "limits of a user: { connections, statement_timeout, … }",
    )?;
    let connections = count(context, &mut map, "connections");
    let timeouts = timeouts(context, &mut map, general);
    map.finish();
    Some((connections?, timeouts?))
}

/// Outside is a failure, inside is "no limit".
fn count(
    context: &Context<'_>,
    map: &mut MapReader<'_>,
    key: &'static str,
) -> Option<Option<usize>> {
    map.optional(key).map_or(Some(None), |node| {
        context
            .number(node, 1, CONNECTIONS_MAX)
            .map(|n| Some(n as usize))
    })
}

/// By PostgreSQL's names; 0 switches one off.
/// Source: <https://www.postgresql.org/docs/current/runtime-config-client.html>
fn timeouts(context: &Context<'_>, map: &mut MapReader<'_>, general: Timeouts) -> Option<Timeouts> {
    let mut timeout = |key, general: Option<Duration>| {
        map.optional(key).map_or(Some(general), |node| {
            let duration = context.duration(node)?;
            Some((!duration.is_zero()).then_some(duration))
        })
    };
    let statement = timeout("statement_timeout", general.statement);
    let idle_in_transaction = timeout(
        "idle_in_transaction_session_timeout",
        general.idle_in_transaction,
    );
    let idle_session = timeout("idle_session_timeout", general.idle_session);
    Some(Timeouts {
        statement: statement?,
        idle_in_transaction: idle_in_transaction?,
        idle_session: idle_session?,
    })
}
