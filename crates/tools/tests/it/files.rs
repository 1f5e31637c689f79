//! The probe on files: whole ones, broken ones, and what is none.

use millstream_tools::Error;
use millstream_tools::probe::{ProbeOptions, ProbeReport, probe};
use tokio_util::sync::CancellationToken;

use crate::rig;

async fn look(path: &std::path::Path) -> Result<ProbeReport, Error> {
    let source = path.to_str().expect("UTF-8");
    probe(source, &ProbeOptions::default(), CancellationToken::new()).await
}

#[tokio::test]
async fn samples_of_real_senders() {
    for (name, codecs, seconds) in [
        ("ffmpeg5_h264_aac.flv", "h264 aac", 1.5),
        ("ffmpeg9_hevc_aac.flv", "h265 aac", 1.5),
        ("ffmpeg9_av1_opus.flv", "av1 opus", 1.5),
        ("ffmpeg9_vp9_opus.flv", "vp9 opus", 1.5),
        ("ffmpeg9_multitrack.flv", "h264 aac h265 opus", 1.5),
    ] {
        let report = look(&rig::sample(name)).await.unwrap();
        let table = report.table();
        let seen: Vec<_> = report.tracks.iter().map(|t| t.codec.as_str()).collect();
        assert_eq!(seen.join(" "), codecs, "{table}");
        assert!(report.is_clean() && !report.is_live, "{table}");
        assert!(
            (seconds - 0.05..seconds + 0.1).contains(&report.seconds),
            "{table}"
        );
        let video = &report.tracks[0];
        assert_eq!(
            (video.frames, video.width, video.fps),
            (15, Some(64), Some(10.0)),
            "{table}"
        );
        assert!(table.contains("nothing wrong"));
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["tracks"][0]["id"], 1);
        let back: ProbeReport = serde_json::from_value(json).unwrap();
        assert_eq!(back, report);
    }
}

#[tokio::test]
async fn damage_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = std::fs::read(rig::sample("ffmpeg5_h264_aac.flv")).unwrap();
    let path = folder.path().join("a.flv");

    std::fs::write(&path, &bytes[..bytes.len() - 100]).unwrap();
    let report = look(&path).await.unwrap();
    assert_eq!(report.damage[0].kind, "truncated", "{}", report.table());
    assert!(!report.is_clean());

    let mut holed = bytes.clone();
    holed[5_000..5_200].fill(0xEE);
    std::fs::write(&path, &holed).unwrap();
    let report = look(&path).await.unwrap();
    assert!(
        !report.damage.is_empty() || !report.complaints.is_empty(),
        "{}",
        report.table()
    );
    assert!(report.tracks[0].frames > 8, "{}", report.table());

    // The tail of a recording, without header and configuration.
    std::fs::write(&path, &bytes[4_000..]).unwrap();
    let report = look(&path).await.unwrap();
    assert_eq!(report.damage[0].kind, "no_header", "{}", report.table());
    assert!(report.dropped_before_config > 0, "{}", report.table());
}

#[tokio::test]
async fn a_jump_is_told() {
    let (table, mut frames) = rig::media(100);
    for frame in frames.iter_mut().filter(|f| f.dts.as_millis() >= 2_000) {
        frame.dts += core_frame::MediaTime::from_secs(30);
        frame.pts += core_frame::MediaTime::from_secs(30);
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jump.flv");
    std::fs::write(&path, rig::flv(&table, &frames)).unwrap();
    let report = look(&path).await.unwrap();
    let text = report.table();
    assert_eq!(
        (report.tracks[0].jump_count, report.tracks[1].jump_count),
        (1, 1),
        "{text}"
    );
    assert!(text.contains("jump from 1.960 s to 32.000 s"), "{text}");
    assert!(report.seconds < 5.0, "{text}");
}

#[tokio::test]
async fn fragmented_mp4_and_playlists() {
    let folder = tempfile::tempdir().unwrap();
    let (table, frames) = rig::media(50);
    std::fs::write(folder.path().join("in.flv"), rig::flv(&table, &frames)).unwrap();
    let flags = "frag_keyframe+empty_moov+default_base_moof";
    if rig::ffmpeg(
        folder.path(),
        &["-i", "in.flv", "-c", "copy", "-movflags", flags, "a.mp4"],
    ) {
        let report = look(&folder.path().join("a.mp4")).await.unwrap();
        assert_eq!((report.format.as_str(), report.tracks.len()), ("fmp4", 2));
        assert_eq!(report.tracks[0].frames, 50, "{}", report.table());
    }
    let list = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n1.ts\n#EXT-X-ENDLIST\n";
    std::fs::write(folder.path().join("a.m3u8"), list).unwrap();
    let report = look(&folder.path().join("a.m3u8")).await.unwrap();
    assert_eq!(report.hls.as_ref().map(|h| h.segments), Some(1));
    assert!(report.is_clean(), "{}", report.table());
}

#[tokio::test]
async fn what_cannot_be_probed() {
    let folder = tempfile::tempdir().unwrap();
    let missing = look(&folder.path().join("none.flv")).await.unwrap_err();
    assert!(missing.to_string().contains("none.flv"), "{missing}");
    for (bytes, word) in [
        (&b""[..], "ended"),
        (b"hello", "not FLV"),
        (&[0x47; 1_000], "MPEG-TS"),
        (&[0; 400_000], "not FLV"),
    ] {
        let path = folder.path().join("x");
        std::fs::write(&path, bytes).unwrap();
        let error = look(&path).await.unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
    let scheme = probe(
        "gopher://x",
        &ProbeOptions::default(),
        CancellationToken::new(),
    )
    .await;
    assert!(matches!(scheme, Err(Error::Url { .. })));
}
