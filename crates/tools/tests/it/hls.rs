//! HLS players and the probe on playlists that ffmpeg made of numbered frames.

use std::collections::HashMap;
use std::path::Path;

use millstream_tools::load::{PlayOptions, Protocol, play};
use millstream_tools::probe::{ProbeOptions, probe};
use tokio_util::sync::CancellationToken;

use crate::rig::{self, Answer};

/// Every file of a folder, by its path.
fn folder(path: &Path) -> HashMap<String, Answer> {
    std::fs::read_dir(path)
        .expect("a folder")
        .map(|entry| {
            let entry = entry.expect("an entry");
            let name = format!("/hls/{}", entry.file_name().to_string_lossy());
            (
                name,
                Answer::Whole(std::fs::read(entry.path()).expect("a file").into()),
            )
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_come_through_fragmented_mp4() {
    let folder_ = tempfile::tempdir().unwrap();
    let (table, frames) = rig::media(150);
    std::fs::write(folder_.path().join("in.flv"), rig::flv(&table, &frames)).unwrap();
    let made = rig::ffmpeg(
        folder_.path(),
        &[
            "-i",
            "in.flv",
            "-c",
            "copy",
            "-f",
            "hls",
            "-hls_time",
            "1",
            "-hls_list_size",
            "0",
            "-hls_segment_type",
            "fmp4",
            "-hls_playlist_type",
            "vod",
            "-master_pl_name",
            "index.m3u8",
            "media.m3u8",
        ],
    );
    if !made {
        return;
    }
    let mut answers = folder(folder_.path());
    let address = rig::http(answers.clone()).await;
    let mut options = PlayOptions::new(Protocol::Hls, format!("http://{address}/hls/index.m3u8"));
    options.count = 3;
    options.probes = 1;
    let report = play(options, CancellationToken::new()).await.unwrap();
    let table = report.table();
    assert_eq!(
        (report.sessions.started, report.gaps, report.duplicates),
        (3, 0, 0),
        "{table}"
    );
    assert_eq!(report.numbered_frames, frames.len() as u64, "{table}");
    assert!(report.units >= 3 * 5 && report.stalls == 0, "{table}");

    let options = ProbeOptions::default();
    let url = format!("http://{address}/hls/index.m3u8");
    let report = probe(&url, &options, CancellationToken::new())
        .await
        .unwrap();
    let table = report.table();
    let hls = report.hls.as_ref().unwrap();
    assert!(
        hls.is_ended && hls.variants.len() == 1 && hls.segments >= 5,
        "{table}"
    );
    assert_eq!(report.tracks.len(), 2, "{table}");
    let codecs: Vec<_> = report.tracks.iter().map(|t| t.codec.as_str()).collect();
    assert_eq!(codecs, ["h264", "aac"], "{table}");
    assert!(report.seconds > 4.9, "{table}");
    assert!(
        report.complaints.is_empty() && report.damage.is_empty(),
        "{table}"
    );

    // A segment is missing: the players say so.
    answers.remove("/hls/media2.m4s");
    let address = rig::http(answers).await;
    let options = PlayOptions::new(Protocol::Hls, format!("http://{address}/hls/index.m3u8"));
    let report = play(options, CancellationToken::new()).await.unwrap();
    let reasons: Vec<_> = report.sessions.reasons.keys().collect();
    assert!(reasons[0].contains("404"), "{reasons:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transport_streams_are_counted_not_read() {
    let folder_ = tempfile::tempdir().unwrap();
    let (table, frames) = rig::media(75);
    std::fs::write(folder_.path().join("in.flv"), rig::flv(&table, &frames)).unwrap();
    let made = rig::ffmpeg(
        folder_.path(),
        &[
            "-i",
            "in.flv",
            "-c",
            "copy",
            "-f",
            "hls",
            "-hls_time",
            "1",
            "-hls_playlist_type",
            "vod",
            "m.m3u8",
        ],
    );
    if !made {
        return;
    }
    let address = rig::http(folder(folder_.path())).await;
    let url = format!("http://{address}/hls/m.m3u8");
    let report = play(
        PlayOptions::new(Protocol::Hls, &url),
        CancellationToken::new(),
    )
    .await
    .unwrap();
    assert!(
        report.bytes > 50_000 && report.numbered_frames == 0,
        "{}",
        report.table()
    );
    let report = probe(&url, &ProbeOptions::default(), CancellationToken::new())
        .await
        .unwrap();
    assert!(
        report.complaints[0].message.contains("MPEG-TS"),
        "{}",
        report.table()
    );
}
