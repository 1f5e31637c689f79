//! Measures fan-out: one publisher of 4.2 Mb/s, N players, and what that costs the server in CPU time per gigabit.
//!
//! `fanout load ADDRESS PLAYERS SECONDS SERVER_PID` publishes, plays and prints; `fanout floor ADDRESS BYTES MS [PIECES]`
//! is a server that only writes BYTES, in PIECES, to each of its connections every MS: the price of the system call alone, to be measured
//! by `fanout drain ADDRESS PLAYERS SECONDS SERVER_PID`. Run server and load on CPUs of their own (`taskset`).

#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::indexing_slicing)]

use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use core_frame::{CodecId, MediaKind};
use flv::TagKind;
use millstream_ingest_rtmp::client::{Config, Event, Input, Output, Role, Session, Target};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Players that read every message and measure delay; the others only take the bytes.
const WATCHERS: usize = 10;

#[derive(Default)]
struct Figures {
    bytes: AtomicU64,
    /// When each numbered picture was sent.
    sent: Mutex<Vec<Instant>>,
    delays: Mutex<Vec<Duration>>,
    joins: Mutex<Vec<Duration>>,
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let text = |at: usize| args.get(at).map(String::as_str).unwrap_or_default();
    let number = |at: usize| text(at).parse::<u64>().unwrap_or(0);
    match text(0) {
        "floor" => floor(text(1), number(2) as usize, number(3), number(4) as usize),
        mode @ ("load" | "drain") => {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            let (address, players, seconds) = (text(1).to_owned(), number(2) as usize, number(3));
            runtime.block_on(load(address, players, seconds, number(4), mode == "drain"));
        }
        _ => println!("see the top of examples/fanout.rs"),
    }
}

/// CPU time of a process so far, in seconds.
fn cpu(pid: u64) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let rest = stat.rsplit(')').next().unwrap_or_default();
    let fields: Vec<f64> = rest
        .split_whitespace()
        .map(|f| f.parse().unwrap_or(0.0))
        .collect();
    // utime and stime, in ticks of 10 ms.
    (fields.get(11).unwrap_or(&0.0) + fields.get(12).unwrap_or(&0.0)) / 100.0
}

fn rss_kib(pid: u64) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status
        .lines()
        .find(|l| l.starts_with("VmRSS"))
        .unwrap_or_default();
    line.split_whitespace()
        .nth(1)
        .and_then(|n| n.parse().ok())
        .unwrap_or(0)
}

async fn load(address: String, players: usize, seconds: u64, pid: u64, drain_only: bool) {
    let figures = Arc::new(Figures::default());
    if !drain_only {
        let url = format!("rtmp://{address}/live/fanout");
        tokio::spawn(publish(url, Arc::clone(&figures)));
        tokio::time::sleep(Duration::from_millis(2_500)).await;
    }
    for n in 0..players {
        let (figures, address) = (Arc::clone(&figures), address.clone());
        tokio::spawn(async move {
            if drain_only {
                let stream = TcpStream::connect(&address).await.unwrap();
                return drain(stream, &figures).await;
            }
            let url = format!("rtmp://{address}/live/fanout");
            if n % (players / WATCHERS).max(1) == 0 {
                watch(url, &figures).await;
            } else {
                let stream = start(&url, Role::Play).await.0;
                drain(stream, &figures).await;
            }
        });
        tokio::time::sleep(Duration::from_millis(4)).await;
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    figures.delays.lock().unwrap().clear();
    let (bytes, used, start) = (
        figures.bytes.load(Ordering::Relaxed),
        cpu(pid),
        Instant::now(),
    );
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let gigabits = (figures.bytes.load(Ordering::Relaxed) - bytes) as f64 * 8.0 / 1e9;
    let used = cpu(pid) - used;
    let wall = start.elapsed().as_secs_f64();
    println!(
        "{players} players, {wall:.1} s: {gigabits:.2} Gbit ({:.2} Gb/s), server {used:.2} CPU-s = {:.4} CPU-s/Gbit, {} KiB RSS",
        gigabits / wall,
        used / gigabits,
        rss_kib(pid)
    );
    print("publish to play", &figures.delays);
    print("play to first picture", &figures.joins);
}

fn print(what: &str, list: &Mutex<Vec<Duration>>) {
    let mut list = std::mem::take(&mut *list.lock().unwrap());
    list.sort_unstable();
    if let (Some(mid), Some(high)) = (list.get(list.len() / 2), list.get(list.len() * 99 / 100)) {
        println!("{what}: p50 {mid:.2?}, p99 {high:.2?} of {}", list.len());
    }
}

async fn flush(session: &mut Session, stream: &mut TcpStream) -> Vec<Event> {
    let mut events = Vec::new();
    while let Some(output) = session.poll_output() {
        match output {
            Output::Transmit(bytes) => stream.write_all(&bytes).await.unwrap(),
            Output::Event(event) => events.push(event),
        }
    }
    events
}

async fn start(url: &str, role: Role) -> (TcpStream, Session, Vec<Event>) {
    let target = Target::parse(url).unwrap();
    let mut stream = TcpStream::connect((target.host.as_str(), target.port))
        .await
        .unwrap();
    stream.set_nodelay(true).unwrap();
    let mut session = Session::new(Config::new(target, role), Instant::now());
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let mut events = flush(&mut session, &mut stream).await;
        if let Some(at) = events.iter().position(|e| *e == Event::Started) {
            return (stream, session, events.split_off(at));
        }
        let n = stream.read(&mut buffer).await.unwrap();
        session
            .handle_input(Instant::now(), Input::Bytes(&buffer[..n]))
            .unwrap();
    }
}

