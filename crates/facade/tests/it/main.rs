//! The facade's list of features, against its manifest.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

/// First column of the feature table in the crate's documentation.
fn documented() -> BTreeSet<String> {
    include_str!("../../src/lib.rs")
        .lines()
        .filter_map(|l| l.strip_prefix("//! | `"))
        .map(|l| l.split('`').next().unwrap().to_owned())
        .collect()
}

#[test]
fn the_table_names_every_feature() {
    let manifest = include_str!("../../Cargo.toml");
    let features = manifest
        .split("[features]")
        .nth(1)
        .unwrap()
        .split("\n[")
        .next()
        .unwrap();
    let declared: BTreeSet<String> = features
        .lines()
        .filter(|l| !l.starts_with('#'))
        .filter_map(|l| l.split_once(" = ["))
        .map(|(name, _)| name.to_owned())
        .filter(|name| name != "default")
        .collect();
    assert!(declared.len() > 10);
    assert_eq!(documented(), declared);
}
