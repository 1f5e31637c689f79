//! Certificates: RTMPS both ways, and a certificate that changes while the server runs.

use std::path::Path;
use std::sync::Arc;

use core_frame::StreamKey;
use tokio::net::TcpStream;
use tokio::time::{Duration, timeout};

use crate::support::{World, eventually, world};

/// Writes a fresh pair and returns the certificate as PEM.
fn write_pair(dir: &Path) -> String {
    let pair = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    // Each by a rename, as certificate tools do it.
    for (name, text) in [
        ("cert.pem", pair.cert.pem()),
        ("key.pem", pair.signing_key.serialize_pem()),
    ] {
        std::fs::write(dir.join("new"), text).unwrap();
        std::fs::rename(dir.join("new"), dir.join(name)).unwrap();
    }
    pair.cert.pem()
}

async fn secure(dir: &Path, more: &[(&str, &str)]) -> World {
    let (certificate, key) = (dir.join("cert.pem"), dir.join("key.pem"));
    let mut settings = vec![
        ("http.tls_listen", "127.0.0.1:0"),
        ("rtmps.listen", "127.0.0.1:0"),
        ("tls.certificate", certificate.to_str().unwrap()),
        ("tls.key", key.to_str().unwrap()),
    ];
    settings.extend(more);
    world(&settings).await
}

#[tokio::test]
async fn rtmps_is_pulled_and_pushed_and_trusted_by_name() {
    let dir = tempfile::tempdir().unwrap();
    write_pair(dir.path());
    let origin = secure(dir.path(), &[]).await;
    let port = origin.running.addresses().rtmps.unwrap().port();
    let page = origin.client.get(origin.url("/")).send().await.unwrap();
    let page = page.text().await.unwrap();
    assert!(
        page.contains(&format!("&quot;rtmps&quot;:{port}")),
        "{page}"
    );

    let _cam = origin.publish("live/cam").await;
    let (source, target) = (
        format!("rtmps://localhost:{port}/live/cam"),
        format!("rtmps://localhost:{port}/back/{{name}}"),
    );
    let ca = dir.path().join("cert.pem");
    let _edge = world(&[
        ("stream.edge/cam.source", &source),
        ("push.edge/*.target", &target),
        ("tls.ca", ca.to_str().unwrap()),
    ])
    .await;
    let back = StreamKey::new("back", "cam");
    eventually("it went there and back", || async {
        let stream = origin.running.engine().get_stream(&back);
        stream.is_ok_and(|s| s.qos().frames_in > 60)
    })
    .await;

    // Without that authority nothing is sent, and it says why.
    let stranger = world(&[("stream.edge/cam.source", &source)]).await;
    eventually("it is not trusted", || async {
        let sources = stranger.json("/api/v1/sources").await;
        let error = sources["items"][0]["error"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        error.contains("certificate")
    })
    .await;
}

/// The certificate that a TLS port shows.
async fn shown(world: &World) -> Vec<u8> {
    let addr = world.running.addresses().https.unwrap();
    let trust = ingest_rtmp::net::client::Trust::Anybody.config().unwrap();
    let connector = tokio_rustls::TlsConnector::from(trust);
    let stream = TcpStream::connect(addr).await.unwrap();
    let name = rustls_pki_types::ServerName::try_from("localhost").unwrap();
    let stream = timeout(Duration::from_secs(5), connector.connect(name, stream))
        .await
        .unwrap()
        .unwrap();
    let (_, connection) = stream.get_ref();
    connection.peer_certificates().unwrap()[0].to_vec()
}

#[tokio::test]
async fn a_new_certificate_is_taken_without_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    write_pair(dir.path());
    let world = Arc::new(secure(dir.path(), &[]).await);
    let first = shown(&world).await;
    assert_eq!(shown(&world).await, first);
    write_pair(dir.path());
    eventually("the new one is shown", || async {
        shown(&world).await != first
    })
    .await;
    // What is no pair is not taken.
    let second = shown(&world).await;
    std::fs::write(dir.path().join("key.pem"), "nothing of the kind").unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(shown(&world).await, second);
}

#[tokio::test]
async fn over_tls_too_a_full_server_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let root = write_pair(dir.path());
    let world = secure(dir.path(), &[("limits.sessions", "1")]).await;
    let root = reqwest::Certificate::from_pem(root.as_bytes()).unwrap();
    let _ = crate::support::client();
    let client = reqwest::Client::builder()
        .tls_certs_only([root])
        .no_proxy()
        .build()
        .unwrap();
    let _held = TcpStream::connect(world.running.addresses().http.unwrap())
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let port = world.running.addresses().https.unwrap().port();
    let begun = std::time::Instant::now();
    let response = client
        .get(format!("https://localhost:{port}/healthz"))
        .send()
        .await
        .unwrap();
    let took = begun.elapsed();
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()["retry-after"], "5");
    // The handshake's arithmetic is most of it, in a build that is not optimized.
    assert!(took < Duration::from_millis(500), "{took:?}");
}
