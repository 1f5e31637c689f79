//! What a probe found, as JSON and as a table.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::{Deserialize, Serialize};

use crate::stats::{rate, size};

/// What a file or stream holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ProbeReport {
    /// What was probed.
    pub source: String,
    /// `flv`, `http-flv`, `rtmp`, `fmp4` or `hls`.
    pub format: String,
    /// Looked at for a time, rather than to its end.
    pub is_live: bool,
    /// Bytes read.
    pub bytes: u64,
    /// Seconds of media: from the first frame to the end of the last.
    pub seconds: f64,
    /// The tracks, by their ids.
    pub tracks: Vec<TrackReport>,
    /// Presentation time of the first audio less that of the first video frame, in milliseconds.
    pub av_offset_ms: Option<f64>,
    /// What the sender says of itself (`onMetaData`).
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub metadata: BTreeMap<String, String>,
    /// The playlists, of HLS.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hls: Option<HlsReport>,
    /// Frames left out because their codec configuration had not come yet.
    pub dropped_before_config: u64,
    /// Times the 32-bit clock wrapped.
    pub clock_wraps: u64,
    /// Broken structure of the container.
    pub damage: Vec<DamageCount>,
    /// Broken media and broken rules, in words.
    pub complaints: Vec<Complaint>,
}

/// One track.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TrackReport {
    /// Its id.
    pub id: u16,
    /// `video` or `audio`.
    pub kind: String,
    /// Its codec.
    pub codec: String,
    /// RFC 6381.
    pub codec_string: Option<String>,
    /// Bytes of its codec configuration.
    pub config_bytes: usize,
    /// How often the configuration changed.
    pub config_changes: u64,
    /// Width in pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// Height in pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// Frames a second, as declared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fps: Option<f64>,
    /// Frames a second, as measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub measured_fps: Option<f64>,
    /// Samples a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample_rate: Option<u32>,
    /// Channels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channels: Option<u16>,
    /// Language.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Bits a second, as measured.
    pub bitrate_bps: u64,
    /// Bits a second, as declared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub declared_bitrate_bps: Option<u64>,
    /// Access units.
    pub frames: u64,
    /// Bytes of access units.
    pub bytes: u64,
    /// Access units that can be decoded by themselves.
    pub key_frames: u64,
    /// The longest time between two key frames, of video, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_key_interval_ms: Option<f64>,
    /// Access units no other refers to.
    pub disposable_frames: u64,
    /// Pictures are shown in another order than decoded (B-frames).
    pub is_reordered: bool,
    /// First decode time in milliseconds.
    pub first_dts_ms: f64,
    /// Last decode time in milliseconds.
    pub last_dts_ms: f64,
    /// First presentation time in milliseconds.
    pub first_pts_ms: f64,
    /// Decode times that went back.
    pub dts_backwards: u64,
    /// Decode times equal to the one before.
    pub dts_repeated: u64,
    /// Steps of more than a second, or back by more than one.
    pub jump_count: u64,
    /// The first of them.
    pub jumps: Vec<Jump>,
}

/// A jump of the decode time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Jump {
    /// From, in milliseconds.
    pub from_ms: f64,
    /// To, in milliseconds.
    pub to_ms: f64,
}

/// Damage of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DamageCount {
    /// The kind.
    pub kind: String,
    /// How often.
    pub count: u64,
    /// Bytes passed over.
    pub skipped_bytes: u64,
    /// Where first, in bytes from the start.
    pub first_offset: u64,
}

/// A complaint, and how often it was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Complaint {
    /// In words.
    pub message: String,
    /// How often.
    pub count: u64,
}

/// The playlists of an HLS stream.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HlsReport {
    /// Variants of the multivariant playlist.
    pub variants: Vec<VariantReport>,
    /// Renditions of the multivariant playlist.
    pub renditions: Vec<RenditionReport>,
    /// `EXT-X-VERSION` of the media playlist.
    pub version: Option<u32>,
    /// `EXT-X-TARGETDURATION` in seconds.
    pub target_duration_s: u64,
    /// `PART-TARGET` in milliseconds: LL-HLS.
    pub part_target_ms: Option<f64>,
    /// The server holds requests for what is not there yet.
    pub can_block_reload: bool,
    /// Media sequence number of the first segment.
    pub media_sequence: u64,
    /// Segments listed.
    pub segments: usize,
    /// Seconds listed.
    pub window_s: f64,
    /// `EXT-X-ENDLIST` is there.
    pub is_ended: bool,
    /// Some segments are encrypted.
    pub is_encrypted: bool,
    /// Segments and parts that were loaded.
    pub loaded: u64,
    /// From the wall-clock time of a part or segment's end to its being loaded here, the median, in milliseconds.
    pub latency_ms: Option<f64>,
}

/// A variant.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct VariantReport {
    /// Its address as written.
    pub uri: String,
    /// `BANDWIDTH`.
    pub bandwidth: u64,
    /// `CODECS`.
    pub codecs: Option<String>,
    /// `RESOLUTION`.
    pub resolution: Option<String>,
    /// `FRAME-RATE`.
    pub frame_rate: Option<String>,
}

/// A rendition.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RenditionReport {
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its language.
    pub language: Option<String>,
    /// Its address as written.
    pub uri: Option<String>,
}

impl ProbeReport {
    pub(super) fn new(source: &str, format: &str) -> Self {
        Self {
            source: source.to_owned(),
            format: format.to_owned(),
            ..Self::default()
        }
    }

