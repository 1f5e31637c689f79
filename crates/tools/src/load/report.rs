//! What a load run found, as JSON and as a table.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::{Deserialize, Serialize};

use super::Protocol;
use crate::stats::{Percentiles, rate, size};

/// How the sessions of a run fared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sessions {
    /// Asked for.
    pub asked: usize,
    /// Got media (players), or were accepted (publishers).
    pub started: usize,
    /// Never started.
    pub failed: usize,
    /// Started, and ended before their time.
    pub ended_early: usize,
    /// Why sessions failed or ended early, and how many of each.
    pub reasons: BTreeMap<String, usize>,
}

/// What a run of players found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PlayReport {
    /// The protocol.
    pub protocol: Protocol,
    /// The address.
    pub url: String,
    /// Seconds from the first start to the last end.
    pub seconds: f64,
    /// How the sessions fared.
    pub sessions: Sessions,
    /// Bytes received by all.
    pub bytes: u64,
    /// Bits a second received by all, while they played.
    pub bitrate_bps: f64,
    /// Bits a second of one session, on average.
    pub session_bitrate_bps: f64,
    /// Media messages, tags, or (HLS) segments and parts.
    pub units: u64,
    /// From the begin of connecting to the first key frame, complete.
    pub startup_ms: Option<Percentiles>,
    /// From the request for the stream (RTMP `play`, HTTP `GET`) to the first key frame, complete.
    pub join_ms: Option<Percentiles>,
    /// From publishing to here, of numbered frames with a time in them that were published after the session began.
    pub latency_ms: Option<Percentiles>,
    /// Numbered frames seen by the probing sessions.
    pub numbered_frames: u64,
    /// Numbers that are missing between two others; HLS: and segments that were missing or gone.
    pub gaps: u64,
    /// Numbers that came again, or late.
    pub duplicates: u64,
    /// Times a player would have run dry.
    pub stalls: u64,
    /// Milliseconds players would have stood still.
    pub stalled_ms: f64,
    /// CPU seconds of this process.
    pub cpu_seconds: f64,
    /// CPU seconds of this process for each gigabit received.
    pub cpu_seconds_per_gbit: f64,
    /// One line a session, when asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<SessionReport>,
}

/// One session of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SessionReport {
    /// Its number.
    pub session: usize,
    /// Bytes received.
    pub bytes: u64,
    /// Media messages, tags, segments or parts.
    pub units: u64,
    /// From the begin of connecting to the first key frame.
    pub startup_ms: Option<f64>,
    /// From the request to the first key frame.
    pub join_ms: Option<f64>,
    /// Seconds it played.
    pub seconds: f64,
    /// Times it would have run dry.
    pub stalls: u64,
    /// Milliseconds it would have stood still.
    pub stalled_ms: f64,
    /// Missing numbers.
    pub gaps: u64,
    /// Why it failed or ended early.
    pub reason: Option<String>,
}

/// What a run of publishers found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PublishReport {
    /// The address.
    pub url: String,
    /// Seconds from the first start to the last end.
    pub seconds: f64,
    /// How the sessions fared.
    pub sessions: Sessions,
    /// Bytes sent by all.
    pub bytes: u64,
    /// Bits a second sent by all.
    pub bitrate_bps: f64,
    /// Access units sent by all.
    pub frames: u64,
    /// From the begin of connecting to the server's consent.
    pub startup_ms: Option<Percentiles>,
    /// The furthest any publisher was behind its clock: the server (or this machine) did not take the media in time.
    pub behind_ms: f64,
    /// CPU seconds of this process.
    pub cpu_seconds: f64,
}

impl PlayReport {
    /// A table for people.
    #[must_use]
    pub fn table(&self) -> String {
        let mut t = Table::default();
        t.row("url", &self.url);
        t.row("protocol", self.protocol.name());
        t.sessions(&self.sessions);
        t.row("time", &format!("{:.1} s", self.seconds));
        t.row(
            "received",
            &format!("{} in {} units", size(self.bytes), self.units),
        );
        t.row(
            "bit rate",
            &format!(
                "{} in all, {} a session",
                rate(self.bitrate_bps),
                rate(self.session_bitrate_bps)
            ),
        );
        t.percentiles("start-up", self.startup_ms);
        t.percentiles("join", self.join_ms);
        t.percentiles("latency", self.latency_ms);
        t.row(
            "numbered frames",
            &match self.numbered_frames {
                0 => "none seen".to_owned(),
                n => format!("{n}, {} missing, {} doubled", self.gaps, self.duplicates),
            },
        );
        t.row(
            "stalls",
            &format!("{} ({:.0} ms in all)", self.stalls, self.stalled_ms),
        );
        t.row(
            "own CPU",
            &format!(
                "{:.2} s, {:.4} s a Gbit",
                self.cpu_seconds, self.cpu_seconds_per_gbit
            ),
        );
        if !self.details.is_empty() {
            t.0.push_str("\nsession      bytes    units  start-up ms  stalls  gaps  reason\n");
        }
        for s in &self.details {
            let startup = s.startup_ms.map_or("-".to_owned(), |ms| format!("{ms:.1}"));
            let _ = writeln!(
                t.0,
                "{:>7} {:>10} {:>8} {startup:>12} {:>7} {:>5}  {}",
                s.session,
                s.bytes,
                s.units,
                s.stalls,
                s.gaps,
                s.reason.as_deref().unwrap_or("")
            );
        }
        t.0
    }

    /// True when every session started and stayed, and no numbered frame was lost or doubled.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.sessions.started == self.sessions.asked
            && self.sessions.ended_early == 0
            && self.gaps == 0
            && self.duplicates == 0
    }
}

impl PublishReport {
    /// A table for people.
    #[must_use]
    pub fn table(&self) -> String {
        let mut t = Table::default();
        t.row("url", &self.url);
        t.sessions(&self.sessions);
        t.row("time", &format!("{:.1} s", self.seconds));
        t.row(
            "sent",
            &format!("{} in {} frames", size(self.bytes), self.frames),
        );
        t.row("bit rate", &format!("{} in all", rate(self.bitrate_bps)));
        t.percentiles("start-up", self.startup_ms);
        t.row("behind", &format!("{:.1} ms at most", self.behind_ms));
        t.row("own CPU", &format!("{:.2} s", self.cpu_seconds));
        t.0
    }

    /// True when every session was accepted and stayed.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.sessions.started == self.sessions.asked && self.sessions.ended_early == 0
    }
}

#[derive(Default)]
struct Table(String);

impl Table {
    fn row(&mut self, name: &str, value: &str) {
        let _ = writeln!(self.0, "{name:<16} {value}");
    }

    fn sessions(&mut self, s: &Sessions) {
        let text = format!(
            "{} of {} started, {} failed, {} ended early",
            s.started, s.asked, s.failed, s.ended_early
        );
        self.row("sessions", &text);
        for (reason, count) in &s.reasons {
            self.row("", &format!("{count}x {reason}"));
        }
    }

    fn percentiles(&mut self, name: &str, p: Option<Percentiles>) {
        let text = match p {
            None => "not measured".to_owned(),
            Some(p) => format!(
                "p50 {:.1} ms, p95 {:.1}, p99 {:.1}, max {:.1} (of {})",
                p.p50, p.p95, p.p99, p.max, p.count
            ),
        };
        self.row(name, &text);
    }
}
