//! Media playlists read (§4.4.3 to §4.4.5).

use std::mem;
use std::sync::Arc;

use core_frame::MediaTime;

use super::attributes::{Attributes, parse_range};
use super::common::{self, Shared};
use super::{Context, Line, Text};
use crate::{
    ByteRange, DateRange, HintKind, Key, Map, MediaPlaylist, Part, PlaylistType, PreloadHint,
    RenditionReport, Result, Segment, ServerControl, Skip, datetime, decimal,
};

pub(super) fn parse(text: &Text<'_>, context: &mut Context<'_>) -> Result<MediaPlaylist> {
    let mut reader = Reader::default();
    text.for_each(context, |context, line| match line {
        Line::Uri(uri) => reader.uri(context, uri),
        Line::Tag { name, value, line } => reader.tag(context, name, value.unwrap_or(""), line),
    })?;
    reader.finish(context)
}

#[derive(Default)]
struct Reader {
    list: MediaPlaylist,
    /// What the tags since the last URI say about the next segment.
    next: Segment,
    /// Some tag did.
    next_begun: bool,
    extinf: bool,
    target_duration: Option<u64>,
    keys: Arc<[Key]>,
    map: Option<Arc<Map>>,
    bitrate_kbps: Option<u64>,
    /// Listed segments before the first KEY, MAP and BITRATE.
    first_key: Option<usize>,
    first_map: Option<usize>,
    first_bitrate: Option<usize>,
    /// URI and end of the newest byte range of a segment and of a part.
    segment_end: Option<(String, u64)>,
    part_end: Option<(String, u64)>,
}

impl Reader {
    fn uri(&mut self, context: &mut Context<'_>, uri: &str) -> Result<()> {
        context.item()?;
        if !mem::take(&mut self.extinf) {
            context.broken("a segment needs EXTINF (§4.4.4.1)")?;
            let seconds = self.target_duration.unwrap_or(0).min(u64::from(u32::MAX));
            self.next.duration = MediaTime::from_secs(seconds as i64);
        }
        if self.list.end_list {
            context.broken("no segment follows EXT-X-ENDLIST (§4.4.3.4)")?;
        }
        let mut segment = self.take_next();
        segment.uri = context.expand(uri)?.into_owned();
        if let Some(range) = &mut segment.byte_range {
            continue_range(range, &segment.uri, &mut self.segment_end);
        } else {
            self.segment_end = None;
        }
        self.list.segments.push(segment);
        Ok(())
    }

    /// The segment the tags since the last one describe.
    fn take_next(&mut self) -> Segment {
        self.next_begun = false;
        let mut segment = mem::take(&mut self.next);
        segment.keys = Arc::clone(&self.keys);
        segment.map.clone_from(&self.map);
        segment.bitrate_kbps = self.bitrate_kbps;
        segment
    }

    fn tag(
        &mut self,
        context: &mut Context<'_>,
        name: &str,
        value: &str,
        line: &str,
    ) -> Result<()> {
        if self.segment_tag(context, name, value)? {
            self.next_begun = true;
            return Ok(());
        }
        if self.header_tag(context, name, value)? || self.list_tag(context, name, value)? {
            return Ok(());
        }
        match common::shared(context, name, value)? {
            Shared::Version(version) => self.list.version = version.or(self.list.version),
            Shared::IndependentSegments => self.list.independent_segments = true,
            Shared::Start(start) => self.list.start = start.or(self.list.start),
            Shared::Define(define) => self.list.defines.extend(define),
            Shared::Other => {
                context.item()?;
                if self.next_begun || !self.list.segments.is_empty() || is_vendor_segment_tag(name)
                {
                    self.next_begun = true;
                    self.next.unknown.push(line.to_owned());
                } else {
                    self.list.unknown.push(line.to_owned());
                }
            }
        }
        Ok(())
    }

