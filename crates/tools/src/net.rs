//! Sockets of the tools: dialling, TLS, and one type for both kinds of connection.

use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use ingest_rtmp::net::client::Trust;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::error::causes;
use crate::{Error, Result};

/// How the certificates of servers are judged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsOptions {
    /// Certificates (PEM) that are trusted beside the system's.
    pub ca: Option<PathBuf>,
    /// Trust any certificate. For tests: the connection is then secret, but nobody knows with whom.
    pub insecure: bool,
}

impl TlsOptions {
    /// The configuration for connections by these options.
    ///
    /// # Errors
    /// [`Error::File`] and [`Error::Usage`]: the certificates cannot be read, or there are none.
    pub fn client(&self) -> Result<Arc<ClientConfig>> {
        let trust = match &self.ca {
            _ if self.insecure => Trust::Anybody,
            Some(path) => Trust::SystemAnd(std::fs::read(path).map_err(|source| Error::File {
                path: path.clone(),
                source,
            })?),
            None => Trust::System,
        };
        trust.config().map_err(|e| {
            let file = self.ca.as_ref().filter(|_| !self.insecure);
            let file = file.map(|path| format!("{}: ", path.display()));
            Error::Usage(format!("{}{}", file.unwrap_or_default(), causes(&e)))
        })
    }
}

/// Opens connections.
#[derive(Clone, Debug)]
pub(crate) struct Dialer {
    /// For each step: the connection, the handshake of TLS, what is asked next.
    pub(crate) timeout: Duration,
    tls: Option<Arc<ClientConfig>>,
    /// Size of the socket's receive buffer in bytes, instead of the system's.
    receive_buffer: Option<u32>,
}

impl Dialer {
    /// For addresses like `url`: TLS is set up only where it is needed.
    pub(crate) fn new(url: &str, timeout: Duration, tls: &TlsOptions) -> Result<Self> {
        let tls = if is_secure(url) {
            Some(tls.client()?)
        } else {
            None
        };
        Ok(Self {
            timeout,
            tls,
            receive_buffer: None,
        })
    }

    /// With a receive buffer as small as the system has them: what is not read waits at the server.
    pub(crate) fn with_small_buffer(&self) -> Self {
        Self {
            receive_buffer: Some(4_096),
            ..self.clone()
        }
    }

    /// Connects, with TLS if asked for.
    pub(crate) async fn open(&self, host: &str, port: u16, secure: bool) -> Result<Socket> {
        let refused = |source| Error::Connect {
            target: format!("{host}:{port}"),
            source,
        };
        let connect = async {
            let stream = self.tcp(host, port).await.map_err(refused)?;
            if !secure {
                return Ok(Socket::Plain(stream));
            }
            let config = match &self.tls {
                Some(config) => Arc::clone(config),
                None => return Err(Error::Usage("a redirection from plain text to TLS".into())),
            };
            let name = ServerName::try_from(host.to_owned())
                .map_err(|_| Error::Usage(format!("{host:?} is no name of a TLS server")))?;
            let stream = TlsConnector::from(config).connect(name, stream).await;
            Ok(Socket::Tls(Box::new(stream.map_err(refused)?)))
        };
        tokio::time::timeout(self.timeout, connect)
            .await
            .map_err(|_| Error::Timeout {
                what: "connection",
                after: self.timeout,
            })?
    }

    async fn tcp(&self, host: &str, port: u16) -> io::Result<TcpStream> {
        let mut last = io::ErrorKind::AddrNotAvailable.into();
        for address in tokio::net::lookup_host((host, port)).await? {
            let socket = if address.is_ipv4() {
                TcpSocket::new_v4()?
            } else {
                TcpSocket::new_v6()?
            };
            if let Some(size) = self.receive_buffer {
                socket.set_recv_buffer_size(size)?;
            }
            match socket.connect(address).await {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    return Ok(stream);
                }
                Err(e) => last = e,
            }
        }
        Err(last)
    }
}

/// True for addresses under TLS.
pub(crate) fn is_secure(url: &str) -> bool {
    url.starts_with("rtmps://") || url.starts_with("https://")
}

/// A connection, plain or under TLS.
#[derive(Debug)]
pub(crate) enum Socket {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Socket {
    /// The TCP connection underneath.
    pub(crate) fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => stream.get_ref().0,
        }
    }

    /// Ends the connection by RST.
    pub(crate) fn reset(self) {
        // Where the option is refused the connection ends by FIN.
        let _ = self.tcp().set_zero_linger();
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(cx),
        }
    }
}
