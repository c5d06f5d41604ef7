//! What a server is asked of a scattered statement before it runs for the first time: its columns, and whether texts
//! among what is compared come in the order of their bytes.

mod finish;

use std::io;
use std::sync::Arc;

use tokio::time::Instant;

use super::Parameters;
use crate::backend::Connection;
use crate::error::{PgError, SqlState};
use crate::executor::answer::texts;
use crate::plan::{self, Facts, Known, Merge, Merged, Scatter};
use crate::shardmap::ShardId;
use crate::sql;
use crate::types::aggregate::{Aggregate, Function};
use crate::types::order::{Order, SortKey};
use crate::types::{Format, Oid};
use crate::wire::{self, Described as Target, Description, backend, frontend};

/// The column of an EXPLAIN.
const QUERY_PLAN: &[u8] = b"QUERY PLAN";

/// Stands where shards will be told the time.
const SOME_MOMENT: &str = "2000-01-01 00:00:00+00";

/// The time at which a transaction on this server begins now, as every server reads it.
///
/// As [`learn`].
pub async fn moment(connection: &mut Connection, deadline: Instant) -> Result<String, PgError> {
    const NOW: &str = "SELECT pg_catalog.to_char(pg_catalog.timezone('UTC', pg_catalog.now()), \
                       'YYYY-MM-DD HH24:MI:SS.US') || '+00'";
    let answer = ask(connection, NOW, Parameters::NONE, deadline).await?;
    let told = answer.into_iter().flatten().next();
    told.ok_or_else(|| connection.lost(&io::ErrorKind::InvalidData.into()))
}

/// RowDescription of an EXPLAIN.
pub(super) fn query_plan() -> Option<Description> {
    let mut body = vec![0, 1];
    body.extend_from_slice(QUERY_PLAN);
    // No table, no attribute.
    body.extend([0; 7]);
    body.extend(Oid::TEXT.0.to_be_bytes());
    body.extend((-1i16).to_be_bytes());
    body.extend((-1i32).to_be_bytes());
    body.extend([0, 0]);
    Description::read(&body)
}

/// What is asked about: the client's own query, and the one that has what is compared or merged among its columns.
struct Texts<'a> {
    client: &'a str,
    compared: String,
}

impl<'a> Texts<'a> {
    /// `None` where it is not certain where the time of the transaction stands in them.
    fn of(scatter: &Scatter, source: &Merge, text: &'a str) -> Option<Self> {
        let from = scatter.explained.unwrap_or_default();
        let client = text.get(from..).unwrap_or_default();
        let compared = match source {
            Merge::Rows(rows) => match &rows.text {
                Some(text) => text.get(from..).unwrap_or_default().to_owned(),
                None => client.to_owned(),
            },
            Merge::Groups(groups) => groups.arguments(from),
            Merge::Tables(tables) => tables.text.to_string(),
        };
        let compared = match scatter.has_moments {
            true => sql::at_moment(&compared, SOME_MOMENT)?,
            false => compared,
        };
        Some(Self { client, compared })
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
    let mut probe = Probe {
        connection,
        shard,
        text,
        deadline,
    };
    let known = match scatter.is_finished() {
        true => None,
        false => Some(probe.merged(scatter, parameters).await?),
    };
    let Some(finish) = &scatter.finish else {
        let none = || Known::Unmergeable("nothing finishes it".to_owned());
        return Ok(known.unwrap_or_else(none));
    };
    match known {
        // How floats are printed depends on settings that a server has.
        Some(Known::Mergeable(facts)) if facts.shows_floats() => {
            match probe.finished(scatter, finish, parameters).await? {
                Known::Unmergeable(_) => Ok(Known::Mergeable(facts)),
                finished => Ok(finished),
            }
        }
        Some(known @ Known::Mergeable(_)) => Ok(known),
        Some(Known::Unmergeable(_)) | None => probe.finished(scatter, finish, parameters).await,
    }
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
    let from = scatter.explained.unwrap_or_default();
    let text = text.get(from..).unwrap_or_default();
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
    let finish = facts.finish.as_ref();
    let Some(texts) = Texts::of(scatter, scatter.source(finish.is_some()), text) else {
        return Ok(false);
    };
    let parameters = parameters.typed(facts);
    let all = describe(connection, &texts.compared, parameters.types, deadline).await?;
    let of = (&*texts.compared, all.columns.len());
    let answers = collations(connection, of, &facts.texts, parameters, deadline).await?;
    if let Some(rules) = finish.and_then(|finish| finish.rules.as_ref()) {
        return Ok(answers.iter().map(|text| &text.rules).eq(rules.iter()));
    }
    let alike = |(place, text): (&usize, Text)| match finish {
        Some(finish) if finish.by_bytes.contains(place) => text.is_deterministic,
        _ => text.by_bytes,
    };
    Ok(facts.texts.iter().zip(answers).all(alike))
}

/// Questions to one server about one statement.
pub(super) struct Probe<'a> {
    pub(super) connection: &'a mut Connection,
    pub(super) shard: ShardId,
    pub(super) text: &'a str,
    pub(super) deadline: Instant,
}

