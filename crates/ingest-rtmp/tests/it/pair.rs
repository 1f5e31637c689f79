//! A client session and a server session joined by a link that cuts the bytes as it likes, in virtual time.

use std::time::{Duration, Instant};

use bytes::BytesMut;
use millstream_ingest_rtmp::client;
use millstream_ingest_rtmp::session::{Event, Input, Output, Session, SessionConfig};
use millstream_ingest_rtmp::{Error, session};

pub(crate) struct Pair {
    pub(crate) client: client::Session,
    pub(crate) server: Session,
    pub(crate) now: Instant,
    pub(crate) up: BytesMut,
    pub(crate) down: BytesMut,
    pub(crate) client_events: Vec<client::Event>,
    pub(crate) server_events: Vec<Event>,
    cut: usize,
}

pub(crate) fn config(url: &str, role: client::Role) -> client::Config {
    client::Config::new(client::Target::parse(url).unwrap(), role)
}

impl Pair {
    pub(crate) fn new(url: &str, role: client::Role) -> Self {
        Self::with(config(url, role), SessionConfig::default(), usize::MAX)
    }

    pub(crate) fn with(config: client::Config, server: SessionConfig, cut: usize) -> Self {
        let now = Instant::now();
        Self {
            client: client::Session::new(config, now),
            server: Session::new(server, now),
            now,
            up: BytesMut::new(),
            down: BytesMut::new(),
            client_events: Vec::new(),
            server_events: Vec::new(),
            cut,
        }
    }

    pub(crate) fn take(&mut self) {
        while let Some(output) = self.client.poll_output() {
            match output {
                client::Output::Transmit(bytes) => self.up.extend_from_slice(&bytes),
                client::Output::Event(event) => self.client_events.push(event),
            }
        }
        while let Some(output) = self.server.poll_output() {
            match output {
                Output::Transmit(bytes) => self.down.extend_from_slice(&bytes),
                Output::Event(event) => self.server_events.push(event),
            }
        }
    }

    /// Carries bytes both ways until nothing moves.
    pub(crate) fn drive(&mut self) -> Result<(), Error> {
        self.take();
        while !(self.up.is_empty() && self.down.is_empty()) {
            let up = self.up.split_to(self.cut.min(self.up.len()));
            if !up.is_empty() {
                let result = self.server.handle_input(self.now, Input::Bytes(&up));
                self.take();
                result?;
            }
            let down = self.down.split_to(self.cut.min(self.down.len()));
            self.client.handle_input(self.now, Input::Bytes(&down))?;
            self.take();
        }
        Ok(())
    }

    pub(crate) fn wait(&mut self, time: Duration) {
        self.now += time;
    }

    /// Drives to an accepted publish or play.
    pub(crate) fn start(&mut self) {
        self.drive().unwrap();
        match self.server_events.last() {
            Some(Event::Publish(_)) => self.server.accept_publish(self.now).unwrap(),
            Some(Event::Play(_)) => self.server.accept_play(self.now).unwrap(),
            other => panic!("no request: {other:?}"),
        }
        self.drive().unwrap();
        assert!(self.client_events.contains(&client::Event::Started));
    }
}

/// A server session that is talked to in raw bytes.
pub(crate) struct Raw {
    pub(crate) server: Session,
    pub(crate) now: Instant,
    pub(crate) down: BytesMut,
    pub(crate) events: Vec<Event>,
}

impl Raw {
    pub(crate) fn new() -> Self {
        let now = Instant::now();
        Self {
            server: Session::new(SessionConfig::default(), now),
            now,
            down: BytesMut::new(),
            events: Vec::new(),
        }
    }

    /// Past the handshake.
    pub(crate) fn greeted() -> Self {
        let mut raw = Self::new();
        let mut hello = vec![0; 1 + 2 * 1536];
        hello[0] = 3;
        raw.send(&hello).unwrap();
        raw
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let result = self.server.handle_input(self.now, Input::Bytes(bytes));
        self.take();
        result
    }

    pub(crate) fn take(&mut self) {
        while let Some(output) = self.server.poll_output() {
            match output {
                Output::Transmit(bytes) => self.down.extend_from_slice(&bytes),
                Output::Event(event) => self.events.push(event),
            }
        }
    }

    /// What the server said contains this text.
    pub(crate) fn said(&self, text: &str) -> bool {
        self.down.windows(text.len()).any(|w| w == text.as_bytes())
    }

    pub(crate) fn accept_publish(&mut self) -> Result<(), Error> {
        let result = self.server.accept_publish(self.now);
        self.take();
        result
    }

    pub(crate) fn accept_play(&mut self) -> Result<(), Error> {
        let result = self.server.accept_play(self.now);
        self.take();
        result
    }

    pub(crate) fn reject(&mut self, reject: session::Reject, why: &str) -> Result<(), Error> {
        let result = self.server.reject(self.now, reject, why);
        self.take();
        result
    }
}
