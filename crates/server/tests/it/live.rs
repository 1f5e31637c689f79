//! Endless media: whole containers from the first byte, over HTTP and WebSocket, and slow readers.

use futures_util::StreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Duration, timeout};
use tokio_tungstenite::tungstenite::Message;

use crate::support::{World, eventually, world};

/// Reads at least `n` bytes of an endless answer.
async fn head(world: &World, path: &str, n: usize) -> (reqwest::Response, Vec<u8>) {
    let mut response = world.client.get(world.url(path)).send().await.unwrap();
    assert_eq!(response.status(), 200, "{path}");
    let mut got = Vec::new();
    while got.len() < n {
        got.extend_from_slice(&response.chunk().await.unwrap().expect("the stream goes on"));
    }
    (response, got)
}

#[tokio::test]
async fn flv_begins_with_its_header_and_goes_on() {
    let world = world(&[]).await;
    let _publisher = world.publish("live/cam").await;
    let (response, got) = head(&world, "/live/cam.flv", 20_000).await;
    assert_eq!(response.headers()["content-type"], "video/x-flv");
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert!(!response.headers().contains_key("content-length"));
    assert_eq!(&got[..5], b"FLV\x01\x05");
    // The script tag with the metadata, then configurations, then a key frame.
    assert_eq!(got[13], 18);
}

#[tokio::test]
async fn fragmented_mp4_begins_with_its_init() {
    let world = world(&[]).await;
    let _publisher = world.publish("live/cam").await;
    let (response, got) = head(&world, "/live/cam.mp4", 10_000).await;
    assert_eq!(response.headers()["content-type"], "video/mp4");
    assert_eq!(boxes(&got)[..3], ["ftyp", "moov", "moof"]);
}

/// Names of the top-level boxes that are there in full.
fn boxes(bytes: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    let mut rest = bytes;
    while let Some(len) = rest
        .get(..4)
        .map(|b| u32::from_be_bytes(b.try_into().unwrap()) as usize)
    {
        let Some(one) = rest.get(..len).filter(|b| b.len() >= 8) else {
            break;
        };
        names.push(String::from_utf8_lossy(&one[4..8]).into_owned());
        rest = &rest[len..];
    }
    names
}

#[tokio::test]
async fn a_websocket_gets_text_then_init_then_a_chunk_a_message() {
    let world = world(&[]).await;
    let _publisher = world.publish("live/cam").await;
    let (mut socket, response) = tokio_tungstenite::connect_async(world.ws("/live/cam.mp4"))
        .await
        .unwrap();
    assert_eq!(response.status(), 101);
    let mut next = async || loop {
        match timeout(Duration::from_secs(5), socket.next())
            .await
            .unwrap()
            .unwrap()
            .unwrap()
        {
            Message::Ping(_) => {}
            message => return message,
        }
    };
    let Message::Text(text) = next().await else {
        panic!("the text comes first")
    };
    let text: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert!(
        text["codecs"].as_str().unwrap().starts_with("avc1.42"),
        "{text}"
    );
    assert!(
        text["codecs"].as_str().unwrap().contains("mp4a.40.2"),
        "{text}"
    );
    assert!(
        text["epoch"].is_u64() && text["wall_ms"].is_number(),
        "{text}"
    );
    let Message::Binary(init) = next().await else {
        panic!("then the init")
    };
    assert_eq!(boxes(&init), ["ftyp", "moov"]);
    for _ in 0..50 {
        let Message::Binary(chunk) = next().await else {
            panic!("then chunks")
        };
        assert_eq!(boxes(&chunk), ["moof", "mdat"], "one whole chunk a message");
    }
    let readers = world.json("/api/v1/streams/live/cam").await["readers"].clone();
    assert_eq!(readers[0]["protocol"], "ws-fmp4");
    // Ended by the operator: a close frame says so.
    let id = readers[0]["id"].as_str().unwrap();
    world
        .client
        .delete(world.url(&format!("/api/v1/sessions/{id}")))
        .send()
        .await
        .unwrap();
    let close = loop {
        match next().await {
            Message::Close(close) => break close.unwrap(),
            _ => continue,
        }
    };
    assert_eq!(u16::from(close.code), 1001);
}