impl Probe<'_> {
    /// Of answers that are merged here.
    async fn merged(
        &mut self,
        scatter: &Scatter,
        parameters: Parameters<'_>,
    ) -> Result<Known, PgError> {
        let Some(texts) = Texts::of(scatter, &scatter.merge, self.text) else {
            return Ok(other_columns());
        };
        let described = self.describe(&texts.compared, parameters.types).await;
        let (all, parameter_types) = match described {
            Ok(described) => (described.columns, described.params),
            Err(error) if error.code == SqlState::CONNECTION_FAILURE => return Err(error),
            Err(error) => {
                // The client's own text has the client's own error, if there is one.
                self.describe(texts.client, parameters.types).await?;
                return not_understood(error);
            }
        };
        let hidden = match &scatter.merge {
            Merge::Rows(rows) => all.len().saturating_sub(rows.hidden()),
            Merge::Groups(_) | Merge::Tables(_) => 0,
        };
        let client = match &scatter.merge {
            Merge::Rows(_) if scatter.has_moments => {
                let client = self.describe(texts.client, parameters.types).await?.columns;
                // A column may be called like the function that is not called any longer.
                if !all.first(hidden).tells_exactly(&client) {
                    return Ok(other_columns());
                }
                client
            }
            Merge::Rows(_) => all.first(hidden),
            Merge::Groups(_) | Merge::Tables(_) => {
                self.describe(texts.client, parameters.types).await?.columns
            }
        };
        let types: Vec<Oid> = all.types().skip(hidden).collect();
        if types.len() != wanted(&scatter.merge) {
            return Ok(other_columns());
        }
        let are_texts: Vec<usize> = (0..types.len()).filter(|at| is_text(types[*at])).collect();
        let places: Vec<usize> = are_texts.iter().map(|at| hidden + at).collect();
        let of = (&*texts.compared, all.len());
        let answers = self.collations(of, &places, parameters).await?;
        let by_bytes = |at: usize| {
            let place = are_texts.iter().position(|text| *text == at);
            place.is_some_and(|place| answers[place].by_bytes)
        };
        let merged = match merged(&scatter.merge, &types, &client, by_bytes) {
            Ok(merged) => merged,
            Err(reason) => return Ok(Known::Unmergeable(reason)),
        };
        let expected = match &scatter.merge {
            Merge::Rows(_) | Merge::Tables(_) => all.types().collect(),
            Merge::Groups(groups) => types[..groups.keys.len().min(types.len())].into(),
        };
        let texts = are_texts.iter().filter(|at| by_bytes(**at));
        let texts = texts.map(|at| hidden + at).collect();
        Ok(Known::Mergeable(Arc::new(Facts {
            description: client,
            parameters: parameter_types.into(),
            types: expected,
            merged,
            texts,
            asked: vec![self.shard],
            finish: None,
        })))
    }

    pub(super) async fn describe(
        &mut self,
        text: &str,
        types: &[Oid],
    ) -> Result<Described, PgError> {
        describe(self.connection, text, types, self.deadline).await
    }

    pub(super) async fn collations(
        &mut self,
        of: (&str, usize),
        asked: &[usize],
        parameters: Parameters<'_>,
    ) -> Result<Vec<Text>, PgError> {
        collations(self.connection, of, asked, parameters, self.deadline).await
    }

    pub(super) async fn ask(
        &mut self,
        text: &str,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Option<String>>, PgError> {
        ask(self.connection, text, parameters, self.deadline).await
    }
}

