//! The listener's loop, and what it does when the process has no file descriptor left.

use std::fs::File;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::conn::{Transport, connection};
use super::{Shared, refuse};
use crate::listen;

/// Pause after an accept that failed for want of file descriptors: a few peers a second are told to come again, and as
/// soon as descriptors are free they are served again.
const PAUSE: Duration = Duration::from_millis(50);
/// Such a state is logged this often.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// Accepts until `shutdown`, then waits for nobody: connections watch the same token.
pub(crate) async fn accept(
    shared: Arc<Shared>,
    listener: TcpListener,
    transport: Transport,
    shutdown: CancellationToken,
) {
    let mut reserve = Reserve::new();
    let mut logged: Option<Instant> = None;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.cancelled() => return,
        };
        match accepted {
            Ok((stream, addr)) => {
                let (shared, transport) = (Arc::clone(&shared), transport.clone());
                let shutdown = shutdown.clone();
                let tasks = shared.tasks.clone();
                tasks.spawn(async move {
                    let addr = listen::plain(addr);
                    if let Err(e) = connection(shared, stream, addr, transport, shutdown).await {
                        debug!(%addr, error = %e, "connection ended");
                    }
                });
            }
            Err(e) if listen::is_exhausted(&e) => {
                let now = Instant::now();
                if logged.is_none_or(|l| now.duration_since(l) >= LOG_EVERY) {
                    logged = Some(now);
                    warn!(error = %e, "cannot accept connections; those that are open go on");
                }
                reserve.spend(&listener, &transport).await;
                tokio::time::sleep(PAUSE).await;
            }
            // The peer went away while it waited (ECONNABORTED and the like, accept(2)).
            Err(e) => {
                debug!(error = %e, "a connection was gone before it was accepted");
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    }
}

/// One open file that can be closed to have a descriptor for a moment.
struct Reserve(Option<File>);

impl Reserve {
    fn new() -> Self {
        Self(File::open("/dev/null").ok())
    }

    /// Takes one peer out of the queue, tells it where that needs no waiting, and lets it go.
    async fn spend(&mut self, listener: &TcpListener, transport: &Transport) {
        if self.0.take().is_some()
            && let Ok(Ok((stream, _))) =
                tokio::time::timeout(Duration::ZERO, listener.accept()).await
            && matches!(transport, Transport::Plain)
        {
            refuse::tell_now(stream, "the server has no file descriptor left");
        }
        // Where another thread was quicker, the next round tries again.
        self.0 = File::open("/dev/null").ok();
    }
}
