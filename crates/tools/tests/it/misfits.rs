//! Readers that do not keep up: what the server does with them is told, and the good ones lose nothing.

use std::collections::HashMap;
use std::time::Duration;

use core_frame::Limits;
use millstream_tools::load::{PlayOptions, Protocol, PublishOptions, play, publish};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::rig::{self, Answer, Rtmp};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn good_readers_lose_nothing_beside_slow_and_stalled_ones() {
    let mut limits = Limits::default();
    limits.stall_ms = 1_000;
    let server = Rtmp::with(limits);
    let url = server.url("cam");
    let mut sending = PublishOptions::new(&url);
    sending.duration = 9 * SECOND;
    sending.bitrate = 12_000_000;
    sending.gop = 15;
    let sending = tokio::spawn(publish(sending, CancellationToken::new()));
    tokio::time::sleep(SECOND).await;
    let mut options = PlayOptions::new(Protocol::Rtmp, url);
    options.count = 7;
    options.probes = 2;
    options.slow_count = 2;
    options.slow = 0.2;
    options.stalled = 3;
    options.duration = 7 * SECOND;
    options.details = true;
    let report = play(options, CancellationToken::new()).await.unwrap();
    let table = report.table();
    assert!(report.is_clean(), "{table}");
    assert_eq!(
        (report.sessions.asked, report.sessions.started),
        (2, 2),
        "{table}"
    );
    assert!(report.numbered_frames > 2 * 7 * 60, "{table}");
    let stalled = report.stalled.as_ref().unwrap();
    assert_eq!(
        (stalled.sessions, stalled.let_in, stalled.open),
        (3, 3, 0),
        "{table}"
    );
    let after = stalled.closed_after_ms.unwrap();
    assert!(
        after.count == 3 && (900.0..6_000.0).contains(&after.min),
        "{table}"
    );
    let slow = report.slow.as_ref().unwrap();
    assert_eq!((slow.sessions, slow.let_in), (2, 2), "{table}");
    // A fifth of the stream: some was left out for each, and whether the server then has enough of them is its affair.
    assert!(slow.skipping == 2 && slow.skipped_frames > 4, "{table}");
    assert_eq!(
        slow.open + slow.closed.values().sum::<usize>(),
        2,
        "{table}"
    );
    assert!(slow.latency_ms.unwrap().max > 1_000.0, "{table}");
    assert_eq!(report.details.len(), 7, "{table}");
    let json = serde_json::to_value(&report).unwrap();
    assert!(json["stalled"]["closed_after_ms"]["p90"].is_number());
    drop(sending.await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_ends_is_told_from_one_that_breaks() {
    let (table, frames) = rig::media(50);
    let file = rig::flv(&table, &frames);
    let pieces = vec![(Duration::ZERO, file.clone())];
    let whole = rig::http(HashMap::from([(
        "/cam.flv".to_owned(),
        Answer::Chunked(pieces),
    )]))
    .await;
    let broken = resets(file.slice(..file.len() / 2).to_vec()).await;
    for (address, slow, stalled, want) in [
        (whole, 1, 0, "HTTP end"),
        (broken, 0, 1, "RST"),
        (broken, 1, 0, "RST"),
    ] {
        let mut options = PlayOptions::new(Protocol::Flv, format!("http://{address}/cam.flv"));
        options.count = 1;
        options.slow_count = slow;
        options.slow = 1.0;
        options.stalled = stalled;
        options.duration = 8 * SECOND;
        let report = play(options, CancellationToken::new()).await.unwrap();
        let found = report.slow.as_ref().or(report.stalled.as_ref()).unwrap();
        let (how, count) = found.closed.iter().next().unwrap();
        assert!(how.ends_with(want) && *count == 1, "{}", report.table());
        assert!(found.closed_after_ms.is_some(), "{}", report.table());
        assert_eq!(report.sessions.asked, 0);
    }
}

#[tokio::test]
async fn wishes_that_cannot_be_are_refused() {
    let refused = async |change: fn(&mut PlayOptions), protocol, url: &str| {
        let mut options = PlayOptions::new(protocol, url);
        change(&mut options);
        let result = play(options, CancellationToken::new()).await;
        result.unwrap_err().to_string()
    };
    let rtmp = "rtmp://127.0.0.1:1/live/cam";
    let text = refused(|o| o.stalled = 2, Protocol::Rtmp, rtmp).await;
    assert!(text.contains("more than the 1"), "{text}");
    for share in [0.0, -1.0, 1.5, f64::NAN] {
        let mut options = PlayOptions::new(Protocol::Rtmp, rtmp);
        options.slow = share;
        let result = play(options, CancellationToken::new()).await;
        assert!(result.is_err(), "{share}");
    }
    let hls = "http://127.0.0.1:1/live/cam/index.m3u8";
    let text = refused(|o| o.slow_count = 1, Protocol::Hls, hls).await;
    assert!(text.contains("HTTP-FLV"), "{text}");
    let text = refused(|o| o.http2 = true, Protocol::Hls, hls).await;
    assert!(text.contains("https"), "{text}");
}

/// A server that breaks off in the middle of an answer, a while after it began.
async fn resets(body: Vec<u8>) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, body.clone()));
        }
    });
    address
}

async fn answer(mut stream: TcpStream, body: Vec<u8>) {
    let mut request = [0; 1_024];
    let _ = stream.read(&mut request).await;
    let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".as_slice();
    let size = format!("{:x}\r\n", body.len());
    let chunk = [head, size.as_bytes(), &body].concat();
    // The reader may not take all of it.
    let _ = tokio::time::timeout(SECOND, stream.write_all(&chunk)).await;
    stream.set_zero_linger().expect("an option");
}
