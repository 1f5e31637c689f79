//! Many publishers.

mod media;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use core_frame::{MediaKind, MediaTime, TrackTable};
use flv::{TagKind, body_head, metadata, sequence_header, timestamp_ms};
use ingest_rtmp::client::{Event, Role};
use synth::{Options, Source};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub(super) use media::Media;

use media::Loop;

use super::fate::reason;
use super::report::{PublishReport, PublisherReport, Sessions};
use super::session::millis;
use super::{PublishOptions, numbered, numbered_apart};
use crate::net::Dialer;
use crate::process::{Usage, own_cpu_seconds};
use crate::rtmp::Connection;
use crate::stats::Series;
use crate::{Error, Result};

/// How long a publisher waits before it tries again: the first time, and at most.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(8));

/// Runs the publishers and reports. Ends after the time asked for, or when `cancel` fires.
///
/// Without a file each sends numbered frames with the time of publishing in them, which [`super::play`] reads.
///
/// # Errors
/// [`Error::Usage`], [`Error::Url`] and [`Error::File`]. Sessions that fail are in the report.
pub async fn publish(options: PublishOptions, cancel: CancellationToken) -> Result<PublishReport> {
    if options.count == 0 {
        return Err(Error::Usage("at least one publisher is needed".to_owned()));
    }
    crate::rtmp::target(&address(&options, 0))?;
    let media = Media::open(&options)?;
    let dialer = Dialer::new(&options.url, options.timeout, &options.tls)?;
    let cpu_before = own_cpu_seconds();
    let begun = Instant::now();
    let run = Arc::new(Run {
        options,
        media,
        dialer,
    });
    let mut sessions = JoinSet::new();
    for n in 0..run.options.count {
        let (run, cancel) = (Arc::clone(&run), cancel.clone());
        sessions.spawn(async move {
            let offset = run
                .options
                .ramp
                .mul_f64(n as f64 / run.options.count as f64);
            let mut figures = Figures::default();
            let whole = async {
                tokio::time::sleep_until((begun + offset).into()).await;
                let end = tokio::time::Instant::now() + run.options.duration;
                tokio::select! {
                    result = publisher(&run, n, &mut figures) => result,
                    () = tokio::time::sleep_until(end) => Ok(()),
                }
            };
            let result = tokio::select! {
                result = whole => result,
                () = cancel.cancelled() => Ok(()),
            };
            figures.reason = result.err().map(|e| reason(&e));
            (n, figures)
        });
    }
    let mut all = Vec::new();
    while let Some(done) = sessions.join_next().await {
        all.push(done.map_err(|e| Error::Usage(format!("a session broke down: {e}")))?);
    }
    all.sort_by_key(|(n, _)| *n);
    let mut report = report(&run.options, &all, begun.elapsed());
    report.rss_bytes = Usage::own().rss_bytes;
    report.cpu_seconds = own_cpu_seconds() - cpu_before;
    if report.bytes > 0 {
        report.cpu_seconds_per_gbit = report.cpu_seconds * 1e9 / (report.bytes as f64 * 8.0);
    }
    Ok(report)
}

fn report(options: &PublishOptions, all: &[(usize, Figures)], time: Duration) -> PublishReport {
    let mut sessions = Sessions {
        asked: options.count,
        ..Sessions::default()
    };
    let mut setbacks = BTreeMap::new();
    let mut startup = Series::default();
    for (_, f) in all {
        startup.add(&f.startup_ms);
        match (f.startup_ms.seen(), &f.reason) {
            (1.., reason) => {
                sessions.started += 1;
                sessions.ended_early += usize::from(reason.is_some());
            }
            (0, _) => sessions.failed += 1,
        }
        if let Some(reason) = &f.reason {
            *sessions.reasons.entry(reason.clone()).or_default() += 1;
        }
        for (what, count) in &f.setbacks {
            *setbacks.entry(what.clone()).or_default() += count;
        }
    }
    let bytes: u64 = all.iter().map(|(_, f)| f.bytes).sum();
    PublishReport {
        url: options.url.clone(),
        seconds: time.as_secs_f64(),
        sessions,
        setbacks,
        refusals: all.iter().map(|(_, f)| f.refusals).sum(),
        reconnects: all.iter().map(|(_, f)| f.reconnects).sum(),
        bytes,
        bitrate_bps: bytes as f64 * 8.0 / time.as_secs_f64().max(0.001),
        frames: all.iter().map(|(_, f)| f.frames).sum(),
        startup_ms: startup.percentiles(),
        behind_ms: all.iter().map(|(_, f)| f.behind_ms).fold(0.0, f64::max),
        cpu_seconds: 0.0,
        cpu_seconds_per_gbit: 0.0,
        rss_bytes: 0,
        details: if options.details {
            all.iter().map(|(n, f)| f.report(*n)).collect()
        } else {
            Vec::new()
        },
    }
}