/// It is about the text that was made here, not about rows or the moment.
pub fn is_of_text(error: &PgError) -> bool {
    error.code.is_of_syntax()
        || error.code.is_of_limits()
        || error.code == SqlState::FEATURE_NOT_SUPPORTED
}

/// What a server makes of a text that was made here.
pub(super) fn not_understood(error: PgError) -> Result<Known, PgError> {
    if error.code == SqlState::CONNECTION_FAILURE || !is_of_text(&error) {
        // It may be over the next time.
        return Err(PgError {
            position: None,
            ..error
        });
    }
    let reason = format!(
        "servers do not understand what they would be asked: {}",
        error.message
    );
    Ok(Known::Unmergeable(reason))
}

pub(super) fn other_columns() -> Known {
    Known::Unmergeable("its columns are not those that were read".to_owned())
}

/// How many columns are compared or merged, with the conditions of FILTER.
pub(super) fn wanted(source: &Merge) -> usize {
    match source {
        Merge::Rows(rows) => rows.hidden(),
        Merge::Tables(_) => 0,
        Merge::Groups(groups) => {
            let calls = groups.aggregates.iter();
            let columns = calls.map(|call| {
                usize::from(&*call.argument != "*") + usize::from(call.filter.is_some())
            });
            groups.keys.len() + columns.sum::<usize>()
        }
    }
}

pub(super) fn is_text(oid: Oid) -> bool {
    Order::of(oid, false).is_none() && Order::of(oid, true).is_some()
}

/// How what is compared and merged is to be read. `types` are those of the columns behind the client's, or of the
/// groups' expressions and the aggregates' arguments.
///
/// Errors: why that is not known, in words.
pub(super) fn merged(
    source: &Merge,
    types: &[Oid],
    client: &Description,
    by_bytes: impl Fn(usize) -> bool,
) -> Result<Merged, String> {
    let order = match source {
        Merge::Rows(rows) => &rows.order,
        Merge::Groups(groups) => &groups.order,
        Merge::Tables(_) => return Ok(Merged::Tables),
    };
    let first = match source {
        Merge::Rows(_) => client.len(),
        Merge::Groups(_) | Merge::Tables(_) => 0,
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
    let Merge::Groups(groups) = source else {
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

/// How texts of a column are compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Text {
    /// In the order of their bytes.
    pub(super) by_bytes: bool,
    /// Those that are equal have the same bytes.
    pub(super) is_deterministic: bool,
    /// All that the catalogs have of its collation, with the version of the library; and of the database, where it is
    /// that one's.
    pub(super) rules: String,
}

const COLLATION_COLUMNS: &[&str] = &[
    "collprovider",
    "collisdeterministic",
    "collcollate",
    "collctype",
    "colliculocale",
    "colllocale",
    "collicurules",
];
const DATABASE_COLUMNS: &[&str] = &[
    "datlocprovider",
    "datcollate",
    "datctype",
    "daticulocale",
    "datlocale",
    "daticurules",
    "datcollversion",
];

/// For each of these columns of a text, which has so many, how its texts are compared. The text itself does not run.
/// Source: <https://www.postgresql.org/docs/current/catalog-pg-collation.html>,
/// <https://www.postgresql.org/docs/current/catalog-pg-database.html>
async fn collations(
    connection: &mut Connection,
    (text, columns): (&str, usize),
    asked: &[usize],
    parameters: Parameters<'_>,
    deadline: Instant,
) -> Result<Vec<Text>, PgError> {
    const C: &str = "IN ('C', 'POSIX')";
    let of = |row: &str, columns: &[&str]| {
        let columns: Vec<String> = { columns.iter() }
            .map(|column| format!("pg_catalog.to_jsonb({row}) ->> '{column}'"))
            .collect();
        columns.join(", ")
    };
    // Which of them there are is a matter of PostgreSQL's version.
    let collation = of("c", COLLATION_COLUMNS);
    let database = format!("pg_catalog.concat_ws(' ', {})", of("d", DATABASE_COLUMNS));
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
             pg_catalog.pg_collation_for(k.c{column})::pg_catalog.regcollation), false),\n \
             coalesce((SELECT c.collisdeterministic FROM pg_catalog.pg_collation c WHERE c.oid = \
             pg_catalog.pg_collation_for(k.c{column})::pg_catalog.regcollation), false),\n \
             (SELECT pg_catalog.concat_ws(' ', pg_catalog.pg_collation_actual_version(c.oid), \
             pg_catalog.getdatabaseencoding(), {collation}, \
             CASE c.collprovider WHEN 'd' THEN {database} END) \
             FROM pg_catalog.pg_collation c WHERE c.oid = \
             pg_catalog.pg_collation_for(k.c{column})::pg_catalog.regcollation)"
        )
    };
    let by_bytes: Vec<String> = asked.iter().map(by_bytes).collect();
    let question = about(&by_bytes.join(",\n "), (text, columns));
    let answers = ask(connection, &question, parameters, deadline).await?;
    // Texts arrive in the encoding they are stored and compared in.
    let encoding = |whose| connection.parameters.get(whose);
    let is_one_encoding = encoding("server_encoding") == encoding("client_encoding");
    let holds = |answer: &Option<String>| is_one_encoding && answer.as_deref() == Some("t");
    let texts = answers.chunks_exact(3).map(|answer| Text {
        by_bytes: holds(&answer[0]),
        is_deterministic: holds(&answer[1]),
        rules: answer[2].clone().unwrap_or_default(),
    });
    let texts: Vec<Text> = texts.collect();
    match texts.len() == asked.len() {
        true => Ok(texts),
        false => Err(super::changed()),
    }
}

