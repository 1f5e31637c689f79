//! RTMPS: the same bytes under TLS, both ways, and what goes wrong.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bus::IngestContext;
use millstream_ingest_rtmp::client::Target;
use millstream_ingest_rtmp::net::Config;
use millstream_ingest_rtmp::net::client::{LinkState, Pull, Push, Trust};
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use testkit::clients;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

use super::stage::{Stage, engine, key, reader, source, up};
use crate::rig::until;

/// A server's TLS, and the PEM text of the certificate that a client has to trust.
fn certificate(is_ca: IsCa) -> (Arc<ServerConfig>, Vec<u8>) {
    let names = vec!["localhost".to_owned()];
    let mut params = CertificateParams::new(names).unwrap();
    params.is_ca = is_ca;
    let pair = KeyPair::generate().unwrap();
    let made = params.self_signed(&pair).unwrap();
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(pair.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.der().clone()], private);
    (Arc::new(config.unwrap()), made.pem().into_bytes())
}

fn secure() -> (Stage, Vec<u8>) {
    secure_with(IsCa::NoCa)
}

fn secure_with(is_ca: IsCa) -> (Stage, Vec<u8>) {
    let (tls, pem) = certificate(is_ca);
    let mut config = Config::new(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    config.tls = Some(tls);
    config.limits.handshake_ms = 1_500;
    (Stage::with(config), pem)
}

fn url(stage: &Stage) -> String {
    format!("rtmps://localhost:{}/live/cam", stage.address.port())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_over_tls_carries_every_byte() {
    let (b, pem) = secure();
    let (a, c) = (engine(), engine());
    let stop = CancellationToken::new();
    let target = Target::parse(&url(&b)).unwrap();
    let trust = Trust::SystemAnd(pem).config().unwrap();
    let mut push = Push::new(key(), target.clone());
    push.connect.tls = Some(Arc::clone(&trust));
    let push = push.spawn(a.clone(), stop.clone());
    let mut pull = Pull::new(target, key());
    pull.connect.tls = Some(trust);
    let pull = pull.spawn(IngestContext::new(c.clone()), stop.clone());
    let books = reader(&c, stop.clone());
    let sent = source(&a, 3).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(push.counts().frames, sent.len() as u64);
    assert_eq!(pull.counts().frames, sent.len() as u64);
    stop.cancel();
    let books = books.await.unwrap();
    assert!(books.check(&sent).is_empty());
    assert_eq!(books.hashes.len(), sent.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_nobody_vouches_for_is_refused() {
    let (b, _) = secure();
    let _source = source(&b.engine, 30);
    let c = engine();
    let target = Target::parse(&url(&b)).unwrap();
    let stop = CancellationToken::new();
    let strict = Pull::new(target.clone(), key());
    let strict = strict.spawn(IngestContext::new(c.clone()), stop.clone());
    until("it is refused", || {
        matches!(strict.state(), LinkState::Waiting { ref why, .. } if why.contains("certificate"))
    })
    .await;
    assert!(c.get_stream(&key()).is_err());
    // Who says so trusts anybody.
    let mut lax = Pull::new(target, key());
    lax.connect.tls = Some(Trust::Anybody.config().unwrap());
    let lax = lax.spawn(IngestContext::new(c.clone()), stop.clone());
    up("the pull that trusts anybody", &lax).await;
    until("it plays", || c.get_stream(&key()).is_ok()).await;
    stop.cancel();
}

/// What `openssl req -x509` makes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_servers_own_certificate_may_be_marked_as_an_authority() {
    let (b, pem) = secure_with(IsCa::Ca(BasicConstraints::Unconstrained));
    let _source = source(&b.engine, 30);
    let trust = Trust::SystemAnd(pem).config().unwrap();
    let stop = CancellationToken::new();
    let pull = |url: &str| {
        let mut pull = Pull::new(Target::parse(url).unwrap(), key());
        pull.connect.tls = Some(Arc::clone(&trust));
        pull.spawn(IngestContext::new(engine()), stop.clone())
    };
    up("the pull", &pull(&url(&b))).await;
    // Under another name it is still nobody's.
    let other = pull(&url(&b).replace("localhost", "127.0.0.1"));
    until("it is refused", || {
        matches!(other.state(), LinkState::Waiting { ref why, .. } if why.contains("certificate"))
    })
    .await;
    stop.cancel();
}

#[tokio::test]
async fn half_a_tls_handshake_and_plain_rtmp_are_closed() {
    let (b, _) = secure();
    let start = Instant::now();
    // A record header that promises a long hello.
    let mut stuck = tokio::net::TcpStream::connect(b.address).await.unwrap();
    stuck.write_all(&[22, 3, 1, 0x10, 0, 1, 0]).await.unwrap();
    let mut plain = tokio::net::TcpStream::connect(b.address).await.unwrap();
    plain.write_all(&[3; 1_537]).await.unwrap();
    let mut rest = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(1), plain.read_to_end(&mut rest));
    read.await.expect("closed at once").ok();
    assert!(rest.len() <= 7, "an alert at most: {rest:?}");
    rest.clear();
    let read = tokio::time::timeout(Duration::from_secs(4), stuck.read_to_end(&mut rest));
    read.await.expect("closed in time").ok();
    let waited = start.elapsed();
    assert!(waited >= Duration::from_millis(1_400), "{waited:?}");
    assert!(waited < Duration::from_secs(3), "{waited:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ffmpeg_publishes_and_plays_under_tls() {
    let (Some(publisher), Some(player)) = (clients::ffmpeg(), clients::ffmpeg()) else {
        return;
    };
    let (b, _) = secure();
    let publisher = publisher
        .line("-re -f lavfi -i testsrc2=s=320x180:r=25 -f lavfi -i sine=r=48000 -t 5")
        .line("-c:v libx264 -preset ultrafast -tune zerolatency -g 25 -c:a aac -f flv")
        .arg(url(&b))
        .spawn()
        .unwrap();
    until("ffmpeg publishes", || {
        let stream = b.engine.get_stream(&key());
        stream.is_ok_and(|s| s.qos().frames_in > 20)
    })
    .await;
    let player = player
        .args(["-t", "2", "-i", &url(&b)])
        .line("-map 0 -c copy -f framecrc -")
        .spawn()
        .unwrap();
    let done = tokio::task::spawn_blocking(move || {
        let player = player.finish_within(Duration::from_secs(20));
        (player, publisher.finish_within(Duration::from_secs(20)))
    });
    let (player, publisher) = done.await.unwrap();
    let packets = |track: &str| {
        player
            .text()
            .lines()
            .filter(|l| l.starts_with(track))
            .count()
    };
    assert!(
        packets("0,") >= 45 && packets("1,") >= 80,
        "{}",
        player.stderr
    );
    assert!(publisher.stderr.is_empty(), "{}", publisher.stderr);
}
