//! Golden scatters: `testdata/scatter/*.txt` holds statements and how several shards answer them, or why they do not.

use std::fs;
use std::path::PathBuf;

use super::super::{Otherwise, scatter};
use super::{Context, NoParams, golden, in_context};
use crate::plan::Values;

fn answer(text: &str, context: &Context<'_>) -> String {
    match scatter(text, context) {
        Ok(scatter) => {
            let values = Values::of_params(context.param_types, &NoParams);
            let lines = scatter.lines(context.map, values);
            lines.join("\n") + "\n"
        }
        Err(Otherwise::Gather(reason)) => format!("gather: {reason}\n"),
        Err(Otherwise::Text) => "text\n".to_owned(),
        Err(Otherwise::Refused(error)) => super::refused(&error),
    }
}

#[test]
fn golden_scatters() {
    let update = std::env::var_os("UPDATE_EXPECT").is_some();
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/planner/testdata/scatter");
    let (mut cases, mut wrong) = (0, Vec::new());
    for entry in fs::read_dir(directory).expect("testdata exists") {
        let path = entry.expect("readable entry").path();
        let before = fs::read_to_string(&path).expect("readable file");
        let mut after = String::new();
        for case in golden(&before) {
            cases += 1;
            let answer = in_context(&case, answer);
            after.push_str(&format!("{}----\n{answer}\n", case.head));
        }
        if before.trim_end() == after.trim_end() {
            continue;
        }
        if update {
            fs::write(&path, after.trim_end().to_owned() + "\n").expect("writable file");
            continue;
        }
        let lines = before.lines().zip(after.lines());
        let differs = lines
            .enumerate()
            .find(|(_, (before, after))| before != after);
        wrong.push(format!("{}: {differs:?}", path.display()));
    }
    assert!(
        wrong.is_empty(),
        "UPDATE_EXPECT=1 rewrites them:\n{}",
        wrong.join("\n")
    );
    assert!(cases >= 150, "only {cases} golden cases");
}
