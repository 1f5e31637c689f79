//! TLS records over a socket, with bounded buffers and no copy but the one into the record that is sealed.

use std::io::{self, IoSlice, Read, Write};

use rustls::Connection;
use tokio::net::TcpStream;

/// Sealed bytes that may wait for the socket: two full records (RFC 8446 §5.1). A batch for a player is gathered into as
/// few records as it takes, and each round of sealing is one system call.
const SEALED: usize = 2 * 16 * 1024;

/// One end of a TLS connection. rustls is driven on the socket directly: media goes from the view's memory into a record
/// (the one copy, since it is sealed there in place), and the records into the socket.
#[derive(Debug)]
pub(crate) struct Tls {
    tcp: TcpStream,
    connection: Connection,
    /// Opened bytes that nobody has read.
    unread: usize,
    /// The peer has said that nothing more comes.
    closed: bool,
}

impl Tls {
    pub(super) fn new(tcp: TcpStream, mut connection: Connection) -> Self {
        connection.set_buffer_limit(Some(SEALED));
        Self {
            tcp,
            connection,
            unread: 0,
            closed: false,
        }
    }

    pub(super) const fn tcp(&self) -> &TcpStream {
        &self.tcp
    }

    pub(super) const fn holds_input(&self) -> bool {
        self.unread > 0
    }

    pub(super) fn wants_write(&self) -> bool {
        self.connection.wants_write()
    }

    /// Reads and opens records until the buffer is full or the socket is empty; goes on with the handshake before that.
    pub(super) fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        loop {
            let room = buffer.get_mut(filled..).unwrap_or_default();
            if room.is_empty() {
                return Ok(filled);
            }
            if self.unread > 0 {
                let n = self.connection.reader().read(room)?;
                self.unread = self.unread.saturating_sub(n);
                filled = filled.saturating_add(n);
                continue;
            }
            match self.open() {
                Ok(true) => {}
                Ok(false) => return Ok(filled),
                // What came before is good.
                Err(_) if filled > 0 => return Ok(filled),
                Err(e) => return Err(e),
            }
        }
    }

    /// Takes more off the socket; false at the end. A connection that ends without TLS's own word for it has ended all the
    /// same: RTMP's messages say themselves whether they are whole.
    fn open(&mut self) -> io::Result<bool> {
        if self.closed {
            return Ok(false);
        }
        // Reads of 4 KiB, rustls's own measure: this is the way of publishers and of what players say.
        if self.connection.read_tls(&mut Socket(&self.tcp))? == 0 {
            return Ok(false);
        }
        match self.connection.process_new_packets() {
            Ok(state) => {
                self.unread = state.plaintext_bytes_to_read();
                self.closed = state.peer_has_closed();
                self.flush()?;
                Ok(true)
            }
            Err(e) => {
                // The alert that tells the peer; whether it arrives or not, this is the end.
                let _ = self.flush();
                Err(io::Error::new(io::ErrorKind::InvalidData, e))
            }
        }
    }

    /// Seals as much as may wait for the socket and gives it to the socket. Nothing is sealed while earlier records wait,
    /// so that a peer that does not read costs no more than the bound.
    pub(super) fn try_write(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        if self.wants_write() {
            self.flush()?;
            if self.wants_write() {
                return Err(io::ErrorKind::WouldBlock.into());
            }
        }
        let n = self.connection.writer().write_vectored(pieces)?;
        self.flush()?;
        match n {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            n => Ok(n),
        }
    }

    /// Writes records until none is left or the socket is full; returns how many bytes it took.
    pub(super) fn flush(&mut self) -> io::Result<usize> {
        let mut sent = 0_usize;
        while self.connection.wants_write() {
            match self.connection.write_tls(&mut Socket(&self.tcp)) {
                Ok(n) => sent = sent.saturating_add(n),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(e) => return Err(e),
            }
        }
        Ok(sent)
    }

    /// Says `close_notify`.
    pub(super) fn close(&mut self) -> io::Result<()> {
        self.connection.send_close_notify();
        self.flush().map(|_| ())
    }
}

/// The socket as rustls wants it: each call is one attempt.
struct Socket<'a>(&'a TcpStream);

impl Read for Socket<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buffer)
    }
}

impl Write for Socket<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.0.try_write(buffer)
    }

    fn write_vectored(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        match buffers {
            [one] => self.0.try_write(one),
            several => self.0.try_write_vectored(several),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
