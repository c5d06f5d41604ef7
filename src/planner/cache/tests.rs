//! What comes out of the cache leads where a fresh plan would, and the cache stays within its bytes.

use super::alike::{ALIKE_MAX, REST, TRUST};
use super::*;
use crate::plan::{Destination, Known, Values};
use crate::planner::Schema;
use crate::planner::tests::{context, map};

/// Where a text goes by this cache, and how its plan was found.
fn destination(
    cache: &PlanCache,
    text: &str,
    context: &Context<'_>,
) -> (Result<Destination, PgError>, Option<Lookup>) {
    match cache.plan(text, context) {
        Ok((planned, lookup)) => {
            let Plan::Route(route) = &*planned else {
                panic!("not a route: {text}");
            };
            (route.resolve(context.map, planned.values()), Some(lookup))
        }
        Err(error) => (Err(error), None),
    }
}

#[test]
fn the_same_text_is_planned_once() {
    let (map, schema, cache) = (map(), Schema::default(), PlanCache::new(1 << 20));
    let context = context(&map, &schema);
    let text = "select * from matches where organization_id = 5";
    let lookup = |context: &Context<'_>| cache.plan(text, context).expect("plans").1;
    assert_eq!(lookup(&context), Lookup::Miss);
    assert_eq!(lookup(&context), Lookup::Shape);
    assert_eq!(lookup(&context), Lookup::Shape, "and kept whole");
    assert_eq!(lookup(&context), Lookup::Exact);
    let path = ["audit".to_owned()];
    let changed = Schema {
        version: 2,
        ..Schema::default()
    };
    let mut moved = crate::planner::tests::map();
    moved.version.0 += 1;
    let hint = Hint::Shard("s2".to_owned());
    for other in [
        Context {
            search_path: Some(&path),
            ..context
        },
        Context {
            schema: &changed,
            ..context
        },
        Context {
            map: &moved,
            ..context
        },
        Context {
            param_types: &[Oid::INT4],
            ..context
        },
        Context {
            role: "other",
            ..context
        },
        Context {
            transaction_pooling: false,
            ..context
        },
        Context {
            gathers: false,
            ..context
        },
        Context {
            hint: Some(&hint),
            ..context
        },
    ] {
        assert_eq!(lookup(&other), Lookup::Miss, "{other:?}");
        assert_eq!(lookup(&other), Lookup::Shape);
    }
}

#[test]
fn texts_that_differ_in_literals_share_a_plan_and_not_a_shard() {
    let (map, schema, cache) = (map(), Schema::default(), PlanCache::new(1 << 20));
    let context = context(&map, &schema);
    let direct = |text: &str| match plan(text, &context).expect("plans") {
        Plan::Route(route) => route.resolve(&map, Values::NONE),
        Plan::Control(_) => panic!("not a route"),
    };
    let mut shards = std::collections::HashSet::new();
    for key in 0..50 {
        for (first, text) in [
            (
                0,
                format!("select * from matches where organization_id = {key}"),
            ),
            (
                1,
                format!("SELECT * FROM matches /* c */ WHERE organization_id = -{key}"),
            ),
            (
                0,
                format!("select * from docs where tenant = 'tenant {key}'"),
            ),
            (
                1,
                format!("select * from docs where tenant = E'\\x41{key}' and a = 5"),
            ),
            (
                0,
                format!("insert into matches (organization_id, id) values ({key}, 1)"),
            ),
            (
                0,
                format!(
                    "insert into matches (organization_id, id) values ({key}, 1), ({key}, 2), ({key}, 3)"
                ),
            ),
            (
                0,
                format!("update matches set a = 'x' where organization_id = '{key}'::bigint"),
            ),
        ] {
            let (found, lookup) = destination(&cache, &text, &context);
            assert_eq!(found, direct(&text), "{text}");
            let expected = if key == 0 {
                Lookup::Miss
            } else {
                Lookup::Shape
            };
            assert!(lookup == Some(expected) || first == 1, "{text}: {lookup:?}");
            shards.insert(format!("{found:?}"));
        }
    }
    assert!(shards.len() > 1);
    // Each shape, and what its texts begin with.
    assert!(cache.entries() <= 14, "{} entries", cache.entries());
}

