//! Slots and parameters give the values that constants in their places would.

use std::collections::{BTreeSet, HashMap};

use super::*;
use crate::plan::{Access, Catalogs, ColumnKey};
use crate::shardmap::{
    Keyspace, KeyspaceIndex, ListFunction, MapVersion, Placement, ShardingFunction, ShardingKey,
};
use crate::sql::Shape;
use crate::sql::tree::CastType;
use crate::sql::tree::Slot;
use crate::types::KeyType;

/// What a source comes to for a key of this type, in words.
fn words(source: &KeySource, key_type: KeyType, values: Values<'_>) -> String {
    match read(source, key_type, values) {
        Ok(Read::One(value)) => format!("{value:?}"),
        Ok(Read::Many(many)) => format!("{many:?}"),
        Ok(Read::Nothing(_)) => "nothing".to_owned(),
        Err(error) => format!("{}", error.code),
    }
}

/// The literals of a text of which all places are asked for.
fn literals(text: &str) -> Literals {
    let mut shape = Shape::default();
    assert!(shape.read(text), "{text}");
    shape.literals(text, &(0..100).collect::<Vec<u32>>())
}

fn slot(literal: &str, negative: bool, cast: Option<CastType>, key: KeyType) -> String {
    let slot = Slot {
        place: 0,
        string: literal.starts_with('\''),
        negative,
        cast,
        array: literal.starts_with("'{"),
    };
    let literals = literals(&format!("select {literal}"));
    words(&KeySource::Slot(slot), key, Values::of_literals(&literals))
}

#[test]
fn a_slot_is_read_as_the_constant_it_stands_for() {
    use KeyType::{BigInt, Integer, SmallInt, Text, Uuid};
    for (literal, negative, cast, key, expected) in [
        ("5", false, None, BigInt, "Int(5)"),
        ("5", true, None, SmallInt, "Int(-5)"),
        (
            "9223372036854775807",
            true,
            None,
            BigInt,
            "Int(-9223372036854775807)",
        ),
        ("40000", false, None, SmallInt, "Int(40000)"),
        ("40000", false, Some(SmallInt), BigInt, "nothing"),
        ("40000", true, Some(Integer), BigInt, "Int(-40000)"),
        ("5", false, None, Text, "nothing"),
        ("' 5 '", false, None, BigInt, "Int(5)"),
        ("'5'", true, None, BigInt, "nothing"),
        ("'x'", false, None, BigInt, "[]"),
        ("'0x10'", false, None, BigInt, "nothing"),
        ("'5'", false, Some(BigInt), Integer, "Int(5)"),
        ("'5'", false, None, Text, "Text(\"5\")"),
        ("'a''b'", false, Some(Text), Text, "Text(\"a'b\")"),
        ("'5'", false, Some(Text), BigInt, "nothing"),
        ("'5'", false, Some(Uuid), BigInt, "nothing"),
        ("'{1, 2,NULL}'", false, None, BigInt, "[Int(1), Int(2)]"),
        ("'{1,x}'", false, None, BigInt, "[Int(1)]"),
        ("'{1,0x10}'", false, None, BigInt, "nothing"),
        ("'{{1}}'", false, None, BigInt, "nothing"),
        ("'{}'", false, None, BigInt, "[]"),
        (
            "'{a,\"b c\"}'",
            false,
            None,
            Text,
            "[Text(\"a\"), Text(\"b c\")]",
        ),
        ("'{a,null}'", false, None, Text, "nothing"),
        ("'{1}'", false, Some(BigInt), Integer, "[Int(1)]"),
    ] {
        let found = slot(literal, negative, cast, key);
        assert_eq!(found, expected, "{literal} {negative} {cast:?} {key:?}");
    }
    let missing = Slot {
        place: 0,
        string: false,
        negative: false,
        cast: None,
        array: false,
    };
    let found = words(&KeySource::Slot(missing), BigInt, Values::NONE);
    assert_eq!(found, "nothing", "a literal that is not there");
}

