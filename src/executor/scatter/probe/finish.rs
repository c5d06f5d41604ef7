//! What a server is asked of a statement that it is to finish: whether the client's query over the merged rows has the columns that
//! the client's own has.

use std::sync::Arc;

use super::{
    Described, Probe, Text, Texts, about, is_text, merged, not_understood, other_columns, wanted,
};
use crate::error::PgError;
use crate::executor::scatter::Parameters;
use crate::plan::{
    Facts, Finish, FinishedType, Finishing, Groups, Known, Merge, Merged, Pause, Query, Scatter,
};
use crate::types::Oid;
use crate::types::order::Order;
use crate::types::translation::FIRST_USER_OID;
use crate::wire::Description;

/// How the rows are merged that a server finishes.
struct Merging {
    merged: Merged,
    /// Of the keys, or of all columns of rows.
    types: Box<[Oid]>,
    texts: Box<[usize]>,
    by_bytes: Box<[usize]>,
    rules: Option<Box<[String]>>,
    /// The merged columns.
    columns: Description,
}

impl Probe<'_> {
    /// Of answers that a server finishes.
    pub(super) async fn finished(
        &mut self,
        scatter: &Scatter,
        finish: &Finish,
        parameters: Parameters<'_>,
    ) -> Result<Known, PgError> {
        let source = scatter.source(true);
        let Some(texts) = Texts::of(scatter, source, self.text) else {
            return Ok(other_columns());
        };
        let client = self.describe(texts.client, parameters.types).await?;
        if client.params.iter().any(|oid| oid.0 >= FIRST_USER_OID) {
            let reason = "parameters of users' types beside merged groups".to_owned();
            return Ok(Known::Unmergeable(reason));
        }
        let parameters = Parameters {
            types: &client.params,
            ..parameters
        };
        let from = scatter.explained.unwrap_or_default();
        let (calls, merging);
        match (source, &finish.query) {
            (Merge::Groups(groups), Query::Groups(_)) => {
                let whole = groups.calls();
                calls = whole.get(from..).unwrap_or_default().to_owned();
                merging = self
                    .groups(groups, &calls, &texts.compared, parameters)
                    .await;
            }
            (Merge::Rows(_), Query::Rows(query)) => {
                calls = texts.compared;
                merging = self.rows(query.order.len(), &calls, parameters).await;
            }
            (Merge::Tables(_), Query::Tables(_)) => {
                calls = texts.compared;
                merging = self.tables(&calls, parameters).await;
            }
            _ => return Ok(other_columns()),
        }
        let merging = match merging {
            Ok(Ok(merging)) => merging,
            Ok(Err(known)) => return Ok(known),
            Err(error) => return not_understood(error),
        };
        // A column may be called like the function that is not called any longer.
        if scatter.has_moments
            && matches!(source, Merge::Rows(_))
            && !merging.columns.begins_like(&client.columns)
        {
            return Ok(other_columns());
        }
        let types = match self.types(&calls, &merging, parameters).await? {
            Ok(types) => types,
            Err(reason) => return Ok(Known::Unmergeable(reason)),
        };
        let labels: Vec<String> = client.columns.names().collect();
        let text = finish.text(&types, client.params.len(), &labels);
        match self.describe(&text, &client.params).await {
            Err(error) => return not_understood(error),
            Ok(finished) if !finished.columns.tells_exactly(&client.columns) => {
                return Ok(other_columns());
            }
            Ok(_) => {}
        }
        Ok(Known::Mergeable(Arc::new(Facts {
            description: client.columns,
            parameters: client.params.clone().into(),
            types: merging.types,
            merged: merging.merged,
            texts: merging.texts,
            asked: vec![self.shard],
            finish: Some(Finishing {
                types: types.into(),
                labels: labels.into(),
                params: client.params.into(),
                columns: merging.columns.types().collect(),
                by_bytes: merging.by_bytes,
                rules: merging.rules,
                pause: Pause::default(),
            }),
        })))
    }

    /// How the groups are merged. Keys that are texts are compared by bytes whatever their collation is: their order
    /// matters to nobody, and those that are equal have the same bytes.
    async fn groups(
        &mut self,
        groups: &Groups,
        calls: &str,
        arguments: &str,
        parameters: Parameters<'_>,
    ) -> Result<Result<Merging, Known>, PgError> {
        let source = Merge::Groups(groups.clone());
        let Described { columns, .. } = self.describe(calls, parameters.types).await?;
        let compared = self.describe(arguments, parameters.types).await?.columns;
        let types: Vec<Oid> = compared.types().collect();
        if types.len() != wanted(&source) {
            return Ok(Err(other_columns()));
        }
        let keys = groups.keys.len();
        let texts: Vec<usize> = (0..types.len()).filter(|at| is_text(types[*at])).collect();
        let of = (arguments, types.len());
        let answers = self.collations(of, &texts, parameters).await?;
        let answer = |at: usize| {
            let place = texts.iter().position(|text| *text == at);
            place.map(|place| &answers[place])
        };
        let is_merged = |at: usize| {
            answer(at).is_some_and(|text| match at < keys {
                true => text.is_deterministic,
                false => text.by_bytes,
            })
        };
        let merged = match merged(&source, &types, &columns, is_merged) {
            Ok(merged) => merged,
            Err(reason) => return Ok(Err(Known::Unmergeable(reason))),
        };
        let by_language = |at: &usize| {
            let text: Option<&Text> = answer(*at);
            text.is_some_and(|text| !text.by_bytes)
        };
        Ok(Ok(Merging {
            merged,
            texts: texts.iter().copied().filter(|at| is_merged(*at)).collect(),
            by_bytes: (0..keys).filter(by_language).collect(),
            rules: None,
            types: types[..keys].into(),
            columns,
        }))
    }

    /// How rows are merged, the last columns of which are compared: they are put together as they come. Each shard orders and
    /// limits its own by its own rules.
    async fn rows(
        &mut self,
        hidden: usize,
        text: &str,
        parameters: Parameters<'_>,
    ) -> Result<Result<Merging, Known>, PgError> {
        let Described { columns, .. } = self.describe(text, parameters.types).await?;
        let types: Vec<Oid> = columns.types().collect();
        let Some(first) = types.len().checked_sub(hidden) else {
            return Ok(Err(other_columns()));
        };
        let texts: Vec<usize> = (first..types.len())
            .filter(|at| is_text(types[*at]))
            .collect();
        // By which rules others compare is not asked: texts within them, labels of enums.
        let is_known = |oid: &Oid| Order::of(*oid, true).is_some();
        if !types[first..].iter().all(is_known) {
            let reason = "the order of a type is not known".to_owned();
            return Ok(Err(Known::Unmergeable(reason)));
        }
        let answers = self
            .collations((text, types.len()), &texts, parameters)
            .await?;
        Ok(Ok(Merging {
            merged: Merged::Rows([].into()),
            texts: texts.into(),
            by_bytes: [].into(),
            rules: Some(answers.into_iter().map(|text| text.rules).collect()),
            types: types.into(),
            columns,
        }))
    }

    /// Rows of tables, as they come.
    async fn tables(
        &mut self,
        text: &str,
        parameters: Parameters<'_>,
    ) -> Result<Result<Merging, Known>, PgError> {
        let Described { columns, .. } = self.describe(text, parameters.types).await?;
        Ok(Ok(Merging {
            merged: Merged::Tables,
            texts: [].into(),
            by_bytes: [].into(),
            rules: None,
            types: columns.types().collect(),
            columns,
        }))
    }

    /// The types of the merged columns in words, or why they cannot be parameters.
    async fn types(
        &mut self,
        calls: &str,
        merging: &Merging,
        parameters: Parameters<'_>,
    ) -> Result<Result<Vec<FinishedType>, String>, PgError> {
        let columns = &merging.columns;
        let described = columns.types().zip(columns.modifiers()).enumerate();
        let question = |(place, (oid, modifier)): (usize, (Oid, i32))| {
            let collation = match is_text(oid) {
                true => format!("pg_catalog.pg_collation_for(k.c{place})"),
                false => "NULL".to_owned(),
            };
            // A domain is told as its base type. What has OIDs in its binary form may have those of another server.
            format!(
                "pg_catalog.format_type({oid}, -1), pg_catalog.format_type({oid}, {modifier}), \
                 pg_catalog.pg_typeof(k.c{place})::pg_catalog.oid = {oid} AND \
                 (SELECT t.typsend <> 0 AND t.typreceive <> 0 AND \
                 CASE WHEN t.oid < {FIRST_USER_OID} THEN t.typtype IN ('b', 'r', 'm') \
                 ELSE t.typtype IN ('b', 'e') AND t.typcollation = 0 END \
                 FROM pg_catalog.pg_type t WHERE t.oid = {oid}), {collation}",
                oid = oid.0
            )
        };
        let questions: Vec<String> = described.map(question).collect();
        let question = about(&questions.join(",\n "), (calls, columns.len()));
        let answers = self.ask(&question, parameters).await?;
        let mut types = Vec::with_capacity(columns.len());
        let described = columns.types().zip(columns.modifiers());
        for (answer, (oid, modifier)) in answers.chunks_exact(4).zip(described) {
            let [bare, exact, is_exact, collation] = answer else {
                continue;
            };
            let (Some(bare), Some(exact), Some("t")) = (bare, exact, is_exact.as_deref()) else {
                return Ok(Err(
                    "values of domains, records and other users' types".to_owned()
                ));
            };
            if !oid.travels_in_binary()
                || bare.ends_with("[]")
                || is_text(oid) && collation.is_none()
            {
                return Ok(Err(
                    "arrays, values without a binary form for all servers, or texts with no collation".to_owned(),
                ));
            }
            types.push(FinishedType {
                bare: bare.clone(),
                exact: exact.clone(),
                modifier,
                collation: collation.clone().filter(|name| name != "\"default\""),
            });
        }
        match types.len() == columns.len() {
            true => Ok(Ok(types)),
            false => Ok(Err("its types are not known".to_owned())),
        }
    }
}
