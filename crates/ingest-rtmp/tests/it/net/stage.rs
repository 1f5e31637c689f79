//! An engine whose listener can be killed and come back, a source that plays in real time, and a reader that keeps books.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bus::{AppSpec, Engine, IngestContext, PublishRequest};
use core_frame::{MediaFrame, MediaTime, StreamKey, TagValue, Tags, TrackId};
use millstream_ingest_rtmp::client::Target;
use millstream_ingest_rtmp::net::client::{Link, LinkState};
use millstream_ingest_rtmp::net::{Config, RtmpProtocol};
use sha2::{Digest, Sha256};
use synth::{Options, Source};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::rig::until;

pub(super) fn key() -> StreamKey {
    StreamKey::new("live", "cam")
}

/// An engine with the grace that servers give, and its listener.
pub(super) struct Stage {
    pub(super) engine: Arc<Engine>,
    pub(super) address: SocketAddr,
    listener: Option<(CancellationToken, JoinHandle<core_frame::Result<()>>)>,
}

pub(super) fn engine() -> Arc<Engine> {
    let app = AppSpec::new("live").grace(Duration::from_secs(15));
    Engine::builder().allow_any_app(app).build()
}

impl Stage {
    pub(super) fn new() -> Self {
        Self::with(Config::new(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))))
    }

    pub(super) fn with(config: Config) -> Self {
        let mut stage = Self {
            engine: engine(),
            address: config.listen,
            listener: None,
        };
        stage.listen(config);
        stage
    }

    fn listen(&mut self, config: Config) {
        let protocol = RtmpProtocol::bind(config).unwrap();
        let protocol = protocol.with_playback(self.engine.clone());
        self.address = protocol.local_addr();
        let stop = CancellationToken::new();
        let (engine, token) = (self.engine.clone(), stop.clone());
        let served = tokio::spawn(async move { engine.serve(Arc::new(protocol), token).await });
        self.listener = Some((stop, served));
    }

    /// Ends the listener and every connection.
    pub(super) async fn kill(&mut self) {
        let (stop, served) = self.listener.take().unwrap();
        stop.cancel();
        served.await.unwrap().unwrap();
    }

    /// The listener comes back on its port.
    pub(super) fn revive(&mut self) {
        self.listen(Config::new(self.address));
    }

    pub(super) fn target(&self) -> Target {
        Target::parse(&format!("rtmp://{}/live/cam", self.address)).unwrap()
    }
}

pub(super) fn hash(payload: &[u8]) -> [u8; 32] {
    Sha256::digest(payload).into()
}

/// Publishes numbered frames in real time from now on; returns the hash of each payload.
pub(super) fn source(engine: &Arc<Engine>, seconds: u64) -> JoinHandle<Vec<[u8; 32]>> {
    source_with(engine, seconds, 25)
}

/// The same with a key frame every so many pictures.
pub(super) fn source_with(
    engine: &Arc<Engine>,
    seconds: u64,
    gop: u32,
) -> JoinHandle<Vec<[u8; 32]>> {
    let options = Options::default().fps(25).gop(gop).bitrate(1_500_000);
    let source = Source::new(options).unwrap();
    let ctx = IngestContext::new(engine.clone());
    tokio::spawn(async move {
        let request = PublishRequest::new(key());
        let session = ctx.open_publish_as(request).await.unwrap();
        session.set_tracks(source.tracks()).unwrap();
        let mut tags = Tags::default();
        assert!(tags.set("title", TagValue::Text("a relay".into())));
        session.set_tags(tags).unwrap();
        let begin = tokio::time::Instant::now();
        let mut sent = Vec::new();
        for frame in source {
            let at = frame.dts.to_duration();
            if at > Duration::from_secs(seconds) {
                break;
            }
            tokio::time::sleep_until(begin + at).await;
            sent.push(hash(&frame.payload));
            session.publish_frame(frame).unwrap();
        }
        // What is on its way arrives before the end is seen.
        tokio::time::sleep(Duration::from_millis(500)).await;
        session.finish().await.unwrap();
        sent
    })
}

/// Everything that a reader of the stream got.
#[derive(Default)]
pub(super) struct Books {
    pub(super) hashes: Vec<[u8; 32]>,
    pub(super) times: Vec<(TrackId, MediaTime)>,
    pub(super) arrived: Vec<Instant>,
}

/// Reads the stream once it is there, until the token fires.
pub(super) fn reader(engine: &Arc<Engine>, stop: CancellationToken) -> JoinHandle<Books> {
    let engine = engine.clone();
    tokio::spawn(async move {
        let mut books = Books::default();
        let handle = loop {
            match engine.get_stream(&key()) {
                Ok(handle) => break handle,
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        };
        let mut reader = handle.subscribe_resilient();
        loop {
            let frame: MediaFrame = tokio::select! {
                Some(frame) = reader.recv() => frame,
                () = stop.cancelled() => return books,
            };
            books.arrived.push(Instant::now());
            books.times.push((frame.track, frame.dts));
            books.hashes.push(hash(&frame.payload));
        }
    })
}

impl Books {
    /// How much later than another reader this one got the same frames: the middle and the 99th percentile.
    pub(super) fn behind(&self, other: &Self) -> (Duration, Duration) {
        let mut delays: Vec<_> = (self.hashes.iter().zip(&self.arrived))
            .filter_map(|(hash, at)| {
                let same = other.hashes.iter().position(|h| h == hash)?;
                Some(at.saturating_duration_since(other.arrived[same]))
            })
            .collect();
        delays.sort_unstable();
        (delays[delays.len() / 2], delays[delays.len() * 99 / 100])
    }

    /// Every frame equals one that was sent, none came twice, all in order, times never go back. Returns the runs of
    /// frames that are missing between the first and the last that came: where each begins, and how long it is.
    pub(super) fn check(&self, sent: &[[u8; 32]]) -> Vec<(usize, usize)> {
        let mut gaps = Vec::new();
        let mut next = None;
        for hash in &self.hashes {
            let at = sent.iter().position(|s| s == hash);
            let at = at.expect("a frame that was never sent");
            match next {
                Some(next) if at < next => panic!("frame {at} came again, behind {next}"),
                Some(next) if at > next => gaps.push((next, at - next)),
                _ => {}
            }
            next = Some(at + 1);
        }
        let mut last: Vec<(TrackId, MediaTime)> = Vec::new();
        for (track, time) in &self.times {
            match last.iter_mut().find(|(id, _)| id == track) {
                Some((_, last)) => {
                    assert!(*last <= *time, "{time:?} behind {last:?} of {track:?}");
                    *last = *time;
                }
                None => last.push((*track, *time)),
            }
        }
        gaps
    }
}

/// Waits until the link is up.
pub(super) async fn up(what: &str, link: &Link) {
    until(what, || matches!(link.state(), LinkState::Up { .. })).await;
}
