//! The text of playlists, byte for byte.

use expect_test::expect;

use super::live::{Live, Stage, audio, audio_track, video};
use core_frame::CodecId;

#[test]
fn a_video_playlist_in_mid_segment_after_a_codec_change() {
    let mut live = Live::av(2);
    live.discontinuity(true);
    live.segments(1);
    (0..3).for_each(|_| live.part());
    let stage = Stage::new(live);
    let text = stage.text("v1/index.m3u8");
    // The parts of the oldest segments are like the others'.
    let short: Vec<_> = text
        .lines()
        .filter(|l| {
            !["100.", "101.", "102."]
                .iter()
                .any(|m| l.contains("PART:") && l.contains(m))
                || l.contains(".0.m4s")
        })
        .collect();
    expect![[r##"
        #EXTM3U
        #EXT-X-VERSION:6
        #EXT-X-INDEPENDENT-SEGMENTS
        #EXT-X-TARGETDURATION:2
        #EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,HOLD-BACK=6.00000,PART-HOLD-BACK=0.60000
        #EXT-X-PART-INF:PART-TARGET=0.20000
        #EXT-X-MEDIA-SEQUENCE:100
        #EXT-X-DISCONTINUITY-SEQUENCE:7
        #EXT-X-MAP:URI="init.0.e88cbfbf.mp4"
        #EXT-X-PROGRAM-DATE-TIME:2026-11-21T06:12:04.250Z
        #EXTINF:2.00000,
        100.m4s
        #EXT-X-PROGRAM-DATE-TIME:2026-11-21T06:12:06.250Z
        #EXT-X-PART:DURATION=0.20000,URI="101.0.m4s",INDEPENDENT=YES
        #EXTINF:2.00000,
        101.m4s
        #EXT-X-DISCONTINUITY
        #EXT-X-MAP:URI="init.1.f8197e0e.mp4"
        #EXT-X-PROGRAM-DATE-TIME:2026-11-21T06:12:09.027Z
        #EXT-X-PART:DURATION=0.20000,URI="102.0.m4s",INDEPENDENT=YES
        #EXTINF:2.00000,
        102.m4s
        #EXT-X-PROGRAM-DATE-TIME:2026-11-21T06:12:11.027Z
        #EXT-X-PART:DURATION=0.20000,URI="103.0.m4s",INDEPENDENT=YES
        #EXT-X-PART:DURATION=0.20000,URI="103.1.m4s"
        #EXT-X-PART:DURATION=0.20000,URI="103.2.m4s"
        #EXT-X-PRELOAD-HINT:TYPE=PART,URI="103.3.m4s"
        #EXT-X-RENDITION-REPORT:URI="../a2/index.m3u8",LAST-MSN=103,LAST-PART=2"##]]
    .assert_eq(&short.join("\n"));
}

#[test]
fn a_plain_playlist() {
    let mut live = Live::av(2);
    live.part();
    expect![[r##"
        #EXTM3U
        #EXT-X-VERSION:6
        #EXT-X-INDEPENDENT-SEGMENTS
        #EXT-X-TARGETDURATION:2
        #EXT-X-MEDIA-SEQUENCE:100
        #EXT-X-DISCONTINUITY-SEQUENCE:7
        #EXT-X-MAP:URI="init.0.e98cc152.mp4"
        #EXT-X-PROGRAM-DATE-TIME:2026-11-21T06:12:04.250Z
        #EXTINF:2.00000,
        100.m4s
        #EXT-X-PROGRAM-DATE-TIME:2026-11-21T06:12:06.250Z
        #EXTINF:2.00000,
        101.m4s
    "##]]
    .assert_eq(&Stage::new(live).text("a2/index.m3u8?ll=0"));
}

#[test]
fn multivariant_playlists() {
    expect![[r##"
        #EXTM3U
        #EXT-X-INDEPENDENT-SEGMENTS
        #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="aac",NAME="Audio 2",LANGUAGE="und",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="a2/index.m3u8"
        #EXT-X-STREAM-INF:BANDWIDTH=2129000,AVERAGE-BANDWIDTH=1916000,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=1280x720,FRAME-RATE=30.000,AUDIO="aac",CLOSED-CAPTIONS=NONE
        v1/index.m3u8
    "##]]
    .assert_eq(&Stage::new(Live::av(1)).text("index.m3u8"));

    let mut live = Live::new([audio()]);
    live.segments(1);
    expect![[r#"
        #EXTM3U
        #EXT-X-INDEPENDENT-SEGMENTS
        #EXT-X-STREAM-INF:BANDWIDTH=129000,AVERAGE-BANDWIDTH=116000,CODECS="mp4a.40.2"
        a2/index.m3u8
    "#]]
    .assert_eq(&Stage::new(live).text("index.m3u8"));

    let mut live = Live::new([
        video(),
        audio_track(2, CodecId::Aac, "mp4a.40.2", Some("en")),
        audio_track(3, CodecId::Aac, "mp4a.40.2", Some("fr")),
        audio_track(4, CodecId::Opus, "opus", Some("en")),
    ]);
    live.segments(1);
    expect![[r##"
        #EXTM3U
        #EXT-X-INDEPENDENT-SEGMENTS
        #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="aac",NAME="en",LANGUAGE="en",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="a2/index.m3u8"
        #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="aac",NAME="fr",LANGUAGE="fr",AUTOSELECT=YES,CHANNELS="2",URI="a3/index.m3u8"
        #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="opus",NAME="en",LANGUAGE="en",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="a4/index.m3u8"
        #EXT-X-STREAM-INF:BANDWIDTH=2129000,AVERAGE-BANDWIDTH=1916000,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=1280x720,FRAME-RATE=30.000,AUDIO="aac",CLOSED-CAPTIONS=NONE
        v1/index.m3u8
        #EXT-X-STREAM-INF:BANDWIDTH=2129000,AVERAGE-BANDWIDTH=1916000,CODECS="avc1.64001f,opus",RESOLUTION=1280x720,FRAME-RATE=30.000,AUDIO="opus",CLOSED-CAPTIONS=NONE
        v1/index.m3u8
    "##]]
    .assert_eq(&Stage::new(live).text("index.m3u8"));
}
