//! The command line: one struct a command, documented where the help text comes from.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use millstream::server::config::LogFormat;

/// A live-media server and its tools: RTMP in; RTMP, HTTP-FLV, fragmented MP4 and LL-HLS out.
#[derive(Debug, Parser)]
#[command(
    name = "millstream",
    version,
    max_term_width = 100,
    propagate_version = true
)]
pub(crate) struct Args {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start a server with a built-in live picture and print where to watch it
    Demo(Demo),
    /// Start the server
    Serve(ServeArgs),
    /// Put load on a server: many players, or many publishers
    Load(Load),
    /// Show what a stream or file holds: tracks, codecs, time stamps, damage
    Probe(Probe),
    /// Check a configuration file and show what it amounts to
    CheckConfig(CheckConfig),
}

/// What `serve` and `demo` share.
#[derive(Debug, ClapArgs)]
pub(crate) struct ServerOptions {
    /// Set a configuration key, e.g. --set rtmp.listen=127.0.0.1:1935; may be given more than once
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Where data lives [default: ./millstream-data]
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// How log lines look; they go to stderr, and RUST_LOG says which [default: log.format, text]
    #[arg(long, value_name = "FORMAT")]
    pub(crate) log_format: Option<Format>,
}

/// `serve`
#[derive(Debug, ClapArgs)]
pub(crate) struct ServeArgs {
    /// Configuration file (TOML); without one every protocol is on at its usual port
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Shared with `demo`.
    #[command(flatten)]
    pub(crate) server: ServerOptions,
}

/// `demo`
#[derive(Debug, ClapArgs)]
pub(crate) struct Demo {
    /// Shared with `serve`.
    #[command(flatten)]
    pub(crate) server: ServerOptions,
}

/// `check-config`
#[derive(Debug, ClapArgs)]
pub(crate) struct CheckConfig {
    /// The configuration file
    pub(crate) file: PathBuf,
    /// Check it together with this setting; may be given more than once
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
}

/// `load`
#[derive(Debug, ClapArgs)]
pub(crate) struct Load {}

/// `probe`
#[derive(Debug, ClapArgs)]
pub(crate) struct Probe {}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// One readable line an event
    Text,
    /// One JSON object an event
    Json,
}

impl From<Format> for LogFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Text => Self::Text,
            Format::Json => Self::Json,
        }
    }
}
