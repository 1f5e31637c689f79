//! Media playlists as text.

use std::sync::Arc;

use super::attributes::push_range;
use super::multivariant::{write_defines, write_key, write_start};
use crate::{DateRange, HintKind, Key, Map, MediaPlaylist, PlaylistType, Segment, Skip, Writer};

impl MediaPlaylist {
    /// Appends the text to `out`. Parsing it gives this value again.
    ///
    /// Durations are written exactly; from version 3 on with at least three decimals.
    pub fn write(&self, out: &mut String) {
        let decimals = if self.version.is_some_and(|v| v >= 3) {
            3
        } else {
            0
        };
        let mut w = Writer::new(out).decimals(decimals);
        self.write_header(&mut w);
        let mut state = State::default();
        let segments = self.segments.iter().chain(self.open.as_deref());
        for (index, segment) in segments.enumerate() {
            state.write_changes(&mut w, segment, self.skip.as_ref(), index);
            write_segment(&mut w, segment, index < self.segments.len());
        }
        if self.end_list {
            w.tag("EXT-X-ENDLIST");
        }
        for hint in &self.preload_hints {
            let kind = match hint.kind {
                HintKind::Part => "PART",
                HintKind::Map => "MAP",
            };
            w.attributes("EXT-X-PRELOAD-HINT")
                .keyword("TYPE", kind)
                .quoted("URI", &hint.uri)
                .maybe_integer("BYTERANGE-START", Some(hint.start).filter(|s| *s > 0))
                .maybe_integer("BYTERANGE-LENGTH", hint.length)
                .end();
        }
        for report in &self.rendition_reports {
            w.attributes("EXT-X-RENDITION-REPORT")
                .quoted("URI", &report.uri)
                .maybe_integer("LAST-MSN", report.last_msn)
                .maybe_integer("LAST-PART", report.last_part)
                .end();
        }
    }

    fn write_header(&self, w: &mut Writer<'_>) {
        w.tag("EXTM3U");
        if let Some(version) = self.version {
            w.tag_integer("EXT-X-VERSION", u64::from(version));
        }
        if self.independent_segments {
            w.tag("EXT-X-INDEPENDENT-SEGMENTS");
        }
        write_start(w, self.start.as_ref());
        write_defines(w, &self.defines);
        w.tag_integer("EXT-X-TARGETDURATION", self.target_duration);
        if let Some(control) = &self.server_control {
            w.attributes("EXT-X-SERVER-CONTROL")
                .yes_if("CAN-BLOCK-RELOAD", control.can_block_reload)
                .maybe_decimal("CAN-SKIP-UNTIL", control.can_skip_until)
                .yes_if("CAN-SKIP-DATERANGES", control.can_skip_date_ranges)
                .maybe_decimal("HOLD-BACK", control.hold_back)
                .maybe_decimal("PART-HOLD-BACK", control.part_hold_back)
                .end();
        }
        if let Some(target) = self.part_target {
            w.attributes("EXT-X-PART-INF")
                .decimal("PART-TARGET", target)
                .end();
        }
        w.tag_integer("EXT-X-MEDIA-SEQUENCE", self.media_sequence);
        if let Some(sequence) = self.discontinuity_sequence {
            w.tag_integer("EXT-X-DISCONTINUITY-SEQUENCE", sequence);
        }
        match self.playlist_type {
            Some(PlaylistType::Event) => w.tag_value("EXT-X-PLAYLIST-TYPE", "EVENT"),
            Some(PlaylistType::Vod) => w.tag_value("EXT-X-PLAYLIST-TYPE", "VOD"),
            None => {}
        }
        if self.i_frames_only {
            w.tag("EXT-X-I-FRAMES-ONLY");
        }
        for line in &self.unknown {
            w.line(line);
        }
        if let Some(skip) = &self.skip {
            let removed = &skip.recently_removed_date_ranges;
            let list = w
                .attributes("EXT-X-SKIP")
                .integer("SKIPPED-SEGMENTS", skip.skipped_segments);
            if removed.is_empty() {
                list.end();
            } else {
                list.quoted("RECENTLY-REMOVED-DATERANGES", &removed.join("\t"))
                    .end();
            }
        }
        for range in &self.date_ranges {
            write_date_range(w, range);
        }
    }
}

