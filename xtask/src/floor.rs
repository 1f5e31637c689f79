//! The floor under fan-out: what bare `write()` to many loopback sockets costs, with nothing around it.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::cmd::Failure;

/// Bits a second to each socket, as in the fan-out bench.
const BITRATE: f64 = 4_200_000.0;
const SECONDS: u64 = 6;

/// Prints CPU seconds per Gbit of one `write()` per interval to each of `sockets` sockets, writer on CPU 0, reader on
/// CPU 1.
#[expect(clippy::print_stdout, reason = "a command line tool")]
pub(crate) fn run(sockets: usize) -> Result<(), Failure> {
    println!("bare write() to {sockets} loopback sockets, writer on cpu 0, reader on cpu 1");
    println!(
        "{:<26} {:>10} {:>12}",
        "one write per", "bytes", "CPU-s/Gbit"
    );
    for (name, interval) in [
        ("frame (13 ms)", Duration::from_micros(12_990)),
        ("33 ms", Duration::from_millis(33)),
        ("125 ms", Duration::from_millis(125)),
    ] {
        let me = std::env::current_exe()?;
        let out = Command::new("taskset")
            .args(["-c", "0"])
            .arg(&me)
            .args(["bench", "floor-writer", &sockets.to_string()])
            .arg(interval.as_micros().to_string())
            .stderr(Stdio::inherit())
            .output()?;
        let cost = String::from_utf8_lossy(&out.stdout);
        let bytes = BITRATE / 8.0 * interval.as_secs_f64();
        println!("{name:<26} {bytes:>10.0} {:>12}", cost.trim());
    }
    Ok(())
}

/// The writing process: paced writes, then its own CPU seconds per Gbit on stdout.
#[expect(clippy::print_stdout, reason = "a command line tool")]
pub(crate) fn writer(sockets: usize, interval: Duration) -> Result<(), Failure> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    let mut sink = Command::new("taskset")
        .args(["-c", "1"])
        .arg(std::env::current_exe()?)
        .args([
            "bench",
            "floor-sink",
            &sockets.to_string(),
            &port.to_string(),
        ])
        .spawn()?;
    let mut peers = Vec::new();
    for _ in 0..sockets {
        let (peer, _) = listener.accept()?;
        peer.set_nodelay(true)?;
        peers.push(peer);
    }
    let run = vec![0x5a_u8; (BITRATE / 8.0 * interval.as_secs_f64()) as usize];
    let before = cpu_seconds()?;
    let begun = Instant::now();
    let mut rounds = 0_u32;
    while begun.elapsed() < Duration::from_secs(SECONDS) {
        for peer in &mut peers {
            peer.write_all(&run)?;
        }
        rounds += 1;
        sleep((interval * rounds).saturating_sub(begun.elapsed()));
    }
    let cpu = cpu_seconds()? - before;
    let gbit = f64::from(rounds) * sockets as f64 * run.len() as f64 * 8.0 / 1e9;
    println!("{:.4}", cpu / gbit);
    drop(peers);
    sink.wait()?;
    Ok(())
}

/// The reading process: takes everything, looks at nothing.
pub(crate) fn sink(sockets: usize, port: u16) -> Result<(), Failure> {
    let mut peers = Vec::new();
    for _ in 0..sockets {
        let peer = TcpStream::connect(("127.0.0.1", port))?;
        peer.set_nonblocking(true)?;
        peers.push(peer);
    }
    let mut buffer = vec![0_u8; 1 << 18];
    while !peers.is_empty() {
        let mut idle = true;
        peers.retain_mut(|peer| match peer.read(&mut buffer) {
            Ok(0) => false,
            Ok(_) => {
                idle = false;
                true
            }
            Err(e) => e.kind() == ErrorKind::WouldBlock,
        });
        if idle {
            sleep(Duration::from_millis(1));
        }
    }
    Ok(())
}

/// User and system CPU seconds of this process.
fn cpu_seconds() -> Result<f64, Failure> {
    Ok(cpu_of(&fs::read_to_string("/proc/self/stat")?))
}

/// User and system CPU seconds in a line of stat(5): its fields 14 and 15, in clock ticks of 10 ms.
pub(crate) fn cpu_of(stat: &str) -> f64 {
    let after = stat.rsplit(')').next().unwrap_or_default();
    let field = |n: usize| {
        let text = after.split_whitespace().nth(n);
        text.and_then(|t| t.parse::<f64>().ok()).unwrap_or(0.0)
    };
    (field(11) + field(12)) / 100.0
}
