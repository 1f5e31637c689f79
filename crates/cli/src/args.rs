//! The command line: one struct a command, documented where the help text comes from.

use std::path::PathBuf;
use std::time::Duration;

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
pub(crate) struct Load {
    /// What kind of load.
    #[command(subcommand)]
    pub(crate) scenario: Scenario,
}

/// Kinds of load.
#[derive(Debug, Subcommand)]
pub(crate) enum Scenario {
    /// Many players of one stream: start-up, delay, gaps, stalls
    Play(LoadPlay),
    /// Many publishers of numbered frames, or of a file
    Publish(LoadPublish),
}

/// `load play`
#[derive(Debug, ClapArgs)]
pub(crate) struct LoadPlay {
    /// How to play [default: what the address looks like]
    #[arg(long)]
    pub(crate) protocol: Option<PlayProtocol>,
    /// What to play; {} in it becomes the number of the session
    #[arg(long)]
    pub(crate) url: String,
    /// Sessions
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) count: usize,
    /// How long each session plays, in seconds
    #[arg(long, value_name = "S", default_value = "10", value_parser = seconds)]
    pub(crate) duration: Duration,
    /// Spread the starts over this many seconds
    #[arg(long, value_name = "S", default_value = "0", value_parser = seconds)]
    pub(crate) ramp: Duration,
    /// Sessions that look at every frame, so that gaps and delays are measured
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub(crate) probes: usize,
    /// Media a player gathers before it shows any; stalls are counted against it
    #[arg(long, value_name = "MS", default_value_t = 500)]
    pub(crate) buffer: u64,
    /// How long a session may take to its first media, in seconds
    #[arg(long, value_name = "S", default_value = "10", value_parser = seconds)]
    pub(crate) timeout: Duration,
    /// Show a line for each session too
    #[arg(long)]
    pub(crate) details: bool,
    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `load publish`
#[derive(Debug, ClapArgs)]
pub(crate) struct LoadPublish {
    /// Where to publish (rtmp://); {} in it becomes the number of the publisher
    #[arg(long)]
    pub(crate) url: String,
    /// Publishers
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) count: usize,
    /// How long, in seconds
    #[arg(long, value_name = "S", default_value = "10", value_parser = seconds)]
    pub(crate) duration: Duration,
    /// Video bits a second of each, e.g. 4.2M or 500k
    #[arg(long, value_name = "BPS", default_value = "2M", value_parser = bits)]
    pub(crate) bitrate: u64,
    /// Frames a second
    #[arg(long, value_name = "N", default_value_t = 30)]
    pub(crate) fps: u32,
    /// Frames from key frame to key frame
    #[arg(long, value_name = "N", default_value_t = 60)]
    pub(crate) gop: u32,
    /// Size of the picture, multiples of 16
    #[arg(long, value_name = "WxH", default_value = "320x192", value_parser = size)]
    pub(crate) size: (u32, u32),
    /// Send no sound
    #[arg(long)]
    pub(crate) no_audio: bool,
    /// Send this FLV file in a loop instead of numbered frames
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Spread the starts over this many seconds
    #[arg(long, value_name = "S", default_value = "0", value_parser = seconds)]
    pub(crate) ramp: Duration,
    /// How long the server may take to accept, in seconds
    #[arg(long, value_name = "S", default_value = "10", value_parser = seconds)]
    pub(crate) timeout: Duration,
    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `probe`
#[derive(Debug, ClapArgs)]
pub(crate) struct Probe {
    /// An address (rtmp://, http://, https://) or a file
    #[arg(value_name = "URL|FILE")]
    pub(crate) source: String,
    /// How long a live stream is looked at, in seconds; files are read to their end
    #[arg(long, value_name = "S", default_value = "5", value_parser = seconds)]
    pub(crate) duration: Duration,
    /// How long a server may take to its first media, in seconds
    #[arg(long, value_name = "S", default_value = "10", value_parser = seconds)]
    pub(crate) timeout: Duration,
    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Protocols of players.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PlayProtocol {
    /// RTMP play
    Rtmp,
    /// HTTP-FLV
    Flv,
    /// HLS and LL-HLS
    Hls,
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

/// Seconds, with a fraction if need be.
fn seconds(text: &str) -> Result<Duration, String> {
    let number = text.strip_suffix('s').unwrap_or(text).parse::<f64>();
    number
        .ok()
        .and_then(|s| Duration::try_from_secs_f64(s).ok())
        .filter(|d| *d <= Duration::from_secs(30 * 86_400))
        .ok_or_else(|| "seconds are wanted, e.g. 10 or 0.5".to_owned())
}

/// Bits a second with `k`, `M` or `G`.
fn bits(text: &str) -> Result<u64, String> {
    let (number, unit) = match text.char_indices().last() {
        Some((at, 'k' | 'K')) => (&text[..at], 1e3),
        Some((at, 'm' | 'M')) => (&text[..at], 1e6),
        Some((at, 'g' | 'G')) => (&text[..at], 1e9),
        _ => (text, 1.0),
    };
    match number.parse::<f64>() {
        Ok(n) if n.is_finite() && (0.0..=1e11).contains(&(n * unit)) => Ok((n * unit) as u64),
        _ => Err("bits a second are wanted, e.g. 4.2M or 500k".to_owned()),
    }
}

/// `WIDTHxHEIGHT`.
fn size(text: &str) -> Result<(u32, u32), String> {
    text.split_once('x')
        .and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)))
        .filter(|(w, h): &(u32, u32)| [w, h].iter().all(|n| **n > 0 && **n % 16 == 0))
        .ok_or_else(|| "a size is wanted whose sides are multiples of 16, e.g. 1280x720".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn reads_figures() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        assert_eq!(seconds("10s"), Ok(Duration::from_secs(10)));
        assert!(seconds("-1").is_err() && seconds("NaN").is_err() && seconds("1e30").is_err());
        assert_eq!(
            (bits("4.2M"), bits("500k"), bits("96000")),
            (Ok(4_200_000), Ok(500_000), Ok(96_000))
        );
        assert!(bits("x").is_err() && bits("").is_err() && bits("-1").is_err());
        assert_eq!(size("1280x720"), Ok((1280, 720)));
        assert!(size("1280x7").is_err() && size("0x0").is_err() && size("16").is_err());
    }
}