#[tokio::test]
async fn a_websocket_carries_flv_too_and_a_bad_handshake_is_refused() {
    let world = world(&[]).await;
    let _publisher = world.publish("live/cam").await;
    let (mut socket, _) = tokio_tungstenite::connect_async(world.ws("/live/cam.flv"))
        .await
        .unwrap();
    let Some(Ok(Message::Binary(first))) = socket.next().await else {
        panic!("binary")
    };
    assert_eq!(&first[..3], b"FLV");
    drop(socket);
    eventually("the reader leaves", || async {
        world.json("/api/v1/streams/live/cam").await["readers"]
            .as_array()
            .unwrap()
            .is_empty()
    })
    .await;

    let upgrade = |version: &'static str, key: &'static str| {
        let request = world.client.get(world.url("/live/cam.mp4"));
        request
            .header("connection", "keep-alive, Upgrade")
            .header("upgrade", "WebSocket")
            .header("sec-websocket-version", version)
            .header("sec-websocket-key", key)
            .send()
    };
    let wrong = upgrade("8", "dGhlIHNhbXBsZSBub25jZQ==").await.unwrap();
    assert_eq!(
        (
            wrong.status().as_u16(),
            wrong.headers()["sec-websocket-version"].to_str().unwrap()
        ),
        (426, "13")
    );
    assert_eq!(upgrade("13", "short").await.unwrap().status(), 400);
    let none = tokio_tungstenite::connect_async(world.ws("/live/none.mp4"))
        .await
        .unwrap_err();
    assert!(none.to_string().contains("404"), "{none}");
}

#[tokio::test]
async fn readers_get_the_end_of_a_stream() {
    let world = world(&[("app.live.grace_s", "0")]).await;
    let options = synth::Options::default().frames(90);
    let _publisher = world.publish_with("live/cam", options).await;
    let (mut response, _) = head(&world, "/live/cam.flv", 100).await;
    // The publisher has a second left; then the answer ends as an answer should, and is not cut.
    while response.chunk().await.unwrap().is_some() {}
    eventually("the stream is gone", || async {
        world.status("/live/cam.flv").await == 404
    })
    .await;
}

#[tokio::test]
async fn head_tells_what_get_would_and_registers_nobody() {
    let world = world(&[]).await;
    let _publisher = world.publish("live/cam").await;
    for (path, status, content_type) in [
        ("/live/cam.flv", 200, "video/x-flv"),
        ("/live/cam.ts", 200, "video/mp2t"),
        ("/live/cam.mp4", 200, "video/mp4"),
        ("/live/none.flv", 404, "application/json"),
        ("/", 200, "text/html; charset=utf-8"),
    ] {
        let response = world.client.head(world.url(path)).send().await.unwrap();
        assert_eq!(response.status(), status, "{path}");
        assert_eq!(response.headers()["content-type"], content_type, "{path}");
    }
    assert_eq!(
        world.json("/api/v1/streams/live/cam").await["readers"],
        serde_json::json!([])
    );
}

#[tokio::test]
async fn a_reader_that_stalls_is_closed_and_others_go_on() {
    let world = world(&[("limits.stall_ms", "1000")]).await;
    // 40 Mb/s fill every buffer of the kernel quickly.
    let _publisher = world
        .publish_with("live/cam", synth::Options::default().bitrate(40_000_000))
        .await;
    let addr = world.running.addresses().http.unwrap();
    let mut stalled = Vec::new();
    for path in ["/live/cam.flv", "/live/cam.mp4"] {
        let mut socket = TcpStream::connect(addr).await.unwrap();
        socket
            .write_all(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes())
            .await
            .unwrap();
        stalled.push(socket);
    }
    let ws = "GET /live/cam.mp4 HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let mut socket = TcpStream::connect(addr).await.unwrap();
    socket.write_all(ws.as_bytes()).await.unwrap();
    stalled.push(socket);
    eventually("all three read", || async {
        world.json("/api/v1/streams/live/cam").await["readers"]
            .as_array()
            .unwrap()
            .len()
            == 3
    })
    .await;
    let (mut healthy, _) = head(&world, "/live/cam.flv", 1).await;
    let drain = tokio::spawn(async move {
        let mut n = 0;
        while let Ok(Some(chunk)) = healthy.chunk().await {
            n += chunk.len();
            if n > 40_000_000 {
                break;
            }
        }
        n
    });
    eventually("the stalled readers are gone", || async {
        world.json("/api/v1/streams/live/cam").await["readers"]
            .as_array()
            .unwrap()
            .len()
            <= 1
    })
    .await;
    assert!(
        timeout(Duration::from_secs(20), drain)
            .await
            .unwrap()
            .unwrap()
            > 40_000_000,
        "the healthy one goes on"
    );
    // Their connections were cut, not kept.
    for mut socket in stalled {
        let mut rest = Vec::new();
        let _ = timeout(Duration::from_secs(5), socket.read_to_end(&mut rest))
            .await
            .expect("it was closed");
    }
}
