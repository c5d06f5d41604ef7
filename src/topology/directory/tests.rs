//! Which entries have changed, and that those stay whose rows would be left behind.

use super::rows::{changes, without};
use super::*;

fn rows(rows: &[(&[&str], i32)]) -> Rows {
    let key = |key: &[&str]| key.iter().map(|text| (*text).to_owned()).collect();
    rows.iter().map(|(k, logical)| (key(k), *logical)).collect()
}

#[test]
fn changes_are_what_is_not_said_alike() {
    let before = rows(&[(&["1"], 1), (&["2"], 2), (&["3"], 3)]);
    let after = rows(&[(&["1"], 1), (&["2"], 5), (&["4"], 4)]);
    let keys = |rows: Vec<Vec<String>>| rows.concat().join(" ");
    assert_eq!(keys(changes(Some(&before), &after)), "2 3 4");
    assert_eq!(keys(changes(None, &after)), "1 2 4");
    assert!(changes(Some(&before), &before).is_empty());
}

#[test]
fn what_cannot_change_stays() {
    let before = rows(&[(&["1"], 1), (&["2"], 2), (&["3"], 3)]);
    let after = rows(&[(&["1"], 7), (&["2"], 5), (&["4"], 4), (&["5"], 5)]);
    let held = ["2", "3", "4"].map(|key| vec![key.to_owned()]).into();
    assert_eq!(
        without(after, &before, &held),
        rows(&[(&["1"], 7), (&["2"], 2), (&["3"], 3), (&["5"], 5)])
    );
}
