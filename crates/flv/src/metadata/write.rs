//! `onMetaData` of what is written: the plain tracks, the map of the others, the sender's tags.

use bytes::Bytes;
use core_frame::{CodecId, TagValue, Tags, TrackInfo};

use super::claims::role_name;
use crate::amf0::{self, Value};
use crate::mux::{Coding, HEVC};
use crate::plan::Line;
use crate::{FourCc, TagKind};

type Members = Vec<(String, Value)>;

/// The script body. What we know of the tracks comes first, then the sender's tags in its order. The sender's `encoder`
/// stays, as everyone between sender and player leaves it; ours stands where there is none.
///
/// The specification's track maps begin at 1. Where track 0 has a language or a role, which no member at the top can say,
/// it has an entry too.
pub(crate) fn write(lines: &[Line], tags: &Tags, multitrack: bool) -> Bytes {
    let mut members: Members = Vec::with_capacity(16);
    put(&mut members, "duration", Value::Number(0.0));
    let plain = |kind| lines.iter().find(|l| l.kind == kind && l.wire.index == 0);
    if let Some(line) = plain(TagKind::Video) {
        video(&mut members, line);
    }
    if let Some(line) = plain(TagKind::Audio) {
        audio(&mut members, line);
    }
    if multitrack {
        for (name, kind) in [
            ("videoTrackIdInfoMap", TagKind::Video),
            ("audioTrackIdInfoMap", TagKind::Audio),
        ] {
            let of_kind = lines.iter().filter(|l| l.kind == kind);
            let map: Members = of_kind.filter_map(entry).collect();
            if !map.is_empty() {
                put(&mut members, name, Value::Object(map));
            }
        }
    }
    if tags.get("encoder").is_none() {
        put(&mut members, "encoder", "Millstream".into());
    }
    for (name, value) in tags.iter() {
        let value = match value {
            TagValue::Number(n) => Value::Number(*n),
            TagValue::Flag(flag) => Value::Boolean(*flag),
            TagValue::Text(text) => Value::String(text.clone()),
            _ => continue,
        };
        put(&mut members, name, value);
    }
    amf0::write(&["onMetaData".into(), Value::EcmaArray(members)])
}

fn video(members: &mut Members, line: &Line) {
    let track = &line.track;
    picture(members, track);
    let id = match (line.wire.coding, track.codec) {
        (Coding::Enhanced(fourcc), _) => Some(fourcc.number()),
        (Coding::Legacy, CodecId::H264) => Some(7),
        (Coding::Legacy, CodecId::H265) => Some(u32::from(HEVC)),
        (Coding::Legacy, _) => None,
    };
    if let Some(id) = id {
        put(members, "videocodecid", id.into());
    }
}

/// Size, rate and bits a second.
fn picture(members: &mut Members, track: &TrackInfo) {
    let video = track.video.unwrap_or_default();
    if video.width > 0 && video.height > 0 {
        put(members, "width", video.width.into());
        put(members, "height", video.height.into());
    }
    if let Some((num, den)) = video.frame_rate.filter(|(_, den)| *den > 0) {
        let rate = f64::from(num) / f64::from(den);
        put(members, "framerate", Value::Number(rate));
    }
    if let Some(bps) = track.bitrate_bps {
        put(members, "videodatarate", kbps(bps));
    }
}

fn audio(members: &mut Members, line: &Line) {
    let track = &line.track;
    let audio = track.audio.unwrap_or_default();
    if audio.sample_rate > 0 {
        put(members, "audiosamplerate", audio.sample_rate.into());
    }
    put(members, "audiosamplesize", Value::Number(16.0));
    if audio.channels > 0 {
        put(members, "audiochannels", u32::from(audio.channels).into());
        put(members, "stereo", (audio.channels == 2).into());
    }
    if let Some(bps) = track.bitrate_bps {
        put(members, "audiodatarate", kbps(bps));
    }
    let id = match (line.wire.coding, track.codec) {
        (Coding::Enhanced(fourcc), _) => Some(fourcc.number()),
        (Coding::Legacy, CodecId::Aac) => Some(10),
        (Coding::Legacy, CodecId::Mp3) => Some(2),
        (Coding::Legacy, CodecId::Pcma) => Some(7),
        (Coding::Legacy, CodecId::Pcmu) => Some(8),
        (Coding::Legacy, CodecId::Pcm) => Some(3),
        (Coding::Legacy, _) => None,
    };
    if let Some(id) = id {
        put(members, "audiocodecid", id.into());
    }
}

