//! Golden dumps of init segments: every box, with what it holds.

use core_frame::bytes::Bytes;
use core_frame::{AudioInfo, CodecId, ColorInfo, TrackId, TrackInfo, VideoInfo};
use expect_test::{Expect, expect};
use millstream_cmaf::read::{BoxRef, Boxes};
use millstream_cmaf::{Error, InitSegment};

/// A tree of boxes; leaves in hexadecimal.
fn dump(bytes: &[u8]) -> String {
    fn walk(boxes: Boxes<'_>, depth: usize, out: &mut String) {
        for found in boxes {
            let found = found.expect("well formed");
            let kind = String::from_utf8_lossy(&found.kind).into_owned();
            out.push_str(&format!("{:1$}{kind}", "", depth * 2));
            let skip = match &found.kind {
                b"moov" | b"trak" | b"mdia" | b"minf" | b"stbl" | b"dinf" | b"mvex" => Some(0),
                b"stsd" | b"dref" => Some(8),
                b"avc1" | b"hvc1" | b"av01" | b"vp09" | b"vp08" => Some(78),
                b"mp4a" | b"Opus" | b"fLaC" | b"ac-3" | b"ec-3" => Some(28),
                _ => None,
            };
            let shown = found
                .body
                .get(..skip.unwrap_or(found.body.len()))
                .expect("a fixed part");
            let hex: String = squeeze(&found, shown);
            out.push_str(&format!(" {hex}\n"));
            if let Some(skip) = skip {
                walk(found.children(skip), depth + 1, out);
            }
        }
    }
    let mut out = String::new();
    walk(Boxes::new(bytes, 0), 0, &mut out);
    out
}

/// Runs of zero bytes are counted.
fn squeeze(_of: &BoxRef<'_>, bytes: &[u8]) -> String {
    let mut out = String::new();
    let mut rest = bytes;
    while let Some(&b) = rest.first() {
        let zeros = rest.iter().take_while(|b| **b == 0).count();
        if zeros > 3 {
            out.push_str(&format!("(0x{zeros})"));
            rest = &rest[zeros..];
        } else {
            out.push_str(&format!("{b:02x}"));
            rest = &rest[1..];
        }
    }
    out
}

fn check(tracks: &[&TrackInfo], want: Expect) {
    want.assert_eq(&dump(&InitSegment::build(tracks).expect("builds").bytes));
}

fn video(codec: CodecId, config: &'static [u8]) -> TrackInfo {
    let mut t = TrackInfo::new(TrackId::VIDEO, codec);
    t.config = Bytes::from_static(config);
    t.video = Some(VideoInfo {
        width: 1_280,
        height: 720,
        ..VideoInfo::default()
    });
    t
}

fn audio(codec: CodecId, config: &'static [u8], rate: u32) -> TrackInfo {
    let mut t = TrackInfo::new(TrackId::AUDIO, codec);
    t.config = Bytes::from_static(config);
    t.audio = Some(AudioInfo {
        sample_rate: rate,
        channels: 2,
        frame_samples: 1_024,
    });
    t
}