/// What all publishers share.
struct Run {
    options: PublishOptions,
    media: Media,
    dialer: Dialer,
}

#[derive(Debug, Default)]
pub(super) struct Figures {
    pub(super) bytes: u64,
    frames: u64,
    startup_ms: Series,
    refusals: u64,
    reconnects: u64,
    setbacks: BTreeMap<String, usize>,
    behind_ms: f64,
    reason: Option<String>,
}

impl Figures {
    fn report(&self, session: usize) -> PublisherReport {
        PublisherReport {
            session,
            bytes: self.bytes,
            frames: self.frames,
            startup_ms: self.startup_ms.percentiles().map(|p| p.min),
            refusals: self.refusals,
            reconnects: self.reconnects,
            behind_ms: self.behind_ms,
            reason: self.reason.clone(),
        }
    }
}

fn address(options: &PublishOptions, n: usize) -> String {
    if options.count == 1 {
        return numbered(&options.url, n);
    }
    numbered_apart(&options.url, n)
}

/// One publisher, over as many connections as it may try.
async fn publisher(run: &Run, n: usize, figures: &mut Figures) -> Result<()> {
    let options = &run.options;
    let url = address(options, n);
    let mut tries_left = options.retries;
    let mut back_off = BACK_OFF.0;
    let mut player = None;
    loop {
        let begun = Instant::now();
        let before = figures.startup_ms.seen();
        let result = async {
            let mut c = Connection::open(&url, Role::Publish, n as u64, &run.dialer).await?;
            c.start(options.timeout).await?;
            figures.startup_ms.push(millis(begun.elapsed()));
            figures.reconnects += u64::from(before > 0);
            let player = match &mut player {
                Some(player) => player,
                none => none.insert(Player::new(&run.media)?),
            };
            let mut sender = Sender { c, figures };
            player.play(&mut sender).await
        }
        .await;
        let Err(e) = result else { return Ok(()) };
        let published = figures.startup_ms.seen() > before;
        figures.refusals += u64::from(!published);
        *figures.setbacks.entry(reason(&e)).or_default() += 1;
        if published {
            // The server was fine for a while: the next time is a first time.
            back_off = BACK_OFF.0;
        }
        if tries_left == 0 {
            return Err(e);
        }
        tries_left -= 1;
        tokio::time::sleep(back_off).await;
        back_off = (back_off * 2).min(BACK_OFF.1);
    }
}

/// Media on the clock of one publisher, which goes on while it has no connection.
pub(super) struct Player<'a> {
    begun: Instant,
    media: Playing<'a>,
}

enum Playing<'a> {
    /// Boxed: a source is much larger than a reference.
    Numbered(Box<Source>),
    File(&'a Loop),
}

impl<'a> Player<'a> {
    /// From now on.
    pub(super) fn new(media: &'a Media) -> Result<Self> {
        Ok(Self {
            begun: Instant::now(),
            media: match media {
                Media::Numbered(wish) => Playing::Numbered(Box::new(source(wish)?)),
                Media::File(file) => Playing::File(file),
            },
        })
    }

    /// Sends what is due, until the connection fails.
    pub(super) async fn play(&mut self, sender: &mut Sender<'_>) -> Result<()> {
        match &mut self.media {
            Playing::Numbered(source) => numbered_frames(source, self.begun, sender).await,
            Playing::File(l) => file(l, Instant::now(), sender).await,
        }
    }
}

pub(super) fn source(wish: &Options) -> Result<Source> {
    Source::new(wish.clone()).map_err(|e| Error::Usage(e.to_string()))
}