/// What a client sent is known without splitting it, where it is one statement.
#[test]
fn whole_texts_are_known_by_their_statement() {
    let (map, schema, cache) = (map(), Schema::default(), PlanCache::new(1 << 20));
    let context = context(&map, &schema);
    let known = |text: &str| {
        let (planned, lookup) = cache.known(text, &context)?;
        let Plan::Route(route) = &*planned else {
            panic!("not a route");
        };
        Some((route.resolve(&map, planned.values()), lookup))
    };
    let text = |key: i64| format!("select * from matches where organization_id = {key}");
    assert_eq!(known(&text(1)), None);
    let (found, _) = destination(&cache, &text(1), &context);
    assert_eq!(known(&text(1)), Some((found.clone(), Lookup::Shape)));
    assert_eq!(known(&text(1)), Some((found.clone(), Lookup::Shape)));
    assert_eq!(known(&text(1)), Some((found.clone(), Lookup::Exact)));
    for ended in ["; ", ";;", " ; -- done", "/* c */ ;"] {
        let text = text(1) + ended;
        assert_eq!(known(&text), Some((found.clone(), Lookup::Shape)), "{text}");
    }
    for other in [
        text(1) + "; select 1",
        text(1) + "; -- trunkline: shard=s2",
        text(1) + " -- trunkline: shard=s2",
        ";".to_owned() + &text(1),
        format!("({};)", text(1)),
        text(1).replace("= 1", "= ; 1"),
    ] {
        assert_eq!(known(&other), None, "{other}");
    }
}

/// One element of a list on another shard is seen, whichever stands for it.
#[test]
fn no_row_is_lost_among_many() {
    let (map, schema, cache) = (map(), Schema::default(), PlanCache::new(1 << 20));
    let context = context(&map, &schema);
    let rows = |odd: Option<usize>| {
        let row = |number| match odd {
            Some(odd) if odd == number => "(1, 'x')",
            _ => "(5, 'x')",
        };
        let rows: Vec<&str> = (0..40).map(row).collect();
        format!(
            "insert into matches (organization_id, a) values {}",
            rows.join(", ")
        )
    };
    let all = destination(&cache, &rows(None), &context)
        .0
        .expect("one shard");
    let other = "insert into matches (organization_id, a) values (1, 'x')";
    assert_ne!(
        destination(&cache, other, &context).0.expect("one shard"),
        all
    );
    for odd in 0..40 {
        let (found, lookup) = destination(&cache, &rows(Some(odd)), &context);
        assert_eq!(lookup, Some(Lookup::Shape));
        found.expect_err("rows on two shards");
    }
}

/// What looks at a literal is planned by its text, and each text on its own.
#[test]
fn literals_that_decide_are_seen() {
    let (map, schema, cache) = (map(), Schema::default(), PlanCache::new(1 << 20));
    let context = context(&map, &schema);
    for _ in 0..3 {
        for (text, refused) in [
            ("select pg_relation_size('pg_class')", false),
            ("select pg_relation_size('matches')", true),
            ("select set_config('work_mem', '1MB', true)", false),
            ("select set_config('search_path', 'audit', true)", true),
            ("select set_config('work_mem', '1MB', 'true')", false),
            ("select set_config('work_mem', '1MB', 'false')", true),
        ] {
            assert_eq!(cache.plan(text, &context).is_err(), refused, "{text}");
        }
    }
}

/// As pgbench sends them: with a semicolon, so that what is looked up first is not the statement itself.
#[test]
fn what_is_planned_by_its_text_is_planned_once() {
    let (map, schema, cache) = (map(), Schema::default(), PlanCache::new(1 << 20));
    let context = context(&map, &schema);
    let text = "select count(*) from matches where organization_id in (1, 2, 4)";
    let by_text = || cache.plan_by_text(text, &context).expect("plans").plan;
    let by_shape = || {
        let sent = format!("{text};");
        let (planned, _) = cache.plan(&sent, &context).expect("plans");
        assert!(matches!(&*planned.plan, Plan::Route(route) if route.by_text));
    };
    by_shape();
    let first = by_text();
    assert!(matches!(&*first, Plan::Route(route) if !route.by_text));
    by_shape();
    assert!(Arc::ptr_eq(&first, &by_text()));
    by_shape();
    assert!(Arc::ptr_eq(&first, &by_text()));
}

