//! Media playlists: one track's window as text (rfc8216bis §4.4.3 to §4.4.5).

use core_frame::{MediaTime, WallTime};
use m3u8::Writer;
use segmenter::{Segment, Snapshot, TrackWindow};

use crate::Config;
use crate::names;
use crate::query::Suffix;

/// What to render.
pub(crate) struct Options<'a> {
    pub(crate) config: &'a Config,
    pub(crate) suffix: &'a Suffix,
    /// Without low-latency tags.
    pub(crate) plain: bool,
    /// As a delta update, where one is possible.
    pub(crate) skip: bool,
}

/// The playlist of `track`, which has at least one complete segment.
pub(crate) fn render(snapshot: &Snapshot, track: &TrackWindow, options: &Options<'_>) -> String {
    let skipped = skipped(snapshot, track, options);
    // About what a segment takes, and what the parts and the rest take; a guess too small costs one growth.
    let mut text = String::with_capacity(4_096 + (track.closed.len() - skipped) * 96);
    let mut page = Page {
        snapshot,
        track,
        options,
        w: Writer::new(&mut text),
    };
    page.render(skipped);
    text
}

struct Page<'a> {
    snapshot: &'a Snapshot,
    track: &'a TrackWindow,
    options: &'a Options<'a>,
    w: Writer<'a>,
}