#[test]
fn video_and_audio_in_one() {
    let mut v = video(CodecId::H264, &[1, 0x64, 0, 0x1F, 0xFC, 0xE0, 0]);
    let info = v.video.as_mut().unwrap();
    info.sample_aspect = Some((4, 3));
    info.color = Some(ColorInfo {
        primaries: 9,
        transfer: 16,
        matrix: 9,
        full_range: true,
    });
    v.bitrate_bps = Some(2_500_000);
    let mut a = audio(CodecId::Aac, &[0x12, 0x10], 44_100);
    a.language = Some("de".into());
    a.bitrate_bps = Some(128_000);
    check(
        &[&v, &a],
        expect![[r#"
        ftyp 69736f36(0x4)69736f366d703431
        moov 
          mvhd (0x14)03e8(0x5)01000001(0x12)01(0x15)01(0x14)40(0x30)03
          trak 
            tkhd 00000007(0x11)01(0x19)01(0x5)01(0x15)01(0x14)4000000006aa000002d00000
            mdia 
              mdhd (0x13)015f90(0x4)55c40000
              hdlr (0x8)76696465(0x12)566964656f00
              minf 
                vmhd 00000001(0x8)
                dinf 
                  dref (0x7)01
                    url  00000001
                stbl 
                  stsd (0x7)01
                    avc1 (0x7)01(0x16)050002d0004800000048(0x7)01(0x33)18ffff
                      avcC 0164001fffe000
                      pasp 0000000400000003
                      colr 6e636c7800090010000980
                      btrt (0x5)2625a0002625a0
                  stts (0x8)
                  stsc (0x8)
                  stsz (0x12)
                  stco (0x8)
          trak 
            tkhd 00000007(0x11)02(0x19)0201(0x4)01(0x15)01(0x14)40(0x11)
            mdia 
              mdhd (0x14)ac44(0x4)10b50000
              hdlr (0x8)736f756e(0x12)417564696f00
              elng (0x4)646500
              minf 
                smhd (0x8)
                dinf 
                  dref (0x7)01
                    url  00000001
                stbl 
                  stsd (0x7)01
                    mp4a (0x7)01(0x9)020010(0x4)ac440000
                      esds (0x4)031900000004114015(0x4)01f4000001f40005021210060102
                      btrt (0x5)01f4000001f400
                  stts (0x8)
                  stsc (0x8)
                  stsz (0x12)
                  stco (0x8)
          mvex 
            trex (0x7)0100000001(0x12)
            trex (0x7)0200000001(0x12)
    "#]],
    );
}

#[test]
fn one_track_is_cmaf() {
    check(
        &[&audio(CodecId::Opus, &[], 48_000)],
        expect![[r#"
            ftyp 69736f36(0x4)69736f366d703431636d6663
            moov 
              mvhd (0x14)03e8(0x5)01000001(0x12)01(0x15)01(0x14)40(0x30)03
              trak 
                tkhd 00000007(0x11)02(0x19)0201(0x4)01(0x15)01(0x14)40(0x11)
                mdia 
                  mdhd (0x14)bb80(0x4)55c40000
                  hdlr (0x8)736f756e(0x12)417564696f00
                  minf 
                    smhd (0x8)
                    dinf 
                      dref (0x7)01
                        url  00000001
                    stbl 
                      stsd (0x7)01
                        Opus (0x7)01(0x9)020010(0x4)bb800000
                          dOps 000201380000bb80000000
                      stts (0x8)
                      stsc (0x8)
                      stsz (0x12)
                      stco (0x8)
              mvex 
                trex (0x7)0200000001(0x12)
        "#]],
    );
}

/// STREAMINFO of 96 kHz, stereo, 24 bits.
const FLAC: &[u8] = &[
    0x80, 0, 0, 34, 0x10, 0, 0x10, 0, 0, 0, 0, 0, 0, 0, 0x17, 0x70, 0x03, 0x70, 0, 0, 0, 0, 1, 2,
    3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
];

#[test]
fn records_find_their_boxes() {
    let line = |t: &TrackInfo| {
        let text = dump(&InitSegment::build_file(&[t]).expect("builds").bytes);
        let at = text.find("stsd").expect("stsd");
        let end = text.find("stts").expect("stts");
        text[at..end]
            .lines()
            .skip(1)
            .map(str::trim)
            .collect::<Vec<_>>()
            .join(" | ")
    };
    let rows = [
        video(CodecId::H265, &[1; 23]),
        video(CodecId::Av1, &[0x81, 4, 0x0C, 0, 0x0A]),
        video(CodecId::Vp9, &[0, 31, 0x80, 2, 2, 2, 0, 0]),
        video(CodecId::Vp9, &[1, 0, 0, 0, 0, 31, 0x80, 2, 2, 2, 0, 0]),
        audio(
            CodecId::Opus,
            b"OpusHead\x01\x02\x38\x01\x80\xBB\0\0\0\0\0",
            48_000,
        ),
        audio(CodecId::Ac3, &[0x10, 0x3D, 0xC0], 48_000),
        audio(CodecId::Mp3, &[], 44_100),
        audio(CodecId::Mp3, &[], 22_050),
        video(CodecId::Vp8, &[0, 30, 0x82, 2, 2, 2, 0, 0]),
        audio(CodecId::Eac3, &[6, 0, 0x20, 0x0F, 0], 48_000),
        audio(CodecId::Flac, FLAC, 96_000),
        audio(CodecId::Pcma, &[], 8_000),
        audio(CodecId::Pcmu, &[], 8_000),
        audio(CodecId::Pcm, &[], 44_100),
    ];
    let all: Vec<String> = rows.iter().map(line).collect();
    expect![[r#"
        hvc1 (0x7)01(0x16)050002d0004800000048(0x7)01(0x33)18ffff | hvcC 0101010101010101010101010101010101010101010301 | 
        av01 (0x7)01(0x16)050002d0004800000048(0x7)01(0x33)18ffff | av1C 81040c000a | 
        vp09 (0x7)01(0x16)050002d0004800000048(0x7)01(0x33)18ffff | vpcC 01(0x4)1f800202020000 | 
        vp09 (0x7)01(0x16)050002d0004800000048(0x7)01(0x33)18ffff | vpcC 01(0x4)1f800202020000 | 
        Opus (0x7)01(0x9)020010(0x4)bb800000 | dOps 000201380000bb80000000 | 
        ac-3 (0x7)01(0x9)020010(0x4)bb800000 | dac3 103dc0 | 
        mp4a (0x7)01(0x9)020010(0x4)ac440000 | esds (0x4)0315000000040d6b15(0x11)060102 | 
        mp4a (0x7)01(0x9)020010(0x4)56220000 | esds (0x4)0315000000040d6915(0x11)060102 | 
        vp08 (0x7)01(0x16)050002d0004800000048(0x7)01(0x33)18ffff | vpcC 01(0x4)1e820202020000 | 
        ec-3 (0x7)01(0x9)020010(0x4)bb800000 | dec3 0600200f00 | 
        fLaC (0x7)01(0x9)020018(0x4)bb800000 | dfLa (0x4)80000022100010(0x7)17700370(0x4)0102030405060708090a0b0c0d0e0f10 | 
        alaw (0x7)01(0x9)020010(0x4)1f400000 | 
        ulaw (0x7)01(0x9)020010(0x4)1f400000 | 
        sowt (0x7)01(0x9)020010(0x4)ac440000 | "#]].assert_eq(&all.join("\n"));
}

#[test]
fn what_cannot_be_written_is_said() {
    let unready = TrackInfo::new(TrackId::VIDEO, CodecId::H264);
    assert_eq!(
        InitSegment::build(&[&unready]),
        Err(Error::BadConfig {
            track: TrackId::VIDEO,
            codec: CodecId::H264
        })
    );
    for codec in [CodecId::Pcma, CodecId::Pcmu, CodecId::Pcm] {
        let plain = TrackInfo::new(TrackId::AUDIO, codec);
        assert_eq!(
            InitSegment::build(&[&plain]).unwrap_err().to_string(),
            format!("track 2: {codec} cannot be carried in fragmented MP4")
        );
        assert!(InitSegment::build_file(&[&plain]).is_ok(), "{codec}");
    }
    let jpeg = TrackInfo::new(TrackId::VIDEO, CodecId::Mjpeg);
    assert_eq!(
        InitSegment::build_file(&[&jpeg]).unwrap_err().to_string(),
        "track 1: mjpeg cannot be carried in fragmented MP4"
    );
    for codec in [CodecId::Ac3, CodecId::Eac3, CodecId::Flac] {
        let unready = TrackInfo::new(TrackId::AUDIO, codec);
        let error = InitSegment::build(&[&unready]).unwrap_err();
        assert!(matches!(error, Error::BadConfig { .. }), "{codec}: {error}");
    }
    assert_eq!(InitSegment::build(&[]), Err(Error::NoTracks));
}