async fn numbered_frames(
    source: &mut Source,
    begun: Instant,
    sender: &mut Sender<'_>,
) -> Result<()> {
    let table = TrackTable::new(source.tracks());
    let set = flv::amf0::write(&["@setDataFrame".into()]);
    let data = metadata(&table);
    sender.put(TagKind::Script, 0, &[&set, &data])?;
    for track in &table.tracks {
        if let Some(body) = sequence_header(track) {
            sender.put(kind_of(track.kind()), 0, &[&body])?;
        }
    }
    // Frames that went by without a connection are lost, and the rest of their GOP with them.
    let has_video = table.tracks.iter().any(|t| t.kind() == MediaKind::Video);
    let missed = begun.elapsed();
    let mut waits = source
        .next_time()
        .is_some_and(|t| t.to_duration() + GRACE < missed);
    while let Some(time) = source.next_time() {
        if !waits {
            sender.wait_for(begun + time.to_duration()).await?;
        }
        source.stamp(SystemTime::now().into());
        let Some(frame) = source.next() else { break };
        if waits {
            let is_start = !has_video || (frame.kind() == MediaKind::Video && frame.is_keyframe());
            if !is_start || time.to_duration() < missed {
                continue;
            }
            waits = false;
            sender.wait_for(begun + time.to_duration()).await?;
        }
        let Some(track) = table.track(frame.track) else {
            continue;
        };
        let head = body_head(&frame, track)?;
        let kind = kind_of(frame.kind());
        sender.figures.frames += 1;
        sender.put(
            kind,
            timestamp_ms(frame.dts),
            &[head.as_ref(), &frame.payload],
        )?;
    }
    Ok(())
}

/// A publisher that is less behind has missed nothing: it has only just connected.
const GRACE: Duration = Duration::from_millis(100);

async fn file(file: &Loop, begun: Instant, sender: &mut Sender<'_>) -> Result<()> {
    let mut start = MediaTime::ZERO;
    for round in 0_u64.. {
        for tag in file.tags.iter().filter(|t| t.round <= round) {
            // Metadata once; configurations in each round at their place, since they may change in the middle.
            if tag.kind == TagKind::Script && round > 0 {
                continue;
            }
            let time = start + tag.time;
            if !tag.is_config {
                sender.wait_for(begun + time.to_duration()).await?;
                sender.figures.frames += 1;
            }
            sender.put(tag.kind, timestamp_ms(time), &[&tag.body])?;
        }
        start += file.length;
    }
    Ok(())
}

const fn kind_of(kind: MediaKind) -> TagKind {
    match kind {
        MediaKind::Video => TagKind::Video,
        MediaKind::Audio => TagKind::Audio,
        _ => TagKind::Script,
    }
}

pub(super) struct Sender<'a> {
    pub(super) c: Connection,
    pub(super) figures: &'a mut Figures,
}

impl Sender<'_> {
    /// Puts a message among what is to be sent.
    fn put(&mut self, kind: TagKind, time: u32, body: &[&[u8]]) -> Result<()> {
        self.c.put(kind, time, body)
    }

    /// Sends what is waiting, then waits for the moment, listening to the server meanwhile.
    async fn wait_for(&mut self, due: Instant) -> Result<()> {
        // Frames that are due at once go out in one write.
        if due > Instant::now() {
            self.flush().await?;
        }
        loop {
            let now = Instant::now();
            if now >= due {
                let behind = millis(now - due);
                self.figures.behind_ms = self.figures.behind_ms.max(behind);
                return Ok(());
            }
            tokio::select! {
                () = tokio::time::sleep_until(due.into()) => {}
                heard = self.c.hear() => {
                    if !heard? {
                        return Err(Error::Io(std::io::ErrorKind::ConnectionAborted.into()));
                    }
                    self.flush().await?;
                }
            }
        }
    }

    pub(super) async fn flush(&mut self) -> Result<()> {
        let before = self.c.bytes_out;
        let result = loop {
            match self.c.flush().await {
                Ok(Some(event)) => note(&event),
                Ok(None) => break Ok(()),
                Err(e) => break Err(e),
            }
        };
        self.figures.bytes += self.c.bytes_out - before;
        result
    }
}

fn note(event: &Event) {
    if let Event::Status(code, text) = event {
        tracing::debug!(code, text, "status");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn publishers_have_their_own_names() {
        let at = |url: &str, count, n| {
            let mut options = PublishOptions::new(url);
            options.count = count;
            address(&options, n)
        };
        assert_eq!(at("rtmp://h/live/cam", 1, 0), "rtmp://h/live/cam");
        for place in ["{}", "{n}"] {
            let url = format!("rtmp://h/live/c{place}?token=x");
            assert_eq!(at(&url, 1, 0), "rtmp://h/live/c0?token=x");
            assert_eq!(at(&url, 9, 7), "rtmp://h/live/c7?token=x");
        }
        assert_eq!(
            at("rtmp://h/live/cam?token=x", 2, 1),
            "rtmp://h/live/cam1?token=x"
        );
        assert_eq!(at("rtmp://h/live{}/cam", 2, 1), "rtmp://h/live1/cam");
    }
}
