//! RFC 6381 strings: those of ffmpeg's DASH manifests, and known ones.

use bytes::Bytes;
use core_frame::{CodecId, TrackId};
use expect_test::expect;
use millstream_bitstream::describe;
use millstream_bitstream::h265::HevcConfig;

use crate::sample::{ffmpeg, of, samples, scratch};

#[test]
fn those_of_ffmpegs_dash_manifest() {
    let mut compared = 0;
    // ffmpeg's manifest names H.265 by its bare tag (see the golden strings below), VP8 as WebM does, and all MP3 in the
    // form of older HLS players.
    let others = [CodecId::H265, CodecId::Vp8, CodecId::Mp3];
    for sample in samples().iter().filter(|s| !others.contains(&s.codec)) {
        let folder = scratch();
        let manifest = folder.path().join("all.mpd");
        let (path, out) = (sample.path.to_str().unwrap(), manifest.to_str().unwrap());
        let (init, media) = (
            format!("{}-i.m4s", sample.name),
            format!("{}-$Number$.m4s", sample.name),
        );
        ffmpeg(&[
            "-i",
            path,
            "-c",
            "copy",
            "-strict",
            "-2",
            "-init_seg_name",
            &init,
            "-media_seg_name",
            &media,
            "-f",
            "dash",
            out,
        ]);
        let text = std::fs::read_to_string(&manifest).unwrap();
        let told = text
            .split("codecs=\"")
            .nth(1)
            .and_then(|t| t.split('"').next())
            .unwrap();
        let info = describe(TrackId::VIDEO, sample.codec, sample.config.clone()).unwrap();
        let ours = info.codec_string.unwrap();
        // ffmpeg leaves out the optional part of AV1 and VP9 strings that we write where it differs from its default.
        let start = ours.get(..told.len()).unwrap_or(&ours);
        assert_eq!(start, told, "{}", sample.name);
        if !matches!(sample.codec, CodecId::Av1 | CodecId::Vp9) {
            assert_eq!(ours, told, "{}", sample.name);
        }
        compared += 1;
    }
    assert!(compared > 30);
}

#[test]
fn the_tag_is_the_files() {
    for sample in samples().iter().filter(|s| s.codec != CodecId::Vp8) {
        let info = describe(TrackId::VIDEO, sample.codec, sample.config.clone()).unwrap();
        let ours = info.codec_string.unwrap();
        let tag = ours.split('.').next().unwrap().to_ascii_lowercase();
        assert_eq!(
            tag,
            sample.told("codec_tag_string").to_ascii_lowercase(),
            "{}",
            sample.name
        );
    }
}

#[test]
fn of_h265_samples() {
    let strings: Vec<String> = of(CodecId::H265)
        .map(|s| {
            let string = HevcConfig::parse(&s.config).unwrap().codec_string();
            format!("{} {string}\n", s.name)
        })
        .collect();
    expect![[r#"
        h265-main-crop hvc1.1.6.L60.90
        h265-main10 hvc1.2.4.L60.90
        h265-hdr hvc1.2.4.L60.90
        h265-422 hvc1.4.10.L60.9D.8
        h265-444 hvc1.4.10.L60.9E.8
        h265-gray hvc1.4.10.L60.9F.C8
        h265-temporal-layers hvc1.1.6.L60.90
        h265-no-b hvc1.1.6.L60.90
        h265-hrd-lists hvc1.1.6.H123.90
        h265-open-gop hvc1.1.6.L60.90
    "#]]
    .assert_eq(&strings.concat());
}

/// Strings printed in the standards and in Apple's and Mozilla's guides, with records that mean them.
#[test]
fn known_ones() {
    let string = |codec, config: &[u8]| {
        let info = describe(TrackId::VIDEO, codec, Bytes::copy_from_slice(config)).unwrap();
        info.codec_string.unwrap()
    };
    assert_eq!(string(CodecId::Aac, &[0x12, 0x10]), "mp4a.40.2");
    assert_eq!(string(CodecId::Aac, &[0x2B, 0x92, 0x08, 0x00]), "mp4a.40.5");
    assert_eq!(
        string(CodecId::Aac, &[0xEB, 0x8A, 0x08, 0x00]),
        "mp4a.40.29"
    );
    assert_eq!(
        string(CodecId::Vp9, &[0, 10, 0x80, 2, 2, 2, 0, 0]),
        "vp09.00.10.08"
    );
    assert_eq!(
        string(CodecId::Vp9, &[2, 10, 0xA2, 9, 16, 9, 0, 0]),
        "vp09.02.10.10.01.09.16.09.00"
    );
    assert_eq!(
        string(CodecId::Av1, &[0x81, 0x04, 0x0C, 0]),
        "av01.0.04M.08"
    );
    assert_eq!(
        string(CodecId::Av1, &[0x81, 0x0D, 0xCC, 0]),
        "av01.0.13H.10"
    );
    assert_eq!(
        string(CodecId::Opus, b"OpusHead\x01\x02\x38\x01\x80\xBB\0\0\0\0\0"),
        "opus"
    );
    assert_eq!(
        string(CodecId::Vp8, &[0, 10, 0x82, 2, 2, 2, 0, 0]),
        "vp08.00.10.08"
    );
    assert_eq!(string(CodecId::Ac3, &[0x10, 0x3D, 0xC0]), "ac-3");
    assert_eq!(string(CodecId::Eac3, &[6, 0, 0x20, 0x0F, 0]), "ec-3");
    assert_eq!(string(CodecId::Mp3, &[]), "mp4a.6B");
    assert_eq!(string(CodecId::Pcma, &[]), "alaw");
    let hevc = [
        1, 0x01, 0x60, 0, 0, 0, 0xB0, 0, 0, 0, 0, 0, 93, 0xF0, 0, 0xFC, 0xFD, 0xF8, 0xF8, 0, 0,
        0x0F, 0,
    ];
    let config = HevcConfig::parse(&Bytes::copy_from_slice(&hevc)).unwrap();
    assert_eq!(config.codec_string(), "hvc1.1.6.L93.B0");
    for codec in [
        CodecId::Mp3,
        CodecId::Ac3,
        CodecId::Eac3,
        CodecId::Flac,
        CodecId::Vp8,
    ] {
        let info = describe(TrackId::VIDEO, codec, Bytes::new()).unwrap();
        assert!(info.codec_string.is_some(), "{codec}");
    }
}
