//! All families render, their labels are bounded, and `docs/metrics.md` is what the registry says.

use std::path::Path;

use super::*;

/// Every family with a sample, so that all of them are gathered.
fn sampled() -> Arc<Metrics> {
    let metrics = Metrics::new();
    metrics.statements("app");
    metrics.pool("app", "s1", "127.0.0.1:1");
    metrics.server("app", "s1", "127.0.0.1:1");
    metrics.schema("app");
    metrics.worker(1);
    metrics
}

#[test]
fn families_register_and_render() {
    let metrics = sampled();
    let statements = metrics.statements("app");
    for route in Route::ALL {
        statements.route(route).succeeded.inc();
    }
    metrics.pool("app", "s1", "127.0.0.1:1").leased.inc();
    metrics.server("app", "s1", "127.0.0.1:1").up.set(1);
    metrics.error(SqlState::SYNTAX_ERROR);
    metrics.error(SqlState::SYNTAX_ERROR);
    let text = metrics.render();
    for line in [
        "trunkline_statements_total{database=\"app\",outcome=\"ok\",route=\"key\"} 1",
        "trunkline_statements_total{database=\"app\",outcome=\"ok\",route=\"none\"} 1",
        "trunkline_pool_connections{database=\"app\",server=\"127.0.0.1:1\",shard=\"s1\",state=\"leased\"} 1",
        "trunkline_errors_total{sqlstate=\"42601\"} 2",
        "trunkline_errors_total{sqlstate=\"other\"} 0",
    ] {
        assert!(text.contains(line), "missing {line} in\n{text}");
    }
    metrics.remove_server("app", "s1", "127.0.0.1:1");
    assert!(
        !metrics.render().contains("127.0.0.1:1"),
        "{}",
        metrics.render()
    );
}

#[test]
fn codes_made_up_by_functions_are_bounded() {
    let metrics = Metrics::new();
    for number in 0..SQLSTATES_MAX + 20 {
        let code = SqlState::from_bytes(format!("{number:05}").as_bytes());
        metrics.error(code.expect("five digits"));
    }
    let text = metrics.render();
    assert_eq!(
        text.matches("trunkline_errors_total{").count(),
        SQLSTATES_MAX + 1
    );
    assert!(text.contains("trunkline_errors_total{sqlstate=\"other\"} 20"));
}

#[test]
fn route_indexes_follow_declaration_order() {
    for (index, route) in Route::ALL.into_iter().enumerate() {
        assert_eq!(route as usize, index);
    }
}

/// `docs/metrics.md` between its marks is what the registry says. `UPDATE_EXPECT=1` rewrites it.
#[test]
fn the_page_is_the_registry() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md");
    let page = std::fs::read_to_string(&path).expect("the page exists");
    let (before, rest) = page.split_once(BEGIN).expect("the mark before the table");
    let (_, after) = rest.split_once(END).expect("the mark behind the table");
    let expected = format!("{before}{BEGIN}{}{END}{after}", families_page());
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&path, &expected).expect("a writable page");
    } else {
        assert!(
            page == expected,
            "docs/metrics.md is out of date: UPDATE_EXPECT=1 rewrites it"
        );
    }
    for name in include_str!("mod.rs").split("\"trunkline_").skip(1) {
        let name = format!("`trunkline_{}`", name.split('"').next().unwrap_or_default());
        assert!(
            expected.contains(&name),
            "{name} has no sample in `sampled`"
        );
    }
}

const BEGIN: &str = "<!-- families: written by a test of src/metrics, UPDATE_EXPECT=1 -->\n";
const END: &str = "<!-- end of families -->\n";

fn families_page() -> String {
    let mut page = String::from("\n| metric | type | labels | meaning |\n|---|---|---|---|\n");
    for family in sampled().registry.gather() {
        let labels: Vec<String> = family.get_metric().first().map_or(Vec::new(), |metric| {
            metric
                .get_label()
                .iter()
                .map(|label| format!("`{}`", label.name()))
                .collect()
        });
        let kind = format!("{:?}", family.get_field_type()).to_lowercase();
        let (name, help) = (family.name(), family.help());
        page.push_str(&format!(
            "| `{name}` | {kind} | {} | {help} |\n",
            labels.join(", ")
        ));
    }
    page.push('\n');
    page
}
