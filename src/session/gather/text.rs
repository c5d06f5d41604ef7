//! The SQL that makes what is gathered: temporary tables, views over them, the scratch's own rows, keys.

use std::fmt::Write;

use super::rounds::Read;
use crate::plan::{Columns, Gathering, Part};
use crate::shardmap::{ShardId, TableName, identifier};

/// A temporary table's name in SQL.
pub(super) fn copy_of(name: &str) -> String {
    format!("pg_temp.{}", identifier(name))
}

pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Makes the tables, and the views over them. A view's definition is printed while its tables' names mean those
/// themselves, without their schemas; made again, it means what is gathered.
pub(super) fn make(gathering: &Gathering) -> String {
    let tables: Vec<String> = gathering
        .pieces
        .iter()
        .map(|part| {
            let table = &part.table;
            format!(
                "CREATE TEMP TABLE {} ON COMMIT DROP AS SELECT * FROM {} WITH NO DATA",
                identifier(&table.name),
                table.sql()
            )
        })
        .collect();
    if gathering.views.is_empty() {
        return tables.join(";\n") + ";\n" + &check_columns(gathering);
    }
    let all = gathering.pieces.iter().map(|part| &part.table);
    let mut schemas: Vec<String> = all
        .chain(&gathering.views)
        .map(|table| identifier(&table.schema))
        .collect();
    schemas.sort();
    schemas.dedup();
    let mut text =
        "DECLARE path text := current_setting('search_path'); defs text[]; BEGIN ".to_owned();
    let _ = write!(
        text,
        "PERFORM set_config('search_path', {}, true); ",
        literal(&schemas.join(", "))
    );
    for (at, view) in gathering.views.iter().enumerate() {
        let _ = write!(
            text,
            "defs[{at}] := pg_catalog.pg_get_viewdef({}::regclass); ",
            literal(&view.sql())
        );
    }
    for table in tables {
        let _ = write!(text, "EXECUTE {}; ", literal(&table));
    }
    for (at, view) in gathering.views.iter().enumerate() {
        let create = format!("CREATE TEMP VIEW {} AS ", identifier(&view.name));
        let _ = write!(text, "EXECUTE {} || defs[{at}]; ", literal(&create));
    }
    text.push_str("PERFORM set_config('search_path', path, true); END");
    block(&text)
}

/// Columns that do not travel are NULL in rows of other shards, which nothing reads: the text names none of them. A column
/// that the catalogs are not known to have yet, it may.
fn check_columns(gathering: &Gathering) -> String {
    let mut text = String::new();
    for Part { table, columns, .. } in &gathering.pieces {
        if columns.others.is_empty() {
            continue;
        }
        let mut all: Vec<&String> = columns.used.iter().chain(&columns.others).collect();
        all.sort();
        let all: Vec<_> = all.into_iter().map(|name| literal(name)).collect();
        let _ = write!(
            text,
            "IF (SELECT pg_catalog.array_agg(attname::text ORDER BY attname::text COLLATE \"C\") \
             FROM pg_catalog.pg_attribute \
             WHERE attrelid = {}::regclass AND attnum > 0 AND NOT attisdropped) \
             IS DISTINCT FROM ARRAY[{}] THEN \
             RAISE EXCEPTION USING ERRCODE = '0A000', MESSAGE = {}, \
             HINT = 'Run the statement again once the catalogs have been read, or RELOAD on the console.'; \
             END IF; ",
            literal(&copy_of(&table.name)),
            all.join(", "),
            literal(&format!("the columns of {table} have changed")),
        );
    }
    match text.is_empty() {
        true => text,
        false => block(&format!("BEGIN {text}END")),
    }
}

/// The columns that travel, as a list; `None` for all.
pub(super) fn names(columns: &Columns) -> Option<String> {
    let names: Vec<_> = columns.used.iter().map(|name| identifier(name)).collect();
    (!columns.others.is_empty()).then(|| names.join(", "))
}

/// Takes in the rows of the shard itself: by one statement, so that all are of one moment.
pub(super) fn fill(parts: &[Read<'_>], shard: ShardId) -> String {
    let own = parts
        .iter()
        .filter(|(part, _)| part.shards.contains(&shard));
    let inserts: Vec<String> = own
        .enumerate()
        .map(|(at, (part, filter))| {
            let table = &part.table;
            let copy = copy_of(&table.name);
            format!(
                "t{at} AS (INSERT INTO {copy} SELECT * FROM {}{filter})",
                table.sql()
            )
        })
        .collect();
    match inserts.is_empty() {
        true => String::new(),
        false => format!("WITH {} SELECT", inserts.join(",\n")),
    }
}

/// A block of PL/pgSQL, in quotes that it does not contain itself.
fn block(body: &str) -> String {
    let mut tag = "$trunkline$".to_owned();
    while body.contains(&tag) {
        tag.insert(1, '_');
    }
    format!("DO {tag} {body} {tag};\n")
}

/// Where the statement is right only because a primary key determines the other columns it groups by, the copy gets
/// that key. Not where it has columns that have not travelled: then the statement does not group by it.
pub(super) fn primary_key(table: &TableName, text: &str) -> String {
    let copy = copy_of(&table.name);
    let body = format!(
        "DECLARE columns text; BEGIN \
         EXECUTE {}; DEALLOCATE trunkline_try; \
         EXCEPTION WHEN grouping_error OR syntax_error THEN \
         SELECT string_agg(pg_catalog.quote_ident(a.attname), ', ') INTO columns \
         FROM pg_catalog.pg_index i JOIN pg_catalog.pg_attribute a \
         ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey) \
         WHERE i.indrelid = {}::regclass AND i.indisprimary; \
         IF columns IS NOT NULL THEN \
         BEGIN EXECUTE {} || columns || ')'; EXCEPTION WHEN not_null_violation THEN NULL; END; END IF; \
         WHEN OTHERS THEN NULL; END",
        literal(&format!("PREPARE trunkline_try AS {text}")),
        literal(&table.sql()),
        literal(&format!("ALTER TABLE {copy} ADD PRIMARY KEY (")),
    );
    block(&body)
}
