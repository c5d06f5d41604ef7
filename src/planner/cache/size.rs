//! What is kept takes so many bytes, roughly.

use super::{Answer, ENTRY_BYTES, Key};
use crate::plan::{
    ColumnKey, Hint, Joined, KeySource, KeyTarget, Piece, Plan, RelationKey, Route, Scatter,
    Targets,
};
use crate::types::KeyValue;

/// What an entry takes, roughly.
pub(super) fn size(key: &Key, answer: &Answer) -> usize {
    let path: usize = key
        .search_path
        .iter()
        .flatten()
        .map(|schema| schema.len() + size_of::<String>())
        .sum();
    let hint = match &key.hint {
        None => 0,
        Some(Hint::Shard(shard)) => shard.len(),
        Some(Hint::Key { keyspace, values }) => {
            let values = values.iter().chain(keyspace);
            values.map(|value| value.len() + size_of::<String>()).sum()
        }
    };
    let of_plan = |plan: &Plan| match plan {
        Plan::Route(route) => route.reason.len() + keys_size(route),
        Plan::Control(_) => key.text.len(),
    };
    let answer = match answer {
        Answer::Planned(planned) => of_plan(&planned.plan) + planned.literals.bytes(),
        Answer::Slotted(slotted) => of_plan(&slotted.plan) + size_of_val(&*slotted.places),
        Answer::ByText => 0,
        Answer::Learned(_) => Scatter::LEARNED_BYTES,
        Answer::Alike(alike) => {
            let plans = alike.known.iter().map(|known| of_plan(&known.slotted.plan));
            alike.bytes() + plans.sum::<usize>()
        }
    };
    let key = key.text.len() + key.role.len() + path + hint + size_of_val(&*key.param_types);
    ENTRY_BYTES + key + answer
}

/// What is known of keys.
pub(super) fn keys_size(route: &Route) -> usize {
    let target = match &route.targets {
        Targets::Key(target) => Some(target),
        Targets::Any | Targets::Default => None,
    };
    let pieces = route.gather.iter().flat_map(|gather| &gather.pieces);
    let columns = |columns: &[String]| {
        let column = |column: &String| size_of::<String>() + column.len();
        columns.iter().map(column).sum::<usize>()
    };
    let named = pieces.clone().map(|piece| {
        let called = piece.called.as_ref().map_or(0, |called| called.name.len());
        let names = piece.table.schema.len() + piece.table.name.len() + called;
        let columns = columns(&piece.columns.used) + columns(&piece.columns.others);
        let joined = piece.joined.iter();
        let joined = joined.map(|it| size_of::<Joined>() + it.column.len() + it.other.len());
        size_of::<Piece>() + names + columns + joined.sum::<usize>()
    });
    let keys = pieces.map(|piece| &piece.keys).chain(target);
    let arrays = route.gather.iter().flat_map(|gather| &gather.arrays);
    let scatter = route.scatter.iter().chain(arrays);
    let scatter = scatter.map(|scatter| scatter.bytes());
    let anchors = route.scatter.iter().map(|scatter| &scatter.anchors);
    let keys = keys.chain(anchors).map(target_size);
    keys.chain(named).chain(scatter).sum()
}

fn target_size(target: &KeyTarget) -> usize {
    let source = |source: &KeySource| {
        let text = match source {
            KeySource::Literal(KeyValue::Text(text)) => text.len(),
            _ => 0,
        };
        size_of::<KeySource>() + text
    };
    let column = |column: &ColumnKey| {
        let sources: usize = column.conditions.iter().flatten().map(source).sum();
        size_of::<ColumnKey>() + column.name.len() + column.conditions.len() * 24 + sources
    };
    let relation = |relation: &RelationKey| {
        let columns: usize = relation.columns.iter().map(column).sum();
        size_of::<RelationKey>() + relation.relation.len() + columns
    };
    target.relations.iter().map(relation).sum()
}
