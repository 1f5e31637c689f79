//! What a run of visitors found.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::task::JoinError;

use super::visit::Visit;
use super::{ApiCounts, ChurnOptions, Errand, Leave};
use crate::load::table::Table;
use crate::process::Watched;
use crate::stats::{Percentiles, Series, size};

/// Different reasons that are told apart; more than a server has.
const REASONS: usize = 64;

/// How visitors fared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Visited {
    /// Who came.
    pub came: u64,
    /// Got media, or might publish, or got an answer.
    pub served: u64,
    /// Got nothing.
    pub failed: u64,
    /// Was served, and then cut off before it wanted to leave.
    pub cut_off: u64,
    /// Why visitors failed or were cut off, and how many of each.
    pub reasons: BTreeMap<String, u64>,
}

/// How visitors that were served left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Left {
    /// With the words of the protocol, where it has some, then FIN.
    pub politely: u64,
    /// By FIN alone.
    pub by_fin: u64,
    /// By RST.
    pub by_rst: u64,
}

/// The visitors of one target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ErrandReport {
    /// What they came for.
    pub errand: Errand,
    /// Where.
    pub url: String,
    /// How they fared.
    pub visitors: Visited,
    /// From the begin of connecting to what they came for: media, consent to publish, the first byte of an answer, a
    /// whole segment.
    pub startup_ms: Option<Percentiles>,
}

/// What a run of visitors found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ChurnReport {
    /// For how long visitors came, in seconds.
    pub seconds: f64,
    /// How many of them there should have been a second, and were.
    pub rate_asked: f64,
    /// See `rate_asked`.
    pub rate: f64,
    /// How they fared.
    pub visitors: Visited,
    /// How those left that were served and not cut off.
    pub left: Left,
    /// Who was due while as many as allowed were there.
    pub held_back: u64,
    /// Most that were there at one time.
    pub most_open: usize,
    /// From the begin of connecting to the connection (HTTP: to the answer's header, HLS: to the first playlist).
    pub connect_ms: Option<Percentiles>,
    /// From the begin of connecting to what they came for, all errands together.
    pub startup_ms: Option<Percentiles>,
    /// Each target by itself.
    pub targets: Vec<ErrandReport>,
    /// Bytes received, and by publishers sent.
    pub bytes: u64,
    /// This process: its files tell whether connections are left over on this side.
    pub own: Watched,
    /// CPU seconds of this process.
    pub cpu_seconds: f64,
    /// CPU seconds of this process for each gigabit.
    pub cpu_seconds_per_gbit: f64,
    /// Resident memory of this process at the end, in bytes.
    pub rss_bytes: u64,
    /// The process that was watched.
    pub server: Option<Watched>,
    /// What the server said it held before.
    pub api_before: Option<ApiCounts>,
    /// And after; `None` also when it did not answer any more.
    pub api_after: Option<ApiCounts>,
}

/// Figures while visitors come and go.
pub(super) struct Tally {
    all: Visited,
    each: Vec<(Visited, Series)>,
    left: Left,
    pub(super) held_back: u64,
    pub(super) came_for: Duration,
    most_open: usize,
    connect: Series,
    startup: Series,
    bytes: u64,
}

impl Tally {
    pub(super) fn new(options: &ChurnOptions) -> Self {
        Self {
            all: Visited::default(),
            each: vec![(Visited::default(), Series::default()); options.targets.len()],
            left: Left::default(),
            held_back: 0,
            came_for: Duration::ZERO,
            most_open: 0,
            connect: Series::default(),
            startup: Series::default(),
            bytes: 0,
        }
    }

    /// One comes; so many are there now.
    pub(super) fn begun(&mut self, at: Duration, open: usize) {
        self.came_for = at;
        self.most_open = self.most_open.max(open);
    }

    /// One has gone.
    pub(super) fn take(&mut self, gone: Result<Visit, JoinError>) {
        let visit = match gone {
            Ok(visit) => visit,
            Err(e) => {
                self.all.came += 1;
                self.all.failed += 1;
                count(&mut self.all.reasons, &format!("a visitor broke down: {e}"));
                return;
            }
        };
        self.bytes += visit.bytes;
        self.connect.extend(visit.connected_ms);
        self.startup.extend(visit.startup_ms);
        let served = visit.startup_ms.is_some();
        if served && visit.reason.is_none() {
            match visit.leave {
                Leave::Polite => self.left.politely += 1,
                Leave::Fin => self.left.by_fin += 1,
                Leave::Reset => self.left.by_rst += 1,
            }
        }
        let mut each = self.each.get_mut(visit.target);
        if let Some((_, startup)) = &mut each {
            startup.extend(visit.startup_ms);
        }
        for visited in [Some(&mut self.all), each.map(|(v, _)| v)]
            .into_iter()
            .flatten()
        {
            visited.came += 1;
            visited.served += u64::from(served);
            // Without a reason, and not served: sent home by the operator before it got anything.
            if let Some(reason) = &visit.reason {
                count(&mut visited.reasons, reason);
                visited.cut_off += u64::from(served);
                visited.failed += u64::from(!served);
            }
        }
    }

