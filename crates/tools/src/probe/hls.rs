//! HLS streams: the playlists, and what is in the first variant.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use cmaf::read::Reader;
use core_frame::{Limits, WallTime};
use futures_util::future::join_all;
use m3u8::{MediaPlaylist, MultivariantPlaylist, ParseOptions, Playlist};
use reqwest::Url;

use super::Stop;
use super::container::read_mp4;
use super::meter::Meter;
use super::report::{HlsReport, ProbeReport, RenditionReport, VariantReport};
use crate::error::causes;
use crate::hls::{Cursor, Http, Item, Loaded, Next, choose, join, parse_url};
use crate::stats::Percentiles;
use crate::{Error, Result};

/// A playlist file: what it says. Its segments are not looked for.
pub(super) fn text(source: &str, text: &[u8]) -> Result<ProbeReport> {
    let parsed =
        m3u8::parse(text, &ParseOptions::default()).map_err(|e| Error::Media(e.to_string()))?;
    let mut report = ProbeReport::new(source, "hls");
    report.bytes = text.len() as u64;
    let mut hls = HlsReport::default();
    match &parsed.playlist {
        Playlist::Multivariant(list) => variants(list, &mut hls),
        Playlist::Media(list) => {
            media_list(list, &mut hls);
            report.seconds = list.duration().as_secs_f64();
        }
    }
    report.hls = Some(hls);
    let mut meter = Meter::default();
    warn(&mut meter, &parsed.warnings);
    Ok(meter.finish(report))
}

pub(super) async fn probe(source: &str, http: &Http, stop: &Stop) -> Result<ProbeReport> {
    let begun = Instant::now();
    let loaded = http.playlist(parse_url(source)?).await?;
    let mut report = ProbeReport::new(source, "hls");
    let mut hls = HlsReport::default();
    let mut meter = Meter::default();
    warn(&mut meter, &loaded.warnings);
    let urls = match &loaded.list {
        Playlist::Media(_) => vec![loaded.url.clone()],
        Playlist::Multivariant(list) => {
            variants(list, &mut hls);
            choose(list, &loaded.url)?
        }
    };
    // The lists of one variant are followed side by side, as a player would.
    let mut lists = Vec::new();
    for url in urls {
        let list = http.media(url.clone()).await?;
        warn(&mut meter, &list.warnings);
        lists.push((list, url));
    }
    if let Some((first, _)) = lists.first() {
        media_list(&first.list, &mut hls);
        report.is_live = !first.list.end_list;
    }
    let found = Mutex::new(Found {
        meter,
        bytes: 0,
        loaded: 0,
        delays: Vec::new(),
    });
    let followers = lists.into_iter().map(|(list, url)| {
        let follower = Follower {
            http,
            found: &found,
            reader: Some(Reader::new(&Limits::default())),
            shift: None,
            map: None,
            is_live: !list.list.end_list,
            seconds: 0.0,
            wanted: stop.after,
        };
        follower.follow(list, url)
    });
    let outcome = stop.unless(begun, join_all(followers)).await;
    let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    for result in outcome.into_iter().flatten() {
        if let Err(e) = result {
            found.meter.complain(causes(&e));
        }
    }
    report.bytes = found.bytes;
    hls.loaded = found.loaded;
    hls.latency_ms = Percentiles::of(found.delays).map(|p| p.p50);
    report.hls = Some(hls);
    Ok(found.meter.finish(report))
}

/// What the followers found together.
struct Found {
    meter: Meter,
    bytes: u64,
    loaded: u64,
    /// From the end of a piece to its being here, in milliseconds.
    delays: Vec<f64>,
}

/// Follows one media playlist.
struct Follower<'a> {
    http: &'a Http,
    found: &'a Mutex<Found>,
    /// `None` when the segments are in a form that is not read.
    reader: Option<Reader>,
    shift: Option<u16>,
    map: Option<Url>,
    is_live: bool,
    seconds: f64,
    /// Media that is enough of a stream that can be loaded faster than it plays.
    wanted: Duration,
}

