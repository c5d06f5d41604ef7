//! How a plan prints: one line for each fact, the same in golden files, EXPLAIN and `trunkline explain`.

use std::fmt;

use super::{Access, Control, KeySource, KeyTarget, ParamValues, Plan, Route, Setting, Targets};
use crate::shardmap::ShardMap;
use crate::types::{KeyValue, Oid};

/// The route in lines: where to and why. Parameters without a value stay `$n`.
pub fn explain_lines(
    route: &Route,
    map: &ShardMap,
    declared: &[Oid],
    params: &dyn ParamValues,
) -> Vec<String> {
    let access = match route.access {
        Access::Read => "read",
        Access::Write => "write",
    };
    let mut lines = Vec::new();
    match &route.targets {
        Targets::Any => lines.push(format!("Route any shard, {access}")),
        Targets::Default => {
            lines.push(format!(
                "Route default shard {}, {access}",
                map.shard_name(map.default_shard)
            ));
        }
        Targets::Key(target) => {
            lines.push(format!("Route one shard, {access}"));
            lines.extend(
                target
                    .sources
                    .iter()
                    .map(|source| format!("  {}", key_line(target, source, map, declared, params))),
            );
        }
    }
    lines.push(format!("  {}", route.reason));
    lines
}

/// `tenants by hash(organization_id = 5) -> logical 17 -> s1`.
fn key_line(
    target: &KeyTarget,
    source: &KeySource,
    map: &ShardMap,
    declared: &[Oid],
    params: &dyn ParamValues,
) -> String {
    let keyspace = map.keyspace(target.keyspace);
    let name = match source {
        KeySource::Literal(value) => print_value(value),
        KeySource::Invalid => "an invalid value".to_owned(),
        KeySource::Param { index, .. } => format!("${}", u32::from(*index) + 1),
    };
    let head = format!(
        "{} by {}({} = {name})",
        keyspace.name,
        keyspace.function.name(),
        keyspace.key.column
    );
    let one = KeyTarget {
        keyspace: target.keyspace,
        sources: vec![source.clone()],
        stores: false,
    };
    let alone = Route {
        targets: Targets::Key(one),
        access: Access::Read,
        explain: None,
        detached: false,
        unsettles: false,
        reason: String::new(),
    };
    if matches!(source, KeySource::Param { index, .. } if params.param(*index).is_none()) {
        return head;
    }
    match alone.locate(map, declared, params) {
        Ok(located) => match located.first() {
            Some((_, logical, shard)) => format!(
                "{head} -> logical {} -> {}",
                logical.0,
                map.shard_name(*shard)
            ),
            None => format!("{head} -> no row"),
        },
        Err(error) => format!("{head}: {}", error.message),
    }
}

fn print_value(value: &KeyValue) -> String {
    match value {
        KeyValue::Null => "NULL".to_owned(),
        KeyValue::Int(value) => value.to_string(),
        KeyValue::Text(text) => {
            let escape = |c: char| {
                if c.is_control() {
                    c.escape_default().to_string()
                } else {
                    c.to_string()
                }
            };
            format!(
                "'{}'",
                text.replace('\'', "''")
                    .chars()
                    .map(escape)
                    .collect::<String>()
            )
        }
        KeyValue::Uuid(bytes) => {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            format!(
                "'{}-{}-{}-{}-{}'",
                &hex[..8],
                &hex[8..12],
                &hex[12..16],
                &hex[16..20],
                &hex[20..]
            )
        }
    }
}

impl fmt::Display for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let chained = |chain: &bool| if *chain { " and chain" } else { "" };
        match self {
            Self::Empty => f.write_str("Empty"),
            Self::Begin { text } => write!(f, "Begin: {text}"),
            Self::Commit { chain } => write!(f, "Commit{}", chained(chain)),
            Self::Rollback { chain } => write!(f, "Rollback{}", chained(chain)),
            Self::Savepoint { name } => write!(f, "Savepoint {name:?}"),
            Self::Release { name } => write!(f, "Release savepoint {name:?}"),
            Self::RollbackTo { name } => write!(f, "Rollback to savepoint {name:?}"),
            Self::SetTransaction => f.write_str("Set transaction"),
            Self::Set { setting, local } => {
                write!(f, "Set{} {setting}", if *local { " local" } else { "" })
            }
            Self::Reset { name: Some(name) } => write!(f, "Reset {name}"),
            Self::Reset { name: None } => f.write_str("Reset all"),
            Self::DiscardAll => f.write_str("Discard all"),
            Self::Deallocate { name: Some(name) } => write!(f, "Deallocate {name:?}"),
            Self::Deallocate { name: None } => f.write_str("Deallocate all"),
        }
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.values {
            Some(values) => write!(f, "{} = {values:?}", self.name),
            None => write!(f, "{} = default", self.name),
        }
    }
}

impl Plan {
    /// The plan in lines; see [`explain_lines`].
    pub fn lines(&self, map: &ShardMap, declared: &[Oid], params: &dyn ParamValues) -> Vec<String> {
        match self {
            Self::Control(control) => vec![format!("Control {control}")],
            Self::Route(route) => {
                let mut lines = explain_lines(route, map, declared, params);
                if let Some(format) = route.explain {
                    lines.push(format!("  explained as {format:?}").to_lowercase());
                }
                lines
            }
        }
    }
}
