//! What a server is asked of a scattered statement before it runs for the first time: its columns, and whether texts
//! among what is compared come in the order of their bytes.

use std::sync::Arc;

use bytes::Bytes;
use tokio::time::Instant;

use super::Parameters;
use crate::backend::Connection;
use crate::error::{PgError, SqlState};
use crate::plan::{self, Facts, Known, Merge, Merged, Scatter};
use crate::shardmap::ShardId;
use crate::types::aggregate::{Aggregate, Function};
use crate::types::order::{Order, SortKey};
use crate::types::{Format, Oid};
use crate::wire::row::RowPlaces;
use crate::wire::{self, Described as Target, Description, backend, frontend};

/// The column of an EXPLAIN.
const QUERY_PLAN: &[u8] = b"QUERY PLAN";

/// RowDescription of an EXPLAIN.
pub(super) fn query_plan(formats: &[Format]) -> Bytes {
    let mut body = vec![0, 1];
    body.extend_from_slice(QUERY_PLAN);
    // No table, no attribute.
    body.extend([0; 7]);
    body.extend(Oid::TEXT.0.to_be_bytes());
    body.extend((-1i16).to_be_bytes());
    body.extend((-1i32).to_be_bytes());
    body.extend([0, 0]);
    let description = Description::read(&body);
    description.map_or(Bytes::new(), |description| description.message(formats))
}

/// What is asked about: the client's own query, and the one that has what is compared or merged among its columns.
struct Texts<'a> {
    client: &'a str,
    compared: String,
}

impl<'a> Texts<'a> {
    fn of(scatter: &'a Scatter, text: &'a str) -> Self {
        let from = scatter.explained.unwrap_or_default();
        let client = text.get(from..).unwrap_or_default();
        let compared = match &scatter.merge {
            Merge::Rows(rows) => match &rows.text {
                Some(text) => text.get(from..).unwrap_or_default().to_owned(),
                None => client.to_owned(),
            },
            Merge::Groups(groups) => groups.arguments(from),
        };
        Self { client, compared }
    }
}

/// Learns how a scattered statement is to be merged, from `shard`.
///
/// Errors: the server's own; 08006.
///
/// Not cancel safe: dropped midway, the connection has to be closed.
pub async fn learn(
    (connection, shard): (&mut Connection, ShardId),
    scatter: &Scatter,
    text: &str,
    parameters: Parameters<'_>,
    deadline: Instant,
) -> Result<Known, PgError> {
    let texts = Texts::of(scatter, text);
    let all = match describe(connection, &texts.compared, parameters.types, deadline).await {
        Ok(all) => all,
        Err(error) if error.code == SqlState::CONNECTION_FAILURE => return Err(error),
        Err(error) => {
            // The client's own text has the client's own error, if there is one.
            describe(connection, texts.client, parameters.types, deadline).await?;
            if !error.code.is_of_syntax() {
                // It may be over the next time.
                return Err(PgError {
                    position: None,
                    ..error
                });
            }
            let reason = "servers do not understand what they would be asked".to_owned();
            return Ok(Known::Unmergeable(reason));
        }
    };
    let hidden = match &scatter.merge {
        Merge::Rows(rows) => all.len().saturating_sub(rows.hidden()),
        Merge::Groups(_) => 0,
    };
    let client = match &scatter.merge {
        Merge::Rows(_) => all.first(hidden),
        Merge::Groups(_) => describe(connection, texts.client, parameters.types, deadline).await?,
    };
    let types: Vec<Oid> = all.types().skip(hidden).collect();
    if types.len() != wanted(scatter) {
        let reason = "its columns are not those that were read".to_owned();
        return Ok(Known::Unmergeable(reason));
    }
    let are_texts: Vec<usize> = (0..types.len()).filter(|at| is_text(types[*at])).collect();
    let places: Vec<usize> = are_texts.iter().map(|at| hidden + at).collect();
    let answers = collations(
        connection,
        (&texts.compared, all.len()),
        &places,
        parameters,
        deadline,
    );
    let by_bytes = answers.await?;
    let by_bytes = |at: usize| {
        let place = are_texts.iter().position(|text| *text == at);
        place.is_some_and(|place| by_bytes[place])
    };
    let merged = match merged(scatter, &types, &client, by_bytes) {
        Ok(merged) => merged,
        Err(reason) => return Ok(Known::Unmergeable(reason)),
    };
    let expected = match &scatter.merge {
        Merge::Rows(_) => all.types().collect(),
        Merge::Groups(groups) => types[..groups.keys.len().min(types.len())].into(),
    };
    let texts = are_texts.iter().filter(|at| by_bytes(**at));
    let texts = texts.map(|at| hidden + at).collect();
    Ok(Known::Mergeable(Arc::new(Facts {
        description: client,
        types: expected,
        merged,
        texts,
        asked: vec![shard],
    })))
}

