//! HTTP-FLV players: chunked or not, elsewhere or nowhere.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use millstream_tools::load::{PlayOptions, Protocol, play};
use millstream_tools::probe::{ProbeOptions, probe};
use tokio_util::sync::CancellationToken;

use crate::rig::{self, Answer};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counting_and_reading_sessions_agree() {
    let (table, frames) = rig::media(100);
    let file = rig::flv(&table, &frames);
    let pieces = file
        .chunks(1_000)
        .map(|c| (Duration::from_millis(2), c.to_vec().into()))
        .collect();
    let address = rig::http(HashMap::from([
        ("/live/cam.flv?token=x".to_owned(), Answer::Chunked(pieces)),
        ("/whole.flv".to_owned(), Answer::Whole(file.clone())),
        (
            "/moved.flv".to_owned(),
            Answer::Redirect("/whole.flv".to_owned()),
        ),
        (
            "/page.flv".to_owned(),
            Answer::Whole("<html>".repeat(99).into()),
        ),
    ]))
    .await;
    for path in ["live/cam.flv?token=x", "whole.flv", "moved.flv"] {
        let mut options = PlayOptions::new(Protocol::Flv, format!("http://{address}/{path}"));
        options.count = 4;
        options.probes = 2;
        options.details = true;
        let report = play(options, CancellationToken::new()).await.unwrap();
        let table = report.table();
        // The answer ends, which for a live stream is early; nothing is missing until then.
        assert_eq!(
            (report.sessions.started, report.sessions.ended_early),
            (4, 4),
            "{table}"
        );
        assert_eq!((report.gaps, report.duplicates), (0, 0), "{table}");
        assert_eq!(report.numbered_frames, 2 * frames.len() as u64, "{table}");
        assert_eq!(report.units, 4 * frames.len() as u64, "{table}");
        assert_eq!(report.bytes, 4 * file.len() as u64, "{table}");
        assert!(
            report.startup_ms.is_some() && report.latency_ms.is_none(),
            "{table}"
        );
    }
    for (path, word) in [("none.flv", "404"), ("page.flv", "FLV")] {
        for probes in [0, 1] {
            let mut options = PlayOptions::new(Protocol::Flv, format!("http://{address}/{path}"));
            options.probes = probes;
            let report = play(options, CancellationToken::new()).await.unwrap();
            let reasons: Vec<_> = report.sessions.reasons.keys().collect();
            assert_eq!(report.sessions.failed, 1);
            assert!(reasons[0].contains(word), "{reasons:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_live_stream_is_probed_for_a_time() {
    let (table, frames) = rig::media(250);
    let file = rig::flv(&table, &frames);
    let pieces = file
        .chunks(file.len() / 100)
        .map(|c| (Duration::from_millis(30), c.to_vec().into()))
        .collect();
    let address = rig::http(HashMap::from([(
        "/cam.flv".to_owned(),
        Answer::Chunked(pieces),
    )]))
    .await;
    let mut options = ProbeOptions::default();
    options.duration = Duration::from_secs(1);
    let url = format!("http://{address}/cam.flv");
    let report = probe(&url, &options, CancellationToken::new())
        .await
        .unwrap();
    let table = report.table();
    assert_eq!(
        (report.format.as_str(), report.is_live),
        ("http-flv", true),
        "{table}"
    );
    assert!(report.is_clean(), "{table}");
    assert!(report.seconds > 1.0 && report.seconds < 9.0, "{table}");
    assert_eq!(
        report.tracks[0].measured_fps.map(f64::round),
        Some(25.0),
        "{table}"
    );
    assert_eq!(report.metadata["encoder"], "Millstream");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_in_place_of_a_stream_is_a_failure() {
    let page = Bytes::from_static(b"<html><body>not found</body></html>");
    let chunk = |bytes: &Bytes| Answer::Chunked(vec![(Duration::ZERO, bytes.clone())]);
    let address = rig::http(HashMap::from([
        ("/page.flv".to_owned(), Answer::Whole(page.clone())),
        ("/live.flv".to_owned(), chunk(&page)),
        ("/nothing.flv".to_owned(), Answer::Chunked(Vec::new())),
    ]))
    .await;
    for (path, word) in [
        ("page.flv", "not FLV"),
        ("live.flv", "not FLV"),
        ("nothing.flv", "before any media"),
    ] {
        let url = format!("http://{address}/{path}");
        let options = ProbeOptions::default();
        let result = probe(&url, &options, CancellationToken::new()).await;
        let text = result.unwrap_err().to_string();
        assert!(text.contains(word), "{path}: {text}");
    }
}
