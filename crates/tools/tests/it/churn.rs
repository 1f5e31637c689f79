//! Visitors that come at a rate, and what the report says of them.

use std::collections::HashMap;
use std::time::Duration;

use millstream_tools::load::{ApiOptions, ChurnOptions, Errand, PublishOptions, churn, publish};
use tokio_util::sync::CancellationToken;

use crate::rig::{self, Answer, Rtmp};

const SECOND: Duration = Duration::from_secs(1);

fn options(targets: &[(Errand, String)]) -> ChurnOptions {
    let mut options = ChurnOptions::new(targets.to_vec());
    options.rate = 40.0;
    options.duration = 2 * SECOND;
    options.hold = SECOND / 4;
    options.settle = SECOND / 2;
    options.watch_every = SECOND / 4;
    options
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn players_and_publishers_come_and_go() {
    let server = Rtmp::start();
    let url = server.url("cam");
    let mut sending = PublishOptions::new(&url);
    sending.duration = 6 * SECOND;
    sending.bitrate = 500_000;
    sending.gop = 15;
    let sending = tokio::spawn(publish(sending, CancellationToken::new()));
    tokio::time::sleep(SECOND).await;
    let http = rig::http(HashMap::from([
        ("/".to_owned(), Answer::Whole("page".into())),
        (
            "/api/v1/streams".to_owned(),
            Answer::Whole(
                r#"{"items":[{"publisher":{},"readers":[{},{}]},{"publisher":null,"readers":[]}],
                    "next":null}"#
                    .into(),
            ),
        ),
    ]))
    .await;
    let mut options = options(&[
        (Errand::Rtmp, url),
        (Errand::Publish, server.url("own{n}")),
        (Errand::Http, format!("http://{http}/")),
    ]);
    options.watch = Some(std::process::id());
    options.api = Some(ApiOptions::new(format!("http://{http}")));
    let report = churn(options, CancellationToken::new()).await.unwrap();
    let table = report.table();
    assert!(report.is_clean(), "{table}");
    let visitors = &report.visitors;
    assert_eq!((visitors.came, visitors.served), (80, 80), "{table}");
    assert_eq!((visitors.failed, visitors.cut_off), (0, 0), "{table}");
    let left = report.left;
    // Each target has its visitors leave by turns: 27, 27 and 26 of them.
    assert_eq!(
        (left.politely, left.by_fin, left.by_rst),
        (41, 21, 18),
        "{table}"
    );
    assert_eq!(report.targets.len(), 3);
    for target in &report.targets {
        assert!(target.visitors.came >= 26, "{table}");
        assert!(target.startup_ms.unwrap().p50 < 1_000.0, "{table}");
    }
    assert!((35.0..45.0).contains(&report.rate), "{table}");
    // Connections of both ends are files of this process: they came and went.
    let server_side = report.server.as_ref().unwrap();
    assert!(server_side.peak.fds > server_side.start.fds, "{table}");
    assert!(server_side.end.fds <= server_side.start.fds + 8, "{table}");
    let api = report.api_before.unwrap();
    assert_eq!((api.streams, api.publishers, api.readers), (2, 1, 2));
    assert_eq!(report.api_after, report.api_before);
    let json = serde_json::to_value(&report).unwrap();
    assert!(
        json["server"]["change"]["rss_percent"].is_number(),
        "{json}"
    );
    assert!(sending.await.unwrap().unwrap().is_clean());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_are_counted_by_their_reason() {
    let (table, frames) = rig::media(50);
    let file = rig::flv(&table, &frames);
    let http = rig::http(HashMap::from([(
        "/cam.flv".to_owned(),
        // Many chunks come in one read.
        Answer::Packed(file),
    )]))
    .await;
    let mut options = options(&[
        (Errand::Flv, format!("http://{http}/none{{n}}.flv")),
        (Errand::Flv, format!("http://{http}/cam.flv")),
        (Errand::Rtmp, format!("rtmp://{http}/live/cam")),
    ]);
    options.duration = SECOND;
    options.timeout = SECOND;
    let report = churn(options, CancellationToken::new()).await.unwrap();
    let table = report.table();
    assert!(!report.is_clean(), "{table}");
    let [none, ends, wrong] = &report.targets[..] else {
        panic!("{table}");
    };
    assert_eq!(none.visitors.failed, none.visitors.came, "{table}");
    // The address has a number in it; the reason has not.
    assert_eq!(none.visitors.reasons.len(), 1, "{table}");
    assert!(
        none.visitors.reasons.contains_key("HTTP status 404"),
        "{table}"
    );
    assert_eq!(ends.visitors.cut_off, ends.visitors.served, "{table}");
    let reasons: Vec<_> = ends.visitors.reasons.keys().collect();
    assert_eq!(reasons, ["closed by the server"], "{table}");
    assert_eq!(wrong.visitors.served, 0, "{table}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_many_at_a_time_are_held_back() {
    // Nobody answers, so each stays as long as it may.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("rtmp://{}/live/cam", silent.local_addr().unwrap());
    let mut options = options(&[(Errand::Rtmp, url)]);
    options.most_open = 5;
    options.timeout = 30 * SECOND;
    let cancel = CancellationToken::new();
    let running = tokio::spawn(churn(options, cancel.clone()));
    tokio::time::sleep(3 * SECOND).await;
    cancel.cancel();
    let report = running.await.unwrap().unwrap();
    let table = report.table();
    assert_eq!((report.visitors.came, report.held_back), (5, 75), "{table}");
    assert_eq!(report.most_open, 5, "{table}");
}
