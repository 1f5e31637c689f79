//! One accepted connection: plain or TLS, HTTP/1.1 or HTTP/2, with its time-outs, until it ends or the server does.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::io::Guarded;
use super::phase::{Answer, Phase};
use super::reply::Request;
use super::{Shared, handle, refuse};
use crate::listen;
use crate::sessions::{Full, Place};

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

/// What lies under HTTP.
#[derive(Clone)]
pub(crate) enum Transport {
    /// TCP.
    Plain,
    /// TLS over it.
    Tls(TlsAcceptor),
}

/// Serves one connection from accept to its end.
pub(crate) async fn connection(
    shared: Arc<Shared>,
    stream: TcpStream,
    addr: SocketAddr,
    transport: Transport,
    shutdown: CancellationToken,
) -> io::Result<()> {
    listen::tune(&stream);
    let limits = &shared.config.limits;
    let (_places, starting) = match enter(&shared, addr) {
        Ok(places) => places,
        Err(why) => return turn_away(&shared, stream, addr, transport, why).await,
    };
    let serving = Serving {
        peer: PeerInfo {
            addr,
            kill: CancellationToken::new(),
        },
        phase: Phase::new(starting),
        shutdown,
        shared: Arc::clone(&shared),
    };
    match transport {
        Transport::Plain => {
            let header_time = Duration::from_millis(limits.http_header_ms);
            let Ok(http2) = timeout(header_time, speaks_http2(&stream)).await else {
                return Ok(());
            };
            serving.run(stream, http2?).await
        }
        Transport::Tls(acceptor) => {
            let stream = timeout(limits.handshake(), acceptor.accept(stream)).await??;
            let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            serving.run(stream, http2).await
        }
    }
}

/// A place among all, one among those of HTTP, and one among those who have asked for nothing yet.
fn enter(shared: &Shared, addr: SocketAddr) -> Result<((Place, Place), Place), Full> {
    let rooms = &shared.sessions;
    let all = rooms.all.enter(addr.ip())?;
    let starting = rooms.starting.enter(addr.ip())?;
    Ok(((all, rooms.http.enter(addr.ip())?), starting))
}

/// Tells a peer that there is no room for it, as long as not too many are being told.
async fn turn_away(
    shared: &Shared,
    stream: TcpStream,
    addr: SocketAddr,
    transport: Transport,
    Full(why): Full,
) -> io::Result<()> {
    let Ok(_place) = shared.sessions.refusing.enter(addr.ip()) else {
        return Ok(());
    };
    match transport {
        Transport::Plain => refuse::tell(stream, why).await,
        Transport::Tls(acceptor) => {
            // What is said below is HTTP/1.1, so that is what is agreed on.
            let mut config = rustls::ServerConfig::clone(acceptor.config());
            config.alpn_protocols = vec![b"http/1.1".to_vec()];
            let acceptor = TlsAcceptor::from(Arc::new(config));
            let handshake = shared.config.limits.handshake().min(Duration::from_secs(1));
            let stream = timeout(handshake, acceptor.accept(stream)).await??;
            refuse::tell(stream, why).await;
        }
    }
    Ok(())
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

/// A connection that was let in.
struct Serving {
    shared: Arc<Shared>,
    peer: PeerInfo,
    phase: Arc<Phase>,
    shutdown: CancellationToken,
}

impl Serving {
    async fn run<T>(self, io: T, http2: bool) -> io::Result<()>
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let io = Guarded::new(io, self.shared.config.limits.stall());
        if http2 {
            self.http2(io).await
        } else {
            self.http1(io).await
        }
    }

    /// Answers one request.
    fn answer(&self) -> impl Fn(Request) -> Answering + use<> {
        let (shared, peer, phase) = (
            Arc::clone(&self.shared),
            self.peer.clone(),
            Arc::clone(&self.phase),
        );
        move |request| {
            let (shared, peer, busy) = (Arc::clone(&shared), peer.clone(), phase.begin());
            Box::pin(async move {
                let response = handle(shared, peer, request).await;
                let upgraded = response.status() == http::StatusCode::SWITCHING_PROTOCOLS;
                let (parts, body) = response.into_parts();
                let busy = match upgraded {
                    true => {
                        busy.for_ever();
                        None
                    }
                    false => Some(busy),
                };
                Ok(http::Response::from_parts(
                    parts,
                    Answer { body, _busy: busy },
                ))
            })
        }
    }

    /// How long the first request may take to come, and how long the next.
    fn times(&self) -> (Duration, Duration) {
        let config = &self.shared.config;
        (
            Duration::from_millis(config.limits.http_header_ms),
            Duration::from_millis(config.http.idle_ms),
        )
    }

    async fn http1<T>(self, io: Guarded<T>) -> io::Result<()>
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (header, idle) = self.times();
        let limits = &self.shared.config.limits;
        let io = io.asking(Arc::clone(&self.phase), header, idle);
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            // The byte stream below tells a silent connection from a slow header, which hyper does not.
            .header_read_timeout(None)
            .max_header_size(limits.http_header_bytes as usize)
            .max_buf_size(H1_BUFFER.max(limits.http_header_bytes as usize));
        let connection = builder
            .serve_connection(TokioIo::new(io), service_fn(self.answer()))
            .with_upgrades();
        let mut connection = std::pin::pin!(connection);
        tokio::select! {
            outcome = connection.as_mut() => return outcome.map_err(io::Error::other),
            () = self.peer.kill.cancelled() => return Ok(()),
            () = self.shutdown.cancelled() => connection.as_mut().graceful_shutdown(),
        }
        tokio::select! {
            outcome = connection => outcome.map_err(io::Error::other),
            () = self.peer.kill.cancelled() => Ok(()),
        }
    }

    async fn http2<T>(self, io: Guarded<T>) -> io::Result<()>
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (header, idle) = self.times();
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .max_header_list_size(self.shared.config.limits.http_header_bytes)
            .max_concurrent_streams(H2_STREAMS)
            .max_send_buf_size(256 * 1024)
            .keep_alive_interval(H2_PING)
            .keep_alive_timeout(H2_PING);
        let connection = builder.serve_connection(TokioIo::new(io), service_fn(self.answer()));
        let mut connection = std::pin::pin!(connection);
        tokio::select! {
            outcome = connection.as_mut() => return outcome.map_err(io::Error::other),
            () = self.peer.kill.cancelled() => return Ok(()),
            () = self.shutdown.cancelled() => {}
            () = self.phase.quiet(header, idle) => {}
        }
        connection.as_mut().graceful_shutdown();
        tokio::select! {
            outcome = connection.as_mut() => outcome.map_err(io::Error::other),
            () = self.peer.kill.cancelled() => Ok(()),
            // A peer that has said nothing so far need not answer the farewell either.
            () = self.phase.quiet(header, header) => Ok(()),
        }
    }
}

type Answering =
    std::pin::Pin<Box<dyn Future<Output = Result<http::Response<Answer>, Infallible>> + Send>>;
