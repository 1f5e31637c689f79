//! The listener: binds, accepts, and starts a task for each connection.

use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bus::{InboundProtocol, IngestContext, PlaybackRegistry};
use core_frame::{Result, StreamError};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Config;
use super::admission::{Admission, Verdict};
use super::connection::{Connection, Shared};

/// The RTMP server. Bind it, then hand it to an engine, once.
///
/// On shutdown it stops accepting, tells publishers and players, and returns when their connections are closed.
pub struct RtmpProtocol {
    config: Arc<Config>,
    playback: Option<Arc<dyn PlaybackRegistry>>,
    listener: Mutex<Option<StdListener>>,
    local: SocketAddr,
}

/// How long after a failed accept the next is tried: what fails it (no free file descriptor) passes with time only.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
const BACKLOG: i32 = 1024;

impl RtmpProtocol {
    /// Binds the address of the configuration; nothing is accepted before the engine serves it.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub fn bind(config: Config) -> std::io::Result<Self> {
        let domain = socket2::Domain::for_address(config.listen);
        let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.bind(&config.listen.into())?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        let listener = StdListener::from(socket);
        let local = listener.local_addr()?;
        Ok(Self {
            config: Arc::new(config),
            playback: None,
            listener: Mutex::new(Some(listener)),
            local,
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
        let listener = TcpListener::from_std(listener)?;
        let admission = Arc::new(Admission::new(&self.config.limits));
        let shared = Arc::new(Shared {
            config: Arc::clone(&self.config),
            ctx,
            playback: self.playback.clone(),
            admission: Arc::clone(&admission),
            stop: CancellationToken::new(),
            stopping: AtomicBool::new(false),
        });
        let tasks = TaskTracker::new();
        let ids = AtomicU64::new(1);
        tracing::info!(listen = %self.local, "rtmp: listening");
        loop {
            let accepted = tokio::select! {
                () = shutdown.cancelled() => break,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, remote)) => {
                    let id = ids.fetch_add(1, Ordering::Relaxed);
                    // A listener on [::] sees IPv4 peers as mapped addresses; limits and logs mean the peer itself.
                    let remote = SocketAddr::new(remote.ip().to_canonical(), remote.port());
                    start(&tasks, &shared, stream, remote, id);
                }
                Err(error) => {
                    tracing::warn!(%error, "rtmp: cannot accept");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop(listener);
        shared.stopping.store(true, Ordering::Release);
        shared.stop.cancel();
        tasks.close();
        tasks.wait().await;
        Ok(())
    }
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
        Verdict::Refuse(ticket, why) => (ticket, Some(why)),
        Verdict::Close(why) => {
            if shared
                .admission
                .may_log(remote.ip(), std::time::Instant::now())
            {
                tracing::warn!(%remote, id, reason = why, "rtmp: refused");
            }
            return;
        }
    };
    let connection = Connection::new(Arc::clone(shared), stream, remote, id, ticket, refuse);
    tasks.spawn(connection.run());
}
