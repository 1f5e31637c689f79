//! Load over RTMP: what was published is what is counted, and nothing is missing.

use std::time::Duration;

use millstream_tools::load::{PlayOptions, Protocol, PublishOptions, play, publish};
use millstream_tools::probe::{ProbeOptions, probe};
use tokio_util::sync::CancellationToken;

use crate::rig::{self, Rtmp};

const SECOND: Duration = Duration::from_secs(1);

fn publisher(url: &str, duration: Duration) -> PublishOptions {
    let mut options = PublishOptions::new(url);
    options.duration = duration;
    options.bitrate = 1_000_000;
    options.gop = 15;
    options
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn published_frames_reach_every_player() {
    let server = Rtmp::start();
    let url = server.url("cam");
    let sending = tokio::spawn(publish(
        publisher(&url, 4 * SECOND),
        CancellationToken::new(),
    ));
    tokio::time::sleep(SECOND).await;
    let mut options = PlayOptions::new(Protocol::Rtmp, url.clone());
    options.count = 12;
    options.probes = 3;
    options.duration = 2 * SECOND;
    options.details = true;
    let report = play(options, CancellationToken::new()).await.unwrap();
    let table = report.table();
    assert!(report.is_clean(), "{table}");
    assert_eq!(report.sessions.started, 12, "{table}");
    // Three probes, 30 pictures and 47 sounds a second, and the replay.
    assert!(report.numbered_frames > 3 * 2 * 60, "{table}");
    let latency = report.latency_ms.unwrap();
    assert!(
        latency.count > 100 && latency.p50 > 0.0 && latency.p50 < 500.0,
        "{table}"
    );
    let startup = report.startup_ms.unwrap();
    assert_eq!(
        (startup.count, report.join_ms.unwrap().count),
        (12, 12),
        "{table}"
    );
    assert!(startup.p50 < 1_000.0, "{table}");
    let each = report.session_bitrate_bps;
    assert!((700_000.0..2_500_000.0).contains(&each), "{table}");
    assert_eq!(report.stalls, 0, "{table}");
    // Counting sessions see as many units as those that read everything.
    let units: Vec<_> = report.details.iter().map(|d| d.units).collect();
    let (least, most) = (units.iter().min().unwrap(), units.iter().max().unwrap());
    // Those that join on either side of a key frame differ by a GOP: 15 pictures and 23 sounds.
    assert!(most - least < 20 + 38, "{units:?}");
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["protocol"], "rtmp");
    let sent = sending.await.unwrap().unwrap();
    assert!(sent.is_clean(), "{}", sent.table());
    assert!(
        sent.frames > 4 * 60 && sent.behind_ms < 1_000.0,
        "{}",
        sent.table()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_publishers_have_streams_of_their_own() {
    let server = Rtmp::start();
    let mut options = publisher(&server.url("cam"), 3 * SECOND);
    options.count = 4;
    options.ramp = SECOND / 2;
    let sending = tokio::spawn(publish(options, CancellationToken::new()));
    tokio::time::sleep(SECOND).await;
    let mut options = PlayOptions::new(Protocol::Rtmp, server.url("cam{}"));
    options.count = 4;
    options.probes = 4;
    options.duration = SECOND;
    let report = play(options, CancellationToken::new()).await.unwrap();
    assert!(report.is_clean(), "{}", report.table());
    let sent = sending.await.unwrap().unwrap();
    assert!(
        sent.is_clean() && sent.sessions.started == 4,
        "{}",
        sent.table()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_is_published_in_a_loop() {
    let server = Rtmp::start();
    let url = server.url("file");
    let mut options = publisher(&url, 6 * SECOND);
    options.file = Some(rig::sample("ffmpeg5_h264_aac.flv"));
    let sending = tokio::spawn(publish(options, CancellationToken::new()));
    tokio::time::sleep(SECOND / 2).await;
    let mut options = ProbeOptions::default();
    options.duration = 4 * SECOND;
    let report = probe(&url, &options, CancellationToken::new())
        .await
        .unwrap();
    let table = report.table();
    // The sample lasts 1.5 s: it went round more than once, and no time jumps.
    assert!(report.is_clean() && report.is_live, "{table}");
    assert!(report.seconds > 2.5, "{table}");
    let [video, audio] = &report.tracks[..] else {
        panic!("{table}");
    };
    assert_eq!(
        (video.codec.as_str(), video.width, video.height),
        ("h264", Some(64), Some(48))
    );
    assert_eq!(
        (audio.codec.as_str(), audio.sample_rate),
        ("aac", Some(44_100))
    );
    assert!(video.is_reordered && video.config_changes == 0, "{table}");
    assert!(
        (9.0..11.0).contains(&video.measured_fps.unwrap()),
        "{table}"
    );
    let sent = sending.await.unwrap().unwrap();
    assert!(sent.is_clean(), "{}", sent.table());
}

#[tokio::test]
async fn failures_are_told() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = nobody.local_addr().unwrap();
    drop(nobody);
    let mut options = PlayOptions::new(Protocol::Rtmp, format!("rtmp://{address}/live/cam"));
    options.count = 3;
    let report = play(options, CancellationToken::new()).await.unwrap();
    assert_eq!((report.sessions.started, report.sessions.failed), (0, 3));
    let (reason, count) = report.sessions.reasons.iter().next().unwrap();
    assert!(reason.contains("cannot connect") && *count == 3, "{reason}");
    assert!(!report.is_clean());
    // Addresses that cannot be are mistakes of the caller.
    for url in ["rtmp://host", "http://host/a.flv"] {
        let options = PlayOptions::new(Protocol::Rtmp, url);
        assert!(
            play(options, CancellationToken::new()).await.is_err(),
            "{url}"
        );
        let options = PublishOptions::new(url);
        assert!(
            publish(options, CancellationToken::new()).await.is_err(),
            "{url}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_says_nothing_is_given_up() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("rtmp://{}/live/cam", silent.local_addr().unwrap());
    let hold = tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = silent.accept().await {
            held.push(stream);
        }
    });
    for probes in [0, 1] {
        let mut options = PlayOptions::new(Protocol::Rtmp, url.clone());
        options.probes = probes;
        options.timeout = SECOND / 4;
        let report = play(options, CancellationToken::new()).await.unwrap();
        assert_eq!(report.sessions.failed, 1);
        assert!(report.seconds < 2.0, "{}", report.table());
    }
    let mut options = ProbeOptions::default();
    options.timeout = SECOND / 4;
    let result = probe(&url, &options, CancellationToken::new()).await;
    assert!(result.unwrap_err().to_string().contains("within"));
    hold.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ended_stream_ends_its_players() {
    let server = Rtmp::start();
    let url = server.url("cam");
    let sending = tokio::spawn(publish(
        publisher(&url, 2 * SECOND),
        CancellationToken::new(),
    ));
    tokio::time::sleep(SECOND).await;
    let mut options = PlayOptions::new(Protocol::Rtmp, url);
    options.count = 2;
    options.probes = 1;
    options.duration = 20 * SECOND;
    let report = play(options, CancellationToken::new()).await.unwrap();
    assert_eq!(report.sessions.ended_early, 2, "{}", report.table());
    assert!(report.seconds < 10.0, "{}", report.table());
    assert_eq!(report.gaps, 0, "{}", report.table());
    drop(sending.await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_can_be_cancelled() {
    let server = Rtmp::start();
    let url = server.url("cam");
    let cancel = CancellationToken::new();
    let sending = tokio::spawn(publish(publisher(&url, 60 * SECOND), cancel.clone()));
    tokio::time::sleep(SECOND).await;
    let mut options = PlayOptions::new(Protocol::Rtmp, url);
    options.duration = 60 * SECOND;
    let playing = tokio::spawn(play(options, cancel.clone()));
    tokio::time::sleep(SECOND).await;
    cancel.cancel();
    let report = playing.await.unwrap().unwrap();
    assert!(report.is_clean() && report.units > 0, "{}", report.table());
    assert!(sending.await.unwrap().unwrap().is_clean());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_publisher_comes_back_and_goes_on() {
    let server = Rtmp::start();
    let (address, url) = (server.address, server.url("cam"));
    let mut options = publisher(&url, 5 * SECOND);
    options.retries = 10;
    options.details = true;
    let sending = tokio::spawn(publish(options, CancellationToken::new()));
    tokio::time::sleep(3 * SECOND / 2).await;
    drop(server);
    tokio::time::sleep(SECOND).await;
    let _server = Rtmp::at(address, core_frame::Limits::default());
    let report = sending.await.unwrap().unwrap();
    let table = report.table();
    assert!(report.is_clean(), "{table}");
    assert!(report.refusals > 0 && report.reconnects == 1, "{table}");
    assert_eq!(report.details[0].reconnects, 1, "{table}");
    assert!(report.setbacks.len() >= 2, "{table}");
    // Of 5 s the outage of about a second is missing.
    assert!((180..360).contains(&report.frames), "{table}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_publisher_is_told_why() {
    let server = Rtmp::start();
    let url = server.url("cam");
    let first = tokio::spawn(publish(
        publisher(&url, 3 * SECOND),
        CancellationToken::new(),
    ));
    tokio::time::sleep(SECOND).await;
    let mut options = publisher(&url, SECOND);
    options.retries = 1;
    let report = publish(options, CancellationToken::new()).await.unwrap();
    let table = report.table();
    assert!(!report.is_clean(), "{table}");
    assert!(report.refusals >= 1 && report.reconnects == 0, "{table}");
    let reason = report.setbacks.keys().next().unwrap();
    assert!(reason.contains("NetStream.Publish."), "{table}");
    assert!(first.await.unwrap().unwrap().is_clean());
}
