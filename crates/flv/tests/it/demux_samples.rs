//! What real senders wrote: tracks, times and marks as ffprobe sees them.

use core_frame::{FrameFlags, MediaKind};
use expect_test::{Expect, expect};

use crate::sample::{self, Media};

fn check(name: &str, want: Expect) {
    let media = sample::demux(sample::named(name));
    assert_eq!(media.errors, []);
    let mut text = String::new();
    for track in &media.announced {
        let frames: Vec<_> = media
            .frames
            .iter()
            .filter(|f| f.track == track.id)
            .collect();
        let video = track.video.map(|v| (v.width, v.height, v.frame_rate));
        let audio = track.audio.map(|a| (a.sample_rate, a.channels));
        text += &format!(
            "{} {} {:?} config {} {video:?} {audio:?}\n",
            track.id,
            track.codec,
            track.codec_string.as_deref().unwrap_or("-"),
            track.config.len(),
        );
        let keys = frames.iter().filter(|f| f.is_keyframe()).count();
        let disposable = frames
            .iter()
            .filter(|f| f.flags.contains(FrameFlags::DISPOSABLE))
            .count();
        let bytes: usize = frames.iter().map(|f| f.payload.len()).sum();
        text += &format!(
            "  {} frames, {bytes} bytes, {keys} key, {disposable} disposable, dts {} to {}, pts {} first\n",
            frames.len(),
            frames[0].dts,
            frames[frames.len() - 1].dts,
            frames[0].pts,
        );
    }
    text += &format!("ended {} dropped {}\n", media.ended, media.dropped);
    want.assert_eq(&text);
}