#[test]
fn a_slot_of_a_list_is_all_of_them() {
    let literals = literals("select a in (1, 2, 3, 4)");
    let place = |place| {
        let slot = Slot {
            place,
            string: false,
            negative: false,
            cast: None,
            array: false,
        };
        words(
            &KeySource::Slot(slot),
            KeyType::BigInt,
            Values::of_literals(&literals),
        )
    };
    assert_eq!(place(0), "Int(1)");
    assert_eq!(place(1), "[Int(2), Int(3), Int(4)]");
}

struct One(Format, Option<Vec<u8>>);

impl ParamValues for One {
    fn param(&self, index: u16) -> Option<(Format, Option<&[u8]>)> {
        (index == 0).then_some((self.0, self.1.as_deref()))
    }
}

fn array(oid: Oid, declared: &[Oid], param: &One, key: KeyType) -> String {
    let source = KeySource::Param {
        index: 0,
        oid,
        array: true,
    };
    words(&source, key, Values::of_params(declared, param))
}

#[test]
fn arrays_in_parameters_give_their_elements() {
    const INT8_ARRAY: Oid = Oid(1016);
    const TEXT_ARRAY: Oid = Oid(1009);
    let none = Oid::UNSPECIFIED;
    let text = |text: &str| One(Format::Text, Some(text.as_bytes().to_vec()));
    let binary = |element: Oid, elements: &[Option<&[u8]>]| {
        let words = [1, 0, element.0 as i32, elements.len() as i32, 1];
        let mut bytes: Vec<u8> = words
            .iter()
            .flat_map(|word: &i32| word.to_be_bytes())
            .collect();
        for element in elements {
            let length = element.map_or(-1, |element| element.len() as i32);
            bytes.extend(length.to_be_bytes());
            bytes.extend(element.unwrap_or_default());
        }
        One(Format::Binary, Some(bytes))
    };
    let five = 5i64.to_be_bytes();
    let int8 = || binary(Oid::INT8, &[Some(&five), None]);
    let int4 = || binary(Oid::INT4, &[Some(&five[4..])]);
    for (oid, declared, param, key, expected) in [
        (
            none,
            none,
            text("{1,NULL,2}"),
            KeyType::BigInt,
            "[Int(1), Int(2)]",
        ),
        (none, INT8_ARRAY, text("{1}"), KeyType::Integer, "[Int(1)]"),
        (Oid::INT4, none, text("{1}"), KeyType::BigInt, "[Int(1)]"),
        (none, TEXT_ARRAY, text("{1}"), KeyType::BigInt, "nothing"),
        (none, Oid::INT8, text("{1}"), KeyType::BigInt, "nothing"),
        (none, none, text("[0:0]={1}"), KeyType::BigInt, "nothing"),
        (none, none, text("{1,x}"), KeyType::BigInt, "[]"),
        (none, none, int8(), KeyType::BigInt, "[Int(5)]"),
        (none, INT8_ARRAY, int4(), KeyType::BigInt, "nothing"),
        (none, none, int4(), KeyType::BigInt, "[Int(5)]"),
        (
            none,
            none,
            binary(Oid::INT8, &[Some(&five[1..])]),
            KeyType::BigInt,
            "nothing",
        ),
        (
            none,
            none,
            binary(Oid::TEXT, &[Some(b"a")]),
            KeyType::Varchar,
            "[Text(\"a\")]",
        ),
        (
            none,
            none,
            binary(Oid::TEXT, &[Some(b"5")]),
            KeyType::BigInt,
            "nothing",
        ),
        (none, none, binary(Oid::INT8, &[]), KeyType::BigInt, "[]"),
        (
            none,
            none,
            One(Format::Binary, Some(vec![1, 2, 3])),
            KeyType::BigInt,
            "nothing",
        ),
        (none, none, One(Format::Text, None), KeyType::BigInt, "Null"),
    ] {
        let found = array(oid, &[declared], &param, key);
        assert_eq!(found, expected, "{:?}", param.1);
    }
}

