//! An RTMP client connection: the socket around `ingest_rtmp`'s client session.

use std::time::Duration;

use ingest_rtmp::client::{Config, Event, Output, Role, Session, Target};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::{Error, Result};

/// A connection that is driven event by event.
pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    pub(crate) session: Session,
    buf: Vec<u8>,
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

/// Opens a TCP connection.
pub(crate) async fn dial(host: &str, port: u16, timeout: Duration) -> Result<TcpStream> {
    let connect = TcpStream::connect((host, port));
    let stream = tokio::time::timeout(timeout, connect)
        .await
        .map_err(|_| Error::Timeout {
            what: "connection",
            after: timeout,
        })?
        .map_err(|source| Error::Connect {
            target: format!("{host}:{port}"),
            source,
        })?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

impl Connection {
    /// Connects; the session's first bytes are not sent yet.
    pub(crate) async fn open(url: &str, role: Role, seed: u64, timeout: Duration) -> Result<Self> {
        let target = target(url)?;
        let stream = dial(&target.host, target.port, timeout).await?;
        let mut config = Config::new(target, role);
        config.seed = seed;
        Ok(Self {
            stream,
            session: Session::new(config),
            buf: vec![0; 64 * 1024],
            bytes_in: 0,
            bytes_out: 0,
        })
    }

    /// The next event; `None` when the server closed the connection.
    pub(crate) async fn next(&mut self) -> Result<Option<Event>> {
        loop {
            while let Some(output) = self.session.poll_output() {
                match output {
                    Output::Transmit(bytes) => {
                        self.bytes_out += bytes.len() as u64;
                        self.stream.write_all(&bytes).await?;
                    }
                    Output::Event(event) => return Ok(Some(event)),
                }
            }
            let n = self.stream.read(&mut self.buf).await?;
            if n == 0 {
                return Ok(None);
            }
            self.bytes_in += n as u64;
            self.session
                .handle_input(self.buf.get(..n).unwrap_or_default())?;
        }
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
