//! Too many at once: connections, silent ones, held requests, and a process without file descriptors.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Duration, Instant, sleep, timeout};

use crate::support::{World, eventually, world};

const GET: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";

async fn connect(world: &World) -> TcpStream {
    TcpStream::connect(world.running.addresses().http.unwrap())
        .await
        .unwrap()
}

/// Asks for something small and takes the answer; false when the connection is over.
async fn ask(socket: &mut TcpStream) -> bool {
    if socket.write_all(GET).await.is_err() {
        return false;
    }
    let mut got = Vec::new();
    while !got.ends_with(b"ok\n") {
        match timeout(Duration::from_secs(5), socket.read_buf(&mut got)).await {
            Ok(Ok(n)) if n > 0 => {}
            _ => return false,
        }
    }
    got.starts_with(b"HTTP/1.1 200")
}

/// Everything until the peer closes, and how long that took.
async fn rest(socket: &mut TcpStream) -> (String, Duration) {
    let begun = Instant::now();
    let mut got = Vec::new();
    let _ = timeout(Duration::from_secs(10), socket.read_to_end(&mut got))
        .await
        .expect("it is closed");
    (String::from_utf8_lossy(&got).into_owned(), begun.elapsed())
}

#[tokio::test]
async fn past_the_limit_connections_are_told_at_once_and_others_lose_nothing() {
    let world = world(&[("limits.sessions", "3")]).await;
    let options = synth::Options::default().frames(150);
    let _publisher = world.publish_with("live/cam", options).await;
    let mut reader = world
        .client
        .get(world.url("/live/cam.flv"))
        .send()
        .await
        .unwrap();
    let mut held = vec![connect(&world).await, connect(&world).await];
    for socket in &mut held {
        assert!(ask(socket).await);
    }
    let taking = tokio::spawn(async move {
        let mut got = Vec::new();
        while let Some(chunk) = reader.chunk().await.unwrap() {
            got.extend_from_slice(&chunk);
        }
        got
    });
    let mut slowest = Duration::ZERO;
    for n in 0..20 {
        let begun = Instant::now();
        let mut socket = connect(&world).await;
        // Whether or not the request is there already, its answer arrives whole.
        if n % 2 == 0 {
            socket.write_all(GET).await.unwrap();
        }
        let (text, _) = rest(&mut socket).await;
        slowest = slowest.max(begun.elapsed());
        assert!(text.starts_with("HTTP/1.1 503 "), "{text}");
        assert!(text.contains("\r\nRetry-After: 5\r\n"), "{text}");
        let body = text.split_once("\r\n\r\n").unwrap().1;
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["error"]["code"], "overloaded");
    }
    assert!(slowest < Duration::from_millis(50), "{slowest:?}");
    let got = taking.await.unwrap();
    // From the key frame it began at to the last one, at 30 a second, none is missing.
    let times = picture_times(&got);
    assert!(times.len() >= 90, "{}", times.len());
    for pair in times.windows(2) {
        assert!((33..=34).contains(&(pair[1] - pair[0])), "{pair:?}");
    }
    assert_eq!(times.last().unwrap() / 100, 49, "the 150th is at 4966 ms");
    drop(held);
    eventually("there is room again", || async {
        ask(&mut connect(&world).await).await
    })
    .await;
}

/// Times of the pictures of an FLV file, in milliseconds.
fn picture_times(flv: &[u8]) -> Vec<u32> {
    let (mut at, mut times) = (13, Vec::new());
    while let Some(tag) = flv.get(at..at + 13) {
        let len = u32::from_be_bytes([0, tag[1], tag[2], tag[3]]) as usize;
        // AVC packet type 1: a picture, not a configuration.
        if tag[0] == 9 && tag[12] == 1 {
            times.push(u32::from_be_bytes([tag[7], tag[4], tag[5], tag[6]]));
        }
        at += 11 + len + 4;
    }
    times
}

#[tokio::test]
async fn those_who_ask_for_nothing_have_few_places() {
    let world = world(&[("limits.unauthenticated_sessions", "2")]).await;
    let mut asked = connect(&world).await;
    assert!(ask(&mut asked).await);
    let silent = [connect(&world).await, connect(&world).await];
    sleep(Duration::from_millis(100)).await;
    let (text, _) = rest(&mut connect(&world).await).await;
    assert!(text.starts_with("HTTP/1.1 503 "), "{text}");
    assert!(ask(&mut asked).await, "who has asked before stays");
    drop(silent);
    eventually("there is room again", || async {
        ask(&mut connect(&world).await).await
    })
    .await;
}

#[tokio::test]
async fn an_idle_connection_is_kept_and_a_slow_header_is_not() {
    let times = [
        ("limits.http_header_ms", "300"),
        ("limits.http_idle_ms", "1500"),
    ];
    let world = world(&times).await;
    // Longer than a header may take, shorter than an idle connection is kept.
    let mut socket = connect(&world).await;
    for _ in 0..3 {
        assert!(ask(&mut socket).await);
        sleep(Duration::from_millis(700)).await;
    }
    let (text, took) = rest(&mut socket).await;
    assert_eq!(text, "");
    assert!((600..1_800).contains(&took.as_millis()), "{took:?}");

    let mut socket = connect(&world).await;
    assert!(ask(&mut socket).await);
    socket.write_all(b"GET /heal").await.unwrap();
    let trickle = Instant::now();
    while socket.write_all(b"t").await.is_ok() && trickle.elapsed() < Duration::from_secs(3) {
        sleep(Duration::from_millis(50)).await;
    }
    assert!(
        trickle.elapsed() < Duration::from_millis(900),
        "{:?}",
        trickle.elapsed()
    );
}