#[test]
fn ffmpeg5_h264_aac() {
    check(
        "ffmpeg5_h264_aac",
        expect![[r#"
        1 h264 "avc1.64000a" config 45 Some((64, 48, Some((10, 1)))) None
          15 frames, 2910 bytes, 2 key, 4 disposable, dts 0s to 1.4s, pts 0.2s first
        2 aac "mp4a.40.2" config 5 None Some((44100, 1))
          66 frames, 6199 bytes, 66 key, 0 disposable, dts 0.177s to 1.686s, pts 0.177s first
        ended 1 dropped 0
    "#]],
    );
}

#[test]
fn ffmpeg5_h264_mp3() {
    check(
        "ffmpeg5_h264_mp3",
        expect![[r#"
            1 h264 "avc1.64000a" config 44 Some((64, 48, Some((10, 1)))) None
              15 frames, 3338 bytes, 2 key, 0 disposable, dts 0.025s to 1.425s, pts 0.025s first
            2 mp3 "mp4a.6B" config 0 None Some((44100, 1))
              59 frames, 6165 bytes, 59 key, 0 disposable, dts 0s to 1.515s, pts 0s first
            ended 1 dropped 0
        "#]],
    );
}

#[test]
fn ffmpeg5_h264_alaw() {
    check(
        "ffmpeg5_h264_alaw",
        expect![[r#"
            1 h264 "avc1.64000a" config 45 Some((64, 48, Some((10, 1)))) None
              10 frames, 1864 bytes, 1 key, 4 disposable, dts 0s to 0.9s, pts 0.2s first
            2 pcma "alaw" config 0 None Some((8000, 1))
              8 frames, 8000 bytes, 8 key, 0 disposable, dts 0.2s to 1.096s, pts 0.2s first
            ended 1 dropped 0
        "#]],
    );
}

#[test]
fn ffmpeg9_hevc_aac() {
    check(
        "ffmpeg9_hevc_aac",
        expect![[r#"
        1 h265 "hvc1.1.6.L30.90" config 2439 Some((64, 48, Some((10, 1)))) None
          15 frames, 1693 bytes, 2 key, 6 disposable, dts 0s to 1.4s, pts 0.2s first
        2 aac "mp4a.40.2" config 5 None Some((48000, 1))
          72 frames, 6121 bytes, 72 key, 0 disposable, dts 0.179s to 1.693s, pts 0.179s first
        ended 0 dropped 0
    "#]],
    );
}

#[test]
fn ffmpeg9_av1_opus() {
    check(
        "ffmpeg9_av1_opus",
        expect![[r#"
        2 opus "opus" config 11 None Some((48000, 1))
          76 frames, 7572 bytes, 76 key, 0 disposable, dts 0s to 1.501s, pts 0s first
        1 av1 "av01.0.00M.08" config 16 Some((64, 48, Some((10, 1)))) None
          15 frames, 1618 bytes, 2 key, 1 disposable, dts 0.007s to 1.407s, pts 0.007s first
        ended 0 dropped 0
    "#]],
    );
}

#[test]
fn ffmpeg9_svtav1_aac() {
    check(
        "ffmpeg9_svtav1_aac",
        expect![[r#"
        1 av1 "av01.0.00M.08" config 17 Some((64, 48, Some((10, 1)))) None
          15 frames, 2281 bytes, 2 key, 4 disposable, dts 0.021s to 1.421s, pts 0.021s first
        2 aac "mp4a.40.2" config 5 None Some((48000, 1))
          72 frames, 6121 bytes, 72 key, 0 disposable, dts 0s to 1.514s, pts 0s first
        ended 0 dropped 0
    "#]],
    );
}

#[test]
fn ffmpeg9_vp9_opus() {
    check(
        "ffmpeg9_vp9_opus",
        expect![[r#"
        1 vp9 "vp09.00.10.08" config 8 Some((64, 48, Some((10, 1)))) None
          15 frames, 2751 bytes, 2 key, 0 disposable, dts 0.007s to 1.407s, pts 0.007s first
        2 opus "opus" config 11 None Some((48000, 1))
          76 frames, 7572 bytes, 76 key, 0 disposable, dts 0s to 1.501s, pts 0s first
        ended 0 dropped 0
    "#]],
    );
}

#[test]
fn ffmpeg9_h264_ac3() {
    check(
        "ffmpeg9_h264_ac3",
        expect![[r#"
        1 h264 "avc1.64000a" config 45 Some((64, 48, Some((10, 1)))) None
          15 frames, 2775 bytes, 2 key, 6 disposable, dts 0s to 1.4s, pts 0.2s first
        2 ac3 "ac-3" config 3 None Some((48000, 1))
          47 frames, 18048 bytes, 47 key, 0 disposable, dts 0.195s to 1.667s, pts 0.195s first
        ended 1 dropped 0
    "#]],
    );
}

#[test]
fn ffmpeg9_h264_eac3() {
    check(
        "ffmpeg9_h264_eac3",
        expect![[r#"
        1 h264 "avc1.42c00a" config 36 Some((64, 48, Some((10, 1)))) None
          15 frames, 6743 bytes, 2 key, 0 disposable, dts 0.005s to 1.405s, pts 0.005s first
        2 eac3 "ec-3" config 5 None Some((48000, 2))
          47 frames, 12032 bytes, 47 key, 0 disposable, dts 0s to 1.472s, pts 0s first
        ended 1 dropped 0
    "#]],
    );
}

#[test]
fn ffmpeg9_h264_mp3() {
    check(
        "ffmpeg9_h264_mp3",
        expect![[r#"
        1 h264 "avc1.42c00a" config 36 Some((64, 48, Some((10, 1)))) None
          15 frames, 6743 bytes, 2 key, 0 disposable, dts 0.023s to 1.423s, pts 0.023s first
        2 mp3 "mp4a.6B" config 0 None Some((48000, 1))
          64 frames, 6144 bytes, 64 key, 0 disposable, dts 0s to 1.512s, pts 0s first
        ended 1 dropped 0
    "#]],
    );
}

#[test]
fn ffmpeg9_h264_flac() {
    check(
        "ffmpeg9_h264_flac",
        expect![[r#"
            1 h264 "avc1.64000a" config 45 Some((64, 48, Some((10, 1)))) None
              15 frames, 2775 bytes, 2 key, 6 disposable, dts 0s to 1.4s, pts 0.2s first
            2 flac "flac" config 38 None Some((48000, 1))
              71 frames, 25462 bytes, 71 key, 0 disposable, dts 0.2s to 1.693s, pts 0.2s first
            2 flac "flac" config 38 None Some((48000, 1))
              71 frames, 25462 bytes, 71 key, 0 disposable, dts 0.2s to 1.693s, pts 0.2s first
            ended 1 dropped 0
        "#]],
    );
}

#[test]
fn ffmpeg9_multitrack() {
    check(
        "ffmpeg9_multitrack",
        expect![[r#"
            1 h264 "avc1.64000a" config 45 Some((64, 48, Some((10, 1)))) None
              15 frames, 2775 bytes, 2 key, 6 disposable, dts 0s to 1.4s, pts 0.2s first
            12 h265 "hvc1.1.6.L30.90" config 2439 Some((64, 48, Some((10, 1)))) None
              15 frames, 1693 bytes, 2 key, 6 disposable, dts 0s to 1.4s, pts 0.2s first
            2 aac "mp4a.40.2" config 5 None Some((48000, 1))
              72 frames, 6121 bytes, 72 key, 0 disposable, dts 0.179s to 1.693s, pts 0.179s first
            13 opus "opus" config 11 None Some((48000, 1))
              76 frames, 7572 bytes, 76 key, 0 disposable, dts 0.193s to 1.694s, pts 0.193s first
            ended 1 dropped 0
        "#]],
    );
}

#[test]
fn b_frames_keep_their_order() {
    let media = sample::demux(sample::named("ffmpeg5_h264_aac"));
    let video = Media::of(MediaKind::Video, &media.frames);
    assert!(video.windows(2).all(|w| w[0].dts < w[1].dts));
    assert!(video.iter().all(|f| f.pts >= f.dts));
    let mut pts: Vec<_> = video.iter().map(|f| f.pts).collect();
    assert!(
        pts.windows(2).any(|w| w[0] > w[1]),
        "the sample has B-frames"
    );
    pts.sort();
    assert!(
        pts.windows(2)
            .all(|w| w[1] - w[0] == core_frame::MediaTime::from_millis(100))
    );
}

#[test]
fn payloads_are_slices_of_the_bodies() {
    for (name, bytes) in sample::ALL {
        let tags = sample::tags(bytes);
        let media = sample::demux_tags(tags.clone());
        for frame in &media.frames {
            let lies_in = |body: &bytes::Bytes| {
                let (outer, inner) = (body.as_ptr_range(), frame.payload.as_ptr_range());
                outer.start <= inner.start && inner.end <= outer.end
            };
            assert!(tags.iter().any(|(_, _, body)| lies_in(body)), "{name}");
        }
    }
}
