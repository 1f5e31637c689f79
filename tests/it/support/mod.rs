//! What the scenarios share: sample media, and looking at what a player got.

mod cable;
mod judge;
mod samples;

pub(crate) use cable::Cable;
pub(crate) use judge::{FlvStream, read_flv, take, watch};
pub(crate) use samples::{Sample, sample};

use std::time::Duration;

use testkit::Server;
use testkit::rtmp::Publisher;
use testkit::synth::Options;

pub(crate) const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// A server with a numbered stream on `live/NAME`.
pub(crate) fn numbered(name: &str, options: Options) -> (Server, Publisher) {
    publish_numbered(Server::start(&[]).unwrap(), name, options)
}

/// A numbered stream on `live/NAME` of this server.
pub(crate) fn publish_numbered(
    server: Server,
    name: &str,
    options: Options,
) -> (Server, Publisher) {
    let publisher = Publisher::start(server.rtmp(), "live", name, options).unwrap();
    let known = server.wait_for_stream(&format!("live/{name}"), 2, secs(10));
    assert!(known, "{}", server.log());
    (server, publisher)
}
