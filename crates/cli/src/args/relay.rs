//! `relay`: from here to there.

use std::time::Duration;

use clap::Args as ClapArgs;

use super::Tls;
use super::values::{retries, seconds};

/// `relay`
#[derive(Debug, ClapArgs)]
pub(crate) struct Relay {
    /// Where media comes from: rtmp://, rtmps://, or an FLV file, which is played at the pace of its time stamps
    pub(crate) source: String,
    /// Where it goes: rtmp://, rtmps://, a file that ends in .flv or .mp4 (fragmented, readable while it grows), or - for
    /// FLV on stdout
    pub(crate) target: String,
    /// For how long, in seconds [default: until the source ends, or Ctrl-C]
    #[arg(long, value_name = "S", value_parser = seconds)]
    pub(crate) duration: Option<Duration>,
    /// How often a lost or refused side is tried again before it is given up. With a number the end of the source's
    /// stream ends the relay too; for ever, it is waited for
    #[arg(long, value_name = "N|forever", default_value = "forever", value_parser = retries)]
    pub(crate) retry: Retries,
    /// Play a file over and over
    #[arg(long = "loop")]
    pub(crate) looped: bool,
    /// Write over a target file that is there
    #[arg(long)]
    pub(crate) overwrite: bool,
    /// Credential for the source (sent as token= in the query)
    #[arg(long, value_name = "TOKEN")]
    pub(crate) source_token: Option<String>,
    /// Credential for the target
    #[arg(long, value_name = "TOKEN")]
    pub(crate) target_token: Option<String>,
    /// Certificates.
    #[command(flatten)]
    pub(crate) tls: Tls,
    /// Print how it goes, and the report, as JSON: one object a line, with "event":"status" or "end"
    #[arg(long)]
    pub(crate) json: bool,
}

/// How often something is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Retries {
    /// `None` is for ever.
    pub(crate) limit: Option<u32>,
}
