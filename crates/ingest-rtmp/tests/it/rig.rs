//! A server on a free port, and a client on tokio that drives a client session.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bus::{AppSpec, Engine, EngineBuilder};
use flv::TagKind;
use millstream_ingest_rtmp::client::{Config, Event, Input, Output, Role, Session, Target};
use millstream_ingest_rtmp::net::{self, RtmpProtocol};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) struct Rig {
    pub(crate) engine: Arc<Engine>,
    pub(crate) address: SocketAddr,
    pub(crate) shutdown: CancellationToken,
    pub(crate) served: JoinHandle<core_frame::Result<()>>,
}

pub(crate) fn config() -> net::Config {
    net::Config::new(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self::with(config(), Engine::builder())
    }

    pub(crate) fn with(config: net::Config, engine: EngineBuilder) -> Self {
        let engine = engine.allow_any_app(AppSpec::new("live")).build();
        let protocol = RtmpProtocol::bind(config).unwrap();
        let protocol = protocol.with_playback(engine.clone());
        let address = protocol.local_addr();
        let shutdown = CancellationToken::new();
        let served = tokio::spawn({
            let (engine, shutdown) = (engine.clone(), shutdown.clone());
            async move { engine.serve(Arc::new(protocol), shutdown).await }
        });
        Self {
            engine,
            address,
            shutdown,
            served,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("rtmp://{}/{path}", self.address)
    }

    pub(crate) async fn client(&self, path: &str, role: Role) -> Client {
        Client::open(&self.url(path), role).await
    }
}

pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    pub(crate) session: Session,
    pub(crate) events: VecDeque<Event>,
}

impl Client {
    pub(crate) async fn open(url: &str, role: Role) -> Self {
        let target = Target::parse(url).unwrap();
        let stream = TcpStream::connect((target.host.as_str(), target.port)).await;
        Self {
            stream: stream.unwrap(),
            session: Session::new(Config::new(target, role), Instant::now()),
            events: VecDeque::new(),
        }
    }

    /// The next event; `None` when the server closed, an error when it refused.
    pub(crate) async fn next(&mut self) -> Result<Option<Event>, millstream_ingest_rtmp::Error> {
        loop {
            self.flush().await;
            if let Some(event) = self.events.pop_front() {
                return Ok(Some(event));
            }
            let mut buffer = vec![0; 64 * 1024];
            let read = tokio::time::timeout(Duration::from_secs(10), self.stream.read(&mut buffer));
            match read.await.expect("the server says something in 10 s") {
                Ok(0) | Err(_) => return Ok(None),
                Ok(n) => self
                    .session
                    .handle_input(Instant::now(), Input::Bytes(&buffer[..n]))?,
            }
        }
    }

    pub(crate) async fn flush(&mut self) {
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Transmit(bytes) => {
                    let _ = self.stream.write_all(&bytes).await;
                }
                Output::Event(event) => self.events.push_back(event),
            }
        }
    }

    /// Until publishing or playing has begun.
    pub(crate) async fn start(&mut self) -> Result<(), millstream_ingest_rtmp::Error> {
        while let Some(event) = self.next().await? {
            if event == Event::Started {
                return Ok(());
            }
        }
        panic!("closed before it began");
    }

    pub(crate) async fn send(&mut self, kind: TagKind, time: u32, body: &[&[u8]]) {
        self.session.send(kind, time, body).unwrap();
        self.flush().await;
    }
}

/// Waits until the condition holds.
pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    for _ in 0..500 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not in 5 s: {what}");
}