/// What servers have said of one text is known of others that differ in the values of literals only.
#[test]
fn what_was_learned_is_known_of_texts_like_it() {
    let (map, schema, cache) = (map(), Schema::default(), PlanCache::new(1 << 20));
    let context = context(&map, &schema);
    let learned = |text: &str, context: &Context<'_>| {
        let planned = cache.plan_by_text(text, context).expect("plans");
        let Plan::Route(route) = &*planned.plan else {
            panic!("not a route: {text}");
        };
        let scatter = route.scatter.as_ref();
        scatter.expect("it is scattered").learned.clone()
    };
    for (one, others) in [
        (
            "select a, b from matches where c > 5 and d = 'x' order by 1 limit 5",
            &[
                "select a, b from matches where c > 7 and d = 'y' order by 1 limit 9",
                "SELECT a, b  FROM matches WHERE c > 0 AND d = '' ORDER BY 1 LIMIT 10;",
            ][..],
        ),
        (
            "select a, sum(b * 1) filter (where c > 5) from matches where d in (1, 2) group by 1",
            &["select a, sum(b * 2) filter (where c > 6) from matches where d in (3) group by 1"],
        ),
        (
            "select * from matches order by a limit 5 offset 5",
            &["select * from matches order by a limit 6 offset 1"],
        ),
    ] {
        let first = learned(one, &context);
        for other in others {
            assert!(
                learned(other.trim_end_matches(';'), &context)
                    .get()
                    .is_none()
            );
        }
        first.set(Known::Unmergeable("because".to_owned()));
        for other in others {
            let other = other.trim_end_matches(';');
            assert!(learned(other, &context).get().is_some(), "{other}");
        }
        let mut elsewhere = context;
        elsewhere.param_types = &[Oid::INT4];
        assert!(learned(one, &elsewhere).get().is_none(), "{one}");
        first.forget();
    }
    for (one, others) in [
        (
            "select a, b from matches order by 1 limit 5",
            &[
                "select a, b from matches order by 2 limit 5",
                "select a, b from matches order by 1 desc limit 5",
                "select a, b from matches order by 1, 2 limit 5",
                "select a, b as c from matches order by 1 limit 5",
            ][..],
        ),
        (
            "select a, b, sum(c * 1) from matches group by 1, 2",
            &[
                "select a, b, sum(c * 1) from matches group by 2, 1",
                "select a, b, sum(c * 1.0) from matches group by 1, 2",
                "select a, b, sum(c * 3000000000) from matches group by 1, 2",
                "select a, b, sum(c * '1') from matches group by 1, 2",
                "select a, b, max(c * 1) from matches group by 1, 2",
            ],
        ),
        (
            "select sum(c::numeric(9, 2)) from matches",
            &[
                "select sum(c::numeric(9, 3)) from matches",
                "select sum(c::numeric) from matches",
            ],
        ),
        (
            "select distinct a, b from matches where c = 1",
            &["select a, b from matches where c = 1"],
        ),
    ] {
        let first = learned(one, &context);
        first.set(Known::Unmergeable("because".to_owned()));
        for other in others {
            assert!(learned(other, &context).get().is_none(), "{other}");
        }
    }
}

#[test]
fn old_plans_make_room() {
    let (map, schema, cache) = (map(), Schema::default(), PlanCache::new(64 << 10));
    let context = context(&map, &schema);
    let often = "select * from matches where organization_id = 5";
    for number in 0..2_000 {
        let text = format!("select a{number} from matches where organization_id = $1");
        cache.plan(&text, &context).expect("plans");
        let lookup = cache.plan(often, &context).expect("plans").1;
        assert!(number == 0 || lookup != Lookup::Miss, "what is used stays");
        assert!(cache.bytes() <= 64 << 10);
    }
    assert!(cache.bytes() > 32 << 10);
    assert!(cache.plan("select ctid from matches", &context).is_err());
}

/// Plans that take much more than their text are counted for what they take.
#[test]
fn heavy_plans_make_room_too() {
    let (map, schema, cache) = (map(), Schema::default(), PlanCache::new(1 << 20));
    let context = context(&map, &schema);
    for number in 0..200 {
        // A hint of no meaning, so that the rows stay in the plan.
        let rows = vec!["(5, 1)"; 500].join(",");
        let text = format!(
            "insert into matches (organization_id, id) values (5, {number}),{rows} -- no trunkline"
        );
        let Ok((planned, _)) = cache.plan(&text, &context) else {
            continue;
        };
        let Plan::Route(route) = &*planned else {
            panic!("not a route");
        };
        let taken = size::keys_size(route);
        assert!(
            cache.entries() * (taken + text.len()) <= 1 << 20,
            "{} of {taken} bytes",
            cache.entries()
        );
        assert!(cache.bytes() <= 1 << 20);
    }
    assert!(cache.bytes() > 64 << 10);
}

