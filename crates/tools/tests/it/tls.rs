//! RTMPS and HTTPS: certificates are checked, unless nobody wants them to be.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use millstream_tools::TlsOptions;
use millstream_tools::load::{
    ChurnOptions, Errand, PlayOptions, Protocol, PublishOptions, churn, play, publish,
};
use millstream_tools::probe::{ProbeOptions, probe};
use millstream_tools::relay::{RelayOptions, relay};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::rig::{self, Answer, Rtmp};

const SECOND: Duration = Duration::from_secs(1);

/// A certificate for `localhost` in a file, and a port that speaks TLS with it and passes everything on.
struct Front {
    port: u16,
    ca: PathBuf,
    _folder: tempfile::TempDir,
}

impl Front {
    async fn start(behind: SocketAddr) -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])
            .expect("a certificate");
        let folder = tempfile::tempdir().expect("a folder");
        let ca = folder.path().join("ca.pem");
        std::fs::write(&ca, made.cert.pem()).expect("a file");
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("known versions")
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], PrivateKeyDer::from(key))
            .expect("a fitting key");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let Ok(mut outside) = acceptor.accept(stream).await else {
                        return;
                    };
                    let mut inside = TcpStream::connect(behind).await.expect("the server");
                    let _ = copy_bidirectional(&mut outside, &mut inside).await;
                });
            }
        });
        Self {
            port,
            ca,
            _folder: folder,
        }
    }

    fn trusted(&self) -> TlsOptions {
        let mut tls = TlsOptions::default();
        tls.ca = Some(self.ca.clone());
        tls
    }
}

fn insecure() -> TlsOptions {
    let mut tls = TlsOptions::default();
    tls.insecure = true;
    tls
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn media_goes_through_rtmps() {
    let server = Rtmp::start();
    let front = Front::start(server.address).await;
    let url = format!("rtmps://localhost:{}/live/cam", front.port);
    let mut sending = PublishOptions::new(&url);
    sending.duration = 6 * SECOND;
    sending.bitrate = 1_000_000;
    sending.gop = 15;
    sending.tls = front.trusted();
    let sending = tokio::spawn(publish(sending, CancellationToken::new()));
    tokio::time::sleep(SECOND).await;
    for tls in [front.trusted(), insecure()] {
        let mut options = PlayOptions::new(Protocol::Rtmp, &url);
        options.count = 4;
        options.duration = SECOND;
        options.tls = tls;
        let report = play(options, CancellationToken::new()).await.unwrap();
        assert!(report.is_clean(), "{}", report.table());
        assert!(report.numbered_frames > 100, "{}", report.table());
    }
    let mut options = ProbeOptions::default();
    options.duration = SECOND;
    options.tls = front.trusted();
    let report = probe(&url, &options, CancellationToken::new())
        .await
        .unwrap();
    assert_eq!(report.tracks.len(), 2, "{}", report.table());
    // An authority nobody has heard of.
    let mut options = PlayOptions::new(Protocol::Rtmp, &url);
    options.duration = SECOND;
    let report = play(options, CancellationToken::new()).await.unwrap();
    let reason = report.sessions.reasons.keys().next().unwrap();
    assert!(reason.contains("certificate"), "{reason}");
    let mut options = PlayOptions::new(Protocol::Rtmp, &url);
    options.tls.ca = Some(rig::sample("ffmpeg5_h264_aac.flv"));
    assert!(play(options, CancellationToken::new()).await.is_err());
    assert!(sending.await.unwrap().unwrap().is_clean());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_goes_from_rtmps_to_rtmps() {
    let (near, far) = (Rtmp::start(), Rtmp::start());
    let near = Front::start(near.address).await;
    let behind = Front::start(far.address).await;
    let url = format!("rtmps://localhost:{}/live/cam", near.port);
    let mut sending = PublishOptions::new(&url);
    sending.duration = 5 * SECOND;
    sending.bitrate = 500_000;
    sending.gop = 15;
    sending.tls = near.trusted();
    let sending = tokio::spawn(publish(sending, CancellationToken::new()));
    tokio::time::sleep(SECOND).await;
    let to = format!("rtmps://localhost:{}/live/cam", behind.port);
    for (tls, works) in [(insecure(), true), (near.trusted(), false)] {
        let mut options = RelayOptions::new(&url, &to);
        options.tls = tls;
        options.duration = Some(3 * SECOND / 2);
        options.retry = Some(0);
        let report = relay(options, CancellationToken::new(), |_| ())
            .await
            .unwrap();
        assert_eq!(report.has_media(), works, "{}", report.table());
        let why = report.last.target.why.unwrap_or_default();
        assert_eq!(why.contains("certificate"), !works, "{why}");
    }
    drop(sending.await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn https_is_played() {
    let (table, frames) = rig::media(50);
    let file = rig::flv(&table, &frames);
    let http = rig::http(HashMap::from([(
        "/cam.flv".to_owned(),
        Answer::Whole(file),
    )]))
    .await;
    let front = Front::start(http).await;
    let url = format!("https://localhost:{}/cam.flv", front.port);
    for (tls, served) in [(front.trusted(), 1), (TlsOptions::default(), 0)] {
        let mut options = PlayOptions::new(Protocol::Flv, &url);
        options.tls = tls.clone();
        let report = play(options, CancellationToken::new()).await.unwrap();
        assert_eq!(report.sessions.started, served, "{}", report.table());
        assert_eq!(report.numbered_frames, served as u64 * frames.len() as u64);
        let mut options = ChurnOptions::new(vec![(Errand::Http, url.clone())]);
        options.tls = tls;
        options.duration = SECOND / 10;
        options.hold = SECOND / 10;
        options.settle = Duration::ZERO;
        let report = churn(options, CancellationToken::new()).await.unwrap();
        assert_eq!(report.is_clean(), served == 1, "{}", report.table());
    }
}
