//! The multivariant playlist: which renditions there are (rfc8216bis §4.4.6).

use core_frame::{ColorInfo, MediaKind, Role, VideoInfo};
use m3u8::{ClosedCaptions, Decimal, Media, MediaType, MultivariantPlaylist, Resolution, Variant};
use segmenter::{Bandwidth, Snapshot, TrackWindow};

use crate::names;
use crate::query::Suffix;

/// The playlist of all tracks that can be played: each video track with each group of audio tracks of one codec, or the
/// audio alone where there is no video.
pub(crate) fn render(snapshot: &Snapshot, suffix: &Suffix) -> String {
    let playable = |kind| {
        snapshot
            .tracks
            .iter()
            .map(|t| &**t)
            .filter(move |t| t.info.kind() == kind && !t.closed.is_empty())
    };
    let videos: Vec<_> = playable(MediaKind::Video).collect();
    let audios: Vec<_> = playable(MediaKind::Audio).collect();
    let mut groups: Vec<(&'static str, Vec<&TrackWindow>)> = Vec::new();
    for audio in audios {
        let id = audio.info.codec.name();
        match groups.iter_mut().find(|(g, _)| *g == id) {
            Some((_, members)) => members.push(audio),
            None => groups.push((id, vec![audio])),
        }
    }
    let wide = videos.iter().any(|v| range_of(v) != "SDR");
    // A lone audio track is the variant itself and needs no group.
    let grouped = !videos.is_empty() || groups.iter().any(|(_, m)| m.len() > 1);
    let mut list = MultivariantPlaylist {
        independent_segments: snapshot.independent_segments,
        ..MultivariantPlaylist::default()
    };
    for (id, members) in groups.iter().filter(|_| grouped) {
        for (i, track) in members.iter().enumerate() {
            list.media
                .push(rendition(id, track, members, i == 0, suffix));
        }
    }
    if videos.is_empty() {
        for (id, members) in &groups {
            let Some(first) = members.first() else {
                continue;
            };
            let mut v = variant(first, members, suffix);
            v.audio = grouped.then(|| (*id).to_owned());
            list.variants.push(v);
        }
    }
    for video in &videos {
        let alone: (&str, Vec<&TrackWindow>) = ("", Vec::new());
        let combinations = if groups.is_empty() {
            std::slice::from_ref(&alone)
        } else {
            &groups
        };
        for (id, members) in combinations {
            let mut v = variant(video, members, suffix);
            v.audio = (!members.is_empty()).then(|| (*id).to_owned());
            v.closed_captions = Some(ClosedCaptions::None);
            if let Some(info) = &video.info.video {
                v.resolution = resolution(info);
                v.frame_rate = info
                    .frame_rate
                    .and_then(|(n, d)| Decimal::from_ratio_3(n, d));
            }
            v.video_range = wide.then(|| range_of(video).to_owned());
            list.variants.push(v);
        }
    }
    list.to_string()
}

/// `main` with the audio tracks of one group, `main` perhaps among them.
fn variant(main: &TrackWindow, audio: &[&TrackWindow], suffix: &Suffix) -> Variant {
    let of = |t: &TrackWindow, rate: fn(Bandwidth) -> u64| t.bandwidth.map_or(0, rate);
    // What the sender promised counts as well as what was measured: a quiet start must not pass for the peak.
    let peak = |t: &TrackWindow| of(t, |b| b.peak_bps).max(t.info.bitrate_bps.unwrap_or(0));
    let average = |t: &TrackWindow| of(t, |b| b.average_bps);
    // One of the audio tracks is loaded at a time: with the video, or as the variant itself.
    let beside = !audio.iter().any(|a| a.id == main.id);
    let sum = |rate: &dyn Fn(&TrackWindow) -> u64| {
        let most = audio.iter().map(|a| rate(a)).max().unwrap_or(0);
        if beside { rate(main) + most } else { most }
    };
    let mut codecs: Vec<&str> = Vec::new();
    let mut complete = true;
    for track in std::iter::once(&main).chain(audio) {
        match codec_string(track) {
            Some(codec) if !codecs.contains(&codec) => codecs.push(codec),
            Some(_) => {}
            None => complete = false,
        }
    }
    let mut uri = String::new();
    names::push_playlist(&mut uri, main);
    uri.push_str(&suffix.playlists);
    let bandwidth = round_up(sum(&peak)).max(1_000);
    Variant {
        uri,
        bandwidth,
        average_bandwidth: Some(round_up(sum(&average)))
            .filter(|a| *a > 0)
            .map(|a| a.min(bandwidth)),
        // A list that leaves a format out is worse than none.
        codecs: complete.then(|| codecs.join(",")),
        ..Variant::default()
    }
}

/// Whole thousands, so that a small change does not make a new playlist.
const fn round_up(bps: u64) -> u64 {
    bps.div_ceil(1_000) * 1_000
}

fn codec_string(track: &TrackWindow) -> Option<&str> {
    Some(track.init.codecs.as_str())
        .filter(|c| !c.is_empty())
        .or(track.info.codec_string.as_deref())
}

fn rendition(
    group: &str,
    track: &TrackWindow,
    members: &[&TrackWindow],
    first: bool,
    suffix: &Suffix,
) -> Media {
    let info = &track.info;
    // Undetermined is a language too, and every rendition names one.
    let language = info.language.as_deref().unwrap_or("und");
    let same = |m: &&&TrackWindow| m.info.language == info.language;
    let name = match &info.language {
        Some(language) if members.iter().filter(same).count() == 1 => language.clone(),
        Some(language) => format!("{language} {}", track.id),
        None => format!("Audio {}", track.id),
    };
    let mut media = Media::new(MediaType::Audio, group, name);
    media.language = Some(language.to_owned());
    media.default = first;
    media.autoselect = first || info.role != Role::Commentary;
    if info.role == Role::Description {
        media.characteristics = Some("public.accessibility.describes-video".into());
    }
    media.channels = info
        .audio
        .filter(|a| a.channels > 0)
        .map(|a| a.channels.to_string());
    let mut uri = String::new();
    names::push_playlist(&mut uri, track);
    uri.push_str(&suffix.playlists);
    media.uri = Some(uri);
    media
}

/// The size at which to show the picture: coded size, stretched by the sample aspect.
fn resolution(info: &VideoInfo) -> Option<Resolution> {
    let (mut width, height) = (u64::from(info.width), u64::from(info.height));
    if width == 0 || height == 0 {
        return None;
    }
    if let Some((num, den)) = info.sample_aspect.filter(|(n, d)| *n > 0 && *d > 0) {
        let (num, den) = (u64::from(num), u64::from(den));
        width = (width * num + den / 2) / den;
    }
    Some(Resolution { width, height })
}

/// VIDEO-RANGE by the transfer characteristics.
fn range_of(track: &TrackWindow) -> &'static str {
    match track.info.video.and_then(|v| v.color) {
        Some(ColorInfo { transfer: 16, .. }) => "PQ",
        Some(ColorInfo { transfer: 18, .. }) => "HLG",
        _ => "SDR",
    }
}
