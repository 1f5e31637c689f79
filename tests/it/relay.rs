//! Publisher → A → B → player: as a source of B, as a push of A, and by the relay of the binary.

use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use testkit::rtmp::{Publisher, Reader};
use testkit::synth::Options;
use testkit::{Program, Running, Server, binary};

use crate::support::{Cable, numbered, secs};

/// A server with more configuration.
fn configured(text: &str) -> (Server, tempfile::NamedTempFile) {
    let mut file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let path = file.path().to_str().unwrap().to_owned();
    (Server::start(&["--config", &path]).unwrap(), file)
}

/// How the stream gets from A to B.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    /// B pulls: a `[[stream]]` with a source.
    Source,
    /// A pushes: a `[[push]]`.
    Push,
    /// `millstream relay` between them.
    Relay,
}

/// A with a numbered stream, B that has it through a cable, and who carries it where that is a third.
struct Chain {
    a: Server,
    publisher: Publisher,
    b: Server,
    cable: Cable,
    relay: Option<Running>,
    _file: Option<tempfile::NamedTempFile>,
}

impl Chain {
    fn of(way: Way) -> Self {
        let port = |server: &Server| server.rtmp();
        let (a, publisher, b, cable, relay, file);
        match way {
            Way::Source => {
                (a, publisher) = numbered("cam", Options::default());
                cable = Cable::to(port(&a)).unwrap();
                let text = format!(
                    "[[stream]]\nkey = \"live/far\"\nsource = \"rtmp://{}/live/cam\"\n",
                    cable.at()
                );
                let started = configured(&text);
                (b, file) = (started.0, Some(started.1));
                relay = None;
            }
            Way::Push => {
                b = Server::start(&[]).unwrap();
                cable = Cable::to(port(&b)).unwrap();
                let text = format!(
                    "[[push]]\nkey = \"live/cam\"\ntarget = \"rtmp://{}/live/far\"\n",
                    cable.at()
                );
                let started = configured(&text);
                (a, file) = (started.0, Some(started.1));
                publisher = Publisher::start(a.rtmp(), "live", "cam", Options::default()).unwrap();
                relay = None;
            }
            Way::Relay => {
                (a, publisher) = numbered("cam", Options::default());
                b = Server::start(&[]).unwrap();
                cable = Cable::to(port(&b)).unwrap();
                relay = Some(
                    Program::new(binary().unwrap())
                        .arg("relay")
                        .arg(a.rtmp_url("live/cam"))
                        .arg(format!("rtmp://{}/live/far", cable.at()))
                        .timeout(secs(120))
                        .spawn()
                        .unwrap(),
                );
                file = None;
            }
        }
        let chain = Self {
            a,
            publisher,
            b,
            cable,
            relay,
            _file: file,
        };
        let known = chain.b.wait_for_stream("live/far", 2, secs(15));
        assert!(known, "{}", chain.logs());
        chain
    }

    fn logs(&self) -> String {
        let relay = self.relay.as_ref().map(Running::stderr).unwrap_or_default();
        format!(
            "A:\n{}\nB:\n{}\nrelay:\n{relay}",
            self.a.log(),
            self.b.log()
        )
    }

    fn reader(to: SocketAddr, name: &str) -> Reader {
        Reader::start(to, "live", name).unwrap()
    }
}

/// Nothing is lost or doubled on the way, it adds little time, and a break is a gap to the player and nothing more.
fn carries(way: Way) {
    let chain = Chain::of(way);
    let near = Chain::reader(chain.a.rtmp(), "cam");
    let far = Chain::reader(chain.b.rtmp(), "far");
    assert!(far.wait_for(150, secs(20)), "{}", chain.logs());
    let (before, beside) = (far.check(), near.check());
    println!("{way:?}: at A {beside}\n{way:?}: at B {before}");
    assert!(before.is_whole(), "{before}");

    chain.cable.cut();
    std::thread::sleep(Duration::from_millis(1_500));
    chain.cable.mend();
    assert!(far.wait_for(90, secs(20)), "{}", chain.logs());
    let (after, closed) = far.stop();
    println!(
        "{way:?}: after a break of 1.5 s: {after}; {} connections",
        chain.cable.made()
    );
    assert!(!closed, "the player was not disconnected");
    assert_eq!(
        (after.video.doubled, after.audio.doubled),
        (0, 0),
        "{after}"
    );
    assert_eq!(after.video.unreadable, 0, "{after}");
    // The break, the first pause before the next attempt, and at most a GOP of a second.
    let lost = after.video.lost;
    assert!(
        (20..=130).contains(&lost),
        "{lost} pictures lost\n{}",
        chain.logs()
    );
    assert!(chain.cable.made() >= 2);
    let (whole, _) = near.stop();
    assert!(
        whole.is_whole(),
        "who plays from A noticed nothing: {whole}"
    );
    assert!(chain.publisher.is_running());
    for log in [chain.a.log(), chain.b.log()] {
        assert!(!log.contains("panicked"), "{log}");
    }
    if let Some(relay) = chain.relay {
        // A clean end on Ctrl-C.
        let done = relay.interrupt();
        assert_eq!(
            done.status.and_then(|s| s.code()),
            Some(130),
            "{}",
            done.stderr
        );
    }
}

#[test]
fn b_pulls_from_a() {
    carries(Way::Source);
}

#[test]
fn a_pushes_to_b() {
    carries(Way::Push);
}

#[test]
fn a_relay_stands_between() {
    carries(Way::Relay);
}

#[test]
fn a_relay_writes_files() {
    let (a, _publisher) = numbered("cam", Options::default());
    let folder = tempfile::tempdir().unwrap();
    for name in ["out.flv", "out.mp4"] {
        let path = folder.path().join(name);
        let done = Program::new(binary().unwrap())
            .arg("relay")
            .arg(a.rtmp_url("live/cam"))
            .arg(&path)
            .args(["--duration", "4"])
            .timeout(secs(30))
            .run()
            .unwrap();
        assert!(done.succeeded(), "{}", done.stderr);
        let Some(ffprobe) = testkit::clients::ffprobe() else {
            return;
        };
        let probed = ffprobe
            .line("-v error -count_packets -show_entries stream=codec_name,nb_read_packets -of csv=p=0")
            .arg(&path)
            .run()
            .unwrap();
        println!(
            "{name}: {} {}",
            probed.text().replace('\n', " "),
            probed.stderr
        );
        assert_eq!(probed.stderr, "", "{name}");
        let counts: Vec<u64> = probed
            .text()
            .lines()
            .filter_map(|l| l.split(',').nth(1)?.parse().ok())
            .collect();
        assert!(
            counts.len() == 2 && counts.iter().all(|n| *n >= 80),
            "{name}: {counts:?}"
        );
    }
}
