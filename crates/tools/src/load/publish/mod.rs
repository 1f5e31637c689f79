//! Many publishers.

mod media;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use core_frame::{MediaKind, MediaTime, TrackTable};
use flv::{TagKind, body_head, metadata, sequence_header, timestamp_ms};
use ingest_rtmp::client::{Event, Output, Role};
use synth::{Options, Source};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use media::{Loop, Media};

use super::report::{PublishReport, Sessions};
use super::session::millis;
use super::{PublishOptions, numbered};
use crate::error::causes;
use crate::rtmp::Connection;
use crate::stats::{Percentiles, own_cpu_seconds};
use crate::{Error, Result};

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
    let media = Arc::new(Media::open(&options)?);
    let cpu_before = own_cpu_seconds();
    let begun = Instant::now();
    let options = Arc::new(options);
    let mut sessions = JoinSet::new();
    for n in 0..options.count {
        let (options, media, cancel) = (Arc::clone(&options), Arc::clone(&media), cancel.clone());
        sessions.spawn(async move {
            let offset = options.ramp.mul_f64(n as f64 / options.count as f64);
            tokio::time::sleep_until((begun + offset).into()).await;
            let mut figures = Figures::default();
            let end = tokio::time::Instant::now() + options.duration;
            let result = tokio::select! {
                result = session(&options, &media, n, &mut figures) => result,
                () = tokio::time::sleep_until(end) => Ok(()),
                () = cancel.cancelled() => Ok(()),
            };
            figures.reason = result.err().map(|e| causes(&e));
            figures
        });
    }
    let mut all = Vec::new();
    while let Some(done) = sessions.join_next().await {
        all.push(done.map_err(|e| Error::Usage(format!("a session broke down: {e}")))?);
    }
    let seconds = begun.elapsed().as_secs_f64();
    let mut sessions = Sessions {
        asked: options.count,
        ..Sessions::default()
    };
    for f in &all {
        match (f.startup_ms, &f.reason) {
            (Some(_), reason) => {
                sessions.started += 1;
                sessions.ended_early += usize::from(reason.is_some());
            }
            (None, _) => sessions.failed += 1,
        }
        if let Some(reason) = &f.reason {
            *sessions.reasons.entry(reason.clone()).or_default() += 1;
        }
    }
    let bytes: u64 = all.iter().map(|f| f.bytes).sum();
    Ok(PublishReport {
        url: options.url.clone(),
        seconds,
        sessions,
        bytes,
        bitrate_bps: bytes as f64 * 8.0 / seconds.max(0.001),
        frames: all.iter().map(|f| f.frames).sum(),
        startup_ms: Percentiles::of(all.iter().filter_map(|f| f.startup_ms).collect()),
        behind_ms: all.iter().map(|f| f.behind_ms).fold(0.0, f64::max),
        cpu_seconds: own_cpu_seconds() - cpu_before,
    })
}

#[derive(Debug, Default)]
struct Figures {
    bytes: u64,
    frames: u64,
    startup_ms: Option<f64>,
    behind_ms: f64,
    reason: Option<String>,
}

fn address(options: &PublishOptions, n: usize) -> String {
    if options.url.contains("{}") {
        return numbered(&options.url, n);
    }
    if options.count == 1 {
        return options.url.clone();
    }
    match options.url.split_once('?') {
        Some((path, query)) => format!("{path}{n}?{query}"),
        None => format!("{}{n}", options.url),
    }
}

async fn session(
    options: &PublishOptions,
    media: &Media,
    n: usize,
    figures: &mut Figures,
) -> Result<()> {
    let begun = Instant::now();
    let url = address(options, n);
    let mut c = Connection::open(&url, Role::Publish, n as u64, options.timeout).await?;
    c.start(options.timeout).await?;
    figures.startup_ms = Some(millis(begun.elapsed()));
    let mut sender = Sender {
        c,
        begun: Instant::now(),
        figures,
    };
    match media {
        Media::Numbered(wish) => numbered_frames(wish, &mut sender).await,
        Media::File(l) => file(l, &mut sender).await,
    }
}

async fn numbered_frames(wish: &Options, sender: &mut Sender<'_>) -> Result<()> {
    let mut source = Source::new(wish.clone()).map_err(|e| Error::Usage(e.to_string()))?;
    let table = TrackTable::new(source.tracks());
    let set = flv::amf0::write(&["@setDataFrame".into()]);
    let data = metadata(&table);
    sender.put(TagKind::Script, 0, &[&set, &data])?;
    for track in &table.tracks {
        if let Some(body) = sequence_header(track) {
            sender.put(kind_of(track.kind()), 0, &[&body])?;
        }
    }
    while let Some(time) = source.next_time() {
        sender.wait_for(time).await?;
        source.stamp(SystemTime::now().into());
        let Some(frame) = source.next() else { break };
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

async fn file(file: &Loop, sender: &mut Sender<'_>) -> Result<()> {
    let mut start = MediaTime::ZERO;
    for round in 0_u64.. {
        for tag in file.tags.iter().filter(|t| t.round <= round) {
            // Metadata once; configurations in each round at their place, since they may change in the middle.
            if tag.kind == TagKind::Script && round > 0 {
                continue;
            }
            let time = start + tag.time;
            if !tag.is_config {
                sender.wait_for(time).await?;
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

struct Sender<'a> {
    c: Connection,
    begun: Instant,
    figures: &'a mut Figures,
}

impl Sender<'_> {
    /// Puts a message among what is to be sent.
    fn put(&mut self, kind: TagKind, time: u32, body: &[&[u8]]) -> Result<()> {
        Ok(self.c.session.send(kind, time, body)?)
    }

    /// Sends what is waiting, then waits for the moment of `time`, listening to the server meanwhile.
    async fn wait_for(&mut self, time: MediaTime) -> Result<()> {
        let due = self.begun + time.to_duration();
        let mut buf = [0; 4_096];
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
                read = self.c.stream.read(&mut buf) => {
                    let n = read?;
                    if n == 0 {
                        return Err(Error::Io(std::io::ErrorKind::ConnectionAborted.into()));
                    }
                    self.c.session.handle_input(buf.get(..n).unwrap_or_default())?;
                    self.flush().await?;
                }
            }
        }
    }

    async fn flush(&mut self) -> Result<()> {
        while let Some(output) = self.c.session.poll_output() {
            match output {
                Output::Transmit(bytes) => {
                    let write = self.c.stream.write_all(&bytes);
                    // A server that does not read holds a publisher up; ten seconds of it are the end.
                    tokio::time::timeout(Duration::from_secs(10), write)
                        .await
                        .map_err(|_| Error::Timeout {
                            what: "room to send",
                            after: Duration::from_secs(10),
                        })??;
                    self.figures.bytes += bytes.len() as u64;
                }
                Output::Event(Event::Status(code, text)) => {
                    tracing::debug!(code, text, "status");
                }
                Output::Event(_) => {}
            }
        }
        Ok(())
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
        assert_eq!(
            at("rtmp://h/live/cam?token=x", 2, 1),
            "rtmp://h/live/cam1?token=x"
        );
        assert_eq!(at("rtmp://h/live{}/cam", 2, 1), "rtmp://h/live1/cam");
    }
}
