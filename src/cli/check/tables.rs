//! Listed tables: facts in, findings out.

use super::facts::{Catalog, Column, DatabaseFacts, ForeignKey, Table, UniqueKey};
use super::{Finding, Severity};
use crate::shardmap::{Keyspace, ShardMap, TableKind, TableName};
use crate::types::KeyType;

pub(super) fn findings(map: &ShardMap, facts: &DatabaseFacts) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut catalogs: Vec<(&str, &Catalog)> = Vec::new();
    for shard in &facts.shards {
        match &shard.catalog {
            Some(Ok(catalog)) => catalogs.push((&shard.name, catalog)),
            Some(Err(reason)) => findings.push(Finding::error(
                Some(&shard.name),
                "tables",
                format!("the catalogs cannot be read: {reason}"),
                "let the service user connect and read the system catalogs",
            )),
            // No server answers, which is a finding already.
            None => {}
        }
    }
    for (name, kind) in map.tables_sorted() {
        presence_findings(&mut findings, name, &catalogs);
        difference_findings(&mut findings, name, &catalogs);
        definition_findings(&mut findings, name, &catalogs);
        for (shard, catalog) in &catalogs {
            if let Some(table) = catalog.tables.get(name) {
                table_findings(&mut findings, map, shard, name, kind, table);
            }
        }
    }
    for (shard, catalog) in &catalogs {
        for key in &catalog.foreign_keys {
            findings.extend(foreign_key_finding(map, shard, key));
        }
    }
    said_once(&findings, catalogs.len())
}

/// Shards are usually alike: what is found on each of them is said once, without a shard.
fn said_once(findings: &[Finding], shards: usize) -> Vec<Finding> {
    let same = |a: &Finding, b: &Finding| {
        (a.severity, &a.object, &a.message, &a.way_out)
            == (b.severity, &b.object, &b.message, &b.way_out)
    };
    let mut kept: Vec<Finding> = Vec::new();
    for finding in findings {
        if shards > 1 && findings.iter().filter(|other| same(finding, other)).count() == shards {
            if !kept.iter().any(|other| same(finding, other)) {
                kept.push(Finding {
                    shard: None,
                    ..finding.clone()
                });
            }
        } else {
            kept.push(finding.clone());
        }
    }
    kept
}

fn object(name: &TableName) -> String {
    format!("table {name}")
}

fn presence_findings(findings: &mut Vec<Finding>, name: &TableName, catalogs: &[(&str, &Catalog)]) {
    for (shard, catalog) in catalogs {
        match catalog.tables.get(name).map(|table| table.kind) {
            Some('r' | 'p') => {}
            Some(kind) => {
                let what = match kind {
                    'v' | 'm' => "a view",
                    'f' => "a foreign table",
                    _ => "not a table",
                };
                findings.push(Finding::error(
                    Some(shard),
                    object(name),
                    format!("is {what}"),
                    "list the tables beneath it instead",
                ));
            }
            None => findings.push(Finding::error(
                Some(shard),
                object(name),
                "does not exist",
                "create it on every shard, or take it out of the configuration",
            )),
        }
    }
}

/// The shards that have the table.
fn holders<'c>(
    name: &TableName,
    catalogs: &[(&'c str, &'c Catalog)],
) -> impl Iterator<Item = (&'c str, &'c Table)> {
    catalogs
        .iter()
        .filter_map(move |(shard, catalog)| Some((*shard, catalog.tables.get(name)?)))
}

/// Compares every shard's table with the first shard's that has it.
fn difference_findings(
    findings: &mut Vec<Finding>,
    name: &TableName,
    catalogs: &[(&str, &Catalog)],
) {
    let mut holders = holders(name, catalogs);
    let Some((first, model)) = holders.next() else {
        return;
    };
    for (shard, table) in holders {
        let difference = |severity, what: &str, here: &str, there: &str| Finding {
            severity,
            ..Finding::error(
                Some(shard),
                object(name),
                format!("{what} {here}, but on {first} {there}"),
                "make the definitions equal, with ALTER TABLE",
            )
        };
        let (here, there) = (print_columns(table), print_columns(model));
        if here != there {
            findings.push(difference(
                Severity::Error,
                "has the columns",
                &here,
                &there,
            ));
            continue;
        }
        for (here, there) in table.columns.iter().zip(&model.columns) {
            findings.extend(column_differences(here, there, &difference));
        }
        let (here, there) = (print_keys(table), print_keys(model));
        if here != there {
            findings.push(difference(
                Severity::Error,
                "unique keys are",
                &here,
                &there,
            ));
        }
    }
}

