//! The project's own commands: `cargo xtask <verb>`. What CI runs is by definition what runs here.

#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a command line tool")]

mod bench;
mod cmd;
mod floor;
mod fuzz;
mod sample;
mod setup;
mod tidy;

use std::process::ExitCode;

use cmd::Failure;

const HELP: &str = "\
cargo xtask <verb>

  test [FILTER]      installs what is missing, then tidy, doc tests and the whole workspace's tests; what CI runs
  tidy               floors, module docs, clocks in cores, rustfmt, clippy, cargo deny, facade features
  setup              installs what the tests need: Debian packages, FFmpeg 9, npm clients, cargo tools
  bench [NAME]       measures and prints tables: bus, ingest, fanout, hls, start, size (default: all)
  sample [DIR]       makes sample media with ffmpeg (default: target/samples)
  oracles            second opinions: other people's parsers read our output
  fuzz [TARGET] [S]  explores a fuzz target (default: each) for S seconds (default: 20)
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let verb = args.first().map_or("help", String::as_str);
    let rest = args.get(1..).unwrap_or_default();
    let result = match verb {
        "test" => test(rest),
        "tidy" => tidy::run(),
        "setup" => setup::run(),
        "bench" => bench::run(rest),
        "sample" => sample::run(rest),
        "oracles" => oracles(),
        "fuzz" => fuzz::run(rest),
        "help" | "--help" | "-h" => {
            print!("{HELP}");
            Ok(())
        }
        other => {
            print!("{HELP}");
            Err(Failure::new(format!("no verb {other:?}")))
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            println!("xtask {verb}: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Everything CI wants green, cheapest first; ends with nextest's own summary.
fn test(filter: &[String]) -> Result<(), Failure> {
    setup::run()?;
    if filter.is_empty() {
        tidy::run()?;
        // The binary that end-to-end tests start.
        cmd::cargo(["build", "--package", "millstream-cli"])?;
        // nextest runs no doc tests.
        cmd::cargo(["test", "--quiet", "--workspace", "--doc"])?;
        loom()?;
    }
    let mut nextest = vec!["nextest", "run", "--workspace", "--no-fail-fast"];
    nextest.extend(filter.iter().map(String::as_str));
    cmd::step(&format!("cargo {}", nextest.join(" ")));
    cmd::Cmd::new("cargo")
        .args(nextest)
        .env("MILLSTREAM_FFMPEG9", &sample::ffmpeg9()?)
        .env(
            "MILLSTREAM_CLIENTS",
            &setup::clients().display().to_string(),
        )
        .run()
}

/// The model checks of the bus: every interleaving of small scenarios.
fn loom() -> Result<(), Failure> {
    cmd::step("loom models of the bus");
    cmd::Cmd::new("cargo")
        .args(["test", "--quiet", "--package", "millstream-bus"])
        .args(["--lib", "models", "--target-dir"])
        .arg(cmd::root().join("target/loom").display().to_string())
        .env("RUSTFLAGS", "--cfg loom")
        .run()
}

/// A workspace of its own: its dependencies never touch the product's lock file.
fn oracles() -> Result<(), Failure> {
    cmd::Cmd::new("cargo")
        .args(["test", "--manifest-path", "tests/oracles/Cargo.toml"])
        .run()
}