#[tokio::test]
async fn a_silent_http2_peer_is_let_go() {
    let world = world(&[("limits.http_header_ms", "300")]).await;
    // The preface and empty settings, and then nothing.
    let mut socket = connect(&world).await;
    socket
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
        .await
        .unwrap();
    let (_, took) = rest(&mut socket).await;
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[tokio::test]
async fn a_websocket_is_no_idle_connection() {
    let world = world(&[
        ("limits.http_idle_ms", "300"),
        ("limits.http_header_ms", "300"),
    ])
    .await;
    let publisher = world.publish("live/cam").await;
    let (mut socket, _) = tokio_tungstenite::connect_async(world.ws("/live/cam.flv"))
        .await
        .unwrap();
    // In its grace the stream is silent, and so are both sides.
    drop(publisher);
    let silent = async {
        loop {
            use futures_util::StreamExt;
            match socket.next().await {
                Some(Ok(message)) if !message.is_close() => {}
                over => return over,
            }
        }
    };
    assert!(timeout(Duration::from_secs(2), silent).await.is_err());
}

#[tokio::test]
async fn held_requests_are_bounded() {
    let world = world(&[("limits.http_held", "1")]).await;
    let _publisher = world.publish("live/cam").await;
    let text = |path: String| {
        let request = world.client.get(world.url(&path));
        async move { request.send().await.unwrap().text().await.unwrap() }
    };
    let multivariant = text("/live/cam/index.m3u8".to_owned()).await;
    let uri = multivariant
        .lines()
        .find(|l| !l.is_empty() && !l.starts_with('#'))
        .unwrap();
    let playlist = text(format!("/live/cam/{uri}")).await;
    let first: u64 = playlist
        .lines()
        .find_map(|l| l.strip_prefix("#EXT-X-MEDIA-SEQUENCE:"))
        .unwrap()
        .parse()
        .unwrap();
    let next = first + playlist.matches("#EXTINF").count() as u64 + 1;
    let get = || {
        world
            .client
            .get(world.url(&format!("/live/cam/{uri}?_HLS_msn={next}")))
            .send()
    };
    let held = tokio::spawn(get());
    sleep(Duration::from_millis(200)).await;
    let refused = get().await.unwrap();
    assert_eq!(refused.status(), 503);
    assert!(refused.headers().contains_key("retry-after"));
    assert_eq!(held.await.unwrap().unwrap().status(), 200);
    assert_eq!(get().await.unwrap().status(), 200);
}

/// Says that this process is the one whose limit of open files may be changed.
const EXHAUSTED: &str = "MILLSTREAM_TEST_EXHAUSTED";

/// Runs itself again in a process of its own, since the limit of open files is one of the process.
#[test]
fn without_file_descriptors_nothing_spins_and_nobody_hangs() {
    if std::env::var_os(EXHAUSTED).is_some() {
        return tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(exhausted());
    }
    let name = "admission::without_file_descriptors_nothing_spins_and_nobody_hangs";
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(EXHAUSTED, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

async fn exhausted() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let world = world(&[("limits.sessions", "1000")]).await;
    let mut open = connect(&world).await;
    assert!(ask(&mut open).await);
    let maximum = getrlimit(Resource::Nofile).maximum;
    let files = std::fs::read_dir("/proc/self/fd").unwrap().count() as u64;
    let limit = |current| setrlimit(Resource::Nofile, Rlimit { current, maximum }).unwrap();

    // Both ends of a connection are in this process: one descriptor is left, and it goes to the client's end.
    limit(Some(files + 12));
    let null = || std::fs::File::open("/dev/null");
    let mut taken: Vec<_> = std::iter::from_fn(|| null().ok()).collect();
    taken.pop();
    let (before, begun) = (cpu(), Instant::now());
    let mut told = 0;
    while begun.elapsed() < Duration::from_secs(2) {
        let mut client = connect(&world).await;
        let (text, _) = rest(&mut client).await;
        assert!(text.starts_with("HTTP/1.1 503 "), "{text:?}");
        told += 1;
    }
    let share = (cpu() - before).as_secs_f64() / begun.elapsed().as_secs_f64();
    assert!(share < 0.05, "{:.1} % of a core", share * 100.0);
    assert!(told > 10, "{told}");
    assert!(ask(&mut open).await, "who is there goes on");

    // Somebody is in the queue when descriptors become free.
    let mut client = connect(&world).await;
    let _ = rest(&mut client).await;
    taken.clear();
    let freed = Instant::now();
    assert!(ask(&mut connect(&world).await).await);
    assert!(
        freed.elapsed() < Duration::from_secs(1),
        "{:?}",
        freed.elapsed()
    );
    limit(maximum);
}

fn cpu() -> Duration {
    millstream_server::process::usage().cpu
}
