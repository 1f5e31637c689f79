//! Reports as tables for people.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::report::{Sessions, Treatment};
use crate::process::{Usage, Watched};
use crate::stats::{Percentiles, size};

/// Rows of a name and a value.
#[derive(Default)]
pub(crate) struct Table(String);

impl Table {
    pub(crate) fn text(self) -> String {
        self.0
    }

    pub(crate) fn line(&mut self, text: &str) {
        let _ = writeln!(self.0, "{text}");
    }

    pub(crate) fn row(&mut self, name: &str, value: &str) {
        let _ = writeln!(self.0, "{name:<16} {value}");
    }

    pub(crate) fn sessions(&mut self, s: &Sessions) {
        let text = format!(
            "{} of {} started, {} failed, {} ended early",
            s.started, s.asked, s.failed, s.ended_early
        );
        self.row("sessions", &text);
        self.counts(&s.reasons);
    }

    /// What happened, and how often.
    pub(crate) fn counts(&mut self, counts: &BTreeMap<String, usize>) {
        for (what, count) in counts {
            self.row("", &format!("{count}x {what}"));
        }
    }

    pub(crate) fn percentiles(&mut self, name: &str, p: Option<Percentiles>) {
        let text = match p {
            None => "not measured".to_owned(),
            Some(p) => format!(
                "p50 {:.1} ms, p90 {:.1}, p99 {:.1}, max {:.1} (of {})",
                p.p50, p.p90, p.p99, p.max, p.count
            ),
        };
        self.row(name, &text);
    }

    pub(crate) fn treatment(&mut self, name: &str, treatment: Option<&Treatment>) {
        let Some(t) = treatment else { return };
        let closed: usize = t.closed.values().sum();
        let text = format!(
            "{} of {} let in, {} open at the end, {closed} closed by the server",
            t.let_in, t.sessions, t.open
        );
        self.row(name, &text);
        self.counts(&t.refused);
        self.counts(&t.closed);
        if let Some(after) = t.closed_after_ms {
            self.percentiles("  closed after", Some(after));
        }
        if t.latency_ms.is_some() {
            let text = format!("{} frames, in {} sessions", t.skipped_frames, t.skipping);
            self.row("  left out", &text);
            self.percentiles("  latency", t.latency_ms);
        }
    }

    /// What the generator itself cost.
    pub(crate) fn own(&mut self, cpu: f64, per_gbit: f64, rss: u64) {
        let text = format!("{cpu:.2} s CPU, {per_gbit:.4} s a Gbit, {}", size(rss));
        self.row("own cost", &text);
    }

    pub(crate) fn watched(&mut self, name: &str, w: &Watched) {
        let end = if w.died { "died" } else { "end" };
        let text = format!("process {}, {:.2} s CPU", w.pid, w.cpu_seconds());
        self.row(name, &text);
        let mut line = |what: &str, of: fn(&Usage) -> String, percent: f64| {
            let text = format!(
                "start {}, peak {}, {end} {} ({percent:+.1} %)",
                of(&w.start),
                of(&w.peak),
                of(&w.end)
            );
            self.row(&format!("  {what}"), &text);
        };
        line("memory", |u| size(u.rss_bytes), w.change.rss_percent);
        line("files", |u| u.fds.to_string(), w.change.fds_percent);
        line(
            "threads",
            |u| u.threads.to_string(),
            w.change.threads_percent,
        );
    }
}
