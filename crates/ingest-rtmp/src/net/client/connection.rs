//! One outgoing connection: carries bytes between a socket and a client session.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};

use super::Connect;
use crate::client::{Config, Event, Input, Output, Session};
use crate::net::Error;
use crate::net::transport::Transport;

/// Read at once.
const READ: usize = 64 * 1024;
/// How long a server gets to read our last words.
pub(super) const LINGER: Duration = Duration::from_millis(500);

thread_local! {
    /// Bytes on their way from a socket to a session, which copies them: one buffer for all connections of a thread.
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ].into());
}

/// An outgoing connection with its session.
///
/// ```no_run
/// # async fn play() -> Result<(), millstream_ingest_rtmp::net::Error> {
/// use millstream_ingest_rtmp::client::{Event, Role, Target};
/// use millstream_ingest_rtmp::net::client::{Client, Connect};
///
/// let connect = Connect::default();
/// let target = Target::parse("rtmp://localhost/live/cam").expect("a URL");
/// let mut client = Client::open(&connect, connect.config(target, Role::Play)).await?;
/// while let Some(event) = client.next().await? {
///     if let Event::Message(message) = event {
///         println!("{} bytes at {} ms", message.body.len(), message.timestamp);
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Client {
    pub(super) transport: Transport,
    session: Session,
    /// The session's bytes that the transport has not taken.
    unsent: BytesMut,
    events: VecDeque<Event>,
    /// Why it is over, once the events before that are taken.
    failed: Option<Error>,
    closed: bool,
    remote: SocketAddr,
    received: u64,
    sent: u64,
}

impl Client {
    /// Reaches the server of the configuration's target and says the first words. TLS, the RTMP handshake and the
    /// commands go on in [`Client::next`].
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn open(connect: &Connect, config: Config) -> Result<Self, Error> {
        let (transport, remote) = connect.dial(&config.target).await?;
        Ok(Self {
            transport,
            session: Session::new(config, Instant::now()),
            unsent: BytesMut::new(),
            events: VecDeque::new(),
            failed: None,
            closed: false,
            remote,
            received: 0,
            sent: 0,
        })
    }

    /// The next event; `None` when the server has closed the connection. Cancel-safe.
    ///
    /// # Errors
    /// Why the connection is of no use any more, after the events that came before.
    pub async fn next(&mut self) -> Result<Option<Event>, Error> {
        loop {
            self.take();
            if let Some(event) = self.events.pop_front() {
                return Ok(Some(event));
            }
            // Before the error: a refusal is answered by a close, and the words come with it.
            if let Some(error) = self.failed.take() {
                self.closed = true;
                return Err(error);
            }
            if self.closed {
                return Ok(None);
            }
            self.work().await?;
        }
    }

    /// An event that is there already.
    pub fn try_next(&mut self) -> Option<Event> {
        self.take();
        self.events.pop_front()
    }

    /// Goes on until publishing or playing has begun; events before that are passed over.
    ///
    /// # Errors
    /// As [`Client::next`]; a server that closes before it answers is an error too.
    pub async fn start(&mut self) -> Result<(), Error> {
        while let Some(event) = self.next().await? {
            if event == Event::Started {
                return Ok(());
            }
        }
        Err(Error::Closed)
    }

    /// The session, to look at.
    #[must_use]
    pub const fn session(&self) -> &Session {
        &self.session
    }

    /// The session, to send by. What it then has to say goes out with [`Client::next`] or [`Client::flush`].
    pub const fn session_mut(&mut self) -> &mut Session {
        &mut self.session
    }

    /// True when the connection is under TLS.
    #[must_use]
    pub const fn is_secure(&self) -> bool {
        !matches!(self.transport, Transport::Plain(_))
    }

    /// The server's address.
    #[must_use]
    pub const fn remote(&self) -> SocketAddr {
        self.remote
    }

    /// Bytes received so far, without TLS's own.
    #[must_use]
    pub const fn received(&self) -> u64 {
        self.received
    }

    /// Bytes sent so far, without TLS's own.
    #[must_use]
    pub const fn sent(&self) -> u64 {
        self.sent
    }