#[test]
fn a_plan_says_which_literals_it_needs() {
    let slot = |place| {
        KeySource::Slot(Slot {
            place,
            string: false,
            negative: false,
            cast: None,
            array: false,
        })
    };
    let column = |sources| ColumnKey {
        name: "id".to_owned(),
        conditions: vec![sources],
    };
    let relation = |columns| RelationKey {
        relation: "t".to_owned(),
        columns,
        stores: false,
    };
    let route = Route {
        targets: Targets::Key(KeyTarget {
            keyspace: KeyspaceIndex(0),
            relations: vec![
                relation(vec![column(vec![slot(7), slot(3)])]),
                relation(vec![column(vec![slot(3), KeySource::Invalid])]),
            ],
        }),
        access: Access::Read,
        explain: None,
        detached: false,
        unsettles: false,
        catalogs: Catalogs::Read,
        hint: None,
        gather: None,
        scatter: None,
        by_text: false,
        reason: String::new(),
    };
    assert_eq!(*route.slots(), [3, 7]);
}

/// Keys 1 to 4, each on a shard of its own.
fn shard_map() -> ShardMap {
    let entries = (1..=4).map(|key| (vec![KeyValue::Int(i64::from(key))], LogicalShardId(key - 1)));
    let function = ListFunction::new(entries, None).expect("a function");
    let keyspace = Keyspace {
        name: "tenants".to_owned(),
        key: ShardingKey::single("id", KeyType::BigInt),
        function: ShardingFunction::List(function),
        placement: Placement::even(4, 4),
        require_key: false,
    };
    ShardMap {
        version: MapVersion(1),
        shards: (1..=4).map(|number| format!("s{number}")).collect(),
        default_shard: ShardId(0),
        keyspaces: vec![keyspace],
        tables: HashMap::new(),
    }
}

/// The short road meets the shards that the long one finds, and refuses what that refuses.
#[test]
fn one_condition_is_met_as_lists_of_keys_would_be() {
    let map = shard_map();
    let slot = |cast| {
        KeySource::Slot(Slot {
            place: 0,
            string: false,
            negative: false,
            cast,
            array: false,
        })
    };
    let sources = [
        KeySource::Literal(KeyValue::Int(1)),
        KeySource::Literal(KeyValue::Int(2)),
        KeySource::Literal(KeyValue::Int(9)),
        KeySource::Literal(KeyValue::Null),
        KeySource::Invalid,
        slot(None),
        slot(Some(KeyType::SmallInt)),
    ];
    let (small, large) = (literals("select 3"), literals("select 40000"));
    let mut decided = 0;
    for choice in 0..8_usize.pow(3) {
        let chosen = [choice / 64, choice / 8 % 8, choice % 8];
        let sources: Vec<KeySource> = chosen
            .iter()
            .filter_map(|index| sources.get(*index).cloned())
            .collect();
        for (stores, literals) in [
            (false, &small),
            (true, &small),
            (false, &large),
            (true, &large),
        ] {
            let relation = RelationKey {
                relation: "t".to_owned(),
                columns: vec![ColumnKey {
                    name: "id".to_owned(),
                    conditions: vec![sources.clone()],
                }],
                stores,
            };
            let target = KeyTarget {
                keyspace: KeyspaceIndex(0),
                relations: Vec::new(),
            };
            let values = Values::of_literals(literals);
            let mut met = BTreeSet::new();
            let mut meet = |shard: ShardId| _ = met.insert(shard.0);
            let short = target.meet_one_condition(&relation, &map, values, &mut meet);
            let long = target.locate(&relation, &map, values);
            match short {
                Ok(false) => assert!(long.is_err(), "{sources:?}"),
                Err(_) => assert!(long.is_err(), "{sources:?}"),
                Ok(true) => {
                    let long = long.expect("keys are found");
                    let places = long.iter().flat_map(|located| &located.places);
                    let found: BTreeSet<u16> = places.map(|(_, shard)| shard.0).collect();
                    assert_eq!(met, found, "{sources:?}");
                    decided += 1;
                }
            }
        }
    }
    assert!(decided > 500, "only {decided}");
}
