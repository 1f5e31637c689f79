//! The rest of HTTP: pages, health, time, metrics, HTTP/2, TLS, and clients that misbehave.

use std::collections::BTreeMap;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Duration, Instant, timeout};

use crate::support::{client, world};

#[tokio::test]
async fn pages_come_with_a_policy() {
    let world = world(&[]).await;
    for (path, content_type, contains) in [
        ("/", "text/html; charset=utf-8", "console.js"),
        ("/live/cam/", "text/html; charset=utf-8", "player.js"),
        (
            "/console.js",
            "text/javascript; charset=utf-8",
            "/api/v1/streams",
        ),
        ("/player.js", "text/javascript; charset=utf-8", "WebSocket"),
        ("/favicon.ico", "image/svg+xml", "<svg"),
    ] {
        let response = world.client.get(world.url(path)).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        assert_eq!(response.headers()["content-type"], content_type, "{path}");
        assert!(
            response.headers()["content-security-policy"]
                .to_str()
                .unwrap()
                .contains("default-src 'self'")
        );
        assert!(response.text().await.unwrap().contains(contains), "{path}");
    }
    let response = world
        .client
        .get(world.url("/live/cam?token=x"))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 308);
    assert_eq!(response.headers()["location"], "./cam/?token=x");
    for path in [
        "/live//cam",
        "//evil/",
        "/%5c%5cevil/",
        "/live/%3Cscript%3E/",
        "/live/%2e%2e/%2e%2e/etc/passwd",
    ] {
        assert_eq!(raw_status(&world, path).await, 404, "{path}");
    }
}

/// The status of a path sent as it stands.
async fn raw_status(world: &crate::support::World, path: &str) -> u16 {
    let mut socket = TcpStream::connect(world.running.addresses().http.unwrap())
        .await
        .unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn health_and_time() {
    let world = world(&[]).await;
    assert_eq!(world.status("/healthz").await, 200);
    assert_eq!(world.status("/readyz").await, 200);
    let response = world.client.get(world.url("/time")).send().await.unwrap();
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert_eq!(response.headers()["access-control-allow-origin"], "*");
    let text = response.text().await.unwrap();
    assert!(
        text.len() == 24 && text.ends_with('Z') && text.as_bytes()[19] == b'.',
        "{text}"
    );
}

/// Reads the Prometheus text format strictly: each sample belongs to a declared metric.
fn samples(text: &str) -> BTreeMap<String, f64> {
    let mut declared = BTreeMap::new();
    let mut samples = BTreeMap::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(matches!(kind, "counter" | "gauge"), "{line}");
            assert!(
                declared.insert(name.to_owned(), kind.to_owned()).is_none(),
                "declared twice: {name}"
            );
            assert_eq!(kind == "counter", name.ends_with("_total"), "{name}");
        } else if !line.starts_with('#') {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let name = series.split('{').next().unwrap();
            assert!(declared.contains_key(name), "not declared: {line}");
            assert!(!series.contains('{') || series.ends_with('}'), "{line}");
            assert!(
                samples
                    .insert(series.to_owned(), value.parse().unwrap())
                    .is_none(),
                "twice: {series}"
            );
        }
    }
    samples
}

#[tokio::test]
async fn metrics_can_be_parsed_and_count() {
    let world = world(&[]).await;
    let _publisher = world.publish("live/cam").await;
    let mut reader = world
        .client
        .get(world.url("/live/cam.flv"))
        .send()
        .await
        .unwrap();
    let mut first = 0;
    for _ in 0..10 {
        first = reader.chunk().await.unwrap().unwrap().len().max(first);
    }
    let scrape = || async {
        let response = world
            .client
            .get(world.url("/metrics"))
            .send()
            .await
            .unwrap();
        assert_eq!(
            response.headers()["content-type"],
            "text/plain; version=0.0.4; charset=utf-8"
        );
        samples(&response.text().await.unwrap())
    };
    let during = scrape().await;
    assert_eq!(during["millstream_streams{state=\"publishing\"}"], 1.0);
    assert_eq!(
        during["millstream_stream_readers{stream=\"live/cam\",protocol=\"http-flv\"}"],
        1.0
    );
    assert!(during["millstream_stream_frames_in_total{stream=\"live/cam\"}"] > 60.0);
    assert!(during["process_resident_memory_bytes"] > 1e6 && during["process_open_fds"] > 3.0);
    assert!(
        during.contains_key("millstream_stream_repairs_total{stream=\"live/cam\",kind=\"jump\"}")
    );
    assert!(during["millstream_bytes_out_total{protocol=\"http-flv\"}"] >= first as f64);
    drop(reader);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let after = scrape().await;
    let out = "millstream_bytes_out_total{protocol=\"http-flv\"}";
    assert!(
        after[out] >= during[out],
        "what was sent stays counted when the reader leaves"
    );
    assert_eq!(
        after["millstream_reader_sessions_total{protocol=\"http-flv\"}"],
        1.0
    );
    assert!(
        !after.contains_key("millstream_stream_readers{stream=\"live/cam\",protocol=\"http-flv\"}")
    );
}