impl Page<'_> {
    fn render(&mut self, skipped: usize) {
        self.header(skipped);
        let part_from = self.first_with_parts();
        let mut before = None;
        for (i, segment) in self.track.closed.iter().enumerate().skip(skipped) {
            self.segment_head(segment, before);
            if i >= part_from {
                self.parts(segment);
            }
            self.w.extinf(segment.duration, "");
            let suffix = &self.options.suffix.media;
            self.w.uri_with(|out| {
                names::push_segment(out, segment.msn);
                out.push_str(suffix);
            });
            before = Some(&**segment);
        }
        if self.snapshot.ended {
            self.w.tag("EXT-X-ENDLIST");
        } else if !self.options.plain {
            if let Some(open) = self.track.open.as_deref().filter(|o| !o.parts.is_empty()) {
                self.segment_head(open, before);
                self.parts(open);
            }
            self.footer();
        }
    }

    fn header(&mut self, skipped: usize) {
        let seconds = |s: u32| MediaTime::from_secs(i64::from(s));
        let times_3 = |t: MediaTime| t + t + t;
        let td = self.snapshot.target_duration_s;
        let w = &mut self.w;
        w.tag("EXTM3U");
        w.tag_integer("EXT-X-VERSION", if skipped > 0 { 9 } else { 6 });
        if self.snapshot.independent_segments {
            w.tag("EXT-X-INDEPENDENT-SEGMENTS");
        }
        w.tag_integer("EXT-X-TARGETDURATION", u64::from(td));
        if !self.options.plain {
            w.attributes("EXT-X-SERVER-CONTROL")
                .keyword("CAN-BLOCK-RELOAD", "YES")
                .maybe_decimal(
                    "CAN-SKIP-UNTIL",
                    self.options.config.skip_until_s(td).map(seconds),
                )
                .decimal("HOLD-BACK", times_3(seconds(td)))
                .decimal("PART-HOLD-BACK", times_3(self.snapshot.part_target))
                .end();
            w.attributes("EXT-X-PART-INF")
                .decimal("PART-TARGET", self.snapshot.part_target)
                .end();
        }
        w.tag_integer("EXT-X-MEDIA-SEQUENCE", self.track.first_msn());
        w.tag_integer(
            "EXT-X-DISCONTINUITY-SEQUENCE",
            self.track.discontinuity_sequence(),
        );
        if skipped > 0 {
            w.attributes("EXT-X-SKIP")
                .integer("SKIPPED-SEGMENTS", skipped as u64)
                .end();
        }
    }

    /// What stands before the first part of a segment.
    fn segment_head(&mut self, segment: &Segment, before: Option<&Segment>) {
        if segment.discontinuity_before {
            self.w.tag("EXT-X-DISCONTINUITY");
        }
        if segment.discontinuity_before || before.is_none_or(|b| b.init.id != segment.init.id) {
            let suffix = &self.options.suffix.media;
            self.w
                .attributes("EXT-X-MAP")
                .quoted_with("URI", |out| {
                    names::push_init(out, &segment.init);
                    out.push_str(suffix);
                })
                .end();
        }
        self.w
            .program_date_time(to_millis(segment.program_date_time));
        if segment.gap {
            self.w.tag("EXT-X-GAP");
        }
    }

    fn parts(&mut self, segment: &Segment) {
        let suffix = &self.options.suffix.media;
        for part in &segment.parts {
            self.w
                .attributes("EXT-X-PART")
                .decimal("DURATION", part.duration)
                .quoted_with("URI", |out| {
                    names::push_part(out, segment.msn, part.index);
                    out.push_str(suffix);
                })
                .yes_if("INDEPENDENT", part.independent && !part.gap)
                .yes_if("GAP", part.gap)
                .end();
        }
    }

    /// What comes next, and how far the other renditions are.
    fn footer(&mut self) {
        let (msn, part) = self.track.next_part();
        let suffix = self.options.suffix;
        self.w
            .attributes("EXT-X-PRELOAD-HINT")
            .keyword("TYPE", "PART")
            .quoted_with("URI", |out| {
                names::push_part(out, msn, part);
                out.push_str(&suffix.media);
            })
            .end();
        for other in &self.snapshot.tracks {
            let Some(last) = other.last().filter(|_| is_other(self.track, other)) else {
                continue;
            };
            self.w
                .attributes("EXT-X-RENDITION-REPORT")
                .quoted_with("URI", |out| {
                    out.push_str("../");
                    names::push_playlist(out, other);
                    out.push_str(&suffix.playlists);
                })
                .integer("LAST-MSN", last.msn)
                .maybe_integer("LAST-PART", (last.parts.len() as u64).checked_sub(1))
                .end();
        }
    }

    /// Index of the first complete segment whose parts are listed: those that lie within three target durations of the
    /// end of the list (§6.2.2). Checkers count segments, with the one being made, so two complete ones are the most.
    fn first_with_parts(&self) -> usize {
        if self.options.plain {
            return usize::MAX;
        }
        let near = MediaTime::from_secs(3 * i64::from(self.snapshot.target_duration_s));
        let mut behind = self
            .track
            .open
            .as_ref()
            .map_or(MediaTime::ZERO, |o| o.duration);
        let mut from = self.track.closed.len();
        for segment in self.track.closed.iter().rev().take(2) {
            behind += segment.duration;
            if behind > near {
                break;
            }
            from -= 1;
        }
        from
    }
}

/// How many segments a delta update leaves out: all that the Skip Boundary, counted back from the end of the last
/// complete segment, does not reach (§6.2.5.1). 0 for a full list.
fn skipped(snapshot: &Snapshot, track: &TrackWindow, options: &Options<'_>) -> usize {
    let boundary = options
        .config
        .skip_until_s(snapshot.target_duration_s)
        .filter(|_| options.skip && !options.plain && !snapshot.ended);
    let Some(boundary) = boundary else {
        return 0;
    };
    let boundary = MediaTime::from_secs(i64::from(boundary));
    let mut kept = MediaTime::ZERO;
    let mut from = track.closed.len();
    for segment in track.closed.iter().rev() {
        if kept > boundary {
            break;
        }
        kept += segment.duration;
        from -= 1;
    }
    from
}

/// A report is due for every other rendition that is served.
fn is_other(track: &TrackWindow, other: &TrackWindow) -> bool {
    other.id != track.id && names::letter(other.info.kind()).is_some() && !other.closed.is_empty()
}

/// The nearest millisecond, which is what players keep of a date.
fn to_millis(time: WallTime) -> WallTime {
    const MS: i128 = 1_000_000;
    WallTime::from_unix_nanos((time.unix_nanos() + MS / 2).div_euclid(MS) * MS)
}
