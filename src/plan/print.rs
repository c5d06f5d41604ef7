//! How a plan prints: one line for each fact, the same in golden files, EXPLAIN and `trunkline explain`.

use std::fmt::{self, Write as _};

use super::{
    Access, Control, Destination, Gathering, Hinted, HintedTo, KeySource, KeyTarget, Known,
    Located, Plan, RelationKey, Route, Scatter, Setting, Targets, Values,
};
use crate::shardmap::{Keyspace, LogicalShardId, ShardId, ShardMap};
use crate::sql::Literal;
use crate::sql::tree::Slot;
use crate::types::{KeyType, KeyValue};

/// The route in lines: where to and why. Parameters without a value stay `$n`.
pub fn explain_lines(route: &Route, map: &ShardMap, values: Values<'_>) -> Vec<String> {
    let access = match route.access {
        Access::Read => "read",
        Access::Write => "write",
    };
    match (route.resolve(map, values), &route.scatter) {
        (Ok(Destination::Gather(gathering)), _) => {
            return gather_lines(route, &gathering, access, map);
        }
        (Ok(Destination::Scatter(shards)), Some(scatter)) => {
            return scatter_lines(route, scatter, &shards, map, values);
        }
        _ => {}
    }
    let mut lines = Vec::new();
    match &route.targets {
        Targets::Any | Targets::Default if route.hint.is_some() => {
            lines.push(format!("Route one shard by hint, {access}"));
        }
        Targets::Any => lines.push(format!("Route any shard, {access}")),
        Targets::Default => {
            lines.push(format!(
                "Route default shard {}, {access}",
                map.shard_name(map.default_shard)
            ));
        }
        Targets::Key(target) => {
            lines.push(format!("Route one shard, {access}"));
            for relation in &target.relations {
                lines.extend(
                    relation_lines(target, relation, map, values)
                        .into_iter()
                        .map(|line| format!("  {line}")),
                );
            }
        }
    }
    if let Some(hinted) = &route.hint {
        lines.push(format!("  {}", hint_line(hinted, map)));
    }
    if !route.reason.is_empty() {
        lines.push(format!("  {}", route.reason));
    }
    lines
}

/// The route in lines where what could be scattered is gathered.
pub fn explain_gathering(route: &Route, gathering: &Gathering, map: &ShardMap) -> Vec<String> {
    let mut lines = gather_lines(route, gathering, "read", map);
    let known = route
        .scatter
        .as_ref()
        .and_then(|scatter| scatter.learned.get());
    if let Some(Known::Unmergeable(reason)) = known.as_deref() {
        lines.push(format!("  not merged: {reason}"));
    }
    lines
}

/// Who answers, what is made of it, and why.
fn scatter_lines(
    route: &Route,
    scatter: &Scatter,
    shards: &[ShardId],
    map: &ShardMap,
    values: Values<'_>,
) -> Vec<String> {
    let mut lines = scatter.lines(map, values);
    if let Some(first) = lines.first_mut() {
        let _ = write!(first, " from {}", map.shard_names(shards.iter().copied()));
    }
    if matches!(route.targets, Targets::Any | Targets::Default) {
        lines.push(format!("  {}", route.reason));
    }
    lines
}

/// What is brought together, from where, and why.
fn gather_lines(route: &Route, gathering: &Gathering, access: &str, map: &ShardMap) -> Vec<String> {
    let place = match gathering.at {
        Some(shard) => format!("default shard {}", map.shard_name(shard)),
        None => "any shard".to_owned(),
    };
    let mut lines = vec![format!("Gather on {place}, {access}")];
    lines.extend(gathering.pieces.iter().map(|part| {
        let columns = match part.columns.others.is_empty() {
            true => String::new(),
            false => format!(" ({})", part.columns.used.join(", ")),
        };
        let shards = map.shard_names(part.shards.iter().copied());
        let joined = part.joined.iter().map(|joined| {
            format!(
                ", perhaps only those with {} = {}.{}",
                joined.column, joined.table, joined.other
            )
        });
        let joined: String = joined.collect();
        format!("  rows of {}{columns} from {shards}{joined}", part.table)
    }));
    lines.extend(
        gathering
            .views
            .iter()
            .map(|view| format!("  view {view} over them")),
    );
    let may_be_small = { route.gather.as_ref() }.is_some_and(|gather| gather.arrays.is_some());
    if may_be_small && gathering.common_shards().is_some() {
        lines.push("  as arrays, while they are few".to_owned());
    }
    if matches!(route.targets, Targets::Any | Targets::Default) {
        lines.push(format!("  {}", route.reason));
    }
    lines
}