    pub(super) fn report(self, options: &ChurnOptions, own: Watched) -> ChurnReport {
        let targets = options.targets.iter().zip(self.each);
        let seconds = self.came_for.as_secs_f64();
        let gbit = self.bytes as f64 * 8.0 / 1e9;
        let cpu = own.cpu_seconds();
        ChurnReport {
            seconds,
            rate_asked: options.rate,
            rate: self.all.came as f64 / seconds.max(0.001),
            left: self.left,
            held_back: self.held_back,
            most_open: self.most_open,
            connect_ms: self.connect.percentiles(),
            startup_ms: self.startup.percentiles(),
            targets: targets
                .map(|((errand, url), (visitors, startup))| ErrandReport {
                    errand: *errand,
                    url: url.clone(),
                    visitors,
                    startup_ms: startup.percentiles(),
                })
                .collect(),
            visitors: self.all,
            bytes: self.bytes,
            cpu_seconds: cpu,
            cpu_seconds_per_gbit: if gbit > 0.0 { cpu / gbit } else { 0.0 },
            rss_bytes: own.end.rss_bytes,
            own,
            server: None,
            api_before: None,
            api_after: None,
        }
    }
}

fn count(reasons: &mut BTreeMap<String, u64>, reason: &str) {
    if reasons.len() < REASONS || reasons.contains_key(reason) {
        *reasons.entry(reason.to_owned()).or_default() += 1;
    } else {
        *reasons.entry("other reasons".to_owned()).or_default() += 1;
    }
}

impl ChurnReport {
    /// A table for people.
    #[must_use]
    pub fn table(&self) -> String {
        let mut t = Table::default();
        let text = format!(
            "{:.1} s, {:.1} a second of {:.1} asked",
            self.seconds, self.rate, self.rate_asked
        );
        t.row("time", &text);
        visited(&mut t, "visitors", &self.visitors);
        let left = self.left;
        let text = format!(
            "{} politely, {} by FIN, {} by RST",
            left.politely, left.by_fin, left.by_rst
        );
        t.row("left", &text);
        let text = format!("{} at most, {} held back", self.most_open, self.held_back);
        t.row("at one time", &text);
        t.percentiles("connect", self.connect_ms);
        t.percentiles("start-up", self.startup_ms);
        if self.targets.len() > 1 {
            for target in &self.targets {
                t.row(target.errand.name(), &target.url);
                visited(&mut t, "  visitors", &target.visitors);
                t.percentiles("  start-up", target.startup_ms);
            }
        }
        t.row("bytes", &size(self.bytes));
        t.own(self.cpu_seconds, self.cpu_seconds_per_gbit, self.rss_bytes);
        t.watched("generator", &self.own);
        if let Some(server) = &self.server {
            t.watched("server", server);
        }
        if let Some(before) = self.api_before {
            api(&mut t, "API before", Some(before));
            api(&mut t, "API after", self.api_after);
        }
        t.text()
    }

    /// True when every visitor was served and nobody was cut off, and the server is still there. Whether what it holds
    /// has grown is for the reader of the report to judge.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.visitors.failed == 0
            && self.visitors.cut_off == 0
            && self.server.as_ref().is_none_or(|s| !s.died)
            && self.api_before.is_some() == self.api_after.is_some()
    }
}

fn visited(t: &mut Table, name: &str, v: &Visited) {
    let text = format!(
        "{} came, {} served, {} failed, {} cut off",
        v.came, v.served, v.failed, v.cut_off
    );
    t.row(name, &text);
    for (reason, count) in &v.reasons {
        t.row("", &format!("{count}x {reason}"));
    }
}

fn api(t: &mut Table, name: &str, counts: Option<ApiCounts>) {
    let text = match counts {
        None => "no answer".to_owned(),
        Some(c) => format!(
            "{} streams, {} publishers, {} readers",
            c.streams, c.publishers, c.readers
        ),
    };
    t.row(name, &text);
}
