//! How a relay is, and what became of it.

use std::path::PathBuf;
use std::time::Instant;

use ingest_rtmp::net::client::{Link, LinkEnd, LinkState};
use serde::Serialize;

use crate::stats::{rate, size};

/// One side of a relay.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct LegStatus {
    /// `connecting`, `up`, `waiting` (for the next attempt), `idle` (for media), `ended`.
    pub state: &'static str,
    /// Why it waits, or ended other than as it should.
    pub why: Option<String>,
    /// Seconds until the next attempt.
    pub retry_in_s: Option<f64>,
    /// Bytes of media and protocol in the direction of the media.
    pub bytes: u64,
    /// Frames brought in or carried out.
    pub frames: u64,
    /// Frames left out. Source: what a reconnect brought a second time. Target: what it did not take in time.
    pub skipped: u64,
    /// Connections after the first that got as far as media.
    pub reconnects: u64,
}

/// How a relay is right now.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RelayStatus {
    /// Seconds since it began.
    pub seconds: f64,
    /// Where media comes from.
    pub source: LegStatus,
    /// Where it goes.
    pub target: LegStatus,
    /// Bits a second that went out lately.
    pub bitrate_bps: f64,
    /// How far the target is behind the source, in milliseconds of media.
    pub lag_ms: i64,
}

/// Why a relay ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RelayEnd {
    /// Its time was over.
    Duration,
    /// It was told to.
    Stopped,
    /// The source ended as it should: the end of a file, or of a stream.
    SourceEnded,
    /// The source was given up.
    SourceFailed,
    /// The target was given up, or cannot be written.
    TargetFailed,
}

/// What became of a relay.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RelayReport {
    /// Where media came from, without what stands behind a `?`.
    pub from: String,
    /// Where it went, likewise.
    pub to: String,
    /// Why it ended.
    pub end: RelayEnd,
    /// Both sides at the end.
    #[serde(flatten)]
    pub last: RelayStatus,
    /// Files that were written. More than one where an MP4 met a change of codecs.
    pub files: Vec<PathBuf>,
}

impl RelayStatus {
    /// In one line.
    #[must_use]
    pub fn line(&self) -> String {
        let lag = match self.lag_ms {
            ms if ms > 0 => format!(", {ms} ms behind"),
            _ => String::new(),
        };
        format!(
            "source {}; target {}; {} out, {}{lag}",
            self.source.text(),
            self.target.text(),
            size(self.target.bytes),
            rate(self.bitrate_bps)
        )
    }
}

impl LegStatus {
    /// In a few words.
    fn text(&self) -> String {
        let mut text = self.state.to_owned();
        if let Some(seconds) = self.retry_in_s {
            text.push_str(&format!(" {seconds:.0} s"));
        }
        if let Some(why) = &self.why {
            text.push_str(&format!(" ({why})"));
        }
        match self.reconnects {
            0 => {}
            1 => text.push_str(", 1 reconnect"),
            n => text.push_str(&format!(", {n} reconnects")),
        }
        text
    }

    /// Of a link.
    pub(super) fn of(link: &Link) -> Self {
        let counts = link.counts();
        let mut status = Self {
            bytes: counts.bytes,
            frames: counts.frames,
            skipped: counts.skipped,
            reconnects: counts.connects.saturating_sub(1),
            ..Self::default()
        };
        match link.state() {
            LinkState::Idle => status.state = "idle",
            LinkState::Connecting { .. } => status.state = "connecting",
            LinkState::Up { .. } => status.state = "up",
            LinkState::Waiting { until, why, .. } => {
                status.state = "waiting";
                status.why = Some(why.to_string());
                let left = until.saturating_duration_since(Instant::now());
                status.retry_in_s = Some(left.as_secs_f64());
            }
            LinkState::Ended(end) => {
                status.state = "ended";
                if let LinkEnd::Failed(why) = end {
                    status.why = Some(why.to_string());
                }
            }
            _ => status.state = "unknown",
        }
        status
    }
}

impl RelayReport {
    /// A table for people.
    #[must_use]
    pub fn table(&self) -> String {
        let last = &self.last;
        let end = match self.end {
            RelayEnd::Duration => "its time was over",
            RelayEnd::Stopped => "it was told to",
            RelayEnd::SourceEnded => "the source ended",
            RelayEnd::SourceFailed => "the source was given up",
            RelayEnd::TargetFailed => "the target was given up",
        };
        let mut rows = vec![
            ("from", self.from.clone()),
            ("to", self.to.clone()),
            ("ended", format!("after {:.1} s: {end}", last.seconds)),
        ];
        for (name, leg) in [("source", &last.source), ("target", &last.target)] {
            let why = leg.why.as_ref().map(|why| format!("; {why}"));
            let text = format!(
                "{}, {} frames, {} left out, {} reconnects{}",
                size(leg.bytes),
                leg.frames,
                leg.skipped,
                leg.reconnects,
                why.unwrap_or_default()
            );
            rows.push((name, text));
        }
        for file in &self.files {
            rows.push(("file", file.display().to_string()));
        }
        let rows = rows.iter().map(|(name, text)| format!("{name:<16} {text}"));
        rows.collect::<Vec<_>>().join("\n")
    }

    /// True when media reached the target.
    #[must_use]
    pub const fn has_media(&self) -> bool {
        self.last.target.frames > 0
    }

    /// True when the target was given up, or could not be written.
    #[must_use]
    pub const fn target_failed(&self) -> bool {
        matches!(self.end, RelayEnd::TargetFailed)
    }

    /// True when it ended as it should, and nothing that the source had is missing at the target: no connection was lost
    /// on the way, and no frame left out.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        let (source, target) = (&self.last.source, &self.last.target);
        !matches!(self.end, RelayEnd::SourceFailed | RelayEnd::TargetFailed)
            && source.reconnects == 0
            && target.reconnects == 0
            && target.skipped == 0
    }
}
