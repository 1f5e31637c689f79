//! Bad input over real sockets while a healthy numbered stream plays: each attack ends as it should, and nothing else is harmed.

mod chunks;
mod commands;
mod flood;
mod limits;
mod media;
mod names;
mod publishers;
mod pulled;
mod replies;
mod times;

use std::io;
use std::net::Ipv4Addr;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use testkit::Server;
use testkit::resources::{open_files, rss_kib};
use testkit::rtmp::{Fate, Message, Peer, Publisher, Reader, Target};
use testkit::synth::Options;

use crate::support::secs;

/// What an attack came to: what is printed, or what went wrong.
type Outcome = Result<String, String>;

/// A server with a healthy stream, and the attacks on it.
struct Battle {
    server: Server,
    publisher: Publisher,
    reader: Reader,
    rss: u64,
    files: usize,
    cases: u8,
    faults: Vec<String>,
}

impl Battle {
    fn begin() -> Self {
        Self::begin_with(&[])
    }

    fn begin_with(environment: &[(&str, &str)]) -> Self {
        Self::begin_on(Server::start_in(&[], environment).unwrap(), "healthy")
    }

    /// On this server, where the healthy stream is published by this name (with the query it takes).
    fn begin_on(server: Server, name: &str) -> Self {
        let publisher = Publisher::start(server.rtmp(), "live", name, Options::default()).unwrap();
        let known = server.wait_for_stream("live/healthy", 2, secs(10));
        assert!(known, "{}", server.log());
        let reader = Reader::start(server.rtmp(), "live", "healthy").unwrap();
        assert!(reader.wait_for(30, secs(10)));
        let rss = rss_kib(server.pid()).unwrap();
        let files = open_files(server.pid()).unwrap();
        Self {
            server,
            publisher,
            reader,
            rss,
            files,
            cases: 0,
            faults: Vec::new(),
        }
    }

    /// Runs an attack, from an address of its own since the log is held to one line a second and address. The log may warn this often; it
    /// may also tell at level INFO that a publisher came and that a connection ended, as of everybody.
    fn case(
        &mut self,
        name: &str,
        warnings: RangeInclusive<usize>,
        attack: impl FnOnce(Target) -> Outcome,
    ) {
        self.cases += 1;
        let (before, begun) = (self.server.log().len(), Instant::now());
        let outcome = attack(Target {
            to: self.server.rtmp(),
            from: Some(Ipv4Addr::new(127, 0, 2, self.cases)),
        });
        let took = begun.elapsed();
        // The log line may come a little later than the close.
        std::thread::sleep(Duration::from_millis(150));
        let log = self.server.log();
        let said: Vec<_> = log.get(before..).unwrap_or_default().lines().collect();
        let loud: Vec<_> = said.iter().filter(|l| !l.contains(" INFO ")).collect();
        let grown = rss_kib(self.server.pid()).unwrap_or(0) as i64 - self.rss as i64;
        println!(
            "{name}: {outcome:?} in {} ms, {grown:+} KiB",
            took.as_millis()
        );
        loud.iter().take(3).for_each(|l| println!("    {l}"));
        let mut fault = |what: String| self.faults.push(format!("{name}: {what}"));
        if let Err(wrong) = outcome {
            fault(wrong);
        }
        if !warnings.contains(&loud.len()) {
            fault(format!("{} warnings: {said:#?}", loud.len()));
        }
        if said.iter().any(|l| l.contains("panicked")) {
            fault("a thread panicked".to_owned());
        }
        if said
            .iter()
            .any(|l| l.chars().any(char::is_control) || !l.starts_with("20"))
        {
            fault(format!("a line that is not one line: {said:#?}"));
        }
        if !self.publisher.is_running() {
            fault("the healthy publisher was cut off".to_owned());
        }
    }

    /// Memory is compared with this moment from here on.
    fn settle(&mut self) {
        self.rss = rss_kib(self.server.pid()).unwrap();
    }

    /// The healthy reader lost nothing, the server is as small as it was, and nothing is left over.
    fn end(mut self) {
        assert!(
            self.reader.wait_for(30, secs(10)),
            "the healthy stream goes on\n{}",
            self.server.log()
        );
        assert!(self.server.is_running());
        let (check, closed) = self.reader.stop();
        println!("healthy: {check}");
        if !check.is_whole() || closed {
            self.faults
                .push(format!("the healthy reader: {check}, closed {closed}"));
        }
        // Memory and sockets are given back within a moment.
        let end = Instant::now() + secs(5);
        let (mut rss, mut files) = (0, 0);
        while Instant::now() < end {
            rss = rss_kib(self.server.pid()).unwrap();
            files = open_files(self.server.pid()).unwrap();
            if rss <= self.rss + 8_192 && files <= self.files {
                break;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        println!(
            "memory {} -> {rss} KiB, files {} -> {files}",
            self.rss, self.files
        );
        if rss > self.rss + 8_192 {
            self.faults
                .push(format!("memory grew from {} to {rss} KiB", self.rss));
        }
        if files > self.files {
            self.faults
                .push(format!("open files grew from {} to {files}", self.files));
        }
        assert!(self.faults.is_empty(), "{:#?}", self.faults);
    }
}

/// Writes that fail because the server has hung up are part of the attack; what counts is how the connection ends.
fn attack(
    peer: io::Result<Peer>,
    deed: impl FnOnce(&mut Peer) -> io::Result<()>,
) -> Result<Peer, String> {
    let mut peer = peer.map_err(|e| format!("could not even connect: {e}"))?;
    // A write to a closed socket is an answer as well, seen again by whoever reads.
    let _ = deed(&mut peer);
    Ok(peer)
}

/// The server must close within the time.
fn closes(mut peer: Peer, within: Duration) -> Outcome {
    let (fate, said) = peer.fate(within);
    match fate {
        Fate::Closed(after) => Ok(format!(
            "closed after {} ms, said {}",
            after.as_millis(),
            summary(&said)
        )),
        Fate::Open => Err(format!(
            "still open after {within:?}, said {}",
            summary(&said)
        )),
    }
}

/// The server must say one of these, and may close.
fn says(mut peer: Peer, texts: &[&str], within: Duration) -> Outcome {
    let (begun, mut said) = (Instant::now(), Vec::new());
    while begun.elapsed() < within {
        let (fate, more) = peer.fate(Duration::from_millis(100));
        said.extend(more);
        if let Some(text) = texts.iter().find(|text| said.iter().any(|m| m.says(text))) {
            return Ok(format!("says {text}, {fate:?}"));
        }
        if matches!(fate, Fate::Closed(_)) {
            break;
        }
    }
    Err(format!("says {}; wanted one of {texts:?}", summary(&said)))
}

/// The connection must still be usable.
fn goes_on(mut peer: Peer) -> Outcome {
    let to = peer.socket().peer_addr().map_err(|e| e.to_string())?;
    let again = peer
        .command(
            0,
            &testkit::rtmp::Amf::command("connect", 1.0)
                .object(&[("app", "live"), ("tcUrl", &format!("rtmp://{to}/live"))]),
        )
        .and_then(|()| peer.expect("_result"));
    again
        .map(|_| "goes on".to_owned())
        .map_err(|e| format!("does not go on: {e}"))
}

fn summary(said: &[Message]) -> String {
    let commands = said.iter().filter(|m| m.kind == 20);
    let texts: Vec<_> = commands
        .map(|m| {
            let printable = m.body.iter().filter(|b| (32..127).contains(*b));
            printable
                .map(|&b| char::from(b))
                .take(120)
                .collect::<String>()
        })
        .collect();
    format!("{texts:?}")
}
