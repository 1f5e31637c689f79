//! `cargo xtask fuzz`: exploring runs of the fuzz targets. Their seeds are replayed by `cargo xtask test` as plain tests.

use std::fs;

use crate::cmd::{Cmd, Failure, root, step};

/// Runs one target, or each in turn.
pub(crate) fn run(args: &[String]) -> Result<(), Failure> {
    let first_is_seconds = args.first().is_some_and(|a| a.parse::<u32>().is_ok());
    let (target, seconds) = if first_is_seconds {
        (None, args.first())
    } else {
        (args.first(), args.get(1))
    };
    let seconds = seconds.map_or("20", String::as_str);
    if !Cmd::new("cargo").args(["fuzz", "--version"]).succeeds() {
        step("cargo install cargo-fuzz");
        Cmd::new("cargo")
            .args(["install", "--locked", "--quiet", "cargo-fuzz"])
            .run()?;
    }
    let targets = match target {
        Some(name) => vec![name.clone()],
        None => targets()?,
    };
    for name in targets {
        let seeds = format!("fuzz/seeds/{name}");
        let corpus = format!("fuzz/corpus/{name}");
        fs::create_dir_all(root().join(&seeds))?;
        fs::create_dir_all(root().join(&corpus))?;
        step(&format!("fuzz {name} for {seconds} s"));
        let dictionary = format!("fuzz/dicts/{name}.dict");
        let dictionary = root()
            .join(&dictionary)
            .is_file()
            .then(|| format!("-dict={dictionary}"));
        Cmd::new("cargo")
            .args(["fuzz", "run", &name, &corpus, &seeds, "--"])
            .arg(format!("-max_total_time={seconds}"))
            .args(dictionary)
            .args([
                "-timeout=2",
                "-rss_limit_mb=512",
                "-malloc_limit_mb=64",
                "-max_len=65536",
                "-print_final_stats=1",
            ])
            // libFuzzer's instrumentation is a compiler flag that only nightly takes by default.
            .env("RUSTC_BOOTSTRAP", "1")
            .run()?;
    }
    Ok(())
}

fn targets() -> Result<Vec<String>, Failure> {
    let mut names = Vec::new();
    for entry in fs::read_dir(root().join("fuzz/fuzz_targets"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if let Some(stem) = name.strip_suffix(".rs") {
            names.push(stem.to_owned());
        }
    }
    names.sort();
    Ok(names)
}