/// Compares constraints and plain indexes, one finding for each that only one of two shards has.
fn definition_findings(
    findings: &mut Vec<Finding>,
    name: &TableName,
    catalogs: &[(&str, &Catalog)],
) {
    let mut holders = holders(name, catalogs);
    let Some((first, model)) = holders.next() else {
        return;
    };
    for (shard, table) in holders {
        let mut compare = |severity, what: &str, here: &[&str], there: &[&str]| {
            let lacks = only_in(there, here)
                .into_iter()
                .map(|one| format!("lacks the {what} {one}, which {first} has"));
            let has = only_in(here, there)
                .into_iter()
                .map(|one| format!("has the {what} {one}, which {first} has not"));
            findings.extend(lacks.chain(has).map(|message| Finding {
                severity,
                ..Finding::error(
                    Some(shard),
                    object(name),
                    message,
                    format!("make each {what} equal on all shards: add what is missing, or drop it elsewhere"),
                )
            }));
        };
        // A key that differs has been reported by its columns.
        let with_keys = print_keys(table) == print_keys(model);
        compare(
            Severity::Error,
            "constraint",
            &constraints(table, with_keys),
            &constraints(model, with_keys),
        );
        compare(Severity::Warning, "index", &indexes(table), &indexes(model));
    }
}

fn constraints(table: &Table, with_keys: bool) -> Vec<&str> {
    let is_key = |one: &str| one.starts_with("PRIMARY KEY") || one.starts_with("UNIQUE");
    table
        .constraints
        .iter()
        .map(String::as_str)
        .filter(|one| with_keys || !is_key(one))
        .collect()
}

fn indexes(table: &Table) -> Vec<&str> {
    table.indexes.iter().map(String::as_str).collect()
}

/// What is in `here` more often than in `there`, in order, as often as it is there more often.
fn only_in<'d>(here: &[&'d str], there: &[&str]) -> Vec<&'d str> {
    let mut rest = there.to_vec();
    let mut only: Vec<&str> = here
        .iter()
        .copied()
        .filter(|one| match rest.iter().position(|other| other == one) {
            Some(place) => {
                rest.swap_remove(place);
                false
            }
            None => true,
        })
        .collect();
    only.sort_unstable();
    only
}

/// A property of columns: how bad a difference is, a verb, how the property prints.
type Facet<'a> = (Severity, &'a str, &'a dyn Fn(&Column) -> String);

fn column_differences(
    here: &Column,
    there: &Column,
    difference: &dyn Fn(Severity, &str, &str, &str) -> Finding,
) -> Vec<Finding> {
    let null = |column: &Column| {
        if column.not_null {
            "NOT NULL"
        } else {
            "nullable"
        }
        .to_owned()
    };
    let full_type = |column: &Column| column.full_type.clone();
    let facets: [Facet<'_>; 3] = [
        (Severity::Error, "is of type", &full_type),
        (Severity::Warning, "is", &null),
        (Severity::Warning, "has", &print_default),
    ];
    facets
        .iter()
        .map(|(severity, verb, print)| (severity, verb, print(here), print(there)))
        .filter(|(_, _, here, there)| here != there)
        .map(|(severity, verb, ours, theirs)| {
            difference(
                *severity,
                &format!("column {} {verb}", here.name),
                &ours,
                &theirs,
            )
        })
        .collect()
}

fn print_columns(table: &Table) -> String {
    let names: Vec<&str> = table
        .columns
        .iter()
        .map(|column| column.name.as_str())
        .collect();
    names.join(", ")
}

/// Sorted, without the names of the indexes.
fn print_keys(table: &Table) -> String {
    let mut keys: Vec<String> = table.unique.iter().map(print_key).collect();
    keys.sort();
    if keys.is_empty() {
        "none".to_owned()
    } else {
        keys.join("; ")
    }
}

fn print_key(key: &UniqueKey) -> String {
    let kind = if key.primary { "primary key" } else { "unique" };
    let predicate = key
        .predicate
        .as_ref()
        .map_or(String::new(), |predicate| format!(" where {predicate}"));
    format!("{kind} ({}){predicate}", key.columns.join(", "))
}

fn print_default(column: &Column) -> String {
    match &column.default {
        _ if column.identity => "an identity".to_owned(),
        Some(expression) if column.generated => format!("the generation expression {expression}"),
        Some(default) => format!("the default {default}"),
        None => "no default".to_owned(),
    }
}

