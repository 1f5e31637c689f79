//! Replays the seeds, and what the fuzzer once found, through the bodies of the fuzz targets.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test says what it saw and fails by panicking"
)]

use std::fs;
use std::path::{Path, PathBuf};

#[allow(
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "shared with the fuzzer, where a panic is a finding"
)]
#[path = "../../fuzz/src/targets/mod.rs"]
mod targets;

#[allow(
    clippy::indexing_slicing,
    clippy::field_reassign_with_default,
    unreachable_pub,
    reason = "shared with the fuzzer, where a panic is a finding"
)]
#[path = "../../fuzz/src/targets/streams.rs"]
mod streams;

fn all() -> impl Iterator<Item = &'static targets::Target> {
    targets::ALL.iter().chain(streams::ALL)
}

fn folder(kind: &str, target: &str) -> Vec<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
    let Ok(entries) = fs::read_dir(path.join(kind).join(target)) else {
        return Vec::new();
    };
    let mut files: Vec<_> = entries.map(|e| e.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn every_target_takes_its_seeds() {
    for (name, body) in all() {
        let seeds = folder("seeds", name);
        assert!(!seeds.is_empty(), "fuzz/seeds/{name} is empty");
        for file in seeds.iter().chain(&folder("regress", name)) {
            println!("{}", file.display());
            let bytes = fs::read(file).unwrap();
            body(&bytes);
            // And each seed cut short, at up to 200 places.
            let step = bytes.len() / 200 + 1;
            (0..bytes.len())
                .step_by(step)
                .for_each(|n| body(&bytes[..n]));
        }
    }
}

#[test]
fn every_target_has_its_file() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/fuzz_targets");
    let mut files: Vec<String> = fs::read_dir(dir)
        .unwrap()
        .map(|e| {
            e.unwrap()
                .path()
                .file_stem()
                .unwrap()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    files.sort();
    let mut names: Vec<_> = all().map(|(n, _)| *n).collect();
    names.sort_unstable();
    assert_eq!(files, names);
}
