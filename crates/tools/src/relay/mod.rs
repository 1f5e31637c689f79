//! The relay: brings one stream in and carries it out again, each side reconnecting by itself.
//!
//! ```text
//!  rtmp(s)://  ── Pull ──▶ ┌──────────────────────────┐ ──▶ Push ──▶ rtmp(s)://
//!  cam.flv ── FileSource ─▶│ Engine, Timeline, 1 stream│ ──▶ FileSink ──▶ cam.flv, cam.mp4, -
//!                          └──────────────────────────┘
//! ```
//!
//! The stream in the middle outlives both sides: while the source is away the target's connection stays, and its viewers
//! see a gap and no end; while the target is away the newest key frame is kept for it. Payloads are never touched, so
//! from RTMP to RTMP they stay equal to the byte.

mod mux;
mod sink;
mod source;
mod status;

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use bus::{AppSpec, Engine, IngestContext};
use chunk_processor::Timeline;
use core_frame::{FrameFilter, Secret, StreamKey};
use ingest_rtmp::client::Target;
use ingest_rtmp::net::FanOut;
use ingest_rtmp::net::client::{Connect, Link, LinkEnd, LinkState, Pull, Push, Retry};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::error::causes;
use crate::rtmp::is_rtmp;
use crate::{Error, Result, TlsOptions};
use sink::{FileSink, Progress};
use source::{Counts, FileSource, LEAVE};

pub use status::{LegStatus, RelayEnd, RelayReport, RelayStatus};

/// How long the stream outlives its source: longer than anybody waits.
const GRACE: Duration = Duration::from_secs(30 * 86_400);
/// How long the target has to take what is still on its way when the source has ended.
const DRAIN: Duration = Duration::from_secs(5);
/// Between two looks at it then.
const LOOK: Duration = Duration::from_millis(30);
/// Between two words on how it goes.
const STATUS: Duration = Duration::from_millis(500);
/// How long a file may take to be closed.
const CLOSE: Duration = Duration::from_secs(30);
/// Name of the readers that carry the stream out, as the bus lists them.
const PUSH: &str = "rtmp-push";

/// Options of [`relay`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RelayOptions {
    /// Where media comes from: `rtmp://`, `rtmps://` or an FLV file, which is played at the pace of its time stamps.
    pub source: String,
    /// Where it goes: `rtmp://`, `rtmps://`, a file that ends in `.flv` or `.mp4` (fragmented), or `-`: FLV on stdout.
    pub target: String,
    /// Credential for the source and for the target: `token` in the query.
    pub source_token: Option<Secret>,
    /// See `source_token`.
    pub target_token: Option<Secret>,
    /// For how long; `None` is until the source ends.
    pub duration: Option<Duration>,
    /// How often a side tries again after attempts in a row that failed, before it is given up. `None` is for ever, and
    /// then a source whose stream ends is waited for too.
    pub retry: Option<u32>,
    /// Play a file over and over, on one timeline.
    pub looped: bool,
    /// Write over a file that is there.
    pub overwrite: bool,
    /// How certificates are judged.
    pub tls: TlsOptions,
}

impl RelayOptions {
    /// From here to there, for ever.
    #[must_use]
    pub fn new(source: impl Into<String>, target: impl Into<String>) -> Self {
        Self {
            source: source.into(),
            target: target.into(),
            source_token: None,
            target_token: None,
            duration: None,
            retry: None,
            looped: false,
            overwrite: false,
            tls: TlsOptions::default(),
        }
    }
}

/// Forms of files that are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileFormat {
    Flv,
    Mp4,
}

/// Relays until the time is over, the source ends, a side is given up, or `cancel` fires; then closes both sides, files
/// included. `on_status` is told twice a second how it goes.
///
/// # Errors
/// [`Error::Usage`] and [`Error::Url`]; [`Error::File`] and [`Error::Write`] when a file cannot be opened. What happens
/// later is in the report.
pub async fn relay(
    options: RelayOptions,
    cancel: CancellationToken,
    mut on_status: impl FnMut(&RelayStatus),
) -> Result<RelayReport> {
    let from = Place::parse(&options.source, options.source_token.as_ref())?;
    let to = Place::parse(&options.target, options.target_token.as_ref())?;
    let begun = Instant::now();
    let running = Running::start(&options, from, to).await?;
    let mut sides = running;
    let mut meter = Meter::new(begun);
    let mut tick = tokio::time::interval(STATUS);
    let deadline = options.duration.map(|d| tokio::time::Instant::now() + d);
    let end = loop {
        tokio::select! {
            () = cancel.cancelled() => break RelayEnd::Stopped,
            () = until(deadline) => break RelayEnd::Duration,
            end = sides.source.ended() => break match end {
                LinkEnd::Failed(_) => RelayEnd::SourceFailed,
                _ => RelayEnd::SourceEnded,
            },
            end = sides.target.ended() => break match end {
                LinkEnd::Failed(_) => RelayEnd::TargetFailed,
                // The stream in the middle ended, so the source has.
                _ => RelayEnd::SourceEnded,
            },
            _ = tick.tick() => on_status(&meter.status(&sides)),
        }
    };
    let end = sides.wind_down(end).await;
    let last = meter.last(&sides);
    on_status(&last);
    Ok(RelayReport {
        from: shown(&options.source),
        to: shown(&options.target),
        end,
        last,
        files: sides.target.files(),
    })
}

