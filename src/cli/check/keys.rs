//! Sharding keys of listed tables: facts in, findings out.

use super::Finding;
use super::facts::{Column, ForeignKey, Table};
use super::tables::{from_sequence, object, print_key};
use crate::shardmap::{Keyspace, ShardMap, TableKind, TableName};
use crate::types::KeyType;

/// `names` are the table's key columns, one for each of the keyspace's.
pub(super) fn findings(
    findings: &mut Vec<Finding>,
    keyspace: &Keyspace,
    shard: &str,
    name: &TableName,
    names: &[String],
    table: &Table,
) {
    let mut complete = true;
    for (key, declared) in names.iter().zip(&keyspace.key.columns) {
        let Some(column) = table.columns.iter().find(|column| column.name == *key) else {
            complete = false;
            findings.push(Finding::error(
                Some(shard),
                object(name),
                format!("has no column {key}, the sharding key"),
                format!("name its key column: `{name}: {{ key: … }}`"),
            ));
            continue;
        };
        let found = type_finding(keyspace, declared.key_type, column)
            .into_iter()
            .chain(column_findings(name, column));
        findings.extend(found.map(|finding| Finding {
            shard: Some(shard.to_owned()),
            object: object(name),
            ..finding
        }));
    }
    if complete {
        unique_findings(findings, keyspace, shard, name, names, table);
    }
    for rewriter in &table.rewriters {
        findings.push(Finding::warning(
            Some(shard),
            object(name),
            format!("{rewriter} may change a row's sharding key after the row has been sent to its shard"),
            format!("see that it leaves {} alone", names.join(", ")),
        ));
    }
}

/// Equal values must be on one shard: a key is unique everywhere only with all columns that decide.
fn unique_findings(
    findings: &mut Vec<Finding>,
    keyspace: &Keyspace,
    shard: &str,
    name: &TableName,
    names: &[String],
    table: &Table,
) {
    let deciding = &names[..keyspace.function.deciding_columns(names.len())];
    for unique in &table.unique {
        let lacking: Vec<&str> = deciding
            .iter()
            .filter(|key| !unique.columns.contains(key))
            .map(String::as_str)
            .collect();
        if lacking.is_empty() {
            continue;
        }
        let lacking = lacking.join(", ");
        findings.push(Finding::error(
            Some(shard),
            object(name),
            format!(
                "{} ({}) lacks the key column {lacking}, so it holds on each shard only",
                unique.name,
                print_key(unique)
            ),
            format!("add {lacking} to it"),
        ));
    }
}

/// A type that cannot hold the keyspace's key, or one whose modifier changes what is stored.
fn type_finding(keyspace: &Keyspace, wanted: KeyType, column: &Column) -> Option<Finding> {
    let (key, full_type) = (&column.name, &column.full_type);
    let Some(found) = KeyType::from_name(&column.base_type) else {
        let base = if column.is_enum {
            "enum"
        } else {
            &column.base_type
        };
        return Some(Finding::error(
            None,
            "",
            format!(
                "key column {key} is of type {full_type}, which cannot be a sharding key: {}",
                KeyType::why_not(base)
            ),
            format!("change its type to {}, as the keyspace says", wanted.name()),
        ));
    };
    if !found.may_hold(wanted) {
        return Some(Finding::error(
            None,
            "",
            format!(
                "key column {key} is of type {full_type}, but keyspace {} says {}",
                keyspace.name,
                wanted.name()
            ),
            "change the column's type, or the keyspace's `key.type` where all its tables agree",
        ));
    }
    if !found.keeps_precision(column.modifier) {
        return Some(Finding::error(
            None,
            "",
            format!(
                "key column {key} is of type {full_type}, which rounds: a row would lie on the shard of the value before"
            ),
            format!("change its type to {}", wanted.name()),
        ));
    }
    (found == KeyType::Varchar && column.modifier != NO_MODIFIER).then(|| {
        Finding::warning(
            None,
            "",
            format!(
                "key column {key} is of type {full_type}, which cuts blanks beyond its length in silence"
            ),
            "use text, or never write such values: a row would lie on the shard of the value before the cut",
        )
    })
}

/// `atttypmod` of a type without length or precision.
const NO_MODIFIER: i32 = -1;

/// Without shard and object.
fn column_findings(name: &TableName, column: &Column) -> Vec<Finding> {
    let key = &column.name;
    let mut findings = Vec::new();
    if let Some(collation) = &column.nondeterministic {
        findings.push(Finding::error(
            None,
            "",
            format!("key column {key} has the collation {collation}, under which different texts are equal"),
            "give the column a deterministic collation",
        ));
    }
    if column.generated {
        findings.push(Finding::error(
            None,
            "",
            format!(
                "key column {key} is generated by the server, after a row has been sent to a shard"
            ),
            "make it an ordinary column",
        ));
    }
    if from_sequence(column) {
        findings.push(Finding::warning(
            None,
            "",
            format!(
                "key column {key} takes its default from a sequence, and each shard has its own; the proxy wants \
                 the value in the statement"
            ),
            "let the client give the key: a uuid, or a number from one sequence for all",
        ));
    }
    if !column.not_null {
        findings.push(Finding::warning(
            None,
            "",
            format!("key column {key} may be NULL, and a row without a key belongs to no shard"),
            format!("ALTER TABLE {name} ALTER COLUMN {key} SET NOT NULL"),
        ));
    }
    findings
}

pub(super) fn foreign_key_finding(
    map: &ShardMap,
    shard: &str,
    key: &ForeignKey,
) -> Option<Finding> {
    use TableKind::{Reference, Sharded};
    let (from, to) = (map.tables.get(&key.from), map.tables.get(&key.to));
    let (message, way_out) = match (from, to) {
        (_, Some(Reference)) | (None, None) => return None,
        (Some(Sharded { keyspace, columns }), Some(Sharded { keyspace: other, columns: other_columns })) => {
            if keyspace == other {
                let deciding = map.keyspace(*keyspace).function.deciding_columns(columns.len());
                let is_tied = |pair: &(&String, &String)| {
                    key.from_columns.iter().zip(&key.to_columns).any(|tied| tied == *pair)
                };
                let mut pairs = columns.iter().zip(other_columns).take(deciding);
                let (from_column, to_column) = pairs.find(|pair| !is_tied(pair))?;
                (
                    format!("does not tie {from_column} to {to_column}, so the row it refers to may lie on another shard"),
                    format!("add ({from_column}) → ({to_column}) to it, or drop it"),
                )
            } else {
                (
                    format!(
                        "crosses from keyspace {} to keyspace {}",
                        map.keyspace(*keyspace).name,
                        map.keyspace(*other).name
                    ),
                    "drop it, or put both tables into one keyspace".to_owned(),
                )
            }
        }
        (Some(Sharded { .. } | Reference), None) => (
            "refers to a table that is not listed and so lives on the default shard only".to_owned(),
            format!("list {} in a keyspace or under `reference_tables`, or drop it", key.to),
        ),
        (Some(Reference), Some(Sharded { .. })) => (
            "refers from a reference table to a sharded one, whose rows are not all on this shard".to_owned(),
            "drop it".to_owned(),
        ),
        (None, Some(Sharded { .. })) => (
            "refers from a table that is not listed to a sharded one, whose rows are not all on this shard".to_owned(),
            format!("list {} in the same keyspace, or drop it", key.from),
        ),
    };
    let message = format!("foreign key {} to {} {message}", key.name, key.to);
    Some(Finding::error(
        Some(shard),
        object(&key.from),
        message,
        way_out,
    ))
}