    /// Waits until everything the session has said is in the socket. Reads nothing meanwhile. Cancel-safe.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn flush(&mut self) -> Result<(), Error> {
        loop {
            self.take();
            self.write()?;
            if !self.has_to_write() {
                return Ok(());
            }
            self.transport.writable().await?;
        }
    }

    /// Takes leave: ends the stream in the protocol's terms, closes, and waits a little for the server to read it.
    pub async fn finish(mut self) {
        self.session.finish();
        let last_words = async {
            self.flush().await?;
            self.transport.shut_down()?;
            let mut left = 1024 * 1024_usize;
            while left > 0 {
                self.transport.readable().await?;
                match self.read()? {
                    Some(0) => break,
                    n => left = left.saturating_sub(n.unwrap_or(0)),
                }
            }
            Ok::<_, Error>(())
        };
        let _ = tokio::time::timeout(LINGER, last_words).await;
    }

    /// True while something waits for the socket.
    pub(super) fn has_to_write(&self) -> bool {
        !self.unsent.is_empty() || self.transport.wants_write()
    }

    /// True while bytes of the session wait for the transport.
    pub(super) fn has_unsent(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// True while an error or an event waits to be taken.
    pub(super) fn has_news(&self) -> bool {
        self.closed || self.failed.is_some() || !self.events.is_empty()
    }

    /// Bytes that go out behind those of the session.
    pub(super) fn say(&mut self, bytes: &[u8]) {
        self.take();
        self.unsent.extend_from_slice(bytes);
    }

    /// Counts bytes that were written past the session.
    pub(super) const fn wrote(&mut self, bytes: u64) {
        self.sent = self.sent.saturating_add(bytes);
    }

    /// Takes out what the session has to say.
    pub(super) fn take(&mut self) {
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Transmit(bytes) => self.unsent.extend_from_slice(&bytes),
                Output::Event(event) => self.events.push_back(event),
            }
        }
    }

    /// Writes as far as the socket takes it.
    pub(super) fn write(&mut self) -> Result<(), Error> {
        while !self.unsent.is_empty() {
            match self.transport.try_write(&self.unsent) {
                Ok(n) => {
                    self.unsent.advance(n);
                    self.sent = self.sent.saturating_add(n as u64);
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(e) => return Err(e.into()),
            }
        }
        if self.unsent.is_empty() && self.unsent.capacity() > READ {
            self.unsent = BytesMut::new();
        }
        self.transport.flush()?;
        Ok(())
    }

    /// Reads once and hands it to the session.
    pub(super) fn feed(&mut self) -> Result<(), Error> {
        match self.read()? {
            Some(0) => self.closed = true,
            Some(n) => BUFFER.with_borrow(|buffer| {
                let bytes = buffer.get(..n).unwrap_or_default();
                let result = self
                    .session
                    .handle_input(Instant::now(), Input::Bytes(bytes));
                self.failed = result.err().map(Error::Session);
            }),
            None => {}
        }
        self.take();
        Ok(())
    }

    /// What the session waits for is overdue.
    pub(super) fn overdue(&mut self) {
        let result = self.session.handle_input(Instant::now(), Input::Timeout);
        self.failed = result.err().map(Error::Session);
    }

    /// When the session wants to be told the time.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.session.poll_timeout().map(|(at, _)| at)
    }

    /// One wait, and what comes of it.
    async fn work(&mut self) -> Result<(), Error> {
        self.write()?;
        let deadline = self.deadline();
        tokio::select! {
            ready = self.transport.writable(), if self.has_to_write() => ready?,
            ready = self.transport.readable() => {
                ready?;
                self.feed()?;
            }
            () = sleep_until(deadline) => self.overdue(),
        }
        Ok(())
    }

    /// Reads once into the thread's buffer: 0 is the end, `None` nothing yet.
    fn read(&mut self) -> io::Result<Option<usize>> {
        match BUFFER.with_borrow_mut(|buffer| self.transport.try_read(buffer)) {
            Ok(n) => {
                self.received = self.received.saturating_add(n as u64);
                Ok(Some(n))
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(e) => Err(e),
        }
    }
}

pub(super) async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