fn table_findings(
    findings: &mut Vec<Finding>,
    map: &ShardMap,
    shard: &str,
    name: &TableName,
    kind: &TableKind,
    table: &Table,
) {
    for column in &table.columns {
        if column.identity
            || column
                .default
                .as_deref()
                .is_some_and(|default| default.contains("nextval("))
        {
            findings.push(Finding::warning(
                Some(shard),
                object(name),
                format!(
                    "column {} takes its default from a sequence, and each shard has its own",
                    column.name
                ),
                "use uuids, or give the sequences distinct starts and a common increment",
            ));
        }
    }
    for trigger in &table.triggers {
        findings.push(Finding::warning(
            Some(shard),
            object(name),
            format!("{trigger} runs on one shard and sees only that shard's rows"),
            "see that it touches nothing but reference tables and rows with the same sharding key",
        ));
    }
    let unlisted: Vec<String> = table
        .children
        .iter()
        .filter(|child| !map.tables.contains_key(child))
        .map(ToString::to_string)
        .collect();
    if !unlisted.is_empty() {
        findings.push(Finding::warning(
            Some(shard),
            object(name),
            format!("its partitions are not listed: {}", unlisted.join(", ")),
            "name only the parent in statements: a partition that is not listed is looked for on the default shard",
        ));
    }
    if let TableKind::Sharded { keyspace, columns } = kind {
        key_findings(
            findings,
            map.keyspace(*keyspace),
            shard,
            name,
            &columns[0],
            table,
        );
    }
}

fn key_findings(
    findings: &mut Vec<Finding>,
    keyspace: &Keyspace,
    shard: &str,
    name: &TableName,
    key: &str,
    table: &Table,
) {
    let Some(column) = table.columns.iter().find(|column| column.name == key) else {
        findings.push(Finding::error(
            Some(shard),
            object(name),
            format!("has no column {key}, the sharding key"),
            format!("name its key column: `{name}: {{ key: … }}`"),
        ));
        return;
    };
    key_type_findings(findings, keyspace, shard, name, column);
    for unique in table
        .unique
        .iter()
        .filter(|unique| !unique.columns.iter().any(|column| column == key))
    {
        findings.push(Finding::error(
            Some(shard),
            object(name),
            format!(
                "{} ({}) lacks the key column {key}, so it holds on each shard only",
                unique.name,
                print_key(unique)
            ),
            format!("add {key} to it"),
        ));
    }
}

fn key_type_findings(
    findings: &mut Vec<Finding>,
    keyspace: &Keyspace,
    shard: &str,
    name: &TableName,
    column: &Column,
) {
    let key = &column.name;
    let wanted = keyspace.key.columns[0].key_type;
    if KeyType::from_name(&column.base_type) != Some(wanted) {
        findings.push(Finding::error(
            Some(shard),
            object(name),
            format!(
                "key column {key} is of type {}, but keyspace {} says {}",
                column.full_type,
                keyspace.name,
                wanted.name()
            ),
            "change the column's type, or the keyspace's `key.type` where all its tables agree",
        ));
    } else if column.full_type != column.base_type {
        findings.push(Finding::warning(
            Some(shard),
            object(name),
            format!("key column {key} is of type {}, which cuts blanks beyond its length in silence", column.full_type),
            "use text, or never write such values: a row would lie on the shard of the value before the cut",
        ));
    }
    if let Some(collation) = &column.nondeterministic {
        findings.push(Finding::error(
            Some(shard),
            object(name),
            format!("key column {key} has the collation {collation}, under which different texts are equal"),
            "give the column a deterministic collation",
        ));
    }
    if column.generated {
        findings.push(Finding::error(
            Some(shard),
            object(name),
            format!(
                "key column {key} is generated by the server, after a row has been sent to a shard"
            ),
            "make it an ordinary column",
        ));
    }
    if !column.not_null {
        findings.push(Finding::warning(
            Some(shard),
            object(name),
            format!("key column {key} may be NULL, and a row without a key belongs to no shard"),
            format!("ALTER TABLE {name} ALTER COLUMN {key} SET NOT NULL"),
        ));
    }
}

fn foreign_key_finding(map: &ShardMap, shard: &str, key: &ForeignKey) -> Option<Finding> {
    use TableKind::{Reference, Sharded};
    let (from, to) = (map.tables.get(&key.from), map.tables.get(&key.to));
    let (message, way_out) = match (from, to) {
        (_, Some(Reference)) | (None, None) => return None,
        (Some(Sharded { keyspace, columns }), Some(Sharded { keyspace: other, columns: other_columns })) => {
            let (from_column, to_column) = (&columns[0], &other_columns[0]);
            let mut pairs = key.from_columns.iter().zip(&key.to_columns);
            if keyspace == other && pairs.any(|pair| pair == (from_column, to_column)) {
                return None;
            }
            if keyspace == other {
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
