//! What carries the bytes of a connection: TCP as it is, or TLS over it.

#[cfg(feature = "tls")]
mod tls;

use std::io::{self, IoSlice};
use std::task::{Context, Poll};

use tokio::io::Interest;
use tokio::net::TcpStream;

#[cfg(feature = "tls")]
use tls::Tls;

/// A connection's bytes, both ways, without waiting: who gets `WouldBlock` waits for [`Transport::readable`] or
/// [`Transport::writable`].
#[derive(Debug)]
pub(crate) enum Transport {
    /// Each call is the system call of its name.
    Plain(TcpStream),
    /// Sealed records over the same calls.
    #[cfg(feature = "tls")]
    Tls(Box<Tls>),
}

impl Transport {
    /// The server's end of TLS. Its handshake is done on the way, by reading.
    #[cfg(feature = "tls")]
    pub(crate) fn accept(
        stream: TcpStream,
        config: &std::sync::Arc<rustls::ServerConfig>,
    ) -> io::Result<Self> {
        let connection = rustls::ServerConnection::new(std::sync::Arc::clone(config));
        let connection = connection.map_err(io::Error::other)?;
        Ok(Self::Tls(Box::new(Tls::new(stream, connection.into()))))
    }

    /// The client's end of TLS with a server that must prove this name. Its handshake is done on the way.
    #[cfg(feature = "tls")]
    pub(crate) fn connect(
        stream: TcpStream,
        config: &std::sync::Arc<rustls::ClientConfig>,
        name: rustls::pki_types::ServerName<'static>,
    ) -> io::Result<Self> {
        let connection = rustls::ClientConnection::new(std::sync::Arc::clone(config), name);
        let connection = connection.map_err(io::Error::other)?;
        Ok(Self::Tls(Box::new(Tls::new(stream, connection.into()))))
    }

    /// The socket underneath.
    pub(crate) const fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            #[cfg(feature = "tls")]
            Self::Tls(tls) => tls.tcp(),
        }
    }

    /// Reads what is there; 0 is the end.
    pub(crate) fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.try_read(buffer),
            #[cfg(feature = "tls")]
            Self::Tls(tls) => tls.try_read(buffer),
        }
    }

    /// Writes one piece as far as it is taken.
    pub(crate) fn try_write(&mut self, piece: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.try_write(piece),
            #[cfg(feature = "tls")]
            Self::Tls(tls) => tls.try_write(&[IoSlice::new(piece)]),
        }
    }

    /// Writes several pieces as far as they are taken.
    pub(crate) fn try_write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.try_write_vectored(pieces),
            #[cfg(feature = "tls")]
            Self::Tls(tls) => tls.try_write(pieces),
        }
    }

    /// True while bytes that were taken are not in the socket yet: a handshake's, or records that did not fit. Wait for
    /// [`Transport::writable`] and call [`Transport::flush`].
    pub(crate) fn wants_write(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            #[cfg(feature = "tls")]
            Self::Tls(tls) => tls.wants_write(),
        }
    }

    /// Gives the socket what it did not take before; returns how many bytes it took.
    pub(crate) fn flush(&mut self) -> io::Result<usize> {
        match self {
            Self::Plain(_) => Ok(0),
            #[cfg(feature = "tls")]
            Self::Tls(tls) => tls.flush(),
        }
    }

    /// Says that nothing more comes. What the socket does not take at once is not said.
    pub(crate) fn shut_down(&mut self) -> io::Result<()> {
        #[cfg(feature = "tls")]
        if let Self::Tls(tls) = self {
            tls.close()?;
        }
        socket2::SockRef::from(self.tcp()).shutdown(std::net::Shutdown::Write)
    }

    /// Comes back when there may be something to read.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        if self.holds_input() {
            return Ok(());
        }
        self.tcp().readable().await
    }

    /// Comes back when something may be taken.
    pub(crate) async fn writable(&self) -> io::Result<()> {
        self.tcp().writable().await
    }

    /// [`Transport::readable`] for hand-written futures.
    pub(crate) fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.holds_input() {
            return Poll::Ready(Ok(()));
        }
        self.tcp().poll_read_ready(cx)
    }

    /// True when there may be something to read: a look at a flag, not a system call.
    pub(crate) fn is_readable(&self) -> bool {
        self.holds_input() || self.tcp().try_io(Interest::READABLE, || Ok(())).is_ok()
    }

    /// True while opened bytes wait to be read: the socket need not tell of them again.
    const fn holds_input(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            #[cfg(feature = "tls")]
            Self::Tls(tls) => tls.holds_input(),
        }
    }
}