    /// The simple members; keyframe indexes and the like are left out.
    pub(super) fn set_metadata(&mut self, metadata: &flv::Metadata) {
        use flv::amf0::Value;
        for (key, value) in &metadata.members {
            let text = match value {
                Value::Number(n) => n.to_string(),
                Value::Boolean(b) => b.to_string(),
                Value::String(s) | Value::LongString(s) => s.clone(),
                _ => continue,
            };
            self.metadata.insert(key.clone(), text);
        }
    }

    /// True when nothing was found broken: no damage, no complaint, and no time that jumps or goes back.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.damage.is_empty()
            && self.complaints.is_empty()
            && self
                .tracks
                .iter()
                .all(|t| t.jump_count == 0 && t.dts_backwards == 0)
    }

    /// A table for people.
    #[must_use]
    pub fn table(&self) -> String {
        let mut t = String::new();
        let _ = writeln!(
            t,
            "{}: {}, {:.2} s of media, {}{}",
            clean(&self.source),
            self.format,
            self.seconds,
            size(self.bytes),
            if self.is_live { ", live" } else { "" }
        );
        if let Some(hls) = &self.hls {
            hls.table(&mut t);
        }
        for track in &self.tracks {
            track.table(&mut t);
        }
        if let Some(ms) = self.av_offset_ms {
            let _ = writeln!(t, "  audio begins {ms:+.1} ms from video");
        }
        for (key, value) in &self.metadata {
            let _ = writeln!(t, "  {}: {}", clean(key), clean(value));
        }
        if self.dropped_before_config > 0 {
            let n = self.dropped_before_config;
            let _ = writeln!(t, "  {n} frames came before their codec configuration");
        }
        if self.clock_wraps > 0 {
            let _ = writeln!(t, "  the 32-bit clock wrapped {} times", self.clock_wraps);
        }
        for d in &self.damage {
            let _ = writeln!(
                t,
                "  damage: {} {} times, {} bytes passed over, first at byte {}",
                d.kind, d.count, d.skipped_bytes, d.first_offset
            );
        }
        for c in &self.complaints {
            let _ = writeln!(t, "  wrong: {} ({} times)", clean(&c.message), c.count);
        }
        if self.is_clean() {
            t.push_str("  nothing wrong was found\n");
        }
        t
    }
}

impl HlsReport {
    fn table(&self, t: &mut String) {
        for v in &self.variants {
            let _ = writeln!(
                t,
                "  variant {}: {}, {}, {} fps, {}",
                clean(&v.uri),
                rate(v.bandwidth as f64),
                v.resolution.as_deref().unwrap_or("no size"),
                v.frame_rate.as_deref().unwrap_or("unknown"),
                clean(v.codecs.as_deref().unwrap_or("codecs unknown"))
            );
        }
        for r in &self.renditions {
            let _ = writeln!(
                t,
                "  rendition {} {} {}",
                r.kind,
                clean(&r.name),
                clean(r.language.as_deref().unwrap_or(""))
            );
        }
        let part = self
            .part_target_ms
            .map_or("no parts".to_owned(), |ms| format!("parts of {ms:.0} ms"));
        let _ = writeln!(
            t,
            "  {} segments from {} on, {:.1} s, target {} s, {part}{}{}{}",
            self.segments,
            self.media_sequence,
            self.window_s,
            self.target_duration_s,
            if self.can_block_reload {
                ", blocking reload"
            } else {
                ""
            },
            if self.is_ended { ", ended" } else { "" },
            if self.is_encrypted { ", encrypted" } else { "" },
        );
        if let Some(ms) = self.latency_ms {
            let _ = writeln!(
                t,
                "  {ms:.0} ms from the end of a piece to its being here (median)"
            );
        }
    }
}

impl TrackReport {
    fn table(&self, t: &mut String) {
        let _ = write!(
            t,
            "  track {} {} {} ({})",
            self.id,
            self.kind,
            self.codec,
            self.codec_string.as_deref().unwrap_or("no configuration")
        );
        if let (Some(w), Some(h)) = (self.width, self.height) {
            let _ = write!(t, " {w}x{h}");
        }
        if let Some(fps) = self.fps.or(self.measured_fps) {
            let _ = write!(t, " {fps:.2} fps");
        }
        if let (Some(hz), Some(channels)) = (self.sample_rate, self.channels) {
            let _ = write!(t, " {hz} Hz {channels} channels");
        }
        let _ = writeln!(t, " {}", rate(self.bitrate_bps as f64));
        let _ = write!(
            t,
            "    {} frames, {} key, dts {:.3} s to {:.3} s",
            self.frames,
            self.key_frames,
            self.first_dts_ms / 1_000.0,
            self.last_dts_ms / 1_000.0
        );
        if let Some(ms) = self.max_key_interval_ms {
            let _ = write!(t, ", key frames at most {:.2} s apart", ms / 1_000.0);
        }
        if self.is_reordered {
            t.push_str(", reordered");
        }
        t.push('\n');
        if self.dts_backwards + self.jump_count + self.config_changes > 0 {
            let _ = writeln!(
                t,
                "    {} jumps, {} times back, {} changes of configuration",
                self.jump_count, self.dts_backwards, self.config_changes
            );
        }
        for jump in &self.jumps {
            let _ = writeln!(
                t,
                "    jump from {:.3} s to {:.3} s",
                jump.from_ms / 1_000.0,
                jump.to_ms / 1_000.0
            );
        }
    }
}

/// A stranger's text, safe for a terminal.
fn clean(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{FFFD}' } else { c })
        .collect()
}

pub(super) fn damage(d: flv::Damage) -> DamageCount {
    DamageCount {
        kind: d.kind.name().to_owned(),
        count: 1,
        skipped_bytes: d.skipped,
        first_offset: d.offset,
    }
}