    /// Tags about the playlist as a whole (§4.4.3).
    fn header_tag(&mut self, context: &mut Context<'_>, name: &str, value: &str) -> Result<bool> {
        let list = &mut self.list;
        match name {
            "EXT-X-TARGETDURATION" => {
                let seconds = target_duration(context, value)?;
                if self.target_duration.is_some() {
                    context.broken("EXT-X-TARGETDURATION stands once (§4.4.3.1)")?;
                }
                self.target_duration = seconds.or(self.target_duration);
            }
            "EXT-X-MEDIA-SEQUENCE" => {
                if !list.segments.is_empty() {
                    context
                        .broken("EXT-X-MEDIA-SEQUENCE comes before the first segment (§4.4.3.2)")?;
                }
                let rule = "EXT-X-MEDIA-SEQUENCE is a number (§4.4.3.2)";
                list.media_sequence = number(context, value, rule)?.unwrap_or(list.media_sequence);
            }
            "EXT-X-DISCONTINUITY-SEQUENCE" => {
                if !list.segments.is_empty() || self.next.discontinuity {
                    let rule =
                        "EXT-X-DISCONTINUITY-SEQUENCE comes before the first segment (§4.4.3.3)";
                    context.broken(rule)?;
                }
                let rule = "EXT-X-DISCONTINUITY-SEQUENCE is a number (§4.4.3.3)";
                list.discontinuity_sequence =
                    number(context, value, rule)?.or(list.discontinuity_sequence);
            }
            "EXT-X-ENDLIST" => list.end_list = true,
            "EXT-X-PLAYLIST-TYPE" => match value.trim() {
                "EVENT" => list.playlist_type = Some(PlaylistType::Event),
                "VOD" => list.playlist_type = Some(PlaylistType::Vod),
                _ => context.broken("EXT-X-PLAYLIST-TYPE is EVENT or VOD (§4.4.3.5)")?,
            },
            "EXT-X-I-FRAMES-ONLY" => list.i_frames_only = true,
            "EXT-X-PART-INF" => {
                let mut a = Attributes::parse(context, value)?;
                match a.seconds(context, "PART-TARGET", false)? {
                    Some(target) => list.part_target = Some(target),
                    None => context.broken("EXT-X-PART-INF needs PART-TARGET (§4.4.3.7)")?,
                }
            }
            "EXT-X-SERVER-CONTROL" => list.server_control = Some(server_control(context, value)?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Tags about the next segment (§4.4.4).
    fn segment_tag(&mut self, context: &mut Context<'_>, name: &str, value: &str) -> Result<bool> {
        match name {
            "EXTINF" => {
                if mem::replace(&mut self.extinf, true) {
                    context.broken("EXTINF is followed by the segment's URI (§4.4.4.1)")?;
                }
                (self.next.duration, self.next.title) = extinf(context, value)?;
            }
            "EXT-X-BYTERANGE" => {
                self.next.byte_range = parse_range(value);
                if self.next.byte_range.is_none() {
                    context.broken("a byte range is LENGTH[@OFFSET] (§4.4.4.2)")?;
                }
            }
            "EXT-X-DISCONTINUITY" => self.next.discontinuity = true,
            "EXT-X-GAP" => self.next.gap = true,
            "EXT-X-KEY" => {
                context.item()?;
                self.first_key.get_or_insert(self.list.segments.len());
                self.key(context, value)?;
            }
            "EXT-X-MAP" => {
                context.item()?;
                self.first_map.get_or_insert(self.list.segments.len());
                let mut a = Attributes::parse(context, value)?;
                let uri = a.required(context, "URI", "EXT-X-MAP needs URI (§4.4.4.5)")?;
                let mut byte_range = a.byte_range(context, "BYTERANGE")?;
                if let Some(range) = &mut byte_range {
                    range.offset.get_or_insert(0);
                }
                self.map = Some(Arc::new(Map { uri, byte_range }));
            }
            "EXT-X-BITRATE" => {
                let rule = "EXT-X-BITRATE is a number (§4.4.4.8)";
                if let Some(kbps) = number(context, value, rule)? {
                    self.first_bitrate.get_or_insert(self.list.segments.len());
                    self.bitrate_kbps = Some(kbps);
                }
            }
            "EXT-X-PROGRAM-DATE-TIME" => match datetime::parse(value.trim()) {
                Some(date) => {
                    if !date.has_zone {
                        context.broken("a date names its time zone (§4.4.4.6)")?;
                    }
                    self.next.program_date_time = Some(date.time);
                }
                None => context.broken("a date is ISO 8601 (§4.4.4.6)")?,
            },
            "EXT-X-PART" => {
                context.item()?;
                let part = self.part(context, value)?;
                self.next.parts.push(part);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// A key replaces the one of the same format and stands beside the others (§4.4.4.4).
    fn key(&mut self, context: &mut Context<'_>, value: &str) -> Result<()> {
        let Some(key) = common::key(context, value)? else {
            self.keys = Arc::default();
            return Ok(());
        };
        let mut keys = self.keys.to_vec();
        match keys.iter_mut().find(|k| k.format() == key.format()) {
            Some(old) => *old = key,
            None => keys.push(key),
        }
        if keys.len() > MAX_KEYS {
            return Err(crate::Error::Limit {
                what: "key formats of a segment",
                max: MAX_KEYS,
            });
        }
        self.keys = keys.into();
        Ok(())
    }

    /// `EXT-X-PART` (§4.4.4.9).
    fn part(&mut self, context: &mut Context<'_>, value: &str) -> Result<Part> {
        let mut a = Attributes::parse(context, value)?;
        let uri = a.required(context, "URI", "EXT-X-PART needs URI (§4.4.4.9)")?;
        let duration = a.seconds(context, "DURATION", false)?;
        if duration.is_none() {
            context.broken("EXT-X-PART needs DURATION (§4.4.4.9)")?;
        }
        let mut byte_range = a.byte_range(context, "BYTERANGE")?;
        if let Some(range) = &mut byte_range {
            continue_range(range, &uri, &mut self.part_end);
        } else {
            self.part_end = None;
        }
        Ok(Part {
            uri,
            duration: duration.unwrap_or_default(),
            independent: a.yes(context, "INDEPENDENT")?,
            byte_range,
            gap: a.yes(context, "GAP")?,
        })
    }

    /// Tags that belong to no place (§4.4.5).
    fn list_tag(&mut self, context: &mut Context<'_>, name: &str, value: &str) -> Result<bool> {
        match name {
            "EXT-X-DATERANGE" => {
                context.item()?;
                self.list.date_ranges.push(date_range(context, value)?);
            }
            "EXT-X-SKIP" => {
                let mut a = Attributes::parse(context, value)?;
                let skipped = a.integer(context, "SKIPPED-SEGMENTS")?;
                if skipped.is_none() {
                    context.broken("EXT-X-SKIP needs SKIPPED-SEGMENTS (§4.4.5.2)")?;
                }
                let removed = a.quoted(context, "RECENTLY-REMOVED-DATERANGES")?;
                let removed = removed.as_deref().unwrap_or_default();
                self.list.skip = Some(Skip {
                    skipped_segments: skipped.unwrap_or(0),
                    recently_removed_date_ranges: removed
                        .split('\t')
                        .filter(|id| !id.is_empty())
                        .map(str::to_owned)
                        .collect(),
                    ..Skip::default()
                });
            }
            "EXT-X-PRELOAD-HINT" => {
                context.item()?;
                self.list.preload_hints.extend(hint(context, value)?);
            }
            "EXT-X-RENDITION-REPORT" => {
                context.item()?;
                let mut a = Attributes::parse(context, value)?;
                let rule = "EXT-X-RENDITION-REPORT needs URI (§4.4.5.4)";
                self.list.rendition_reports.push(RenditionReport {
                    uri: a.required(context, "URI", rule)?,
                    last_msn: a.integer(context, "LAST-MSN")?,
                    last_part: a.integer(context, "LAST-PART")?,
                });
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn finish(mut self, context: &mut Context<'_>) -> Result<MediaPlaylist> {
        if self.extinf {
            context.broken("EXTINF is followed by the segment's URI (§4.4.4.1)")?;
            (self.next.duration, self.next.byte_range) = (MediaTime::ZERO, None);
            self.next.title = String::new();
        }
        if self.next_begun {
            self.list.open = Some(Box::new(self.take_next()));
        }
        let everything = self.list.segments.len().saturating_add(1);
        if let Some(skip) = &mut self.list.skip {
            skip.inherit_keys = self.first_key.unwrap_or(everything);
            skip.inherit_map = self.first_map.unwrap_or(everything);
            skip.inherit_bitrate = self.first_bitrate.unwrap_or(everything);
        }
        let rounded = |t: MediaTime| t.to_ticks(1).unsigned_abs();
        let longest = self.list.segments.iter().map(|s| rounded(s.duration)).max();
        match self.target_duration {
            Some(seconds) => {
                self.list.target_duration = seconds;
                if longest.is_some_and(|l| l > seconds) {
                    context.broken("no segment is longer than EXT-X-TARGETDURATION (§4.4.3.1)")?;
                }
            }
            None => {
                context.broken("EXT-X-TARGETDURATION is required (§4.4.3.1)")?;
                self.list.target_duration = longest.unwrap_or(0);
            }
        }
        check(context, &self.list)?;
        Ok(self.list)
    }
}

/// More DRM systems than anybody signals; each list of keys is kept apart, so this bounds memory.
const MAX_KEYS: usize = 8;

/// Rules about the list as a whole.
fn check(context: &mut Context<'_>, list: &MediaPlaylist) -> Result<()> {
    if list.version.unwrap_or(1) < list.required_version() {
        context.broken("EXT-X-VERSION is lower than the tags need (§8)")?;
    }
    let td = MediaTime::from_secs(i64::try_from(list.target_duration).unwrap_or(i64::MAX));
    let times = |t: MediaTime, n: i64| MediaTime::from_nanos(t.as_nanos().saturating_mul(n));
    let control = list.server_control.unwrap_or_default();
    if control.hold_back.is_some_and(|t| t < times(td, 3)) {
        context.broken("HOLD-BACK is at least three target durations (§4.4.3.8)")?;
    }
    if control.can_skip_until.is_some_and(|t| t < times(td, 6)) {
        context.broken("CAN-SKIP-UNTIL is at least six target durations (§4.4.3.8)")?;
    }
    let segments = || list.segments.iter().chain(list.open.as_deref());
    match list.part_target {
        None if segments().any(|s| !s.parts.is_empty()) => {
            context.broken("parts need EXT-X-PART-INF (§4.4.3.7)")?;
        }
        None => {}
        Some(target) => {
            if control.part_hold_back.is_none_or(|t| t < times(target, 2)) {
                context.broken("PART-HOLD-BACK is at least two part targets (§4.4.3.8)")?;
            }
            if segments()
                .flat_map(|s| &s.parts)
                .any(|p| p.duration > target)
            {
                context.broken("no part is longer than PART-TARGET (§4.4.4.9)")?;
            }
        }
    }
    if list.end_list && !list.preload_hints.is_empty() {
        context.broken("nothing is hinted after EXT-X-ENDLIST (§4.4.5.3)")?;
    }
    Ok(())
}

/// A range without an offset begins where the one before it on the same resource ended (§4.4.4.2).
fn continue_range(range: &mut ByteRange, uri: &str, end: &mut Option<(String, u64)>) {
    if range.offset.is_none() {
        range.offset = end.as_ref().filter(|(u, _)| u == uri).map(|(_, end)| *end);
    }
    *end = range.end().map(|end| (uri.to_owned(), end));
}

/// Tags of vendors that speak of the segment after them.
fn is_vendor_segment_tag(name: &str) -> bool {
    name.starts_with("EXT-X-CUE")
        || matches!(
            name,
            "EXT-OATCLS-SCTE35" | "EXT-X-SCTE35" | "EXT-X-ASSET" | "EXT-X-SPLICEPOINT-SCTE35"
        )
}

fn number(context: &mut Context<'_>, value: &str, rule: &'static str) -> Result<Option<u64>> {
    let value = value.trim();
    let n = value
        .bytes()
        .all(|b| b.is_ascii_digit())
        .then(|| value.parse().ok())
        .flatten();
    if n.is_none() {
        context.broken(rule)?;
    }
    Ok(n)
}

/// Whole seconds; a fraction, which old senders write, is rounded up.
fn target_duration(context: &mut Context<'_>, value: &str) -> Result<Option<u64>> {
    const RULE: &str = "EXT-X-TARGETDURATION is a whole number of seconds (§4.4.3.1)";
    if value.contains('.') {
        context.broken(RULE)?;
        let nanos = decimal::parse(value.trim()).filter(|n| *n >= 0);
        return Ok(nanos.map(|n| n.unsigned_abs().div_ceil(1_000_000_000)));
    }
    number(context, value, RULE)
}

/// `EXTINF:<duration>,[<title>]` (§4.4.4.1).
fn extinf(context: &mut Context<'_>, value: &str) -> Result<(MediaTime, String)> {
    let (duration, title) = match value.split_once(',') {
        Some((duration, title)) => (duration, title),
        None => {
            context.broken("EXTINF has a comma behind the duration (§4.4.4.1)")?;
            (value, "")
        }
    };
    let time = match decimal::parse_time(duration.trim()) {
        Some(time) if time >= MediaTime::ZERO => time,
        _ => {
            context.broken("the EXTINF duration is a decimal number (§4.4.4.1)")?;
            // Old senders write `-1` for "unknown" and attributes behind a blank.
            let first = duration.split_whitespace().next().unwrap_or("");
            decimal::parse_time(first)
                .unwrap_or_default()
                .max(MediaTime::ZERO)
        }
    };
    Ok((time, title.to_owned()))
}

/// `EXT-X-SERVER-CONTROL` (§4.4.3.8).
fn server_control(context: &mut Context<'_>, value: &str) -> Result<ServerControl> {
    let mut a = Attributes::parse(context, value)?;
    Ok(ServerControl {
        can_skip_until: a.seconds(context, "CAN-SKIP-UNTIL", false)?,
        can_skip_date_ranges: a.yes(context, "CAN-SKIP-DATERANGES")?,
        hold_back: a.seconds(context, "HOLD-BACK", false)?,
        part_hold_back: a.seconds(context, "PART-HOLD-BACK", false)?,
        can_block_reload: a.yes(context, "CAN-BLOCK-RELOAD")?,
    })
}

/// `EXT-X-PRELOAD-HINT` (§4.4.5.3). `None` for a TYPE that does not exist.
fn hint(context: &mut Context<'_>, value: &str) -> Result<Option<PreloadHint>> {
    let mut a = Attributes::parse(context, value)?;
    let kind = match a.keyword(context, "TYPE")? {
        Some("PART") => HintKind::Part,
        Some("MAP") => HintKind::Map,
        _ => {
            context.broken("TYPE of a hint is PART or MAP (§4.4.5.3)")?;
            return Ok(None);
        }
    };
    Ok(Some(PreloadHint {
        kind,
        uri: a.required(context, "URI", "EXT-X-PRELOAD-HINT needs URI (§4.4.5.3)")?,
        start: a.integer(context, "BYTERANGE-START")?.unwrap_or(0),
        length: a.integer(context, "BYTERANGE-LENGTH")?,
    }))
}

/// `EXT-X-DATERANGE` (§4.4.5.1).
fn date_range(context: &mut Context<'_>, value: &str) -> Result<DateRange> {
    let mut a = Attributes::parse(context, value)?;
    let range = DateRange {
        id: a.required(context, "ID", "EXT-X-DATERANGE needs ID (§4.4.5.1)")?,
        class: a.quoted(context, "CLASS")?,
        start_date: a.date(context, "START-DATE")?,
        cue: a.quoted(context, "CUE")?,
        end_date: a.date(context, "END-DATE")?,
        duration: a.seconds(context, "DURATION", false)?,
        planned_duration: a.seconds(context, "PLANNED-DURATION", false)?,
        scte35_cmd: a.hex(context, "SCTE35-CMD")?.map(Into::into),
        scte35_out: a.hex(context, "SCTE35-OUT")?.map(Into::into),
        scte35_in: a.hex(context, "SCTE35-IN")?.map(Into::into),
        end_on_next: a.yes(context, "END-ON-NEXT")?,
        extra: a.rest(context)?,
    };
    if range.end_on_next && range.class.is_none() {
        context.broken("END-ON-NEXT needs CLASS (§4.4.5.1)")?;
    }
    Ok(range)
}