#[test]
fn long_texts_are_kept_by_their_shape_only() {
    let (map, schema, cache) = (map(), Schema::default(), PlanCache::new(1 << 20));
    let context = context(&map, &schema);
    let rows = vec!["(5, 'some text')"; 10_000].join(",");
    let text = format!("insert into matches (organization_id, a) values {rows}");
    for expected in [Lookup::Miss, Lookup::Shape, Lookup::Shape, Lookup::Shape] {
        assert_eq!(cache.plan(&text, &context).expect("plans").1, expected);
    }
    assert!(cache.bytes() < 8 << 10);
}

/// How many texts of this beginning are kept, and whether they are tried.
fn alike(cache: &PlanCache, beginning: &str, context: &Context<'_>) -> (usize, bool) {
    let asked = Asked {
        text: beginning.as_bytes(),
        by: By::Beginning,
        context,
    };
    match cache.find(cache.hash(&asked), &asked) {
        Some(Answer::Alike(alike)) => {
            let tried = alike.trust.load(Ordering::Relaxed) > 0;
            (alike.known.len(), tried)
        }
        _ => (0, false),
    }
}

/// Of texts that begin alike only some are kept, and whether one is or not, it goes where it goes by itself.
#[test]
fn texts_that_begin_alike_do_not_become_many() {
    let (map, schema, cache) = (map(), Schema::default(), PlanCache::new(1 << 20));
    let context = context(&map, &schema);
    let begun = "select * from matches where organization_id = ";
    for key in 0..30 {
        let mut more = String::new();
        for conditions in 0..3 * ALIKE_MAX {
            let text = format!("{begun}{key}{more}");
            let direct = match plan(&text, &context).expect("plans") {
                Plan::Route(route) => route.resolve(&map, Values::NONE),
                Plan::Control(_) => panic!("not a route"),
            };
            let (found, lookup) = destination(&cache, &text, &context);
            assert_eq!(found, direct, "{text}");
            assert!(lookup != Some(Lookup::Miss) || key == 0, "{text}");
            more.push_str(&format!(" and a{conditions} = {conditions}"));
        }
    }
    assert_eq!(alike(&cache, begun, &context), (ALIKE_MAX, false));
    // Once they are worth trying again one of them has made room.
    let mut shape = Shape::default();
    let mut texts = (0..).map(|key| format!("{begun}{key} and new = 1"));
    for text in texts.by_ref().take(REST as usize + 10) {
        cache.plan(&text, &context).expect("plans");
    }
    assert_eq!(alike(&cache, begun, &context), (ALIKE_MAX, true));
    let text = texts.next().expect("there are many");
    assert!(cache.known_alike(&text, &mut shape, &context).is_some());
    // Text by text as long as there are others like it.
    for text in texts.take(2 * TRUST as usize) {
        assert!(cache.known_alike(&text, &mut shape, &context).is_some());
    }
}

/// What comes once leaves nothing behind but its shape; what is kept is counted.
#[test]
fn beginnings_are_kept_within_bounds() {
    let (map, schema, cache) = (map(), Schema::default(), PlanCache::new(64 << 10));
    let context = context(&map, &schema);
    for key in 0..500 {
        let text = format!("/* id{key} */ select * from matches where organization_id = {key}");
        cache.plan(&text, &context).expect("plans");
    }
    assert_eq!(cache.entries(), 1);
    for number in 0..500 {
        for key in 0..4 {
            let text =
                format!("select a{number} from matches where organization_id = {key} and b = 1");
            cache.plan(&text, &context).expect("plans");
        }
        let kept: usize = cache
            .segments
            .iter()
            .map(|segment| {
                let segment = segment.read().unwrap_or_else(PoisonError::into_inner);
                let bytes = segment
                    .entries
                    .iter()
                    .flatten()
                    .map(|entry| entry.bytes)
                    .sum::<usize>();
                assert_eq!(bytes, segment.bytes);
                let texts = segment
                    .entries
                    .iter()
                    .flatten()
                    .map(|entry| match &entry.answer {
                        Answer::Alike(alike) => alike.known.len() * size_of::<Plan>(),
                        _ => size_of::<Plan>(),
                    });
                texts.sum::<usize>()
            })
            .sum();
        assert!(kept <= cache.bytes() && cache.bytes() <= 64 << 10);
    }
}