/// What a server has to say of the client's own text.
///
/// As [`learn`].
pub async fn check(
    connection: &mut Connection,
    scatter: &Scatter,
    text: &str,
    parameters: Parameters<'_>,
    deadline: Instant,
) -> Result<(), PgError> {
    let text = Texts::of(scatter, text).client;
    let described = describe(connection, text, parameters.types, deadline).await;
    described.map(|_| ())
}

/// Whether another server says the same of texts as the one that was asked first.
///
/// As [`learn`].
pub async fn agrees(
    connection: &mut Connection,
    (scatter, facts): (&Scatter, &Facts),
    text: &str,
    parameters: Parameters<'_>,
    deadline: Instant,
) -> Result<bool, PgError> {
    let texts = Texts::of(scatter, text);
    let all = describe(connection, &texts.compared, parameters.types, deadline).await?;
    let of = (&*texts.compared, all.len());
    let answers = collations(connection, of, &facts.texts, parameters, deadline).await?;
    Ok(answers.into_iter().all(|by_bytes| by_bytes))
}

/// How many columns are compared or merged, with the conditions of FILTER.
fn wanted(scatter: &Scatter) -> usize {
    match &scatter.merge {
        Merge::Rows(rows) => rows.hidden(),
        Merge::Groups(groups) => {
            let calls = groups.aggregates.iter();
            let columns = calls.map(|call| {
                usize::from(&*call.argument != "*") + usize::from(call.filter.is_some())
            });
            groups.keys.len() + columns.sum::<usize>()
        }
    }
}

fn is_text(oid: Oid) -> bool {
    Order::of(oid, false).is_none() && Order::of(oid, true).is_some()
}

/// How what is compared and merged is to be read. `types` are those of the columns behind the client's, or of the
/// groups' expressions and the aggregates' arguments.
///
/// Errors: why that is not known, in words.
fn merged(
    scatter: &Scatter,
    types: &[Oid],
    client: &Description,
    by_bytes: impl Fn(usize) -> bool,
) -> Result<Merged, String> {
    let order = match &scatter.merge {
        Merge::Rows(rows) => &rows.order,
        Merge::Groups(groups) => &groups.order,
    };
    let first = match &scatter.merge {
        Merge::Rows(_) => client.len(),
        Merge::Groups(_) => 0,
    };
    let mut keys = Vec::with_capacity(order.len());
    for (at, sort) in order.iter().enumerate() {
        let oid = types.get(at).copied().unwrap_or_default();
        let Some(order) = Order::of(oid, by_bytes(at)) else {
            return Err(match is_text(oid) {
                true => "texts are compared by a language's rules".to_owned(),
                false => format!("the order of type {} is not known", oid.0),
            });
        };
        keys.push(SortKey {
            column: (first + at) as u16,
            order,
            descending: sort.descending,
            nulls_first: sort.nulls_first,
        });
    }
    let Merge::Groups(groups) = &scatter.merge else {
        return Ok(Merged::Rows(keys.into()));
    };
    let mut next = keys.len();
    let mut aggregates = Vec::with_capacity(groups.aggregates.len());
    for call in &groups.aggregates {
        let argument = (&*call.argument != "*").then(|| {
            next += 1;
            next - 1
        });
        let oid = argument.map(|at| types.get(at).copied().unwrap_or_default());
        let aggregate = Function::from_name(&call.name)
            .and_then(|function| Aggregate::of(function, oid, argument.is_some_and(&by_bytes)));
        let Some(aggregate) = aggregate else {
            return Err(format!("parts of {}() cannot be merged", call.name));
        };
        aggregates.push(aggregate);
    }
    let results = groups.outputs.iter().zip(client.types());
    for (output, oid) in results {
        if let plan::Column::Aggregate(at) = output
            && aggregates[*at].result() != oid
        {
            return Err(format!(
                "{}() has another type",
                groups.aggregates[*at].name
            ));
        }
    }
    if client.len() != groups.outputs.len() {
        return Err("its columns are not those that were read".to_owned());
    }
    Ok(Merged::Groups {
        keys: keys.into(),
        aggregates: aggregates.into(),
    })
}