impl Follower<'_> {
    async fn follow(mut self, mut loaded: Loaded<MediaPlaylist>, url: Url) -> Result<()> {
        let mut cursor = Cursor::start(&loaded.list);
        loop {
            match cursor.next(&loaded.list) {
                Next::Item(item) => {
                    let fresh = loaded.list.segment(cursor.sequence).is_none();
                    self.item(&loaded.url, &item, fresh).await?;
                    cursor.advance(&loaded.list);
                    if !self.is_live && self.seconds > self.wanted.as_secs_f64() {
                        return Ok(());
                    }
                }
                Next::Gap => {
                    self.complain("a segment is marked as missing");
                    cursor.advance(&loaded.list);
                }
                Next::Lost(n) => {
                    self.complain(&format!(
                        "{n} segments left the list before they were loaded"
                    ));
                    cursor = Cursor::start(&loaded.list);
                }
                Next::End => return Ok(()),
                Next::Wait => {
                    loaded = match cursor.reload(&loaded.list, &loaded.url) {
                        Some(blocking) => self.http.media(blocking).await?,
                        None => {
                            let target = loaded.list.target_duration.clamp(1, 60);
                            tokio::time::sleep(Duration::from_secs(target) / 2).await;
                            self.http.media(url.clone()).await?
                        }
                    };
                }
            }
        }
    }

    /// `is_fresh`: it appeared in the list just now, so that its age is the stream's delay.
    async fn item(&mut self, base: &Url, item: &Item, is_fresh: bool) -> Result<()> {
        if item.is_encrypted && self.reader.take().is_some() {
            self.complain("encrypted segments are counted, not read");
        }
        if let Some(map) = &item.map {
            let url = join(base, &map.uri)?;
            if self.map.as_ref() != Some(&url) {
                self.load(url.clone(), map.byte_range).await?;
                self.map = Some(url);
            }
        }
        self.load(join(base, &item.uri)?, item.range).await?;
        let mut found = self.found();
        found.loaded += 1;
        if let (true, Some(wall)) = (is_fresh, item.wall) {
            let end = wall.offset(item.duration).unix_nanos();
            let now = WallTime::from(SystemTime::now()).unix_nanos();
            found.delays.push((now - end) as f64 / 1_000_000.0);
        }
        drop(found);
        self.seconds += item.duration.as_secs_f64();
        Ok(())
    }

    async fn load(&mut self, url: Url, range: Option<m3u8::ByteRange>) -> Result<()> {
        let mut body = Vec::new();
        let bytes = self
            .http
            .load(url, range, |bytes| body.extend_from_slice(&bytes))
            .await?;
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.bytes += bytes;
        let Some(reader) = &mut self.reader else {
            return Ok(());
        };
        if body.first() == Some(&0x47) {
            found
                .meter
                .complain("MPEG-TS segments are counted, not read".to_owned());
            self.reader = None;
            return Ok(());
        }
        reader.push(&body);
        if let Err(e) = read_mp4(reader, &mut self.shift, &mut found.meter) {
            found.meter.complain(causes(&e));
            self.reader = None;
        }
        Ok(())
    }

    fn complain(&self, message: &str) {
        self.found().meter.complain(message.to_owned());
    }

    fn found(&self) -> MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn variants(list: &MultivariantPlaylist, hls: &mut HlsReport) {
    hls.variants = list
        .variants
        .iter()
        .map(|v| VariantReport {
            uri: v.uri.clone(),
            bandwidth: v.bandwidth,
            codecs: v.codecs.clone(),
            resolution: v.resolution.map(|r| format!("{}x{}", r.width, r.height)),
            frame_rate: v.frame_rate.as_ref().map(ToString::to_string),
        })
        .collect();
    hls.renditions = list
        .media
        .iter()
        .map(|m| RenditionReport {
            kind: format!("{:?}", m.kind).to_ascii_lowercase(),
            name: m.name.clone(),
            language: m.language.clone(),
            uri: m.uri.clone(),
        })
        .collect();
}

fn media_list(list: &MediaPlaylist, hls: &mut HlsReport) {
    hls.version = list.version;
    hls.target_duration_s = list.target_duration;
    hls.part_target_ms = list.part_target.map(|t| t.as_secs_f64() * 1_000.0);
    hls.can_block_reload = list.server_control.is_some_and(|c| c.can_block_reload);
    hls.media_sequence = list.media_sequence;
    hls.segments = list.segments.len();
    hls.window_s = list.duration().as_secs_f64();
    hls.is_ended = list.end_list;
    hls.is_encrypted = list.segments.iter().any(|s| !s.keys.is_empty());
}

fn warn(meter: &mut Meter, warnings: &[m3u8::Warning]) {
    for warning in warnings {
        meter.complain(format!("playlist: {}", warning.rule));
    }
}
