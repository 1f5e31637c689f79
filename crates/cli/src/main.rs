//! The `millstream` binary: arguments in, exit code out.

// One call of the C library, in `memory`.
#![deny(unsafe_code)]

mod args;
mod check;
mod exit;
mod load;
mod logs;
mod memory;
mod probe;
mod relay;
mod say;
mod serve;
mod signals;
mod work;

use std::process::ExitCode;

use clap::Parser;

use args::{Args, Command};
use exit::Exit;

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(e) => {
            // Help and version are no mistakes; they go to stdout, mistakes to stderr.
            let code = if e.use_stderr() {
                Exit::WrongUse
            } else {
                Exit::Done
            };
            let _ = e.print();
            return code.into();
        }
    };
    millstream::server::process::raise_max_files();
    let outcome = match args.command {
        Command::Serve(serve) => serve::serve(serve),
        Command::Demo(demo) => serve::demo(demo),
        Command::Load(load) => load::run(load),
        Command::Relay(relay) => relay::run(relay),
        Command::Probe(probe) => probe::run(probe),
        Command::CheckConfig(check) => check::run(&check),
    };
    match outcome {
        Ok(exit) => exit.into(),
        Err(e) => {
            let exit = exit::of(&e);
            say::problem(&format!("{e:#}"));
            exit.into()
        }
    }
}
