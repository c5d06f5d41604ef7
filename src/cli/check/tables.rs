//! Listed tables: facts in, findings out.

use super::facts::{Catalog, Column, DatabaseFacts, Table, UniqueKey};
use super::{Finding, Severity, keys};
use crate::shardmap::{ShardMap, TableKind, TableName};

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
            findings.extend(keys::foreign_key_finding(map, shard, key));
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

pub(super) fn object(name: &TableName) -> String {
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

pub(super) fn print_key(key: &UniqueKey) -> String {
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

pub(super) fn from_sequence(column: &Column) -> bool {
    let default = column.default.as_deref();
    column.identity || default.is_some_and(|default| default.contains("nextval("))
}

fn table_findings(
    findings: &mut Vec<Finding>,
    map: &ShardMap,
    shard: &str,
    name: &TableName,
    kind: &TableKind,
    table: &Table,
) {
    let is_key = |column: &Column| match kind {
        TableKind::Sharded { columns, .. } => columns.contains(&column.name),
        TableKind::Reference => false,
    };
    for column in table.columns.iter().filter(|column| !is_key(column)) {
        if from_sequence(column) {
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
        keys::findings(
            findings,
            map.keyspace(*keyspace),
            shard,
            name,
            columns,
            table,
        );
    }
}
