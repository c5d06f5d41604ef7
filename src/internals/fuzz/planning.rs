//! From texts and values to shards.

use std::sync::LazyLock;

use super::Input;
use crate::plan::{Destination, ParamValues, Plan, Planned, Values};
use crate::planner::{self, Context, Function, Relation, RelationKind, Schema};
use crate::shardmap::{
    HashFunction, Keyspace, KeyspaceIndex, MapVersion, Placement, ShardId, ShardMap,
    ShardingFunction, ShardingKey, TableKind, TableName,
};
use crate::sql;
use crate::types::{Format, KeyType, KeyValue, Oid};

/// Two shards; tables by bigint, text and uuid; a reference table.
static MAP: LazyLock<ShardMap> = LazyLock::new(|| {
    let keyspace = |name: &str, column: &str, key_type| Keyspace {
        name: name.to_owned(),
        key: ShardingKey::single(column, key_type),
        function: ShardingFunction::Hash(HashFunction {
            logical_shards: 256,
        }),
        placement: Placement::even(256, 2),
        require_key: false,
    };
    let sharded = |name: &str, keyspace, column: &str| {
        let kind = TableKind::Sharded {
            keyspace: KeyspaceIndex(keyspace),
            columns: vec![column.to_owned()],
        };
        (table("public", name), kind)
    };
    let tables = [
        sharded("matches", 0, "organization_id"),
        sharded("detections", 0, "organization_id"),
        sharded("organizations", 0, "id"),
        sharded("docs", 1, "tenant"),
        sharded("pages", 1, "tenant"),
        sharded("devices", 2, "device_id"),
        (table("public", "classes"), TableKind::Reference),
    ];
    ShardMap {
        version: MapVersion(1),
        shards: vec!["s1".to_owned(), "s2".to_owned()],
        default_shard: ShardId(0),
        keyspaces: vec![
            keyspace("tenants", "organization_id", KeyType::BigInt),
            keyspace("texts", "tenant", KeyType::Text),
            keyspace("things", "device_id", KeyType::Uuid),
        ],
        tables: tables.into_iter().collect(),
    }
});

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| Schema {
    version: 1,
    relations: [(
        table("public", "recent_matches"),
        Relation {
            kind: RelationKind::Opaque("a view".to_owned()),
            columns: Vec::new(),
        },
    )]
    .into(),
    functions: [(
        table("public", "count_matches"),
        Function::Opaque("is user-defined".to_owned()),
    )]
    .into(),
    ..Schema::default()
});

fn table(schema: &str, name: &str) -> TableName {
    TableName {
        schema: schema.to_owned(),
        name: name.to_owned(),
    }
}

/// Parameters made of the input.
struct Params<'a>(Vec<(Format, Option<&'a [u8]>)>);

impl<'a> Params<'a> {
    fn read(input: &mut Input<'a>) -> Self {
        let count = input.byte() % 5;
        let param = |input: &mut Input<'a>| {
            let kind = input.byte();
            let format = if kind & 1 == 0 {
                Format::Text
            } else {
                Format::Binary
            };
            let value = input.part();
            (format, (kind & 6 != 6).then_some(value))
        };
        Self((0..count).map(|_| param(input)).collect())
    }
}

impl ParamValues for Params<'_> {
    fn param(&self, index: u16) -> Option<(Format, Option<&[u8]>)> {
        self.0.get(usize::from(index)).copied()
    }
}

const OIDS: [Oid; 8] = [
    Oid::UNSPECIFIED,
    Oid::INT2,
    Oid::INT4,
    Oid::INT8,
    Oid::TEXT,
    Oid::VARCHAR,
    Oid::UUID,
    Oid(1_700),
];

