//! An RTMP client connection: the socket around `ingest_rtmp`'s client session.

use std::time::{Duration, Instant};

use flv::TagKind;
use ingest_rtmp::client::{Config, Event, Input, Output, Role, Session, Target};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::net::{Dialer, Socket};
use crate::{Error, Result};

/// Bytes taken at once by a connection that is not told otherwise.
const READ: usize = 64 * 1024;
/// How long a server may take no bytes of a publisher.
const STUCK: Duration = Duration::from_secs(10);

/// A connection that is driven event by event.
pub(crate) struct Connection {
    pub(crate) stream: Socket,
    session: Session,
    /// Empty until the first read, which gives it its size.
    buf: Vec<u8>,
    /// Bytes taken at once.
    pub(crate) read_size: usize,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
}

/// Takes an address apart.
pub(crate) fn target(url: &str) -> Result<Target> {
    Target::parse(url).map_err(|_| Error::Url {
        url: url.to_owned(),
        reason: "it must look like rtmp://host[:port]/app/name",
    })
}

/// True for addresses that a [`Connection`] goes to.
pub(crate) fn is_rtmp(url: &str) -> bool {
    url.starts_with("rtmp://") || url.starts_with("rtmps://")
}

impl Connection {
    /// Connects; the session's first bytes are not sent yet.
    pub(crate) async fn open(url: &str, role: Role, seed: u64, dialer: &Dialer) -> Result<Self> {
        let target = target(url)?;
        let stream = dialer.open(&target.host, target.port, target.tls).await?;
        let mut config = Config::new(target, role);
        config.seed = seed;
        Ok(Self {
            stream,
            session: Session::new(config, Instant::now()),
            buf: Vec::new(),
            read_size: READ,
            bytes_in: 0,
            bytes_out: 0,
        })
    }

    /// The next event; `None` when the server closed the connection. Not cancel-safe while something is being sent.
    pub(crate) async fn next(&mut self) -> Result<Option<Event>> {
        loop {
            if let Some(event) = self.flush().await? {
                return Ok(Some(event));
            }
            if !self.hear().await? {
                return Ok(None);
            }
        }
    }

    /// Reads once, without an answer yet: [`Connection::flush`] sends it. False when the server closed the connection.
    /// Cancel-safe.
    pub(crate) async fn hear(&mut self) -> Result<bool> {
        self.buf.resize(self.read_size, 0);
        let n = self.stream.read(&mut self.buf).await?;
        self.bytes_in += n as u64;
        let bytes = self.buf.get(..n).unwrap_or_default();
        if n > 0 {
            Self::input(&mut self.session, bytes)?;
        }
        Ok(n > 0)
    }

    /// Sends what is waiting, as far as the next event.
    pub(crate) async fn flush(&mut self) -> Result<Option<Event>> {
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Transmit(bytes) => {
                    let write = self.stream.write_all(&bytes);
                    tokio::time::timeout(STUCK, write)
                        .await
                        .map_err(|_| Error::Timeout {
                            what: "room to send",
                            after: STUCK,
                        })??;
                    self.bytes_out += bytes.len() as u64;
                }
                Output::Event(event) => return Ok(Some(event)),
            }
        }
        Ok(None)
    }

    /// Hands the session what somebody else read.
    pub(crate) fn input(session: &mut Session, bytes: &[u8]) -> Result<()> {
        Ok(session.handle_input(Instant::now(), Input::Bytes(bytes))?)
    }

    /// The session and the socket, for those who read themselves.
    pub(crate) fn parts(&mut self) -> (&mut Session, &mut Socket) {
        (&mut self.session, &mut self.stream)
    }

    /// Puts a media message among what is to be sent.
    pub(crate) fn put(&mut self, kind: TagKind, time: u32, body: &[&[u8]]) -> Result<()> {
        Ok(self.session.send(kind, time, body)?)
    }

    /// Says that publishing or playing is over; [`Connection::flush`] sends it.
    pub(crate) fn finish(&mut self) {
        self.session.finish();
    }

    /// Drives the connection until publishing or playing has begun.
    pub(crate) async fn start(&mut self, timeout: Duration) -> Result<()> {
        let started = async {
            loop {
                match self.next().await? {
                    Some(Event::Started) => return Ok(()),
                    Some(_) => {}
                    None => return Err(Error::Empty),
                }
            }
        };
        tokio::time::timeout(timeout, started)
            .await
            .map_err(|_| Error::Timeout {
                what: "consent of the server",
                after: timeout,
            })?
    }
}