#[tokio::test]
async fn http2_with_prior_knowledge() {
    let world = world(&[]).await;
    let _publisher = world.publish("live/cam").await;
    let _ = client();
    let h2 = reqwest::Client::builder()
        .http2_prior_knowledge()
        .no_proxy()
        .build()
        .unwrap();
    let mut response = h2.get(world.url("/live/cam.flv")).send().await.unwrap();
    assert_eq!(
        (response.version(), response.status().as_u16()),
        (reqwest::Version::HTTP_2, 200)
    );
    assert_eq!(&response.chunk().await.unwrap().unwrap()[..3], b"FLV");
    // A second request on the same connection, while the first goes on.
    let time = h2.get(world.url("/time")).send().await.unwrap();
    assert_eq!(time.version(), reqwest::Version::HTTP_2);
}

#[tokio::test]
async fn tls_offers_both_versions() {
    let dir = tempfile::tempdir().unwrap();
    let pair = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (certificate, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    std::fs::write(&certificate, pair.cert.pem()).unwrap();
    std::fs::write(&key, pair.signing_key.serialize_pem()).unwrap();
    let world = world(&[
        ("http.tls_listen", "127.0.0.1:0"),
        ("tls.certificate", certificate.to_str().unwrap()),
        ("tls.key", key.to_str().unwrap()),
    ])
    .await;
    let _publisher = world.publish("live/cam").await;
    let root = reqwest::Certificate::from_pem(pair.cert.pem().as_bytes()).unwrap();
    let url = format!(
        "https://localhost:{}",
        world.running.addresses().https.unwrap().port()
    );
    let builder = || {
        reqwest::Client::builder()
            .tls_certs_only([root.clone()])
            .no_proxy()
    };
    for (client, version) in [
        (builder().build().unwrap(), reqwest::Version::HTTP_2),
        (
            builder().http1_only().build().unwrap(),
            reqwest::Version::HTTP_11,
        ),
    ] {
        let mut response = client
            .get(format!("{url}/live/cam.flv"))
            .send()
            .await
            .unwrap();
        assert_eq!(response.version(), version);
        assert_eq!(&response.chunk().await.unwrap().unwrap()[..3], b"FLV");
    }
    // Plain HTTP on the TLS port, and nothing at all, end without harm.
    let addr = world.running.addresses().https.unwrap();
    let mut plain = TcpStream::connect(addr).await.unwrap();
    plain
        .write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await
        .unwrap();
    let mut rest = Vec::new();
    let _ = timeout(Duration::from_secs(6), plain.read_to_end(&mut rest))
        .await
        .expect("closed");
}

#[tokio::test]
async fn a_bad_certificate_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("cert.pem");
    std::fs::write(&file, "nothing of the kind").unwrap();
    let mut config = millstream_server::config::Config::default();
    for (key, value) in [
        ("http.listen", "127.0.0.1:0"),
        ("rtmp.listen", ""),
        ("tls.certificate", file.to_str().unwrap()),
        ("tls.key", file.to_str().unwrap()),
    ] {
        config.set(key, value).unwrap();
    }
    let e = millstream_server::Server::start(config).await.unwrap_err();
    assert!(e.to_string().contains("cert.pem"), "{e}");
}

#[tokio::test]
async fn slow_and_huge_headers_end() {
    let world = world(&[("limits.http_header_ms", "500")]).await;
    let addr = world.running.addresses().http.unwrap();
    for first in ["", "P", "GET / HT", "GET / HTTP/1.1\r\nHost: x\r\nA: "] {
        let mut socket = TcpStream::connect(addr).await.unwrap();
        socket.write_all(first.as_bytes()).await.unwrap();
        let begun = Instant::now();
        let mut rest = Vec::new();
        let _ = timeout(Duration::from_secs(5), socket.read_to_end(&mut rest))
            .await
            .expect("closed in time");
        assert!(
            begun.elapsed() < Duration::from_secs(3),
            "{first:?} took {:?}",
            begun.elapsed()
        );
    }
    let mut socket = TcpStream::connect(addr).await.unwrap();
    let huge = format!(
        "GET / HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n",
        "x".repeat(20_000)
    );
    let _ = socket.write_all(huge.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = timeout(Duration::from_secs(5), socket.read_to_end(&mut answer))
        .await
        .expect("closed");
    assert!(
        answer.starts_with(b"HTTP/1.1 431"),
        "{}",
        String::from_utf8_lossy(&answer)
    );
}

#[tokio::test]
async fn a_shutdown_ends_readers_and_frees_the_port() {
    let world = world(&[("shutdown.drain_s", "5")]).await;
    let _publisher = world.publish("live/cam").await;
    let mut reader = world
        .client
        .get(world.url("/live/cam.flv"))
        .send()
        .await
        .unwrap();
    reader.chunk().await.unwrap().unwrap();
    let addr = world.running.addresses().http.unwrap();
    let begun = Instant::now();
    let ended = tokio::spawn(async move {
        while reader.chunk().await?.is_some() {}
        Ok::<_, reqwest::Error>(())
    });
    world.running.shutdown().await;
    assert!(
        begun.elapsed() < Duration::from_secs(4),
        "{:?}",
        begun.elapsed()
    );
    ended.await.unwrap().expect("the answer ended as it should");
    assert!(TcpStream::connect(addr).await.is_err());
}