/// Text to plan to shard.
pub fn plan(data: &[u8]) {
    let mut input = Input(data);
    let params = Params::read(&mut input);
    let flags = input.byte();
    let types = input.byte();
    let declared = [
        OIDS[usize::from(types & 7)],
        OIDS[usize::from(types >> 3 & 7)],
    ];
    let Ok(sent) = std::str::from_utf8(input.0) else {
        return;
    };
    // As sessions do: the semicolon behind a statement is not part of it.
    let text = sql::only_statement(sent).unwrap_or(sent);
    let path = ["audit".to_owned(), "public".to_owned()];
    let context = Context {
        map: &MAP,
        schema: &SCHEMA,
        search_path: (flags & 2 == 2).then_some(&path),
        role: "app",
        hint: None,
        param_types: if flags & 4 == 4 { &declared } else { &[] },
        transaction_pooling: flags & 1 == 0,
        gathers: flags & 8 == 0,
    };
    let plan = planner::plan(text, &context);
    assert_eq!(planner::plan(text, &context), plan);
    let values = Values::of_params(context.param_types, &params);
    let direct = plan.as_ref().ok().and_then(|plan| end(plan, values));
    if context.gathers {
        gathers_only_what_is_refused(text, &context, values, direct.as_ref());
    }
    // Whatever the cache has seen before, the statement goes where it goes by itself.
    let cached = CACHE.plan(text, &context);
    let of = |planned: &Planned, text: &str| {
        let with = |planned: &Planned| {
            let values = planned.values().with_params(context.param_types, &params);
            end(planned, values)
        };
        match with(planned) {
            Some(Some(Destination::ByText)) => {
                let planned = CACHE.plan_by_text(text, &context).ok()?;
                with(&planned)
            }
            found => found,
        }
    };
    let found = cached.as_ref().ok();
    let found = found.and_then(|(planned, _)| of(planned, text));
    assert_eq!(direct, found, "{text}");
    // What was sent may be known without being split.
    if let Some((planned, _)) = CACHE.known(sent, &context) {
        assert_eq!(direct, of(&planned, text), "{sent}");
    }
    if let Ok(plan) = plan {
        let _ = plan.lines(&MAP, values);
    }
}

/// Where the plan ends: `None` for a refusal, `Some(None)` in the session itself.
fn end(plan: &Plan, values: Values<'_>) -> Option<Option<Destination>> {
    match plan {
        Plan::Control(_) => Some(None),
        Plan::Route(route) => route.resolve(&MAP, values).ok().map(Some),
    }
}

/// What has an answer without being gathered has the same with it; and what is gathered is told again in the same words,
/// but for the schemas of what is gathered.
fn gathers_only_what_is_refused(
    text: &str,
    context: &Context<'_>,
    values: Values<'_>,
    direct: Option<&Option<Destination>>,
) {
    let context = Context {
        gathers: false,
        ..*context
    };
    let without = planner::plan(text, &context).ok();
    if let Some(without) = without.and_then(|plan| end(&plan, values)) {
        assert_eq!(direct, Some(&without), "{text}");
    }
    let Some(Some(Destination::Gather(gathering))) = direct else {
        return;
    };
    let retold = planner::retold(text, gathering).expect("planned");
    let (before, after) = (sql::tokens(text), sql::tokens(&retold));
    let (before, after) = (before.expect("planned"), after.expect("retold"));
    assert_eq!(before.len(), after.len(), "{text} {retold}");
    let shifts = planner::shifts(text, gathering).expect("planned");
    for (before, after) in before.iter().zip(&after) {
        let schema = before.is_name() && before.value == "public" && after.is_word("pg_temp");
        assert!(before.value == after.value || schema, "{text} {retold}");
        let position = |text: &str, byte| text[..byte].chars().count() + 1;
        let told = position(&retold, after.start);
        let shift: isize = shifts
            .iter()
            .filter(|(from, _)| *from <= told)
            .map(|(_, by)| by)
            .sum();
        assert_eq!(
            position(text, before.start) as isize,
            told as isize - shift,
            "{text} {retold}"
        );
    }
}

static CACHE: LazyLock<planner::PlanCache> = LazyLock::new(|| planner::PlanCache::new(1 << 20));

/// Sharding keys from parameters and literals.
pub fn params(data: &[u8]) {
    let mut input = Input(data);
    let kind = input.byte();
    let key = KeyType::ALL[usize::from(kind % 11)];
    let oid = match kind >> 4 {
        choice @ 0..8 => OIDS[usize::from(choice)],
        _ => Oid(input.u32()),
    };
    let bytes = input.0;
    let literal = key.parse_text(bytes);
    let values = [
        literal,
        key.parse_param(oid, Format::Text, bytes),
        key.parse_param(oid, Format::Binary, bytes),
    ];
    for value in values.into_iter().flatten() {
        match &value {
            KeyValue::Int(number) => assert_eq!(
                KeyType::BigInt.parse_text(number.to_string().as_bytes()),
                Ok(value.clone())
            ),
            KeyValue::Text(text) => {
                assert!(bytes.starts_with(text.as_bytes()));
                assert!(text.len() == bytes.len() || key == KeyType::Bpchar);
                assert!(!text.contains('\0'));
            }
            KeyValue::Date(_) | KeyValue::Timestamp(_) => {
                // What prints as a day before Christ is not read.
                let printed = key.print(&value);
                assert!(
                    printed.ends_with("BC")
                        || key.parse_text(printed.as_bytes()).as_ref() == Ok(&value)
                );
            }
            _ => {}
        }
        for keyspace in 0..3 {
            if let Some((logical, shard)) =
                MAP.locate(KeyspaceIndex(keyspace), std::slice::from_ref(&value))
            {
                assert!(logical.0 < 256 && shard.0 < 2);
            }
        }
    }
}
