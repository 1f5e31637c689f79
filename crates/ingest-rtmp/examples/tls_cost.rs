//! Measures what TLS costs the fan-out: players of one stream of 4.2 Mb/s, plain and under TLS, and beside them the floor,
//! which is sealing the same bytes with the same cipher and nothing else.
//!
//! `tls_cost [PLAYERS] [SECONDS]` starts a server process of its own and prints CPU-seconds per gigabit of media.

#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::indexing_slicing)]

use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bus::{AppSpec, Engine, IngestContext};
use core_frame::StreamKey;
use millstream_ingest_rtmp::client::{Role, Target};
use millstream_ingest_rtmp::net::client::{Client, Connect, Trust};
use millstream_ingest_rtmp::net::{Config, RtmpProtocol};
use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, Algorithm, LessSafeKey, Nonce, UnboundKey};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_util::sync::CancellationToken;

const RECORD: usize = 16 * 1024;

#[tokio::main]
async fn main() {
    let mut args = std::env::args().skip(1);
    let first = args.next();
    if first.as_deref() == Some("server") {
        return serve(args.next().as_deref() == Some("128")).await;
    }
    let players = first.and_then(|n| n.parse().ok()).unwrap_or(200);
    let seconds = args.next().and_then(|n| n.parse().ok()).unwrap_or(15);
    let mut plain = 0.0;
    for (suite, algorithm) in [("128", &AES_128_GCM), ("256", &AES_256_GCM)] {
        let mut server = Command::new(std::env::current_exe().unwrap())
            .args(["server", suite])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut out = BufReader::new(server.stdout.take().unwrap());
        out.read_line(&mut line).unwrap();
        let ports: Vec<u16> = line
            .split_whitespace()
            .map(|p| p.parse().unwrap())
            .collect();
        let pid = server.id();
        let plain_url = format!("rtmp://127.0.0.1:{}/live/cam", ports[0]);
        let tls_url = format!("rtmps://127.0.0.1:{}/live/cam", ports[1]);
        if suite == "128" {
            plain = measure("plain", &plain_url, players, seconds, pid).await;
        }
        let tls = measure(
            &format!("TLS, AES-{suite}-GCM"),
            &tls_url,
            players,
            seconds,
            pid,
        )
        .await;
        let floor = seal(algorithm, seconds);
        println!("  sealing alone, AES-{suite}-GCM: {floor:.4} CPU-s/Gbit");
        println!(
            "  TLS adds {:.4}, {:.2} times the sealing; in all {:.2} times the sealing",
            tls - plain,
            (tls - plain) / floor,
            tls / floor
        );
        server.kill().unwrap();
        server.wait().unwrap();
    }
}

/// Both listeners over one stream; ends with its input.
async fn serve(aes_128: bool) {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let mut provider = rustls::crypto::ring::default_provider();
    provider.cipher_suites = vec![match aes_128 {
        true => rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256,
        false => rustls::crypto::ring::cipher_suite::TLS13_AES_256_GCM_SHA384,
    }];
    let tls = rustls::ServerConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let engine = Engine::builder()
        .allow_any_app(AppSpec::new("live"))
        .build();
    let mut ports = Vec::new();
    for tls in [None, Some(Arc::new(tls))] {
        let mut config = Config::new(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        config.tls = tls;
        let rtmp = RtmpProtocol::bind(config).unwrap();
        let rtmp = rtmp.with_playback(engine.clone());
        ports.push(rtmp.local_addr().port().to_string());
        let engine = engine.clone();
        tokio::spawn(async move { engine.serve(Arc::new(rtmp), CancellationToken::new()).await });
    }
    tokio::spawn(publish(IngestContext::new(engine)));
    println!("{}", ports.join(" "));
    let told = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    told.await.unwrap().unwrap();
}

async fn publish(ctx: IngestContext) {
    let options = synth::Options::default().fps(30).gop(60).bitrate(4_200_000);
    let source = synth::Source::new(options).unwrap();
    let session = ctx
        .open_publish(StreamKey::new("live", "cam"))
        .await
        .unwrap();
    session.set_tracks(source.tracks()).unwrap();
    let begin = tokio::time::Instant::now();
    for frame in source {
        tokio::time::sleep_until(begin + frame.dts.to_duration()).await;
        session.publish_frame(frame).unwrap();
    }
}

/// CPU time of a process so far, in seconds.
fn cpu(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let rest = stat.rsplit(')').next().unwrap_or_default();
    let fields: Vec<f64> = rest
        .split_whitespace()
        .map(|f| f.parse().unwrap_or(0.0))
        .collect();
    // utime and stime, in ticks of 10 ms.
    (fields[11] + fields[12]) / 100.0
}

async fn measure(what: &str, url: &str, players: usize, seconds: u64, pid: u32) -> f64 {
    tokio::time::sleep(Duration::from_secs(1)).await;
    let bytes = Arc::new(AtomicU64::new(0));
    let mut connect = Connect::default();
    connect.tls = Some(Trust::Anybody.config().unwrap());
    let connect = Arc::new(connect);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..players {
        let (bytes, connect) = (Arc::clone(&bytes), Arc::clone(&connect));
        let target = Target::parse(url).unwrap();
        tasks.spawn(async move {
            let config = connect.config(target, Role::Play);
            let mut client = Client::open(&connect, config).await.unwrap();
            let mut counted = 0;
            while let Ok(Some(_)) = client.next().await {
                bytes.fetch_add(client.received() - counted, Ordering::Relaxed);
                counted = client.received();
            }
        });
        tokio::time::sleep(Duration::from_millis(4)).await;
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    let (before, used, start) = (bytes.load(Ordering::Relaxed), cpu(pid), Instant::now());
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let gigabits = (bytes.load(Ordering::Relaxed) - before) as f64 * 8.0 / 1e9;
    let used = cpu(pid) - used;
    let per_gigabit = used / gigabits;
    println!(
        "{what}: {players} players, {gigabits:.2} Gbit ({:.2} Gb/s), server {used:.2} CPU-s = {per_gigabit:.4} CPU-s/Gbit",
        gigabits / start.elapsed().as_secs_f64()
    );
    per_gigabit
}

/// CPU-seconds per gigabit of sealing full records in place, over more memory than a first-level cache has.
fn seal(algorithm: &'static Algorithm, seconds: u64) -> f64 {
    let key = vec![7; algorithm.key_len()];
    let key = LessSafeKey::new(UnboundKey::new(algorithm, &key).unwrap());
    let mut records = vec![vec![7_u8; RECORD]; 64];
    let own = std::process::id();
    let (used, start, mut sealed) = (cpu(own), Instant::now(), 0_u64);
    while start.elapsed() < Duration::from_secs(seconds.min(5)) {
        for record in &mut records {
            let mut nonce = [0; 12];
            nonce[..8].copy_from_slice(&sealed.to_be_bytes());
            let nonce = Nonce::assume_unique_for_key(nonce);
            let tag = key.seal_in_place_separate_tag(nonce, Aad::empty(), record);
            let _ = std::hint::black_box(tag.unwrap());
            sealed += 1;
        }
    }
    (cpu(own) - used) / (sealed as f64 * RECORD as f64 * 8.0 / 1e9)
}
