//! The command line: one struct a command, documented where the help text comes from.

mod load;
mod relay;
mod values;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use millstream::server::config::LogFormat;
use millstream::tools::TlsOptions;

pub(crate) use load::{
    ChurnProtocol, Load, LoadChurn, LoadPlay, LoadPublish, PlayProtocol, Scenario,
};
pub(crate) use relay::Relay;
use values::seconds;

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
    /// Put load on a server: many players, many publishers, or many who come and go
    Load(Load),
    /// Bring a stream from one place to another, over losses of either side
    Relay(Relay),
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

/// What commands that connect to servers share.
#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct Tls {
    /// Trust the certificates in this file (PEM) too, beside those of the system
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// Trust any certificate: whoever can reach the connection can then read and change it
    #[arg(long, conflicts_with = "ca")]
    pub(crate) insecure: bool,
}

impl From<Tls> for TlsOptions {
    fn from(tls: Tls) -> Self {
        let mut options = Self::default();
        options.ca = tls.ca;
        options.insecure = tls.insecure;
        options
    }
}

/// `probe`
#[derive(Debug, ClapArgs)]
pub(crate) struct Probe {
    /// An address (rtmp://, rtmps://, http://, https://) or a file
    #[arg(value_name = "URL|FILE")]
    pub(crate) source: String,
    /// How long a live stream is looked at, in seconds; files are read to their end
    #[arg(long, value_name = "S", default_value = "5", value_parser = seconds)]
    pub(crate) duration: Duration,
    /// How long a server may take to its first media, in seconds
    #[arg(long, value_name = "S", default_value = "10", value_parser = seconds)]
    pub(crate) timeout: Duration,
    /// Certificates.
    #[command(flatten)]
    pub(crate) tls: Tls,
    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
    }
}