/// What is in force at some place of the text.
#[derive(Default)]
struct State {
    keys: Arc<[Key]>,
    map: Option<Arc<Map>>,
    bitrate_kbps: Option<u64>,
}

impl State {
    /// Writes the tags that change what is in force into what `segment` has.
    fn write_changes(
        &mut self,
        w: &mut Writer<'_>,
        segment: &Segment,
        skip: Option<&Skip>,
        i: usize,
    ) {
        let restate = |inherit: fn(&Skip) -> usize| skip.is_some_and(|s| inherit(s) == i);
        if self.keys != segment.keys || restate(|s| s.inherit_keys) {
            if segment.keys.is_empty() || !replaces(&self.keys, &segment.keys) {
                w.attributes("EXT-X-KEY").keyword("METHOD", "NONE").end();
            }
            for key in segment.keys.iter() {
                write_key(w, "EXT-X-KEY", key);
            }
            self.keys = Arc::clone(&segment.keys);
        }
        if let Some(map) = &segment.map
            && (self.map != segment.map || restate(|s| s.inherit_map))
        {
            w.attributes("EXT-X-MAP")
                .quoted("URI", &map.uri)
                .maybe_range("BYTERANGE", map.byte_range)
                .end();
            self.map.clone_from(&segment.map);
        }
        if let Some(kbps) = segment.bitrate_kbps
            && (self.bitrate_kbps != segment.bitrate_kbps || restate(|s| s.inherit_bitrate))
        {
            w.tag_integer("EXT-X-BITRATE", kbps);
            self.bitrate_kbps = segment.bitrate_kbps;
        }
    }
}

/// True when writing the new keys is enough: each one in force has a successor of its format in the same place.
fn replaces(old: &[Key], new: &[Key]) -> bool {
    old.len() <= new.len() && old.iter().zip(new).all(|(a, b)| a.format() == b.format())
}

fn write_segment(w: &mut Writer<'_>, segment: &Segment, finished: bool) {
    if segment.discontinuity {
        w.tag("EXT-X-DISCONTINUITY");
    }
    if let Some(time) = segment.program_date_time {
        w.program_date_time(time);
    }
    if segment.gap {
        w.tag("EXT-X-GAP");
    }
    for part in &segment.parts {
        w.attributes("EXT-X-PART")
            .decimal("DURATION", part.duration)
            .quoted("URI", &part.uri)
            .maybe_range("BYTERANGE", part.byte_range)
            .yes_if("INDEPENDENT", part.independent)
            .yes_if("GAP", part.gap)
            .end();
    }
    if finished {
        w.extinf(segment.duration, &segment.title);
        if let Some(range) = segment.byte_range {
            let mut text = String::new();
            push_range(&mut text, range);
            w.tag_value("EXT-X-BYTERANGE", &text);
        }
    }
    for line in &segment.unknown {
        w.line(line);
    }
    if finished {
        w.uri(&segment.uri);
    }
}

fn write_date_range(w: &mut Writer<'_>, range: &DateRange) {
    w.attributes("EXT-X-DATERANGE")
        .quoted("ID", &range.id)
        .maybe_quoted("CLASS", range.class.as_deref())
        .maybe_date("START-DATE", range.start_date)
        .maybe_quoted("CUE", range.cue.as_deref())
        .maybe_date("END-DATE", range.end_date)
        .maybe_decimal("DURATION", range.duration)
        .maybe_decimal("PLANNED-DURATION", range.planned_duration)
        .maybe_hex("SCTE35-CMD", range.scte35_cmd.as_deref())
        .maybe_hex("SCTE35-OUT", range.scte35_out.as_deref())
        .maybe_hex("SCTE35-IN", range.scte35_in.as_deref())
        .yes_if("END-ON-NEXT", range.end_on_next)
        .extra(&range.extra)
        .end();
}
