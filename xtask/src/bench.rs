//! `cargo xtask bench`: the figures of docs/benchmarks.md, measured on this machine.

use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cmd::{Cmd, Failure, cargo, root, step};
use crate::floor::{self, cpu_of};
use crate::setup::clients;

const BINARY: &str = "target/release/millstream";
const RTMP: &str = "127.0.0.1:19350";
const HTTP: &str = "127.0.0.1:18080";

/// Runs one bench by name, or all.
#[expect(clippy::print_stdout, reason = "a command line tool")]
pub(crate) fn run(args: &[String]) -> Result<(), Failure> {
    let number = |at: usize| {
        args.get(at)
            .and_then(|a| a.parse::<u64>().ok())
            .unwrap_or(0)
    };
    match args.first().map(String::as_str) {
        // The two halves of the floor run as processes of their own.
        Some("floor-writer") => {
            return floor::writer(number(1) as usize, Duration::from_micros(number(2)));
        }
        Some("floor-sink") => return floor::sink(number(1) as usize, number(2) as u16),
        _ => {}
    }
    let wanted = |name: &str| args.is_empty() || args.iter().any(|a| a == name);
    if wanted("bus") {
        cargo(["bench", "--package", "millstream-bus"])?;
    }
    if wanted("ingest") {
        cargo(["bench", "--package", "millstream-ingest-rtmp"])?;
    }
    if ["fanout", "start", "size", "hls"].into_iter().any(wanted) {
        cargo(["build", "--release", "--package", "millstream-cli"])?;
    }
    if wanted("size") {
        let bytes = fs::metadata(root().join(BINARY))?.len();
        println!("binary size: {:.1} MiB", bytes as f64 / (1 << 20) as f64);
    }
    if wanted("start") {
        start()?;
    }
    if wanted("hls") {
        hls()?;
    }
    if wanted("fanout") {
        let players = std::env::var("PLAYERS").unwrap_or_else(|_| "500".into());
        floor::run(players.parse().unwrap_or(500))?;
        println!(
            "RTMP fan-out: {players} players x 4.2 Mb/s, 15 s; server on cpu 0, load on cpu 1"
        );
        println!(
            "{:<18} {:>12} {:>12} {:>10} {:>10} {:>10} {:>8}",
            "profile", "CPU-s/Gbit", "Gbit", "p50 ms", "p99 ms", "join p50", "RSS MiB"
        );
        for profile in ["latency-first", "default", "throughput-first"] {
            fanout(profile, &players)?;
        }
    }
    Ok(())
}

/// A server under measurement; killed when dropped.
struct Server(Child);

impl Server {
    fn start(sets: &[String]) -> Result<Self, Failure> {
        let data = root().join("target/bench-data");
        let mut command = Command::new("taskset");
        command
            .args(["-c", "0", BINARY, "serve", "--data"])
            .arg(&data)
            .args(["--set", &format!("rtmp.listen={RTMP}")])
            .args(["--set", &format!("http.listen={HTTP}")])
            .args(sets.iter().flat_map(|s| ["--set", s.as_str()]))
            .current_dir(root())
            .env("RUST_LOG", "warn")
            .stdout(Stdio::null());
        Ok(Self(command.spawn()?))
    }

    /// User and system CPU seconds so far.
    fn cpu_seconds(&self) -> Result<f64, Failure> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0.id()))?;
        Ok(cpu_of(&stat))
    }

    fn rss_mib(&self) -> Result<f64, Failure> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let line = status.lines().find(|l| l.starts_with("VmRSS:"));
        let kib = line
            .and_then(|l| l.split_whitespace().nth(1))
            .and_then(|v| v.parse::<f64>().ok());
        Ok(kib.unwrap_or(0.0) / 1024.0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn wait_for(address: &str, limit: Duration) -> Result<Duration, Failure> {
    let begun = Instant::now();
    while begun.elapsed() < limit {
        if TcpStream::connect(address).is_ok() {
            return Ok(begun.elapsed());
        }
        sleep(Duration::from_millis(1));
    }
    Err(Failure::new(format!("nothing accepts on {address}")))
}

/// Process start to the first accepted connection, best of ten.
#[expect(clippy::print_stdout, reason = "a command line tool")]
fn start() -> Result<(), Failure> {
    let mut times = Vec::new();
    for _ in 0..10 {
        let server = Server::start(&[])?;
        times.push(wait_for(RTMP, Duration::from_secs(10))?);
        drop(server);
    }
    times.sort();
    println!(
        "start to first accept: min {:?}, median {:?}",
        times.first(),
        times.get(5)
    );
    Ok(())
}

#[expect(clippy::print_stdout, reason = "a command line tool")]
fn fanout(profile: &str, players: &str) -> Result<(), Failure> {
    let server = Server::start(&[
        format!("rtmp.fan_out={profile}"),
        "limits.sessions_per_ip=10000".into(),
    ])?;
    wait_for(RTMP, Duration::from_secs(10))?;
    let url = format!("rtmp://{RTMP}/live/bench");
    let mut publisher = Command::new("taskset")
        .args(["-c", "1", BINARY, "load", "publish", "--url", &url])
        .args(["--bitrate", "4200000", "--duration", "40"])
        .current_dir(root())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    sleep(Duration::from_secs(3));
    let before = server.cpu_seconds()?;
    let report = Cmd::new("taskset")
        .args([
            "-c",
            "1",
            BINARY,
            "load",
            "play",
            "--protocol",
            "rtmp",
            "--json",
        ])
        .args(["--count", players, "--url", &url, "--duration", "15"])
        .output();
    let cpu = server.cpu_seconds()? - before;
    let rss = server.rss_mib()?;
    let _ = publisher.kill();
    let _ = publisher.wait();
    let report: Value = serde_json::from_str(&report?)
        .map_err(|e| Failure::new(format!("load play --json: {e}")))?;
    let percentile = |of: &str, p: &str| report[of][p].as_f64().unwrap_or(f64::NAN);
    let gbit = report["bytes"].as_f64().unwrap_or(f64::NAN) * 8.0 / 1e9;
    println!(
        "{profile:<18} {:>12.4} {gbit:>12.2} {:>10.1} {:>10.1} {:>10.1} {rss:>8.1}",
        cpu / gbit,
        percentile("latency_ms", "p50"),
        percentile("latency_ms", "p99"),
        percentile("join_ms", "p50"),
    );
    std::io::stdout().flush()?;
    let sessions = &report["sessions"];
    step(&format!(
        "{} of {} sessions, {} gaps, {} stalls",
        sessions["started"], sessions["asked"], report["gaps"], report["stalls"]
    ));
    Ok(())
}

/// LL-HLS in Chromium with hls.js, 60 s of the demo's stream.
#[expect(clippy::print_stdout, reason = "a command line tool")]
fn hls() -> Result<(), Failure> {
    let mut demo = Command::new(BINARY)
        .args(["demo", "--set", &format!("rtmp.listen={RTMP}")])
        .args(["--set", &format!("http.listen={HTTP}")])
        .current_dir(root())
        .env("RUST_LOG", "warn")
        .stdout(Stdio::null())
        .spawn()?;
    wait_for(HTTP, Duration::from_secs(10))?;
    sleep(Duration::from_secs(8));
    let report = Cmd::new("node")
        .arg("xtask/js/hls.mjs")
        .arg(format!("http://{HTTP}/live/demo/index.m3u8"))
        .arg("60")
        .arg(clients().join("node_modules").display().to_string())
        .output();
    let _ = demo.kill();
    let _ = demo.wait();
    println!("LL-HLS in hls.js, 60 s: {}", report?.trim());
    Ok(())
}