/// A question about columns of a text, which are `k.c0`, `k.c1` and so on. `d` is the database.
pub(super) fn about(columns: &str, (text, count): (&str, usize)) -> String {
    let names: Vec<String> = (0..count).map(|column| format!("c{column}")).collect();
    format!(
        "SELECT {columns}\nFROM pg_catalog.pg_database d LEFT JOIN (\n{text}\n) AS k({}) ON false\n\
         WHERE d.datname = pg_catalog.current_database()",
        names.join(", ")
    )
}

/// What a server says of a text before it runs.
pub(super) struct Described {
    pub(super) params: Vec<Oid>,
    pub(super) columns: Description,
}

async fn describe(
    connection: &mut Connection,
    text: &str,
    types: &[Oid],
    deadline: Instant,
) -> Result<Described, PgError> {
    let out = &mut connection.output;
    wire::put_parse(out, b"", text.as_bytes(), types.iter().map(|oid| oid.0))?;
    wire::put_close(out, frontend::DESCRIBE, Target::Statement(b""))?;
    wire::put_sync(out);
    let answer = connection.exchange(deadline).await?;
    let body = |wanted: u8| {
        let found = answer.iter().find(|(tag, _)| *tag == wanted);
        found.map(|(_, body)| &body[..])
    };
    let params = body(backend::PARAMETER_DESCRIPTION).unwrap_or_default();
    let params = params.get(2..).unwrap_or_default();
    let params = params.as_chunks().0.iter();
    let columns = body(backend::ROW_DESCRIPTION).and_then(Description::read);
    Ok(Described {
        params: params.map(|oid| Oid(u32::from_be_bytes(*oid))).collect(),
        columns: columns.ok_or_else(super::changed)?,
    })
}

/// The only row of a question, as texts.
async fn ask(
    connection: &mut Connection,
    text: &str,
    parameters: Parameters<'_>,
    deadline: Instant,
) -> Result<Vec<Option<String>>, PgError> {
    let request = super::question::request(text, parameters, &[Format::Text])?;
    connection.output.extend_from_slice(&request);
    let answer = connection.exchange(deadline).await?;
    let mut rows = answer.iter().filter(|(tag, _)| *tag == backend::DATA_ROW);
    rows.next().map_or(Ok(Vec::new()), |(_, body)| texts(body))
}