async fn publish(url: String, figures: Arc<Figures>) {
    let options = synth::Options::default().fps(30).gop(60).bitrate(4_200_000);
    let source = synth::Source::new(options).unwrap();
    let tracks = source.tracks();
    let (mut stream, mut session, _) = start(&url, Role::Publish).await;
    let kind = |kind| match kind {
        MediaKind::Video => TagKind::Video,
        _ => TagKind::Audio,
    };
    for track in &tracks {
        let header = flv::sequence_header(track).unwrap();
        session.send(kind(track.kind()), 0, &[&header]).unwrap();
    }
    let begin = Instant::now();
    for frame in source {
        let time = frame.dts.to_duration();
        tokio::time::sleep_until((begin + time).into()).await;
        let track = tracks.iter().find(|t| t.id == frame.track).unwrap();
        let head = flv::body_head(&frame, track).unwrap();
        let body: [&[u8]; 2] = [head.as_ref(), &frame.payload];
        session
            .send(kind(frame.kind()), flv::timestamp_ms(frame.dts), &body)
            .unwrap();
        if frame.kind() == MediaKind::Video {
            figures.sent.lock().unwrap().push(Instant::now());
        }
        flush(&mut session, &mut stream).await;
    }
}

async fn watch(url: String, figures: &Figures) {
    let asked = Instant::now();
    let (mut stream, mut session, mut events) = start(&url, Role::Play).await;
    let mut joined = false;
    let mut buffer = vec![0; 256 * 1024];
    loop {
        for event in events {
            let Event::Message(message) = event else {
                continue;
            };
            let Some(payload) = message.body.get(5..) else {
                continue;
            };
            let Some(number) = synth::read_number_in(CodecId::H264, payload) else {
                continue;
            };
            if !joined {
                joined = true;
                figures.joins.lock().unwrap().push(asked.elapsed());
            }
            if let Some(sent) = figures.sent.lock().unwrap().get(number.n as usize) {
                figures.delays.lock().unwrap().push(sent.elapsed());
            }
        }
        let n = stream.read(&mut buffer).await.unwrap();
        if n == 0 {
            return;
        }
        figures.bytes.fetch_add(n as u64, Ordering::Relaxed);
        session
            .handle_input(Instant::now(), Input::Bytes(&buffer[..n]))
            .unwrap();
        events = flush(&mut session, &mut stream).await;
    }
}

async fn drain(stream: TcpStream, figures: &Figures) {
    thread_local! {
        static BUFFER: std::cell::RefCell<Vec<u8>> = std::cell::RefCell::new(vec![0; 1 << 20]);
    }
    loop {
        stream.readable().await.unwrap();
        match BUFFER.with_borrow_mut(|buffer| stream.try_read(buffer)) {
            Ok(0) => return,
            Ok(n) => _ = figures.bytes.fetch_add(n as u64, Ordering::Relaxed),
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}

fn floor(address: &str, bytes: usize, ms: u64, pieces: usize) {
    let listener = std::net::TcpListener::bind(address).unwrap();
    let peers = Arc::new(Mutex::new(Vec::<std::net::TcpStream>::new()));
    let all = Arc::clone(&peers);
    std::thread::spawn(move || {
        for peer in listener.incoming().flatten() {
            peer.set_nonblocking(true).unwrap();
            peer.set_nodelay(true).unwrap();
            all.lock().unwrap().push(peer);
        }
    });
    let batch = vec![7; bytes];
    let mut due = Instant::now();
    loop {
        due += Duration::from_millis(ms);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        for peer in peers.lock().unwrap().iter_mut() {
            let _ = if pieces > 1 {
                let slices: Vec<_> = batch
                    .chunks(bytes.div_ceil(pieces))
                    .map(std::io::IoSlice::new)
                    .collect();
                peer.write_vectored(&slices)
            } else {
                peer.write(&batch)
            };
        }
    }
}
