//! Many players of one stream.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::ClientConfig;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::fate::{Fate, reason};
use super::options::Manner;
use super::peers::Peers;
use super::report::{PlayReport, Sessions, Treatment};
use super::session::{Figures, Pace, millis};
use super::{PlayOptions, Protocol, hls, http_flv, misfit, numbered, rtmp};
use crate::hls::Http;
use crate::net::Dialer;
use crate::process::{Usage, Watch, own_cpu_seconds};
use crate::stats::{Percentiles, Series};
use crate::{Error, Result};

/// Between two readings of a process that is watched.
const WATCH_EVERY: Duration = Duration::from_secs(1);

/// What every session of a run shares.
pub(crate) struct Run {
    pub(crate) options: PlayOptions,
    pub(crate) cancel: CancellationToken,
    pub(crate) peers: Peers,
    client: Client,
}

/// What sessions connect with.
enum Client {
    /// RTMP and HTTP-FLV.
    Dialer(Dialer),
    /// HLS, all players together.
    Http(Http),
    /// HLS, one for each player.
    Http2(Arc<ClientConfig>),
}

/// Runs the players and reports. Ends when each has played for its time, or when `cancel` fires: then the report tells
/// what was found until then.
///
/// # Errors
/// [`Error::Usage`] and [`Error::Url`]. Sessions that fail are in the report.
pub async fn play(options: PlayOptions, cancel: CancellationToken) -> Result<PlayReport> {
    check(&options)?;
    let client = match options.protocol {
        Protocol::Hls if options.http2 => Client::Http2(options.tls.client()?),
        Protocol::Hls => Client::Http(Http::new(options.timeout, &options.tls)?),
        _ => Client::Dialer(Dialer::new(&options.url, options.timeout, &options.tls)?),
    };
    let watch = options.watch.map(|pid| Watch::start(pid, WATCH_EVERY));
    let watch = watch.transpose()?;
    let cpu_before = own_cpu_seconds();
    let begun = Instant::now();
    let count = options.count;
    let run = Arc::new(Run {
        options,
        cancel,
        peers: Peers::default(),
        client,
    });
    let mut sessions = JoinSet::new();
    for n in 0..count {
        let run = Arc::clone(&run);
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
    let time = begun.elapsed();
    let mut report = report(&run.options, &figures, time);
    report.rss_bytes = Usage::own().rss_bytes;
    report.cpu_seconds = own_cpu_seconds() - cpu_before;
    let gbit = figures.iter().map(|f| f.bytes).sum::<u64>() as f64 * 8.0 / 1e9;
    if gbit > 0.0 {
        report.cpu_seconds_per_gbit = report.cpu_seconds / gbit;
    }
    if let Some(watch) = watch {
        report.server = Some(watch.finish().await);
    }
    Ok(report)
}

impl Run {
    pub(crate) fn is_probe(&self, n: usize) -> bool {
        n < self.options.probes && self.options.manner(n) == Manner::Good
    }

    /// For players of RTMP and HTTP-FLV.
    pub(crate) fn dialer(&self) -> Result<&Dialer> {
        match &self.client {
            Client::Dialer(dialer) => Ok(dialer),
            _ => Err(Error::Usage("this protocol has its own client".to_owned())),
        }
    }

    /// For players of HLS.
    pub(crate) fn http(&self) -> Result<Http> {
        match &self.client {
            Client::Http(http) => Ok(http.clone()),
            Client::Http2(tls) => Http::http2(self.options.timeout, tls),
            Client::Dialer(_) => Err(Error::Usage("this protocol has no HTTP client".to_owned())),
        }
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
        Protocol::Flv if !options.url.starts_with("http") => {
            return bad("HTTP-FLV needs an http:// or https:// address");
        }
        Protocol::Hls if !options.url.starts_with("http") => {
            return bad("HLS needs an http:// or https:// address");
        }
        _ => {}
    }
    if options.count == 0 {
        return Err(Error::Usage("at least one session is needed".to_owned()));
    }
    let misfits = options.slow_count.saturating_add(options.stalled);
    if misfits > options.count {
        let text = format!(
            "{misfits} slow and stalled sessions are more than the {} there are",
            options.count
        );
        return Err(Error::Usage(text));
    }
    if misfits > 0 && options.protocol == Protocol::Hls {
        // A player of HLS asks for what it wants, so a slow one harms nobody but itself.
        let text = "slow and stalled players are of RTMP and HTTP-FLV";
        return Err(Error::Usage(text.to_owned()));
    }
    if !(options.slow > 0.0 && options.slow <= 1.0) {
        let text = "slow players read a share above 0 and at most 1";
        return Err(Error::Usage(text.to_owned()));
    }
    if options.http2 && !options.url.starts_with("https://") {
        return bad("HTTP/2 needs an https:// address");
    }
    Ok(())
}

/// One player, from its start to its end.
async fn session(run: &Run, n: usize) -> Option<Figures> {
    let options = &run.options;
    let url = numbered(&options.url, n);
    let manner = options.manner(n);
    let mut figures = Figures::new(n, manner, run.is_probe(n), options.buffer);
    let end = Instant::now() + options.duration;
    if manner != Manner::Good {
        figures.pace = (manner == Manner::Slow).then(|| Pace::new(options.slow));
        let outcome = misfit::play(run, &url, manner, end, &mut figures).await;
        figures.ended = Some(Instant::now());
        figures.reason = outcome.err().map(|e| reason(&e));
        return Some(figures);
    }
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
    figures.ended = Some(Instant::now());
    figures.reason = match outcome {
        None if figures.has_started() || run.cancel.is_cancelled() => None,
        None => Some("no media within the time".to_owned()),
        Some(Ok(())) => Some("the stream ended".to_owned()),
        Some(Err(e)) => Some(reason(&e)),
    };
    Some(figures)
}

fn report(options: &PlayOptions, everybody: &[Figures], time: Duration) -> PlayReport {
    let of = |manner| everybody.iter().filter(move |f| f.manner == manner);
    let all: Vec<&Figures> = of(Manner::Good).collect();
    let mut sessions = Sessions {
        asked: options.count - options.slow_count - options.stalled,
        reasons: BTreeMap::new(),
        ..Sessions::default()
    };
    for f in &all {
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
    // Each session at its own rate: starts may be spread.
    let rates: Vec<f64> = all
        .iter()
        .filter(|f| f.played() > 0.0)
        .map(|f| f.bytes as f64 * 8.0 / f.played())
        .collect();
    let bitrate = rates.iter().fold(0.0, |sum, rate| sum + rate);
    let numbers = || all.iter().filter_map(|f| f.numbers.as_ref());
    let each = |of: fn(&Figures) -> Option<f64>| {
        Percentiles::of(all.iter().filter_map(|f| of(f)).collect())
    };
    let mut stalls = Series::default();
    all.iter().for_each(|f| stalls.add(&f.player.lengths));
    let mut latency = Series::default();
    numbers().for_each(|n| latency.add(&n.latency_ms));
    PlayReport {
        protocol: options.protocol,
        url: options.url.clone(),
        seconds: time.as_secs_f64(),
        sessions,
        bytes: all.iter().map(|f| f.bytes).sum(),
        bitrate_bps: bitrate,
        session_bitrate_bps: bitrate / rates.len().max(1) as f64,
        units: all.iter().map(|f| f.units).sum(),
        startup_ms: each(Figures::startup_ms),
        join_ms: each(Figures::join_ms),
        latency_ms: latency.percentiles(),
        arrival_gap_ms: each(Figures::gap_ms),
        numbered_frames: numbers().map(|n| n.seen).sum(),
        gaps: all.iter().map(|f| f.gaps()).sum(),
        duplicates: numbers().map(|n| n.duplicates).sum(),
        stalls: all.iter().map(|f| f.player.stalls).sum(),
        stalled_ms: millis(all.iter().map(|f| f.player.stalled).sum()),
        stall_ms: stalls.percentiles(),
        slow: (options.slow_count > 0).then(|| treatment(of(Manner::Slow))),
        stalled: (options.stalled > 0).then(|| treatment(of(Manner::Stalled))),
        cpu_seconds: 0.0,
        cpu_seconds_per_gbit: 0.0,
        rss_bytes: 0,
        server: None,
        details: if options.details {
            everybody.iter().map(Figures::report).collect()
        } else {
            Vec::new()
        },
    }
}

/// What the server did with these.
fn treatment<'a>(sessions: impl Iterator<Item = &'a Figures>) -> Treatment {
    let mut all = Treatment::default();
    let mut after = Series::default();
    let mut lag = Series::default();
    for f in sessions {
        all.sessions += 1;
        all.let_in += usize::from(f.let_in);
        all.bytes += f.bytes;
        match &f.fate {
            Some(Fate::Open) => all.open += 1,
            Some(Fate::Closed { how, after: time }) => {
                *all.closed.entry(how.clone()).or_default() += 1;
                after.extend(time.map(millis));
            }
            None => {}
        }
        if let Some(reason) = &f.reason {
            *all.refused.entry(reason.clone()).or_default() += 1;
        }
        if let Some(numbers) = &f.numbers {
            all.skipped_frames += numbers.gaps;
            all.skipping += usize::from(numbers.gaps > 0);
            lag.add(&numbers.latency_ms);
        }
    }
    all.closed_after_ms = after.percentiles();
    all.latency_ms = lag.percentiles();
    all
}
