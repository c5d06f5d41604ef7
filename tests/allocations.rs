//! What the road of a statement that has been seen before allocates. Times depend on the machine, these
//! counts do not.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::hint::black_box;

use trunkline::internals::plans::{Found, Plans};

fn allocations(plans: &Plans, text: &str, expected: Found) -> u64 {
    let mut found = None;
    let counted = allocation_counter::measure(|| {
        found = black_box(plans.cached(black_box(text)));
    });
    assert_eq!(found.unwrap().1, expected, "{text}");
    counted.count_total
}

#[test]
fn a_cached_plan_costs_no_more_than_a_few() {
    for (form, by_shape, by_text) in [
        ("select * from matches where organization_id = {}", 0, 0),
        (
            "SELECT * FROM Matches WHERE Organization_Id = -{} LIMIT 10",
            0,
            0,
        ),
        (
            "update matches set a = 'x', b = 2.5 where organization_id = {}",
            0,
            0,
        ),
        (
            "insert into matches (organization_id, id) values ({}, 5)",
            0,
            0,
        ),
        // The key's text: once for the plan's slot, once for the key.
        ("select * from docs where tenant = 'tenant {}'", 2, 1),
        ("select * from docs where tenant = E'tenant\\n{}'", 4, 1),
    ] {
        let plans = Plans::default();
        let text = |key: u32| form.replace("{}", &key.to_string());
        assert_eq!(plans.cached(&text(1)).unwrap().1, Found::Miss);
        // The scratch gets its room, and a text is kept for others like it.
        plans.cached(&text(2)).unwrap();
        plans.cached(&text(3)).unwrap();
        let counted = allocations(&plans, &text(4), Found::Shape);
        assert!(counted <= by_shape, "{form}: {counted} by shape");
        plans.cached(&text(4)).unwrap();
        let counted = allocations(&plans, &text(4), Found::Exact);
        assert!(counted <= by_text, "{form}: {counted} by text");
    }
}

/// The rows are read, not kept, but for their keys.
#[test]
fn many_rows_cost_their_keys() {
    let plans = Plans::default();
    let text = |name: &str| {
        let rows = vec![format!("(5, 17, '{name}', 2.5)"); 50];
        format!(
            "insert into matches (organization_id, id, name, score) values {}",
            rows.join(", ")
        )
    };
    for name in ["a", "b", "c"] {
        plans.cached(&text(name)).unwrap();
    }
    let counted = allocations(&plans, &text("d"), Found::Shape);
    assert!(counted <= 40, "{counted} allocations for 50 rows");
}
