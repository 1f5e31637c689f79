//! Many players of one stream.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::report::{PlayReport, Sessions};
use super::session::{Figures, millis};
use super::{PlayOptions, Protocol, hls, http_flv, numbered, rtmp};
use crate::error::causes;
use crate::hls::Http;
use crate::stats::{Percentiles, own_cpu_seconds};
use crate::{Error, Result};

/// What every session of a run shares.
pub(crate) struct Run {
    pub(crate) options: PlayOptions,
    pub(crate) cancel: CancellationToken,
    /// Of HLS players.
    pub(crate) http: Option<Http>,
}

/// Runs the players and reports. Ends when each has played for its time, or when `cancel` fires: then the report tells
/// what was found until then.
///
/// # Errors
/// [`Error::Usage`] and [`Error::Url`]. Sessions that fail are in the report.
pub async fn play(options: PlayOptions, cancel: CancellationToken) -> Result<PlayReport> {
    check(&options)?;
    let http = match options.protocol {
        Protocol::Hls => Some(Http::new(options.timeout)?),
        _ => None,
    };
    let cpu_before = own_cpu_seconds();
    let begun = Instant::now();
    let count = options.count;
    let run = std::sync::Arc::new(Run {
        options,
        cancel,
        http,
    });
    let mut sessions = JoinSet::new();
    for n in 0..count {
        let run = std::sync::Arc::clone(&run);
        sessions.spawn(async move {
            let offset = run.options.ramp.mul_f64(n as f64 / count as f64);
            if run.sleep_until(begun + offset).await {
                session(&run, n).await
            } else {
                None
            }
        });
    }
    let mut figures = Vec::with_capacity(count);
    while let Some(done) = sessions.join_next().await {
        match done {
            Ok(Some(f)) => figures.push(f),
            Ok(None) => {}
            Err(e) => return Err(Error::Usage(format!("a session broke down: {e}"))),
        }
    }
    figures.sort_by_key(|f| f.session);
    let cpu = own_cpu_seconds() - cpu_before;
    Ok(report(&run.options, &figures, begun.elapsed(), cpu))
}

impl Run {
    pub(crate) fn is_probe(&self, n: usize) -> bool {
        n < self.options.probes
    }

    /// False when the run was cancelled first.
    pub(crate) async fn sleep_until(&self, at: Instant) -> bool {
        tokio::select! {
            () = tokio::time::sleep_until(at.into()) => true,
            () = self.cancel.cancelled() => false,
        }
    }
}

fn check(options: &PlayOptions) -> Result<()> {
    let bad = |reason| {
        Err(Error::Url {
            url: options.url.clone(),
            reason,
        })
    };
    match options.protocol {
        Protocol::Rtmp => {
            crate::rtmp::target(&numbered(&options.url, 0))?;
        }
        Protocol::Flv if !options.url.starts_with("http://") => {
            return bad("HTTP-FLV needs an http:// address");
        }
        Protocol::Hls if !options.url.starts_with("http") => {
            return bad("HLS needs an http:// or https:// address");
        }
        _ => {}
    }
    if options.count == 0 {
        return Err(Error::Usage("at least one session is needed".to_owned()));
    }
    Ok(())
}

/// One player, from its start to its end.
async fn session(run: &Run, n: usize) -> Option<Figures> {
    let options = &run.options;
    let url = numbered(&options.url, n);
    let mut figures = Figures::new(n, run.is_probe(n), options.buffer);
    let end = Instant::now() + options.duration;
    let playing = async {
        match options.protocol {
            Protocol::Rtmp => rtmp::play(run, &url, &mut figures).await,
            Protocol::Flv => http_flv::play(run, &url, &mut figures).await,
            Protocol::Hls => hls::play(run, &url, &mut figures).await,
        }
    };
    // Whoever still plays at the end did well; an outcome before that is a failure or an early end.
    let outcome = tokio::select! {
        outcome = playing => Some(outcome),
        _ = run.sleep_until(end) => None,
    };
    let now = Instant::now();
    figures.ended = Some(now);
    figures.reason = match outcome {
        None if figures.has_started() || run.cancel.is_cancelled() => None,
        None => Some("no media within the time".to_owned()),
        Some(Ok(())) => Some("the stream ended".to_owned()),
        Some(Err(e)) => Some(causes(&e)),
    };
    Some(figures)
}

fn report(options: &PlayOptions, all: &[Figures], time: Duration, cpu: f64) -> PlayReport {
    let mut sessions = Sessions {
        asked: options.count,
        reasons: BTreeMap::new(),
        ..Sessions::default()
    };
    for f in all {
        match (f.has_started(), &f.reason) {
            (true, None) => sessions.started += 1,
            (true, Some(_)) => {
                sessions.started += 1;
                sessions.ended_early += 1;
            }
            (false, _) => sessions.failed += 1,
        }
        if let Some(reason) = &f.reason {
            *sessions.reasons.entry(reason.clone()).or_default() += 1;
        }
    }
    let bytes: u64 = all.iter().map(|f| f.bytes).sum();
    // Each session at its own rate: starts may be spread.
    let rates: Vec<f64> = all
        .iter()
        .filter(|f| f.played() > 0.0)
        .map(|f| f.bytes as f64 * 8.0 / f.played())
        .collect();
    let bitrate = rates.iter().fold(0.0, |sum, rate| sum + rate);
    let numbers = || all.iter().filter_map(|f| f.numbers.as_ref());
    let gbit = bytes as f64 * 8.0 / 1e9;
    PlayReport {
        protocol: options.protocol,
        url: options.url.clone(),
        seconds: time.as_secs_f64(),
        sessions,
        bytes,
        bitrate_bps: bitrate,
        session_bitrate_bps: bitrate / rates.len().max(1) as f64,
        units: all.iter().map(|f| f.units).sum(),
        startup_ms: Percentiles::of(all.iter().filter_map(Figures::startup_ms).collect()),
        join_ms: Percentiles::of(all.iter().filter_map(Figures::join_ms).collect()),
        latency_ms: Percentiles::of(
            numbers()
                .flat_map(|n| n.latency_ms.iter().copied())
                .collect(),
        ),
        numbered_frames: numbers().map(|n| n.seen).sum(),
        gaps: all.iter().map(Figures::gaps).sum(),
        duplicates: numbers().map(|n| n.duplicates).sum(),
        stalls: all.iter().map(|f| f.player.stalls).sum(),
        stalled_ms: millis(all.iter().map(|f| f.player.stalled).sum()),
        cpu_seconds: cpu,
        cpu_seconds_per_gbit: if gbit > 0.0 { cpu / gbit } else { 0.0 },
        details: if options.details {
            all.iter().map(Figures::report).collect()
        } else {
            Vec::new()
        },
    }
}