/// `hint key=5 -> logical 29 of tenants (hash) -> s1`.
fn hint_line(hinted: &Hinted, map: &ShardMap) -> String {
    let hint = &hinted.hint;
    let shard = match hinted.shard(map) {
        Ok(shard) => map.shard_name(shard),
        Err(error) => return error.message,
    };
    let HintedTo::Key { keyspace, values } = &hinted.to else {
        return format!("hint {hint} -> {shard}");
    };
    let name = keyspace_name(map.keyspace(*keyspace));
    match map.locate(*keyspace, values) {
        Some((logical, _)) if values.len() == map.keyspace(*keyspace).key.columns.len() => {
            format!("hint {hint} -> logical {} of {name} -> {shard}", logical.0)
        }
        _ => format!("hint {hint} -> {name} -> {shard}"),
    }
}

/// `tenants (hash)`.
fn keyspace_name(keyspace: &Keyspace) -> String {
    format!("{} ({})", keyspace.name, keyspace.function.name())
}

/// Keys of one relation, and places of one key, are listed one by one up to this many.
const LISTED_MAX: usize = 20;

/// `logical 29 of tenants (hash) -> s1`, or how many there are on which shards.
fn places_text(
    places: &[(LogicalShardId, ShardId)],
    keyspace_name: &str,
    map: &ShardMap,
) -> String {
    if places.is_empty() {
        return "no row".to_owned();
    }
    let runs: Vec<_> = places
        .chunk_by(|one, next| one.1 == next.1 && one.0.0 + 1 == next.0.0)
        .collect();
    if runs.len() <= LISTED_MAX {
        let run = |run: &&[(LogicalShardId, ShardId)]| {
            let (first, last) = (run.first()?, run.last()?);
            let logical = match first == last {
                true => first.0.0.to_string(),
                false => format!("{} to {}", first.0.0, last.0.0),
            };
            let shard = map.shard_name(first.1);
            Some(format!("logical {logical} of {keyspace_name} -> {shard}"))
        };
        return runs.iter().filter_map(run).collect::<Vec<_>>().join(", ");
    }
    format!(
        "{} logical shards of {keyspace_name} -> {}",
        places.len(),
        map.shard_names(places.iter().map(|(_, shard)| *shard))
    )
}

/// Many keys in one line: the first few of them, and where all of them lead.
fn summary(
    located: &[Located],
    head: impl Fn(&[String]) -> String,
    keyspace: &Keyspace,
    map: &ShardMap,
) -> String {
    let first: Vec<String> = located[..LISTED_MAX]
        .iter()
        .map(|located| match key_texts(located, keyspace).as_slice() {
            [value] => value.clone(),
            values => format!("({})", values.join(", ")),
        })
        .collect();
    let mut places: Vec<(LogicalShardId, ShardId)> = located
        .iter()
        .flat_map(|located| located.places.iter().copied())
        .collect();
    places.sort_unstable();
    places.dedup();
    format!(
        "{} one of {}, … ({} values) -> {}",
        head(&[]),
        first.join(", "),
        located.len(),
        places_text(&places, &keyspace_name(keyspace), map)
    )
}

fn key_texts(located: &Located, keyspace: &Keyspace) -> Vec<String> {
    let columns = located.key.iter().zip(&keyspace.key.columns);
    columns
        .map(|(value, column)| print_value(value, column.key_type))
        .collect()
}