/// A track's place in its map: everything that is known, so that no receiver has to fill in.
fn entry(line: &Line) -> Option<(String, Value)> {
    let track = &line.track;
    let mut members = Members::new();
    if line.wire.index > 0 {
        let fourcc = FourCc::of(track.codec)?.number();
        if line.kind == TagKind::Video {
            picture(&mut members, track);
            put(&mut members, "videocodecid", fourcc.into());
        } else {
            let audio = track.audio.unwrap_or_default();
            if audio.sample_rate > 0 {
                put(&mut members, "samplerate", audio.sample_rate.into());
            }
            if audio.channels > 0 {
                put(&mut members, "channels", u32::from(audio.channels).into());
            }
            if let Some(bps) = track.bitrate_bps {
                put(&mut members, "audiodatarate", kbps(bps));
            }
            put(&mut members, "audiocodecid", fourcc.into());
        }
    }
    if let Some(language) = &track.language {
        put(&mut members, "language", language.as_str().into());
    }
    if track.role != core_frame::Role::Main
        && let Some(role) = role_name(track.role)
    {
        put(&mut members, "role", role.into());
    }
    (!members.is_empty()).then(|| (line.wire.index.to_string(), Value::Object(members)))
}

fn put(members: &mut Members, key: &str, value: Value) {
    members.push((key.to_owned(), value));
}

fn kbps(bps: u64) -> Value {
    Value::Number(bps as f64 / 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::super::Metadata;
    use super::*;
    use crate::Layout;
    use core_frame::{AudioInfo, Limits, Role, TrackId, TrackTable};
    use std::sync::Arc;

    fn read(body: &Bytes) -> Metadata {
        let values = amf0::read(body, &Limits::default()).unwrap();
        assert_eq!(values[0].as_str(), Some("onMetaData"));
        Metadata::parse(&values[1], body.clone())
    }

    fn table() -> TrackTable {
        let audio = |id, language: &str, role| TrackInfo {
            language: Some(language.to_owned()),
            role,
            bitrate_bps: Some(96_000),
            audio: Some(AudioInfo {
                sample_rate: 48_000,
                channels: 6,
                frame_samples: 0,
            }),
            ..TrackInfo::new(TrackId(id), CodecId::Opus)
        };
        TrackTable::new([
            TrackInfo::new(TrackId::VIDEO, CodecId::H265),
            audio(2, "en", Role::Main),
            audio(13, "de", Role::Dub),
        ])
    }

    #[test]
    fn tags_stand_behind_and_keep_the_encoder() {
        let mut table = table();
        let mut tags = Tags::default();
        tags.set("title", TagValue::Text("News".to_owned()));
        tags.set("encoder", TagValue::Text("obs".to_owned()));
        tags.set("live", TagValue::Flag(true));
        table.tags = Arc::new(tags.clone());
        let back = read(&crate::metadata(&table));
        assert_eq!(back.encoder.as_deref(), Some("obs"));
        assert_eq!(back.tags(), tags);
        let names: Vec<_> = back.members.iter().map(|(n, _)| n.as_str()).collect();
        assert_eq!(
            names[names.len() - 4..],
            ["audiocodecid", "title", "encoder", "live"]
        );
    }

    #[test]
    fn maps_describe_the_other_tracks() {
        let back = read(&Layout::all_tracks().plan(&table()).metadata());
        let [first, second] = &back.tracks[..] else {
            panic!("{:?}", back.tracks);
        };
        assert_eq!((first.id, first.codec), (TrackId::AUDIO, None));
        assert_eq!(first.language.as_deref(), Some("en"));
        assert_eq!(
            (second.id, second.codec),
            (TrackId(13), Some(CodecId::Opus))
        );
        assert_eq!(second.language.as_deref(), Some("de"));
        assert_eq!((second.role, second.channels), (Some(Role::Dub), Some(6)));
        assert_eq!(second.bitrate_bps, Some(96_000));
        // Alone they have none.
        assert_eq!(read(&crate::metadata(&table())).tracks, []);
    }

    #[test]
    fn the_codec_is_named_as_it_is_written() {
        let mut layout = Layout::default();
        let id = |layout: &Layout| {
            let back = read(&layout.plan(&table()).metadata());
            let member = back.members.into_iter().find(|(n, _)| n == "videocodecid");
            member.unwrap().1
        };
        assert_eq!(id(&layout), Value::Number(1_752_589_105.0));
        layout.codecs = crate::CodecForm::Legacy;
        assert_eq!(id(&layout), Value::Number(12.0));
    }
}
