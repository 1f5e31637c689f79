//! F15: a process without a free file descriptor refuses at once, idles, and accepts again when there are some.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use millstream_ingest_rtmp::net::Config;

use super::child;
use super::stage::{Stage, source};

const NAME: &str = "net::descriptors::they_run_out_and_come_back";

#[test]
fn they_run_out_and_come_back() {
    if child::is_inside() {
        let runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = { runtime }.worker_threads(2).enable_all().build().unwrap();
        return runtime.block_on(inside());
    }
    let mut server = child::Running::start(NAME);
    let address: SocketAddr = server.says("LISTENS").parse().unwrap();
    // Connections that begin a handshake, many more than there are descriptors.
    let mut peers: Vec<TcpStream> = (0..200)
        .map(|_| {
            let mut peer = TcpStream::connect(address).unwrap();
            let _ = peer.write_all(&[3]);
            peer.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
            peer
        })
        .collect();
    let refused = |peer: &mut TcpStream| {
        let mut buffer = [0; 16];
        match peer.read(&mut buffer) {
            Ok(n) => n == 0,
            Err(e) => e.kind() == std::io::ErrorKind::ConnectionReset,
        }
    };
    // The last is one for which there is no descriptor: it is not left waiting.
    let asked = Instant::now();
    assert!(refused(peers.last_mut().unwrap()));
    assert!(
        asked.elapsed() < Duration::from_millis(500),
        "{:?}",
        asked.elapsed()
    );
    // The server idles, also with one peer that comes again and again.
    let (before, start) = (server.cpu(), Instant::now());
    while start.elapsed() < Duration::from_secs(2) {
        let mut peer = TcpStream::connect(address).unwrap();
        peer.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        assert!(refused(&mut peer));
        std::thread::sleep(Duration::from_millis(50));
    }
    let load = (server.cpu() - before) / start.elapsed().as_secs_f64();
    println!("CPU without descriptors: {:.1} %", load * 100.0);
    // The healthy stream of the server itself is in this figure.
    assert!(load < 0.05, "{load}");

    drop(peers);
    let free = Instant::now();
    let again = loop {
        let mut peer = TcpStream::connect(address).unwrap();
        peer.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        let mut hello = vec![0; 1_537];
        hello[0] = 3;
        let mut answer = [0; 1_537];
        if peer.write_all(&hello).is_ok() && peer.read_exact(&mut answer).is_ok() {
            break free.elapsed();
        }
        assert!(free.elapsed() < Duration::from_secs(3));
        std::thread::sleep(Duration::from_millis(20));
    };
    println!("accepts again after {again:?}");
    assert!(again <= Duration::from_secs(1), "{again:?}");
    server.finish();
}

async fn inside() {
    let mut config = Config::new(SocketAddr::from(([127, 0, 0, 1], 0)));
    // More sessions than descriptors: an operator's mistake.
    config.limits.sessions = 10_000;
    let limit = rustix::process::Rlimit {
        current: Some(64),
        maximum: Some(64),
    };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, limit).unwrap();
    let stage = Stage::with(config);
    let source = source(&stage.engine, 3_600);
    println!("LISTENS {}", stage.address);
    let told = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    told.await.unwrap().unwrap();
    assert!(!source.is_finished(), "the stream that was there goes on");
}
