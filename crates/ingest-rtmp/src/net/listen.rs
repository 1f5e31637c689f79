//! The listener: binds, accepts, and starts a task for each connection.

use std::fs::File;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bus::{InboundProtocol, IngestContext, PlaybackRegistry};
use core_frame::{Result, StreamError};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::admission::{Admission, Verdict};
use super::connection::{Connection, Shared};
use super::counters::Counters;
use super::transport::Transport;
use super::{Config, Counts};

/// The RTMP server. Bind it, then hand it to an engine, once.
///
/// On shutdown it stops accepting, tells publishers and players, and returns when their connections are closed.
pub struct RtmpProtocol {
    config: Arc<Config>,
    playback: Option<Arc<dyn PlaybackRegistry>>,
    listener: Mutex<Option<StdListener>>,
    local: SocketAddr,
    admission: Arc<Admission>,
    counters: Arc<Counters>,
}

/// How long after a failed accept the next is tried: what fails it passes with time only.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// A listener that cannot accept says so this often at most.
const LOG_EVERY: Duration = Duration::from_secs(1);
const BACKLOG: i32 = 1024;

impl RtmpProtocol {
    /// Binds the address of the configuration; nothing is accepted before the engine serves it.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub fn bind(config: Config) -> io::Result<Self> {
        let domain = socket2::Domain::for_address(config.listen);
        let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.bind(&config.listen.into())?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        let listener = StdListener::from(socket);
        let local = listener.local_addr()?;
        let admission = Admission::new(&config.limits, config.door.clone());
        Ok(Self {
            config: Arc::new(config),
            playback: None,
            listener: Mutex::new(Some(listener)),
            local,
            admission: Arc::new(admission),
            counters: Arc::default(),
        })
    }

    /// Lets peers play what this registry (usually the engine) has. Without it they can only publish.
    #[must_use]
    pub fn with_playback(mut self, playback: Arc<dyn PlaybackRegistry>) -> Self {
        self.playback = Some(playback);
        self
    }

    /// Where it listens.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// What it has seen so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counters.counts(self.admission.counts())
    }
}

impl std::fmt::Debug for RtmpProtocol {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RtmpProtocol")
            .field("local", &self.local)
            .field("config", &self.config)
            .field("plays", &self.playback.is_some())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl InboundProtocol for RtmpProtocol {
    fn name(&self) -> &'static str {
        "rtmp"
    }

    async fn serve(&self, ctx: IngestContext, shutdown: CancellationToken) -> Result<()> {
        let listener = self
            .listener
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
            .ok_or_else(|| StreamError::other("this RTMP listener was served before"))?;
        let mut door = Accept {
            listener: TcpListener::from_std(listener)?,
            spare: spare(),
            counters: Arc::clone(&self.counters),
            logged: None,
        };
        let shared = Arc::new(Shared {
            config: Arc::clone(&self.config),
            ctx,
            playback: self.playback.clone(),
            admission: Arc::clone(&self.admission),
            counters: Arc::clone(&self.counters),
            stop: CancellationToken::new(),
            stopping: AtomicBool::new(false),
        });
        let tasks = TaskTracker::new();
        let ids = AtomicU64::new(1);
        tracing::info!(listen = %self.local, "rtmp: listening");
        loop {
            let (stream, remote) = tokio::select! {
                () = shutdown.cancelled() => break,
                accepted = door.next() => accepted,
            };
            let id = ids.fetch_add(1, Ordering::Relaxed);
            // A listener on [::] sees IPv4 peers as mapped addresses; limits and logs mean the peer itself.
            let remote = SocketAddr::new(remote.ip().to_canonical(), remote.port());
            start(&tasks, &shared, stream, remote, id);
        }
        drop(door);
        shared.stopping.store(true, Ordering::Release);
        shared.stop.cancel();
        tasks.close();
        tasks.wait().await;
        Ok(())
    }
}

/// Accepts, also where the process has run out of file descriptors.
struct Accept {
    listener: TcpListener,
    /// A descriptor that is given up to accept, and so refuse, a peer for whom there is none: a connection that nobody
    /// accepts would keep the listener ready, and its peer waiting.
    spare: Option<File>,
    counters: Arc<Counters>,
    logged: Option<Instant>,
}

impl Accept {
    async fn next(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            match self.listener.accept().await {
                Ok(accepted) => {
                    self.counters.accepted();
                    return accepted;
                }
                Err(error) if is_out_of_files(&error) => {
                    self.log(&error);
                    self.refuse().await;
                }
                // A peer that gave up while it waited: the next one may be as good as any.
                Err(error) if is_the_peers(&error) => self.log(&error),
                Err(error) => {
                    self.log(&error);
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Closes the connection that waits longest.
    async fn refuse(&mut self) {
        self.spare = None;
        let waiting = tokio::time::timeout(ACCEPT_PAUSE, self.listener.accept()).await;
        let refused = matches!(waiting, Ok(Ok(_)));
        drop(waiting);
        self.spare = spare();
        if refused {
            self.counters.out_of_files();
        }
        if !refused || self.spare.is_none() {
            // Somebody else was quicker to take the descriptor.
            tokio::time::sleep(ACCEPT_PAUSE).await;
        }
    }

    fn log(&mut self, error: &io::Error) {
        let now = Instant::now();
        let due = self
            .logged
            .is_none_or(|at| now.saturating_duration_since(at) >= LOG_EVERY);
        if due {
            self.logged = Some(now);
            let refused = self.counters.counts((0, 0)).out_of_files;
            tracing::warn!(%error, refused, "rtmp: cannot accept");
        }
    }
}

/// A file that is always there and costs a descriptor, nothing else.
fn spare() -> Option<File> {
    File::open(if cfg!(windows) { "NUL" } else { "/dev/null" }).ok()
}

/// `EMFILE` and `ENFILE` have these numbers on every Unix.
fn is_out_of_files(error: &io::Error) -> bool {
    cfg!(unix) && matches!(error.raw_os_error(), Some(23 | 24))
}

fn is_the_peers(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

fn start(
    tasks: &TaskTracker,
    shared: &Arc<Shared>,
    stream: TcpStream,
    remote: SocketAddr,
    id: u64,
) {
    let (ticket, refuse) = match shared.admission.admit(remote.ip()) {
        Verdict::Welcome(ticket) => (ticket, None),
        Verdict::Refuse(ticket, why) => {
            shared.counters.refused();
            (ticket, Some(why))
        }
        Verdict::Close(why) => {
            shared.counters.closed_unheard();
            if let Some(refused) = shared.admission.may_log_refusal(Instant::now()) {
                tracing::warn!(%remote, id, reason = why, refused, "rtmp: refused");
            }
            return;
        }
    };
    let transport = match transport(stream, &shared.config) {
        Ok(transport) => transport,
        Err(error) => {
            tracing::error!(%remote, id, %error, "rtmp: cannot begin TLS");
            return;
        }
    };
    let connection = Connection::new(Arc::clone(shared), transport, remote, id, ticket, refuse);
    tasks.spawn(connection.run());
}

fn transport(stream: TcpStream, config: &Config) -> io::Result<Transport> {
    #[cfg(feature = "tls")]
    if let Some(tls) = &config.tls {
        return Transport::accept(stream, tls);
    }
    let _ = config;
    Ok(Transport::Plain(stream))
}