/// For each of these columns of a text, which has so many, whether its texts are compared byte by byte. The text itself does
/// not run.
/// Source: <https://www.postgresql.org/docs/current/catalog-pg-collation.html>,
/// <https://www.postgresql.org/docs/current/catalog-pg-database.html>
async fn collations(
    connection: &mut Connection,
    (text, columns): (&str, usize),
    asked: &[usize],
    parameters: Parameters<'_>,
    deadline: Instant,
) -> Result<Vec<bool>, PgError> {
    const C: &str = "IN ('C', 'POSIX')";
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    // The provider of a database is a column since PostgreSQL 15.
    let by_bytes = |column: &usize| {
        format!(
            "coalesce((SELECT CASE c.collprovider WHEN 'd' THEN d.datcollate {C} \
             AND coalesce(pg_catalog.to_jsonb(d) ->> 'datlocprovider', 'c') = 'c' \
             ELSE c.collcollate {C} AND c.collprovider = 'c' END \
             FROM pg_catalog.pg_collation c WHERE c.oid = \
             pg_catalog.pg_collation_for(k.c{column})::pg_catalog.regcollation), false)"
        )
    };
    let by_bytes: Vec<String> = asked.iter().map(by_bytes).collect();
    let names: Vec<String> = (0..columns).map(|column| format!("c{column}")).collect();
    let question = format!(
        "SELECT {}\nFROM pg_catalog.pg_database d LEFT JOIN (\n{text}\n) AS k({}) ON false\n\
         WHERE d.datname = pg_catalog.current_database()",
        by_bytes.join(",\n "),
        names.join(", ")
    );
    let answers = ask(connection, &question, parameters, deadline).await?;
    // Texts arrive in the encoding they are stored and compared in.
    let encoding = |whose| connection.parameters.get(whose);
    let is_one_encoding = encoding("server_encoding") == encoding("client_encoding");
    match is_one_encoding && answers.len() == asked.len() {
        true => Ok(answers),
        false => Ok(vec![false; asked.len()]),
    }
}

/// The columns of a text.
async fn describe(
    connection: &mut Connection,
    text: &str,
    types: &[Oid],
    deadline: Instant,
) -> Result<Description, PgError> {
    let out = &mut connection.output;
    wire::put_parse(out, b"", text.as_bytes(), types.iter().map(|oid| oid.0))?;
    wire::put_close(out, frontend::DESCRIBE, Target::Statement(b""))?;
    wire::put_sync(out);
    let answer = connection.exchange(deadline).await?;
    let mut descriptions = answer
        .iter()
        .filter(|(tag, _)| *tag == backend::ROW_DESCRIPTION);
    let description = descriptions
        .next()
        .and_then(|(_, body)| Description::read(body));
    description.ok_or_else(super::changed)
}

/// The only row of a question, whose columns are true or false.
async fn ask(
    connection: &mut Connection,
    text: &str,
    parameters: Parameters<'_>,
    deadline: Instant,
) -> Result<Vec<bool>, PgError> {
    let request = super::request(text, parameters, &[Format::Text])?;
    connection.output.extend_from_slice(&request);
    let answer = connection.exchange(deadline).await?;
    let rows = answer.iter().filter(|(tag, _)| *tag == backend::DATA_ROW);
    let mut values = Vec::new();
    for (_, body) in rows {
        let mut frame = vec![0; wire::HEADER_BYTES];
        frame.extend_from_slice(body);
        let columns = body
            .first_chunk()
            .map_or(0, |count| u16::from_be_bytes(*count));
        let mut places = RowPlaces::new(columns);
        places
            .read(&frame)
            .map_err(|error| PgError::shard(SqlState::PROTOCOL_VIOLATION, error.to_string()))?;
        values = (0..columns)
            .map(|column| places.value(column, &frame) == Some(b"t"))
            .collect();
    }
    Ok(values)
}
