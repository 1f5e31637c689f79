//! Fuzz targets of Millstream's parsers and sessions.

#![forbid(unsafe_code)]

#[path = "targets/streams.rs"]
pub mod streams;
pub mod targets;

/// Runs the target of this name.
///
/// # Panics
/// When there is none, and when it finds something.
pub fn run(name: &str, data: &[u8]) {
    let mut all = targets::ALL.iter().chain(streams::ALL);
    let (_, body) = all
        .find(|(n, _)| *n == name)
        .expect("a target of this name");
    body(data);
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::{run, streams, targets};

    /// `cargo test --lib` here, on stable: every target takes its seeds, and each of them cut short.
    #[test]
    fn every_target_takes_its_seeds() {
        let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
        for (name, _) in targets::ALL.iter().chain(streams::ALL) {
            let files = fs::read_dir(seeds.join(name)).expect("a folder of seeds");
            let mut count = 0;
            for file in files {
                let file = file.expect("a file").path();
                println!("{}", file.display());
                let bytes = fs::read(&file).expect("bytes");
                (0..=bytes.len())
                    .rev()
                    .step_by(bytes.len() / 200 + 1)
                    .for_each(|n| run(name, &bytes[..n]));
                count += 1;
            }
            assert!(count > 0, "{name} has no seeds");
        }
    }
}
