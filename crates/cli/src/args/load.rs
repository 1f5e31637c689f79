//! `load`: players, publishers, visitors.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as ClapArgs, Subcommand, ValueEnum};

use super::Tls;
use super::values::{bits, fraction, rate, seconds, size};

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
    /// Visitors that come at a rate, stay a moment and leave, politely or not
    Churn(LoadChurn),
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
    /// So many of the sessions read slowly (RTMP and HTTP-FLV) [default: none; all that are not stalled if --slow is given]
    #[arg(long, value_name = "N")]
    pub(crate) slow_count: Option<usize>,
    /// The share of the stream's rate that slow sessions read [default: 0.5]
    #[arg(long, value_name = "FRACTION", value_parser = fraction)]
    pub(crate) slow: Option<f64>,
    /// So many of the sessions stop reading once they are let in (RTMP and HTTP-FLV)
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) stalled: usize,
    /// Watch this process meanwhile, the server, if it is on this machine: memory, files, threads, CPU time
    #[arg(long, value_name = "PID")]
    pub(crate) pid: Option<u32>,
    /// HLS over https://: speak HTTP/2, each session on a connection of its own
    #[arg(long)]
    pub(crate) http2: bool,
    /// Certificates.
    #[command(flatten)]
    pub(crate) tls: Tls,
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
    /// Where to publish (rtmp://, rtmps://); {} in it becomes the number of the publisher, which otherwise is put at its
    /// end where there are several
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
    /// How often a publisher that is refused or cut off tries again
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) retry: u32,
    /// Certificates.
    #[command(flatten)]
    pub(crate) tls: Tls,
    /// Show a line for each publisher too
    #[arg(long)]
    pub(crate) details: bool,
    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `load churn`
#[derive(Debug, ClapArgs)]
pub(crate) struct LoadChurn {
    /// Where visitors go; {} in it becomes the number of the visitor. May be given more than once: one visitor after
    /// the other takes the next
    #[arg(long, required = true)]
    pub(crate) url: Vec<String>,
    /// What visitors come for [default: mixed]
    #[arg(long, default_value = "mixed", hide_default_value = true)]
    pub(crate) protocol: ChurnProtocol,
    /// Visitors: a number a second, or with /min or /s behind it
    #[arg(long, value_name = "RATE", default_value = "2000/min", value_parser = rate)]
    pub(crate) rate: f64,
    /// For how long visitors come, in seconds
    #[arg(long, value_name = "S", default_value = "60", value_parser = seconds)]
    pub(crate) duration: Duration,
    /// How long each stays once it has media, or may publish, in seconds
    #[arg(long, value_name = "S", default_value = "1", value_parser = seconds)]
    pub(crate) hold: Duration,
    /// How long the server may take for each step, in seconds
    #[arg(long, value_name = "S", default_value = "10", value_parser = seconds)]
    pub(crate) timeout: Duration,
    /// Most visitors at one time; others that are due meanwhile are held back
    #[arg(long, value_name = "N", default_value_t = 2_000)]
    pub(crate) most_open: usize,
    /// Video bits a second of publishers
    #[arg(long, value_name = "BPS", default_value = "500k", value_parser = bits)]
    pub(crate) bitrate: u64,
    /// Watch this process, the server, if it is on this machine: memory, files, threads, CPU time
    #[arg(long, value_name = "PID")]
    pub(crate) pid: Option<u32>,
    /// Ask this server's API for its sessions before and after, e.g. http://127.0.0.1:8080
    #[arg(long, value_name = "URL")]
    pub(crate) api: Option<String>,
    /// Credential for the API
    #[arg(long, value_name = "TOKEN", requires = "api")]
    pub(crate) api_token: Option<String>,
    /// Time to clean up that the server has between the last visitor and the last look at it, in seconds; streams that
    /// were published stay for the server's grace
    #[arg(long, value_name = "S", default_value = "5", value_parser = seconds)]
    pub(crate) settle: Duration,
    /// Certificates.
    #[command(flatten)]
    pub(crate) tls: Tls,
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

/// What visitors of `load churn` come for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ChurnProtocol {
    /// Play over RTMP
    Rtmp,
    /// Play over HTTP-FLV
    Flv,
    /// Load playlists and the newest segment
    Hls,
    /// Get a resource
    Http,
    /// Publish over RTMP; each visitor has a stream of its own
    Publish,
    /// What each address looks like: rtmp:// with {} is published to, without it played; .flv, .m3u8, other HTTP
    Mixed,
}
