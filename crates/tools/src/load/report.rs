//! What a load run found, as JSON and as a table.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Protocol;
use super::table::Table;
use crate::process::Watched;
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
    /// How the sessions fared, without the slow and the stalled ones; so all figures down to `stall_ms`.
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
    /// The longest time without media of each session.
    pub arrival_gap_ms: Option<Percentiles>,
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
    /// How long each of these times was.
    pub stall_ms: Option<Percentiles>,
    /// What the server did with slow readers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow: Option<Treatment>,
    /// What the server did with readers that stopped reading.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stalled: Option<Treatment>,
    /// CPU seconds of this process.
    pub cpu_seconds: f64,
    /// CPU seconds of this process for each gigabit received.
    pub cpu_seconds_per_gbit: f64,
    /// Resident memory of this process at the end, in bytes.
    pub rss_bytes: u64,
    /// The process that was watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<Watched>,
    /// One line a session, when asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<SessionReport>,
}

/// What a server did with readers that do not keep up.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Treatment {
    /// Sessions of this kind.
    pub sessions: usize,
    /// Of these the server let in.
    pub let_in: usize,
    /// Why it did not let others in, and how many of each.
    pub refused: BTreeMap<String, usize>,
    /// Bytes they received.
    pub bytes: u64,
    /// Still connected when their time was over.
    pub open: usize,
    /// How the server ended the others, and how many of each: the status it sent, then FIN or RST.
    pub closed: BTreeMap<String, usize>,
    /// From being let in to the server's close. Where the server is on another machine, readers that read nothing see
    /// only a close by RST at its time.
    pub closed_after_ms: Option<Percentiles>,
    /// Numbered frames that were left out between two that came.
    pub skipped_frames: u64,
    /// Sessions for which frames were left out.
    pub skipping: usize,
    /// From publishing to being read.
    pub latency_ms: Option<Percentiles>,
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
    /// The longest time without media.
    pub longest_gap_ms: Option<f64>,
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
    /// How the sessions fared in the end.
    pub sessions: Sessions,
    /// Every refusal and every loss of a connection, also those that a new attempt made good, and how many of each.
    pub setbacks: BTreeMap<String, usize>,
    /// Attempts that did not get as far as publishing.
    pub refusals: u64,
    /// Times a publisher that had been cut off published again.
    pub reconnects: u64,
    /// Bytes sent by all.
    pub bytes: u64,
    /// Bits a second sent by all.
    pub bitrate_bps: f64,
    /// Access units sent by all.
    pub frames: u64,
    /// From the begin of connecting to the server's consent, of each session that got it.
    pub startup_ms: Option<Percentiles>,
    /// The furthest any publisher was behind its clock: the server (or this machine) did not take the media in time.
    pub behind_ms: f64,
    /// CPU seconds of this process.
    pub cpu_seconds: f64,
    /// CPU seconds of this process for each gigabit sent.
    pub cpu_seconds_per_gbit: f64,
    /// Resident memory of this process at the end, in bytes.
    pub rss_bytes: u64,
    /// One line a publisher, when asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<PublisherReport>,
}

/// One publisher of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PublisherReport {
    /// Its number.
    pub session: usize,
    /// Bytes sent.
    pub bytes: u64,
    /// Access units sent.
    pub frames: u64,
    /// From the begin of connecting to the server's first consent.
    pub startup_ms: Option<f64>,
    /// Attempts that did not get as far as publishing.
    pub refusals: u64,
    /// Times it published again after having been cut off.
    pub reconnects: u64,
    /// The furthest it was behind its clock.
    pub behind_ms: f64,
    /// Why it failed or ended early.
    pub reason: Option<String>,
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
        t.percentiles("longest gap", self.arrival_gap_ms);
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
        if self.stalls > 0 {
            t.percentiles("stall", self.stall_ms);
        }
        t.treatment("slow readers", self.slow.as_ref());
        t.treatment("stalled readers", self.stalled.as_ref());
        t.own(self.cpu_seconds, self.cpu_seconds_per_gbit, self.rss_bytes);
        if let Some(server) = &self.server {
            t.watched("server", server);
        }
        if !self.details.is_empty() {
            t.line("\nsession      bytes    units  start-up ms  stalls  gaps  reason");
        }
        for s in &self.details {
            let startup = s.startup_ms.map_or("-".to_owned(), |ms| format!("{ms:.1}"));
            t.line(&format!(
                "{:>7} {:>10} {:>8} {startup:>12} {:>7} {:>5}  {}",
                s.session,
                s.bytes,
                s.units,
                s.stalls,
                s.gaps,
                s.reason.as_deref().unwrap_or("")
            ));
        }
        t.text()
    }

    /// True when every session started and stayed (slow and stalled ones need only have been let in), no numbered frame
    /// was lost or doubled for those that read in time, and the process that was watched is still there.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        let misfits = [&self.slow, &self.stalled];
        let mut misfits = misfits.into_iter().flatten();
        misfits.all(|t| t.let_in == t.sessions)
            && self.server.as_ref().is_none_or(|s| !s.died)
            && self.sessions.started == self.sessions.asked
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
        if !self.setbacks.is_empty() {
            let text = format!("{}, {} reconnects", self.refusals, self.reconnects);
            t.row("refusals", &text);
            t.counts(&self.setbacks);
        }
        t.row("time", &format!("{:.1} s", self.seconds));
        t.row(
            "sent",
            &format!("{} in {} frames", size(self.bytes), self.frames),
        );
        t.row("bit rate", &format!("{} in all", rate(self.bitrate_bps)));
        t.percentiles("start-up", self.startup_ms);
        t.row("behind", &format!("{:.1} ms at most", self.behind_ms));
        t.own(self.cpu_seconds, self.cpu_seconds_per_gbit, self.rss_bytes);
        if !self.details.is_empty() {
            t.line("\nsession      bytes   frames  start-up ms  refusals  reconnects  behind ms  reason");
        }
        for p in &self.details {
            let startup = p.startup_ms.map_or("-".to_owned(), |ms| format!("{ms:.1}"));
            t.line(&format!(
                "{:>7} {:>10} {:>8} {startup:>12} {:>9} {:>11} {:>10.1}  {}",
                p.session,
                p.bytes,
                p.frames,
                p.refusals,
                p.reconnects,
                p.behind_ms,
                p.reason.as_deref().unwrap_or("")
            ));
        }
        t.text()
    }

    /// True when every session was accepted and stayed to its end; an attempt that was made good counts as neither lost
    /// nor refused.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.sessions.started == self.sessions.asked && self.sessions.ended_early == 0
    }
}