async fn until(deadline: Option<tokio::time::Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// An address without what stands behind a `?`: credentials.
fn shown(address: &str) -> String {
    if is_rtmp(address) {
        address.split('?').next().unwrap_or_default().to_owned()
    } else {
        address.to_owned()
    }
}

/// What an address is.
#[derive(Debug)]
enum Place {
    Rtmp(Target),
    File(PathBuf),
    Stdout,
}

impl Place {
    fn parse(address: &str, token: Option<&Secret>) -> Result<Self> {
        if is_rtmp(address) {
            let address = match token {
                Some(token) => with_token(address, token.expose()),
                None => address.to_owned(),
            };
            return crate::rtmp::target(&address)
                .map(Self::Rtmp)
                .map_err(|_| Error::Url {
                    url: shown(&address),
                    reason: "it must look like rtmp://host[:port]/app/name",
                });
        }
        if token.is_some() {
            return Err(Error::Usage("files take no token".to_owned()));
        }
        if address == "-" {
            return Ok(Self::Stdout);
        }
        let path = address.strip_prefix("file://").unwrap_or(address);
        let path = path.strip_prefix("file:").unwrap_or(path);
        if path.contains("://") || path.is_empty() {
            return Err(Error::Url {
                url: address.to_owned(),
                reason: "rtmp, rtmps and files are relayed",
            });
        }
        Ok(Self::File(PathBuf::from(path)))
    }
}

/// The token in the query, escaped.
fn with_token(address: &str, token: &str) -> String {
    let mut out = address.to_owned();
    out.push(if address.contains('?') { '&' } else { '?' });
    out.push_str("token=");
    for byte in token.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(byte as char);
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

fn format_of(path: &std::path::Path) -> Result<FileFormat> {
    let extension = path.extension().unwrap_or_default().to_string_lossy();
    match extension.to_ascii_lowercase().as_str() {
        "flv" => Ok(FileFormat::Flv),
        "mp4" => Ok(FileFormat::Mp4),
        _ => Err(Error::Usage(format!(
            "{}: files that end in .flv or .mp4 are written",
            path.display()
        ))),
    }
}

/// Both sides, and the stream between them.
struct Running {
    engine: Arc<Engine>,
    key: StreamKey,
    source: Source,
    target: Sink,
    stop_source: CancellationToken,
    stop_target: CancellationToken,
}

enum Source {
    Pull(Link),
    File(Task, Arc<Counts>),
}

enum Sink {
    Push(Link),
    File(Task, Arc<Progress>),
}

/// A side that is a task of ours.
struct Task {
    handle: Option<JoinHandle<Result<()>>>,
    end: Option<LinkEnd>,
}

impl Task {
    fn new(handle: JoinHandle<Result<()>>) -> Self {
        Self {
            handle: Some(handle),
            end: None,
        }
    }

    /// Waits for its end. Cancel-safe.
    async fn ended(&mut self) -> LinkEnd {
        if let Some(handle) = &mut self.handle {
            let end = match handle.await {
                Ok(Ok(())) => LinkEnd::Finished,
                Ok(Err(e)) => LinkEnd::Failed(causes(&e).into()),
                Err(e) => LinkEnd::Failed(format!("a task broke down: {e}").into()),
            };
            self.handle = None;
            self.end = Some(end);
        }
        self.end.clone().unwrap_or(LinkEnd::Finished)
    }

    fn status(&self, busy: bool) -> LegStatus {
        let mut status = LegStatus {
            state: match (&self.end, busy) {
                (Some(_), _) => "ended",
                (None, true) => "up",
                (None, false) => "idle",
            },
            ..LegStatus::default()
        };
        if let Some(LinkEnd::Failed(why)) = &self.end {
            status.why = Some(why.to_string());
        }
        status
    }
}

impl Running {
    async fn start(options: &RelayOptions, from: Place, to: Place) -> Result<Self> {
        let key = StreamKey::new("relay", "stream");
        let (stop_source, stop_target) = (CancellationToken::new(), CancellationToken::new());
        let connect = connect(options, [&from, &to])?;
        let mut retry = Retry::default();
        retry.limit = options.retry.map(|n| n.saturating_add(1));
        if options.looped && !matches!(from, Place::File(_)) {
            return Err(Error::Usage(
                "only a file can be played in a loop".to_owned(),
            ));
        }
        // A file's end is the stream's. A server's is bridged: who plays the target sees a gap.
        let spec = match &from {
            Place::File(path) => {
                FileSource::check(path)?;
                AppSpec::new("relay").end_on_unpublish(true)
            }
            _ => AppSpec::new("relay").grace(GRACE),
        };
        let engine = Engine::builder()
            .application(spec)
            .filter(Arc::new(|_: &StreamKey| -> Box<dyn FrameFilter> {
                Box::new(Timeline::default())
            }))
            .build();
        let target = match to {
            Place::Rtmp(target) => {
                let mut push = Push::new(key.clone(), target);
                push.connect = connect.clone();
                push.retry = retry.clone();
                push.fan_out = FanOut::LatencyFirst;
                push.end_with_stream = true;
                Sink::Push(push.spawn(Arc::clone(&engine), stop_target.clone()))
            }
            file => {
                let (path, format) = match &file {
                    Place::File(path) => (Some(path.as_path()), format_of(path)?),
                    _ => (None, FileFormat::Flv),
                };
                let progress = Arc::<Progress>::default();
                let shared = Arc::clone(&progress);
                let sink = FileSink::open(path, format, options.overwrite, shared).await?;
                let run = sink.run(Arc::clone(&engine), key.clone(), stop_target.clone());
                Sink::File(Task::new(tokio::spawn(run)), progress)
            }
        };
        let ctx = IngestContext::new(Arc::clone(&engine) as _);
        let source = match from {
            Place::Rtmp(target) => {
                let mut pull = Pull::new(target, key.clone());
                pull.connect = connect;
                pull.end_with_stream = retry.limit.is_some();
                pull.retry = retry;
                Source::Pull(pull.spawn(ctx, stop_source.clone()))
            }
            Place::File(path) => {
                let counts = Arc::<Counts>::default();
                let file = FileSource::new(&path, options.looped, Arc::clone(&counts));
                let run = file.run(ctx, key.clone(), stop_source.clone());
                Source::File(Task::new(tokio::spawn(run)), counts)
            }
            Place::Stdout => {
                return Err(Error::Usage("stdin cannot be relayed".to_owned()));
            }
        };
        Ok(Self {
            engine,
            key,
            source,
            target,
            stop_source,
            stop_target,
        })
    }

    /// Ends the source, lets the target take what is on its way, and ends it too.
    async fn wind_down(&mut self, end: RelayEnd) -> RelayEnd {
        self.stop_source.cancel();
        // A source that does not end is left alone: the process is about to.
        let _ = tokio::time::timeout(LEAVE, self.source.ended()).await;
        if end != RelayEnd::TargetFailed && matches!(self.target, Sink::Push(_)) {
            let _ = tokio::time::timeout(DRAIN, self.drained()).await;
        }
        self.stop_target.cancel();
        match tokio::time::timeout(CLOSE, self.target.ended()).await {
            // A file that could not be completed.
            Ok(LinkEnd::Failed(_)) => RelayEnd::TargetFailed,
            _ => end,
        }
    }

    /// Waits until the target has everything, or can have no more.
    async fn drained(&mut self) {
        let mut quiet = 0;
        while quiet < 3 {
            tokio::select! {
                _ = self.target.ended() => return,
                () = tokio::time::sleep(LOOK) => {}
            }
            let is_up = match &self.target {
                Sink::Push(link) => matches!(link.state(), LinkState::Up { .. }),
                Sink::File(..) => true,
            };
            if !is_up {
                return;
            }
            let behind = self.lag().is_some_and(|(bytes, _)| bytes > 0);
            quiet = if behind { 0 } else { quiet + 1 };
        }
    }

    /// How far the target is behind, in bytes and milliseconds; `None` when it is not reading.
    fn lag(&self) -> Option<(u64, i64)> {
        match &self.target {
            Sink::File(_, progress) => Some((0, progress.lag_ms.load(Ordering::Relaxed))),
            Sink::Push(_) => {
                let handle = self.engine.get_stream(&self.key).ok()?;
                let readers = handle.readers();
                let reader = readers.iter().find(|r| r.protocol == PUSH)?;
                Some((reader.lag.bytes, reader.lag.time.as_millis()))
            }
        }
    }
}

/// One set of options for both sides.
fn connect(options: &RelayOptions, places: [&Place; 2]) -> Result<Connect> {
    let mut connect = Connect::default();
    let secure = |place: &&Place| matches!(place, Place::Rtmp(target) if target.tls);
    if places.iter().any(secure) {
        connect.tls = Some(options.tls.client()?);
    }
    Ok(connect)
}

impl Source {
    async fn ended(&mut self) -> LinkEnd {
        match self {
            Self::Pull(link) => link.ended().await,
            Self::File(task, _) => task.ended().await,
        }
    }

    fn status(&self) -> LegStatus {
        match self {
            Self::Pull(link) => LegStatus::of(link),
            Self::File(task, counts) => LegStatus {
                bytes: counts.bytes.load(Ordering::Relaxed),
                frames: counts.frames.load(Ordering::Relaxed),
                ..task.status(true)
            },
        }
    }
}

impl Sink {
    async fn ended(&mut self) -> LinkEnd {
        match self {
            Self::Push(link) => link.ended().await,
            Self::File(task, _) => task.ended().await,
        }
    }

    fn status(&self) -> LegStatus {
        match self {
            Self::Push(link) => LegStatus::of(link),
            Self::File(task, progress) => LegStatus {
                bytes: progress.bytes.load(Ordering::Relaxed),
                frames: progress.frames.load(Ordering::Relaxed),
                skipped: progress.skipped.load(Ordering::Relaxed),
                ..task.status(progress.begun.load(Ordering::Relaxed))
            },
        }
    }

    fn files(&self) -> Vec<PathBuf> {
        match self {
            Self::Push(_) => Vec::new(),
            Self::File(_, progress) => {
                let files = progress
                    .files
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                files
                    .iter()
                    .filter(|p| p.as_os_str() != "-")
                    .cloned()
                    .collect()
            }
        }
    }
}

/// Bit rates from byte counts.
struct Meter {
    begun: Instant,
    at: Instant,
    bytes: u64,
    bitrate: f64,
}

impl Meter {
    fn new(begun: Instant) -> Self {
        Self {
            begun,
            at: begun,
            bytes: 0,
            bitrate: 0.0,
        }
    }

    fn status(&mut self, sides: &Running) -> RelayStatus {
        let target = sides.target.status();
        let now = Instant::now();
        let span = now.duration_since(self.at).as_secs_f64();
        if span > 0.1 {
            let latest = target.bytes.saturating_sub(self.bytes) as f64 * 8.0 / span;
            // Key frames come in lumps: three parts of what was, one of what is.
            self.bitrate = match self.bytes {
                0 => latest,
                _ => self.bitrate * 0.75 + latest * 0.25,
            };
            (self.at, self.bytes) = (now, target.bytes);
        }
        RelayStatus {
            seconds: self.begun.elapsed().as_secs_f64(),
            source: sides.source.status(),
            target,
            bitrate_bps: self.bitrate,
            lag_ms: sides.lag().map_or(0, |(_, ms)| ms.max(0)),
        }
    }

    /// At the end: the bit rate is that of the whole run.
    fn last(&mut self, sides: &Running) -> RelayStatus {
        let mut status = self.status(sides);
        status.bitrate_bps = status.target.bytes as f64 * 8.0 / status.seconds.max(0.001);
        status
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_apart() {
        let parse = |text| Place::parse(text, None);
        assert!(matches!(parse("rtmps://h/live/cam"), Ok(Place::Rtmp(t)) if t.tls));
        assert!(matches!(parse("-"), Ok(Place::Stdout)));
        assert!(
            matches!(parse("file:///a/b.flv"), Ok(Place::File(p)) if p.as_os_str() == "/a/b.flv")
        );
        for bad in ["srt://h:1", "rtmp://h/only", "", "http://h/a.flv"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        // What stands in a query is nobody's business.
        let error = parse("rtmp://h?token=secret").unwrap_err().to_string();
        assert!(!error.contains("secret"), "{error}");
    }

    #[test]
    fn tokens_are_escaped() {
        let token = |url| with_token(url, "a b&c");
        assert_eq!(token("rtmp://h/a/b"), "rtmp://h/a/b?token=a%20b%26c");
        assert_eq!(
            token("rtmp://h/a/b?x=1"),
            "rtmp://h/a/b?x=1&token=a%20b%26c"
        );
    }
}