/// `matches: organization_id = 5 -> logical 29 of tenants (hash) -> s1`.
pub(super) fn relation_lines(
    target: &KeyTarget,
    relation: &RelationKey,
    map: &ShardMap,
    values: Values<'_>,
) -> Vec<String> {
    let keyspace = map.keyspace(target.keyspace);
    let head = |key: &[String]| {
        if key.is_empty() {
            let names: Vec<&str> = relation.columns.iter().map(|c| c.name.as_str()).collect();
            return format!("{}: {}", relation.relation, names.join(", "));
        }
        let columns = relation.columns.iter().zip(key);
        let equalities: Vec<String> = columns
            .map(|(column, value)| format!("{} = {value}", column.name))
            .collect();
        format!("{}: {}", relation.relation, equalities.join(", "))
    };
    let keyspace_name = keyspace_name(keyspace);
    let sources = || {
        relation
            .columns
            .iter()
            .flat_map(|c| &c.conditions)
            .flatten()
    };
    let is_open = |source: &KeySource| match source {
        KeySource::Param { index, .. } => values.params.param(*index).is_none(),
        KeySource::Slot(slot) => values.literals.at(slot.place).next().is_none(),
        KeySource::Literal(_) | KeySource::Invalid => false,
    };
    if sources().any(is_open) {
        let known: Vec<String> = relation
            .columns
            .iter()
            .map_while(|column| column.conditions.first())
            .zip(&keyspace.key.columns)
            .map(|(sources, column)| print_sources(sources, column.key_type, values))
            .collect();
        return vec![format!("{} -> {keyspace_name}", head(&known))];
    }
    let located = match target.locate(relation, map, values) {
        Ok(located) => located,
        Err(error) => return vec![format!("{}: {}", relation.relation, error.message)],
    };
    if located.is_empty() {
        return vec![format!("{}: no value fits -> no row", relation.relation)];
    }
    if located.len() > LISTED_MAX {
        return vec![summary(&located, head, keyspace, map)];
    }
    let line = |located: &Located| {
        let to = places_text(&located.places, &keyspace_name, map);
        format!("{} -> {to}", head(&key_texts(located, keyspace)))
    };
    located.iter().map(line).collect()
}

fn print_sources(sources: &[KeySource], key_type: KeyType, values: Values<'_>) -> String {
    let one = |source: &KeySource| match source {
        KeySource::Literal(value) => print_value(value, key_type),
        KeySource::Invalid => "an invalid value".to_owned(),
        KeySource::Slot(slot) => print_literals(slot, values),
        KeySource::Param {
            index,
            array: false,
            ..
        } => format!("${}", u32::from(*index) + 1),
        KeySource::Param { index, .. } => format!("any (${})", u32::from(*index) + 1),
    };
    let all: Vec<String> = sources.iter().map(one).collect();
    all.join(" or ")
}

/// The literals as written, without what a cast makes of them.
fn print_literals(slot: &Slot, values: Values<'_>) -> String {
    let sign = if slot.negative { "-" } else { "" };
    let one = |literal| match literal {
        Literal::Int(value) => format!("{sign}{value}"),
        Literal::Text(text) => print_value(&KeyValue::Text(text.to_owned()), KeyType::Text),
    };
    let all: Vec<String> = values.literals.at(slot.place).map(one).collect();
    match all.is_empty() {
        true => "a literal".to_owned(),
        false => all.join(" or "),
    }
}

/// As a literal.
fn print_value(value: &KeyValue, key_type: KeyType) -> String {
    match value {
        KeyValue::Null | KeyValue::Int(_) => key_type.print(value),
        value => {
            let escape = |c: char| {
                if c.is_control() {
                    c.escape_default().to_string()
                } else {
                    c.to_string()
                }
            };
            let text: String = key_type
                .print(value)
                .replace('\'', "''")
                .chars()
                .map(escape)
                .collect();
            format!("'{text}'")
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
            Self::Show { name } => write!(f, "Show {name}"),
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
    pub fn lines(&self, map: &ShardMap, values: Values<'_>) -> Vec<String> {
        match self {
            Self::Control(control) => vec![format!("Control {control}")],
            Self::Route(route) => {
                let mut lines = explain_lines(route, map, values);
                if let Some(format) = route.explain {
                    lines.push(format!("  explained as {format:?}").to_lowercase());
                }
                lines
            }
        }
    }
}
