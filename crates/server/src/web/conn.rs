//! One accepted connection: plain or TLS, HTTP/1.1 or HTTP/2, with its time-outs, until it ends or the server does.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use super::io::Guarded;
use super::{Shared, handle};
use crate::listen;

/// What a client that knows HTTP/2 sends first (RFC 9113 §3.4); four bytes tell.
const PREFACE: &[u8; 4] = b"PRI ";
/// Concurrent streams of one HTTP/2 connection.
const H2_STREAMS: u32 = 128;
/// Buffer of one HTTP/1.1 connection, in bytes.
const H1_BUFFER: usize = 128 * 1024;
/// How often a silent HTTP/2 peer is asked whether it is there, and how long it may take to answer.
const H2_PING: Duration = Duration::from_secs(20);

/// Who is on the other side of a connection.
#[derive(Clone, Debug)]
pub(crate) struct PeerInfo {
    pub(crate) addr: SocketAddr,
    /// Ends the whole connection.
    pub(crate) kill: CancellationToken,
}

/// Accepts until `shutdown`, then waits for nobody: connections watch the same token.
pub(crate) async fn accept(
    shared: Arc<Shared>,
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    tasks: TaskTracker,
    shutdown: CancellationToken,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.cancelled() => return,
        };
        match accepted {
            Ok((stream, addr)) => {
                let (shared, tls, shutdown) = (Arc::clone(&shared), tls.clone(), shutdown.clone());
                tasks.spawn(async move {
                    let addr = listen::plain(addr);
                    if let Err(e) = connection(shared, stream, addr, tls, shutdown).await {
                        debug!(%addr, error = %e, "connection ended");
                    }
                });
            }
            Err(e) => {
                // Out of file descriptors: what is open goes on, and accepting waits for one to be free.
                warn!(error = %e, "cannot accept connections");
                tokio::time::sleep(Duration::from_millis(250)).await;
            }
        }
    }
}

async fn connection(
    shared: Arc<Shared>,
    mut stream: TcpStream,
    addr: SocketAddr,
    tls: Option<TlsAcceptor>,
    shutdown: CancellationToken,
) -> io::Result<()> {
    listen::tune(&stream);
    let Some(_slot) = shared.sessions.enter(addr.ip()) else {
        if tls.is_none() {
            let refusal = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            timeout(Duration::from_secs(1), stream.write_all(refusal)).await??;
        }
        return Ok(());
    };
    let limits = &shared.config.limits;
    let peer = PeerInfo {
        addr,
        kill: CancellationToken::new(),
    };
    match tls {
        None => {
            let header_time = Duration::from_millis(limits.http_header_ms);
            let Ok(http2) = timeout(header_time, speaks_http2(&stream)).await else {
                return Ok(());
            };
            let io = Guarded::new(stream, limits.stall());
            if http2? {
                serve_http2(shared, io, peer, shutdown).await
            } else {
                serve_http1(shared, io, peer, shutdown).await
            }
        }
        Some(acceptor) => {
            let stream = timeout(limits.handshake(), acceptor.accept(stream)).await??;
            let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            let io = Guarded::new(stream, limits.stall());
            if http2 {
                serve_http2(shared, io, peer, shutdown).await
            } else {
                serve_http1(shared, io, peer, shutdown).await
            }
        }
    }
}

/// Looks at the first bytes without taking them.
async fn speaks_http2(stream: &TcpStream) -> io::Result<bool> {
    let mut first = [0; PREFACE.len()];
    loop {
        let n = stream.peek(&mut first).await?;
        let got = first.get(..n).unwrap_or_default();
        if n == 0 || !PREFACE.starts_with(got) {
            return Ok(false);
        }
        if n == PREFACE.len() {
            return Ok(true);
        }
        // Peeking again returns at once while nothing new has come.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn serve_http1<T>(
    shared: Arc<Shared>,
    io: Guarded<T>,
    peer: PeerInfo,
    shutdown: CancellationToken,
) -> io::Result<()>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = &shared.config.limits;
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(limits.http_header_ms))
        .max_header_size(limits.http_header_bytes as usize)
        .max_buf_size(H1_BUFFER.max(limits.http_header_bytes as usize));
    let kill = peer.kill.clone();
    let service = service_fn(move |request| {
        let (shared, peer) = (Arc::clone(&shared), peer.clone());
        async move { Ok::<_, Infallible>(handle(shared, peer, request).await) }
    });
    let connection = builder
        .serve_connection(TokioIo::new(io), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        outcome = connection.as_mut() => return outcome.map_err(io::Error::other),
        () = kill.cancelled() => return Ok(()),
        () = shutdown.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    tokio::select! {
        outcome = connection => outcome.map_err(io::Error::other),
        () = kill.cancelled() => Ok(()),
    }
}

async fn serve_http2<T>(
    shared: Arc<Shared>,
    io: Guarded<T>,
    peer: PeerInfo,
    shutdown: CancellationToken,
) -> io::Result<()>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = &shared.config.limits;
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_header_list_size(limits.http_header_bytes)
        .max_concurrent_streams(H2_STREAMS)
        .max_send_buf_size(256 * 1024)
        .keep_alive_interval(H2_PING)
        .keep_alive_timeout(H2_PING);
    let kill = peer.kill.clone();
    let service = service_fn(move |request| {
        let (shared, peer) = (Arc::clone(&shared), peer.clone());
        async move { Ok::<_, Infallible>(handle(shared, peer, request).await) }
    });
    let connection = builder.serve_connection(TokioIo::new(io), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        outcome = connection.as_mut() => return outcome.map_err(io::Error::other),
        () = kill.cancelled() => return Ok(()),
        () = shutdown.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    tokio::select! {
        outcome = connection => outcome.map_err(io::Error::other),
        () = kill.cancelled() => Ok(()),
    }
}
